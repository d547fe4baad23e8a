/* SPDX-License-Identifier: BSD-2-Clause */
/* describe.c - objects of a policy for who asks afterwards, see describe.h */
#include "describe.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

static const struct pos *places(const struct table *t, const void *obj)
{
	return (const struct pos *)((const char *)obj + t->at_off);
}

/* Settings from..to that were written, in the table's order. */
static void settings(FILE *f, const struct table *t, const void *obj, int from, int to)
{
	const struct pos *at = places(t, obj);

	for (int i = from; i < to; i++)
		if (at[i].line)
			table_print_setting(f, t, i, obj);
}

struct text {
	char *s;
	size_t n;
	FILE *f;
};

static int text_begin(struct text *t)
{
	*t = (struct text){0};
	t->f = open_memstream(&t->s, &t->n);
	return t->f ? 0 : -ENOMEM;
}

static int text_hash(struct text *t, uint8_t ret[POLICY_TEXT_HASH])
{
	int bad = ferror(t->f);

	bad |= fclose(t->f);
	if (!bad)
		(void)crypto_generichash(ret, POLICY_TEXT_HASH, (const uint8_t *)t->s, t->n, NULL,
					 0); /* fails for wrong lengths only */
	free(t->s);
	return bad ? -ENOMEM : 0;
}

int policy_assessment(const struct policy *p, const char *id, struct policy_assessment *ret)
{
	const struct assessment *a =
		id ? (const struct assessment *)list_find(&p->assessments, id) : NULL;
	struct text t;
	int e;

	if (!a)
		return -ENOENT;
	e = text_begin(&t);
	if (e)
		return e;
	settings(t.f, &assessment_table, a, 0, assessment_table.n);
	*ret = (struct policy_assessment){.id = a->o.name,
					  .kind = assess_kind_names[a->kind],
					  .author = a->author,
					  .approver = a->approver,
					  .file = a->file ? a->file->s : NULL,
					  .date = a->date,
					  .review = a->review};
	return text_hash(&t, ret->hash);
}

int policy_announcement_hash(const struct policy *p, const char *name,
			     uint8_t ret[POLICY_TEXT_HASH])
{
	const struct obj *a = list_find(&p->announcements, name);
	struct text t;
	int e;

	if (!a)
		return -ENOENT;
	e = text_begin(&t);
	if (e)
		return e;
	settings(t.f, &announcement_table, a, 0, announcement_table.n);
	return text_hash(&t, ret);
}

/* The names stand with the text: a set that takes another's name is another one. */
static void named(FILE *f, const char *what, const struct obj *o)
{
	fprintf(f, "%s %zu:%s\n", what, strlen(o->name), o->name);
}

static void rule_match(FILE *f, const struct obj *o)
{
	fputs("match\n", f);
	settings(f, &rule_table, o, R_CONTROLLER, R_OWNER);
}

static void context(FILE *f, const struct policy *p)
{
	static const int decides[] = {C_TIMEZONE, C_NUMBERS, C_TRUNKS, C_LAB};
	const struct obj *o;

	for (o = p->controllers.first; o; o = o->next) {
		named(f, "controller", o);
		for (size_t i = 0; i < sizeof(decides) / sizeof(*decides); i++)
			settings(f, &controller_table, o, decides[i], decides[i] + 1);
	}
	for (o = p->trunks.first; o; o = o->next) {
		named(f, "trunk", o);
		settings(f, &trunk_table, o, 0, trunk_table.n);
	}
	for (o = p->sets.first; o; o = o->next)
		set_print(f, (const struct set *)o);
	for (o = p->nevers.first; o; o = o->next)
		rule_match(f, o);
	fputs("rules\n", f);
}

int policy_match_hash(const struct policy *p, const struct policy_rule *r,
		      uint8_t ret[POLICY_TEXT_HASH])
{
	struct text t;
	int e = text_begin(&t);

	if (e)
		return e;
	context(t.f, p);
	for (const struct obj *o = p->rules.first; o; o = o->next) {
		rule_match(t.f, o);
		if (&((const struct rule *)o)->pub == r)
			break;
	}
	return text_hash(&t, ret);
}
