/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record.c - packets through the whole recorder into a store that only remembers
 *
 * The store's functions are defined here, so that every byte handed to it is
 * seen, and errors can be made at will.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../fakecalls.h"
#include "base/clock.h"
#include "evidence_mock.h"
#include "media/rtp.h"
#include "record.h"
#include "record_internal.h"
#include "media/chunker.h"
#include "record_call.h"
#include "store/store.h"

#define CALLER_PORT 4000 /* the callee's voice arrives there */
#define CALLEE_PORT 5000

struct store {
	unsigned begun, aborted, ended, denied, dropped, committed, noted;
	enum store_state noted_state[2];
	int begin_error, append_error, denied_error, drop_error, known;
	struct store_call_result last;
	const char *last_gap; /* of calls without audio */
	uint8_t audio[2][65536]; /* of the calls that ended well or still run */
	size_t n[2];
	unsigned syncs, shortened;
	char format[2][16]; /* of the latest two chunks */
	uint64_t until;
	int shorten_error;
	bool live; /* as with threads: a row is durable when `done` is there */
	unsigned ndone;
	struct store_done done;
	void *tag; /* of the latest row */
};

struct store_call {
	struct store *st;
	bool wrap[2];
	uint8_t audio[2][65536];
	size_t n[2];
	/* parts: for whom, since when; how many bytes of a leg each purpose may have */
	unsigned set[8], parts, leg_part[2];
	uint64_t from[8];
	bool keyed[2], gone[2], until[2];
	size_t bytes[8][2];
};

int store_call_known(struct store *st, const struct uid *uid, const char *controller)
{
	(void)uid;
	MUST(*controller);
	return st->known;
}

int store_call_begin(struct store *st, const struct store_call_meta *meta, struct store_call **ret)
{
	if (st->begin_error)
		return st->begin_error;
	*ret = calloc(1, sizeof(**ret));
	MUST(*ret && meta->until_ns[0] + meta->until_ns[1]);
	(*ret)->st = st;
	(*ret)->wrap[0] = meta->commit[0];
	(*ret)->wrap[1] = meta->commit[1];
	(*ret)->parts = 1;
	for (int p = 0; p < 2; p++) {
		(*ret)->until[p] = meta->until_ns[p];
		(*ret)->keyed[p] = meta->commit[p] || meta->covers[p];
		(*ret)->set[0] |= (unsigned)(*ret)->keyed[p] << p;
	}
	st->begun++;
	return 0;
}

int store_call_append(struct store_call *sc, unsigned leg, const struct chunk *c)
{
	unsigned i;

	if (sc->st->append_error)
		return sc->st->append_error;
	memcpy(sc->st->format[0], sc->st->format[1], sizeof(sc->st->format[0]));
	memcpy(sc->st->format[1], c->format.name, sizeof(sc->st->format[1]));
	for (i = 0; i < c->npkt; i++) {
		MUST(sc->n[leg] + c->pkt[i].len <= sizeof(sc->audio[leg]));
		memcpy(sc->audio[leg] + sc->n[leg], c->data + c->pkt[i].off, c->pkt[i].len);
		sc->n[leg] += c->pkt[i].len;
		sc->bytes[sc->leg_part[leg]][leg] += c->pkt[i].len;
		MUST(!sc->leg_part[leg] || c->pkt[i].arrival_ns >= sc->from[sc->leg_part[leg]]);
	}
	return 0;
}

int store_call_part(struct store_call *sc, unsigned purposes, uint64_t from_ns)
{
	if (sc->set[sc->parts - 1] == purposes)
		return 0;
	if (sc->parts == 8)
		return -ENOSPC;
	for (int p = 0; p < 2; p++) {
		MUST(!(purposes >> p & 1) || sc->until[p]);
		sc->keyed[p] |= purposes >> p & 1;
	}
	sc->from[sc->parts] = from_ns;
	sc->set[sc->parts++] = purposes;
	return 0;
}

void store_call_enter(struct store_call *sc, unsigned leg)
{
	sc->leg_part[leg] = sc->parts - 1;
}

int store_call_cover(struct store_call *sc, enum store_purpose p)
{
	if (sc->gone[p] || !sc->until[p])
		return -EINVAL;
	sc->keyed[p] = true;
	for (unsigned i = 0; i < sc->parts; i++)
		sc->set[i] |= 1u << p;
	return 0;
}

unsigned store_call_for(const struct store_call *sc, unsigned leg)
{
	return sc->set[sc->leg_part[leg]];
}

bool store_call_lost(const struct store_call *sc, unsigned leg)
{
	return !store_call_for(sc, leg);
}

bool store_call_newest(const struct store_call *sc, unsigned leg, unsigned *ret_purposes, uint64_t *ret_from_ns)
{
	*ret_purposes = sc->set[sc->parts - 1];
	*ret_from_ns = sc->from[sc->parts - 1];
	return sc->leg_part[leg] == sc->parts - 1;
}

bool store_call_keyed(const struct store_call *sc, enum store_purpose p)
{
	return sc->keyed[p];
}

int store_call_commit(struct store_call *sc, enum store_purpose p)
{
	if (!sc->keyed[p] && store_call_cover(sc, p))
		return -EINVAL;
	sc->wrap[p] = true;
	sc->st->committed++;
	return 0;
}

int store_call_drop(struct store_call *sc, enum store_purpose p)
{
	if (sc->wrap[p] && sc->st->drop_error)
		return sc->st->drop_error;
	sc->wrap[p] = sc->keyed[p] = false;
	sc->gone[p] = true;
	for (unsigned i = 0; i < sc->parts; i++)
		sc->set[i] &= ~(1u << p);
	sc->st->dropped++;
	return 0;
}

