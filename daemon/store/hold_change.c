/* SPDX-License-Identifier: BSD-2-Clause */
/* hold_change.c - putting calls on hold, ending it by two persons, and finishing what a killed program left */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/phone.h"
#include "store/bucket.h"
#include "store/hold_internal.h"

/* ---- what persons say ---- */

static int check_text(const char *what, const char *s, size_t size, struct why *why)
{
	const char *bad = s ? hold_text_check(s, size) : "is missing";

	if (bad)
		return why_set(why, -EINVAL, "the %s %s (at most %zu bytes)", what, bad, size - 1);
	return phone_in(s, strlen(s), NULL) ? why_set(why, -EINVAL, "the %s: " PHONE_REFUSED, what) : 0;
}

static int check_review(uint32_t review, uint64_t now, struct why *why)
{
	uint32_t today, last;
	uint64_t end;

	if (day_of(now, "UTC", &today) || clock_add(now, "UTC", HOLD_REVIEW_MONTHS, CLOCK_U_MONTHS, &end) || day_of(end, "UTC", &last))
		return why_set(why, -EINVAL, "no such date");
	if (review <= today)
		return why_set(why, -EINVAL, "the review date must be after today");
	if (review > last)
		return why_set(why, -EINVAL, "the review date is more than %d months away", HOLD_REVIEW_MONTHS);
	return 0;
}

int hold_why_check(const struct hold_why *w, uint64_t now, struct why *why)
{
	int rc = check_text("reason", w->reason, HOLD_REASON, why);

	if (!rc)
		rc = check_text("reference", w->reference, HOLD_REFERENCE, why);
	return rc ? rc : check_review(w->review, now, why);
}

static struct hold_line line_of(enum hold_what what, const struct uid *uid, const struct hold_person *who, uint64_t now)
{
	return (struct hold_line){ .what = what, .uid = *uid, .at_ns = now, .by = *who };
}

static void say(struct hold_line *l, const struct hold_why *w)
{
	memccpy(l->reason, w->reason, 0, sizeof(l->reason));
	memccpy(l->reference, w->reference, 0, sizeof(l->reference));
	l->review = w->review;
}

/* ---- after a kill ---- */

static bool index_used(const struct holds *h, const struct hold *x)
{
	for (const struct entry *e = h->first; e; e = e->next)
		if (e->h.held && e->h.index == x->index && !strcmp(e->h.controller, x->controller))
			return true;
	return false;
}

/* Of a hold that ended: its copy is overwritten if it is there, and so is what is damaged there. */
static int settle_ended(struct holds *h, const struct hold *x, struct why *why)
{
	struct hold_slot s;
	int rc = hold_slot_read(h->root, x->controller, x->index, &s, why);
	bool own = rc == -EBADMSG ? !index_used(h, x) : !rc && !s.empty && uid_equal(&s.slot.uid, &x->uid);

	sodium_memzero(&s, sizeof(s));
	if (own)
		return hold_slot_write(h->root, x->controller, x->index, NULL, why);
	return rc == -ENOENT ? 0 : rc;
}

/* Of one that did not: the copy is made if it is not there, or cannot be read. 1: its key is gone. */
static int settle_held(struct holds *h, const struct hold *x, struct why *why)
{
	struct hold_slot s;
	uint64_t destroy_ns;
	int fd, rc = hold_slot_read(h->root, x->controller, x->index, &s, why), bad = rc == -EBADMSG ? rc : 0;
	struct why damage = *why;
	bool own = !rc && !s.empty && uid_equal(&s.slot.uid, &x->uid);

	sodium_memzero(&s, sizeof(s));
	if (own || (rc && rc != -ENOENT && !bad))
		return rc;
	rc = hold_slot_copy(h->root, x, &s, &fd, &destroy_ns, why);
	if (rc == -ESHUTDOWN && bad) { /* nothing is left but the damaged copy */
		*why = damage;
		return bad;
	}
	if (rc)
		return rc == -ESHUTDOWN ? 1 : rc;
	rc = hold_slot_write(h->root, x->controller, x->index, &s, why);
	bucket_unlock(fd);
	close(fd);
	sodium_memzero(&s, sizeof(s));
	return rc;
}

