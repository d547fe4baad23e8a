/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff.c - two policies compared: objects by name, rules also by order
 *
 * Pairs of rules are looked at only where a rule's calls may have gone to
 * another one, and work has a bound (struct diff).
 */
#include "policy/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diff_internal.h"

#define WORK_MAX 30000000u /* about 0.3 s */
#define TEXT_MAX_LEN 240   /* of a value that is shown */

static const struct verdict neutral = { POLICY_NEUTRAL, false, "decides nothing by itself" };

/* ---- telling ---- */

static char *joined2(const char *kind, const char *name)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);

	if (!f)
		return NULL;
	fputs(kind, f);
	if (name) {
		size_t k = strlen(kind);

		fputc(' ', f);
		if ((k >= 4 && !strcmp(kind + k - 4, "rule")) || !strcmp(kind, "never"))
			print_string(f, name);
		else
			print_name(f, name);
	}
	if (fclose(f)) {
		free(s);
		return NULL;
	}
	return s;
}

static char *cut(char *s)
{
	size_t k = TEXT_MAX_LEN - 3;

	if (s && strlen(s) > TEXT_MAX_LEN) {
		while (k && (s[k] & 0xc0) == 0x80) /* not inside a character */
			k--;
		strcpy(s + k, "...");
	}
	return s ? s : strdup("");
}

static struct policy_diff_item *new_item(struct diff *d)
{
	struct policy_diff *o = d->out;

	if (o->n == o->cap) {
		size_t cap = o->cap ? o->cap * 2 : 16;
		struct policy_diff_item *v = realloc(o->item, cap * sizeof(*v));

		if (!v)
			return NULL;
		o->item = v;
		o->cap = cap;
	}
	memset(&o->item[o->n], 0, sizeof(*o->item));
	return &o->item[o->n];
}

void diff_tell(struct diff *d, struct verdict v, bool gone, struct pos at, const char *kind, const char *name,
	       const char *setting, char *was, char *is)
{
	const struct policy *p = gone ? d->old : d->now;
	struct policy_diff_item *x = new_item(d);

	if (x) {
		x->change = v.change;
		x->both = v.both && v.change == POLICY_LOOSEN;
		x->why = v.why;
		x->gone = gone;
		x->file = at.file < p->nsrc ? p->src[at.file].name : "";
		x->line = at.line;
		x->object = joined2(kind, name);
		x->setting = strdup(setting);
		x->was = cut(was);
		x->is = cut(is);
		d->out->n++;
		d->out->count[v.change]++;
		if (x->object && x->setting && x->was && x->is)
			return;
	} else {
		free(was);
		free(is);
	}
	d->oom = true;
}

void diff_amount(struct diff *d, bool so)
{
	if (so && !d->oom)
		d->out->item[d->out->n - 1].amount = d->out->item[d->out->n - 1].change != POLICY_NEUTRAL;
}

/* On one line: the settings' indents go, line breaks become "; ". */
static char *one_line(char *s, size_t n)
{
	size_t k = 0;

	while (n && s[n - 1] == '\n')
		n--;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			s[k++] = ';'; /* and the tab that follows, or nothing, is the blank */
		else if (s[i] != '\t')
			s[k++] = s[i];
		else if (k && s[k - 1] == ';')
			s[k++] = ' ';
	}
	s[k] = 0;
	return s;
}

char *diff_text(struct diff *d, const struct table *t, int id, const void *obj)
{
	const struct pos *at = (const struct pos *)((const char *)obj + t->at_off);
	char *s = NULL;
	size_t n = 0;
	FILE *f;

	if (!at[id].line)
		return NULL;
	f = open_memstream(&s, &n);
	if (!f) {
		d->oom = true;
		return NULL;
	}
	table_print_setting(f, t, id, obj);
	if (fclose(f)) {
		d->oom = true;
		free(s);
		return NULL;
	}
	return one_line(s, n);
}

/* ---- objects with settings that are not rules ---- */

