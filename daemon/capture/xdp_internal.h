/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_internal.h - what xdp.c (open, load), xdp_attach.c (pins, link) and xdp_drain.c share
 *
 * Invariants: dirfd >= 0 means the lock is held. Maps are pinned before the link,
 * so a link without its maps does not exist; what is pinned without a link
 * captures nothing and is leftover.
 */
#ifndef XDP_INTERNAL_H
#define XDP_INTERNAL_H

#include <bpf/libbpf.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/xdp.h"

struct optag_bpf;

#define XDP_ASIDE ":" /* after an index, and nothing else: a directory of pins until its interface is opened */

/* Maps that are pinned, by xdp_map_names. */
enum xdp_map { XDP_FLOWS, XDP_TAGS, XDP_RINGS, XDP_SIGNALS, XDP_INFO, XDP_STATE, XDP_MAPS };
extern const char *const xdp_map_names[XDP_MAPS];

struct xdp {
	struct xdp_settings set; /* sizes: what there is */
	struct xdp_sizes asked;	 /* what was asked for */
	struct optag_bpf *skel;
	struct bpf_map *map[XDP_MAPS]; /* the skeleton's */
	int prog; /* the skeleton's */
	int link, ifindex;
	enum xdp_mode mode;
	bool adopted, was_dead;
	uint64_t before_taken, before_said_ns; /* of the daemon before; 0 there was none */
	char *why;
	size_t why_n;

	/* pins */
	int rootfd, dirfd;   /* BPFFS/optag, BPFFS/optag/IFNAME; -1 */
	char pins[16];	     /* IFNAME, as it can be there */
	char dir[256];
	int old[XDP_MAPS]; /* adopted maps, until the skeleton has taken them; -1 */
	struct optag_info old_info;

	/* memory of the maps */
	struct optag_flow *flows;
	struct optag_tag_pair *tags;
	struct optag_info *info;
	uint8_t *rings, *state;
	size_t ring_stride;
	uint32_t nrings, ring_bytes;

	/* drain */
	struct xdp_ring_now {
		uint64_t head;	   /* as xdp_drain found it */
		uint64_t first_ns; /* monotonic: of the first record before it */
	} *now;			   /* by ring, during xdp_drain */
	uint64_t damaged;
	uint64_t *peak; /* by ring: most bytes that waited */
	struct ring_buffer *signals;
	const uint8_t *sig_pos; /* the ring's consumer and producer pages */
	const struct classify_sink *sig_sink; /* during xdp_signals */
	uint64_t sig_offset;
	void (*before_signal)(void *arg, uint64_t ts_ns); /* NULL: nobody asks */
	void *before_arg;
	struct xdp_delay delay;
	unsigned sig_left, sig_done;
};

/* Formats the reason, returns err. */
int xdp_why(struct xdp *x, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- xdp_attach.c ---- */
/* Takes the lock; finds pins and fills old, old_info, link when they are adopted. */
int xdp_pins_open(struct xdp *x);
/* Removes what is pinned for x->set.ifname, with abandoned only if it is: 1, or 0 when nothing was, and the lock is kept then. */
int xdp_pins_release(struct xdp *x, bool abandoned);
int xdp_attach(struct xdp *x);
/* keep false: detaches and removes. Either way the lock goes. */
void xdp_pins_close(struct xdp *x, bool keep);

/* As xdp_release; abandoned: only what is. */
int xdp_release_pins(const char *ifname, const char *bpffs, bool abandoned, char *why, size_t n);

/* ---- xdp_drain.c ---- */
int xdp_on_signal(void *arg, void *data, size_t size);
void xdp_read_before(struct xdp *x);

static inline struct optag_ring *xdp_ring(const struct xdp *x, uint32_t i)
{
	return (struct optag_ring *)(void *)(x->rings + i * x->ring_stride);
}

#endif
