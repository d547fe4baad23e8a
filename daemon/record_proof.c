/* SPDX-License-Identifier: BSD-2-Clause */
/* record_proof.c - the recorder's side of evidence.h: what of a call is told, and its slot in a sample. One thread. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/keep.h"
#include "evidence.h"
#include "policy/policy.h"
#include "record_call.h"
#include "record_internal.h"
#include "store/store.h"

void proof_alarm(struct recorder *r, const struct call *c, enum recorder_alarm what)
{
	static const unsigned by[RECORDER_ALARMS] = { [RECORDER_NOTICE_MISSING] = POLICY_ALARM_NOTICE, [RECORDER_GAP] = POLICY_ALARM_GAP,
						      [RECORDER_QUOTA] = POLICY_ALARM_QUOTA, [RECORDER_USE] = POLICY_ALARM_USE };

	if (r->set.alarm && (!by[what] || c->rule->alarms & by[what]))
		r->set.alarm(r->set.arg, c, what);
}

/* Training of which only a sample may be kept (N-46). */
static void wait_for_slot(struct recorder *r, struct call *c, const char *out)
{
	if (!out && c->decide.sample_waits && r->nwaiting < WAITING_MAX)
		r->waiting[r->nwaiting++] = c->ring;
	else if (!out && c->decide.sample_waits)
		call_slot_lost(r->calls, c); /* so many at once: the disk does not keep up */
}

const char *proof_draw(void *arg, struct call *c)
{
	struct recorder *r = arg;
	const struct policy_block *b = &c->rule->purpose[POLICY_TRAINING];
	const char *out;

	if (b->sample_permille < 0 && !b->ncap)
		return NULL;
	if (!r->set.evidence || (c->user && recording_known(c->user)))
		return "sampling.unavailable";
	out = evidence_draw(r->set.evidence, c);
	wait_for_slot(r, c, out);
	if (out && !strncmp(out, "quota.", 6))
		proof_alarm(r, c, strcmp(out, "quota.throttle") ? RECORDER_QUOTA : RECORDER_USE);
	return out;
}

const char *proof_redraw(void *arg, struct call *c, const struct policy_rule *rule)
{
	struct recorder *r = arg;
	const char *out;

	if (!r->set.evidence || (c->user && recording_known(c->user)))
		return "sampling.unavailable";
	out = evidence_redraw(r->set.evidence, c, rule);
	wait_for_slot(r, c, out);
	return out;
}

bool proof_ready(void *arg)
{
	struct recorder *r = arg;

	return !r->set.evidence || evidence_ready(r->set.evidence);
}

/* A capture that was replayed before is proven already. */
bool proof_wanted(const struct recorder *r, const struct call *c)
{
	return r->set.evidence && !(c->user && recording_known(c->user));
}

void proof_grounds(struct recorder *r, const struct call *c, const struct call_news *n)
{
	if (!r->grounds || !c->user || strcmp(n->event, "objection.opened") || !n->reason || strcmp(n->reason, "grounds.present"))
		return;
	if (!recording_grounds(c->user, (enum policy_purpose)n->purpose, r->grounds))
		r->grounds_kept++;
}

void proof_news(void *arg, const struct call *c, const struct call_news *n)
{
	struct recorder *r = arg;
	struct call_news told = *n;

	if (!strcmp(n->event, "notice.missing"))
		proof_alarm(r, c, RECORDER_NOTICE_MISSING);
	else if (n->reason && !strcmp(n->reason, "pause-max"))
		proof_alarm(r, c, RECORDER_PAUSE_OVER);
	if (!strcmp(n->event, "capture.gap")) { /* the row says so, and its end tells the log */
		proof_alarm(r, c, RECORDER_TRANSFER_LIMIT);
		if (c->user)
			recording_gap(c->user, n->reason);
		return;
	}
	proof_grounds(r, c, n);
	if (!proof_wanted(r, c))
		return;
	if (!strcmp(n->event, "audio.discard")) { /* told by who said it, right behind proof_destroy */
		told.packets = r->needless.packets;
		told.audio_ms = r->needless.ms;
		r->needless.packets = r->needless.ms = 0;
	}
	evidence_news(r->set.evidence, c, &told);
}

