/* SPDX-License-Identifier: BSD-2-Clause */
/* export_tell.c - who was given what, for the evidence log, before it is given; see export.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "export.h"
#include "store/hold.h"
#include "store/outbox.h"

static struct evlog_event event_of(const struct export_call *c, uint64_t bytes, const struct hold_person *who)
{
	struct evlog_event e = { .kind = EVLOG_PLAY, .source = EVLOG_S_OPERATOR, .time_ns = clock_now_ns(), .has_call = true, .call = c->uid,
				 .purpose = c->purpose == STORE_TRAINING ? EVLOG_P_TRAINING : EVLOG_P_DOCUMENTATION,
				 .who = who->name, .reason = c->reason, .format = c->format };

	evlog_num_add(&e, EVLOG_N_UID, who->uid);
	evlog_num_add(&e, EVLOG_N_BYTES, bytes < EVLOG_NUM_MAX ? bytes : EVLOG_NUM_MAX);
	return e;
}

const char *export_tell_check(const struct export_call *c)
{
	struct hold_person who = cli_person();
	struct evlog_event e = event_of(c, 0, &who);

	return outbox_check(&e);
}

int export_tell(struct export_call *c, uint64_t bytes)
{
	struct hold_person who = cli_person();
	struct evlog_event e = event_of(c, bytes, &who);
	struct outbox *o = NULL;
	char why[512] = "";
	int rc;

	if (c->told)
		return 0;
	rc = outbox_open(c->store_dir, &o, why, sizeof(why));
	if (!rc)
		rc = outbox_add(o, &e);
	if (!rc)
		rc = outbox_commit(o);
	if (rc)
		cli_err("nothing is given out, since the evidence log cannot be told: %s", o ? outbox_why(o) : *why ? why : strerror(-rc));
	c->told = !rc;
	outbox_close(o);
	return rc;
}
