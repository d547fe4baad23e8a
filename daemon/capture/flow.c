/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.c - the flow table's writer
 *
 * Invariants: an entry is found by a reader if and only if its head's verdict
 * is not FREE; everything else of it, and its tag, was stored before that head. A key has at
 * most one entry, save between the two stores of a move or a change of owner,
 * when both copies are valid. Generations come from one counter and are never 0.
 * freed[slot] is when a slot was cleared (0: may be filled).
 */
#include "capture/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "capture/flow_internal.h"

#define SEARCH_MAX 128 /* slots looked at to make room: three moves deep, some 10 us */

struct flow_table {
	struct flow_memory m;
	uint64_t *freed;
	uint64_t seed;
	struct optag_hash hash; /* of seed */
	uint32_t mask;
	uint32_t gen; /* last one given */
	uint32_t *kept_gen; /* or NULL: where that is kept for the next process */
	size_t count;
	bool own_flows, own_tags;
};

static struct optag_flow *entry(const struct flow_table *t, uint32_t slot)
{
	return &t->m.flows[slot];
}

static uint64_t head_word(uint16_t port_be, uint8_t verdict, uint8_t te1, uint32_t gen)
{
	struct optag_flow f = { .head = 0 };

	f.port = port_be;
	f.verdict = verdict;
	f.te1 = te1;
	f.gen = gen;
	return f.head;
}

static void store_head(struct optag_flow *e, uint64_t head)
{
	__atomic_store_n(&e->head, head, __ATOMIC_RELEASE);
}

/* Both slots' tags are one word to the reader. */
static void store_tag(const struct flow_table *t, uint32_t slot, uint32_t tag)
{
	uint32_t *w = &t->m.tags[slot / 4].line[slot / 2 % 2], shift = slot % 2 * 16;

	__atomic_store_n(w, (*w & ~(0xffffU << shift)) | tag << shift, __ATOMIC_RELEASE);
}

static void store_body(struct optag_flow *e, const struct optag_key *k, uint64_t tail)
{
	__atomic_store_n(&e->addr64[0], k->addr[0], __ATOMIC_RELAXED);
	__atomic_store_n(&e->addr64[1], k->addr[1], __ATOMIC_RELAXED);
	__atomic_store_n(&e->tail, tail, __ATOMIC_RELAXED);
}

static void make_key(const struct endpoint *at, uint8_t proto, struct optag_key *ret)
{
	memcpy(ret->addr, at->addr.b, sizeof(ret->addr));
	ret->port = htons(at->port);
	ret->proto = proto;
}

static void key_of(const struct optag_flow *e, struct optag_key *ret)
{
	ret->addr[0] = e->addr64[0];
	ret->addr[1] = e->addr64[1];
	ret->port = e->port;
	ret->proto = e->proto;
}

static uint64_t hash_of(const struct flow_table *t, const struct optag_key *k)
{
	return optag_flow_hash(k, &t->hash);
}

static void lines_of(const struct flow_table *t, const struct optag_key *k, uint32_t ret[2])
{
	uint64_t h = hash_of(t, k);

	ret[0] = optag_flow_h1(h, t->mask);
	ret[1] = optag_flow_h2(h, t->mask);
}

/* ---- counters: with the budget in their high bits ---- */

static uint64_t count_get(const struct optag_flow *e, int i)
{
	return __atomic_load_n(&e->counts[i], __ATOMIC_RELAXED);
}

static void count_put(struct optag_flow *e, int i, uint64_t v)
{
	__atomic_store_n(&e->counts[i], v, __ATOMIC_RELAXED);
}

static void stats_get(const struct optag_flow *e, struct optag_flow_stats *ret)
{
	ret->passed = count_get(e, OPTAG_F_PASSED) & OPTAG_COUNT_MASK;
	ret->events = count_get(e, OPTAG_F_EVENTS) & OPTAG_COUNT_MASK;
	ret->blocked = count_get(e, OPTAG_F_BLOCKED) & OPTAG_COUNT_MASK;
	ret->lost = count_get(e, OPTAG_F_LOST) & OPTAG_COUNT_MASK;
	ret->hole = (uint32_t)(count_get(e, OPTAG_F_LOST) >> OPTAG_HOLE_SHIFT);
	ret->pad = 0;
}

/* ---- slots ---- */

static int find_slot(const struct flow_table *t, const struct optag_key *k)
{
	struct flow_memory m = t->m;
	struct optag_hit hit;

	if (!optag_flow_find(&m, &t->hash, t->mask, k, &hit))
		return -ENOENT;
	return (int)(hit.flow - t->m.flows);
}