int store_call_shorten(struct store_call *sc, enum store_purpose p, uint64_t until_ns)
{
	MUST(p == STORE_DOCUMENTATION);
	sc->st->shortened++;
	sc->st->until = until_ns;
	if (sc->st->shorten_error)
		sc->wrap[p] = false;
	return sc->st->shorten_error;
}

void store_call_note(struct store_call *sc, const struct store_call_now *now)
{
	sc->st->noted++;
	sc->st->noted_state[0] = now->state[0];
	sc->st->noted_state[1] = now->state[1];
}

bool store_repairs(const struct store *st)
{
	return st->live;
}

bool store_next_done(struct store *st, struct store_done *ret)
{
	if (!st->ndone)
		return false;
	*ret = st->done;
	st->ndone = 0;
	return true;
}

int store_finish(struct store *st)
{
	return store_sync(st);
}

bool store_call_committed(const struct store_call *sc, enum store_purpose p)
{
	return sc->wrap[p];
}

int store_call_save(const struct store_call *sc, struct buf *out)
{
	(void)sc;
	(void)out;
	return -ENOSYS;
}

int store_call_save_durable(const struct store_call *sc, struct buf *out)
{
	return store_call_save(sc, out);
}

int store_call_leave(struct store_call *sc)
{
	(void)sc;
	return -ENOSYS;
}

int store_call_resume(struct store *st, const void *bytes, size_t n, struct store_call **ret)
{
	(void)st;
	(void)bytes;
	(void)n;
	(void)ret;
	return -ENOENT;
}

int store_call_end(struct store_call *sc, const struct store_call_result *r)
{
	struct store *st = sc->st;
	int p;

	for (p = 0; p < 2; p++)
		MUST((r->state[p] == STORE_S_GRANTED || r->state[p] == STORE_S_OBJECTED) == sc->wrap[p]);
	st->last = *r;
	st->tag = r->tag;
	st->ended++;
	memcpy(st->audio, sc->audio, sizeof(st->audio));
	memcpy(st->n, sc->n, sizeof(st->n));
	free(sc);
	return 0;
}

void store_call_abort(struct store_call *sc)
{
	sc->st->aborted++;
	free(sc);
}

int store_call_denied(struct store *st, const struct store_call_meta *meta, const struct store_call_result *r)
{
	(void)meta;
	if (st->denied_error)
		return st->denied_error;
	st->last = *r;
	st->tag = r->tag;
	st->last_gap = r->gap ? r->gap : st->last_gap;
	st->denied++;
	MUST(!r->leg[0].packets && !r->leg[1].packets);
	return 0;
}

int store_sync(struct store *st)
{
	st->syncs++;
	return 0;
}

/* ---- a link with packets ---- */

struct link {
	struct world *w; /* policy, clock, message texts; its own call table stays empty */
	struct store st;
	struct recorder *rec;
	uint16_t seq[2];
};

static struct link *link_with(bool no_audio, uint32_t flow_lines)
{
	struct link *l = calloc(1, sizeof(*l));
	struct recorder_settings s;

	MUST(l);
	l->w = fake_world(NULL);
	recorder_default_settings(&s);
	s.store = &l->st;
	s.policy = &l->w->policy;
	s.evidence = (struct evidence *)l; /* only told */
	memset(told, 0, sizeof(told));
	s.flow_lines = flow_lines;
	s.no_audio = no_audio;
	assert_int_equal(recorder_new(&s, &l->rec), 0);
	return l;
}

static struct link *link_new(void)
{
	return link_with(false, 1024);
}

static struct recorder_figures finish(struct link *l)
{
	struct recorder_figures f;
	uint64_t sum = 0;
	unsigned i;

	recorder_finish(l->rec);
	recorder_figures(l->rec, &f);
	assert_int_equal(f.matched, f.kept + f.denied + f.gaps + f.known + f.lost_calls);
	/* every packet handed up has exactly one end */
	assert_int_equal(f.drained, f.counts[OPTAG_C_AUDIO] + f.counts[OPTAG_C_EVENT]);
	for (i = 0; i < MEDIA_FATES; i++)
		sum += f.media[i];
	assert_int_equal(f.drained, sum);
	assert_int_equal(f.bad_rtp, f.media[MEDIA_BAD] + f.media[MEDIA_TRUNCATED]);
	assert_int_equal(f.unknown_payload, f.media[MEDIA_UNKNOWN_PAYLOAD]);
	return f;
}

static void link_free(struct link *l)
{
	bool known = l->st.known;

	recorder_free(l->rec);
	/* what the sums of the evidence log rest on: one outcome for every call that matched */
	assert_int_equal(told[EVLOG_CALL_KEPT] + told[EVLOG_CALL_DENIED] + told[EVLOG_CALL_GAP], known ? 0 : told[EVLOG_CALL_MATCH]);
	assert_int_equal(told[EVLOG_CALL_MATCH] > 0 && known, 0);
	assert_int_equal(l->st.begun, l->st.ended + l->st.aborted);
	fake_world_free(l->w);
	clock_set_ns(0);
	free(l);
}

static int udp(struct link *l, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport, const void *p, size_t n)
{
	uint8_t b[4096] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, IPPROTO_UDP };
	struct pcap_packet k = { .link = CLASSIFY_IPV4, .data = b, .caplen = 28 + n, .wire_len = 28 + n,
				 .ts_ns = l->w->now };
	uint32_t a[2] = { htonl(src), htonl(dst) };
	uint16_t u[4] = { htons(sport), htons(dport), htons((uint16_t)(8 + n)), 0 };

	MUST(28 + n <= sizeof(b));
	b[2] = (uint8_t)((28 + n) >> 8);
	b[3] = (uint8_t)(28 + n);
	memcpy(b + 12, a, 8);
	memcpy(b + 20, u, 8);
	memcpy(b + 28, p, n);
	return recorder_packet(l->rec, &k, 0);
}

