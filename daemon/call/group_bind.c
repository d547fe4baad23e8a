/* SPDX-License-Identifier: BSD-2-Clause */
/* group_bind.c - calls that are one conversation: one set of decisions, one draw; see group.h */
#include <string.h>

#include "call/group_internal.h"

/* ---- one set of decisions ---- */

static void tell_of(struct calls *cs, struct call *o, int p, const char *event, const char *reason, uint64_t now)
{
	struct call_news n = { .event = event, .purpose = p, .actor = "system", .how = CALL_BY_PEER, .reason = reason,
			       .at_ns = now };

	if (cs->sink.news)
		cs->sink.news(cs->sink.arg, o, &n);
}

static void tell(struct calls *cs, struct call *o, const char *event, const char *reason, uint64_t now)
{
	tell_of(cs, o, POLICY_TRAINING, event, reason, now);
}

static bool by_person(enum purpose_event e)
{
	return e == PURPOSE_E_OPT_OUT || e == PURPOSE_E_WITHDRAW || e == PURPOSE_E_OBJECT || e == PURPOSE_E_OBJECT_GROUNDS;
}

/* It holds for the whole conversation, and not only for one call's want of something. */
static bool binds(enum purpose_event e, const char *reason)
{
	return by_person(e) || e == PURPOSE_E_LOSS || (e == PURPOSE_E_TIGHTENED && reason && strcmp(reason, "never") == 0);
}

static void bind_later(struct calls *cs, struct call *c, enum purpose_event e)
{
	c->peers->bound = (uint8_t)(e + 1);
	call_changed(cs, c);
	if (!c->ghost)
		call_refresh_verdicts(cs, c); /* nobody need listen for it any more */
}

void group_bind_one(struct calls *cs, struct call *o, enum purpose_event e, const char *reason, uint64_t now)
{
	enum purpose_state was = o->state[POLICY_TRAINING];

	if (o->ghost && cs->sink.unpark) {
		cs->sink.unpark(cs->sink.arg, o, POLICY_TRAINING, e);
		return;
	}
	/* for its later parts, when whoever said it is not remembered any more */
	if (o->peers && !o->peers->bound && binds(e, reason))
		bind_later(cs, o, e);
	if (!decides(o) || (e == PURPOSE_E_LOSS && o->rule->purpose[POLICY_TRAINING].on_loss == 1))
		return;
	if (by_person(e))
		call_not_early(cs, o, POLICY_TRAINING);
	call_event_why(cs, o, POLICY_TRAINING, e, reason);
	if (o->state[POLICY_TRAINING] == was)
		return;
	cs->stats.bound++;
	if (e == PURPOSE_E_LOSS)
		tell(cs, o, "optout.uncertain", "peer", now);
	else if (e == PURPOSE_E_OPT_OUT)
		tell(cs, o, o->state[POLICY_TRAINING] == PURPOSE_WITHDRAWN ? "consent.withdrawn" : "optout", "peer", now);
	else if (e == PURPOSE_E_OBJECT || e == PURPOSE_E_OBJECT_GROUNDS)
		tell(cs, o, "objection.opened", e == PURPOSE_E_OBJECT ? "grounds.absent" : "grounds.present", now);
}

void group_stop_all(struct calls *cs, struct call *o)
{
	if (!decides(o))
		return;
	for (int p = 0; p < POLICY_PURPOSES; p++)
		call_event_why(cs, o, (enum policy_purpose)p, PURPOSE_E_TIGHTENED, "never");
}

void group_spread(struct calls *cs, struct call *c, enum purpose_event e, const char *reason, bool self, uint64_t now)
{
	struct call *o, *next;

	cs->spreading++;
	if (self)
		group_bind_one(cs, c, e, reason, now);
	for (o = group_next(c, NULL); o; o = next) {
		next = group_next(c, o); /* a ghost goes with what binds it */
		group_bind_one(cs, o, e, reason, now);
	}
	cs->spreading--;
}

static const char *reason_of(enum purpose_event e)
{
	return e == PURPOSE_E_TIGHTENED ? "never" : NULL;
}

/* Of calls under one rule that were drawn apart, the first one's result counts. */
static void settle_draws(struct calls *cs, struct call *c)
{
	struct call *o = NULL;

	while ((o = group_next(c, o))) {
		bool mine = o->start_ns <= c->start_ns;
		struct call *first = mine ? o : c, *later = mine ? c : o;

		if (decides(o) && decides(c) && o->rule == c->rule && first->peers->drawn == 2 && later->peers->drawn == 1) {
			later->peers->drawn = 2;
			group_bind_one(cs, later, PURPOSE_E_TIGHTENED, first->peers->out, cs->now_ns);
		}
	}
}

