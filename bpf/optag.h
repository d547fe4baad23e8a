/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * optag.h - the contract between the packet classifier and the daemon
 *
 * Everything that both sides look at: flow table, capture record, signalling
 * record, settings, counters, limits. The classifier (parse.bpf.h) compiles
 * twice, as BPF for XDP and as plain C for capture files; both produce and
 * read exactly these structures, so a replay takes the path of live capture.
 *
 * Rules: fixed-width types, __be for wire order, explicit padding, sizes
 * asserted. Addresses are always 16 bytes; IPv4 is written IPv4-mapped
 * (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so one key serves both families.
 */
#ifndef OPTAG_H
#define OPTAG_H

#include <linux/types.h>

#define OPTAG_ABI 3 /* pinned maps with another number are not adopted */

/*
 * Verdict of a flow entry. Audio to be kept passes under RECORD only. GATE lets the
 * leg's telephone-events (RFC 4733) through and drops the rest: that is how a consent key
 * can be heard before any audio may be. A packet is an event by its payload type and its
 * size (optag_event_sized); of any other size it is audio under every verdict. Under INSPECT
 * audio passes for the daemon's detectors (announcement, key tones) and is counted
 * apart: nothing of it may be kept. A program that does not know it yet lets nothing pass.
 */
enum optag_verdict {
	OPTAG_V_FREE = 0,   /* slot unused: a miss */
	OPTAG_V_BLOCK = 1,  /* drop all, count */
	OPTAG_V_GATE = 2,   /* telephone-event only */
	OPTAG_V_RECORD = 3, /* telephone-event and audio */
	OPTAG_V_SIG = 4,    /* not media: a learned SIP endpoint, to the signalling ring */
	OPTAG_V_INSPECT = 5, /* telephone-event, and audio that is only listened to */
};

/*
 * Flow table: an entry a cache line, that the daemon alone writes by plain stores
 * (but for the counters), and beside it two bytes a slot of tags, small enough to stay
 * in the cache: a packet of no flow touches no entry, one of a flow only its own. Slots
 * go in lines of two; a key has two candidate lines (optag_flow_h1 and _h2 in
 * table.bpf.h), so four slots. A tag only says where to look. What decides is the
 * 24-byte key, exact for IPv6 too: no fingerprint may decide who is recorded.
 *
 * Writer order: fill addr, ring, leg, te2, proto; then the tag; then `head` with one
 * 8-byte store. To free: store head = 0, clear the tag, then leave the slot alone for
 * OPTAG_QUARANTINE_NS before it is filled again. A reader loads head, compares
 * the rest, and loads head again: another generation means miss. The record
 * carries generation and tuple, and the drain checks both.
 *
 * A generation belongs to one owner of one key and is never given twice while
 * the table lives (it wraps after 2^32), so it follows an entry that moves.
 * A slot vacated by a move, or by its key's next owner, may be filled at once
 * when nothing else is left: the reader's second look keeps audio apart, and at
 * worst a packet in flight is counted for the wrong entry.
 */
enum optag_flow_count {
	OPTAG_F_PASSED,  /* packets handed up as audio (or other non-event), to be kept or only inspected */
	OPTAG_F_EVENTS,  /* telephone-event packets handed up */
	OPTAG_F_BLOCKED, /* packets dropped by verdict BLOCK or GATE, or for want of a daemon */
	OPTAG_F_LOST,    /* dropped for want of ring space or budget */
	OPTAG_F_MAX,
};

struct optag_flow {
	union {
		__u8 addr[16]; /* destination address of the packet */
		__u64 addr64[2];
	};
	union {
		__u64 head;
		struct {
			__be16 port;  /* destination port */
			__u8 verdict; /* enum optag_verdict */
			__u8 te1;     /* telephone-event payload type, 0xff: none */
			__u32 gen;    /* generation of this owner, never 0 */
		};
	};
	union {
		__u64 tail; /* loaded and stored at once, like head */
		struct {
			__u32 ring; /* the daemon's number of the call */
			__u8 leg;   /* enum optag_leg: whose voice arrives here */
			__u8 te2;   /* second telephone-event payload type, 0xff: none */
			__u8 proto; /* IPPROTO_UDP or, for OPTAG_V_SIG, IPPROTO_TCP too */
			__u8 pad;
		};
	};
	/*
	 * By enum optag_flow_count, in the low 48 bits: the evidence that blocked audio stayed below.
	 * The high 16 bits of the first two are the packet budget: interval, packets in it.
	 * Those of the last two tell a loss in what nobody above may see (guidance 7, X-4): of BLOCKED the RTP
	 * sequence number seen last, of LOST a tag of its SSRC (low byte, 0: nothing seen yet) and the longest hole
	 * since the daemon took it, in packets, 255: that many or more (high byte). A packet that was to be handed up and
	 * was not (no room, no budget, no daemon) is not seen, so it is in a hole.
	 */
	__u64 counts[OPTAG_F_MAX];
};
_Static_assert(sizeof(struct optag_flow) == 64, "a flow entry is a cache line");

/* Tags of two lines, low half of a word the line's first slot: an array of BPF has a stride of 8 bytes. */
struct optag_tag_pair {
	__u32 line[2];
};
#define OPTAG_TAG_PAIRS(lines) (((lines) + 1U) / 2)

#define OPTAG_COUNT_BITS 48
#define OPTAG_COUNT_MASK ((1ULL << OPTAG_COUNT_BITS) - 1)
#define OPTAG_HOLE_SHIFT 56 /* of counts[OPTAG_F_LOST] */
#define OPTAG_HOLE_MAX	 255U
/* As media/rtp.h: a jump further ahead, or further back, is another beginning and no hole. */
#define OPTAG_DROPOUT	 3000U
#define OPTAG_MISORDER	 1000U

/* Whose voice a stream carries (not who is sent to). */
enum optag_leg {
	OPTAG_LEG_CALLER = 0,
	OPTAG_LEG_CALLEE = 1,
	OPTAG_LEG_MAX = 2,
};

/* Counters of one flow entry, read. */
struct optag_flow_stats {
	__u64 passed, events, blocked, lost; /* as in enum optag_flow_count */
	__u32 hole, pad;		     /* the longest hole, in packets, OPTAG_HOLE_MAX at most */
};

/* One media packet handed up: this header, then `len` bytes of UDP payload. */
struct optag_rec {
	__u32 len;      /* bytes that follow (less than wire_len: truncated capture) */
	__u32 wire_len; /* UDP payload length by the UDP header */
	__u64 ts_ns;    /* arrival, nanoseconds since 1970 (live: as the daemon's clock has it) */
	__u32 ring;     /* from the flow entry */
	__u32 gen;
	__u8 leg;
	__u8 verdict; /* the verdict that let it pass */
	__u8 pad[2];
	__be16 sport;
	__be16 dport;
	__u8 src[16];
	__u8 dst[16];
};
_Static_assert(sizeof(struct optag_rec) == 64, "capture record header");

/*
 * The same record as it lies in a capture ring: as short as it gets, because each line
 * of the ring is a cache miss on both sides. optag_fill_raw and optag_read_raw in
 * parse.bpf.h. IPv4 has one word of addresses (source low, destination high), IPv6
 * four; then the payload, to a multiple of 8.
 */
struct optag_raw {
	__u64 what;   /* OPTAG_RAW_* in the low 16 bits, then wire_len, sport, dport */
	__u64 ts_ns;
	__u64 owner;  /* ring, gen */
	__u64 addr[]; /* source, destination */
};
#define OPTAG_RAW_LEN	  0x0fff /* of payload */
#define OPTAG_RAW_V6	  0x1000
#define OPTAG_RAW_LEG	  13 /* shift, one bit */
#define OPTAG_RAW_VERDICT 14 /* shift, two bits: GATE, RECORD; 1, as BLOCK has no records, is INSPECT */
#define OPTAG_RAW_HEAD4	  32U
#define OPTAG_RAW_HEAD6	  56U
#define OPTAG_RAW_SPACE(head, len) ((__u32)(head) + (((len) + 7U) & ~7U))

/* Why a packet went to the signalling ring. */
enum optag_sig_kind {
	OPTAG_SIG_UDP = 1,  /* whole UDP datagram, SIP port or SIP text */
	OPTAG_SIG_TCP = 2,  /* TCP segment of a SIP port, or that starts like SIP */
	OPTAG_SIG_FRAG = 3, /* IPv4/IPv6 fragment of such a datagram or segment, by its first (optag_first_fragment) */
};

/* One signalling packet: this header, then `len` bytes starting at the
 * innermost IP header (so defragmentation and reassembly see IP). */
struct optag_sig {
	__u32 len;      /* bytes that follow */
	__u32 wire_len; /* bytes by the IP header's length (more than len: truncated) */
	__u64 ts_ns;
	__u8 kind;   /* enum optag_sig_kind */
	__u8 family; /* 4 or 6 */
	__be16 vlan; /* outermost VLAN id, 0: none */
	__u16 l4_off; /* offset of the UDP/TCP header (or of the fragment's payload) */
	__u16 pad;
	__u32 ifindex;
	__u32 pad2;
};
_Static_assert(sizeof(struct optag_sig) == 32, "signalling record header");

/* Where every packet that was seen ends: the sums balance. */
enum optag_count {
	OPTAG_C_SEEN,       /* all */
	OPTAG_C_SIG,        /* to the signalling ring */
	OPTAG_C_SIG_LOST,   /* signalling ring full */
	OPTAG_C_AUDIO,      /* media handed up under RECORD (not telephone-event) */
	OPTAG_C_EVENT,      /* telephone-event handed up */
	OPTAG_C_MEDIA_LOST, /* capture ring full */
	OPTAG_C_BUDGET,     /* leg over its packet budget */
	OPTAG_C_BLOCK,      /* verdict BLOCK */
	OPTAG_C_GATE,       /* verdict GATE, not telephone-event */
	OPTAG_C_NOT_RTP,    /* at a media address, but RTCP, STUN, DTLS, too short ... */
	OPTAG_C_MISS,       /* UDP without flow entry */
	OPTAG_C_OTHER,      /* TCP that is not SIP, ICMP, SCTP, ARP ... */
	OPTAG_C_BAD,        /* headers cut short or inconsistent */
	OPTAG_C_DEPTH,      /* more encapsulation than OPTAG_MAX_DEPTH */
	OPTAG_C_DEAD,       /* media that was to be handed up, but no daemon is alive (optag_info) */
	OPTAG_C_INSPECT,    /* media handed up under INSPECT (not telephone-event): heard, never kept */
	OPTAG_C_FRAG,	    /* later IP fragment of UDP or TCP, of nothing that was handed up */
	OPTAG_C_FRAG_LOST,  /* first IP fragment of media that was to be handed up: never, it is a loss */
	OPTAG_C_MAX,
};

#define OPTAG_C_ROOM	    24	 /* counters there is room for: whole cache lines */
#define OPTAG_MAX_DEPTH     16	 /* headers walked: tags, labels, tunnels, IP, extensions, UDP/TCP */
#define OPTAG_MAX_OFF	    1000 /* a header that starts later is not looked for (DEPTH) */
#define OPTAG_MAX_PAYLOAD   2048 /* media payload handed up at most; more is cut and counted */
#define OPTAG_MAX_SIG	    65535 /* signalling packet handed up at most: what one helper call copies */
#define OPTAG_QUARANTINE_NS 1000000000ULL
#define OPTAG_NO_PT	    0xff
#define OPTAG_FRAG_NS	    2000000000ULL /* later fragments come that soon behind the first */
#define OPTAG_FRAGS	    4096 /* first fragments remembered */

/* Which datagram a fragment is of (RFC 791, RFC 8200 4.5). */
struct optag_frag_key {
	__u64 src[2], dst[2];
	__u32 id;    /* wire order; IPv4: the low 16 bits */
	__u32 proto; /* IPPROTO_UDP or _TCP; IPv6: IPPROTO_FRAGMENT, one for all */
};
_Static_assert(sizeof(struct optag_frag_key) == 40, "compared as bytes: no holes");

/* The seed as optag_flow_hash wants it, by optag_hash_key: not to be made anew for each packet. */
struct optag_hash {
	__u32 add[5];
	__u32 mul;
	__u64 zero; /* what eight bytes of 0 give, the first of every IPv4 address */
};

/* Settings fixed while a program is loaded. */
struct optag_config {
	__u32 abi;	  /* OPTAG_ABI */
	__u32 flow_mask;  /* lines in the flow table - 1 */
	__u64 hash_seed;  /* random, against chosen collisions */
	__u32 leg_budget; /* packets a leg may send per 100 ms, 0: no limit */
	__u8 drop_rest;	  /* 1: SPAN port, nothing else wants the packet; 0: pass on */
	__u8 full_time;	  /* 1: media stamped to the nanosecond; 0: to the kernel's tick, 25 ns a packet cheaper */
	__u8 pad[2];
	/* SIP ports, both transports, wire order in the low 16 bits of each; 0 ends the list */
	__be16 sip_ports[16];
	__u32 ring_bytes; /* of each capture ring's data, a power of two */
	__u32 pad2;
	struct optag_hash hash; /* of hash_seed: whoever loads a program or makes a classifier sets it */
};
_Static_assert(sizeof(struct optag_config) == 96, "settings");
_Static_assert(OPTAG_MAX_PAYLOAD <= OPTAG_RAW_LEN, "length of a record");
_Static_assert(OPTAG_RAW_HEAD4 == sizeof(struct optag_raw) + 8, "header of a record, IPv4");
_Static_assert(OPTAG_RAW_HEAD6 == sizeof(struct optag_raw) + 32, "header of a record, IPv6");

/*
 * Capture ring: one per CPU, written by the program there and nowhere else, so
 * without atomic instructions. The header, then ring_bytes of data, then
 * OPTAG_RING_SLACK. head and tail count bytes and only grow; a record lies at
 * data[head & (ring_bytes - 1)], in one piece: it may run into the slack, and
 * the next one starts behind it modulo ring_bytes. A record takes
 * OPTAG_RAW_SPACE bytes and is complete when head is past it.
 */
struct optag_ring {
	/* the program's */
	__u64 head;
	__u64 tail_seen; /* tail when it was last looked at: the user's line is left alone meanwhile */
	__u64 tick;	 /* jiffies when tick_ns was read */
	__u64 tick_ns;	 /* the coarse clock */
	__u64 pad0[4];
	__u64 counts[OPTAG_C_ROOM]; /* of this CPU, by enum optag_count */
	/* the daemon's */
	__u64 tail;
	__u64 taken;   /* records up to tail */
	__u64 said_ns; /* first ring: CLOCK_MONOTONIC when the daemon last said that it is alive */
	__u64 sig_lost; /* first ring: of OPTAG_C_SIG_LOST of all CPUs, those of which calls were told */
	__u64 pad2[4096 / 8 - 36];
	__u8 data[];
};
_Static_assert(sizeof(struct optag_ring) == 4096, "capture ring header is a page");
_Static_assert(OPTAG_C_MAX <= OPTAG_C_ROOM && __builtin_offsetof(struct optag_ring, tail) % 64 == 0, "tail has its own line");

#define OPTAG_STATE_BLOCK    512 /* base/keep.h's block, of what the daemon leaves to its successor */
#define OPTAG_RING_SLACK     4096 /* more than the largest record */
#define OPTAG_RING_MIN	     65536
#define OPTAG_RING_MAX	     (256U << 20)
_Static_assert(OPTAG_RAW_SPACE(OPTAG_RAW_HEAD6, OPTAG_MAX_PAYLOAD) <= OPTAG_RING_SLACK, "slack");

/* What a program left pinned, for whoever takes it over. */
struct optag_info {
	__u32 abi;
	__u32 flow_lines;
	__u64 hash_seed;
	__u32 ring_bytes;
	__u32 rings;
	__u32 sig_bytes;
	__u32 gen; /* last generation given in the flow table */
	/* The dead-man's switch: media is handed up before this time of CLOCK_MONOTONIC only, so
	 * that audio does not pile up for a daemon that is gone. 0: no switch. */
	__u64 alive_until_ns;
};
_Static_assert(sizeof(struct optag_info) == 40, "pinned description");

#endif
