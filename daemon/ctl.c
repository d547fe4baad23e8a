/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl.c - the control socket: connections, limits, requests
 *
 * A client is a slot; its number carries a generation, so a late answer finds
 * nobody instead of the next one. Input is read only while nothing of the
 * client waits (no answer due, output small), so the kernel's socket buffer is
 * what a pushing client fills, not our memory.
 */
#include "ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

#define LISTEN_SLOT CTL_CLIENTS_MAX
#define GROUPS_MAX  1024

struct client {
	int fd; /* -1 free */
	uint32_t gen;
	struct ctl_peer peer;
	struct buf in, out;
	size_t out_at;	  /* sent of out */
	bool later, eof;
	bool more;    /* a whole request is left over from the last turn */
	bool closing; /* no more requests, goes when out is sent */
	json_t *later_id;
	uint64_t line_ns, out_ns, idle_ns; /* 0: does not run */
};

struct ctl {
	int epoll, listener;
	struct sockaddr_un addr;
	dev_t dev; /* of the socket file: another daemon's is not removed */
	ino_t ino;
	gid_t gid;
	struct {
		gid_t gid;
		unsigned may;
	} allowed[CTL_GROUPS_MAX];
	size_t nallowed;
	const struct ctl_handler *handlers;
	void *arg;
	uint64_t until_ns; /* of this turn */
	struct client client[CTL_CLIENTS_MAX];
	struct ctl_stats stats;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- one request ---- */

static int put_line(struct buf *out, json_t *o)
{
	size_t before = out->len, n;
	uint8_t *p;

	n = o ? json_dumpb(o, NULL, 0, JSON_COMPACT) : 0;
	p = n ? buf_room(out, n + 1) : NULL;
	if (p && json_dumpb(o, (char *)p, n, JSON_COMPACT) == n) {
		p[n] = '\n';
		out->len = before + n + 1;
	}
	json_decref(o);
	return out->len > before ? 0 : -ENOMEM;
}

static const char *errno_name(int e)
{
	const char *name = strerrorname_np(e);

	return name ? name : "EIO";
}

/* Takes fields. ok is the first member, so that people see it first. */
static json_t *answer_of(int err, const char *text, json_t *fields, json_t *id, bool more)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "ok", json_boolean(err == 0));
	if (id)
		(void)json_object_set(o, "id", id);
	if (more)
		(void)json_object_set_new(o, "more", json_true());
	if (err) {
		(void)json_object_set_new(o, "errno", json_string(errno_name(-err)));
		(void)json_object_set_new(o, "error", json_string(text && *text ? text : strerror(-err)));
	} else if (fields && json_object_update(o, fields)) {
		json_decref(o);
		o = NULL;
	}
	json_decref(fields);
	return o;
}

static const struct ctl_handler *find(const struct ctl_handler *h, const char *name)
{
	for (; h->name; h++)
		if (strcmp(h->name, name) == 0)
			return h;
	return NULL;
}

static int depth_of(const char *s, size_t n)
{
	int depth = 0, most = 0;

	for (size_t i = 0; i < n; i++) {
		depth += s[i] == '{' || s[i] == '[';
		depth -= s[i] == '}' || s[i] == ']';
		most = depth > most ? depth : most;
	}
	return most;
}

static bool may_do(const struct ctl_handler *h, const struct ctl_peer *peer)
{
	unsigned own = h->flags & (CTL_CALLS | CTL_USE);

	if (peer->owner)
		return true;
	return !(h->flags & CTL_OWNER) && (own ? own & peer->may : !peer->narrow);
}

/* Runs the handler; text gets what went wrong. */
static int run(const struct ctl_handler *handlers, void *arg, const struct ctl_peer *peer, const json_t *rq,
	       json_t *fields, char *text, size_t n)
{
	const char *name = json_string_value(json_object_get(rq, "do"));
	const struct ctl_handler *h = name ? find(handlers, name) : NULL;
	int e;

	if (!name || !h) {
		snprintf(text, n, name ? "this daemon does not know the request" : "the request has no \"do\"");
		return name ? -EOPNOTSUPP : -EINVAL;
	}
	if (!may_do(h, peer)) {
		snprintf(text, n, "only root%s the daemon's user%s may do this", h->flags & CTL_OWNER ? " and" : ",",
			 h->flags & CTL_OWNER ? "" : " and members of the group for it (control in optagd.conf)");
		return -EPERM;
	}
	e = h->run(arg, peer, rq, fields, text, n);
	return e;
}

int ctl_request(const struct ctl_handler *handlers, void *arg, const struct ctl_peer *peer, const char *line, size_t n,
		struct buf *out, json_t **ret_id)
{
	char text[256] = "";
	json_t *rq = NULL, *fields = json_object(), *id = NULL;
	int e = -EINVAL;

