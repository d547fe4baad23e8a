/* SPDX-License-Identifier: BSD-2-Clause */
/* reap_used.c - training that was used, see reap_used.h */
#include "store/reap_used.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"

#define USED_MAX (256u << 20)

static int uid_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uid));
}

static int used_add(struct reap_used *u, const char *uid)
{
	char text[UID_TEXT] = "";
	struct uid got, *v;

	memcpy(text, uid, UID_TEXT - 1);
	if (uid_parse(text, &got))
		return 0;
	if (!(u->n & (u->n - 1))) {
		v = realloc(u->v, (u->n ? 2 * u->n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		u->v = v;
	}
	u->v[u->n++] = got;
	return 1;
}

/* 1: a line. 0: none, and damage keeps nobody's training: whatever in it may be a call is taken for used, and no other. */
static int used_line(struct reap_used *u, const char *p, size_t n)
{
	static const char head[] = "{\"call\":\"", next[] = "\",\"kind\":\"";
	const size_t h = sizeof(head) - 1, end = h + UID_TEXT - 1;
	int rc = 0;

	if (n >= 64 && p[n - 1] == '}' && !memcmp(p, head, h) && !memcmp(p + end, next, sizeof(next) - 1))
		rc = used_add(u, p + h);
	if (rc)
		return rc;
	for (size_t i = 0; rc >= 0 && i + UID_TEXT - 1 <= n; i++)
		rc = used_add(u, p + i);
	return rc < 0 ? rc : 0;
}

int reap_used_read(const struct root *r, struct reap_used *ret, size_t *ret_bad, struct why *why)
{
	int fd = beneath_openat(r->fd, "used", O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0), rc = 0;
	char *text = NULL, *p, *lf;
	struct reap_used u = { 0 };
	size_t n = 0;

	*ret = u;
	if (fd < 0)
		return errno == ENOENT ? 0 : why_errno(why, -errno, "used", "cannot read");
	rc = files_read(fd, USED_MAX, &text, &n);
	close(fd);
	for (p = text; rc >= 0 && n && (lf = memchr(p, '\n', n - (size_t)(p - text))); p = lf + 1) {
		rc = used_line(&u, p, (size_t)(lf - p));
		*ret_bad += !rc;
	}
	u.bytes = rc >= 0 ? (uint64_t)(p - text) : 0;
	u.crc = u.bytes ? crc32c(0, text, u.bytes) : 0;
	free(text);
	if (rc < 0) {
		free(u.v);
		return why_errno(why, rc, "used", "cannot read");
	}
	if (u.n)
		qsort(u.v, u.n, sizeof(*u.v), uid_order);
	*ret = u;
	return 0;
}

bool reap_used_has(const struct root *r, uint64_t bytes, uint32_t crc)
{
	int fd = beneath_openat(r->fd, "used", O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	char *text = NULL;
	bool has = !bytes;
	size_t n = 0;

	if (fd < 0)
		return has;
	if (!has && !files_read(fd, USED_MAX, &text, &n))
		has = n >= bytes && crc32c(0, text, bytes) == crc;
	close(fd);
	free(text);
	return has;
}

bool reap_used_is(const struct reap_used *u, const struct uid *uid)
{
	return u->n && bsearch(uid, u->v, u->n, sizeof(*uid), uid_order);
}

void reap_used_free(struct reap_used *u)
{
	free(u->v);
	*u = (struct reap_used){ 0 };
}
