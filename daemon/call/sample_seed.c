/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_seed.c - the seeds of days: made before, hash published before, revealed after
 *
 * One seed per calendar date, for rules in all zones: a date begins 14 hours before it does in UTC
 * and ends 12 hours after. A seed that is due to be revealed stops drawing before it is handed out,
 * and that is on disk before, so no clock and no restart lets a public seed draw.
 */
#include "call/sample_internal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define HOUR_NS	 (3600 * NS_PER_S)
#define DAY_NS	 (DAY_S * NS_PER_S)
#define EAST_NS	 (14 * HOUR_NS)
#define WEST_NS	 (12 * HOUR_NS)
#define LAST_DAY 2932896 /* 31 December 9999 */

void sample_seed_hash(const uint8_t seed[SAMPLE_SEED], uint8_t ret[SAMPLE_SEED])
{
	(void)crypto_generichash(ret, SAMPLE_SEED, seed, SAMPLE_SEED, NULL, 0);
}

static void civil(int32_t day, struct clock_date *ret)
{
	int z = day + 719468, era = z / 146097, doe = z - era * 146097;
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	ret->day = doy - (153 * mp + 2) / 5 + 1;
	ret->month = mp < 10 ? mp + 3 : mp - 9;
	ret->year = yoe + era * 400 + (ret->month <= 2);
}

void sample_day_text(int32_t day, char out[16])
{
	struct clock_date d;

	civil(day < 0 ? 0 : day > LAST_DAY ? LAST_DAY : day, &d);
	clock_date_format(&d, out);
}

static struct seed *seed_of(struct sample *s, int32_t day)
{
	for (int i = 0; i < SAMPLE_SEEDS; i++)
		if (s->seed[i].day == day)
			return &s->seed[i];
	return NULL;
}

int sample_day_start(struct srule *r, int32_t day, uint64_t *ret_ns)
{
	struct clock_date d;
	int rc;

	if (r->start_day != day) {
		civil(day, &d);
		rc = clock_day_start(&d, r->o.set.zone, &r->start_ns);
		if (rc)
			return rc;
		r->start_day = day;
	}
	*ret_ns = r->start_ns;
	return 0;
}

const uint8_t *sample_seed_for(struct sample *s, struct srule *r, int32_t day)
{
	struct seed *k = seed_of(s, day);
	uint64_t start;

	if (!k || k->reveal || day <= 0)
		return NULL;
	if (s->cfg.late_seeds)
		return k->key;
	if (!k->commit_ns || sample_day_start(r, day, &start))
		return NULL;
	return k->commit_ns < start ? k->key : NULL;
}

/* Over everywhere; or made by a clock that had run ahead: nobody may know it when the day comes. */
static void retire(struct sample *s, struct seed *k, int32_t first, int32_t last)
{
	if (k->dead ? k->day < first : !k->commit_ns) {
		sodium_memzero(k, sizeof(*k)); /* nobody saw its hash */
		s->gen++;
	} else if (!k->reveal) {
		k->unused = k->day > last;
		k->reveal = true;
		k->gen = ++s->gen;
	}
}

int sample_tick(struct sample *s, uint64_t now_ns)
{
	int32_t first, last;
	int rc = 0;

	if (now_ns < DAY_NS || now_ns / DAY_NS > LAST_DAY - 3)
		return -EINVAL;
	first = (int32_t)((now_ns - WEST_NS) / DAY_NS); /* the date of the furthest west */
	last = (int32_t)((now_ns + EAST_NS) / DAY_NS) + 1;
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < SAMPLE_SEEDS; i++)
		if (s->seed[i].day && (s->seed[i].day < first || s->seed[i].day > last + 1))
			retire(s, &s->seed[i], first, last);
	/* A date that has begun everywhere cannot be published in time any more. */
	for (int32_t d = s->cfg.late_seeds ? first : first + 1; d <= last; d++) {
		struct seed *k = seed_of(s, d);

		if (k || d <= s->closed_day)
			continue;
		k = seed_of(s, 0);
		if (!k) {
			rc = -ENOSPC;
			break;
		}
		memset(k, 0, sizeof(*k));
		k->day = d;
		s->cfg.random(s->cfg.random_arg, k->key, sizeof(k->key));
		k->gen = ++s->gen;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* The oldest date first; its hash before itself. */
bool sample_seed_next(struct sample *s, struct sample_seed_event *ret)
{
	struct seed *best = NULL;

	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < SAMPLE_SEEDS; i++) {
		struct seed *k = &s->seed[i];

		if (k->day && !k->dead && k->gen <= s->durable && (!k->commit_ns || k->reveal) && (!best || k->day < best->day))
			best = k;
	}
	if (best) {
		ret->day = best->day;
		ret->reveal = best->commit_ns != 0;
		ret->unused = ret->reveal && best->unused;
		if (ret->reveal)
			memcpy(ret->value, best->key, SAMPLE_SEED);
		else
			sample_seed_hash(best->key, ret->value);
	}
	pthread_mutex_unlock(&s->lock);
	return best != NULL;
}

/* The seed is public. */
static void bury(struct sample *s, struct seed *k)
{
	int32_t day = k->day;
	bool unused = k->unused;

	sodium_memzero(k, sizeof(*k));
	s->gen++;
	if (unused) {
		k->day = day;
		k->reveal = k->dead = true;
	} else if (day > s->closed_day) {
		s->closed_day = day;
	}
}

static void published(struct sample *s, struct seed *k, uint64_t ns)
{
	/* Not earlier than any draw: a clock that was set back does not make a late hash an early one. */
	k->commit_ns = ns > s->high_ns ? ns : s->high_ns;
	k->commit_ns += !k->commit_ns;
	s->gen++;
}

int sample_seed_done(struct sample *s, const struct sample_seed_event *ev, uint64_t now_ns)
{
	struct seed *k;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	k = ev->day > 0 ? seed_of(s, ev->day) : NULL;
	if (!k || k->dead || (ev->reveal ? !k->reveal : k->commit_ns != 0))
		rc = -ENOENT;
	else if (ev->reveal)
		bury(s, k);
	else
		published(s, k, now_ns);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int sample_seed_seen(struct sample *s, const struct sample_seed_event *ev, uint64_t logged_ns)
{
	uint8_t hash[SAMPLE_SEED] = { 0 };
	struct seed *k;
	int rc = 0;

	if (ev->day <= 0 || ev->day > LAST_DAY)
		return -EINVAL;
	pthread_mutex_lock(&s->lock);
	k = seed_of(s, ev->day);
	if (ev->day <= s->closed_day || (k && k->dead))
		goto out;
	if (k)
		sample_seed_hash(k->key, hash);
	if (ev->reveal && k) {
		k->unused = ev->unused;
		bury(s, k);
	} else if (!ev->reveal && k && !memcmp(hash, ev->value, sizeof(hash))) {
		if (!k->commit_ns) {
			/* the log's time, whatever was drawn since: it was there before */
			k->commit_ns = logged_ns + !logged_ns;
			s->gen++;
		}
	} else {
		if (!k)
			k = seed_of(s, 0);
		if (!k) {
			rc = -ENOSPC;
			goto out;
		}
		sodium_memzero(k, sizeof(*k));
		k->day = ev->day;
		k->reveal = k->dead = true;
		s->gen++;
	}
out:
	pthread_mutex_unlock(&s->lock);
	return rc;
}
