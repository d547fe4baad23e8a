/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_pcap.c - the RTP packets of a call as a capture
 *
 * RTP header as received (payload type, marker, sequence number, timestamp,
 * SSRC; padding, CSRCs and extensions are not kept), arrival time in
 * nanoseconds. Ethernet, IPv4 and UDP around it are made up, with addresses of
 * RFC 5737 so that nobody takes them for the real ones:
 *
 *	caller's voice 192.0.2.1:40000 -> 192.0.2.2:40002, stream n at 40000 + 4n
 *	callee's voice 192.0.2.2:40002 -> 192.0.2.1:40000
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/le.h"
#include "cli.h"
#include "export.h"

enum { ETH = 14, IP = 20, UDP = 8, RTP = 12, HEAD = ETH + IP + UDP + RTP };

struct pcap_out {
	struct out *o;
	struct export_call *c;
	uint16_t ip_id;
};

static uint32_t sum(const uint8_t *p, size_t n, uint32_t s)
{
	for (; n > 1; p += 2, n -= 2)
		s += be16dec(p);
	return n ? s + ((uint32_t)p[0] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void ip_header(uint8_t *ip, unsigned leg, size_t len, uint16_t id)
{
	ip[0] = 0x45;
	be16enc(ip + 2, (uint16_t)(IP + UDP + RTP + len));
	be16enc(ip + 4, id);
	ip[8] = 64;
	ip[9] = 17;
	be32enc(ip + 12, 0xc0000201 + leg);
	be32enc(ip + 16, 0xc0000202 - leg);
	be16enc(ip + 10, fold(sum(ip, IP, 0)));
}

static void udp_header(uint8_t *udp, const uint8_t *ip, const struct export_pkt *p)
{
	uint16_t base = (uint16_t)(40000 + 4 * p->stream), n = (uint16_t)(UDP + RTP + p->len), check;
	uint32_t s;

	be16enc(udp, (uint16_t)(base + (p->leg ? 2 : 0)));
	be16enc(udp + 2, (uint16_t)(base + (p->leg ? 0 : 2)));
	be16enc(udp + 4, n);
	/* pseudo header: addresses, protocol, length */
	s = sum(ip + 12, 8, 17u + n);
	s = sum(udp, UDP + RTP, s);
	check = fold(sum(p->payload, p->len, s));
	be16enc(udp + 6, check ? check : 0xffff);
}

static int put(void *arg, const struct export_pkt *p)
{
	struct pcap_out *y = arg;
	uint8_t rec[16], h[HEAD] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0 };
	uint8_t *ip = h + ETH, *udp = ip + IP, *rtp = udp + UDP;
	uint32_t total = HEAD + (uint32_t)p->len;

	if (total - ETH > 65535) {
		y->c->beyond++; /* longer than UDP carries: cannot have come from the wire */
		return 0;
	}
	if (p->leg) {
		h[5] = 1;
		h[11] = 2;
	}
	rtp[0] = 0x80;
	rtp[1] = (uint8_t)((p->flags & CHUNK_P_MARKER ? 0x80 : 0) | (p->pt & 0x7f));
	be16enc(rtp + 2, (uint16_t)p->seq);
	be32enc(rtp + 4, p->ts);
	be32enc(rtp + 8, p->ssrc);
	ip_header(ip, p->leg, p->len, y->ip_id++);
	udp_header(udp, ip, p);
	le32enc(rec, (uint32_t)(p->arrival_ns / NS_PER_S));
	le32enc(rec + 4, (uint32_t)(p->arrival_ns % NS_PER_S));
	le32enc(rec + 8, total);
	le32enc(rec + 12, total);
	if (out_write(y->o, rec, sizeof(rec)) || out_write(y->o, h, sizeof(h)))
		return -EIO;
	return out_write(y->o, p->payload, p->len);
}

int export_pcap(struct export_call *c, const char *out, bool force, struct export_result *r)
{
	struct pcap_out y = { .c = c };
	uint8_t head[24] = { 0 };
	int rc = out_open(out, force, &y.o);

	if (rc)
		return rc;
	r->leg[r->n] = -1;
	r->file[r->n++] = y.o;
	le32enc(head, 0xa1b23c4d); /* nanoseconds */
	le16enc(head + 4, 2);
	le16enc(head + 6, 4);
	le32enc(head + 16, 262144);
	le32enc(head + 20, 1); /* Ethernet */
	rc = out_write(y.o, head, sizeof(head));
	return rc ? rc : export_packets(c, EXPORT_BY_ARRIVAL, put, &y);
}
