/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence_sms.c - messages with the rest of an announcement: who has not got his (N-36), see evidence.h
 *
 * A call whose rule has `sms` waits for a receipt from its answer on, also when it is over: `notice.sms` "awaited" with the
 * deadline, then one of "delivered", "failed" and "timeout". So the log alone says who waits, and a process that starts reads it there.
 * Under the lock of struct evidence.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "evidence_internal.h"

#define SMS_MAX 65536 /* 16 MB; one more is told as "timeout" at once: somebody has to look */

struct sms {
	struct hnode node;
	struct uid uid;
	uint64_t due_ns;
	char controller[EVLOG_NAME], rule[EVLOG_NAME], policy[65];
};

static struct sms *find(const struct evidence *ev, const struct uid *u)
{
	struct hnode *n = ev->sms.slot ? htab_first(&ev->sms, hash_bytes(u->b, sizeof(u->b))) : NULL;

	for (; n; n = htab_next(n))
		if (uid_equal(&container_of(n, struct sms, node)->uid, u))
			return container_of(n, struct sms, node);
	return NULL;
}

static void drop(struct evidence *ev, struct sms *s)
{
	htab_del(&ev->sms, &s->node);
	free(s);
}

static struct evlog_event event_of(const struct sms *s, const char *reason, enum evlog_source source, uint64_t now)
{
	return (struct evlog_event){ .kind = EVLOG_NOTICE_SMS, .time_ns = now, .source = source, .has_call = true, .call = s->uid,
				     .controller = s->controller, .rule = s->rule, .policy = *s->policy ? s->policy : NULL, .reason = reason };
}

int evidence_sms_await(struct evidence *ev, const struct evlog_event *e)
{
	struct sms *s = NULL;
	bool known;

	pthread_mutex_lock(&ev->lock);
	known = find(ev, &e->call);
	if (!known && (ev->sms.slot || !htab_init(&ev->sms, 256)) && ev->sms.count < SMS_MAX)
		s = calloc(1, sizeof(*s));
	if (s) {
		s->uid = e->call;
		s->due_ns = evlog_num_get(e, EVLOG_N_UNTIL_S, 0) * NS_PER_S;
		snprintf(s->controller, sizeof(s->controller), "%s", e->controller ? e->controller : "");
		snprintf(s->rule, sizeof(s->rule), "%s", e->rule ? e->rule : "");
		snprintf(s->policy, sizeof(s->policy), "%s", e->policy ? e->policy : "");
		htab_add(&ev->sms, &s->node, hash_bytes(s->uid.b, sizeof(s->uid.b)));
		if (!ev->sms_due_ns || s->due_ns < ev->sms_due_ns)
			ev->sms_due_ns = s->due_ns;
	}
	pthread_mutex_unlock(&ev->lock);
	return s || known ? 0 : -ENOSPC;
}

void evidence_sms_seen(struct evidence *ev, const struct evlog_event *e)
{
	struct sms *s;

	if (!strcmp(e->reason, "awaited")) {
		(void)evidence_sms_await(ev, e); /* full: the log has it without an answer, which is listed */
		return;
	}
	pthread_mutex_lock(&ev->lock);
	s = find(ev, &e->call);
	if (s)
		drop(ev, s);
	pthread_mutex_unlock(&ev->lock);
}

int evidence_sms_told(struct evidence *ev, const struct uid *call, bool delivered, const char *who)
{
	struct evlog_event e;
	struct sms copy, *s;

	pthread_mutex_lock(&ev->lock);
	s = find(ev, call);
	if (s) {
		copy = *s;
		drop(ev, s);
	}
	pthread_mutex_unlock(&ev->lock);
	if (!s)
		return -ENOENT;
	e = event_of(&copy, delivered ? "delivered" : "failed", EVLOG_S_API, clock_now_ns());
	e.who = who;
	evidence_queue(ev, &e);
	return 0;
}

/* The next whose time is over, out of the table; false: none. Sets when to look again. */
static bool take_due(struct evidence *ev, uint64_t now, struct sms *ret)
{
	struct sms *due = NULL;
	uint64_t next = 0;

	pthread_mutex_lock(&ev->lock);
	for (size_t i = 0; ev->sms_due_ns && now >= ev->sms_due_ns && ev->sms.slot && i <= ev->sms.mask && !due; i++)
		for (struct hnode *n = ev->sms.slot[i]; n && !due; n = n->next) {
			struct sms *s = container_of(n, struct sms, node);

			if (s->due_ns <= now)
				due = s;
			else if (!next || s->due_ns < next)
				next = s->due_ns;
		}
	if (due) {
		*ret = *due;
		drop(ev, due);
	} else if (ev->sms_due_ns && now >= ev->sms_due_ns) {
		ev->sms_due_ns = next;
	}
	pthread_mutex_unlock(&ev->lock);
	return due;
}

void evidence_sms_round(struct evidence *ev, uint64_t now_ns)
{
	unsigned n = 0;
	struct sms s;

	while (take_due(ev, now_ns, &s)) {
		struct evlog_event e = event_of(&s, "timeout", EVLOG_S_TIMER, now_ns);

		evidence_queue(ev, &e);
		n++;
	}
	if (!n)
		return;
	log_err("notice: %u messages with the rest of the announcement were not delivered in time: optag audit sms lists the calls", n);
	pthread_mutex_lock(&ev->lock);
	ev->fig.sms_undelivered += n;
	pthread_mutex_unlock(&ev->lock);
}

void evidence_sms_free(struct evidence *ev)
{
	for (size_t i = 0; ev->sms.slot && i <= ev->sms.mask; i++)
		while (ev->sms.slot[i])
			drop(ev, container_of(ev->sms.slot[i], struct sms, node));
	htab_free(&ev->sms);
}
