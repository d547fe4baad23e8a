/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * members.c - dynamic sets of numbers, see members.h
 *
 * One open-addressed table a set, linear probing, at most two thirds full.
 * Deleting moves followers back, so that no tombstones gather in a set whose
 * members come and go all day.
 */
#include "policy/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"

struct member {
	uint64_t key; /* NUMBER_KEY; 0 free */
	int64_t until, added;
	char *note; /* NULL none */
	uid_t uid;
};

struct member_set {
	struct member_set *next;
	char *name;
	struct member *slot;
	size_t cap, n; /* cap: power of two, or 0 */
	uint32_t gen;  /* counts what moves members to other slots */
};

struct policy_members {
	struct member_set *first, **tail;
	size_t n;
};

int policy_members_new(struct policy_members **ret)
{
	struct policy_members *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->tail = &m->first;
	*ret = m;
	return 0;
}

void policy_members_free(struct policy_members *m)
{
	struct member_set *s, *next;

	for (s = m ? m->first : NULL; s; s = next) {
		next = s->next;
		for (size_t i = 0; i < s->cap; i++)
			free(s->slot[i].note);
		free(s->slot);
		free(s->name);
		free(s);
	}
	free(m);
}

/* Numbers are dialled in blocks: without mixing they would lie in runs. */
static size_t slot_of(const struct member_set *s, uint64_t key)
{
	key ^= key >> 31;
	key *= 0x7fb5d329728ea185ULL;
	key ^= key >> 27;
	key *= 0x81dadef4bc2dd44dULL;
	return (size_t)(key ^ key >> 33) & (s->cap - 1);
}

static struct member *lookup(const struct member_set *s, uint64_t key)
{
	size_t i;

	if (!s->n || !key)
		return NULL;
	for (i = slot_of(s, key); s->slot[i].key; i = (i + 1) & (s->cap - 1))
		if (s->slot[i].key == key)
			return &s->slot[i];
	return NULL;
}

static bool counts(const struct member *x, int64_t now)
{
	return !x->until || now < x->until;
}

bool member_set_has(const struct member_set *s, uint64_t key, int64_t now)
{
	const struct member *x = lookup(s, key);

	return x && counts(x, now);
}

static struct member_set *find(const struct policy_members *m, const char *name)
{
	struct member_set *s = m->first;

	while (s && strcmp(s->name, name))
		s = s->next;
	return s;
}

static struct member_set *find_or_add(struct policy_members *m, const char *name)
{
	struct member_set *s = find(m, name);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->name = strdup(name);
	if (!s->name) {
		free(s);
		return NULL;
	}
	*m->tail = s;
	m->tail = &s->next;
	return s;
}

static void put(struct member_set *s, const struct member *x)
{
	size_t i = slot_of(s, x->key);

	while (s->slot[i].key)
		i = (i + 1) & (s->cap - 1);
	s->slot[i] = *x;
}

static int grow(struct member_set *s)
{
	struct member *old = s->slot;
	size_t n = s->cap;

	if ((s->n + 1) * 3 <= s->cap * 2)
		return 0;
	s->slot = calloc(n ? n * 2 : 16, sizeof(*s->slot));
	if (!s->slot) {
		s->slot = old;
		return -ENOMEM;
	}
	s->cap = n ? n * 2 : 16;
	s->gen++;
	for (size_t i = 0; i < n; i++)
		if (old[i].key)
			put(s, &old[i]);
	free(old);
	return 0;
}

static void take_out(struct member_set *s, struct member *x)
{
	size_t hole = (size_t)(x - s->slot), i = hole, mask = s->cap - 1;

	free(x->note);
	for (;;) {
		i = (i + 1) & mask;
		if (!s->slot[i].key)
			break;
		/* May it move back to the hole? Not past the slot where its search begins. */
		if (((i - slot_of(s, s->slot[i].key)) & mask) < ((i - hole) & mask))
			continue;
		s->slot[hole] = s->slot[i];
		hole = i;
	}
	memset(&s->slot[hole], 0, sizeof(s->slot[hole]));
	s->n--;
	s->gen++;
}

int policy_member_number(const char *s, char ret_number[POLICY_NUMBER_MAX])
{
	struct pattern p = { 0 };
	const char *why;

	if (pattern_parse(s, strlen(s), &p, &why) || p.kind != PAT_EXACT)
		return -EINVAL;
	memcpy(ret_number, s, strlen(s) + 1); /* + and 15 digits at most */
	return 0;
}

static bool plain_text(const char *s, size_t max)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = strlen(s), i = 0, len;

	while (i < n && n <= max) {
		len = lex_utf8_len(u + i, n - i);
		if (!len || u[i] < ' ' || u[i] == 0x7f)
			return false;
		i += len;
	}
	return n <= max;
}

