/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print.c - the canonical form
 *
 * Objects by kind and in file order, settings in the order of their table, one
 * a line, only what was written (never a default). It parses back to the same
 * policy: lists are joined by commas, because then no name can be taken for a
 * setting. The policy's hash is over this text.
 */
#include <errno.h>
#include <string.h>

#include "parse.h"

void print_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

void print_name(FILE *f, const char *s)
{
	if (lex_is_word(s))
		fputs(s, f);
	else
		print_string(f, s);
}

void print_span(FILE *f, const struct policy_span *s)
{
	fprintf(f, "%d %s", s->n, unit_names[s->unit]);
}

void print_clock(FILE *f, int m)
{
	fprintf(f, "%02d:%02d", m / 60, m % 60);
}

static void print_permille(FILE *f, int v)
{
	fprintf(f, v % 10 ? "%d.%d%%" : "%d%%", v / 10, v % 10);
}

static void print_words(FILE *f, const struct word *w, const char *prefix)
{
	for (const char *sep = ""; w; w = w->next, sep = ", ") {
		fprintf(f, "%s%s", sep, prefix);
		if (w->s[0] == '@' && lex_is_word(w->s + 1)) /* a set among names */
			fputs(w->s, f);
		else
			print_name(f, w->s);
	}
}

static void print_numbers(FILE *f, const struct numbers *c)
{
	const char *sep = "";

	if (c->withheld) {
		fputs("withheld", f);
		sep = ", ";
	}
	for (const struct word *w = c->sets; w; w = w->next, sep = ", ")
		fprintf(f, "%s@%s", sep, w->s);
	for (size_t i = 0; i < c->n; i++, sep = ", ") {
		fputs(sep, f);
		pattern_print(f, &c->pat[i]);
	}
}

static void named(FILE *f, const char *indent, const char *kw, const struct word *w)
{
	fprintf(f, "%s%s ", indent, kw);
	print_words(f, w, "");
	fputc('\n', f);
}

static void text(FILE *f, const char *indent, const char *kw, const char *s)
{
	fprintf(f, "%s%s ", indent, kw);
	print_string(f, s);
	fputc('\n', f);
}

/* ---- controller, trunk, announcement, assessment ---- */

void print_c_numbers(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%snumbers ", indent);
	print_numbers(f, &((const struct controller *)obj)->numbers);
	fputc('\n', f);
}

void print_t_address(FILE *f, const void *obj, const char *indent)
{
	const char *sep = "";

	fprintf(f, "%saddress ", indent);
	for (const struct prefix *x = ((const struct trunk *)obj)->addr; x; x = x->next, sep = ", ")
		fprintf(f, "%s%s", sep, x->text);
	fputc('\n', f);
}

void print_t_country(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%scountry %s\n", indent, ((const struct trunk *)obj)->country);
}

void print_t_natdigits(FILE *f, const void *obj, const char *indent)
{
	const struct trunk *t = obj;

	if (t->nat_min == t->nat_max)
		fprintf(f, "%snational-digits %d\n", indent, t->nat_min);
	else
		fprintf(f, "%snational-digits %d-%d\n", indent, t->nat_min, t->nat_max);
}

void print_t_qheader(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%squeue-header %s\n", indent, ((const struct trunk *)obj)->queue_header);
}

void print_t_aheader(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%sagent-header %s\n", indent, ((const struct trunk *)obj)->agent_header);
}

void print_t_cheader(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%scorrelate-header %s\n", indent, ((const struct trunk *)obj)->correlate_header);
}

void print_a_elements(FILE *f, const void *obj, const char *indent)
{
	const struct announcement *a = obj;

	fprintf(f, "%selements", indent);
	for (int i = 0; i < EL_N; i++)
		if (a->elements & 1u << i)
			fprintf(f, " %s", element_names[i]);
	for (int i = 0; i < a->nkey; i++)
		fprintf(f, " key:%s", a->key[i]);
	for (int i = 0; i < a->noptout_key; i++)
		fprintf(f, " optout-key:%s", a->optout_key[i]);
	fputc('\n', f);
}

