/* SPDX-License-Identifier: BSD-2-Clause */
/* test_record_hold.c - audio that waits for a decision: as it came, plain nowhere, and gone with its key */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "media/chunker.h"
#include "record_hold.h"

#define CHUNKS 9
#define PACKETS 3
#define BYTES 160

/* The payload of every packet is this and numbers; turned about, so that this file's own copy is none. */
static const uint8_t mark_turned[16] = { 0x6b, 0x11, 0xe4, 0x92, 0x0d, 0x5f, 0xc3, 0x78, 0xa6, 0x2d, 0x99, 0x14, 0xbe, 0x47, 0xf0, 0x35 };
static struct chunk_pkt pkt[PACKETS];
static uint8_t data[PACKETS * BYTES];
static unsigned written;

/* A byte at a time: no register has it whole, which calls might save somewhere. */
static void mark(volatile uint8_t *out)
{
	for (int i = 0; i < 16; i++)
		out[i] = mark_turned[i] ^ 0xff;
}

static void chunk_of(unsigned n, struct chunk *c)
{
	*c = (struct chunk){ .ssrc = n, .npkt = PACKETS, .nbytes = sizeof(data), .pkt = pkt, .data = data };
	snprintf(c->format.name, sizeof(c->format.name), "PCMA");
	for (unsigned i = 0; i < PACKETS; i++) {
		pkt[i] = (struct chunk_pkt){ .seq = n * PACKETS + i, .off = i * BYTES, .len = BYTES, .pt = 8 };
		mark(data + (size_t)i * BYTES);
		memset(data + (size_t)i * BYTES + 16, (int)(n + i), BYTES - 16);
	}
}

/* Places in this process's memory, the page cache's of files apart, where a payload begins. */
static unsigned plain(void)
{
	FILE *maps = fopen("/proc/self/maps", "re"), *mem = fopen("/proc/self/mem", "re");
	static uint8_t page[65536 + 16];
	char line[512], prot[8];
	unsigned long from, to;
	unsigned found = 0;

	assert_non_null(maps);
	assert_non_null(mem);
	setvbuf(mem, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, prot) != 3 || prot[0] != 'r' || prot[1] != 'w' || strstr(line, "[v"))
			continue;
		for (unsigned long at = from; at < to; at += 65536) {
			size_t n = to - at < sizeof(page) ? to - at : sizeof(page);

			memset(page, 0, sizeof(page));
			if (fseek(mem, (long)at, SEEK_SET) || fread(page, 1, n, mem) != n)
				continue;
			for (size_t i = 0; i + 16 <= n && i < 65536; i++) {
				unsigned same = 0;

				while (same < 16 && (page[i + same] ^ mark_turned[same]) == 0xff)
					same++;
				if (same == 16 && !(at + i >= (unsigned long)(uintptr_t)page && at + i < (unsigned long)(uintptr_t)(page + sizeof(page))))
					found++;
			}
		}
	}
	fclose(maps);
	fclose(mem);
	memset(page, 0, sizeof(page));
	return found;
}

/* The sanitizers' shadow memory is too large to be searched. */
static void plain_is(unsigned n)
{
#ifndef __SANITIZE_ADDRESS__
	assert_int_equal(plain(), n);
#else
	(void)n;
	(void)plain;
#endif
}

static int check(void *arg, unsigned leg, const struct chunk *c)
{
	struct chunk want;

	(void)arg;
	chunk_of(written, &want);
	assert_int_equal(leg, written & 1);
	assert_int_equal(c->ssrc, written);
	assert_int_equal(c->npkt, PACKETS);
	assert_int_equal(c->nbytes, sizeof(data));
	assert_string_equal(c->format.name, "PCMA");
	assert_memory_equal(c->pkt, want.pkt, sizeof(pkt));
	assert_memory_equal(c->data, want.data, sizeof(data));
	return ++written == 5 ? *(int *)arg : 0;
}

static void hold_all(struct hold **h, struct chunker_memory *m)
{
	struct chunk c;

	for (unsigned n = 0; n < CHUNKS; n++) {
		chunk_of(n, &c);
		assert_int_equal(hold_add(h, n & 1, &c, m), 0);
	}
}

static void test_held(void **state)
{
	struct chunker_memory m = { .limit = 1 << 20 };
	struct hold *h = NULL;
	int e = 0;

	(void)state;
	hold_all(&h, &m);
	assert_true(m.used > CHUNKS * sizeof(data));
	plain_is(PACKETS); /* what was handed in last */
	written = 0;
	assert_int_equal(hold_release(&h, check, &e, &m), 0);
	assert_int_equal(written, CHUNKS);
	assert_null(h);
	assert_int_equal(m.used, 0);
	memset(data, 0, sizeof(data));
	plain_is(0);
	/* an error of who writes */
	hold_all(&h, &m);
	written = 0;
	e = -28;
	assert_int_equal(hold_release(&h, check, &e, &m), -28);
	assert_int_equal(written, 5);
	assert_null(h);
	/* nobody wants it */
	hold_all(&h, &m);
	memset(data, 0, sizeof(data));
	hold_wipe(&h, &m);
	assert_null(h);
	assert_int_equal(m.used, 0);
	plain_is(0);
	hold_wipe(&h, &m);
	assert_int_equal(hold_release(&h, check, &e, &m), 0);
}

/* One of no packets, and one that has no room. */
static void test_edges(void **state)
{
	struct chunker_memory m = { .limit = 4096 };
	struct chunk c, none = { .ssrc = 0 };
	struct hold *h = NULL;
	int e = 0;

	(void)state;
	chunk_of(0, &c);
	for (e = 0; !hold_add(&h, 0, &c, &m); e++)
		;
	assert_true(e > 0 && m.used <= 4096);
	hold_wipe(&h, &m);
	assert_int_equal(hold_add(&h, 1, &none, NULL), 0);
	hold_wipe(&h, NULL);
	assert_null(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
