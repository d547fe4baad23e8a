/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_policy.c - a changed policy and the calls in progress, see call_policy.h
 */
#include "call/call_policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "call/call_internal.h"
#include "optag.h"

bool call_asked(const struct call *c, const struct policy *p, struct policy_input *ret)
{
	if (!c->facts)
		return false;
	call_facts_input(c->facts, p, ret, NULL);
	return true;
}

void call_keep_facts(struct call *c, const struct policy *p, const struct policy_input *in)
{
	struct call_facts *old = c->facts; /* in may point into them */

	c->facts = NULL;
	/* Without them the next change of policy finds no rule for the call: the strict side. */
	(void)call_facts_make(p, in, &c->facts);
	call_facts_free(old);
}

/* The keys that later policies added, one after the other. */
#define N_ADDED (2 * POLICY_KEYS_MAX + 2)

static char *added(struct call_tight *t, size_t i)
{
	return i < POLICY_KEYS_MAX     ? t->optout_key[i] :
	       i < 2 * POLICY_KEYS_MAX ? t->optout_agent_key[i - POLICY_KEYS_MAX] :
	       i == 2 * POLICY_KEYS_MAX ? t->pause_key :
					  t->resume_key;
}

static bool is_added(const char k[POLICY_KEY_MAX])
{
	size_t n = strnlen(k, POLICY_KEY_MAX);

	return n < POLICY_KEY_MAX && strspn(k, "0123456789*#ABCD") == n;
}

static bool load_added(struct rd *r, struct call_tight *t)
{
	for (size_t i = 0; i < N_ADDED; i++) {
		const uint8_t *b = rd_bytes(r, POLICY_KEY_MAX);

		if (!b || !is_added((const char *)b))
			return false;
		memcpy(added(t, i), b, POLICY_KEY_MAX);
	}
	return true;
}

static bool load_windows(struct rd *r, struct call_tight *t)
{
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		uint8_t flags = rd_u8(r);

		t->window[p] = flags & 1;
		t->no_reopen[p] = flags & 2;
		t->window_from_s[p] = (int16_t)rd_le16(r);
		t->window_to_s[p] = (int16_t)rd_le16(r);
		if (flags > 3)
			return false;
	}
	return !r->bad;
}

static bool load_header(struct rd *r, char to_name[CALL_TIGHT_TEXT], char to_value[CALL_TIGHT_TEXT])
{
	const uint8_t *name = rd_bytes(r, CALL_TIGHT_TEXT), *value = rd_bytes(r, CALL_TIGHT_TEXT);

	if (!name || !value || name[CALL_TIGHT_TEXT - 1] || value[CALL_TIGHT_TEXT - 1])
		return false;
	memcpy(to_name, name, CALL_TIGHT_TEXT);
	memcpy(to_value, value, CALL_TIGHT_TEXT);
	return true;
}

/* "name\0value\0" one after the other, then zeroes. */
bool call_tight_header(const char headers[CALL_TIGHT_HEADERS], size_t *at, const char **ret_name, const char **ret_value)
{
	const char *name = headers + *at, *value;

	if (*at >= CALL_TIGHT_HEADERS || !*name)
		return false;
	value = name + strlen(name) + 1;
	*at = (size_t)(value - headers) + strlen(value) + 1;
	*ret_name = name;
	*ret_value = value;
	return true;
}

static size_t headers_size(const char headers[CALL_TIGHT_HEADERS])
{
	const char *name, *value;
	size_t at = 0;

	while (call_tight_header(headers, &at, &name, &value))
		;
	return at;
}

/* False: no room. */
static bool add_header(char headers[CALL_TIGHT_HEADERS], const char *name, const char *value)
{
	size_t at = headers_size(headers), n = strlen(name) + 1, v = strlen(value) + 1;

	if (n > CALL_TIGHT_TEXT || v > CALL_TIGHT_TEXT || n + v > CALL_TIGHT_HEADERS - at)
		return false;
	memcpy(headers + at, name, n);
	memcpy(headers + at + n, value, v);
	return true;
}

