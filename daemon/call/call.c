/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.c - the call table: numbers, timers, verdicts, ends
 *
 * Timers sit in a wheel of 100 ms slots. A slot is looked at when time passes
 * it; what is due later simply stays. Ring numbers are a slot index with a
 * generation in the top byte, so a late record of a freed number finds nobody.
 */
#include "base/line.h"
#include "call/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call/call_internal.h"
#include "optag.h"

#define RING_BITS 24 /* slot index; 16 million calls at once is far past any limit set */

void call_default_limits(struct call_limits *ret)
{
	*ret = (struct call_limits){
		.calls = 262144,
		.media_timeout_ns = 60 * 1000000000ULL,
		.hold_timeout_ns = 1800 * 1000000000ULL,
		.setup_timeout_ns = 200 * 1000000000ULL,
		.linger_ns = 500 * 1000000ULL,
		.tombstone_ns = 32 * 1000000000ULL,
		.tombstones = 16384,
		.challenge_ns = 180 * 1000000000ULL,
	};
}

int calls_new(const struct call_limits *l, const struct calls_sink *sink, struct calls **ret)
{
	struct calls *cs;

	if (l->calls == 0 || l->calls >= (size_t)1 << RING_BITS)
		return -EINVAL;
	cs = calloc(1, sizeof(*cs));
	if (!cs)
		return -ENOMEM;
	cs->limit = *l;
	cs->horizon = UINT64_MAX;
	cs->sink = *sink;
	if (htab_init(&cs->by_id, 1024) || htab_init(&cs->owners, 1024) || htab_init(&cs->barred, 64) ||
	    htab_init(&cs->group_keys, 1024) || htab_init(&cs->counts, 64)) {
		calls_free(cs);
		return -ENOMEM;
	}
	*ret = cs;
	return 0;
}

/* ---- ring numbers ---- */

static int slots_grow(struct calls *cs)
{
	size_t n = cs->nslot ? cs->nslot * 2 : 256;
	struct call **s;
	uint32_t *f;
	uint8_t *g;

	if (n > cs->limit.calls)
		n = cs->limit.calls;
	if (n <= cs->nslot)
		return -ENOSPC;
	s = realloc(cs->slot, n * sizeof(*s));
	if (s)
		cs->slot = s;
	g = realloc(cs->slot_gen, n);
	if (g)
		cs->slot_gen = g;
	f = realloc(cs->free_slot, n * sizeof(*f));
	if (f)
		cs->free_slot = f;
	if (!s || !g || !f)
		return -ENOMEM;
	memset(s + cs->nslot, 0, (n - cs->nslot) * sizeof(*s));
	memset(g + cs->nslot, 0, n - cs->nslot);
	while (cs->nslot < n)
		f[cs->nfree++] = (uint32_t)cs->nslot++;
	return 0;
}

static int slot_take(struct calls *cs, struct call *c)
{
	uint32_t i;
	int rc;

	if (!cs->nfree) {
		rc = slots_grow(cs);
		if (rc && !call_make_room(cs))
			return rc;
	}
	i = cs->free_slot[--cs->nfree];
	cs->slot[i] = c;
	c->ring = (uint32_t)cs->slot_gen[i] << RING_BITS | i;
	return 0;
}

/* A restored call has the number it had. Its slot stays in the list of free ones until slots_sort. */
static int slot_take_at(struct calls *cs, struct call *c)
{
	uint32_t i = c->ring & ((1u << RING_BITS) - 1);
	int rc = 0;

	while (i >= cs->nslot && !rc)
		rc = slots_grow(cs);
	if (rc)
		return rc;
	if (cs->slot[i])
		return -EEXIST;
	cs->slot[i] = c;
	cs->slot_gen[i] = (uint8_t)(c->ring >> RING_BITS);
	return 0;
}

static void slots_sort(struct calls *cs)
{
	size_t i;

	cs->nfree = 0;
	for (i = cs->nslot; i-- > 0;)
		if (!cs->slot[i])
			cs->free_slot[cs->nfree++] = (uint32_t)i;
}

