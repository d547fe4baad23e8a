/* SPDX-License-Identifier: BSD-2-Clause */
/* hold.h - what optag hold tells the evidence log */
#ifndef TOOLS_HOLD_H
#define TOOLS_HOLD_H

#include <stdbool.h>

#include "store/hold.h"

/* Durable when they return 0; else one line was said. By `who`. */
int hold_tell_set(const char *store, const struct hold *x, const struct hold_person *who);
/* erased: the call's key for documentation was destroyed with the hold. x: as it was before. */
int hold_tell_release(const char *store, const struct hold *x, const struct hold_person *who, bool erased);

#endif
