/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * goldenstore.c - a store as it is kept in tests/golden/store: goldenstore DIR KEYS
 *
 * Six calls of which the first four are in a sealed partition, one denied, one with a line in later.db; deadlines in 2065.
 * Run once for each format of the store, and kept for ever.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/catalog.h"
#include "store/later.h"
#include "store/store.h"
#include "store/store_internal.h"

#define START 1795000000000000000ULL
#define UNTIL 3028000000000000000ULL /* December 2065 */

static void check(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "goldenstore: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void meta_of(unsigned i, char sip[32], struct store_call_meta *m)
{
	snprintf(sip, 32, "call-%u@host", i);
	*m = (struct store_call_meta){ .start_ns = START + i * NS_PER_S, .controller = "acme", .zone = "Europe/Copenhagen", .rule = "golden",
				       .policy_hash = "00ff", .scenario = "F", .sip_call_id = sip, .caller = "+4520000000",
				       .callee = "+4570000000", .until_ns = { UNTIL, UNTIL }, .training_use_by = START + 30 * 86400 * NS_PER_S };
	uid_make(m->start_ns, sip, strlen(sip), &m->uid);
}

static void sound(struct store_call *sc, unsigned i)
{
	static struct chunk_pkt pkt[50];
	static uint8_t data[50 * 160];
	struct chunk c = { .ssrc = i, .format = { .name = "PCMA", .clock = 8000, .channels = 1, .pt = 8 }, .npkt = 50, .nbytes = sizeof(data),
			   .pkt = pkt, .data = data };

	for (uint32_t k = 0; k < 50; k++)
		pkt[k] = (struct chunk_pkt){ .arrival_ns = START + i * NS_PER_S + k * 20 * NS_PER_MS, .seq = k, .ts = k * 160, .off = k * 160,
					     .len = 160, .pt = 8 };
	for (size_t k = 0; k < sizeof(data); k++)
		data[k] = (uint8_t)(k * (i + 1) / 7);
	for (unsigned leg = 0; leg < 2; leg++)
		check(store_call_append(sc, leg, &c), "append");
}

static void put_call(struct store *st, unsigned i)
{
	struct store_call_result r = { .end_ns = START + 100 * NS_PER_S, .end = "bye", .outcome = STORE_O_KEPT, .gap = "",
				       .state = { STORE_S_GRANTED, STORE_S_GRANTED }, .reason = { "interest", "consent" } };
	struct store_call_meta m;
	struct store_call *sc;
	char sip[32];

	meta_of(i, sip, &m);
	if (i == 2) {
		r.outcome = STORE_O_DENIED;
		r.state[0] = r.state[1] = STORE_S_DENIED;
		r.reason[0] = r.reason[1] = "optout";
		check(store_call_denied(st, &m, &r), "denied");
	} else {
		m.commit[0] = m.commit[1] = true;
		check(store_call_begin(st, &m, &sc), "begin");
		sound(sc, i);
		check(store_call_end(sc, &r), "end");
	}
	check(store_sync(st), "sync");
}

int main(int argc, char **argv)
{
	struct later_line line = { .purpose = STORE_TRAINING, .state = STORE_S_EXPIRED, .reason = "unused", .at_ns = START };
	struct store_call_meta m;
	struct why why = { "" };
	struct later *l;
	struct store *st;
	char sip[32];

	if (argc != 3)
		return 2;
	check(store_create(argv[1], argv[2], NULL, NULL, why.text, sizeof(why.text)), "create");
	check(store_open(argv[1], STORE_RW, &st, why.text, sizeof(why.text)), "open");
	catalog_limit(st->catalog, 4);
	for (unsigned i = 0; i < 6; i++)
		put_call(st, i);
	meta_of(1, sip, &m);
	line.uid = m.uid;
	check(day_of(UNTIL, m.zone, &line.day), "day");
	check(later_open(&st->root, "acme", true, &l, &why), "later");
	check(later_put(l, &line, &why), "later");
	later_close(l);
	store_close(st);
	return 0;
}
