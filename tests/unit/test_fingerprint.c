/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fingerprint.c - announcements recognised by their sound
 *
 * Announcements are a synthetic voice (speech.h), and installed prompts where there are any; what
 * is heard is made of them here: coded, louder and softer, with losses and noise, cut. The parts
 * with prompts or ffmpeg skip without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "media/fingerprint.h"
#include "tests/unit/speech.h"

#define T0     1000000000000ULL
#define NS     125000ULL /* a sample */
#define EVENTS 64
#define SECOND 8000u

static struct heard {
	unsigned n;
	struct fp_event e[EVENTS];
	uint64_t at[EVENTS]; /* when it was told: samples */
} heard;
static uint64_t played; /* samples of the packet at hand's end */

static void on_event(void *arg, const struct fp_event *e)
{
	struct heard *h = arg;

	assert_true(h->n < EVENTS);
	assert_true(e->heard_ms <= e->length_ms);
	assert_true(e->what == FP_STARTED ? !e->end_ns : e->end_ns >= e->start_ns);
	h->at[h->n] = played;
	h->e[h->n++] = *e;
}

static const struct fp_sink sink = {&heard, on_event};

/* How it is played. */
struct play {
	enum g711_law law;
	double gain, noise, loss; /* dB; amplitude; share of packets */
	size_t offset;		  /* samples of silence before it */
};

static struct fp fp;
static uint64_t seed = 7;

static void packets(const struct fp_set *s, const struct sound *x, const struct play *how)
{
	double a = pow(10, how->gain / 20);
	uint8_t o[160];

	for (size_t i = 0; i < x->n + how->offset; i += 160) {
		for (size_t k = 0; k < 160; k++) {
			size_t at = i + k;
			double v = at >= how->offset && at - how->offset < x->n
					   ? x->x[at - how->offset]
					   : 0;

			o[k] = g711_octet(
				how->law,
				clip16(v * a +
				       (how->noise > 0 ? how->noise * rnd_gauss(&seed) : 0)));
		}
		played = i + 160;
		if (how->loss > 0 && rnd_unit(&seed) < how->loss)
			continue;
		fp_packet(&fp, s, how->law, 1, (uint32_t)i + 0xfffff000u, T0 + (i + 160) * NS, o,
			  160, &sink);
	}
}

static void listen(const struct fp_set *s, const struct sound *x, const struct play *how)
{
	memset(&heard, 0, sizeof(heard));
	fp_wipe(&fp);
	packets(s, x, how);
	fp_idle(&fp, s, T0 + (x->n + how->offset) * NS + 3000000000ULL, &sink);
}

static const struct play plain = {.law = G711_ALAW};

static struct fp_set set;
static struct sound said[4];

static void add(struct sound *x, uint8_t which)
{
	struct fp_ref *r;

	assert_int_equal(fp_ref_new(x->x, x->n, &r), 0);
	assert_int_equal(fp_set_add(&set, r, which), 0);
}

static int setup(void **state)
{
	static const unsigned len[] = {12, 9, 15};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		speech(&said[i], len[i] * SECOND + 123 * i, i + 1);
		add(&said[i], (uint8_t)(i + 10));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < set.n; i++)
		fp_ref_free((struct fp_ref *)(uintptr_t)set.ref[i]);
	for (unsigned i = 0; i < 4; i++)
		sound_free(&said[i]);
	return 0;
}

static bool about(uint64_t a, uint64_t b, uint64_t off)
{
	return a > b ? a - b <= off : b - a <= off;
}

/* Announcement i of those, from sample `from` of what was played, to its end. */
static void was_whole(unsigned n, unsigned i, size_t from)
{
	assert_true(heard.n >= 2 * n + 2);
	assert_int_equal(heard.e[2 * n].what, FP_STARTED);
	assert_int_equal(heard.e[2 * n].which, i + 10);
	assert_true(about(heard.e[2 * n].start_ns, T0 + from * NS, 60000000));
	assert_true(heard.at[2 * n] <= from + 3 * SECOND);
	assert_int_equal(heard.e[2 * n + 1].what, FP_ENDED);
	assert_int_equal(heard.e[2 * n + 1].which, i + 10);
	assert_true(about(heard.e[2 * n + 1].end_ns, T0 + (from + said[i].n) * NS, 60000000));
	assert_int_equal(heard.e[2 * n + 1].length_ms, said[i].n / 8);
	assert_true(heard.e[2 * n + 1].heard_ms + 200 >= said[i].n / 8);
}

