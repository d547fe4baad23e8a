/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_call_policy.c - later policies and calls in progress: random policies of the real language
 * against calls in every state. Whatever comes, a call only loses; and it loses all that the
 * policy in force has no room for.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "call/call_internal.h"
#include "optag.h"
#include "policy/members.h"

#define TODAY 1796000000LL /* 2026-11-30, a Monday */
#define SEC   1000000000ULL
#define CALLS 120

static uint64_t seed = 88172645463325252ULL;
static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % n;
}

/* ---- policies ---- */

static const char head[] =
	"trunk t { address 10.0.0.1 queue-header X-Queue }\n"
	"set own numbers { +45 7010 20* }\nset live dynamic numbers\nset back dynamic numbers\n"
	"announcement nd { language da link https://c.example/t elements rec doc link object access text \"x\" }\n"
	"announcement nf { language da link https://c.example/t elements rec doc train link object access optout then optout-key:9 "
	"text \"x\" }\n"
	"announcement nt { language da link https://c.example/t elements rec train link access optout then optout-key:9 text \"x\" }\n"
	"assessment d { kind documentation scope @own review 2027-09-01 no-other-way \"n\" factor 1 relied-on \"a\"\n"
	" factor 2 relied-on \"a\"\n factor 3 relied-on \"a\"\n factor 4 relied-on \"a\"\n factor 5 relied-on \"a\"\n"
	" factor 6 relied-on \"a\"\n}\n"
	"assessment a { kind training-amount scope @own review 2027-09-01 without-consent \"w\" }\n"
	"controller c { timezone Europe/Copenhagen languages da numbers @own roles r }\n"
	"controller k { timezone UTC languages da numbers @own roles r }\n";

static const char *pick(const char *const *v, unsigned n)
{
	return v[rnd(n)];
}
#define PICK(...) pick((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void put_rule(FILE *f, int i)
{
	unsigned kind = rnd(3);

	fprintf(f, "rule \"r%d\" { controller %s side called called %s %s %s owner O review 2027-10-01 notice %s notice-proof attested\n",
		i, PICK("c", "c", "c", "k"), PICK("@own", "+45 7010 201*", "+45 7010 202*", "+45 7010 2015"),
		PICK("", "", "", "calling +46 81*", "calling +46 82*", "calling @back", "queue = a", "queue = b"),
		PICK("", "", "", "time mon-fri 08:00-16:00", "time sat 08:00-16:00"),
		kind == 0 ? "nd" : kind == 1 ? "nf" : "nt");
	if (kind < 2)
		fprintf(f, " documentation { basis interest assessment d retention %s } roles documentation r\n",
			PICK("3 months", "2 months", "60 days", "10 days"));
	if (kind > 0)
		fprintf(f, " training { basis interest assessment a opt-out key 9 %s %s opt-out agent api sample 5%% cap 5 per day use-within 5 days "
			   "retention %s } roles training r\n",
			PICK("", "", "opt-out key 8", "opt-out key *9"), PICK("", "", "opt-out agent key *7", "opt-out agent key *8"),
			PICK("10 days", "6 days"));
	fprintf(f, " %s %s %s %s %s %s %s\n}\n", PICK("", "", "record-hold-music yes"), PICK("", "", "early-media yes"),
		PICK("", "", "exclude-leg agent", "exclude-leg subject"), PICK("", "", "min-length 20 s"), PICK("", "", "max-length 1 h"),
		PICK("", "", "", "", "", "pause api"), PICK("", "", "", "", "pause-key *5", "pause-key *4 resume-key *6"));
}

/* Rules that leave nothing for each other: the linter refuses them, and another draw is made. */
static bool only_in_the_way(const struct policy_diags *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->d[i].severity == POLICY_ERROR && strcmp(d->d[i].code, "L-12") && strcmp(d->d[i].code, "L-13"))
			return false;
	return d->errors > 0;
}

