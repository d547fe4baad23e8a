/* SPDX-License-Identifier: BSD-2-Clause */
/* rtlink.c - what the kernel says of an interface, see rtlink.h */
#include "base/rtlink.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER 32768 /* what a link says of itself, virtual functions and all */

int rtlink_open(uint32_t groups)
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

/* ENOBUFS says no more than that something came. */
void rtlink_drain(int fd)
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

static void take_attribute(unsigned type, const uint8_t *p, size_t n, bool *carrier, struct rtlink *l)
{
	struct rtnl_link_stats64 s;

	switch (type) {
	case IFLA_IFNAME:
		memset(l->name, 0, sizeof(l->name));
		memcpy(l->name, p, n < sizeof(l->name) - 1 ? n : sizeof(l->name) - 1);
		break;
	case IFLA_CARRIER:
		*carrier = n && p[0];
		break;
	case IFLA_PARENT_DEV_NAME: /* since Linux 5.14 */
		l->device = n > 1;
		break;
	case IFLA_STATS64: /* older kernels have fewer fields */
		memset(&s, 0, sizeof(s));
		memcpy(&s, p, n < sizeof(s) ? n : sizeof(s));
		l->rx_bytes = s.rx_bytes;
		l->rx_packets = s.rx_packets;
		l->rx_dropped = s.rx_dropped + s.rx_missed_errors;
		break;
	}
}

static int take_answer(const uint8_t *p, size_t n, struct rtlink *ret)
{
	struct rtlink l = { 0 };
	bool carrier = false;
	struct nlmsghdr h;
	struct ifinfomsg i;
	struct rtattr a;
	int e = 0;

	if (n < sizeof(h))
		return -EIO;
	memcpy(&h, p, sizeof(h));
	if (h.nlmsg_type == NLMSG_ERROR && n >= NLMSG_HDRLEN + sizeof(e))
		memcpy(&e, p + NLMSG_HDRLEN, sizeof(e));
	if (e < 0)
		return e;
	if (h.nlmsg_type != RTM_NEWLINK || n < NLMSG_HDRLEN + sizeof(i) || h.nlmsg_len > n)
		return -EIO;
	memcpy(&i, p + NLMSG_HDRLEN, sizeof(i));
	if (i.ifi_index <= 0)
		return -EIO;
	for (size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(i)); at + sizeof(a) <= h.nlmsg_len; at += RTA_ALIGN(a.rta_len)) {
		memcpy(&a, p + at, sizeof(a));
		if (a.rta_len < sizeof(a) || at + a.rta_len > h.nlmsg_len)
			return -EIO;
		take_attribute(a.rta_type, p + at + sizeof(a), a.rta_len - sizeof(a), &carrier, &l);
	}
	l.index = (uint32_t)i.ifi_index;
	l.up = carrier && i.ifi_flags & IFF_UP;
	*ret = l;
	return 0;
}

/* The kernel answers before send() returns. */
static int ask(int fd, const struct question *q, struct rtlink *ret)
{
	static _Thread_local _Alignas(8) uint8_t in[ANSWER];
	ssize_t n;

	rtlink_drain(fd); /* no answer of before may be taken for this one's */
	if (send(fd, q, q->h.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, in, sizeof(in), 0);
	return n < 0 ? -errno : take_answer(in, (size_t)n, ret);
}

int rtlink_ask(int fd, const char *name, struct rtlink *ret)
{
	struct question q = { .h = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST },
			      .a = { .rta_len = RTA_LENGTH(IFNAMSIZ), .rta_type = IFLA_IFNAME } };

	strncpy(q.name, name, sizeof(q.name) - 1);
	return ask(fd, &q, ret);
}

int rtlink_ask_index(int fd, uint32_t index, struct rtlink *ret)
{
	struct question q = { .h = { .nlmsg_len = offsetof(struct question, a), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST },
			      .i = { .ifi_index = (int)index } };

	if (!index || index > INT32_MAX)
		return -ENODEV;
	return ask(fd, &q, ret);
}

static bool has_meaning(const struct sockaddr *a)
{
	struct sockaddr_in6 six;

	if (!a || a->sa_family != AF_INET6)
		return a && a->sa_family == AF_INET;
	memcpy(&six, a, sizeof(six));
	return !IN6_IS_ADDR_LINKLOCAL(&six.sin6_addr);
}

bool rtlink_has_address(const char *name)
{
	size_t n = strlen(name);
	struct ifaddrs *all;
	bool has = false;

	if (getifaddrs(&all))
		return false;
	for (const struct ifaddrs *a = all; a && !has; a = a->ifa_next) /* a label may follow: eth0:1 */
		has = !strncmp(a->ifa_name, name, n) && (!a->ifa_name[n] || a->ifa_name[n] == ':') && has_meaning(a->ifa_addr);
	freeifaddrs(all);
	return has;
}
