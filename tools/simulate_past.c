/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * simulate_past.c - past calls out of the evidence log, the sampler's records and the catalog
 *
 * The log first: every matched call is there, with what happened in it. Then the sampler's records,
 * which the events name by their links; then the rows, for answer, end and what the catalog says
 * became of the call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "call/sample_log.h"
#include "simulate.h"

struct link { /* an event's draw */
	uint8_t hash[16];
	uint32_t call;
};

struct reading {
	struct sim *s;
	struct link *link;
	size_t nlink, link_cap;
	struct store *st;
	int err;
	uint64_t last_ns;
};

/* ---- tables ---- */

int sim_word(struct sim *s, const char *text, uint16_t *ret)
{
	char **v;

	text = text ? text : "";
	for (size_t i = 0; i < s->nword; i++)
		if (!strcmp(s->word[i], text)) {
			*ret = (uint16_t)i;
			return 0;
		}
	if (s->nword == 4096) /* reasons are a closed list; a store that has so many was not made by
				 a recorder */
		return -ENOSPC;
	v = realloc(s->word, (s->nword + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->word = v;
	v[s->nword] = strdup(text);
	if (!v[s->nword])
		return -ENOMEM;
	*ret = (uint16_t)s->nword++;
	return 0;
}

static size_t place(const struct sim *s, const struct uid *u)
{
	size_t i = (size_t)hash_bytes(u->b, sizeof(u->b)) & s->mask;

	while (s->by_uid[i] != NONE32 && !uid_equal(&s->past[s->by_uid[i]].uid, u))
		i = (i + 1) & s->mask;
	return i;
}

struct past *sim_find(const struct sim *s, const struct uid *u)
{
	size_t i = s->by_uid ? place(s, u) : 0;

	return s->by_uid && s->by_uid[i] != NONE32 ? &s->past[s->by_uid[i]] : NULL;
}

static int grow(struct sim *s)
{
	size_t cap = s->cap ? 2 * s->cap : 4096, slots = 2 * cap;
	struct past *v;
	uint32_t *t;

	if (cap > UINT32_MAX / 4)
		return -ENOSPC;
	v = realloc(s->past, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->past = v;
	s->cap = cap;
	t = malloc(slots * sizeof(*t));
	if (!t)
		return -ENOMEM;
	memset(t, 0xff, slots * sizeof(*t));
	free(s->by_uid);
	s->by_uid = t;
	s->mask = slots - 1;
	for (size_t i = 0; i < s->npast; i++)
		t[place(s, &s->past[i].uid)] = (uint32_t)i;
	return 0;
}

/* ---- the evidence log ---- */

static int add_call(struct sim *s, const struct evlog_event *e)
{
	struct past *c;
	int rc;

	if (sim_find(s, &e->call) || e->time_ns < s->since_ns ||
	    (s->until_ns && e->time_ns >= s->until_ns))
		return 0;
	rc = s->npast == s->cap ? grow(s) : 0;
	if (rc)
		return rc;
	c = &s->past[s->npast];
	*c = (struct past){
		.uid = e->call, .start_ns = e->time_ns, .rec = NONE32, .goes = GOES_UNKNOWN};
	c->policy = sim_old(s, e->policy);
	c->rule = sim_old_rule(s, c->policy, e->rule);
	if (c->policy < s->nold && c->rule != UINT16_MAX)
		c->goes = s->old[c->policy].rule[c->rule].goes;
	s->by_uid[place(s, &e->call)] = (uint32_t)s->npast++;
	return 0;
}

static int add_seed(struct sim *s, const struct evlog_event *e)
{
	uint64_t n = evlog_num_get(e, EVLOG_N_DAY, 0);
	struct clock_date d = {(int)(n / 10000), (int)(n / 100 % 100), (int)(n % 100)};
	struct sample_published *p = NULL;
	uint64_t ns;

	if (clock_day_start(&d, "UTC", &ns))
		return 0;
	for (size_t i = 0; i < s->npub && !p; i++)
		if (s->pub[i].day == evlog_day(ns))
			p = &s->pub[i];
	if (!p) {
		p = realloc(s->pub, (s->npub + 1) * sizeof(*p));
		if (!p)
			return -ENOMEM;
		s->pub = p;
		p = &p[s->npub++];
		*p = (struct sample_published){.day = evlog_day(ns)};
	}
	if (e->kind == EVLOG_SAMPLE_COMMIT && !p->has_hash) {
		p->has_hash = true;
		p->hash_ns = e->time_ns;
		memcpy(p->hash, e->data, sizeof(p->hash));
	} else if (e->kind == EVLOG_SAMPLE_REVEAL) {
		p->has_seed = true;
		memcpy(p->seed, e->data, sizeof(p->seed));
	}
	return 0;
}

static int add_link(struct reading *r, const struct evlog_event *e, uint32_t call)
{
	if (r->nlink == r->link_cap) {
		size_t cap = r->link_cap ? 2 * r->link_cap : 4096;
		struct link *v = realloc(r->link, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		r->link = v;
		r->link_cap = cap;
	}
	memcpy(r->link[r->nlink].hash, e->data, 16);
	r->link[r->nlink++].call = call;
	return 0;
}

/* A draw stands before its match in the log: it opens the call as well. */
static int on_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	const struct evlog_event *e = &l->e;
	struct reading *r = arg;
	struct past *c;
	int rc = 0;

	(void)file, (void)n;
	switch (e->kind) {
	case EVLOG_SAMPLE_COMMIT:
	case EVLOG_SAMPLE_REVEAL:
		return add_seed(r->s, e);
	case EVLOG_CALL_NOMATCH:
		if (e->time_ns >= r->s->since_ns &&
		    (!r->s->until_ns || e->time_ns < r->s->until_ns))
			r->s->nomatch += evlog_num_get(e, EVLOG_N_COUNT, 0);
		return 0;
	case EVLOG_CALL_MATCH:
	case EVLOG_SAMPLE_IN:
	case EVLOG_SAMPLE_OUT:
		rc = e->policy ? add_call(r->s, e) : 0;
		break;
	default:
		break;
	}
	c = !rc && e->has_call ? sim_find(r->s, &e->call) : NULL;
	if (!c)
		return rc;
	life_event(&c->life, e);
	if (e->kind == EVLOG_CALL_MATCH)
		c->start_ns = e->time_ns;
	if (c->life.outcome && !c->end_ns)
		c->end_ns = e->time_ns;
	if ((e->kind == EVLOG_SAMPLE_IN || e->kind == EVLOG_SAMPLE_OUT) && e->has_data)
		return add_link(r, e, (uint32_t)(c - r->s->past));
	return 0;
}

static int read_log(struct reading *r)
{
	struct evlog_look how = {.arg = r, .line = on_line};
	struct sim *s = r->s;
	struct evlog_report rep;
	char why[512] = "";
	int rc;

	if (s->since_ns)
		how.from_day =
			evlog_day(s->since_ns) - 2; /* seeds are committed before their day */
	rc = grow(s);
	if (!rc)
		rc = evlog_look(s->store, &how, &rep, why, sizeof(why));
	if (rc == -ENOENT)
		cli_err("'%s': no evidence log there, so nobody knows what happened in its calls",
			s->store);
	else if (rc)
		cli_err("%s", *why ? why : strerror(-rc));
	else if (rep.damaged)
		cli_err("the evidence log is damaged or does not add up (%llu findings): see optag "
			"audit verify",
			(unsigned long long)rep.damaged);
	s->damaged = !rc && rep.damaged;
	return rc ? cli_exit_code(rc) : CLI_OK;
}

/* ---- the sampler's records ---- */

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct link *)a)->hash, ((const struct link *)b)->hash, 16);
}

