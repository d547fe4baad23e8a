/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_sigin.c - signalling records through fragments and streams
 *
 * Input: records of kind, family, time step (x 100 ms), length (2 octets, big
 * endian) and that many bytes. Kind 1 to 3: the bytes are an IP packet, as in
 * enum optag_sig_kind. Kind 4: a TCP segment is made around them (2 octets
 * sequence number, 1 of flags, 1 of bytes cut off). Kind 5: a fragment (1 octet
 * offset / 8, 1 of more flag and identification). Kind 6: UDP. Small limits, so
 * that full tables are the rule.
 */
#include <arpa/inet.h>

#include "base/le.h"
#include "fuzz_sip.h"
#include "optag.h"
#include "sip/sigin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t messages, touched;

static void touch(struct sip_str s)
{
	for (size_t i = 0; i < s.n; i++)
		touched += (unsigned char)s.p[i];
}

static void on_message(void *arg, const struct sigin_from *from, const struct sip_msg *m)
{
	(void)arg;
	MUST(from->ts_ns);
	message_sane(m);
	touch(m->call_id);
	touch(m->from.raw);
	touch(m->to.raw);
	touch(m->contact);
	touch(m->body);
	touch(sip_sdp_body(m));
	messages++;
}

static void on_learned(void *arg, const struct endpoint *a, const struct endpoint *b)
{
	(void)arg;
	MUST(a != b);
}

/* IP header of `family` for n bytes of payload; returns its length. */
static size_t ip_header(uint8_t *h, int family, uint8_t proto, size_t n, int frag, uint8_t id)
{
	memset(h, 0, 48);
	if (family == 4) {
		h[0] = 0x45;
		be16enc(h + 2, (uint16_t)(20 + n));
		h[5] = id;
		if (frag >= 0)
			be16enc(h + 6, (uint16_t)((frag >> 1) | (frag & 1) << 13));
		h[9] = proto;
		h[15] = 1;
		h[19] = 2;
		return 20;
	}
	h[0] = 0x60;
	h[23] = 1;
	h[39] = 2;
	h[6] = proto;
	be16enc(h + 4, (uint16_t)(n + (frag >= 0 ? 8 : 0)));
	if (frag < 0)
		return 40;
	h[6] = 44;
	h[40] = proto;
	be16enc(h + 42, (uint16_t)((frag >> 1) << 3 | (frag & 1)));
	h[47] = id;
	return 48;
}

/* Builds the packet of kinds 4 to 6 into out; 0: too few bytes. */
static size_t made(uint8_t *out, int kind, int family, const uint8_t *p, size_t n, size_t *ret_cut)
{
	size_t at;

	*ret_cut = 0;
	if (kind == 4) {
		if (n < 4)
			return 0;
		at = ip_header(out, family, 6, 20 + n - 4 + p[3], -1, 0);
		memset(out + at, 0, 20);
		be16enc(out + at, 5060);
		be16enc(out + at + 2, (uint16_t)(5060 + (p[2] >> 6)));
		be32enc(out + at + 4, 0xffff8000u + be16dec(p));
		out[at + 12] = 0x50;
		out[at + 13] = p[2] & 0x3f;
		memcpy(out + at + 20, p + 4, n - 4);
		*ret_cut = p[3];
		return at + 20 + n - 4;
	}
	if (kind == 5) {
		if (n < 2)
			return 0;
		at = ip_header(out, family, 17, n - 2, p[0] << 1 | (p[1] & 1), p[1] >> 4);
		memcpy(out + at, p + 2, n - 2);
		return at + n - 2;
	}
	at = ip_header(out, family, 17, n + 8, -1, 0);
	be16enc(out + at, 5060);
	be16enc(out + at + 2, 5060);
	be16enc(out + at + 4, (uint16_t)(n + 8));
	be16enc(out + at + 6, 0);
	memcpy(out + at + 8, p, n);
	return at + 8 + n;
}

static void feed(struct sigin *s, struct optag_sig *sig, const uint8_t *packet, size_t n, size_t cut)
{
	uint8_t *exact = malloc(n ? n : 1);

	MUST(exact);
	memcpy(exact, packet, n);
	sig->len = (uint32_t)n;
	sig->wire_len = (uint32_t)(n + cut);
	sigin_packet(s, sig, exact);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t packet[66000];
	struct sigin_limits l = { .frag_packets = 3, .frag_bytes = 3000, .frag_timeout_ns = 3000000000,
				  .tcp_streams = 3, .tcp_bytes = 2000, .tcp_total_bytes = 5000,
				  .tcp_timeout_ns = 9000000000, .tcp_hole_ns = 1000000000 };
	struct sigin_sink sink = { NULL, on_message, on_learned };
	struct optag_sig sig = { .ts_ns = 1 };
	struct sigin_stats st;
	struct sigin *s;
	uint64_t packets = 0;

	messages = 0;
	MUST(!sigin_new(&l, NULL, &sink, &s));
	while (n >= 5) {
		size_t len = be16dec(p + 3), cut = 0, made_n;

		if (len > n - 5 || len > 60000)
			len = n - 5 < 60000 ? n - 5 : 60000;
		sig.kind = p[0] % 7;
		sig.family = p[1] & 1 ? 6 : 4;
		sig.ts_ns += p[2] * 100000000ULL;
		if (sig.kind >= 4) {
			made_n = made(packet, sig.kind, sig.family, p + 5, len, &cut);
			sig.kind = sig.kind == 4 ? OPTAG_SIG_TCP : sig.kind == 5 ? OPTAG_SIG_FRAG : OPTAG_SIG_UDP;
			feed(s, &sig, packet, made_n, cut);
		} else {
			feed(s, &sig, p + 5, len, 0);
		}
		packets++;
		p += 5 + len;
		n -= 5 + len;
	}
	sigin_tick(s, UINT64_MAX);
	sigin_get_stats(s, &st);
	MUST(st.messages == messages && st.packets == packets);
	sigin_free(s);
	return 0;
}
