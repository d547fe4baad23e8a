/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_meant.c - what is written and cannot be meant: windows in which nobody can answer, answers without a word,
 * announcements that cannot be recognised; and settings that are kept, but that nothing acts on yet
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lint.h"

#define WINDOW_MAX_S   120
#define WINDOW_FROM_S  3   /* before that nothing was said that could be answered (X-1, guidance 9.9) */
#define PURPOSES_S     10  /* of an announcement that is longer it is said when its purposes have been spoken (guidance 9.9) */
#define NOTICE_MAX_S   600 /* as long as the longest announcement that is recognised */
#define BYTES_A_SECOND 8000
#define HEAD_MAX       4096
#define NOT_YET	       "nothing acts on this yet; it is kept for later."

/* ---- how long an announcement is ---- */

static uint32_t le32(const unsigned char *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Of the file's n first bytes; 0: no .wav, or one that does not say. */
static uint32_t wav_bytes_a_second(const unsigned char *b, size_t n, uint32_t *ret_data)
{
	uint32_t rate = 0;
	size_t at = 12, len;

	if (n < 12 || memcmp(b, "RIFF", 4) != 0 || memcmp(b + 8, "WAVE", 4) != 0)
		return 0;
	for (; at + 8 <= n; at += 8 + len + (len & 1)) {
		len = le32(b + at + 4);
		if (!memcmp(b + at, "fmt ", 4) && at + 20 <= n)
			rate = le32(b + at + 16);
		if (!memcmp(b + at, "data", 4)) {
			*ret_data = (uint32_t)len;
			return rate;
		}
		if (len > HEAD_MAX)
			break;
	}
	return 0;
}

/* Of a sound, in ms; -1 not known. */
static int sound_ms(const char *path)
{
	unsigned char head[HEAD_MAX];
	FILE *f = fopen(path, "re");
	uint32_t rate, data = 0;
	struct stat st;
	int64_t ms = -1;
	size_t n;

	if (!f)
		return -1;
	n = fread(head, 1, sizeof(head), f);
	rate = wav_bytes_a_second(head, n, &data);
	if (!fstat(fileno(f), &st)) {
		if (rate)
			ms = ((int64_t)data < st.st_size ? (int64_t)data : st.st_size) * 1000 / rate;
		else if (n >= 4 && memcmp(head, "RIFF", 4) != 0)
			ms = st.st_size * 1000 / BYTES_A_SECOND;
	}
	fclose(f);
	return ms > INT32_MAX ? -1 : (int)ms;
}

/* The shortest and the longest of the rule's announcements, as far as their sounds can be read. */
static bool notice_s(struct policy *p, const struct rule *r, int *ret_min, int *ret_max)
{
	bool any = false;

	for (const struct word *w = r->notice; w; w = w->next) {
		const struct announcement *a = w->obj;

		for (const struct word *f = a && !a->o.bad ? a->audio_files : NULL; f; f = f->next) {
			char *path = file_path(p, f);
			int ms = path ? sound_ms(path) : -1, s = ms / 1000;

			free(path);
			if (ms < 0)
				continue;
			*ret_min = any && *ret_min < s ? *ret_min : s;
			*ret_max = any && *ret_max > s ? *ret_max : s;
			any = true;
		}
	}
	return any;
}

/* ---- windows ---- */

static void check_notice_window(struct policy *p, const struct rule *r, const struct policy_window *w, struct pos at)
{
	int min, max;
	bool known = notice_s(p, r, &min, &max);

	if (!known)
		min = max = 0;
	if (known && w->from_s >= min + w->to_s)
		diag_add(p, at, "L-24", "N-21", "window notice-start+3s to notice-end+10s",
			 "the window is empty: the announcement lasts %d s.", min);
	else if (w->to_s > WINDOW_MAX_S || w->from_s > WINDOW_MAX_S)
		diag_add(p, at, "L-24", "N-21: a late press is no answer to the question.", "at most 120 s.",
			 "the window is longer than 120 s.");
	else if (known && max + w->to_s - w->from_s > WINDOW_MAX_S)
		diag_add(p, at, "L-24", "N-21: a late press is no answer to the question.", "at most 120 s.",
			 "the window is longer than 120 s: the announcement lasts %d s.", max);
}

/* The longest sound of an announcement, in ms; -1 it has none that is known. */
static int longest_ms(struct policy *p, const struct announcement *a)
{
	int longest = -1;

	for (const struct word *f = a->audio_files; f; f = f->next) {
		char *path = file_path(p, f);
		int ms = path ? sound_ms(path) : -1;

		free(path);
		longest = ms > longest ? ms : longest;
	}
	return longest;
}

/* When the window is over, at the latest, in seconds after this announcement's start; -1 not known. What a system tells (api) may
 * begin before the answer, and end when it says so. */
static int window_over_s(struct policy *p, const struct rule *r, const struct policy_window *w, const struct announcement *a)
{
	int end = longest_ms(p, a), min, max;
	bool api = r->pub.proof == POLICY_PROOF_API, heard = r->pub.proof == POLICY_PROOF_FINGERPRINT;

	if (w->from_answer)
		return api ? -1 : w->to_s;
	if (!a->audio_files && !api && !heard)
		return w->to_s; /* a length that is not known counts for nothing (daemon/call/decide.h) */
	if (end < 0)
		return -1;
	return (api || heard || !notice_s(p, r, &min, &max) ? end / 1000 : max) + w->to_s;
}

/* Between the start and the purposes a yes is no answer to a question that has not been put. */
static void check_keys_after(struct policy *p, const struct rule *r, const struct block *b)
{
	const struct policy_window *w = &b->pub->window;
	bool told = b->purpose == POLICY_TRAINING && *r->pub.purpose[POLICY_DOCUMENTATION].consent_key; /* once is enough */

	for (const struct word *n = r->notice; n; n = n->next) {
		const struct announcement *a = n->obj;
		int over;

		if (!a || a->o.bad)
			continue;
		if (!a->at[A_KEYS_AFTER].line) {
			if (*b->pub->consent_key && !told && longest_ms(p, a) > PURPOSES_S * 1000)
				diag_add(p, n->at, "W-25", NULL, NULL, "'%s' lasts %d s, and a consent key counts from %d s on.", a->o.name,
					 longest_ms(p, a) / 1000, w->from_s);
			continue;
		}
		over = window_over_s(p, r, w, a);
		if (over >= 0 && a->keys_after_s >= over)
			diag_add(p, a->at[A_KEYS_AFTER], "L-24", "N-21: a key that never counts is no way to consent.",
				 "keys-after, the second by which the purposes have been spoken, or a later end of the window.",
				 "the window of '%s' is over before a key counts in '%s'.", r->o.name, a->o.name);
	}
}

/* A policy from memory was judged when it came from files; its sounds are not there. */
static bool sounds_elsewhere(const struct policy *p, const struct rule *r)
{
	for (const struct word *w = r->notice; w; w = w->next) {
		const struct announcement *a = w->obj;

		if (a && a->audio_files && p->src[a->audio_files->at.file].in_memory)
			return true;
	}
	return false;
}

/* Of an announcement shorter than twice that, its second half. */
static int window_from(struct policy *p, const struct rule *r)
{
	int min, max;

	if (sounds_elsewhere(p, r))
		return 1;
	if (!notice_s(p, r, &min, &max) || max >= 2 * WINDOW_FROM_S)
		return WINDOW_FROM_S;
	return max / 2 > 1 ? max / 2 : 1;
}

void check_window(struct policy *p, const struct rule *r, const struct block *b)
{
	const struct policy_window *w = &b->pub->window;
	struct pos at = block_at(b, B_WINDOW);

	if (b->pub->basis == POLICY_B_CONSENT)
		check_keys_after(p, r, b);
	if (w->from_answer && r->pub.proof == POLICY_PROOF_FINGERPRINT)
		diag_add(p, at, "L-24",
			 "X-1: a press counts after the notice was heard, not after the answer.",
			 "window notice-start+3s to notice-end+10s",
			 "the notice is proven by its audio, but the window counts from the "
			 "answer.");
	if (w->from_s < window_from(p, r) && !(rule_controller(r) && rule_controller(r)->pub.lab))
		diag_add(p, at, "L-24", "X-1: who answers before anything was said was not asked.",
			 "window notice-start+3s to notice-end+10s", "the window opens less than %d s after the %s, before anything was said.",
			 window_from(p, r), w->from_answer ? "answer" : "announcement's start");
	if (!w->from_answer)
		check_notice_window(p, r, w, at);
	else if (w->to_s <= w->from_s)
		diag_add(p, at, "L-24", "N-21", "window notice-start+3s to notice-end+10s",
			 "the window is empty.");
	else if (w->to_s - w->from_s > WINDOW_MAX_S || w->from_s > WINDOW_MAX_S)
		diag_add(p, at, "L-24", "N-21: a late press is no answer to the question.",
			 "at most 120 s.", "the window is longer than 120 s.");
}

/* ---- before the decision ---- */

/* Its sound is kept, or held, for the other purpose in any case (guidance 6); NULL it is not. */
static const char *other_has_it(const struct rule *r, const struct block *b)
{
	const struct policy_block *o = &r->pub.purpose[!b->purpose];

	if (b->purpose == POLICY_DOCUMENTATION && b->pub->basis != POLICY_B_CONSENT)
		return "is recorded from the answer on";
	if (b->purpose == POLICY_TRAINING && (o->basis == POLICY_B_INTEREST || o->basis == POLICY_B_OBLIGATION))
		return "is recorded for documentation from the answer on";
	if (b->purpose == POLICY_DOCUMENTATION && o->basis == POLICY_B_INTEREST && o->pre_decision != POLICY_PRE_BLOCK)
		return "is held in memory for training";
	return NULL;
}

/* A press may count in this purpose before it is decided. */
static bool asks(const struct policy_block *x)
{
	return x->basis == POLICY_B_CONSENT || (x->basis == POLICY_B_INTEREST && !x->special);
}

/* What guidance 6 allows where a purpose is waited for; a setting that nothing acts on would be believed. */
void check_pre_decision(struct policy *p, const struct rule *r, const struct block *b)
{
	const struct policy_block *x = b->pub;
	bool consent = x->basis == POLICY_B_CONSENT;
	unsigned ways = r->pub.purpose[POLICY_DOCUMENTATION].dtmf | r->pub.purpose[POLICY_TRAINING].dtmf;
	struct pos at = b->at[B_PREDECISION];
	const char *has = other_has_it(r, b);

	if (x->pre_decision == POLICY_PRE_DEFAULT)
		return;
	if (has)
		diag_add(p, at, "L-27", "guidance 6: nothing is waited for, so nothing would act on it.", "remove it.",
			 "'pre-decision' has no meaning: the call %s.", has);
	else if (consent && x->pre_decision == POLICY_PRE_HOLD)
		diag_add(p, at, "L-27", "there is no basis before the press, and holding audio in memory is processing.",
			 "pre-decision block", "audio cannot be held before the consent.");
	else if (consent && x->pre_decision == POLICY_PRE_INSPECT && !(x->dtmf & POLICY_DTMF_INBAND))
		diag_add(p, at, "L-27", "there is no basis before the press; sound is looked at only where keys are heard in it alone.",
			 "pre-decision block, or dtmf inband.", "audio is inspected before the consent, but no keys are looked for in it.");
	else if (!consent && x->pre_decision == POLICY_PRE_INSPECT)
		diag_add(p, at, "L-27", "guidance 6: until it is decided the sound is held, or blocked.", "pre-decision hold, or pre-decision block.",
			 "the sound of training by interest is not inspected.");
	else if (x->pre_decision == POLICY_PRE_BLOCK && asks(x) && ways & POLICY_DTMF_INBAND)
		diag_add(p, at, "L-28", "R-41b: the way to decide must exist.",
			 consent ? "pre-decision inspect, or dtmf rfc4733 info." : "pre-decision hold, or dtmf rfc4733 info.",
			 "keys are looked for in sound that is blocked.");
}

/* ---- texts that say nothing ---- */

/* Has it a letter or a digit, of whatever script? Blanks and punctuation beyond ASCII are none. */
static bool says_something(const char *s)
{
	const unsigned char *b = (const unsigned char *)s;
	unsigned long u;

	for (; *b; b++) {
		if (*b < 0x80) {
			if ((*b >= '0' && *b <= '9') || ((*b | 32) >= 'a' && (*b | 32) <= 'z'))
				return true;
			continue;
		}
		if (*b < 0xc0)
			continue; /* the rest of one that was looked at */
		u = *b & (*b < 0xe0 ? 0x1f : *b < 0xf0 ? 0x0f : 0x07);
		for (const unsigned char *c = b + 1; (*c & 0xc0) == 0x80; c++)
			u = u << 6 | (*c & 0x3f);
		if (!((u >= 0x80 && u <= 0xbf) || (u >= 0x2000 && u <= 0x206f) || (u >= 0x3000 && u <= 0x303f) || u == 0xfeff || u >= 0x1f000))
			return true;
	}
	return false;
}

static void check_says(struct policy *p, struct pos at, const char *code, const char *what, const char *s)
{
	if (s && !says_something(s))
		diag_add(p, at, code, NULL, "write it in words.", "'%s' says nothing: there is no letter and no digit in it.", what);
}

void check_assessment_says(struct policy *p, const struct assessment *a)
{
	check_says(p, a->at[AS_AUTHOR], "L-01", "author", a->author);
	check_says(p, a->at[AS_APPROVER], "L-01", "approver", a->approver);
	check_says(p, a->at[AS_SECOND], "L-01", "second-approver", a->second);
	check_says(p, a->at[AS_OUTCOME], "L-01", "outcome", a->outcome);
	check_says(p, a->at[AS_NOOTHER], "L-40", "no-other-way", a->no_other_way);
	check_says(p, a->at[AS_WITHOUT], "L-52", "without-consent", a->without_consent);
	for (int i = 0; i < 6; i++) {
		char what[16];

		snprintf(what, sizeof(what), "factor %d", i + 1);
		check_says(p, a->at[AS_FACTOR], "L-40", what, a->factor_text[i]);
	}
}

static void check_rule_says(struct policy *p, const struct rule *r)
{
	check_says(p, r->at[R_OWNER], "L-07", "owner", r->pub.owner);
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		const struct block *b = &r->block[i];

		if (!b->pos.line)
			continue;
		check_says(p, b->at[B_BASIS], "L-42", "basis obligation", b->pub->statute);
		check_says(p, b->at[B_SPECIAL], "L-35", "special-circumstances", b->pub->special_ground);
		check_says(p, b->at[B_REASON], "L-60", "retention-reason", b->reason);
	}
	for (const struct sensitive *s = r->sensitive; s; s = s->next) {
		check_says(p, s->at, "L-70", "sensitive", s->basis);
		for (int i = 0; i < POLICY_PURPOSES; i++)
			check_says(p, s->at, "L-70", "sensitive", s->purpose_basis[i]);
	}
}

