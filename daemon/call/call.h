/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.h - calls in progress: who talks to whom, where, and under which rule
 *
 * Takes SIP messages, keeps one `struct call` per Call-ID (RFC 3261 12; forks,
 * retransmissions and proxy hops of one Call-ID are one call; an INVITE under another From tag, once it is
 * answered, is another one, told apart by its tags), asks the policy
 * once at the first INVITE and pins the answer, follows offer and answer (RFC
 * 3264) to know at which addresses each party's voice arrives, and tells its
 * user through the sink what the flow table shall hold. It opens no file and
 * sees no audio.
 *
 *	calls_new, calls_set_policy
 *	per SIP message: calls_message		per some milliseconds: calls_tick
 *	at the end of a capture: calls_finish	calls_free
 *
 * Default deny: a call that no rule matches stays as a small entry without
 * names, so that its later messages are known and addresses it announces are
 * taken away from whoever held them; it never gets a flow entry. When the table is full it gives way to calls that
 * begin (room.c): no flood of such calls keeps one that a rule matches out. Only one that a rule would match if a
 * header, media or a tag were known (`late`) keeps what the policy needs, and is recorded from then on.
 *
 * When a third party joins (a conference's focus, one more audio line, more of them than are read, Join), training ends with what was recorded
 * before: another recording begins, of which nothing is for training, and its documentation says "third-party".
 *
 * When a header that rules ask for changes in the call (a transfer to another queue or agent), its recording
 * ends ("transfer") and, if a rule matches, another begins under that rule: new uid, new row, which names
 * the one before. Nothing that was granted goes on unless rule and announcement are the same; what was
 * refused does (group.h). Such headers count when the controller's side of the dialog sends them, or a trunk of
 * its own; who calls in can neither transfer a call nor say which agent has it (RX-1). In the first INVITE they
 * count as they come.
 *
 * An address belongs to the call that announced it last: ports are reused, and
 * audio of a new call must never land in an old one's recording. (A call with the Call-ID of one whose voices are there
 * waits for its answer.) Nor the other way
 * round: what a call announced that a `never` matched stays blocked for calls that
 * announce it while that call is in progress (a forged SDP, or the other leg of a
 * PBX), until they announce it again after its end. Time is that
 * of the messages; when calls_tick is given a time more than 5 s before the last
 * one (another capture file, a clock set back), timers keep what they had left.
 * All state belongs to one thread; a sink calls nothing of calls_* back.
 */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "base/hash.h"
#include "base/ipaddr.h"
#include "base/uid.h"
#include "call/call_policy.h"
#include "call/decide.h"
#include "call/decide_audio.h"
#include "call/group.h"
#include "call/party.h"
#include "call/purpose.h"
#include "call/told.h"
#include "call/trace.h"
#include "policy/policy.h"
#include "sip/sigin.h"
#include "sip/sip.h"

struct sdp;

#define CALL_ENDPOINTS_MAX 48 /* addresses one call may announce; more are counted and not recorded */
#define CALL_ID_MAX	   256 /* longer Call-IDs are refused (RFC 4475 has none past 130) */
/* Transfers within a call divide its recording so often at once, and once more in each CALL_SEGMENT_EVERY_NS; see segment.c
 * for what happens when they come faster. */
#define CALL_SEGMENTS_MAX     32
#define CALL_SEGMENT_EVERY_NS 10000000000ULL
#define CALL_UIDS_MAX	      256 /* identifiers of its earlier recordings by which a call is still found */
#define CALL_TAGS_MAX	   8   /* told by a telephone system (call_tag) */
#define CALL_TAG_MAX	   32
#define CALL_SENDERS	   4   /* of one side, whose numbers of requests are known */
#define CALL_DIALOGS_MAX   4   /* 2xx of different To tags that are told apart */

