/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_sample_events.c - what the evidence log says of sampling: seeds, draws, names of rules
 *
 * The log itself is checked by evlog_look. One thread.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "audit_sample.h"
#include "base/clock.h"

#define DAY_S  86400
#define WEST_S (12 * 3600) /* a day is over everywhere so long after it is in UTC */
#define LATE_S (2 * 3600)  /* and its seed is published within an hour or so, when somebody is there to do it */

/* ---- names ---- */

const struct rule_name *events_name(const struct events *e, const uint8_t rule[SAMPLE_ID])
{
	for (struct hnode *h = htab_first(&e->names, hash_bytes(rule, SAMPLE_ID)); h; h = htab_next(h)) {
		const struct rule_name *n = container_of(h, struct rule_name, node);

		if (!memcmp(n->id, rule, SAMPLE_ID))
			return n;
	}
	return NULL;
}

/* As sample_rule_init makes the id. */
static int name_of(struct events *e, const struct evlog_event *ev, const struct rule_name **ret)
{
	const char *c = ev->controller ? ev->controller : "";
	crypto_generichash_state h;
	struct rule_name *n;
	uint8_t id[SAMPLE_ID];

	crypto_generichash_init(&h, NULL, 0, sizeof(id));
	crypto_generichash_update(&h, (const unsigned char *)c, strlen(c) + 1);
	crypto_generichash_update(&h, (const unsigned char *)ev->rule, strlen(ev->rule));
	crypto_generichash_final(&h, id, sizeof(id));
	*ret = events_name(e, id);
	if (*ret)
		return 0;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	memcpy(n->id, id, sizeof(id));
	snprintf(n->controller, sizeof(n->controller), "%s", c); /* both fit: the line's reader bounds them */
	snprintf(n->rule, sizeof(n->rule), "%s", ev->rule);
	htab_add(&e->names, &n->node, hash_bytes(id, sizeof(id)));
	*ret = n;
	return 0;
}

/* ---- reading ---- */

/* YYYYMMDD of an event; 0: no such day. */
static int32_t event_day(const struct evlog_event *ev)
{
	uint64_t v = evlog_num_get(ev, EVLOG_N_DAY, 0), ns;
	char text[32];

	if (v > 99991231)
		return 0;
	snprintf(text, sizeof(text), "%04u-%02u-%02u", (unsigned)(v / 10000), (unsigned)(v / 100 % 100), (unsigned)(v % 100));
	return clock_parse(text, &ns) ? 0 : (int32_t)(ns / NS_PER_S / DAY_S);
}

static int32_t file_day(const char *file)
{
	const char *base = strrchr(file, '/');
	char text[16];
	uint64_t ns;

	snprintf(text, sizeof(text), "%.10s", base ? base + 1 : file);
	return clock_parse(text, &ns) ? 0 : (int32_t)(ns / NS_PER_S / DAY_S);
}

void events_file(int32_t day, char out[32])
{
	char text[16];

	evlog_day_text(day, text);
	snprintf(out, 32, "evidence/%.10s.log", text);
}

struct seed_at *events_seed(const struct events *e, int32_t day)
{
	for (size_t i = e->seeds; i--;) /* the latest are asked for */
		if (e->seed[i].pub.day == day)
			return &e->seed[i];
	return NULL;
}

static int seed_for(struct events *e, int32_t day, struct seed_at **ret)
{
	struct seed_at *s = events_seed(e, day), *more;

	if (!s) {
		more = realloc(e->seed, (e->seeds + 1) * sizeof(*more)); /* one a day */
		if (!more)
			return -ENOMEM;
		e->seed = more;
		s = &e->seed[e->seeds++];
		*s = (struct seed_at){ .pub = { .day = day } };
	}
	*ret = s;
	return 0;
}

static int on_seed(struct events *e, const char *file, uint64_t line, const struct evlog_event *ev, int32_t day)
{
	bool reveal = ev->kind == EVLOG_SAMPLE_REVEAL;
	struct seed_at *s;
	int rc = seed_for(e, day, &s);

	if (rc)
		return rc;
	if (reveal ? s->pub.has_seed : s->pub.has_hash) {
		if (memcmp(reveal ? s->pub.seed : s->pub.hash, ev->data, SAMPLE_SEED))
			e->fault(e->arg, file, line, day, reveal ? "another seed was published for this day before" :
								   "another seed's hash was published for this day before");
		return 0; /* the first counts */
	}
	if (reveal) {
		s->pub.has_seed = true;
		s->pub.seed_ns = ev->time_ns;
		memcpy(s->pub.seed, ev->data, SAMPLE_SEED);
		s->reveal_file = file_day(file);
		s->reveal_line = line;
	} else {
		s->pub.has_hash = true;
		s->pub.hash_ns = ev->time_ns;
		memcpy(s->pub.hash, ev->data, SAMPLE_SEED);
		s->commit_file = file_day(file);
		s->commit_line = line;
	}
	return 0;
}

static uint8_t why_of(const char *reason)
{
	for (int w = SAMPLE_IN; reason && w < SAMPLE_WHY_N; w++)
		if (!strcmp(sample_why_name((enum sample_why)w), reason))
			return (uint8_t)w;
	return 0;
}

