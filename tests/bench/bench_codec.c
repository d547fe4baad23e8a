/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_codec.c - G.711 without loss: how much shorter, and how fast, beside zstd, xz and FLAC on the same sound
 *
 * Sets as sound_sets.h makes them. "lpc" and "rice" are codecs 4 and 5 of FORMAT.md in chunks of 5 s and of 1.6 s, as the
 * recorder makes them; "stored" and "fast" are a chunk's whole body with what is known of its packets, 1.6 s, by either; "delta" is
 * codec 3, which was the fast one before. The others get
 * each set as one file, which is kind to them: a recorder has to code chunk by chunk. FLAC gets the linear samples.
 * Speeds are code words per second of CPU time, medians of ROUNDS passes.
 * usage: bench_codec [--quick] [--write DIR]
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sound_sets.h"
#include "media/g711.h"
#include "store/codec.h"
#include "store/rice.h"
#include "../unit/delta.h"

#define ROUNDS	5
#define LIVE	12800 /* 1.6 s */
#define LONG	40000
#define PEER_N	(30 * SOUND_LEG / 10) /* what a slow program gets: three legs' worth */

extern char **environ;
static uint8_t words[SOUND_N], back[LPC_MAX], rec[CODEC_BODY_MAX];
static struct lpc_enc *enc;
static struct rice_enc *rice;
static ZSTD_CCtx *zstd;
static struct lpc_dec *dec;
static struct codec *codec;
static bool quick;

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[n / 2];
}

/* ---- what the recorder has ---- */

static size_t lpc_bytes(bool mu, size_t chunk)
{
	size_t sum = 0;

	for (size_t at = 0; at + chunk <= SOUND_N; at += chunk) {
		size_t len = lpc_encode(enc, mu, words + at, chunk, rec, sizeof(rec));

		if (len && (lpc_decode(dec, rec, len, back, chunk) || memcmp(back, words + at, chunk) != 0)) {
			fprintf(stderr, "does not come back\n");
			exit(1);
		}
		sum += len ? len : chunk;
	}
	return sum;
}

static double lpc_speed(bool mu, enum path path)
{
	double v[ROUNDS];
	size_t n = quick ? SOUND_N / 10 : SOUND_N / 2;

	if (lpc_enc_path(enc, path))
		return 0;
	for (int r = 0; r < ROUNDS; r++) {
		double from = cpu();

		for (size_t at = 0; at + LIVE <= n; at += LIVE)
			(void)lpc_encode(enc, mu, words + at, LIVE, rec, sizeof(rec));
		v[r] = (double)n / (cpu() - from) / 1e6;
	}
	return median(v, ROUNDS);
}

static double lpc_back(bool mu)
{
	double v[ROUNDS];
	size_t n = quick ? SOUND_N / 40 : SOUND_N / 8;

	for (int r = 0; r < ROUNDS; r++) {
		double spent = 0;

		for (size_t at = 0; at + LIVE <= n; at += LIVE) {
			size_t len = lpc_encode(enc, mu, words + at, LIVE, rec, sizeof(rec));
			double from = cpu();

			if (len)
				(void)lpc_decode(dec, rec, len, back, LIVE);
			spent += cpu() - from;
		}
		v[r] = (double)n / spent / 1e6;
	}
	return median(v, ROUNDS);
}

static size_t rice_bytes(bool mu)
{
	size_t sum = 0;

	for (size_t at = 0; at + LIVE <= SOUND_N; at += LIVE) {
		size_t len = rice_encode(rice, mu, words + at, LIVE, rec, sizeof(rec));

		if (len && (rice_decode(rec, len, back, LIVE) || memcmp(back, words + at, LIVE) != 0)) {
			fprintf(stderr, "does not come back\n");
			exit(1);
		}
		sum += len ? len : LIVE;
	}
	return sum;
}

static size_t delta_bytes(bool mu, double *ret_speed)
{
	static uint8_t tmp[LIVE];
	double from = cpu();
	size_t sum = 0;

	for (size_t at = 0; at + LIVE <= SOUND_N; at += LIVE) {
		size_t len = delta_encode(zstd, mu, words + at, LIVE, tmp, rec, sizeof(rec));

		sum += len ? len : LIVE;
	}
	*ret_speed = SOUND_N / (cpu() - from) / 1e6;
	return sum;
}