void print_a_text(FILE *f, const void *obj, const char *indent)
{
	const struct announcement *a = obj;

	if (a->text_file)
		named(f, indent, "text file", a->text_file);
	else
		text(f, indent, "text", a->text);
}

void print_a_audio(FILE *f, const void *obj, const char *indent)
{
	named(f, indent, "audio file", ((const struct announcement *)obj)->audio_files);
}

void print_a_menu(FILE *f, const void *obj, const char *indent)
{
	const struct announcement *a = obj;

	fprintf(f, "%smenu-keys", indent);
	for (int i = 0; i < a->nmenu; i++)
		fprintf(f, "%s %s", i ? "," : "", a->menu[i]);
	fputc('\n', f);
}

void print_as_file(FILE *f, const void *obj, const char *indent)
{
	named(f, indent, "file", ((const struct assessment *)obj)->file);
}

void print_as_factor(FILE *f, const void *obj, const char *indent)
{
	const struct assessment *a = obj;

	for (int i = 0; i < 6; i++) {
		if (!a->factor[i])
			continue;
		fprintf(f, "%sfactor %d %s ", indent, i + 1, factor_names[a->factor[i]]);
		print_string(f, a->factor_text[i]);
		fputc('\n', f);
	}
}

/* ---- purpose blocks ---- */

void print_b_basis(FILE *f, const void *obj, const char *indent)
{
	const struct policy_block *b = ((const struct block *)obj)->pub;

	fprintf(f, "%sbasis %s", indent, basis_names[b->basis]);
	if (b->statute) {
		fputc(' ', f);
		print_string(f, b->statute);
	}
	fputc('\n', f);
}

void print_b_assessment(FILE *f, const void *obj, const char *indent)
{
	named(f, indent, "assessment", ((const struct block *)obj)->assessment);
}

void print_b_special(FILE *f, const void *obj, const char *indent)
{
	const struct block *b = obj;

	fprintf(f, "%sspecial-circumstances", indent);
	if (b->pub->special_ground) {
		fputc(' ', f);
		print_string(f, b->pub->special_ground);
	}
	if (b->special_assessment) {
		fputs(" assessment ", f);
		print_name(f, b->special_assessment->s);
	}
	fputc('\n', f);
}

void print_b_consent_source(FILE *f, const void *obj, const char *indent)
{
	const struct block *b = obj;

	if (b->consent_api)
		fprintf(f, "%sconsent-source api\n", indent);
	if (b->consent_header) {
		fprintf(f, "%sconsent-source header %s = ", indent, b->consent_header);
		print_name(f, b->consent_value);
		fputc('\n', f);
	}
}

void print_b_withdraw(FILE *f, const void *obj, const char *indent)
{
	const struct policy_block *b = ((const struct block *)obj)->pub;

	fprintf(f, "%swithdraw-key %s%s\n", indent, b->withdraw_key,
		b->withdraw_any_time ? " any-time" : "");
}

static void print_keys(FILE *f, const char *indent, const char *kw, const char (*k)[POLICY_KEY_MAX])
{
	if (!**k)
		return;
	fprintf(f, "%s%s ", indent, kw);
	for (int i = 0; i < POLICY_KEYS_MAX && *k[i]; i++)
		fprintf(f, "%s%s", i ? ", " : "", k[i]);
	fputc('\n', f);
}

void print_b_optout(FILE *f, const void *obj, const char *indent)
{
	const struct block *b = obj;

	print_keys(f, indent, "opt-out key", (const char(*)[POLICY_KEY_MAX])b->pub->optout_key);
	print_keys(f, indent, "opt-out agent key",
		   (const char(*)[POLICY_KEY_MAX])b->pub->optout_agent_key);
	if (b->pub->optout_agent_api)
		fprintf(f, "%sopt-out agent api\n", indent);
	if (b->pub->optout_agent_header) {
		fprintf(f, "%sopt-out agent header %s", indent, b->optout_header);
		if (b->optout_value) {
			fputs(" = ", f);
			print_name(f, b->optout_value);
		}
		fputc('\n', f);
	}
}

