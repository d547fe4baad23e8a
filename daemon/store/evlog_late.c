/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_late.c - a key.commit behind the outcome of its call (rule E-10)
 *
 * The outcome says how many keys the call has, and a certificate relies on it. Calls that ended are not remembered (there may be
 * millions a day): a key.commit of a call that is not open is noted, and only where there is one the log is read again for when
 * that call ended. Programs of before the outcome had n.keys may have written them so: what counts is behind the first that has it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "store/evlog_internal.h"

#define LATE_MAX 65536 /* that many findings say enough */

struct late_node {
	struct hnode node;
	struct late_node *next; /* in order of the log */
	struct evlog_late l;
	uint64_t ended; /* seq of the outcome; 0 not seen before it */
};

struct evlog_lates {
	struct htab by_call;
	struct late_node *first, **last;
	size_t n;
	bool counted; /* an outcome with n.keys was seen */
};

int evlog_lates_new(struct evlog_lates **ret)
{
	struct evlog_lates *s = calloc(1, sizeof(*s));

	if (!s || htab_init(&s->by_call, 64)) {
		free(s);
		return -ENOMEM;
	}
	s->last = &s->first;
	*ret = s;
	return 0;
}

void evlog_lates_free(struct evlog_lates *s)
{
	struct late_node *n;

	if (!s)
		return;
	while ((n = s->first)) {
		s->first = n->next;
		free(n);
	}
	htab_free(&s->by_call);
	free(s);
}

int evlog_lates_add(struct evlog_lates *s, const struct evlog_late *l)
{
	struct late_node *n;

	if (s->n == LATE_MAX)
		return 0;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->l = *l;
	htab_add(&s->by_call, &n->node, hash_bytes(&l->call, sizeof(l->call)));
	*s->last = n;
	s->last = &n->next;
	s->n++;
	return 0;
}

bool evlog_lates_any(const struct evlog_lates *s)
{
	return s->n;
}

int evlog_lates_line(void *lates, const char *file, uint64_t line, const struct evlog_line *l)
{
	struct evlog_lates *s = lates;

	(void)file;
	(void)line;
	if (l->e.kind != EVLOG_CALL_KEPT && l->e.kind != EVLOG_CALL_DENIED && l->e.kind != EVLOG_CALL_GAP)
		return 0;
	s->counted |= evlog_num_get(&l->e, EVLOG_N_KEYS, UINT64_MAX) != UINT64_MAX;
	if (!s->counted)
		return 0;
	for (struct hnode *i = htab_first(&s->by_call, hash_bytes(&l->e.call, sizeof(l->e.call))); i; i = htab_next(i)) {
		struct late_node *n = container_of(i, struct late_node, node);

		if (uid_equal(&n->l.call, &l->e.call) && l->seq < n->l.seq)
			n->ended = l->seq;
	}
	return 0;
}

void evlog_lates_each(const struct evlog_lates *s, void (*fn)(void *arg, const struct evlog_late *l), void *arg)
{
	for (const struct late_node *n = s->first; n; n = n->next)
		if (n->ended)
			fn(arg, &n->l);
}