static void slot_give(struct calls *cs, struct call *c)
{
	uint32_t i = c->ring & ((1u << RING_BITS) - 1);

	cs->slot[i] = NULL;
	cs->slot_gen[i]++;
	cs->free_slot[cs->nfree++] = i;
}

struct call *calls_by_ring(struct calls *cs, uint32_t ring)
{
	uint32_t i = ring & ((1u << RING_BITS) - 1);

	if (i >= cs->nslot || !cs->slot[i] || cs->slot[i]->ring != ring)
		return NULL;
	return cs->slot[i];
}

struct call *const *calls_slot(const struct calls *cs, uint32_t ring)
{
	uint32_t i = ring & ((1u << RING_BITS) - 1);

	return i < cs->nslot ? &cs->slot[i] : NULL;
}

_Static_assert(offsetof(struct call, decide) == LINE_BYTES, "what a packet meets is a line");
_Static_assert(offsetof(struct call_endpoint, gen) + sizeof(uint32_t) <= LINE_BYTES, "and of an address another");

void call_soon(const struct call *c, unsigned step)
{
	if (step == 0) {
		__builtin_prefetch(c);
		__builtin_prefetch(&c->decide);
		__builtin_prefetch(&c->tight);
	} else if (c->ep) { /* of an address, what tells whether it is the packet's stands in its first line */
		__builtin_prefetch(c->ep);
		__builtin_prefetch(c->ep + 1);
	}
}

/* ---- timers ---- */

void call_stop_timer(struct calls *cs, struct call *c)
{
	if (!c->timer_prev)
		return;
	if (cs->wheel_next == c)
		cs->wheel_next = c->timer_next;
	*c->timer_prev = c->timer_next;
	if (c->timer_next)
		c->timer_next->timer_prev = c->timer_prev;
	c->timer_prev = NULL;
	c->timer_next = NULL;
}

void call_set_timer(struct calls *cs, struct call *c, uint64_t at_ns)
{
	uint64_t due = c->phase == CALL_TOMBSTONE ? 0 : call_decide_due(c), t;
	struct call **head;

	if (due && due < at_ns)
		at_ns = due;
	if (c->again_ns && c->again_ns < at_ns && c->phase != CALL_TOMBSTONE)
		at_ns = c->again_ns;
	t = at_ns / WHEEL_NS + 1; /* the slot that is looked at once at_ns has passed */

	if (t <= cs->wheel_at)
		t = cs->wheel_at + 1;
	call_stop_timer(cs, c);
	c->timer_ns = at_ns;
	head = &cs->wheel[t % WHEEL_SLOTS];
	c->timer_next = *head;
	if (*head)
		(*head)->timer_prev = &c->timer_next;
	c->timer_prev = head;
	*head = c;
}

/* ---- the table ---- */

static struct call *with_id(struct hnode *n, struct sip_str id)
{
	for (; n; n = htab_next(n)) {
		struct call *c = container_of(n, struct call, node);

		if (strlen(c->call_id) == id.n && memcmp(c->call_id, id.p, id.n) == 0)
			return c;
	}
	return NULL;
}

static struct call *first_with_id(const struct calls *cs, struct sip_str id)
{
	return with_id(htab_first(&cs->by_id, hash_bytes(id.p, id.n)), id);
}

static struct call *next_with_id(const struct call *c, struct sip_str id)
{
	return with_id(htab_next(&c->node), id);
}

static bool comes_before(const struct call *a, const struct call *b)
{
	bool over[2] = { a->phase == CALL_TOMBSTONE, b->phase == CALL_TOMBSTONE };

	if (a->answered != b->answered && !over[0] && !over[1])
		return a->answered;
	return over[0] != over[1] ? over[1] : a->start_ns != b->start_ns ? a->start_ns < b->start_ns : a->ring < b->ring;
}

