/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_kept.h - STORE/policies: every policy that was in force, by its hash (FORMAT.md section
 * 9)
 *
 * Written by whoever records (daemon, replay), read back by the daemon after a restart and by who
 * asks later under which policy a call was decided. Files only; any thread. Errors 0 or -errno.
 */
#ifndef POLICIES_KEPT_H
#define POLICIES_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

/* Canonical text of p; malloc'ed, terminated. -ENOMEM. */
int policy_text(const struct policy *p, char **ret_text, size_t *ret_len);
/* Writes STORE/policies/HASH.policy unless it is there and whole; durable. store NULL: nothing to
 * do. why: one line. */
int policy_keep(const char *store, const struct policy *p, const char *text, size_t len, char *why,
		size_t n);
/*
 * Who runs policies whose decision records are kept for so many months: what is decided until POLICY_RECORDS_DAYS from today on is kept so
 * long; to be said again each day. newest: the last day the evidence log has. Lines of policies that nobody runs any more stay with the
 * day that was said last, and go when no evidence is kept by them. why: one line.
 */
#define POLICY_RECORDS_DAYS 8
int policy_records(const char *store, const unsigned *months, size_t nmonths, int32_t today, int32_t newest, char *why, size_t n);
/* Another file there, written once and never changed. 0: it holds that text now. -EEXIST: another one (why is not
 * written); -errno. Blocks on the disk. */
int policies_keep_once(const char *store, const char *name, const char *text, size_t len, char *why, size_t n);
/*
 * The policy with this hash (64 hex digits, or -EINVAL), judged as on the day it was written: what
 * has to be reviewed by now was in force then. Rules in which this version's linter finds an error are `refused`. -ENOENT not kept (or store NULL), -EBADMSG damaged
 * or another's hash, -ENOMEM, -EIO. *ret_since (may be NULL): when it was first in force, UTC
 * seconds. Files it names, such as sounds, are not looked for.
 */
int policies_kept(const char *store, const char *hash, struct policy **ret, int64_t *ret_since);

/*
 * The policy with this hash from the store, verified by it. as_then: judged as on the day it was first in force,
 * not as of today, and rules that only this version's linter refuses are `refused` (d says why). -EBADMSG damaged, -EINVAL not a policy any more (d).
 */
int policy_from_store(const char *store, const char *hash, bool as_then, struct policy_diags *d, struct policy **ret);
/* A whole file of the store's policies, at most max bytes; to be freed. */
int policy_read_file(const char *store, const char *name, size_t max, char **ret, size_t *ret_len);
/* The directory itself, made if need be; *ret is the caller's to close. No link leads there (base/beneath.h). */
int policies_dir(const char *store, int *ret);
/* A new file in place of an old one, durable. */
int policy_write_file(const char *store, const char *name, const char *text, size_t len);

#endif
