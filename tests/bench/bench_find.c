/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_find.c - a search by number among the stored calls of 90 days
 *
 *	bench_find [DIR ROWS [DAYS]] [--one-table]
 *
 * Makes a store in DIR (kept when it is there already; else a million rows in a directory of its own) with that many rows, sealed
 * partitions of at most 250,000, and prints how long a search takes that gives all calls of a number (some 50), over all days: opened
 * anew each time, as `optag find` does, with the files in memory and without. --one-table: the same rows in one SQLite table (DIR.one.db)
 * with an index on each number, opened anew each time, too. That one reads the rows of calls alone: ours gives their legs, links and what became
 * of them later as well. A measurement ends after LIMIT_S, with as many searches as there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/catalog.h"
#include "store/sealing.h"
#include "store/store.h"
#include "store/store_internal.h"

#define START_NS   1790000000000000000ULL
#define PER_NUMBER 50
#define WARM	   2000
#define COLD	   60
#define LIMIT_S	   20

static char dir[3000];
static uint64_t rows = 1000000, numbers;
static unsigned days = 90;
static uint8_t key[32];

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_find: %s: %s\n", what, why);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static void number_of(uint64_t i, char out[24])
{
	snprintf(out, 24, "+45%08llu", (unsigned long long)(i % 100000000));
}

/* ---- making rows ---- */

struct fill {
	uint64_t first, n;
};

static const char insert[] =
	"INSERT INTO calls(uid,start_ns,answer_ns,end_ns,rule,policy_hash,scenario,sip_call_id,outcome,end,gap,agent,zone,"
	"documentation_state,documentation_reason,documentation_until,documentation_day,documentation_slot,"
	"training_state,training_reason,training_until,training_day,training_slot,caller_hash,callee_hash,numbers,extents,parts) "
	"VALUES(?1,?2,?2,?2+180000000000,'service-desk',?3,'F',?4,'kept','bye','','agent-7','Europe/Copenhagen',"
	"'GRANTED','interest',?2+7776000000000000,'2027-02-16',?5,'DENIED','sample.out',0,'',0,?6,?7,?8,?9,?10)";
static const char insert_leg[] = "INSERT INTO legs VALUES(?1,?2,'PCMA',8000,1,8,'',9000,0,0,0,0,180000,300,0,0,0)";

static int put_row(sqlite3_stmt *call, sqlite3_stmt *leg, uint64_t i)
{
	static const uint8_t junk[256];
	uint64_t start = START_NS + i * (days * 86400ULL * NS_PER_S / rows);
	char text[UID_TEXT], sip[40], n[24];
	uint8_t hash[2][NUMBER_HASH];
	struct uid uid;

	uid_make(start, &i, sizeof(i), &uid);
	uid_format(&uid, text);
	snprintf(sip, sizeof(sip), "%016llx@10.0.0.1", (unsigned long long)mix(i));
	number_of(mix(i) % numbers, n);
	number_hash(key, n, hash[0]);
	number_of(99000000 + i % 40, n);
	number_hash(key, n, hash[1]);
	sqlite3_bind_text(call, 1, text, -1, SQLITE_STATIC);
	sqlite3_bind_int64(call, 2, (sqlite3_int64)start);
	sqlite3_bind_text(call, 3, "1f0c5d0b1f0c5d0b1f0c5d0b1f0c5d0b1f0c5d0b1f0c5d0b1f0c5d0b1f0c5d0b", 64, SQLITE_STATIC);
	sqlite3_bind_text(call, 4, sip, -1, SQLITE_STATIC);
	sqlite3_bind_int64(call, 5, (sqlite3_int64)(i % 100000 + 1));
	sqlite3_bind_blob(call, 6, hash[0], NUMBER_HASH, SQLITE_STATIC);
	sqlite3_bind_blob(call, 7, hash[1], NUMBER_HASH, SQLITE_STATIC);
	sqlite3_bind_blob(call, 8, junk, 120, SQLITE_STATIC);
	sqlite3_bind_blob(call, 9, junk, 250, SQLITE_STATIC);
	sqlite3_bind_blob(call, 10, "\1\0\1\1\0\0\0\0\0", 9, SQLITE_STATIC);
	if (sqlite3_step(call) != SQLITE_DONE || sqlite3_reset(call) != SQLITE_OK)
		return -EIO;
	for (int k = 0; k < 2; k++) {
		sqlite3_bind_text(leg, 1, text, -1, SQLITE_STATIC);
		sqlite3_bind_text(leg, 2, k ? "callee" : "caller", -1, SQLITE_STATIC);
		if (sqlite3_step(leg) != SQLITE_DONE || sqlite3_reset(leg) != SQLITE_OK)
			return -EIO;
	}
	return 0;
}

