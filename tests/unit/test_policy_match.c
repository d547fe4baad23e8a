/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy_match.c - L-12 and L-13 against what policy_eval does
 *
 * Two random rules are loaded together and each alone. If the linter says that
 * the first leaves nothing for the second, no call may match the second alone and
 * not the first; if two controllers' rules both match a call on one side, the
 * linter must have said so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

#define TODAY 1796000000 /* 2026-11-30 00:53 UTC, a Monday */
#define PAIRS 16000
#define CALLS 160

static const char head[] =
	"trunk t1 { vlan 1 queue-header X-Queue agent-header X-Agent }\ntrunk t2 { vlan 2 queue-header X-Queue }\n"
	"trunk d { vlan 3 dedicated yes queue-header X-Queue }\n"
	"set own numbers { +45 7010 20* }\nset few numbers { +45 7010 2011, +45 7010 2012-7010 2014 }\n"
	"set live dynamic numbers { +45 7010 2015 }\nset qs queues { q1, q2 }\nset ts trunks { t1, t2 }\n"
	"set all-ts trunks { t1, t2, d }\nset hol holidays { 2026-12-01 }\n"
	"announcement n { language da link https://c.example/telefon elements rec doc link object access text \"x\" }\n"
	"assessment a { kind documentation scope @own, @all-ts, @qs, @other review 2027-09-01 no-other-way \"n\"\n"
	"factor 1 relied-on \"a\"\nfactor 2 relied-on \"a\"\nfactor 3 relied-on \"a\"\nfactor 4 relied-on \"a\"\n"
	"factor 5 relied-on \"a\"\nfactor 6 relied-on \"a\"\n}\n"
	"set other numbers { +45 8812 34* }\n"
	"controller c { timezone Europe/Copenhagen numbers @own, @other }\n"
	"controller k { timezone Europe/Copenhagen numbers +45 7010 20* trunks d }\n"
	"controller z { timezone Europe/Copenhagen numbers +45 8812 34* }\n";

static unsigned seed = 11;

static unsigned rnd(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

#define PICK(...)                                                  \
	((const char *const[]){ __VA_ARGS__ })[rnd(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))]

static void numbers(FILE *f)
{
	for (unsigned i = rnd(2); i < 2; i++)
		fprintf(f, "%s%s", PICK("+45 7010 2011", "+45 7010 20*", "+45 7010 201*", "+45 7010 2010-7010 2014", "@few", "@live",
					"@own", "+45 7010 2013-7010 2019"),
			i < 1 ? ", " : "");
}

static char *random_rule(bool never)
{
	const char *c = PICK("c", "c", "k", "z");
	bool calling = rnd(4) == 0;
	char *s = NULL;
	size_t n;
	FILE *f = open_memstream(&s, &n);

	fprintf(f, "%s { ", never ? "never \"first\"" : "rule \"NAME\"");
	if (!never || rnd(2))
		fprintf(f, "controller %s side %s ", c, calling ? "calling" : "called");
	else
		c = "";
	if (rnd(5)) {
		fputs(calling ? "calling " : "called ", f);
		if (*c == 'z')
			fputs(PICK("+45 8812 34*", "+45 8812 3400-8812 3449", "+45 8812 3410"), f);
		else
			numbers(f);
	} else if (!never || rnd(2)) {
		fputs("queue present", f);
	}
	if (rnd(4) == 0) {
		fputs(calling ? " called " : " calling ", f);
		fputs(PICK("+45 8812 34*", "+45 8812 3410", "+45 7010 2011", "@own"), f);
		if (!calling && rnd(2))
			fputs(", withheld", f);
	}
	if (rnd(4) == 0)
		fprintf(f, " trunk %s", PICK("t1", "t2", "t1, t2", "@ts", "d"));
	if (rnd(3) == 0)
		fprintf(f, " header X-L %s", PICK("= a1", "= a2", "prefix a", "prefix a1", "present"));
	if (rnd(4) == 0)
		fprintf(f, " agent %s", PICK("= x", "= xy", "prefix x", "present"));
	if (rnd(4) == 0)
		fprintf(f, " sip-domain %s", PICK("a.example", "*.example", "b.example, a.example", "b.example"));
	if (*c && rnd(4) == 0)
		fprintf(f, " time %s", PICK("mon-fri", "mon 00:00-12:00", "mon-fri 01:00-02:00", "sat, sun", "mon-fri except @hol",
					    "mon, @hol", "sun 20:00-04:00"));
	if (*c && rnd(6) == 0)
		fprintf(f, " direction %s", calling ? "outbound" : "inbound");
	if (rnd(8) == 0)
		fprintf(f, " tag %s", PICK("x", "y", "x, y"));
	if (!never)
		fputs(" owner O review 2027-10-01 notice n proof api documentation { basis interest assessment a } ", f);
	fputs("}\n", f);
	fclose(f);
	return s;
}

static struct policy *load(const char *a, const char *b, struct policy_diags *d)
{
	struct policy *p = NULL;
	char *text = NULL;

	memset(d, 0, sizeof(*d));
	assert_true(asprintf(&text, "%s%s%s", head, a, b) > 0);
	policy_load_mem("t", text, strlen(text), TODAY, d, &p);
	free(text);
	return p;
}