/* Change of one setting: what it means when it differs. */
static struct verdict controller_verdict(int id)
{
	switch (id) {
	case C_CONTACT:
	case C_LANGUAGES:
	case C_ROLES:
		return neutral;
	case C_TIMEZONE:
		return (struct verdict){ POLICY_LOOSEN, false, "times and deadlines are in this zone" };
	case C_KEYRING:
		return (struct verdict){ POLICY_LOOSEN, false, "which keys open the recordings" };
	default:
		return (struct verdict){ POLICY_LOOSEN, false, "who answers for the calls (RX-1)" };
	}
}

static struct verdict trunk_verdict(int id)
{
	(void)id;
	return (struct verdict){ POLICY_LOOSEN, false, "whose calls these are and how their numbers are read" };
}

static struct verdict announcement_verdict(int id)
{
	(void)id;
	return (struct verdict){ POLICY_LOOSEN, false, "what callers are told (N-31)" };
}

static struct verdict assessment_verdict(int id)
{
	if (id == AS_AUTHOR || id == AS_DATE)
		return neutral;
	return (struct verdict){ POLICY_LOOSEN, false, "another reasoning needs approval" };
}

/* What rests on it ends when nobody looked at it again (N-18): later is longer, no date is for ever. */
static struct verdict review_verdict(const struct policy_date *was, const struct policy_date *is)
{
	int64_t a = was->year ? days_from_civil(was->year, was->month, was->day) : INT64_MAX;
	int64_t b = is->year ? days_from_civil(is->year, is->month, is->day) : INT64_MAX;

	return b < a ? (struct verdict){ POLICY_TIGHTEN, false, "what rests on it ends sooner without a review (N-18)" } :
		       (struct verdict){ POLICY_LOOSEN, false, "it holds for longer without a review (N-18)" };
}

/* Who has not heard the purposes cannot consent to them (guidance 9.9). */
static struct verdict keys_after_verdict(int was, int is)
{
	if (was == is)
		return (struct verdict){ POLICY_NEUTRAL, false, "written differently" };
	return is > was ? (struct verdict){ POLICY_TIGHTEN, false, "a key that consents counts later in the announcement" } :
			  (struct verdict){ POLICY_LOOSEN, false, "a key that consents counts sooner in the announcement" };
}

struct object_kind {
	const char *name;
	const struct table *t;
	size_t list; /* offset in struct policy */
	struct verdict (*verdict)(int id);
	struct verdict added, gone;
};

static const struct object_kind kinds[] = {
	{ "controller", &controller_table, offsetof(struct policy, controllers), controller_verdict,
	  { POLICY_NEUTRAL, false, "its rules tell what is recorded" }, { POLICY_NEUTRAL, false, "no rule names it" } },
	{ "trunk", &trunk_table, offsetof(struct policy, trunks), trunk_verdict,
	  { POLICY_LOOSEN, false, "numbers on it are read otherwise" }, { POLICY_LOOSEN, false, "numbers on it are read otherwise" } },
	{ "announcement", &announcement_table, offsetof(struct policy, announcements), announcement_verdict,
	  { POLICY_NEUTRAL, false, "no effect until a rule names it" }, { POLICY_NEUTRAL, false, "no rule names it" } },
	{ "assessment", &assessment_table, offsetof(struct policy, assessments), assessment_verdict,
	  { POLICY_NEUTRAL, false, "no effect until a rule names it" }, { POLICY_NEUTRAL, false, "no rule names it" } },
};

static const struct list *list_of(const struct policy *p, const struct object_kind *k)
{
	return (const struct list *)((const char *)p + k->list);
}

/* A controller's numbers and trunks say whose calls are recorded at all. */
static struct verdict own_verdict(struct diff *d, const struct controller *a, const struct controller *b, int id, bool *ret_special)
{
	struct verdict v = { POLICY_LOOSEN, false, "more calls are the controller's own (RX-1)" };
	enum rel r;

