/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sip.c - URIs, addresses, headers, bodies and limits of the SIP reader, by table */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/sip.h"

#define N    "\r\n"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define REQ  "INVITE sip:b@example.com SIP/2.0" N
#define VIA  "Via: SIP/2.0/UDP h;branch=z1" N
#define FROM "From: <sip:a@example.com>;tag=f" N
#define TO   "To: <sip:b@example.com>" N
#define ID   "Call-ID: 1@h" N
#define SEQ  "CSeq: 1 INVITE" N
#define MUST REQ VIA FROM TO ID SEQ

static void want_str(const char *what, const char *name, struct sip_str s, const char *want)
{
	if (want ? !sip_str_eq(s, want) && (want[0] || s.n) : s.p != NULL)
		fail_msg("%s: %s is '%.*s', not '%s'", what, name, (int)s.n, s.p ? s.p : "", want ? want : "(none)");
}

/* The text in memory of exactly its size, so that ASan sees one byte too far. */
static char *exact(const char *text, size_t n)
{
	char *p = malloc(n ? n : 1);

	assert_non_null(p);
	memcpy(p, text, n);
	return p;
}

/* ---- URIs ---- */

static const struct {
	const char *text;
	int ret;
	const char *scheme, *user, *host;
	unsigned port;
	const char *context;
} uris[] = {
	{ "sip:a@example.com", 0, "sip", "a", "example.com", 0, NULL },
	{ "<sip:a@example.com>", 0, "sip", "a", "example.com", 0, NULL },
	{ " <sip:a@example.com> ", 0, "sip", "a", "example.com", 0, NULL },
	{ "SIPS:a@example.com:5061", 0, "SIPS", "a", "example.com", 5061, NULL },
	{ "sip:example.com", 0, "sip", "", "example.com", 0, NULL },
	{ "sip:example.com:5060;transport=tcp", 0, "sip", "", "example.com", 5060, NULL },
	{ "sip:a:secret@192.0.2.1:5080;lr", 0, "sip", "a", "192.0.2.1", 5080, NULL },
	{ "sip:a@[2001:db8::1]:5060", 0, "sip", "a", "2001:db8::1", 5060, NULL },
	{ "sip:a@[2001:db8::1]", 0, "sip", "a", "2001:db8::1", 0, NULL },
	{ "sip:[::1];lr", 0, "sip", "", "::1", 0, NULL },
	{ "sip:+4570100001@gw.example;user=phone", 0, "sip", "+4570100001", "gw.example", 0, NULL },
	{ "sip:+4570100001;npdi;rn=+45@gw.example", 0, "sip", "+4570100001", "gw.example", 0, NULL },
	{ "sip:70100001;phone-context=+45@gw;user=phone", 0, "sip", "70100001", "gw", 0, "+45" },
	{ "sip:alice;x=1@gw;user=phone", 0, "sip", "alice", "gw", 0, NULL },
	{ "sip:alice;x=1@gw", 0, "sip", "alice;x=1", "gw", 0, NULL },
	{ "sip:a%20b@h?Subject=x%40y", 0, "sip", "a%20b", "h", 0, NULL },
	{ "sip:*31*70100001#@h", 0, "sip", "*31*70100001#", "h", 0, NULL },
	{ "tel:+45-7010-0001", 0, "tel", "+45-7010-0001", "", 0, NULL },
	{ "tel:7042;phone-context=example.com;isub=1", 0, "tel", "7042", "", 0, "example.com" },
	{ "TEL:+4570100001;ext=5", 0, "TEL", "+4570100001", "", 0, NULL },
	{ "urn:service:sos", 0, "urn", "", "", 0, NULL },
	{ "http://h/x", 0, "http", "", "", 0, NULL },
	{ "", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip", -EINVAL, 0, 0, 0, 0, 0 },
	{ ":a@b", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:@h", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:a@", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:a@b@c", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:a b@h", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:a<b@h", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:a@h:70000", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:a@h:x", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:a@[::1", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:a@[::1]x", -EINVAL, 0, 0, 0, 0, 0 },
	{ "sip:a@h/../x", -EINVAL, 0, 0, 0, 0, 0 },
	{ "s ip:a@h", -EINVAL, 0, 0, 0, 0, 0 },
	{ "tel:", -EINVAL, 0, 0, 0, 0, 0 },
	{ "tel:+45 70", -EINVAL, 0, 0, 0, 0, 0 },
	{ "tel:+45@h", -EINVAL, 0, 0, 0, 0, 0 },
};

static void uri_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(uris); i++) {
		size_t n = strlen(uris[i].text);
		char *p = exact(uris[i].text, n);
		struct sip_uri u = { .port = 1 };

		assert_int_equal(sip_uri_parse(p, n, &u), uris[i].ret);
		if (uris[i].ret) {
			assert_int_equal(u.port, 1); /* untouched */
		} else {
			want_str(uris[i].text, "scheme", u.scheme, uris[i].scheme);
			want_str(uris[i].text, "user", u.user, uris[i].user);
			want_str(uris[i].text, "host", u.host, uris[i].host);
			want_str(uris[i].text, "context", u.phone_context, uris[i].context);
			assert_int_equal(u.port, uris[i].port);
		}
		free(p);
	}
}

