/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * facts.h - what the policy was asked at an INVITE, as one piece of memory
 *
 * A call in progress keeps them to be asked again when the policy changes (call_policy.h), the
 * store keeps them sealed, so that later somebody with a key can ask another policy (FORMAT.md
 * section 6, `facts`). They hold numbers: freeing wipes them. Pure functions.
 */
#ifndef FACTS_H
#define FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

#define CALL_FACTS_MAX                                                                             \
	16384 /* a SIP message's names and a few headers; longer ones are cut before */

struct buf;
struct call_facts;

/* in is what policy_eval(p) was asked; copied. -ENOMEM, -EBADMSG (longer than facts may be). */
int call_facts_make(const struct policy *p, const struct policy_input *in, struct call_facts **ret);
size_t call_facts_size(const struct call_facts *f); /* bytes that call_facts_save writes */
/* call_facts_load takes any bytes and checks every length: -EBADMSG, -ENOMEM. */
void call_facts_save(const struct call_facts *f, struct buf *out); /* f NULL: nothing is written */
int call_facts_load(const void *bytes, size_t n, struct call_facts **ret);
void call_facts_free(struct call_facts *f);
/*
 * As policy_eval(p) would be asked today. The texts of *ret point into f. A header that the policy
 * of then did not ask for is not known: whether p asks for such a one is *ret_blind (may be NULL).
 */
void call_facts_input(const struct call_facts *f, const struct policy *p, struct policy_input *ret,
		      bool *ret_blind);

#endif
