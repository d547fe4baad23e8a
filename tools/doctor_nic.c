/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_nic.c - network interfaces: driver, queues, receive ring, XDP
 *
 * By the ethtool ioctls. Which XDP mode a driver offers is asked over generic
 * netlink (family "netdev", Linux 6.3); an older kernel has no such question,
 * there a list of drivers that had native XDP in 6.1 answers.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/rtlink.h"
#include "conf.h"
#include "doctor.h"
#include "policy/policy.h"

/* linux/netdev.h, which Debian 12 lacks */
#define NETDEV_CMD_DEV_GET	  1
#define NETDEV_A_DEV_IFINDEX	  1
#define NETDEV_A_DEV_XDP_FEATURES 3
#define NETDEV_XDP_ACT_BASIC	  1

/*
 * Without fragments, which the classifier does not ask for, a packet has to fit a page with what the driver needs before and behind it:
 * of 4 KiB, 3,050 (Intel) to 3,500 bytes are left. What does not even fit without that is refused; between, only attaching can tell.
 */
#define MTU_BESIDE 1096u

static const char *const native_drivers[] = {
	"ena",	  "bnxt_en", "cxgb4",	"dpaa2-eth", "fsl_enetc", "i40e",     "iavf",	 "ice",	   "igb",	"igc",
	"ixgbe",  "ixgbevf", "mlx4_en", "mlx5_core", "mvneta",	  "mvpp2",    "nfp",	 "qede",   "sfc",	"st_gmac",
	"stmmac", "ti_cpsw", "tun",	"veth",	     "virtio_net", "hv_netvsc", "mtk_soc_eth", "bonding", "vif", NULL,
};

struct nic {
	char driver[32];
	unsigned queues, queues_max, ring, ring_max, mtu;
	bool up, untags, untags_known; /* takes VLAN tags off, before XDP */
};

enum vlans { VLANS_NONE, VLANS_NAMED, VLANS_UNKNOWN }; /* of the policy's trunks */

static int ethtool(int fd, const char *name, void *cmd)
{
	struct ifreq r = { .ifr_data = cmd };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &r) ? -errno : 0;
}

static void ask(const char *name, struct nic *n)
{
	struct ethtool_drvinfo d = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	struct ethtool_ringparam g = { .cmd = ETHTOOL_GRINGPARAM };
	struct ethtool_value v = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq r = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memset(n, 0, sizeof(*n));
	if (fd < 0)
		return;
	if (ethtool(fd, name, &d) == 0)
		snprintf(n->driver, sizeof(n->driver), "%.31s", d.driver);
	if (ethtool(fd, name, &c) == 0) {
		n->queues = c.combined_count + c.rx_count;
		n->queues_max = c.max_combined > c.max_rx ? c.max_combined : c.max_rx;
	}
	if (ethtool(fd, name, &g) == 0) {
		n->ring = g.rx_pending;
		n->ring_max = g.rx_max_pending;
	}
	n->untags_known = ethtool(fd, name, &v) == 0;
	n->untags = v.data & ETH_FLAG_RXVLAN;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &r) == 0)
		n->up = r.ifr_flags & IFF_UP && r.ifr_flags & IFF_RUNNING;
	if (ioctl(fd, SIOCGIFMTU, &r) == 0)
		n->mtu = (unsigned)r.ifr_mtu;
	close(fd);
}

/* ---- generic netlink: one question, one answer ---- */

struct message {
	struct nlmsghdr h;
	struct genlmsghdr g;
	uint8_t attr[64];
};

/* The value of attribute `type` in what follows the two headers; NULL none. */
static const void *attribute(const uint8_t *p, size_t n, unsigned type, size_t want)
{
	while (n >= NLA_HDRLEN) {
		struct nlattr a;
		size_t step;

		memcpy(&a, p, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > n)
			return NULL;
		if ((a.nla_type & NLA_TYPE_MASK) == type)
			return a.nla_len >= NLA_HDRLEN + want ? p + NLA_HDRLEN : NULL;
		step = NLA_ALIGN(a.nla_len);
		if (step >= n)
			return NULL;
		p += step;
		n -= step;
	}
	return NULL;
}

static int exchange(int fd, uint16_t family, uint8_t cmd, unsigned type, const void *value, size_t n, unsigned want_type,
		    void *out, size_t want)
{
	struct message m = { .h = { .nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST }, .g = { .cmd = cmd, .version = 1 } };
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + n), .nla_type = (uint16_t)type };
	_Alignas(8) uint8_t in[4096];
	struct nlmsghdr h;
	const void *v;
	ssize_t got;

	memcpy(m.attr, &a, sizeof(a));
	memcpy(m.attr + NLA_HDRLEN, value, n);
	m.h.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + GENL_HDRLEN + NLA_ALIGN(a.nla_len));
	if (send(fd, &m, m.h.nlmsg_len, 0) < 0)
		return -errno;
	got = recv(fd, in, sizeof(in), 0);
	if (got < (ssize_t)(NLMSG_HDRLEN + GENL_HDRLEN))
		return -EIO;
	memcpy(&h, in, sizeof(h));
	if (h.nlmsg_type != family || h.nlmsg_len > (size_t)got)
		return -ENOENT;
	v = attribute(in + NLMSG_HDRLEN + GENL_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN, want_type, want);
	if (!v)
		return -ENOENT;
	memcpy(out, v, want);
	return 0;
}

