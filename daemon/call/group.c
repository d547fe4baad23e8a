/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group.c - calls that are one conversation, see group.h
 *
 * Keys lie in one hash table, groups are lists of calls; here is who is tied to whom.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/group_internal.h"
#include "optag.h"
#include "sip/peers.h"

static const uint8_t keys_of_kind[GROUP_KINDS] = {
	[GROUP_K_SESSION] = 4, [GROUP_K_HEADER] = 1, [GROUP_K_SDP] = 1,
	[GROUP_K_MEDIA] = 2,   [GROUP_K_REFER] = 1,  [GROUP_K_OLD] = 1,
};

const char *call_relation_name(enum call_relation r)
{
	static const char *const name[CALL_RELATIONS] = { "", "same-as", "duplicate-of", "transfer-of" };

	return (unsigned)r < CALL_RELATIONS ? name[r] : "";
}

/* ---- small questions ---- */

static uint64_t key_hash(enum group_kind kind, const void *p, size_t n)
{
	uint8_t b[1 + 256];

	b[0] = (uint8_t)kind;
	n = n < sizeof(b) - 1 ? n : sizeof(b) - 1;
	if (n)
		memcpy(b + 1, p, n);
	return hash_bytes(b, n + 1) | 1;
}

static bool differ(const char *a, const char *b)
{
	return *a && *b && strcmp(a, b) != 0;
}

/* Not two pairs of people: one of the numbers is the same, or not known. */
static bool numbers_agree(const struct call *a, const struct call *b)
{
	return !differ(a->calling, b->calling) || !differ(a->called, b->called);
}

static bool near(uint32_t a, uint32_t b)
{
	return (a > b ? a - b : b - a) <= GROUP_FRESH_NS / DS_NS;
}

/* A back-to-back agent makes its second call while the first one rings. What begins later at an address is another
 * call there, whose BYE or whose numbers we did not see. */
static bool while_it_rang(const struct call *a, const struct call *b)
{
	const struct call *first = a->start_ns <= b->start_ns ? a : b, *then = first == a ? b : a;

	return !first->answered || first->answer_ns >= then->start_ns;
}

static bool is_sdp(unsigned kind)
{
	return kind == GROUP_K_SDP || kind == GROUP_K_MEDIA;
}

static bool same_halves(const struct call_peers *a, const struct call_peers *b)
{
	if (!a->half[0] || !a->half[1] || !b->half[0] || !b->half[1])
		return false;
	return (a->half[0] == b->half[0] && a->half[1] == b->half[1]) ||
	       (a->half[0] == b->half[1] && a->half[1] == b->half[0]);
}

bool group_same(const struct call *a, const struct call *b)
{
	const struct call_peers *x = a->peers, *y = b->peers;

	if (!x || !y)
		return false;
	if (same_halves(x, y))
		return true;
	for (int i = 0; i < GROUP_KEYS_MAX; i++) {
		const struct group_key *k = &x->key[i];

		if (!k->peers || (!is_sdp(k->kind) && k->kind != GROUP_K_HEADER))
			continue;
		for (int j = 0; j < GROUP_KEYS_MAX; j++)
			if (y->key[j].peers && y->key[j].node.hash == k->node.hash && y->key[j].kind == k->kind &&
			    (k->kind == GROUP_K_HEADER || (near(y->key[j].at_ds, k->at_ds) && while_it_rang(a, b))))
				return true;
	}
	return false;
}

bool group_leaves(const struct call *c, const struct call *owner)
{
	if (!in_progress(owner) || !owner->matched)
		return false;
	/* all of them at one call: the one that began first */
	if (c->matched)
		return began_before(owner, c) && c->peers && owner->peers && c->peers->group && c->peers->group == owner->peers->group && group_same(c, owner);
	/* A back-to-back agent that passes the description on does so while the first call still rings. */
	return c->who && c->who == call_who(owner->calling) && c->start_ns >= owner->start_ns &&
	       (!owner->answered || owner->answer_ns >= c->start_ns);
}

uint64_t call_who(const char *number)
{
	return *number ? hash_bytes(number, strlen(number)) | 1 : 0;
}

