/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_keep.c - calls in progress, left to the daemon after this one and taken from the one before
 *
 * One record a call, under its ring number: the call, then, when there is one,
 * its recording with the data key. The key of a call is only in there while its
 * documentation is committed anyway, or when this daemon leaves in peace: after
 * a kill nothing of an uncommitted training recording may be readable (guidance
 * 6). One more record says who wrote all this, and the key of the hashes in it; and one
 * the offset of the clock that calls have their times by.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/keep.h"
#include "base/log.h"
#include "capture/flow.h"
#include "evidence.h"
#include "record_call.h"
#include "record_internal.h"
#include "store/store.h"

#define HEAD_ID	     UINT32_MAX /* no call's: ring numbers have a 24-bit index below any limit */
#define CLOCK_ID     (UINT32_MAX - 1) /* nor this */
/* NOLINTNEXTLINE(misc-redundant-expression): they are the same today */
_Static_assert(CLOCK_ID >= KEEP_HELD && HEAD_ID >= KEEP_HELD, "they have room when calls have none");
#define HEAD_VERSION 1

/* ---- the head ---- */

struct head {
	bool found, clean;
	uint64_t key[2];
};

static int read_head(void *arg, uint32_t id, const void *p, size_t n)
{
	struct rd r = { .p = p, .left = n };
	struct head *h = arg;
	uint8_t version, clean;

	if (id != HEAD_ID)
		return 0;
	version = rd_u8(&r);
	clean = rd_u8(&r);
	h->key[0] = rd_le64(&r);
	h->key[1] = rd_le64(&r);
	h->found = version == HEAD_VERSION && !r.bad && !r.left;
	h->clean = h->found && clean == 1;
	return 1;
}

static int write_head(struct keep *k, bool clean)
{
	struct buf b = { 0 };
	uint64_t key[2];
	int e;

	hash_key_get(key);
	buf_put8(&b, HEAD_VERSION);
	buf_put8(&b, clean);
	buf_put_le64(&b, key[0]);
	buf_put_le64(&b, key[1]);
	e = b.failed ? -ENOMEM : keep_put(k, HEAD_ID, b.p, b.len);
	buf_free(&b);
	return e;
}

bool recorder_hash_key(struct keep *k)
{
	struct head h = { 0 };

	if (keep_each(k, read_head, &h) < 0 || !h.found) {
		keep_clear(k); /* of another version, or nothing */
		return false;
	}
	if (hash_key_set(h.key)) {
		log_err("calls of the daemon before do not go on: something was hashed before them"); /* an error of ours */
		keep_clear(k);
		return false;
	}
	return true;
}

/* ---- the clock ---- */

static int read_clock(void *arg, uint32_t id, const void *p, size_t n)
{
	struct rd r = { .p = p, .left = n };
	uint64_t *offset = arg;

	if (id != CLOCK_ID)
		return 0;
	*offset = rd_le64(&r);
	if (r.bad || r.left)
		*offset = 0;
	return 1;
}

uint64_t recorder_clock(struct keep *k)
{
	uint64_t offset = 0;

	return keep_each(k, read_clock, &offset) < 0 ? 0 : offset;
}

/* Fails: there is none then, and the daemon after us takes the machine's clock. */
void recorder_keep_clock(struct recorder *r)
{
	uint64_t offset = clock_offset_ns();
	struct buf b = { 0 };

	if (!r->keep || offset == r->kept_offset)
		return;
	buf_put_le64(&b, offset);
	if (!b.failed && !keep_put(r->keep, CLOCK_ID, b.p, b.len))
		r->kept_offset = offset;
	buf_free(&b);
}

/* ---- saving ---- */

void recorder_changed(void *arg, struct call *c)
{
	struct recorder *r = arg;

	if (!r->keep || c->unsaved)
		return;
	c->unsaved = true;
	c->unsaved_next = r->unsaved;
	r->unsaved = c;
}

void recorder_forgotten(void *arg, struct call *c)
{
	struct recorder *r = arg;
	struct call **p = &r->unsaved;

	if (!r->keep)
		return;
	keep_del(r->keep, c->ring);
	while (c->unsaved && *p) {
		if (*p == c) {
			*p = c->unsaved_next;
			c->unsaved = false;
		} else {
			p = &(*p)->unsaved_next;
		}
	}
}

