/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uses.h - training recordings that people used (N-49): played, scored, put into a course
 *
 *	{"do":"use","call":UID,"kind":"played"|"scored"|"course","by":NAME}
 *	-> {"call":UID,"rule":R,"first":bool,"counted":bool}
 *
 * A use is noted for a call that the store holds for training, when the line is durable in STORE/used: JSON, a line
 * a use. The first use of a call is the one that counts: `used` is called in the caller's thread for each, and tells the
 * evidence log and the sampler. A process that dies between loses that count: then less counts as used, the strict side.
 * Of a file past half of its limit only first uses become lines.
 *
 *	uses_new(&settings, &u)		reads STORE/used; a torn last line is cut. A file that is damaged or cannot be read
 *					is no error: uses_why says what is wrong, and each use is refused
 *	uses_start(u)			the thread that waits for the disk
 *	loop: uses_fd readable: uses_run(u)
 *	uses_free			what is queued is done, and told
 *
 * Errors 0 or -errno. All functions: the caller's thread.
 */
#ifndef USES_H
#define USES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl.h"
#include "evidence.h"

#define USES_MAX     1000000 /* calls that are known as used */
#define USES_QUEUE   256
#define USES_LINE_MAX 256

struct uses;
struct uses_settings {
	const char *store;
	void *arg;
	/* Returns whether it counts (evidence_use). */
	bool (*used)(void *arg, const struct evidence_used *u);
	struct ctl *const *ctl; /* where answers go */
};

/* A line of STORE/used without its LF; any bytes. -EBADMSG. */
struct uses_line {
	struct uid call;
	char kind[8], by[33];
	uint64_t at_ns, uid;
};
int uses_parse(const char *p, size_t n, struct uses_line *ret);
size_t uses_format(const struct uses_line *l, char out[USES_LINE_MAX]); /* with LF */

int uses_new(const struct uses_settings *s, struct uses **ret);
const char *uses_why(const struct uses *u); /* "" all is well */
int uses_start(struct uses *u);
int uses_fd(const struct uses *u);
void uses_run(struct uses *u);
void uses_free(struct uses *u); /* NULL-tolerant */
int uses_ctl(struct uses *u, const struct ctl_peer *peer, const json_t *request, char *why, size_t n);

#endif
