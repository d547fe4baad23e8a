/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_change.c - what people do to the running policy beside editing files: apply, confirm, roll back, propose,
 * approve, stop a rule and start it; see policies.h
 *
 * A stop takes effect at once and is written meanwhile. Everything else is in the history first. ps->hist is what
 * the history says, so that the daemon after this one knows what this one did.
 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/phone.h"
#include "policies_internal.h"

#define REFUSED_SAY_NS (10 * NS_PER_S)

#define CONFIRM_MAX_S	86400
#define EFFECTIVE_MAX_S (90 * 86400)
#define PROPOSE_S	(7 * 86400)
#define AGAIN_NS	(60 * NS_PER_S) /* a revert that failed is tried again */

static int refuse(char *why, size_t n, int e, const char *text)
{
	snprintf(why, n, "%s", text);
	return e;
}

/* ---- what requests hold ---- */

int policies_words(const json_t *rq, struct polhist_line *note, char *why, size_t n)
{
	const char *reason = json_string_value(json_object_get(rq, "reason")), *ticket = json_string_value(json_object_get(rq, "ticket"));

	if (note->what == POLHIST_STOP && !json_object_get(rq, "reason"))
		reason = ""; /* in an emergency nobody is asked why */
	else if (!reason || !polhist_text_ok(reason, sizeof(note->reason)))
		return refuse(why, n, -EINVAL, "a change needs a reason: up to 200 bytes on one line");
	if (json_object_get(rq, "ticket") && (!ticket || !polhist_text_ok(ticket, sizeof(note->ticket))))
		return refuse(why, n, -EINVAL, "a ticket is up to 64 bytes on one line");
	if (phone_in(reason, strlen(reason), NULL))
		return refuse(why, n, -EINVAL, "the reason: " PHONE_REFUSED);
	if (ticket && phone_in(ticket, strlen(ticket), NULL))
		return refuse(why, n, -EINVAL, "the ticket: " PHONE_REFUSED);
	snprintf(note->reason, sizeof(note->reason), "%s", reason);
	snprintf(note->ticket, sizeof(note->ticket), "%s", ticket ? ticket : "");
	return 0;
}

static int get_hash(const json_t *rq, const char *name, char out[65], char *why, size_t n)
{
	const char *hash = json_string_value(json_object_get(rq, name));
	bool ok = hash && strlen(hash) == 64 && strspn(hash, "0123456789abcdef") == 64;

	if (ok)
		memcpy(out, hash, 65);
	return ok ? 0 : refuse(why, n, -EINVAL, "the hash of the policy is missing");
}

/* Seconds; 0 when it is not there. */
static int get_span(const json_t *rq, const char *name, json_int_t max, uint64_t *ret_ns, char *why, size_t n)
{
	const json_t *v = json_object_get(rq, name);
	json_int_t s = json_integer_value(v);

	*ret_ns = 0;
	if (v && (!json_is_integer(v) || s < 1 || s > max)) {
		snprintf(why, n, "%s is 1 to %lld", name, (long long)max);
		return -EINVAL;
	}
	*ret_ns = (uint64_t)s * NS_PER_S;
	return 0;
}

json_t *policies_line_json(const struct polhist_line *l)
{
	json_t *o = json_object();

	json_object_set_new(o, "n", json_integer((json_int_t)l->n));
	json_object_set_new(o, "at", policies_when(l->at_ns));
	json_object_set_new(o, "what", json_string(polhist_what_name(l->what)));
	if (l->how)
		json_object_set_new(o, "how", json_string(polhist_how_name(l->how)));
	json_object_set_new(o, "policy", json_string(l->policy));
	if (*l->was)
		json_object_set_new(o, "was", json_string(l->was));
	json_object_set_new(o, "uid", l->uid < 0 ? json_null() : json_integer(l->uid));
	if (l->until_ns)
		json_object_set_new(o, "until", policies_when(l->until_ns));
	if (l->what == POLHIST_LOAD || l->what == POLHIST_PROPOSE || l->what == POLHIST_STAGE) {
		json_object_set_new(o, "tightens", json_integer(l->change[POLICY_TIGHTEN]));
		json_object_set_new(o, "shortens", json_integer(l->change[POLICY_SHORTEN]));
		json_object_set_new(o, "loosens", json_integer(l->change[POLICY_LOOSEN]));
	}
	if (*l->rule)
		json_object_set_new(o, "rule", json_string(l->rule));
	if (*l->set)
		json_object_set_new(o, "set", json_string(l->set));
	if (*l->approver)
		json_object_set_new(o, "approver", json_string(l->approver));
	if (*l->reason)
		json_object_set_new(o, "reason", json_string(l->reason));
	if (*l->ticket)
		json_object_set_new(o, "ticket", json_string(l->ticket));
	return o;
}

