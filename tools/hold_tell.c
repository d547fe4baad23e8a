/* SPDX-License-Identifier: BSD-2-Clause */
/* hold_tell.c - what optag hold tells the evidence log: by the outbox, since the daemon holds the log */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "hold.h"

int hold_tell_open(const char *store, struct outbox **ret)
{
	char why[512] = "";
	int rc = outbox_open(store, ret, why, sizeof(why));

	if (rc)
		cli_err("%s", *why ? why : strerror(-rc));
	return rc;
}

/* Reason and reference stay in the journal: they are people's words. */
static struct evlog_event event_of(enum evlog_kind kind, const struct hold *x, const struct hold_person *who)
{
	struct evlog_event e = { .kind = kind, .source = EVLOG_S_OPERATOR, .time_ns = clock_now_ns(), .has_call = true, .call = x->uid,
				 .controller = x->controller, .who = who->name };

	evlog_num_add(&e, EVLOG_N_UID, who->uid);
	return e;
}

static int commit(struct outbox *o, int rc)
{
	if (!rc)
		rc = outbox_commit(o);
	if (rc)
		cli_err("done, but the evidence log cannot be told: %s", outbox_why(o));
	return rc;
}

int hold_tell_event(void *o, const struct evlog_event *e)
{
	return commit(o, outbox_add(o, e));
}

int hold_tell_set(struct outbox *o, const struct hold *x, const struct hold_person *who)
{
	struct evlog_event e = event_of(EVLOG_HOLD_SET, x, who);
	struct clock_date d = { (int)(x->review / 10000), (int)(x->review / 100 % 100), (int)(x->review % 100) };
	uint64_t review;

	if (!clock_day_start(&d, "UTC", &review))
		evlog_num_add(&e, EVLOG_N_UNTIL_S, review / NS_PER_S);
	return commit(o, outbox_add(o, &e));
}

int hold_tell_release(struct outbox *o, const struct hold *x, const struct hold_person *who, bool erased)
{
	struct evlog_event e = event_of(EVLOG_HOLD_RELEASE, x, who);
	int rc = outbox_add(o, &e);

	if (!rc && erased) {
		e = event_of(EVLOG_KEY_DESTROY, x, who);
		e.purpose = EVLOG_P_DOCUMENTATION;
		e.reason = "hold.release";
		rc = outbox_add(o, &e);
	}
	return commit(o, rc);
}