static struct policy *draw_policy(bool *ret_again)
{
	struct policy_diags d = { 0 };
	struct policy *p = NULL;
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);

	fputs(head, f);
	if (rnd(2))
		fprintf(f, "never \"n\" { calling %s }\n", PICK("@live", "+46 8111*", "withheld"));
	for (int i = (int)rnd(4); i >= 0; i--)
		put_rule(f, i);
	fclose(f);
	*ret_again = policy_load_mem("t", s, n, TODAY, &d, &p) && only_in_the_way(&d);
	for (size_t i = 0; !p && !*ret_again && i < d.n; i++)
		if (d.d[i].severity == POLICY_ERROR)
			policy_diag_print(stderr, &d.d[i]);
	policy_diags_free(&d);
	free(s);
	return p;
}

static struct policy *random_policy(struct policy_members *m)
{
	struct policy *p;
	bool again;

	do
		p = draw_policy(&again);
	while (again);
	assert_non_null(p);
	assert_int_equal(policy_bind(p, m), 0);
	return p;
}

/* ---- calls ---- */

struct world {
	struct calls *cs;
	uint64_t now;
	unsigned destroyed[CALLS][2], told;
	char calling[CALLS][24], called[CALLS][24], queue[CALLS][8];
	uint64_t time[CALLS];
};

static unsigned number_of(const struct call *c)
{
	return (unsigned)atoi(c->call_id);
}

static void on_flow(void *arg, struct call *c, const struct call_endpoint *e, uint8_t v)
{
	(void)arg, (void)c, (void)e, (void)v;
}

static void on_unflow(void *arg, struct call *c, const struct call_endpoint *e)
{
	(void)arg, (void)c, (void)e;
}

static void on_call(void *arg, struct call *c)
{
	(void)arg, (void)c;
}

static void on_destroy(void *arg, struct call *c, enum policy_purpose p)
{
	/* deny first: by now nothing may be kept for it */
	assert_true(c->state[p] != PURPOSE_GRANTED && c->state[p] != PURPOSE_PENDING);
	((struct world *)arg)->destroyed[number_of(c)][p]++;
}

static void on_tightened(void *arg, struct call *c)
{
	(void)c;
	((struct world *)arg)->told++;
}

static uint64_t on_packets(void *arg, struct call *c)
{
	(void)arg, (void)c;
	return 0;
}

static struct calls_sink sink_of(struct world *w)
{
	return (struct calls_sink){ .arg = w, .flow = on_flow, .unflow = on_unflow, .matched = on_call, .destroy = on_destroy,
				    .ended = on_call, .packets = on_packets, .tightened = on_tightened };
}

static void message(struct world *w, unsigned i, const char *start, const char *to_tag)
{
	static const char *const names[] = { "X-Queue" };
	static const char sdp[] = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 10.0.1.%u\r\nt=0 0\r\nm=audio %u RTP/AVP 8 101\r\n"
				  "a=rtpmap:101 telephone-event/8000\r\n";
	struct sip_extra extra = { .n = 1, .name = { names[0] } };
	struct sigin_from from = { .ts_ns = w->time[i] };
	bool answer = strncmp(start, "SIP", 3) == 0;
	char body[300], b[2000];
	struct sip_msg m;
	const char *why;
	int n;

	snprintf(body, sizeof(body), sdp, answer ? 2 : 1, 20000 + 4 * i + 2 * answer);
	n = snprintf(b, sizeof(b),
		     "%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:%s@h>;tag=a\r\nTo: <sip:%s@h>%s\r\nCall-ID: %u\r\n"
		     "CSeq: 1 INVITE\r\n%s%s%sContent-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
		     start, *w->calling[i] ? w->calling[i] : "anonymous", w->called[i], to_tag, i, *w->queue[i] ? "X-Queue: " : "", w->queue[i],
		     *w->queue[i] ? "\r\n" : "", strlen(body), body);
	assert_true(n > 0 && (size_t)n < sizeof(b));
	ipaddr_v4(answer ? 0x0a000002 : 0x0a000001, &from.src.addr);
	ipaddr_v4(answer ? 0x0a000001 : 0x0a000002, &from.dst.addr);
	from.src.port = from.dst.port = 5060;
	assert_int_equal(sip_parse(b, (size_t)n, false, &extra, &m, &why), 0);
	calls_message(w->cs, &from, &m);
}

