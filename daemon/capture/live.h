/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.h - live capture through libpcap, where XDP is not to be had
 *
 * The same classifier, in user space: same sinks, same records, same counters,
 * but every packet of the port crosses into this process, blocked audio too: it
 * is dropped in classify_packet, in memory that the kernel reuses at once. Four
 * to five times dearer than XDP. No thread inside: poll live_fd, then live_drain.
 * Packets always reach whoever else wants them.
 */
#ifndef LIVE_H
#define LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/classify.h"

struct flow_table;
struct live;

struct live_settings {
	const char *ifname;
	uint32_t snap_bytes;   /* of a packet; more is cut */
	uint32_t buffer_bytes; /* the kernel's, to 1 GiB: for what comes while nobody drains, in blocks of 256 KiB and 20 ms */
	bool promiscuous;
	bool inbound_only;     /* what XDP would see; false: what this host sends, too */
};
void live_default_settings(struct live_settings *ret);

struct live_losses {
	uint64_t kernel; /* the buffer was full: lost before the classifier counted them */
	uint64_t link;	 /* link header too short or unknown */
};

/* cfg, t, sink: as for classify_new; the table stays the caller's. why (size n): a line on
 * failure, "" or libpcap's warning on success. -ENODEV, -EPERM, -EBUSY (not up), -ENOTSUP link type, -EIO. */
int live_open(const struct live_settings *s, const struct optag_config *cfg, struct flow_table *t,
	      const struct classify_sink *sink, struct live **ret, char *why, size_t n);
void live_close(struct live *l);
int live_fd(const struct live *l); /* readable when packets wait */
/* A packet is there to be drained so long after it came at the latest: BLOCK_MS, and two of the kernel's ticks of 10 ms or less. */
#define LIVE_LATE_NS 50000000ULL
/* Up to budget packets through the classifier; how many, or -ENETDOWN when the interface is gone, -EIO. */
int live_drain(struct live *l, unsigned budget);
/* clock_now_ns's: every packet up to then was drained, as of the latest live_drain; some later ones may have been. */
uint64_t live_horizon(const struct live *l);
const uint64_t *live_counts(const struct live *l); /* OPTAG_C_MAX, of what was drained */
void live_losses(struct live *l, struct live_losses *ret);

#endif