void proof_begin(struct recorder *r, const struct call *c)
{
	if (!proof_wanted(r, c))
		return;
	evidence_call(r->set.evidence, c, EVLOG_KEY_CREATE, -1, EVLOG_S_DAEMON, NULL, NULL, 0);
	evidence_call(r->set.evidence, c, EVLOG_AUDIO_START, -1, EVLOG_S_DAEMON, NULL, NULL, 0);
}

/* What of the call would be kept now. */
static struct store_leg_figures kept_now(const struct recording *rc)
{
	struct store_leg_figures sum = { 0 }, leg;

	for (unsigned i = 0; i < 2; i++) {
		recording_figures(rc, i, &leg);
		sum.packets += leg.packets;
		sum.audio_ms += leg.audio_ms;
	}
	return sum;
}

/* It has the key that goes now. No state is better, for the moment until recorder_save: the row says that a crash ended it. */
static void forget_state(struct recorder *r, const struct call *c)
{
	struct call *own = r->keep ? calls_by_ring(r->calls, c->ring) : NULL;

	if (own != c) /* parked: no state of it is left */
		return;
	keep_del(r->keep, c->ring);
	recorder_changed(r, own);
}

int proof_destroy(struct recorder *r, const struct call *c, enum policy_purpose p, const char *reason)
{
	struct store_leg_figures was = kept_now(c->user), now;
	bool begun = recording_begun(c->user);
	uint64_t drops = store_drops(r->set.store);
	struct evidence_num n[2];
	int e;

	forget_state(r, c);
	e = recording_destroy(c->user, c, p);
	if (!proof_wanted(r, c))
		return e;
	if (begun)
		evidence_destroyed(r->set.evidence, c, (int)p, reason, drops, store_drops(r->set.store));
	now = kept_now(c->user);
	if (!strcmp(reason, "not-needed")) { /* which is told by who said it */
		r->needless.packets = was.packets - now.packets;
		r->needless.ms = was.audio_ms - now.audio_ms;
		return e;
	}
	if (now.packets >= was.packets)
		return e;
	n[0] = (struct evidence_num){ EVLOG_N_PACKETS, was.packets - now.packets };
	n[1] = (struct evidence_num){ EVLOG_N_MS, was.audio_ms - now.audio_ms };
	evidence_call(r->set.evidence, c, EVLOG_AUDIO_DISCARD, (int)p, EVLOG_S_DAEMON, reason, n, 2);
	return e;
}

void proof_unmatched(struct recorder *r)
{
	struct calls_stats st;

	if (!r->set.evidence)
		return;
	calls_get_stats(r->calls, &st);
	evidence_unmatched(r->set.evidence, st.unmatched - r->unmatched);
	r->unmatched = st.unmatched;
}

void proof_slots(struct recorder *r)
{
	size_t i, left = 0;
	uint64_t saved;

	if (!r->nwaiting)
		return;
	saved = evidence_saved(r->set.evidence);
	if (saved == r->saved)
		return;
	r->saved = saved;
	for (i = 0; i < r->nwaiting; i++) {
		struct call *c = calls_by_ring(r->calls, r->waiting[i]);

		if (!c || !c->decide.sample_waits)
			continue;
		if (evidence_durable(r->set.evidence, c))
			call_slot_durable(r->calls, c);
		else
			r->waiting[left++] = r->waiting[i];
	}
	r->nwaiting = left;
}

/* With the deadline, and the day whose bucket holds the key: what is destroyed with it is this call's too. */
static void proof_commit(struct evidence *ev, const struct call *c, int p, uint64_t until_ns)
{
	struct evidence_num n[2] = { { EVLOG_N_UNTIL_S, until_ns / NS_PER_S } };
	struct clock_date d;
	unsigned nums = 1;

	if (!clock_civil(until_ns, c->rule->controller->timezone, &d, NULL, NULL))
		n[nums++] = (struct evidence_num){ EVLOG_N_DAY, (uint64_t)(d.year * 10000 + d.month * 100 + d.day) };
	evidence_call(ev, c, EVLOG_KEY_COMMIT, p, EVLOG_S_DAEMON, NULL, n, nums);
}

