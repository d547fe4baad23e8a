/* SPDX-License-Identifier: BSD-2-Clause */
/* evidence.c - events from the recorder to the evidence log, and the thread between them, see evidence.h */
#include "evidence.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "evidence_internal.h"

#define ROUND_MS 1000 /* what a power failure takes from the log (design 7) */
#define SETTLE_NS (60 * NS_PER_S) /* after it did not work */
#define OUTBOX_NS (600 * NS_PER_S) /* a store that does not come up keeps others' evidence out no longer */
#define FLUSH_NS  (500L * 1000000) /* whose thread waits has chunks to write */

/* ---- events as items ---- */

static const char *put_text(char **at, const char *s)
{
	size_t n;
	char *p = *at;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	memcpy(p, s, n);
	*at += n;
	return p;
}

static size_t text_size(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static size_t among_size(const struct evlog_event *e)
{
	size_t n = e->namong * sizeof(*e->among);

	for (unsigned i = 0; i < e->namong; i++)
		n += text_size(e->among[i].notice) + text_size(e->among[i].language) + text_size(e->among[i].version);
	return n;
}

/* First behind the item, as they are to be aligned. */
static void put_among(struct item *i, char **at, const struct evlog_event *e)
{
	struct evlog_among *a = (struct evlog_among *)(i + 1);

	if (!e->namong)
		return;
	memcpy(a, e->among, e->namong * sizeof(*a));
	*at += e->namong * sizeof(*a);
	for (unsigned k = 0; k < e->namong; k++) {
		a[k].notice = put_text(at, a[k].notice);
		a[k].language = put_text(at, a[k].language);
		a[k].version = put_text(at, a[k].version);
	}
	i->e.among = a;
}

struct item *evidence_item(const struct evlog_event *e)
{
	size_t n = sizeof(struct item) + among_size(e) + text_size(e->controller) + text_size(e->rule) + text_size(e->policy) +
		   text_size(e->reason) + text_size(e->who) + text_size(e->notice) + text_size(e->language) +
		   text_size(e->version) + text_size(e->basis) + text_size(e->assessment) + text_size(e->special);
	struct item *i = malloc(n);
	char *at;

	if (!i)
		return NULL;
	i->next = NULL;
	i->after = i->upto = 0;
	i->bytes = n;
	i->e = *e;
	at = (char *)(i + 1);
	put_among(i, &at, e);
	i->e.controller = put_text(&at, e->controller);
	i->e.rule = put_text(&at, e->rule);
	i->e.policy = put_text(&at, e->policy);
	i->e.reason = put_text(&at, e->reason);
	i->e.who = put_text(&at, e->who);
	i->e.notice = put_text(&at, e->notice);
	i->e.language = put_text(&at, e->language);
	i->e.version = put_text(&at, e->version);
	i->e.basis = put_text(&at, e->basis);
	i->e.assessment = put_text(&at, e->assessment);
	i->e.special = put_text(&at, e->special);
	return i;
}

static void put_item(struct evidence *ev, const struct evlog_event *e, bool of_row, uint64_t after, uint64_t upto)
{
	struct item ***last = of_row && !ev->live ? &ev->rows_last : &ev->last;
	const char *wrong = evlog_check(e);
	struct item *i = wrong ? NULL : evidence_item(e);

	if (wrong)
		log_err("evidence: %s: %s", evlog_kind_name(e->kind), wrong);
	pthread_mutex_lock(&ev->lock);
	if (i) {
		i->after = after;
		i->upto = upto;
		**last = i;
		*last = &i->next;
		ev->bytes += i->bytes;
		ev->fig.events++;
		if (ev->bytes > QUEUE_MAX)
			ev->refusing = true;
	} else {
		ev->fig.refused++;
	}
	pthread_mutex_unlock(&ev->lock);
}

static void put(struct evidence *ev, const struct evlog_event *e, bool of_row)
{
	put_item(ev, e, of_row, 0, 0);
}

void evidence_queue(struct evidence *ev, const struct evlog_event *e)
{
	put(ev, e, false);
}

void evidence_rows_durable(struct evidence *ev)
{
	pthread_mutex_lock(&ev->lock);
	if (ev->rows) {
		*ev->last = ev->rows;
		ev->last = ev->rows_last;
		ev->rows = NULL;
		ev->rows_last = &ev->rows;
	}
	pthread_mutex_unlock(&ev->lock);
}

static struct evlog_event event_of(const struct call *c, enum evlog_kind kind)
{
	return (struct evlog_event){
		.kind = kind,
		.time_ns = clock_now_ns(),
		.has_call = true,
		.call = c->uid,
		.controller = c->rule->controller->name,
		.rule = c->rule->name,
		.policy = policy_hash(c->policy),
	};
}

static enum evlog_source source_of(const struct call_news *n)
{
	switch (n->how) {
	case CALL_BY_LOSS:
		return EVLOG_S_CAPTURE;
	case CALL_BY_POLICY:
		return EVLOG_S_POLICY;
	case CALL_BY_SDP:
		return EVLOG_S_SDP;
	case CALL_BY_LIST:
		return EVLOG_S_LIST;
	case CALL_BY_API:
	case CALL_BY_HEADER:
		return EVLOG_S_API;
	case CALL_BY_FINGERPRINT:
		return EVLOG_S_CAPTURE;
	case CALL_BY_ATTESTED:
		return EVLOG_S_POLICY;
	default:
		break;
	}
	if (!strcmp(n->actor, "caller") || !strcmp(n->actor, "callee"))
		return EVLOG_S_CALLER;
	return !strcmp(n->actor, "agent") ? EVLOG_S_AGENT : EVLOG_S_TIMER;
}

static int kind_of(const char *name)
{
	for (int k = 0; k < EVLOG_KINDS; k++)
		if (!strcmp(evlog_kind_name((enum evlog_kind)k), name))
			return k;
	return -1;
}

static void add_content(struct evlog_event *e, const unsigned char *hash)
{
	e->has_content = hash;
	if (hash)
		memcpy(e->content, hash, sizeof(e->content));
}

/* Of which one was played, and nothing says which. */
static void add_candidates(struct evlog_event *e, const struct call *c, struct evlog_among among[EVLOG_AMONG])
{
	unsigned all = 0;

	for (size_t i = 0; i < c->rule->nnotice; i++) {
		const struct policy_notice *n = &c->rule->notice[i];
		struct evlog_among *a = &among[e->namong];

		if (!n || !call_notice_valid(c, (unsigned)i, c->decide.notice_start_ns))
			continue;
		all++;
		if (e->namong == EVLOG_AMONG || !n->name || !evlog_name_ok(n->name))
			continue;
		*a = (struct evlog_among){ .notice = n->name, .language = n->language, .has_content = n->content,
					   .version = n->version && evlog_name_ok(n->version) ? n->version : NULL };
		if (n->content)
			memcpy(a->content, n->content, sizeof(a->content));
		e->namong++;
	}
	if (e->namong < 2)
		e->namong = 0;
	e->among = e->namong ? among : NULL;
	if (e->namong && all > e->namong)
		evlog_num_add(e, EVLOG_N_COUNT, all);
}

/* Which announcement the caller heard, so that it is known without the policy, too. */
static void add_notice(struct evlog_event *e, const struct call *c, struct evlog_among among[EVLOG_AMONG])
{
	unsigned which = c->decide.notice_which;
	const struct policy_notice *n = which && which <= c->rule->nnotice ? &c->rule->notice[which - 1] : NULL;

	if (!n) {
		add_candidates(e, c, among);
		return;
	}
	evlog_num_add(e, EVLOG_N_VERSION, which);
	if (!n->name || !evlog_name_ok(n->name))
		return;
	e->notice = n->name;
	e->language = n->language;
	e->version = n->version && evlog_name_ok(n->version) ? n->version : NULL;
	add_content(e, n->content);
}

/* On what a purpose rests: the basis of the rule, and what was weighed. */
static void add_basis(struct evlog_event *e, const struct call *c, int purpose)
{
	const struct policy_block *b = &c->rule->purpose[purpose];

	if (b->basis == POLICY_B_NONE)
		return;
	e->basis = policy_basis_name(b->basis);
	e->assessment = b->assessment && evlog_name_ok(b->assessment) ? b->assessment : NULL;
	e->special = b->special_assessment && evlog_name_ok(b->special_assessment) ? b->special_assessment : NULL;
	if (e->assessment)
		add_content(e, b->assessment_content);
}

void evidence_news(struct evidence *ev, const struct call *c, const struct call_news *n)
{
	const struct call_decide *d = &c->decide;
	struct evlog_among among[EVLOG_AMONG];
	int kind = kind_of(n->event);
	struct evlog_event e;

	/* what was drawn comes from the sampler, with all it was drawn by */
	if (kind == EVLOG_SAMPLE_IN || kind == EVLOG_SAMPLE_OUT)
		return;
	if (kind < 0) {
		log_err("evidence: no such event: %s", n->event);
		return;
	}
	e = event_of(c, (enum evlog_kind)kind);
	if (n->at_ns)
		e.time_ns = n->at_ns;
	e.purpose = (enum evlog_purpose)(n->purpose + 1);
	e.source = kind == EVLOG_CALL_MATCH ? EVLOG_S_POLICY : source_of(n);
	e.reason = n->reason && *n->reason ? n->reason : n->how != CALL_BY_TIME ? call_how_name(n->how) : NULL;
	if (n->how == CALL_BY_API)
		e.who = n->who ? n->who : ev->speaker;
	if (n->key) { /* on whose leg, and which: R-19 */
		snprintf(e.press, sizeof(e.press), "%s", n->key);
		evlog_num_add(&e, EVLOG_N_LEG, !strcmp(n->actor, "agent") ? !call_subject_leg(c) : call_subject_leg(c));
	}
	if (kind == EVLOG_AUDIO_DISCARD) {
		evlog_num_add(&e, EVLOG_N_PACKETS, n->packets);
		evlog_num_add(&e, EVLOG_N_MS, n->audio_ms);
	}
	/* how much of the notice they had heard, and of which */
	if (kind == EVLOG_CONSENT_GIVEN && d->notice_start_ns && n->at_ns >= d->notice_start_ns)
		evlog_num_add(&e, EVLOG_N_OFFSET_MS, (n->at_ns - d->notice_start_ns) / NS_PER_MS);
	if (kind == EVLOG_NOTICE_PLAYED || kind == EVLOG_CONSENT_GIVEN)
		add_notice(&e, c, among);
	if (kind == EVLOG_PURPOSE_GRANT && n->purpose >= 0)
		add_basis(&e, c, n->purpose);
	if (kind == EVLOG_NOTICE_SMS)
		evlog_num_add(&e, EVLOG_N_UNTIL_S, (c->answer_ns + call_sms_timeout_ns(c)) / NS_PER_S);
	if (kind == EVLOG_NOTICE_PLAYED && n->how == CALL_BY_FINGERPRINT)
		evlog_num_add(&e, EVLOG_N_OFFSET_MS, d->notice_heard_ms);
	evidence_queue(ev, &e);
	if (kind == EVLOG_NOTICE_SMS && evidence_sms_await(ev, &e)) {
		e.reason = "timeout";
		e.nums = 0;
		evidence_queue(ev, &e);
		pthread_mutex_lock(&ev->lock);
		ev->fig.sms_undelivered++; /* nobody waits for it: somebody has to look */
		pthread_mutex_unlock(&ev->lock);
	}
}

int evidence_alive(struct evidence *ev, const struct call *c)
{
	struct evlog_event e = event_of(c, EVLOG_CALL_MATCH);
	struct alive *a = calloc(1, sizeof(*a));
	bool failed;

	if (!a)
		return -ENOMEM;
	a->uid = c->uid;
	e.source = EVLOG_S_DAEMON;
	e.reason = "take-over";
	a->match = evidence_item(&e);
	failed = !a->match;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		e = event_of(c, EVLOG_PURPOSE_GRANT);
		e.source = EVLOG_S_DAEMON;
		e.reason = "take-over";
		e.purpose = (enum evlog_purpose)(p + 1);
		add_basis(&e, c, p);
		if (c->state[p] == PURPOSE_GRANTED || c->state[p] == PURPOSE_OBJECTED)
			a->grant[e.purpose] = evidence_item(&e);
		failed |= (c->state[p] == PURPOSE_GRANTED || c->state[p] == PURPOSE_OBJECTED) && !a->grant[e.purpose];
	}
	a->next = ev->alive;
	ev->alive = a; /* freed with all */
	return failed ? -ENOMEM : 0;
}

