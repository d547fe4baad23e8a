/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * party.h - whether a SIP message is a party's own word
 *
 * Who only knows a Call-ID can send any message with it: an INVITE under a tag of his own, a 200 that nobody asked for, an INFO
 * with a key in it. What he does not know is the tags (RFC 3891 3). Such a message may deny and never grants, nor transfers
 * (guidance RX-1, X-2), and it ends nothing: who it is sent to answers 481 (RFC 3261 12.2.2), and what is said later, an opt-out too,
 * is still to be heard. Believed is
 *
 *  - after the answer: a message with both tags of one dialog, which a 2xx with the caller's tag made;
 *  - before it: a message with the caller's tag.
 *
 * The caller's tag is that of the first INVITE; and that under which a back-to-back agent passed it on under the same Call-ID:
 * one that was sent from an address to which the INVITE had gone before; and that under which who sent the first asks again when that
 * was refused (401, 407, 3xx), which some telephones make up anew. Both have one Via: a proxy at such an address, which passes on what
 * strangers ask, too, adds its own to theirs. (An agent that sends from another address than it is
 * asked at is not known as one. The words of its far side then are not believed, those of its near side are.) Of a call
 * whose INVITE was not seen nobody is believed until a 2xx is.
 *
 * One thread's, with the call. Part of what a daemon leaves to its successor (call_save).
 */
#ifndef PARTY_H
#define PARTY_H

#include <stdbool.h>
#include <stdint.h>

#include "sip/sigin.h"
#include "sip/sip.h"

#define CALL_WAYS 6 /* addresses to which the INVITE went on; whoever has it from a further one is not believed */

struct call;

/* Hash of a tag, never 0; 0 for none. */
uint64_t party_tag(struct sip_str tag);
/* A copy of the INVITE that began the call, that one included, as long as it is not answered; refused: one that was before has been.
 * False: of somebody else, as it seems. */
bool party_invite(struct call *c, const struct sigin_from *from, const struct sip_msg *m, bool refused);
/* A 2xx to the INVITE: false if its dialog was known before. Remembers CALL_DIALOGS_MAX; believed ones before others. */
bool party_dialog(struct call *c, const struct sip_msg *m);
/* side: enum optag_leg, whose message it is by its tags. */
bool party_said(const struct call *c, const struct sip_msg *m, unsigned side);
/*
 * It may end the call, or the attempt at one. As party_said; but while no 2xx with the caller's tag was seen (it was lost, or the call was
 * joined in the middle) the caller's tag alone tells, as before the answer. CANCEL, and a refusal that a proxy makes, have no other.
 */
bool party_ends(const struct call *c, const struct sip_msg *m, unsigned side);
/* It may move voices, or put them on hold: everybody's word, as it always was, until a dialog is known that is believed. */
bool party_moves(const struct call *c, const struct sip_msg *m, unsigned side);
/* There is a dialog that is believed. */
bool party_dialogs(const struct call *c);
/* Its tag, believed or not: tells calls with one Call-ID apart. Never true of an empty one. */
bool party_has(const struct call *c, struct sip_str tag);

#endif