static void begin(struct world *w, unsigned i)
{
	char start[80];

	snprintf(w->calling[i], 24, "%s", PICK("+4681110000", "+4681220000", "+4682000000", "", "+4512345678"));
	snprintf(w->called[i], 24, "%s", PICK("+4570102015", "+4570102011", "+4570102022", "+4570102099"));
	snprintf(w->queue[i], 8, "%s", PICK("", "a", "b"));
	w->time[i] = w->now + i * 10000000ULL;
	snprintf(start, sizeof(start), "INVITE sip:%s@h SIP/2.0", w->called[i]);
	message(w, i, start, "");
	if (rnd(4))
		message(w, i, "SIP/2.0 200 OK", ";tag=b");
}

static struct call *call_of(struct world *w, unsigned i)
{
	char id[12];

	snprintf(id, sizeof(id), "%u", i);
	return calls_find(w->cs, (struct sip_str){ id, strlen(id) });
}

/* Training never gets far yet: states are put there by hand, as consents and windows will. */
static void put_states(struct call *c)
{
	static const enum purpose_state states[] = { PURPOSE_PENDING, PURPOSE_GRANTED, PURPOSE_GRANTED, PURPOSE_OBJECTED,
						     PURPOSE_WITHDRAWN, PURPOSE_OPTED_OUT, PURPOSE_DENIED };

	for (int p = 0; p < POLICY_PURPOSES; p++) {
		if (c->rule->purpose[p].basis == POLICY_B_NONE)
			continue;
		c->state[p] = states[rnd(7)];
		if (p == POLICY_DOCUMENTATION && c->state[p] == PURPOSE_PENDING)
			c->state[p] = PURPOSE_GRANTED; /* by interest it never waits */
		c->reason[p] = c->state[p] == PURPOSE_DENIED ? "consent.none" : c->state[p] == PURPOSE_OBJECTED ? "notice.missing" : "";
	}
}

/* ---- what must hold ---- */

struct before {
	enum purpose_state state[2];
	struct call_tight tight;
	uint8_t verdict[4];
	bool keeps;
};

static void look(const struct call *c, struct before *b)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->state, c->state, sizeof(b->state));
	b->tight = c->tight;
	b->keeps = call_may_keep(c);
	for (unsigned i = 0; i < c->nep && i < 4; i++)
		b->verdict[i] = c->ep[i].used ? call_verdict(c, &c->ep[i]) : 0;
}

static bool up(uint64_t was, uint64_t is)
{
	return was && (!is || is > was);
}

/* BLOCK below GATE below INSPECT below RECORD */
static int height(uint8_t v)
{
	return v == OPTAG_V_RECORD ? 3 : v == OPTAG_V_INSPECT ? 2 : v == OPTAG_V_GATE ? 1 : 0;
}

static void only_down(const struct call *c, const struct before *b)
{
	struct before now;

	look(c, &now);
	for (int p = 0; p < 2; p++) {
		if (now.state[p] != b->state[p]) {
			assert_int_equal(now.state[p], PURPOSE_DENIED);
			assert_true(b->state[p] == PURPOSE_PENDING || b->state[p] == PURPOSE_GRANTED || b->state[p] == PURPOSE_OBJECTED);
			assert_string_equal(c->reason[p], "policy.tightened");
		}
		assert_true(now.tight.stopped[p] >= b->tight.stopped[p]);
		assert_false(up(b->tight.until_ns[p], now.tight.until_ns[p]));
	}
	assert_true(now.keeps <= b->keeps);
	assert_int_equal(now.tight.no_leg & b->tight.no_leg, b->tight.no_leg);
	assert_true(now.tight.no_hold_music >= b->tight.no_hold_music && now.tight.no_early_media >= b->tight.no_early_media);
	assert_true(now.tight.min_length_ns >= b->tight.min_length_ns);
	assert_false(up(b->tight.max_length_ns, now.tight.max_length_ns));
	/* where a way out was added somebody listens for its key */
	for (int i = 0; i < 4; i++)
		assert_true(height(now.verdict[i]) <= height(b->verdict[i]) ||
			    (now.verdict[i] == OPTAG_V_GATE && memcmp(now.tight.optout_key, b->tight.optout_key,
								     offsetof(struct call_tight, window) - offsetof(struct call_tight, optout_key))));
}