void print_b_on_optout(FILE *f, const void *obj, const char *indent)
{
	const struct policy_block *b = ((const struct block *)obj)->pub;

	fprintf(f, "%son-opt-out ", indent);
	if (b->callback_unrecorded.n) {
		fputs("callback-unrecorded ", f);
		print_span(f, &b->callback_unrecorded);
	} else {
		fputs("stop", f);
	}
	fputc('\n', f);
}

void print_b_window(FILE *f, const void *obj, const char *indent)
{
	const struct policy_window *w = &((const struct block *)obj)->pub->window;

	fprintf(f, "%swindow %s+%ds to %s+%ds%s\n", indent,
		w->from_answer ? "answer" : "notice-start", w->from_s,
		w->from_answer ? "answer" : "notice-end", w->to_s,
		w->reopen_agent ? " reopen agent" : "");
}

void print_b_leg(FILE *f, const void *obj, const char *indent)
{
	(void)obj;
	fprintf(f, "%sleg subject\n", indent);
}

void print_b_seed(FILE *f, const void *obj, const char *indent)
{
	(void)obj;
	fprintf(f, "%ssample-seed daily\n", indent);
}

void print_b_dtmf(FILE *f, const void *obj, const char *indent)
{
	unsigned d = ((const struct block *)obj)->pub->dtmf;

	fprintf(f, "%sdtmf%s%s%s\n", indent, d & POLICY_DTMF_RFC4733 ? " rfc4733" : "",
		d & POLICY_DTMF_INFO ? " info" : "", d & POLICY_DTMF_INBAND ? " inband" : "");
}

void print_b_cap(FILE *f, const void *obj, const char *indent)
{
	static const char *const of[] = {"", "per queue ", "per agent "};
	const struct policy_block *b = ((const struct block *)obj)->pub;

	for (int i = 0; i < b->ncap; i++)
		fprintf(f, "%scap %d %sper %s\n", indent, b->cap[i].n, of[b->cap[i].of],
			per_names[b->cap[i].per]);
}

void print_b_use_target(FILE *f, const void *obj, const char *indent)
{
	const struct block *b = obj;

	fprintf(f, "%suse-target %d%%", indent, b->pub->use_target_percent);
	if (b->throttle_percent)
		fprintf(f, " throttle %d.%02d", b->throttle_percent / 100,
			b->throttle_percent % 100);
	if (b->floor)
		fprintf(f, " floor %d", b->floor);
	fputc('\n', f);
}

void print_b_retention(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%sretention ", indent);
	print_span(f, &((const struct block *)obj)->pub->retention);
	fputc('\n', f);
}

void print_b_reason(FILE *f, const void *obj, const char *indent)
{
	const struct block *b = obj;

	fprintf(f, "%sretention-reason", indent);
	if (b->reason) {
		fputc(' ', f);
		print_string(f, b->reason);
	}
	if (b->reason_assessment) {
		fputs(" assessment ", f);
		print_name(f, b->reason_assessment->s);
	}
	fputc('\n', f);
}

void print_b_review(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%sreview every ", indent);
	print_span(f, &((const struct block *)obj)->pub->review_every);
	fputc('\n', f);
}

void print_b_not_needed(FILE *f, const void *obj, const char *indent)
{
	const struct block *b = obj;

	if (*b->not_needed_key)
		fprintf(f, "%snot-needed key %s\n", indent, b->not_needed_key);
	else
		fprintf(f, "%snot-needed %s\n", indent,
			b->not_needed_api    ? "api"
			: b->pub->not_needed ? "yes"
					     : "no");
}

void print_b_worm(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%sworm %s\n", indent,
		((const struct block *)obj)->pub->worm ? "immutable-until deadline" : "none");
}

/* ---- rule ---- */

void print_r_controller(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;

	fprintf(f, "%scontroller ", indent);
	print_name(f, r->controller->s);
	fprintf(f, " side %s\n", r->pub.side == POLICY_SIDE_CALLED ? "called" : "calling");
}

void print_r_called(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%scalled ", indent);
	print_numbers(f, &((const struct rule *)obj)->called);
	fputc('\n', f);
}

void print_r_calling(FILE *f, const void *obj, const char *indent)
{
	fprintf(f, "%scalling ", indent);
	print_numbers(f, &((const struct rule *)obj)->calling);
	fputc('\n', f);
}

