/* SPDX-License-Identifier: BSD-2-Clause */
/* policies_keep.h - files of STORE/policies: written once, whole and durable, and never changed */
#ifndef POLICIES_KEEP_H
#define POLICIES_KEEP_H

#include <stddef.h>

/* 0: it holds that text now. -EEXIST: another one (why is not written); -errno. Blocks on the disk. */
int policies_keep_once(const char *store, const char *name, const char *text, size_t len, char *why, size_t n);

#endif
