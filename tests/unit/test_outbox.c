/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_outbox.c - events by way of the outbox: each once in the log, whatever is killed, full, torn or wrong
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>

#include "store/evlog_internal.h"
#include "store/outbox_internal.h"
#include "store_util.h"

#define DAY (86400ULL * NS_PER_S)
#define D0  (20780ULL * DAY) /* 2026-11-23T00:00Z */

static int fresh(void **state)
{
	clock_set_ns(D0 + 3600 * NS_PER_S);
	return make_store(state);
}

static int gone(void **state)
{
	clock_set_ns(0);
	return drop_store(state);
}

static struct outbox *open_box(void)
{
	struct outbox *o = NULL;
	char why[512] = "";
	int rc = outbox_open(store_dir, &o, why, sizeof(why));

	if (rc)
		fail_msg("outbox_open: %d %s", rc, why);
	return o;
}

/* Event i of a run: each another. */
static struct evlog_event event(unsigned i)
{
	struct evlog_event e = { .kind = EVLOG_KEY_DESTROY, .source = EVLOG_S_REAPER, .time_ns = clock_now_ns() + i,
				 .purpose = EVLOG_P_TRAINING, .controller = "acme", .has_call = true, .reason = "deadline" };

	uid_make(D0, &i, sizeof(i), &e.call);
	return e;
}

static void add(struct outbox *o, unsigned i)
{
	struct evlog_event e = event(i);
	int rc = outbox_add(o, &e);

	if (rc)
		fail_msg("outbox_add: %d %s", rc, outbox_why(o));
}

static void leave(unsigned from, unsigned n)
{
	struct outbox *o = open_box();

	for (unsigned i = 0; i < n; i++)
		add(o, from + i);
	assert_int_equal(outbox_commit(o), 0);
	outbox_close(o);
}

static struct outbox_waiting waiting(void)
{
	struct outbox_waiting w;

	assert_int_equal(outbox_waiting(store_dir, &w), 0);
	return w;
}

/* ---- what the log has of it ---- */

#define MAX 70000
static unsigned char seen[MAX];
static unsigned total, takes, refusals;

static int take_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	struct evlog_event e;

	(void)arg, (void)file, (void)n;
	takes += l->e.kind == EVLOG_OUTBOX_TAKE;
	refusals += l->e.kind == EVLOG_OUTBOX_REFUSE;
	if (l->e.kind != EVLOG_KEY_DESTROY)
		return 0;
	total++;
	for (unsigned i = 0; i < MAX; i++) {
		e = event(i);
		if (uid_equal(&e.call, &l->e.call)) {
			seen[i]++;
			return 0;
		}
		if (i > 400) /* the large tests only count */
			break;
	}
	return 0;
}

static struct evlog_report log_now(void)
{
	struct evlog_look how = { .line = take_line };
	struct evlog_report r;
	char why[512] = "";
	int rc;

	memset(seen, 0, sizeof(seen));
	total = takes = refusals = 0;
	rc = evlog_look(store_dir, &how, &r, why, sizeof(why));
	if (rc)
		fail_msg("evlog_look: %d %s", rc, why);
	assert_int_equal(r.damaged, 0);
	return r;
}

/* Events 0 to n-1 are there, each once. */
static void log_has(unsigned n)
{
	log_now();
	for (unsigned i = 0; i < n && i < 400; i++)
		if (seen[i] != 1)
			fail_msg("event %u is there %u times", i, seen[i]);
	assert_int_equal(total, n);
}

static struct outbox_taken flush_now(void)
{
	struct outbox_taken t;
	char why[512] = "";
	int rc = outbox_flush_now(store_dir, &t, why, sizeof(why));

	if (rc)
		fail_msg("outbox_flush_now: %d %s", rc, why);
	return t;
}

static struct evlog *open_log(void)
{
	struct evlog *l = NULL;
	char why[512] = "";
	int rc = evlog_open(store_dir, &l, why, sizeof(why));

	if (rc)
		fail_msg("evlog_open: %d %s", rc, why);
	return l;
}

static struct outbox_taken take(struct evlog *l)
{
	struct outbox_taken t;
	char why[512] = "";
	int rc = outbox_take(l, clock_now_ns(), &t, why, sizeof(why));

	if (rc)
		fail_msg("outbox_take: %d %s", rc, why);
	return t;
}

/* ---- tests ---- */

