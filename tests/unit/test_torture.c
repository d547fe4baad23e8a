/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_torture.c - the 49 situations of RFC 4475, each with what a recorder does
 *
 * The messages are our own, one for each section of the RFC, under its names. An
 * endpoint that refuses makes the sender try again; a recorder that refuses loses
 * a call it must keep or goes on recording after its BYE. So what is odd is taken,
 * and only what two readers could understand as two calls is refused.
 *
 * With a directory as argument the messages are written there (for the fuzz corpus).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sip/sip.h"

#define N	  "\r\n"
#define VIA	  "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKt1" N
#define FROM	  "From: <sip:caller@example.net>;tag=f1" N
#define TO	  "To: <sip:callee@example.com>" N
#define ID	  "Call-ID: torture.1@192.0.2.1" N
#define LEN0	  "Content-Length: 0" N N
#define HEAD(m)	  VIA FROM TO ID "CSeq: 7 " m N "Max-Forwards: 70" N
#define SDP	  "v=0" N "o=- 1 1 IN IP4 192.0.2.1" N "s=-" N "c=IN IP4 192.0.2.1" N "t=0 0" N "m=audio 4000 RTP/AVP 0" N
#define SDP_LEN	  "87"
#define T10(x)	  x x x x x x x x x x
#define T50(x)	  T10(x) T10(x) T10(x) T10(x) T10(x)
#define OPT	  "OPTIONS sip:callee@example.com SIP/2.0" N
#define INV	  "INVITE sip:callee@example.com SIP/2.0" N

struct want {
	enum sip_method method;
	unsigned status;
	const char *from_user, *to_user, *ruri_user, *branch; /* NULL: not looked at; "" absent */
	int body; /* bytes, -1: not looked at */
	bool cut;
};

