/* SPDX-License-Identifier: BSD-2-Clause */
/* test_wrap.c - wraps of both versions open for their key alone; what they are made with lasts a second and is wiped */
#include "store_util.h"

#include <sodium.h>

#include "store/keyfile.h"
#include "store/slots.h"

#define DAY 20270216 /* of meta_of's calls */
#define E   32 /* bytes of a wrap: the writer's public key */

static struct why why;
static const struct uid call = { { 7 } };
static const uint8_t slot_k[32] = { 9 }, data[32] = { 5, 6 };

struct person {
	struct pubkey pub;
	uint8_t secret[32];
};

static struct person person(void)
{
	struct person p;

	crypto_box_keypair(p.pub.key, p.secret);
	keyfile_id(p.pub.key, p.pub.id);
	return p;
}

static void make(struct wrapper *w, uint64_t now, const struct person *p, uint8_t out[KEYS_WRAP])
{
	assert_int_equal(wrap_make(w, now, &p->pub, slot_k, &call, STORE_DOCUMENTATION, DAY, data, out), 0);
}

static bool opens(const struct person *p, const uint8_t wrap[KEYS_WRAP])
{
	uint8_t inner[WRAP_INNER];

	return !crypto_box_open_easy(inner, wrap + 56, KEYS_WRAP - 56, wrap + 32, wrap, p->secret);
}

/* One pair for a purpose's wraps of a second, another one then; another one for another key. */
static void test_second(void **state)
{
	struct person a = person(), b = person();
	uint8_t v[5][KEYS_WRAP];
	struct wrapper *w;

	(void)state;
	assert_int_equal(wrapper_new(&w), 0);
	make(w, T0, &a, v[0]);
	make(w, T0 + NS_PER_S - 1, &a, v[1]);
	make(w, T0 + NS_PER_S - 1, &b, v[2]);
	make(w, T0 + NS_PER_S, &a, v[3]);
	make(w, T0 + NS_PER_S, &b, v[4]);
	assert_memory_equal(v[0], v[1], E);
	assert_memory_not_equal(v[0] + E, v[1] + E, 24); /* nonces */
	assert_memory_not_equal(v[0] + 56, v[1] + 56, KEYS_WRAP - 56);
	assert_memory_not_equal(v[1], v[2], E);
	assert_memory_not_equal(v[1], v[3], E);
	assert_memory_equal(v[2], v[4], E);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(opens(&a, v[i]), i != 2 && i != 4);
		assert_int_equal(opens(&b, v[i]), i == 2 || i == 4);
	}
	wrapper_free(w);
}

static void test_uses(void **state)
{
	struct person a = person();
	uint8_t first[KEYS_WRAP], last[KEYS_WRAP];
	struct wrapper *w;

	(void)state;
	assert_int_equal(wrapper_new(&w), 0);
	make(w, T0, &a, first);
	for (int i = 1; i < WRAP_PAIR_USES; i++)
		make(w, T0, &a, last);
	assert_memory_equal(first, last, E);
	assert_true(opens(&a, last));
	make(w, T0, &a, last);
	assert_memory_not_equal(first, last, E);
	assert_true(opens(&a, last));
	wrapper_free(w);
}

/* More keys than there are places: all wraps open. A point that is none is refused, and takes nobody's place. */
static void test_many(void **state)
{
	enum { N = 300 };
	static struct person p[N];
	uint8_t wrap[KEYS_WRAP], first[KEYS_WRAP];
	struct pubkey none = { .key = { 0 } };
	struct wrapper *w;

	(void)state;
	assert_int_equal(wrapper_new(&w), 0);
	for (int i = 0; i < N; i++)
		p[i] = person();
	for (int round = 0; round < 2; round++)
		for (uint64_t i = 0; i < N; i++) {
			make(w, T0 + i, &p[i], wrap);
			assert_true(opens(&p[i], wrap));
			assert_false(opens(&p[(i + 1) % N], wrap));
		}
	make(w, T0 + N, &p[N - 1], first);
	for (int i = 0; i < N; i++)
		assert_int_equal(wrap_make(w, T0 + N, &none, slot_k, &call, STORE_DOCUMENTATION, DAY, data, wrap), -EBADMSG);
	make(w, T0 + N, &p[N - 1], wrap);
	assert_memory_equal(first, wrap, E);
	wrapper_free(w);
}

