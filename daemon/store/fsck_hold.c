/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsck_hold.c - checks the journal of holds and their keys (rules H)
 *
 * Keys are read before the journal: who puts a call on hold writes them after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/fsck_hold.h"
#include "store/hold_internal.h"
#include "store/slots.h"

struct key {
	char controller[STORE_NAME_MAX];
	uint32_t index; /* in hold.slots */
	uint32_t day, slot;
	struct uid uid;
};

struct keys {
	struct key *v;
	size_t n, cap;
};

static int add(struct keys *k, const char *controller, uint32_t index, const struct hold_slot *s)
{
	struct key *v;

	if (k->n == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 64;

		v = realloc(k->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		k->v = v;
		k->cap = cap;
	}
	v = &k->v[k->n++];
	*v = (struct key){ .index = index, .day = s->day, .slot = s->index, .uid = s->slot.uid };
	memcpy(v->controller, controller, strlen(controller) + 1);
	return 0;
}

static int check_file(const struct root *r, const char *controller, const struct fsck_hold *f, struct keys *k)
{
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	struct hold_slot s;
	const char *bad;
	int fd, rc = 0;

	hold_slots_path(controller, path);
	fd = beneath_openat(r->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	for (uint32_t i = 0; !rc && i < HOLD_SLOT_COUNT; i++) {
		rc = fd < 0 ? -errno : pread_all(fd, raw, sizeof(raw), (off_t)i * SLOT_SIZE);
		if (rc == -ENODATA && i) { /* the end, or a torn last one */
			rc = 0;
			break;
		}
		bad = rc ? (rc == -ENODATA ? "file shorter than its head" : strerror(-rc)) :
		      i ? hold_slot_parse(raw, &s) : hold_head_parse(raw, sizeof(raw), r->id, controller);
		if (bad)
			f->bad(f->arg, path, (uint64_t)i * SLOT_SIZE, i && !rc ? "H-3" : "H-2", bad);
		else if (!rc && i && !s.empty)
			rc = add(k, controller, i, &s);
		if (rc && rc != -ENOMEM) {
			rc = 0;
			break;
		}
	}
	if (fd >= 0)
		close(fd);
	sodium_memzero(raw, sizeof(raw));
	sodium_memzero(&s, sizeof(s));
	return rc;
}

struct kept {
	const struct root *root;
	const struct fsck_hold *f;
};

/* A hold whose day's key is gone has one of its own. */
static int check_kept(void *arg, const struct hold *x)
{
	const struct kept *c = arg;
	struct why why = { "" };
	char path[STORE_PATH_MAX];
	struct bucket b = { 0 };
	uint8_t key[32];
	struct slot s;
	bool gone;

	if (c->f->hold) {
		int rc = c->f->hold(c->f->arg, x->controller, &x->uid);

		if (rc)
			return rc;
	}
	if (!x->index)
		return 0;
	gone = bucket_read(c->root, x->controller, STORE_DOCUMENTATION, x->day, &b, &why) == -ENOENT || b.state == BUCKET_DESTROYED;
	if (gone && hold_slot_find(c->root, x->controller, &x->uid, &s, key, &why) == -ENOENT) {
		hold_slots_path(x->controller, path);
		c->f->bad(c->f->arg, path, (uint64_t)x->index * SLOT_SIZE, "H-5", "the key of a call on hold is not there, and that of its day is destroyed");
	}
	sodium_memzero(&b, sizeof(b));
	sodium_memzero(key, sizeof(key));
	return 0;
}

/* What the keys are, by the journal. */
static int check_journal(const struct root *r, const struct fsck_hold *f, const struct keys *k)
{
	char path[STORE_PATH_MAX];
	struct holds *h = NULL;
	struct why why = { "" };
	int rc = holds_open(r, HOLDS_READ, &h, &why), rc_hold = 0;

	if (rc == -ENOMEM)
		return rc;
	if (rc)
		f->bad(f->arg, HOLDS_FILE, 0, "H-1", why.text);
	else if (h->end < h->size)
		f->bad(f->arg, HOLDS_FILE, h->end, "H-1", "the last line is not whole: it was never confirmed, or the file is cut");
	for (size_t i = 0; i < k->n; i++) {
		const struct key *v = &k->v[i];
		const struct entry *e = h ? holds_find(h, &v->uid) : NULL;

		hold_slots_path(v->controller, path);
		if (h && (!e || e->h.index != v->index || strcmp(e->h.controller, v->controller) != 0))
			f->bad(f->arg, path, (uint64_t)v->index * SLOT_SIZE, "H-4", "key of a call that the journal does not hold here");
		f->key(f->arg, v->controller, v->day, v->slot, &v->uid);
		if (!h && f->hold && !rc_hold)
			rc_hold = f->hold(f->arg, v->controller, &v->uid);
	}
	if (h)
		rc_hold = holds_each(h, check_kept, &(struct kept){ r, f });
	holds_close(h);
	return rc_hold;
}

int fsck_holds(const struct root *r, const struct fsck_hold *f, struct why *why)
{
	struct keys k = { 0 };
	struct names owners;
	int rc = names_read(r, "keys", &owners);

	for (size_t i = 0; !rc && i < owners.n; i++)
		if (!name_check(owners.v[i]))
			rc = check_file(r, owners.v[i], f, &k);
	names_free(&owners);
	if (!rc)
		rc = check_journal(r, f, &k);
	free(k.v);
	return rc ? why_set(why, rc, "keys: %s", strerror(-rc)) : 0;
}
