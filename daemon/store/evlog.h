/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog.h - the evidence log: what was decided about every matched call, and what became of it
 *
 * Append-only lines of JSON, one file a UTC day in STORE/evidence, each line holding the hash of the
 * line before; at the end of a day a root is signed, and its hash is the first link of the next day
 * (FORMAT.md section 10). No number, no cryptographic key, and no digit that was pressed is in it, but for a key of the
 * policy that was (`press`, R-19): every field has a closed form, checked in one place (evlog_check).
 *
 *	evlog_open(dir, &l)		the one writer; recovers what a kill left half written
 *	evlog_append(l, &event)		from any thread; in memory, never waits for the disk's cache
 *	evlog_flush(l, now)		durable; each second, and before anything is confirmed to people
 *	evlog_close(l)			does not flush
 *
 * What the sums rest on (evlog_look checks it): of every call that a rule matched one
 * EVLOG_CALL_MATCH is logged and, later, exactly one of EVLOG_CALL_KEPT, EVLOG_CALL_DENIED and
 * EVLOG_CALL_GAP, also for a call whose process died. A call is kept only after an
 * EVLOG_PURPOSE_GRANT. So per rule and day: matched = kept + denied + gap + still open.
 *
 * A full disk: space is taken from the file system ahead of the events, so append answers -ENOSPC
 * itself, with nothing of the event written. Events that let something begin (a match, a consent, a
 * grant, audio) are refused first; those that take away go on into the rest. Who gets -ENOSPC for a
 * grant must not grant (INV-7).
 *
 * Time is the caller's and may go back; order is the sequence number. A day, once there, never goes
 * back: an event of an earlier day goes to the newest one. Errors are 0 or -errno.
 */
#ifndef EVLOG_H
#define EVLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uid.h"

#define EVLOG_LINE_MAX 2048 /* bytes of a line, LF included */
#define EVLOG_NAME     65   /* rule and controller, with the zero */
#define EVLOG_REASON   48
#define EVLOG_WHO      33
#define EVLOG_NUMS     8
#define EVLOG_PRESS    7 /* a key of a policy: six characters and a zero */
#define EVLOG_LANGUAGE 9
#define EVLOG_FORMAT   12
#define EVLOG_AMONG    4 /* announcements of which one was played */
#define EVLOG_NUM_MAX  ((1ULL << 53) - 1) /* what every JSON reader keeps exactly */

