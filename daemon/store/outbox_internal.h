/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outbox_internal.h - what the files of the outbox share
 *
 * outbox.c leaves events, outbox_file.c reads any bytes as a file of them, outbox_take.c brings them into the log.
 *
 * A file is lines: a head that names store and file, then events as in the log, where seq counts from 1 and prev is
 * the LINK of the line before. NAME.tmp is being written (its writer has a flock on it), NAME.jsonl is committed.
 */
#ifndef OUTBOX_INTERNAL_H
#define OUTBOX_INTERNAL_H

#include "store/evlog_internal.h"
#include "store/outbox.h"

#define OUTBOX_DIR	"outbox"
#define OUTBOX_NAME	33 /* 16 hex digits of ns since 1970, '-', 16 at random */
#define OUTBOX_HEAD_MAX 160
#define OUTBOX_GONE_S	60 /* a .tmp without a lock that was not written to for so long has lost its writer */

enum outbox_kind { OUTBOX_NOT_OURS, OUTBOX_READY, OUTBOX_OPEN, OUTBOX_BAD };

/* What a name in the directory is; OUTBOX_READY also for a misspelled one that ends in .jsonl. */
enum outbox_kind outbox_name_kind(const char *file);
/* When it was made, by its name. False: not a name. */
bool outbox_name_time(const char *name, uint64_t *ret_ns);
/* With LF. */
size_t outbox_head_format(const uint8_t store[16], const char *name, char out[OUTBOX_HEAD_MAX]);

/* A file in memory. */
struct outbox_file {
	char name[OUTBOX_NAME + 1];
	struct evlog_line *line; /* pointers of its events point into it */
	size_t n, room;
	uint8_t hash[32]; /* of the bytes that count */
	uint64_t newest_ns;
	size_t bytes;
};
void outbox_file_free(struct outbox_file *f);
/*
 * -EBADMSG with *ret_what: to be set aside. -EAGAIN: its writer is at work, or it is not there any more. Else -errno:
 * cannot be read now.
 */
int outbox_file_read(const struct root *r, const char *file, struct outbox_file *ret, const char **ret_what);
/* Whole lines of all files that wait, also of those that are being written, oldest first; whatever becomes of them. Of who only looks. -errno. */
int outbox_lines(const struct root *r, void (*fn)(void *arg, const struct evlog_line *l), void *arg);

#endif
