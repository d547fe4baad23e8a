/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_untold.c - a change of a hold whose event nobody lived to leave (hold.h, FORMAT.md section 13)
 *
 * The line is in `holds.telling` before it is in the journal, and taken away when its event is in the outbox. So a file that is there when
 * somebody else has the journal is a program that died in between: where the line is the journal's last, it counts, and its event is
 * left now, unless log or outbox have it. Changes come one at a time, so there is one such line at most.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/hold_internal.h"
#include "store/outbox_internal.h"

bool hold_line_told(const struct hold_line *l)
{
	return l->what == HOLD_SET || l->what == HOLD_CHANGE || l->what == HOLD_RELEASE;
}

int holds_telling(struct holds *h, const char *line, size_t n, struct why *why)
{
	return write_over(h->root, HOLDS_TELLING, line, n, h->root->shared ? FILE_MODE(h->root) : 0640, why);
}

void holds_told(struct holds *h)
{
	(void)beneath_unlinkat(h->root->fd, HOLDS_TELLING, 0); /* else the next finds that it was told */
}

/* The event is there: of this call and kind, and not of a change before. */
struct seek {
	const struct evlog_event *e;
	bool found;
};

static bool is_it(const struct evlog_event *want, const struct evlog_event *e)
{
	return e->kind == want->kind && e->has_call && uid_equal(&e->call, &want->call) && e->time_ns >= want->time_ns;
}

static int on_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	struct seek *s = arg;

	(void)file;
	(void)n;
	s->found |= is_it(s->e, &l->e);
	return 0;
}

static void on_waiting(void *arg, const struct evlog_line *l)
{
	(void)on_line(arg, NULL, 0, l);
}

static int seek_log(const struct root *r, struct seek *s)
{
	struct evlog_look how = { .arg = s, .line = on_line, .from_day = evlog_day(s->e->time_ns) };
	struct evlog_report rep;
	char why[512] = "";
	int rc = evlog_look(r->path, &how, &rep, why, sizeof(why));

	return rc == -ENOENT ? 0 : rc;
}

/* Whether the line is the journal's last. */
static bool is_last(const struct holds *h, const char *line, size_t n)
{
	char last[HOLD_LINE_MAX];

	return n && n < sizeof(last) && h->end >= n && !pread_all(h->fd, last, n, (off_t)(h->end - n)) && !memcmp(last, line, n);
}

int holds_untold(struct holds *h, int (*tell)(void *arg, const struct evlog_event *e), void *arg)
{
	struct evlog_event e = { .source = EVLOG_S_OPERATOR, .has_call = true };
	struct seek s = { .e = &e };
	char line[HOLD_LINE_MAX];
	const struct entry *x;
	struct hold_line l;
	size_t n = 0;
	int rc = read_small(h->root->fd, HOLDS_TELLING, line, sizeof(line), &n);

	if (rc == -ENOENT)
		return 0;
	if (rc)
		return rc;
	x = n > 1 && !hold_line_parse(line, n - 1, &l) && is_last(h, line, n) ? holds_find(h, &l.uid) : NULL;
	if (!x) { /* nothing came of it */
		holds_told(h);
		return 0;
	}
	e.kind = l.what == HOLD_RELEASE ? EVLOG_HOLD_RELEASE : EVLOG_HOLD_SET;
	e.call = l.uid;
	e.controller = x->h.controller;
	e.who = l.by.name;
	e.time_ns = l.at_ns;
	evlog_num_add(&e, EVLOG_N_UID, l.by.uid);
	rc = outbox_lines(h->root, on_waiting, &s); /* first: what goes into the log meanwhile is found there */
	if (!rc && !s.found)
		rc = seek_log(h->root, &s);
	if (!rc && !s.found)
		rc = tell(arg, &e);
	if (!rc)
		holds_told(h);
	return rc;
}
