/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - the policy language: read, check, evaluate, print
 *
 * The manual of the language is optag-policy(5). A set of files compiles to one
 * immutable `struct policy` with a hash over its canonical form; every call
 * keeps hash and rule. Uses libc and libsodium (hash) only, no other part of
 * optag. Reading returns diagnostics and prints nothing. Evaluation allocates
 * nothing, takes no lock and may run in any number of threads.
 */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- diagnostics ---- */

enum policy_severity { POLICY_WARNING = 1, POLICY_ERROR = 2 };

struct policy_diag {
	enum policy_severity severity;
	char code[8];	  /* "L-01", "W-10" (policy-language 4) */
	char *file;	  /* as given, or relative to the file that includes it */
	int line, col;	  /* from 1; col counts bytes, a tab is one */
	int width;	  /* bytes the caret marks, at least 1 */
	char *text;	  /* one sentence */
	char *why;	  /* guidance statement or law; may be NULL */
	char *fix;	  /* what to write instead; may be NULL */
	char *source;	  /* the source line, without newline; may be NULL */
};

struct policy_diags {
	struct policy_diag *d;
	size_t n, cap;
	size_t errors, warnings;
	size_t dropped; /* past the limits: 20 errors and 20 warnings a file, 100 in all */
};

void policy_diags_free(struct policy_diags *d);
/* file:line:col: CODE: text. Why: ... Fix: ...  then the line and a caret. */
void policy_diag_print(FILE *f, const struct policy_diag *d);

/* ---- the compiled policy: plain data, read-only for everybody ---- */

enum policy_purpose { POLICY_DOCUMENTATION = 0, POLICY_TRAINING = 1, POLICY_PURPOSES = 2 };
enum policy_basis { POLICY_B_NONE, POLICY_B_CONSENT, POLICY_B_INTEREST, POLICY_B_OBLIGATION };
enum policy_side { POLICY_SIDE_CALLED = 0, POLICY_SIDE_CALLING = 1 };
enum policy_unit { POLICY_U_S, POLICY_U_MIN, POLICY_U_H, POLICY_U_DAYS, POLICY_U_MONTHS, POLICY_U_YEARS };
enum policy_proof { POLICY_PROOF_FINGERPRINT, POLICY_PROOF_HEADER, POLICY_PROOF_API, POLICY_PROOF_ATTESTED };
enum policy_missing { POLICY_MISSING_QUARANTINE, POLICY_MISSING_DISCARD, POLICY_MISSING_KEEP };
enum policy_cap_per { POLICY_PER_HOUR, POLICY_PER_DAY, POLICY_PER_WEEK, POLICY_PER_MONTH };
enum policy_cap_of { POLICY_OF_RULE, POLICY_OF_QUEUE, POLICY_OF_AGENT };
enum policy_predecision { POLICY_PRE_DEFAULT, POLICY_PRE_BLOCK, POLICY_PRE_INSPECT, POLICY_PRE_HOLD };
enum policy_objection { POLICY_OBJ_DEFAULT, POLICY_OBJ_CONTINUE_RESTRICTED, POLICY_OBJ_PAUSE, POLICY_OBJ_STOP };
enum policy_fallback { POLICY_FB_OFF, POLICY_FB_CONSENT, POLICY_FB_KEEP };
/* What somebody is told of at once: alarm. */
enum { POLICY_ALARM_GAP = 1, POLICY_ALARM_USE = 2, POLICY_ALARM_OVERDUE = 4, POLICY_ALARM_QUOTA = 8, POLICY_ALARM_NOTICE = 16,
       POLICY_ALARM_ALL = 31 };
enum { POLICY_DTMF_RFC4733 = 1, POLICY_DTMF_INFO = 2, POLICY_DTMF_INBAND = 4 };

struct policy_span { int n; enum policy_unit unit; }; /* "3 months"; n 0: not set */
struct policy_date { int year, month, day; };	       /* year 0: not set */
struct policy_cap { int n; enum policy_cap_per per; enum policy_cap_of of; };

#define POLICY_KEY_MAX	7  /* six characters and a zero */
#define POLICY_KEYS_MAX 8
#define POLICY_CAPS_MAX 8

struct policy_window {
	bool set;   /* the purpose has a window: consent, or interest with opt-out (defaults filled in) */
	int from_s; /* seconds after the notice's start */
	int to_s;   /* seconds after the notice's end */
	bool from_answer; /* both count from the answer instead */
	bool reopen_agent;
};

