/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group.h - calls that are one conversation (guidance 7, X-5, X-6)
 *
 * A back-to-back agent makes two calls of one conversation, a transfer makes a second one out of the first. What
 * ties them together is a key that both have:
 *
 *	Session-ID (RFC 7989)	either half that is not nil		while one lasts, and GROUP_LINGER_NS after
 *	the trunk's correlate-header, by its value			likewise
 *	Replaces, Join (RFC 3891, 3911), REFER and what follows it	likewise
 *	SDP: the same session (o=) at the same address, or the same	announced within GROUP_FRESH_NS, the second call made
 *	address of a called party					while the first one rang, between numbers that do not contradict
 *
 * Only calls of one controller are ever tied (RX-2). A group has one set of decisions:
 *
 *  - Deny wins. An opt-out, an objection with grounds, a consent taken back and a loss that may hide a key press
 *    bind training of every call of the group, also of those that come later. A denial for want of something (no
 *    notice, no press, hung up) is that call's own: nobody said no.
 *  - What was recorded for training in a part of a conversation that is over waits, uncommitted, for the end of all of it
 *    (group_park): who opts out does so for the whole.
 *  - A consent counts for the other calls only when it came from the data subject's own leg, under the same rule, and when
 *    the two are surely the same (group_same).
 *  - A `never` rule (a no-record list) that one of them met stops training of all, and all recording of those that are
 *    surely the same.
 *  - An objection to documentation, and a consent to it that is taken back, bind what is surely the same, whenever it is
 *    found to be; what takes the place of the call or joins it (Replaces, Join, REFER); its later parts under whatever
 *    controller; and its earlier parts, which wait for the end as training's do. So does a pause, but for what is over.
 *  - One draw: calls at the same time under one rule share the first one's result, and its slot.
 *  - One recording. Of calls that are surely the same, at the same time, the one with both voices is kept, then the one
 *    that began first; the others are denied, "duplicate", and name it.
 *
 * What a forger can do. Who knows a Call-ID ties that call to nothing: Session-ID and REFER count in it as its parties' words
 * (party.h), and his own tag is none in a Replaces or Join. Who sends calls with somebody else's half of a Session-ID, or with a Replaces or
 * Join that knows somebody else's Call-ID and tags, ties his call to it: he can then opt out for both, so that training of the other is denied; never
 * more. He cannot have the other's documentation stopped, nor its recording dropped: for both the two must be surely the
 * same - both halves of the Session-ID known and equal, the trunk's header equal, or one media address - and the
 * recording that is dropped is always one whose whole time another one covers. What he can lose
 * that way is his own; so an objection or a pause in a call that only names another one's dialog binds what that was before it,
 * restricting it, and nothing that goes on there. Work is bounded: GROUP_KEYS_MAX keys a call, GROUP_CHAIN_MAX calls looked at a key,
 * GROUP_MEMBERS_MAX calls a group; beyond, the call is tied to nothing, loses training ("group.full") and is counted.
 *
 * Same thread as calls_*. No I/O; memory is one block a matched call.
 */
#ifndef GROUP_H
#define GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/uid.h"
#include "call/purpose.h"
#include "policy/policy.h"

struct buf;
struct call;
struct calls;
struct rd;
struct sdp;
struct sip_msg;

#define GROUP_KEYS_MAX	  10 /* of one call: see keys_of_kind in group.c */
#define GROUP_MEMBERS_MAX 64
#define GROUP_CHAIN_MAX	  128 /* calls with one key that are looked at */
#define GROUP_LINGER_NS	  30000000000ULL /* after its end a call can still be told to be the same; at most a tombstone's time */
#define GROUP_FRESH_NS	  10000000000ULL /* two descriptions of one address, for one conversation */
#define GROUP_COVER_NS	  2000000000ULL	 /* answers and hang-ups of two calls of one conversation lie this close */

enum group_kind {
	GROUP_K_SESSION, /* a half of Session-ID */
	GROUP_K_HEADER,
	GROUP_K_SDP,	 /* o= and address of the caller's description */
	GROUP_K_MEDIA,	 /* an address of the called party */
	GROUP_K_REFER,	 /* who is to be called by a REFER; of a new call: whom it calls */
	GROUP_K_OLD,	 /* a group of the process before */
	GROUP_KINDS,
};

/* What another call is to this one. */
enum call_relation {
	CALL_R_NONE,
	CALL_R_SAME,	  /* of one conversation; both are kept */
	CALL_R_DUPLICATE, /* the same audio: kept there */
	CALL_R_TRANSFER,  /* this one goes on where that one ended */
	CALL_RELATIONS,
};
const char *call_relation_name(enum call_relation r); /* "same-as", "duplicate-of", "transfer-of"; "" none */

struct group_key {
	struct hnode node;
	struct call_peers *peers; /* whose; NULL not used */
	uint32_t at_ds;		  /* announced; tenths of a second */
	uint8_t kind;
};

struct call_group;

