/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resume.c - calls that a writer left: going on with them, or ending them
 *
 * Invariants: a call is resumed at most once in an epoch, and only in a later
 * epoch than its state is of, so no nonce comes twice; a wrap that was
 * overwritten stays so whatever an older state says; what was never committed
 * is never wrapped for somebody who does not hold the key.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/opens.h"
#include "store/pipe.h"
#include "store/segment.h"
#include "store/slots.h"
#include "store/store_call.h"

/* A call's record is written again after this, so that little of the segments is to be searched after a crash. */
#define RELIST_NS (30 * NS_PER_S)

/* ---- the list ---- */

struct loading {
	struct store *st;
	int rc;
};

static bool in_progress(const struct store *st, const struct uid *uid)
{
	const struct store_call *sc = st->calls;

	while (sc && !uid_equal(&sc->meta.uid, uid))
		sc = sc->next;
	return sc;
}

static int load_one(void *arg, const struct uid *uid, const uint8_t *p, size_t n)
{
	struct loading *l = arg;
	struct left *left;
	struct store_call *sc;
	int rc = record_get(l->st, p, n, &sc);

	if (rc == -EBADMSG)
		return 0; /* fsck names it; its wraps go with their day */
	if (rc) {
		l->rc = rc;
		return rc;
	}
	if (uid && (in_progress(l->st, uid) || left_find(l->st, uid))) { /* loading once more, after a repair */
		scall_free(sc);
		return 0;
	}
	left = uid && uid_equal(uid, &sc->meta.uid) ? calloc(1, sizeof(*left)) : NULL;
	if (!left) {
		scall_free(sc);
		return 0;
	}
	left->sc = sc;
	left->next = l->st->left;
	l->st->left = left;
	return 0;
}

int left_load(struct store *st)
{
	struct loading l = { .st = st };
	int rc = opens_each(st->opens, load_one, &l, why_of(st));

	return l.rc ? why_set(why_of(st), l.rc, "open.db: out of memory") : rc;
}

void left_free(struct store *st)
{
	struct left *l;

	while ((l = st->left)) {
		st->left = l->next;
		scall_free(l->sc);
		free(l);
	}
}

struct left *left_find(struct store *st, const struct uid *uid)
{
	struct left *l = st->left;

	while (l && !uid_equal(&l->sc->meta.uid, uid))
		l = l->next;
	return l;
}

static void left_remove(struct store *st, struct left *l)
{
	struct left **p = &st->left;

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	scall_free(l->sc);
	free(l);
}

int left_drop(struct store *st, struct left *l)
{
	int rc = 0;

	if (!l)
		return 0;
	for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
		rc = scall_drop_wrap(l->sc, (enum store_purpose)p, true);
		if (rc == -ENOENT) /* the whole day is gone */
			rc = 0;
	}
	if (!rc)
		rc = opens_delete(st->opens, &l->sc->meta.uid, why_of(st));
	if (!rc)
		left_remove(st, l);
	return rc;
}

/* ---- listing ---- */

static int open_call(struct store_call *sc)
{
	struct store *st = sc->st;
	struct buf record = { 0 };
	int rc;

	sc->stale = false; /* before looking: what changes from now on makes it so again */
	rc = marks_note(st, sc); /* no more than what is in the record */
	if (rc)
		return rc;
	record_put(sc, &record);
	rc = record.failed ? why_set(why_of(st), -ENOMEM, "out of memory") :
			     opens_put(st->opens, &sc->meta.uid, record.p, record.len, why_of(st));
	buf_free(&record);
	if (rc)
		return rc;
	sc->listed = true;
	sc->listed_ns = clock_now_ns();
	sc->listed_extents = sc->durable.extents;
	return 0;
}

static int marks_write(struct store *st)
{
	int rc = 0;

	for (size_t i = 0; !rc && st->settled && i < st->nmarks; i++) {
		struct mark *m = &st->mark[i];

		if (m->dirty)
			rc = opens_mark(st->opens, m->controller, m->purpose, m->day, m->next, why_of(st));
		m->dirty = rc != 0;
	}
	return rc;
}

/*
 * Slots are put by one thread and in order, and their calls come here in the same order or are listed
 * before: so when one has a row or a record, none before it is nobody's.
 */
