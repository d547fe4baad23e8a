/* SPDX-License-Identifier: BSD-2-Clause */
/* retention.c - STORE/retention, see retention.h */
#include "store/retention.h"

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
#include "store/reap_retain.h"

#define HEAD	   "{\"optag-retention\":1}\n"
#define HEAD_LEN   (sizeof(HEAD) - 1)
#define FILE_LIMIT (64u << 20) /* of some hundred bytes for each change of a rule */
#define CRC_LEN	   18	       /* ,"crc":"HHHHHHHH"} */

#define UNUSED_WORD "unused" /* in the place of a purpose: training, by when it must have been used */

static const char *const units[RETENTION_U_UNITS] = { "seconds", "minutes", "hours", "days", "months", "years" };

/* ---- a line ---- */

static bool zone_ok(const char *s)
{
	size_t n = strlen(s);

	return n && n < RETENTION_NAME && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == n;
}

/* The rule's name is a person's: its quotes and backslashes are escaped. 0: it has what no name has. */
static size_t put_name(const char *s, char *out)
{
	size_t n = 0, len = strlen(s);

	if (!len || len >= RETENTION_NAME)
		return 0;
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return 0;
		if (*s == '"' || *s == '\\')
			out[n++] = '\\';
		out[n++] = *s;
	}
	out[n] = 0;
	return n;
}

/* Up to the closing quote; what follows it, or NULL. */
static const char *get_name(const char *p, char out[RETENTION_NAME])
{
	size_t n = 0;

	for (; *p && *p != '"'; p++) {
		if (*p == '\\' && !*++p)
			return NULL;
		if (n == RETENTION_NAME - 1)
			return NULL;
		out[n++] = *p;
	}
	out[n] = 0;
	return *p ? p + 1 : NULL;
}

size_t retention_format(const struct retention_line *l, char out[RETENTION_LINE_MAX])
{
	char rule[2 * RETENTION_NAME];
	int n;

	if (!l->n || name_check(l->controller) || l->purpose >= STORE_PURPOSES || (l->use && l->purpose != STORE_TRAINING) || !l->span || l->span > INT32_MAX || l->unit >= RETENTION_U_UNITS ||
	    !zone_ok(l->zone) || strlen(l->policy) != 64 || strspn(l->policy, "0123456789abcdef") != 64 || !put_name(l->rule, rule))
		return 0;
	n = snprintf(out, RETENTION_LINE_MAX,
		     "{\"n\":%" PRIu64 ",\"at\":%" PRIu64 ",\"before\":%" PRIu64
		     ",\"controller\":\"%s\",\"purpose\":\"%s\",\"span\":%u,\"unit\":\"%s\",\"zone\":\"%s\",\"policy\":\"%s\",\"rule\":\"%s\"",
		     l->n, l->at_ns, l->before_ns, l->controller, l->use ? UNUSED_WORD : store_purpose_names[l->purpose], l->span, units[l->unit], l->zone, l->policy, rule);
	if (n < 0 || (size_t)n + CRC_LEN + 2 > RETENTION_LINE_MAX)
		return 0;
	return (size_t)n + (size_t)snprintf(out + n, RETENTION_LINE_MAX - (size_t)n, ",\"crc\":\"%08" PRIx32 "\"}\n", crc32c(0, out, (size_t)n));
}

static int word_of(const char *s, const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(s, words[i]))
			return (int)i;
	return -1;
}

int retention_parse(const char *p, size_t n, struct retention_line *ret)
{
	char line[RETENTION_LINE_MAX], again[RETENTION_LINE_MAX], purpose[16], unit[16];
	struct retention_line l = { .n = 0 };
	int at = 0, which, kind;

	if (n < CRC_LEN || n >= sizeof(line) - 1 || memchr(p, 0, n))
		return -EBADMSG;
	memcpy(line, p, n);
	line[n] = 0;
	_Static_assert(STORE_NAME_MAX == 64 && RETENTION_NAME == 65, "the widths below");
	/* NOLINTNEXTLINE(cert-err34-c): written again, it must be the same */
	if (sscanf(line,
		   "{\"n\":%" SCNu64 ",\"at\":%" SCNu64 ",\"before\":%" SCNu64
		   ",\"controller\":\"%63[^\"]\",\"purpose\":\"%15[a-z]\",\"span\":%u,\"unit\":\"%15[a-z]\",\"zone\":\"%64[^\"]\",\"policy\":\"%64[0-9a-f]\",\"rule\":\"%n",
		   &l.n, &l.at_ns, &l.before_ns, l.controller, purpose, &l.span, unit, l.zone, l.policy, &at) != 9 ||
	    !at || !get_name(line + at, l.rule))
		return -EBADMSG;
	l.use = !strcmp(purpose, UNUSED_WORD);
	which = l.use ? STORE_TRAINING : word_of(purpose, store_purpose_names, STORE_PURPOSES);
	kind = word_of(unit, units, RETENTION_U_UNITS);
	if (which < 0 || kind < 0)
		return -EBADMSG;
	l.purpose = (unsigned)which;
	l.unit = (enum retention_unit)kind;
	if (retention_format(&l, again) != n + 1 || memcmp(again, line, n) != 0)
		return -EBADMSG;
	l.crc = crc32c(0, line, n);
	*ret = l;
	return 0;
}