void evidence_speaker(struct evidence *ev, const char *who)
{
	ev->speaker = who;
}

static struct evlog_event event_with(const struct call *c, enum evlog_kind kind, int purpose, enum evlog_source source,
				      const char *reason, const struct evidence_num *num, unsigned nums)
{
	struct evlog_event e = event_of(c, kind);

	e.purpose = (enum evlog_purpose)(purpose + 1);
	e.source = source;
	e.reason = reason && *reason ? reason : NULL;
	for (unsigned i = 0; i < nums; i++)
		if (num[i].value <= EVLOG_NUM_MAX)
			evlog_num_add(&e, num[i].name, num[i].value);
	return e;
}

void evidence_call(struct evidence *ev, const struct call *c, enum evlog_kind kind, int purpose, enum evlog_source source,
		   const char *reason, const struct evidence_num *num, unsigned nums)
{
	struct evlog_event e = event_with(c, kind, purpose, source, reason, num, nums);

	put(ev, &e, false);
}

void evidence_destroyed(struct evidence *ev, const struct call *c, int purpose, const char *reason, uint64_t after, uint64_t upto)
{
	struct evlog_event e = event_with(c, EVLOG_KEY_DESTROY, purpose, EVLOG_S_DAEMON, reason, NULL, 0);

	put_item(ev, &e, false, after, upto);
}

