/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy_eval.c - which rule decides which call; numbers by dial plan; time zones; the index
 * against plain search
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "policy/internal.h"

#define TODAY 1796000000 /* 2026-11-30 */

#define OBJECTS                                                                                    \
	"trunk pbx { address 192.0.2.0/24 country +45 national-digits 8 queue-header X-Queue "     \
	"agent-header X-Agent }\n"                                                                 \
	"trunk uk { vlan 7 country +44 national-prefix 0 }\n"                                      \
	"trunk own { address 198.51.100.7, 2001:db8::/32 port 5060 transport tcp dedicated yes "   \
	"}\n"                                                                                      \
	"trunk eth { interface eth1 dedicated yes }\n"                                             \
	"set own numbers { +45 7010 20*, +45 8812 3400-8812 3499, +44 20 7946 0000 }\n"            \
	"set bad dynamic numbers { +45 1111 1111 }\n"                                              \
	"set hol holidays { 2026-12-25 }\n set qs queues { claims, sales }\n"                      \
	"announcement n { language da link https://c.example/telefon elements rec doc link "       \
	"object access text \"x\" }\n"                                                             \
	"assessment d { kind documentation scope @own, @ts, @qs, @other review 2027-09-01 no-other-way "   \
	"\"n\" factor 1 relied-on \"a\"\n"                                                         \
	" factor 2 relied-on \"a\"\n factor 3 relied-on \"a\"\n factor 4 relied-on \"a\"\n "       \
	"factor 5 relied-on \"a\"\n factor 6 relied-on \"a\"\n}\n"                                 \
	"set ts trunks { own, eth }\n"                                                             \
	"controller c { timezone Europe/Copenhagen numbers @own trunks @ts }\n"                    \
	"controller p { timezone UTC numbers @own }\n"                                             \
	"set other numbers { +45 8812 3500-8812 3599 }\n"                                         \
	"controller o { timezone UTC numbers @other }\n"                                          \
	"controller l { timezone UTC trunks own lab yes }\n"
#define REST                                                                                       \
	" owner O review 2027-10-01 notice n proof api documentation { basis interest assessment " \
	"d } }\n"
#define RULE(name, match) "rule \"" name "\" { " match REST

struct call {
	const char *calling, *called, *src, *dst;
	bool withheld, tcp;
	int sport, dport, vlan;
	const char *interface, *queue, *agent, *header, *host, *from_user;
	int64_t time;
};

static struct policy *load(const char *text)
{
	struct policy_diags d = {0};
	struct policy *p = NULL;

	if (policy_load_mem("t", text, strlen(text), TODAY, &d, &p))
		for (size_t i = 0; i < d.n; i++)
			policy_diag_print(stderr, &d.d[i]);
	policy_diags_free(&d);
	assert_non_null(p);
	return p;
}

static struct policy_str str(const char *s)
{
	return (struct policy_str){s, s ? strlen(s) : 0};
}

static void address(const char *s, uint8_t out[16])
{
	memset(out, 0, 16);
	if (!s)
		s = "203.0.113.1";
	if (strchr(s, ':')) {
		assert_int_equal(inet_pton(AF_INET6, s, out), 1);
	} else {
		out[10] = out[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, s, out + 12), 1);
	}
}

static void eval(const struct policy *p, const struct call *k, struct policy_decision *d)
{
	struct policy_input in = {0};
	const char *names[POLICY_HEADERS_MAX];
	size_t n = policy_headers(p, names);

	in.calling = str(k->calling);
	in.called = str(k->called);
	in.from_user = str(k->from_user);
	in.withheld = k->withheld;
	in.ruri_host = str(k->host);
	address(k->src, in.src);
	address(k->dst, in.dst);
	in.src_port = (uint16_t)k->sport;
	in.dst_port = (uint16_t)k->dport;
	in.vlan = (uint16_t)k->vlan;
	in.interface = k->interface;
	in.tcp = k->tcp;
	in.time = k->time;
	for (size_t i = 0; i < n; i++)
		in.header[i] = str(!strcmp(names[i], "X-Queue")	  ? k->queue
				   : !strcmp(names[i], "X-Agent") ? k->agent
								  : k->header);
	policy_eval(p, &in, d);
}

