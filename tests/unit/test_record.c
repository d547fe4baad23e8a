/* SPDX-License-Identifier: BSD-2-Clause */
/* test_record.c - packets of calls through the whole recorder: what is kept, told, and whom an alarm is for */
#include "record_link.h"

#include "media/rtp.h"
#include "record_internal.h"

static void test_kept(void **state)
{
	struct link *l = link_new();
	struct recorder_figures f;
	int i;

	(void)state;
	establish(l, NULL);
	for (i = 0; i < 300; i++)
		both(l, 0x22);
	rtp(l, 2, CALLEE_PORT, 8, 0x33, 160);
	rtp(l, 2, CALLEE_PORT + 2, 8, 0x44, 160); /* nobody's address */
	l->seq[0]--;
	bye(l);
	rtp(l, 2, CALLEE_PORT, 8, 0x55, 160); /* under way */
	l->w->now += SEC;
	both(l, 0x66);
	f = finish(l);
	assert_int_equal(f.kept, 1);
	assert_int_equal(l->st.last.outcome, STORE_O_KEPT);
	/* the caller's voice is what the callee's address receives */
	assert_int_equal(l->st.last.leg[OPTAG_LEG_CALLER].packets, 302);
	assert_int_equal(l->st.last.leg[OPTAG_LEG_CALLEE].packets, 300);
	assert_int_equal(l->st.n[OPTAG_LEG_CALLER], 302 * 160);
	assert_non_null(memchr(l->st.audio[OPTAG_LEG_CALLER], 0x33, l->st.n[0]));
	assert_null(memchr(l->st.audio[OPTAG_LEG_CALLEE], 0x33, l->st.n[1]));
	assert_true(holds(&l->st, 0x55));
	assert_false(holds(&l->st, 0x11));
	assert_false(holds(&l->st, 0x44));
	assert_false(holds(&l->st, 0x66));
	assert_int_equal(l->st.last.leg[0].lost, 0);
	link_free(l);
}

/* A call with audio, on a store with threads, hung up; the row is not on the disk yet. */
static struct link *unwritten(void)
{
	struct link *l = link_new();
	struct recorder_figures f;
	int i;

	memset(told, 0, sizeof(told));
	l->st.live = true;
	establish(l, NULL);
	for (i = 0; i < 300; i++)
		both(l, 0x22);
	bye(l);
	l->w->now += 2 * SEC;
	assert_int_equal(recorder_tick(l->rec, l->w->now), 0);
	recorder_figures(l->rec, &f);
	assert_non_null(l->st.tag);
	assert_int_equal(f.unwritten, 1);
	assert_int_equal(f.kept + f.denied + f.gaps, 0);
	assert_int_equal(told[EVLOG_CALL_KEPT] + told[EVLOG_CALL_GAP] + told[EVLOG_KEY_COMMIT], 0);
	return l;
}

static struct recorder_figures written(struct link *l, struct store_done d)
{
	size_t pinned = recorder_pinned(l->rec, &l->w->policy);
	struct recorder_figures f;

	d.tag = l->st.tag;
	l->st.done = d;
	l->st.ndone = 1;
	assert_int_equal(recorder_tick(l->rec, ++l->w->now), 0);
	recorder_figures(l->rec, &f);
	assert_int_equal(f.unwritten, 0);
	assert_int_equal(recorder_pinned(l->rec, &l->w->policy), pinned - 1);
	return f;
}

