/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide_say.c - what people and telephone systems say: consents, opt-outs, objections, pauses; see decide.h and
 * decide_internal.h
 */
#include <errno.h>

#include "call/decide_internal.h"
#include "optag.h"

const char *decide_party(const struct call *c, unsigned leg)
{
	if (leg != call_subject_leg(c))
		return "agent";
	return leg == OPTAG_LEG_CALLER ? "caller" : "callee";
}

/* Who says it when no leg does. */
static const char *speaker(enum call_how how)
{
	switch (how) {
	case CALL_BY_API:
	case CALL_BY_HEADER:
		return "api";
	case CALL_BY_SDP:
		return "sdp";
	case CALL_BY_LIST:
		return "list";
	default:
		return "system";
	}
}

void decide_consent(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now,
		    uint64_t from_ns)
{
	const struct policy_notice *n = decide_notice_of(c);
	bool again = c->state[p] == PURPOSE_WITHDRAWN || (c->state[p] == PURPOSE_DENIED && c->decide.timed_out[p]);
	struct call_news news = { .event = "consent.given", .purpose = p, .actor = actor, .how = how, .key = key,
				  .notice = n ? n->name : NULL, .reason = "", .at_ns = now };

	if (how == CALL_BY_API)
		news.who = c->decide.said_by == 'a' ? "agent" : c->decide.said_by == 's' ? "system" : NULL;
	/* a consent that can give nothing (opted out, drawn out, taken by a later policy, a third party) is none in the log either */
	if ((c->state[p] != PURPOSE_PENDING && !again) || c->tight.stopped[p] || (p == POLICY_TRAINING && c->third) || over(cs, c, now) ||
	    (cs->sink.ready && !cs->sink.ready(cs->sink.arg)))
		return;
	/* Told before it acts, so that no grant is without its event (INV-2). */
	tell(cs, c, news);
	/* E: consent is to the use of the conversation, so it covers what documentation has of it (guidance 6). */
	c->decide.granted_ns[p] = again || c->rule->purpose[p].training_from_press || p == POLICY_DOCUMENTATION ? from_ns : 0;
	call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_CONSENT);
	if (c->state[p] == PURPOSE_GRANTED)
		group_consent(cs, c, (enum policy_purpose)p, &news, c->decide.granted_ns[p] == 0, from_ns);
}

/* What a system told before the notice was proven was taken back. */
void call_not_early(struct calls *cs, struct call *c, int p)
{
	if (c->decide.consent_early[p])
		call_changed(cs, c);
	c->decide.consent_early[p] = 0;
}

/* Who presses the key again has to do so after it was taken back: a press of before, which is told late, is no change of mind. */
static void not_before(struct calls *cs, struct call *c, int p, enum purpose_state was, uint64_t now)
{
	if (c->state[p] != PURPOSE_WITHDRAWN || was == PURPOSE_WITHDRAWN || c->decide.window_from_ns[p] >= now)
		return;
	c->decide.window_from_ns[p] = now;
	call_changed(cs, c);
}

static void withdraw(struct calls *cs, struct call *c, int p, struct call_news n)
{
	uint64_t now = n.at_ns;
	enum purpose_state was = c->state[p];

	call_not_early(cs, c, p);
	if (!by_consent(c, p))
		return;
	if (c->state[p] == PURPOSE_GRANTED)
		call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_WITHDRAW);
	else if (p != POLICY_TRAINING || !group_refuse(cs, c, PURPOSE_E_OPT_OUT, now)) /* an earlier part's consent */
		return;
	not_before(cs, c, p, was, now);
	n.event = "consent.withdrawn";
	n.purpose = p;
	tell(cs, c, n);
}

void decide_withdraw(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now)
{
	withdraw(cs, c, p, (struct call_news){ .actor = actor, .how = how, .key = key, .at_ns = now });
}

void decide_not_meant(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, uint64_t now)
{
	withdraw(cs, c, p, (struct call_news){ .actor = actor, .how = how, .reason = "other-key", .at_ns = now });
}

