/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_save.c - a call in progress as bytes, for the daemon that comes after this one
 *
 * Only numbers, texts and hashes: pointers are written as what they mean (policy
 * by hash, rule by name, formats by their place in a list) and found again. The
 * bytes lie in memory that others could have written to, so nothing in them is
 * believed: a call that does not read to its last byte is not restored.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/line.h"
#include "call/call_internal.h"
#include "optag.h"

/* 2: decide.h; 3: samples; 4: objections; 5: addresses that are barred; 6: group.h, segments; 7: promised, added keys; 8: ptime, more
 * that was tightened, who said which header when; 9: silences, numbers of requests; 10: silences of both legs, party.h, told.h; 11: what a
 * consent is in doubt by; 12: when a digit came, the numbers of an agent's own INVITE */
#define VERSION	   12
#define WORD_MAX   48 /* of a reason: "optout.uncertain" */
#define WORDS_MAX  256
#define FORMATS    (2 * CALL_ENDPOINTS_MAX)

/* ---- small parts ---- */

static void put_str(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	buf_put_varint(b, n);
	buf_put(b, s, n);
}

/* Up to max - 1 bytes without a zero among them into out (max bytes). */
static bool get_str(struct rd *r, char *out, size_t max)
{
	uint64_t n = rd_varint(r);
	const uint8_t *p = n < max ? rd_bytes(r, (size_t)n) : NULL;

	if (!p || memchr(p, 0, (size_t)n)) {
		r->bad = true;
		return false;
	}
	if (n)
		memcpy(out, p, (size_t)n);
	out[n] = 0;
	return true;
}

/*
 * Ends and reasons are static texts in a call, and outlive it. The few dozen that
 * there are come from our own tables; more than fit are an error of whoever wrote
 * the bytes.
 */
static const char *word(struct rd *r)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char words[WORDS_MAX][WORD_MAX];
	static size_t n;
	char w[WORD_MAX];
	const char *ret = NULL;
	size_t i;

	if (!get_str(r, w, sizeof(w)))
		return "";
	if (w[strspn(w, "abcdefghijklmnopqrstuvwxyz0123456789.-")]) {
		r->bad = true;
		return "";
	}
	if (!*w)
		return "";
	pthread_mutex_lock(&lock);
	for (i = 0; i < n && !ret; i++)
		if (strcmp(words[i], w) == 0)
			ret = words[i];
	if (!ret && n < WORDS_MAX) {
		memcpy(words[n], w, sizeof(w));
		ret = words[n++];
	}
	pthread_mutex_unlock(&lock);
	if (!ret)
		r->bad = true;
	return ret ? ret : "";
}

static bool get_bool(struct rd *r)
{
	uint8_t v = rd_u8(r);

	if (v > 1)
		r->bad = true;
	return v == 1;
}

static uint8_t get_below(struct rd *r, uint8_t limit)
{
	uint8_t v = rd_u8(r);

	if (v >= limit) {
		r->bad = true;
		return 0;
	}
	return v;
}

/* ---- formats ---- */

struct formats {
	struct call_formats *f[FORMATS];
	unsigned n;
};

/* Its number in the list, from 1; 0 for none. */
static unsigned formats_number(struct formats *l, struct call_formats *f)
{
	unsigned i;

	if (!f)
		return 0;
	for (i = 0; i < l->n; i++)
		if (l->f[i] == f)
			return i + 1;
	l->f[l->n++] = f;
	return l->n;
}

static void put_formats(struct buf *b, const struct call_formats *f)
{
	unsigned i;

	buf_put8(b, f->te[0]);
	buf_put8(b, f->te[1]);
	buf_put8(b, f->ptime);
	buf_put_varint(b, f->n);
	for (i = 0; i < f->n; i++) {
		put_str(b, f->f[i].name);
		buf_put_varint(b, f->f[i].clock);
		buf_put8(b, f->f[i].channels);
		buf_put8(b, f->f[i].pt);
		put_str(b, f->f[i].fmtp);
	}
}

