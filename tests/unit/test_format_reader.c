/* SPDX-License-Identifier: BSD-2-Clause */
/* test_format_reader.c - the reader made from FORMAT.md reads what the store wrote, and nothing else differs */
#include "format_reader.h"

#include <dirent.h>

#include "store/lpc.h"
#include "store/rice.h"
#include "store_util.h"

#include "store/hold.h"

#define GOLDEN "tests/golden/store"

struct want {
	unsigned call, n;
	bool golden; /* of tests/golden/store/v2 */
};

static void want_chunk(const struct want *w, struct chunk *c)
{
	chunk_of(c, w->call, w->n % 2, w->n / 2);
	if (!w->golden)
		return;
	c->npkt = 10;
	c->nbytes = 1600;
	if (w->call == 3)
		strcpy(c->format.name, w->n % 2 ? "G729" : "G722");
}

static void compare(void *arg, const struct fr_chunk *got)
{
	struct want *w = arg;
	struct chunk *want = chunk_new();

	assert_int_equal(got->leg, w->n % 2);
	want_chunk(w, want);
	assert_int_equal(got->ssrc, want->ssrc);
	assert_int_equal(got->stream, want->stream);
	assert_string_equal(got->name, want->format.name);
	assert_string_equal(got->fmtp, want->format.fmtp);
	assert_int_equal(got->clock, want->format.clock);
	assert_int_equal(got->channels, want->format.channels);
	assert_int_equal(got->pt, want->format.pt);
	assert_int_equal(got->npkt, want->npkt);
	for (uint32_t i = 0; i < want->npkt; i++) {
		const struct fr_packet *a = &got->pkt[i];
		const struct chunk_pkt *b = &want->pkt[i];

		assert_true(a->arrival_ns == b->arrival_ns);
		assert_true(a->seq == b->seq);
		assert_int_equal(a->ts, b->ts);
		assert_int_equal(a->len, b->len);
		assert_int_equal(a->flags, b->flags);
		assert_int_equal(a->pt, b->pt);
		assert_memory_equal(got->data + a->off, want->data + b->off, b->len);
	}
	w->n++;
	chunk_free(want);
}

/* The destroy-by day in the zone, worked out by hand: 90 days after the call's start. */
static void test_reader(void **state)
{
	struct store *st = open_store(STORE_RW);
	char key[300], uid[UID_TEXT], caller[64], callee[64], expect[64];
	uint8_t raw[32];
	struct store_call_meta m;

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		write_call(st, i, 4);
	ok(st, store_sync(st));
	store_close(st);
	snprintf(key, sizeof(key), "%s/documentation.key", keys_dir);
	for (unsigned i = 0; i < 9; i++) {
		struct want w = { .call = i };

		meta_of(i, &m);
		uid_format(&m.uid, uid);
		/* 1795000000 s is 2026-11-18 11:06:40 UTC; 90 days later it is 16 February */
		fr_read_call(store_dir, "acme", "2027-02-16", uid, "documentation", 0, key, caller, callee,
			     compare, &w);
		assert_int_equal(w.n, 8);
		snprintf(expect, sizeof(expect), "+4520%06u", i);
		assert_string_equal(caller, expect);
		assert_string_equal(callee, "+4570000000");
		/* the data key itself is nowhere on disk */
		fr_data_key(store_dir, "acme", "documentation", 0, "2027-02-16", (int)i + 1, m.uid.b, key, raw);
		char hex[65];

		sodium_bin2hex(hex, sizeof(hex), raw, 32);
		shell("! cat $(find %s -type f) | od -An -v -tx1 | tr -d ' \\n' | grep -qF %s", store_dir, hex);
	}
}

/* Destroying a bucket as section 3 says ends every call of its day and purpose. */
static void test_destroy(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call_meta m;
	struct store_reader *r;
	char path[400];
	uint8_t *b;
	size_t n;
	FILE *f;

	(void)state;
	write_call(st, 1, 1);
	ok(st, store_sync(st));
	store_close(st);
	snprintf(path, sizeof(path), "%s/keys/acme/documentation/2027-02-16.bucket", store_dir);
	b = fr_file(path, &n);
	assert_int_equal(n, 128);
	/* destroy at: 00:00 of that day in Copenhagen, 23:00 UTC the day before */
	assert_true(fr_le(b + 32, 8) == 1802732400000000000ULL);
	b[11] = 2;
	memset(b + 40, 0, 32);
	for (int i = 0; i < 4; i++)
		b[124 + i] = (uint8_t)(fr_crc(b, 124) >> 8 * i);
	f = fopen(path, "r+b");
	assert_int_equal(fwrite(b, 1, 128, f), 128);
	fclose(f);
	free(b);
	fsck_clean(NULL); /* legal */
	st = open_store(STORE_RW);
	meta_of(1, &m);
	assert_int_equal(store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &r), -ESHUTDOWN);
	/* and nothing is recorded under a day that is over */
	struct store_call *sc;

	meta_of(2, &m);
	assert_int_equal(store_call_begin(st, &m, &sc), -ESHUTDOWN);
	store_close(st);
}

