/* SPDX-License-Identifier: BSD-2-Clause */
/* fsck_hold.h - the part of fsck.c that looks at calls on hold */
#ifndef FSCK_HOLD_H
#define FSCK_HOLD_H

#include "store/store_internal.h"

struct fsck_hold {
	void *arg;
	/* a finding, as store_fsck tells it */
	void (*bad)(void *arg, const char *file, uint64_t off, const char *rule, const char *text);
	/* a copy of the key of this documentation slot is there */
	void (*key)(void *arg, const char *controller, uint32_t day, uint32_t slot, const struct uid *uid);
	/* this call is on hold, by the journal or, where that is damaged, by its key. NULL: nobody asks */
	int (*hold)(void *arg, const char *controller, const struct uid *uid);
};

/* 0 also when there are findings; -ENOMEM, or a directory cannot be read. */
int fsck_holds(const struct root *r, const struct fsck_hold *f, struct why *why);

#endif
