/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_parts.c - the parts of a call being written, and the keys of its purposes
 *
 * Invariants: a purpose's way to a part's key is made when the part begins, or for
 * all parts at once when the purpose covers the whole call; never for a part of
 * before the purpose was destroyed. A part that nobody can get any more has no key.
 * The caller's thread changes the table, under the lock of the wraps, since the
 * disk's thread reads it.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "store/pipe.h"
#include "store/store_call.h"

static void lock(const struct store_call *sc)
{
	pthread_mutex_lock(&sc->st->wraps);
}

static void unlock(const struct store_call *sc)
{
	pthread_mutex_unlock(&sc->st->wraps);
}

static void give(struct store_call *sc, enum store_purpose p, uint32_t n)
{
	struct part *k = &sc->parts.v[n];

	part_give(sc->key->purpose[p], &sc->meta.uid, p, n, k->epoch, k->key->data, &k->way[p]);
}

/* A fresh key for a purpose that has none; it opens the numbers, and no part yet. */
static void key_purpose(struct store_call *sc, enum store_purpose p)
{
	randombytes_buf(sc->key->purpose[p], 32);
	if (!sc->keyed[!p] && !sc->parts.n) /* the first: nothing need be boxed for it */
		part_derive(sc->key->purpose[p], PART_NUMBERS, 0, sc->key->numbers);
	lock(sc);
	part_give(sc->key->purpose[p], &sc->meta.uid, p, PART_NUMBERS, 0, sc->key->numbers, &sc->parts.numbers[p]);
	sc->keyed[p] = true;
	unlock(sc);
}

static int new_part(struct store_call *sc, unsigned set, uint64_t from_ns)
{
	struct partkey *key = partkey_new(sc->st->pool);
	struct part *k;
	uint32_t n;

	if (!key)
		return -ENOMEM;
	lock(sc);
	k = parts_add(&sc->parts);
	if (k) {
		n = (uint32_t)sc->parts.n - 1;
		k->epoch = sc->st->epoch;
		k->from_ns = from_ns;
		k->key = key;
		if (set)
			part_derive(sc->key->purpose[set & 1 ? STORE_DOCUMENTATION : STORE_TRAINING], n, k->epoch, key->data);
		else
			randombytes_buf(key->data, sizeof(key->data));
		partkey_derive(key);
		for (int p = 0; p < STORE_PURPOSES; p++)
			if (set >> p & 1)
				give(sc, (enum store_purpose)p, n);
	}
	unlock(sc);
	if (!k) {
		partkey_free(sc->st->pool, key);
		return sc->parts.n == PARTS_MAX ? -ENOSPC : -ENOMEM;
	}
	return 0;
}

int scall_parts_begin(struct store_call *sc)
{
	const struct store_call_meta *m = &sc->meta;
	unsigned set = 0;

	sc->key = callkey_new(sc->st->pool);
	if (!sc->key)
		return -ENOMEM;
	randombytes_buf(sc->key->numbers, sizeof(sc->key->numbers));
	for (int p = 0; p < STORE_PURPOSES; p++) {
		if (!m->commit[p] && !m->covers[p])
			continue;
		key_purpose(sc, (enum store_purpose)p);
		set |= 1u << p;
	}
	return new_part(sc, set, m->start_ns);
}

void scall_parts_free(struct store_call *sc)
{
	for (size_t i = 0; i < sc->parts.n; i++)
		partkey_free(sc->st->pool, sc->parts.v[i].key);
	parts_free(&sc->parts);
	callkey_free(sc->st->pool, sc->key);
	sc->key = NULL;
}

void scall_parts_wipe(struct store_call *sc)
{
	lock(sc);
	for (size_t i = 0; i < sc->parts.n; i++) {
		partkey_free(sc->st->pool, sc->parts.v[i].key);
		sc->parts.v[i].key = NULL;
	}
	callkey_free(sc->st->pool, sc->key);
	sc->key = NULL;
	unlock(sc);
}

/* Somebody may still get all of the call who has nothing of it now. */
static bool may_cover(const struct store_call *sc, enum store_purpose p)
{
	return sc->meta.until_ns[p] && !sc->keyed[p] && !sc->gone[p];
}

void scall_parts_drop(struct store_call *sc, enum store_purpose p)
{
	struct partkey *key;

	sodium_memzero(sc->key->purpose[p], 32);
	lock(sc);
	sc->keyed[p] = false;
	sc->gone[p]++;
	sc->parts.numbers[p].how = PART_NONE;
	if (!sc->keyed[!p]) /* nothing is kept for anybody */
		buf_reset(&sc->grounds);
	for (size_t i = 0; i < sc->parts.n; i++)
		sc->parts.v[i].way[p].how = PART_NONE;
	unlock(sc);
	if (may_cover(sc, (enum store_purpose)!p))
		return;
	for (size_t i = 0; i < sc->parts.n; i++) {
		struct part *k = &sc->parts.v[i];

		if (!k->key || part_set(k))
			continue;
		key = k->key;
		if (sc->st->pipe) /* what waits for the encoder is audio of nobody */
			pipe_forget_part(sc, key);
		lock(sc);
		k->key = NULL;
		unlock(sc);
		partkey_free(sc->st->pool, key);
	}
}