/* What is told and counted is what the disk has, and when it has it. */
static void test_told_when_written(void **state)
{
	struct link *l = unwritten();
	struct recorder_figures f;

	(void)state;
	f = written(l, (struct store_done){ .row = true, .outcome = STORE_O_KEPT, .state = { STORE_S_GRANTED }, .packets = 7,
					    .reason = { "interest", "" }, .gap = "disk", .muted = 3 });
	assert_int_equal(f.kept, 1);
	assert_int_equal(f.muted_samples, 3);
	assert_int_equal(told[EVLOG_CALL_KEPT], 1);
	assert_int_equal(told[EVLOG_KEY_COMMIT], 1);
	assert_int_equal(keys_told, 1);
	assert_int_equal(told[EVLOG_CAPTURE_GAP], 1);
	link_free(l);

	l = unwritten();
	(void)written(l, (struct store_done){ .row = true, .outcome = STORE_O_KEPT, .state = { STORE_S_OBJECTED, STORE_S_GRANTED }, .packets = 7,
					      .reason = { "", "" }, .gap = "" });
	assert_int_equal(told[EVLOG_KEY_COMMIT], 2);
	assert_int_equal(keys_told, 2);
	link_free(l);

	l = unwritten();
	f = written(l, (struct store_done){ .row = false, .outcome = STORE_O_GAP, .state = { STORE_S_DENIED }, .muted = 3,
					    .reason = { "gap", "" }, .gap = "store" });
	assert_int_equal(f.kept, 0);
	assert_int_equal(f.gaps, 1);
	assert_int_equal(f.muted_samples, 0);
	assert_int_equal(told[EVLOG_CALL_GAP], 1);
	assert_int_equal(told[EVLOG_CALL_KEPT] + told[EVLOG_KEY_COMMIT], 0);
	assert_int_equal(told[EVLOG_PURPOSE_DENY], 1);
	link_free(l);

	l = unwritten(); /* nobody ever says: the next process asks the store */
	assert_int_equal(recorder_finish(l->rec), 0);
	recorder_figures(l->rec, &f);
	assert_int_equal(f.kept + f.gaps + f.denied, 0);
	assert_int_equal(told[EVLOG_CALL_GAP] + told[EVLOG_CALL_KEPT], 0);
	memset(told, 0, sizeof(told));
	link_free(l);
}

/* The same outcome and figures, and not a byte of audio (optag policy simulate on captures). */
static void test_no_audio(void **state)
{
	struct link *l = link_with(true, 1024);
	struct recorder_figures f;

	(void)state;
	establish(l, NULL);
	for (int i = 0; i < 300; i++)
		both(l, 0x22);
	bye(l);
	l->w->now += SEC;
	f = finish(l);
	assert_int_equal(f.kept, 1);
	assert_int_equal(l->st.last.outcome, STORE_O_KEPT);
	assert_int_equal(l->st.last.leg[OPTAG_LEG_CALLER].packets, 300);
	assert_int_equal(l->st.n[0] + l->st.n[1], 0);
	link_free(l);
}