int marks_note(struct store *st, const struct store_call *sc)
{
	int rc = 0;

	for (unsigned p = 0; !rc && p < STORE_PURPOSES; p++) {
		uint32_t slot, day;
		struct mark *m;
		size_t i;

		pthread_mutex_lock(&st->wraps);
		slot = sc->slot[p];
		day = sc->purpose_day[p];
		pthread_mutex_unlock(&st->wraps);
		if (!slot)
			continue;
		for (i = 0; i < st->nmarks; i++) {
			m = &st->mark[i];
			if (m->day == day && m->purpose == p &&
			    !strcmp(m->controller, sc->meta.controller))
				break;
		}
		if (i == MARKS) {
			rc = marks_write(st);
			st->nmarks = i = 0;
		}
		m = &st->mark[i];
		if (i == st->nmarks) {
			*m = (struct mark){ .day = day, .purpose = p };
			snprintf(m->controller, sizeof(m->controller), "%s", sc->meta.controller);
			st->nmarks++;
		}
		if (m->next <= slot) {
			m->next = slot + 1;
			m->dirty = true;
		}
	}
	return rc;
}

int open_calls(struct store *st)
{
	uint64_t now = clock_now_ns();
	int rc = 0;

	for (struct store_call *sc = st->calls, *next; !rc && sc; sc = next) {
		bool grown = sc->extents.len != sc->listed_extents;

		next = sc->next;
		if (sc->extents.len != sc->durable.extents)
			scall_durable(sc);
		/* The first chunk at once: without it the search would begin where the call began. */
		if (!sc->listed || sc->stale || sc->leaving || (grown && (!sc->listed_extents || now - sc->listed_ns >= RELIST_NS)))
			rc = open_call(sc);
		if (!rc && sc->leaving)
			scall_free(sc);
	}
	return rc ? rc : marks_write(st);
}

/* ---- saving and resuming ---- */

int store_call_save(const struct store_call *sc, struct buf *out)
{
	saved_put(sc, true, out);
	return out->failed ? -ENOMEM : 0;
}

int store_call_save_durable(const struct store_call *sc, struct buf *out)
{
	saved_put(sc, false, out);
	return out->failed ? -ENOMEM : 0;
}

int scall_leave(struct store_call *sc)
{
	int rc = sc->catching_up ? catch_up(sc->st) : 0;

	if (rc)
		scall_abort(sc);
	else
		sc->leaving = true;
	return rc;
}

int store_call_leave(struct store_call *sc)
{
	struct store *st = sc->st;
	int rc = check_writable(st);

	if (rc) {
		store_call_abort(sc);
		return rc;
	}
	return st->pipe ? pipe_leave(sc) : scall_leave(sc);
}

bool store_call_committed(const struct store_call *sc, enum store_purpose p)
{
	return sc->slot[p];
}

int scall_has_row(struct store *st, const struct store_call *sc)
{
	int rc = catalog_has(st->catalog, sc->meta.controller, sc->day, &sc->meta.uid, why_of(st));

	if (rc == -EAGAIN) { /* every database has an open transaction */
		rc = sync_here(st);
		if (!rc)
			rc = catalog_has(st->catalog, sc->meta.controller, sc->day, &sc->meta.uid, why_of(st));
	}
	return rc;
}

/* 1 the wrap is there and may still be opened, 0 it was destroyed. */
static int wrap_there(struct store *st, const struct store_call *sc, enum store_purpose p)
{
	struct bucket b;
	struct slot s;
	int rc;

	if (!sc->slot[p])
		return 0;
	rc = slot_read(&st->root, sc->meta.controller, p, sc->purpose_day[p], sc->slot[p], &s, why_of(st));
	if (!rc && !s.empty && uid_equal(&s.uid, &sc->meta.uid)) {
		rc = bucket_read(&st->root, sc->meta.controller, p, sc->purpose_day[p], &b, why_of(st));
		if (!rc)
			rc = b.state == BUCKET_LIVE;
		sodium_memzero(&b, sizeof(b));
	}
	return rc == -ENOENT ? 0 : rc;
}

/* What was destroyed since the state was saved stays so, and its holder must know. */
static int check_purposes(struct store *st, struct store_call *sc, const struct saved *saved)
{
	for (int p = 0; p < STORE_PURPOSES; p++) {
		int there = wrap_there(st, sc, (enum store_purpose)p);

		if (there < 0)
			return there;
		if (sc->gone[p] > saved->gone[p] || (sc->gone[p] == saved->gone[p] && sc->slot[p] && !there))
			return why_set(why_of(st), -ESHUTDOWN, "%s was destroyed after the state was saved",
				       store_purpose_names[p]);
		/* destroyed since, or of a key that the state does not hold: the caller commits anew */
		if (there && (sc->gone[p] < saved->gone[p] || !saved->keyed[p])) {
			int rc = scall_drop_wrap(sc, (enum store_purpose)p, true);

			if (rc)
				return rc;
			there = 0;
		}
		sc->gone[p] = saved->gone[p];
		if (!there)
			sc->slot[p] = 0;
	}
	return 0;
}

