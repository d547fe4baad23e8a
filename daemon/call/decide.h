/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide.h - from what is heard, seen and told to the events of purpose.h
 *
 * Whoever notices something about a call in progress reports it here, with the
 * time of the packet: a key press, an announcement, lost packets, a header, a
 * command of the telephone system. This part knows what it means by the call's
 * rule - which key, on whose leg, in which window - and gives the table of
 * guidance 5 its events. It also keeps the times by which silence decides.
 *
 *	call_decide_match	once, when a rule matched: draw, review date
 *	call_decide_message	each SIP message of the call, answers included
 *	call_decide_time	when call_decide_due has passed
 *	call_key, call_press, call_pressing, call_notice_heard, call_command, call_lost_audio	whenever it happens
 *	call_notice_hearing, call_notice_broken				an announcement that is being heard
 *
 * What the decisions mean for audio stands in decide_audio.h.
 *
 * Rules that hold whatever comes in which order (guidance 2):
 *  - a consent needs a proven notice, an open window and the data subject's leg (INV-2). What a system tells, by a header or the API,
 *    is held to the same window: told before it is open it counts when it opens, told behind it not at all, nor outbound before
 *    the answer, when nobody has been asked;
 *  - deny acts at once and from any state in which audio may exist (INV-3);
 *  - nothing is decided by time after the call was hung up: a window that was still open has not passed;
 *  - nothing said about one purpose changes the other (INV-4), a pause apart, which stops both.
 *
 * Windows (guidance 7, X-1). The notice's start and end are those heard (fingerprint), told (api),
 * or, for a header or an attested notice, the answer and the length of the announcement's sound. When
 * the length is not known the strict reading holds: a consent window counts from the start, and who
 * may opt out has until notice-timeout before the first packet is written.
 *
 * No consent counts before the purposes have been spoken: where the announcement says when (`keys-after`), its window begins no
 * sooner than that after the notice's start; where it is not known which of several was heard, the largest counts.
 *
 * An announcement that is recognised by its sound is proven when it was heard to its end, or as much of it as
 * fingerprint.h calls the whole. While it is being heard the windows of consents are open already (three seconds after its start, or
 * later, by the rule), and a consent key that counts proves it as far as it was heard: who presses the key has been asked, and
 * telephone systems stop an announcement at the key. No window by which silence decides opens before the end. When it breaks
 * off without a key it counts for nothing, and may be played again until notice-timeout.
 *
 * A consent key stands alone (N-20): with a digit less than KEY_ALONE_NS before it, it is none, and a digit so soon after it that is no
 * key of the rule takes the consent back as a withdrawal does (consent.withdrawn, "other-key"), through keys in between, in whatever
 * process or segment either comes. A digit that a longer key begins with does so once it is known not to become one, or a segment ends. Who types a number
 * more slowly than that is taken at the first digit: nothing tells that from an answer.
 *
 * Digits: a press is forgotten as soon as it is known to be no key of the rule. What may become
 * a key of several digits is kept for KEY_PAUSE_NS at most, also over a transfer; a new process knows only when it came. Nothing here is logged; call_news names a key only
 * when it is one of the policy's (R-05b). Same thread as calls_*.
 */
#ifndef DECIDE_H
#define DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"

struct buf;
struct call;
struct calls;
struct rd;
struct sip_msg;

#define KEY_PAUSE_NS	2000000000ULL /* longer between two digits: not one key */
#define KEY_ALONE_NS	KEY_PAUSE_NS  /* no digit of a number that is being typed is a consent: not so soon after another one, nor before */
#define LOSS_HIDES_MS	60	      /* a gap this long can hide a whole key press */

enum call_notice_state {
	CALL_NOTICE_WAIT,
	CALL_NOTICE_PROVEN,
	CALL_NOTICE_MISSING,
};

