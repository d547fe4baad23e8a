/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_root.c - the signing key of the evidence log, the roots of its days, and the head
 *
 * Texts with one spelling each: what is read is written again and compared. The private key is of
 * this store's log alone, opens nothing, and is made with the log; the public key's file is hashed
 * into the first line, so another key cannot be put in its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/evlog_internal.h"

/* ---- keys ---- */

static int pub_text(const uint8_t store[16], const uint8_t key[32], char *text)
{
	char id[33], hex[65];

	hex_format(store, 16, id);
	hex_format(key, 32, hex);
	return snprintf(text, EVLOG_TEXT, "optag-evidence-public-key 1\nstore %s\nkey %s\n", id, hex);
}

int evlog_pub_parse(const char *text, size_t n, struct evlog_pub *ret)
{
	char copy[EVLOG_TEXT], again[EVLOG_TEXT], id[40], hex[72];
	struct evlog_pub p;

	if (n >= sizeof(copy))
		return -EBADMSG;
	memcpy(copy, text, n);
	copy[n] = 0;
	if (sscanf(copy, "optag-evidence-public-key 1\nstore %39s\nkey %71s\n", id, hex) != 2 ||
	    hex_parse(id, 16, p.store) || hex_parse(hex, 32, p.key) ||
	    pub_text(p.store, p.key, again) != (int)n || memcmp(text, again, n) != 0)
		return -EBADMSG;
	evlog_link(text, n, p.hash);
	*ret = p;
	return 0;
}

/* There are days: then keys and head must be there too. */
static int begun(const struct root *r, bool *ret)
{
	struct evlog_days d;
	int rc = evlog_days_read(r, &d, NULL, NULL);

	*ret = !rc && d.n;
	evlog_days_free(&d);
	return rc;
}

int evlog_pub_load(const struct root *r, const char *other, struct evlog_pub *ret, struct why *why)
{
	const char *name = other ? other : EVLOG_PUB;
	char text[EVLOG_TEXT];
	size_t n = 0;
	int rc = read_small(other ? AT_FDCWD : r->fd, name, text, sizeof(text), &n);

	if (rc == -ENOENT && !other) {
		bool days = false;

		rc = begun(r, &days);
		if (rc)
			return why_errno(why, rc, EVLOG_DIR, "cannot read");
		return days ? why_set(why, -EBADMSG, "%s: missing (rule E-1)", name) :
			      why_set(why, -ENOENT, "%s: no evidence log there yet", r->path);
	}
	if (rc && rc != -EFBIG)
		return why_errno(why, rc, name, "cannot read");
	if (rc || evlog_pub_parse(text, n, ret))
		return why_set(why, -EBADMSG, "%s: not a public key of an evidence log (rule E-1)", name);
	if (memcmp(ret->store, r->id, 16) != 0)
		return why_set(why, -EBADMSG, "%s: key of another store (rule E-1)", name);
	return 0;
}

/* Signed from the start: zeros in its place are not the same as "nothing yet". */
static int head_new(const struct root *r, const uint8_t *secret, const struct evlog_pub *pub, struct why *why)
{
	const struct evlog_head none = { 0 };
	char text[2 * EVLOG_SLOT];

	evlog_head_make(&none, pub, secret, text);
	memcpy(text + EVLOG_SLOT, text, EVLOG_SLOT);
	return write_over(r, EVLOG_HEAD, text, sizeof(text), 0600, why);
}

/* The public key comes last: with it the log is made, without it what a kill left is made anew. */
static int make_log(const struct root *r, struct why *why)
{
	char text[EVLOG_TEXT], id[33], hex[65];
	struct evlog_pub pub = { .hash = { 0 } };
	uint8_t seed[32], secret[64];
	int rc, n;

	memcpy(pub.store, r->id, 16);
	randombytes_buf(seed, sizeof(seed));
	crypto_sign_seed_keypair(pub.key, secret, seed);
	hex_format(r->id, 16, id);
	hex_format(seed, 32, hex);
	n = snprintf(text, sizeof(text), "optag-evidence-private-key 1\nstore %s\nkey %s\n", id, hex);
	rc = write_over(r, EVLOG_KEY, text, (size_t)n, 0600, why);
	if (!rc)
		rc = head_new(r, secret, &pub, why);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(hex, sizeof(hex));
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(secret, sizeof(secret));
	if (!rc) {
		n = pub_text(r->id, pub.key, text);
		rc = write_over(r, EVLOG_PUB, text, (size_t)n, 0644, why);
	}
	return rc;
}

