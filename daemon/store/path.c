/* SPDX-License-Identifier: BSD-2-Clause */
/* path.c - which paths there are, and the trial */
#include "store/path.h"

#include <stdlib.h>
#include <string.h>
#include <sodium.h>

#define TRIAL 5000 /* samples of the sound that a path is tried on */

const char *const path_names[PATHS] = { "best", "plain C", "AVX2", "AVX-512" };

bool path_here(enum path path)
{
#ifdef __x86_64__
	if (path == PATH_AVX512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
		       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
		       __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("bmi2");
	if (path == PATH_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
#endif
	return path == PATH_PLAIN;
}

/* A sound that reaches all magnitudes, from silence to full scale. */
static void sound(uint8_t *words, size_t n)
{
	uint32_t noise = 1;

	for (size_t i = 0; i < n; i++) {
		noise = noise * 1664525 + 1013904223;
		words[i] = (uint8_t)(0xd5 ^ (i >> 5 & 127 & (noise >> 24)) ^ (i / 37 & 1) << 7);
	}
}

void path_try(bool differs[PATHS], path_encode_fn *encode, void *encoder)
{
	uint8_t *words = malloc(3 * TRIAL), *want = words ? words + TRIAL : NULL, *got = words ? words + 2 * TRIAL : NULL;

	if (words)
		sound(words, TRIAL);
	differs[PATH_PLAIN] = false;
	for (enum path path = PATH_AVX2; path < PATHS; path++) {
		size_t n, m;

		differs[path] = true;
		if (!encoder || !words || !path_here(path))
			continue;
		n = encode(encoder, PATH_PLAIN, words, TRIAL, want, TRIAL);
		m = encode(encoder, path, words, TRIAL, got, TRIAL);
		differs[path] = !n || n != m || memcmp(got, want, n) != 0;
	}
	free(words);
}

enum path path_choose(const bool differs[PATHS], enum path want)
{
	if (want != PATH_BEST)
		return path_here(want) && !differs[want] ? want : PATH_BEST;
	for (want = PATH_AVX512; want > PATH_PLAIN && (!path_here(want) || differs[want]); want--)
		;
	return want;
}

void *path_alloc(size_t size)
{
	void *p = sodium_init() < 0 ? NULL : sodium_malloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}