static void test_each_law(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned law = 0; law < 2; law++) {
			listen(&set, &said[i], &(struct play){.law = law});
			assert_int_equal(heard.n, 2);
			was_whole(0, i, 0);
		}
	}
}

static void test_any_sample(void **state)
{
	(void)state;
	for (size_t offset = 1; offset < 2000; offset += 37) {
		listen(&set, &said[1], &(struct play){.law = G711_ULAW, .offset = offset});
		assert_int_equal(heard.n, 2);
		was_whole(0, 1, offset);
	}
}

static void test_louder_softer_lossy_noisy(void **state)
{
	static const struct play how[] = {
		{.law = G711_ALAW, .gain = 12},
		{.law = G711_ULAW, .gain = -12},
		{.law = G711_ALAW, .loss = 0.03},
		{.law = G711_ULAW, .gain = -12, .loss = 0.03, .offset = 411},
		{.law = G711_ALAW, .noise = 150},
		{.law = G711_ALAW, .gain = -18},
	};

	(void)state;
	for (size_t h = 0; h < sizeof(how) / sizeof(*how); h++) {
		for (unsigned i = 0; i < 3; i++) {
			listen(&set, &said[i], &how[h]);
			assert_int_equal(heard.n, 2);
			was_whole(0, i, how[h].offset);
		}
	}
}

static void append(struct sound *to, const struct sound *x, size_t n)
{
	sound_room(to, n);
	memcpy(to->x + to->n, x->x, n * sizeof(*x->x));
	to->n += n;
}

static void ringing(struct sound *to, size_t n)
{
	sound_room(to, n);
	for (size_t i = 0; i < n; i++)
		to->x[to->n++] = clip16(
			i % 40000 < 8000 ? 6000 * sin(2 * M_PI * 425 * (double)i / 8000) : 0);
}

/* Ringing, somebody else, the announcement, somebody else, another announcement at once after the
 * first. */
static void test_among_others(void **state)
{
	struct sound x = {0}, other = {0};
	size_t a, b;

	(void)state;
	speech(&other, 20 * SECOND, 99);
	ringing(&x, 12 * SECOND + 77);
	append(&x, &other, other.n);
	a = x.n;
	append(&x, &said[0], said[0].n);
	append(&x, &other, 7 * SECOND);
	b = x.n;
	append(&x, &said[2], said[2].n);
	append(&x, &said[1], said[1].n);
	listen(&set, &x, &plain);
	assert_int_equal(heard.n, 6);
	was_whole(0, 0, a);
	was_whole(1, 2, b);
	was_whole(2, 1, b + said[2].n);
	sound_free(&x);
	sound_free(&other);
}

/* What is heard of it is never more than what was played, and not much less. */
static void test_broken_off(void **state)
{
	struct sound x = {0}, other = {0};

	(void)state;
	speech(&other, 6 * SECOND, 98);
	for (unsigned percent = 30; percent <= 85; percent += 11) {
		for (unsigned after = 0; after < 2; after++) { /* silence, or somebody speaks */
			size_t n = said[2].n * percent / 100;

			x.n = 0;
			append(&x, &said[2], n);
			if (after)
				append(&x, &other, other.n);
			else
				ringing(&x, 0);
			listen(&set, &x, &plain);
			assert_int_equal(heard.n, 2);
			assert_int_equal(heard.e[0].what, FP_STARTED);
			assert_int_equal(heard.e[1].what, FP_BROKEN);
			assert_true(heard.e[1].heard_ms <= n / 8 + 250);
			assert_true(heard.e[1].heard_ms + 1000 >= n / 8);
		}
	}
	x.n = 0;
	append(&x, &said[2], said[2].n * 95 / 100);
	append(&x, &other, other.n);
	listen(&set, &x, &plain);
	assert_int_equal(heard.n, 2);
	assert_int_equal(heard.e[1].what, FP_ENDED);
	assert_true(heard.e[1].heard_ms < heard.e[1].length_ms);
	/* after 1.5 s nothing can be said yet, and nothing is */
	x.n = 0;
	append(&x, &said[2], 12000);
	append(&x, &other, other.n);
	listen(&set, &x, &plain);
	assert_int_equal(heard.n, 0);
	/* without its beginning it is not that announcement */
	x.n = 0;
	append(&x, &other, other.n);
	sound_room(&x, said[2].n);
	memcpy(x.x + x.n, said[2].x + 4 * SECOND, (said[2].n - 4 * SECOND) * sizeof(*x.x));
	x.n += said[2].n - 4 * SECOND;
	listen(&set, &x, &plain);
	assert_int_equal(heard.n, 0);
	sound_free(&x);
	sound_free(&other);
}

