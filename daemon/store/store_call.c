/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_call.c - writing calls to an open store
 *
 * Invariants: a row is added only when its chunks were accepted and its wraps
 * written; a call's data key exists in memory from begin to end, nowhere else
 * in clear.
 */
#include "store/store_call.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/codec.h"
#include "store/opens.h"
#include "store/slots.h"

/* The latest destroy-by day of the purposes that have a deadline. */
int call_day(struct store *st, const struct store_call_meta *m, uint32_t *ret_day)
{
	uint32_t day, max = 0;

	if (name_check(m->controller))
		return why_set(&st->why, -EINVAL, "controller name is not a file name of a-z 0-9 . _ -");
	for (int p = 0; p < STORE_PURPOSES; p++) {
		if (!m->until_ns[p]) {
			if (m->commit[p])
				return why_set(&st->why, -EINVAL, "%s has no deadline", store_purpose_names[p]);
			continue;
		}
		if (m->until_ns[p] > INT64_MAX || day_of(m->until_ns[p], m->zone, &day))
			return why_set(&st->why, -EINVAL, "time zone or deadline cannot be used");
		if (day > max)
			max = day;
	}
	if (!max)
		return why_set(&st->why, -EINVAL, "call without a deadline");
	*ret_day = max;
	return 0;
}

static const char *copy_string(char **at, const char *s)
{
	char *to = *at;

	if (!s)
		s = "";
	*at = stpcpy(to, s) + 1;
	return to;
}

struct store_call *call_new(struct store *st)
{
	struct store_call *sc = calloc(1, sizeof(*sc));

	if (sc) {
		sc->st = st;
		for (int p = 0; p < STORE_PURPOSES; p++)
			sc->meta.now.reason[p] = sc->reason[p];
	}
	return sc;
}

void call_link(struct store_call *sc)
{
	struct store *st = sc->st;

	sc->prev = &st->calls;
	sc->next = st->calls;
	if (sc->next)
		sc->next->prev = &sc->next;
	st->calls = sc;
}

void call_durable(struct store_call *sc)
{
	sc->durable.extents = sc->extents.len;
	sc->durable.at = sc->at;
	memcpy(sc->durable.leg, sc->leg, sizeof(sc->leg));
}

static void copy_now(struct store_call *sc, const struct store_call_now *now)
{
	sc->meta.now = *now;
	for (int p = 0; p < STORE_PURPOSES; p++) {
		snprintf(sc->reason[p], sizeof(sc->reason[p]), "%s", now->reason[p] ? now->reason[p] : "");
		sc->meta.now.reason[p] = sc->reason[p];
	}
}

/* meta outlives the caller's strings; numbers are not copied, only hashed and sealed. */
int call_copy_meta(struct store_call *sc, const struct store_call_meta *from)
{
	const struct store_call_meta m = *from;
	const char *src[] = { m.controller, m.zone, m.rule, m.policy_hash, m.scenario, m.sip_call_id, m.agent };
	size_t n = 0;
	char *at;

	for (size_t i = 0; i < sizeof(src) / sizeof(*src); i++)
		n += (src[i] ? strlen(src[i]) : 0) + 1;
	sc->strings = at = malloc(n);
	if (!at)
		return -ENOMEM;
	sc->meta = m;
	sc->meta.controller = copy_string(&at, m.controller);
	sc->meta.zone = copy_string(&at, m.zone);
	sc->meta.rule = copy_string(&at, m.rule);
	sc->meta.policy_hash = copy_string(&at, m.policy_hash);
	sc->meta.scenario = copy_string(&at, m.scenario);
	sc->meta.sip_call_id = copy_string(&at, m.sip_call_id);
	sc->meta.agent = copy_string(&at, m.agent);
	sc->meta.caller = sc->meta.callee = NULL;
	copy_now(sc, &m.now);
	return 0;
}

static void hash_numbers(struct store *st, const struct store_call_meta *m, uint8_t hash[2][NUMBER_HASH],
			 bool has[2])
{
	const char *number[2] = { m->caller, m->callee };

	for (int i = 0; i < 2; i++) {
		has[i] = number[i] && *number[i];
		if (has[i])
			number_hash(st->number_key, number[i], hash[i]);
	}
}

