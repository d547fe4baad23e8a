/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp.h - live capture by the XDP program
 *
 *	xdp_default_settings, xdp_open, xdp_flow_new, flow_set ...
 *	poll xdp_signal_fd: xdp_signals(); every few ms: xdp_drain(); flow_free, xdp_close
 *
 * xdp_open loads the program, attaches it (native, else generic with the reason
 * in `why`) and pins link and maps in BPFFS/optag/IFNAME. That directory is the
 * lock too: a second daemon on the interface gets -EBUSY. When pins of a daemon
 * that ended with `keep` (or by a crash) are there and fit, they are adopted: the
 * new program takes the link over with one atomic store in the kernel, flow table,
 * rings and counters go on, no packet is lost between. They are found by what the
 * interface is, also under the name that it had before. Pins that do not fit are
 * refused with -ESTALE, or replaced (settings.replace): capture starts anew.
 * xdp_close removes everything, or leaves it to the next daemon.
 *
 * Several interfaces: the first is opened alone, the others with settings.share. They
 * have their own program, pins and link but one flow table, so it does not matter on
 * which port a call's packets come. Drain, signals, flow table, state and figures are
 * the first's. Sizes are, too.
 *
 * Nothing here starts a thread, and after xdp_open nothing needs a capability as
 * long as the program runs. xdp_drain and xdp_signals may run in two threads, each
 * in one; all else in the thread that opened. Media that came by one CPU is delivered
 * in its order; by several, in the order of ts_ns but for 1 ms (and one kernel tick,
 * see below), however much of it waits: a stream that moves to another CPU, as the
 * NIC's or the system's settings may have it, stays in order.
 *
 * ts_ns is clock_now_ns's: taken from the monotonic clock on arrival, moved by
 * clock_offset_ns when read; the machine's clock may be set without a packet's
 * time moving (base/clock.h). Signalling: exact. Media: up to one kernel tick (1-10 ms) too early,
 * rarely two, unless settings.full_time.
 *
 * A record belongs to the flow entry (ring, gen) of (dst, dport) that was valid
 * when the packet passed. The entry may have been cleared or given to another
 * call before the record is read: the consumer compares gen, kept from flow_set,
 * and the tuple with the call's, and drops what is not its own.
 */
#ifndef XDP_H
#define XDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/classify.h"

struct flow_table;
struct xdp;

enum xdp_mode { XDP_UNATTACHED, XDP_NATIVE, XDP_GENERIC };

#define XDP_STATE_MAX (1U << 22) /* blocks: 2 GiB */

struct xdp_settings {
	const char *ifname;   /* NULL: loaded, attached to nothing, pinned nowhere (tests, benches) */
	const char *bpffs;    /* where a bpf file system is mounted */
	uint32_t flow_lines;  /* power of two, as for flow_new */
	uint32_t ring_bytes;  /* media, per CPU; power of two, OPTAG_RING_MIN to _MAX */
	uint64_t rings_total; /* ring_bytes is halved until all CPUs' rings fit, which is a warning; 0: no limit */
	uint32_t sig_bytes;   /* signalling; power of two, multiple of the page */
	uint32_t leg_budget;  /* packets a leg may send per 100 ms, to 65535; 0: no limit */
	bool drop_rest;	      /* SPAN port: nothing else wants the packets */
	bool full_time;
	enum xdp_mode mode;   /* XDP_UNATTACHED: native, else generic with a warning; else only that */
	bool replace;	      /* pins that do not fit */
	struct xdp *share;    /* opened before: this interface fills its flow table and rings, too; or NULL */
	uint32_t state_blocks; /* of OPTAG_STATE_BLOCK bytes, for xdp_state; 1 to XDP_STATE_MAX */
	uid_t uid;	      /* (uid_t)-1, or who may remove the pins later */
	gid_t gid;
	uint16_t sip_ports[16]; /* 0 ends the list */
};
void xdp_default_settings(struct xdp_settings *ret);

/*
 * why (size n) gets one line on failure; on success a warning or "".
 * -ENODEV no such interface, -EBUSY another daemon or another XDP program has it,
 * -ESTALE pins do not fit, -EPERM, -EINVAL settings, -ENOTDIR no bpf file system,
 * else what the kernel said.
 */
int xdp_open(const struct xdp_settings *s, struct xdp **ret, char *why, size_t n);
/*
 * keep: link, maps and what they hold stay pinned; the program goes on filling the rings.
 * Those that share are closed before the one whose maps they use.
 */
void xdp_close(struct xdp *x, bool keep);

/*
 * Removes what a daemon left that is gone: link, maps, pins. bpffs NULL: where it usually is.
 * 1 removed, 0 nothing was there, -EBUSY a daemon captures there, -errno.
 */
int xdp_release(const char *ifname, const char *bpffs, char *why, size_t n);

/*
 * The same for every interface, whatever the settings say, of which the daemon is gone for longer than it had said (xdp_alive):
 * nobody may take that over any more. Of a daemon of another version, which nobody can ask: ten minutes after it pinned. said gets each one's name and 1, or -errno. 0, or -errno: it could not look.
 * A daemon that begins to capture at this very moment finds the interface in use.
 */
int xdp_release_abandoned(const char *bpffs, void (*said)(const char *ifname, int rc));

/*
 * After all interfaces of a daemon are opened (x[0 .. n), n > 0): others that a daemon before filled the same maps from are
 * released, since nobody asks for what arrives there any more. said gets each one's name and 1, or -errno: it still captures.
 */
void xdp_release_others(struct xdp *const x[], size_t n, void (*said)(const char *ifname, int rc));

