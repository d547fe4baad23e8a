/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inventory_keys.c - the keys' side of the inventory: live slots, which of them a row names, and deadlines
 *
 * A file is read once, when the first row names a slot of it. Files of dead buckets are not: nothing can be read by them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/uid.h"
#include "store/bucket.h"
#include "store/catalog.h"
#include "store/hold.h"
#include "store/inventory_internal.h"
#include "store/opens.h"
#include "store/slot.h"

#define READ_BYTES (1u << 20)
#define SLOTS_MAX  (1u << 28) /* of a day */

static uint16_t print_of(const struct uid *u)
{
	uint32_t h = 2166136261u;
	const uint8_t *p = (const uint8_t *)u;

	for (size_t i = 0; i < sizeof(*u); i++)
		h = (h ^ p[i]) * 16777619u;
	h = (h ^ h >> 15) & (INV_NAMED - 1);
	return (uint16_t)(h ? h : 1);
}

/* ---- reading ---- */

/* 1 it lives, 0 it does not. */
static int bucket_look(struct inventory *v, const struct inv_keys *k, struct bucket *ret)
{
	char path[STORE_PATH_MAX];
	struct why why = { "" };
	int rc = bucket_read(&v->root, k->controller, k->purpose, k->day, ret, &why);

	sodium_memzero(ret->key, sizeof(ret->key));
	if (rc == -ENOENT)
		return 0;
	if (rc == -EACCES || rc == -ENOMEM)
		return why_set(v->why, rc, "%s", why.text);
	slots_path(k->controller, k->purpose, k->day, "bucket", path);
	if (rc) {
		inv_problem(v, path, "%s", why.text);
		ret->state = BUCKET_LIVE;
		ret->destroy_ns = UINT64_MAX;
	}
	return ret->state == BUCKET_LIVE;
}

static int room(struct inventory *v, struct inv_keys *k, uint32_t n)
{
	uint32_t cap = k->n ? k->n : 0;
	uint16_t *more;

	if (n <= cap)
		return 0;
	more = n > SLOTS_MAX ? NULL : realloc(k->slot, n * sizeof(*more));
	if (!more)
		return why_set(v->why, -ENOMEM, "out of memory");
	memset(more + cap, 0, (n - cap) * sizeof(*more));
	k->slot = more;
	k->n = n;
	return 0;
}

static void take(struct inventory *v, struct inv_keys *k, uint32_t i, const uint8_t *raw, const struct bucket *b, bool first,
		 const char *path)
{
	struct slot s;
	const char *bad = slot_parse(raw, &s);
	bool held;

	if (!bad && !s.empty && s.purpose != k->purpose)
		bad = "slot of the other purpose";
	if (bad && first)
		inv_problem(v, path, "offset %llu: K-3: %s", (unsigned long long)i * SLOT_SIZE, bad);
	if (bad || s.empty)
		return;
	if (first)
		k->slot[i] = print_of(&s.uid);
	held = v->holds && k->purpose == STORE_DOCUMENTATION && hold_is(v->holds, &s.uid);
	k->due += b->destroy_ns <= v->set->now_ns && !(held && s.version == 1); /* others have a copy: the bucket dies */
	k->past += s.until_ns && s.until_ns < v->set->now_ns && !held;
}

/* All slots; first: into k->slot, else their deadlines alone. */
static int read_slots(struct inventory *v, struct inv_keys *k, const struct bucket *b, bool first)
{
	char path[STORE_PATH_MAX];
	uint8_t *buf = malloc(READ_BYTES);
	uint64_t at = 0;
	ssize_t n = 0;
	int fd, rc = 0;

	slots_path(k->controller, k->purpose, k->day, "slots", path);
	fd = buf ? beneath_openat(v->root.fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0) : -1;
	if (!buf || (fd < 0 && errno != ENOENT))
		rc = buf ? why_errno(v->why, -errno, path, "cannot open") : why_set(v->why, -ENOMEM, "out of memory");
	k->due = k->past = 0;
	while (!rc && fd >= 0 && (n = pread(fd, buf, READ_BYTES, (off_t)at)) >= SLOT_SIZE) {
		n -= n % SLOT_SIZE;
		rc = first ? room(v, k, (uint32_t)((at + (uint64_t)n) / SLOT_SIZE)) : 0;
		for (ssize_t i = at ? 0 : SLOT_SIZE; !rc && i < n; i += SLOT_SIZE)
			take(v, k, (uint32_t)((at + (uint64_t)i) / SLOT_SIZE), buf + i, b, first, path);
		at += (uint64_t)n;
	}
	if (n < 0)
		rc = why_errno(v->why, -errno, path, "cannot read");
	if (fd >= 0)
		close(fd);
	if (buf)
		sodium_memzero(buf, READ_BYTES);
	free(buf);
	return rc;
}

