/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random conversations, through daemon/call/ and through the reference of model_talk.h: back-to-back agents, transfers by a header, by
 * Replaces and to other controllers, who joins, opt-outs, objections and pauses wherever, restarts. Both must say the same of
 * every call and of every part that waits after every event, and nothing of training is committed before its time.
 *
 * MODEL_SEQUENCES (20,000) and MODEL_SEED from the environment. What stands for record_park: copies of calls, bound by the tables of
 * guidance 5.3 and 5.5 as a few plain lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static jmp_buf failed_at;
static char failed_why[512];
#define MUST(x)                                                                                        \
	do {                                                                                           \
		if (!(x)) {                                                                            \
			snprintf(failed_why, sizeof(failed_why), "%s:%d: %s", __FILE__, __LINE__, #x); \
			longjmp(failed_at, 1);                                                         \
		}                                                                                      \
	} while (0)
#define FAKE_FLOWS 64
#include "../fakecalls.h"
#include "model_talk.h"

#define DOC    POLICY_DOCUMENTATION
#define TRAIN  POLICY_TRAINING
#define EVENTS 40

enum what { NEW, ANSWER, QUEUE, OPT_OUT, OBJECT, PAUSE, RESUME, THIRD, BYE, TICK, RESTART, WHATS };
static const char *const what_name[WHATS] = { "new", "answer", "queue", "opt-out", "object", "pause", "resume", "third", "bye", "tick", "restart" };

struct event {
	enum what what;
	unsigned x, y, z;
};

struct ghost {
	struct call c; /* first */
	struct call_peers part;
	int k; /* in the model */
	struct ghost *next;
};

static struct run {
	struct world *w;
	struct talk m;
	struct ghost *ghosts;
	unsigned life[T_CALLS]; /* Call-IDs of one place, one after the other */
	unsigned cseq[T_CALLS]; /* of the callee's requests */
	unsigned letter;
	int ending; /* whose part ends now */
	unsigned committed, refused;
} R;

static uint64_t gen_state;

static unsigned gen(unsigned n)
{
	gen_state = gen_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(gen_state >> 33) % n;
}

/* ---- what stands for the recorder ---- */

static void drop(struct ghost *g)
{
	struct ghost **at = &R.ghosts;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	group_unpark(R.w->cs, &g->c);
	R.m.p[g->k].there = false;
	free(g);
}

static void agree(const struct ghost *g)
{
	const struct t_part *p = &R.m.p[g->k];

	MUST(p->there);
	MUST((g->c.state[TRAIN] == PURPOSE_GRANTED) == p->train);
	MUST(g->c.state[DOC] == (p->objected ? PURPOSE_OBJECTED : PURPOSE_GRANTED));
}

static void on_unpark(void *arg, struct call *c, enum policy_purpose p, enum purpose_event e)
{
	struct ghost *g = (struct ghost *)c;

	(void)arg;
	if (e == PURPOSE_E_BYE) {
		agree(g);
		MUST(!t_goes_on(&R.m, R.m.p[g->k].group)); /* guidance 6 */
		R.committed += c->state[TRAIN] == PURPOSE_GRANTED;
		drop(g);
		return;
	}
	if (p == TRAIN && c->state[TRAIN] == PURPOSE_GRANTED) {
		c->state[TRAIN] = PURPOSE_OPTED_OUT;
		R.refused++;
	} else if (p == DOC && (e == PURPOSE_E_OBJECT || e == PURPOSE_E_OBJECT_GROUNDS)) {
		c->state[DOC] = PURPOSE_OBJECTED;
	}
}

static void on_ended(void *arg, struct call *c)
{
	struct ghost *g;

	fake_on_ended(arg, c);
	/* one draw, one recording (INV-10): of a second one that is no duplicate the model knows nothing */
	if (R.ending >= 0 && strcmp(c->reason[TRAIN], "sample.shared") == 0)
		R.m.c[R.ending].train = false;
	c->peers->kept = c->peers->relation != CALL_R_DUPLICATE && c->answered;
	if (c->peers->relation == CALL_R_DUPLICATE || !c->answered || !group_lasts(c) ||
	    (c->state[TRAIN] != PURPOSE_GRANTED && c->state[DOC] != PURPOSE_GRANTED)) {
		if (c->state[TRAIN] == PURPOSE_GRANTED && c->peers->relation != CALL_R_DUPLICATE)
			MUST(R.ending >= 0 && R.m.c[R.ending].train && !R.m.c[R.ending].refused);
		return;
	}
	g = calloc(1, sizeof(*g));
	g->c = *c;
	g->c.ep = NULL;
	g->c.nep = 0;
	g->c.facts = NULL;
	g->c.trace = NULL;
	g->c.tag = NULL;
	g->c.ntags = 0;
	g->c.earlier = NULL;
	g->c.nearlier = 0;
	g->c.user = NULL;
	MUST(group_park(R.w->cs, c, &g->c, &g->part));
	g->next = R.ghosts;
	R.ghosts = g;
	MUST(R.ending >= 0);
	g->k = t_park(&R.m, R.ending, R.m.c[R.ending].over ? R.m.c[R.ending].end : R.w->now);
	MUST(g->k >= 0);
	/* what it had when it ended: Session-ID and all */
	agree(g);
}

static uint64_t on_heard(void *arg, struct call *c, unsigned leg)
{
	(void)arg;
	(void)c;
	(void)leg;
	return 1;
}

/* ---- calls ---- */

static const char *id_of(unsigned x)
{
	static char id[4][16];
	static unsigned n;

	n = (n + 1) % 4;
	snprintf(id[n], sizeof(id[n]), "t%u-%u", x, R.life[x]);
	return id[n];
}

static struct call *call_at(unsigned x)
{
	return R.m.c[x].there ? fake_call(R.w, id_of(x)) : NULL;
}

static void msg(unsigned x, const char *method, unsigned status, bool answered, bool by_callee, uint32_t cseq, const char *sdp, const char *extra)
{
	fake_send(R.w, &(struct fake_msg){ .method = method, .status = status, .id = id_of(x), .from_tag = by_callee ? "b" : "a",
					   .to_tag = !answered ? "" : by_callee ? "a" : "b", .by_callee = by_callee, .cseq = cseq, .sdp = sdp,
					   .extra = extra });
}

static void tick(uint64_t ns)
{
	while (ns) { /* timers of all come in turn */
		uint64_t step = ns > T_S ? T_S : ns;

		R.w->now += step;
		R.w->packets++;
		calls_tick(R.w->cs, R.w->now);
		ns -= step;
	}
}

static void forget(void) /* whom nobody remembers has no say any more */
{
	for (unsigned x = 0; x < T_CALLS; x++) {
		const struct call *c = call_at(x);

		if (R.m.c[x].there && R.m.c[x].over && (!c || !c->peers)) {
			R.m.c[x].there = false;
			R.m.c[x].group = 0;
		}
	}
}

/* No window closes in the moment of an event. */
static void apart(void)
{
	for (unsigned x = 0; x < T_CALLS; x++)
		if (R.m.c[x].there && R.m.c[x].grant != T_NEVER && R.w->now + 400 * MS > R.m.c[x].grant && R.w->now < R.m.c[x].grant + 400 * MS) {
			tick(800 * MS);
			x = (unsigned)-1;
		}
}

static void new_call(const struct event *e)
{
	unsigned x = e->x, y = e->y;
	enum t_how how = (enum t_how)(e->z % T_HOWS);
	struct t_call *c = &R.m.c[x];
	char sid[128], more[256], sdp[512];

	if (c->there)
		return;
	if (!R.m.c[y].there || x == y || ((how == T_SAME || how == T_HALF) && !R.m.c[y].a))
		how = T_ALONE;
	R.life[x]++;
	R.ending = how == T_JOINS ? (int)y : -1;
	if (how == T_JOINS && t_known(&R.m.c[y], R.w->now) && R.m.c[y].who == 0) {
		/* training of what is joined ends there, before the new one begins; told by on_ended when a part ends */
		struct t_call *o = &R.m.c[y];
		bool ours = o->ours && !o->over;

		t_new(&R.m, (int)x, how, (int)y, R.w->now);
		c->b = 0;
		snprintf(sid, sizeof(sid), "Session-ID: %032x;remote=%032x\r\n", c->a, 0);
		snprintf(more, sizeof(more), "X-Queue: 1\r\n%sJoin: %s;to-tag=b;from-tag=a\r\n", sid, id_of(y));
		msg(x, "INVITE", 0, false, false, 1, fake_sdp(sdp, sizeof(sdp), 100 + R.life[x] * 8 + x, 1, 4000 + 2 * (R.life[x] * 8 + x), NULL), more);
		if (ours || !o->over)
			t_third(&R.m, (int)y);
		return;
	}
	t_new(&R.m, (int)x, how, (int)y, R.w->now);
	snprintf(sid, sizeof(sid), "Session-ID: %032x;remote=%032x\r\n", c->a, 0);
	snprintf(more, sizeof(more), "X-Queue: 1\r\n%s", sid);
	if (how == T_REPLACES)
		snprintf(more, sizeof(more), "X-Queue: 1\r\n%sReplaces: %s;to-tag=b;from-tag=a\r\n", sid, id_of(y));
	if (how == T_JOINS)
		snprintf(more, sizeof(more), "X-Queue: 1\r\n%s", sid);
	msg(x, "INVITE", 0, false, false, 1, fake_sdp(sdp, sizeof(sdp), 100 + R.life[x] * 8 + x, 1, 4000 + 2 * (R.life[x] * 8 + x), NULL), more);
}

static void answer(unsigned x)
{
	struct t_call *c = &R.m.c[x];
	char sid[128], sdp[512];

	if (c->answered)
		return;
	snprintf(sid, sizeof(sid), "Session-ID: %032x;remote=%032x\r\n", c->b_then, c->a);
	t_answer(&R.m, (int)x, R.w->now);
	msg(x, "INVITE", 200, true, false, 1, fake_sdp(sdp, sizeof(sdp), 5000 + R.life[x] * 8 + x, 2, 30000 + 2 * (R.life[x] * 8 + x), NULL), sid);
}

static void queue(const struct event *e)
{
	static const char *const to[] = { "1", "2", "3" };
	unsigned q = e->z % 4 % 3;
	struct t_call *c = &R.m.c[e->x];
	char h[64];

	if (!c->answered || (!c->ours && q == 2))
		return;
	R.letter = (R.letter + 1) % 26;
	snprintf(h, sizeof(h), "X-Queue: %s%c\r\n", to[q], 'a' + R.letter);
	R.ending = c->ours ? (int)e->x : -1;
	c->leaves = q < 2 && (int)q != c->who;
	msg(e->x, "UPDATE", 0, true, true, 10 + ++R.cseq[e->x], NULL, h);
	t_queue(&R.m, (int)e->x, q == 2 ? -1 : (int)q, R.w->now);
}

static void third(unsigned x)
{
	char sdp[700];

	if (!R.m.c[x].answered || R.m.c[x].third)
		return;
	R.ending = R.m.c[x].ours ? (int)x : -1;
	msg(x, "INVITE", 0, true, true, 10 + ++R.cseq[x],
	    fake_sdp(sdp, sizeof(sdp), 5000 + R.life[x] * 8 + x, 2, 30000 + 2 * (R.life[x] * 8 + x), "m=audio 29000 RTP/AVP 8\r\n"), NULL);
	t_third(&R.m, (int)x);
}

static void bye(unsigned x)
{
	struct t_call *c = &R.m.c[x];

	R.ending = (int)x;
	msg(x, c->answered ? "BYE" : "CANCEL", 0, c->answered, false, c->answered ? 2 : 1, NULL, NULL);
	c->end = R.w->now;
	c->over = true;
	tick(c->answered ? T_S : 40 * T_S); /* what is under way, or another branch's answer */
	c->ours = c->train = false;
	R.ending = -1;
}

static void restart(void)
{
	while (R.ghosts) /* park_deny_all */
		drop(R.ghosts);
	fake_reborn(R.w);
	R.w->cs->sink.unpark = on_unpark;
}

static void say(unsigned x, enum call_command cmd, enum policy_purpose p)
{
	struct call *c = call_at(x);

	MUST(c);
	(void)call_command(R.w->cs, c, cmd, p, cmd == CALL_C_RESUME ? CALL_BY_INFO : CALL_BY_API, R.w->now);
}

static void step(const struct event *e)
{
	struct t_call *c = &R.m.c[e->x];
	bool live = c->there && !c->over;

	R.ending = -1;
	R.w->now += 10 * MS;
	apart();
	forget();
	if (e->what == NEW)
		new_call(e);
	else if (e->what == TICK)
		tick((1 + e->z % 17) * T_S + 17 * MS);
	else if (e->what == RESTART)
		restart();
	else if (!live)
		return;
	else if (e->what == ANSWER)
		answer(e->x);
	else if (e->what == QUEUE)
		queue(e);
	else if (e->what == THIRD)
		third(e->x);
	else if (e->what == BYE)
		bye(e->x);
	else if (e->what == OPT_OUT) {
		t_refuse(&R.m, (int)e->x);
		say(e->x, CALL_C_OPT_OUT, TRAIN);
	} else if (e->what == OBJECT) {
		t_object(&R.m, (int)e->x);
		say(e->x, CALL_C_OBJECT, DOC);
	} else if (c->ours && (e->what == PAUSE || e->what == RESUME)) {
		t_pause(&R.m, (int)e->x, e->what == PAUSE);
		say(e->x, e->what == PAUSE ? CALL_C_PAUSE : CALL_C_RESUME, DOC);
	}
}

static void check(void)
{
	apart();
	forget();
	fake_check(R.w);
	for (unsigned x = 0; x < T_CALLS; x++) {
		const struct t_call *t = &R.m.c[x];
		const struct call *c = call_at(x);
		bool alive;

		if (!t->there || t->over)
			continue;
		MUST(c && c->matched == t->ours);
		if (!t->ours)
			continue;
		MUST(strcmp(c->rule->controller->name, t->who ? "bolt" : "acme") == 0);
		alive = c->state[TRAIN] == PURPOSE_GRANTED || c->state[TRAIN] == PURPOSE_PENDING;
		MUST(!alive || t->train);	/* deny wins */
		MUST(alive || !t->train); /* and nothing else denies */
		MUST((c->state[TRAIN] == PURPOSE_GRANTED) == (t->train && t->answered && R.w->now >= t->grant));
		MUST(c->state[DOC] == (t->objected ? PURPOSE_OBJECTED : PURPOSE_GRANTED));
		MUST(c->decide.paused == t->paused);
	}
	for (const struct ghost *g = R.ghosts; g; g = g->next)
		agree(g);
}

static void start(void)
{
	struct policy_rule *r;
	struct call_limits l;
	static const struct sip_extra extra = { { "X-Queue" }, 1 };
	static struct policy_notice notice = { .name = "n", .length_ms = 5000 };

	memset(&R, 0, sizeof(R));
	R.ending = -1;
	call_default_limits(&l);
	l.setup_timeout_ns = l.hold_timeout_ns = 36000 * T_S; /* nobody hangs up but by an event */
	R.w = fake_world(&l);
	R.w->extra = &extra;
	R.w->called = "500";
	R.w->policy.queues = true;
	r = &R.w->policy.rule;
	r->purpose[TRAIN].basis = POLICY_B_INTEREST;
	r->notice = &notice;
	r->nnotice = 1;
	r->pause_api = true;
	fake_second(&R.w->policy);
	R.w->cs->sink.draw = fake_draw;
	R.w->cs->sink.kept = on_heard;
	R.w->cs->sink.ended = on_ended;
	R.w->cs->sink.unpark = on_unpark;
}

static void stop(bool ok)
{
	R.w->cs->sink.unpark = NULL;
	R.w->cs->sink.ended = fake_on_ended;
	while (R.ghosts) {
		struct ghost *g = R.ghosts;

		R.ghosts = g->next;
		group_unpark(R.w->cs, &g->c);
		free(g);
	}
	if (ok) {
		fake_world_free(R.w);
		return;
	}
	calls_free(R.w->cs); /* whatever state it is in */
	free(R.w);
}

static void make(struct event *ev, unsigned *n, uint64_t seed)
{
	static const unsigned weight[WHATS] = { 14, 14, 12, 5, 5, 4, 4, 3, 8, 20, 2 };

	gen_state = seed * 0xd1342543de82ef95ULL + 1;
	*n = 6 + gen(EVENTS - 6);
	for (unsigned i = 0; i < *n; i++) {
		unsigned at = gen(91), k = 0;

		while (at >= weight[k])
			at -= weight[k++];
		ev[i] = (struct event){ (enum what)k, gen(T_CALLS - 2), gen(T_CALLS - 2), gen(64) };
		if (i < 4)
			ev[i].what = i & 1 ? ANSWER : NEW;
	}
}

static bool run(const struct event *ev, unsigned n, bool end)
{
	volatile bool ok = false;

	start();
	if (setjmp(failed_at) == 0) {
		for (unsigned i = 0; i < n; i++) {
			step(&ev[i]);
			check();
		}
		/* all hang up: what waited is decided */
		for (unsigned x = 0; end && x < T_CALLS; x++)
			if (R.m.c[x].there && !R.m.c[x].over)
				step(&(struct event){ BYE, x, 0, 0 });
		MUST(!end || !R.ghosts);
		ok = true;
	}
	stop(ok);
	return ok;
}

static void shrink(struct event *ev, unsigned *n)
{
	for (bool more = true; more;) {
		more = false;
		for (unsigned i = 0; i < *n; i++) {
			struct event less[EVENTS];

			memcpy(less, ev, i * sizeof(*ev));
			memcpy(less + i, ev + i + 1, (*n - i - 1) * sizeof(*ev));
			if (run(less, *n - 1, true))
				continue;
			memcpy(ev, less, --*n * sizeof(*ev));
			more = true;
			i--;
		}
	}
}

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 10) : otherwise;
}