/* A call's part in this; c->peers, NULL for a call that no rule matched and no never rule met. */
struct call_peers {
	struct call *call;
	struct call_group *group; /* NULL: alone */
	struct call_peers *next;  /* in the group */
	char controller[64];	  /* "" a never rule met it: concerns everybody */
	uint64_t half[2];	  /* of Session-ID now, hashes; 0 not known */
	struct uid other;	  /* of relation */
	uint8_t relation;	  /* enum call_relation */
	uint8_t bound;		  /* enum purpose_event + 1 that binds training of all; 0 none */
	uint8_t said;		  /* likewise of documentation, in whichever part of the call: OBJECT or WITHDRAW */
	uint8_t depth;		  /* this call took the place of, or joined, so many before it; see talk */
	uint64_t talk;		  /* the same for a call, its parts, and those that name its dialog */
	uint8_t drawn;		  /* 1 in, 2 out */
	bool never, full;
	bool kept;		  /* the sink's to set in ended(): a recording of it stays */
	const char *out;	  /* why the draw said no */
	struct group_key key[GROUP_KEYS_MAX];
};

/* ---- from dialog.c, call.c, decide.c ---- */

/* A rule matched, or a never rule did (c->matched says which): remembers its keys. Before call_decide_match. m NULL: no
 * message made it so. */
void group_begin(struct calls *cs, struct call *c, const struct sip_msg *m, const char *correlate_header, uint64_t now_ns);
/* After call_decide_match: what others of the group said holds for it, too. */
void group_decided(struct calls *cs, struct call *c, uint64_t now_ns);
/* Each later message of it that is a party's word, as far as is known (party_ends); and each description. */
void group_message(struct calls *cs, struct call *c, const struct sip_msg *m, uint64_t now_ns);
void group_sdp(struct calls *cs, struct call *c, unsigned side, bool initial, const struct sdp *s, uint64_t now_ns);
/* A purpose changed its state by this event. */
void group_event(struct calls *cs, struct call *c, enum policy_purpose p, enum purpose_event e, uint64_t now_ns);
/* Training of another of its calls, or of an earlier part, may still be refused; and it is (e), although this call has
 * none. False: there is none now; what comes later is bound all the same. */
bool group_waits(const struct call *c);
bool group_refuse(struct calls *cs, struct call *c, enum purpose_event e, uint64_t now_ns);
/* A consent to p that was in doubt when an earlier part of c ended, under whatever rule, was the beginning of a number. */
void group_not_meant(struct calls *cs, struct call *c, enum policy_purpose p);
/* Somebody objected to documentation on c, which may be restricted already for another reason, or have none. */
void group_objection(struct calls *cs, struct call *c, uint64_t now_ns);
/* Somebody did, in an earlier part of c or in a call that it goes on for. */
bool group_objected(const struct call *c);
/* A pause begins or ends on c: so it does on what is surely the same, and on what joined it. */
void group_pause(struct calls *cs, struct call *c, bool pause, uint64_t now_ns);
/* c has come to where nobody may be recorded: training of the rest ends, too. */
void group_never(struct calls *cs, struct call *c, uint64_t now_ns);
/* One of its calls is the one that was promised not to be recorded. */
bool group_promised(const struct call *c);
/* What can be heard on the others may depend on c, which has changed. */
void group_refresh(struct calls *cs, const struct call *c);
/* Consent was given on it, by the data subject. from_call: for what was recorded before as well. */
struct call_news;
void group_consent(struct calls *cs, struct call *c, enum policy_purpose p, const struct call_news *n, bool from_call,
		   uint64_t from_ns);
/* A draw is not to be made: *ret_out is another call's result (NULL in). */
bool group_draw(struct calls *cs, struct call *c, const char **ret_out);
void group_drawn(struct call *c, const char *out);
/* A call that shares its draw has training already: it is not drawn again. And it was, and is out now. */
bool group_granted(const struct call *c);
void group_redrawn_out(struct calls *cs, struct call *c, const char *out);
/* The slot that it shares is durable, or lost. */
void group_slot(struct calls *cs, struct call *c, bool durable);
/* It ends now: is it to be kept? Sets relation. Before the sink is told. */
void group_end(struct calls *cs, struct call *c);
/* It is not to be found any more. NULL-tolerant. */
void group_forget(struct calls *cs, struct call *c);

/* The two are surely the same conversation, by what both have; false when either has nothing of it. */
bool group_same(const struct call *a, const struct call *b);
/* Whether c, which announces an address that `owner` has, leaves it there (endpoint.c). */
bool group_leaves(const struct call *c, const struct call *owner);
/* The next call of its group, any order; begin with NULL. For the address that one of them gives up. */
struct call *group_next(const struct call *c, const struct call *prev);

/* It is another controller's from now on: ties to the old one's calls go, what it refused stays refused. */
void group_leave(struct calls *cs, struct call *c);
/* Another recording of the same call goes on where one ended: the next one names it. */
void group_segment(struct call *c, const struct uid *before);

/*
 * c, which ends, has a recording that is not to be committed while its conversation lasts. ghost: a copy of it, the sink's, with
 * memory for its part in the group; it stays there until group_unpark, which it is time for when the sink's unpark() is
 * called. False: the group is full, or no memory.
 */
bool group_lasts(const struct call *c); /* it goes on after this recording of c */
bool group_park(struct calls *cs, struct call *c, struct call *ghost, struct call_peers *part);
void group_unpark(struct calls *cs, struct call *ghost);
/* c is over, and the sink was told: if nobody of the conversation goes on, what was parked may be committed. */
void group_quiet(struct calls *cs, struct call *c);

/* ---- take-over ---- */
void group_save(const struct call *c, struct buf *out);
bool group_load(struct rd *r, struct call *c); /* any bytes; false: not what was written, or no memory */
void group_restored(struct calls *cs);	       /* all calls are there: ties them again */
/* The clock was set back. */
void group_rebase(struct call *c, uint64_t by_ns);

#endif
