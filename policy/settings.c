/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.c - settings whose form the table cannot describe: one parse
 * function each, for every block but the rule (settings_rule.c). Their printers
 * stand in print.c in the same order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

int refuse(struct parser *ps)
{
	return ps->p->oom ? -ENOMEM : -EINVAL;
}

void *list_item(struct parser *ps, size_t n)
{
	void *m = arena_alloc(&ps->p->arena, n);

	if (!m)
		ps->p->oom = true;
	return m;
}

int one_name(struct parser *ps, const char *what, struct word **ret)
{
	struct word **tail = ret;
	const char *s;
	struct pos at;
	int err = get_name(ps, what, &s, &at);

	return err ? err : new_word(ps, s, strlen(s), at, &tail);
}

int said_twice(struct parser *ps, const char *what)
{
	diag_add(ps->p, ps->kw, "L-02", NULL, "keep one of the two.", "%s is given twice.", what);
	return refuse(ps);
}

/* ---- controller, trunk ---- */

int parse_c_numbers(struct parser *ps, void *obj)
{
	return get_numbers(ps, &((struct controller *)obj)->numbers, false);
}

static bool host_bits(const uint8_t *a, int bits)
{
	for (int i = bits; i < 128; i++)
		if (a[i / 8] & (0x80 >> i % 8))
			return true;
	return false;
}

static int address(struct parser *ps, struct trunk *t)
{
	struct token tok = peek(ps);
	char buf[80], *slash;
	struct prefix *x;
	int bits = -1, v4;

	if (tok.type != T_WORD || tok.n >= sizeof(buf))
		return expected(ps, &tok, "an address or prefix (192.0.2.0/24, 2001:db8::/32)");
	memcpy(buf, tok.s, tok.n);
	buf[tok.n] = '\0';
	slash = strchr(buf, '/');
	if (slash) {
		char *end;

		*slash++ = '\0';
		bits = *slash >= '0' && *slash <= '9' && strlen(slash) <= 3
			       ? (int)strtol(slash, &end, 10)
			       : 999;
		if (bits != 999 && *end)
			bits = 999;
	}
	x = list_item(ps, sizeof(*x));
	if (!x)
		return -ENOMEM;
	v4 = inet_pton(AF_INET, buf, x->addr + 12) == 1;
	if (v4)
		x->addr[10] = x->addr[11] = 0xff;
	if ((!v4 && inet_pton(AF_INET6, buf, x->addr) != 1) || bits > (v4 ? 32 : 128))
		return expected(ps, &tok, "an address or prefix (192.0.2.0/24, 2001:db8::/32)");
	x->bits = bits < 0 ? 128 : v4 ? bits + 96 : bits;
	if (host_bits(x->addr, x->bits)) {
		diag_add(ps->p, tok.at, "L-01", NULL,
			 "set them to zero, or write the longer prefix you mean.",
			 "this prefix has bits set behind its length.");
		return refuse(ps);
	}
	x->text = token_dup(ps, &tok);
	next(ps);
	LIST_APPEND(t->addr, x);
	return x->text ? 0 : -ENOMEM;
}

int parse_t_address(struct parser *ps, void *obj)
{
	struct token t;
	int err;

	do {
		err = address(ps, obj);
		if (err)
			return err;
		t = peek(ps);
	} while (accept_comma(ps) ||
		 (t.type == T_WORD && t.n && (memchr(t.s, '/', t.n) || memchr(t.s, ':', t.n))));
	return 0;
}

int parse_t_country(struct parser *ps, void *obj)
{
	struct token t = peek(ps);
	bool ok = t.type == T_WORD && t.n >= 2 && t.n <= 4 && t.s[0] == '+' && t.s[1] != '0';

	for (size_t i = 1; ok && i < t.n; i++)
		ok = t.s[i] >= '0' && t.s[i] <= '9';
	if (!ok)
		return expected(ps, &t, "a country code (+45)");
	next(ps);
	((struct trunk *)obj)->country = token_dup(ps, &t);
	return ps->p->oom ? -ENOMEM : 0;
}