/* How something became known; call_how_name gives the word. */
enum call_how {
	CALL_BY_TIME, /* 0: also "nothing" where a how is optional */
	CALL_BY_RFC4733,
	CALL_BY_INFO,
	CALL_BY_INBAND,
	CALL_BY_HEADER,
	CALL_BY_API,
	CALL_BY_FINGERPRINT,
	CALL_BY_ATTESTED,
	CALL_BY_SDP,
	CALL_BY_LIST,
	CALL_BY_LOSS,
	CALL_BY_POLICY,
	CALL_BY_PEER, /* another call of the conversation */
	CALL_HOWS,
};
const char *call_how_name(enum call_how h);

/*
 * The digits of a leg that may become a key; zero: none. A gateway may send one press in several ways (RFC 4733, INFO,
 * the tones themselves), a back-to-back agent in several dialogs: what came by one way waits in `twin` for SAME_PRESS_NS, and
 * the same digit by another way is that press.
 */
#define SAME_PRESS_NS	1000000000ULL
#define CALL_TWINS	4
struct call_typed {
	char digit[POLICY_KEY_MAX];
	uint64_t begin_ns[POLICY_KEY_MAX]; /* digit by digit */
	uint8_t n;
	uint8_t close;	  /* bit i: digit i came less than KEY_ALONE_NS after the press before it */
	uint8_t strange;  /* bit i: digit i was not trusted; a key that grants has none of those */
	uint64_t last_ns; /* of any press on the leg, a key or not */
	struct {
		char key; /* 0 none */
		uint8_t how;
		bool trusted, close; /* close: as the digit's bit was */
		uint32_t by;	     /* INFO: the dialog (call_told_by); 0 */
		uint64_t ns;
	} twin[CALL_TWINS];
};

struct call_decide {
	/* what each packet asks for stands first, in a cache line of its own with the end of what it asks the call */
	uint64_t granted_ns[POLICY_PURPOSES]; /* when audio for it began; 0 from the call's start */
	bool sample_waits;    /* the slot is not durable: nothing is kept for training on it */
	uint8_t notice;	      /* enum call_notice_state */
	uint8_t notice_how;   /* enum call_how */
	uint8_t consent_early[POLICY_PURPOSES]; /* enum call_how: told by a system before its window was open; 0 not */
	uint8_t notice_which; /* place in the rule's notices + 1; 0 not known which */
	bool header_seen;     /* the proof came before the answer */
	bool hearing;	      /* notice_which is being heard since notice_start_ns; proven only by a key, or not yet */
	bool paused, pause_over; /* pause_over: it lasted too long and the rule says stop */
	bool recordpref_off;
	bool objected; /* a person objected to documentation; OBJECTED may also mean that no notice was proven */
	bool timed_out[POLICY_PURPOSES];  /* DENIED by silence alone */
	bool reopened[POLICY_PURPOSES];	  /* the agent opened the window again */
	bool other_key[POLICY_PURPOSES];  /* something was pressed in it that is no yes */
	uint64_t notice_start_ns, notice_end_ns;
	uint32_t notice_heard_ms; /* how far it was heard when it was proven */
	uint64_t notice_due_ns;			     /* missing then; 0 does not run */
	uint64_t window_from_ns[POLICY_PURPOSES];    /* 0 not open */
	uint64_t window_to_ns[POLICY_PURPOSES];	     /* 0 closed, or not open yet */
	uint64_t pause_due_ns;			     /* pause-max is over then; 0 */
	bool sms;				     /* a receipt is waited for, or was */
	uint64_t sample_slot;			     /* of the draw; 0 none */
	bool callback;				     /* the one that was promised not to be recorded, not answered yet */
	uint64_t voice_ns;			     /* hold ended, or addresses moved; 0 not since the answer */
	bool sample_shared;			     /* by another call's draw (group.h) */
	struct call_typed typed[2];		     /* by leg */
	uint64_t press_due_ns[2];		     /* by leg: a key is open, and over then when nothing more of it comes; 0 none */
	uint64_t pause_ns;			     /* the pause began then; 0 not known */
	uint64_t early_ns[POLICY_PURPOSES];	     /* when consent_early was told */
	uint8_t early_by[POLICY_PURPOSES];	     /* by API: by whom, as said_by */
	uint8_t said_by;			     /* who speaks by API while call_command runs: 'a' an agent, 's' a system; 0 not known */
	uint8_t doubt;				     /* bit of a purpose: consented by a key that another digit may yet make a part of a number */
	uint8_t doubt_before;			     /* those of doubt that were given in a part before, which waits (record_park); not for the next process */
	uint8_t doubt_held;			     /* how many of the last presses since are no key yet, but may become one */
	uint64_t doubt_ns;			     /* the last press since, itself included */
};

