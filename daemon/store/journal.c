/* SPDX-License-Identifier: BSD-2-Clause */
/* journal.c - the first line of a journal, see journal.h */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/journal.h"
#include "store/store_internal.h"

/* The CRC is from the second byte on, as that of the lines of `erase`, of which the first byte changes. */
size_t journal_head_format(const char *name, uint64_t bytes, char out[JOURNAL_HEAD_MAX])
{
	size_t n = (size_t)snprintf(out, JOURNAL_HEAD_MAX, "{\"optag-%s\":2,\"bytes\":%010" PRIu64, name, bytes);

	return n + (size_t)snprintf(out + n, JOURNAL_HEAD_MAX - n, ",\"crc\":\"%08" PRIx32 "\"}\n", crc32c(0, out + 1, n - 1));
}

size_t journal_head_parse(const char *name, const char *p, size_t n, uint64_t *ret_bytes)
{
	char want[JOURNAL_HEAD_MAX], start[JOURNAL_HEAD_MAX];
	size_t len = journal_head_format(name, 0, want), at = (size_t)snprintf(start, sizeof(start), "{\"optag-%s\"", name);
	uint64_t v = 0;

	*ret_bytes = 0;
	if (n < len || memcmp(p, start, at) != 0) /* a line has another word there */
		return n >= len && !memcmp(p + 1, start + 1, 5) ? len : 0;
	at += sizeof(":2,\"bytes\":") - 1;
	for (int i = 0; i < 10 && p[at] >= '0' && p[at] <= '9'; i++)
		v = v * 10 + (uint64_t)(p[at++] - '0');
	if (journal_head_format(name, v, want) == len && !memcmp(want, p, len) && v >= len)
		*ret_bytes = v;
	return len;
}