/* A call on hold, when all other keys of its day are gone (section 13). */
static void test_held(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct hold_why w = { "dispute", "D-1", 20270301 };
	struct hold_person who = { 1501, "anna" };
	char key[300], uid[UID_TEXT], caller[64], callee[64];
	struct want want = { .call = 1 };
	struct store_call_meta m;
	struct holds *h;
	bool fresh;

	(void)state;
	write_call(st, 0, 4);
	write_call(st, 1, 4);
	ok(st, store_sync(st));
	store_close(st);
	st = open_store(STORE_RO);
	meta_of(1, &m);
	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_add(st, h, &m.uid, &w, &who, T0 + 60 * NS_PER_S, &fresh));
	holds_close(h);
	store_close(st);
	shell("rm %s/keys/acme/documentation/2027*", store_dir);
	snprintf(key, sizeof(key), "%s/documentation.key", keys_dir);
	uid_format(&m.uid, uid);
	fr_read_call(store_dir, "acme", "2027-02-16", uid, "documentation", 0, key, caller, callee, compare, &want);
	assert_int_equal(want.n, 8);
	assert_string_equal(caller, "+4520000001");
}

static void copy_golden(const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), GOLDEN "/%s/optag.store", name);
	if (access(path, R_OK))
		fail_msg("%s: not there; run from the top of the tree", path);
	shell("rm -rf %s %s && cp -r " GOLDEN "/%s %s && cp -r " GOLDEN "/%s-private %s && chmod 600 %s/*", store_dir, keys_dir, name,
	      store_dir, name, keys_dir, keys_dir);
}

/* A store of format 2 of before G.711 was predicted and codec 3 had a checksum, by both readers. */
static void test_old_chunks(void **state)
{
	char key[300], id[UID_TEXT], caller[64], callee[64];
	struct chunk *want = chunk_new();
	struct store *st;

	(void)state;
	copy_golden("v2");
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	snprintf(key, sizeof(key), "%s/documentation.key", keys_dir);
	for (unsigned i = 0; i < 4; i++) {
		struct want w = { .call = i, .golden = true };
		const struct chunk *got;
		struct store_call_meta m;
		struct store_reader *r;
		unsigned leg;
		int rc;

		meta_of(i, &m);
		assert_int_equal(store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &r), 0);
		while ((rc = store_read_next(r, &leg, &got)) != 0) {
			assert_int_equal(rc, 1);
			assert_int_equal(leg, w.n % 2);
			want_chunk(&w, want);
			assert_chunk(got, want);
			w.n++;
		}
		assert_int_equal(w.n, 8);
		store_read_close(r);
		w.n = 0;
		uid_format(&m.uid, id);
		fr_read_call(store_dir, "acme", "2065-12-21", id, "documentation", 0, key, caller, callee, compare, &w);
		assert_int_equal(w.n, 8);
	}
	store_close(st);
	chunk_free(want);
}

/* What tests/gen/goldenstore.c records of call i, one chunk a leg. */
struct golden {
	unsigned call, n;
};

static void golden_chunk(const struct golden *g, const uint8_t *got, uint32_t n, uint32_t npkt, uint32_t ssrc)
{
	assert_int_equal(n, 8000);
	assert_int_equal(npkt, 50);
	assert_int_equal(ssrc, g->call);
	for (uint32_t k = 0; k < n; k++)
		assert_int_equal(got[k], (uint8_t)(k * (g->call + 1) / 7));
}

static void golden_got(void *arg, const struct fr_chunk *c)
{
	struct golden *g = arg;

	assert_int_equal(c->leg, g->n++);
	golden_chunk(g, c->data, c->nbytes, c->npkt, c->ssrc);
	for (uint32_t i = 0; i < c->npkt; i++)
		assert_true(c->pkt[i].arrival_ns == T0 + g->call * NS_PER_S + i * 20 * NS_PER_MS && c->pkt[i].ts == i * 160);
}

