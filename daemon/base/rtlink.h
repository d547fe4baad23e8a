/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rtlink.h - what the kernel says of an interface, by rtnetlink
 *
 * A socket is of the network namespace it was made in, whatever /sys the process sees. It may be made before a
 * system call filter: asking is one send and one receive. One thread a socket.
 */
#ifndef RTLINK_H
#define RTLINK_H

#include <stdbool.h>
#include <stdint.h>

struct rtlink {
	uint32_t index;
	char name[16];
	bool up;     /* and there is a carrier */
	bool device; /* hangs off one, such as a card's PCI function */
	uint64_t rx_bytes, rx_packets, rx_dropped; /* dropped: missed by the card, too */
};

/* groups: RTMGRP_*, whose messages come by themselves; 0 none. The descriptor, non-blocking, or -errno. */
int rtlink_open(uint32_t groups);
/* Messages that came by themselves, or too late, are thrown away. */
void rtlink_drain(int fd);
/* fd of group 0. -ENODEV no such interface; -EIO no answer that is one; -errno. */
int rtlink_ask(int fd, const char *name, struct rtlink *ret);
/* The same of the interface with this index, whatever it is called by now. */
int rtlink_ask_index(int fd, uint32_t index, struct rtlink *ret);

/* Whether this machine is spoken to there: it has an address besides those of IPv6 that are the link's alone. Makes a socket. */
bool rtlink_has_address(const char *name);

#endif
