/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment_talk.h - for tests of what becomes known after the INVITE: a policy of rules by queue, and one call of two parties
 * whose messages a test sends. What a test does not use is UNUSED.
 */
#ifndef SEGMENT_TALK_H
#define SEGMENT_TALK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "call/call_internal.h"
#include "optag.h"
#include "policy/members.h"

#define UNUSED __attribute__((unused))

#define TODAY 1796000000LL /* 2026-11-30 */
#define SEC   1000000000ULL
#define MS    1000000ULL
#define DOC   POLICY_DOCUMENTATION
#define TRAIN POLICY_TRAINING
#define SUBJECT OPTAG_LEG_CALLER

static const char text[] =
	"trunk t { address 10.0.0.2 queue-header X-Queue agent-header X-Agent }\n"
	"trunk ivr { address 10.0.0.9 dedicated yes }\n"
	"set own numbers { +45 7010 20* }\n"
	"announcement nf { language da link https://c.example/t elements rec doc train link object access optout then optout-key:9 "
	"text \"x\" }\n"
	"announcement nc { language da link https://c.example/t elements rec train withdraw link access key:1 text \"x\" }\n"
	"announcement nd { language da link https://c.example/t elements rec doc link object access text \"x\" }\n"
	"assessment d { kind documentation scope @own review 2027-09-01 no-other-way \"n\" factor 1 relied-on \"a\"\n"
	" factor 2 relied-on \"a\"\n factor 3 relied-on \"a\"\n factor 4 relied-on \"a\"\n factor 5 relied-on \"a\"\n"
	" factor 6 relied-on \"a\"\n}\n"
	"assessment a { kind training-amount scope @own review 2027-09-01 without-consent \"w\" }\n"
	"controller c { timezone UTC languages da numbers @own trunks ivr roles r }\n"
	"controller k { timezone UTC languages da numbers @own roles r }\n"
#define INTEREST(q) \
	"rule \"" q "\" { controller c side called called +45 7010 201* queue = " q " owner O review 2027-10-01 notice nf notice-proof attested\n" \
	" documentation { basis interest assessment d }\n" \
	" training { basis interest assessment a opt-out key 9 opt-out agent api sample 5% cap 5 per day use-within 5 days }\n" \
	" roles documentation r roles training r }\n"
#define CONSENT(q, k) \
	"rule \"" q "\" { controller " k " side called called +45 7010 201* queue = " q " owner O review 2027-10-01 notice nc notice-proof attested\n" \
	" training { basis consent assessment a consent-key 1 withdraw-key 0 sample 5% cap 5 per day use-within 5 days }\n" \
	" roles training r }\n"
#define BY_KEYS(q) \
	"rule \"" q "\" { controller c side called called +45 7010 201* queue = " q " owner O review 2027-10-01 notice nk notice-proof attested\n" \
	" documentation { basis consent assessment d consent-key 1 withdraw-key 0 }\n" \
	" training { basis interest assessment a opt-out key *9 opt-out agent api sample 5% cap 5 per day use-within 5 days }\n" \
	" roles documentation r roles training r }\n"
#define DOCUMENT(name, match) \
	"rule \"" name "\" { controller c side called " match " owner O review 2027-10-01 notice nd notice-proof attested\n" \
	" documentation { basis interest assessment d } roles documentation r }\n"
	"announcement nk { language da link https://c.example/t elements rec doc train withdraw optout then link access key:1 optout-key:*9 "
	"text \"x\" }\n"
	INTEREST("a") INTEREST("b") BY_KEYS("d1") CONSENT("c1", "c") CONSENT("c2", "c") CONSENT("k", "k")
	DOCUMENT("interest", "called +45 7010 2066")
	"set wish dynamic numbers\nnever \"wish\" { calling @wish }\n"
	"announcement law { language da link https://c.example/t elements rec doc link access text \"x\" }\n"
	"rule \"law\" { controller c side called called +45 7010 2055 owner O review 2027-10-01 notice law notice-proof attested\n"
	" documentation { basis obligation \"MiFID II art. 16(7)\" assessment d retention 5 years retention-reason \"x\" }\n"
	" decision-record 6 years roles documentation r }\n"
	DOCUMENT("media", "called +45 7010 2099 media codec PCMA") DOCUMENT("tag", "called +45 7010 2088 tag vip")
	"rule \"tt\" { controller c side called called +45 7010 2077 tag vip owner O review 2027-10-01 notice nf notice-proof attested\n"
	" documentation { basis interest assessment d }\n"
	" training { basis interest assessment a opt-out key 9 opt-out agent api sample 5% cap 5 per day use-within 5 days }\n"
	" roles documentation r roles training r }\n";