int parse_t_natdigits(struct parser *ps, void *obj)
{
	struct token t = peek(ps);
	struct trunk *k = obj;
	int a = 0, b, i = 0;

	if (t.type != T_WORD || t.n > 5)
		return expected(ps, &t, "the digits of a national number (8, or 6-10)");
	while (i < (int)t.n && t.s[i] >= '0' && t.s[i] <= '9')
		a = a * 10 + (t.s[i++] - '0');
	b = a;
	if (i < (int)t.n && t.s[i] == '-')
		for (i++, b = 0; i < (int)t.n && t.s[i] >= '0' && t.s[i] <= '9'; i++)
			b = b * 10 + (t.s[i] - '0');
	if (i != (int)t.n || a < 4 || b > 14 || a > b)
		return expected(ps, &t, "the digits of a national number (8, or 6-10)");
	next(ps);
	k->nat_min = a;
	k->nat_max = b;
	return 0;
}

int parse_t_qheader(struct parser *ps, void *obj)
{
	return get_header_name(ps, &((struct trunk *)obj)->queue_header);
}

int parse_t_aheader(struct parser *ps, void *obj)
{
	return get_header_name(ps, &((struct trunk *)obj)->agent_header);
}

int parse_t_cheader(struct parser *ps, void *obj)
{
	return get_header_name(ps, &((struct trunk *)obj)->correlate_header);
}

/* ---- announcement, assessment ---- */

static int element_key(struct parser *ps, const struct token *t, size_t skip,
		       char (*keys)[POLICY_KEY_MAX], int *n)
{
	if (*n == POLICY_KEYS_MAX) {
		diag_add(ps->p, t->at, "L-01", NULL, NULL, "an announcement names at most %d keys.",
			 POLICY_KEYS_MAX);
		return refuse(ps);
	}
	int err = key_from(ps, t, t->s + skip, t->n - skip, keys[*n]);

	if (!err)
		++*n;
	return err;
}

/* `link` is an element and a setting: before an address it is the setting. */
static bool element_follows(struct parser *ps, const struct token *t)
{
	struct parser ahead = *ps;
	struct token u;

	if (!is_word(t, "link"))
		return true;
	ahead.have = false;
	u = lex_next(&ahead.lex);
	return u.type != T_STRING && !(u.type == T_WORD && u.n > 3 && memmem(u.s, u.n, "://", 3));
}

int parse_a_elements(struct parser *ps, void *obj)
{
	struct announcement *a = obj;
	struct token t;
	bool any = false;
	int err, i;

	for (;; any = true) {
		if (any)
			(void)accept_comma(ps);
		t = peek(ps);
		if (t.type != T_WORD)
			break;
		for (i = 0; i < EL_N && !is_word(&t, element_names[i]); i++)
			;
		if (i < EL_N && element_follows(ps, &t)) {
			a->elements |= 1u << i;
			next(ps);
			continue;
		}
		if (t.n > 4 && !memcmp(t.s, "key:", 4))
			err = element_key(ps, &t, 4, a->key, &a->nkey);
		else if (t.n > 11 && !memcmp(t.s, "optout-key:", 11))
			err = element_key(ps, &t, 11, a->optout_key, &a->noptout_key);
		else
			break;
		if (err)
			return err;
		next(ps);
	}
	if (!any)
		return expected(ps, &t,
				"elements (rec doc train key:1 withdraw link object access optout "
				"optout-key:9 then)");
	return 0;
}

int parse_a_text(struct parser *ps, void *obj)
{
	struct announcement *a = obj;

	if (accept_word(ps, "file"))
		return one_name(ps, "the name of a file", &a->text_file);
	return get_string(ps, "the text in quotes, or: file NAME", &a->text);
}

int parse_a_audio(struct parser *ps, void *obj)
{
	struct announcement *a = obj;
	struct token t;

	if (!accept_word(ps, "file")) {
		t = peek(ps);
		return expected(ps, &t, "file NAME");
	}
	do {
		struct word **tail = &a->audio_files;
		int err;

		while (*tail)
			tail = &(*tail)->next;
		err = one_name(ps, "the name of a file", tail);
		if (err)
			return err;
	} while (accept_comma(ps));
	return 0;
}

int parse_a_menu(struct parser *ps, void *obj)
{
	struct announcement *a = obj;
	char key[POLICY_KEY_MAX];
	int err;

	do {
		err = get_key(ps, key);
		if (err)
			return err;
		for (int i = 0; i < a->nmenu; i++)
			if (!strcmp(a->menu[i], key))
				return said_twice(ps, "this key");
		if (a->nmenu == MENU_KEYS_MAX) {
			diag_add(ps->p, ps->kw, "L-01", NULL, NULL, "a menu has at most %d keys.", MENU_KEYS_MAX);
			return refuse(ps);
		}
		memcpy(a->menu[a->nmenu++], key, sizeof(key));
	} while (accept_tok(ps, T_COMMA));
	return 0;
}

