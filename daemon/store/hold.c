/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold.c - the journal of holds: read whole, appended line by line
 *
 * Who writes has the file locked (flock) from reading it on, so that what a line was decided upon is still true when it
 * is written. Who only reads takes what ends with LF and no lock, so that nobody waits for a reaper: a last line may be one
 * that is about to be confirmed. The head says how long the journal is (journal.h): it has more, or as much; with less it was cut.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/hold_internal.h"
#include "store/journal.h"

struct entry *holds_find(const struct holds *h, const struct uid *uid)
{
	for (struct hnode *n = htab_first(&h->by_uid, hash_bytes(uid->b, 16)); n; n = htab_next(n)) {
		struct entry *e = container_of(n, struct entry, node);

		if (uid_equal(&e->h.uid, uid))
			return e;
	}
	return NULL;
}

/* ---- what a line means ---- */

static void say(struct hold *x, const struct hold_line *l)
{
	x->at_ns = l->at_ns;
	x->by = l->by;
	memcpy(x->reason, l->reason, sizeof(x->reason));
	memcpy(x->reference, l->reference, sizeof(x->reference));
	x->review = l->review;
	x->asked_ns = 0;
}

/* Whether the line may follow those before. */
static bool follows(const struct holds *h, const struct entry *e, const struct hold_line *l)
{
	bool held = e && e->h.held;

	switch (l->what) {
	case HOLD_SET:
		return !held && h->held < HOLDS_MAX;
	case HOLD_CHANGE:
		return held;
	case HOLD_ASK:
		return held && !e->h.asked_ns;
	case HOLD_CANCEL:
		return held && e->h.asked_ns;
	case HOLD_RELEASE:
		return held && e->h.asked_ns && e->h.asker.uid != l->by.uid;
	case HOLD_WHATS:
		break;
	}
	return false;
}

static int set(struct holds *h, struct entry *e, const struct hold_line *l)
{
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return -ENOMEM;
		htab_add(&h->by_uid, &e->node, hash_bytes(l->uid.b, 16));
		*h->last = e;
		h->last = &e->next;
	}
	e->h = (struct hold){ .uid = l->uid, .day = l->day, .slot = l->slot, .index = l->index, .until_ns = l->until_ns, .held = true };
	memcpy(e->h.controller, l->controller, sizeof(e->h.controller));
	say(&e->h, l);
	h->held++;
	return 0;
}

int holds_apply(struct holds *h, const struct hold_line *l)
{
	struct entry *e = holds_find(h, &l->uid);

	if (!follows(h, e, l))
		return -EBADMSG;
	if (l->what == HOLD_SET)
		return set(h, e, l);
	if (l->what == HOLD_CHANGE) {
		say(&e->h, l);
	} else if (l->what == HOLD_ASK) {
		e->h.asked_ns = l->at_ns;
		e->h.asker = l->by;
		memcpy(e->h.asked_reason, l->reason, sizeof(l->reason));
	} else if (l->what == HOLD_CANCEL) {
		e->h.asked_ns = 0;
	} else {
		e->h.held = false;
		e->h.released_ns = l->at_ns;
		e->h.releaser = l->by;
		h->held--;
	}
	return 0;
}

/* ---- the file ---- */

size_t holds_head(const char *s, size_t n, uint64_t *ret_bytes)
{
	const size_t before = sizeof(HOLDS_HEAD_1) - 1;
	size_t head;

	*ret_bytes = 0;
	if (n >= before && !memcmp(s, HOLDS_HEAD_1, before))
		return before;
	head = journal_head_parse(HOLDS_NAME, s, n, ret_bytes);
	return *ret_bytes ? head : 0;
}

/* A file that was made and not filled yet: it has less than the head of a new one. */
static bool begun(const char *s, size_t n)
{
	char head[JOURNAL_HEAD_MAX];
	size_t len = journal_head_format(HOLDS_NAME, journal_head_format(HOLDS_NAME, 0, head), head);

	return !n || (n < len && !memcmp(s, head, n)) || (n < sizeof(HOLDS_HEAD_1) - 1 && !memcmp(s, HOLDS_HEAD_1, n));
}