/* Whether the call's state is in there now. */
static bool save_call(struct recorder *r, struct call *c, bool leaving)
{
	struct buf *b = &r->saving;
	size_t len;
	int e;

	buf_reset(b);
	(void)buf_room(b, KEEP_MAX); /* so that it is not moved with a key in it */
	buf_put_le32(b, 0);
	call_save(c, b);
	len = b->len;
	if (c->user && c->phase != CALL_TOMBSTONE && leaving)
		recording_save_all(c->user, b);
	else if (c->user && c->phase != CALL_TOMBSTONE && recording_durable(c->user))
		recording_save(c->user, b);
	if (!b->failed) {
		uint8_t *p = b->p;

		p[0] = (uint8_t)len;
		p[1] = (uint8_t)(len >> 8);
		p[2] = (uint8_t)(len >> 16);
		p[3] = (uint8_t)(len >> 24);
	}
	e = b->failed ? -ENOMEM : keep_put(r->keep, c->ring, b->p, b->len);
	explicit_bzero(b->p, b->cap);
	r->kept.unsaved += e != 0;
	return !e;
}

void recorder_save(struct recorder *r)
{
	while (r->unsaved) {
		struct call *c = r->unsaved;

		r->unsaved = c->unsaved_next;
		c->unsaved = false;
		(void)save_call(r, c, false); /* counted; the daemon after us will not know this call */
	}
}

static void leave_call(void *arg, struct call *c)
{
	struct recorder *r = arg;
	int e = 0;

	if (c->user)
		e = recording_flush(c->user);
	if (e && !r->err)
		r->err = e;
	if (!save_call(r, c, true)) {
		r->not_left += c->phase != CALL_TOMBSTONE;
		calls_end(r->calls, c, "restart", clock_now_ns());
		return;
	}
	if (c->user)
		recording_leave(c->user);
	c->user = NULL;
}

static void let_go(void *arg, struct call *c)
{
	(void)arg;
	if (c->user)
		(void)recording_leave(c->user);
	c->user = NULL;
}

/* Not all could be restored: what is kept is as the daemon before left it, and nothing of it was changed or is now. */
static int leave_as_found(struct recorder *r)
{
	calls_each(r->calls, let_go, r);
	calls_free(r->calls);
	r->calls = NULL;
	return endings_finish(r);
}

int recorder_leave(struct recorder *r)
{
	int e;

	if (!r->keep)
		return leave_as_found(r);
	sigin_tick(r->sigin, UINT64_MAX); /* what waited for a lost segment comes now or never */
	recorder_save(r);
	recorder_keep_clock(r);
	park_deny_all(r, "restart"); /* what the next daemon hears could not take them back */
	calls_each(r->calls, leave_call, r);
	if (r->not_left)
		log_warn("%llu calls in progress are not left to another daemon and end here: their state has no room (calls)",
			 (unsigned long long)r->not_left);
	e = endings_finish(r);
	if (e == -EAGAIN) { /* audio and keys are durable, and calls without a row are open for the next daemon's store */
		log_warn("the evidence log lets no rows pass: the next daemon says what calls came to that ended last");
		e = 0;
	}
	if (!e)
		e = r->err;
	if (!e)
		e = write_head(r->keep, true);
	r->keep = NULL; /* what goes from here on is not to be forgotten there */
	calls_free(r->calls);
	r->calls = NULL;
	return e;
}

/* ---- restoring ---- */

struct restoring {
	struct recorder *r;
	const struct recorder_restore *how;
	uint32_t *bad; /* numbers that cannot go on */
	size_t nbad, size;
	int err;
};

static void give_up(struct restoring *g, uint32_t id)
{
	uint32_t *p;

	g->r->kept.lost++;
	if (g->nbad == g->size) {
		p = realloc(g->bad, (g->size * 2 + 64) * sizeof(*p));
		if (!p) {
			g->err = -ENOMEM;
			return;
		}
		g->bad = p;
		g->size = g->size * 2 + 64;
	}
	g->bad[g->nbad++] = id;
}

static void attach_recording(struct restoring *g, struct call *c, const uint8_t *p, size_t n)
{
	struct recording *rc = NULL;
	uint64_t over;
	int e = n ? recording_resume(g->r->set.store, c, p, n, &rc) : -ENOENT;

	g->r->kept.recordings += !e;
	if (e) {
		if (n)
			log_debug("a recording in progress does not go on: %s", strerror(-e));
		e = recording_new(g->r->set.store, c, &rc);
		if (!e && c->answered)
			recording_gap(rc, "restart");
	}
	if (e && !g->err)
		g->err = e;
	if (!e)
		recording_limit(rc, &g->r->memory, g->r->set.call_ring);
	if (!e)
		recorder_sounds(g->r, c, rc);
	c->user = e ? NULL : rc;
	for (unsigned leg = 0; !e && leg < 2; leg++) /* whoever saw its end is gone */
		if (recording_pressing(rc, leg, &over))
			call_pressing(g->r->calls, c, leg, over);
}