/* What happened. The names in the log are those of evlog_kind_name. */
enum evlog_kind {
	/* the log itself; written by evlog only */
	EVLOG_LOG_START,   /* "log.start": first line of all */
	EVLOG_LOG_RECOVER, /* "log.recovered": half-written lines were cut: nums bytes, count */
	/* the daemon */
	EVLOG_DAEMON_START,
	EVLOG_DAEMON_STOP,
	EVLOG_POLICY_LOAD, /* "policy.load": `policy` is in force from now on */
	EVLOG_POLICY_REJECT,
	/* a call as a whole */
	EVLOG_CALL_MATCH,
	EVLOG_CALL_NOMATCH, /* hourly total: num count */
	EVLOG_CALL_KEPT,
	EVLOG_CALL_DENIED,
	EVLOG_CALL_GAP, /* something may be kept and audio is missing: reason */
	EVLOG_CALL_DESTROY, /* nothing of it can be read any more */
	/* what the caller was told, and said */
	EVLOG_NOTICE_PLAYED,
	EVLOG_NOTICE_MISSING,
	EVLOG_NOTICE_SMS,
	EVLOG_CONSENT_GIVEN,
	EVLOG_CONSENT_NONE,
	EVLOG_CONSENT_WITHDRAWN,
	EVLOG_OPTOUT,
	EVLOG_OPTOUT_UNCERTAIN,
	EVLOG_OBJECTION_OPENED,
	EVLOG_OBJECTION_DECIDED,
	EVLOG_ERASURE_OPENED,
	EVLOG_ERASURE_DECIDED,
	/* how many */
	EVLOG_SAMPLE_COMMIT, /* before a day: data = BLAKE2b-256 of the seed, num day */
	EVLOG_SAMPLE_REVEAL, /* after it: data = the seed, num day */
	EVLOG_SAMPLE_IN,     /* nums day, draw, threshold; reason; data = link of the sampler's record */
	EVLOG_SAMPLE_OUT,
	EVLOG_QUOTA_STOP,
	/* audio and keys */
	EVLOG_AUDIO_START,
	EVLOG_AUDIO_PAUSE,
	EVLOG_AUDIO_RESUME,
	EVLOG_AUDIO_STOP,
	EVLOG_AUDIO_DISCARD,
	EVLOG_CAPTURE_GAP,
	EVLOG_KEY_CREATE,
	EVLOG_KEY_COMMIT,
	EVLOG_KEY_DESTROY, /* of one call and purpose */
	EVLOG_BUCKET_DESTROY, /* of a controller, purpose and num day: all its calls */
	/* a purpose's state */
	EVLOG_PURPOSE_GRANT,
	EVLOG_PURPOSE_DENY,
	EVLOG_PURPOSE_EXPIRE,
	/* afterwards */
	EVLOG_HOLD_SET,
	EVLOG_HOLD_RELEASE,
	EVLOG_REVIEW_DUE,
	EVLOG_REVIEW_DONE,
	EVLOG_ACCESS_OPEN,
	EVLOG_ACCESS_EXPORT,
	EVLOG_PLAY, /* "play": a person was given what a purpose has of a call: who, num uid, format, num bytes, reason */
	EVLOG_USE, /* "use.training": a recording was used; who, reason */
	EVLOG_REAPER_RUN,
	EVLOG_REPORT, /* "report.made": data = its hash; the lines of an inventory are such events (reap_report.h) */
	EVLOG_CALL_LINK, /* reason "duplicate-of" and so on; data = the other call's uid, then zeros */
	/* What people did to the policy; data = hash of its line in STORE/policies/history */
	EVLOG_POLICY_CHANGE,  /* "policy.change": `policy` by reason ("apply", "revert" ...); who: the approver */
	EVLOG_POLICY_CONFIRM,
	EVLOG_POLICY_PROPOSE,
	EVLOG_POLICY_APPROVE, /* who: the approver */
	EVLOG_POLICY_STAGE,   /* comes in force at num until_s; reason "cancel": no more */
	EVLOG_RULE_STOP,      /* "rule.stop": nothing of `rule` is recorded */
	EVLOG_RULE_START,
	EVLOG_OUTBOX_TAKE,   /* "outbox.take": data = hash of an outbox file, num count: so many of its events follow, its last ones */
	EVLOG_OUTBOX_REFUSE, /* "outbox.refuse": such a file was set aside; data as above, num bytes */
	EVLOG_EVIDENCE_EXPIRE, /* "evidence.expire": logs of days (UTC) before num day are removed, their roots stay */
	EVLOG_REAPER_TOLD,     /* "reaper.told": a person (num uid) said what time to go by (as_of_s) when the machine's clock said clock_s */
	/* The machine's clock was set: "forward", "back"; num ms: by how much, ahead_ms or behind_ms: where it is now as seen from ours */
	EVLOG_CLOCK_STEP, /* "clock.stepped": times go on by the old one (base/clock.h) */
	EVLOG_CLOCK_TAKE, /* "clock.taken": from here on by the new one; ms: how far ours was set */
	EVLOG_KINDS,
};

enum evlog_purpose { EVLOG_P_NONE, EVLOG_P_DOCUMENTATION, EVLOG_P_TRAINING, EVLOG_PURPOSES };

/* Who or what made it happen. */
enum evlog_source {
	EVLOG_S_NONE,
	EVLOG_S_POLICY,	  /* the rule alone */
	EVLOG_S_CALLER,	  /* the data subject, by key or voice channel */
	EVLOG_S_AGENT,
	EVLOG_S_LIST,	  /* a dynamic set */
	EVLOG_S_SDP,	  /* a=recordpref */
	EVLOG_S_API,
	EVLOG_S_TIMER,	  /* silence, windows, deadlines */
	EVLOG_S_CAPTURE,  /* loss, media that cannot be recorded */
	EVLOG_S_SAMPLER,
	EVLOG_S_OPERATOR, /* a person: `who` */
	EVLOG_S_DAEMON,
	EVLOG_S_REAPER,
	EVLOG_SOURCES,
};

