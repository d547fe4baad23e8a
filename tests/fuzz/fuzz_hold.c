/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_hold.c - the journal of holds and the file of their keys: parsed or refused, and equal when written again */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "must.h"
#include "store/hold_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void line(const char *p, size_t n)
{
	char again[HOLD_LINE_MAX];
	struct hold_line l;

	if (hold_line_parse(p, n, &l))
		return;
	MUST(hold_line_format(&l, again) == n + 1 && !memcmp(again, p, n) && again[n] == '\n');
	MUST(l.what == HOLD_CANCEL || !hold_text_check(l.reason, sizeof(l.reason)));
}

static int count(void *arg, const struct hold *x)
{
	MUST(x->held && (!x->asked_ns || hold_name_ok(x->asker.name)));
	++*(size_t *)arg;
	return 0;
}

/* With its head before it, so that what follows is looked at. */
static void journal(const uint8_t *p, size_t n)
{
	const size_t head = sizeof(HOLDS_HEAD_1) - 1;
	char *s = malloc(n + head);
	struct holds *h = holds_new(NULL);
	struct why why;
	size_t held = 0;

	MUST(s && h);
	memcpy(s, HOLDS_HEAD_1, head);
	memcpy(s + head, p, n);
	if (!holds_take(h, s, n + head, &why)) {
		MUST(h->end <= n + head && s[h->end - 1] == '\n');
		MUST(!holds_each(h, count, &held) && held == holds_count(h));
	}
	holds_close(h);
	h = holds_new(NULL);
	MUST(h);
	(void)holds_take(h, s + head, n, &why);
	holds_close(h);
	free(s);
}

static void slots(const uint8_t *p, size_t n)
{
	uint8_t raw[SLOT_SIZE], again[SLOT_SIZE];
	const uint8_t id[16] = { 1 };
	struct hold_slot s;

	(void)hold_head_parse(p, n, id, "acme");
	for (; n >= SLOT_SIZE; n -= SLOT_SIZE, p += SLOT_SIZE) {
		memcpy(raw, p, SLOT_SIZE);
		(void)hold_slot_parse(raw, &s);
		le32enc(raw + 252, crc32c(0, raw, 252));
		if (hold_slot_parse(raw, &s) || s.empty)
			continue;
		hold_slot_format(&s, again);
		MUST(!memcmp(raw, again, SLOT_SIZE));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *nl = size ? memchr(data, '\n', size) : NULL;

	line((const char *)data, nl ? (size_t)(nl - (const char *)data) : size);
	journal(data, size);
	slots(data, size);
	return 0;
}