	*ret_special = id == C_NUMBERS;
	if (id == C_LAB) {
		*ret_special = true;
		return b->pub.lab ? (struct verdict){ POLICY_TIGHTEN, false, "its rules never match live traffic" } :
				    (struct verdict){ POLICY_LOOSEN, false, "its rules match live traffic" };
	}
	if (id != C_NUMBERS)
		return v;
	r = diff_numbers_rel(d, &a->numbers, &b->numbers);
	v.both = r == REL_MIXED;
	if (r == REL_NARROW)
		v = (struct verdict){ POLICY_TIGHTEN, false, "fewer calls are the controller's own (RX-1)" };
	else if (r == REL_SAME)
		v = (struct verdict){ POLICY_NEUTRAL, false, "written differently" };
	return v;
}

static void compare_object(struct diff *d, const struct object_kind *k, const struct obj *a, const struct obj *b)
{
	const struct pos *at = (const struct pos *)((const char *)b + k->t->at_off);
	bool special = false;

	for (int id = 0; id < k->t->n; id++) {
		char *was = diff_text(d, k->t, id, a), *is = diff_text(d, k->t, id, b);
		struct verdict v = k->verdict(id);

		if (k->t == &controller_table)
			v = own_verdict(d, (const struct controller *)a, (const struct controller *)b, id, &special);
		if (!special)
			v = k->verdict(id);
		if (k->t == &assessment_table && id == AS_REVIEW)
			v = review_verdict(&((const struct assessment *)a)->review, &((const struct assessment *)b)->review);
		if (k->t == &announcement_table && id == A_KEYS_AFTER)
			v = keys_after_verdict(((const struct announcement *)a)->keys_after_s, ((const struct announcement *)b)->keys_after_s);
		if (was == is || (was && is && !strcmp(was, is) && (id != C_NUMBERS || !special || v.change == POLICY_NEUTRAL))) {
			free(was);
			free(is);
			continue;
		}
		diff_tell(d, v, false, at[id].line ? at[id] : b->pos, k->name, b->name, k->t->s[id].name, was, is);
	}
}

static void compare_objects(struct diff *d, const struct object_kind *k)
{
	const struct list *old = list_of(d->old, k), *now = list_of(d->now, k);

	for (const struct obj *o = now->first; o && !d->oom; o = o->next) {
		const struct obj *was = list_find(old, o->name);

		if (was)
			compare_object(d, k, was, o);
		else
			diff_tell(d, k->added, false, o->pos, k->name, o->name, "", NULL, strdup("added"));
	}
	for (const struct obj *o = old->first; o && !d->oom; o = o->next)
		if (!list_find(now, o->name))
			diff_tell(d, k->gone, true, o->pos, k->name, o->name, "", strdup("there"), NULL);
}

/* ---- sets ---- */

static int set_rel_cmp(const void *a, const void *b)
{
	return strcmp(((const struct set_rel *)a)->now->o.name, ((const struct set_rel *)b)->now->o.name);
}

static int set_name_cmp(const void *key, const void *x)
{
	return strcmp(key, ((const struct set_rel *)x)->now->o.name);
}

const struct set_rel *diff_set(const struct diff *d, const char *name)
{
	return d->nset ? bsearch(name, d->set, d->nset, sizeof(*d->set), set_name_cmp) : NULL;
}

static int relate_sets(struct diff *d)
{
	d->set = calloc(d->now->sets.n + 1, sizeof(*d->set));
	if (!d->set)
		return -ENOMEM;
	for (const struct obj *o = d->now->sets.first; o; o = o->next) {
		const struct obj *was = list_find(&d->old->sets, o->name);

		if (was)
			d->set[d->nset++] =
				(struct set_rel){ (const struct set *)was, (const struct set *)o, REL_SAME };
	}
	qsort(d->set, d->nset, sizeof(*d->set), set_rel_cmp);
	for (size_t i = 0; i < d->nset; i++)
		d->set[i].rel = diff_set_rel(d, d->set[i].old, d->set[i].now);
	return d->oom ? -ENOMEM : 0;
}

enum { USE_NEVER = 1, USE_RULE = 2, USE_OTHER = 4 };

static unsigned words_use(const struct word *w, const char *name)
{
	for (; w; w = w->next)
		if (!strcmp(w->s[0] == '@' ? w->s + 1 : w->s, name))
			return 1;
	return 0;
}

