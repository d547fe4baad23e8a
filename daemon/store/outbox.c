/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outbox.c - leaving events for who holds the evidence log, see outbox.h
 *
 * Each event is written as it is added: what a kill of this process leaves is found. One thread an object.
 */
#include "store/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/keys.h"
#include "store/outbox_internal.h"

struct outbox {
	struct root root;
	struct why why;
	int fd; /* of the file at hand; -1 none */
	char name[OUTBOX_NAME + 1];
	uint64_t made_ns; /* the name says it: files of one outbox are taken in their order, also where the clock stands still */
	uint64_t off, events;
	uint8_t link[32];
	bool unsynced; /* a name was changed, and that is not durable yet */
};

static void path_of(const struct outbox *o, const char *ext, char out[STORE_PATH_MAX])
{
	snprintf(out, STORE_PATH_MAX, OUTBOX_DIR "/%s%s", o->name, ext);
}

/*
 * Group too: who destroys and who holds the log may be two users of one group. Whoever makes it, root or one whose first group is another: it is
 * the store's, or those two would be kept out of it.
 */
static int make_dir(struct outbox *o)
{
	struct stat store, dir;
	mode_t mode = 0770;
	int fd;

	if (beneath_mkdirat(o->root.fd, OUTBOX_DIR, 0770))
		return errno == EEXIST ? 0 : why_errno(&o->why, -errno, OUTBOX_DIR, "cannot make directory");
	fd = beneath_openat(o->root.fd, OUTBOX_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd >= 0 && !fstat(fd, &dir) && !fstat(o->root.fd, &store)) {
		if ((o->root.shared || store.st_uid != dir.st_uid) && (store.st_uid != dir.st_uid || store.st_gid != dir.st_gid)) {
			if (fchown(fd, store.st_uid, store.st_gid))
				(void)!fchown(fd, (uid_t)-1, store.st_gid); /* whose group it is not has nothing to write there */
			mode = o->root.shared ? 0770 : 0700;
		}
		(void)fchmod(fd, mode); /* the umask may say otherwise; then it is for one user */
	}
	if (fd >= 0)
		close(fd);
	return sync_dir_of(&o->root, OUTBOX_DIR, &o->why);
}

static int check_room(struct outbox *o)
{
	struct names names;
	int rc = names_read(&o->root, OUTBOX_DIR, &names);

	if (rc)
		return why_errno(&o->why, rc, OUTBOX_DIR, "cannot read");
	if (names.n >= OUTBOX_FILES_MAX)
		rc = why_set(&o->why, -EDQUOT, "%s: %zu files wait for who holds the evidence log", OUTBOX_DIR, names.n);
	names_free(&names);
	return rc;
}

int outbox_open(const char *store_dir, struct outbox **ret, char *why, size_t n)
{
	struct outbox *o = calloc(1, sizeof(*o));
	int rc = -ENOMEM;

	if (o) {
		o->fd = o->root.fd = -1;
		rc = keys_init();
		if (!rc)
			rc = root_open(store_dir, &o->root, &o->why);
		if (!rc)
			rc = make_dir(o);
		if (!rc)
			rc = check_room(o);
	}
	if (!rc) {
		*ret = o;
		return 0;
	}
	if (why && n)
		snprintf(why, n, "%s", o && o->why.text[0] ? o->why.text : strerror(-rc));
	outbox_close(o);
	return rc;
}

/*
 * Who holds the log is the store's owner, or a user of the directory's group: a file that he may not read is an event that nobody hears of. So it
 * is given to that group, whoever makes it and with whatever umask.
 */
static int let_read(struct outbox *o, const char *path)
{
	struct stat store, dir, sb;

	if (fstat(o->root.fd, &store) || beneath_statat(o->root.fd, OUTBOX_DIR, &dir) || fstat(o->fd, &sb))
		return why_errno(&o->why, -errno, path, "cannot look");
	if (sb.st_uid == dir.st_uid && sb.st_uid == store.st_uid)
		return 0;
	if (sb.st_gid == dir.st_gid && (sb.st_mode & 0060) == 0060)
		return 0;
	if (((sb.st_gid != dir.st_gid && fchown(o->fd, (uid_t)-1, dir.st_gid)) || fchmod(o->fd, 0660)) && sb.st_uid != store.st_uid)
		return why_errno(&o->why, -errno, path, "cannot give it to who holds the log");
	return 0;
}

