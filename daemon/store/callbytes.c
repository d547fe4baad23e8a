/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callbytes.c - a call in progress as bytes and back (FORMAT.md section 8)
 *
 * What comes in may be damaged or made up: every length and value is checked
 * here, so that the rest may believe it.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/grounds.h"
#include "store/store_call.h"

#define VERSION	      3
#define VERSION_PARTS 2 /* of format 2: training has no date by which it is to be used, and no grounds; read, never written, as */
#define VERSION_OLD   1 /* of format 1: calls without parts */
#define SAVED_VERSION 3
#define SAVED_OLD     2 /* without grounds: the daemon before may be older */
#define TEXT_MAX    1024
#define NUMBERS_MAX 4096
#define PARTS_BYTES (1u << 16)
#define EXTENTS_MAX (16u << 20) /* 20 bytes a chunk, a chunk a second: nine days */

static const char magic[8] = "OPTAGCAL";

static void put_text(struct buf *b, const char *s)
{
	size_t n = s ? strnlen(s, TEXT_MAX) : 0;

	buf_put_le16(b, (uint16_t)n);
	buf_put(b, s, n);
}

static void put_bytes(struct buf *b, const uint8_t *p, size_t n)
{
	buf_put_le32(b, (uint32_t)n);
	buf_put(b, p, n);
}

static void put_leg(struct buf *b, const struct leg_sum *l)
{
	buf_put_le64(b, l->packets);
	buf_put_le64(b, l->payload);
	buf_put_le64(b, l->audio_ms);
	buf_put_le64(b, l->last_ns);
	put_text(b, l->format.name);
	buf_put_le32(b, l->format.clock);
	buf_put8(b, l->format.channels);
	buf_put8(b, l->format.pt);
	put_text(b, l->format.fmtp);
}

void record_put(const struct store_call *sc, struct buf *out)
{
	const struct store_call_meta *m = &sc->meta;
	const char *texts[] = { m->controller, m->zone,	       m->rule, m->policy_hash,
				m->scenario,   m->sip_call_id, m->agent };
	bool live[STORE_PURPOSES];
	struct buf parts = { 0 }, grounds = { 0 };
	size_t from = out->len;

	buf_put(out, magic, sizeof(magic));
	buf_put_le16(out, VERSION);
	buf_put(out, m->uid.b, sizeof(m->uid.b));
	buf_put_le64(out, sc->id);
	buf_put_le32(out, sc->day);
	buf_put_le64(out, m->start_ns);
	buf_put_le64(out, m->now.answer_ns);
	buf_put_le64(out, m->now.keep_ns);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		put_text(out, texts[i]);
	pthread_mutex_lock(&sc->st->wraps);
	for (int p = 0; p < STORE_PURPOSES; p++) {
		buf_put_le64(out, m->until_ns[p]);
		buf_put8(out, (uint8_t)m->now.state[p]);
		put_text(out, m->now.reason[p]);
		buf_put_le32(out, sc->purpose_day[p]);
		buf_put_le32(out, sc->slot[p]);
		buf_put_le32(out, sc->gone[p]);
		live[p] = sc->slot[p]; /* nobody gets what was not committed */
	}
	parts_put(&sc->parts, live, true, &parts);
	buf_put(&grounds, sc->grounds.p, sc->grounds.len);
	pthread_mutex_unlock(&sc->st->wraps);
	put_bytes(out, parts.p, parts.len);
	out->failed |= parts.failed;
	buf_free(&parts);
	buf_put_le64(out, m->training_use_by);
	for (int i = 0; i < 2; i++) {
		buf_put8(out, sc->has_hash[i]);
		buf_put(out, sc->hash[i], NUMBER_HASH);
		put_leg(out, &sc->durable.leg[i]);
	}
	put_bytes(out, sc->numbers.p, sc->numbers.len);
	put_bytes(out, grounds.p, grounds.len);
	out->failed |= grounds.failed;
	buf_free(&grounds);
	buf_put_le32(out, sc->from.segment);
	buf_put_le64(out, sc->from.end);
	buf_put_le32(out, sc->durable.at.segment);
	buf_put_le64(out, sc->durable.at.end);
	put_bytes(out, sc->extents.p, sc->durable.extents);
	if (!out->failed)
		buf_put_le32(out, crc32c(0, out->p + from, out->len - from));
}

