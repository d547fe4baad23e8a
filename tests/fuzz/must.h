/* SPDX-License-Identifier: BSD-2-Clause */
/* must.h - what a fuzz target holds to be true whatever comes; where it is not, it says so and aborts */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(c)                                                                 \
	do {                                                                    \
		if (!(c)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c); \
			abort();                                                \
		}                                                               \
	} while (0)

#endif
