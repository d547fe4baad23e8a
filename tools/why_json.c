/* SPDX-License-Identifier: BSD-2-Clause */
/* why_json.c - `optag why --json`: one object, see why.h and optag-why(1) */
#include <string.h>

#include "why.h"

static void set(json_t *o, const char *key, json_t *v)
{
	(void)json_object_set_new(o, key, v); /* without memory cli_json_line tells */
}

static json_t *word(const char *s)
{
	return s && *s ? cli_json_str(s) : json_null();
}

static json_t *hex(const uint8_t *p, size_t n)
{
	char t[2 * POLICY_TEXT_HASH + 1];

	for (size_t i = 0; i < n; i++)
		snprintf(t + 2 * i, 3, "%02x", p[i]);
	return json_string(t);
}

static json_t *policy_json(const struct why *w)
{
	json_t *o = json_object();

	set(o, "hash", word(w->hash));
	set(o, "file", word(w->policy ? w->policy_file : NULL));
	set(o, "since",
	    cli_json_time(w->policy_since > 0 ? (uint64_t)w->policy_since * 1000000000 : 0));
	return o;
}

static json_t *assessments(const struct why *w)
{
	json_t *v = json_array();

	for (int p = 0; w->rule && p < POLICY_PURPOSES; p++) {
		const char *const id[] = {w->rule->purpose[p].assessment,
					  w->rule->purpose[p].special_assessment};

		for (size_t i = 0; i < 2; i++) {
			struct policy_assessment a;
			json_t *o;

			if (policy_assessment(w->policy, id[i], &a))
				continue;
			o = json_object();
			set(o, "purpose", json_string(store_purpose_names[p]));
			set(o, "id", word(a.id));
			set(o, "kind", word(a.kind));
			set(o, "hash", hex(a.hash, sizeof(a.hash)));
			set(o, "file", word(a.file));
			(void)json_array_append_new(v, o);
		}
	}
	return v;
}

/* Of which one was played, and nothing says which. */
static json_t *among(const struct evlog_event *e)
{
	json_t *v = json_array();

	for (unsigned i = 0; e && i < e->namong; i++) {
		const struct evlog_among *a = &e->among[i];
		json_t *o = json_object();

		set(o, "name", word(a->notice));
		set(o, "version", word(a->version));
		set(o, "language", word(a->language));
		set(o, "content", a->has_content ? hex(a->content, sizeof(a->content)) : json_null());
		(void)json_array_append_new(v, o);
	}
	return v;
}

static json_t *announcement(const struct why *w)
{
	const struct evlog_event *e = why_event(w, EVLOG_NOTICE_PLAYED, -1);
	const struct policy_notice *n = e ? why_notice(w, e) : NULL;
	uint8_t hash[POLICY_TEXT_HASH];
	json_t *o = json_object();

	set(o, "proven", json_boolean(e));
	set(o, "how", word(e ? e->reason : NULL));
	/* as the log has it; logs of before have not got it */
	set(o, "name", word(e && e->notice ? e->notice : n ? n->name : NULL));
	set(o, "version", word(e && e->version ? e->version : n ? n->version : NULL));
	set(o, "language", word(e && e->language ? e->language : n ? n->language : NULL));
	set(o, "content", e && e->notice && e->has_content ? hex(e->content, sizeof(e->content)) : json_null());
	set(o, "among", among(e));
	set(o, "hash",
	    n && !policy_announcement_hash(w->policy, n->name, hash) ? hex(hash, sizeof(hash))
								     : json_null());
	return o;
}

static json_t *purpose(const struct why *w, int p)
{
	const struct policy_block *b = w->rule ? &w->rule->purpose[p] : NULL;
	const struct why_word *r = why_reason(w->reason[p]);
	json_t *o = json_object();

	set(o, "state",
	    w->has_row || w->replayed ? json_string(purpose_state_name(w->state[p])) : json_null());
	set(o, "basis",
	    b && b->basis != POLICY_B_NONE ? json_string(why_basis(b->basis)) : json_null());
	set(o, "reason", word(w->reason[p]));
	set(o, "because", word(*w->reason[p] ? r->text : NULL));
	set(o, "statement", word(*w->reason[p] ? r->source : NULL));
	set(o, "needed", why_live(w->state[p]) || !*w->reason[p] ? json_null() : word(r->needed));
	set(o, "until", cli_json_time(w->until_ns[p]));
	set(o, "key_of_day_destroyed", cli_json_time(w->bucket_gone_ns[p]));
	return o;
}

static json_t *hold_json(const struct why *w)
{
	const struct hold *x = &w->hold;
	char day[16];
	json_t *o;

	if (!w->held)
		return json_null();
	o = json_object();
	snprintf(day, sizeof(day), "%04u-%02u-%02u", x->review / 10000 % 10000, x->review / 100 % 100, x->review % 100);
	set(o, "since", cli_json_time(x->at_ns));
	set(o, "by", word(x->by.name));
	set(o, "uid", json_integer(x->by.uid));
	set(o, "reason", word(x->reason));
	set(o, "reference", word(x->reference));
	set(o, "review", json_string(day));
	set(o, "release_asked", cli_json_time(x->asked_ns));
	set(o, "release_by", x->asked_ns ? word(x->asker.name) : json_null());
	return o;
}

