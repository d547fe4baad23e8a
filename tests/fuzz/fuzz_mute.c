/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_mute.c - packets of any sound and timestamp through mute.h
 *
 * Input: an octet for the first packet to be muted and one for how many, an octet of flags (bit 0: the law), then records: a length octet
 * (x 4), a step octet (signed, x 16 samples beyond the packet before), a shape octet (bit 0: comfort noise; bits 1-5: 16
 * and up makes the octets that follow a digit's tones; bits 6, 7: so many times 1024 octets longer) and, if it is not
 * tones, that many octets of sound, the last repeated where they end.
 * What must hold whatever comes: only the packets that may be muted are changed, noise never, and to nothing but silence; and when
 * all may be, the detector hears no key in what is left.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "media/mute.h"
#include "media/tones.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define PACKETS 200
#define OCTETS	(PACKETS * (255u * 4 + 3 * 1024))

struct came {
	enum g711_law law;
	uint32_t n, bytes;
	struct chunk_pkt pkt[PACKETS];
	uint8_t sound[OCTETS];
};

static uint8_t octet(enum g711_law law, double v)
{
	static uint8_t nearest[2][4096];
	static bool made;

	for (int l = 0; !made && l < 2; l++)
		for (int i = 0; i < 4096; i++)
			for (unsigned k = 1; k < 256; k++)
				if (abs(g711_linear[l][k] - (i - 2048) * 16) < abs(g711_linear[l][nearest[l][i]] - (i - 2048) * 16))
					nearest[l][i] = (uint8_t)k;
	made = true;
	return nearest[law][(int)(v / 16) + 2048];
}

/* Of a key, from there on: a second of each is made once. */
static void tone(uint8_t *x, size_t n, enum g711_law law, unsigned key, uint32_t ts)
{
	static const double rows[] = { 697, 770, 852, 941 }, cols[] = { 1209, 1336, 1477, 1633 };
	static uint8_t second[2][16][8000];
	static bool made[2][16];

	for (unsigned i = 0; !made[law][key] && i < 8000; i++)
		second[law][key][i] = octet(law, 8000 * (sin(i * 2 * M_PI / 8000 * rows[key / 4]) +
							 sin(i * 2 * M_PI / 8000 * cols[key % 4])));
	made[law][key] = true;
	for (size_t i = 0; i < n; i++)
		x[i] = second[law][key][(ts + i) % 8000];
}

static void read_packets(struct came *c, const uint8_t *p, size_t n)
{
	uint32_t ts = 0xfffff000u;

	while (n >= 3 && c->n < PACKETS) {
		size_t len = (size_t)p[0] * 4 + (size_t)(p[2] >> 6) * 1024, have = n - 3 < len ? n - 3 : len;
		uint8_t *x = c->sound + c->bytes;
		bool made = p[2] & 0x20;

		ts += (uint32_t)(int8_t)p[1] * 16;
		have = made ? 0 : have < 255u * 4 ? have : 255u * 4;
		memset(x, have ? p[2 + have] : 0xd5, len);
		memcpy(x, p + 3, have);
		if (made)
			tone(x, len, c->law, p[2] >> 1 & 15, ts);
		c->pkt[c->n++] = (struct chunk_pkt){ .ts = ts, .len = (uint16_t)len, .flags = p[2] & 1 ? CHUNK_P_CN : 0 };
		c->bytes += (uint32_t)len;
		ts += p[2] & 1 ? 0 : (uint32_t)len;
		p += 3 + have;
		n -= 3 + have;
	}
}

/* Exactly as long as it is: one octet too far is seen. Returns what is left. */
static uint8_t *mute(const struct came *c, uint32_t first, uint32_t end)
{
	uint8_t *left = malloc(c->bytes + 1);
	uint32_t at = 0, changed = 0;
	size_t muted;

	MUST(left);
	memcpy(left, c->sound, c->bytes);
	left[c->bytes] = 0xa5;
	muted = mute_keys(c->law, c->pkt, c->n, left, first, end);
	MUST(left[c->bytes] == 0xa5);
	for (uint32_t i = 0; i < c->n; i++) {
		for (uint32_t stop = at + c->pkt[i].len; at < stop; at++) {
			if (left[at] == c->sound[at])
				continue;
			MUST(i >= first && i < end && !(c->pkt[i].flags & CHUNK_P_CN) && left[at] == g711_silence(c->law));
			changed++;
		}
	}
	MUST(muted >= changed);
	return left;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct came c;
	struct tones t = { 0 };
	uint32_t first, end, at = 0;
	uint8_t *left;

	if (n < 3)
		return 0;
	c.law = p[2] & 1 ? G711_ALAW : G711_ULAW;
	c.n = c.bytes = 0;
	read_packets(&c, p + 3, n - 3);
	first = p[0] < c.n ? p[0] : c.n;
	end = p[1] < c.n - first ? first + p[1] : c.n;
	free(mute(&c, first, end));
	left = mute(&c, 0, c.n);
	for (uint32_t i = 0; i < c.n; at += c.pkt[i++].len)
		if (!(c.pkt[i].flags & CHUNK_P_CN))
			tones_packet(&t, c.law, c.pkt[i].ts, 0, left + at, c.pkt[i].len, NULL);
	MUST(!t.presses);
	tones_wipe(&t);
	free(left);
	return 0;
}
