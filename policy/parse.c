/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.c - statements, blocks and objects: recursive descent over lex.c
 *
 * The grammar is in optag-policy(5). It is LL(1) and nests three deep at most.
 * A setting's keyword decides what follows, so several may share a line. After
 * an error the rest of that line is skipped (with any block it opens), and the
 * object is marked bad.
 */
#include <errno.h>
#include <string.h>

#include "parse.h"

struct token peek(struct parser *ps)
{
	if (!ps->have) {
		ps->tok = lex_next(&ps->lex);
		ps->have = true;
	}
	return ps->tok;
}

struct token next(struct parser *ps)
{
	struct token t = peek(ps);

	if (t.type != T_EOF)
		ps->have = false;
	return t;
}

int expect_open(struct parser *ps)
{
	struct token t;

	skip_newlines(ps);
	t = peek(ps);
	if (t.type != T_OPEN)
		return expected(ps, &t, "{");
	next(ps);
	return 0;
}

/* To the end of the line, over blocks that open on it; stops before the } that closes ours. */
void skip_statement(struct parser *ps)
{
	int depth = 0;

	for (;;) {
		struct token t = peek(ps);

		if (t.type == T_EOF ||
		    (depth == 0 && (t.type == T_NL || t.type == T_SEMI || t.type == T_CLOSE)))
			return;
		next(ps);
		if (t.type == T_OPEN)
			depth++;
		else if (t.type == T_CLOSE)
			depth--;
	}
}

/* ---- statements ---- */

/* Words that are no settings, because they would be unlawful. */
static const struct {
	const char *word, *code, *text, *why, *fix;
} forbidden[] = {
#define SILENCE "N-21: silence or inactivity is no consent."
	{"default-consent", "L-25", "there is no consent by default.", SILENCE,
	 "remove it; ask for a consent-key."},
	{"assume-consent", "L-25", "a consent cannot be assumed.", SILENCE,
	 "remove it; ask for a consent-key."},
	{"implied-consent", "L-25", "a consent cannot be implied.", SILENCE,
	 "remove it; ask for a consent-key."},
	{"silence", "L-25", "silence cannot be given a meaning.", SILENCE,
	 "remove it; ask for a consent-key."},
	{"on-silence", "L-25", "silence cannot be given a meaning.", SILENCE,
	 "remove it; ask for a consent-key."},
	{"on-timeout", "L-25", "the end of the window never grants.", SILENCE,
	 "remove it; ask for a consent-key."},
	{"opt-out-window", "L-33", "an opt-out holds for the whole call.",
	 "N-41: before or during the call.", "remove it: an opt-out counts whenever it comes."},
	{"transcription", "L-01", "there are two purposes, documentation and training.",
	 "N-02, N-06: a recording gives no wider right.", "remove it."},
	{"analytics", "L-01", "there are two purposes, documentation and training.",
	 "N-02, N-06: a recording gives no wider right.", "remove it."},
#undef SILENCE
};

static bool refuse_forbidden(struct parser *ps, const struct token *t, const struct table *table)
{
	if (table == &rule_table && (is_word(t, "retention") || is_word(t, "retention-reason"))) {
		diag_add(ps->p, t->at, "L-62", "N-57: each purpose has its own deadline.",
			 "move it into documentation { } or training { }.",
			 "retention belongs to a purpose, not to the rule.");
		return true;
	}
	if (table == &block_table && t->type == T_WORD && is_word(t, "default")) {
		diag_add(ps->p, t->at, "L-25", "N-21: silence or inactivity is no consent.",
			 "remove it.", "a purpose has no default outcome.");
		return true;
	}
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (is_word(t, forbidden[i].word)) {
			diag_add(ps->p, t->at, forbidden[i].code, forbidden[i].why,
				 forbidden[i].fix, "%s", forbidden[i].text);
			return true;
		}
	return false;
}

static void unknown_setting(struct parser *ps, const struct token *t, const struct table *table)
{
	const char *names[64];
	int n = 0, near;

	for (int i = 0; i < table->n && n < 63; i++)
		if (!ps->allowed || table->s[i].flags & ps->allowed)
			names[n++] = table->s[i].name;
	names[n] = NULL;
	near = t->type == T_WORD ? did_you_mean(t->s, t->n, names) : -1;
	if (t->type != T_WORD && t->type != T_BAD)
		diag_add(ps->p, t->at, "L-01", NULL, NULL, "a %s setting is expected here.",
			 table->what);
	else if (t->type == T_BAD)
		diag_add(ps->p, t->at, "L-01", NULL, NULL, "%s.", t->bad);
	else if (near >= 0)
		diag_add(ps->p, t->at, "L-01", NULL, NULL,
			 "unknown %s setting '%.*s', did you mean '%s'?", table->what,
			 (int)(t->n > NAME_MAX_LEN ? NAME_MAX_LEN : t->n), t->s, names[near]);
	else
		diag_add(ps->p, t->at, "L-01", NULL, NULL, "unknown %s setting '%.*s'.",
			 table->what, (int)(t->n > NAME_MAX_LEN ? NAME_MAX_LEN : t->n), t->s);
}