int retention_deadline(const struct retention_line *l, uint64_t start_ns, uint64_t *ret)
{
	static const uint64_t seconds[] = { [RETENTION_U_S] = 1, [RETENTION_U_MIN] = 60, [RETENTION_U_H] = 3600 };

	if (l->unit < RETENTION_U_DAYS) {
		*ret = start_ns + l->span * seconds[l->unit] * NS_PER_S;
		return 0;
	}
	return clock_add(start_ns, l->zone, (int)l->span,
			 l->unit == RETENTION_U_YEARS ? CLOCK_U_YEARS : l->unit == RETENTION_U_MONTHS ? CLOCK_U_MONTHS : CLOCK_U_DAYS, ret);
}

/* ---- reading ---- */

static int take(struct retention *t, const struct retention_line *l)
{
	struct retention_line *v;

	if (!(t->n & (t->n - 1))) {
		v = realloc(t->v, (t->n ? 2 * t->n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		t->v = v;
	}
	t->v[t->n++] = *l;
	t->last = l->n;
	return 0;
}

static void found(struct retention *t, void (*bad)(void *arg, uint64_t off, const char *text), void *arg, uint64_t off, const char *text)
{
	t->bad++;
	if (bad)
		bad(arg, off, text);
}

/* Of all bytes of a file; *ret_end: behind the last whole line. */
static int parse_all(const char *text, size_t n, struct retention *t, void (*bad)(void *arg, uint64_t off, const char *text), void *arg,
		     size_t *ret_end)
{
	bool head = n >= HEAD_LEN && !memcmp(text, HEAD, HEAD_LEN);
	const char *p, *lf;
	uint64_t none = 0; /* lines since the last one: they may be those whose numbers are missing */
	int rc = 0;

	*ret_end = 0;
	if (!head && (n >= HEAD_LEN || memcmp(text, HEAD, n) != 0))
		found(t, bad, arg, 0, "the head is damaged");
	for (p = text; !rc && (lf = memchr(p, '\n', n - (size_t)(p - text))); p = lf + 1) {
		struct retention_line l;

		*ret_end = (size_t)(lf - text) + 1;
		if (p == text) /* the head, or what is left of it */
			continue;
		if (retention_parse(p, (size_t)(lf - p), &l)) {
			found(t, bad, arg, (uint64_t)(p - text), "a line that is none, or whose checksum differs");
			none++;
		} else {
			if (l.n <= t->last)
				found(t, bad, arg, (uint64_t)(p - text), "a line that was there before");
			else if (l.n - t->last - 1 > none)
				found(t, bad, arg, (uint64_t)(p - text), "lines before it are missing");
			rc = take(t, &l);
			none = 0;
		}
	}
	return rc;
}

int retention_read(const struct root *r, struct retention *ret, void (*bad)(void *arg, uint64_t off, const char *text), void *arg,
		   struct why *why)
{
	int fd = beneath_openat(r->fd, RETENTION_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0), rc;
	struct retention t = { 0 };
	char *text = NULL;
	size_t n = 0, end;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : why_errno(why, -errno, RETENTION_FILE, "cannot open");
	rc = files_read(fd, FILE_LIMIT, &text, &n);
	close(fd);
	if (!rc && !n) {
		free(text);
		return -ENOENT;
	}
	if (!rc)
		rc = parse_all(text, n, &t, bad, arg, &end);
	free(text);
	if (rc) {
		retention_free(&t);
		return why_errno(why, rc, RETENTION_FILE, "cannot read");
	}
	*ret = t;
	return 0;
}

void retention_free(struct retention *t)
{
	free(t->v);
	*t = (struct retention){ 0 };
}

/* ---- writing ---- */

static bool same_key(const struct retention_line *a, const struct retention_line *b)
{
	return a->purpose == b->purpose && a->use == b->use && !strcmp(a->rule, b->rule) && !strcmp(a->controller, b->controller);
}

static bool says_no_more(const struct retention_line *l, const struct retention_line *later)
{
	return later->before_ns >= l->before_ns && later->span <= l->span && later->unit == l->unit && !strcmp(later->zone, l->zone) &&
	       same_key(l, later);
}

void retention_shrink(struct retention *t)
{
	size_t kept = t->n; /* from there on they are at their place */

	for (size_t i = t->n; i-- > 0;) {
		bool more = true;

		for (size_t k = kept; more && k < t->n; k++)
			more = !says_no_more(&t->v[i], &t->v[k]);
		if (more && --kept != i)
			t->v[kept] = t->v[i];
	}
	t->n -= kept;
	if (kept && t->n)
		memmove(t->v, t->v + kept, t->n * sizeof(*t->v));
}

/* Whether the last line of its key says the same. */
static bool said(const struct retention *t, const struct retention_line *l)
{
	for (size_t i = t->n; i-- > 0;)
		if (same_key(&t->v[i], l))
			return t->v[i].span == l->span && t->v[i].unit == l->unit && !strcmp(t->v[i].zone, l->zone);
	return false;
}

/* `first`: the journal begins. So does what it says of use-within in one of a daemon that did not write that yet. */
static bool first_of(const struct retention *t, const struct retention_line *l, bool first)
{
	if (first || !l->use)
		return first;
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].use)
			return false;
	return !t->bad;
}

