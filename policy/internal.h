/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - what the files of policy/ share
 *
 * The tree of a policy is made by parse.c, checked and completed by lint.c,
 * indexed by index.c, and never changed after that. Everything in it lives in
 * the policy's arena and goes with it. Invariants:
 *  - a setting was written exactly if its entry in at[] has a line;
 *  - settings that were not written hold their default after lint;
 *  - an object that had an error inside is marked bad; then the policy is
 *    never handed out, and lint only resolves names against it.
 * One thread builds a policy; any number read it.
 */
#ifndef POLICY_INTERNAL_H
#define POLICY_INTERNAL_H

#include "lex.h"
#include "policy.h"

#define NAME_MAX_LEN   64
#define STRING_MAX_LEN 4096
#define FILE_MAX_BYTES (64u << 20) /* a set of a million numbers is 20 MB */
#define FILES_MAX      1000
#define INCLUDE_MAX    8
#define RULES_MAX      10000 /* candidates are a bitmap on the stack of policy_eval */
#define TRUNKS_MAX     256
#define LANGUAGES_MAX  8
#define PROOF_VALUE_MAX 256
#define MENU_KEYS_MAX  16
#define HEADER_NAME_MAX 63 /* of one that the recorder reads */

/* ---- memory ---- */

struct arena_chunk;
struct arena {
	struct arena_chunk *head;
};
/* Zeroed, NULL when out of memory. */
void *arena_alloc(struct arena *a, size_t n);
char *arena_strndup(struct arena *a, const char *s, size_t n);
/* More room for what was allocated with old_n bytes; what is new is not zeroed. NULL when out of memory, old is as it was. */
void *arena_grow(struct arena *a, void *old, size_t old_n, size_t n);
void arena_free(struct arena *a);

/* ---- places and diagnostics ---- */

struct source {
	char *name; /* malloc'ed */
	char *text;
	size_t len;
	bool in_memory;
	unsigned errors, warnings;
};

/* codes.c: what is said where a message does not say it itself. ref: statement of the guidance or law, "" none. */
struct code {
	const char *code, *ref, *because, *fix;
};
const struct code *code_find(const char *code); /* NULL: there is none */

struct policy;
/*
 * Code "L-.." is an error, "W-.." a warning; it is in codes.c. why and fix NULL: what
 * stands there; why without a sentence ("N-49"): with the sentence from there.
 */
void diag_add(struct policy *p, struct pos at, const char *code, const char *why, const char *fix,
	      const char *fmt, ...) __attribute__((format(printf, 6, 7)));

void lex_init(struct lexer *l, const struct source *src, uint16_t file);

/* ---- lists of the tree ---- */

struct obj { /* first member of every named object */
	struct obj *next;
	const char *name;
	struct pos pos;
	bool bad;
	bool doubted; /* lint_kept.c */
};

struct list {
	struct obj *first, *last;
	size_t n;
	struct obj **slot; /* of more than a few: by name, open addressing, the first of each; NULL none */
	size_t slots;	   /* a power of two */
};

struct word { /* a name or text that was written, and what it refers to */
	struct word *next;
	const char *s;
	struct pos at;
	void *obj;
};

/* ---- numbers ---- */

enum pat_kind { PAT_EXACT, PAT_PREFIX, PAT_RANGE };

struct pattern {
	uint64_t lo, hi; /* digits as a number; hi for PAT_RANGE */
	int line;
	uint16_t col;
	uint8_t kind, len; /* digits written */
};

/* A number is len << 56 | digits, so that every pattern is a few plain intervals. */
#define NUMBER_KEY(len, digits) ((uint64_t)(len) << 56 | (digits))
#define NUMBER_DIGITS_MAX	15

struct ivals { /* sorted, disjoint */
	uint64_t *lo, *hi;
	size_t n;
};