struct call *calls_find(struct calls *cs, struct sip_str id)
{
	struct call *c = first_with_id(cs, id), *best = c;

	while (c && (c = next_with_id(c, id)))
		best = comes_before(c, best) ? c : best;
	return best;
}

static bool began_with(const struct call *c, struct sip_str tag)
{
	return strlen(c->caller_tag) == tag.n && (!tag.n || memcmp(c->caller_tag, tag.p, tag.n) == 0);
}

bool calls_has(const struct calls *cs, struct sip_str id, struct sip_str tag)
{
	struct call *c = first_with_id(cs, id);

	while (c && !began_with(c, tag))
		c = next_with_id(c, id);
	return c;
}

/* How surely a message with these tags is this call's. */
static unsigned likeness(const struct call *c, struct sip_str from, struct sip_str to)
{
	if (began_with(c, from)) /* also when there is none (RFC 2543) */
		return 3;
	if (to.n && began_with(c, to))
		return 2;
	return party_has(c, from) || party_has(c, to);
}

struct call *calls_find_tags(struct calls *cs, struct sip_str id, struct sip_str from, struct sip_str to)
{
	struct call *c = first_with_id(cs, id), *best = NULL;
	unsigned most = 0;

	if (!c || !next_with_id(c, id)) /* nearly always */
		return c;
	for (; c; c = next_with_id(c, id)) {
		unsigned n = likeness(c, from, to);

		if (n > most || (n && n == most && comes_before(c, best)))
			best = c;
		most = n > most ? n : most;
	}
	return best ? best : calls_find(cs, id);
}

/* Of two that ring under the Call-ID of first: from elsewhere than that came, then the older one. */
static bool gives_way_before(const struct call *a, const struct call *b, const struct call *first)
{
	bool strange[2] = { !ipaddr_equal(&a->invite_src, &first->invite_src), !ipaddr_equal(&b->invite_src, &first->invite_src) };

	return strange[0] != strange[1] ? strange[0] : comes_before(a, b);
}

bool calls_id_full(struct calls *cs, struct sip_str id)
{
	struct call *c = first_with_id(cs, id), *first = calls_find(cs, id), *over = NULL, *rings = NULL;
	unsigned n = 0;

	for (; c; c = next_with_id(c, id)) {
		n++;
		if (c->phase == CALL_TOMBSTONE)
			over = c;
		else if (c != first && !c->answered && (c->phase == CALL_SETUP || c->phase == CALL_REJECTED) &&
			 (!rings || gives_way_before(c, rings, first)))
			rings = c;
	}
	if (n < CALL_SAME_ID_MAX)
		return false;
	if (!over && rings) {
		cs->stats.foreign_ends++;
		call_end_at_once(cs, rings, "replaced", cs->now_ns);
		over = rings;
	}
	if (over)
		call_forget(cs, over);
	return !over;
}

static char *dup_str(struct sip_str s)
{
	char *p = malloc(s.n + 1);

	if (!p)
		return NULL;
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return p;
}

int calls_add(struct calls *cs, struct sip_str id, struct sip_str tag, uint64_t now,
	      struct call **ret)
{
	struct call *c;
	int rc;

	if (id.n == 0 || id.n > CALL_ID_MAX || tag.n > CALL_ID_MAX || memchr(id.p, 0, id.n)) {
		cs->stats.refused_id++;
		return -EINVAL;
	}
	c = line_alloc(sizeof(*c));
	if (!c) {
		cs->stats.refused_full++;
		return -ENOMEM;
	}
	c->call_id = dup_str(id);
	c->caller_tag = dup_str(tag);
	if (!c->call_id || !c->caller_tag) {
		rc = -ENOMEM;
		goto out;
	}
	rc = slot_take(cs, c);
	if (rc)
		goto out;
	c->start_ns = now;
	c->touched_ns = now;
	c->reason[0] = c->reason[1] = "";
	c->end = "";
	htab_add(&cs->by_id, &c->node, hash_bytes(id.p, id.n));
	cs->stats.calls++;
	cs->stats.active++;
	call_set_timer(cs, c, now + cs->limit.setup_timeout_ns);
	*ret = c;
	return 0;
out:
	cs->stats.refused_full++;
	free((char *)(uintptr_t)c->call_id);
	free(c->caller_tag);
	free(c);
	return rc;
}

