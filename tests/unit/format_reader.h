/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format_reader.h - a second reader of a store, written from FORMAT.md alone
 *
 * Nothing of the project is included: only libsodium, libcrypto, SQLite and
 * zstd. It takes a store to be sound and stops with a message where it is not.
 */
#ifndef FORMAT_READER_H
#define FORMAT_READER_H

#include <math.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <zstd.h>

#define FR_CHECK(cond)                                                                       \
	do {                                                                                 \
		if (!(cond)) {                                                               \
			fprintf(stderr, "%s:%d: format: %s\n", __FILE__, __LINE__, #cond);   \
			exit(1);                                                             \
		}                                                                            \
	} while (0)

struct fr_packet {
	uint64_t arrival_ns;
	int64_t seq;
	uint32_t ts;
	uint32_t off, len;
	unsigned flags, pt;
};

struct fr_chunk {
	unsigned leg;
	uint32_t ssrc, npkt, nbytes;
	uint64_t stream, clock;
	unsigned channels, pt;
	char name[256], fmtp[256];
	struct fr_packet pkt[1024];
	uint8_t data[131072];
};

static uint64_t fr_le(const uint8_t *p, int n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static uint32_t fr_crc(const uint8_t *p, size_t n)
{
	uint32_t c = 0xffffffff;

	while (n--) {
		c ^= *p++;
		for (int i = 0; i < 8; i++)
			c = c & 1 ? c >> 1 ^ 0x82F63B78 : c >> 1;
	}
	return c ^ 0xffffffff;
}

static uint8_t *fr_file(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	struct stat sb;
	uint8_t *p;

	if (!f)
		return NULL;
	FR_CHECK(!fstat(fileno(f), &sb));
	p = malloc((size_t)sb.st_size + 1);
	*ret_n = fread(p, 1, (size_t)sb.st_size, f);
	p[*ret_n] = 0;
	fclose(f);
	return p;
}

static uint64_t fr_varint(const uint8_t **p, const uint8_t *end)
{
	uint64_t v = 0;

	for (int shift = 0;; shift += 7) {
		FR_CHECK(*p < end && shift < 70);
		v |= (uint64_t)(**p & 127) << shift;
		if (!(*(*p)++ & 128))
			return v;
	}
}

static int64_t fr_signed(uint64_t z)
{
	return z & 1 ? -(int64_t)(z >> 1) - 1 : (int64_t)(z >> 1);
}

/* "key 64-HEX-DIGITS" of a key file. */
static void fr_key_line(const char *path, uint8_t out[32])
{
	size_t n;
	char *text = (char *)fr_file(path, &n), *at;

	FR_CHECK(text && (at = strstr(text, "\nkey ")));
	FR_CHECK(!sodium_hex2bin(out, 32, at + 5, 64, NULL, NULL, NULL));
	free(text);
}

static void fr_uid(const char *text, uint8_t out[16])
{
	static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint8_t bits[17] = { 0 };

	FR_CHECK(strlen(text) == 26);
	/* 26 digits of five bits: 130 bits, of which the first two are zero */
	for (int i = 0; i < 26; i++) {
		int v = (int)(strchr(alphabet, text[i]) - alphabet);

		for (int b = 0; b < 5; b++) {
			int at = i * 5 + b - 2;

			if (at >= 0 && v >> (4 - b) & 1)
				bits[at / 8] |= (uint8_t)(0x80 >> at % 8);
		}
	}
	memcpy(out, bits, 16);
}

/* Sections 3 and 13: the copy of a call on hold; false: it is not. */
static bool fr_held_key(const char *store, const char *controller, int pnum, const uint8_t uid[16], const char *private_key,
			uint8_t out[32])
{
	uint8_t sk[32], inner[72], ad[21], *f, *s;
	char path[600];
	bool held = false;
	size_t n;

	snprintf(path, sizeof(path), "%s/keys/%s/documentation/hold.slots", store, controller);
	f = fr_file(path, &n);
	for (s = f; f && !held && (size_t)(s - f) + 512 <= n;) {
		s += 256;
		held = !memcmp(s + 8, uid, 16) && pnum == 0;
	}
	if (held) {
		FR_CHECK(!memcmp(f, "OPTAGHLD\1\0\0\1", 12) && fr_crc(f, 252) == fr_le(f + 252, 4) && !strcmp((char *)f + 48, controller));
		FR_CHECK(!memcmp(s, "OHLD\1\0", 6) && fr_le(s + 6, 2) == 144 && fr_crc(s, 252) == fr_le(s + 252, 4));
		fr_key_line(private_key, sk);
		FR_CHECK(!crypto_box_open_easy(inner, s + 120, 88, s + 96, s + 64, sk));
		memcpy(ad, uid, 16);
		ad[16] = (uint8_t)pnum;
		memcpy(ad + 17, s + 40, 4);
		FR_CHECK(!crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, inner + 24, 48, ad, 21, inner, s + 208));
	}
	free(f);
	return held;
}

/* Sections 2 and 3: what the wrap holds. */
static void fr_data_key(const char *store, const char *controller, const char *purpose, int pnum,
			const char *day, int slot, const uint8_t uid[16], const char *private_key,
			uint8_t out[32])
{
	uint8_t sk[32], pk[32], id[32], inner[72], ad[21], key[32], salt[29] = "optagslt";
	char path[600];
	size_t n;
	uint8_t *b, *s;
	int y, m, d;

	FR_CHECK(sscanf(day, "%d-%d-%d", &y, &m, &d) == 3);
	if (fr_held_key(store, controller, pnum, uid, private_key, out))
		return;
	snprintf(path, sizeof(path), "%s/keys/%s/%s/%s.bucket", store, controller, purpose, day);
	b = fr_file(path, &n);
	FR_CHECK(b && n == 128 && !memcmp(b, "OPTAGBKT\1\0", 10) && b[10] == pnum && b[11] == 1);
	FR_CHECK(fr_crc(b, 124) == fr_le(b + 124, 4) && fr_le(b + 12, 4) == (uint64_t)(y * 10000 + m * 100 + d));
	snprintf(path, sizeof(path), "%s/keys/%s/%s/%s.slots", store, controller, purpose, day);
	s = fr_file(path, &n);
	FR_CHECK(s && n % 256 == 0 && n / 256 > (size_t)slot && slot > 0);
	FR_CHECK(!memcmp(s, "OPTAGSLT\1\0\0\1", 12) && fr_crc(s, 252) == fr_le(s + 252, 4));
	FR_CHECK(!strcmp((char *)s + 48, controller) && !memcmp(s + 16, b + 16, 16));
	memmove(s, s + 256 * slot, 256);
	FR_CHECK(!memcmp(s, "OSLT", 4) && (s[4] == 1 || s[4] == 2) && s[5] == pnum && fr_le(s + 6, 2) == (s[4] == 1 ? 120 : 144) && !memcmp(s + 8, uid, 16));
	FR_CHECK(fr_crc(s, 252) == fr_le(s + 252, 4));
	fr_key_line(private_key, sk);
	crypto_scalarmult_base(pk, sk);
	crypto_generichash(id, 32, pk, 32, NULL, 0);
	FR_CHECK(!memcmp(id, s + 32, 8));
	if (s[4] == 1)
		FR_CHECK(!crypto_box_seal_open(inner, s + 64, 120, pk, sk));
	else
		FR_CHECK(!crypto_box_open_easy(inner, s + 120, 88, s + 96, s + 64, sk));
	memcpy(ad, uid, 16);
	ad[16] = (uint8_t)pnum;
	memcpy(ad + 17, b + 12, 4);
	memcpy(key, b + 40, 32);
	memcpy(salt + 8, ad, 21);
	if (s[4] == 2)
		crypto_generichash(key, 32, salt, 29, b + 40, 32);
	FR_CHECK(!crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, inner + 24, 48, ad, 21, inner, key));
	free(b);
	free(s);
}