/* ---- From and To ---- */

static const struct {
	const char *text, *user, *tag;
} addresses[] = {
	{ "<sip:a@h>;tag=1", "a", "1" },
	{ "sip:a@h;tag=1", "a", "1" }, /* addr-spec: parameters are the header's */
	{ "sip:a@h", "a", NULL },
	{ "\"A\" <sip:a@h>;tag=1", "a", "1" },
	{ "A B<sip:a@h> ; TAG = 1 ", "a", "1" },
	{ "\"x <sip:evil@h>;tag=9\" <sip:a@h>;tag=1", "a", "1" },
	{ "\"q \\\" <sip:evil@h>;tag=9\" <sip:a@h>;tag=1", "a", "1" },
	{ "\"back\\\\\" <sip:a@h>;tag=1", "a", "1" },
	{ "<sip:a@h;tag=uri>;tag=1", "a", "1" }, /* a parameter of the URI is not the tag */
	{ "<sip:a@h;tag=uri>", "a", NULL },
	{ "<sip:a@h>;x=\"tag=9;tag=8\";tag=1", "a", "1" },
	{ "<sip:a@h>;xtag=9;tag=1;tag=2", "a", "1" },
	{ "<tel:+4570100001>;tag=1", "+4570100001", "1" },
	{ "tel:7042;phone-context=h;tag=1", "7042", "1" },
	{ "<sip:a@h", "a", NULL },
	{ "\"open <sip:a@h>;tag=1", "a", "1" },
	{ "<sip:a@h>;tag=\"quoted\"", "a", "quoted" },
	{ "<sip:a@h>" N " ;tag" N "\t= 1", "a", "1" },
	{ "garbage", "", NULL },
	{ "<>;tag=1", "", "1" },
};

static void address_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		char text[512];
		struct sip_msg m;
		const char *why;

		snprintf(text, sizeof(text), REQ VIA "f: %s" N TO ID SEQ N, addresses[i].text);
		assert_int_equal(sip_parse(text, strlen(text), false, NULL, &m, &why), 0);
		want_str(addresses[i].text, "user", m.from.uri.user, addresses[i].user);
		want_str(addresses[i].text, "tag", m.from.tag, addresses[i].tag);
		snprintf(text, sizeof(text), REQ VIA FROM "TO\t: %s" N ID SEQ N, addresses[i].text);
		assert_int_equal(sip_parse(text, strlen(text), false, NULL, &m, &why), 0);
		want_str(addresses[i].text, "user", m.to.uri.user, addresses[i].user);
		want_str(addresses[i].text, "tag", m.to.tag, addresses[i].tag);
	}
}

/* ---- refused, and why ---- */

