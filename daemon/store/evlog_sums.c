/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_sums.c - does the evidence add up? (rules E-10 and E-11)
 *
 * Every call that was matched has exactly one outcome, a kept one a grant before it; every seed that
 * was revealed is the one that was committed, and the commitment came before the day's draws. A hold is set before it is released. Memory:
 * a call lives here from its match to its outcome, and while it is on hold. One thread.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/evlog_internal.h"

/* Longer than any call and its handling; then an outcome is missing. */
#define OPEN_MAX_NS (48ULL * 3600 * NS_PER_S)

struct sum_key {
	int32_t day;
	char rule[EVLOG_NAME];
};

struct sum_node {
	struct hnode node;
	struct evlog_sum s;
};

struct call_node {
	struct hnode node;
	struct uid uid;
	struct sum_node *sum;
	uint64_t time_ns;
	bool granted;
	uint64_t keys; /* key.commits */
};

struct seed {
	struct seed *next;
	uint64_t day;
	char rule[EVLOG_NAME]; /* "" the controller's or store's own */
	uint8_t hash[32];
	bool revealed;
};

struct held_node { /* a call on hold */
	struct hnode node;
	struct uid uid;
};

struct evlog_sums {
	struct htab sums, calls, held;
	struct seed *seeds;
	uint64_t newest_ns;
	uint64_t first_draw; /* the latest num day of which a draw was seen; days before may not be committed any more */
	bool failed;
	char text[192];
};

