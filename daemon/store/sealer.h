/* SPDX-License-Identifier: BSD-2-Clause */
/* sealer.h - what seal.c and unseal.c share */
#ifndef SEALER_H
#define SEALER_H

#include <openssl/evp.h>

#include "store/keys.h"

struct sealer {
	EVP_CIPHER_CTX *ctx;
	EVP_CIPHER *cipher;
};

#endif