struct call *group_next(const struct call *c, const struct call *prev)
{
	struct call_peers *p;

	if (!c->peers || !c->peers->group)
		return NULL;
	p = prev ? prev->peers->next : c->peers->group->first;
	if (p && p->call == c)
		p = p->next;
	return p ? p->call : NULL;
}

/* ---- who is tied to whom ---- */

void group_overfull(struct calls *cs, struct call *c)
{
	if (!c->peers->full)
		cs->stats.group_full++;
	c->peers->full = true;
}

struct call_group *group_make(struct call_peers *p)
{
	struct call_group *g = p->group;

	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->first = p;
	g->members = 1;
	g->tag = hash_bytes(p->call->uid.b, sizeof(p->call->uid.b)) | 1;
	p->group = g;
	p->next = NULL;
	return g;
}

/* The smaller one goes into the larger one, which is returned; NULL when they are too large. */
static struct call_group *merge(struct call_group *a, struct call_group *b)
{
	struct call_group *to = a->members >= b->members ? a : b, *from = to == a ? b : a;
	struct call_peers *p, *next;

	if (a->members + b->members > GROUP_MEMBERS_MAX)
		return NULL;
	for (p = from->first; p; p = next) {
		next = p->next;
		p->group = to;
		p->next = to->first;
		to->first = p;
		to->members++;
	}
	free(from);
	return to;
}

bool group_tie(struct calls *cs, struct call *c, struct call *o)
{
	struct call_group *a, *b;

	if (c->peers->group && c->peers->group == o->peers->group)
		return false;
	a = group_make(c->peers);
	b = a ? group_make(o->peers) : NULL;
	if (b)
		b = merge(a, b);
	if (!b) {
		group_overfull(cs, c);
		return false;
	}
	c->peers->group = o->peers->group = b;
	cs->stats.tied++;
	call_changed(cs, o);
	return true;
}

/* A matched call and one that a never rule met, whichever was first. */
static void never_meets(struct calls *cs, struct call *m, const struct call *never)
{
	/* what a statute demands no list stops */
	bool demanded = never->listed && m->matched && m->rule->purpose[POLICY_DOCUMENTATION].basis == POLICY_B_OBLIGATION;
	bool sure = group_same(m, never) && !demanded;

	if (m->peers->never && m->peers->bound && !sure)
		return;
	m->peers->bound = PURPOSE_E_TIGHTENED + 1;
	m->peers->never |= sure;
	call_refresh_verdicts(cs, m);
	if (!decides(m))
		return; /* group_decided will */
	group_spread(cs, m, PURPOSE_E_TIGHTENED, "never", true, cs->now_ns);
	if (sure)
		group_stop_all(cs, m);
}

static bool still_known(const struct call *o, uint64_t now)
{
	return !over(o) || now < o->end_ns + GROUP_LINGER_NS;
}

/* True: the group has changed. */
static bool meet(struct calls *cs, struct call *c, const struct group_key *mine, const struct group_key *k, uint64_t now)
{
	struct call *o = k->peers->call;

	if (o == c || k->kind != mine->kind || !still_known(o, now))
		return false;
	if (*c->peers->controller && *k->peers->controller && strcmp(c->peers->controller, k->peers->controller) != 0)
		return false;
	/* an address is the same conversation only when both describe it now, and both go on */
	if (is_sdp(k->kind) && (!near(k->at_ds, mine->at_ds) || over(o) || over(c) || !while_it_rang(c, o) || !numbers_agree(c, o)))
		return false;
	if (*c->peers->controller && *k->peers->controller)
		return group_tie(cs, c, o);
	if (!*c->peers->controller && !*k->peers->controller)
		return false;
	never_meets(cs, *c->peers->controller ? c : o, *c->peers->controller ? o : c);
	return false;
}

