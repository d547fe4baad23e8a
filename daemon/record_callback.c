/* SPDX-License-Identifier: BSD-2-Clause */
/* record_callback.c - the recorder's side of callback.h: whose number a call's is. One thread. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "callback.h"
#include "record_call.h"
#include "record_internal.h"

static const char *subject(const struct call *c)
{
	return c->rule->side == POLICY_SIDE_CALLED ? c->calling : c->called;
}

/* A capture that was replayed before promises nothing anew. */
static bool counts(const struct recorder *r, const struct call *c)
{
	return r->set.callbacks && !(c->user && recording_known(c->user));
}

static void told(struct recorder *r, int e)
{
	if (!e || e == -ENOENT)
		return;
	r->fig.callbacks_lost++;
	log_err("callback: %s: in memory only, a restart forgets it", strerror(-e));
}

void callback_add(void *arg, struct call *c, uint64_t until_ns)
{
	struct recorder *r = arg;

	if (counts(r, c))
		told(r, callbacks_add(r->set.callbacks, c->rule->controller->name, subject(c), until_ns));
}

bool callback_due(void *arg, struct call *c)
{
	struct recorder *r = arg;

	return r->set.callbacks && callbacks_has(r->set.callbacks, c->rule->controller->name, subject(c), clock_earlier_ns(clock_now_ns()));
}

void callback_used(void *arg, struct call *c)
{
	struct recorder *r = arg;

	if (counts(r, c))
		told(r, callbacks_used(r->set.callbacks, c->rule->controller->name, subject(c)));
}
