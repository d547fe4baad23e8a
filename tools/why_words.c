/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why_words.c - the words of `optag why`: reasons, events, scenarios, with the statement of the
 * guidance behind each
 *
 * Tables; English. Statements (N-xx, X-n, RX-n, INV-n) are those of the guidance's analysis, as in
 * the policy's messages.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "why.h"

static const struct {
	const char *reason;
	struct why_word w;
} reasons[] = {
	{"sample.draw",
	 {"it was not drawn: only a sample is kept for training", "N-46",
	  "a draw below the threshold"}},
	{"sample.out",
	 {"it was not drawn: only a sample is kept for training", "N-46",
	  "a draw below the threshold"}},
	{"sample.spread",
	 {"it was not drawn: at the rule's percent it would have been, but the cap has to last for "
	  "the period",
	  "N-53", "a draw below the threshold, or fewer calls, so that the threshold was higher"}},
	{"sample.pace",
	 {"the samples of this part of the period were given out", "N-53",
	  "a later hour, or fewer taken before it"}},
	{"quota.rule",
	 {"the rule's cap was reached", "N-53",
	  "fewer taken in the period, or a call in the next one"}},
	{"quota.throttle",
	 {"the cap that low use of earlier recordings made was reached", "N-50",
	  "more use of the earlier recordings, or a call in the next period"}},
	{"quota.agent",
	 {"the agent's cap was reached, or no agent was named", "N-53",
	  "an agent who is named by the call and has room"}},
	{"quota.queue",
	 {"the queue's cap was reached, or no queue was named", "N-53",
	  "a queue that is named by the call and has room"}},
	{"sample.seed",
	 {"the day had no draws: its seed was not committed before it began", "N-53",
	  "a seed whose hash was published the day before"}},
	{"sample.settings",
	 {"the rule has no percent or no cap", "N-46", "a rule that states both"}},
	{"sample.full",
	 {"the sampler had no room to remember the call", "N-53",
	  "fewer calls, agents or queues to be counted at once"}},
	{"sampling.unavailable",
	 {"the sampler was not to be had, or its answer did not reach the disk in time", "N-46",
	  "a sampler that works, on a disk that keeps up"}},
	{"notice.missing",
	 {"nothing proved in time that the announcement was played", "N-31",
	  "the announcement proven within the rule's notice-timeout"}},
	{"consent.none",
	 {"nobody agreed: silence is no consent", "N-21",
	  "the consent key, pressed by the data subject within the window"}},
	{"consent.late",
	 {"consent came while another purpose was recorded already, and counts from its instant on "
	  "only",
	  "N-20", "consent before the first audio is kept"}},
	{"consent.withdrawn", {"consent was withdrawn", "N-64", "no withdrawal"}},
	{"optout", {"somebody opted out", "N-41", "no opt-out, on any of the ways there are"}},
	{"optout.statute",
	 {"the person did not want it; a statute demands the recording", "N-03", NULL}},
	{"optout.uncertain",
	 {"packets were lost that may have been an opt-out", "X-4",
	  "the data subject's packets captured without a gap of 60 ms"}},
	{"optout.no-path",
	 {"the opt-out that the announcement promises did not exist in this call", "N-41",
	  "telephones that agree on telephone events, or another way out"}},
	{"hangup",
	 {"the call ended before the decision", "X-12", "a call that goes on past the decision"}},
	{"objection",
	 {"an objection was made", "N-27", "no objection, or one that is decided against"}},
	{"objection.upheld", {"an objection was upheld", "N-28", NULL}},
	{"unused",
	 {"nobody used the recording within its time", "N-50",
	  "a use for training within use-within"}},
	{"retention",
	 {"a later policy keeps calls of its rule for a shorter time, and that was over", "N-23", NULL}},
	{"deadline", {"its time was over", "N-25", NULL}},
	{"policy.tightened",
	 {"a later policy, put in force while the call ran, has no room for it", "N-01",
	  "the later policy put in force after the call"}},
	{"evidence.unavailable",
	 {"what begins could not be proven: the evidence log took no events", "INV-7",
	  "an evidence log that takes events"}},
	{"max-concurrent",
	 {"as many calls of the rule as it allows were being recorded", "R-04",
	  "fewer calls at once, or a greater max-concurrent"}},
	{"reaper.dead",
	 {"nobody deleted what was due: the reaper did not run", "INV-7", "a reaper that runs (optag-reap.timer)"}},
	{"review.missed",
	 {"the review date of the rule, or of an assessment, was past", "N-18", "a review of the rule, and a new date in it"}},
	{"not-needed", {"it was marked as not needed", "N-08", "no such mark"}},
	{"not-answered", {"nobody answered", "X-12", "an answer"}},
	{"too-short",
	 {"it was shorter than the rule's min-length", "X-12",
	  "a call longer than min-length after the answer"}},
	{"gap",
	 {"it might have been kept, and there is no audio", "X-10",
	  "media that can be captured and read"}},
	{"disk", {"the disk did not take its key", "INV-7", "a disk that takes it"}},
	{"crash", {"the recorder died", "INV-7", NULL}},
	{"process-ended", {"the recorder ended before the call did", "INV-7", NULL}},
	{"duplicate", {"another call of the conversation has this audio, and keeps it", "X-5", NULL}},
	{"third-party", {"somebody joined who had heard no announcement", "X-7", "nobody else in the call"}},
	{"group.full", {"the conversation had more calls and parts than are followed", "X-6", "fewer of them"}},
	{"transfer.limit", {"it was transferred more often than a recording can be divided", "X-6", "fewer transfers"}},
	{"callback", {"somebody who had opted out was rung back, and this once nothing is recorded", "N-41", NULL}},
	{"never", {"a rule that forbids recording took the call, or another one of the conversation", "N-01", NULL}},
	{"sample.shared", {"the draw of another call of the conversation counts", "N-53", NULL}},
	{"restart", {"the recorder was started anew meanwhile", "INV-7", NULL}},
	{"capture-end", {"the capture ended before the call", "X-10", NULL}},
	{"no-media", {"nothing was heard any more", "X-12", NULL}},
	{"pause-max", {"a pause lasted as long as the rule allows", "N-05", NULL}},
	{"bye", {"somebody hung up", "", NULL}},
	/* gaps */
	{"srtp", {"the sound is encrypted", "X-10", NULL}},
	{"overload", {"more came than this machine can store", "X-10", NULL}},
	{"memory", {"there was no memory for it", "X-10", NULL}},
	{"parts", {"its purposes changed more often than a recording can be divided", "X-10", NULL}},
	{"truncated-packets", {"its packets were cut short by the capture", "X-10", NULL}},
	{"unknown-payload-type", {"sound came under a type that nobody had announced", "X-10", NULL}},
	{"flow-table-full", {"the flow table had no room for it", "X-10", NULL}},
	{"flow-quarantine", {"its addresses could not be used again yet", "X-10", NULL}},
	{"interface-gone", {"the network interface went away", "X-10", NULL}},
	{"began-before-capture", {"it had begun before the capture", "X-10", NULL}},
	{"caller-opted-out",
	 {"the caller opted out", "N-41", "no opt-out, on any of the ways there are"}},
};

