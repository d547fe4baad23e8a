/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_uses.c - any bytes as a line of STORE/used: refused, or written again as the same bytes */
#include <stdint.h>
#include <string.h>

#include "must.h"
#include "uses.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uses_line l;
	char out[USES_LINE_MAX];

	if (uses_parse((const char *)data, size, &l) == 0) {
		MUST(uses_format(&l, out) == size + 1 && out[size] == '\n');
		MUST(memcmp(out, data, size) == 0);
	}
	return 0;
}