/* ---- an announcement that nobody can recognise ---- */

static void check_heard(struct policy *p, const struct rule *r)
{
	static const char *const heard[] = {"PCMA", "PCMU", "G711", "telephone-event", "CN"};

	if (r->at[R_TIMEOUT].line && r->pub.notice_timeout_s > NOTICE_MAX_S)
		diag_add(p, r->at[R_TIMEOUT], "L-85", "R-31: who has not been told by then is not told.", "notice-timeout 60 s",
			 "the announcement is waited for longer than 10 minutes.");
	if (r->pub.proof != POLICY_PROOF_FINGERPRINT)
		return;
	if (r->encrypted == 2)
		diag_add(p, r->at[R_MEDIA], "L-85", NULL, "notice-proof header or api.",
			 "the announcement cannot be recognised in encrypted media.");
	for (const struct word *w = r->codecs; w; w = w->next) {
		bool ok = false;

		for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++)
			ok |= !strcasecmp(w->s, heard[i]);
		if (ok)
			continue;
		diag_add(p, r->at[R_MEDIA], "L-85", NULL, "notice-proof header or api, or media codec PCMA.",
			 "the announcement is recognised in G.711 only, not in %s.", w->s);
		return;
	}
}

/* ---- kept, and not acted on ---- */

bool record_is_short(const struct rule *r)
{
	return span_days(&r->decision_record) < 24 * 28;
}

