/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fakecalls.h - a world for the call table: messages by hand, a policy of one rule, a sink that remembers
 *
 * The functions of policy.h that call/ uses are defined here, so that a test
 * can hold any rule at all, also such as the language refuses. A called number
 * that begins with 1 matches world.policy.rule, with 2 the rule of another controller (second), with 9 meets a never rule, and
 * any other nothing. Included by one .c file each; everything is static but those.
 */
#ifndef FAKECALLS_H
#define FAKECALLS_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "call/call_internal.h"
#include "optag.h"

#define FAKE_T0	   (1700000000ULL * 1000000000ULL)
#define MS	   1000000ULL
#define SEC	   1000000000ULL
#ifndef FAKE_FLOWS
#define FAKE_FLOWS 8192
#endif

#ifndef MUST /* a test may want to go on */
#define MUST(x)                                                                  \
	do {                                                                     \
		if (!(x)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                 \
		}                                                                \
	} while (0)
#endif

struct policy {
	struct policy_controller controller;
	struct policy_rule rule;
	struct policy_controller second_controller;
	struct policy_rule second; /* without a controller: nothing matches it */
	const char *correlate;	   /* the trunk's header; NULL none */
	bool queues;		   /* called numbers that begin with 5: by the first character of X-Queue, as if called so */
};

size_t policy_headers(const struct policy *p, const char *ret_names[POLICY_HEADERS_MAX])
{
	if (p && p->queues)
		ret_names[0] = "X-Queue";
	return p && p->queues;
}

void policy_eval(const struct policy *p, const struct policy_input *in, struct policy_decision *ret)
{
	char first = in->called.n ? in->called.p[0] : 0;
	size_t n = in->calling.n < POLICY_NUMBER_MAX - 1 ? in->calling.n : POLICY_NUMBER_MAX - 1;

	memset(ret, 0, sizeof(*ret));
	if (p->queues && first == '5') {
		first = in->suppose ? '1' : in->header[0].n ? in->header[0].p[0] : 0;
		ret->queue = in->header[0];
	}
	ret->verdict = first == '1' || (first == '2' && p->second.controller) ? POLICY_MATCH :
		       first == '9'					   ? POLICY_NEVER :
										     POLICY_NO_MATCH;
	if (n)
		memcpy(ret->calling, in->calling.p, n);
	n = in->called.n < POLICY_NUMBER_MAX - 1 ? in->called.n : POLICY_NUMBER_MAX - 1;
	if (n)
		memcpy(ret->called, in->called.p, n);
	ret->correlate_header = p->correlate;
	if (ret->verdict == POLICY_MATCH)
		ret->rule = first == '1' ? &p->rule : &p->second;
}

bool policy_from_own_trunk(const struct policy *p, const struct policy_rule *r, const struct policy_input *in)
{
	(void)p;
	(void)r;
	(void)in;
	return false;
}

const char *policy_hash(const struct policy *p)
{
	(void)p;
	return "0000000000000000000000000000000000000000000000000000000000000000";
}

size_t policy_rules(const struct policy *p)
{
	return p->second.controller ? 2 : 1;
}

const struct policy_rule *policy_rule(const struct policy *p, size_t i)
{
	return i ? &p->second : &p->rule;
}

static inline void fake_policy(struct policy *p)
{
	memset(p, 0, sizeof(*p));
	p->controller.name = "acme";
	p->controller.timezone = "UTC";
	p->rule.name = "all";
	p->rule.scenario = "A1";
	p->rule.controller = &p->controller;
	p->rule.proof = POLICY_PROOF_ATTESTED;
	p->rule.exclude_leg = -1;
	p->rule.max_length = (struct policy_span){ 4, POLICY_U_H };
	p->rule.purpose[POLICY_DOCUMENTATION].basis = POLICY_B_INTEREST;
	p->rule.purpose[POLICY_DOCUMENTATION].retention = (struct policy_span){ 3, POLICY_U_MONTHS };
	/* every key there is, so that each leg is listened to while a press could change something */
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		struct policy_block *b = &p->rule.purpose[i];

		strcpy(b->consent_key, i ? "1" : "2");
		strcpy(b->withdraw_key, i ? "0" : "8");
		strcpy(b->optout_key[0], i ? "9" : "7");
		strcpy(b->optout_agent_key[0], i ? "*7" : "*8");
		b->window = (struct policy_window){ .set = true, .from_s = 3, .to_s = 10 };
		b->dtmf = POLICY_DTMF_RFC4733 | POLICY_DTMF_INFO;
	}
	strcpy(p->rule.pause_key, "*5");
	strcpy(p->rule.resume_key, "*6");
}

/* A rule like the first, of another controller. */
static inline void fake_second(struct policy *p)
{
	p->second = p->rule;
	p->second_controller = p->controller;
	p->second_controller.name = "bolt";
	p->second.name = "second";
	p->second.controller = &p->second_controller;
}