static void sip(struct link *l, const struct fake_msg *k)
{
	char text[4000];
	size_t n = fake_text(l->w, k, text, sizeof(text));

	l->w->now += MS;
	udp(l, 0x0a000001, 5060, 0x0a000002, 5060, text, n);
}

/* One RTP packet to 10.0.0.host:port, payload n times the byte. */
static int rtp_bytes(struct link *l, unsigned host, unsigned port, uint8_t pt, const void *payload, size_t n)
{
	uint8_t b[2048] = { 0x80, pt, 0, 0, 0, 0, 0, 0, 1, 2, 3, (uint8_t)host };
	uint16_t *seq = &l->seq[host & 1];
	uint32_t ts = htonl(++*seq * 160u);

	l->w->now += 20 * MS;
	b[2] = (uint8_t)(*seq >> 8);
	b[3] = (uint8_t)*seq;
	memcpy(b + 4, &ts, 4);
	memcpy(b + 12, payload, n);
	return udp(l, 0x0a000000 | (3 - host), 6000, 0x0a000000 | host, (uint16_t)port, b, 12 + n);
}

static int rtp(struct link *l, unsigned host, unsigned port, uint8_t pt, uint8_t fill, size_t n)
{
	uint8_t b[1000];

	memset(b, fill, n);
	return rtp_bytes(l, host, port, pt, b, n);
}

static void both(struct link *l, uint8_t fill)
{
	rtp(l, 2, CALLEE_PORT, 8, fill, 160);
	rtp(l, 1, CALLER_PORT, 8, fill, 160);
}

static const char *queue_header; /* of the INVITE */

static void establish(struct link *l, const char *more)
{
	char a[2048], b[2048];

	fake_sdp(a, sizeof(a), 1, 1, CALLER_PORT, more);
	fake_sdp(b, sizeof(b), 2, 2, CALLEE_PORT, more);
	sip(l, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "", .cseq = 1, .sdp = a,
				   .extra = queue_header });
	both(l, 0x11); /* before the answer: nobody's */
	sip(l, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a", .to_tag = "b",
				   .cseq = 1, .sdp = b });
}

static void bye(struct link *l)
{
	sip(l, &(struct fake_msg){ .method = "BYE", .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 2 });
}

static bool holds(const struct store *st, uint8_t byte)
{
	return memchr(st->audio[0], byte, st->n[0]) || memchr(st->audio[1], byte, st->n[1]);
}

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

/* The same outcome and figures, and not a byte of audio (optag policy simulate on captures). */
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
	assert_int_equal(told[EVLOG_CAPTURE_GAP], 1);
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

static struct calls_tightened tighten(struct link *l, const struct policy *p)
{
	struct calls_tightened sum = { 0 };
	bool first = true;

	while (recorder_tighten(l->rec, p, first, &sum))
		first = false;
	return sum;
}

/*
 * A transfer to another dialog: training of the first part waits for the end of the conversation (R-41, guidance 6), and goes
 * when somebody opts out in the second.
 */
static void test_parked(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct link *l = link_new();
		struct policy_block *b = &l->w->policy.rule.purpose[POLICY_TRAINING];
		struct fake_msg k = { .method = "INVITE", .id = "c2", .from_tag = "c", .to_tag = "", .cseq = 1,
				      .extra = "Replaces: c1;to-tag=b;from-tag=a\r\n" };
		struct recorder_figures f;
		char sdp[2048];
		struct call *c;

		b->basis = POLICY_B_INTEREST;
		b->retention = (struct policy_span){ 3, POLICY_U_MONTHS };
		establish(l, NULL);
		for (int n = 0; n < 300; n++)
			both(l, 0x22);
		c = calls_by_id(recorder_calls(l->rec), "c1", 2);
		assert_int_equal(c->state[POLICY_TRAINING], PURPOSE_GRANTED);
		k.sdp = fake_sdp(sdp, sizeof(sdp), 3, 1, 4400, NULL);
		sip(l, &k);
		k = (struct fake_msg){ .method = "INVITE", .status = 200, .id = "c2", .from_tag = "c", .to_tag = "d", .cseq = 1,
				       .sdp = fake_sdp(sdp, sizeof(sdp), 4, 3, 5500, NULL) };
		sip(l, &k);
		bye(l);
		l->w->now += SEC;
		rtp(l, 3, 5500, 8, 0x33, 160);
		assert_int_equal(c->phase, CALL_TOMBSTONE);
		assert_int_equal(l->st.ended, 0);
		assert_int_equal(l->st.committed, 0);
		assert_int_equal(recorder_pinned(l->rec, &l->w->policy), 2);
		c = calls_by_id(recorder_calls(l->rec), "c2", 2);
		if (i == 1) {
			call_key(recorder_calls(l->rec), c, OPTAG_LEG_CALLER, '9', CALL_BY_INFO, true, l->w->now);
			assert_int_equal(l->st.ended, 0); /* its documentation may still be objected to */
			assert_int_equal(l->st.dropped, 2);
		}
		if (i >= 4) { /* a later policy has no room for it; or none for training */
			struct policy none = l->w->policy;

			none.rule.purpose[POLICY_TRAINING].basis = POLICY_B_NONE;
			(void)tighten(l, i == 4 ? NULL : &none);
			assert_int_equal(l->st.ended, 0);
			assert_int_equal(l->st.dropped, 2);
		}
		if (i < 2) {
			sip(l, &(struct fake_msg){ .method = "BYE", .id = "c2", .from_tag = "c", .to_tag = "d", .cseq = 2 });
			l->w->now += SEC;
			rtp(l, 3, 5500, 8, 0x44, 160);
		}
		if (i == 3) { /* the program ends in the middle: nothing is left readable */
			recorder_free(l->rec);
			assert_int_equal(l->st.begun, l->st.ended + l->st.aborted);
			assert_int_equal(l->st.committed, 0);
			l->rec = NULL;
			fake_world_free(l->w);
			clock_set_ns(0);
			free(l);
			continue;
		}
		f = finish(l);
		if (i == 1) { /* the first one's row is the last */
			assert_int_equal(l->st.last.state[POLICY_TRAINING], STORE_S_OPTED_OUT);
			assert_int_equal(l->st.last.state[POLICY_DOCUMENTATION], STORE_S_GRANTED);
		} else if (i >= 4) {
			assert_int_equal(l->st.last.state[POLICY_TRAINING], STORE_S_DENIED);
			assert_string_equal(l->st.last.reason[POLICY_TRAINING], "policy.tightened");
			assert_int_equal(l->st.last.state[POLICY_DOCUMENTATION], STORE_S_GRANTED);
		}
		assert_int_equal(f.kept, 2); /* the second has its one packet of documentation */
		assert_int_equal(l->st.committed, i == 1 || i >= 4 ? 0 : 1);
		link_free(l);
	}
}