/* Whatever number and disguise a key press comes in, it is not stored. */
static void test_digits(void **state)
{
	static const uint8_t event[4] = { 0xd1, 0x8a, 0xd1, 0xd1 };
	static const uint8_t red[] = { 0x80 | 101, 0, 0, 4, 8, 0xd1, 0xd1, 0xd1, 0xd1, 0xd1 };
	static const uint8_t red_speech[] = { 0x80 | 8, 0, 0, 2, 8, 0xa1, 0xa1, 0xa1, 0xa1 };
	static const uint8_t red_cut[] = { 0x80 | 8, 0xd1 };
	struct link *l = link_new();
	char a[1024], b[1024];
	int i;

	(void)state;
	snprintf(a, sizeof(a), "v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 8 101 97 98 99 100\r\n"
		 "a=rtpmap:101 telephone-event/8000\r\na=rtpmap:97 telephone-event/8000\r\na=rtpmap:98 red/8000\r\n"
		 "a=rtpmap:99 tone/8000\r\n");
	snprintf(b, sizeof(b), "v=0\r\no=- 2 1 IN IP4 h\r\nc=IN IP4 10.0.0.2\r\nm=audio 5000 RTP/AVP 8 101 97 98 99 100\r\n"
		 "a=rtpmap:101 telephone-event/8000\r\na=rtpmap:97 L16/8000\r\na=rtpmap:98 red/8000\r\n"
		 "a=rtpmap:99 tone/8000\r\n");
	sip(l, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "", .cseq = 1, .sdp = a });
	sip(l, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a", .to_tag = "b",
				   .cseq = 1, .sdp = b });
	for (i = 0; i < 250; i++)
		both(l, 0x22);
	rtp_bytes(l, 2, CALLEE_PORT, 101, event, 4);
	rtp_bytes(l, 2, CALLEE_PORT, 97, event, 4); /* by the sender's own number */
	rtp_bytes(l, 2, CALLEE_PORT, 98, red, sizeof(red));
	rtp_bytes(l, 2, CALLEE_PORT, 98, red_cut, sizeof(red_cut));
	rtp_bytes(l, 2, CALLEE_PORT, 98, red_speech, sizeof(red_speech));
	rtp_bytes(l, 2, CALLEE_PORT, 99, event, 4);
	rtp_bytes(l, 2, CALLEE_PORT, 100, event, 4); /* listed without a name */
	rtp_bytes(l, 2, CALLEE_PORT, 102, event, 4); /* not listed */
	rtp(l, 2, CALLEE_PORT, 97, 0x97, 320);	     /* what the receiver calls audio is audio */
	bye(l);
	finish(l);
	assert_int_equal(l->st.ended, 1);
	assert_false(holds(&l->st, 0xd1));
	assert_true(holds(&l->st, 0x97));
	assert_true(holds(&l->st, 0xa1));
	assert_int_equal(l->st.last.leg[OPTAG_LEG_CALLER].packets, 252);
	assert_string_equal(l->st.last.gap, "unknown-payload-type");
	link_free(l);
}

/* SDP of host (1 caller, 2 callee) that lists the numbers of maps, which says what they mean. */
static void describe(char *out, size_t n, unsigned host, const char *numbers, const char *maps)
{
	snprintf(out, n, "v=0\r\no=- %u 1 IN IP4 h\r\nc=IN IP4 10.0.0.%u\r\nm=audio %d RTP/AVP %s\r\n%s", host, host,
		 host == 1 ? CALLER_PORT : CALLEE_PORT, numbers, maps);
}

static void say(struct link *l, const char *method, unsigned cseq, unsigned status, const char *sdp)
{
	sip(l, &(struct fake_msg){ .method = method, .status = status, .id = "c1", .from_tag = "a",
				   .to_tag = cseq > 1 || status ? "b" : "", .cseq = cseq, .sdp = sdp });
}

/* A number that is audio for one party and events for the other: each packet tells, also when the one before was audio. */
static void test_either(void **state)
{
	static const uint8_t event[4] = { 0xd1, 0x8a, 0xd1, 0xd1 };
	struct link *l = link_new();
	char a[1024], b[1024];

	(void)state;
	describe(a, sizeof(a), 1, "8 97", "a=rtpmap:97 telephone-event/8000\r\n");
	describe(b, sizeof(b), 2, "8 97", "a=rtpmap:97 L16/8000\r\n");
	say(l, "INVITE", 1, 0, a);
	say(l, "INVITE", 1, 200, b);
	for (int i = 0; i < 50; i++)
		rtp(l, 2, CALLEE_PORT, 97, 0x97, 320);
	rtp_bytes(l, 2, CALLEE_PORT, 97, event, 4);
	rtp(l, 2, CALLEE_PORT, 97, 0x97, 320);
	rtp_bytes(l, 2, CALLEE_PORT, 97, event, 4);
	bye(l);
	assert_int_equal(finish(l).media[MEDIA_EVENT], 2);
	assert_int_equal(l->st.ended, 1);
	assert_false(holds(&l->st, 0xd1));
	assert_int_equal(l->st.last.leg[OPTAG_LEG_CALLER].packets, 51);
	link_free(l);
}

