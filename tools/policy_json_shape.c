/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_json_shape.c - the table of shapes, and what a value of each kind looks like
 *
 * Settings are those of policy/tables.c; a test holds the two together. What
 * stands here is spelling only: whether a value makes sense, the linter says.
 */
#include <regex.h>
#include <string.h>

#include "policy/lex.h"
#include "policy_json_internal.h"

const struct shape shapes_controller[] = {
	{"name", {":t"}, false},     {"cvr", {":w"}, false},	    {"contact", {":t"}, false},
	{"timezone", {":w"}, false}, {"languages", {":w,"}, false}, {"numbers", {":n,"}, false},
	{"trunks", {":w,"}, false},  {"key-ring", {":w"}, false},   {"roles", {":w,"}, false},
	{"lab", {":b"}, false},	     {NULL, {NULL}, false},
};

const struct shape shapes_trunk[] = {
	{"interface", {":w"}, false},
	{"vlan", {":i"}, false},
	{"address", {":w,"}, false},
	{"port", {":i"}, false},
	{"transport", {":any|udp|tcp"}, false},
	{"dedicated", {":b"}, false},
	{"country", {":w"}, false},
	{"international-prefix", {":w"}, false},
	{"national-prefix", {":w"}, false},
	{"national-digits", {":w"}, false},
	{"queue-header", {":w"}, false},
	{"agent-header", {":w"}, false},
	{"correlate-header", {":w"}, false},
	{"identity", {":asserted|from"}, false},
	{NULL, {NULL}, false},
};

const struct shape shapes_announcement[] = {
	{"language", {":w"}, false},
	{"version", {":w"}, false},
	{"link", {":w"}, false},
	{"link-is-specific", {":b"}, false},
	{"elements", {":e*"}, false},
	{"text", {"'file' file:w", ":t"}, false},
	{"audio", {"'file' file:w,"}, false},
	{"valid-from", {":d"}, false},
	{"valid-until", {":d"}, false},
	{"menu-keys", {":k,"}, false},
	{"keys-after", {":s"}, false},
	{NULL, {NULL}, false},
};

const struct shape shapes_assessment[] = {
	{"kind", {":documentation|training-amount|special|retention|sensitive"}, false},
	{"scope", {":S,"}, false},
	{"file", {":w"}, false},
	{"date", {":d"}, false},
	{"review", {":d"}, false},
	{"author", {":w"}, false},
	{"approver", {":w"}, false},
	{"second-approver", {":w"}, false},
	{"outcome", {":w"}, false},
	{"no-other-way", {":t"}, false},
	{"factor", {"number:i answer:relied-on|not-relied-on|not-applicable text:t"}, true},
	{"without-consent", {":t"}, false},
	{NULL, {NULL}, false},
};

const struct shape shapes_block[] = {
	{"basis", {":consent|interest", "'obligation' obligation:t"}, false},
	{"assessment", {":w"}, false},
	{"special-circumstances",
	 {"ground:t 'assessment' assessment:w", "ground:t", "'assessment' assessment:w"},
	 false},
	{"consent-key", {":k"}, false},
	{"consent-source", {":api", "'header' header:w '=' value:w"}, true},
	{"withdraw-key", {":k", "key:k any-time:!"}, false},
	{"opt-out",
	 {"'key' key:k,", "'agent' 'key' agent-key:k,", "'agent' agent:api",
	  "'agent' 'header' agent-header:w '=' value:w", "'agent' 'header' agent-header:w"},
	 true},
	{"on-opt-out", {":stop", "'callback-unrecorded' callback-unrecorded:s"}, false},
	{"on-objection", {":continue-restricted|pause|stop"}, false},
	{"window", {"from:o 'to' to:o", "from:o 'to' to:o 'reopen' reopen:agent"}, false},
	{"leg", {":subject"}, false},
	{"dtmf", {":rfc4733|info|inband*"}, false},
	{"pre-decision", {":block|inspect|hold"}, false},
	{"training-from", {":call|press"}, false},
	{"on-loss", {":deny|keep"}, false},
	{"sample", {":p"}, false},
	{"cap",
	 {"max:i 'per' per:hour|day|week|month",
	  "max:i 'per' of:queue|agent 'per' per:hour|day|week|month"},
	 true},
	{"spread", {":even|first-come"}, false},
	{"sample-seed", {":daily"}, false},
	{"use-within", {":s"}, false},
	{"use-target",
	 {":p", "target:p 'throttle' throttle:f", "target:p 'floor' floor:i",
	  "target:p 'throttle' throttle:f 'floor' floor:i"},
	 false},
	{"retention", {":s"}, false},
	{"retention-reason",
	 {":t", "reason:t 'assessment' assessment:w", "'assessment' assessment:w"},
	 false},
	{"review", {"'every' every:s"}, false},
	{"not-needed", {":b", ":api", "'key' key:k"}, false},
	{"worm", {":none", "'immutable-until' immutable-until:deadline"}, false},
	{"commit", {":at-grant|at-end"}, false},
	{NULL, {NULL}, false},
};

