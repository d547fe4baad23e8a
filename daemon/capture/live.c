/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.c - live capture through libpcap
 *
 * The kernel fills blocks of 256 KiB with packets as they come and hands one over when it is full, or BLOCK_MS old: so a
 * packet takes the memory that it is long. libpcap's other way, immediate mode, gives each the place of the longest one
 * (what GRO makes of SIP over TCP: 64 KiB), and 64 MiB hold a thousand packets. That everything comes up to BLOCK_MS late does no
 * harm, since it comes in order: signalling is not overtaken by the audio that it opens an address for. Timers wait for it
 * (live_horizon). Times are the kernel's, in nanoseconds where libpcap has them.
 */
#include "capture/live.h"

#include <errno.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "capture/pcap_internal.h"

#define BLOCK_MS 20 /* and a block a slot: what is sparse fills 128 MiB in 10 s */

struct live {
	pcap_t *p;
	struct classify *c;
	int linktype, fd;
	uint32_t ifindex;
	uint64_t ts_scale; /* of tv_usec, to nanoseconds */
	uint64_t skipped;
	/* the kernel's time of packets is CLOCK_REALTIME's: clock_from_host_ns */
	uint64_t now_ns;
	int64_t ahead_ns, before_ns;
	uint64_t last_ns, horizon_ns; /* of the latest packet; live_horizon's */
	/* pcap_stats counts in 32 bits */
	struct pcap_stat last;
	struct live_losses lost;
};

void live_default_settings(struct live_settings *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->snap_bytes = 65535;
	ret->buffer_bytes = 128U << 20;
	ret->promiscuous = true;
	ret->inbound_only = true;
}

static int failed(const struct live *l, int status, const char *ifname, char *why, size_t n)
{
	const char *text = pcap_geterr(l->p);

	snprintf(why, n, "%s: %s%s%s", ifname, pcap_statustostr(status), text[0] ? ": " : "", text);
	switch (status) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return -ENODEV;
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return -EPERM;
	case PCAP_ERROR_IFACE_NOT_UP:
		return -EBUSY;
	default:
		return -EIO;
	}
}

static int configure(struct live *l, const struct live_settings *s, char *why, size_t n)
{
	char err[PCAP_ERRBUF_SIZE] = "";
	int r;

	/* None of these fails before activation; nanoseconds may be refused, then it is microseconds. */
	pcap_set_snaplen(l->p, (int)s->snap_bytes);
	pcap_set_buffer_size(l->p, (int)s->buffer_bytes);
	pcap_set_promisc(l->p, s->promiscuous);
	pcap_set_timeout(l->p, BLOCK_MS);
	(void)pcap_set_tstamp_precision(l->p, PCAP_TSTAMP_PRECISION_NANO);
	r = pcap_activate(l->p);
	if (r < 0)
		return failed(l, r, s->ifname, why, n);
	if (r > 0)
		snprintf(why, n, "%s: %s", s->ifname, pcap_statustostr(r));
	l->linktype = pcap_datalink(l->p);
	if (!pcap_link_supported(l->linktype)) {
		snprintf(why, n, "%s: link type %d is not supported", s->ifname, l->linktype);
		return -ENOTSUP;
	}
	l->ts_scale = pcap_get_tstamp_precision(l->p) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
	if (s->inbound_only && pcap_setdirection(l->p, PCAP_D_IN)) {
		snprintf(why, n, "%s: direction: %s", s->ifname, pcap_geterr(l->p));
		return -EIO;
	}
	if (pcap_setnonblock(l->p, 1, err)) {
		snprintf(why, n, "%s: %s", s->ifname, err);
		return -EIO;
	}
	l->fd = pcap_get_selectable_fd(l->p);
	return l->fd >= 0 ? 0 : -EIO;
}

int live_open(const struct live_settings *s, const struct optag_config *cfg, struct flow_table *t,
	      const struct classify_sink *sink, struct live **ret, char *why, size_t n)
{
	char err[PCAP_ERRBUF_SIZE] = "";
	struct live *l;
	int r;

	if (n)
		why[0] = '\0';
	if (!s->snap_bytes || s->snap_bytes > 262144 || s->buffer_bytes > 1U << 30) {
		snprintf(why, n, "%s: snap length or buffer out of range", s->ifname);
		return -EINVAL;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->ifindex = if_nametoindex(s->ifname);
	l->p = pcap_create(s->ifname, err);
	if (!l->p) {
		snprintf(why, n, "%s: %s", s->ifname, err);
		r = -EIO;
	} else {
		r = configure(l, s, why, n);
	}
	if (!r)
		r = classify_new(cfg, t, sink, &l->c);
	if (r) {
		live_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

void live_close(struct live *l)
{
	if (!l)
		return;
	if (l->p)
		pcap_close(l->p);
	classify_free(l->c);
	free(l);
}

int live_fd(const struct live *l)
{
	return l->fd;
}

static void on_packet(u_char *arg, const struct pcap_pkthdr *h, const u_char *data)
{
	struct live *l = (struct live *)(void *)arg;
	struct timeval tv = h->ts;
	struct pcap_packet p = { .data = data, .caplen = h->caplen, .wire_len = h->len };

	tv.tv_usec *= (suseconds_t)l->ts_scale;
	l->last_ns = p.ts_ns = clock_from_host_ns(pcap_time_ns(&tv), l->now_ns, l->ahead_ns, l->before_ns);
	if (!pcap_link_strip(l->linktype, &p)) {
		l->skipped++;
		return;
	}
	classify_packet(l->c, p.link, p.ethertype, p.data, p.caplen, p.wire_len, p.ts_ns, l->ifindex);
}

/* What waits was stamped before the machine's clock was set, or after. */
static void look_at_clocks(struct live *l)
{
	int64_t ahead = clock_ahead_ns();

	if (ahead - l->ahead_ns >= CLOCK_STEP_NS || l->ahead_ns - ahead >= CLOCK_STEP_NS)
		l->before_ns = l->ahead_ns;
	l->ahead_ns = ahead;
	l->now_ns = clock_now_ns();
}

int live_drain(struct live *l, unsigned budget)
{
	int most = budget > 1000000 ? 1000000 : (int)budget, r;

	look_at_clocks(l);
	r = pcap_dispatch(l->p, most, on_packet, (u_char *)l);
	if (r >= 0) {
		l->horizon_ns = r == most ? l->last_ns : l->now_ns - LIVE_LATE_NS;
		return r;
	}
	return strstr(pcap_geterr(l->p), "went down") || strstr(pcap_geterr(l->p), "disappeared") ?
		       -ENETDOWN :
		       -EIO;
}

uint64_t live_horizon(const struct live *l)
{
	return l->horizon_ns;
}

const uint64_t *live_counts(const struct live *l)
{
	return classify_counts(l->c);
}

void live_losses(struct live *l, struct live_losses *ret)
{
	struct pcap_stat now;

	if (!pcap_stats(l->p, &now)) {
		l->lost.kernel += (unsigned)(now.ps_drop - l->last.ps_drop); /* what the card lost the interface's own figures have */
		l->last = now;
	}
	l->lost.link = l->skipped;
	*ret = l->lost;
}