/*
 * The kernel detaches the program from an interface that is removed; maps, flow table and other
 * interfaces go on. xdp_attached asks (one bpf(2)). xdp_reattach attaches to the interface of this
 * name again, under the index that it has now: -ENODEV, -EBUSY, else what the kernel said, and
 * xdp_attached stays false; why as in xdp_open. Both work after privileges are dropped
 * (CAP_NET_ADMIN, CAP_BPF) and make no socket.
 */
bool xdp_attached(const struct xdp *x);
int xdp_reattach(struct xdp *x, uint32_t ifindex, char *why, size_t n);

enum xdp_mode xdp_mode(const struct xdp *x);
bool xdp_adopted(const struct xdp *x);
/* The one before was gone for longer than it had said (xdp_alive): calls may have changed unheard. */
bool xdp_was_dead(const struct xdp *x);
/* Adopted: media records that daemons before this one took out of the rings. OPTAG_C_AUDIO, _EVENT and _INSPECT
 * together are these, what xdp_drain has delivered since, and what still lies there. */
uint64_t xdp_taken_before(const struct xdp *x);
/* Since the daemon before last said that it is alive (it does at its end, too); 0: not adopted. */
uint64_t xdp_alone_ns(const struct xdp *x);
uint32_t xdp_ring_bytes(const struct xdp *x); /* per CPU, after rings_total */

/*
 * What the kernel's memory has and what the settings asked for. They differ when pins were adopted, or are shared:
 * sizes stay what they are until nothing is pinned any more, and so does a link's mode (asked: XDP_UNATTACHED, either).
 */
struct xdp_sizes {
	uint32_t flow_lines, ring_bytes, sig_bytes, state_blocks;
	enum xdp_mode mode;
};
void xdp_sizes(const struct xdp *x, struct xdp_sizes *ret_has, struct xdp_sizes *ret_asked);
int xdp_program_fd(const struct xdp *x);      /* for BPF_PROG_TEST_RUN */

/* The flow table in the kernel's memory, entries of an adopted one included. The caller
 * frees it before xdp_close. Only one at a time. */
int xdp_flow_new(struct xdp *x, struct flow_table **ret);

/*
 * Memory of the kernel's that lives as long as the pins and is never swapped out: what the
 * daemon leaves to its successor (base/keep.h). Zero at first; valid until xdp_close.
 */
void *xdp_state(struct xdp *x, size_t *ret_bytes);

/* Up to `budget` media records to sink->media, the oldest of all CPUs' rings first. Returns how many.
 * rec and payload are valid during the call. */
unsigned xdp_drain(struct xdp *x, const struct classify_sink *sink, unsigned budget);
/* Only records of until_ns or older (clock_now_ns's). */
unsigned xdp_drain_until(struct xdp *x, const struct classify_sink *sink, unsigned budget, uint64_t until_ns);
/* Time of the oldest record that xdp_drain has not delivered yet; UINT64_MAX: there is none. */
uint64_t xdp_oldest(const struct xdp *x);
/* The same for signalling, to sink->signalling; does not block. -errno when the ring is damaged. */
int xdp_signals(struct xdp *x, const struct classify_sink *sink, unsigned budget);
/* From now on xdp_signals tells before each packet when that came (clock_now_ns's); what is told may drain media. NULL: no more. */
void xdp_before_signal(struct xdp *x, void (*before)(void *arg, uint64_t ts_ns), void *arg);
/*
 * From a signalling packet's arrival in the program until the sink has done with it, its addresses in the
 * flow table: what the first packet of a call may be late for. count[i]: at most XDP_DELAY_NS << i and more than
 * the half, the last all longer ones. Since xdp_open.
 */
#define XDP_DELAYS   16
#define XDP_DELAY_NS 16000ULL
struct xdp_delay {
	uint64_t count[XDP_DELAYS], sum_ns, max_ns;
};
void xdp_delay(const struct xdp *x, struct xdp_delay *ret);
/* Readable when signalling waits (epoll fd, level-triggered). */
int xdp_signal_fd(const struct xdp *x);

/* One CPU's media ring; cpu below xdp_rings(). */
struct xdp_ring_fill {
	uint64_t bytes, of;
	uint64_t peak; /* of bytes, as seen by xdp_drain since the daemon began */
	uint64_t lost; /* media packets that found it full */
};
uint32_t xdp_rings(const struct xdp *x);
void xdp_ring_fill(const struct xdp *x, uint32_t cpu, struct xdp_ring_fill *ret);

/*
 * The dead-man's switch: from until_mono_ns (CLOCK_MONOTONIC) on the program hands up no more
 * media and counts it as OPTAG_C_DEAD, unless told anew; 0 (as after xdp_open): it always does. A daemon
 * that says so every second leaves no audio behind that piles up for nobody. Any thread.
 */
void xdp_alive(struct xdp *x, uint64_t until_mono_ns);
/* As the daemon before had said, for one that adopted and cannot go on: trying again and again keeps no audio coming up. */
void xdp_alive_as_before(struct xdp *x);

struct xdp_fill {
	uint64_t bytes, of; /* of the fullest media ring */
	uint64_t sig_bytes, sig_of;
	uint64_t damaged;   /* times a media ring made no sense and was emptied: our bug or another writer */
};
void xdp_fill(const struct xdp *x, struct xdp_fill *ret);
/* Sums over the CPUs since the first attach: SEEN = all the others, to within packets in flight. */
uint64_t xdp_lost_signals(const struct xdp *x); /* OPTAG_C_SIG_LOST of them */
/* Of these, those of which calls were told: a daemon that takes over goes on from here. The thread that drains. */
uint64_t xdp_lost_done(const struct xdp *x);
void xdp_set_lost_done(struct xdp *x, uint64_t lost);
void xdp_counts(const struct xdp *x, uint64_t ret[OPTAG_C_MAX]);

#endif