/* Its copy is not there or not whole, and its own slot still is. */
static bool unsaved(const struct holds *h, const struct hold *x)
{
	struct hold_slot s;
	struct why none;
	int rc = hold_slot_read(h->root, x->controller, x->index, &s, &none);
	bool missing = rc || s.empty || !uid_equal(&s.slot.uid, &x->uid);

	if (missing) {
		rc = slot_read(h->root, x->controller, STORE_DOCUMENTATION, x->day, x->slot, &s.slot, &none);
		missing = rc ? rc != -ENOENT && rc != -EBADMSG : !s.slot.empty && uid_equal(&s.slot.uid, &x->uid);
	}
	sodium_memzero(&s, sizeof(s));
	return missing;
}

bool hold_unsaved(const struct holds *h, const char *controller, uint32_t day)
{
	for (const struct entry *e = h->first; e; e = e->next)
		if (e->h.held && e->h.index && e->h.day == day && !strcmp(e->h.controller, controller) && unsaved(h, &e->h))
			return true;
	return false;
}

/* Ended ones first, so that no place is another's already: a place is given away when it is empty. */
int holds_settle(struct holds *h, uint64_t *ret_lost, struct why *why)
{
	uint64_t lost = 0;
	int rc = 0;

	for (int held = 0; held < 2; held++)
		for (const struct entry *e = h->first; e; e = e->next) {
			struct why w;
			int err;

			if (e->h.held != held || !e->h.index)
				continue;
			err = held ? settle_held(h, &e->h, &w) : settle_ended(h, &e->h, &w);
			lost += err == 1;
			if (err < 0 && !rc) {
				rc = err;
				*why = w;
			}
		}
	if (ret_lost)
		*ret_lost = lost;
	return rc;
}

struct unknown {
	const struct holds *h;
	unsigned n;
};

static void count_unknown(void *arg, const struct hold_slot *s)
{
	struct unknown *u = arg;

	u->n += !holds_find(u->h, &s->slot.uid);
}

int holds_whole(const struct holds *h, struct why *why)
{
	struct names owners;
	struct unknown u = { .h = h };
	struct why none;
	int rc = names_read(h->root, "keys", &owners);

	for (size_t i = 0; !rc && i < owners.n; i++) {
		if (!name_check(owners.v[i]))
			rc = hold_slots_each(h->root, owners.v[i], count_unknown, &u, &none);
		if (rc == -ENOENT || rc == -EACCES || rc == -EBADMSG) /* none, or not ours to look at, or damaged, which fsck names */
			rc = 0;
	}
	names_free(&owners);
	if (rc)
		return why_set(why, rc, "keys on hold cannot be read: %s", strerror(-rc));
	return u.n ? why_set(why, -EBADMSG, HOLDS_FILE ": has no line about %u calls whose keys are on hold: it is cut (rule H-4)", u.n) : 0;
}

/* ---- on hold ---- */

/* The lowest place that nobody's copy has. Those of ended holds are overwritten first. */
static int free_index(struct holds *h, const char *controller, uint32_t *ret, struct why *why)
{
	bool *used = calloc(HOLD_SLOT_COUNT, sizeof(*used));
	struct hold_slot s;
	uint32_t i;
	int rc = 0;

	if (!used)
		return why_set(why, -ENOMEM, "out of memory");
	for (const struct entry *e = h->first; e; e = e->next)
		if (e->h.held && !strcmp(e->h.controller, controller))
			used[e->h.index] = true;
	for (i = 1; !rc && i < HOLD_SLOT_COUNT; i++) {
		if (used[i])
			continue;
		rc = hold_slot_read(h->root, controller, i, &s, why);
		if (rc == -ENOENT || (!rc && s.empty)) {
			rc = 0;
			break;
		}
		sodium_memzero(&s, sizeof(s));
	}
	free(used);
	if (!rc && i == HOLD_SLOT_COUNT)
		rc = why_set(why, -ENOSPC, "%d calls are on hold, which is as many as may be", HOLDS_MAX);
	*ret = i;
	return rc;
}

/* The new hold's line, then its key. The bucket is locked by the caller. */
static int begin(struct holds *h, const struct hold *x, struct hold_slot *s, const struct hold_why *w, const struct hold_person *who,
		 uint64_t now, struct why *why)
{
	struct hold_line l = line_of(HOLD_SET, &x->uid, who, now);
	int rc = s->slot.version == 1 ? 0 : free_index(h, x->controller, &l.index, why);

	if (rc)
		return rc;
	memcpy(l.controller, x->controller, sizeof(l.controller));
	l.day = x->day;
	l.slot = x->slot;
	l.until_ns = x->until_ns;
	say(&l, w);
	rc = holds_append(h, &l, why);
	return rc || !l.index ? rc : hold_slot_write(h->root, x->controller, l.index, s, why);
}

