/* SPDX-License-Identifier: BSD-2-Clause */
/* sample_quota.c - what is used up of a rule's caps now: reads copies, changes nothing. Any thread; under s->lock. */
#include <errno.h>
#include <string.h>

#include "call/sample_internal.h"

static void of_subs(struct sample *s, const struct srule *r, const struct policy_cap *cap, const struct when *t, struct sample_quota *q, int i)
{
	for (size_t k = 0; k <= s->subs.mask; k++)
		for (struct hnode *h = s->subs.slot[k]; h; h = h->next) {
			const struct sub *u = container_of(h, struct sub, node);
			struct sample_count c = u->count;
			uint32_t used;

			if (u->rule != r || u->of != (uint8_t)cap->of)
				continue;
			plan_count_roll(&c, t);
			used = c.used[cap->per];
			q->cap[i].subs += used > 0;
			q->cap[i].full += used >= (uint32_t)cap->n;
			if (used > q->cap[i].used)
				q->cap[i].used = used;
		}
}

int sample_rule_quota(struct sample *s, const struct sample_rule *rule, uint64_t now_ns, struct sample_quota *ret)
{
	struct sample_quota q = { 0 };
	struct sample_count now;
	struct sample_open o;
	struct srule *r;
	struct when t = { .day = 0 };
	int e = 0;

	pthread_mutex_lock(&s->lock);
	if (now_ns < s->high_ns)
		now_ns = s->high_ns; /* periods never go back */
	r = sample_rule_find(s, rule->id);
	if (!r || !r->o.day)
		e = -ENOENT;
	if (!e)
		e = plan_when_zone(rule->zone, now_ns, &t);
	if (!e) {
		o = r->o;
		if (t.day > o.day) { /* what the first call of today will find */
			o.day = t.day;
			plan_limits(&o);
		}
		now = r->o.count;
		plan_count_roll(&now, &t);
	}
	for (int i = 0; !e && i < rule->ncap; i++) {
		const struct policy_cap *cap = &rule->cap[i];

		q.cap[i].cap = (uint32_t)cap->n;
		if (cap->of != POLICY_OF_RULE) {
			of_subs(s, r, cap, &t, &q, i);
			continue;
		}
		q.cap[i].used = now.used[cap->per];
		if (o.limit[cap->per] < q.cap[i].cap) {
			q.cap[i].cap = o.limit[cap->per];
			q.throttled = true;
		}
	}
	for (int i = 0; !e && i < SAMPLE_RING; i++) {
		const struct sample_use *u = &o.use[i];

		if (!u->day || u->day < o.day - SAMPLE_WINDOW || u->day > o.day)
			continue;
		q.recorded30 += u->recorded;
		q.used30 += u->used;
	}
	pthread_mutex_unlock(&s->lock);
	if (!e)
		*ret = q;
	return e;
}
