/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_merkle.c - the day's hash tree against its definition, and as it stands in roots
 */
#include <sodium.h>

#include "store/evlog_internal.h"
#include "store/merkle.h"
#include "store_util.h"

#define DAY  (86400ULL * NS_PER_S)
#define D0   (20780ULL * DAY) /* 2026-11-23T00:00Z */
#define MOST 70u

static size_t text(uint64_t i, char out[32])
{
	return (size_t)snprintf(out, 32, "line %u", (unsigned)i);
}

/* RFC 6962 section 2.1, word by word. */
static void mth(uint64_t from, uint64_t n, uint8_t ret[32])
{
	unsigned char b[65] = { 0 };
	uint64_t k = 1;

	if (!n) {
		crypto_generichash(ret, 32, NULL, 0, NULL, 0);
		return;
	}
	if (n == 1) {
		size_t len = text(from, (char *)b + 1);

		crypto_generichash(ret, 32, b, len + 1, NULL, 0);
		return;
	}
	while (k * 2 < n)
		k *= 2;
	b[0] = 1;
	mth(from, k, b + 1);
	mth(from + k, n - k, b + 33);
	crypto_generichash(ret, 32, b, 65, NULL, 0);
}

static void by_definition(void **state)
{
	struct merkle m = { 0 };
	uint8_t want[32], got[32];
	char line[32];

	(void)state;
	for (uint64_t n = 0; n <= 300; n++) {
		mth(0, n, want);
		merkle_root(&m, got);
		assert_memory_equal(got, want, 32);
		merkle_add(&m, line, text(n, line));
	}
}

/* Of every leaf of every size: the path gives the root; at another place, cut, longer or changed it does not. */
static void paths(void **state)
{
	uint8_t want[32], got[32];
	char line[32], other[32];
	size_t len;

	(void)state;
	for (uint64_t n = 1; n <= MOST; n++) {
		mth(0, n, want);
		for (uint64_t i = 0; i < n; i++) {
			struct merkle_path p = { .index = i };

			for (uint64_t k = 0; k < n; k++)
				merkle_path_add(&p, line, text(k, line));
			assert_true(merkle_path_end(&p, got));
			assert_memory_equal(got, want, 32);
			len = text(i, line);
			assert_true(merkle_path_root(line, len, i, n, p.hash, p.n, got));
			assert_memory_equal(got, want, 32);
			for (uint64_t k = 0; k < n; k++)
				if (k != i && merkle_path_root(line, len, k, n, p.hash, p.n, got))
					assert_memory_not_equal(got, want, 32);
			assert_true(!merkle_path_root(other, text(i + 1, other), i, n, p.hash, p.n, got) ||
				    memcmp(got, want, 32) != 0);
			assert_true(!p.n || !merkle_path_root(line, len, i, n, p.hash, p.n - 1, got) || memcmp(got, want, 32) != 0);
			assert_false(merkle_path_root(line, len, i, n, p.hash, p.n + 1, got));
			assert_false(merkle_path_root(line, len, n, n, p.hash, p.n, got));
			for (unsigned k = 0; k < p.n; k++) {
				p.hash[k][k] ^= 1;
				assert_true(merkle_path_root(line, len, i, n, p.hash, p.n, got));
				assert_memory_not_equal(got, want, 32);
				p.hash[k][k] ^= 1;
			}
		}
	}
	struct merkle_path none = { .index = 3 };
	merkle_path_add(&none, "x", 1);
	assert_false(merkle_path_end(&none, got));
}

/* A node is no leaf: the inner hashes of a tree, given as a line, do not make its root. */
static void no_leaf_is_a_node(void **state)
{
	unsigned char b[64];
	uint8_t want[32], got[32];

	(void)state;
	mth(0, 1, b);
	mth(1, 1, b + 32);
	mth(0, 2, want);
	assert_true(merkle_path_root(b, 64, 0, 1, NULL, 0, got));
	assert_memory_not_equal(got, want, 32);
}

/* ---- in the log ---- */

static int fresh(void **state)
{
	clock_set_ns(D0 + 3600 * NS_PER_S);
	return make_store(state);
}

static int gone(void **state)
{
	clock_set_ns(0);
	return drop_store(state);
}

