/* SPDX-License-Identifier: BSD-2-Clause */
/* parts.c - the table of a call's parts, and the ways to their keys, see parts.h */
#include "store/parts.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

#define SUM_MAX (1ULL << 60)

void parts_free(struct parts *p)
{
	free(p->v);
	*p = (struct parts){ .n = 0 };
}

struct part *parts_add(struct parts *p)
{
	struct part *v = p->n < PARTS_MAX ? realloc(p->v, (p->n + 1) * sizeof(*v)) : NULL;

	if (!v)
		return NULL;
	p->v = v;
	v[p->n] = (struct part){ .epoch = 0 };
	return &v[p->n++];
}

unsigned part_set(const struct part *p)
{
	return (p->way[0].how != PART_NONE ? 1u : 0) | (p->way[1].how != PART_NONE ? 2u : 0);
}

/* ---- as bytes ---- */

static void ways_put(const struct part_way w[STORE_PURPOSES], const bool live[STORE_PURPOSES], struct buf *out)
{
	uint8_t how = 0;

	for (int p = 0; p < STORE_PURPOSES; p++)
		how |= (uint8_t)((live[p] ? w[p].how : PART_NONE) << 2 * p);
	buf_put8(out, how);
	for (int p = 0; p < STORE_PURPOSES; p++)
		if (live[p] && w[p].how == PART_BOXED)
			buf_put(out, w[p].box, PART_BOX);
}

static bool ways_get(struct rd *r, struct part_way w[STORE_PURPOSES])
{
	uint8_t how = rd_u8(r);

	for (int p = 0; p < STORE_PURPOSES; p++) {
		const uint8_t *box;

		w[p].how = how >> 2 * p & 3;
		if (w[p].how >= PART_HOWS)
			return false;
		if (w[p].how != PART_BOXED)
			continue;
		box = rd_bytes(r, PART_BOX);
		if (!box)
			return false;
		memcpy(w[p].box, box, PART_BOX);
	}
	return !(how >> 4) && !r->bad;
}

void parts_put(const struct parts *p, const bool live[STORE_PURPOSES], bool durable, struct buf *out)
{
	if (!p->n)
		return;
	buf_put8(out, (uint8_t)p->n);
	ways_put(p->numbers, live, out);
	for (size_t i = 0; i < p->n; i++) {
		const struct part *k = &p->v[i];

		buf_put_varint(out, k->epoch);
		buf_put_varint(out, k->from_ns);
		for (int leg = 0; leg < 2; leg++) {
			const struct part_sum *s = durable ? &k->durable[leg] : &k->leg[leg];

			buf_put_varint(out, s->packets);
			buf_put_varint(out, s->audio_ms);
		}
		ways_put(k->way, live, out);
	}
}

/* One spelling of a number only, so that a table is the same bytes when it is written again. */
static uint64_t get_number(struct rd *r, uint64_t max)
{
	const uint8_t *from = r->p;
	uint64_t v = rd_varint(r);

	if (!r->bad && (v > max || (r->p - from > 1 && !r->p[-1])))
		r->bad = true;
	return v;
}

static bool part_get(struct rd *r, const struct part *before, struct part *k)
{
	k->epoch = (uint32_t)get_number(r, UINT32_MAX);
	k->from_ns = get_number(r, INT64_MAX);
	for (int leg = 0; leg < 2; leg++) {
		k->leg[leg].packets = get_number(r, SUM_MAX);
		k->leg[leg].audio_ms = get_number(r, SUM_MAX);
		k->durable[leg] = k->leg[leg];
	}
	return ways_get(r, k->way) && (!before || k->epoch >= before->epoch);
}

int parts_get(const uint8_t *bytes, size_t n, struct parts *ret)
{
	struct rd r = { .p = bytes, .left = n };
	unsigned count;
	int rc = 0;

	*ret = (struct parts){ .n = 0 };
	if (!n)
		return 0;
	count = rd_u8(&r);
	if (!count || count > PARTS_MAX || !ways_get(&r, ret->numbers))
		rc = -EBADMSG;
	for (unsigned i = 0; !rc && i < count; i++) {
		struct part *k = parts_add(ret);

		if (!k)
			rc = -ENOMEM;
		else if (!part_get(&r, i ? k - 1 : NULL, k))
			rc = -EBADMSG;
	}
	if (!rc && (r.bad || r.left))
		rc = -EBADMSG;
	if (rc)
		parts_free(ret);
	return rc;
}

/* ---- keys ---- */

void part_derive(const uint8_t purpose[32], uint32_t part, uint32_t epoch, uint8_t ret[32])
{
	/* the numbers' is 0: PART_NUMBERS + 1 */
	crypto_kdf_derive_from_key(ret, 32, (uint64_t)(uint32_t)(part + 1) << 32 | epoch, "optagprt", purpose);
}

/* Key, nonce and additional data of a box. One purpose's key, part and epoch mean one key for good, so no nonce comes
 * twice for two keys. */
static void box_of(const uint8_t purpose[32], const struct uid *uid, enum store_purpose p, uint32_t part, uint32_t epoch,
		   uint8_t key[32], uint8_t nonce[12], uint8_t ad[17])
{
	crypto_kdf_derive_from_key(key, 32, 1, "optagbox", purpose);
	le32enc(nonce, part);
	le32enc(nonce + 4, epoch);
	le32enc(nonce + 8, 0);
	memcpy(ad, uid->b, 16);
	ad[16] = (uint8_t)p;
}

void part_give(const uint8_t purpose[32], const struct uid *uid, enum store_purpose p, uint32_t part, uint32_t epoch,
	       const uint8_t key[32], struct part_way *ret)
{
	uint8_t own[32], nonce[12], ad[17];

	part_derive(purpose, part, epoch, own);
	ret->how = sodium_memcmp(own, key, 32) ? PART_BOXED : PART_DERIVED;
	if (ret->how == PART_BOXED) {
		box_of(purpose, uid, p, part, epoch, own, nonce, ad);
		crypto_aead_chacha20poly1305_ietf_encrypt(ret->box, NULL, key, 32, ad, sizeof(ad), NULL, nonce, own);
	}
	sodium_memzero(own, sizeof(own));
}

int part_open(const uint8_t purpose[32], const struct uid *uid, enum store_purpose p, uint32_t part, uint32_t epoch,
	      const struct part_way *w, uint8_t ret[32])
{
	uint8_t key[32], nonce[12], ad[17];
	int rc;

	if (w->how == PART_DERIVED) {
		part_derive(purpose, part, epoch, ret);
		return 0;
	}
	if (w->how != PART_BOXED)
		return -ENOKEY;
	box_of(purpose, uid, p, part, epoch, key, nonce, ad);
	rc = crypto_aead_chacha20poly1305_ietf_decrypt(ret, NULL, NULL, w->box, PART_BOX, ad, sizeof(ad), nonce, key) ?
		     -EBADMSG : 0;
	sodium_memzero(key, sizeof(key));
	return rc;
}
