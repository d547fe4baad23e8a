/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_wish.c - changes of dynamic sets that let calls be recorded, where approval is required; see policies.h
 *
 * The first time such a change is asked for it is proposed, done again after the approval it is made, once. What it is has
 * a number in it, which the history and the approval must not have: they have a random identifier, and what it stands
 * for is here, in memory. So a proposal ends with the daemon that made it, or with the policy it was made under.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "policies_internal.h"

const struct set_wish *policies_wish(const struct policies *ps, const char *id)
{
	for (size_t i = 0; i < POLHIST_PROPOSALS; i++)
		if (*ps->wish[i].id && !strcmp(ps->wish[i].id, id))
			return &ps->wish[i];
	return NULL;
}

/* Of the policy that runs, and in time. */
static bool open_wish(const struct policies *ps, const struct set_wish *w)
{
	const struct polhist_line *l = *w->id ? polhist_proposal(ps->hist, w->id) : NULL;

	return l && l->until_ns > clock_later_ns(clock_now_ns()) && !strcmp(l->was, policy_hash(ps->now->p));
}

/* A span given again ends a little later each time: what ends at all is the same, and ends as it was proposed. */
static struct set_wish *same_wish(struct policies *ps, const char *set, bool del, const struct policy_member *x)
{
	for (size_t i = 0; i < POLHIST_PROPOSALS; i++) {
		struct set_wish *w = &ps->wish[i];

		if (open_wish(ps, w) && w->del == del && !strcmp(w->set, set) && !strcmp(w->number, x->number) && !w->until == !x->until)
			return w;
	}
	return NULL;
}

static int propose(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, const char *set, bool del,
		   const struct policy_member *x, char *why, size_t n)
{
	struct job *j = policies_note_job(ps, peer, POLHIST_PROPOSE);
	struct set_wish *w = &ps->wish[ps->nwish % POLHIST_PROPOSALS];
	unsigned char id[32];
	int e;

	if (!j)
		return policies_no_memory(why, n);
	e = policies_words(rq, &j->note, why, n);
	if (e) {
		job_free(j);
		return e;
	}
	ps->nwish++;
	*w = (struct set_wish){ .del = del, .until = x->until };
	randombytes_buf(id, sizeof(id));
	sodium_bin2hex(w->id, sizeof(w->id), id, sizeof(id));
	snprintf(w->set, sizeof(w->set), "%s", set);
	snprintf(w->number, sizeof(w->number), "%s", x->number);
	snprintf(j->note.set, sizeof(j->note.set), "%s", set);
	return policies_propose(ps, j, w->id);
}

int policies_set_may(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, const char *set, bool del, struct policy_member *x,
		     char *why, size_t n)
{
	char approver[APPROVAL_NAME];
	struct set_wish *w;

	if (!ps->set.approval.loosening) {
		if (peer->owner)
			return 0;
		snprintf(why, n, "this lets calls be recorded that are not now: only root and the daemon's user may do it");
		return -EPERM;
	}
	w = same_wish(ps, set, del, x);
	if (!w)
		return propose(ps, peer, rq, set, del, x, why, n);
	if (policies_allow_id(&ps->set.approval, ps->store, w->id, policy_hash(ps->now->p), approver, why, n)) {
		snprintf(why + strlen(why), n - strlen(why), " (optag policy approve %.12s)", w->id);
		return -EACCES;
	}
	x->until = w->until;
	*w->id = 0; /* once */
	return 0;
}

void policies_wish_json(const struct policies *ps, const struct ctl_peer *peer, const struct polhist_line *l, json_t *o)
{
	const struct set_wish *w = policies_wish(ps, l->policy);

	if (!w || (!peer->owner && !policies_is_approver(ps, peer->uid)))
		return;
	json_object_set_new(o, "number", json_string(w->number));
	json_object_set_new(o, "del", json_boolean(w->del));
	json_object_set_new(o, "member_until", w->until ? policies_when((uint64_t)w->until * NS_PER_S) : json_null());
}
