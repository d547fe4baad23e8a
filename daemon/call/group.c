/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group.c - calls that are one conversation, see group.h
 *
 * Keys lie in one hash table, groups are lists of calls. Who is tied to whom comes first, then what is spread in a
 * group, then which recording is kept, then take-over.
 */
#include "call/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "call/call_internal.h"
#include "optag.h"
#include "sip/peers.h"

#define DS_NS 100000000ULL /* at_ds counts these */

struct call_group {
	struct call_peers *first;
	unsigned members;
	uint64_t tag; /* tells it from others in what is saved */
};

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

static bool in_progress(const struct call *c)
{
	return c->phase == CALL_SETUP || c->phase == CALL_ANSWERED || c->phase == CALL_ENDING;
}

static bool over(const struct call *c)
{
	return c->phase == CALL_TOMBSTONE;
}

/* Something can still be decided about it. */
static bool decides(const struct call *c)
{
	return c->matched && !over(c) && c->state[POLICY_TRAINING] + c->state[POLICY_DOCUMENTATION];
}

static bool holds_audio(const struct call *c, int p)
{
	return c->state[p] == PURPOSE_GRANTED || c->state[p] == PURPOSE_OBJECTED;
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
			    (k->kind == GROUP_K_HEADER || near(y->key[j].at_ds, k->at_ds)))
				return true;
	}
	return false;
}

