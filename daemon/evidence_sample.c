/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence_sample.c - the sampler behind the disk, see evidence.h and call/sample.h
 *
 * STORE/sampling/state is the sampler's state (0600: seeds of days to come), replaced as a whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "evidence_internal.h"

#define STATE_MAX (256u << 20)
#define TICK_NS	  (1800 * NS_PER_S) /* seeds are looked after */

/* ---- the sampler's callback ---- */

static uint32_t civil_day(int32_t day)
{
	unsigned y, m, d;
	char t[16];

	sample_day_text(day, t);
	/* NOLINTNEXTLINE(cert-err34-c): our own text */
	return sscanf(t, "%4u-%2u-%2u", &y, &m, &d) == 3 ? y * 10000 + m * 100 + d : 0;
}

static struct item *draw_event(const struct evidence *ev, const struct sample_record *r)
{
	const struct call *c = ev->drawing;
	struct evlog_event e = { .kind = r->why == SAMPLE_IN ? EVLOG_SAMPLE_IN : EVLOG_SAMPLE_OUT, .purpose = EVLOG_P_TRAINING,
				 .source = EVLOG_S_SAMPLER, .time_ns = r->time_ns, .has_call = true, .has_data = true };

	if (!c)
		return NULL;
	e.call = c->uid;
	e.controller = c->rule->controller->name;
	e.rule = c->rule->name;
	e.policy = policy_hash(c->policy);
	e.reason = sample_why_name(r->why);
	evlog_num_add(&e, EVLOG_N_DAY, civil_day(r->day ? r->day : evlog_day(r->time_ns)));
	evlog_num_add(&e, EVLOG_N_DRAW, r->draw);
	evlog_num_add(&e, EVLOG_N_THRESHOLD, r->threshold);
	return evidence_item(&e);
}

static void on_record(void *arg, const struct sample_record *r)
{
	struct evidence *ev = arg;
	struct drawn *d = malloc(sizeof(*d));
	bool lost = !d;

	if (d) {
		d->next = NULL;
		d->r = *r;
		d->event = NULL;
		if (r->open) {
			d->open = *r->open;
			d->r.open = &d->open;
		}
		if (r->kind == SAMPLE_R_DRAW) {
			d->event = draw_event(ev, r);
			lost = !d->event;
		}
	}
	pthread_mutex_lock(&ev->lock);
	if (d) {
		*ev->rlast = d;
		ev->rlast = &d->next;
		ev->bytes += sizeof(*d);
	}
	ev->fig.refused += lost;
	ev->fig.draws += r->kind == SAMPLE_R_DRAW;
	ev->fig.in += r->kind == SAMPLE_R_DRAW && r->why == SAMPLE_IN;
	if (ev->bytes > QUEUE_MAX)
		ev->refusing = true;
	pthread_mutex_unlock(&ev->lock);
}

/* ---- the state on disk ---- */