	/* The string may hold brackets: that only makes it look deeper. */
	if (depth_of(line, n) <= CTL_DEPTH_MAX)
		rq = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(rq))
		snprintf(text, sizeof(text), "a request is one JSON object on one line");
	else
		e = run(handlers, arg, peer, rq, fields, text, sizeof(text));
	id = json_object_get(rq, "id");
	if (!json_is_integer(id) && !json_is_string(id))
		id = NULL;
	if (ret_id)
		*ret_id = e == CTL_LATER && id ? json_incref(id) : NULL;
	if (e == CTL_LATER)
		json_decref(fields);
	else if (put_line(out, answer_of(e, text, fields, id, false)) && !out->failed)
		buf_printf(out, "{\"ok\":false,\"errno\":\"ENOMEM\",\"error\":\"out of memory\"}\n");
	json_decref(rq);
	return e == CTL_LATER ? CTL_LATER : 0;
}

/* ---- clients ---- */

static void drop(struct ctl *c, struct client *k)
{
	if (k->fd < 0)
		return;
	close(k->fd); /* leaves the epoll set by itself */
	buf_free(&k->in);
	buf_free(&k->out);
	json_decref(k->later_id);
	*k = (struct client){ .fd = -1, .gen = k->gen };
	c->stats.clients--;
}

static void want(struct ctl *c, struct client *k)
{
	/* A request left over needs no event of the socket: "may be written" is true at once. */
	bool out = k->out.len > k->out_at || (k->more && !k->later && !k->closing);
	bool in = !k->eof && !k->closing && !k->later && !out && k->in.len < CTL_REQUEST_MAX;
	struct epoll_event ev = { .events = (in ? EPOLLIN : 0) | (out ? EPOLLOUT : 0),
				  .data.u32 = (uint32_t)(k - c->client) };

	if (epoll_ctl(c->epoll, EPOLL_CTL_MOD, k->fd, &ev))
		drop(c, k);
}

static void flush(struct ctl *c, struct client *k)
{
	while (k->fd >= 0 && k->out_at < k->out.len) {
		ssize_t n = send(k->fd, k->out.p + k->out_at, k->out.len - k->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			drop(c, k);
			return;
		}
		k->out_at += (size_t)n;
		k->out_ns = now_ns();
	}
	if (k->fd < 0)
		return;
	if (k->out.cap > 65536) /* one large answer is no reason to keep its memory */
		buf_free(&k->out);
	buf_reset(&k->out);
	k->out_at = 0;
	k->out_ns = 0;
}

static bool in_group(int fd, const struct ctl_peer *p, gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	socklen_t n = sizeof(groups);

	if (gid == (gid_t)-1)
		return false;
	if (p->gid == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n))
		return false;
	for (size_t i = 0; i < n / sizeof(groups[0]); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool may_ask(struct ctl *c, int fd, struct ctl_peer *p)
{
	struct ucred u;
	socklen_t n = sizeof(u);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n))
		return false;
	p->uid = u.uid;
	p->gid = u.gid;
	p->pid = u.pid;
	p->owner = u.uid == 0 || u.uid == geteuid();
	p->narrow = !p->owner && !in_group(fd, p, c->gid);
	for (size_t i = 0; i < c->nallowed; i++)
		if (in_group(fd, p, c->allowed[i].gid))
			p->may |= c->allowed[i].may;
	return !p->narrow || p->may;
}

static void refuse(int fd, const char *name, const char *text)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "{\"ok\":false,\"errno\":\"%s\",\"error\":\"%s\"}\n", name, text);

	(void)!send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT); /* if it does not fit, it is not read either */
	close(fd);
}

/* For root and the daemon's user there is always room beside all others. */
static bool has_room(const struct ctl *c, const struct ctl_peer *p)
{
	unsigned others = 0, own = 0;

	for (unsigned i = 0; i < CTL_CLIENTS_MAX && !p->owner; i++) {
		const struct client *k = &c->client[i];

		others += k->fd >= 0 && !k->peer.owner;
		own += k->fd >= 0 && k->peer.uid == p->uid;
	}
	return others < CTL_CLIENTS_MAX - CTL_CLIENTS_KEPT && own < CTL_CLIENTS_USER;
}

