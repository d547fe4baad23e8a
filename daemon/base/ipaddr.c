/* SPDX-License-Identifier: BSD-2-Clause */
/* ipaddr.c - addresses as 16 bytes */
#include "base/ipaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/le.h"

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

void ipaddr_v4(uint32_t host_order, struct ipaddr *ret)
{
	memcpy(ret->b, v4_prefix, sizeof(v4_prefix));
	be32enc(ret->b + 12, host_order);
}

bool ipaddr_is_v4(const struct ipaddr *a)
{
	return memcmp(a->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool ipaddr_is_any(const struct ipaddr *a)
{
	static const uint8_t zero[16];

	if (ipaddr_is_v4(a))
		return be32dec(a->b + 12) == 0;
	return memcmp(a->b, zero, 16) == 0;
}

bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return memcmp(a->b, b->b, 16) == 0;
}

int ipaddr_parse(const char *s, size_t n, struct ipaddr *ret)
{
	char t[IPADDR_TEXT];
	uint8_t v4[4];
	struct ipaddr a;

	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
		s++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(t) || memchr(s, 0, n))
		return -EINVAL;
	memcpy(t, s, n);
	t[n] = 0;
	if (inet_pton(AF_INET, t, v4) == 1)
		ipaddr_v4(be32dec(v4), &a);
	else if (inet_pton(AF_INET6, t, a.b) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

void ipaddr_format(const struct ipaddr *a, char out[IPADDR_TEXT])
{
	/* The buffer fits every address, so neither call can fail. */
	if (ipaddr_is_v4(a))
		(void)inet_ntop(AF_INET, a->b + 12, out, IPADDR_TEXT);
	else
		(void)inet_ntop(AF_INET6, a->b, out, IPADDR_TEXT);
}

void endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT])
{
	char t[IPADDR_TEXT];

	ipaddr_format(&e->addr, t);
	snprintf(out, ENDPOINT_TEXT, ipaddr_is_v4(&e->addr) ? "%s:%u" : "[%s]:%u", t, e->port);
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ipaddr_equal(&a->addr, &b->addr);
}
