/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * count.c - how many calls of a rule are recorded, or may be yet (max-concurrent)
 *
 * A rule is one by its controller and name, whichever policy said so: a count goes on over policies. Nothing of it is
 * saved; a restored call counts as what it was. call_count is asked wherever a call's rule, phase or state changes, and
 * compares what the call is with what it was counted as, so that asking once more changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "call/call_internal.h"
#include "call/group.h"

struct call_count {
	struct hnode node;
	unsigned n; /* calls that have it as `counted`; it goes with the last one */
	size_t len;
	char name[]; /* controller, a zero, rule, a zero */
};

static bool takes_place(const struct call *c)
{
	bool any = false;

	if (!c->matched || c->phase == CALL_TOMBSTONE || c->phase == CALL_ENDING || c->phase == CALL_REJECTED)
		return false;
	for (int p = 0; p < POLICY_PURPOSES; p++)
		any |= c->state[p] == PURPOSE_PENDING || c->state[p] == PURPOSE_GRANTED || c->state[p] == PURPOSE_OBJECTED;
	return any;
}

static bool same_rule(const struct policy_rule *a, const struct policy_rule *b)
{
	return a == b || (!strcmp(a->name, b->name) && !strcmp(a->controller->name, b->controller->name));
}

/* How the rule is spelled in a table: for who frees it. NULL no memory. */
static struct call_count *named(const struct policy_rule *r)
{
	size_t c = strlen(r->controller->name) + 1, n = strlen(r->name) + 1;
	struct call_count *k = calloc(1, sizeof(*k) + c + n);

	if (!k)
		return NULL;
	k->len = c + n;
	memcpy(k->name, r->controller->name, c);
	memcpy(k->name + c, r->name, n);
	k->node.hash = hash_bytes(k->name, k->len);
	return k;
}

/* The rule's count, made when there is none and `add`; NULL none, or no memory (*ret_lost). */
static struct call_count *count_of(struct calls *cs, const struct policy_rule *r, bool add, bool *ret_lost)
{
	struct call_count *k = named(r);

	*ret_lost = !k;
	if (!k)
		return NULL;
	for (struct hnode *n = htab_first(&cs->counts, k->node.hash); n; n = htab_next(n)) {
		struct call_count *there = container_of(n, struct call_count, node);

		if (there->len == k->len && !memcmp(there->name, k->name, k->len)) {
			free(k);
			return there;
		}
	}
	if (!add) {
		free(k);
		return NULL;
	}
	htab_add(&cs->counts, &k->node, k->node.hash);
	return k;
}

static void count_as(struct calls *cs, struct call *c, bool takes)
{
	struct call_count *was = c->counted;

	/* a copy of one that ended (group_park) is in no slot */
	if ((takes ? was && c->counted_by == c->rule : !was) || calls_by_ring(cs, c->ring) != c)
		return;
	c->counted = NULL;
	c->counted_by = NULL;
	if (takes) {
		bool lost;

		c->counted = count_of(cs, c->rule, true, &lost);
		c->counted_by = c->counted ? c->rule : NULL;
		cs->uncounted |= lost; /* for good: then each match counts anew */
		if (c->counted)
			c->counted->n++;
	}
	if (was && !--was->n) {
		htab_del(&cs->counts, &was->node);
		free(was);
	}
}

void call_count(struct calls *cs, struct call *c)
{
	count_as(cs, c, takes_place(c));
}

void call_uncount(struct calls *cs, struct call *c)
{
	count_as(cs, c, false);
}

static bool same_talk(const struct call *o, const struct call *c)
{
	return o->peers && c->peers && o->peers->group && o->peers->group == c->peers->group;
}

static unsigned count_anew(const struct calls *cs, const struct call *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < cs->nslot; i++) {
		const struct call *o = cs->slot[i];

		n += o && o != c && takes_place(o) && !same_talk(o, c) && same_rule(o->rule, c->rule);
	}
	return n;
}

unsigned call_count_others(struct calls *cs, const struct call *c)
{
	struct call_count *k;
	struct call *o = NULL;
	bool lost = false;
	unsigned n;

	k = cs->uncounted ? NULL : count_of(cs, c->rule, false, &lost);
	if (cs->uncounted || lost)
		return count_anew(cs, c);
	if (!k)
		return 0;
	n = k->n - (c->counted == k);
	while (c->peers && (o = group_next(c, o)))
		n -= !o->ghost && o != c && o->counted == k;
	return n;
}

bool calls_counted(const struct calls *cs)
{
	size_t counted = 0, total = 0;

	for (size_t i = 0; i < cs->nslot; i++) {
		const struct call *c = cs->slot[i];

		if (!c)
			continue;
		if (!c->counted != !takes_place(c) || (c->counted && c->counted_by != c->rule))
			return false;
		counted += c->counted != NULL;
	}
	for (size_t i = 0; cs->counts.slot && i <= cs->counts.mask; i++)
		for (const struct hnode *n = cs->counts.slot[i]; n; n = n->next)
			total += ((const struct call_count *)n)->n; /* the node comes first */
	return counted == total;
}