struct world {
	struct calls *cs;
	struct policy *policy;
	uint64_t now;
	unsigned matched, ended, draws, holes;
	char end[16], rule[16];
	struct uid uid, first; /* of the latest that ended, and the first */
	enum purpose_state state[2];
	const char *called, *gap;
	uint8_t verdict[2]; /* at the caller's and the callee's address */
};

UNUSED static void on_flow(void *arg, struct call *c, const struct call_endpoint *e, uint8_t v)
{
	assert_true(c->matched);
	((struct world *)arg)->verdict[e->side] = v;
}

UNUSED static void on_unflow(void *arg, struct call *c, const struct call_endpoint *e)
{
	(void)c;
	((struct world *)arg)->verdict[e->side] = 0;
}

UNUSED static void on_matched(void *arg, struct call *c)
{
	struct world *w = arg;

	assert_null(c->user);
	c->user = w;
	w->matched++;
}

UNUSED static void on_destroy(void *arg, struct call *c, enum policy_purpose p)
{
	(void)arg;
	assert_int_not_equal(c->state[p], PURPOSE_GRANTED);
}

UNUSED static void on_ended(void *arg, struct call *c)
{
	struct world *w = arg;

	assert_ptr_equal(c->user, w);
	snprintf(w->end, sizeof(w->end), "%s", c->end);
	snprintf(w->rule, sizeof(w->rule), "%s", c->rule->name);
	w->uid = c->uid;
	if (!w->ended)
		w->first = c->uid;
	memcpy(w->state, c->state, sizeof(w->state));
	assert_true(c->end_ns >= (c->answered ? c->answer_ns : c->start_ns));
	w->ended++;
}

UNUSED static uint64_t on_packets(void *arg, struct call *c)
{
	(void)c;
	return ((struct world *)arg)->now;
}

UNUSED static const char *on_draw(void *arg, struct call *c)
{
	(void)c;
	((struct world *)arg)->draws++;
	return NULL;
}

UNUSED static void on_news(void *arg, const struct call *c, const struct call_news *n)
{
	if (strcmp(n->event, "capture.gap") != 0)
		return;
	assert_true(c->matched);
	((struct world *)arg)->gap = n->reason;
}

UNUSED static struct calls_sink sink_of(struct world *w)
{
	return (struct calls_sink){ .arg = w, .flow = on_flow, .unflow = on_unflow, .matched = on_matched, .destroy = on_destroy,
				    .ended = on_ended, .packets = on_packets, .draw = on_draw, .news = on_news };
}

UNUSED static void begin(struct world *w, const char *called)
{
	struct calls_sink sink;
	struct policy_diags d = { 0 };
	struct call_limits l;

	memset(w, 0, sizeof(*w));
	sink = sink_of(w);
	call_default_limits(&l);
	w->now = (uint64_t)TODAY * SEC;
	w->called = called;
	if (policy_load_mem("t", text, strlen(text), TODAY, &d, &w->policy))
		for (size_t i = 0; i < d.n; i++)
			policy_diag_print(stderr, &d.d[i]);
	assert_non_null(w->policy);
	policy_diags_free(&d);
	assert_int_equal(calls_new(&l, &sink, &w->cs), 0);
	calls_set_policy(w->cs, w->policy);
}

UNUSED static void finish(struct world *w)
{
	calls_finish(w->cs, w->now);
	assert_int_equal(w->matched, w->ended);
	calls_free(w->cs);
	policy_free(w->policy);
}

static const struct policy *the_policy(void *arg, const char *hash)
{
	(void)hash;
	return ((struct world *)arg)->policy;
}

UNUSED static struct call *call_of(struct world *w)
{
	return calls_by_id(w->cs, "x", 1);
}

