/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tz.c - offsets of a time zone, read from the tz database
 *
 * Why not localtime(3): the C library keeps one zone per process, and a policy
 * is evaluated in any thread for controllers in different zones. Reads TZif
 * version 1 to 4 (RFC 8536) and the POSIX rule at its end, which covers every
 * time after the last listed transition. A loaded zone is never changed.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define TZ_DIR		"/usr/share/zoneinfo/"
#define TZ_FILE_MAX	(256 * 1024) /* the largest of tzdata 2025 is 4 KiB */
#define TRANSITIONS_MAX 10000
#define TYPES_MAX	256

struct tz_rule { /* Mm.w.d/time, Jn or n */
	char form;
	int m, w, d, s;
};

struct tz {
	size_t n;
	int64_t *at;
	int32_t *off;  /* from at[i] on */
	int32_t first; /* before at[0] */
	bool has_rule, has_dst;
	int32_t std, dst;
	struct tz_rule start, end;
};

/* ---- calendar ---- */

int64_t days_from_civil(int y, int m, int d)
{
	int64_t yy = y - (m <= 2), era = (yy >= 0 ? yy : yy - 399) / 400;
	int64_t yoe = yy - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void civil_from_days(int64_t z, struct policy_date *ret)
{
	z += 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	ret->day = (int)(doy - (153 * mp + 2) / 5 + 1);
	ret->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	ret->year = (int)(yoe + era * 400 + (ret->month <= 2));
}

static bool leap(int y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int month_days(int y, int m)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return m == 2 && leap(y) ? 29 : days[m - 1];
}

bool date_valid(const struct policy_date *d)
{
	return d->year >= 1970 && d->year <= 9999 && d->month >= 1 && d->month <= 12 &&
	       d->day >= 1 && d->day <= month_days(d->year, d->month);
}

/* ---- the POSIX rule, "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static int rule_name(const char **s)
{
	const char *e = *s;

	if (*e == '<') {
		while (*e && *e != '>')
			e++;
		if (!*e)
			return -EINVAL;
		e++;
	} else {
		while (isalpha((unsigned char)*e))
			e++;
	}
	if (e == *s)
		return -EINVAL;
	*s = e;
	return 0;
}

static int rule_int(const char **s, int max, int *ret)
{
	int v = 0;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	while (isdigit((unsigned char)**s)) {
		v = v * 10 + (*(*s)++ - '0');
		if (v > max)
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int rule_time(const char **s, int *ret)
{
	int sign = 1, v, sum;

	if (**s == '+' || **s == '-')
		sign = *(*s)++ == '-' ? -1 : 1;
	if (rule_int(s, 167, &v))
		return -EINVAL;
	sum = v * 3600;
	for (int unit = 60; unit && **s == ':'; unit /= 60) {
		(*s)++;
		if (rule_int(s, 59, &v))
			return -EINVAL;
		sum += v * unit;
	}
	*ret = sign * sum;
	return 0;
}

static int rule_date(const char **s, struct tz_rule *r)
{
	r->form = 'n';
	if (**s == 'M' || **s == 'J')
		r->form = *(*s)++;
	if (r->form == 'M') {
		if (rule_int(s, 12, &r->m) || *(*s)++ != '.' || rule_int(s, 5, &r->w) ||
		    *(*s)++ != '.' || rule_int(s, 6, &r->d) || r->m < 1 || r->w < 1)
			return -EINVAL;
	} else if (rule_int(s, 365, &r->d) || (r->form == 'J' && r->d < 1)) {
		return -EINVAL;
	}
	r->s = 2 * 3600;
	if (**s == '/') {
		(*s)++;
		return rule_time(s, &r->s);
	}
	return 0;
}

static int rule_parse(struct tz *z, const char *s)
{
	int off;

	if (rule_name(&s) || rule_time(&s, &off))
		return -EINVAL;
	z->std = -off;
	z->has_rule = true;
	if (!*s)
		return 0;
	if (rule_name(&s))
		return -EINVAL;
	z->dst = z->std + 3600;
	if (*s != ',') {
		if (rule_time(&s, &off))
			return -EINVAL;
		z->dst = -off;
	}
	if (*s++ != ',' || rule_date(&s, &z->start) || *s++ != ',' || rule_date(&s, &z->end) || *s)
		return -EINVAL;
	z->has_dst = true;
	return 0;
}

/* Local wall clock second (since 1970) at which the rule's change happens in a year. */
static int64_t rule_at(const struct tz_rule *r, int y)
{
	int64_t first, day;

	if (r->form == 'J')
		day = days_from_civil(y, 1, 1) + r->d - 1 + (leap(y) && r->d > 59);
	else if (r->form == 'n')
		day = days_from_civil(y, 1, 1) + r->d;
	else {
		first = days_from_civil(y, r->m, 1);
		day = first + (r->d - (int)((first + 4) % 7) + 7) % 7 +
		      7 * (r->w - 1); /* 1970-01-01 was a Thursday */
		while (day >= first + month_days(y, r->m))
			day -= 7;
	}
	return day * 86400 + r->s;
}

static int rule_offset(const struct tz *z, int64_t t)
{
	struct policy_date d;
	int64_t a, b, local = t + z->std;

	if (!z->has_dst)
		return z->std;
	civil_from_days((local >= 0 ? local : local - 86399) / 86400, &d);
	if (d.year < 1970 || d.year > 9999)
		return z->std;
	a = rule_at(&z->start, d.year) - z->std;
	b = rule_at(&z->end, d.year) - z->dst;
	if (a < b)
		return t >= a && t < b ? z->dst : z->std;
	return t >= b && t < a ? z->std : z->dst;
}

int tz_offset(const struct tz *z, int64_t t)
{
	size_t lo = 0, hi = z->n;

	if (z->n == 0)
		return z->has_rule ? rule_offset(z, t) : z->first;
	if (t < z->at[0])
		return z->first;
	if (t >= z->at[z->n - 1] && z->has_rule)
		return rule_offset(z, t);
	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (z->at[mid] <= t)
			lo = mid;
		else
			hi = mid;
	}
	return z->off[lo];
}

