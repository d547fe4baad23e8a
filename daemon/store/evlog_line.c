/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_line.c - a line of the evidence log: writing it, and reading any bytes as one
 *
 * A line has one spelling. The reader takes fields in their order, checks the event as the writer
 * does, writes it again and compares: nothing that a writer would not write is accepted, so a link
 * stands for one meaning. Pure functions, any thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include "store/evlog_internal.h"

/* ---- time: proleptic Gregorian, years from March so that a leap day comes last ---- */

static void civil(int32_t day, unsigned *y, unsigned *m, unsigned *d)
{
	unsigned z = (unsigned)day + 719468, era = z / 146097, doe = z - era * 146097;
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

static int32_t days_of(unsigned y, unsigned m, unsigned d)
{
	unsigned era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return (int32_t)(era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

int32_t evlog_day(uint64_t ns)
{
	return (int32_t)(ns / NS_PER_S / EVLOG_DAY_S);
}

void evlog_day_text(int32_t day, char out[16])
{
	unsigned y, m, d;

	civil(day, &y, &m, &d);
	snprintf(out, 16, "%04u-%02u-%02u", y % 10000, m % 100, d % 100);
}

void evlog_day_name(int32_t day, const char *ext, char out[64])
{
	char text[16];

	evlog_day_text(day, text);
	snprintf(out, 64, EVLOG_DIR "/%s.%s", text, ext);
}

/* n digits; -1 when one is none. */
static int digits(const char *s, unsigned n)
{
	int v = 0;

	for (; n; n--, s++) {
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s - '0');
	}
	return v;
}

/* Ten bytes. */
static int parse_day(const char *s, int32_t *ret)
{
	int y = digits(s, 4), m = digits(s + 5, 2), d = digits(s + 8, 2);

	if (s[4] != '-' || s[7] != '-' || y < 1970 || m < 1 || m > 12 || d < 1 || d > 31)
		return -EINVAL;
	*ret = days_of((unsigned)y, (unsigned)m, (unsigned)d);
	return 0;
}

int evlog_day_parse(const char *s, int32_t *ret)
{
	char again[16];
	int32_t day;

	if (strnlen(s, 11) != 10 || parse_day(s, &day))
		return -EINVAL;
	evlog_day_text(day, again);
	if (strcmp(s, again) != 0) /* 31 February */
		return -EINVAL;
	*ret = day;
	return 0;
}

#define TIME_TEXT 30 /* "2026-11-24T10:00:00.123456789Z" */

static void time_text(uint64_t ns, char out[64])
{
	unsigned s = (unsigned)(ns / NS_PER_S % EVLOG_DAY_S);
	char day[16];

	evlog_day_text(evlog_day(ns), day);
	snprintf(out, 64, "%sT%02u:%02u:%02u.%09uZ", day, s / 3600, s / 60 % 60, s % 60, (unsigned)(ns % NS_PER_S));
}

static int parse_time(const char *s, uint64_t *ret)
{
	int h = digits(s + 11, 2), m = digits(s + 14, 2), sec = digits(s + 17, 2), ns = digits(s + 20, 9);
	int32_t day;

	if (parse_day(s, &day) || h < 0 || m < 0 || sec < 0 || ns < 0)
		return -EINVAL;
	/* wraps past 2554, which the comparison with what is written again finds, as it finds hour 25 */
	*ret = ((uint64_t)day * EVLOG_DAY_S + (uint64_t)(h * 3600 + m * 60 + sec)) * NS_PER_S + (uint64_t)ns;
	return 0;
}

/* ---- writing ---- */

struct out {
	char *p;
	size_t n;
};

static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	/* the longest line that evlog_check lets through has less than 1900 bytes */
	o->n += (size_t)vsnprintf(o->p + o->n, EVLOG_LINE_MAX - o->n, fmt, ap);
	va_end(ap);
}

static void put_word(struct out *o, const char *key, const char *value)
{
	if (value && *value)
		put(o, ",\"%s\":\"%s\"", key, value);
}

static void put_among(struct out *o, const struct evlog_event *e)
{
	char hex[65];

	for (unsigned i = 0; i < e->namong; i++) {
		const struct evlog_among *a = &e->among[i];

		put(o, "%s{\"notice\":\"%s\"", i ? "," : ",\"among\":[", a->notice);
		put_word(o, "language", a->language);
		put_word(o, "version", a->version);
		if (a->has_content) {
			hex_format(a->content, 32, hex);
			put_word(o, "content", hex);
		}
		put(o, "}");
	}
	put(o, "%s", e->namong ? "]" : "");
}

size_t evlog_line_format(uint64_t seq, const uint8_t prev[32], const struct evlog_event *e, char *out)
{
	char hex[65], text[64];
	struct out o = { out, 0 };

	hex_format(prev, 32, hex);
	time_text(e->time_ns, text);
	put(&o, "{\"seq\":%" PRIu64 ",\"prev\":\"%s\",\"time\":\"%s\",\"event\":\"%s\"", seq, hex, text,
	    evlog_kind_name(e->kind));
	put_word(&o, "purpose", evlog_purpose_name(e->purpose));
	put_word(&o, "source", evlog_source_name(e->source));
	put_word(&o, "controller", e->controller);
	if (e->has_call) {
		uid_format(&e->call, text);
		put_word(&o, "call", text);
	}
	put_word(&o, "rule", e->rule);
	put_word(&o, "policy", e->policy);
	put_word(&o, "reason", e->reason);
	put_word(&o, "who", e->who);
	put_word(&o, "press", e->press);
	put_word(&o, "format", e->format);
	put_word(&o, "notice", e->notice);
	put_word(&o, "language", e->language);
	put_word(&o, "version", e->version);
	put_among(&o, e);
	put_word(&o, "basis", e->basis);
	put_word(&o, "assessment", e->assessment);
	put_word(&o, "special", e->special);
	if (e->has_content) {
		hex_format(e->content, 32, hex);
		put_word(&o, "content", hex);
	}
	if (e->has_data) {
		hex_format(e->data, 32, hex);
		put_word(&o, "data", hex);
	}
	for (unsigned i = 0; i < e->nums; i++)
		put(&o, "%s\"%s\":%" PRIu64, i ? "," : ",\"n\":{", evlog_num_name(e->num[i].name), e->num[i].value);
	put(&o, "%s}\n", e->nums ? "}" : "");
	return o.n;
}

void evlog_link(const char *p, size_t n, uint8_t ret[32])
{
	crypto_generichash(ret, 32, (const unsigned char *)p, n, NULL, 0);
}

/* ---- reading ---- */

struct in {
	const char *p;
	size_t left;
};

static bool lit(struct in *in, const char *s)
{
	size_t n = strlen(s);

	if (in->left < n || memcmp(in->p, s, n))
		return false;
	in->p += n;
	in->left -= n;
	return true;
}

/* Bytes up to the next quote, which is taken too. Escapes are nobody's: the check refuses a backslash. */
static bool quoted(struct in *in, const char **ret, size_t *ret_n)
{
	const char *q = in->left ? memchr(in->p, '"', in->left) : NULL;

	if (!q)
		return false;
	*ret = in->p;
	*ret_n = (size_t)(q - in->p);
	in->left -= *ret_n + 1;
	in->p = q + 1;
	return true;
}

static bool number(struct in *in, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < in->left && n < 19 && in->p[n] >= '0' && in->p[n] <= '9'; n++)
		v = v * 10 + (uint64_t)(in->p[n] - '0');
	in->p += n;
	in->left -= n;
	*ret = v;
	return n > 0;
}