static const struct {
	const char *text, *why; /* NULL: taken */
} verdicts[] = {
	{ MUST N, NULL },
	{ N N N MUST N, NULL },
	{ "\n" MUST N, NULL },
	{ REQ FROM TO ID SEQ N, NULL }, /* no Via: odd */
	{ "INVITE sip:b@h sip/2.0\nf:<sip:a@h>\nt:<sip:b@h>\ni:1\nCSEQ:1 INVITE\n\n", NULL },
	{ MUST "no colon here" N ": no name" N "bad name: x" N "(x): y" N N, NULL },
	{ REQ FROM TO ID ID SEQ N, NULL }, /* the same line twice */
	{ REQ "From: <sip:a@h>" N "f: <sip:z@h>" N TO ID SEQ N, "two different From" },
	{ REQ FROM TO "t: <sip:z@h>" N ID SEQ N, "two different To" },
	{ REQ FROM TO ID "i: 2" N SEQ N, "two different Call-ID" },
	{ REQ FROM TO ID SEQ "cseq: 2 INVITE" N N, "two different CSeq" },
	{ MUST "Content-Length: 0" N "l: 1" N N "x", "two different Content-Length" },
	{ REQ TO ID SEQ N, "no From" },
	{ REQ FROM ID SEQ N, "no To" },
	{ REQ FROM TO SEQ N, "no Call-ID" },
	{ REQ FROM TO "Call-ID: " N SEQ N, "no Call-ID" },
	{ REQ "From:" N TO ID SEQ N, "no From" },
	{ REQ FROM TO ID N, "no CSeq" },
	{ REQ FROM TO ID "CSeq: INVITE" N N, "CSeq is not a number and a method" },
	{ REQ FROM TO ID "CSeq: 1" N N, "CSeq is not a number and a method" },
	{ REQ FROM TO ID "CSeq: 1INVITE" N N, "CSeq is not a number and a method" },
	{ REQ FROM TO ID "CSeq: -1 INVITE" N N, "CSeq is not a number and a method" },
	{ REQ FROM TO ID "CSeq: 1 INVITE x" N N, "CSeq is not a number and a method" },
	{ REQ FROM TO ID "CSeq: 4294967295 INVITE" N N, NULL },
	{ REQ FROM TO ID "CSeq: 4294967296 INVITE" N N, "CSeq number is too large" },
	{ REQ FROM TO ID "CSeq: 1 BYE" N N, "CSeq names another method than the request" },
	{ REQ FROM TO ID "CSeq: 1 invite" N N, "CSeq names another method than the request" },
	{ "SIP/2.0 200 OK" N FROM TO ID "CSeq: 1 BYE" N N, NULL },
	{ "SIP/2.0 699" N FROM TO ID SEQ N, NULL },
	{ "SIP/2.0 99 x" N FROM TO ID SEQ N, "status code is not in 100..699" },
	{ "SIP/2.0 099 x" N FROM TO ID SEQ N, "status code is not in 100..699" },
	{ "SIP/2.0 700 x" N FROM TO ID SEQ N, "status code is not in 100..699" },
	{ "SIP/2.0 2000 x" N FROM TO ID SEQ N, "status code is not in 100..699" },
	{ "SIP/2.0 2x0 x" N FROM TO ID SEQ N, "status code is not in 100..699" },
	{ "SIP/2.0" N FROM TO ID SEQ N, "status code is not in 100..699" },
	{ "SIP/1.0 200 OK" N FROM TO ID SEQ N, "SIP version is not 2.0" },
	{ "SIP/2.01 200 OK" N FROM TO ID SEQ N, "SIP version is not 2.0" },
	{ "INVITE sip:b@h SIP/3.0" N FROM TO ID SEQ N, "SIP version is not 2.0" },
	{ "INVITE sip:b@h HTTP/1.1" N FROM TO ID SEQ N, "first line is neither a request nor a status line" },
	{ "INVITE sip:b@h" N FROM TO ID SEQ N, "first line is neither a request nor a status line" },
	{ "INVITE SIP/2.0" N FROM TO ID SEQ N, "request line has no URI" },
	{ "IN(VITE sip:b@h SIP/2.0" N FROM TO ID SEQ N, "first line is neither a request nor a status line" },
	{ "junk" MUST N, "CSeq names another method than the request" },
	{ "\x01\x02" MUST N, "first line is neither a request nor a status line" },
	{ "HELLO", "first line is neither a request nor a status line" },
	{ N N, "first line is neither a request nor a status line" },
	{ "", "first line is neither a request nor a status line" },
	{ REQ, "no Call-ID" },
};

