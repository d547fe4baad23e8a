/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_person.c - L-91: who writes is not who approves
 *
 * Persons are known by what stands in `owner`, `author`, `approver` and
 * `second-approver`: by the mail address if there is one, else by the text,
 * without regard to case and blanks around it.
 */
#include <string.h>
#include <strings.h>

#include "lint.h"

struct name {
	const char *s;
	size_t n;
};

static bool mail_char(char c)
{
	return c && !strchr(" \t<>(),;\"", c);
}

static struct name name_of(const char *s)
{
	const char *at = strchr(s, '@'), *from = at, *to = at;
	struct name r = {s, strlen(s)};

	if (at) {
		while (from > s && mail_char(from[-1]))
			from--;
		while (mail_char(*to))
			to++;
		r = (struct name){from, (size_t)(to - from)};
	}
	while (r.n && strchr(" \t", *r.s)) {
		r.s++;
		r.n--;
	}
	while (r.n && strchr(" \t", r.s[r.n - 1]))
		r.n--;
	return r;
}

bool same_person(const char *a, const char *b)
{
	struct name x, y;

	if (!a || !b)
		return false;
	x = name_of(a);
	y = name_of(b);
	return x.n && x.n == y.n && !strncasecmp(x.s, y.s, x.n);
}

static void tell(struct policy *p, struct pos at, const char *who, const char *also)
{
	diag_add(p, at, "L-91", "R-51: whoever writes a rule does not approve it.", "name another person.",
		 "the %s is also the %s.", who, also);
}

void check_persons(struct policy *p, const struct assessment *a)
{
	if (same_person(a->author, a->approver))
		tell(p, a->at[AS_APPROVER], "approver", "author");
	if (same_person(a->author, a->second))
		tell(p, a->at[AS_SECOND], "second approver", "author");
	else if (same_person(a->approver, a->second))
		tell(p, a->at[AS_SECOND], "second approver", "first one");
}

void check_owner_approves(struct policy *p, const struct rule *r)
{
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		const struct word *w[] = {r->block[i].assessment, r->block[i].special_assessment,
					  r->block[i].reason_assessment};

		for (size_t k = 0; k < sizeof(w) / sizeof(w[0]); k++) {
			const struct assessment *a = w[k] ? w[k]->obj : NULL;

			if (!a || (!same_person(r->pub.owner, a->approver) && !same_person(r->pub.owner, a->second)))
				continue;
			diag_add(p, r->at[R_OWNER], "L-91", "R-51: whoever answers for a rule does not approve it.",
				 "name another person.", "the owner of the rule approved its assessment '%s'.",
				 a->o.name);
			return;
		}
	}
}