static int keep_record(struct sim *s, const struct sample_record *r, uint64_t order, uint32_t call)
{
	struct sample_open *o = NULL;
	struct sim_rec *v;

	if (s->nrec == s->rec_cap) {
		size_t cap = s->rec_cap ? 2 * s->rec_cap : 4096;

		v = cap < UINT32_MAX / 4 ? realloc(s->rec, cap * sizeof(*v)) : NULL;
		if (!v)
			return -ENOMEM;
		s->rec = v;
		s->rec_cap = cap;
	}
	if (r->open) {
		o = malloc(sizeof(*o));
		if (!o)
			return -ENOMEM;
		*o = *r->open;
	}
	v = &s->rec[s->nrec++];
	*v = (struct sim_rec){.r = *r, .order_ns = order, .call = call};
	v->r.open = o;
	return 0;
}

static int on_record(void *arg, const struct sample_record *rec,
		     const uint8_t link[SAMPLE_LOG_LINK], const char *file, uint64_t line)
{
	struct reading *r = arg;
	struct link want = {.call = NONE32}, *hit = NULL;
	int rc;

	(void)file, (void)line;
	memcpy(want.hash, link, 16);
	if (rec->kind == SAMPLE_R_DRAW)
		hit = bsearch(&want, r->link, r->nlink, sizeof(want), by_hash);
	r->last_ns = rec->time_ns > r->last_ns ? rec->time_ns : r->last_ns;
	if (hit)
		r->s->past[hit->call].rec = (uint32_t)r->s->nrec;
	rc = keep_record(r->s, rec, r->last_ns, hit ? hit->call : NONE32);
	return rc < 0 ? rc : 0;
}

