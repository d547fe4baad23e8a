/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_calls.c - signalling: dialogues a second, time from a message to the flow entry, memory a call
 *
 * ACTIVE calls are set up and stay; then ROUNDS dialogues (INVITE, 100, 180, 200, ACK, BYE, 200, all parsed
 * from text, both descriptions) come and go beside them. The clock moves so that tombstones expire.
 */
#include <malloc.h>
#include <time.h>

#include "../fakecalls.h"

#define ROUNDS 20000

struct bench {
	struct calls *cs;
	struct policy policy;
	uint64_t now, asked; /* wire time; when the message was handed over */
	uint32_t took[ROUNDS * 2];
	unsigned n;
	bool measure;
};

static uint64_t cpu_ns(clockid_t c)
{
	struct timespec t;

	clock_gettime(c, &t);
	return (uint64_t)t.tv_sec * SEC + (uint64_t)t.tv_nsec;
}

static void on_flow(void *arg, struct call *c, const struct call_endpoint *e, uint8_t verdict)
{
	struct bench *b = arg;

	(void)c;
	(void)e;
	if (b->measure && verdict == OPTAG_V_RECORD && b->n < ROUNDS * 2)
		b->took[b->n++] = (uint32_t)(cpu_ns(CLOCK_MONOTONIC) - b->asked);
}

static void on_unflow(void *arg, struct call *c, const struct call_endpoint *e)
{
	(void)arg;
	(void)c;
	(void)e;
}

static void on_call(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
}

static void on_destroy(void *arg, struct call *c, enum policy_purpose p)
{
	(void)arg;
	(void)c;
	(void)p;
}

static uint64_t packets(void *arg, struct call *c)
{
	(void)c;
	return ((struct bench *)arg)->now; /* media never stops */
}

static const char *const body = "v=0\r\no=- %u 1 IN IP4 10.0.0.1\r\ns=call\r\nc=IN IP4 10.%u.%u.%u\r\nt=0 0\r\n"
				"m=audio %u RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
				"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n"
				"a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

static size_t text(char *buf, size_t size, unsigned i, const char *start, const char *method, unsigned cseq,
		   bool to_tag, int side)
{
	char sdp[1024] = "";
	int n;

	if (side >= 0)
		snprintf(sdp, sizeof(sdp), body, i * 2 + (unsigned)side, 1 + (unsigned)side, i >> 8 & 255, i & 255,
			 10000 + (i >> 16) * 4);
	n = snprintf(buf, size,
		     "%s\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-%u-%u;rport\r\nMax-Forwards: 70\r\n"
		     "From: \"Caller\" <sip:+4533330000@192.0.2.1>;tag=from%u\r\nTo: <sip:100@192.0.2.2>%s\r\n"
		     "Call-ID: %u-%u@192.0.2.1\r\nCSeq: %u %s\r\nContact: <sip:caller@192.0.2.1:5060>\r\n"
		     "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK\r\nUser-Agent: bench\r\n"
		     "%sContent-Length: %zu\r\n\r\n%s",
		     start, i, cseq, i, to_tag ? ";tag=to" : "", i, i * 7919, cseq, method,
		     side >= 0 ? "Content-Type: application/sdp\r\n" : "", strlen(sdp), sdp);
	MUST(n > 0 && (size_t)n < size);
	return (size_t)n;
}

struct script {
	const char *start, *method;
	unsigned cseq;
	bool to_tag;
	int side; /* whose description, -1 none */
};

static const struct script dialogue[] = {
	{ "INVITE sip:100@192.0.2.2 SIP/2.0", "INVITE", 1, false, 0 },
	{ "SIP/2.0 100 Trying", "INVITE", 1, false, -1 },
	{ "SIP/2.0 180 Ringing", "INVITE", 1, true, -1 },
	{ "SIP/2.0 200 OK", "INVITE", 1, true, 1 },
	{ "ACK sip:100@192.0.2.2 SIP/2.0", "ACK", 1, true, -1 },
	{ "BYE sip:100@192.0.2.2 SIP/2.0", "BYE", 2, true, -1 },
	{ "SIP/2.0 200 OK", "BYE", 2, true, -1 },
};
#define SETUP 5 /* messages until the call stands */

static void play(struct bench *b, unsigned i, unsigned from, unsigned to)
{
	struct sigin_from f = { .src = fake_at(1, 5060), .dst = fake_at(2, 5060) };
	char buf[4096];
	struct sip_msg m;
	const char *why;
	unsigned k;
	size_t n;

	for (k = from; k < to; k++) {
		const struct script *s = &dialogue[k];

		n = text(buf, sizeof(buf), i, s->start, s->method, s->cseq, s->to_tag, s->side);
		f.ts_ns = b->now += 100000;
		b->asked = cpu_ns(CLOCK_MONOTONIC);
		MUST(!sip_parse(buf, n, false, NULL, &m, &why));
		calls_message(b->cs, &f, &m);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The same texts made and thrown away: what the harness costs. */
static uint64_t texts_alone(unsigned rounds)
{
	uint64_t t = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	char buf[4096];
	unsigned i, k;

	for (i = 0; i < rounds; i++)
		for (k = 0; k < sizeof(dialogue) / sizeof(dialogue[0]); k++)
			text(buf, sizeof(buf), i, dialogue[k].start, dialogue[k].method, dialogue[k].cseq,
			     dialogue[k].to_tag, dialogue[k].side);
	return cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - t;
}

static void run(unsigned active)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct calls_sink sink = { .arg = b, .flow = on_flow, .unflow = on_unflow, .matched = on_call,
				   .destroy = on_destroy, .ended = on_call, .packets = packets };
	struct call_limits l;
	size_t before;
	uint64_t t;
	unsigned i;

	MUST(b);
	call_default_limits(&l);
	fake_policy(&b->policy);
	b->now = FAKE_T0;
	MUST(!calls_new(&l, &sink, &b->cs));
	calls_set_policy(b->cs, &b->policy);
	before = mallinfo2().uordblks;
	for (i = 0; i < active; i++)
		play(b, i, 0, SETUP);
	before = mallinfo2().uordblks - before;
	b->measure = true;
	t = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (i = active; i < active + ROUNDS; i++)
		play(b, i, 0, sizeof(dialogue) / sizeof(dialogue[0]));
	t = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - t - texts_alone(ROUNDS);
	qsort(b->took, b->n, sizeof(b->took[0]), compare);
	printf("%7u active: %8.0f dialogues/s, %.2f us CPU a dialogue of 7 messages; message to flow entry "
	       "p50 %.2f us, p99 %.2f us; %zu bytes a call\n",
	       active, (double)ROUNDS * 1e9 / (double)t, (double)t / ROUNDS / 1e3, b->took[b->n / 2] / 1e3,
	       b->took[b->n - b->n / 100 - 1] / 1e3, before / active);
	calls_finish(b->cs, b->now);
	calls_free(b->cs);
	free(b);
}

int main(void)
{
	printf("bench_calls: SIP text to flow verdicts\n");
	run(10000);
	run(100000);
	return 0;
}