static void expect(const struct policy *p, const struct call *k, const char *rule, int line)
{
	struct policy_decision d;
	const char *got;

	eval(p, k, &d);
	got = d.verdict == POLICY_MATCH	  ? d.rule->name
	      : d.verdict == POLICY_NEVER ? "never"
					  : "none";
	if (strcmp(got, rule))
		fail_msg("case at line %d: %s instead of %s", line, got, rule);
}
#define EXPECT(p, rule, ...) expect(p, &(struct call){__VA_ARGS__}, rule, __LINE__)

static void test_numbers(void **state)
{
	struct policy *p = load(OBJECTS);
	static const struct {
		struct call call;
		const char *called;
	} t[] = {
		{{.called = "+4570102030"}, "+4570102030"},
		{{.called = "70102030"}, "70102030"}, /* on no trunk: no dial plan */
		{{.called = "70102030", .dst = "192.0.2.9"}, "+4570102030"},
		{{.called = "004570102030", .dst = "192.0.2.9"}, "+4570102030"},
		{{.called = "4570102030", .dst = "192.0.2.9"}, "+4570102030"},
		{{.called = "00442079460000", .src = "192.0.2.9"}, "+442079460000"},
		{{.called = "112", .dst = "192.0.2.9"}, "112"},
		{{.called = "1234567", .dst = "192.0.2.9"}, "1234567"},
		{{.called = "02079460000", .vlan = 7}, "+442079460000"},
		{{.called = "2079460000", .vlan = 7},
		 "2079460000"}, /* no national-digits: not guessed */
		{{.called = "tel:+45-70.10(20)30"}, "+4570102030"},
		{{.called = "tel:70102030;phone-context=+45"}, "+4570102030"},
		{{.called = "2030;phone-context=+457010"}, "+4570102030"},
		{{.called = "2030;phone-context=c.example"}, "2030;phone-context=c.ex"},
		{{.called = "+4570102030;ext=5"}, "+4570102030"},
		{{.called = "%2B4570102030"}, "+4570102030"},
		{{.called = "+0570102030"}, "+0570102030"}, /* as it is, and in no set */
		{{.called = "+1234567890123456"}, "+1234567890123456"},
		{{.called = "alice"}, "alice"},
		{{.called = "anonymous", .dst = "192.0.2.9"}, "anonymous"},
		{{.called = ""}, ""},
		{{.called = NULL}, ""},
		{{.called = "+"}, "+"},
		{{.called = "00", .dst = "192.0.2.9"}, "00"},
		{{.called = "a-very-long-user-part-that-is-cut"}, "a-very-long-user-part-t"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct policy_decision d;

		eval(p, &t[i].call, &d);
		assert_string_equal(d.called, t[i].called);
		assert_int_equal(d.verdict, POLICY_NO_MATCH);
	}
	policy_free(p);
}

static void test_calling(void **state)
{
	struct policy *p = load(OBJECTS "trunk f { vlan 9 identity from }\n");
	struct policy_decision d;

	(void)state;
	eval(p, &(struct call){.calling = "+4512345678", .from_user = "+4587654321"}, &d);
	assert_string_equal(d.calling, "+4512345678");
	eval(p, &(struct call){.calling = "+4512345678", .from_user = "+4587654321", .vlan = 9},
	     &d);
	assert_string_equal(d.calling, "+4587654321");
	eval(p, &(struct call){.calling = "anonymous", .withheld = true}, &d);
	assert_string_equal(d.calling, "");
	policy_free(p);
}

/* A no-record list is what people asked for; a statute asks no one, and any other never rule forbids to everybody. */
static void test_listed(void **state)
{
	static const struct {
		const char *never, *basis;
		bool match, listed;
	} t[] = {
		{ "calling @wish", "obligation \"MiFID II art. 16(7)\"", true, true },
		{ "calling @wish", "interest", false, true },
		{ "called @wish", "obligation \"MiFID II art. 16(7)\"", true, false }, /* not that number */
		{ "controller c side called calling @wish", "obligation \"MiFID II art. 16(7)\"", true, true },
		{ "calling @wish, +45 2222 2222", "obligation \"MiFID II art. 16(7)\"", false, false },
		{ "calling @wish, withheld", "obligation \"MiFID II art. 16(7)\"", false, false },
		{ "calling @plain", "obligation \"MiFID II art. 16(7)\"", false, false },
		{ "calling @wish queue = q", "obligation \"MiFID II art. 16(7)\"", true, false }, /* another queue */
		{ "calling @wish }\nnever \"second\" { called +45 7010 2030", "obligation \"MiFID II art. 16(7)\"", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bool law = *t[i].basis == 'o';
		struct policy_decision d;
		struct policy *p;
		char text[8192];

		snprintf(text, sizeof(text),
			 OBJECTS "set wish dynamic numbers { +45 2222 2222 }\nset plain numbers { +45 2222 2222 }\n"
				 "announcement law { language da link https://c.example/t elements rec doc link access text \"x\" }\n"
				 "rule \"r\" { controller c side called called +45 7010 20* owner O review 2027-10-01 notice %s notice-proof attested\n"
				 "documentation { basis %s assessment d %s }\n%s }\nnever \"list\" { %s }\n",
			 law ? "law" : "n", t[i].basis, law ? "retention 5 years retention-reason \"x\"" : "", law ? "decision-record 6 years" : "",
			 t[i].never);
		p = load(text);
		eval(p, &(struct call){ .calling = "+4522222222", .called = "+4570102030" }, &d);
		if (d.verdict != (t[i].match ? POLICY_MATCH : POLICY_NEVER) || d.listed != t[i].listed)
			fail_msg("case %zu: verdict %d, listed %d", i, d.verdict, d.listed);
		eval(p, &(struct call){ .calling = "+4522222223", .called = "+4570102031" }, &d);
		assert_int_equal(d.verdict, POLICY_MATCH);
		assert_false(d.listed);
		policy_free(p);
	}
}

static void test_order_and_side(void **state)
{
	struct policy *p = load(
		OBJECTS RULE("exact", "controller c side called called +45 7010 2030")
			RULE("in", "controller c side called called +45 7010 20*")
				RULE("out",
				     "controller c side calling calling +45 8812 3400-8812 3409")
					RULE("from bad",
					     "controller o side called calling +45 9999 9999")
						RULE("anon", "controller o side called calling "
							     "withheld") "never \"list\" { calling "
									 "@bad }\n");

	(void)state;
	EXPECT(p, "exact", .calling = "+4522222222", .called = "+4570102030");
	EXPECT(p, "in", .calling = "+4522222222", .called = "+4570102031");
	EXPECT(p, "in", .calling = "+4522222222",
	       .called = "+45701020311"); /* a prefix has no end */
	EXPECT(p, "none", .calling = "+4522222222", .called = "+4570102");
	EXPECT(p, "none", .calling = "+4522222222", .called = "+4570102130");
	EXPECT(p, "never", .calling = "+4511111111", .called = "+4570102030");
	EXPECT(p, "out", .calling = "+4588123405", .called = "+4522222222");
	EXPECT(p, "out", .calling = "+4588123409", .called = "+4522222222");
	EXPECT(p, "none", .calling = "+4588123410", .called = "+4522222222");
	EXPECT(p, "none", .calling = "+45881234050",
	       .called = "+4522222222"); /* a range keeps its length */
	EXPECT(p, "none", .calling = "+4522222222", .called = "+4588123405"); /* the wrong side */
	/* RX-1: the caller matches, but the called side is nobody's own. */
	EXPECT(p, "none", .calling = "+4599999999", .called = "+4522222222");
	EXPECT(p, "from bad", .calling = "+4599999999", .called = "+4588123500");
	EXPECT(p, "anon", .withheld = true, .calling = "anonymous", .called = "+4588123500");
	EXPECT(p, "none", .calling = "anonymous", .called = "+4588123500");
	EXPECT(p, "none", .withheld = true, .called = "+4522222222");
	policy_free(p);
}

static void test_trunks(void **state)
{
	struct policy *p = load(OBJECTS RULE("to", "controller c side called trunk own")
					RULE("from", "controller c side calling trunk own")
						RULE("eth", "controller c side called trunk eth"));

	(void)state;
	EXPECT(p, "to", .called = "x", .dst = "198.51.100.7", .dport = 5060, .tcp = true);
	EXPECT(p, "from", .called = "x", .src = "198.51.100.7", .sport = 5060, .tcp = true);
	EXPECT(p, "to", .called = "x", .dst = "2001:db8::9", .dport = 5060, .tcp = true);
	EXPECT(p, "none", .called = "x", .dst = "2001:db9::9", .dport = 5060, .tcp = true);
	EXPECT(p, "none", .called = "x", .dst = "198.51.100.7", .dport = 5060);
	EXPECT(p, "none", .called = "x", .dst = "198.51.100.7", .dport = 5061, .tcp = true);
	EXPECT(p, "none", .called = "x", .dst = "198.51.100.8", .dport = 5060, .tcp = true);
	EXPECT(p, "eth", .called = "x", .interface = "eth1");
	EXPECT(p, "none", .called = "x", .interface = "eth2");
	EXPECT(p, "none", .called = "x"); /* a file has no interface */
	policy_free(p);
}

static void test_lab_is_never_live(void **state)
{
	struct policy *p = load(OBJECTS RULE("lab", "controller l side called trunk own"));

	(void)state;
	EXPECT(p, "lab", .called = "x", .dst = "198.51.100.7", .dport = 5060, .tcp = true);
	EXPECT(p, "none", .called = "x", .dst = "198.51.100.7", .dport = 5060, .tcp = true,
	       .interface = "eth0");
	policy_free(p);
}

static void test_headers(void **state)
{
	struct policy *p = load(
		OBJECTS RULE(
			"q",
			"controller c side called called @own queue one-of @qs agent prefix a-")
			RULE("h", "controller c side called called @own header X-Other = \"a b\"")
				RULE("there", "controller c side called called @own header x-other "
					      "present sip-domain *.c.example"));
	struct policy_decision d;
	const char *names[POLICY_HEADERS_MAX];

	(void)state;
	assert_int_equal(policy_headers(p, names), 3);
	EXPECT(p, "q", .called = "70102030", .dst = "192.0.2.1", .queue = "sales", .agent = "a-7");
	EXPECT(p, "q", .called = "70102030", .dst = "192.0.2.1", .queue = " claims\t",
	       .agent = "a-");
	EXPECT(p, "none", .called = "70102030", .dst = "192.0.2.1", .queue = "sale",
	       .agent = "a-7");
	EXPECT(p, "none", .called = "70102030", .dst = "192.0.2.1", .queue = "sales",
	       .agent = "b-7");
	EXPECT(p, "none", .called = "70102030", .dst = "192.0.2.1", .agent = "a-7");
	EXPECT(p, "none", .called = "+4570102030", .queue = "sales",
	       .agent = "a-7"); /* not on a trunk that has them */
	EXPECT(p, "h", .called = "+4570102030", .header = "a b");
	EXPECT(p, "none", .called = "+4570102030", .header = "a  b");
	EXPECT(p, "there", .called = "+4570102030", .header = "z", .host = "pbx.C.example");
	EXPECT(p, "none", .called = "+4570102030", .header = "z", .host = "c.example");
	EXPECT(p, "none", .called = "+4570102030", .host = "pbx.c.example");
	eval(p,
	     &(struct call){
		     .called = "70102030", .dst = "192.0.2.1", .queue = " sales ", .agent = "b"},
	     &d);
	assert_int_equal(d.queue.n, 5);
	assert_memory_equal(d.queue.p, "sales", 5);
	assert_int_equal(d.agent.n, 1);
	policy_free(p);
}

static void test_direction(void **state)
{
	struct policy *p =
		load(OBJECTS RULE("in", "controller p side called called @own direction inbound"));

	(void)state;
	EXPECT(p, "in", .calling = "+4522222222", .called = "+4570102030");
	EXPECT(p, "none", .calling = "+4570102031", .called = "+4570102030"); /* within the house */
	policy_free(p);
}

static void test_late_criteria(void **state)
{
	struct policy *p = load(OBJECTS RULE(
		"pcma",
		"controller c side called called @own\n media codec PCMA\n media encrypted no")
					RULE("vip",
					     "controller c side called called @own tag vip"));
	struct policy_str codec = str("pcma"), tag = str("vip");
	struct policy_media m = {&codec, 1, false};
	struct policy_input in = {.called = str("+4570102030")};
	struct policy_decision d;

	(void)state;
	policy_eval(p, &in, &d);
	assert_int_equal(d.verdict, POLICY_NO_MATCH); /* not known yet: no match */
	in.media = &m;
	policy_eval(p, &in, &d);
	assert_string_equal(d.rule->name, "pcma");
	m.encrypted = true;
	policy_eval(p, &in, &d);
	assert_int_equal(d.verdict, POLICY_NO_MATCH);
	in.tags = &tag;
	in.ntags = 1;
	policy_eval(p, &in, &d);
	assert_string_equal(d.rule->name, "vip");
	policy_free(p);
}

#define UTC(h, m)                                                                                  \
	(1797206400 + (h)*3600 + (m)*60) /* Monday 2026-12-14 00:00 UTC, 01:00 in Copenhagen */
#define DAY 86400

static void test_time(void **state)
{
	struct policy *p = load(
		OBJECTS RULE("day", "controller c side called called +45 7010 2030 time mon-fri "
				    "08:00-16:00, sun except @hol") RULE(
			"night",
			"controller c side called called +45 7010 2031 time fri 22:00-02:00")
			RULE("hol", "controller c side called called +45 7010 2032 time @hol") RULE(
				"utc",
				"controller p side called called +45 7010 2033 time 08:00-16:00"));

	(void)state;
	EXPECT(p, "none", .called = "+4570102030", .time = UTC(6, 59));
	EXPECT(p, "day", .called = "+4570102030", .time = UTC(7, 0));
	EXPECT(p, "day", .called = "+4570102030", .time = UTC(14, 59) + 59);
	EXPECT(p, "none", .called = "+4570102030", .time = UTC(15, 0));
	EXPECT(p, "none", .called = "+4570102030", .time = UTC(9, 0) + 5 * DAY);
	EXPECT(p, "day", .called = "+4570102030", .time = UTC(20, 0) + 6 * DAY);
	EXPECT(p, "day", .called = "+4570102030", .time = UTC(9, 0) + 10 * DAY);
	EXPECT(p, "none", .called = "+4570102030", .time = UTC(9, 0) + 11 * DAY); /* 25 December */
	EXPECT(p, "none", .called = "+4570102031", .time = UTC(20, 59) + 4 * DAY);
	EXPECT(p, "night", .called = "+4570102031", .time = UTC(21, 0) + 4 * DAY);
	EXPECT(p, "night", .called = "+4570102031", .time = UTC(24, 59) + 4 * DAY);
	EXPECT(p, "none", .called = "+4570102031", .time = UTC(25, 0) + 4 * DAY);
	EXPECT(p, "none", .called = "+4570102031",
	       .time = UTC(0, 30) + 4 * DAY); /* Friday morning */
	EXPECT(p, "hol", .called = "+4570102032", .time = UTC(-1, 0) + 11 * DAY);
	EXPECT(p, "none", .called = "+4570102032", .time = UTC(23, 0) + 11 * DAY);
	EXPECT(p, "none", .called = "+4570102033", .time = UTC(7, 0));
	EXPECT(p, "utc", .called = "+4570102033", .time = UTC(8, 0));
	/* In summer Copenhagen is two hours ahead: 2026-07-06 is a Monday. */
	EXPECT(p, "day", .called = "+4570102030", .time = 1783296000 + 6 * 3600);
	EXPECT(p, "none", .called = "+4570102030", .time = 1783296000 + 5 * 3600 + 3599);
	policy_free(p);
}

/* Offsets equal those of the C library, over 130 years and past the last listed transition. */
static void test_zones(void **state)
{
	static const char *const zones[] = {
		"UTC",		"Europe/Copenhagen", "America/New_York",  "Australia/Sydney",
		"Asia/Kolkata", "Africa/Casablanca", "America/Sao_Paulo", "Pacific/Apia"};

	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		struct arena a = {NULL};
		struct tz *z;

		assert_int_equal(tz_load(&a, zones[i], &z), 0);
		setenv("TZ", zones[i], 1);
		tzset();
		for (int64_t t = -(int64_t)20 * 365 * DAY; t < (int64_t)110 * 365 * DAY;
		     t += 7 * 3600 + 1) {
			time_t tt = (time_t)t;
			struct tm tm;

			assert_non_null(localtime_r(&tt, &tm));
			if (tz_offset(z, t) != (int)tm.tm_gmtoff)
				fail_msg("%s at %lld: %d instead of %ld", zones[i], (long long)t,
					 tz_offset(z, t), tm.tm_gmtoff);
		}
		arena_free(&a);
	}
	unsetenv("TZ");
	tzset();
}

static void test_bad_zones(void **state)
{
	static const char *const bad[] = {
		"", "/etc/passwd", "../../../etc/passwd", "Europe/Atlantis", "Europe", "a b"};
	struct arena a = {NULL};
	uint8_t file[200] = "TZif2";
	struct tz *z = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(tz_load(&a, bad[i], &z) < 0);
	for (size_t n = 0; n < sizeof(file); n++)
		assert_true(tz_from_bytes(&a, file, n, &z) < 0);
	assert_null(z);
	arena_free(&a);
}

static void test_calendar(void **state)
{
	struct policy_date d;

	(void)state;
	assert_int_equal(days_from_civil(1970, 1, 1), 0);
	assert_int_equal(days_from_civil(2000, 3, 1), 11017);
	for (int64_t day = -1000; day < 100000; day++) {
		civil_from_days(day, &d);
		assert_int_equal(days_from_civil(d.year, d.month, d.day), day);
	}
	assert_true(date_valid(&(struct policy_date){2028, 2, 29}));
	assert_false(date_valid(&(struct policy_date){2100, 2, 29}));
	assert_false(date_valid(&(struct policy_date){2027, 13, 1}));
	assert_false(date_valid(&(struct policy_date){2027, 4, 31}));
}

/* Random rules: the index must agree with looking at every rule in turn. */
static void test_index(void **state)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	unsigned seed = 7;
	struct policy *p;

	(void)state;
	fputs("trunk t { vlan 1 dedicated yes }\nset ts trunks { t }\n"
	      "announcement n { language da link https://c.example/telefon elements rec doc link "
	      "object access text \"x\" }\n"
	      "assessment d { kind documentation scope @ts, @own review 2027-09-01 no-other-way "
	      "\"n\" factor 1 relied-on \"a\"\n"
	      " factor 2 relied-on \"a\"\n factor 3 relied-on \"a\"\n factor 4 relied-on \"a\"\n "
	      "factor 5 relied-on \"a\"\n factor 6 relied-on \"a\"\n}\n"
	      "set own numbers { +4570* }\ncontroller c { timezone UTC numbers @own }\n",
	      f);
	for (int i = 0; i < 20; i++) {
		fprintf(f, "set s%d numbers {\n", i);
		for (int k = 0; k < 30; k++)
			fprintf(f, " +4570%d%s\n", 10 + rand_r(&seed) % 90,
				rand_r(&seed) % 3 ? "11*" : "22");
		fputs("}\n", f);
	}
	for (int i = 0; i < 300; i++) {
		int a = 100 + rand_r(&seed) % 800;

		/* the second name lets the linter believe that each rule has calls of its own */
		fprintf(f, "rule \"r%d\" { controller c side called sip-domain any.example, r%d.example called ", i, i);
		switch (rand_r(&seed) % 4) {
		case 0:
			fprintf(f, "@s%d", rand_r(&seed) % 20);
			break;
		case 1:
			fprintf(f, "+4570%d*", a);
			break;
		case 2:
			fprintf(f, "+4570%d-+4570%d", a, a + 1 + rand_r(&seed) % 90);
			break;
		default:
			fprintf(f, "+4570%d, +4570%d2", a, a);
		}
		fputs(REST, f);
	}
	fclose(f);
	p = load(text);
	free(text);
	for (int i = 0; i < 50000; i++) {
		char number[32];
		struct policy_decision d;
		struct policy_input in = {0};
		const struct policy_rule *want = NULL;
		uint64_t key;

		snprintf(number, sizeof(number), "+4570%d",
			 rand_r(&seed) % (i % 2 ? 1000 : 1000000));
		in.called = str(number);
		in.ruri_host = str("any.example");
		key = number_key(number);
		for (size_t r = 0; r < policy_rules(p) && !want; r++)
			if (numbers_has(&p->rule_array[r]->called, key, 0))
				want = policy_rule(p, r);
		policy_eval(p, &in, &d);
		assert_ptr_equal(d.rule, want);
	}
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_calling),
		cmocka_unit_test(test_order_and_side),
		cmocka_unit_test(test_trunks),
		cmocka_unit_test(test_lab_is_never_live),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_late_criteria),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_bad_zones),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
