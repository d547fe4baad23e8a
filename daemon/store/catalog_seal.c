/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalog_seal.c - one partition gets its indexes, see sealing.h
 *
 * The copy is made from a file that nobody writes to, so it needs no lock; it is durable before it takes the partition's
 * place. Both change places, so a partition that was given up meanwhile is not made again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/catalog_internal.h"
#include "store/sealing.h"

#define PROGRESS 10000 /* SQLite's steps between looks at *stop */

static const char indexes[] =
	"BEGIN;"
	"CREATE INDEX IF NOT EXISTS calls_caller ON calls(caller_hash) WHERE caller_hash IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS calls_callee ON calls(callee_hash) WHERE callee_hash IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS calls_sip ON calls(sip_call_id);"
	"CREATE INDEX IF NOT EXISTS calls_start ON calls(start_ns);"
	"CREATE INDEX IF NOT EXISTS calls_use_by ON calls(training_use_by) WHERE training_use_by > 0;"
	"CREATE TABLE IF NOT EXISTS sealed(at_ns INTEGER NOT NULL, calls INTEGER NOT NULL);"
	"INSERT INTO sealed SELECT %lld, count(*) FROM calls;"
	"COMMIT;";

struct seal {
	const struct root *r;
	char rel[STORE_PATH_MAX], copy[STORE_PATH_MAX + 8];
	const _Atomic int *stop;
	struct why *why;
};

static int fail(const struct seal *s, sqlite3 *sql, int rc, const char *what)
{
	if ((rc & 255) == SQLITE_INTERRUPT)
		return -ECANCELED;
	return why_set(s->why, sql_errno(sql, rc), "%s: %s: %s", s->rel, what, sql ? sqlite3_errmsg(sql) : sqlite3_errstr(rc));
}

static int stopped(void *arg)
{
	const struct seal *s = arg; /* SQLite asks now and then */

	return s->stop && *s->stop;
}

