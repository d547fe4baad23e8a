/* SPDX-License-Identifier: BSD-2-Clause */
/* hold_area.c - changing hold.db, see hold_area.h */
#include "store/hold_area.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/catalog.h"
#include "store/catalog_internal.h"
#include "store/reap_db.h"
#include "store/segment.h"

#define COPY_BYTES CHUNK_DISK_MAX

void area_name(const char *controller, bool fresh, char out[STORE_PATH_MAX + 8])
{
	char rel[STORE_PATH_MAX];

	catalog_path(controller, DAY_HOLD, 1, rel);
	snprintf(out, STORE_PATH_MAX + 8, "%s%s", rel, fresh ? ".new" : "");
}

/* 1 copied, 0 there is nothing to copy. */
static int copy_file(const struct root *r, const char *from, const char *to, struct why *why)
{
	int in = beneath_openat(r->fd, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0), out, rc = 1;
	uint8_t *buf = malloc(COPY_BYTES);
	ssize_t n = 1;
	off_t at = 0;

	if (in < 0 && errno == ENOENT) {
		free(buf);
		return 0;
	}
	out = in < 0 ? -1 : beneath_openat(r->fd, to, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (in < 0 || out < 0 || !buf)
		rc = buf ? -errno : -ENOMEM;
	while (rc == 1 && (n = pread(in, buf, COPY_BYTES, at)) > 0) {
		int err = pwrite_all(out, buf, (size_t)n, at);

		rc = err ? err : 1;
		at += n;
	}
	if (rc == 1 && n < 0)
		rc = -errno;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	free(buf);
	return rc < 0 ? why_errno(why, rc, from, "cannot copy") : rc;
}

int area_open(const struct root *r, const char *controller, sqlite3 **ret, struct why *why)
{
	char rel[STORE_PATH_MAX + 8], fresh[STORE_PATH_MAX + 8], dir[STORE_PATH_MAX];
	struct buf name = { 0 };
	bool version = true;
	sqlite3 *sql = NULL;
	int rc;

	area_name(controller, false, rel);
	area_name(controller, true, fresh);
	snprintf(dir, sizeof(dir), "catalog/%s", controller);
	(void)beneath_unlinkat(r->fd, fresh, 0); /* of one that was killed; mostly there is none */
	rc = make_dirs(r, dir, why);
	if (!rc)
		rc = make_empty(r, fresh, why);
	if (!rc)
		rc = copy_file(r, rel, fresh, why);
	if (rc < 0)
		return rc;
	buf_printf(&name, "%s/%s", r->path, fresh);
	buf_put8(&name, 0);
	rc = name.failed ? SQLITE_NOMEM :
			   sqlite3_open_v2((char *)name.p, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	buf_free(&name);
	if (rc == SQLITE_OK) {
		catalog_distrust(sql);
		rc = sqlite3_exec(sql, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA secure_delete=ON;"
				       "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		rc = catalog_setup(sql, &version);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(sql, "CREATE TABLE IF NOT EXISTS links(uid TEXT NOT NULL PRIMARY KEY, relation TEXT NOT NULL,"
				       " other TEXT NOT NULL) WITHOUT ROWID", NULL, NULL, NULL);
	if (rc != SQLITE_OK || !version) {
		rc = reap_db_fail(sql, rc == SQLITE_OK ? SQLITE_NOTADB : rc, rel, why);
		sqlite3_close(sql);
		return rc;
	}
	*ret = sql;
	return 0;
}

int area_close(const struct root *r, const char *controller, sqlite3 *sql, int rc, struct why *why)
{
	char rel[STORE_PATH_MAX + 8], fresh[STORE_PATH_MAX + 8];
	int fd = -1;

	area_name(controller, false, rel);
	area_name(controller, true, fresh);
	if (sqlite3_close(sql) != SQLITE_OK && !rc)
		rc = why_set(why, -EBUSY, "%s: is still in use", fresh);
	if (!rc) {
		fd = beneath_openat(r->fd, fresh, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
		if (fd < 0 || fsync(fd) || beneath_renameat(r->fd, fresh, rel, 0))
			rc = why_errno(why, -errno, rel, "cannot write");
		else
			rc = sync_dir_of(r, rel, why);
	} else {
		(void)beneath_unlinkat(r->fd, fresh, 0); /* else the next one does */
	}
	if (fd >= 0)
		close(fd);
	return rc == 1 ? 0 : rc;
}
