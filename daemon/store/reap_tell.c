/* SPDX-License-Identifier: BSD-2-Clause */
/* reap_tell.c - what was destroyed, for the evidence log */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/reap_internal.h"

void reap_tell_open(struct reap *r)
{
	char why[512] = "";
	int rc = outbox_open(r->set->store, &r->out, why, sizeof(why));

	if (rc) { /* destroying does not wait for its evidence */
		r->out = NULL;
		reap_fault(r, rc, *why ? why : "outbox: cannot be written");
	}
}

int reap_tell(struct reap *r, const struct evlog_event *e)
{
	int rc = r->out ? outbox_add(r->out, e) : -ENOENT;

	if (rc && r->out)
		reap_fault(r, rc, outbox_why(r->out));
	return rc;
}

int reap_tell_commit(struct reap *r)
{
	int rc = r->out ? outbox_commit(r->out) : -ENOENT;

	if (rc && r->out)
		reap_fault(r, rc, outbox_why(r->out));
	return rc;
}

void reap_tell_who(struct reap *r)
{
	struct evlog_event e = { .kind = EVLOG_REAPER_TOLD, .source = EVLOG_S_OPERATOR, .time_ns = r->at_ns };

	if (r->said)
		return;
	r->said = true;
	evlog_num_add(&e, EVLOG_N_AS_OF_S, r->clock.now_ns / NS_PER_S);
	if (r->set->clock_ns)
		evlog_num_add(&e, EVLOG_N_CLOCK_S, r->set->clock_ns / NS_PER_S);
	evlog_num_add(&e, EVLOG_N_UID, r->set->who);
	if (!reap_tell(r, &e))
		(void)reap_tell_commit(r); /* its failure is told, and keeps nothing alive */
}

void reap_tell_close(struct reap *r)
{
	struct outbox_taken taken;
	struct stat sb;

	if (!r->out)
		return;
	outbox_close(r->out);
	r->out = NULL;
	/* Without a daemon, and when the log is ours: files and a key of another user would keep its owner out. */
	if (!fstat(r->root.fd, &sb) && sb.st_uid == geteuid())
		(void)outbox_flush_now(r->set->store, &taken, NULL, 0); /* else they wait for who has the log */
}
