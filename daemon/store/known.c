/* SPDX-License-Identifier: BSD-2-Clause */
/* known.c - first and last call of each catalog, see known.h */
#include "store/known.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

struct span {
	uint32_t day;
	unsigned part;
	struct uid first, last;
};

struct known {
	struct known *next;
	char controller[STORE_NAME_MAX];
	struct span *v;
	size_t n, cap;
};

struct known *known_find(struct known *list, const char *controller)
{
	while (list && strcmp(list->controller, controller))
		list = list->next;
	return list;
}

struct known *known_get(struct known **list, const char *controller, bool *ret_fresh)
{
	struct known *k = known_find(*list, controller);

	*ret_fresh = !k;
	if (k)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	snprintf(k->controller, sizeof(k->controller), "%s", controller);
	k->next = *list;
	*list = k;
	return k;
}

static bool before(const struct uid *a, const struct uid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) < 0;
}

int known_add(struct known *k, uint32_t day, unsigned part, const struct uid *first, const struct uid *last)
{
	struct span *v;
	size_t i;

	for (i = k->n; i-- > 0;) { /* the last ones are the likely ones */
		v = &k->v[i];
		if (v->day != day || v->part != part)
			continue;
		if (before(first, &v->first))
			v->first = *first;
		if (before(&v->last, last))
			v->last = *last;
		return 0;
	}
	if (k->n == k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 64;

		v = realloc(k->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		k->v = v;
		k->cap = cap;
	}
	k->v[k->n++] = (struct span){ day, part, *first, *last };
	return 0;
}

bool known_next(const struct known *k, const struct uid *uid, size_t *at, uint32_t *ret_day, unsigned *ret_part)
{
	while (*at < k->n) {
		const struct span *s = &k->v[(*at)++];

		if (before(uid, &s->first) || before(&s->last, uid))
			continue;
		*ret_day = s->day;
		*ret_part = s->part;
		return true;
	}
	return false;
}

void known_forget(struct known **list, const char *controller)
{
	struct known *k;

	while (*list && strcmp((*list)->controller, controller))
		list = &(*list)->next;
	k = *list;
	if (!k)
		return;
	*list = k->next;
	free(k->v);
	free(k);
}

void known_free(struct known **list)
{
	while (*list)
		known_forget(list, (*list)->controller);
}