/* How long after the answer the receipt of its rule's message is to be there. */
uint64_t call_sms_timeout_ns(const struct call *c);

/* Something of a call that the evidence log is told. Texts are static, or of the policy. */
struct call_news {
	const char *event;  /* a name of guidance 1: "consent.given" */
	int purpose;	    /* enum policy_purpose, -1 neither */
	const char *actor;  /* "caller", "callee", "agent", "system", "api", "sdp", "list" */
	enum call_how how;
	const char *reason; /* "" none */
	const char *key;    /* the key of the policy that was pressed; NULL none was */
	const char *notice; /* name of the announcement; NULL not known or none */
	uint64_t at_ns;
	const char *who;    /* consent.given by API: "agent", "system" when that was told before; NULL: who speaks now */
	uint64_t packets, audio_ms; /* audio.discard: what went; the recorder knows, and fills them in */
};

/* When call_decide_time wants to be called; 0 never. */
uint64_t call_decide_due(const struct call *c);
/* The date until which what the purpose rests on is good is past (N-18, policy_review); false if the rule lacks it. What that ends:
 * policy_review_ends. Any thread. */
bool call_review_past(const struct policy_rule *r, enum policy_purpose p, uint64_t now_ns);
void call_decide_match(struct calls *cs, struct call *c, uint64_t now_ns);
/* After the message was taken: the answer is known, and the addresses of its SDP. */
/* own: its headers are the controller's word (call_own_says). Anybody else's may deny and never grant. */
void call_decide_message(struct calls *cs, struct call *c, const struct sip_msg *m, bool own, uint64_t now_ns);
void call_decide_time(struct calls *cs, struct call *c, uint64_t now_ns);
/* Its slot is durable now: what was held for training may be kept. */
void call_slot_durable(struct calls *cs, struct call *c);
/* It has no slot any more (taken over from a process that died too soon). */
void call_slot_lost(struct calls *cs, struct call *c);
/* The call is over: what still waits for an answer gets none. */
/* Another recording of the call begins under this rule: the notice that was proven before, and the consents, go on. */
void call_decide_carry(struct calls *cs, struct call *c, const struct call_decide *before, const bool consent[POLICY_PURPOSES],
		       uint64_t now_ns);
/* It was answered before it began to be recorded, and no message says so now. */
void call_decide_answered(struct calls *cs, struct call *c, uint64_t now_ns);
void call_decide_end(struct calls *cs, struct call *c, uint64_t now_ns);
/* It ends and another recording of the call begins, before what goes on there is looked at: a press that is open is over, and digits
 * that were to become a key did not. What that takes back is taken from both. */
void call_decide_divide(struct calls *cs, struct call *c, uint64_t now_ns);
/* That other recording has begun: who types goes on typing. same: for the same controller, whose consents may be in doubt. */
void call_decide_typing(struct calls *cs, struct call *c, const struct call_decide *before, bool same);

/*
 * A key press on a leg (enum optag_leg: whose voice that leg is). trusted: it came from an address
 * that this party announced, or in its own dialog; without that a press may deny and never grants.
 */
void call_key(struct calls *cs, struct call *c, unsigned leg, char key, enum call_how how, bool trusted,
	      uint64_t now_ns);
