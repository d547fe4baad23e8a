/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_ctl.c - requests about policies and sets, see policies.h
 *
 * What loosens is for root and the daemon's user; the group may make a set
 * stricter. No number comes into a log or an error text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/phone.h"
#include "policies_internal.h"

#define PIECE	  (256u << 10) /* of the text in one answer */
#define LIST_PAGE 1000	       /* members in one answer */
#define OLDER_MAX 100	       /* old policies that are named */
#define SET_SAY_NS (10 * NS_PER_S)

/* Members of a request beside do and id: only these. */
bool policies_knows(const json_t *rq, const char *const *names, char *why, size_t n)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)rq, key, v) {
		const char *const *k = names;

		if (!strcmp(key, "do") || !strcmp(key, "id"))
			continue;
		while (*k && strcmp(*k, key))
			k++;
		if (!*k) {
			snprintf(why, n, "the request has a member that is not known here");
			return false;
		}
	}
	return true;
}

int policies_no_memory(char *why, size_t n)
{
	snprintf(why, n, "out of memory");
	return -ENOMEM;
}

json_t *policies_when(uint64_t ns)
{
	char s[32];

	if (!ns)
		return json_null();

	clock_format(ns, s);
	return json_string(s);
}

/* ---- policy, policy-text ---- */

json_t *policies_status(const struct policies *ps)
{
	uint64_t now = clock_now_ns();
	json_t *o = json_object(), *older = json_array();
	const struct entry *e;
	size_t calls = 0, n = 0;

	for (e = ps->older; e; e = e->next) {
		if (!e->pinned)
			continue;
		calls += e->pinned;
		if (n++ < OLDER_MAX)
			json_array_append_new(older, json_pack("{s:s, s:I}", "hash", policy_hash(e->p), "calls", (json_int_t)e->pinned));
	}
	json_object_set_new(o, "hash", json_string(policy_hash(ps->now->p)));
	json_object_set_new(o, "path", json_string(ps->path));
	json_object_set_new(o, "rules", json_integer((json_int_t)policy_rules(ps->now->p)));
	json_object_set_new(o, "loaded", policies_when(ps->now->loaded_ns));
	json_object_set_new(o, "age_s", json_integer((json_int_t)((now - ps->now->loaded_ns) / NS_PER_S)));
	json_object_set_new(o, "uid", ps->now->uid == (uid_t)-1 ? json_null() : json_integer(ps->now->uid));
	json_object_set_new(o, "loads", json_integer((json_int_t)ps->fig.loads));
	json_object_set_new(o, "refused", json_integer((json_int_t)ps->fig.refused));
	json_object_set_new(o, "older_policies", json_integer((json_int_t)n));
	json_object_set_new(o, "calls_pinned_to_older", json_integer((json_int_t)calls));
	json_object_set_new(o, "older", older);
	json_object_set_new(o, "calls_tightened", json_integer((json_int_t)ps->fig.tightened.changed));
	policies_change_status(ps, o);
	json_object_set_new(o, "tightening_now", json_boolean(ps->sweeping));
	if (ps->last_error_ns) {
		json_object_set_new(o, "last_error", json_string(ps->last_error));
		json_object_set_new(o, "last_error_at", policies_when(ps->last_error_ns));
	}
	return o;
}

struct job *policies_job(enum job_kind k, const struct ctl_peer *peer)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j) {
		j->kind = k;
		j->client = peer->client;
		j->uid = peer->uid;
		j->asked_ns = clock_now_ns();
		j->note.uid = peer->uid;
	}
	return j;
}

static int on_policy(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, json_t *answer, char *why, size_t n)
{
	static const char *const names[] = { "drift", NULL };
	struct job *j;
	json_t *o;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (json_is_true(json_object_get(rq, "drift"))) {
		j = policies_job(JOB_DRIFT, peer);
		if (!j)
			return policies_no_memory(why, n);
		policies_push(ps, j);
		return CTL_LATER;
	}
	o = policies_status(ps);
	json_object_update(answer, o);
	json_decref(o);
	return 0;
}

/* Whole lines when they fit, whole characters always. */
static size_t piece_end(const char *s, size_t at, size_t len)
{
	size_t end = len - at <= PIECE ? len : at + PIECE, nl = end;

	if (end == len)
		return end;
	while (nl > at && s[nl - 1] != '\n')
		nl--;
	if (nl > at)
		return nl;
	while (((unsigned char)s[end] & 0xc0) == 0x80)
		end--;
	return end;
}

static int answer_piece(const char *hash, const char *text, size_t len, size_t at, json_t *answer, char *why, size_t n)
{
	size_t end;

	if (at > len || (at < len && ((unsigned char)text[at] & 0xc0) == 0x80)) {
		snprintf(why, n, "the offset is not one of the text");
		return -EINVAL;
	}
	end = piece_end(text, at, len);
	json_object_set_new(answer, "hash", json_string(hash));
	json_object_set_new(answer, "size", json_integer((json_int_t)len));
	json_object_set_new(answer, "text", json_stringn(text + at, end - at));
	if (end < len)
		json_object_set_new(answer, "next", json_integer((json_int_t)end));
	return 0;
}

