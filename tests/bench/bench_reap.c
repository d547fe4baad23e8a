/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_reap.c - how long deletion takes in a large store (reap_peers.sh runs it beside others, reap_live.sh beside capture)
 *
 *	bench_reap make STORE KEYS ROWS DUE HELD	a store of ROWS calls whose days end one after another, DUE of them first; some
 *							HELD of these are on hold
 *	bench_reap reap STORE DAYS	a run of the reaper at the end of that many days: figures, and whether the keys of all these days, and of
 *							no other, are destroyed
 *
 * Rows and slots are written by the store's own code, without a private key or audio; partitions are sealed as a recorder seals them.
 * Segments are of the real number and length (64 MiB each). A call has CALL_BYTES (environment; 200000 is half a minute) in
 * chunks of 5,000, among those of the calls beside it. REAL_DAYS=N: segments of the first N days are written whole, four at a time as by
 * recorders of four controllers; the others have no block but the first, and unlinking those costs by the number of names alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/bucket.h"
#include "store/catalog.h"
#include "store/hold.h"
#include "store/reap.h"
#include "store/sealing.h"
#include "store/segment.h"
#include "store/slots.h"
#include "store/store_internal.h"
#include "store/writer.h"

#define CHUNK	   5008u /* 1.5 s of a voice, padded */
#define DAY_NS	   (86400 * NS_PER_S)
#define ZONE	   "Europe/Copenhagen"

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t start_ns = 1795000000000000000ULL; /* START_S: when the first call began */

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 10) : otherwise;
}

static void die(const char *what, int rc, const char *why)
{
	fprintf(stderr, "bench_reap: %s: %s (%s)\n", what, strerror(-rc), why);
	exit(1);
}

/* ---- a store ---- */

struct maker {
	struct root root;
	struct slots *slots;
	struct sealing *sealing;
	struct catalog *catalog;
	struct why why;
	uint8_t key[32], numbers[80];
	struct buf extents;
	unsigned chunks, real_days; /* of a call; whose segments have all their blocks */
	uint64_t in_segment;	    /* calls */
	int fd[2]; /* the day's slots; the first one is wrapped, the others are like it */
	uint32_t next[2];
};

static uint64_t day_at(unsigned day)
{
	return start_ns + (90ull + day) * DAY_NS;
}

static void put_slot(struct maker *m, unsigned p, const struct uid *uid, uint64_t until, uint32_t *ret_day, uint32_t *ret_index)
{
	static struct slot like[2];
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	int rc = 0;

	if (day_of(until, ZONE, ret_day))
		die("zone", -EINVAL, ZONE);
	if (m->fd[p] < 0) {
		rc = slots_put(m->slots, "acme", p, ZONE, uid, until, m->key, ret_day, ret_index, &m->why);
		rc = rc ? rc : slot_read(&m->root, "acme", p, *ret_day, *ret_index, &like[p], &m->why);
		slots_path("acme", p, *ret_day, "slots", path);
		m->fd[p] = openat(m->root.fd, path, O_WRONLY);
		m->next[p] = *ret_index + 1;
	} else {
		like[p].uid = *uid;
		slot_format(&like[p], raw);
		*ret_index = m->next[p]++;
		rc = pwrite_all(m->fd[p], raw, sizeof(raw), (off_t)*ret_index * SLOT_SIZE);
	}
	if (rc)
		die("slot", rc, m->why.text);
}

/* The n-th call of its day: as many calls as a segment has room for talk at once. */
static void put_extents(struct maker *m, uint64_t n)
{
	struct extent_state st = { 0 };

	m->extents.len = 0;
	for (uint64_t k = 0; k < m->chunks; k++)
		extent_put(&m->extents, &st, &(struct extent){ .segment = (uint32_t)(n / m->in_segment + 1), .len = CHUNK - 8,
							       .off = SEGMENT_HEAD + (k * m->in_segment + n % m->in_segment) * CHUNK });
}