/* A wrap of after the last sync: no record names its slot, so it is written once more and that one overwritten. */
static int wrap_again(struct store_call *sc, const struct saved *saved)
{
	int rc = 0;

	for (int p = 0; !rc && p < STORE_PURPOSES; p++)
		if (saved->wrapped[p] && sc->keyed[p] && !sc->slot[p])
			rc = store_call_commit(sc, (enum store_purpose)p);
	return rc;
}

static int check_saved(struct store *st, struct left *l, const struct saved *saved)
{
	int rc;

	if (saved->epoch >= st->epoch)
		return why_set(why_of(st), -EALREADY, "saved call: of this opening of the store");
	if (!l || l->sc->id != saved->id)
		return why_set(why_of(st), -ENOENT, "saved call: the store has no such call in progress");
	rc = scall_has_row(st, l->sc);
	if (rc)
		return rc < 0 ? rc : why_set(why_of(st), -EEXIST, "saved call: it has ended");
	return check_purposes(st, l->sc, saved);
}

int store_call_resume(struct store *st, const void *bytes, size_t n, struct store_call **ret)
{
	struct store_call *sc;
	struct saved saved;
	struct left *l;
	int rc = check_writable(st);

	if (rc)
		return rc;
	if (st->pipe)
		return why_set(why_of(st), -EBUSY, "saved call: after store_threads");
	if (!saved_get(bytes, n, &saved))
		return why_set(why_of(st), -EBADMSG, "saved call: damaged");
	l = left_find(st, &saved.uid);
	rc = check_saved(st, l, &saved);
	if (rc)
		return rc;
	sc = l->sc;
	rc = scall_parts_restore(sc, &saved);
	if (!rc)
		rc = wrap_again(sc, &saved);
	if (rc) { /* as if nobody had come */
		scall_parts_wipe(sc);
		return rc == -ENOMEM ? why_set(why_of(st), rc, "out of memory") :
		       rc == -EBADMSG ? why_set(why_of(st), rc, "saved call: not of this call") : rc;
	}
	sc->epoch = st->epoch;
	sc->catching_up = !l->sought;
	sc->listed = true;
	sc->stale = true;
	l->sc = NULL;
	left_remove(st, l); /* so it is not resumed a second time */
	scall_link(sc);
	figure_add(&st->figures.calls, 1);
	*ret = sc;
	return 0;
}

/* ---- what the dead writer wrote behind the last record ---- */

struct seek {
	struct store_call *sc;
	uint32_t segment; /* from here on */
	uint64_t off;
};

struct seeks {
	struct seek *v;
	size_t n, cap;
};

static int seek_add(struct seeks *s, struct store_call *sc)
{
	const struct extent_state *from = sc->at.segment ? &sc->at : &sc->from;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct seek *v = realloc(s->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = (struct seek){ sc, from->segment, from->end };
	return 0;
}

static int place_cmp(const struct store_call *a, const struct store_call *b)
{
	int c = strcmp(a->meta.controller, b->meta.controller);

	return c ? c : a->day < b->day ? -1 : a->day > b->day;
}

/* By place, and by uid within one. */
static int seek_cmp(const void *a, const void *b)
{
	const struct seek *x = a, *y = b;
	int c = place_cmp(x->sc, y->sc);

	return c ? c : memcmp(&x->sc->meta.uid, &y->sc->meta.uid, sizeof(struct uid));
}

static struct seek *seek_find(struct seek *v, size_t n, const struct uid *uid)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(&v[mid].sc->meta.uid, uid, sizeof(*uid)) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && uid_equal(&v[lo].sc->meta.uid, uid) ? &v[lo] : NULL;
}