void evidence_outcome(struct evidence *ev, const struct call *c, enum evlog_kind kind, enum evlog_source source,
		      const char *reason, const struct evidence_num *num, unsigned nums)
{
	struct evlog_event e = event_with(c, kind, -1, source, reason, num, nums);

	put(ev, &e, true);
}

void evidence_link(struct evidence *ev, const struct call *c, const char *relation, const struct uid *other)
{
	struct evlog_event e = event_of(c, EVLOG_CALL_LINK);

	e.source = EVLOG_S_DAEMON;
	e.reason = relation;
	e.has_data = true;
	memcpy(e.data, other->b, sizeof(other->b));
	evidence_queue(ev, &e);
}

void evidence_daemon(struct evidence *ev, enum evlog_kind kind, const char *hash, const char *reason)
{
	struct evlog_event e = { .kind = kind, .time_ns = clock_now_ns(), .source = EVLOG_S_DAEMON, .policy = hash, .reason = reason };

	evidence_queue(ev, &e);
}

static uint64_t abs_ms(int64_t ns)
{
	return (uint64_t)(ns < 0 ? -ns : ns) / NS_PER_MS & EVLOG_NUM_MAX;
}

void evidence_clock(struct evidence *ev, bool taken, int64_t by_ns, int64_t ahead_ns)
{
	struct evlog_event e = { .kind = taken ? EVLOG_CLOCK_TAKE : EVLOG_CLOCK_STEP, .time_ns = clock_now_ns(),
				 .source = EVLOG_S_DAEMON, .reason = by_ns < 0 ? "back" : "forward" };

	evlog_num_add(&e, EVLOG_N_MS, abs_ms(by_ns));
	if (abs_ms(ahead_ns))
		evlog_num_add(&e, ahead_ns < 0 ? EVLOG_N_BEHIND_MS : EVLOG_N_AHEAD_MS, abs_ms(ahead_ns));
	evidence_queue(ev, &e);
}

