/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.h - small files that are read whole, and appended to a line or a record at a time
 *
 * All return 0 or -errno, print nothing and keep nothing. Any thread; who shares a descriptor takes turns.
 */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* All of a regular file of at most `limit` bytes, from its beginning wherever fd stands: *ret is the caller's to free, with room for
 * one byte more. -EFBIG: longer, or no file; -EIO: shorter than it was. */
int files_read(int fd, size_t limit, char **ret, size_t *ret_n);
int files_write(int fd, const void *p, size_t n); /* where fd stands */
/* Behind the first `end` bytes, and durable when it returns. On failure the file ends at `end` again: half a record would end it for
 * whoever reads it; *ret_torn (may be NULL): that failed, too. */
int files_append(int fd, off_t end, const void *p, size_t n, bool *ret_torn);
/* The directory that path lies in: a name that was made or renamed there is durable. */
int files_sync_dir(const char *path);

#endif