/* Feature bits of the driver; -errno when the kernel cannot tell. */
static int xdp_features(unsigned ifindex, uint64_t *ret)
{
	static const char family[] = "netdev";
	struct timeval limit = { .tv_sec = 2 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), e;
	uint16_t id = 0;
	uint32_t index = ifindex;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	e = exchange(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, family, sizeof(family), CTRL_ATTR_FAMILY_ID, &id,
		     sizeof(id));
	if (!e)
		e = exchange(fd, id, NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, &index, sizeof(index), NETDEV_A_DEV_XDP_FEATURES, ret,
			     sizeof(*ret));
	close(fd);
	return e;
}

static const char generic_costs[] = "generic XDP: the kernel builds its own packet first, for each that the card receives.";
static const char does_not_start[] = "optagd does not start: a mode that is named has to work.";

/* A driver says no only when it is asked to attach. */
static void native_mode(const char *name, const struct nic *n, bool asked, bool named)
{
	long size = sysconf(_SC_PAGESIZE);
	unsigned page = size < 4096 ? 4096 : (unsigned)size, fits = page - MTU_BESIDE;
	char fix[96];

	snprintf(fix, sizeof(fix), "ip link set %s mtu %u (of a veth, the peer too), or less; or xdp generic.", name, fits);
	if (n->mtu > page && named)
		doctor_find(DOCTOR_MISSING, "xdp", name, does_not_start, fix, "native, but not with MTU %u", n->mtu);
	else if (n->mtu > fits)
		doctor_find(DOCTOR_COSTS, "xdp", name, "drivers refuse it for packets that do not fit a page; then it is generic, several times slower, or, with xdp native, optagd does not start.",
			    fix, "native, but perhaps not with MTU %u", n->mtu);
	else
		doctor_find(DOCTOR_OK, "xdp", name, NULL, NULL, "native%s", asked ? "" : " by the driver's name (this kernel cannot be asked)");
}

static void xdp(const char *name, const struct nic *n, enum conf_xdp mode)
{
	uint64_t bits = 0;
	bool native = false;
	int e = xdp_features(if_nametoindex(name), &bits);

	if (!e)
		native = bits & NETDEV_XDP_ACT_BASIC;
	for (unsigned i = 0; e && native_drivers[i]; i++)
		native |= strcmp(native_drivers[i], n->driver) == 0;
	if (mode == CONF_XDP_NONE)
		doctor_find(DOCTOR_COSTS, "xdp", name, "every packet of the port goes to user space, also those nobody may keep.",
			    native ? "xdp auto" : NULL, "libpcap, as the settings say (xdp none)");
	else if (mode == CONF_XDP_GENERIC)
		doctor_find(DOCTOR_COSTS, "xdp", name, generic_costs, native ? "xdp auto" : NULL, "generic, as the settings say");
	else if (native)
		native_mode(name, n, !e, mode == CONF_XDP_NATIVE);
	else if (mode == CONF_XDP_NATIVE)
		doctor_find(DOCTOR_MISSING, "xdp", name, does_not_start, "xdp auto", "generic only, and the settings say native");
	else
		doctor_find(DOCTOR_COSTS, "xdp", name, generic_costs, "for high rates use a card with native XDP (ice, i40e, mlx5, ixgbe, bnxt).",
			    "generic only, by %s", e ? "the driver's name (this kernel cannot be asked)" : "the driver's word");
}

/* XDP sees a packet as the card leaves it, and what stood in a tag that was taken off is told to the kernel only. */
static void vlan(const char *name, const struct nic *n, enum vlans vlans)
{
	static const char cost[] = "XDP sees no VLAN tags: a trunk that names a vlan matches nothing, so its calls are not recorded.";
	char fix[64];

	if (!n->untags_known)
		return;
	snprintf(fix, sizeof(fix), "ethtool -K %s rxvlan off", name);
	if (!n->untags)
		doctor_find(DOCTOR_OK, "vlan tags", name, NULL, NULL, "stay (rx-vlan-offload off)");
	else if (vlans == VLANS_NAMED)
		doctor_find(DOCTOR_COSTS, "vlan tags", name, cost, fix, "taken off by the card (rx-vlan-offload on), and the policy names a vlan");
	else if (vlans == VLANS_NONE)
		doctor_find(DOCTOR_OK, "vlan tags", name, NULL, NULL, "taken off by the card (rx-vlan-offload on); the policy names no vlan");
	else
		doctor_find(DOCTOR_UNKNOWN, "vlan tags", name, NULL, "name the policy with --policy.",
			    "taken off by the card (rx-vlan-offload on); no policy that could tell whether a trunk names a vlan");
}

