/* SPDX-License-Identifier: BSD-2-Clause */
/* peers.c - headers that tie dialogs together, see peers.h */
#include "sip/peers.h"

#include <string.h>

#include "sip/sip_internal.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool uuid(struct sip_str s, uint8_t ret[16])
{
	if (s.n != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int a = hex(s.p[2 * i]), b = hex(s.p[2 * i + 1]);

		if (a < 0 || b < 0)
			return false;
		ret[i] = (uint8_t)(a << 4 | b);
	}
	return true;
}

bool sip_session_nil(const uint8_t half[16])
{
	static const uint8_t nil[16];

	return memcmp(half, nil, sizeof(nil)) == 0;
}

bool sip_session_id(struct sip_str value, struct sip_session *ret)
{
	struct sip_session s = { { 0 }, { 0 } };
	struct sip_str rest = value, first, remote;

	if (!value.p || !sip_split(&rest, ';', &first) || !uuid(first, s.local))
		return false;
	remote = sip_param(rest, "remote");
	if (remote.p && !uuid(remote, s.remote))
		return false;
	*ret = s;
	return true;
}

bool sip_dialog_of(struct sip_str value, struct sip_dialog *ret)
{
	struct sip_dialog d = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	struct sip_str rest = value;

	if (!value.p || !sip_split(&rest, ';', &d.call_id) || !d.call_id.n)
		return false;
	d.to_tag = sip_param(rest, "to-tag");
	d.from_tag = sip_param(rest, "from-tag");
	if (!d.to_tag.n || !d.from_tag.n)
		return false;
	*ret = d;
	return true;
}

struct sip_str sip_refer_user(struct sip_str refer_to)
{
	struct sip_addr a;

	memset(&a, 0, sizeof(a));
	if (refer_to.p)
		sip_addr_parse(refer_to, &a);
	return a.uri.user.n ? a.uri.user : (struct sip_str){ NULL, 0 };
}

bool sip_is_focus(struct sip_str contact)
{
	struct sip_str el, rest;

	while (contact.p && sip_split(&contact, ',', &el)) {
		rest = el;
		if (!sip_split(&rest, ';', &el)) /* the address itself */
			continue;
		while (sip_split(&rest, ';', &el))
			if (sip_str_ieq(el, "isfocus"))
				return true;
	}
	return false;
}
