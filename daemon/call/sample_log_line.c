/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_log_line.c - a record of the sampler as a line: writing it, and reading any bytes as one
 *
 * The reader takes the members that a kind has, each within its range, writes the line again and compares: what no
 * writer would write is refused, so a link stands for one meaning. Pure functions, any thread.
 */
#include "call/sample_log_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "call/sample_internal.h"

#define DAY_MAX 2932896 /* 31 December 9999 */

static const char *const kinds[] = { "", "open", "draw", "release", "use" };
static const char *const pers[SAMPLE_KINDS] = { "hour", "day", "week", "month" };
static const char *const ofs[] = { "rule", "queue", "agent" };

static int find(const char *const *list, int n, const char *s)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(list[i], s))
			return i;
	return -1;
}

void sample_line_link(const char *p, size_t n, uint8_t ret[SAMPLE_LOG_LINK])
{
	(void)crypto_generichash(ret, SAMPLE_LOG_LINK, (const unsigned char *)p, n, NULL, 0); /* fails for wrong lengths only */
}

/* ---- what may be ---- */

static bool count_ok(const struct sample_count *c)
{
	for (int k = 0; k < SAMPLE_KINDS; k++)
		if (c->key[k] < 0)
			return false;
	return true;
}

static bool record_ok(const struct sample_record *r)
{
	if (r->seq > SAMPLE_LOG_NUM_MAX)
		return false;
	switch (r->kind) {
	case SAMPLE_R_OPEN:
		return r->open && sample_open_valid(r->open) && !memcmp(r->open->set.id, r->rule, SAMPLE_ID);
	case SAMPLE_R_DRAW:
		return r->day >= 0 && r->day <= DAY_MAX && r->threshold <= SAMPLE_ONE && count_ok(&r->before) &&
		       count_ok(&r->agent_before) && count_ok(&r->queue_before) && *sample_why_name(r->why);
	case SAMPLE_R_RELEASE:
	case SAMPLE_R_USE:
		return r->of <= SAMPLE_LOG_NUM_MAX;
	}
	return false;
}

/* ---- writing ---- */

static void put_hex(struct buf *b, const char *name, const uint8_t *p, size_t n)
{
	char hex[2 * SAMPLE_LOG_LINK + 1];

	buf_printf(b, "\"%s\":\"%s\"", name, sodium_bin2hex(hex, sizeof(hex), p, n));
}

static void put_time(struct buf *b, uint64_t ns)
{
	unsigned s = (unsigned)(ns / NS_PER_S % DAY_S);
	char day[16];

	sample_day_text((int32_t)(ns / NS_PER_S / DAY_S), day);
	buf_printf(b, ",\"time\":\"%sT%02u:%02u:%02u.%09uZ\",", day, s / 3600, s / 60 % 60, s % 60,
		   (unsigned)(ns % NS_PER_S));
}

static void put_u32s(struct buf *b, const uint32_t *v, int n)
{
	for (int i = 0; i < n; i++)
		buf_printf(b, "%c%" PRIu32, i ? ',' : '[', v[i]);
	buf_put8(b, ']');
}

static void put_count(struct buf *b, const char *name, const struct sample_count *c)
{
	buf_printf(b, ",\"%s\":", name);
	for (int k = 0; k < SAMPLE_KINDS; k++)
		buf_printf(b, "%c[%" PRId32 ",%" PRIu32 "]", k ? ',' : '[', c->key[k], c->used[k]);
	buf_put8(b, ']');
}

static void put_rule(struct buf *b, const struct sample_rule *r)
{
	buf_printf(b, ",\"zone\":\"%s\",\"permille\":%d,\"caps\":[", r->zone, r->permille);
	for (int i = 0; i < r->ncap; i++)
		buf_printf(b, "%s[%d,\"%s\",\"%s\"]", i ? "," : "", r->cap[i].n, pers[r->cap[i].per], ofs[r->cap[i].of]);
	buf_printf(b, "],\"first_come\":%s,\"use_target\":%d,\"throttle\":%d,\"floor\":%d", r->first_come ? "true" : "false",
		   r->use_target_percent, r->throttle_percent, r->use_floor);
	if (r->grace)
		buf_printf(b, ",\"grace\":%u", r->grace);
}