static bool may_have(struct store_call *sc, enum store_purpose p, int *ret_rc)
{
	if (!sc->meta.until_ns[p])
		*ret_rc = why_set(why_of(sc->st), -EINVAL, "%s has no deadline", store_purpose_names[p]);
	else if (sc->keyed[p] || !sc->gone[p])
		return true;
	else
		*ret_rc = why_set(why_of(sc->st), -EINVAL, "%s was destroyed in this call", store_purpose_names[p]);
	return false;
}

int store_call_cover(struct store_call *sc, enum store_purpose p)
{
	int rc = 0;

	if (!may_have(sc, p, &rc))
		return rc;
	/* After a purpose was given again it covers nothing of before (guidance 5.2). */
	if (sc->gone[p])
		return why_set(why_of(sc->st), -EINVAL, "%s was destroyed in this call", store_purpose_names[p]);
	if (!sc->keyed[p])
		key_purpose(sc, p);
	lock(sc);
	for (uint32_t i = 0; i < sc->parts.n; i++)
		if (sc->parts.v[i].key && sc->parts.v[i].way[p].how == PART_NONE)
			give(sc, p, i);
	unlock(sc);
	sc->stale = true;
	return 0;
}

int store_call_part(struct store_call *sc, unsigned purposes, uint64_t from_ns)
{
	const struct part *last = &sc->parts.v[sc->parts.n - 1];
	struct store *st = sc->st;
	int rc;

	if (purposes >= 1u << STORE_PURPOSES)
		return why_set(why_of(st), -EINVAL, "no such purpose");
	if (last->key && part_set(last) == purposes && !sc->parting)
		return 0;
	for (int p = 0; p < STORE_PURPOSES; p++)
		if (purposes >> p & 1 && !sc->meta.until_ns[p])
			return why_set(why_of(st), -EINVAL, "%s has no deadline", store_purpose_names[p]);
	if (sc->parts.n == PARTS_MAX) {
		figure_add(&st->figures.no_part, 1);
		return why_set(why_of(st), -ENOSPC, "a call has %d parts at most", PARTS_MAX);
	}
	for (int p = 0; p < STORE_PURPOSES; p++)
		if (purposes >> p & 1 && !sc->keyed[p])
			key_purpose(sc, (enum store_purpose)p);
	rc = new_part(sc, purposes, from_ns);
	if (rc)
		return why_set(why_of(st), rc, "out of memory");
	sc->parting = false;
	sc->stale = true;
	figure_add(&st->figures.parts, 1);
	return 0;
}

void store_call_enter(struct store_call *sc, unsigned leg)
{
	sc->leg_part[leg] = (uint32_t)sc->parts.n - 1;
}

unsigned store_call_for(const struct store_call *sc, unsigned leg)
{
	return part_set(&sc->parts.v[sc->leg_part[leg]]);
}

bool store_call_lost(const struct store_call *sc, unsigned leg)
{
	return !sc->parts.v[sc->leg_part[leg]].key;
}

bool store_call_newest(const struct store_call *sc, unsigned leg, unsigned *ret_purposes, uint64_t *ret_from_ns)
{
	const struct part *last = &sc->parts.v[sc->parts.n - 1];

	*ret_purposes = sc->parting || !last->key ? 1u << STORE_PURPOSES : part_set(last);
	*ret_from_ns = last->from_ns;
	return sc->leg_part[leg] == sc->parts.n - 1;
}

bool store_call_keyed(const struct store_call *sc, enum store_purpose p)
{
	return sc->keyed[p];
}

/* ---- what is kept of it ---- */

void scall_parts_add(struct store_call *sc, uint32_t part, unsigned leg, uint64_t packets, uint64_t audio_ms, bool late)
{
	struct part_sum *s;

	lock(sc);
	if (part < sc->parts.n) {
		s = late ? &sc->parts.v[part].late[leg] : &sc->parts.v[part].leg[leg];
		s->packets += packets;
		s->audio_ms += audio_ms;
	}
	unlock(sc);
}

/* What is to be done with the sums of all parts when something is done with the call's. */
void scall_parts_sums(struct store_call *sc, enum parts_sums what)
{
	lock(sc);
	for (size_t i = 0; i < sc->parts.n; i++) {
		struct part *k = &sc->parts.v[i];

		for (int leg = 0; leg < 2; leg++) {
			struct part_sum *late = &k->late[leg];

			if (what == SUMS_DURABLE)
				k->durable[leg] = k->leg[leg];
			else if (what == SUMS_SHORTEN)
				k->leg[leg] = k->durable[leg];
			if (what == SUMS_JOIN) {
				k->leg[leg].packets += late->packets;
				k->leg[leg].audio_ms += late->audio_ms;
			}
			if (what != SUMS_DURABLE)
				*late = (struct part_sum){ 0 };
		}
	}
	unlock(sc);
}

