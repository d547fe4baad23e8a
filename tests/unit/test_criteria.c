/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_criteria.c - what is said afterwards of each criterion, against what it was
 *
 * Random rules are asked about random calls. Of the call only what a store keeps is told then: the rule, the time, hashes of the numbers, the
 * agent. Whatever policy_answers says with that is compared with each criterion asked by itself, about the whole call, in a
 * `never` that has nothing else.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/criteria.h"
#include "policy/members.h"

#define TODAY	 1796000000 /* 2026-11-30 00:53 UTC, a Monday */
#define POLICIES 4000
#define CALLS	 30
#define RULES	 5

static const char head[] =
	"trunk t1 { vlan 1 queue-header X-Queue agent-header X-Agent }\ntrunk t2 { vlan 2 queue-header X-Queue agent-header X-Agent }\n"
	"trunk d { vlan 3 dedicated yes queue-header X-Queue }\n"
	"set own numbers { +45 7010 20* }\nset few numbers { +45 7010 2011, +45 7010 2012-7010 2014 }\n"
	"set live dynamic numbers { +45 7010 2015 }\nset qs queues { q1, q2 }\nset ts trunks { t1, t2 }\nset as agents { x, y }\n"
	"set all-ts trunks { t1, t2, d }\nset hol holidays { 2026-12-01 }\nset other numbers { +45 8812 34* }\n"
	"announcement law { language da link https://c.example/telefon elements rec doc link access text \"x\" }\n"
	"announcement n { language da link https://c.example/telefon elements rec doc link object access text \"x\" }\n"
	"assessment a { kind documentation scope @own, @all-ts, @qs, @other review 2027-09-01 no-other-way \"n\"\n"
	"factor 1 relied-on \"a\"\nfactor 2 relied-on \"a\"\nfactor 3 relied-on \"a\"\nfactor 4 relied-on \"a\"\n"
	"factor 5 relied-on \"a\"\nfactor 6 relied-on \"a\"\n}\n"
	"controller c { timezone Europe/Copenhagen numbers @own, @other }\n"
	"controller k { timezone Europe/Copenhagen numbers +45 7010 20* trunks d }\n";

/* What may be asked for, by kind. */
#define MOST	     12
#define LIVE_CALLED  5
#define LIVE_CALLING 6
static const char *const asked[POLICY_C_TAG + 1][MOST] = {
	[POLICY_C_SIDE] = {"controller c side called", "controller c side calling", "controller k side called"},
	[POLICY_C_DIRECTION] = {"direction inbound", "direction outbound"},
	[POLICY_C_CALLED] = {"called +45 7010 2011", "called +45 7010 20*", "called +45 7010 201*", "called +45 7010 2010-7010 2014", "called @few",
			     "called @live", "called @own", "called @few, +45 7010 2013-7010 2019", "called +45 8812 34*", "called @live, @few"},
	[POLICY_C_CALLING] = {"calling +45 8812 34*", "calling +45 8812 3410", "calling +45 7010 2011", "calling @own", "calling @few, withheld",
			      "calling withheld", "calling @live", "calling +45 8812 3400-8812 3449", "calling +45 8812 3410, withheld"},
	[POLICY_C_TRUNK] = {"trunk t1", "trunk t2", "trunk t1, t2", "trunk @ts", "trunk d"},
	[POLICY_C_HEADER] = {"header X-L = a1", "header X-L = a2", "header X-L prefix a", "header X-L prefix a1", "header X-L present"},
	[POLICY_C_QUEUE] = {"queue = q1", "queue = q3", "queue one-of @qs", "queue present", "queue prefix q"},
	[POLICY_C_AGENT] = {"agent = x", "agent = xy", "agent prefix x", "agent present", "agent one-of @as"},
	[POLICY_C_DOMAIN] = {"sip-domain a.example", "sip-domain *.example", "sip-domain b.example, a.example", "sip-domain b.example"},
	[POLICY_C_TIME] = {"time mon-fri", "time mon 00:00-12:00", "time mon-fri 01:00-02:00", "time sat, sun", "time mon-fri except @hol",
			   "time mon, @hol", "time sun 20:00-04:00"},
	[POLICY_C_TAG] = {"tag x", "tag y", "tag x, y"},
};
static struct policy_members *members; /* of @live, which nobody knows afterwards */
static struct policy *alone[POLICY_C_TAG + 1][MOST];

