/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_store.c - what it costs to code, encrypt and write audio
 *
 * Speech is the prompts of Debian's asterisk-core-sounds when they are there,
 * else noise with an envelope; talk and pause alternate as in a conversation,
 * over a noise floor of one or two steps. Chunks of 2 s of many calls in turn.
 * CPU is of this process, kernel side included. usage: bench_store [MB [ROUNDS]]
 */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "base/le.h"
#include "store/keys.h"
#include "store/slots.h"
#include "store/store.h"

#define RATE	8000
#define POOL	(RATE * 600) /* ten minutes */
#define CHUNK	(RATE * 2)
#define CALLS	200
#define SOUNDS	"/usr/share/asterisk/sounds/en_US_f_Allison"

static int16_t pcm[POOL];
static uint8_t words[2][POOL];

static double cpu_now(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double wall_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- sound ---- */

static uint8_t to_alaw(int x)
{
	int sign = x >= 0 ? 0x80 : 0, m = (x >= 0 ? x : -x - 1) >> 4, e = 0;

	while (m >> (e + 5))
		e++;
	return (uint8_t)((sign | (e ? (e + 1) << 4 | (m >> e & 15) : m & 31)) ^ 0x55);
}

static uint8_t to_mulaw(int x)
{
	int sign = x < 0 ? 0x80 : 0, m = (x < 0 ? -x : x) + 132, e = 0;

	m = m > 32767 ? 32767 : m;
	while (m >> (e + 8))
		e++;
	return (uint8_t)~(sign | e << 4 | (m >> (e + 3) & 15));
}

static size_t load_wav(const char *path, size_t at)
{
	FILE *f = fopen(path, "rb");
	uint8_t h[44], b[2];

	if (!f)
		return at;
	if (fread(h, 1, 44, f) == 44 && !memcmp(h + 8, "WAVE", 4) && le32dec(h + 24) == RATE && h[22] == 1)
		while (at < POOL && fread(b, 1, 2, f) == 2)
			pcm[at++] = (int16_t)le16dec(b);
	fclose(f);
	return at;
}

static const char *load_sound(void)
{
	struct dirent **names = NULL;
	char path[512];
	size_t at = 0;
	int n = scandir(SOUNDS, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (strstr(names[i]->d_name, ".wav") && at < POOL) {
			snprintf(path, sizeof(path), "%s/%s", SOUNDS, names[i]->d_name);
			at = load_wav(path, at);
			at += at < POOL ? RATE / 2 : 0; /* a pause */
		}
		free(names[i]);
	}
	free(names);
	if (at >= POOL)
		return "speech";
	srand(1);
	for (double y = 0; at < POOL; at++) {
		y = 0.9 * y + rand() % 2001 - 1000;
		pcm[at] = (int16_t)(y * pow(sin((double)at / 4000), 2));
	}
	return "synthetic";
}

static void prepare(void)
{
	srand(2);
	for (size_t i = 0; i < POOL; i++) {
		int talks = i / (RATE * 4) % 9 < 4; /* 44 % of the time */
		int x = (talks ? pcm[i] / 2 : 0) + rand() % 33 + rand() % 33 - 32;

		x = x > 32767 ? 32767 : x < -32768 ? -32768 : x;
		words[0][i] = to_alaw(x);
		words[1][i] = to_mulaw(x);
	}
}

static void fill(struct chunk *c, unsigned call, unsigned leg, unsigned n)
{
	size_t at = ((size_t)call * 37 + leg * 13 + n) * CHUNK % (POOL - CHUNK);

	c->ssrc = call * 2 + leg;
	snprintf(c->format.name, sizeof(c->format.name), "%s", call & 1 ? "PCMU" : "PCMA");
	c->format.clock = RATE;
	c->format.channels = 1;
	c->npkt = 100;
	c->nbytes = CHUNK;
	for (uint32_t i = 0; i < 100; i++)
		c->pkt[i] = (struct chunk_pkt){ .arrival_ns = 1795000000000000000ULL + (n * 100ULL + i) * 20000000 +
							      (at + i * 7919) % 300 * 1000,
						.seq = n * 100 + i, .ts = (n * 100 + i) * 160, .off = i * 160,
						.len = 160, .pt = call & 1 ? 0 : 8 };
	memcpy(c->data, words[call & 1] + at, CHUNK);
}

/* ---- measuring ---- */

static void die(struct store *st, const char *what)
{
	fprintf(stderr, "bench_store: %s: %s\n", what, st ? store_why(st) : "");
	exit(1);
}

static void meta(unsigned i, struct store_call_meta *m)
{
	*m = (struct store_call_meta){ .start_ns = 1795000000000000000ULL + i * 1000000ULL, .controller = "bench",
				       .zone = "UTC", .rule = "bench", .policy_hash = "", .scenario = "A1",
				       .sip_call_id = "x", .caller = "+4520000000", .callee = "+4530000000" };
	m->until_ns[0] = m->start_ns + 90 * 86400 * NS_PER_S;
	m->commit[0] = true;
	uid_make(m->start_ns, &i, sizeof(i), &m->uid);
}

static void plain_zstd(struct chunk *c, int level, double mb, double *ret_ratio, double *ret_cpu)
{
	static uint8_t out[CHUNK * 2];
	ZSTD_CCtx *z = ZSTD_createCCtx();
	unsigned chunks = (unsigned)(mb * 1e6 / CHUNK);
	double t, spent = 0;
	size_t sum = 0;

	for (unsigned i = 0; i < chunks; i++) {
		fill(c, i % CALLS, i / CALLS & 1, i / CALLS / 2);
		t = cpu_now();
		sum += ZSTD_compressCCtx(z, out, sizeof(out), c->data, CHUNK, level);
		spent += cpu_now() - t;
	}
	ZSTD_freeCCtx(z);
	*ret_ratio = (double)chunks * CHUNK / (double)sum;
	*ret_cpu = spent;
}

static void append_round(const char *dir, struct chunk *c, double mb)
{
	static struct store_call *sc[CALLS];
	struct store_call_result r = { .end = "bye", .gap = "", .reason = { "", "" },
				       .state = { STORE_S_GRANTED, STORE_S_NONE } };
	unsigned chunks = (unsigned)(mb * 1e6 / CHUNK);
	double cpu, wall, idle = 0, t;
	struct store_figures f;
	struct store *st;
	char why[512] = "", store[300], keys[300];

	snprintf(store, sizeof(store), "%s/store", dir);
	snprintf(keys, sizeof(keys), "%s/keys", dir);
	if (store_create(store, keys, NULL, NULL, why, sizeof(why)) ||
	    store_open(store, STORE_RW, &st, why, sizeof(why))) {
		fprintf(stderr, "bench_store: %s\n", why);
		exit(1);
	}
	cpu = cpu_now();
	wall = wall_now();
	for (unsigned i = 0; i < CALLS; i++) {
		struct store_call_meta m;

		meta(i, &m);
		if (store_call_begin(st, &m, &sc[i]))
			die(st, "begin");
	}
	printf("  begin       %8.0f calls a CPU-second (data key, wrap, slot)\n", CALLS / (cpu_now() - cpu));
	cpu = cpu_now();
	for (unsigned i = 0; i < chunks; i++) {
		t = cpu_now();
		fill(c, i % CALLS, i / CALLS & 1, i / CALLS / 2);
		idle += cpu_now() - t;
		if (store_call_append(sc[i % CALLS], i / CALLS & 1, c))
			die(st, "append");
	}
	for (unsigned i = 0; i < CALLS; i++)
		if (store_call_end(sc[i], &r))
			die(st, "end");
	if (store_sync(st))
		die(st, "sync");
	cpu = cpu_now() - cpu - idle;
	wall = wall_now() - wall;
	store_figures(st, &f);
	store_close(st);
	printf("  append      %8.1f MB/s a core, %.3f CPU-ms/MiB, %.4f CPU-s for 1,000 call-seconds, %.0f MB/s wall\n",
	       mb / cpu, cpu * 1000 / (mb * 1e6 / (1 << 20)), cpu / mb * 16, mb / wall);
	printf("  ratio       %8.3f on disk, headers, arrival times and encryption included\n",
	       (double)f.payload_bytes / (double)f.stored_bytes);
}

static void wraps(void)
{
	uint8_t bucket[32] = { 1 }, data[32] = { 2 }, out[KEYS_WRAP];
	char pub_text[512], secret[512];
	struct pubkey pub;
	struct wrapper *w;
	struct uid uid = { { 3 } };
	double t;

	keypair_make(STORE_DOCUMENTATION, "default", pub_text, secret);
	if (pubkey_parse(pub_text, strlen(pub_text), &pub))
		die(NULL, "key");
	if (wrapper_new(&w))
		die(NULL, "memory");
	t = cpu_now();
	for (int i = 0; i < 2000; i++)
		if (wrap_make(w, mono_ns(), &pub, bucket, &uid, STORE_DOCUMENTATION, 20270216, data, out))
			die(NULL, "wrap");
	printf("  wraps       %8.0f a CPU-second\n", 2000 / (cpu_now() - t));
	wrapper_free(w);
}

/* The recorder's side: bucket read under its lock, wrap made, slot written; and one erased at a time. */
static void slots_one(const struct root *r, uint64_t until, uint32_t *ret_day)
{
	enum { PUTS = 5000, ERASE = 500 };
	struct why why = { "" };
	uint8_t data[32] = { 2 };
	struct slots *s;
	uint32_t index = 0;
	double t, wall;

	if (slots_new(r, &s))
		die(NULL, "memory");
	t = cpu_now();
	for (uint32_t i = 0; i < PUTS; i++) {
		struct uid uid = { { 1, (uint8_t)(i >> 8), (uint8_t)i } };

		if (slots_put(s, "bench", STORE_DOCUMENTATION, "UTC", &uid, until, data, ret_day, &index, &why))
			die(NULL, why.text);
	}
	printf("  slots       %8.0f put a CPU-second (wrap included)\n", PUTS / (cpu_now() - t));
	if (slots_sync(s, &why))
		die(NULL, why.text);
	wall = wall_now();
	for (uint32_t i = 1; i <= ERASE; i++)
		if (slots_erase(s, "bench", STORE_DOCUMENTATION, *ret_day, i, true, &why))
			die(NULL, why.text);
	printf("  erasing     %8.0f a second, fdatasync each\n", ERASE / (wall_now() - wall));
	slots_free(s);
}

/* Every other slot of a day of 200,000, as the reaper gets them: in no order. */
static void slots_many(const struct root *r, uint32_t day)
{
	enum { SLOTS = 200000 };
	struct slot_erase *v = calloc(SLOTS / 2, sizeof(*v));
	struct slot s = { .version = 2 };
	struct why why = { "" };
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	double wall;
	int fd;

	slots_path("bench", STORE_DOCUMENTATION, day, "slots", path);
	fd = openat(r->fd, path, O_WRONLY);
	for (uint32_t i = 1; v && fd >= 0 && i <= SLOTS; i++) {
		memcpy(s.uid.b, &i, sizeof(i));
		slot_format(&s, raw);
		if (pwrite(fd, raw, sizeof(raw), (off_t)i * SLOT_SIZE) != SLOT_SIZE)
			die(NULL, "write");
		if (i % 2)
			v[(i / 2 * 7919ULL) % (SLOTS / 2)] = (struct slot_erase){ .controller = "bench", .day = day, .index = i, .uid = s.uid };
	}
	if (!v || fd < 0 || fsync(fd))
		die(NULL, path);
	wall = wall_now();
	if (slots_erase_many(r, v, SLOTS / 2, &why))
		die(NULL, why.text);
	wall = wall_now() - wall;
	for (size_t i = 0; i < SLOTS / 2; i++)
		if (v[i].result)
			die(NULL, "not erased");
	printf("  erasing     %8.0f a second, one fdatasync a file (%d of %d slots, %.3f s)\n", SLOTS / 2 / wall, SLOTS / 2, SLOTS, wall);
	close(fd);
	free(v);
}

static void keys(const char *dir)
{
	char store[220], private[220], why[512] = "";
	struct why w = { "" };
	struct root r;
	uint32_t day = 0;

	snprintf(store, sizeof(store), "%s/keyed", dir);
	snprintf(private, sizeof(private), "%s/private2", dir);
	if (store_create(store, private, NULL, NULL, why, sizeof(why)) || root_open(store, &r, &w))
		die(NULL, *why ? why : w.text);
	slots_one(&r, 1802732400000000000ULL, &day);
	slots_many(&r, day);
	root_close(&r);
}

int main(int argc, char **argv)
{
	double mb = argc > 1 ? atof(argv[1]) : 128, ratio, cpu;
	int rounds = argc > 2 ? atoi(argv[2]) : 3;
	const char *tmp = getenv("TMPDIR");
	struct chunk c = { 0 };
	char dir[200], cmd[300];

	if (mb < 1 || mb > 10000 || rounds < 1 || keys_init()) {
		fprintf(stderr, "usage: bench_store [MB [ROUNDS]]\n");
		return 2;
	}
	c.pkt = calloc(CHUNK_MAX_PACKETS, sizeof(*c.pkt));
	c.data = malloc(CHUNK_MAX_BYTES);
	if (!c.pkt || !c.data)
		return 1;
	printf("store: %.0f MB of G.711 (%s, half A-law, half mu-law), %d calls in turn, chunks of 2 s\n", mb,
	       load_sound(), CALLS);
	prepare();
	for (int i = 0; i < rounds; i++) {
		snprintf(dir, sizeof(dir), "%.150s/optag-bench-XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(dir))
			return 1;
		append_round(dir, &c, mb);
		if (i == rounds - 1)
			keys(dir);
		snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
		if (system(cmd))
			return 1;
	}
	wraps();
	for (int level = 1; level <= 3; level += 2) {
		plain_zstd(&c, level, mb / 4, &ratio, &cpu);
		printf("  zstd -%d     %8.1f MB/s a core, ratio %.3f, payload alone (no timing, not encrypted, not written)\n",
		       level, mb / 4 / cpu, ratio);
	}
	free(c.pkt);
	free(c.data);
	return 0;
}
