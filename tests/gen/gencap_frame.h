/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gencap_frame.h - of gencap.c: capture files, link layers, encapsulations, IP, UDP
 *
 * Everything is built inside out in one buffer with room in front. Knows nothing
 * of the daemon's parsers, on purpose: what these bytes are is checked by tshark
 * (tests/cli/gencap.sh).
 */
#ifndef GENCAP_FRAME_H
#define GENCAP_FRAME_H

#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

enum link { LINK_ETHERNET, LINK_SLL, LINK_SLL2, LINK_RAW, LINK_NULL };
enum encap {
	ENCAP_NONE, ENCAP_VLAN, ENCAP_QINQ, ENCAP_MPLS, ENCAP_GRE,
	ENCAP_ERSPAN2, ENCAP_ERSPAN3, ENCAP_VXLAN, ENCAP_IPIP,
};

static const char *const link_names[] = {"ethernet", "sll", "sll2", "raw", "null", NULL};
static const uint16_t link_types[] = {1, 113, 276, 101, 0};
static const char *const encap_names[] = {"none", "vlan", "qinq", "mpls", "gre",
					  "erspan2", "erspan3", "vxlan", "ipip", NULL};

struct host {
	uint8_t ip[16]; /* first 4 when IPv4 */
};

struct net { /* of the whole file */
	FILE *f;
	const char *path;
	bool nano, pcapng, v6;
	enum link link;
	enum encap encap;
	unsigned fragment; /* largest IP packet, 0 no limit */
	uint16_t ip_id;
	uint32_t tunnel_seq;
	uint64_t frames, bytes;
};

#define FRONT	 256 /* room for the headers in front of a payload */
#define FRAME_MAX 65535

struct frame { /* b[at..end) */
	uint8_t b[FRONT + FRAME_MAX];
	size_t at, end;
};

static uint8_t *front(struct frame *f, size_t n)
{
	if (n > f->at)
		errx(1, "gencap: no room for headers");
	f->at -= n;
	return f->b + f->at;
}

/* ---- files ---- */

static void out(struct net *n, const void *p, size_t len)
{
	if (fwrite(p, 1, len, n->f) != len)
		err(1, "%s", n->path);
	n->bytes += len;
}

static void file_open(struct net *n)
{
	uint8_t h[28 + 32] = {0};

	n->f = fopen(n->path, "wb");
	if (!n->f)
		err(1, "%s", n->path);
	setvbuf(n->f, NULL, _IOFBF, 1 << 20);
	if (!n->pcapng) {
		le32enc(h, n->nano ? 0xa1b23c4d : 0xa1b2c3d4);
		le16enc(h + 4, 2);
		le16enc(h + 6, 4);
		le32enc(h + 16, 262144);
		le32enc(h + 20, link_types[n->link]);
		out(n, h, 24);
		return;
	}
	le32enc(h, 0x0a0d0d0a); /* section header */
	le32enc(h + 4, 28);
	le32enc(h + 8, 0x1a2b3c4d);
	le16enc(h + 12, 1);
	memset(h + 16, 0xff, 8);
	le32enc(h + 24, 28);
	le32enc(h + 28, 1); /* interface, if_tsresol and end of options */
	le32enc(h + 32, 32);
	le16enc(h + 36, link_types[n->link]);
	le32enc(h + 40, 262144);
	le16enc(h + 44, 9);
	le16enc(h + 46, 1);
	h[48] = n->nano ? 9 : 6;
	le32enc(h + 56, 32);
	out(n, h, 60);
}

static void file_close(struct net *n)
{
	if (fclose(n->f))
		err(1, "%s", n->path);
}

static void write_pcap(struct net *n, uint64_t ns, const uint8_t *p, size_t caplen, size_t len)
{
	uint8_t h[16];

	le32enc(h, (uint32_t)(ns / 1000000000));
	le32enc(h + 4, (uint32_t)(ns % 1000000000 / (n->nano ? 1 : 1000)));
	le32enc(h + 8, (uint32_t)caplen);
	le32enc(h + 12, (uint32_t)len);
	out(n, h, 16);
	out(n, p, caplen);
}

static void write_pcapng(struct net *n, uint64_t ns, const uint8_t *p, size_t caplen, size_t len)
{
	uint8_t h[28], tail[8] = {0};
	size_t pad = (4 - caplen % 4) % 4;
	uint64_t t = n->nano ? ns : ns / 1000;

	le32enc(h, 6);
	le32enc(h + 4, (uint32_t)(32 + caplen + pad));
	le32enc(h + 8, 0);
	le32enc(h + 12, (uint32_t)(t >> 32));
	le32enc(h + 16, (uint32_t)t);
	le32enc(h + 20, (uint32_t)caplen);
	le32enc(h + 24, (uint32_t)len);
	out(n, h, 28);
	out(n, p, caplen);
	le32enc(tail + pad, (uint32_t)(32 + caplen + pad));
	out(n, tail, pad + 4);
}

