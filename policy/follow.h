/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow.h - what one criterion of a rule says about another, whatever the call is
 *
 * x follows e: every call that meets x meets e. x excludes y: no call meets both. Neither is said where it cannot be shown from the text as
 * it stands: members of dynamic sets come and go. Internal to policy/; names are resolved and sets sorted (lint.c). Read-only.
 */
#ifndef POLICY_FOLLOW_H
#define POLICY_FOLLOW_H

#include "lint.h"

/* side: 0 called, 1 calling. What the rule writes about it; NULL nothing. */
const struct numbers *numbers_written(const struct rule *r, int side);
/* The same, else on the controller's side its own numbers, where no trunk makes a call its own. NULL: any number. */
const struct numbers *numbers_of(const struct rule *r, int side);
/* in NULL: any number, of which nothing follows. */
bool numbers_follow(const struct policy *p, const struct numbers *of, const struct numbers *in);
/* No number is of both. NULL: any number. */
bool numbers_apart(const struct policy *p, const struct numbers *a, const struct numbers *b);
/* It has trunks that are dedicated to it. */
bool any_trunk(const struct controller *c);

/* Whoever passes x passes e. */
bool header_follows(const struct header_crit *e, const struct header_crit *x);
/* No value passes both. */
bool header_excludes(const struct header_crit *a, const struct header_crit *b);
bool headers_exclude(const struct rule *a, const struct rule *b);
/* No call comes to both, by numbers or headers. Not: nothing shows it. */
bool rules_apart(const struct policy *p, const struct rule *a, const struct rule *b);

/* Of lists of words, of which one must hold: each of r follows one of e. */
bool words_follow(const struct word *e, const struct word *r, bool (*follows)(const char *e, const char *x));
bool domain_follows(const char *e, const char *x);
bool same_word(const char *e, const char *x);
bool same_codec(const char *e, const char *x);
bool bits_within(const uint64_t *in, const uint64_t *of);
bool bits_meet(const uint64_t *a, const uint64_t *b);

#endif
