/* SPDX-License-Identifier: BSD-2-Clause */
/* siphash.h - SipHash-1-3 with a key of the caller's; hash.h is what to use in tables */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash13(const uint64_t key[2], const void *data, size_t n);

#endif