struct call_limits {
	size_t calls;		    /* at once, tombstones and unmatched ones included, which give way when it is full (room.c);
				     * more are counted and not recorded */
	uint64_t media_timeout_ns;  /* answered, neither media nor SIP: the BYE was lost */
	uint64_t hold_timeout_ns;   /* the same while on hold */
	uint64_t setup_timeout_ns;  /* not answered, no SIP message: RFC 3261 timer C is 3 min */
	uint64_t linger_ns;	    /* after BYE, packets under way still belong to the call */
	uint64_t tombstone_ns;	    /* ended calls are remembered: 64*T1 = 32 s of retransmissions, */
	size_t tombstones;	    /* and longer, as long as there are no more than these */
	uint64_t challenge_ns;	    /* after 401 and 407: somebody may be typing a password */
};
void call_default_limits(struct call_limits *ret);

enum call_phase {
	CALL_SETUP,	/* INVITE seen */
	CALL_ANSWERED,	/* 2xx */
	CALL_REJECTED,	/* final answer other than 2xx; another INVITE (401, 407) may follow */
	CALL_ENDING,	/* BYE or CANCEL; lingers */
	CALL_TOMBSTONE, /* reported to the sink; only remembered */
};

/* Payload types of one m-line; shared by its candidate addresses. */
struct call_formats {
	unsigned refs;
	uint8_t te[2];
	uint8_t ptime; /* ms of audio a packet, as who receives it wishes; 0 not said */
	unsigned n;
	struct media_format f[];
};

/* An address at which a party of this call receives. */
struct call_endpoint {
	struct hnode node; /* in the table of owners, while `owner` */
	struct call *call;
	struct endpoint at;
	uint8_t side; /* who announced it: enum optag_leg */
	uint8_t leg;  /* whose voice arrives there: the other one */
	uint8_t te[2]; /* telephone-event numbers to let through: of formats, then of offered */
	bool used, owner, srtp;
	bool barred;	     /* was another call's that may never be recorded when it was named here: BLOCK */
	bool in_force;	     /* false: only in an offer that is not answered yet */
	uint8_t verdict;     /* as the sink was told last; 0 not yet */
	uint32_t gen;	     /* the sink's own: generation of its entry in the flow table */
	bool lost_fork;	     /* going because another branch was answered */
	uint64_t line;	     /* which hop and branch: a new SDP of the same line replaces it */
	uint64_t origin;     /* hash of the o= line's session: the same session over another hop; 0 none */
	uint64_t dialog;     /* callee's addresses: hash of its tag; 0 none */
	uint64_t offer;	     /* named by an unanswered re-INVITE or UPDATE: its CSeq + 1; 0 no */
	uint64_t release_ns; /* replaced: goes then; 0 stays */
	struct call_formats *formats;
	struct call_formats *offered; /* in force once the offer is answered; NULL none */
	bool offered_srtp;
};

struct call {
	/*
	 * For everybody, read-only, but for what is said to be private to call/. First what each packet of the call meets.
	 */
	uint32_t ring; /* its number in flow entries and capture records */
	enum call_phase phase;
	bool matched, partial; /* partial: the capture began after its INVITE */
	bool never;	       /* not matched, because of a `never` */
	bool listed;	       /* a no-record list has one of its numbers (policy_decision) */
	bool answered, hold, srtp, overlong;
	enum purpose_state state[POLICY_PURPOSES];
	const struct policy_rule *rule;
	void *user;		  /* the sink's own */
	struct call_endpoint *ep; /* private: CALL_ENDPOINTS_MAX at most, 2, then grown by 8 */
	unsigned nep;
	uint32_t media_version;	   /* grows with each change of what its addresses mean (call_format) */
	uint64_t linger_ns;	   /* private: ENDING, REJECTED: over then */
	struct call_decide decide; /* notice, windows, pause */
	struct call_tight tight;   /* what later policies took from it */
	struct uid uid;
	uint64_t start_ns, answer_ns, end_ns;
	const char *end;	/* "bye", "cancel", "rejected", "timeout", "capture-end", "transfer", "restart", "replaced"; static */
	unsigned status;	/* last final status of the INVITE */
	const char *call_id;	/* terminated, cut at CALL_ID_MAX */
	const struct policy *policy;
	char calling[POLICY_NUMBER_MAX], called[POLICY_NUMBER_MAX]; /* "" withheld */
	char agent[64], queue[64]; /* "" not known */
	const char *reason[POLICY_PURPOSES];
	unsigned presses;     /* key presses heard, whatever they were */
	unsigned endpoints_dropped;
	struct call_peers *peers; /* what other calls are of the same conversation (group.h); NULL nothing known */

