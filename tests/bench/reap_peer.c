/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_peer.c - deletion as others do it, for comparison with the reaper (reap_peers.sh runs all of them)
 *
 *	reap_peer files DIR DAYS PER_DAY BYTES HELD	one file a call: DIR/DAY/NNN/N.rec, a thousand a directory; the first HELD of
 *							day 0 are on hold: they have a second name in DIR/held
 *	reap_peer table FILE ROWS PER_DAY HELD		one SQLite table with an index on the deadline
 *	reap_peer indexes FILE				and with indexes on both numbers and the Call-ID, to search as in our store
 *	reap_peer delete FILE DAY DAYS			DELETE of what ended on these days, but for calls on hold
 *
 * A table has no audio: its rows hold the key of a call's recording, which would lie in files elsewhere, so deleting a row ends a
 * call as a destroyed bucket ends a day. For that it has to be gone from every file: secure_delete overwrites it in the database, and a
 * checkpoint that truncates takes it out of the WAL (the blocks that the WAL had are free then, and as they were). Each day is one
 * transaction and one checkpoint, the fastest way; writers wait as long. Rows lie in the order of their deadlines, the best order
 * for this. Files are removed, not overwritten: what was in them is readable in the file system's free blocks.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store_internal.h"

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "reap_peer: %s: %s\n", what, why);
	exit(1);
}

/* ---- one file a call ---- */

static void put_file(const char *path, const uint8_t *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || pwrite_all(fd, data, n, 0) || close(fd))
		die(path, strerror(errno));
}

static int files(const char *dir, unsigned days, unsigned per_day, size_t bytes, unsigned held)
{
	char path[4096], kept[4096];
	double start = now_s();
	uint8_t *data = malloc(bytes ? bytes : 1);

	if (!data)
		die("files", "out of memory");
	randombytes_buf(data, bytes);
	snprintf(path, sizeof(path), "%s/held", dir);
	if ((mkdir(dir, 0700) && errno != EEXIST) || mkdir(path, 0700))
		die(path, strerror(errno));
	for (unsigned d = 0; d < days; d++) {
		snprintf(path, sizeof(path), "%s/%u", dir, d);
		if (mkdir(path, 0700))
			die(path, strerror(errno));
		for (unsigned i = 0; i < per_day; i++) {
			snprintf(path, sizeof(path), "%s/%u/%03u", dir, d, i / 1000);
			if (i % 1000 == 0 && mkdir(path, 0700))
				die(path, strerror(errno));
			snprintf(path, sizeof(path), "%s/%u/%03u/%06u.rec", dir, d, i / 1000, i);
			put_file(path, data, bytes);
			snprintf(kept, sizeof(kept), "%s/held/%06u.rec", dir, i);
			if (d == 0 && i < held && link(path, kept))
				die(kept, strerror(errno));
		}
	}
	free(data);
	sync();
	printf("made %u files of %zu bytes in %.0f s\n", days * per_day, bytes, now_s() - start);
	return 0;
}

/* ---- one table ---- */

static sqlite3 *sql;

static void run(const char *text)
{
	char *err = NULL;

	if (sqlite3_exec(sql, text, NULL, NULL, &err) != SQLITE_OK)
		die(text, err ? err : "");
}

static void open_table(const char *file, const char *how)
{
	if (sqlite3_open_v2(file, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK)
		die(file, sqlite3_errmsg(sql));
	run("PRAGMA cache_size=-500000; PRAGMA temp_store=FILE; PRAGMA locking_mode=EXCLUSIVE");
	run(how);
}

static void close_table(void)
{
	if (sqlite3_close(sql) != SQLITE_OK)
		die("close", sqlite3_errmsg(sql));
	sync();
}

/* Being made is not what is measured: no journal, no flush. */
#define MAKING "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"

static int table(const char *file, uint64_t rows, uint64_t per_day, unsigned held)
{
	double start = now_s();
	sqlite3_stmt *st;
	uint8_t row[400];

	open_table(file, "PRAGMA page_size=4096;" MAKING);
	run("CREATE TABLE calls(id INTEGER PRIMARY KEY, deadline INTEGER NOT NULL, caller BLOB, callee BLOB, call_id BLOB, key BLOB,"
	    " sealed BLOB, row BLOB); CREATE TABLE held(id INTEGER PRIMARY KEY); BEGIN");
	if (sqlite3_prepare_v2(sql, "INSERT INTO calls VALUES(?1,?2,?3,?4,?5,?6,?7,?8)", -1, &st, NULL) != SQLITE_OK)
		die("prepare", sqlite3_errmsg(sql));
	for (uint64_t i = 0; i < rows; i++) {
		static const int part[] = { 16, 16, 16, 32, 120, 200 };
		const uint8_t *p = row;

		randombytes_buf(row, sizeof(row));
		sqlite3_bind_int64(st, 1, (sqlite3_int64)i);
		sqlite3_bind_int64(st, 2, (sqlite3_int64)(i / per_day));
		for (int k = 0; k < 6; p += part[k++])
			sqlite3_bind_blob(st, 3 + k, p, part[k], SQLITE_STATIC);
		if (sqlite3_step(st) != SQLITE_DONE || sqlite3_reset(st) != SQLITE_OK)
			die("insert", sqlite3_errmsg(sql));
	}
	sqlite3_finalize(st);
	for (unsigned i = 0; i < held; i++) {
		char text[100];

		snprintf(text, sizeof(text), "INSERT INTO held VALUES(%llu)", (unsigned long long)(per_day / (held + 1) * (i + 1)));
		run(text);
	}
	run("COMMIT; CREATE INDEX by_deadline ON calls(deadline)");
	close_table();
	printf("made a table of %llu rows in %.0f s\n", (unsigned long long)rows, now_s() - start);
	return 0;
}

static int indexes(const char *file)
{
	double start = now_s();

	open_table(file, MAKING);
	run("CREATE INDEX by_caller ON calls(caller); CREATE INDEX by_callee ON calls(callee); CREATE INDEX by_call_id ON calls(call_id)");
	close_table();
	printf("made three more indexes in %.0f s\n", now_s() - start);
	return 0;
}

static int delete(const char *file, unsigned day, unsigned days)
{
	unsigned long long n = 0;
	double start;
	char text[200];

	open_table(file, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA wal_autocheckpoint=0");
	start = now_s();
	for (unsigned d = day; d < day + days; d++) {
		snprintf(text, sizeof(text), "DELETE FROM calls WHERE deadline = %u AND id NOT IN held", d);
		run(text);
		n += (unsigned long long)sqlite3_changes(sql);
		if (sqlite3_wal_checkpoint_v2(sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK)
			die("checkpoint", sqlite3_errmsg(sql));
	}
	printf("%llu rows deleted, out of all files after %.3f s\n", n, now_s() - start);
	close_table();
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long v[4] = { 0 };

	if (sodium_init() < 0)
		return 1;
	for (int i = 3; i < argc && i < 7; i++)
		v[i - 3] = strtoul(argv[i], NULL, 10);
	if (argc == 7 && !strcmp(argv[1], "files"))
		return files(argv[2], (unsigned)v[0], (unsigned)v[1], v[2], (unsigned)v[3]);
	if (argc == 6 && !strcmp(argv[1], "table") && v[1])
		return table(argv[2], v[0], v[1], (unsigned)v[2]);
	if (argc == 3 && !strcmp(argv[1], "indexes"))
		return indexes(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "delete"))
		return delete(argv[2], (unsigned)v[0], (unsigned)v[1]);
	fprintf(stderr, "usage: see reap_peer.c\n");
	return 2;
}
