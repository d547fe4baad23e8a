/* SPDX-License-Identifier: BSD-2-Clause */
/* status.c - the daemon's figures as JSON and as Prometheus text */
#include "status.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rtlink.h"
#include "losses.h"

#define VERSION "0.1.0"

const char *const status_count_names[OPTAG_C_MAX] = {
	[OPTAG_C_SEEN] = "seen",
	[OPTAG_C_SIG] = "signalling",
	[OPTAG_C_SIG_LOST] = "lost_signalling",
	[OPTAG_C_AUDIO] = "audio",
	[OPTAG_C_EVENT] = "events",
	[OPTAG_C_MEDIA_LOST] = "lost_media",
	[OPTAG_C_BUDGET] = "lost_budget",
	[OPTAG_C_BLOCK] = "blocked",
	[OPTAG_C_GATE] = "gated",
	[OPTAG_C_NOT_RTP] = "not_rtp",
	[OPTAG_C_MISS] = "miss",
	[OPTAG_C_OTHER] = "other",
	[OPTAG_C_BAD] = "bad",
	[OPTAG_C_DEPTH] = "depth",
	[OPTAG_C_DEAD] = "dead",
	[OPTAG_C_INSPECT] = "inspected",
	[OPTAG_C_FRAG] = "fragments",
	[OPTAG_C_FRAG_LOST] = "lost_fragments",
};

static const char *const fates[MEDIA_FATES] = {
	[MEDIA_KEPT] = "kept",
	[MEDIA_EVENT] = "events",
	[MEDIA_DUPLICATE] = "duplicates",
	[MEDIA_STALE] = "stale",
	[MEDIA_TRUNCATED] = "truncated",
	[MEDIA_BAD] = "bad",
	[MEDIA_UNKNOWN_PAYLOAD] = "unknown_payload",
	[MEDIA_OTHER_PAYLOAD] = "other_payload",
	[MEDIA_NOT_KEPT] = "not_kept",
	[MEDIA_INSPECTED] = "inspected",
	[MEDIA_KNOWN] = "known",
	[MEDIA_NO_MEMORY] = "no_memory",
	[MEDIA_FAILED] = "failed",
};

static const char *const purposes[POLICY_PURPOSES] = { "documentation", "training" };
static const char *const states[PURPOSE_STATES] = { "none", "pending", "granted", "denied", "withdrawn", "opted-out",
						    "objected", "expired" };

void status_decided(struct status_decisions *ds, enum policy_purpose p, enum purpose_state s, const char *reason)
{
	struct status_decision *d;

	for (unsigned i = 0; i < ds->n; i++) {
		d = &ds->d[i];
		if (d->purpose == p && d->state == s && strncmp(d->reason, reason, sizeof(d->reason) - 1) == 0) {
			d->calls++;
			return;
		}
	}
	if (ds->n == STATUS_DECISIONS) { /* the last entry collects the rest: the sum stays right */
		d = &ds->d[STATUS_DECISIONS - 1];
		snprintf(d->reason, sizeof(d->reason), "other");
		d->calls++;
		return;
	}
	d = &ds->d[ds->n++];
	*d = (struct status_decision){ .purpose = (uint8_t)p, .state = (uint8_t)s, .calls = 1 };
	snprintf(d->reason, sizeof(d->reason), "%s", reason);
}

/* ---- read when asked ---- */

void status_read_interface(struct status_interface *i, uint32_t index, int fd)
{
	struct rtlink l;

	i->up = !strcmp(i->name, "any");
	if (i->up || (index ? rtlink_ask_index(fd, index, &l) : rtlink_ask(fd, i->name, &l)))
		return;
	if (strcmp(l.name, i->name) != 0)
		memcpy(i->renamed, l.name, sizeof(i->renamed));
	i->up = l.up;
	i->rx_bytes = l.rx_bytes;
	i->rx_packets = l.rx_packets;
	i->rx_dropped = l.rx_dropped;
}

