/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwrap.c - opening a wrap with a private key; only what reads audio links this
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/keyfile.h"

/* A private key file into f (wiped by the caller). */
static int secret_read(const char *path, struct keyfile *f, struct why *why)
{
	char text[1024];
	struct stat sb;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = 0;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : why_errno(why, -errno, path, "cannot read private key");
	if (fstat(fd, &sb))
		rc = why_errno(why, -errno, path, "cannot read private key");
	else if (sb.st_mode & 077)
		rc = why_set(why, -EPERM, "%s: others may read this private key; chmod 600 it", path);
	else if ((n = read(fd, text, sizeof(text) - 1)) < 0)
		rc = why_errno(why, -errno, path, "cannot read private key");
	close(fd);
	if (rc)
		return rc;
	text[(size_t)n % sizeof(text)] = 0;
	if (strlen(text) != (size_t)n || keyfile_parse(text, "optag-private-key", f))
		rc = why_set(why, -EKEYREJECTED, "%s: not a private key of optag (rule T-2)", path);
	sodium_memzero(text, sizeof(text));
	return rc;
}

/* Of a slot of version 1 it is a sealed box. */
static bool outer_open(uint8_t inner[WRAP_INNER], const uint8_t *wrap, size_t n, const uint8_t pk[32], const uint8_t sk[32])
{
	if (n == KEYS_WRAP_1)
		return !crypto_box_seal_open(inner, wrap, n, pk, sk);
	return n == KEYS_WRAP && !crypto_box_open_easy(inner, wrap + 56, n - 56, wrap + 32, wrap, sk);
}

static int wrap_try(const struct keyfile *f, const uint8_t key_id8[8], const uint8_t key[32],
		    const uint8_t *ad, size_t adn, const uint8_t *wrap, size_t n, uint8_t ret_data[32])
{
	uint8_t inner[WRAP_INNER], pk[32], id[8];
	int rc;

	crypto_scalarmult_base(pk, f->key);
	keyfile_id(pk, id);
	if (memcmp(id, key_id8, 8) || !outer_open(inner, wrap, n, pk, f->key))
		return -EKEYREJECTED;
	rc = crypto_aead_xchacha20poly1305_ietf_decrypt(ret_data, NULL, NULL, inner + 24, WRAP_INNER - 24, ad,
							 adn, inner, key) ?
		     -EBADMSG :
		     0;
	sodium_memzero(inner, sizeof(inner));
	return rc;
}

int wrap_open(const char *keys_dir, const char *controller, enum store_purpose p, uint32_t day,
	      const struct uid *uid, const uint8_t key_id8[8], const uint8_t key[32],
	      const uint8_t *wrap, size_t n, uint8_t ret_data[32], struct why *why)
{
	uint8_t ad[WRAP_AD];
	size_t adn = wrap_ad(uid, p, day, ad);
	const char *name = store_purpose_names[p];
	char path[4096];
	struct keyfile f;
	bool any = false;
	int rc = -ENOKEY;

	for (int own = 1; own >= 0; own--) {
		snprintf(path, sizeof(path), "%s/%s%s%s.key", keys_dir, own ? controller : "",
			 own ? "/" : "", name);
		rc = secret_read(path, &f, why);
		if (rc == -ENOENT)
			continue;
		any = true;
		if (!rc)
			rc = wrap_try(&f, key_id8, key, ad, adn, wrap, n, ret_data);
		else
			break;
		if (rc != -EKEYREJECTED)
			break;
		why_set(why, rc, "%s: this is not the %s key that the call was recorded for", path, name);
	}
	sodium_memzero(&f, sizeof(f));
	if (!any)
		return why_set(why, -ENOKEY, "%s/%s.key: no private key for %s there", keys_dir, name, name);
	if (rc == -EBADMSG)
		return why_set(why, rc, "wrap of the %s key is damaged (rule K-3)", name);
	return rc;
}
