/* SPDX-License-Identifier: BSD-2-Clause */
/* tell.c - what the daemon tells: status for the control socket and for metrics, see daemon.h, status.h */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/keep.h"
#include "base/log.h"
#include "capture/flow.h"
#include "capture/live.h"
#include "capture/xdp.h"
#include "calls_say.h"
#include "calls_tell.h"
#include "daemon.h"
#include "metrics.h"
#include "policies.h"
#include "priv.h"
#include "quota_tell.h"
#include "store/store.h"
#include "uses.h"

/* ---- the structure ---- */

static void interface_status(struct daemon *d, struct status *s)
{
	struct live_losses lost;
	size_t n;

	for (n = 0; n < d->conf.ninterface; n++) {
		struct status_interface *i = &s->interface[s->ninterface++];

		memcpy(i->name, d->conf.interface[n].name, sizeof(i->name));
		i->mirror = d->conf.interface[n].mirror;
		status_read_interface(i, d->port[n].gone ? 0 : d->ifindex[n], d->port_ask);
		i->mode = "pcap";
		i->attached = !d->port[n].gone;
		i->gone = d->port[n].times;
		i->gone_ns = port_gone_ns(&d->port[n]);
		if (n < d->nxdp)
			i->mode = d->port[n].gone ? "none" : xdp_mode(d->xdp[n]) == XDP_NATIVE ? "native" : "generic";
	}
	if (!d->live)
		return;
	memcpy(s->counts, live_counts(d->live), sizeof(s->counts));
	live_losses(d->live, &lost);
	s->pcap_lost = lost.kernel;
	s->counts[OPTAG_C_SEEN] += lost.link;
	s->counts[OPTAG_C_BAD] += lost.link;
}

static void ring_status(const struct daemon *d, struct status *s)
{
	const struct xdp *x = d->xdp[0];
	struct xdp_ring_fill f;
	struct xdp_fill sig;
	uint32_t cpu;

	xdp_counts(x, s->counts);
	xdp_delay(x, &s->delay);
	for (cpu = 0; cpu < xdp_rings(x) && s->nring < STATUS_RINGS - 1; cpu++) {
		xdp_ring_fill(x, cpu, &f);
		s->ring[s->nring++] = (struct status_ring){ .cpu = (int)cpu, .size = f.of, .used = f.bytes,
							    .peak = f.peak, .lost = f.lost };
	}
	xdp_fill(x, &sig);
	s->rings_damaged = sig.damaged;
	s->ring[s->nring++] = (struct status_ring){ .cpu = -1, .size = sig.sig_of, .used = sig.sig_bytes,
						    .lost = s->counts[OPTAG_C_SIG_LOST] };
}

static void state_status(const struct daemon *d, struct status *s)
{
	struct recorder_kept k;
	struct keep_figures f;

	if (!d->keep)
		return;
	recorder_kept(d->rec, &k);
	keep_figures(d->keep, &f);
	s->state_blocks = f.blocks;
	s->state_used = f.used;
	s->state_calls = f.records;
	s->state_unsaved = k.unsaved;
}

/* All but what looks at every call or at the disk: this is done each second, too. */
static void fill_figures(struct daemon *d, struct status *s)
{
	const struct policy *p = policies_current(d->policies);
	struct policies_figures pf;
	struct evidence_figures ef;
	struct recorder_figures f;

	memset(s, 0, sizeof(*s));
	s->start_ns = d->start_ns;
	s->now_ns = clock_now_ns();
	memcpy(s->policy_hash, policy_hash(p), 65);
	snprintf(s->policy_path, sizeof(s->policy_path), "%s", d->conf.policy);
	s->policy_rules = policy_rules(p);
	policies_figures(d->policies, &pf);
	s->policy_loaded_ns = pf.loaded_ns;
	s->policy_alarm = *policies_alarm(d->policies) != 0;
	s->policy_stopped = pf.stopped;
	s->review_days = d->reviews.days;
	s->reaper_ago_ns = reaper_ago_ns(d);
	s->reaper_dead = d->reaper.dead;
	interface_status(d, s);
	if (d->nxdp)
		ring_status(d, s);
	s->decisions = d->decisions;
	s->notice_missing = d->alarms[RECORDER_NOTICE_MISSING];
	s->pause_over = d->alarms[RECORDER_PAUSE_OVER];
	s->alarm_gap = d->alarms[RECORDER_GAP];
	s->alarm_quota = d->alarms[RECORDER_QUOTA];
	s->alarm_use = d->alarms[RECORDER_USE];
	s->transfer_limit = d->alarms[RECORDER_TRANSFER_LIMIT];
	s->alarm_review = d->alarms[RECORDER_REVIEW];
	evidence_figures(d->evidence, &ef);
	s->sms_undelivered = ef.sms_undelivered;
	s->clock_ahead_ns = clock_ahead_ns();
	s->clock_steps = d->clock_steps;
	recorder_figures(d->rec, &f);
	s->flow_capacity = ((uint64_t)flow_line_mask(d->flows) + 1) * 2;
	s->flow_used = flow_count(d->flows);
	s->flow_full = f.flow_full;
	s->flow_quarantine = f.flow_quarantine;
	s->drained = f.drained;
	s->drained_before = d->nxdp ? xdp_taken_before(d->xdp[0]) : 0;
	s->took = d->took;
	state_status(d, s);
	memcpy(s->media, f.media, sizeof(s->media));
	s->signalling = f.signalling;
	s->calls = f.table;
	s->calls_limit = d->conf.calls;
	s->kept = f.kept;
	s->denied = f.denied;
	s->gaps = f.gaps;
	s->unwritten = f.unwritten;
	s->call_memory = f.memory;
	s->call_memory_limit = d->conf.call_memory;
	s->call_areas = f.memory_areas;
	s->call_huge = f.memory_huge;
	snprintf(s->store_dir, sizeof(s->store_dir), "%s", d->conf.store);
	store_figures(d->store, &s->store);
	s->store_lost = f.lost_calls + s->store.lost_calls + s->store.cut_calls;
	s->queue_bytes = s->store.queue_bytes;
	s->queue_max = s->store.queue_max;
	s->queue_limit = d->conf.write_memory;
	s->store_errors = s->store.errors;
	s->sync_ns_last = s->store.sync_last_ns;
	s->sync_ns_max = s->store.sync_max_ns;
}

