/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_pcap.c - any bytes as a capture file
 *
 * The file lies in memory (memfd) and is opened by name, so the whole way
 * through libpcap is taken. Every packet's bytes are read and classified.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/classify.h"
#include "capture/flow.h"
#include "capture/pcap.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_media(void *arg, const struct optag_rec *r, const uint8_t *payload)
{
	(void)r;
	(void)payload;
	*(int *)arg += 1;
}

static void on_signalling(void *arg, const struct optag_sig *s, const uint8_t *packet)
{
	*(int *)arg += packet[0] + s->len > 0;
}

static void read_all(struct pcap_file *f, struct classify *c, char *why, size_t n)
{
	static volatile uint8_t touched;
	struct pcap_packet p;
	uint64_t done, size;
	int r;

	while ((r = pcap_file_next(f, &p, why, n)) == 1) {
		for (size_t i = 0; i < p.caplen; i++)
			touched = (uint8_t)(touched + p.data[i]);
		classify_packet(c, p.link, p.ethertype, p.data, p.caplen, p.wire_len, p.ts_ns, 0);
	}
	MUST(r == 0 || (r < 0 && why[0] && !strchr(why, '\n')));
	pcap_file_progress(f, &done, &size);
	MUST(done <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct optag_config cfg = { .abi = OPTAG_ABI, .flow_mask = 15, .sip_ports = { 0xc413 } };
	int up = 0;
	struct classify_sink sink = { .arg = &up, .media = on_media, .signalling = on_signalling };
	static struct flow_table *t;
	struct pcap_file *f = NULL;
	struct classify *c;
	char path[64], why[512] = "";
	int fd = memfd_create("capture", MFD_CLOEXEC), r;

	MUST(fd >= 0);
	MUST(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!t)
		MUST(!flow_new(16, 1, NULL, NULL, &t));
	MUST(!classify_new(&cfg, t, &sink, &c));
	r = pcap_file_open(path, &f, why, sizeof(why));
	MUST(r == 0 || (r < 0 && !f && why[0]));
	if (!r)
		read_all(f, c, why, sizeof(why));
	pcap_file_close(f);
	classify_free(c);
	close(fd);
	return 0;
}
