/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cuts_util.h - a store with everything that one can have in it, and what each call of it is to its readers
 *
 * Included by one test program. The store is made once, in tmpfs where there is one; each case works on a copy.
 */
#ifndef CUTS_UTIL_H
#define CUTS_UTIL_H

#include "store_util.h"

#include <dirent.h>
#include <ftw.h>
#include <sodium.h>

#include "reap_util.h"
#include "store/catalog.h"
#include "store/evlog.h"
#include "store/hold.h"
#include "store/outbox.h"
#include "store/segment.h"
#include "store/slot.h"
#include "store/store_internal.h"

enum call { GONE, MOVED, ERASED, DUE, HELD, PARTS, DENIED, LIVE, ASKED, HALF, OTHER, BUSY, CALLS };
#define NEAR  (T0 + 30 * DAY_NS) /* GONE, MOVED: their bucket is destroyed in the store */
#define NEXT  (T0 + 60 * DAY_NS) /* DUE, HELD: it is to be by the next reaper */
#define FAR   (T0 + 200 * DAY_NS)
#define FIRST (T0 + 31 * DAY_NS) /* when the reaper ran */
#define THEN  (T0 + 61 * DAY_NS + DAY_NS / 2)

static const struct {
	const char *name, *controller;
	uint64_t until[STORE_PURPOSES];
	bool dead[STORE_PURPOSES]; /* destroyed in the store */
	bool due[STORE_PURPOSES];  /* by the next reaper */
} kind[CALLS] = {
	[GONE] = { "gone", "acme", { NEAR, 0 }, { true, false }, { false, false } },
	[MOVED] = { "moved", "acme", { NEAR, 0 }, { false, false }, { false, false } },
	[ERASED] = { "erased", "acme", { FAR, 0 }, { true, false }, { false, false } },
	[DUE] = { "due", "acme", { NEXT, FAR }, { false, false }, { true, false } },
	[HELD] = { "held", "acme", { NEXT, 0 }, { false, false }, { false, false } },
	[PARTS] = { "parts", "acme", { FAR, FAR }, { false, false }, { false, false } },
	[DENIED] = { "denied", "acme", { FAR, 0 }, { false, false }, { false, false } },
	[LIVE] = { "live", "acme", { FAR, 0 }, { false, false }, { false, false } },
	[ASKED] = { "asked", "acme", { FAR, FAR }, { false, false }, { true, false } },
	[HALF] = { "half", "acme", { FAR, NEAR }, { false, true }, { false, false } },
	[OTHER] = { "other", "beta", { FAR, 0 }, { false, false }, { false, false } },
	[BUSY] = { "busy", "acme", { FAR, 0 }, { false, false }, { false, false } },
};

static struct uid uids[CALLS];
static char gold_dir[256];

static int call_of(const struct uid *uid)
{
	for (int i = 0; i < CALLS; i++)
		if (uid_equal(&uids[i], uid))
			return i;
	return -1;
}

/* ---- making it ---- */

static void sound(struct store *st, struct store_call *sc, struct chunk *c, unsigned i, unsigned n)
{
	for (unsigned leg = 0; leg < 2; leg++) {
		rng_state = 0x9e3779b97f4a7c15ULL * (i * 100 + n * 10 + leg + 1);
		chunk_stream(c, "PCMA", 8, K_SPEECH, n * 2, 2, 160);
		ok(st, store_call_append(sc, leg, c));
	}
}

static void put(struct store *st, enum call i)
{
	struct chunk *c = chunk_new();
	struct store_call_meta m;
	struct store_call_result r;
	struct store_call *sc;

	meta_of(i, &m);
	result_of(i, &r);
	m.controller = kind[i].controller;
	for (int p = 0; p < STORE_PURPOSES; p++) {
		m.until_ns[p] = kind[i].until[p];
		m.commit[p] = i != DENIED && m.until_ns[p];
		r.state[p] = m.commit[p] ? STORE_S_GRANTED : STORE_S_DENIED;
		r.reason[p] = m.commit[p] ? "interest" : "optout";
	}
	uids[i] = m.uid;
	if (i == DENIED) {
		r.outcome = STORE_O_DENIED;
		ok(st, store_call_denied(st, &m, &r));
		chunk_free(c);
		return;
	}
	ok(st, store_call_begin(st, &m, &sc));
	sound(st, sc, c, i, 0);
	if (i == PARTS) {
		ok(st, store_call_part(sc, 1, T0 + i * NS_PER_S + 100 * NS_PER_MS));
		store_call_enter(sc, 0);
		store_call_enter(sc, 1);
	}
	sound(st, sc, c, i, 1);
	ok(st, i == BUSY ? store_call_leave(sc) : store_call_end(sc, &r));
	chunk_free(c);
}

