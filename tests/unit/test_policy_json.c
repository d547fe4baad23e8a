/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy_json.c - the JSON twin: no setting without a shape, no policy whose hash changes on
 * the way, no JSON that is not exactly that
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "policy/internal.h"
#include "policy_all.h"
#include "tools/policy_json.h"
#include "tools/policy_json_internal.h"

#define TODAY  1796000000 /* 2026-11-30 */
#define RANDOM 10000

static void same_settings(const struct table *t, const struct shape *s)
{
	int n = 0;

	for (int i = 0; i < t->n; i++) {
		const struct shape *x = shape_find(s, t->s[i].name, strlen(t->s[i].name));

		if (!x)
			fail_msg("'%s' of %s has no shape", t->s[i].name, t->what);
		if (x->many != !!(t->s[i].flags & S_MANY))
			fail_msg("'%s' of %s: once or often", t->s[i].name, t->what);
		for (int w = 0; w < WAYS_MAX && x->way[w]; w++) {
			struct item it[ITEMS_MAX];

			assert_true(shape_items(x->way[w], it) > 0);
		}
	}
	while (s[n].name)
		n++;
	assert_int_equal(n, t->n);
}

static void every_setting_has_a_shape(void **state)
{
	(void)state;
	same_settings(&controller_table, shapes_controller);
	same_settings(&trunk_table, shapes_trunk);
	same_settings(&announcement_table, shapes_announcement);
	same_settings(&assessment_table, shapes_assessment);
	same_settings(&rule_table, shapes_rule);
	same_settings(&block_table, shapes_block);
	for (int i = 0; i < SET_KINDS; i++)
		assert_string_equal(set_kind_names[i], policy_json_set_kinds[i]);
	assert_null(policy_json_set_kinds[SET_KINDS]);
}

/* ---- there and back ---- */

static struct policy *load(const char *text, size_t n)
{
	struct policy_diags d = {0};
	struct policy *p = NULL;

	(void)policy_load_mem("t", text, n, TODAY, &d, &p);
	policy_diags_free(&d);
	return p;
}

static struct policy *back(const char *json, size_t n)
{
	struct policy_json_error e = {"", ""};
	struct policy_json_where *where = NULL;
	struct policy *p;
	char *text = NULL;
	size_t len = 0;
	json_t *j = NULL;

	if (policy_json_read(json, n, &j, &e) || policy_json_text(j, &text, &len, &where, &e))
		fail_msg("%s: %s", e.pointer, e.reason);
	p = load(text, len);
	if (!p)
		fprintf(stderr, "%s", text);
	for (int line = 1; line < 5; line++)
		assert_non_null(policy_json_pointer(where, line));
	json_decref(j);
	policy_json_where_free(where);
	free(text);
	return p;
}

static void round_trip(const struct policy *p)
{
	json_t *j = policy_json_from(p);
	struct policy *q;
	char *json;

	assert_non_null(j);
	json = json_dumps(j, JSON_COMPACT);
	q = back(json, strlen(json));
	if (!q)
		fail_msg("does not come back: %s", json);
	if (strcmp(policy_hash(p), policy_hash(q)))
		fail_msg("another policy came back: %s", json);
	policy_free(q);
	free(json);
	json_decref(j);
}

static void all_settings_come_back(void **state)
{
	struct policy *p = load(all_settings, strlen(all_settings));

	(void)state;
	assert_non_null(p);
	round_trip(p);
	policy_free(p);
}