/* A purpose block; basis POLICY_B_NONE means the rule lacks the purpose. */
struct policy_block {
	enum policy_basis basis;
	const char *statute;	/* obligation */
	const char *assessment; /* id, or NULL */
	bool special;		/* special-circumstances */
	const char *special_ground, *special_assessment;
	const unsigned char *assessment_content; /* of `assessment`: the hash of policy_assessment (describe.h); NULL none */
	struct policy_date assessed_until; /* the earliest review date of the assessments it names; year 0: it names none */
	char consent_key[POLICY_KEY_MAX];
	char withdraw_key[POLICY_KEY_MAX];
	char optout_key[POLICY_KEYS_MAX][POLICY_KEY_MAX]; /* caller's leg */
	char optout_agent_key[POLICY_KEYS_MAX][POLICY_KEY_MAX];
	bool optout_agent_api, optout_agent_header, withdraw_any_time;
	struct policy_span callback_unrecorded; /* on-opt-out callback-unrecorded */
	enum policy_objection on_objection;
	struct policy_window window;
	unsigned dtmf; /* POLICY_DTMF_* */
	enum policy_predecision pre_decision;
	bool training_from_press;
	int on_loss; /* -1 default, 0 deny, 1 keep */
	int sample_permille; /* -1: not set */
	struct policy_cap cap[POLICY_CAPS_MAX];
	int ncap;
	bool spread_first_come;
	struct policy_span use_within;
	int use_target_percent; /* -1: not set */
	int throttle_percent, use_floor; /* of use-target; training: 125 and 5 when not set */
	struct policy_span retention; /* default filled in: 3 months */
	const char *retention_reason;
	struct policy_span review_every;
	bool not_needed, worm;
	bool commit_at_end;
	/* by a telephone system: `consent-source`, `opt-out agent header`, `not-needed`; names NULL: none */
	bool consent_api, not_needed_api;
	const char *consent_header, *consent_value;
	const char *optout_header, *optout_value; /* value NULL: its presence */
	char not_needed_key[POLICY_KEY_MAX];	  /* agent's leg */
};

#define POLICY_SOUND_HASH 32
#define POLICY_KEYS_AFTER_MAX_S 300

/* An announcement of a rule, one version in one language. */
struct policy_notice {
	const char *name, *language, *version; /* version may be NULL */
	struct policy_date from, until;	       /* year 0: not limited */
	uint32_t length_ms;		       /* of its sound; 0 not known */
	int keys_after_s;		       /* its purposes have been spoken so long after its start: no consent sooner; 0 not said */
	const char *const *audio;	       /* paths */
	const unsigned char (*audio_hash)[POLICY_SOUND_HASH]; /* of what the files held when the policy was loaded: BLAKE2b-256 */
	size_t naudio;
	const unsigned char *content; /* POLICY_SOUND_HASH bytes: BLAKE2b-256 of its sounds as they were loaded, in order; without sounds of its text. NULL not read */
};

struct policy_controller {
	const char *name, *cvr, *contact, *timezone; /* cvr, contact: NULL when not set */
	bool lab; /* `lab yes`: its rules match captures read from files only */
	/* languages, numbers, trunks: internal to eval */
};

struct policy_rule {
	const char *name;
	const char *file;
	int line;
	const struct policy_controller *controller;
	enum policy_side side; /* which leg is the controller's own */
	const char *owner;
	struct policy_date review;
	enum policy_fallback on_review_missed;
	const char *scenario; /* "A1" ... "G", derived from the blocks */
	const struct policy_notice *notice;
	size_t nnotice;
	enum policy_proof proof;
	const char *proof_header, *proof_value;
	int notice_timeout_s;
	enum policy_missing on_missing_notice;
	struct policy_span quarantine; /* 7 days */
	struct policy_block purpose[POLICY_PURPOSES];
	struct policy_span min_length; /* default 4 s */
	struct policy_span max_length; /* default 4 h */
	bool record_early_media; /* default no: recording starts at the answer */
	bool record_hold_music, mute_dtmf;
	int exclude_leg; /* -1 none, 0 subject, 1 agent */
	int zstd_level;
	char pause_key[POLICY_KEY_MAX], resume_key[POLICY_KEY_MAX];
	struct policy_span pause_max;
	bool pause_stop, pause_api; /* pause_stop: after pause_max it does not go on */
	const char *pause_header, *pause_value; /* value NULL: its presence */
	const char *sms; /* template of the message that brings the rest of the notice (N-36); NULL none */
	struct policy_span sms_timeout; /* its receipt is there so long after the answer, or the call is listed */
	int concurrent;	  /* calls of it that are recorded at once; 0 no limit. What a statute obliges to is recorded beyond it */
	unsigned alarms;  /* POLICY_ALARM_*; of what a statute obliges to record gaps and missing notices always (X-10, guidance 5.5) */
	bool refused;	  /* policy_load_kept: nothing may be recorded by it */
	bool needs_pause; /* sensitive, or a pause by key, header or api: must not be recorded without pauses */
	/* everything else that was set is kept for print, explain and diff */
};