static int open_at(const struct seal *s, const char *rel, bool write, sqlite3 **ret)
{
	struct buf name = { 0 };
	int rc;

	*ret = NULL;
	if (write)
		buf_printf(&name, "%s/%s", s->r->path, rel), buf_put8(&name, 0);
	else
		store_uri(s->r, rel, true, &name);
	rc = name.failed ? SQLITE_NOMEM :
			   sqlite3_open_v2((char *)name.p, ret,
					   (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY | SQLITE_OPEN_URI) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
					   NULL);
	buf_free(&name);
	if (rc != SQLITE_OK)
		return rc;
	catalog_distrust(*ret);
	sqlite3_progress_handler(*ret, PROGRESS, stopped, (void *)(uintptr_t)s);
	return sqlite3_exec(*ret, "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
}

/* What a writer left in the WAL goes into the file. */
static int settle_wal(const struct seal *s)
{
	char wal[STORE_PATH_MAX + 8];
	struct stat sb;
	sqlite3 *sql;
	int rc;

	snprintf(wal, sizeof(wal), "%s-wal", s->rel);
	if (beneath_statat(s->r->fd, wal, &sb))
		return 0;
	rc = open_at(s, s->rel, true, &sql);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(sql, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	rc = rc == SQLITE_OK ? 0 : fail(s, sql, rc, "cannot take in what was written last");
	sqlite3_close(sql);
	if (!rc && !beneath_statat(s->r->fd, wal, &sb) && sb.st_size)
		rc = why_set(s->why, -EBUSY, "%s: somebody reads it", s->rel);
	return rc;
}

static int make_copy(const struct seal *s)
{
	sqlite3_stmt *st = NULL;
	struct buf name = { 0 };
	sqlite3 *sql;
	int rc = open_at(s, s->rel, false, &sql);

	buf_printf(&name, "%s/%s", s->r->path, s->copy);
	buf_put8(&name, 0);
	if (rc == SQLITE_OK)
		rc = name.failed ? SQLITE_NOMEM : sqlite3_prepare_v2(sql, "VACUUM INTO ?", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, (char *)name.p, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	rc = rc == SQLITE_DONE ? 0 : fail(s, sql, rc, "cannot copy");
	sqlite3_finalize(st);
	sqlite3_close(sql);
	buf_free(&name);
	return rc;
}

/* Nobody knows the copy yet: no journal. */
static int add_indexes(const struct seal *s)
{
	char text[sizeof(indexes) + 32];
	bool version = true;
	sqlite3 *sql;
	int rc = open_at(s, s->copy, true, &sql);

	snprintf(text, sizeof(text), indexes, (long long)clock_now_ns());
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(sql, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = catalog_setup(sql, &version);
	if (rc == SQLITE_OK && version)
		rc = sqlite3_exec(sql, text, NULL, NULL, NULL);
	rc = rc == SQLITE_OK && version ? 0 : fail(s, sql, rc == SQLITE_OK ? SQLITE_NOTADB : rc, "cannot make indexes");
	sqlite3_close(sql);
	return rc;
}

static int finish(const struct seal *s)
{
	int fd = beneath_openat(s->r->fd, s->copy, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0), rc = 0;

	if (fd < 0 || fchmod(fd, 0440) || fsync(fd))
		rc = why_errno(s->why, -errno, s->copy, "cannot finish");
	if (fd >= 0)
		close(fd);
	return rc ? rc : sync_dir_of(s->r, s->rel, s->why);
}

/* Durable, and in place of the partition. */
static int publish(const struct seal *s)
{
	int rc = finish(s);

	if (!rc && beneath_renameat(s->r->fd, s->copy, s->rel, RENAME_EXCHANGE)) {
		rc = -errno;
		/* a file system without it: nearly the same */
		if ((rc == -EINVAL || rc == -ENOSYS) && !beneath_accessat(s->r->fd, s->rel))
			rc = beneath_renameat(s->r->fd, s->copy, s->rel, 0) ? -errno : 0;
		if (rc)
			rc = why_errno(s->why, rc, s->rel, "cannot take its place");
	}
	return rc ? rc : sync_dir_of(s->r, s->rel, s->why);
}

/* What lies beside the old file must not be taken for the new one's. */
static void remove_rest(const struct seal *s)
{
	static const char *const ext[] = { "-wal", "-shm", "-journal" };
	char name[STORE_PATH_MAX + 8];

	for (size_t i = 0; i < sizeof(ext) / sizeof(*ext); i++) {
		snprintf(name, sizeof(name), "%s%s", s->rel, ext[i]);
		(void)beneath_unlinkat(s->r->fd, name, 0); /* empty, or not there */
	}
}

int seal_partition(const struct root *r, const char *controller, uint32_t day, unsigned part, const _Atomic int *stop,
		   struct why *why)
{
	struct seal s = { .r = r, .stop = stop, .why = why };
	struct stat sb;
	int rc;

	catalog_path(controller, day, part, s.rel);
	snprintf(s.copy, sizeof(s.copy), "%s.seal", s.rel);
	if (beneath_statat(r->fd, s.rel, &sb))
		return why_errno(why, -errno, s.rel, "cannot seal");
	if (!(sb.st_mode & 0222))
		return 0;
	(void)beneath_unlinkat(r->fd, s.copy, 0); /* of a writer that died: mostly not there */
	rc = settle_wal(&s);
	if (!rc)
		rc = make_copy(&s);
	if (!rc)
		rc = add_indexes(&s);
	if (!rc)
		rc = stopped(&s) ? -ECANCELED : publish(&s);
	if (!rc)
		remove_rest(&s);
	(void)beneath_unlinkat(r->fd, s.copy, 0); /* now the old one, or what came to nothing; seal_clean otherwise */
	return rc;
}

static int make_new(const struct seal *s, int (*fill)(void *arg, struct sqlite3 *sql), void *arg)
{
	struct buf name = { 0 };
	sqlite3 *sql = NULL;
	bool version;
	int rc, err = 0;

	buf_printf(&name, "%s/%s", s->r->path, s->copy);
	buf_put8(&name, 0);
	rc = name.failed ? SQLITE_NOMEM :
			   sqlite3_open_v2((char *)name.p, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	buf_free(&name);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(sql, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = catalog_setup(sql, &version);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(sql, "BEGIN", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		err = fill(arg, sql);
	if (rc == SQLITE_OK && !err)
		rc = sqlite3_exec(sql, "COMMIT", NULL, NULL, NULL);
	rc = rc == SQLITE_OK ? err : fail(s, sql, rc, "cannot make");
	sqlite3_close(sql);
	return rc;
}

int seal_new(const struct root *r, const char *controller, uint32_t day, unsigned part, int (*fill)(void *arg, struct sqlite3 *sql),
	     void *arg, struct why *why)
{
	struct seal s = { .r = r, .why = why };
	char dir[STORE_PATH_MAX];
	int rc;

	catalog_path(controller, day, part, s.rel);
	snprintf(s.copy, sizeof(s.copy), "%s.seal", s.rel);
	snprintf(dir, sizeof(dir), "catalog/%s", controller);
	rc = make_dirs(r, dir, why);
	if (rc)
		return rc;
	(void)beneath_unlinkat(r->fd, s.copy, 0);
	rc = make_new(&s, fill, arg);
	if (!rc)
		rc = add_indexes(&s);
	if (!rc)
		rc = finish(&s);
	if (!rc && beneath_linkat(r->fd, s.copy, s.rel))
		rc = why_errno(why, -errno, s.rel, "cannot take its name");
	(void)beneath_unlinkat(r->fd, s.copy, 0); /* seal_clean otherwise */
	return rc ? rc : sync_dir_of(r, s.rel, why);
}

static void clean_dir(const struct root *r, const char *controller)
{
	char rel[STORE_PATH_MAX + 300];
	struct names files;

	snprintf(rel, sizeof(rel), "catalog/%s", controller);
	if (names_read(r, rel, &files))
		return;
	for (size_t i = 0; i < files.n; i++) {
		const char *dot = strstr(files.v[i], ".db.seal");

		if (!dot || (dot[8] && dot[8] != '-'))
			continue;
		snprintf(rel, sizeof(rel), "catalog/%s/%s", controller, files.v[i]);
		(void)beneath_unlinkat(r->fd, rel, 0); /* else by the next one */
	}
	names_free(&files);
}

void seal_clean(const struct root *r)
{
	struct names owners;

	if (names_read(r, "catalog", &owners))
		return;
	for (size_t i = 0; i < owners.n; i++)
		if (!name_check(owners.v[i]))
			clean_dir(r, owners.v[i]);
	names_free(&owners);
}
