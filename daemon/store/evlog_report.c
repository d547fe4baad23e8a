/* SPDX-License-Identifier: BSD-2-Clause */
/* evlog_report.c - inventories in the evidence log are whole and add up, see evlog_report.h */
#include "store/evlog_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/evlog_internal.h"

struct rule_key { /* hashed as bytes: all of them are set */
	char controller[EVLOG_NAME], rule[EVLOG_NAME];
	int32_t day;
};
struct rule_day {
	struct hnode node;
	struct rule_key key;
	uint64_t calls, rows;
	int32_t file; /* of the line that says rows */
	uint64_t line;
};

void evlog_report_hash_begin(struct evlog_report_hash *h)
{
	crypto_generichash_init(&h->state, NULL, 0, 32);
	h->n = 0;
}

void evlog_report_hash_line(struct evlog_report_hash *h, const struct evlog_event *e)
{
	static const uint8_t zeros[32];
	struct evlog_event copy = *e;
	char line[EVLOG_LINE_MAX];
	size_t n;

	memset(copy.data, 0, sizeof(copy.data));
	n = evlog_line_format(++h->n, zeros, &copy, line);
	crypto_generichash_update(&h->state, (const unsigned char *)line, n);
}

void evlog_report_hash_end(struct evlog_report_hash *h, uint8_t ret[32])
{
	crypto_generichash_final(&h->state, ret, 32);
}

static bool is(const struct evlog_event *e, const char *reason)
{
	return e->reason && !strcmp(e->reason, reason);
}

/* One that was begun and has no end is nobody's: its writer was killed, and made another one. */
static void begin(struct evlog_reports *r, const struct evlog_event *e)
{
	if (r->begun && r->time_ns == e->time_ns && !memcmp(r->data, e->data, sizeof(r->data)))
		return;
	evlog_report_hash_begin(&r->hash);
	memcpy(r->data, e->data, sizeof(r->data));
	r->time_ns = e->time_ns;
	r->begun = r->counts = true;
}

int evlog_reports_init(struct evlog_reports *r)
{
	memset(r, 0, sizeof(*r));
	return htab_init(&r->rules, 64);
}

void evlog_reports_free(struct evlog_reports *r)
{
	struct hnode *n, *next;

	for (size_t i = 0; r->rules.slot && i <= r->rules.mask; i++)
		for (n = r->rules.slot[i]; n; n = next) {
			next = n->next;
			free(container_of(n, struct rule_day, node));
		}
	htab_free(&r->rules);
}

/* NULL: no memory. */
static struct rule_day *rule_of(struct evlog_reports *r, const struct evlog_event *e, int32_t day)
{
	struct rule_key key;
	struct rule_day *n;
	uint64_t h;

	memset(&key, 0, sizeof(key));
	snprintf(key.controller, sizeof(key.controller), "%s", e->controller ? e->controller : "");
	snprintf(key.rule, sizeof(key.rule), "%s", e->rule ? e->rule : "");
	key.day = day;
	h = hash_bytes(&key, sizeof(key));
	for (struct hnode *i = htab_first(&r->rules, h); i; i = htab_next(i)) {
		n = container_of(i, struct rule_day, node);
		if (n->key.day == day && !strcmp(n->key.rule, key.rule) && !strcmp(n->key.controller, key.controller))
			return n;
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		r->failed = true;
		return NULL;
	}
	n->key = key;
	htab_add(&r->rules, &n->node, h);
	return n;
}

static void matched(struct evlog_reports *r, const struct evlog_event *e)
{
	struct rule_day *n = rule_of(r, e, evlog_day(uid_time_ms(&e->call) * NS_PER_MS));

	if (n)
		n->calls++;
}

static void counted(struct evlog_reports *r, const struct evlog_event *e, int32_t file, uint64_t at)
{
	uint64_t rows = evlog_num_get(e, EVLOG_N_CALLS, 0);
	struct rule_day *n;
	int32_t day;

	if (!evlog_day_of_number(evlog_num_get(e, EVLOG_N_DAY, 0), &day) || !e->rule || !strcmp(e->rule, EVLOG_REPORT_OTHERS))
		return;
	n = rule_of(r, e, day - 1);
	if (n && rows > n->rows) {
		n->rows = rows;
		n->file = file;
		n->line = at;
	}
}

void evlog_reports_end(const struct evlog_reports *r, int32_t since,
		       void (*more)(void *arg, const char *rule, int32_t file, uint64_t line, uint64_t rows, uint64_t calls), void *arg)
{
	for (size_t i = 0; i <= r->rules.mask; i++)
		for (struct hnode *h = r->rules.slot[i]; h; h = h->next) {
			const struct rule_day *n = container_of(h, struct rule_day, node);

			if (n->rows > n->calls && n->key.day >= since && n->key.day > r->first)
				more(arg, n->key.rule, n->file, n->line, n->rows, n->calls);
		}
}

static void whole(struct evlog_reports *r, const struct evlog_event *e)
{
	int32_t day;

	r->day = evlog_num_get(e, EVLOG_N_DAY, 0);
	r->past = evlog_num_get(e, EVLOG_N_PAST, 0);
	r->errors = evlog_num_get(e, EVLOG_N_ERRORS, 0);
	if (evlog_day_of_number(r->day, &day)) {
		if (r->any && day > r->last + 1)
			r->missed += (uint64_t)(day - r->last - 1);
		r->last = !r->any || day > r->last ? day : r->last;
		r->any = true;
	}
	r->whole++;
}

const char *evlog_reports_line(struct evlog_reports *r, const struct evlog_event *e, int32_t file, uint64_t at, bool partial)
{
	const char *what = NULL;
	uint8_t hash[32];

	if (!r->seen || evlog_day(e->time_ns) < r->first)
		r->first = evlog_day(e->time_ns);
	r->seen = true;
	if (e->kind == EVLOG_CALL_MATCH)
		matched(r, e);
	if (e->kind != EVLOG_REPORT || !(is(e, EVLOG_REPORT_AGE) || is(e, EVLOG_REPORT_DAY) || is(e, EVLOG_REPORT_END)))
		return NULL;
	if (partial && !r->begun && is(e, EVLOG_REPORT_END) && evlog_num_get(e, EVLOG_N_COUNT, 0))
		return NULL;
	begin(r, e);
	if (!is(e, EVLOG_REPORT_END)) {
		evlog_report_hash_line(&r->hash, e);
		if (is(e, EVLOG_REPORT_DAY) && evlog_num_get(e, EVLOG_N_CALLS, 0) != evlog_num_get(e, EVLOG_N_KEPT, 0) +
			    evlog_num_get(e, EVLOG_N_DENIED, 0) + evlog_num_get(e, EVLOG_N_GAP, 0))
			r->counts = false;
		if (is(e, EVLOG_REPORT_DAY))
			counted(r, e, file, at);
		return NULL;
	}
	r->begun = false;
	if (r->hash.n != evlog_num_get(e, EVLOG_N_COUNT, 0))
		what = "an inventory of other lines than it counts";
	evlog_report_hash_end(&r->hash, hash);
	if (!what && memcmp(hash, e->data, sizeof(hash)) != 0)
		what = "an inventory whose hash is not that of its lines";
	if (!what && !r->counts)
		what = "an inventory in which kept, denied and gap are not the calls of their rule";
	if (!what)
		whole(r, e);
	return what;
}
