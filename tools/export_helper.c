/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_helper.c - starts optag-decode and talks to it (decode.h)
 *
 * It lies beside this program, never in PATH. It gets one end of a socket as
 * standard input and output, of the environment where libraries are, and no
 * other file. Whatever it answers, or not, each wait here has an end.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "export.h"

#define NAME	 "optag-decode"
#define WAIT_S	 20 /* for an answer: it takes a millisecond; for the first one some 100, on a slow disk seconds */
#define BUF_MIN	 65536
#define IDLE_MAX 2 /* a leg has one */

struct helper {
	pid_t pid;
	int fd; /* -1 when it is gone */
	bool heard; /* HELLO came */
	size_t have, cap;
	uint8_t *buf; /* an answer */
};

static struct helper *idle[IDLE_MAX];
static uint32_t codecs; /* of HELLO; 0 none came yet */

/* ---- start and end ---- */

/* Where it is, or ought to be. */
static void find(char path[PATH_MAX])
{
	static const char *const places[] = { "", "../libexec/optag/" };
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char *slash;

	dir[n > 0 ? n : 0] = 0;
	slash = strrchr(dir, '/');
	if (slash)
		slash[1] = 0;
	for (size_t i = 0; i < 2; i++) {
		int k = snprintf(path, PATH_MAX, "%s%s" NAME, dir, places[i]);

		if (k < PATH_MAX && access(path, X_OK) == 0)
			return;
	}
	if (snprintf(path, PATH_MAX, "%s" NAME, dir) >= PATH_MAX)
		strcpy(path, NAME);
}

static int spawn(const char *path, int fd, pid_t *ret)
{
	char name[] = NAME, *argv[] = { name, NULL }, *env[] = { NULL, NULL };
	posix_spawn_file_actions_t a;
	int rc;

	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, "LD_LIBRARY_PATH=", 16))
			env[0] = *e;
	rc = posix_spawn_file_actions_init(&a);
	if (rc)
		return -rc;
	rc = posix_spawn_file_actions_adddup2(&a, fd, STDIN_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&a, fd, STDOUT_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_addclosefrom_np(&a, STDERR_FILENO + 1);
	if (!rc)
		rc = posix_spawn(ret, path, &a, NULL, argv, env);
	posix_spawn_file_actions_destroy(&a);
	return -rc;
}

