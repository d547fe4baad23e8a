/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_past.c - `optag policy check --past FILE`: what became of each rule's calls, out of the evidence log
 *
 * FILE is what `optag audit show --json` prints. It is read as it comes, so that a log of millions of lines
 * needs memory for its calls only: 32 bytes each. Nothing is verified here; that is `optag audit verify`.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/uid.h"
#include "policy.h"

#define LINE_LIMIT 4096 /* the log's own lines have 1024 at most */
#define RECENT	   30	/* days */

enum { F_TRAINING = 1, F_KEPT = 2, F_USED = 4, F_HELD = 8, F_HERE = 16 };

struct seen { /* a call */
	struct uid uid;
	int32_t day; /* of its match, since 1970 */
	uint16_t rule;
	uint8_t flags;
};

struct counter { /* of calls in a period, and the most there were */
	int32_t period;
	uint64_t n;
};

struct rule_days {
	struct counter day, week, month;
	uint64_t *by_day; /* calls matched, from the first day on */
	size_t ndays;
	uint64_t matched, optouts; /* since the latest change */
};

struct reader {
	struct policy_past_log *log;
	struct rule_days *days; /* of each rule */
	struct seen *slot;
	size_t n, cap;
	int32_t first, last;
	char policy[65]; /* in force */
	bool any;
};

/* ---- calls ---- */

static size_t place(const struct reader *r, const struct uid *u)
{
	uint64_t h;
	size_t i;

	memcpy(&h, (const uint8_t *)u + sizeof(*u) - sizeof(h), sizeof(h));
	h *= 0x9e3779b97f4a7c15ULL;
	for (i = (h >> 20) & (r->cap - 1); r->slot[i].flags && !uid_equal(&r->slot[i].uid, u); i = (i + 1) & (r->cap - 1))
		;
	return i;
}

static int make_room(struct reader *r)
{
	struct reader big = *r;

	if (r->n * 2 < r->cap)
		return 0;
	big.cap = r->cap ? r->cap * 2 : 1024;
	big.slot = calloc(big.cap, sizeof(*big.slot));
	if (!big.slot)
		return -ENOMEM;
	for (size_t i = 0; i < r->cap; i++)
		if (r->slot[i].flags)
			big.slot[place(&big, &r->slot[i].uid)] = r->slot[i];
	free(r->slot);
	*r = big;
	return 0;
}

/* ---- rules ---- */