static void take_chunks(struct store *st, struct seek *v, size_t n, uint32_t segment, const uint8_t *p, size_t size)
{
	uint64_t off = SEGMENT_HEAD;
	struct segment_item it;

	while (segment_next(p, size, &off, &it)) {
		struct extent e = { .segment = segment, .len = it.head.length, .off = it.off };
		struct seek *s;

		if (it.kind != SEGMENT_CHUNK || it.head.epoch >= st->epoch)
			continue;
		s = seek_find(v, n, &it.head.uid);
		if (!s || !scall_part_known(s->sc, &it.head) || segment < s->segment || (segment == s->segment && it.off < s->off))
			continue;
		extent_put(&s->sc->extents, &s->sc->at, &e);
		scall_parts_add(s->sc, it.head.part, it.head.leg, it.head.packets,
				leg_add(&s->sc->leg[it.head.leg], it.head.packets, it.head.payload, it.head.start_ns), false);
	}
}

/* What the disk does not give back is lost to its calls; neither they nor those that come wait for it. fsck names it. */
static int seek_segment(struct store *st, struct seek *v, size_t n, uint32_t segment)
{
	char name[STORE_PATH_MAX];
	uint8_t *p = NULL;
	struct stat sb;
	int fd, rc = 0;

	segment_path(v->sc->meta.controller, v->sc->day, segment, "seg", name);
	fd = beneath_openat(st->root.fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0 && (errno == ENOMEM || errno == EMFILE || errno == ENFILE)) {
		rc = why_errno(why_of(st), -errno, name, "cannot open");
	} else if (fd >= 0 && !fstat(fd, &sb) && S_ISREG(sb.st_mode) && (uint64_t)sb.st_size <= SEGMENT_MAX) { /* S-2 */
		p = malloc((size_t)sb.st_size + 1);
		if (p) {
			(void)pread_pieces(fd, p, (size_t)sb.st_size);
			take_chunks(st, v, n, segment, p, (size_t)sb.st_size);
		} else {
			rc = why_set(why_of(st), -ENOMEM, "out of memory");
		}
	}
	free(p);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Segments of one place in order, from the first that any call wants. */
static int seek_place(struct store *st, struct seek *v, size_t n)
{
	char dir[STORE_PATH_MAX], text[16];
	uint32_t first = UINT32_MAX;
	struct names files;
	int rc;

	for (size_t i = 0; i < n; i++)
		if (v[i].segment < first)
			first = v[i].segment;
	day_text(v->sc->day, text);
	snprintf(dir, sizeof(dir), "segments/%s/%s", v->sc->meta.controller, text);
	rc = names_read(&st->root, dir, &files);
	if (rc)
		return why_errno(why_of(st), rc, dir, "cannot read directory");
	for (size_t i = 0; !rc && i < files.n; i++) {
		const char *name = files.v[i];
		uint32_t number = (uint32_t)strtoul(name, NULL, 10);

		/* The dead writer's were finished when the store was opened. */
		if (strspn(name, "0123456789") == 8 && !strcmp(name + 8, ".seg") && number >= first)
			rc = seek_segment(st, v, n, number);
	}
	names_free(&files);
	return rc;
}

static int seek_all(struct store *st, struct seeks *s)
{
	int rc = 0;

	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), seek_cmp);
	for (size_t i = 0, k; !rc && i < s->n; i = k) {
		for (k = i + 1; k < s->n && !place_cmp(s->v[i].sc, s->v[k].sc); k++)
			;
		rc = seek_place(st, s->v + i, k - i);
	}
	return rc;
}

/* What this process wrote meanwhile comes behind. */
static int join_late(struct store_call *sc)
{
	for (size_t at = 0; at < sc->late.len; at += sizeof(struct extent)) {
		struct extent e;

		memcpy(&e, sc->late.p + at, sizeof(e));
		extent_put(&sc->extents, &sc->at, &e);
	}
	for (int i = 0; i < 2; i++) {
		struct leg_sum *l = &sc->leg[i], *late = &sc->late_leg[i];

		l->packets += late->packets;
		l->payload += late->payload;
		l->audio_ms += late->audio_ms;
		if (late->last_ns > l->last_ns)
			l->last_ns = late->last_ns;
	}
	scall_parts_sums(sc, SUMS_JOIN);
	buf_free(&sc->late);
	sc->catching_up = false;
	sc->stale = true;
	return sc->extents.failed ? -ENOMEM : 0;
}

int catch_up(struct store *st)
{
	struct seeks s = { 0 };
	int rc = 0;

	for (struct left *l = st->left; !rc && l; l = l->next)
		if (!l->sought)
			rc = seek_add(&s, l->sc);
	for (int ended = 0; ended < 2; ended++)
		for (struct store_call *sc = ended ? st->ended : st->calls; !rc && sc; sc = sc->next)
			if (sc->catching_up)
				rc = seek_add(&s, sc);
	rc = rc ? why_set(why_of(st), rc, "out of memory") : seek_all(st, &s);
	for (struct left *l = st->left; !rc && l; l = l->next)
		l->sought = true;
	for (int ended = 0; ended < 2; ended++)
		for (struct store_call *sc = ended ? st->ended : st->calls; !rc && sc; sc = sc->next)
			if (sc->catching_up && join_late(sc))
				rc = why_set(why_of(st), -ENOMEM, "out of memory");
	free(s.v);
	return rc;
}

