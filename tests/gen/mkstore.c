/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mkstore.c - fills a store with calls that are the same each time
 *
 *	mkstore STORE WORD...
 *
 * A word makes one call (several may be given) and prints `WORD UID`. Audio
 * comes from formulas, or for `raw` from a file of packets, so that the tests
 * of the tools depend on no capture and no recorder.
 *
 *	g711	    caller PCMU 500 packets, callee PCMA begins 1 s later; every 50th
 *		    caller packet is lost, two are swapped, comfort noise in between
 *	overlap     two streams of the caller that interleave, sequence wrap
 *	dvi4 l16    caller only
 *	unknown     caller X-FOO (no decoder), callee PCMU
 *	bad	    caller GSM whose every tenth packet is too short
 *	denied      nothing kept, Call-ID with bytes that are not UTF-8
 *	training    training only
 *	unused      training only, which must be used within 30 days
 *	silent      kept, but no packet
 *	parts	    PCMU both legs, 10 s; documentation has all, training the first 2 and the last 4 s
 *	raw:NAME:CLOCK:CHANNELS:TICKS:FMTP:FILE
 *		    caller: FILE is 16-bit big-endian length + payload, repeated
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "store/store.h"

#define START 1767225600000000000ULL /* 2026-01-01 00:00:00 UTC */
#define MS    NS_PER_MS

static struct store *st;
static unsigned nr;

static void die(const char *what, int rc)
{
	fprintf(stderr, "mkstore: %s: %s (%s)\n", what, strerror(-rc), st ? store_why(st) : "");
	exit(1);
}

struct filler {
	struct store_call *sc;
	unsigned leg;
	struct chunk c;
	struct chunk_pkt pkt[CHUNK_MAX_PACKETS];
	uint8_t data[CHUNK_MAX_BYTES];
	uint64_t total, bytes;
};

static void flush(struct filler *f)
{
	int rc = f->c.npkt ? store_call_append(f->sc, f->leg, &f->c) : 0;

	if (rc)
		die("append", rc);
	f->c.npkt = f->c.nbytes = 0;
}

static void add(struct filler *f, int64_t seq, uint32_t ts, uint64_t at, unsigned flags,
		const uint8_t *p, size_t n)
{
	struct chunk_pkt *k;

	if (f->c.npkt == 100 || f->c.nbytes + n > CHUNK_MAX_BYTES)
		flush(f);
	k = &f->c.pkt[f->c.npkt++];
	*k = (struct chunk_pkt){ .arrival_ns = START + nr * 60000 * MS + at, .seq = seq, .ts = ts,
				 .off = f->c.nbytes, .len = (uint16_t)n, .flags = (uint8_t)flags,
				 .pt = flags & CHUNK_P_CN ? 13 : f->c.format.pt };
	memcpy(f->c.data + f->c.nbytes, p, n);
	f->c.nbytes += (uint32_t)n;
	f->total++;
	f->bytes += n;
}

static struct filler *filler(struct store_call *sc, unsigned leg, const char *name, uint32_t clock,
			     unsigned pt)
{
	struct filler *f = calloc(1, sizeof(*f));

	if (!f)
		die("memory", -ENOMEM);
	f->sc = sc;
	f->leg = leg;
	f->c.pkt = f->pkt;
	f->c.data = f->data;
	f->c.ssrc = 0x1000 + leg;
	snprintf(f->c.format.name, sizeof(f->c.format.name), "%s", name);
	f->c.format.clock = clock;
	f->c.format.channels = 1;
	f->c.format.pt = (uint8_t)pt;
	return f;
}

static void tone(uint8_t *p, size_t n, unsigned i)
{
	for (size_t k = 0; k < n; k++)
		p[k] = (uint8_t)((k * 7 + i * 13) ^ (k & 4 ? 0x80 : 0));
}

static struct store_call_meta meta(const char *word)
{
	struct store_call_meta m = { .start_ns = START + nr * 60000 * MS, .controller = "acme",
				     .zone = "Europe/Copenhagen", .rule = "service",
				     .policy_hash = "00112233445566778899aabbccddeeff", .scenario = "A1",
				     .caller = "+4533123456", .callee = "+4570101010" };
	static char id[64];

	snprintf(id, sizeof(id), "%s%s@test", word, strcmp(word, "denied") ? "" : "\xff\x1b[2J");
	m.sip_call_id = id;
	uid_make(m.start_ns, id, strlen(id), &m.uid);
	m.until_ns[STORE_DOCUMENTATION] = m.start_ns + 90ULL * 86400 * NS_PER_S;
	m.commit[STORE_DOCUMENTATION] = true;
	return m;
}

