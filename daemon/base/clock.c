/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.c - the one clock, and calendar arithmetic
 *
 * Zones go through the C library, which knows one zone at a time: TZ is set
 * under zone_lock and stays set to the last zone asked for, so a run with one
 * controller sets it once.
 */
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS	  (NS_PER_S / 10)
#define ELAPSED_MAX_NS NS_PER_S /* a loop that stood still does not make up for it at once */
#define READ_NS	  20000 /* two clocks were read at one moment, as far as it matters */
#define FUTURE_NS NS_PER_S /* of a packet: it may have come since now was read */

static _Atomic uint64_t clock_set_value, live_offset; /* live_offset 0: nothing is live */
static pthread_mutex_t zone_lock = PTHREAD_MUTEX_INITIALIZER; /* guards TZ and zone_now */
static char zone_now[64];

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	uint64_t set = atomic_load_explicit(&clock_set_value, memory_order_relaxed), offset;

	if (set)
		return set;
	offset = atomic_load_explicit(&live_offset, memory_order_relaxed);
	return offset ? read_clock(CLOCK_MONOTONIC) + offset : read_clock(CLOCK_REALTIME);
}

uint64_t clock_steady_ns(void)
{
	uint64_t set = atomic_load_explicit(&clock_set_value, memory_order_relaxed);

	return set ? set : read_clock(CLOCK_MONOTONIC);
}

void clock_set_ns(uint64_t ns)
{
	atomic_store_explicit(&clock_set_value, ns, memory_order_relaxed);
}

/* ---- live ---- */

/* CLOCK_REALTIME less CLOCK_MONOTONIC: of some readings one that nothing came in between. */
static uint64_t host_offset(uint64_t *ret_mono)
{
	uint64_t before = 0, after, real = 0;

	for (int i = 0; i < 4; i++) {
		before = read_clock(CLOCK_MONOTONIC);
		real = read_clock(CLOCK_REALTIME);
		after = read_clock(CLOCK_MONOTONIC);
		if (after - before < READ_NS)
			break;
	}
	if (ret_mono)
		*ret_mono = before;
	return real - before;
}

bool clock_live(uint64_t offset_ns)
{
	static const uint64_t y2000 = 946684800 * NS_PER_S, y2500 = 16725225600 * NS_PER_S;
	uint64_t mono, now, host = host_offset(&mono);
	bool given;

	now = mono + offset_ns;
	given = offset_ns && now >= y2000 && now < y2500;
	atomic_store_explicit(&live_offset, given ? offset_ns : host, memory_order_relaxed);
	return given;
}

uint64_t clock_offset_ns(void)
{
	uint64_t offset = atomic_load_explicit(&live_offset, memory_order_relaxed);

	return offset ? offset : host_offset(NULL);
}

int64_t clock_ahead_ns(void)
{
	uint64_t offset = atomic_load_explicit(&live_offset, memory_order_relaxed);

	return offset ? (int64_t)(host_offset(NULL) - offset) : 0;
}

static bool is_step(int64_t ahead_ns)
{
	return ahead_ns >= CLOCK_STEP_NS || ahead_ns <= -CLOCK_STEP_NS;
}

int64_t clock_step_ns(void)
{
	int64_t ahead = clock_ahead_ns();

	return is_step(ahead) && ahead <= CLOCK_DOUBT_NS && ahead >= -CLOCK_DOUBT_NS ? ahead : 0;
}

uint64_t clock_earlier_ns(uint64_t ns)
{
	int64_t ahead = clock_step_ns();

	if (ahead >= 0)
		return ns;
	return ns > (uint64_t)-ahead ? ns - (uint64_t)-ahead : 1; /* 0 is "none" in many places */
}

uint64_t clock_later_ns(uint64_t ns)
{
	int64_t ahead = clock_step_ns();

	return ahead > 0 ? ns + (uint64_t)ahead : ns;
}

int64_t clock_slew_by(int64_t ahead_ns, uint64_t elapsed_ns)
{
	int64_t max = (int64_t)((elapsed_ns < ELAPSED_MAX_NS ? elapsed_ns : ELAPSED_MAX_NS) * CLOCK_SLEW_PPM / 1000000);

	if (is_step(ahead_ns))
		return 0;
	return ahead_ns > max ? max : ahead_ns < -max ? -max : ahead_ns;
}

int64_t clock_step_of(int64_t ahead_ns, int64_t told_ns)
{
	int64_t by = ahead_ns - told_ns, least = told_ns / 8;

	if (!is_step(ahead_ns))
		return told_ns ? by : 0; /* it was set right again */
	least = least < 0 ? -least : least;
	least = least > CLOCK_STEP_NS ? least : CLOCK_STEP_NS;
	return by >= least || by <= -least ? by : 0;
}

