/* SPDX-License-Identifier: BSD-2-Clause */
/* names.c - words of the format and what they mean, apart from the store so that who only needs these links nothing else */
#include "store/store_internal.h"

const char *const store_purpose_names[STORE_PURPOSES] = { "documentation", "training" };
const char *const store_state_names[STORE_S_MAX] = { "NONE",	  "PENDING",   "GRANTED",  "DENIED",
						     "WITHDRAWN", "OPTED_OUT", "OBJECTED", "EXPIRED" };
const char *const store_outcome_names[STORE_O_MAX] = { "kept", "denied", "gap" };

bool state_holds(enum store_state s)
{
	return s == STORE_S_GRANTED || s == STORE_S_OBJECTED;
}