static void fill_status(struct daemon *d, struct status *s)
{
	fill_figures(d, s);
	calls_tell_count(d->rec, s);
	status_read_disk(s);
}

/* ---- the log ---- */

static void say_loss(void *arg, const char *text, uint64_t n)
{
	(void)arg;
	log_warn("alarm: lost: %s; %llu since the last line", text, (unsigned long long)n);
}

void daemon_losses(struct daemon *d)
{
	struct status *s = malloc(sizeof(*s));

	if (!s) /* a second later, again */
		return;
	fill_figures(d, s);
	losses_look(&d->losses, s, clock_steady_ns(), say_loss, NULL);
	free(s);
}

/* ---- who asks ---- */

static int on_status(void *arg, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n)
{
	struct status *s = malloc(sizeof(*s));
	json_t *o;

	(void)peer;
	(void)request;
	if (!s) {
		snprintf(why, n, "out of memory");
		return -ENOMEM;
	}
	fill_status(arg, s);
	o = status_json(s);
	free(s);
	if (!o || json_object_update(answer, o)) {
		json_decref(o);
		snprintf(why, n, "out of memory");
		return -ENOMEM;
	}
	json_decref(o);
	return 0;
}

static int on_call_list(void *arg, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n)
{
	const struct daemon *d = arg;

	(void)peer;
	return calls_tell_list(d->rec, request, answer, why, n);
}

static int on_call_trace(void *arg, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n)
{
	const struct daemon *d = arg;

	(void)peer;
	return calls_tell_trace(d->rec, request, answer, why, n);
}

static int on_call_event(void *arg, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n)
{
	const struct daemon *d = arg;

	return calls_say(d->rec, peer, request, answer, why, n);
}

static int on_use(void *arg, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n)
{
	const struct daemon *d = arg;

	(void)answer;
	return uses_ctl(d->uses, peer, request, why, n);
}

static int on_quota(void *arg, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n)
{
	const struct daemon *d = arg;

	(void)peer;
	(void)request;
	return quota_tell(d->evidence, policies_current(d->policies), answer, why, n);
}

static int on_policies(void *arg, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why,
		       size_t n)
{
	const struct daemon *d = arg;

	return policies_ctl(d->policies, peer, request, answer, why, n);
}

static const struct ctl_handler handlers[] = { { "status", 0, on_status }, { "call-list", 0, on_call_list },
					       { "call-trace", 0, on_call_trace }, { "call-event", CTL_CALLS, on_call_event },
					       { "use", CTL_USE, on_use }, { "quota", 0, on_quota },
					       POLICIES_CTL(on_policies), { 0 } };

static void on_metrics(void *arg, struct buf *out)
{
	struct status *s = malloc(sizeof(*s));

	if (!s) {
		out->failed = true;
		return;
	}
	fill_status(arg, s);
	status_metrics(s, out);
	free(s);
}

/* A group of its own for a kind of request. */
static int allow(struct daemon *d, const char *group, unsigned may, char *why, size_t n)
{
	gid_t gid;
	int e;

	if (!*group)
		return 0;
	if (priv_find_group(group, &gid)) {
		log_warn("no group '%s': what it may do is for root and '%s' only", group, d->conf.user);
		return 0;
	}
	e = ctl_allow(d->ctl, gid, may);
	if (e)
		snprintf(why, n, "'%s': %s", d->conf.control, strerror(-e));
	return e;
}

int daemon_open_sockets(struct daemon *d, char *why, size_t n)
{
	gid_t gid = (gid_t)-1;
	int e;

	if (*d->conf.control_group && priv_find_group(d->conf.control_group, &gid))
		log_warn("no group '%s': the control socket is for root and '%s' only", d->conf.control_group, d->conf.user);
	e = ctl_new(d->conf.control, gid, handlers, d, &d->ctl, why, n);
	if (!e)
		e = allow(d, d->conf.calls_group, CTL_CALLS, why, n);
	if (!e)
		e = allow(d, d->conf.use_group, CTL_USE, why, n);
	if (!e && d->conf.metrics.port)
		e = metrics_new(&d->conf.metrics, on_metrics, d, &d->metrics, why, n);
	return e;
}