void evidence_unmatched(struct evidence *ev, uint64_t more)
{
	ev->unmatched += more;
}

bool evidence_ready(const struct evidence *ev)
{
	return !ev->refusing;
}

/* ---- to the log ---- */

void evidence_said(struct evidence *ev, int e, const char *what, const char *why)
{
	pthread_mutex_lock(&ev->lock);
	ev->fig.errors += e != 0;
	if (e)
		snprintf(ev->fig.why, sizeof(ev->fig.why), "%s: %s", what, *why ? why : strerror(-e));
	pthread_mutex_unlock(&ev->lock);
	if (e && e != ev->said)
		log_err("%s: %s; nothing new is recorded until this is over", what, *why ? why : strerror(-e));
	else if (!e && ev->said)
		log_notice("%s: goes on", what);
	ev->said = e;
}

int evidence_append(struct evidence *ev, const struct evlog_event *e)
{
	uint64_t seq;
	int rc = evlog_append(ev->log, e, &seq);

	if (!rc && !ev->first_seq)
		ev->first_seq = seq;
	return rc;
}

static void take_queue(struct evidence *ev)
{
	struct item **end = &ev->held;

	while (*end)
		end = &(*end)->next;
	pthread_mutex_lock(&ev->lock);
	*end = ev->first;
	ev->first = NULL;
	ev->last = &ev->first;
	pthread_mutex_unlock(&ev->lock);
}

