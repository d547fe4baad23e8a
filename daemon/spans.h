/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spans.h - when a span of the policy is over
 *
 * Days, months and years go by the calendar of the time zone (base/clock.h, clock_add: month ends, leap days, DST), what is
 * shorter by seconds. Any thread.
 */
#ifndef SPANS_H
#define SPANS_H

#include <stdint.h>

#include "policy.h"

/* from and *ret: nanoseconds since 1970. 0, or -errno of clock_add: no such zone, or beyond what a time can be. */
int span_end(struct policy_span s, const char *zone, uint64_t from_ns, uint64_t *ret);

#endif