static void mirror(const char *name)
{
	if (rtlink_has_address(name))
		doctor_find(DOCTOR_COSTS, "mirror", name, "what is sent to this machine there is dropped: it cannot be reached by that address.",
			    "mirror no, or a port of its own without an address.", "has an address, and is a mirror port (mirror yes)");
	else
		doctor_find(DOCTOR_OK, "mirror", name, NULL, NULL, "no address: nobody else is spoken to there");
}

static enum vlans vlans_of(const char *path)
{
	struct policy_diags d = { 0 };
	struct policy *p = NULL;
	enum vlans v = VLANS_UNKNOWN;

	if (!policy_load(&path, 1, (int64_t)time(NULL), &d, &p))
		v = policy_names_vlan(p) ? VLANS_NAMED : VLANS_NONE;
	policy_diags_free(&d);
	policy_free(p);
	return v;
}

/* What the settings say of it, or would by default. */
static const struct conf_interface *set(const char *name, const struct conf *c)
{
	static const struct conf_interface none = { .mirror = true, .xdp = CONF_XDP_AUTO };

	for (size_t i = 0; i < c->ninterface; i++)
		if (!strcmp(c->interface[i].name, name))
			return &c->interface[i];
	return &none;
}

static void one(const char *name, enum vlans vlans, const struct conf_interface *s)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char cost[128], fix[128];
	struct nic n;

	if (!if_nametoindex(name)) {
		doctor_find(DOCTOR_MISSING, "interface", name, NULL, "ip link shows the names.", "does not exist");
		return;
	}
	ask(name, &n);
	doctor_find(n.up ? DOCTOR_OK : DOCTOR_COSTS, "interface", name, n.up ? NULL : "nothing arrives.",
		    n.up ? NULL : "ip link set it up, and look at the cable.", "driver %s, %s", *n.driver ? n.driver : "not known",
		    n.up ? "up" : "down");
	if (n.queues && n.queues < n.queues_max && n.queues < (unsigned)cpus) {
		snprintf(fix, sizeof(fix), "ethtool -L %s combined %u", name, n.queues_max < (unsigned)cpus ? n.queues_max : (unsigned)cpus);
		doctor_find(DOCTOR_COSTS, "queues", name, "fewer CPUs than there are share the work of the card.", fix, "%u of %u used",
			    n.queues, n.queues_max);
	} else if (n.queues) {
		doctor_find(DOCTOR_OK, "queues", name, NULL, NULL, "%u of %u used", n.queues, n.queues_max);
	}
	if (n.ring && n.ring < n.ring_max && n.ring < 2048) {
		snprintf(cost, sizeof(cost), "a burst of more than %u packets while a CPU is busy is lost in the card.", n.ring);
		snprintf(fix, sizeof(fix), "ethtool -G %s rx %u", name, n.ring_max);
		doctor_find(DOCTOR_COSTS, "rx ring", name, cost, fix, "%u of %u entries", n.ring, n.ring_max);
	} else if (n.ring) {
		doctor_find(DOCTOR_OK, "rx ring", name, NULL, NULL, "%u of %u entries", n.ring, n.ring_max);
	}
	vlan(name, &n, vlans);
	xdp(name, &n, s->xdp);
	if (s->mirror && s->xdp != CONF_XDP_NONE)
		mirror(name);
}

void doctor_nic(const char *name, const char *policy, const struct conf *c)
{
	enum vlans vlans = vlans_of(policy);
	struct if_nameindex *all;
	struct rtlink l;
	unsigned found = 0;
	int fd;

	if (name)
		one(name, vlans, set(name, c));
	for (size_t i = 0; !name && i < c->ninterface; i++)
		one(c->interface[i].name, vlans, &c->interface[i]);
	if (name || c->ninterface)
		return;
	/* of our network namespace, which /sys need not be; real ones hang off a device */
	all = if_nameindex();
	fd = rtlink_open(0);
	for (struct if_nameindex *i = all; i && i->if_name; i++) {
		if (rtlink_ask(fd, i->if_name, &l) || !l.device)
			continue;
		one(i->if_name, vlans, set(i->if_name, c));
		found++;
	}
	if (fd >= 0)
		close(fd);
	if (all)
		if_freenameindex(all);
	if (!found)
		doctor_find(DOCTOR_UNKNOWN, "interface", "", NULL, "name one with --interface.", "no network card is seen from here");
}