static void through(void **state)
{
	struct outbox *o = open_box();
	struct outbox_taken t;
	struct evlog *l;
	char why[512];

	(void)state;
	outbox_close(o); /* nothing added: no file */
	assert_int_equal(waiting().files, 0);
	assert_int_equal(flush_now().files, 0); /* and no log is made for nothing */
	shell("test ! -e '%s/evidence'", store_dir);
	leave(0, 3);
	clock_set_ns(clock_now_ns() + NS_PER_S);
	leave(3, 2);
	assert_int_equal(waiting().files, 2);
	assert_int_equal(waiting().events, 5);
	t = flush_now();
	assert_int_equal(t.files, 2);
	assert_int_equal(t.events, 5);
	assert_int_equal(t.left, 0);
	assert_int_equal(waiting().files, 0);
	clock_set_ns(D0 + 3600 * NS_PER_S);
	log_now();
	assert_int_equal(total, 5);
	assert_int_equal(takes, 2);
	/* while somebody else has the log they stay, and that one takes them */
	l = open_log();
	leave(5, 2);
	assert_int_equal(outbox_flush_now(store_dir, &t, why, sizeof(why)), -EBUSY);
	assert_int_equal(waiting().files, 1);
	assert_int_equal(take(l).events, 2);
	assert_int_equal(take(l).files, 0);
	evlog_close(l);
	log_now();
	assert_int_equal(total, 7);
}

static void closed_lists(void **state)
{
	struct evlog_event e = event(0);
	struct outbox *o = open_box();
	unsigned allowed = 0;

	(void)state;
	assert_null(outbox_check(&e));
	e.source = EVLOG_S_DAEMON; /* the daemon speaks for itself */
	assert_int_equal(outbox_add(o, &e), -EINVAL);
	e.source = EVLOG_S_NONE;
	assert_int_equal(outbox_add(o, &e), -EINVAL);
	e = event(0);
	e.reason = "n4512345678";
	assert_int_equal(outbox_add(o, &e), -EINVAL);
	e = event(0);
	e.kind = EVLOG_CONSENT_WITHDRAWN;
	e.purpose = EVLOG_P_TRAINING;
	e.has_call = true;
	assert_null(outbox_check(&e));
	snprintf(e.press, sizeof(e.press), "0"); /* it was pressed in the call, and the daemon heard it */
	evlog_num_add(&e, EVLOG_N_LEG, 0);
	assert_null(evlog_check(&e));
	assert_int_equal(outbox_add(o, &e), -EINVAL);
	/* what decides about calls, and what is the log's own, has no way in */
	for (int k = 0; k < EVLOG_KINDS; k++) {
		e = (struct evlog_event){ .kind = (enum evlog_kind)k, .source = EVLOG_S_REAPER, .time_ns = D0,
					  .purpose = EVLOG_P_TRAINING, .controller = "acme", .rule = "r", .who = "anna",
					  .reason = "deadline", .policy = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" };
		evlog_num_add(&e, EVLOG_N_DAY, 20231123);
		e.has_call = true;
		e.has_data = false;
		if (evlog_check(&e))
			e.has_call = false;
		if (evlog_check(&e))
			e.has_data = true;
		if (evlog_check(&e))
			e.has_call = true;
		assert_null(evlog_check(&e));
		allowed += !outbox_check(&e);
	}
	assert_int_equal(allowed, 21);
	e.kind = EVLOG_CALL_KEPT;
	outbox_close(o);
	assert_int_equal(waiting().files, 0);
}

/* Bad files block nobody, are counted, told and kept. */
static void bad_files(void **state)
{
	struct outbox_taken t;
	char why[512] = "";

	(void)state;
	leave(0, 3);
	shell("cd '%s/outbox' && f=$(ls) && "
	      "cp $f 0000000000000000-0000000000000000.jsonl && "	   /* another name: not what the head says */
	      "sed '3s/deadline/deadlinf/' $f >0000000000000001-0000000000000000.jsonl && "
	      "printf x >0000000000000002-0000000000000000.jsonl && : >0000000000000003-0000000000000000.jsonl && "
	      "mkdir 0000000000000004-0000000000000000.jsonl && mkfifo 0000000000000005-0000000000000000.jsonl && "
	      "ln -s /etc/passwd 0000000000000006-0000000000000000.jsonl && truncate -s 5M 0000000000000007-0000000000000000.jsonl && "
	      "a=$(printf %%0249d 0) && printf l >$a.jsonl && printf m >${a#??????????????????????????????}.jsonl && "
	      "printf y >foo.jsonl && mkdir foo.bad && printf z >stranger && printf z >.jsonl.tmp", store_dir);
	t = (struct outbox_taken){ 0 };
	assert_int_equal(outbox_flush_now(store_dir, &t, why, sizeof(why)), 0);
	assert_int_equal(t.refused, 11);
	assert_int_equal(t.events, 3);
	assert_non_null(strstr(why, "set aside as "));
	assert_int_equal(waiting().bad, 12); /* and the one that was there */
	assert_int_equal(waiting().files, 0);
	log_has(3);
	assert_int_equal(refusals, 11);
	shell("cd '%s/outbox' && test -e stranger && test -d foo.bad && test -f foo.1.bad", store_dir);
}

/* Every byte changed, the file cut everywhere: never an event that was not left, never one lost without a word. */
static void every_byte(void **state)
{
	static char p[4096];
	char file[300], name[OUTBOX_NAME + 1], c;
	const char *what;
	uint8_t store[16];
	struct root r;
	struct why why;
	struct names names;
	uint64_t events;
	size_t n;

	(void)state;
	leave(0, 2);
	assert_int_equal(root_open(store_dir, &r, &why), 0);
	memcpy(store, r.id, 16);
	assert_int_equal(names_read(&r, OUTBOX_DIR, &names), 0);
	assert_int_equal(names.n, 1);
	snprintf(file, sizeof(file), OUTBOX_DIR "/%s", names.v[0]);
	snprintf(name, sizeof(name), "%.33s", names.v[0]);
	assert_int_equal(read_small(r.fd, file, p, sizeof(p), &n), 0);
	assert_int_equal(outbox_parse(p, n, name, store, false, NULL, NULL, &events, &what), 0);
	assert_int_equal(events, 2);
	for (size_t i = 0; i < n; i++) {
		c = p[i];
		p[i] = (char)(c ^ 1);
		/* the last line's text may become another whole one, of which nobody has a hash: its digits; nothing else */
		if (!outbox_parse(p, n, name, store, false, NULL, NULL, &events, &what))
			assert_true(events == 2 && i > n - 400);
		p[i] = c;
	}
	for (size_t i = 0; i < n; i++) {
		size_t lines = 0;
		int rc = outbox_parse(p, i, name, store, true, NULL, NULL, &events, &what);

		for (size_t k = 0; k < i; k++)
			lines += p[k] == '\n';
		assert_int_equal(rc, 0); /* torn: what is whole counts */
		assert_int_equal(events, lines ? lines - 1 : 0);
		rc = outbox_parse(p, i, name, store, false, NULL, NULL, &events, &what);
		assert_int_equal(rc, i && p[i - 1] == '\n' ? 0 : -EBADMSG);
	}
	names_free(&names);
	root_close(&r);
}

/* A writer that was killed: its lines count after a minute, without the torn one; one at work is left alone. */
static void killed_writer(void **state)
{
	struct outbox_taken t;
	char path[300];
	int status, lock;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		struct outbox *o = open_box();

		for (unsigned i = 0; i < 7; i++)
			add(o, i);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	shell("cd '%s/outbox' && f=$(ls) && printf '{\"seq\":8,\"prev' >>$f", store_dir);
	assert_int_equal(waiting().files, 1);
	t = flush_now();
	assert_int_equal(t.events, 0);
	assert_int_equal(t.left, 1);
	shell("cd '%s/outbox' && touch -d '-2 minutes' *.tmp", store_dir);
	/* at work, however long it takes */
	shell("cd '%s/outbox' && ln *.tmp ../held", store_dir);
	snprintf(path, sizeof(path), "%s/held", store_dir);
	lock = open(path, O_RDONLY);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(flush_now().events, 0);
	close(lock);
	t = flush_now();
	assert_int_equal(t.events, 7);
	log_has(7);
	assert_int_equal(waiting().files, 0);
}

/* The taker is killed at any moment: after every next start each event is there once. */
static void killed_taker(void **state)
{
	unsigned left = 0, kills = 0;
	int status;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		pid_t pid;

		leave(left, 5);
		left += 5;
		pid = fork();
		if (!pid) {
			struct outbox_taken t;

			(void)outbox_flush_now(store_dir, &t, NULL, 0);
			_exit(0);
		}
		usleep(round * 137 % 4000);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		kills += WIFSIGNALED(status);
	}
	flush_now();
	log_has(left);
	assert_true(kills > 5);
}