/* What was asked for and may still come: of the policy that runs, in time, not in force yet. */
static bool open_proposal(const struct policies *ps, const struct polhist_line *l)
{
	return l->until_ns > clock_later_ns(clock_now_ns()) && !strcmp(l->was, policy_hash(ps->now->p)) && polhist_proposal(ps->hist, l->policy) == l &&
	       (!*l->rule || polhist_stop(ps->hist, l->rule)) && (!*l->set || policies_wish(ps, l->policy));
}

void policies_change_status(const struct policies *ps, json_t *o)
{
	const struct polhist_state *h = ps->hist;
	json_t *stopped = json_array(), *proposed = json_array();

	json_object_set_new(o, "history", json_integer((json_int_t)h->n));
	if (!h->confirmed)
		json_object_set_new(o, "confirm_until", policies_when(h->now.until_ns));
	if (h->stage.n)
		json_object_set_new(o, "staged", policies_line_json(&h->stage));
	for (size_t i = 0; i < h->nstop; i++)
		json_array_append_new(stopped, policies_line_json(&h->stop[i]));
	json_object_set_new(o, "stopped", stopped);
	for (size_t i = 0; i < h->nproposal; i++)
		if (open_proposal(ps, &h->proposal[i]))
			json_array_append_new(proposed, policies_line_json(&h->proposal[i]));
	json_object_set_new(o, "proposed", proposed);
	json_object_set_new(o, "approval", json_boolean(ps->set.approval.loosening));
	if (*ps->alarm)
		json_object_set_new(o, "alarm", json_string(ps->alarm));
}

bool policies_is_approver(const struct policies *ps, uid_t uid)
{
	for (size_t i = 0; i < ps->set.approval.n; i++)
		if (ps->set.approval.approver[i].uid == (int64_t)uid)
			return true;
	return false;
}

/* ---- what follows when it is written ---- */

void policies_noted(struct policies *ps, struct job *j)
{
	int e = polhist_apply(ps->hist, &j->note);

	if (e) /* stops are counted before; nothing else can be too many */
		log_err("policy history: line %" PRIu64 " has no room", j->note.n);
	if (ps->set.done)
		ps->set.done(ps->set.arg, &j->note, j->note_hash);
}

static json_t *answer_of(const struct policies *ps, const struct job *j)
{
	json_t *o = policies_line_json(&j->note);

	json_object_set_new(o, "running", json_string(policy_hash(ps->now->p)));
	if (j->kind == JOB_PROPOSE || j->kind == JOB_STAGE)
		json_object_set_new(o, "stored_calls", json_integer((json_int_t)j->stored.calls));
	return o;
}

static void log_note(const struct job *j)
{
	const struct polhist_line *l = &j->note;

	log_notice("policy.%s: policy %.12s, by uid %u%s%s", polhist_what_name(l->what), l->policy, (unsigned)j->uid,
		   *l->approver ? ", signed by " : "", l->approver);
}

static void piece(struct policies *ps, struct job *j)
{
	char why[128] = "";
	json_t *o = j->err ? NULL : policies_text_json(j, why, sizeof(why));

	policies_tell(ps, j->client, j->err ? j->err : o ? 0 : -EINVAL, j->err ? j->why : why, o);
}

