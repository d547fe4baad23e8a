/* SPDX-License-Identifier: BSD-2-Clause */
/* areas.c - memory in areas of 2 MiB, and the thread that has them ready, see areas.h */
#include "base/areas.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mutex.h"

#define STORE	 256 /* ready ones and those to be unmapped, at most */
#define AHEAD	 4   /* with grow: ready ones, and one more for each eight in use ... */
#define PART	 8
#define AHEAD_MAX 32 /* ... up to this: a second of a thousand new calls in it */
#define PAGE	 4096

struct list {
	unsigned n;
	struct area_mem v[STORE];
};

struct areas {
	bool lock;
	pthread_t thread;
	bool runs;
	/* guarded by mutex, which is held for a few instructions and passes urgency on */
	pthread_mutex_t mutex;
	pthread_cond_t more, idle;
	unsigned kept, all; /* all: in use and ready */
	bool grow, stop, fails, rests;
	struct list ready, gone;
};

/*
 * By a limit of so many bytes these areas would take what the keys need. Tried, not looked up: the capability of a user namespace, a container's
 * root, is none for this. MLOCK_ONFAULT takes no page.
 */
bool areas_may_lock(void)
{
	struct rlimit r;
	size_t n;
	void *p;
	bool may;

	if (getrlimit(RLIMIT_MEMLOCK, &r))
		return false;
	if (r.rlim_cur > SIZE_MAX / 2) /* RLIM_INFINITY is the largest */
		return true;
	n = (size_t)r.rlim_cur + PAGE;
	p = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return false;
	may = !mlock2(p, n, MLOCK_ONFAULT);
	(void)munmap(p, n); /* unlocks it as well */
	return may;
}

static uint8_t *map(bool *ret_huge)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	uint8_t *p = mmap(NULL, AREA_BYTES, prot, flags | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0);
	size_t off;

	*ret_huge = p != MAP_FAILED;
	if (*ret_huge)
		return p;
	p = mmap(NULL, 2 * (size_t)AREA_BYTES, prot, flags, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	off = (AREA_BYTES - (uintptr_t)p % AREA_BYTES) % AREA_BYTES;
	if (off)
		(void)munmap(p, off);
	(void)munmap(p + off + AREA_BYTES, AREA_BYTES - off);
	(void)madvise(p + off, AREA_BYTES, MADV_HUGEPAGE); /* without: ordinary pages */
	return p + off;
}

static bool make(const struct areas *a, struct area_mem *ret)
{
	ret->p = map(&ret->huge);
	if (!ret->p)
		return false;
	if (a->lock && mlock2(ret->p, AREA_BYTES, MLOCK_ONFAULT)) {
		(void)munmap(ret->p, AREA_BYTES);
		return false;
	}
	(void)madvise(ret->p, AREA_BYTES, MADV_DONTDUMP);
	return true;
}

static void touch(struct area_mem m)
{
	for (size_t at = 0; at < AREA_BYTES; at += PAGE)
		((volatile uint8_t *)m.p)[at] = 0;
}

/* ---- the thread ---- */

static unsigned wanted(const struct areas *a)
{
	unsigned used = a->all - a->ready.n, n = AHEAD + used / PART;

	n = n < AHEAD_MAX ? n : AHEAD_MAX;
	n = a->grow ? n : 0;
	return used < a->kept && a->kept - used > n ? a->kept - used : n;
}

static bool wants(const struct areas *a)
{
	return !a->fails && a->ready.n < STORE && a->ready.n < wanted(a);
}

static void wait_for_use(struct areas *a)
{
	struct timespec ts;

	a->rests = true;
	pthread_cond_broadcast(&a->idle);
	if (a->fails) { /* there is no memory now */
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_sec++;
		(void)pthread_cond_timedwait(&a->more, &a->mutex, &ts);
		a->fails = false;
	} else {
		pthread_cond_wait(&a->more, &a->mutex);
	}
	a->rests = false;
}

