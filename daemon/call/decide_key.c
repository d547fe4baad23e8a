/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide_key.c - presses: digits to keys of the rule, see decide.h and decide_internal.h
 */
#include <string.h>

#include "call/decide_internal.h"

void decide_forget_digits(struct call_typed *t)
{
	explicit_bzero(t->digit, sizeof(t->digit));
	t->n = t->close = t->strange = 0;
}

void decide_forget_twins(struct call_typed *t)
{
	for (int i = 0; i < CALL_TWINS; i++)
		if (t->twin[i].key)
			explicit_bzero(&t->twin[i], sizeof(t->twin[i]));
}

enum meaning { M_NONE, M_CONSENT, M_WITHDRAW, M_OPT_OUT, M_OPT_OUT_AGENT, M_PAUSE, M_RESUME, M_NOT_NEEDED };

struct found {
	enum meaning what;
	int purpose;
	const char *key;
};

/* One key of the rule: does what was typed end in it, and by how much is it the longest so far? */
static void longest(const struct call_typed *t, const char *key, enum meaning what, int p, struct found *best)
{
	size_t n = strlen(key);

	if (!n || n > t->n || memcmp(t->digit + t->n - n, key, n) != 0)
		return;
	if (!best->key || n > strlen(best->key))
		*best = (struct found){ what, p, key };
}

typedef void each_key(const struct call_typed *t, const char *key, enum meaning what, int p, struct found *best);

/* All keys that mean something on the leg. A later policy may add ways out, never take any (policy-language 5.2). */
static void keys_of(const struct call *c, unsigned leg, each_key *f, const struct call_typed *t, struct found *best)
{
	bool subject = leg == call_subject_leg(c);
	const struct policy_rule *r = c->rule;

	for (int p = 0; p < POLICY_PURPOSES; p++) {
		const struct policy_block *b = &r->purpose[p];

		if (!has(c, p))
			continue;
		if (subject) {
			f(t, b->consent_key, M_CONSENT, p, best);
			f(t, b->withdraw_key, M_WITHDRAW, p, best);
		} else {
			f(t, b->not_needed_key, M_NOT_NEEDED, p, best);
		}
		for (int i = 0; i < POLICY_KEYS_MAX; i++) {
			f(t, subject ? b->optout_key[i] : b->optout_agent_key[i], subject ? M_OPT_OUT : M_OPT_OUT_AGENT, p, best);
			if (p == POLICY_TRAINING)
				f(t, subject ? c->tight.optout_key[i] : c->tight.optout_agent_key[i],
				  subject ? M_OPT_OUT : M_OPT_OUT_AGENT, p, best);
		}
	}
	if (subject)
		return;
	f(t, r->pause_key, M_PAUSE, -1, best);
	f(t, r->resume_key, M_RESUME, -1, best);
	f(t, c->tight.pause_key, M_PAUSE, -1, best);
	f(t, c->tight.resume_key, M_RESUME, -1, best);
}

/* How many of the last digits could still become a key: the longest end of them that a key begins with. */
static void may_become(const struct call_typed *t, const char *key, enum meaning what, int p, struct found *best)
{
	size_t n = strlen(key), k;

	(void)what;
	for (k = n > t->n ? t->n : n ? n - 1 : 0; k > 0; k--)
		if (memcmp(t->digit + t->n - k, key, k) == 0)
			break;
	if (k > (size_t)best->purpose)
		best->purpose = (int)k;
	(void)p;
}

static void keep_tail(const struct call *c, unsigned leg, struct call_typed *t)
{
	struct found f = { M_NONE, 0, NULL };
	unsigned n;

	keys_of(c, leg, may_become, t, &f);
	n = (unsigned)f.purpose;
	memmove(t->digit, t->digit + t->n - n, n);
	memmove(t->begin_ns, t->begin_ns + t->n - n, n * sizeof(*t->begin_ns));
	explicit_bzero(t->digit + n, sizeof(t->digit) - n);
	t->close = (uint8_t)(t->close >> (t->n - n));
	t->strange = (uint8_t)(t->strange >> (t->n - n));
	t->n = (uint8_t)n;
}

