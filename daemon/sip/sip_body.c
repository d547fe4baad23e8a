/* SPDX-License-Identifier: BSD-2-Clause */
/* sip_body.c - what a recorder reads in bodies: the SDP part, key presses by INFO. Any thread. */
#include <string.h>
#include <strings.h>

#include "sip/sip_internal.h"

static const struct sip_str none;

/* What a part of a multipart says of itself. */
struct part {
	struct sip_str type, boundary, body;
	bool other_use; /* early-session (RFC 3959) and the like, or encoded: not the session's offer or answer */
};

/* The line is the delimiter of this boundary (RFC 2046 5.1.1); *ret_last: the closing one. */
static bool is_delimiter(struct sip_str line, struct sip_str boundary, bool *ret_last)
{
	struct sip_str tail;

	if (line.n < boundary.n + 2 || memcmp(line.p, "--", 2) ||
	    memcmp(line.p + 2, boundary.p, boundary.n))
		return false;
	tail = sip_str_of(line.p + 2 + boundary.n, line.p + line.n);
	*ret_last = tail.n >= 2 && !memcmp(tail.p, "--", 2);
	if (*ret_last)
		tail = sip_str_of(tail.p + 2, tail.p + tail.n);
	return !sip_trim(tail).n;
}

/* Like sip_line, but the last line needs no end. */
static bool any_line(const char **p, const char *end, struct sip_str *ret)
{
	if (sip_line(p, end, ret))
		return true;
	if (*p == end)
		return false;
	*ret = sip_str_of(*p, end);
	*p = end;
	return true;
}

static void part_header(struct sip_str line, struct part *part)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct sip_str name, value, word;

	if (!colon)
		return;
	name = sip_trim(sip_str_of(line.p, colon));
	value = sip_trim(sip_str_of(colon + 1, line.p + line.n));
	if (!sip_split(&value, ';', &word))
		return;
	if (sip_str_ieq(name, "Content-Type") || sip_str_ieq(name, "c")) {
		part->type = word;
		part->boundary = sip_param(value, "boundary");
	} else if (sip_str_ieq(name, "Content-Disposition")) {
		part->other_use |= !sip_str_ieq(word, "session") && !sip_str_ieq(word, "render");
	} else if (sip_str_ieq(name, "Content-Transfer-Encoding")) {
		part->other_use |= sip_str_ieq(word, "base64") || sip_str_ieq(word, "quoted-printable");
	}
}

/* Splits a part into headers and body. */
static void read_part(struct sip_str s, struct part *ret)
{
	const char *p = s.p, *end = s.p + s.n;
	struct sip_str line, more;

	memset(ret, 0, sizeof(*ret));
	while (any_line(&p, end, &line) && line.n) {
		while (p < end && (*p == ' ' || *p == '\t') && any_line(&p, end, &more))
			line.n = (size_t)(more.p + more.n - line.p);
		part_header(line, ret);
	}
	ret->body = sip_str_of(p, end);
}

/* The next part's bytes; *p is at the first delimiter's line or, later, behind one. */
static bool next_part(const char **p, const char *end, struct sip_str boundary, struct sip_str *ret)
{
	const char *start = *p;
	struct sip_str line;
	bool last;

	while (any_line(p, end, &line)) {
		if (!is_delimiter(line, boundary, &last))
			continue;
		/* The line end before the delimiter belongs to it. */
		*ret = sip_str_of(start, line.p);
		if (ret->n && ret->p[ret->n - 1] == '\n')
			ret->n--;
		if (ret->n && ret->p[ret->n - 1] == '\r')
			ret->n--;
		if (last)
			*p = end;
		return true;
	}
	*ret = sip_str_of(start, end); /* cut short */
	return ret->n > 0;
}

static struct sip_str multipart_sdp(struct sip_str body, struct sip_str boundary, int depth)
{
	const char *p = body.p, *end = body.p + body.n;
	struct sip_str bytes, found = none, inner;
	struct part part;

	if (!boundary.n || boundary.n > 256 || !body.n)
		return none;
	if (!next_part(&p, end, boundary, &bytes)) /* the preamble */
		return none;
	while (p < end && next_part(&p, end, boundary, &bytes)) {
		read_part(bytes, &part);
		inner = none;
		if (sip_is_type(part.type, "application", "sdp"))
			inner = part.body;
		else if (depth < 1 && sip_is_type(part.type, "multipart", "*"))
			inner = multipart_sdp(part.body, part.boundary, depth + 1);
		if (inner.p && !part.other_use)
			return inner;
		if (inner.p && !found.p)
			found = inner;
	}
	return found;
}