void group_settle(struct calls *cs, struct call *c, uint64_t now)
{
	struct call *o = NULL;
	unsigned bound = c->peers->bound;

	while (!bound && (o = group_next(c, o)))
		bound = o->peers->bound;
	if (bound)
		group_spread(cs, c, (enum purpose_event)(bound - 1), reason_of((enum purpose_event)(bound - 1)), true, now);
	settle_draws(cs, c);
}

/* Words about c are about o, which goes on. */
static bool reaches(const struct call *c, const struct call *o)
{
	return group_same(c, o) || (c->peers->talk == o->peers->talk && o->peers->depth > c->peers->depth);
}

/* Words about one are about what was recorded in the other before. */
static bool akin(const struct call *c, const struct call *o)
{
	return group_same(c, o) || c->peers->talk == o->peers->talk;
}

/* c, and whom that leads to, and whom those do: of its group, no ghosts. */
struct reached {
	struct call *c[GROUP_MEMBERS_MAX];
	unsigned n;
};

static bool is_among(const struct reached *r, const struct call *c)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->c[i] == c)
			return true;
	return false;
}

static struct reached reach(struct call *c, bool leads(const struct call *c, const struct call *o))
{
	struct reached r = { .c = { c }, .n = 1 };

	for (unsigned i = 0; i < r.n; i++) {
		struct call *o = NULL;

		while ((o = group_next(r.c[i], o)) && r.n < GROUP_MEMBERS_MAX)
			if (!o->ghost && leads(r.c[i], o) && !is_among(&r, o))
				r.c[r.n++] = o;
	}
	return r;
}

static bool akin_to_one(const struct reached *r, const struct call *ghost)
{
	for (unsigned i = 0; i < r->n; i++)
		if (akin(r->c[i], ghost))
			return true;
	return false;
}

static void said_of_documentation(struct calls *cs, struct call *c, enum purpose_event e)
{
	/* who objected has said more than who took a consent back */
	if (c->peers->said == PURPOSE_E_OBJECT + 1 || c->peers->said == e + 1)
		return;
	c->peers->said = (uint8_t)((e == PURPOSE_E_WITHDRAW ? e : PURPOSE_E_OBJECT) + 1);
	if (!c->ghost)
		call_changed(cs, c);
}

/* Somebody said of documentation on another call that is surely this one. */
static void documentation_too(struct calls *cs, struct call *o, enum purpose_event e, uint64_t now)
{
	enum purpose_state was = o->state[POLICY_DOCUMENTATION];

	said_of_documentation(cs, o, e);
	if (!decides(o))
		return;
	call_not_early(cs, o, POLICY_DOCUMENTATION);
	call_objected(cs, o); /* what the rule says of objections holds here, too */
	call_event(cs, o, POLICY_DOCUMENTATION, e);
	if (o->state[POLICY_DOCUMENTATION] == was)
		return;
	if (o->state[POLICY_DOCUMENTATION] == PURPOSE_OBJECTED)
		tell_of(cs, o, POLICY_DOCUMENTATION, "objection.opened", e == PURPOSE_E_OBJECT_GROUNDS ? "grounds.present" : "grounds.absent", now);
	else if (o->state[POLICY_DOCUMENTATION] == PURPOSE_WITHDRAWN)
		tell_of(cs, o, POLICY_DOCUMENTATION, "consent.withdrawn", "peer", now);
}

static void spread_documentation(struct calls *cs, struct call *c, enum purpose_event e, uint64_t now)
{
	struct reached r;
	struct call *o, *next;

	said_of_documentation(cs, c, e);
	if (cs->spreading)
		return;
	cs->spreading++;
	r = reach(c, reaches);
	for (unsigned i = 1; i < r.n; i++)
		documentation_too(cs, r.c[i], e, now);
	r = reach(c, akin);
	for (o = group_next(c, NULL); o; o = next) {
		next = group_next(c, o); /* a ghost may go with what binds it */
		/* a consent is taken back where it was given: under the same rule */
		if (o->ghost && akin_to_one(&r, o) && (e != PURPOSE_E_WITHDRAW || o->rule == c->rule))
			cs->sink.unpark(cs->sink.arg, o, POLICY_DOCUMENTATION, e);
	}
	cs->spreading--;
}

void group_objection(struct calls *cs, struct call *c, uint64_t now_ns)
{
	if (c->peers)
		spread_documentation(cs, c, PURPOSE_E_OBJECT, now_ns);
}

bool group_objected(const struct call *c)
{
	return c->peers && c->peers->said == PURPOSE_E_OBJECT + 1;
}

/* From one that goes on, or is over, to one that goes on. Not decided, or not now: group_decided will. */
static void share_words(struct calls *cs, const struct call *from, struct call *to, uint64_t now)
{
	if (!over(to) && from->peers->said && !to->peers->said)
		documentation_too(cs, to, (enum purpose_event)(from->peers->said - 1), now);
}