static void fr_gcm(const uint8_t key[32], const uint8_t nonce[12], const uint8_t *ad, int adn,
		   const uint8_t *in, int n, uint8_t *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t tag[16];
	int len;

	memcpy(tag, in + n, 16);
	FR_CHECK(EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1);
	FR_CHECK(EVP_DecryptUpdate(c, NULL, &len, ad, adn) == 1);
	FR_CHECK(EVP_DecryptUpdate(c, out, &len, in, n) == 1);
	FR_CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, 16, tag) == 1);
	FR_CHECK(EVP_DecryptFinal_ex(c, out + len, &len) == 1);
	EVP_CIPHER_CTX_free(c);
}

/* ---- section 5 ---- */

static void fr_column(const uint8_t **p, const uint8_t *end, uint32_t n, int64_t *v)
{
	for (uint32_t i = 0; i < n;) {
		uint64_t x = fr_varint(p, end), times = x & 1 ? fr_varint(p, end) + 2 : 1;

		FR_CHECK(times <= n - i);
		while (times--)
			v[i++] = fr_signed(x >> 1);
	}
}

static unsigned fr_bit(const uint8_t *p, const uint8_t *end, uint64_t *at)
{
	unsigned bit;

	FR_CHECK(p + *at / 8 < end);
	bit = p[*at / 8] >> (*at % 8) & 1;
	++*at;
	return bit;
}

