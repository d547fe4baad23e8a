/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * party.c - whether a SIP message is a party's own word, see party.h
 */
#include <string.h>

#include "base/hash.h"
#include "call/call.h"
#include "call/party.h"
#include "optag.h"

uint64_t party_tag(struct sip_str tag)
{
	return tag.n ? hash_bytes(tag.p, tag.n) | 1 : 0;
}

static uint32_t address_of(const struct ipaddr *a)
{
	return (uint32_t)hash_bytes(a->b, sizeof(a->b)) | 1;
}

static bool had_it(const struct call *c, uint32_t address)
{
	for (unsigned i = 0; i < CALL_WAYS; i++)
		if (c->way[i] == address)
			return true;
	return false;
}

static void goes_to(struct call *c, uint32_t address)
{
	for (unsigned i = 0; i < CALL_WAYS; i++) {
		if (c->way[i] == address)
			return;
		if (c->way[i])
			continue;
		c->way[i] = address;
		return;
	}
}

static bool is_callers(const struct call *c, struct sip_str tag)
{
	return tag.n && strlen(c->caller_tag) == tag.n && memcmp(c->caller_tag, tag.p, tag.n) == 0;
}

bool party_invite(struct call *c, const struct sigin_from *from, const struct sip_msg *m, bool refused)
{
	/* who asks has one Via; a proxy, which passes on what strangers ask, too, adds its own to theirs (RFC 3261 16.6) */
	bool asks = m->nvia < 2, again = asks && refused && ipaddr_equal(&from->src.addr, &c->invite_src);
	bool own = again || (asks && had_it(c, address_of(&from->src.addr)));
	uint64_t tag = party_tag(m->from.tag);

	if (!is_callers(c, m->from.tag)) {
		/* of whoever was first only as long as no one comes who had it to pass on, or who asks again */
		if (tag && (!c->caller_alt || again || (own && !c->alt_own))) {
			c->caller_alt = tag;
			c->alt_own = own;
		}
		if (tag && c->caller_alt == tag)
			c->alt_cseq = m->cseq;
		if (!own)
			return false;
	}
	goes_to(c, address_of(&from->dst.addr));
	return true;
}

/* Its caller's tag is one that nobody made up. */
static bool of_the_caller(const struct call *c, struct sip_str tag)
{
	return is_callers(c, tag) || (c->alt_own && c->caller_alt == party_tag(tag));
}

bool party_dialog(struct call *c, const struct sip_msg *m)
{
	struct call_dialog d = { .tag = party_tag(m->to.tag), .caller = party_tag(m->from.tag), .own = of_the_caller(c, m->from.tag) };
	unsigned i, at = c->ndialog;

	if (!d.tag)
		return false;
	for (i = 0; i < c->ndialog; i++) {
		if (c->dialog[i].tag == d.tag) {
			if (d.own && !c->dialog[i].own) {
				c->dialog[i].caller = d.caller;
				c->dialog[i].own = true;
			}
			return false;
		}
		if (d.own && !c->dialog[i].own)
			at = i;
	}
	if (c->ndialog < CALL_DIALOGS_MAX)
		at = c->ndialog++;
	if (at < CALL_DIALOGS_MAX)
		c->dialog[at] = d;
	return true;
}

static struct sip_str caller_in(const struct sip_msg *m, unsigned side)
{
	return m->request == (side == OPTAG_LEG_CALLER) ? m->from.tag : m->to.tag;
}

static struct sip_str callee_in(const struct sip_msg *m, unsigned side)
{
	return m->request == (side == OPTAG_LEG_CALLER) ? m->to.tag : m->from.tag;
}

static bool in_dialog(const struct call *c, const struct sip_msg *m, unsigned side)
{
	uint64_t caller = party_tag(caller_in(m, side)), callee = party_tag(callee_in(m, side));

	for (unsigned i = 0; callee && i < c->ndialog; i++)
		if (c->dialog[i].own && c->dialog[i].tag == callee && c->dialog[i].caller == caller)
			return true;
	return false;
}

bool party_said(const struct call *c, const struct sip_msg *m, unsigned side)
{
	return c->answered ? in_dialog(c, m, side) : of_the_caller(c, caller_in(m, side));
}

bool party_dialogs(const struct call *c)
{
	for (unsigned i = 0; i < c->ndialog; i++)
		if (c->dialog[i].own)
			return true;
	return false;
}

bool party_ends(const struct call *c, const struct sip_msg *m, unsigned side)
{
	return party_dialogs(c) ? in_dialog(c, m, side) : of_the_caller(c, caller_in(m, side));
}

bool party_moves(const struct call *c, const struct sip_msg *m, unsigned side)
{
	return !party_dialogs(c) || in_dialog(c, m, side);
}

bool party_has(const struct call *c, struct sip_str tag)
{
	uint64_t h = party_tag(tag);

	if (!h)
		return false;
	if (is_callers(c, tag) || c->caller_alt == h)
		return true;
	for (unsigned i = 0; i < c->ndialog; i++)
		if (c->dialog[i].tag == h || c->dialog[i].caller == h)
			return true;
	return false;
}
