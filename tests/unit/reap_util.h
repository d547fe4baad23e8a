/* SPDX-License-Identifier: BSD-2-Clause */
/* reap_util.h - what the tests of the reaper share: calls with deadlines, a run and what it said. After store_util.h. */
#ifndef REAP_UTIL_H
#define REAP_UTIL_H

#include <signal.h>
#include <sys/wait.h>

#include "store/reap.h"
#include "store/reap_clock.h"

#define DAY_NS (86400 * NS_PER_S)

static struct reap_item items[256];
static char item_text[256][64], item_reason[256][REAP_REASON];
static struct uid item_call[256];
static size_t nitems;
static unsigned nfaults;

UNUSED static void on_item(void *arg, const struct reap_item *it)
{
	(void)arg;
	if (nitems < 256) {
		items[nitems] = *it;
		snprintf(item_text[nitems], 64, "%s", it->controller ? it->controller : "");
		items[nitems].controller = item_text[nitems];
		if (it->reason) {
			snprintf(item_reason[nitems], REAP_REASON, "%s", it->reason);
			items[nitems].reason = item_reason[nitems];
		}
		if (it->call) {
			item_call[nitems] = *it->call;
			items[nitems].call = &item_call[nitems];
		}
		nitems++;
	}
}

UNUSED static void on_fault(void *arg, const char *text)
{
	if (arg)
		print_message("fault: %s\n", text);
	nfaults++;
}

UNUSED static int reap_with(struct reap_settings *s, struct reap_totals *t)
{
	char why[512] = "";
	int rc;

	nitems = nfaults = 0;
	s->store = store_dir;
	s->item = on_item;
	s->fault = on_fault;
	*t = (struct reap_totals){ 0 };
	clock_set_ns(s->now_ns); /* the evidence log, too */
	rc = reap_run(s, t, why, sizeof(why));
	if (rc && rc != -EBUSY && rc != -ETIME)
		print_message("reap: %d %s\n", rc, why);
	return rc;
}

/* As a person who types the time. */
UNUSED static struct reap_totals reap_at(uint64_t now)
{
	struct reap_settings s = { .now_ns = now, .told = true };
	struct reap_totals t;

	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(t.faults, 0);
	return t;
}

/* So, and killed after so many microseconds, unless it is over before. */
UNUSED static void killed_run(uint64_t now, unsigned us)
{
	struct reap_settings s = { .now_ns = now, .told = true };
	struct timespec ts = { .tv_nsec = us % 1000000 * 1000L, .tv_sec = us / 1000000 };
	struct reap_totals t;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		(void)reap_with(&s, &t);
		_exit(0);
	}
	nanosleep(&ts, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

UNUSED static unsigned keep_use_days; /* of keep_call: its training must be used within so many; 0 no word of it */

/* A call of two chunks a leg, kept for the purposes that have a deadline. */
UNUSED static struct uid keep_call(struct store *st, unsigned i, const char *controller, const char *zone, uint64_t start,
				   const uint64_t until[STORE_PURPOSES])
{
	struct chunk *c = chunk_new();
	struct store_call_meta m;
	struct store_call_result r;
	struct store_call *sc;

	meta_of(i, &m);
	result_of(i, &r);
	m.start_ns = start;
	m.controller = controller;
	m.zone = zone;
	m.training_use_by = keep_use_days ? start + keep_use_days * DAY_NS : 0;
	r.answer_ns = start + 5;
	r.end_ns = start + 60 * NS_PER_S;
	for (int p = 0; p < STORE_PURPOSES; p++) {
		m.until_ns[p] = until[p];
		m.commit[p] = until[p] != 0;
		r.state[p] = until[p] ? STORE_S_GRANTED : STORE_S_NONE;
		r.reason[p] = until[p] ? "interest" : "";
	}
	uid_make(m.start_ns, m.sip_call_id, strlen(m.sip_call_id), &m.uid);
	ok(st, store_call_begin(st, &m, &sc));
	for (unsigned n = 0; n < 2; n++)
		for (unsigned leg = 0; leg < 2; leg++) {
			chunk_of(c, i, leg, n);
			ok(st, store_call_append(sc, leg, c));
		}
	ok(st, store_call_end(sc, &r));
	chunk_free(c);
	return m.uid;
}

/* Whether the call can be heard for the purpose: 0, or what store_read_open answers. */
UNUSED static int heard(const struct uid *uid, enum store_purpose p)
{
	struct store *st = open_store(STORE_RO);
	struct store_reader *r = NULL;
	const struct chunk *c;
	unsigned leg, n = 0;
	int rc = store_read_open(st, uid, p, keys_dir, &r), got = 0;

	while (!rc && (got = store_read_next(r, &leg, &c)) == 1)
		n++;
	if (!rc)
		assert_true(got == 0 && n == 4);
	store_read_close(r);
	store_close(st);
	return rc;
}

/* Lines of the evidence log (and none waits in the outbox) that grep -E finds. */
UNUSED static unsigned told(const char *what)
{
	char cmd[1200];
	unsigned n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "test ! -d '%s/outbox' || test -z \"$(ls '%s/outbox')\" || exit 1; cat '%s'/evidence/*.log 2>/dev/null |"
				   " grep -cE '%s'",
		 store_dir, store_dir, store_dir, what);
	f = popen(cmd, "r");
	assert_non_null(f);
	if (fscanf(f, "%u", &n) != 1)
		n = 0;
	pclose(f);
	return n;
}

UNUSED static bool there(const char *rel)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	return !access(path, F_OK);
}

#endif