bool policies_changed(struct policies *ps, struct job *j)
{
	json_t *o = NULL;

	if (j->kind == JOB_TEXT) {
		piece(ps, j);
		return false;
	}
	if (j->kind == JOB_PAGE) {
		policies_tell(ps, j->client, j->err, j->why, json_incref(j->answer));
		return false;
	}
	if (j->kind == JOB_PROPOSE || j->kind == JOB_STAGE)
		ps->loading = false;
	if (j->note.what == POLHIST_CONFIRM)
		ps->timing = false;
	if (!j->err && j->same) {
		j->err = -EALREADY;
		snprintf(j->why, sizeof(j->why), "policy %.12s is in force already", policy_hash(ps->now->p));
	}
	if (j->noted) {
		policies_noted(ps, j);
		log_note(j);
	}
	if (!j->err && j->note.what == POLHIST_STOP) { /* answered when all calls were seen */
		policies_sweep(ps);
		j->same = true;
		j->next = ps->swept;
		ps->swept = j;
		return true;
	}
	if (j->err && j->note.what == POLHIST_STOP)
		log_err("a rule is stopped, but runs again after the next start: %s", j->why);
	if (!j->err)
		o = answer_of(ps, j);
	policies_tell(ps, j->client, j->err, j->why, o);
	policies_next(ps);
	return false;
}

/* ---- time ---- */

/* By nobody's request: from the store, not from the files. */
static void load_by_time(struct policies *ps, enum polhist_how how, const char *hash)
{
	struct job *j = calloc(1, sizeof(*j));

	ps->time_again_ns = clock_steady_ns() + AGAIN_NS;
	if (!j)
		return;
	j->kind = JOB_LOAD;
	j->uid = (uid_t)-1;
	j->asked_ns = clock_now_ns();
	j->note = (struct polhist_line){ .what = POLHIST_LOAD, .how = how, .uid = -1 };
	snprintf(j->kept, sizeof(j->kept), "%s", hash);
	ps->timing = true;
	policies_queue_load(ps, j);
}

void policies_time(struct policies *ps, uint64_t now)
{
	const struct polhist_state *h = ps->hist;

	if (ps->timing || clock_steady_ns() < ps->time_again_ns || !ps->w.started)
		return;
	if (!h->confirmed && now >= h->now.until_ns) {
		log_notice("policy.revert: nobody confirmed policy %.12s in time", h->now.policy);
		load_by_time(ps, POLHIST_H_REVERT, h->now.was);
	} else if (h->confirmed && h->stage.n && now >= h->stage.until_ns) {
		load_by_time(ps, POLHIST_H_EFFECTIVE, h->stage.policy);
	}
}

/* ---- requests ---- */

static struct job *load_job(enum job_kind k, const struct ctl_peer *peer, enum polhist_what what, enum polhist_how how)
{
	struct job *j = policies_job(k, peer);

	if (j) {
		j->note.what = what;
		j->note.how = how;
	}
	return j;
}

static int on_apply(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { "hash", "reason", "ticket", "confirm_s", "effective_s", NULL };
	uint64_t confirm = 0, effective = 0;
	struct job *j = load_job(JOB_LOAD, peer, POLHIST_LOAD, POLHIST_H_APPLY);
	int e = 0;

	if (!j)
		return policies_no_memory(why, n);
	if (!policies_knows(rq, names, why, n))
		e = -EINVAL;
	if (!e)
		e = get_hash(rq, "hash", j->hash, why, n);
	if (!e)
		e = policies_words(rq, &j->note, why, n);
	if (!e)
		e = get_span(rq, "confirm_s", CONFIRM_MAX_S, &confirm, why, n);
	if (!e && json_is_integer(json_object_get(rq, "effective_s")) && !json_integer_value(json_object_get(rq, "effective_s")))
		j->now = true;
	else if (!e)
		e = get_span(rq, "effective_s", EFFECTIVE_MAX_S, &effective, why, n);
	if (!e && confirm && effective)
		e = refuse(why, n, -EINVAL, "either confirm_s or effective_s");
	if (e) {
		job_free(j);
		return e;
	}
	j->span_ns = confirm ? confirm : effective;
	if (effective) {
		j->kind = JOB_STAGE;
		j->note.what = POLHIST_STAGE;
		j->note.how = POLHIST_H_NONE;
	}
	policies_queue_load(ps, j);
	return CTL_LATER;
}

static int on_rollback(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { "n", "reason", "ticket", NULL };
	json_int_t line = json_integer_value(json_object_get(rq, "n"));
	struct job *j = load_job(JOB_LOAD, peer, POLHIST_LOAD, POLHIST_H_ROLLBACK);
	int e = 0;

	if (!j)
		return policies_no_memory(why, n);
	if (!policies_knows(rq, names, why, n))
		e = -EINVAL;
	if (!e && line < 1)
		e = refuse(why, n, -EINVAL, "n is a line of the history (optag policy history)");
	if (!e)
		e = policies_words(rq, &j->note, why, n);
	if (e) {
		job_free(j);
		return e;
	}
	j->from_n = (uint64_t)line;
	policies_queue_load(ps, j);
	return CTL_LATER;
}