	/* private to call/ */
	struct hnode node;
	struct barred *barred; /* of a call with `never`: what it announced */
	char *caller_tag;
	uint64_t caller_alt; /* hash of the tag under which a back-to-back agent passed the INVITE on */
	bool alt_own;	     /* it did: who sent it had been sent the INVITE (party.h) */
	uint32_t way[CALL_WAYS]; /* hashes of addresses to which the INVITE went; 0 none */
	struct call_dialog {
		uint64_t tag, caller; /* hashes of both sides' */
		bool gone;	      /* its BYE was seen */
		bool own;	      /* believed (party.h) */
	} dialog[CALL_DIALOGS_MAX]; /* answered with 2xx */
	unsigned ndialog;
	struct ipaddr invite_src;
	uint32_t invite_cseq, alt_cseq; /* of the INVITE under caller_tag, and under caller_alt: each side of an agent counts its own */
	struct call_asked { /* who sends requests, oldest first, and the greatest number; missed.c */
		uint64_t sender; /* hash; 0 none */
		uint32_t cseq;
	} asked[2][CALL_SENDERS];
	struct call_told told; /* keys and event headers, each once */
	bool voice_heard[2]; /* by leg: that voice was there in an earlier recording of the call */
	bool hold_by[2];
	struct {
		uint64_t offer; /* as in call_endpoint */
		bool held;
	} hold_offer[2]; /* by side: what an unanswered offer asks for */
	uint64_t quiet_ns;    /* REJECTED: early media is blocked from then on; 0 it is */
	uint64_t overlong_ns; /* max-length is reached then; 0 none */
	struct call_trace *trace; /* NULL: nothing happened yet, or nobody records it */
	struct call_facts *facts; /* what its INVITE was decided by; NULL not known */
	bool late;	      /* not matched, and may be by a header, media or a tag that comes: has facts and addresses, owns none */
	bool media_known;
	bool third;	      /* somebody joined who heard no notice: no training from then on */
	uint8_t lines[2];     /* audio lines in force, by side */
	bool promised;	      /* the one call that is not recorded, as who opted out was promised (N-65) */
	bool ghost;	      /* a copy of one that ended, held by group_park */
	bool refused;	      /* a telephone said a=recordpref:off, whenever: holds for whatever is recorded later */
	uint16_t segment;     /* how many recordings it was divided into before */
	uint16_t nearlier;
	struct uid *earlier;  /* of those recordings, the latest CALL_UIDS_MAX, oldest first; NULL none */
	uint8_t divided;      /* of CALL_SEGMENTS_MAX, used up at divided_ns */
	uint64_t divided_ns;
	uint64_t again_ns;    /* a rule matches, and its recording must wait until then (CALL_SEGMENT_EVERY_NS); 0 */
	struct call_spoke {   /* the latest message whose headers counted: [0] a request of that side, [1] an answer of it */
		uint64_t dialog; /* hash of the callee's tag */
		uint32_t cseq;
		uint8_t rank;  /* 0 none yet, 1 provisional, 2 a request or a final answer */
		uint8_t taken; /* bits: headers, by index of policy_headers, that this transaction has told */
	} spoke[2];
	uint8_t ntags;
	char (*tag)[CALL_TAG_MAX]; /* of CALL_TAGS_MAX; NULL none */
	struct call_count *counted; /* count.c: the rule it takes a place of; NULL none */
	const struct policy_rule *counted_by; /* its rule then */
	uint64_t who;	      /* not matched: hash of the calling number; 0 not known */
	uint64_t touched_ns;  /* last SIP message or change of the media count */
	uint64_t media_count;
	uint64_t timer_ns;
	struct call *timer_next, **timer_prev;
	struct call *spare_next, *spare_prev; /* in the list of its kind (room.c) */
	uint8_t spare;			      /* which: enum call_spare */
	bool old;			      /* a tombstone past its time */
	bool unsaved; /* the sink's own: on its list of calls to be saved */
	struct call *unsaved_next;
};

