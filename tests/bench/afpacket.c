/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * afpacket.c - what recording costs without XDP: a TPACKET_V3 ring, all frames into one pcap file
 *
 *	afpacket INTERFACE FILE
 *
 * Nothing is parsed, sorted, compressed or encrypted: the least that a recorder on
 * AF_PACKET must do. On SIGTERM one JSON object on stdout: frames, those the kernel
 * dropped, CPU seconds. The file is closed and stays.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK	(4u << 20)
#define BLOCKS	64u /* 256 MiB */
#define OUT_MAX (1u << 20)

static volatile sig_atomic_t stop;
static uint8_t *out;
static size_t out_n;
static int file;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void flush_out(void)
{
	for (size_t at = 0; at < out_n;) {
		ssize_t n = write(file, out + at, out_n - at);

		if (n < 0 && errno != EINTR)
			err(1, "write");
		at += n > 0 ? (size_t)n : 0;
	}
	out_n = 0;
}

static void put(const void *p, size_t n)
{
	if (out_n + n > OUT_MAX)
		flush_out();
	memcpy(out + out_n, p, n);
	out_n += n;
}

static uint64_t take_block(struct tpacket_block_desc *b)
{
	struct tpacket3_hdr *h = (struct tpacket3_hdr *)((uint8_t *)b + b->hdr.bh1.offset_to_first_pkt);
	uint64_t n = b->hdr.bh1.num_pkts;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t head[4] = { h->tp_sec, h->tp_nsec / 1000, h->tp_snaplen, h->tp_len };

		put(head, sizeof(head));
		put((uint8_t *)h + h->tp_mac, h->tp_snaplen);
		h = (struct tpacket3_hdr *)((uint8_t *)h + h->tp_next_offset);
	}
	return n;
}

static int open_ring(const char *ifname, uint8_t **ret_ring)
{
	struct tpacket_req3 req = { .tp_block_size = BLOCK, .tp_block_nr = BLOCKS, .tp_frame_size = 2048,
				    .tp_frame_nr = BLOCK / 2048 * BLOCKS, .tp_retire_blk_tov = 20 };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), v = TPACKET_V3;

	at.sll_ifindex = (int)if_nametoindex(ifname);
	if (fd < 0 || !at.sll_ifindex || setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof(v)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		err(1, "%s", ifname);
	*ret_ring = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*ret_ring == MAP_FAILED || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		err(1, "%s", ifname);
	return fd;
}

static uint64_t run(int fd, uint8_t *ring)
{
	struct pollfd p = { fd, POLLIN | POLLERR, 0 };
	uint64_t frames = 0;
	unsigned i = 0, quiet = 0;

	while (!stop || quiet < 3) { /* what is in the ring still counts */
		struct tpacket_block_desc *b = (struct tpacket_block_desc *)(ring + (size_t)i * BLOCK);

		if (!(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
			quiet = poll(&p, 1, 50) == 0 ? quiet + 1 : quiet + (unsigned)stop;
			continue;
		}
		quiet = 0;
		frames += take_block(b);
		__atomic_store_n(&b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		i = (i + 1) % BLOCKS;
	}
	return frames;
}

int main(int argc, char **argv)
{
	static const uint32_t head[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 };
	struct tpacket_stats_v3 st = { .tp_drops = 0 };
	socklen_t n = sizeof(st);
	struct rusage ru;
	uint64_t frames;
	uint8_t *ring;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: afpacket INTERFACE FILE\n");
		return 2;
	}
	signal(SIGTERM, on_signal);
	out = malloc(OUT_MAX);
	file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!out || file < 0)
		err(1, "%s", argv[2]);
	put(head, sizeof(head));
	fd = open_ring(argv[1], &ring);
	fprintf(stderr, "listening on %s\n", argv[1]);
	frames = run(fd, ring);
	flush_out();
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &n) || close(file))
		err(1, "%s", argv[2]);
	getrusage(RUSAGE_SELF, &ru);
	printf("{\"frames\":%llu,\"dropped\":%u,\"cpu\":{\"user\":%.4f,\"system\":%.4f}}\n", (unsigned long long)frames,
	       st.tp_drops, (double)ru.ru_utime.tv_sec + (double)ru.ru_utime.tv_usec / 1e6,
	       (double)ru.ru_stime.tv_sec + (double)ru.ru_stime.tv_usec / 1e6);
	return 0;
}
