/* SPDX-License-Identifier: BSD-2-Clause */
/* sealing.c - the list of partitions that are to be sealed, and its thread, see sealing.h */
#include "store/sealing.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/mutex.h"

#define AGAIN_S 60
#define NICE	19

struct item {
	struct item *next;
	char controller[STORE_NAME_MAX];
	uint32_t day;
	unsigned part;
};

struct sealing {
	const struct root *root;
	pthread_mutex_t lock; /* guards all below but stop; held for a few instructions */
	pthread_cond_t more, idle;
	struct item *first, **last;
	bool busy, quit, runs;
	_Atomic int stop; /* what is being sealed is given up */
	pthread_t thread;
};

int sealing_new(const struct root *r, struct sealing **ret)
{
	struct sealing *s = calloc(1, sizeof(*s));
	pthread_condattr_t a;

	if (!s)
		return -ENOMEM;
	s->root = r;
	s->last = &s->first;
	mutex_init(&s->lock);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&s->more, &a);
	pthread_cond_init(&s->idle, &a);
	pthread_condattr_destroy(&a);
	*ret = s;
	return 0;
}

static void put(struct sealing *s, struct item *it)
{
	it->next = NULL;
	*s->last = it;
	s->last = &it->next;
}

static struct item *take(struct sealing *s)
{
	struct item *it = s->first;

	if (it) {
		s->first = it->next;
		if (!s->first)
			s->last = &s->first;
	}
	return it;
}

void sealing_add(struct sealing *s, const char *controller, uint32_t day, unsigned part)
{
	struct item *it = s ? calloc(1, sizeof(*it)) : NULL;

	if (!it)
		return;
	it->day = day;
	it->part = part;
	snprintf(it->controller, sizeof(it->controller), "%s", controller);
	pthread_mutex_lock(&s->lock);
	put(s, it);
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

static void forget(struct sealing *s)
{
	struct item *it;

	while ((it = take(s)))
		free(it);
}

void sealing_clear(struct sealing *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	forget(s);
	s->stop = 1;
	while (s->busy)
		pthread_cond_wait(&s->idle, &s->lock);
	forget(s); /* it was put back */
	s->stop = 0;
	pthread_mutex_unlock(&s->lock);
}

/* Worth another try: anything but that it is gone or damaged (fsck names it). */
static bool again(int rc)
{
	return rc && rc != -ENOENT && rc != -EBADMSG;
}

static int seal_item(struct sealing *s, const struct item *it)
{
	struct why why = { "" };

	return seal_partition(s->root, it->controller, it->day, it->part, &s->stop, &why);
}

void sealing_run(struct sealing *s)
{
	struct item *it;

	while ((it = take(s))) {
		(void)seal_item(s, it); /* by the next writer */
		free(it);
	}
}

static void rest(struct sealing *s)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += AGAIN_S;
	while (!s->quit && pthread_cond_timedwait(&s->more, &s->lock, &ts) != ETIMEDOUT)
		;
}

static void *run(void *arg)
{
	struct sealing *s = arg;

	(void)setpriority(PRIO_PROCESS, 0, NICE); /* of this thread, on Linux; without it is only less polite */
	pthread_mutex_lock(&s->lock);
	while (!s->quit) {
		struct item *it = take(s);
		int rc;

		if (!it) {
			pthread_cond_wait(&s->more, &s->lock);
			continue;
		}
		s->busy = true;
		pthread_mutex_unlock(&s->lock);
		rc = seal_item(s, it);
		pthread_mutex_lock(&s->lock);
		if (again(rc))
			put(s, it);
		else
			free(it);
		s->busy = false;
		pthread_cond_broadcast(&s->idle);
		if (again(rc) && rc != -ECANCELED)
			rest(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int sealing_start(struct sealing *s)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->runs = !rc;
	return rc ? -EAGAIN : 0;
}

void sealing_free(struct sealing *s)
{
	if (!s)
		return;
	if (s->runs) {
		pthread_mutex_lock(&s->lock);
		s->quit = true;
		s->stop = 1;
		pthread_cond_broadcast(&s->more);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	forget(s);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->more);
	pthread_cond_destroy(&s->idle);
	free(s);
}