/* The same, by INFO of this dialog (call_told_by). Of a transaction that has told nothing yet: see told.h. */
void call_key_info(struct calls *cs, struct call *c, unsigned leg, char key, uint32_t by, bool trusted, uint64_t now_ns);
/*
 * The same, of one that takes its time. It may be told some time after it ended, and is judged by its own times: a consent counts
 * when all of it, from the beginning of its first digit on, lies in the window, and behind what was taken back; what ends a pause when it began in it. What
 * restricts counts whenever it comes.
 */
struct call_press {
	char key;
	enum call_how how;
	bool trusted;
	uint64_t begin_ns, end_ns;
	uint64_t told_ns; /* it is told then: no audio of before it is recorded by it */
	uint32_t by; /* INFO: as call_key_info's; else 0 */
};
void call_press(struct calls *cs, struct call *c, unsigned leg, const struct call_press *p);
/* A key is being pressed, and nobody knows that it ended when its end is lost (RFC 4733): until over_ns, or, before that, the end of
 * the call; then the sink's `press` is asked. Told with each packet of it. */
void call_pressing(struct calls *cs, struct call *c, unsigned leg, uint64_t over_ns);
/* A press that was told when it began has ended: it may still come by another way, and what is close to it counts from here. */
void call_key_up(struct calls *cs, struct call *c, unsigned leg, char key, enum call_how how, uint64_t now_ns);
/* which: place in the rule's notices, -1 not known. end 0: it goes on; told again when it ended. */
void call_notice_heard(struct calls *cs, struct call *c, int which, enum call_how how, uint64_t start_ns,
		       uint64_t end_ns, uint64_t now_ns);
/*
 * Recognised by its sound: it began at start_ns, and goes on. Until call_notice_heard (CALL_BY_FINGERPRINT, with its end) or
 * call_notice_broken (end_ns: so far it was heard). Nothing happens unless the call looks for it (call_seeks_notice).
 */
void call_notice_hearing(struct calls *cs, struct call *c, int which, uint64_t start_ns, uint64_t now_ns);
void call_notice_broken(struct calls *cs, struct call *c, uint64_t end_ns, uint64_t now_ns);
/* The announcement at this place of the rule's list may be played then: its valid-from and valid-until, in the controller's time zone. */
bool call_notice_valid(const struct call *c, unsigned which, uint64_t at_ns);
/* The telephone of this party says a=recordpref:off (RFC 7866, RX-12). */
void call_recordpref_off(struct calls *cs, struct call *c, unsigned side, uint64_t now_ns);
/* Its number is on a no-record list (policy_decision.listed): an opt-out that came before the call. Of what the rule has, only
 * documentation that a statute demands goes on. */
void call_listed(struct calls *cs, struct call *c, uint64_t now_ns);
/*
 * Audio of a leg is missing for so long (sequence numbers, RFC 3550), as who takes audio sees it; and of what is blocked, as the
 * sink's `hole` knows it: looked for before time or the end decides, when an address goes, and by the sink's owner now and then.
 */
void call_look_for_loss(struct calls *cs, struct call *c, uint64_t now_ns);
void call_lost_audio(struct calls *cs, struct call *c, unsigned leg, uint64_t ms, uint64_t now_ns);
/*
 * Behind the last packet of a voice, and before a new stream of it, there are no numbers: a silence of TAIL_HIDES_MS there, of a sender
 * that did not say that it would be silent, is loss. A telephone that hangs up stops a little before its BYE is seen; 60 ms of that
 * would deny training of every second call. A voice is due while the call is answered and not on hold, from call_voice_from on: VOICE_SETTLES_NS
 * after the answer, a hold, or a description that moved it. A call that was answered and ends otherwise than by a party's BYE or a transfer
 * (its voices were no longer seen, the capture ended) may have gone on, with an opt-out in it: that is loss, whatever was heard.
 */