static void put_on_hold(enum call i)
{
	struct hold_why w = { .reason = "dispute", .reference = "D-1", .review = 20270301 };
	struct hold_person who = { .uid = 1001, .name = "anna" };
	struct store *st = open_store(STORE_RO);
	struct holds *h;
	bool fresh;

	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_add(st, h, &uids[i], &w, &who, T0 + DAY_NS, &fresh));
	holds_close(h);
	store_close(st);
}

static void ask(enum call i, uint64_t now)
{
	char why[512];

	assert_int_equal(reap_request(store_dir, &uids[i], STORE_DOCUMENTATION, "erased", 0, now, why, sizeof(why)), 0);
}

static void leave_event(uint64_t now)
{
	struct evlog_event e = { .kind = EVLOG_KEY_DESTROY, .source = EVLOG_S_REAPER, .time_ns = now, .has_call = true, .call = uids[ERASED],
				 .controller = "acme", .purpose = EVLOG_P_DOCUMENTATION };
	struct outbox *o;
	char why[512] = "";

	assert_int_equal(outbox_open(store_dir, &o, why, sizeof(why)), 0);
	if (outbox_add(o, &e))
		fail_msg("outbox_add: %s", outbox_why(o));
	assert_int_equal(outbox_commit(o), 0);
	outbox_close(o);
}

static void evidence_day(uint64_t now, unsigned n)
{
	struct evlog_event e = { .kind = EVLOG_DAEMON_START, .time_ns = now };
	struct evlog *l;
	char why[512] = "";

	clock_set_ns(now);
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0);
	for (unsigned i = 0; i < n; i++) {
		int rc = evlog_append(l, &e, NULL);

		evlog_why(l, why, sizeof(why));
		if (rc)
			fail_msg("append: %d %s", rc, why);
		e.time_ns++;
	}
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
}

static void make_gold(void)
{
	struct store *st = open_store(STORE_RW);

	catalog_limit(st->catalog, 4);
	for (int i = 0; i < BUSY; i++) {
		put(st, (enum call)i);
		ok(st, store_sync(st));
	}
	store_close(st);
	evidence_day(T0 + DAY_NS, 3);
	put_on_hold(MOVED);
	put_on_hold(HELD);
	ask(ERASED, T0 + 2 * DAY_NS);
	(void)reap_at(FIRST);
	st = open_store(STORE_RW);
	put(st, BUSY);
	ok(st, store_sync(st));
	store_close(st);
	ask(ASKED, FIRST + NS_PER_S);
	leave_event(FIRST + 2 * NS_PER_S);
	fsck_clean(NULL);
}

/* ---- what it is to its readers ---- */

struct view {
	bool row;
	int rc[STORE_PURPOSES]; /* of opening it */
	unsigned chunks[STORE_PURPOSES], bad[STORE_PURPOSES];
	uint8_t heard[STORE_PURPOSES][16], row_hash[16];
};

struct views {
	int rc; /* of looking at all rows */
	struct store *st;
	struct view v[CALLS];
};

/* row NULL: it is looked for. */
static void hear(struct store *st, const struct uid *uid, const struct store_row *row, enum store_purpose p, struct view *v)
{
	struct store_reader *r = NULL;
	crypto_generichash_state h;
	const struct chunk *c;
	unsigned leg;
	int got;

	crypto_generichash_init(&h, NULL, 0, 16);
	v->chunks[p] = v->bad[p] = 0;
	v->rc[p] = row ? store_read_row(st, row, p, keys_dir, &r) : store_read_open(st, uid, p, keys_dir, &r);
	while (!v->rc[p] && (got = store_read_next(r, &leg, &c)) != 0) {
		if (got < 0) {
			v->bad[p]++;
			if (got != -EBADMSG || v->bad[p] > 100) {
				v->rc[p] = got;
				break;
			}
			continue;
		}
		v->chunks[p]++;
		crypto_generichash_update(&h, (const uint8_t *)&leg, sizeof(leg));
		crypto_generichash_update(&h, c->data, c->nbytes);
	}
	store_read_close(r);
	crypto_generichash_final(&h, v->heard[p], 16);
}

static int take_row(void *arg, const struct store_row *row)
{
	struct views *w = arg;
	int i = call_of(&row->uid);
	crypto_generichash_state h;
	char text[400];

	if (i < 0)
		return 0;
	snprintf(text, sizeof(text), "%s %s %s %llu %llu %d %d %d %s %s", row->controller, row->rule, row->sip_call_id,
		 (unsigned long long)row->start_ns, (unsigned long long)row->end_ns, (int)row->outcome, (int)row->state[0],
		 (int)row->state[1], row->reason[0], row->reason[1]);
	crypto_generichash_init(&h, NULL, 0, 16);
	crypto_generichash_update(&h, (const uint8_t *)text, strlen(text));
	crypto_generichash_final(&h, w->v[i].row_hash, 16);
	w->v[i].row = true;
	for (int p = 0; p < STORE_PURPOSES; p++)
		hear(w->st, &uids[i], row, (enum store_purpose)p, &w->v[i]);
	return 0;
}