const struct why_word *why_reason(const char *reason)
{
	static struct why_word unknown;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (!strcmp(reasons[i].reason, reason))
			return &reasons[i].w;
	unknown = (struct why_word){reason, "", NULL};
	return &unknown;
}

const char *why_situation(const char *s)
{
	static const struct {
		const char *code, *text;
	} list[] = {
		{"A1", "documentation, by legitimate interest"},
		{"A2", "documentation, by consent"},
		{"A3", "documentation, because a statute demands it"},
		{"B", "training only, by consent"},
		{"C", "training only, by legitimate interest with opt-out"},
		{"D", "training only, by special circumstances"},
		{"E", "documentation, and training by consent"},
		{"F", "documentation, and training with opt-out"},
		{"G", "documentation, and training by special circumstances"},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		if (s && !strcmp(s, list[i].code))
			return list[i].text;
	return "";
}

const char *why_basis(enum policy_basis b)
{
	static const char *const names[] = {"none", "consent", "interest", "obligation"};

	return names[b];
}

/* ---- events ---- */

static const struct {
	enum evlog_kind kind;
	const char *text, *source;
} plain[] = {
	{EVLOG_CALL_KEPT, "the call is over, and something of it is kept", "INV-6"},
	{EVLOG_CALL_DESTROY, "nothing of the call can be read any more", "N-25"},
	{EVLOG_NOTICE_MISSING, "nothing had proven the announcement in time", "N-31"},
	{EVLOG_CONSENT_WITHDRAWN, "consent was withdrawn", "N-64"},
	{EVLOG_OPTOUT, "opted out", "N-41"},
	{EVLOG_OPTOUT_UNCERTAIN, "packets were lost that may have been an opt-out: taken as one",
	 "X-4"},
	{EVLOG_OBJECTION_DECIDED, "the objection was decided", "N-28"},
	{EVLOG_ERASURE_OPENED, "erasure was asked for", "N-58"},
	{EVLOG_ERASURE_DECIDED, "the request for erasure was decided", "N-58"},
	{EVLOG_QUOTA_STOP, "a cap was reached", "N-53"},
	{EVLOG_AUDIO_START, "audio is written from here on, encrypted", "INV-1"},
	{EVLOG_AUDIO_PAUSE, "recording was paused", "N-05"},
	{EVLOG_AUDIO_RESUME, "recording went on after the pause", "N-05"},
	{EVLOG_AUDIO_STOP, "no more audio is written", "INV-1"},
	{EVLOG_AUDIO_DISCARD, "audio was destroyed", "N-08"},
	{EVLOG_CAPTURE_GAP, "audio is missing", "X-10"},
	{EVLOG_KEY_CREATE, "a key for this call was made, in memory", "RX-7"},
	{EVLOG_KEY_DESTROY, "a key was destroyed: what it opened cannot be read any more", "N-25"},
	{EVLOG_HOLD_SET, "a hold keeps it past its time", "N-24"},
	{EVLOG_HOLD_RELEASE, "the hold was released", "N-24"},
	{EVLOG_REVIEW_DUE, "review is due", "N-26"},
	{EVLOG_REVIEW_DONE, "was reviewed", "N-26"},
	{EVLOG_ACCESS_OPEN, "access to the recording was asked for", "N-30"},
	{EVLOG_ACCESS_EXPORT, "the recording was handed out", "N-30"},
	{EVLOG_PLAY, "somebody listened", "N-06"},
	{EVLOG_USE, "the recording was used for training", "N-49"},
	{EVLOG_NOTICE_SMS, "the announcement went out by SMS", "N-36"},
};

static const char *how_text(const char *how)
{
	static const char *const list[][2] = {
		{"attested", "the controller's standing promise that it is played"},
		{"header", "a header of the telephone system"},
		{"api", "the telephone system"},
		{"fingerprint", "it was heard"},
		{"rfc4733", "a telephone-event packet"},
		{"info", "a SIP INFO message"},
		{"inband", "tones in the sound"},
		{"sdp", "the telephone's own wish (a=recordpref)"},
		{"list", "a list of numbers"},
	};

	for (size_t i = 0; how && i < sizeof(list) / sizeof(*list); i++)
		if (!strcmp(how, list[i][0]))
			return list[i][1];
	return how ? how : "";
}

const struct policy_notice *why_notice(const struct why *w, const struct evlog_event *e)
{
	uint64_t n = evlog_num_get(e, EVLOG_N_VERSION, 0);

	return w->rule && n && n <= w->rule->nnotice ? &w->rule->notice[n - 1] : NULL;
}

static void notice_phrase(const struct why *w, const struct evlog_event *e, char *out, size_t n)
{
	const struct policy_notice *a = why_notice(w, e);
	const char *name = e->notice ? e->notice : a ? a->name : NULL;
	const char *language = e->notice ? e->language : a ? a->language : NULL;
	const char *version = e->version ? e->version : a ? a->version : NULL;

	if (e->namong) {
		int at = snprintf(out, n, "one of the announcements ");

		for (unsigned i = 0; i < e->namong && at > 0 && (size_t)at < n; i++)
			at += snprintf(out + at, n - (size_t)at, "%s%s", i ? ", " : "", e->among[i].notice);
		if (at > 0 && (size_t)at < n)
			snprintf(out + at, n - (size_t)at, " is proven, it is not known which, by %s", how_text(e->reason));
	} else if (name)
		snprintf(out, n, "announcement %s (%s%s%s) proven by %s", name,
			 language ? language : "?", version ? ", version " : "",
			 version ? version : "", how_text(e->reason));
	else
		snprintf(out, n,
			 "the announcement is proven, it is not known which of the rule's, by %s",
			 how_text(e->reason));
}

static void consent_phrase(const struct why *w, const struct evlog_event *e, char *out, size_t n)
{
	const struct policy_block *b =
		w->rule && e->purpose ? &w->rule->purpose[e->purpose - 1] : NULL;
	uint64_t ms = evlog_num_get(e, EVLOG_N_OFFSET_MS, UINT64_MAX);
	const char *key = *e->press					     ? e->press
			  : e->source == EVLOG_S_CALLER && b && *b->consent_key ? b->consent_key
										: "";
	int at = snprintf(out, n, "%s%s, by %s",
			  *key ? "the caller agreed with key " : "consent was given", key,
			  how_text(e->reason));

	if (ms != UINT64_MAX && at > 0 && (size_t)at < n)
		at += snprintf(out + at, n - (size_t)at,
			       ", %" PRIu64 ".%" PRIu64 " s after the announcement began", ms / 1000,
			       ms / 100 % 10);
	if (e->notice && at > 0 && (size_t)at < n)
		snprintf(out + at, n - (size_t)at, "%s %s", ms != UINT64_MAX ? ":" : ", to announcement", e->notice);
}

/* The key of the policy that was pressed. Logs of before have not got it: then where the policy has one only. */
static const char *key_of(const struct why *w, const struct evlog_event *e)
{
	const struct policy_block *b =
		w->rule && e->purpose ? &w->rule->purpose[e->purpose - 1] : NULL;

	if (*e->press)
		return e->press;
	if (!w->rule || (e->source != EVLOG_S_CALLER && e->source != EVLOG_S_AGENT))
		return "";
	if (e->kind == EVLOG_AUDIO_PAUSE)
		return w->rule->pause_key;
	if (e->kind == EVLOG_AUDIO_RESUME)
		return w->rule->resume_key;
	if (b && e->kind == EVLOG_CONSENT_WITHDRAWN)
		return b->withdraw_key;
	if (b && e->kind == EVLOG_OPTOUT && e->source == EVLOG_S_CALLER)
		return *b->optout_key[1] ? "" : b->optout_key[0];
	if (b && e->kind == EVLOG_OPTOUT)
		return *b->optout_agent_key[1] ? "" : b->optout_agent_key[0];
	return "";
}

static void draw_phrase(const struct evlog_event *e, char *out, size_t n)
{
	uint64_t draw = evlog_num_get(e, EVLOG_N_DRAW, 0),
		 t = evlog_num_get(e, EVLOG_N_THRESHOLD, 0);

	if (e->kind == EVLOG_SAMPLE_IN)
		snprintf(out, n,
			 "drawn for the sample: %" PRIu64 " is below the threshold %" PRIu64
			 " (of 2^32)",
			 draw, t);
	else if (t)
		snprintf(out, n,
			 "not of the sample: draw %" PRIu64 ", threshold %" PRIu64 " (of 2^32): %s",
			 draw, t, why_reason(e->reason ? e->reason : "")->text);
	else
		snprintf(out, n, "not of the sample: %s",
			 why_reason(e->reason ? e->reason : "")->text);
}

static const char *who_text(enum evlog_source s)
{
	switch (s) {
	case EVLOG_S_CALLER:
		return " by the data subject";
	case EVLOG_S_AGENT:
		return " by the agent";
	case EVLOG_S_API:
		return " by the telephone system";
	case EVLOG_S_LIST:
		return " by a list";
	case EVLOG_S_SDP:
		return " by the telephone's own wish";
	default:
		return "";
	}
}

static void grant_phrase(const struct why *w, const struct evlog_event *e, char *out, size_t n,
			 const char **src)
{
	const struct policy_block *b =
		w->rule && e->purpose ? &w->rule->purpose[e->purpose - 1] : NULL;
	const char *basis = e->basis ? e->basis : b ? why_basis(b->basis) : NULL;

	snprintf(out, n, "allowed%s%s%s%s", basis ? ", basis " : "", basis ? basis : "", e->assessment ? ", assessment " : "",
		 e->assessment ? e->assessment : "");
	*src = !b				 ? "INV-1"
	       : b->basis == POLICY_B_CONSENT	 ? "N-20"
	       : b->basis == POLICY_B_OBLIGATION ? "N-03"
	       : e->purpose == EVLOG_P_TRAINING	 ? "N-39"
						 : "N-16";
}

static void until_phrase(const struct evlog_event *e, char *out, size_t n)
{
	uint64_t s = evlog_num_get(e, EVLOG_N_UNTIL_S, 0);
	char t[40] = "";

	if (s)
		clock_format(s * NS_PER_S, t);
	snprintf(out, n, "the key is kept%s%.10s", s ? ", to be destroyed by " : "", t);
}

/* Which other call it belongs with: the event's data is that one's identifier. */
static void link_phrase(const struct evlog_event *e, char *out, size_t n, const char **src)
{
	static const char *const list[][4] = {
		{"duplicate-of", "the same audio is kept as call ", "", "X-5"},
		{"transfer-of", "it goes on where call ", " ended", "X-6"},
		{"same-as", "another recording of the same conversation is call ", "", "X-5"},
	};
	const char *before = "it belongs with call ", *behind = "";
	char id[UID_TEXT] = "(not known)";
	struct uid u;

	if (e->has_data) {
		memcpy(u.b, e->data, sizeof(u.b));
		uid_format(&u, id);
	}
	for (size_t i = 0; e->reason && i < sizeof(list) / sizeof(*list); i++) {
		if (strcmp(list[i][0], e->reason) != 0)
			continue;
		before = list[i][1];
		behind = list[i][2];
		*src = list[i][3];
	}
	snprintf(out, n, "%s%s%s", before, id, behind);
}

static bool phrase_of_kind(const struct why *w, const struct evlog_event *e, char *out, size_t n,
			   const char **src)
{
	switch (e->kind) {
	case EVLOG_CALL_MATCH:
		snprintf(out, n, "the rule matched, and is the call's from here on");
		*src = "N-01";
		return true;
	case EVLOG_NOTICE_PLAYED:
		notice_phrase(w, e, out, n);
		*src = "N-31";
		return true;
	case EVLOG_CONSENT_GIVEN:
		consent_phrase(w, e, out, n);
		*src = "N-20";
		return true;
	case EVLOG_CONSENT_NONE:
		snprintf(out, n, "no consent: %s",
			 e->reason && !strcmp(e->reason, "hangup") ? "the call ended first"
			 : e->reason && !strcmp(e->reason, "other-key")
				 ? "another key was pressed, and no yes until the window closed"
				 : "nothing was pressed until the window closed");
		*src = "N-21";
		return true;
	case EVLOG_CONSENT_WITHDRAWN:
		if (!e->reason || strcmp(e->reason, "other-key") != 0)
			return false;
		snprintf(out, n, "the consent is taken back: another digit followed at once, so the key was part of a number");
		*src = "N-20";
		return true;
	case EVLOG_SAMPLE_IN:
	case EVLOG_SAMPLE_OUT:
		draw_phrase(e, out, n);
		*src = "N-53";
		return true;
	case EVLOG_PURPOSE_GRANT:
		grant_phrase(w, e, out, n, src);
		return true;
	case EVLOG_OBJECTION_OPENED:
		snprintf(out, n, "an objection%s%s", who_text(e->source),
			 e->reason && !strcmp(e->reason, "grounds.present")  ? ", with grounds"
			 : e->reason && !strcmp(e->reason, "grounds.absent") ? ", without grounds"
									     : "");
		*src = e->purpose == EVLOG_P_TRAINING ? "N-43" : "N-27";
		return true;
	case EVLOG_CALL_LINK:
		link_phrase(e, out, n, src);
		return true;
	case EVLOG_KEY_COMMIT:
		until_phrase(e, out, n);
		*src = "INV-8";
		return true;
	default:
		return false;
	}
}

static bool phrase_of_end(const struct evlog_event *e, char *out, size_t n, const char **src)
{
	const char *what = e->kind == EVLOG_PURPOSE_DENY     ? "not allowed"
			   : e->kind == EVLOG_PURPOSE_EXPIRE ? "over"
			   : e->kind == EVLOG_CALL_DENIED
				   ? "the call is over, and nothing of it is kept"
			   : e->kind == EVLOG_CALL_GAP
				   ? "the call is over, and what might have been kept is missing"
				   : NULL;
	const struct why_word *r;

	if (!what)
		return false;
	r = why_reason(e->reason ? e->reason : "");
	snprintf(out, n, "%s: %s", what, r->text);
	*src = r->source;
	return true;
}

void why_phrase(const struct why *w, const struct evlog_event *e, char *out, size_t n,
		const char **src)
{
	*src = "";
	if (phrase_of_kind(w, e, out, n, src) || phrase_of_end(e, out, n, src))
		return;
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		const struct why_word *r;
		const char *key;

		if (plain[i].kind != e->kind)
			continue;
		r = e->reason ? why_reason(e->reason) : NULL;
		key = key_of(w, e);
		snprintf(out, n, "%s%s%s%s%s%s", plain[i].text, who_text(e->source),
			 *key ? " with key " : "", key, r ? ": " : "", r ? how_text(r->text) : "");
		*src = plain[i].source;
		return;
	}
	snprintf(out, n, "%s%s%s", evlog_kind_name(e->kind), e->reason ? ": " : "",
		 e->reason ? e->reason : "");
}

/* ---- caps ---- */

static const char *const per[] = {"an hour", "a day", "a week", "a month"};
static const char *const of[] = {"", " per queue", " per agent"};

void why_counters(const struct why *w, char *out, size_t n)
{
	const struct policy_block *b = w->rule ? &w->rule->purpose[POLICY_TRAINING] : NULL;
	int at = 0;

	*out = 0;
	if (!w->has_draw || !b)
		return;
	for (int i = 0; i < b->ncap && at >= 0 && (size_t)at < n; i++) {
		const struct policy_cap *c = &b->cap[i];
		const struct sample_count *k = c->of == POLICY_OF_AGENT	  ? &w->draw.agent_before
					       : c->of == POLICY_OF_QUEUE ? &w->draw.queue_before
									  : &w->draw.before;

		at += snprintf(out + at, n - (size_t)at, "%s%" PRIu32 " of %d %s%s taken before it",
			       i ? ", " : "", k->used[c->per], c->n, per[c->per], of[c->of]);
	}
}