/* ---- the file ---- */

static uint32_t be32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t be64(const uint8_t *b)
{
	return (int64_t)((uint64_t)be32(b) << 32 | be32(b + 4));
}

struct tz_head {
	uint32_t isut, isstd, leapcnt, time, type, chars;
};

static int tz_head(const uint8_t *b, size_t n, struct tz_head *h, uint8_t *ret_version)
{
	if (n < 44 || memcmp(b, "TZif", 4))
		return -EINVAL;
	*ret_version = b[4];
	h->isut = be32(b + 20);
	h->isstd = be32(b + 24);
	h->leapcnt = be32(b + 28);
	h->time = be32(b + 32);
	h->type = be32(b + 36);
	h->chars = be32(b + 40);
	if (h->time > TRANSITIONS_MAX || h->type < 1 || h->type > TYPES_MAX || h->chars > 4096 ||
	    h->leapcnt > 1000 || h->isut > TYPES_MAX || h->isstd > TYPES_MAX)
		return -EINVAL;
	return 0;
}

static size_t tz_body(const struct tz_head *h, size_t time_size)
{
	return h->time * (time_size + 1) + h->type * 6 + h->chars + h->leapcnt * (time_size + 4) +
	       h->isstd + h->isut;
}

static int tz_read(struct arena *a, const uint8_t *b, const struct tz_head *h, size_t ts,
		   struct tz *z)
{
	const uint8_t *idx = b + h->time * ts, *types = idx + h->time;

	z->n = h->time;
	z->at = arena_alloc(a, (z->n + 1) * sizeof(*z->at));
	z->off = arena_alloc(a, (z->n + 1) * sizeof(*z->off));
	if (!z->at || !z->off)
		return -ENOMEM;
	z->first = (int32_t)be32(types);
	for (uint32_t i = 0; i < h->type; i++) {
		int32_t off = (int32_t)be32(types + 6 * i);

		if (off < -93599 || off > 93599) /* RFC 8536: a day and a bit */
			return -EINVAL;
	}
	for (size_t i = 0; i < z->n; i++) {
		z->at[i] = ts == 8 ? be64(b + 8 * i) : (int32_t)be32(b + 4 * i);
		if (idx[i] >= h->type || (i && z->at[i] <= z->at[i - 1]))
			return -EINVAL;
		z->off[i] = (int32_t)be32(types + 6 * idx[i]);
	}
	return 0;
}

int tz_from_bytes(struct arena *a, const uint8_t *b, size_t n, struct tz **ret)
{
	struct tz_head h;
	struct tz *z;
	uint8_t version;
	char rule[128];
	size_t body, len;
	int err;

	z = arena_alloc(a, sizeof(*z));
	if (!z)
		return -ENOMEM;
	if (tz_head(b, n, &h, &version) || n - 44 < (body = tz_body(&h, 4)))
		return -EINVAL;
	if (version < '2') {
		err = tz_read(a, b + 44, &h, 4, z);
	} else {
		b += 44 + body;
		n -= 44 + body;
		if (tz_head(b, n, &h, &version) || n - 44 < (body = tz_body(&h, 8)))
			return -EINVAL;
		err = tz_read(a, b + 44, &h, 8, z);
		b += 44 + body;
		n -= 44 + body;
		if (!err && n >= 2 && b[0] == '\n' && b[n - 1] == '\n') {
			len = n - 2;
			if (len >= sizeof(rule) || memchr(b + 1, 0, len))
				return -EINVAL;
			memcpy(rule, b + 1, len);
			rule[len] = '\0';
			if (len)
				err = rule_parse(z, rule);
		}
	}
	if (err)
		return err;
	*ret = z;
	return 0;
}

static bool name_ok(const char *s)
{
	if (!*s || *s == '/' || strstr(s, "..") || strlen(s) > NAME_MAX_LEN)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("/_+-", *s))
			return false;
	return true;
}

int tz_load(struct arena *a, const char *name, struct tz **ret)
{
	static const uint8_t utc[] =
		"TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* for machines without tzdata */
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
		"\0\0\0\0\0\0UTC";
	char path[sizeof(TZ_DIR) + NAME_MAX_LEN];
	uint8_t *b;
	ssize_t got;
	size_t n = 0;
	int fd, err;

	if (!name_ok(name))
		return -EINVAL;
	if (!strcmp(name, "UTC"))
		return tz_from_bytes(a, utc, sizeof(utc), ret);
	snprintf(path, sizeof(path), TZ_DIR "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : -errno;
	b = malloc(TZ_FILE_MAX);
	err = b ? 0 : -ENOMEM;
	while (!err && n < TZ_FILE_MAX && (got = read(fd, b + n, TZ_FILE_MAX - n)) != 0) {
		if (got < 0)
			err = errno == EISDIR ? -ENOENT : -errno;
		else
			n += (size_t)got;
	}
	close(fd);
	if (!err)
		err = tz_from_bytes(a, b, n, ret);
	free(b);
	return err;
}
