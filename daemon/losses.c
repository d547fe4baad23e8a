/* SPDX-License-Identifier: BSD-2-Clause */
/* losses.c - every place where something is lost, see losses.h. One thread. */
#include "losses.h"

#include "status.h"

static uint64_t nic_dropped(const struct status *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->ninterface; i++)
		n += s->interface[i].rx_dropped;
	return n;
}

/* Packets, but for "ring_damaged" (times), and what comes after "store_disk". */
void losses_of(const struct status *s, struct loss ret[LOSSES])
{
	const struct sigin_stats *g = &s->signalling;
	const struct calls_stats *c = &s->calls;
	unsigned n = 0;

#define PLACE(name, n_, said_, text) ret[n++] = (struct loss){ name, text, n_, said_ }
#define PLACE_SAID(name, n_, text) PLACE(name, n_, n_, text)
	PLACE_SAID("nic", nic_dropped(s), "packets that the network card had no room for");
	PLACE_SAID("pcap_buffer", s->pcap_lost, "packets: libpcap's buffer was full (xdp none)");
	PLACE_SAID("signalling_ring", s->counts[OPTAG_C_SIG_LOST], "packets: the signalling ring was full");
	PLACE_SAID("capture_ring", s->counts[OPTAG_C_MEDIA_LOST], "packets: a capture ring was full (ring)");
	PLACE("ring_damaged", s->rings_damaged, 0, NULL); /* main.c says more */
	PLACE_SAID("budget", s->counts[OPTAG_C_BUDGET], "packets past the budget of a leg (budget)");
	PLACE_SAID("media_fragments", s->counts[OPTAG_C_FRAG_LOST], "packets: media in IP fragments is not recorded");
	PLACE_SAID("call_ring", s->media[MEDIA_NO_MEMORY], "packets: calls had no memory (call-memory)");
	PLACE_SAID("store_queue", s->store.shed_packets, "packets: encoders or disk did not keep up (write-memory)");
	PLACE_SAID("store_disk", s->store.lost_packets + s->media[MEDIA_FAILED], "packets: the disk refused");
	PLACE_SAID("fragments", g->frag_timeout + g->frag_overlap + g->frag_full,
		   "IP packets that did not become whole: fragments did not come, or there was no room for more");
	PLACE_SAID("tcp_gaps", g->tcp_gap, "times that segments of SIP over TCP did not come");
	PLACE_SAID("tcp_full", g->tcp_full, "times that SIP over TCP had no room");
	PLACE("bad_packets", g->bad_packets, 0, NULL);
	PLACE("bad_messages", g->bad_messages, 0, NULL);
	PLACE("bad_sdp", c->bad_sdp, 0, NULL);
	PLACE_SAID("sdp", c->sdp_dropped, "audio lines, payload types or candidates: more than are read in one description");
	PLACE_SAID("call_addresses", c->endpoints_dropped, "addresses: a call announced more than are followed");
	PLACE_SAID("flow_full", s->flow_full, "addresses: the flow table was full (flow-lines)");
	PLACE_SAID("flow_quarantine", s->flow_quarantine, "addresses: the flow table had no slot that may be used already (flow-lines)");
	PLACE("calls_refused", c->refused_full + c->refused_id, c->refused_full,
	      "calls refused: all places are taken by calls that rules match (calls)");
	PLACE_SAID("calls_late", c->late_full, "calls not followed until what a rule asks for is known: there were too many");
	PLACE_SAID("store", s->store_lost, "calls that ended while the disk refused");
	PLACE_SAID("state", s->state_unsaved, "times that the state of a call had no room: a restart would not go on with it (calls)");
#undef PLACE
#undef PLACE_SAID
}

void losses_look(struct losses_told *t, const struct status *s, uint64_t now_ns, void (*say)(void *arg, const char *text, uint64_t n),
		 void *arg)
{
	struct loss l[LOSSES];

	losses_of(s, l);
	for (unsigned i = 0; i < LOSSES; i++) {
		if (t->begun && l[i].said > t->seen[i]) /* less: another interface counts from nothing */
			t->waiting[i] += l[i].said - t->seen[i];
		t->seen[i] = l[i].said;
		if (!t->waiting[i] || !l[i].text || (t->at_ns[i] && now_ns - t->at_ns[i] < LOSSES_SAY_NS))
			continue;
		say(arg, l[i].text, t->waiting[i]);
		t->waiting[i] = 0;
		t->at_ns[i] = now_ns;
	}
	t->begun = 1;
}
