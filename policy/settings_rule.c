/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings_rule.c - settings of a rule whose form the table cannot describe:
 * what it matches, notice, sensitive data, roles
 */
#include <errno.h>
#include <string.h>

#include "parse.h"

/* ---- rule: what it matches ---- */

int parse_r_controller(struct parser *ps, void *obj)
{
	static const char *const sides[] = {"called", "calling", NULL};
	struct rule *r = obj;
	struct token t;
	int v, err = one_name(ps, "the name of a controller", &r->controller);

	if (err)
		return err;
	t = peek(ps);
	if (!accept_word(ps, "side")) {
		diag_add(ps->p, t.at, "L-03", "RX-1: the other leg is the data subject.",
			 "write side called, or side calling.",
			 "the rule does not say which side is the controller's own.");
		return refuse(ps);
	}
	err = get_enum(ps, "side", sides, &v);
	if (!err)
		r->pub.side = (enum policy_side)v;
	return err;
}

int parse_r_called(struct parser *ps, void *obj)
{
	return get_numbers(ps, &((struct rule *)obj)->called, false);
}

int parse_r_calling(struct parser *ps, void *obj)
{
	return get_numbers(ps, &((struct rule *)obj)->calling, true);
}

static int header_crit(struct parser *ps, struct rule *r, int which)
{
	struct header_crit *h = list_item(ps, sizeof(*h));
	struct token t;
	int err = 0;

	if (!h)
		return -ENOMEM;
	h->which = which;
	h->at = ps->kw;
	if (which == H_HEADER)
		err = get_header_name(ps, &h->name);
	if (err)
		return err;
	t = peek(ps);
	if (accept_tok(ps, T_EQ)) {
		h->op = OP_EQ;
		err = one_name(ps, "a value", &h->value);
	} else if (accept_word(ps, "prefix")) {
		h->op = OP_PREFIX;
		err = one_name(ps, "a value", &h->value);
	} else if (accept_word(ps, "one-of")) {
		h->op = OP_ONE_OF;
		err = get_set(ps, &h->value);
	} else if (accept_word(ps, "present")) {
		h->op = OP_PRESENT;
	} else {
		return expected(ps, &t, "= VALUE, prefix VALUE, one-of @SET, or present");
	}
	if (!err)
		LIST_APPEND(r->headers, h);
	return err;
}

int parse_r_header(struct parser *ps, void *obj)
{
	return header_crit(ps, obj, H_HEADER);
}

int parse_r_queue(struct parser *ps, void *obj)
{
	return header_crit(ps, obj, H_QUEUE);
}

int parse_r_agent(struct parser *ps, void *obj)
{
	return header_crit(ps, obj, H_AGENT);
}

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

static int day_of(const char *s, size_t n)
{
	for (int i = 0; i < 7; i++)
		if (n == 3 && !memcmp(s, day_names[i], 3))
			return i;
	return -1;
}

/* "mon", "mon-fri", "sat-mon" as bits; 0: none of these. */
static unsigned days_of(const struct token *t)
{
	int a, b;
	unsigned bits = 0;

	if (t->type != T_WORD || (t->n != 3 && (t->n != 7 || t->s[3] != '-')))
		return 0;
	a = day_of(t->s, 3);
	b = t->n == 7 ? day_of(t->s + 4, 3) : a;
	if (a < 0 || b < 0)
		return 0;
	for (int d = a;; d = (d + 1) % 7) {
		bits |= 1u << d;
		if (d == b)
			return bits;
	}
}

static int clock_of(const char *s)
{
	for (int i = 0; i < 5; i++)
		if (i == 2 ? s[i] != ':' : s[i] < '0' || s[i] > '9')
			return -1;
	int h = (s[0] - '0') * 10 + s[1] - '0', m = (s[3] - '0') * 10 + s[4] - '0';

	return m > 59 || h * 60 + m > 1440 ? -1 : h * 60 + m;
}

static int time_item(struct parser *ps, struct time_item *i)
{
	struct token t = peek(ps);
	bool any = false;

	i->at = t.at;
	i->days = days_of(&t);
	if (i->days) {
		next(ps);
		any = true;
	} else {
		i->days = 0x7f;
	}
	i->from = 0;
	i->to = 1440;
	t = peek(ps);
	if (t.type == T_WORD && t.n == 11 && t.s[5] == '-' && clock_of(t.s) >= 0 &&
	    clock_of(t.s + 6) >= 0) {
		i->from = clock_of(t.s);
		i->to = clock_of(t.s + 6);
		if (i->to == i->from || i->from == 1440) {
			diag_add(ps->p, t.at, "L-10", NULL,
				 "for the whole day write the days alone.",
				 "this time range is empty.");
			return refuse(ps);
		}
		if (i->to < i->from)
			i->to += 1440;
		next(ps);
		any = true;
	} else if (t.type == T_WORD && t.n && t.s[0] >= '0' && t.s[0] <= '9') {
		diag_add(ps->p, t.at, "L-10", NULL, NULL,
			 "this is no time range of the form 08:00-16:30.");
		return refuse(ps);
	}
	return any ? 0 : expected(ps, &t, "days (mon-fri), a range (08:00-16:00), or @HOLIDAYS");
}