static int rule_index(struct reader *r, const char *name, size_t *ret)
{
	struct policy_past *v;
	struct rule_days *d;
	size_t i, n = r->log->n;

	for (i = 0; i < n && strcmp(r->log->rule[i].name, name) != 0; i++)
		;
	*ret = i;
	if (i < n)
		return 0;
	if (n == UINT16_MAX || strlen(name) >= sizeof(v->name))
		return -EINVAL;
	v = realloc(r->log->rule, (n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->log->rule = v;
	d = realloc(r->days, (n + 1) * sizeof(*d));
	if (!d)
		return -ENOMEM;
	r->days = d;
	memset(&v[n], 0, sizeof(*v));
	memset(&d[n], 0, sizeof(*d));
	strcpy(v[n].name, name);
	r->log->n++;
	return 0;
}

static void count(struct counter *c, int32_t period, uint64_t *most)
{
	assert(c);
	if (c->period != period)
		*c = (struct counter){ .period = period };
	if (++c->n > *most)
		*most = c->n;
}

static int count_day(struct rule_days *d, int32_t day)
{
	if ((size_t)day >= d->ndays) {
		size_t n = (size_t)day + 64;
		uint64_t *v = realloc(d->by_day, n * sizeof(*v));

		if (!v)
			return -ENOMEM;
		memset(v + d->ndays, 0, (n - d->ndays) * sizeof(*v));
		d->by_day = v;
		d->ndays = n;
	}
	d->by_day[day]++;
	return 0;
}

static int matched(struct reader *r, const char *rule, const char *uid, int32_t day, int32_t month)
{
	struct seen s = { .day = day, .flags = F_HERE };
	struct policy_past *p;
	size_t i, k;
	int e;

	if (uid_parse(uid, &s.uid))
		return -EINVAL;
	e = make_room(r);
	if (!e)
		e = rule_index(r, rule, &i);
	if (e)
		return e;
	s.rule = (uint16_t)i;
	k = place(r, &s.uid);
	if (r->slot[k].flags)
		return 0; /* a call matches once; another line is damage, which verify tells */
	r->slot[k] = s;
	r->n++;
	p = &r->log->rule[i];
	count(&r->days[i].day, day, &p->busiest_day);
	count(&r->days[i].week, (day + 3) / 7, &p->busiest_week);
	count(&r->days[i].month, month, &p->busiest_month);
	r->days[i].matched++;
	return day >= r->first && day - r->first < 36600 ? count_day(&r->days[i], day - r->first) : 0;
}

/* ---- lines ---- */

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* "2026-11-24T...": days since 1970; -1. */
static int32_t day_of(const char *s, int32_t *ret_month)
{
	char date[11];
	uint64_t ns;

	if (strlen(s) < sizeof(date))
		return -1;
	memcpy(date, s, sizeof(date) - 1);
	date[sizeof(date) - 1] = '\0';
	if (cli_time(date, &ns))
		return -1;
	*ret_month = (int32_t)((date[0] - '0') * 1000 + (date[1] - '0') * 100 + (date[2] - '0') * 10 + date[3] - '0') * 12 +
		     (date[5] - '0') * 10 + date[6] - '0';
	return (int32_t)(ns / 1000000000 / 86400);
}

/* Another policy: what was counted since the one before is the past now. */
static void policy_changed(struct reader *r, const char *hash)
{
	if (!strcmp(r->policy, hash) || strlen(hash) >= sizeof(r->policy))
		return;
	strcpy(r->policy, hash);
	for (size_t i = 0; r->days && i < r->log->n; i++) {
		struct rule_days *d = &r->days[i];

		r->log->rule[i].matched_before += d->matched;
		r->log->rule[i].optouts_before += d->optouts;
		d->matched = d->optouts = 0;
	}
}

static void of_call(struct reader *r, const char *event, const json_t *o)
{
	int purpose = !strcmp(text_of(o, "purpose"), "training") ? POLICY_TRAINING : POLICY_DOCUMENTATION;
	struct policy_past *p;
	struct seen *s;
	struct uid u;

	if (!r->cap || uid_parse(text_of(o, "call"), &u))
		return;
	s = &r->slot[place(r, &u)];
	if (!s->flags)
		return; /* matched before the log begins */
	p = &r->log->rule[s->rule];
	if (!strcmp(event, "consent.given"))
		p->given[purpose]++;
	else if (!strcmp(event, "consent.none"))
		p->not_given[purpose]++;
	else if (!strcmp(event, "optout"))
		r->days[s->rule].optouts++;
	else if (!strcmp(event, "purpose.grant") && purpose == POLICY_TRAINING)
		s->flags |= F_TRAINING;
	else if (!strcmp(event, "purpose.deny") && purpose == POLICY_TRAINING)
		s->flags &= (uint8_t)~F_TRAINING;
	else if (!strcmp(event, "call.kept"))
		s->flags |= F_KEPT;
	else if (!strcmp(event, "use.training"))
		s->flags |= F_USED;
	else if (!strcmp(event, "hold.set"))
		s->flags |= F_HELD;
}

static int one_line(struct reader *r, const char *line, size_t n)
{
	json_error_t err;
	json_t *o = json_loadb(line, n, 0, &err);
	const char *event = text_of(o, "event");
	int32_t month = 0, day = day_of(text_of(o, "time"), &month);
	int e = 0;

	if (!json_is_object(o) || !*event || day < 0) {
		json_decref(o);
		return -EINVAL;
	}
	if (!r->any)
		r->first = r->last = day;
	r->any = true;
	if (day > r->last)
		r->last = day;
	if (!strcmp(event, "policy.load"))
		policy_changed(r, text_of(o, "policy"));
	else if (!strcmp(event, "call.match"))
		e = matched(r, text_of(o, "rule"), text_of(o, "call"), day, month);
	else
		of_call(r, event, o);
	json_decref(o);
	return e;
}

static void sum_up(struct reader *r)
{
	for (size_t i = 0; i < r->cap; i++) {
		const struct seen *s = &r->slot[i];
		struct policy_past *p;

		if (!s->flags)
			continue;
		p = &r->log->rule[s->rule];
		p->kept += (s->flags & F_KEPT) != 0;
		p->held += (s->flags & (F_KEPT | F_HELD)) == (F_KEPT | F_HELD);
		if ((s->flags & (F_KEPT | F_TRAINING)) != (F_KEPT | F_TRAINING) || s->day > r->last - RECENT)
			continue;
		p->recorded++;
		p->used += (s->flags & F_USED) != 0;
	}
	for (size_t i = 0; i < r->log->n; i++) {
		struct rule_days *d = &r->days[i];

		assert(r->days);

		for (size_t k = 0; k < d->ndays; k++)
			if (r->first + (int32_t)k > r->last - RECENT)
				r->log->rule[i].recent += d->by_day[k];
		r->log->rule[i].matched_since = d->matched;
		r->log->rule[i].optouts_since = d->optouts;
	}
	r->log->days = r->any ? (unsigned)(r->last - r->first) + 1 : 0;
}

int policy_tool_past(const char *file, struct policy_past_log *ret)
{
	struct reader r = { .log = ret };
	char line[LINE_LIMIT];
	uint64_t n = 0;
	FILE *f = strcmp(file, "-") != 0 ? fopen(file, "re") : stdin;
	int e = f ? 0 : -errno;

	memset(ret, 0, sizeof(*ret));
	if (!f)
		cli_err("%s: %s", file, strerror(-e));
	while (!e && fgets(line, sizeof(line), f)) {
		size_t len = strlen(line);

		n++;
		e = len + 1 == sizeof(line) ? -EINVAL : one_line(&r, line, len);
		if (e == -EINVAL)
			cli_err("%s:%llu: no line of the evidence log (optag audit show --json)", file, (unsigned long long)n);
		else if (e)
			cli_err("%s: %s", file, strerror(-e));
	}
	if (!e && f && ferror(f)) {
		e = -EIO;
		cli_err("%s: cannot be read", file);
	}
	if (f && f != stdin)
		fclose(f);
	if (!e)
		sum_up(&r);
	for (size_t i = 0; r.days && i < ret->n; i++)
		free(r.days[i].by_day);
	free(r.days);
	free(r.slot);
	return e;
}