static void put_call(struct maker *m, uint64_t i, unsigned day, uint64_t in_day)
{
	struct store_call_meta meta = { .start_ns = start_ns + i * 1000000, .controller = "acme", .zone = ZONE, .rule = "service-desk",
					.policy_hash = "00ff", .scenario = "A1", .sip_call_id = "" };
	struct store_leg_figures leg = { .format = { .name = "PCMA", .clock = 8000, .channels = 1, .pt = 8 }, .packets = m->chunks * 37ull,
					 .audio_ms = m->chunks * 750ull };
	struct store_call_result r = { .end_ns = start_ns + i * 1000000, .end = "bye", .outcome = STORE_O_KEPT, .gap = "", .leg = { leg, leg },
				       .reason = { "interest", "interest" }, .state = { STORE_S_GRANTED, STORE_S_GRANTED } };
	struct catalog_row row = { .meta = &meta, .result = &r, .numbers = m->numbers, .numbers_len = sizeof(m->numbers), .kept = true };
	uint8_t hash[2][NUMBER_HASH];
	char sip[48];
	int rc;

	snprintf(sip, sizeof(sip), "%016llx@pbx.example.net", (unsigned long long)i * 2654435761u);
	meta.sip_call_id = sip;
	uid_make(meta.start_ns, sip, strlen(sip), &meta.uid);
	memcpy(hash[0], meta.uid.b, 16);
	memcpy(hash[1], m->key, 16);
	row.hash[0] = hash[0];
	row.hash[1] = hash[1];
	for (unsigned p = 0; p < 2; p++) {
		meta.until_ns[p] = day_at(day);
		put_slot(m, p, &meta.uid, meta.until_ns[p], &row.purpose_day[p], &row.purpose_slot[p]);
	}
	row.day = row.purpose_day[0];
	put_extents(m, in_day);
	row.extents = m->extents.p;
	row.extents_len = m->extents.len;
	for (int k = 0; k < 2; k++) {
		rc = catalog_add(m->catalog, &row, &m->why);
		if (rc != -EAGAIN)
			break;
		rc = catalog_sync(m->catalog, &m->why);
	}
	if (rc)
		die("row", rc, m->why.text);
	if (i % 20000 == 19999 && (rc = catalog_sync(m->catalog, &m->why)) != 0)
		die("rows", rc, m->why.text);
}

/* Blocks as a disk gives them when several files grow beside each other. */
static void write_whole(const int fd[4], unsigned n)
{
	static uint8_t data[1 << 20];

	if (!data[0])
		randombytes_buf(data, sizeof(data));
	for (off_t at = 0; at < (off_t)WRITER_ROLL; at += (off_t)sizeof(data))
		for (unsigned k = 0; k < n; k++)
			if (pwrite_all(fd[k], data + (at ? 0 : SEGMENT_HEAD), sizeof(data) - (at ? 0 : SEGMENT_HEAD), at ? at : SEGMENT_HEAD))
				die("segment", -errno, "cannot write");
}

static void put_segments(struct maker *m, unsigned day, uint64_t calls)
{
	uint64_t n = (calls + m->in_segment - 1) / m->in_segment;
	struct segment_head h = { 0 };
	uint8_t raw[SEGMENT_HEAD];
	char path[STORE_PATH_MAX];
	unsigned open = 0;
	int fds[4];
	uint32_t d;

	day_of(day_at(day), ZONE, &d);
	memcpy(h.store_id, m->root.id, 16);
	snprintf(h.controller, sizeof(h.controller), "acme");
	h.day = d;
	segment_path("acme", d, 1, "seg", path);
	*strrchr(path, '/') = 0;
	make_dirs(&m->root, path, &m->why);
	for (uint32_t k = 1; k <= n; k++) {
		int fd;

		segment_path("acme", d, k, "seg", path);
		h.number = k;
		segment_head_format(&h, raw);
		fd = openat(m->root.fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || pwrite_all(fd, raw, sizeof(raw), 0) || ftruncate(fd, WRITER_ROLL))
			die(path, -errno, "segment");
		fds[open++] = fd;
		if (open < 4 && k < n)
			continue;
		if (day < m->real_days)
			write_whole(fds, open);
		while (open)
			close(fds[--open]);
	}
}

static int to_seal(void *arg, const char *controller, uint32_t day, unsigned part)
{
	const struct maker *m = arg;

	if (!catalog_sealed(&m->root, controller, day, part))
		sealing_add(m->sealing, controller, day, part);
	return 0;
}

/* As a recorder does when rows went to other days for a while: by its thread. */
static void end_day(struct maker *m, unsigned day, uint64_t calls)
{
	uint32_t d;
	int rc = catalog_sync(m->catalog, &m->why);

	if (rc)
		die("rows", rc, m->why.text);
	put_segments(m, day, calls);
	catalog_free(m->catalog);
	if (catalog_new(&m->root, m->sealing, &m->catalog))
		die("catalog", -ENOMEM, "");
	day_of(day_at(day), ZONE, &d);
	(void)catalog_each_of(&m->root, "acme", d, to_seal, m);
	for (int p = 0; p < 2; p++) {
		close(m->fd[p]);
		m->fd[p] = -1;
	}
}

static int unsealed(void *arg, const char *controller, uint32_t day, unsigned part)
{
	return !catalog_sealed(arg, controller, day, part);
}