static bool began_before(const struct call *a, const struct call *b)
{
	return a->start_ns != b->start_ns ? a->start_ns < b->start_ns : a->ring < b->ring;
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

/* ---- one set of decisions ---- */

static void tell(struct calls *cs, struct call *o, const char *event, const char *reason, uint64_t now)
{
	struct call_news n = { .event = event, .purpose = POLICY_TRAINING, .actor = "system", .how = CALL_BY_PEER, .reason = reason,
			       .at_ns = now };

	if (cs->sink.news)
		cs->sink.news(cs->sink.arg, o, &n);
}

/* Training of o is denied by what was said in another call; NULL reason: the table's own. */
static void bind_one(struct calls *cs, struct call *o, enum purpose_event e, const char *reason, uint64_t now)
{
	enum purpose_state was = o->state[POLICY_TRAINING];

	if (o->ghost && cs->sink.unpark) {
		cs->sink.unpark(cs->sink.arg, o, e);
		return;
	}
	if (!decides(o) || (e == PURPOSE_E_LOSS && o->rule->purpose[POLICY_TRAINING].on_loss == 1))
		return;
	call_event_why(cs, o, POLICY_TRAINING, e, reason);
	if (o->state[POLICY_TRAINING] == was)
		return;
	cs->stats.bound++;
	if (e == PURPOSE_E_LOSS)
		tell(cs, o, "optout.uncertain", "peer", now);
	else if (e == PURPOSE_E_OPT_OUT)
		tell(cs, o, o->state[POLICY_TRAINING] == PURPOSE_WITHDRAWN ? "consent.withdrawn" : "optout", "peer", now);
	else if (e == PURPOSE_E_OBJECT || e == PURPOSE_E_OBJECT_GROUNDS)
		tell(cs, o, "objection.opened", "peer", now);
}

/* A never rule met a call that is surely this one: nothing of it is recorded, as if it had met it here. */
static void stop_all(struct calls *cs, struct call *o)
{
	if (!decides(o))
		return;
	for (int p = 0; p < POLICY_PURPOSES; p++)
		call_event_why(cs, o, (enum policy_purpose)p, PURPOSE_E_TIGHTENED, "never");
}

static void spread(struct calls *cs, struct call *c, enum purpose_event e, const char *reason, bool self, uint64_t now)
{
	struct call *o, *next;

	cs->spreading++;
	if (self)
		bind_one(cs, c, e, reason, now);
	for (o = group_next(c, NULL); o; o = next) {
		next = group_next(c, o); /* a ghost goes with what binds it */
		bind_one(cs, o, e, reason, now);
	}
	cs->spreading--;
}

static const char *reason_of(enum purpose_event e)
{
	return e == PURPOSE_E_TIGHTENED ? "never" : NULL;
}

/* Of calls under one rule that were drawn apart, the first one's result counts. */
static void settle_draws(struct calls *cs, struct call *c)
{
	struct call *o = NULL;

	while ((o = group_next(c, o))) {
		bool mine = o->start_ns <= c->start_ns;
		struct call *first = mine ? o : c, *later = mine ? c : o;

		if (decides(o) && decides(c) && o->rule == c->rule && first->peers->drawn == 2 && later->peers->drawn == 1) {
			later->peers->drawn = 2;
			bind_one(cs, later, PURPOSE_E_TIGHTENED, first->peers->out, cs->now_ns);
		}
	}
}

static void settle(struct calls *cs, struct call *c, uint64_t now)
{
	struct call *o = NULL;
	unsigned bound = c->peers->bound;

	while (!bound && (o = group_next(c, o)))
		bound = o->peers->bound;
	if (bound)
		spread(cs, c, (enum purpose_event)(bound - 1), reason_of((enum purpose_event)(bound - 1)), true, now);
	settle_draws(cs, c);
}

void group_event(struct calls *cs, struct call *c, enum policy_purpose p, enum purpose_event e, uint64_t now_ns)
{
	bool person = e == PURPOSE_E_OPT_OUT || e == PURPOSE_E_WITHDRAW || e == PURPOSE_E_OBJECT || e == PURPOSE_E_OBJECT_GROUNDS;
	struct call *o = NULL;

	if (cs->spreading || !c->peers || c->state[p] == PURPOSE_GRANTED || c->state[p] == PURPOSE_PENDING)
		return;
	if (p == POLICY_TRAINING && (person || e == PURPOSE_E_LOSS)) {
		if (e == PURPOSE_E_WITHDRAW)
			e = PURPOSE_E_OPT_OUT;
		c->peers->bound = (uint8_t)(e + 1);
		spread(cs, c, e, NULL, false, now_ns);
		return;
	}
	if (p != POLICY_DOCUMENTATION || !person)
		return;
	cs->spreading++;
	while ((o = group_next(c, o)))
		if (decides(o) && group_same(c, o))
			call_event(cs, o, p, e);
	cs->spreading--;
}

void group_refresh(struct calls *cs, const struct call *c)
{
	struct call *o = NULL;

	while ((o = group_next(c, o)))
		if (!o->ghost && o->matched && !over(o))
			call_refresh_verdicts(cs, o);
}

bool group_waits(const struct call *c)
{
	struct call *o = NULL;

	while ((o = group_next(c, o)))
		if ((o->ghost || decides(o)) && (o->state[POLICY_TRAINING] == PURPOSE_GRANTED || o->state[POLICY_TRAINING] == PURPOSE_PENDING))
			return true;
	return false;
}

bool group_refuse(struct calls *cs, struct call *c, enum purpose_event e, uint64_t now_ns)
{
	if (!group_waits(c))
		return false;
	c->peers->bound = (uint8_t)(e + 1);
	spread(cs, c, e, NULL, false, now_ns);
	return true;
}

/* The notice that was proven there was heard by the person who answered it. */
static void copy_notice(struct call_decide *to, const struct call_decide *from)
{
	if (to->notice != CALL_NOTICE_WAIT || from->notice != CALL_NOTICE_PROVEN)
		return;
	to->notice = from->notice;
	to->notice_how = from->notice_how;
	to->notice_which = from->notice_which;
	to->notice_start_ns = from->notice_start_ns;
	to->notice_end_ns = from->notice_end_ns;
	to->notice_due_ns = 0;
}

void group_consent(struct calls *cs, struct call *c, enum policy_purpose p, const struct call_news *n, bool from_call)
{
	struct call *o = NULL;

	if (cs->spreading || !c->peers)
		return;
	c->peers->bound = 0; /* who took it back has given it again */
	cs->spreading++;
	while ((o = group_next(c, o))) {
		bool open = o->state[p] == PURPOSE_PENDING || (o->state[p] == PURPOSE_DENIED && o->decide.timed_out[p]);
		struct call_news peer = *n;

		if (!decides(o) || o->rule != c->rule || !open || !group_same(c, o))
			continue;
		copy_notice(&o->decide, &c->decide);
		o->decide.granted_ns[p] = from_call && o->state[p] == PURPOSE_PENDING ? 0 : n->at_ns;
		peer.how = CALL_BY_PEER;
		peer.actor = "system";
		peer.key = NULL;
		if (cs->sink.news)
			cs->sink.news(cs->sink.arg, o, &peer);
		call_event(cs, o, p, PURPOSE_E_CONSENT);
	}
	cs->spreading--;
}

/* ---- who is tied to whom ---- */

static void overfull(struct calls *cs, struct call *c)
{
	if (!c->peers->full)
		cs->stats.group_full++;
	c->peers->full = true;
}

static struct call_group *group_of(struct call_peers *p)
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

/* The smaller one goes into the larger one. */
static bool merge(struct call_group *a, struct call_group *b)
{
	struct call_group *to = a->members >= b->members ? a : b, *from = to == a ? b : a;
	struct call_peers *p, *next;

	if (a->members + b->members > GROUP_MEMBERS_MAX)
		return false;
	for (p = from->first; p; p = next) {
		next = p->next;
		p->group = to;
		p->next = to->first;
		to->first = p;
		to->members++;
	}
	free(from);
	return true;
}

static bool tie(struct calls *cs, struct call *c, struct call *o)
{
	struct call_group *a, *b;

	if (c->peers->group && c->peers->group == o->peers->group)
		return false;
	a = group_of(c->peers);
	b = a ? group_of(o->peers) : NULL;
	if (!b || !merge(a, b)) {
		overfull(cs, c);
		return false;
	}
	cs->stats.tied++;
	call_changed(cs, o);
	return true;
}

/* A matched call and one that a never rule met, whichever was first. */
static void never_meets(struct calls *cs, struct call *m, const struct call *never)
{
	bool sure = group_same(m, never);

	if (m->peers->never && m->peers->bound && !sure)
		return;
	m->peers->bound = PURPOSE_E_TIGHTENED + 1;
	m->peers->never |= sure;
	if (!decides(m))
		return; /* group_decided will */
	spread(cs, m, PURPOSE_E_TIGHTENED, "never", true, cs->now_ns);
	if (sure)
		stop_all(cs, m);
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
	if (is_sdp(k->kind) && (!near(k->at_ds, mine->at_ds) || over(o) || over(c) || !numbers_agree(c, o)))
		return false;
	if (*c->peers->controller && *k->peers->controller)
		return tie(cs, c, o);
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
			overfull(cs, c);
			break;
		}
		changed |= meet(cs, c, mine, container_of(n, struct group_key, node), now);
	}
	if (changed && decides(c)) {
		settle(cs, c, now);
		call_refresh_verdicts(cs, c);
		group_refresh(cs, c);
	}
	if (c->peers->full && decides(c))
		bind_one(cs, c, PURPOSE_E_TIGHTENED, "group.full", now);
}