static int secret_load(const struct root *r, uint8_t *secret, const struct evlog_pub *pub, struct why *why)
{
	char text[EVLOG_TEXT] = "", id[40], hex[72];
	uint8_t seed[32], store[16], key[32];
	struct stat st;
	size_t n = 0;
	int rc = beneath_statat(r->fd, EVLOG_KEY, &st) ? -errno : 0;

	if (!rc && (st.st_mode & 077 || !S_ISREG(st.st_mode)))
		return why_set(why, -EPERM, "%s: others may read the signing key (mode must be 0600)", EVLOG_KEY);
	if (!rc)
		rc = read_small(r->fd, EVLOG_KEY, text, sizeof(text) - 1, &n);
	if (rc)
		return why_errno(why, rc, EVLOG_KEY, "cannot read the signing key");
	text[n] = 0;
	if (sscanf(text, "optag-evidence-private-key 1\nstore %39s\nkey %71s\n", id, hex) != 2 ||
	    hex_parse(id, 16, store) || hex_parse(hex, 32, seed)) {
		rc = why_set(why, -EBADMSG, "%s: not a signing key (rule E-1)", EVLOG_KEY);
	} else {
		crypto_sign_seed_keypair(key, secret, seed);
		if (memcmp(key, pub->key, 32) != 0 || memcmp(store, r->id, 16) != 0)
			rc = why_set(why, -EBADMSG, "%s: does not belong to %s (rule E-1)", EVLOG_KEY, EVLOG_PUB);
	}
	sodium_memzero(text, sizeof(text));
	sodium_memzero(hex, sizeof(hex));
	sodium_memzero(seed, sizeof(seed));
	return rc;
}

int evlog_key_open(const struct root *r, uint8_t *secret, struct evlog_pub *ret, struct why *why)
{
	int rc = evlog_pub_load(r, NULL, ret, why);

	if (rc == -ENOENT) {
		rc = make_log(r, why);
		if (!rc)
			rc = evlog_pub_load(r, NULL, ret, why);
	}
	return rc ? rc : secret_load(r, secret, ret, why);
}

/* ---- roots ---- */

static size_t root_text(const struct evlog_root *r, char *text)
{
	char id[33], day[16], prev[65], link[65], tree[65], more[80] = "";

	hex_format(r->store, 16, id);
	evlog_day_text(r->day, day);
	hex_format(r->prev, 32, prev);
	hex_format(r->link, 32, link);
	hex_format(r->merkle, 32, tree);
	if (r->version > 1)
		snprintf(more, sizeof(more), "merkle %s\n", tree);
	return (size_t)snprintf(text, EVLOG_TEXT,
				"optag-evidence-root %u\nstore %s\nday %s\nprev %s\nfirst %" PRIu64 "\nlast %" PRIu64
				"\nlink %s\n%s",
				r->version, id, day, prev, r->first, r->last, link, more);
}

size_t evlog_root_make(const struct evlog_root *r, const uint8_t secret[64], char *text, uint8_t ret_hash[32])
{
	size_t n = root_text(r, text);
	uint8_t sig[64];
	char hex[129];

	crypto_sign_detached(sig, NULL, (const unsigned char *)text, n, secret);
	hex_format(sig, 64, hex);
	n += (size_t)snprintf(text + n, EVLOG_TEXT - n, "signature %s\n", hex);
	evlog_link(text, n, ret_hash);
	return n;
}

/* The words of a root, of either version; what is not as it is written comes out otherwise. */
static bool root_words(const char *copy, struct evlog_root *r, uint8_t sig[64])
{
	char id[40], day[16], prev[72], link[72], tree[72], hex[136];
	int at = 0;

	/* NOLINTNEXTLINE(cert-err34-c): numbers that do not fit come out otherwise */
	if (sscanf(copy, "optag-evidence-root %u\nstore %39s\nday %15s\nprev %71s\nfirst %" SCNu64 "\nlast %" SCNu64
			 "\nlink %71s\n%n", &r->version, id, day, prev, &r->first, &r->last, link, &at) != 7 || !at ||
	    r->version < 1 || r->version > 2)
		return false;
	if (r->version == 2 && (sscanf(copy + at, "merkle %71s", tree) != 1 || strlen(tree) != 64 || hex_parse(tree, 32, r->merkle)))
		return false;
	at += r->version == 2 ? 7 + 64 + 1 : 0;
	return sscanf(copy + at, "signature %135s\n", hex) == 1 && !hex_parse(id, 16, r->store) && !evlog_day_parse(day, &r->day) &&
	       !hex_parse(prev, 32, r->prev) && !hex_parse(link, 32, r->link) && !hex_parse(hex, 64, sig);
}

int evlog_root_parse(const char *text, size_t n, const struct evlog_pub *pub, struct evlog_root *ret, uint8_t ret_hash[32])
{
	char copy[EVLOG_TEXT], again[EVLOG_TEXT];
	struct evlog_root r = { .day = 0 };
	uint8_t s[64];
	size_t m;

	if (n >= sizeof(copy))
		return -EBADMSG;
	memcpy(copy, text, n);
	copy[n] = 0;
	if (strlen(copy) != n || !root_words(copy, &r, s))
		return -EBADMSG;
	m = root_text(&r, again);
	if (n != m + 10 + 128 + 1 || memcmp(again, text, m) != 0 || memcmp(text + m, "signature ", 10) != 0 ||
	    text[n - 1] != '\n' || !r.first || r.last < r.first)
		return -EBADMSG;
	if (crypto_sign_verify_detached(s, (const unsigned char *)text, m, pub->key) ||
	    memcmp(r.store, pub->store, 16) != 0)
		return -EKEYREJECTED;
	evlog_link(text, n, ret_hash);
	*ret = r;
	return 0;
}