struct pos *at_of(const struct table *t, void *obj)
{
	return (struct pos *)((char *)obj + t->at_off);
}

static int find_setting(const struct table *t, const struct token *w)
{
	if (t == &rule_table && is_word(w, "proof"))
		return R_PROOF;
	for (int i = 0; i < t->n; i++)
		if (is_word(w, t->s[i].name))
			return i;
	return -1;
}

static int statement(struct parser *ps, const struct table *table, void *obj)
{
	struct token t = peek(ps);
	struct pos *at = at_of(table, obj);
	const struct setting *s;
	int i = t.type == T_WORD ? find_setting(table, &t) : -1;

	if (i < 0) {
		if (t.type != T_WORD || !refuse_forbidden(ps, &t, table))
			unknown_setting(ps, &t, table);
		return -EINVAL;
	}
	s = &table->s[i];
	next(ps);
	ps->kw = t.at;
	ps->kwname = s->name;
	if (ps->allowed && !(s->flags & ps->allowed)) {
		bool weaker = ps->allowed == S_DEFAULT;

		diag_add(ps->p, t.at, weaker ? "L-92" : "L-01", NULL, NULL,
			 weaker ? "'%s' cannot have a default: every rule says it for itself."
				: "'%s' has no place in a never rule: it only says what is not "
				  "recorded.",
			 s->name);
		return -EINVAL;
	}
	if (at[i].line && !(s->flags & S_MANY)) {
		diag_add(ps->p, t.at, "L-02", NULL, "keep one of the two.",
			 "'%s' is set twice, first on line %d.", s->name, at[i].line);
		return -EINVAL;
	}
	at[i] = t.at;
	return parse_value(ps, s,
			   table == &block_table && s->kind != K_FUNC
				   ? (void *)((struct block *)obj)->pub
				   : obj);
}

int parse_body(struct parser *ps, const struct table *t, void *obj, unsigned allowed, bool *ret_bad)
{
	const struct table *outer = ps->table;
	unsigned outer_allowed = ps->allowed;
	struct pos open = ps->kw;
	struct token tok;
	int err = 0;

	ps->table = t;
	ps->allowed = allowed;
	while (!err) {
		while (accept_tok(ps, T_NL) || accept_tok(ps, T_SEMI))
			;
		tok = peek(ps);
		if (tok.type == T_CLOSE || tok.type == T_EOF)
			break;
		err = statement(ps, t, obj);
		if (err && !ps->p->oom) {
			*ret_bad = true;
			skip_statement(ps);
			err = 0;
		}
	}
	if (!err && !accept_tok(ps, T_CLOSE)) {
		diag_add(ps->p, open, "L-01", NULL, "add the missing }.",
			 "the block that opens here is not closed.");
		*ret_bad = true;
	}
	ps->table = outer;
	ps->allowed = outer_allowed;
	return ps->p->oom ? -ENOMEM : 0;
}

/* ---- objects ---- */

static int register_object(struct parser *ps, struct list *l, struct obj *o, const char *what)
{
	struct obj *before = list_find(l, o->name);

	if (before) {
		diag_add(ps->p, o->pos, "L-02", NULL, "give one of them another name.",
			 "there is another %s of this name, on line %d%s%s.", what,
			 before->pos.line, before->pos.file != o->pos.file ? " of " : "",
			 before->pos.file != o->pos.file ? ps->p->src[before->pos.file].name : "");
		o->bad = true;
	}
	list_append(l, o);
	return 0;
}

/* Name, body and registration of an object whose first member is struct obj. */
static int object(struct parser *ps, struct list *l, const struct table *t, struct obj *o,
		  const char *what, unsigned allowed)
{
	int err = get_name(ps, "a name", &o->name, &o->pos);

	if (err)
		return err;
	register_object(ps, l, o, what);
	ps->kw = o->pos;
	err = expect_open(ps);
	if (err) {
		o->bad = true;
		return err;
	}
	return parse_body(ps, t, o, allowed, &o->bad);
}

static void *new_object(struct parser *ps, size_t n)
{
	void *o = arena_alloc(&ps->p->arena, n);

	if (!o)
		ps->p->oom = true;
	return o;
}

static int parse_controller(struct parser *ps)
{
	struct controller *c = new_object(ps, sizeof(*c));

	return c ? object(ps, &ps->p->controllers, &controller_table, &c->o, "controller", 0)
		 : -ENOMEM;
}