/* ---- the end of those that nobody resumed ---- */

static void deny(struct store_call_result *r, const struct store_call *sc, const char *why)
{
	for (int p = 0; p < STORE_PURPOSES; p++)
		if (sc->meta.until_ns[p] && (state_holds(r->state[p]) || r->state[p] == STORE_S_PENDING)) {
			r->state[p] = STORE_S_DENIED;
			r->reason[p] = why;
		}
}

/* The states the row gets; *ret_any: some wrap is there. */
static int end_states(struct store *st, const struct store_call *sc, struct store_call_result *r, bool *ret_any)
{
	const char *why = r->end;

	*ret_any = false;
	for (int p = 0; p < STORE_PURPOSES; p++) {
		int there = wrap_there(st, sc, (enum store_purpose)p);

		if (there < 0)
			return there;
		r->state[p] = sc->meta.now.state[p];
		r->reason[p] = sc->meta.now.reason[p];
		if (there && !state_holds(r->state[p])) { /* nobody said that it may be used */
			r->state[p] = STORE_S_OBJECTED;
			r->reason[p] = why;
		} else if (!there && (state_holds(r->state[p]) || r->state[p] == STORE_S_PENDING)) {
			r->state[p] = STORE_S_DENIED;
			r->reason[p] = why;
		}
		*ret_any |= there;
	}
	return 0;
}

static void decide(const struct store_call *sc, bool any, bool repair, struct store_call_result *r)
{
	uint64_t last = sc->leg[0].last_ns > sc->leg[1].last_ns ? sc->leg[0].last_ns : sc->leg[1].last_ns;

	r->end_ns = last ? last : sc->meta.start_ns;
	r->outcome = STORE_O_KEPT;
	if (sc->meta.now.keep_ns == UINT64_MAX) {
		r->outcome = STORE_O_DENIED;
		deny(r, sc, "not-answered");
	} else if (last < sc->meta.now.keep_ns && repair) { /* it may have been long enough: the disk took its end */
		r->outcome = STORE_O_GAP;
		deny(r, sc, "gap");
	} else if (last < sc->meta.now.keep_ns) {
		r->outcome = STORE_O_DENIED;
		deny(r, sc, "too-short");
	} else if (!any) {
		r->outcome = STORE_O_DENIED;
	} else if (!sc->extents.len) {
		r->outcome = STORE_O_GAP;
		deny(r, sc, "gap");
	}
}

static int settle_one(struct store *st, struct store_call *sc)
{
	bool repair = st->settled; /* it was ours, and its end or row is what the disk did not take */
	const char *why = repair ? "disk" : "crash";
	struct store_call_result r = { .answer_ns = sc->meta.now.answer_ns, .end = why, .gap = why };
	struct catalog_row row = { .meta = &sc->meta, .result = &r, .day = sc->day };
	bool any = false, live[STORE_PURPOSES] = { false, false };
	struct buf parts = { 0 };
	int rc = scall_has_row(st, sc);

	if (rc) /* ended, only the record was left */
		return rc < 0 ? rc : opens_delete(st->opens, &sc->meta.uid, why_of(st));
	rc = end_states(st, sc, &r, &any);
	if (rc)
		return rc;
	decide(sc, any, repair, &r);
	row.kept = r.outcome == STORE_O_KEPT;
	for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
		row.hash[p] = sc->has_hash[p] ? sc->hash[p] : NULL;
		if (row.kept && state_holds(r.state[p])) {
			row.purpose_day[p] = sc->purpose_day[p];
			row.purpose_slot[p] = sc->slot[p];
			live[p] = true;
			continue;
		}
		rc = scall_drop_wrap(sc, (enum store_purpose)p, true);
		rc = rc == -ENOENT ? 0 : rc;
	}
	for (int i = 0; row.kept && i < 2; i++) {
		r.leg[i].packets = sc->leg[i].packets;
		r.leg[i].audio_ms = sc->leg[i].audio_ms;
		r.leg[i].format = sc->leg[i].format;
	}
	if (row.kept) {
		row.numbers = sc->numbers.len ? sc->numbers.p : NULL;
		row.numbers_len = sc->numbers.len;
		row.grounds = sc->grounds.len ? sc->grounds.p : NULL;
		row.grounds_len = sc->grounds.len;
		row.extents = sc->extents.p;
		row.extents_len = sc->extents.len;
	}
	if (!rc && row.kept)
		rc = row_parts(sc, live, false, &r, &parts, &row);
	if (!rc)
		rc = add_row(st, &row);
	buf_free(&parts);
	if (rc == -EEXIST) /* by somebody who began it anew */
		rc = 0;
	return rc ? rc : opens_delete(st->opens, &sc->meta.uid, why_of(st));
}