int parse_as_file(struct parser *ps, void *obj)
{
	return one_name(ps, "the name of a file", &((struct assessment *)obj)->file);
}

int parse_as_factor(struct parser *ps, void *obj)
{
	struct assessment *a = obj;
	int i, how, err = get_int(ps, "a factor", 1, 6, &i);

	if (!err)
		err = get_enum(ps, "answer", factor_names, &how);
	if (err)
		return err;
	if (a->factor[i - 1])
		return said_twice(ps, "this factor");
	err = get_string(ps, "the reason in quotes", &a->factor_text[i - 1]);
	if (!err)
		a->factor[i - 1] = how;
	return err;
}

/* ---- purpose blocks ---- */

int parse_b_basis(struct parser *ps, void *obj)
{
	struct block *b = obj;
	int v, err = get_enum(ps, "basis", basis_names, &v);

	if (err)
		return err;
	b->pub->basis = (enum policy_basis)v;
	if (v == POLICY_B_OBLIGATION && peek(ps).type == T_STRING)
		return get_string(ps, "the statute", &b->pub->statute);
	return 0;
}

int parse_b_assessment(struct parser *ps, void *obj)
{
	return one_name(ps, "the name of an assessment", &((struct block *)obj)->assessment);
}

int parse_b_special(struct parser *ps, void *obj)
{
	struct block *b = obj;
	int err = 0;

	b->pub->special = true;
	if (peek(ps).type == T_STRING)
		err = get_string(ps, "the ground", &b->pub->special_ground);
	if (!err && accept_word(ps, "assessment"))
		err = one_name(ps, "the name of an assessment", &b->special_assessment);
	if (!err && !b->pub->special_ground && peek(ps).type == T_STRING)
		err = get_string(ps, "the ground", &b->pub->special_ground);
	return err;
}

int parse_b_consent_source(struct parser *ps, void *obj)
{
	struct block *b = obj;
	struct token t;

	if (accept_word(ps, "api")) {
		if (b->consent_api)
			return said_twice(ps, "this source");
		b->consent_api = true;
		return 0;
	}
	if (accept_word(ps, "header")) {
		if (b->consent_header)
			return said_twice(ps, "this source");
		return get_header_value(ps, true, &b->consent_header, &b->consent_value);
	}
	t = peek(ps);
	return expected(ps, &t, "api, or header NAME=VALUE");
}

int parse_b_withdraw(struct parser *ps, void *obj)
{
	struct block *b = obj;
	int err = get_key(ps, b->pub->withdraw_key);

	if (!err && accept_word(ps, "any-time"))
		b->pub->withdraw_any_time = true;
	return err;
}

static int keys(struct parser *ps, char (*list)[POLICY_KEY_MAX])
{
	int i = 0, err;
	char key[POLICY_KEY_MAX];

	do {
		err = get_key(ps, key);
		if (err)
			return err;
		for (i = 0; i < POLICY_KEYS_MAX && *list[i] && strcmp(list[i], key); i++)
			;
		if (i == POLICY_KEYS_MAX) {
			diag_add(ps->p, ps->kw, "L-01", NULL, NULL,
				 "at most %d keys for one thing.", POLICY_KEYS_MAX);
			return refuse(ps);
		}
		if (*list[i])
			return said_twice(ps, "this key");
		memcpy(list[i], key, sizeof(key));
	} while (accept_tok(ps, T_COMMA));
	return 0;
}

int parse_b_optout(struct parser *ps, void *obj)
{
	struct block *b = obj;
	struct token t = peek(ps);

	if (is_word(&t, "key")) {
		next(ps);
		b->opt_at = ps->kw;
		return keys(ps, b->pub->optout_key);
	}
	if (!is_word(&t, "agent"))
		return expected(ps, &t, "key K, or agent key K, agent api, agent header NAME");
	next(ps);
	t = peek(ps);
	if (is_word(&t, "key")) {
		next(ps);
		b->agent_key_at = ps->kw;
		return keys(ps, b->pub->optout_agent_key);
	}
	if (is_word(&t, "api")) {
		next(ps);
		if (b->pub->optout_agent_api)
			return said_twice(ps, "this path");
		b->pub->optout_agent_api = true;
		return 0;
	}
	if (is_word(&t, "header")) {
		next(ps);
		if (b->pub->optout_agent_header)
			return said_twice(ps, "this path");
		b->pub->optout_agent_header = true;
		return get_header_value(ps, false, &b->optout_header, &b->optout_value);
	}
	return expected(ps, &t, "key K, api, or header NAME");
}