/* A key comes in the middle: how far was it heard. */
static void test_now(void **state)
{
	struct sound x = {0};
	struct fp_event e;

	(void)state;
	append(&x, &said[0], 7 * SECOND);
	memset(&heard, 0, sizeof(heard));
	fp_wipe(&fp);
	assert_false(fp_now(&fp, &set, &e));
	packets(&set, &x, &plain);
	assert_true(fp_now(&fp, &set, &e));
	assert_int_equal(e.which, 10);
	assert_true(about(e.start_ns, T0, 60000000));
	assert_true(e.heard_ms <= 7000 && e.heard_ms >= 6500);
	fp_wipe(&fp);
	assert_false(fp_now(&fp, &set, &e));
	sound_free(&x);
}

static void test_same_words(void **state)
{
	struct sound a = {0}, b = {0};
	struct fp_set s = {0};
	struct fp_ref *r[4];

	(void)state;
	append(&a, &said[0], 5 * SECOND);
	append(&b, &a, a.n);
	append(&a, &said[1], said[1].n);
	append(&b, &said[2], said[2].n);
	assert_int_equal(fp_ref_new(a.x, a.n, &r[0]), 0);
	assert_int_equal(fp_ref_new(b.x, b.n, &r[1]), 0);
	assert_int_equal(fp_ref_new(b.x, 5 * SECOND, &r[2]), 0); /* the first words alone */
	assert_int_equal(fp_ref_new(a.x, a.n, &r[3]), 0);	 /* the same once more */
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(fp_set_add(&s, r[i], i), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct sound *x = i ? &b : &a;

		if (i == 2)
			b.n = 5 * SECOND;
		listen(&s, x, &plain);
		assert_int_equal(heard.n, 2);
		assert_int_equal(heard.e[0].which, i);
		assert_int_equal(heard.e[1].which, i);
		assert_int_equal(heard.e[1].what, FP_ENDED);
		if (i < 2)
			assert_true(heard.at[0] > 5 * SECOND && heard.at[0] < 7 * SECOND);
	}
	s = (struct fp_set){0};
	assert_int_equal(fp_set_add(&s, r[0], 4), 0);
	assert_int_equal(fp_set_add(&s, r[3], 5), 0);
	listen(&s, &a, &plain);
	assert_int_equal(heard.n, 2);
	assert_int_equal(heard.e[0].which, 4); /* nothing tells them apart: the first */
	for (unsigned i = 0; i < 4; i++)
		fp_ref_free(r[i]);
	sound_free(&a);
	sound_free(&b);
}

/* The stream changes its SSRC and timestamps in the middle (re-INVITE), and a buffer gives 10 ms
 * more. */
static void test_streams(void **state)
{
	uint8_t o[160];
	size_t i;

	(void)state;
	for (int what = 0; what < 3; what++) {
		uint32_t ssrc = 1, ts = 5;

		memset(&heard, 0, sizeof(heard));
		fp_wipe(&fp);
		for (i = 0; i + 160 <= said[0].n; i += 160, ts += 160) {
			if (i == 5 * SECOND && what == 0) {
				ssrc = 2;
				ts = 0x80000000u;
			} else if (i == 5 * SECOND && what == 1) {
				ts += 80; /* inserted silence */
			} else if (i == 5 * SECOND && what == 2) {
				ts += 40000; /* five seconds, and arrival says that there were none
					      */
			}
			for (size_t k = 0; k < 160; k++)
				o[k] = g711_octet(G711_ULAW, said[0].x[i + k]);
			fp_packet(&fp, &set, G711_ULAW, ssrc, ts, T0 + (i + 160) * NS, o, 160,
				  &sink);
			if (i % 1600 == 0) /* copies and stragglers change nothing */
				fp_packet(&fp, &set, G711_ULAW, ssrc, ts, T0 + (i + 160) * NS, o,
					  160, &sink);
		}
		fp_idle(&fp, &set, T0 + i * NS + 3000000000ULL, &sink);
		assert_int_equal(heard.n, 2);
		assert_int_equal(heard.e[1].what, FP_ENDED);
		assert_int_equal(heard.e[1].which, 10);
		assert_true(fp.late == 0 || fp.late > 10);
	}
}

