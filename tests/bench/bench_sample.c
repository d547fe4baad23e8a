/* SPDX-License-Identifier: BSD-2-Clause */
/* bench_sample.c - ns a draw: plain percent, an adaptive daily cap, and with caps per agent; bytes of a state */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "call/sample.h"

#define DRAWS 400000
#define DAY   (86400 * NS_PER_S)

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static struct sample_rule rule(int percent, int cap)
{
	struct sample_rule r;

	memset(&r, 0, sizeof(r));
	strcpy(r.zone, "Europe/Copenhagen");
	r.permille = percent * 10;
	r.cap[r.ncap++] = (struct policy_cap){ cap, POLICY_PER_DAY, POLICY_OF_RULE };
	r.use_target_percent = 80;
	r.throttle_percent = 125;
	r.use_floor = 1000000;
	return r;
}

static void measure(const char *what, const struct sample_rule *r, unsigned agents)
{
	struct sample_config cfg = { .late_seeds = true };
	struct sample_input in = { .rule = r };
	uint64_t best = UINT64_MAX, gen, day = 20776;
	struct buf b = { 0 };
	struct sample *s;
	unsigned got = 0;

	if (sample_new(&cfg, &s))
		exit(1);
	for (int round = 0; round < 5; round++, day++) {
		uint64_t start;

		if (sample_tick(s, day * DAY + 12 * 3600 * NS_PER_S))
			exit(1);
		start = cpu_ns();
		for (unsigned i = 0; i < DRAWS; i++) {
			struct sample_result res;
			char id[64], agent[16];

			in.now_ns = day * DAY + DAY / DRAWS * i;
			in.call_id.n = (size_t)snprintf(id, sizeof(id), "%08x%04x4a7b9c@10.0.0.1", i * 2654435761U, (unsigned)round);
			in.call_id.p = id;
			in.agent.n = agents ? (size_t)snprintf(agent, sizeof(agent), "a%u", i % agents) : 0;
			in.agent.p = agent;
			sample_draw(s, &in, &res);
			if (res.in)
				got += !sample_spend(s, res.slot);
		}
		start = cpu_ns() - start;
		best = start < best ? start : best;
	}
	if (sample_save(s, &b, &gen))
		exit(1);
	printf("sample    %-34s %6.0f ns a draw   %u in of %u   state %zu bytes\n", what, (double)best / DRAWS, got,
	       5 * DRAWS, b.len);
	buf_free(&b);
	sample_free(s);
}

int main(void)
{
	struct sample_rule a = rule(2, 100000), b = rule(2, 40), c = rule(2, 100000);

	a.first_come = true;
	c.cap[c.ncap++] = (struct policy_cap){ 6, POLICY_PER_MONTH, POLICY_OF_AGENT };
	measure("2 %", &a, 0);
	measure("2 %, 40 a day, spread", &b, 0);
	measure("2 %, 6 an agent a month, 1000 agents", &c, 1000);
	return 0;
}