static int restore_one(void *arg, uint32_t id, const void *bytes, size_t n)
{
	struct restoring *g = arg;
	struct calls_restore how = { g->how->arg, g->how->policy };
	struct rd r = { .p = bytes, .left = n };
	uint32_t len;
	const uint8_t *p;
	struct call *c;

	if (id == HEAD_ID || id == CLOCK_ID)
		return 0;
	len = rd_le32(&r);
	p = len >= 4 ? rd_bytes(&r, len - 4) : NULL;
	if (!p || calls_restore(g->r->calls, &how, p, len - 4, &c)) {
		give_up(g, id);
		return 0;
	}
	if (c->ring != id) { /* its record would outlive it */
		calls_end(g->r->calls, c, "restart", clock_now_ns());
		give_up(g, id);
		return 0;
	}
	g->r->kept.restored += c->phase != CALL_TOMBSTONE; /* those only answer retransmissions */
	if (c->matched && c->phase != CALL_TOMBSTONE)
		attach_recording(g, c, r.p, r.left);
	return g->err;
}

static bool is_owned(void *arg, const struct endpoint *at, uint8_t proto, uint32_t ring)
{
	struct recorder *r = arg;
	struct call *c = calls_by_ring(r->calls, ring);
	const struct call_endpoint *e = c && proto == IPPROTO_UDP ? call_endpoint_at(c, at) : NULL;

	return e && e->owner;
}

/* Verdicts as of now; and what a killed daemon may not have heard is not taken for silence. */
static void go_on(void *arg, struct call *c)
{
	struct recorder *r = arg;

	if (!r->kept.clean)
		calls_lost_media(r->calls, c);
	/* Not there: the process died before the slot was durable, and nothing was kept on it. */
	if (c->decide.sample_slot && r->set.evidence && evidence_claim(r->set.evidence, c))
		call_slot_durable(r->calls, c); /* for the calls that share it, too */
	else if (c->decide.sample_slot)
		call_slot_lost(r->calls, c);
	if (c->phase != CALL_TOMBSTONE)
		calls_refresh(r->calls, c);
	recorder_changed(r, c);
}

static int restore_calls(struct recorder *r, const struct recorder_restore *how)
{
	struct restoring g = { r, how, NULL, 0, 0, 0 };
	struct head h = { 0 };
	int e = keep_each(how->keep, read_head, &h);
	size_t i;

	if (e < 0)
		return e;
	r->kept.clean = h.clean;
	r->restoring = true;
	e = keep_each(how->keep, restore_one, &g);
	calls_restored(r->calls);
	r->restoring = false;
	for (i = 0; !e && i < g.nbad; i++)
		keep_del(how->keep, g.bad[i]);
	free(g.bad);
	return e;
}

int recorder_restore(struct recorder *r, const struct recorder_restore *how)
{
	int e = 0;

	if (how->stale)
		keep_clear(how->keep);
	else
		e = restore_calls(r, how);
	if (!e) /* else they may be of calls that another try restores */
		flow_sweep(r->flows, is_owned, r);
	if (!e && how->save)
		e = write_head(how->keep, false);
	if (e)
		return e;
	r->keep = how->save ? how->keep : NULL;
	recorder_keep_clock(r);
	calls_each(r->calls, go_on, r);
	recorder_save(r);
	return r->err;
}

static void missed_some(void *arg, struct call *c)
{
	struct recorder *r = arg;

	if (c->phase != CALL_TOMBSTONE)
		calls_lost_media(r->calls, c);
}

static void missed_all(void *arg, struct call *c)
{
	struct recorder *r = arg;

	missed_some(r, c);
	if (c->user && recording_begun(c->user)) {
		recording_gap(c->user, "interface-gone");
		recorder_changed(r, c);
	}
}

void recorder_missed(struct recorder *r, bool all)
{
	if (r->err)
		return;
	calls_each(r->calls, all ? missed_all : missed_some, r);
	recorder_save(r);
}

void recorder_kept(const struct recorder *r, struct recorder_kept *ret)
{
	*ret = r->kept;
}
