/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_seal.c - what sealing keys, wraps and the evidence log cost: 600 new calls a second, two purposes each
 *
 * A call's share: a key for each purpose, sealed (wrap_make) and put into its slot (slots_put), and the 13 events of a usual kept call;
 * after each second's calls the slots are synced and the log flushed, as the daemon does. Prints CPU-seconds per 600 calls, so
 * per cent of a core at that rate. It rests a second after each, so that what wraps are made with is made anew as often as it is
 * live. Disk waits are not CPU; they are printed apart. TMPDIR says where the store lies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "store/evlog.h"
#include "store/slots.h"
#include "store/store.h"

#define CALLS	600u
#define SECONDS 20u
#define T0	1795000000000000000ULL

static char dir[300];

static uint64_t now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void must(int rc, const char *what, const char *why)
{
	if (!rc)
		return;
	fprintf(stderr, "bench_seal: %s: %d %s\n", what, rc, why);
	exit(1);
}

static struct uid call_of(unsigned n)
{
	struct uid u;

	uid_make(T0, &n, sizeof(n), &u);
	return u;
}

static void seal_call(struct slots *s, unsigned n)
{
	struct uid u = call_of(n);
	uint8_t key[32];
	uint32_t day, index;
	struct why why = { "" };

	for (int p = 0; p < STORE_PURPOSES; p++) {
		randombytes_buf(key, sizeof(key));
		must(slots_put(s, "acme", (enum store_purpose)p, "Europe/Copenhagen", &u, T0 + (90 + (uint64_t)p) * 86400 * NS_PER_S, key,
			       &day, &index, &why), "slots_put", why.text);
	}
}

static void log_call(struct evlog *l, unsigned n, uint64_t t)
{
	static const enum evlog_kind kinds[] = { EVLOG_CALL_MATCH, EVLOG_PURPOSE_GRANT, EVLOG_KEY_CREATE, EVLOG_AUDIO_START, EVLOG_NOTICE_PLAYED,
						 EVLOG_SAMPLE_IN, EVLOG_CONSENT_GIVEN, EVLOG_PURPOSE_GRANT, EVLOG_KEY_COMMIT, EVLOG_KEY_COMMIT,
						 EVLOG_AUDIO_STOP, EVLOG_CAPTURE_GAP, EVLOG_CALL_KEPT };
	struct evlog_event e = { .time_ns = t, .has_call = true, .call = call_of(n), .controller = "acme", .rule = "service desk inbound",
				 .policy = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", .purpose = EVLOG_P_TRAINING,
				 .source = EVLOG_S_DAEMON };
	char why[512] = "";

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		int rc;

		e.kind = kinds[i];
		e.nums = 0;
		evlog_num_add(&e, EVLOG_N_DAY, 20270223);
		evlog_num_add(&e, EVLOG_N_UNTIL_S, 1803000000);
		e.has_data = kinds[i] == EVLOG_SAMPLE_IN;
		rc = evlog_append(l, &e, NULL);
		if (rc)
			evlog_why(l, why, sizeof(why));
		must(rc, "evlog_append", why);
	}
}

static void report(const char *what, uint64_t cpu, uint64_t wall)
{
	double s = (double)cpu / 1e9 / SECONDS;

	printf("%-34s %8.4f CPU s per %u calls = %5.2f %% of a core; %6.1f ms until durable\n", what, s, CALLS, s * 100,
	       (double)wall / 1e6 / SECONDS);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	uint64_t cpu[2] = { 0 }, wall[2] = { 0 };
	char why[512] = "", store[320], cmd[400];
	struct why w = { "" };
	struct root root;
	struct slots *s;
	struct evlog *l;

	snprintf(dir, sizeof(dir), "%.200s/bench_seal.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	snprintf(store, sizeof(store), "%s/s", dir);
	snprintf(cmd, sizeof(cmd), "%s/k", dir);
	must(store_create(store, cmd, NULL, NULL, why, sizeof(why)), "store_create", why);
	must(root_open(store, &root, &w), "root_open", w.text);
	must(slots_new(&root, &s), "slots_new", "");
	must(evlog_open(store, &l, why, sizeof(why)), "evlog_open", why);
	for (unsigned i = 0; i < SECONDS; i++) {
		uint64_t c = now(CLOCK_PROCESS_CPUTIME_ID), t = now(CLOCK_MONOTONIC);

		for (unsigned n = 0; n < CALLS; n++)
			seal_call(s, i * CALLS + n);
		must(slots_sync(s, &w), "slots_sync", w.text);
		cpu[0] += now(CLOCK_PROCESS_CPUTIME_ID) - c;
		wall[0] += now(CLOCK_MONOTONIC) - t;
		c = now(CLOCK_PROCESS_CPUTIME_ID), t = now(CLOCK_MONOTONIC);
		for (unsigned n = 0; n < CALLS; n++)
			log_call(l, i * CALLS + n, T0 + i * NS_PER_S);
		must(evlog_flush(l, 0), "evlog_flush", "");
		cpu[1] += now(CLOCK_PROCESS_CPUTIME_ID) - c;
		wall[1] += now(CLOCK_MONOTONIC) - t;
		sleep(1);
	}
	report("keys sealed into slots, 2 a call", cpu[0], wall[0]);
	report("evidence log, 13 events a call", cpu[1], wall[1]);
	report("both", cpu[0] + cpu[1], wall[0] + wall[1]);
	evlog_close(l);
	slots_free(s);
	root_close(&root);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) != 0;
}