static void *run(void *arg)
{
	struct areas *a = arg;
	struct area_mem m;

	pthread_mutex_lock(&a->mutex);
	while (!a->stop) {
		if (wants(a)) {
			bool made;

			pthread_mutex_unlock(&a->mutex);
			made = make(a, &m);
			if (made)
				touch(m);
			pthread_mutex_lock(&a->mutex);
			a->fails = !made;
			if (made && a->ready.n < STORE) { /* many may have been given meanwhile */
				a->ready.v[a->ready.n++] = m;
				a->all++;
			} else if (made) {
				(void)munmap(m.p, AREA_BYTES);
			}
		} else if (a->gone.n) {
			m = a->gone.v[--a->gone.n];
			pthread_mutex_unlock(&a->mutex);
			(void)munmap(m.p, AREA_BYTES);
			pthread_mutex_lock(&a->mutex);
		} else {
			wait_for_use(a);
		}
	}
	pthread_mutex_unlock(&a->mutex);
	return NULL;
}

/* ---- who takes and gives ---- */

bool areas_take(struct areas *a, struct area_mem *ret)
{
	bool there, wake;

	pthread_mutex_lock(&a->mutex);
	there = a->ready.n;
	if (there)
		*ret = a->ready.v[--a->ready.n];
	wake = a->runs && a->rests && (wants(a) || a->gone.n);
	pthread_mutex_unlock(&a->mutex);
	if (wake)
		pthread_cond_signal(&a->more);
	if (there)
		return true;
	if (!make(a, ret))
		return false;
	pthread_mutex_lock(&a->mutex);
	a->all++;
	pthread_mutex_unlock(&a->mutex);
	return true;
}

void areas_give(struct areas *a, struct area_mem m)
{
	bool keep, pass = false;

	pthread_mutex_lock(&a->mutex);
	/* Twice as many as are wanted may be there: an area that goes now may be needed again at once. */
	keep = a->runs && a->ready.n < STORE && (a->all <= a->kept || a->ready.n < 2 * wanted(a));
	if (keep) {
		a->ready.v[a->ready.n++] = m;
	} else {
		a->all--;
		pass = a->runs && a->gone.n < STORE;
		if (pass)
			a->gone.v[a->gone.n++] = m;
	}
	pthread_mutex_unlock(&a->mutex);
	if (pass)
		pthread_cond_signal(&a->more);
	else if (!keep)
		(void)munmap(m.p, AREA_BYTES);
}

unsigned areas_settle(struct areas *a)
{
	unsigned n;

	pthread_mutex_lock(&a->mutex);
	while (a->runs && (!a->rests || wants(a) || a->gone.n)) {
		pthread_cond_signal(&a->more);
		pthread_cond_wait(&a->idle, &a->mutex);
	}
	n = a->ready.n;
	pthread_mutex_unlock(&a->mutex);
	return n;
}

/* ---- life ---- */

int areas_new(struct areas **ret)
{
	struct areas *a = calloc(1, sizeof(*a));
	pthread_condattr_t at;

	if (!a)
		return -ENOMEM;
	a->lock = areas_may_lock();
	mutex_init(&a->mutex);
	pthread_condattr_init(&at);
	pthread_condattr_setclock(&at, CLOCK_MONOTONIC); /* nobody who sets the clock keeps calls without memory */
	pthread_cond_init(&a->more, &at);
	pthread_condattr_destroy(&at);
	pthread_cond_init(&a->idle, NULL);
	*ret = a;
	return 0;
}

int areas_ahead(struct areas *a, unsigned kept, bool grow)
{
	sigset_t all, old;
	int rc;

	a->kept = kept < STORE ? kept : STORE;
	a->grow = grow;
	a->runs = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&a->thread, NULL, run, a);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	a->runs = !rc;
	if (!rc)
		(void)pthread_setname_np(a->thread, "memory-ahead"); /* for top(1) */
	return -rc;
}

static void unmap_all(struct list *l)
{
	while (l->n)
		(void)munmap(l->v[--l->n].p, AREA_BYTES);
}

void areas_free(struct areas *a)
{
	if (!a)
		return;
	if (a->runs) {
		pthread_mutex_lock(&a->mutex);
		a->stop = true;
		pthread_mutex_unlock(&a->mutex);
		pthread_cond_signal(&a->more);
		pthread_join(a->thread, NULL);
	}
	unmap_all(&a->ready);
	unmap_all(&a->gone);
	pthread_cond_destroy(&a->more);
	pthread_cond_destroy(&a->idle);
	pthread_mutex_destroy(&a->mutex);
	free(a);
}