static void press_consent(struct calls *cs, struct call *c, const struct found *f, const struct call_typed *t, enum call_how how,
			  bool trusted, unsigned leg, uint64_t now, uint64_t told)
{
	enum purpose_state was;

	/* Part of a number somebody types is no answer to a question (N-20: unambiguous). Whether it begins one shows later: doubt(). */
	if (t->close >> (t->n - strlen(f->key)) & 1)
		return;
	if (!trusted || !by_consent(c, f->purpose) || !decide_in_window(c, f->purpose, now) ||
	    !decide_in_window(c, f->purpose, t->begin_ns[t->n - strlen(f->key)]))
		return;
	if (c->decide.notice == CALL_NOTICE_WAIT) /* it was heard up to here */
		decide_notice_proven(cs, c, CALL_BY_FINGERPRINT, c->decide.notice_start_ns, 0, now, now);
	was = c->state[f->purpose];
	decide_consent(cs, c, f->purpose, how, decide_party(c, leg), f->key, now, told);
	if (was == PURPOSE_GRANTED || c->state[f->purpose] != PURPOSE_GRANTED)
		return;
	c->decide.doubt |= (uint8_t)(1u << f->purpose);
	c->decide.doubt_ns = now;
}

static void later(uint64_t *t, uint64_t ns)
{
	*t = ns > *t ? ns : *t;
}

/* From when to when nothing was pressed, between this press and that moment. */
static uint64_t gap(const struct call_press *p, uint64_t at)
{
	return at < p->begin_ns ? p->begin_ns - at : at > p->end_ns ? at - p->end_ns : 0;
}

static void not_meant(struct calls *cs, struct call *c, enum call_how how, uint64_t now)
{
	unsigned which = c->decide.doubt, before = c->decide.doubt_before;

	c->decide.doubt = c->decide.doubt_before = c->decide.doubt_held = 0;
	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (before >> p & 1)
			group_not_meant(cs, c, (enum policy_purpose)p);
	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (which >> p & 1)
			decide_not_meant(cs, c, p, how, decide_party(c, call_subject_leg(c)), now);
}

/* Another press of the data subject, so soon after a consent, or after what followed that so soon: a digit that is no key makes it part of
 * a number. Nothing of that digit is kept. known: so many of the last presses are a key, or may become one. */
static void doubt(struct calls *cs, struct call *c, unsigned leg, const struct call_press *press, bool is_key, size_t known)
{
	struct call_decide *d = &c->decide;

	if (leg != call_subject_leg(c) || !d->doubt || press->end_ns + KEY_ALONE_NS <= d->doubt_ns) /* told late, of long before */
		return;
	if (gap(press, d->doubt_ns) >= KEY_ALONE_NS && !d->doubt_held) {
		d->doubt = d->doubt_before = 0;
	} else if (gap(press, d->doubt_ns) >= KEY_ALONE_NS || known <= d->doubt_held) {
		not_meant(cs, c, press->how, press->end_ns);
	} else {
		d->doubt_held = is_key ? 0 : (uint8_t)(d->doubt_held + 1);
		later(&d->doubt_ns, press->end_ns);
	}
}

void decide_end_doubt(struct calls *cs, struct call *c, uint64_t now, bool all)
{
	if (c->decide.doubt_held && (all || now >= c->decide.doubt_ns + KEY_PAUSE_NS))
		not_meant(cs, c, CALL_BY_TIME, now);
}

static void act(struct calls *cs, struct call *c, const struct found *f, const struct call_typed *t, enum call_how how, bool trusted,
		unsigned leg, uint64_t now, uint64_t told)
{
	const char *who = decide_party(c, leg);

	switch (f->what) {
	case M_NONE:
		break;
	case M_CONSENT:
		press_consent(cs, c, f, t, how, trusted, leg, now, told);
		break;
	case M_WITHDRAW:
		decide_withdraw(cs, c, f->purpose, how, who, f->key, now);
		break;
	case M_OPT_OUT:
	case M_OPT_OUT_AGENT:
		(void)decide_opt_out(cs, c, f->purpose, how, who, f->key, now);
		break;
	case M_PAUSE:
		(void)decide_pause(cs, c, how, who, f->key, now);
		break;
	case M_RESUME:
		/* what starts audio again needs the agent's own leg, and was meant for this pause */
		if (trusted && t->begin_ns[t->n - strlen(f->key)] >= c->decide.pause_ns)
			(void)decide_end_pause(cs, c, how, who, f->key, now);
		break;
	case M_NOT_NEEDED:
		(void)decide_not_needed(cs, c, f->purpose, how, who, f->key, now);
		break;
	}
}