/*
 * 0, or what opening the store says. Calls are heard by their rows; those without, and of `again` one purpose, by looking for
 * them, where not to find one does not depend on the purpose.
 */
static int look_at(struct views *w, unsigned again)
{
	struct store_filter all = { .state = -1 };
	struct store *st;
	char why[512];
	int rc = store_open(store_dir, STORE_RO, &st, why, sizeof(why));

	*w = (struct views){ 0 };
	if (rc)
		return rc;
	w->st = st;
	w->rc = store_find(st, &all, take_row, w);
	for (unsigned i = 0; i < CALLS; i++)
		for (unsigned p = 0; p < STORE_PURPOSES; p++) {
			struct view *v = &w->v[i];

			if (p && !v->row && v->rc[0] == -ENOENT)
				v->rc[p] = -ENOENT;
			else if (!v->row || (i == again % CALLS && p == again / CALLS % STORE_PURPOSES))
				hear(st, &uids[i], NULL, (enum store_purpose)p, v);
		}
	store_close(st);
	return 0;
}

/* ---- which bytes are whose ---- */

struct area {
	char file[300];
	uint64_t from, to;
	unsigned calls[STORE_PURPOSES]; /* bits of enum call: what of them may be lost with it */
	bool live;			/* fsck names the file when it is damaged */
	bool rows;			/* rows may be lost or others, too */
};

static struct area areas[400];
static unsigned nareas;

static void area(const char *file, uint64_t from, uint64_t to, unsigned doc, unsigned training, bool live, bool rows)
{
	struct area *a = &areas[nareas++];

	assert_true(nareas < 400);
	*a = (struct area){ .from = from, .to = to, .calls = { doc, training }, .live = live, .rows = rows };
	snprintf(a->file, sizeof(a->file), "%s", file);
}

static void map_segment(const char *file, const uint8_t *p, size_t n)
{
	uint64_t off = SEGMENT_HEAD;
	struct segment_item it;

	while (segment_next(p, n, &off, &it)) {
		int i = it.kind == SEGMENT_CHUNK ? call_of(&it.head.uid) : -1;
		bool dead = i >= 0 && (kind[i].dead[0] || !kind[i].until[0]) && (kind[i].dead[1] || !kind[i].until[1]);

		dead |= i == BUSY; /* it has no row yet that asks for it */
		if (i >= 0)
			area(file, it.off, it.off + it.len, 1u << i, 1u << i, !dead, false);
	}
	area(file, 0, SEGMENT_HEAD, 0, 0, false, false);
}

static void map_slots(const char *file, const uint8_t *p, size_t n)
{
	bool hold = strstr(file, "hold.slots"), training = strstr(file, "/training/");
	unsigned all = 0;

	for (uint64_t off = SLOT_SIZE; off + SLOT_SIZE <= n; off += SLOT_SIZE) {
		struct slot s = { .empty = true };
		struct uid uid;
		int i;

		memcpy(&uid, p + off + 8, sizeof(uid));
		if (!hold && (slot_parse(p + off, &s) || s.empty))
			continue;
		i = call_of(hold ? &uid : &s.uid);
		if (i < 0)
			continue;
		all |= 1u << i;
		/* HELD has two keys, BUSY no row that asks for it */
		area(file, off, off + SLOT_SIZE, training ? 0 : 1u << i, training ? 1u << i : 0, i != HELD && i != BUSY, false);
	}
	area(file, 0, SLOT_SIZE, training ? 0 : all, training ? all : 0, true, false);
	if (!hold) { /* the key of them all */
		char bucket[300];

		snprintf(bucket, sizeof(bucket), "%.*s.bucket", (int)(strlen(file) - 6), file);
		area(bucket, 0, UINT64_MAX, training ? 0 : all, training ? all : 0, true, true);
	}
}

static int map_catalog(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct store_filter all = { .state = -1 };
	const struct cursor_row *row;
	struct why why = { "" };
	char name[STORE_PATH_MAX];
	unsigned calls = 0;
	struct cursor *c;
	int i;

	assert_int_equal(cursor_open(arg, controller, day, part, &all, NULL, NULL, &c, &why), 0);
	while (cursor_next(c, &row, &why) == 1)
		if ((i = call_of(&row->row.uid)) >= 0)
			calls |= 1u << i;
	cursor_close(c);
	catalog_path(controller, day, part, name);
	area(name, 0, UINT64_MAX, calls, calls, false, true);
	return 0;
}

#endif