static void fr_arrivals(const uint8_t *p, const uint8_t *end, uint64_t start, struct fr_chunk *c)
{
	unsigned mode, k;
	uint64_t at = 0;
	int64_t a = 0, t = 0, off = 0;

	FR_CHECK(p < end);
	mode = *p >> 7;
	k = *p++ & 63;
	c->pkt[0].arrival_ns = start;
	for (uint32_t i = 1; i < c->npkt; i++) {
		uint64_t q = 0, z = 0;
		int64_t e;

		while (q < 24 && fr_bit(p, end, &at))
			q++;
		if (q < 24) {
			z = q << k;
			for (unsigned b = 0; b < k; b++)
				z |= (uint64_t)fr_bit(p, end, &at) << b;
		} else {
			for (unsigned b = 0; b < 64; b++)
				z |= (uint64_t)fr_bit(p, end, &at) << b;
		}
		e = fr_signed(z);
		t += (int32_t)(c->pkt[i].ts - c->pkt[i - 1].ts);
		if (mode) {
			a = t * 1000000 / (int64_t)c->clock + off + e;
			off += e >> 4;
		} else {
			a += e;
		}
		c->pkt[i].arrival_ns = start + (uint64_t)a * 1000;
	}
	FR_CHECK((at + 7) / 8 == (uint64_t)(end - p));
}

/* ---- section 5.4 ---- */

#define FR_BEFORE 192

static int fr_log2(uint32_t v)
{
	int l = -1;

	for (; v; v >>= 1)
		l++;
	return l;
}

/* Step 1. */
static int32_t fr_linear(bool mu, unsigned u)
{
	int32_t m = u & 127, s = m >> 4, f = m & 15, x;

	if (mu)
		x = ((2 * f + 33) << s) - 33;
	else
		x = s ? (4 * f + 66) << (s - 1) : 4 * f + 2;
	return u < 128 ? -x : x;
}

/* Step 2; x: where the block begins. */
static void fr_coefficients(const int32_t *x, int32_t a[17])
{
	/* volatile: each operation is rounded to single precision, whatever the compiler's flags */
	volatile float r[17], A[17] = { 0 }, old[17], q[4], e, k, t;
	int32_t y[192], h = 0;

	for (int i = 0; i < 192; i++)
		h |= abs(x[i - 192]) >= 4096;
	for (int i = 0; i < 192; i++) {
		double at = (i + 0.5) / 192;
		double f = at < 0.95 ? sin(M_PI / 2 * at / 0.95) : cos(M_PI / 2 * (at - 0.95) / 0.05);

		y[i] = ((x[i - 192] * (int32_t)lrint(32767 * f) + 16384) >> 15) >> h;
	}
	for (int j = 0; j <= 16; j++) {
		int32_t R = 0;

		for (int i = j; i < 192; i++)
			R += y[i] * y[i - j];
		r[j] = (float)(j ? R : R + (R >> 13) + (256 >> 2 * h) + 1);
	}
	e = r[0];
	for (int i = 1; i <= 16; i++) {
		for (int j = 0; j < 4; j++)
			q[j] = 0;
		for (int j = 1; j < i; j++) {
			t = A[j] * r[i - j];
			q[(j - 1) % 4] = q[(j - 1) % 4] + t;
		}
		q[0] = q[0] + q[1];
		q[2] = q[2] + q[3];
		t = q[0] + q[2];
		k = r[i] - t;
		k = k / e;
		if (!(k > -1 && k < 1))
			break;
		for (int j = 1; j < i; j++)
			old[j] = A[j];
		for (int j = 1; j < i; j++) {
			t = k * old[i - j];
			A[j] = old[j] - t;
		}
		A[i] = k;
		t = k * k;
		t = 1 - t;
		e = e * t;
	}
	for (int j = 1; j <= 16; j++)
		a[j] = A[j] * 4096 < -32768 ? -32768 : A[j] * 4096 > 32767 ? 32767 : (int32_t)lrint((double)A[j] * 4096);
}

struct fr_lpc {
	unsigned group[20], ngroups;
	uint64_t count[16], nlow, nescape;
	uint8_t frame[131072 + 16], *list[16];
	uint64_t used[16];
	int32_t x[FR_BEFORE + 131072], E[FR_BEFORE + 131072];
};

static unsigned fr_token(struct fr_lpc *l, unsigned g)
{
	uint64_t i = l->used[g]++;

	FR_CHECK(i < l->count[g]);
	if (g == 0)
		return l->list[0][i / 8] >> i % 8 & 1;
	return g == 1 ? l->list[1][i / 2] >> 4 * (i % 2) & 15 : l->list[g][i];
}