static int get(struct inventory *v, const char *controller, unsigned purpose, uint32_t day, struct inv_keys **ret)
{
	struct inv_keys **more = v->keys, *k;
	struct bucket b = { 0 };
	int rc;

	for (size_t i = v->nkeys; i-- > 0;) /* the last ones are the likely ones */
		if (more[i]->day == day && more[i]->purpose == purpose && !strcmp(more[i]->controller, controller)) {
			*ret = more[i];
			return 0;
		}
	if (!(v->nkeys & (v->nkeys - 1)))
		more = realloc(more, (v->nkeys ? 2 * v->nkeys : 1) * sizeof(*more));
	k = more ? calloc(1, sizeof(*k)) : NULL;
	v->keys = more ? more : v->keys;
	if (!k)
		return why_set(v->why, -ENOMEM, "out of memory");
	snprintf(k->controller, sizeof(k->controller), "%s", controller);
	k->purpose = purpose;
	k->day = day;
	v->keys[v->nkeys++] = k;
	rc = bucket_look(v, k, &b);
	*ret = k;
	return rc == 1 ? read_slots(v, k, &b, true) : rc;
}

int inv_keys_name(struct inventory *v, const char *controller, unsigned purpose, uint32_t day, uint32_t slot,
		  const struct uid *uid, const char *file, bool again)
{
	struct inv_keys *k;
	int rc = get(v, controller, purpose, day, &k);
	char text[UID_TEXT];

	if (rc)
		return rc;
	if (slot >= k->n || (k->slot[slot] & ~INV_NAMED) != print_of(uid))
		return 0;
	if ((k->slot[slot] & INV_NAMED) && !again) {
		uid_format(uid, text);
		inv_problem(v, file, "row of call %s: another row names its key for %s", text, store_purpose_names[purpose]);
	}
	k->slot[slot] |= INV_NAMED;
	return 1;
}

bool inv_key_lives(struct inventory *v, const char *controller, unsigned purpose, uint32_t day, uint32_t slot, const struct uid *uid)
{
	struct inv_keys k = { .purpose = purpose, .day = day };
	struct why why = { "" };
	struct bucket b = { 0 };
	struct slot s;

	snprintf(k.controller, sizeof(k.controller), "%s", controller);
	return !slot_read(&v->root, controller, purpose, day, slot, &s, &why) && !s.empty && uid_equal(&s.uid, uid) &&
	       bucket_look(v, &k, &b) == 1;
}

/* ---- what no row named ---- */

struct progress {
	struct inventory *v;
	struct uid *uid; /* of records in open.db, sorted */
	size_t n;
	bool damaged;
};

static void in_progress(void *arg, const struct uid *uid, const uint8_t *p, size_t n)
{
	struct progress *g = arg;
	struct uid *more = g->uid;

	(void)p, (void)n;
	if (uid && !(g->n & (g->n - 1)))
		more = realloc(more, (g->n ? 2 * g->n : 1) * sizeof(*more));
	g->damaged |= !uid || !more;
	if (!uid || !more)
		return;
	g->uid = more;
	more[g->n++] = *uid;
}

static void marked(void *arg, const char *controller, unsigned purpose, uint32_t day, uint32_t next)
{
	struct inventory *v = arg;

	for (size_t i = 0; i < v->nkeys; i++)
		if (v->keys[i]->day == day && v->keys[i]->purpose == purpose && !strcmp(v->keys[i]->controller, controller))
			v->keys[i]->mark = next, v->keys[i]->marked = true;
}

struct row_search {
	struct inventory *v;
	const struct inv_keys *k;
	const struct uid *uid;
	uint32_t slot;
};

static int row_in(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct row_search *s = arg;
	struct why why = { "" };
	struct reap_row row;
	sqlite3 *sql;
	int rc = day < s->k->day ? -ENOENT : reap_db_open(&s->v->root, controller, day, part, &sql, &why);

	if (rc)
		return 0; /* damage is told elsewhere */
	rc = reap_row_in(sql, s->uid, &row, &why);
	sqlite3_close(sql);
	return rc == 1 && row.slot[s->k->purpose] == s->slot && row.purpose_day[s->k->purpose] == s->k->day;
}

