/* SPDX-License-Identifier: BSD-2-Clause */
/* group_keep.c - calls that are one conversation: one recording, parts that are over, take-over; see group.h */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "call/group_internal.h"
#include "optag.h"

/* ---- one recording ---- */

static unsigned voices(struct calls *cs, struct call *c)
{
	if (!cs->sink.kept || over(c))
		return 0;
	return (cs->sink.kept(cs->sink.arg, c, OPTAG_LEG_CALLER) != 0) + (cs->sink.kept(cs->sink.arg, c, OPTAG_LEG_CALLEE) != 0);
}

/* All that c may hold o may hold, too. */
static bool keeps_as_much(const struct call *o, const struct call *c)
{
	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (holds_audio(c, p) && (!holds_audio(o, p) || (c->state[p] == PURPOSE_GRANTED && o->state[p] != PURPOSE_GRANTED)))
			return false; /* one that is restricted may be gone in a week */
	return true;
}

static bool covers(const struct call *o, const struct call *c)
{
	if (!o->answered || !c->answered || o->answer_ns > c->answer_ns + GROUP_COVER_NS)
		return false;
	return !o->end_ns || c->end_ns <= o->end_ns + GROUP_COVER_NS;
}

/* o, which goes on or was kept, makes c superfluous. */
static bool replaces(struct calls *cs, struct call *o, struct call *c)
{
	unsigned a, b;

	if (!group_same(o, c) || !covers(o, c) || !keeps_as_much(o, c))
		return false;
	if (over(o))
		return o->peers->kept;
	if (!o->matched || !in_progress(o))
		return false;
	a = voices(cs, o);
	b = voices(cs, c);
	if (a != b)
		return a > b;
	return began_before(o, c);
}

static void hand_over_slot(struct call *c, struct call *o)
{
	if (!c->decide.sample_slot || !o->decide.sample_shared || o->decide.sample_slot || over(o) || o->rule != c->rule)
		return;
	o->decide.sample_slot = c->decide.sample_slot;
	o->decide.sample_waits = c->decide.sample_waits;
	c->decide.sample_slot = 0;
	c->decide.sample_waits = false;
}

void group_end(struct calls *cs, struct call *c)
{
	struct call *o = NULL;

	if (!c->peers)
		return;
	while ((o = group_next(c, o))) {
		if (replaces(cs, o, c)) {
			c->peers->relation = CALL_R_DUPLICATE;
			c->peers->other = o->uid;
			cs->stats.duplicates++;
			hand_over_slot(c, o);
			return;
		}
		if (!c->peers->relation && over(o) && o->peers->kept && group_same(o, c)) {
			c->peers->relation = CALL_R_SAME;
			c->peers->other = o->uid;
		}
	}
	/* It goes on for longer than the one whose slot it had: a second recording needs one of its own (INV-10). */
	if (c->decide.sample_shared && !c->decide.sample_slot && holds_audio(c, POLICY_TRAINING)) {
		call_event_why(cs, c, POLICY_TRAINING, PURPOSE_E_TIGHTENED, "sample.shared");
	}
}

/* ---- parts that are over ---- */

/* Also where nobody records now: who says no there says it of what was recorded before. */
static bool goes_on(const struct call *o)
{
	return !o->ghost && (o->matched || o->segment) && in_progress(o);
}

bool group_lasts(const struct call *c)
{
	struct call *o = NULL;

	if (strcmp(c->end, "transfer") == 0) /* another part of the same call */
		return c->peers != NULL;
	while ((o = group_next(c, o)))
		if (goes_on(o))
			return true;
	return false;
}

bool group_park(struct calls *cs, struct call *c, struct call *ghost, struct call_peers *part)
{
	struct call_group *g = c->peers ? group_make(c->peers) : NULL;

	if (!g || g->members >= GROUP_MEMBERS_MAX) {
		if (g)
			group_overfull(cs, c);
		return false;
	}
	*part = *c->peers;
	memset(part->key, 0, sizeof(part->key));
	part->call = ghost;
	part->bound = 0;
	part->said = 0;
	part->next = g->first;
	g->first = part;
	g->members++;
	ghost->peers = part;
	ghost->ghost = true;
	ghost->matched = false; /* nothing is decided about it any more */
	ghost->phase = CALL_TOMBSTONE;
	return true;
}

void group_unpark(struct calls *cs, struct call *ghost)
{
	struct call_group *g = ghost->peers->group;
	bool last = !g || g->members == 1;

	group_out(ghost->peers);
	for (struct call_peers *p = last ? NULL : g->first; p; p = p->next)
		if (!p->call->ghost && p->call->matched && !over(p->call))
			call_refresh_verdicts(cs, p->call);
}

void group_quiet(struct calls *cs, struct call *c)
{
	struct call *o = NULL, *next;

	if (!c->peers || !c->peers->group || !cs->sink.unpark)
		return;
	while ((o = group_next(c, o)))
		if (goes_on(o))
			return;
	for (o = group_next(c, NULL); o; o = next) {
		next = group_next(c, o);
		if (o->ghost)
			cs->sink.unpark(cs->sink.arg, o, POLICY_TRAINING, PURPOSE_E_BYE);
	}
}

/* ---- take-over, and clocks ---- */

