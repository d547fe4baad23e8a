/* SPDX-License-Identifier: BSD-2-Clause */
/* nic.c - queues of an interface, CPUs of the daemon, see nic.h */
#include "nic.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
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
