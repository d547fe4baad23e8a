/* SPDX-License-Identifier: BSD-2-Clause */
/* nic.c - queues of an interface, who owns it, CPUs of the daemon, see nic.h */
#include "nic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int channels(int fd, const char *ifname, struct ethtool_channels *c)
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	r.ifr_data = (char *)c;
	return ioctl(fd, SIOCETHTOOL, &r) < 0 ? -errno : 0;
}

static int change(int fd, const char *ifname, uint32_t queues, char *why, size_t n)
{
	struct ethtool_channels c;
	uint32_t *now, max;
	int e;

	memset(&c, 0, sizeof(c));
	c.cmd = ETHTOOL_GCHANNELS;
	e = channels(fd, ifname, &c);
	if (e) {
		snprintf(why, n, "%s: the driver does not tell its queues: %s", ifname, strerror(-e));
		return e;
	}
	now = c.max_combined ? &c.combined_count : &c.rx_count;
	max = c.max_combined ? c.max_combined : c.max_rx;
	if (*now == queues)
		return 0;
	if (queues > max) {
		snprintf(why, n, "%s: %u queues wanted, it has %u at most", ifname, queues, max);
		return -ERANGE;
	}
	*now = queues;
	c.cmd = ETHTOOL_SCHANNELS;
	e = channels(fd, ifname, &c);
	if (e)
		snprintf(why, n, "%s: setting %u queues: %s", ifname, queues, strerror(-e));
	return e;
}

int nic_set_queues(const char *ifname, uint32_t queues, char *why, size_t n)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), e; /* any socket will do */

	if (fd < 0) {
		snprintf(why, n, "socket: %s", strerror(errno));
		return -errno;
	}
	e = change(fd, ifname, queues, why, n);
	close(fd);
	return e;
}

int nic_set_cpus(const uint8_t *bits, size_t bytes)
{
	cpu_set_t set;
	size_t i;

	CPU_ZERO(&set);
	for (i = 0; i < bytes * 8 && i < CPU_SETSIZE; i++)
		if (bits[i / 8] >> i % 8 & 1)
			CPU_SET(i, &set);
	if (!CPU_COUNT(&set))
		return 0;
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

int nic_realtime(uint32_t priority)
{
	struct sched_param p = { .sched_priority = (int)priority };

	if (!priority)
		return 0;
	return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p) ? -errno : 0;
}

/* ---- who captures on it ---- */

#define OWN_TYPE  0x88b5 /* IEEE 802's local experiments: the socket must ask for something */
#define OWN_GROUP 0x6f70 /* "op": other programs count their groups from 0 */
#define SHARE_MAX 65536	 /* PACKET_FANOUT_MAX: as many as there can be */

/* For all interfaces, so that it also holds for one that is down; the filter takes nothing. */
static int deaf_socket(void)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog f = { .len = 1, .filter = &nothing };
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(OWN_TYPE) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), e;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)) && !bind(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	e = -errno;
	close(fd);
	return e;
}

/* The right to one place in a group of `max`; *ret_fd, or -ENOSPC it is full, -EINVAL it is of another size or kind. */
static int join(uint16_t id, uint32_t max, int *ret_fd)
{
	struct fanout_args group = { .id = id, .type_flags = PACKET_FANOUT_HASH, .max_num_members = max };
	int fd = deaf_socket(), e;

	if (fd < 0)
		return fd;
	if (!setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group))) {
		*ret_fd = fd;
		return 0;
	}
	e = -errno;
	close(fd);
	return e;
}

/*
 * All who have a single interface are in one group that has room for them all, and who has "any" is in that group with room
 * for one: whoever comes first decides which it is, and the kernel refuses the others. -EBUSY.
 */
static int share(bool any, int *ret_fd)
{
	int e = join(OWN_GROUP - 1, any ? 1 : SHARE_MAX, ret_fd), other = -1;

	if (e != -EINVAL)
		return e == -ENOSPC ? -EBUSY : e;
	/* of the other size, or another program's? */
	e = join(OWN_GROUP - 1, any ? SHARE_MAX : 1, &other);
	if (!e)
		close(other);
	return !e || e == -ENOSPC ? -EBUSY : e;
}

int nic_own(const char *ifname, int ret_fd[NIC_OWN], char *why, size_t n)
{
	uint32_t index = if_nametoindex(ifname);
	bool any = strcmp(ifname, "any") == 0;
	int e;

	if (!index && !any) {
		snprintf(why, n, "%s: no such interface", ifname);
		return -ENODEV;
	}
	e = join((uint16_t)(OWN_GROUP + index), 1, &ret_fd[0]);
	if (e == -ENOSPC) {
		snprintf(why, n, "%s: another daemon captures here", ifname);
		return -EBUSY;
	}
	if (!e) {
		e = share(any, &ret_fd[1]);
		if (e)
			close(ret_fd[0]);
	}
	if (e == -EBUSY)
		snprintf(why, n, any ? "%s: another daemon captures on one of the interfaces" :
				       "%s: another daemon captures on all interfaces (any)", ifname);
	else if (e) /* EINVAL: another program has a group of this number */
		snprintf(why, n, "%s: packet fanout group of its owner: %s", ifname, strerror(-e));
	return e;
}
