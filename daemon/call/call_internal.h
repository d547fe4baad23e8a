/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_internal.h - shared by call.c (table, timers, ends), dialog.c (SIP) and
 * endpoint.c (SDP, addresses)
 *
 * Invariants: a call is in `by_id` from its first message until its tombstone
 * expires (of one Call-ID no two have the same caller_tag), and in exactly one slot of the timer wheel, or in the list of old
 * tombstones. Each call that may give way to others is in one list of `spare` (room.c). An endpoint with `owner`
 * set is in `owners`, and no other endpoint with its address is; a call with `never` has its
 * addresses in `barred`. Only matched
 * calls have endpoints that were given to the sink.
 */
#ifndef CALL_INTERNAL_H
#define CALL_INTERNAL_H

#include "base/buf.h"
#include "call/call.h"
#include "sip/sdp.h"

#define WHEEL_SLOTS 1024 /* of 100 ms: 102 s a turn; later deadlines stay in their slot */
#define WHEEL_NS    100000000ULL
#define REJECT_MEDIA_NS 2000000000ULL /* a refusal of one branch does not end another's early media */
#define STEP_SLOTS  50 /* messages come this late at most (TCP holes); a clock further back was set back */
#define CALL_CODECS_MAX 32 /* names that a call's descriptions are compared by */
#define CALL_LATE_MAX	65536 /* calls that no rule matched and that wait for a header; more do not */
/* Who gives way when the table is full, in this order. */
enum call_spare {
	CALL_S_NONE,	  /* nobody: a rule matches, or did in a part of it */
	CALL_S_OLD,	  /* tombstones past their time */
	CALL_S_OVER,	  /* tombstones of calls that no rule matched */
	CALL_S_REJECTED,  /* refused, and no rule matched */
	CALL_S_UNMATCHED, /* in progress, and no rule matched */
	CALL_S_ENDED,	  /* tombstones of others */
	CALL_S_NEVER,	  /* a `never` matched: its addresses are barred */
	CALL_S_LATE,	  /* may still match */
	CALL_SPARES
};
#define OFFER_NONE  0
#define OFFER_NOW   UINT64_MAX /* no offer: in force at once */

struct calls {
	struct call_limits limit;
	struct calls_sink sink;
	const struct policy *policy;
	struct htab by_id;  /* Call-ID -> call */
	struct htab owners; /* address -> endpoint */
	struct htab barred; /* address -> call in progress that may never be recorded (endpoint.c) */
	struct htab group_keys; /* group.c */
	struct htab counts;	/* count.c: rules -> calls that take a place */
	bool uncounted;		/* one was not, for lack of memory */
	size_t late;		/* calls that may still match */
	unsigned spreading;	/* group.c: what happens now comes from another call */
	struct call **slot; /* by ring number */
	uint8_t *slot_gen;
	uint32_t *free_slot;
	size_t nslot, nfree, slots_used;
	struct call *wheel[WHEEL_SLOTS];
	struct call *wheel_next; /* whose timer is looked at next in the slot at hand */
	uint64_t wheel_at; /* now / WHEEL_NS of the last tick */
	uint64_t now_ns;   /* of the last message or tick, for traces */
	uint64_t horizon;  /* timers do not pass it */
	struct call_list {
		struct call *first, *last; /* oldest first */
		size_t n;
	} spare[CALL_SPARES]; /* who gives way; [CALL_S_NONE] is not used */
	size_t tighten_at; /* slot at which calls_tighten_step goes on */
	const struct sip_msg *sdp_of; /* the message at hand, when sdp is its description already */
	struct sdp sdp;	   /* being read: too large for a stack */
	struct calls_stats stats;
};