/* A clock that went back restarts the quarantine: it is never shortened, nor for ever. */
static bool slot_usable(struct flow_table *t, uint32_t slot, uint64_t now)
{
	if (entry(t, slot)->verdict != OPTAG_V_FREE)
		return false;
	if (!t->freed[slot])
		return true;
	if (now < t->freed[slot])
		t->freed[slot] = now;
	if (now - t->freed[slot] < OPTAG_QUARANTINE_NS)
		return false;
	t->freed[slot] = 0;
	return true;
}

/* A usable slot of the line, or -1; *ret_used counts the line's entries. */
static int line_slot(struct flow_table *t, uint32_t line, uint64_t now, int *ret_used)
{
	int found = -1;

	*ret_used = 0;
	for (uint32_t s = line * 2; s < line * 2 + 2; s++) {
		if (entry(t, s)->verdict != OPTAG_V_FREE)
			(*ret_used)++;
		else if (found < 0 && slot_usable(t, s, now))
			found = (int)s;
	}
	return found;
}

/* The first line while it has room: readers look there first. -1 when both are taken. */
static int pick_slot(struct flow_table *t, const uint32_t line[2], uint64_t now)
{
	int used, slot = line_slot(t, line[0], now, &used);

	return slot >= 0 ? slot : line_slot(t, line[1], now, &used);
}

static uint64_t with_hole(uint64_t word, uint64_t hole)
{
	return (word & ~((uint64_t)OPTAG_HOLE_MAX << OPTAG_HOLE_SHIFT)) | hole << OPTAG_HOLE_SHIFT;
}

/* The longer of two stays; a classifier that finds one at the same instant may overwrite this with its own. */
static void keep_hole(struct optag_flow *e, uint64_t hole)
{
	__u64 word = count_get(e, OPTAG_F_LOST);

	if (hole > word >> OPTAG_HOLE_SHIFT)
		(void)__atomic_compare_exchange_n(&e->counts[OPTAG_F_LOST], &word, with_hole(word, hole), false, __ATOMIC_RELAXED,
						  __ATOMIC_RELAXED);
}

/* Copy, publish, clear: a reader finds one of the two, both alike. What was counted at `from`
 * between the copy and the clearing follows the entry. */
static void move_entry(struct flow_table *t, uint32_t from, uint32_t to)
{
	struct optag_flow *e = entry(t, from), *d = entry(t, to);
	uint64_t copied[OPTAG_F_MAX];
	struct optag_key k;

	key_of(e, &k);
	for (int i = 0; i < OPTAG_F_MAX; i++) {
		copied[i] = count_get(e, i);
		count_put(d, i, copied[i]);
	}
	store_body(d, &k, e->tail);
	store_tag(t, to, optag_flow_tag(hash_of(t, &k)));
	store_head(d, e->head);
	store_head(e, 0);
	store_tag(t, from, 0);
	for (int i = 0; i < OPTAG_F_MAX; i++)
		__atomic_fetch_add(&d->counts[i], (count_get(e, i) - copied[i]) & OPTAG_COUNT_MASK, __ATOMIC_RELAXED);
	keep_hole(d, count_get(e, OPTAG_F_LOST) >> OPTAG_HOLE_SHIFT);
	t->freed[to] = 0;
}

struct search {
	uint32_t slot[SEARCH_MAX];
	int16_t parent[SEARCH_MAX];
	int n;
	bool waits; /* a slot in quarantine was met */
};

static void search_add(const struct flow_table *t, struct search *s, uint32_t line, int parent)
{
	for (uint32_t slot = line * 2; slot < line * 2 + 2; slot++) {
		bool seen = entry(t, slot)->verdict == OPTAG_V_FREE; /* in quarantine: no help */

		s->waits |= seen;
		for (int i = 0; i < s->n && !seen; i++)
			seen = s->slot[i] == slot;
		if (seen || s->n == SEARCH_MAX)
			continue;
		s->slot[s->n] = slot;
		s->parent[s->n++] = (int16_t)parent;
	}
}

/*
 * Makes room among the candidates by moving entries to their other line,
 * shortest chain first. The slot returned was vacated now and is filled at
 * once: the one exception of optag.h's quarantine, taken instead of losing a call.
 */
static int make_room(struct flow_table *t, const uint32_t line[2], uint64_t now)
{
	struct search s = { .n = 0 };

	search_add(t, &s, line[0], -1);
	search_add(t, &s, line[1], -1);
	for (int i = 0; i < s.n; i++) {
		struct optag_key k;
		uint32_t l[2];
		int used, to;

		key_of(entry(t, s.slot[i]), &k);
		lines_of(t, &k, l);
		if (l[0] == s.slot[i] / 2)
			l[0] = l[1];
		to = line_slot(t, l[0], now, &used);
		if (to < 0) {
			search_add(t, &s, l[0], i);
			continue;
		}
		for (int j = i; j >= 0; j = s.parent[j]) {
			move_entry(t, s.slot[j], (uint32_t)to);
			to = (int)s.slot[j];
		}
		return to;
	}
	return s.waits ? -EAGAIN : -ENOSPC;
}

