/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * effective.h - a rule with every default filled in, and where each value is from
 *
 * For who wants to know what holds without knowing what holds when nothing is
 * said. What has no meaning in the rule (a consent window without consent) is
 * left out. The statements load again, in the rule's place, to a rule that
 * decides the same.
 */
#ifndef POLICY_EFFECTIVE_H
#define POLICY_EFFECTIVE_H

#include "policy.h"

enum policy_source { POLICY_WRITTEN, POLICY_FROM_DEFAULTS, POLICY_BUILT_IN };

struct policy_effective {
	const char *block;   /* "documentation", "training"; NULL: of the rule itself */
	const char *setting; /* "retention" */
	const char *text;    /* the statement as it is written, one or more lines, no indentation, no newline at its end */
	enum policy_source source;
	const char *file; /* NULL: built in */
	int line;
};

/* Calls tell for each setting in the order of the canonical form, a block's between the rule's. -ENOENT, -ENOMEM. */
int policy_effective(const struct policy *p, const struct policy_rule *r, void (*tell)(void *arg, const struct policy_effective *e),
		     void *arg);

#endif