static int on_propose(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { "hash", "reason", "ticket", "valid_s", NULL };
	struct job *j = load_job(JOB_PROPOSE, peer, POLHIST_PROPOSE, POLHIST_H_NONE);
	int e = 0;

	if (!j)
		return policies_no_memory(why, n);
	if (!policies_knows(rq, names, why, n))
		e = -EINVAL;
	if (!e)
		e = get_hash(rq, "hash", j->hash, why, n);
	if (!e)
		e = policies_words(rq, &j->note, why, n);
	if (!e)
		e = get_span(rq, "valid_s", APPROVAL_DAYS_MAX * 86400, &j->span_ns, why, n);
	if (e) {
		job_free(j);
		return e;
	}
	if (!j->span_ns)
		j->span_ns = PROPOSE_S * NS_PER_S;
	policies_queue_load(ps, j);
	return CTL_LATER;
}

struct job *policies_note_job(struct policies *ps, const struct ctl_peer *peer, enum polhist_what what)
{
	struct job *j = load_job(JOB_NOTE, peer, what, POLHIST_H_NONE);

	if (j)
		snprintf(j->note.policy, sizeof(j->note.policy), "%s", policy_hash(ps->now->p));
	return j;
}

static int on_confirm(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { NULL };
	struct job *j;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (ps->hist->confirmed)
		return refuse(why, n, -EALREADY, "nothing waits to be confirmed");
	if (ps->timing)
		return refuse(why, n, -ETIME, "too late: the change is being reverted");
	j = policies_note_job(ps, peer, POLHIST_CONFIRM);
	if (!j)
		return policies_no_memory(why, n);
	ps->timing = true; /* not reverted while it is written */
	policies_push(ps, j);
	return CTL_LATER;
}

static int on_cancel(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { NULL };
	struct job *j;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (!ps->hist->stage.n || ps->timing)
		return refuse(why, n, -EALREADY, "no change waits for its time");
	j = policies_note_job(ps, peer, POLHIST_CANCEL);
	if (!j)
		return policies_no_memory(why, n);
	snprintf(j->note.policy, sizeof(j->note.policy), "%s", ps->hist->stage.policy);
	policies_push(ps, j);
	return CTL_LATER;
}

static int on_history(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { "before", NULL };
	json_int_t before = json_integer_value(json_object_get(rq, "before"));
	struct job *j;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (before < 0)
		return refuse(why, n, -EINVAL, "before is the number of a line");
	j = policies_job(JOB_PAGE, peer);
	if (!j)
		return policies_no_memory(why, n);
	j->from_n = (uint64_t)before;
	policies_push(ps, j);
	return CTL_LATER;
}

/* ---- approval ---- */

static int on_proposal(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, json_t *answer, char *why, size_t n)
{
	static const char *const names[] = { "policy", NULL };
	const char *hash = json_string_value(json_object_get(rq, "policy"));
	const struct polhist_state *h = ps->hist;
	const struct polhist_line *found = NULL;
	json_t *o;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (!hash || strlen(hash) < 8)
		return refuse(why, n, -EINVAL, "which proposal: eight digits of it at least");
	for (size_t i = h->nproposal; i > 0 && !found; i--)
		if (!strncmp(h->proposal[i - 1].policy, hash, strlen(hash)))
			found = &h->proposal[i - 1];
	if (!found)
		return refuse(why, n, -ENOENT, "nobody proposed that");
	for (size_t i = 0; i < h->nproposal; i++)
		if (!strncmp(h->proposal[i].policy, hash, strlen(hash)) && strcmp(h->proposal[i].policy, found->policy) != 0)
			return refuse(why, n, -EINVAL, "several proposals begin with these digits");
	o = policies_line_json(found);
	json_object_set_new(o, "until_s", json_integer((json_int_t)(found->until_ns / NS_PER_S)));
	json_object_set_new(o, "running", json_string(policy_hash(ps->now->p)));
	policies_wish_json(ps, peer, found, o);
	json_object_update(answer, o);
	json_decref(o);
	return 0;
}