/* Into the log, and gone. What it calls invalid never gets in. */
static int append_item(struct evidence *ev, struct item *i)
{
	int e = evidence_append(ev, &i->e);

	if (e && e != -EINVAL)
		return e;
	pthread_mutex_lock(&ev->lock);
	ev->bytes -= i->bytes;
	ev->fig.refused += e != 0;
	pthread_mutex_unlock(&ev->lock);
	free(i);
	return 0;
}

static bool waits(const struct evidence *ev, const struct item *i)
{
	return i->upto && ev->drops_wait && ev->drops_wait(ev->arg, i->after, i->upto);
}

/* What was destroyed before the queue was taken is durable, once a round; else since when it is not. */
struct drops {
	bool asked;
	int err;
	char why[256];
};

static void ask_drops(struct evidence *ev, struct drops *d)
{
	if (d->asked)
		return;
	d->asked = true;
	d->err = ev->drops_sync(ev->arg, d->why, sizeof(d->why));
	if (!d->err)
		ev->refused_ns = 0;
	else if (!ev->refused_ns)
		ev->refused_ns = clock_steady_ns();
}

static int append_aside(struct evidence *ev, struct drops *d)
{
	int e = 0;

	if (ev->aside)
		ask_drops(ev, d);
	for (struct item **at = &ev->aside, *i; !e && (i = *at);) {
		struct item *next = i->next;

		if (waits(ev, i)) {
			at = &i->next;
			continue;
		}
		e = append_item(ev, i);
		if (!e)
			*at = next;
	}
	return e;
}

static void set_aside(struct evidence *ev, struct item *i)
{
	struct item **end = &ev->aside;

	while (*end)
		end = &(*end)->next;
	i->next = NULL;
	*end = i;
}

/* Oldest first; what the log does not take now stays. */
static int append_held(struct evidence *ev, struct drops *d, bool last)
{
	int e = append_aside(ev, d);

	while (ev->held && !e) {
		struct item *i = ev->held, *next = i->next;

		if (waits(ev, i))
			ask_drops(ev, d);
		if (!waits(ev, i)) {
			e = append_item(ev, i);
		} else if (last || (ev->refused_ns && clock_steady_ns() - ev->refused_ns >= EVIDENCE_DROPS_NS)) {
			set_aside(ev, i);
		} else {
			break;
		}
		if (!e)
			ev->held = next;
	}
	return e;
}

static void say_unmatched(struct evidence *ev, uint64_t now, bool last)
{
	struct evlog_event e = { .kind = EVLOG_CALL_NOMATCH, .time_ns = now, .source = EVLOG_S_POLICY };
	uint64_t n = ev->unmatched;

	if (!last && now - ev->unmatched_ns < 3600 * NS_PER_S)
		return;
	ev->unmatched_ns = now;
	if (!n)
		return;
	evlog_num_add(&e, EVLOG_N_COUNT, n);
	if (evidence_append(ev, &e) == 0)
		ev->unmatched -= n;
}