static void clear_slot(struct flow_table *t, uint32_t slot, uint64_t now)
{
	store_head(entry(t, slot), 0);
	store_tag(t, slot, 0);
	t->freed[slot] = now ? now : 1;
	t->count--;
}

/* ---- the table ---- */

/* Entries of an adopted table keep their place; new generations go on behind theirs. A tag that
 * is right already is the same store again, so readers beside this miss nothing. */
static void adopt(struct flow_table *t)
{
	for (uint32_t s = 0; s < (t->mask + 1) * 2; s++) {
		const struct optag_flow *e = entry(t, s);
		struct optag_key k;

		key_of(e, &k);
		store_tag(t, s, e->verdict == OPTAG_V_FREE ? 0 : optag_flow_tag(hash_of(t, &k)));
		if (e->verdict == OPTAG_V_FREE)
			continue;
		t->count++;
		if (e->gen > t->gen)
			t->gen = e->gen;
	}
}

int flow_new(uint32_t lines, uint64_t seed, struct optag_flow *flows_mem,
	     struct optag_tag_pair *tags_mem, struct flow_table **ret)
{
	size_t n = lines;
	struct flow_table *t;

	if (!n || (n & (n - 1)) || n > 1U << 30)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->mask = lines - 1;
	t->seed = seed;
	optag_hash_key(seed, &t->hash);
	t->own_flows = !flows_mem;
	t->own_tags = !tags_mem;
	t->m.flows = flows_mem ? flows_mem : aligned_alloc(64, n * 2 * sizeof(*flows_mem));
	t->m.tags = tags_mem ? tags_mem : calloc(OPTAG_TAG_PAIRS(n), sizeof(*tags_mem));
	t->freed = calloc(n * 2, sizeof(*t->freed));
	if (!t->m.flows || !t->m.tags || !t->freed) {
		flow_free(t);
		return -ENOMEM;
	}
	if (t->own_flows)
		memset(t->m.flows, 0, n * 2 * sizeof(*flows_mem));
	adopt(t);
	*ret = t;
	return 0;
}

void flow_free(struct flow_table *t)
{
	if (!t)
		return;
	if (t->own_flows)
		free(t->m.flows);
	if (t->own_tags)
		free(t->m.tags);
	free(t->freed);
	free(t);
}

static uint64_t tail_word(const struct flow_rule *r)
{
	struct optag_flow f = { .tail = 0 };

	f.ring = r->ring;
	f.leg = r->leg;
	f.te2 = r->te[1];
	f.proto = r->proto;
	return f.tail;
}

/* Same owner, new rule: tail, then head, each one store; a reader sees two rules of one call at most. */
static uint32_t update(struct optag_flow *e, const struct flow_rule *r)
{
	uint32_t gen = e->gen;

	__atomic_store_n(&e->tail, tail_word(r), __ATOMIC_RELAXED);
	store_head(e, head_word(e->port, r->verdict, r->te[0], gen));
	return gen;
}

static uint32_t publish(struct flow_table *t, uint32_t slot, const struct optag_key *k,
			const struct flow_rule *r)
{
	struct optag_flow *e = entry(t, slot);

	if (++t->gen == 0)
		t->gen = 1;
	if (t->kept_gen)
		__atomic_store_n(t->kept_gen, t->gen, __ATOMIC_RELEASE);
	for (int i = 0; i < OPTAG_F_MAX; i++)
		count_put(e, i, 0);
	store_body(e, k, tail_word(r));
	store_tag(t, slot, optag_flow_tag(hash_of(t, k)));
	store_head(e, head_word(k->port, r->verdict, r->te[0], t->gen));
	t->freed[slot] = 0;
	t->count++;
	return t->gen;
}

/* A free slot for the key, whose present entry (if any, else -1) belongs to another owner. */
static int slot_for(struct flow_table *t, const struct optag_key *k, int old, uint64_t now)
{
	uint32_t line[2];
	int slot;

	lines_of(t, k, line);
	slot = pick_slot(t, line, now);
	if (slot >= 0)
		return slot;
	if (old < 0)
		return make_room(t, line, now);
	/* Better the old owner's slot at once than moving others about. */
	clear_slot(t, (uint32_t)old, now);
	return old;
}