int evlog_root_load(const struct root *r, int32_t day, const struct evlog_pub *pub, struct evlog_root *ret,
		    uint8_t ret_hash[32], struct why *why)
{
	char name[64], text[EVLOG_TEXT];
	struct evlog_root got;
	size_t n = 0;
	int rc;

	evlog_day_name(day, "root", name);
	rc = read_small(r->fd, name, text, sizeof(text), &n);
	if (rc == -ENOENT)
		return why_set(why, rc, "%s: missing (rule E-6)", name);
	if (rc && rc != -EFBIG)
		return why_errno(why, rc, name, "cannot read");
	rc = rc ? -EBADMSG : evlog_root_parse(text, n, pub, &got, ret_hash);
	if (rc == -EKEYREJECTED)
		return why_set(why, -EBADMSG, "%s: the signature is not of this log's key (rule E-7)", name);
	if (rc)
		return why_set(why, -EBADMSG, "%s: not a root (rule E-6)", name);
	if (got.day != day)
		return why_set(why, -EBADMSG, "%s: root of another day (rule E-6)", name);
	*ret = got;
	return 0;
}

/* ---- the head: two slots, written in turn, so that a torn one leaves the other ---- */

static size_t head_text(const struct evlog_head *h, const uint8_t store[16], char *text)
{
	char id[33], day[16], link[65];

	hex_format(store, 16, id);
	evlog_day_text(h->day, day);
	hex_format(h->link, 32, link);
	return (size_t)snprintf(text, EVLOG_SLOT, "optag-evidence-head 1\nstore %s\nday %s\nseq %" PRIu64 "\nlink %s\n",
				id, day, h->seq, link);
}

void evlog_head_make(const struct evlog_head *h, const struct evlog_pub *pub, const uint8_t secret[64],
		     char slot[EVLOG_SLOT])
{
	uint8_t sig[64];
	char hex[129];
	size_t n;

	memset(slot, 0, EVLOG_SLOT);
	n = head_text(h, pub->store, slot);
	crypto_sign_detached(sig, NULL, (const unsigned char *)slot, n, secret);
	hex_format(sig, 64, hex);
	(void)snprintf(slot + n, EVLOG_SLOT - n, "signature %s\n", hex); /* about 350 bytes in all */
}

static int head_parse(const char *slot, const struct evlog_pub *pub, struct evlog_head *ret)
{
	char copy[EVLOG_SLOT + 1], again[EVLOG_SLOT], id[40], day[16], link[72], sig[136];
	struct evlog_head h;
	uint8_t s[64];
	size_t m;

	memcpy(copy, slot, EVLOG_SLOT);
	copy[EVLOG_SLOT] = 0;
	/* NOLINTNEXTLINE(cert-err34-c): as above */
	if (sscanf(copy, "optag-evidence-head 1\nstore %39s\nday %15s\nseq %" SCNu64 "\nlink %71s\nsignature %135s\n", id,
		   day, &h.seq, link, sig) != 5 ||
	    evlog_day_parse(day, &h.day) || hex_parse(link, 32, h.link) || hex_parse(sig, 64, s))
		return -EBADMSG;
	m = head_text(&h, pub->store, again);
	if (memcmp(again, slot, m) != 0 || crypto_sign_verify_detached(s, (const unsigned char *)slot, m, pub->key))
		return -EBADMSG;
	*ret = h;
	return 0;
}

int evlog_head_load(const struct root *r, const struct evlog_pub *pub, struct evlog_head *ret, struct why *why)
{
	char text[2 * EVLOG_SLOT];
	struct evlog_head h, best = { 0 };
	bool any = false;
	size_t n = 0;
	int rc = read_small(r->fd, EVLOG_HEAD, text, sizeof(text), &n);

	if (rc == -ENOENT)
		return why_set(why, rc, "%s: missing (rule E-9)", EVLOG_HEAD);
	if (rc && rc != -EFBIG)
		return why_errno(why, rc, EVLOG_HEAD, "cannot read");
	for (int i = 0; !rc && n == sizeof(text) && i < 2; i++)
		if (!head_parse(text + i * EVLOG_SLOT, pub, &h) && (!any || h.seq > best.seq)) {
			best = h;
			any = true;
		}
	if (!any)
		return why_set(why, -EBADMSG, "%s: no slot is whole and signed (rule E-9)", EVLOG_HEAD);
	*ret = best;
	return 0;
}
