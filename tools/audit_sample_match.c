/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_sample_match.c - every draw has its event in the evidence log, and every such event its draw
 *
 * They meet by the link of the record's line, which is in the signed log. A draw without an event is a crash's when no
 * later draw of the same process has one: an OPEN with `start` lies between it and the next draw that was logged, and
 * one of its own rule before that rule's next. Otherwise it, or a line before it, was put in or changed. What then has no partner is
 * paired by rule, day and draw, to say which. One thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit_sample.h"
#include "base/clock.h"

#define AHEAD 256 /* events that may be missing in the records before pairing loses its place */

static void tell(const struct match *m, const struct lost_draw *l, const char *text)
{
	char file[40], day[16];

	sample_day_text(l->file, day);
	snprintf(file, sizeof(file), SAMPLE_LOG_DIR "/%.10s.jsonl", day);
	m->fault(m->arg, file, l->line, l->day, l->rule, text);
}

/* ---- as records come ---- */

/* A draw that was logged: what lies before it in this process must be as well. */
static void anchored(struct match *m, struct rule_state *rs)
{
	for (; m->from < m->n; m->from++)
		m->v[m->from].wrong |= m->v[m->from].starts == m->starts;
	for (size_t i = rs->lost; i; i = m->v[i - 1].next)
		m->v[i - 1].wrong |= m->v[i - 1].own == rs->starts;
	rs->lost = 0;
	m->anchored++;
}

static int add_lost(struct match *m, struct rule_state *rs, const struct sample_record *r, const char *file, uint64_t line,
		    int32_t day)
{
	struct lost_draw *l;
	uint64_t ns = 0;
	char text[16];

	if (m->n == m->cap) {
		l = realloc(m->v, (m->cap ? 2 * m->cap : 64) * sizeof(*l));
		if (!l)
			return -ENOMEM;
		m->v = l;
		m->cap = m->cap ? 2 * m->cap : 64;
	}
	snprintf(text, sizeof(text), "%.10s", file + strlen(SAMPLE_LOG_DIR "/"));
	(void)clock_parse(text, &ns); /* a file's name, as the reader made it */
	l = &m->v[m->n++];
	*l = (struct lost_draw){ .day = day, .file = (int32_t)(ns / NS_PER_S / 86400), .line = line, .threshold = r->threshold,
				 .draw = r->draw, .why = (uint8_t)r->why, .starts = m->starts, .own = rs->starts,
				 .anchored = m->anchored, .next = rs->lost };
	memcpy(l->rule, r->rule, SAMPLE_ID);
	rs->lost = m->n;
	return 0;
}

/* The event of a record by its link. What it says must be what the record says. */
static const char *compare(const struct match *m, const struct sample_record *r, const struct drawn *d)
{
	const struct rule_name *n = events_name(m->e, r->rule);

	if (!n || strcmp(n->rule, d->name->rule) || (*d->name->controller && strcmp(n->controller, d->name->controller)))
		return "the evidence log names another rule for this draw";
	if (r->day && r->day != d->day)
		return "the evidence log has another day for this draw";
	if (d->draw != r->draw)
		return "the evidence log has another draw value";
	if (d->threshold != r->threshold)
		return "the evidence log has another threshold";
	if (d->why != (uint8_t)r->why || d->in != (r->why == SAMPLE_IN))
		return "the evidence log has another outcome";
	return NULL;
}

int match_record(struct match *m, struct rule_state *rs, const struct sample_record *r,
		 const uint8_t link[SAMPLE_LOG_LINK], const char *file, uint64_t line, int32_t day)
{
	struct drawn *d = events_find(m->e, link);
	const char *what;

	if (r->kind == SAMPLE_R_OPEN && r->open->start) {
		rs->starts++;
		m->starts++;
	}
	if (r->kind != SAMPLE_R_DRAW)
		return 0;
	if (!d)
		return add_lost(m, rs, r, file, line, day);
	what = d->used ? "stands twice in the records" : compare(m, r, d);
	if (what)
		m->fault(m->arg, file, line, day, r->rule, what);
	d->used = true;
	anchored(m, rs);
	return 0;
}