static void put_open(struct buf *b, const struct sample_open *o)
{
	buf_printf(b, ",\"start\":%s", o->start ? "true" : "false");
	if (o->plan)
		buf_printf(b, ",\"plan\":%" PRIu32, o->plan);
	put_rule(b, &o->set);
	put_count(b, "count", &o->count);
	buf_printf(b, ",\"day\":%" PRId32 ",\"since\":%" PRIu32 ",\"arrived\":", o->day, o->since_s);
	put_u32s(b, o->arrived, 24);
	buf_printf(b, ",\"learned\":");
	put_u32s(b, o->learned, 2);
	buf_printf(b, ",\"expect\":[");
	put_u32s(b, o->expect[0], 24);
	buf_put8(b, ',');
	put_u32s(b, o->expect[1], 24);
	buf_printf(b, "],\"limit\":[");
	for (int k = 0; k < SAMPLE_KINDS; k++) {
		buf_printf(b, "%s", k ? "," : "");
		if (o->limit[k] == SAMPLE_NONE)
			buf_printf(b, "null");
		else
			buf_printf(b, "%" PRIu32, o->limit[k]);
	}
	buf_printf(b, "],\"days\":[");
	for (int i = 0; i < SAMPLE_RING; i++)
		buf_printf(b, "%s[%" PRId32 ",%" PRIu32 ",%" PRIu32 "]", i ? "," : "", o->use[i].day, o->use[i].recorded,
			   o->use[i].used);
	buf_put8(b, ']');
}

/* Left out where the rule counts none, which leaves zeroes in the record. */
static void put_sub(struct buf *b, const char *name, const char *before, const uint8_t id[SAMPLE_ID],
		    const struct sample_count *c)
{
	static const struct sample_count none;

	if (sodium_is_zero(id, SAMPLE_ID) && !memcmp(c, &none, sizeof(none)))
		return;
	buf_put8(b, ',');
	put_hex(b, name, id, SAMPLE_ID);
	put_count(b, before, c);
}

static void put_draw(struct buf *b, const struct sample_record *r)
{
	buf_put8(b, ',');
	put_hex(b, "call", r->call, SAMPLE_ID);
	buf_printf(b, ",\"day\":%" PRId32 ",\"draw\":%" PRIu32 ",\"threshold\":%" PRIu64 ",\"arrivals\":%" PRIu32, r->day,
		   r->draw, r->threshold, r->arrivals);
	put_count(b, "before", &r->before);
	put_sub(b, "agent", "agent_before", r->agent, &r->agent_before);
	put_sub(b, "queue", "queue_before", r->queue, &r->queue_before);
	buf_printf(b, ",\"why\":\"%s\"", sample_why_name(r->why));
}

int sample_line_format(uint64_t n, const uint8_t prev[SAMPLE_LOG_LINK], const struct sample_record *r, struct buf *out)
{
	size_t from = out->len;

	if (!n || n > SAMPLE_LOG_NUM_MAX || !record_ok(r))
		return -EINVAL;
	buf_printf(out, "{\"n\":%" PRIu64 ",", n);
	put_hex(out, "prev", prev, SAMPLE_LOG_LINK);
	buf_printf(out, ",\"record\":\"%s\",\"seq\":%" PRIu64, kinds[r->kind], r->seq);
	put_time(out, r->time_ns);
	put_hex(out, "rule", r->rule, SAMPLE_ID);
	switch (r->kind) {
	case SAMPLE_R_OPEN:
		put_open(out, r->open);
		break;
	case SAMPLE_R_DRAW:
		put_draw(out, r);
		break;
	case SAMPLE_R_RELEASE:
		buf_put8(out, ',');
		put_hex(out, "call", r->call, SAMPLE_ID);
		buf_printf(out, ",\"of\":%" PRIu64, r->of);
		break;
	case SAMPLE_R_USE:
		buf_printf(out, ",\"recordings\":%" PRIu64, r->of);
		break;
	}
	buf_printf(out, "}\n");
	if (!out->failed)
		return 0;
	out->len = from;
	out->failed = false; /* what is before is whole */
	return -ENOMEM;
}