static void print_headers(FILE *f, const struct rule *r, int which, const char *indent)
{
	static const char *const kw[] = {"header ", "queue", "agent"};
	static const char *const op[] = {" = ", " prefix ", " one-of @", " present"};

	for (const struct header_crit *h = r->headers; h; h = h->next) {
		if (h->which != which)
			continue;
		fprintf(f, "%s%s%s%s", indent, kw[which], which == H_HEADER ? h->name : "",
			op[h->op]);
		if (h->value && h->op == OP_ONE_OF)
			fputs(h->value->s, f);
		else if (h->value)
			print_name(f, h->value->s);
		fputc('\n', f);
	}
}

void print_r_header(FILE *f, const void *obj, const char *indent)
{
	print_headers(f, obj, H_HEADER, indent);
}

void print_r_queue(FILE *f, const void *obj, const char *indent)
{
	print_headers(f, obj, H_QUEUE, indent);
}

void print_r_agent(FILE *f, const void *obj, const char *indent)
{
	print_headers(f, obj, H_AGENT, indent);
}

static void print_days(FILE *f, unsigned bits)
{
	static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	int first = 0, last;

	if (bits == 0x7f) {
		fputs("mon-sun", f);
		return;
	}
	while (!(bits & 1u << first) || bits & 1u << (first + 6) % 7)
		first++;
	for (last = first; bits & 1u << (last + 1) % 7; last = (last + 1) % 7)
		;
	fputs(names[first], f);
	if (last != first)
		fprintf(f, "-%s", names[last]);
}

void print_r_time(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;
	const char *sep = "";

	fprintf(f, "%stime ", indent);
	for (const struct time_item *i = r->time; i; i = i->next, sep = ", ") {
		bool whole = i->from == 0 && i->to == 1440;

		fputs(sep, f);
		if (i->holidays) {
			fprintf(f, "@%s", i->holidays->s);
			continue;
		}
		if (i->days != 0x7f || whole)
			print_days(f, i->days);
		if (whole)
			continue;
		if (i->days != 0x7f)
			fputc(' ', f);
		print_clock(f, i->from);
		fputc('-', f);
		print_clock(f, i->to > 1440 ? i->to - 1440 : i->to);
	}
	if (r->time_except)
		fprintf(f, " except @%s", r->time_except->s);
	fputc('\n', f);
}

void print_r_media(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;

	if (r->codecs)
		named(f, indent, "media codec", r->codecs);
	if (r->encrypted)
		fprintf(f, "%smedia encrypted %s\n", indent, r->encrypted == 2 ? "yes" : "no");
}

void print_r_proof(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;

	fprintf(f, "%snotice-proof %s", indent, proof_names[r->pub.proof]);
	if (r->pub.proof == POLICY_PROOF_HEADER) {
		fprintf(f, " %s = ", r->pub.proof_header);
		print_name(f, r->pub.proof_value);
	}
	fputc('\n', f);
}

void print_r_on_missing(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;

	fprintf(f, "%son-missing-notice %s", indent, missing_names[r->pub.on_missing_notice]);
	if (r->pub.on_missing_notice == POLICY_MISSING_QUARANTINE && r->pub.quarantine.n) {
		fputc(' ', f);
		print_span(f, &r->pub.quarantine);
	}
	fputc('\n', f);
}

void print_r_sms(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;

	fprintf(f, "%ssms ", indent);
	print_name(f, r->sms);
	if (r->sms_timeout.n) {
		fputs(" timeout ", f);
		print_span(f, &r->sms_timeout);
	}
	fputc('\n', f);
}

static void print_table(FILE *f, const struct table *t, const void *obj, const char *indent);

static void print_block(FILE *f, const struct block *b, const char *indent)
{
	fprintf(f, "%s%s {\n", indent, purpose_names[b->purpose]);
	print_table(f, &block_table, b, "\t\t");
	fprintf(f, "%s}\n", indent);
}

void print_r_documentation(FILE *f, const void *obj, const char *indent)
{
	print_block(f, &((const struct rule *)obj)->block[POLICY_DOCUMENTATION], indent);
}

void print_r_training(FILE *f, const void *obj, const char *indent)
{
	print_block(f, &((const struct rule *)obj)->block[POLICY_TRAINING], indent);
}

