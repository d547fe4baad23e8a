/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpc.h - G.711 by linear prediction, without loss (codec 4 of FORMAT.md section 5.4)
 *
 * Code words in, a record out, and exactly the same code words back, whatever
 * they are. A record stands alone: no state is carried from one to the next. The
 * predictor is made of what the decoder has already, so no coefficients are sent.
 *
 * Paths of the encoder: path.h. Its floating point must round after each operation
 * as IEEE 754 says: the Makefile builds lpc*.c with -ffp-contract=off.
 *
 * An encoder and a decoder keep their zstd context and scratch memory, 1.2 and 0.9 MiB of it locked; one thread at a
 * time each.
 */
#ifndef LPC_H
#define LPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/path.h"

#define LPC_MAX 131072u /* code words of a record, at most */
#define LPC_MIN 32u	/* fewer are not worth a header */

struct lpc_enc;
struct lpc_dec;

int lpc_enc_new(struct lpc_enc **ret); /* -ENOMEM */
void lpc_enc_free(struct lpc_enc *e);  /* NULL-tolerant; wipes what is left of the audio */
/* For tests and benches. -ENOTSUP: not on this machine (or found to differ). */
int lpc_enc_path(struct lpc_enc *e, enum path path);
enum path lpc_enc_which(const struct lpc_enc *e);

/*
 * n from LPC_MIN to LPC_MAX code words, mu: mu-law, else A-law. The length of the record,
 * or 0: it would not be shorter than n - 1 bytes (noise), or not fit into room.
 */
size_t lpc_encode(struct lpc_enc *e, bool mu, const uint8_t *words, size_t n, uint8_t *out, size_t room);

int lpc_dec_new(struct lpc_dec **ret); /* -ENOMEM */
void lpc_dec_free(struct lpc_dec *d);  /* NULL-tolerant, wipes */
/*
 * Any bytes may come. n: how many code words they must be, LPC_MAX at most. NULL, or what is
 * wrong; then out holds something. Time grows with n and len only.
 */
const char *lpc_decode(struct lpc_dec *d, const uint8_t *rec, size_t len, uint8_t *out, size_t n);

#endif
