/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_notices.c - the files of announcements: what can be read, what can be recognised, and that it is what was checked
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/le.h"
#include "media/soundfile.h"
#include "notices.h"
#include "policy/policy.h"
#include "tests/unit/speech.h"

static char dir[] = "/tmp/notices-XXXXXX";
static struct sound said;

static const char *in_dir(const char *name)
{
	static char path[4][300];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
	FILE *f = fopen(in_dir(name), "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* ---- sound files ---- */

struct wav {
	unsigned kind, channels, rate, bits;
};

static size_t make_wav(uint8_t *out, const struct wav *w, const void *data, size_t n, bool extra)
{
	size_t at = 12;

	memcpy(out, "RIFF\0\0\0\0WAVE", 12);
	if (extra) { /* a chunk of odd length before */
		memcpy(out + at, "LIST\3\0\0\0abc\0", 12);
		at += 12;
	}
	memcpy(out + at, "fmt ", 4);
	le32enc(out + at + 4, 16);
	le16enc(out + at + 8, (uint16_t)w->kind);
	le16enc(out + at + 10, (uint16_t)w->channels);
	le32enc(out + at + 12, w->rate);
	le32enc(out + at + 16, w->rate * w->channels * w->bits / 8);
	le16enc(out + at + 20, (uint16_t)(w->channels * w->bits / 8));
	le16enc(out + at + 22, (uint16_t)w->bits);
	memcpy(out + at + 24, "data", 4);
	le32enc(out + at + 28, (uint32_t)n);
	memcpy(out + at + 32, data, n);
	return at + 32 + n;
}

static void test_kinds(void **state)
{
	static const struct {
		struct wav w;
		const char *why; /* NULL: fine */
	} t[] = {
		{ { 1, 1, 8000, 16 }, NULL },
		{ { 6, 1, 8000, 8 }, NULL },
		{ { 7, 1, 8000, 8 }, NULL },
		{ { 1, 1, 8000, 8 }, "neither PCM of 16 bits" },
		{ { 49, 1, 8000, 0 }, "neither PCM of 16 bits" },
		{ { 1, 2, 8000, 16 }, "more than one channel" },
		{ { 1, 1, 16000, 16 }, "not of 8 kHz" },
	};
	uint8_t data[64], file[256];
	char why[128];
	int16_t *x;
	size_t n, len;

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 11);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (int extra = 0; extra < 2; extra++) {
			len = make_wav(file, &t[i].w, data, sizeof(data), extra);
			*why = 0;
			assert_int_equal(sound_read("a.WAV", file, len, &x, &n, why, sizeof(why)), t[i].why ? -EINVAL : 0);
			if (t[i].why) {
				assert_non_null(strstr(why, t[i].why));
				continue;
			}
			assert_int_equal(n, t[i].w.kind == 1 ? 32 : 64);
			for (size_t k = 0; k < n; k++)
				assert_int_equal(x[k], t[i].w.kind == 1 ? (int16_t)le16dec(data + 2 * k) :
									  g711_linear[t[i].w.kind == 6 ? G711_ALAW : G711_ULAW][data[k]]);
			free(x);
		}
	}
	/* cut anywhere it is shorter, or none */
	len = make_wav(file, &t[0].w, data, sizeof(data), true);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut + 1);
		int e;

		assert_non_null(copy);
		memcpy(copy, file, cut);
		e = sound_read("a.wav", copy, cut, &x, &n, why, sizeof(why));
		assert_true(e == -EINVAL || (e == 0 && n <= 32));
		if (!e)
			free(x);
		free(copy);
	}
	assert_int_equal(sound_read("x.pcma", data, sizeof(data), &x, &n, why, sizeof(why)), 0);
	assert_int_equal(x[5], g711_linear[G711_ALAW][data[5]]);
	free(x);
	assert_int_equal(sound_read("x.ul", data, sizeof(data), &x, &n, why, sizeof(why)), 0);
	assert_int_equal(x[5], g711_linear[G711_ULAW][data[5]]);
	free(x);
	assert_int_equal(sound_read("x.mp3", data, sizeof(data), &x, &n, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "says nothing of its kind"));
	assert_int_equal(sound_read(".wav", data, sizeof(data), &x, &n, why, sizeof(why)), -EINVAL);
	assert_int_equal(sound_read("x.alaw", data, SOUND_FILE_MAX + 1, &x, &n, why, sizeof(why)), -EFBIG);
}

/* ---- of a policy ---- */

static void write_policy(const char *name, const char *audio)
{
	static const char text[] =
		"controller a { name \"A\" timezone UTC languages en trunks t roles r lab yes }\n"
		"trunk t { address 0.0.0.0/0, ::/0 dedicated yes }\n"
		"set t trunks { t }\n"
		"announcement n-en { language en link https://example.org/call-recording elements rec doc link object access audio file %s\n"
		"\ttext \"[rec] [doc] [object] [access] [link]\" }\n"
		"assessment d { kind documentation scope @t review 2027-06-01 author \"A\" approver \"B\" outcome \"x\" no-other-way \"y\"\n"
		"\tfactor 1 relied-on \"a\" factor 2 relied-on \"b\" factor 3 relied-on \"c\" factor 4 relied-on \"d\" factor 5 relied-on \"e\" factor 6 relied-on \"f\" }\n"
		"rule \"all\" { controller a side called trunk @t owner \"O\" review 2027-06-01 notice n-en notice-proof fingerprint\n"
		"\tdocumentation { basis interest assessment d on-objection continue-restricted retention 3 months } roles documentation r }\n";
	char buf[4096];
	int n = snprintf(buf, sizeof(buf), text, audio);

	assert_true(n > 0 && (size_t)n < sizeof(buf));
	write_file(name, buf, (size_t)n);
}

