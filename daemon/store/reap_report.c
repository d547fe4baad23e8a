/* SPDX-License-Identifier: BSD-2-Clause */
/* reap_report.c - the daily inventory in the evidence log, see reap_report.h */
#include "store/reap_report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/evlog_internal.h"
#include "store/evlog_report.h"
#include "store/inventory.h"
#include "store/reap_internal.h"
#include "store/reap_ring.h"

#define REPORT_FILE "reap.inventory"
#define DAY_NS	    (86400 * NS_PER_S)

/* ---- for which day it was done ---- */

size_t reap_report_format(uint32_t day, char raw[REAP_REPORT_SIZE])
{
	char text[REAP_REPORT_SIZE + 1];
	int n = snprintf(text, sizeof(text), "optag-reap-inventory 1\nday %08" PRIu32 "\n", day);

	n += snprintf(text + n, sizeof(text) - (size_t)n, "sum %08x\n", crc32c(0, text, (size_t)n));
	memcpy(raw, text, (size_t)n);
	memset(raw + n, '\n', REAP_REPORT_SIZE - (size_t)n);
	return REAP_REPORT_SIZE;
}

uint32_t reap_report_parse(const char *p, size_t n)
{
	char text[REAP_REPORT_SIZE + 1], again[REAP_REPORT_SIZE];
	uint32_t day;

	if (n != REAP_REPORT_SIZE)
		return 0;
	memcpy(text, p, n);
	text[n] = 0;
	/* NOLINTNEXTLINE(cert-err34-c): written again, it must be the same */
	if (sscanf(text, "optag-reap-inventory 1\nday %8" SCNu32 "\n", &day) != 1)
		return 0;
	reap_report_format(day, again);
	return memcmp(again, p, n) ? 0 : day;
}

/* 0 none, or damaged. */
static uint32_t last_day(const struct root *r)
{
	char raw[REAP_REPORT_SIZE];
	size_t n = 0;

	return read_small(r->fd, REPORT_FILE, raw, sizeof(raw), &n) ? 0 : reap_report_parse(raw, n);
}

/* In place, as reap.clock: in a directory with the sticky bit nobody replaces another user's file. */
static void mark_day(struct reap *r, uint32_t day)
{
	char raw[REAP_REPORT_SIZE];
	struct why why = { "" };
	int fd, rc;

	reap_report_format(day, raw);
	fd = beneath_openat(r->root.fd, REPORT_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT) {
		rc = write_new(&r->root, REPORT_FILE, raw, sizeof(raw), FILE_MODE(&r->root), &why);
	} else {
		rc = fd < 0 ? -errno : pwrite_all(fd, raw, sizeof(raw), 0);
		if (!rc && (ftruncate(fd, sizeof(raw)) || fdatasync(fd)))
			rc = -errno;
		if (fd >= 0)
			close(fd);
		if (rc)
			rc = why_errno(&why, rc, REPORT_FILE, "cannot write");
	}
	if (rc)
		reap_fault(r, rc, why.text);
}

/* ---- counting ---- */

struct line { /* of a controller, rule and purpose */
	char controller[STORE_NAME_MAX], rule[STORE_NAME_MAX + 1];
	enum store_purpose purpose;
	uint64_t age[INVENTORY_AGES], held;
};

struct counts {
	struct reap *r;
	struct line *v;
	size_t n;
	struct inventory_rule *rule;
	size_t nrule;
	bool failed;
};

/* Room for one more of `size` bytes; NULL: no memory. */
static void *one_more(struct counts *c, void *v, size_t n, size_t size)
{
	if (!(n & (n - 1)))
		v = realloc(v, (n ? 2 * n : 1) * size);
	c->failed |= !v;
	return v;
}

/* A row may have been written by anybody: what is no rule's name is none that an event can have. */
static void take_rule(const char *rule, char out[STORE_NAME_MAX + 1])
{
	snprintf(out, STORE_NAME_MAX + 1, "%s", evlog_name_ok(rule) ? rule : EVLOG_REPORT_OTHERS);
}