static int read_state(const struct evidence *ev, struct buf *b)
{
	int fd = beneath_open(ev->dir, "sampling/state", O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	ssize_t got = 1;
	int e = fd < 0 ? -errno : 0;

	while (!e && got > 0) {
		uint8_t *p = b->len < STATE_MAX ? buf_room(b, 65536) : NULL;

		got = p ? read(fd, p, 65536) : -1;
		if (got > 0)
			b->len += (size_t)got;
		else if (got < 0)
			e = p ? -errno : -EFBIG;
	}
	if (fd >= 0)
		close(fd);
	return e;
}

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

static int write_state(const struct evidence *ev, const struct buf *b)
{
	int dir = beneath_open(ev->dir, "sampling", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int fd = dir < 0 ? -1 : beneath_openat(dir, "state.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int e = fd < 0 ? -errno : 0;

	if (!e)
		e = files_write(fd, b->p, b->len);
	if (!e && (fdatasync(fd) || beneath_renameat(dir, "state.tmp", "state", 0)))
		e = -errno;
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && e)
		(void)beneath_unlinkat(dir, "state.tmp", 0); /* may not be there */
	if (!e && fsync(dir))
		e = -errno;
	if (dir >= 0)
		close(dir);
	return e;
}

static int save_state(struct evidence *ev)
{
	struct buf b = { 0 };
	uint64_t gen;
	int e = sample_save(ev->sample, &b, &gen);

	if (!e)
		e = write_state(ev, &b);
	wipe(&b);
	if (e)
		return e;
	sample_saved(ev->sample, gen);
	ev->saved++;
	return 0;
}

static bool has_records(const struct evidence *ev)
{
	int fd = beneath_open(ev->dir, "sampling", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *f;
	bool any = false;

	while (d && !any && (f = readdir(d)))
		any = strstr(f->d_name, ".jsonl");
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	return any;
}

int evidence_sample_new(struct evidence *ev, char *why, size_t n)
{
	struct sample_config cfg = { .late_seeds = !ev->live, .record = on_record, .record_arg = ev };
	struct buf b = { 0 };
	char dir[4096];
	int e;

	snprintf(dir, sizeof(dir), "%s/sampling", ev->dir);
	if (mkdir(dir, 0700) && errno != EEXIST) {
		e = -errno;
		snprintf(why, n, "%s: cannot create: %s", dir, strerror(-e));
		return e;
	}
	e = sample_new(&cfg, &ev->sample);
	if (e) {
		snprintf(why, n, "sampling: %s", strerror(-e));
		return e;
	}
	e = read_state(ev, &b);
	if (!e)
		e = sample_load(ev->sample, b.p, b.len);
	wipe(&b);
	if (e == -ENOENT && !has_records(ev))
		return 0;
	if (e) { /* never more than may be, whatever was given out before (N-46) */
		log_err("%s/state: %s: rules with a sample or a cap are full until their periods end", dir,
			e == -ENOENT ? "is gone" : e == -EBADMSG ? "damaged" : strerror(-e));
		sample_lost(ev->sample, clock_now_ns());
	}
	return 0;
}

int evidence_sample_open(struct evidence *ev, char *why, size_t n)
{
	return ev->slog ? 0 : sample_log_open(ev->dir, &ev->slog, why, n);
}

void evidence_sample_free(struct evidence *ev)
{
	for (int i = 0; i < 2; i++) {
		struct drawn *d = i ? ev->rheld : ev->rfirst, *next;

		for (; d; d = next) {
			next = d->next;
			free(d->event);
			free(d);
		}
	}
	sample_log_close(ev->slog);
	sample_free(ev->sample);
}

/* ---- the thread's rounds ---- */

static void take_records(struct evidence *ev)
{
	struct drawn **end = &ev->rheld;

	while (*end)
		end = &(*end)->next;
	pthread_mutex_lock(&ev->lock);
	*end = ev->rfirst;
	ev->rfirst = NULL;
	ev->rlast = &ev->rfirst;
	pthread_mutex_unlock(&ev->lock);
}

int evidence_sample_round(struct evidence *ev)
{
	struct item *events = NULL, **last = &events, **end = &ev->held;
	struct drawn *d;
	size_t freed = 0;
	int e = 0;

	take_records(ev); /* first: what is saved then has all of them in it */
	if (sample_unsaved(ev->sample) || ev->rheld)
		e = save_state(ev);
	while (!e && (d = ev->rheld)) {
		uint8_t link[32];

		e = sample_log_append(ev->slog, &d->r, clock_now_ns(), link);
		if (e)
			break;
		if (d->event) {
			memcpy(d->event->e.data, link, sizeof(link));
			freed -= d->event->bytes; /* counted as queued from now on */
			*last = d->event;
			last = &d->event->next;
		}
		freed += sizeof(*d);
		ev->rheld = d->next;
		free(d);
	}
	if (!e)
		e = sample_log_flush(ev->slog);
	/* An event whose record is not durable yet: it follows in the log's next flush, and the record comes first
	 * into its file or a crash takes both. */
	while (*end)
		end = &(*end)->next;
	*end = events;
	pthread_mutex_lock(&ev->lock);
	ev->bytes -= freed;
	pthread_mutex_unlock(&ev->lock);
	return e;
}

int evidence_seeds(struct evidence *ev, uint64_t now_ns)
{
	struct sample_seed_event s;
	bool any = false;
	int e = 0;

	if (!ev->ticked_ns || now_ns - ev->ticked_ns >= TICK_NS) {
		ev->ticked_ns = now_ns;
		e = sample_tick(ev->sample, now_ns);
		if (!e && sample_unsaved(ev->sample))
			e = save_state(ev); /* what is to be published must be ours for good */
	}
	while (!e && sample_seed_next(ev->sample, &s)) {
		struct evlog_event v = { .kind = s.reveal ? EVLOG_SAMPLE_REVEAL : EVLOG_SAMPLE_COMMIT, .source = EVLOG_S_SAMPLER,
					 .time_ns = now_ns, .has_data = true, .reason = s.unused ? "unused" : NULL };

		memcpy(v.data, s.value, sizeof(v.data));
		evlog_num_add(&v, EVLOG_N_DAY, civil_day(s.day));
		e = evidence_append(ev, &v);
		if (!e)
			e = evlog_flush(ev->log, 0);
		if (!e)
			e = sample_seed_done(ev->sample, &s, now_ns);
		any = true;
	}
	return any && !e ? save_state(ev) : e;
}

void evidence_seed_seen(struct evidence *ev, const struct evlog_line *l)
{
	struct sample_seed_event s = { .reveal = l->e.kind == EVLOG_SAMPLE_REVEAL, .unused = l->e.reason && !strcmp(l->e.reason, "unused") };
	uint64_t day = evlog_num_get(&l->e, EVLOG_N_DAY, 0), ns;
	struct clock_date d = { (int)(day / 10000), (int)(day / 100 % 100), (int)(day % 100) };

	if (clock_day_start(&d, "UTC", &ns))
		return;
	s.day = (int32_t)(ns / (86400 * NS_PER_S));
	memcpy(s.value, l->e.data, sizeof(s.value));
	(void)sample_seed_seen(ev->sample, &s, l->e.time_ns); /* too many days: those then have no draws */
}

/* ---- the recorder's side ---- */

static struct policy_str text(const char *s)
{
	return (struct policy_str){ *s ? s : NULL, strlen(s) };
}

static const char *draw_by(struct evidence *ev, struct call *c, const struct sample_rule *rule)
{
	struct sample_input in = { .rule = rule, .now_ns = clock_now_ns(), .call_id = { c->call_id, strlen(c->call_id) },
				   .agent = text(c->agent), .queue = text(c->queue) };
	struct sample_result r;

	if (!ev->live && (!ev->ticked_ns || in.now_ns - ev->ticked_ns >= TICK_NS) && evidence_seeds(ev, in.now_ns))
		return "sampling.unavailable";
	ev->drawing = c;
	sample_draw(ev->sample, &in, &r);
	ev->drawing = NULL;
	if (!r.in)
		return sample_why_name(r.why);
	c->decide.sample_slot = r.slot;
	c->decide.sample_waits = true;
	if (!ev->live) {
		c->decide.sample_waits = evidence_work(ev, in.now_ns) || !sample_durable(ev->sample, r.slot);
		return NULL;
	}
	pthread_mutex_lock(&ev->lock);
	ev->hurry = true;
	pthread_cond_signal(&ev->wake);
	pthread_mutex_unlock(&ev->lock);
	return NULL;
}

const char *evidence_draw(struct evidence *ev, struct call *c)
{
	const struct policy_block *b = &c->rule->purpose[POLICY_TRAINING];
	struct sample_rule rule;

	if (b->sample_permille < 0 && !b->ncap)
		return NULL;
	if (!ev->usable || !evidence_ready(ev) || sample_rule_init(c->rule, &rule))
		return "sampling.unavailable";
	return draw_by(ev, c, &rule);
}

const char *evidence_redraw(struct evidence *ev, struct call *c, const struct policy_rule *r)
{
	struct sample_rule rule, by;

	evidence_slot_end(ev, c, false);
	if (!ev->usable || !evidence_ready(ev) || sample_rule_init(c->rule, &rule) || sample_rule_init(r, &by) ||
	    sample_rule_lower(&rule, &by))
		return "sampling.unavailable";
	return draw_by(ev, c, &rule);
}

uint64_t evidence_saved(const struct evidence *ev)
{
	return ev->saved;
}

bool evidence_durable(struct evidence *ev, const struct call *c)
{
	return sample_durable(ev->sample, c->decide.sample_slot);
}

void evidence_slot_end(struct evidence *ev, struct call *c, bool kept)
{
	uint64_t slot = c->decide.sample_slot;

	c->decide.sample_slot = 0;
	c->decide.sample_waits = false;
	if (slot) /* -ENOENT: it was taken over from nobody */
		(void)(kept ? sample_spend(ev->sample, slot) : sample_release(ev->sample, slot));
}

bool evidence_claim(struct evidence *ev, const struct call *c)
{
	uint8_t id[SAMPLE_ID];

	sample_call_hash(c->call_id, strlen(c->call_id), id);
	return !sample_claim(ev->sample, c->decide.sample_slot, id);
}