json_t *policies_text_json(const struct job *j, char *why, size_t n)
{
	json_t *o = json_object();

	if (!answer_piece(j->kept, j->text, j->len, (size_t)j->from_n, o, why, n))
		return o;
	json_decref(o);
	return NULL;
}

/* Numbers of the controller are in it: not for everybody who may look at the daemon. */
static int on_text(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, json_t *answer, char *why, size_t n)
{
	static const char *const names[] = { "offset", "policy", NULL };
	json_int_t off = json_integer_value(json_object_get(rq, "offset"));
	const char *hash = json_string_value(json_object_get(rq, "policy"));
	struct job *j;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (!peer->owner && !policies_is_approver(ps, peer->uid)) {
		snprintf(why, n, "only root, the daemon's user and approvers may read the policy's text");
		return -EPERM;
	}
	if (off < 0) {
		snprintf(why, n, "the offset is not one of the text");
		return -EINVAL;
	}
	if (!hash || !strcmp(hash, policy_hash(ps->now->p)))
		return answer_piece(policy_hash(ps->now->p), ps->now->text, ps->now->len, (size_t)off, answer, why, n);
	if (!polhist_proposal(ps->hist, hash)) {
		snprintf(why, n, "no such policy was proposed");
		return -ENOENT;
	}
	j = policies_job(JOB_TEXT, peer);
	if (!j)
		return policies_no_memory(why, n);
	snprintf(j->kept, sizeof(j->kept), "%s", hash);
	j->from_n = (uint64_t)off;
	policies_push(ps, j);
	return CTL_LATER;
}

/* ---- sets ---- */

/* Name, number and what the set is used for; what is wrong is said. */
static int the_set(const struct policies *ps, const json_t *rq, const char **ret_set, char number[POLICY_NUMBER_MAX],
		   unsigned *ret_use, char *why, size_t n)
{
	const char *s = json_string_value(json_object_get(rq, "set")), *num = json_string_value(json_object_get(rq, "number"));
	int e = s ? policy_set_use(ps->now->p, s, ret_use) : -EINVAL;

	if (!s)
		snprintf(why, n, "the name of the set is missing");
	else if (e == -ENOENT)
		snprintf(why, n, "the policy in force has no such set");
	else if (e == -EINVAL)
		snprintf(why, n, "the set is not dynamic: its members are in the policy's files");
	else if (e)
		snprintf(why, n, "only dynamic sets of numbers can be changed");
	if (e)
		return e;
	if (!num || policy_member_number(num, number)) {
		snprintf(why, n, "a member is one number as +45 and digits, 4 to 15 of them");
		return -EINVAL;
	}
	*ret_set = s;
	return 0;
}

/* Members of the control socket's group may change sets as often as they like: each is in the set's file, and the log, where
 * alarms must have room, has one line in ten seconds. */
static void say_changed(struct policies *ps, const struct ctl_peer *peer, const char *set, bool add)
{
	uint64_t now = clock_now_ns();

	if (ps->set_said_ns && now - ps->set_said_ns < SET_SAY_NS) {
		ps->set_unsaid++;
		return;
	}
	log_notice("set.%s: '%s' by uid %u; %llu such changes since the last line", add ? "add" : "del", set, (unsigned)peer->uid,
		   (unsigned long long)ps->set_unsaid);
	ps->set_said_ns = now;
	ps->set_unsaid = 0;
}

static int changed(struct policies *ps, const struct ctl_peer *peer, const char *set, const char *number,
		   const struct policy_member *x, unsigned use, char *why, size_t n)
{
	struct job *j = policies_job(JOB_SET, peer);

	if (j)
		j->line = setfile_line(set, number, x);
	if (!j || !j->line) {
		job_free(j);
		return policies_no_memory(why, n);
	}
	say_changed(ps, peer, set, x);
	if (use)
		policies_sweep(ps);
	policies_push(ps, j);
	return CTL_LATER;
}

static bool sooner(const struct policy_member *was, int64_t until)
{
	return until && (!was->until || until < was->until);
}

static int on_add(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { "set", "number", "until", "note", "reason", "ticket", NULL };
	struct policy_member x = { .added = (int64_t)(clock_now_ns() / NS_PER_S), .uid = peer->uid }, was;
	const json_t *until = json_object_get(rq, "until");
	const char *set;
	unsigned use;
	bool looser;
	int e;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	e = the_set(ps, rq, &set, x.number, &use, why, n);
	if (e)
		return e;
	x.until = json_integer_value(until);
	x.note = json_string_value(json_object_get(rq, "note"));
	if (until && (!json_is_integer(until) || (x.until && x.until <= x.added))) {
		snprintf(why, n, "the end of the membership is past");
		return -EINVAL;
	}
	if (x.note && phone_in(x.note, strlen(x.note), NULL)) {
		snprintf(why, n, "the note: " PHONE_REFUSED);
		return -EINVAL;
	}
	looser = use & POLICY_SET_PERMITS ||
		 (use & POLICY_SET_DENIES && policy_members_get(ps->members, set, x.number, &was) == 0 && sooner(&was, x.until));
	e = looser ? policies_set_may(ps, peer, rq, set, false, &x, why, n) : 0;
	if (e)
		return e;
	e = policy_members_add(ps->members, set, &x);
	if (e < 0) {
		snprintf(why, n, e == -EINVAL ? "the note is too long, or no plain text" : "there is no room for more members");
		return e;
	}
	return changed(ps, peer, set, x.number, &x, use, why, n);
}