static void verdict_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		size_t n = strlen(verdicts[i].text);
		char *p = exact(verdicts[i].text, n);
		const char *why = NULL;
		struct sip_msg m;
		int r = sip_parse(p, n, false, NULL, &m, &why);

		if (verdicts[i].why ? r != -EBADMSG || strcmp(why, verdicts[i].why) : r)
			fail_msg("%zu %.30s: %d %s", i, verdicts[i].text, r, why ? why : "");
		free(p);
	}
}

static void nul_bytes(void **state)
{
	static const char head[] = REQ "Subject: a\0b" N FROM TO ID SEQ N;
	static const char start[] = "INVITE sip:b\0@h SIP/2.0" N FROM TO ID SEQ N;
	static const char quoted[] = REQ "f: \"a\\\0b\" <sip:a@h>;tag=1" N TO ID SEQ N;
	static const char body[] = MUST N "\0\0x";
	struct sip_msg m;
	const char *why;

	(void)state;
	assert_int_equal(sip_parse(head, sizeof(head) - 1, false, NULL, &m, &why), -EBADMSG);
	assert_string_equal(why, "NUL byte in the headers");
	assert_int_equal(sip_parse(start, sizeof(start) - 1, false, NULL, &m, &why), -EBADMSG);
	assert_int_equal(sip_parse(quoted, sizeof(quoted) - 1, false, NULL, &m, &why), 0);
	want_str("quoted", "tag", m.from.tag, "1");
	assert_int_equal(sip_parse(body, sizeof(body) - 1, false, NULL, &m, &why), 0);
	assert_int_equal(m.body.n, 3);
}

/* ---- every field ---- */

