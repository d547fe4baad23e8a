/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sip.c - one SIP message: start line, headers, where the body is
 *
 * Strict about what a call is identified by (Call-ID, tags, CSeq, one value
 * each): two readers that understand these differently would see two calls.
 * Lenient about the rest. The result points into the input. Any thread.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "sip/sip_internal.h"

static const struct {
	const char *name;
	enum sip_method method;
} methods[] = {
	{ "INVITE", SIP_M_INVITE },	{ "ACK", SIP_M_ACK },
	{ "BYE", SIP_M_BYE },		{ "CANCEL", SIP_M_CANCEL },
	{ "UPDATE", SIP_M_UPDATE },	{ "PRACK", SIP_M_PRACK },
	{ "INFO", SIP_M_INFO },		{ "REFER", SIP_M_REFER },
	{ "NOTIFY", SIP_M_NOTIFY },	{ "SUBSCRIBE", SIP_M_SUBSCRIBE },
	{ "REGISTER", SIP_M_REGISTER }, { "OPTIONS", SIP_M_OPTIONS },
	{ "MESSAGE", SIP_M_MESSAGE },	{ "PUBLISH", SIP_M_PUBLISH },
};

enum header {
	H_OTHER,
	H_CALL_ID,
	H_FROM,
	H_TO,
	H_CSEQ,
	H_VIA,
	H_CONTACT,
	H_CONTENT_TYPE,
	H_CONTENT_LENGTH,
	H_PAI,
	H_PRIVACY,
	H_SESSION_ID,
	H_REPLACES,
	H_JOIN,
	H_REFER_TO,
	H_REFERRED_BY,
};

/* Compact forms of the IANA registry; those that sip_msg does not hold matter to sip_extra. */
static const struct {
	const char *name;
	char compact;
	enum header id;
} names[] = {
	{ "Call-ID", 'i', H_CALL_ID },
	{ "From", 'f', H_FROM },
	{ "To", 't', H_TO },
	{ "CSeq", 0, H_CSEQ },
	{ "Via", 'v', H_VIA },
	{ "Contact", 'm', H_CONTACT },
	{ "Content-Type", 'c', H_CONTENT_TYPE },
	{ "Content-Length", 'l', H_CONTENT_LENGTH },
	{ "P-Asserted-Identity", 0, H_PAI },
	{ "Privacy", 0, H_PRIVACY },
	{ "Session-ID", 0, H_SESSION_ID },
	{ "Replaces", 0, H_REPLACES },
	{ "Join", 0, H_JOIN },
	{ "Subject", 's', H_OTHER },
	{ "Supported", 'k', H_OTHER },
	{ "Content-Encoding", 'e', H_OTHER },
	{ "Refer-To", 'r', H_REFER_TO },
	{ "Referred-By", 'b', H_REFERRED_BY },
	{ "Session-Expires", 'x', H_OTHER },
	{ "Event", 'o', H_OTHER },
	{ "Allow-Events", 'u', H_OTHER },
	{ "Accept-Contact", 'a', H_OTHER },
	{ "Reject-Contact", 'j', H_OTHER },
	{ "Request-Disposition", 'd', H_OTHER },
	{ "Identity", 'y', H_OTHER },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What is known of a message while its lines are read. */
struct reading {
	struct sip_msg m;
	const struct sip_extra *extra;
	struct sip_str cseq, length;
	const char *why;
};

bool sip_line(const char **p, const char *end, struct sip_str *ret)
{
	const char *lf = *p < end ? memchr(*p, '\n', (size_t)(end - *p)) : NULL;

	if (!lf)
		return false;
	*ret = sip_str_of(*p, lf > *p && lf[-1] == '\r' ? lf - 1 : lf);
	*p = lf + 1;
	return true;
}

size_t sip_head_end(const char *buf, size_t len, size_t from)
{
	const char *p = buf + from, *end = buf + len, *lf;

	while (p < end && (lf = memchr(p, '\n', (size_t)(end - p)))) {
		p = lf + 1;
		if (p < end && *p == '\n')
			return (size_t)(p + 1 - buf);
		if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
			return (size_t)(p + 2 - buf);
	}
	return 0;
}

static struct sip_str first_word(struct sip_str s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] != ' ' && s.p[i] != '\t')
		i++;
	return (struct sip_str){ s.p, i };
}

static struct sip_str last_word(struct sip_str s)
{
	size_t i = s.n;

