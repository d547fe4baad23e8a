/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clocks.c - the machine's clock is set while calls go on, see base/clock.h
 *
 * Calls in progress keep the time they began by, and so does everything else here: evidence, samples, the policy. What has
 * to be on the safe side meanwhile asks clock_earlier_ns or clock_later_ns. The new time is taken when no call is in
 * progress; a daemon that takes calls over goes on by theirs. The loop's thread.
 */
#include <stdlib.h>

#include "base/keep.h"
#include "base/log.h"
#include "capture/xdp.h"
#include "daemon.h"
#include "evidence.h"

#define AGAIN_NS (3600 * NS_PER_S) /* the alarm comes again */

static double seconds(int64_t ns)
{
	return (double)llabs(ns) / (double)NS_PER_S;
}

static const char *way(int64_t ns)
{
	return ns < 0 ? "back" : "forward";
}

void clocks_take_over(struct daemon *d)
{
	uint64_t was = clock_offset_ns();

	if (d->left && d->conf.take_over_ns && !xdp_was_dead(d->xdp[0]))
		(void)clock_live(recorder_clock(d->keep)); /* one that is none: the machine's clock, as before us */
	d->start_ns += clock_offset_ns() - was;
}

static void tell_step(struct daemon *d, int64_t by)
{
	int64_t ahead = d->clock.ahead_ns;

	d->clock_steps++;
	evidence_clock(d->evidence, false, by, ahead);
	d->clock_said_ns = clock_steady_ns();
	if (d->clock.told_ns)
		log_warn("alarm: clock: the machine's clock was set %s by %.3f s, and is %.3f s %s ours: "
			 "calls in progress keep their time, the new one is taken when there are none",
			 way(by), seconds(by), seconds(ahead), ahead < 0 ? "behind" : "ahead of");
	else
		log_notice("the machine's clock was set %s by %.3f s, and is ours again", way(by), seconds(by));
	if (by < 0)
		recorder_clock_back(d->rec);
}

static void take(struct daemon *d)
{
	int64_t by = clock_take(&d->clock);

	d->start_ns += (uint64_t)by;
	evidence_clock(d->evidence, true, by, 0);
	log_notice("no call is in progress: the machine's clock is taken, ours was set %s by %.3f s", way(by), seconds(by));
}

void clocks_run(struct daemon *d)
{
	uint64_t looked = d->clock.at_ns;
	int64_t by = clock_follow(&d->clock);

	if (d->clock.at_ns == looked)
		return;
	if (by)
		tell_step(d, by);
	if (d->clock.told_ns && recorder_idle(d->rec)) {
		take(d);
	} else if (d->clock.told_ns && clock_steady_ns() - d->clock_said_ns >= AGAIN_NS) {
		d->clock_said_ns = clock_steady_ns();
		log_warn("alarm: clock: the machine's clock is %.3f s %s ours still: stop and start the daemon, unless all calls end before",
			 seconds(d->clock.ahead_ns), d->clock.ahead_ns < 0 ? "behind" : "ahead of");
	}
	recorder_keep_clock(d->rec);
}
