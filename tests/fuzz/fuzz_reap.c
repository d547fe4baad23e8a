/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_reap.c - what the reaper reads that others of its group may write: its marks of time and of its inventory, requests to erase, retentions */
#include <string.h>

#include "base/buf.h"
#include "must.h"
#include "store/reap.h"
#include "store/reap_clock.h"
#include "store/reap_report.h"
#include "store/retention.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As it comes, and with the rest of it and the checksum made right, so that what they guard is looked at. */
static void mark(const char *p, size_t n)
{
	char raw[REAP_MARK_SIZE], again[REAP_MARK_SIZE];
	char *sum = memmem(p, n, "sum ", 4);
	struct reap_mark m;

	if (!reap_mark_parse(p, n, &m)) {
		MUST(n == REAP_MARK_SIZE && reap_mark_format(&m, again) == n && !memcmp(again, p, n));
		MUST(strlen(m.boot) < sizeof(m.boot));
	}
	if (n > REAP_MARK_SIZE - 13 && !sum)
		return;
	n = sum ? (size_t)(sum - p) : n;
	if (n > REAP_MARK_SIZE - 13)
		return;
	memset(raw, '\n', sizeof(raw));
	memcpy(raw, p, n);
	snprintf(again, sizeof(again), "sum %08x", crc32c(0, raw, n));
	memcpy(raw + n, again, 12);
	if (!reap_mark_parse(raw, sizeof(raw), &m)) {
		reap_mark_format(&m, again);
		MUST(!memcmp(again, raw, sizeof(raw)));
	}
}

static void report(const char *p, size_t n)
{
	char again[REAP_REPORT_SIZE];
	uint32_t day = reap_report_parse(p, n);

	if (day)
		MUST(n == REAP_REPORT_SIZE && reap_report_format(day, again) == n && !memcmp(again, p, n));
}

static void ask(const char *p, size_t n)
{
	struct reap_ask a;

	if (reap_ask_parse(p, n, &a))
		return;
	MUST(a.purpose < STORE_PURPOSES && strlen(a.reason) && strlen(a.reason) < REAP_REASON);
	MUST(a.reason[0] >= 'a' && a.reason[0] <= 'z' && a.done == (p[0] == '#'));
	MUST(p[0] == '#' || p[0] == '{');
}

static void retention(const char *p, size_t n)
{
	struct retention_line l;
	char again[RETENTION_LINE_MAX];

	if (retention_parse(p, n, &l))
		return;
	MUST(l.purpose < STORE_PURPOSES && l.unit < RETENTION_U_UNITS && l.span && *l.rule);
	MUST(retention_format(&l, again) == n + 1 && !memcmp(again, p, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *lf;
	size_t n;

	mark(p, size);
	report(p, size);
	for (; size; p += n, size -= n) {
		lf = memchr(p, '\n', size);
		n = lf ? (size_t)(lf - p) : size;
		ask(p, n);
		retention(p, n);
		n += lf != NULL;
	}
	return 0;
}