/* ---- back ---- */

/* A text into *at, terminated; false: too long for what is left of it, or with a zero in it. */
static bool get_text(struct rd *r, char **at, char *end, const char **ret)
{
	uint16_t n = rd_le16(r);
	const uint8_t *p = rd_bytes(r, n);

	if (!p || n > TEXT_MAX || memchr(p, 0, n) || (size_t)(end - *at) < (size_t)n + 1)
		return false;
	memcpy(*at, p, n);
	(*at)[n] = 0;
	*ret = *at;
	*at += n + 1;
	return true;
}

static bool get_small(struct rd *r, char *out, size_t room)
{
	const char *s;
	char *at = out;

	return get_text(r, &at, out + room, &s);
}

static bool get_bytes(struct rd *r, size_t max, struct buf *ret)
{
	uint32_t n = rd_le32(r);
	const uint8_t *p = n <= max ? rd_bytes(r, n) : NULL;

	if (!p)
		return false;
	buf_put(ret, p, n);
	return true;
}

static bool get_leg(struct rd *r, struct leg_sum *l)
{
	l->packets = rd_le64(r);
	l->payload = rd_le64(r);
	l->audio_ms = rd_le64(r);
	l->last_ns = rd_le64(r);
	if (!get_small(r, l->format.name, sizeof(l->format.name)))
		return false;
	l->format.clock = rd_le32(r);
	l->format.channels = rd_u8(r);
	l->format.pt = rd_u8(r);
	return get_small(r, l->format.fmtp, sizeof(l->format.fmtp)) && l->last_ns <= INT64_MAX;
}

static bool day_sound(uint32_t day)
{
	char text[16];
	struct clock_date d;

	if (day > 99999999)
		return false;
	day_text(day, text);
	return !clock_date_parse(text, strlen(text), &d);
}

static bool get_purpose(struct rd *r, struct store_call *sc, bool old, int p, char **at, char *end)
{
	struct store_call_now *now = &sc->meta.now;
	uint8_t state;

	sc->meta.until_ns[p] = rd_le64(r);
	state = rd_u8(r);
	if (state >= STORE_S_MAX || !get_text(r, at, end, &now->reason[p]))
		return false;
	now->state[p] = (enum store_state)state;
	sc->purpose_day[p] = rd_le32(r);
	sc->slot[p] = rd_le32(r);
	sc->gone[p] = old ? rd_u8(r) : rd_le32(r);
	if (sc->meta.until_ns[p] > INT64_MAX)
		return false;
	return !sc->slot[p] || (sc->meta.until_ns[p] && day_sound(sc->purpose_day[p]));
}

/* The list must parse, and end where it says it ends. */
static bool extents_sound(const struct store_call *sc)
{
	const uint8_t *p = sc->extents.p;
	size_t n = sc->extents.len;
	struct extent_state st = { 0 };
	struct extent e;
	int got;

	while ((got = extent_get(&p, &n, &st, &e)) == 1)
		;
	return !got && st.segment == sc->at.segment && st.end == sc->at.end;
}

static bool get_parts(struct rd *r, struct store_call *sc)
{
	uint32_t n = rd_le32(r);
	const uint8_t *p = n && n <= PARTS_BYTES ? rd_bytes(r, n) : NULL;

	return p && !parts_get(p, n, &sc->parts);
}

