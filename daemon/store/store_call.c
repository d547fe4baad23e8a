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
#include "store/grounds.h"
#include "store/opens.h"
#include "store/party.h"
#include "store/pipe.h"
#include "store/slots.h"

/* The latest destroy-by day of the purposes that have a deadline. */
int scall_day(struct store *st, const struct store_call_meta *m, uint32_t *ret_day)
{
	uint32_t day, max = 0;

	if (name_check(m->controller))
		return why_set(why_of(st), -EINVAL, "controller name is not a file name of a-z 0-9 . _ -");
	for (int p = 0; p < STORE_PURPOSES; p++) {
		if (!m->until_ns[p]) {
			if (m->commit[p])
				return why_set(why_of(st), -EINVAL, "%s has no deadline", store_purpose_names[p]);
			continue;
		}
		if (m->until_ns[p] > INT64_MAX || day_of(m->until_ns[p], m->zone, &day))
			return why_set(why_of(st), -EINVAL, "time zone or deadline cannot be used");
		if (day > max)
			max = day;
	}
	if (!max)
		return why_set(why_of(st), -EINVAL, "call without a deadline");
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

struct store_call *scall_new(struct store *st)
{
	struct store_call *sc = calloc(1, sizeof(*sc));

	if (sc) {
		sc->st = st;
		for (int p = 0; p < STORE_PURPOSES; p++)
			sc->meta.now.reason[p] = sc->reason[p];
	}
	return sc;
}

void scall_link(struct store_call *sc)
{
	struct store *st = sc->st;

	sc->prev = &st->calls;
	sc->next = st->calls;
	if (sc->next)
		sc->next->prev = &sc->next;
	st->calls = sc;
}

void scall_durable(struct store_call *sc)
{
	sc->durable.extents = sc->extents.len;
	sc->durable.at = sc->at;
	memcpy(sc->durable.leg, sc->leg, sizeof(sc->leg));
	scall_parts_sums(sc, SUMS_DURABLE);
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
int scall_copy_meta(struct store_call *sc, const struct store_call_meta *from)
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
	sc->meta.facts = NULL;
	sc->meta.facts_len = 0;
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
	static const uint8_t nonce[12];
	struct buf plain = { 0 };
	uint8_t *out;
	int rc = -ENOMEM;

	party_put(&plain, m);
	out = buf_room(&sc->numbers, plain.len + CHUNK_TAG);
	if (!plain.failed && out)
		rc = seal(sc->st->coder.sealer, sc->key->numbers, nonce, sc->meta.uid.b, 16, plain.p, plain.len, out);
	if (!rc)
		sc->numbers.len = plain.len + CHUNK_TAG;
	if (plain.p)
		sodium_memzero(plain.p, plain.len);
	buf_free(&plain);
	return rc;
}

void scall_free(struct store_call *sc)
{
	if (!sc)
		return;
	if (sc->prev)
		*sc->prev = sc->next;
	if (sc->next)
		sc->next->prev = sc->prev;
	scall_parts_free(sc);
	buf_free(&sc->numbers);
	buf_free(&sc->grounds);
	buf_free(&sc->extents);
	buf_free(&sc->late);
	if (sc->party_text) {
		sodium_memzero(sc->party_text, sc->party_size);
		free(sc->party_text);
	}
	free(sc->strings);
	free(sc);
}

static int put_wrap(struct store_call *sc, enum store_purpose p)
{
	struct store *st = sc->st;
	uint32_t day, slot;
	int rc = slots_put(st->slots, sc->meta.controller, p, sc->meta.zone, &sc->meta.uid, sc->meta.until_ns[p],
			   sc->key->purpose[p], &day, &slot, why_of(st));

	if (rc)
		return rc;
	pthread_mutex_lock(&st->wraps);
	sc->purpose_day[p] = day;
	sc->slot[p] = slot;
	pthread_mutex_unlock(&st->wraps);
	return 0;
}

int scall_drop_wrap(struct store_call *sc, enum store_purpose p, bool durable)
{
	struct store *st = sc->st;
	uint32_t day, slot;
	int rc;

	pthread_mutex_lock(&st->wraps);
	day = sc->purpose_day[p];
	slot = sc->slot[p];
	pthread_mutex_unlock(&st->wraps);
	if (!slot)
		return 0;
	rc = drop_slot(sc, p, day, slot, durable);
	if (!rc) {
		pthread_mutex_lock(&st->wraps);
		sc->slot[p] = 0;
		pthread_mutex_unlock(&st->wraps);
	}
	return rc;
}

int scall_drop_wraps(struct store_call *sc, bool *ret_tell)
{
	int rc = 0;

	*ret_tell = false;
	for (int p = 0; p < STORE_PURPOSES; p++) {
		bool had = sc->slot[p];
		int err = scall_drop_wrap(sc, (enum store_purpose)p, false);

		rc = err ? err : rc;
		*ret_tell |= sc->meta.until_ns[p] && !had && !sc->gone[p];
	}
	return rc;
}

static int prepare_catalog(struct store *st, const char *controller, uint32_t day)
{
	int rc = catalog_prepare(st->catalog, controller, day, why_of(st));

	if (rc == -EAGAIN) { /* every database has an open transaction */
		rc = sync_here(st);
		if (!rc)
			rc = catalog_prepare(st->catalog, controller, day, why_of(st));
	}
	return rc;
}

int scall_place(struct store_call *sc)
{
	struct store *st = sc->st;

	return writer_where(st->writer, sc->meta.controller, sc->day, &sc->from.segment, &sc->from.end, why_of(st));
}

/* Its database is made now, so that a full disk shows before audio is taken and not at the end. */
int scall_open(struct store_call *sc)
{
	struct store *st = sc->st;
	int rc = left_drop(st, left_find(st, &sc->meta.uid)); /* recorded once more, from its beginning */

	if (!rc)
		rc = prepare_catalog(st, sc->meta.controller, sc->day);
	if (!rc && !sc->from.segment)
		rc = scall_place(sc);
	scall_link(sc);
	return rc;
}

static int scall_make(struct store *st, const struct store_call_meta *meta, uint32_t day, struct store_call **ret)
{
	struct store_call *sc = scall_new(st);
	int rc = -ENOMEM;

	if (!sc)
		return why_set(why_of(st), rc, "out of memory");
	sc->day = day;
	sc->epoch = st->epoch;
	randombytes_buf(&sc->id, sizeof(sc->id));
	rc = scall_copy_meta(sc, meta);
	if (!rc)
		rc = scall_parts_begin(sc);
	if (!rc)
		rc = seal_numbers(sc, meta);
	if (rc) {
		scall_free(sc);
		return why_set(why_of(st), rc, "cannot begin a call: %s", strerror(-rc));
	}
	hash_numbers(st, meta, sc->hash, sc->has_hash);
	*ret = sc;
	return 0;
}

int store_call_begin(struct store *st, const struct store_call_meta *meta, struct store_call **ret)
{
	struct store_call *sc = NULL;
	uint32_t day = 0;
	int rc = check_writable(st);

	if (!rc)
		rc = scall_day(st, meta, &day);
	if (!rc)
		rc = scall_make(st, meta, day, &sc);
	if (rc || !sc)
		return rc;
	if (!st->pipe)
		rc = scall_open(sc);
	for (int p = 0; !rc && p < STORE_PURPOSES; p++)
		if (meta->commit[p])
			rc = put_wrap(sc, (enum store_purpose)p);
	if (!rc && st->pipe)
		rc = pipe_open(sc);
	if (rc) {
		bool tell;

		if (rc == -ENOSPC || rc == -EIO || rc == -EDQUOT)
			st->err = rc;
		(void)scall_drop_wraps(sc, &tell); /* the first error counts */
		scall_free(sc);
		return rc;
	}
	figure_add(&st->figures.calls, 1);
	*ret = sc;
	return 0;
}

static uint64_t duration_ms(const char *name, uint64_t packets, uint64_t payload)
{
	bool g711 = !strcmp(name, "PCMU") || !strcmp(name, "PCMA") || !strcmp(name, "G722");

	return g711 ? payload / 8 : packets * 20; /* nearly all of them send a packet every 20 ms */
}

uint64_t leg_add(struct leg_sum *l, uint64_t packets, uint64_t payload, uint64_t last_ns)
{
	uint64_t ms = duration_ms(l->format.name, packets, payload);

	l->packets += packets;
	l->payload += payload;
	l->audio_ms += ms;
	if (last_ns > l->last_ns && last_ns <= INT64_MAX)
		l->last_ns = last_ns;
	return ms;
}

void scall_forgotten(struct store_call *sc, unsigned leg, const struct chunk *c)
{
	sc->forgotten[leg].packets += c->npkt;
	sc->forgotten[leg].audio_ms += duration_ms(c->format.name, c->npkt, c->nbytes);
}

static void note_chunk(struct store_call *sc, const struct coded *k, const struct extent *e)
{
	unsigned leg = k->h.leg;
	struct leg_sum *l = sc->catching_up ? &sc->late_leg[leg] : &sc->leg[leg];

	if (sc->catching_up)
		buf_put(&sc->late, e, sizeof(*e));
	else
		extent_put(&sc->extents, &sc->at, e);
	sc->leg[leg].format = l->format = k->format;
	scall_parts_add(sc, k->h.part, leg, k->h.packets, leg_add(l, k->h.packets, k->h.payload, k->last_ns), sc->catching_up);
}

int coder_new(struct coder *c)
{
	*c = (struct coder){ .plain = sodium_malloc(CODEC_BODY_MAX), .chunk = malloc(CHUNK_DISK_MAX) };
	return !c->plain || !c->chunk || codec_new(&c->codec) || sealer_new(&c->sealer) ? -ENOMEM : 0;
}

void coder_free(struct coder *c)
{
	codec_free(c->codec);
	sealer_free(c->sealer);
	sodium_free(c->plain); /* wipes */
	free(c->chunk);
	*c = (struct coder){ 0 };
}

int chunk_code(struct coder *c, struct store_call *sc, unsigned leg, uint32_t part, const struct partkey *key,
	       const struct chunk *k, struct coded *ret)
{
	struct chunk_head h = { .uid = sc->meta.uid, .leg = (uint8_t)leg, .part = part };
	struct store *st = sc->st;
	uint8_t nonce[12];
	size_t n = 0;
	int rc = leg > 1 ? -EINVAL : codec_encode(c->codec, k, c->plain, &n, &h);

	if (rc)
		return why_set(why_of(st), rc, "chunk cannot be coded: %s", strerror(-rc));
	if (sc->epoch != st->epoch) { /* repaired: chunks of before may be missing, so numbers begin anew */
		sc->epoch = st->epoch;
		sc->chunks[0] = sc->chunks[1] = 0;
	}
	h.epoch = sc->epoch;
	/* Used up even if this chunk comes to nothing: a number is a nonce (FORMAT.md). */
	h.number = sc->chunks[leg]++;
	h.length = (uint32_t)(CHUNK_HEAD + n + CHUNK_TAG);
	chunk_head_format(&h, c->chunk);
	chunk_nonce(&h, nonce);
	rc = seal(c->sealer, key->leg[leg], nonce, c->chunk, CHUNK_AD, c->plain, n, c->chunk + CHUNK_HEAD);
	if (rc)
		return why_set(why_of(st), rc, "libcrypto cannot encrypt");
	chunk_head_seal(c->chunk, h.length);
	*ret = (struct coded){ .h = h, .format = k->format, .last_ns = k->pkt[k->npkt - 1].arrival_ns };
	return 0;
}

int scall_append(struct store_call *sc, const struct coded *k, const uint8_t *bytes, struct extent *ret)
{
	struct store *st = sc->st;
	uint64_t segments = writer_segments(st->writer);
	int rc = writer_append(st->writer, sc->meta.controller, sc->day, bytes, k->h.length, ret, why_of(st));

	figure_add(&st->figures.segments, writer_segments(st->writer) - segments);
	return rc;
}

int scall_written(struct store_call *sc, const struct coded *k, const struct extent *e)
{
	struct store *st = sc->st;

	note_chunk(sc, k, e);
	if (sc->extents.failed || sc->late.failed)
		return why_set(why_of(st), -ENOMEM, "out of memory");
	figure_add(&st->figures.chunks, 1);
	figure_add(&st->figures.payload_bytes, k->h.payload);
	figure_add(&st->figures.stored_bytes, segment_round(k->h.length));
	return 0;
}

static int write_here(struct store_call *sc, const struct coded *k, const uint8_t *bytes)
{
	struct extent e;
	int rc = scall_append(sc, k, bytes, &e);

	if (rc)
		sc->st->err = rc;
	return rc ? rc : scall_written(sc, k, &e);
}

int store_call_append(struct store_call *sc, unsigned leg, const struct chunk *c)
{
	struct store *st = sc->st;
	struct coded k = { .last_ns = 0 };
	const struct partkey *key;
	int rc;

	if (leg > 1)
		return why_set(why_of(st), -EINVAL, "no such leg");
	key = sc->parts.v[sc->leg_part[leg]].key;
	if (!key) { /* what it was for is destroyed: so is this */
		scall_forgotten(sc, leg, c);
		return 0;
	}
	if (st->pipe)
		return pipe_append(sc, leg, c);
	rc = check_writable(st);
	if (!rc)
		rc = chunk_code(&st->coder, sc, leg, sc->leg_part[leg], key, c, &k);
	return rc ? rc : write_here(sc, &k, st->coder.chunk);
}

int store_call_commit(struct store_call *sc, enum store_purpose p)
{
	struct store *st = sc->st;
	int rc;

	if (!sc->meta.until_ns[p])
		return why_set(why_of(st), -EINVAL, "%s has no deadline", store_purpose_names[p]);
	if (!sc->keyed[p]) {
		rc = store_call_cover(sc, p);
		if (rc)
			return rc;
	}
	sc->stale = true;
	return sc->slot[p] ? 0 : put_wrap(sc, p);
}

int store_call_shorten(struct store_call *sc, enum store_purpose p, uint64_t until_ns)
{
	struct store *st = sc->st;
	uint32_t day = sc->purpose_day[p], slot = sc->slot[p];
	int rc, rc2;

	if (!until_ns || !sc->meta.until_ns[p] || until_ns >= sc->meta.until_ns[p] || (sc->gone[p] && !sc->keyed[p]))
		return 0;
	pthread_mutex_lock(&st->wraps);
	sc->meta.until_ns[p] = until_ns;
	pthread_mutex_unlock(&st->wraps);
	sc->stale = true;
	if (!slot)
		return 0;
	rc = put_wrap(sc, p); /* in place of the old one */
	if (rc) {
		pthread_mutex_lock(&st->wraps);
		sc->slot[p] = 0;
		pthread_mutex_unlock(&st->wraps);
	}
	/* a crash in between leaves two; the one that no record names is overwritten (store_settle) */
	rc2 = drop_slot(sc, p, day, slot, !st->pipe);
	return rc ? rc : rc2;
}

/* What is known of the call in open.db must be without the purpose too, or a state saved earlier brings it back. */
int scall_forget(struct store_call *sc)
{
	struct store *st = sc->st;
	struct buf record = { 0 };
	int rc;

	if (!sc->listed)
		return 0;
	record_put(sc, &record);
	rc = record.failed ? why_set(why_of(st), -ENOMEM, "out of memory") :
			     opens_put(st->opens, &sc->meta.uid, record.p, record.len, why_of(st));
	buf_free(&record);
	return rc ? rc : opens_sync(st->opens, why_of(st));
}

int store_call_drop(struct store_call *sc, enum store_purpose p)
{
	struct store *st = sc->st;
	bool had = sc->slot[p];
	int rc;

	scall_parts_drop(sc, p);
	rc = scall_drop_wrap(sc, p, !st->pipe);
	/* Even who kept a copy of the wrap has nothing of what comes now. */
	sc->parting |= had;
	sc->stale = true;
	if (rc || had || st->pipe) /* an overwritten slot says it already; with threads the next sync has the record */
		return rc;
	return scall_forget(sc);
}

int store_call_grounds(struct store_call *sc, enum store_purpose p, const char *text)
{
	struct store *st = sc->st;
	int rc;

	if (!sc->key || (!sc->keyed[STORE_DOCUMENTATION] && !sc->keyed[STORE_TRAINING]))
		return why_set(why_of(st), -ENODATA, "nothing of the call is kept");
	pthread_mutex_lock(&st->wraps);
	rc = grounds_seal(st->coder.sealer, sc->key->numbers, &sc->meta.uid, p, text, &sc->grounds);
	pthread_mutex_unlock(&st->wraps);
	if (rc)
		return why_set(why_of(st), rc, "grounds cannot be kept: %s", strerror(-rc));
	sc->stale = true;
	return 0;
}

void scall_note(struct store_call *sc, const struct store_call_now *now)
{
	copy_now(sc, now);
	sc->stale = true;
}

void store_call_note(struct store_call *sc, const struct store_call_now *now)
{
	if (sc->st->pipe)
		pipe_note(sc, now);
	else
		scall_note(sc, now);
}

int scall_close(struct store_call *sc, bool tell)
{
	struct store *st = sc->st;
	int rc = 0;

	if (sc->listed && st->opens) {
		rc = opens_delete(st->opens, &sc->meta.uid, why_of(st));
		/* a purpose without a wrap: the missing record is what tells that it is over */
		if (!rc && tell)
			rc = opens_sync(st->opens, why_of(st));
	}
	scall_free(sc);
	return rc;
}

void scall_abort(struct store_call *sc)
{
	struct store *st = sc->st;
	bool tell;
	/* The wrap that cannot be erased dies with its bucket; a disk like that takes no more calls. */
	int rc = scall_drop_wraps(sc, &tell), err = scall_close(sc, tell);

	if ((rc || err) && !st->err)
		st->err = rc ? rc : err;
}

void store_call_abort(struct store_call *sc)
{
	if (sc->st->pipe)
		pipe_abort(sc);
	else
		scall_abort(sc);
}

void scall_shorten(struct store_call *sc)
{
	if (sc->extents.len != sc->durable.extents || sc->late.len)
		sc->lost++;
	sc->extents.len = sc->durable.extents;
	sc->at = sc->durable.at;
	memcpy(sc->leg, sc->durable.leg, sizeof(sc->leg));
	buf_reset(&sc->late);
	memset(sc->late_leg, 0, sizeof(sc->late_leg));
	scall_parts_sums(sc, SUMS_SHORTEN);
	sc->stale = true;
}

/*
 * Behind the call's last chunk, for who has lost the catalog (store_rebuild). No segment is made for calls without audio.
 * The row is what counts: a disk that has no room for both gets it alone, and one that fails tells when it syncs.
 */
static void copy_row(struct store *st, const struct catalog_row *row)
{
	const char *controller = row->meta->controller;
	struct buf bytes = { 0 };
	struct why why = { "" };
	struct extent e;

	if ((row->extents_len || writer_has(st->writer, controller, row->day)) && !catalog_copy(st->catalog, row, &bytes, &why))
		(void)writer_append(st->writer, controller, row->day, bytes.p, (uint32_t)bytes.len, &e, &why);
	buf_free(&bytes);
}

int add_row(struct store *st, const struct catalog_row *row)
{
	int rc;

	reserve_release(st);
	if (catalog_pending(st->catalog) >= PENDING_MAX) {
		rc = sync_here(st);
		if (rc)
			return rc;
	}
	rc = catalog_add(st->catalog, row, why_of(st));
	if (rc == -EAGAIN) { /* every database has an open transaction */
		rc = sync_here(st);
		if (!rc)
			rc = catalog_add(st->catalog, row, why_of(st));
	}
	if (rc && rc != -EEXIST && rc != -EINVAL)
		st->err = rc;
	if (!rc)
		copy_row(st, row);
	return rc;
}

/* Audio of a part whose purposes are all destroyed is kept for nobody. all: r has what never came here, too. */
static void leave_out(const struct store_call *sc, const bool live[STORE_PURPOSES], bool all, struct store_call_result *r)
{
	for (unsigned i = 0; i < 2; i++) {
		struct store_leg_figures *f = &r->leg[i];
		struct part_sum lost;

		scall_parts_lost(sc, live, i, &lost);
		lost.packets += all ? sc->forgotten[i].packets : 0;
		lost.audio_ms += all ? sc->forgotten[i].audio_ms : 0;
		f->packets -= f->packets < lost.packets ? f->packets : lost.packets;
		f->audio_ms -= f->audio_ms < lost.audio_ms ? f->audio_ms : lost.audio_ms;
	}
}

/* The caller may know less than was kept (before a take-over), or more (shed, lost). */
static void recount(const struct store_call *sc, struct store_call_result *r)
{
	for (int i = 0; i < 2; i++) {
		struct store_leg_figures *f = &r->leg[i];
		uint64_t own = f->packets + f->noise, kept = sc->leg[i].packets;
		uint64_t n = kept > own ? kept - own : own - kept;

		if (!n)
			continue;
		if (kept > own) {
			f->packets += n;
			f->lost -= f->lost < n ? f->lost : n;
		} else {
			f->packets -= f->packets < n ? f->packets : n;
			f->lost += n;
		}
		f->audio_ms = sc->leg[i].audio_ms;
	}
}

int row_parts(struct store_call *sc, const bool live[STORE_PURPOSES], bool all, struct store_call_result *r, struct buf *parts,
	      struct catalog_row *row)
{
	if (live[0] || live[1])
		leave_out(sc, live, all, r);
	parts_put(&sc->parts, live, false, parts);
	row->parts = parts->p;
	row->parts_len = parts->len;
	return parts->failed ? why_set(why_of(sc->st), -ENOMEM, "out of memory") : 0;
}

int scall_row(struct store_call *sc, const struct store_call_result *result, struct store_call_result *ret)
{
	struct store_call_result r = *result;
	struct store *st = sc->st;
	struct catalog_row row = { .meta = &sc->meta, .result = &r, .day = sc->day };
	struct buf parts = { 0 };
	bool live[STORE_PURPOSES], counted;
	int rc = sc->catching_up ? catch_up(st) : 0;

	counted = r.recount || sc->shed || sc->lost;
	if (counted)
		recount(sc, &r);
	if (!r.gap || !*r.gap)
		r.gap = sc->lost ? "disk" : sc->shed ? "overload" : r.gap;
	row.extents = sc->extents.p;
	row.extents_len = sc->extents.len;
	for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
		if (!state_holds(r.state[p]))
			rc = scall_drop_wrap(sc, (enum store_purpose)p, true);
		else if (!sc->slot[p])
			rc = why_set(why_of(st), -EINVAL, "%s is granted but was never committed",
				     store_purpose_names[p]);
		row.purpose_day[p] = sc->slot[p] ? sc->purpose_day[p] : 0;
		row.purpose_slot[p] = sc->slot[p];
		live[p] = sc->slot[p];
		row.kept = row.kept || live[p];
		row.hash[p] = sc->has_hash[p] ? sc->hash[p] : NULL; /* two parties, two purposes */
	}
	if (row.kept) {
		row.numbers = sc->numbers.p;
		row.numbers_len = sc->numbers.len;
		row.grounds = sc->grounds.len ? sc->grounds.p : NULL;
		row.grounds_len = sc->grounds.len;
	}
	if (!rc)
		rc = row_parts(sc, live, !counted, &r, &parts, &row);
	if (!rc)
		rc = add_row(st, &row);
	buf_free(&parts);
	if (!rc)
		rc = marks_note(st, sc);
	/* Row and record are two files: who finds both believes the row. */
	if (!rc && sc->listed)
		rc = opens_delete(st->opens, &sc->meta.uid, why_of(st));
	if (rc && rc != -EINVAL && rc != -EEXIST && st->pipe)
		st->err = rc;
	*ret = r;
	return rc;
}

