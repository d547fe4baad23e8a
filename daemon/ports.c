/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ports.c - interfaces: one daemon on each; those that are removed while it runs, and come back, see daemon.h
 *
 * Whether one is gone, its link tells: the kernel detaches the program from what
 * it removes. Whether it is back, netlink tells, by name: it has another index
 * then. Maps, flow table and calls outlive it; the other interfaces never notice.
 * Sockets are made before the system call filter; reading and asking is all that
 * happens later. (A driver's queues cannot be set then: that is said.)
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "capture/xdp.h"
#include "daemon.h"
#include "nic.h"

#define ANSWER 32768 /* what a link says of itself, virtual functions and all */

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t port_gone_ns(const struct port *p)
{
	return p->before_ns + (p->gone ? mono_ns() - p->since_ns : 0);
}

/* Where it cannot be asked we go on: what it is for is a mistake, and not to record for it would be a greater one; two
 * XDP programs the kernel refuses by itself. */
int ports_own(struct daemon *d, char *why, size_t n)
{
	for (size_t i = 0; i < d->conf.ninterface; i++) {
		int e = nic_own(d->conf.interface[i].name, &d->own[d->nown], why, n);

		if (!e)
			d->nown++;
		else if (e == -EBUSY || e == -ENODEV)
			return e;
		else
			log_warn("%s: another daemon would not be noticed", why);
		why[0] = '\0';
	}
	return 0;
}

/* ---- netlink ---- */

static int route_socket(uint32_t groups)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), e;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		e = -errno;
		close(fd);
		return e;
	}
	return fd;
}

int ports_open(struct daemon *d)
{
	d->port_events = route_socket(RTMGRP_LINK);
	if (d->port_events < 0)
		return d->port_events;
	d->port_ask = route_socket(0);
	return d->port_ask < 0 ? d->port_ask : 0;
}

void ports_close(struct daemon *d)
{
	if (d->port_events >= 0)
		close(d->port_events);
	if (d->port_ask >= 0)
		close(d->port_ask);
	d->port_events = d->port_ask = -1;
	while (d->nown)
		close(d->own[--d->nown]);
}

/* What happened does not matter, that something did: everything is looked at. ENOBUFS says no more. */
static void drain_events(int fd)
{
	char junk[4096];

	for (int i = 0; i < 1000; i++)
		if (recv(fd, junk, sizeof(junk), MSG_TRUNC) < 0 && errno != EINTR && errno != ENOBUFS)
			return;
}

struct question {
	struct nlmsghdr h;
	struct ifinfomsg i;
	struct rtattr a;
	char name[IFNAMSIZ];
};

/* The kernel answers before send() returns. 0: no such interface, or it could not be asked: asked again soon. */
static uint32_t index_of(int fd, const char *name)
{
	static _Alignas(8) uint8_t in[ANSWER];
	struct question q = { .h = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST },
			      .a = { .rta_len = RTA_LENGTH(IFNAMSIZ), .rta_type = IFLA_IFNAME } };
	struct nlmsghdr h;
	struct ifinfomsg i;
	ssize_t n;

	drain_events(fd); /* no answer of before may be taken for this one's */
	strncpy(q.name, name, sizeof(q.name) - 1);
	if (send(fd, &q, sizeof(q), 0) < 0)
		return 0;
	n = recv(fd, in, sizeof(in), 0);
	if (n < (ssize_t)(NLMSG_HDRLEN + sizeof(i)))
		return 0;
	memcpy(&h, in, sizeof(h));
	memcpy(&i, in + NLMSG_HDRLEN, sizeof(i));
	return h.nlmsg_type == RTM_NEWLINK && i.ifi_index > 0 ? (uint32_t)i.ifi_index : 0;
}

/* ---- what to do about it ---- */

static size_t attached(const struct daemon *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->nxdp; i++)
		n += !d->port[i].gone;
	return n;
}

static void went(struct daemon *d, size_t n)
{
	struct port *p = &d->port[n];
	size_t left;

	p->gone = true;
	p->said = 0;
	p->times++;
	p->since_ns = mono_ns();
	left = attached(d);
	log_err("%s: the interface is gone: nothing of it is recorded until it is back%s", d->conf.interface[n].name,
		left ? "" : ", and there is no other: nothing is recorded at all");
	recorder_missed(d->rec, !left);
}

static void came(struct daemon *d, size_t n, uint32_t ifindex)
{
	const struct conf_interface *f = &d->conf.interface[n];
	struct port *p = &d->port[n];
	uint64_t away = mono_ns() - p->since_ns;

	p->gone = false;
	p->before_ns += away;
	d->ifindex[n] = ifindex;
	log_notice("%s: the interface is back after %llu.%03llu s (%s XDP)", f->name,
		   (unsigned long long)(away / NS_PER_S), (unsigned long long)(away % NS_PER_S / NS_PER_MS),
		   xdp_mode(d->xdp[n]) == XDP_NATIVE ? "native" : "generic");
	if (f->queues)
		log_warn("%s: its queues are as the driver made them, not %u, until the next start", f->name, f->queues);
}

static void try_again(struct daemon *d, size_t n)
{
	uint32_t ifindex = index_of(d->port_ask, d->conf.interface[n].name);
	struct port *p = &d->port[n];
	char why[512];
	int e;

	if (!ifindex)
		return;
	e = xdp_reattach(d->xdp[n], ifindex, why, sizeof(why));
	if (e == -ENODEV) /* gone again */
		return;
	if (*why && (!e || e != p->said))
		log_msg(e ? LOG_L_ERR : LOG_L_WARN, "%s", why);
	p->said = e;
	if (!e)
		came(d, n, ifindex);
}

void ports_run(struct daemon *d)
{
	if (d->port_events < 0)
		return;
	drain_events(d->port_events);
	for (size_t i = 0; i < d->nxdp; i++) {
		if (!d->port[i].gone && !xdp_attached(d->xdp[i]))
			went(d, i);
		if (d->port[i].gone)
			try_again(d, i);
	}
}