int holds_take(struct holds *h, const char *s, size_t n, struct why *why)
{
	size_t head = holds_head(s, n, &h->bytes), at = head;
	struct hold_line l;
	int rc = 0;

	if (!head && !begun(s, n))
		return why_set(why, -EBADMSG, HOLDS_FILE ": line 1: not a journal of holds (rule H-1)");
	for (h->line = 1; at < n && head && !rc;) {
		const char *nl = memchr(s + at, '\n', n - at);

		if (!nl)
			break;
		h->line++;
		rc = hold_line_parse(s + at, (size_t)(nl - s) - at, &l);
		if (!rc)
			rc = holds_apply(h, &l);
		at = (size_t)(nl - s) + 1;
	}
	h->end = at;
	h->size = n;
	if (rc == -EBADMSG)
		return why_set(why, rc, HOLDS_FILE ": line %llu: is no line of a journal of holds, or none that may stand here (rule H-1)",
			       (unsigned long long)h->line);
	if (!rc && h->bytes > at)
		return why_set(why, -EBADMSG, HOLDS_FILE ": ends behind line %llu, and its first line says that there was more: lines are lost (rule H-1)",
			       (unsigned long long)h->line);
	return rc ? why_set(why, rc, HOLDS_FILE ": %s", strerror(-rc)) : 0;
}

static int read_journal(struct holds *h, int fd, struct why *why)
{
	struct stat sb = { .st_size = 0 };
	struct hold_mark mark;
	uint64_t bytes;
	char *s = NULL;
	int rc;

	hold_mark_read(h->root, &mark); /* first: who reads without the lock may see lines that came since */
	rc = fstat(fd, &sb) ? -errno : 0;
	if (!rc && (!S_ISREG(sb.st_mode) || sb.st_size > HOLDS_FILE_MAX))
		rc = -EFBIG;
	if (!rc)
		s = malloc((size_t)sb.st_size + 1);
	if (!rc)
		rc = s ? pread_all(fd, s, (size_t)sb.st_size, 0) : -ENOMEM;
	rc = rc ? why_errno(why, rc, HOLDS_FILE, "cannot read") : holds_take(h, s, (size_t)sb.st_size, why);
	if (!rc && s)
		rc = holds_marked(h, &mark, s, holds_head(s, (size_t)sb.st_size, &bytes), why);
	free(s);
	return rc;
}

/* Keys on hold without a journal: somebody took it away, and which of them still hold is not known. */
static int check_none(const struct root *r, struct why *why)
{
	char path[STORE_PATH_MAX];
	struct hold_mark mark;
	struct names owners;
	struct stat sb;
	int rc;

	hold_mark_read(r, &mark);
	if (mark.bytes)
		return why_set(why, -EBADMSG, HOLDS_FILE ": is gone, and a reaper went by it (rule H-1)");
	rc = names_read(r, "keys", &owners);
	if (rc)
		return why_errno(why, rc, "keys", "cannot read directory");
	for (size_t i = 0; !rc && i < owners.n; i++) {
		if (name_check(owners.v[i]))
			continue;
		hold_slots_path(owners.v[i], path);
		if (!beneath_statat(r->fd, path, &sb))
			rc = why_set(why, -EBADMSG, HOLDS_FILE ": is gone, and %s is there (rule H-1)", path);
	}
	names_free(&owners);
	return rc;
}

#define FOR_EVER UINT_MAX

static int lock_alone(int fd, unsigned wait_ms)
{
	int rc;

	if (wait_ms != FOR_EVER)
		return lock_within(fd, LOCK_EX, wait_ms);
	do
		rc = flock(fd, LOCK_EX);
	while (rc && errno == EINTR);
	return rc ? -errno : 0;
}

