/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_plan.c - the arithmetic of sampling: periods, what is expected, thresholds, limits by use
 *
 * Pure functions of their arguments, in integers, so that everybody gets the same result. Runs under the
 * sampler's mutex; the recomputation runs the same code. Expected calls are in 1/1024.
 */
#include "call/sample_internal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/le.h"

__extension__ typedef unsigned __int128 wide; /* products of two 64-bit figures; the one typedef, C has no other name */

/* ---- time ---- */

static int32_t day_number(const struct clock_date *d)
{
	int y = d->year - (d->month <= 2), era = y / 400, yoe = y - era * 400;
	int doy = (153 * (d->month + (d->month > 2 ? -3 : 9)) + 2) / 5 + d->day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int month_days(const struct clock_date *d)
{
	struct clock_date a = { d->year, d->month, 1 }, b = { d->year + d->month / 12, d->month % 12 + 1, 1 };

	return day_number(&b) - day_number(&a);
}

int plan_when_zone(const char *zone, uint64_t ns, struct when *ret)
{
	struct clock_date d;
	int minute, rc = clock_civil(ns, zone, &d, NULL, &minute);

	if (rc)
		return rc;
	if (d.year < 1970 || d.year > 9999)
		return -EINVAL;
	ret->day = day_number(&d);
	ret->sec = (uint32_t)minute * 60 + (uint32_t)(ns / NS_PER_S % 60);
	ret->key[POLICY_PER_HOUR] = ret->day * 24 + minute / 60;
	ret->key[POLICY_PER_DAY] = ret->day;
	ret->key[POLICY_PER_WEEK] = (ret->day + 3) / 7; /* 1 January 1970 was a Thursday */
	ret->key[POLICY_PER_MONTH] = d.year * 12 + d.month - 1;
	ret->month_days = month_days(&d);
	ret->month_day = d.day;
	return 0;
}

int plan_when(struct srule *r, uint64_t ns, struct when *ret)
{
	uint64_t q = ns / QUARTER_NS;
	int rc;

	if (!r->quarter || r->quarter != q) {
		rc = plan_when_zone(r->o.set.zone, q * QUARTER_NS, &r->at);
		if (rc)
			return rc;
		r->quarter = q;
	}
	*ret = r->at;
	ret->sec += (uint32_t)((ns - q * QUARTER_NS) / NS_PER_S);
	if (ret->sec >= DAY_S) /* offsets of the 19th century */
		ret->sec = DAY_S - 1;
	/* Another zone, or one that goes back over midnight: what was begun goes on. */
	if (ret->day < r->o.day)
		ret->day = r->o.day;
	for (int k = 0; k < SAMPLE_KINDS; k++)
		if (ret->key[k] < r->o.count.key[k])
			ret->key[k] = r->o.count.key[k];
	return 0;
}

void plan_count_roll(struct sample_count *c, const struct when *t)
{
	for (int k = 0; k < SAMPLE_KINDS; k++) {
		if (t->key[k] > c->key[k]) {
			c->key[k] = t->key[k];
			c->used[k] = 0;
		}
	}
}

static int weekday(int32_t day)
{
	return (day + 3) % 7;
}

static int class_of(int32_t day)
{
	return weekday(day) >= 5;
}

/* ---- learning ---- */

static void learn(struct sample_open *o, int class, const uint32_t arrived[24])
{
	/* The mean of the first four days, then each counts a quarter. */
	int64_t n = o->learned[class] < 3 ? (int64_t)o->learned[class] + 1 : 4;

	for (int h = 0; h < 24; h++) {
		int64_t now = (int64_t)(arrived[h] < 1U << 20 ? arrived[h] : 1U << 20) * 1024;
		int64_t was = o->expect[class][h];

		o->expect[class][h] = (uint32_t)(was + (now - was) / n);
	}
	if (o->learned[class] < UINT32_MAX)
		o->learned[class]++;
}

/* Working days without a call may be a holiday or a daemon that was down; a weekend without one is usual. */
static void learn_day(struct sample_open *o, int32_t now)
{
	static const uint32_t none[24];

	learn(o, class_of(o->day), o->arrived);
	for (int32_t d = o->day + 1; d < now && d < o->day + 14; d++)
		if (class_of(d))
			learn(o, 1, none);
}

bool plan_roll(struct srule *r, const struct when *t)
{
	struct sample_open *o = &r->o;
	struct sample_use *u;

	plan_count_roll(&o->count, t);
	if (t->day <= o->day)
		return false;
	o->since_s = o->day ? 0 : t->sec;
	if (o->day)
		learn_day(o, t->day);
	memset(o->arrived, 0, sizeof(o->arrived));
	o->day = t->day;
	u = &o->use[o->day % SAMPLE_RING];
	*u = (struct sample_use){ .day = o->day };
	plan_limits(o);
	return true;
}

uint32_t plan_arrivals(const struct sample_open *o)
{
	uint32_t n = 0;

	for (int h = 0; h < 24; h++)
		n += o->arrived[h];
	return n;
}

/* ---- limits by use (N-50) ---- */

static uint32_t limit_of(wide used_percent, uint64_t parts, int floor)
{
	wide v = (used_percent + 100 * parts - 1) / (100 * parts);

	if (v < (wide)floor)
		return (uint32_t)floor;
	return v < INT32_MAX ? (uint32_t)v : INT32_MAX;
}

/* Whole weeks, so that both have each day of the week as often, whichever day is looked from. */
#define LOOK_WEEKS 3
#define LOOK_DAYS  (LOOK_WEEKS * 7)
_Static_assert(LOOK_DAYS + SAMPLE_GRACE <= SAMPLE_RING, "days that are remembered");

struct uses {
	uint64_t recorded;	   /* of LOOK_DAYS that had their days to be used in */
	uint64_t used;		   /* in as many days, up to now */
	uint64_t days;		   /* of those, with recordings */
	uint64_t sevenths;	   /* of weeks (which end today) with recordings, from the first day that the rule had a call */
};

static void uses_of(const struct sample_open *o, struct uses *ret)
{
	int32_t week = -1, first = -1, ago, grace = o->set.grace ? o->set.grace : SAMPLE_GRACE;

	*ret = (struct uses){ 0 };
	for (int32_t d = o->day - LOOK_DAYS - grace; d < o->day; d++) {
		const struct sample_use *u = &o->use[d < 0 ? 0 : d % SAMPLE_RING];

		if (d <= 0 || u->day != d)
			continue;
		if (d < o->day - grace)
			ret->recorded += u->recorded;
		if (d < o->day - LOOK_DAYS)
			continue;
		ret->used += u->used;
		ago = o->day - 1 - d;
		if (first < 0)
			first = ago;
		if (!u->recorded)
			continue;
		ret->days++;
		if (ago / 7 != week)
			ret->sevenths += ago / 7 == first / 7 ? (unsigned)(first % 7 + 1) : 7;
		week = ago / 7;
	}
	if (ret->sevenths < 7)
		ret->sevenths = 7;
	if (ret->used > ret->recorded) /* recordings of before the window; they cannot earn more than there were */
		ret->used = ret->recorded;
}

void plan_limits(struct sample_open *o)
{
	/* What was used times 1.25 is used by 80 % again, which is the target: without a distance the cap would go up and down for ever. */
	bool low = o->limit[POLICY_PER_DAY] != SAMPLE_NONE;
	uint64_t target = (uint64_t)o->set.use_target_percent;
	struct uses u;
	wide v;

	uses_of(o, &u);
	for (int k = 0; k < SAMPLE_KINDS; k++)
		o->limit[k] = SAMPLE_NONE;
	if (!u.recorded || u.used * 200 >= u.recorded * (low ? target + 100 : target * 2))
		return;
	v = (wide)u.used * (unsigned)o->set.throttle_percent;
	o->limit[POLICY_PER_HOUR] = limit_of(v, u.days ? u.days : 1, o->set.use_floor);
	o->limit[POLICY_PER_DAY] = o->limit[POLICY_PER_HOUR];
	o->limit[POLICY_PER_WEEK] = limit_of(v * 7, u.sevenths, o->set.use_floor);
	/* of a rule that is younger it is not known what a month will use */
	o->limit[POLICY_PER_MONTH] = u.sevenths < LOOK_DAYS ? limit_of(v, 1, o->set.use_floor) :
							      limit_of(v * 30, LOOK_DAYS, o->set.use_floor);
}

void plan_use(struct sample_open *o, uint32_t n)
{
	struct sample_use *u = &o->use[o->day % SAMPLE_RING];

	u->used = n > UINT32_MAX - u->used ? UINT32_MAX : u->used + n;
}

/* ---- what is expected ---- */

struct outlook {
	uint64_t left;	      /* expected until the period's end, scaled by today, this call not counted */
	uint64_t gone, total; /* of the period, unscaled; total 0: unknown */
};

static uint64_t class_total(const struct sample_open *o, int class)
{
	uint64_t sum = 0;

	if (!o->learned[class])
		class = !class;
	for (int h = 0; h < 24; h++)
		sum += o->expect[class][h];
	return sum;
}

/* Calls on the days from..to after (before) the day; to excluded. */
static uint64_t days_total(const struct sample_open *o, int32_t from, int32_t to)
{
	uint64_t work = class_total(o, 0), weekend = class_total(o, 1), sum = 0;

	for (int32_t d = from; d < to; d++)
		sum += class_of(d) ? weekend : work;
	return sum;
}

/* First day of the period and the one after its last. */
static void period_days(const struct when *t, enum policy_cap_per per, int32_t *ret_from, int32_t *ret_to)
{
	*ret_from = t->day;
	*ret_to = t->day + 1;
	if (per == POLICY_PER_WEEK) {
		*ret_from = t->day - weekday(t->day);
		*ret_to = *ret_from + 7;
	} else if (per == POLICY_PER_MONTH) {
		*ret_from = t->day - t->month_day + 1;
		*ret_to = *ret_from + t->month_days;
	}
}

/* When the day's calls began, in seconds of it: before that their pace says nothing. */
static uint32_t began(const struct sample_open *o)
{
	uint32_t h = 0;

	while (h < 24 && !o->arrived[h])
		h++;
	return h < 24 && h * 3600 > o->since_s ? h * 3600 : o->since_s;
}

/* Nothing was learned yet: calls come at the pace of today so far. */
static void outlook_uniform(const struct sample_open *o, const struct when *t, enum policy_cap_per per,
			    struct outlook *ret)
{
	uint32_t since = began(o);
	uint64_t elapsed = t->sec > since + 900 ? t->sec - since : 900;
	uint64_t gone, total;
	int32_t from, to;

	if (per == POLICY_PER_HOUR) {
		gone = t->sec % 3600;
		total = 3600;
	} else {
		period_days(t, per, &from, &to);
		gone = (uint64_t)(t->day - from) * DAY_S + t->sec;
		total = (uint64_t)(to - from) * DAY_S;
	}
	ret->gone = gone;
	ret->total = total;
	ret->left = (uint64_t)((wide)(plan_arrivals(o) + 1ULL) * 1024 * (total - gone) / elapsed);
}

/* By how busy this hour and the one before were, so that a flood is forgotten two hours after it. */
static uint64_t scale(const struct sample_open *o, const uint32_t expect[24], int h, uint64_t here, uint64_t day,
		      uint64_t left)
{
	uint64_t k = day / 16 + 4096; /* so many calls have to differ before the pace counts as another */
	uint64_t came = (o->arrived[h] + (h ? o->arrived[h - 1] : 0ULL)) * 1024;
	uint64_t due = expect[h] - here + (h ? expect[h - 1] : 0);
	uint64_t v = (uint64_t)((wide)left * (came + k) / (due + k));

	return v > left * 4 ? left * 4 : v < left / 4 ? left / 4 : v;
}

/* By what was learned of days of this class: day of its calls each. */
static void outlook_learned(const struct sample_open *o, const struct when *t, enum policy_cap_per per, int class,
			    uint64_t day, struct outlook *ret)
{
	int h = (int)(t->sec / 3600);
	uint64_t here = (uint64_t)o->expect[class][h] * (3600 - t->sec % 3600) / 3600, left = here;
	int32_t from, to;

	for (int k = h + 1; k < 24; k++)
		left += o->expect[class][k];
	if (per == POLICY_PER_HOUR) {
		ret->left = scale(o, o->expect[class], h, here, day, here);
		ret->total = o->expect[class][h];
		ret->gone = ret->total - here;
		return;
	}
	period_days(t, per, &from, &to);
	ret->left = scale(o, o->expect[class], h, here, day, left) + days_total(o, t->day + 1, to);
	ret->gone = days_total(o, from, t->day) + day - left;
	ret->total = ret->gone + left + days_total(o, t->day + 1, to);
}

/* (a * wa + b * wb) / (wa + wb) */
static uint64_t mix(uint64_t a, uint64_t wa, uint64_t b, uint64_t wb)
{
	return (uint64_t)(((wide)a * wa + (wide)b * wb) / (wa + wb));
}

#define LITTLE (32 * 1024ULL) /* a profile of so many calls counts about as much as the pace of today, */
#define ENOUGH (16 * LITTLE)  /* one of so many counts alone: then a flood is forgotten, see scale() */
#define SHARE  (1 << 20)      /* all of a period */

/* What was learned and today's pace, by how many calls there were to learn from: one call is no profile. */
static void outlook(const struct sample_open *o, const struct when *t, enum policy_cap_per per, struct outlook *ret)
{
	int class = o->learned[class_of(t->day)] ? class_of(t->day) : !class_of(t->day);
	uint64_t day = class_total(o, class), seen = day * (o->learned[class] < 4 ? o->learned[class] : 4);
	uint64_t doubt = seen < ENOUGH ? LITTLE - LITTLE * seen / ENOUGH : 0;
	struct outlook pace, past;

	outlook_uniform(o, t, per, &pace);
	*ret = pace;
	if (!seen)
		return;
	outlook_learned(o, t, per, class, day, &past);
	if (!doubt) {
		*ret = past;
		return;
	}
	pace.gone = (uint64_t)((wide)pace.gone * SHARE / pace.total);
	past.gone = past.total ? (uint64_t)((wide)past.gone * SHARE / past.total) : pace.gone;
	ret->left = mix(past.left, seen, pace.left, doubt);
	ret->gone = mix(past.gone, seen, pace.gone, doubt);
	ret->total = SHARE;
}

/* ---- decisions ---- */

bool plan_same_rule(const struct sample_rule *a, const struct sample_rule *b)
{
	if (memcmp(a->id, b->id, SAMPLE_ID) || strncmp(a->zone, b->zone, SAMPLE_ZONE) || a->permille != b->permille ||
	    a->ncap != b->ncap || a->first_come != b->first_come ||
	    a->use_target_percent != b->use_target_percent || a->throttle_percent != b->throttle_percent ||
	    a->use_floor != b->use_floor || a->grace != b->grace)
		return false;
	for (int i = 0; i < a->ncap; i++)
		if (a->cap[i].n != b->cap[i].n || a->cap[i].per != b->cap[i].per || a->cap[i].of != b->cap[i].of)
			return false;
	return true;
}

bool plan_usable(const struct sample_rule *r)
{
	return r->permille >= 0 && r->ncap > 0;
}

bool plan_counts(const struct sample_rule *r, enum policy_cap_of of)
{
	for (int i = 0; i < r->ncap; i++)
		if (r->cap[i].of == of)
			return true;
	return false;
}

uint32_t plan_draw(const uint8_t seed[SAMPLE_SEED], const uint8_t rule[SAMPLE_ID], const uint8_t call[SAMPLE_ID])
{
	uint8_t in[2 * SAMPLE_ID], out[16];

	memcpy(in, rule, SAMPLE_ID);
	memcpy(in + SAMPLE_ID, call, SAMPLE_ID);
	(void)crypto_generichash(out, sizeof(out), in, sizeof(in), seed, SAMPLE_SEED); /* fails for wrong lengths only */
	return le32dec(out);
}

static uint64_t root(uint64_t v)
{
	uint64_t r = 0;

	for (uint64_t b = 1ULL << 16; b; b >>= 1)
		if ((r + b) * (r + b) <= v)
			r += b;
	return r;
}

/* Lowers *threshold so that n last until the period's end. False: its part of the period is used up. */
static bool spread(const struct sample_open *o, const struct when *t, enum policy_cap_per per, uint32_t n,
		   uint64_t *threshold)
{
	uint32_t used = o->count.used[per];
	struct outlook e;
	uint64_t v;

	outlook(o, t, per, &e);
	v = (uint64_t)((wide)(n - used) * 1024 * SAMPLE_ONE / (1024 + e.left));
	if (v < *threshold)
		*threshold = v;
	if (!e.total)
		return true;
	/* Twice the square root: four times the deviation of drawing evenly, at its largest. */
	return used < ((wide)n * e.gone + e.total - 1) / e.total + 2 * root(n) + 1;
}

/* The rule's caps as they are after throttling; [i].of is whether throttling made it. */
static int rule_caps(const struct sample_open *o, struct policy_cap cap[POLICY_CAPS_MAX + 1], bool lowered[])
{
	bool day = false;
	int n = 0;

	for (int i = 0; i < o->set.ncap; i++) {
		struct policy_cap c = o->set.cap[i];

		if (c.of != POLICY_OF_RULE)
			continue;
		if (c.n < 0)
			c.n = 0;
		day |= c.per == POLICY_PER_DAY;
		lowered[n] = o->limit[c.per] < (uint32_t)c.n;
		if (lowered[n])
			c.n = (int)o->limit[c.per];
		cap[n++] = c;
	}
	if (!day && o->limit[POLICY_PER_DAY] != SAMPLE_NONE) {
		lowered[n] = true;
		cap[n++] = (struct policy_cap){ (int)o->limit[POLICY_PER_DAY], POLICY_PER_DAY, POLICY_OF_RULE };
	}
	return n;
}

static bool sub_full(const struct sample_rule *r, enum policy_cap_of of, const struct sub *sub)
{
	for (int i = 0; i < r->ncap; i++)
		if (r->cap[i].of == of && (!sub || r->cap[i].n <= 0 ||
					   sub->count.used[r->cap[i].per] >= (uint32_t)r->cap[i].n))
			return true;
	return false;
}

void plan_decide(const struct srule *r, const struct when *t, const struct sub *agent, const struct sub *queue,
		 struct sample_record *rec)
{
	const struct sample_open *o = &r->o;
	struct policy_cap cap[POLICY_CAPS_MAX + 1];
	bool lowered[POLICY_CAPS_MAX + 1];
	uint64_t percent = (uint64_t)o->set.permille * SAMPLE_ONE / 1000, threshold = percent;
	int n = rule_caps(o, cap, lowered);
	bool pace = true;

	rec->before = o->count;
	rec->agent_before = agent ? agent->count : (struct sample_count){ 0 };
	rec->queue_before = queue ? queue->count : (struct sample_count){ 0 };
	rec->arrivals = plan_arrivals(o);
	rec->threshold = 0;
	rec->why = 0;
	for (int i = 0; i < n && !rec->why; i++)
		if (o->count.used[cap[i].per] >= (uint32_t)cap[i].n)
			rec->why = lowered[i] ? SAMPLE_OUT_THROTTLE : SAMPLE_OUT_CAP;
	if (!rec->why && sub_full(&o->set, POLICY_OF_AGENT, agent))
		rec->why = SAMPLE_OUT_AGENT;
	if (!rec->why && sub_full(&o->set, POLICY_OF_QUEUE, queue))
		rec->why = SAMPLE_OUT_QUEUE;
	if (rec->why)
		return;
	for (int i = 0; i < n && !o->set.first_come; i++)
		pace &= spread(o, t, cap[i].per, (uint32_t)cap[i].n, &threshold);
	rec->threshold = pace ? threshold : 0;
	rec->why = rec->draw < rec->threshold ? SAMPLE_IN
		   : rec->draw >= percent	? SAMPLE_OUT_DRAW
		   : pace			? SAMPLE_OUT_SPREAD
						: SAMPLE_OUT_PACE;
}

void plan_arrive(struct srule *r, const struct when *t)
{
	uint32_t *n = &r->o.arrived[t->sec / 3600];

	if (*n < 1U << 26) /* 24 of them fit 32 bits */
		++*n;
}

static void count_add(struct sample_count *c)
{
	for (int k = 0; k < SAMPLE_KINDS; k++)
		if (c->used[k] < UINT32_MAX)
			c->used[k]++;
}

void plan_take(struct srule *r, struct sub *agent, struct sub *queue)
{
	struct sample_use *u = &r->o.use[r->o.day % SAMPLE_RING];

	count_add(&r->o.count);
	if (agent)
		count_add(&agent->count);
	if (queue)
		count_add(&queue->count);
	if (u->recorded < UINT32_MAX)
		u->recorded++;
}

static void count_sub(struct sample_count *c, const int32_t key[SAMPLE_KINDS])
{
	for (int k = 0; k < SAMPLE_KINDS; k++)
		if (c->key[k] == key[k] && c->used[k] && c->used[k] != UINT32_MAX)
			c->used[k]--;
}

void plan_give_back(const struct slot *sl)
{
	struct sample_use *u = &sl->rule->o.use[sl->day % SAMPLE_RING];

	count_sub(&sl->rule->o.count, sl->key);
	if (sl->agent)
		count_sub(&sl->agent->count, sl->key);
	if (sl->queue)
		count_sub(&sl->queue->count, sl->key);
	if (u->day == sl->day && u->recorded)
		u->recorded--;
}