static unsigned rule_use(const struct rule *r, const char *name)
{
	unsigned use = r->never ? USE_NEVER : USE_RULE, other = use == USE_NEVER ? USE_RULE : USE_NEVER, ret = 0;

	if (words_use(r->called.sets, name) || words_use(r->calling.sets, name) || words_use(r->trunks, name))
		ret |= use;
	for (const struct header_crit *h = r->headers; h; h = h->next)
		if (h->op == OP_ONE_OF && !strcmp(h->value->s, name))
			ret |= use;
	for (const struct time_item *i = r->time; i; i = i->next)
		if (i->holidays && !strcmp(i->holidays->s, name))
			ret |= use;
	/* a day that is excepted works against its rule */
	if (r->time_except && !strcmp(r->time_except->s, name))
		ret |= other;
	return ret;
}

static unsigned set_use(const struct policy *p, const char *name)
{
	unsigned use = 0;

	for (const struct obj *o = p->nevers.first; o; o = o->next)
		use |= rule_use((const struct rule *)o, name);
	for (const struct obj *o = p->rules.first; o; o = o->next)
		use |= rule_use((const struct rule *)o, name);
	for (const struct obj *o = p->controllers.first; o; o = o->next) {
		const struct controller *c = (const struct controller *)o;

		if (words_use(c->numbers.sets, name) || words_use(c->trunks, name))
			use |= USE_RULE;
	}
	for (const struct obj *o = p->assessments.first; o; o = o->next)
		if (words_use(((const struct assessment *)o)->scope, name))
			use |= USE_OTHER;
	return use;
}

static char *members_text(const struct set *s)
{
	size_t n = s->kind == SET_NUMBERS ? s->numbers.n : s->kind == SET_HOLIDAYS ? s->ndates : s->nwords;
	char *t;

	return asprintf(&t, "%s%s%s, %zu written", s->dynamic ? "dynamic " : "", set_kind_names[s->kind],
			s->sensitive ? " sensitive" : "", n) < 0 ?
		       NULL :
		       t;
}

/* Growing: what a never rule names is recorded less, what another rule names more. */
static struct verdict set_verdict(enum rel r, unsigned use)
{
	bool in_never = use & USE_NEVER, in_rule = use & USE_RULE;
	bool looser = (in_rule && r & REL_WIDE) || (in_never && r & REL_NARROW) || (use & USE_OTHER && r & REL_WIDE);
	bool stricter = (in_rule && r & REL_NARROW) || (in_never && r & REL_WIDE);

	if (looser)
		return (struct verdict){ POLICY_LOOSEN, stricter,
					 in_never && !in_rule ? "a never rule forbids fewer calls" :
					 in_rule	      ? "rules match more calls" :
								"an assessment covers more calls" };
	if (stricter)
		return (struct verdict){ POLICY_TIGHTEN, false,
					 in_never && !in_rule ? "a never rule forbids more calls" : "rules match fewer calls" };
	return (struct verdict){ POLICY_NEUTRAL, false, r ? "nothing uses it" : "written differently" };
}

/* Numbers written in another way or order, or by a longer prefix. */
static bool set_text_same(const struct set *a, const struct set *b)
{
	if (a->numbers.n != b->numbers.n || a->nwords != b->nwords || a->ndates != b->ndates)
		return false;
	for (size_t i = 0; i < a->numbers.n; i++)
		if (a->numbers.pat[i].lo != b->numbers.pat[i].lo || a->numbers.pat[i].hi != b->numbers.pat[i].hi ||
		    a->numbers.pat[i].kind != b->numbers.pat[i].kind || a->numbers.pat[i].len != b->numbers.pat[i].len)
			return false;
	for (const struct word *x = a->words, *y = b->words; x && y; x = x->next, y = y->next)
		if (strcmp(x->s, y->s))
			return false;
	return !a->ndates || !memcmp(a->dates, b->dates, a->ndates * sizeof(*a->dates));
}