static int parse_trunk(struct parser *ps)
{
	struct trunk *t = new_object(ps, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->queue_idx = t->agent_idx = -1;
	return object(ps, &ps->p->trunks, &trunk_table, &t->o, "trunk", 0);
}

static int parse_announcement(struct parser *ps)
{
	struct announcement *a = new_object(ps, sizeof(*a));

	return a ? object(ps, &ps->p->announcements, &announcement_table, &a->o, "announcement", 0)
		 : -ENOMEM;
}

static int parse_assessment(struct parser *ps)
{
	struct assessment *a = new_object(ps, sizeof(*a));

	return a ? object(ps, &ps->p->assessments, &assessment_table, &a->o, "assessment", 0)
		 : -ENOMEM;
}

static struct rule *new_rule(struct parser *ps)
{
	struct rule *r = new_object(ps, sizeof(*r));

	if (!r)
		return NULL;
	r->pub.exclude_leg = -1;
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		struct policy_block *b = &r->pub.purpose[i];

		r->block[i].pub = b;
		r->block[i].purpose = i;
		b->on_loss = b->sample_permille = b->use_target_percent = -1;
	}
	return r;
}

static int parse_rule(struct parser *ps)
{
	struct rule *r = new_rule(ps);

	return r ? object(ps, &ps->p->rules, &rule_table, &r->o, "rule", 0) : -ENOMEM;
}

static int parse_never(struct parser *ps)
{
	struct rule *r = new_rule(ps);

	if (!r)
		return -ENOMEM;
	r->never = true;
	return object(ps, &ps->p->nevers, &rule_table, &r->o, "never rule", S_NEVER);
}

static int parse_defaults(struct parser *ps)
{
	struct rule *r = new_rule(ps);
	int err;

	if (!r)
		return -ENOMEM;
	r->o.name = "defaults";
	r->o.pos = ps->kw;
	err = expect_open(ps);
	if (err)
		return err;
	err = parse_body(ps, &rule_table, r, S_DEFAULT, &r->o.bad);
	if (ps->p->defaults) {
		diag_add(ps->p, r->o.pos, "L-02", NULL, "merge the two.",
			 "there are defaults already, on line %d.", ps->p->defaults->o.pos.line);
		return err;
	}
	ps->p->defaults = r;
	return err;
}

/* ---- sets ---- */

static int set_date(struct parser *ps, struct set *s)
{
	if (s->ndates == s->dates_cap) {
		size_t cap = s->dates_cap ? s->dates_cap * 2 : 16;
		struct policy_date *d = arena_alloc(&ps->p->arena, cap * sizeof(*d));

		if (!d) {
			ps->p->oom = true;
			return -ENOMEM;
		}
		if (s->ndates)
			memcpy(d, s->dates, s->ndates * sizeof(*d));
		s->dates = d;
		s->dates_cap = cap;
	}
	int err = get_date(ps, &s->dates[s->ndates], NULL);

	if (!err)
		s->ndates++;
	return err;
}

static int set_members(struct parser *ps, struct set *s)
{
	struct word **tail = &s->words;
	struct token t;
	const char *name;
	struct pos at;
	int err;

	for (;;) {
		while (accept_tok(ps, T_NL) || accept_tok(ps, T_SEMI) || accept_tok(ps, T_COMMA))
			;
		t = peek(ps);
		if (t.type == T_CLOSE || t.type == T_EOF)
			break;
		if (s->kind == SET_NUMBERS)
			err = get_numbers_member(ps, &s->numbers, false);
		else if (s->kind == SET_HOLIDAYS)
			err = set_date(ps, s);
		else {
			err = get_name(ps, "a member", &name, &at);
			if (!err)
				err = new_word(ps, name, strlen(name), at, &tail);
			s->nwords += !err;
		}
		if (err == -ENOMEM)
			return err;
		if (err) {
			s->o.bad = true;
			skip_statement(ps);
		}
	}
	return 0;
}

static int set_closed(struct parser *ps, struct set *s)
{
	if (!accept_tok(ps, T_CLOSE)) {
		diag_add(ps->p, s->o.pos, "L-01", NULL, "add the missing }.",
			 "the set that opens here is not closed.");
		s->o.bad = true;
	}
	return 0;
}

/* `file NAME` in the place of the braces: members as they would stand between them. */
static int set_file(struct parser *ps, struct set *s)
{
	const char *name;
	struct pos at;
	int err = get_name(ps, "the name of a file", &name, &at);

	if (err)
		return err;
	if (!ps->include) {
		s->o.bad = true;
		diag_add(ps->p, at, "L-08", NULL, NULL,
			 "a file of members has no place here: this text comes from no file.");
		return -EINVAL;
	}
	ps->p->filling = s;
	err = ps->include(ps->p, name, at, ps->include_arg);
	if (ps->p->filling) /* it was not read; why is told */
		s->o.bad = true;
	ps->p->filling = NULL;
	return err;
}