static bool hex32(const char *s, size_t n, uint8_t out[32])
{
	char text[65];

	if (n != 64)
		return false;
	memcpy(text, s, 64);
	text[64] = 0;
	return !hex_parse(text, 32, out);
}

/* An optional text field into dst of `max` bytes. False: there, and malformed. */
static bool text_field(struct in *in, const char *start, char *dst, size_t max, const char **ret)
{
	const char *s;
	size_t n;

	if (!lit(in, start))
		return true;
	if (!quoted(in, &s, &n) || !n || n >= max || memchr(s, 0, n))
		return false;
	memcpy(dst, s, n);
	dst[n] = 0;
	*ret = dst;
	return true;
}

/* An optional word of a closed list. */
static bool list_field(struct in *in, const char *start, int (*find)(const char *s, size_t n), int *ret)
{
	const char *s;
	size_t n;

	if (!lit(in, start))
		return true;
	return quoted(in, &s, &n) && (*ret = find(s, n)) > 0;
}

static const char *read_start(struct in *in, struct evlog_line *l)
{
	const char *s;
	size_t n;
	int kind;

	if (!lit(in, "{\"seq\":") || !number(in, &l->seq) || !l->seq)
		return "no sequence number";
	if (!lit(in, ",\"prev\":\"") || !quoted(in, &s, &n) || !hex32(s, n, l->prev))
		return "no link to the line before";
	if (!lit(in, ",\"time\":\"") || !quoted(in, &s, &n) || n != TIME_TEXT || parse_time(s, &l->e.time_ns))
		return "no time";
	if (!lit(in, ",\"event\":\"") || !quoted(in, &s, &n))
		return "no event";
	kind = evlog_kind_find(s, n);
	if (kind < 0)
		return "unknown event";
	l->e.kind = (enum evlog_kind)kind;
	return NULL;
}