static void compare_set(struct diff *d, const struct set_rel *s)
{
	const char *name = s->now->o.name;
	struct verdict v;

	if (s->old->kind != s->now->kind || s->old->dynamic != s->now->dynamic) {
		v = (struct verdict){ POLICY_LOOSEN, true, "what the set is has changed" };
		diff_tell(d, v, false, s->now->o.pos, "set", name, "kind", members_text(s->old), members_text(s->now));
		return;
	}
	if (s->old->sensitive != s->now->sensitive) {
		v = (struct verdict){ s->now->sensitive ? POLICY_TIGHTEN : POLICY_LOOSEN, false, "duties of sensitive lines (N-05)" };
		diff_tell(d, v, false, s->now->o.pos, "set", name, "sensitive", strdup(s->old->sensitive ? "yes" : "no"),
			  strdup(s->now->sensitive ? "yes" : "no"));
	}
	if (s->rel == REL_SAME && set_text_same(s->old, s->now))
		return;
	v = set_verdict(s->rel, set_use(d->old, name) | set_use(d->now, name));
	diff_tell(d, v, false, s->now->o.pos, "set", name, "members", members_text(s->old), members_text(s->now));
}

static void compare_sets(struct diff *d)
{
	for (const struct obj *o = d->now->sets.first; o && !d->oom; o = o->next) {
		const struct set_rel *s = diff_set(d, o->name);

		if (s)
			compare_set(d, s);
		else
			diff_tell(d, (struct verdict){ POLICY_NEUTRAL, false, "no effect until a rule names it" }, false, o->pos,
				  "set", o->name, "", NULL, members_text((const struct set *)o));
	}
	for (const struct obj *o = d->old->sets.first; o && !d->oom; o = o->next)
		if (!list_find(&d->now->sets, o->name))
			diff_tell(d, (struct verdict){ POLICY_NEUTRAL, false, "no rule names it" }, true, o->pos, "set", o->name, "",
				  members_text((const struct set *)o), NULL);
}

/* ---- rules ---- */

struct pair {
	const struct rule *old, *now; /* one may be NULL */
	size_t at_old, at_now;
	enum rel rel;
};

struct rules {
	struct pair *p; /* old ones in their order, then those only in the new policy */
	size_t n, nold;
};

static const struct verdict never_added = { POLICY_TIGHTEN, false, "what it matches is not recorded, calls in progress included" };
static const struct verdict never_gone = { POLICY_LOOSEN, false, "what it forbade may be recorded" };

static bool writes_match(struct diff *d, const struct rule *a, const struct rule *b, int id, char **was, char **is)
{
	*was = diff_text(d, &rule_table, id, a);
	*is = diff_text(d, &rule_table, id, b);
	if ((*was && *is && strcmp(*was, *is)) || !*was != !*is)
		return true;
	free(*was);
	free(*is);
	return false;
}

/* The criteria that are written otherwise, all under the verdict on the whole. */
static void tell_match(struct diff *d, const struct rule *a, const struct rule *b, enum rel r, struct verdict v)
{
	size_t before = d->out->n;
	char *was, *is;

	for (int id = R_CALLED; id <= R_TAG; id++) {
		if (id == R_DIRECTION && a->direction == b->direction)
			continue;
		if (writes_match(d, a, b, id, &was, &is))
			diff_tell(d, v, false, b->at[id].line ? b->at[id] : b->o.pos, b->never ? "never" : "rule", b->o.name,
				  rule_table.s[id].name, was, is);
	}
	/* Only its sets or controller changed, which is told there; what follows for later rules is not. */
	if (d->out->n == before && r == REL_NARROW && v.change == POLICY_LOOSEN && !b->never)
		diff_tell(d, v, false, b->o.pos, "rule", b->o.name, "match", strdup("by its old sets"), strdup("by its new ones"));
}

