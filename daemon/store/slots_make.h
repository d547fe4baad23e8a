/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots_make.h - a day's two files, bucket and slots, made when they are needed or before (inside of slots.c)
 *
 *	maker_want	a day will be needed: noted, for maker_run. Any thread, waits for nobody
 *	maker_run	makes what is wanted: the thread that may wait for a disk
 *	maker_make	makes one day's now; waits for the disk, and for maker_run where that makes one just now
 *
 * The bucket comes before the slots, so that slots without a bucket are always damage (K-6); each is durable under its name or not
 * there. What is there already is left alone, and a day whose key is dead, and whose slots were taken away, stays without.
 * A day that no call came to is a bucket and a head, and goes as any other. Errors 0 or -errno.
 */
#ifndef SLOTS_MAKE_H
#define SLOTS_MAKE_H

#include "store/bucket.h"
#include "store/slot.h"

#define MAKER_WANTED 1024 /* days that wait or were made; more are made when they are needed */

struct slots_maker;
int maker_new(const struct root *r, struct slots_maker **ret);
void maker_free(struct slots_maker *m); /* NULL-tolerant */
void maker_want(struct slots_maker *m, const char *controller, unsigned purpose, uint32_t day, const char *zone);
/* What cannot be made is no error: it is tried again when it is wanted again, or needed. How many days were made. */
unsigned maker_run(struct slots_maker *m);
/* -ESHUTDOWN: the day's key is destroyed already, or just now. */
int maker_make(struct slots_maker *m, const char *controller, unsigned purpose, uint32_t day, const char *zone, struct why *why);

#endif