/* What a number means is looked up again when a description changes: from the next packet on. */
static void test_meaning_changes(void **state)
{
	static const uint8_t event[4] = { 0xd1, 0x8a, 0xd1, 0xd1 };
	struct link *l = link_new();
	char b[1024];

	(void)state;
	describe(b, sizeof(b), 1, "96 97 101",
		 "a=rtpmap:96 PCMU/8000\r\na=rtpmap:97 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n");
	say(l, "INVITE", 1, 0, b);
	describe(b, sizeof(b), 2, "96 97 101",
		 "a=rtpmap:96 PCMU/8000\r\na=rtpmap:97 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n");
	say(l, "INVITE", 1, 200, b);
	for (int i = 0; i < 50; i++)
		rtp(l, 2, CALLEE_PORT, 96, 0x55, 160);
	/* the callee: 96 is an event now, what was one is audio, and the laws change places. Until the answer both hold. */
	describe(b, sizeof(b), 2, "97 101 96",
		 "a=rtpmap:97 PCMU/8000\r\na=rtpmap:101 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n");
	sip(l, &(struct fake_msg){ .method = "UPDATE", .id = "c1", .from_tag = "b", .to_tag = "a", .cseq = 2, .sdp = b });
	rtp_bytes(l, 2, CALLEE_PORT, 96, event, 4); /* of both meanings the packet tells */
	rtp(l, 2, CALLEE_PORT, 97, 0x66, 160);	     /* as before */
	describe(b, sizeof(b), 1, "97 101 96",
		 "a=rtpmap:97 PCMU/8000\r\na=rtpmap:101 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n");
	sip(l, &(struct fake_msg){ .method = "UPDATE", .status = 200, .id = "c1", .from_tag = "b", .to_tag = "a", .cseq = 2, .sdp = b });
	rtp_bytes(l, 2, CALLEE_PORT, 96, event, 4);
	for (int i = 0; i < 100; i++)
		rtp(l, 2, CALLEE_PORT, 97, 0x66, 160);
	rtp_bytes(l, 2, CALLEE_PORT, 96, event, 4);
	rtp(l, 2, CALLEE_PORT, 101, 0x77, 160); /* was an event's number before */
	bye(l);
	assert_int_equal(finish(l).media[MEDIA_EVENT], 3);
	assert_int_equal(l->st.ended, 1);
	assert_false(holds(&l->st, 0xd1));
	assert_true(holds(&l->st, 0x77));
	assert_int_equal(l->st.last.leg[OPTAG_LEG_CALLER].packets, 152);
	assert_string_equal(l->st.last.leg[OPTAG_LEG_CALLER].format.name, "PCMU");
	assert_int_equal(l->st.last.leg[OPTAG_LEG_CALLER].format.pt, 97);
	link_free(l);
}

/* A number of an offer that is refused means nothing any more. */
static void test_offer_refused(void **state)
{
	struct link *l = link_new();
	char b[1024];

	(void)state;
	establish(l, "");
	describe(b, sizeof(b), 2, "8 98", "a=rtpmap:98 PCMU/8000\r\n");
	sip(l, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "b", .to_tag = "a", .cseq = 2, .sdp = b });
	for (int i = 0; i < 50; i++)
		rtp(l, 2, CALLEE_PORT, 98, 0x66, 160);
	sip(l, &(struct fake_msg){ .method = "INVITE", .status = 488, .id = "c1", .from_tag = "b", .to_tag = "a", .cseq = 2 });
	rtp(l, 2, CALLEE_PORT, 98, 0xd1, 160);
	bye(l);
	assert_int_equal(finish(l).media[MEDIA_UNKNOWN_PAYLOAD], 1);
	assert_int_equal(l->st.ended, 1);
	assert_true(holds(&l->st, 0x66));
	assert_false(holds(&l->st, 0xd1));
	link_free(l);
}

