/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sip.h - SIP messages (RFC 3261), zero copy
 *
 * sip_parse reads one message from bytes that the caller keeps; every string in
 * the result points into them. It takes what a recorder needs and refuses what
 * cannot be SIP; what is merely odd it takes, since a recorder that loses a BYE
 * over a malformed header records too long. No length on the wire is trusted.
 */
#ifndef SIP_H
#define SIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sip_str {
	const char *p; /* NULL: absent */
	size_t n;
};

enum sip_method {
	SIP_M_OTHER,
	SIP_M_INVITE,
	SIP_M_ACK,
	SIP_M_BYE,
	SIP_M_CANCEL,
	SIP_M_UPDATE,
	SIP_M_PRACK,
	SIP_M_INFO,
	SIP_M_REFER,
	SIP_M_NOTIFY,
	SIP_M_SUBSCRIBE,
	SIP_M_REGISTER,
	SIP_M_OPTIONS,
	SIP_M_MESSAGE,
	SIP_M_PUBLISH,
};

struct sip_uri {
	struct sip_str scheme; /* sip, sips, tel */
	struct sip_str user;   /* for tel: the number with parameters cut off */
	struct sip_str host;   /* "" for tel; without brackets */
	uint16_t port;	       /* 0 none */
	struct sip_str phone_context;
};

struct sip_addr { /* From, To, P-Asserted-Identity */
	struct sip_str raw;
	struct sip_uri uri;
	struct sip_str tag;
};

#define SIP_PAI_MAX    4
#define SIP_EXTRA_MAX  16

struct sip_msg {
	bool request;
	enum sip_method method; /* of the request, or of CSeq in a response */
	struct sip_str method_text;
	struct sip_str ruri_text;
	struct sip_uri ruri;
	unsigned status; /* 100..699 in a response */
	struct sip_str call_id;
	struct sip_addr from, to;
	struct sip_addr pai[SIP_PAI_MAX];
	unsigned npai;
	bool privacy_id;   /* Privacy: contains "id", "user" or "full" (RFC 3323, 3325) */
	uint32_t cseq;
	struct sip_str via_branch; /* of the topmost Via */
	unsigned nvia;		   /* how many there are; 2: or more */
	struct sip_str contact;	   /* raw */
	struct sip_str session_id; /* RFC 7989, whole value with its remote parameter */
	struct sip_str replaces;   /* RFC 3891, whole value */
	struct sip_str join;	   /* RFC 3911, likewise */
	struct sip_str refer_to, referred_by; /* RFC 3515, 3892, whole value */
	struct sip_str content_type; /* type/subtype only */
	struct sip_str boundary;     /* of multipart, unquoted */
	bool has_content_length;
	uint32_t content_length;
	struct sip_str body;  /* as long as Content-Length says and bytes there are */
	bool body_cut;	      /* fewer bytes than Content-Length */
	size_t size;	      /* bytes of this message (for streams) */
	struct sip_str extra[SIP_EXTRA_MAX]; /* first value of each configured header */
	const struct sip_extra *wanted;	     /* their names; may be NULL */
};

/* Headers wanted beyond those above; names are compared without case. Set once before threads start. */
struct sip_extra {
	const char *name[SIP_EXTRA_MAX];
	size_t n;
};

/*
 * Parses one message at the start of buf (leading CRLF keep-alives are skipped
 * and counted in size). 0; -EAGAIN in stream mode: more bytes are needed, and
 * ret->size says how many in all once the headers are there (else 0, nothing else
 * of *ret is written); -EBADMSG: not SIP or a mandatory part is missing, *ret_why
 * says which (static text, never content), and ret->size is where the next message
 * of a stream starts, 0 unknown. stream: Content-Length rules (TCP),
 * else the datagram's end; a datagram that ends within its headers is taken with
 * the lines that are whole, and body_cut.
 */
int sip_parse(const char *buf, size_t len, bool stream, const struct sip_extra *extra,
	      struct sip_msg *ret, const char **ret_why);

/*
 * "sip:+45...@host;user=phone", "tel:+45..;phone-context=..", with or without <>.
 * Escapes stay as they are. Another scheme: 0 with only the scheme set. -EINVAL.
 * A subscriber number in the user part (";user=phone", or digits before a ";")
 * loses its parameters (RFC 3261 19.1.6), and phone_context is taken from them.
 */
int sip_uri_parse(const char *s, size_t n, struct sip_uri *ret);

/*
 * The SDP body: the whole body when Content-Type is application/sdp (or absent
 * and it starts with v=), or that part of a multipart (RFC 5621, one level of
 * nesting). p NULL when there is none.
 */
struct sip_str sip_sdp_body(const struct sip_msg *m);

/* "INVITE"; "OTHER" for those that are not listed. */
const char *sip_method_name(enum sip_method m);

/*
 * SIP INFO key press: application/dtmf-relay ("Signal=5\r\nDuration=160"), application/dtmf ("5"), or either form under the
 * other's name, application/vnd.nortelnetworks.digits ("d=5"); alone or as a part of a multipart. Returns '0'..'9' '*' '#'
 * 'A'..'D'; SIP_INFO_UNREAD: by its type it is a press, but not which; 0: none is told (no INFO, a flash, another body).
 */
#define SIP_INFO_UNREAD '?'
char sip_info_digit(const struct sip_msg *m);

/* A configured header by its name (without case); p NULL: not there, or not configured. */
struct sip_str sip_extra_value(const struct sip_msg *m, const char *name);

bool sip_str_eq(struct sip_str a, const char *text);	  /* exact */
bool sip_str_ieq(struct sip_str a, const char *text);	  /* without ASCII case */

#endif