int scall_end(struct store_call *sc, const struct store_call_result *result)
{
	struct store_call_result r;
	int rc = scall_row(sc, result, &r);

	if (rc)
		scall_abort(sc);
	else
		scall_free(sc);
	return rc;
}

int store_call_end(struct store_call *sc, const struct store_call_result *r)
{
	return sc->st->pipe ? pipe_end(sc, r) : scall_end(sc, r);
}

int denied_row(struct store *st, const struct store_call_meta *meta, const struct store_call_result *r)
{
	struct catalog_row row = { .meta = meta, .result = r };
	uint8_t hash[2][NUMBER_HASH];
	bool has[2];
	int rc = scall_day(st, meta, &row.day);

	if (rc)
		return rc;
	hash_numbers(st, meta, hash, has);
	for (int i = 0; i < 2; i++)
		row.hash[i] = has[i] ? hash[i] : NULL;
	return add_row(st, &row);
}

int store_call_denied(struct store *st, const struct store_call_meta *meta,
		      const struct store_call_result *r)
{
	uint32_t day;
	int rc = st->pipe ? 0 : check_writable(st); /* else it is counted there */

	if (!rc)
		rc = scall_day(st, meta, &day);
	for (int p = 0; !rc && p < STORE_PURPOSES; p++)
		if (state_holds(r->state[p]))
			rc = why_set(why_of(st), -EINVAL, "a denied call cannot have %s granted",
				     store_purpose_names[p]);
	if (rc)
		return rc;
	return st->pipe ? pipe_denied(st, meta, r) : denied_row(st, meta, r);
}