static double rice_speed(bool mu, enum path path)
{
	double v[ROUNDS];
	size_t n = quick ? SOUND_N / 10 : SOUND_N / 2;

	if (rice_enc_path(rice, path))
		return 0;
	for (int r = 0; r < ROUNDS; r++) {
		double from = cpu();

		for (size_t at = 0; at + LIVE <= n; at += LIVE)
			(void)rice_encode(rice, mu, words + at, LIVE, rec, sizeof(rec));
		v[r] = (double)n / (cpu() - from) / 1e6;
	}
	return median(v, ROUNDS);
}

static double rice_back(bool mu)
{
	double v[ROUNDS];
	size_t n = quick ? SOUND_N / 40 : SOUND_N / 8;

	for (int r = 0; r < ROUNDS; r++) {
		double spent = 0;

		for (size_t at = 0; at + LIVE <= n; at += LIVE) {
			size_t len = rice_encode(rice, mu, words + at, LIVE, rec, sizeof(rec));
			double from = cpu();

			if (len)
				(void)rice_decode(rec, len, back, LIVE);
			spent += cpu() - from;
		}
		v[r] = (double)n / spent / 1e6;
	}
	return median(v, ROUNDS);
}

/* Bodies as they are stored: packets of 20 ms, jitter of 0.1 ms. */
static size_t bodies(bool mu, enum codec_effort effort, double *ret_speed)
{
	static struct chunk_pkt pkt[LIVE / 160];
	struct chunk c = { .npkt = LIVE / 160, .nbytes = LIVE, .pkt = pkt, .format = { .clock = 8000, .channels = 1 } };
	size_t sum = 0, chunks = 0;
	double from = cpu();

	snprintf(c.format.name, sizeof(c.format.name), "%s", mu ? "PCMU" : "PCMA");
	codec_effort(codec, effort);
	for (size_t at = 0; at + LIVE <= SOUND_N; at += LIVE, chunks++) {
		struct chunk_head h = { 0 };
		size_t len = 0;

		for (uint32_t i = 0; i < c.npkt; i++)
			pkt[i] = (struct chunk_pkt){ .arrival_ns = (at / 160 + i) * 20000000ULL + sound_random() % 200000 + 1000000000ULL,
						     .seq = (int64_t)(at / 160 + i), .ts = (uint32_t)(at + 160 * i), .off = 160 * i, .len = 160, .pt = 8 };
		c.data = words + at;
		(void)codec_encode(codec, &c, rec, &len, &h);
		sum += len;
	}
	*ret_speed = (double)(chunks * LIVE) / (cpu() - from) / 1e6;
	return sum;
}

/* ---- other programs ---- */

struct peer {
	const char *name, *encode[12], *decode[6];
	bool slow, linear;
	double ratio[2][SOUND_SETS], enc, dec; /* MB/s of code words over all sets */
	double bytes, enc_s, dec_s;
};

