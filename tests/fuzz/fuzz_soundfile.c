/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_soundfile.c - any bytes as the file of an announcement; the first octet chooses its name */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "media/fingerprint.h"
#include "media/soundfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "a.wav", "a.alaw", "a.ulaw", "a" };
	struct fp_ref *r = NULL;
	int16_t *x = NULL;
	char why[64] = "";
	size_t len = 0;
	int e;

	if (!n)
		return 0;
	e = sound_read(names[p[0] & 3], p + 1, n - 1, &x, &len, why, sizeof(why));
	if (e ? !*why || x : len > n)
		abort();
	if (!e && !fp_ref_new(x, len, &r) && fp_ref_ms(r) != len / 8)
		abort();
	fp_ref_free(r);
	free(x);
	return 0;
}