/* Lines that say something new; *ret_n of them, all together *ret_len bytes behind `skip`. -EINVAL: a text that no line can hold. */
static int new_lines(const struct retention *t, struct retention_line *v, size_t n, uint64_t now_ns, bool first, size_t skip, char **ret,
		     size_t *ret_len, size_t *ret_n)
{
	char *text = malloc(skip + (n + 1) * RETENTION_LINE_MAX);
	uint64_t next = t->last + 1;
	size_t len = skip, got;

	if (!text)
		return -ENOMEM;
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (said(t, &v[i]))
			continue;
		v[i].n = next++;
		v[i].at_ns = now_ns;
		v[i].before_ns = first_of(t, &v[i], first) ? 0 : now_ns;
		got = retention_format(&v[i], text + len);
		if (!got) {
			free(text);
			return -EINVAL;
		}
		len += got;
		++*ret_n;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}

/* The first ones are there with the file, or neither is. */
static int begin(const struct root *r, struct retention_line *v, size_t n, uint64_t now_ns, size_t *ret_n, struct why *why)
{
	struct retention none = { 0 };
	char *text = NULL;
	size_t len = 0;
	int rc = new_lines(&none, v, n, now_ns, !reap_retain_lost(r, &none), HEAD_LEN, &text, &len, ret_n);

	if (rc)
		return why_errno(why, rc, RETENTION_FILE, "cannot be made");
	memcpy(text, HEAD, HEAD_LEN);
	rc = write_over(r, RETENTION_FILE, text, len, FILE_MODE(r), why);
	free(text);
	return rc;
}

static int append(int fd, const char *old, size_t old_n, struct retention_line *v, size_t n, uint64_t now_ns, size_t *ret_n)
{
	struct retention t = { 0 };
	char *text = NULL;
	size_t len = 0, end = 0;
	int rc = parse_all(old, old_n, &t, NULL, NULL, &end);

	if (!rc)
		rc = new_lines(&t, v, n, now_ns, false, 0, &text, &len, ret_n);
	if (!rc && *ret_n && end < old_n && ftruncate(fd, (off_t)end))
		rc = -errno;
	if (!rc && *ret_n)
		rc = files_append(fd, (off_t)end, text, len, NULL);
	free(text);
	retention_free(&t);
	return rc;
}

static int note(const struct root *r, struct retention_line *v, size_t n, uint64_t now_ns, size_t *ret_n, struct why *why)
{
	int fd = beneath_openat(r->fd, RETENTION_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0), rc = fd < 0 ? -errno : 0;
	char *text = NULL;
	size_t len = 0;

	if (!rc && flock(fd, LOCK_EX))
		rc = -errno;
	if (!rc)
		rc = files_read(fd, FILE_LIMIT, &text, &len);
	if (rc == -ENOENT || (!rc && len < HEAD_LEN && !memcmp(text, HEAD, len))) /* none, or one whose head was never whole */
		rc = begin(r, v, n, now_ns, ret_n, why);
	else if (!rc)
		rc = append(fd, text, len, v, n, now_ns, ret_n);
	if (rc && !*why->text)
		(void)why_errno(why, rc, RETENTION_FILE, "cannot be written");
	free(text);
	if (fd >= 0)
		close(fd);
	return rc;
}

int retention_note(const char *store, struct retention_line *v, size_t n, uint64_t now_ns, size_t *ret_added, char *text, size_t text_n)
{
	struct root r = { .fd = -1 };
	struct why why = { "" };
	size_t added = 0;
	int rc = root_open(store, &r, &why);

	if (!rc)
		rc = note(&r, v, n, now_ns, &added, &why);
	root_close(&r);
	if (!rc)
		*ret_added = added;
	else if (text && text_n)
		snprintf(text, text_n, "%s", why.text);
	return rc;
}
