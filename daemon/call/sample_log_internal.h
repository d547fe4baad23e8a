/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_log_internal.h - shared by sample_log*.c
 *
 * sample_log_line.c a line, sample_log_file.c the files of days and their lines, sample_log.c writing, sample_log_read.c
 * reading. Invariants: a line has one spelling; what was durable is never written again.
 */
#ifndef SAMPLE_LOG_INTERNAL_H
#define SAMPLE_LOG_INTERNAL_H

#include "base/buf.h"
#include "call/sample_log.h"

#define SAMPLE_LINE_MAX (64u << 10) /* bytes, LF included; the longest record has some 5,000 */
#define SAMPLE_TEXT	160
#define SAMPLE_FILE	32 /* "sampling/2026-11-24.jsonl" */

/* ---- a line (sample_log_line.c); pure functions ---- */

struct sample_line {
	uint64_t n; /* from 1 over all files */
	uint8_t prev[SAMPLE_LOG_LINK];
	struct sample_record r; /* r.open: of this struct, so it is not copied by assignment */
	struct sample_open open;
};

/* Appends the line with LF. -EINVAL: values that no record has; -ENOMEM. Nothing of it stays then. */
int sample_line_format(uint64_t n, const uint8_t prev[SAMPLE_LOG_LINK], const struct sample_record *r, struct buf *out);
/*
 * n bytes without LF; any bytes. Accepts exactly what sample_line_format writes. -EBADMSG with the reason in text, which
 * repeats nothing of the bytes; -ENOMEM.
 */
int sample_line_parse(const char *p, size_t n, struct sample_line *ret, char text[SAMPLE_TEXT]);
void sample_line_link(const char *p, size_t n, uint8_t ret[SAMPLE_LOG_LINK]); /* without its LF */

/* ---- files (sample_log_file.c) ---- */

void sample_file_name(int32_t day, char out[SAMPLE_FILE]); /* relative to the store */
/* Days that have a file, oldest first; free *ret. */
int sample_file_days(int dir, int32_t **ret, size_t *ret_n);
int sample_file_open(int dir, int32_t day, int flags); /* a descriptor of a regular file, or -errno */

/* Lines of a file, with a buffer of its own. */
struct sample_lines {
	int fd;
	char *buf;
	size_t at, have;
	uint64_t off;  /* of the next line */
	uint64_t line; /* number of the line last given */
	bool end;
};
int sample_lines_open(int dir, int32_t day, struct sample_lines *ret); /* -errno */
void sample_lines_close(struct sample_lines *f);
enum { SAMPLE_L_END, SAMPLE_L_WHOLE, SAMPLE_L_TAIL, SAMPLE_L_LONG };
/* SAMPLE_L_...: a line without its LF; TAIL: bytes up to the end without LF; LONG: skipped. Or -errno. */
int sample_lines_next(struct sample_lines *f, const char **ret, size_t *ret_n);

/* Number and link of the last line of a day's file. -EBADMSG: it is no record, -ENODATA: a file of no bytes. */
int sample_file_last(int dir, int32_t day, uint64_t *ret_n, uint8_t ret_link[SAMPLE_LOG_LINK]);
/* Of the newest of n days that is not empty; without one nothing is written and it is 0. ret_day: which was looked at. */
int sample_file_before(int dir, const int32_t *day, size_t n, int32_t *ret_day, uint64_t *ret_n,
		       uint8_t ret_link[SAMPLE_LOG_LINK]);

#endif