static int on_del(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	static const char *const names[] = { "set", "number", "reason", "ticket", NULL };
	struct policy_member x = { 0 }, was;
	const char *set;
	unsigned use;
	int e;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	e = the_set(ps, rq, &set, x.number, &use, why, n);
	if (e)
		return e;
	/* to who may not know the members every number is one */
	if ((peer->owner || !(use & POLICY_SET_DENIES)) && policy_members_get(ps->members, set, x.number, &was)) {
		snprintf(why, n, "the set has no such member");
		return -ENOENT;
	}
	e = use & POLICY_SET_DENIES ? policies_set_may(ps, peer, rq, set, true, &x, why, n) : 0;
	if (e)
		return e;
	if (policy_members_del(ps->members, set, x.number)) {
		snprintf(why, n, "the set has no such member");
		return -ENOENT;
	}
	return changed(ps, peer, set, x.number, NULL, use, why, n);
}

static json_t *set_row(const struct policies *ps, const char *name, int64_t now)
{
	unsigned use = 0;
	bool known = policy_set_use(ps->now->p, name, &use) == 0;

	return json_pack("{s:s, s:I, s:b, s:b, s:b}", "set", name, "members", (json_int_t)policy_members_count(ps->members, name, now),
			 "in_policy", known, "denies", !!(use & POLICY_SET_DENIES), "permits", !!(use & POLICY_SET_PERMITS));
}

static json_t *member_row(const struct policy_member *x)
{
	json_t *o = json_pack("{s:s, s:s, s:I}", "number", x->number, "note", x->note, "uid", (json_int_t)x->uid);

	json_object_set_new(o, "added", policies_when((uint64_t)x->added * NS_PER_S));
	json_object_set_new(o, "until", x->until ? policies_when((uint64_t)x->until * NS_PER_S) : json_null());
	return o;
}

static int list_members(struct policies *ps, const char *set, uint64_t at, json_t *answer, int64_t now)
{
	json_t *a = json_array();
	struct policy_member x;
	int n = 0;

	while (n < LIST_PAGE && policy_members_next(ps->members, set, &at, &x)) {
		n++;
		if (!x.until || now < x.until)
			json_array_append_new(a, member_row(&x));
	}
	json_object_set_new(answer, "members", a);
	if (n == LIST_PAGE)
		json_object_set_new(answer, "next", json_integer((json_int_t)at));
	return 0;
}

static int on_list(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, json_t *answer, char *why, size_t n)
{
	static const char *const names[] = { "set", "after", NULL };
	const char *set = json_string_value(json_object_get(rq, "set"));
	uint64_t at = (uint64_t)json_integer_value(json_object_get(rq, "after"));
	int64_t now = (int64_t)(clock_now_ns() / NS_PER_S);
	const char *name;
	json_t *a;

	if (!policies_knows(rq, names, why, n))
		return -EINVAL;
	if (set && peer->owner) {
		for (size_t i = 0; (name = policy_members_set(ps->members, i)); i++)
			if (!strcmp(name, set))
				return list_members(ps, set, at, answer, now);
		snprintf(why, n, "there is no dynamic set of numbers with this name");
		return -ENOENT;
	}
	/* numbers are not for everybody who may look at the daemon */
	if (set) {
		snprintf(why, n, "only root and the daemon's user see the numbers; without a name sets are counted");
		return -EPERM;
	}
	a = json_array();
	for (size_t i = 0; (name = policy_members_set(ps->members, i)); i++)
		json_array_append_new(a, set_row(ps, name, now));
	json_object_set_new(answer, "sets", a);
	return 0;
}

int policies_ctl(struct policies *ps, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n)
{
	const char *name = json_string_value(json_object_get(request, "do"));

	if (!strcmp(name, "policy"))
		return on_policy(ps, peer, request, answer, why, n);
	if (!strcmp(name, "policy-text"))
		return on_text(ps, peer, request, answer, why, n);
	if (!strcmp(name, "set-add"))
		return on_add(ps, peer, request, why, n);
	if (!strcmp(name, "set-del"))
		return on_del(ps, peer, request, why, n);
	if (!strcmp(name, "set-list"))
		return on_list(ps, peer, request, answer, why, n);
	return policies_change_ctl(ps, peer, request, answer, why, n);
}
