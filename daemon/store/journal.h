/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal.h - the first line of a journal (erase, holds): how long the file is with all that was confirmed (FORMAT.md section 14)
 *
 * It is written in place after what was appended, so that lines that were cut off at the end of one are missed. It always has the
 * same length. Any thread.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#define JOURNAL_HEAD_MAX 96

/* With LF; its length. name: what the journal is, in the first member. */
size_t journal_head_format(const char *name, uint64_t bytes, char out[JOURNAL_HEAD_MAX]);
/* Its length; 0 a file of before, that has none; *ret_bytes 0: it is damaged. Takes any bytes. */
size_t journal_head_parse(const char *name, const char *p, size_t n, uint64_t *ret_bytes);

#endif
