/* SPDX-License-Identifier: BSD-2-Clause */
/* overlay.c - a purpose of a stored call as it is now, see overlay.h */
#include "store/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/hold.h"
#include "store/retention.h"
#include "store/slots.h"
#include "store/store_call.h"

/* Asking for one call is some 15 us. So many times that is dearer than to read the lines of all that may be there. */
#define ASKED_ENOUGH 1000

struct seen { /* a bucket */
	uint32_t day;
	bool live;
};

struct owner {
	struct owner *next;
	char controller[STORE_NAME_MAX];
	struct later *later; /* NULL: nothing happened later, or nobody can tell */
	bool lost;	     /* it is damaged */
	bool known, fixed;   /* who has lines is in `line`, sorted; for good (overlay_many) */
	struct uid *line;
	size_t nline;
	int file;	     /* later.db, by O_PATH: to be closed without ending SQLite's locks; -1 */
	struct stat before;  /* of it, when `line` was read */
	unsigned asked, enough; /* since the last try to read them, and when to try again */
	int slots[STORE_PURPOSES]; /* the file that was looked at last; -1 */
	uint32_t slots_day[STORE_PURPOSES];
	struct seen *seen[STORE_PURPOSES];
	size_t n[STORE_PURPOSES];
};

struct overlay {
	const struct root *root;
	struct owner *owners;
	bool no_slots;
	int damage; /* of the first later.db */
	struct why damage_why;
	bool many;
	struct retention kept; /* once it is kept_known */
	bool kept_known;
};

int overlay_new(const struct root *r, struct overlay **ret)
{
	struct overlay *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->root = r;
	*ret = o;
	return 0;
}

void overlay_many(struct overlay *o)
{
	o->many = true;
}

void overlay_free(struct overlay *o)
{
	struct owner *w;

	if (!o)
		return;
	while ((w = o->owners)) {
		o->owners = w->next;
		later_close(w->later);
		free(w->line);
		if (w->file >= 0)
			close(w->file);
		for (int p = 0; p < STORE_PURPOSES; p++) {
			free(w->seen[p]);
			if (w->slots[p] >= 0)
				close(w->slots[p]);
		}
		free(w);
	}
	retention_free(&o->kept);
	free(o);
}

void overlay_no_slots(struct overlay *o)
{
	o->no_slots = true;
}

int overlay_damage(const struct overlay *o, struct why *why)
{
	if (o->damage)
		*why = o->damage_why;
	return o->damage;
}

/* Whether it is damage, which is told at the end. */
static bool lost(struct overlay *o, struct owner *w, int rc, const struct why *why)
{
	if (rc != -EBADMSG && rc != -EIO)
		return false;
	w->lost = true;
	if (!o->damage)
		o->damage_why = *why;
	o->damage = o->damage ? o->damage : -EBADMSG;
	return true;
}

static int add_line(void *arg, const struct later_line *line)
{
	struct owner *w = arg;
	struct uid *more;

	if (w->nline && uid_equal(&w->line[w->nline - 1], &line->uid))
		return 0;
	if (!(w->nline & (w->nline - 1))) {
		more = realloc(w->line, (w->nline ? 2 * w->nline : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		w->line = more;
	}
	w->line[w->nline++] = line->uid;
	return 0;
}

static int uid_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uid));
}

/* Texts that we write are in the order of their bytes; who wrote the file may have had others, in small letters. */
static int read_lines(struct owner *w, struct why *why)
{
	int rc;

	w->nline = 0;
	rc = later_each(w->later, 0, add_line, w, why);
	for (size_t i = 1; !rc && i < w->nline; i++)
		if (uid_cmp(&w->line[i - 1], &w->line[i]) > 0) {
			qsort(w->line, w->nline, sizeof(*w->line), uid_cmp);
			break;
		}
	w->known = !rc;
	return rc;
}