int calls_insert(struct calls *cs, struct call *c)
{
	int rc = slot_take_at(cs, c);

	if (rc)
		return rc;
	htab_add(&cs->by_id, &c->node, hash_bytes(c->call_id, strlen(c->call_id)));
	cs->stats.active++;
	call_place(cs, c);
	call_count(cs, c);
	if (c->phase == CALL_TOMBSTONE)
		return 0;
	/* What becomes of it is counted by this process, so that it had it is, too. */
	cs->stats.calls++;
	cs->stats.matched += c->matched;
	cs->stats.unmatched += !c->matched;
	cs->stats.never += c->never;
	return 0;
}

void calls_restored(struct calls *cs)
{
	slots_sort(cs);
	group_restored(cs);
}

void call_forget(struct calls *cs, struct call *c)
{
	call_stop_timer(cs, c);
	call_keep_place(cs, c);
	call_uncount(cs, c);
	call_release_all(cs, c);
	call_free_endpoints(cs, c);
	group_forget(cs, c);
	htab_del(&cs->by_id, &c->node);
	if (cs->sink.forgotten)
		cs->sink.forgotten(cs->sink.arg, c);
	slot_give(cs, c);
	cs->stats.active--;
	call_no_more(cs, c);
	call_facts_free(c->facts);
	free(c->tag);
	free(c->earlier);
	free(c->trace);
	free((char *)(uintptr_t)c->call_id);
	free(c->caller_tag);
	free(c);
}

void calls_free(struct calls *cs)
{
	size_t i;

	if (!cs)
		return;
	cs->sink = (struct calls_sink){ 0 };
	for (i = 0; i < cs->nslot; i++)
		if (cs->slot[i])
			call_forget(cs, cs->slot[i]);
	htab_free(&cs->by_id);
	htab_free(&cs->owners);
	htab_free(&cs->barred);
	htab_free(&cs->group_keys);
	htab_free(&cs->counts);
	free(cs->slot);
	free(cs->slot_gen);
	free(cs->free_slot);
	free(cs);
}

void calls_set_policy(struct calls *cs, const struct policy *p)
{
	cs->policy = p;
}

static bool has_uid(const struct call *c, const struct uid *u)
{
	bool has = uid_equal(&c->uid, u);

	for (unsigned i = 0; i < c->nearlier && !has; i++)
		has = uid_equal(&c->earlier[i], u);
	return has;
}

struct call *calls_by_uid(struct calls *cs, const struct uid *u)
{
	size_t i;

	for (i = 0; i < cs->nslot; i++)
		if (cs->slot[i] && cs->slot[i]->trace && has_uid(cs->slot[i], u))
			return cs->slot[i];
	return NULL;
}

struct call *calls_by_id(struct calls *cs, const char *call_id, size_t n)
{
	struct sip_str id = { call_id, n };
	struct call *best = NULL;

	for (struct call *c = first_with_id(cs, id); c; c = next_with_id(c, id))
		if (c->trace && (!best || comes_before(c, best)))
			best = c;
	return best ? best : calls_find(cs, id);
}

unsigned calls_same_id(struct calls *cs, struct call *c, struct call *ret[CALL_SAME_ID_MAX])
{
	struct sip_str id = { c->call_id, strlen(c->call_id) };
	unsigned n = 0;

	ret[n++] = c;
	for (struct call *o = first_with_id(cs, id); o && n < CALL_SAME_ID_MAX; o = next_with_id(o, id))
		if (o != c && o->trace && o->phase != CALL_TOMBSTONE)
			ret[n++] = o;
	return n;
}

