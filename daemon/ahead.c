/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ahead.c - which destroy-by days calls of the next day will have: their key files are made before (store_expect)
 *
 * The capturing thread asks and does not wait. Once an hour, and when another policy is in force, of each rule and purpose: the day of
 * a call that began now, and that of one that begins in 24 hours. Between the two no day begins that is neither, until the
 * next look. So many rules each time, since a deadline takes a calendar.
 */
#include <string.h>

#include "daemon.h"
#include "policies.h"
#include "spans.h"

#define AGAIN_NS (3600 * NS_PER_S)
#define DAY_NS	 (24 * AGAIN_NS)
#define RULES	 32 /* a second */

static void expect(struct daemon *d, const struct policy_rule *r, uint64_t from_ns)
{
	uint64_t until;

	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (r->purpose[p].basis != POLICY_B_NONE && !span_end(r->purpose[p].retention, r->controller->timezone, from_ns, &until))
			store_expect(d->store, r->controller->name, (enum store_purpose)p, r->controller->timezone, until);
}

void ahead_run(struct daemon *d)
{
	const struct policy *p = policies_current(d->policies);
	uint64_t now = clock_now_ns(), steady = clock_steady_ns();
	struct ahead *a = &d->ahead;

	if (!p || !d->store)
		return;
	if (strcmp(a->hash, policy_hash(p)) != 0 || steady >= a->again_ns) {
		memcpy(a->hash, policy_hash(p), sizeof(a->hash));
		a->again_ns = steady + AGAIN_NS;
		a->rule = 0;
	}
	for (unsigned n = 0; n < RULES && a->rule < policy_rules(p); n++, a->rule++) {
		const struct policy_rule *r = policy_rule(p, a->rule);

		expect(d, r, clock_earlier_ns(now));
		expect(d, r, now + DAY_NS);
	}
}