/* cut: bytes that the capture left off at the end. */
static void write_frame(struct net *n, uint64_t ns, const struct frame *f, size_t cut)
{
	size_t len = f->end - f->at;
	size_t caplen = cut < len ? len - cut : 0;

	n->frames++;
	(n->pcapng ? write_pcapng : write_pcap)(n, ns, f->b + f->at, caplen, len);
}

/* ---- checksums ---- */

static uint32_t sum16(const uint8_t *p, size_t n, uint32_t s)
{
	for (; n > 1; p += 2, n -= 2)
		s += be16dec(p);
	return n ? s + ((uint32_t)*p << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* Of UDP or TCP at f->at to f->end, with the pseudo header; the field must be 0. */
static uint16_t l4_sum(const struct net *n, const struct frame *f, const struct host *src,
		       const struct host *dst, uint8_t proto)
{
	size_t alen = n->v6 ? 16 : 4, len = f->end - f->at;
	uint32_t s = proto + (uint32_t)len;

	s = sum16(src->ip, alen, s);
	s = sum16(dst->ip, alen, s);
	return fold(sum16(f->b + f->at, len, s));
}

/* ---- IP ---- */

static void put_ip4(struct frame *f, const uint8_t *src, const uint8_t *dst, uint8_t proto,
		    uint16_t id, uint16_t frag)
{
	uint8_t *h = front(f, 20);

	memset(h, 0, 20);
	h[0] = 0x45;
	be16enc(h + 2, (uint16_t)(f->end - f->at));
	be16enc(h + 4, id);
	be16enc(h + 6, frag);
	h[8] = 64;
	h[9] = proto;
	memcpy(h + 12, src, 4);
	memcpy(h + 16, dst, 4);
	be16enc(h + 10, fold(sum16(h, 20, 0)));
}

static void put_ip6(struct frame *f, const uint8_t *src, const uint8_t *dst, uint8_t proto)
{
	size_t len = f->end - f->at;
	uint8_t *h = front(f, 40);

	memset(h, 0, 8);
	h[0] = 0x60;
	be16enc(h + 4, (uint16_t)len);
	h[6] = proto;
	h[7] = 64;
	memcpy(h + 8, src, 16);
	memcpy(h + 24, dst, 16);
}

/* ---- what is around the IP packet ---- */

static void put_ethernet(struct frame *f, uint16_t type, bool reverse)
{
	uint8_t *h = front(f, 14);
	static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

	memcpy(h, mac[!reverse], 6);
	memcpy(h + 6, mac[reverse], 6);
	be16enc(h + 12, type);
}

static void put_tag(struct frame *f, uint16_t vlan, uint16_t inner_type)
{
	uint8_t *h = front(f, 4);

	be16enc(h, vlan);
	be16enc(h + 2, inner_type);
}

static void put_gre(struct net *n, struct frame *f, uint16_t type, bool seq)
{
	uint8_t *h;

	if (seq)
		be32enc(front(f, 4), n->tunnel_seq++);
	h = front(f, 4);
	be16enc(h, seq ? 0x1000 : 0);
	be16enc(h + 2, type);
}

static void put_outer(struct net *n, struct frame *f, uint8_t proto)
{
	static const uint8_t src[4] = {172, 16, 0, 1}, dst[4] = {172, 16, 0, 2};

	put_ip4(f, src, dst, proto, n->ip_id++, 0);
}

static void put_erspan(struct net *n, struct frame *f, uint64_t ns)
{
	bool three = n->encap == ENCAP_ERSPAN3;
	uint8_t *h = front(f, three ? 12 : 8);

	memset(h, 0, three ? 12 : 8);
	be16enc(h, (uint16_t)((three ? 2 : 1) << 12 | 7)); /* version, VLAN 7 */
	be16enc(h + 2, 42);				   /* session */
	if (three)
		be32enc(h + 4, (uint32_t)(ns / 100));
	else
		be32enc(h + 4, 3); /* port index */
	put_gre(n, f, three ? 0x22eb : 0x88be, true);
	put_outer(n, f, 47);
}

static void put_vxlan(struct net *n, struct frame *f)
{
	uint8_t *h = front(f, 8);

	memset(h, 0, 8);
	h[0] = 8;
	h[6] = 99; /* VNI 99 */
	h = front(f, 8);
	be16enc(h, 49152);
	be16enc(h + 2, 4789);
	be16enc(h + 4, (uint16_t)(f->end - f->at));
	be16enc(h + 6, 0);
	put_outer(n, f, 17);
}

/* Wraps the IP packet; the Ethernet type of what is now in front. */
static uint16_t put_encap(struct net *n, struct frame *f, uint16_t type, bool reverse, uint64_t ns)
{
	switch (n->encap) {
	case ENCAP_NONE:
		return type;
	case ENCAP_VLAN:
		put_tag(f, 100, type);
		return 0x8100;
	case ENCAP_QINQ:
		put_tag(f, 100, type);
		put_tag(f, 200, 0x8100);
		return 0x88a8;
	case ENCAP_MPLS:
		be32enc(front(f, 4), 17 << 12 | 1 << 8 | 64); /* bottom of stack */
		be32enc(front(f, 4), 16 << 12 | 64);
		return 0x8847;
	case ENCAP_GRE:
		put_gre(n, f, type, false);
		put_outer(n, f, 47);
		break;
	case ENCAP_ERSPAN2:
	case ENCAP_ERSPAN3:
		put_ethernet(f, type, reverse);
		put_erspan(n, f, ns);
		break;
	case ENCAP_VXLAN:
		put_ethernet(f, type, reverse);
		put_vxlan(n, f);
		break;
	case ENCAP_IPIP:
		put_outer(n, f, type == 0x0800 ? 4 : 41);
		break;
	}
	return 0x0800;
}

static void put_link(struct net *n, struct frame *f, uint16_t type, bool reverse)
{
	uint8_t *h;

	switch (n->link) {
	case LINK_ETHERNET:
		put_ethernet(f, type, reverse);
		break;
	case LINK_SLL:
		h = front(f, 16);
		memset(h, 0, 16);
		be16enc(h + 2, 1);
		be16enc(h + 4, 6);
		h[6] = 2;
		be16enc(h + 14, type);
		break;
	case LINK_SLL2:
		h = front(f, 20);
		memset(h, 0, 20);
		be16enc(h, type);
		be32enc(h + 4, 2);
		be16enc(h + 8, 1);
		h[11] = 6;
		h[12] = 2;
		break;
	case LINK_RAW:
		break;
	case LINK_NULL:
		le32enc(front(f, 4), type == 0x0800 ? 2 : 30);
		break;
	}
}

/* The IP packet in f goes into the file. */
static void send_ip(struct net *n, struct frame *f, uint64_t ns, bool reverse, size_t cut)
{
	uint16_t type = n->v6 ? 0x86dd : 0x0800;
	size_t at;

	type = put_encap(n, f, type, reverse, ns);
	put_link(n, f, type, reverse);
	at = f->at;
	/* Ethernet has no shorter frames, and what fills them is not the packet's. */
	if (n->link == LINK_ETHERNET && f->end - at < 60) {
		memset(f->b + f->end, 0, 60 - (f->end - at));
		f->end = at + 60;
	}
	write_frame(n, ns, f, cut);
}

/* One fragment: bytes [from, to) of what f holds above IP. */
static void send_fragment(struct net *n, const struct frame *f, size_t from, size_t to,
			  const struct host *src, const struct host *dst, uint8_t proto,
			  uint32_t id, uint64_t ns, bool reverse)
{
	static struct frame g;
	bool more = to < f->end - f->at;
	uint8_t *h;

	g.at = FRONT;
	g.end = FRONT + (to - from);
	memcpy(g.b + g.at, f->b + f->at + from, to - from);
	if (n->v6) {
		h = front(&g, 8);
		memset(h, 0, 8);
		h[0] = proto;
		be16enc(h + 2, (uint16_t)(from | more));
		be32enc(h + 4, id);
		put_ip6(&g, src->ip, dst->ip, 44);
	} else {
		put_ip4(&g, src->ip, dst->ip, proto, (uint16_t)id,
			(uint16_t)((more ? 0x2000 : 0) | from / 8));
	}
	send_ip(n, &g, ns, reverse, 0);
}

/* Every other fragmented packet has its later pieces in reverse order; one that overtakes the first stays below (bpf/optag.h). */
static void send_fragments(struct net *n, const struct frame *f, const struct host *src,
			   const struct host *dst, uint8_t proto, uint64_t ns, bool reverse)
{
	size_t len = f->end - f->at, step = (n->fragment - (n->v6 ? 48 : 20)) / 8 * 8;
	size_t pieces = (len + step - 1) / step;
	uint32_t id = n->ip_id++;

	for (size_t i = 0; i < pieces; i++) {
		size_t k = id % 2 && i ? pieces - i : i;
		size_t to = (k + 1) * step < len ? (k + 1) * step : len;

		send_fragment(n, f, k * step, to, src, dst, proto, id, ns, reverse);
	}
}

static void send_l4(struct net *n, struct frame *f, const struct host *src, const struct host *dst,
		    uint8_t proto, uint64_t ns, bool reverse, size_t cut)
{
	if (n->fragment && f->end - f->at + (n->v6 ? 40 : 20) > n->fragment) {
		send_fragments(n, f, src, dst, proto, ns, reverse);
		return;
	}
	if (n->v6)
		put_ip6(f, src->ip, dst->ip, proto);
	else
		put_ip4(f, src->ip, dst->ip, proto, n->ip_id++, 0x4000);
	send_ip(n, f, ns, reverse, cut);
}

static void send_udp(struct net *n, struct frame *f, const struct host *src, uint16_t sport,
		     const struct host *dst, uint16_t dport, uint64_t ns, bool reverse, size_t cut)
{
	uint8_t *h = front(f, 8);
	uint16_t s;

	be16enc(h, sport);
	be16enc(h + 2, dport);
	be16enc(h + 4, (uint16_t)(f->end - f->at));
	be16enc(h + 6, 0);
	s = l4_sum(n, f, src, dst, 17);
	be16enc(h + 6, s ? s : 0xffff);
	send_l4(n, f, src, dst, 17, ns, reverse, cut);
}

#endif