/* To documentation: what the rule says of objections holds, also when the recording is restricted already for want of a notice. */
static bool objects(struct calls *cs, struct call *c, int p)
{
	if (p != POLICY_DOCUMENTATION || by_consent(c, p) || c->decide.objected ||
	    (c->state[p] != PURPOSE_GRANTED && c->state[p] != PURPOSE_OBJECTED))
		return false;
	c->decide.objected = true;
	change(cs, c);
	if (c->state[p] == PURPOSE_OBJECTED) /* else with the event that follows */
		group_objection(cs, c, cs->now_ns);
	return true;
}

static uint64_t span_ns(struct policy_span s)
{
	static const uint64_t seconds[] = { [POLICY_U_S] = 1,	   [POLICY_U_MIN] = 60,		[POLICY_U_H] = 3600,
					    [POLICY_U_DAYS] = 86400, [POLICY_U_MONTHS] = 2678400, [POLICY_U_YEARS] = 31622400 };

	return (uint64_t)s.n * seconds[s.unit] * NS_PER_S;
}

/* The rule says that the person is rung back without a recording. */
static void promise(struct calls *cs, struct call *c, int p, uint64_t now)
{
	uint64_t span = span_ns(c->rule->purpose[p].callback_unrecorded);

	if (span && cs->sink.callback_add)
		cs->sink.callback_add(cs->sink.arg, c, now + span);
}

bool decide_opt_out(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now)
{
	enum purpose_state was = c->state[p];
	bool first;

	/* What a statute demands is recorded, and everybody can see that the person did not want it (A3; story 44). */
	if (c->rule->purpose[p].basis == POLICY_B_OBLIGATION) {
		if (c->state[p] == PURPOSE_GRANTED && !*c->reason[p]) {
			c->reason[p] = "optout.statute";
			call_changed(cs, c);
		}
		return false;
	}
	call_not_early(cs, c, p);
	objects(cs, c, p);
	/* A key press alone stops nothing where none was offered (N-43); the table knows. */
	call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_OPT_OUT);
	not_before(cs, c, p, was, now);
	if (c->state[p] == was) {
		/* D, G: it stops nothing, and that it was seen is on record (guidance 5.4) */
		if (how == CALL_BY_SDP && (was == PURPOSE_PENDING || was == PURPOSE_GRANTED))
			tell(cs, c, (struct call_news){ .event = "objection.opened", .purpose = p, .actor = actor, .how = how,
							.reason = "grounds.absent", .at_ns = now });
		/* this part of the conversation is not for training anyway; others are, or will be */
		if (p != POLICY_TRAINING || (!by_consent(c, p) && !by_opt_out(c)))
			return false;
		first = !c->peers || !c->peers->bound;
		if (!group_refuse(cs, c, PURPOSE_E_OPT_OUT, now)) {
			if (first)
				promise(cs, c, p, now);
			return false;
		}
	}
	promise(cs, c, p, now);
	if (c->state[p] == PURPOSE_OBJECTED)
		tell(cs, c, (struct call_news){ .event = "objection.opened", .purpose = p, .actor = actor, .how = how, .key = key,
						.reason = "grounds.absent", .at_ns = now });
	else
		tell(cs, c, (struct call_news){ .event = c->state[p] == PURPOSE_WITHDRAWN ? "consent.withdrawn" : "optout", .purpose = p,
						.actor = actor, .how = how, .key = key, .at_ns = now });
	return true;
}

void call_objection_goes_on(struct calls *cs, struct call *c, const struct call_decide *before, uint64_t now_ns)
{
	if ((!before->objected && !group_objected(c)) || !objects(cs, c, POLICY_DOCUMENTATION))
		return;
	call_event(cs, c, POLICY_DOCUMENTATION, PURPOSE_E_OBJECT);
	tell(cs, c, (struct call_news){ .event = "objection.opened", .purpose = POLICY_DOCUMENTATION, .actor = "system", .how = CALL_BY_PEER,
					.reason = "grounds.absent", .at_ns = now_ns });
}

void call_objected(struct calls *cs, struct call *c)
{
	(void)objects(cs, c, POLICY_DOCUMENTATION);
}

bool decide_not_needed(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now)
{
	enum purpose_state was = c->state[p];

	call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_NOT_NEEDED);
	if (c->state[p] == was)
		return false;
	tell(cs, c, (struct call_news){ .event = "audio.discard", .purpose = p, .actor = actor, .how = how, .key = key, .reason = "not-needed",
					.at_ns = now });
	return true;
}

