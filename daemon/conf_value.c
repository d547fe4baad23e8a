/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_value.c - the values of optagd.conf: read, printed, compared by kind
 *
 * A unit is always required and nothing is guessed: "64" is no size, "60" no
 * time. Printing picks the largest unit that divides, so that what is printed
 * reads back to the same value.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "conf_internal.h"
#include "base/clock.h"

struct unit {
	const char *name;
	uint64_t n;
};

/* Largest first. */
static const struct unit byte_units[] = { { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "bytes", 1 } };
static const struct unit time_units[] = {
	{ "h", 3600 * NS_PER_S }, { "min", 60 * NS_PER_S }, { "s", NS_PER_S }, { "ms", NS_PER_MS }
};
#define NUNITS 4

static const struct {
	const char *name;
	enum log_level level;
} levels[] = {
	{ "error", LOG_L_ERR }, { "warning", LOG_L_WARN }, { "notice", LOG_L_NOTICE }, { "info", LOG_L_INFO },
	{ "debug", LOG_L_DEBUG },
};
static const char *const level_names[] = { "error", "warning", "notice", "info", "debug", NULL };
static const char *const yesno[] = { "no", "yes", NULL };

static bool number(const char *s, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	if (n == 0 || n > 12 || (n > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*ret = v;
	return true;
}

static size_t largest(const struct unit *u, uint64_t v)
{
	for (size_t i = 0; i < NUNITS; i++)
		if (v % u[i].n == 0)
			return i;
	return NUNITS - 1;
}

static void with_unit(char *out, size_t size, const struct unit *u, uint64_t v)
{
	size_t i = largest(u, v);

	snprintf(out, size, "%" PRIu64 " %s", v / u[i].n, u[i].name);
}

/* ---- reading ---- */

static int read_word(struct conf_reader *r, const struct conf_setting *s, const char *const *words, int *ret)
{
	struct token t = conf_peek(r);
	char list[128] = "", fix[192];
	size_t n = 0;
	int i;

	for (i = 0; words[i]; i++) {
		if (conf_is(&t, words[i])) {
			conf_next(r);
			*ret = i;
			return 0;
		}
		if (n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", words[i]);
	}
	snprintf(fix, sizeof(fix), "write one of: %s.", list);
	if (t.type != T_WORD)
		return conf_expected(r, &t, "a word", fix);
	i = did_you_mean(t.s, t.n, words);
	if (i >= 0)
		return conf_wrong(r, t.at, "C-03", fix, "'%s' cannot be '%.*s'; did you mean '%s'?", s->name, (int)t.n,
				  t.s, words[i]);
	return conf_wrong(r, t.at, "C-03", fix, "'%s' cannot be this.", s->name);
}

/* "64 MiB" or "64MiB": value and unit; *ret_at is where it stood. */
static int read_quantity(struct conf_reader *r, const struct unit *units, const char *what, const char *fix,
			 uint64_t *ret, struct pos *ret_at)
{
	struct token t = conf_peek(r), u;
	size_t digits = 0;
	uint64_t v;

	while (t.type == T_WORD && digits < t.n && t.s[digits] >= '0' && t.s[digits] <= '9')
		digits++;
	if (t.type != T_WORD || !number(t.s, digits, &v))
		return conf_expected(r, &t, what, fix);
	*ret_at = t.at;
	conf_next(r);
	u = t;
	u.s += digits;
	u.n -= digits;
	if (u.n == 0)
		u = conf_peek(r);
	for (size_t i = 0; i < NUNITS; i++) {
		if (u.type != T_WORD || !conf_is(&u, units[i].name))
			continue;
		if (digits == t.n)
			conf_next(r);
		if (__builtin_mul_overflow(v, units[i].n, ret))
			*ret = UINT64_MAX;
		return 0;
	}
	return conf_wrong(r, t.at, "C-03", fix, "'%s' needs a unit after the number.", r->setting);
}

static int out_of_range(struct conf_reader *r, struct pos at, const struct conf_setting *s, const struct unit *u)
{
	char lo[40], hi[40];

	with_unit(lo, sizeof(lo), u, s->min);
	with_unit(hi, sizeof(hi), u, s->max);
	return conf_wrong(r, at, "C-03", NULL, "'%s' is from %s to %s.", s->name, lo, hi);
}

static bool is_power(uint64_t v)
{
	return v && (v & (v - 1)) == 0;
}

static int read_bytes(struct conf_reader *r, const struct conf_setting *s, uint64_t *ret)
{
	struct pos at = { 0 };
	uint64_t v = 0;
	int e = read_quantity(r, byte_units, "a size", "write a power of two with its unit, such as 64 MiB.", &v, &at);

	if (e)
		return e;
	if (v < s->min || v > s->max)
		return out_of_range(r, at, s, byte_units);
	if (!is_power(v))
		return conf_wrong(r, at, "C-03", "write 1, 2, 4, 8 ... KiB or MiB.", "'%s' is a power of two.", s->name);
	*ret = v;
	return 0;
}

static int read_span(struct conf_reader *r, const struct conf_setting *s, uint64_t *ret)
{
	struct pos at = { 0 };
	uint64_t v = 0;
	int e = read_quantity(r, time_units, "a length of time", "write it with its unit: 500 ms, 60 s, 30 min, 2 h.", &v,
			      &at);

	if (e)
		return e;
	if (v < s->min || v > s->max)
		return out_of_range(r, at, s, time_units);
	*ret = v;
	return 0;
}

static int read_count(struct conf_reader *r, const struct conf_setting *s, uint32_t *ret)
{
	struct token t = conf_peek(r);
	uint64_t v;

	if (t.type != T_WORD || !number(t.s, t.n, &v) || v < s->min || v > s->max) {
		char what[96];

		snprintf(what, sizeof(what), "a whole number from %" PRIu64 " to %" PRIu64, s->min, s->max);
		return conf_expected(r, &t, what, NULL);
	}
	if (s->kind == CK_POWER && !is_power(v))
		return conf_wrong(r, t.at, "C-03", "write 1024, 2048, 4096 ...", "'%s' is a power of two.", s->name);
	conf_next(r);
	*ret = (uint32_t)v;
	return 0;
}

int conf_text(struct conf_reader *r, const char *what, const char *fix, char *out, size_t size)
{
	struct token t = conf_peek(r);
	size_t n = 0;

	if (t.type != T_WORD && t.type != T_STRING)
		return conf_expected(r, &t, what, fix);
	if (t.n == 0)
		return conf_wrong(r, t.at, "C-03", fix, "'%s' is empty.", r->setting);
	for (size_t i = 0; i < t.n; i++) {
		if (t.type == T_STRING && t.s[i] == '\\' && i + 1 < t.n && (t.s[i + 1] == '"' || t.s[i + 1] == '\\'))
			i++;
		if (n + 1 >= size)
			return conf_wrong(r, t.at, "C-03", NULL, "'%s' has at most %zu bytes.", r->setting, size - 1);
		out[n++] = t.s[i];
	}
	conf_next(r);
	memset(out + n, 0, size - n); /* the rest too: values are compared as memory */
	return 0;
}

static int read_path(struct conf_reader *r, const struct conf_setting *s, char *out)
{
	struct pos at = conf_peek(r).at;
	char text[CONF_PATH] = "";
	int e = conf_text(r, "a path", "write an absolute path.", text, s->size);

	if (e)
		return e;
	if (text[0] != '/')
		return conf_wrong(r, at, "C-03", "write the path from / on: the daemon has no working directory.",
				  "'%s' is not an absolute path.", s->name);
	memcpy(out, text, s->size);
	return 0;
}

/* As useradd(8) takes them; a number would be looked up as a name and not be found. */
static int read_name(struct conf_reader *r, const struct conf_setting *s, char *out)
{
	struct pos at = conf_peek(r).at;
	char text[CONF_NAME] = "";
	int e = conf_text(r, "a name", NULL, text, s->size);

	if (e)
		return e;
	if (strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789-") != strlen(text) || strchr("0123456789-", text[0]))
		return conf_wrong(r, at, "C-03", "write the name as getent(1) shows it.", "'%s' is not the name of a user or group.",
				  s->name);
	memcpy(out, text, s->size);
	return 0;
}

static bool comma(struct conf_reader *r)
{
	if (conf_peek(r).type != T_COMMA)
		return false;
	conf_next(r);
	while (conf_peek(r).type == T_NL) /* after a comma the list goes on, if need be on the next line */
		conf_next(r);
	return true;
}

static int read_ports(struct conf_reader *r, uint16_t *ret)
{
	uint16_t list[CONF_SIP_PORTS + 1] = { 0 };
	size_t n = 0;

	do {
		struct token t = conf_peek(r);
		uint64_t v;

		if (t.type != T_WORD || !number(t.s, t.n, &v) || v < 1 || v > 65535)
			return conf_expected(r, &t, "a port from 1 to 65535", NULL);
		for (size_t i = 0; i < n; i++)
			if (list[i] == v)
				return conf_wrong(r, t.at, "C-04", "remove one.", "this port stands here twice.");
		if (n == CONF_SIP_PORTS)
			return conf_wrong(r, t.at, "C-03", "SIP is also known by its text: name the busiest.",
					  "'sip-ports' takes %d ports at most.", CONF_SIP_PORTS);
		list[n++] = (uint16_t)v;
		conf_next(r);
	} while (comma(r));
	memcpy(ret, list, sizeof(list));
	return 0;
}

static int read_endpoint(struct conf_reader *r, struct endpoint *ret)
{
	static const char fix[] = "write ADDRESS:PORT, [IPV6]:PORT, or off.";
	struct token t = conf_peek(r);
	const char *colon;
	uint64_t port;
	struct ipaddr a;
	size_t n;

	if (conf_is(&t, "off")) {
		conf_next(r);
		memset(ret, 0, sizeof(*ret));
		return 0;
	}
	if (t.type != T_WORD)
		return conf_expected(r, &t, "an address", fix);
	colon = memrchr(t.s, ':', t.n);
	n = colon ? (size_t)(colon - t.s) : 0;
	if (!colon || !number(colon + 1, t.n - n - 1, &port) || port < 1 || port > 65535 ||
	    (memchr(t.s, ':', n) && t.s[0] != '[') || ipaddr_parse(t.s, n, &a))
		return conf_wrong(r, t.at, "C-03", fix, "this is not an address with a port.");
	conf_next(r);
	memset(ret, 0, sizeof(*ret));
	ret->addr = a;
	ret->port = (uint16_t)port;
	return 0;
}

static int read_cpus(struct conf_reader *r, uint8_t *ret)
{
	uint8_t set[CONF_CPUS / 8] = { 0 };
	struct token t = conf_peek(r);

	if (conf_is(&t, "all")) {
		conf_next(r);
		memset(ret, 0, sizeof(set));
		return 0;
	}
	do {
		const char *dash;
		uint64_t lo, hi;

		t = conf_peek(r);
		dash = t.type == T_WORD ? memchr(t.s, '-', t.n) : NULL;
		if (t.type != T_WORD || !number(t.s, dash ? (size_t)(dash - t.s) : t.n, &lo) ||
		    !number(dash ? dash + 1 : t.s, dash ? t.n - (size_t)(dash + 1 - t.s) : t.n, &hi) || lo > hi ||
		    hi >= CONF_CPUS)
			return conf_expected(r, &t, "numbers of CPUs", "write them as 2, 4-7, or all.");
		for (; lo <= hi; lo++)
			set[lo / 8] |= (uint8_t)(1 << lo % 8);
		conf_next(r);
	} while (comma(r));
	memcpy(ret, set, sizeof(set));
	return 0;
}

int conf_value(struct conf_reader *r, const struct conf_setting *s, void *obj)
{
	char *at = (char *)obj + s->off;
	int v = 0, e;

	switch (s->kind) {
	case CK_YESNO:
		e = read_word(r, s, yesno, &v);
		if (!e)
			*(bool *)at = v != 0;
		return e;
	case CK_ENUM:
		e = read_word(r, s, s->words, &v);
		if (!e)
			memcpy(at, &v, sizeof(v));
		return e;
	case CK_LEVEL:
		e = read_word(r, s, level_names, &v);
		if (!e)
			memcpy(at, &levels[v].level, sizeof(levels[v].level));
		return e;
	case CK_COUNT:
	case CK_POWER:
		return read_count(r, s, (uint32_t *)(void *)at);
	case CK_BYTES:
		return read_bytes(r, s, (uint64_t *)(void *)at);
	case CK_SPAN:
		return read_span(r, s, (uint64_t *)(void *)at);
	case CK_PATH:
		return read_path(r, s, at);
	case CK_NAME:
		return read_name(r, s, at);
	case CK_PORTS:
		return read_ports(r, (uint16_t *)(void *)at);
	case CK_ENDPOINT:
		return read_endpoint(r, (struct endpoint *)(void *)at);
	case CK_CPUS:
		return read_cpus(r, (uint8_t *)at);
	}
	return -EINVAL;
}

/* ---- printing ---- */

void conf_text_print(FILE *f, const char *s)
{
	if (lex_is_word(s)) {
		fputs(s, f);
		return;
	}
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

static void print_cpus(FILE *f, const uint8_t *set)
{
	const char *sep = "";

	for (unsigned i = 0, j; i < CONF_CPUS; i++) {
		if (!(set[i / 8] >> i % 8 & 1))
			continue;
		for (j = i; j + 1 < CONF_CPUS && set[(j + 1) / 8] >> (j + 1) % 8 & 1; j++)
			;
		fprintf(f, j > i ? "%s%u-%u" : "%s%u", sep, i, j);
		sep = ", ";
		i = j;
	}
	if (!*sep)
		fputs("all", f);
}

static void print_endpoint(FILE *f, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT];

	if (e->port == 0) {
		fputs("off", f);
		return;
	}
	endpoint_format(e, text);
	fputs(text, f);
}

static void print_level(FILE *f, enum log_level l)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (levels[i].level == l)
			fputs(levels[i].name, f);
}

static void print_ports(FILE *f, const uint16_t *p)
{
	for (const char *sep = ""; *p; p++, sep = ", ")
		fprintf(f, "%s%u", sep, *p);
}

void conf_value_print(FILE *f, const struct conf_setting *s, const void *obj)
{
	const void *at = (const char *)obj + s->off;
	char text[40];

	switch (s->kind) {
	case CK_YESNO:
		fputs(yesno[*(const bool *)at], f);
		break;
	case CK_ENUM:
		fputs(s->words[*(const int *)at], f);
		break;
	case CK_LEVEL:
		print_level(f, *(const enum log_level *)at);
		break;
	case CK_COUNT:
	case CK_POWER:
		fprintf(f, "%" PRIu32, *(const uint32_t *)at);
		break;
	case CK_BYTES:
	case CK_SPAN:
		with_unit(text, sizeof(text), s->kind == CK_BYTES ? byte_units : time_units, *(const uint64_t *)at);
		fputs(text, f);
		break;
	case CK_PATH:
	case CK_NAME:
		conf_text_print(f, at);
		break;
	case CK_PORTS:
		print_ports(f, at);
		break;
	case CK_ENDPOINT:
		print_endpoint(f, at);
		break;
	case CK_CPUS:
		print_cpus(f, at);
		break;
	}
}

bool conf_value_equal(const struct conf_setting *s, const void *a, const void *b)
{
	return memcmp((const char *)a + s->off, (const char *)b + s->off, s->size) == 0;
}