static inline const char *fake_draw(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	return NULL;
}

/* ---- the sink: a flow table that is only a list, and counts ---- */

struct fake_flow {
	struct endpoint at;
	uint32_t ring;
	uint8_t verdict, leg, te[2];
	bool used;
};

struct world {
	struct calls *cs;
	struct policy policy;
	uint64_t now;
	struct fake_flow flow[FAKE_FLOWS]; /* by hash of the address, open addressing without deletion */
	unsigned flows, unflows, matched, destroyed, ended;
	char last_end[32];
	uint64_t last_length_ns, packets;
	unsigned tcp;
	const char *called; /* user part of To and Request-URI */
	const char *calling; /* user part of From; NULL 200 */
	uint32_t src, dst;  /* IPv4 of the hop */
	const struct sip_extra *extra; /* headers that messages are read for */
	/* called at every callback; NULL none */
	void (*watch)(struct world *w, struct call *c);
};

static inline struct fake_flow *fake_slot(struct world *w, const struct endpoint *at)
{
	size_t i = (at->port * 2654435761u ^ at->addr.b[15] * 40503u ^ at->addr.b[14] * 9973u) % FAKE_FLOWS, n;

	for (n = 0; n < FAKE_FLOWS; n++, i = (i + 1) % FAKE_FLOWS)
		if (!w->flow[i].at.port || endpoint_equal(&w->flow[i].at, at))
			return &w->flow[i];
	abort();
}

static inline void fake_on_flow(void *arg, struct call *c, const struct call_endpoint *e, uint8_t verdict)
{
	struct world *w = arg;
	struct fake_flow *f = fake_slot(w, &e->at);

	MUST(c->matched && e->owner && e->call == c && c->phase != CALL_TOMBSTONE);
	MUST((verdict >= OPTAG_V_BLOCK && verdict <= OPTAG_V_RECORD) || verdict == OPTAG_V_INSPECT);
	*f = (struct fake_flow){ e->at, c->ring, verdict, e->leg, { e->te[0], e->te[1] }, true };
	w->flows++;
	if (w->watch)
		w->watch(w, c);
}

static inline void fake_on_unflow(void *arg, struct call *c, const struct call_endpoint *e)
{
	struct world *w = arg;
	struct fake_flow *f = fake_slot(w, &e->at);

	MUST(c->matched && f->used && f->ring == c->ring);
	f->used = false;
	w->unflows++;
}

static inline void fake_on_matched(void *arg, struct call *c)
{
	struct world *w = arg;

	MUST(c->matched && c->rule && !c->user);
	c->user = w;
	w->matched++;
}

static inline void fake_on_destroy(void *arg, struct call *c, enum policy_purpose p)
{
	struct world *w = arg;
	size_t i;

	MUST(c->state[p] != PURPOSE_GRANTED && c->state[p] != PURPOSE_PENDING);
	/* the packets stopped before */
	for (i = 0; i < FAKE_FLOWS && call_audio(c, 0) == CALL_A_BLOCK && call_audio(c, 1) == CALL_A_BLOCK; i++)
		MUST(!w->flow[i].used || w->flow[i].ring != c->ring || w->flow[i].verdict != OPTAG_V_RECORD);
	w->destroyed++;
}

static inline void fake_on_ended(void *arg, struct call *c)
{
	struct world *w = arg;

	MUST(c->matched && c->user == w && *c->end);
	MUST(c->end_ns >= (c->answered ? c->answer_ns : c->start_ns));
	snprintf(w->last_end, sizeof(w->last_end), "%s", c->end);
	w->last_length_ns = c->end_ns - (c->answered ? c->answer_ns : c->start_ns);
	w->ended++;
}

static inline uint64_t fake_packets(void *arg, struct call *c)
{
	(void)c;
	return ((struct world *)arg)->packets;
}

static inline struct world *fake_world(const struct call_limits *l)
{
	struct world *w = calloc(1, sizeof(*w));
	struct call_limits d;
	struct calls_sink sink = { .arg = w, .flow = fake_on_flow, .unflow = fake_on_unflow,
				   .matched = fake_on_matched, .destroy = fake_on_destroy,
				   .ended = fake_on_ended, .packets = fake_packets, .draw = fake_draw };

	MUST(w);
	call_default_limits(&d);
	d.tombstones = 0; /* only as long as they must be, unless the test says otherwise */
	fake_policy(&w->policy);
	MUST(!calls_new(l ? l : &d, &sink, &w->cs));
	calls_set_policy(w->cs, &w->policy);
	w->now = FAKE_T0;
	w->called = "100";
	w->src = 0x0a000001;
	w->dst = 0x0a000002;
	return w;
}

