/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence_settle.c - what the log says of before we came, see evidence.h
 *
 * The latest two days are read (rule E-10: a call has its outcome within them): seeds that were published, and
 * calls without an outcome. What became of these the store knows, which was settled before. Their keys that are on the disk and that
 * the process before did not live to tell of are told now (key.commit), before the outcome and before anything that others left in
 * the outbox: without it nobody can prove later that such a key was destroyed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "evidence_internal.h"
#include "store/store.h"

struct open_call {
	struct hnode node;
	struct uid uid;
	bool granted[EVLOG_PURPOSES], committed[EVLOG_PURPOSES];
	unsigned keys; /* key.commits in the log */
	uint32_t key_day[STORE_PURPOSES]; /* of a key that the row has; 0 none */
	uint64_t until_ns[STORE_PURPOSES];
	const char *outcome_reason; /* static; NULL: no row */
	enum evlog_kind outcome;
	char controller[EVLOG_NAME], rule[EVLOG_NAME], policy[65];
};

struct look {
	struct evidence *ev;
	bool seeds, settle;
	uint64_t before_seq;
	struct htab open, alive; /* alive: what go_on says; none but the first time */
	uint64_t first_ns;
};

static struct alive *find_alive(const struct look *l, const struct uid *u)
{
	struct hnode *n = l->alive.count ? htab_first(&l->alive, hash_bytes(u->b, sizeof(u->b))) : NULL;

	for (; n; n = htab_next(n)) {
		struct alive *a = container_of(n, struct alive, node);

		if (uid_equal(&a->uid, u))
			return a;
	}
	return NULL;
}

/* The log has it. */
static void found(const struct look *l, const struct evlog_event *e)
{
	struct alive *a = find_alive(l, &e->call);
	struct item **i;

	if (!a)
		return;
	i = e->kind == EVLOG_CALL_MATCH ? &a->match : &a->grant[e->purpose];
	free(*i);
	*i = NULL;
}

/* What it has not, it gets before anything else of the call. */
static int go_on(struct look *l)
{
	int e = 0;

	for (struct alive *a = l->ev->alive; a && !e; a = a->next) {
		if (a->match)
			e = evidence_append(l->ev, &a->match->e);
		for (int p = 0; !e && p < EVLOG_PURPOSES; p++)
			if (a->grant[p])
				e = evidence_append(l->ev, &a->grant[p]->e);
	}
	return e;
}

static int index_alive(struct look *l)
{
	if (!l->ev->alive)
		return 0;
	if (htab_init(&l->alive, 1024))
		return -ENOMEM;
	for (struct alive *a = l->ev->alive; a; a = a->next)
		htab_add(&l->alive, &a->node, hash_bytes(a->uid.b, sizeof(a->uid.b)));
	return 0;
}

void evidence_alive_free(struct evidence *ev)
{
	struct alive *a;

	while ((a = ev->alive)) {
		ev->alive = a->next;
		free(a->match);
		for (int p = 0; p < EVLOG_PURPOSES; p++)
			free(a->grant[p]);
		free(a);
	}
}

static struct open_call *find(const struct look *l, const struct uid *u)
{
	struct hnode *n;

	for (n = htab_first(&l->open, hash_bytes(u->b, sizeof(u->b))); n; n = htab_next(n)) {
		struct open_call *o = container_of(n, struct open_call, node);

		if (uid_equal(&o->uid, u))
			return o;
	}
	return NULL;
}

static int add(struct look *l, const struct evlog_line *line)
{
	struct open_call *o;

	if (find(l, &line->e.call))
		return 0;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->uid = line->e.call;
	o->outcome = EVLOG_CALL_GAP;
	snprintf(o->controller, sizeof(o->controller), "%s", line->controller);
	snprintf(o->rule, sizeof(o->rule), "%s", line->rule);
	snprintf(o->policy, sizeof(o->policy), "%s", line->policy);
	if (!l->first_ns || line->e.time_ns < l->first_ns)
		l->first_ns = line->e.time_ns;
	htab_add(&l->open, &o->node, hash_bytes(o->uid.b, sizeof(o->uid.b)));
	return 0;
}