/* call.c */
/* Of several (dialog.c: a Call-ID that is used again) one in progress, of these the one that began first. */
struct call *calls_find(struct calls *cs, struct sip_str call_id);
/* The one that has one of the tags; none has: as calls_find. */
struct call *calls_find_tags(struct calls *cs, struct sip_str call_id, struct sip_str from, struct sip_str to);
/* There is one with this Call-ID and caller_tag. */
bool calls_has(const struct calls *cs, struct sip_str call_id, struct sip_str caller_tag);
/* No more calls of this Call-ID; may forget one that is over, or end one that was never answered, which is not the first: the oldest
 * that came from elsewhere than that, else the oldest. */
bool calls_id_full(struct calls *cs, struct sip_str call_id);
int calls_add(struct calls *cs, struct sip_str call_id, struct sip_str caller_tag, uint64_t now,
	      struct call **ret);
void call_set_timer(struct calls *cs, struct call *c, uint64_t at_ns);
void call_begin_end(struct calls *cs, struct call *c, const char *why, uint64_t now);
void call_reject(struct calls *cs, struct call *c, const char *why, uint64_t now);
void call_end_at_once(struct calls *cs, struct call *c, const char *why, uint64_t now);
void calls_advance(struct calls *cs, uint64_t now); /* as calls_tick, but never back */
void call_stop_timer(struct calls *cs, struct call *c);
void call_forget(struct calls *cs, struct call *c); /* a tombstone goes at once */
/* Takes a restored call in under its own number; -EEXIST, -ENOSPC. The timer is the caller's to set. */
int calls_insert(struct calls *cs, struct call *c);
void call_changed(struct calls *cs, struct call *c);
bool call_can_be_heard(const struct call_endpoint *e); /* may be G.711 */
uint8_t call_verdict(const struct call *c, const struct call_endpoint *e);
void call_refresh_verdicts(struct calls *cs, struct call *c);
void call_tell_flow(struct calls *cs, struct call *c, struct call_endpoint *e);

/* room.c */
void call_place(struct calls *cs, struct call *c); /* what it is may have changed: its list */
void call_keep_place(struct calls *cs, struct call *c); /* it goes, or gives way no longer */
void call_old_keep(struct calls *cs, struct call *c); /* a tombstone past its time */
bool call_make_room(struct calls *cs); /* one is forgotten; false: none gives way */

/* count.c */
/* Its rule, phase or a state may have changed: does it take a place of its rule's max-concurrent? */
void call_count(struct calls *cs, struct call *c);
void call_uncount(struct calls *cs, struct call *c); /* it goes */
/* Calls of c's rule that do, without c and the parts of its own conversation. */
unsigned call_count_others(struct calls *cs, const struct call *c);

/* group.c: hash of a number; 0 of none */
uint64_t call_who(const char *number);

/* call_policy.c: in is what policy_eval(p) was asked; copied */
void call_keep_facts(struct call *c, const struct policy *p, const struct policy_input *in);
/* They again, for a policy p; the texts point into c. False: not known. */
bool call_asked(const struct call *c, const struct policy *p, struct policy_input *ret);
/* Facts and what was taken, for call_save.c; false: not what was written, or no memory. */
void call_policy_save(const struct call *c, struct buf *out);
bool call_policy_restore(struct rd *r, struct call *c);

/* segment.c */
/* One message of a known call, and who sent it. */
struct call_said {
	const struct sigin_from *from;
	const struct sip_msg *m;
	unsigned side;	 /* enum optag_leg */
	uint64_t dialog; /* hash of the callee's tag in it; 0 none */
};
/* This tag, by its hash, is a called party's. True as well while none is known, and when there are more than are told apart: what
 * grants asks party_said. */
bool call_callee_has(const struct call *c, uint64_t tag);
/* Its headers are the controller's own word: it comes from that side of the dialog, from a trunk of the controller, or is the
 * first INVITE, as which the call came (RX-1). */