int evlog_sums_new(struct evlog_sums **ret)
{
	struct evlog_sums *s = calloc(1, sizeof(*s));

	if (!s || htab_init(&s->sums, 64) || htab_init(&s->calls, 1024) || htab_init(&s->held, 64)) {
		evlog_sums_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void evlog_sums_free(struct evlog_sums *s)
{
	struct hnode *n, *next;
	struct seed *seed;

	if (!s)
		return;
	for (size_t i = 0; s->sums.slot && i <= s->sums.mask; i++)
		for (n = s->sums.slot[i]; n; n = next) {
			next = n->next;
			free(container_of(n, struct sum_node, node));
		}
	for (size_t i = 0; s->calls.slot && i <= s->calls.mask; i++)
		for (n = s->calls.slot[i]; n; n = next) {
			next = n->next;
			free(container_of(n, struct call_node, node));
		}
	for (size_t i = 0; s->held.slot && i <= s->held.mask; i++)
		for (n = s->held.slot[i]; n; n = next) {
			next = n->next;
			free(container_of(n, struct held_node, node));
		}
	while ((seed = s->seeds)) {
		s->seeds = seed->next;
		free(seed);
	}
	htab_free(&s->sums);
	htab_free(&s->calls);
	htab_free(&s->held);
	free(s);
}

bool evlog_sums_failed(const struct evlog_sums *s)
{
	return s->failed;
}

static struct sum_node *sum_of(struct evlog_sums *s, int32_t day, const char *rule)
{
	struct sum_key key = { .day = day };
	struct sum_node *n;
	uint64_t h;

	memcpy(key.rule, rule, strlen(rule)); /* the line's reader bounds it; no byte of key is unset */
	h = hash_bytes(&key, sizeof(key));
	for (struct hnode *i = htab_first(&s->sums, h); i; i = htab_next(i)) {
		n = container_of(i, struct sum_node, node);
		if (n->s.day == day && !strcmp(n->s.rule, rule))
			return n;
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		s->failed = true;
		return NULL;
	}
	n->s.day = day;
	memcpy(n->s.rule, key.rule, sizeof(n->s.rule));
	htab_add(&s->sums, &n->node, h);
	return n;
}

static struct call_node *call_of(const struct evlog_sums *s, const struct uid *uid, uint64_t *ret_hash)
{
	*ret_hash = hash_bytes(uid, sizeof(*uid));
	for (struct hnode *i = htab_first(&s->calls, *ret_hash); i; i = htab_next(i)) {
		struct call_node *c = container_of(i, struct call_node, node);

		if (uid_equal(&c->uid, uid))
			return c;
	}
	return NULL;
}

bool evlog_sums_is_open(const struct evlog_sums *s, const struct uid *call)
{
	uint64_t h;

	return call_of(s, call, &h);
}

static const char *say(struct evlog_sums *s, const struct evlog_line *l, const char *what)
{
	char uid[UID_TEXT];

	uid_format(&l->e.call, uid);
	snprintf(s->text, sizeof(s->text), "call %s: %s", uid, what);
	return s->text;
}

static const char *on_match(struct evlog_sums *s, const struct evlog_line *l)
{
	struct call_node *c;
	uint64_t h;

	if (call_of(s, &l->e.call, &h))
		return say(s, l, "matched twice");
	c = calloc(1, sizeof(*c));
	if (!c) {
		s->failed = true;
		return NULL;
	}
	c->uid = l->e.call;
	c->time_ns = l->e.time_ns;
	c->sum = sum_of(s, evlog_day(l->e.time_ns), l->rule);
	if (!c->sum) {
		free(c);
		return NULL;
	}
	c->sum->s.matched++;
	c->sum->s.open++;
	htab_add(&s->calls, &c->node, h);
	return NULL;
}

static const char *on_outcome(struct evlog_sums *s, const struct evlog_line *l, bool partial)
{
	enum evlog_kind k = l->e.kind;
	const char *what = NULL;
	uint64_t h;
	struct call_node *c = call_of(s, &l->e.call, &h);

	if (!c)
		return partial ? NULL : say(s, l, "has an outcome and no match, or a second outcome");
	if (strcmp(c->sum->s.rule, l->rule) != 0)
		what = say(s, l, "matched another rule");
	else if (k == EVLOG_CALL_KEPT && !c->granted)
		what = say(s, l, "kept without a grant");
	else if (evlog_num_get(&l->e, EVLOG_N_KEYS, c->keys) != c->keys) /* older ones do not say */
		what = say(s, l, "its outcome counts other key.commits than there are");
	c->sum->s.open--;
	*(k == EVLOG_CALL_KEPT ? &c->sum->s.kept : k == EVLOG_CALL_DENIED ? &c->sum->s.denied : &c->sum->s.gap) += 1;
	htab_del(&s->calls, &c->node);
	free(c);
	return what;
}

/* ---- holds ---- */

static struct held_node *held_of(struct evlog_sums *s, const struct uid *uid, uint64_t *ret_hash)
{
	*ret_hash = hash_bytes(uid, sizeof(*uid));
	for (struct hnode *i = htab_first(&s->held, *ret_hash); i; i = htab_next(i)) {
		struct held_node *n = container_of(i, struct held_node, node);

		if (uid_equal(&n->uid, uid))
			return n;
	}
	return NULL;
}

/* Again: says why anew. */
static const char *on_hold(struct evlog_sums *s, const struct evlog_line *l)
{
	uint64_t h;
	struct held_node *n = held_of(s, &l->e.call, &h);

	if (n)
		return NULL;
	n = calloc(1, sizeof(*n));
	if (!n) {
		s->failed = true;
		return NULL;
	}
	n->uid = l->e.call;
	htab_add(&s->held, &n->node, h);
	return NULL;
}

static const char *on_release(struct evlog_sums *s, const struct evlog_line *l, uint64_t since_ns)
{
	uint64_t h;
	struct held_node *n = held_of(s, &l->e.call, &h);

	/* of a call of before what was read, so may be its hold */
	if (!n)
		return uid_time_ms(&l->e.call) * NS_PER_MS < since_ns ? NULL : say(s, l, "released from a hold that was never set");
	htab_del(&s->held, &n->node);
	free(n);
	return NULL;
}

/* ---- seeds ---- */

static struct seed *seed_of(struct evlog_sums *s, uint64_t day, const char *rule)
{
	for (struct seed *i = s->seeds; i; i = i->next)
		if (i->day == day && !strcmp(i->rule, rule))
			return i;
	return NULL;
}

static const char *on_commit(struct evlog_sums *s, const struct evlog_line *l, uint64_t day)
{
	struct seed *seed;

	if (seed_of(s, day, l->rule))
		return "a second seed was committed for this day";
	if (day <= s->first_draw)
		return "a seed was committed after draws of its day";
	seed = calloc(1, sizeof(*seed));
	if (!seed) {
		s->failed = true;
		return NULL;
	}
	seed->day = day;
	memcpy(seed->rule, l->rule, sizeof(seed->rule));
	memcpy(seed->hash, l->e.data, 32);
	seed->next = s->seeds;
	s->seeds = seed;
	return NULL;
}

static const char *on_reveal(struct evlog_sums *s, const struct evlog_line *l, uint64_t day, bool partial)
{
	struct seed *seed = seed_of(s, day, l->rule);
	uint8_t hash[32];

	if (!seed)
		return partial ? NULL : "a seed was revealed that was never committed";
	if (seed->revealed)
		return "a seed was revealed twice";
	seed->revealed = true;
	crypto_generichash(hash, 32, l->e.data, 32, NULL, 0);
	return memcmp(hash, seed->hash, 32) ? "the revealed seed is not the committed one" : NULL;
}

/* Who had no seed says so, and is out. */
static bool without_seed(const struct evlog_line *l)
{
	static const char *const reasons[] = { "sample.seed", "sample.settings", "sample.full" };

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (l->e.kind == EVLOG_SAMPLE_OUT && l->e.reason && !strcmp(l->e.reason, reasons[i]))
			return true;
	return false;
}

static const char *on_draw(struct evlog_sums *s, const struct evlog_line *l, uint64_t day, bool partial)
{
	struct seed *seed = seed_of(s, day, l->rule);

	if (without_seed(l))
		return NULL;
	if (!seed)
		seed = seed_of(s, day, "");
	if (day > s->first_draw)
		s->first_draw = day;
	if (!seed)
		return partial ? NULL : "a draw without a committed seed";
	return seed->revealed ? "a draw after its seed was revealed" : NULL;
}

const char *evlog_sums_line(struct evlog_sums *s, const struct evlog_line *l, bool partial, uint64_t since_ns, const char **ret_rule)
{
	uint64_t day = evlog_num_get(&l->e, EVLOG_N_DAY, 0), h;
	struct call_node *c;

	if (l->e.time_ns > s->newest_ns)
		s->newest_ns = l->e.time_ns;
	*ret_rule = "E-10";
	switch (l->e.kind) {
	case EVLOG_CALL_MATCH:
		return on_match(s, l);
	case EVLOG_PURPOSE_GRANT:
		c = call_of(s, &l->e.call, &h);
		if (c)
			c->granted = true;
		return NULL;
	case EVLOG_KEY_COMMIT:
		c = call_of(s, &l->e.call, &h);
		if (c)
			c->keys++;
		return NULL;
	case EVLOG_CALL_KEPT:
	case EVLOG_CALL_DENIED:
	case EVLOG_CALL_GAP:
		return on_outcome(s, l, partial);
	case EVLOG_HOLD_SET:
		return on_hold(s, l);
	case EVLOG_HOLD_RELEASE:
		return on_release(s, l, since_ns);
	default:
		break;
	}
	*ret_rule = "E-11";
	switch (l->e.kind) {
	case EVLOG_SAMPLE_COMMIT:
		return on_commit(s, l, day);
	case EVLOG_SAMPLE_REVEAL:
		return on_reveal(s, l, day, partial);
	case EVLOG_SAMPLE_IN:
	case EVLOG_SAMPLE_OUT:
		return on_draw(s, l, day, partial);
	default:
		return NULL;
	}
}

static int sum_cmp(const void *a, const void *b)
{
	const struct evlog_sum *x = &(*(struct sum_node *const *)a)->s, *y = &(*(struct sum_node *const *)b)->s;

	return x->day != y->day ? (x->day < y->day ? -1 : 1) : strcmp(x->rule, y->rule);
}

static void tell_sums(struct evlog_sums *s, void (*sum)(void *arg, const struct evlog_sum *s), void *arg)
{
	struct sum_node **v = calloc(s->sums.count + 1, sizeof(struct sum_node *));
	size_t n = 0;

	if (!v) {
		s->failed = true;
		return;
	}
	for (size_t i = 0; i <= s->sums.mask; i++)
		for (struct hnode *h = s->sums.slot[i]; h; h = h->next)
			v[n++] = container_of(h, struct sum_node, node);
	qsort(v, n, sizeof(*v), sum_cmp);
	for (size_t i = 0; i < n; i++)
		sum(arg, &v[i]->s);
	free(v);
}

void evlog_sums_end(struct evlog_sums *s, void (*sum)(void *arg, const struct evlog_sum *s), void *arg,
		    void (*lost)(void *arg, const char *uid, const char *rule, int32_t day), void *lost_arg,
		    uint64_t *ret_open)
{
	char uid[UID_TEXT];

	*ret_open = s->calls.count;
	if (sum)
		tell_sums(s, sum, arg);
	for (size_t i = 0; i <= s->calls.mask; i++)
		for (struct hnode *h = s->calls.slot[i]; h; h = h->next) {
			struct call_node *c = container_of(h, struct call_node, node);

			if (s->newest_ns - c->time_ns <= OPEN_MAX_NS)
				continue;
			uid_format(&c->uid, uid);
			lost(lost_arg, uid, c->sum->s.rule, c->sum->s.day);
		}
}