static void fields(void **state)
{
	static const char text[] =
		N "INVITE sip:+4570100002;rn=1@proxy.example:5070;user=phone SIP/2.0" N
		"v: SIP/2.0/TCP [2001:db8::1]:5060 ;received=192.0.2.1; branch = z9hG4bKtop, SIP/2.0/UDP b;branch=second" N
		"Via: SIP/2.0/UDP c;branch=third" N "f: \"A, B\" <sip:a@h>;tag=ft" N "t: <tel:+4570100002>;tag=tt" N
		"i: abc@h" N "CSeq:\t314159  INVITE" N "m: <sip:a@192.0.2.1>;q=1" N
		"P-Asserted-Identity: \"A, B\" <sip:+4570100001@h;user=phone>, <tel:+4570100001>" N
		"P-Preferred-Identity: <sip:no@h>" N "p-asserted-identity: sip:third@h,,<sip:fourth@h>,<sip:fifth@h>" N
		"Privacy: critical; ID" N "Session-ID: ab12;remote=00" N "Replaces: x@h;to-tag=1;from-tag=2" N
		"X-Agent:  agent" N "  seven " N "X-Agent: second" N "s: hello" N
		"c: Multipart/Mixed ; boundary=\"b;1\"" N "Content-Length: 4" N N "bodyEXTRA";
	static const struct sip_extra extra = { { "x-agent", "Subject", "X-None" }, 3 };
	struct sip_msg m;
	const char *why;

	(void)state;
	assert_int_equal(sip_parse(text, sizeof(text) - 1, false, &extra, &m, &why), 0);
	assert_true(m.request && m.method == SIP_M_INVITE && m.cseq == 314159 && !m.status);
	want_str("f", "method", m.method_text, "INVITE");
	want_str("f", "ruri", m.ruri_text, "sip:+4570100002;rn=1@proxy.example:5070;user=phone");
	want_str("f", "ruri user", m.ruri.user, "+4570100002");
	assert_int_equal(m.ruri.port, 5070);
	want_str("f", "branch", m.via_branch, "z9hG4bKtop");
	assert_int_equal(m.nvia, 2);
	want_str("f", "call-id", m.call_id, "abc@h");
	want_str("f", "from tag", m.from.tag, "ft");
	want_str("f", "to user", m.to.uri.user, "+4570100002");
	want_str("f", "to tag", m.to.tag, "tt");
	assert_int_equal(m.npai, SIP_PAI_MAX);
	want_str("f", "pai 0", m.pai[0].uri.user, "+4570100001");
	want_str("f", "pai 1", m.pai[1].uri.scheme, "tel");
	want_str("f", "pai 2", m.pai[2].uri.user, "third");
	want_str("f", "pai 3", m.pai[3].uri.user, "fourth");
	assert_true(m.privacy_id);
	want_str("f", "contact", m.contact, "<sip:a@192.0.2.1>;q=1");
	want_str("f", "session", m.session_id, "ab12;remote=00");
	want_str("f", "replaces", m.replaces, "x@h;to-tag=1;from-tag=2");
	want_str("f", "type", m.content_type, "Multipart/Mixed");
	want_str("f", "boundary", m.boundary, "b;1");
	want_str("f", "body", m.body, "body");
	assert_true(m.has_content_length && m.content_length == 4 && !m.body_cut);
	assert_int_equal(m.size, sizeof(text) - 1 - 5);
	want_str("f", "extra 0", m.extra[0], "agent" N "  seven");
	want_str("f", "extra 1", m.extra[1], "hello");
	want_str("f", "extra 2", m.extra[2], NULL);
}

static void privacy(void **state)
{
	static const struct {
		const char *value;
		bool hidden;
	} t[] = { { "none", false }, { "id", true }, { "user", true }, { "full", true }, { "header;session", false },
		  { "header;user;critical", true }, { "session, id", true }, { "", false }, { "identity", false } };

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char text[512];
		struct sip_msg m;
		const char *why;

		snprintf(text, sizeof(text), MUST "Privacy: %s" N N, t[i].value);
		assert_int_equal(sip_parse(text, strlen(text), false, NULL, &m, &why), 0);
		if (m.privacy_id != t[i].hidden)
			fail_msg("Privacy: %s", t[i].value);
	}
}

static void method_names(void **state)
{
	static const char *const names[] = { "OTHER", "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "INFO",
					     "REFER", "NOTIFY", "SUBSCRIBE", "REGISTER", "OPTIONS", "MESSAGE", "PUBLISH" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		char text[512];
		struct sip_msg m;
		const char *why;

		snprintf(text, sizeof(text), "%s sip:b@h SIP/2.0" N FROM TO ID "CSeq: 1 %s" N N, names[i], names[i]);
		assert_int_equal(sip_parse(text, strlen(text), false, NULL, &m, &why), 0);
		assert_int_equal(m.method, i);
		snprintf(text, sizeof(text), "SIP/2.0 487 x" N FROM TO ID "CSeq: 1 %s" N N, names[i]);
		assert_int_equal(sip_parse(text, strlen(text), false, NULL, &m, &why), 0);
		assert_true(m.method == (enum sip_method)i && !m.request && m.status == 487);
		want_str(names[i], "method", m.method_text, names[i]);
	}
}

/* ---- lengths ---- */

