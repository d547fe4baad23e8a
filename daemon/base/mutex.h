/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mutex.h - a mutex whose holder is as urgent as who waits for it
 *
 * The capturing thread is a realtime one, encoders are the nicest: without this one that is preempted
 * with a queue's lock in its hand would keep capture waiting for every other busy process.
 */
#ifndef MUTEX_H
#define MUTEX_H

#include <pthread.h>

static inline void mutex_init(pthread_mutex_t *m)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	(void)pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT); /* not there: an ordinary one */
	pthread_mutex_init(m, &a);
	pthread_mutexattr_destroy(&a);
}

#endif