/* A consent to documentation that is taken back after a transfer is taken back from the first part as well (guidance 5.2). */
static void test_parked_consent(void **state)
{
	(void)state;
	for (int back = 0; back < 2; back++) {
		struct link *l = link_new();
		struct policy_block *b = &l->w->policy.rule.purpose[POLICY_DOCUMENTATION];
		struct fake_msg k = { .method = "INVITE", .id = "c2", .from_tag = "c", .to_tag = "", .cseq = 1,
				      .extra = "Replaces: c1;to-tag=b;from-tag=a\r\n" };
		struct recorder_figures f;
		char sdp[2048];
		struct call *c;

		b->basis = POLICY_B_CONSENT;
		establish(l, NULL);
		for (int n = 0; n < 150; n++)
			both(l, 0x22);
		c = calls_by_id(recorder_calls(l->rec), "c1", 2);
		call_key(recorder_calls(l->rec), c, OPTAG_LEG_CALLER, '2', CALL_BY_INFO, true, l->w->now);
		assert_int_equal(c->state[POLICY_DOCUMENTATION], PURPOSE_GRANTED);
		for (int n = 0; n < 300; n++)
			both(l, 0x33);
		k.sdp = fake_sdp(sdp, sizeof(sdp), 3, 1, 4400, NULL);
		sip(l, &k);
		k = (struct fake_msg){ .method = "INVITE", .status = 200, .id = "c2", .from_tag = "c", .to_tag = "d", .cseq = 1,
				       .sdp = fake_sdp(sdp, sizeof(sdp), 4, 3, 5500, NULL) };
		sip(l, &k);
		bye(l);
		l->w->now += SEC;
		rtp(l, 3, 5500, 8, 0x44, 160);
		assert_int_equal(l->st.ended, 0);
		c = calls_by_id(recorder_calls(l->rec), "c2", 2);
		l->w->now += 4 * SEC;
		call_key(recorder_calls(l->rec), c, OPTAG_LEG_CALLER, '2', CALL_BY_INFO, true, l->w->now);
		assert_int_equal(c->state[POLICY_DOCUMENTATION], PURPOSE_GRANTED);
		l->w->now += SEC;
		rtp(l, 3, 5500, 8, 0x55, 160);
		if (back) {
			call_key(recorder_calls(l->rec), c, OPTAG_LEG_CALLER, '8', CALL_BY_INFO, true, l->w->now);
			assert_int_equal(c->state[POLICY_DOCUMENTATION], PURPOSE_WITHDRAWN);
			assert_int_equal(l->st.ended, 0);
			assert_int_equal(l->st.denied, 1);
		}
		sip(l, &(struct fake_msg){ .method = "BYE", .id = "c2", .from_tag = "c", .to_tag = "d", .cseq = 2 });
		l->w->now += SEC;
		rtp(l, 3, 5500, 8, 0x66, 160);
		f = finish(l);
		assert_int_equal(f.kept, back ? 0 : 2);
		assert_int_equal(f.denied, back ? 2 : 0);
		link_free(l);
	}
}

