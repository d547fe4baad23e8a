/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path.h - the paths of a G.711 encoder (lpc.h, rice.h): plain C, AVX2, AVX-512, which make the same bytes
 *
 * The best one that this machine has is taken. The first encoder of a process tries each path against plain C on a
 * built-in sound; a path that differs is not used.
 */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum path { PATH_BEST, PATH_PLAIN, PATH_AVX2, PATH_AVX512, PATHS };
extern const char *const path_names[PATHS];

bool path_here(enum path path); /* this machine has what it takes; plain C always, PATH_BEST is no path */

/* Encodes n code words of A-law on a path that is here. The length, 0: no record. encoder: path_try's. */
typedef size_t path_encode_fn(void *encoder, enum path path, const uint8_t *words, size_t n, uint8_t *out, size_t room);

/*
 * Sets differs[] of each path that is not here, or whose bytes are not those of plain C. Without an encoder (NULL) all
 * but plain C differ. Made for pthread_once: keeps no state of its own.
 */
void path_try(bool differs[PATHS], path_encode_fn *encode, void *encoder);

/* The path to take, PATH_BEST resolved; PATH_BEST is the answer when `want` is not here or differs. */
enum path path_choose(const bool differs[PATHS], enum path want);

/*
 * An encoder's memory: locked, not dumped, wiped by sodium_free, because audio is in it; zeroed. It ends where a page
 * does, so size must be a multiple of 64 for the vectors in it to be aligned. NULL: no memory.
 */
void *path_alloc(size_t size);

#endif