static void test_random_conversations(void **state)
{
	uint64_t n = from_env("MODEL_SEQUENCES", 20000), seed = from_env("MODEL_SEED", (uint64_t)time(NULL) << 20), waited = 0, refused = 0;

	(void)state;
	printf("%llu conversations from MODEL_SEED=%llu on\n", (unsigned long long)n, (unsigned long long)seed);
	for (uint64_t i = 0; i < n; i++) {
		static struct event ev[EVENTS];
		unsigned len;

		make(ev, &len, seed + i);
		if (run(ev, len, true)) {
			waited += R.committed;
			refused += R.refused;
			continue;
		}
		printf("MODEL_SEED=%llu MODEL_SEQUENCES=1: %s\n", (unsigned long long)(seed + i), failed_why);
		shrink(ev, &len);
		(void)run(ev, len, true);
		printf("shortest: %s\n", failed_why);
		for (unsigned k = 0; k < len; k++)
			printf("  %s x=%u y=%u z=%u\n", what_name[ev[k].what], ev[k].x, ev[k].y, ev[k].z);
		fail();
	}
	printf("%llu parts for training committed at the end, %llu refused meanwhile\n", (unsigned long long)waited, (unsigned long long)refused);
	assert_true(n < 1000 || (waited && refused));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_conversations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