static void accept_one(struct ctl *c, int fd)
{
	struct ctl_peer p = { 0 };
	struct epoll_event ev = { .events = EPOLLIN };
	struct client *k = NULL;

	if (!may_ask(c, fd, &p)) {
		c->stats.refused_peer++;
		refuse(fd, "EACCES", "you are in no group of the control socket");
		return;
	}
	for (unsigned i = 0; i < CTL_CLIENTS_MAX && !k && has_room(c, &p); i++)
		if (c->client[i].fd < 0)
			k = &c->client[i];
	ev.data.u32 = k ? (uint32_t)(k - c->client) : 0;
	if (!k || epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &ev)) {
		c->stats.refused_full++;
		refuse(fd, "EBUSY", "too many clients");
		return;
	}
	k->fd = fd;
	k->peer = p;
	k->peer.client = (uint64_t)++k->gen << 32 | (uint64_t)(k - c->client);
	k->idle_ns = now_ns();
	c->stats.clients++;
	c->stats.accepted++;
}

static void accept_all(struct ctl *c)
{
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++) {
		int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		accept_one(c, fd);
	}
}

static void bad(struct ctl *c, struct client *k, const char *text)
{
	c->stats.bad++;
	buf_printf(&k->out, "{\"ok\":false,\"errno\":\"EMSGSIZE\",\"error\":\"%s\"}\n", text);
	k->closing = true;
	buf_reset(&k->in);
}

/* Answers the whole lines that are there, a few at most. */
static void serve(struct ctl *c, struct client *k)
{
	size_t at = 0;
	unsigned served = 0;

	while (!k->later && !k->closing && served < CTL_REQUESTS_RUN && k->out.len < CTL_OUT_MAX &&
	       (!served || now_ns() < c->until_ns)) {
		const uint8_t *nl = at < k->in.len ? memchr(k->in.p + at, '\n', k->in.len - at) : NULL;
		size_t n = nl ? (size_t)(nl - k->in.p) - at : 0;

		if (!nl)
			break;
		if (n > 0) {
			c->stats.requests++;
			served++;
			k->later = ctl_request(c->handlers, c->arg, &k->peer, (const char *)k->in.p + at, n, &k->out,
					       &k->later_id) == CTL_LATER;
		}
		at += n + 1;
	}
	if (at) {
		memmove(k->in.p, k->in.p + at, k->in.len - at);
		k->in.len -= at;
		k->idle_ns = now_ns();
		k->line_ns = k->in.len ? k->idle_ns : 0;
	}
	if (k->in.len >= CTL_REQUEST_MAX && !memchr(k->in.p, '\n', k->in.len))
		bad(c, k, "the request is too long");
	k->more = k->in.len && memchr(k->in.p, '\n', k->in.len);
	if (k->eof && !k->more)
		k->closing = true;
	if (k->out.failed)
		k->closing = true;
}

static void read_some(struct client *k)
{
	uint8_t *p = buf_room(&k->in, CTL_REQUEST_MAX - k->in.len);
	ssize_t n = p ? recv(k->fd, p, CTL_REQUEST_MAX - k->in.len, MSG_DONTWAIT) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		k->eof = true;
		return;
	}
	if (!k->in.len)
		k->line_ns = now_ns();
	k->in.len += (size_t)n;
}

/* After anything happened to a client. */
static void settle(struct ctl *c, struct client *k)
{
	serve(c, k);
	flush(c, k);
	if (k->fd < 0)
		return;
	if (k->out.len > k->out_at && !k->out_ns)
		k->out_ns = now_ns();
	if (k->closing && k->out.len == k->out_at && !k->later)
		drop(c, k);
	else
		want(c, k);
}

/* Times taken after `now` in the same turn are no wait at all. */
static bool waited(uint64_t since, uint64_t now, uint64_t limit)
{
	return now > since && now - since > limit;
}

static bool timed_out(const struct client *k, uint64_t now)
{
	if (k->out.len > k->out_at)
		return k->out_ns && waited(k->out_ns, now, CTL_READ_NS);
	if (k->later)
		return false;
	return (k->line_ns && waited(k->line_ns, now, CTL_REQUEST_NS)) || waited(k->idle_ns, now, CTL_IDLE_NS);
}

static void on_event(struct ctl *c, const struct epoll_event *ev)
{
	struct client *k;

	if (ev->data.u32 == LISTEN_SLOT) {
		accept_all(c);
		return;
	}
	k = &c->client[ev->data.u32];
	if (k->fd < 0)
		return;
	if (ev->events & (EPOLLERR | EPOLLHUP) && !(ev->events & EPOLLIN)) {
		drop(c, k); /* nobody is left to read an answer */
		return;
	}
	if (ev->events & EPOLLIN)
		read_some(k);
	settle(c, k);
}

void ctl_run(struct ctl *c)
{
	uint64_t now = now_ns();
	struct epoll_event ev;

	/* One at a time: the kernel puts who had its turn behind those that wait. */
	c->until_ns = now + CTL_RUN_NS;
	for (int i = 0; i <= CTL_CLIENTS_MAX && now < c->until_ns && epoll_wait(c->epoll, &ev, 1, 0) == 1; i++) {
		on_event(c, &ev);
		now = now_ns();
	}
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++) {
		struct client *k = &c->client[i];

		if (k->fd < 0 || !timed_out(k, now))
			continue;
		c->stats.timeouts++;
		drop(c, k);
	}
}