static struct call_formats *get_formats(struct rd *r)
{
	uint8_t te0 = rd_u8(r), te1 = rd_u8(r), ptime = rd_u8(r);
	uint64_t n = rd_varint(r);
	struct call_formats *f;
	unsigned i;

	if (r->bad || n > SDP_FORMATS_MAX) {
		r->bad = true;
		return NULL;
	}
	f = calloc(1, sizeof(*f) + (size_t)n * sizeof(f->f[0]));
	if (!f) {
		r->bad = true;
		return NULL;
	}
	f->te[0] = te0;
	f->te[1] = te1;
	f->ptime = ptime;
	f->n = (unsigned)n;
	for (i = 0; i < f->n; i++) {
		uint64_t clock;

		get_str(r, f->f[i].name, sizeof(f->f[i].name));
		clock = rd_varint(r);
		f->f[i].clock = (uint32_t)clock;
		f->f[i].channels = rd_u8(r);
		f->f[i].pt = get_below(r, 128);
		get_str(r, f->f[i].fmtp, sizeof(f->f[i].fmtp));
		if (clock > UINT32_MAX)
			r->bad = true;
	}
	return f;
}

/* ---- endpoints ---- */

static void put_endpoint(struct buf *b, const struct call_endpoint *e, struct formats *l)
{
	buf_put(b, e->at.addr.b, 16);
	buf_put_le16(b, e->at.port);
	buf_put8(b, e->side);
	buf_put8(b, e->leg);
	buf_put8(b, (uint8_t)(e->owner | e->srtp << 1 | e->in_force << 2 | e->lost_fork << 3 | e->offered_srtp << 4 |
			  e->barred << 5));
	buf_put_le64(b, e->line);
	buf_put_le64(b, e->origin);
	buf_put_le64(b, e->dialog);
	buf_put_le64(b, e->offer);
	buf_put_le64(b, e->release_ns);
	buf_put8(b, (uint8_t)formats_number(l, e->formats));
	buf_put8(b, (uint8_t)formats_number(l, e->offered));
}

static struct call_formats *formats_at(const struct formats *l, unsigned i)
{
	if (!i)
		return NULL;
	l->f[i - 1]->refs++;
	return l->f[i - 1];
}

static void get_endpoint(struct rd *r, struct call_endpoint *e, const struct formats *l)
{
	const uint8_t *addr = rd_bytes(r, 16);
	uint8_t flags;

	if (addr)
		memcpy(e->at.addr.b, addr, 16);
	e->at.port = rd_le16(r);
	e->side = get_below(r, OPTAG_LEG_MAX);
	e->leg = get_below(r, OPTAG_LEG_MAX);
	flags = get_below(r, 64);
	e->owner = flags & 1; /* not yet: see own */
	e->srtp = flags & 2;
	e->in_force = flags & 4;
	e->lost_fork = flags & 8;
	e->offered_srtp = flags & 16;
	e->barred = flags & 32;
	e->line = rd_le64(r);
	e->origin = rd_le64(r);
	e->dialog = rd_le64(r);
	e->offer = rd_le64(r);
	e->release_ns = rd_le64(r);
	e->formats = formats_at(l, get_below(r, (uint8_t)(l->n + 1)));
	e->offered = formats_at(l, get_below(r, (uint8_t)(l->n + 1)));
	e->used = true;
	if (!e->at.port || !e->formats || e->side == e->leg)
		r->bad = true;
}

static void put_endpoints(struct buf *b, const struct call *c)
{
	struct formats l = { .n = 0 };
	struct buf eps = { 0 };
	unsigned i, n = 0;

	for (i = 0; i < c->nep; i++) {
		if (!c->ep[i].used)
			continue;
		put_endpoint(&eps, &c->ep[i], &l);
		n++;
	}
	buf_put8(b, (uint8_t)l.n);
	for (i = 0; i < l.n; i++)
		put_formats(b, l.f[i]);
	buf_put8(b, (uint8_t)n);
	buf_put(b, eps.p, eps.len);
	b->failed |= eps.failed;
	buf_free(&eps);
}

