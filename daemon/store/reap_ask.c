/* SPDX-License-Identifier: BSD-2-Clause */
/* reap_ask.c - STORE/erase: what somebody asked to be erased before its time */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "store/journal.h"
#include "store/reap_ask.h"

#define ASK_FILE   "erase"
#define ASK_NAME   "erase" /* in its head */
#define LOCK_FILE  "reap.lock"
#define ASK_MADE   "erase 2\n" /* in the lock file: there is one, with a head */
#define ASK_LIMIT  (1u << 30)
#define ASK_TIDY   (64u << 10) /* a file of lines that are done is emptied from here on */
#define ASK_STUCK  (64u << 20) /* one that is longer, and cannot be made shorter, is told of */
#define ASK_TMP    "erase.tmp"
#define ASK_BUFFER (1u << 20)
#define LINE_MAX_  256
#define ASK_WAIT_MS 5000 /* for others' lock: it is held for a write and a flush */

/* As the evidence log takes it: no digits of anybody. */
static bool reason_ok(const char *s)
{
	unsigned digits = 0;
	size_t n = strlen(s);

	if (n >= REAP_REASON || s[0] < 'a' || s[0] > 'z' || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") != n)
		return false;
	for (; *s; s++) {
		digits = *s >= '0' && *s <= '9' ? digits + 1 : 0;
		if (digits == 5)
			return false;
	}
	return true;
}

/* ',"crc":"..."}' and LF behind n bytes, of which the first does not count: it changes. */
static size_t finish(char *out, size_t n, bool plain)
{
	uint32_t crc = crc32c(0, out + 1, n - 1);

	if (!plain)
		n += (size_t)snprintf(out + n, LINE_MAX_ - n, ",\"crc\":\"%08" PRIx32 "\"", crc);
	return n + (size_t)snprintf(out + n, LINE_MAX_ - n, "}\n");
}

static size_t format(const struct reap_ask *a, char out[LINE_MAX_])
{
	char uid[UID_TEXT];
	size_t n;

	uid_format(&a->call, uid);
	n = (size_t)snprintf(out, LINE_MAX_, "%c\"call\":\"%s\",\"purpose\":\"%s\",\"reason\":\"%s\",\"at\":%" PRIu64 ",\"uid\":%u",
			     a->done ? '#' : '{', uid, store_purpose_names[a->purpose], a->reason, a->at_ns, a->who);
	return finish(out, n, a->plain);
}

int reap_ask_parse(const char *p, size_t n, struct reap_ask *ret)
{
	char line[LINE_MAX_], again[LINE_MAX_], uid[32], purpose[16];
	unsigned who;

	if (n >= sizeof(line) - 1 || !n || memchr(p, 0, n))
		return -EBADMSG;
	memcpy(line, p, n);
	line[n] = 0;
	*ret = (struct reap_ask){ .done = p[0] == '#', .plain = !strstr(line, ",\"crc\":\"") };
	/* NOLINTNEXTLINE(cert-err34-c): written again, it must be the same */
	if (sscanf(line + 1, "\"call\":\"%26[0-9A-Z]\",\"purpose\":\"%15[a-z]\",\"reason\":\"%47[a-z0-9._-]\",\"at\":%" SCNu64 ",\"uid\":%u",
		   uid, purpose, ret->reason, &ret->at_ns, &who) != 5 ||
	    uid_parse(uid, &ret->call) || !reason_ok(ret->reason))
		return -EBADMSG;
	ret->who = who;
	for (ret->purpose = 0; ret->purpose < STORE_PURPOSES; ret->purpose++)
		if (!strcmp(purpose, store_purpose_names[ret->purpose]))
			break;
	if (ret->purpose == STORE_PURPOSES)
		return -EBADMSG;
	return format(ret, again) == n + 1 && !memcmp(again, line, n) ? 0 : -EBADMSG;
}

/* Locked; 1: it was made anew meanwhile, and is another. */
static int open_once(const struct root *r, int *ret, struct why *why)
{
	struct stat mine, there;
	int fd, rc;

	*ret = -1; /* never read: for the static analyzer */
	fd = beneath_openat(r->fd, ASK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return why_errno(why, -errno, ASK_FILE, "cannot open");
	rc = lock_within(fd, LOCK_EX, ASK_WAIT_MS); /* nobody stops who destroys */
	if (rc) {
		(void)why_errno(why, rc, ASK_FILE, "cannot lock");
		close(fd);
		return rc;
	}
	if (!fstat(fd, &mine) && (beneath_statat(r->fd, ASK_FILE, &there) || mine.st_ino != there.st_ino || mine.st_dev != there.st_dev)) {
		close(fd);
		return 1;
	}
	*ret = fd;
	return 0;
}

/* Locked; the caller closes it. -ENOENT only without make. */
static int open_journal(const struct root *r, bool make, int *ret, struct why *why)
{
	int rc;

	do {
		rc = make ? make_empty(r, ASK_FILE, why) : 0;
		rc = rc ? rc : open_once(r, ret, why);
	} while (rc == 1);
	return rc;
}

static int take(struct reap_asks *a, const char *p, size_t n, uint64_t off)
{
	struct reap_asked x = { .off = off }, *v;

	if (reap_ask_parse(p, n, &x.ask)) {
		a->bad++;
		return 0;
	}
	if (x.ask.done) {
		a->done_bytes += n + 1;
		return 0;
	}
	if (!(a->n & (a->n - 1))) {
		v = realloc(a->v, (a->n ? 2 * a->n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		a->v = v;
	}
	a->v[a->n++] = x;
	return 0;
}

/* Nothing is open any more: the file is as new. */
static int empty(int fd, size_t head)
{
	char line[LINE_MAX_];
	int rc = 0;

	if (head) {
		(void)journal_head_format(ASK_NAME, head, line);
		rc = pwrite_all(fd, line, head, 0);
		if (!rc && fdatasync(fd))
			rc = -errno;
	}
	return rc ? rc : ftruncate(fd, (off_t)head) ? -errno : 0;
}

int reap_asks_read(const struct root *r, struct reap_asks *ret, struct why *why)
{
	struct reap_asks a = { 0 };
	char *text = NULL, *p, *lf;
	uint64_t bytes = 0;
	size_t n = 0, head = 0;
	int fd, rc = open_journal(r, false, &fd, why);

	*ret = a;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = files_read(fd, ASK_LIMIT, &text, &n);
	if (!rc)
		head = journal_head_parse(ASK_NAME, text, n, &bytes);
	for (p = text + head; !rc && (lf = memchr(p, '\n', n - (size_t)(p - text))); p = lf + 1)
		rc = take(&a, p, (size_t)(lf - p), (uint64_t)(p - text));
	a.cut = head && (!bytes || bytes > (uint64_t)(p - text));
	a.bad += a.cut;
	a.bytes = n;
	if (!rc && !a.n && !a.bad && n > ASK_TIDY)
		rc = empty(fd, head);
	close(fd);
	free(text);
	if (rc) {
		free(a.v);
		return why_errno(why, rc, ASK_FILE, "cannot read");
	}
	*ret = a;
	return 0;
}

/* ---- made anew, without what is done ---- */

struct renewed {
	int from, to;
	off_t at, end; /* read, written */
	char *buf;
	size_t have;
	bool inside; /* of a line that is longer than the buffer: none, and kept */
};

static int keep(struct renewed *x, const char *p, size_t n)
{
	int rc = n ? pwrite_all(x->to, p, n, x->end) : 0;

	x->end += (off_t)n;
	return rc;
}

/* Whole lines of the buffer: those that are not done are written, together as far as they follow each other. */
static int keep_lines(struct renewed *x)
{
	char *p = x->buf, *from = x->buf, *end = x->buf + x->have, *lf;
	struct reap_ask ask;
	int rc = 0;

	for (; !rc && (lf = memchr(p, '\n', (size_t)(end - p))); p = lf + 1) {
		if (x->inside || reap_ask_parse(p, (size_t)(lf - p), &ask) || !ask.done) {
			x->inside = false;
			continue;
		}
		rc = keep(x, from, (size_t)(p - from));
		from = lf + 1;
	}
	if (!rc && p == x->buf && x->have == ASK_BUFFER) {
		x->inside = true;
		p = end;
	}
	rc = rc ? rc : keep(x, from, (size_t)(p - from));
	x->have = (size_t)(end - p);
	memmove(x->buf, p, x->have);
	return rc;
}

static int copy_open(struct renewed *x)
{
	int rc = 0;

	for (ssize_t got = 1; !rc && got > 0;) {
		got = pread(x->from, x->buf + x->have, ASK_BUFFER - x->have, x->at);
		if (got < 0)
			rc = -errno;
		if (got > 0) {
			x->at += got;
			x->have += (size_t)got;
			rc = keep_lines(x);
		}
	}
	return rc; /* what is left has no LF: it was never confirmed */
}

/* It stays whose it was, or all of the group can write to it. */
static int same_owner(const struct root *r, int from, int to)
{
	struct stat was, is;

	if (fstat(from, &was) || fstat(to, &is) || fchmod(to, was.st_mode & 0777))
		return -errno;
	if ((was.st_uid == is.st_uid && was.st_gid == is.st_gid) || !fchown(to, was.st_uid, was.st_gid))
		return 0;
	return r->shared ? 0 : -EPERM;
}

/* In a directory with the sticky bit nobody replaces another user's file: known before all of it is copied. */
static int may_replace(const struct root *r, int fd)
{
	struct stat dir, file;

	if (fstat(r->fd, &dir) || fstat(fd, &file))
		return -errno;
	return !(dir.st_mode & S_ISVTX) || !geteuid() || geteuid() == file.st_uid || geteuid() == dir.st_uid ? 0 : -EPERM;
}

int reap_asks_tidy(const struct root *r, struct why *why)
{
	struct renewed x = { .from = -1, .to = -1, .buf = malloc(ASK_BUFFER) };
	int rc = x.buf ? open_journal(r, false, &x.from, why) : -ENOMEM;
	char head[JOURNAL_HEAD_MAX];
	uint64_t bytes = 0;
	ssize_t n = rc ? 0 : pread(x.from, head, sizeof(head), 0);

	if (!rc)
		x.at = (off_t)journal_head_parse(ASK_NAME, head, n > 0 ? (size_t)n : 0, &bytes);
	if (!rc && x.at && !bytes)
		rc = -EBADMSG; /* the head is damaged: it stays, and is told */
	x.end = (off_t)journal_head_format(ASK_NAME, 0, head);
	if (!rc)
		rc = may_replace(r, x.from);
	if (!rc) {
		x.to = beneath_openat(r->fd, ASK_TMP, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		rc = x.to < 0 ? -errno : same_owner(r, x.from, x.to);
	}
	if (!rc)
		rc = copy_open(&x);
	if (!rc && bytes > (uint64_t)x.at - x.have) /* lines are lost, which is told each time */
		rc = -EBADMSG;
	if (!rc)
		rc = pwrite_all(x.to, head, journal_head_format(ASK_NAME, (uint64_t)x.end, head), 0);
	if (!rc && (fsync(x.to) || beneath_renameat(r->fd, ASK_TMP, ASK_FILE, 0)))
		rc = -errno;
	if (!rc)
		rc = sync_dir_of(r, ASK_FILE, why);
	else if (x.to >= 0)
		(void)beneath_unlinkat(r->fd, ASK_TMP, 0); /* the next run makes it anew */
	if (x.to >= 0)
		close(x.to);
	if (x.from >= 0)
		close(x.from); /* and the lock, when the new one is there */
	free(x.buf);
	return rc && !*why->text ? why_errno(why, rc, ASK_FILE, "cannot be made anew") : rc;
}

int reap_asks_load(const struct root *r, struct reap_asks *ret, struct why *why)
{
	int rc = reap_asks_read(r, ret, why);
	struct why none = { "" };

	if (rc != -EFBIG && (rc || ret->cut || ret->bytes <= ASK_TIDY || 2 * ret->done_bytes <= ret->bytes))
		return rc;
	if (reap_asks_tidy(r, &none)) { /* then it is as long as it was; where that is too long, it is told */
		ret->stuck = !rc && ret->bytes > ASK_STUCK;
		return rc;
	}
	reap_asks_free(ret);
	why->text[0] = 0;
	return reap_asks_read(r, ret, why);
}

bool reap_asks_due(const struct root *r)
{
	char text[sizeof(ASK_MADE)];
	size_t n;

	return !read_small(r->fd, LOCK_FILE, text, sizeof(text) - 1, &n) && n == sizeof(text) - 1 && !memcmp(text, ASK_MADE, n);
}

static int note_made(const struct root *r)
{
	int fd = beneath_openat(r->fd, LOCK_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0), rc;

	if (fd < 0)
		return -errno;
	rc = pwrite_all(fd, ASK_MADE, sizeof(ASK_MADE) - 1, 0);
	if (!rc && fdatasync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

/* Behind the last whole line: what follows it was never confirmed. */
static int end_of(int fd, off_t *ret)
{
	struct stat sb;
	char c = '\n';
	int rc = fstat(fd, &sb) ? -errno : 0;

	*ret = rc ? 0 : sb.st_size;
	while (!rc && *ret) {
		rc = pread_all(fd, &c, 1, *ret - 1);
		if (c == '\n')
			break;
		--*ret;
	}
	return rc;
}

int reap_asks_make(const struct root *r, struct why *why)
{
	char line[LINE_MAX_];
	bool due = reap_asks_due(r), none = false;
	int fd, rc = open_journal(r, true, &fd, why);
	off_t end;

	if (rc)
		return rc;
	rc = end_of(fd, &end);
	if (!rc && !end) {
		none = true;
		rc = files_append(fd, 0, line, journal_head_format(ASK_NAME, journal_head_format(ASK_NAME, 0, line), line), NULL);
	}
	close(fd);
	if (!rc && !due)
		rc = note_made(r);
	if (rc)
		return why_errno(why, rc, ASK_FILE, "cannot write");
	return due && none ? why_set(why, -EBADMSG, ASK_FILE ": was gone, empty or cut: what was asked for may be lost (rule D-1)") : 0;
}

int reap_asks_check(const struct root *r, void (*bad)(void *arg, uint64_t off, const char *text), void *arg)
{
	int fd = beneath_openat(r->fd, ASK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0), rc;
	struct reap_ask ask;
	char *text = NULL, *p, *lf;
	uint64_t bytes = 0;
	size_t n = 0, head;

	if (fd < 0)
		return -errno;
	rc = files_read(fd, ASK_LIMIT, &text, &n);
	close(fd);
	if (!rc && !memchr(text, '\n', n))
		rc = -ENOENT; /* without a whole line it is as if it was not there */
	head = rc ? 0 : journal_head_parse(ASK_NAME, text, n, &bytes);
	if (head && !bytes)
		bad(arg, 0, "the head is damaged");
	for (p = text + head; !rc && (lf = memchr(p, '\n', n - (size_t)(p - text))); p = lf + 1)
		if (reap_ask_parse(p, (size_t)(lf - p), &ask))
			bad(arg, (uint64_t)(p - text), "a line that is no request, or whose checksum differs");
	if (!rc && bytes > (uint64_t)(p - text)) /* so many bytes of whole lines */
		bad(arg, (uint64_t)(p - text), "shorter than its head says: requests are lost");
	free(text);
	return rc;
}

void reap_asks_free(struct reap_asks *a)
{
	free(a->v);
	*a = (struct reap_asks){ 0 };
}

/*
 * Where lines are to go: behind the last whole one, or, when the head says that more was there, behind that: the hole stays, as a
 * line that is none. *ret_head: there is one; *ret_hole: a LF is needed to end the hole.
 */
static int find_end(int fd, off_t *ret, size_t *ret_head, bool *ret_hole)
{
	char line[LINE_MAX_];
	uint64_t bytes = 0;
	ssize_t n = pread(fd, line, sizeof(line), 0);
	int rc = n < 0 ? -errno : end_of(fd, ret);

	*ret_head = rc ? 0 : journal_head_parse(ASK_NAME, line, (size_t)n, &bytes);
	*ret_hole = !rc && bytes > (uint64_t)*ret;
	if (*ret_hole)
		*ret = (off_t)bytes - 1;
	return rc;
}

int reap_asks_add(const struct root *r, const struct reap_ask *v, size_t n, struct why *why)
{
	char *text = malloc((n + 2) * LINE_MAX_), line[LINE_MAX_];
	int fd = -1, rc = text ? open_journal(r, true, &fd, why) : -ENOMEM;
	size_t len = 0, head = 0;
	bool hole = false;
	off_t end = 0;

	if (!text)
		return why_set(why, rc, "out of memory");
	if (rc) {
		free(text);
		return rc;
	}
	rc = find_end(fd, &end, &head, &hole);
	if (!rc && hole)
		text[len++] = '\n';
	if (!rc && !end)
		len = journal_head_format(ASK_NAME, 0, text);
	for (size_t i = 0; !rc && i < n; i++)
		len += format(&v[i], text + len);
	if (!rc && (uint64_t)end + len > ASK_LIMIT) /* what nobody could read */
		rc = -ENOSPC;
	if (!rc && !end) /* the head of a new file says all of it */
		memcpy(text, line, journal_head_format(ASK_NAME, len, line));
	if (!rc)
		rc = files_append(fd, end, text, len, NULL);
	if (!rc && end && head) { /* not confirmed before the head has it */
		rc = pwrite_all(fd, line, journal_head_format(ASK_NAME, (uint64_t)end + len, line), 0);
		if (!rc && fdatasync(fd))
			rc = -errno;
	}
	close(fd);
	free(text);
	return rc ? why_errno(why, rc, ASK_FILE, "cannot write") : 0;
}

int reap_asks_done(const struct root *r, const uint64_t *off, size_t n, struct why *why)
{
	int fd, rc = open_journal(r, false, &fd, why);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < n; i++)
		rc = pwrite_all(fd, "#", 1, (off_t)off[i]);
	close(fd);
	return rc ? why_errno(why, rc, ASK_FILE, "cannot write") : 0;
}

int reap_request(const char *store, const struct uid *call, enum store_purpose p, const char *reason, uint32_t who,
		 uint64_t now_ns, char *text, size_t n)
{
	struct reap_ask a = { .call = *call, .purpose = p, .at_ns = now_ns, .who = who };
	struct root root = { .fd = -1 };
	struct why why = { "" };
	int rc;

	if (!reason_ok(reason))
		rc = why_set(&why, -EINVAL, "a reason is a word of a-z 0-9 . _ - that begins with a letter, without five digits in a row");
	else
		rc = root_open(store, &root, &why);
	if (!rc) {
		memcpy(a.reason, reason, strlen(reason) + 1);
		rc = reap_asks_add(&root, &a, 1, &why);
	}
	root_close(&root);
	if (rc && text && n)
		snprintf(text, n, "%s", why.text);
	return rc;
}