void status_read_disk(struct status *s)
{
	struct statvfs v;

	if (statvfs(s->store_dir, &v))
		return;
	s->disk_bytes = (uint64_t)v.f_blocks * v.f_frsize;
	s->disk_free = (uint64_t)v.f_bavail * v.f_frsize;
}

struct process {
	double cpu;
	uint64_t rss, threads;
};

static void read_process(struct process *p)
{
	struct rusage u;
	unsigned long long size, rss;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	memset(p, 0, sizeof(*p));
	if (getrusage(RUSAGE_SELF, &u) == 0)
		p->cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmRSS: %llu", &rss) == 1) /* NOLINT(cert-err34-c) */
			p->rss = rss * 1024;
		if (sscanf(line, "Threads: %llu", &size) == 1) /* NOLINT(cert-err34-c) */
			p->threads = size;
	}
	if (f)
		fclose(f);
}

static bool balanced(const struct status *s)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < OPTAG_C_MAX; i++)
		sum += i == OPTAG_C_SEEN ? 0 : s->counts[i];
	return sum == s->counts[OPTAG_C_SEEN];
}

/* ---- JSON ---- */

static void num(json_t *o, const char *name, uint64_t v)
{
	(void)json_object_set_new(o, name, json_integer((json_int_t)(v > INT64_MAX ? INT64_MAX : v)));
}

static void when(json_t *o, const char *name, uint64_t ns)
{
	char text[32];

	clock_format(ns, text);
	(void)json_object_set_new(o, name, ns ? json_string(text) : json_null());
}

static json_t *interfaces_json(const struct status *s)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < s->ninterface; i++) {
		const struct status_interface *f = &s->interface[i];
		json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:b}", "name", f->name, "mode", f->mode ? f->mode : "", "mirror",
				      f->mirror, "up", f->up, "attached", f->attached);

		(void)json_object_set_new(o, "renamed", *f->renamed ? json_string(f->renamed) : json_null());
		num(o, "gone", f->gone);
		num(o, "gone_ms", f->gone_ns / NS_PER_MS);

		num(o, "rx_bytes", f->rx_bytes);
		num(o, "rx_packets", f->rx_packets);
		num(o, "rx_dropped", f->rx_dropped);
		(void)json_array_append_new(a, o);
	}
	return a;
}

static json_t *packets_json(const struct status *s)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < OPTAG_C_MAX; i++)
		num(o, status_count_names[i], s->counts[i]);
	(void)json_object_set_new(o, "balanced", json_boolean(balanced(s)));
	return o;
}

static json_t *media_json(const struct status *s)
{
	json_t *o = json_object();

	num(o, "before", s->drained_before);
	num(o, "drained", s->drained);
	for (unsigned i = 0; i < MEDIA_FATES; i++)
		num(o, fates[i], s->media[i]);
	return o;
}

static const char *const befores[] = { "none", "left", "killed", "stale" };

static json_t *take_over_json(const struct status_take_over *t)
{
	json_t *o;

	if (t->from == STATUS_NONE)
		return json_null();
	o = json_pack("{s:s}", "from", befores[t->from]);
	num(o, "gap_ms", t->gap_ns / NS_PER_MS);
	num(o, "calls", t->calls);
	num(o, "recordings", t->recordings);
	num(o, "lost", t->lost);
	return o;
}

static json_t *state_json(const struct status *s)
{
	json_t *o = json_object();

	num(o, "blocks", s->state_blocks);
	num(o, "used", s->state_used);
	num(o, "calls", s->state_calls);
	return o;
}

static json_t *rings_json(const struct status *s)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < s->nring; i++) {
		json_t *o = json_pack("{s:i}", "cpu", s->ring[i].cpu);

		num(o, "size", s->ring[i].size);
		num(o, "used", s->ring[i].used);
		num(o, "peak", s->ring[i].peak);
		num(o, "lost", s->ring[i].lost);
		(void)json_array_append_new(a, o);
	}
	return a;
}