void calls_get_stats(const struct calls *cs, struct calls_stats *ret)
{
	*ret = cs->stats;
}

void call_changed(struct calls *cs, struct call *c)
{
	if (cs->sink.changed)
		cs->sink.changed(cs->sink.arg, c);
}

/* ---- verdicts ---- */

/* The detectors know G.711: audio that cannot be that is not handed up for them. */
bool call_can_be_heard(const struct call_endpoint *e)
{
	const struct call_formats *f = e->formats;

	for (unsigned i = 0; f && i < f->n; i++)
		if (strcasecmp(f->f[i].name, "PCMU") == 0 || strcasecmp(f->f[i].name, "PCMA") == 0)
			return true;
	return !f || !f->n;
}

uint8_t call_verdict(const struct call *c, const struct call_endpoint *e)
{
	enum call_audio a;

	if (e->srtp || e->barred || c->phase == CALL_TOMBSTONE || !c->matched)
		return OPTAG_V_BLOCK;
	if (c->phase == CALL_REJECTED && !c->quiet_ns)
		return OPTAG_V_BLOCK;
	a = call_audio(c, e->leg);
	if (a >= CALL_A_HOLD)
		return OPTAG_V_RECORD;
	if (a == CALL_A_INSPECT && c->phase != CALL_REJECTED && call_can_be_heard(e))
		return OPTAG_V_INSPECT;
	return c->phase != CALL_REJECTED && call_listens(c, e->leg) ? OPTAG_V_GATE : OPTAG_V_BLOCK;
}

void call_tell_flow(struct calls *cs, struct call *c, struct call_endpoint *e)
{
	uint8_t v = call_verdict(c, e);

	if (v != e->verdict)
		call_note(cs, c, CALL_T_VERDICT, e->leg, v, "");
	e->verdict = v;
	cs->sink.flow(cs->sink.arg, c, e, v);
}

void call_refresh_verdicts(struct calls *cs, struct call *c)
{
	unsigned i;

	if (!c->matched || !cs->sink.flow) /* nobody listens any more (calls_free) */
		return;
	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].owner)
			call_tell_flow(cs, c, &c->ep[i]);
}

static enum purpose_kind kind_of(const struct policy_block *b, enum policy_purpose p)
{
	if (b->basis == POLICY_B_CONSENT)
		return PURPOSE_K_CONSENT;
	if (p == POLICY_DOCUMENTATION)
		return PURPOSE_K_DOCUMENT;
	return b->special ? PURPOSE_K_SPECIAL : PURPOSE_K_OPTOUT;
}

/* What the log counts on: a grant before anything is kept, a denial with its reason. */
static void tell_state(struct calls *cs, struct call *c, enum policy_purpose p, enum purpose_state was, enum purpose_event e)
{
	static const char *const name[PURPOSE_STATES] = {
		[PURPOSE_GRANTED] = "purpose.grant",   [PURPOSE_DENIED] = "purpose.deny",    [PURPOSE_WITHDRAWN] = "purpose.deny",
		[PURPOSE_OPTED_OUT] = "purpose.deny", [PURPOSE_EXPIRED] = "purpose.expire",
	};
	struct call_news n = { .event = name[c->state[p]], .purpose = p, .actor = "system", .reason = c->reason[p] };

	if (e == PURPOSE_E_MATCH || e == PURPOSE_E_NOTICE || e == PURPOSE_E_TIGHTENED)
		n.how = CALL_BY_POLICY;
	if (n.event && c->state[p] != was && cs->sink.news)
		cs->sink.news(cs->sink.arg, c, &n);
}

void call_event(struct calls *cs, struct call *c, enum policy_purpose p, enum purpose_event e)
{
	call_event_why(cs, c, p, e, NULL);
}

