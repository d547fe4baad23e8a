/* SPDX-License-Identifier: BSD-2-Clause */
/* test_base.c - clock and calendar, buffers, hash table, identifiers, addresses */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/ipaddr.h"
#include "base/uid.h"

static uint64_t at(const char *s)
{
	uint64_t ns = 0;

	assert_int_equal(clock_parse(s, &ns), 0);
	return ns;
}

static void test_calendar(void **state)
{
	static const struct {
		const char *from, *zone;
		int n;
		enum clock_unit unit;
		const char *want;
	} t[] = {
		/* N-23: 30 November + 3 months ends with February */
		{ "2026-11-30T09:00:00Z", "Europe/Copenhagen", 3, CLOCK_U_MONTHS, "2027-02-28T09:00:00Z" },
		{ "2027-11-30T09:00:00Z", "Europe/Copenhagen", 3, CLOCK_U_MONTHS, "2028-02-29T09:00:00Z" },
		{ "2026-01-31T12:00:00Z", "UTC", 1, CLOCK_U_MONTHS, "2026-02-28T12:00:00Z" },
		{ "2028-02-29T12:00:00Z", "UTC", 1, CLOCK_U_YEARS, "2029-02-28T12:00:00Z" },
		{ "2026-10-31T12:00:00Z", "UTC", 3, CLOCK_U_MONTHS, "2027-01-31T12:00:00Z" },
		{ "2026-12-31T23:59:59.5Z", "UTC", 1, CLOCK_U_DAYS, "2027-01-01T23:59:59.5Z" },
		/* local clock time stays over a DST change: 10:00 CEST is 08:00Z, 10:00 CET is 09:00Z */
		{ "2026-08-01T08:00:00Z", "Europe/Copenhagen", 3, CLOCK_U_MONTHS, "2026-11-01T09:00:00Z" },
		/* 02:30 does not exist on 28 March 2027: the gap begins at 01:00Z */
		{ "2026-12-28T01:30:00Z", "Europe/Copenhagen", 3, CLOCK_U_MONTHS, "2027-03-28T01:00:00Z" },
		/* 02:30 happens twice on 25 October 2026: the earlier */
		{ "2026-07-25T00:30:00Z", "Europe/Copenhagen", 3, CLOCK_U_MONTHS, "2026-10-25T00:30:00Z" },
		{ "2026-03-01T00:00:00Z", "America/New_York", 10, CLOCK_U_DAYS, "2026-03-10T23:00:00Z" },
	};
	uint64_t got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(clock_add(at(t[i].from), t[i].zone, t[i].n, t[i].unit, &got), 0);
		if (got != at(t[i].want)) {
			char s[32];

			clock_format(got, s);
			fail_msg("%s + %d in %s: %s, not %s", t[i].from, t[i].n, t[i].zone, s, t[i].want);
		}
	}
	assert_int_equal(clock_add(at("2026-01-01"), "Mars/Olympus", 1, CLOCK_U_DAYS, &got), -EINVAL);
	assert_int_equal(clock_add(at("2026-01-01"), "../../etc/passwd", 1, CLOCK_U_DAYS, &got), -EINVAL);
}

static void test_civil(void **state)
{
	struct clock_date d;
	int wd, min;
	uint64_t ns;

	(void)state;
	assert_int_equal(clock_civil(at("2026-11-23T23:30:00Z"), "Europe/Copenhagen", &d, &wd, &min), 0);
	assert_int_equal(d.year * 10000 + d.month * 100 + d.day, 20261124);
	assert_int_equal(wd, 1); /* Tuesday */
	assert_int_equal(min, 30);
	assert_int_equal(clock_day_start(&d, "Europe/Copenhagen", &ns), 0);
	assert_true(ns == at("2026-11-23T23:00:00Z"));
	d.day = 31;
	assert_int_equal(clock_day_start(&d, "UTC", &ns), -EINVAL);
}

static void test_parse(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-02-30", "2026-13-01", "2026-01-01T", "2026-01-01T25:00:00Z",
					   "2026-01-01T10:00:00", "2026-01-01T10:00:00Zx", "2026-01-01T10:00:00+25:00" };
	uint64_t ns;
	char s[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(clock_parse(bad[i], &ns), -EINVAL);
	clock_format(at("2026-11-23T21:37:15.123456+01:00"), s);
	assert_string_equal(s, "2026-11-23T20:37:15.123456Z");
	clock_set_ns(42);
	assert_true(clock_now_ns() == 42);
	clock_set_ns(0);
	assert_true(clock_now_ns() > at("2024-01-01"));
}