static void get_endpoints(struct rd *r, struct call *c)
{
	unsigned nf = get_below(r, FORMATS + 1), i, n;
	struct formats l = { .n = 0 };

	for (i = 0; i < nf && !r->bad; i++) {
		struct call_formats *f = get_formats(r);

		if (f) {
			f->refs = 1;
			l.f[l.n++] = f;
		}
	}
	n = get_below(r, CALL_ENDPOINTS_MAX + 1);
	if (n && !r->bad) {
		c->ep = line_alloc(n * sizeof(*c->ep));
		if (!c->ep)
			r->bad = true;
		for (i = 0; i < n && !r->bad; i++) {
			c->nep = i + 1;
			get_endpoint(r, &c->ep[i], &l);
			c->ep[i].call = c;
		}
	}
	for (i = 0; i < l.n; i++)
		if (--l.f[i]->refs == 0)
			free(l.f[i]);
}

/* ---- the call ---- */

static void put_facts(struct buf *b, const struct call *c)
{
	int p;

	buf_put8(b, (uint8_t)(c->matched | c->never << 1));
	if (c->never)
		call_barred_put(c, b);
	if (!c->matched) {
		if (c->late)
			call_policy_save(c, b);
		return;
	}
	put_str(b, policy_hash(c->policy));
	put_str(b, c->rule->name);
	put_str(b, c->calling);
	put_str(b, c->called);
	put_str(b, c->agent);
	put_str(b, c->queue);
	for (p = 0; p < POLICY_PURPOSES; p++) {
		buf_put8(b, (uint8_t)c->state[p]);
		put_str(b, c->reason[p]);
	}
	call_policy_save(c, b);
	call_decide_save(&c->decide, b);
}

static void put_segments(struct buf *b, const struct call *c)
{
	buf_put_le16(b, c->segment);
	buf_put8(b, c->divided);
	buf_put_le64(b, c->divided_ns);
	buf_put_le64(b, c->again_ns);
	for (int i = 0; i < 2; i++) {
		buf_put_le64(b, c->spoke[i].dialog);
		buf_put_le32(b, c->spoke[i].cseq);
		buf_put8(b, c->spoke[i].rank);
		buf_put8(b, c->spoke[i].taken);
	}
	for (int i = 0; i < 2 * CALL_SENDERS; i++) {
		buf_put_le64(b, c->asked[i / CALL_SENDERS][i % CALL_SENDERS].sender);
		buf_put_le32(b, c->asked[i / CALL_SENDERS][i % CALL_SENDERS].cseq);
	}
	buf_put8(b, c->told.at);
	buf_put8(b, (uint8_t)call_told_count(&c->told));
	for (unsigned i = 0; i < call_told_count(&c->told); i++)
		buf_put_le64(b, c->told.hash[i]);
	buf_put_varint(b, c->nearlier);
	for (unsigned i = 0; i < c->nearlier; i++)
		buf_put(b, c->earlier[i].b, sizeof(c->earlier[i].b));
}