/* The step below which so many percent of the packets lie; never more than the longest. */
static uint64_t delay_us(const struct xdp_delay *d, unsigned percent)
{
	uint64_t all = 0, below = 0, ns = d->max_ns;

	for (unsigned i = 0; i < XDP_DELAYS; i++)
		all += d->count[i];
	for (unsigned i = 0; i < XDP_DELAYS - 1; i++) {
		below += d->count[i];
		if (below * 100 >= all * percent) {
			ns = XDP_DELAY_NS << i;
			break;
		}
	}
	return (ns < d->max_ns ? ns : d->max_ns) / 1000;
}

static json_t *delay_json(const struct xdp_delay *d)
{
	json_t *o = json_object();
	uint64_t all = 0;

	for (unsigned i = 0; i < XDP_DELAYS; i++)
		all += d->count[i];
	num(o, "packets", all);
	num(o, "p50_us", delay_us(d, 50));
	num(o, "p99_us", delay_us(d, 99));
	num(o, "max_us", d->max_ns / 1000);
	return o;
}

static json_t *signalling_json(const struct sigin_stats *g)
{
	json_t *o = json_object();

	num(o, "packets", g->packets);
	num(o, "messages", g->messages);
	num(o, "bad_packets", g->bad_packets);
	num(o, "bad_messages", g->bad_messages);
	num(o, "not_sip", g->not_sip);
	num(o, "fragments", g->frags);
	num(o, "fragments_lost", g->frag_timeout + g->frag_overlap + g->frag_full);
	num(o, "tcp_segments", g->tcp_segments);
	num(o, "tcp_gaps", g->tcp_gap);
	num(o, "tcp_full", g->tcp_full);
	return o;
}

static json_t *calls_json(const struct status *s)
{
	json_t *o = json_object();

	num(o, "limit", s->calls_limit);
	num(o, "active", s->calls.active);
	num(o, "setup", s->in_setup);
	num(o, "answered", s->answered);
	num(o, "hold", s->on_hold);
	num(o, "ending", s->ending);
	num(o, "recording", s->recording);
	num(o, "total", s->calls.calls);
	num(o, "matched", s->calls.matched);
	num(o, "unmatched", s->calls.unmatched);
	num(o, "never", s->calls.never);
	num(o, "refused", s->calls.refused_full + s->calls.refused_id);
	num(o, "forgotten", s->calls.forgotten);
	num(o, "tied", s->calls.tied);
	num(o, "bound", s->calls.bound);
	num(o, "duplicates", s->calls.duplicates);
	num(o, "untied", s->calls.group_full + s->calls.late_full);
	num(o, "undivided", s->calls.transfer_limit);
	num(o, "missed_requests", s->calls.missed_requests);
	num(o, "foreign_ends", s->calls.foreign_ends);
	num(o, "kept", s->kept);
	num(o, "denied", s->denied);
	num(o, "gaps", s->gaps);
	num(o, "unwritten", s->unwritten);
	num(o, "memory", s->call_memory);
	num(o, "memory_limit", s->call_memory_limit);
	num(o, "memory_areas", s->call_areas);
	num(o, "memory_huge", s->call_huge);
	return o;
}

static json_t *decisions_json(const struct status_decisions *ds)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < ds->n; i++) {
		const struct status_decision *d = &ds->d[i];
		json_t *o = json_pack("{s:s, s:s, s:s}", "purpose", purposes[d->purpose % POLICY_PURPOSES], "state",
				      states[d->state % PURPOSE_STATES], "reason", d->reason);

		num(o, "calls", d->calls);
		(void)json_array_append_new(a, o);
	}
	return a;
}