/* 13 is comfort noise unless a description says that it is speech: then it is muted as speech. */
static void test_number_of_noise(void **state)
{
	struct link *l = link_new();
	struct fake_msg inv = { .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "", .cseq = 1 };
	char b[1024];

	(void)state;
	describe(b, sizeof(b), 1, "13", "a=rtpmap:13 PCMU/8000\r\n");
	inv.sdp = b;
	sip(l, &inv);
	describe(b, sizeof(b), 2, "13", "a=rtpmap:13 PCMU/8000\r\n");
	say(l, "INVITE", 1, 200, b);
	for (int i = 0; i < 50; i++)
		rtp(l, 2, CALLEE_PORT, 13, 0x66, 160);
	bye(l);
	finish(l);
	assert_int_equal(l->st.ended, 1);
	assert_int_equal(l->st.last.leg[OPTAG_LEG_CALLER].packets, 50);
	assert_int_equal(l->st.last.leg[OPTAG_LEG_CALLER].noise, 0);
	link_free(l);
}

/* One number, the other law: the next packet is of that law. */
static void test_law_changes(void **state)
{
	struct link *l = link_new();
	char b[1024];

	(void)state;
	describe(b, sizeof(b), 1, "96", "a=rtpmap:96 PCMU/8000\r\n");
	say(l, "INVITE", 1, 0, b);
	describe(b, sizeof(b), 2, "96", "a=rtpmap:96 PCMU/8000\r\n");
	say(l, "INVITE", 1, 200, b);
	for (int i = 0; i < 50; i++)
		rtp(l, 2, CALLEE_PORT, 96, 0x55, 160);
	describe(b, sizeof(b), 1, "96", "a=rtpmap:96 PCMA/8000\r\n");
	say(l, "INVITE", 2, 0, b);
	describe(b, sizeof(b), 2, "96", "a=rtpmap:96 PCMA/8000\r\n");
	say(l, "INVITE", 2, 200, b);
	rtp(l, 2, CALLEE_PORT, 96, 0x55, 160);
	bye(l);
	finish(l);
	assert_int_equal(l->st.ended, 1);
	assert_string_equal(l->st.format[0], "PCMU");
	assert_string_equal(l->st.format[1], "PCMA");
	link_free(l);
}

static void test_not_matched(void **state)
{
	static const char *const called[] = { "500", "900" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct link *l = link_new();
		struct recorder_figures f;

		l->w->called = called[i];
		establish(l, NULL);
		both(l, 0x22);
		bye(l);
		f = finish(l);
		assert_int_equal(f.matched, 0);
		assert_int_equal(f.rtp_packets, 0);
		assert_int_equal(l->st.begun + l->st.denied, 0);
		link_free(l);
	}
}

static void test_next_call_of_the_telephone(void **state)
{
	struct link *l = link_new();
	char s[1024];
	int i;

	(void)state;
	establish(l, NULL);
	for (i = 0; i < 250; i++)
		both(l, 0x22);
	/* the BYE was lost; the telephone's next call is nobody's to record */
	l->w->called = "500";
	fake_sdp(s, sizeof(s), 9, 2, CALLEE_PORT, NULL);
	sip(l, &(struct fake_msg){ .method = "INVITE", .id = "c2", .from_tag = "q", .to_tag = "", .cseq = 1, .sdp = s });
	for (i = 0; i < 10; i++)
		rtp(l, 2, CALLEE_PORT, 8, 0x77, 160);
	finish(l);
	assert_int_equal(l->st.ended, 1);
	assert_false(holds(&l->st, 0x77));
	link_free(l);
}

