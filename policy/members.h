/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * members.h - members of dynamic sets: numbers that come and go while policies run
 *
 *	policy_members_new(&m)
 *	policy_bind(p, m)		p's dynamic sets of numbers have what m holds under their names
 *	policy_members_add/del		at any time after; policy_eval sees it at once
 *	policy_members_free(m)		after the policies bound to it
 *
 * Members outlive policies: a set that a policy no longer declares keeps them.
 * A member whose end has come does not count for a call that begins then or
 * later. Bound policies are evaluated in the thread that changes the members,
 * and in no other. A look-up is one probe of a hash table, whatever its size.
 */
#ifndef MEMBERS_H
#define MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "policy/policy.h"

#define POLICY_MEMBERS_MAX 4000000 /* in all sets together; more is -ENOSPC */
#define POLICY_NOTE_MAX	   200	   /* bytes */

struct policy_members;

struct policy_member {
	char number[POLICY_NUMBER_MAX]; /* +E.164 */
	int64_t until; /* seconds since 1970; 0 no end */
	int64_t added;
	uid_t uid; /* who added it; (uid_t)-1 not known */
	const char *note; /* "" none; lives until the member changes */
};

int policy_members_new(struct policy_members **ret);
void policy_members_free(struct policy_members *m); /* NULL-tolerant */
/* Connects. -ENOMEM: p is as it was. */
int policy_bind(struct policy *p, struct policy_members *m);

/* A number as sets know it: "+4570102030" -> 0, else -EINVAL. */
int policy_member_number(const char *s, char ret_number[POLICY_NUMBER_MAX]);
/*
 * 0 added, 1 it was there and has the new end and note. -EINVAL number, name of the set, or
 * note; -ENOSPC, -ENOMEM.
 */
int policy_members_add(struct policy_members *m, const char *set, const struct policy_member *add);
int policy_members_del(struct policy_members *m, const char *set, const char *number); /* -ENOENT */
/* Forgets those that ended before t. Returns how many. */
size_t policy_members_expire(struct policy_members *m, int64_t t);
bool policy_members_has(const struct policy_members *m, const char *set, const char *number, int64_t now);

/* 0 and the member (its note lives until it changes), or -ENOENT. */
int policy_members_get(const struct policy_members *m, const char *set, const char *number, struct policy_member *ret);

/* Those that count at this time (all sets: NULL), and the sets that hold any at all. */
size_t policy_members_count(const struct policy_members *m, const char *set, int64_t now);
size_t policy_members_sets(const struct policy_members *m);
/* Name of the i-th set that is or was known here, NULL after the last. */
const char *policy_members_set(const struct policy_members *m, size_t i);
/*
 * The next member from *at on (0 the first), in no order; false after the last. Changing the
 * members in between can skip or repeat some; *at then may be refused (-> false, *at 0).
 */
bool policy_members_next(const struct policy_members *m, const char *set, uint64_t *at, struct policy_member *ret);

/* What a policy does with a set. */
enum policy_set_use {
	POLICY_SET_DENIES = 1,	/* a member makes a `never` match */
	POLICY_SET_PERMITS = 2, /* a member makes a rule match, or is a controller's own number */
};
/* -ENOENT no such set, -EINVAL it is not dynamic, -ENOTSUP it holds no numbers. */
int policy_set_use(const struct policy *p, const char *set, unsigned *ret_use);

#endif
