/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * room.c - who gives way when the table of calls is full
 *
 * Anybody who can send SIP can have calls followed that no rule matches, and a real one whose BYE takes another way
 * stays for half an hour. So a call that begins is not refused for these: the one that is worth the least, and of
 * those the oldest, is forgotten. What is lost with it: a tombstone knows late retransmissions, those of calls that were
 * recorded or may never be also what was said for others of their conversation; a call in progress, which addresses
 * are not to be recorded (`never`), or what is needed once a header makes a rule match (late). A call that a rule matches,
 * or did in an earlier part of it, is never forgotten: there what somebody refused must go on.
 *
 * One list a kind, so this costs the same however many calls there are. Lists are brought up to date by what happens
 * to a call by messages and ends; what changed otherwise is noticed when its turn comes.
 */
#include "call/call_internal.h"

static enum call_spare kind_of(const struct call *c)
{
	if (c->old)
		return CALL_S_OLD;
	if (c->phase == CALL_TOMBSTONE)
		return c->peers || c->segment ? CALL_S_ENDED : CALL_S_OVER;
	if (c->matched || c->segment)
		return CALL_S_NONE;
	if (c->late)
		return CALL_S_LATE;
	if (c->never || c->peers)
		return CALL_S_NEVER;
	return c->phase == CALL_REJECTED ? CALL_S_REJECTED : CALL_S_UNMATCHED;
}

void call_keep_place(struct calls *cs, struct call *c)
{
	struct call_list *l = &cs->spare[c->spare];

	if (c->spare == CALL_S_NONE)
		return;
	*(c->spare_prev ? &c->spare_prev->spare_next : &l->first) = c->spare_next;
	*(c->spare_next ? &c->spare_next->spare_prev : &l->last) = c->spare_prev;
	c->spare_next = c->spare_prev = NULL;
	c->spare = CALL_S_NONE;
	l->n--;
}

void call_place(struct calls *cs, struct call *c)
{
	enum call_spare kind = kind_of(c);
	struct call_list *l = &cs->spare[kind];

	if (kind == (enum call_spare)c->spare)
		return;
	call_keep_place(cs, c);
	if (kind == CALL_S_NONE)
		return;
	c->spare = (uint8_t)kind;
	c->spare_prev = l->last;
	*(l->last ? &l->last->spare_next : &l->first) = c;
	l->last = c;
	l->n++;
}

/*
 * A tombstone past its time still tells a late retransmission from a call that
 * began before the capture, so it stays while there is room.
 */
void call_old_keep(struct calls *cs, struct call *c)
{
	call_stop_timer(cs, c);
	group_forget(cs, c);
	c->old = true;
	call_place(cs, c);
	if (cs->spare[CALL_S_OLD].n > cs->limit.tombstones)
		call_forget(cs, cs->spare[CALL_S_OLD].first);
}

static void forget(struct calls *cs, struct call *c, enum call_spare kind)
{
	cs->stats.forgotten += c->phase != CALL_TOMBSTONE;
	cs->stats.late_full += kind == CALL_S_LATE;
	call_forget(cs, c);
}

bool call_make_room(struct calls *cs)
{
	for (unsigned kind = CALL_S_NONE + 1; kind < CALL_SPARES; kind++) {
		struct call *c;

		while ((c = cs->spare[kind].first)) {
			enum call_spare now = kind_of(c);

			if (now != CALL_S_NONE && now <= kind) {
				forget(cs, c, now);
				return true;
			}
			call_place(cs, c); /* it has become worth more since: once a change, so this ends */
		}
	}
	return false;
}