static inline void fake_world_free(struct world *w)
{
	MUST(calls_counted(w->cs));
	calls_finish(w->cs, w->now);
	MUST(w->matched == w->ended);
	calls_free(w->cs);
	free(w);
}

/* ---- another process goes on ---- */

static inline const struct policy *fake_policy_of(void *arg, const char *hash)
{
	MUST(strcmp(hash, policy_hash(NULL)) == 0);
	return &((struct world *)arg)->policy;
}

/* The table is saved, and another one goes on with what was saved: nobody must be able to tell. */
static inline void fake_reborn(struct world *w)
{
	const struct calls_restore how = { w, fake_policy_of };
	struct calls *old = w->cs, *cs;
	struct calls_sink sink = old->sink;
	uint64_t n = 0, matched = 0, never = 0;
	size_t i;

	MUST(!calls_new(&old->limit, &sink, &cs));
	calls_set_policy(cs, old->policy);
	cs->wheel_at = old->wheel_at;
	for (i = 0; i < old->nslot; i++) {
		struct call *c = old->slot[i], *now;
		struct buf b = { 0 };

		if (!c)
			continue;
		call_save(c, &b);
		MUST(!b.failed && !calls_restore(cs, &how, b.p, b.len, &now));
		now->user = c->user;
		MUST(now->ring == c->ring && calls_restore(cs, &how, b.p, b.len, &now) == -EEXIST);
		MUST(calls_restore(cs, &how, b.p, b.len - 1, &now) == -EBADMSG);
		buf_free(&b);
		n += c->phase != CALL_TOMBSTONE;
		matched += c->phase != CALL_TOMBSTONE && c->matched;
		never += c->phase != CALL_TOMBSTONE && c->never;
	}
	calls_restored(cs);
	/* Those in progress are this table's own in its figures; here it counts on from the other's. */
	MUST(cs->stats.calls == n && cs->stats.matched == matched && cs->stats.unmatched == n - matched && cs->stats.never == never);
	n = cs->stats.active;
	cs->stats = old->stats;
	cs->stats.active = n;
	calls_free(old);
	w->cs = cs;
	MUST(calls_counted(cs));
	for (i = 0; i < cs->nslot; i++)
		if (cs->slot[i])
			calls_refresh(cs, cs->slot[i]);
}

/* ---- messages ---- */

static inline void fake_hand_over(struct world *w, const char *text, size_t n, bool from_caller)
{
	struct sigin_from from = { .ts_ns = w->now, .tcp = w->tcp };
	struct sip_msg m;
	const char *why = "";

	ipaddr_v4(from_caller ? w->src : w->dst, &from.src.addr);
	ipaddr_v4(from_caller ? w->dst : w->src, &from.dst.addr);
	from.src.port = from.dst.port = 5060;
	if (sip_parse(text, n, false, w->extra, &m, &why) == 0)
		calls_message(w->cs, &from, &m);
}

struct fake_msg {
	const char *method; /* of the request, or of CSeq */
	unsigned status;    /* 0: a request */
	const char *id, *from_tag, *to_tag;
	uint32_t cseq;
	const char *sdp; /* NULL none */
	const char *type; /* of what stands in sdp; NULL: it is one */
	const char *extra; /* more headers with CRLF; NULL none */
	bool by_callee;	 /* the request is the callee's: From is the callee */
};

