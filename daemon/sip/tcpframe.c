/* SPDX-License-Identifier: BSD-2-Clause */
/* tcpframe.c - framing by Content-Length (RFC 3261 18.3), and finding back into the frame. One thread. */
#include "sip/tcpframe.h"

#include <errno.h>
#include <string.h>

#include "sip/sip_internal.h"

#define LINE_MAX_BYTES 8192 /* of a start line; URIs are far shorter */

void tcpframe_reset(struct tcpframe *f, bool at_start)
{
	buf_free(&f->buf);
	memset(f, 0, sizeof(*f));
	f->seeking = !at_start;
}

static void seek_from_here(struct tcpframe *f, bool mid_line)
{
	f->seeking = true;
	f->mid_line = mid_line;
	f->need = 0;
	f->skip = 0;
}

/* Bytes to drop until a line has the form of a start line; seeking ends when p + result is one. */
static size_t seek(struct tcpframe *f, const struct tcpframe_user *u, const char *p, size_t n)
{
	const char *at = p, *end = p + n, *begin;
	struct sip_str line;

	if (f->mid_line) {
		if (!sip_line(&at, end, &line))
			return n;
		f->mid_line = false;
	}
	for (;;) {
		begin = at;
		if (!sip_line(&at, end, &line))
			break;
		if (sip_start_line(line)) {
			f->seeking = false;
			return (size_t)(begin - p);
		}
	}
	if (sip_starts_like(begin, (size_t)(end - begin)))
		u->event(u->arg, TCPFRAME_LIKE_SIP, NULL);
	if (end - begin <= LINE_MAX_BYTES)
		return (size_t)(begin - p);
	f->mid_line = true;
	return n;
}

static size_t refuse(struct tcpframe *f, const struct tcpframe_user *u, enum tcpframe_event e,
		     size_t drop, bool mid_line)
{
	u->event(u->arg, e, NULL);
	seek_from_here(f, mid_line);
	return drop;
}

/* The message does not fit: what is there now is handed over, the rest left out. */
static size_t oversize(struct tcpframe *f, const struct tcpframe_user *u, const char *p, size_t n,
		       size_t size)
{
	struct sip_msg m;
	const char *why;

	if (sip_parse(p, n, false, u->extra, &m, &why))
		return refuse(f, u, TCPFRAME_BAD, n, true);
	u->event(u->arg, TCPFRAME_FULL, NULL);
	u->event(u->arg, TCPFRAME_MESSAGE, &m);
	f->skip = size - n;
	return n;
}

static size_t parse(struct tcpframe *f, const struct tcpframe_user *u, const char *p, size_t n, size_t head)
{
	struct sip_msg m;
	const char *why;
	int r = sip_parse(p, n, true, u->extra, &m, &why);

	if (!r) {
		u->event(u->arg, TCPFRAME_MESSAGE, &m);
		return m.size;
	}
	if (r == -EAGAIN) {
		if (m.size > u->max)
			return oversize(f, u, p, n, m.size);
		f->need = m.size;
		return 0;
	}
	if (m.size < head || m.size > u->max)
		return refuse(f, u, TCPFRAME_BAD, head, false);
	u->event(u->arg, TCPFRAME_BAD, NULL); /* but its end is known */
	if (m.size <= n)
		return m.size;
	f->skip = m.size - n;
	return n;
}

/* At the beginning of a message. Bytes used; 0: more are needed. */
static size_t message(struct tcpframe *f, const struct tcpframe_user *u, const char *p, size_t n)
{
	const char *at = p;
	struct sip_str line;
	size_t head = 0;

	while (head < n && (p[head] == '\r' || p[head] == '\n'))
		head++;
	if (head)
		return head;
	if (n < f->need)
		return 0;
	if (sip_starts_like(p, n))
		u->event(u->arg, TCPFRAME_LIKE_SIP, NULL);
	else if (!sip_is_token(*p))
		return refuse(f, u, TCPFRAME_NOT_SIP, 1, true);
	if (!f->scanned) {
		if (!sip_line(&at, p + n, &line))
			return n <= LINE_MAX_BYTES ? 0 : refuse(f, u, TCPFRAME_NOT_SIP, n, true);
		if (!sip_start_line(line))
			return refuse(f, u, TCPFRAME_NOT_SIP, (size_t)(at - p), false);
		u->event(u->arg, TCPFRAME_LIKE_SIP, NULL);
	}
	head = sip_head_end(p, n, f->scanned);
	if (head)
		return parse(f, u, p, n, head);
	if (n > u->max)
		return refuse(f, u, TCPFRAME_FULL, n, true);
	f->scanned = n > 3 ? n - 3 : 1;
	return 0;
}

/* A body that was promised longer than it is must not swallow what follows. */
static bool ends_skip(const char *p, size_t n)
{
	struct sip_str line;

	return sip_starts_like(p, n) && sip_line(&p, p + n, &line) && sip_start_line(line);
}

static size_t consume(struct tcpframe *f, const struct tcpframe_user *u, const char *p, size_t n)
{
	size_t off = 0, k;

	while (off < n) {
		bool was_seeking = f->seeking;

		if (f->skip) {
			k = f->skip < n - off ? (size_t)f->skip : n - off;
			f->skip -= k;
		} else if (f->seeking) {
			k = seek(f, u, p + off, n - off);
		} else {
			k = message(f, u, p + off, n - off);
		}
		if (k)
			f->need = f->scanned = 0;
		else if (f->seeking == was_seeking)
			break;
		off += k;
	}
	return off;
}

void tcpframe_input(struct tcpframe *f, const struct tcpframe_user *u, const char *p, size_t n)
{
	size_t used;

	if (f->skip && ends_skip(p, n))
		f->skip = 0;
	if (!f->buf.len) {
		used = consume(f, u, p, n);
		if (used < n)
			buf_put(&f->buf, p + used, n - used);
	} else {
		buf_put(&f->buf, p, n);
		used = f->buf.failed ? 0 : consume(f, u, (const char *)f->buf.p, f->buf.len);
		f->buf.len -= used;
		memmove(f->buf.p, f->buf.p + used, f->buf.len);
	}
	if (f->buf.failed) {
		u->event(u->arg, TCPFRAME_FULL, NULL);
		tcpframe_reset(f, false);
	} else if (!f->buf.len) {
		buf_free(&f->buf); /* thousands of idle connections keep none */
	}
}

static void hand_over_cut(struct tcpframe *f, const struct tcpframe_user *u, bool partial_head)
{
	const char *p = (const char *)f->buf.p;
	struct sip_msg m;
	const char *why;

	if (f->seeking || !f->buf.len || (!f->need && !partial_head))
		return;
	if (sip_parse(p, f->buf.len, false, u->extra, &m, &why)) {
		u->event(u->arg, TCPFRAME_BAD, NULL);
		return;
	}
	m.body_cut = true;
	u->event(u->arg, TCPFRAME_MESSAGE, &m);
}

void tcpframe_gap(struct tcpframe *f, const struct tcpframe_user *u, size_t n, bool partial_head)
{
	uint64_t left = f->skip;

	hand_over_cut(f, u, partial_head);
	if (f->need)
		left = f->need - f->buf.len;
	buf_free(&f->buf);
	f->need = f->scanned = 0;
	if (left && left >= n) /* the hole is inside of a body: its end is known */
		f->skip = left - n;
	else
		seek_from_here(f, false);
}