void call_save(const struct call *c, struct buf *out)
{
	unsigned i;

	buf_put8(out, VERSION);
	buf_put(out, c->uid.b, sizeof(c->uid.b));
	buf_put_le32(out, c->ring);
	buf_put8(out, (uint8_t)c->phase);
	buf_put8(out, (uint8_t)(c->partial | c->answered << 1 | c->hold << 2 | c->srtp << 3 | c->overlong << 4 |
				c->hold_by[0] << 5 | c->hold_by[1] << 6));
	buf_put8(out, (uint8_t)(c->voice_heard[0] | c->voice_heard[1] << 1));
	put_str(out, c->call_id);
	put_str(out, c->caller_tag);
	put_str(out, c->end);
	buf_put_le64(out, c->start_ns);
	buf_put_le64(out, c->answer_ns);
	buf_put_le64(out, c->end_ns);
	buf_put_varint(out, c->status);
	buf_put_varint(out, c->presses);
	buf_put_varint(out, c->endpoints_dropped);
	buf_put_le64(out, c->caller_alt);
	buf_put8(out, c->alt_own);
	for (i = 0; i < CALL_WAYS; i++)
		buf_put_le32(out, c->way[i]);
	buf_put8(out, (uint8_t)c->ndialog);
	for (i = 0; i < c->ndialog; i++) {
		buf_put_le64(out, c->dialog[i].tag);
		buf_put_le64(out, c->dialog[i].caller);
		buf_put8(out, (uint8_t)(c->dialog[i].gone | c->dialog[i].own << 1));
	}
	buf_put(out, c->invite_src.b, 16);
	buf_put_le32(out, c->invite_cseq);
	buf_put_le32(out, c->alt_cseq);
	for (i = 0; i < 2; i++) {
		buf_put_le64(out, c->hold_offer[i].offer);
		buf_put8(out, c->hold_offer[i].held);
	}
	buf_put_le64(out, c->linger_ns);
	buf_put_le64(out, c->quiet_ns);
	buf_put_le64(out, c->overlong_ns);
	buf_put_le64(out, c->touched_ns);
	buf_put_le64(out, c->media_count);
	buf_put_le64(out, c->timer_ns);
	buf_put8(out, c->old);
	buf_put_le64(out, c->who);
	buf_put8(out, (uint8_t)(c->late | c->media_known << 1 | c->refused << 2 | c->third << 3 | c->promised << 4 | c->listed << 5));
	buf_put8(out, c->lines[0]);
	buf_put8(out, c->lines[1]);
	put_segments(out, c);
	buf_put8(out, c->ntags);
	for (i = 0; i < c->ntags; i++)
		put_str(out, c->tag[i]);
	group_save(c, out);
	put_facts(out, c);
	put_endpoints(out, c);
}

static const struct policy_rule *rule_named(const struct policy *p, const char *name)
{
	size_t i;

	for (i = 0; i < policy_rules(p); i++)
		if (strcmp(policy_rule(p, i)->name, name) == 0)
			return policy_rule(p, i);
	return NULL;
}

static int get_facts(struct calls *cs, struct rd *r, struct call *c, const struct calls_restore *how)
{
	char hash[72], rule[256];
	uint8_t kind;
	int p;

	c->reason[0] = c->reason[1] = "";
	kind = get_below(r, 3);
	c->matched = kind == 1;
	c->never = kind == 2;
	if (c->never)
		call_barred_get(cs, c, r);
	if (!c->matched)
		return !c->late || call_policy_restore(r, c) ? 0 : -EBADMSG;
	get_str(r, hash, sizeof(hash));
	get_str(r, rule, sizeof(rule));
	get_str(r, c->calling, sizeof(c->calling));
	get_str(r, c->called, sizeof(c->called));
	get_str(r, c->agent, sizeof(c->agent));
	get_str(r, c->queue, sizeof(c->queue));
	for (p = 0; p < POLICY_PURPOSES; p++) {
		c->state[p] = (enum purpose_state)get_below(r, PURPOSE_STATES);
		c->reason[p] = word(r);
	}
	if (!call_policy_restore(r, c) || !call_decide_load(r, &c->decide) || r->bad)
		return -EBADMSG;
	c->policy = how->policy(how->arg, hash);
	c->rule = c->policy ? rule_named(c->policy, rule) : NULL;
	return c->rule ? 0 : -ENOENT;
}

static void get_head(struct rd *r, struct call *c, char id[CALL_ID_MAX + 1], char tag[CALL_ID_MAX + 1])
{
	const uint8_t *p;
	uint8_t flags;

	if (rd_u8(r) != VERSION)
		r->bad = true;
	p = rd_bytes(r, sizeof(c->uid.b));
	if (p)
		memcpy(c->uid.b, p, sizeof(c->uid.b));
	c->ring = rd_le32(r);
	c->phase = (enum call_phase)get_below(r, CALL_TOMBSTONE + 1);
	flags = rd_u8(r);
	c->partial = flags & 1;
	c->answered = flags & 2;
	c->hold = flags & 4;
	c->srtp = flags & 8;
	c->overlong = flags & 16;
	c->hold_by[0] = flags & 32;
	c->hold_by[1] = flags & 64;
	r->bad |= flags & 128;
	flags = rd_u8(r);
	c->voice_heard[0] = flags & 1;
	c->voice_heard[1] = flags & 2;
	r->bad |= flags > 3;
	get_str(r, id, CALL_ID_MAX + 1);
	get_str(r, tag, CALL_ID_MAX + 1);
	c->end = word(r);
	c->start_ns = rd_le64(r);
	c->answer_ns = rd_le64(r);
	c->end_ns = rd_le64(r);
	c->status = (unsigned)rd_varint(r);
	c->presses = (unsigned)rd_varint(r);
	c->endpoints_dropped = (unsigned)rd_varint(r);
}