int flow_set(struct flow_table *t, const struct endpoint *at, const struct flow_rule *r,
	     uint32_t *ret_gen)
{
	uint64_t now = clock_steady_ns();
	struct optag_key k;
	uint32_t gen;
	int old, slot;

	if (r->verdict == OPTAG_V_FREE || r->verdict > OPTAG_V_INSPECT)
		return -EINVAL;
	make_key(at, r->proto, &k);
	old = find_slot(t, &k);
	if (old >= 0 && entry(t, (uint32_t)old)->ring == r->ring) {
		gen = update(entry(t, (uint32_t)old), r);
	} else {
		slot = slot_for(t, &k, old, now);
		if (slot < 0)
			return slot;
		gen = publish(t, (uint32_t)slot, &k, r);
		if (old >= 0 && old != slot)
			clear_slot(t, (uint32_t)old, now);
	}
	if (ret_gen)
		*ret_gen = gen;
	return 0;
}

static int find_owned(const struct flow_table *t, const struct endpoint *at, uint8_t proto,
		      uint32_t ring)
{
	struct optag_key k;
	int slot;

	make_key(at, proto, &k);
	slot = find_slot(t, &k);
	if (slot < 0 || entry(t, (uint32_t)slot)->ring != ring)
		return -ENOENT;
	return slot;
}

int flow_set_verdict(struct flow_table *t, const struct endpoint *at, uint8_t proto, uint32_t ring,
		     uint8_t verdict)
{
	int slot = find_owned(t, at, proto, ring);
	struct optag_flow *e;

	if (verdict == OPTAG_V_FREE || verdict > OPTAG_V_INSPECT)
		return -EINVAL;
	if (slot < 0)
		return slot;
	e = entry(t, (uint32_t)slot);
	store_head(e, head_word(e->port, verdict, e->te1, e->gen));
	return 0;
}

int flow_clear(struct flow_table *t, const struct endpoint *at, uint8_t proto, uint32_t ring)
{
	int slot = find_owned(t, at, proto, ring);

	if (slot < 0)
		return slot;
	clear_slot(t, (uint32_t)slot, clock_steady_ns());
	return 0;
}

const struct optag_flow *flow_get(const struct flow_table *t, const struct endpoint *at,
				  uint8_t proto, struct optag_flow_stats *ret_stats)
{
	struct optag_key k;
	int slot;

	make_key(at, proto, &k);
	slot = find_slot(t, &k);
	if (slot < 0)
		return NULL;
	if (ret_stats)
		stats_get(entry(t, (uint32_t)slot), ret_stats);
	return entry(t, (uint32_t)slot);
}

uint32_t flow_take_hole(struct flow_table *t, const struct endpoint *at, uint8_t proto, uint32_t ring)
{
	int slot = find_owned(t, at, proto, ring);
	struct optag_flow *e;
	__u64 word;

	if (slot < 0)
		return 0;
	e = entry(t, (uint32_t)slot);
	word = count_get(e, OPTAG_F_LOST);
	/* what the classifier writes meanwhile is read again, so none is taken away unseen */
	while (word >> OPTAG_HOLE_SHIFT && !__atomic_compare_exchange_n(&e->counts[OPTAG_F_LOST], &word, with_hole(word, 0), false,
									  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return (uint32_t)(word >> OPTAG_HOLE_SHIFT);
}

void flow_sweep(struct flow_table *t, bool (*keep)(void *arg, const struct endpoint *at, uint8_t proto, uint32_t ring),
		void *arg)
{
	uint64_t now = clock_steady_ns();

	for (uint32_t slot = 0; slot < (t->mask + 1) * 2; slot++) {
		const struct optag_flow *e = entry(t, slot);
		struct endpoint at;

		if (e->verdict == OPTAG_V_FREE)
			continue;
		memcpy(at.addr.b, e->addr, sizeof(at.addr.b));
		at.port = ntohs(e->port);
		if (!keep(arg, &at, e->proto, e->ring))
			clear_slot(t, slot, now);
	}
}

/* Before the first entry is set, so that both numbers are of one counter; serial comparison for its wrap. */
void flow_keep_gen(struct flow_table *t, uint32_t *last)
{
	uint32_t kept = __atomic_load_n(last, __ATOMIC_ACQUIRE);

	if (kept && (int32_t)(kept - t->gen) > 0)
		t->gen = kept;
	t->kept_gen = last;
}

size_t flow_count(const struct flow_table *t)
{
	return t->count;
}

struct optag_flow *flow_entries(struct flow_table *t)
{
	return t->m.flows;
}

struct optag_tag_pair *flow_tags(struct flow_table *t)
{
	return t->m.tags;
}

uint64_t flow_seed(const struct flow_table *t)
{
	return t->seed;
}

uint32_t flow_line_mask(const struct flow_table *t)
{
	return t->mask;
}