/* The last digit goes: it comes again. */
static void take_back(struct call_typed *t, char key)
{
	if (!t->n || t->digit[t->n - 1] != key)
		return;
	t->digit[--t->n] = 0;
	t->close &= (uint8_t)((1u << t->n) - 1);
	t->strange &= (uint8_t)((1u << t->n) - 1);
}

enum twin { T_NONE, T_SAME, T_NOW_TRUSTED };

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The same press has come by another way just before (or after, when it is told late). What was not trusted then may be now: it takes that one's place, and
 * *ret_close is whether there was a digit just before it. */
static enum twin twin_of(struct call_typed *t, char key, enum call_how how, uint32_t by, bool trusted, uint64_t now, bool *ret_close)
{
	for (int i = 0; i < CALL_TWINS; i++) {
		if (t->twin[i].key != key || (t->twin[i].how == how && t->twin[i].by == by) || apart(now, t->twin[i].ns) > SAME_PRESS_NS)
			continue;
		if (trusted && !t->twin[i].trusted) {
			*ret_close = t->twin[i].close;
			explicit_bzero(&t->twin[i], sizeof(t->twin[i]));
			take_back(t, key);
			return T_NOW_TRUSTED;
		}
		if (t->twin[i].how != how) /* of dialogs there may be more than two */
			explicit_bzero(&t->twin[i], sizeof(t->twin[i]));
		return T_SAME;
	}
	return T_NONE;
}

static void may_have_twin(struct call_typed *t, char key, enum call_how how, uint32_t by, bool trusted, bool close, uint64_t now)
{
	int at = 0;

	for (int i = 0; i < CALL_TWINS; i++)
		if (t->twin[i].ns < t->twin[at].ns)
			at = i;
	t->twin[at].key = key;
	t->twin[at].how = (uint8_t)how;
	t->twin[at].by = by;
	t->twin[at].trusted = trusted;
	t->twin[at].close = close;
	t->twin[at].ns = now;
}

static bool hears(const struct call *c, enum call_how how)
{
	unsigned bit = how == CALL_BY_INFO ? POLICY_DTMF_INFO : how == CALL_BY_INBAND ? POLICY_DTMF_INBAND : POLICY_DTMF_RFC4733;

	/* A way that the rule does not name may still be a way out, but grants nothing. */
	return ((c->rule->purpose[0].dtmf | c->rule->purpose[1].dtmf) & bit) != 0;
}

/* They were asked, and answered with something else. */
static void note_other(struct call *c, unsigned leg, uint64_t now)
{
	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (leg == call_subject_leg(c) && by_consent(c, p) && c->state[p] == PURPOSE_PENDING && decide_in_window(c, p, now))
			c->decide.other_key[p] = true;
}

void call_key(struct calls *cs, struct call *c, unsigned leg, char key, enum call_how how, bool trusted, uint64_t now_ns)
{
	call_press(cs, c, leg, &(struct call_press){ key, how, trusted, now_ns, now_ns, now_ns, 0 });
}

void call_key_info(struct calls *cs, struct call *c, unsigned leg, char key, uint32_t by, bool trusted, uint64_t now_ns)
{
	call_press(cs, c, leg, &(struct call_press){ key, CALL_BY_INFO, trusted, now_ns, now_ns, now_ns, by });
}

