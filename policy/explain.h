/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.h - what the files of `optag policy explain` share
 *
 * A sentence is an entry of a table, one table a language (explain_en.c,
 * explain_da.c), with {1} to {6} where words of the policy go. explain.c speaks
 * of the rule, explain_purpose.c of its purposes, explain_notice.c of what the
 * announcement must say. Nothing here decides anything: what is told is the
 * tree after lint.
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "internal.h"

#define EXPLAIN_ARGS 6

enum explain_id {
	/* head */
	X_RULE, X_SITUATION, X_S_A1, X_S_A2, X_S_A3, X_S_B, X_S_C, X_S_D, X_S_E, X_S_F, X_S_G, X_S_PAIR,
	/* which calls */
	X_H_WHICH, X_WHO_CALLED, X_WHO_CALLING, X_C_CALLED, X_C_CALLING, X_C_TRUNK, X_C_DOMAIN, X_C_HEADER, X_C_QUEUE,
	X_C_AGENT, X_C_INBOUND, X_C_OUTBOUND, X_C_TIME, X_C_CODEC, X_C_ENCRYPTED, X_C_PLAIN, X_C_TAG, X_OP_EQ,
	X_OP_PREFIX, X_OP_ONE_OF, X_OP_PRESENT, X_TIMES_OF, X_NEVERS, X_NEVER, X_MORE, X_LISTS_LAW, X_BEFORE, X_LAB, X_SUBJECT, X_BOTH, X_NOT_SUBJECT, X_NOT_AGENT, X_TRANSFER,
	X_CALLER, X_CALLEE, X_CALLER_IS, X_CALLEE_IS,
	/* the announcement */
	X_H_NOTICE, X_NOTICE, X_PROOF_SOUND, X_PROOF_HEADER, X_PROOF_API, X_PROOF_NONE, X_MISSING, X_MISSING_DOC, X_MISS_NOTHING,
	X_MISS_QUARANTINE, X_MISS_DISCARD, X_MISS_KEEP, X_SMS, X_MUST_SAY, X_EL_REC, X_EL_DOC, X_EL_TRAIN, X_EL_KEY,
	X_EL_WITHDRAW, X_EL_LINK, X_EL_OBJECT, X_EL_ACCESS, X_EL_OPTOUT, X_EL_OPTOUT_KEY, X_EL_THEN, X_SAYS_ALL,
	X_SAYS_NOT, X_BY_SMS, X_MODEL, X_NO_MODEL,
	/* purposes */
	X_H_DOC, X_H_TRAIN, X_DOC, X_TRAIN, X_BASIS_CONSENT, X_BASIS_INTEREST, X_BASIS_LAW, X_ASSESSMENT,
	X_KEY_YES, X_WINDOW, X_WINDOW_ANSWER, X_WINDOW_PROOF, X_WINDOW_TOLD, X_KEYS_AFTER, X_KEYS_AFTER_OR,
	X_REOPEN, X_CONSENT_API, X_CONSENT_HEADER, X_OTHER_KEY, X_NO_ALONE,
	X_NO_BESIDE, X_NO_HANGUP, X_START_AT_YES, X_YES_WHOLE, X_YES_FROM, X_WITHDRAW_KEY, X_WITHDRAW_ERASES,
	X_WITHDRAW_ENDS, X_LOSS_CONSENT, X_OBJ_CONSENT,
	X_SILENCE_OPTOUT, X_OPT_KEY, X_OPT_AGENT, X_OPT_API, X_OPT_HEADER, X_OPT_ALONE, X_OPT_BESIDE,
	X_OPT_CALLBACK, X_OPT_WAIT, X_OPT_BLOCK, X_OPT_WAIT_BESIDE, X_AFTER_NOTICE, X_AFTER_ANSWER, X_OPT_LENGTH, X_OPT_HANGUP, X_LOSS_DENY, X_LOSS_KEEP, X_OBJ_OPTOUT,
	X_SPECIAL, X_SPECIAL_SILENCE, X_SPECIAL_OBJ, X_SPECIAL_LOSS,
	X_DOC_ANSWER, X_DOC_EARLY, X_DOC_LOSS, X_DOC_HANGUP, X_OBJ_CONTINUE, X_OBJ_PAUSE, X_OBJ_STOP, X_OBJ_LAW,
	X_NOT_NEEDED,
	X_SAMPLE, X_CAP, X_PER_HOUR, X_PER_DAY, X_PER_WEEK, X_PER_MONTH, X_OF_RULE, X_OF_QUEUE, X_OF_AGENT,
	X_NOT_DRAWN, X_EVENLY, X_FIRST_COME, X_UNUSED, X_UNUSED_BESIDE, X_TARGET,
	X_ERASED, X_EXAMPLE, X_REASON, X_HOLD, X_NO_HOLD, X_WORM, X_ONLY_DOC_AFTER, X_MAY_LISTEN,
	X_NOBODY_LISTENS, X_PLAY_REASON, X_PLAY_FREE, X_ACCESS,
	/* pauses and limits */
	X_H_PAUSE, X_SENSITIVE, X_SENSITIVE_FOR, X_PAUSE_KEY, X_RESUME_KEY, X_PAUSE_API, X_PAUSE_HEADER, X_PAUSE_STOP,
	X_PAUSE_RESUME, X_NO_PAUSE, X_KEYS_UNSTORED, X_TONES_MUTED, X_TONES_STAY, X_HOLD_MUSIC, X_MIN_MAX,
	/* who answers */
	X_H_OWNER, X_OWNER, X_REVIEW, X_MISSED_OFF, X_MISSED_CONSENT, X_MISSED_KEEP, X_RECORD,
	X_H_WARNINGS, X_WARNING,
	/* small words */
	X_AND, X_OR, X_DATE, X_DECIMAL,
	X_N
};

