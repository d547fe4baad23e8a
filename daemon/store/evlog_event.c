/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_event.c - the closed lists of the evidence log, and the one check that every event passes
 *
 * Pure functions. Lists are append-only: the names are part of the format.
 */
#include <string.h>

#include "store/evlog_internal.h"

#define CALLED (K_CALL | K_RULE)

static const struct {
	const char *name;
	unsigned flags;
} kinds[EVLOG_KINDS] = {
	[EVLOG_LOG_START] = { "log.start", K_OWN },
	[EVLOG_LOG_RECOVER] = { "log.recovered", K_OWN },
	[EVLOG_DAEMON_START] = { "daemon.start", 0 },
	[EVLOG_DAEMON_STOP] = { "daemon.stop", 0 },
	[EVLOG_POLICY_LOAD] = { "policy.load", K_POLICY },
	[EVLOG_POLICY_REJECT] = { "policy.reject", 0 },
	[EVLOG_CALL_MATCH] = { "call.match", CALLED | K_POLICY | K_CONTROLLER | K_BEGIN },
	[EVLOG_CALL_NOMATCH] = { "call.nomatch", 0 },
	[EVLOG_CALL_KEPT] = { "call.kept", CALLED },
	[EVLOG_CALL_DENIED] = { "call.denied", CALLED | K_REASON },
	[EVLOG_CALL_GAP] = { "call.gap", CALLED | K_REASON },
	[EVLOG_CALL_DESTROY] = { "call.destroy", K_CALL },
	[EVLOG_NOTICE_PLAYED] = { "notice.played", K_CALL | K_NOTICE },
	[EVLOG_NOTICE_MISSING] = { "notice.missing", K_CALL },
	[EVLOG_NOTICE_SMS] = { "notice.sms", K_CALL | K_REASON },
	[EVLOG_CONSENT_GIVEN] = { "consent.given", CALLED | K_PURPOSE | K_BEGIN | K_PRESS | K_NOTICE },
	[EVLOG_CONSENT_NONE] = { "consent.none", CALLED | K_PURPOSE },
	[EVLOG_CONSENT_WITHDRAWN] = { "consent.withdrawn", K_CALL | K_PURPOSE | K_PRESS },
	[EVLOG_OPTOUT] = { "optout", K_CALL | K_PRESS },
	[EVLOG_OPTOUT_UNCERTAIN] = { "optout.uncertain", K_CALL },
	[EVLOG_OBJECTION_OPENED] = { "objection.opened", K_CALL | K_PRESS },
	[EVLOG_OBJECTION_DECIDED] = { "objection.decided", K_CALL | K_REASON },
	[EVLOG_ERASURE_OPENED] = { "erasure.opened", K_CALL },
	[EVLOG_ERASURE_DECIDED] = { "erasure.decided", K_CALL | K_REASON },
	[EVLOG_SAMPLE_COMMIT] = { "sample.commit", K_DATA | K_DAY },
	[EVLOG_SAMPLE_REVEAL] = { "sample.reveal", K_DATA | K_DAY },
	[EVLOG_SAMPLE_IN] = { "sample.in", CALLED | K_DAY | K_DATA | K_BEGIN },
	[EVLOG_SAMPLE_OUT] = { "sample.out", CALLED | K_DAY | K_DATA },
	[EVLOG_QUOTA_STOP] = { "quota.stop", K_RULE | K_ANY },
	[EVLOG_AUDIO_START] = { "audio.start", K_CALL | K_BEGIN },
	[EVLOG_AUDIO_PAUSE] = { "audio.pause", K_CALL | K_PRESS },
	[EVLOG_AUDIO_RESUME] = { "audio.resume", K_CALL | K_BEGIN | K_PRESS },
	[EVLOG_AUDIO_STOP] = { "audio.stop", K_CALL },
	[EVLOG_AUDIO_DISCARD] = { "audio.discard", K_CALL | K_PRESS },
	[EVLOG_CAPTURE_GAP] = { "capture.gap", K_ANY },
	[EVLOG_KEY_CREATE] = { "key.create", K_CALL | K_BEGIN },
	[EVLOG_KEY_COMMIT] = { "key.commit", K_CALL | K_PURPOSE | K_BEGIN },
	[EVLOG_KEY_DESTROY] = { "key.destroy", K_CALL },
	[EVLOG_BUCKET_DESTROY] = { "bucket.destroy", K_CONTROLLER | K_PURPOSE | K_DAY },
	[EVLOG_PURPOSE_GRANT] = { "purpose.grant", CALLED | K_PURPOSE | K_BEGIN | K_BASIS },
	[EVLOG_PURPOSE_DENY] = { "purpose.deny", CALLED | K_PURPOSE },
	[EVLOG_PURPOSE_EXPIRE] = { "purpose.expire", K_CALL | K_PURPOSE },
	[EVLOG_HOLD_SET] = { "hold.set", K_CALL | K_WHO },
	[EVLOG_HOLD_RELEASE] = { "hold.release", K_CALL | K_WHO },
	[EVLOG_REVIEW_DUE] = { "review.due", K_ANY },
	[EVLOG_REVIEW_DONE] = { "review.done", K_ANY | K_WHO },
	[EVLOG_ACCESS_OPEN] = { "access.open", K_ANY | K_WHO },
	[EVLOG_ACCESS_EXPORT] = { "access.export", K_CALL | K_PURPOSE | K_WHO | K_FORMAT },
	[EVLOG_PLAY] = { "play", K_CALL | K_PURPOSE | K_WHO | K_FORMAT },
	[EVLOG_USE] = { "use.training", K_CALL | K_WHO },
	[EVLOG_REAPER_RUN] = { "reaper.run", 0 },
	[EVLOG_REPORT] = { "report.made", K_DATA },
	[EVLOG_CALL_LINK] = { "call.link", K_CALL | K_REASON | K_DATA },
	[EVLOG_POLICY_CHANGE] = { "policy.change", K_POLICY | K_REASON | K_DATA },
	[EVLOG_POLICY_CONFIRM] = { "policy.confirm", K_POLICY | K_DATA },
	[EVLOG_POLICY_PROPOSE] = { "policy.propose", K_POLICY | K_DATA },
	[EVLOG_POLICY_APPROVE] = { "policy.approve", K_POLICY | K_DATA | K_WHO },
	[EVLOG_POLICY_STAGE] = { "policy.stage", K_POLICY | K_DATA },
	[EVLOG_RULE_STOP] = { "rule.stop", K_POLICY | K_RULE | K_DATA },
	[EVLOG_RULE_START] = { "rule.start", K_POLICY | K_RULE | K_DATA },
	[EVLOG_OUTBOX_TAKE] = { "outbox.take", K_DATA | K_OWN },
	[EVLOG_OUTBOX_REFUSE] = { "outbox.refuse", K_DATA | K_OWN },
	[EVLOG_EVIDENCE_EXPIRE] = { "evidence.expire", K_DAY },
	[EVLOG_REAPER_TOLD] = { "reaper.told", 0 },
	[EVLOG_CLOCK_STEP] = { "clock.stepped", K_REASON },
	[EVLOG_CLOCK_TAKE] = { "clock.taken", K_REASON },
};

