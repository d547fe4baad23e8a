/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sampled.h - of many like cases one in so many, others at each run
 *
 *	sampled_begin(3);			once, in main: prints the seed
 *	if (!sampled(i)) continue;		one in three; each with OPTAG_FULL=1 (make cuts)
 *	n += sampled_step(n);			the same for counts from 1 on: 1 is always tried
 *
 * SAMPLED_SEED=N is the run that printed it. Included by one test program each. One thread.
 */
#ifndef SAMPLED_H
#define SAMPLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static unsigned sampled_every = 1, sampled_seed;

/* every: odd, so that a bit chosen by a place's number is not always the same one. */
static inline void sampled_begin(unsigned every)
{
	const char *s = getenv("SAMPLED_SEED");

	sampled_every = getenv("OPTAG_FULL") ? 1 : every;
	sampled_seed = s ? (unsigned)strtoul(s, NULL, 10) : (unsigned)time(NULL) % 100000;
	if (sampled_every > 1)
		printf("one case in %u: SAMPLED_SEED=%u\n", sampled_every, sampled_seed);
}

static inline bool sampled(size_t i)
{
	return (i + sampled_seed) % sampled_every == 0;
}

static inline int sampled_step(int n)
{
	return n == 1 ? 1 + (int)(sampled_seed % sampled_every) : (int)sampled_every;
}

#endif