static void look(struct calls *cs, struct call *c, struct group_key *mine, uint64_t now)
{
	struct hnode *n = htab_first(&cs->group_keys, mine->node.hash);
	unsigned seen = 0;
	bool changed = false;

	for (; n; n = htab_next(n)) {
		if (++seen > GROUP_CHAIN_MAX) {
			group_overfull(cs, c);
			break;
		}
		changed |= meet(cs, c, mine, container_of(n, struct group_key, node), now);
	}
	if (changed && decides(c)) {
		group_settle(cs, c, now);
		call_refresh_verdicts(cs, c);
		group_refresh(cs, c);
	}
	group_share(cs, c, false, now); /* those that were tied may be surely the same now */
	if (c->peers->full && decides(c))
		group_bind_one(cs, c, PURPOSE_E_TIGHTENED, "group.full", now);
}

static struct group_key *place_for(struct calls *cs, struct call_peers *p, enum group_kind kind, uint64_t hash)
{
	struct group_key *free_one = NULL, *oldest = NULL;
	unsigned n = 0;

	for (int i = 0; i < GROUP_KEYS_MAX; i++) {
		struct group_key *k = &p->key[i];

		if (!k->peers) {
			free_one = free_one ? free_one : k;
			continue;
		}
		if (k->kind != kind)
			continue;
		if (k->node.hash == hash)
			return NULL;
		n++;
		if (!oldest || k->at_ds < oldest->at_ds)
			oldest = k;
	}
	if (n < keys_of_kind[kind])
		return free_one;
	htab_del(&cs->group_keys, &oldest->node);
	oldest->peers = NULL;
	return oldest;
}

static void add_key(struct calls *cs, struct call *c, enum group_kind kind, uint64_t hash, uint64_t now)
{
	struct group_key *k = place_for(cs, c->peers, kind, hash);

	if (!k)
		return;
	k->peers = c->peers;
	k->kind = (uint8_t)kind;
	k->at_ds = deciseconds(now);
	k->node.hash = hash;
	look(cs, c, k, now); /* before it is there itself */
	htab_add(&cs->group_keys, &k->node, hash);
}

static void add_half(struct calls *cs, struct call *c, unsigned i, const uint8_t half[16], uint64_t now)
{
	uint64_t h = key_hash(GROUP_K_SESSION, half, 16);

	if (sip_session_nil(half))
		return;
	c->peers->half[i] = h;
	add_key(cs, c, GROUP_K_SESSION, h, now);
}

/* Both are known now: what was only likely may be sure. */
static void sure_now(struct calls *cs, struct call *c, uint64_t now)
{
	for (int i = 0; i < GROUP_KEYS_MAX; i++)
		if (c->peers->key[i].peers && c->peers->key[i].kind == GROUP_K_SESSION)
			look(cs, c, &c->peers->key[i], now);
}

static void take_session(struct calls *cs, struct call *c, const struct sip_msg *m, uint64_t now)
{
	struct call_peers *p = c->peers;
	uint64_t was[2] = { p->half[0], p->half[1] };
	struct sip_session s;

	if (!m->session_id.p || !sip_session_id(m->session_id, &s))
		return;
	add_half(cs, c, 0, s.local, now);
	add_half(cs, c, 1, s.remote, now);
	if (p->half[0] && p->half[1] && (p->half[0] != was[0] || p->half[1] != was[1]) &&
	    (p->half[0] != was[1] || p->half[1] != was[0]))
		sure_now(cs, c, now);
}

static bool caller_has(const struct call *o, struct sip_str tag)
{
	return (strlen(o->caller_tag) == tag.n && memcmp(o->caller_tag, tag.p, tag.n) == 0) ||
	       (o->alt_own && o->caller_alt == (hash_bytes(tag.p, tag.n) | 1));
}

static bool callee_has(const struct call *o, struct sip_str tag)
{
	return call_callee_has(o, hash_bytes(tag.p, tag.n) | 1);
}

/* Whoever only guessed a Call-ID does not know its tags (RFC 3891 3). */
static bool names_dialog(const struct call *o, const struct sip_dialog *d)
{
	return (caller_has(o, d->from_tag) && callee_has(o, d->to_tag)) || (caller_has(o, d->to_tag) && callee_has(o, d->from_tag));
}

