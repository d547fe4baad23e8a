/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * beneath.h - files below a directory that others may write to: no name leads through a symbolic link, or out of it
 *
 * A store's directory can be its group's. O_NOFOLLOW looks at the last part of a name only; who plants a link in the place of a
 * directory would have the program of another user read, overwrite or remove files elsewhere. Here every part is looked at:
 * by openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, and part by part where a sandbox does not let that through.
 *
 * As the calls of the same name: -1 and errno, ELOOP for a symbolic link, EXDEV for a name that leaves the directory. Names are
 * relative, below 4096 bytes; "." is the directory. Any thread.
 */
#ifndef BENEATH_H
#define BENEATH_H

#include <sys/stat.h>
#include <sys/types.h>

/* mode counts with O_CREAT only. A link is refused as the last part, too, whether flags have O_NOFOLLOW or not. */
int beneath_openat(int dirfd, const char *name, int flags, mode_t mode);
/*
 * For who has no descriptor: name below the directory `dir`, which is a path that is believed (as given by who runs the program), and a
 * file by its whole path, of which all but the last part is.
 */
int beneath_open(const char *dir, const char *name, int flags, mode_t mode);
int beneath_open_last(const char *path, int flags, mode_t mode);
/* The last part may be a link, which these look at, remove and rename as such. */
int beneath_statat(int dirfd, const char *name, struct stat *ret);
int beneath_accessat(int dirfd, const char *name); /* 0 it is there, whatever it is */
int beneath_unlinkat(int dirfd, const char *name, int flags);
int beneath_mkdirat(int dirfd, const char *name, mode_t mode);
/* Both names below one directory; flags as of renameat2(2). */
int beneath_renameat(int dirfd, const char *from, const char *to, unsigned flags);
int beneath_linkat(int dirfd, const char *from, const char *to);

/* For tests: what beneath_openat does without openat2. */
int beneath_walk(int dirfd, const char *name, int flags, mode_t mode);

#endif