static bool get_all(struct rd *r, struct store_call *sc, char strings[STRINGS_MAX])
{
	const char **texts[] = { &sc->meta.controller, &sc->meta.zone,	      &sc->meta.rule,
				 &sc->meta.policy_hash, &sc->meta.scenario, &sc->meta.sip_call_id,
				 &sc->meta.agent };
	char *at = strings, *end = strings + STRINGS_MAX;
	const uint8_t *p = rd_bytes(r, sizeof(magic));
	uint16_t version = rd_le16(r);
	uint8_t has;

	if (!p || memcmp(p, magic, sizeof(magic)) || version < VERSION_OLD || version > VERSION)
		return false;
	p = rd_bytes(r, sizeof(sc->meta.uid.b));
	if (!p)
		return false;
	memcpy(sc->meta.uid.b, p, sizeof(sc->meta.uid.b));
	sc->id = rd_le64(r);
	sc->day = rd_le32(r);
	sc->meta.start_ns = rd_le64(r);
	sc->meta.now.answer_ns = rd_le64(r);
	sc->meta.now.keep_ns = rd_le64(r);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!get_text(r, &at, end, texts[i]))
			return false;
	for (int i = 0; i < STORE_PURPOSES; i++)
		if (!get_purpose(r, sc, version == VERSION_OLD, i, &at, end))
			return false;
	if (version != VERSION_OLD && !get_parts(r, sc))
		return false;
	if (version >= VERSION)
		sc->meta.training_use_by = rd_le64(r);
	if (sc->meta.training_use_by > INT64_MAX)
		return false;
	for (int i = 0; i < 2; i++) {
		has = rd_u8(r);
		sc->has_hash[i] = has;
		p = rd_bytes(r, NUMBER_HASH);
		if (!p || has > 1 || !get_leg(r, &sc->leg[i]))
			return false;
		memcpy(sc->hash[i], p, NUMBER_HASH);
	}
	if (!get_bytes(r, NUMBERS_MAX, &sc->numbers))
		return false;
	if (version >= VERSION && (!get_bytes(r, GROUNDS_BYTES, &sc->grounds) || !grounds_sound(sc->grounds.p, sc->grounds.len)))
		return false;
	sc->from.segment = rd_le32(r);
	sc->from.end = rd_le64(r);
	sc->at.segment = rd_le32(r);
	sc->at.end = rd_le64(r);
	return get_bytes(r, EXTENTS_MAX, &sc->extents) && !r->bad && !name_check(sc->meta.controller) &&
	       day_sound(sc->day) && sc->meta.start_ns <= INT64_MAX && sc->meta.now.answer_ns <= INT64_MAX &&
	       sc->from.end <= SEGMENT_MAX && extents_sound(sc);
}

int record_get(struct store *st, const uint8_t *p, size_t n, struct store_call **ret)
{
	struct rd r = { .p = p, .left = n };
	struct store_call *sc = scall_new(st);
	char strings[STRINGS_MAX];
	int rc = -EBADMSG;

	if (!sc)
		return -ENOMEM;
	if (get_all(&r, sc, strings) && r.left == 4 && rd_le32(&r) == crc32c(0, p, n - 4))
		rc = scall_copy_meta(sc, &sc->meta);
	else if (sc->numbers.failed || sc->grounds.failed || sc->extents.failed)
		rc = -ENOMEM;
	if (rc) {
		scall_free(sc);
		return rc;
	}
	scall_durable(sc);
	*ret = sc;
	return 0;
}

/* ---- a saved call: what the record does not hold ---- */

#define SAVED_HEAD (8 + 2 + 16 + 8 + 4 + STORE_PURPOSES * (4 + 1 + 32) + 32 + 1)
#define SAVED_PART (4 + 8 + 1 + 1 + 32)

static const uint8_t zeros[32];

/* Some part is open to no wrap that is there: its key would outlive a crash that it must not. */
static bool uncovered(const struct store_call *sc)
{
	for (size_t i = 0; i < sc->parts.n; i++) {
		unsigned set = part_set(&sc->parts.v[i]);

		if (!(set & 1 && sc->slot[0]) && !(set & 2 && sc->slot[1]))
			return true;
	}
	return false;
}

static void put_saved_part(const struct store_call *sc, const struct part *k, const bool kept[STORE_PURPOSES], bool all,
			   struct buf *out)
{
	unsigned set = part_set(k) & ((kept[0] ? 1u : 0) | (kept[1] ? 2u : 0));
	bool has = k->key && (all || (set & 1 && sc->slot[0]) || (set & 2 && sc->slot[1]));

	buf_put_le32(out, k->epoch);
	buf_put_le64(out, k->from_ns);
	buf_put8(out, (uint8_t)set);
	buf_put8(out, has);
	buf_put(out, has ? k->key->data : zeros, 32);
}