/* What a number counts. A closed list, so that no digits of anybody find a place. */
enum evlog_num {
	EVLOG_N_COUNT,
	EVLOG_N_BYTES,
	EVLOG_N_MS,
	EVLOG_N_PACKETS,
	EVLOG_N_BLOCKED, /* packets that never left the classifier */
	EVLOG_N_LOST,
	EVLOG_N_CALLS,
	EVLOG_N_DAY,	 /* YYYYMMDD, a civil day of the controller */
	EVLOG_N_DRAW,
	EVLOG_N_THRESHOLD,
	EVLOG_N_PERMILLE,
	EVLOG_N_CAP,
	EVLOG_N_USED,
	EVLOG_N_VERSION,
	EVLOG_N_OFFSET_MS, /* in a notice */
	EVLOG_N_UNTIL_S,   /* a deadline, seconds since 1970 */
	EVLOG_N_LEG,
	EVLOG_N_SEGMENTS,
	EVLOG_N_ERRORS,
	EVLOG_N_INSPECTED, /* packets that were listened to and not kept */
	EVLOG_N_MUTED,	   /* samples in which key tones were silenced */
	EVLOG_N_UID,	 /* of who asked, on this machine */
	EVLOG_N_TIGHTEN, /* changes of a policy */
	EVLOG_N_SHORTEN,
	EVLOG_N_LOOSEN,
	EVLOG_N_HELD,	/* calls of a destroyed bucket that a hold keeps */
	EVLOG_N_LATE_S, /* after the deadline */
	EVLOG_N_AS_OF_S, /* a time that a person gave, seconds since 1970 */
	EVLOG_N_CLOCK_S, /* what the machine's clock said then */
	EVLOG_N_AHEAD_MS, /* the machine's clock, as seen from the daemon's */
	EVLOG_N_BEHIND_MS,
	EVLOG_N_KEYS, /* key.commits of a call that is over */
	/* Of an inventory (rule E-13) */
	EVLOG_N_PAST,	/* keys that live past their own deadline */
	EVLOG_N_MISSED, /* days before it that have none */
	EVLOG_N_OPEN,	/* keys of calls in progress */
	EVLOG_N_KEPT,
	EVLOG_N_DENIED,
	EVLOG_N_GAP,
	EVLOG_N_AGE_7, /* days since the call began: 0 to 7, to 30 ... (inventory_ages), the five in this order */
	EVLOG_N_AGE_30,
	EVLOG_N_AGE_60,
	EVLOG_N_AGE_92,
	EVLOG_N_AGE_MORE,
	EVLOG_NUM_NAMES,
};

struct evlog_among {
	const char *notice, *language, *version; /* language and version may be NULL */
	bool has_content;
	uint8_t content[32];
};

/*
 * One event; zero is "not given" everywhere. Which fields an event must and must not have:
 * evlog_check. Texts: rule and controller as the policy spells them (printable ASCII without
 * quote and backslash, and no space); reason and who `a-z 0-9 . _ -`, starting with a letter, without
 * five digits in a row; policy 64 hex digits; press 1 to 6 of `0-9 * # A-D`, where a press makes the event happen.
 * What callers were told (guidance 1, R-19, R-31) stands with notice.played and consent.given, what a purpose rests on with
 * purpose.grant, both with what that said when the policy was loaded; such an event has four numbers at most. Where it is not known which
 * of several announcements it was, they are named with what they say (`among`): two to EVLOG_AMONG, and count says how many
 * there were when those are not all.
 */
struct evlog_event {
	enum evlog_kind kind;
	enum evlog_purpose purpose;
	enum evlog_source source;
	uint64_t time_ns; /* UTC, since 1970 */
	bool has_call, has_data;
	struct uid call;
	const char *controller, *rule, *policy, *reason, *who;
	char press[EVLOG_PRESS]; /* the policy's key that a person pressed; "" none */
	const char *format; /* how a recording was given: "wav", "payload", "pcap" or, of no audio, "grounds" */
	const char *notice, *language, *version; /* an announcement's name and version, as names of a policy; language a-z */
	const struct evlog_among *among; /* instead of notice; NULL none */
	unsigned namong;
	const char *basis, *assessment, *special; /* consent, interest, obligation; names of assessments: its own, and for special circumstances */
	bool has_content;
	uint8_t content[32]; /* what the announcement, or `assessment`, said: policy.h */
	uint8_t data[32];    /* a hash, or a revealed seed */
	unsigned nums;
	struct {
		enum evlog_num name;
		uint64_t value; /* at most EVLOG_NUM_MAX */
	} num[EVLOG_NUMS]; /* each name once */
};