/* Everything that was queued before it began is durable when it returns 0. */
static int round_of(struct evidence *ev, uint64_t now, bool last)
{
	struct drops d = { 0 };
	char why[256] = "";
	int e, se;

	se = evidence_sample_round(ev);
	evidence_sms_round(ev, now);
	take_queue(ev);
	if (ev->before)
		ev->before(ev->arg);
	e = append_held(ev, &d, last);
	if (!e)
		say_unmatched(ev, now, last);
	if (!e)
		e = evlog_flush(ev->log, ev->live ? now : 0);
	if (e)
		evlog_why(ev->log, why, sizeof(why));
	if (!e && !se)
		e = evidence_seeds(ev, now);
	if (!e && !se && ev->held) { /* what was before those is durable all the same */
		e = d.err ? d.err : -EAGAIN;
		snprintf(why, sizeof(why), "%s", d.why);
	}
	ev->refusing = e || se || ev->bytes > QUEUE_MAX / 2;
	evidence_said(ev, e ? e : se, "evidence", why);
	pthread_mutex_lock(&ev->lock);
	ev->fig.rounds++;
	pthread_mutex_unlock(&ev->lock);
	return e ? e : se;
}

/* ---- the thread ---- */

static int open_log(struct evidence *ev, char *why, size_t n)
{
	int e = evlog_open(ev->dir, &ev->log, why, n);

	if (!e)
		e = evidence_sample_open(ev, why, n);
	if (!e)
		e = evidence_look_back(ev, true, false);
	if (e) {
		evlog_close(ev->log);
		ev->log = NULL;
		return e;
	}
	ev->unmatched_ns = clock_now_ns();
	pthread_mutex_lock(&ev->lock);
	ev->fig.open = true;
	pthread_mutex_unlock(&ev->lock);
	ev->usable = true;
	return 0;
}

/* What became of the calls of before, as soon as the store knows it. */
static void settle_once(struct evidence *ev, uint64_t now)
{
	if (ev->settled || now < ev->settle_ns || (ev->is_settled && !ev->is_settled(ev->arg)))
		return;
	ev->settled = !evidence_look_back(ev, false, true);
	ev->settle_ns = now + SETTLE_NS;
}

/* That a key was destroyed proves nothing where the log has not yet that it was there: that is said when the calls of before are settled. */
static bool outbox_may(struct evidence *ev, uint64_t now)
{
	if (ev->settled || !ev->left_open)
		return true;
	ev->outbox_ns = ev->outbox_ns ? ev->outbox_ns : now + OUTBOX_NS;
	return now >= ev->outbox_ns;
}

/* Until somebody wants something, or it is time; whether to stop. */
static bool wait_round(struct evidence *ev, uint64_t *ret_asked)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ROUND_MS / 1000;
	pthread_mutex_lock(&ev->lock);
	while (!ev->stop && !ev->hurry)
		if (pthread_cond_timedwait(&ev->wake, &ev->lock, &until))
			break;
	ev->hurry = false;
	*ret_asked = ev->asked;
	stop = ev->stop;
	pthread_mutex_unlock(&ev->lock);
	return stop;
}

static void flushed(struct evidence *ev, uint64_t asked, int rc)
{
	pthread_mutex_lock(&ev->lock);
	ev->done = asked;
	ev->done_rc = rc;
	pthread_cond_broadcast(&ev->flushed);
	pthread_mutex_unlock(&ev->lock);
}

static void *thread_main(void *arg)
{
	struct evidence *ev = arg;
	char why[512] = "";
	uint64_t asked;
	bool stop;
	int e;

	do {
		stop = wait_round(ev, &asked);
		if (!ev->log) {
			e = open_log(ev, why, sizeof(why));
			ev->refusing = e != 0;
			if (e)
				evidence_said(ev, e, "evidence", why);
			if (e)
				continue; /* tried again: what is queued is not lost as long as we live */
		}
		flushed(ev, asked, round_of(ev, clock_now_ns(), stop)); /* said there */
		settle_once(ev, clock_steady_ns());
		if (outbox_may(ev, clock_steady_ns()))
			evidence_take_outbox(ev, clock_now_ns());
	} while (!stop);
	return NULL;
}