static bool load_headers(struct rd *r, char headers[CALL_TIGHT_HEADERS])
{
	size_t n = rd_le16(r), at, len;
	const char *b = n && n <= CALL_TIGHT_HEADERS ? (const char *)rd_bytes(r, n) : NULL;
	unsigned texts = 0;

	for (at = 0; b && at < n; at += len + 1, texts++) {
		len = strnlen(b + at, n - at);
		if (len == n - at || len >= CALL_TIGHT_TEXT || (!len && !(texts & 1)))
			return false;
	}
	if (!b || texts & 1)
		return false;
	memcpy(headers, b, n);
	return true;
}

static bool load_keys_after(struct rd *r, struct call_tight *t)
{
	t->keys_after_s = rd_le16(r);
	return t->keys_after_s > 0 && t->keys_after_s <= POLICY_KEYS_AFTER_MAX_S;
}

/* Whether and how a pause comes and ends, and what is silenced. */
static void save_pauses(const struct call_tight *t, struct buf *out)
{
	size_t n = headers_size(t->pause_headers);

	buf_put8(out, (uint8_t)(t->mute | t->pause_limit << 1 | t->pause_stop << 2 | (n > 0) << 4));
	if (t->pause_limit)
		buf_put_le64(out, t->pause_max_ns);
	if (n) {
		buf_put_le16(out, (uint16_t)n);
		buf_put(out, t->pause_headers, n);
	}
}

static bool load_pauses(struct rd *r, struct call_tight *t)
{
	uint8_t flags = rd_u8(r);

	t->mute = flags & 1;
	t->pause_limit = flags & 2;
	t->pause_stop = flags & 4;
	if (t->pause_limit)
		t->pause_max_ns = rd_le64(r);
	return flags < 32 && !(flags & 8) && (!(flags & 16) || load_headers(r, t->pause_headers));
}

void call_policy_save(const struct call *c, struct buf *out)
{
	struct call_tight copy = c->tight, *t = &copy;
	bool keys = *t->optout_key[0] || *t->optout_agent_key[0] || *t->pause_key;
	bool windows = t->window[0] | t->window[1] | t->no_reopen[0] | t->no_reopen[1];
	int p;

	buf_put8(out, (uint8_t)(t->stopped[0] | t->stopped[1] << 1 | t->no_early_media << 2 | t->no_hold_music << 3 | keys << 4 |
				windows << 5 | !!*t->optout_header << 6 | (t->keys_after_s > 0) << 7));
	buf_put8(out, t->no_leg);
	for (p = 0; p < POLICY_PURPOSES; p++)
		buf_put_le64(out, t->until_ns[p]);
	buf_put_le64(out, t->min_length_ns);
	buf_put_le64(out, t->max_length_ns);
	for (size_t i = 0; keys && i < N_ADDED; i++)
		buf_put(out, added(t, i), POLICY_KEY_MAX);
	for (p = 0; windows && p < POLICY_PURPOSES; p++) {
		buf_put8(out, (uint8_t)(t->window[p] | t->no_reopen[p] << 1));
		buf_put_le16(out, (uint16_t)t->window_from_s[p]);
		buf_put_le16(out, (uint16_t)t->window_to_s[p]);
	}
	if (*t->optout_header) {
		buf_put(out, t->optout_header, CALL_TIGHT_TEXT);
		buf_put(out, t->optout_value, CALL_TIGHT_TEXT);
	}
	if (t->keys_after_s)
		buf_put_le16(out, t->keys_after_s);
	save_pauses(t, out);
	buf_put_varint(out, c->facts ? call_facts_size(c->facts) + 1 : 0);
	call_facts_save(c->facts, out);
}