static void datagram_lengths(void **state)
{
	static const struct {
		const char *length;
		size_t body, size_left;
		bool cut, has;
	} t[] = {
		{ "", 10, 0, false, false },		    { "l: 10" N, 10, 0, false, true },
		{ "l: 4" N, 4, 6, false, true },	    { "l: 0" N, 0, 10, false, true },
		{ "l: 11" N, 10, 0, true, true },	    { "l: 4294967295" N, 10, 0, true, true },
		{ "l: 4294967296" N, 10, 0, false, false }, { "l: -1" N, 10, 0, false, false },
		{ "l: ten" N, 10, 0, false, false },	    { "l: 0x4" N, 10, 0, false, false },
		{ "l:" N, 10, 0, false, false },	    { "l: 00004" N, 4, 6, false, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char text[512];
		struct sip_msg m;
		const char *why;

		snprintf(text, sizeof(text), MUST "%s" N "0123456789", t[i].length);
		assert_int_equal(sip_parse(text, strlen(text), false, NULL, &m, &why), 0);
		if (m.body.n != t[i].body || m.body_cut != t[i].cut || m.has_content_length != t[i].has ||
		    m.size != strlen(text) - t[i].size_left)
			fail_msg("%s: body %zu cut %d size %zu", t[i].length, m.body.n, m.body_cut, m.size);
	}
}

static void stream_lengths(void **state)
{
	static const char text[] = N MUST "Content-Length: 10" N N "0123456789";
	static const char none[] = MUST N "0123456789";
	static const char bad[] = MUST "Content-Length: x" N N "0123456789";
	static const char refused[] = REQ FROM TO SEQ "l: 3" N N "0123456789";
	size_t all = sizeof(text) - 1;
	struct sip_msg m;
	const char *why;

	(void)state;
	for (size_t n = 0; n < all; n++) {
		char *p = exact(text, n);

		assert_int_equal(sip_parse(p, n, true, NULL, &m, &why), -EAGAIN);
		assert_int_equal(m.size, n < all - 10 ? 0 : all);
		free(p);
	}
	assert_int_equal(sip_parse(text, all, true, NULL, &m, &why), 0);
	assert_int_equal(m.size, all);
	assert_int_equal(sip_parse(none, sizeof(none) - 1, true, NULL, &m, &why), 0);
	assert_int_equal(m.body.n, 0);
	assert_int_equal(m.size, sizeof(none) - 11);
	assert_int_equal(sip_parse(bad, sizeof(bad) - 1, true, NULL, &m, &why), -EBADMSG);
	assert_string_equal(why, "Content-Length is not a number");
	assert_int_equal(sip_parse(refused, sizeof(refused) - 1, true, NULL, &m, &why), -EBADMSG);
	assert_int_equal(m.size, sizeof(refused) - 1 - 7); /* where the next one starts */
}

/* A header that the end of the datagram cuts is not used, its like before it is. */
static void cut_headers(void **state)
{
	static const char text[] = MUST "Session-ID: abcdef" N "Replaces: x@h" N " ;to-tag=1234" N;
	size_t session = strlen(MUST "Session-ID: abcdef" N), all = sizeof(text) - 1;

	(void)state;
	for (size_t n = strlen(MUST); n <= all; n++) {
		char *p = exact(text, n);
		struct sip_msg m;
		const char *why;

		assert_int_equal(sip_parse(p, n, false, NULL, &m, &why), 0);
		assert_true(m.body_cut && !m.body.n && m.size == n);
		want_str("cut", "session", m.session_id, n >= session ? "abcdef" : NULL);
		if (m.replaces.p && n > session + 15 && n < all)
			fail_msg("half a Replaces at %zu", n);
		free(p);
	}
}

/* ---- bodies ---- */

#define SDP "v=0" N "s=-" N
static const struct {
	const char *type, *body, *want;
} bodies[] = {
	{ "application/sdp", SDP, SDP },
	{ "Application / SDP;charset=utf-8", SDP, SDP },
	{ "", SDP, SDP },
	{ "", "hello", NULL },
	{ "application/sdp", "", NULL },
	{ "application/isup", SDP, NULL },
	{ "application/sdpx", SDP, NULL },
	{ "multipart/mixed;boundary=b", "--b" N "Content-Type: application/sdp" N N SDP N "--b--" N, SDP },
	{ "multipart/mixed;boundary=\"b c\"", "pre" N "--b c  " N "c:application/sdp" N N SDP N "--b c--", SDP },
	{ "multipart/mixed;boundary=b", "--b" N "Content-Type: text/plain" N N "x" N "--b" N
	  "Content-Type:" N " application/sdp" N N SDP N "--b--" N, SDP },
	{ "multipart/mixed;boundary=b", "--b\nContent-Type: application/sdp\n\nv=0\ns=-\n--b--\n", "v=0\ns=-" },
	{ "multipart/mixed;boundary=b", "--b" N "Content-Type: application/sdp" N N SDP, SDP }, /* cut */
	{ "multipart/mixed;boundary=b", "--b" N N SDP N "--b--", NULL }, /* text/plain by default */
	{ "multipart/mixed;boundary=b", "--bb" N "Content-Type: application/sdp" N N SDP N "--bb--", NULL },
	{ "multipart/mixed;boundary=b", "--b--" N "--b" N "Content-Type: application/sdp" N N SDP, NULL },
	{ "multipart/mixed", "--b" N "Content-Type: application/sdp" N N SDP N "--b--", NULL },
	{ "multipart/mixed;boundary=b", "--b" N "Content-Type: multipart/alternative;boundary=in" N N "--in" N
	  "Content-Type: application/sdp" N N SDP N "--in--" N "--b--" N, SDP },
	{ "multipart/mixed;boundary=b", "--b" N "Content-Type: multipart/mixed;boundary=c" N N "--c" N
	  "Content-Type: multipart/mixed;boundary=d" N N "--d" N "Content-Type: application/sdp" N N SDP N
	  "--d--" N "--c--" N "--b--" N, NULL }, /* two levels down */
	{ "multipart/mixed;boundary=b", "--b" N "Content-Type: application/sdp" N "Content-Disposition: early-session" N N
	  "early" N "--b" N "Content-Type: application/sdp" N N SDP N "--b--", SDP },
	{ "multipart/mixed;boundary=b", "--b" N "Content-Type: application/sdp" N "Content-Disposition: early-session" N N
	  SDP N "--b--", SDP }, /* better than nothing */
};

static void body_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		char text[1024];
		struct sip_str s;
		struct sip_msg m;
		const char *why;

		snprintf(text, sizeof(text), MUST "%s%s%sl: %zu" N N "%s", bodies[i].type[0] ? "Content-Type: " : "",
			 bodies[i].type, bodies[i].type[0] ? N : "", strlen(bodies[i].body), bodies[i].body);
		assert_int_equal(sip_parse(text, strlen(text), false, NULL, &m, &why), 0);
		s = sip_sdp_body(&m);
		if (bodies[i].want ? !sip_str_eq(s, bodies[i].want) : s.p != NULL)
			fail_msg("%zu: '%.*s'", i, (int)s.n, s.p ? s.p : "");
	}
}

