/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_allow.c - which changes of a policy may be made by one person alone, see policies.h
 *
 * What is refused is refused with the lines that loosen, so that whoever reads it knows what to have approved.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policies_internal.h"

static void add(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add(char *out, size_t size, const char *fmt, ...)
{
	size_t at = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + at, size - at, fmt, ap);
	va_end(ap);
}

static const char *base_name(const char *path)
{
	const char *s = path ? strrchr(path, '/') : NULL;

	return s ? s + 1 : path ? path : "";
}

/* As many as there is room for, each whole. */
static void name_lines(const struct policy_diff *d, bool (*wanted)(const struct policy_diff_item *i), char *out, size_t size)
{
	size_t left = 0;

	for (size_t k = 0; k < d->n; k++) {
		const struct policy_diff_item *i = &d->item[k];
		char one[256];

		if (!wanted(i))
			continue;
		snprintf(one, sizeof(one), "; %s:%d %s%s%s", base_name(i->file), i->line, i->object, *i->setting ? ", " : "", i->setting);
		if (left || strlen(out) + strlen(one) + sizeof("; and 1000 more") > size)
			left++;
		else
			add(out, size, "%s", one);
	}
	if (left)
		add(out, size, "; and %zu more", left);
}

static bool loosens(const struct policy_diff_item *i)
{
	return i->change == POLICY_LOOSEN;
}

/* How many calls are recorded for training: N-51. */
static bool amount(const struct policy_diff_item *i)
{
	return i->amount;
}

static const struct policies_approver *approver(const struct policies_approval *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->approver[i].name, name))
			return &a->approver[i];
	return NULL;
}

const char *policies_approval_wrong(const struct policies_approval *a, const struct approval *x, const char *policy, const char *base,
				    uint64_t now_ns)
{
	const struct policies_approver *p = approver(a, x->approver);

	if (strcmp(x->policy, policy) != 0)
		return "the approval is of another policy";
	if (strcmp(x->base, base) != 0)
		return "the approval is of a step from another policy than runs now";
	if (now_ns / NS_PER_S >= x->until_s)
		return "the time of the approval is over";
	if (!p)
		return "who signed the approval is no approver (optagd.conf)";
	if (p->uid >= 0 && (uint64_t)p->uid == x->proposer)
		return "who proposes does not approve: it takes a second person";
	if (!approval_verify(x, p->key))
		return "the signature of the approval is not the approver's";
	return NULL;
}

int policies_allow_id(const struct policies_approval *a, const char *store, const char *id, const char *base, char name[APPROVAL_NAME],
		      char *why, size_t n)
{
	char file[80], *text = NULL;
	const char *wrong = NULL;
	struct approval x;
	size_t len = 0;
	int e;

	snprintf(file, sizeof(file), "%s.approval", id);
	e = store ? policy_read_file(store, file, APPROVAL_MAX, &text, &len) : -ENOENT;
	if (!e)
		e = approval_parse(text, len, &x);
	free(text);
	if (e == -ENOENT)
		wrong = "nobody approved it";
	else if (e)
		wrong = "the approval cannot be read";
	else
		wrong = policies_approval_wrong(a, &x, id, base, clock_later_ns(clock_now_ns()));
	if (wrong) {
		snprintf(why, n, "%s", wrong);
		return -EACCES;
	}
	memcpy(name, x.approver, APPROVAL_NAME);
	return 0;
}

int policies_allow(const struct policies_approval *a, const char *store, const struct policy_diff *d, struct job *j)
{
	char reason[128] = "";

	if (j->note.how == POLHIST_H_REVERT || j->note.how == POLHIST_H_EFFECTIVE)
		return 0;
	if (!*j->note.reason && (j->note.how == POLHIST_H_SIGNAL || j->note.how == POLHIST_H_BEGIN)) {
		name_lines(d, amount, j->why, sizeof(j->why));
		if (*j->why) {
			memmove(j->why, j->why + 2, strlen(j->why + 2) + 1); /* "; " */
			add(j->why, sizeof(j->why), ": amounts change with a reason only (optag policy apply --reason)");
			return -EACCES;
		}
	}
	if (!a->loosening || !d->count[POLICY_LOOSEN])
		return 0;
	if (policies_allow_id(a, store, policy_hash(j->p), policy_hash(j->against), j->note.approver, reason, sizeof(reason)) == 0)
		return 0;
	snprintf(j->why, sizeof(j->why), "%zu change%s, and %s (optag policy propose)", d->count[POLICY_LOOSEN],
		 d->count[POLICY_LOOSEN] == 1 ? " loosens" : "s loosen", reason);
	name_lines(d, loosens, j->why, sizeof(j->why));
	return -EACCES;
}
