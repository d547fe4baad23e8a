/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sip_internal.h - pieces of the SIP grammar shared by sip_*.c, sdp.c and tcpr.c
 *
 * Invariant: every string handed in or out lies inside the message's bytes;
 * nothing here allocates, writes to them or needs a terminating zero.
 */
#ifndef SIP_INTERNAL_H
#define SIP_INTERNAL_H

#include "sip/sip.h"

static inline bool sip_is_lws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline bool sip_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline struct sip_str sip_str_of(const char *p, const char *end)
{
	return (struct sip_str){ p, (size_t)(end - p) };
}

bool sip_is_token(char c); /* RFC 3261 25.1 */
struct sip_str sip_trim(struct sip_str s);

/* Decimal digits only, the whole string, at most max. */
bool sip_number(struct sip_str s, uint64_t max, uint64_t *ret);

/*
 * Cuts the next element off *rest: up to `sep` outside of quoted strings and <>.
 * False when nothing is left. Elements may be empty; they come trimmed.
 */
bool sip_split(struct sip_str *rest, char sep, struct sip_str *ret);

/* Value of a parameter in ";a=b;name=value", without its quotes; p NULL: not there. */
struct sip_str sip_param(struct sip_str params, const char *name);

/* name-addr or addr-spec with parameters. Never fails: a URI that cannot be read is left empty. */
void sip_addr_parse(struct sip_str s, struct sip_addr *ret);

/* Compares a media type without case and without white space around the slash; "*" for any subtype. */
bool sip_is_type(struct sip_str s, const char *type, const char *subtype);

/* One line from *p (at most end): without its line end, *p behind it. False when no LF is there. */
bool sip_line(const char **p, const char *end, struct sip_str *ret);

/* Offset just behind the empty line that ends the headers, looking from `from` on; 0: not there. */
size_t sip_head_end(const char *buf, size_t len, size_t from);

/* The line (without line end) has the form of a request or status line of any SIP version. */
bool sip_start_line(struct sip_str line);

/* The bytes begin with a known method and a space, or "SIP/2.0 ". */
bool sip_starts_like(const char *p, size_t n);

#endif
