/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mkheld.c - calls whose deadlines are near, and the destruction of their days
 *
 *	mkheld STORE WORD...
 *
 *	NAME:AGE:DOC:TRAIN	a call of AGE days ago, GRANTED for documentation until DOC days from now and for training until
 *				TRAIN days (0: not for it); prints `NAME UID`
 *	destroy:PURPOSE:DAYS	destroys the key of the day that is DAYS from now, as a reaper does
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/bucket.h"
#include "store/store.h"

#define ZONE	   "UTC"
#define CONTROLLER "acme"

static uint64_t now;

static void die(const char *what, int rc, const char *why)
{
	fprintf(stderr, "mkheld: %s: %s (%s)\n", what, strerror(-rc), why);
	exit(1);
}

static uint64_t days(unsigned n)
{
	return n * 86400 * NS_PER_S;
}

static void audio(struct store *st, struct store_call *sc, unsigned leg, uint64_t start)
{
	static struct chunk_pkt pkt[100];
	static uint8_t data[100 * 160];
	struct chunk c = { .pkt = pkt, .data = data, .npkt = 100, .nbytes = sizeof(data), .ssrc = 0x1000 + leg,
			   .format = { .name = "PCMA", .clock = 8000, .channels = 1, .pt = 8 } };
	int rc;

	for (unsigned i = 0; i < 100; i++)
		pkt[i] = (struct chunk_pkt){ .arrival_ns = start + i * 20 * NS_PER_MS, .seq = i, .ts = i * 160, .off = i * 160, .len = 160, .pt = 8 };
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + leg);
	rc = store_call_append(sc, leg, &c);
	if (rc)
		die("append", rc, store_why(st));
}

static void call(struct store *st, const char *word)
{
	unsigned age, until[STORE_PURPOSES];
	char name[64], sip[80], id[UID_TEXT];
	struct store_call_meta m = { .controller = CONTROLLER, .zone = ZONE, .rule = "service", .policy_hash = "00ff", .scenario = "A1",
				     .caller = "+4533123456", .callee = "+4570101010", .sip_call_id = sip };
	struct store_call_result r = { .end = "bye", .outcome = STORE_O_KEPT, .reason = { "", "" }, .gap = "" };
	struct store_call *sc;
	int rc;

	/* NOLINTNEXTLINE(cert-err34-c): words of a test */
	if (sscanf(word, "%63[^:]:%u:%u:%u", name, &age, &until[0], &until[1]) != 4)
		die(word, -EINVAL, "NAME:AGE:DOC:TRAIN");
	snprintf(sip, sizeof(sip), "%s@test", name);
	m.start_ns = now - days(age);
	uid_make(m.start_ns, sip, strlen(sip), &m.uid);
	for (int p = 0; p < STORE_PURPOSES; p++) {
		m.until_ns[p] = until[p] ? now + days(until[p]) : 0;
		m.commit[p] = until[p];
		r.state[p] = until[p] ? STORE_S_GRANTED : STORE_S_NONE;
	}
	r.answer_ns = m.start_ns + NS_PER_S;
	r.end_ns = m.start_ns + 10 * NS_PER_S;
	rc = store_call_begin(st, &m, &sc);
	for (unsigned leg = 0; !rc && leg < 2; leg++) {
		audio(st, sc, leg, m.start_ns);
		snprintf(r.leg[leg].format.name, sizeof(r.leg[leg].format.name), "PCMA");
		r.leg[leg].format.clock = 8000;
		r.leg[leg].packets = 100;
		r.leg[leg].audio_ms = 2000;
	}
	if (!rc)
		rc = store_call_end(sc, &r);
	if (rc)
		die(word, rc, store_why(st));
	uid_format(&m.uid, id);
	printf("%s %s\n", name, id);
}

static void destroy(const char *dir, const char *word)
{
	char purpose[32];
	struct why why = { "" };
	struct root r;
	unsigned n;
	uint32_t day;
	int rc;

	/* NOLINTNEXTLINE(cert-err34-c): words of a test */
	if (sscanf(word, "destroy:%31[^:]:%u", purpose, &n) != 2 || day_of(now + days(n), ZONE, &day))
		die(word, -EINVAL, "destroy:PURPOSE:DAYS");
	rc = root_open(dir, &r, &why);
	if (!rc)
		rc = bucket_destroy(&r, CONTROLLER, !strcmp(purpose, "training"), day, now, &why);
	if (rc < 0)
		die(word, rc, why.text);
	root_close(&r);
}

int main(int argc, char **argv)
{
	struct store *st = NULL;
	char why[512] = "";
	int rc = 0;

	now = clock_now_ns();
	for (int i = 2; i < argc; i++) {
		if (!strncmp(argv[i], "destroy:", 8)) {
			destroy(argv[1], argv[i]);
			continue;
		}
		if (!st)
			rc = store_open(argv[1], STORE_RW, &st, why, sizeof(why));
		if (rc)
			die(argv[1], rc, why);
		call(st, argv[i]);
	}
	if (st && (rc = store_sync(st)))
		die("sync", rc, store_why(st));
	store_close(st);
	return 0;
}