static void goes_on_for(struct call *c, const struct call *o)
{
	if (!c->peers->group || c->peers->group != o->peers->group || c->peers->talk == o->peers->talk)
		return; /* too many are one conversation already */
	c->peers->talk = o->peers->talk;
	c->peers->depth = o->peers->depth < UINT8_MAX ? o->peers->depth + 1 : UINT8_MAX;
}

/* A new call takes another one's place, or joins it. */
static void take_dialog(struct calls *cs, struct call *c, struct sip_str value, bool joins, uint64_t now)
{
	struct sip_dialog d;
	struct call *o;

	if (!value.p || !sip_dialog_of(value, &d))
		return;
	o = calls_find_tags(cs, d.call_id, d.from_tag, d.to_tag);
	if (!o || o == c || !o->peers || !names_dialog(o, &d) || !still_known(o, now) || strcmp(o->peers->controller, c->peers->controller) != 0)
		return;
	if (group_tie(cs, c, o) || (c->peers->group && c->peers->group == o->peers->group)) {
		c->peers->relation = joins ? CALL_R_SAME : CALL_R_TRANSFER;
		c->peers->other = o->uid;
		goes_on_for(c, o);
		if (joins) {
			c->third = true;
			call_third_party(cs, o, now);
		}
	}
}

static bool party_of(const struct call *o, const char *number)
{
	return !*number || strcmp(o->calling, number) == 0 || strcmp(o->called, number) == 0;
}

/* Somebody was asked to call this number (RFC 3515), and a party of that call does. */
static void take_referred(struct calls *cs, struct call *c, const struct sip_msg *m, uint64_t now)
{
	uint64_t h = key_hash(GROUP_K_REFER, m->ruri.user.p, m->ruri.user.n);
	struct hnode *n = htab_first(&cs->group_keys, h);
	unsigned seen = 0;

	for (; n && ++seen <= GROUP_CHAIN_MAX; n = htab_next(n)) {
		const struct group_key *k = container_of(n, struct group_key, node);
		struct call *o = k->peers->call;

		if (k->kind != GROUP_K_REFER || o == c || !still_known(o, now) || strcmp(k->peers->controller, c->peers->controller) != 0 ||
		    deciseconds(now) - k->at_ds > GROUP_LINGER_NS / DS_NS || (!m->referred_by.p && !party_of(o, c->calling)))
			continue;
		(void)group_tie(cs, c, o); /* false: tied already, or full, which is noted */
		c->peers->relation = CALL_R_TRANSFER;
		c->peers->other = o->uid;
		goes_on_for(c, o);
		return;
	}
}

static uint64_t talk_of(const struct call *c)
{
	return hash_bytes(c->call_id, strlen(c->call_id)) | 1;
}

void group_begin(struct calls *cs, struct call *c, const struct sip_msg *m, const char *correlate_header, uint64_t now_ns)
{
	struct sip_str v = m && correlate_header ? sip_extra_value(m, correlate_header) : (struct sip_str){ NULL, 0 };
	struct call_peers *p = c->peers ? c->peers : calloc(1, sizeof(*p));

	if (!p)
		return; /* group_decided denies */
	p->call = c;
	c->peers = p;
	if (!p->talk)
		p->talk = talk_of(c);
	if (c->matched)
		snprintf(p->controller, sizeof(p->controller), "%s", c->rule->controller->name);
	if (!m) /* a tag made it match */
		return;
	take_session(cs, c, m, now_ns);
	if (v.n)
		add_key(cs, c, GROUP_K_HEADER, key_hash(GROUP_K_HEADER, v.p, v.n), now_ns);
	if (!c->matched || !m->request || m->method != SIP_M_INVITE)
		return;
	take_dialog(cs, c, m->replaces, false, now_ns);
	take_dialog(cs, c, m->join, true, now_ns);
	if (m->ruri.user.n)
		take_referred(cs, c, m, now_ns);
}

void group_decided(struct calls *cs, struct call *c, uint64_t now_ns)
{
	if (!c->peers || c->peers->full) {
		group_bind_one(cs, c, PURPOSE_E_TIGHTENED, "group.full", now_ns);
		return;
	}
	group_settle(cs, c, now_ns);
	group_said_before(cs, c, now_ns);
	group_share(cs, c, c->segment == 0, now_ns);
	if (c->peers->never)
		group_stop_all(cs, c);
}