static void set_holds(const char *dir, unsigned held, uint64_t due)
{
	struct hold_why w = { .reason = "dispute", .reference = "D-1", .review = 20270301 };
	struct hold_person who = { .uid = 1, .name = "anna" };
	char why[512] = "";
	struct holds *h;
	struct store *st;
	int rc = store_open(dir, STORE_RO, &st, why, sizeof(why));

	if (rc)
		die("store", rc, why);
	if (store_holds(st, HOLDS_WRITE, &h, NULL))
		die("holds", -EIO, store_why(st));
	for (unsigned k = 0; k < held; k++) {
		uint64_t i = due / (held + 1) * (k + 1);
		char sip[48];
		struct uid uid;
		bool fresh;

		snprintf(sip, sizeof(sip), "%016llx@pbx.example.net", (unsigned long long)i * 2654435761u);
		uid_make(start_ns + i * 1000000, sip, strlen(sip), &uid);
		rc = store_hold_add(st, h, &uid, &w, &who, start_ns + DAY_NS, &fresh);
		if (rc)
			die("hold", rc, store_why(st));
	}
	holds_close(h);
	store_close(st);
}

static int make(const char *dir, const char *keys, uint64_t rows, uint64_t due, unsigned held)
{
	static struct maker m;
	char why[512] = "";
	double start = now_s();
	uint64_t in_day = 0;
	unsigned day = 0;
	int rc = store_create(dir, keys, NULL, NULL, why, sizeof(why));

	if (rc)
		die("init", rc, why);
	if (root_open(dir, &m.root, &m.why) || slots_new(&m.root, &m.slots) || sealing_new(&m.root, &m.sealing) ||
	    sealing_start(m.sealing) || catalog_new(&m.root, m.sealing, &m.catalog))
		die("open", -EIO, m.why.text);
	clock_set_ns(start_ns);
	m.fd[0] = m.fd[1] = -1;
	m.chunks = (unsigned)(setting("CALL_BYTES", 200000) / CHUNK);
	m.in_segment = (WRITER_ROLL - SEGMENT_HEAD) / CHUNK / m.chunks;
	m.real_days = (unsigned)setting("REAL_DAYS", 0);
	for (uint64_t i = 0; i < rows; i++) {
		put_call(&m, i, day, in_day);
		if (++in_day == due || i == rows - 1) {
			end_day(&m, day++, in_day);
			in_day = 0;
		}
	}
	rc = slots_sync(m.slots, &m.why);
	if (rc)
		die("sync", rc, m.why.text);
	while (catalog_each(&m.root, unsealed, &m.root))
		usleep(50000);
	sealing_free(m.sealing);
	catalog_free(m.catalog);
	slots_free(m.slots);
	root_close(&m.root);
	set_holds(dir, held, due);
	printf("made %llu calls in %u days, %.0f s\n", (unsigned long long)rows, day, now_s() - start);
	return 0;
}

/* ---- the reaper ---- */

/* Of days that had a key: how many have it still, before `days` and from there on. */
static void count_keys(const char *dir, unsigned days, unsigned live[2])
{
	struct why why = { "" };
	struct bucket b;
	struct root root;
	uint32_t day;

	if (root_open(dir, &root, &why))
		die("open", -EIO, why.text);
	for (unsigned d = 0; d < days + 1000; d++)
		for (unsigned p = 0; p < STORE_PURPOSES; p++)
			if (!day_of(day_at(d), ZONE, &day) && !bucket_read(&root, "acme", p, day, &b, &why))
				live[d >= days] += b.state == BUCKET_LIVE;
	sodium_memzero(&b, sizeof(b));
	root_close(&root);
}

static int reap(const char *dir, unsigned days)
{
	struct reap_settings s = { .store = dir, .now_ns = day_at(days - 1), .told = true };
	struct reap_totals t = { 0 };
	unsigned live[2] = { 0 }, before[2] = { 0 };
	char why[512] = "";
	int rc;

	clock_set_ns(s.now_ns);
	count_keys(dir, days, before);
	rc = reap_run(&s, &t, why, sizeof(why));
	if (rc)
		die("reap", rc, why);
	printf("%llu purposes of calls (%llu buckets), %llu held: undecryptable after %.3f s; told, counted, %llu files (%.1f MB) unlinked after %.2f s\n",
	       (unsigned long long)t.calls, (unsigned long long)t.buckets, (unsigned long long)t.held, (double)t.dead_ns / 1e9,
	       (unsigned long long)t.files, (double)t.bytes / 1e6, (double)t.run_ns / 1e9);
	count_keys(dir, days, live);
	printf("keys of days that were due: %u of %u live; of others: %u of %u; %llu late\n", live[0], before[0], live[1], before[1],
	       (unsigned long long)t.late);
	return live[0] || live[1] != before[1];
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0)
		return 1;
	start_ns = setting("START_S", start_ns / NS_PER_S) * NS_PER_S;
	if (argc == 7 && !strcmp(argv[1], "make"))
		return make(argv[2], argv[3], strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10), (unsigned)atoi(argv[6]));
	if (argc == 4 && !strcmp(argv[1], "reap"))
		return reap(argv[2], (unsigned)atoi(argv[3]));
	fprintf(stderr, "usage: see bench_reap.c\n");
	return 2;
}