/* When the review date (policy_review) is past, is nothing more recorded for this purpose? A weighing of interests proves nothing then; a consent is
 * asked for with on-review-missed consent and keep, and a statute holds with keep (N-18). */
static inline bool policy_review_ends(const struct policy_rule *r, enum policy_purpose p)
{
	switch (r->purpose[p].basis) {
	case POLICY_B_CONSENT:
		return r->on_review_missed == POLICY_FB_OFF;
	case POLICY_B_OBLIGATION:
		return r->on_review_missed != POLICY_FB_KEEP;
	default:
		return true;
	}
}

/* The last day on which what the purpose rests on is good: the rule's review date or, if that is earlier, an
 * assessment's. year 0: no date. */
static inline struct policy_date policy_review(const struct policy_rule *r, enum policy_purpose p)
{
	struct policy_date a = r->review, b = r->purpose[p].assessed_until;

	if (!a.year || (b.year && (b.year != a.year ? b.year < a.year : b.month != a.month ? b.month < a.month : b.day < a.day)))
		return b;
	return a;
}

/* "consent", "interest", "obligation"; "" none. */
const char *policy_basis_name(enum policy_basis b);

struct policy;

/*
 * Reads files (a directory: its *.policy in name order), includes resolved
 * relative to the including file. All or nothing: *ret_policy is set only when
 * there is no error. Diagnostics are added to d in file order, up to 20 a file.
 * 0; -EINVAL errors are in d; -errno a file could not be read (in d as well).
 * today: for review dates (UTC seconds).
 */
int policy_load(const char *const *paths, size_t n, int64_t today, struct policy_diags *d,
		struct policy **ret_policy);

/* What became of the calls of a rule, by the evidence log. */
struct policy_past {
	char name[65]; /* as the log spells it */
	uint64_t recent; /* calls matched in the last 30 days of the log */
	uint64_t kept, held; /* with an outcome; of these, held longer by a person */
	uint64_t recorded, used; /* for training, more than 30 days ago; of these, used */
	uint64_t given[POLICY_PURPOSES], not_given[POLICY_PURPOSES]; /* consents, when asked */
	uint64_t matched_before, matched_since; /* the latest change of policy */
	uint64_t optouts_before, optouts_since;
	uint64_t busiest_day, busiest_week, busiest_month; /* calls matched, UTC */
};
struct policy_past_log {
	struct policy_past *rule;
	size_t n;
	unsigned days; /* from its first line to its last */
};
/* policy_load, with the warnings that a log gives rise to. past is needed for the call only. */
int policy_load_past(const char *const *paths, size_t n, int64_t today, const struct policy_past_log *past,
		     struct policy_diags *d, struct policy **ret_policy);
/* The same from memory, for tests and fuzzing; include is refused. */
int policy_load_mem(const char *name, const char *text, size_t len, int64_t today,
		    struct policy_diags *d, struct policy **ret_policy);
/*
 * policy_load_mem of a canonical text that was in force before, perhaps under a version whose linter knew less: what only the linter
 * refuses now is in d, and the rules that this concerns are there, match as they did and are `refused`. -EINVAL what is no
 * policy any more as a language, or by its names.
 */
int policy_load_kept(const char *name, const char *text, size_t len, int64_t today, struct policy_diags *d, struct policy **ret_policy);
/* How many rules are refused. */
size_t policy_refused(const struct policy *p);
void policy_free(struct policy *p);

const char *policy_hash(const struct policy *p); /* 64 hex digits, BLAKE2b-256 of the canonical form */
size_t policy_rules(const struct policy *p);
/* The longest decision-record of its rules, in whole months, rather longer; 0 no rule. */
unsigned policy_record_months(const struct policy *p);
const struct policy_rule *policy_rule(const struct policy *p, size_t i);
/* Canonical text: parses back to the same policy and hash. -ENOMEM, or the stream's error. */
int policy_print(FILE *f, const struct policy *p);

/* Languages in which rules are explained and announcements are worded. */
enum policy_lang { POLICY_EN, POLICY_DA, POLICY_LANGS };

/*
 * One rule in plain words, to be read aloud: situation, who is recorded, announcement, keys, silence,
 * amounts, deadlines with an example, pauses, who answers for it; and the warnings of d (may be NULL)
 * that concern it or what it names. -ENOENT: the rule is not of this policy. -ENOMEM, -EIO.
 */
int policy_explain_in(FILE *f, const struct policy *p, const struct policy_rule *r, enum policy_lang lang,
		      const struct policy_diags *d);