static void drop(struct look *l, const struct uid *u)
{
	struct open_call *o = find(l, u);

	if (!o)
		return;
	htab_del(&l->open, &o->node);
	free(o);
}

static int on_line(void *arg, const char *file, uint64_t n, const struct evlog_line *line)
{
	struct look *l = arg;
	struct open_call *o;

	(void)file;
	(void)n;
	switch (line->e.kind) {
	case EVLOG_SAMPLE_COMMIT:
	case EVLOG_SAMPLE_REVEAL:
		if (l->seeds)
			evidence_seed_seen(l->ev, line);
		return 0;
	case EVLOG_NOTICE_SMS:
		if (l->seeds)
			evidence_sms_seen(l->ev, &line->e);
		return 0;
	case EVLOG_CALL_MATCH:
		found(l, &line->e);
		return (l->settle || l->seeds) && (!l->before_seq || line->seq < l->before_seq) ? add(l, line) : 0;
	case EVLOG_PURPOSE_GRANT:
		found(l, &line->e);
		o = l->settle ? find(l, &line->e.call) : NULL;
		if (o)
			o->granted[line->e.purpose] = true;
		return 0;
	case EVLOG_KEY_COMMIT:
		o = l->settle ? find(l, &line->e.call) : NULL;
		if (o) {
			o->committed[line->e.purpose] = true;
			o->keys++;
		}
		return 0;
	case EVLOG_CALL_KEPT:
	case EVLOG_CALL_DENIED:
	case EVLOG_CALL_GAP:
		drop(l, &line->e.call);
		return 0;
	default:
		return 0;
	}
}

/* The store's answer. Rows are written in the order of their ends, so of a call's rows the first counts. */
static int on_row(void *arg, const struct store_row *r)
{
	struct look *l = arg;
	struct open_call *o = find(l, &r->uid);

	if (!o || o->outcome_reason)
		return 0;
	for (int p = 0; p < STORE_PURPOSES; p++)
		if (r->end_state[p] == STORE_S_GRANTED || r->end_state[p] == STORE_S_OBJECTED) {
			o->key_day[p] = r->key_day[p];
			o->until_ns[p] = r->until_ns[p];
		}
	o->outcome_reason = r->gap && *r->gap ? "crash" : "process-ended";
	if (r->outcome == STORE_O_DENIED)
		o->outcome = EVLOG_CALL_DENIED;
	/* a grant whose event was lost with the process is no proof: then it is a gap, whatever is there */
	else if (r->outcome == STORE_O_KEPT && (o->granted[EVLOG_P_DOCUMENTATION] || o->granted[EVLOG_P_TRAINING]))
		o->outcome = EVLOG_CALL_KEPT;
	return 0;
}

static int ask_store(struct look *l)
{
	struct store_filter f = { .state = -1, .since_ns = l->first_ns > NS_PER_S ? l->first_ns - NS_PER_S : 0 };
	struct store *st;
	char why[256];
	int e = store_open(l->ev->dir, STORE_RO, &st, why, sizeof(why));

	if (e)
		return e;
	e = store_find(st, &f, on_row, l);
	store_close(st);
	return e;
}

/* As the recorder tells it (proof_commit), which died before. */
static int say_keys(struct look *l, struct open_call *o)
{
	int rc = 0;

	for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
		struct evlog_event e = { .kind = EVLOG_KEY_COMMIT, .source = EVLOG_S_DAEMON, .time_ns = clock_now_ns(), .has_call = true,
					 .call = o->uid, .controller = o->controller, .rule = o->rule,
					 .policy = *o->policy ? o->policy : NULL, .reason = "process-ended",
					 .purpose = p ? EVLOG_P_TRAINING : EVLOG_P_DOCUMENTATION };

		if (!o->key_day[p] || o->committed[e.purpose])
			continue;
		evlog_num_add(&e, EVLOG_N_UNTIL_S, o->until_ns[p] / NS_PER_S);
		evlog_num_add(&e, EVLOG_N_DAY, o->key_day[p]);
		rc = evidence_append(l->ev, &e);
		o->keys += !rc;
	}
	return rc;
}