static void compare_never(struct diff *d, const struct rule *a, const struct rule *b)
{
	enum rel r = diff_match_rel(d, a, b);
	struct verdict v = { POLICY_NEUTRAL, false, "written differently" };
	char *was, *is;

	if (r & REL_NARROW)
		v = (struct verdict){ POLICY_LOOSEN, r == REL_MIXED, "it forbids fewer calls" };
	else if (r)
		v = (struct verdict){ POLICY_TIGHTEN, false, "it forbids more calls" };
	if (writes_match(d, a, b, R_CONTROLLER, &was, &is))
		diff_tell(d, v, false, b->at[R_CONTROLLER].line ? b->at[R_CONTROLLER] : b->o.pos, "never", b->o.name, "controller",
			  was, is);
	tell_match(d, a, b, r, v);
	for (int id = R_OWNER; id < R_N; id++)
		if (id != R_DOCUMENTATION && id != R_TRAINING && writes_match(d, a, b, id, &was, &is))
			diff_tell(d, neutral, false, b->at[id].line ? b->at[id] : b->o.pos, "never", b->o.name,
				  rule_table.s[id].name, was, is);
}

static void compare_nevers(struct diff *d)
{
	for (const struct obj *o = d->now->nevers.first; o && !d->oom; o = o->next) {
		const struct obj *was = list_find(&d->old->nevers, o->name);

		if (was)
			compare_never(d, (const struct rule *)was, (const struct rule *)o);
		else
			diff_tell(d, never_added, false, o->pos, "never", o->name, "", NULL, strdup("added"));
	}
	for (const struct obj *o = d->old->nevers.first; o && !d->oom; o = o->next)
		if (!list_find(&d->now->nevers, o->name))
			diff_tell(d, never_gone, true, o->pos, "never", o->name, "", strdup("there"), NULL);
}

static int pair_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct rule *const *)a)->o.name, (*(const struct rule *const *)b)->o.name);
}

/* The new policy's rules by name, to find partners of a thousand without a million steps. */
static const struct rule **by_name(const struct policy *p)
{
	const struct rule **v = malloc((p->rules.n + 1) * sizeof(*v));

	if (!v)
		return NULL;
	for (size_t i = 0; i < p->rules.n; i++)
		v[i] = p->rule_array[i];
	qsort(v, p->rules.n, sizeof(*v), pair_cmp);
	return v;
}

static size_t place_of(const struct policy *p, const struct rule *r)
{
	size_t i = 0;

	while (i < p->rules.n && p->rule_array[i] != r)
		i++;
	return i;
}

static int pair_rules(struct diff *d, struct rules *ret)
{
	const struct rule **olds = by_name(d->old), **nows = by_name(d->now), **hit;
	struct pair *p = calloc(d->old->rules.n + d->now->rules.n + 1, sizeof(*p));
	size_t n = 0;
	int e = olds && nows && p ? 0 : -ENOMEM;

	for (size_t i = 0; !e && i < d->old->rules.n; i++) {
		const struct rule *r = d->old->rule_array[i];

		hit = d->now->rules.n ? bsearch(&r, nows, d->now->rules.n, sizeof(*nows), pair_cmp) : NULL;
		p[n++] = (struct pair){ r, hit ? *hit : NULL, i, hit ? place_of(d->now, *hit) : 0, REL_SAME };
	}
	ret->nold = n;
	for (size_t i = 0; !e && i < d->now->rules.n; i++) {
		const struct rule *r = d->now->rule_array[i];

		if (!d->old->rules.n || !bsearch(&r, olds, d->old->rules.n, sizeof(*olds), pair_cmp))
			p[n++] = (struct pair){ NULL, r, 0, i, REL_WIDE };
	}
	free(olds);
	free(nows);
	if (e) {
		free(p);
		return e;
	}
	ret->p = p;
	ret->n = n;
	return 0;
}

/*
 * Calls that r (old) no longer takes go to a later rule, or to none. Is every later rule that
 * could take them at least as strict? Rules that are only new are judged where they are added.
 */
static bool falls_safely(struct diff *d, const struct rules *all, size_t at)
{
	const struct rule *r = all->p[at].old;

	for (size_t i = at + 1; i < all->nold; i++) {
		const struct pair *s = &all->p[i];

		if (s->now && diff_may_meet(d, r, s->now) && diff_settings_class(d, r, s->now) == POLICY_LOOSEN)
			return false;
	}
	return true;
}