/* ---- at the end ---- */

static bool pairs(const struct match *m, const struct lost_draw *l, const struct drawn *d)
{
	const struct rule_name *n = events_name(m->e, l->rule);

	return n && !d->used && d->day == l->day && d->draw == l->draw && !strcmp(n->rule, d->name->rule);
}

/* The event that this draw has, or had before it was changed; *at is where to look, and moves behind it. */
static struct drawn *partner(const struct match *m, const struct lost_draw *l, size_t *at)
{
	size_t seen = 0;

	while (*at < m->e->n && m->e->v[*at].used)
		++*at;
	for (size_t i = *at; i < m->e->n && seen < AHEAD; i++) {
		if (m->e->v[i].used)
			continue;
		seen++;
		if (!pairs(m, l, &m->e->v[i]))
			continue;
		*at = i + 1;
		return &m->e->v[i];
	}
	return NULL;
}

static void tell_pair(const struct match *m, const struct lost_draw *l, const struct drawn *d, const char *what)
{
	char file[32], text[256];

	events_file(d->file, file);
	snprintf(text, sizeof(text), "%s (%s:%" PRIu64 ")", what, file, d->line);
	tell(m, l, text);
}

/* Draws as they were logged, but for their links, since a line before the first of them was changed: told once. */
static void tell_run(const struct match *m, const struct lost_draw *first, uint64_t more)
{
	char text[192];
	int n = snprintf(text, sizeof(text), "this line, or one since the draw before it, was changed after it was logged");

	if (more)
		snprintf(text + n, sizeof(text) - (size_t)n, "; so the links of %" PRIu64 " draws after it do not hold", more);
	tell_pair(m, first, first->with, text);
}

/* What still was logged has a partner. Who comes before one in the same process should have been logged as well. */
static void find_partners(struct match *m)
{
	uint64_t starts = UINT64_MAX;
	size_t at = 0;

	for (size_t i = 0; i < m->n; i++) {
		m->v[i].with = partner(m, &m->v[i], &at);
		if (m->v[i].with)
			m->v[i].with->used = true;
	}
	for (size_t i = m->n; i--;) {
		if (m->v[i].with)
			starts = m->v[i].starts;
		m->v[i].wrong |= m->v[i].starts == starts;
	}
}

static void tell_lost(struct match *m, const struct lost_draw *l)
{
	if (l->with)
		tell_pair(m, l, l->with, l->with->threshold != l->threshold ? "the evidence log has another threshold" :
									      "the evidence log has another outcome");
	else if (l->wrong)
		tell(m, l, "the evidence log does not have this draw");
	else
		m->crashed(m->arg, l->day, l->rule);
}

static void end_lost(struct match *m)
{
	const struct lost_draw *first = NULL;
	uint64_t more = 0;

	find_partners(m);
	for (size_t i = 0; i < m->n; i++) {
		const struct lost_draw *l = &m->v[i];
		bool same = l->with && l->with->threshold == l->threshold && l->with->why == l->why;

		if (first && (!same || l->anchored != first->anchored)) {
			tell_run(m, first, more);
			first = NULL;
		}
		if (!same) {
			tell_lost(m, l);
		} else if (first) {
			more++;
		} else {
			first = l;
			more = 0;
		}
	}
	if (first)
		tell_run(m, first, more);
}

void match_end(struct match *m)
{
	char file[32];

	end_lost(m);
	for (size_t i = 0; i < m->e->n; i++) {
		const struct drawn *d = &m->e->v[i];

		if (d->used)
			continue;
		events_file(d->file, file);
		m->fault(m->arg, file, d->line, d->day, d->name->id, "the sampling records do not have this draw");
	}
	free(m->v);
	m->v = NULL;
}