static void share_pause(struct calls *cs, const struct call *from, struct call *to, uint64_t now)
{
	if (decides(to) && from->matched && in_progress(from))
		call_pause_goes_on(cs, to, &from->decide, now);
}

void group_said_before(struct calls *cs, struct call *c, uint64_t now)
{
	if (!c->peers->said)
		return;
	cs->spreading++;
	documentation_too(cs, c, (enum purpose_event)(c->peers->said - 1), now);
	cs->spreading--;
}

static bool reached_by(const struct call *c, const struct call *o)
{
	return reaches(o, c);
}

void group_share(struct calls *cs, struct call *c, bool first, uint64_t now)
{
	struct reached r;

	if (cs->spreading || !c->peers || !c->peers->group || c->peers->full || over(c))
		return;
	cs->spreading++;
	r = reach(c, reached_by);
	for (unsigned i = 1; i < r.n; i++) {
		share_words(cs, r.c[i], c, now);
		/* what goes on for a call begins as that is; who then ends the pause has ended it here */
		if (first)
			share_pause(cs, r.c[i], c, now);
	}
	r = reach(c, reaches);
	for (unsigned i = 1; i < r.n; i++)
		share_words(cs, c, r.c[i], now);
	r = reach(c, group_same);
	for (unsigned i = 1; i < r.n; i++)
		share_pause(cs, r.c[i], c, now);
	for (unsigned i = 1; i < r.n; i++)
		share_pause(cs, c, r.c[i], now);
	cs->spreading--;
}

void group_event(struct calls *cs, struct call *c, enum policy_purpose p, enum purpose_event e, uint64_t now_ns)
{
	bool person = by_person(e);

	if (!c->peers || c->state[p] == PURPOSE_GRANTED || c->state[p] == PURPOSE_PENDING)
		return;
	if (p == POLICY_DOCUMENTATION && person) {
		spread_documentation(cs, c, e, now_ns);
		return;
	}
	if (cs->spreading)
		return;
	if (p == POLICY_TRAINING && (person || e == PURPOSE_E_LOSS)) {
		if (e == PURPOSE_E_WITHDRAW)
			e = PURPOSE_E_OPT_OUT;
		bind_later(cs, c, e);
		group_spread(cs, c, e, NULL, false, now_ns);
	}
}

void group_refresh(struct calls *cs, const struct call *c)
{
	struct call *o = NULL;

	while ((o = group_next(c, o)))
		if (!o->ghost && o->matched && !over(o))
			call_refresh_verdicts(cs, o);
}

bool group_waits(const struct call *c)
{
	struct call *o = NULL;

	while ((o = group_next(c, o)))
		if ((o->ghost || decides(o)) && (o->state[POLICY_TRAINING] == PURPOSE_GRANTED || o->state[POLICY_TRAINING] == PURPOSE_PENDING))
			return true;
	return false;
}

bool group_refuse(struct calls *cs, struct call *c, enum purpose_event e, uint64_t now_ns)
{
	bool waits = group_waits(c);
	struct call *o = NULL;

	if (c->peers && (waits || !c->peers->bound)) /* what comes later is bound, too */
		bind_later(cs, c, e);
	if (!waits) { /* wherever one of them goes */
		while ((o = group_next(c, o)))
			if (!o->ghost && !o->peers->bound)
				bind_later(cs, o, e);
		return false;
	}
	group_spread(cs, c, e, NULL, false, now_ns);
	return true;
}

void group_not_meant(struct calls *cs, struct call *c, enum policy_purpose p)
{
	struct call *o, *next;

	for (o = group_next(c, NULL); o; o = next) {
		next = group_next(c, o); /* a ghost may go */
		if (o->ghost && o->peers->talk == c->peers->talk && o->decide.doubt >> p & 1 && o->end_ns < o->decide.doubt_ns + KEY_ALONE_NS)
			cs->sink.unpark(cs->sink.arg, o, p, PURPOSE_E_WITHDRAW);
	}
}

void group_pause(struct calls *cs, struct call *c, bool pause, uint64_t now_ns)
{
	struct reached r;

	if (cs->spreading || !c->peers || !c->peers->group)
		return;
	cs->spreading++;
	r = reach(c, reaches);
	for (unsigned i = 1; i < r.n; i++)
		if (decides(r.c[i]))
			call_pause_by_peer(cs, r.c[i], pause, now_ns);
	cs->spreading--;
}

void group_never(struct calls *cs, struct call *c, uint64_t now_ns)
{
	if (!c->peers)
		return;
	bind_later(cs, c, PURPOSE_E_TIGHTENED);
	group_spread(cs, c, PURPOSE_E_TIGHTENED, "never", false, now_ns);
}

