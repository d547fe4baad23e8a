/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_mock.h - a store that only remembers
 *
 * The store's functions are defined here, so that every byte handed to it is
 * seen, and errors can be made at will. Included by one test program each.
 */
#ifndef STORE_MOCK_H
#define STORE_MOCK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../fakecalls.h"
#include "store/store.h"

struct store {
	unsigned begun, aborted, left, ended, denied, dropped, committed, noted;
	enum store_state noted_state[2];
	char grounds[64]; /* purpose and words of the last */
	int begin_error, append_error, denied_error, drop_error, known;
	struct store_call_result last;
	const char *last_gap; /* of calls without audio */
	uint8_t audio[2][65536]; /* of the calls that ended well or still run */
	size_t n[2];
	unsigned syncs, shortened;
	char format[2][16]; /* of the latest two chunks */
	uint64_t until;
	int shorten_error;
	bool live; /* as with threads: a row is durable when `done` is there */
	unsigned ndone;
	struct store_done done;
	void *tag; /* of the latest row */
};

struct store_call {
	struct store *st;
	bool wrap[2];
	uint8_t audio[2][65536];
	size_t n[2];
	/* parts: for whom, since when; how many bytes of a leg each purpose may have */
	unsigned set[8], parts, leg_part[2];
	uint64_t from[8];
	bool keyed[2], gone[2], until[2];
	size_t bytes[8][2];
};

uint64_t store_drops(struct store *st)
{
	(void)st;
	return 0;
}

int store_call_known(struct store *st, const struct uid *uid, const char *controller)
{
	(void)uid;
	MUST(*controller);
	return st->known;
}

int store_call_begin(struct store *st, const struct store_call_meta *meta, struct store_call **ret)
{
	if (st->begin_error)
		return st->begin_error;
	*ret = calloc(1, sizeof(**ret));
	MUST(*ret && meta->until_ns[0] + meta->until_ns[1]);
	(*ret)->st = st;
	(*ret)->wrap[0] = meta->commit[0];
	(*ret)->wrap[1] = meta->commit[1];
	(*ret)->parts = 1;
	for (int p = 0; p < 2; p++) {
		(*ret)->until[p] = meta->until_ns[p];
		(*ret)->keyed[p] = meta->commit[p] || meta->covers[p];
		(*ret)->set[0] |= (unsigned)(*ret)->keyed[p] << p;
	}
	st->begun++;
	return 0;
}

int store_call_append(struct store_call *sc, unsigned leg, const struct chunk *c)
{
	unsigned i;

	if (sc->st->append_error)
		return sc->st->append_error;
	memcpy(sc->st->format[0], sc->st->format[1], sizeof(sc->st->format[0]));
	memcpy(sc->st->format[1], c->format.name, sizeof(sc->st->format[1]));
	for (i = 0; i < c->npkt; i++) {
		MUST(sc->n[leg] + c->pkt[i].len <= sizeof(sc->audio[leg]));
		memcpy(sc->audio[leg] + sc->n[leg], c->data + c->pkt[i].off, c->pkt[i].len);
		sc->n[leg] += c->pkt[i].len;
		sc->bytes[sc->leg_part[leg]][leg] += c->pkt[i].len;
		MUST(!sc->leg_part[leg] || c->pkt[i].arrival_ns >= sc->from[sc->leg_part[leg]]);
	}
	return 0;
}

int store_call_part(struct store_call *sc, unsigned purposes, uint64_t from_ns)
{
	if (sc->set[sc->parts - 1] == purposes)
		return 0;
	if (sc->parts == 8)
		return -ENOSPC;
	for (int p = 0; p < 2; p++) {
		MUST(!(purposes >> p & 1) || sc->until[p]);
		sc->keyed[p] |= purposes >> p & 1;
	}
	sc->from[sc->parts] = from_ns;
	sc->set[sc->parts++] = purposes;
	return 0;
}

void store_call_enter(struct store_call *sc, unsigned leg)
{
	sc->leg_part[leg] = sc->parts - 1;
}

int store_call_cover(struct store_call *sc, enum store_purpose p)
{
	if (sc->gone[p] || !sc->until[p])
		return -EINVAL;
	sc->keyed[p] = true;
	for (unsigned i = 0; i < sc->parts; i++)
		sc->set[i] |= 1u << p;
	return 0;
}

unsigned store_call_for(const struct store_call *sc, unsigned leg)
{
	return sc->set[sc->leg_part[leg]];
}

bool store_call_lost(const struct store_call *sc, unsigned leg)
{
	return !store_call_for(sc, leg);
}

