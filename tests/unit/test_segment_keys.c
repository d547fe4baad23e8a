/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Key presses around a transfer within a call (guidance X-6): who types goes on typing, what is down counts in the part it was
 * pressed in, and what a number began with was no consent.
 */
#include "segment_talk.h"

/* A number that was begun before the transfer goes on behind it: what it began with was no consent. */
static void test_a_number_goes_on(void **state)
{
	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		struct world w;

		begin(&w, NUMBER);
		establish(&w, "X-Queue: c1\r\nX-Agent: anna\r\n");
		later(&w, 5);
		press(&w, '1');
		later(&w, 0.5);
		own(&w, "INVITE", 2, "X-Queue: c1\r\nX-Agent: bo\r\n", 8);
		assert_int_equal(w.ended, 1);
		assert_int_equal(call_of(&w)->state[TRAIN], PURPOSE_GRANTED);
		later(&w, slow ? 1.6 : 0.5);
		press(&w, '4');
		assert_int_equal(call_of(&w)->state[TRAIN], slow ? PURPOSE_GRANTED : PURPOSE_WITHDRAWN);
		finish(&w);
	}
}

/* It begins before the transfer and ends with a consent key; and a key of two digits is one, on whichever side they lie. */
static void test_typed_through(void **state)
{
	static const struct {
		const char *queue;
		char before, behind;
		double apart;
		enum purpose_state train;
	} t[] = {
		{ "c1", '4', '1', 0.6, PURPOSE_PENDING },    { "c1", '4', '1', 2.1, PURPOSE_GRANTED }, { "c1", 0, '1', 0.6, PURPOSE_GRANTED },
		{ "d1", '*', '9', 0.6, PURPOSE_OPTED_OUT }, { "d1", '*', '9', 2.1, PURPOSE_PENDING }, { "d1", 0, '9', 0.6, PURPOSE_PENDING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world w;
		char h[64];

		begin(&w, NUMBER);
		snprintf(h, sizeof(h), "X-Queue: %s\r\nX-Agent: anna\r\n", t[i].queue);
		establish(&w, h);
		later(&w, 5);
		if (t[i].before)
			press(&w, t[i].before);
		later(&w, 0.3);
		snprintf(h, sizeof(h), "X-Queue: %s\r\nX-Agent: bo\r\n", t[i].queue);
		own(&w, "INVITE", 2, h, 8);
		assert_int_equal(w.ended, 1);
		later(&w, t[i].apart - 0.3);
		press(&w, t[i].behind);
		assert_int_equal(call_of(&w)->state[TRAIN], t[i].train);
		assert_int_equal(call_of(&w)->decide.typed[SUBJECT].n, 0); /* and nothing of it is left */
		finish(&w);
	}
}

static struct call_press open_press;

static bool on_press(void *arg, struct call *c, unsigned leg, uint64_t now_ns, struct call_press *ret)
{
	(void)arg;
	(void)c;
	(void)now_ns;
	if (!open_press.key || leg != SUBJECT)
		return false;
	*ret = open_press;
	open_press.key = 0;
	return true;
}

/* The key that takes a consent back is down when the call is transferred, or somebody joins: the next part does not begin with it. */
static void test_taken_back_at_a_transfer(void **state)
{
	static const struct {
		const char *queue;
		int p;
		char key;
		bool joins;
	} t[] = { { "c1", TRAIN, '0', false }, { "d1", DOC, '0', false }, { "c1", TRAIN, '1', false }, { "d1", DOC, '1', false }, { "c1", TRAIN, '0', true } };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world w;
		char h[64];

		begin(&w, NUMBER);
		w.cs->sink.press = on_press;
		snprintf(h, sizeof(h), "X-Queue: %s\r\nX-Agent: anna\r\n", t[i].queue);
		establish(&w, h);
		later(&w, 5);
		press(&w, '1');
		later(&w, 3);
		assert_int_equal(call_of(&w)->state[t[i].p], PURPOSE_GRANTED);
		open_press = (struct call_press){ t[i].key, CALL_BY_RFC4733, true, w.now - 50 * MS, w.now, 0, 0 };
		call_pressing(w.cs, call_of(&w), SUBJECT, w.now + 150 * MS);
		snprintf(h, sizeof(h), "X-Queue: %s\r\nX-Agent: bo\r\n", t[i].queue);
		own(&w, "INVITE", 2, t[i].joins ? "Contact: <sip:c@h>;isfocus\r\n" : h, 8);
		assert_int_equal(open_press.key, 0);
		assert_int_equal(w.ended, 1);
		assert_int_equal(w.state[t[i].p], t[i].key == '0' ? PURPOSE_WITHDRAWN : PURPOSE_GRANTED);
		assert_int_equal(call_of(&w)->state[t[i].p] == PURPOSE_GRANTED, t[i].key == '1');
		finish(&w);
	}
}

/* A consent, and a digit that may be the first of a longer key: behind the transfer it can become none, wherever that leads. */
static void test_a_number_ends(void **state)
{
	static const char *const to[] = { "none", "k", "a", "d1" };

	(void)state;
	for (int i = 0; i < 8; i++) {
		struct world w;
		char h[64];

		begin(&w, NUMBER);
		establish(&w, "X-Queue: d1\r\nX-Agent: anna\r\n");
		later(&w, 5);
		press(&w, '1');
		later(&w, 0.3);
		if (i & 1)
			press(&w, '*');
		later(&w, 0.3);
		assert_int_equal(call_of(&w)->state[DOC], PURPOSE_GRANTED);
		snprintf(h, sizeof(h), "X-Queue: %s\r\nX-Agent: bo\r\n", to[i / 2]);
		own(&w, "INVITE", 2, h, 8);
		assert_int_equal(w.ended, 1);
		assert_int_equal(w.state[DOC], i & 1 ? PURPOSE_WITHDRAWN : PURPOSE_GRANTED);
		if (i / 2 == 3)
			assert_int_equal(call_of(&w)->state[DOC] == PURPOSE_GRANTED, !(i & 1));
		finish(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_number_goes_on),
		cmocka_unit_test(test_typed_through),
		cmocka_unit_test(test_taken_back_at_a_transfer),
		cmocka_unit_test(test_a_number_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