static int fill(void *arg, sqlite3 *sql)
{
	const struct fill *f = arg;
	sqlite3_stmt *call, *leg;
	int rc = 0;

	if (sqlite3_prepare_v2(sql, insert, -1, &call, NULL) != SQLITE_OK || sqlite3_prepare_v2(sql, insert_leg, -1, &leg, NULL) != SQLITE_OK)
		return -EIO;
	for (uint64_t i = 0; !rc && i < f->n; i++)
		rc = put_row(call, leg, f->first + i);
	sqlite3_finalize(call);
	sqlite3_finalize(leg);
	return rc;
}

static void make_rows(const struct root *r)
{
	uint64_t per_day = rows / days;
	struct why why = { "" };

	for (unsigned d = 0; d < days; d++)
		for (uint64_t at = 0, part = 1; at < per_day; at += CATALOG_PART_ROWS, part++) {
			struct fill f = { .first = d * per_day + at, .n = per_day - at < CATALOG_PART_ROWS ? per_day - at : CATALOG_PART_ROWS };
			uint32_t day;

			if (day_of(START_NS + (300 + d) * 86400ULL * NS_PER_S, "UTC", &day) ||
			    seal_new(r, "acme", day, (unsigned)part, fill, &f, &why))
				die("rows", why.text);
		}
}

/* The bucket that all these rows name lives. */
static void make_bucket(void)
{
	char why[512] = "";
	struct store_call_meta m = { .start_ns = START_NS, .controller = "acme", .zone = "Europe/Copenhagen", .rule = "r", .policy_hash = "00",
				     .scenario = "A1", .sip_call_id = "x", .commit = { true } };
	struct store_call *sc;
	struct store *st;

	m.until_ns[0] = 1802761600000000000ULL; /* 2027-02-16 */
	if (store_open(dir, STORE_RW, &st, why, sizeof(why)) || store_call_begin(st, &m, &sc) || store_call_leave(sc) || store_sync(st))
		die("store", why);
	store_close(st);
}

/* ---- searching ---- */

static int on_row(void *arg, const struct store_row *r)
{
	*(uint64_t *)arg += r->start_ns != 0;
	return 0;
}

static void drop_caches(void)
{
	int fd;

	sync();
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd < 0 || write(fd, "3", 1) != 1)
		die("drop_caches", strerror(errno));
	close(fd);
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *what, double *v, unsigned n, uint64_t got)
{
	qsort(v, n, sizeof(*v), cmp);
	printf("find      %-36s p50 %8.2f ms   p99 %8.2f ms   (%u searches, %.1f calls each)\n", what, v[n / 2] * 1e3, v[n * 99 / 100] * 1e3,
	       n, (double)got / n);
	fflush(stdout);
}

static void search(uint64_t i, uint64_t *got)
{
	struct store_filter f = { .state = -1 };
	char why[512] = "", n[24];
	struct store *st;

	number_of(mix(i * 7919) % numbers, n);
	f.number = n;
	if (store_open(dir, STORE_RO, &st, why, sizeof(why)))
		die("open", why);
	if (store_find(st, &f, on_row, got))
		die("find", store_why(st));
	store_close(st);
}