static void test_pause_ends(void **state)
{
	struct sound x = {0};
	uint8_t o[160];

	(void)state;
	append(&x, &said[0], 6 * SECOND);
	listen(&set, &x, &plain);
	assert_int_equal(heard.n, 2);
	assert_int_equal(heard.e[1].what, FP_BROKEN);
	/* a stream that goes on an hour later is another */
	memset(&heard, 0, sizeof(heard));
	fp_wipe(&fp);
	packets(&set, &x, &plain);
	memset(o, G711_ALAW_SILENCE, sizeof(o));
	fp_packet(&fp, &set, G711_ALAW, 1, 5, T0 + 3600ULL * 1000000000, o, 160, &sink);
	assert_int_equal(heard.n, 2);
	assert_int_equal(heard.e[1].what, FP_BROKEN);
	sound_free(&x);
}

static void test_bad_references(void **state)
{
	struct sound x = {0};
	struct fp_set s = {0};
	struct fp_ref *r = NULL;

	(void)state;
	assert_int_equal(fp_ref_new(said[0].x, 3 * SECOND - 1, &r), -EINVAL);
	x.x = calloc(10, SECOND * sizeof(*x.x));
	x.n = x.cap = 10 * SECOND;
	assert_non_null(x.x);
	assert_int_equal(fp_ref_new(x.x, x.n, &r), -EINVAL); /* silence */
	for (size_t i = 0; i < x.n; i++)
		x.x[i] = clip16(8000 * sin(2 * M_PI * 425 * (double)i / 8000));
	assert_int_equal(fp_ref_new(x.x, x.n, &r), -EINVAL); /* a tone */
	assert_int_equal(fp_ref_new(said[0].x, 3 * SECOND, &r), 0);
	assert_int_equal(fp_ref_ms(r), 3000);
	assert_true(fp_ref_bytes(r) < 10000);
	for (unsigned i = 0; i < FP_REFS_MAX; i++)
		assert_int_equal(fp_set_add(&s, r, 0), 0);
	assert_int_equal(fp_set_add(&s, r, 0), -ENOSPC);
	fp_ref_free(r);
	fp_ref_free(NULL);
	sound_free(&x);
}

static void test_formats(void **state)
{
	enum g711_law law;

	(void)state;
	assert_true(fp_hears("pcmu", &law) && law == G711_ULAW);
	assert_true(fp_hears("PCMA", &law) && law == G711_ALAW);
	assert_false(fp_hears("G722", &law));
	assert_false(fp_hears("", &law));
}

/* ---- with what is installed ---- */

#define ALLISON PROMPTS "/en_US_f_Allison/"

static const char *const prompts[] = {
	"demo-congrats", "demo-instruct",	  "vm-options", "conf-adminmenu-162",
	"vm-review",	 "screen-callee-options", "demo-nogo",	"dir-instr",
	"vm-opts-full",	 "demo-abouttotry"};
#define NPROMPTS (sizeof(prompts) / sizeof(*prompts))

static bool prompt(struct sound *x, unsigned i)
{
	char path[256];

	snprintf(path, sizeof(path), ALLISON "%s.wav", prompts[i]);
	return sound_wav(x, path);
}

static bool prompt_set(struct fp_set *s)
{
	for (unsigned i = 0; i < NPROMPTS; i++) {
		struct sound x = {0};
		struct fp_ref *r;

		if (!prompt(&x, i) || fp_ref_new(x.x, x.n, &r))
			return false;
		assert_int_equal(fp_set_add(s, r, (uint8_t)i), 0);
		sound_free(&x);
	}
	return true;
}