void call_recordpref_off(struct calls *cs, struct call *c, unsigned side, uint64_t now_ns)
{
	int p;

	(void)side; /* agents are data subjects, too (RX-13) */
	if (!c->matched || c->decide.recordpref_off)
		return;
	call_decide_time(cs, c, now_ns);
	c->decide.recordpref_off = true;
	call_changed(cs, c);
	for (p = 0; p < POLICY_PURPOSES; p++)
		(void)decide_opt_out(cs, c, p, CALL_BY_SDP, "sdp", NULL, now_ns);
}

void call_listed(struct calls *cs, struct call *c, uint64_t now_ns)
{
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		(void)decide_opt_out(cs, c, p, CALL_BY_LIST, "list", NULL, now_ns);
		/* where no opt-out is offered: a `never` holds all the same */
		if (c->rule->purpose[p].basis != POLICY_B_OBLIGATION)
			call_event_why(cs, c, (enum policy_purpose)p, PURPOSE_E_TIGHTENED, "never");
	}
}

/* ---- pauses ---- */

static void resume(struct calls *cs, struct call *c, const char *actor, enum call_how how, const char *key, const char *reason,
		   uint64_t now)
{
	c->decide.paused = false;
	c->decide.pause_due_ns = 0;
	tell(cs, c, (struct call_news){ .event = "audio.resume", .purpose = -1, .actor = actor, .how = how, .key = key, .reason = reason,
					.at_ns = now });
	change(cs, c);
}

uint64_t call_sms_timeout_ns(const struct call *c)
{
	return span_ns(c->rule->sms_timeout);
}

bool decide_pause_stops(const struct call *c)
{
	return c->tight.pause_limit ? c->tight.pause_stop : c->rule->pause_stop;
}

uint64_t decide_pause_max(const struct call *c)
{
	return c->tight.pause_limit ? c->tight.pause_max_ns : span_ns(c->rule->pause_max);
}

void decide_pause_end_moves(struct calls *cs, struct call *c, uint64_t from_ns, uint64_t to_ns)
{
	struct call_decide *d = &c->decide;
	/* of one that was to last for ever nobody noted the beginning: it ends so long after now */
	uint64_t began = !d->pause_due_ns ? cs->now_ns : d->pause_due_ns > from_ns ? d->pause_due_ns - from_ns : 0;

	if (!d->paused || d->pause_over)
		return;
	d->pause_due_ns = to_ns ? began + to_ns : 0;
	decide_set_timer(cs, c);
}

/* Nobody ended the pause: by the rule it ends now, or the recording does. */
void decide_pause_too_long(struct calls *cs, struct call *c, uint64_t now)
{
	c->decide.pause_due_ns = 0;
	if (!c->decide.paused)
		return;
	if (!decide_pause_stops(c)) {
		resume(cs, c, "system", CALL_BY_TIME, NULL, "pause-max", now);
		return;
	}
	c->decide.pause_over = true;
	tell(cs, c, (struct call_news){ .event = "audio.stop", .purpose = -1, .actor = "system", .reason = "pause-max", .at_ns = now });
	change(cs, c);
}

bool decide_pause(struct calls *cs, struct call *c, enum call_how how, const char *actor, const char *key, uint64_t now)
{
	uint64_t max = decide_pause_max(c);

	if (c->decide.paused)
		return false;
	c->decide.paused = true;
	c->decide.pause_due_ns = max ? now + max : 0;
	c->decide.pause_ns = now;
	change(cs, c); /* deny first */
	tell(cs, c, (struct call_news){ .event = "audio.pause", .purpose = -1, .actor = actor, .how = how, .key = key, .at_ns = now });
	decide_set_timer(cs, c);
	group_pause(cs, c, true, now); /* the same words are on the other call */
	return true;
}

void call_pause_by_peer(struct calls *cs, struct call *c, bool pause, uint64_t now_ns)
{
	if (pause)
		(void)decide_pause(cs, c, CALL_BY_PEER, "system", NULL, now_ns);
	else if (c->decide.paused && !c->decide.pause_over)
		resume(cs, c, "system", CALL_BY_PEER, NULL, "", now_ns);
}