struct numbers { /* what `called`, `calling`, `numbers` of a controller or a set hold */
	struct pattern *pat;
	size_t n, cap;
	struct word *sets, **sets_tail;
	bool withheld;
	uint16_t file; /* of pat */
	struct ivals iv; /* of pat alone; lint fills it */
};

/* Sorts by key, in linear time, and keeps the order of equal ones. -ENOMEM. */
struct keyed {
	uint64_t key, with;
};
int keyed_sort(struct keyed *v, size_t n);

/* 0; -EINVAL with *ret_why. s is "+45701020*", "+4588123400-88123499", without blanks. */
int pattern_parse(const char *s, size_t n, struct pattern *ret, const char **ret_why);
void pattern_print(FILE *f, const struct pattern *p);
int ivals_build(struct arena *a, const struct pattern *p, size_t n, struct ivals *ret);
bool ivals_has(const struct ivals *v, uint64_t key);
bool ivals_intersect(const struct ivals *a, const struct ivals *b);
/* Key of a normalised "+4570..." number; 0 when it is none. */
uint64_t number_key(const char *s);
bool numbers_has(const struct numbers *c, uint64_t key, int64_t now);
/* Has members that come and go. */
bool numbers_dynamic(const struct numbers *c);
/* members.c: a member that counts at this time */
struct member_set;
bool member_set_has(const struct member_set *s, uint64_t key, int64_t now);

/* ---- time ---- */

struct tz;
/* Reads the zone from the tz database. -ENOENT unknown, -EINVAL bad name or file, -ENOMEM. */
int tz_load(struct arena *a, const char *name, struct tz **ret);
int tz_from_bytes(struct arena *a, const uint8_t *b, size_t n, struct tz **ret);
int tz_offset(const struct tz *z, int64_t t); /* seconds east of UTC */
int64_t days_from_civil(int y, int m, int d); /* since 1970-01-01 */
void civil_from_days(int64_t days, struct policy_date *ret);
bool date_valid(const struct policy_date *d);

/* ---- settings: one table per block yields parsing, duplicates, defaults, printing ---- */

enum kind {
	K_YESNO,    /* bool: no, yes */
	K_BOOL,	    /* bool by words[0], words[1] */
	K_ENUM,	    /* int, index into words[]; "" cannot be written */
	K_SPAN,	    /* struct policy_span */
	K_SECONDS,  /* int, seconds; written as a span; max, when there is one */
	K_INT,	    /* int, min..max */
	K_PERMILLE, /* int, a percentage with one decimal */
	K_PERCENT,  /* int */
	K_STRING,   /* const char *, quoted */
	K_NAME,	    /* const char *, word or quoted */
	K_DATE,	    /* struct policy_date */
	K_KEY,	    /* char[POLICY_KEY_MAX] */
	K_WORDS,    /* struct word *, one or more names */
	K_SETS,	    /* struct word *, names of sets with @ */
	K_FUNC,	    /* by parse and print */
};

struct parser;
struct setting {
	const char *name;
	enum kind kind;
	size_t off, size; /* of the value; size is only needed for `defaults` */
	const char *const *words;
	int min, max;
	int (*parse)(struct parser *ps, void *obj);
	void (*print)(FILE *f, const void *obj, const char *indent);
	unsigned flags;
};
#define S_MANY	  1u /* may stand several times */
#define S_DEFAULT 2u /* allowed in `defaults` */
#define S_NEVER	  4u /* allowed in `never` */

struct table {
	const struct setting *s;
	int n;
	const char *what; /* "rule", for messages */
	size_t at_off;	  /* of struct pos at[] in the object */
};

/* ---- objects ---- */

enum { C_NAME, C_CVR, C_CONTACT, C_TIMEZONE, C_LANGUAGES, C_NUMBERS, C_TRUNKS, C_KEYRING, C_ROLES, C_LAB, C_N };
struct controller {
	struct obj o;
	struct policy_controller pub;
	struct pos at[C_N];
	const char *legal_name, *keyring;
	struct word *languages, *roles, *trunks;
	struct numbers numbers;
	struct tz *tz;
	uint64_t trunk_bits[TRUNKS_MAX / 64]; /* its trunks that are dedicated */
};