static uint32_t deciseconds(uint64_t ns)
{
	return (uint32_t)(ns / DS_NS);
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

/* A new call takes another one's place, or joins it. */
static void take_dialog(struct calls *cs, struct call *c, struct sip_str value, bool joins, uint64_t now)
{
	struct sip_dialog d;
	struct call *o;

	if (!value.p || !sip_dialog_of(value, &d))
		return;
	o = calls_find(cs, d.call_id);
	if (!o || o == c || !o->peers || !still_known(o, now) || strcmp(o->peers->controller, c->peers->controller) != 0)
		return;
	if (tie(cs, c, o) || (c->peers->group && c->peers->group == o->peers->group)) {
		c->peers->relation = joins ? CALL_R_SAME : CALL_R_TRANSFER;
		c->peers->other = o->uid;
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
		(void)tie(cs, c, o); /* false: tied already, or full, which is noted */
		c->peers->relation = CALL_R_TRANSFER;
		c->peers->other = o->uid;
		return;
	}
}

void group_begin(struct calls *cs, struct call *c, const struct sip_msg *m, const char *correlate_header, uint64_t now_ns)
{
	struct sip_str v = correlate_header ? sip_extra_value(m, correlate_header) : (struct sip_str){ NULL, 0 };
	struct call_peers *p = c->peers ? c->peers : calloc(1, sizeof(*p));

	if (!p)
		return; /* group_decided denies */
	p->call = c;
	c->peers = p;
	if (c->matched)
		snprintf(p->controller, sizeof(p->controller), "%s", c->rule->controller->name);
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
		bind_one(cs, c, PURPOSE_E_TIGHTENED, "group.full", now_ns);
		return;
	}
	settle(cs, c, now_ns);
	if (c->peers->never)
		stop_all(cs, c);
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

static void leave(struct call_peers *p);

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
	leave(p);
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
	uint8_t bound = c->peers ? c->peers->bound : 0;

	group_forget(cs, c);
	c->peers = calloc(1, sizeof(*c->peers));
	if (!c->peers)
		return; /* group_decided denies */
	c->peers->call = c;
	c->peers->bound = bound;
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

/* ---- parts that are over ---- */

bool group_lasts(const struct call *c)
{
	struct call *o = NULL;

	if (strcmp(c->end, "transfer") == 0) /* another part of the same call */
		return c->peers != NULL;
	while ((o = group_next(c, o)))
		if (o->matched && in_progress(o))
			return true;
	return false;
}

bool group_park(struct calls *cs, struct call *c, struct call *ghost, struct call_peers *part)
{
	struct call_group *g = c->peers ? group_of(c->peers) : NULL;

	if (!g || g->members >= GROUP_MEMBERS_MAX) {
		if (g)
			overfull(cs, c);
		return false;
	}
	*part = *c->peers;
	memset(part->key, 0, sizeof(part->key));
	part->call = ghost;
	part->bound = 0;
	part->next = g->first;
	g->first = part;
	g->members++;
	ghost->peers = part;
	ghost->ghost = true;
	ghost->matched = false; /* nothing is decided about it any more */
	ghost->phase = CALL_TOMBSTONE;
	return true;
}

static void leave(struct call_peers *p)
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

void group_unpark(struct calls *cs, struct call *ghost)
{
	struct call_group *g = ghost->peers->group;
	bool last = !g || g->members == 1;

	leave(ghost->peers);
	for (struct call_peers *p = last ? NULL : g->first; p; p = p->next)
		if (!p->call->ghost && p->call->matched && !over(p->call))
			call_refresh_verdicts(cs, p->call);
}

void group_quiet(struct calls *cs, struct call *c)
{
	struct call *o = NULL, *next;

	if (!c->peers || !c->peers->group || !cs->sink.unpark)
		return;
	while ((o = group_next(c, o)))
		if (!o->ghost && o->matched && in_progress(o))
			return;
	for (o = group_next(c, NULL); o; o = next) {
		next = group_next(c, o);
		if (o->ghost)
			cs->sink.unpark(cs->sink.arg, o, PURPOSE_E_BYE);
	}
}

/* ---- one draw ---- */

bool group_draw(struct calls *cs, struct call *c, const char **ret_out)
{
	struct call *o = NULL;

	(void)cs;
	if (c->peers && c->peers->drawn == 2) { /* an earlier part of this call, under this rule */
		*ret_out = c->peers->out;
		return true;
	}
	while ((o = group_next(c, o))) {
		if (!o->peers->drawn || o->rule != c->rule || !in_progress(o) || !group_same(c, o))
			continue;
		*ret_out = o->peers->drawn == 2 ? o->peers->out : NULL;
		c->decide.sample_shared = o->peers->drawn == 1;
		c->decide.sample_waits = o->peers->drawn == 1 && o->decide.sample_waits;
		return true;
	}
	return false;
}

void group_drawn(struct call *c, const char *out)
{
	if (!c->peers)
		return;
	c->peers->drawn = out ? 2 : 1;
	c->peers->out = out ? out : "";
}

void group_slot(struct calls *cs, struct call *c, bool durable)
{
	struct call *o = NULL;

	while ((o = group_next(c, o))) {
		if (!o->decide.sample_shared || o->decide.sample_slot || o->rule != c->rule || !o->matched)
			continue;
		if (durable)
			call_slot_durable(cs, o);
		else
			call_slot_lost(cs, o);
	}
}

/* ---- one recording ---- */

static unsigned voices(struct calls *cs, struct call *c)
{
	if (!cs->sink.kept || over(c))
		return 0;
	return (cs->sink.kept(cs->sink.arg, c, OPTAG_LEG_CALLER) != 0) + (cs->sink.kept(cs->sink.arg, c, OPTAG_LEG_CALLEE) != 0);
}

/* All that c may hold o may hold, too. */
static bool keeps_as_much(const struct call *o, const struct call *c)
{
	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (holds_audio(c, p) && !holds_audio(o, p))
			return false;
	return true;
}

static bool covers(const struct call *o, const struct call *c)
{
	if (!o->answered || !c->answered || o->answer_ns > c->answer_ns + GROUP_COVER_NS)
		return false;
	return !o->end_ns || c->end_ns <= o->end_ns + GROUP_COVER_NS;
}

/* o, which goes on or was kept, makes c superfluous. */
static bool replaces(struct calls *cs, struct call *o, struct call *c)
{
	unsigned a, b;

	if (!group_same(o, c) || !covers(o, c) || !keeps_as_much(o, c))
		return false;
	if (over(o))
		return o->peers->kept;
	if (!o->matched || !in_progress(o))
		return false;
	a = voices(cs, o);
	b = voices(cs, c);
	if (a != b)
		return a > b;
	return began_before(o, c);
}

static void hand_over_slot(struct call *c, struct call *o)
{
	if (!c->decide.sample_slot || !o->decide.sample_shared || o->decide.sample_slot || over(o) || o->rule != c->rule)
		return;
	o->decide.sample_slot = c->decide.sample_slot;
	o->decide.sample_waits = c->decide.sample_waits;
	c->decide.sample_slot = 0;
	c->decide.sample_waits = false;
}

void group_end(struct calls *cs, struct call *c)
{
	struct call *o = NULL;

	if (!c->peers)
		return;
	while ((o = group_next(c, o))) {
		if (replaces(cs, o, c)) {
			c->peers->relation = CALL_R_DUPLICATE;
			c->peers->other = o->uid;
			cs->stats.duplicates++;
			hand_over_slot(c, o);
			return;
		}
		if (!c->peers->relation && over(o) && o->peers->kept && group_same(o, c)) {
			c->peers->relation = CALL_R_SAME;
			c->peers->other = o->uid;
		}
	}
	/* It goes on for longer than the one whose slot it had: a second recording needs one of its own (INV-10). */
	if (c->decide.sample_shared && !c->decide.sample_slot && holds_audio(c, POLICY_TRAINING)) {
		call_event_why(cs, c, POLICY_TRAINING, PURPOSE_E_TIGHTENED, "sample.shared");
	}
}

/* ---- take-over, and clocks ---- */

void group_save(const struct call *c, struct buf *out)
{
	const struct call_peers *p = c->peers;
	unsigned n = 0;

	buf_put8(out, p != NULL);
	if (!p)
		return;
	for (int i = 0; i < GROUP_KEYS_MAX; i++)
		n += p->key[i].peers != NULL && p->key[i].kind != GROUP_K_OLD;
	buf_put8(out, (uint8_t)(p->never | p->full << 1 | p->kept << 2));
	buf_put8(out, p->bound);
	buf_put8(out, p->drawn);
	buf_put8(out, p->relation);
	buf_put(out, p->other.b, sizeof(p->other.b));
	buf_put_varint(out, strlen(p->controller));
	buf_put(out, p->controller, strlen(p->controller));
	for (int i = 0; i < 2; i++)
		buf_put_le64(out, p->half[i]);
	buf_put_le64(out, p->group ? p->group->tag : 0);
	buf_put8(out, (uint8_t)n);
	for (int i = 0; i < GROUP_KEYS_MAX; i++) {
		if (!p->key[i].peers || p->key[i].kind == GROUP_K_OLD)
			continue;
		buf_put8(out, p->key[i].kind);
		buf_put_le64(out, p->key[i].node.hash);
		buf_put_le32(out, p->key[i].at_ds);
	}
}

static bool load_keys(struct rd *r, struct call_peers *p)
{
	uint64_t tag = rd_le64(r);
	unsigned i, n = rd_u8(r);

	if (n > GROUP_KEYS_MAX - 1)
		return false;
	for (i = 0; i < n; i++) {
		struct group_key *k = &p->key[i];

		k->peers = p;
		k->kind = rd_u8(r);
		k->node.hash = rd_le64(r);
		k->at_ds = rd_le32(r);
		if (k->kind >= GROUP_K_OLD)
			return false;
	}
	if (tag) {
		p->key[n].peers = p;
		p->key[n].kind = GROUP_K_OLD;
		p->key[n].node.hash = tag;
	}
	return !r->bad;
}

bool group_load(struct rd *r, struct call *c)
{
	struct call_peers *p;
	uint8_t there = rd_u8(r), flags;
	const uint8_t *b;
	uint64_t n;

	if (r->bad || there > 1)
		return false;
	if (!there)
		return true;
	p = calloc(1, sizeof(*p));
	if (!p)
		return false;
	c->peers = p; /* whoever drops the call frees it */
	p->call = c;
	flags = rd_u8(r);
	p->never = flags & 1;
	p->full = flags & 2;
	p->kept = flags & 4;
	p->bound = rd_u8(r);
	p->drawn = rd_u8(r);
	p->out = p->drawn == 2 ? "sample.out" : "";
	p->relation = rd_u8(r);
	b = rd_bytes(r, sizeof(p->other.b));
	if (b)
		memcpy(p->other.b, b, sizeof(p->other.b));
	n = rd_varint(r);
	b = n < sizeof(p->controller) ? rd_bytes(r, (size_t)n) : NULL;
	if (!b || memchr(b, 0, (size_t)n) || flags > 7 || p->bound > PURPOSE_EVENTS || p->drawn > 2 || p->relation >= CALL_RELATIONS)
		return false;
	memcpy(p->controller, b, (size_t)n);
	for (int i = 0; i < 2; i++)
		p->half[i] = rd_le64(r);
	return load_keys(r, p);
}

static void tie_restored(struct calls *cs, struct call *c)
{
	for (int i = 0; i < GROUP_KEYS_MAX; i++) {
		struct group_key *k = &c->peers->key[i];
		struct hnode *n = k->peers && k->kind == GROUP_K_OLD ? htab_first(&cs->group_keys, k->node.hash) : NULL;

		for (; n; n = htab_next(n)) {
			const struct group_key *o = container_of(n, struct group_key, node);

			if (o->kind == GROUP_K_OLD && o->peers != c->peers && tie(cs, c, o->peers->call))
				break; /* whose group is the others' by now */
		}
	}
}

void group_restored(struct calls *cs)
{
	for (size_t i = 0; i < cs->nslot; i++) {
		struct call *c = cs->slot[i];

		for (int k = 0; c && c->peers && k < GROUP_KEYS_MAX; k++)
			if (c->peers->key[k].peers)
				htab_add(&cs->group_keys, &c->peers->key[k].node, c->peers->key[k].node.hash);
	}
	for (size_t i = 0; i < cs->nslot; i++)
		if (cs->slot[i] && cs->slot[i]->peers)
			tie_restored(cs, cs->slot[i]);
}

void group_rebase(struct call *c, uint64_t by_ns)
{
	uint32_t by = deciseconds(by_ns);

	for (int i = 0; c->peers && i < GROUP_KEYS_MAX; i++)
		c->peers->key[i].at_ds -= c->peers->key[i].at_ds < by ? c->peers->key[i].at_ds : by;
}
