/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load_wire.h - of optag-load.c: the streams' packets and the messages onto an interface
 *
 * Two senders with the same streams and the same packets. "live": the kernel makes
 * them by BPF_PROG_TEST_RUN live frames (load_send.bpf.c writes what differs), some
 * 100 ns each, so that one core offers a million a second; the far end must have XDP
 * or GRO. "packet": an AF_PACKET socket and sendmmsg, for any interface. Messages go
 * through the socket with both. On veth either way the far end's receive work runs
 * inside the send, on this CPU, so the order of all packets is the order of calls here.
 *
 * Streams that are due in the same millisecond modulo 20 share a slot.
 */
#ifndef LOAD_WIRE_H
#define LOAD_WIRE_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <libgen.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/bpf/load_send.h"

#define WIRE_SLOTS 20 /* one a millisecond: a packet each 20 ms */
#define WIRE_BATCH 64
#define WIRE_MTU   1500

struct wire {
	int fd, prog, link, ifindex;
	bool live;
	uint32_t l2, vlan, per_slot, nstreams, batch;
	struct load_stream *streams;
	uint64_t *slots; /* WIRE_SLOTS times per_slot numbers of streams, as wide as an array map keeps them */
	uint32_t due[WIRE_SLOTS];
	uint8_t *pool;
	struct load_run *run;
	struct bpf_object *obj;
	uint64_t rtp, messages, events, errors;
	uint8_t frame[WIRE_BATCH][256];
};

/* For initialisers, where htons is no constant. */
#define BE16(v) ((__be16)__builtin_bswap16(v))
#define BE32(v) ((__be32)__builtin_bswap32(v))

static void be16(uint8_t *p, uint32_t v)
{
	be16enc(p, (uint16_t)v);
}

/* ---- frames ---- */

/* Ethernet, tag, IPv4, UDP before n bytes of payload at p; returns where the payload goes. */
static uint8_t *put_head(const struct wire *w, uint8_t *p, const struct load_stream *s, uint32_t n)
{
	static const uint8_t mac[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
	uint8_t *ip = p + w->l2;
	uint32_t sum = 0;

	memcpy(p, mac, 12);
	if (w->vlan) {
		be16(p + 12, 0x8100);
		be16(p + 14, w->vlan);
	}
	be16(ip - 2, 0x0800);
	memset(ip, 0, 28);
	ip[0] = 0x45;
	be16(ip + 2, 28 + n);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, &s->src, 4);
	memcpy(ip + 16, &s->dst, 4);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	be16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
	memcpy(ip + 20, &s->sport, 2);
	memcpy(ip + 22, &s->dport, 2);
	be16(ip + 24, 8 + n);
	return ip + 28;
}

static void put_rtp(uint8_t *p, const struct load_stream *s, uint8_t pt, bool mark, uint32_t ts)
{
	p[0] = 0x80;
	p[1] = (uint8_t)(pt | (mark ? 0x80 : 0));
	be16(p + 2, s->seq);
	be16(p + 4, ts >> 16);
	be16(p + 6, ts);
	memcpy(p + 8, &s->ssrc, 4);
}

static void stream_next(struct load_stream *s)
{
	s->seq++;
	s->ts += LOAD_PAYLOAD;
	s->at += LOAD_PAYLOAD;
	s->mark = 0;
	s->sent++;
}

/* ---- out ---- */

/* One frame through the socket. What the kernel has no room for is tried again: the load must be what was asked for. */
static void wire_frame(struct wire *w, const uint8_t *p, size_t n)
{
	for (int i = 0; i < 1000; i++) {
		if (send(w->fd, p, n, 0) == (ssize_t)n)
			return;
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			break;
	}
	w->errors++;
}

static void wire_message(struct wire *w, const struct load_stream *way, const char *text, size_t n)
{
	uint8_t f[WIRE_MTU + 18];

	if (n > WIRE_MTU - 28)
		errx(1, "message of %zu bytes", n);
	memcpy(put_head(w, f, way, (uint32_t)n), text, n);
	wire_frame(w, f, w->l2 + 28 + n);
	w->messages++;
}

