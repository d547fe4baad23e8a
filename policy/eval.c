/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eval.c - which rule decides a call, from what is known at its INVITE
 *
 * Never rules first, then the first rule that matches, else nothing. A no-record list alone lets a rule match whose
 * documentation a statute demands. A rule
 * matches only when its controller is on the stated side (RX-1), by one of the
 * controller's own numbers or by a trunk dedicated to it. What is not known
 * does not match. Read-only, no allocation, no lock: any thread.
 */
#include <string.h>
#include <strings.h>

#include "internal.h"

struct ctx {
	const struct policy *p;
	const struct policy_input *in;
	struct policy_decision *d;
	uint64_t called_key, calling_key;
	uint64_t trunk_any[TRUNKS_MAX / 64], trunk_called[TRUNKS_MAX / 64],
		trunk_calling[TRUNKS_MAX / 64];
	int queue_idx, agent_idx;
	/* the last controller asked about: rules of one often follow each other */
	const struct controller *own;
	bool own_called, own_calling;
	const struct controller *local; /* whose time this is: */
	int day, minute;		/* weekday from Monday */
	struct policy_date date;
};

/* ---- numbers ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits of s without visual separators (RFC 3966); false when there is anything else. */
static bool only_digits(struct policy_str s, char *out, size_t size, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (memchr("-.() ", s.p[i], 5))
			continue;
		if (!is_digit(s.p[i]) || n + 1 >= size)
			return false;
		out[n++] = s.p[i];
	}
	out[n] = '\0';
	*ret_n = n;
	return n > 0;
}