static const struct {
	const char *section, *name;
	const char *bytes;
	size_t n;
	const char *why; /* refused as a datagram; NULL: taken */
	const char *stream_why; /* refused as a stream; "more": asks for more bytes; NULL: as the datagram */
	struct want want;
} torture[] = {
#define MSG(section, name, text) section, name, text, sizeof(text) - 1
	{ MSG("3.1.1.1", "wsinv",
	      "INVITE sip:callee@example.com;par=1 SIP/2.0" N "TO :" N " sip:callee@example.com ;   tag    = 19n" N
	      "from   : \"C \\\\\\\"\"       <sip:caller@example.net>" N "  ;" N "  tag = 98" N "MaX-fOrWaRdS: 0068" N
	      "Call-ID: wsinv.1@192.0.2.1" N "Content-Length   : " SDP_LEN N "cseq: 0009" N "  INVITE" N
	      "Via  : SIP  /   2.0" N " /UDP" N "    192.0.2.2;branch=top" N "s :" N "NewFangledHeader:   new" N
	      " continued" N "Odd: ;;,,;;,;" N "Content-Type: application/sdp" N "Route:" N
	      " <sip:services.example.com;lr;unknown=v;novalue>" N
	      "v:  SIP  / 2.0  / TCP     h.example.com   ;" N "  branch  =   second  ," N
	      " SIP  /    2.0   / UDP  192.0.2.9   ; branch=" N " third" N
	      "m:\"Quoted \\\"\\\"\" <sip:c@example.com> ; newparam =" N "      newvalue ;" N "  second ; q = 0.33" N N SDP),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", "top", 87, false } },
	{ MSG("3.1.1.2", "intmeth",
	      "!odd!method.%*_+`'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,password*is$(too)@example.com SIP/2.0" N
	      "Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bK-.!%66*_+`'~" N
	      "To: \"BEL:\\\x07 NUL:\\\0 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>" N
	      "From: t1~ t2! <sip:odd%20user'!*@example.com>;tag=_token~1'+`*%!-." N
	      "Call-ID: odd%Z.(~)<>:\\\"/[]?{}" N "CSeq: 13930 !odd!method.%*_+`'~" N
	      "extensionHeader-!.%*+_`'~:\xef\xbb\xbf\xe5\xa4\xa7" N LEN0),
	  NULL, NULL, { SIP_M_OTHER, 0, "odd%20user'!*", "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
			"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "z9hG4bK-.!%66*_+`'~", 0, false } },
	{ MSG("3.1.1.3", "esc01",
	      "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0" N VIA "To: sip:%75se%72@example.com" N
	      "From: <sip:I%20have%20spaces@example.net>;tag=938" N ID "CSeq: 7 INVITE" N
	      "Contact: <sip:c@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>" N LEN0),
	  NULL, NULL, { SIP_M_INVITE, 0, "I%20have%20spaces", "%75se%72", "sips%3Auser%40example.com", NULL, 0, false } },
	{ MSG("3.1.1.4", "escnull",
	      "REGISTER sip:example.com SIP/2.0" N VIA "To: sip:null-%00-null@example.com" N
	      "From: sip:null-%00-null@example.com;tag=839" N ID "CSeq: 7 REGISTER" N
	      "Contact: <sip:%00@host5.example.com>" N "Contact: <sip:%00%00@host5.example.com>" N LEN0),
	  NULL, NULL, { SIP_M_REGISTER, 0, "null-%00-null", "null-%00-null", "", NULL, 0, false } },
	{ MSG("3.1.1.5", "esc02",
	      "RE%47IST%45R sip:registrar.example.com SIP/2.0" N VIA "To: \"%Z%45\" <sip:resource@example.com>" N
	      "From: \"%Z%45\" <sip:resource@example.com>;tag=f232" N ID "CSeq: 29344 RE%47IST%45R" N
	      "Contact: <sip:alias1@host1.example.com>" N LEN0),
	  NULL, NULL, { SIP_M_OTHER, 0, "resource", "resource", "", NULL, 0, false } },
	{ MSG("3.1.1.6", "lwsdisp",
	      OPT VIA TO "From: caller<sip:caller@example.net>;tag=323" N ID "CSeq: 60 OPTIONS" N LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "callee", "callee", NULL, 0, false } },
	{ MSG("3.1.1.7", "longreq",
	      INV "To: \"I have a user name of " T50("extreme ") "length\" <sip:callee@example.com:6000;u1=" T50("long")
	      ";short=1>" N "F: sip:caller@example.net;tag=" T50("12") "x;u" T50("n") "=v" T50("v") N
	      "Call-ID: longreq.one" T50("really") "longcallid" N "CSeq: 3882340 INVITE" N
	      "Unknown-" T50("Long") "-Name: unknown-" T50("long") "-value" N
	      "Via: SIP/2.0/TCP sip33.example.com" N "v: SIP/2.0/TCP sip32.example.com" N T50("V: SIP/2.0/TCP spix.example.com" N)
	      "Max-Forwards: 70" N "Contact: <sip:" T10("amazinglylong") "caller@host5.example.net>" N
	      "Content-Type: application/sdp" N "l: " SDP_LEN N N SDP),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", "", 87, false } },
	{ MSG("3.1.1.8", "dblreq",
	      "REGISTER sip:example.com SIP/2.0" N HEAD("REGISTER") LEN0 INV HEAD("INVITE")
	      "Content-Type: application/sdp" N "Content-Length: " SDP_LEN N N SDP),
	  NULL, NULL, { SIP_M_REGISTER, 0, "caller", "callee", "", NULL, 0, false } },
	{ MSG("3.1.1.9", "semiuri",
	      "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0" N VIA FROM "To: sip:j_user@example.com" N ID
	      "CSeq: 8 OPTIONS" N LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "j_user", "user;par=u%40example.net", NULL, 0, false } },
	{ MSG("3.1.1.10", "transports",
	      OPT TO FROM ID "CSeq: 60 OPTIONS" N "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkd" N
	      "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bK2" N "Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK3" N
	      "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bK4" N "Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK5" N LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "callee", "callee", "z9hG4bKkd", 0, false } },
	{ MSG("3.1.1.11", "mpart01",
	      "MESSAGE sip:callee@example.com SIP/2.0" N HEAD("MESSAGE")
	      "Content-Type: multipart/mixed;boundary=7a9c" N "Content-Length: 113" N N
	      "--7a9c" N "Content-Type: text/plain" N N "Hello" N "--7a9c" N
	      "Content-Type: application/octet-stream" N N "\x30\x82\0\0\xff\r\n\n" N "--7a9c--" N),
	  NULL, NULL, { SIP_M_MESSAGE, 0, "caller", "callee", "callee", NULL, 113, false } },
	{ MSG("3.1.1.12", "unreason",
	      "SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe \xd1\x81\xd1\x82\xd0\xbe" N HEAD("INVITE") LEN0),
	  NULL, NULL, { SIP_M_INVITE, 200, "caller", "callee", NULL, NULL, 0, false } },
	{ MSG("3.1.1.13", "noreason", "SIP/2.0 100 " N HEAD("INVITE") LEN0),
	  NULL, NULL, { SIP_M_INVITE, 100, "caller", "callee", NULL, NULL, 0, false } },

	{ MSG("3.1.2.1", "badinv01",
	      INV FROM TO ID "CSeq: 0 INVITE" N "Via: SIP/2.0/UDP 192.0.2.15;;,;,," N
	      "Contact: \"Joe\" <sip:joe@example.org>;;;;" N "Content-Length: " SDP_LEN N "Content-Type: application/sdp" N N SDP),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", "", 87, false } },
	{ MSG("3.1.2.2", "clerr",
	      INV HEAD("INVITE") "Content-Type: application/sdp" N "Content-Length: 9999" N N SDP),
	  NULL, "more", { SIP_M_INVITE, 0, "caller", "callee", "callee", NULL, 87, true } },
	{ MSG("3.1.2.3", "ncl",
	      INV HEAD("INVITE") "Content-Type: application/sdp" N "Content-Length: -999" N N SDP),
	  NULL, "Content-Length is not a number", { SIP_M_INVITE, 0, "caller", "callee", "callee", NULL, 87, false } },
	{ MSG("3.1.2.4", "scalar02",
	      "REGISTER sip:example.com SIP/2.0" N "Via: SIP/2.0/TCP h.example.com;branch=z9hG4bKj" N FROM TO ID
	      "CSeq: 36893488147419103232 REGISTER" N "Max-Forwards: 300" N "Expires: 1000000000000000000000" N LEN0),
	  "CSeq number is too large", NULL, { 0 } },
	{ MSG("3.1.2.5", "scalarlg",
	      "SIP/2.0 503 Service Unavailable" N VIA FROM TO ID "CSeq: 9292394834772304023312 OPTIONS" N
	      "Retry-After: 949302838503028349304023988" N "Warning: 1812 h \"x\"" N LEN0),
	  "CSeq number is too large", NULL, { 0 } },
	{ MSG("3.1.2.6", "quotbal",
	      INV VIA FROM "To: \"Mr. J. User <sip:j.user@example.com>" N ID "CSeq: 7 INVITE" N LEN0),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "j.user", "callee", NULL, 0, false } },
	{ MSG("3.1.2.7", "ltgtruri", "INVITE <sip:callee@example.com> SIP/2.0" N HEAD("INVITE") LEN0),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", NULL, 0, false } },
	{ MSG("3.1.2.8", "lwsruri", "INVITE sip:callee@example.com; lr SIP/2.0" N HEAD("INVITE") LEN0),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", NULL, 0, false } },
	{ MSG("3.1.2.9", "lwsstart", "INVITE  sip:callee@example.com  SIP/2.0" N HEAD("INVITE") LEN0),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", NULL, 0, false } },
	{ MSG("3.1.2.10", "trws", "OPTIONS sip:callee@example.com SIP/2.0  " N HEAD("OPTIONS") LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "callee", "callee", NULL, 0, false } },
	{ MSG("3.1.2.11", "escruri",
	      "INVITE sip:callee@example.com?Route=%3Csip:example.com%3E SIP/2.0" N HEAD("INVITE") LEN0),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", NULL, 0, false } },
	{ MSG("3.1.2.12", "baddate", INV HEAD("INVITE") "Date: Fri, 01 Jan 2010 16:00:00 EST" N LEN0),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", NULL, 0, false } },
	{ MSG("3.1.2.13", "regbadct",
	      "REGISTER sip:example.com SIP/2.0" N HEAD("REGISTER") "Contact: sip:user@example.com?Route=%3Csip:s.example.com%3E" N LEN0),
	  NULL, NULL, { SIP_M_REGISTER, 0, "caller", "callee", "", NULL, 0, false } },
	{ MSG("3.1.2.14", "badaspec",
	      OPT VIA FROM "To: \"Watson, Thomas\" < sip:t.watson@example.org >" N ID "CSeq: 7 OPTIONS" N LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "t.watson", "callee", NULL, 0, false } },
	{ MSG("3.1.2.15", "baddn",
	      OPT VIA "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43" N
	      "To: Watson, Thomas <sip:t.watson@example.org>" N ID "CSeq: 7 OPTIONS" N LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "a.g.bell", "t.watson", "callee", NULL, 0, false } },
	{ MSG("3.1.2.16", "badvers", "OPTIONS sip:callee@example.com SIP/7.0" N HEAD("OPTIONS") LEN0),
	  "SIP version is not 2.0", NULL, { 0 } },
	{ MSG("3.1.2.17", "mismatch01", OPT HEAD("INVITE") LEN0),
	  "CSeq names another method than the request", NULL, { 0 } },
	{ MSG("3.1.2.18", "mismatch02", "NEWMETHOD sip:callee@example.com SIP/2.0" N HEAD("INVITE") LEN0),
	  "CSeq names another method than the request", NULL, { 0 } },
	{ MSG("3.1.2.19", "bigcode", "SIP/2.0 4294967301 better not break the receiver" N HEAD("INVITE") LEN0),
	  "status code is not in 100..699", NULL, { 0 } },

	{ MSG("3.2.1", "badbranch",
	      OPT "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" N FROM TO ID "CSeq: 7 OPTIONS" N LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "callee", "callee", "z9hG4bK", 0, false } },

	{ MSG("3.3.1", "insuf", INV "CSeq: 193942 INVITE" N VIA "Content-Type: application/sdp" N "l: " SDP_LEN N N SDP),
	  "no Call-ID", NULL, { 0 } },
	{ MSG("3.3.2", "unkscm", "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0" N HEAD("OPTIONS") LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "callee", "", NULL, 0, false } },
	{ MSG("3.3.3", "novelsc", "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0" N HEAD("OPTIONS") LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "callee", "", NULL, 0, false } },
	{ MSG("3.3.4", "unksm2",
	      "REGISTER sip:example.com SIP/2.0" N VIA "To: isbn:2983792873" N "From: <http://www.example.com>;tag=3" N ID
	      "CSeq: 7 REGISTER" N "Contact: <name:John_Smith>" N LEN0),
	  NULL, NULL, { SIP_M_REGISTER, 0, "", "", "", NULL, 0, false } },
	{ MSG("3.3.5", "bext01",
	      OPT HEAD("OPTIONS") "Require: nothingSupportsThis, nothingSupportsThisEither" N
	      "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis" N LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "callee", "callee", NULL, 0, false } },
	{ MSG("3.3.6", "invut",
	      INV HEAD("INVITE") "Content-Type: application/unknownformat" N "Content-Length: 12" N N "<audio>\r\n</>"),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", NULL, 12, false } },
	{ MSG("3.3.7", "regaut01",
	      "REGISTER sip:example.com SIP/2.0" N HEAD("REGISTER") "Authorization: NoOneKnowsThisScheme opaque-data=here" N LEN0),
	  NULL, NULL, { SIP_M_REGISTER, 0, "caller", "callee", "", NULL, 0, false } },
	{ MSG("3.3.8", "multi01",
	      INV VIA "Max-Forwards: 70" N "CSeq: 5 INVITE" N "Call-ID: one@h" N "Call-ID: two@h" N FROM
	      "From: <sip:other@example.net>;tag=f2" N TO "CSeq: 59 INVITE" N LEN0),
	  "two different Call-ID", NULL, { 0 } },
	{ MSG("3.3.9", "mcl01",
	      OPT HEAD("OPTIONS") "Content-Length: 13" N "Content-Length: 5" N N "There's no way to know how many octets are supposed to be here." N),
	  "two different Content-Length", NULL, { 0 } },
	{ MSG("3.3.10", "bcast",
	      "SIP/2.0 200 OK" N "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923" N
	      "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23" N FROM TO ID "CSeq: 7 INVITE" N
	      "Content-Type: application/sdp" N "Content-Length: " SDP_LEN N N SDP),
	  NULL, NULL, { SIP_M_INVITE, 200, "caller", "callee", NULL, "z9hG4bK1324923", 87, false } },
	{ MSG("3.3.11", "zeromf", OPT VIA FROM TO ID "CSeq: 7 OPTIONS" N "Max-Forwards: 0" N LEN0),
	  NULL, NULL, { SIP_M_OPTIONS, 0, "caller", "callee", "callee", NULL, 0, false } },
	{ MSG("3.3.12", "cparam01",
	      "REGISTER sip:example.com SIP/2.0" N HEAD("REGISTER") "Contact: sip:+19725552222@gw1.example.net;unknownparam" N LEN0),
	  NULL, NULL, { SIP_M_REGISTER, 0, "caller", "callee", "", NULL, 0, false } },
	{ MSG("3.3.13", "cparam02",
	      "REGISTER sip:example.com SIP/2.0" N HEAD("REGISTER") "Contact: <sip:+19725552222@gw1.example.net;unknownparam>" N LEN0),
	  NULL, NULL, { SIP_M_REGISTER, 0, "caller", "callee", "", NULL, 0, false } },
	{ MSG("3.3.14", "regescrt",
	      "REGISTER sip:example.com SIP/2.0" N HEAD("REGISTER") "Contact: <sip:user@example.com?Route=%3Csip:s.example.com%3E>" N LEN0),
	  NULL, NULL, { SIP_M_REGISTER, 0, "caller", "callee", "", NULL, 0, false } },
	{ MSG("3.3.15", "sdp01",
	      INV HEAD("INVITE") "Accept: text/nobodyKnowsThis" N "Content-Type: application/sdp" N "Content-Length: " SDP_LEN N N SDP),
	  NULL, NULL, { SIP_M_INVITE, 0, "caller", "callee", "callee", NULL, 87, false } },

	{ MSG("3.4.1", "inv2543",
	      INV "Via: SIP/2.0/UDP iftgw.example.com" N "From: <sip:+13035551111@ift.client.example.net;user=phone>" N
	      "Record-Route: <sip:callee@example.com;maddr=192.0.2.1>" N "To: sip:+16505552222@ss1.example.net;user=phone" N
	      "Call-ID: inv2543.1717@ift.client.example.com" N "CSeq: 56 INVITE" N "Content-Type: application/sdp" N N SDP),
	  NULL, NULL, { SIP_M_INVITE, 0, "+13035551111", "+16505552222", "callee", "", -1, false } },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void same(const char *name, const char *what, struct sip_str s, const char *want)
{
	if (want && !(want[0] ? sip_str_eq(s, want) : !s.n))
		fail_msg("%s: %s is '%.*s'", name, what, (int)s.n, s.p ? s.p : "");
}

static void check_taken(size_t i, const struct sip_msg *m)
{
	const struct want *w = &torture[i].want;
	const char *name = torture[i].name;

	if (m->method != w->method || m->status != w->status || m->request != !w->status)
		fail_msg("%s: method %d status %u", name, m->method, m->status);
	same(name, "From", m->from.uri.user, w->from_user);
	same(name, "To", m->to.uri.user, w->to_user);
	same(name, "Request-URI", m->ruri.user, w->ruri_user);
	same(name, "branch", m->via_branch, w->branch);
	if (w->body >= 0 && m->body.n != (size_t)w->body)
		fail_msg("%s: body of %zu bytes", name, m->body.n);
}

static void datagrams(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(torture); i++) {
		const char *why = NULL;
		struct sip_msg m;
		int r = sip_parse(torture[i].bytes, torture[i].n, false, NULL, &m, &why);

		if (torture[i].why) {
			if (r != -EBADMSG || strcmp(why, torture[i].why))
				fail_msg("%s: %d %s", torture[i].name, r, why ? why : "taken");
			continue;
		}
		if (r)
			fail_msg("%s: refused, %s", torture[i].name, why);
		check_taken(i, &m);
		if (m.body_cut != torture[i].want.cut)
			fail_msg("%s: cut %d", torture[i].name, m.body_cut);
	}
}

static void streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(torture); i++) {
		const char *want = torture[i].stream_why ? torture[i].stream_why : torture[i].why;
		const char *why = "taken";
		struct sip_msg m;
		int r = sip_parse(torture[i].bytes, torture[i].n, true, NULL, &m, &why);

		if (r == -EAGAIN)
			why = "more";
		if (strcmp(why, want ? want : "taken"))
			fail_msg("%s: %s", torture[i].name, why);
		if (!r && torture[i].want.body >= 0)
			check_taken(i, &m);
	}
}

/* No byte of a datagram that is cut anywhere makes a header out of half a one. */
static void cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(torture); i++) {
		for (size_t n = 0; n < torture[i].n; n++) {
			const char *why = NULL;
			struct sip_msg m;

			if (sip_parse(torture[i].bytes, n, false, NULL, &m, &why)) {
				assert_non_null(why);
				continue;
			}
			if (m.size > n || !m.size)
				fail_msg("%s: %zu of %zu bytes", torture[i].name, m.size, n);
			if (torture[i].why) /* what it is refused for may lie behind the cut */
				continue;
			same(torture[i].name, "From", m.from.uri.user, torture[i].want.from_user);
			same(torture[i].name, "To", m.to.uri.user, torture[i].want.to_user);
		}
	}
}

static void all_there(void **state)
{
	(void)state;
	assert_int_equal(COUNT(torture), 49);
	for (size_t i = 0; i < COUNT(torture); i++)
		for (size_t k = i + 1; k < COUNT(torture); k++)
			if (!strcmp(torture[i].name, torture[k].name))
				fail_msg("%s twice", torture[i].name);
}

/* The second request of the datagram of 3.1.1.8 is there for a stream. */
static void double_request(void **state)
{
	const char *why = NULL;
	struct sip_msg m;
	size_t i = 0;

	(void)state;
	while (strcmp(torture[i].name, "dblreq"))
		i++;
	assert_int_equal(sip_parse(torture[i].bytes, torture[i].n, true, NULL, &m, &why), 0);
	assert_int_equal(sip_parse(torture[i].bytes + m.size, torture[i].n - m.size, true, NULL, &m, &why), 0);
	assert_int_equal(m.method, SIP_M_INVITE);
	assert_int_equal(sip_sdp_body(&m).n, 87);
}

static int write_all(const char *dir)
{
	for (size_t i = 0; i < COUNT(torture); i++) {
		char path[4096];
		FILE *f;

		snprintf(path, sizeof(path), "%s/rfc4475-%s", dir, torture[i].name);
		f = fopen(path, "wb");
		if (!f || fwrite(torture[i].bytes, 1, torture[i].n, f) != torture[i].n || fclose(f)) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_there),	  cmocka_unit_test(datagrams), cmocka_unit_test(streams),
		cmocka_unit_test(double_request), cmocka_unit_test(cut_anywhere),
	};

	if (argc == 2)
		return write_all(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