static const struct {
	const char *method, *type, *body;
	char want;
} keys[] = {
	{ "INFO", "application/dtmf-relay", "Signal=5" N "Duration=160" N, '5' },
	{ "INFO", "Application/DTMF-Relay", "Duration=160\nsignal = *", '*' },
	{ "INFO", "application/dtmf-relay", "Signal=#" N, '#' },
	{ "INFO", "application/dtmf-relay", "Signal= d" N, 'D' },
	{ "INFO", "application/dtmf-relay", "Signal=10" N, '*' },
	{ "INFO", "application/dtmf-relay", "Signal=11" N, '#' },
	{ "INFO", "application/dtmf-relay", "Signal=16" N, 0 }, /* flash */
	{ "INFO", "application/dtmf-relay", "Signal=hf" N, 0 },
	{ "INFO", "application/dtmf-relay", "Signal=05" N, SIP_INFO_UNREAD },
	{ "INFO", "application/dtmf-relay", "Signal=" N, SIP_INFO_UNREAD },
	{ "INFO", "application/dtmf-relay", "Signals=5" N, SIP_INFO_UNREAD },
	{ "INFO", "application/dtmf-relay", "5", '5' },
	{ "INFO", "application/dtmf-relay", "Signal: 9" N, '9' },
	{ "INFO", "application/dtmf-relay", "", SIP_INFO_UNREAD },
	{ "INFO", "application/dtmf", "Signal=9\r\nDuration=160" N, '9' },
	{ "INFO", "application/dtmf", "7", '7' },
	{ "INFO", "application/dtmf", " A\r\n", 'A' },
	{ "INFO", "application/dtmf", "12", 'A' },
	{ "INFO", "application/dtmf", "123", SIP_INFO_UNREAD },
	{ "INFO", "application/dtmf", "x", SIP_INFO_UNREAD },
	{ "INFO", "application/dtmf", "\r\n", SIP_INFO_UNREAD },
	{ "INFO", "application/vnd.example.dtmf+xml", "<key>9</key>", SIP_INFO_UNREAD },
	{ "INFO", "application/vnd.nortelnetworks.digits", "p=Digit-Collection" N "y=Digits" N N "d=Digits=1" N, '1' },
	{ "INFO", "application/vnd.nortelnetworks.digits", "d=#", '#' },
	{ "INFO", "application/vnd.nortelnetworks.digits", "p=Digit-Collection" N, SIP_INFO_UNREAD },
	{ "INFO", "multipart/mixed;boundary=x", "--x" N "Content-Type: text/plain" N N "7" N "--x" N "Content-Type: application/dtmf-relay" N N
	  "Signal=4" N "Duration=160" N "--x--" N, '4' },
	{ "INFO", "multipart/mixed;boundary=x", "--x" N "Content-Type: application/dtmf" N N "77" N "--x--" N, SIP_INFO_UNREAD },
	{ "INFO", "multipart/mixed;boundary=x", "--x" N "Content-Type: application/broadsoft" N N "play tone" N "--x--" N, 0 },
	{ "INFO", "multipart/mixed", "--x" N "Content-Type: application/dtmf" N N "7" N "--x--" N, 0 },
	{ "INFO", "text/plain", "Signal=5" N, 0 },
	{ "MESSAGE", "application/dtmf", "5", 0 },
};

