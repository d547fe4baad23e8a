/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * facts.c - what the policy was asked at an INVITE, see facts.h
 *
 * The facts of an INVITE are kept as one run of bytes, some 200 a call: lengths
 * and texts in a fixed order, read back by the same bounds-checked reader
 * whether they were made here or come from the daemon before.
 */
#include "call/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define TEXT_LIMIT 1024 /* of one text: a longer number, host or header matches no policy */

struct call_facts {
	size_t n;
	uint8_t b[];
};

/* ---- facts ---- */

static void put_text(struct buf *b, struct policy_str s)
{
	size_t n = s.n < TEXT_LIMIT ? s.n : TEXT_LIMIT;

	buf_put_varint(b, s.p ? n + 1 : 0);
	if (s.p && n)
		buf_put(b, s.p, n);
}

static struct policy_str get_text(struct rd *r)
{
	uint64_t n = rd_varint(r);
	struct policy_str s = {NULL, 0};

	if (n == 0)
		return s;
	s.n = (size_t)(n - 1);
	s.p = n <= TEXT_LIMIT + 1 ? (const char *)rd_bytes(r, s.n) : NULL;
	if (!s.p) {
		r->bad = true;
		s.n = 0;
	}
	return s;
}

static struct policy_str text_of(const char *s)
{
	return (struct policy_str){s, s ? strlen(s) + 1 : 0};
}

static void put_input(struct buf *b, const struct policy *p, const struct policy_input *in)
{
	const char *names[POLICY_HEADERS_MAX];
	size_t i, n = policy_headers(p, names);

	buf_put_le64(b, (uint64_t)in->time);
	buf_put(b, in->src, 16);
	buf_put(b, in->dst, 16);
	buf_put_le16(b, in->src_port);
	buf_put_le16(b, in->dst_port);
	buf_put_le16(b, in->vlan);
	buf_put8(b, (uint8_t)(in->tcp | in->withheld << 1));
	put_text(b, text_of(in->interface));
	put_text(b, in->calling);
	put_text(b, in->called);
	put_text(b, in->from_user);
	put_text(b, in->from_host);
	put_text(b, in->to_host);
	put_text(b, in->ruri_host);
	buf_put8(b, (uint8_t)n);
	for (i = 0; i < n; i++) {
		put_text(b, (struct policy_str){names[i], strlen(names[i])});
		put_text(b, in->header[i]);
	}
}

/* A header by its name in the policy that asks; one that was not kept is not known. */
static void place_header(struct policy_input *in, const char *const *names, size_t n,
			 struct policy_str name, struct policy_str value)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(names[i]) == name.n && strncasecmp(names[i], name.p, name.n) == 0)
			in->header[i] = value;
}

static void get_addresses(struct rd *r, struct policy_input *in)
{
	const uint8_t *src = rd_bytes(r, 16), *dst = rd_bytes(r, 16);
	uint8_t flags;

	if (src && dst) {
		memcpy(in->src, src, 16);
		memcpy(in->dst, dst, 16);
	}
	in->src_port = rd_le16(r);
	in->dst_port = rd_le16(r);
	in->vlan = rd_le16(r);
	flags = rd_u8(r);
	in->tcp = flags & 1;
	in->withheld = flags & 2;
	r->bad |= flags > 3;
}

/* p NULL: only checked. The texts of *in point into f. */
static bool get_input(const struct call_facts *f, const struct policy *p, struct policy_input *in)
{
	const char *names[POLICY_HEADERS_MAX];
	size_t i, kept, n = p ? policy_headers(p, names) : 0;
	struct rd r = {.p = f->b, .left = f->n};
	struct policy_str s;

	memset(in, 0, sizeof(*in));
	in->time = (int64_t)rd_le64(&r);
	get_addresses(&r, in);
	s = get_text(&r);
	if (s.p && (!s.n || s.p[s.n - 1] || strlen(s.p) + 1 != s.n))
		return false;
	in->interface = s.p;
	in->calling = get_text(&r);
	in->called = get_text(&r);
	in->from_user = get_text(&r);
	in->from_host = get_text(&r);
	in->to_host = get_text(&r);
	in->ruri_host = get_text(&r);
	kept = rd_u8(&r);
	for (i = 0; i < kept && i < POLICY_HEADERS_MAX && !r.bad; i++) {
		struct policy_str name = get_text(&r);

		s = get_text(&r);
		if (!r.bad && name.p)
			place_header(in, names, n, name, s);
	}
	return !r.bad && !r.left && kept <= POLICY_HEADERS_MAX;
}

/* Which of the policy's headers were kept, present or not. */
static size_t kept_headers(const struct call_facts *f, const char *const *names, size_t n)
{
	struct rd r = {.p = f->b, .left = f->n};
	size_t i, k, kept, known = 0;

	(void)rd_bytes(&r, 8 + 16 + 16 + 7);
	for (i = 0; i < 7; i++)
		(void)get_text(&r);
	kept = rd_u8(&r);
	for (i = 0; i < kept && !r.bad; i++) {
		struct policy_str name = get_text(&r);

		(void)get_text(&r);
		for (k = 0; k < n; k++)
			known += name.p && strlen(names[k]) == name.n &&
				 strncasecmp(names[k], name.p, name.n) == 0;
	}
	return known;
}

void call_facts_input(const struct call_facts *f, const struct policy *p, struct policy_input *ret,
		      bool *ret_blind)
{
	const char *names[POLICY_HEADERS_MAX];
	size_t n = policy_headers(p, names);

	(void)get_input(f, p, ret); /* was looked at when it was loaded */
	if (ret_blind)
		*ret_blind = kept_headers(f, names, n) < n;
}

int call_facts_load(const void *bytes, size_t n, struct call_facts **ret)
{
	struct policy_input in;
	struct call_facts *f;

	if (n > CALL_FACTS_MAX)
		return -EBADMSG;
	f = malloc(sizeof(*f) + n);
	if (!f)
		return -ENOMEM;
	f->n = n;
	if (n)
		memcpy(f->b, bytes, n);
	if (!get_input(f, NULL, &in)) {
		call_facts_free(f);
		return -EBADMSG;
	}
	*ret = f;
	return 0;
}

void call_facts_save(const struct call_facts *f, struct buf *out)
{
	if (f)
		buf_put(out, f->b, f->n);
}

void call_facts_free(struct call_facts *f)
{
	if (f)
		explicit_bzero(f->b, f->n); /* numbers */
	free(f);
}

size_t call_facts_size(const struct call_facts *f)
{
	return f->n;
}

int call_facts_make(const struct policy *p, const struct policy_input *in, struct call_facts **ret)
{
	struct buf b = {0};
	int e;

	put_input(&b, p, in);
	e = b.failed ? -ENOMEM : call_facts_load(b.p, b.len, ret);
	if (b.p)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	return e;
}