int parse_r_time(struct parser *ps, void *obj)
{
	struct rule *r = obj;
	int err;

	do {
		struct time_item *i = list_item(ps, sizeof(*i));
		struct token t = peek(ps);

		if (!i)
			return -ENOMEM;
		if (t.type == T_WORD && t.s[0] == '@') {
			i->at = t.at;
			err = get_set(ps, &i->holidays);
		} else {
			err = time_item(ps, i);
		}
		if (err)
			return err;
		LIST_APPEND(r->time, i);
	} while (accept_comma(ps));
	return accept_word(ps, "except") ? get_set(ps, &r->time_except) : 0;
}

/* `media codec PCMA PCMU`, `media encrypted no` */
int parse_r_media(struct parser *ps, void *obj)
{
	struct rule *r = obj;
	struct token t = peek(ps);

	if (accept_word(ps, "codec")) {
		if (r->codecs)
			return said_twice(ps, "media codec");
		return get_words(ps, "a codec's name", &r->codecs);
	}
	if (accept_word(ps, "encrypted")) {
		static const char *const words[] = {"", "no", "yes", NULL};

		if (r->encrypted)
			return said_twice(ps, "media encrypted");
		return get_enum(ps, "value", words, &r->encrypted);
	}
	return expected(ps, &t, "codec NAME..., or encrypted yes|no");
}

/* ---- rule: the rest ---- */

int parse_r_proof(struct parser *ps, void *obj)
{
	struct rule *r = obj;
	int v, err = get_enum(ps, "proof", proof_names, &v);

	if (err)
		return err;
	r->pub.proof = (enum policy_proof)v;
	if (v == POLICY_PROOF_HEADER)
		return get_header_value(ps, true, &r->pub.proof_header, &r->pub.proof_value);
	return 0;
}

int parse_r_on_missing(struct parser *ps, void *obj)
{
	struct rule *r = obj;
	struct token t;
	int v, err = get_enum(ps, "reaction", missing_names, &v);

	if (err)
		return err;
	r->pub.on_missing_notice = (enum policy_missing)v;
	t = peek(ps);
	if (v == POLICY_MISSING_QUARANTINE && t.type == T_WORD && t.s[0] >= '0' && t.s[0] <= '9')
		return get_span(ps, "L-01", &r->pub.quarantine);
	return 0;
}

int parse_r_sms(struct parser *ps, void *obj)
{
	struct rule *r = obj;
	int err = get_name(ps, "the name of a template", &r->sms, NULL);

	if (err || !accept_word(ps, "timeout"))
		return err;
	err = get_span(ps, "L-01", &r->sms_timeout);
	if (err || r->sms_timeout.n)
		return err;
	diag_add(ps->p, ps->kw, "L-01", NULL, "sms NAME timeout 5 min", "'sms' has no time at all.");
	return refuse(ps);
}

static int purpose_block(struct parser *ps, struct rule *r, int purpose)
{
	struct block *b = &r->block[purpose];
	bool bad = false;
	int err;

	b->pos = ps->kw;
	err = expect_open(ps);
	if (err)
		return err;
	err = parse_body(ps, &block_table, b, ps->allowed, &bad);
	if (bad)
		r->o.bad = true;
	return err;
}

int parse_r_documentation(struct parser *ps, void *obj)
{
	return purpose_block(ps, obj, POLICY_DOCUMENTATION);
}

int parse_r_training(struct parser *ps, void *obj)
{
	return purpose_block(ps, obj, POLICY_TRAINING);
}

static int sensitive_basis(struct parser *ps, struct sensitive *s)
{
	int v, err;
	struct token t = peek(ps);

	if (!accept_word(ps, "basis"))
		return expected(ps, &t, "basis \"...\"");
	if (peek(ps).type == T_STRING) {
		if (s->basis)
			return said_twice(ps, "the basis");
		return get_string(ps, "the basis", &s->basis);
	}
	err = get_enum(ps, "purpose", purpose_names, &v);
	if (err)
		return err;
	if (s->purpose_basis[v])
		return said_twice(ps, "the basis of this purpose");
	return get_string(ps, "the basis", &s->purpose_basis[v]);
}