static const char *not_as_proposed(const struct policies *ps, const struct approval *a, const struct ctl_peer *peer)
{
	const struct polhist_line *p = polhist_proposal(ps->hist, a->policy);

	if (!p)
		return "nobody proposed that";
	if (strcmp(p->was, a->base) != 0 || p->uid != (int64_t)a->proposer || a->until_s > p->until_ns / NS_PER_S)
		return "the approval is not of what was proposed";
	if (*p->set && !policies_wish(ps, p->policy))
		return "what was proposed is done, or the daemon was started since: it has to be asked for anew";
	if (p->uid == (int64_t)peer->uid)
		return "who proposes does not approve: it takes a second person";
	return policies_approval_wrong(&ps->set.approval, a, a->policy, policy_hash(ps->now->p), clock_later_ns(clock_now_ns()));
}

/* The log, where alarms must have room, has one line in ten seconds: the group may ask as often as it likes. */
static void say_refused(struct policies *ps, const struct ctl_peer *peer, const char *wrong)
{
	uint64_t now = clock_steady_ns();

	if (ps->refused_said_ns && now - ps->refused_said_ns < REFUSED_SAY_NS) {
		ps->refused_unsaid++;
		return;
	}
	log_warn("policy.approve: refused, by uid %u: %s; %llu more were since the last line", (unsigned)peer->uid, wrong,
		 (unsigned long long)ps->refused_unsaid);
	ps->refused_said_ns = now;
	ps->refused_unsaid = 0;
}

static int on_approve(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { "approval", NULL };
	const char *text = json_string_value(json_object_get(rq, "approval")), *wrong;
	struct approval a;
	struct job *j;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (!text || approval_parse(text, strlen(text), &a))
		return refuse(why, n, -EINVAL, "that is no approval");
	wrong = not_as_proposed(ps, &a, peer);
	if (wrong) {
		say_refused(ps, peer, wrong);
		return refuse(why, n, -EACCES, wrong);
	}
	j = policies_note_job(ps, peer, POLHIST_APPROVE);
	if (!j)
		return policies_no_memory(why, n);
	j->approval = a;
	j->has_approval = true;
	snprintf(j->note.policy, sizeof(j->note.policy), "%s", a.policy);
	snprintf(j->note.was, sizeof(j->note.was), "%s", a.base);
	snprintf(j->note.rule, sizeof(j->note.rule), "%s", polhist_proposal(ps->hist, a.policy)->rule);
	snprintf(j->note.set, sizeof(j->note.set), "%s", polhist_proposal(ps->hist, a.policy)->set);
	snprintf(j->note.approver, sizeof(j->note.approver), "%s", a.approver);
	j->note.until_ns = a.until_s * NS_PER_S;
	policies_push(ps, j);
	return CTL_LATER;
}

/* ---- rules that are stopped ---- */

static const struct policy_rule *rule_named(const struct policies *ps, const char *name)
{
	for (size_t i = 0; i < policy_rules(ps->now->p); i++)
		if (!strcmp(policy_rule(ps->now->p, i)->name, name))
			return policy_rule(ps->now->p, i);
	return NULL;
}

static int on_stop(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { "rule", "reason", "ticket", NULL };
	const char *rule = json_string_value(json_object_get(rq, "rule"));
	struct polhist_line now;
	struct job *j;
	int e;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (!rule || strlen(rule) >= POLHIST_RULE || !rule_named(ps, rule))
		return refuse(why, n, -ENOENT, "the policy in force has no such rule");
	if (polhist_stop(ps->hist, rule))
		return refuse(why, n, -EALREADY, "the rule is stopped already");
	j = policies_note_job(ps, peer, POLHIST_STOP);
	if (!j)
		return policies_no_memory(why, n);
	e = policies_words(rq, &j->note, why, n);
	snprintf(j->note.rule, sizeof(j->note.rule), "%s", rule);
	now = j->note;
	now.n = ps->hist->n;
	now.at_ns = clock_now_ns();
	if (!e && polhist_apply(ps->hist, &now)) /* from now on, whatever the disk says */
		e = refuse(why, n, -ENOSPC, "so many rules are stopped already: take them out of the policy");
	if (e) {
		job_free(j);
		return e;
	}
	log_notice("rule.stop: '%s' records nothing from now on, by uid %u", rule, (unsigned)peer->uid);
	j->before = ps->fig.tightened;
	policies_sweep(ps);
	policies_push(ps, j);
	return CTL_LATER;
}