/* One line of the flow table is two addresses: a second call finds it full, or its slots not to be used yet. */
static void test_no_slot(void **state)
{
	static const struct {
		bool over; /* the first call is */
		const char *gap;
	} t[] = { { false, "flow-table-full" }, { true, "flow-quarantine" } };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct link *l = link_with(false, 1);
		struct recorder_figures f;
		char s[1024];

		establish(l, NULL);
		for (int k = 0; k < 50; k++)
			both(l, 0x22);
		if (t[i].over) {
			bye(l);
			for (int k = 0; k < 30; k++) /* its addresses go half a second later */
				both(l, 0x33);
			assert_int_equal(l->st.ended, 1);
		}
		fake_sdp(s, sizeof(s), 9, 1, CALLER_PORT + 100, NULL);
		sip(l, &(struct fake_msg){ .method = "INVITE", .id = "c2", .from_tag = "q", .to_tag = "", .cseq = 1, .sdp = s });
		fake_sdp(s, sizeof(s), 8, 2, CALLEE_PORT + 100, NULL);
		sip(l, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c2", .from_tag = "q", .to_tag = "r",
					   .cseq = 1, .sdp = s });
		sip(l, &(struct fake_msg){ .method = "BYE", .id = "c2", .from_tag = "q", .to_tag = "r", .cseq = 2 });
		if (!t[i].over)
			bye(l);
		f = finish(l);
		assert_int_equal(f.gaps, 1);
		assert_int_equal(f.kept, 1);
		assert_string_equal(l->st.last_gap, t[i].gap);
		assert_true((t[i].over ? f.flow_quarantine : f.flow_full) > 0);
		assert_int_equal(t[i].over ? f.flow_full : f.flow_quarantine, 0);
		link_free(l);
	}
}

static void test_short_and_empty(void **state)
{
	struct recorder_figures f;
	struct link *l = link_new();

	(void)state;
	l->w->policy.rule.min_length = (struct policy_span){ 4, POLICY_U_S };
	establish(l, NULL);
	both(l, 0x22);
	bye(l);
	f = finish(l);
	assert_int_equal(f.denied, 1);
	assert_string_equal(l->st.last.reason[0], "too-short");
	assert_int_equal(l->st.aborted, 1);
	link_free(l);

	l = link_new();
	establish(l, NULL);
	bye(l);
	f = finish(l);
	assert_int_equal(f.gaps, 1);
	assert_string_equal(l->st.last.gap, "no-media");
	assert_int_equal(l->st.begun, 0);
	link_free(l);

	l = link_new(); /* replayed before */
	l->st.known = 1;
	establish(l, NULL);
	both(l, 0x22);
	bye(l);
	f = finish(l);
	assert_int_equal(f.known, 1);
	assert_int_equal(f.audio_packets_delivered, 0);
	assert_int_equal(l->st.begun + l->st.denied + l->st.ended, 0);
	link_free(l);
}

/* An import of a day whose keys are destroyed already: this call is denied, the others go on. */
static void test_late_import(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct link *l = link_new();
		struct recorder_figures f;

		l->st.begin_error = -ESHUTDOWN;
		l->st.denied_error = i ? -ESHUTDOWN : 0;
		establish(l, NULL);
		both(l, 0x22);
		assert_int_equal(rtp(l, 2, CALLEE_PORT, 8, 0x22, 160), 0);
		bye(l);
		f = finish(l);
		assert_int_equal(f.denied, 1);
		assert_int_equal(l->st.begun, 0);
		if (!i)
			assert_string_equal(l->st.last.reason[0], "deadline");
		link_free(l);
	}
}

static void test_store_fails(void **state)
{
	struct link *l = link_new();
	struct recorder_figures f;
	int i, e = 0;

	(void)state;
	establish(l, NULL);
	l->st.append_error = -ENOSPC;
	for (i = 0; i < 300 && !e; i++)
		e = rtp(l, 2, CALLEE_PORT, 8, 0x22, 160);
	assert_int_equal(e, -ENOSPC);
	assert_int_equal(rtp(l, 2, CALLEE_PORT, 8, 0x22, 160), -ENOSPC);
	assert_int_equal(recorder_finish(l->rec), -ENOSPC);
	recorder_figures(l->rec, &f);
	assert_int_equal(f.lost_calls, 1);
	assert_int_equal(l->st.ended + l->st.denied, 0);
	assert_int_equal(l->st.aborted, 1);
	link_free(l);

	l = link_new(); /* the program stops in the middle */
	establish(l, NULL);
	both(l, 0x22);
	link_free(l);
}

