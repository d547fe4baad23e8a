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

/*
 * One daemon on an interface, however it captures: ret_fd are the right to it, for as long as this process has them
 * open. -EBUSY: another one captures there (why has a line), -EPERM: no CAP_NET_RAW here, so nobody could be asked;
 * -ENODEV: no such interface; -errno.
 *
 * It is a packet socket that takes no packet, the only one that is let into a fanout group (PACKET_FANOUT with
 * max_num_members 1, since Linux 5.11) with the interface's number. Such groups are the network namespace's, whatever
 * file systems its processes see, so two containers on the host's network find each other; they end with the process,
 * however it ends, and leave no file; and nobody without CAP_NET_RAW there can take one to keep us out, as the name of an
 * abstract socket can be. The key is the number, so names that an interface has beside its own, or gets later, are
 * the same. "any" of libpcap is number 0, and a second group, of one or of many, keeps it apart from all others.
 */
#define NIC_OWN 2
int nic_own(const char *ifname, int ret_fd[NIC_OWN], char *why, size_t n);

#endif
