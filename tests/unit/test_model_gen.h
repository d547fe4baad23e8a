/* SPDX-License-Identifier: BSD-2-Clause */
/* test_model_gen.h - of test_model.c: rules and events at random, the same for the same seed */
#ifndef TEST_MODEL_GEN_H
#define TEST_MODEL_GEN_H

#define EVENTS_MAX  28
#define LOST_END_NS 150000000ULL /* of media/dtmf.h, which this test has nothing else of */

enum event_kind {
	EV_TICK, EV_ANSWER, EV_KEY, EV_NOTICE, EV_HEADER, EV_COMMAND, EV_LOSS, EV_SDP_OFF, EV_HOLD, EV_SLOT,
	EV_TIGHTEN, EV_RESTART, EV_CLOCK, EV_BYE, EV_END, EV_HOLE,
	EV_UNSEEN, EV_QUIET, EV_KINDS,
};

struct event {
	enum event_kind kind;
	unsigned a, b, exact; /* exact 0 no; 1, 2, 3: just before, at, just after */
	uint64_t ms;
	const char *keys;
	enum call_how how;
	bool trusted, lost; /* lost: the end packets of each press */
	unsigned held_ms;   /* before its end */
	enum call_command cmd;
};

struct seq {
	struct policy_rule rule;
	const char *draw;
	bool waits, ready, no_event[2];
	struct event ev[EVENTS_MAX];
	unsigned n;
};

static uint64_t gen_state;

static unsigned gen(unsigned below)
{
	uint64_t z = gen_state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (unsigned)((z ^ z >> 31) % below);
}

static void gen_notice(struct policy_rule *r)
{
	static const struct policy_notice sets[4][2] = {
		{ { .name = "a", .length_ms = 5000 } },
		{ { .name = "a" } },
		{ { .name = "a", .length_ms = 5000 }, { .name = "b", .length_ms = 8000 } },
		{ { .name = "a", .length_ms = 5000 }, { .name = "b" } },
	};
	unsigned k = gen(4);

	r->notice = sets[k];
	r->nnotice = k < 2 ? 1 : 2;
	r->proof = (enum policy_proof)gen(4);
	r->proof_header = "X-Notice";
	r->proof_value = "yes";
	r->notice_timeout_s = 20;
	r->on_missing_notice = (enum policy_missing)gen(3);
	r->quarantine = (struct policy_span){ 7, POLICY_U_DAYS };
}

static void gen_block(struct policy_rule *r, int p)
{
	struct policy_block *b = &r->purpose[p];

	b->special = p && gen(2);
	b->window = (struct policy_window){ .set = b->basis == POLICY_B_CONSENT || (p && b->basis == POLICY_B_INTEREST && !b->special),
					    .from_s = gen(2) ? 3 : 0, .to_s = gen(2) ? 10 : 5, .from_answer = !gen(4), .reopen_agent = gen(2) };
	if (p && !gen(4))
		memcpy(b->consent_key, "12", 3);
	b->dtmf = 1 + gen(3);
	b->on_objection = (enum policy_objection)gen(4);
	b->on_loss = (int)gen(3) - 1;
	b->training_from_press = !gen(3);
	b->pre_decision = gen(3) ? POLICY_PRE_DEFAULT : gen(2) ? POLICY_PRE_BLOCK : POLICY_PRE_HOLD;
	b->consent_api = gen(2);
	b->optout_agent_api = gen(2);
	b->retention = (struct policy_span){ 3, POLICY_U_MONTHS };
	b->sample_permille = p ? 500 : -1;
	if (p && gen(2))
		b->optout_header = "X-Out";
	if (!p && gen(2)) {
		b->not_needed = b->not_needed_api = true;
		memcpy(b->not_needed_key, "*9", 3);
	}
}

static void gen_rule(struct seq *q)
{
	static const char *const draws[] = { NULL, NULL, NULL, NULL, NULL, NULL, "sample.out", "quota" };
	struct policy_rule *r = &q->rule;
	struct policy p;

	fake_policy(&p);
	*r = p.rule;
	do {
		r->purpose[0].basis = (enum policy_basis)gen(4);
		r->purpose[1].basis = (enum policy_basis)gen(3);
	} while (!r->purpose[0].basis && !r->purpose[1].basis);
	gen_notice(r);
	gen_block(r, 0);
	gen_block(r, 1);
	r->side = gen(2) ? POLICY_SIDE_CALLED : POLICY_SIDE_CALLING;
	r->exclude_leg = gen(4) ? -1 : (int)gen(2);
	r->record_early_media = !gen(4);
	r->record_hold_music = !gen(3);
	r->pause_max = (struct policy_span){ gen(3) ? 10 : 0, POLICY_U_S };
	r->pause_stop = gen(2);
	r->pause_api = gen(2);
	q->draw = draws[gen(8)];
	q->waits = !gen(4);
	q->ready = gen(20) != 0;
	q->no_event[0] = !gen(16);
	q->no_event[1] = !gen(16);
}

