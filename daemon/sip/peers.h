/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peers.h - headers that tie dialogs together: Session-ID, Replaces, Join, Refer-To
 *
 * Values as sip_parse found them (sip.h); any bytes. The results point into them. No state, any thread.
 */
#ifndef SIP_PEERS_H
#define SIP_PEERS_H

#include "sip/sip.h"

/*
 * RFC 7989 5: "ab30...;remote=4775...", 32 hexadecimal digits each; RFC 7329 has the first alone. All zero
 * (nil) is "not known". False: not of this form, and nothing of it is believed.
 */
struct sip_session {
	uint8_t local[16], remote[16];
};
bool sip_session_id(struct sip_str value, struct sip_session *ret);
bool sip_session_nil(const uint8_t half[16]);

/* RFC 3891 6.1, RFC 3911 7.1: "call-id;to-tag=a;from-tag=b". False without a Call-ID or either tag. */
struct sip_dialog {
	struct sip_str call_id, to_tag, from_tag;
};
bool sip_dialog_of(struct sip_str value, struct sip_dialog *ret);

/* Who is to be called (RFC 3515 2.1): the URI's user part; p NULL when there is none. */
struct sip_str sip_refer_user(struct sip_str refer_to);

/* Contact says that this is a conference (RFC 4579, RFC 3840 ";isfocus"). */
bool sip_is_focus(struct sip_str contact);

#endif
