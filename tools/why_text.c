/* SPDX-License-Identifier: BSD-2-Clause */
/* why_text.c - `optag why` for people, see why.h */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "why.h"

static const char *const purposes[] = {"Documentation", "Training"};

static void head(const char *name)
{
	printf("  %-13s", name);
}

static void day_and_time(uint64_t ns)
{
	char t[40];

	clock_format(ns, t);
	printf("%.10s %.12s", t, t + 11);
}

static void when(const struct why *w)
{
	const struct store_row *r = &w->row;
	const struct evlog_event *m = why_event(w, EVLOG_CALL_MATCH, -1);

	head("when");
	day_and_time(w->has_row ? r->start_ns : m ? m->time_ns : uid_time_ms(&w->uid) * NS_PER_MS);
	if (!w->has_row) {
		printf(" UTC; the catalog does not list it%s\n",
		       w->life.outcome ? " (any more)" : ": in progress, or its recorder died");
		return;
	}
	printf(" to ");
	day_and_time(r->end_ns);
	printf(" UTC\n");
	head("");
	if (r->answer_ns)
		printf("answered after %.1f s, ", (double)(r->answer_ns - r->start_ns) / 1e9);
	else
		printf("not answered, ");
	printf("ended by %s; ", r->end);
	printf("%s\n", store_outcome_names[r->outcome]);
}

static void under_what(const struct why *w)
{
	char t[40];

	head("rule");
	if (w->rule_name) {
		cli_text(stdout, w->rule_name, 0, false);
		printf(" of controller %s\n", w->controller);
	} else {
		printf("not known\n");
	}
	head("policy");
	printf("%s\n", w->hash ? w->hash : "not known");
	if (w->hash) {
		head("");
		cli_text(stdout, w->policy_file, 0, false);
		if (w->policy_why)
			printf(" %s", w->policy_why);
		if (w->rule)
			printf(":%d", w->rule->line);
		if (w->policy_since > 0) {
			clock_format((uint64_t)w->policy_since * NS_PER_S, t);
			printf(", first in force %.10s", t);
		}
		printf("\n");
	}
	if (w->has_row || w->rule) {
		const char *s = w->has_row ? w->row.scenario : w->rule->scenario;

		head("situation");
		printf("%s: %s\n", s, why_situation(s));
	}
}

static void date(const char *what, struct policy_date d)
{
	if (d.year)
		printf(", %s%04d-%02d-%02d", what, d.year, d.month, d.day);
}

static void assessments(const struct why *w)
{
	if (!w->rule)
		return;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		const struct policy_block *b = &w->rule->purpose[p];
		const char *const id[] = {b->assessment, b->special_assessment};

		for (size_t i = 0; i < 2; i++) {
			struct policy_assessment a;

			if (policy_assessment(w->policy, id[i], &a))
				continue;
			head("assessment");
			printf("%s for %s (%s)", a.id, store_purpose_names[p], a.kind);
			date("of ", a.date);
			if (a.author)
				printf(", by %s", a.author);
			date("review ", a.review);
			printf("\n");
			head("");
			for (size_t k = 0; k < sizeof(a.hash); k++)
				printf("%02x", a.hash[k]);
			printf("%s%s\n", a.file ? "  " : "", a.file ? a.file : "");
		}
	}
}

static void announcement(const struct why *w)
{
	const struct evlog_event *e = why_event(w, EVLOG_NOTICE_PLAYED, -1);
	const char *src;
	char text[256];

	head("announcement");
	if (e) {
		why_phrase(w, e, text, sizeof(text), &src);
		cli_text(stdout, text + (strncmp(text, "announcement ", 13) ? 0 : 13), 0, false);
		printf("\n");
	} else {
		printf("%s\n", why_event(w, EVLOG_NOTICE_MISSING, -1) ? "not proven in time"
								      : "nothing was proven");
	}
	for (size_t i = 0; w->rule && i < w->rule->nnotice; i++) {
		const struct policy_notice *n = &w->rule->notice[i];
		uint8_t hash[POLICY_TEXT_HASH];

		if (policy_announcement_hash(w->policy, n->name, hash))
			continue;
		head("");
		printf("%s ", n->name);
		for (size_t k = 0; k < sizeof(hash); k++)
			printf("%02x", hash[k]);
		printf("\n");
	}
}

/* Events of a purpose stand with it; those of the call as a whole have their own list. */
static void events(const struct why *w, int purpose)
{
	uint64_t start = w->nev ? w->ev[0].e.time_ns : 0;

	for (size_t i = 0; i < w->nev; i++) {
		const struct evlog_event *e = &w->ev[i].e;
		const char *src;
		char text[320], t[40];

		if ((int)e->purpose != purpose + 1)
			continue;
		why_phrase(w, e, text, sizeof(text), &src);
		clock_format(e->time_ns, t);
		/* what came on later days is told with its day */
		if (e->time_ns > start + 86400 * NS_PER_S)
			printf("    %.10s    ", t);
		else
			printf("    %.12s  ", t + 11);
		cli_text(stdout, text, 0, false);
		if (e->who)
			printf(", %s", e->who);
		printf("%s%s%s\n", *src ? " [" : "", src, *src ? "]" : "");
	}
}

static void kept(const struct why *w, int p)
{
	char t[40];

	if (!w->until_ns[p])
		return;
	clock_format(w->until_ns[p], t);
	printf("    kept until %.10s %.8s UTC at the latest%s\n", t, t + 11,
	       w->held && p == POLICY_DOCUMENTATION ? ", longer under a hold" : "");
	if (w->held && p == POLICY_DOCUMENTATION)
		return;
	if (w->bucket_gone_ns[p]) {
		clock_format(w->bucket_gone_ns[p], t);
		printf("    the key of its day was destroyed %.10s %.8s: it cannot be read any "
		       "more [N-25]\n",
		       t, t + 11);
	} else if (w->until_ns[p] < (uint64_t)time(NULL) * NS_PER_S) {
		printf("    that is over: nothing should open it any more [N-25]\n");
	}
}