static const char *const purposes[EVLOG_PURPOSES] = { "", "documentation", "training" };
static const char *const sources[EVLOG_SOURCES] = { "",	  "policy", "caller",  "agent",	  "list",     "sdp",	"api",
						    "timer", "capture", "sampler", "operator", "daemon", "reaper" };
static const char *const nums[EVLOG_NUM_NAMES] = { "count",    "bytes",	   "ms",      "packets", "blocked", "lost",
						   "calls",    "day",	   "draw",    "threshold", "permille", "cap",
						   "used",     "version",  "offset_ms", "until_s", "leg", "segments",
						   "errors",   "inspected", "muted", "uid",	   "tighten", "shorten", "loosen",
						   "held",     "late_s",   "as_of_s", "clock_s", "ahead_ms", "behind_ms", "keys",
						   "past",     "missed",   "open",    "kept",	 "denied",  "gap",
						   "age_7",    "age_30",   "age_60",  "age_92",	 "age_more" };

const char *evlog_kind_name(enum evlog_kind k)
{
	return kinds[k].name;
}

unsigned evlog_kind_flags(enum evlog_kind k)
{
	return kinds[k].flags;
}

const char *evlog_purpose_name(enum evlog_purpose p)
{
	return purposes[p];
}

const char *evlog_source_name(enum evlog_source s)
{
	return sources[s];
}

const char *evlog_num_name(enum evlog_num n)
{
	return nums[n];
}

static int find(const char *const *list, int from, int to, const char *s, size_t n)
{
	for (int i = from; i < to; i++)
		if (strlen(list[i]) == n && !memcmp(list[i], s, n))
			return i;
	return -1;
}