static void get_uids(struct rd *r, struct call *c)
{
	uint64_t n = rd_varint(r);
	const uint8_t *p = n && n <= CALL_UIDS_MAX ? rd_bytes(r, (size_t)n * sizeof(c->earlier->b)) : NULL;
	size_t room = 1;

	if (!n)
		return;
	while (room < n)
		room *= 2;
	c->earlier = p ? calloc(room, sizeof(*c->earlier)) : NULL;
	if (!c->earlier) {
		r->bad = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		memcpy(c->earlier[i].b, p + i * sizeof(c->earlier->b), sizeof(c->earlier->b));
	c->nearlier = (uint16_t)n;
}

static void get_segments(struct rd *r, struct call *c)
{
	c->segment = rd_le16(r);
	c->divided = get_below(r, CALL_SEGMENTS_MAX + 1);
	c->divided_ns = rd_le64(r);
	c->again_ns = rd_le64(r);
	for (int i = 0; i < 2; i++) {
		c->spoke[i].dialog = rd_le64(r);
		c->spoke[i].cseq = rd_le32(r);
		c->spoke[i].rank = get_below(r, 3);
		c->spoke[i].taken = rd_u8(r);
	}
	for (int i = 0; i < 2 * CALL_SENDERS; i++) {
		c->asked[i / CALL_SENDERS][i % CALL_SENDERS].sender = rd_le64(r);
		c->asked[i / CALL_SENDERS][i % CALL_SENDERS].cseq = rd_le32(r);
	}
	c->told.at = get_below(r, CALL_TOLD);
	for (unsigned i = 0, n = get_below(r, CALL_TOLD + 1); i < n; i++)
		c->told.hash[i] = rd_le64(r);
	get_uids(r, c);
}

/* What makes it another segment, or may (segment.c). */
static void get_more(struct rd *r, struct call *c)
{
	uint8_t flags = get_below(r, 64);
	unsigned i, n;

	c->late = flags & 1;
	c->media_known = flags & 2;
	c->refused = flags & 4;
	c->third = flags & 8;
	c->promised = flags & 16;
	c->listed = flags & 32;
	c->lines[0] = rd_u8(r);
	c->lines[1] = rd_u8(r);
	get_segments(r, c);
	n = get_below(r, CALL_TAGS_MAX + 1);
	if (!n || r->bad)
		return;
	c->tag = calloc(CALL_TAGS_MAX, sizeof(*c->tag));
	if (!c->tag) {
		r->bad = true;
		return;
	}
	for (i = 0; i < n; i++)
		get_str(r, c->tag[i], sizeof(c->tag[i]));
	c->ntags = (uint8_t)n;
}

static void get_dialogs(struct rd *r, struct call *c)
{
	const uint8_t *p;
	unsigned i;

	c->caller_alt = rd_le64(r);
	c->alt_own = get_bool(r);
	for (i = 0; i < CALL_WAYS; i++)
		c->way[i] = rd_le32(r);
	c->ndialog = get_below(r, CALL_DIALOGS_MAX + 1);
	for (i = 0; i < c->ndialog; i++) {
		uint8_t flags;

		c->dialog[i].tag = rd_le64(r);
		c->dialog[i].caller = rd_le64(r);
		flags = get_below(r, 4);
		c->dialog[i].gone = flags & 1;
		c->dialog[i].own = flags & 2;
	}
	p = rd_bytes(r, 16);
	if (p)
		memcpy(c->invite_src.b, p, 16);
	c->invite_cseq = rd_le32(r);
	c->alt_cseq = rd_le32(r);
	for (i = 0; i < 2; i++) {
		c->hold_offer[i].offer = rd_le64(r);
		c->hold_offer[i].held = get_bool(r);
	}
	c->linger_ns = rd_le64(r);
	c->quiet_ns = rd_le64(r);
	c->overlong_ns = rd_le64(r);
	c->touched_ns = rd_le64(r);
	c->media_count = rd_le64(r);
	c->timer_ns = rd_le64(r);
	c->old = get_bool(r);
	c->who = rd_le64(r);
	get_more(r, c);
	if (!group_load(r, c))
		r->bad = true;
}

static void drop_call(struct calls *cs, struct call *c)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		c->ep[i].owner = false; /* nobody was told yet */
	call_free_endpoints(cs, c);
	call_facts_free(c->facts);
	free(c->tag);
	free(c->earlier);
	free(c->peers); /* its keys are in no table yet */
	free((char *)(uintptr_t)c->call_id);
	free(c->caller_tag);
	free(c);
}