void group_message(struct calls *cs, struct call *c, const struct sip_msg *m, uint64_t now_ns)
{
	struct sip_str user;

	if (!c->peers || over(c))
		return;
	take_session(cs, c, m, now_ns);
	if (!m->request || m->method != SIP_M_REFER || !c->matched)
		return;
	user = sip_refer_user(m->refer_to);
	if (user.n)
		add_key(cs, c, GROUP_K_REFER, key_hash(GROUP_K_REFER, user.p, user.n), now_ns);
}

/* username and session id of o=, with the address: a description that was passed on as it is. */
static uint64_t description_hash(const struct sdp *s, const struct endpoint *at)
{
	uint8_t b[256];
	size_t i, n = s->origin.n < 200 ? s->origin.n : 200, spaces = 0;

	for (i = 0; i < n; i++)
		if (s->origin.p[i] == ' ' && ++spaces == 2)
			break;
	memcpy(b, at->addr.b, 16);
	b[16] = (uint8_t)(at->port >> 8);
	b[17] = (uint8_t)at->port;
	if (i)
		memcpy(b + 18, s->origin.p, i);
	return key_hash(GROUP_K_SDP, b, 18 + i);
}

void group_sdp(struct calls *cs, struct call *c, unsigned side, bool initial, const struct sdp *s, uint64_t now_ns)
{
	uint8_t b[18];

	if (!c->peers)
		return;
	for (unsigned i = 0; i < s->nmedia; i++) {
		const struct endpoint *at = &s->media[i].at;

		if (!s->media[i].audio || s->media[i].held || at->port == 0 || ipaddr_is_any(&at->addr))
			continue;
		if (side == OPTAG_LEG_CALLER && initial)
			add_key(cs, c, GROUP_K_SDP, description_hash(s, at), now_ns);
		if (side == OPTAG_LEG_CALLEE) {
			memcpy(b, at->addr.b, 16);
			b[16] = (uint8_t)(at->port >> 8);
			b[17] = (uint8_t)at->port;
			add_key(cs, c, GROUP_K_MEDIA, key_hash(GROUP_K_MEDIA, b, sizeof(b)), now_ns);
		}
		return; /* the first line tells */
	}
}

void group_out(struct call_peers *p)
{
	struct call_group *g = p->group;
	struct call_peers **at;

	if (!g)
		return;
	for (at = &g->first; *at && *at != p;)
		at = &(*at)->next;
	if (*at)
		*at = p->next;
	if (--g->members == 0)
		free(g);
	p->group = NULL;
}

void group_forget(struct calls *cs, struct call *c)
{
	struct call_peers *p = c->peers, *first;
	bool last;

	if (!p)
		return;
	group_quiet(cs, c);
	for (int i = 0; i < GROUP_KEYS_MAX; i++)
		if (p->key[i].peers)
			htab_del(&cs->group_keys, &p->key[i].node);
	last = !p->group || p->group->members == 1;
	first = last ? NULL : p->group->first == p ? p->next : p->group->first;
	group_out(p);
	if (first) { /* what they listened for on its behalf */
		if (!first->call->ghost && first->call->matched && !over(first->call))
			call_refresh_verdicts(cs, first->call);
		group_refresh(cs, first->call);
	}
	free(p);
	c->peers = NULL;
}

void group_leave(struct calls *cs, struct call *c)
{
	uint8_t bound = c->peers ? c->peers->bound : 0, said = c->peers ? c->peers->said : 0;

	group_forget(cs, c);
	c->peers = calloc(1, sizeof(*c->peers));
	if (!c->peers)
		return; /* group_decided denies */
	c->peers->call = c;
	c->peers->bound = bound;
	c->peers->said = said;
	c->peers->talk = talk_of(c);
	snprintf(c->peers->controller, sizeof(c->peers->controller), "%s", c->rule->controller->name);
}

void group_segment(struct call *c, const struct uid *before)
{
	if (!c->peers)
		return;
	c->peers->relation = CALL_R_TRANSFER;
	c->peers->other = *before;
	c->peers->kept = false;
}

