/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebuild_log.c - what the evidence log has of calls without a row, see rebuild_internal.h
 *
 * A line does not say by which day its call is to be destroyed. Calls of one rule and policy that began on one civil day
 * have the same: so a denied call is put where others like it are. One that is like none of this day's is another
 * day's, or has no place any more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/evlog.h"
#include "store/rebuild_internal.h"
#include "store/rowcopy.h"
#include "store/segment.h"

struct reading {
	struct rebuild *b;
	struct lost_day *d;
	bool second; /* the second time through: what is said of those that the first one found */
	int err;
};

static int gone_cmp(const void *a, const void *b)
{
	return memcmp(&((const struct gone *)a)->uid, &((const struct gone *)b)->uid, sizeof(struct uid));
}

static struct gone *gone_find(struct lost_day *d, const struct uid *uid)
{
	struct gone key = { .uid = *uid };

	return d->gones.n ? bsearch(&key, d->gones.v, d->gones.n, sizeof(key), gone_cmp) : NULL;
}

static int bare_cmp(const void *uid, const void *bare)
{
	return memcmp(uid, &((const struct bare *)bare)->uid, sizeof(struct uid));
}

static int copy_cmp(const void *uid, const void *piece)
{
	return memcmp(uid, &((const struct piece *)piece)->uid, sizeof(struct uid));
}

static bool has_copy(const struct lost_day *d, const struct uid *uid)
{
	return d->copies.n && bsearch(uid, d->copies.v, d->copies.n, sizeof(struct piece), copy_cmp);
}

static int add_gone(struct reading *r, const struct evlog_event *e)
{
	struct gone *g;

	if (uids_have(&r->d->known, &e->call) || uids_have(&r->b->open, &e->call) || has_copy(r->d, &e->call))
		return 0;
	g = list_add(&r->d->gones);
	if (!g)
		return -ENOMEM;
	g->uid = e->call;
	g->end_ns = e->time_ns;
	snprintf(g->why, sizeof(g->why), "%s", e->reason ? e->reason : "");
	return 0;
}

static void tell_bare(struct reading *r, const struct evlog_event *e)
{
	struct bare *x = r->d->bares.n ? bsearch(&e->call, r->d->bares.v, r->d->bares.n, sizeof(*x), bare_cmp) : NULL;

	if (!x || e->kind != EVLOG_CALL_MATCH)
		return;
	snprintf(x->rule, sizeof(x->rule), "%s", e->rule ? e->rule : "");
	snprintf(x->policy, sizeof(x->policy), "%s", e->policy ? e->policy : "");
}

static void tell_gone(struct lost_day *d, const struct evlog_event *e)
{
	struct gone *g = gone_find(d, &e->call);

	if (!g)
		return;
	if (e->kind == EVLOG_CALL_MATCH && e->controller && !strcmp(e->controller, d->controller)) {
		g->matched = true;
		g->start_ns = e->time_ns;
		snprintf(g->rule, sizeof(g->rule), "%s", e->rule ? e->rule : "");
		snprintf(g->policy, sizeof(g->policy), "%s", e->policy ? e->policy : "");
	} else if (e->kind == EVLOG_PURPOSE_DENY && e->purpose) {
		snprintf(g->reason[e->purpose - 1], sizeof(g->reason[0]), "%s", e->reason ? e->reason : g->why);
	}
}

static int on_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	struct reading *r = arg;

	(void)file;
	(void)n;
	if (!l->e.has_call)
		return 0;
	if (r->second) {
		tell_bare(r, &l->e);
		tell_gone(r->d, &l->e);
	} else if (l->e.kind == EVLOG_CALL_DENIED) {
		r->err = add_gone(r, &l->e);
	}
	return r->err;
}

static int look(struct reading *r)
{
	struct evlog_look how = { .arg = r, .line = on_line };
	struct evlog_report rep;
	char why[512] = "";
	int rc = evlog_look(r->b->root.path, &how, &rep, why, sizeof(why));

	if (rc == -ENOENT || !rc)
		return rc;
	return r->err ? r->err : why_set(r->b->why, rc, "%s", why);
}

/* The day's own copies are of the day, too. */
static int like_copies(struct rebuild *b, struct lost_day *d)
{
	const struct piece *v = d->copies.v;
	struct buf bytes = { 0 };
	int rc = 0;

	for (size_t i = 0; !rc && i < d->copies.n; i++) {
		char rule[STORE_NAME_MAX + 1], policy[65], zone[64];
		uint64_t start;
		const uint8_t *p;
		size_t n;

		rc = piece_read(b, d, &v[i], &bytes);
		if (rc)
			break;
		p = bytes.p + ROW_HEAD;
		n = bytes.len - ROW_HEAD;
		if (rowcopy_int(p, n, ROWCOPY_START, &start) && rowcopy_text(p, n, ROWCOPY_RULE, rule, sizeof(rule)) &&
		    rowcopy_text(p, n, ROWCOPY_POLICY, policy, sizeof(policy)) && rowcopy_text(p, n, ROWCOPY_ZONE, zone, sizeof(zone)))
			rc = like_add(d, rule, policy, zone, start);
	}
	buf_free(&bytes);
	return rc;
}

static bool is_like(const struct lost_day *d, const struct gone *g)
{
	const struct like *v = d->like.v;
	uint32_t day;

	for (size_t i = 0; i < d->like.n; i++)
		if (!strcmp(v[i].rule, g->rule) && !strcmp(v[i].policy, g->policy) && !day_of(g->start_ns, v[i].zone, &day) &&
		    day == v[i].start_day)
			return true;
	return false;
}

/* 1 in some partition of another day. */
static int known_elsewhere(struct rebuild *b, const struct lost_day *d, const struct gone *g)
{
	if (!b->catalog) {
		int rc = catalog_new(&b->root, NULL, &b->catalog);

		if (rc)
			return rc;
	}
	return catalog_known(b->catalog, d->controller, &g->uid, b->why);
}

static int keep_own(struct rebuild *b, struct lost_day *d)
{
	struct gone *v = d->gones.v;
	size_t n = 0;

	b->rep.unplaced = 0; /* those of before that the last day placed */

	for (size_t i = 0; i < d->gones.n; i++) {
		int rc;

		if (!v[i].matched || (n && uid_equal(&v[n - 1].uid, &v[i].uid)))
			continue; /* another controller's */
		rc = known_elsewhere(b, d, &v[i]);
		if (rc < 0)
			return rc;
		if (rc)
			continue;
		if (is_like(d, &v[i]))
			v[n++] = v[i];
		else
			b->rep.unplaced++;
	}
	d->gones.n = n;
	return 0;
}

int rebuild_log(struct rebuild *b, struct lost_day *d)
{
	struct reading r = { .b = b, .d = d };
	int rc = like_copies(b, d);

	if (!rc)
		rc = look(&r);
	if (rc) /* there is none: then there is nothing to be known from it */
		return rc == -ENOENT ? 0 : rc;
	if (d->gones.n)
		qsort(d->gones.v, d->gones.n, sizeof(struct gone), gone_cmp);
	r.second = true;
	rc = look(&r);
	return rc ? rc : keep_own(b, d);
}