void print_r_sensitive(FILE *f, const void *obj, const char *indent)
{
	for (const struct sensitive *s = ((const struct rule *)obj)->sensitive; s; s = s->next) {
		fprintf(f, "%ssensitive %s", indent, s->category);
		if (s->basis && !s->purpose_basis[0] && !s->purpose_basis[1]) {
			fputs(" basis ", f);
			print_string(f, s->basis);
		} else if (s->basis || s->purpose_basis[0] || s->purpose_basis[1]) {
			fputs(" {\n", f);
			if (s->basis)
				text(f, "\t\t", "basis", s->basis);
			for (int i = 0; i < POLICY_PURPOSES; i++) {
				if (!s->purpose_basis[i])
					continue;
				fprintf(f, "\t\tbasis %s ", purpose_names[i]);
				print_string(f, s->purpose_basis[i]);
				fputc('\n', f);
			}
			fprintf(f, "%s}", indent);
		}
		fputc('\n', f);
	}
}

void print_r_pause(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;

	if (r->pause_api)
		fprintf(f, "%spause api\n", indent);
	if (r->pause_header) {
		fprintf(f, "%spause header %s", indent, r->pause_header);
		if (r->pause_value) {
			fputs(" = ", f);
			print_name(f, r->pause_value);
		}
		fputc('\n', f);
	}
}

void print_r_pause_max(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;

	fprintf(f, "%spause-max ", indent);
	print_span(f, &r->pub.pause_max);
	fputs(r->pause_end == 2 ? " stop\n" : r->pause_end == 1 ? " resume\n" : "\n", f);
}

void print_r_exclude(FILE *f, const void *obj, const char *indent)
{
	static const char *const words[] = {"none", "subject", "agent"};

	fprintf(f, "%sexclude-leg %s\n", indent,
		words[((const struct rule *)obj)->pub.exclude_leg + 1]);
}

void print_r_roles(FILE *f, const void *obj, const char *indent)
{
	for (const struct role *x = ((const struct rule *)obj)->roles; x; x = x->next) {
		fprintf(f, "%sroles %s ", indent, purpose_names[x->purpose]);
		print_words(f, x->names, "");
		fputc('\n', f);
	}
}

void print_r_play_reason(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;

	fprintf(f, "%splay-reason %s", indent, r->play_reason_off ? "optional" : "required");
	if (r->play_reason_min)
		fprintf(f, " min %d", r->play_reason_min);
	fputc('\n', f);
}

void print_r_keys(FILE *f, const void *obj, const char *indent)
{
	const struct rule *r = obj;

	fprintf(f, "%skeys", indent);
	if (r->per_leg)
		fprintf(f, " per-leg %s", r->per_leg == 1 ? "yes" : "no");
	if (r->key_ring) {
		fputs(" ring ", f);
		print_name(f, r->key_ring);
	}
	if (r->key_bucket)
		fprintf(f, " bucket %s", r->key_bucket);
	fputc('\n', f);
}

void print_r_alarm(FILE *f, const void *obj, const char *indent)
{
	named(f, indent, "alarm", ((const struct rule *)obj)->alarm);
}

/* ---- by the table ---- */

static void print_seconds(FILE *f, int s)
{
	fprintf(f, "%d s", s);
}

static void print_setting(FILE *f, const struct setting *s, const void *obj, const char *indent)
{
	static const char *const yesno[] = {"no", "yes"};
	const char *at = (const char *)obj + s->off;

	if (s->kind == K_FUNC) {
		s->print(f, obj, indent);
		return;
	}
	fprintf(f, "%s%s ", indent, s->name);
	switch (s->kind) {
	case K_YESNO:
		fputs(yesno[*(const bool *)at], f);
		break;
	case K_BOOL:
		fputs(s->words[*(const bool *)at], f);
		break;
	case K_ENUM:
		fputs(s->words[*(const int *)at], f);
		break;
	case K_SPAN:
		print_span(f, (const struct policy_span *)at);
		break;
	case K_SECONDS:
		print_seconds(f, *(const int *)at);
		break;
	case K_INT:
		fprintf(f, "%d", *(const int *)at);
		break;
	case K_PERMILLE:
		print_permille(f, *(const int *)at);
		break;
	case K_PERCENT:
		fprintf(f, "%d%%", *(const int *)at);
		break;
	case K_STRING:
		print_string(f, *(const char *const *)at);
		break;
	case K_NAME:
		print_name(f, *(const char *const *)at);
		break;
	case K_DATE:
		fprintf(f, "%04d-%02d-%02d", ((const struct policy_date *)at)->year,
			((const struct policy_date *)at)->month,
			((const struct policy_date *)at)->day);
		break;
	case K_KEY:
		fputs(at, f);
		break;
	case K_WORDS:
		print_words(f, *(struct word *const *)at, "");
		break;
	case K_SETS:
		print_words(f, *(struct word *const *)at, "@");
		break;
	case K_FUNC:
		break;
	}
	fputc('\n', f);
}