static int open_file(const struct root *r, enum holds_mode mode, unsigned wait_ms, int *ret, struct why *why)
{
	int flags = (mode == HOLDS_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, fd, rc;

	fd = beneath_openat(r->fd, HOLDS_FILE, flags, 0);
	if (fd < 0 && errno == ENOENT) {
		rc = check_none(r, why);
		if (rc || mode == HOLDS_READ)
			return rc ? rc : -ENOENT;
		fd = beneath_openat(r->fd, HOLDS_FILE, flags | O_CREAT, 0640);
		if (fd >= 0 && r->shared && fchmod(fd, FILE_MODE(r))) {
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0)
		return why_errno(why, -errno, HOLDS_FILE, "cannot open");
	rc = mode == HOLDS_WRITE ? lock_alone(fd, wait_ms) : 0;
	if (rc) {
		close(fd);
		return why_errno(why, rc, HOLDS_FILE, "cannot lock");
	}
	*ret = fd;
	return 0;
}

/* Its head says how long it is; durable. */
static int write_head(struct holds *h, uint64_t bytes)
{
	char head[JOURNAL_HEAD_MAX];
	int rc = pwrite_all(h->fd, head, journal_head_format(HOLDS_NAME, bytes, head), 0);

	if (!rc && fdatasync(h->fd))
		rc = -errno;
	if (!rc)
		h->bytes = bytes;
	return rc;
}

/*
 * One of before gets a head that says how long it is: the file is another then, and opened again (true). Only by its owner, who
 * does not change whose it is; where that cannot be, as on a full disk, it stays as it was.
 */
static bool renew(struct holds *h)
{
	const size_t before = sizeof(HOLDS_HEAD_1) - 1;
	char head[JOURNAL_HEAD_MAX], *text = NULL;
	size_t len = journal_head_format(HOLDS_NAME, 0, head), n = len + h->end - before;
	struct stat sb;
	struct why none;
	int fd;
	bool done = h->end && !h->bytes && !fstat(h->fd, &sb) && sb.st_uid == geteuid() && (sb.st_gid == getegid() || h->root->shared);

	if (done)
		text = malloc(n);
	if (done)
		done = text && !pread_all(h->fd, text + len, h->end - before, (off_t)before);
	if (done) {
		(void)journal_head_format(HOLDS_NAME, n, head);
		memcpy(text, head, len);
		done = !write_over(h->root, HOLDS_FILE, text, n, sb.st_mode & 0777, &none);
	}
	free(text);
	fd = done ? beneath_openat(h->root->fd, HOLDS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0) : -1;
	if (fd >= 0) {
		(void)fchmod(fd, sb.st_mode & 0777); /* whatever the umask; it is ours */
		close(fd);
	}
	return done;
}

/* Somebody made the file anew while we waited for it. */
static bool is_another(const struct holds *h)
{
	struct stat mine, there;

	return !fstat(h->fd, &mine) && (beneath_statat(h->root->fd, HOLDS_FILE, &there) || mine.st_ino != there.st_ino || mine.st_dev != there.st_dev);
}

/* Cuts what was never confirmed, and gives a new journal its head. A line that is whole counts, confirmed or not. */
static int ready(struct holds *h, struct why *why)
{
	char head[JOURNAL_HEAD_MAX];
	bool fresh = !h->end;
	int rc = ftruncate(h->fd, (off_t)h->end) ? -errno : 0;

	if (fresh)
		h->end = journal_head_format(HOLDS_NAME, 0, head);
	if (!rc && (fresh || (h->bytes && h->bytes < h->end)))
		rc = write_head(h, h->end);
	if (!rc && fresh)
		return sync_dir_of(h->root, HOLDS_FILE, why);
	return rc ? why_errno(why, rc, HOLDS_FILE, "cannot write") : 0;
}

struct holds *holds_new(const struct root *r)
{
	struct holds *h = calloc(1, sizeof(*h));

	if (!h || htab_init(&h->by_uid, 64)) {
		free(h);
		return NULL;
	}
	h->root = r;
	h->fd = -1;
	h->last = &h->first;
	return h;
}

#define READ_TRIES 5 /* who reads without the lock may see a line, or its head, that is just being written */

/* 1: again, from the beginning. */
static int open_once(struct holds *h, enum holds_mode mode, unsigned wait_ms, struct why *why)
{
	int rc = open_file(h->root, mode, wait_ms, &h->fd, why);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (mode == HOLDS_WRITE && is_another(h))
		return 1;
	rc = read_journal(h, h->fd, why);
	if (!rc && !h->end) /* nothing in it, and there are keys: it was cut */
		rc = check_none(h->root, why);
	if (!rc && mode == HOLDS_WRITE)
		rc = renew(h) ? 1 : ready(h, why);
	return rc;
}

static int open_within(const struct root *r, enum holds_mode mode, unsigned wait_ms, struct holds **ret, struct why *why)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct holds *h = NULL;
	int rc = 1;

	for (int i = 0; rc == 1 || (rc == -EBADMSG && mode == HOLDS_READ && i < READ_TRIES); i++) {
		if (i && mode == HOLDS_READ)
			nanosleep(&moment, NULL);
		h = holds_new(r);
		if (!h)
			return why_set(why, -ENOMEM, "out of memory");
		rc = open_once(h, mode, wait_ms, why);
		if (rc)
			holds_close(h);
	}
	if (rc)
		return rc;
	if (mode == HOLDS_READ && h->fd >= 0) {
		close(h->fd);
		h->fd = -1;
	}
	*ret = h;
	return 0;
}

int holds_open(const struct root *r, enum holds_mode mode, struct holds **ret, struct why *why)
{
	return open_within(r, mode, FOR_EVER, ret, why);
}

int holds_try(const struct root *r, unsigned wait_ms, struct holds **ret, struct why *why)
{
	return open_within(r, HOLDS_WRITE, wait_ms, ret, why);
}

void holds_close(struct holds *h)
{
	struct entry *e, *next;

	if (!h)
		return;
	for (e = h->first; e; e = next) {
		next = e->next;
		free(e);
	}
	htab_free(&h->by_uid);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

int holds_append(struct holds *h, const struct hold_line *l, struct why *why)
{
	char line[HOLD_LINE_MAX];
	size_t n = hold_line_format(l, line);
	struct hold_line again;
	int rc = n && h->fd >= 0 ? 0 : -EINVAL;

	if (!rc)
		rc = hold_line_parse(line, n - 1, &again);
	if (!rc && !follows(h, holds_find(h, &l->uid), l))
		rc = -EBADMSG;
	if (!rc && h->end + n > (l->what == HOLD_SET || l->what == HOLD_CHANGE ? HOLDS_FILE_ADD : HOLDS_FILE_MAX))
		rc = -ENOSPC;
	if (!rc && hold_line_told(l)) {
		rc = holds_telling(h, line, n, why);
		if (rc)
			return rc;
	}
	if (!rc) {
		rc = pwrite_all(h->fd, line, n, (off_t)h->end);
		if (!rc && fdatasync(h->fd))
			rc = -errno;
		if (!rc && h->bytes) /* not confirmed before the head has it */
			rc = write_head(h, h->end + n);
		/* else it may count: it was not confirmed, and does no harm */
		if (rc && (!h->bytes || !write_head(h, h->end)))
			(void)!ftruncate(h->fd, (off_t)h->end);
	}
	if (!rc) {
		h->end += n;
		rc = holds_apply(h, l);
	}
	return rc ? why_errno(why, rc, HOLDS_FILE, "cannot write") : 0;
}

/* ---- asking ---- */

const struct hold *hold_is(const struct holds *h, const struct uid *uid)
{
	const struct entry *e = holds_find(h, uid);

	return e && e->h.held ? &e->h : NULL;
}

size_t holds_count(const struct holds *h)
{
	return h->held;
}

int holds_each(const struct holds *h, int (*fn)(void *arg, const struct hold *x), void *arg)
{
	int rc = 0;

	for (const struct entry *e = h->first; e && !rc; e = e->next)
		if (e->h.held)
			rc = fn(arg, &e->h);
	return rc;
}

bool hold_keeps_bucket(const struct holds *h, const char *controller, uint32_t day)
{
	for (const struct entry *e = h->first; e; e = e->next)
		if (e->h.held && !e->h.index && e->h.day == day && !strcmp(e->h.controller, controller))
			return true;
	return false;
}