static unsigned come_back_from(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char path[512], *text;
		struct policy *p;
		size_t len;
		FILE *f;

		if (!strstr(e->d_name, ".policy"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		f = fopen(path, "re");
		text = calloc(1, 1 << 18);
		assert_non_null(f);
		len = fread(text, 1, 1 << 18, f);
		fclose(f);
		p = load(text, len);
		if (p) {
			round_trip(p);
			n++;
		}
		policy_free(p);
		free(text);
	}
	closedir(d);
	return n;
}

static void files_come_back(void **state)
{
	(void)state;
	assert_int_equal(come_back_from("policy/examples"), 10);
	assert_true(come_back_from("tests/golden/policy") > 20); /* most are bad on purpose */
}

/* ---- ten thousand that nobody wrote ---- */

static unsigned seed = 20261130;

static unsigned draw(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static bool maybe(void)
{
	return draw(2);
}

/* Whatever can stand between quotes. */
static const char *text(void)
{
	static const char *const parts[] = {
		"a",	"B7",  " ", "\\\"", "\\\\",  "#",	" # x",	    "@s",
		"=",	"{",   "}", ";",    ",",     "'",	"\xc3\xa6", "\xe6\x97\xa5",
		"rule", "yes", "/", "~",    "[rec]", "\\\\\\\""};
	static char out[8][256];
	static unsigned at;
	char *s = out[at++ % 8];

	strcpy(s, "t");
	for (unsigned i = draw(8); i; i--)
		strcat(s, parts[draw(sizeof(parts) / sizeof(parts[0]))]);
	return s;
}

static const char *span(int most)
{
	static const char *const units[] = {"s", "min", "h", "days"};
	static char out[4][32];
	static unsigned at;
	char *s = out[at++ % 4];

	snprintf(s, sizeof(out[0]), "%u %s", 1 + draw((unsigned)most), units[draw(4)]);
	return s;
}

static void put_criteria(FILE *f)
{
	static const char *const some[] = {" header X-A = \"b c\"\n",
					   " header X-B prefix b\n header X-C present\n",
					   " queue one-of @qs\n",
					   " queue = claims\n",
					   " agent present\n",
					   " time mon-fri 08:00-16:00, sat\n",
					   " time 22:00-02:00 except @hol\n",
					   " time @hol, sun 10:00-11:00\n",
					   " sip-domain c.example, *.d.example\n",
					   " direction inbound\n",
					   " tag vip, \"very important\"\n",
					   " trunk t\n",
					   " calling withheld, +45 9*\n",
					   " media codec PCMA, PCMU\n media encrypted no\n"};
	unsigned i = draw(sizeof(some) / sizeof(some[0]) * 2);

	if (i < sizeof(some) / sizeof(some[0]) && i != 12)
		fputs(some[i], f);
}

static void put_settings(FILE *f)
{
	if (maybe())
		fprintf(f, " min-length %u s\n", draw(20));
	if (maybe())
		fprintf(f, " max-length %u h\n", 1 + draw(5));
	if (maybe())
		fprintf(f, " reason \"%s\"\n", text());
	if (maybe())
		fprintf(f, " ticket \"%s\"\n", text());
	if (maybe())
		fprintf(f, " zstd %u\n", 1 + draw(19));
	if (maybe())
		fprintf(f, " disk-share %u.%u%%\n", draw(100), draw(10));
	if (maybe())
		fputs(" keys ring \"my ring\" bucket day\n", f);
	if (maybe())
		fprintf(f, " pause-key *5\n resume-key #5\n pause-max %s %s\n", span(10),
			maybe() ? "stop" : "resume");
	if (maybe())
		fprintf(f, " sensitive cpr basis \"databeskyttelsesloven %s\"\n pause api\n",
			text());
	if (maybe())
		fprintf(f, " notice-timeout %u min\n play-reason required min %u\n", 1 + draw(3),
			1 + draw(30));
	if (maybe())
		fputs(" alarm gap, quota\n record-hold-music no\n exclude-leg agent\n", f);
	if (maybe())
		fprintf(f, " decision-record %u years\n", 3 + draw(5));
}

static void put_training(FILE *f, bool consent)
{
	fprintf(f, " training { basis %s assessment amount\n", consent ? "consent" : "interest");
	if (consent) {
		fprintf(f, "  consent-key 1\n  withdraw-key 0%s\n", maybe() ? " any-time" : "");
		if (maybe())
			fprintf(f, "  window notice-start+%us to notice-end+%us%s\n", draw(9),
				1 + draw(100), maybe() ? " reopen agent" : "");
		if (maybe())
			fputs("  consent-source api\n  consent-source header X-Yes = \"1 2\"\n", f);
	} else {
		fputs("  opt-out key 9, #\n  opt-out agent api\n", f);
		if (maybe())
			fputs("  opt-out agent key *7\n  opt-out agent header X-Out\n", f);
	}
	fprintf(f, "  sample %u.%u%%\n  cap %u per day\n", draw(20), draw(10), 1 + draw(90));
	if (maybe())
		fprintf(f, "  cap %u per agent per month\n  cap %u per queue per week\n",
			1 + draw(9), 1 + draw(9));
	if (maybe())
		fprintf(f, "  use-target %u%% throttle 1.%02u floor %u\n", 1 + draw(99), draw(99),
			draw(9));
	if (maybe())
		fprintf(f, "  retention %u days\n  use-within %u days\n", 30 + draw(50),
			1 + draw(30));
	if (maybe())
		fprintf(f,
			"  dtmf rfc4733 info inband\n  spread first-come\n  sample-seed daily\n");
	fputs(" }\n roles training coach, \"two words\"\n", f);
}

static void put_rule(FILE *f, unsigned i)
{
	unsigned kind = draw(5); /* A1, B, C, E, F */
	bool doc = kind == 0 || kind > 2;
	static const char *const notice[] = {"a", "b", "c", "e", "f"};

	fprintf(f, "rule \"%u %s\" {\n controller c side called called +45 7010 %02u*\n", i, text(),
		i);
	put_criteria(f);
	fprintf(f, " owner \"%s\" review 2027-%02u-%02u notice n%s proof ", text(), 1 + draw(9),
		1 + draw(28), notice[kind]);
	fputs(maybe() ? "attested\n" : maybe() ? "api\n" : "header X-Played = \"y;s\"\n", f);
	put_settings(f);
	if (doc) {
		fputs(" documentation { basis interest assessment doc\n", f);
		if (maybe())
			fprintf(f, "  retention %u months\n  retention-reason \"%s\"\n",
				3 + draw(3), text());
		if (maybe())
			fprintf(f, "  review every %u days\n  not-needed key *4\n", 1 + draw(60));
		fputs(" }\n roles documentation legal\n", f);
	}
	if (kind)
		put_training(f, kind == 1 || kind == 3);
	fputs("}\n", f);
}

static void put_policy(FILE *f)
{
	static const char *const elements[][2] = {
		{"a", "rec doc link object access"},
		{"b", "rec train key:1 withdraw link access"},
		{"c", "rec train link access optout then optout-key:9 optout-key:#"},
		{"e", "rec doc train key:1 withdraw link object access"},
		{"f", "rec doc train link object access optout then optout-key:9"}};
	unsigned n = 1 + draw(5);

	fprintf(f,
		"controller c { name \"%s\" contact \"%s\" timezone Europe/Copenhagen languages da "
		"numbers @own, +45 8812 3450 }\n",
		text(), text());
	fputs("trunk t { vlan 7 address 192.0.2.0/24, 2001:db8::/32 country +45 national-digits 8 "
	      "queue-header X-Q agent-header X-A2 }\n"
	      "set qs queues { claims \"two words\" }\nset hol holidays { 2026-12-24 2026-12-25 "
	      "}\nset nr dynamic numbers\n"
	      "set own numbers { +45 7010*",
	      f);
	for (unsigned i = draw(9); i; i--)
		fprintf(f, ", +45 8812 3%03u-8812 4%03u", draw(1000), draw(1000));
	fputs(" }\n", f);
	for (size_t i = 0; i < 5; i++)
		fprintf(f,
			"announcement n%s { language da link https://c.example/calls elements %s "
			"text \"x %s\"%s }\n",
			elements[i][0], elements[i][1], maybe() ? "y" : "\\\\",
			maybe() ? " version 4 valid-from 2026-01-01 menu-keys 2, *3 keys-after 5 s" : "");
	fprintf(f,
		"assessment doc { kind documentation scope @own date 2026-01-02 review 2027-09-01 "
		"author \"%s\" no-other-way \"%s\"\n",
		text(), text());
	for (int i = 1; i <= 6; i++)
		fprintf(f, " factor %d %s \"%s\"\n", i,
			i == 1 || maybe() ? "relied-on" : "not-relied-on", text());
	fprintf(f,
		"}\nassessment amount { kind training-amount scope @own review 2027-09-01 "
		"without-consent \"%s\" }\n",
		text());
	if (maybe())
		fprintf(f, "defaults { notice-timeout 30 s mute-dtmf yes documentation { retention "
			   "2 months } }\n");
	if (maybe())
		fprintf(f, "never \"%s\" { calling @nr, withheld }\n", text());
	for (unsigned i = 0; i < n; i++)
		put_rule(f, i + 10);
}

static void random_ones_come_back(void **state)
{
	unsigned good = 0, bad = 0;

	(void)state;
	while (good < RANDOM) {
		char *s = NULL;
		size_t n = 0;
		FILE *f = open_memstream(&s, &n);
		struct policy *p;

		put_policy(f);
		fclose(f);
		p = load(s, n);
		if (p) {
			good++;
			round_trip(p);
		} else if (++bad > RANDOM) {
			struct policy_diags d = {0};

			(void)policy_load_mem("t", s, n, TODAY, &d, &p);
			policy_diag_print(stderr, &d.d[0]);
			fail_msg("only %u of %u are policies", good, good + bad);
		}
		policy_free(p);
		free(s);
	}
}

/* ---- what is refused, and where ---- */

static void refused(const char *json, size_t n, const char *pointer, const char *reason)
{
	struct policy_json_error e = {"?", "?"};
	struct policy_json_where *where = NULL;
	char *text_ = NULL;
	size_t len = 0;
	json_t *j = NULL;
	int err = policy_json_read(json, n, &j, &e);

	if (!err)
		err = policy_json_text(j, &text_, &len, &where, &e);
	json_decref(j);
	if (err != -EINVAL)
		fail_msg("taken: %.200s", json);
	if (strcmp(e.pointer, pointer) || !strstr(e.reason, reason))
		fail_msg("%.200s: '%s': '%s'", json, e.pointer, e.reason);
}

static void what_is_not_exactly_that_is_refused(void **state)
{
#define P "{\"optag-policy\":1,"
	static const char *const bad[][3] = {
		{"[]", "", "an object is expected, not an array"},
		{"{}", "/optag-policy", "the version"},
		{"{\"optag-policy\":2}", "/optag-policy", "the version"},
		{"{\"optag-policy\":\"1\"}", "/optag-policy", "the version"},
		{P "\"rule\":[]}", "/rule", "no such kind"},
		{P "\"rules\":{}}", "/rules", "an array is expected, not an object"},
		{P "\"rules\":[7]}", "/rules/0", "an object is expected, not a whole number"},
		{P "\"rules\":[{}]}", "/rules/0", "id is missing"},
		{P "\"rules\":[{\"id\":1}]}", "/rules/0/id", "a text is expected"},
		{P "\"rules\":[{\"id\":\"a\",\"retention\":\"3 months\"}]}", "/rules/0/retention",
		 "no such setting"},
		{P "\"rules\":[{\"id\":\"a\"},{\"id\":\"b\",\"a/b~c\":1}]}", "/rules/1/a~1b~0c",
		 "no such setting"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"retention\":3}}]}",
		 "/rules/0/training/retention", "a whole number and its unit"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"retention\":\"3 m\"}}]}",
		 "/rules/0/training/retention", "3 months"},
		{P
		 "\"rules\":[{\"id\":\"a\",\"training\":{\"retention\":\"3 months worm none\"}}]}",
		 "/rules/0/training/retention", "3 months"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"retention\":\"3 months\\nworm "
		   "none\"}}]}",
		 "/rules/0/training/retention", "control character"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":[]}]}", "/rules/0/training",
		 "an object is expected, not an array"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"sample\":2}}]}",
		 "/rules/0/training/sample", "a percentage"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"basis\":\"silence\"}}]}",
		 "/rules/0/training/basis", "one of consent|interest"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"cap\":{\"max\":1,\"per\":\"day\"}}}]}",
		 "/rules/0/training/cap", "an array is expected"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"cap\":[{\"max\":1,\"per\":\"year\"}]}}"
		   "]}",
		 "/rules/0/training/cap/0/per", "one of hour"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"cap\":[{\"max\":1.5,\"per\":\"day\"}]}"
		   "}]}",
		 "/rules/0/training/cap/0/max", "a whole number is expected, not a number"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"cap\":[{\"max\":1}]}}]}",
		 "/rules/0/training/cap/0", "do not go together"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"cap\":[{\"max\":1,\"per\":\"day\","
		   "\"x\":1}]}}]}",
		 "/rules/0/training/cap/0/x", "no such member"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"cap\":[{}]}}]}",
		 "/rules/0/training/cap/0", "empty"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"consent-key\":1}}]}",
		 "/rules/0/training/consent-key", "a key"},
		{P "\"rules\":[{\"id\":\"a\",\"training\":{\"consent-key\":\"1 # x\"}}]}",
		 "/rules/0/training/consent-key", "a key"},
		{P "\"rules\":[{\"id\":\"a\",\"mute-dtmf\":\"yes\"}]}", "/rules/0/mute-dtmf",
		 "true or false is expected"},
		{P "\"rules\":[{\"id\":\"a\",\"called\":[]}]}", "/rules/0/called", "empty"},
		{P "\"rules\":[{\"id\":\"a\",\"called\":\"+45701020\"}]}", "/rules/0/called",
		 "an array is expected"},
		{P "\"rules\":[{\"id\":\"a\",\"called\":[\"+45701020\",4570102030]}]}",
		 "/rules/0/called/1", "a number, as in"},
		{P "\"rules\":[{\"id\":\"a\",\"called\":[\"+45 7010 20*\"]}]}", "/rules/0/called/0",
		 "a number, as in"},
		{P "\"rules\":[{\"id\":\"a\",\"called\":[\"@a b\"]}]}", "/rules/0/called/0",
		 "a number, as in"},
		{P "\"rules\":[{\"id\":\"a\",\"queue\":{\"present\":false}}]}",
		 "/rules/0/queue/present", "true is all"},
		{P "\"rules\":[{\"id\":\"a\",\"time\":[\"mon-fri 8-16\"]}]}", "/rules/0/time/0",
		 "a time, as in"},
		{P "\"rules\":[{\"id\":\"a\",\"sensitive\":[{\"category\":\"cpr\",\"basis-x\":\"\"}"
		   "]}]}",
		 "/rules/0/sensitive/0/basis-x", "no such member"},
		{P "\"rules\":[{\"id\":\"a\",\"sensitive\":[{\"basis-training\":\"x\"}]}]}",
		 "/rules/0/sensitive/0", "category is missing"},
		{P "\"rules\":[{\"id\":\"a\",\"owner\":null}]}", "/rules/0/owner", "not null"},
		{P "\"rules\":[{\"id\":\"a\",\"owner\":{}}]}", "/rules/0/owner", "empty"},
		{P "\"defaults\":{\"id\":\"a\"}}", "/defaults/id", "no such setting"},
		{P "\"sets\":[{\"id\":\"a\"}]}", "/sets/0/kind", "numbers, trunks"},
		{P "\"sets\":[{\"id\":\"a\",\"kind\":\"people\"}]}", "/sets/0/kind",
		 "numbers, trunks"},
		{P "\"sets\":[{\"id\":\"a\",\"kind\":\"agents\",\"dynamic\":1}]}",
		 "/sets/0/dynamic", "true or false"},
		{P "\"sets\":[{\"id\":\"a\",\"kind\":\"agents\",\"members\":{}}]}",
		 "/sets/0/members", "an array"},
		{P "\"sets\":[{\"id\":\"a\",\"kind\":\"agents\",\"members\":[\"x\",[]]}]}",
		 "/sets/0/members/1", "a text is expected"},
		{P "\"sets\":[{\"id\":\"a\",\"kind\":\"agents\",\"file\":1}]}", "/sets/0/file",
		 "no such member"},
		/* as text: twice, cut, more, no UTF-8, too deep */
		{P "\"rules\":[{\"id\":\"a\",\"owner\":\"x\",\"owner\":\"y\"}]}", "/rules/0/owner",
		 "stands here twice"},
		{P "\"rules\":[],\"rules\":[]}", "/rules", "stands here twice"},
		{P "\"rules\":[{\"id\":\"a\"", "/rules/0/id", "ends in the middle"},
		{P "\"rules\":[]}}", "", "something follows"},
		{P "\"rules\":[{\"id\":\"\xff\"}]}", "/rules/0/id", "not UTF-8"},
		{P "\"rules\":[{\"id\":\"\xc0\xaf\"}]}", "/rules/0/id", "not UTF-8"},
		{P "\"rules\":[{\"id\":\"a\\u0000b\"}]}", "/rules/0/id", "control character"},
		{P "\"rules\":[{\"id\":\"a\\u000ab\"}]}", "/rules/0/id", "control character"},
		{P "\"rules\":[{\"id\":nul}]}", "/rules/0/id", "no JSON"},
		{P "\"rules\":[99999999999999999999]}", "/rules/0", "too large"},
		{P "\"rules\":[[[[[[[[[[[[]]]]]]]]]]]]}", "/rules/0/0/0/0/0/0/0", "nested deeper"},
		{"", "", "ends in the middle"},
		{"{\"a\":1,}", "", "no JSON"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i][0], strlen(bad[i][0]), bad[i][1], bad[i][2]);
}

static void hostile_sizes_are_refused(void **state)
{
	size_t n = 3u << 20;
	char *s = malloc(n);

	(void)state;
	memset(s, '[', n);
	refused(s, n, "/0/0/0/0/0/0/0/0", "nested deeper");
	for (size_t i = 0; i + 3 <= n; i += 3)
		memcpy(s + i, i ? "[]," : "[1,", 3);
	refused(s, 3 * 999999, "/999999", "ends in the middle"); /* a million containers are read */
	refused(s, n, "/1000000", "more than a million");
	refused(s, POLICY_JSON_BYTES_MAX + 1u, "", "larger than 64 MiB"); /* looked at no byte */
	free(s);
}

/* Cut anywhere, or one byte changed: refused, or the same as text that loads or does not; never
 * more. */
static void damaged_ones_do_no_harm(void **state)
{
	struct policy *p = load(all_settings, strlen(all_settings));
	json_t *j = policy_json_from(p);
	char *json = json_dumps(j, 0), *text_;
	struct policy_json_where *where;
	struct policy_json_error e;
	size_t n = strlen(json), len;

	(void)state;
	for (size_t i = 0; i < n; i += 3) {
		char was = json[i];
		json_t *k = NULL;

		assert_int_equal(policy_json_read(json, i, &k, &e), -EINVAL);
		assert_true(strlen(e.reason) > 5);
		json[i] = "\"{[1x\\,:"[draw(8)];
		if (!policy_json_read(json, n, &k, &e)) {
			if (!policy_json_text(k, &text_, &len, &where, &e)) {
				policy_free(load(text_, len));
				policy_json_where_free(where);
				free(text_);
			}
			json_decref(k);
		}
		json[i] = was;
	}
	free(json);
	json_decref(j);
	policy_free(p);
}

/* A diagnostic of the text leads back to the member. */
static void lines_lead_back(void **state)
{
	static const char json[] = P "\"rules\":[{\"id\":\"a\",\"training\":{\"basis\":\"consent\","
				     "\"retention\":\"9 months\"}}]}";
	struct policy_json_where *where = NULL;
	struct policy_json_error e;
	char *text_ = NULL;
	size_t n = 0;
	json_t *j = NULL;

	(void)state;
	assert_int_equal(policy_json_read(json, strlen(json), &j, &e), 0);
	assert_int_equal(policy_json_text(j, &text_, &n, &where, &e), 0);
	assert_string_equal(
		text_,
		"rule \"a\" {\n\ttraining {\n\t\tbasis consent\n\t\tretention 9 months\n\t}\n}\n");
	assert_string_equal(policy_json_pointer(where, 1), "/rules/0");
	assert_string_equal(policy_json_pointer(where, 2), "/rules/0/training");
	assert_string_equal(policy_json_pointer(where, 4), "/rules/0/training/retention");
	assert_string_equal(policy_json_pointer(where, 99), "");
	json_decref(j);
	policy_json_where_free(where);
	free(text_);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_setting_has_a_shape),
		cmocka_unit_test(all_settings_come_back),
		cmocka_unit_test(files_come_back),
		cmocka_unit_test(random_ones_come_back),
		cmocka_unit_test(what_is_not_exactly_that_is_refused),
		cmocka_unit_test(hostile_sizes_are_refused),
		cmocka_unit_test(damaged_ones_do_no_harm),
		cmocka_unit_test(lines_lead_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