static void print_table(FILE *f, const struct table *t, const void *obj, const char *indent)
{
	const struct pos *at = (const struct pos *)((const char *)obj + t->at_off);

	/* A purpose block knows its settings through pub; offsets of the table are into it. */
	for (int i = 0; i < t->n; i++)
		if (at[i].line)
			print_setting(f, &t->s[i],
				      t == &block_table && t->s[i].kind != K_FUNC
					      ? (const void *)((const struct block *)obj)->pub
					      : obj,
				      indent);
}

void table_print_setting(FILE *f, const struct table *t, int id, const void *obj)
{
	print_setting(f, &t->s[id],
		      t == &block_table && t->s[id].kind != K_FUNC ? (const void *)((const struct block *)obj)->pub : obj, "");
}

void rule_print_setting(FILE *f, const struct rule *r, int id, const char *indent)
{
	print_setting(f, &rule_table.s[id], r, indent);
}

static void print_head(FILE *f, const char *what, const char *name)
{
	fputs(what, f);
	if (name) {
		fputc(' ', f);
		print_name(f, name);
	}
	fputs(" {\n", f);
}

static void print_objects(FILE *f, const struct list *l, const struct table *t, const char *what)
{
	for (const struct obj *o = l->first; o; o = o->next) {
		print_head(f, what, o->name);
		print_table(f, t, o, "\t");
		fputs("}\n", f);
	}
}

void set_print(FILE *f, const struct set *s)
{
	fputs("set ", f);
	print_name(f, s->o.name);
	fprintf(f, "%s %s%s {\n", s->dynamic ? " dynamic" : "", set_kind_names[s->kind],
		s->sensitive ? " sensitive" : "");
	for (size_t i = 0; i < s->numbers.n; i++) {
		putc_unlocked('\t', f);
		pattern_print(f, &s->numbers.pat[i]);
		putc_unlocked('\n', f);
	}
	for (const struct word *w = s->words; w; w = w->next) {
		fputc('\t', f);
		print_name(f, w->s);
		fputc('\n', f);
	}
	for (size_t i = 0; i < s->ndates; i++)
		fprintf(f, "\t%04d-%02d-%02d\n", s->dates[i].year, s->dates[i].month,
			s->dates[i].day);
	fputs("}\n", f);
}

int policy_print(FILE *f, const struct policy *p)
{
	print_objects(f, &p->controllers, &controller_table, "controller");
	print_objects(f, &p->trunks, &trunk_table, "trunk");
	for (const struct obj *o = p->sets.first; o; o = o->next)
		set_print(f, (const struct set *)o);
	print_objects(f, &p->announcements, &announcement_table, "announcement");
	print_objects(f, &p->assessments, &assessment_table, "assessment");
	if (p->defaults) {
		print_head(f, "defaults", NULL);
		print_table(f, &rule_table, p->defaults, "\t");
		fputs("}\n", f);
	}
	for (int never = 1; never >= 0; never--)
		for (const struct obj *o = (never ? &p->nevers : &p->rules)->first; o;
		     o = o->next) {
			fputs(never ? "never " : "rule ", f);
			print_string(f, o->name);
			fputs(" {\n", f);
			print_table(f, &rule_table, o, "\t");
			fputs("}\n", f);
		}
	if (ferror(f))
		return -EIO;
	return 0;
}
