/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_log.h - the records of the sampler on disk: STORE/sampling/2026-11-24.jsonl
 *
 * One JSON object a line, all records of all rules in their order (FORMAT.md section 11). Each line has its number and
 * the link of the line before, over all files, so the link of a line stands for all lines up to it. The evidence
 * log, which is signed, takes the link of each draw as `data` of its EVLOG_SAMPLE_IN or EVLOG_SAMPLE_OUT. No number, name or
 * Call-ID is in a line but as the hashes that records have.
 *
 *	sample_log_open(dir, &l)	the one writer; cuts what a kill left half written
 *	sample_log_append(l, &rec, now, link)	from the sampler's records, in order; in memory
 *	sample_log_flush(l)		durable; before the evidence log's flush, so that no link is without its line
 *	sample_log_close(l)		does not flush
 *
 * What a crash leaves are lines whose links the evidence log does not have, before the next OPEN with `start`.
 *
 * Threads: one at a time. Errors are 0 or -errno; nothing here prints.
 */
#ifndef SAMPLE_LOG_H
#define SAMPLE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "call/sample.h"

#define SAMPLE_LOG_DIR	   "sampling"
#define SAMPLE_LOG_LINK	   32
#define SAMPLE_LOG_NUM_MAX ((1ULL << 53) - 1) /* what every JSON reader keeps exactly */

struct sample_log;

/*
 * Makes STORE/sampling (0700) when it is not there. The newest file's lines must each have the link of the line before, and
 * the last one be a record. -EBUSY another writer, -EBADMSG damaged (`why`, of size n, names file:line; nothing is
 * changed). A last line without LF, or what follows a line with zeros in it, was never durable and is cut.
 */
int sample_log_open(const char *store_dir, struct sample_log **ret, char *why, size_t n);
/*
 * A line, in memory. Its file is that of the UTC day of now_ns, or the newest. ret_link: BLAKE2b-256 of the line. -EINVAL:
 * values that no record has, -ENOMEM, -ENOSPC: 64 MiB wait for the disk. Then nothing of it is there.
 */
int sample_log_append(struct sample_log *l, const struct sample_record *r, uint64_t now_ns,
		      uint8_t ret_link[SAMPLE_LOG_LINK]);
/* All that was appended is durable when it returns 0. Else nothing half written stays, and the lines wait. */
int sample_log_flush(struct sample_log *l);
size_t sample_log_waiting(const struct sample_log *l); /* bytes appended and not durable */
void sample_log_close(struct sample_log *l);	       /* NULL-tolerant */

/*
 * Reads, beside a running writer as well, line by line; changes nothing. Days since 1970, 0: all. The files' names in
 * `file` are relative to the store. rec: each line that is one, with its link; not 0 ends the reading and is returned.
 * finding: what is damaged, line from 1 (0: the file); after one the next line that is a record is taken as a new beginning, so
 * one change is one finding. The record lives during the call. Half a line at the very end is no finding. Any of
 * both may be NULL. -ENOENT: nothing was ever sampled there.
 */
int sample_log_read(const char *store_dir, int32_t from_day, int32_t to_day,
		    int (*rec)(void *arg, const struct sample_record *r, const uint8_t link[SAMPLE_LOG_LINK],
			       const char *file, uint64_t line),
		    void (*finding)(void *arg, const char *file, uint64_t line, const char *text), void *arg, char *why,
		    size_t n);

#endif