/* Transferred to where nothing may be recorded: who says no there says it of what was recorded before. */
static void test_said_of_nobody(void **state)
{
	struct link *l = link_new();
	struct policy_block *b = &l->w->policy.rule.purpose[POLICY_TRAINING];
	struct recorder_said by = { .who = "agent" };
	struct recorder_figures f;
	struct call *c;

	(void)state;
	l->w->policy.queues = true;
	recorder_set_policy(l->rec, &l->w->policy);
	l->w->called = "500";
	b->basis = POLICY_B_INTEREST;
	b->retention = (struct policy_span){ 3, POLICY_U_MONTHS };
	queue_header = "X-Queue: 1\r\n";
	establish(l, NULL);
	queue_header = NULL;
	for (int n = 0; n < 300; n++)
		both(l, 0x22);
	sip(l, &(struct fake_msg){ .method = "UPDATE", .id = "c1", .from_tag = "b", .to_tag = "a", .by_callee = true, .cseq = 2,
				   .extra = "X-Queue: 3\r\n" });
	assert_false(calls_by_id(recorder_calls(l->rec), "c1", 2)->matched);
	assert_int_equal(l->st.ended, 0);
	c = calls_by_id(recorder_calls(l->rec), "c1", 2);
	by.now_ns = l->w->now;
	assert_int_equal(recorder_command(l->rec, c, CALL_C_PAUSE, POLICY_TRAINING, &by), -ENOENT);
	assert_int_equal(recorder_command(l->rec, c, CALL_C_OPT_OUT, POLICY_TRAINING, &by), 0);
	assert_int_equal(l->st.dropped, 1);
	/* and of documentation he may say so there, too */
	assert_int_equal(recorder_command(l->rec, c, CALL_C_WITHDRAW, POLICY_DOCUMENTATION, &by), -ENOENT);
	assert_int_equal(l->st.ended, 0);
	assert_int_equal(recorder_command(l->rec, c, CALL_C_OBJECT, POLICY_DOCUMENTATION, &by), 0);
	assert_int_equal(l->st.ended, 1);
	assert_int_equal(l->st.last.state[POLICY_TRAINING], STORE_S_OPTED_OUT);
	assert_int_equal(l->st.last.state[POLICY_DOCUMENTATION], STORE_S_OBJECTED);
	bye(l);
	f = finish(l);
	assert_int_equal(f.kept, 1);
	link_free(l);
}

/* Who objects after a transfer objects to all of the conversation: the first part is restricted, too, and is not taken (N-27). */
static void test_parked_objection(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct link *l = link_new();
		struct fake_msg k = { .method = "INVITE", .id = "c2", .from_tag = "c", .to_tag = "", .cseq = 1,
				      .extra = "Replaces: c1;to-tag=b;from-tag=a\r\n" };
		struct recorder_said by = { .who = "agent" };
		struct recorder_figures f;
		char sdp[2048];
		struct call *c;

		establish(l, NULL);
		for (int n = 0; n < 300; n++)
			both(l, 0x22);
		k.sdp = fake_sdp(sdp, sizeof(sdp), 3, 1, 4400, NULL);
		sip(l, &k);
		k = (struct fake_msg){ .method = "INVITE", .status = 200, .id = "c2", .from_tag = "c", .to_tag = "d", .cseq = 1,
				       .sdp = fake_sdp(sdp, sizeof(sdp), 4, 3, 5500, NULL) };
		sip(l, &k);
		bye(l);
		l->w->now += SEC;
		rtp(l, 3, 5500, 8, 0x33, 160);
		assert_int_equal(l->st.ended, 0);
		c = calls_by_id(recorder_calls(l->rec), "c2", 2);
		by.now_ns = l->w->now;
		if (i)
			assert_int_equal(recorder_command(l->rec, c, i == 1 ? CALL_C_OBJECT : CALL_C_OBJECT_GROUNDS, POLICY_DOCUMENTATION, &by), 0);
		assert_int_equal(l->st.ended, i ? 1 : 0); /* nothing more can be said of it */
		if (i)
			assert_int_equal(l->st.noted_state[POLICY_DOCUMENTATION], STORE_S_OBJECTED);
		f = finish(l);
		assert_int_equal(l->st.last.state[POLICY_DOCUMENTATION], i ? STORE_S_OBJECTED : STORE_S_GRANTED);
		assert_int_equal(f.kept, 2);
		link_free(l);
	}
}

/* A later policy without a rule: what was recorded stays, not a packet more is. */
static void test_tightened(void **state)
{
	struct link *l = link_new();
	struct calls_tightened sum;
	struct recorder_figures f;
	int i;

	(void)state;
	establish(l, NULL);
	for (i = 0; i < 300; i++)
		both(l, 0x22);
	assert_int_equal(tighten(l, &l->w->policy).changed, 0);
	both(l, 0x33);
	assert_int_equal(recorder_pinned(l->rec, &l->w->policy), 1);
	sum = tighten(l, NULL);
	assert_int_equal(sum.seen, 1);
	assert_int_equal(sum.denied, 1);
	assert_int_equal(tighten(l, NULL).changed, 0); /* only once */
	for (i = 0; i < 300; i++)
		both(l, 0x44);
	/* the rule comes back: not for this call */
	assert_int_equal(tighten(l, &l->w->policy).changed, 0);
	both(l, 0x55);
	bye(l);
	l->w->now += SEC;
	both(l, 0x66);
	assert_int_equal(recorder_pinned(l->rec, &l->w->policy), 0);
	f = finish(l);
	assert_int_equal(f.kept, 1);
	assert_string_equal(l->st.last.reason[0], "policy.tightened");
	assert_int_equal(l->st.last.leg[0].packets, 301);
	assert_true(holds(&l->st, 0x33));
	assert_false(holds(&l->st, 0x44));
	assert_false(holds(&l->st, 0x55));
	link_free(l);
}

/* Before the answer nothing was recorded, so there is nothing to keep; after it but without a packet neither. */
static void test_tightened_early(void **state)
{
	struct link *l = link_new();
	struct recorder_figures f;
	char a[2048];

	(void)state;
	fake_sdp(a, sizeof(a), 1, 1, CALLER_PORT, NULL);
	sip(l, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "", .cseq = 1, .sdp = a });
	assert_int_equal(tighten(l, NULL).denied, 1);
	fake_sdp(a, sizeof(a), 2, 2, CALLEE_PORT, NULL);
	sip(l, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 1,
				   .sdp = a });
	both(l, 0x22);
	bye(l);
	f = finish(l);
	assert_int_equal(f.denied, 1);
	assert_int_equal(l->st.begun, 0);
	assert_string_equal(l->st.last.reason[0], "policy.tightened");
	link_free(l);

	l = link_new();
	establish(l, NULL);
	assert_int_equal(tighten(l, NULL).denied, 1);
	l->w->now += 60 * SEC;
	bye(l);
	f = finish(l);
	assert_int_equal(f.denied, 1);
	assert_string_equal(l->st.last.reason[0], "policy.tightened");
	link_free(l);
}