/* The policy, or NULL when it has another fault than these two. */
static bool only(const struct policy_diags *d, bool *ret_shadow, bool *ret_overlap)
{
	*ret_shadow = *ret_overlap = false;
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->d[i].code, "L-12"))
			*ret_shadow = true;
		else if (!strcmp(d->d[i].code, "L-13"))
			*ret_overlap = true;
		else if (d->d[i].severity == POLICY_ERROR)
			return false;
	return true;
}

struct call {
	char calling[24], called[24];
	const char *host, *header, *queue, *agent;
	struct policy_str tag;
	struct policy_media media;
	bool withheld;
	uint16_t vlan;
	int64_t time;
};

static void random_number(char out[24])
{
	if (rnd(3))
		snprintf(out, 24, "+4570102%03u", rnd(2) ? 10 + rnd(10) : rnd(100));
	else
		snprintf(out, 24, "+458812%04u", rnd(2) ? 3410 : 3390 + rnd(70));
}

static void random_call(struct call *k)
{
	memset(k, 0, sizeof(*k));
	random_number(k->calling);
	random_number(k->called);
	k->withheld = rnd(8) == 0;
	k->host = PICK("a.example", "b.example", "example", "c.test");
	k->header = PICK("a1", "a2", "a", "b", "a11");
	k->queue = PICK("q1", "q3");
	k->agent = PICK("x", "xy", "y");
	k->tag = rnd(2) ? (struct policy_str){ "x", 1 } : (struct policy_str){ NULL, 0 };
	k->vlan = (uint16_t)rnd(5);
	k->time = TODAY + (int64_t)rnd(9 * 86400);
}

static bool matches(const struct policy *p, const struct call *k)
{
	struct policy_input in = { 0 };
	struct policy_decision d;
	const char *names[POLICY_HEADERS_MAX];
	size_t n = policy_headers(p, names);

	in.calling = (struct policy_str){ k->calling, strlen(k->calling) };
	in.called = (struct policy_str){ k->called, strlen(k->called) };
	in.withheld = k->withheld;
	in.ruri_host = (struct policy_str){ k->host, strlen(k->host) };
	in.vlan = k->vlan;
	in.interface = "eth0";
	in.time = k->time;
	in.tags = &k->tag;
	in.ntags = k->tag.n != 0;
	for (size_t i = 0; i < n; i++) {
		const char *v = !strcmp(names[i], "X-Queue") ? k->queue : !strcmp(names[i], "X-Agent") ? k->agent : k->header;

		in.header[i] = (struct policy_str){ v, strlen(v) };
	}
	policy_eval(p, &in, &d);
	return d.verdict != POLICY_NO_MATCH;
}

static char *named(const char *rule, const char *name)
{
	char *s = NULL, *at = strstr(rule, "NAME");

	assert_true(asprintf(&s, "%.*s%s%s", (int)(at ? at - rule : 0), rule, at ? name : "", at ? at + 4 : rule) > 0);
	return s;
}

static void show(const char *what, const char *a, const char *b, const struct call *k)
{
	fail_msg("%s\n%s%s%s -> %s withheld %d host %s header %s queue %s agent %s vlan %u time %lld", what, a, b, k->calling,
		 k->called, k->withheld, k->host, k->header, k->queue, k->agent, k->vlan, (long long)k->time);
}

/* On which side a rule's controller is, and whose it is. */
static bool same_side(const char *a, const char *b)
{
	return !strstr(a, "side calling") == !strstr(b, "side calling");
}

static void pairs(void **state)
{
	unsigned shadows = 0, overlaps = 0, seen = 0, missed = 0, together = 0;

	(void)state;
	for (int i = 0; i < PAIRS; i++) {
		bool never = rnd(6) == 0, shadow, overlap, x, y;
		char *ra = random_rule(never), *rb = random_rule(false), *a = named(ra, "first"), *b = named(rb, "second");
		struct policy_diags d, da, db;
		struct policy *p = load(a, b, &d), *pa = load(a, "", &da), *pb = load(b, "", &db);

		if (pa && pb && only(&d, &shadow, &overlap)) {
			shadows += shadow;
			overlaps += overlap;
			for (int k = 0; k < CALLS; k++) {
				struct call call;

				random_call(&call);
				x = matches(pa, &call);
				y = matches(pb, &call);
				seen += y;
				if (shadow && y && !x)
					show("said to be shadowed, and is not", a, b, &call);
				missed += !shadow && y && x;
				if (never || !x || !y || a[strcspn(a, "{") + 13] == b[strcspn(b, "{") + 13] || !same_side(a, b))
					continue;
				together++;
				/* what is not in the text: trunks of a dedicated one, members of dynamic sets */
				if (!overlap && !strstr(a, "@live") && !strstr(b, "@live") && !strstr(a, " k ") && !strstr(b, " k "))
					show("of two controllers, and not said", a, b, &call);
			}
		}
		policy_free(p);
		policy_free(pa);
		policy_free(pb);
		policy_diags_free(&d);
		policy_diags_free(&da);
		policy_diags_free(&db);
		free(ra);
		free(rb);
		free(a);
		free(b);
	}
	/* a test that sees none of it shows nothing */
	print_message("%u shadowed, %u overlapping, %u matches, %u on both\n", shadows, overlaps, seen, together);
	assert_true(shadows > 100 && overlaps > 100 && seen > 5000 && missed > 500 && together > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pairs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
