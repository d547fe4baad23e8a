/* SPDX-License-Identifier: BSD-2-Clause */
/* evlog_util.h - an evidence log of three days, and what a look at it finds. Included by one test program each. */
#ifndef EVLOG_UTIL_H
#define EVLOG_UTIL_H

#include <sodium.h>

#include "store/evlog.h"
#include "store_util.h"

#define DAY (86400ULL * NS_PER_S)
#define D0  (20780ULL * DAY) /* 2026-11-23T00:00Z */
static const char policy_hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

UNUSED static int fresh(void **state)
{
	clock_set_ns(D0 + 3600 * NS_PER_S);
	return make_store(state);
}

UNUSED static int gone(void **state)
{
	(void)state;
	clock_set_ns(0);
	shell("rm -rf '%s'", base_dir);
	return 0;
}

UNUSED static struct evlog *open_ok(void)
{
	struct evlog *l = NULL;
	char why[512] = "";
	int rc = evlog_open(store_dir, &l, why, sizeof(why));

	if (rc)
		fail_msg("evlog_open: %d %s", rc, why);
	return l;
}

UNUSED static void open_fails(int want, const char *text)
{
	struct evlog *l = NULL;
	char why[512] = "";
	int rc = evlog_open(store_dir, &l, why, sizeof(why));

	if (rc != want || !strstr(why, text))
		fail_msg("evlog_open: %d '%s', not %d '%s'", rc, why, want, text);
	assert_null(l);
}

UNUSED static struct evlog_event event(enum evlog_kind kind, uint64_t t, unsigned call)
{
	struct evlog_event e = { .kind = kind, .time_ns = t };
	char seed[32];

	if (call) {
		snprintf(seed, sizeof(seed), "call %u", call);
		uid_make(D0, seed, strlen(seed), &e.call);
		e.has_call = true;
		e.rule = "support";
		e.controller = "acme";
		e.policy = policy_hash;
	}
	return e;
}

UNUSED static void add(struct evlog *l, const struct evlog_event *e)
{
	char why[512];
	int rc = evlog_append(l, e, NULL);

	evlog_why(l, why, sizeof(why));
	if (rc)
		fail_msg("append %s: %d %s", evlog_kind_name(e->kind), rc, why);
}

UNUSED static void add_call(struct evlog *l, uint64_t t, unsigned call, enum evlog_kind outcome)
{
	struct evlog_event e = event(EVLOG_CALL_MATCH, t, call);

	add(l, &e);
	if (outcome == EVLOG_CALL_KEPT) {
		e = event(EVLOG_PURPOSE_GRANT, t + NS_PER_S, call);
		e.purpose = EVLOG_P_DOCUMENTATION;
		e.source = EVLOG_S_POLICY;
		add(l, &e);
	}
	e = event(outcome, t + 60 * NS_PER_S, call);
	e.reason = "consent.none";
	evlog_num_add(&e, EVLOG_N_PACKETS, 500);
	evlog_num_add(&e, EVLOG_N_BLOCKED, EVLOG_NUM_MAX);
	add(l, &e);
}

/* Days 0 to 2, each with calls; day 2 stays open. */
UNUSED static void three_days(void)
{
	struct evlog *l = open_ok();

	for (unsigned d = 0; d < 3; d++) {
		for (unsigned i = 0; i < 4; i++)
			add_call(l, D0 + d * DAY + (7200 + i * 100) * NS_PER_S, 1 + d * 10 + i,
				 i == 0 ? EVLOG_CALL_KEPT : i == 1 ? EVLOG_CALL_GAP : EVLOG_CALL_DENIED);
		assert_int_equal(evlog_flush(l, 0), 0);
	}
	evlog_close(l);
}

struct seen {
	unsigned findings, lines;
	char first[400], all[4000];
	struct evlog_sum sum[16];
	unsigned sums;
};

UNUSED static void take_finding(void *arg, const char *file, uint64_t line, const char *rule, const char *text)
{
	struct seen *s = arg;
	size_t n = strlen(s->all);

	snprintf(s->all + n, sizeof(s->all) - n, "%s:%u: %s: %s\n", file, (unsigned)line, rule, text);
	if (!s->findings++)
		memcpy(s->first, s->all, sizeof(s->first) - 1);
}

UNUSED static int take_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	(void)file, (void)n, (void)l;
	((struct seen *)arg)->lines++;
	return 0;
}

UNUSED static void take_sum(void *arg, const struct evlog_sum *s)
{
	struct seen *k = arg;

	assert_true(k->sums < 16);
	k->sum[k->sums++] = *s;
}

UNUSED static struct evlog_report look_with(struct seen *s, struct evlog_look *how)
{
	struct evlog_report r;
	char why[512] = "";
	int rc;

	*s = (struct seen){ 0 };
	how->arg = s;
	how->finding = take_finding;
	how->line = take_line;
	how->sum = take_sum;
	rc = evlog_look(store_dir, how, &r, why, sizeof(why));
	if (rc)
		fail_msg("evlog_look: %d %s", rc, why);
	assert_int_equal(r.damaged, s->findings);
	return r;
}

UNUSED static struct evlog_report look(struct seen *s)
{
	struct evlog_look how = { 0 };

	return look_with(s, &how);
}

UNUSED static void look_clean(void)
{
	struct seen s;

	look(&s);
	if (s.findings)
		fail_msg("findings: %s", s.all);
}

/* The look finds damage, the first of it so; and no writer goes on behind it. */
UNUSED static void look_finds(const char *text)
{
	struct seen s;

	look(&s);
	if (!s.findings || !strstr(s.all, text))
		fail_msg("no '%s' in: %s", text, s.all);
}

UNUSED static char *slurp(const char *rel, size_t *ret_n)
{
	char path[400];
	FILE *f;
	char *p = malloc(1 << 20);

	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	f = fopen(path, "rb");
	assert_non_null(p);
	assert_non_null(f);
	*ret_n = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

UNUSED static void spill(const char *rel, const char *p, size_t n)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

#define LOG0 "evidence/2026-11-23.log"
#define LOG1 "evidence/2026-11-24.log"
#define LOG2 "evidence/2026-11-25.log"

#endif