void call_pause_goes_on(struct calls *cs, struct call *c, const struct call_decide *before, uint64_t now_ns)
{
	if (!before->paused)
		return;
	(void)decide_pause(cs, c, CALL_BY_PEER, "system", NULL, now_ns);
	if (before->pause_over) {
		c->decide.pause_over = true;
		c->decide.pause_due_ns = 0;
	}
}

bool decide_end_pause(struct calls *cs, struct call *c, enum call_how how, const char *actor, const char *key, uint64_t now)
{
	if (!c->decide.paused || c->decide.pause_over)
		return false;
	resume(cs, c, actor, how, key, "", now);
	group_pause(cs, c, false, now);
	return true;
}

/* ---- commands ---- */

static int command_consent(struct calls *cs, struct call *c, int p, enum call_how how, uint64_t now)
{
	const struct policy_block *b = &c->rule->purpose[p];
	struct call_decide *d = &c->decide;

	if (!by_consent(c, p) || (how == CALL_BY_API ? !b->consent_api : !b->consent_header) || !decide_reached(c))
		return -EPERM;
	if (c->state[p] == PURPOSE_GRANTED)
		return -EALREADY;
	if ((c->state[p] != PURPOSE_PENDING && !d->reopened[p]) || over(cs, c, now))
		return -EPERM;
	/* Who takes consent elsewhere has told first; when that is proven, and the window is open, the consent counts. */
	if (d->notice != CALL_NOTICE_PROVEN || (d->window_to_ns[p] && now < d->window_from_ns[p])) {
		if (!d->consent_early[p])
			d->early_ns[p] = now;
		d->early_by[p] = d->said_by;
		d->consent_early[p] = (uint8_t)how;
		call_changed(cs, c);
		decide_set_timer(cs, c);
		return 0;
	}
	if (!decide_in_window(c, p, now))
		return -EPERM;
	decide_consent(cs, c, p, how, "api", NULL, now, now);
	return 0;
}

static int command_reopen(struct calls *cs, struct call *c, int p, uint64_t now)
{
	struct call_decide *d = &c->decide;
	const struct policy_window *w = &c->rule->purpose[p].window;
	int to_s = c->tight.window[p] ? c->tight.window_to_s[p] : w->to_s;

	if (!by_consent(c, p) || !w->reopen_agent || c->tight.no_reopen[p] || d->notice != CALL_NOTICE_PROVEN || over(cs, c, now))
		return -EPERM;
	if (c->state[p] != PURPOSE_PENDING && c->state[p] != PURPOSE_WITHDRAWN && !(c->state[p] == PURPOSE_DENIED && d->timed_out[p]))
		return -EPERM;
	d->reopened[p] = true;
	d->other_key[p] = false; /* what closes is this window */
	d->window_from_ns[p] = now > decide_spoken_ns(c) ? now : decide_spoken_ns(c);
	d->window_to_ns[p] = d->window_from_ns[p] + (uint64_t)(to_s > 0 ? to_s : 10) * NS_PER_S;
	change(cs, c); /* the leg is listened to again */
	decide_set_timer(cs, c);
	return 0;
}

/* To a consent to training that this part has not got: nothing changes here, and it holds for later parts. */
static void says_no(struct calls *cs, struct call *c, int p, uint64_t now)
{
	if (p == POLICY_TRAINING && by_consent(c, p) && c->state[p] != PURPOSE_GRANTED)
		(void)group_refuse(cs, c, PURPOSE_E_OPT_OUT, now);
}

static int command_object(struct calls *cs, struct call *c, int p, bool grounds, enum call_how how, uint64_t now)
{
	bool first = objects(cs, c, p);
	enum purpose_state was = c->state[p];

	/* C, F: nobody needs grounds; during the call it is an opt-out (guidance 4, "= opt-out") */
	if (p == POLICY_TRAINING && by_opt_out(c))
		return decide_opt_out(cs, c, p, how, "agent", NULL, now) ? 0 : -EALREADY;
	if (c->state[p] == PURPOSE_OBJECTED && !first)
		return -EALREADY;
	call_not_early(cs, c, p);
	says_no(cs, c, p, now);
	call_event(cs, c, (enum policy_purpose)p, grounds ? PURPOSE_E_OBJECT_GROUNDS : PURPOSE_E_OBJECT);
	not_before(cs, c, p, was, now);
	tell(cs, c, (struct call_news){ .event = "objection.opened", .purpose = p, .actor = "agent", .how = how,
					.reason = grounds ? "grounds.present" : "grounds.absent", .at_ns = now });
	return 0;
}

