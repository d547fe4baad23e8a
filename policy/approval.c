/* SPDX-License-Identifier: BSD-2-Clause */
/* approval.c - see approval.h */
#include "policy/approval.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD	    "optag-approval 1\n"
#define KEY_SECRET  "optag-approver-key "
#define KEY_PUBLIC  "optag-approver "
#define HEX	    "0123456789abcdef"

bool approval_name_ok(const char *s)
{
	unsigned digits = 0;
	size_t n;

	if (s[0] < 'a' || s[0] > 'z')
		return false;
	for (n = 0; s[n]; n++) {
		bool digit = s[n] >= '0' && s[n] <= '9';

		digits = digit ? digits + 1 : 0;
		if (n == APPROVAL_NAME - 1 || digits == 5 || !strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", s[n]))
			return false;
	}
	return true;
}

/* ---- reading: a cursor over the bytes ---- */

struct cur {
	const char *p;
	size_t left;
	bool bad;
};

static void skip(struct cur *c, const char *word)
{
	size_t n = strlen(word);

	c->bad |= c->left < n || memcmp(c->p, word, n) != 0;
	if (c->bad)
		return;
	c->p += n;
	c->left -= n;
}

/* What stands before the end of the line, at most size - 1 bytes of it. */
static void word(struct cur *c, char end, char *out, size_t size)
{
	const char *e = c->bad ? NULL : memchr(c->p, end, c->left);
	size_t n = e ? (size_t)(e - c->p) : 0;

	out[0] = 0;
	c->bad |= !e || n == 0 || n >= size || memchr(c->p, 0, n);
	if (c->bad)
		return;
	memcpy(out, c->p, n);
	out[n] = 0;
	c->p += n + 1;
	c->left -= n + 1;
}

static void hash(struct cur *c, char out[65])
{
	word(c, '\n', out, 65);
	c->bad |= strlen(out) != 64 || strspn(out, HEX) != 64;
}

static uint64_t number(struct cur *c, uint64_t max)
{
	char t[24];
	uint64_t v;

	word(c, '\n', t, sizeof(t));
	if (strspn(t, "0123456789") != strlen(t) || strlen(t) > 18 || (t[0] == '0' && t[1]))
		c->bad = true;
	v = c->bad ? 0 : strtoull(t, NULL, 10);
	c->bad |= v > max;
	return v;
}

static void bytes(struct cur *c, uint8_t *out, size_t n)
{
	char t[2 * APPROVAL_SIGNATURE + 1];
	size_t got = 0;

	word(c, '\n', t, sizeof(t));
	c->bad |= strlen(t) != 2 * n || strspn(t, HEX) != 2 * n ||
		  sodium_hex2bin(out, n, t, strlen(t), NULL, &got, NULL) != 0 || got != n;
	sodium_memzero(t, sizeof(t));
}

int approval_parse(const char *text, size_t n, struct approval *ret)
{
	struct cur c = { .p = text, .left = n };
	struct approval a = { 0 };

	skip(&c, HEAD "policy ");
	hash(&c, a.policy);
	skip(&c, "base ");
	hash(&c, a.base);
	skip(&c, "until ");
	a.until_s = number(&c, 99999999999ULL);
	skip(&c, "proposer ");
	a.proposer = (uint32_t)number(&c, UINT32_MAX);
	skip(&c, "approver ");
	word(&c, '\n', a.approver, sizeof(a.approver));
	c.bad |= !approval_name_ok(a.approver);
	skip(&c, "signature ");
	bytes(&c, a.signature, sizeof(a.signature));
	if (c.bad || c.left)
		return -EBADMSG;
	*ret = a;
	return 0;
}

/* ---- writing, signing ---- */

static size_t signed_text(const struct approval *a, char out[APPROVAL_MAX])
{
	int n = snprintf(out, APPROVAL_MAX, HEAD "policy %s\nbase %s\nuntil %" PRIu64 "\nproposer %" PRIu32 "\napprover %s\n", a->policy,
			 a->base, a->until_s, a->proposer, a->approver);

	return (size_t)n;
}

size_t approval_format(const struct approval *a, char out[APPROVAL_MAX])
{
	char hex[2 * APPROVAL_SIGNATURE + 1];
	size_t n = signed_text(a, out);

	sodium_bin2hex(hex, sizeof(hex), a->signature, sizeof(a->signature));
	n += (size_t)snprintf(out + n, APPROVAL_MAX - n, "signature %s\n", hex);
	return n;
}

int approval_sign(struct approval *a, const uint8_t seed[APPROVAL_SEED])
{
	uint8_t pub[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
	char text[APPROVAL_MAX];
	size_t n = signed_text(a, text);

	if (sodium_init() < 0)
		return -EIO;
	crypto_sign_seed_keypair(pub, secret, seed);
	crypto_sign_detached(a->signature, NULL, (const unsigned char *)text, n, secret);
	sodium_memzero(secret, sizeof(secret));
	return 0;
}

bool approval_verify(const struct approval *a, const uint8_t pub[APPROVAL_PUBLIC])
{
	char text[APPROVAL_MAX];
	size_t n = signed_text(a, text);

	return sodium_init() >= 0 && crypto_sign_verify_detached(a->signature, (const unsigned char *)text, n, pub) == 0;
}

/* ---- keys ---- */

int approval_key_parse(const char *text, size_t n, bool secret, char ret_name[APPROVAL_NAME], uint8_t ret[32])
{
	struct cur c = { .p = text, .left = n };
	char name[APPROVAL_NAME];
	uint8_t key[32] = { 0 };

	skip(&c, secret ? KEY_SECRET : KEY_PUBLIC);
	word(&c, ' ', name, sizeof(name));
	c.bad |= !approval_name_ok(name);
	bytes(&c, key, sizeof(key));
	c.bad |= c.left != 0;
	if (!c.bad) {
		memcpy(ret_name, name, sizeof(name));
		memcpy(ret, key, sizeof(key));
	}
	sodium_memzero(key, sizeof(key));
	return c.bad ? -EBADMSG : 0;
}

size_t approval_key_format(bool secret, const char *name, const uint8_t key[32], char out[APPROVAL_FILE_MAX])
{
	char hex[65];
	int n;

	sodium_bin2hex(hex, sizeof(hex), key, 32);
	n = snprintf(out, APPROVAL_FILE_MAX, "%s%s %s\n", secret ? KEY_SECRET : KEY_PUBLIC, name, hex);
	sodium_memzero(hex, sizeof(hex));
	return (size_t)n;
}

static int check_file(int fd, bool secret)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (secret)
		return st.st_mode & 077 ? -EPERM : 0;
	return st.st_mode & 022 || (st.st_uid != 0 && st.st_uid != geteuid()) ? -EPERM : 0;
}

int approval_key_load(const char *path, bool secret, char ret_name[APPROVAL_NAME], uint8_t ret[32])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), e;
	char text[APPROVAL_FILE_MAX];
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	e = sodium_init() < 0 ? -EIO : check_file(fd, secret);
	if (!e)
		n = read(fd, text, sizeof(text));
	if (n < 0)
		e = -errno;
	close(fd);
	if (!e)
		e = approval_key_parse(text, (size_t)n, secret, ret_name, ret);
	sodium_memzero(text, sizeof(text));
	return e;
}

int approval_key_public(const uint8_t seed[APPROVAL_SEED], uint8_t ret_pub[APPROVAL_PUBLIC])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	if (sodium_init() < 0)
		return -EIO;
	crypto_sign_seed_keypair(ret_pub, secret, seed);
	sodium_memzero(secret, sizeof(secret));
	return 0;
}

int approval_key_new(uint8_t ret_seed[APPROVAL_SEED], uint8_t ret_pub[APPROVAL_PUBLIC])
{
	if (sodium_init() < 0)
		return -EIO;
	randombytes_buf(ret_seed, APPROVAL_SEED);
	return approval_key_public(ret_seed, ret_pub);
}