static inline size_t fake_text(const struct world *w, const struct fake_msg *k, char *buf, size_t size)
{
	const char *calling = w->calling ? w->calling : "200";
	const char *from = k->by_callee ? w->called : calling, *to = k->by_callee ? calling : w->called;
	int n;

	if (k->status)
		n = snprintf(buf, size, "SIP/2.0 %u X\r\n", k->status);
	else
		n = snprintf(buf, size, "%s sip:%s@h SIP/2.0\r\n", k->method, to);
	n += snprintf(buf + n, size - (size_t)n,
		      "Via: SIP/2.0/UDP h;branch=z9hG4bK%u\r\nFrom: <sip:%s@h>%s%s\r\nTo: <sip:%s@h>%s%s\r\n"
		      "Call-ID: %s\r\nCSeq: %u %s\r\n%s%s%s%sContent-Length: %zu\r\n\r\n%s",
		      k->cseq, from, *k->from_tag ? ";tag=" : "", k->from_tag, to, *k->to_tag ? ";tag=" : "",
		      k->to_tag, k->id, k->cseq, k->method, k->extra ? k->extra : "",
		      k->sdp ? "Content-Type: " : "", !k->sdp ? "" : k->type ? k->type : "application/sdp", k->sdp ? "\r\n" : "",
		      k->sdp ? strlen(k->sdp) : 0,
		      k->sdp ? k->sdp : "");
	MUST(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static inline void fake_send(struct world *w, const struct fake_msg *k)
{
	char buf[16384];
	size_t n = fake_text(w, k, buf, sizeof(buf));

	fake_hand_over(w, buf, n, !k->status == !k->by_callee);
}

/* A description of one audio line: host "10.0.0.<host>", session id, port, more lines (with CRLF). */
static inline const char *fake_sdp(char *buf, size_t size, unsigned session, unsigned host, unsigned port,
				   const char *more)
{
	int n = snprintf(buf, size,
		 "v=0\r\no=- %u 1 IN IP4 h\r\ns=-\r\nc=IN IP4 10.0.0.%u\r\nt=0 0\r\n"
		 "m=audio %u RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n%s",
		 session, host, port, more ? more : "");
	MUST(n > 0 && (size_t)n < size);
	return buf;
}

static inline struct endpoint fake_at(unsigned host, unsigned port)
{
	struct endpoint e = { .port = (uint16_t)port };

	ipaddr_v4(0x0a000000 | host, &e.addr);
	return e;
}

/* Verdict at 10.0.0.host:port, 0 none. */
static inline uint8_t fake_verdict(struct world *w, unsigned host, unsigned port)
{
	struct endpoint e = fake_at(host, port);
	const struct fake_flow *f = fake_slot(w, &e);

	return f->used ? f->verdict : 0;
}

static inline struct call *fake_call(struct world *w, const char *id)
{
	return calls_find(w->cs, (struct sip_str){ id, strlen(id) });
}

/* ---- what holds after every step ---- */

static inline void fake_check_call(struct world *w, const struct call *c)
{
	unsigned i;

	if (c->old) /* remembered beyond its time: in the list instead of the wheel */
		MUST(!c->timer_prev && c->phase == CALL_TOMBSTONE && c->spare == CALL_S_OLD);
	else
		MUST(c->timer_prev && *c->timer_prev == c);
	MUST(!c->timer_next || c->timer_next->timer_prev == &c->timer_next);
	/* what a rule matches, or did, does not give way while it goes on; all else does */
	MUST((c->spare == CALL_S_NONE) == (c->phase != CALL_TOMBSTONE && (c->matched || c->segment)));
	MUST(c->spare == CALL_S_NONE || (c->spare_prev ? c->spare_prev->spare_next : w->cs->spare[c->spare].first) == c);
	MUST(calls_by_ring(w->cs, c->ring) == c);
	MUST(c->nep <= CALL_ENDPOINTS_MAX);
	MUST(c->matched || c->late || !c->nep);
	MUST(!c->late || (!c->matched && c->facts && c->phase != CALL_TOMBSTONE));
	MUST(c->phase != CALL_TOMBSTONE || !c->nep);
	for (i = 0; i < c->nep; i++) {
		const struct call_endpoint *e = &c->ep[i];
		const struct fake_flow *f;

		MUST(e->used || !e->owner);
		if (!e->used)
			continue;
		MUST(e->call == c && e->side < 2 && e->leg == 1 - e->side && e->formats && e->formats->refs);
		MUST(!e->offered || e->offer);
		MUST(call_endpoint_at(c, &e->at) == e);
		f = fake_slot(w, &e->at);
		MUST(e->owner == (f->used && f->ring == c->ring));
		MUST(!e->owner || (f->verdict == call_verdict(c, e) && f->leg == e->leg));
		MUST(!e->owner || memcmp(f->te, e->te, 2) == 0);
		if (e->owner && f->verdict == OPTAG_V_INSPECT)
			MUST(call_audio(c, e->leg) == CALL_A_INSPECT && !e->srtp);
		if (e->owner && f->verdict == OPTAG_V_RECORD)
			MUST(call_audio(c, e->leg) >= CALL_A_HOLD && !e->srtp && (c->answered || c->rule->record_early_media) &&
			     (c->phase != CALL_REJECTED || c->quiet_ns));
	}
}

static inline void fake_check(struct world *w)
{
	struct calls *cs = w->cs;
	size_t i, in_slots = 0, in_wheel = 0, owners = 0, flows = 0;
	struct call *c;
	unsigned j;

	for (i = 0; i < cs->nslot; i++) {
		c = cs->slot[i];
		if (!c)
			continue;
		in_slots++;
		fake_check_call(w, c);
		for (j = 0; j < c->nep; j++)
			owners += c->ep[j].owner;
	}
	for (i = 0; i < WHEEL_SLOTS; i++)
		for (c = cs->wheel[i]; c; c = c->timer_next)
			in_wheel++;
	for (i = 0; i < FAKE_FLOWS; i++)
		flows += w->flow[i].used;
	MUST(in_slots == cs->by_id.count && in_slots == in_wheel + cs->spare[CALL_S_OLD].n && in_slots == cs->stats.active);
	MUST(in_slots + cs->nfree == cs->nslot);
	MUST(owners == cs->owners.count && owners == flows);
	MUST(cs->stats.matched == w->matched && w->ended <= w->matched);
}

#endif
