/* SPDX-License-Identifier: BSD-2-Clause */
/* spans.c - when a span of the policy is over, see spans.h */
#include "spans.h"

#include "base/clock.h"

int span_end(struct policy_span s, const char *zone, uint64_t from_ns, uint64_t *ret)
{
	static const uint64_t seconds[] = { [POLICY_U_S] = 1, [POLICY_U_MIN] = 60, [POLICY_U_H] = 3600 };

	if (s.unit < POLICY_U_DAYS) {
		*ret = from_ns + (uint64_t)s.n * seconds[s.unit] * NS_PER_S;
		return 0;
	}
	return clock_add(from_ns, zone, s.n,
			 s.unit == POLICY_U_YEARS ? CLOCK_U_YEARS : s.unit == POLICY_U_MONTHS ? CLOCK_U_MONTHS : CLOCK_U_DAYS, ret);
}