enum trunk_transport { TRANSPORT_ANY, TRANSPORT_UDP, TRANSPORT_TCP };
enum { TK_INTERFACE, TK_VLAN, TK_ADDRESS, TK_PORT, TK_TRANSPORT, TK_DEDICATED, TK_COUNTRY, TK_INTL, TK_NATL,
       TK_NATDIGITS, TK_QUEUE, TK_AGENT, TK_CORRELATE, TK_IDENTITY, TK_N };
struct prefix {
	struct prefix *next;
	const char *text;
	uint8_t addr[16]; /* IPv4-mapped */
	int bits;	  /* of 128 */
};
struct trunk {
	struct obj o;
	struct pos at[TK_N];
	const char *interface, *country, *intl, *natl, *queue_header, *agent_header, *correlate_header;
	int vlan, port, transport, identity;
	int nat_min, nat_max; /* digits of a national number; 0 not known */
	struct prefix *addr;
	bool dedicated;
	unsigned index;
	int queue_idx, agent_idx; /* of policy_headers(), -1 none */
};

enum set_kind { SET_NUMBERS, SET_TRUNKS, SET_AGENTS, SET_QUEUES, SET_HOLIDAYS, SET_KINDS };
extern const char *const set_kind_names[];
struct set {
	struct obj o;
	enum set_kind kind;
	bool dynamic, sensitive;
	struct numbers numbers;
	struct word *words;	/* trunks, agents, queues */
	const char **sorted;	/* the words, for search */
	struct policy_date *dates;
	struct policy_date *sorted_dates;
	size_t nwords, ndates, dates_cap;
	const struct member_set *live; /* members.c: of a dynamic set of numbers, NULL not bound */
};

enum { EL_REC, EL_DOC, EL_TRAIN, EL_WITHDRAW, EL_LINK, EL_OBJECT, EL_ACCESS, EL_OPTOUT, EL_THEN, EL_N };
extern const char *const element_names[];
enum { A_LANGUAGE, A_VERSION, A_LINK, A_LINKSPEC, A_ELEMENTS, A_TEXT, A_AUDIO, A_FROM, A_UNTIL, A_MENU, A_KEYS_AFTER, A_N };
struct announcement {
	struct obj o;
	struct pos at[A_N];
	const char *language, *version, *link;
	bool link_specific;
	unsigned elements; /* 1 << EL_* */
	char key[POLICY_KEYS_MAX][POLICY_KEY_MAX];	  /* key:K */
	char optout_key[POLICY_KEYS_MAX][POLICY_KEY_MAX]; /* optout-key:K */
	char menu[MENU_KEYS_MAX][POLICY_KEY_MAX];	  /* keys of the menu around it */
	int nkey, noptout_key, nmenu;
	const char *text;
	struct word *text_file, *audio_files;
	struct policy_date from, until;
	int keys_after_s;
	bool published;
	struct policy_notice pub; /* publish.c: made once, each rule has a copy */
};

enum assess_kind { AS_DOCUMENTATION, AS_AMOUNT, AS_SPECIAL, AS_RETENTION, AS_SENSITIVE, AS_KINDS };
extern const char *const assess_kind_names[];
enum { AS_KIND, AS_SCOPE, AS_FILE, AS_DATE, AS_REVIEW, AS_AUTHOR, AS_APPROVER, AS_SECOND, AS_OUTCOME, AS_NOOTHER,
       AS_FACTOR, AS_WITHOUT, AS_N };