int hold_begin(struct holds *h, const struct hold *x, const struct hold_why *w, const struct hold_person *who, uint64_t now,
	       struct why *why)
{
	const struct entry *before = holds_find(h, &x->uid);
	struct hold_slot s = { .empty = true };
	uint64_t destroy_ns = 0;
	int fd, rc = 0;

	if (x->until_ns <= now)
		return why_set(why, -ESHUTDOWN, "its deadline has passed");
	if (before && before->h.index) /* it was on hold: the line to come makes us forget where that copy was */
		rc = settle_ended(h, &before->h, why);
	if (rc)
		return rc;
	rc = hold_slot_copy(h->root, x, &s, &fd, &destroy_ns, why);
	if (rc)
		return rc;
	if (destroy_ns <= now)
		rc = why_set(why, -ESHUTDOWN, "the day of its deadline has begun");
	else
		rc = begin(h, x, &s, w, who, now, why);
	bucket_unlock(fd);
	close(fd);
	sodium_memzero(&s, sizeof(s));
	return rc;
}

int hold_say(struct holds *h, const struct uid *uid, const struct hold_why *w, const struct hold_person *who, uint64_t now,
	     struct why *why)
{
	struct hold_line l = line_of(HOLD_CHANGE, uid, who, now);

	say(&l, w);
	return holds_append(h, &l, why);
}

/* ---- its end ---- */

/* The time of the call's deadline is over, whether or not a reaper has been there. */
static bool past(const struct root *r, const struct hold *x, uint64_t now)
{
	struct why none;
	struct bucket b;
	bool over = x->until_ns <= now;
	int rc = over ? 0 : bucket_read(r, x->controller, STORE_DOCUMENTATION, x->day, &b, &none);

	if (!over && !rc)
		over = b.state == BUCKET_DESTROYED || b.destroy_ns <= now;
	else if (!over)
		over = rc == -ENOENT;
	sodium_memzero(&b, sizeof(b));
	return over;
}

/* What is left of the call's own keys, when it is past its time. */
static int end_keys(struct holds *h, const struct hold *x, uint64_t now, enum hold_end *ret, struct why *why)
{
	struct slot_erase e = { .controller = x->controller, .purpose = STORE_DOCUMENTATION, .day = x->day, .index = x->slot, .uid = x->uid };
	int rc = x->index ? hold_slot_write(h->root, x->controller, x->index, NULL, why) : 0;

	*ret = HOLD_RELEASED;
	if (rc || !past(h->root, x, now))
		return rc;
	*ret = HOLD_ERASED;
	return slots_erase_many(h->root, &e, 1, why);
}

int hold_end(struct holds *h, const struct uid *uid, const char *reason, const struct hold_person *who, uint64_t now,
	     enum hold_end *ret, struct why *why)
{
	const struct hold *x = hold_is(h, uid);
	struct hold_line l = line_of(x && x->asked_ns ? HOLD_RELEASE : HOLD_ASK, uid, who, now);
	int rc = check_text("reason", reason, HOLD_REASON, why);

	if (rc)
		return rc;
	if (!x)
		return why_set(why, -ENOENT, "the call is not on hold");
	if (x->asked_ns && x->asker.uid == who->uid)
		return why_set(why, -EPERM, "the end of a hold takes a second person, and you asked for it");
	memccpy(l.reason, reason, 0, sizeof(l.reason));
	rc = holds_append(h, &l, why);
	*ret = HOLD_ASKED;
	return rc || l.what == HOLD_ASK ? rc : end_keys(h, &holds_find(h, uid)->h, now, ret, why);
}

int hold_unask(struct holds *h, const struct uid *uid, const struct hold_person *who, uint64_t now, struct why *why)
{
	const struct hold *x = hold_is(h, uid);
	struct hold_line l = line_of(HOLD_CANCEL, uid, who, now);

	if (!x)
		return why_set(why, -ENOENT, "the call is not on hold");
	if (!x->asked_ns)
		return why_set(why, -ENOENT, "nobody asked for the end of this hold");
	return holds_append(h, &l, why);
}
