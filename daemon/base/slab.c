/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab.c - blocks in areas of 2 MiB, see slab.h
 *
 * What is free in an area is a list of block numbers beside it, so that no pointer lies in
 * memory that held audio. An area is aligned to its size: a block's address tells it.
 */
#include "base/slab.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/areas.h"

#define CLASSES 9 /* 1 KiB to 256 KiB */
_Static_assert(SLAB_MIN << (CLASSES - 1) == SLAB_MAX, "classes");

struct area {
	struct area *next, *prev; /* with room, of its class; full ones are in no list */
	uint8_t *mem;
	bool huge, listed;
	unsigned class;
	unsigned used, nfree, fresh; /* blocks taken; given back; never taken start at fresh */
	uint16_t free[];	     /* SLAB_AREA / size of class */
};

struct slab {
	struct area *room[CLASSES];
	unsigned empty[CLASSES]; /* areas without a taken block */
	/* areas by address: open addressing, a power of two */
	struct area **by_addr;
	size_t n, cap;
	struct areas *areas;
	struct slab_figures figures;
};

static unsigned class_of(size_t n)
{
	unsigned c = 0;

	while ((size_t)SLAB_MIN << c < n)
		c++;
	return c;
}

size_t slab_size(size_t n)
{
	return (size_t)SLAB_MIN << class_of(n);
}

static size_t place(const struct slab *s, const void *p)
{
	return ((uintptr_t)p / SLAB_AREA) * 0x9e3779b97f4a7c15ULL >> 32 & (s->cap - 1);
}

static struct area **find(struct slab *s, const void *p)
{
	const uint8_t *at = (const uint8_t *)((uintptr_t)p & ~(uintptr_t)(SLAB_AREA - 1));
	size_t i = place(s, at);

	while (s->by_addr[i] && s->by_addr[i]->mem != at)
		i = (i + 1) & (s->cap - 1);
	return &s->by_addr[i];
}

static int reserve(struct slab *s)
{
	struct area **old = s->by_addr, **v;
	size_t cap = s->cap, i;

	if ((s->n + 1) * 2 <= cap)
		return 0;
	v = calloc(cap ? cap * 2 : 16, sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->by_addr = v;
	s->cap = cap ? cap * 2 : 16;
	for (i = 0; i < cap; i++)
		if (old[i])
			*find(s, old[i]->mem) = old[i];
	free(old);
	return 0;
}

/* Open addressing without marks of what was removed: who follows moves up. */
static void forget(struct slab *s, struct area *a)
{
	size_t i = (size_t)(find(s, a->mem) - s->by_addr), k = i;

	s->by_addr[i] = NULL;
	for (;;) {
		struct area *b;

		k = (k + 1) & (s->cap - 1);
		b = s->by_addr[k];
		if (!b)
			break;
		s->by_addr[k] = NULL;
		*find(s, b->mem) = b;
	}
	s->n--;
}

static void list_add(struct slab *s, struct area *a)
{
	a->prev = NULL;
	a->next = s->room[a->class];
	if (a->next)
		a->next->prev = a;
	s->room[a->class] = a;
	a->listed = true;
}

static void list_del(struct slab *s, struct area *a)
{
	if (a->prev)
		a->prev->next = a->next;
	else
		s->room[a->class] = a->next;
	if (a->next)
		a->next->prev = a->prev;
	a->listed = false;
}

static struct area *area_new(struct slab *s, unsigned class)
{
	unsigned blocks = SLAB_AREA / (SLAB_MIN << class);
	struct area *a = reserve(s) ? NULL : malloc(sizeof(*a) + blocks * sizeof(a->free[0]));
	struct area_mem m;

	if (!a)
		return NULL;
	memset(a, 0, sizeof(*a));
	a->class = class;
	if (!areas_take(s->areas, &m)) {
		free(a);
		return NULL;
	}
	a->mem = m.p;
	a->huge = m.huge;
	*find(s, a->mem) = a;
	s->n++;
	s->figures.areas++;
	s->figures.huge += a->huge;
	s->empty[class]++;
	list_add(s, a);
	return a;
}

static void area_free(struct slab *s, struct area *a)
{
	if (a->listed)
		list_del(s, a);
	forget(s, a);
	s->figures.areas--;
	s->figures.huge -= a->huge;
	areas_give(s->areas, (struct area_mem){ a->mem, a->huge });
	free(a);
}

int slab_new(struct slab **ret)
{
	struct slab *s = calloc(1, sizeof(*s));

	if (!s || areas_new(&s->areas)) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

int slab_ahead(struct slab *s, size_t bytes, bool grow)
{
	return areas_ahead(s->areas, (unsigned)((bytes + SLAB_AREA - 1) / SLAB_AREA), grow);
}

void slab_free(struct slab *s)
{
	if (!s)
		return;
	assert(!s->figures.bytes);
	for (unsigned c = 0; c < CLASSES; c++)
		while (s->room[c])
			area_free(s, s->room[c]);
	areas_free(s->areas);
	free(s->by_addr);
	free(s);
}

void *slab_get(struct slab *s, size_t n)
{
	unsigned c = class_of(n), i;
	size_t size = (size_t)SLAB_MIN << c;
	struct area *a;

	if (n > SLAB_MAX)
		return NULL;
	a = s->room[c] ? s->room[c] : area_new(s, c);
	if (!a)
		return NULL;
	i = a->nfree ? a->free[--a->nfree] : a->fresh++;
	if (!a->used++)
		s->empty[c]--;
	if (!a->nfree && a->fresh == SLAB_AREA / size)
		list_del(s, a);
	s->figures.bytes += size;
	return a->mem + i * size;
}

void slab_put(struct slab *s, void *p, size_t n)
{
	unsigned c = class_of(n);
	size_t size = (size_t)SLAB_MIN << c;
	struct area *a;

	if (!p)
		return;
	a = *find(s, p);
	assert(a && a->class == c && a->used);
	explicit_bzero(p, size);
	s->figures.bytes -= size;
	a->free[a->nfree++] = (uint16_t)((size_t)((uint8_t *)p - a->mem) / size);
	if (!a->listed)
		list_add(s, a);
	if (--a->used)
		return;
	if (s->empty[c])
		area_free(s, a);
	else
		s->empty[c] = 1;
}

void slab_figures(const struct slab *s, struct slab_figures *ret)
{
	*ret = s->figures;
}
