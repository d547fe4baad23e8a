/* SPDX-License-Identifier: BSD-2-Clause */
/* cli_ctl.c - the client's end of the control socket */
#include "cli_ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli.h"

struct cli_ctl {
	int fd;
	struct buf in;
	size_t at; /* start of what was not given out */
};

static int why_not(const char *path, int e)
{
	switch (e) {
	case ENOENT:
	case ECONNREFUSED:
		cli_err("'%s': no daemon answers there; is optagd running?", path);
		break;
	case EACCES:
		cli_err("'%s': permission denied; only root and the socket's group may ask", path);
		break;
	default:
		cli_err("'%s': %s", path, strerror(e));
	}
	return -e;
}

int cli_ctl_open(const char *path, struct cli_ctl **ret)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = CLI_CTL_TIMEOUT_S };
	struct cli_ctl *c;
	int fd, e = 0;

	if (strlen(path) >= sizeof(a.sun_path))
		return why_not(path, ENAMETOOLONG);
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return why_not(path, errno);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		e = errno;
	c = e ? NULL : calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return why_not(path, e ? e : ENOMEM);
	}
	c->fd = fd;
	*ret = c;
	return 0;
}

void cli_ctl_close(struct cli_ctl *c)
{
	if (!c)
		return;
	close(c->fd);
	buf_free(&c->in);
	free(c);
}

static int lost(int e)
{
	if (e == EAGAIN || e == ETIMEDOUT)
		cli_err("the daemon does not answer within %d s", CLI_CTL_TIMEOUT_S);
	else if (e == EPIPE || e == ECONNRESET || e == 0)
		cli_err("the daemon closed the connection");
	else
		cli_err("control socket: %s", strerror(e));
	return e ? -e : -EPIPE;
}

/* The line at c->at; its length without the newline. */
static int read_line(struct cli_ctl *c, size_t *ret_n)
{
	size_t looked = 0;

	if (c->at) {
		memmove(c->in.p, c->in.p + c->at, c->in.len - c->at);
		c->in.len -= c->at;
		c->at = 0;
	}
	for (;;) {
		const uint8_t *nl = c->in.len > looked ? memchr(c->in.p + looked, '\n', c->in.len - looked) : NULL;
		uint8_t *p;
		ssize_t n;

		if (nl) {
			*ret_n = (size_t)(nl - c->in.p);
			return 0;
		}
		looked = c->in.len;
		p = c->in.len < CLI_CTL_LINE_MAX ? buf_room(&c->in, 65536) : NULL;
		if (!p)
			return lost(EMSGSIZE);
		do
			n = recv(c->fd, p, 65536, 0);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return lost(n ? errno : 0);
		c->in.len += (size_t)n;
	}
}

int cli_ctl_receive(struct cli_ctl *c, json_t **ret)
{
	json_t *o;
	size_t n = 0;
	int e = read_line(c, &n);

	if (e)
		return e;
	o = json_loadb((const char *)c->in.p, n, JSON_REJECT_DUPLICATES, NULL);
	c->at = n + 1;
	if (json_is_boolean(json_object_get(o, "ok"))) {
		*ret = o;
		return 0;
	}
	cli_err("the answer is not one of optagd's");
	json_decref(o);
	return -EPROTO;
}

int cli_ctl_next(struct cli_ctl *c, json_t **ret_answer)
{
	json_t *o = NULL;
	int e = cli_ctl_receive(c, &o);

	if (e)
		return e;
	if (json_is_true(json_object_get(o, "ok"))) {
		*ret_answer = o;
		return 0;
	}
	cli_err("%s", cli_ctl_str(o, "error"));
	e = strcmp(cli_ctl_str(o, "errno"), "EACCES") == 0 ? -EACCES : -EIO;
	json_decref(o);
	return e;
}

int cli_ctl_send(struct cli_ctl *c, json_t *request)
{
	char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t n = line ? strlen(line) : 0;
	int e = 0;

	json_decref(request);
	if (!line) {
		cli_err("out of memory");
		return -ENOMEM;
	}
	line[n++] = '\n'; /* in the place of the terminating zero */
	for (size_t at = 0; at < n && !e;) {
		ssize_t sent = send(c->fd, line + at, n - at, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			e = errno;
		at += sent > 0 ? (size_t)sent : 0;
	}
	free(line);
	/* Who is refused was told so before the line could be sent. */
	if (e && e != EPIPE && e != ECONNRESET)
		return lost(e);
	return 0;
}

int cli_ctl_ask(struct cli_ctl *c, json_t *request, json_t **ret_answer)
{
	int e = cli_ctl_send(c, request);

	return e ? e : cli_ctl_next(c, ret_answer);
}

int cli_ctl_once(const char *path, json_t *request, json_t **ret_answer)
{
	struct cli_ctl *c = NULL;
	int e = cli_ctl_open(path, &c);

	if (e)
		json_decref(request);
	else
		e = cli_ctl_ask(c, request, ret_answer);
	cli_ctl_close(c);
	if (!e)
		(void)json_object_del(*ret_answer, "ok");
	return e ? CLI_FAILED : CLI_OK;
}

bool cli_ctl_stale(const struct cli_ctl *c)
{
	char x;
	ssize_t n = c->in.len > c->at ? 1 : recv(c->fd, &x, 1, MSG_PEEK | MSG_DONTWAIT);

	return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

static const json_t *at_path(const json_t *o, const char *path)
{
	while (o && *path) {
		char name[64];
		size_t n = strcspn(path, ".");

		if (n >= sizeof(name))
			return NULL;
		memcpy(name, path, n);
		name[n] = 0;
		o = json_object_get(o, name);
		path += n + (path[n] == '.');
	}
	return o;
}

double cli_ctl_num(const json_t *o, const char *path)
{
	return json_number_value(at_path(o, path));
}

const char *cli_ctl_str(const json_t *o, const char *path)
{
	const char *s = json_string_value(at_path(o, path));

	return s ? s : "";
}