bool call_policy_restore(struct rd *r, struct call *c)
{
	struct call_tight *t = &c->tight;
	uint8_t flags = rd_u8(r);
	const uint8_t *b;
	uint64_t n;
	int p;

	t->stopped[0] = flags & 1;
	t->stopped[1] = flags & 2;
	t->no_early_media = flags & 4;
	t->no_hold_music = flags & 8;
	t->no_leg = rd_u8(r);
	for (p = 0; p < POLICY_PURPOSES; p++)
		t->until_ns[p] = rd_le64(r);
	t->min_length_ns = rd_le64(r);
	t->max_length_ns = rd_le64(r);
	if ((flags & 16 && !load_added(r, t)) || (flags & 32 && !load_windows(r, t)) || (flags & 64 && !load_header(r, t->optout_header, t->optout_value)) ||
	    (flags & 128 && !load_keys_after(r, t)) || !load_pauses(r, t))
		return false;
	n = rd_varint(r);
	if (r->bad || t->no_leg >> OPTAG_LEG_MAX)
		return false;
	if (!n)
		return true;
	b = n <= CALL_FACTS_MAX ? rd_bytes(r, (size_t)(n - 1)) : NULL;
	return b && call_facts_load(b, (size_t)(n - 1), &c->facts) == 0;
}

/* ---- what is asked while the machine's clock is set ---- */

void call_ask_policy(const struct policy *p, struct policy_input *in, struct policy_decision *ret)
{
	int64_t by = clock_step_ns() / (int64_t)NS_PER_S;
	struct policy_decision other;

	policy_eval(p, in, ret);
	if (!by || ret->verdict == POLICY_NEVER)
		return;
	in->time += by;
	policy_eval(p, in, &other);
	in->time -= by;
	if (other.verdict != POLICY_MATCH)
		*ret = other;
	else if (ret->verdict == POLICY_MATCH && other.rule != ret->rule)
		ret->verdict = POLICY_NO_MATCH;
}

/* ---- what is taken away ---- */

#define DAY_NS (86400 * NS_PER_S)

static bool end_purpose(struct calls *cs, struct call *c, enum policy_purpose p);

static uint64_t span_ns(struct policy_span s)
{
	static const uint64_t seconds[] = { [POLICY_U_S] = 1,	      [POLICY_U_MIN] = 60,
					    [POLICY_U_H] = 3600,      [POLICY_U_DAYS] = 86400,
					    [POLICY_U_MONTHS] = 2678400, [POLICY_U_YEARS] = 31622400 };

	return (uint64_t)s.n * seconds[s.unit] * 1000000000ULL;
}

static bool deadline(const struct policy_rule *r, uint64_t from, struct policy_span s, uint64_t *ret)
{
	enum clock_unit u = s.unit == POLICY_U_MONTHS ? CLOCK_U_MONTHS : s.unit == POLICY_U_YEARS ? CLOCK_U_YEARS : CLOCK_U_DAYS;

	if (s.unit < POLICY_U_DAYS) {
		*ret = from + span_ns(s);
		return true;
	}
	return clock_add(from, r->controller->timezone, s.n, u, ret) == 0;
}

static bool same_deadline(const struct policy_rule *a, const struct policy_rule *b, struct policy_span x, struct policy_span y)
{
	return x.n == y.n && x.unit == y.unit && strcmp(a->controller->timezone, b->controller->timezone) == 0;
}

/* `then`, if that is earlier than what holds now. */
static bool not_after(struct call *c, int p, struct policy_span mine, uint64_t then)
{
	uint64_t now = c->tight.until_ns[p];

	if (!now && mine.n && !deadline(c->rule, c->start_ns, mine, &now))
		return false;
	if (now && then >= now)
		return false;
	c->tight.until_ns[p] = then;
	return true;
}

/* The earlier of what holds now and what r's span says. A date that cannot be worked out takes nothing. */
static bool shorten(struct call *c, int p, const struct policy_rule *r, struct policy_span mine, struct policy_span theirs)
{
	uint64_t from = clock_earlier_ns(c->start_ns), then;

	if (!theirs.n || same_deadline(c->rule, r, mine, theirs) || !deadline(r, from, theirs, &then))
		return false;
	return not_after(c, p, mine, then);
}