enum factor { FACTOR_NONE, FACTOR_RELIED, FACTOR_NOT_RELIED, FACTOR_NA };
extern const char *const factor_names[];
struct assessment {
	struct obj o;
	struct pos at[AS_N];
	int kind;
	struct word *scope, *file;
	struct policy_date date, review;
	const char *author, *approver, *second, *outcome, *no_other_way, *without_consent;
	int factor[6];
	const char *factor_text[6];
	uint64_t scope_trunks[TRUNKS_MAX / 64];
	const unsigned char *content; /* publish.c */
	bool by_file; /* the six factors and notes are in the file, which no program can read */
};

enum { B_BASIS, B_ASSESSMENT, B_SPECIAL, B_CONSENT_KEY, B_CONSENT_SOURCE, B_WITHDRAW, B_OPTOUT, B_ON_OPTOUT,
       B_ON_OBJECTION, B_WINDOW, B_LEG, B_DTMF, B_PREDECISION, B_TRAINING_FROM, B_ON_LOSS, B_SAMPLE, B_CAP,
       B_SPREAD, B_SEED, B_USE_WITHIN, B_USE_TARGET, B_RETENTION, B_REASON, B_REVIEW, B_NOT_NEEDED, B_WORM,
       B_COMMIT, B_N };
struct block {
	struct policy_block *pub; /* of the rule */
	struct pos pos;		  /* line 0: the rule has no such block */
	int purpose;
	struct pos at[B_N];
	struct word *assessment, *special_assessment, *reason_assessment;
	const char *reason;
	const char *consent_header, *consent_value, *optout_header, *optout_value;
	bool consent_api, not_needed_api, leg, seed, callback;
	char not_needed_key[POLICY_KEY_MAX];
	int throttle_percent, floor;
	struct pos opt_at, agent_key_at;
};

enum { H_HEADER, H_QUEUE, H_AGENT };
enum { OP_EQ, OP_PREFIX, OP_ONE_OF, OP_PRESENT };
struct header_crit {
	struct header_crit *next;
	int which, op;
	const char *name; /* H_HEADER */
	struct word *value;
	struct pos at;
	int idx;
};

struct time_item {
	struct time_item *next;
	struct word *holidays; /* or: */
	unsigned days;	       /* bit 0 Monday */
	int from, to;	       /* minutes; to may pass 1440 (next day) */
	struct pos at;
};

struct sensitive {
	struct sensitive *next;
	const char *category;
	struct pos at;
	const char *basis, *purpose_basis[POLICY_PURPOSES];
};

struct role {
	struct role *next;
	int purpose;
	struct word *names;
	struct pos at;
};

enum { R_CONTROLLER, R_CALLED, R_CALLING, R_TRUNK, R_SIPDOMAIN, R_HEADER, R_QUEUE, R_AGENT, R_DIRECTION, R_TIME,
       R_MEDIA, R_TAG, R_OWNER, R_REVIEW, R_ON_REVIEW, R_REASON, R_TICKET, R_NOTICE, R_PROOF, R_TIMEOUT,
       R_ON_MISSING, R_SMS, R_DOCUMENTATION, R_TRAINING, R_SENSITIVE, R_PAUSE_KEY, R_RESUME_KEY, R_PAUSE,
       R_PAUSE_MAX, R_MUTE, R_MUSIC, R_EXCLUDE, R_EARLY, R_MIN, R_MAX, R_CONCURRENT, R_DISK, R_ROLES,
       R_PLAY_REASON, R_ZSTD, R_KEYS, R_DECISION, R_ALARM, R_N };