int evidence_flush(struct evidence *ev)
{
	struct timespec until;
	uint64_t number;
	int rc = -EAGAIN;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += FLUSH_NS;
	until.tv_sec += until.tv_nsec / (long)NS_PER_S;
	until.tv_nsec %= (long)NS_PER_S;
	pthread_mutex_lock(&ev->lock);
	if (ev->fig.open && ev->running && !ev->stop) {
		number = ++ev->asked;
		ev->hurry = true;
		pthread_cond_signal(&ev->wake);
		rc = 0;
		while (!rc && ev->done < number)
			rc = -pthread_cond_timedwait(&ev->flushed, &ev->lock, &until);
		rc = rc ? rc : ev->done_rc;
	}
	pthread_mutex_unlock(&ev->lock);
	return rc;
}

/* ---- life ---- */

int evidence_new(const struct evidence_settings *s, struct evidence **ret, char *why, size_t n)
{
	struct evidence *ev = calloc(1, sizeof(*ev));
	pthread_condattr_t a;
	int e = -ENOMEM;

	if (!ev)
		return -ENOMEM;
	ev->live = s->live;
	ev->is_settled = s->settled;
	ev->drops_sync = s->drops_sync;
	ev->drops_wait = s->drops_wait;
	ev->before = s->before;
	ev->arg = s->arg;
	ev->last = &ev->first;
	ev->rows_last = &ev->rows;
	ev->rlast = &ev->rfirst;
	mutex_init(&ev->lock);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&ev->wake, &a);
	pthread_cond_init(&ev->flushed, &a);
	pthread_condattr_destroy(&a);
	ev->dir = strdup(s->dir);
	if (ev->dir)
		e = evidence_sample_new(ev, why, n);
	if (e) {
		evidence_free(ev);
		return e;
	}
	*ret = ev;
	return 0;
}

int evidence_start(struct evidence *ev, char *why, size_t n)
{
	sigset_t all, old;
	int e;

	(void)sample_settle(ev->sample); /* slots that nobody goes on with stay counted */
	if (!ev->live)
		return open_log(ev, why, n);
	ev->hurry = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = -pthread_create(&ev->thread, NULL, thread_main, ev);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	ev->running = !e;
	return e;
}

int evidence_settle(struct evidence *ev)
{
	return evidence_look_back(ev, false, true);
}

int evidence_work(struct evidence *ev, uint64_t now_ns)
{
	return ev->log ? round_of(ev, now_ns, false) : -EBADF;
}

int evidence_finish(struct evidence *ev)
{
	int e = 0;

	if (!ev->live && ev->log)
		e = round_of(ev, clock_now_ns(), true);
	if (ev->running) {
		pthread_mutex_lock(&ev->lock);
		ev->stop = true;
		pthread_cond_signal(&ev->wake);
		pthread_mutex_unlock(&ev->lock);
		pthread_join(ev->thread, NULL);
		ev->running = false;
		e = ev->said;
		if (ev->aside)
			log_err("evidence: slots of destroyed keys cannot be overwritten, which the log does not say then");
	}
	return e;
}

static void free_items(struct item *i)
{
	while (i) {
		struct item *next = i->next;

		free(i);
		i = next;
	}
}

void evidence_free(struct evidence *ev)
{
	if (!ev)
		return;
	(void)evidence_finish(ev); /* said there */
	evlog_close(ev->log);
	evidence_sample_free(ev);
	evidence_sms_free(ev);
	free_items(ev->held);
	free_items(ev->aside);
	free_items(ev->first);
	free_items(ev->rows);
	pthread_cond_destroy(&ev->wake);
	pthread_cond_destroy(&ev->flushed);
	pthread_mutex_destroy(&ev->lock);
	evidence_alive_free(ev);
	free(ev->dir);
	free(ev);
}

void evidence_figures(struct evidence *ev, struct evidence_figures *ret)
{
	pthread_mutex_lock(&ev->lock);
	*ret = ev->fig;
	ret->waiting = ev->bytes;
	pthread_mutex_unlock(&ev->lock);
	ret->ready = evidence_ready(ev);
}
