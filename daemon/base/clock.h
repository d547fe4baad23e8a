/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - the one clock, and calendar arithmetic
 *
 * Everything reads time here. Live it is CLOCK_REALTIME; a replay sets it to
 * the capture's own timestamps; tests move it freely. Nanoseconds since
 * 1970-01-01 UTC as uint64_t (good until 2554).
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
