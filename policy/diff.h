/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff.h - what a new policy changes: what tightens, what loosens (policy-language 5.1)
 *
 *	policy_diff(old, new, &d)	items in file order of the new policy, removals last
 *	policy_diff_free(&d)
 *
 * A change is tightening only when that can be shown for every call; whatever
 * cannot be shown is loosening. So a narrower or removed rule tightens unless a
 * later rule could take its calls and is less strict in some setting, and a new
 * rule loosens unless its calls were recorded before under settings that are no
 * stricter; with training it always does, for its caps count from nothing (INV-10).
 * Never rules run the other way. Members of dynamic sets are no part
 * of a policy and of this.
 *
 * Read-only; any thread, while both policies live. A thousand rules and sets of
 * 100,000 numbers take some 10 ms; work is bounded, and what the bound cuts off
 * counts as loosening.
 */
#ifndef DIFF_H
#define DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

enum policy_change {
	POLICY_NEUTRAL, /* decides nothing for anybody */
	POLICY_TIGHTEN, /* less is recorded, kept or used; at once, also for calls in progress */
	POLICY_SHORTEN, /* kept for a shorter time, stored calls included */
	POLICY_LOOSEN,	/* anything else; for new calls only */
	POLICY_CHANGES,
};

struct policy_diff_item {
	enum policy_change change;
	bool both; /* LOOSEN: something else in it tightens */
	bool gone; /* file and line are of the old policy */
	bool amount; /* how many calls are kept for training (N-51): a sample, a cap, or what they are counted by */
	const char *file; /* the policy's own */
	int line;
	char *object;  /* rule "claims" */
	char *setting; /* training sample; "" the object itself */
	char *was, *is; /* as they are written; "" not there */
	const char *why; /* static, one clause */
};

struct policy_diff {
	struct policy_diff_item *item;
	size_t n, cap;
	size_t count[POLICY_CHANGES];
};

/* 0 or -ENOMEM. Policies of one hash differ in nothing. */
int policy_diff(const struct policy *old, const struct policy *now, struct policy_diff *ret);
void policy_diff_free(struct policy_diff *d);
const char *policy_change_name(enum policy_change c); /* "neutral", "tighten", "shorten", "loosen" */

#endif