/* Adds a number; past EVLOG_NUMS the event becomes invalid. */
void evlog_num_add(struct evlog_event *e, enum evlog_num name, uint64_t value);
/* The value of a number, or `none`. */
uint64_t evlog_num_get(const struct evlog_event *e, enum evlog_num name, uint64_t none);

const char *evlog_kind_name(enum evlog_kind k);
const char *evlog_purpose_name(enum evlog_purpose p); /* "" none */
const char *evlog_source_name(enum evlog_source s);
const char *evlog_num_name(enum evlog_num n);

/* What `rule` and the other names of a policy may be; of a version a policy may have others. */
bool evlog_name_ok(const char *s);
/* NULL when the event is whole and may be logged; else what is wrong (static text). */
const char *evlog_check(const struct evlog_event *e);

/* ---- lines ---- */

/* A line as read; the pointers of `e` point into it: behind an assignment, evlog_line_moved. */
struct evlog_line {
	uint64_t seq;
	uint8_t prev[32];
	struct evlog_event e;
	char controller[EVLOG_NAME], rule[EVLOG_NAME], policy[65], reason[EVLOG_REASON], who[EVLOG_WHO], format[EVLOG_FORMAT];
	char notice[EVLOG_NAME], language[EVLOG_LANGUAGE], version[EVLOG_NAME], basis[16], assessment[EVLOG_NAME], special[EVLOG_NAME];
	struct evlog_among among[EVLOG_AMONG];
	struct {
		char notice[EVLOG_NAME], language[EVLOG_LANGUAGE], version[EVLOG_NAME];
	} among_text[EVLOG_AMONG];
};

/* out (EVLOG_LINE_MAX) gets the line with LF, without a zero; its length. The event must be valid. */
size_t evlog_line_format(uint64_t seq, const uint8_t prev[32], const struct evlog_event *e, char *out);
/*
 * A line of n bytes without its LF; any bytes. Accepts exactly what evlog_line_format writes.
 * -EBADMSG with *ret_what (static text); ret is then undefined.
 */
int evlog_line_parse(const char *p, size_t n, struct evlog_line *ret, const char **ret_what);
/* Points `e` into the line that it is in now. */
void evlog_line_moved(struct evlog_line *l);
/* The link: BLAKE2b-256 of the line without its LF. */
void evlog_link(const char *p, size_t n, uint8_t ret[32]);

/* ---- writing ---- */

struct evlog;

/*
 * Opens the log of a store for appending; makes directory and signing key when they are not there.
 * Checks every signed root and all lines of the newest day. -EBUSY another writer; -EBADMSG damaged
 * (`why` names file:line and rule): nothing is changed then; -EPERM others may read the signing key.
 * After a kill the lines that were never flushed may be torn: they are cut and
 * EVLOG_LOG_RECOVER is appended. `why` (size n) gets one line. Never prints.
 */
int evlog_open(const char *store_dir, struct evlog **ret, char *why, size_t n);
/*
 * Any thread. -EINVAL not a valid event (evlog_why), -ENOSPC no room (nothing of it stays), -ENOMEM.
 * After a failed flush events that let something begin get its error until one succeeds; the others
 * are accepted and wait with those before (64 MiB at most). ret_seq may be NULL.
 */
int evlog_append(struct evlog *l, const struct evlog_event *e, uint64_t *ret_seq);
/*
 * Everything appended so far is durable when it returns 0; appends go on meanwhile. When now_ns
 * lies past the newest day, that day's root is signed (0: days are closed by events only). On
 * failure nothing half written stays and the events wait for the next flush.
 */
int evlog_flush(struct evlog *l, uint64_t now_ns);
/* NULL-tolerant; wipes the key. Events since the last successful flush are lost. */
void evlog_close(struct evlog *l);
/* One line about the last failure of append or flush, copied into text. */
void evlog_why(struct evlog *l, char *text, size_t n);

struct evlog_figures {
	uint64_t appended, flushed, refused; /* refused: -ENOSPC, -EINVAL and errors */
	uint64_t flushes, errors, roots;
	uint64_t recovered_bytes, recovered_lines; /* cut when it was opened */
	uint64_t waiting; /* bytes appended and not flushed */
};
void evlog_figures(struct evlog *l, struct evlog_figures *ret);

/* ---- decision records go with their age ---- */