static void fr_lpc(const uint8_t *p, size_t n, struct fr_chunk *c)
{
	static struct fr_lpc l;
	const uint8_t *end = p + n, *low, *escape;
	uint64_t total = 0, bytes = 0, bit = 0, nescape = 0;
	bool mu, nonz;
	uint32_t crc;
	int32_t *x = l.x + FR_BEFORE, *E = l.E + FR_BEFORE, a[17] = { 0 };

	memset(&l, 0, sizeof(l));
	FR_CHECK(n > 8 && (*p & 0xcf) == 4);
	mu = *p & 16;
	nonz = *p & 32;
	FR_CHECK(mu || !nonz);
	for (unsigned i = 0; i < 14; i++) {
		l.group[6 + i] = 2 + (p[1 + i / 2] >> 4 * (i % 2) & 15);
		FR_CHECK(l.group[6 + i] < 16);
		l.ngroups = l.group[6 + i] + 1 > l.ngroups ? l.group[6 + i] + 1 : l.ngroups;
	}
	for (unsigned i = 1; i < 6; i++)
		l.group[i] = 1;
	p += 8;
	for (unsigned g = 0; g < l.ngroups; g++) {
		l.count[g] = fr_varint(&p, end);
		l.list[g] = l.frame + bytes;
		bytes += g == 0 ? (l.count[0] + 7) / 8 : g == 1 ? (l.count[1] + 1) / 2 : l.count[g];
		total += l.count[g];
	}
	FR_CHECK(total == c->nbytes);
	l.nlow = fr_varint(&p, end);
	l.nescape = fr_varint(&p, end);
	crc = (uint32_t)fr_le(p, 4);
	p += 4;
	escape = end - l.nescape;
	low = escape - (l.nlow + 7) / 8;
	FR_CHECK(low > p && ZSTD_decompress(l.frame, sizeof(l.frame), p, (size_t)(low - p)) == bytes);
	for (int i = 0; i < FR_BEFORE; i++)
		l.E[i] = 8;
	for (int32_t i = 0; i < (int32_t)c->nbytes; i++) {
		uint32_t sum = 2048, v = 0, s16 = 0, s48 = 0;
		int32_t P, q, s, C, k, limit, class, L, z, d, id;
		unsigned u;

		if (i && i % 64 == 0)
			fr_coefficients(x + i, a);
		for (int j = 1; j <= 16; j++)
			sum += (uint32_t)a[j] * (uint32_t)x[i - j];
		P = (int32_t)sum >> 12;
		P = P < -8192 ? -8192 : P > 8191 ? 8191 : P;
		q = P < 0 ? -P - 1 : P;
		if (mu) {
			int32_t t = (q < 8158 ? q : 8158) + 33;

			s = fr_log2((uint32_t)t) - 5 + 1;
			C = 32 * (s - 1) + (t >> (s - 1) & 31);
		} else {
			s = fr_log2((uint32_t)q) - 6 > 0 ? fr_log2((uint32_t)q) - 6 + 2 : 2;
			C = 32 * (s - 2) + (q >> (s - 1));
		}
		C = P < 0 ? 255 - C : 256 + C;
		for (int j = 1; j <= 48; j++) {
			v += j <= 4 ? 6 * (uint32_t)E[i - j] : 0;
			s16 += j <= 16 ? (uint32_t)E[i - j] : 0;
			s48 += (uint32_t)E[i - j];
		}
		v = (v + s16 + (s48 >> 1)) | 1;
		L = 2 * fr_log2(v) + (v > 1 ? v >> (fr_log2(v) - 1) & 1 : 0);
		class = L - 2 * s - 4;
		class = class < 0 ? 0 : class > 19 ? 19 : class;
		k = class > 10 ? (class - 9) >> 1 : 0;
		limit = !class ? 1 : class < 6 ? 15 : 31;
		z = (int32_t)fr_token(&l, l.group[class]);
		if (z == limit) {
			FR_CHECK(nescape < l.nescape);
			z = escape[nescape++];
			bit += (uint64_t)k;
		} else {
			z <<= k;
			for (int b = 0; b < k; b++, bit++)
				z |= (low[bit / 8] >> bit % 8 & 1) << b;
		}
		FR_CHECK(bit <= l.nlow);
		d = z % 2 ? -(z + 1) / 2 : z / 2;
		id = (C >> 1) + (nonz && C >> 1 < 128) + (C & 1 ? -d : d);
		id &= 255;
		id -= nonz && id < 128;
		u = (unsigned)id >= 128 ? (unsigned)id : (unsigned)id ^ 127;
		c->data[i] = (uint8_t)(u ^ (mu ? 0x7f : 0x55));
		x[i] = fr_linear(mu, u);
		E[i] = abs(x[i] - P);
	}
	for (unsigned g = 0; g < l.ngroups; g++)
		FR_CHECK(l.used[g] == l.count[g]);
	FR_CHECK(bit == l.nlow && nescape == l.nescape);
	FR_CHECK(fr_crc(c->data, c->nbytes) == crc);
}