/* What the policy says of the call when it is asked by hand. */
static const struct policy_rule *asked(struct world *w, unsigned i, const struct policy *p)
{
	const char *names[POLICY_HEADERS_MAX];
	struct policy_input in = { .called = { w->called[i], strlen(w->called[i]) }, .time = (int64_t)(w->time[i] / SEC) };
	struct policy_decision d;
	struct ipaddr a;

	in.calling = *w->calling[i] ? (struct policy_str){ w->calling[i], strlen(w->calling[i]) } : (struct policy_str){ "anonymous", 9 };
	in.withheld = !*w->calling[i];
	ipaddr_v4(0x0a000001, &a);
	memcpy(in.src, a.b, 16);
	ipaddr_v4(0x0a000002, &a);
	memcpy(in.dst, a.b, 16);
	in.src_port = in.dst_port = 5060;
	for (size_t k = policy_headers(p, names); k--;)
		if (!strcmp(names[k], "X-Queue") && *w->queue[i])
			in.header[k] = (struct policy_str){ w->queue[i], strlen(w->queue[i]) };
	policy_eval(p, &in, &d);
	return d.verdict == POLICY_MATCH ? d.rule : NULL;
}

static bool has_key(const char keys[POLICY_KEYS_MAX][POLICY_KEY_MAX], const char *k)
{
	for (int i = 0; i < POLICY_KEYS_MAX; i++)
		if (!strcmp(keys[i], k))
			return true;
	return false;
}

/* Keys that were added work at once; what the call's own rule has stays in its rule. */
static void ways_out(const struct call *c, const struct policy_rule *r)
{
	const struct policy_block *mine = &c->rule->purpose[POLICY_TRAINING], *theirs = &r->purpose[POLICY_TRAINING];

	for (int i = 0; i < POLICY_KEYS_MAX && mine->basis == POLICY_B_INTEREST && theirs->basis == POLICY_B_INTEREST; i++) {
		const char *k = theirs->optout_key[i], *a = theirs->optout_agent_key[i];

		assert_true(!*k || has_key(mine->optout_key, k) || has_key(c->tight.optout_key, k));
		assert_true(!*a || has_key(mine->optout_agent_key, a) || has_key(c->tight.optout_agent_key, a));
	}
	if (*r->pause_key && strcmp(r->pause_key, c->rule->pause_key) != 0)
		assert_string_equal(c->tight.pause_key, r->pause_key);
}

static void nothing_without_room(struct world *w, const struct call *c, const struct policy *p)
{
	const struct policy_rule *r = asked(w, number_of(c), p);

	if (r && strcmp(r->controller->name, c->rule->controller->name))
		r = NULL; /* another party's rule is none */
	for (int i = 0; i < 2; i++) {
		bool room = r && r->purpose[i].basis != POLICY_B_NONE;

		if (c->rule->purpose[i].basis == POLICY_B_NONE || room)
			continue;
		assert_true(c->tight.stopped[i]);
		assert_true(c->state[i] != PURPOSE_PENDING);
		/* training is gone; documentation only stays where some may have been recorded */
		if (i == POLICY_TRAINING || !(c->answered || c->rule->record_early_media))
			assert_true(c->state[i] != PURPOSE_GRANTED && c->state[i] != PURPOSE_OBJECTED);
	}
	if (!r)
		assert_false(call_may_keep(c));
	if (r && r->exclude_leg >= 0 && c->rule->exclude_leg != r->exclude_leg)
		assert_true(c->tight.no_leg);
	if (r && !r->record_hold_music && c->rule->record_hold_music)
		assert_true(c->tight.no_hold_music);
	if (r)
		ways_out(c, r);
}

/* No event of the call's life brings back what a policy took. */
static void nothing_comes_back(struct world *w, struct call *c)
{
	struct before b;
	enum policy_purpose p = (enum policy_purpose)rnd(2);

	look(c, &b);
	if (!c->tight.stopped[p] || b.state[p] == PURPOSE_GRANTED)
		return;
	call_event(w->cs, c, p, (enum purpose_event)rnd(PURPOSE_EVENTS));
	assert_true(c->state[p] != PURPOSE_GRANTED);
}

/* ---- tests ---- */

