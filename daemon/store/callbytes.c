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

#include "store/store_call.h"

#define VERSION	    1
#define TEXT_MAX    1024
#define NUMBERS_MAX 4096
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
		buf_put8(out, sc->gone[p]);
	}
	pthread_mutex_unlock(&sc->st->wraps);
	for (int i = 0; i < 2; i++) {
		buf_put8(out, sc->has_hash[i]);
		buf_put(out, sc->hash[i], NUMBER_HASH);
		put_leg(out, &sc->durable.leg[i]);
	}
	put_bytes(out, sc->numbers.p, sc->numbers.len);
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

static bool get_purpose(struct rd *r, struct store_call *sc, int p, char **at, char *end)
{
	struct store_call_now *now = &sc->meta.now;
	uint8_t state, gone;

	sc->meta.until_ns[p] = rd_le64(r);
	state = rd_u8(r);
	if (state >= STORE_S_MAX || !get_text(r, at, end, &now->reason[p]))
		return false;
	now->state[p] = (enum store_state)state;
	sc->purpose_day[p] = rd_le32(r);
	sc->slot[p] = rd_le32(r);
	gone = rd_u8(r);
	sc->gone[p] = gone;
	if (gone > 1 || sc->meta.until_ns[p] > INT64_MAX)
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

static bool get_all(struct rd *r, struct store_call *sc, char strings[STRINGS_MAX])
{
	const char **texts[] = { &sc->meta.controller, &sc->meta.zone,	      &sc->meta.rule,
				 &sc->meta.policy_hash, &sc->meta.scenario, &sc->meta.sip_call_id,
				 &sc->meta.agent };
	char *at = strings, *end = strings + STRINGS_MAX;
	const uint8_t *p = rd_bytes(r, sizeof(magic));
	uint8_t has;

	if (!p || memcmp(p, magic, sizeof(magic)) || rd_le16(r) != VERSION)
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
		if (!get_purpose(r, sc, i, &at, end))
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
	else if (sc->numbers.failed || sc->extents.failed)
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

void saved_put(const struct store_call *sc, struct buf *out)
{
	size_t from = out->len;

	if (!buf_room(out, SAVED_SIZE)) /* so that no growing leaves a copy of the key behind */
		return;
	buf_put(out, "OPTAGKEY", 8);
	buf_put_le16(out, VERSION);
	buf_put(out, sc->meta.uid.b, sizeof(sc->meta.uid.b));
	buf_put_le64(out, sc->id);
	buf_put_le32(out, sc->st->epoch);
	for (int p = 0; p < STORE_PURPOSES; p++)
		buf_put8(out, sc->gone[p]);
	buf_put(out, sc->key->data, sizeof(sc->key->data));
	buf_put_le32(out, crc32c(0, out->p + from, out->len - from));
}

bool saved_get(const uint8_t *p, size_t n, struct saved *ret)
{
	struct rd r = { .p = p, .left = n };

	if (n != SAVED_SIZE || memcmp(rd_bytes(&r, 8), "OPTAGKEY", 8) || rd_le16(&r) != VERSION)
		return false;
	memcpy(ret->uid.b, rd_bytes(&r, sizeof(ret->uid.b)), sizeof(ret->uid.b));
	ret->id = rd_le64(&r);
	ret->epoch = rd_le32(&r);
	for (int i = 0; i < STORE_PURPOSES; i++) {
		uint8_t gone = rd_u8(&r);

		if (gone > 1)
			return false;
		ret->gone[i] = gone;
	}
	ret->data = rd_bytes(&r, 32);
	return rd_le32(&r) == crc32c(0, p, n - 4);
}