/* A call.link's data is the other one's identifier. */
static const char *other_call(const struct evlog_event *e, char id[UID_TEXT])
{
	struct uid u;

	memcpy(u.b, e->data, sizeof(u.b));
	uid_format(&u, id);
	return id;
}

static json_t *event(const struct why *w, const struct evlog_line *l)
{
	char id[UID_TEXT];
	json_t *o = json_object();
	const char *src;
	char text[320];

	why_phrase(w, &l->e, text, sizeof(text), &src);
	set(o, "seq", json_integer((json_int_t)l->seq));
	set(o, "time", cli_json_time(l->e.time_ns));
	set(o, "event", json_string(evlog_kind_name(l->e.kind)));
	set(o, "purpose", word(evlog_purpose_name(l->e.purpose)));
	set(o, "source", word(evlog_source_name(l->e.source)));
	set(o, "reason", word(l->e.reason));
	set(o, "who", word(l->e.who));
	set(o, "press", word(l->e.press));
	set(o, "notice", word(l->e.notice));
	set(o, "language", word(l->e.language));
	set(o, "version", word(l->e.version));
	set(o, "among", among(&l->e));
	set(o, "basis", word(l->e.basis));
	set(o, "assessment", word(l->e.assessment));
	set(o, "content", l->e.has_content ? hex(l->e.content, sizeof(l->e.content)) : json_null());
	set(o, "other_call", word(l->e.kind == EVLOG_CALL_LINK && l->e.has_data ? other_call(&l->e, id) : NULL));
	set(o, "text", cli_json_str(text));
	set(o, "statement", word(src));
	return o;
}

static json_t *draw(const struct why *w)
{
	json_t *o;

	if (!w->has_draw)
		return json_null();
	o = json_object();
	set(o, "draw", json_integer(w->draw.draw));
	set(o, "threshold", json_integer((json_int_t)w->draw.threshold));
	set(o, "why", json_string(sample_why_name(w->draw.why)));
	set(o, "file", json_string(w->draw_file));
	set(o, "line", json_integer((json_int_t)w->draw_line));
	return o;
}

static json_t *leg(const struct store_leg_figures *l, const char *name)
{
	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I}", "leg", name, "codec",
			 word(l->format.name), "packets", (json_int_t)l->packets, "blocked",
			 (json_int_t)l->blocked, "lost", (json_int_t)l->lost, "audio_ms",
			 (json_int_t)l->audio_ms, "events", (json_int_t)l->events);
}

static void of_row(const struct why *w, json_t *o)
{
	const struct store_row *r = &w->row;
	json_t *v = json_array();

	set(o, "sip_call_id", w->has_row ? cli_json_str(r->sip_call_id) : json_null());
	set(o, "start", cli_json_time(w->has_row ? r->start_ns : uid_time_ms(&w->uid) * 1000000));
	set(o, "answer", cli_json_time(w->has_row ? r->answer_ns : 0));
	set(o, "end_time", cli_json_time(w->has_row ? r->end_ns : 0));
	set(o, "end", word(w->has_row ? r->end : NULL));
	set(o, "outcome", w->has_row ? json_string(store_outcome_names[r->outcome]) : json_null());
	set(o, "gap", word(w->has_row ? r->gap : NULL));
	set(o, "grounds", json_boolean(w->has_row && r->grounds));
	set(o, "scenario", word(w->has_row ? r->scenario : w->rule ? w->rule->scenario : NULL));
	for (int i = 0; w->has_row && i < 2; i++)
		(void)json_array_append_new(v, leg(&r->leg[i], i ? "callee" : "caller"));
	set(o, "legs", v);
}

int why_json(const struct why *w)
{
	json_t *o = json_object(), *p = json_object(), *ev = json_array(), *faults = json_array();

	set(o, "call", json_string(w->id));
	of_row(w, o);
	set(o, "rule", word(w->rule_name));
	set(o, "controller", word(w->controller));
	set(o, "policy", policy_json(w));
	set(o, "rules", why_rules_json(w));
	set(o, "assessments", assessments(w));
	set(o, "announcement", announcement(w));
	for (int i = 0; i < POLICY_PURPOSES; i++)
		set(p, store_purpose_names[i], purpose(w, i));
	set(o, "purposes", p);
	set(o, "hold", hold_json(w));
	set(o, "draw", draw(w));
	for (size_t i = 0; i < w->nev; i++)
		(void)json_array_append_new(ev, event(w, &w->ev[i]));
	set(o, "events", ev);
	set(o, "calculated_again", json_boolean(w->replayed));
	for (size_t i = 0; i < w->nfault; i++)
		(void)json_array_append_new(faults, cli_json_str(w->fault[i]));
	set(o, "disagreements", faults);
	return cli_json_line(stdout, o);
}
