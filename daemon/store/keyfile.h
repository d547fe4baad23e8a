/* SPDX-License-Identifier: BSD-2-Clause */
/* keyfile.h - what making and opening wraps share (keys.c, wrap.c and unwrap.c alone include it) */
#ifndef KEYFILE_H
#define KEYFILE_H

#include "store/keys.h"

#define WRAP_INNER (24 + 32 + 16) /* nonce, data key, tag */
#define WRAP_AD	   21

struct keyfile {
	char purpose[16];
	char owner[STORE_NAME_MAX];
	uint8_t id[8];
	uint8_t key[32];
};

/* `kind` "optag-public-key" or "optag-private-key"; the id is not checked yet. -EBADMSG. */
int keyfile_parse(const char *text, const char *kind, struct keyfile *ret);
void keyfile_id(const uint8_t pub[32], uint8_t id[8]);
size_t wrap_ad(const struct uid *uid, enum store_purpose p, uint32_t day, uint8_t out[WRAP_AD]);

#endif