bool scall_part_known(const struct store_call *sc, const struct chunk_head *h)
{
	bool known;

	lock(sc);
	if (!sc->parts.n) /* format 1 */
		known = !h->part;
	else
		known = h->part < sc->parts.n && h->epoch >= sc->parts.v[h->part].epoch;
	unlock(sc);
	return known;
}

/* Packets that are in the store and that no purpose can read. */
void scall_parts_lost(const struct store_call *sc, const bool live[STORE_PURPOSES], unsigned leg, struct part_sum *ret)
{
	unsigned set = (live[0] ? 1u : 0) | (live[1] ? 2u : 0);

	*ret = (struct part_sum){ 0 };
	for (size_t i = 0; i < sc->parts.n; i++) {
		const struct part *k = &sc->parts.v[i];

		if (part_set(k) & set)
			continue;
		ret->packets += k->leg[leg].packets;
		ret->audio_ms += k->leg[leg].audio_ms;
	}
}

/* ---- going on with a saved call ---- */

static int take_key(struct store_call *sc, struct part *k, const uint8_t data[32])
{
	if (!k->key)
		k->key = partkey_new(sc->st->pool);
	if (!k->key)
		return -ENOMEM;
	memcpy(k->key->data, data, 32);
	partkey_derive(k->key);
	return 0;
}

/* A part that the saved state does not know: what was committed opens it. */
static int open_part(struct store_call *sc, uint32_t n)
{
	struct part *k = &sc->parts.v[n];
	uint8_t data[32];
	int rc = 0;

	for (int p = 0; !rc && !k->key && p < STORE_PURPOSES; p++)
		if (sc->keyed[p] && !part_open(sc->key->purpose[p], &sc->meta.uid, (enum store_purpose)p, n, k->epoch,
					       &k->way[p], data))
			rc = take_key(sc, k, data);
	sodium_memzero(data, sizeof(data));
	return rc;
}

static int restore_part(struct store_call *sc, const struct saved *s, uint32_t n)
{
	struct saved_part sp;
	struct part *k;
	int rc = 0;

	saved_part(s, n, &sp);
	if (n == sc->parts.n) { /* began after the last sync */
		k = parts_add(&sc->parts);
		if (!k)
			return -ENOMEM;
		k->epoch = sp.epoch;
		k->from_ns = sp.from_ns;
	}
	k = &sc->parts.v[n];
	if (sp.data)
		rc = take_key(sc, k, sp.data);
	for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
		if (!(sp.set >> p & 1) || !sc->keyed[p])
			k->way[p].how = PART_NONE;
		else if (k->key)
			give(sc, (enum store_purpose)p, n);
	}
	return rc;
}

int scall_parts_restore(struct store_call *sc, const struct saved *s)
{
	uint32_t known = (uint32_t)sc->parts.n;
	struct saved_part sp;
	int rc = 0;

	if (!known) /* of format 1 */
		return -EBADMSG;
	for (uint32_t n = 0; n < known && n < s->nparts; n++) {
		saved_part(s, n, &sp);
		if (sp.epoch != sc->parts.v[n].epoch)
			return -EBADMSG;
	}
	sc->key = callkey_new(sc->st->pool);
	if (!sc->key)
		return -ENOMEM;
	memcpy(sc->key->numbers, s->numbers, 32);
	if (s->grounds_len > sc->grounds.len) { /* they only grow; the record has those up to the last sync */
		buf_reset(&sc->grounds);
		buf_put(&sc->grounds, s->grounds, s->grounds_len);
	}
	rc = sc->grounds.failed ? -ENOMEM : 0;
	for (int p = 0; p < STORE_PURPOSES; p++) {
		sc->keyed[p] = s->keyed[p];
		memcpy(sc->key->purpose[p], s->purpose[p], 32);
		if (s->keyed[p])
			part_give(s->purpose[p], &sc->meta.uid, (enum store_purpose)p, PART_NUMBERS, 0, s->numbers,
				  &sc->parts.numbers[p]);
		else
			sc->parts.numbers[p].how = PART_NONE;
	}
	for (uint32_t n = 0; !rc && n < s->nparts; n++)
		rc = restore_part(sc, s, n);
	for (uint32_t n = s->nparts; !rc && n < known; n++) {
		for (int p = 0; p < STORE_PURPOSES; p++)
			if (!sc->keyed[p])
				sc->parts.v[n].way[p].how = PART_NONE;
		rc = open_part(sc, n);
	}
	sc->leg_part[0] = sc->leg_part[1] = (uint32_t)sc->parts.n - 1;
	return rc;
}