int64_t clock_follow(struct clock_follow *f)
{
	uint64_t mono = read_clock(CLOCK_MONOTONIC), elapsed = f->at_ns ? mono - f->at_ns : 0;
	int64_t by;

	if (f->at_ns && elapsed < LOOK_NS)
		return 0;
	f->at_ns = mono;
	f->ahead_ns = clock_ahead_ns();
	by = clock_slew_by(f->ahead_ns, elapsed);
	if (by) {
		atomic_fetch_add_explicit(&live_offset, (uint64_t)by, memory_order_relaxed);
		f->ahead_ns -= by;
	}
	by = clock_step_of(f->ahead_ns, f->told_ns);
	if (by)
		f->told_ns = is_step(f->ahead_ns) ? f->ahead_ns : 0;
	return by;
}

int64_t clock_take(struct clock_follow *f)
{
	int64_t by = clock_ahead_ns();

	atomic_fetch_add_explicit(&live_offset, (uint64_t)by, memory_order_relaxed);
	f->ahead_ns = f->told_ns = 0;
	return by;
}

uint64_t clock_from_host_ns(uint64_t host_ns, uint64_t now_ns, int64_t ahead_ns, int64_t before_ns)
{
	uint64_t a = host_ns - (uint64_t)ahead_ns, b = host_ns - (uint64_t)before_ns;
	bool a_fits = a <= now_ns + FUTURE_NS, b_fits = b <= now_ns + FUTURE_NS;

	if (a_fits && b_fits)
		return a > b ? a : b;
	return a_fits ? a : b_fits ? b : now_ns;
}

/* Only names of the tz database: no absolute path, no POSIX rule, no "..". */
static bool zone_name_ok(const char *zone)
{
	size_t n = strlen(zone);

	return n > 0 && n < sizeof(zone_now) && zone[0] != '/' && zone[0] != ':' &&
	       !strstr(zone, "..") &&
	       strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == n;
}

bool clock_zone_exists(const char *zone)
{
	char path[128];

	if (!zone_name_ok(zone))
		return false;
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone);
	return access(path, R_OK) == 0 || strcmp(zone, "UTC") == 0;
}

/* Call with zone_lock held. */
static int zone_enter(const char *zone)
{
	if (strcmp(zone, zone_now) == 0)
		return 0;
	if (!clock_zone_exists(zone))
		return -EINVAL;
	if (setenv("TZ", zone, 1))
		return -ENOMEM;
	tzset();
	snprintf(zone_now, sizeof(zone_now), "%s", zone);
	return 0;
}

int clock_civil(uint64_t ns, const char *zone, struct clock_date *ret_date, int *ret_weekday,
		int *ret_minute)
{
	time_t t = (time_t)(ns / NS_PER_S);
	struct tm tm;
	int rc;

	pthread_mutex_lock(&zone_lock);
	rc = zone_enter(zone);
	if (!rc && !localtime_r(&t, &tm))
		rc = -EINVAL;
	pthread_mutex_unlock(&zone_lock);
	if (rc)
		return rc;
	if (ret_date)
		*ret_date = (struct clock_date){ tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday };
	if (ret_weekday)
		*ret_weekday = (tm.tm_wday + 6) % 7;
	if (ret_minute)
		*ret_minute = tm.tm_hour * 60 + tm.tm_min;
	return 0;
}