static struct store_call_result result(void)
{
	struct store_call_result r = { .answer_ns = START + nr * 60000 * MS + 2000 * MS,
				       .end_ns = START + nr * 60000 * MS + 12345 * MS, .end = "bye",
				       .outcome = STORE_O_KEPT, .reason = { "", "" }, .gap = "" };

	r.state[STORE_DOCUMENTATION] = STORE_S_GRANTED;
	return r;
}

static void done(struct filler *f, struct store_call_result *r, unsigned packet_ms)
{
	struct store_leg_figures *l = &r->leg[f->leg];

	flush(f);
	l->format = f->c.format;
	l->packets += f->total;
	l->audio_ms += f->total * packet_ms;
	free(f);
}

static void g711(struct store_call *sc, struct store_call_result *r)
{
	struct filler *a = filler(sc, 0, "PCMU", 8000, 0), *b = filler(sc, 1, "PCMA", 8000, 8);
	uint8_t p[160], cn = 40;

	for (unsigned i = 0; i < 500; i++) {
		unsigned k = i == 98 ? 101 : i == 101 ? 98 : i; /* swapped, across a chunk's end */

		tone(p, sizeof(p), k);
		if (i == 250)
			add(a, 65400 + k, k * 160, i * 20 * MS, CHUNK_P_CN, &cn, 1);
		else if (i % 50 != 49)
			add(a, 65400 + k, k * 160, i * 20 * MS, i ? 0 : CHUNK_P_MARKER, p, 160);
		if (i < 50)
			continue;
		tone(p, sizeof(p), i + 1000);
		add(b, i, 0xfffff000u + i * 160, i * 20 * MS, 0, p, 160);
	}
	r->leg[0].lost = 10;
	done(a, r, 20);
	done(b, r, 20);
}

static void overlap(struct store_call *sc, struct store_call_result *r)
{
	struct filler *a = filler(sc, 0, "PCMU", 8000, 0), *b = filler(sc, 0, "PCMU", 8000, 0);
	uint8_t p[160];

	b->c.stream = 1;
	b->c.ssrc = 0x2222;
	for (unsigned i = 0; i < 350; i++) {
		memset(p, 'A', sizeof(p));
		add(a, 10 + i, i * 160, i * 20 * MS, 0, p, 160);
		memset(p, 'B', sizeof(p));
		add(b, 10 + i, i * 160, (i * 20 + 5) * MS, 0, p, 160);
	}
	done(a, r, 20);
	done(b, r, 20);
}

static void dvi4(struct store_call *sc, struct store_call_result *r)
{
	struct filler *a = filler(sc, 0, "DVI4", 8000, 5);
	uint8_t p[84] = { 0, 0, 40, 0 };

	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 4; k < sizeof(p); k++)
			p[k] = (uint8_t)(k * 31 + i);
		add(a, i, i * 160, i * 20 * MS, 0, p, sizeof(p));
	}
	done(a, r, 20);
}

static void l16(struct store_call *sc, struct store_call_result *r)
{
	struct filler *a = filler(sc, 0, "L16", 16000, 100);
	uint8_t p[640];

	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 0; k < 320; k++)
			be16enc(p + 2 * k, (uint16_t)(i * 100 + k));
		add(a, i, i * 320, i * 20 * MS, 0, p, sizeof(p));
	}
	done(a, r, 20);
}

static void unknown(struct store_call *sc, struct store_call_result *r)
{
	struct filler *a = filler(sc, 0, "X-FOO", 8000, 99), *b = filler(sc, 1, "PCMU", 8000, 0);
	uint8_t p[160];

	for (unsigned i = 0; i < 50; i++) {
		tone(p, sizeof(p), i);
		add(a, i, i * 160, i * 20 * MS, 0, p, 50);
		add(b, i, i * 160, i * 20 * MS, 0, p, 160);
	}
	done(a, r, 20);
	done(b, r, 20);
}

static void bad(struct store_call *sc, struct store_call_result *r)
{
	struct filler *a = filler(sc, 0, "GSM", 8000, 3);
	uint8_t p[33];

	for (unsigned i = 0; i < 100; i++) {
		tone(p, sizeof(p), i);
		p[0] = (uint8_t)(0xd0 | (p[0] & 15));
		add(a, i, i * 160, i * 20 * MS, 0, p, i % 10 == 9 ? 20 : 33);
	}
	done(a, r, 20);
}

/* Chunks of a leg end where a part does. */
static void change(struct filler *f[2], unsigned purposes, unsigned i)
{
	int rc;

	flush(f[0]);
	flush(f[1]);
	rc = store_call_part(f[0]->sc, purposes, START + nr * 60000 * MS + i * 20 * MS);
	if (rc)
		die("part", rc);
	store_call_enter(f[0]->sc, 0);
	store_call_enter(f[0]->sc, 1);
}