bool store_call_newest(const struct store_call *sc, unsigned leg, unsigned *ret_purposes, uint64_t *ret_from_ns)
{
	*ret_purposes = sc->set[sc->parts - 1];
	*ret_from_ns = sc->from[sc->parts - 1];
	return sc->leg_part[leg] == sc->parts - 1;
}

bool store_call_keyed(const struct store_call *sc, enum store_purpose p)
{
	return sc->keyed[p];
}

int store_call_commit(struct store_call *sc, enum store_purpose p)
{
	if (!sc->keyed[p] && store_call_cover(sc, p))
		return -EINVAL;
	sc->wrap[p] = true;
	sc->st->committed++;
	return 0;
}

int store_call_drop(struct store_call *sc, enum store_purpose p)
{
	if (sc->wrap[p] && sc->st->drop_error)
		return sc->st->drop_error;
	sc->wrap[p] = sc->keyed[p] = false;
	sc->gone[p] = true;
	for (unsigned i = 0; i < sc->parts; i++)
		sc->set[i] &= ~(1u << p);
	sc->st->dropped++;
	return 0;
}

int store_call_shorten(struct store_call *sc, enum store_purpose p, uint64_t until_ns)
{
	MUST(p == STORE_DOCUMENTATION);
	sc->st->shortened++;
	sc->st->until = until_ns;
	if (sc->st->shorten_error)
		sc->wrap[p] = false;
	return sc->st->shorten_error;
}

int store_call_grounds(struct store_call *sc, enum store_purpose p, const char *text)
{
	if (!sc->keyed[0] && !sc->keyed[1])
		return -ENODATA;
	snprintf(sc->st->grounds, sizeof(sc->st->grounds), "%u %s", (unsigned)p, text);
	return 0;
}

void store_call_note(struct store_call *sc, const struct store_call_now *now)
{
	sc->st->noted++;
	sc->st->noted_state[0] = now->state[0];
	sc->st->noted_state[1] = now->state[1];
}

bool store_repairs(const struct store *st)
{
	return st->live;
}

bool store_next_done(struct store *st, struct store_done *ret)
{
	if (!st->ndone)
		return false;
	*ret = st->done;
	st->ndone = 0;
	return true;
}

int store_finish(struct store *st)
{
	return store_sync(st);
}

bool store_call_committed(const struct store_call *sc, enum store_purpose p)
{
	return sc->wrap[p];
}

int store_call_save(const struct store_call *sc, struct buf *out)
{
	buf_put8(out, (uint8_t)(sc->wrap[0] | sc->wrap[1] << 1));
	return 0;
}

int store_call_save_durable(const struct store_call *sc, struct buf *out)
{
	return store_call_save(sc, out);
}

int store_call_leave(struct store_call *sc)
{
	sc->st->left++;
	free(sc);
	return 0;
}

int store_call_resume(struct store *st, const void *bytes, size_t n, struct store_call **ret)
{
	MUST(n == 1);
	*ret = calloc(1, sizeof(**ret));
	MUST(*ret);
	(*ret)->st = st;
	(*ret)->parts = 1;
	for (int p = 0; p < 2; p++) {
		(*ret)->wrap[p] = (*ret)->keyed[p] = *(const uint8_t *)bytes >> p & 1;
		(*ret)->until[p] = true;
		(*ret)->set[0] |= (unsigned)(*ret)->keyed[p] << p;
	}
	st->begun++;
	return 0;
}

int store_call_end(struct store_call *sc, const struct store_call_result *r)
{
	struct store *st = sc->st;
	int p;

	for (p = 0; p < 2; p++)
		MUST((r->state[p] == STORE_S_GRANTED || r->state[p] == STORE_S_OBJECTED) == sc->wrap[p]);
	st->last = *r;
	st->tag = r->tag;
	st->ended++;
	memcpy(st->audio, sc->audio, sizeof(st->audio));
	memcpy(st->n, sc->n, sizeof(st->n));
	free(sc);
	return 0;
}

void store_call_abort(struct store_call *sc)
{
	sc->st->aborted++;
	free(sc);
}

int store_call_denied(struct store *st, const struct store_call_meta *meta, const struct store_call_result *r)
{
	(void)meta;
	if (st->denied_error)
		return st->denied_error;
	st->last = *r;
	st->tag = r->tag;
	st->last_gap = r->gap ? r->gap : st->last_gap;
	st->denied++;
	MUST(!r->leg[0].packets && !r->leg[1].packets);
	return 0;
}

int store_sync(struct store *st)
{
	st->syncs++;
	return 0;
}

static bool holds(const struct store *st, uint8_t byte)
{
	return memchr(st->audio[0], byte, st->n[0]) || memchr(st->audio[1], byte, st->n[1]);
}

#endif
