/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint.h - between lint.c (names, defaults, order), lint_rule.c, lint_purpose.c
 * and lint_notice.c
 *
 * Each check_x reports what it finds; none changes the tree. Codes, sentences
 * and reasons are those of optag-policy(5).
 */
#ifndef POLICY_LINT_H
#define POLICY_LINT_H

#include "internal.h"

/* Was it set, by the rule or by `defaults`? */
bool rule_has(const struct policy *p, const struct rule *r, int id);
bool block_has(const struct policy *p, const struct block *b, int id);
struct pos rule_at(const struct rule *r, int id);   /* the setting, else the rule's name */
struct pos block_at(const struct block *b, int id); /* the setting, else the block */
const struct controller *rule_controller(const struct rule *r);
int date_cmp(const struct policy_date *a, const struct policy_date *b);
void today_date(const struct policy *p, struct policy_date *ret);
int span_days(const struct policy_span *s); /* at least this long */
bool longer_than_3_months(const struct policy_span *s);
bool training_opt_out(const struct rule *r); /* training by interest, not special */
bool language_ok(const char *s); /* da, en, kal */
bool key_in(const char *key, const char (*list)[POLICY_KEY_MAX]);

/*
 * A file that the policy names, relative to the policy's own file. False, after
 * L-08, when it is not there. Texts from memory have no files: always true.
 * ret_path (malloc'ed, NULL from memory) may be NULL.
 */
bool check_file(struct policy *p, const struct word *w, const char *what, char **ret_path);

/* Where it lies (malloc'ed); NULL: texts from memory have no files, or no memory. */
char *file_path(struct policy *p, const struct word *w);

/* ---- lint_number.c: sets of numbers; answers about large ones are remembered between begin and end ---- */

bool memo_begin(struct policy *p);
void memo_end(struct policy *p);
/* No number at all is written. */
bool numbers_empty(const struct numbers *c);
bool numbers_meet_ivals(const struct policy *p, const struct numbers *c, const struct ivals *v);
bool numbers_meet(const struct policy *p, const struct numbers *a, const struct numbers *b);
/*
 * Every number of in. A dynamic set may grow out of it and is judged by its members; still: at any
 * time, so that a dynamic set covers only itself.
 */
bool numbers_cover(const struct policy *p, const struct numbers *of, const struct numbers *in, bool still);
/* None so wide that it catches a whole country (L-09). */
void check_ranges(struct policy *p, const struct numbers *c);

void check_controller(struct policy *p, struct controller *c);
void check_announcement(struct policy *p, struct announcement *a);
void check_assessment(struct policy *p, struct assessment *a);
/* lint_kept.c: an error at this place of a policy that was in force before; the rules it concerns, when all are known: false, it is none */
void kept_doubt(struct policy *p, struct pos at);
bool kept_refuse(struct policy *p);
void check_rule(struct policy *p, struct rule *r);
void check_purpose(struct policy *p, struct rule *r, struct block *b);
/* lint_meant.c: what cannot be meant, and what nothing acts on yet */
void check_window(struct policy *p, const struct rule *r, const struct block *b);
void check_pre_decision(struct policy *p, const struct rule *r, const struct block *b);
void check_assessment_says(struct policy *p, const struct assessment *a);
void check_meant(struct policy *p, const struct rule *r);
void check_defaults_meant(struct policy *p, const struct rule *d);
/* lint_key.c */
void check_keys(struct policy *p, struct rule *r);
void check_event_headers(struct policy *p);
/* lint_sensitive.c: of a rule with a controller */
void check_sensitive(struct policy *p, struct rule *r);
/* lint_person.c: who decides, who approves */
bool same_person(const char *a, const char *b);
void check_persons(struct policy *p, const struct assessment *a);
void check_owner_approves(struct policy *p, const struct rule *r);
void check_notice(struct policy *p, struct rule *r);
void check_never(struct policy *p, struct rule *r);
void check_defaults(struct policy *p, struct rule *d);
/* lint_match.c: rules against each other */
void check_rules_together(struct policy *p);
/* lint_past.c: by p->past, if there is one */
void check_past(struct policy *p);

/* publish.c: POLICY_ALARM_* that a rule, or the defaults, leave on */
unsigned policy_alarms(const struct rule *r);
/* publish.c: after all checks, when there was no error */
void publish_policy(struct policy *p);

#endif
