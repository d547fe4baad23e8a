/* SPDX-License-Identifier: BSD-2-Clause */
/* sip_uri.c - URIs, addresses with parameters, and the small grammar below them. Any thread. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "sip/sip_internal.h"

bool sip_str_eq(struct sip_str a, const char *text)
{
	return a.p && a.n == strlen(text) && !memcmp(a.p, text, a.n);
}

bool sip_str_ieq(struct sip_str a, const char *text)
{
	return a.p && a.n == strlen(text) && !strncasecmp(a.p, text, a.n);
}

static bool is_alnum(char c)
{
	return sip_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

bool sip_is_token(char c)
{
	return is_alnum(c) || (c && strchr("-.!%*_+`'~", c));
}

struct sip_str sip_trim(struct sip_str s)
{
	while (s.n && sip_is_lws(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && sip_is_lws(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool sip_number(struct sip_str s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned)(s.p[i] - '0');

		if (!sip_is_digit(s.p[i]) || v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*ret = v;
	return true;
}

/* Index behind the quoted string that starts at i; s.n when it never ends. */
static size_t skip_quoted(struct sip_str s, size_t i)
{
	for (i++; i < s.n && s.p[i] != '"'; i++)
		if (s.p[i] == '\\')
			i++;
	return i < s.n ? i + 1 : s.n;
}

/* Index of the first c outside of quoted strings and, unless c opens one, outside of <>. */
static size_t find_outside(struct sip_str s, char c)
{
	size_t i = 0;

	while (i < s.n) {
		if (s.p[i] == c)
			return i;
		if (s.p[i] == '"') {
			i = skip_quoted(s, i);
		} else if (s.p[i] == '<') {
			const char *gt = memchr(s.p + i, '>', s.n - i);

			if (!gt)
				return s.n;
			i = (size_t)(gt - s.p) + 1;
		} else {
			i++;
		}
	}
	return s.n;
}

bool sip_split(struct sip_str *rest, char sep, struct sip_str *ret)
{
	size_t i;

	if (!rest->n)
		return false;
	i = find_outside(*rest, sep);
	*ret = sip_trim((struct sip_str){ rest->p, i });
	if (i < rest->n)
		i++;
	rest->p += i;
	rest->n -= i;
	return true;
}

struct sip_str sip_param(struct sip_str params, const char *name)
{
	struct sip_str el, value;

	while (sip_split(&params, ';', &el)) {
		const char *eq = el.n ? memchr(el.p, '=', el.n) : NULL;
		struct sip_str key = el;

		if (eq)
			key = sip_trim(sip_str_of(el.p, eq));
		if (!sip_str_ieq(key, name))
			continue;
		if (!eq)
			return (struct sip_str){ el.p + el.n, 0 };
		value = sip_trim(sip_str_of(eq + 1, el.p + el.n));
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"') {
			value.p++;
			value.n -= 2;
		}
		return value;
	}
	return (struct sip_str){ NULL, 0 };
}

/* Cuts s at the first c; what follows goes to *ret_tail (with c when keep). */
static struct sip_str cut_at(struct sip_str s, char c, bool keep, struct sip_str *ret_tail)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
	const char *end = s.p ? s.p + s.n : NULL;

	*ret_tail = at ? sip_str_of(keep ? at : at + 1, end) : (struct sip_str){ end, 0 };
	return at ? sip_str_of(s.p, at) : s;
}

static bool all_of(struct sip_str s, const char *extra)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && !(s.p[i] && strchr(extra, s.p[i])))
			return false;
	return s.n > 0;
}

static bool is_number_text(struct sip_str s)
{
	if (!s.n || !(s.p[0] == '+' || sip_is_digit(s.p[0])))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!sip_is_digit(s.p[i]) && !(s.p[i] && strchr("+-.()*#", s.p[i])))
			return false;
	return true;
}

static int host_port(struct sip_str s, struct sip_uri *u)
{
	struct sip_str port;
	uint64_t v = 0;

	if (s.n && s.p[0] == '[') {
		const char *close = memchr(s.p, ']', s.n);

		if (!close)
			return -EINVAL;
		u->host = sip_str_of(s.p + 1, close);
		port = sip_str_of(close + 1, s.p + s.n);
		if (!all_of(u->host, ":.%-_~") || (port.n && port.p[0] != ':'))
			return -EINVAL;
		if (port.n) {
			port.p++;
			port.n--;
		}
	} else {
		u->host = sip_trim(cut_at(s, ':', false, &port));
		if (!all_of(u->host, "-._"))
			return -EINVAL;
	}
	port = sip_trim(port);
	if (port.n && !sip_number(port, 65535, &v))
		return -EINVAL;
	u->port = (uint16_t)v;
	return 0;
}