static void gen_event(struct event *e)
{
	static const char *const keys[] = { "1", "1", "1", "12", "9", "9", "0", "2", "8", "7", "*7", "*8", "*5", "*5", "*6", "*6",
					    "*9", "3", "41", "412", "*", "**7", "1209" };
	static const unsigned weight[EV_KINDS] = { 30, 8, 34, 8, 8, 16, 3, 2, 4, 4, 3, 6, 2, 2, 1, 4, 4, 4 };
	static const unsigned steps[] = { 500, 1000, 1500, 2000, 3000, 5000, 8000, 13000, 30000 };
	unsigned x = gen(143), k = 0;

	while (x >= weight[k])
		x -= weight[k++];
	*e = (struct event){ .kind = (enum event_kind)k, .a = gen(16), .b = gen(16), .exact = gen(3) ? 0 : 1 + gen(3) };
	e->keys = keys[gen(sizeof(keys) / sizeof(keys[0]))];
	e->how = gen(4) ? CALL_BY_RFC4733 : CALL_BY_INFO;
	e->trusted = gen(8) != 0;
	e->lost = !gen(4);
	e->held_ms = (const unsigned[]){ 0, 100, 100, 3000 }[gen(4)];
	e->cmd = gen(4) ? (enum call_command)gen(CALL_COMMANDS) : CALL_C_REOPEN; /* a window opens again: after much else */
	e->ms = k == EV_CLOCK ? 6 + gen(600) : steps[gen(9)];
	/* mostly on the leg where the key means something */
	if (gen(6))
		e->a = (e->a & ~1u) | (*e->keys == '*');
}

static void seq_make(struct seq *q, uint64_t seed)
{
	memset(q, 0, sizeof(*q));
	gen_state = seed * 0xd1342543de82ef95ULL + 1;
	gen_rule(q);
	q->n = 4 + gen(EVENTS_MAX - 3);
	for (unsigned i = 0; i < q->n; i++)
		gen_event(&q->ev[i]);
	if (q->rule.side == POLICY_SIDE_CALLING)
		for (unsigned i = 0; i < q->n; i++)
			q->ev[i].a ^= q->ev[i].kind == EV_KEY;
	if (gen(8)) /* most calls are answered soon */
		q->ev[gen(2)].kind = EV_ANSWER;
	if (gen(4))
		q->ev[q->n - 1].kind = EV_BYE;
	if (q->n < EVENTS_MAX)
		q->ev[q->n++] = (struct event){ .kind = EV_TICK, .ms = 1000 };
}

static void seq_print(const struct seq *q)
{
	static const char *const basis[] = { "-", "consent", "interest", "obligation" };
	static const char *const names[EV_KINDS] = { "tick", "answer", "key", "notice", "header", "command", "loss", "sdp-off", "hold",
						     "slot", "tighten", "restart", "clock-back", "bye", "end", "hole", "unseen",
						     "quiet" };
	const struct policy_rule *r = &q->rule;

	printf("documentation %s, training %s%s, proof %d, notices %zu (%u ms), missing %d, side %d, draw %s%s%s\n", basis[r->purpose[0].basis],
	       basis[r->purpose[1].basis], r->purpose[1].special ? " special" : "", r->proof, r->nnotice, r->notice[0].length_ms,
	       r->on_missing_notice, r->side, q->draw ? q->draw : "in", q->waits ? ", waits" : "", q->ready ? "" : ", not ready");
	for (unsigned p = 0; p < 2; p++)
		printf("  %u: window %d..%d%s%s, objection %d, loss %d, from-press %d, before %d, key %s, dtmf %u\n", p, r->purpose[p].window.from_s,
		       r->purpose[p].window.to_s, r->purpose[p].window.from_answer ? " answer" : "",
		       r->purpose[p].window.reopen_agent ? " reopen" : "", r->purpose[p].on_objection, r->purpose[p].on_loss,
		       r->purpose[p].training_from_press, r->purpose[p].pre_decision, r->purpose[p].consent_key, r->purpose[p].dtmf);
	for (unsigned i = 0; i < q->n; i++) {
		const struct event *e = &q->ev[i];

		printf("  %s a=%u b=%u", names[e->kind], e->a, e->b);
		if (e->kind == EV_TICK || e->kind == EV_CLOCK)
			printf(" %llu", (unsigned long long)e->ms);
		if (e->kind == EV_KEY)
			printf(" '%s' %s%s exact %u held %u%s", e->keys, call_how_name(e->how), e->trusted ? "" : " untrusted", e->exact, e->held_ms,
			       e->lost ? " end lost" : "");
		if (e->kind == EV_COMMAND)
			printf(" %s", call_command_name(e->cmd));
		printf("\n");
	}
}

#endif
