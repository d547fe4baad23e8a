/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daylock.h - a destroy-by day of a controller is in use
 *
 * A writer that has a segment or a catalog of a day open holds a shared flock(2) on segments/CONTROLLER/DAY, the
 * directory itself; the reaper takes it exclusively, without waiting, before it unlinks what belongs to the day, and
 * comes again later when it cannot. So a file that somebody writes is never taken away under him, and a day that is
 * being taken away is not begun anew. The lock goes with its descriptor: a process that dies holds nothing.
 *
 * Any thread. Errors 0 or -errno.
 */
#ifndef DAYLOCK_H
#define DAYLOCK_H

#include "store/store_internal.h"

/* "segments/CONTROLLER/DAY" */
void daylock_path(const char *controller, uint32_t day, char out[STORE_PATH_MAX]);
/*
 * Makes the directory if need be. *ret is closed when the last file of the day is. -ESHUTDOWN: the day is being taken
 * away at this moment, and was for a second: its time is over.
 */
int daylock_share(const struct root *r, const char *controller, uint32_t day, int *ret, struct why *why);
/* For who takes the day away; makes the directory, too: a day may have rows alone. -EWOULDBLOCK somebody uses it. */
int daylock_take(const struct root *r, const char *controller, uint32_t day, int *ret, struct why *why);

#endif