/* ---- reading ---- */

struct in {
	json_t *o;
	size_t taken; /* members that were looked at and are there */
	char *text;   /* the first reason; "" none */
};

static void refuse(struct in *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void refuse(struct in *in, const char *fmt, ...)
{
	va_list ap;

	if (*in->text)
		return;
	va_start(ap, fmt);
	vsnprintf(in->text, SAMPLE_TEXT, fmt, ap);
	va_end(ap);
}

/* A member that must be there; NULL: refused. */
static json_t *member(struct in *in, const char *name)
{
	json_t *v = json_object_get(in->o, name);

	if (v)
		in->taken++;
	else
		refuse(in, "member '%s' is missing", name);
	return v;
}

static int64_t number(struct in *in, const char *name, const json_t *v, int64_t min, int64_t max)
{
	int64_t n = v ? json_integer_value(v) : 0;

	if (!json_is_integer(v) || n < min || n > max) {
		refuse(in, "'%s' is not a number from %" PRId64 " to %" PRId64, name, min, max);
		return min;
	}
	return n;
}

static int64_t get_number(struct in *in, const char *name, int64_t min, int64_t max)
{
	return number(in, name, member(in, name), min, max);
}

static const char *get_string(struct in *in, const char *name)
{
	const json_t *v = member(in, name);

	if (!json_is_string(v)) {
		refuse(in, "'%s' is not a string", name);
		return "";
	}
	return json_string_value(v); /* jansson refuses zeros in strings */
}

static bool get_bool(struct in *in, const char *name)
{
	const json_t *v = member(in, name);

	if (!json_is_boolean(v))
		refuse(in, "'%s' is not true or false", name);
	return json_is_true(v);
}

static void get_hex(struct in *in, const char *name, uint8_t *to, size_t n)
{
	const char *s = get_string(in, name), *end = s;
	size_t got = 0;

	/* upper case is found by comparing with what is written again */
	if (strlen(s) != 2 * n || sodium_hex2bin(to, n, s, 2 * n, NULL, &got, &end) || got != n || *end)
		refuse(in, "'%s' is not a hash of %zu bytes", name, n);
}

static int get_word(struct in *in, const char *name, const char *s, const char *const *list, int n)
{
	int i = find(list, n, s);

	if (i < 0)
		refuse(in, "'%s' is an unknown word", name);
	return i < 0 ? 0 : i;
}

/* v must be an array of n; its i-th element, or NULL. */
static json_t *element(struct in *in, const char *name, const json_t *v, size_t n, size_t i)
{
	if (!json_is_array(v) || json_array_size(v) != n) {
		refuse(in, "'%s' is not a list of %zu", name, n);
		return NULL;
	}
	return json_array_get(v, i);
}

static void get_u32s(struct in *in, const char *name, const json_t *v, uint32_t *to, size_t n)
{
	for (size_t i = 0; i < n && !*in->text; i++)
		to[i] = (uint32_t)number(in, name, element(in, name, v, n, i), 0, UINT32_MAX);
}

static void get_count(struct in *in, const char *name, struct sample_count *c)
{
	const json_t *v = member(in, name), *p;

	for (size_t k = 0; k < SAMPLE_KINDS && !*in->text; k++) {
		p = element(in, name, v, SAMPLE_KINDS, k);
		c->key[k] = (int32_t)number(in, name, element(in, name, p, 2, 0), 0, INT32_MAX);
		c->used[k] = (uint32_t)number(in, name, element(in, name, p, 2, 1), 0, UINT32_MAX);
	}
}

static void get_caps(struct in *in, struct sample_rule *r)
{
	const json_t *v = member(in, "caps");
	size_t n = json_array_size(v); /* 0 of what is no array */

	if (!json_is_array(v) || n > POLICY_CAPS_MAX) {
		refuse(in, "'caps' is not a list of at most %d", POLICY_CAPS_MAX);
		return;
	}
	for (size_t i = 0; i < n && !*in->text; i++, r->ncap++) {
		const json_t *c = json_array_get(v, i), *per = element(in, "caps", c, 3, 1), *of = element(in, "caps", c, 3, 2);

		r->cap[i].n = (int)number(in, "caps", element(in, "caps", c, 3, 0), 0, INT32_MAX);
		if (!json_is_string(per) || !json_is_string(of)) {
			refuse(in, "'caps' holds what is no cap");
			return;
		}
		r->cap[i].per = (enum policy_cap_per)get_word(in, "caps", json_string_value(per), pers, SAMPLE_KINDS);
		r->cap[i].of = (enum policy_cap_of)get_word(in, "caps", json_string_value(of), ofs, 3);
	}
}

static void get_rule(struct in *in, struct sample_rule *r)
{
	const char *zone = get_string(in, "zone");

	if (strlen(zone) < SAMPLE_ZONE)
		memcpy(r->zone, zone, strlen(zone));
	if (!sample_zone_ok(r->zone))
		refuse(in, "'zone' is not the name of one");
	r->permille = (int)get_number(in, "permille", -1, 1000);
	get_caps(in, r);
	r->first_come = get_bool(in, "first_come");
	r->use_target_percent = (int)get_number(in, "use_target", 1, 100);
	r->throttle_percent = (int)get_number(in, "throttle", 1, 1000);
	r->use_floor = (int)get_number(in, "floor", 1, 1000000);
	if (json_object_get(in->o, "grace")) /* as plan */
		r->grace = (uint8_t)get_number(in, "grace", 0, SAMPLE_GRACE - 1);
}

static void get_days(struct in *in, struct sample_open *o)
{
	const json_t *v = member(in, "days"), *d;

	for (size_t i = 0; i < SAMPLE_RING && !*in->text; i++) {
		d = element(in, "days", v, SAMPLE_RING, i);
		o->use[i].day = (int32_t)number(in, "days", element(in, "days", d, 3, 0), 0, DAY_MAX);
		o->use[i].recorded = (uint32_t)number(in, "days", element(in, "days", d, 3, 1), 0, UINT32_MAX);
		o->use[i].used = (uint32_t)number(in, "days", element(in, "days", d, 3, 2), 0, UINT32_MAX);
	}
}

static void get_open(struct in *in, struct sample_line *l)
{
	struct sample_open *o = &l->open;
	const json_t *v, *e;

	memcpy(o->set.id, l->r.rule, SAMPLE_ID);
	l->r.open = o;
	o->start = get_bool(in, "start");
	if (json_object_get(in->o, "plan")) /* 0 is written by nobody: comparing finds it */
		o->plan = (uint32_t)get_number(in, "plan", 0, UINT32_MAX);
	get_rule(in, &o->set);
	get_count(in, "count", &o->count);
	o->day = (int32_t)get_number(in, "day", 0, DAY_MAX);
	o->since_s = (uint32_t)get_number(in, "since", 0, DAY_S - 1);
	get_u32s(in, "arrived", member(in, "arrived"), o->arrived, 24);
	get_u32s(in, "learned", member(in, "learned"), o->learned, 2);
	v = member(in, "expect");
	get_u32s(in, "expect", element(in, "expect", v, 2, 0), o->expect[0], 24);
	get_u32s(in, "expect", element(in, "expect", v, 2, 1), o->expect[1], 24);
	v = member(in, "limit");
	for (size_t k = 0; k < SAMPLE_KINDS && !*in->text; k++) {
		e = element(in, "limit", v, SAMPLE_KINDS, k);
		o->limit[k] = json_is_null(e) ? SAMPLE_NONE : (uint32_t)number(in, "limit", e, 0, INT32_MAX);
	}
	get_days(in, o);
}

static void get_sub(struct in *in, const char *name, const char *before, uint8_t id[SAMPLE_ID], struct sample_count *c)
{
	if (!json_object_get(in->o, name))
		return; /* its counters without it are a member too many */
	get_hex(in, name, id, SAMPLE_ID);
	get_count(in, before, c);
}

static void get_draw(struct in *in, struct sample_record *r)
{
	const char *why;
	int w = SAMPLE_IN;

	get_hex(in, "call", r->call, SAMPLE_ID);
	r->day = (int32_t)get_number(in, "day", 0, DAY_MAX);
	r->draw = (uint32_t)get_number(in, "draw", 0, UINT32_MAX);
	r->threshold = (uint64_t)get_number(in, "threshold", 0, (int64_t)SAMPLE_ONE);
	r->arrivals = (uint32_t)get_number(in, "arrivals", 0, UINT32_MAX);
	get_count(in, "before", &r->before);
	get_sub(in, "agent", "agent_before", r->agent, &r->agent_before);
	get_sub(in, "queue", "queue_before", r->queue, &r->queue_before);
	why = get_string(in, "why");
	while (w < SAMPLE_WHY_N && strcmp(sample_why_name((enum sample_why)w), why) != 0)
		w++;
	if (w == SAMPLE_WHY_N)
		refuse(in, "'why' is an unknown word");
	r->why = (enum sample_why)w;
}

static void get_line(struct in *in, struct sample_line *l)
{
	struct sample_record *r = &l->r;

	l->n = (uint64_t)get_number(in, "n", 1, (int64_t)SAMPLE_LOG_NUM_MAX);
	get_hex(in, "prev", l->prev, SAMPLE_LOG_LINK);
	r->kind = (enum sample_kind)get_word(in, "record", get_string(in, "record"), kinds, 5);
	r->seq = (uint64_t)get_number(in, "seq", 0, (int64_t)SAMPLE_LOG_NUM_MAX);
	if (clock_parse(get_string(in, "time"), &r->time_ns))
		refuse(in, "'time' is none");
	get_hex(in, "rule", r->rule, SAMPLE_ID);
	switch (r->kind) {
	case SAMPLE_R_OPEN:
		get_open(in, l);
		break;
	case SAMPLE_R_DRAW:
		get_draw(in, r);
		break;
	case SAMPLE_R_RELEASE:
		get_hex(in, "call", r->call, SAMPLE_ID);
		r->of = (uint64_t)get_number(in, "of", 0, (int64_t)SAMPLE_LOG_NUM_MAX);
		break;
	case SAMPLE_R_USE:
		r->of = (uint64_t)get_number(in, "recordings", 0, (int64_t)SAMPLE_LOG_NUM_MAX);
		break;
	default:
		refuse(in, "'record' is an unknown word");
	}
	if (in->taken != json_object_size(in->o))
		refuse(in, "has members that no such record has");
}

static int compare(const char *p, size_t n, const struct sample_line *l, char *text)
{
	struct buf b = { 0 };
	int rc = sample_line_format(l->n, l->prev, &l->r, &b);

	if (rc == -EINVAL)
		snprintf(text, SAMPLE_TEXT, "holds values that no record has");
	else if (!rc && (b.len != n + 1 || memcmp(b.p, p, n) != 0))
		snprintf(text, SAMPLE_TEXT, "is not as records are written");
	buf_free(&b);
	return rc == -ENOMEM ? rc : *text ? -EBADMSG : 0;
}

int sample_line_parse(const char *p, size_t n, struct sample_line *ret, char text[SAMPLE_TEXT])
{
	struct in in = { .text = text };
	json_error_t err;
	int rc;

	memset(ret, 0, sizeof(*ret));
	text[0] = 0;
	in.o = n < SAMPLE_LINE_MAX ? json_loadb(p, n, JSON_REJECT_DUPLICATES, &err) : NULL;
	if (!json_is_object(in.o)) {
		/* jansson's own text repeats the bytes */
		bool twice = !in.o && n < SAMPLE_LINE_MAX && json_error_code(&err) == json_error_duplicate_key;

		json_decref(in.o);
		snprintf(text, SAMPLE_TEXT, "%s", n >= SAMPLE_LINE_MAX ? "is longer than a line may be" :
						  twice	? "has a member twice" : "is not a JSON object");
		return -EBADMSG;
	}
	get_line(&in, ret);
	json_decref(in.o);
	if (*text)
		return -EBADMSG;
	rc = compare(p, n, ret, text);
	return rc;
}