/*
 * Logs and sampling records of days (UTC) before `before`, oldest first; the roots stay, so the chain can still be
 * followed. An EVLOG_EVIDENCE_EXPIRE with that day is in the log, durably, before: outbox_take does both, for who adds the event
 * to the outbox. Idempotent: what a kill left goes with the next one. Never the newest day's. *ret_days: logs that are gone now.
 */
int evlog_expire(struct evlog *l, int32_t before, uint64_t *ret_days);
#define EVLOG_EXPIRE_MONTHS 24 /* how long they are kept (guidance 5.9): of younger ones nobody gives up any, evlog_check refuses the event */
/* The first day that is kept when `months` calendar months are, on `day`. A day that is behind the 28th counts as that: rather longer. */
int32_t evlog_expire_day(int32_t day, unsigned months);
/* How many are kept, or more of days on which a policy was in force that asked for more (decision-record; evlog_keep.h). */
#define EVLOG_KEEP_FILE "policies/records"
#define EVLOG_KEEP_MAX	1200 /* months; no policy has more than 50 years */
/*
 * For who has no log: the first day to keep when at least `months` calendar months of records are kept at now_ns, and how many
 * logs are older. -ENOENT no evidence; else as evlog_keep_read.
 */
int evlog_expire_due(const char *store_dir, uint64_t now_ns, unsigned months, int32_t *ret_before, uint64_t *ret_days);
/* The last day of which only the root is left; 0 none, or it cannot be told. */
int32_t evlog_expired_to(const char *store_dir);
/* The event that asks for it, by the reaper. */
struct evlog_event evlog_expire_event(int32_t before, uint64_t now_ns);

/* ---- looking: verify, show, sums; read-only, beside a running writer ---- */

struct evlog_sum {
	char rule[EVLOG_NAME];
	int32_t day; /* of the match, days since 1970 (evlog_day_text) */
	uint64_t matched, kept, denied, gap, open; /* open: no outcome yet */
};

struct evlog_look {
	void *arg;
	/* What is wrong: file relative to the store, line from 1 (0: the file itself), rule of FORMAT.md. May be NULL. */
	void (*finding)(void *arg, const char *file, uint64_t line, const char *rule, const char *text);
	/* Every line that parses; may be NULL. Not 0 ends the look and is returned. */
	int (*line)(void *arg, const char *file, uint64_t n, const struct evlog_line *l);
	/* Sums, by day and rule, after the last line; may be NULL. */
	void (*sum)(void *arg, const struct evlog_sum *s);
	const char *public_key; /* file with the public key as known from elsewhere; NULL: the store's own */
	/* Only files from this day on are read for `line` and `sum` (0 all). Chain, signatures and sums
	 * across the border are then not checked. Days since 1970. */
	int32_t from_day, to_day;
	/* A root's hash that was noted outside the store: the chain must contain it. NULL none. */
	const uint8_t *anchor;
};

/*
 * An event has the time at which it happened and stands where it was known: a draw waits for its durable state, what
 * it decided waits for it, while others are written. That is tenths of a second; seconds when a disk is slow. A clock that is
 * set back by less changes no day and no deadline that counts in days.
 */
#define EVLOG_DISORDER_NS (10ULL * 1000000000)

struct evlog_report {
	uint64_t days, sealed, lines, calls, damaged;
	uint64_t first_seq, last_seq;
	uint64_t torn_bytes; /* at the end of the newest day, to be cut by the next writer; no damage */
	uint64_t recovered;  /* times that a writer did so */
	uint64_t backwards;  /* times that the clock went back, by more than EVLOG_DISORDER_NS */
	uint64_t open;	     /* calls without an outcome */
	uint64_t expired;    /* days before `days` of which only the root is left, as an event says */
	int32_t expired_to;  /* the last such day, also when it was not read; 0 none */
	uint8_t root[32];    /* hash of the newest signed root, zeros: none yet */
	/* Inventories that are whole: how many; the last one's day (YYYYMMDD; 0 none), its keys past their deadline and its problems;
	 * days between the first and the last one that have none. */
	uint64_t inventories, inventory_day, inventory_past, inventory_errors, inventory_missed;
};

/* 0 looked (see ret->damaged), -ENOENT no evidence, other -errno could not look; or what `line` returned. */
int evlog_look(const char *store_dir, const struct evlog_look *how, struct evlog_report *ret, char *why, size_t n);

int32_t evlog_day(uint64_t ns);
void evlog_day_text(int32_t day, char out[16]); /* "2026-11-24" */

#endif
