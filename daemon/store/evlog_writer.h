/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_writer.h - an evidence log open for writing: evlog.c writes, evlog_open.c opens and closes
 *
 * `lock` guards everything but what `disk` guards: the file being written and the bytes on their way
 * (out, base of the oldest day). Whoever needs both takes disk first.
 */
#ifndef EVLOG_WRITER_H
#define EVLOG_WRITER_H

#include <pthread.h>

#include "base/buf.h"
#include "store/evlog_internal.h"

/* A day whose lines or root are not all written, or the newest one. */
struct evday {
	struct evday *next;
	int32_t day;
	int fd;
	bool made;	   /* its name is not durable yet */
	char name[64];
	uint64_t base;	   /* bytes in the file */
	uint64_t alloc;	   /* bytes the file system has given; UINT64_MAX: it does not say */
	struct buf out;	   /* on its way: written before buf (disk) */
	struct buf buf;	   /* appended */
	uint64_t last, out_last; /* sequence numbers */
	uint8_t link[32], out_link[32];
	char root[EVLOG_TEXT];
	size_t root_n; /* 0: not closed */
};

struct evlog {
	struct root root;
	struct evlog_pub pub;
	uint8_t *secret; /* locked memory */
	int lockfd, headfd;
	unsigned head_slot;
	pthread_mutex_t disk, lock;
	struct why why;
	bool ready; /* nothing torn lies behind base any more */
	int err; /* of the last flush */
	struct evlog_state now;
	struct evday *oldest, *newest;
	uint64_t waiting;
	struct evlog_figures figures;
	struct outbox_marks *marks; /* outbox_take's, of the thread that calls it; NULL: not yet */
};

/* flags: O_CREAT for a new day. On success it is l->newest. */
int evday_open(struct evlog *l, int32_t day, int flags, uint64_t base);
void evday_free(struct evday *d); /* NULL-tolerant; closes */
/* evlog_append without the check of the event, with lock held or nobody else there. */
int evlog_append_any(struct evlog *l, const struct evlog_event *e, uint64_t *ret_seq);
/*
 * `first`, and events of n lines behind it with nothing in between. Without lock. *ret_done of the n are appended, all
 * when it returns 0; SIZE_MAX: not even `first`.
 */
int evlog_append_batch(struct evlog *l, const struct evlog_event *first, const struct evlog_line *v, size_t n, size_t *ret_done);

/* ---- outbox_take.c ---- */
struct outbox_marks;
void outbox_marks_free(struct outbox_marks *m); /* NULL-tolerant */

#endif
