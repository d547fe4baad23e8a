/* SPDX-License-Identifier: BSD-2-Clause */
/* pcap_internal.h - link headers and times, shared by capture files (pcap.c) and live.c */
#ifndef PCAP_INTERNAL_H
#define PCAP_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#include "capture/pcap.h"

bool pcap_link_supported(int linktype);
/* Takes a cooked or loopback header off; false: too short, or says nothing we know. */
bool pcap_link_strip(int linktype, struct pcap_packet *p);
/* libpcap's time, taken with nanosecond precision. */
uint64_t pcap_time_ns(const struct timeval *tv);

#endif