static int seal_numbers(struct store_call *sc, const struct store_call_meta *m)
{
	const char *number[2] = { m->caller ? m->caller : "", m->callee ? m->callee : "" };
	static const uint8_t nonce[12];
	struct buf plain = { 0 };
	uint8_t *out;
	int rc = -ENOMEM;

	for (int i = 0; i < 2; i++) {
		buf_put_varint(&plain, strlen(number[i]));
		buf_put(&plain, number[i], strlen(number[i]));
	}
	out = buf_room(&sc->numbers, plain.len + CHUNK_TAG);
	if (!plain.failed && out)
		rc = seal(sc->st->sealer, sc->key->numbers, nonce, sc->meta.uid.b, 16, plain.p, plain.len, out);
	if (!rc)
		sc->numbers.len = plain.len + CHUNK_TAG;
	if (plain.p)
		sodium_memzero(plain.p, plain.len);
	buf_free(&plain);
	return rc;
}

void call_free(struct store_call *sc)
{
	if (!sc)
		return;
	if (sc->prev)
		*sc->prev = sc->next;
	if (sc->next)
		sc->next->prev = sc->prev;
	callkey_free(sc->st->pool, sc->key);
	buf_free(&sc->numbers);
	buf_free(&sc->extents);
	buf_free(&sc->late);
	free(sc->strings);
	free(sc);
}

static int put_wrap(struct store_call *sc, enum store_purpose p)
{
	struct store *st = sc->st;

	return slots_put(st->slots, sc->meta.controller, p, sc->meta.zone, &sc->meta.uid,
			 sc->meta.until_ns[p], sc->key->data, &sc->purpose_day[p], &sc->slot[p], &st->why);
}

int call_drop_wrap(struct store_call *sc, enum store_purpose p, bool durable)
{
	struct store *st = sc->st;
	int rc;

	if (!sc->slot[p])
		return 0;
	rc = slots_erase(st->slots, sc->meta.controller, p, sc->purpose_day[p], sc->slot[p], durable,
			 &st->why);
	if (!rc)
		sc->slot[p] = 0;
	return rc;
}

static int prepare_catalog(struct store *st, const char *controller, uint32_t day)
{
	int rc = catalog_prepare(st->catalog, controller, day, &st->why);

	if (rc == -EAGAIN) { /* every database has an open transaction */
		rc = store_sync(st);
		if (!rc)
			rc = catalog_prepare(st->catalog, controller, day, &st->why);
	}
	return rc;
}

int store_call_begin(struct store *st, const struct store_call_meta *meta, struct store_call **ret)
{
	struct store_call *sc;
	uint32_t day = 0;
	int rc = check_writable(st);

	if (!rc)
		rc = call_day(st, meta, &day);
	if (rc)
		return rc;
	rc = left_drop(st, left_find(st, &meta->uid)); /* recorded once more, from its beginning */
	if (rc)
		return rc;
	sc = call_new(st);
	if (!sc)
		return why_set(&st->why, -ENOMEM, "out of memory");
	call_link(sc);
	sc->day = day;
	sc->epoch = st->epoch;
	randombytes_buf(&sc->id, sizeof(sc->id));
	sc->key = callkey_random(st->pool);
	rc = sc->key ? call_copy_meta(sc, meta) : -ENOMEM;
	if (!rc)
		rc = seal_numbers(sc, meta);
	if (rc) {
		why_set(&st->why, rc, "cannot begin a call: %s", strerror(-rc));
		goto fail;
	}
	hash_numbers(st, meta, sc->hash, sc->has_hash);
	/* Its database is made now, so that a full disk shows before audio is taken and not at the end. */
	rc = prepare_catalog(st, sc->meta.controller, day);
	if (!rc)
		rc = writer_where(st->writer, sc->meta.controller, day, &sc->from.segment, &sc->from.end, &st->why);
	for (int p = 0; !rc && p < STORE_PURPOSES; p++)
		if (meta->commit[p])
			rc = put_wrap(sc, (enum store_purpose)p);
	if (rc) {
		if (rc == -ENOSPC || rc == -EIO || rc == -EDQUOT)
			st->err = rc;
		goto fail;
	}
	st->figures.calls++;
	*ret = sc;
	return 0;
fail:
	store_call_abort(sc);
	return rc;
}