static void key_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		char text[512];
		struct sip_msg m;
		const char *why;

		snprintf(text, sizeof(text), "%s sip:b@h SIP/2.0" N FROM TO ID "CSeq: 1 %s" N "c: %s" N N "%s",
			 keys[i].method, keys[i].method, keys[i].type, keys[i].body);
		assert_int_equal(sip_parse(text, strlen(text), false, NULL, &m, &why), 0);
		if (sip_info_digit(&m) != keys[i].want)
			fail_msg("%zu", i);
	}
}

/* 64 KB of the worst kind stay linear: quadratic reading would take minutes here. */
static void long_values(void **state)
{
	static const char *const fill[] = { "<", "\"", ",", ";", "<,", ";tag", "\\", "a=\"", "@", " \r\n " };
	size_t cap = 8 << 20;
	char *text = malloc(cap);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < COUNT(fill); i++) {
		size_t n = (size_t)sprintf(text, REQ VIA TO ID SEQ "From: ");
		struct sip_msg m;
		const char *why;

		while (n + 64 < cap) {
			memcpy(text + n, fill[i], strlen(fill[i]));
			n += strlen(fill[i]);
		}
		n += (size_t)sprintf(text + n, "x" N N);
		(void)sip_parse(text, n, false, NULL, &m, &why); /* either verdict; that it ends counts */
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uri_table),	    cmocka_unit_test(address_table),
		cmocka_unit_test(verdict_table),    cmocka_unit_test(nul_bytes),
		cmocka_unit_test(fields),	    cmocka_unit_test(privacy),
		cmocka_unit_test(method_names),	    cmocka_unit_test(datagram_lengths),
		cmocka_unit_test(stream_lengths),   cmocka_unit_test(cut_headers),
		cmocka_unit_test(body_table),	    cmocka_unit_test(key_table),
		cmocka_unit_test(long_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