static void add(struct evlog *l, uint64_t t)
{
	struct evlog_event e = { .kind = EVLOG_DAEMON_START, .time_ns = t };

	assert_int_equal(evlog_append(l, &e, NULL), 0);
}

static struct evlog *open_log(void)
{
	struct evlog *l;
	char why[512] = "";

	if (evlog_open(store_dir, &l, why, sizeof(why)))
		fail_msg("%s", why);
	return l;
}

static unsigned findings;
static char first[300];

static void on_log_finding(void *arg, const char *file, uint64_t line, const char *rule, const char *t)
{
	(void)arg;
	if (!findings++)
		snprintf(first, sizeof(first), "%s:%u: %s: %s", file, (unsigned)line, rule, t);
}

static unsigned look(void)
{
	struct evlog_look how = { .finding = on_log_finding };
	struct evlog_report r;
	char why[512];

	findings = 0;
	*first = 0;
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
	return findings;
}

/* The tree of a day's file, as anybody would make it, is that of its root; also when the writer came and went. */
static void in_roots(void **state)
{
	char name[64], p[8192], *lf, *q = p;
	struct merkle m = { 0 };
	struct evlog_root root;
	struct evlog_pub pub;
	struct root r;
	struct why why;
	uint8_t hash[32], got[32];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct evlog *l = open_log();

		for (unsigned k = 0; k < 3; k++)
			add(l, D0 + i * 1000 + k);
		assert_int_equal(evlog_flush(l, 0), 0);
		if (i == 4)
			assert_int_equal(evlog_flush(l, D0 + DAY + 1), 0); /* the day is over */
		evlog_close(l);
	}
	assert_int_equal(look(), 0);
	assert_int_equal(root_open(store_dir, &r, &why), 0);
	assert_int_equal(evlog_pub_load(&r, NULL, &pub, &why), 0);
	assert_int_equal(evlog_root_load(&r, evlog_day(D0), &pub, &root, hash, &why), 0);
	assert_int_equal(root.version, 2);
	evlog_day_name(evlog_day(D0), "log", name);
	assert_int_equal(read_small(r.fd, name, p, sizeof(p), &n), 0);
	for (; (lf = memchr(q, '\n', (size_t)(p + n - q))); q = lf + 1)
		merkle_add(&m, q, (size_t)(lf - q));
	assert_int_equal(m.n, 16);
	merkle_root(&m, got);
	assert_memory_equal(got, root.merkle, 32);
	root_close(&r);
}

/* A root signed over another tree (a writer that lies about it) is found; one without a tree, as of before, is not. */
static void wrong_tree(void **state)
{
	uint8_t secret[64], hash[32];
	char name[64], out[EVLOG_TEXT];
	struct evlog_root root;
	struct evlog_pub pub;
	struct evlog *l = open_log();
	struct root r;
	struct why why;
	size_t n;

	(void)state;
	add(l, D0 + 1);
	assert_int_equal(evlog_flush(l, D0 + DAY + 1), 0);
	evlog_close(l);
	assert_int_equal(look(), 0);
	assert_int_equal(root_open(store_dir, &r, &why), 0);
	assert_int_equal(evlog_key_open(&r, secret, &pub, &why), 0);
	assert_int_equal(evlog_root_load(&r, evlog_day(D0), &pub, &root, hash, &why), 0);
	evlog_day_name(evlog_day(D0), "root", name);
	root.merkle[5] ^= 1;
	n = evlog_root_make(&root, secret, out, hash);
	assert_int_equal(write_over(&r, name, out, n, 0644, &why), 0);
	assert_int_equal(look(), 1);
	assert_non_null(strstr(first, "evidence/2026-11-23.root:0: E-12: "));
	root.version = 1;
	n = evlog_root_make(&root, secret, out, hash);
	assert_null(strstr(out, "merkle"));
	assert_int_equal(write_over(&r, name, out, n, 0644, &why), 0);
	assert_int_equal(look(), 0);
	evlog_close(open_log());
	root_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_definition),
		cmocka_unit_test(paths),
		cmocka_unit_test(no_leaf_is_a_node),
		cmocka_unit_test_setup_teardown(in_roots, fresh, gone),
		cmocka_unit_test_setup_teardown(wrong_tree, fresh, gone),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