/* Under ASan: its shadow, terabytes that hold nothing of ours, begins at `offset` and has a byte of 2^scale. */
void __asan_get_shadow_mapping(size_t *scale, size_t *offset) __attribute__((weak));

static bool is_shadow(unsigned long from, unsigned long to)
{
	size_t scale = 0, offset = 0;

	if (!__asan_get_shadow_mapping)
		return false;
	__asan_get_shadow_mapping(&scale, &offset);
	return from >= offset && to <= offset + ((1UL << 47) >> scale);
}

/* How often the bytes whose complement this is lie in what this process can read. */
static unsigned in_memory(const uint8_t not[32])
{
	static uint8_t piece[1 << 16];
	unsigned long from, to;
	char line[400], perm[8];
	unsigned found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY);

	assert_non_null(maps);
	assert_true(mem >= 0);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perm) != 3 || perm[0] != 'r' || perm[1] != 'w' ||
		    is_shadow(from, to))
			continue;
		for (unsigned long at = from; at + 32 <= to; at += sizeof(piece) - 31) {
			size_t n = to - at < sizeof(piece) ? to - at : sizeof(piece);
			ssize_t got;

			if (at < (unsigned long)piece + sizeof(piece) && at + n > (unsigned long)piece)
				continue;
			got = pread(mem, piece, n, (off_t)at);
			for (ssize_t i = 0; i + 32 <= got; i++) {
				int k = 0;

				while (k < 32 && (piece[i + k] ^ not[k]) == 0xff)
					k++;
				found += k == 32;
			}
		}
	}
	fclose(maps);
	close(mem);
	return found;
}

static void not_shared(const struct person *p, const uint8_t wrap[KEYS_WRAP], uint8_t out[32])
{
	assert_int_equal(crypto_box_beforenm(out, wrap, p->secret), 0);
	for (int i = 0; i < 32; i++)
		out[i] = (uint8_t)~out[i];
}

/* What opens the outer layer is there for a second, once, and not after that; a look is enough, or the end. */
static void test_wiped(void **state)
{
	struct person a = person();
	uint8_t wrap[KEYS_WRAP], not[32];
	struct wrapper *w;

	(void)state;
	assert_int_equal(wrapper_new(&w), 0);
	make(w, T0, &a, wrap);
	not_shared(&a, wrap, not);
	wrapper_expire(w, T0 + NS_PER_S - 1);
	assert_int_equal(in_memory(not), 1);
	wrapper_expire(w, T0 + NS_PER_S);
	assert_int_equal(in_memory(not), 0);
	for (int i = 0; i < WRAP_PAIR_USES; i++)
		make(w, T0, &a, wrap);
	not_shared(&a, wrap, not);
	assert_int_equal(in_memory(not), 0);
	make(w, T0, &a, wrap);
	not_shared(&a, wrap, not);
	assert_int_equal(in_memory(not), 1);
	wrapper_free(w);
	assert_int_equal(in_memory(not), 0);
}

