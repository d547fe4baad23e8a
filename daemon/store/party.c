/* SPDX-License-Identifier: BSD-2-Clause */
/* party.c - the sealed part of a row as plain text, see party.h */
#include "store/party.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

void party_put(struct buf *b, const struct store_call_meta *m)
{
	const char *number[2] = {m->caller ? m->caller : "", m->callee ? m->callee : ""};

	for (int i = 0; i < 2; i++) {
		buf_put_varint(b, strlen(number[i]));
		buf_put(b, number[i], strlen(number[i]));
	}
	if (!m->facts || !m->facts_len || m->facts_len > STORE_FACTS_MAX)
		return;
	buf_put_varint(b, m->facts_len);
	buf_put(b, m->facts, m->facts_len);
}

static const uint8_t *take(struct rd *r, size_t *ret_len)
{
	uint64_t n = rd_varint(r);
	const uint8_t *p = !r->bad && n <= r->left ? rd_bytes(r, (size_t)n) : NULL;

	if (!p)
		r->bad = true;
	*ret_len = (size_t)n;
	return p;
}

int party_get(const uint8_t *p, size_t n, struct party *ret)
{
	struct rd r = {.p = p, .left = n};

	*ret = (struct party){0};
	for (int i = 0; i < 2; i++)
		ret->number[i] = take(&r, &ret->number_len[i]);
	if (!r.bad && r.left)
		ret->facts = take(&r, &ret->facts_len);
	if (!r.bad && ret->facts && (!ret->facts_len || ret->facts_len > STORE_FACTS_MAX))
		r.bad = true;
	return r.bad || r.left ? -EBADMSG : 0;
}