/* The notice that was proven there was heard by the person who answered it. */
static void copy_notice(struct call_decide *to, const struct call_decide *from)
{
	if (to->notice != CALL_NOTICE_WAIT || from->notice != CALL_NOTICE_PROVEN)
		return;
	to->notice = from->notice;
	to->notice_how = from->notice_how;
	to->notice_which = from->notice_which;
	to->notice_start_ns = from->notice_start_ns;
	to->notice_end_ns = from->notice_end_ns;
	to->notice_due_ns = 0;
}

/* Who took it back has given it again; no list is changed by that. */
static void given_again(struct calls *cs, struct call *c)
{
	if (!c->peers->bound || c->peers->bound == PURPOSE_E_TIGHTENED + 1)
		return;
	c->peers->bound = 0;
	if (c->ghost)
		return;
	call_changed(cs, c);
	call_refresh_verdicts(cs, c);
}

static void given_again_documentation(struct calls *cs, struct call *c)
{
	if (c->peers->said != PURPOSE_E_WITHDRAW + 1)
		return;
	c->peers->said = 0;
	if (!c->ghost)
		call_changed(cs, c);
}

void group_consent(struct calls *cs, struct call *c, enum policy_purpose p, const struct call_news *n, bool from_call,
		   uint64_t from_ns)
{
	struct call *o = NULL;

	if (cs->spreading || !c->peers)
		return;
	if (p == POLICY_TRAINING) /* of which alone `bound` speaks (INV-4) */
		given_again(cs, c);
	else
		given_again_documentation(cs, c);
	cs->spreading++;
	while ((o = group_next(c, o))) {
		bool open = o->state[p] == PURPOSE_PENDING || (o->state[p] == PURPOSE_DENIED && o->decide.timed_out[p]);
		struct call_news peer = *n;

		if (!group_same(c, o))
			continue;
		if (p == POLICY_TRAINING)
			given_again(cs, o);
		else
			given_again_documentation(cs, o);
		if (!decides(o) || o->rule != c->rule || !open || (p == POLICY_TRAINING && o->third))
			continue;
		copy_notice(&o->decide, &c->decide);
		o->decide.granted_ns[p] = from_call && o->state[p] == PURPOSE_PENDING ? 0 : from_ns;
		peer.how = CALL_BY_PEER;
		peer.actor = "system";
		peer.key = NULL;
		if (cs->sink.news)
			cs->sink.news(cs->sink.arg, o, &peer);
		call_event(cs, o, p, PURPOSE_E_CONSENT);
	}
	cs->spreading--;
}

/* ---- one draw ---- */

bool group_promised(const struct call *c)
{
	struct call *o = NULL;

	while ((o = group_next(c, o)))
		if (o->promised)
			return true;
	return false;
}

bool group_draw(struct calls *cs, struct call *c, const char **ret_out)
{
	struct call *o = NULL;

	(void)cs;
	if (c->peers && c->peers->drawn == 2) { /* an earlier part of this call, under this rule */
		*ret_out = c->peers->out;
		return true;
	}
	while ((o = group_next(c, o))) {
		if (!o->peers->drawn || o->rule != c->rule || !in_progress(o) || !group_same(c, o))
			continue;
		*ret_out = o->peers->drawn == 2 ? o->peers->out : NULL;
		c->decide.sample_shared = o->peers->drawn == 1;
		c->decide.sample_waits = o->peers->drawn == 1 && o->decide.sample_waits;
		return true;
	}
	return false;
}

void group_drawn(struct call *c, const char *out)
{
	if (!c->peers)
		return;
	c->peers->drawn = out ? 2 : 1;
	c->peers->out = out ? out : "";
}

static bool shares(const struct call *c, const struct call *o)
{
	return o->decide.sample_shared && !o->decide.sample_slot && o->rule == c->rule && o->matched;
}

bool group_granted(const struct call *c)
{
	struct call *o = NULL;

	while ((o = group_next(c, o)))
		if (shares(c, o) && (o->ghost || o->state[POLICY_TRAINING] == PURPOSE_GRANTED))
			return true;
	return false;
}

void group_redrawn_out(struct calls *cs, struct call *c, const char *out)
{
	struct call *o = NULL;

	while ((o = group_next(c, o)))
		if (shares(c, o) && !o->ghost) {
			group_drawn(o, out);
			call_event_why(cs, o, POLICY_TRAINING, PURPOSE_E_TIGHTENED, out);
		}
}

void group_slot(struct calls *cs, struct call *c, bool durable)
{
	struct call *o = NULL;

	while ((o = group_next(c, o))) {
		if (!shares(c, o))
			continue;
		if (durable)
			call_slot_durable(cs, o);
		else
			call_slot_lost(cs, o);
	}
}