enum { DIR_ANY, DIR_INBOUND, DIR_OUTBOUND };
struct rule {
	struct obj o;
	struct policy_rule pub;
	bool never;
	struct pos at[R_N];
	struct word *controller;
	struct numbers called, calling;
	struct word *trunks;
	uint64_t trunk_bits[TRUNKS_MAX / 64];
	struct word *domains;
	struct header_crit *headers;
	struct time_item *time;
	struct word *time_except;
	int direction;
	struct word *codecs;
	int encrypted; /* 0 any, 1 no, 2 yes */
	struct word *tags;
	const char *reason, *ticket, *sms;
	struct policy_span sms_timeout;
	struct word *notice;
	struct block block[POLICY_PURPOSES];
	struct sensitive *sensitive;
	const char *pause_header, *pause_value;
	bool pause_api, pause_stop;
	int pause_end; /* as written: 0 neither, 1 resume, 2 stop */
	struct policy_span decision_record;
	struct role *roles;
	int max_concurrent, disk_permille, play_reason_min;
	bool play_reason_off;
	int per_leg; /* 0 default (yes), 1 yes, 2 no */
	const char *key_ring, *key_bucket;
	struct word *alarm;
};

struct index;
struct policy {
	struct arena arena;
	struct source *src;
	size_t nsrc, src_cap;
	struct list controllers, trunks, sets, announcements, assessments, nevers, rules;
	struct rule *defaults;
	const char *headers[POLICY_HEADERS_MAX];
	size_t nheaders;
	const struct rule **all; /* never rules, then rules */
	const struct rule **rule_array; /* all + nevers.n */
	struct index *index;
	char hash[65];
	/* while loading only */
	struct policy_diags *diags;
	size_t first_diag, first_errors;
	bool oom;
	int64_t today;
	struct memo *memo; /* lint_number.c */
	struct set *filling; /* the next source holds members of this set */
	const struct policy_past_log *past;
	bool kept, forgiving; /* policy_load_kept, and its names are resolved: lint_kept.c */
	size_t doubts;
	bool doubts_nowhere; /* one of them lies in no object */
	size_t comments; /* in all files: fmt -w must not lose them */
};

extern const struct table controller_table, trunk_table, announcement_table, assessment_table, rule_table, block_table;
extern const char *const purpose_names[], *const basis_names[], *const unit_names[], *const per_names[];
extern const char *const proof_names[], *const missing_names[], *const category_names[];
extern const char *const predecision_names[], *const objection_names[], *const fallback_names[];

struct pos *at_of(const struct table *t, void *obj);
struct obj *list_find(const struct list *l, const char *name);
void list_append(struct list *l, struct obj *o);
void list_free(struct list *l); /* not what is in it */

/* parse.c: one source into p, or into p->filling; what is wrong goes to p->diags. include: NULL refuses. */
int parse_source(struct policy *p, uint16_t file, int (*include)(struct policy *p, const char *name, struct pos at, void *arg),
		 void *arg);
/* lint.c: resolves names, applies defaults, fills what is derived, checks. */
int lint_policy(struct policy *p);
/* lint_meant.c: shorter than proofs are kept in any case */
bool record_is_short(const struct rule *r);
/* index.c: which rules a number can concern */
int index_build(struct policy *p);
/* Sets the bits of the rules in p->all that can match these keys (0: no number); the others cannot. */
void index_candidates(const struct policy *p, uint64_t called, uint64_t calling, uint64_t *bits);
/* eval.c: a user part by the trunk's dial plan (NULL: none). */
void number_normalise(const struct trunk *t, struct policy_str s, char out[POLICY_NUMBER_MAX]);

/* eval.c: single criteria. What a header says passes; the time is one of the rule's, in its controller's zone; a `never` that is a list of
 * people who asked not to be recorded. */
bool eval_header(const struct header_crit *h, struct policy_str value);
bool eval_time(const struct rule *r, const struct controller *k, int64_t t);
bool eval_is_list(const struct rule *r);

/* print.c: helpers for tables */
void print_name(FILE *f, const char *s);
void print_string(FILE *f, const char *s);
void print_span(FILE *f, const struct policy_span *s);
/* Of any table; a block's too. */
void table_print_setting(FILE *f, const struct table *t, int id, const void *obj);
void rule_print_setting(FILE *f, const struct rule *r, int id, const char *indent);
void print_clock(FILE *f, int minute);
void set_print(FILE *f, const struct set *s);

#endif
