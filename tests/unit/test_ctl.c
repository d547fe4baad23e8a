/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ctl.c - the control socket by real clients: answers, limits, who may ask; and the metrics page */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/rtlink.h"
#include "ctl.h"
#include "losses.h"
#include "metrics.h"
#include "status.h"

static char dir[64], path[96];
static uint64_t later_client;
static unsigned calls;

static int h_echo(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	(void)arg;
	(void)p;
	(void)why;
	(void)n;
	calls++;
	return json_object_set(answer, "x", json_object_get(rq, "x"));
}

static int h_later(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	(void)arg;
	(void)rq;
	(void)answer;
	(void)why;
	(void)n;
	later_client = p->client;
	return CTL_LATER;
}

static int h_large(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	char *s = malloc(4 << 20);

	(void)arg;
	(void)p;
	(void)rq;
	(void)why;
	(void)n;
	assert_non_null(s);
	memset(s, 'a', 4 << 20);
	json_object_set_new(answer, "large", json_stringn(s, 4 << 20));
	free(s);
	return 0;
}

static int h_refuse(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	(void)arg;
	(void)p;
	(void)rq;
	json_object_set_new(answer, "must", json_string("not be seen"));
	snprintf(why, n, "not \"now\"");
	return -ERANGE;
}

/* One that takes its time: so many requests fit one turn of the daemon's loop. */
static int h_slow(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	const struct timespec t = { 0, CTL_RUN_NS * 2 };

	nanosleep(&t, NULL);
	return h_echo(arg, p, rq, answer, why, n);
}

static const struct ctl_handler handlers[] = {
	{ "echo", 0, h_echo },	     { "later", 0, h_later },		 { "large", 0, h_large },
	{ "refuse", 0, h_refuse },   { "owner", CTL_OWNER, h_echo }, { "slow", 0, h_slow },
	{ "calls", CTL_CALLS, h_echo }, { "use", CTL_USE, h_echo },	 { 0 },
};

static struct ctl *c;

static int setup(void **state)
{
	char why[256];

	(void)state;
	strcpy(dir, "/tmp/optag-ctl.XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755))
		return -1;
	snprintf(path, sizeof(path), "%s/control", dir);
	return ctl_new(path, (gid_t)-1, handlers, NULL, &c, why, sizeof(why));
}

static int teardown(void **state)
{
	(void)state;
	ctl_free(c);
	c = NULL;
	return access(path, F_OK) == 0 ? -1 : rmdir(dir); /* the socket went with it */
}

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		fail_msg("connect: %s", strerror(errno));
	return fd;
}

static void say(int fd, const char *s)
{
	assert_int_equal(send(fd, s, strlen(s), MSG_NOSIGNAL), strlen(s));
}

/* One line, while the daemon side runs. NULL: closed. Event driven: a lost wake-up would hang here. */
static json_t *hear(int fd)
{
	static char line[5 << 20];
	size_t n = 0;

	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = ctl_fd(c), .events = POLLIN } };
		ssize_t got = recv(fd, line + n, 1, MSG_DONTWAIT);

		while (got == 1 && line[n] != '\n' && n < sizeof(line) - 1)
			got = recv(fd, line + ++n, 1, MSG_DONTWAIT);
		if (got == 1)
			return json_loadb(line, n, 0, NULL);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return NULL;
		if (poll(p, 2, 20000) == 0)
			fail_msg("nothing happens");
		if (p[1].revents)
			ctl_run(c);
	}
}