static void new_calls(struct world *w, const struct policy *p)
{
	struct call_limits l;
	struct calls_sink sink = sink_of(w);

	memset(w, 0, sizeof(*w));
	call_default_limits(&l);
	assert_int_equal(calls_new(&l, &sink, &w->cs), 0);
	calls_set_policy(w->cs, p);
	/* Monday 10:00 or 20:00, Saturday */
	w->now = ((uint64_t)TODAY - TODAY % 86400 + (rnd(2) ? 9 * 3600 : 19 * 3600) + (rnd(4) ? 0 : 5 * 86400)) * SEC;
	for (unsigned i = 0; i < CALLS; i++) {
		begin(w, i);
		if (call_of(w, i)->matched && rnd(3))
			put_states(call_of(w, i));
	}
}

static const struct policy *the_policy(void *arg, const char *hash)
{
	const struct policy *p = arg;

	return strcmp(policy_hash(p), hash) ? NULL : p;
}

/* The same call in a daemon that took over is judged in the same way. */
static void reborn(struct world *w, const struct call *c, const struct policy *began, const struct policy *next)
{
	const struct calls_restore how = { (void *)(uintptr_t)began, the_policy };
	struct calls_tightened sum = { 0 };
	struct calls_sink sink = sink_of(w);
	struct call_limits l;
	struct buf b = { 0 };
	struct calls *cs;
	struct call *x, *y;

	call_default_limits(&l);
	assert_int_equal(calls_new(&l, &sink, &cs), 0);
	call_save(c, &b);
	assert_int_equal(calls_restore(cs, &how, b.p, b.len, &x), 0);
	calls_restored(cs);
	assert_memory_equal(&x->tight, &c->tight, sizeof(x->tight));
	assert_non_null(x->facts);
	/* a third one, which is judged before it is saved */
	call_tighten(cs, x, next, &sum);
	assert_int_equal(sum.no_facts, 0);
	nothing_without_room(w, x, next);
	y = x;
	buf_reset(&b);
	call_save(y, &b);
	calls_free(cs);
	assert_int_equal(calls_new(&l, &sink, &cs), 0);
	assert_int_equal(calls_restore(cs, &how, b.p, b.len, &x), 0);
	calls_restored(cs);
	call_tighten(cs, x, next, &sum);
	assert_int_equal(sum.changed <= 1, 1); /* not again */
	calls_free(cs);
	buf_free(&b);
}

static void lattice(void **state)
{
	unsigned matched = 0, changed = 0, kept = 0;
	struct policy_members *m;
	struct world w;

	(void)state;
	assert_int_equal(policy_members_new(&m), 0);
	for (int round = 0; round < 150; round++) {
		struct policy *p[5];
		int n = 5;

		for (int i = 0; i < n; i++)
			p[i] = random_policy(m);
		new_calls(&w, p[0]);
		for (int i = 0; i < n; i++) {
			struct policy_member x = { .until = 0 };
			struct before b[CALLS];
			struct calls_tightened sum = { 0 };

			strcpy(x.number, "+4681110000");
			if (rnd(4) == 0)
				policy_members_add(m, "live", &x);
			else if (rnd(2))
				policy_members_del(m, "live", x.number);
			for (unsigned k = 0; k < CALLS; k++)
				look(call_of(&w, k), &b[k]);
			if (call_of(&w, 0)->matched && i == 1)
				reborn(&w, call_of(&w, 0), p[0], p[i]);
			calls_set_policy(w.cs, p[i]);
			calls_tighten_start(w.cs);
			while (calls_tighten_step(w.cs, p[i], 1 + rnd(50), &sum))
				;
			for (unsigned k = 0; k < CALLS; k++) {
				struct call *c = call_of(&w, k);

				if (!c->matched)
					continue;
				matched++;
				only_down(c, &b[k]);
				nothing_without_room(&w, c, p[i]);
				kept += call_may_keep(c);
				if (rnd(3) == 0)
					nothing_comes_back(&w, c);
			}
			changed += (unsigned)sum.changed;
			memset(&sum, 0, sizeof(sum));
			calls_tighten_start(w.cs);
			while (calls_tighten_step(w.cs, p[i], 7, &sum))
				;
			assert_int_equal(sum.changed, 0); /* the same policy takes once */
		}
		for (unsigned k = 0; k < CALLS; k++) {
			const struct call *c = call_of(&w, k);

			/* nothing of documentation that may have been recorded is destroyed by a policy alone */
			if (c->matched && c->tight.stopped[0] && c->state[0] == PURPOSE_GRANTED)
				assert_int_equal(w.destroyed[k][0], 0);
		}
		assert_int_equal(calls_pinned(w.cs, p[1]), 0);
		calls_finish(w.cs, w.now + 100 * SEC);
		assert_int_equal(calls_pinned(w.cs, p[0]), 0);
		calls_free(w.cs);
		for (int i = 0; i < n; i++)
			policy_free(p[i]);
	}
	/* a test in which nothing is ever taken, or everything at once, would show nothing */
	assert_true(matched > 5000 && changed > 500 && kept > 500);
	policy_members_free(m);
}

