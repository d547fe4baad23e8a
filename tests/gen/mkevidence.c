/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mkevidence.c - fills the evidence log of a store with the same events each time
 *
 *	mkevidence STORE [DAYS]		DAYS days from 2026-11-23 (default 3), the last one not signed
 *	mkevidence STORE hold		opens the log and waits for the end of stdin
 *	mkevidence STORE destroy CONTROLLER PURPOSE DAY TIME	as the reaper: that bucket's key, DAY is YYYYMMDD
 *	mkevidence STORE erase CALL TIME		says so (no key is touched)
 *	mkevidence STORE sign TIME			the newest day's root, as if TIME was now
 *	mkevidence STORE outbox N	leaves N events in the outbox, and does not touch the log
 *
 * Each day: a policy, and under the rules `support` and `sales` calls that are kept, denied and gaps.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/evlog.h"
#include "store/outbox.h"
#include "store/slots.h"

#define D0 (20780ULL * 86400 * NS_PER_S)

static const char policy[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static struct evlog *l;

static void add(const struct evlog_event *e)
{
	char why[512];

	if (!evlog_append(l, e, NULL))
		return;
	evlog_why(l, why, sizeof(why));
	fprintf(stderr, "mkevidence: %s: %s\n", evlog_kind_name(e->kind), why);
	exit(1);
}

static void one_call(uint64_t t, unsigned n, const char *rule, enum evlog_kind outcome)
{
	struct evlog_event e = { .kind = EVLOG_CALL_MATCH, .time_ns = t, .has_call = true, .controller = "acme",
				 .rule = rule, .policy = policy };
	char seed[32];

	snprintf(seed, sizeof(seed), "call %u", n);
	uid_make(t, seed, strlen(seed), &e.call);
	add(&e);
	e.controller = e.policy = NULL;
	e.purpose = EVLOG_P_DOCUMENTATION;
	e.time_ns += NS_PER_S;
	e.kind = outcome == EVLOG_CALL_DENIED ? EVLOG_PURPOSE_DENY : EVLOG_PURPOSE_GRANT;
	e.source = outcome == EVLOG_CALL_DENIED ? EVLOG_S_TIMER : EVLOG_S_POLICY;
	e.reason = outcome == EVLOG_CALL_DENIED ? "consent.none" : NULL;
	add(&e);
	e.purpose = EVLOG_P_NONE;
	e.source = EVLOG_S_NONE;
	e.reason = outcome == EVLOG_CALL_KEPT ? NULL : outcome == EVLOG_CALL_GAP ? "srtp" : e.reason;
	e.kind = outcome;
	e.time_ns += 30 * NS_PER_S;
	evlog_num_add(&e, EVLOG_N_PACKETS, outcome == EVLOG_CALL_KEPT ? 1500 : 0);
	evlog_num_add(&e, EVLOG_N_BLOCKED, outcome == EVLOG_CALL_DENIED ? 1500 : 0);
	add(&e);
}

static int leave(const char *store, unsigned n)
{
	char why[512] = "";
	struct outbox *o;

	if (outbox_open(store, &o, why, sizeof(why))) {
		fprintf(stderr, "mkevidence: %s\n", why);
		return 1;
	}
	for (unsigned i = 0; i < n; i++) {
		struct evlog_event e = { .kind = EVLOG_KEY_DESTROY, .time_ns = clock_now_ns(), .source = EVLOG_S_REAPER,
					 .has_call = true, .purpose = EVLOG_P_TRAINING, .reason = "deadline" };

		uid_make(e.time_ns, &i, sizeof(i), &e.call);
		if (outbox_add(o, &e)) {
			fprintf(stderr, "mkevidence: %s\n", outbox_why(o));
			return 1;
		}
	}
	if (outbox_commit(o)) {
		fprintf(stderr, "mkevidence: %s\n", outbox_why(o));
		return 1;
	}
	outbox_close(o);
	return 0;
}

static void now_is(const char *time)
{
	uint64_t ns;

	if (clock_parse(time, &ns)) {
		fprintf(stderr, "mkevidence: no time: %s\n", time);
		exit(2);
	}
	clock_set_ns(ns);
}

/* By the outbox, into the log. */
static int say(const char *store, const struct evlog_event *e)
{
	struct outbox_taken t;
	char why[512] = "";
	struct outbox *o;
	int rc = outbox_open(store, &o, why, sizeof(why));

	if (!rc) {
		rc = outbox_add(o, e);
		outbox_close(o);
	}
	if (!rc)
		rc = outbox_flush_now(store, &t, why, sizeof(why));
	if (rc)
		fprintf(stderr, "mkevidence: %d %s\n", rc, why);
	return rc != 0;
}

static int destroy(char **argv)
{
	struct evlog_event e = { .kind = EVLOG_BUCKET_DESTROY, .source = EVLOG_S_REAPER, .controller = argv[3] };
	bool training = !strcmp(argv[4], "training");
	uint8_t raw[BUCKET_SIZE];
	struct bucket b;
	struct root root;
	struct why why = { "" };
	char path[STORE_PATH_MAX];
	uint32_t day = (uint32_t)strtoul(argv[5], NULL, 10);
	int rc = root_open(argv[1], &root, &why), fd;

	now_is(argv[6]);
	if (!rc)
		rc = bucket_read(&root, argv[3], training, day, &b, &why);
	if (rc) {
		fprintf(stderr, "mkevidence: %s\n", why.text);
		return 1;
	}
	b.state = BUCKET_DESTROYED;
	memset(b.key, 0, sizeof(b.key));
	bucket_format(&b, raw);
	slots_path(argv[3], training, day, "bucket", path);
	fd = openat(root.fd, path, O_WRONLY);
	if (fd < 0 || pwrite(fd, raw, sizeof(raw), 0) != sizeof(raw) || fdatasync(fd))
		return 1;
	close(fd);
	root_close(&root);
	e.time_ns = clock_now_ns();
	e.purpose = training ? EVLOG_P_TRAINING : EVLOG_P_DOCUMENTATION;
	evlog_num_add(&e, EVLOG_N_DAY, day);
	evlog_num_add(&e, EVLOG_N_HELD, 0);
	return say(argv[1], &e);
}

static int erase(char **argv)
{
	struct evlog_event e = { .kind = EVLOG_KEY_DESTROY, .source = EVLOG_S_OPERATOR, .who = "anna", .has_call = true };

	now_is(argv[4]);
	e.time_ns = clock_now_ns();
	return uid_parse(argv[3], &e.call) ? 2 : say(argv[1], &e);
}

/* A call as older versions told it: its outcome does not count its keys. Prints the call. */
static int older(char **argv)
{
	struct evlog_event e = { .kind = EVLOG_CALL_MATCH, .has_call = true, .controller = "acme", .rule = "support", .policy = policy };
	char uid[UID_TEXT], why[512] = "";

	now_is(argv[3]);
	e.time_ns = clock_now_ns();
	uid_make(e.time_ns, "older", 5, &e.call);
	if (evlog_open(argv[1], &l, why, sizeof(why)))
		return 1;
	add(&e);
	e.purpose = EVLOG_P_DOCUMENTATION;
	e.kind = EVLOG_PURPOSE_GRANT;
	add(&e);
	e.kind = EVLOG_KEY_COMMIT;
	evlog_num_add(&e, EVLOG_N_DAY, 20200101); /* long gone */
	add(&e);
	e.nums = 0;
	e.purpose = EVLOG_P_NONE;
	e.kind = EVLOG_CALL_KEPT;
	add(&e);
	e.kind = EVLOG_CALL_DESTROY;
	add(&e);
	if (evlog_flush(l, 0))
		return 1;
	evlog_close(l);
	uid_format(&e.call, uid);
	printf("%s\n", uid);
	return 0;
}

static int sign(char **argv)
{
	char why[512] = "";
	int rc;

	now_is(argv[3]);
	rc = evlog_open(argv[1], &l, why, sizeof(why));
	if (!rc)
		rc = evlog_flush(l, clock_now_ns());
	if (rc)
		fprintf(stderr, "mkevidence: %s\n", why);
	evlog_close(l);
	return rc != 0;
}

int main(int argc, char **argv)
{
	bool hold = argc > 2 && !strcmp(argv[2], "hold");
	unsigned days = argc > 2 && !hold ? (unsigned)strtoul(argv[2], NULL, 10) : 3;
	char why[512] = "";

	if (argc < 2) {
		fprintf(stderr, "usage: mkevidence STORE [DAYS | hold | outbox N | destroy ... | erase ... | older TIME | sign TIME]\n");
		return 2;
	}
	if (argc == 7 && !strcmp(argv[2], "destroy"))
		return destroy(argv);
	if (argc == 5 && !strcmp(argv[2], "erase"))
		return erase(argv);
	if (argc == 4 && !strcmp(argv[2], "older"))
		return older(argv);
	if (argc == 4 && !strcmp(argv[2], "sign"))
		return sign(argv);
	if (argc > 3 && !strcmp(argv[2], "outbox"))
		return leave(argv[1], (unsigned)strtoul(argv[3], NULL, 10));
	clock_set_ns(D0);
	if (evlog_open(argv[1], &l, why, sizeof(why))) {
		fprintf(stderr, "mkevidence: %s\n", why);
		return 1;
	}
	if (hold) {
		printf("open\n");
		fflush(stdout);
		while (getchar() != EOF)
			;
		evlog_close(l);
		return 0;
	}
	for (unsigned d = 0; d < days; d++) {
		uint64_t t = D0 + (d * 86400ULL + 28800) * NS_PER_S;
		struct evlog_event e = { .kind = EVLOG_POLICY_LOAD, .time_ns = t, .policy = policy,
					 .source = EVLOG_S_OPERATOR, .who = "anna" };

		add(&e);
		for (unsigned i = 0; i < 6; i++)
			one_call(t + (i + 1) * 60 * NS_PER_S, d * 10 + i, i < 4 ? "support" : "sales",
				 i % 3 == 0 ? EVLOG_CALL_KEPT : i == 1 ? EVLOG_CALL_GAP : EVLOG_CALL_DENIED);
	}
	if (evlog_flush(l, 0)) {
		evlog_why(l, why, sizeof(why));
		fprintf(stderr, "mkevidence: %s\n", why);
		return 1;
	}
	evlog_close(l);
	return 0;
}
