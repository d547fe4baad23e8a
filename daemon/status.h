/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status.h - everything the daemon can tell about itself, in one structure
 *
 * The main loop fills it when somebody asks; the control socket gives it as
 * JSON (status_json), the metrics page as Prometheus text (status_metrics).
 * Pure functions of the structure. No number, name or address of a call is in
 * it. Counters only grow while the daemon lives; a take-over starts them anew
 * (start_ns tells), except the kernel's.
 *
 * The JSON, relied on by optag-status, optag-top and others. Times are RFC
 * 3339, sizes bytes, everything else counts; fields are added, not renamed.
 *
 *	"version" "pid" "start" "now"
 *	"policy": {"hash","rules","loaded","path","alarm","stopped","review_days"}
 *			review_days: to the earliest review date of a rule or an assessment it
 *			names, negative: past; left out when there is none
 *	"interfaces": [{"name","mode","mirror","up","attached","renamed","gone","gone_ms",
 *			"rx_bytes","rx_packets","rx_dropped"}]
 *			mode: "native" "generic" "pcap" "none"; attached false: it was
 *			removed; renamed: null, or its name now, when that is not the settings' any more; gone: times it was, gone_ms: how long in all
 *	"packets": {"seen", "signalling", "audio", "events", "blocked", "gated",
 *		    "not_rtp", "miss", "other", "bad", "depth", "dead",
 *		    "inspected", "fragments", "lost_signalling", "lost_media", "lost_budget",
 *		    "lost_fragments"}
 *			seen is the sum of all others ("balanced": true); dead: media that
 *			came while optagd was gone or stood still, and stayed below
 *	"flow": {"capacity","used","full","quarantine"}	addresses refused: no slot; none yet (OPTAG_QUARANTINE_NS)
 *	"rings": [{"cpu","size","used","peak","lost"}]	cpu -1: signalling
 *	"signalling": {"packets","messages","bad_packets","bad_messages",
 *		       "not_sip","fragments","fragments_lost","tcp_segments",
 *		       "tcp_gaps","tcp_full"}
 *	"delay": {"packets","p50_us","p99_us","max_us"}
 *			from the arrival of a signalling packet until what it says is in the
 *			flow table; p50 and p99 are upper bounds, steps are powers of two
 *	"take_over": null, or {"from","gap_ms","calls","recordings","lost"}
 *			of the daemon before: from "left" "killed" "stale"; calls that
 *			went on, recordings among them, calls that did not
 *	"state": {"blocks","used","calls"}	of calls in progress, for the daemon after this one: room, in
 *			blocks of 512 bytes; how many states there are
 *	"media": {"before", "drained", "kept", "events", "duplicates", "stale", "truncated",
 *		  "bad", "unknown_payload", "other_payload", "not_kept", "inspected", "known",
 *		  "no_memory", "failed"}	drained, what came out of the rings, is the sum of those
 *			behind it; with empty rings, packets.audio, packets.events and packets.inspected are
 *			before (by daemons before this one) and drained
 *	"calls": {"limit","active","setup","answered","hold","ending",
 *		  "recording","total","matched","unmatched","never",
 *		  "refused","forgotten","tied","bound","duplicates","untied","undivided","missed_requests",
 *		  "foreign_ends","kept","denied","gaps","unwritten","memory","memory_limit",
 *		  "memory_areas","memory_huge"}	areas of 2 MiB; of these, of reserved huge pages;
 *			forgotten: in progress, matched by no rule, for others to have their place;
 *			undivided: transfers within a call that came too fast;
 *			missed_requests: times that a party's numbers of requests left some out;
 *			foreign_ends: BYE, CANCEL and refusals under tags that are no party's, which end nothing;
 *			kept, denied, gaps: as rows on the disk say; unwritten: over, without such a row yet
 *	"decisions": [{"purpose","state","reason","calls"}]
 *	"alarms": {"notice_missing","pause_over","gap","quota","utilisation","transfer_limit","review",
 *		   "sms_undelivered"}	calls, pauses, messages, as it happened
 *	"clock": {"off_ms","steps"}	how far the machine's clock is ahead of the daemon's (negative: behind), by
 *			which all times here are; a second or more: it was set, and is taken when no call is in
 *			progress; steps: times it was set since the start
 *	"store": {"dir","payload_bytes","stored_bytes","chunks","fast_chunks",
 *		  "segments",
 *		  "disk_bytes","disk_free","queue_bytes","queue_max","queue_limit","errors",
 *		  "sync_ms_last","sync_ms_max","io_uring","reaper_ago_ms","reaper_dead"}	queue: of audio on its way to the disk, now, the
 *			most so far, and write-memory; io_uring false: plain writes;
 *			reaper_ago_ms: since the reaper's latest run, not there when none was since the machine booted;
 *			reaper_dead: for longer than reaper-limit, so of calls that begin now nothing is recorded for training
 *	"losses": {"nic","pcap_buffer","signalling_ring","capture_ring","ring_damaged","budget","media_fragments","call_ring",
 *		   "store_queue","store_disk","fragments","tcp_gaps","tcp_full","bad_packets","bad_messages",
 *		   "bad_sdp","sdp","call_addresses","flow_full","flow_quarantine","calls_refused","calls_late","store","state"}
 *			every place of loss (losses.h): packets (those of "call_ring" on were out of the
 *			rings; those of the store are among media.kept, or media.failed), then of signalling: IP
 *			packets, holes, times, packets, messages, descriptions, parts of descriptions; then
 *			addresses (three), calls (three); times that a call's state had no room;
 *			ring_damaged: times that a capture ring made no sense and was emptied, after
 *			which media.before and media.drained fall short of packets
 *	"process": {"cpu_seconds","rss_bytes","threads"}
 */