static void test_shorter(void **state)
{
	struct link *l = link_new();
	struct policy later = l->w->policy;
	struct recorder_figures f;
	int i;

	(void)state;
	later.rule.purpose[POLICY_DOCUMENTATION].retention = (struct policy_span){ 10, POLICY_U_DAYS };
	establish(l, NULL);
	for (i = 0; i < 300; i++)
		both(l, 0x22);
	assert_int_equal(tighten(l, &later).changed, 1);
	assert_int_equal(l->st.shortened, 1);
	assert_in_range(l->st.until, l->w->now + 9 * 86400 * SEC, l->w->now + 11 * 86400 * SEC);
	/* longer again, and shorter than the call's own: the nearest stays */
	later.rule.purpose[POLICY_DOCUMENTATION].retention = (struct policy_span){ 20, POLICY_U_DAYS };
	assert_int_equal(tighten(l, &later).changed, 0);
	later.rule.purpose[POLICY_DOCUMENTATION].retention = (struct policy_span){ 3, POLICY_U_YEARS };
	assert_int_equal(tighten(l, &later).changed, 0);
	bye(l);
	f = finish(l);
	assert_int_equal(f.kept, 1);
	link_free(l);

	/* its new day is over already: nothing is kept */
	l = link_new();
	later = l->w->policy;
	later.rule.purpose[POLICY_DOCUMENTATION].retention = (struct policy_span){ 1, POLICY_U_DAYS };
	l->st.shorten_error = -ESHUTDOWN;
	establish(l, NULL);
	for (i = 0; i < 300; i++)
		both(l, 0x22);
	assert_int_equal(tighten(l, &later).changed, 1);
	both(l, 0x33);
	bye(l);
	f = finish(l);
	assert_int_equal(f.denied, 1);
	assert_string_equal(l->st.last.reason[0], "deadline");
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

/* ---- X-4 behind the last packet, and between two streams ---- */

struct tail {
	const char *what;
	unsigned pt; /* 8 PCMA, 13 comfort noise, 18 G.729; 101 event */
	unsigned ms; /* from the last packet to what comes then: */
	char then;   /* 'b' BYE, 's' another stream, 'r' the same with other numbers, 'g' it goes on, 'h' hold and its end, then BYE,
		      * 'e' capture ends, the other one goes on, 'E' both are silent */
	bool denied;
	int len; /* of the last payload; 0 as is usual */
};

static void voice(struct link *l, unsigned host, uint32_t ssrc, uint16_t seq, uint32_t ts, bool marker, uint8_t pt, int len)
{
	uint8_t b[400] = { 0x80, (uint8_t)(pt | (marker ? 0x80 : 0)), (uint8_t)(seq >> 8), (uint8_t)seq };
	uint32_t t = htonl(ts), s = htonl(ssrc);

	memcpy(b + 4, &t, 4);
	memcpy(b + 8, &s, 4);
	memset(b + 12, 0x55, (size_t)len);
	udp(l, 0x0a000000 | (3 - host), 6000, 0x0a000000 | host, host == 2 ? CALLEE_PORT : CALLER_PORT, b, 12 + (size_t)len);
}

static void hold_for(struct link *l, uint64_t ns)
{
	char sdp[700];

	for (int on = 1; on >= 0; on--) {
		fake_sdp(sdp, sizeof(sdp), 1, 1, CALLER_PORT, on ? "a=sendonly\r\n" : "");
		sip(l, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 3u - (unsigned)on, .sdp = sdp });
		fake_sdp(sdp, sizeof(sdp), 2, 2, CALLEE_PORT, on ? "a=recvonly\r\n" : "");
		sip(l, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 3u - (unsigned)on,
					   .sdp = sdp });
		l->w->now += on ? ns : 0;
	}
}

/* Packets of both until now; the last of the caller's is of the kind in t. */
static void talk(struct link *l, const struct tail *t, bool pauses)
{
	static const int usual[128] = { [8] = 160, [13] = 1, [18] = 20, [101] = 4 };
	uint32_t ts = 0;

	for (uint16_t i = 0; i < 200; i++, ts += 160) {
		bool last = i == 199, jump = pauses && i == 150;

		l->w->now += 20 * MS;
		ts += jump ? 8000 : 0;
		voice(l, 2, 7, i, ts, jump, last ? (uint8_t)t->pt : 8, last ? (t->len ? t->len : usual[t->pt]) : 160);
		voice(l, 1, 9, i, ts, false, 8, 160);
	}
}

static void then(struct link *l, const struct tail *t)
{
	for (unsigned ms = 0; ms < t->ms; ms += 20) {
		l->w->now += 20 * MS;
		if (t->then != 'E')
			voice(l, 1, 9, (uint16_t)(200 + ms / 20), (200 + ms / 20) * 160, false, 8, 160);
	}
	switch (t->then) {
	case 'h':
		hold_for(l, 5 * SEC);
		break;
	case 'g':
	case 'r':
	case 's':
		for (uint16_t i = 0; i < 50; i++) {
			voice(l, 2, t->then == 's' ? 8 : 7, t->then == 'r' ? 30000 + i : (uint16_t)(200 + i), 90000u + i * 160u, false, 8, 160);
			l->w->now += 20 * MS;
		}
		break;
	default:
		break;
	}
	if (t->then != 'e' && t->then != 'E')
		sip(l, &(struct fake_msg){ .method = "BYE", .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = t->then == 'h' ? 4 : 2 });
}