void call_event_why(struct calls *cs, struct call *c, enum policy_purpose p, enum purpose_event e, const char *why)
{
	const struct policy_block *b = &c->rule->purpose[p];
	enum purpose_state was = c->state[p];
	struct purpose_answer a;

	if (b->basis == POLICY_B_NONE)
		return;
	a = purpose_step(kind_of(b, p), c->state[p], e, c->decide.timed_out[p]);
	/* What a later policy took nobody gives back (policy-language 5.3). */
	if (!a.changed || (c->tight.stopped[p] && c->state[p] != PURPOSE_GRANTED && a.state == PURPOSE_GRANTED))
		return;
	if (why && a.state != c->state[p])
		a.reason = why;
	/* on-missing-notice: the table has its default, quarantine (guidance 5.5) */
	if (p == POLICY_DOCUMENTATION && e == PURPOSE_E_NO_NOTICE && a.state == PURPOSE_OBJECTED) {
		if (c->rule->on_missing_notice == POLICY_MISSING_KEEP) {
			c->reason[p] = a.reason; /* kept, and everybody can see that nothing proved the notice */
			call_changed(cs, c);
			return;
		}
		if (c->rule->on_missing_notice == POLICY_MISSING_DISCARD) {
			a.state = PURPOSE_DENIED;
			a.act = PURPOSE_D_DESTROY;
		}
	}
	/* a remark (stopped by a policy, notice not proven, optout.statute) is not forgotten over an event that leaves it as it is */
	if (a.state != c->state[p] || *a.reason)
		c->reason[p] = a.reason;
	c->state[p] = a.state;
	call_count(cs, c);
	call_note(cs, c, CALL_T_STATE, p, a.state, c->reason[p]);
	c->decide.timed_out[p] = e == PURPOSE_E_WINDOW && a.state == PURPOSE_DENIED;
	call_changed(cs, c);
	if (c->state[p] == PURPOSE_GRANTED)
		tell_state(cs, c, p, was, e);
	/* Deny first: the packets stop before the key goes, and the key before anybody is told. A grant is
	 * prepared before its first packet can come. */
	if (a.state == PURPOSE_GRANTED && a.act & PURPOSE_D_START && cs->sink.granted)
		cs->sink.granted(cs->sink.arg, c, p);
	call_refresh_verdicts(cs, c);
	if (a.act & PURPOSE_D_DESTROY)
		cs->sink.destroy(cs->sink.arg, c, p);
	if (c->state[p] != PURPOSE_GRANTED)
		tell_state(cs, c, p, was, e);
	if (p == POLICY_DOCUMENTATION && e == PURPOSE_E_NO_NOTICE && c->state[p] == PURPOSE_OBJECTED)
		call_quarantine(cs, c);
	if (c->state[p] != was) {
		group_event(cs, c, p, e, cs->now_ns);
		group_refresh(cs, c);
	}
}

/* ---- ends ---- */

/* Messages may come late, and clocks go back: a call never ends before it began. */
static void set_end(struct call *c, uint64_t now)
{
	uint64_t begin = c->answered ? c->answer_ns : c->start_ns;

	c->end_ns = now > begin ? now : begin;
}

void call_begin_end(struct calls *cs, struct call *c, const char *why, uint64_t now)
{
	if (c->phase != CALL_SETUP && c->phase != CALL_ANSWERED)
		return;
	c->phase = CALL_ENDING;
	call_count(cs, c);
	c->end = why;
	set_end(c, now);
	c->linger_ns = now + cs->limit.linger_ns;
	call_set_timer(cs, c, c->linger_ns);
}

/* Refused or cancelled, for now: credentials, another branch or a 200 that crossed may follow. */
void call_reject(struct calls *cs, struct call *c, const char *why, uint64_t now)
{
	c->phase = CALL_REJECTED;
	call_count(cs, c);
	c->end = why;
	set_end(c, now);
	c->linger_ns = now + (c->status == 401 || c->status == 407 ? cs->limit.challenge_ns : cs->limit.tombstone_ns);
	/* Early media that the rule wants goes on for a moment: this branch is refused, not all. */
	c->quiet_ns = strcmp(why, "cancel") == 0 ? 0 : now + REJECT_MEDIA_NS;
	call_refresh_verdicts(cs, c);
	call_set_timer(cs, c, c->quiet_ns ? c->quiet_ns : c->linger_ns);
}