void call_press(struct calls *cs, struct call *c, unsigned leg, const struct call_press *press)
{
	struct call_typed *t = &c->decide.typed[leg];
	struct found f = { M_NONE, -1, NULL };
	enum call_how how = press->how;
	uint64_t now_ns = press->end_ns;
	bool close, all, trusted;
	char key = press->key;
	enum twin twin;
	unsigned had;

	if (!c->matched || c->phase == CALL_TOMBSTONE) {
		c->presses++;
		return;
	}
	call_decide_time(cs, c, now_ns); /* a window that closed before the press is closed */
	if (how == CALL_BY_RFC4733)
		c->decide.press_due_ns[leg] = 0; /* told again of one that is still open */
	trusted = press->trusted && hears(c, how); /* by another way than the rule's a press may deny and never grants */
	close = t->last_ns && gap(press, t->last_ns) < KEY_ALONE_NS;
	had = t->n;
	twin = twin_of(t, key, how, press->by, trusted, now_ns, &close);
	if (twin == T_SAME)
		return;
	if (t->n < had && leg == call_subject_leg(c) && c->decide.doubt_held) /* it comes again */
		c->decide.doubt_held--;
	c->presses += twin == T_NONE;
	if (t->n && apart(now_ns, t->last_ns) >= KEY_PAUSE_NS)
		decide_forget_digits(t);
	if (t->n == sizeof(t->digit) - 1) {
		memmove(t->digit, t->digit + 1, (size_t)--t->n);
		memmove(t->begin_ns, t->begin_ns + 1, t->n * sizeof(*t->begin_ns));
		t->close >>= 1;
		t->strange >>= 1;
	}
	t->close |= (uint8_t)(close << t->n);
	t->strange |= (uint8_t)(!trusted << t->n);
	t->begin_ns[t->n] = press->begin_ns;
	t->digit[t->n++] = key;
	t->last_ns = now_ns;
	keys_of(c, leg, longest, t, &f);
	all = f.what != M_NONE && t->strange >> (t->n - strlen(f.key)) == 0;
	if (f.what == M_NONE)
		keep_tail(c, leg, t);
	doubt(cs, c, leg, press, f.what != M_NONE, f.what == M_NONE ? t->n : strlen(f.key));
	act(cs, c, &f, t, how, all, leg, now_ns, press->told_ns);
	if (trusted)
		note_other(c, leg, now_ns);
	if (f.what != M_NONE && (all || (f.what != M_CONSENT && f.what != M_RESUME))) /* else the same presses may come by a way that counts */
		decide_forget_digits(t);
	if (f.what != M_NONE || t->n) /* no other digit is worth knowing again */
		may_have_twin(t, key, how, press->by, trusted, close, now_ns);
	call_changed(cs, c);
	decide_set_timer(cs, c);
}

void call_pressing(struct calls *cs, struct call *c, unsigned leg, uint64_t over_ns)
{
	bool open = c->decide.press_due_ns[leg];

	if (!c->matched || c->phase == CALL_TOMBSTONE)
		return;
	c->decide.press_due_ns[leg] = over_ns;
	if (!open)
		call_changed(cs, c); /* whoever goes on with the call must know of it */
	decide_set_timer(cs, c);
}

void decide_end_presses(struct calls *cs, struct call *c, uint64_t now, bool all)
{
	struct call_press p;

	for (unsigned leg = 0; leg < 2; leg++) {
		if (!c->decide.press_due_ns[leg] || (!all && now < c->decide.press_due_ns[leg]))
			continue;
		c->decide.press_due_ns[leg] = 0; /* telling it comes here again */
		if (!cs->sink.press || !cs->sink.press(cs->sink.arg, c, leg, all ? UINT64_MAX : now, &p))
			continue;
		p.end_ns = p.end_ns < now ? p.end_ns : now; /* the clock may have been set back since */
		p.told_ns = now;
		p.begin_ns = p.begin_ns < p.end_ns ? p.begin_ns : p.end_ns;
		call_press(cs, c, leg, &p);
		explicit_bzero(&p, sizeof(p));
	}
}

void call_key_up(struct calls *cs, struct call *c, unsigned leg, char key, enum call_how how, uint64_t now_ns)
{
	struct call_typed *t = &c->decide.typed[leg];

	if (!c->matched || c->phase == CALL_TOMBSTONE)
		return;
	for (int i = 0; i < CALL_TWINS; i++)
		if (t->twin[i].key == key && t->twin[i].how == how)
			t->twin[i].ns = now_ns;
	t->last_ns = now_ns;
	if (leg == call_subject_leg(c) && c->decide.doubt)
		later(&c->decide.doubt_ns, now_ns);
	call_changed(cs, c);
}