#ifndef STATUS_H
#define STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "call/call.h"
#include "capture/xdp.h"
#include "optag.h"
#include "record.h"
#include "sip/sigin.h"
#include "store/store.h"

#define STATUS_INTERFACES 16
#define STATUS_RINGS	  257 /* 256 CPUs and signalling */
#define STATUS_DECISIONS  64  /* distinct (purpose, state, reason); further reasons count as "other" */

struct buf;

struct status_interface {
	char name[16]; /* in the settings */
	char renamed[16]; /* "" it still has it; else what it is called now (status_read_interface) */
	const char *mode; /* static */
	bool mirror, up, attached;
	uint64_t gone, gone_ns; /* times it was removed, and for how long in all, the present absence included */
	uint64_t rx_bytes, rx_packets, rx_dropped; /* status_read_interface */
};

enum status_before { STATUS_NONE, STATUS_LEFT, STATUS_KILLED, STATUS_STALE };

struct status_take_over {
	enum status_before from; /* STATUS_STALE: gone for too long, nothing was taken */
	uint64_t gap_ns;	 /* without a daemon; after a kill, some seconds too long */
	uint64_t calls, recordings, lost;
};

struct status_ring {
	int cpu; /* -1 signalling */
	uint64_t size, used, peak, lost;
};

struct status_decision {
	uint8_t purpose; /* enum policy_purpose */
	uint8_t state;	 /* enum purpose_state */
	char reason[32]; /* "consent.none"; "" none */
	uint64_t calls;
};

struct status_decisions { /* kept by the main loop, counted at each call's end */
	unsigned n;
	struct status_decision d[STATUS_DECISIONS];
};
void status_decided(struct status_decisions *ds, enum policy_purpose p, enum purpose_state s, const char *reason);

struct status {
	uint64_t start_ns, now_ns;
	char policy_hash[65], policy_path[256];
	uint64_t policy_rules, policy_loaded_ns;
	uint64_t reaper_ago_ns; /* since the reaper's latest run; UINT64_MAX: none since the machine booted */
	bool reaper_dead;
	int review_days; /* to the policy's earliest review date; INT_MAX none */
	uint64_t policy_alarm, policy_stopped; /* 1: what should run does not (policies_alarm); rules that are stopped */
	unsigned ninterface, nring;
	struct status_interface interface[STATUS_INTERFACES];
	struct status_ring ring[STATUS_RINGS];
	uint64_t counts[OPTAG_C_MAX]; /* of all interfaces and CPUs */
	uint64_t drained, media[MEDIA_FATES]; /* since start_ns */
	uint64_t pcap_lost;	/* packets: live_losses.kernel */
	uint64_t rings_damaged; /* times: xdp_fill.damaged */
	uint64_t drained_before; /* by the daemons that counts include */
	struct status_take_over took;
	uint64_t state_blocks, state_used, state_calls, state_unsaved;
	uint64_t flow_capacity, flow_used, flow_full, flow_quarantine;
	struct sigin_stats signalling;
	struct xdp_delay delay; /* of signalling packets; none by libpcap */
	struct calls_stats calls;
	uint64_t calls_limit, in_setup, answered, on_hold, ending, recording;
	uint64_t kept, denied, gaps, unwritten;
	uint64_t call_memory, call_memory_limit; /* bytes of audio that no chunk holds yet */
	uint64_t call_areas, call_huge;
	struct status_decisions decisions;
	int64_t clock_ahead_ns; /* the machine's clock, as seen from ours */
	uint64_t clock_steps;
	uint64_t notice_missing, pause_over, alarm_gap, alarm_quota, alarm_use, transfer_limit, alarm_review; /* alarms since start_ns: enum recorder_alarm */
	uint64_t sms_undelivered; /* since start_ns: messages whose receipt did not come in time (evidence.h) */
	char store_dir[256];
	struct store_figures store;
	uint64_t disk_bytes, disk_free, queue_bytes, queue_max, queue_limit, store_errors, store_lost, sync_ns_last, sync_ns_max;
};

/* rx figures, `up` and `renamed` of the interface with this index (0: with i->name), fd of rtlink_open(0); what cannot be
 * read stays 0. libpcap's "any" is up. */
void status_read_interface(struct status_interface *i, uint32_t index, int fd);
/* disk_bytes, disk_free of store_dir. */
void status_read_disk(struct status *s);

extern const char *const status_count_names[OPTAG_C_MAX]; /* as in "packets" */

/* NULL: out of memory. */
json_t *status_json(const struct status *s);
/* Prometheus text format 0.0.4. out->failed: out of memory. */
void status_metrics(const struct status *s, struct buf *out);

#endif