#define BY_HEADER "'=' equals:w", "'prefix' prefix:w", "'one-of' one-of:S", "present:!"
const struct shape shapes_rule[] = {
	{"controller", {"name:w 'side' side:called|calling"}, false},
	{"called", {":n,"}, false},
	{"calling", {":n,"}, false},
	{"trunk", {":w,"}, false},
	{"sip-domain", {":w,"}, false},
	{"header",
	 {"header:w '=' equals:w", "header:w 'prefix' prefix:w", "header:w 'one-of' one-of:S",
	  "header:w present:!"},
	 true},
	{"queue", {BY_HEADER}, false},
	{"agent", {BY_HEADER}, false},
	{"direction", {":any|inbound|outbound"}, false},
	{"time", {":T,", "times:T, 'except' except:S"}, false},
	{"media", {"'codec' codec:w,", "'encrypted' encrypted:b"}, true},
	{"tag", {":w,"}, false},
	{"owner", {":w"}, false},
	{"review", {":d"}, false},
	{"on-review-missed", {":off|consent|keep"}, false},
	{"reason", {":t"}, false},
	{"ticket", {":w"}, false},
	{"notice", {":w,"}, false},
	{"notice-proof", {":fingerprint|api|attested", "'header' header:w '=' value:w"}, false},
	{"notice-timeout", {":s"}, false},
	{"on-missing-notice", {":quarantine|discard|keep", "'quarantine' quarantine:s"}, false},
	{"sms", {":w", "template:w 'timeout' timeout:s"}, false},
	{"documentation", {NULL}, false}, /* a block */
	{"training", {NULL}, false},
	{"sensitive",
	 {"category:w", "category:w 'basis' basis:t"}, /* and a block */
	 true},
	{"pause-key", {":k"}, false},
	{"resume-key", {":k"}, false},
	{"pause", {":api", "'header' header:w '=' value:w", "'header' header:w"}, true},
	{"pause-max", {":s", "max:s then:resume|stop"}, false},
	{"mute-dtmf", {":b"}, false},
	{"record-hold-music", {":b"}, false},
	{"exclude-leg", {":none|subject|agent"}, false},
	{"early-media", {":b"}, false},
	{"min-length", {":s"}, false},
	{"max-length", {":s"}, false},
	{"max-concurrent", {":i"}, false},
	{"disk-share", {":p"}, false},
	{"roles", {"purpose:documentation|training names:w,"}, true},
	{"play-reason", {":required|optional", "reason:required|optional 'min' min:i"}, false},
	{"zstd", {":i"}, false},
	{"keys",
	 {"'per-leg' per-leg:b", "'ring' ring:w", "'bucket' bucket:day",
	  "'per-leg' per-leg:b 'ring' ring:w", "'per-leg' per-leg:b 'bucket' bucket:day",
	  "'ring' ring:w 'bucket' bucket:day",
	  "'per-leg' per-leg:b 'ring' ring:w 'bucket' bucket:day"},
	 false},
	{"decision-record", {":s"}, false},
	{"alarm", {":w,"}, false},
	{NULL, {NULL}, false},
};

const struct kind_of policy_json_kinds[] = {
	{"controllers", "controller", shapes_controller, false},
	{"trunks", "trunk", shapes_trunk, false},
	{"sets", "set", NULL, false},
	{"announcements", "announcement", shapes_announcement, false},
	{"assessments", "assessment", shapes_assessment, false},
	{"defaults", "defaults", shapes_rule, false},
	{"nevers", "never", shapes_rule, true},
	{"rules", "rule", shapes_rule, true},
	{NULL, NULL, NULL, false},
};
const char *const policy_json_set_kinds[] = {"numbers", "trunks",   "agents",
					     "queues",	"holidays", NULL};

/* ---- reading a shape ---- */

