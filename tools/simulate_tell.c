/* SPDX-License-Identifier: BSD-2-Clause */
/* simulate_tell.c - what came out, counted and printed: optag-simulate(1) says what each figure
 * means */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "simulate.h"

#define CHANGES_MAX 4096 /* kinds of change; one past that is counted with the last */

struct change {
	uint16_t policy, rule; /* as it was decided */
	int32_t goes;
	int8_t purpose; /* -1: to another rule, or none */
	uint8_t was, is;
	uint16_t was_reason, is_reason;
	bool assumed;
	uint64_t n;
	struct uid *example;
	unsigned nexample;
};

struct tell {
	struct sim *s;
	struct change *v;
	size_t n;
	uint64_t changed, same, compared; /* calls, of whose purposes all are sure */
	uint64_t assumed, unsure[UNSURES];
	uint64_t gone; /* calls that come to no rule */
};

static const char u_match[] =
	"whether a rule matches needs the numbers of the call, which were not "
	"opened (--keys) or not kept";

const char *sim_unsure_text(enum sim_unsure u)
{
	static const char *const text[UNSURES] = {
		[SURE] = "",
		[ASSUMED] =
			"these callers were not asked then; taken to answer as those did who were",
		[U_MATCH] = u_match,
		[U_POLICY] = "the policy it was decided by is not in the store",
		[U_LOG] = "the evidence log has no match of it",
		[U_DIED] = "its recorder or its disk failed in it",
		[U_OPEN] = "it had no outcome yet",
		[U_NOTICE] = "another announcement is played",
		[U_PROOF] = "the announcement is proven in another way",
		[U_BASIS] = "the basis is another",
		[U_KEY] = "the consent key is another",
		[U_WINDOW] = "the window is another",
		[U_WAY] = "consent is given in another way",
		[U_ASKED] = "nobody was asked for this purpose",
	};

	return text[u];
}

static bool live(uint8_t state)
{
	return state == PURPOSE_GRANTED || state == PURPOSE_OBJECTED;
}

/* ---- counting ---- */