static json_t *store_json(const struct status *s)
{
	json_t *o = json_pack("{s:s}", "dir", s->store_dir);

	num(o, "payload_bytes", s->store.payload_bytes);
	num(o, "stored_bytes", s->store.stored_bytes);
	num(o, "chunks", s->store.chunks);
	num(o, "fast_chunks", s->store.fast_chunks);
	num(o, "uncut", s->store.uncut);
	num(o, "segments", s->store.segments);
	num(o, "disk_bytes", s->disk_bytes);
	num(o, "disk_free", s->disk_free);
	num(o, "queue_bytes", s->queue_bytes);
	num(o, "queue_max", s->queue_max);
	num(o, "queue_limit", s->queue_limit);
	num(o, "errors", s->store_errors);
	num(o, "sync_ms_last", s->sync_ns_last / NS_PER_MS);
	num(o, "sync_ms_max", s->sync_ns_max / NS_PER_MS);
	(void)json_object_set_new(o, "io_uring", json_boolean(s->store.ring));
	if (s->reaper_ago_ns != UINT64_MAX)
		num(o, "reaper_ago_ms", s->reaper_ago_ns / NS_PER_MS);
	(void)json_object_set_new(o, "reaper_dead", json_boolean(s->reaper_dead));
	return o;
}

static json_t *losses_json(const struct status *s)
{
	struct loss l[LOSSES];
	json_t *o = json_object();

	losses_of(s, l);
	for (unsigned i = 0; i < LOSSES; i++)
		num(o, l[i].name, l[i].n);
	return o;
}

static json_t *process_json(void)
{
	struct process p;
	json_t *o;

	read_process(&p);
	o = json_pack("{s:f}", "cpu_seconds", p.cpu);
	num(o, "rss_bytes", p.rss);
	num(o, "threads", p.threads);
	return o;
}

json_t *status_json(const struct status *s)
{
	json_t *o = json_pack("{s:s, s:I}", "version", VERSION, "pid", (json_int_t)getpid()), *p;

	if (!o)
		return NULL;
	when(o, "start", s->start_ns);
	when(o, "now", s->now_ns);
	p = json_pack("{s:s, s:s}", "hash", s->policy_hash, "path", s->policy_path);
	num(p, "rules", s->policy_rules);
	num(p, "alarm", s->policy_alarm);
	num(p, "stopped", s->policy_stopped);
	if (s->review_days != INT_MAX)
		json_object_set_new(p, "review_days", json_integer(s->review_days));
	when(p, "loaded", s->policy_loaded_ns);
	if (json_object_set_new(o, "policy", p) || json_object_set_new(o, "take_over", take_over_json(&s->took)) || json_object_set_new(o, "interfaces", interfaces_json(s)) ||
	    json_object_set_new(o, "packets", packets_json(s)) ||
	    json_object_set_new(o, "flow", json_pack("{s:I, s:I, s:I, s:I}", "capacity", (json_int_t)s->flow_capacity, "used",
						     (json_int_t)s->flow_used, "full", (json_int_t)s->flow_full, "quarantine",
						     (json_int_t)s->flow_quarantine)) ||
	    json_object_set_new(o, "state", state_json(s)) || json_object_set_new(o, "rings", rings_json(s)) || json_object_set_new(o, "media", media_json(s)) ||
	    json_object_set_new(o, "signalling", signalling_json(&s->signalling)) ||
	    json_object_set_new(o, "delay", delay_json(&s->delay)) || json_object_set_new(o, "calls", calls_json(s)) ||
	    json_object_set_new(o, "decisions", decisions_json(&s->decisions)) ||
	    json_object_set_new(o, "alarms", json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "notice_missing", (json_int_t)s->notice_missing,
						       "pause_over", (json_int_t)s->pause_over, "gap", (json_int_t)s->alarm_gap,
						       "quota", (json_int_t)s->alarm_quota, "utilisation", (json_int_t)s->alarm_use,
						       "transfer_limit", (json_int_t)s->transfer_limit, "review",
						       (json_int_t)s->alarm_review, "sms_undelivered", (json_int_t)s->sms_undelivered)) ||
	    json_object_set_new(o, "clock", json_pack("{s:I, s:I}", "off_ms", (json_int_t)(s->clock_ahead_ns / (int64_t)NS_PER_MS), "steps",
						      (json_int_t)s->clock_steps)) ||
	    json_object_set_new(o, "store", store_json(s)) || json_object_set_new(o, "losses", losses_json(s)) ||
	    json_object_set_new(o, "process", process_json())) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* ---- Prometheus ---- */

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
	head(b, name, type, help);
	buf_printf(b, "%s %" PRIu64 "\n", name, v);
}

