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
#include "store/reap_ask.h"

#define ASK_FILE   "erase"
#define ASK_LIMIT  (1u << 30)
#define ASK_TIDY   (64u << 10) /* a file of lines that are done is emptied from here on */
#define LINE_MAX_  256

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

static size_t format(const struct reap_ask *a, char out[LINE_MAX_])
{
	char uid[UID_TEXT];

	uid_format(&a->call, uid);
	return (size_t)snprintf(out, LINE_MAX_, "%c\"call\":\"%s\",\"purpose\":\"%s\",\"reason\":\"%s\",\"at\":%" PRIu64 ",\"uid\":%u}\n",
				a->done ? '#' : '{', uid, store_purpose_names[a->purpose], a->reason, a->at_ns, a->who);
}

int reap_ask_parse(const char *p, size_t n, struct reap_ask *ret)
{
	char line[LINE_MAX_], again[LINE_MAX_], uid[32], purpose[16];
	unsigned who;

	if (n >= sizeof(line) - 1 || !n || memchr(p, 0, n))
		return -EBADMSG;
	memcpy(line, p, n);
	line[n] = 0;
	*ret = (struct reap_ask){ .done = p[0] == '#' };
	/* NOLINTNEXTLINE(cert-err34-c): written again, it must be the same */
	if (sscanf(line + 1, "\"call\":\"%26[0-9A-Z]\",\"purpose\":\"%15[a-z]\",\"reason\":\"%47[a-z0-9._-]\",\"at\":%" SCNu64 ",\"uid\":%u}",
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

/* Locked; the caller closes it. -ENOENT only without make. */
static int open_journal(const struct root *r, bool make, int *ret, struct why *why)
{
	int fd, rc;

	if (make) {
		rc = make_empty(r, ASK_FILE, why);
		if (rc)
			return rc;
	}
	fd = openat(r->fd, ASK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return why_errno(why, -errno, ASK_FILE, "cannot open");
	do
		rc = flock(fd, LOCK_EX) ? -errno : 0;
	while (rc == -EINTR);
	if (rc) {
		close(fd);
		return why_errno(why, rc, ASK_FILE, "cannot lock");
	}
	*ret = fd;
	return 0;
}

static int take(struct reap_asks *a, const char *p, size_t n, uint64_t off)
{
	struct reap_asked x = { .off = off }, *v;

	if (reap_ask_parse(p, n, &x.ask)) {
		a->bad++;
		return 0;
	}
	if (x.ask.done)
		return 0;
	if (!(a->n & (a->n - 1))) {
		v = realloc(a->v, (a->n ? 2 * a->n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		a->v = v;
	}
	a->v[a->n++] = x;
	return 0;
}

int reap_asks_read(const struct root *r, struct reap_asks *ret, struct why *why)
{
	struct reap_asks a = { 0 };
	char *text = NULL, *p, *lf;
	size_t n = 0;
	int fd, rc = open_journal(r, false, &fd, why);

	*ret = a;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = files_read(fd, ASK_LIMIT, &text, &n);
	for (p = text; !rc && (lf = memchr(p, '\n', n - (size_t)(p - text))); p = lf + 1)
		rc = take(&a, p, (size_t)(lf - p), (uint64_t)(p - text));
	if (!rc && !a.n && !a.bad && n > ASK_TIDY && ftruncate(fd, 0))
		rc = -errno;
	close(fd);
	free(text);
	if (rc) {
		free(a.v);
		return why_errno(why, rc, ASK_FILE, "cannot read");
	}
	*ret = a;
	return 0;
}

void reap_asks_free(struct reap_asks *a)
{
	free(a->v);
	*a = (struct reap_asks){ 0 };
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

int reap_asks_add(const struct root *r, const struct reap_ask *v, size_t n, struct why *why)
{
	char *text = malloc(n * LINE_MAX_ + 1);
	int fd = -1, rc = text ? open_journal(r, true, &fd, why) : -ENOMEM;
	size_t len = 0;
	off_t end = 0;

	for (size_t i = 0; !rc && i < n; i++)
		len += format(&v[i], text + len);
	if (!rc) {
		rc = end_of(fd, &end);
		if (!rc)
			rc = files_append(fd, end, text, len, NULL);
		close(fd);
		if (rc)
			why_errno(why, rc, ASK_FILE, "cannot write");
	} else if (!text) {
		why_set(why, rc, "out of memory");
	}
	free(text);
	return rc;
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