/* In English, without warnings. */
int policy_explain(FILE *f, const struct policy *p, const struct policy_rule *r);

/*
 * template.c: the model text of an announcement, with the tags of its elements, and the elements by
 * themselves. situation: "A1" to "G", also "S-C"; key, optout_key, link: NULL stands for the usual
 * (1, none, an example's page). sms: the short text that is spoken when the rest goes by SMS.
 * -ENOENT: no such situation.
 */
struct policy_template {
	const char *situation;
	enum policy_lang lang;
	bool sms;
	const char *key;	/* means yes: A2, B, E */
	const char *optout_key; /* C, F */
	bool optout_agent;	/* beside an opt-out key: saying so is enough, too */
	const char *link;
};
int policy_template_print(FILE *f, const struct policy_template *t);
int policy_template_elements(FILE *f, const struct policy_template *t);
const char *policy_template_situation(size_t i); /* NULL past the last */

/* Extra SIP headers that rules match on (queue, agent and `header NAME`), at most 8. */
#define POLICY_HEADERS_MAX 8
size_t policy_headers(const struct policy *p, const char *ret_names[POLICY_HEADERS_MAX]);
/* A trunk names a VLAN: packets must come with their tags. */
bool policy_names_vlan(const struct policy *p);

/*
 * Headers in which a telephone system says what happened (proof, consent, opt-out, pause) or which calls are one, at
 * most max of them; how many there are is returned.
 */
#define POLICY_EVENT_HEADERS_MAX 8
size_t policy_event_headers(const struct policy *p, const char *ret_names[], size_t max);

/* ---- evaluation ---- */

/* What is known at the INVITE. Strings need not be terminated elsewhere: n bytes each. */
struct policy_str {
	const char *p; /* NULL: absent */
	size_t n;
};

struct policy_media {
	const struct policy_str *codecs; /* encoding names as in SDP, of audio */
	size_t ncodecs;
	bool encrypted;
};

struct policy_input {
	struct policy_str calling; /* user part of P-Asserted-Identity, else From; tel: number as written */
	struct policy_str called;  /* user part of the Request-URI, else To */
	struct policy_str from_user; /* user part of From, for trunks with `identity from`; absent: calling is used */
	bool withheld;		   /* anonymous / Privacy: id and no asserted identity */
	struct policy_str from_host, to_host, ruri_host;
	uint8_t src[16], dst[16]; /* of the INVITE packet, IPv4-mapped */
	uint16_t src_port, dst_port;
	uint16_t vlan; /* 0 none */
	const char *interface; /* NULL: a capture file (rules of a `lab yes` controller match only then) */
	bool tcp;
	int64_t time; /* of the INVITE, seconds since 1970 UTC */
	/* by index of policy_headers() */
	struct policy_str header[POLICY_HEADERS_MAX];
	/* Later than the INVITE. A rule with `media` or `tag` does not match until they are known. */
	const struct policy_media *media; /* NULL: not known yet */
	const struct policy_str *tags;
	size_t ntags;
	/* What may still come or change (headers, media, tags) is supposed to be what a rule asks for, not what a never rule
	 * does: whether the call may still match. */
	bool suppose;
};

enum policy_verdict {
	POLICY_NO_MATCH, /* no rule: not recorded, counted only */
	POLICY_NEVER,	 /* a never rule matched: likewise */
	POLICY_MATCH,
};

#define POLICY_NUMBER_MAX 24

struct policy_decision {
	enum policy_verdict verdict;
	const struct policy_rule *rule; /* POLICY_MATCH; lives as long as the policy */
	/* normalised numbers (+E.164 by the trunk's dial plan, else the user part as it is; "" withheld) */
	char calling[POLICY_NUMBER_MAX], called[POLICY_NUMBER_MAX];
	struct policy_str queue, agent; /* into the input; p NULL none */
	/* A no-record list has one of the numbers: a `never` by nothing but dynamic sets of numbers. Somebody's wish, which stops
	 * everything but what a statute demands: with POLICY_MATCH the rule's documentation is by obligation, and nothing else of
	 * it is recorded; with POLICY_NEVER no such rule matches. */
	bool listed;
	const char *correlate_header; /* of the call's trunk: calls with the same value in it are one conversation; NULL none */
};

void policy_eval(const struct policy *p, const struct policy_input *in, struct policy_decision *ret);
/* The packet (interface, vlan, tcp, src, src_port of in) comes from an address that a trunk of the rule's controller names:
 * its own telephone system says so, whichever party's side of the dialog that is. */
bool policy_from_own_trunk(const struct policy *p, const struct policy_rule *r, const struct policy_input *in);

#endif