/* Label values: reasons and interface names; backslash, quote and newline are escaped. */
static void label(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			buf_put(b, "\\n", 2);
		else if (*s == '"' || *s == '\\')
			buf_printf(b, "\\%c", *s);
		else
			buf_put8(b, (uint8_t)*s);
	}
}

static void with_label(struct buf *b, const char *name, const char *key, const char *value, uint64_t v)
{
	buf_printf(b, "%s{%s=\"", name, key);
	label(b, value);
	buf_printf(b, "\"} %" PRIu64 "\n", v);
}

static void packets_metrics(const struct status *s, struct buf *b)
{
	struct loss l[LOSSES];

	losses_of(s, l);
	one(b, "optag_packets_seen_total", "counter", "Packets the classifier saw; the sum of optag_packets_total.",
	    s->counts[OPTAG_C_SEEN]);
	head(b, "optag_packets_total", "counter", "Packets by what became of them.");
	for (unsigned i = 0; i < OPTAG_C_MAX; i++)
		if (i != OPTAG_C_SEEN)
			with_label(b, "optag_packets_total", "result", status_count_names[i], s->counts[i]);
	one(b, "optag_media_drained_total", "counter", "Media packets out of the rings; the sum of optag_media_total.",
	    s->drained);
	one(b, "optag_media_drained_before", "gauge", "The same by the daemons before this one, which optag_packets_total includes.",
	    s->drained_before);
	head(b, "optag_media_total", "counter", "Media packets out of the rings by what became of them.");
	for (unsigned i = 0; i < MEDIA_FATES; i++)
		with_label(b, "optag_media_total", "result", fates[i], s->media[i]);
	head(b, "optag_losses_total", "counter", "What was lost, by place.");
	for (unsigned i = 0; i < LOSSES; i++)
		with_label(b, "optag_losses_total", "place", l[i].name, l[i].n);
}

static void interface_metrics(const struct status *s, struct buf *b)
{
	head(b, "optag_interface_receive_bytes_total", "counter", "Bytes received, by the driver's count.");
	for (unsigned i = 0; i < s->ninterface; i++)
		with_label(b, "optag_interface_receive_bytes_total", "interface", s->interface[i].name, s->interface[i].rx_bytes);
	head(b, "optag_interface_up", "gauge", "1: the interface has a carrier.");
	for (unsigned i = 0; i < s->ninterface; i++)
		with_label(b, "optag_interface_up", "interface", s->interface[i].name, s->interface[i].up);
	head(b, "optag_interface_attached", "gauge", "1: packets are captured; 0: the interface was removed.");
	for (unsigned i = 0; i < s->ninterface; i++)
		with_label(b, "optag_interface_attached", "interface", s->interface[i].name, s->interface[i].attached);
	head(b, "optag_interface_renamed", "gauge", "1: the interface has another name than the settings have.");
	for (unsigned i = 0; i < s->ninterface; i++)
		with_label(b, "optag_interface_renamed", "interface", s->interface[i].name, *s->interface[i].renamed != 0);
	head(b, "optag_interface_removals_total", "counter", "Times the interface was removed while the daemon ran.");
	for (unsigned i = 0; i < s->ninterface; i++)
		with_label(b, "optag_interface_removals_total", "interface", s->interface[i].name, s->interface[i].gone);
	head(b, "optag_interface_absent_seconds_total", "counter", "How long the interface was not there, while the daemon ran.");
	for (unsigned i = 0; i < s->ninterface; i++) {
		buf_printf(b, "optag_interface_absent_seconds_total{interface=\"");
		label(b, s->interface[i].name);
		buf_printf(b, "\"} %.3f\n", (double)s->interface[i].gone_ns / 1e9);
	}
}