/* Section 5.5. */
static void fr_rice(const uint8_t *p, size_t n, struct fr_chunk *c)
{
	uint32_t blocks = (c->nbytes + 127) / 128, id[3] = { 128, 128, 128 };
	const uint8_t *head = p + 5, *string[16], *end = p + n;
	uint64_t bit[16] = { 0 }, bits[16];
	bool mu;

	FR_CHECK(n >= 5 + blocks + 32 && p[0] < 2);
	mu = p[0];
	string[0] = head + blocks + 32;
	for (int l = 0; l < 16; l++) {
		bits[l] = 8 * fr_le(head + blocks + 2 * l, 2);
		FR_CHECK(bits[l] / 8 <= (uint64_t)(end - string[l]));
		if (l < 15)
			string[l + 1] = string[l] + bits[l] / 8;
		else
			FR_CHECK(string[l] + bits[l] / 8 == end);
	}
	for (uint32_t i = 0; i < c->nbytes; i++) {
		unsigned k = head[i / 128] % 16, l = i / 2 % 16, q = 0, z = 0, u, ones;
		int32_t d = (int8_t)(id[0] - id[1]), e = (int8_t)(id[1] - id[2]), guess = 128;

		FR_CHECK(k <= 8 && head[i / 128] / 16 < 4);
		if (k < 8) {
			for (ones = 0; ones < 8 && fr_bit(string[l], string[l] + bits[l] / 8, &bit[l]); ones++)
				;
			for (unsigned b = 0; b < (ones == 8 ? 8 : k); b++)
				q |= fr_bit(string[l], string[l] + bits[l] / 8, &bit[l]) << b;
			z = ones == 8 ? q : ones << k | q;
		}
		switch (head[i / 128] / 16) {
		case 1: guess = (int32_t)id[0]; break;
		case 2: guess = (int32_t)id[0] + (d >> 1); break;
		case 3: guess = (int32_t)id[0] + d - (e >> 1); break;
		default: break;
		}
		id[2] = id[1];
		id[1] = id[0];
		id[0] = (uint32_t)(guess + (z % 2 ? -(int32_t)(z + 1) / 2 : (int32_t)z / 2)) & 255;
		u = id[0] >= 128 ? id[0] : id[0] ^ 127;
		c->data[i] = (uint8_t)(u ^ (mu ? 0x7f : 0x55));
	}
	for (int l = 0; l < 16; l++) {
		FR_CHECK(bits[l] - bit[l] < 8);
		FR_CHECK(bits[l] == bit[l] || !(string[l][bit[l] / 8] >> bit[l] % 8));
	}
	FR_CHECK(fr_crc(c->data, c->nbytes) == fr_le(p + 1, 4));
}

static void fr_payload(unsigned codec, const uint8_t *p, size_t n, struct fr_chunk *c)
{
	uint8_t id = 128, flip;
	uint32_t crc;

	switch (codec) {
	case 0:
		FR_CHECK(n == c->nbytes);
		memcpy(c->data, p, n);
		break;
	case 1:
		FR_CHECK(n == 1);
		memset(c->data, *p, c->nbytes);
		break;
	case 2:
		FR_CHECK(ZSTD_decompress(c->data, sizeof(c->data), p, n) == c->nbytes);
		break;
	case 3:
		FR_CHECK(*p < 4);
		flip = *p & 1 ? 0x7f : 0x55;
		crc = *p & 2 ? (uint32_t)fr_le(p + 1, 4) : 0;
		n -= *p & 2 ? 5 : 1;
		p += *p & 2 ? 5 : 1;
		FR_CHECK(ZSTD_decompress(c->data, sizeof(c->data), p, n) == c->nbytes);
		for (uint32_t i = 0; i < c->nbytes; i++) {
			id = (uint8_t)(id + fr_signed(c->data[i]));
			c->data[i] = (id >= 128 ? id : id ^ 0x7f) ^ flip;
		}
		FR_CHECK(!crc || fr_crc(c->data, c->nbytes) == crc);
		break;
	case 4:
		fr_lpc(p, n, c);
		break;
	case 5:
		fr_rice(p, n, c);
		break;
	default:
		FR_CHECK(!"codec");
	}
}