/* Packet k of a key press: 8 updates, then 3 with the end bit. */
static void wire_event(struct wire *w, struct load_stream *s, uint8_t digit, unsigned k)
{
	uint8_t f[256], *p = put_head(w, f, s, 16);

	put_rtp(p, s, LOAD_PT_TE, k == 0, s->ts - k * LOAD_PAYLOAD);
	p[12] = digit;
	p[13] = (uint8_t)(k < 8 ? 0x0a : 0x8a);
	be16(p + 14, LOAD_PAYLOAD * (k < 8 ? k + 1 : 8));
	wire_frame(w, f, w->l2 + 28 + 16);
	s->seq++;
	s->ts += LOAD_PAYLOAD;
	w->events++;
}

static void send_packets(struct wire *w, const uint64_t *who, uint32_t n)
{
	struct mmsghdr m[WIRE_BATCH];
	struct iovec v[WIRE_BATCH];
	uint32_t i, done = 0;

	for (i = 0; i < n; i++) {
		struct load_stream *s = &w->streams[who[i]];
		uint8_t *p = put_head(w, w->frame[i], s, 12 + LOAD_PAYLOAD);

		put_rtp(p, s, s->pt, s->mark, s->ts);
		memcpy(p + 12, w->pool + s->at % LOAD_POOL, LOAD_PAYLOAD);
		stream_next(s);
		v[i] = (struct iovec){ w->frame[i], w->l2 + 28 + 12 + LOAD_PAYLOAD };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &v[i], .msg_iovlen = 1 } };
	}
	for (i = 0; done < n && i < 10000; i++) {
		int r = sendmmsg(w->fd, m + done, n - done, 0);

		if (r > 0)
			done += (uint32_t)r;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			break;
	}
	w->rtp += done;
	w->errors += n - done;
}

static void send_live(struct wire *w, uint32_t first, uint32_t n)
{
	static uint8_t frame[256];
	static const struct load_stream any;
	struct xdp_md md = { .ingress_ifindex = 0 };
	uint8_t *p = put_head(w, frame, &any, 12 + LOAD_PAYLOAD);
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = w->l2 + 28 + 12 + LOAD_PAYLOAD,
		    .ctx_in = &md, .ctx_size_in = sizeof(md), .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = w->batch);

	p[0] = 0x80;
	md.data_end = o.data_size_in;
	w->run->next = first;
	w->run->end = first + n;
	while (w->run->next < w->run->end) {
		uint32_t before = w->run->next;

		o.repeat = (int)(w->run->end - before);
		if (bpf_prog_test_run_opts(w->prog, &o) && errno != EINTR && errno != EAGAIN)
			err(1, "BPF_PROG_TEST_RUN with live frames");
	}
	w->rtp += n;
}

/* The packets of all streams that are due in this slot. */
static void wire_slot(struct wire *w, unsigned slot)
{
	uint32_t first = slot * w->per_slot, n = w->due[slot];

	if (w->live) {
		if (n)
			send_live(w, first, n);
		return;
	}
	for (uint32_t i = 0; i < n; i += WIRE_BATCH)
		send_packets(w, w->slots + first + i, n - i < WIRE_BATCH ? n - i : WIRE_BATCH);
}

/* ---- which streams ---- */

/* Returns the place in the slot. */
static uint32_t wire_add(struct wire *w, uint32_t stream, unsigned slot)
{
	w->slots[slot * w->per_slot + w->due[slot]] = stream;
	return w->due[slot]++;
}

/* Returns the stream that now has this place (the removed one itself when it was last). */
static uint32_t wire_remove(struct wire *w, unsigned slot, uint32_t place)
{
	uint64_t *s = w->slots + slot * w->per_slot;

	s[place] = s[--w->due[slot]];
	return (uint32_t)s[place];
}