static const char *field(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static void expect_error(int fd, const char *request, const char *name)
{
	json_t *o;

	say(fd, request);
	o = hear(fd);
	assert_true(json_is_false(json_object_get(o, "ok")));
	assert_string_equal(field(o, "errno"), name);
	assert_true(*field(o, "error"));
	assert_null(json_object_get(o, "must"));
	json_decref(o);
}

static void test_answers(void **state)
{
	int fd = dial();
	json_t *o;

	(void)state;
	say(fd, "{\"do\":\"echo\",\"x\":5,\"id\":\"q\"}\n");
	o = hear(fd);
	assert_true(json_is_true(json_object_get(o, "ok")));
	assert_int_equal(json_integer_value(json_object_get(o, "x")), 5);
	assert_string_equal(field(o, "id"), "q");
	json_decref(o);
	expect_error(fd, "{\"do\":\"refuse\"}\n", "ERANGE");
	expect_error(fd, "{\"do\":\"nothing\"}\n", "EOPNOTSUPP");
	expect_error(fd, "{\"x\":1}\n", "EINVAL");
	expect_error(fd, "[1]\n", "EINVAL");
	expect_error(fd, "{\"do\":\"echo\",\"do\":\"echo\"}\n", "EINVAL");
	expect_error(fd, "\x80\n", "EINVAL");
	close(fd);
}

/* More than one turn's share in one write, with a half line behind; then the other half. */
static void test_pipelined(void **state)
{
	int fd = dial();
	json_t *o;

	(void)state;
	for (int i = 0; i < 50; i++) {
		char line[64];

		snprintf(line, sizeof(line), "{\"do\":\"echo\",\"x\":%d}\n", i);
		say(fd, line);
	}
	say(fd, "{\"do\":\"echo\",");
	for (int i = 0; i < 50; i++) {
		o = hear(fd);
		assert_int_equal(json_integer_value(json_object_get(o, "x")), i);
		json_decref(o);
	}
	say(fd, "\"x\":50}\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	o = hear(fd);
	assert_int_equal(json_integer_value(json_object_get(o, "x")), 50);
	json_decref(o);
	assert_null(hear(fd)); /* and the end */
	close(fd);
}

/* However many ask at once, packets have their turn after one slow request; and each client gets its own. */
static void test_turns(void **state)
{
	int fd[CTL_CLIENTS_MAX];
	unsigned turns = 0;
	json_t *o;

	(void)state;
	for (int i = 0; i < CTL_CLIENTS_MAX; i++) {
		fd[i] = dial();
		for (int k = 0; k < 3; k++)
			say(fd[i], "{\"do\":\"slow\",\"x\":1}\n");
	}
	calls = 0;
	while (calls < CTL_CLIENTS_MAX) {
		unsigned before = calls;

		ctl_run(c);
		assert_true(calls - before <= 1);
		assert_true(++turns < 4 * CTL_CLIENTS_MAX);
	}
	for (int i = 0; i < CTL_CLIENTS_MAX; i++) {
		o = hear(fd[i]);
		assert_int_equal(json_integer_value(json_object_get(o, "x")), 1);
		json_decref(o);
		close(fd[i]);
	}
}

static void test_later(void **state)
{
	int fd = dial();
	uint64_t first;
	json_t *o;

	(void)state;
	later_client = 0;
	say(fd, "{\"do\":\"later\",\"id\":3}\n{\"do\":\"echo\",\"x\":9}\n");
	while (!later_client)
		ctl_run(c);
	first = later_client;
	assert_int_equal(ctl_answer(c, first, 0, NULL, json_pack("{s:i}", "line", 1), true), 0);
	o = hear(fd);
	assert_true(json_is_true(json_object_get(o, "more")));
	assert_int_equal(json_integer_value(json_object_get(o, "id")), 3);
	json_decref(o);
	assert_int_equal(ctl_answer(c, first, -EIO, "broken", NULL, false), 0);
	o = hear(fd);
	assert_string_equal(field(o, "error"), "broken");
	json_decref(o);
	o = hear(fd); /* what waited behind it */
	assert_int_equal(json_integer_value(json_object_get(o, "x")), 9);
	json_decref(o);
	assert_int_equal(ctl_answer(c, first, 0, NULL, NULL, false), -ENOENT); /* answered already */
	close(fd);

	/* A client that leaves, and the next one in its slot: the late answer reaches nobody. */
	fd = dial();
	later_client = 0;
	say(fd, "{\"do\":\"later\"}\n");
	while (!later_client)
		ctl_run(c);
	first = later_client;
	close(fd);
	ctl_run(c);
	fd = dial();
	ctl_run(c);
	assert_int_equal(ctl_answer(c, first, 0, NULL, json_object(), false), -ENOENT);
	close(fd);
}

static void test_limits(void **state)
{
	int fd[CTL_CLIENTS_MAX + 1];
	static char junk[CTL_REQUEST_MAX + 1];
	struct ctl_stats s;
	json_t *o;

	(void)state;
	for (unsigned i = 0; i < CTL_CLIENTS_MAX + 1; i++) {
		fd[i] = dial();
		ctl_run(c);
	}
	o = hear(fd[CTL_CLIENTS_MAX]);
	assert_string_equal(field(o, "errno"), "EBUSY");
	json_decref(o);
	for (unsigned i = 1; i < CTL_CLIENTS_MAX + 1; i++)
		close(fd[i]);
	memset(junk, 'x', sizeof(junk) - 1);
	say(fd[0], junk);
	o = hear(fd[0]);
	assert_string_equal(field(o, "errno"), "EMSGSIZE");
	json_decref(o);
	assert_null(hear(fd[0]));
	close(fd[0]);
	ctl_run(c);
	ctl_get_stats(c, &s);
	assert_int_equal(s.refused_full, 1);
	assert_int_equal(s.bad, 1);
	assert_int_equal(s.clients, 0);
}

/* An answer larger than the socket takes goes out in parts while others are served. */
static void test_slow_reader(void **state)
{
	int slow = dial(), fd = dial();
	json_t *o;

	(void)state;
	say(slow, "{\"do\":\"large\"}\n");
	expect_error(fd, "{\"do\":\"nothing\"}\n", "EOPNOTSUPP");
	o = hear(slow);
	assert_int_equal(json_string_length(json_object_get(o, "large")), 4 << 20);
	json_decref(o);
	close(slow);
	close(fd);
}

/* Another user: no group, the group, and a handler that is not for the group. Exit status tells. */
static int as_other_user(gid_t gid, const char *request, char *got, size_t n)
{
	int pipefd[2], status;
	ssize_t len;
	pid_t pid;

	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		int fd, rc;

		if (setgid(gid) || setuid(65534))
			_exit(2);
		fd = dial();
		rc = send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 ? 1 : 0;
		len = recv(fd, got, n, 0);
		if (len > 0)
			rc = write(pipefd[1], got, (size_t)len) != len;
		_exit(rc);
	}
	close(pipefd[1]);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct pollfd p = { .fd = ctl_fd(c), .events = POLLIN };

		poll(&p, 1, 10);
		ctl_run(c);
	}
	len = read(pipefd[0], got, n - 1);
	got[len > 0 ? len : 0] = 0;
	close(pipefd[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_peers(void **state)
{
	char why[256], got[512];

	(void)state;
	if (getuid() != 0) {
		print_message("SKIP: only root can be two users\n");
		return;
	}
	ctl_free(c);
	assert_int_equal(ctl_new(path, 12345, handlers, NULL, &c, why, sizeof(why)), 0);
	assert_int_equal(chmod(path, 0666), 0); /* the check must not hang on the file's mode alone */
	as_other_user(65534, "{\"do\":\"echo\"}\n", got, sizeof(got));
	assert_non_null(strstr(got, "EACCES"));
	assert_int_equal(as_other_user(12345, "{\"do\":\"echo\",\"x\":1}\n", got, sizeof(got)), 0);
	assert_string_equal(got, "{\"ok\":true,\"x\":1}\n");
	assert_int_equal(as_other_user(12345, "{\"do\":\"owner\",\"x\":1}\n", got, sizeof(got)), 0);
	assert_non_null(strstr(got, "EPERM"));
	assert_int_equal(as_other_user(12345, "{\"do\":\"calls\",\"x\":1}\n", got, sizeof(got)), 0);
	assert_non_null(strstr(got, "EPERM")); /* who looks at the daemon says nothing about calls */
}

/* What a user of the group holds open, and all such users together, leaves room for others and for who has to act. */
static void test_hogs(void **state)
{
	int hold[2], ready[2], fd, status;
	pid_t pid[CTL_CLIENTS_MAX / CTL_CLIENTS_USER + 1];
	struct ctl_stats s;
	char got[512];
	json_t *o;

	(void)state;
	if (getuid() != 0) {
		print_message("SKIP: only root can be two users\n");
		return;
	}
	ctl_free(c);
	assert_int_equal(ctl_new(path, 12345, handlers, NULL, &c, got, sizeof(got)), 0);
	assert_int_equal(pipe(hold), 0);
	for (unsigned i = 0; i < sizeof(pid) / sizeof(pid[0]); i++) {
		assert_int_equal(pipe(ready), 0);
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (!pid[i]) {
			close(hold[1]);
			if (setgid(12345) || setuid(30000 + i))
				_exit(2);
			for (unsigned k = 0; k <= CTL_CLIENTS_USER; k++)
				(void)dial();
			(void)!write(ready[1], "", 1);
			_exit(read(hold[0], got, 1) != 0);
		}
		assert_int_equal(read(ready[0], got, 1), 1);
		close(ready[0]);
		close(ready[1]);
		do {
			ctl_run(c);
			ctl_get_stats(c, &s);
		} while (s.accepted + s.refused_full < (i + 1) * (CTL_CLIENTS_USER + 1));
		assert_int_equal(s.clients, (i + 1) * CTL_CLIENTS_USER < CTL_CLIENTS_MAX - CTL_CLIENTS_KEPT ?
						    (i + 1) * CTL_CLIENTS_USER : CTL_CLIENTS_MAX - CTL_CLIENTS_KEPT);
	}
	assert_true(s.refused_full > 0);
	fd = dial();
	say(fd, "{\"do\":\"echo\",\"x\":7}\n");
	o = hear(fd);
	assert_int_equal(json_integer_value(json_object_get(o, "x")), 7);
	json_decref(o);
	close(fd);
	close(hold[0]);
	close(hold[1]);
	for (unsigned i = 0; i < sizeof(pid) / sizeof(pid[0]); i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < 100 && s.clients; i++) {
		ctl_run(c);
		ctl_get_stats(c, &s);
	}
	assert_int_equal(s.clients, 0);
}

/* A group of its own may do one kind of thing and no other. */
static void test_groups(void **state)
{
	char got[512];

	(void)state;
	if (getuid() != 0) {
		print_message("SKIP: only root can be two users\n");
		return;
	}
	assert_int_equal(ctl_allow(c, 12346, CTL_CALLS), 0);
	assert_int_equal(ctl_allow(c, 12347, CTL_USE), 0);
	assert_int_equal(as_other_user(12346, "{\"do\":\"calls\",\"x\":1}\n", got, sizeof(got)), 0);
	assert_string_equal(got, "{\"ok\":true,\"x\":1}\n");
	as_other_user(12346, "{\"do\":\"use\"}\n", got, sizeof(got));
	assert_non_null(strstr(got, "EPERM"));
	as_other_user(12346, "{\"do\":\"echo\"}\n", got, sizeof(got));
	assert_non_null(strstr(got, "EPERM"));
	as_other_user(12346, "{\"do\":\"owner\"}\n", got, sizeof(got));
	assert_non_null(strstr(got, "EPERM"));
	as_other_user(12347, "{\"do\":\"use\",\"x\":2}\n", got, sizeof(got));
	assert_string_equal(got, "{\"ok\":true,\"x\":2}\n");
	as_other_user(12348, "{\"do\":\"use\"}\n", got, sizeof(got));
	assert_non_null(strstr(got, "EACCES"));
	assert_int_equal(ctl_allow(c, 1, CTL_USE), 0);
	assert_int_equal(ctl_allow(c, 2, CTL_USE), 0);
	assert_int_equal(ctl_allow(c, 3, CTL_USE), -ENOSPC);
}

static void test_socket_file(void **state)
{
	char why[256] = "", other[128];
	struct ctl *second;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(ctl_new(path, (gid_t)-1, handlers, NULL, &second, why, sizeof(why)), -EADDRINUSE);
	assert_non_null(strstr(why, "another daemon"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* left behind by one that was killed: cleared */
	snprintf(other, sizeof(other), "%s/dead", dir);
	{
		struct sockaddr_un a = { .sun_family = AF_UNIX };

		strcpy(a.sun_path, other);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
		close(fd);
	}
	assert_int_equal(ctl_new(other, (gid_t)-1, handlers, NULL, &second, why, sizeof(why)), 0);
	/* somebody put another file there: not ours to remove */
	assert_int_equal(unlink(other), 0);
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	close(fd);
	ctl_free(second);
	assert_int_equal(ctl_new(other, (gid_t)-1, handlers, NULL, &second, why, sizeof(why)), -EEXIST);
	assert_int_equal(unlink(other), 0);
}

/* ---- status and metrics ---- */

static void fill_status(struct status *s)
{
	int link_fd;

	memset(s, 0, sizeof(*s));
	s->start_ns = 1700000000000000000;
	s->now_ns = s->start_ns + 5000000000;
	s->ninterface = 1;
	strcpy(s->interface[0].name, "lo");
	s->interface[0].mode = "native";
	s->nring = 2;
	s->ring[0] = (struct status_ring){ -1, 4096, 10, 20, 0 };
	s->ring[1] = (struct status_ring){ 0, 65536, 100, 200, 3 };
	for (unsigned i = 1; i < OPTAG_C_MAX; i++)
		s->counts[OPTAG_C_SEEN] += s->counts[i] = i * 10;
	s->delay = (struct xdp_delay){ .count = { 60, 38, [6] = 1, [XDP_DELAYS - 1] = 1 }, .sum_ns = 900000000, .max_ns = 800000000 };
	s->calls.calls = 7;
	s->calls.matched = 4;
	s->kept = 3;
	s->denied = 1;
	strcpy(s->store_dir, "/");
	status_decided(&s->decisions, POLICY_TRAINING, PURPOSE_DENIED, "say \"no\"");
	status_decided(&s->decisions, POLICY_TRAINING, PURPOSE_DENIED, "say \"no\"");
	status_decided(&s->decisions, POLICY_DOCUMENTATION, PURPOSE_GRANTED, "");
	status_read_disk(s);
	link_fd = rtlink_open(0);
	status_read_interface(&s->interface[0], 0, link_fd);
	close(link_fd);
}

static void test_status(void **state)
{
	static struct status s;
	json_t *o, *p;

	(void)state;
	fill_status(&s);
	o = status_json(&s);
	assert_non_null(o);
	p = json_object_get(o, "packets");
	assert_int_equal(json_object_size(p), OPTAG_C_MAX + 1);
	assert_true(json_is_true(json_object_get(p, "balanced")));
	assert_int_equal(json_integer_value(json_object_get(p, "gated")), 10 * OPTAG_C_GATE);
	p = json_object_get(o, "delay");
	assert_int_equal(json_integer_value(json_object_get(p, "packets")), 100);
	assert_int_equal(json_integer_value(json_object_get(p, "p50_us")), 16);
	assert_int_equal(json_integer_value(json_object_get(p, "p99_us")), 16 << 6);
	assert_int_equal(json_integer_value(json_object_get(p, "max_us")), 800000);
	p = json_array_get(json_object_get(o, "decisions"), 0);
	assert_int_equal(json_integer_value(json_object_get(p, "calls")), 2);
	assert_string_equal(field(p, "reason"), "say \"no\"");
	assert_true(json_integer_value(json_object_get(json_object_get(o, "store"), "disk_bytes")) > 0);
	assert_true(json_integer_value(json_object_get(json_object_get(o, "process"), "rss_bytes")) > 0);
	json_decref(o);
	s.counts[OPTAG_C_MISS]++;
	o = status_json(&s);
	assert_true(json_is_false(json_object_get(json_object_get(o, "packets"), "balanced")));
	json_decref(o);
	/* the table of reasons is full: the sum still holds */
	for (unsigned i = 0; i < 200; i++) {
		char reason[16];

		snprintf(reason, sizeof(reason), "r%u", i);
		status_decided(&s.decisions, POLICY_TRAINING, PURPOSE_DENIED, reason);
	}
	uint64_t sum = 0;
	for (unsigned i = 0; i < s.decisions.n; i++)
		sum += s.decisions.d[i].calls;
	assert_int_equal(sum, 203);
	assert_string_equal(s.decisions.d[s.decisions.n - 1].reason, "other");
}

struct said {
	unsigned lines;
	uint64_t n;
	char text[128];
};

static void on_said(void *arg, const char *text, uint64_t n)
{
	struct said *s = arg;

	s->lines++;
	s->n += n;
	snprintf(s->text, sizeof(s->text), "%s", text);
}

/* Each place has a name of its own, and the log hears of it: at once, then once a minute, with all since. */
static void test_losses(void **state)
{
	static struct status s;
	struct losses_told t = { .begun = 0 };
	struct loss l[LOSSES];
	struct said said = { 0 };
	uint64_t now = 1, minute = 60000000000;

	(void)state;
	fill_status(&s);
	losses_of(&s, l);
	for (unsigned i = 0; i < LOSSES; i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(l[i].name, l[k].name);
	losses_look(&t, &s, now, on_said, &said);
	assert_int_equal(said.lines, 0); /* it was so before us */
	s.calls.refused_full = 104;
	losses_look(&t, &s, now += 1000, on_said, &said);
	assert_int_equal(said.lines, 1);
	assert_int_equal(said.n, 104);
	assert_non_null(strstr(said.text, "calls refused"));
	for (unsigned i = 0; i < 59; i++) { /* a flood: the lines do not follow it */
		s.calls.refused_full += 1000;
		losses_look(&t, &s, now += minute / 60, on_said, &said);
	}
	assert_int_equal(said.lines, 1);
	losses_look(&t, &s, now += minute / 60, on_said, &said);
	assert_int_equal(said.lines, 2);
	assert_int_equal(said.n, 59104);
	losses_look(&t, &s, now += minute, on_said, &said);
	assert_int_equal(said.lines, 2); /* no more: nothing is said */
	/* what anybody can send, such as Call-IDs that are none and messages that are no SIP, is counted only */
	s.calls.refused_id = s.signalling.bad_messages = s.signalling.bad_packets = s.calls.bad_sdp = 5;
	losses_look(&t, &s, now += minute, on_said, &said);
	assert_int_equal(said.lines, 2);
	losses_of(&s, l);
	for (unsigned i = 0; i < LOSSES; i++)
		if (!strcmp(l[i].name, "calls_refused"))
			assert_int_equal(l[i].n, 59109);
	/* all the others, each by its own line */
	s.counts[OPTAG_C_SIG_LOST]++;
	s.counts[OPTAG_C_MEDIA_LOST]++;
	s.counts[OPTAG_C_BUDGET]++;
	s.interface[0].rx_dropped++;
	s.pcap_lost++;
	s.media[MEDIA_NO_MEMORY]++;
	s.store.shed_packets++;
	s.store.lost_packets++;
	s.signalling.frag_full++;
	s.signalling.tcp_full++;
	s.signalling.tcp_gap++;
	s.calls.sdp_dropped++;
	s.calls.endpoints_dropped++;
	s.flow_full++;
	s.flow_quarantine++;
	s.calls.late_full++;
	s.store_lost++;
	s.state_unsaved++;
	losses_look(&t, &s, now += minute, on_said, &said);
	assert_int_equal(said.lines, 2 + 18);
	assert_int_equal(said.n, 59104 + 18);
	/* the interface is another one, that counts from nothing */
	s.interface[0].rx_dropped = 0;
	losses_look(&t, &s, now += minute, on_said, &said);
	s.interface[0].rx_dropped = 3;
	losses_look(&t, &s, now += minute, on_said, &said);
	assert_int_equal(said.lines, 2 + 19);
	assert_int_equal(said.n, 59104 + 21);
}

static unsigned fills;

static void fill_page(void *arg, struct buf *out)
{
	static struct status s;

	(void)arg;
	fills++;
	fill_status(&s);
	status_metrics(&s, out);
}

static int http_dial(const struct metrics *m)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)metrics_port(m)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* One HTTP exchange against m; the answer, to be freed. */
static char *http(struct metrics *m, const char *request)
{
	int fd = http_dial(m);
	char *text = calloc(1, 1 << 20);
	size_t n = 0;

	assert_non_null(text);
	say(fd, request);
	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = metrics_fd(m), .events = POLLIN } };
		ssize_t got;

		assert_true(poll(p, 2, 20000) > 0);
		if (p[1].revents)
			metrics_run(m);
		if (!p[0].revents)
			continue;
		got = recv(fd, text + n, (1 << 20) - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	return text;
}

/* Every line is a comment or name{labels} value; every name has HELP and TYPE before it. */
static void check_page(const char *page)
{
	char *copy = strdup(page), *save = NULL, *line;
	unsigned samples = 0;

	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[128], want[160], *value = strrchr(line, ' ');
		size_t n = strcspn(line, "{ ");
		char *end;

		if (*line == '#')
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)n, line);
		snprintf(want, sizeof(want), "# TYPE %s ", name);
		if (!strstr(page, want) && strrchr(name, '_')) { /* a histogram's */
			*strrchr(name, '_') = 0;
			snprintf(want, sizeof(want), "# TYPE %s histogram\n", name);
		}
		if (!strstr(page, want))
			fail_msg("%s has no type", name);
		assert_non_null(value);
		(void)strtod(value + 1, &end);
		assert_int_equal(*end, 0);
		samples++;
	}
	assert_true(samples > 40);
	free(copy);
}

static void test_metrics(void **state)
{
	static const char get[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	struct endpoint at = { .port = 0 };
	struct metrics *m, *twice;
	char why[256], *page, *body;

	(void)state;
	assert_int_equal(ipaddr_parse("127.0.0.1", 9, &at.addr), 0);
	if (metrics_new(&at, fill_page, NULL, &m, why, sizeof(why)))
		fail_msg("%s", why);
	at.port = (uint16_t)metrics_port(m);
	assert_int_equal(metrics_new(&at, fill_page, NULL, &twice, why, sizeof(why)), -EADDRINUSE);
	page = http(m, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_non_null(strstr(page, "200 OK"));
	assert_non_null(strstr(page, "text/plain; version=0.0.4"));
	body = strstr(page, "\r\n\r\n");
	assert_non_null(body);
	check_page(body + 4);
	assert_non_null(strstr(body, "\noptag_packets_total{result=\"gated\"} 80\n"));
	assert_non_null(strstr(body, "state=\"denied\",reason=\"say \\\"no\\\"\"} 2\n"));
	free(page);
	/* requests without end: one page a run, and packets have their turn */
	int fd = http_dial(m);
	for (int i = 0; i < 200; i++)
		assert_int_equal(send(fd, get, sizeof(get) - 1, MSG_NOSIGNAL | MSG_DONTWAIT), sizeof(get) - 1);
	for (int i = 0; i < 50; i++) {
		fills = 0;
		metrics_run(m);
		assert_true(fills <= 1);
		while (recv(fd, why, sizeof(why), MSG_DONTWAIT) > 0)
			;
	}
	close(fd);
	page = http(m, "GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_non_null(strstr(page, " 404 "));
	free(page);
	page = http(m, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
	assert_non_null(strstr(page, " 405 "));
	free(page);
	page = http(m, "nonsense\r\n\r\n");
	assert_null(strstr(page, "optag_"));
	free(page);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pipelined, setup, teardown),
		cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hogs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket_file, setup, teardown),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