int parse_b_on_optout(struct parser *ps, void *obj)
{
	struct block *b = obj;
	struct token t;

	if (accept_word(ps, "stop"))
		return 0;
	b->callback = accept_word(ps, "callback-unrecorded");
	if (b->callback)
		return get_span(ps, "L-01", &b->pub->callback_unrecorded);
	t = peek(ps);
	return expected(ps, &t, "stop, or callback-unrecorded 48 h");
}

/* "notice-start+3s": the anchor's name, then the span. */
static int window_end(struct parser *ps, const char *notice, bool *ret_answer, int *ret_s)
{
	struct token t = peek(ps);
	const char *plus = t.type == T_WORD ? memchr(t.s, '+', t.n) : NULL;
	size_t n = plus ? (size_t)(plus - t.s) : 0;
	struct policy_span span;
	int err;

	*ret_answer = n == 6 && !memcmp(t.s, "answer", 6);
	if (!plus || (!*ret_answer && (n != strlen(notice) || memcmp(t.s, notice, n)))) {
		char text[64];

		snprintf(text, sizeof(text), "%s+SECONDS s, or answer+SECONDS s,", notice);
		return expected(ps, &t, text);
	}
	next(ps);
	err = get_span_text(ps, &t, plus + 1, t.n - n - 1, "L-01", &span);
	if (err)
		return err;
	if (span.unit > POLICY_U_MIN || span.n > 3600) {
		diag_add(ps->p, t.at, "L-24", NULL, NULL, "a decision window is given in seconds.");
		return refuse(ps);
	}
	*ret_s = span.n * (span.unit == POLICY_U_MIN ? 60 : 1);
	return 0;
}

int parse_b_window(struct parser *ps, void *obj)
{
	struct policy_window *w = &((struct block *)obj)->pub->window;
	struct token t;
	bool from_answer, to_answer;
	int err = window_end(ps, "notice-start", &from_answer, &w->from_s);

	if (err)
		return err;
	t = peek(ps);
	if (!accept_word(ps, "to"))
		return expected(ps, &t, "'to' and the window's end");
	t = peek(ps);
	err = window_end(ps, "notice-end", &to_answer, &w->to_s);
	if (err)
		return err;
	if (from_answer != to_answer) {
		diag_add(ps->p, t.at, "L-24",
			 "N-21: silence is no consent, so the window must be certain.",
			 "anchor both ends to the notice.",
			 "one end counts from the answer, the other from the notice.");
		return refuse(ps);
	}
	w->from_answer = from_answer;
	if (accept_word(ps, "reopen")) {
		t = peek(ps);
		if (!accept_word(ps, "agent"))
			return expected(ps, &t, "'agent'");
		w->reopen_agent = true;
	}
	return 0;
}

/* Both can only say what is true anyhow; they are there so that a rule can state it. */
int parse_b_leg(struct parser *ps, void *obj)
{
	struct token t = peek(ps);

	if (accept_word(ps, "subject"))
		return 0;
	if (is_word(&t, "agent")) {
		diag_add(ps->p, t.at, "L-01", "N-20: a consent is an act of the data subject.",
			 "for keys of the agent write opt-out agent key, pause-key or resume-key.",
			 "keys of this purpose count from the data subject's leg only.");
		return refuse(ps);
	}
	(void)obj;
	return expected(ps, &t, "'subject'");
}

int parse_b_seed(struct parser *ps, void *obj)
{
	struct token t = peek(ps);

	(void)obj;
	return accept_word(ps, "daily") ? 0 : expected(ps, &t, "'daily'");
}

int parse_b_dtmf(struct parser *ps, void *obj)
{
	static const char *const names[] = {"rfc4733", "info", "inband", NULL};
	struct block *b = obj;
	struct token t;
	int v, err;

	b->pub->dtmf = 0;
	do {
		(void)accept_comma(ps);
		err = get_enum(ps, "way of sending keys", names, &v);
		if (err)
			return err;
		b->pub->dtmf |= 1u << v;
		t = peek(ps);
	} while (t.type == T_COMMA || is_word(&t, "rfc4733") || is_word(&t, "info") ||
		 is_word(&t, "inband"));
	return 0;
}