/* False: there, and malformed. */
static bool read_among(struct in *in, struct evlog_line *l)
{
	struct evlog_event *e = &l->e;

	if (!lit(in, ",\"among\":["))
		return true;
	do {
		struct evlog_among *a = &l->among[e->namong];
		const char *says = NULL, *notice;
		char content[65];
		size_t n;

		if (e->namong == EVLOG_AMONG || !lit(in, "{\"notice\":\"") || !quoted(in, &notice, &n) || !n ||
		    n >= sizeof(l->among_text[0].notice) || memchr(notice, 0, n))
			return false;
		memcpy(l->among_text[e->namong].notice, notice, n);
		a->notice = l->among_text[e->namong].notice;
		if (!text_field(in, ",\"language\":\"", l->among_text[e->namong].language, sizeof(l->among_text[0].language), &a->language) ||
		    !text_field(in, ",\"version\":\"", l->among_text[e->namong].version, sizeof(l->among_text[0].version), &a->version) ||
		    !text_field(in, ",\"content\":\"", content, sizeof(content), &says) || !lit(in, "}"))
			return false;
		a->has_content = says;
		if (says && !hex32(says, strlen(says), a->content))
			return false;
		e->namong++;
	} while (lit(in, ","));
	e->among = l->among;
	return lit(in, "]");
}