/* A number joins a no-record set: its call in progress stops at once, and no other. */
static void set_member(void **state)
{
	struct policy_member x = { .number = "+4681110000" };
	struct calls_tightened sum = { 0 };
	struct policy_diags d = { 0 };
	struct policy_members *m;
	struct policy *p = NULL;
	struct world w;
	char text[6000];

	(void)state;
	snprintf(text, sizeof(text),
		 "%snever \"n\" { calling @live }\nrule \"r\" { controller c side called called @own owner O review 2027-10-01 notice nd "
		 "notice-proof attested documentation { basis interest assessment d } roles documentation r }\n",
		 head);
	assert_int_equal(policy_load_mem("t", text, strlen(text), TODAY, &d, &p), 0);
	policy_diags_free(&d);
	assert_int_equal(policy_members_new(&m), 0);
	assert_int_equal(policy_bind(p, m), 0);
	new_calls(&w, p);
	for (unsigned i = 0; i < CALLS; i++) {
		call_of(&w, i)->state[0] = PURPOSE_GRANTED;
		call_of(&w, i)->reason[0] = "";
	}
	assert_int_equal(policy_members_add(m, "live", &x), 0);
	calls_tighten_start(w.cs);
	while (calls_tighten_step(w.cs, p, 10, &sum))
		;
	assert_int_equal(sum.seen, CALLS);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(call_may_keep(call_of(&w, i)), strcmp(w.calling[i], x.number) != 0);
	assert_int_equal(w.told, sum.changed);
	/* it leaves the set: its calls are not recorded again, a new one is */
	assert_int_equal(policy_members_del(m, "live", x.number), 0);
	calls_tighten_start(w.cs);
	memset(&sum, 0, sizeof(sum));
	while (calls_tighten_step(w.cs, p, 10, &sum))
		;
	assert_int_equal(sum.changed, 0);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(call_may_keep(call_of(&w, i)), strcmp(w.calling[i], x.number) != 0);
	calls_finish(w.cs, w.now + 100 * SEC);
	calls_free(w.cs);
	policy_free(p);
	policy_members_free(m);
}

/* Facts are only what was written, whatever is in the bytes. */
static void facts(void **state)
{
	struct policy_members *m;
	struct policy *p;
	struct world w;
	struct buf b = { 0 };
	unsigned i = 0;

	(void)state;
	assert_int_equal(policy_members_new(&m), 0);
	do {
		p = random_policy(m);
		new_calls(&w, p);
		for (i = 0; i < CALLS && !call_of(&w, i)->matched; i++)
			;
		if (i == CALLS) {
			calls_free(w.cs);
			policy_free(p);
		}
	} while (i == CALLS);
	call_facts_save(call_of(&w, i)->facts, &b);
	assert_true(b.len > 60 && b.len < 400);
	for (size_t n = 0; n <= b.len; n++) {
		struct call_facts *f = NULL;
		uint8_t *copy = malloc(n + 1); /* so that a sanitizer sees the end */

		memcpy(copy, b.p, n);
		assert_int_equal(call_facts_load(copy, n, &f), n == b.len ? 0 : -EBADMSG);
		call_facts_free(f);
		free(copy);
	}
	for (int k = 0; k < 20000; k++) {
		struct call_facts *f = NULL;
		uint8_t *copy = malloc(b.len);
		int e;

		memcpy(copy, b.p, b.len);
		copy[rnd((unsigned)b.len)] = (uint8_t)rnd(256);
		copy[40 + rnd((unsigned)b.len - 40)] ^= (uint8_t)(1u << rnd(8));
		e = call_facts_load(copy, b.len, &f);
		if (!e) {
			struct calls_tightened sum = { 0 };
			struct call *c = call_of(&w, i);
			struct call_facts *own = c->facts;

			c->facts = f;
			call_tighten(w.cs, c, p, &sum);
			c->facts = own;
		}
		call_facts_free(f);
		free(copy);
	}
	buf_free(&b);
	calls_free(w.cs);
	policy_free(p);
	policy_members_free(m);
}