int parse_b_cap(struct parser *ps, void *obj)
{
	struct policy_block *b = ((struct block *)obj)->pub;
	struct token t = peek(ps);
	int n, of = POLICY_OF_RULE, per, err = get_int(ps, "a number of calls", 1, 1000000, &n);

	if (err)
		return err;
	t = peek(ps);
	if (!accept_word(ps, "per"))
		return expected(ps, &t, "'per' hour, day, week or month");
	if (accept_word(ps, "queue"))
		of = POLICY_OF_QUEUE;
	else if (accept_word(ps, "agent"))
		of = POLICY_OF_AGENT;
	t = peek(ps);
	if (of != POLICY_OF_RULE && !accept_word(ps, "per"))
		return expected(ps, &t, "'per' hour, day, week or month");
	err = get_enum(ps, "period", per_names, &per);
	if (err)
		return err;
	for (int i = 0; i < b->ncap; i++)
		if ((int)b->cap[i].per == per && (int)b->cap[i].of == of)
			return said_twice(ps, "the cap for this period");
	if (b->ncap == POLICY_CAPS_MAX) {
		diag_add(ps->p, ps->kw, "L-01", NULL, NULL, "a purpose has at most %d caps.",
			 POLICY_CAPS_MAX);
		return refuse(ps);
	}
	b->cap[b->ncap].n = n;
	b->cap[b->ncap].per = (enum policy_cap_per)per;
	b->cap[b->ncap++].of = (enum policy_cap_of)of;
	return 0;
}

/* `use-target 80% throttle 1.25 floor 5` */
int parse_b_use_target(struct parser *ps, void *obj)
{
	struct block *b = obj;
	struct token t;
	int v, err = get_permille(ps, &v);

	if (err)
		return err;
	b->pub->use_target_percent = v / 10;
	if (accept_word(ps, "throttle")) {
		t = peek(ps);
		if (t.type != T_WORD || t.n != 4 || t.s[0] < '1' || t.s[0] > '9' || t.s[1] != '.' ||
		    t.s[2] < '0' || t.s[2] > '9' || t.s[3] < '0' || t.s[3] > '9')
			return expected(ps, &t, "a factor from 1.00 to 9.99");
		next(ps);
		b->throttle_percent = (t.s[0] - '0') * 100 + (t.s[2] - '0') * 10 + t.s[3] - '0';
	}
	if (accept_word(ps, "floor"))
		return get_int(ps, "a number of calls", 1, 1000000, &b->floor);
	return 0;
}

int parse_b_retention(struct parser *ps, void *obj)
{
	struct block *b = obj;
	struct token t = peek(ps);

	if (is_word(&t, "unlimited") || is_word(&t, "never") || is_word(&t, "forever")) {
		diag_add(ps->p, t.at, "L-61", "INV-8: nothing is kept without an end date.",
			 "write retention 3 months, or longer with a retention-reason.",
			 "a recording cannot be kept without an end.");
		return refuse(ps);
	}
	return get_span(ps, "L-61", &b->pub->retention);
}

int parse_b_reason(struct parser *ps, void *obj)
{
	struct block *b = obj;
	int err = 0;

	if (peek(ps).type == T_STRING)
		err = get_string(ps, "the reason", &b->reason);
	if (!err && accept_word(ps, "assessment"))
		return one_name(ps, "the name of an assessment", &b->reason_assessment);
	if (!err && !b->reason) {
		struct token t = peek(ps);

		return expected(ps, &t, "a text in quotes, or assessment NAME");
	}
	return err;
}

int parse_b_review(struct parser *ps, void *obj)
{
	struct token t = peek(ps);

	if (!accept_word(ps, "every"))
		return expected(ps, &t, "'every' and an interval");
	return get_span(ps, "L-01", &((struct block *)obj)->pub->review_every);
}

int parse_b_not_needed(struct parser *ps, void *obj)
{
	struct block *b = obj;
	struct token t;

	if (accept_word(ps, "no"))
		return 0;
	b->pub->not_needed = true;
	if (accept_word(ps, "yes"))
		return 0;
	if (accept_word(ps, "key"))
		return get_key(ps, b->not_needed_key);
	b->not_needed_api = accept_word(ps, "api");
	t = peek(ps);
	return b->not_needed_api ? 0 : expected(ps, &t, "yes, no, key K, or api");
}

int parse_b_worm(struct parser *ps, void *obj)
{
	struct block *b = obj;
	struct token t;

	if (accept_word(ps, "none"))
		return 0;
	t = peek(ps);
	if (!accept_word(ps, "immutable-until"))
		return expected(ps, &t, "none, or immutable-until deadline");
	t = peek(ps);
	if (!accept_word(ps, "deadline"))
		return expected(ps, &t, "'deadline'");
	b->pub->worm = true;
	return 0;
}
