/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics.h - a page for Prometheus, over HTTP
 *
 * GET /metrics gives what the callback writes (status_metrics, text format
 * 0.0.4); GET / a line that points there. Runs in the daemon's event loop: one
 * descriptor, nothing blocks, no thread of its own, so the callback needs no
 * lock. A few connections at once, short time-outs. No authentication: bind it
 * to an address that only the collector reaches; no call is on the page.
 *
 *	metrics_new(&at, fill, arg, &m, why, n)		while sockets may be made
 *	loop: a few times a second at least: metrics_run(m)	ends after METRICS_RUN_NS and a page
 *
 * One thread.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>

#include "base/ipaddr.h"

#define METRICS_CONNECTIONS 16
#define METRICS_TIMEOUT_S   10
#define METRICS_RUN_NS	    1000000ULL /* then the rest waits for the next run: packets wait meanwhile */

struct buf;
struct metrics;

/* at->port 0 takes a free one (tests): metrics_port tells. */
int metrics_new(const struct endpoint *at, void (*fill)(void *arg, struct buf *out), void *arg, struct metrics **ret,
		char *why, size_t n);
void metrics_free(struct metrics *m); /* NULL-tolerant */
int metrics_fd(const struct metrics *m);
/* Whoever asks during one run gets the same page. */
void metrics_run(struct metrics *m);
unsigned metrics_port(const struct metrics *m);

#endif