static const char *read_fields(struct in *in, struct evlog_line *l)
{
	struct evlog_event *e = &l->e;
	int purpose = 0, source = 0;
	char uid[UID_TEXT], data[65], content[65];
	const char *call = NULL, *hex = NULL, *press = NULL, *says = NULL;

	if (!list_field(in, ",\"purpose\":\"", evlog_purpose_find, &purpose))
		return "unknown purpose";
	if (!list_field(in, ",\"source\":\"", evlog_source_find, &source))
		return "unknown source";
	e->purpose = (enum evlog_purpose)purpose;
	e->source = (enum evlog_source)source;
	if (!text_field(in, ",\"controller\":\"", l->controller, sizeof(l->controller), &e->controller) ||
	    !text_field(in, ",\"call\":\"", uid, sizeof(uid), &call) ||
	    !text_field(in, ",\"rule\":\"", l->rule, sizeof(l->rule), &e->rule) ||
	    !text_field(in, ",\"policy\":\"", l->policy, sizeof(l->policy), &e->policy) ||
	    !text_field(in, ",\"reason\":\"", l->reason, sizeof(l->reason), &e->reason) ||
	    !text_field(in, ",\"who\":\"", l->who, sizeof(l->who), &e->who) ||
	    !text_field(in, ",\"press\":\"", e->press, sizeof(e->press), &press) ||
	    !text_field(in, ",\"format\":\"", l->format, sizeof(l->format), &e->format) ||
	    !text_field(in, ",\"notice\":\"", l->notice, sizeof(l->notice), &e->notice) ||
	    !text_field(in, ",\"language\":\"", l->language, sizeof(l->language), &e->language) ||
	    !text_field(in, ",\"version\":\"", l->version, sizeof(l->version), &e->version) ||
	    !read_among(in, l) ||
	    !text_field(in, ",\"basis\":\"", l->basis, sizeof(l->basis), &e->basis) ||
	    !text_field(in, ",\"assessment\":\"", l->assessment, sizeof(l->assessment), &e->assessment) ||
	    !text_field(in, ",\"special\":\"", l->special, sizeof(l->special), &e->special) ||
	    !text_field(in, ",\"content\":\"", content, sizeof(content), &says) ||
	    !text_field(in, ",\"data\":\"", data, sizeof(data), &hex))
		return "malformed field";
	e->has_call = call;
	e->has_data = hex;
	if (call && uid_parse(call, &e->call))
		return "not a call";
	if (hex && !hex32(hex, strlen(hex), e->data))
		return "malformed data";
	e->has_content = says;
	if (says && !hex32(says, strlen(says), e->content))
		return "malformed content";
	return NULL;
}

static const char *own(const char *given, const char *text)
{
	return given ? text : NULL;
}

void evlog_line_moved(struct evlog_line *l)
{
	struct evlog_event *e = &l->e;

	e->controller = own(e->controller, l->controller);
	e->rule = own(e->rule, l->rule);
	e->policy = own(e->policy, l->policy);
	e->reason = own(e->reason, l->reason);
	e->who = own(e->who, l->who);
	e->format = own(e->format, l->format);
	e->notice = own(e->notice, l->notice);
	e->language = own(e->language, l->language);
	e->version = own(e->version, l->version);
	e->basis = own(e->basis, l->basis);
	e->assessment = own(e->assessment, l->assessment);
	e->special = own(e->special, l->special);
	e->among = e->namong ? l->among : NULL;
	for (unsigned i = 0; i < e->namong; i++) {
		l->among[i].notice = l->among_text[i].notice;
		l->among[i].language = own(l->among[i].language, l->among_text[i].language);
		l->among[i].version = own(l->among[i].version, l->among_text[i].version);
	}
}

static const char *read_nums(struct in *in, struct evlog_line *l)
{
	const char *s;
	size_t n;
	uint64_t v;
	int name;

	if (!lit(in, ",\"n\":{"))
		return NULL;
	do {
		if (!lit(in, "\"") || !quoted(in, &s, &n) || (name = evlog_num_find(s, n)) < 0)
			return "unknown number";
		if (!lit(in, ":") || !number(in, &v) || l->e.nums == EVLOG_NUMS)
			return "malformed number";
		evlog_num_add(&l->e, (enum evlog_num)name, v);
	} while (lit(in, ","));
	return lit(in, "}") ? NULL : "malformed numbers";
}

int evlog_line_parse(const char *p, size_t n, struct evlog_line *ret, const char **ret_what)
{
	struct in in = { p, n };
	char again[EVLOG_LINE_MAX];
	const char *what;

	memset(ret, 0, sizeof(*ret));
	what = n >= EVLOG_LINE_MAX ? "too long" : read_start(&in, ret);
	if (!what)
		what = read_fields(&in, ret);
	if (!what)
		what = read_nums(&in, ret);
	if (!what && (!lit(&in, "}") || in.left))
		what = "not an event's line";
	if (!what)
		what = evlog_form(&ret->e);
	if (!what && (evlog_line_format(ret->seq, ret->prev, &ret->e, again) != n + 1 || memcmp(again, p, n)))
		what = "not as it is written";
	if (what)
		*ret_what = what;
	return what ? -EBADMSG : 0;
}
