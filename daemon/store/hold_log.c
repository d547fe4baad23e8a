/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_log.c - what the evidence log knows of holds, see hold_log.h
 *
 * An event is left after the line that it tells of, and has a time that is not before that line's. So a journal that is younger than
 * the log's last word of a call may say something else (its event is on its way), and an older one may not.
 */
#include "store/hold_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/hold_internal.h"
#include "store/outbox_internal.h"

struct word {
	struct hnode node;
	struct hold_word w;
	bool waits; /* it is in the outbox: only a later one of the log counts instead */
};

struct hold_log {
	struct root root;
	struct htab words;
	bool failed; /* out of memory */
};

static int take(struct hold_log *g, const struct evlog_event *e, bool waits)
{
	uint64_t h = hash_bytes(e->call.b, sizeof(e->call.b));
	struct word *x = NULL;

	if (e->kind != EVLOG_HOLD_SET && e->kind != EVLOG_HOLD_RELEASE)
		return 0;
	for (struct hnode *n = htab_first(&g->words, h); n && !x; n = htab_next(n))
		if (uid_equal(&container_of(n, struct word, node)->w.call, &e->call))
			x = container_of(n, struct word, node);
	if (x && x->waits && !waits && e->time_ns < x->w.time_ns)
		return 0;
	if (!x) {
		x = calloc(1, sizeof(*x));
		if (!x)
			return -ENOMEM;
		x->w.call = e->call;
		htab_add(&g->words, &x->node, h);
	}
	x->w.set = e->kind == EVLOG_HOLD_SET;
	x->w.time_ns = e->time_ns;
	x->waits = waits;
	return 0;
}

int hold_log_line(void *log, const char *file, uint64_t n, const struct evlog_line *l)
{
	(void)file;
	(void)n;
	return take(log, &l->e, false);
}

static void take_waiting(void *arg, const struct evlog_line *l)
{
	struct hold_log *g = arg;

	g->failed |= take(g, &l->e, true) != 0;
}

int hold_log_new(const char *store_dir, struct hold_log **ret, char *text, size_t n)
{
	struct hold_log *g = calloc(1, sizeof(*g));
	struct why why = { "" };
	int rc = g ? htab_init(&g->words, 64) : -ENOMEM;

	if (rc) {
		free(g);
		snprintf(text, n, "out of memory");
		return rc;
	}
	g->root.fd = -1;
	rc = root_open(store_dir, &g->root, &why);
	if (!rc && beneath_accessat(g->root.fd, "keys"))
		rc = why_errno(&why, -errno, "keys", "cannot read");
	if (!rc) {
		rc = outbox_lines(&g->root, take_waiting, g);
		rc = rc == -EACCES ? 0 : rc; /* not ours to read: what waits comes into the log */
		rc = g->failed ? -ENOMEM : rc;
		if (rc)
			(void)why_errno(&why, rc, OUTBOX_DIR, "cannot read");
	}
	if (rc) {
		snprintf(text, n, "%s", why.text);
		hold_log_free(g);
		return rc;
	}
	*ret = g;
	return 0;
}

void hold_log_free(struct hold_log *g)
{
	struct hnode *n, *next;

	if (!g)
		return;
	for (size_t i = 0; g->words.slot && i <= g->words.mask; i++)
		for (n = g->words.slot[i]; n; n = next) {
			next = n->next;
			free(container_of(n, struct word, node));
		}
	htab_free(&g->words);
	root_close(&g->root);
	free(g);
}

/* The journal knows of that event, or of a later one. */
static bool agrees(const struct holds *h, const struct hold_word *w)
{
	const struct entry *e = holds_find(h, &w->call);

	if (w->set)
		return e && (e->h.held || e->h.released_ns >= w->time_ns);
	return !e || !e->h.held || e->h.at_ns > w->time_ns;
}

void hold_log_each(const struct hold_log *g, const struct holds *h, void (*fn)(void *arg, const struct hold_word *w), void *arg)
{
	for (size_t i = 0; i <= g->words.mask; i++)
		for (struct hnode *n = g->words.slot[i]; n; n = n->next) {
			const struct hold_word *w = &container_of(n, struct word, node)->w;

			if (!agrees(h, w))
				fn(arg, w);
		}
}

struct telling {
	void (*fn)(void *arg, const char *rule, const char *text);
	void *arg;
};

static void tell(void *arg, const struct hold_word *w)
{
	const struct telling *t = arg;
	char uid[UID_TEXT], when[40], text[256];

	uid_format(&w->call, uid);
	clock_format(w->time_ns, when);
	when[19] = 0;
	snprintf(text, sizeof(text), "call %s: %s at %sZ, as the log says, and the journal does not know of it: it is an older one, or lines are lost", uid,
		 w->set ? "put on hold" : "its hold was ended", when);
	t->fn(t->arg, "H-7", text);
}

int hold_log_check(const struct hold_log *g, void (*fn)(void *arg, const char *rule, const char *text), void *arg, char *text, size_t n)
{
	struct why why = { "" };
	struct holds *h = NULL;
	int rc;

	if (!g->words.count)
		return 0;
	rc = holds_open(&g->root, HOLDS_READ, &h, &why);
	if (rc == -EBADMSG) {
		fn(arg, "H-1", why.text);
		return 0;
	}
	if (rc) {
		snprintf(text, n, "%s", why.text);
		return rc;
	}
	hold_log_each(g, h, tell, &(struct telling){ fn, arg });
	holds_close(h);
	return 0;
}