static void on_group(void *arg, const struct inventory_group *g)
{
	struct counts *c = arg;
	struct line *v;

	if (!state_holds(g->state) || !(v = one_more(c, c->v, c->n, sizeof(*v))))
		return;
	c->v = v;
	v += c->n++;
	*v = (struct line){ .purpose = g->purpose };
	snprintf(v->controller, sizeof(v->controller), "%s", g->controller);
	take_rule(g->rule, v->rule);
	v->age[g->age] = g->calls;
	v->held = g->held ? g->calls : 0;
}

static void on_rule(void *arg, const struct inventory_rule *g)
{
	struct counts *c = arg;
	struct inventory_rule *v = one_more(c, c->rule, c->nrule, sizeof(*v));

	if (!v)
		return;
	c->rule = v;
	v[c->nrule] = *g;
	take_rule(g->rule, v[c->nrule++].rule);
}

static void between(void *arg)
{
	const struct counts *c = arg;

	reap_again(c->r, true);
}

static int line_cmp(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int d = strcmp(x->controller, y->controller);

	d = d ? d : strcmp(x->rule, y->rule);
	return d ? d : (int)x->purpose - (int)y->purpose;
}

static int rule_cmp(const void *a, const void *b)
{
	const struct inventory_rule *x = a, *y = b;
	int d = strcmp(x->controller, y->controller);

	return d ? d : strcmp(x->rule, y->rule);
}

static void merge_rules(struct counts *c)
{
	size_t n = 0;

	if (c->nrule)
		qsort(c->rule, c->nrule, sizeof(*c->rule), rule_cmp);
	for (size_t i = 0; i < c->nrule; i++) {
		if (!n || rule_cmp(&c->rule[n - 1], &c->rule[i])) {
			c->rule[n++] = c->rule[i];
			continue;
		}
		for (size_t o = 0; o < STORE_O_MAX; o++)
			c->rule[n - 1].outcome[o] += c->rule[i].outcome[o];
	}
	c->nrule = n;
}

/* What differs in age, state and hold is one line. */
static void merge(struct counts *c)
{
	size_t n = 0;

	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), line_cmp);
	for (size_t i = 0; i < c->n; i++) {
		if (!n || line_cmp(&c->v[n - 1], &c->v[i])) {
			c->v[n++] = c->v[i];
			continue;
		}
		for (size_t a = 0; a < INVENTORY_AGES; a++)
			c->v[n - 1].age[a] += c->v[i].age[a];
		c->v[n - 1].held += c->v[i].held;
	}
	c->n = n;
}

/* ---- the report ---- */

struct report {
	uint32_t day;
	uint64_t at_ns;
	const struct counts *c;
	const struct inventory_totals *t;
	uint64_t missed;
};

/* The event of line i; the last one is the end's. */
static struct evlog_event event_of(const struct report *p, size_t i)
{
	struct evlog_event e = { .kind = EVLOG_REPORT, .source = EVLOG_S_REAPER, .time_ns = p->at_ns, .has_data = true };
	const struct counts *c = p->c;

	evlog_num_add(&e, EVLOG_N_DAY, p->day);
	if (i < c->n) {
		const struct line *l = &c->v[i];

		e.reason = EVLOG_REPORT_AGE;
		e.controller = l->controller;
		e.rule = l->rule;
		e.purpose = l->purpose == STORE_TRAINING ? EVLOG_P_TRAINING : EVLOG_P_DOCUMENTATION;
		for (unsigned a = 0; a < INVENTORY_AGES; a++)
			evlog_num_add(&e, (enum evlog_num)(EVLOG_N_AGE_7 + a), l->age[a]);
		evlog_num_add(&e, EVLOG_N_HELD, l->held);
	} else if (i < c->n + c->nrule) {
		const struct inventory_rule *g = &c->rule[i - c->n];

		e.reason = EVLOG_REPORT_DAY;
		e.controller = g->controller;
		e.rule = g->rule;
		evlog_num_add(&e, EVLOG_N_CALLS, g->outcome[STORE_O_KEPT] + g->outcome[STORE_O_DENIED] + g->outcome[STORE_O_GAP]);
		evlog_num_add(&e, EVLOG_N_KEPT, g->outcome[STORE_O_KEPT]);
		evlog_num_add(&e, EVLOG_N_DENIED, g->outcome[STORE_O_DENIED]);
		evlog_num_add(&e, EVLOG_N_GAP, g->outcome[STORE_O_GAP]);
	} else {
		e.reason = EVLOG_REPORT_END;
		evlog_num_add(&e, EVLOG_N_COUNT, i);
		evlog_num_add(&e, EVLOG_N_CALLS, p->t->kept);
		evlog_num_add(&e, EVLOG_N_HELD, p->t->held);
		evlog_num_add(&e, EVLOG_N_OPEN, p->t->in_progress);
		evlog_num_add(&e, EVLOG_N_PAST, p->t->past);
		evlog_num_add(&e, EVLOG_N_ERRORS, p->t->problems);
		evlog_num_add(&e, EVLOG_N_MISSED, p->missed);
	}
	return e;
}