static void fr_body(const uint8_t *h, const uint8_t *p, size_t n, struct fr_chunk *c)
{
	const uint8_t *end = p + n, *meta_end;
	int64_t v[4][1024];
	uint64_t len = fr_varint(&p, end);
	uint32_t off = 0;

	FR_CHECK(len <= (size_t)(end - p));
	meta_end = p + len;
	c->npkt = (uint32_t)fr_le(h + 40, 4);
	c->nbytes = (uint32_t)fr_le(h + 44, 4);
	c->ssrc = (uint32_t)fr_le(p, 4);
	p += 4;
	c->stream = fr_varint(&p, meta_end);
	memcpy(c->name, p + 1, *p);
	c->name[*p] = 0;
	p += 1 + *p;
	c->clock = fr_varint(&p, meta_end);
	c->channels = *p++;
	c->pt = *p++;
	memcpy(c->fmtp, p + 1, *p);
	c->fmtp[*p] = 0;
	p += 1 + *p;
	for (int i = 0; i < 4; i++)
		fr_column(&p, meta_end, c->npkt, v[i]);
	for (uint32_t i = 0; i < c->npkt; i++) {
		struct fr_packet *k = &c->pkt[i];

		k->seq = i ? k[-1].seq + v[0][i] + 1 : v[0][0];
		k->ts = i ? k[-1].ts + (uint32_t)v[1][i] : (uint32_t)v[1][0];
		k->len = (uint32_t)v[2][i];
		k->off = off;
		off += k->len;
		k->flags = (unsigned)v[3][i] & 255;
		k->pt = (unsigned)v[3][i] >> 8;
	}
	FR_CHECK(off == c->nbytes);
	fr_arrivals(p, meta_end, fr_le(h + 32, 8), c);
	fr_payload(h[6], meta_end, (size_t)(end - meta_end), c);
}

/* ---- section 3: parts ---- */

struct fr_parts {
	unsigned n;
	uint8_t numbers[32];
	struct {
		bool has;
		uint64_t epoch, from_ns, packets[2];
		uint8_t leg[2][32];
	} v[64];
};

static void fr_kdf(const uint8_t key[32], const char *context, uint64_t id, uint8_t out[32])
{
	FR_CHECK(!crypto_kdf_derive_from_key(out, 32, id, context, key));
}

/* Goes by the ways of all purposes at *p; true: this one has a key there. */
static bool fr_way(const uint8_t **p, const uint8_t *end, int pnum, const uint8_t uid[16], const uint8_t purpose[32],
		   uint32_t part, uint32_t epoch, uint8_t out[32])
{
	uint8_t box_key[32], nonce[12] = { 0 }, ad[17];
	bool has = false;
	unsigned how;

	FR_CHECK(*p < end && !(**p & 0xf0));
	how = *(*p)++;
	for (int i = 0; i < 2; i++) {
		unsigned mine = how >> 2 * i & 3;

		FR_CHECK(mine < 3);
		if (mine == 1 && i == pnum) {
			fr_kdf(purpose, "optagprt", (uint64_t)(uint32_t)(part + 1) << 32 | epoch, out);
			has = true;
		}
		if (mine != 2)
			continue;
		FR_CHECK(end - *p >= 48);
		if (i == pnum) {
			fr_kdf(purpose, "optagbox", 1, box_key);
			for (int b = 0; b < 4; b++) {
				nonce[b] = (uint8_t)(part >> 8 * b);
				nonce[4 + b] = (uint8_t)(epoch >> 8 * b);
			}
			memcpy(ad, uid, 16);
			ad[16] = (uint8_t)pnum;
			FR_CHECK(!crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, *p, 48, ad, 17, nonce, box_key));
			has = true;
		}
		*p += 48;
	}
	return has;
}

static void fr_leg_keys(const uint8_t part[32], uint8_t leg[2][32])
{
	fr_kdf(part, "optagcal", 1, leg[0]);
	fr_kdf(part, "optagcal", 2, leg[1]);
}

static void fr_parts_of(const uint8_t *p, size_t n, int pnum, const uint8_t uid[16], const uint8_t purpose[32],
			struct fr_parts *ret)
{
	const uint8_t *end = p + n;
	uint8_t key[32];

	memset(ret, 0, sizeof(*ret));
	if (!n) {
		ret->n = 1;
		ret->v[0].has = true;
		fr_leg_keys(purpose, ret->v[0].leg);
		fr_kdf(purpose, "optagcal", 16, ret->numbers);
		return;
	}
	ret->n = *p++;
	FR_CHECK(ret->n >= 1 && ret->n <= 64);
	FR_CHECK(fr_way(&p, end, pnum, uid, purpose, UINT32_MAX, 0, ret->numbers));
	for (unsigned i = 0; i < ret->n; i++) {
		ret->v[i].epoch = fr_varint(&p, end);
		FR_CHECK(!i || ret->v[i].epoch >= ret->v[i - 1].epoch);
		ret->v[i].from_ns = fr_varint(&p, end);
		for (int leg = 0; leg < 2; leg++) {
			ret->v[i].packets[leg] = fr_varint(&p, end);
			(void)fr_varint(&p, end);
		}
		ret->v[i].has = fr_way(&p, end, pnum, uid, purpose, i, (uint32_t)ret->v[i].epoch, key);
		if (ret->v[i].has)
			fr_leg_keys(key, ret->v[i].leg);
	}
	FR_CHECK(p == end);
}