static unsigned seed = 5;

static unsigned rnd(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static struct policy *load(const char *rules, bool must)
{
	struct policy_diags d = {0};
	struct policy *p = NULL;
	char *text = NULL;

	assert_true(asprintf(&text, "%s%s", head, rules) > 0);
	if (policy_load_mem("t", text, strlen(text), TODAY, &d, &p) && must) {
		for (size_t i = 0; i < d.n; i++)
			policy_diag_print(stderr, &d.d[i]);
		fail_msg("%s", rules);
	}
	policy_diags_free(&d);
	free(text);
	assert_true(!p || policy_bind(p, members) == 0);
	return p;
}

struct call {
	char calling[24], called[24];
	const char *host, *header, *queue, *agent;
	struct policy_str tag;
	bool withheld;
	uint16_t vlan;
	int64_t time;
};

static void random_number(char out[24])
{
	if (rnd(3))
		snprintf(out, 24, "+4570102%03u", 10 + rnd(10));
	else
		snprintf(out, 24, "+458812%04u", rnd(2) ? 3410 : 3390 + rnd(70));
}

static void random_call(struct call *k)
{
	static const char *const hosts[] = {"a.example", "b.example", "c.test"}, *const headers[] = {"a1", "a2", "a", "b"};
	static const char *const queues[] = {"q1", "q2", "q3"}, *const agents[] = {"x", "xy", "y", NULL};

	memset(k, 0, sizeof(*k));
	random_number(k->calling);
	random_number(k->called);
	k->withheld = rnd(6) == 0;
	k->host = hosts[rnd(3)];
	k->header = headers[rnd(4)];
	k->queue = queues[rnd(3)];
	k->agent = agents[rnd(4)];
	k->tag = rnd(2) ? (struct policy_str){"x", 1} : (struct policy_str){NULL, 0};
	k->vlan = (uint16_t)(1 + rnd(3));
	k->time = TODAY + (int64_t)rnd(9 * 86400);
}

static void eval(const struct policy *p, const struct call *k, struct policy_decision *d)
{
	struct policy_input in = {.interface = "eth0"};
	const char *names[POLICY_HEADERS_MAX];
	size_t n = policy_headers(p, names);

	in.calling = (struct policy_str){k->calling, strlen(k->calling)};
	in.called = (struct policy_str){k->called, strlen(k->called)};
	in.withheld = k->withheld;
	in.ruri_host = (struct policy_str){k->host, strlen(k->host)};
	in.vlan = k->vlan;
	in.time = k->time;
	in.tags = &k->tag;
	in.ntags = k->tag.n != 0;
	for (size_t i = 0; i < n; i++) {
		const char *v = !strcmp(names[i], "X-Queue") ? k->queue : !strcmp(names[i], "X-Agent") ? k->agent : k->header;

		in.header[i] = (struct policy_str){v, v ? strlen(v) : 0};
	}
	policy_eval(p, &in, d);
}

/* A criterion by itself. */
static bool truth(const struct call *k, enum policy_criterion_of of, int which)
{
	struct policy_decision d;
	struct call c = *k;

	if (of == POLICY_C_TIME) { /* is that of a controller, whose call it has to be */
		strcpy(c.called, "+4570102011");
		strcpy(c.calling, "+4570102012");
		c.withheld = false;
	}
	if (of == POLICY_C_SIDE)
		c.queue = "q1";
	eval(alone[of][which], &c, &d);
	return d.verdict == POLICY_NEVER;
}

static void load_alone(void)
{
	for (unsigned of = 0; of <= POLICY_C_TAG; of++)
		for (int i = 0; i < MOST && asked[of][i]; i++) {
			const char *whose = of == POLICY_C_SIDE	       ? "queue present" /* nobody is forbidden all calls */
					    : of == POLICY_C_TIME      ? "controller c side called"
					    : of != POLICY_C_DIRECTION ? ""
					    : i			       ? "controller c side calling"
								       : "controller c side called";
			char *text = NULL;

			assert_true(asprintf(&text, "never \"one\" { %s %s }\n", whose, asked[of][i]) > 0);
			alone[of][i] = load(text, true);
			free(text);
		}
}

struct made {
	bool never;
	int which[POLICY_C_TAG + 1]; /* -1 not asked */
};

static void make_rule(struct made *m, bool never, int n, FILE *f)
{
	bool list = never && rnd(2), statute = !never && rnd(3) == 0;

	m->never = never;
	for (int of = 0; of <= POLICY_C_TAG; of++) {
		int most = 0;

		while (most < MOST && asked[of][most])
			most++;
		m->which[of] = most && rnd(4) == 0 ? (int)rnd((unsigned)most) : -1;
	}
	m->which[POLICY_C_SIDE] = never && rnd(2) ? -1 : (int)rnd(3);
	if (list) { /* of people who asked for it */
		memset(m->which, 0xff, sizeof(m->which));
		m->which[POLICY_C_CALLED] = rnd(2) ? LIVE_CALLED : -1;
		m->which[POLICY_C_CALLING] = m->which[POLICY_C_CALLED] < 0 ? LIVE_CALLING : -1;
	}
	if (m->which[POLICY_C_SIDE] < 0)
		m->which[POLICY_C_TIME] = m->which[POLICY_C_DIRECTION] = -1;
	if (m->which[POLICY_C_DIRECTION] >= 0) /* the other one is refused */
		m->which[POLICY_C_DIRECTION] = m->which[POLICY_C_SIDE] == 1;
	if (m->which[POLICY_C_SIDE] == 2)
		m->which[POLICY_C_DIRECTION] = -1; /* of c, as its truth is */
	fprintf(f, "%s \"%d\" {", never ? "never" : "rule", n);
	for (int of = 0; of <= POLICY_C_TAG; of++)
		if (m->which[of] >= 0)
			fprintf(f, " %s", asked[of][m->which[of]]);
	if (!never)
		fprintf(f, " owner O review 2027-10-01 notice %s proof api documentation { basis %s assessment a %s",
			statute ? "law" : "n", statute ? "obligation \"MiFID II art. 16(7)\"" : "interest",
			statute ? "retention 5 years retention-reason \"the law\" } decision-record 6 years" : "}");
	fputs(" }\n", f);
}

static bool number_is(void *arg, int side, const char *number)
{
	const struct policy_decision *d = arg;

	return !strcmp(side ? d->calling : d->called, number);
}

static unsigned claims, open_ones, ends[POLICY_A_AFTER + 1], hows[POLICY_HOW_ELSE + 1];

static void check(const struct made *m, const struct call *k, const struct policy_asked *a, const char *text)
{
	int of = -1;

	assert_int_equal(a->never, m->never);
	for (size_t i = 0; i < a->n; i++) {
		const struct policy_criterion *c = &a->c[i];
		bool is = truth(k, c->of, m->which[c->of]);

		assert_true(m->which[c->of] >= 0 && (int)c->of != of && *c->words && c->line > 0);
		of = (int)c->of;
		assert_null(strpbrk(c->words, "+")); /* no number */
		claims += c->met != POLICY_NOT_KNOWN;
		open_ones += c->met == POLICY_NOT_KNOWN;
		hows[c->how]++;
		assert_int_equal(c->met == POLICY_NOT_KNOWN, c->how == POLICY_HOW_NOT);
		if (c->met != POLICY_NOT_KNOWN && (c->met == POLICY_MET) != is)
			fail_msg("rule %s: '%s' is said to be %s, how %s\n%scalling %s%s called %s header %s queue %s agent %s host %s vlan %u tag %s time %lld",
				 a->name, c->words, c->met == POLICY_MET ? "met" : "not met", policy_how_name(c->how), text, k->withheld ? "withheld " : "",
				 k->calling, k->called, k->header, k->queue, k->agent ? k->agent : "-", k->host, k->vlan, k->tag.n ? "x" : "-",
				 (long long)k->time);
	}
	ends[a->end]++;
	if (a->end == POLICY_A_LIST || a->end == POLICY_A_SKIPPED)
		assert_null(policy_unmet(a));
	if (a->end == POLICY_A_UNMET)
		assert_non_null(policy_unmet(a));
	if (a->end == POLICY_A_TOOK)
		for (size_t i = 0; i < a->n; i++)
			assert_int_equal(a->c[i].met, POLICY_MET);
}

static void one_call(struct policy *p, const struct made *m, size_t n, const char *text)
{
	struct policy_answers a = {0};
	struct policy_decision d;
	struct policy_known known = {.is = number_is, .arg = &d};
	struct call k;
	char agent[8];
	bool after = false;

	random_call(&k);
	eval(p, &k, &d);
	if (d.verdict != POLICY_MATCH)
		return;
	known.took = d.rule;
	known.has_time = rnd(4);
	known.time = k.time;
	for (int side = 0; side < 2; side++)
		known.number[side] = rnd(4) == 0 ? POLICY_NUMBER_UNKNOWN : *(side ? d.calling : d.called) ? POLICY_NUMBER_HASHED : POLICY_NUMBER_NONE;
	if (d.agent.p && rnd(2)) {
		snprintf(agent, sizeof(agent), "%.*s", (int)d.agent.n, d.agent.p);
		known.agent = agent;
	}
	assert_int_equal(policy_answers(p, &known, &a), 0);
	assert_int_equal(a.n, n);
	for (size_t i = 0; i < n; i++) {
		check(&m[i], &k, &a.v[i], text);
		assert_int_equal(a.v[i].end == POLICY_A_TOOK, a.v[i].rule == d.rule);
		assert_int_equal(a.v[i].end == POLICY_A_AFTER, after);
		after |= a.v[i].rule == d.rule;
	}
	policy_answers_free(&a);
}

static void nothing_false(void **state)
{
	unsigned loaded = 0;

	(void)state;
	assert_int_equal(policy_members_new(&members), 0);
	assert_int_equal(policy_members_add(members, "live", &(struct policy_member){.number = "+4570102017"}), 0);
	assert_int_equal(policy_members_add(members, "live", &(struct policy_member){.number = "+4588123410"}), 0);
	load_alone();
	for (int i = 0; i < POLICIES; i++) {
		struct made m[RULES];
		size_t n = 2 + rnd(RULES - 1), len;
		char *text = NULL;
		FILE *f = open_memstream(&text, &len);
		bool nevers = rnd(2);
		struct policy *p;

		for (size_t j = 0; j < n; j++)
			make_rule(&m[j], nevers && j == 0, (int)j, f);
		fclose(f);
		p = load(text, false); /* many are refused: one rule shadows another, two controllers' overlap */
		loaded += p != NULL;
		for (int k = 0; p && k < CALLS; k++)
			one_call(p, m, n, text);
		policy_free(p);
		free(text);
	}
	print_message("%u policies, %u criteria told, %u not known; ends %u %u %u %u %u %u; hows %u %u %u %u %u %u\n", loaded, claims, open_ones,
		      ends[0], ends[1], ends[2], ends[3], ends[4], ends[5], hows[1], hows[2], hows[3], hows[4], hows[5], hows[6]);
	/* a test that sees none of it shows nothing */
	assert_true(loaded > 200 && claims > 5000 && ends[POLICY_A_TOOK] > 500 && ends[POLICY_A_UNMET] > 300 && ends[POLICY_A_OPEN] > 20 &&
		    ends[POLICY_A_AFTER] > 200 && ends[POLICY_A_LIST] > 20 && ends[POLICY_A_SKIPPED] > 10);
	for (int i = POLICY_HOW_TOOK; i <= POLICY_HOW_ELSE; i++)
		assert_true(hows[i] > 50);
	for (unsigned of = 0; of <= POLICY_C_TAG; of++)
		for (int i = 0; i < MOST; i++)
			policy_free(alone[of][i]);
	policy_members_free(members);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_false)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
