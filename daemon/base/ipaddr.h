/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipaddr.h - addresses as 16 bytes
 *
 * IPv4 is kept IPv4-mapped (::ffff:a.b.c.d), as in bpf/optag.h. Ports are host
 * order here and wire order in optag.h.
 */
#ifndef IPADDR_H
#define IPADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipaddr {
	uint8_t b[16];
};

struct endpoint {
	struct ipaddr addr;
	uint16_t port;
};

#define IPADDR_TEXT   46
#define ENDPOINT_TEXT 56

void ipaddr_v4(uint32_t host_order, struct ipaddr *ret);
bool ipaddr_is_v4(const struct ipaddr *a);
bool ipaddr_is_any(const struct ipaddr *a); /* 0.0.0.0 or :: */
bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b);
/* Literal of n bytes, "192.0.2.1" or "2001:db8::1" (brackets allowed). Never resolves names. -EINVAL. */
int ipaddr_parse(const char *s, size_t n, struct ipaddr *ret);
void ipaddr_format(const struct ipaddr *a, char out[IPADDR_TEXT]);
void endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT]);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

#endif
