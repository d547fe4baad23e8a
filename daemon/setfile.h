/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setfile.h - the members of dynamic sets on disk: STORE/sets
 *
 * A journal, one JSON object a line, only ever appended to (FORMAT.md 9):
 *
 *	{"optag-sets":1}
 *	{"add":SET,"number":N,"until":S,"added":S,"uid":U,"note":T}
 *	{"del":SET,"number":N}
 *
 * A torn last line is cut off when the file is opened. What is deleted, replaced
 * or over for a day leaves the file when it is written anew: at each opening, and
 * when such lines outweigh the rest. Mode 0600: the numbers are personal data.
 * One thread at a time.
 */
#ifndef SETFILE_H
#define SETFILE_H

#include <stddef.h>

#include "policy/members.h"

struct setfile;

/* Reads path (which need not exist) into m and opens it for changes. why: one line. */
int setfile_open(const char *path, struct policy_members *m, struct setfile **ret, char *why, size_t n);
void setfile_close(struct setfile *f); /* NULL-tolerant */

/* A line for setfile_append; NULL out of memory. del when x is NULL. */
char *setfile_line(const char *set, const char *number, const struct policy_member *x);
/* Durable when it returns 0. */
int setfile_append(struct setfile *f, const char *line, char *why, size_t n);

#endif