static void ring_metrics(const struct status *s, struct buf *b)
{
	char cpu[16];

	head(b, "optag_ring_size_bytes", "gauge", "Size of a ring; \"signalling\" or the CPU.");
	for (unsigned k = 0; k < 2; k++) {
		const char *name = k ? "optag_ring_used_bytes" : "optag_ring_size_bytes";

		if (k)
			head(b, name, "gauge", "Bytes in a ring that are not drained.");
		for (unsigned i = 0; i < s->nring; i++) {
			snprintf(cpu, sizeof(cpu), "%d", s->ring[i].cpu);
			with_label(b, name, "ring", s->ring[i].cpu < 0 ? "signalling" : cpu, k ? s->ring[i].used : s->ring[i].size);
		}
	}
}

static void delay_metrics(const struct xdp_delay *d, struct buf *b)
{
	static const char name[] = "optag_signalling_delay_seconds";
	uint64_t below = 0;

	head(b, name, "histogram", "From the arrival of a signalling packet until what it says is in the flow table.");
	for (unsigned i = 0; i < XDP_DELAYS - 1; i++) {
		below += d->count[i];
		buf_printf(b, "%s_bucket{le=\"%.6f\"} %" PRIu64 "\n", name, (double)(XDP_DELAY_NS << i) / 1e9, below);
	}
	below += d->count[XDP_DELAYS - 1];
	buf_printf(b, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n", name, below, name,
		   (double)d->sum_ns / 1e9, name, below);
}

static void call_metrics(const struct status *s, struct buf *b)
{
	head(b, "optag_calls", "gauge", "Calls in progress by phase.");
	with_label(b, "optag_calls", "phase", "setup", s->in_setup);
	with_label(b, "optag_calls", "phase", "answered", s->answered);
	with_label(b, "optag_calls", "phase", "hold", s->on_hold);
	with_label(b, "optag_calls", "phase", "ending", s->ending);
	one(b, "optag_calls_recording", "gauge", "Calls whose audio is being stored.", s->recording);
	one(b, "optag_calls_limit", "gauge", "Places for calls; those that no rule matches and those that are over give theirs to others.", s->calls_limit);
	one(b, "optag_calls_total", "counter", "Calls seen.", s->calls.calls);
	one(b, "optag_calls_matched_total", "counter", "Calls that a rule matched.", s->calls.matched);
	one(b, "optag_calls_forgotten_total", "counter", "Calls in progress that no rule matched, forgotten for others to have their place.",
	    s->calls.forgotten);
	one(b, "optag_calls_tied_total", "counter", "Calls found to be of one conversation with another.", s->calls.tied);
	one(b, "optag_calls_bound_total", "counter", "Calls whose training was denied by what was said in another.", s->calls.bound);
	one(b, "optag_calls_duplicate_total", "counter", "Calls whose audio another call's recording has.", s->calls.duplicates);
	one(b, "optag_calls_untied_total", "counter", "Calls that a full table left without what belongs to them.",
	    s->calls.group_full + s->calls.late_full);
	one(b, "optag_calls_undivided_total", "counter", "Transfers within a call that came too fast for a recording of their own.",
	    s->calls.transfer_limit);
	one(b, "optag_calls_missed_requests_total", "counter", "Times that requests of a matched call were not seen, by their numbers.",
	    s->calls.missed_requests);
	one(b, "optag_calls_foreign_ends_total", "counter", "Messages that would have ended a call, under tags that are no party's: ignored.",
	    s->calls.foreign_ends);
	head(b, "optag_calls_ended_total", "counter", "Matched calls that are over, by what is kept of them.");
	with_label(b, "optag_calls_ended_total", "outcome", "kept", s->kept);
	with_label(b, "optag_calls_ended_total", "outcome", "denied", s->denied);
	with_label(b, "optag_calls_ended_total", "outcome", "gap", s->gaps);
	one(b, "optag_calls_unwritten", "gauge", "Matched calls that are over and whose row the disk does not have yet: not counted above.", s->unwritten);
	head(b, "optag_decisions_total", "counter", "Final state of each purpose of matched calls.");
	for (unsigned i = 0; i < s->decisions.n; i++) {
		const struct status_decision *d = &s->decisions.d[i];

		buf_printf(b, "optag_decisions_total{purpose=\"%s\",state=\"%s\",reason=\"", purposes[d->purpose % POLICY_PURPOSES],
			   states[d->state % PURPOSE_STATES]);
		label(b, d->reason);
		buf_printf(b, "\"} %" PRIu64 "\n", d->calls);
	}
}

