/* SPDX-License-Identifier: BSD-2-Clause */
/* record_link.h - a recorder on a link with packets of one call, c1, over store_mock.h. Included by one test program each. */
#ifndef RECORD_LINK_H
#define RECORD_LINK_H

#include <netinet/in.h>

#include "store_mock.h"

#include "base/clock.h"
#include "evidence_mock.h"
#include "record.h"

#define CALLER_PORT 4000 /* the callee's voice arrives there */
#define CALLEE_PORT 5000

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
	assert_int_equal(l->st.begun, l->st.ended + l->st.aborted + l->st.left);
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

#endif