/* Nothing of this part is for training, or no rule matches it: earlier parts wait for the end, and what is said now is said of
 * them. */
static int refuse_others(struct calls *cs, struct call *c, enum call_command cmd, enum policy_purpose p, uint64_t now)
{
	bool objects = cmd == CALL_C_OBJECT || cmd == CALL_C_OBJECT_GROUNDS;
	bool waits;

	if ((!objects && cmd != CALL_C_OPT_OUT && cmd != CALL_C_WITHDRAW) || !c->peers)
		return -ENOENT;
	if (p == POLICY_DOCUMENTATION) { /* of which nothing waits but what was recorded */
		if (objects)
			group_objection(cs, c, now);
		return objects && (!c->matched || c->segment) ? 0 : -ENOENT;
	}
	waits = group_refuse(cs, c, cmd == CALL_C_OBJECT_GROUNDS ? PURPOSE_E_OBJECT_GROUNDS : PURPOSE_E_OPT_OUT, now);
	call_changed(cs, c);
	/* documentation that goes on is not to be taken for refused */
	return waits || !c->matched ? 0 : -ENOENT;
}

static int command(struct calls *cs, struct call *c, enum call_command cmd, enum policy_purpose p, enum call_how how, uint64_t now_ns)
{
	const struct policy_block *b;

	if (c->phase == CALL_TOMBSTONE)
		return -ENOENT;
	if (!c->matched)
		return refuse_others(cs, c, cmd, p, now_ns);
	call_decide_time(cs, c, now_ns);
	if (cmd == CALL_C_PAUSE) /* whoever asks for silence gets it */
		return decide_pause(cs, c, how, speaker(how), NULL, now_ns) ? 0 : -EALREADY;
	if (cmd == CALL_C_RESUME)
		return !c->rule->pause_api && how == CALL_BY_API ? -EPERM : decide_end_pause(cs, c, how, speaker(how), NULL, now_ns) ? 0 : -EALREADY;
	if ((unsigned)p >= POLICY_PURPOSES)
		return -ENOENT;
	if (!has(c, p))
		return refuse_others(cs, c, cmd, p, now_ns);
	b = &c->rule->purpose[p];
	switch (cmd) {
	case CALL_C_CONSENT:
		return command_consent(cs, c, p, how, now_ns);
	case CALL_C_WITHDRAW:
		if (!by_consent(c, p) || (c->state[p] != PURPOSE_GRANTED && !c->decide.consent_early[p] &&
					  (p != POLICY_TRAINING || !group_waits(c)))) {
			says_no(cs, c, p, now_ns);
			return -EALREADY;
		}
		decide_withdraw(cs, c, p, how, "agent", NULL, now_ns);
		return 0;
	case CALL_C_OPT_OUT:
		return decide_opt_out(cs, c, p, how, "agent", NULL, now_ns) ? 0 : -EALREADY;
	case CALL_C_OBJECT:
	case CALL_C_OBJECT_GROUNDS:
		return command_object(cs, c, p, cmd == CALL_C_OBJECT_GROUNDS, how, now_ns);
	case CALL_C_NOT_NEEDED:
		if (!b->not_needed || (how == CALL_BY_API && !b->not_needed_api))
			return -EPERM;
		return decide_not_needed(cs, c, p, how, "agent", NULL, now_ns) ? 0 : -EALREADY;
	case CALL_C_REOPEN:
		return command_reopen(cs, c, p, now_ns);
	default:
		return -EINVAL;
	}
}

int call_command(struct calls *cs, struct call *c, enum call_command cmd, enum policy_purpose p, enum call_how how, uint64_t now_ns)
{
	bool was = call_is_bound(c);
	int e = command(cs, c, cmd, p, how, now_ns);

	/* nothing of this part changes, but it was not said for nothing */
	return e == -EALREADY && !was && call_is_bound(c) ? 0 : e;
}

bool call_is_bound(const struct call *c)
{
	return c->peers && c->peers->bound;
}
