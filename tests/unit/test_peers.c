/* SPDX-License-Identifier: BSD-2-Clause */
/* Session-ID, Replaces, Refer-To, isfocus: as the RFCs write them, and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sip/peers.h"

static struct sip_str str(const char *s)
{
	return (struct sip_str){ s, strlen(s) };
}

static void test_session(void **state)
{
	struct sip_session s;

	(void)state;
	assert_true(sip_session_id(str("ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2"), &s));
	assert_int_equal(s.local[0], 0xab);
	assert_int_equal(s.local[15], 0x86);
	assert_int_equal(s.remote[0], 0x47);
	assert_false(sip_session_nil(s.remote));
	/* RFC 7329 has no remote; capitals are the same; nil is not known */
	assert_true(sip_session_id(str("AB30317F1A784DC48FF824D0D3715D86"), &s));
	assert_int_equal(s.local[0], 0xab);
	assert_true(sip_session_nil(s.remote));
	assert_true(sip_session_id(str("ab30317f1a784dc48ff824d0d3715d86 ; remote=00000000000000000000000000000000;x=y"), &s));
	assert_true(sip_session_nil(s.remote));
	assert_false(sip_session_id(str("ab30317f1a784dc48ff824d0d3715d8"), &s));
	assert_false(sip_session_id(str("ab30317f1a784dc48ff824d0d3715d86;remote=1"), &s));
	assert_false(sip_session_id(str("gb30317f1a784dc48ff824d0d3715d86"), &s));
	assert_false(sip_session_id(str(""), &s));
}

static void test_dialog(void **state)
{
	struct sip_dialog d;

	(void)state;
	assert_true(sip_dialog_of(str("98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff;early-only"), &d));
	assert_int_equal(d.call_id.n, 21);
	assert_true(sip_str_eq(d.to_tag, "ff87ff") && sip_str_eq(d.from_tag, "r33th4x0r"));
	assert_false(sip_dialog_of(str("98732@sip.example.com;from-tag=r33th4x0r"), &d));
	assert_false(sip_dialog_of(str(";from-tag=a;to-tag=b"), &d));
	assert_false(sip_dialog_of(str(""), &d));
}

static void test_refer(void **state)
{
	(void)state;
	assert_true(sip_str_eq(sip_refer_user(str("<sip:bob@h?Replaces=1%3Bto-tag%3D2>;method=INVITE")), "bob"));
	assert_true(sip_str_eq(sip_refer_user(str("\"B\" <tel:+4570102030>")), "+4570102030"));
	assert_null(sip_refer_user(str("<sip:h>")).p);
	assert_null(sip_refer_user(str("")).p);
}

static void test_focus(void **state)
{
	(void)state;
	assert_true(sip_is_focus(str("<sip:conf@h>;isfocus")));
	assert_true(sip_is_focus(str("<sip:a@h>, <sip:conf@h>;q=1;IsFocus")));
	assert_false(sip_is_focus(str("<sip:conf@h;isfocus>")));
	assert_false(sip_is_focus(str("\";isfocus;\" <sip:a@h>")));
	assert_false(sip_is_focus(str("isfocus")));
	assert_false(sip_is_focus((struct sip_str){ NULL, 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_dialog),
		cmocka_unit_test(test_refer),
		cmocka_unit_test(test_focus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
