/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mute_plain.c - test_mute.c without SSE2: mute.c as other machines compile it */
#undef __SSE2__
#include "test_mute.c"
