/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap.h - capture files through libpcap
 *
 * pcap and pcapng, micro- and nanoseconds, any of: Ethernet, Linux cooked v1
 * and v2, raw IP (IPv4, IPv6), BSD loopback (NULL, LOOP). A pcapng whose
 * interfaces differ in link type is refused with the reason by libpcap (1.10
 * also refuses two raw-IP interfaces in one pcapng; one is fine). "-" is
 * standard input.
 */
#ifndef PCAP_H
#define PCAP_H

#include <stddef.h>
#include <stdint.h>

#include "capture/classify.h"

struct pcap_file;

struct pcap_packet { /* valid until the next pcap_file_next */
	enum classify_link link;
	uint16_t ethertype;
	const uint8_t *data; /* behind the cooked or loopback header */
	size_t caplen, wire_len;
	uint64_t ts_ns;
};

/* why (size n) gets one line, file name first. -ENOENT, -EACCES, -EISDIR ...,
 * -EBADMSG not a capture, -ENOTSUP link type. */
int pcap_file_open(const char *path, struct pcap_file **ret, char *why, size_t n);
/* 1 a packet, 0 the end, -EBADMSG the file is cut or damaged here (why is set; what came before stands). */
int pcap_file_next(struct pcap_file *f, struct pcap_packet *ret, char *why, size_t n);
/* Bytes read and size of the file (0: a pipe), for progress. */
void pcap_file_progress(const struct pcap_file *f, uint64_t *ret_read, uint64_t *ret_size);
uint64_t pcap_file_skipped(const struct pcap_file *f); /* packets whose link header was too short or unknown */
void pcap_file_close(struct pcap_file *f);

#endif