static void as_it_is(struct policy_str s, char out[POLICY_NUMBER_MAX])
{
	size_t n = s.n < POLICY_NUMBER_MAX ? s.n : POLICY_NUMBER_MAX - 1;

	if (n)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

static bool international(const char *prefix, size_t pn, const char *rest, size_t rn,
			  char out[POLICY_NUMBER_MAX])
{
	if (pn + rn < 4 || pn + rn > NUMBER_DIGITS_MAX || (pn ? prefix[0] : rest[0]) == '0')
		return false;
	out[0] = '+';
	memcpy(out + 1, prefix, pn);
	memcpy(out + 1 + pn, rest, rn);
	out[1 + pn + rn] = '\0';
	return true;
}

static bool national(const struct trunk *t, const char *d, size_t n, char out[POLICY_NUMBER_MAX])
{
	const char *intl = t->intl ? t->intl : "00";
	size_t in = strlen(intl), nn = t->natl ? strlen(t->natl) : 0, cn;

	if (in && n > in && !memcmp(d, intl, in))
		return international("", 0, d + in, n - in, out);
	if (!t->country)
		return false;
	cn = strlen(t->country + 1);
	if (nn && n > nn && !memcmp(d, t->natl, nn))
		return international(t->country + 1, cn, d + nn, n - nn, out);
	if (!t->nat_min)
		return false;
	if ((int)n >= t->nat_min && (int)n <= t->nat_max)
		return international(t->country + 1, cn, d, n, out);
	if (n > cn && !memcmp(d, t->country + 1, cn) && (int)(n - cn) >= t->nat_min &&
	    (int)(n - cn) <= t->nat_max)
		return international("", 0, d, n, out);
	return false;
}

/* ";phone-context=+45" of a tel: number. */
static struct policy_str phone_context(const char *s, const char *end)
{
	static const char name[] = ";phone-context=";
	struct policy_str r = {NULL, 0};

	for (; s + sizeof(name) - 1 < end; s++)
		if (!strncasecmp(s, name, sizeof(name) - 1)) {
			r.p = s + sizeof(name) - 1;
			while (r.p + r.n < end && r.p[r.n] != ';')
				r.n++;
			return r;
		}
	return r;
}

void number_normalise(const struct trunk *t, struct policy_str s, char out[POLICY_NUMBER_MAX])
{
	char d[48], ctx[20];
	size_t n, cn;
	struct policy_str user = s, c;
	const char *semi;
	bool plus = false;

	out[0] = '\0';
	if (!s.p || !s.n)
		return;
	if (user.n > 4 && !strncasecmp(user.p, "tel:", 4)) {
		user.p += 4;
		user.n -= 4;
	}
	c = phone_context(user.p, user.p + user.n);
	semi = memchr(user.p, ';', user.n);
	if (semi)
		user.n = (size_t)(semi - user.p);
	if (user.n && user.p[0] == '+') {
		plus = true;
		user.p++;
		user.n--;
	} else if (user.n > 3 && !strncasecmp(user.p, "%2B", 3)) {
		plus = true;
		user.p += 3;
		user.n -= 3;
	}
	if (!only_digits(user, d, sizeof(d), &n)) {
		as_it_is(s, out);
		return;
	}
	if (plus ? international("", 0, d, n, out) : false)
		return;
	if (!plus && c.n > 1 && c.p[0] == '+') {
		c.p++;
		c.n--;
		if (only_digits(c, ctx, sizeof(ctx), &cn) && international(ctx, cn, d, n, out))
			return;
	}
	if (!plus && t && national(t, d, n, out))
		return;
	as_it_is(s, out);
}

/* ---- trunks ---- */

static bool in_prefix(const struct prefix *x, const uint8_t a[16])
{
	int bytes = x->bits / 8, rest = x->bits % 8;

	return !memcmp(x->addr, a, (size_t)bytes) &&
	       (!rest || !((x->addr[bytes] ^ a[bytes]) >> (8 - rest)));
}

static bool end_matches(const struct trunk *t, const uint8_t a[16], uint16_t port)
{
	const struct prefix *x = t->addr;

	if (t->port && t->port != port)
		return false;
	while (x && !in_prefix(x, a))
		x = x->next;
	return !t->addr || x;
}

static void set_bit(uint64_t *b, unsigned i)
{
	b[i / 64] |= 1ull << i % 64;
}

static bool is_on(const struct trunk *t, const struct policy_input *in)
{
	return (!t->interface || (in->interface && !strcmp(t->interface, in->interface))) && (!t->vlan || t->vlan == in->vlan) &&
	       (t->transport != TRANSPORT_UDP || !in->tcp) && (t->transport != TRANSPORT_TCP || in->tcp);
}

/* The trunks this packet is on; returns the first, whose dial plan holds. */
static const struct trunk *find_trunks(struct ctx *c)
{
	const struct policy_input *in = c->in;
	const struct trunk *first = NULL;

	for (const struct obj *o = c->p->trunks.first; o; o = o->next) {
		const struct trunk *t = (const struct trunk *)o;
		bool to, from;

		if (!is_on(t, in))
			continue;
		to = end_matches(t, in->dst, in->dst_port);
		from = end_matches(t, in->src, in->src_port);
		if (!to && !from)
			continue;
		set_bit(c->trunk_any, t->index);
		if (to)
			set_bit(c->trunk_called, t->index);
		if (from)
			set_bit(c->trunk_calling, t->index);
		if (!first)
			first = t;
		if (c->queue_idx < 0)
			c->queue_idx = t->queue_idx;
		if (c->agent_idx < 0)
			c->agent_idx = t->agent_idx;
		if (!c->d->correlate_header)
			c->d->correlate_header = t->correlate_header;
	}
	return first;
}

static bool bits_meet(const uint64_t *a, const uint64_t *b)
{
	for (int i = 0; i < TRUNKS_MAX / 64; i++)
		if (a[i] & b[i])
			return true;
	return false;
}

bool policy_from_own_trunk(const struct policy *p, const struct policy_rule *r, const struct policy_input *in)
{
	const struct obj *k = p->controllers.first;

	while (k && &((const struct controller *)k)->pub != r->controller)
		k = k->next;
	for (const struct obj *o = p->trunks.first; k && o; o = o->next) {
		const struct trunk *t = (const struct trunk *)o;
		bool own = ((const struct controller *)k)->trunk_bits[t->index / 64] >> t->index % 64 & 1;

		/* a trunk without an address says nothing of who sends */
		if (own && t->addr && is_on(t, in) && end_matches(t, in->src, in->src_port))
			return true;
	}
	return false;
}

/* RX-1: which sides of this call are the controller's own. */
static void whose(struct ctx *c, const struct controller *k)
{
	if (c->own == k)
		return;
	c->own = k;
	c->own_called = bits_meet(k->trunk_bits, c->trunk_called) ||
			numbers_has(&k->numbers, c->called_key, c->in->time);
	c->own_calling = bits_meet(k->trunk_bits, c->trunk_calling) ||
			 numbers_has(&k->numbers, c->calling_key, c->in->time);
}

/* ---- criteria ---- */

static bool str_is(struct policy_str s, const char *v)
{
	return s.p && strlen(v) == s.n && !memcmp(s.p, v, s.n);
}

static struct policy_str trimmed(struct policy_str s)
{
	while (s.n && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static bool in_set(const struct set *s, struct policy_str v)
{
	size_t lo = 0, hi = s->nwords;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2, n = strlen(s->sorted[mid]);
		int cmp = memcmp(s->sorted[mid], v.p, n < v.n ? n : v.n);

		if (cmp == 0)
			cmp = n < v.n ? -1 : n > v.n;
		if (cmp == 0)
			return true;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

bool eval_header(const struct header_crit *h, struct policy_str value)
{
	struct policy_str v = trimmed(value);

	switch (h->op) {
	case OP_EQ:
		return str_is(v, h->value->s);
	case OP_PREFIX:
		return v.n >= strlen(h->value->s) && !memcmp(v.p, h->value->s, strlen(h->value->s));
	case OP_ONE_OF:
		return in_set(h->value->obj, v);
	default:
		return true;
	}
}

static bool header_matches(const struct ctx *c, const struct header_crit *h, bool suppose)
{
	int idx = h->which == H_QUEUE ? c->queue_idx : h->which == H_AGENT ? c->agent_idx : h->idx;

	if (suppose)
		return idx >= 0; /* another value may come */
	return idx >= 0 && c->in->header[idx].p && eval_header(h, c->in->header[idx]);
}

static bool domain_is(struct policy_str host, const char *want)
{
	size_t n = strlen(want);

	if (!host.p)
		return false;
	if (n > 1 && want[0] == '*') {
		want++;
		n--;
		return host.n > n && !strncasecmp(host.p + host.n - n, want, n);
	}
	return host.n == n && !strncasecmp(host.p, want, n);
}

static bool domain_matches(const struct policy_input *in, const struct word *w)
{
	for (; w; w = w->next)
		if (domain_is(in->ruri_host, w->s) || domain_is(in->to_host, w->s) ||
		    domain_is(in->from_host, w->s))
			return true;
	return false;
}

static void local_time(struct ctx *c, const struct controller *k)
{
	int64_t t, days;

	if (c->local == k)
		return;
	c->local = k;
	t = c->in->time + tz_offset(k->tz, c->in->time);
	days = (t >= 0 ? t : t - 86399) / 86400;
	c->day = (int)(((days + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
	c->minute = (int)((t - days * 86400) / 60);
	civil_from_days(days, &c->date);
}

static bool in_dates(const struct set *s, const struct policy_date *d)
{
	size_t lo = 0, hi = s->ndates;
	int want = d->year * 10000 + d->month * 100 + d->day;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct policy_date *m = &s->sorted_dates[mid];
		int have = m->year * 10000 + m->month * 100 + m->day;

		if (have == want)
			return true;
		if (have < want)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static bool item_matches(const struct ctx *c, const struct time_item *i)
{
	if (i->holidays)
		return in_dates(i->holidays->obj, &c->date);
	if (i->days >> c->day & 1 && c->minute >= i->from && c->minute < i->to)
		return true;
	/* after midnight of a range that began the day before */
	return i->days >> (c->day + 6) % 7 & 1 && c->minute + 1440 < i->to;
}

static bool time_matches(struct ctx *c, const struct rule *r, const struct controller *k)
{
	const struct time_item *i = r->time;

	local_time(c, k);
	if (r->time_except && in_dates(r->time_except->obj, &c->date))
		return false;
	while (i && !item_matches(c, i))
		i = i->next;
	return i != NULL;
}

bool eval_time(const struct rule *r, const struct controller *k, int64_t t)
{
	struct policy_input in = {.time = t};
	struct ctx c = {.in = &in};

	return time_matches(&c, r, k);
}

static bool media_matches(const struct policy_media *m, const struct rule *r)
{
	if (!m || (r->encrypted && (r->encrypted == 2) != m->encrypted))
		return false;
	if (!r->codecs)
		return true;
	for (size_t i = 0; i < m->ncodecs; i++)
		for (const struct word *w = r->codecs; w; w = w->next)
			if (strlen(w->s) == m->codecs[i].n &&
			    !strncasecmp(w->s, m->codecs[i].p, m->codecs[i].n))
				return true;
	return false;
}

static bool tag_matches(const struct policy_input *in, const struct word *w)
{
	for (; w; w = w->next)
		for (size_t i = 0; i < in->ntags; i++)
			if (str_is(in->tags[i], w->s))
				return true;
	return false;
}

static bool party_matches(struct ctx *c, const struct rule *r, const struct controller *k)
{
	whose(c, k);
	if (!(r->pub.side == POLICY_SIDE_CALLED ? c->own_called : c->own_calling))
		return false;
	if (k->pub.lab && c->in->interface)
		return false; /* a laboratory never records live */
	/* A call within the house is neither in- nor outbound. */
	if (r->direction == DIR_INBOUND)
		return c->own_called && !c->own_calling;
	if (r->direction == DIR_OUTBOUND)
		return c->own_calling && !c->own_called;
	return true;
}

static bool rule_matches(struct ctx *c, const struct rule *r)
{
	const struct controller *k = r->controller ? r->controller->obj : NULL;
	bool suppose = c->in->suppose && !r->never;

	if (k && !party_matches(c, r, k))
		return false;
	if (r->at[R_CALLED].line && !numbers_has(&r->called, c->called_key, c->in->time))
		return false;
	if (r->at[R_CALLING].line && !numbers_has(&r->calling, c->calling_key, c->in->time) &&
	    !(r->calling.withheld && c->in->withheld))
		return false;
	if (r->at[R_TRUNK].line && !bits_meet(r->trunk_bits, c->trunk_any))
		return false;
	for (const struct header_crit *h = r->headers; h; h = h->next)
		if (!header_matches(c, h, suppose))
			return false;
	if (r->domains && !domain_matches(c->in, r->domains))
		return false;
	if (r->time && !time_matches(c, r, k))
		return false;
	if (r->at[R_MEDIA].line && !media_matches(c->in->media, r) && !(suppose && !c->in->media))
		return false;
	return !r->tags || tag_matches(c->in, r->tags) || suppose;
}

static void numbers(struct ctx *c, const struct trunk *t)
{
	struct policy_str calling = c->in->calling;

	if (t && t->identity && c->in->from_user.p)
		calling = c->in->from_user;
	if (!c->in->withheld)
		number_normalise(t, calling, c->d->calling);
	number_normalise(t, c->in->called, c->d->called);
	c->calling_key = number_key(c->d->calling);
	c->called_key = number_key(c->d->called);
}

/* It has nothing but members that come and go: people who asked not to be recorded. */
static bool only_listed(const struct numbers *c)
{
	for (const struct word *w = c->sets; w; w = w->next)
		if (!w->obj || !((const struct set *)w->obj)->dynamic)
			return false;
	return c->sets && !c->n && !c->withheld;
}

bool eval_is_list(const struct rule *r)
{
	if (r->trunks || r->domains || r->headers || r->time || r->tags || r->direction != DIR_ANY)
		return false;
	return (!r->at[R_CALLED].line || only_listed(&r->called)) && (!r->at[R_CALLING].line || only_listed(&r->calling));
}

void policy_eval(const struct policy *p, const struct policy_input *in, struct policy_decision *ret)
{
	struct ctx c = {.p = p, .in = in, .d = ret, .queue_idx = -1, .agent_idx = -1};
	uint64_t bits[(RULES_MAX + 63) / 64];
	size_t n = p->nevers.n + p->rules.n;

	memset(ret, 0, sizeof(*ret));
	numbers(&c, find_trunks(&c));
	if (c.queue_idx >= 0 && in->header[c.queue_idx].p)
		ret->queue = trimmed(in->header[c.queue_idx]);
	if (c.agent_idx >= 0 && in->header[c.agent_idx].p)
		ret->agent = trimmed(in->header[c.agent_idx]);
	index_candidates(p, c.called_key, c.calling_key, bits);
	for (size_t w = 0; w < (n + 63) / 64; w++) {
		for (uint64_t b = bits[w]; b; b &= b - 1) {
			const struct rule *r = p->all[w * 64 + (size_t)__builtin_ctzll(b)];

			if (!rule_matches(&c, r))
				continue;
			if (r->never && eval_is_list(r)) {
				ret->listed = true;
				ret->verdict = POLICY_NEVER;
				continue;
			}
			if (r->never) {
				ret->listed = false;
				ret->verdict = POLICY_NEVER;
			} else if (!ret->listed || r->pub.purpose[POLICY_DOCUMENTATION].basis == POLICY_B_OBLIGATION) {
				ret->verdict = POLICY_MATCH;
				ret->rule = &r->pub;
			}
			return;
		}
	}
}