/* Two ends, above the standard files (which may be closed here), that no wait lasts for ever on. */
static int ends(int ret[2])
{
	const struct timeval t = { WAIT_S, 0 };
	int s[2], rc = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) != 0)
		return -errno;
	ret[0] = fcntl(s[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	ret[1] = fcntl(s[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (ret[0] < 0 || ret[1] < 0 || setsockopt(ret[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) != 0 ||
	    setsockopt(ret[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) != 0)
		rc = -errno;
	(void)close(s[0]);
	(void)close(s[1]);
	for (int i = 0; rc && i < 2; i++)
		if (ret[i] >= 0)
			(void)close(ret[i]);
	return rc;
}

static void helper_free(struct helper *h)
{
	if (!h)
		return;
	if (h->fd >= 0) {
		(void)kill(h->pid, SIGKILL); /* it has nothing to finish */
		(void)close(h->fd);
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(h->buf);
	free(h);
}

static int start(struct helper **ret)
{
	struct helper *h = calloc(1, sizeof(*h));
	char path[PATH_MAX];
	int s[2] = { -1, -1 }, rc;

	if (!h)
		return -ENOMEM;
	h->fd = -1;
	h->cap = BUF_MIN;
	h->buf = malloc(h->cap);
	rc = h->buf ? ends(s) : -ENOMEM;
	if (rc) {
		cli_err("%s: %s", NAME, strerror(-rc));
		helper_free(h);
		return rc;
	}
	find(path);
	rc = spawn(path, s[1], &h->pid);
	(void)close(s[1]);
	if (rc) {
		cli_err("'%s': %s; only G.711, L16 and DVI4 of one rate can be decoded without it", path, strerror(-rc));
		(void)close(s[0]);
		helper_free(h);
		return rc;
	}
	h->fd = s[0];
	*ret = h;
	return 0;
}

/* It is of no use any more: says why. Returns -EPIPE. */
static int bury(struct helper *h, int err)
{
	const char *when = h->heard ? "" : "before it was ready ";
	int status = 0;
	pid_t got;

	(void)kill(h->pid, SIGKILL); /* no change for one that has ended: what it ended of is told */
	(void)close(h->fd);
	h->fd = -1;
	while ((got = waitpid(h->pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (err == -EAGAIN)
		cli_err(NAME " did not answer in %d s", WAIT_S);
	else if (err == -EPROTO)
		cli_err(NAME " answered what is no answer");
	else if (err != -EPIPE)
		cli_err(NAME ": %s", strerror(-err));
	else if (got != h->pid)
		cli_err(NAME " ended %s", when); /* who started us ignores children, and so do we */
	else if (WIFEXITED(status))
		cli_err(NAME " ended %swith status %d", when, WEXITSTATUS(status));
	else
		cli_err(NAME " was killed %sby signal %d (%s)", when, WTERMSIG(status), strsignal(WTERMSIG(status)));
	return -EPIPE;
}

/* ---- messages ---- */

/* A whole message; -EAGAIN not in time, -EPIPE it has ended. */
static int say(struct helper *h, const void *head, const void *body, size_t n)
{
	struct iovec v[2] = { { (void *)(uintptr_t)head, DECODE_ASK }, { (void *)(uintptr_t)body, n } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = n ? 2 : 1 };
	uint64_t end = 0;

	while (m.msg_iovlen) {
		ssize_t put = sendmsg(h->fd, &m, MSG_NOSIGNAL);

		if (put < 0 && errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
		for (; m.msg_iovlen && put >= (ssize_t)m.msg_iov->iov_len; m.msg_iovlen--)
			put -= (ssize_t)m.msg_iov++->iov_len;
		if (!m.msg_iovlen)
			break;
		if (put > 0) {
			m.msg_iov->iov_base = (uint8_t *)m.msg_iov->iov_base + put;
			m.msg_iov->iov_len -= (size_t)put;
		}
		/* a message in parts, which none has to be: not for ever */
		if (!end)
			end = clock_steady_ns() + WAIT_S * NS_PER_S;
		else if (clock_steady_ns() > end)
			return -EAGAIN;
	}
	return 0;
}

/* h->buf holds n bytes of the answer, at least. */
static int hear(struct helper *h, size_t n)
{
	uint64_t end = 0;

	while (h->have < n) {
		ssize_t got = recv(h->fd, h->buf + h->have, h->cap - h->have, 0);

		if (got < 0 && errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
		if (got == 0)
			return -EPIPE;
		h->have += got > 0 ? (size_t)got : 0;
		if (!end)
			end = clock_steady_ns() + WAIT_S * NS_PER_S;
		else if (clock_steady_ns() > end)
			return -EAGAIN;
	}
	return 0;
}

static int bigger(struct helper *h, size_t n)
{
	uint8_t *p = n > h->cap ? realloc(h->buf, n) : h->buf;

	if (!p)
		return -ENOMEM;
	h->buf = p;
	h->cap = n > h->cap ? n : h->cap;
	return 0;
}

/* One answer, whole and the only one. Its samples lie in h->buf behind the head. */
static int answer(struct helper *h, enum decode_what what, struct decode_answer *ret)
{
	int rc;

	h->have = 0;
	rc = hear(h, DECODE_ANSWER);
	if (!rc)
		rc = decode_get_answer(h->buf, ret);
	if (!rc && ret->what != what)
		rc = -EPROTO;
	if (!rc)
		rc = bigger(h, DECODE_ANSWER + (size_t)ret->bytes);
	if (!rc)
		rc = hear(h, DECODE_ANSWER + (size_t)ret->bytes);
	if (!rc && h->have > DECODE_ANSWER + (size_t)ret->bytes)
		rc = -EPROTO;
	return rc;
}

/* A question and its answer; -EPIPE: it is buried. */
static int ask(struct helper *h, enum decode_what what, const void *body, size_t n, struct decode_answer *ret)
{
	const struct decode_ask a = { .what = what, .bytes = (uint32_t)n };
	uint8_t head[DECODE_ASK];
	int rc;

	if (h->fd < 0)
		return -EPIPE;
	decode_put_ask(head, &a);
	rc = say(h, head, body, n);
	if (!rc)
		rc = answer(h, what, ret);
	return rc ? bury(h, rc) : 0;
}

static int hello(struct helper *h)
{
	struct decode_answer a = { 0 };
	int rc;

	if (h->heard)
		return 0;
	rc = answer(h, DECODE_HELLO, &a);
	if (rc)
		return bury(h, rc);
	h->heard = true;
	codecs = a.number;
	return 0;
}

/* ---- use ---- */

int helper_start(unsigned n)
{
	for (unsigned i = 0; i < n && i < IDLE_MAX; i++) {
		int rc = idle[i] ? 0 : start(&idle[i]);

		if (rc)
			return rc;
	}
	return n ? hello(idle[0]) : 0;
}

bool helper_knows(enum decode_codec codec)
{
	return codecs >> codec & 1;
}

int helper_take(const struct decode_open *how, struct helper **ret)
{
	uint8_t body[DECODE_OPEN_BYTES];
	struct decode_answer a = { 0 };
	struct helper *h = NULL;
	int rc = 0;

	for (unsigned i = 0; i < IDLE_MAX && !h; i++) {
		h = idle[i];
		idle[i] = NULL;
	}
	if (!h)
		rc = start(&h);
	if (rc)
		return rc;
	decode_put_open(body, how);
	rc = hello(h);
	if (!rc)
		rc = ask(h, DECODE_OPEN, body, sizeof(body), &a);
	if (!rc && a.status != DECODE_OK) {
		cli_err(NAME " has no decoder for this format");
		rc = -EPROTONOSUPPORT;
	}
	if (rc) {
		helper_give(h);
		return rc;
	}
	*ret = h;
	return 0;
}

static int samples(struct helper *h, const struct decode_answer *a, const int16_t **ret)
{
	*ret = (const int16_t *)(const void *)(h->buf + DECODE_ANSWER);
	return (int)(a->bytes / 2);
}

int helper_feed(struct helper *h, const void *p, size_t n, const int16_t **ret, unsigned *ret_native)
{
	struct decode_answer a = { 0 };
	int rc = ask(h, DECODE_FEED, p, n, &a);

	if (rc)
		return rc;
	if (a.status != DECODE_OK)
		return -EBADMSG;
	*ret_native = a.number;
	return samples(h, &a, ret);
}

int helper_flush(struct helper *h, const int16_t **ret)
{
	struct decode_answer a = { 0 };
	int rc = ask(h, DECODE_FLUSH, NULL, 0, &a);

	return rc ? rc : samples(h, &a, ret);
}

void helper_give(struct helper *h)
{
	for (unsigned i = 0; h && h->fd >= 0 && i < IDLE_MAX; i++) {
		if (!idle[i]) {
			idle[i] = h;
			return;
		}
	}
	helper_free(h);
}

void helper_end(void)
{
	for (unsigned i = 0; i < IDLE_MAX; i++) {
		helper_free(idle[i]);
		idle[i] = NULL;
	}
}