/*
 * Every call the new rule takes was recorded before, and each rule it can take a call from was
 * no stricter.
 */
static bool added_safely(struct diff *d, const struct rules *all, const struct pair *x)
{
	bool covered = false;

	for (size_t i = 0; i < all->nold; i++) {
		const struct pair *t = &all->p[i];

		/* it had those calls before, and still comes first */
		if (t->now && t->at_now < x->at_now && !(t->rel & REL_NARROW))
			continue;
		if (!diff_may_meet(d, t->old, x->now))
			continue;
		if (diff_settings_class(d, t->old, x->now) == POLICY_LOOSEN)
			return false;
		covered |= !(diff_match_rel(d, t->old, x->now) & REL_WIDE);
	}
	return covered;
}

static void tell_added(struct diff *d, const struct rules *all, const struct pair *x)
{
	struct verdict v = { POLICY_LOOSEN, false, "calls may be recorded that were not, or by other terms" };

	if (!x->now)
		return;
	if (diff_draws(x->now)) /* by its name and controller, as if nothing had been recorded in the time of its caps */
		v = (struct verdict){ POLICY_LOOSEN, false, "its caps count from nothing, whatever was recorded of these calls (N-51, INV-10)" };
	else if (added_safely(d, all, x))
		v = (struct verdict){ POLICY_TIGHTEN, false, "its calls were recorded before, by terms no stricter" };
	diff_tell(d, v, false, x->now->o.pos, "rule", x->now->o.name, "", NULL, strdup("added"));
	diff_amount(d, diff_draws(x->now));
}

/* Its calls, or some, go to a rule of another name that keeps them shorter: it was perhaps renamed. Stored calls go by the name. */
static bool renamed_shorter(struct diff *d, const struct rules *all, const struct rule *r)
{
	for (size_t i = all->nold; i < all->n; i++) {
		const struct rule *x = all->p[i].now;

		if (x && !strcmp(x->pub.controller->name, r->pub.controller->name) && diff_keeps_shorter(r, x) && diff_may_meet(d, r, x))
			return true;
	}
	return false;
}

#define STORED_STAY    "; stored ones stay until their own time"
#define STORED_RENAMED "; stored ones stay until their own time: under this rule's name the shorter one of the rule that takes its calls would reach them"

static void tell_gone(struct diff *d, const struct rules *all, size_t at)
{
	static const char *const why[2][2] = {
		{ "its calls are not recorded any more, calls in progress included" STORED_STAY,
		  "its calls are not recorded any more, calls in progress included" STORED_RENAMED },
		{ "a later rule may take its calls, by looser terms" STORED_STAY, "a later rule may take its calls, by looser terms" STORED_RENAMED },
	};
	const struct rule *r = all->p[at].old;
	bool looser = !falls_safely(d, all, at);
	struct verdict v = { looser ? POLICY_LOOSEN : POLICY_TIGHTEN, looser, why[looser][renamed_shorter(d, all, r)] };

	diff_tell(d, v, true, r->o.pos, "rule", r->o.name, "", strdup("there"), NULL);
}

static void compare_rule(struct diff *d, const struct rules *all, size_t at)
{
	struct verdict v = { POLICY_NEUTRAL, false, "written differently" };
	const struct pair *x = &all->p[at];

	if (x->rel & REL_WIDE)
		v = (struct verdict){ POLICY_LOOSEN, x->rel == REL_MIXED, "it matches more calls" };
	else if (x->rel && falls_safely(d, all, at))
		v = (struct verdict){ POLICY_TIGHTEN, false, "it matches fewer calls" };
	else if (x->rel)
		v = (struct verdict){ POLICY_LOOSEN, true, "it matches fewer calls, and a later rule may take them by looser terms" };
	tell_match(d, x->old, x->now, x->rel, v);
	diff_settings(d, x->old, x->now);
}