/* What holds of every call (call_internal.h): with bytes of a real one it cannot fail. */
static bool plausible(const struct call *c)
{
	int p;

	if (c->nep && ((!c->matched && !c->late) || c->phase == CALL_TOMBSTONE))
		return false;
	if ((c->phase == CALL_REJECTED || c->phase == CALL_ENDING) && !*c->end)
		return false;
	if ((c->phase == CALL_ANSWERED && !c->answered) || (c->old && c->phase != CALL_TOMBSTONE))
		return false;
	if (c->end_ns && c->end_ns < (c->answered ? c->answer_ns : c->start_ns))
		return false;
	if (c->late && (c->matched || c->phase == CALL_TOMBSTONE))
		return false;
	for (p = 0; c->matched && p < POLICY_PURPOSES; p++)
		if (c->rule->purpose[p].basis == POLICY_B_NONE && c->state[p] != PURPOSE_NONE)
			return false;
	return true;
}

static int read_call(struct calls *cs, struct rd *r, const struct calls_restore *how, struct call *c)
{
	char id[CALL_ID_MAX + 1] = "", tag[CALL_ID_MAX + 1] = "";
	struct sip_str s;
	int rc;

	get_head(r, c, id, tag);
	get_dialogs(r, c);
	rc = get_facts(cs, r, c, how);
	if (rc)
		return rc;
	get_endpoints(r, c);
	if (r->bad || r->left || !*id || !plausible(c))
		return -EBADMSG;
	s = (struct sip_str){ id, strlen(id) };
	if (calls_has(cs, s, (struct sip_str){ tag, strlen(tag) }))
		return -EEXIST;
	c->call_id = strdup(id);
	c->caller_tag = strdup(tag);
	return c->call_id && c->caller_tag ? 0 : -ENOMEM;
}

int calls_restore(struct calls *cs, const struct calls_restore *how, const void *bytes, size_t n, struct call **ret)
{
	struct rd r = { .p = bytes, .left = n };
	struct call *c = line_alloc(sizeof(*c));
	bool old;
	int rc;

	if (!c)
		return -ENOMEM;
	rc = read_call(cs, &r, how, c);
	if (!rc)
		rc = calls_insert(cs, c);
	if (rc) {
		drop_call(cs, c);
		return rc;
	}
	cs->late += c->late;
	old = c->old;
	c->old = false;
	call_own_restored(cs, c);
	if (old)
		call_old_keep(cs, c);
	else
		call_set_timer(cs, c, c->timer_ns);
	*ret = c;
	return 0;
}

void calls_refresh(struct calls *cs, struct call *c)
{
	call_note(cs, c, CALL_T_RESTART, 0, 0, "");
	call_refresh_verdicts(cs, c);
}

void calls_lost_media(struct calls *cs, struct call *c)
{
	int p;

	if (!c->matched || c->phase == CALL_TOMBSTONE)
		return;
	call_note(cs, c, CALL_T_LOST, 0, 0, "");
	for (p = 0; p < POLICY_PURPOSES; p++)
		call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_LOSS);
}