static int on_draw(struct events *e, const char *file, uint64_t line, const struct evlog_event *ev, int32_t day,
		   const struct rule_name *name)
{
	struct drawn *d;

	if (e->n == e->cap) {
		d = realloc(e->v, (e->cap ? 2 * e->cap : 1024) * sizeof(*d));
		if (!d)
			return -ENOMEM;
		e->v = d;
		e->cap = e->cap ? 2 * e->cap : 1024;
	}
	d = &e->v[e->n++];
	*d = (struct drawn){ .name = name, .day = day, .file = file_day(file), .line = line,
			     .in = ev->kind == EVLOG_SAMPLE_IN, .why = why_of(ev->reason),
			     .draw = evlog_num_get(ev, EVLOG_N_DRAW, UINT64_MAX),
			     .threshold = evlog_num_get(ev, EVLOG_N_THRESHOLD, UINT64_MAX) };
	memcpy(d->link, ev->data, sizeof(d->link));
	return 0;
}

/* When somebody was there to publish a seed and should have. */
static void on_time(struct events *e, uint64_t ns)
{
	e->newest_ns = ns > e->newest_ns ? ns : e->newest_ns;
	for (size_t i = e->seeds; i-- && i + 16 >= e->seeds;) { /* not more are without seed */
		struct seed_at *s = &e->seed[i];

		if (!s->over_ns && ns >= ((uint64_t)(s->pub.day + 1) * DAY_S + WEST_S) * NS_PER_S)
			s->over_ns = ns;
	}
}

static int on_line(void *arg, const char *file, uint64_t line, const struct evlog_line *l)
{
	struct events *e = arg;
	const struct evlog_event *ev = &l->e;
	const struct rule_name *name;
	int32_t day;
	int rc = 0;

	on_time(e, ev->time_ns);
	if (ev->kind == EVLOG_CALL_MATCH)
		return name_of(e, ev, &name);
	if (ev->kind != EVLOG_SAMPLE_COMMIT && ev->kind != EVLOG_SAMPLE_REVEAL && ev->kind != EVLOG_SAMPLE_IN &&
	    ev->kind != EVLOG_SAMPLE_OUT)
		return 0;
	day = event_day(ev);
	if (!day) {
		e->fault(e->arg, file, line, 0, "names a day that is none");
		return 0;
	}
	if (ev->kind == EVLOG_SAMPLE_COMMIT || ev->kind == EVLOG_SAMPLE_REVEAL)
		return on_seed(e, file, line, ev, day);
	rc = name_of(e, ev, &name);
	return rc ? rc : on_draw(e, file, line, ev, day, name);
}

/* ---- by link ---- */

static size_t place_of(const struct events *e, const uint8_t link[SAMPLE_LOG_LINK])
{
	size_t i = hash_bytes(link, SAMPLE_LOG_LINK) & (e->slots - 1);

	while (e->slot[i] && memcmp(e->v[e->slot[i] - 1].link, link, SAMPLE_LOG_LINK) != 0)
		i = (i + 1) & (e->slots - 1);
	return i;
}

struct drawn *events_find(const struct events *e, const uint8_t link[SAMPLE_LOG_LINK])
{
	size_t i = e->slot[place_of(e, link)];

	return i ? &e->v[i - 1] : NULL;
}

static int index_events(struct events *e)
{
	char file[32];

	for (e->slots = 16; e->slots < 2 * e->n; e->slots *= 2)
		;
	e->slot = calloc(e->slots, sizeof(*e->slot));
	if (!e->slot)
		return -ENOMEM;
	for (size_t i = 0; i < e->n; i++) {
		size_t at = place_of(e, e->v[i].link);

		if (!e->slot[at]) {
			e->slot[at] = i + 1;
			continue;
		}
		events_file(e->v[i].file, file);
		e->fault(e->arg, file, e->v[i].line, e->v[i].day, "logs a draw that was logged before");
		e->v[i].used = true;
	}
	return 0;
}

static int index_seeds(struct events *e, bool partial)
{
	size_t n = 0;

	e->pub = calloc(e->seeds + 1, sizeof(*e->pub));
	if (!e->pub)
		return -ENOMEM;
	for (size_t i = 0; i < e->seeds; i++) {
		struct seed_at s = e->seed[i];

		if (partial && !s.pub.has_hash)
			continue; /* its hash was published before what was read */
		s.overdue = s.over_ns && e->newest_ns - s.over_ns > LATE_S * NS_PER_S;
		e->seed[n] = s;
		e->pub[n++] = s.pub;
	}
	e->seeds = n;
	return 0;
}

int events_read(const char *store, int32_t from, struct events *e)
{
	/* hashes are published up to two days before their day */
	struct evlog_look how = { .arg = e, .line = on_line, .from_day = from > 3 ? from - 3 : 0 };
	int rc;

	if (htab_init(&e->names, 64)) {
		cli_err("%s", strerror(ENOMEM));
		return CLI_FAILED;
	}
	rc = audit_look(store, &how);
	if (rc != CLI_OK && rc != CLI_DAMAGED)
		return rc;
	if (index_events(e) || index_seeds(e, how.from_day)) {
		cli_err("%s", strerror(ENOMEM));
		return CLI_FAILED;
	}
	return rc;
}

void events_free(struct events *e)
{
	for (size_t i = 0; e->names.slot && i <= e->names.mask; i++)
		for (struct hnode *h = e->names.slot[i], *next; h; h = next) {
			next = h->next;
			free(container_of(h, struct rule_name, node));
		}
	htab_free(&e->names);
	free(e->v);
	free(e->slot);
	free(e->seed);
	free(e->pub);
}