/* The store's own: a sync after the second wipes it, and so does its end. */
static void test_store(void **state)
{
	struct store *st = open_store(STORE_RW);
	uint8_t not[32];
	struct person p = { .secret = { 0 } };
	struct keyfile kf;
	struct root r;
	struct slot s;
	char path[400], text[600];
	size_t n;

	(void)state;
	snprintf(path, sizeof(path), "%s/documentation.key", keys_dir);
	n = 0;
	assert_int_equal(read_small(AT_FDCWD, path, text, sizeof(text) - 1, &n), 0);
	text[n] = 0;
	assert_int_equal(keyfile_parse(text, "optag-private-key", &kf), 0);
	memcpy(p.secret, kf.key, 32);
	assert_int_equal(root_open(store_dir, &r, &why), 0);
	for (unsigned i = 1, round = 0; round < 2; i++) {
		uint64_t begin = clock_steady_ns();

		write_call(st, i, 1);
		assert_int_equal(slot_read(&r, "acme", STORE_DOCUMENTATION, DAY, i, &s, &why), 0);
		not_shared(&p, s.wrap, not);
		ok(st, store_sync(st));
		if (clock_steady_ns() - begin >= NS_PER_S && i < 20) { /* the machine stood still, so with another call */
			usleep(1010000);
			continue;
		}
		if (round == 0) {
			usleep(1010000);
			assert_int_equal(in_memory(not), 1);
			ok(st, store_sync(st));
		} else {
			assert_int_equal(in_memory(not), 1);
			store_close(st);
		}
		assert_int_equal(in_memory(not), 0);
		round++;
	}
	root_close(&r);
}

/* Of version 1: a sealed box, under the bucket's key. A slot of one version with the other's length is damage. */
static void test_versions(void **state)
{
	struct person a = person();
	uint8_t inner[WRAP_INNER] = { 1 }, ad[WRAP_AD], raw[SLOT_SIZE], got[32];
	char idhex[17], keyhex[65], path[400];
	struct slot s = { .version = 1, .uid = call };
	struct wrapper *w;

	(void)state;
	sodium_bin2hex(idhex, sizeof(idhex), a.pub.id, 8);
	sodium_bin2hex(keyhex, sizeof(keyhex), a.secret, 32);
	snprintf(path, sizeof(path), "%s/documentation.key", keys_dir);
	shell("printf 'optag-private-key 1\\npurpose documentation\\nowner default\\nid %s\\nkey %s\\n' >%s", idhex, keyhex, path);
	wrap_ad(&call, STORE_DOCUMENTATION, DAY, ad);
	crypto_aead_xchacha20poly1305_ietf_encrypt(inner + 24, NULL, data, 32, ad, WRAP_AD, NULL, inner, slot_k);
	crypto_box_seal(s.wrap, inner, WRAP_INNER, a.pub.key);
	memcpy(s.key_id, a.pub.id, 8);
	assert_int_equal(wrapper_new(&w), 0);
	for (s.version = 1; s.version <= 2; s.version++) {
		size_t n = slot_wrap_size(&s);
		struct slot back;

		if (s.version == 2)
			make(w, T0, &a, s.wrap);
		assert_int_equal(n, s.version == 1 ? 120 : 144);
		slot_format(&s, raw);
		assert_null(slot_parse(raw, &back));
		assert_memory_equal(back.wrap, s.wrap, n);
		assert_int_equal(wrap_open(keys_dir, "acme", STORE_DOCUMENTATION, DAY, &call, back.key_id, slot_k, back.wrap, n, got, &why), 0);
		assert_memory_equal(got, data, 32);
		assert_int_equal(wrap_open(keys_dir, "acme", STORE_DOCUMENTATION, DAY, &call, back.key_id, slot_k, back.wrap, 264 - n, got, &why),
				 -EKEYREJECTED);
		for (size_t i = 0; i < n; i++) {
			back.wrap[i] ^= 4;
			assert_true(wrap_open(keys_dir, "acme", STORE_DOCUMENTATION, DAY, &call, back.key_id, slot_k, back.wrap, n, got, &why) < 0);
			back.wrap[i] ^= 4;
		}
		raw[4] = s.version == 1 ? 2 : 1; /* the other's length, or bytes behind the wrap */
		for (int len = 0; len < 2; len++) {
			uint32_t crc = crc32c(0, raw, 252);

			for (int i = 0; i < 4; i++)
				raw[252 + i] = (uint8_t)(crc >> 8 * i);
			if (!len || s.version == 2)
				assert_string_equal(slot_parse(raw, &back), "slot has values it must not have");
			raw[6] = raw[4] == 1 ? 120 : 144;
		}
	}
	wrapper_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second),
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_wiped),
		cmocka_unit_test_setup_teardown(test_store, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_versions, make_store, drop_store),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