int policy_members_add(struct policy_members *m, const char *set, const struct policy_member *add)
{
	struct member x = { .until = add->until, .added = add->added, .uid = add->uid };
	struct member_set *s;
	struct member *old;
	char number[POLICY_NUMBER_MAX];

	if (policy_member_number(add->number, number) || !*set || !plain_text(set, NAME_MAX_LEN) ||
	    (add->note && !plain_text(add->note, POLICY_NOTE_MAX)) || add->until < 0)
		return -EINVAL;
	x.key = number_key(number);
	if (add->note && *add->note) {
		x.note = strdup(add->note);
		if (!x.note)
			return -ENOMEM;
	}
	s = find_or_add(m, set);
	old = s ? lookup(s, x.key) : NULL;
	if (old) {
		free(old->note);
		*old = x;
		return 1;
	}
	if (!s || m->n >= POLICY_MEMBERS_MAX || grow(s)) {
		free(x.note);
		return s && m->n >= POLICY_MEMBERS_MAX ? -ENOSPC : -ENOMEM;
	}
	put(s, &x);
	s->n++;
	m->n++;
	return 0;
}

int policy_members_del(struct policy_members *m, const char *set, const char *number)
{
	struct member_set *s = find(m, set);
	struct member *x = s ? lookup(s, number_key(number)) : NULL;

	if (!x)
		return -ENOENT;
	take_out(s, x);
	m->n--;
	return 0;
}

size_t policy_members_expire(struct policy_members *m, int64_t t)
{
	size_t n = 0;

	for (struct member_set *s = m->first; s; s = s->next)
		for (size_t i = 0; i < s->cap;) {
			struct member *x = &s->slot[i];

			if (!x->key || counts(x, t)) {
				i++;
				continue;
			}
			take_out(s, x); /* another may be in its slot now */
			m->n--;
			n++;
		}
	return n;
}

bool policy_members_has(const struct policy_members *m, const char *set, const char *number, int64_t now)
{
	const struct member_set *s = find(m, set);

	return s && member_set_has(s, number_key(number), now);
}

size_t policy_members_count(const struct policy_members *m, const char *set, int64_t now)
{
	size_t n = 0;

	for (const struct member_set *s = m->first; s; s = s->next) {
		if (set && strcmp(set, s->name))
			continue;
		for (size_t i = 0; i < s->cap; i++)
			n += s->slot[i].key && counts(&s->slot[i], now);
	}
	return n;
}

size_t policy_members_sets(const struct policy_members *m)
{
	size_t n = 0;

	for (const struct member_set *s = m->first; s; s = s->next)
		n += s->n > 0;
	return n;
}

const char *policy_members_set(const struct policy_members *m, size_t i)
{
	const struct member_set *s = m->first;

	while (s && i--)
		s = s->next;
	return s ? s->name : NULL;
}

static void describe(const struct member *x, struct policy_member *ret)
{
	snprintf(ret->number, sizeof(ret->number), "+%0*llu", (int)(x->key >> 56 & 15),
		 (unsigned long long)(x->key & ((1ULL << 56) - 1)));
	ret->until = x->until;
	ret->added = x->added;
	ret->uid = x->uid;
	ret->note = x->note ? x->note : "";
}

int policy_members_get(const struct policy_members *m, const char *set, const char *number, struct policy_member *ret)
{
	const struct member_set *s = find(m, set);
	const struct member *x = s ? lookup(s, number_key(number)) : NULL;

	if (!x)
		return -ENOENT;
	describe(x, ret);
	return 0;
}

bool policy_members_next(const struct policy_members *m, const char *set, uint64_t *at, struct policy_member *ret)
{
	const struct member_set *s = find(m, set);
	size_t i = (uint32_t)*at;

	if (s && *at && *at >> 32 != s->gen) {
		*at = 0;
		return false;
	}
	while (s && i < s->cap && !s->slot[i].key)
		i++;
	if (!s || i >= s->cap)
		return false;
	describe(&s->slot[i], ret);
	*at = (uint64_t)s->gen << 32 | (i + 1);
	return true;
}

/* ---- policies ---- */

static bool holds_members(const struct set *s)
{
	return s->dynamic && s->kind == SET_NUMBERS;
}

int policy_bind(struct policy *p, struct policy_members *m)
{
	for (struct obj *o = p->sets.first; o; o = o->next)
		if (holds_members((struct set *)o) && !find_or_add(m, o->name))
			return -ENOMEM;
	for (struct obj *o = p->sets.first; o; o = o->next)
		if (holds_members((struct set *)o))
			((struct set *)o)->live = find(m, o->name);
	return 0;
}

static bool names(const struct numbers *c, const struct set *s)
{
	for (const struct word *w = c->sets; w; w = w->next)
		if (w->obj == s)
			return true;
	return false;
}

int policy_set_use(const struct policy *p, const char *name, unsigned *ret_use)
{
	const struct set *s = (const struct set *)list_find(&p->sets, name);
	unsigned use = 0;

	if (!s)
		return -ENOENT;
	if (!s->dynamic)
		return -EINVAL;
	if (s->kind != SET_NUMBERS)
		return -ENOTSUP;
	for (const struct obj *o = p->nevers.first; o; o = o->next)
		if (names(&((const struct rule *)o)->called, s) || names(&((const struct rule *)o)->calling, s))
			use |= POLICY_SET_DENIES;
	for (const struct obj *o = p->rules.first; o; o = o->next)
		if (names(&((const struct rule *)o)->called, s) || names(&((const struct rule *)o)->calling, s))
			use |= POLICY_SET_PERMITS;
	for (const struct obj *o = p->controllers.first; o; o = o->next)
		if (names(&((const struct controller *)o)->numbers, s))
			use |= POLICY_SET_PERMITS;
	*ret_use = use;
	return 0;
}