/* ---- start ---- */

static void *map_memory(struct bpf_object *o, const char *name, uint32_t entries)
{
	struct bpf_map *m = bpf_object__find_map_by_name(o, name);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t n = (size_t)entries * ((bpf_map__value_size(m) + 7) & ~7u);
	void *p = mmap(NULL, (n + page - 1) & ~(page - 1), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(m), 0);

	if (p == MAP_FAILED)
		err(1, "map %s", name);
	return p;
}

static struct bpf_object *load_object(uint32_t nstreams, uint32_t nslots, uint32_t l2)
{
	char exe[4096] = "", path[4200];
	struct bpf_object *o;
	struct bpf_map *m;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		err(1, "/proc/self/exe");
	snprintf(path, sizeof(path), "%s/../bpf/load_send.bpf.o", dirname(exe));
	o = bpf_object__open_file(path, NULL);
	if (!o)
		err(1, "%s", path);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(o, "streams"), nstreams);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(o, "slots"), nslots);
	bpf_object__for_each_map(m, o)
	{
		if (strstr(bpf_map__name(m), ".rodata"))
			bpf_map__set_initial_value(m, &l2, sizeof(l2));
	}
	if (bpf_object__load(o))
		err(1, "%s", path);
	return o;
}

/*
 * BPF_PROG_TEST_RUN enters the program into the kernel's XDP dispatcher and takes it out, for which it waits for all
 * CPUs: 30 ms. A program that is attached somewhere is in it already. It lets pass what comes in here.
 */
static void stay_in_dispatcher(struct wire *w)
{
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = XDP_FLAGS_SKB_MODE);

	w->link = bpf_link_create(w->prog, w->ifindex, BPF_XDP, &o);
	if (w->link < 0)
		err(1, "no XDP program at the sending interface");
}

static void open_live(struct wire *w)
{
	w->obj = load_object(w->nstreams, WIRE_SLOTS * w->per_slot, w->l2);
	w->prog = bpf_program__fd(bpf_object__find_program_by_name(w->obj, "load_send"));
	w->streams = map_memory(w->obj, "streams", w->nstreams);
	w->slots = map_memory(w->obj, "slots", WIRE_SLOTS * w->per_slot);
	w->pool = map_memory(w->obj, "pool", 1);
	w->run = map_memory(w->obj, "run", 1);
	w->run->out = (uint32_t)w->ifindex;
	stay_in_dispatcher(w);
}

static void wire_open(struct wire *w, const char *ifname, bool live, uint32_t vlan, uint32_t nstreams)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	int one = 1, space = 8 << 20;

	w->ifindex = to.sll_ifindex = (int)if_nametoindex(ifname);
	if (!w->ifindex)
		err(1, "%s", ifname);
	w->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (w->fd < 0 || bind(w->fd, (struct sockaddr *)&to, sizeof(to)))
		err(1, "packet socket");
	/* Best effort: with neither it is slower, and errors are counted. */
	(void)setsockopt(w->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	(void)setsockopt(w->fd, SOL_SOCKET, SO_SNDBUFFORCE, &space, sizeof(space));
	w->live = live;
	w->vlan = vlan;
	w->l2 = vlan ? 18 : 14;
	w->nstreams = nstreams;
	w->per_slot = nstreams;
	if (live) {
		open_live(w);
		return;
	}
	w->streams = calloc(nstreams, sizeof(*w->streams));
	w->slots = calloc(WIRE_SLOTS * (size_t)nstreams, sizeof(*w->slots));
	w->pool = malloc(LOAD_POOL + 4096);
	if (!w->streams || !w->slots || !w->pool)
		err(1, NULL);
}

/* Ends nothing at the far end: the program there is optagd's. */
static void wire_close(struct wire *w)
{
	close(w->fd);
	if (w->live)
		close(w->link);
	bpf_object__close(w->obj);
}

#endif
