/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * told.c - what a SIP message says happens once, see told.h
 */
#include "base/hash.h"
#include "call/party.h"
#include "call/told.h"

struct transaction {
	uint64_t from, to; /* hashes of the tags */
	uint32_t cseq;
	uint32_t which;
	uint16_t method, status, what, none;
};
_Static_assert(sizeof(struct transaction) == 32, "hashed as bytes, so without holes");

static uint64_t hash_of(const struct transaction *x)
{
	return hash_bytes(x, sizeof(*x)) | 1;
}

static bool known(const struct call_told *t, uint64_t h)
{
	for (unsigned i = 0; i < CALL_TOLD; i++)
		if (t->hash[i] == h)
			return true;
	return false;
}

static void remember(struct call_told *t, uint64_t h)
{
	t->hash[t->at] = h;
	t->at = (uint8_t)((t->at + 1) % CALL_TOLD);
}

unsigned call_told_count(const struct call_told *t)
{
	unsigned n = 0;

	while (n < CALL_TOLD && t->hash[n])
		n++;
	return n;
}

bool call_told(struct call_told *t, const struct sip_msg *m, enum call_tells what, unsigned which)
{
	struct transaction x = { .from = party_tag(m->from.tag), .to = party_tag(m->to.tag), .cseq = m->cseq, .method = (uint16_t)m->method,
				 .status = (uint16_t)(m->request ? 0 : m->status), .what = (uint16_t)what, .which = which };
	uint64_t h = hash_of(&x);

	if (known(t, h))
		return true;
	remember(t, h);
	return false;
}

void call_told_asks_again(struct call_told *t, const struct sip_msg *m)
{
	struct transaction x = { .from = party_tag(m->from.tag), .to = party_tag(m->to.tag), .cseq = m->cseq, .method = (uint16_t)m->method,
				 .what = CALL_TELLS_KEY };
	uint64_t next;

	if (!known(t, hash_of(&x)))
		return;
	x.cseq++;
	next = hash_of(&x);
	if (!known(t, next))
		remember(t, next);
}

uint32_t call_told_by(const struct sip_msg *m)
{
	uint64_t tags[2] = { party_tag(m->from.tag), party_tag(m->to.tag) };

	return (uint32_t)hash_bytes(tags, sizeof(tags)) | 1;
}