bool call_clock_back(struct calls *cs, struct call *c)
{
	uint64_t from = clock_earlier_ns(c->start_ns), least = clock_now_ns() + DAY_NS, then;
	bool changed = false;

	if (!c->matched || !c->rule)
		return false;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		const struct policy_block *b = &c->rule->purpose[p];

		if (b->basis != POLICY_B_NONE && deadline(c->rule, from, b->retention, &then) && then > least)
			changed |= not_after(c, p, b->retention, then);
	}
	if (changed && cs->sink.tightened)
		cs->sink.tightened(cs->sink.arg, c);
	return changed;
}

void call_quarantine(struct calls *cs, struct call *c)
{
	if (!shorten(c, POLICY_DOCUMENTATION, c->rule, c->rule->purpose[POLICY_DOCUMENTATION].retention, c->rule->quarantine))
		return;
	call_changed(cs, c);
	if (cs->sink.tightened)
		cs->sink.tightened(cs->sink.arg, c);
}

static bool unproven(const struct call *c, int p)
{
	return p == POLICY_DOCUMENTATION && strcmp(c->reason[p], "notice.missing") == 0;
}

static bool tighten_time(struct calls *cs, struct call *c, const struct policy_rule *r)
{
	static const struct policy_span none;
	uint64_t max = span_ns(r->max_length), min = span_ns(r->min_length);
	bool changed = false;
	int p;

	for (p = 0; p < POLICY_PURPOSES; p++) {
		if (c->rule->purpose[p].basis == POLICY_B_NONE || r->purpose[p].basis == POLICY_B_NONE)
			continue;
		changed |= shorten(c, p, r, c->rule->purpose[p].retention, r->purpose[p].retention);
		if (unproven(c, p) && r->on_missing_notice == POLICY_MISSING_QUARANTINE)
			changed |= shorten(c, p, r, c->rule->on_missing_notice == POLICY_MISSING_QUARANTINE ? c->rule->quarantine : none,
					   r->quarantine);
	}
	if (min > span_ns(c->rule->min_length) && min > c->tight.min_length_ns) {
		c->tight.min_length_ns = min;
		changed = true;
	}
	if (max && (!c->rule->max_length.n || max < span_ns(c->rule->max_length)) &&
	    (!c->tight.max_length_ns || max < c->tight.max_length_ns)) {
		c->tight.max_length_ns = max;
		changed = true;
		if (c->phase == CALL_ANSWERED && (!c->overlong_ns || c->answer_ns + max < c->overlong_ns)) {
			c->overlong_ns = c->answer_ns + max;
			if (c->overlong_ns < c->timer_ns)
				call_set_timer(cs, c, c->overlong_ns);
		}
	}
	return changed;
}

static bool take(bool *flag, bool when)
{
	if (*flag || !when)
		return false;
	*flag = true;
	return true;
}

static bool tighten_sound(struct call *c, const struct policy_rule *r)
{
	unsigned own = r->side == POLICY_SIDE_CALLED ? OPTAG_LEG_CALLEE : OPTAG_LEG_CALLER;
	unsigned other = own == OPTAG_LEG_CALLEE ? OPTAG_LEG_CALLER : OPTAG_LEG_CALLEE;
	uint8_t leg = r->exclude_leg < 0 || r->exclude_leg == c->rule->exclude_leg ? 0 :
										     (uint8_t)(1u << (r->exclude_leg == 1 ? own : other));
	bool changed = take(&c->tight.no_early_media, c->rule->record_early_media && !r->record_early_media);

	changed |= take(&c->tight.no_hold_music, c->rule->record_hold_music && !r->record_hold_music);
	if (leg & ~c->tight.no_leg) {
		c->tight.no_leg |= leg;
		changed = true;
	}
	return changed;
}

static bool among(const char keys[POLICY_KEYS_MAX][POLICY_KEY_MAX], const char *key)
{
	for (int i = 0; i < POLICY_KEYS_MAX; i++)
		if (!strcmp(keys[i], key))
			return true;
	return false;
}

