/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_phone.c - any text: whether a number is in it stays so whatever stands before a line's beginning or behind it */
#include <stdint.h>
#include <string.h>

#include "base/phone.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	size_t at = SIZE_MAX, digits = 0;
	bool found = phone_in(s, size, &at);
	char *more;

	for (size_t i = 0; i < size; i++)
		digits += (s[i] >= '0' && s[i] <= '9') || data[i] >= 0xc2; /* or one of another script begins */
	MUST(!found || (at < size && ((s[at] >= '0' && s[at] <= '9') || data[at] >= 0xc2) && digits >= PHONE_DIGITS));
	MUST(found || at == SIZE_MAX);
	more = malloc(size + 14);
	MUST(more);
	/* a line before it, and one behind it that has none */
	memcpy(more, "so:\n", 4);
	memcpy(more + 4, s, size);
	memcpy(more + 4 + size, "\nend", 4);
	MUST(phone_in(more, size + 8, NULL) == found);
	/* a line behind it that has one */
	memcpy(more + 4 + size, "\n20304050", 9);
	MUST(phone_in(more, size + 13, NULL));
	free(more);
	return 0;
}
