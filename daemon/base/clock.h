/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - the one clock, and calendar arithmetic
 *
 * Everything reads time here. Programs have CLOCK_REALTIME; the daemon has a
 * clock of its own that nobody sets (see "live" below); a replay sets it to the
 * capture's own timestamps; tests move it freely. Nanoseconds since 1970-01-01
 * UTC as uint64_t (good until 2554).
 *
 * Calendar functions take a time zone name (tz database). They run under one
 * lock because the C library keeps one zone per process; call them per call or
 * day, not per packet. Nobody else in this program uses localtime(3).
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL

uint64_t clock_now_ns(void);
/* From now on clock_now_ns answers `ns` until set again; 0 returns to the kernel's clock. */
void clock_set_ns(uint64_t ns);
/* For how long something lasts, and for nothing else: CLOCK_MONOTONIC, or what clock_set_ns said. */
uint64_t clock_steady_ns(void);

/*
 * ---- live ----
 *
 * The daemon's clock is CLOCK_MONOTONIC, which the kernel program stamps packets with (bpf_ktime_get_ns), plus an
 * offset: setting the machine's clock moves nothing in a call. The offset follows CLOCK_REALTIME only as slowly as a
 * quartz drifts (CLOCK_SLEW_PPM: a window of 10 s is 5 ms shorter or longer), and only while the two are less than
 * CLOCK_STEP_NS apart. More is a step: the offset stays until clock_take, which is for when no call is in progress.
 * While a machine is suspended CLOCK_MONOTONIC stands still, as the audio of its calls does; afterwards that is a step
 * forward like any other.
 *
 * Any thread reads; clock_live, clock_follow and clock_take are one thread's.
 */
#define CLOCK_STEP_NS  ((int64_t)NS_PER_S)
#define CLOCK_SLEW_PPM 500

/* From now on, by this offset (that of the daemon before, for the calls it left); 0, or one that names no year from 2000 to
 * 2500: by CLOCK_REALTIME as it is now. Whether the given one was taken. */
bool clock_live(uint64_t offset_ns);
/* What CLOCK_MONOTONIC lacks to clock_now_ns; when nothing is live, to CLOCK_REALTIME as it is now. Wraps around: add it. */
uint64_t clock_offset_ns(void);
/* CLOCK_REALTIME less clock_now_ns, read at one moment; 0 when nothing is live. */
int64_t clock_ahead_ns(void);

/*
 * While the machine's clock is a step away nobody knows which of the two is right. The earlier and the later of what ns,
 * of clock_now_ns, is by either: for whoever must be on the safe side. Otherwise ns; also when they are more than
 * CLOCK_DOUBT_NS apart, since that is a clock that broke sooner than one that was wrong all the time, and what is given up
 * for a broken one cannot be had back. clock_step_ns: clock_ahead_ns when it is such a step, else 0.
 */
#define CLOCK_DOUBT_NS ((int64_t)(86400 * NS_PER_S))
int64_t clock_step_ns(void);
uint64_t clock_earlier_ns(uint64_t ns);
uint64_t clock_later_ns(uint64_t ns);

struct clock_follow { /* zeroes to begin with */
	uint64_t at_ns;	  /* CLOCK_MONOTONIC's, of the last look */
	int64_t ahead_ns; /* of the machine's clock, then */
	int64_t told_ns;  /* the step that was returned last, as seen from the offset; 0 none */
};
/*
 * As often as one likes; looks each tenth of a second. Moves the offset, or returns how far the machine's clock was set
 * (negative: back), once for each step: what it was told to be ahead is new in f. 0: nothing. One that is being
 * slewed faster than we follow comes as some steps, each an eighth of the distance at least.
 */
int64_t clock_follow(struct clock_follow *f);
/* The machine's clock as it is now; how far ours went. */
int64_t clock_take(struct clock_follow *f);

/* The arithmetic of it, pure. By how much to move in elapsed_ns; the step that is to be told. */
int64_t clock_slew_by(int64_t ahead_ns, uint64_t elapsed_ns);
int64_t clock_step_of(int64_t ahead_ns, int64_t told_ns);
/*
 * A time that the kernel took from CLOCK_REALTIME shortly before now_ns (of clock_now_ns), as ours: the machine's clock is ahead
 * by ahead_ns, and was by before_ns until it was set. Whichever fits; now_ns when none does.
 */
uint64_t clock_from_host_ns(uint64_t host_ns, uint64_t now_ns, int64_t ahead_ns, int64_t before_ns);

bool clock_zone_exists(const char *zone);

struct clock_date {
	int year; /* 1970.. */
	int month; /* 1..12 */
	int day; /* 1..31 */
};

enum clock_unit { CLOCK_U_DAYS, CLOCK_U_MONTHS, CLOCK_U_YEARS };

/* Civil time in a zone; any out-parameter may be NULL. weekday 0 = Monday; minute of the day. */
int clock_civil(uint64_t ns, const char *zone, struct clock_date *ret_date, int *ret_weekday,
		int *ret_minute);

/*
 * The instant n calendar units after ns in the zone: same local clock time, the
 * day clamped to the month's end (30 Nov + 3 months = 28/29 Feb). A local time
 * that DST skips becomes the earliest instant after the gap's start; one that
 * happens twice the earlier: never later than the rule says (N-23, X-13).
 * -EINVAL: unknown zone.
 */
int clock_add(uint64_t ns, const char *zone, int n, enum clock_unit unit, uint64_t *ret_ns);

/* Start (00:00 local) of the day of `ns` / of a date. */
int clock_day_start(const struct clock_date *d, const char *zone, uint64_t *ret_ns);

/* "2026-11-23T20:37:15.123456Z" into out (at least 32 bytes). */
void clock_format(uint64_t ns, char out[32]);
/* RFC 3339, or date only (UTC midnight); fraction optional. -EINVAL. */
int clock_parse(const char *s, uint64_t *ret_ns);
/* "2027-02-28"; out at least 11 bytes. Parse accepts real dates only. */
void clock_date_format(const struct clock_date *d, char out[16]);
int clock_date_parse(const char *s, size_t n, struct clock_date *ret);

#endif
