/* SPDX-License-Identifier: BSD-2-Clause */
/* inventory.c - the run, and what is told of it; see inventory.h */
#include "store/inventory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/fsck_hold.h"
#include "store/hold.h"
#include "store/inventory_internal.h"
#include "store/overlay.h"

#define TRIES 3 /* when a writer begins to change what is read */

const char *const inventory_ages[INVENTORY_AGES] = { "0-7", "8-30", "31-60", "61-92", "93-" };

void inv_problem(struct inventory *v, const char *file, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (v->t.problems++ >= INVENTORY_PROBLEMS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	v->problem[v->t.problems - 1] = (struct inv_text){ strdup(file), strdup(text) };
}

int inv_uid_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uid));
}

bool inv_uid_in(const struct uid *v, size_t n, const struct uid *u)
{
	return n && bsearch(u, v, n, sizeof(*v), inv_uid_cmp);
}

static void hold_bad(void *arg, const char *file, uint64_t off, const char *rule, const char *text)
{
	inv_problem(arg, file, "offset %llu: %s: %s", (unsigned long long)off, rule, text);
}

static void hold_key(void *arg, const char *controller, uint32_t day, uint32_t slot, const struct uid *uid)
{
	struct inventory *v = arg;
	struct uid *more = v->held_key;

	(void)controller, (void)day, (void)slot;
	if (!(v->nheld_key & (v->nheld_key - 1)))
		more = realloc(more, (v->nheld_key ? 2 * v->nheld_key : 1) * sizeof(*more));
	if (!more) { /* then its row is told as one without a key: no silence */
		inv_problem(v, "holds", "out of memory");
		return;
	}
	v->held_key = more;
	more[v->nheld_key++] = *uid;
}

static int run(struct inventory *v)
{
	struct why why = { "" };
	int rc = fsck_holds(&v->root, &(struct fsck_hold){ .arg = v, .bad = hold_bad, .key = hold_key }, v->why);

	if (rc)
		return rc;
	if (v->nheld_key)
		qsort(v->held_key, v->nheld_key, sizeof(*v->held_key), inv_uid_cmp);
	v->t.held_keys = v->nheld_key;
	if (holds_open(&v->root, HOLDS_READ, &v->holds, &why))
		v->holds = NULL; /* fsck_holds told it */
	v->group = calloc(INV_GROUPS, sizeof(*v->group));
	if (v->set->rule)
		v->rule = calloc(INV_GROUPS, sizeof(*v->rule));
	if (!v->group || (v->set->rule && !v->rule) || overlay_new(&v->root, &v->overlay))
		return why_set(v->why, -ENOMEM, "out of memory");
	overlay_no_slots(v->overlay);
	overlay_many(v->overlay); /* a line that comes later: its key is not there, and that is looked at again */
	rc = inv_rows(v);
	if (!rc && overlay_damage(v->overlay, &why))
		inv_problem(v, "catalog", "%s", why.text);
	if (!rc)
		rc = inv_files(v);
	if (!rc)
		rc = inv_keys_rest(v);
	return rc;
}

static void done(struct inventory *v)
{
	overlay_free(v->overlay);
	holds_close(v->holds);
	free(v->held_key);
	for (size_t i = 0; i < v->nkeys; i++) {
		free(v->keys[i]->slot);
		free(v->keys[i]);
	}
	free(v->keys);
	for (size_t i = 0; i < v->nday; i++) {
		free(v->day[i]->segment);
		free(v->day[i]);
	}
	free(v->day);
	free(v->group);
	free(v->rule);
	free(v->gone);
	for (size_t i = 0; i < INVENTORY_PROBLEMS; i++) {
		free(v->problem[i].file);
		free(v->problem[i].text);
	}
	root_close(&v->root);
}

static void tell(struct inventory *v)
{
	for (size_t i = 0; v->set->group && i < INV_GROUPS; i++)
		if (v->group[i].calls)
			v->set->group(v->set->arg, &v->group[i]);
	for (size_t i = 0; v->rule && i < INV_GROUPS; i++)
		if (*v->rule[i].controller)
			v->set->rule(v->set->arg, &v->rule[i]);
	for (size_t i = 0; v->set->problem && i < v->t.problems && i < INVENTORY_PROBLEMS; i++)
		v->set->problem(v->set->arg, v->problem[i].file ? v->problem[i].file : "?",
				v->problem[i].text ? v->problem[i].text : "out of memory");
}

int inventory_run(const struct inventory_settings *s, struct inventory_totals *ret, char *why, size_t n)
{
	struct inventory *v = NULL;
	struct why w = { "" };
	int rc = -EAGAIN;

	for (int i = 0; rc == -EAGAIN && i < TRIES; i++) {
		v = calloc(1, sizeof(*v));
		if (!v) {
			rc = why_set(&w, -ENOMEM, "out of memory");
			break;
		}
		rc = root_open(s->store, &v->root, &w);
		if (rc) {
			free(v);
			break;
		}
		v->set = s;
		v->why = &w;
		rc = run(v);
		if (!rc) {
			tell(v);
			*ret = v->t;
			rc = v->t.problems != 0;
		}
		done(v);
		free(v);
	}
	if (rc < 0 && why && n)
		snprintf(why, n, "%s", w.text);
	return rc;
}
