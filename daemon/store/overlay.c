/* SPDX-License-Identifier: BSD-2-Clause */
/* overlay.c - a purpose of a stored call as it is now, see overlay.h */
#include "store/overlay.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/hold.h"
#include "store/slots.h"
#include "store/store_call.h"

struct seen { /* a bucket */
	uint32_t day;
	bool live;
};

struct owner {
	struct owner *next;
	char controller[STORE_NAME_MAX];
	struct later *later; /* NULL: nothing happened later */
	struct seen *seen[STORE_PURPOSES];
	size_t n[STORE_PURPOSES];
};

struct overlay {
	const struct root *root;
	struct owner *owners;
};

int overlay_new(const struct root *r, struct overlay **ret)
{
	struct overlay *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->root = r;
	*ret = o;
	return 0;
}

void overlay_free(struct overlay *o)
{
	struct owner *w;

	if (!o)
		return;
	while ((w = o->owners)) {
		o->owners = w->next;
		later_close(w->later);
		for (int p = 0; p < STORE_PURPOSES; p++)
			free(w->seen[p]);
		free(w);
	}
	free(o);
}

static int owner_get(struct overlay *o, const char *controller, struct owner **ret, struct why *why)
{
	struct owner *w = o->owners;
	int rc;

	while (w && strcmp(w->controller, controller))
		w = w->next;
	*ret = w;
	if (w)
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return why_set(why, -ENOMEM, "out of memory");
	snprintf(w->controller, sizeof(w->controller), "%s", controller);
	rc = later_open(o->root, controller, false, &w->later, why);
	if (rc && rc != -ENOENT) {
		free(w);
		return rc;
	}
	w->next = o->owners;
	o->owners = w;
	*ret = w;
	return 0;
}

/* 1 live, 0 destroyed or gone with its day. Who may not look at keys, or cannot read this one, is told what the row says. */
static int bucket_live(struct overlay *o, struct owner *w, enum store_purpose p, uint32_t day, struct why *why)
{
	struct seen *v = w->seen[p];
	struct bucket b;
	int rc;

	for (size_t i = w->n[p]; i-- > 0;)
		if (v[i].day == day)
			return v[i].live;
	rc = bucket_read(o->root, w->controller, p, day, &b, why);
	if (rc && rc != -ENOENT && rc != -EACCES && rc != -EBADMSG)
		return rc;
	if (!(w->n[p] & (w->n[p] - 1))) {
		v = realloc(v, (w->n[p] ? 2 * w->n[p] : 1) * sizeof(*v));
		if (!v)
			return why_set(why, -ENOMEM, "out of memory");
		w->seen[p] = v;
	}
	v[w->n[p]] = (struct seen){ day, rc == -EACCES || rc == -EBADMSG || (!rc && b.state == BUCKET_LIVE) };
	sodium_memzero(&b, sizeof(b));
	return v[w->n[p]++].live;
}

/* It has a key of its own. */
static bool held(const struct overlay *o, const char *controller, const struct uid *uid)
{
	struct slot slot;
	struct why none;
	uint8_t key[32];
	int rc = hold_slot_find(o->root, controller, uid, &slot, key, &none);

	sodium_memzero(key, sizeof(key));
	return !rc;
}

int overlay_state(struct overlay *o, const char *controller, const struct uid *uid, enum store_purpose p, uint32_t purpose_day,
		  enum store_state *state, char reason[LATER_REASON], struct why *why)
{
	struct later_line line;
	struct owner *w;
	int rc = owner_get(o, controller, &w, why);

	if (rc)
		return rc;
	rc = later_get(w->later, uid, p, &line, why);
	if (rc < 0)
		return rc;
	if (rc) {
		*state = line.state;
		memcpy(reason, line.reason, LATER_REASON);
		return 1;
	}
	if (!state_holds(*state) || !purpose_day || purpose_day == DAY_HOLD)
		return 0;
	rc = bucket_live(o, w, p, purpose_day, why);
	if (rc)
		return rc < 0 ? rc : 0;
	if (p == STORE_DOCUMENTATION && held(o, controller, uid)) /* and whoever destroyed it could not say so here */
		return 0;
	*state = STORE_S_EXPIRED;
	snprintf(reason, LATER_REASON, "deadline");
	return 1;
}
