/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * party.h - the sealed part of a row as plain text: who talked, and what the policy was asked
 * (FORMAT.md section 6)
 *
 * Written once, when a call begins; read by who has a private key. Rows of before there were facts
 * end behind the numbers. The bytes are numbers in clear: whoever holds them wipes them.
 */
#ifndef PARTY_H
#define PARTY_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct buf;

struct party {
	const uint8_t *number[2]; /* caller, callee; into the bytes */
	size_t number_len[2];	  /* 0 withheld */
	const uint8_t *facts;	  /* NULL: none were kept */
	size_t facts_len;
};

/* Of meta's caller, callee, facts. Facts longer than STORE_FACTS_MAX are left out. */
void party_put(struct buf *b, const struct store_call_meta *m);
/* Takes any bytes. -EBADMSG: not what party_put writes; *ret is then undefined. */
int party_get(const uint8_t *p, size_t n, struct party *ret);

#endif