static void call_over(struct calls *cs, struct call *c, uint64_t now)
{
	bool was_ours;

	if (!c->end_ns)
		set_end(c, now);
	call_note(cs, c, CALL_T_END, 0, 0, c->end);
	if (c->matched)
		call_decide_end(cs, c, now);
	if (c->matched)
		group_end(cs, c);
	call_free_endpoints(cs, c);
	if (c->matched) {
		cs->sink.ended(cs->sink.arg, c);
		c->user = NULL;
	}
	was_ours = c->matched;
	/* From here on it is only remembered, and its policy may go. */
	call_no_more(cs, c);
	call_facts_free(c->facts);
	c->facts = NULL;
	c->matched = false;
	c->policy = NULL;
	c->rule = NULL;
	c->phase = CALL_TOMBSTONE;
	call_count(cs, c);
	if (was_ours || c->segment) {
		group_quiet(cs, c);
		group_refresh(cs, c);
	}
	call_place(cs, c);
	call_set_timer(cs, c, now + cs->limit.tombstone_ns);
}

void call_end_at_once(struct calls *cs, struct call *c, const char *why, uint64_t now)
{
	if (!*c->end)
		c->end = why;
	call_over(cs, c, now);
}

static void check_length(struct calls *cs, struct call *c, uint64_t now)
{
	if (!c->overlong_ns || c->overlong || now < c->overlong_ns)
		return;
	c->overlong = true;
	call_refresh_verdicts(cs, c);
}

/* Answered and silent: media counts tell whether it is really over. */
static void answered_timer(struct calls *cs, struct call *c, uint64_t now)
{
	uint64_t n = c->matched ? cs->sink.packets(cs->sink.arg, c) : 0;
	uint64_t limit = c->hold || !c->matched ? cs->limit.hold_timeout_ns : cs->limit.media_timeout_ns;
	uint64_t next, release = call_next_release(c);

	if (n != c->media_count) {
		c->media_count = n;
		c->touched_ns = now;
	}
	if (now >= c->touched_ns + limit) {
		set_end(c, c->touched_ns);
		call_end_at_once(cs, c, "timeout", now);
		return;
	}
	check_length(cs, c, now);
	/* A quarter of the limit: media may have stopped just after the last look. */
	next = now + limit / 4;
	if (next > c->touched_ns + limit)
		next = c->touched_ns + limit;
	if (release && release < next)
		next = release;
	if (c->overlong_ns && !c->overlong && c->overlong_ns < next)
		next = c->overlong_ns;
	call_set_timer(cs, c, next);
}

static void call_timer(struct calls *cs, struct call *c, uint64_t now)
{
	uint64_t release, at;

	call_changed(cs, c);
	call_release_due(cs, c, now);
	call_decide_time(cs, c, now);
	if (c->again_ns && now >= c->again_ns)
		call_again(cs, c, now);
	switch (c->phase) {
	case CALL_SETUP:
		at = c->touched_ns + cs->limit.setup_timeout_ns;
		if (now >= at) {
			set_end(c, c->touched_ns);
			call_end_at_once(cs, c, "timeout", now);
			break;
		}
		release = call_next_release(c);
		call_set_timer(cs, c, release && release < at ? release : at);
		break;
	case CALL_ANSWERED:
		answered_timer(cs, c, now);
		break;
	case CALL_REJECTED:
		if (c->quiet_ns && now >= c->quiet_ns) {
			c->quiet_ns = 0;
			call_refresh_verdicts(cs, c);
		}
		/* fall through */
	case CALL_ENDING:
		/* the timer may have been set for an address that was released */
		if (now >= c->linger_ns)
			call_over(cs, c, now);
		else
			call_set_timer(cs, c, c->linger_ns);
		break;
	case CALL_TOMBSTONE:
		call_old_keep(cs, c);
		break;
	}
}