/* A language: its sentences, and the names it has for what the policy language says in English. */
struct explain_text {
	const char *const *say;		     /* X_N */
	const char *const (*unit)[2];	     /* by enum policy_unit: one, many */
	const char *const *month;	     /* January first */
	const char *const (*word)[2];	     /* { "mon", "man" }, ends with NULL; may be empty */
	const char *const (*warning)[2];     /* { "W-01", sentence }; empty: as the linter says it */
};
extern const struct explain_text explain_en, explain_da;

struct explain {
	FILE *f;
	const struct explain_text *t;
	enum policy_lang lang;
	const struct policy *p;
	const struct rule *r;
	const char *party; /* the data subject: "the caller" */
	char buf[16][1024]; /* short texts that arguments point to, used in turn */
	unsigned used;
};

/* One sentence, wrapped, `indent` columns in; "- " before it makes it an item of a list. */
void explain_say(struct explain *e, int indent, const char *bullet, int id, const char *const arg[EXPLAIN_ARGS]);
#define SAY(e, id, ...)	 explain_say(e, 2, "", id, (const char *const[EXPLAIN_ARGS]){__VA_ARGS__})
#define ITEM(e, id, ...) explain_say(e, 4, "- ", id, (const char *const[EXPLAIN_ARGS]){__VA_ARGS__})
void explain_head(struct explain *e, int id);
/* Text as it is, wrapped the same way. */
void explain_plain(struct explain *e, int indent, const char *bullet, const char *text);

/* A short text that lives for the next fifteen of these. */
const char *explain_fmt(struct explain *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *explain_span(struct explain *e, const struct policy_span *s);
const char *explain_seconds(struct explain *e, int s);
const char *explain_date(struct explain *e, const struct policy_date *d);
const char *explain_permille(struct explain *e, int v);
const char *explain_keys(struct explain *e, const char (*k)[POLICY_KEY_MAX]);
/* What the language calls it ("mon" -> "man"); s itself when there is no other word. */
const char *explain_word(const struct explain *e, const char *s);
/* "a, b and c"; malloc'ed, NULL when out of memory or w is NULL. */
char *explain_list(const struct explain *e, const struct word *w);

/* explain_notice.c, explain_purpose.c */
void explain_notice(struct explain *e);
void explain_purpose(struct explain *e, const struct block *b);

#endif