void group_save(const struct call *c, struct buf *out)
{
	const struct call_peers *p = c->peers;
	unsigned n = 0;

	buf_put8(out, p != NULL);
	if (!p)
		return;
	for (int i = 0; i < GROUP_KEYS_MAX; i++)
		n += p->key[i].peers != NULL && p->key[i].kind != GROUP_K_OLD;
	buf_put8(out, (uint8_t)(p->never | p->full << 1 | p->kept << 2));
	buf_put8(out, p->bound);
	buf_put8(out, p->said);
	buf_put8(out, p->depth);
	buf_put_le64(out, p->talk);
	buf_put8(out, p->drawn);
	buf_put8(out, p->relation);
	buf_put(out, p->other.b, sizeof(p->other.b));
	buf_put_varint(out, strlen(p->controller));
	buf_put(out, p->controller, strlen(p->controller));
	for (int i = 0; i < 2; i++)
		buf_put_le64(out, p->half[i]);
	buf_put_le64(out, p->group ? p->group->tag : 0);
	buf_put8(out, (uint8_t)n);
	for (int i = 0; i < GROUP_KEYS_MAX; i++) {
		if (!p->key[i].peers || p->key[i].kind == GROUP_K_OLD)
			continue;
		buf_put8(out, p->key[i].kind);
		buf_put_le64(out, p->key[i].node.hash);
		buf_put_le32(out, p->key[i].at_ds);
	}
}

static bool load_keys(struct rd *r, struct call_peers *p)
{
	uint64_t tag = rd_le64(r);
	unsigned i, n = rd_u8(r);

	if (n > GROUP_KEYS_MAX - 1)
		return false;
	for (i = 0; i < n; i++) {
		struct group_key *k = &p->key[i];

		k->peers = p;
		k->kind = rd_u8(r);
		k->node.hash = rd_le64(r);
		k->at_ds = rd_le32(r);
		if (k->kind >= GROUP_K_OLD)
			return false;
	}
	if (tag) {
		p->key[n].peers = p;
		p->key[n].kind = GROUP_K_OLD;
		p->key[n].node.hash = tag;
	}
	return !r->bad;
}

bool group_load(struct rd *r, struct call *c)
{
	struct call_peers *p;
	uint8_t there = rd_u8(r), flags;
	const uint8_t *b;
	uint64_t n;

	if (r->bad || there > 1)
		return false;
	if (!there)
		return true;
	p = calloc(1, sizeof(*p));
	if (!p)
		return false;
	c->peers = p; /* whoever drops the call frees it */
	p->call = c;
	flags = rd_u8(r);
	p->never = flags & 1;
	p->full = flags & 2;
	p->kept = flags & 4;
	p->bound = rd_u8(r);
	p->said = rd_u8(r);
	p->depth = rd_u8(r);
	p->talk = rd_le64(r);
	p->drawn = rd_u8(r);
	p->out = p->drawn == 2 ? "sample.out" : "";
	p->relation = rd_u8(r);
	b = rd_bytes(r, sizeof(p->other.b));
	if (b)
		memcpy(p->other.b, b, sizeof(p->other.b));
	n = rd_varint(r);
	b = n < sizeof(p->controller) ? rd_bytes(r, (size_t)n) : NULL;
	if (!b || memchr(b, 0, (size_t)n) || flags > 7 || p->bound > PURPOSE_EVENTS ||
	    (p->said && p->said != PURPOSE_E_OBJECT + 1 && p->said != PURPOSE_E_WITHDRAW + 1) || p->drawn > 2 || p->relation >= CALL_RELATIONS)
		return false;
	memcpy(p->controller, b, (size_t)n);
	for (int i = 0; i < 2; i++)
		p->half[i] = rd_le64(r);
	return load_keys(r, p);
}

static void tie_restored(struct calls *cs, struct call *c)
{
	for (int i = 0; i < GROUP_KEYS_MAX; i++) {
		struct group_key *k = &c->peers->key[i];
		struct hnode *n = k->peers && k->kind == GROUP_K_OLD ? htab_first(&cs->group_keys, k->node.hash) : NULL;

		for (; n; n = htab_next(n)) {
			const struct group_key *o = container_of(n, struct group_key, node);

			if (o->kind == GROUP_K_OLD && o->peers != c->peers && group_tie(cs, c, o->peers->call))
				break; /* whose group is the others' by now */
		}
	}
}

void group_restored(struct calls *cs)
{
	for (size_t i = 0; i < cs->nslot; i++) {
		struct call *c = cs->slot[i];

		for (int k = 0; c && c->peers && k < GROUP_KEYS_MAX; k++)
			if (c->peers->key[k].peers)
				htab_add(&cs->group_keys, &c->peers->key[k].node, c->peers->key[k].node.hash);
	}
	for (size_t i = 0; i < cs->nslot; i++)
		if (cs->slot[i] && cs->slot[i]->peers)
			tie_restored(cs, cs->slot[i]);
}

void group_rebase(struct call *c, uint64_t by_ns)
{
	uint32_t by = deciseconds(by_ns);

	for (int i = 0; c->peers && i < GROUP_KEYS_MAX; i++)
		c->peers->key[i].at_ds -= c->peers->key[i].at_ds < by ? c->peers->key[i].at_ds : by;
}