/* A live slot that no row named when the rows were read. */
static void unnamed(struct inventory *v, struct inv_keys *k, uint32_t i, const struct progress *g)
{
	char path[STORE_PATH_MAX], text[UID_TEXT];
	struct row_search s = { .v = v, .k = k, .slot = i };
	struct why why = { "" };
	struct slot now;
	bool young;

	if (slot_read(&v->root, k->controller, k->purpose, k->day, i, &now, &why) || now.empty)
		return; /* destroyed since */
	s.uid = &now.uid;
	/* The next writer looks at what is behind the mark; without one (that writer never came, or it is lost) not for ever. */
	young = k->marked || uid_time_ms(&now.uid) * NS_PER_MS + INVENTORY_OWNER_NS > v->set->now_ns;
	if ((i >= k->mark && young) || inv_uid_in(g->uid, g->n, &now.uid)) {
		v->t.in_progress++;
		return;
	}
	if (catalog_each_of(&v->root, k->controller, 0, row_in, &s) == 1)
		return; /* its row came meanwhile */
	if (!inv_key_lives(v, k->controller, k->purpose, k->day, i, &now.uid))
		return;
	uid_format(&now.uid, text);
	slots_path(k->controller, k->purpose, k->day, "slots", path);
	inv_problem(v, path, "offset %llu: key of call %s, which no row and no call in progress has", (unsigned long long)i * SLOT_SIZE, text);
}

static int deadlines(struct inventory *v, struct inv_keys *k)
{
	char path[STORE_PATH_MAX];
	struct bucket b = { 0 };
	int rc;

	if (!k->due && !k->past)
		return 0;
	rc = bucket_look(v, k, &b); /* was it destroyed since? */
	if (rc == 1)
		rc = read_slots(v, k, &b, false);
	else
		k->due = k->past = 0;
	if (rc < 0)
		return rc;
	v->t.due += k->due;
	v->t.past += k->past;
	slots_path(k->controller, k->purpose, k->day, "bucket", path);
	if (k->past || (k->due && b.destroy_ns + INVENTORY_GRACE_NS < v->set->now_ns))
		inv_problem(v, path, "is due: %llu of its keys live, %llu past their own deadline",
			    (unsigned long long)k->due, (unsigned long long)k->past);
	return 0;
}

/* Keys that later.db says are destroyed: the line comes before the slot is overwritten. */
static void erasing(struct inventory *v)
{
	char path[STORE_PATH_MAX], text[UID_TEXT];
	int lock = v->ngone ? beneath_openat(v->root.fd, "reap.lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0) : -1;
	bool busy = lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;

	if (lock >= 0)
		close(lock);
	for (size_t i = 0; i < v->ngone; i++) {
		const struct reap_row *r = &v->gone[i];
		unsigned p = r->part;

		if (!inv_key_lives(v, r->controller, p, r->purpose_day[p], r->slot[p], &r->uid))
			continue;
		v->t.erasing++;
		if (busy)
			continue;
		uid_format(&r->uid, text);
		slots_path(r->controller, p, r->purpose_day[p], "slots", path);
		inv_problem(v, path, "offset %llu: key of call %s, which later.db says is destroyed", (unsigned long long)r->slot[p] * SLOT_SIZE, text);
	}
}

static int purpose_rest(struct inventory *v, const char *controller, unsigned purpose)
{
	char dir[STORE_PATH_MAX];
	struct names files;
	struct inv_keys *k;
	uint32_t day;
	int rc;

	snprintf(dir, sizeof(dir), "keys/%.63s/%s", controller, store_purpose_names[purpose]);
	rc = names_read(&v->root, dir, &files);
	for (size_t i = 0; !rc && i < files.n; i++)
		if (strlen(files.v[i]) == 16 && !strcmp(files.v[i] + 10, ".slots") && !day_parse(files.v[i], 10, &day))
			rc = get(v, controller, purpose, day, &k);
	names_free(&files);
	return rc == -ENOTDIR ? 0 : rc;
}

int inv_keys_rest(struct inventory *v)
{
	struct progress g = { .v = v };
	struct names owners;
	const char *bad;
	int rc = names_read(&v->root, "keys", &owners);

	for (size_t i = 0; !rc && i < owners.n; i++)
		for (unsigned p = 0; !rc && !name_check(owners.v[i]) && p < STORE_PURPOSES; p++)
			rc = purpose_rest(v, owners.v[i], p);
	names_free(&owners);
	if (rc)
		return *v->why->text ? rc : why_errno(v->why, rc, "keys", "cannot read");
	/* Marks first: they grow. Records before rows: a call has its row before its record goes. */
	bad = opens_marks(&v->root, marked, v);
	if (!bad)
		bad = opens_check(&v->root, in_progress, &g);
	if (bad || g.damaged)
		inv_problem(v, "open.db", "O-1: %s", bad ? bad : "record of a call in progress is damaged");
	if (g.n)
		qsort(g.uid, g.n, sizeof(*g.uid), inv_uid_cmp);
	for (size_t i = 0; !rc && i < v->nkeys; i++) {
		struct inv_keys *k = v->keys[i];

		for (uint32_t n = 1; n < k->n; n++) {
			v->t.keys += k->slot[n] != 0;
			if (k->slot[n] && !(k->slot[n] & INV_NAMED))
				unnamed(v, k, n, &g);
		}
		rc = deadlines(v, k);
	}
	if (!rc)
		erasing(v);
	free(g.uid);
	return rc;
}
