/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_sample_log.c - any bytes as a line of the sampler's records
 *
 * A line that is accepted is exactly what the writer would write of it; what is told of one that is not repeats none of it.
 */
#include <errno.h>
#include <string.h>

#include "call/sample_internal.h"
#include "call/sample_log_internal.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_line(const char *p, size_t n)
{
	char text[SAMPLE_TEXT];
	struct sample_line l;
	struct buf b = { 0 };
	int rc = sample_line_parse(p, n, &l, text);

	MUST(rc == 0 || (rc == -EBADMSG && *text && strlen(text) < SAMPLE_TEXT));
	for (const char *c = text; rc && *c; c++)
		MUST(*c >= ' ' && *c <= '~');
	if (rc)
		return;
	MUST(!sample_line_format(l.n, l.prev, &l.r, &b) && b.len == n + 1 && !memcmp(b.p, p, n) && b.p[n] == '\n');
	MUST(!memchr(p, '\n', n) && !memchr(p, 0, n));
	MUST((l.r.kind == SAMPLE_R_OPEN) == (l.r.open != NULL));
	MUST(!l.r.open || (l.r.open == &l.open && sample_open_valid(l.r.open)));
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size, *lf;

	for (; (lf = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL); p = lf + 1)
		one_line(p, (size_t)(lf - p));
	one_line(p, (size_t)(end - p));
	return 0;
}