/* ---- sections 4 and 6 ---- */

struct fr_row {
	char day[16], purpose_day[16], state[16];
	int slot;
	uint8_t extents[65536], numbers[512], parts[16384];
	size_t nextents, nnumbers, nparts; /* nparts 0: format 1 */
	uint8_t grounds[4220];
	size_t ngrounds;
};

/* False: no such row in this partition. */
static bool fr_get_row(const char *db_path, const char *uid, const char *purpose, struct fr_row *r)
{
	sqlite3_stmt *st;
	char sql[300];
	sqlite3 *db;
	bool old, newest;

	FR_CHECK(!access(db_path, R_OK));
	FR_CHECK(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
	snprintf(sql, sizeof(sql), "SELECT user_version FROM pragma_user_version");
	FR_CHECK(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW);
	old = sqlite3_column_int(st, 0) == 1;
	FR_CHECK(old || sqlite3_column_int(st, 0) == 2 || sqlite3_column_int(st, 0) == 3);
	newest = sqlite3_column_int(st, 0) == 3;
	sqlite3_finalize(st);
	snprintf(sql, sizeof(sql), "SELECT %s_state, %s_day, %s_slot, extents, numbers, %s, %s FROM calls WHERE uid='%s'",
		 purpose, purpose, purpose, old ? "NULL" : "parts", newest ? "grounds" : "NULL", uid);
	FR_CHECK(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK);
	if (sqlite3_step(st) != SQLITE_ROW) {
		sqlite3_finalize(st);
		sqlite3_close(db);
		return false;
	}
	snprintf(r->state, sizeof(r->state), "%s", (const char *)sqlite3_column_text(st, 0));
	snprintf(r->purpose_day, sizeof(r->purpose_day), "%s", (const char *)sqlite3_column_text(st, 1));
	r->slot = sqlite3_column_int(st, 2);
	r->nextents = (size_t)sqlite3_column_bytes(st, 3);
	FR_CHECK(r->nextents <= sizeof(r->extents));
	memcpy(r->extents, sqlite3_column_blob(st, 3), r->nextents);
	r->nnumbers = (size_t)sqlite3_column_bytes(st, 4);
	FR_CHECK(r->nnumbers <= sizeof(r->numbers));
	memcpy(r->numbers, sqlite3_column_blob(st, 4), r->nnumbers);
	r->nparts = (size_t)sqlite3_column_bytes(st, 5);
	FR_CHECK(r->nparts <= sizeof(r->parts));
	if (r->nparts)
		memcpy(r->parts, sqlite3_column_blob(st, 5), r->nparts);
	r->ngrounds = (size_t)sqlite3_column_bytes(st, 6);
	FR_CHECK(r->ngrounds <= sizeof(r->grounds));
	if (r->ngrounds)
		memcpy(r->grounds, sqlite3_column_blob(st, 6), r->ngrounds);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return true;
}

/* False: of a part that the purpose does not have. */
static bool fr_chunk_at(const char *path, uint64_t off, uint64_t len, const uint8_t uid[16],
			const struct fr_parts *parts, uint32_t next[2], uint32_t epoch[2], uint32_t last[2], struct fr_chunk *c)
{
	size_t n;
	uint8_t *seg = fr_file(path, &n), *h, nonce[12] = { 0 }, *plain;
	uint32_t part;
	bool has;

	FR_CHECK(seg && n % 16 == 0 && n >= 128 && off + len <= n && off % 16 == 0);
	FR_CHECK(!memcmp(seg, "OPTAGSEG\1\0\200\0", 12) && fr_crc(seg, 124) == fr_le(seg + 124, 4));
	h = seg + off;
	FR_CHECK(!memcmp(h, "OCHK\1", 5) && fr_le(h + 8, 4) == len && !memcmp(h + 16, uid, 16));
	FR_CHECK(fr_crc(h, 60) == fr_le(h + 60, 4) && fr_crc(h + 64, len - 64) == fr_le(h + 56, 4));
	c->leg = h[5];
	FR_CHECK(c->leg < 2 && fr_le(h + 48, 4) >= epoch[c->leg]);
	part = (uint32_t)fr_le(h + 52, 4);
	FR_CHECK(part < parts->n && part >= last[c->leg] && fr_le(h + 48, 4) >= parts->v[part].epoch);
	last[c->leg] = part;
	if (fr_le(h + 48, 4) > epoch[c->leg])
		next[c->leg] = 0;
	epoch[c->leg] = (uint32_t)fr_le(h + 48, 4);
	FR_CHECK(fr_le(h + 12, 4) == next[c->leg]);
	nonce[0] = h[5];
	memcpy(nonce + 4, h + 12, 4);
	memcpy(nonce + 8, h + 48, 4);
	next[c->leg]++;
	has = parts->v[part].has;
	if (has) {
		plain = malloc(len);
		fr_gcm(parts->v[part].leg[c->leg], nonce, h, 56, h + 64, (int)len - 80, plain);
		fr_body(h, plain, len - 80, c);
		free(plain);
		FR_CHECK(c->pkt[0].arrival_ns + 1000 > parts->v[part].from_ns || !part);
	}
	free(seg);
	return has;
}

/* Every chunk of a call to cb, and its numbers to caller and callee (64 bytes each). */
static __attribute__((unused)) void fr_read_call(const char *store, const char *controller, const char *day, const char *uid_text,
			 const char *purpose, int pnum, const char *private_key, char *caller, char *callee,
			 void (*cb)(void *arg, const struct fr_chunk *c), void *arg)
{
	static struct fr_chunk c;
	static struct fr_row r;
	static struct fr_parts parts;
	uint8_t uid[16], data[32], plain[512], zero[12] = { 0 };
	uint32_t next[2] = { 0, 0 }, epoch[2] = { 0, 0 }, last[2] = { 0, 0 };
	int64_t segment = 0, end = 0;
	const uint8_t *p, *stop;
	char path[600];

	FR_CHECK(sodium_init() >= 0);
	fr_uid(uid_text, uid);
	snprintf(path, sizeof(path), "%s/catalog/%s/%s.db", store, controller, day);
	for (int part = 2; !fr_get_row(path, uid_text, purpose, &r); part++)
		snprintf(path, sizeof(path), "%s/catalog/%s/%s.%d.db", store, controller, day, part);
	FR_CHECK(!strcmp(r.state, "GRANTED"));
	fr_data_key(store, controller, purpose, pnum, r.purpose_day, r.slot, uid, private_key, data);
	fr_parts_of(r.parts, r.nparts, pnum, uid, data, &parts);
	fr_gcm(parts.numbers, zero, uid, 16, r.numbers, (int)r.nnumbers - 16, plain);
	p = plain;
	for (int i = 0; i < 2; i++) {
		uint64_t n = fr_varint(&p, plain + sizeof(plain));

		FR_CHECK(n < 64);
		memcpy(i ? callee : caller, p, n);
		(i ? callee : caller)[n] = 0;
		p += n;
	}
	stop = r.extents + r.nextents;
	for (p = r.extents; p < stop;) {
		int64_t d = fr_signed(fr_varint(&p, stop)), off;
		uint64_t len;

		if (d)
			end = 0;
		segment += d;
		off = end + 16 * fr_signed(fr_varint(&p, stop));
		len = fr_varint(&p, stop);
		end = off + (int64_t)((len + 15) / 16 * 16);
		snprintf(path, sizeof(path), "%s/segments/%s/%s/%08d.seg", store, controller, day, (int)segment);
		if (fr_chunk_at(path, (uint64_t)off, len, uid, &parts, next, epoch, last, &c))
			cb(arg, &c);
	}
}

/* Grounds of objections: "PURPOSE'S NUMBER TEXT" of the first two. */
static __attribute__((unused)) void fr_read_grounds(const char *store, const char *controller, const char *day, const char *uid_text,
						    const char *purpose, int pnum, const char *private_key, char said[2][80])
{
	static struct fr_row r;
	static struct fr_parts parts;
	uint8_t uid[16], data[32], plain[2048], ad[24];
	char path[600];
	size_t at = 0;

	FR_CHECK(sodium_init() >= 0);
	fr_uid(uid_text, uid);
	snprintf(path, sizeof(path), "%s/catalog/%s/%s.db", store, controller, day);
	fr_get_row(path, uid_text, purpose, &r);
	fr_data_key(store, controller, purpose, pnum, r.purpose_day, r.slot, uid, private_key, data);
	fr_parts_of(r.parts, r.nparts, pnum, uid, data, &parts);
	memcpy(ad, uid, 16);
	memcpy(ad + 16, "grounds", 7);
	for (int i = 0; at < r.ngrounds; i++) {
		size_t n = (size_t)fr_le(r.grounds + at, 2);

		FR_CHECK(i < 4 && n >= 30 && n <= 1053 && at + 2 + n <= r.ngrounds);
		ad[23] = (uint8_t)i;
		fr_gcm(parts.numbers, r.grounds + at + 2, ad, 24, r.grounds + at + 14, (int)n - 28, plain);
		if (i < 2)
			snprintf(said[i], 80, "%d %.*s", plain[0], (int)n - 29, (const char *)plain + 1);
		at += 2 + n;
	}
}

#endif