struct sip_str sip_sdp_body(const struct sip_msg *m)
{
	if (!m->body.n)
		return none;
	if (sip_is_type(m->content_type, "application", "sdp"))
		return m->body;
	if (!m->content_type.n && m->body.n > 2 && !memcmp(m->body.p, "v=", 2))
		return m->body;
	if (sip_is_type(m->content_type, "multipart", "*"))
		return multipart_sdp(m->body, m->boundary, 0);
	return none;
}

/* A key as itself, or as the event number of RFC 4733 (10 to 15). */
static char key_of(struct sip_str s)
{
	static const char keys[] = "0123456789*#ABCD";
	uint64_t v;

	s = sip_trim(s);
	if (s.n == 1) {
		char c = s.p[0] >= 'a' && s.p[0] <= 'd' ? (char)(s.p[0] - 'a' + 'A') : s.p[0];

		return c && strchr(keys, c) ? c : 0;
	}
	return s.n == 2 && sip_number(s, 15, &v) && v >= 10 ? keys[v] : 0;
}

/* What is no digit and says so: hookflash, event 16 (RFC 4733 4.2). */
static bool is_flash(struct sip_str s)
{
	s = sip_trim(s);
	return sip_str_ieq(s, "16") || sip_str_ieq(s, "!") || sip_str_ieq(s, "flash") || sip_str_ieq(s, "hookflash") || sip_str_ieq(s, "hf");
}

static char pressed(struct sip_str s)
{
	char key = key_of(s);

	return key ? key : is_flash(s) ? 0 : SIP_INFO_UNREAD;
}

/* "Signal=5", "Signal: 5"; Nortel's "d=5" and "d=Digits=5", its other lines are not asked. */
static bool signal_line(struct sip_str line, struct sip_str *ret)
{
	size_t at = 0;
	struct sip_str name;

	while (at < line.n && line.p[at] != '=' && line.p[at] != ':')
		at++;
	if (at == line.n)
		return false;
	name = sip_trim(sip_str_of(line.p, line.p + at));
	*ret = sip_str_of(line.p + at + 1, line.p + line.n);
	if (sip_str_ieq(name, "Signal"))
		return true;
	if (!sip_str_ieq(name, "d"))
		return false;
	for (at = ret->n; at > 0 && ret->p[at - 1] != '='; at--)
		;
	*ret = sip_str_of(ret->p + at, ret->p + ret->n);
	return true;
}

/* Both forms are seen under both names. */
static char digit_in(struct sip_str body)
{
	const char *p = body.p, *end = body.p + body.n;
	struct sip_str line, value;

	while (any_line(&p, end, &line))
		if (signal_line(line, &value))
			return pressed(value);
	return pressed(body);
}

static bool contains(struct sip_str s, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= s.n; i++)
		if (strncasecmp(s.p + i, word, n) == 0)
			return true;
	return false;
}

static char multipart_digit(struct sip_str body, struct sip_str boundary, int depth);

static char typed_digit(struct sip_str type, struct sip_str boundary, struct sip_str body, int depth)
{
	if (contains(type, "dtmf") || sip_is_type(type, "application", "vnd.nortelnetworks.digits"))
		return digit_in(body);
	if (depth < 2 && sip_is_type(type, "multipart", "*"))
		return multipart_digit(body, boundary, depth);
	return 0;
}

/* The first part's that tells one. */
static char multipart_digit(struct sip_str body, struct sip_str boundary, int depth)
{
	const char *p = body.p, *end = body.p + body.n;
	struct sip_str bytes;
	struct part part;
	char key;

	if (!boundary.n || boundary.n > 256 || !body.n || !next_part(&p, end, boundary, &bytes))
		return 0;
	while (p < end && next_part(&p, end, boundary, &bytes)) {
		read_part(bytes, &part);
		key = typed_digit(part.type, part.boundary, part.body, depth + 1);
		if (key)
			return key;
	}
	return 0;
}

char sip_info_digit(const struct sip_msg *m)
{
	if (!m->request || m->method != SIP_M_INFO)
		return 0;
	return typed_digit(m->content_type, m->boundary, m->body, 0);
}
