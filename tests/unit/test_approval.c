/* SPDX-License-Identifier: BSD-2-Clause */
/* test_approval.c - approvals and their keys: one spelling, every byte signed, files that others may touch refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/approval.h"

static struct approval sample(void)
{
	struct approval a = { .until_s = 1795000000, .proposer = 1501, .approver = "anna.b-2" };

	memset(a.policy, 'a', 64);
	memset(a.base, '0', 64);
	return a;
}

static void test_whole(void **state)
{
	uint8_t seed[APPROVAL_SEED], pub[APPROVAL_PUBLIC], other[APPROVAL_PUBLIC];
	struct approval a = sample(), b;
	char text[APPROVAL_MAX], again[APPROVAL_MAX];
	size_t n;

	(void)state;
	assert_int_equal(approval_key_new(seed, other), 0);
	assert_int_equal(approval_key_new(seed, pub), 0);
	assert_int_equal(approval_sign(&a, seed), 0);
	n = approval_format(&a, text);
	assert_true(n < sizeof(text) && text[n - 1] == '\n');
	assert_int_equal(approval_parse(text, n, &b), 0);
	assert_int_equal(approval_format(&b, again), n);
	assert_memory_equal(text, again, n);
	assert_true(approval_verify(&b, pub));
	assert_false(approval_verify(&b, other));
}

/* Every byte changed in every bit: it is no approval any more, or none that is signed. */
static void test_every_byte(void **state)
{
	uint8_t seed[APPROVAL_SEED], pub[APPROVAL_PUBLIC];
	struct approval a = sample(), b;
	char text[APPROVAL_MAX];
	size_t n, i;

	(void)state;
	assert_int_equal(approval_key_new(seed, pub), 0);
	assert_int_equal(approval_sign(&a, seed), 0);
	n = approval_format(&a, text);
	for (i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(text[i] ^ 1 << bit);
			assert_true(approval_parse(text, n, &b) != 0 || !approval_verify(&b, pub));
			text[i] = (char)(text[i] ^ 1 << bit);
		}
	for (i = 0; i < n; i++)
		assert_int_equal(approval_parse(text, i, &b), -EBADMSG);
	text[n] = '\n';
	assert_int_equal(approval_parse(text, n + 1, &b), -EBADMSG);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "", "Anna", "1a", "an na", "an\na", "a12345", "abcdefghijklmnopqrstuvwxyzabcdefg", "a/b", "-a" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(approval_name_ok(bad[i]));
	assert_true(approval_name_ok("a"));
	assert_true(approval_name_ok("anna.berg_2-x1234"));
}

static void put(const char *path, const char *text, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_keys(void **state)
{
	char dir[] = "/tmp/optag-approval.XXXXXX", path[64], text[APPROVAL_FILE_MAX], name[APPROVAL_NAME];
	uint8_t seed[APPROVAL_SEED], pub[APPROVAL_PUBLIC], got[32];
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/key", dir);
	assert_int_equal(approval_key_new(seed, pub), 0);
	assert_int_equal(approval_key_public(seed, got), 0);
	assert_memory_equal(got, pub, 32);
	n = approval_key_format(true, "anna", seed, text);
	put(path, text, n, 0600);
	assert_int_equal(approval_key_load(path, true, name, got), 0);
	assert_string_equal(name, "anna");
	assert_memory_equal(got, seed, 32);
	assert_int_equal(approval_key_load(path, false, name, got), -EBADMSG); /* a secret key is no public one */
	put(path, text, n, 0640);
	assert_int_equal(approval_key_load(path, true, name, got), -EPERM);
	put(path, text, n - 2, 0600);
	assert_int_equal(approval_key_load(path, true, name, got), -EBADMSG);
	n = approval_key_format(false, "anna", pub, text);
	put(path, text, n, 0644);
	assert_int_equal(approval_key_load(path, false, name, got), 0);
	assert_int_equal(approval_key_load(path, true, name, got), -EPERM); /* everybody reads it */
	put(path, text, n, 0664);
	assert_int_equal(approval_key_load(path, false, name, got), -EPERM);
	unlink(path);
	assert_int_equal(approval_key_load(path, false, name, got), -ENOENT);
	assert_int_equal(approval_key_load(dir, false, name, got), -EBADMSG);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