static void wheel_turn(struct calls *cs, uint64_t slot, uint64_t now)
{
	struct call *c = cs->wheel[slot % WHEEL_SLOTS];

	/* A timer may move or free its own call and, by a conversation, others (timer_unlink). */
	for (; c; c = cs->wheel_next) {
		cs->wheel_next = c->timer_next;
		if (c->timer_ns <= now)
			call_timer(cs, c, now);
	}
}

static void earlier(uint64_t *t, uint64_t by)
{
	if (*t)
		*t = *t > by ? *t - by : 1;
}

/*
 * The clock was set back. What a timer had left it still has: otherwise a call
 * that ended would linger, and be recorded, until the old time came again.
 */
static void rebase(struct calls *cs, uint64_t now)
{
	uint64_t by = cs->wheel_at * WHEEL_NS - now;
	size_t i;
	unsigned j;

	cs->wheel_at = now / WHEEL_NS;
	for (i = 0; i < cs->nslot; i++) {
		struct call *c = cs->slot[i];

		if (!c)
			continue;
		earlier(&c->touched_ns, by);
		earlier(&c->linger_ns, by);
		earlier(&c->quiet_ns, by);
		earlier(&c->overlong_ns, by);
		earlier(&c->divided_ns, by);
		earlier(&c->again_ns, by);
		call_decide_rebase(&c->decide, by);
		call_changed(cs, c); /* who goes on after a crash must not have the old times */
		group_rebase(c, by);
		for (j = 0; j < c->nep; j++)
			earlier(&c->ep[j].release_ns, by);
		if (!c->old)
			call_set_timer(cs, c, c->timer_ns > by ? c->timer_ns - by : 1);
	}
}

void calls_horizon(struct calls *cs, uint64_t ns)
{
	cs->horizon = ns;
}

void calls_tick(struct calls *cs, uint64_t now_ns)
{
	cs->now_ns = now_ns;
	if (now_ns / WHEEL_NS + STEP_SLOTS < cs->wheel_at)
		rebase(cs, now_ns);
	calls_advance(cs, now_ns);
}

void calls_advance(struct calls *cs, uint64_t now_ns)
{
	uint64_t to, n;

	if (now_ns > cs->horizon)
		now_ns = cs->horizon;
	to = now_ns / WHEEL_NS;
	if (to <= cs->wheel_at) /* same slot, or the clock went back: deadlines stay */
		return;
	n = to - cs->wheel_at;
	if (n > WHEEL_SLOTS) { /* a jump: one whole turn sees every timer */
		cs->wheel_at = to - WHEEL_SLOTS;
		n = WHEEL_SLOTS;
	}
	while (n--) {
		cs->wheel_at++;
		wheel_turn(cs, cs->wheel_at, now_ns);
	}
}

void calls_each(struct calls *cs, void (*cb)(void *arg, struct call *c), void *arg)
{
	size_t i;

	for (i = 0; i < cs->nslot; i++)
		if (cs->slot[i])
			cb(arg, cs->slot[i]);
}

bool calls_idle(const struct calls *cs)
{
	for (size_t i = 0; i < cs->nslot; i++)
		if (cs->slot[i] && cs->slot[i]->phase != CALL_TOMBSTONE)
			return false;
	return true;
}

void calls_end(struct calls *cs, struct call *c, const char *why, uint64_t now_ns)
{
	if (c->phase != CALL_TOMBSTONE)
		call_end_at_once(cs, c, why, now_ns);
}

void calls_finish(struct calls *cs, uint64_t now_ns)
{
	size_t i;

	for (i = 0; i < cs->nslot; i++) {
		struct call *c = cs->slot[i];

		if (!c)
			continue;
		if (c->phase != CALL_TOMBSTONE)
			call_end_at_once(cs, c, "capture-end", now_ns);
		call_forget(cs, c);
	}
}