/* Another process goes on. */
UNUSED static void reborn(struct world *w)
{
	const struct calls_restore how = { w, the_policy };
	struct calls_sink sink = sink_of(w);
	struct buf b = { 0 };
	struct calls *cs;
	struct call_limits l;
	struct call *c;
	void *user = call_of(w)->user;

	call_default_limits(&l);
	assert_int_equal(calls_new(&l, &sink, &cs), 0);
	calls_set_policy(cs, w->policy);
	call_save(call_of(w), &b);
	assert_int_equal(calls_restore(cs, &how, b.p, b.len, &c), 0);
	calls_restored(cs);
	c->user = user;
	calls_free(w->cs);
	w->cs = cs;
	calls_refresh(cs, c);
	buf_free(&b);
}

static const struct sip_extra extra = { { "X-Queue", "X-Agent" }, 2 };

static bool asked_back; /* the callee's dialog side sends requests, and the caller's answers */
static uint32_t sender;	/* IPv4 address; 0: the side's own */

/* sdp: codec number of its only format; 0xff none. */
UNUSED static void send_msg(struct world *w, const char *start, bool by_callee, const char *to_tag, unsigned cseq, const char *method,
		     const char *headers, unsigned sdp)
{
	struct sigin_from from = { .ts_ns = w->now += 10 * MS };
	char b[2048], body[512] = "";
	struct sip_msg m;
	const char *why;
	int n;

	if (sdp != 0xff)
		snprintf(body, sizeof(body), "v=0\r\no=- %u 1 IN IP4 h\r\ns=-\r\nc=IN IP4 10.0.1.%u\r\nt=0 0\r\nm=audio %u RTP/AVP %u 101\r\n"
					     "a=rtpmap:101 telephone-event/8000\r\n",
			 by_callee, by_callee, 4000 + by_callee * 1000, sdp);
	n = snprintf(b, sizeof(b), "%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%u\r\n%s: <sip:+4520000000@h>;tag=a\r\n%s: <sip:%s@h>%s%s\r\n"
				   "Call-ID: x\r\nCSeq: %u %s\r\n%s%sContent-Length: %zu\r\n\r\n%s",
		     start, cseq, asked_back ? "To" : "From", asked_back ? "From" : "To", w->called, *to_tag ? ";tag=" : "", to_tag, cseq, method,
		     headers, *body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
	ipaddr_v4(sender ? sender : by_callee ? 0x0a000002 : 0x0a000001, &from.src.addr);
	ipaddr_v4(by_callee ? 0x0a000001 : 0x0a000002, &from.dst.addr);
	from.src.port = from.dst.port = 5060;
	assert_int_equal(sip_parse(b, (size_t)n, false, &extra, &m, &why), 0);
	calls_message(w->cs, &from, &m);
}

UNUSED static void ask(struct world *w, const char *method, const char *to_tag, unsigned cseq, const char *headers, unsigned sdp)
{
	char start[128];

	snprintf(start, sizeof(start), "%s sip:%s@h SIP/2.0", method, w->called);
	send_msg(w, start, false, to_tag, cseq, method, headers, sdp);
}

/* The controller's side, the called one, asks within the dialog. */
UNUSED static void own(struct world *w, const char *method, unsigned cseq, const char *headers, unsigned sdp)
{
	char start[128];

	asked_back = true;
	snprintf(start, sizeof(start), "%s sip:+4520000000@h SIP/2.0", method);
	send_msg(w, start, true, "b", cseq, method, headers, sdp);
	if (sdp != 0xff)
		send_msg(w, "SIP/2.0 200 OK", false, "b", cseq, method, "", sdp);
	asked_back = false;
}

UNUSED static void say(struct world *w, unsigned cseq, const char *headers, unsigned sdp)
{
	send_msg(w, "SIP/2.0 200 OK", true, "b", cseq, "INVITE", headers, sdp);
}

UNUSED static struct call *establish(struct world *w, const char *headers)
{
	ask(w, "INVITE", "", 1, headers, 8);
	say(w, 1, "", 8);
	ask(w, "ACK", "b", 1, "", 0xff);
	return call_of(w);
}

UNUSED static void later(struct world *w, double s)
{
	w->now += (uint64_t)(s * 1e9);
	calls_tick(w->cs, w->now);
}

UNUSED static void press(struct world *w, char key)
{
	call_key(w->cs, call_of(w), SUBJECT, key, CALL_BY_RFC4733, true, w->now);
}

#define NUMBER "+4570102010"

#endif