static double spawn_cpu(const char *const argv[], const char *in, const char *out)
{
	posix_spawn_file_actions_t a;
	struct rusage before, after;
	pid_t pid;
	int status = -1, rc;

	posix_spawn_file_actions_init(&a);
	posix_spawn_file_actions_addopen(&a, 0, in, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&a, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&a, 2, "/dev/null", O_WRONLY, 0);
	getrusage(RUSAGE_CHILDREN, &before);
	rc = posix_spawnp(&pid, argv[0], &a, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&a);
	if (rc || waitpid(pid, &status, 0) != pid || status)
		return -1;
	getrusage(RUSAGE_CHILDREN, &after);
	return (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
	       (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
}

static bool write_file(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");
	bool good = f && fwrite(p, 1, n, f) == n;

	return f && !fclose(f) && good;
}

static void peer_run(struct peer *p, enum sound_set set, bool mu, const char *dir)
{
	size_t n = quick ? SOUND_N / 12 : p->slow ? PEER_N : SOUND_N;
	char in[300], out[300];
	struct stat sb;
	double e, d;

	snprintf(in, sizeof(in), "%s/in", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	if (p->linear) {
		int16_t *x = malloc(n * sizeof(*x));

		for (size_t i = 0; x && i < n; i++)
			x[i] = g711_linear[mu ? G711_ULAW : G711_ALAW][words[i]];
		if (!x || !write_file(in, x, n * sizeof(*x)))
			abort();
		free(x);
	} else if (!write_file(in, words, n)) {
		abort();
	}
	e = spawn_cpu(p->encode, in, out);
	if (e < 0 || stat(out, &sb) || !sb.st_size)
		return;
	p->ratio[mu][set] = (double)n / (double)sb.st_size;
	d = spawn_cpu(p->decode, out, "/dev/null");
	p->bytes += (double)n;
	p->enc_s += e;
	p->dec_s += d > 0 ? d : 0;
}

static bool installed(const char *name)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", name);
	return !system(cmd);
}

/* ---- the tables ---- */

static struct peer peers[] = {
	{ .name = "zstd -3", .encode = { "zstd", "-3", "-q", "-c" }, .decode = { "zstd", "-d", "-q", "-c" } },
	{ .name = "zstd -19", .encode = { "zstd", "-19", "-q", "-c" }, .decode = { "zstd", "-d", "-q", "-c" }, .slow = true },
	{ .name = "xz -9", .encode = { "xz", "-9", "-T1", "-c" }, .decode = { "xz", "-d", "-c" }, .slow = true },
	{ .name = "flac -8",
	  .encode = { "flac", "-8", "-s", "--force-raw-format", "--endian=little", "--sign=signed", "--channels=1", "--bps=16",
		      "--sample-rate=8000", "-" },
	  .decode = { "flac", "-d", "-s", "-c", "-" },
	  .linear = true },
};
#define PEERS (sizeof(peers) / sizeof(*peers))

struct result {
	bool there;
	double lpc_long, lpc_live, stored, rice, fast, delta; /* ratios */
	double fast_speed, best_speed, delta_speed, enc[PATHS], dec, rice_enc[PATHS], rice_dec;
};
static struct result results[2][SOUND_SETS];

static void one_set(enum sound_set set, bool mu, const char *dir)
{
	struct result *r = &results[mu][set];
	const char *why = sound_make(set, mu, words);

	if (why) {
		if (!mu)
			printf("SKIP %s: %s\n", sound_names[set], why);
		return;
	}
	r->there = true;
	r->lpc_long = SOUND_N / (double)lpc_bytes(mu, LONG);
	r->lpc_live = SOUND_N / (double)lpc_bytes(mu, LIVE);
	r->stored = SOUND_N / (double)bodies(mu, CODEC_BEST, &r->best_speed);
	r->rice = SOUND_N / (double)rice_bytes(mu);
	r->fast = SOUND_N / (double)bodies(mu, CODEC_FAST, &r->fast_speed);
	r->delta = SOUND_N / (double)delta_bytes(mu, &r->delta_speed);
	for (enum path p = PATH_PLAIN; p < PATHS; p++) {
		r->enc[p] = lpc_speed(mu, p);
		r->rice_enc[p] = rice_speed(mu, p);
	}
	(void)lpc_enc_path(enc, PATH_BEST);
	(void)rice_enc_path(rice, PATH_BEST);
	r->dec = lpc_back(mu);
	r->rice_dec = rice_back(mu);
	for (size_t i = 0; i < PEERS; i++)
		if (peers[i].encode[0])
			peer_run(&peers[i], set, mu, dir);
}

/* Of the parts of the mix that are there. */
static double mix_of(bool mu, double (*get)(bool mu, enum sound_set set, size_t peer), size_t peer)
{
	double parts = 0, bytes = 0;

	for (enum sound_set s = 0; s < SOUND_SETS; s++) {
		double ratio = results[mu][s].there ? get(mu, s, peer) : 0;

		if (ratio > 0 && sound_mix[s] > 0) {
			parts += sound_mix[s];
			bytes += sound_mix[s] / ratio;
		}
	}
	return bytes > 0 ? parts / bytes : 0;
}

#define OWN 6 /* columns of ours */

static double get_ratio(bool mu, enum sound_set s, size_t what)
{
	const struct result *r = &results[mu][s];
	const double own[OWN] = { r->lpc_long, r->lpc_live, r->stored, r->rice, r->fast, r->delta };

	return what < OWN ? own[what] : peers[what - OWN].ratio[mu][s];
}

static void ratios(bool mu)
{
	printf("\n%s: bytes of G.711 for one stored\n%-8s %9s %9s %9s %9s %9s %9s", mu ? "mu-law" : "A-law", "set", "lpc 5 s", "lpc 1.6 s", "stored",
	       "rice", "fast", "delta");
	for (size_t i = 0; i < PEERS; i++)
		printf(" %9s", peers[i].name);
	for (enum sound_set s = 0; s <= SOUND_SETS; s++) {
		if (s < SOUND_SETS && !results[mu][s].there)
			continue;
		printf("\n%-8s", s < SOUND_SETS ? sound_names[s] : "mix");
		for (size_t k = 0; k < OWN + PEERS; k++) {
			double v = s < SOUND_SETS ? get_ratio(mu, s, k) : mix_of(mu, get_ratio, k);

			if (v > 0)
				printf(" %9.2f", v);
			else
				printf(" %9s", "-");
		}
	}
	printf("\n");
}

static double speed_of(int what, double *ret_worst)
{
	double v[2 * SOUND_SETS];
	int n = 0;

	for (int mu = 0; mu < 2; mu++)
		for (enum sound_set s = 0; s < SOUND_SETS; s++) {
			const struct result *r = &results[mu][s];
			const double own[] = { 0, r->enc[PATH_PLAIN], r->enc[PATH_AVX2], r->enc[PATH_AVX512], r->dec,
					       r->rice_enc[PATH_PLAIN], r->rice_enc[PATH_AVX2], r->rice_enc[PATH_AVX512], r->rice_dec,
					       r->delta_speed, r->best_speed, r->fast_speed };

			if (r->there && s != SOUND_RANDOM && own[what] > 0)
				v[n++] = own[what];
		}
	if (!n)
		return 0;
	*ret_worst = 1e9;
	for (int i = 0; i < n; i++)
		*ret_worst = v[i] < *ret_worst ? v[i] : *ret_worst;
	return median(v, n);
}

static void speeds(void)
{
	static const char *const names[] = { NULL, "lpc, plain C", "lpc, AVX2", "lpc, AVX-512", "lpc, decode", "rice, plain C", "rice, AVX2", "rice, AVX-512",
					     "rice, decode", "delta", "whole body, lpc", "whole body, fast" };

	printf("\nMB of G.711 per second of one core, 1.6 s at once: median over sets, slowest set\n");
	for (int i = 1; i < 12; i++) {
		double worst, v = speed_of(i, &worst);

		if (v > 0)
			printf("%-18s %8.1f %8.1f\n", names[i], v, worst);
		else
			printf("%-18s SKIP this CPU does not have it\n", names[i]);
	}
	for (size_t i = 0; i < PEERS; i++)
		if (peers[i].bytes > 0)
			printf("%-18s %8.1f          decode %8.1f\n", peers[i].name, peers[i].bytes / peers[i].enc_s / 1e6,
			       peers[i].bytes / peers[i].dec_s / 1e6);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/bench-codec.XXXXXX", path[300];
	const char *to = NULL;

	for (int i = 1; i < argc; i++) {
		quick |= !strcmp(argv[i], "--quick");
		if (!strcmp(argv[i], "--write") && i + 1 < argc)
			to = argv[++i];
	}
	if (sodium_init() < 0 || lpc_enc_new(&enc) || lpc_dec_new(&dec) || rice_enc_new(&rice) || !(zstd = delta_context()) || codec_new(&codec) || !mkdtemp(dir)) {
		perror("bench_codec");
		return 1;
	}
	sound_load();
	printf("%zu prompts; %d s a set and law%s\n", sound_prompts, SOUND_N / SOUND_RATE, quick ? "; quick: the speeds are rough" : "");
	for (size_t i = 0; i < PEERS; i++)
		if (!installed(peers[i].encode[0])) {
			printf("SKIP %s is not installed\n", peers[i].name);
			peers[i].encode[0] = NULL;
		}
	for (enum sound_set s = 0; s < SOUND_SETS; s++)
		for (int mu = 0; mu < 2; mu++) {
			one_set(s, mu, dir);
			snprintf(path, sizeof(path), "%s/%s.%s", to, sound_names[s], mu ? "pcmu" : "pcma");
			if (to && results[mu][s].there)
				(void)write_file(path, words, SOUND_N);
		}
	ratios(false);
	ratios(true);
	speeds();
	snprintf(path, sizeof(path), "%s/in", dir);
	remove(path);
	snprintf(path, sizeof(path), "%s/out", dir);
	remove(path);
	rmdir(dir);
	lpc_enc_free(enc);
	lpc_dec_free(dec);
	rice_enc_free(rice);
	ZSTD_freeCCtx(zstd);
	codec_free(codec);
	return 0;
}
