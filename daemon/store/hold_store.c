/* SPDX-License-Identifier: BSD-2-Clause */
/* hold_store.c - holds for who has the store open: which call it is, from its row */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/catalog.h"
#include "store/hold_internal.h"

int store_holds(struct store *st, enum holds_mode mode, struct holds **ret, uint64_t *ret_lost)
{
	uint64_t lost = 0;
	int rc = holds_open(&st->root, mode, ret, &st->why);

	st->why.text[0] = rc ? st->why.text[0] : 0;
	if (!rc && mode == HOLDS_WRITE)
		(void)holds_settle(*ret, &lost, &st->why); /* its error is somebody else's call */
	if (ret_lost)
		*ret_lost = lost;
	return rc;
}

struct found {
	struct hold h;
	enum store_state state;
	bool any;
};

static int take_row(void *arg, const struct store_row *row)
{
	/* store_find hands out the rows of its cursors */
	const struct cursor_row *c = (const struct cursor_row *)(const void *)row;
	struct found *f = arg;

	f->any = true;
	f->state = row->state[STORE_DOCUMENTATION];
	f->h = (struct hold){ .uid = row->uid, .day = c->purpose_day[STORE_DOCUMENTATION], .slot = c->purpose_slot[STORE_DOCUMENTATION],
			      .until_ns = row->until_ns[STORE_DOCUMENTATION] };
	snprintf(f->h.controller, sizeof(f->h.controller), "%s", row->controller);
	return 0;
}

int store_hold_add(struct store *st, struct holds *h, const struct uid *uid, const struct hold_why *w,
		   const struct hold_person *who, uint64_t now, bool *ret_new)
{
	struct store_filter filter = { .state = -1, .uid = uid };
	struct found f = { .any = false };
	struct why *why = &st->why;
	int rc = hold_why_check(w, now, why);

	if (rc)
		return rc;
	*ret_new = !hold_is(h, uid);
	if (!*ret_new)
		return hold_say(h, uid, w, who, now, why);
	rc = store_find(st, &filter, take_row, &f);
	if (rc && !(rc == -EBADMSG && f.any)) /* another part of the catalog is damaged */
		return rc;
	if (!f.any)
		return why_set(why, -ENOENT, "no such call (one in progress can be held when it has ended)");
	if (f.state != STORE_S_GRANTED && f.state != STORE_S_OBJECTED)
		return why_set(why, f.state == STORE_S_EXPIRED ? -ESHUTDOWN : -EACCES,
			       "documentation is %s on this call: there is nothing to hold", store_state_names[f.state]);
	if (!f.h.slot || !f.h.day)
		return why_set(why, -ESHUTDOWN, "its key is destroyed");
	return hold_begin(h, &f.h, w, who, now, why);
}

int store_hold_release(struct store *st, struct holds *h, const struct uid *uid, const char *reason,
		       const struct hold_person *who, uint64_t now, enum hold_end *ret)
{
	return hold_end(h, uid, reason, who, now, ret, &st->why);
}

int store_hold_cancel(struct store *st, struct holds *h, const struct uid *uid, const struct hold_person *who, uint64_t now)
{
	return hold_unask(h, uid, who, now, &st->why);
}