	while (i && s.p[i - 1] != ' ' && s.p[i - 1] != '\t')
		i--;
	return (struct sip_str){ s.p + i, s.n - i };
}

static bool is_version(struct sip_str s)
{
	return s.n >= 5 && !strncasecmp(s.p, "SIP/", 4) && sip_is_digit(s.p[4]);
}

static bool is_method_text(struct sip_str s)
{
	if (!s.n || s.n > 64)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!sip_is_token(s.p[i]))
			return false;
	return true;
}

bool sip_start_line(struct sip_str line)
{
	struct sip_str word, version;

	if (line.n && sip_is_lws(line.p[0]))
		return false;
	line = sip_trim(line);
	word = first_word(line);
	if (word.n == line.n)
		return false;
	if (is_version(word))
		return true;
	version = last_word(line);
	return is_method_text(word) && is_version(version) &&
	       sip_trim(sip_str_of(word.p + word.n, version.p)).n;
}

bool sip_starts_like(const char *p, size_t n)
{
	if (n >= 8 && !memcmp(p, "SIP/2.0 ", 8))
		return true;
	for (size_t i = 0; i < COUNT(methods); i++) {
		size_t k = strlen(methods[i].name);

		if (n > k && p[k] == ' ' && !memcmp(p, methods[i].name, k))
			return true;
	}
	return false;
}

static enum sip_method method_of(struct sip_str s)
{
	for (size_t i = 0; i < COUNT(methods); i++)
		if (sip_str_eq(s, methods[i].name))
			return methods[i].method;
	return SIP_M_OTHER;
}

static const char *status_line(struct sip_str line, struct sip_msg *m)
{
	struct sip_str version = first_word(line), code;
	uint64_t v;

	if (!sip_str_ieq(version, "SIP/2.0"))
		return "SIP version is not 2.0";
	code = first_word(sip_trim(sip_str_of(line.p + version.n, line.p + line.n)));
	if (code.n != 3 || !sip_number(code, 699, &v) || v < 100)
		return "status code is not in 100..699";
	m->status = (unsigned)v;
	return NULL;
}

/* White space where none belongs, <> around the URI or a URI of no known form: a call all the same. */
static const char *request_line(struct sip_str line, struct sip_msg *m)
{
	struct sip_str version = last_word(line);

	m->request = true;
	m->method_text = first_word(line);
	if (!is_method_text(m->method_text) || version.p <= m->method_text.p || !is_version(version))
		return "first line is neither a request nor a status line";
	if (!sip_str_ieq(version, "SIP/2.0"))
		return "SIP version is not 2.0";
	m->ruri_text = sip_trim(sip_str_of(m->method_text.p + m->method_text.n, version.p));
	if (!m->ruri_text.n)
		return "request line has no URI";
	if (sip_uri_parse(m->ruri_text.p, m->ruri_text.n, &m->ruri))
		memset(&m->ruri, 0, sizeof(m->ruri));
	m->method = method_of(m->method_text);
	return NULL;
}

static const char *start_line(struct sip_str line, struct sip_msg *m)
{
	line = sip_trim(line);
	if (is_version(line))
		return status_line(line, m);
	return request_line(line, m);
}

/* The compact form is written out, so that a header is one thing under both names. */
static struct sip_str long_name(struct sip_str name, enum header *ret_id)
{
	*ret_id = H_OTHER;
	for (size_t i = 0; i < COUNT(names); i++) {
		if (name.n == 1 ? (name.p[0] | 0x20) == names[i].compact
				: sip_str_ieq(name, names[i].name)) {
			*ret_id = names[i].id;
			return (struct sip_str){ names[i].name, strlen(names[i].name) };
		}
	}
	return name;
}

static void take_extra(struct reading *r, struct sip_str name, struct sip_str value)
{
	for (size_t i = 0; r->extra && i < r->extra->n && i < SIP_EXTRA_MAX; i++)
		if (!r->m.extra[i].p && sip_str_ieq(name, r->extra->name[i]))
			r->m.extra[i] = value;
}

/* The same again is a duplicate line; something else leaves open which one counts. */
static bool once(struct sip_str *slot, struct sip_str value)
{
	if (slot->p)
		return slot->n == value.n && !memcmp(slot->p, value.p, value.n);
	*slot = value;
	return true;
}

static void first(struct sip_str *slot, struct sip_str value)
{
	if (!slot->p)
		*slot = value;
}

static void take_via(struct sip_msg *m, struct sip_str value)
{
	struct sip_str el;

	for (; m->nvia < 2 && sip_split(&value, ',', &el); m->nvia++)
		if (!m->nvia)
			m->via_branch = sip_param(el, "branch");
}