#define TAIL_HIDES_MS	 200
#define VOICE_SETTLES_NS 1000000000ULL
bool call_voice_due(const struct call *c);
uint64_t call_voice_from(const struct call *c);
/* Such a silence was ended by another stream. */
void call_quiet_before(struct calls *cs, struct call *c, unsigned leg, uint64_t ms, uint64_t now_ns);
/* A message put it on hold, took it off, or moved addresses; was_due: before it. */
void call_voice_moves(struct calls *cs, struct call *c, bool was_due, uint64_t now_ns);

/* A request of this side (enum optag_leg) was not seen: where an opt-out could have been one it counts as audio that is missing. */
void call_lost_request(struct calls *cs, struct call *c, unsigned side, uint64_t now_ns);

/* It was in the sample and is not, by a later policy's amount: nor are the calls that share its draw. */
void call_redrawn_out(struct calls *cs, struct call *c, const char *out);
/* A later policy moved a window (c->tight says to where), its end by so many seconds: if it is open, it begins no sooner, and closes
 * by that, at once when that has passed. */
void call_window_moves(struct calls *cs, struct call *c, int p, int to_s, uint64_t now_ns);

/* What a telephone system, or the agent by it, may say about a call. */
enum call_command {
	CALL_C_CONSENT, /* of one purpose */
	CALL_C_WITHDRAW,
	CALL_C_OPT_OUT,
	CALL_C_OBJECT,
	CALL_C_OBJECT_GROUNDS,
	CALL_C_PAUSE,
	CALL_C_RESUME,
	CALL_C_NOT_NEEDED,
	CALL_C_REOPEN,
	CALL_COMMANDS,
};
const char *call_command_name(enum call_command cmd);
/*
 * 0; -EPERM: the call's rule does not offer it by this way; -ENOENT: the rule lacks the purpose;
 * -EALREADY: nothing to change, neither here nor in what comes: a no to training where there is none holds for later parts
 * (call_is_bound). p is ignored for pause and resume; OPT_OUT, OBJECT and NOT_NEEDED concern p alone. An objection
 * to training that may be opted out of is an opt-out, grounds or not (guidance 4, S-C and S-F); what a statute demands nobody opts out of.
 */
int call_command(struct calls *cs, struct call *c, enum call_command cmd, enum policy_purpose p, enum call_how how,
		 uint64_t now_ns);

/* How a pause ends, by the call's rule and what later policies took: the recording stops, or goes on, after so long (0 never). And
 * it is another time now, also for a pause under way. */
bool decide_pause_stops(const struct call *c);
uint64_t decide_pause_max(const struct call *c);
void decide_pause_end_moves(struct calls *cs, struct call *c, uint64_t from_ns, uint64_t to_ns);

/* Somebody said something by which later parts of the conversation, and calls it is transferred to, are not for training. */
bool call_is_bound(const struct call *c);

/* Another call of the conversation, surely the same, was paused or goes on; this one's earlier part, or a call
 * that it goes on for, was paused, or objected to; somebody objected there. */
void call_pause_by_peer(struct calls *cs, struct call *c, bool pause, uint64_t now_ns);
void call_pause_goes_on(struct calls *cs, struct call *c, const struct call_decide *before, uint64_t now_ns);
void call_objection_goes_on(struct calls *cs, struct call *c, const struct call_decide *before, uint64_t now_ns);
void call_objected(struct calls *cs, struct call *c);
/* What a system told of consent before the window was open is taken back, here or in another call. */
void call_not_early(struct calls *cs, struct call *c, int p);

/* The data subject's leg: enum optag_leg. */
unsigned call_subject_leg(const struct call *c);

/* Take-over: without digits. Takes any bytes; false: not what was written. */
void call_decide_save(const struct call_decide *d, struct buf *out);
bool call_decide_load(struct rd *r, struct call_decide *d);
/* The clock was set back by so much. */
void call_decide_rebase(struct call_decide *d, uint64_t by_ns);

#endif
