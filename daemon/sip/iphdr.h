/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iphdr.h - the IP header of a signalling packet, checked against the bytes there
 *
 * The one place in sip/ where lengths of IPv4 and IPv6 headers are believed.
 * Padding behind the packet's own length is left out of the result.
 */
#ifndef IPHDR_H
#define IPHDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ipaddr.h"

struct iphdr_info {
	struct ipaddr src, dst;
	uint8_t family;	  /* 4 or 6 */
	uint8_t proto;	  /* what the payload is; of a fragment: of the whole datagram */
	const uint8_t *p; /* payload */
	size_t n;	  /* bytes of it that are there */
	size_t missing;	  /* bytes that the header promises beyond those */
	bool frag;	  /* not an atomic fragment (RFC 6946) */
	bool more;
	uint32_t off; /* of the fragment, bytes */
	uint32_t id;
};

/* -EBADMSG when the headers do not fit. */
int iphdr_parse(const uint8_t *p, size_t len, struct iphdr_info *ret);

/* Walks IPv6 extension headers from `proto` on (also those of a datagram put together). */
int iphdr_extensions(struct iphdr_info *info);

#endif
