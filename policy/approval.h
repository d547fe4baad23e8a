/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * approval.h - the second person's yes to a change that loosens (policy-language 5.1, N-51)
 *
 * An approval is a short text with an Ed25519 signature over all of it that stands before the signature:
 *
 *	optag-approval 1
 *	policy HASH		what may be put in force (or the id of a rule's start, policies.h)
 *	base HASH		while this policy is: what is approved is a step from there
 *	until SECONDS		since 1970, UTC: no longer
 *	proposer UID		who asked, as the daemon saw him
 *	approver NAME
 *	signature HEX
 *
 * Nothing else is an approval: each line once, in this order, ended by LF, numbers without leading zeros.
 *
 * Keys are one line of text: "optag-approver-key NAME HEX" (the seed; a file that nobody else may read) and
 * "optag-approver NAME HEX" (the public key, for optagd.conf). A name is a-z 0-9 . _ -, starts with a letter, has up to 32
 * characters and never five digits in a row, so that it may stand in the evidence log.
 *
 * libsodium must be there (-EIO else). Errors 0 or -errno. Any thread.
 */
#ifndef POLICY_APPROVAL_H
#define POLICY_APPROVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APPROVAL_NAME	    33
#define APPROVAL_MAX	    512 /* bytes of a text */
#define APPROVAL_SEED	    32
#define APPROVAL_PUBLIC	    32
#define APPROVAL_SIGNATURE  64
#define APPROVAL_FILE_MAX   256 /* of a key */
#define APPROVAL_DAYS_MAX   90 /* from proposal to the end */

struct approval {
	char policy[65], base[65];
	uint64_t until_s;
	uint32_t proposer;
	char approver[APPROVAL_NAME];
	uint8_t signature[APPROVAL_SIGNATURE];
};

bool approval_name_ok(const char *s);
/* Any bytes. -EBADMSG: not an approval. The signature is not checked. */
int approval_parse(const char *text, size_t n, struct approval *ret);
/* The whole text; its length. The fields must be those of approval_parse. */
size_t approval_format(const struct approval *a, char out[APPROVAL_MAX]);
/* Sets the signature. */
int approval_sign(struct approval *a, const uint8_t seed[APPROVAL_SEED]);
bool approval_verify(const struct approval *a, const uint8_t pub[APPROVAL_PUBLIC]);

/* The text of a key file, any bytes. secret: which of the two. -EBADMSG. */
int approval_key_parse(const char *text, size_t n, bool secret, char ret_name[APPROVAL_NAME], uint8_t ret[32]);
size_t approval_key_format(bool secret, const char *name, const uint8_t key[32], char out[APPROVAL_FILE_MAX]);
/*
 * Reads a file. A secret key that others may read: -EPERM; a public key that anybody but its owner may write, or whose
 * owner is neither root nor we: -EPERM. -EBADMSG it is no key. The caller wipes a secret one.
 */
int approval_key_load(const char *path, bool secret, char ret_name[APPROVAL_NAME], uint8_t ret[32]);
/* New, from the kernel's randomness. */
int approval_key_new(uint8_t ret_seed[APPROVAL_SEED], uint8_t ret_pub[APPROVAL_PUBLIC]);
int approval_key_public(const uint8_t seed[APPROVAL_SEED], uint8_t ret_pub[APPROVAL_PUBLIC]);

#endif