static void take_over_metrics(const struct status_take_over *t, struct buf *b)
{
	head(b, "optag_take_over_calls", "gauge", "Calls of the daemon before this one that went on, or not.");
	with_label(b, "optag_take_over_calls", "result", "taken", t->calls);
	with_label(b, "optag_take_over_calls", "result", "lost", t->lost);
	head(b, "optag_take_over_gap_seconds", "gauge", "Between the daemon before and this one; 0: there was none.");
	buf_printf(b, "optag_take_over_gap_seconds %.3f\n", (double)t->gap_ns / 1e9);
}

static void state_metrics(const struct status *s, struct buf *b)
{
	one(b, "optag_state_blocks", "gauge", "Room for the state of calls in progress, for the daemon after this one.", s->state_blocks);
	one(b, "optag_state_used_blocks", "gauge", "Of these, used.", s->state_used);
}

static void store_metrics(const struct status *s, struct buf *b)
{
	one(b, "optag_store_payload_bytes_total", "counter", "Audio payload given to the store.", s->store.payload_bytes);
	one(b, "optag_store_written_bytes_total", "counter", "The same compressed and encrypted.", s->store.stored_bytes);
	one(b, "optag_store_chunks_total", "counter", "Chunks written.", s->store.chunks);
	one(b, "optag_store_uncut_segments", "gauge", "Segments that a recorder of before left open, and that cannot be read.", s->store.uncut);
	one(b, "optag_store_fast_chunks_total", "counter", "Chunks that were compressed less since there was no time.", s->store.fast_chunks);
	one(b, "optag_store_queue_bytes", "gauge", "Audio on its way to the disk.", s->queue_bytes);
	one(b, "optag_store_queue_max_bytes", "gauge", "The most of it since the start.", s->queue_max);
	one(b, "optag_store_queue_limit_bytes", "gauge", "So much it may be (write-memory); what is more is lost.", s->queue_limit);
	one(b, "optag_store_io_uring", "gauge", "1: written by io_uring; 0: by plain writes, which wait for the disk one by one.", s->store.ring);
	one(b, "optag_store_errors_total", "counter", "Failed writes.", s->store_errors);
	one(b, "optag_store_disk_free_bytes", "gauge", "Free space of the store's file system.", s->disk_free);
	one(b, "optag_store_disk_size_bytes", "gauge", "Size of the store's file system.", s->disk_bytes);
	head(b, "optag_store_sync_seconds", "gauge", "How long the last sync took.");
	buf_printf(b, "optag_store_sync_seconds %.6f\n", (double)s->sync_ns_last / 1e9);
}