static int user_part(struct sip_str s, bool phone, struct sip_uri *u)
{
	struct sip_str rest, number;

	u->user = cut_at(s, ':', false, &rest); /* a password follows */
	number = cut_at(u->user, ';', true, &rest);
	if (rest.n && (phone || is_number_text(number))) {
		u->user = number;
		u->phone_context = sip_param(rest, "phone-context");
	}
	if (!u->user.n)
		return -EINVAL;
	for (size_t i = 0; i < u->user.n; i++)
		if ((unsigned char)u->user.p[i] <= ' ' || strchr("<>\"\x7f", u->user.p[i]))
			return -EINVAL;
	return 0;
}

static int sip_form(struct sip_str s, struct sip_uri *u)
{
	const char *at = s.n ? memchr(s.p, '@', s.n) : NULL;
	struct sip_str hp, tail, headers;
	bool phone;
	int r;

	hp = at ? sip_str_of(at + 1, s.p + s.n) : s;
	hp = cut_at(hp, '?', false, &headers);
	hp = cut_at(hp, ';', true, &tail);
	phone = sip_str_ieq(sip_param(tail, "user"), "phone");
	r = host_port(sip_trim(hp), u);
	if (!r && at)
		r = user_part(sip_str_of(s.p, at), phone, u);
	return r;
}

static int tel_form(struct sip_str s, struct sip_uri *u)
{
	struct sip_str tail;

	u->user = sip_trim(cut_at(s, ';', true, &tail));
	u->phone_context = sip_param(tail, "phone-context");
	u->host = (struct sip_str){ s.p + s.n, 0 };
	for (size_t i = 0; i < u->user.n; i++)
		if ((unsigned char)u->user.p[i] <= ' ' || strchr("<>\"@\x7f", u->user.p[i]))
			return -EINVAL;
	return u->user.n ? 0 : -EINVAL;
}

int sip_uri_parse(const char *s, size_t n, struct sip_uri *ret)
{
	struct sip_str t = sip_trim((struct sip_str){ s, n }), rest;
	struct sip_uri u = { 0 };
	const char *colon;
	int r = 0;

	if (t.n >= 2 && t.p[0] == '<' && t.p[t.n - 1] == '>')
		t = sip_trim((struct sip_str){ t.p + 1, t.n - 2 });
	colon = t.n ? memchr(t.p, ':', t.n) : NULL;
	if (!colon)
		return -EINVAL;
	u.scheme = sip_str_of(t.p, colon);
	if (!all_of(u.scheme, "+-."))
		return -EINVAL;
	rest = sip_str_of(colon + 1, t.p + t.n);
	if (sip_str_ieq(u.scheme, "sip") || sip_str_ieq(u.scheme, "sips"))
		r = sip_form(rest, &u);
	else if (sip_str_ieq(u.scheme, "tel"))
		r = tel_form(rest, &u);
	if (!r)
		*ret = u;
	return r;
}

void sip_addr_parse(struct sip_str s, struct sip_addr *ret)
{
	struct sip_addr a = { 0 };
	struct sip_str uri, params;
	const char *end, *gt;
	size_t lt;

	a.raw = s = sip_trim(s);
	end = s.p + s.n;
	lt = find_outside(s, '<');
	if (lt == s.n) {
		/* A quote that never ends hides the bracket; the address is still clear. */
		const char *p = s.n ? memrchr(s.p, '<', s.n) : NULL;

		lt = p ? (size_t)(p - s.p) : s.n;
	}
	if (lt < s.n) {
		gt = memchr(s.p + lt, '>', s.n - lt);
		uri = sip_str_of(s.p + lt + 1, gt ? gt : end);
		params = sip_str_of(gt ? gt + 1 : end, end);
	} else {
		uri = cut_at(s, ';', true, &params);
	}
	if (sip_uri_parse(uri.p, uri.n, &a.uri))
		memset(&a.uri, 0, sizeof(a.uri));
	a.tag = sip_param(params, "tag");
	*ret = a;
}

bool sip_is_type(struct sip_str s, const char *type, const char *subtype)
{
	struct sip_str sub;
	struct sip_str main_type = sip_trim(cut_at(s, '/', false, &sub));

	return sip_str_ieq(main_type, type) &&
	       (!strcmp(subtype, "*") || sip_str_ieq(sip_trim(sub), subtype));
}