/* What is approved is one start after one stop under one policy. */
static void start_id(const struct policies *ps, const struct polhist_line *stop, char out[65])
{
	crypto_generichash_state h;
	unsigned char id[32];
	char at[24];
	int n = snprintf(at, sizeof(at), "%" PRIu64, stop->n);

	crypto_generichash_init(&h, NULL, 0, sizeof(id));
	crypto_generichash_update(&h, (const unsigned char *)"start", 6);
	crypto_generichash_update(&h, (const unsigned char *)stop->rule, strlen(stop->rule) + 1);
	crypto_generichash_update(&h, (const unsigned char *)at, (size_t)n + 1);
	crypto_generichash_update(&h, (const unsigned char *)policy_hash(ps->now->p), 64);
	crypto_generichash_final(&h, id, sizeof(id));
	sodium_bin2hex(out, 65, id, sizeof(id));
}

/* Not approved yet: proposed, so that somebody can. The answer says what is to be signed. */
int policies_propose(struct policies *ps, struct job *j, const char *id)
{
	j->note.what = POLHIST_PROPOSE;
	snprintf(j->note.was, sizeof(j->note.was), "%s", policy_hash(ps->now->p));
	snprintf(j->note.policy, sizeof(j->note.policy), "%s", id);
	j->note.change[POLICY_LOOSEN] = 1;
	j->span_ns = PROPOSE_S * NS_PER_S;
	policies_push(ps, j);
	return CTL_LATER;
}

static int may_start(struct policies *ps, const struct ctl_peer *peer, const struct polhist_line *stop, struct job *j, char *why, size_t n)
{
	char id[65];

	if (!ps->set.approval.loosening) {
		if (peer->owner)
			return 0;
		return refuse(why, n, -EPERM, "this lets calls be recorded that are not now: only root and the daemon's user may do it");
	}
	start_id(ps, stop, id);
	if (policies_allow_id(&ps->set.approval, ps->store, id, policy_hash(ps->now->p), j->note.approver, why, n) == 0)
		return 0;
	if (polhist_proposal(ps->hist, id) && polhist_proposal(ps->hist, id)->until_ns > clock_now_ns()) {
		snprintf(why + strlen(why), n - strlen(why), " (optag policy approve %.12s)", id);
		return -EACCES;
	}
	return policies_propose(ps, j, id);
}

static int on_start(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { "rule", "reason", "ticket", NULL };
	const char *rule = json_string_value(json_object_get(rq, "rule"));
	const struct polhist_line *stop = rule ? polhist_stop(ps->hist, rule) : NULL;
	struct job *j;
	int e;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (!stop)
		return refuse(why, n, -EALREADY, "no such rule is stopped");
	j = policies_note_job(ps, peer, POLHIST_START);
	if (!j)
		return policies_no_memory(why, n);
	snprintf(j->note.rule, sizeof(j->note.rule), "%s", rule);
	e = policies_words(rq, &j->note, why, n);
	if (!e)
		e = may_start(ps, peer, stop, j, why, n);
	if (e == CTL_LATER)
		return e;
	if (e) {
		job_free(j);
		return e;
	}
	log_notice("rule.start: '%s' records new calls, by uid %u", rule, (unsigned)peer->uid);
	policies_push(ps, j);
	return CTL_LATER;
}

int policies_change_ctl(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, json_t *answer, char *why, size_t n)
{
	static const struct {
		const char *name;
		int (*run)(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n);
	} requests[] = {
		{ "policy-apply", on_apply },	  { "policy-confirm", on_confirm }, { "policy-cancel", on_cancel },
		{ "policy-rollback", on_rollback }, { "policy-history", on_history }, { "policy-propose", on_propose },
		{ "policy-approve", on_approve }, { "rule-stop", on_stop },	    { "rule-start", on_start },
	};
	const char *name = json_string_value(json_object_get(rq, "do"));

	if (!strcmp(name, "policy-proposal"))
		return on_proposal(ps, peer, rq, answer, why, n);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (!strcmp(name, requests[i].name))
			return requests[i].run(ps, peer, rq, why, n);
	return refuse(why, n, -EOPNOTSUPP, "this daemon does not know the request");
}