/* A file of its own: whoever takes it has all of it, or nothing. */
static int tell(struct reap *r, const struct report *p)
{
	size_t n = p->c->n + p->c->nrule;
	struct evlog_report_hash h;
	uint8_t hash[32];
	int rc = reap_tell_commit(r);

	evlog_report_hash_begin(&h);
	for (size_t i = 0; i < n; i++) {
		struct evlog_event e = event_of(p, i);

		evlog_report_hash_line(&h, &e);
	}
	evlog_report_hash_end(&h, hash);
	for (size_t i = 0; !rc && i <= n; i++) {
		struct evlog_event e = event_of(p, i);

		memcpy(e.data, hash, sizeof(e.data));
		rc = reap_tell(r, &e);
	}
	return rc ? rc : reap_tell_commit(r);
}

/* Days between two, without both; 0 also when the clock went back. */
static uint64_t days_between(uint32_t last, uint32_t day)
{
	int32_t a, b;

	return last && evlog_day_of_number(last, &a) && evlog_day_of_number(day, &b) && b > a ? (uint64_t)(b - a - 1) : 0;
}

/* an alarm of its own, once a day, also when nobody asks (optag report inventory says which). */
static void alarm_of(struct reap *r, const struct inventory_totals *t)
{
	char text[160];

	if (t->past)
		snprintf(text, sizeof(text), "inventory: %" PRIu64 " key%s past the deadline (optag report inventory)", t->past,
			 t->past == 1 ? " is" : "s are");
	else if (t->problems)
		snprintf(text, sizeof(text), "inventory: %" PRIu64 " problem%s (optag report inventory)", t->problems,
			 t->problems == 1 ? "" : "s");
	else
		return;
	reap_fault(r, -EBADMSG, text);
}

void reap_report(struct reap *r)
{
	struct counts c = { .r = r };
	struct inventory_settings s = { .store = r->set->store, .now_ns = r->at_ns, .arg = &c, .group = on_group, .rule = on_rule,
					.between = between, .no_evidence = true };
	struct report p = { .c = &c };
	uint32_t last = last_day(&r->root);
	struct inventory_totals t = { 0 };
	char why[512] = "";
	int rc;

	if (r->set->dry || r->set->told || r->set->until_ns || r->clock.held || !r->out || day_of(r->at_ns, "UTC", &p.day) || last == p.day)
		return;
	s.to_ns = r->at_ns - r->at_ns % DAY_NS;
	s.from_ns = s.to_ns - DAY_NS;
	reap_progress(r, "inventory", 0, 0);
	reap_ring_idle(); /* but for what comes due meanwhile */
	rc = inventory_run(&s, &t, why, sizeof(why));
	p.at_ns = r->at_ns; /* what came due meanwhile is told with times up to this one */
	if (rc >= 0) {
		merge(&c);
		merge_rules(&c);
		p.t = &t;
		p.missed = days_between(last, p.day);
		rc = c.failed ? -ENOMEM : tell(r, &p); /* what the outbox refuses is told there */
		if (!rc) {
			mark_day(r, p.day);
			alarm_of(r, &t);
		} else if (c.failed) {
			reap_fault(r, rc, "inventory: out of memory");
		}
	} else if (rc != -EAGAIN) { /* that: a recorder changed what was read; the next run does it */
		reap_fault(r, rc, *why ? why : "inventory: cannot be made");
	}
	free(c.v);
	free(c.rule);
}