struct calls;

struct calls_sink {
	void *arg;
	/* Packets to this address get this verdict from now on (enum optag_verdict). */
	void (*flow)(void *arg, struct call *c, const struct call_endpoint *e, uint8_t verdict);
	void (*unflow)(void *arg, struct call *c, const struct call_endpoint *e);
	/* A rule matched: c->rule and numbers are set, nothing is decided yet. May set c->user. */
	void (*matched)(void *arg, struct call *c);
	/* A purpose left GRANTED in the call: its audio and key must go now. */
	void (*destroy)(void *arg, struct call *c, enum policy_purpose p);
	/* The call is over; flows are cleared. Afterwards c->user is not used again. */
	void (*ended)(void *arg, struct call *c);
	/* Packets counted so far at the addresses of this call, whatever their verdict. */
	uint64_t (*packets)(void *arg, struct call *c);
	/* Audio packets of a leg that were kept so far, to tell which of two recordings of a conversation is the better. No
	 * function: none. */
	uint64_t (*kept)(void *arg, struct call *c, unsigned leg);
	/* Something that call_save writes may have changed (NULL: nobody wants to know). */
	void (*changed)(void *arg, struct call *c);
	/* No longer remembered; may be NULL. */
	void (*forgotten)(void *arg, struct call *c);
	/* A recording that group_park holds: its conversation is over (e PURPOSE_E_BYE), something binds training of all of
	 * it, or a consent to documentation was taken back. May be NULL when nothing is parked. */
	void (*unpark)(void *arg, struct call *ghost, enum policy_purpose p, enum purpose_event e);
	/* A later policy took something (c->tight); verdicts are set and destroy was called. May be NULL. */
	void (*tightened)(void *arg, struct call *c);
	/* Name of the interface with this index, by which trunks are told apart; NULL: packets of a file. No
	 * function: all of them are. */
	const char *(*interface)(void *arg, uint32_t ifindex);
	/* Somebody stopped this rule: it matches nothing, and calls in progress are tightened as by a `never`. No
	 * function: none is. */
	bool (*stopped)(void *arg, const struct policy_rule *r);
	/* What begins can be proven now; no function: yes (INV-7). */
	bool (*ready)(void *arg);
	/* What was recorded is deleted in time; no function: yes. Else nothing is recorded for training (INV-7). */
	bool (*reaped)(void *arg);
	/* Is this call one of the sample (N-46)? NULL yes (decide.sample_slot, sample_waits), else why not (static text). No function: no samples. */
	const char *(*draw)(void *arg, struct call *c);
	/* The amount was lowered to r's before anything of this call was granted: its slot goes back, and it is drawn again by what is
	 * less in either rule, in the amount of its own. As draw. No function: it is out. */
	const char *(*redraw)(void *arg, struct call *c, const struct policy_rule *r);
	/* A purpose was granted in the call: audio for it begins (c->decide.granted_ns). May be NULL. */
	void (*granted)(void *arg, struct call *c, enum policy_purpose p);
	/* The longest hole in what the classifier saw of this leg's voice while it handed no audio of it up, since it was asked
	 * last, ms; 0 none. No function: none. */
	uint32_t (*hole)(void *arg, struct call *c, unsigned leg);
	/* How long nothing that explains itself was missing from this leg's voice, from its last packet, or from call_voice_from, until
	 * then (0: to the end of the other leg's), ms; *ret_heard: it was there at all. No function: 0. */
	uint32_t (*quiet)(void *arg, struct call *c, unsigned leg, uint64_t until_ns, bool *ret_heard);
	/* A key press of this leg whose end was lost, and which is over by now (UINT64_MAX: whatever is open is); each is told once. May
	 * be NULL. */
	bool (*press)(void *arg, struct call *c, unsigned leg, uint64_t now_ns, struct call_press *ret);
	/* How much of the announcement that is being heard was heard until now, ms. May be NULL. */
	uint32_t (*heard)(void *arg, const struct call *c);
	/* Numbers to be rung back once without a recording (N-65): remember that of c's data subject until then; is it c's
	 * (a call of the controller's to such a number)?; it was answered. NULL: nobody remembers. */
	void (*callback_add)(void *arg, struct call *c, uint64_t until_ns);
	bool (*callback_due)(void *arg, struct call *c);
	void (*callback_used)(void *arg, struct call *c);
	/* For the evidence log. May be NULL. */
	void (*news)(void *arg, const struct call *c, const struct call_news *n);
};