static void test_tails(void **state)
{
	static const struct tail t[] = {
		{ "at once", 8, 20, 'b', false, 0 },
		{ "a telephone that hangs up", 8, 180, 'b', false, 0 },
		{ "lost", 8, 240, 'b', true, 0 },
		{ "lost for long", 8, 8000, 'b', true, 0 },
		{ "comfort noise", 13, 8000, 'b', false, 0 },
		{ "silence of a codec", 18, 8000, 'b', false, 2 },
		{ "speech and silence of a codec", 18, 8000, 'b', false, 22 },
		{ "speech of a codec", 18, 8000, 'b', true, 20 },
		{ "after a key press", 101, 8000, 'b', true, 0 },
		{ "another stream", 8, 100, 's', false, 0 },
		{ "another stream late", 8, 300, 's', true, 0 },
		{ "another stream after noise", 13, 300, 's', false, 0 },
		{ "it goes on with its numbers", 8, 3000, 'g', false, 0 },
		{ "other numbers", 8, 300, 'r', true, 0 },
		{ "hold", 8, 100, 'h', false, 0 },
		{ "lost before hold", 8, 400, 'h', true, 0 },
		{ "no end, and the agent goes on", 8, 400, 'e', true, 0 },
		{ "no end, all is silent", 8, 5000, 'E', false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 4; i++) {
		const struct tail *k = &t[i / 4];
		bool pauses = i & 1, keep = i & 2; /* a sender that leaves silence out; a rule that does not mind */
		bool denied = k->denied && !pauses && !keep;
		struct link *l = link_with(true, 1024);

		l->w->policy.rule.purpose[POLICY_TRAINING].basis = POLICY_B_INTEREST;
		l->w->policy.rule.purpose[POLICY_TRAINING].retention = (struct policy_span){ 3, POLICY_U_MONTHS };
		l->w->policy.rule.purpose[POLICY_TRAINING].on_loss = keep;
		l->w->policy.rule.notice_timeout_s = 60;
		establish(l, "a=rtpmap:13 CN/8000\r\na=rtpmap:18 G729/8000\r\n");
		talk(l, k, pauses);
		then(l, k);
		l->w->now += 2 * SEC;
		(void)finish(l);
		if (told[EVLOG_OPTOUT_UNCERTAIN] != denied)
			fail_msg("%s (%zu): %u", k->what, i % 4, told[EVLOG_OPTOUT_UNCERTAIN]);
		link_free(l);
	}
}

/* ---- one recording, its purposes moved by hand ---- */

struct hand {
	struct policy policy;
	struct store st;
	struct call c;
	struct recording *rc;
	uint16_t seq;
	uint64_t now;
	enum media_fate fate; /* of the last packet */
};

static void hand_new(struct hand *h, enum policy_basis doc, enum policy_basis train)
{
	memset(h, 0, sizeof(*h));
	fake_policy(&h->policy);
	h->policy.rule.purpose[0].basis = doc;
	h->policy.rule.purpose[1].basis = train;
	h->policy.rule.purpose[0].retention = h->policy.rule.purpose[1].retention =
		(struct policy_span){ 3, POLICY_U_MONTHS };
	h->c = (struct call){ .matched = true, .answered = true, .start_ns = FAKE_T0, .answer_ns = FAKE_T0,
			      .call_id = "x", .end = "bye", .policy = &h->policy, .rule = &h->policy.rule,
			      .reason = { "", "" } };
	h->now = FAKE_T0;
	assert_int_equal(recording_new(&h->st, &h->c, &h->rc), 0);
}

static void audio(struct hand *h, uint8_t fill, int packets)
{
	static const struct media_format f = { .name = "PCMA", .clock = 8000, .channels = 1, .pt = 8 };
	uint8_t payload[160];
	struct rtp_pkt p = { .pt = 8, .ssrc = 7, .payload = payload, .len = sizeof(payload) };
	char key;

	memset(payload, fill, sizeof(payload));
	while (packets--) {
		p.seq = ++h->seq;
		p.ts = h->seq * 160u;
		h->now += 20 * MS;
		assert_int_equal(recording_packet(h->rc, &h->c, 0, &p, &f, CALL_PT_AUDIO, true, h->now, &key, &h->fate), 0);
	}
}

static enum recording_end hand_end(struct hand *h)
{
	struct recording_result end;

	h->c.end_ns = h->now + SEC;
	assert_int_equal(recording_end(h->rc, &h->c, NULL, &end), 0);
	assert_int_equal(h->st.begun, h->st.ended + h->st.aborted);
	return end.end;
}

/* The limit of all calls' audio in memory: this call has a gap and goes on, the recorder does not stop. */
static void test_no_memory(void **state)
{
	struct chunker_memory m = { .limit = 1 };
	struct hand *h = malloc(sizeof(*h));
	struct store_leg_figures fig;

	(void)state;
	hand_new(h, POLICY_B_INTEREST, POLICY_B_NONE);
	h->c.state[0] = PURPOSE_GRANTED;
	recording_limit(h->rc, &m, 0);
	audio(h, 1, 3);
	assert_int_equal(h->fate, MEDIA_NO_MEMORY);
	m.limit = 0;
	audio(h, 1, 5);
	assert_int_equal(h->fate, MEDIA_KEPT);
	recording_figures(h->rc, 0, &fig);
	assert_int_equal(fig.packets, 5);
	assert_int_equal(hand_end(h), RECORDING_KEPT);
	assert_string_equal(h->st.last.gap, "memory");
	assert_int_equal(m.used, 0);
	free(h);
}

static void test_no_purpose_no_audio(void **state)
{
	static const enum purpose_state no[] = { PURPOSE_PENDING,   PURPOSE_DENIED,  PURPOSE_WITHDRAWN,
						 PURPOSE_OPTED_OUT, PURPOSE_EXPIRED };
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		hand_new(h, POLICY_B_CONSENT, POLICY_B_NONE);
		h->c.state[0] = no[i];
		/* captured under a verdict that was right then, looked at now */
		audio(h, 0x22, 10);
		assert_int_equal(h->fate, MEDIA_NOT_KEPT);
		assert_int_equal(h->st.begun, 0);
		assert_int_equal(hand_end(h), RECORDING_DENIED);
	}
	free(h);
}