int ctl_answer(struct ctl *c, uint64_t client, int err, const char *text, json_t *fields, bool more)
{
	uint32_t i = (uint32_t)client;
	struct client *k = i < CTL_CLIENTS_MAX ? &c->client[i] : NULL;
	json_t *line;

	if (!k || k->fd < 0 || k->peer.client != client || !k->later) {
		json_decref(fields);
		return -ENOENT;
	}
	line = answer_of(err, text, fields, k->later_id, more);
	if (put_line(&k->out, line) || k->out.len - k->out_at > CTL_OUT_MAX) {
		drop(c, k);
		return -ENOSPC;
	}
	if (!more) {
		json_decref(k->later_id);
		k->later_id = NULL;
		k->later = false;
		k->idle_ns = now_ns();
	}
	flush(c, k);
	if (k->fd < 0)
		return -ENOENT;
	if (k->out.len > k->out_at && !k->out_ns)
		k->out_ns = now_ns();
	want(c, k);
	return 0;
}

void ctl_get_stats(const struct ctl *c, struct ctl_stats *ret)
{
	*ret = c->stats;
}

int ctl_fd(const struct ctl *c)
{
	return c->epoll;
}

/* ---- the socket ---- */

/* A file left by a daemon that died goes; one that answers stays. */
static int clear_path(const struct sockaddr_un *a)
{
	struct stat st;
	int fd, e = 0;

	if (lstat(a->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 || errno == EAGAIN)
		e = -EADDRINUSE;
	close(fd);
	if (!e && unlink(a->sun_path))
		e = -errno;
	return e;
}

static int open_listener(struct ctl *c)
{
	struct stat st;
	mode_t old;
	int rc;

	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listener < 0)
		return -errno;
	old = umask(0177);
	rc = bind(c->listener, (const struct sockaddr *)&c->addr, sizeof(c->addr)) ? -errno : 0;
	umask(old);
	if (rc)
		return rc;
	/* The kernel asks for write permission on the file; who may really ask is checked per client. */
	if (c->gid != (gid_t)-1 && (chown(c->addr.sun_path, (uid_t)-1, c->gid) || chmod(c->addr.sun_path, 0660)))
		return -errno;
	if (lstat(c->addr.sun_path, &st) || listen(c->listener, CTL_CLIENTS_MAX))
		return -errno;
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	return 0;
}

static int prepare(struct ctl *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = LISTEN_SLOT };
	int e = clear_path(&c->addr);

	if (!e)
		e = open_listener(c);
	if (e)
		return e;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->listener, &ev))
		return -errno;
	return 0;
}

int ctl_new(const char *path, gid_t gid, const struct ctl_handler *handlers, void *arg, struct ctl **ret, char *why, size_t n)
{
	struct ctl *c = calloc(1, sizeof(*c));
	int e = c ? 0 : -ENOMEM;

	if (!e && (strlen(path) >= sizeof(c->addr.sun_path) || path[0] != '/'))
		e = -ENAMETOOLONG;
	if (e) {
		free(c);
		snprintf(why, n, "'%s': %s", path, strerror(-e));
		return e;
	}
	c->epoll = c->listener = -1;
	c->gid = gid;
	c->handlers = handlers;
	c->arg = arg;
	c->addr.sun_family = AF_UNIX;
	strcpy(c->addr.sun_path, path);
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
		c->client[i].fd = -1;
	e = prepare(c);
	if (e) {
		snprintf(why, n, "'%s': %s", path,
			 e == -EADDRINUSE ? "another daemon answers there" : e == -EEXIST ? "is there and is no socket" : strerror(-e));
		ctl_free(c);
		return e;
	}
	*ret = c;
	return 0;
}

int ctl_allow(struct ctl *c, gid_t gid, unsigned may)
{
	if (c->nallowed == CTL_GROUPS_MAX)
		return -ENOSPC;
	if (chmod(c->addr.sun_path, 0666))
		return -errno;
	c->allowed[c->nallowed].gid = gid;
	c->allowed[c->nallowed++].may = may;
	return 0;
}

void ctl_free(struct ctl *c)
{
	struct stat st;

	if (!c)
		return;
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
		drop(c, &c->client[i]);
	if (c->listener >= 0)
		close(c->listener);
	if (c->epoll >= 0)
		close(c->epoll);
	/* Only our own file: after a take-over the name is the next daemon's. */
	if (c->ino && lstat(c->addr.sun_path, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino)
		(void)unlink(c->addr.sun_path); /* in a directory that is no longer writable it stays, and is cleared at start */
	free(c);
}