static void check_not_yet(struct policy *p, const struct rule *r)
{
	if (r->at[R_DISK].line)
		diag_add(p, r->at[R_DISK], "W-23", NULL, NULL, "'disk-share': " NOT_YET);
	if (r->at[R_KEYS].line && r->per_leg == 1)
		diag_add(p, r->at[R_KEYS], "W-23", NULL, NULL, "'keys per-leg': " NOT_YET);
	if (r->at[R_KEYS].line && r->key_ring)
		diag_add(p, r->at[R_KEYS], "W-23", NULL, NULL, "'keys ring': " NOT_YET);
	if (r->at[R_DECISION].line && r->decision_record.n && record_is_short(r))
		diag_add(p, r->at[R_DECISION], "W-23", "RX-3, guidance 9.5: what proves a decision has 24 months.", "decision-record 24 months",
			 "'decision-record': records are kept for 24 months all the same.");
	for (int i = 0; i < POLICY_PURPOSES; i++)
		if (r->block[i].at[B_REVIEW].line && r->block[i].pub->review_every.n)
			diag_add(p, r->block[i].at[B_REVIEW], "W-23", "N-26: a review that nobody is reminded of is none.", NULL,
				 "'review every': " NOT_YET);
}

void check_defaults_meant(struct policy *p, const struct rule *d)
{
	check_not_yet(p, d);
}

void check_meant(struct policy *p, const struct rule *r)
{
	check_rule_says(p, r);
	check_heard(p, r);
	check_not_yet(p, r);
}