static void test_withdrawn_and_again(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	hand_new(h, POLICY_B_CONSENT, POLICY_B_NONE);
	h->c.state[0] = PURPOSE_GRANTED;
	audio(h, 0x22, 150); /* a chunk is out, another is being filled */
	h->c.state[0] = PURPOSE_WITHDRAWN;
	assert_int_equal(recording_destroy(h->rc, &h->c, POLICY_DOCUMENTATION), 0);
	assert_int_equal(h->st.aborted, 1);
	audio(h, 0x33, 10);
	assert_int_equal(h->fate, MEDIA_NOT_KEPT);
	h->c.state[0] = PURPOSE_GRANTED;
	audio(h, 0x44, 10);
	assert_int_equal(h->fate, MEDIA_KEPT);
	assert_int_equal(hand_end(h), RECORDING_KEPT);
	assert_int_equal(h->st.n[0], 10 * 160);
	assert_false(holds(&h->st, 0x22));
	assert_false(holds(&h->st, 0x33));
	assert_int_equal(h->st.last.leg[0].packets, 10);
	free(h);
}

/* A purpose lost before the first packet: a late packet must not bring the call back. */
/* A key that cannot be erased is no secret; the audio goes all the same. */
static void test_destroy_fails(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	hand_new(h, POLICY_B_INTEREST, POLICY_B_NONE);
	h->c.state[0] = PURPOSE_GRANTED;
	audio(h, 0x22, 150);
	h->c.state[0] = PURPOSE_WITHDRAWN;
	h->st.drop_error = -EIO;
	assert_int_equal(recording_destroy(h->rc, &h->c, POLICY_DOCUMENTATION), -EIO);
	assert_int_equal(h->st.aborted, 1);
	assert_int_equal(hand_end(h), RECORDING_DENIED);
	free(h);
}

/* A clock near the end of what 64 bits of nanoseconds can tell: this call only, and no error. */
static void test_undated(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	hand_new(h, POLICY_B_INTEREST, POLICY_B_NONE);
	recording_abort(h->rc);
	h->c.start_ns = INT64_MAX - 1;
	assert_int_equal(recording_new(&h->st, &h->c, &h->rc), 0);
	h->c.state[0] = PURPOSE_GRANTED;
	assert_true(recording_known(h->rc));
	audio(h, 0x22, 150);
	assert_int_equal(h->fate, MEDIA_KNOWN);
	assert_int_equal(h->st.begun, 0);
	assert_int_equal(hand_end(h), RECORDING_DENIED);
	assert_int_equal(h->st.denied, 0);
	free(h);
}

static void test_destroyed_before_audio(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	hand_new(h, POLICY_B_NONE, POLICY_B_INTEREST);
	h->c.state[1] = PURPOSE_OPTED_OUT;
	assert_int_equal(recording_destroy(h->rc, &h->c, POLICY_TRAINING), 0);
	audio(h, 0x22, 10);
	assert_int_equal(h->st.begun, 0);
	assert_int_equal(hand_end(h), RECORDING_DENIED);
	free(h);
}

static void test_wraps(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	/* training is committed at the end only, and dropped alone */
	hand_new(h, POLICY_B_INTEREST, POLICY_B_INTEREST);
	h->c.state[0] = h->c.state[1] = PURPOSE_GRANTED;
	audio(h, 0x22, 10);
	assert_int_equal(h->st.committed, 0);
	assert_int_equal(hand_end(h), RECORDING_KEPT);
	assert_int_equal(h->st.committed, 1);
	hand_new(h, POLICY_B_INTEREST, POLICY_B_INTEREST);
	h->c.state[0] = h->c.state[1] = PURPOSE_GRANTED;
	audio(h, 0x22, 10);
	h->c.state[1] = PURPOSE_OPTED_OUT;
	assert_int_equal(recording_destroy(h->rc, &h->c, POLICY_TRAINING), 0);
	assert_int_equal(h->st.dropped, 1);
	audio(h, 0x33, 10);
	assert_int_equal(hand_end(h), RECORDING_KEPT);
	assert_int_equal(h->st.n[0], 20 * 160);
	assert_int_equal(h->st.committed, 0);
	free(h);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept), cmocka_unit_test(test_told_when_written),
		cmocka_unit_test(test_no_audio),
		cmocka_unit_test(test_alarms),
		cmocka_unit_test(test_parked),
		cmocka_unit_test(test_parked_consent),
		cmocka_unit_test(test_said_of_nobody),
		cmocka_unit_test(test_parked_objection),
		cmocka_unit_test(test_tightened),
		cmocka_unit_test(test_tightened_early),
		cmocka_unit_test(test_shorter),
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
		cmocka_unit_test(test_tails),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_purpose_no_audio),
		cmocka_unit_test(test_withdrawn_and_again),
		cmocka_unit_test(test_destroy_fails),
		cmocka_unit_test(test_undated),
		cmocka_unit_test(test_destroyed_before_audio),
		cmocka_unit_test(test_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