/* Of this process; calls that were restored are among calls, matched, unmatched and never. */
struct calls_stats {
	uint64_t calls, matched, unmatched, never, refused_full, refused_id;
	uint64_t endpoints_dropped; /* addresses that a call announced and that found no place */
	uint64_t messages, ignored; /* not of a call: REGISTER, OPTIONS ... */
	uint64_t sdp_dropped; /* audio lines, payload types and candidates that did not fit (sdp.h), of calls that they concern */
	uint64_t bad_sdp, active;
	/* group.h: calls tied to another, denials that came from one, recordings that another made superfluous, calls that a
	 * full table left alone */
	uint64_t late_full; /* calls that wait for a header: there were too many */
	uint64_t forgotten; /* calls in progress that no rule matched, for others to have their place */
	uint64_t transfer_limit; /* transfers within a call that came faster than CALL_SEGMENT_EVERY_NS allows */
	uint64_t foreign_ends; /* BYE, CANCEL, refusals, and INVITEs past CALL_SAME_ID_MAX, under tags that are no party's: ignored, or it gave way */
	uint64_t missed_requests; /* of matched calls: in-dialog requests whose number was left out, times that it happened */
	uint64_t tied, bound, duplicates, group_full;
};

int calls_new(const struct call_limits *l, const struct calls_sink *sink, struct calls **ret);
void calls_free(struct calls *cs); /* without telling the sink */
/* New calls use p from now on; it must live until every call pinned to it has ended (calls_pinned). */
void calls_set_policy(struct calls *cs, const struct policy *p);
void calls_message(struct calls *cs, const struct sigin_from *from, const struct sip_msg *m);
void calls_tick(struct calls *cs, uint64_t now_ns);
/*
 * Media up to here was seen. Timers wait for it, whatever the time of messages and ticks: a call must not end, and
 * no window close, before what its voices did until then was looked at. UINT64_MAX, the default: media and messages come in order.
 */
void calls_horizon(struct calls *cs, uint64_t ns);
/* Ends every call as of now ("capture-end" unless it was ending already). */
void calls_finish(struct calls *cs, uint64_t now_ns);
/* For tests: what max-concurrent counts (count.c) is what counting all calls comes to. */
bool calls_counted(const struct calls *cs);
/* Every call, remembered ones too; cb may end or change its own call and no other. */
void calls_each(struct calls *cs, void (*cb)(void *arg, struct call *c), void *arg);
/* None is in progress: those that are there are only remembered. */
bool calls_idle(const struct calls *cs);
/* Ends a call that is not over as of now; why: static text. */
void calls_end(struct calls *cs, struct call *c, const char *why, uint64_t now_ns);
/* NULL when the number is nobody's (any more). */
struct call *calls_by_ring(struct calls *cs, uint32_t ring);
/* Prefetching: who has that slot, perhaps somebody else by now (does not touch the call, NULL none);
 * then what a packet of it will meet, a step of pointers at a time. */