/* As after a crash in the middle of a file: mark and some events are in the log, the head is not so far, the file is there. */
static void half_taken(void **state)
{
	struct evlog_event e = { .kind = EVLOG_DAEMON_START, .source = EVLOG_S_DAEMON };
	struct evlog *l = open_log();

	(void)state;
	e.time_ns = clock_now_ns();
	evlog_close(l);
	shell("cp '%s/evidence/head' '%s/head0'; cp -r '%s' '%s/store0'", store_dir, base_dir, store_dir, base_dir);
	for (unsigned cut = 0; cut <= 10; cut++) {
		leave(0, 10);
		shell("cp -r '%s/outbox' '%s/kept'", store_dir, base_dir);
		flush_now();
		shell("cd '%s/evidence' && head -%u 2026-11-23.log >x && sed -n %up 2026-11-23.log | head -c 50 >>x && "
		      "mv x 2026-11-23.log && cp '%s/head0' head && rm -r ../outbox && mv '%s/kept' ../outbox",
		      store_dir, 2 + cut, 3 + cut, base_dir, base_dir);
		l = open_log();
		assert_int_equal(evlog_append(l, &e, NULL), 0);
		assert_int_equal(take(l).events, 10 - cut);
		evlog_close(l);
		log_has(10);
		assert_int_equal(takes, cut < 10 ? 2 : 1);
		flush_now();
		log_has(10);
		shell("rm -r '%s' && cp -r '%s/store0' '%s'", store_dir, base_dir, store_dir);
	}
}