/* What was written of it goes, or is no line. */
static int put(struct outbox *o, const char *line, size_t n)
{
	int rc = pwrite_all(o->fd, line, n, (off_t)o->off);
	char path[STORE_PATH_MAX];

	if (rc) {
		(void)!ftruncate(o->fd, (off_t)o->off);
		path_of(o, ".tmp", path);
		return why_errno(&o->why, rc, path, "cannot write");
	}
	o->off += n;
	evlog_link(line, n - 1, o->link);
	return 0;
}

static void drop_file(struct outbox *o)
{
	close(o->fd);
	o->fd = -1;
	o->off = o->events = 0;
}

static int new_file(struct outbox *o)
{
	char path[STORE_PATH_MAX], head[OUTBOX_HEAD_MAX];
	uint64_t id;
	size_t n;
	uint64_t now = clock_now_ns();
	int rc;

	randombytes_buf(&id, sizeof(id));
	o->made_ns = now > o->made_ns ? now : o->made_ns + 1;
	snprintf(o->name, sizeof(o->name), "%016" PRIx64 "-%016" PRIx64, o->made_ns, id);
	path_of(o, ".tmp", path);
	o->fd = beneath_openat(o->root.fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
	if (o->fd < 0)
		return why_errno(&o->why, -errno, path, "cannot create");
	o->off = o->events = 0;
	n = outbox_head_format(o->root.id, o->name, head);
	rc = flock(o->fd, LOCK_EX | LOCK_NB) ? why_errno(&o->why, -errno, path, "cannot lock") : let_read(o, path);
	if (!rc)
		rc = put(o, head, n);
	if (rc) {
		(void)beneath_unlinkat(o->root.fd, path, 0); /* nothing is in it */
		drop_file(o);
	}
	return rc;
}

int outbox_add(struct outbox *o, const struct evlog_event *e)
{
	const char *what = outbox_check(e);
	char line[EVLOG_LINE_MAX];
	size_t n;
	int rc = 0;

	if (what)
		return why_set(&o->why, -EINVAL, "%s", what);
	if (o->fd >= 0 && o->off + EVLOG_LINE_MAX > OUTBOX_FILE_MAX)
		rc = outbox_commit(o);
	if (!rc && o->fd < 0)
		rc = new_file(o);
	if (rc)
		return rc;
	n = evlog_line_format(o->events + 1, o->link, e, line);
	rc = put(o, line, n);
	o->events += !rc;
	return rc;
}

static int sync_name(struct outbox *o)
{
	int rc = o->unsynced ? sync_dir_of(&o->root, OUTBOX_DIR "/.", &o->why) : 0;

	o->unsynced = rc != 0;
	return rc;
}

int outbox_commit(struct outbox *o)
{
	char from[STORE_PATH_MAX], to[STORE_PATH_MAX];

	if (o->fd < 0)
		return sync_name(o);
	path_of(o, ".tmp", from);
	path_of(o, ".jsonl", to);
	if (!o->events) { /* what was to be in it could not be written */
		(void)beneath_unlinkat(o->root.fd, from, 0);
		drop_file(o);
		return 0;
	}
	if (fsync(o->fd) || beneath_renameat(o->root.fd, from, to, 0))
		return why_errno(&o->why, -errno, from, "cannot commit");
	drop_file(o);
	o->unsynced = true;
	return sync_name(o);
}

void outbox_close(struct outbox *o)
{
	if (!o)
		return;
	if (o->fd >= 0 && outbox_commit(o) && o->fd >= 0)
		close(o->fd); /* the lock goes with it: who takes finds the lines */
	root_close(&o->root);
	free(o);
}

const char *outbox_why(const struct outbox *o)
{
	return o->why.text;
}