struct call *const *calls_slot(const struct calls *cs, uint32_t ring);
#define CALL_SOON_STEPS 2
void call_soon(const struct call *c, unsigned step);
/* The call with this identifier, which may be that of one of its earlier recordings, or with this Call-ID; remembered ones too;
 * NULL. For who asks, not for packets: looks at all. */
struct call *calls_by_uid(struct calls *cs, const struct uid *u);
struct call *calls_by_id(struct calls *cs, const char *call_id, size_t n);
#define CALL_SAME_ID_MAX 8 /* calls of one Call-ID, remembered ones included */
/* c, then the others of its Call-ID that are in progress and that a rule matches, or did. How many. */
unsigned calls_same_id(struct calls *cs, struct call *c, struct call *ret[CALL_SAME_ID_MAX]);
void calls_get_stats(const struct calls *cs, struct calls_stats *ret);

/*
 * A telephone system says something of the call that rules may ask for (`tag`). 0, -EINVAL (empty, or longer than
 * CALL_TAG_MAX - 1), -ENOSPC (CALL_TAGS_MAX of them), -ENOMEM. What was not recorded before is not recovered.
 */
int call_tag(struct calls *cs, struct call *c, const char *tag, uint64_t now_ns);

/*
 * Take-over. A call as bytes, for the daemon that comes after this one: appended to out. They
 * hold numbers and names; whoever keeps them erases them.
 */
struct buf;
void call_save(const struct call *c, struct buf *out);
struct calls_restore {
	void *arg;
	/* The policy with this hash, to live as long as its calls; NULL: not to be had. */
	const struct policy *(*policy)(void *arg, const char *hash);
};
/*
 * The call goes on under its old number, with c->user NULL and without telling the sink: set
 * c->user, then calls_refresh. Policy, rule and addresses are as saved; an address that another
 * restored call claims stays the first one's. -EBADMSG (not what call_save wrote), -ENOENT
 * (policy or rule gone), -EEXIST, -ENOSPC, -ENOMEM: nothing happened. Needs the hash key of the
 * process that saved (hash_key_set). After the last one: calls_restored.
 */
int calls_restore(struct calls *cs, const struct calls_restore *how, const void *bytes, size_t n, struct call **ret);
void calls_restored(struct calls *cs);
/* The sink's flow() for every address of the call. */
void calls_refresh(struct calls *cs, struct call *c);
/* Packets of this call were lost that may have been key presses: what depends on hearing them is denied (guidance 5.3, X-4). */
void calls_lost_media(struct calls *cs, struct call *c);

/* Signalling of nobody knows which call was lost: any of them may have been told to opt out. */
void calls_lost_signalling(struct calls *cs, uint64_t now_ns);

/* The call's endpoint at this address, or NULL. */
const struct call_endpoint *call_endpoint_at(const struct call *c, const struct endpoint *at);
/* What a payload type arriving at e means. */
enum call_payload {
	CALL_PT_UNKNOWN, /* nobody announced it, or without a name: it may be digits */
	CALL_PT_AUDIO,
	CALL_PT_EVENT,	/* telephone-event */
	CALL_PT_EITHER, /* audio by the SDP of one side, telephone-event by the other's: *ret is the audio */
	CALL_PT_OTHER,	/* neither: tones, retransmission or correction of who knows what, text */
};
/* By the receiver's SDP, else the sender's, else RFC 3551. Redundancy (RFC 2198) is AUDIO named "red". */
enum call_payload call_format(const struct call *c, const struct call_endpoint *e, uint8_t pt,
			      struct media_format *ret);
/* Reports an event of one purpose (guidance 5.1) and carries out what follows. */
void call_event(struct calls *cs, struct call *c, enum policy_purpose p, enum purpose_event e);
/* The same; why: the reason instead of the table's, when the state changes. Static text, NULL the table's. */
void call_event_why(struct calls *cs, struct call *c, enum policy_purpose p, enum purpose_event e, const char *why);

#endif