/* Those that are new join what was added before; a key is never taken away. */
static bool add_keys(char to[POLICY_KEYS_MAX][POLICY_KEY_MAX], const char has[POLICY_KEYS_MAX][POLICY_KEY_MAX],
		     const char with[POLICY_KEYS_MAX][POLICY_KEY_MAX])
{
	bool changed = false;
	int i, k;

	for (i = 0; i < POLICY_KEYS_MAX; i++) {
		if (!*with[i] || among(has, with[i]) || among((const char(*)[POLICY_KEY_MAX])to, with[i]))
			continue;
		for (k = 0; k < POLICY_KEYS_MAX && *to[k]; k++)
			;
		if (k == POLICY_KEYS_MAX)
			break;
		memcpy(to[k], with[i], POLICY_KEY_MAX);
		changed = true;
	}
	return changed;
}

/* Ways out of training, and into a pause, work at once (policy-language 5.2); who was told of others has those, too. */
static bool tighten_keys(struct call *c, const struct policy_rule *r)
{
	const struct policy_block *mine = &c->rule->purpose[POLICY_TRAINING], *theirs = &r->purpose[POLICY_TRAINING];
	struct call_tight *t = &c->tight;
	bool changed = false;

	if (mine->basis == POLICY_B_INTEREST && theirs->basis == POLICY_B_INTEREST && !mine->special) {
		changed |= add_keys(t->optout_key, mine->optout_key, theirs->optout_key);
		changed |= add_keys(t->optout_agent_key, mine->optout_agent_key, theirs->optout_agent_key);
	}
	if (*r->pause_key && strcmp(r->pause_key, c->rule->pause_key) != 0 && strcmp(r->pause_key, t->pause_key) != 0) {
		memcpy(t->pause_key, r->pause_key, sizeof(t->pause_key));
		/* where nobody could end a pause nobody can now */
		if (!*c->rule->pause_key || *c->rule->resume_key)
			memcpy(t->resume_key, r->resume_key, sizeof(t->resume_key));
		changed = true;
	}
	return changed;
}

/* Seconds fit: 120 at most (L-24), a later policy's as well as this one's. */
static bool tighten_window(struct calls *cs, struct call *c, int p, const struct policy_rule *r)
{
	const struct policy_block *mine = &c->rule->purpose[p], *theirs = &r->purpose[p];
	const struct policy_window *w = &theirs->window;
	struct call_tight *t = &c->tight;
	bool consent = mine->basis == POLICY_B_CONSENT;
	int from = t->window[p] ? t->window_from_s[p] : mine->window.from_s;
	int to = t->window[p] ? t->window_to_s[p] : mine->window.to_s;
	int from_was = from, to_was = to;
	bool changed;

	if (!mine->window.set || !w->set || mine->basis != theirs->basis || mine->window.from_answer != w->from_answer)
		return false;
	changed = consent && take(&t->no_reopen[p], mine->window.reopen_agent && !w->reopen_agent);
	if (consent && w->from_s > from)
		from = w->from_s;
	if (consent ? w->to_s < to : w->to_s > to)
		to = w->to_s;
	if (from != from_was || to != to_was) {
		t->window[p] = changed = true;
		t->window_from_s[p] = (int16_t)from;
		t->window_to_s[p] = (int16_t)to;
	}
	if (changed)
		call_window_moves(cs, c, p, to - to_was, cs->now_ns);
	return changed;
}

/* By a later policy the purposes are spoken later in the announcement that was heard, or may be. */
static bool tighten_keys_after(struct calls *cs, struct call *c, const struct policy_rule *r)
{
	const struct call_decide *d = &c->decide;
	struct call_tight *t = &c->tight;
	int s = t->keys_after_s;

	for (size_t i = 0; i < c->rule->nnotice; i++) {
		const struct policy_notice *mine = &c->rule->notice[i];

		if (d->notice == CALL_NOTICE_PROVEN && d->notice_which && d->notice_which != i + 1)
			continue;
		for (size_t k = 0; k < r->nnotice; k++)
			if (!strcmp(mine->name, r->notice[k].name) && r->notice[k].keys_after_s > mine->keys_after_s && r->notice[k].keys_after_s > s)
				s = r->notice[k].keys_after_s;
	}
	if (s == t->keys_after_s)
		return false;
	t->keys_after_s = (uint16_t)s;
	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (c->rule->purpose[p].basis == POLICY_B_CONSENT)
			call_window_moves(cs, c, p, 0, cs->now_ns);
	return true;
}