static int parse_set(struct parser *ps)
{
	struct set *s = new_object(ps, sizeof(*s));
	int kind, err;

	if (!s)
		return -ENOMEM;
	err = get_name(ps, "a name", &s->o.name, &s->o.pos);
	if (err)
		return err;
	register_object(ps, &ps->p->sets, &s->o, "set");
	s->o.bad = true; /* until its head is read */
	s->dynamic = accept_word(ps, "dynamic");
	err = get_enum(ps, "kind of set", set_kind_names, &kind);
	if (err)
		return err;
	s->kind = (enum set_kind)kind;
	s->sensitive = accept_word(ps, "sensitive");
	s->o.bad = list_find(&ps->p->sets, s->o.name) != &s->o;
	if (accept_tok(ps, T_OPEN)) {
		err = set_members(ps, s);
		return err ? err : set_closed(ps, s);
	}
	if (accept_word(ps, "file"))
		return set_file(ps, s);
	if (!s->dynamic) {
		struct token t = peek(ps);

		s->o.bad = true;
		return expected(
			ps, &t,
			"{ and the members: only a dynamic set may start empty, so this one");
	}
	return 0;
}

/* ---- the file ---- */

static int parse_include(struct parser *ps)
{
	const char *name;
	struct pos at;
	int err = get_name(ps, "the name of a file", &name, &at);

	if (err)
		return err;
	if (!ps->include) {
		diag_add(ps->p, at, "L-08", NULL, NULL,
			 "include has no place here: this text comes from no file.");
		return -EINVAL;
	}
	return ps->include(ps->p, name, at, ps->include_arg);
}

static const struct {
	const char *word;
	int (*parse)(struct parser *ps);
} objects[] = {
	{"include", parse_include},
	{"controller", parse_controller},
	{"trunk", parse_trunk},
	{"set", parse_set},
	{"announcement", parse_announcement},
	{"assessment", parse_assessment},
	{"defaults", parse_defaults},
	{"never", parse_never},
	{"rule", parse_rule},
};
#define NOBJECTS (sizeof(objects) / sizeof(objects[0]))

static int top_level(struct parser *ps)
{
	const char *names[NOBJECTS + 1];
	struct token t = next(ps);
	int near;

	for (size_t i = 0; i < NOBJECTS; i++) {
		names[i] = objects[i].word;
		if (is_word(&t, names[i])) {
			ps->kw = t.at;
			ps->kwname = names[i];
			return objects[i].parse(ps);
		}
	}
	names[NOBJECTS] = NULL;
	near = t.type == T_WORD ? did_you_mean(t.s, t.n, names) : -1;
	if (t.type == T_BAD)
		diag_add(ps->p, t.at, "L-01", NULL, NULL, "%s.", t.bad);
	else if (near >= 0)
		diag_add(ps->p, t.at, "L-01", NULL, NULL,
			 "unknown object '%.*s', did you mean '%s'?", (int)t.n, t.s, names[near]);
	else
		diag_add(ps->p, t.at, "L-01", NULL, NULL,
			 "controller, trunk, set, announcement, assessment, defaults, never, rule "
			 "or include is expected here.");
	return -EINVAL;
}

/* A file that holds members and nothing else. */
static int set_source(struct parser *ps, struct set *s)
{
	struct token t;
	int err;

	ps->kwname = "set";
	err = set_members(ps, s);
	t = peek(ps);
	if (!err && t.type != T_EOF) {
		s->o.bad = true;
		diag_add(ps->p, t.at, "L-01", NULL, "a file of members has one a line.", "this is no member of the set '%s'.",
			 s->o.name);
	}
	return err;
}

int parse_source(struct policy *p, uint16_t file,
		 int (*include)(struct policy *p, const char *name, struct pos at, void *arg),
		 void *arg)
{
	struct parser ps = {.p = p, .include = include, .include_arg = arg};
	struct token t;

	lex_init(&ps.lex, &p->src[file], file);
	if (p->filling) {
		struct set *s = p->filling;

		p->filling = NULL;
		return set_source(&ps, s);
	}
	while (!p->oom) {
		t = peek(&ps);
		if (t.type == T_EOF)
			return 0;
		if (t.type == T_NL || t.type == T_SEMI) {
			next(&ps);
			continue;
		}
		if (top_level(&ps)) {
			skip_statement(&ps);
			(void)accept_tok(&ps, T_CLOSE); /* one too many: already told */
		}
	}
	return -ENOMEM;
}