static void test_varint(void **state)
{
	static const uint64_t v[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX };
	static const uint8_t overlong[] = { 0x80, 0x00 }, past[] = { 0x80 },
			     big[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 };
	struct buf b = { 0 };
	struct rd r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		buf_put_varint(&b, v[i]);
	assert_false(b.failed);
	r = (struct rd){ b.p, b.len, false };
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_true(rd_varint(&r) == v[i]);
	assert_false(r.bad);
	assert_int_equal(r.left, 0);
	r = (struct rd){ overlong, sizeof(overlong), false };
	(void)rd_varint(&r);
	assert_true(r.bad);
	r = (struct rd){ past, sizeof(past), false };
	(void)rd_varint(&r);
	assert_true(r.bad);
	r = (struct rd){ big, sizeof(big), false };
	(void)rd_varint(&r);
	assert_true(r.bad);
	assert_true(unzigzag(zigzag(INT64_MIN)) == INT64_MIN);
	assert_true(unzigzag(zigzag(-1)) == -1);
	buf_free(&b);
	(void)buf_room(&b, (size_t)2 << 30);
	assert_true(b.failed);
}

struct item {
	struct hnode node;
	int v;
};

/* The first: what is hashed already does not lose its key. */
static void test_hash_key(void **state)
{
	static const uint64_t ours[2] = { 1, 2 }, theirs[2] = { 3, 4 };
	uint64_t is[2], h;

	(void)state;
	hash_key_get(is);
	assert_int_equal(hash_key_set(theirs), 0);
	assert_int_equal(hash_key_set(ours), 0);
	h = hash_bytes("x", 1);
	assert_int_equal(hash_key_set(theirs), -EBUSY);
	hash_key_get(is);
	assert_memory_equal(is, ours, sizeof(is));
	assert_true(hash_bytes("x", 1) == h);
}

static void test_table(void **state)
{
	static struct item it[5000];
	struct htab t;
	int i, found = 0;

	(void)state;
	assert_int_equal(htab_init(&t, 4), 0);
	for (i = 0; i < 5000; i++) {
		it[i].v = i % 2500; /* every key twice */
		htab_add(&t, &it[i].node, hash_bytes(&it[i].v, sizeof(int)));
	}
	for (i = 0; i < 5000; i += 2)
		htab_del(&t, &it[i].node);
	assert_int_equal(t.count, 2500);
	for (i = 0; i < 2500; i++) {
		struct hnode *n = htab_first(&t, hash_bytes(&i, sizeof(int)));

		for (; n; n = htab_next(n))
			found += container_of(n, struct item, node)->v == i;
	}
	assert_int_equal(found, 2500);
	htab_free(&t);
}

static void test_uid(void **state)
{
	struct uid a, b;
	char s[UID_TEXT], t[UID_TEXT];
	int i;

	(void)state;
	uid_make(at("2026-11-23T20:37:15.123456Z"), "x@y", 3, &a);
	assert_true(uid_time_ms(&a) == at("2026-11-23T20:37:15.123Z") / NS_PER_MS);
	uid_make(at("2026-11-23T20:37:15.123456Z"), "x@y", 3, &b);
	assert_true(uid_equal(&a, &b));
	uid_format(&a, s);
	assert_int_equal(strlen(s), 26);
	assert_int_equal(uid_parse(s, &b), 0);
	assert_true(uid_equal(&a, &b));
	for (i = 0; s[i]; i++)
		t[i] = (char)(s[i] >= 'A' ? s[i] + 32 : s[i]);
	t[26] = 0;
	assert_int_equal(uid_parse(t, &b), 0);
	assert_true(uid_equal(&a, &b));
	assert_int_equal(uid_parse("", &b), -EINVAL);
	assert_int_equal(uid_parse("8ZZZZZZZZZZZZZZZZZZZZZZZZZ", &b), -EINVAL); /* past 128 bits */
	assert_int_equal(uid_parse("7ZZZZZZZZZZZZZZZZZZZZZZZZU", &b), -EINVAL);
	uid_make(at("2026-11-23T20:37:15.123457Z"), "x@y", 3, &b);
	uid_format(&b, t);
	assert_string_not_equal(s, t);
}

static void test_ipaddr(void **state)
{
	struct endpoint e = { .port = 5060 };
	struct ipaddr a;
	char s[ENDPOINT_TEXT];

	(void)state;
	assert_int_equal(ipaddr_parse("192.0.2.1", 9, &a), 0);
	assert_true(ipaddr_is_v4(&a));
	e.addr = a;
	endpoint_format(&e, s);
	assert_string_equal(s, "192.0.2.1:5060");
	assert_int_equal(ipaddr_parse("[2001:db8::1]", 13, &e.addr), 0);
	endpoint_format(&e, s);
	assert_string_equal(s, "[2001:db8::1]:5060");
	assert_int_equal(ipaddr_parse("::ffff:192.0.2.1", 16, &e.addr), 0);
	assert_true(ipaddr_equal(&a, &e.addr));
	assert_int_equal(ipaddr_parse("example.com", 11, &a), -EINVAL);
	assert_int_equal(ipaddr_parse("192.0.2.1\0", 10, &a), -EINVAL);
	assert_int_equal(ipaddr_parse("0.0.0.0", 7, &a), 0);
	assert_true(ipaddr_is_any(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_key), cmocka_unit_test(test_calendar), cmocka_unit_test(test_civil), cmocka_unit_test(test_parse),
		cmocka_unit_test(test_varint),	 cmocka_unit_test(test_table), cmocka_unit_test(test_uid),
		cmocka_unit_test(test_ipaddr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