void leg_add(struct leg_sum *l, uint64_t packets, uint64_t payload, uint64_t last_ns)
{
	const char *name = l->format.name;
	bool g711 = !strcmp(name, "PCMU") || !strcmp(name, "PCMA") || !strcmp(name, "G722");

	l->packets += packets;
	l->payload += payload;
	l->audio_ms += g711 ? payload / 8 : packets * 20; /* nearly all of them send a packet every 20 ms */
	if (last_ns > l->last_ns && last_ns <= INT64_MAX)
		l->last_ns = last_ns;
}

static void note_chunk(struct store_call *sc, unsigned leg, const struct chunk *c, const struct extent *e)
{
	struct leg_sum *l = sc->catching_up ? &sc->late_leg[leg] : &sc->leg[leg];

	if (sc->catching_up)
		buf_put(&sc->late, e, sizeof(*e));
	else
		extent_put(&sc->extents, &sc->at, e);
	sc->leg[leg].format = l->format = c->format;
	leg_add(l, c->npkt, c->nbytes, c->pkt[c->npkt - 1].arrival_ns);
}

int store_call_append(struct store_call *sc, unsigned leg, const struct chunk *c)
{
	struct chunk_head h = { .uid = sc->meta.uid, .leg = (uint8_t)leg, .epoch = sc->epoch };
	struct store *st = sc->st;
	uint8_t nonce[12];
	struct extent e;
	size_t n;
	int rc = check_writable(st);

	if (rc)
		return rc;
	rc = leg > 1 ? -EINVAL : codec_encode(st->codec, c, st->plain, &n, &h);
	if (rc)
		return why_set(&st->why, rc, "chunk cannot be coded: %s", strerror(-rc));
	/* Used up even if this chunk comes to nothing: a number is a nonce (FORMAT.md). */
	h.number = sc->chunks[leg]++;
	h.length = (uint32_t)(CHUNK_HEAD + n + CHUNK_TAG);
	chunk_head_format(&h, st->chunk);
	chunk_nonce(&h, nonce);
	rc = seal(st->sealer, sc->key->leg[leg], nonce, st->chunk, CHUNK_AD, st->plain, n,
		  st->chunk + CHUNK_HEAD);
	if (rc)
		return why_set(&st->why, rc, "libcrypto cannot encrypt");
	chunk_head_seal(st->chunk, h.length);
	rc = writer_append(st->writer, sc->meta.controller, sc->day, st->chunk, h.length, &e, &st->why);
	if (rc) {
		st->err = rc;
		return rc;
	}
	note_chunk(sc, leg, c, &e);
	if (sc->extents.failed || sc->late.failed)
		return why_set(&st->why, -ENOMEM, "out of memory");
	st->figures.chunks++;
	st->figures.payload_bytes += h.payload;
	st->figures.stored_bytes += segment_round(h.length);
	return 0;
}

int store_call_commit(struct store_call *sc, enum store_purpose p)
{
	if (!sc->meta.until_ns[p])
		return why_set(&sc->st->why, -EINVAL, "%s has no deadline", store_purpose_names[p]);
	if (sc->gone[p])
		return why_set(&sc->st->why, -EINVAL, "%s was destroyed in this call", store_purpose_names[p]);
	sc->stale = true;
	return sc->slot[p] ? 0 : put_wrap(sc, p);
}

/* What is known of the call in open.db must be without the purpose too, or a state saved earlier brings it back. */
int store_call_shorten(struct store_call *sc, enum store_purpose p, uint64_t until_ns)
{
	uint32_t day = sc->purpose_day[p], slot = sc->slot[p];
	int rc, rc2;

	if (!until_ns || !sc->meta.until_ns[p] || until_ns >= sc->meta.until_ns[p] || sc->gone[p])
		return 0;
	sc->meta.until_ns[p] = until_ns;
	sc->stale = true;
	if (!slot)
		return 0;
	sc->slot[p] = 0;
	rc = put_wrap(sc, p);
	/* a crash in between leaves two; the one that no record names is overwritten (store_settle) */
	rc2 = slots_erase(sc->st->slots, sc->meta.controller, p, day, slot, true, &sc->st->why);
	return rc ? rc : rc2;
}

static int forget_purpose(struct store_call *sc)
{
	struct buf record = { 0 };
	int rc;

	if (!sc->listed)
		return 0;
	record_put(sc, &record);
	rc = record.failed ? why_set(&sc->st->why, -ENOMEM, "out of memory") :
			     opens_put(sc->st->opens, &sc->meta.uid, record.p, record.len, &sc->st->why);
	buf_free(&record);
	return rc ? rc : opens_sync(sc->st->opens, &sc->st->why);
}