/* The database of the comparison; with the caller. */
static sqlite3 *open_one(const char *path, int how)
{
	sqlite3 *sql;

	if (sqlite3_open_v2(path, &sql, how | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK)
		die(path, "cannot open");
	return sql;
}

static void search_one(const char *path, uint64_t i, uint64_t *got)
{
	sqlite3 *sql = open_one(path, SQLITE_OPEN_READONLY);
	uint8_t hash[NUMBER_HASH];
	sqlite3_stmt *st;
	char n[24];

	number_of(mix(i * 7919) % numbers, n);
	number_hash(key, n, hash);
	if (sqlite3_prepare_v2(sql, "SELECT * FROM calls WHERE caller_hash=?1 OR callee_hash=?1 ORDER BY start_ns, uid", -1, &st, NULL) != SQLITE_OK)
		die("one table", sqlite3_errmsg(sql));
	sqlite3_bind_blob(st, 1, hash, NUMBER_HASH, SQLITE_STATIC);
	while (sqlite3_step(st) == SQLITE_ROW)
		++*got;
	sqlite3_finalize(st);
	sqlite3_close(sql);
}

/* table NULL: the store. */
static void measure(const char *what, const char *table, bool cold)
{
	unsigned most = cold ? COLD : WARM, n = 0;
	double *v = calloc(most, sizeof(*v)), start = now();
	uint64_t got = 0;

	for (; v && n < most && (!n || now() - start < LIMIT_S); n++) {
		double from;

		if (cold)
			drop_caches();
		from = now();
		if (table)
			search_one(table, n, &got);
		else
			search(n, &got);
		v[n] = now() - from;
	}
	if (v)
		print(what, v, n, got);
	free(v);
}

static int copy_part(void *arg, const char *controller, uint32_t day, unsigned part)
{
	char rel[STORE_PATH_MAX], *q;

	catalog_path(controller, day, part, rel);
	q = sqlite3_mprintf("ATTACH '%q/%q' AS p; INSERT INTO calls SELECT * FROM p.calls; DETACH p", dir, rel);
	if (sqlite3_exec(arg, q, NULL, NULL, NULL) != SQLITE_OK)
		die("one table", sqlite3_errmsg(arg));
	sqlite3_free(q);
	return 0;
}

static void make_one(const struct root *r, const char *path)
{
	sqlite3 *sql = open_one(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	char rel[STORE_PATH_MAX], *q;
	double from = now();
	uint32_t day = 0;

	(void)day_of(START_NS + 300 * 86400ULL * NS_PER_S, "UTC", &day);
	catalog_path("acme", day, 1, rel);
	q = sqlite3_mprintf("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-500000; ATTACH '%q/%q' AS q;"
			    "CREATE TABLE calls AS SELECT * FROM q.calls LIMIT 0; DETACH q", dir, rel);
	if (sqlite3_exec(sql, q, NULL, NULL, NULL) != SQLITE_OK)
		die("one table", sqlite3_errmsg(sql));
	sqlite3_free(q);
	if (catalog_each(r, copy_part, sql))
		die("one table", "cannot read the store");
	if (sqlite3_exec(sql, "CREATE INDEX a ON calls(caller_hash); CREATE INDEX b ON calls(callee_hash)", NULL, NULL, NULL) != SQLITE_OK)
		die("one table", sqlite3_errmsg(sql));
	sqlite3_close(sql);
	printf("find      the same rows in one table, made in %.0f s\n", now() - from);
	fflush(stdout);
}

static void one_table(const struct root *r)
{
	char path[4000];

	snprintf(path, sizeof(path), "%s.one.db", dir);
	if (access(path, F_OK))
		make_one(r, path);
	measure("one SQLite table, in memory", path, false);
	measure("one SQLite table, from disk", path, true);
}

int main(int argc, char **argv)
{
	struct why why = { "" };
	char text[512] = "", keys[3100], head[3100], made[2100] = "";
	struct store *st;
	bool table = false;
	double from;

	if (argc > 1 && !strcmp(argv[argc - 1], "--one-table"))
		table = argc--;
	if (argc == 2 || (argc > 2 && strlen(argv[1]) > 2900))
		die("usage", "bench_find [DIR ROWS [DAYS]] [--one-table]");
	if (argc > 2) {
		snprintf(dir, sizeof(dir), "%s", argv[1]);
		rows = strtoull(argv[2], NULL, 10);
	} else {
		const char *tmp = getenv("TMPDIR");

		snprintf(made, sizeof(made), "%.2000s/bench_find.XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(made))
			die(made, strerror(errno));
		snprintf(dir, sizeof(dir), "%s/store", made);
	}
	days = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : days;
	if (!days || rows < days)
		die("usage", "more rows than days");
	numbers = rows / PER_NUMBER + 1;
	snprintf(keys, sizeof(keys), "%s.keys", dir);
	snprintf(head, sizeof(head), "%s/optag.store", dir);
	from = now();
	if (access(head, F_OK)) {
		if (store_create(dir, keys, NULL, NULL, text, sizeof(text)))
			die("store", text);
		make_bucket();
		text[0] = 1;
	}
	if (store_open(dir, STORE_RO, &st, why.text, sizeof(why.text)))
		die("store", why.text);
	memcpy(key, st->number_key, sizeof(key));
	if (text[0]) {
		make_rows(&st->root);
		printf("find      %llu rows of %u days made in %.0f s\n", (unsigned long long)rows, days, now() - from);
		fflush(stdout);
	}
	measure("by number over all days, in memory", NULL, false);
	measure("by number over all days, from disk", NULL, true);
	if (table)
		one_table(&st->root);
	store_close(st);
	snprintf(head, sizeof(head), "rm -rf '%s'", made);
	return *made && system(head) ? 1 : 0;
}
