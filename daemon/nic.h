/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nic.h - what the daemon sets at an interface and at itself before it captures
 *
 * As root, before privileges go. One thread.
 */
#ifndef NIC_H
#define NIC_H

#include <stddef.h>
#include <stdint.h>

/*
 * Combined channels (ethtool -L), or receive channels where the driver has no
 * combined ones. 0 if it has them already. -EOPNOTSUPP: the driver cannot;
 * -ERANGE: not so many; why gets a line.
 */
int nic_set_queues(const char *ifname, uint32_t queues, char *why, size_t n);

/* This thread and those it makes run on the CPUs whose bits are set; none set: nothing happens. -EINVAL: none of them is there. */
int nic_set_cpus(const uint8_t *bits, size_t bytes);

/*
 * This thread gets SCHED_FIFO with that priority, those it makes are ordinary ones; 0 nothing. While root or with
 * RLIMIT_RTPRIO; it stays when privileges go. -errno: not allowed, it runs as before.
 */
int nic_realtime(uint32_t priority);

#endif
