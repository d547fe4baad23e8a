/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group_internal.h - what group.c (who is tied to whom), group_bind.c (one set of decisions, one draw) and group_keep.c (one
 * recording, parts that are over, take-over) share
 *
 * Invariants: a key is in cs->group_keys exactly while key.peers is set; a group has its members in a list, ghosts included,
 * and goes with the last; all of one controller. A ghost has no keys.
 */
#ifndef GROUP_INTERNAL_H
#define GROUP_INTERNAL_H

#include "call/call_internal.h"
#include "call/group.h"

#define DS_NS 100000000ULL /* at_ds counts these */

struct call_group {
	struct call_peers *first;
	unsigned members;
	uint64_t tag; /* tells it from others in what is saved */
};

static inline bool in_progress(const struct call *c)
{
	return c->phase == CALL_SETUP || c->phase == CALL_ANSWERED || c->phase == CALL_ENDING;
}

static inline bool over(const struct call *c)
{
	return c->phase == CALL_TOMBSTONE;
}

/* Something can still be decided about it. */
static inline bool decides(const struct call *c)
{
	return c->matched && !over(c) && c->state[POLICY_TRAINING] + c->state[POLICY_DOCUMENTATION];
}

static inline bool holds_audio(const struct call *c, int p)
{
	return c->state[p] == PURPOSE_GRANTED || c->state[p] == PURPOSE_OBJECTED;
}

static inline bool began_before(const struct call *a, const struct call *b)
{
	return a->start_ns != b->start_ns ? a->start_ns < b->start_ns : a->ring < b->ring;
}

static inline uint32_t deciseconds(uint64_t ns)
{
	return (uint32_t)(ns / DS_NS);
}

/* group.c */
struct call_group *group_make(struct call_peers *p); /* its group, a new one of itself; NULL no memory */
bool group_tie(struct calls *cs, struct call *c, struct call *o); /* true: their groups have become one */
void group_overfull(struct calls *cs, struct call *c);
void group_out(struct call_peers *p); /* of its group */

/* group_bind.c */
/* Training of o is denied by what was said in another call; NULL reason: the table's own. */
void group_bind_one(struct calls *cs, struct call *o, enum purpose_event e, const char *reason, uint64_t now);
void group_spread(struct calls *cs, struct call *c, enum purpose_event e, const char *reason, bool self, uint64_t now);
/* A never rule met a call that is surely this one: nothing of it is recorded, as if it had met it here. */
void group_stop_all(struct calls *cs, struct call *o);
/* What was said of documentation holds for what c is surely the same as, or goes on for; a pause for the first, and for what goes
 * on for another from its beginning (first). */
void group_share(struct calls *cs, struct call *c, bool first, uint64_t now);
/* Decided now: what was said of its documentation before, in whichever part or call. */
void group_said_before(struct calls *cs, struct call *c, uint64_t now);
/* The group has changed: what binds one binds all. */
void group_settle(struct calls *cs, struct call *c, uint64_t now);

#endif