void status_metrics(const struct status *s, struct buf *b)
{
	struct process p;

	read_process(&p);
	head(b, "optag_build_info", "gauge", "Always 1.");
	with_label(b, "optag_build_info", "version", VERSION, 1);
	packets_metrics(s, b);
	interface_metrics(s, b);
	ring_metrics(s, b);
	one(b, "optag_flow_entries", "gauge", "Addresses in the flow table.", s->flow_used);
	one(b, "optag_flow_capacity", "gauge", "Addresses the flow table has room for.", s->flow_capacity);
	one(b, "optag_sip_messages_total", "counter", "SIP messages read.", s->signalling.messages);
	one(b, "optag_sip_refused_total", "counter", "SIP messages that break its rules.", s->signalling.bad_messages);
	delay_metrics(&s->delay, b);
	call_metrics(s, b);
	take_over_metrics(&s->took, b);
	state_metrics(s, b);
	store_metrics(s, b);
	one(b, "optag_notice_missing_total", "counter", "Calls whose announcement nothing proved in time.", s->notice_missing);
	one(b, "optag_pause_over_total", "counter", "Pauses that nobody ended within pause-max.", s->pause_over);
	one(b, "optag_gap_alarms_total", "counter", "Calls of which something was to be recorded and is not.", s->alarm_gap);
	one(b, "optag_quota_alarms_total", "counter", "Calls that found a cap of their rule reached.", s->alarm_quota);
	one(b, "optag_utilisation_alarms_total", "counter", "Calls that found the cap reached that low use made.", s->alarm_use);
	one(b, "optag_transfer_limit_total", "counter", "Recordings that ended because transfers came too fast.", s->transfer_limit);
	one(b, "optag_review_alarms_total", "counter", "Calls of rules whose review date, or that of an assessment they name, is past.", s->alarm_review);
	one(b, "optag_sms_undelivered_total", "counter", "Messages with the rest of an announcement that nobody said were delivered, in time.",
	    s->sms_undelivered);
	head(b, "optag_clock_off_seconds", "gauge", "How far the machine's clock is ahead of the daemon's; a second or more: it was set.");
	buf_printf(b, "optag_clock_off_seconds %.3f\n", (double)s->clock_ahead_ns / 1e9);
	one(b, "optag_clock_steps_total", "counter", "Times that the machine's clock was set.", s->clock_steps);
	one(b, "optag_policy_rules", "gauge", "Rules of the policy in force.", s->policy_rules);
	one(b, "optag_policy_alarm", "gauge", "1: the files are not what runs, for a reason that somebody must look at.", s->policy_alarm);
	one(b, "optag_policy_rules_stopped", "gauge", "Rules that somebody stopped.", s->policy_stopped);
	if (s->reaper_ago_ns != UINT64_MAX) {
		head(b, "optag_reaper_age_seconds", "gauge", "Time since the reaper's latest run ended.");
		buf_printf(b, "optag_reaper_age_seconds %.3f\n", (double)s->reaper_ago_ns / 1e9);
	}
	one(b, "optag_reaper_dead", "gauge", "1: the reaper has not run for longer than reaper-limit; of calls that begin now nothing is recorded for training.", s->reaper_dead);
	if (s->review_days != INT_MAX) {
		head(b, "optag_policy_review_seconds", "gauge", "Time to the earliest review date of the policy in force, in whole days; negative: it is past.");
		buf_printf(b, "optag_policy_review_seconds %d\n", s->review_days == INT_MIN ? -1 : s->review_days * 86400);
	}
	one(b, "optag_policy_loaded_timestamp_seconds", "gauge", "When the policy in force was loaded.",
	    s->policy_loaded_ns / NS_PER_S);
	head(b, "process_cpu_seconds_total", "counter", "CPU time of the daemon.");
	buf_printf(b, "process_cpu_seconds_total %.3f\n", p.cpu);
	one(b, "process_resident_memory_bytes", "gauge", "Memory in RAM.", p.rss);
	one(b, "process_start_time_seconds", "gauge", "Start of the daemon.", s->start_ns / NS_PER_S);
}