static bool same_text(const char *a, const char *b)
{
	return !a || !b ? a == b : !strcasecmp(a, b);
}

/* A cap of theirs that no cap of mine is as low as. */
static bool lower_caps(const struct policy_block *mine, const struct policy_block *theirs)
{
	for (int i = 0; i < theirs->ncap; i++) {
		const struct policy_cap *t = &theirs->cap[i];
		bool lower = true;

		for (int k = 0; k < mine->ncap; k++)
			lower &= mine->cap[k].per != t->per || mine->cap[k].of != t->of || mine->cap[k].n > t->n;
		if (lower)
			return true;
	}
	return false;
}

/* Less is recorded for training: what is granted was within the amount of its time, what is not is drawn again (policy-language 5.2). */
static bool tighten_amount(struct calls *cs, struct call *c, const struct policy_rule *r)
{
	const struct policy_block *mine = &c->rule->purpose[POLICY_TRAINING], *theirs = &r->purpose[POLICY_TRAINING];
	uint64_t amount[1 + POLICY_CAPS_MAX * 3] = { (uint64_t)theirs->sample_permille }, h;
	const char *out;

	if (c->state[POLICY_TRAINING] != PURPOSE_PENDING || !c->decide.sample_slot || theirs->basis == POLICY_B_NONE ||
	    theirs->sample_permille < 0 || group_granted(c))
		return false;
	if (theirs->sample_permille >= mine->sample_permille && !lower_caps(mine, theirs))
		return false;
	for (int i = 0; i < theirs->ncap; i++) {
		amount[1 + i * 3] = (uint64_t)theirs->cap[i].n;
		amount[2 + i * 3] = theirs->cap[i].per;
		amount[3 + i * 3] = theirs->cap[i].of;
	}
	h = hash_bytes(amount, sizeof(amount)) | 1;
	if (h == c->tight.amount) /* once: whoever draws until it fits has no sample */
		return false;
	c->tight.amount = h;
	out = cs->sink.redraw ? cs->sink.redraw(cs->sink.arg, c, r) : "sampling.unavailable";
	if (out)
		call_redrawn_out(cs, c, out);
	return true;
}

/* A header by which the agent's telephone tells that somebody opts out. What cannot be kept is a way that does not exist (R-41b). */
static bool tighten_header(struct calls *cs, struct call *c, const struct policy_rule *r)
{
	const struct policy_block *mine = &c->rule->purpose[POLICY_TRAINING], *theirs = &r->purpose[POLICY_TRAINING];
	struct call_tight *t = &c->tight;
	const char *value = theirs->optout_value ? theirs->optout_value : "";

	if (!theirs->optout_header || mine->basis != POLICY_B_INTEREST || theirs->basis != POLICY_B_INTEREST || mine->special ||
	    (same_text(mine->optout_header, theirs->optout_header) && same_text(mine->optout_value, theirs->optout_value)) ||
	    (same_text(t->optout_header, theirs->optout_header) && same_text(t->optout_value, value)))
		return false;
	/* one at a time: with a second one it cannot be told any more which of them holds */
	if (*t->optout_header || strlen(theirs->optout_header) >= CALL_TIGHT_TEXT || strlen(value) >= CALL_TIGHT_TEXT)
		return end_purpose(cs, c, POLICY_TRAINING);
	memset(t->optout_header, 0, sizeof(t->optout_header));
	memcpy(t->optout_header, theirs->optout_header, strlen(theirs->optout_header));
	memcpy(t->optout_value, value, strlen(value));
	return true;
}

static uint64_t shorter_of(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a; /* 0: never */
}