int evlog_kind_find(const char *s, size_t n)
{
	for (int i = 0; i < EVLOG_KINDS; i++)
		if (strlen(kinds[i].name) == n && !memcmp(kinds[i].name, s, n))
			return i;
	return -1;
}

int evlog_purpose_find(const char *s, size_t n)
{
	return find(purposes, 1, EVLOG_PURPOSES, s, n);
}

int evlog_source_find(const char *s, size_t n)
{
	return find(sources, 1, EVLOG_SOURCES, s, n);
}

int evlog_num_find(const char *s, size_t n)
{
	return find(nums, 0, EVLOG_NUM_NAMES, s, n);
}

void evlog_num_add(struct evlog_event *e, enum evlog_num name, uint64_t value)
{
	if (e->nums < EVLOG_NUMS) {
		e->num[e->nums].name = name;
		e->num[e->nums].value = value;
	}
	e->nums++; /* past the end: evlog_check refuses it */
}

uint64_t evlog_num_get(const struct evlog_event *e, enum evlog_num name, uint64_t none)
{
	for (unsigned i = 0; i < e->nums && i < EVLOG_NUMS; i++)
		if (e->num[i].name == name)
			return e->num[i].value;
	return none;
}

/* As the policy spells names: text that needs no escape in JSON. */
bool evlog_name_ok(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n == EVLOG_NAME - 1 || (unsigned char)s[n] < ' ' || s[n] == 0x7f || s[n] == '"' || s[n] == '\\')
			return false;
	return n > 0;
}

/* A word of ours or of an operator's: five digits in a row might be somebody's. */
static bool word_ok(const char *s, size_t max)
{
	unsigned digits = 0;
	size_t n = 0;

	if (s[0] < 'a' || s[0] > 'z')
		return false;
	for (; s[n]; n++) {
		bool digit = s[n] >= '0' && s[n] <= '9';

		digits = digit ? digits + 1 : 0;
		if (n == max - 1 || digits == 5)
			return false;
		if (!digit && !(s[n] >= 'a' && s[n] <= 'z') && s[n] != '.' && s[n] != '_' && s[n] != '-')
			return false;
	}
	return true;
}