size_t shape_items(const char *way, struct item *out)
{
	size_t n = 0;

	while (*way && n < ITEMS_MAX) {
		size_t len = strcspn(way, " ");
		struct item it = {0};

		if (*way == '\'') {
			it.lit = way + 1;
			it.nlit = len - 2;
		} else {
			it.name = way;
			it.nname = strcspn(way, ":");
			it.kind = way + it.nname + 1;
			it.nkind = len - it.nname - 1;
			if (it.kind[it.nkind - 1] == ',' || it.kind[it.nkind - 1] == '*')
				it.list = it.kind[--it.nkind];
		}
		out[n++] = it;
		way += len;
		way += strspn(way, " ");
	}
	return n;
}

const struct shape *shape_find(const struct shape *s, const char *name, size_t n)
{
	for (; s->name; s++)
		if (strlen(s->name) == n && !memcmp(s->name, name, n))
			return s;
	return NULL;
}

bool way_is_object(const struct item *it, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!it[i].lit && !it[i].nname)
			return false;
	return true;
}

bool kind_is_words(const struct item *it)
{
	return it->nkind > 1;
}

static bool one_of(const struct item *it, const char *s)
{
	const char *w = it->kind, *end = it->kind + it->nkind;
	size_t len = strlen(s);

	while (w < end) {
		size_t n = strcspn(w, "|,* ");

		if (w + n > end)
			n = (size_t)(end - w);
		if (n == len && !memcmp(w, s, n))
			return true;
		w += n + 1;
	}
	return false;
}

/* ---- kinds ---- */

#define DAY  "(mon|tue|wed|thu|fri|sat|sun)"
#define DAYS DAY "(-" DAY ")?"
#define HOUR "[0-2][0-9]:[0-5][0-9]"
#define KEY  "[0-9*#A-D]{1,6}"
#define SET  "@[^{};,\" ]+" /* understood alike by POSIX and by ECMA-262 */

static const struct {
	char kind;
	const char *pattern, *name;
} kinds[] = {
	{'s', "^(0|[1-9][0-9]*) (s|min|h|days|months|years)$",
	 "a whole number and its unit, as in \"3 months\""},
	{'p', "^[0-9]{1,3}([.][0-9])?%$", "a percentage, as in \"2.5%\""},
	{'d', "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "a date, as in \"2027-02-28\""},
	{'k', "^" KEY "$", "a key, one to six of 0-9 * # A-D"},
	{'n', "^(withheld|" SET "|[+][0-9]{1,15}([*]|-[0-9]{1,15})?)$",
	 "a number, as in \"+4570102030\", \"+45701020*\" or \"@set\""},
	{'S', "^" SET "$", "a set, as in \"@name\""},
	{'o', "^(notice-start|notice-end|answer)[+][0-9]{1,5}s$",
	 "a point in time, as in \"notice-end+10s\""},
	{'f', "^[0-9]{1,3}[.][0-9]{2}$", "a factor, as in \"1.25\""},
	{'T', "^(" SET "|" DAYS "( " HOUR "-" HOUR ")?|" HOUR "-" HOUR ")$",
	 "a time, as in \"mon-fri 08:00-16:00\""},
	{'e', "^[a-z-]+(:" KEY ")?$", "an element, as in \"rec\" or \"key:1\""},
	{'w', NULL, "a text"},
	{'t', NULL, "a text"},
	{'i', NULL, "a whole number"},
	{'b', NULL, "true or false"},
	{'!', NULL, "true"},
};
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t kind_index(char kind)
{
	size_t i = 0;

	while (i < NKINDS - 1 && kinds[i].kind != kind)
		i++;
	return i;
}

const char *kind_pattern(char kind)
{
	return kinds[kind_index(kind)].pattern;
}

const char *kind_name(const struct item *it)
{
	return kind_is_words(it) ? "one of the words that can stand here"
				 : kinds[kind_index(*it->kind)].name;
}

/* Compiled once; one thread. */
static bool matches(size_t i, const char *s)
{
	static regex_t re[NKINDS];
	static bool have[NKINDS];

	if (!have[i] && regcomp(&re[i], kinds[i].pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	have[i] = true;
	return regexec(&re[i], s, 0, NULL, 0) == 0;
}

bool kind_ok(const struct item *it, const char *s)
{
	size_t i = kind_index(*it->kind);

	if (kind_is_words(it))
		return one_of(it, s);
	if (strlen(s) > 4096)
		return false;
	if (!kinds[i].pattern)
		return true;
	/* what a set is called must be one word of the policy language, whatever the locale takes
	 * for a letter */
	if (*s == '@' && !lex_is_word(s + 1))
		return false;
	return matches(i, s);
}
