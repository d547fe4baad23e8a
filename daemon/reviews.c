/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reviews.c - review dates of the policy in force that come near (guidance N-18, R-18: 60, 30 and 7 days before)
 *
 * What is done when one is past is call/decide's. Here somebody is told in time: one line when the earliest date of the policy comes
 * within another of the steps, and each day of the last seven. The loop's thread.
 */
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "policies.h"

#define LOOK_NS (600 * NS_PER_S)
#define DAY_NS	(86400 * NS_PER_S)

/* Days until the date; 0 on it, negative: it is past. */
static int days_to(const struct policy_date *d, const char *zone, uint64_t now)
{
	struct clock_date is, day = { d->year, d->month, d->day };
	uint64_t from, to;

	if (clock_civil(now, zone, &is, NULL, NULL) || clock_day_start(&is, zone, &from) || clock_day_start(&day, zone, &to))
		return INT_MIN; /* as call_review_past has it: nothing is recorded then */
	return to >= from ? (int)((to - from + DAY_NS / 2) / DAY_NS) : -(int)((from - to + DAY_NS / 2) / DAY_NS);
}

struct earliest {
	const struct policy_rule *rule; /* NULL: none has a date */
	enum policy_purpose purpose;
	struct policy_date date;
	int days;
	unsigned soon; /* of how many it is within 60 days */
};

static struct earliest look(const struct policy *p, uint64_t now)
{
	struct earliest e = { .days = INT_MAX };

	for (size_t i = 0; i < policy_rules(p); i++) {
		const struct policy_rule *r = policy_rule(p, i);

		for (int q = 0; q < POLICY_PURPOSES && !r->controller->lab; q++) {
			struct policy_date d = policy_review(r, (enum policy_purpose)q);
			int days;

			if (r->purpose[q].basis == POLICY_B_NONE || !d.year)
				continue;
			days = days_to(&d, r->controller->timezone, now);
			e.soon += days <= 60;
			if (days < e.days)
				e = (struct earliest){ r, (enum policy_purpose)q, d, days, e.soon };
		}
	}
	return e;
}

/* The latest of the steps that is reached; the more urgent the smaller. */
static int step_of(int days)
{
	return days > 60 ? INT_MAX : days > 30 ? 60 : days > 7 ? 30 : days;
}

void reviews_run(struct daemon *d)
{
	const struct policy *p = policies_current(d->policies);
	struct reviews *v = &d->reviews;
	bool other = memcmp(v->hash, policy_hash(p), sizeof(v->hash)) != 0;
	uint64_t steady = clock_steady_ns();
	struct earliest e;
	int step;

	if (!other && steady - v->looked_ns < LOOK_NS)
		return;
	memcpy(v->hash, policy_hash(p), sizeof(v->hash));
	v->looked_ns = steady;
	e = look(p, clock_later_ns(clock_now_ns()));
	v->days = e.days;
	step = step_of(e.days);
	if (step == INT_MAX || (!other && step == v->told))
		return;
	v->told = step;
	log_warn("alarm: review: of the policy in force %u purpose%s to be reviewed within 60 days, or overdue; the first is %s of rule \"%s\", by "
		 "%04d-%02d-%02d: from the day after, on-review-missed holds",
		 e.soon, e.soon == 1 ? " is" : "s are", e.purpose == POLICY_TRAINING ? "training" : "documentation", e.rule->name, e.date.year,
		 e.date.month, e.date.day);
}