static void on_finding(void *arg, const char *file, uint64_t line, const char *text)
{
	struct reading *r = arg;

	(void)file, (void)line, (void)text;
	r->s->damaged = true;
}

static int read_sampler(struct reading *r)
{
	struct sim *s = r->s;
	char why[512] = "";
	int rc;

	if (r->nlink)
		qsort(r->link, r->nlink, sizeof(*r->link), by_hash);
	rc = sample_log_read(s->store, s->since_ns ? evlog_day(s->since_ns) - 1 : 0, 0, on_record,
			     on_finding, r, why, sizeof(why));
	if (rc == -ENOENT)
		return CLI_OK;
	if (rc)
		cli_err("%s", *why ? why : strerror(-rc));
	return rc ? cli_exit_code(rc) : CLI_OK;
}

/* ---- the catalog ---- */

static int on_row(void *arg, const struct store_row *row)
{
	struct reading *r = arg;
	struct sim *s = r->s;
	struct past *c = sim_find(s, &row->uid);
	int rc = 0;

	if (!c) {
		s->rows_only++;
		return 0;
	}
	if (c->has_row)
		return 0;
	c->has_row = true;
	c->answer_ns = row->answer_ns;
	c->life.settled |= life_end_failed(row->end);
	sample_call_hash(row->sip_call_id, strlen(row->sip_call_id), c->hash);
	c->end_ns = row->end_ns;
	c->outcome = (uint8_t)row->outcome;
	c->media = row->leg[0].packets + row->leg[1].packets + row->leg[0].blocked +
			   row->leg[1].blocked >
		   0;
	for (int p = 0; p < POLICY_PURPOSES && !rc; p++) {
		c->was[p] = (uint8_t)row->state[p];
		rc = sim_word(s, row->reason[p], &c->was_reason[p]);
	}
	if (!rc && c->goes == GOES_UNKNOWN)
		sim_ask_facts(s, r->st, row, c);
	return rc;
}

static int read_rows(struct reading *r)
{
	struct store_filter f = {
		.state = -1, .since_ns = r->s->since_ns, .until_ns = r->s->until_ns};
	char why[512] = "";
	int rc = store_open(r->s->store, STORE_RO, &r->st, why, sizeof(why));

	if (!rc) {
		rc = store_find(r->st, &f, on_row, r);
		if (rc)
			snprintf(why, sizeof(why), "%s", store_why(r->st));
	}
	if (rc)
		cli_err("%s", *why ? why : strerror(-rc));
	store_close(r->st);
	return rc ? cli_exit_code(rc) : CLI_OK;
}

int sim_read(struct sim *s)
{
	struct reading r = {.s = s};
	int rc = read_log(&r);

	if (!rc)
		rc = read_sampler(&r);
	if (!rc)
		rc = read_rows(&r);
	free(r.link);
	return rc;
}

void sim_free(struct sim *s)
{
	for (size_t i = 0; i < s->nold; i++) {
		policy_free(s->old[i].p);
		free(s->old[i].rule);
	}
	for (size_t i = 0; i < s->nrec; i++)
		free((void *)(uintptr_t)s->rec[i].r.open);
	for (size_t i = 0; i < s->nword; i++)
		free(s->word[i]);
	for (size_t i = 0; i < s->nrule; i++)
		free(s->rule[i].reason);
	free(s->old);
	free(s->past);
	free(s->by_uid);
	free(s->rec);
	free(s->pub);
	free(s->word);
	free(s->rule);
	policy_free(s->policy);
}