static void golden_store_read(struct store *st, const struct uid *uid, enum store_purpose p, unsigned call)
{
	struct golden g = { .call = call };
	const struct chunk *got;
	struct store_reader *r;
	unsigned leg;

	ok(st, store_read_open(st, uid, p, keys_dir, &r));
	for (; store_read_next(r, &leg, &got) == 1; g.n++) {
		assert_int_equal(leg, g.n);
		golden_chunk(&g, got->data, got->nbytes, got->npkt, got->ssrc);
	}
	assert_int_equal(g.n, 2);
	store_read_close(r);
}

/* A store of format 3, its first partition sealed: both purposes, by both readers; and a writer goes on with it. */
static void test_format_3(void **state)
{
	char key[300], id[UID_TEXT], caller[64], callee[64];
	struct store_reader *r;
	struct store *st;

	(void)state;
	copy_golden("v3");
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	for (unsigned i = 0; i < 12; i++) {
		enum store_purpose p = i % 2 ? STORE_TRAINING : STORE_DOCUMENTATION;
		struct golden g = { .call = i / 2 };
		struct store_call_meta m;

		meta_of(g.call, &m);
		if (g.call == 2) {
			assert_int_equal(store_read_open(st, &m.uid, p, keys_dir, &r), -EACCES);
			continue;
		}
		if (g.call == 1 && p == STORE_TRAINING) /* later.db, which the row does not know of */
			assert_int_equal(store_read_open(st, &m.uid, p, keys_dir, &r), -ESHUTDOWN);
		else
			golden_store_read(st, &m.uid, p, g.call);
		uid_format(&m.uid, id);
		snprintf(key, sizeof(key), "%s/%s.key", keys_dir, p ? "training" : "documentation");
		fr_read_call(store_dir, "acme", "2065-12-14", id, p ? "training" : "documentation", p, key,
			     caller, callee, golden_got, &g);
		assert_int_equal(g.n, 2);
		assert_string_equal(caller, "+4520000000");
		assert_string_equal(callee, "+4570000000");
	}
	store_close(st);
	st = open_store(STORE_RW);
	write_call(st, 9, 1);
	ok(st, store_sync(st));
	assert_int_equal(read_call(st, 9, 1), 0);
	store_close(st);
	fsck_clean(NULL);
}

/* The golden records of codec 4: tones, noise, clipping and all, which reach every class. */
static void test_predicted(void **state)
{
	static struct fr_chunk c;
	static uint8_t words[sizeof(c.data)];
	struct dirent **file;
	struct lpc_dec *dec;
	int n = scandir("tests/golden/codec", &file, NULL, alphasort), records = 0;

	(void)state;
	assert_int_equal(lpc_dec_new(&dec), 0);
	for (int i = 0; i < n; free(file[i++])) {
		char path[400];
		size_t len = 0;
		uint8_t *b;

		snprintf(path, sizeof(path), "tests/golden/codec/%s", file[i]->d_name);
		if (!strstr(path, ".pcm"))
			continue;
		b = fr_file(path, &len);
		c.nbytes = 6000;
		if (len) {
			assert_null(lpc_decode(dec, b, len, words, c.nbytes));
			fr_payload(4, b, len, &c);
			assert_memory_equal(c.data, words, c.nbytes);
			records++;
		}
		free(b);
	}
	free(file);
	lpc_dec_free(dec);
	assert_true(records > 20);
}

/* The golden records of codec 5. */
static void test_rice(void **state)
{
	static struct fr_chunk c;
	static uint8_t words[sizeof(c.data)];
	struct dirent **file;
	int n = scandir("tests/golden/codec/rice", &file, NULL, alphasort), records = 0;

	(void)state;
	for (int i = 0; i < n; free(file[i++])) {
		char path[400];
		size_t len = 0;
		uint8_t *b;

		snprintf(path, sizeof(path), "tests/golden/codec/rice/%s", file[i]->d_name);
		b = file[i]->d_name[0] == '.' ? NULL : fr_file(path, &len);
		c.nbytes = 1500;
		if (len) {
			assert_null(rice_decode(b, len, words, c.nbytes));
			fr_payload(5, b, len, &c);
			assert_memory_equal(c.data, words, c.nbytes);
			records++;
		}
		free(b);
	}
	free(file);
	assert_true(records > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reader, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_destroy, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_held, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_old_chunks, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_format_3, make_store, drop_store),
		cmocka_unit_test(test_predicted),
		cmocka_unit_test(test_rice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