void saved_put(const struct store_call *sc, bool all, struct buf *out)
{
	bool kept[STORE_PURPOSES];
	size_t from = out->len;

	/* so that no growing leaves a copy of a key behind */
	if (!buf_room(out, SAVED_HEAD + SAVED_PART * sc->parts.n + 4 + sc->grounds.len + 4))
		return;
	all = all || !uncovered(sc);
	buf_put(out, "OPTAGKEY", 8);
	buf_put_le16(out, SAVED_VERSION);
	buf_put(out, sc->meta.uid.b, sizeof(sc->meta.uid.b));
	buf_put_le64(out, sc->id);
	buf_put_le32(out, sc->st->epoch);
	for (int p = 0; p < STORE_PURPOSES; p++) {
		kept[p] = sc->keyed[p] && (all || sc->slot[p]);
		/* what is left out is over */
		buf_put_le32(out, sc->gone[p] + (sc->keyed[p] && !kept[p]));
		buf_put8(out, (uint8_t)(kept[p] | (sc->slot[p] ? 2 : 0)));
		buf_put(out, kept[p] ? sc->key->purpose[p] : zeros, 32);
	}
	buf_put(out, sc->key->numbers, 32);
	buf_put8(out, (uint8_t)sc->parts.n);
	for (size_t i = 0; i < sc->parts.n; i++)
		put_saved_part(sc, &sc->parts.v[i], kept, all, out);
	put_bytes(out, sc->grounds.p, sc->grounds.len); /* those that no sync covered */
	buf_put_le32(out, crc32c(0, out->p + from, out->len - from));
}

void saved_part(const struct saved *s, unsigned n, struct saved_part *ret)
{
	struct rd r = { .p = s->parts + n * SAVED_PART, .left = SAVED_PART };

	ret->epoch = rd_le32(&r);
	ret->from_ns = rd_le64(&r);
	ret->set = rd_u8(&r);
	ret->data = rd_u8(&r) ? r.p : NULL;
}

static bool parts_sound(const struct saved *s)
{
	uint32_t epoch = 0;

	for (unsigned i = 0; i < s->nparts; i++) {
		const uint8_t *raw = s->parts + i * SAVED_PART;
		struct saved_part k;

		saved_part(s, i, &k);
		if (k.set & ~((s->keyed[0] ? 1u : 0) | (s->keyed[1] ? 2u : 0)) || k.epoch < epoch || k.epoch > s->epoch || k.from_ns > INT64_MAX || raw[13] > 1 ||
		    (!raw[13] && memcmp(raw + 14, zeros, 32)))
			return false;
		epoch = k.epoch;
	}
	return true;
}

bool saved_get(const uint8_t *p, size_t n, struct saved *ret)
{
	struct rd r = { .p = p, .left = n };
	uint16_t version;

	if (n < SAVED_HEAD + SAVED_PART + 4 || memcmp(rd_bytes(&r, 8), "OPTAGKEY", 8))
		return false;
	version = rd_le16(&r);
	if (version != SAVED_VERSION && version != SAVED_OLD)
		return false;
	memcpy(ret->uid.b, rd_bytes(&r, sizeof(ret->uid.b)), sizeof(ret->uid.b));
	ret->id = rd_le64(&r);
	ret->epoch = rd_le32(&r);
	for (int i = 0; i < STORE_PURPOSES; i++) {
		uint8_t flags;

		ret->gone[i] = rd_le32(&r);
		flags = rd_u8(&r);
		ret->keyed[i] = flags & 1;
		ret->wrapped[i] = flags & 2;
		ret->purpose[i] = rd_bytes(&r, 32);
		/* a wrap without its key is none that could be given */
		if (flags > 3 || flags == 2 || (!flags && memcmp(ret->purpose[i], zeros, 32)))
			return false;
	}
	ret->numbers = rd_bytes(&r, 32);
	ret->nparts = rd_u8(&r);
	ret->parts = r.p;
	if (!ret->nparts || ret->nparts > PARTS_MAX || !rd_bytes(&r, ret->nparts * SAVED_PART) || !parts_sound(ret))
		return false;
	ret->grounds_len = version == SAVED_OLD ? 0 : rd_le32(&r);
	ret->grounds = ret->grounds_len <= GROUNDS_BYTES ? rd_bytes(&r, ret->grounds_len) : NULL;
	return ret->grounds && grounds_sound(ret->grounds, ret->grounds_len) && r.left == 4 && rd_le32(&r) == crc32c(0, p, n - 4);
}