/* An older capture after a newer one: the first call must not stay open. */
static void test_older_file(void **state)
{
	struct link *l = link_new();
	int i;

	(void)state;
	establish(l, NULL);
	for (i = 0; i < 250; i++)
		both(l, 0x22);
	bye(l);
	l->w->now -= 86400 * SEC;
	for (i = 0; i < 250; i++) /* five seconds of somebody's voice */
		both(l, i < 20 ? 0x22 : 0x88); /* 0.8 s of them may be under way */
	assert_int_equal(l->st.ended, 1);
	assert_false(holds(&l->st, 0x88));
	link_free(l);
}

static unsigned alarmed[RECORDER_ALARMS];

static void on_alarm(void *arg, const struct call *c, enum recorder_alarm what)
{
	(void)arg;
	(void)c;
	alarmed[what]++;
}

/* Who is told of what is the rule's; a pause that nobody ends, transfers without end and a review that nobody made are of any. */
static void test_alarms(void **state)
{
	static const struct {
		unsigned rule, told[RECORDER_ALARMS];
	} t[] = {
		{ POLICY_ALARM_ALL, { 1, 1, 1, 1, 1, 1, 1 } },
		{ 0, { 0, 1, 0, 0, 0, 1, 1 } },
		{ POLICY_ALARM_NOTICE | POLICY_ALARM_USE, { 1, 1, 0, 0, 1, 1, 1 } },
		{ POLICY_ALARM_GAP | POLICY_ALARM_QUOTA | POLICY_ALARM_OVERDUE, { 0, 1, 1, 1, 0, 1, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct link *l = link_new();
		struct policy_rule rule = l->w->policy.rule;
		struct call c = { .rule = &rule, .policy = &l->w->policy };

		memset(alarmed, 0, sizeof(alarmed));
		rule.alarms = t[i].rule;
		l->rec->set.alarm = on_alarm;
		proof_news(l->rec, &c, &(struct call_news){ .event = "notice.missing", .reason = "" });
		proof_news(l->rec, &c, &(struct call_news){ .event = "audio.stop", .reason = "pause-max" });
		proof_news(l->rec, &c, &(struct call_news){ .event = "audio.pause", .reason = "" });
		for (int a = RECORDER_GAP; a < RECORDER_ALARMS; a++)
			proof_alarm(l->rec, &c, (enum recorder_alarm)a);
		assert_memory_equal(alarmed, t[i].told, sizeof(alarmed));
		(void)finish(l);
		link_free(l);
	}
}

/* Packets of the last ten seconds still wait in a ring: no voice is silent for that, nor is what is heard in it over. */
static void test_looked_at_late(void **state)
{
	(void)state;
	for (int waits = 0; waits < 2; waits++) {
		struct link *l = link_new();
		int i;

		establish(l, NULL);
		for (i = 0; i < 10; i++)
			both(l, 0x22);
		recorder_horizon(l->rec, waits ? l->w->now : l->w->now + 11 * SEC);
		for (i = 0; i < 3; i++)
			assert_int_equal(recorder_tick(l->rec, l->w->now + 10 * SEC + (uint64_t)i * 100 * MS), 0);
		assert_string_equal(l->st.format[1], waits ? "" : "PCMA");
		recorder_horizon(l->rec, UINT64_MAX);
		finish(l);
		link_free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_told_when_written),
		cmocka_unit_test(test_no_audio),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_either),
		cmocka_unit_test(test_meaning_changes),
		cmocka_unit_test(test_offer_refused),
		cmocka_unit_test(test_number_of_noise),
		cmocka_unit_test(test_law_changes),
		cmocka_unit_test(test_not_matched),
		cmocka_unit_test(test_next_call_of_the_telephone),
		cmocka_unit_test(test_no_slot),
		cmocka_unit_test(test_short_and_empty),
		cmocka_unit_test(test_late_import),
		cmocka_unit_test(test_store_fails),
		cmocka_unit_test(test_older_file),
		cmocka_unit_test(test_alarms),
		cmocka_unit_test(test_looked_at_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
