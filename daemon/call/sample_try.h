/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_try.h - what the sampler would have said: past calls drawn again under other settings
 *
 * The same arithmetic as the sampler's and the auditor's (sample_plan.c), over calls in time order,
 *with caps, spreading and throttling by use. Nothing is kept; no I/O, no clock.
 *
 *	sample_try_new(pub, n, &t)
 *	in the order of time: sample_try_open, sample_try_draw, sample_try_release, sample_try_use
 *	sample_try_figures, sample_try_free
 *
 * Seeds: a day whose seed is published draws with it; else a call whose draw was recorded under the
 *same rule keeps that value; else the day draws with a pseudo-seed, BLAKE2b-256 of "optag simulate"
 *and the day: the share is right then, which calls it are is not. One thread. -ENOMEM is the only
 *failure.
 */
#ifndef SAMPLE_TRY_H
#define SAMPLE_TRY_H

#include "call/sample.h"

struct sample_try;

/* pub lives as long. Seeds that do not give their hash are not used. */
int sample_try_new(const struct sample_published *pub, size_t n, struct sample_try **ret);
void sample_try_free(struct sample_try *t); /* NULL-tolerant */
/*
 * The state of a rule as it was recorded: what its draws go on from. Any OPEN counts until the rule
 * draws what is not fixed; after that one with `start`, while the settings are the rule's own of
 * then (a crash took slots back, or spent them).
 */
int sample_try_open(struct sample_try *t, const struct sample_rule *set,
		    const struct sample_record *open);

struct sample_try_call {
	const struct sample_rule *set;
	uint64_t time_ns;
	uint8_t call[SAMPLE_ID];
	const struct sample_record *was; /* its draw under this rule's name, or NULL */
	const uint8_t *agent,
		*queue; /* SAMPLE_ID each, as in records; NULL not known. was has its own */
	bool fixed; /* before the time that is asked about: it stays as `was` has it, and counts */
};
struct sample_try_result {
	enum sample_why why;
	uint32_t draw;
	uint64_t threshold, slot; /* slot 0: none */
	bool pseudo;		  /* drawn with a pseudo-seed */
};
int sample_try_draw(struct sample_try *t, const struct sample_try_call *c,
		    struct sample_try_result *ret);
void sample_try_release(struct sample_try *t,
			uint64_t slot); /* the call ended without audio for training */
void sample_try_use(struct sample_try *t, const uint8_t rule[SAMPLE_ID], uint32_t n);

struct sample_try_figures {
	uint32_t limit[SAMPLE_KINDS]; /* that low use made; SAMPLE_NONE none */
	int32_t throttled_day;	      /* first day that was; 0 none */
	int32_t first_day;	      /* of a draw */
	uint32_t most[SAMPLE_KINDS];  /* slots taken in any period */
};
/* -ENOENT: the rule drew nothing. */
int sample_try_figures(const struct sample_try *t, const uint8_t rule[SAMPLE_ID],
		       struct sample_try_figures *ret);

#endif