int parse_r_sensitive(struct parser *ps, void *obj)
{
	struct rule *r = obj;
	struct sensitive *s = list_item(ps, sizeof(*s));
	struct token t;
	int v, err = get_enum(ps, "category", category_names, &v);

	if (!s)
		return -ENOMEM;
	if (err)
		return err;
	for (struct sensitive *o = r->sensitive; o; o = o->next)
		if (!strcmp(o->category, category_names[v]))
			return said_twice(ps, "this category");
	s->category = category_names[v];
	s->at = ps->kw;
	LIST_APPEND(r->sensitive, s);
	t = peek(ps);
	if (is_word(&t, "basis"))
		return sensitive_basis(ps, s);
	if (t.type != T_OPEN)
		return 0;
	next(ps);
	for (;;) {
		while (accept_tok(ps, T_NL) || accept_tok(ps, T_SEMI))
			;
		if (accept_tok(ps, T_CLOSE))
			return 0;
		err = sensitive_basis(ps, s);
		if (err)
			break;
	}
	/* Leave nothing of the inner block for the rule's statements to trip over. */
	for (t = peek(ps); t.type != T_CLOSE && t.type != T_EOF; t = peek(ps))
		next(ps);
	if (t.type == T_CLOSE)
		next(ps);
	return err;
}

int parse_r_pause(struct parser *ps, void *obj)
{
	struct rule *r = obj;
	struct token t = peek(ps);

	if (accept_word(ps, "api")) {
		if (r->pause_api)
			return said_twice(ps, "pause api");
		r->pause_api = true;
		return 0;
	}
	if (accept_word(ps, "header")) {
		if (r->pause_header)
			return said_twice(ps, "pause header");
		return get_header_value(ps, false, &r->pause_header, &r->pause_value);
	}
	return expected(ps, &t, "api, or header NAME");
}

int parse_r_pause_max(struct parser *ps, void *obj)
{
	struct rule *r = obj;
	int err = get_span(ps, "L-01", &r->pub.pause_max);

	if (err)
		return err;
	if (accept_word(ps, "stop"))
		r->pause_end = 2;
	else if (accept_word(ps, "resume"))
		r->pause_end = 1;
	r->pause_stop = r->pause_end == 2; /* lint: on sensitive lines unless it says resume */
	return 0;
}

int parse_r_exclude(struct parser *ps, void *obj)
{
	static const char *const words[] = {"none", "subject", "agent", NULL};
	struct rule *r = obj;
	int v, err = get_enum(ps, "leg", words, &v);

	if (!err)
		r->pub.exclude_leg = v - 1;
	return err;
}

int parse_r_roles(struct parser *ps, void *obj)
{
	struct rule *r = obj;
	struct role *x = list_item(ps, sizeof(*x));
	int err;

	if (!x)
		return -ENOMEM;
	err = get_enum(ps, "purpose", purpose_names, &x->purpose);
	if (err)
		return err;
	for (struct role *o = r->roles; o; o = o->next)
		if (o->purpose == x->purpose)
			return said_twice(ps, "the roles of this purpose");
	x->at = ps->kw;
	err = get_words(ps, "the name of a role", &x->names);
	if (!err)
		LIST_APPEND(r->roles, x);
	return err;
}

/* `play-reason required [min 10]`, `play-reason optional` */
int parse_r_play_reason(struct parser *ps, void *obj)
{
	static const char *const words[] = {"required", "optional", NULL};
	struct rule *r = obj;
	int v, err = get_enum(ps, "value", words, &v);

	if (err)
		return err;
	r->play_reason_off = v != 0;
	if (!v && accept_word(ps, "min"))
		return get_int(ps, "a number of characters", 1, 1000, &r->play_reason_min);
	return 0;
}

int parse_r_keys(struct parser *ps, void *obj)
{
	static const char *const words[] = {"", "yes", "no", NULL};
	struct rule *r = obj;
	bool any = false;
	struct token t;
	int err = 0;

	for (; !err; any = true) {
		if (!r->per_leg && accept_word(ps, "per-leg"))
			err = get_enum(ps, "value", words, &r->per_leg);
		else if (!r->key_ring && accept_word(ps, "ring"))
			err = get_name(ps, "the name of a key ring", &r->key_ring, NULL);
		else if (!r->key_bucket && accept_word(ps, "bucket")) {
			t = peek(ps);
			if (!accept_word(ps, "day"))
				return expected(ps, &t, "'day'");
			r->key_bucket = "day";
		} else
			break;
	}
	t = peek(ps);
	if (!err && !any)
		return expected(ps, &t, "per-leg yes|no, ring NAME, or bucket day");
	return err;
}

int parse_r_alarm(struct parser *ps, void *obj)
{
	static const char *const words[] = {
		"on", "off", "gap", "utilisation", "overdue", "quota", "notice-missing", NULL};
	struct rule *r = obj;
	struct word **tail = &r->alarm;
	struct token t;
	int v, err, i;

	do {
		t = peek(ps);
		err = get_enum(ps, "alarm", words, &v);
		if (!err)
			err = new_word(ps, words[v], strlen(words[v]), t.at, &tail);
		if (err)
			return err;
		if (v < 2)
			return 0;
		(void)accept_comma(ps);
		t = peek(ps);
		for (i = 2; words[i] && !is_word(&t, words[i]); i++)
			;
	} while (words[i]);
	return 0;
}
