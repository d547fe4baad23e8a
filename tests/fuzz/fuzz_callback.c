/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_callback.c - the file of numbers to be rung back: any bytes; what is sound is whole records, and what follows is not read */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "callback.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[32] = "0123456789abcdef0123456789abcde";
	size_t n;

	if (sodium_init() < 0)
		abort();
	n = callbacks_sound(key, data, size);
	if (n > size || (n && (n < 16 || (n - 16) % CALLBACK_RECORD)))
		abort();
	if (n && callbacks_sound(key, data, n) != n)
		abort();
	return 0;
}
