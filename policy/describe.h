/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * describe.h - what a policy says about its objects, for who asks afterwards why a call was decided
 * as it was
 *
 * Hashes are BLAKE2b-256 of canonical text (optag-policy(5)), so they are the same in every policy
 * that has the same object. Read-only; any thread, while the policy lives.
 */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <stdint.h>

#include "policy/policy.h"

#define POLICY_TEXT_HASH 32

/* An assessment as it was written. Texts live as long as the policy; NULL not given. */
struct policy_assessment {
	const char *id, *kind, *author, *approver, *file;
	struct policy_date date, review;
	uint8_t hash[POLICY_TEXT_HASH];
};
/* -ENOENT no such assessment (or id NULL), -ENOMEM. */
int policy_assessment(const struct policy *p, const char *id, struct policy_assessment *ret);

/* Of an announcement's text, elements and link: the same hash, the same was said. -ENOENT, -ENOMEM.
 */
int policy_announcement_hash(const struct policy *p, const char *name,
			     uint8_t ret[POLICY_TEXT_HASH]);

/*
 * Of everything that decides whether a call comes to this rule: controllers' numbers, trunks, sets,
 * the `never` rules, the matches of the rules before it and its own. Two rules of two policies with
 * one hash match the same calls, dynamic sets apart: that needs no call's numbers to be known.
 * -ENOMEM.
 */
int policy_match_hash(const struct policy *p, const struct policy_rule *r,
		      uint8_t ret[POLICY_TEXT_HASH]);

#endif