static bool wrap_of(const struct store_call *sc, unsigned p, uint32_t day, uint32_t index, const struct uid *uid)
{
	struct store *st = sc->st;
	bool own;

	pthread_mutex_lock(&st->wraps);
	own = sc->slot[p] == index && sc->purpose_day[p] == day && uid_equal(&sc->meta.uid, uid);
	pthread_mutex_unlock(&st->wraps);
	return own;
}

/* A call of this process, or one that is listed: not the wrap of nobody. */
static int wrap_owned(struct store *st, const char *controller, unsigned p, uint32_t day, uint32_t index,
		      const struct uid *uid)
{
	int rc;

	for (int ended = 0; ended < 2; ended++)
		for (const struct store_call *sc = ended ? st->ended : st->calls; sc; sc = sc->next) /* resumed, ended since */
			if (wrap_of(sc, p, day, index, uid))
				return 1;
	for (const struct left *l = st->left; l; l = l->next)
		if (wrap_of(l->sc, p, day, index, uid))
			return 1;
	/* A row that names another slot of the file had this one before (shortened, given again). */
	rc = catalog_names(st->catalog, controller, uid, p, day, index, why_of(st));
	if (rc == -EAGAIN) {
		rc = sync_here(st);
		if (!rc)
			rc = catalog_names(st->catalog, controller, uid, p, day, index, why_of(st));
	}
	return rc;
}

/* Slots behind the mark: written after the last sync. Not our own. */
static int settle_slots(void *arg, const char *controller, unsigned p, uint32_t day, uint32_t end)
{
	struct store *st = arg;
	uint32_t mark, first = slots_first(st->slots, controller, p, day);
	struct slot s;
	int rc = opens_marked(st->opens, controller, p, day, &mark, why_of(st));

	end = first < end ? first : end;

	for (uint32_t i = mark; !rc && i < end; i++) {
		rc = slot_read(&st->root, controller, p, day, i, &s, why_of(st));
		if (rc == -EBADMSG) { /* damage is fsck's to name */
			rc = 0;
			continue;
		}
		if (rc || s.empty)
			continue;
		rc = wrap_owned(st, controller, p, day, i, &s.uid);
		if (!rc)
			rc = slots_erase(st->slots, controller, (enum store_purpose)p, day, i, false, why_of(st));
		rc = rc > 0 ? 0 : rc;
	}
	return rc || end <= mark ? rc : opens_mark(st->opens, controller, p, day, end, why_of(st));
}

int settle_left(struct store *st, uint64_t *ret_calls)
{
	uint64_t calls = 0;
	int rc = catch_up(st);

	for (struct left *l = rc ? NULL : st->left, *next; !rc && l; l = next) {
		next = l->next;
		rc = settle_one(st, l->sc);
		l->stuck = rc == -EBADMSG; /* fsck names the file; nothing of it is thrown away */
		if (l->stuck)
			rc = 0;
		else if (!rc)
			left_remove(st, l), calls++;
	}
	figure_add(&st->figures.settled, calls);
	*ret_calls = calls;
	return rc;
}

int settle_here(struct store *st, uint64_t *ret_calls)
{
	int rc = settle_left(st, ret_calls);

	if (!rc)
		rc = slots_files(&st->root, settle_slots, st, why_of(st));
	if (!rc) {
		st->settled = true;
		rc = sync_here(st);
	}
	return rc;
}

bool store_settled(const struct store *st)
{
	return st->settle_done;
}

int store_settle(struct store *st, uint64_t *ret_calls)
{
	uint64_t calls = 0;
	int rc = check_writable(st);

	if (!rc)
		rc = st->pipe ? pipe_settle(st) : settle_here(st, &calls);
	if (!rc && ret_calls)
		*ret_calls = calls;
	return rc;
}
