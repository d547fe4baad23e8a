/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence_outbox.c - what other programs left for the log (store/outbox.h), each round, see evidence.h
 *
 * The thread's. What goes wrong here denies no call: a log that takes nothing is met by the round itself.
 */
#include <string.h>

#include "base/log.h"
#include "evidence_internal.h"
#include "store/outbox.h"

void evidence_take_outbox(struct evidence *ev, uint64_t now)
{
	struct outbox_taken t;
	char why[512] = "";
	int e = outbox_take(ev->log, now, &t, why, sizeof(why));

	if (t.refused)
		log_warn("outbox: %s%s", why, t.refused > 1 ? ", and others" : "");
	if (e && e != ev->outbox_said)
		log_err("outbox: %s; what destroys recordings goes on, its evidence waits in STORE/outbox", *why ? why : strerror(-e));
	else if (!e && ev->outbox_said)
		log_notice("outbox: goes on");
	ev->outbox_said = e;
	pthread_mutex_lock(&ev->lock);
	ev->fig.outbox_events += t.events;
	ev->fig.outbox_refused += t.refused;
	ev->fig.outbox_waiting = t.left;
	pthread_mutex_unlock(&ev->lock);
}
