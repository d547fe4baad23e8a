/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_classify.c - any frame through the classifier
 *
 * Input: link kind, verdict of the media flow, bytes missing from the capture,
 * EtherType (2, big endian), frame. The flows are those of tests/frames.h.
 * What goes up must lie inside the frame and agree with its verdict, a packet
 * must move SEEN and one other counter, and twice the same is the same.
 */

#include "capture/classify.h"
#include "must.h"
#include "tests/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct up {
	const uint8_t *frame;
	size_t n;
	int media, signalling;
	uint32_t touched;
};

static void touch(struct up *u, const uint8_t *p, size_t n)
{
	MUST(p >= u->frame && p <= u->frame + u->n && n <= (size_t)(u->frame + u->n - p));
	for (size_t i = 0; i < n; i++)
		u->touched += p[i];
}

static void on_media(void *arg, const struct optag_rec *r, const uint8_t *payload)
{
	struct up *u = arg;
	uint8_t pt;

	u->media++;
	touch(u, payload, r->len);
	MUST(r->len >= 12 && r->len <= r->wire_len && r->len <= OPTAG_MAX_PAYLOAD);
	MUST(payload[0] >> 6 == 2);
	MUST(r->verdict == OPTAG_V_GATE || r->verdict == OPTAG_V_RECORD || r->verdict == OPTAG_V_INSPECT);
	pt = payload[1] & 0x7f;
	MUST(r->verdict != OPTAG_V_GATE || pt == F_TE1 || pt == F_TE2);
}

static void on_signalling(void *arg, const struct optag_sig *s, const uint8_t *packet)
{
	struct up *u = arg;

	u->signalling++;
	touch(u, packet, s->len);
	MUST(s->len >= 20 && s->len <= s->wire_len && s->l4_off <= s->len);
	MUST(s->kind >= OPTAG_SIG_UDP && s->kind <= OPTAG_SIG_FRAG);
	MUST(packet[0] >> 4 == s->family);
}

static int one_more(const uint64_t *before, const uint64_t *after)
{
	int which = 0;

	MUST(after[OPTAG_C_SEEN] == before[OPTAG_C_SEEN] + 1);
	for (int i = OPTAG_C_SEEN + 1; i < OPTAG_C_MAX; i++) {
		if (after[i] == before[i])
			continue;
		MUST(after[i] == before[i] + 1 && !which);
		which = i;
	}
	MUST(which);
	return which;
}

static int run(struct classify *c, struct up *u, const uint8_t *data, size_t size)
{
	uint64_t before[OPTAG_C_MAX];
	int which;

	u->media = u->signalling = 0;
	memcpy(before, classify_counts(c), sizeof(before));
	classify_packet(c, (enum classify_link)(data[0] % 5), be16dec(data + 3), u->frame, u->n,
			size - 5 + data[2], 1, 1);
	which = one_more(before, classify_counts(c));
	MUST(u->media == (which == OPTAG_C_AUDIO || which == OPTAG_C_EVENT));
	MUST(u->signalling == (which == OPTAG_C_SIG));
	return which;
}

static void set_verdict(struct flow_table *t, uint8_t verdict)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct endpoint at;

		f_endpoint(v6, F_P_RECORD, &at);
		MUST(!flow_set_verdict(t, &at, IPPROTO_UDP, 0x1001, verdict));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct up u = { .frame = data + 5 };
	struct classify_sink sink = { .arg = &u, .media = on_media, .signalling = on_signalling };
	static struct flow_table *t;
	struct optag_config cfg;
	struct classify *c;

	if (size < 5)
		return 0;
	if (!t) {
		MUST(!flow_new(F_LINES, F_SEED, NULL, NULL, &t));
		MUST(!f_set_flows(t));
	}
	set_verdict(t, (uint8_t)(OPTAG_V_BLOCK + data[1] % 4));
	f_config(&cfg);
	MUST(!classify_new(&cfg, t, &sink, &c));
	u.n = size - 5;
	MUST(run(c, &u, data, size) == run(c, &u, data, size));
	classify_free(c);
	return 0;
}
