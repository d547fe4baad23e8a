/* SPDX-License-Identifier: BSD-2-Clause */
/* iphdr.c - IPv4 (RFC 791) and IPv6 with extension headers (RFC 8200). Any thread. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/le.h"
#include "optag.h"
#include "sip/iphdr.h"

#define V4_MORE	  0x2000
#define V4_OFFSET 0x1fff

/* Length in the header against bytes there. 0: left out by segmentation offload, all of it counts. */
static void set_payload(struct iphdr_info *i, const uint8_t *p, size_t there, size_t said)
{
	i->p = p;
	i->n = said < there ? said : there;
	i->missing = said > there ? said - there : 0;
}

static int parse_v4(const uint8_t *p, size_t len, struct iphdr_info *i)
{
	size_t ihl, total;
	uint16_t frag;

	if (len < 20)
		return -EBADMSG;
	ihl = (size_t)(p[0] & 15) * 4;
	total = be16dec(p + 2);
	if (!total)
		total = len;
	if (ihl < 20 || total < ihl || len < ihl)
		return -EBADMSG;
	i->family = 4;
	i->proto = p[9];
	ipaddr_v4(be32dec(p + 12), &i->src);
	ipaddr_v4(be32dec(p + 16), &i->dst);
	frag = be16dec(p + 6);
	i->id = be16dec(p + 4);
	i->more = frag & V4_MORE;
	i->off = (uint32_t)(frag & V4_OFFSET) * 8;
	i->frag = i->more || i->off;
	set_payload(i, p + ihl, len - ihl, total - ihl);
	return 0;
}

static void skip(struct iphdr_info *i, size_t n)
{
	i->p += n;
	i->n -= n;
}

static int fragment_header(struct iphdr_info *i)
{
	uint16_t v;

	if (i->n < 8)
		return -EBADMSG;
	v = be16dec(i->p + 2);
	i->proto = i->p[0];
	i->id = be32dec(i->p + 4);
	i->more = v & 1;
	i->off = v & ~7u;
	i->frag = i->more || i->off;
	skip(i, 8);
	return 0;
}

int iphdr_extensions(struct iphdr_info *i)
{
	for (int depth = 0; depth < OPTAG_MAX_DEPTH; depth++) {
		size_t n;

		switch (i->proto) {
		case IPPROTO_FRAGMENT:
			if (i->frag || fragment_header(i))
				return -EBADMSG;
			if (i->frag) /* what follows belongs to the whole datagram */
				return 0;
			continue;
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case IPPROTO_MH:
			n = i->n < 2 ? SIZE_MAX : ((size_t)i->p[1] + 1) * 8;
			break;
		case IPPROTO_AH:
			n = i->n < 2 ? SIZE_MAX : ((size_t)i->p[1] + 2) * 4;
			break;
		default:
			return 0;
		}
		if (i->n < n)
			return -EBADMSG;
		i->proto = i->p[0];
		skip(i, n);
	}
	return -EBADMSG;
}

static int parse_v6(const uint8_t *p, size_t len, struct iphdr_info *i)
{
	size_t said;

	if (len < 40)
		return -EBADMSG;
	said = be16dec(p + 4);
	i->family = 6;
	i->proto = p[6];
	memcpy(i->src.b, p + 8, 16);
	memcpy(i->dst.b, p + 24, 16);
	set_payload(i, p + 40, len - 40, said ? said : len - 40);
	return iphdr_extensions(i);
}

int iphdr_parse(const uint8_t *p, size_t len, struct iphdr_info *ret)
{
	struct iphdr_info i = { 0 };
	int r = -EBADMSG;

	if (len && p[0] >> 4 == 4)
		r = parse_v4(p, len, &i);
	else if (len && p[0] >> 4 == 6)
		r = parse_v6(p, len, &i);
	if (!r)
		*ret = i;
	return r;
}