static struct policy *load(const char *name)
{
	struct policy_diags d = { 0 };
	struct policy *p = NULL;
	const char *path = in_dir(name);

	if (policy_load(&path, 1, 1790000000, &d, &p))
		for (size_t i = 0; i < d.n; i++)
			policy_diag_print(stdout, &d.d[i]);
	policy_diags_free(&d);
	assert_non_null(p);
	return p;
}

static void write_said(const char *name, size_t from, size_t n)
{
	uint8_t *file = malloc(n * 2 + 64), *pcm = malloc(n * 2);

	assert_non_null(file);
	assert_non_null(pcm);
	for (size_t i = 0; i < n; i++)
		le16enc(pcm + 2 * i, (uint16_t)said.x[from + i]);
	write_file(name, file, make_wav(file, &(struct wav){ 1, 1, 8000, 16 }, pcm, n * 2, false));
	free(pcm);
	free(file);
}

static void test_load(void **state)
{
	struct notices *ns = NULL, *same = NULL;
	const struct fp_set *set;
	struct policy *p;
	char why[512];

	(void)state;
	write_said("a.wav", 0, 40000);
	write_said("b.wav", 40000, 40000);
	write_policy("p.policy", "\"a.wav\", \"b.wav\"");
	p = load("p.policy");
	assert_int_equal(notices_load(p, NULL, &ns, why, sizeof(why)), 0);
	assert_int_equal(notices_count(ns), 2);
	set = notices_set(ns, policy_rule(p, 0));
	assert_non_null(set);
	assert_int_equal(set->n, 2);
	assert_int_equal(set->which[1], 0);
	assert_int_equal(fp_ref_ms(set->ref[0]), 5000);
	assert_null(notices_set(ns, NULL));
	assert_null(notices_set(NULL, policy_rule(p, 0)));
	/* changed after it was checked */
	write_said("b.wav", 50000, 40000);
	assert_int_equal(notices_load(p, NULL, &same, why, sizeof(why)), -ESTALE);
	assert_non_null(strstr(why, "b.wav: it is not the sound that was checked"));
	unlink(in_dir("b.wav"));
	assert_int_equal(notices_load(p, NULL, &same, why, sizeof(why)), -ENOENT);
	notices_free(ns);
	notices_free(NULL);
	policy_free(p);
}

static void test_unfit(void **state)
{
	struct notices *ns = NULL;
	struct policy *p;
	char why[512];
	static uint8_t nothing[50000];

	(void)state;
	memset(nothing, G711_ALAW_SILENCE, sizeof(nothing));
	write_file("quiet.alaw", nothing, sizeof(nothing));
	write_policy("p.policy", "\"quiet.alaw\"");
	p = load("p.policy");
	assert_int_equal(notices_load(p, NULL, &ns, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "the announcement 'n-en' cannot be recognised by"));
	assert_non_null(strstr(why, "too little in it"));
	policy_free(p);
	write_file("x.gsm", nothing, sizeof(nothing));
	write_policy("p.policy", "\"x.gsm\"");
	p = load("p.policy");
	assert_int_equal(notices_load(p, NULL, &ns, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "says nothing of its kind"));
	policy_free(p);
}

/* What was in force is what it was, or it is not in force again; and a daemon after this one finds it. */
static void test_kept(void **state)
{
	struct notices *ns = NULL;
	struct policy *p, *again = NULL;
	struct policy_diags d = { 0 };
	char why[512], *text = NULL, name[128];
	size_t n = 0;
	FILE *f;

	(void)state;
	mkdir(in_dir("store"), 0700);
	write_said("a.wav", 0, 40000);
	write_policy("p.policy", "\"a.wav\"");
	p = load("p.policy");
	assert_int_equal(notices_load(p, in_dir("store"), &ns, why, sizeof(why)), 0);
	notices_free(ns);
	assert_int_equal(notices_load(p, in_dir("store"), &ns, why, sizeof(why)), 0);
	notices_free(ns);
	/* as the daemon reads a policy back: no files are named there that it looks at */
	f = open_memstream(&text, &n);
	assert_non_null(f);
	assert_int_equal(policy_print(f, p), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(policy_load_mem("kept", text, n, 1790000000, &d, &again), 0);
	assert_int_equal(notices_resume(again, in_dir("store"), &ns), 0);
	assert_non_null(notices_set(ns, policy_rule(again, 0)));
	assert_int_equal(notices_set(ns, policy_rule(again, 0))->n, 1);
	notices_free(ns);
	/* the same policy, another sound */
	policy_free(p);
	write_said("a.wav", 1000, 40000);
	p = load("p.policy");
	assert_string_equal(policy_hash(p), policy_hash(again));
	assert_int_equal(notices_load(p, in_dir("store"), &ns, why, sizeof(why)), -ESTALE);
	assert_non_null(strstr(why, "other sounds of its announcements"));
	assert_int_equal(notices_resume(again, in_dir("store"), &ns), 0); /* nothing is recognised by what it was not */
	assert_null(notices_set(ns, policy_rule(again, 0)));
	notices_free(ns);
	/* damaged */
	snprintf(name, sizeof(name), "store/policies/%s.sounds", policy_hash(p));
	write_file(name, "00\tn-en", 7);
	assert_int_equal(notices_resume(again, in_dir("store"), &ns), -EBADMSG);
	unlink(in_dir(name));
	assert_int_equal(notices_resume(again, in_dir("store"), &ns), -ENOENT);
	policy_free(p);
	policy_free(again);
	policy_diags_free(&d);
	free(text);
}

static int setup(void **state)
{
	(void)state;
	speech(&said, 100000, 5);
	return sodium_init() < 0 || !mkdtemp(dir);
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	sound_free(&said);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd); /* NOLINT(cert-env33-c) */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_unfit),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
