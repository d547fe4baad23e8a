/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff_internal.h - shared by diff.c (objects, order), diff_rule.c (settings) and
 * diff_match.c (which calls a rule matches)
 *
 * Verdicts only grow: whoever finds one more reason takes the worse of the two.
 */
#ifndef DIFF_INTERNAL_H
#define DIFF_INTERNAL_H

#include "diff.h"
#include "internal.h"

/* How the calls of a new rule (numbers of a new set) lie to those of the old one. */
enum rel {
	REL_SAME = 0,
	REL_NARROW = 1, /* some of the old are missing */
	REL_WIDE = 2,	/* some are new */
	REL_MIXED = 3,
};

struct set_rel { /* by name, in both policies */
	const struct set *old, *now;
	enum rel rel;
};

struct diff {
	const struct policy *old, *now;
	struct policy_diff *out;
	struct set_rel *set; /* sorted by name */
	size_t nset;
	uint64_t work; /* steps left; 0: what is not known is loosening */
	bool oom;
};

/* ---- diff_match.c ---- */

enum rel diff_set_rel(struct diff *d, const struct set *old, const struct set *now);
enum rel diff_numbers_rel(struct diff *d, const struct numbers *old, const struct numbers *now);
/* old is of the old policy, now of the new one. Only the rules' criteria, and who their controller is on that side. */
enum rel diff_match_rel(struct diff *d, const struct rule *old, const struct rule *now);
/* Some call may match both; true when in doubt. */
bool diff_may_meet(struct diff *d, const struct rule *a, const struct rule *b);
/* Set of both policies by name; NULL it is in one only. */
const struct set_rel *diff_set(const struct diff *d, const char *name);

/* ---- diff_rule.c ---- */

struct verdict {
	enum policy_change change;
	bool both;
	const char *why;
};

/* Every setting that differs, told; what it matches is not looked at. */
void diff_settings(struct diff *d, const struct rule *old, const struct rule *now);
/* The worst of them, untold. */
enum policy_change diff_settings_class(struct diff *d, const struct rule *old, const struct rule *now);

/* Calls are drawn for training. */
bool diff_draws(const struct rule *r);

/* For a purpose that both have: shorter, or perhaps so, or its training must be used sooner. */
bool diff_keeps_shorter(const struct rule *old, const struct rule *now);

/* ---- diff.c ---- */

/* gone: the place is in the old policy. was and is are taken; NULL: "". */
void diff_tell(struct diff *d, struct verdict v, bool gone, struct pos at, const char *kind, const char *name,
	       const char *setting, char *was, char *is);
/* What was told last is about how much is recorded for training, if this is so. */
void diff_amount(struct diff *d, bool so);
/* One setting as it is written, on one line; NULL when it is not. */
char *diff_text(struct diff *d, const struct table *t, int id, const void *obj);

#endif