/* ---- the machine's clock is set (base/clock.h) ---- */

#define TIMED "rule \"timed\" { controller c side called called @own time mon-fri 08:00-16:00 owner O review 2027-10-01 notice nd notice-proof attested\n" \
	      " documentation { basis interest assessment d retention 3 months } roles documentation r }\n"

/* A call at this time of Monday, UTC+1, while the machine's clock is so far ahead: NULL, or matched. */
static struct call *call_at(struct world *w, unsigned i, unsigned hour, unsigned minute, int64_t ahead_s)
{
	struct call *c;

	(void)clock_live(0);
	assert_true(clock_live(clock_offset_ns() - (uint64_t)ahead_s * SEC));
	snprintf(w->calling[i], 24, "+4512345678");
	snprintf(w->called[i], 24, "+4570102015");
	w->time[i] = (TODAY - TODAY % 86400 + hour * 3600 - 3600 + minute * 60) * SEC;
	message(w, i, "INVITE sip:+4570102015@h SIP/2.0", "");
	message(w, i, "SIP/2.0 200 OK", ";tag=b");
	c = call_of(w, i);
	return c && c->matched ? c : NULL;
}

static void clock_set(void **state)
{
	static const uint64_t month3 = 90; /* days from 30 November to 28 February */
	struct policy_diags d = { 0 };
	struct call_limits l;
	struct world w = { .now = TODAY * SEC };
	struct calls_sink sink = sink_of(&w);
	struct policy *p = NULL;
	char text[sizeof(head) + sizeof(TIMED)];
	uint64_t late, start;
	struct call *c;
	int e;

	(void)state;
	snprintf(text, sizeof(text), "%s%s", head, TIMED);
	e = policy_load_mem("t", text, strlen(text), TODAY, &d, &p);
	policy_diags_free(&d);
	assert_int_equal(e, 0);
	call_default_limits(&l);
	assert_int_equal(calls_new(&l, &sink, &w.cs), 0);
	calls_set_policy(w.cs, p);
	/* recorded by both times, or not at all */
	assert_non_null(call_at(&w, 0, 15, 30, 0));
	assert_null(call_at(&w, 1, 16, 30, 0));
	assert_null(call_at(&w, 2, 15, 30, 3600));
	assert_non_null(call_at(&w, 3, 15, 30, -3600));
	assert_null(call_at(&w, 4, 16, 30, -3600));
	assert_non_null(call_at(&w, 5, 8, 30, 3600));
	assert_null(call_at(&w, 6, 8, 30, -3600));
	assert_non_null(call_at(&w, 7, 15, 30, 2 * 86400 + 7200)); /* a clock that broke */
	/* set back while it goes on: three months from the earlier time, and that once */
	clock_set_ns(TODAY * SEC);
	c = call_at(&w, 8, 15, 30, -3600);
	assert_non_null(c);
	assert_true(call_clock_back(w.cs, c));
	start = c->start_ns - 3600 * SEC;
	late = c->tight.until_ns[POLICY_DOCUMENTATION] - (start + month3 * 86400 * SEC);
	assert_true((int64_t)late < (int64_t)SEC && (int64_t)late > -(int64_t)SEC); /* clocks are read at two moments */
	assert_int_equal(w.told, 1);
	/* set forward: no later */
	(void)call_at(&w, 9, 15, 30, 3600);
	assert_false(call_clock_back(w.cs, c));
	/* less than a day would be left: nothing is taken from it */
	c = call_at(&w, 10, 15, 30, -3600);
	clock_set_ns(start + (month3 - 1) * 86400 * SEC + 60 * SEC);
	assert_false(call_clock_back(w.cs, c));
	assert_int_equal(c->tight.until_ns[POLICY_DOCUMENTATION], 0);
	clock_set_ns(0);
	(void)clock_live(0);
	calls_free(w.cs);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lattice),
		cmocka_unit_test(set_member),
		cmocka_unit_test(facts),
		cmocka_unit_test(clock_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
