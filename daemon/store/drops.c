/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drops.c - slots that were overwritten, until the disk has that (store.h, store_drops)
 *
 * Without threads who overwrites waits. With them who takes packets does not: the overwriting is in the page cache
 * when drop_slot returns, which a kill -9 does not take back, and a drop is on the list until a sync covered it. A disk
 * that refused it, or a sync of that file, is asked again: written once more, since what the cache has after an error is on no disk.
 *
 * Invariants: drops are put at the head, by any thread, and taken away by drops_sync alone, which one thread at a time is in
 * (drops_lock); so it may walk from the head that it saw without the lock of the list (wraps).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/pipe.h"
#include "store/slots.h"
#include "store/store_call.h"

struct drop {
	struct drop *next;
	uint64_t number;
	char controller[STORE_NAME_MAX];
	enum store_purpose p;
	uint32_t day, slot;
	bool written;	 /* it is overwritten, */
	uint64_t failed; /* and slots_failed was this before */
	bool refused;	 /* counted in `unerased` */
};

static void overwrite(struct store *st, struct drop *d, struct why *why)
{
	bool was = d->refused;

	d->failed = slots_failed(st->slots);
	d->written = !slots_erase(st->slots, d->controller, d->p, d->day, d->slot, false, why);
	d->refused = !d->written;
	if (was != d->refused)
		figure_add(&st->figures.unerased, d->refused ? 1 : (uint64_t)-1);
}

static void put(struct store *st, struct drop *d)
{
	pthread_mutex_lock(&st->wraps);
	d->number = ++st->dropped;
	d->next = st->drops;
	st->drops = d;
	pthread_mutex_unlock(&st->wraps);
}

int drop_slot(struct store_call *sc, enum store_purpose p, uint32_t day, uint32_t slot, bool durable)
{
	struct store *st = sc->st;
	struct drop *d;
	int rc = durable ? slots_erase(st->slots, sc->meta.controller, p, day, slot, true, why_of(st)) : 0;

	if (!st->pipe)
		return durable ? rc : slots_erase(st->slots, sc->meta.controller, p, day, slot, false, why_of(st));
	if (durable && !rc)
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d) /* then it waits, or says why it cannot */
		return slots_erase(st->slots, sc->meta.controller, p, day, slot, true, why_of(st));
	d->p = p;
	d->day = day;
	d->slot = slot;
	snprintf(d->controller, sizeof(d->controller), "%s", sc->meta.controller);
	overwrite(st, d, why_of(st));
	put(st, d);
	return 0;
}

/* Those from `head` on that a sync covered; how many are left. */
static size_t take_away(struct store *st, const struct drop *head)
{
	uint64_t failed = slots_failed(st->slots);
	struct drop **at = &st->drops, *d;
	size_t left = 0;

	pthread_mutex_lock(&st->wraps);
	while (*at != head)
		at = &(*at)->next;
	while ((d = *at)) {
		if (!d->written || d->failed != failed) {
			left++;
			at = &d->next;
			continue;
		}
		*at = d->next;
		free(d);
	}
	pthread_mutex_unlock(&st->wraps);
	return left;
}

static struct drop *first(struct store *st)
{
	struct drop *d;

	pthread_mutex_lock(&st->wraps);
	d = st->drops;
	pthread_mutex_unlock(&st->wraps);
	return d;
}

int drops_sync(struct store *st, struct why *why)
{
	struct drop *head;
	int rc = 0;

	pthread_mutex_lock(&st->drops_lock);
	head = first(st);
	for (struct drop *d = head; d; d = d->next)
		if (!d->written || d->failed != slots_failed(st->slots))
			overwrite(st, d, why);
	if (head) {
		rc = slots_sync(st->slots, why);
		/* no rc: what a sync of somebody else's left, or what could not be overwritten, has its text from there */
		if (take_away(st, head) && !rc)
			rc = -EIO;
	}
	pthread_mutex_unlock(&st->drops_lock);
	return rc;
}

void drops_free(struct store *st)
{
	struct drop *d;

	while ((d = st->drops)) {
		st->drops = d->next;
		free(d);
	}
}

uint64_t store_drops(struct store *st)
{
	uint64_t n;

	pthread_mutex_lock(&st->wraps);
	n = st->dropped;
	pthread_mutex_unlock(&st->wraps);
	return n;
}

bool store_drops_wait(struct store *st, uint64_t after, uint64_t upto)
{
	bool waits = false;

	pthread_mutex_lock(&st->wraps);
	for (const struct drop *d = st->drops; d && !waits; d = d->next)
		waits = d->number > after && d->number <= upto;
	pthread_mutex_unlock(&st->wraps);
	return waits;
}

int store_drops_sync(struct store *st, char *why, size_t n)
{
	struct why w = { "" };
	int rc = drops_sync(st, &w);

	if (rc && n)
		snprintf(why, n, "%s", *w.text ? w.text : "a key that was destroyed is not overwritten on the disk yet");
	return rc;
}