static void parts(struct store_call *sc, struct store_call_result *r)
{
	struct filler *f[2] = { filler(sc, 0, "PCMU", 8000, 0), filler(sc, 1, "PCMU", 8000, 0) };
	uint8_t p[160];

	for (unsigned i = 0; i < 500; i++) {
		if (i == 100 || i == 300)
			change(f, i == 100 ? 1 : 3, i);
		for (unsigned leg = 0; leg < 2; leg++) {
			tone(p, sizeof(p), i + leg * 1000);
			add(f[leg], i, i * 160, i * 20 * MS, 0, p, 160);
		}
	}
	done(f[0], r, 20);
	done(f[1], r, 20);
}

static void raw(struct store_call *sc, struct store_call_result *r, const char *spec)
{
	char name[16] = "", fmtp[64] = "", file[512] = "";
	unsigned clock = 0, channels = 0, ticks = 0, i = 0;
	uint8_t h[2], p[4096];
	struct filler *a;
	FILE *in;

	if (sscanf(spec, "raw:%15[^:]:%u:%u:%u:%63[^:]:%511s", name, &clock, &channels, &ticks, fmtp,
		   file) != 6)
		die("raw", -EINVAL);
	in = fopen(file, "rb");
	if (!in)
		die(file, -errno);
	a = filler(sc, 0, name, clock, 96);
	a->c.format.channels = (uint8_t)channels;
	if (strcmp(fmtp, "-"))
		snprintf(a->c.format.fmtp, sizeof(a->c.format.fmtp), "%s", fmtp);
	while (fread(h, 2, 1, in) == 1) {
		size_t n = be16dec(h);

		if (n > sizeof(p) || fread(p, 1, n, in) != n)
			die("raw file", -EBADMSG);
		add(a, i, i * ticks, (uint64_t)i * ticks * NS_PER_S / clock, 0, p, n);
		i++;
	}
	fclose(in);
	done(a, r, ticks * 1000 / clock);
}

static void make(const char *word)
{
	static const struct {
		const char *word;
		void (*fill)(struct store_call *sc, struct store_call_result *r);
	} kinds[] = { { "g711", g711 }, { "overlap", overlap }, { "dvi4", dvi4 }, { "l16", l16 },
		      { "unknown", unknown }, { "bad", bad }, { "parts", parts } };
	struct store_call_meta m = meta(word);
	struct store_call_result r = result();
	struct store_call *sc;
	char id[UID_TEXT];
	int rc;

	if (!strcmp(word, "denied")) {
		r.outcome = STORE_O_DENIED;
		r.state[0] = STORE_S_DENIED;
		r.reason[0] = r.reason[1] = "caller-opted-out";
		memset(m.commit, 0, sizeof(m.commit));
		rc = store_call_denied(st, &m, &r);
		if (rc)
			die("denied", rc);
	} else {
		if (!strcmp(word, "unused"))
			m.training_use_by = m.start_ns + 30ULL * 86400 * NS_PER_S;
		if (!strcmp(word, "training") || !strcmp(word, "unused")) {
			m.until_ns[1] = m.until_ns[0];
			m.until_ns[0] = 0;
			m.commit[0] = false;
			m.commit[1] = true;
			r.state[0] = STORE_S_DENIED;
			r.reason[0] = "no-documentation-in-rule";
			r.state[1] = STORE_S_GRANTED;
		}
		if (!strcmp(word, "parts")) {
			m.until_ns[1] = m.until_ns[0];
			m.commit[1] = true;
			r.state[1] = STORE_S_GRANTED;
		}
		rc = store_call_begin(st, &m, &sc);
		if (rc)
			die("begin", rc);
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (!strcmp(kinds[i].word, word))
				kinds[i].fill(sc, &r);
		if (!strcmp(word, "training") || !strcmp(word, "unused"))
			g711(sc, &r);
		if (!strncmp(word, "raw:", 4))
			raw(sc, &r, word);
		rc = store_call_end(sc, &r);
		if (rc)
			die("end", rc);
	}
	uid_format(&m.uid, id);
	printf("%.*s %s\n", (int)strcspn(word, "\n"), word, id);
	nr++;
}

int main(int argc, char **argv)
{
	char why[512] = "";
	int rc;

	if (argc < 3)
		return 2;
	clock_set_ns(START);
	rc = store_open(argv[1], STORE_RW, &st, why, sizeof(why));
	if (rc) {
		fprintf(stderr, "mkstore: %s\n", why);
		return 1;
	}
	for (int i = 2; i < argc; i++)
		make(argv[i]);
	rc = store_sync(st);
	if (rc)
		die("sync", rc);
	store_close(st);
	return 0;
}
