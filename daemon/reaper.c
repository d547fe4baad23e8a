/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reaper.c - is somebody there who deletes? (guidance INV-7: a dead reaper denies training, and documentation is alarmed)
 *
 * The reaper leaves a mark in the store when a run ends (store/reap_clock.h); the store's own thread reads it. By uptime, which nobody
 * sets. The loop's thread.
 */
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"

#define TELL_NS (600 * NS_PER_S)

static uint64_t uptime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t reaper_ago_ns(const struct daemon *d)
{
	uint64_t now = uptime();

	if (!d->reaper.ran_ns || d->reaper.ran_ns == UINT64_MAX)
		return UINT64_MAX;
	return now > d->reaper.ran_ns ? now - d->reaper.ran_ns : 0;
}

void reaper_run(struct daemon *d)
{
	struct reaper *r = &d->reaper;
	uint64_t now = uptime(), last;
	struct store_figures f;
	bool dead;

	store_figures(d->store, &f);
	r->ran_ns = f.reaped_ns;
	if (!d->conf.reaper_ns)
		return;
	if (!r->from_ns)
		r->from_ns = now;
	/* of one that never ran only our own time is known; else a restart is no sign of life */
	last = r->ran_ns == UINT64_MAX ? r->from_ns : r->ran_ns;
	dead = now > last && now - last > d->conf.reaper_ns;
	if (dead && (!r->dead || clock_steady_ns() - r->told_ns >= TELL_NS)) {
		r->told_ns = clock_steady_ns();
		log_err("alarm: reaper: no run of optag reap ended for %llu s: what is due is not deleted, and of calls that begin now nothing is recorded for training",
			(unsigned long long)((now - last) / NS_PER_S));
	} else if (!dead && r->dead) {
		log_notice("the reaper runs again: calls that begin now are recorded for training again");
	}
	r->dead = dead;
}
