/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_area.h - changing hold.db, the rows of calls on hold whose day is over (FORMAT.md section 14)
 *
 * It is replaced as a whole, so that a reader finds one state or the other, and needs no journal. The caller has reap.lock.
 */
#ifndef HOLD_AREA_H
#define HOLD_AREA_H

#include <stdbool.h>

#include "store/store_internal.h"

struct sqlite3;

/* Its path, or that of the new one while it is made. */
void area_name(const char *controller, bool fresh, char out[STORE_PATH_MAX + 8]);
/* A copy of hold.db, or an empty one, to be changed at will. */
int area_open(const struct root *r, const char *controller, struct sqlite3 **ret, struct why *why);
/* It takes hold.db's place, durably, unless rc says that something failed or nothing is to be kept (1). Closes it. */
int area_close(const struct root *r, const char *controller, struct sqlite3 *sql, int rc, struct why *why);

#endif