/* b came after a, and now comes before it. */
static enum policy_change overtakes(struct diff *d, const struct pair *a, const struct pair *b)
{
	if (!diff_may_meet(d, a->old, b->now) && !diff_may_meet(d, a->now, b->old))
		return POLICY_NEUTRAL;
	return diff_settings_class(d, a->old, b->now) == POLICY_LOOSEN ? POLICY_LOOSEN : POLICY_TIGHTEN;
}

static void compare_order(struct diff *d, const struct rules *all)
{
	for (size_t j = 0; j < all->nold && !d->oom; j++) {
		struct verdict v = { POLICY_NEUTRAL, false, "no call is decided otherwise" };
		const struct pair *b = &all->p[j], *first = NULL;

		for (size_t i = 0; b->now && i < j && v.change != POLICY_LOOSEN; i++) {
			const struct pair *a = &all->p[i];
			enum policy_change k;

			if (!a->now || a->at_now < b->at_now)
				continue;
			k = overtakes(d, a, b);
			if (!first || k > v.change)
				first = a;
			v.change = k > v.change ? k : v.change;
		}
		if (!first)
			continue;
		if (v.change == POLICY_LOOSEN)
			v.why = "it now takes calls of a rule that was stricter";
		else if (v.change == POLICY_TIGHTEN)
			v.why = "it now takes calls of a rule that was no stricter";
		diff_tell(d, v, false, b->now->o.pos, "rule", b->now->o.name, "order", joined2("after rule", first->old->o.name),
			  joined2("before rule", first->old->o.name));
	}
}

static int compare_rules(struct diff *d)
{
	struct rules all;
	int e = pair_rules(d, &all);

	if (e)
		return e;
	for (size_t i = 0; i < all.nold; i++)
		if (all.p[i].now)
			all.p[i].rel = diff_match_rel(d, all.p[i].old, all.p[i].now);
	for (size_t i = 0; i < all.n && !d->oom; i++) {
		if (!all.p[i].old)
			tell_added(d, &all, &all.p[i]);
		else if (!all.p[i].now)
			tell_gone(d, &all, i);
		else
			compare_rule(d, &all, i);
	}
	compare_order(d, &all);
	free(all.p);
	return 0;
}

/* ---- all of it ---- */

/* Places of the new policy first, in its order; what is gone after that. */
static int item_cmp(const void *a, const void *b)
{
	const struct policy_diff_item *x = a, *y = b;
	int c;

	if (x->gone != y->gone)
		return x->gone - y->gone;
	c = strcmp(x->file, y->file);
	if (!c)
		c = x->line < y->line ? -1 : x->line > y->line;
	if (!c)
		c = strcmp(x->setting ? x->setting : "", y->setting ? y->setting : "");
	return c;
}

int policy_diff(const struct policy *old, const struct policy *now, struct policy_diff *ret)
{
	struct diff d = { .old = old, .now = now, .out = ret, .work = WORK_MAX };
	int e;

	memset(ret, 0, sizeof(*ret));
	if (!strcmp(old->hash, now->hash))
		return 0;
	e = relate_sets(&d);
	for (size_t i = 0; !e && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		compare_objects(&d, &kinds[i]);
	if (!e) {
		compare_sets(&d);
		compare_nevers(&d);
		e = compare_rules(&d);
	}
	if (!e && !ret->n) /* objects stand in another order */
		diff_tell(&d, (struct verdict){ POLICY_NEUTRAL, false, "written in another order" }, false, (struct pos){ 0 }, "policy",
			  NULL, "order", NULL, NULL);
	if (d.oom)
		e = -ENOMEM;
	free(d.set);
	if (e) {
		policy_diff_free(ret);
		return e;
	}
	qsort(ret->item, ret->n, sizeof(*ret->item), item_cmp);
	return 0;
}

void policy_diff_free(struct policy_diff *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->item[i].object);
		free(d->item[i].setting);
		free(d->item[i].was);
		free(d->item[i].is);
	}
	free(d->item);
	memset(d, 0, sizeof(*d));
}

const char *policy_change_name(enum policy_change c)
{
	static const char *const name[POLICY_CHANGES] = { "neutral", "tighten", "shorten", "loosen" };

	return (unsigned)c < POLICY_CHANGES ? name[c] : "?";
}
