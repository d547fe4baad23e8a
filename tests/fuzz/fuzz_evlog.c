/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_evlog.c - any bytes as a line of the evidence log, as a root, as a public key
 *
 * A line that is accepted is exactly what the writer would write of it, holds no run of digits in its
 * words, and fits. A root is never accepted: nobody here has the key.
 */
#include <errno.h>
#include <string.h>

#include "must.h"
#include "store/evlog_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_line(const char *p, size_t n)
{
	char again[EVLOG_LINE_MAX];
	struct evlog_line l;
	const char *what = NULL;
	int rc = evlog_line_parse(p, n, &l, &what);

	MUST(rc == 0 || (rc == -EBADMSG && what));
	if (rc)
		return;
	MUST(!evlog_check(&l.e));
	MUST(evlog_line_format(l.seq, l.prev, &l.e, again) == n + 1);
	MUST(again[n] == '\n' && !memcmp(again, p, n));
	MUST(!memchr(p, '\n', n) && !memchr(p, 0, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size, *lf;
	struct evlog_pub pub = { .key = { 1 } };
	struct evlog_root root;
	uint8_t hash[32];

	MUST(evlog_root_parse(p, size, &pub, &root, hash) != 0);
	(void)evlog_pub_parse(p, size, &pub); /* what it makes of the bytes is compared inside */
	for (; (lf = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL); p = lf + 1)
		one_line(p, (size_t)(lf - p));
	one_line(p, (size_t)(end - p));
	return 0;
}