static uint64_t longer_of(uint64_t a, uint64_t b)
{
	return !a || !b ? 0 : a > b ? a : b;
}

/* A pause that ends by itself may last longer; one that ends the recording does so sooner, and no recording goes on by itself where a
 * later policy lets none. A pause under way, too. */
static bool tighten_pause_end(struct calls *cs, struct call *c, const struct policy_rule *r)
{
	bool stop = decide_pause_stops(c), now_stop = stop || r->pause_stop;
	uint64_t max = decide_pause_max(c), theirs = span_ns(r->pause_max), now_max = max;

	if (r->pause_stop)
		now_max = shorter_of(max, theirs);
	else if (!stop)
		now_max = longer_of(max, theirs);
	if (now_stop == stop && now_max == max)
		return false;
	c->tight.pause_limit = true;
	c->tight.pause_stop = now_stop;
	c->tight.pause_max_ns = now_max;
	decide_pause_end_moves(cs, c, max, now_max);
	return true;
}

static bool has_header(const char headers[CALL_TIGHT_HEADERS], const char *name, const char *value)
{
	const char *n, *v;

	for (size_t at = 0; call_tight_header(headers, &at, &n, &v);)
		if (!strcasecmp(n, name) && !strcasecmp(v, value))
			return true;
	return false;
}

/* Each header is one more way to pause. One that cannot be kept would be a way that does not exist, and a recording that nobody can
 * pause by a way that its rule names has no basis (N-05). */
static bool tighten_pause(struct calls *cs, struct call *c, const struct policy_rule *r)
{
	struct call_tight *t = &c->tight;
	const char *value = r->pause_value ? r->pause_value : "";
	bool changed = tighten_pause_end(cs, c, r);

	changed |= take(&t->mute, r->mute_dtmf && !c->rule->mute_dtmf);
	if (!r->pause_header ||
	    (same_text(c->rule->pause_header, r->pause_header) && same_text(c->rule->pause_value, r->pause_value)) ||
	    has_header(t->pause_headers, r->pause_header, value))
		return changed;
	if (add_header(t->pause_headers, r->pause_header, value))
		return true;
	for (int p = 0; p < POLICY_PURPOSES; p++)
		changed |= end_purpose(cs, c, (enum policy_purpose)p);
	return changed;
}

static bool over(enum purpose_state s)
{
	return s == PURPOSE_DENIED || s == PURPOSE_WITHDRAWN || s == PURPOSE_OPTED_OUT || s == PURPOSE_EXPIRED;
}

/* The purpose ends here. Documentation that was recorded stays what it is, and no more is. */
static bool end_purpose(struct calls *cs, struct call *c, enum policy_purpose p)
{
	bool begun = c->answered || (c->rule->record_early_media && !c->tight.no_early_media);

	if (c->rule->purpose[p].basis == POLICY_B_NONE || c->tight.stopped[p])
		return false;
	c->tight.stopped[p] = true;
	/* also of what is denied: nobody gives it back, not after a crash either, and nobody listens for it */
	call_changed(cs, c);
	call_refresh_verdicts(cs, c);
	if (over(c->state[p]))
		return false;
	if (p == POLICY_DOCUMENTATION && begun && c->state[p] != PURPOSE_PENDING) {
		if (c->state[p] == PURPOSE_GRANTED && !*c->reason[p])
			c->reason[p] = "policy.tightened";
	} else {
		call_event(cs, c, p, PURPOSE_E_TIGHTENED);
	}
	return true;
}

/* ---- who decides now ---- */

bool call_rule_stopped(const struct calls *cs, const struct policy_rule *r)
{
	return cs->sink.stopped && cs->sink.stopped(cs->sink.arg, r);
}

