/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_kept.c - a policy that was in force under an earlier version, and what the linter of this one finds in it
 *
 * Its rules cannot be taken out: then another rule, or none, would decide their calls. They stay, match as they did, and are
 * refused: nothing may be recorded by them. A finding is a rule's when it lies in the rule, or in an announcement, an
 * assessment or the controller that it names; where it lies elsewhere all rules are refused. The text is one
 * source (policy_load_kept), so that a place is a line.
 */
#include "lint.h"

/* What begins at or before this line, and nothing between. */
static struct obj *at_line(struct policy *p, int line)
{
	const struct list *const lists[] = {&p->controllers, &p->trunks, &p->sets, &p->announcements, &p->assessments, &p->nevers, &p->rules};
	struct obj *found = p->defaults ? &p->defaults->o : NULL;

	if (found && found->pos.line > line)
		found = NULL;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		for (struct obj *o = lists[i]->first; o; o = o->next)
			if (o->pos.line <= line && (!found || o->pos.line > found->pos.line))
				found = o;
	return found;
}

void kept_doubt(struct policy *p, struct pos at)
{
	struct obj *o = at_line(p, at.line);

	if (o)
		o->doubted = true;
	else
		p->doubts_nowhere = true;
	p->doubts++;
}

static bool any(const struct word *w)
{
	for (; w; w = w->next)
		if (w->obj && ((const struct obj *)w->obj)->doubted)
			return true;
	return false;
}

static bool names_doubted(const struct rule *r)
{
	bool doubt = r->o.doubted || any(r->controller) || any(r->notice);

	for (int i = 0; i < POLICY_PURPOSES; i++)
		doubt |= any(r->block[i].assessment) || any(r->block[i].special_assessment) || any(r->block[i].reason_assessment);
	return doubt;
}

/* Found in something that rules do not name, or that no rule alone is answerable for. */
static bool elsewhere(const struct policy *p)
{
	const struct list *const others[] = {&p->trunks, &p->sets, &p->nevers};
	const struct list *const named[] = {&p->controllers, &p->announcements, &p->assessments, &p->rules};
	bool any_named = false;

	if (p->doubts_nowhere || (p->defaults && p->defaults->o.doubted))
		return true;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		for (const struct obj *o = others[i]->first; o; o = o->next)
			if (o->doubted)
				return true;
	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
		for (const struct obj *o = named[i]->first; o; o = o->next)
			any_named |= o->doubted;
	return !any_named;
}

bool kept_refuse(struct policy *p)
{
	bool all = p->doubts && elsewhere(p);

	for (struct obj *o = p->rules.first; o; o = o->next) {
		struct rule *r = (struct rule *)o;

		r->pub.refused = all || names_doubted(r);
		if (!r->pub.controller) /* never was in force */
			return false;
	}
	return true;
}

size_t policy_refused(const struct policy *p)
{
	size_t n = 0;

	for (const struct obj *o = p->rules.first; o; o = o->next)
		n += ((const struct rule *)o)->pub.refused;
	return n;
}