static void take_identities(struct sip_msg *m, struct sip_str value)
{
	struct sip_str el;

	while (m->npai < SIP_PAI_MAX && sip_split(&value, ',', &el))
		if (el.n)
			sip_addr_parse(el, &m->pai[m->npai++]);
}

static void take_privacy(struct sip_msg *m, struct sip_str value)
{
	struct sip_str part, el;

	while (sip_split(&value, ',', &part))
		while (sip_split(&part, ';', &el))
			if (sip_str_ieq(el, "id") || sip_str_ieq(el, "user") || sip_str_ieq(el, "full"))
				m->privacy_id = true;
}

static void take_content_type(struct sip_msg *m, struct sip_str value)
{
	struct sip_str params = value;

	if (m->content_type.p || !sip_split(&params, ';', &m->content_type))
		return;
	m->boundary = sip_param(params, "boundary");
}

static const char *take_header(struct reading *r, struct sip_str name, struct sip_str value)
{
	struct sip_msg *m = &r->m;
	enum header id;

	name = long_name(name, &id);
	take_extra(r, name, value);
	switch (id) {
	case H_CALL_ID:
		return once(&m->call_id, value) ? NULL : "two different Call-ID";
	case H_FROM:
		return once(&m->from.raw, value) ? NULL : "two different From";
	case H_TO:
		return once(&m->to.raw, value) ? NULL : "two different To";
	case H_CSEQ:
		return once(&r->cseq, value) ? NULL : "two different CSeq";
	case H_CONTENT_LENGTH:
		return once(&r->length, value) ? NULL : "two different Content-Length";
	case H_VIA:
		take_via(m, value);
		break;
	case H_CONTACT:
		first(&m->contact, value);
		break;
	case H_CONTENT_TYPE:
		take_content_type(m, value);
		break;
	case H_PAI:
		take_identities(m, value);
		break;
	case H_PRIVACY:
		take_privacy(m, value);
		break;
	case H_SESSION_ID:
		first(&m->session_id, value);
		break;
	case H_REPLACES:
		first(&m->replaces, value);
		break;
	case H_JOIN:
		first(&m->join, value);
		break;
	case H_REFER_TO:
		first(&m->refer_to, value);
		break;
	case H_REFERRED_BY:
		first(&m->referred_by, value);
		break;
	case H_OTHER:
		break;
	}
	return NULL;
}

/* One header with its continuation lines, up to and without the last line end. */
static bool logical_line(const char **p, const char *end, struct sip_str *ret)
{
	struct sip_str more;

	if (!sip_line(p, end, ret))
		return false;
	while (ret->n && *p < end && (**p == ' ' || **p == '\t') && sip_line(p, end, &more))
		ret->n = (size_t)(more.p + more.n - ret->p);
	return true;
}

/*
 * Reads headers from *p on; *ret_end: the empty line was there. A line that is
 * no header is skipped. A continuation that is cut off by the end of the
 * datagram takes its header with it: half a value would be a wrong one.
 */
static const char *headers(struct reading *r, const char **p, const char *end, bool *ret_end)
{
	struct sip_str line, name;
	const char *why, *colon;

	*ret_end = false;
	while (logical_line(p, end, &line)) {
		if (!line.n) {
			*ret_end = true;
			return NULL;
		}
		if (*p < end && (**p == ' ' || **p == '\t'))
			return NULL;
		colon = memchr(line.p, ':', line.n);
		if (!colon)
			continue;
		name = sip_str_of(line.p, colon);
		while (name.n && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
			name.n--;
		if (!is_method_text(name)) /* a token, as methods are */
			continue;
		why = take_header(r, name, sip_trim(sip_str_of(colon + 1, line.p + line.n)));
		if (why)
			return why;
	}
	return NULL;
}

static const char *take_cseq(struct reading *r)
{
	struct sip_str s = r->cseq, method;
	struct sip_msg *m = &r->m;
	uint64_t v;
	size_t i = 0;

	while (i < s.n && sip_is_digit(s.p[i]))
		i++;
	if (!i || i == s.n || !sip_is_lws(s.p[i]))
		return "CSeq is not a number and a method";
	if (!sip_number((struct sip_str){ s.p, i }, UINT32_MAX, &v))
		return "CSeq number is too large";
	method = sip_trim(sip_str_of(s.p + i, s.p + s.n));
	if (!is_method_text(method))
		return "CSeq is not a number and a method";
	m->cseq = (uint32_t)v;
	if (m->request)
		return method.n == m->method_text.n && !memcmp(method.p, m->method_text.p, method.n) ?
			       NULL : "CSeq names another method than the request";
	m->method_text = method;
	m->method = method_of(method);
	return NULL;
}

static const char *mandatory(struct reading *r)
{
	struct sip_msg *m = &r->m;

	if (!m->call_id.n)
		return "no Call-ID";
	if (!m->from.raw.n)
		return "no From";
	if (!m->to.raw.n)
		return "no To";
	if (!r->cseq.n)
		return "no CSeq";
	sip_addr_parse(m->from.raw, &m->from);
	sip_addr_parse(m->to.raw, &m->to);
	return take_cseq(r);
}

/* RFC 3261 allows a NUL in a quoted pair ("\<NUL>"), nowhere else before the body. */
static bool has_nul(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && (p = memchr(p, 0, (size_t)(end - p)))) {
		if (p == start || p[-1] != '\\')
			return true;
		p++;
	}
	return false;
}

