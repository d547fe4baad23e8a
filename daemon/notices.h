/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notices.h - the announcements of a policy, as they sound
 *
 * Made once for each policy, from the files that its announcements name, for the rules with
 * `notice-proof fingerprint`. What was checked is what is listened for:
 *
 *  - the files' bytes must have the hashes (BLAKE2b-256) that they had when the policy was loaded;
 *  - STORE/policies/HASH.sounds keeps these hashes beside the policy's text. As the policy's own hash does not cover the sounds,
 *    the same policy with other sounds is refused: a new recording is a new announcement, or another version of it. Calls that are
 *    taken over from a daemon before find the sounds of an older policy there, as long as the files are what they were.
 *
 * Read only once made; any thread.
 */
#ifndef NOTICES_H
#define NOTICES_H

#include <stddef.h>

#include "media/fingerprint.h"

struct policy;
struct policy_rule;
struct notices;

/*
 * store: directory; NULL: nothing is kept, and what was before is not asked. Blocks on the disk. -EINVAL: a file is none that can
 * be recognised; -ESTALE: it is not the one that was checked; -errno: it cannot be read. why says which.
 */
int notices_load(const struct policy *p, const char *store, struct notices **ret, char *why, size_t n);
/*
 * For a policy that was read back from the store (policies_resume). Sounds that are not to be had are left out, so that
 * nothing is recognised by them; ret is NULL-tolerant to all below.
 */
int notices_resume(const struct policy *p, const char *store, struct notices **ret);
/* NULL: nothing is listened for in the rule's calls. Lives as long as ns. */
const struct fp_set *notices_set(const struct notices *ns, const struct policy_rule *r);
size_t notices_count(const struct notices *ns); /* sounds */
void notices_free(struct notices *ns);

#endif