static bool as_before(const struct owner *w)
{
	const struct stat *b = &w->before;
	struct stat sb;

	return w->file >= 0 && !fstat(w->file, &sb) && sb.st_size == b->st_size && sb.st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       sb.st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * Whoever asks often needs to know who has lines, as long as nobody writes any. A file's time goes in steps of some milliseconds: one that
 * was written within the last second could be written again and show the same.
 */
static int learn(struct owner *w, struct why *why)
{
	if (w->fixed || w->file < 0)
		return 0;
	if (w->known && !as_before(w)) {
		w->known = false;
		w->enough = w->enough < UINT32_MAX / 2 ? 2 * w->enough : w->enough; /* somebody is busy there */
		w->asked = 0;
	}
	if (w->known || ++w->asked < w->enough)
		return 0;
	w->asked = 0;
	if (fstat(w->file, &w->before) || time(NULL) - w->before.st_mtim.tv_sec < 2)
		return 0;
	return read_lines(w, why) == -ENOMEM ? why_set(why, -ENOMEM, "out of memory") : 0; /* damage is told by asking for a call */
}

static bool has_line(const struct owner *w, const struct uid *uid)
{
	return !w->known || (w->nline && bsearch(uid, w->line, w->nline, sizeof(*uid), uid_cmp));
}

static int owner_get(struct overlay *o, const char *controller, struct owner **ret, struct why *why)
{
	struct owner *w = o->owners;
	char rel[STORE_PATH_MAX];
	int rc;

	while (w && strcmp(w->controller, controller))
		w = w->next;
	*ret = w;
	if (w)
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return why_set(why, -ENOMEM, "out of memory");
	snprintf(w->controller, sizeof(w->controller), "%s", controller);
	w->slots[0] = w->slots[1] = w->file = -1;
	w->enough = ASKED_ENOUGH;
	w->fixed = o->many;
	later_path(controller, rel);
	rc = later_open(o->root, controller, false, &w->later, why);
	if (!rc && !o->many)
		w->file = beneath_openat(o->root->fd, rel, O_PATH | O_CLOEXEC | O_NOFOLLOW, 0);
	if (rc == -ENOENT)
		rc = 0;
	else if (!rc && o->many)
		rc = read_lines(w, why); /* of a damaged one each call is asked for */
	if (rc && !lost(o, w, rc, why)) {
		later_close(w->later);
		free(w->line);
		if (w->file >= 0)
			close(w->file);
		free(w);
		return rc == -ENOMEM ? why_set(why, rc, "out of memory") : rc;
	}
	w->next = o->owners;
	o->owners = w;
	*ret = w;
	return 0;
}

/* 1 live, 0 destroyed or gone with its day. Who may not look at keys, or cannot read this one, is told what the row says. */
static int bucket_live(struct overlay *o, struct owner *w, enum store_purpose p, uint32_t day, struct why *why)
{
	struct seen *v = w->seen[p];
	struct bucket b;
	int rc;

	for (size_t i = w->n[p]; i-- > 0;)
		if (v[i].day == day)
			return v[i].live;
	rc = bucket_read(o->root, w->controller, p, day, &b, why);
	if (rc && rc != -ENOENT && rc != -EACCES && rc != -EBADMSG)
		return rc;
	if (!(w->n[p] & (w->n[p] - 1))) {
		v = realloc(v, (w->n[p] ? 2 * w->n[p] : 1) * sizeof(*v));
		if (!v)
			return why_set(why, -ENOMEM, "out of memory");
		w->seen[p] = v;
	}
	v[w->n[p]] = (struct seen){ day, rc == -EACCES || rc == -EBADMSG || (!rc && b.state == BUCKET_LIVE) };
	sodium_memzero(&b, sizeof(b));
	return v[w->n[p]++].live;
}

/* It has a key of its own. */
static bool held(const struct overlay *o, const char *controller, const struct uid *uid)
{
	struct slot slot;
	struct why none;
	uint8_t key[32];
	int rc = hold_slot_find(o->root, controller, uid, &slot, key, &none);

	sodium_memzero(key, sizeof(key));
	return !rc;
}

/* Of the call's slot: 1 it is there, 0 it was overwritten, -1 nobody can tell. */
static int slot_lives(const struct overlay *o, struct owner *w, enum store_purpose p, uint32_t day, uint32_t index, const struct uid *uid)
{
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	struct slot s;

	if (w->slots[p] < 0 || w->slots_day[p] != day) {
		if (w->slots[p] >= 0)
			close(w->slots[p]);
		slots_path(w->controller, p, day, "slots", path);
		w->slots[p] = beneath_openat(o->root->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
		w->slots_day[p] = day;
	}
	if (w->slots[p] < 0 || !index || pread_all(w->slots[p], raw, sizeof(raw), (off_t)index * SLOT_SIZE) || slot_parse(raw, &s))
		return -1;
	return !s.empty && uid_equal(&s.uid, uid);
}

/* No line says so, and the key was destroyed all the same. */
static const char *destroyed(struct overlay *o, struct owner *w, enum store_purpose p, uint32_t day, uint32_t slot, const struct uid *uid)
{
	int lives;

	if (w->lost || ((!w->later || later_empty(w->later)) && !o->no_slots))
		lives = slot_lives(o, w, p, day, slot, uid);
	else
		return NULL;
	return lives > 0 || (lives < 0 && !w->lost) ? NULL : lives < 0 ? "unknown" : "destroyed";
}

int overlay_state(struct overlay *o, const char *controller, const struct uid *uid, enum store_purpose p, uint32_t purpose_day,
		  uint32_t purpose_slot, enum store_state *state, char reason[LATER_REASON], struct why *why)
{
	const char *gone = "deadline";
	struct later_line line = { .state = STORE_S_NONE };
	struct owner *w;
	int rc = owner_get(o, controller, &w, why);

	if (!rc)
		rc = learn(w, why);
	if (!rc && has_line(w, uid))
		rc = later_get(w->later, uid, p, &line, why);
	if (rc < 0 && (!w || rc == -ENOMEM || !lost(o, w, rc, why)))
		return rc;
	if (rc == 1) {
		*state = line.state;
		memcpy(reason, line.reason, LATER_REASON);
		return 1;
	}
	if (!state_holds(*state) || !purpose_day || purpose_day == DAY_HOLD)
		return 0;
	rc = bucket_live(o, w, p, purpose_day, why);
	if (rc < 0)
		return rc;
	if (rc)
		gone = destroyed(o, w, p, purpose_day, purpose_slot, uid);
	if (!gone || (p == STORE_DOCUMENTATION && held(o, controller, uid))) /* and whoever destroyed it could not say so here */
		return 0;
	*state = STORE_S_EXPIRED;
	snprintf(reason, LATER_REASON, "%s", gone);
	return rc ? 2 : 1;
}

static void earliest(struct overlay *o, const char *controller, const char *rule, unsigned p, bool use, uint64_t start_ns, uint64_t *at_ns)
{
	struct why none;
	uint64_t at;

	if (!o->kept_known && !retention_read(o->root, &o->kept, NULL, NULL, &none))
		retention_shrink(&o->kept);
	o->kept_known = true;
	for (size_t i = 0; i < o->kept.n; i++) {
		const struct retention_line *l = &o->kept.v[i];

		if (start_ns < l->before_ns && l->purpose == p && l->use == use && !strcmp(l->rule, rule) && !strcmp(l->controller, controller) &&
		    !retention_deadline(l, start_ns, &at) && at < *at_ns)
			*at_ns = at;
	}
}

void overlay_until(struct overlay *o, const char *controller, const char *rule, enum store_purpose p, uint64_t start_ns, uint64_t *until_ns)
{
	earliest(o, controller, rule, p, false, start_ns, until_ns);
}

void overlay_use_by(struct overlay *o, const char *controller, const char *rule, uint64_t start_ns, uint64_t *use_by_ns)
{
	if (*use_by_ns)
		earliest(o, controller, rule, STORE_TRAINING, true, start_ns, use_by_ns);
}