void proof_kept(struct recorder *r, const struct call *c, const struct recording_result *end)
{
	struct evidence *ev = r->set.evidence;
	struct evidence_num n[6] = { { EVLOG_N_PACKETS, end->packets }, { EVLOG_N_MS, end->audio_ms }, { EVLOG_N_KEYS, 0 },
				     { EVLOG_N_BLOCKED, end->blocked } };
	unsigned nums = 4;
	int p;

	for (p = 0; p < POLICY_PURPOSES; p++) {
		if (end->state[p] == PURPOSE_GRANTED || end->state[p] == PURPOSE_OBJECTED) {
			proof_commit(ev, c, p, end->until_ns[p]);
			n[2].value++; /* so that nobody can leave one out who proves that they are gone */
		} else if (c->state[p] != end->state[p]) { /* granted, and yet not kept: "consent.late", "disk" */
			evidence_call(ev, c, EVLOG_PURPOSE_DENY, p, EVLOG_S_DAEMON, end->reason[p], NULL, 0);
		}
	}
	evidence_call(ev, c, EVLOG_AUDIO_STOP, -1, EVLOG_S_DAEMON, c->end, NULL, 0);
	if (*end->gap)
		evidence_call(ev, c, EVLOG_CAPTURE_GAP, -1, EVLOG_S_CAPTURE, end->gap, NULL, 0);
	if (end->inspected)
		n[nums++] = (struct evidence_num){ EVLOG_N_INSPECTED, end->inspected };
	if (end->muted)
		n[nums++] = (struct evidence_num){ EVLOG_N_MUTED, end->muted };
	/* what is said of documentation that is kept as if nothing was: optout.statute, third-party ... */
	p = POLICY_DOCUMENTATION;
	evidence_outcome(ev, c, EVLOG_CALL_KEPT, EVLOG_S_DAEMON,
		      end->state[p] == PURPOSE_GRANTED && *end->reason[p] ? end->reason[p] : NULL, n, nums);
}

/* What the recording itself decided: too short, not answered, no media. */
void proof_denied(struct recorder *r, const struct call *c, const struct recording_result *end, bool begun)
{
	struct evidence *ev = r->set.evidence;
	const char *why = *end->reason[0] ? end->reason[0] : *end->reason[1] ? end->reason[1] : "none";
	/* that audio of who is not recorded stayed in the classifier (N-54): said also when it is none */
	struct evidence_num n[2] = { { EVLOG_N_BLOCKED, end->blocked }, { EVLOG_N_INSPECTED, end->inspected } };

	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (c->state[p] != end->state[p])
			evidence_call(ev, c, EVLOG_PURPOSE_DENY, p, EVLOG_S_DAEMON, end->reason[p], NULL, 0);
	if (begun)
		evidence_destroyed(ev, c, -1, why, end->drops_before, end->drops);
	if (end->end == RECORDING_GAP)
		evidence_outcome(ev, c, EVLOG_CALL_GAP, EVLOG_S_CAPTURE, *end->gap ? end->gap : "gap", NULL, 0);
	else
		evidence_outcome(ev, c, EVLOG_CALL_DENIED, EVLOG_S_DAEMON, why, n, 1 + (end->inspected != 0));
}

void proof_policy(struct recorder *r, const struct policy *p)
{
	if (!p || !r->set.evidence || strcmp(r->policy_told, policy_hash(p)) == 0)
		return; /* the same again, as at the start, is no change */
	snprintf(r->policy_told, sizeof(r->policy_told), "%s", policy_hash(p));
	evidence_daemon(r->set.evidence, EVLOG_POLICY_LOAD, policy_hash(p), NULL);
}
