/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rice.h - G.711 without loss for a busy recorder (codec 5 of FORMAT.md section 5.5): several times as fast as lpc.h
 *
 * Blocks of 128 code words; each takes the best of four fixed predictors of the codeword's index, and a Rice
 * parameter. Sixteen bit strings side by side, so that vectors write them. A record stands alone.
 *
 * Paths of the encoder: path.h. An encoder has 0.4 MiB of locked scratch memory; one thread at a time.
 */
#ifndef RICE_H
#define RICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/lpc.h" /* LPC_MAX */
#include "store/path.h"

#define RICE_MAX LPC_MAX /* code words of a record, at most */
#define RICE_MIN LPC_MIN

struct rice_enc;

int rice_enc_new(struct rice_enc **ret); /* -ENOMEM */
void rice_enc_free(struct rice_enc *e);	 /* NULL-tolerant; wipes what is left of the audio */
/* For tests and benches. -ENOTSUP: not on this machine (or found to differ). */
int rice_enc_path(struct rice_enc *e, enum path path);
enum path rice_enc_which(const struct rice_enc *e);

/*
 * n from RICE_MIN to RICE_MAX code words, mu: mu-law, else A-law. The length of the record,
 * or 0: it would not be shorter than n - 1 bytes (noise), or not fit into room.
 */
size_t rice_encode(struct rice_enc *e, bool mu, const uint8_t *words, size_t n, uint8_t *out, size_t room);

/*
 * Any bytes may come. n: how many code words they must be, RICE_MAX at most. NULL, or what is
 * wrong; then out holds something. Time grows with n and len only.
 */
const char *rice_decode(const uint8_t *rec, size_t len, uint8_t *out, size_t n);

#endif