static bool leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int month_days(int y, int m)
{
	static const int d[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return m == 2 && leap(y) ? 29 : d[m - 1];
}

static bool same_wall(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday &&
	       a->tm_hour == b->tm_hour && a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

/*
 * Earliest instant whose local wall time is *want, or, when DST skips that
 * time, the instant at which the gap begins: both are what "never later"
 * demands. Call with the zone entered.
 */
static time_t wall_to_time(const struct tm *want)
{
	struct tm a = *want, back;
	time_t best, t, lo, hi;

	a.tm_isdst = -1;
	best = mktime(&a);
	/* An overlap has a second solution at most a few hours before. */
	for (t = best - 3 * 3600; t < best; t += 900) {
		if (localtime_r(&t, &back) && same_wall(&back, want))
			return t;
	}
	if (localtime_r(&best, &back) && same_wall(&back, want))
		return best;
	/* In a gap: find the jump, the last second that still shows less than the wanted time. */
	lo = best - 6 * 3600;
	hi = best + 6 * 3600;
	while (hi - lo > 1) {
		struct tm m;

		t = lo + (hi - lo) / 2;
		if (!localtime_r(&t, &m))
			return best;
		if (timegm(&m) < timegm(&(struct tm){ .tm_year = want->tm_year,
						      .tm_mon = want->tm_mon,
						      .tm_mday = want->tm_mday,
						      .tm_hour = want->tm_hour,
						      .tm_min = want->tm_min,
						      .tm_sec = want->tm_sec }))
			lo = t;
		else
			hi = t;
	}
	return hi;
}

int clock_add(uint64_t ns, const char *zone, int n, enum clock_unit unit, uint64_t *ret_ns)
{
	time_t t = (time_t)(ns / NS_PER_S);
	struct tm tm;
	int rc, y, m, d;

	pthread_mutex_lock(&zone_lock);
	rc = zone_enter(zone);
	if (!rc && !localtime_r(&t, &tm))
		rc = -EINVAL;
	if (rc)
		goto out;
	if (unit == CLOCK_U_DAYS) {
		struct tm day = { .tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday + n };

		(void)timegm(&day); /* normalises the date; its value is not wanted */
		y = day.tm_year + 1900;
		m = day.tm_mon;
		d = day.tm_mday;
	} else {
		int months = tm.tm_mon + (unit == CLOCK_U_YEARS ? 12 * n : n);

		y = tm.tm_year + 1900 + months / 12;
		m = months % 12;
		if (m < 0) {
			m += 12;
			y--;
		}
		d = tm.tm_mday < month_days(y, m + 1) ? tm.tm_mday : month_days(y, m + 1);
	}
	tm = (struct tm){ .tm_year = y - 1900, .tm_mon = m, .tm_mday = d,
			  .tm_hour = tm.tm_hour, .tm_min = tm.tm_min, .tm_sec = tm.tm_sec };
	t = wall_to_time(&tm);
	if (t <= 0) {
		rc = -EINVAL;
		goto out;
	}
	*ret_ns = (uint64_t)t * NS_PER_S + ns % NS_PER_S;
out:
	pthread_mutex_unlock(&zone_lock);
	return rc;
}

int clock_day_start(const struct clock_date *d, const char *zone, uint64_t *ret_ns)
{
	struct tm tm = { .tm_year = d->year - 1900, .tm_mon = d->month - 1, .tm_mday = d->day };
	time_t t = 0;
	int rc;

	if (d->month < 1 || d->month > 12 || d->day < 1 || d->day > month_days(d->year, d->month))
		return -EINVAL;
	pthread_mutex_lock(&zone_lock);
	rc = zone_enter(zone);
	if (!rc)
		t = wall_to_time(&tm);
	pthread_mutex_unlock(&zone_lock);
	if (rc)
		return rc;
	if (t < 0)
		return -EINVAL;
	*ret_ns = (uint64_t)t * NS_PER_S;
	return 0;
}

void clock_format(uint64_t ns, char out[32])
{
	time_t t = (time_t)(ns / NS_PER_S);
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		memset(&tm, 0, sizeof(tm));
	/* % tells the compiler how long each number can be at most */
	snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", (unsigned)(tm.tm_year + 1900) % 10000,
		 (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100,
		 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100,
		 (unsigned)(ns % NS_PER_S / 1000) % 1000000);
}

/* n decimal digits at *s; advances. */
static bool digits(const char **s, int n, int *ret)
{
	int v = 0;

	for (; n; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (**s - '0');
	}
	*ret = v;
	return true;
}

static bool parse_zone(const char **s, int *ret_offset)
{
	int sign, h, m;

	if (**s == 'Z' || **s == 'z') {
		(*s)++;
		*ret_offset = 0;
		return true;
	}
	if (**s != '+' && **s != '-')
		return false;
	sign = *(*s)++ == '-' ? -1 : 1;
	if (!digits(s, 2, &h) || *(*s)++ != ':' || !digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	*ret_offset = sign * (h * 60 + m) * 60;
	return true;
}

int clock_parse(const char *s, uint64_t *ret_ns)
{
	int h = 0, mi = 0, sec = 0, off = 0;
	uint64_t frac = 0, unit = NS_PER_S;
	struct clock_date d;
	struct tm tm;
	time_t t;

	if (strlen(s) < 10 || clock_date_parse(s, 10, &d))
		return -EINVAL;
	s += 10;
	if (*s) {
		if (*s != 'T' && *s != 't' && *s != ' ')
			return -EINVAL;
		s++;
		if (!digits(&s, 2, &h) || *s++ != ':' || !digits(&s, 2, &mi))
			return -EINVAL;
		if (*s == ':') {
			s++;
			if (!digits(&s, 2, &sec))
				return -EINVAL;
			if (*s == '.') {
				for (s++; *s >= '0' && *s <= '9'; s++) {
					unit /= 10;
					frac += unit * (uint64_t)(*s - '0');
				}
			}
		}
		if (h > 23 || mi > 59 || sec > 60 || !parse_zone(&s, &off) || *s)
			return -EINVAL;
	}
	tm = (struct tm){ .tm_year = d.year - 1900, .tm_mon = d.month - 1, .tm_mday = d.day,
			  .tm_hour = h, .tm_min = mi, .tm_sec = sec };
	t = timegm(&tm) - off;
	if (t < 0)
		return -EINVAL;
	*ret_ns = (uint64_t)t * NS_PER_S + frac;
	return 0;
}

void clock_date_format(const struct clock_date *d, char out[16])
{
	snprintf(out, 16, "%04u-%02u-%02u", (unsigned)d->year % 10000, (unsigned)d->month % 100,
		 (unsigned)d->day % 100);
}

int clock_date_parse(const char *s, size_t n, struct clock_date *ret)
{
	struct clock_date d;

	if (n != 10 || !digits(&s, 4, &d.year) || *s++ != '-' || !digits(&s, 2, &d.month) ||
	    *s++ != '-' || !digits(&s, 2, &d.day))
		return -EINVAL;
	if (d.year < 1970 || d.month < 1 || d.month > 12 || d.day < 1 ||
	    d.day > month_days(d.year, d.month))
		return -EINVAL;
	*ret = d;
	return 0;
}