/* NULL: nobody records this call any more. *ret_listed: only what a statute demands of it. */
static const struct policy_rule *rule_now(const struct calls *cs, const struct call *c, const struct policy *p, struct calls_tightened *sum,
					  bool *ret_listed)
{
	struct policy_decision d;
	struct policy_input in;
	struct call_later later;

	*ret_listed = false;
	if (call_rule_stopped(cs, c->rule))
		return NULL;
	if (!c->facts) {
		sum->no_facts++;
		return NULL;
	}
	if (!p)
		return NULL;
	call_facts_input(c->facts, p, &in, NULL);
	call_later_input(c, &later, &in);
	policy_eval(p, &in, &d);
	if (d.verdict != POLICY_MATCH || call_rule_stopped(cs, d.rule))
		return NULL;
	/* another party's rule is no rule for a call that was announced as this party's */
	if (strcmp(d.rule->controller->name, c->rule->controller->name) != 0 || d.rule->side != c->rule->side)
		return NULL;
	*ret_listed = d.listed;
	return d.rule;
}

void call_tighten(struct calls *cs, struct call *c, const struct policy *p, struct calls_tightened *sum)
{
	const struct policy_rule *r;
	bool changed = false, listed;
	unsigned ended = 0;
	int i;

	if (!c->matched || c->phase == CALL_TOMBSTONE)
		return;
	sum->seen++;
	r = rule_now(cs, c, p, sum, &listed);
	if (r) {
		changed |= tighten_sound(c, r);
		changed |= tighten_keys(c, r);
		changed |= tighten_window(cs, c, POLICY_DOCUMENTATION, r);
		changed |= tighten_window(cs, c, POLICY_TRAINING, r);
		changed |= tighten_keys_after(cs, c, r);
		changed |= tighten_header(cs, c, r);
		changed |= tighten_pause(cs, c, r);
		changed |= tighten_amount(cs, c, r);
	}
	for (i = 0; i < POLICY_PURPOSES; i++)
		if (!r || r->purpose[i].basis == POLICY_B_NONE ||
		    (listed && c->rule->purpose[i].basis != POLICY_B_OBLIGATION) || (r->needs_pause && !c->rule->needs_pause) ||
		    (unproven(c, i) && r->on_missing_notice == POLICY_MISSING_DISCARD))
			ended += end_purpose(cs, c, (enum policy_purpose)i);
	if (r)
		changed |= tighten_time(cs, c, r);
	if (listed && c->state[POLICY_DOCUMENTATION] == PURPOSE_GRANTED && !*c->reason[POLICY_DOCUMENTATION]) {
		c->reason[POLICY_DOCUMENTATION] = "optout.statute";
		changed = true;
	}
	if (!changed && !ended)
		return;
	call_note(cs, c, CALL_T_POLICY, 0, 0, "");
	sum->changed++;
	sum->denied += ended;
	call_changed(cs, c);
	call_refresh_verdicts(cs, c);
	if (cs->sink.tightened)
		cs->sink.tightened(cs->sink.arg, c);
}

bool call_tighten_parked(struct calls *cs, struct call *ghost, const struct policy *p)
{
	struct calls_tightened sum = { 0 };
	bool listed;
	const struct policy_rule *r = rule_now(cs, ghost, p, &sum, &listed);

	if (r && tighten_time(cs, ghost, r) && cs->sink.tightened)
		cs->sink.tightened(cs->sink.arg, ghost);
	return r && !listed && r->purpose[POLICY_TRAINING].basis != POLICY_B_NONE && (!r->needs_pause || ghost->rule->needs_pause);
}

/* ---- all of them ---- */

void calls_tighten_start(struct calls *cs)
{
	cs->tighten_at = 0;
}

bool calls_tighten_step(struct calls *cs, const struct policy *p, size_t slots, struct calls_tightened *sum)
{
	/* Slots that are added meanwhile hold calls that began under the new policy. */
	for (; slots && cs->tighten_at < cs->nslot; slots--) {
		struct call *c = cs->slot[cs->tighten_at++];

		if (c)
			call_tighten(cs, c, p, sum);
	}
	return cs->tighten_at < cs->nslot;
}

size_t calls_pinned(const struct calls *cs, const struct policy *p)
{
	size_t i, n = 0;

	for (i = 0; i < cs->nslot; i++)
		n += cs->slot[i] && cs->slot[i]->policy == p;
	return n;
}
