/* SPDX-License-Identifier: BSD-2-Clause */
/* test_purpose.c - the purpose table against the invariants of guidance 2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "call/purpose.h"

static enum purpose_state walk(enum purpose_kind k, const enum purpose_event *e, size_t n)
{
	enum purpose_state s = PURPOSE_NONE;
	size_t i;

	for (i = 0; i < n; i++)
		s = purpose_step(k, s, e[i], false).state;
	return s;
}

#define WALK(k, ...)                                                                    \
	walk(k, (const enum purpose_event[]){ __VA_ARGS__ },                            \
	     sizeof((const enum purpose_event[]){ __VA_ARGS__ }) / sizeof(enum purpose_event))

/* INV-2: from NONE or PENDING, a consent purpose reaches GRANTED by a consent event and by nothing else. */
static void test_silence_never_grants(void **state)
{
	int s, e, t;

	(void)state;
	for (s = 0; s < PURPOSE_STATES; s++) {
		for (e = 0; e < PURPOSE_EVENTS; e++) {
			for (t = 0; t < 2; t++) {
				struct purpose_answer a = purpose_step(PURPOSE_K_CONSENT, (enum purpose_state)s,
								       (enum purpose_event)e, t);

				if (a.state == PURPOSE_GRANTED && s != PURPOSE_GRANTED)
					assert_int_equal(e, PURPOSE_E_CONSENT);
			}
		}
	}
	assert_int_equal(WALK(PURPOSE_K_CONSENT, PURPOSE_E_MATCH, PURPOSE_E_NOTICE, PURPOSE_E_WINDOW, PURPOSE_E_BYE),
			 PURPOSE_DENIED);
	assert_int_equal(WALK(PURPOSE_K_CONSENT, PURPOSE_E_MATCH, PURPOSE_E_CONSENT, PURPOSE_E_BYE), PURPOSE_GRANTED);
}

/* A denial other than by silence is final; so are opted out and expired (policy-language 5.3). */
static void test_final_states(void **state)
{
	static const enum purpose_state fin[] = { PURPOSE_DENIED, PURPOSE_OPTED_OUT, PURPOSE_EXPIRED };
	size_t i;
	int k, e;

	(void)state;
	for (k = 0; k < PURPOSE_KINDS; k++)
		for (i = 0; i < sizeof(fin) / sizeof(fin[0]); i++)
			for (e = 0; e < PURPOSE_EVENTS; e++)
				assert_int_equal(purpose_step((enum purpose_kind)k, fin[i], (enum purpose_event)e, false).state,
						 fin[i]);
	assert_int_equal(purpose_step(PURPOSE_K_CONSENT, PURPOSE_DENIED, PURPOSE_E_CONSENT, true).state,
			 PURPOSE_GRANTED);
}

/* INV-3: leaving GRANTED or OBJECTED for good destroys the wrap in the same step. */
static void test_leaving_destroys(void **state)
{
	int k, s, e;

	(void)state;
	for (k = 0; k < PURPOSE_KINDS; k++) {
		for (s = 0; s < PURPOSE_STATES; s++) {
			for (e = 0; e < PURPOSE_EVENTS; e++) {
				struct purpose_answer a = purpose_step((enum purpose_kind)k, (enum purpose_state)s,
								       (enum purpose_event)e, false);

				if ((s == PURPOSE_GRANTED || s == PURPOSE_OBJECTED) &&
				    a.state != PURPOSE_GRANTED && a.state != PURPOSE_OBJECTED)
					assert_true(a.act & PURPOSE_D_DESTROY);
				if (a.state == PURPOSE_GRANTED && s != PURPOSE_GRANTED && s != PURPOSE_OBJECTED)
					assert_true(a.act & PURPOSE_D_START);
				assert_true(a.changed || a.state == (enum purpose_state)s);
			}
		}
	}
}

static void test_each_kind(void **state)
{
	(void)state;
	/* 5.5: interest documentation starts at the match and is committed there */
	assert_int_equal(purpose_step(PURPOSE_K_DOCUMENT, PURPOSE_NONE, PURPOSE_E_MATCH, false).act,
			 PURPOSE_D_START | PURPOSE_D_COMMIT);
	/* 5.3: opt-out one second before the end */
	assert_int_equal(WALK(PURPOSE_K_OPTOUT, PURPOSE_E_MATCH, PURPOSE_E_WINDOW, PURPOSE_E_OPT_OUT, PURPOSE_E_BYE),
			 PURPOSE_OPTED_OUT);
	/* */
	assert_int_equal(WALK(PURPOSE_K_OPTOUT, PURPOSE_E_MATCH, PURPOSE_E_WINDOW, PURPOSE_E_LOSS, PURPOSE_E_BYE),
			 PURPOSE_DENIED);
	/* N-43: a key press alone never stops special circumstances; grounds do */
	assert_int_equal(WALK(PURPOSE_K_SPECIAL, PURPOSE_E_MATCH, PURPOSE_E_NOTICE, PURPOSE_E_OPT_OUT), PURPOSE_GRANTED);
	assert_int_equal(WALK(PURPOSE_K_SPECIAL, PURPOSE_E_MATCH, PURPOSE_E_NOTICE, PURPOSE_E_OBJECT_GROUNDS),
			 PURPOSE_DENIED);
	/* unproven notice: documentation is restricted, not lost */
	assert_int_equal(WALK(PURPOSE_K_DOCUMENT, PURPOSE_E_MATCH, PURPOSE_E_NO_NOTICE), PURPOSE_OBJECTED);
	assert_string_equal(purpose_state_name(PURPOSE_OPTED_OUT), "OPTED_OUT");
	assert_string_equal(purpose_event_name(PURPOSE_E_DEADLINE), "deadline");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence_never_grants),
		cmocka_unit_test(test_final_states),
		cmocka_unit_test(test_leaving_destroys),
		cmocka_unit_test(test_each_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