static int say(struct look *l, struct open_call *o)
{
	int rc = say_keys(l, o);
	struct evlog_event e = { .kind = o->outcome, .source = EVLOG_S_DAEMON, .time_ns = clock_now_ns(), .has_call = true,
				 .call = o->uid, .controller = o->controller, .rule = o->rule, .policy = *o->policy ? o->policy : NULL,
				 .reason = o->outcome_reason ? o->outcome_reason : "process-ended" };

	if (o->outcome == EVLOG_CALL_KEPT || o->keys)
		evlog_num_add(&e, EVLOG_N_KEYS, o->keys);
	return rc ? rc : evidence_append(l->ev, &e);
}

/* How many have no outcome, and nobody goes on with them. */
static size_t left_open(struct look *l)
{
	for (const struct alive *a = l->ev->alive; a; a = a->next)
		drop(l, &a->uid);
	return l->open.count;
}

static int settle(struct look *l)
{
	size_t i;
	int e = 0;

	if (!left_open(l))
		return 0;
	e = ask_store(l);
	if (e) /* what is not known is not guessed: a later start says it */
		return e;
	for (i = 0; i <= l->open.mask && !e; i++)
		for (struct hnode *n = l->open.slot[i]; n && !e; n = n->next)
			e = say(l, container_of(n, struct open_call, node));
	log_notice("evidence: %zu calls of a process before have their outcome now", l->open.count);
	return e;
}

static void free_open(struct look *l)
{
	size_t i;

	for (i = 0; l->open.slot && i <= l->open.mask; i++) {
		struct hnode *n = l->open.slot[i], *next;

		for (; n; n = next) {
			next = n->next;
			free(container_of(n, struct open_call, node));
		}
	}
	htab_free(&l->open);
}

/* Of the newest day that is there; INT32_MIN none. */
static int32_t newest_day(const char *dir)
{
	int fd = beneath_open(dir, "evidence", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct clock_date date;
	char newest[16] = "";
	struct dirent *f;
	uint64_t ns;

	while (d && (f = readdir(d)))
		if (strlen(f->d_name) == 14 && !strcmp(f->d_name + 10, ".log") && strcmp(f->d_name, newest) > 0)
			snprintf(newest, sizeof(newest), "%.10s", f->d_name);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	if (!*newest || clock_date_parse(newest, 10, &date) || clock_day_start(&date, "UTC", &ns))
		return INT32_MIN;
	return evlog_day(ns);
}

int evidence_look_back(struct evidence *ev, bool first, bool do_settle)
{
	struct look l = { .ev = ev, .seeds = first, .settle = do_settle, .before_seq = ev->first_seq };
	int32_t day = newest_day(ev->dir);
	struct evlog_look how = { .arg = &l, .line = on_line };
	struct evlog_report rep;
	char why[256] = "";
	int e;

	if (day == INT32_MIN)
		return first ? go_on(&l) : 0;
	/* seeds are made up to two days ahead, and revealed when their day is over everywhere */
	how.from_day = day - (first ? 4 : 1);
	if (htab_init(&l.open, 1024))
		return -ENOMEM;
	e = first ? index_alive(&l) : 0;
	if (!e)
		e = evlog_look(ev->dir, &how, &rep, why, sizeof(why));
	if (e == -ENOENT)
		e = 0;
	if (!e && first) {
		ev->left_open = left_open(&l);
		e = go_on(&l);
	}
	if (!e && do_settle)
		e = settle(&l);
	htab_free(&l.alive);
	if (e)
		evidence_said(ev, e, "evidence", why);
	free_open(&l);
	return e;
}