/* The file comes back after it was taken (a directory that was not synced): it is known. */
static void comes_back(void **state)
{
	(void)state;
	leave(0, 4);
	shell("cp -r '%s/outbox' '%s/kept'", store_dir, base_dir);
	flush_now();
	for (unsigned i = 0; i < 3; i++) {
		shell("cp '%s'/kept/* '%s/outbox/'", base_dir, store_dir);
		clock_set_ns(clock_now_ns() + DAY);
		assert_int_equal(flush_now().files, 1);
	}
	clock_set_ns(D0 + 3600 * NS_PER_S);
	log_has(4);
	assert_int_equal(takes, 1);
}

/* A clock that was set back: events of tomorrow wait for tomorrow, and lead the log nowhere. */
static void tomorrow(void **state)
{
	struct evlog *l;

	(void)state;
	clock_set_ns(D0 + 5 * DAY);
	leave(0, 2);
	clock_set_ns(D0 + 3600 * NS_PER_S);
	leave(2, 2);
	l = open_log();
	assert_int_equal(take(l).events, 2);
	assert_int_equal(take(l).left, 1);
	clock_set_ns(D0 + 5 * DAY + 1);
	assert_int_equal(take(l).events, 2);
	evlog_close(l);
	log_now();
	assert_int_equal(total, 4);
}

/* Left long after they happened: that is no clock that went back. */
static void late(void **state)
{
	struct evlog_event e = { .kind = EVLOG_DAEMON_START, .source = EVLOG_S_DAEMON };
	struct evlog *l = open_log();

	(void)state;
	leave(0, 3);
	e.time_ns = clock_now_ns() + 7200 * NS_PER_S;
	clock_set_ns(e.time_ns);
	assert_int_equal(evlog_append(l, &e, NULL), 0);
	assert_int_equal(take(l).events, 3);
	evlog_close(l);
	assert_int_equal(log_now().backwards, 0);
	assert_int_equal(total, 3);
}

/* More than a file takes: the writer goes on in another; a round has its limit. */
static void many(void **state)
{
	struct outbox *o = open_box();
	struct evlog *l = open_log();
	struct outbox_taken t;
	uint64_t events = 0;
	unsigned rounds = 0;

	(void)state;
	for (unsigned i = 0; i < 60000; i++)
		add(o, i);
	assert_true(waiting().files > 3);
	outbox_close(o);
	assert_int_equal(waiting().events, 60000);
	do {
		t = take(l);
		events += t.events;
		rounds++;
		assert_true(t.events < 60000);
	} while (t.left);
	assert_int_equal(events, 60000);
	assert_true(rounds > 1);
	evlog_close(l);
	for (unsigned i = 0; i < 200; i++)
		leave(0, 1);
	assert_int_equal(flush_now().files, 200);
	log_now();
	assert_int_equal(total, 60200);
}

static void *writer(void *arg)
{
	for (unsigned k = 0; k < 20; k++)
		leave(*(unsigned *)arg + k * 4, 4);
	return NULL;
}

/* Several leave while one takes. */
static void together(void **state)
{
	struct evlog *l = open_log();
	unsigned from[3] = { 0, 100, 200 };
	pthread_t th[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&th[i], NULL, writer, &from[i]), 0);
	for (unsigned i = 0; i < 200; i++)
		take(l);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
	take(l);
	take(l);
	evlog_close(l);
	log_now();
	assert_int_equal(total, 240);
	for (unsigned i = 0; i < 240; i++)
		assert_int_equal(seen[i / 80 * 100 + i % 80], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(through, fresh, gone),
		cmocka_unit_test_setup_teardown(closed_lists, fresh, gone),
		cmocka_unit_test_setup_teardown(bad_files, fresh, gone),
		cmocka_unit_test_setup_teardown(every_byte, fresh, gone),
		cmocka_unit_test_setup_teardown(killed_writer, fresh, gone),
		cmocka_unit_test_setup_teardown(killed_taker, fresh, gone),
		cmocka_unit_test_setup_teardown(half_taken, fresh, gone),
		cmocka_unit_test_setup_teardown(comes_back, fresh, gone),
		cmocka_unit_test_setup_teardown(tomorrow, fresh, gone),
		cmocka_unit_test_setup_teardown(late, fresh, gone),
		cmocka_unit_test_setup_teardown(many, fresh, gone),
		cmocka_unit_test_setup_teardown(together, fresh, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