static bool hash_ok(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static bool press_ok(const char press[EVLOG_PRESS])
{
	size_t n = strnlen(press, EVLOG_PRESS);

	return n < EVLOG_PRESS && strspn(press, "0123456789*#ABCD") == n;
}

static const char *check_nums(const struct evlog_event *e)
{
	uint64_t seen = 0;

	_Static_assert(EVLOG_NUM_NAMES <= 64, "seen has a bit per name");
	if (e->nums > EVLOG_NUMS)
		return "too many numbers";
	for (unsigned i = 0; i < e->nums; i++) {
		if ((unsigned)e->num[i].name >= EVLOG_NUM_NAMES)
			return "unknown number";
		if (e->num[i].value > EVLOG_NUM_MAX)
			return "number out of range";
		if (seen & 1ULL << e->num[i].name)
			return "number given twice";
		seen |= 1ULL << e->num[i].name;
	}
	return NULL;
}

static bool language_ok(const char *s)
{
	size_t n = strlen(s);

	return n && n < EVLOG_LANGUAGE && strspn(s, "abcdefghijklmnopqrstuvwxyz") == n;
}

static bool format_ok(const char *s)
{
	return !strcmp(s, "wav") || !strcmp(s, "payload") || !strcmp(s, "pcap") || !strcmp(s, "grounds");
}

static bool basis_ok(const char *s)
{
	return !strcmp(s, "consent") || !strcmp(s, "interest") || !strcmp(s, "obligation");
}

#define SAYING_NUMS 4 /* a line with all of these fields has room for so many numbers */

static const char *check_among(const struct evlog_event *e)
{
	if (!e->namong)
		return NULL;
	if (!(kinds[e->kind].flags & K_NOTICE) || e->notice)
		return "announcements where none, or one, belongs";
	if (e->namong < 2 || e->namong > EVLOG_AMONG)
		return "not some of several announcements";
	for (unsigned i = 0; i < e->namong; i++) {
		const struct evlog_among *a = &e->among[i];

		if (!a->notice || !evlog_name_ok(a->notice) || (a->version && !evlog_name_ok(a->version)) || (a->language && !language_ok(a->language)))
			return "not a name of the policy's";
	}
	return e->nums > SAYING_NUMS ? "too many numbers" : NULL;
}

/* Which announcement, and on what a purpose rests. */
static const char *check_says(const struct evlog_event *e)
{
	unsigned f = kinds[e->kind].flags;
	bool notice = e->notice, basis = e->basis;

	if (!notice && (e->language || e->version))
		return "a version of no announcement";
	if (!basis && (e->assessment || e->special))
		return "an assessment of no basis";
	if (e->has_content && !notice && !e->assessment)
		return "what nothing says";
	if ((notice && !(f & K_NOTICE)) || (basis && !(f & K_BASIS)))
		return "an announcement or a basis where none belongs";
	if ((notice || basis) && e->nums > SAYING_NUMS)
		return "too many numbers";
	if ((notice && !evlog_name_ok(e->notice)) || (e->version && !evlog_name_ok(e->version)) ||
	    (e->assessment && !evlog_name_ok(e->assessment)) || (e->special && !evlog_name_ok(e->special)))
		return "not a name of the policy's";
	if (e->language && !language_ok(e->language))
		return "not a language";
	return basis && !basis_ok(e->basis) ? "not a basis" : NULL;
}

static const char *check_needs(const struct evlog_event *e)
{
	unsigned f = kinds[e->kind].flags;
	int32_t day;

	if (f & K_CALL && !e->has_call)
		return "event without its call";
	if (e->has_call && !(f & (K_CALL | K_ANY)))
		return "event of no call names one";
	if (f & K_RULE && !e->rule)
		return "event without its rule";
	if (f & K_PURPOSE && !e->purpose)
		return "event without its purpose";
	if (f & K_POLICY && !e->policy)
		return "event without its policy";
	if (f & K_CONTROLLER && !e->controller)
		return "event without its controller";
	if (f & K_REASON && !e->reason)
		return "event without its reason";
	if (f & K_WHO && !e->who)
		return "event without who did it";
	if (!(f & K_DATA) != !e->has_data)
		return f & K_DATA ? "event without its data" : "event with data";
	if (*e->press && !(f & K_PRESS))
		return "event that no key press makes names one";
	if (e->format && !(f & K_FORMAT))
		return "event that gives nothing says how";
	if (f & K_DAY && evlog_num_get(e, EVLOG_N_DAY, 0) == 0)
		return "event without its day";
	if (e->kind == EVLOG_EVIDENCE_EXPIRE && !evlog_day_of_number(evlog_num_get(e, EVLOG_N_DAY, 0), &day))
		return "event without its day";
	return NULL;
}

/* Not of what the log has: whoever wrote that kept evidence for a shorter time, and did give it up. */
static const char *check_age(const struct evlog_event *e)
{
	int32_t day = 0;

	if (e->kind != EVLOG_EVIDENCE_EXPIRE)
		return NULL;
	(void)evlog_day_of_number(evlog_num_get(e, EVLOG_N_DAY, 0), &day); /* check_needs saw that it is one */
	return day > evlog_expire_day(evlog_day(e->time_ns), EVLOG_EXPIRE_MONTHS) ? "evidence is given up too early" : NULL;
}

const char *evlog_check(const struct evlog_event *e)
{
	const char *what = evlog_form(e);

	return what ? what : check_age(e);
}

const char *evlog_form(const struct evlog_event *e)
{
	const char *what;

	if ((unsigned)e->kind >= EVLOG_KINDS)
		return "unknown event";
	if ((unsigned)e->purpose >= EVLOG_PURPOSES)
		return "unknown purpose";
	if ((unsigned)e->source >= EVLOG_SOURCES)
		return "unknown source";
	if (!e->time_ns)
		return "event without a time";
	if (e->controller && name_check(e->controller))
		return "not a controller's name";
	if (e->rule && !evlog_name_ok(e->rule))
		return "not a rule's name";
	if (e->policy && !hash_ok(e->policy))
		return "not a policy's hash";
	if (e->reason && !word_ok(e->reason, EVLOG_REASON))
		return "not a reason";
	if (e->who && !word_ok(e->who, EVLOG_WHO))
		return "not a person's name";
	if (e->format && !format_ok(e->format))
		return "not a format";
	if (!press_ok(e->press))
		return "not a policy's key";
	what = check_nums(e);
	what = what ? what : check_says(e);
	what = what ? what : check_among(e);
	return what ? what : check_needs(e);
}