static int note(struct tell *t, const struct change *k, const struct uid *uid)
{
	struct change *c = NULL, *v;

	for (size_t i = 0; i < t->n && !c; i++) {
		v = &t->v[i];
		if (v->policy == k->policy && v->rule == k->rule && v->goes == k->goes &&
		    v->purpose == k->purpose && v->was == k->was && v->is == k->is &&
		    v->was_reason == k->was_reason && v->is_reason == k->is_reason &&
		    v->assumed == k->assumed)
			c = v;
	}
	if (!c && t->n == CHANGES_MAX)
		c = &t->v[t->n - 1];
	if (!c) {
		v = realloc(t->v, (t->n + 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		t->v = v;
		c = &v[t->n++];
		*c = *k;
		c->example = calloc(t->s->examples + 1, sizeof(*c->example));
		if (!c->example)
			return -ENOMEM;
	}
	c->n++;
	if (c->nexample < t->s->examples)
		c->example[c->nexample++] = *uid;
	return 0;
}

static int count_reason(struct sim_rule *r, int p, uint8_t state, uint16_t word)
{
	struct sim_reason *v;

	for (size_t i = 0; i < r->nreason; i++) {
		v = &r->reason[i];
		if (v->word == word && v->purpose == p && v->state == state) {
			v->n++;
			return 0;
		}
	}
	v = realloc(r->reason, (r->nreason + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->reason = v;
	v[r->nreason++] = (struct sim_reason){word, (uint8_t)p, state, 1};
	return 0;
}

static int count_purpose(struct tell *t, const struct past *c, int p, bool *ret_changed)
{
	struct sim *s = t->s;
	struct sim_rule *r = c->goes >= 0 ? &s->rule[c->goes] : NULL;
	struct change k = {.policy = c->policy,
			   .rule = c->rule,
			   .goes = c->goes,
			   .purpose = (int8_t)p,
			   .was = c->was[p],
			   .is = c->is[p],
			   .was_reason = c->was_reason[p],
			   .is_reason = c->is_reason[p],
			   .assumed = c->unsure[p] == ASSUMED};
	int rc = 0;

	if (c->unsure[p] > ASSUMED) {
		if (r)
			r->unsure[p]++;
		return 0;
	}
	if (r) {
		r->kept[p] += live(c->is[p]);
		r->assumed[p] += live(c->is[p]) && k.assumed;
		if (c->is[p] != PURPOSE_NONE && !live(c->is[p]))
			rc = count_reason(r, p, c->is[p], c->is_reason[p]);
	}
	if (rc || life_same((enum purpose_state)c->was[p], s->word[c->was_reason[p]],
			    (enum purpose_state)c->is[p], s->word[c->is_reason[p]]))
		return rc;
	*ret_changed = true;
	return note(t, &k, &c->uid);
}

static int count_call(struct tell *t, const struct past *c)
{
	struct sim *s = t->s;
	const struct old_rule *o =
		c->policy < s->nold && s->old[c->policy].p && c->rule != UINT16_MAX
			? &s->old[c->policy].rule[c->rule]
			: NULL;
	struct sim_rule *was = o && o->namesake >= 0 ? &s->rule[o->namesake] : NULL;
	struct sim_rule *is = c->goes >= 0 ? &s->rule[c->goes] : NULL;
	bool changed = false, sure = true, assumed = false;
	struct change k = {.policy = c->policy, .rule = c->rule, .goes = c->goes, .purpose = -1};
	int rc = 0;

	if (was) {
		was->was_matched++;
		for (int p = 0; p < POLICY_PURPOSES; p++)
			was->was_kept[p] += live(c->was[p]);
	}
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		sure &= c->unsure[p] <= ASSUMED;
		assumed |= c->unsure[p] == ASSUMED;
		if (c->unsure[p] > ASSUMED && (p == 0 || c->unsure[p] != c->unsure[0]))
			t->unsure[c->unsure[p]]++;
	}
	if (is)
		is->matched++;
	else if (c->goes != GOES_UNKNOWN && sure)
		t->gone++;
	if (sure && o && (!is || strcmp(is->rule->name, o->rule->name) != 0)) {
		changed = true;
		rc = note(t, &k, &c->uid);
	}
	for (int p = 0; p < POLICY_PURPOSES && !rc && c->goes >= 0; p++)
		rc = count_purpose(t, c, p, &changed);
	t->assumed += assumed;
	if (sure) {
		t->compared++;
		t->changed += changed;
		t->same += !changed;
	}
	return rc;
}

static int most_first(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n ? 1 : -1) : 0;
}

static int reason_order(const void *a, const void *b)
{
	const struct sim_reason *x = a, *y = b;

	if (x->purpose != y->purpose)
		return x->purpose < y->purpose ? -1 : 1;
	return x->n != y->n ? (x->n < y->n ? 1 : -1) : 0;
}

/* ---- what low use will do ---- */

/* Of what would have been recorded for training, how much was used, in percent; -1 nothing was
 * recorded. */
static int utilisation(const struct sim_rule *r)
{
	uint64_t n = r->kept[POLICY_TRAINING];

	return n ? (int)(r->used >= n ? 100 : r->used * 100 / n) : -1;
}

static void day_text(int32_t day, char out[16])
{
	sample_day_text(day, out);
}

/* ---- JSON ---- */

static void put(json_t *o, const char *key, json_t *v)
{
	(void)json_object_set_new(o, key, v); /* without memory cli_json_line tells */
}

static json_t *num(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *both(const uint64_t v[POLICY_PURPOSES])
{
	json_t *o = json_object();

	for (int p = 0; p < POLICY_PURPOSES; p++)
		put(o, store_purpose_names[p], num(v[p]));
	return o;
}

static int rule_json(const struct sim *s, const struct sim_rule *r)
{
	json_t *o = json_object(), *denied = json_array(), *draws = json_object();
	char day[16];

	put(o, "rule", cli_json_str(r->rule->name));
	put(o, "matched", num(r->matched));
	put(o, "was_matched", num(r->was_matched));
	put(o, "eligible", num(r->eligible));
	put(o, "kept", both(r->kept));
	put(o, "was_kept", both(r->was_kept));
	put(o, "assumed", both(r->assumed));
	put(o, "not_comparable", both(r->unsure));
	for (size_t i = 0; i < r->nreason; i++)
		(void)json_array_append_new(
			denied,
			json_pack("{s:s, s:s, s:o, s:I}", "purpose",
				  store_purpose_names[r->reason[i].purpose], "state",
				  purpose_state_name((enum purpose_state)r->reason[i].state),
				  "reason", cli_json_str(s->word[r->reason[i].word]), "calls",
				  (json_int_t)r->reason[i].n));
	put(o, "denied", denied);
	for (int i = 1; i < SAMPLE_WHY_N; i++)
		if (r->drawn[i])
			put(draws, sample_why_name((enum sample_why)i), num(r->drawn[i]));
	put(o, "draws", draws);
	put(o, "pseudo_draws", num(r->pseudo));
	put(o, "used", num(r->used));
	put(o, "utilisation", utilisation(r) < 0 ? json_null() : json_integer(utilisation(r)));
	if (r->fig.throttled_day)
		day_text(r->fig.throttled_day, day);
	put(o, "throttled_from", r->fig.throttled_day ? json_string(day) : json_null());
	return cli_json_line(stdout, o);
}

static int change_json(const struct sim *s, const struct change *c)
{
	const struct policy_rule *was = s->old[c->policy].rule[c->rule].rule;
	json_t *o = json_object(), *ex = json_array();
	char id[UID_TEXT];

	put(o, "change", json_string(c->purpose < 0 ? "rule" : store_purpose_names[c->purpose]));
	put(o, "calls", num(c->n));
	put(o, "rule", cli_json_str(was->name));
	put(o, "to_rule", c->goes >= 0 ? cli_json_str(s->rule[c->goes].rule->name) : json_null());
	put(o, "never", json_boolean(c->goes == GOES_NEVER));
	if (c->purpose >= 0) {
		put(o, "was", json_string(purpose_state_name((enum purpose_state)c->was)));
		put(o, "was_reason", cli_json_str(s->word[c->was_reason]));
		put(o, "is", json_string(purpose_state_name((enum purpose_state)c->is)));
		put(o, "is_reason", cli_json_str(s->word[c->is_reason]));
	}
	put(o, "assumed", json_boolean(c->assumed));
	for (unsigned i = 0; i < c->nexample; i++) {
		uid_format(&c->example[i], id);
		(void)json_array_append_new(ex, json_string(id));
	}
	put(o, "examples", ex);
	return cli_json_line(stdout, o);
}

static int tell_json(const struct tell *t)
{
	const struct sim *s = t->s;
	json_t *o = json_object(), *u = json_object();
	int rc = 0;

	for (size_t i = 0; i < s->nrule && !rc; i++)
		rc = rule_json(s, &s->rule[i]);
	for (size_t i = 0; i < t->n && !rc; i++)
		rc = change_json(s, &t->v[i]);
	for (int i = ASSUMED + 1; i < UNSURES; i++)
		if (t->unsure[i])
			put(u, sim_unsure_text((enum sim_unsure)i), num(t->unsure[i]));
	put(o, "policy", json_string(policy_hash(s->policy)));
	put(o, "calls", num(s->npast));
	put(o, "compared", num(t->compared));
	put(o, "same", num(t->same));
	put(o, "changed", num(t->changed));
	put(o, "assumed", num(t->assumed));
	put(o, "no_rule", num(t->gone));
	put(o, "not_comparable", u);
	put(o, "opened", num(s->opened));
	put(o, "captures", json_boolean(s->captures));
	put(o, "unmatched_then", num(s->captures ? s->nomatch_captures : s->nomatch));
	put(o, "rows_without_log", num(s->rows_only));
	return rc ? rc : cli_json_line(stdout, o);
}

/* ---- text ---- */

static void was(const struct sim *s, uint64_t n)
{
	if (!s->captures)
		printf(" (was %" PRIu64 ")", n);
}

static void rule_text(const struct sim *s, const struct sim_rule *r)
{
	char day[16];

	printf("\nrule ");
	cli_text(stdout, r->rule->name, 0, false);
	printf(" (%s)\n  matched %" PRIu64, r->rule->scenario, r->matched);
	was(s, r->was_matched);
	if (r->samples)
		printf(", eligible for training %" PRIu64, r->eligible);
	printf("\n");
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		if (r->rule->purpose[p].basis == POLICY_B_NONE && !r->was_kept[p])
			continue;
		printf("  %s: would record %" PRIu64, store_purpose_names[p], r->kept[p]);
		was(s, r->was_kept[p]);
		if (r->assumed[p])
			printf(", %" PRIu64 " of them assumed", r->assumed[p]);
		if (r->unsure[p])
			printf(", %" PRIu64 " more not comparable", r->unsure[p]);
		printf("\n");
		for (size_t i = 0; i < r->nreason; i++)
			if (r->reason[i].purpose == p)
				printf("    %-10s %8" PRIu64 "  %s\n",
				       purpose_state_name((enum purpose_state)r->reason[i].state),
				       r->reason[i].n, s->word[r->reason[i].word]);
	}
	if (r->samples && r->kept[POLICY_TRAINING] && !s->captures)
		printf("  used %" PRIu64 " of %" PRIu64 ": predicted utilisation %d %%\n", r->used,
		       r->kept[POLICY_TRAINING], utilisation(r));
	if (r->fig.throttled_day) {
		day_text(r->fig.throttled_day, day);
		printf("  throttled from %s on, %d days after the first draw\n", day,
		       r->fig.throttled_day - r->fig.first_day);
	}
	if (r->pseudo)
		printf("  %" PRIu64
		       " draws by a pseudo-seed: how many is right, which calls is not\n",
		       r->pseudo);
	if (r->agentless)
		printf("  %" PRIu64
		       " draws of calls whose agent is not known: they share one agent's cap\n",
		       r->agentless);
}

static void state_text(const struct sim *s, uint8_t state, uint16_t reason)
{
	printf("%s", purpose_state_name((enum purpose_state)state));
	if (*s->word[reason]) {
		printf(" ");
		cli_text(stdout, s->word[reason], 0, false);
	}
}

static void change_text(const struct sim *s, const struct change *c)
{
	char id[UID_TEXT];

	printf("  %8" PRIu64 "  ", c->n);
	cli_text(stdout, s->old[c->policy].rule[c->rule].rule->name, 0, false);
	if (c->purpose < 0) {
		printf(" -> ");
		cli_text(stdout,
			 c->goes >= 0		 ? s->rule[c->goes].rule->name
			 : c->goes == GOES_NEVER ? "never"
						 : "no rule",
			 0, false);
	} else {
		printf(", %s: ", store_purpose_names[c->purpose]);
		state_text(s, c->was, c->was_reason);
		printf(" -> ");
		state_text(s, c->is, c->is_reason);
		printf("%s", c->assumed ? " (assumed)" : "");
	}
	for (unsigned i = 0; i < c->nexample; i++) {
		uid_format(&c->example[i], id);
		printf("%s%s", i ? " " : "\n            ", id);
	}
	printf("\n");
}

static void tell_text(const struct tell *t)
{
	const struct sim *s = t->s;
	bool any = false;

	printf("%zu %s call%s under policy %.16s...\n", s->npast, s->captures ? "matched" : "past", cli_s((double)s->npast),
	       policy_hash(s->policy));
	for (size_t i = 0; i < s->nrule; i++)
		rule_text(s, &s->rule[i]);
	if (s->captures) {
		printf("\nNo rule matched %" PRIu64 " call%s\n", s->nomatch_captures, cli_s((double)s->nomatch_captures));
		return;
	}
	printf("\n%" PRIu64 " call%s can be compared: %" PRIu64 " as it was, %" PRIu64
	       " otherwise\n",
	       t->compared, cli_s((double)t->compared), t->same, t->changed);
	for (size_t i = 0; i < t->n; i++)
		change_text(s, &t->v[i]);
	for (int i = ASSUMED + 1; i < UNSURES; i++) {
		if (!t->unsure[i])
			continue;
		if (!any)
			printf("\nNot comparable\n");
		any = true;
		printf("  %8" PRIu64 "  %s\n", t->unsure[i], sim_unsure_text((enum sim_unsure)i));
	}
	if (t->assumed)
		printf("\nAssumed: %" PRIu64 " call%s: %s\n", t->assumed, cli_s((double)t->assumed), sim_unsure_text(ASSUMED));
	printf("\nCalls that no rule matched are not known: %" PRIu64 " then\n", s->nomatch);
	if (s->rows_only)
		printf("Rows of the catalog without a match in the evidence log: %" PRIu64 "\n",
		       s->rows_only);
	if (s->opened)
		printf("Opened with a private key to see who called whom: %" PRIu64 " call%s\n",
		       s->opened, cli_s((double)s->opened));
}

int sim_tell(struct sim *s)
{
	struct tell t = {.s = s};
	int rc = 0;

	for (size_t i = 0; i < s->npast && !rc; i++)
		rc = count_call(&t, &s->past[i]);
	if (rc)
		cli_err("%s", strerror(-rc));
	if (t.n)
		qsort(t.v, t.n, sizeof(*t.v), most_first);
	for (size_t i = 0; i < s->nrule; i++)
		if (s->rule[i].nreason)
			qsort(s->rule[i].reason, s->rule[i].nreason, sizeof(*s->rule[i].reason),
			      reason_order);
	if (!rc && s->json)
		rc = tell_json(&t);
	else if (!rc)
		tell_text(&t);
	for (size_t i = 0; i < t.n; i++)
		free(t.v[i].example);
	free(t.v);
	return rc ? CLI_FAILED : s->damaged ? CLI_DAMAGED : CLI_OK;
}