int store_call_drop(struct store_call *sc, enum store_purpose p)
{
	bool had = sc->slot[p];
	int rc = call_drop_wrap(sc, p, true);

	sc->gone[p] = true;
	sc->stale = true;
	return rc || had ? rc : forget_purpose(sc); /* an overwritten slot says it already */
}

void store_call_note(struct store_call *sc, const struct store_call_now *now)
{
	copy_now(sc, now);
	sc->stale = true;
}

void store_call_abort(struct store_call *sc)
{
	struct store *st = sc->st;
	bool tell = false;
	int rc = 0;

	/* The wrap that cannot be erased dies with its bucket; a disk like that takes no more calls. */
	for (int p = 0; p < STORE_PURPOSES; p++) {
		int err = call_drop_wrap(sc, (enum store_purpose)p, false);

		rc = err ? err : rc;
		tell |= sc->meta.until_ns[p] && !sc->slot[p] && !sc->gone[p];
	}
	if (sc->listed) {
		int err = opens_delete(st->opens, &sc->meta.uid, &st->why);

		/* a purpose without a wrap: the missing record is what tells that it is over */
		if (!err && tell)
			err = opens_sync(st->opens, &st->why);
		rc = err ? err : rc;
	}
	if (rc && !st->err)
		st->err = rc;
	call_free(sc);
}

int add_row(struct store *st, const struct catalog_row *row)
{
	int rc;

	reserve_release(st);
	if (catalog_pending(st->catalog) >= PENDING_MAX) {
		rc = store_sync(st);
		if (rc)
			return rc;
	}
	rc = catalog_add(st->catalog, row, &st->why);
	if (rc == -EAGAIN) { /* every database has an open transaction */
		rc = store_sync(st);
		if (!rc)
			rc = catalog_add(st->catalog, row, &st->why);
	}
	if (rc && rc != -EEXIST && rc != -EINVAL)
		st->err = rc;
	return rc;
}

bool state_holds(enum store_state s)
{
	return s == STORE_S_GRANTED || s == STORE_S_OBJECTED;
}

int store_call_end(struct store_call *sc, const struct store_call_result *r)
{
	struct store *st = sc->st;
	struct catalog_row row = { .meta = &sc->meta, .result = r, .day = sc->day };
	int rc = sc->catching_up ? catch_up(st) : 0;

	row.extents = sc->extents.p;
	row.extents_len = sc->extents.len;
	for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
		if (!state_holds(r->state[p]))
			rc = call_drop_wrap(sc, (enum store_purpose)p, true);
		else if (!sc->slot[p])
			rc = why_set(&st->why, -EINVAL, "%s is granted but was never committed",
				     store_purpose_names[p]);
		row.purpose_day[p] = sc->slot[p] ? sc->purpose_day[p] : 0;
		row.purpose_slot[p] = sc->slot[p];
		row.kept = row.kept || sc->slot[p];
		row.hash[p] = sc->has_hash[p] ? sc->hash[p] : NULL; /* two parties, two purposes */
	}
	if (row.kept) {
		row.numbers = sc->numbers.p;
		row.numbers_len = sc->numbers.len;
	}
	if (!rc)
		rc = add_row(st, &row);
	/* Row and record are two files: who finds both believes the row. */
	if (!rc && sc->listed)
		rc = opens_delete(st->opens, &sc->meta.uid, &st->why);
	if (rc)
		store_call_abort(sc);
	else
		call_free(sc);
	return rc;
}

int store_call_denied(struct store *st, const struct store_call_meta *meta,
		      const struct store_call_result *r)
{
	struct catalog_row row = { .meta = meta, .result = r };
	uint8_t hash[2][NUMBER_HASH];
	bool has[2];
	int rc = check_writable(st);

	if (!rc)
		rc = call_day(st, meta, &row.day);
	for (int p = 0; !rc && p < STORE_PURPOSES; p++)
		if (state_holds(r->state[p]))
			rc = why_set(&st->why, -EINVAL, "a denied call cannot have %s granted",
				     store_purpose_names[p]);
	if (rc)
		return rc;
	hash_numbers(st, meta, hash, has);
	for (int i = 0; i < 2; i++)
		row.hash[i] = has[i] ? hash[i] : NULL;
	return add_row(st, &row);
}