bool call_own_says(const struct call *c, const struct call_said *s);
/* After its description was taken: does another rule hold from now on? */
void call_reconsider(struct calls *cs, struct call *c, const struct call_said *s, uint64_t now);
/* again_ns has passed: a rule that matches may record again. */
void call_again(struct calls *cs, struct call *c, uint64_t now);
/* No rule matched: what is still to come may change that. */
void call_wait_for_more(struct calls *cs, struct call *c, const struct policy *p, struct policy_input *in);
void call_no_more(struct calls *cs, struct call *c); /* it is over, or restored: c->late as it is is counted */
/* Somebody joined. */
void call_third_party(struct calls *cs, struct call *c, uint64_t now);
/* Does this message say so? lines: audio lines of its description, -1 none. */
void call_watch_parties(struct calls *cs, struct call *c, const struct sip_msg *m, unsigned side, bool initial, int lines, uint64_t now);
/* What became known after the INVITE, added to its facts. */
struct call_later {
	struct policy_media media;
	struct policy_str codec[CALL_CODECS_MAX], tag[CALL_TAGS_MAX];
};
void call_later_input(const struct call *c, struct call_later *later, struct policy_input *in);

/* missed.c: each request of the call, before what it says is done */
void call_count_request(struct calls *cs, struct call *c, const struct sigin_from *from, const struct sip_msg *m, unsigned side);

/* dialog.c: what the policy answered becomes the call's */
void call_take_decision(struct calls *cs, struct call *c, const struct policy *p, const struct policy_decision *d,
			const struct policy_input *in);
void call_set_answered(struct calls *cs, struct call *c, uint64_t now);

/* endpoint.c */
/* It was answered: what a call of the same Call-ID, whose voices were there, kept from it becomes its own. */
void call_own_answered(struct calls *cs, struct call *c);
/* A rule matched only now: its addresses become its own. It matches no rule any more: they are nobody's, and are kept. */
void call_own_all(struct calls *cs, struct call *c);
void call_disown_all(struct calls *cs, struct call *c);
/* Where an SDP comes from. */
struct sdp_source {
	unsigned side;	 /* who announced it */
	uint64_t line;	 /* hop and branch */
	uint64_t dialog; /* hash of the callee's tag when it is the callee's; 0 */
	uint64_t offer;	 /* OFFER_NOW, or CSeq + 1 of a request that must be answered first */
	bool initial;	 /* offer or answer of the first INVITE, not of a later one */
};
void call_sdp(struct calls *cs, struct call *c, const struct sdp_source *from, const struct sdp *s,
	      uint64_t now);
/* An offer was answered with 2xx (ok) or refused. */
void call_offer_done(struct calls *cs, struct call *c, unsigned side, uint64_t offer, bool ok,
		     uint64_t now);
/* The branch with this tag was answered: branches that were not go, a second later. */
void call_fork_won(struct calls *cs, struct call *c, uint64_t dialog, bool first, uint64_t now);
/* This branch hung up while another goes on. */
void call_fork_gone(struct calls *cs, struct call *c, uint64_t dialog, uint64_t now);
void call_release_due(struct calls *cs, struct call *c, uint64_t now);
void call_release_all(struct calls *cs, struct call *c);
/* Addresses that were the restored call's are again, save those that another has by now. */
void call_own_restored(struct calls *cs, struct call *c);
void call_free_endpoints(struct calls *cs, struct call *c);
/* What a call with `never` announced, for the next daemon; what is read sets r->bad. */
void call_barred_put(const struct call *c, struct buf *b);
void call_barred_get(struct calls *cs, struct call *c, struct rd *r);
uint64_t call_next_release(const struct call *c); /* 0 none */

/* ---- call_policy.c ---- */
bool call_rule_stopped(const struct calls *cs, const struct policy_rule *r);
/*
 * policy_eval of a call that nothing is decided about yet. While the machine's clock is a step away from ours it may be two
 * times of the day (clock.h): what a rule says has to hold by both, and what must not be recorded by one of them is not.
 */
void call_ask_policy(const struct policy *p, struct policy_input *in, struct policy_decision *ret);

#endif
