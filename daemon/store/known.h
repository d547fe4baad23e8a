/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known.h - which catalogs can hold a call at all
 *
 * Whether a call was recorded before is asked for every new call, and a store
 * may hold years of days. Identifiers sort by time, so the first and the last
 * one of each database tell nearly all of them out without opening any. Filled
 * from the databases once per controller, then kept by the only writer there
 * is. A range may be too wide (a row that was rolled back), never too narrow.
 * One thread.
 */
#ifndef KNOWN_H
#define KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uid.h"

struct known;

/* The controller's ranges, NULL out of memory. *ret_fresh: it was not there, and is empty. */
struct known *known_get(struct known **list, const char *controller, bool *ret_fresh);
/* The controller's ranges, or NULL: they were never read. */
struct known *known_find(struct known *list, const char *controller);
int known_add(struct known *k, uint32_t day, unsigned part, const struct uid *first, const struct uid *last); /* -ENOMEM */
/* The next partition from *at on that may hold uid; false: no more. *at starts as 0. */
bool known_next(const struct known *k, const struct uid *uid, size_t *at, uint32_t *ret_day, unsigned *ret_part);
void known_forget(struct known **list, const char *controller); /* read it again next time */
void known_free(struct known **list);

#endif