static void free_set(struct fp_set *s)
{
	for (unsigned i = 0; i < s->n; i++)
		fp_ref_free((struct fp_ref *)(uintptr_t)s->ref[i]);
}

/* Two hours of prompts of three voices, three of them in the voice of the announcements: each
 * announcement is told when it comes, and nothing else is. */
static void test_hours_of_prompts(void **state)
{
	unsigned seen[NPROMPTS] = {0};
	struct fp_set s = {0};
	struct sound x = {0};

	(void)state;
	sound_tree(&x, PROMPTS, SIZE_MAX);
	if (x.n < 3600 * SECOND || !prompt_set(&s)) {
		puts("SKIP: less than an hour of prompts (asterisk-core-sounds-en-wav, -es-wav, "
		     "-fr-wav)");
		free_set(&s);
		sound_free(&x);
		skip();
	}
	listen(&s, &x, &plain);
	assert_int_equal(heard.n, 2 * NPROMPTS);
	for (unsigned i = 0; i < heard.n; i += 2) {
		assert_int_equal(heard.e[i].what, FP_STARTED);
		assert_int_equal(heard.e[i + 1].what, FP_ENDED);
		assert_int_equal(heard.e[i].which, heard.e[i + 1].which);
		seen[heard.e[i].which]++;
	}
	for (unsigned i = 0; i < NPROMPTS; i++)
		assert_int_equal(seen[i], 1);
	free_set(&s);
	sound_free(&x);
}

/* Through a codec and back by ffmpeg; false: it cannot. */
static bool through(struct sound *x, const char *codec)
{
	char in[] = "/tmp/fp-in-XXXXXX", cmd[512];
	int fd = mkstemp(in);
	FILE *f;
	size_t n;

	if (fd < 0 || write(fd, x->x, x->n * 2) != (ssize_t)(x->n * 2))
		return false;
	close(fd);
	snprintf(cmd, sizeof(cmd),
		 "ffmpeg -v error -f s16le -ar 8000 -ac 1 -i %s %s - 2>/dev/null | ffmpeg -v error "
		 "%s -i - -f s16le -ar 8000 -ac 1 - 2>/dev/null",
		 in, codec, strstr(codec, "gsm") ? "-f gsm" : "-f nut");
	f = popen(cmd, "r"); /* NOLINT(cert-env33-c) */
	n = f ? fread(x->x, 2, x->n, f) : 0;
	if (f)
		pclose(f);
	unlink(in);
	x->n = n;
	return n > 3 * SECOND;
}

static void test_codecs(void **state)
{
	static const char *const codec[] = {"-c:a libgsm -f gsm", "-c:a g723_1 -b:a 6300 -f nut",
					    "-c:a g726 -b:a 32k -f nut"};
	static const struct play how[] = {
		{.law = G711_ALAW},
		{.law = G711_ULAW, .gain = -12, .offset = 211},
		{.law = G711_ALAW, .loss = 0.02, .noise = 30, .offset = 77}};
	struct fp_set s = {0};
	unsigned done = 0;

	(void)state;
	if (!prompt_set(&s)) {
		free_set(&s);
		puts("SKIP: no prompts (asterisk-core-sounds-en-wav)");
		skip();
	}
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < NPROMPTS; i++) {
			struct sound x = {0};
			bool ok = prompt(&x, i) && through(&x, codec[k]);

			for (unsigned h = 0; ok && h < 3; h++) {
				listen(&s, &x, &how[h]);
				assert_int_equal(heard.n, 2);
				assert_int_equal(heard.e[0].which, i);
				assert_int_equal(heard.e[1].what, FP_ENDED);
				done++;
			}
			sound_free(&x);
		}
	}
	free_set(&s);
	if (!done) {
		puts("SKIP: ffmpeg has none of the codecs");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_law),
		cmocka_unit_test(test_any_sample),
		cmocka_unit_test(test_louder_softer_lossy_noisy),
		cmocka_unit_test(test_among_others),
		cmocka_unit_test(test_broken_off),
		cmocka_unit_test(test_now),
		cmocka_unit_test(test_same_words),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_pause_ends),
		cmocka_unit_test(test_bad_references),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_hours_of_prompts),
		cmocka_unit_test(test_codecs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
