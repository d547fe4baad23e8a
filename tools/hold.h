/* SPDX-License-Identifier: BSD-2-Clause */
/* hold.h - what optag hold tells the evidence log */
#ifndef TOOLS_HOLD_H
#define TOOLS_HOLD_H

#include <stdbool.h>

#include "store/hold.h"
#include "store/outbox.h"

/* Before anything is changed: what happens is to be told. -errno, with one line said. */
int hold_tell_open(const char *store, struct outbox **ret);
/* Durable when they return 0; else one line was said. By `who`. */
int hold_tell_set(struct outbox *o, const struct hold *x, const struct hold_person *who);
int hold_tell_event(void *outbox, const struct evlog_event *e); /* as holds_untold asks */
/* erased: the call's key for documentation was destroyed with the hold. */
int hold_tell_release(struct outbox *o, const struct hold *x, const struct hold_person *who, bool erased);

#endif
