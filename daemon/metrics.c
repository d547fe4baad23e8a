/* SPDX-License-Identifier: BSD-2-Clause */
/* metrics.c - the metrics page by libmicrohttpd, driven from outside through its epoll descriptor */
#include "metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

struct metrics {
	struct MHD_Daemon *d;
	int fd;
	unsigned port;
	void (*fill)(void *arg, struct buf *out);
	void *arg;
	struct buf page; /* of this run; empty: nobody asked yet */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static enum MHD_Result respond(struct MHD_Connection *con, unsigned code, const char *type, void *p, size_t n,
			       enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(n, p, mode);
	enum MHD_Result rc;

	if (!r)
		return MHD_NO;
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = MHD_queue_response(con, code, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result text(struct MHD_Connection *con, unsigned code, const char *s)
{
	char copy[128]; /* libmicrohttpd takes no const, and copies */

	return respond(con, code, "text/plain; charset=utf-8", copy, (size_t)snprintf(copy, sizeof(copy), "%s\n", s),
		       MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *con, const char *url, const char *method,
				  const char *version, const char *upload, size_t *upload_size, void **state)
{
	static int seen;
	struct metrics *m = cls;

	(void)version;
	(void)upload;
	if (!*state) { /* first call: headers only */
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_size) { /* a body is read and forgotten */
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return text(con, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET");
	if (strcmp(url, "/") == 0)
		return text(con, MHD_HTTP_OK, "optagd: figures are at /metrics");
	if (strcmp(url, "/metrics") != 0)
		return text(con, MHD_HTTP_NOT_FOUND, "not found: figures are at /metrics");
	if (!m->page.len)
		m->fill(m->arg, &m->page);
	if (m->page.failed || !m->page.len)
		return text(con, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
	return respond(con, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", m->page.p, m->page.len, MHD_RESPMEM_MUST_COPY);
}

/* Never what a client sent: the library's messages may quote it. */
static void no_log(void *arg, const char *fmt, va_list ap)
{
	(void)arg;
	(void)fmt;
	(void)ap;
}

static int listen_at(const struct endpoint *at, unsigned *ret_port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(at->port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(at->port) };
	bool v4 = ipaddr_is_v4(&at->addr);
	struct sockaddr *a = v4 ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;
	socklen_t n = v4 ? sizeof(a4) : sizeof(a6);
	int fd, e, on = 1;

	memcpy(&a4.sin_addr, at->addr.b + 12, 4);
	memcpy(&a6.sin6_addr, at->addr.b, 16);
	fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (!v4 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) || bind(fd, a, n) ||
	    listen(fd, METRICS_CONNECTIONS) || getsockname(fd, a, &n)) {
		e = errno;
		close(fd);
		return -e;
	}
	*ret_port = ntohs(v4 ? a4.sin_port : a6.sin6_port);
	return fd;
}

int metrics_new(const struct endpoint *at, void (*fill)(void *arg, struct buf *out), void *arg, struct metrics **ret,
		char *why, size_t n)
{
	struct metrics *m = calloc(1, sizeof(*m));
	const union MHD_DaemonInfo *info;
	char where[ENDPOINT_TEXT];
	int fd;

	endpoint_format(at, where);
	if (!m) {
		snprintf(why, n, "metrics: out of memory");
		return -ENOMEM;
	}
	m->fill = fill;
	m->arg = arg;
	fd = listen_at(at, &m->port);
	if (fd < 0) {
		snprintf(why, n, "metrics at %s: %s", where, strerror(-fd));
		free(m);
		return fd;
	}
	m->d = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, m,
				MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)METRICS_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
				(unsigned)METRICS_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
	info = m->d ? MHD_get_daemon_info(m->d, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		snprintf(why, n, "metrics at %s: the HTTP library does not start", where);
		if (m->d)
			MHD_stop_daemon(m->d);
		else
			close(fd);
		free(m);
		return -EIO;
	}
	m->fd = info->epoll_fd;
	*ret = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	MHD_stop_daemon(m->d); /* closes the listening socket too */
	buf_free(&m->page);
	free(m);
}

int metrics_fd(const struct metrics *m)
{
	return m->fd;
}

void metrics_run(struct metrics *m)
{
	uint64_t until = now_ns() + METRICS_RUN_NS;
	MHD_UNSIGNED_LONG_LONG ms;

	/* What the library has read, or may read, already wakes nobody again. */
	do {
		(void)MHD_run(m->d); /* a failure is one connection's */
		if (MHD_get_timeout(m->d, &ms) != MHD_YES || ms)
			break;
	} while (now_ns() < until);
	buf_free(&m->page);
}

unsigned metrics_port(const struct metrics *m)
{
	return m->port;
}
