/* SPDX-License-Identifier: BSD-2-Clause */
/* slots_make.c - bucket and slots of a day are made, see slots_make.h */
#include "store/slots_make.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/keys.h"

#define ZONE_MAX 65

struct wanted {
	char controller[STORE_NAME_MAX], zone[ZONE_MAX];
	unsigned purpose;
	uint32_t day;
	bool made; /* or tried */
};

struct slots_maker {
	const struct root *root;
	pthread_mutex_t lock; /* guards v, n; held for no disk */
	struct wanted v[MAKER_WANTED];
	unsigned n;
	pthread_mutex_t making; /* guards key, and names that end in .tmp; before no other */
	struct bucket *key;	/* sodium_malloc; zeros when nothing is made */
};

int maker_new(const struct root *r, struct slots_maker **ret)
{
	struct slots_maker *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->root = r;
	mutex_init(&m->lock);
	mutex_init(&m->making);
	m->key = sodium_malloc(sizeof(*m->key));
	if (!m->key) {
		maker_free(m);
		return -ENOMEM;
	}
	sodium_memzero(m->key, sizeof(*m->key));
	*ret = m;
	return 0;
}

void maker_free(struct slots_maker *m)
{
	if (!m)
		return;
	sodium_free(m->key);
	pthread_mutex_destroy(&m->lock);
	pthread_mutex_destroy(&m->making);
	free(m);
}

/* ---- making ---- */

static int bucket_make(struct slots_maker *m, const char *controller, unsigned purpose, uint32_t day, const char *zone, struct why *why)
{
	struct bucket *b = m->key;
	uint8_t raw[BUCKET_SIZE];
	char path[STORE_PATH_MAX];
	struct clock_date d;
	int rc;

	*b = (struct bucket){ .state = BUCKET_LIVE, .purpose = (uint8_t)purpose, .day = day };
	memcpy(b->store_id, m->root->id, 16);
	randombytes_buf(b->key, 32);
	day_date(b->day, &d);
	rc = clock_day_start(&d, zone, &b->destroy_ns);
	if (rc)
		return why_set(why, rc, "unknown time zone");
	bucket_format(b, raw);
	slots_path(controller, purpose, day, "bucket", path);
	rc = write_new(m->root, path, raw, sizeof(raw), FILE_MODE(m->root), why);
	sodium_memzero(raw, sizeof(raw));
	return rc;
}

static int slots_make(const struct slots_maker *m, const char *controller, unsigned purpose, uint32_t day, struct why *why)
{
	struct slots_head h = { .purpose = (uint8_t)purpose, .day = day };
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];

	slots_path(controller, purpose, day, "slots", path);
	memcpy(h.store_id, m->root->id, 16);
	snprintf(h.controller, sizeof(h.controller), "%s", controller);
	slots_head_format(&h, raw);
	return write_new(m->root, path, raw, sizeof(raw), FILE_MODE(m->root), why);
}

/* Of the bucket that is there. */
static int is_live(struct slots_maker *m, const char *controller, unsigned purpose, uint32_t day, struct why *why)
{
	char path[STORE_PATH_MAX];
	int fd = -1, rc = bucket_open(m->root, controller, purpose, day, false, &fd, why);

	if (rc)
		return rc;
	rc = bucket_lock(fd, m->root, controller, purpose, day, m->key, why);
	if (!rc && m->key->state != BUCKET_LIVE) {
		slots_path(controller, purpose, day, "bucket", path);
		rc = why_set(why, -ESHUTDOWN, "%s: this day's key is destroyed already", path);
	}
	close(fd); /* and the lock */
	return rc == -EAGAIN ? -ESHUTDOWN : rc;
}

static int make(struct slots_maker *m, const char *controller, unsigned purpose, uint32_t day, const char *zone, struct why *why)
{
	char path[STORE_PATH_MAX];
	struct pubkey pub;
	int rc;

	slots_path(controller, purpose, day, "slots", path);
	if (!beneath_accessat(m->root->fd, path))
		return 0;
	rc = pubkey_load(m->root, controller, purpose, &pub, why); /* without it nothing can be wrapped */
	snprintf(path, sizeof(path), "keys/%s/%s", controller, store_purpose_names[purpose]);
	if (!rc)
		rc = make_dirs(m->root, path, why);
	slots_path(controller, purpose, day, "bucket", path);
	if (!rc && beneath_accessat(m->root->fd, path))
		rc = bucket_make(m, controller, purpose, day, zone, why);
	if (!rc)
		rc = is_live(m, controller, purpose, day, why);
	return rc ? rc : slots_make(m, controller, purpose, day, why);
}

int maker_make(struct slots_maker *m, const char *controller, unsigned purpose, uint32_t day, const char *zone, struct why *why)
{
	int rc;

	pthread_mutex_lock(&m->making);
	rc = make(m, controller, purpose, day, zone, why);
	sodium_memzero(m->key, sizeof(*m->key));
	pthread_mutex_unlock(&m->making);
	return rc;
}

/* ---- ahead ---- */

/* Room for one more: the oldest day that is done gives way. */
static struct wanted *room(struct slots_maker *m)
{
	struct wanted *old = NULL;

	if (m->n < MAKER_WANTED)
		return &m->v[m->n++];
	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].made && (!old || m->v[i].day < old->day))
			old = &m->v[i];
	return old;
}

void maker_want(struct slots_maker *m, const char *controller, unsigned purpose, uint32_t day, const char *zone)
{
	struct wanted *w = NULL;

	if (strlen(zone) >= ZONE_MAX)
		return;
	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; !w && i < m->n; i++)
		if (m->v[i].day == day && m->v[i].purpose == purpose && !strcmp(m->v[i].controller, controller))
			w = &m->v[i];
	if (!w && (w = room(m))) {
		*w = (struct wanted){ .purpose = purpose, .day = day };
		snprintf(w->controller, sizeof(w->controller), "%s", controller);
		snprintf(w->zone, sizeof(w->zone), "%s", zone);
	}
	pthread_mutex_unlock(&m->lock);
}

static bool next(struct slots_maker *m, struct wanted *ret)
{
	bool is = false;

	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; !is && i < m->n; i++)
		if (!m->v[i].made) {
			m->v[i].made = is = true;
			*ret = m->v[i];
		}
	pthread_mutex_unlock(&m->lock);
	return is;
}

static void forget(struct slots_maker *m, const struct wanted *w)
{
	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].day == w->day && m->v[i].purpose == w->purpose && !strcmp(m->v[i].controller, w->controller)) {
			m->v[i] = m->v[--m->n];
			break;
		}
	pthread_mutex_unlock(&m->lock);
}

unsigned maker_run(struct slots_maker *m)
{
	struct wanted w;
	unsigned n = 0;

	while (next(m, &w)) {
		struct why why = { "" };

		if (maker_make(m, w.controller, w.purpose, w.day, w.zone, &why))
			forget(m, &w);
		else
			n++;
	}
	return n;
}
