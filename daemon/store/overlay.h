/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay.h - a purpose of a stored call as it is now
 *
 * A row says what was so when the call ended. A line in later.db counts instead of it; without one, a purpose that was
 * kept is EXPIRED when its bucket was destroyed, or is not there; but for documentation of a call on hold (hold.h). Where
 * later.db is not there or damaged the call's slot decides: what was overwritten is EXPIRED ("destroyed"), and beside a damaged
 * one what cannot be seen is, too ("unknown"): nothing that was destroyed is shown as kept. What was found out of a bucket
 * is remembered:
 * make an overlay for one going over calls, not for longer. Who asks for a thousand calls has all who have lines in later.db remembered, too
 * (16 bytes a call of these), as long as that file does not change: what is told stays as it is now. One thread.
 */
#ifndef OVERLAY_H
#define OVERLAY_H

#include "store/later.h"
#include "store/store_internal.h"

struct overlay;

int overlay_new(const struct root *r, struct overlay **ret); /* -ENOMEM */
void overlay_free(struct overlay *o);			     /* NULL-tolerant */
/* For fsck: a later.db that is not there changes nothing, whatever the slots say. */
void overlay_no_slots(struct overlay *o);
/*
 * Before the first overlay_state: most calls of the store will be asked for. Who has lines in later.db is read at once (16 bytes a
 * call of these), since asking for a call that has none costs several system calls.
 */
void overlay_many(struct overlay *o);
/*
 * purpose_day, purpose_slot and *state: the row's. 1: *state and reason are others now, 2: so says the slot alone, 0: as in the
 * row. -ENOMEM, or what is neither damage of later.db nor of a key.
 */
int overlay_state(struct overlay *o, const char *controller, const struct uid *uid, enum store_purpose p, uint32_t purpose_day,
		  uint32_t purpose_slot, enum store_state *state, char reason[LATER_REASON], struct why *why);
/*
 * *until_ns: the row's deadline for p, which becomes an earlier one where a policy of later keeps calls of the rule shorter (retention.h). A
 * journal that cannot be read changes nothing: fsck tells.
 */
void overlay_until(struct overlay *o, const char *controller, const char *rule, enum store_purpose p, uint64_t start_ns, uint64_t *until_ns);
/* So with the time by which training must have been used; 0 stays 0. */
void overlay_use_by(struct overlay *o, const char *controller, const char *rule, uint64_t start_ns, uint64_t *use_by_ns);
/* 0, or what was wrong with the first later.db that is damaged, of those that were asked for. */
int overlay_damage(const struct overlay *o, struct why *why);

#endif