static void hold(const struct why *w)
{
	const struct hold *x = &w->hold;
	char t[40];

	if (!w->held)
		return;
	clock_format(x->at_ns, t);
	printf("\nOn hold since %.10s, by %s (uid %u): documentation is kept past its time [N-24]\n    reference ", t, x->by.name, x->by.uid);
	cli_text(stdout, x->reference, 0, false);
	printf(": ");
	cli_text(stdout, x->reason, 0, false);
	printf("\n    to be reviewed by %04u-%02u-%02u\n", x->review / 10000, x->review / 100 % 100, x->review % 100);
	if (!x->asked_ns)
		return;
	clock_format(x->asked_ns, t);
	printf("    %.10s %s (uid %u) asked for its end, which nobody confirmed yet: ", t, x->asker.name, x->asker.uid);
	cli_text(stdout, x->asked_reason, 0, false);
	printf("\n");
}

static bool sampled_out(const char *reason)
{
	return !strncmp(reason, "sample.", 7) || !strncmp(reason, "quota.", 6);
}

static void purpose(const struct why *w, int p)
{
	const struct policy_block *b = w->rule ? &w->rule->purpose[p] : NULL;
	const struct why_word *r = why_reason(w->reason[p]);
	bool asked_for = b && *b->consent_key && !strcmp(w->reason[p], "consent.none");
	char text[320];

	printf("\n%s: ", purposes[p]);
	if ((b && b->basis == POLICY_B_NONE) ||
	    (!b && w->state[p] == PURPOSE_NONE && (w->has_row || w->replayed))) {
		printf("not a purpose of the rule\n");
		return;
	}
	if (w->has_row || w->replayed)
		printf("%s", purpose_state_name(w->state[p]));
	else
		printf("no final state, as far as is known");
	if (b)
		printf(", basis %s%s%s%s", why_basis(b->basis), b->statute ? " (" : "",
		       b->statute ? b->statute : "", b->statute ? ")" : "");
	printf("\n");
	if (*w->reason[p])
		printf("    because %s%s%s%s\n", r->text, *r->source ? " [" : "", r->source,
		       *r->source ? "]" : "");
	events(w, p);
	why_counters(w, text, sizeof(text));
	if (p == POLICY_TRAINING && w->has_draw)
		printf("    the draw stands in %s:%" PRIu64 "%s%s\n", w->draw_file, w->draw_line,
		       *text ? "; " : "", text);
	kept(w, p);
	if (!why_live(w->state[p]) && *w->reason[p] && r->needed)
		printf("    what it would have taken: %s%s%s%s\n", r->needed, asked_for ? ": key " : "", asked_for ? b->consent_key : "",
		       b && b->basis == POLICY_B_CONSENT && sampled_out(w->reason[p])
			       ? "; and then consent"
			       : "");
}

static void legs(const struct why *w)
{
	static const char *const names[] = {"caller", "callee"};

	if (!w->has_row)
		return;
	printf("\nAudio\n");
	for (int i = 0; i < 2; i++) {
		const struct store_leg_figures *l = &w->row.leg[i];

		printf("    %s: %" PRIu64 " packets kept%s%s (%.1f s), %" PRIu64
		       " never left the classifier, %" PRIu64 " lost, %" PRIu64
		       " key press%s heard\n",
		       names[i], l->packets, *l->format.name ? ", " : "", l->format.name,
		       (double)l->audio_ms / 1000, l->blocked, l->lost, l->events, l->events == 1 ? "" : "es");
	}
	if (w->row.gap && *w->row.gap)
		printf("    gap: %s: %s\n", w->row.gap, why_reason(w->row.gap)->text);
	if (w->row.grounds)
		printf("\nGrounds of an objection are kept, sealed: optag export --format grounds\n");
}

static void access_list(const struct why *w)
{
	static const enum evlog_kind kinds[] = {EVLOG_PLAY, EVLOG_ACCESS_EXPORT, EVLOG_ACCESS_OPEN,
						EVLOG_USE};
	bool any = false;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		any |= why_event(w, kinds[i], -1) != NULL;
	/* who has a purpose's private key and a copy of the store needs nobody's leave */
	printf("\nWho listened: %s\n    not known: what was decrypted from a copy of the store, or by another program than optag export\n",
	       any ? "see above, by the evidence log" : "no line of the evidence log says that somebody did");
}

void why_text(const struct why *w)
{
	printf("Call %s", w->id);
	if (w->has_row) {
		printf("  (Call-ID ");
		cli_text(stdout, w->row.sip_call_id, 0, false);
		printf(")");
	}
	printf("\n");
	when(w);
	under_what(w);
	assessments(w);
	announcement(w);
	why_rules_text(w);
	for (int p = 0; p < POLICY_PURPOSES; p++)
		purpose(w, p);
	hold(w);
	printf("\nThe call\n");
	events(w, -1);
	legs(w);
	access_list(w);
	printf("\n%s\n",
	       w->nfault ? "Log and catalog do NOT agree, see below."
	       : !w->has_row
		       ? "The catalog does not list the call; this is what the evidence log has."
	       : w->replayed ? "The rule, run over the evidence log once more, comes to what the "
			       "catalog says."
	       : !w->rule    ? "Log and catalog agree; without the policy the decision was not "
			       "calculated again."
	       : w->life.settled ? "The recorder or its disk failed in this call; the row is what "
				   "was found afterwards."
				 : "Log and catalog agree.");
}
