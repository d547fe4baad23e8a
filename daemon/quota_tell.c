/* SPDX-License-Identifier: BSD-2-Clause */
/* quota_tell.c - see quota_tell.h; the capture thread */
#include "quota_tell.h"

#include <errno.h>
#include <stdio.h>

#include "call/sample.h"
#include "evidence.h"
#include "policy/policy.h"

static const char *const pers[] = { [POLICY_PER_HOUR] = "hour", [POLICY_PER_DAY] = "day", [POLICY_PER_WEEK] = "week",
				    [POLICY_PER_MONTH] = "month" };
static const char *const ofs[] = { [POLICY_OF_RULE] = "rule", [POLICY_OF_QUEUE] = "queue", [POLICY_OF_AGENT] = "agent" };

static json_t *cap_json(const struct policy_cap *c, const struct sample_quota *q, int i, bool drawn)
{
	uint32_t cap = drawn ? q->cap[i].cap : (uint32_t)c->n, used = drawn ? q->cap[i].used : 0;
	json_t *o = json_pack("{s:s, s:s, s:i, s:I, s:I, s:I}", "of", ofs[c->of], "per", pers[c->per], "policy", c->n, "cap", (json_int_t)cap,
			      "used", (json_int_t)used, "left", (json_int_t)(cap > used ? cap - used : 0));

	if (o && c->of != POLICY_OF_RULE) {
		(void)json_object_set_new(o, "seen", json_integer(drawn ? q->cap[i].subs : 0));
		(void)json_object_set_new(o, "full", json_integer(drawn ? q->cap[i].full : 0));
	}
	return o;
}

static json_t *rule_json(struct evidence *ev, const struct policy_rule *r)
{
	const struct policy_block *b = &r->purpose[POLICY_TRAINING];
	struct sample_quota q = { 0 };
	bool drawn = evidence_quota(ev, r, &q) == 0;
	json_t *caps = json_array();
	int bad = !caps;

	for (int i = 0; !bad && i < b->ncap; i++)
		bad = json_array_append_new(caps, cap_json(&b->cap[i], &q, i, drawn));
	if (bad) {
		json_decref(caps);
		return NULL;
	}
	return json_pack("{s:s, s:i, s:b, s:I, s:I, s:b, s:o}", "rule", r->name, "sample", b->sample_permille, "drawn", drawn, "recorded30",
			 (json_int_t)q.recorded30, "used30", (json_int_t)q.used30, "throttled", q.throttled, "caps", caps);
}

int quota_tell(struct evidence *ev, const struct policy *p, json_t *answer, char *why, size_t n)
{
	json_t *rules = json_array();
	int bad = !rules;

	for (size_t i = 0; !bad && i < policy_rules(p); i++) {
		const struct policy_rule *r = policy_rule(p, i);

		if (r->purpose[POLICY_TRAINING].basis != POLICY_B_NONE && r->purpose[POLICY_TRAINING].ncap > 0)
			bad = json_array_append_new(rules, rule_json(ev, r));
	}
	if (!bad && !json_object_set(answer, "rules", rules)) {
		json_decref(rules);
		return 0;
	}
	json_decref(rules);
	snprintf(why, n, "out of memory");
	return -ENOMEM;
}