/*
 * Body by Content-Length. One that is not a number leaves a datagram readable
 * (its end is known) but a stream not: nobody could tell where the next message starts.
 */
static int take_body(struct reading *r, const char *buf, const char *body, size_t left, bool stream)
{
	struct sip_msg *m = &r->m;
	uint64_t v = 0;

	m->has_content_length = r->length.p && sip_number(r->length, UINT32_MAX, &v);
	m->content_length = (uint32_t)v;
	if (stream && r->length.p && !m->has_content_length) {
		r->why = "Content-Length is not a number";
		return -EBADMSG;
	}
	if (!m->has_content_length)
		v = stream ? 0 : left;
	m->size = (size_t)(body - buf) + (size_t)v;
	if (v > left) {
		if (stream)
			return -EAGAIN;
		m->body_cut = true;
		m->size = (size_t)(body - buf) + left;
		v = left;
	}
	m->body = (struct sip_str){ body, (size_t)v };
	return 0;
}

/* Reads everything but the body. 0, -EAGAIN, -EBADMSG; *ret_body: behind the headers. */
static int read_head(struct reading *r, const char *buf, const char *p, const char *end, bool stream,
		     const char **ret_body)
{
	const char *head = p;
	struct sip_str line;
	bool complete;
	uint64_t v;

	if (!sip_line(&p, end, &line)) {
		if (stream)
			return -EAGAIN;
		r->why = "first line is neither a request nor a status line";
		return -EBADMSG;
	}
	r->why = start_line(line, &r->m);
	if (r->why)
		return -EBADMSG;
	if (stream && !sip_head_end(head, (size_t)(end - head), 0))
		return -EAGAIN;
	r->why = headers(r, &p, end, &complete);
	if (!r->why && has_nul(head, p))
		r->why = "NUL byte in the headers";
	if (!r->why)
		r->why = mandatory(r);
	if (r->why) {
		if (complete && sip_number(r->length, UINT32_MAX, &v))
			r->m.size = (size_t)(p - buf) + (size_t)v;
		return -EBADMSG;
	}
	if (!complete)
		r->m.body_cut = true;
	*ret_body = complete ? p : end;
	return 0;
}

int sip_parse(const char *buf, size_t len, bool stream, const struct sip_extra *extra,
	      struct sip_msg *ret, const char **ret_why)
{
	struct reading r = { .extra = extra, .m.wanted = extra };
	const char *p = buf, *end = buf + len, *body;
	int err;

	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	if (p == end && stream) {
		ret->size = 0;
		return -EAGAIN;
	}
	err = read_head(&r, buf, p, end, stream, &body);
	if (!err)
		err = take_body(&r, buf, body, (size_t)(end - body), stream);
	if (!err) {
		*ret = r.m;
		return 0;
	}
	ret->size = r.m.size;
	if (err == -EBADMSG)
		*ret_why = r.why;
	return err;
}

const char *sip_method_name(enum sip_method m)
{
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (methods[i].method == m)
			return methods[i].name;
	return "OTHER";
}

struct sip_str sip_extra_value(const struct sip_msg *m, const char *name)
{
	size_t i;

	for (i = 0; m->wanted && i < m->wanted->n && i < SIP_EXTRA_MAX; i++)
		if (strcasecmp(m->wanted->name[i], name) == 0)
			return m->extra[i];
	return (struct sip_str){ NULL, 0 };
}
