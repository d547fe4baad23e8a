/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_packets.c - the packets of a call in the order a format wants
 *
 * Chunks hold packets in order of arrival and come in order of writing. A
 * window (binary heap) of WINDOW packets puts them into order; the recorder
 * accepts far less disorder than that, so one that is later is damage.
 *
 * Streams of a leg are written one after the other. When they follow one
 * another in time, as they nearly always do, one reading serves all; a stream
 * that overlaps an earlier one (a fork's second branch) waits for the next
 * reading. So memory does not grow, and temporary files are not needed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "export.h"

#define WINDOW	   4096 /* packets: over 80 s at 20 ms; about 1 MiB of G.711 a leg */
#define DAMAGE_MAX 20	/* damaged chunks told one by one */

const char *const export_legs[2] = { "caller", "callee" };

static int reader_open(struct export_call *c, struct store_reader **ret)
{
	int rc = store_read_open(c->st, &c->uid, c->purpose, c->keys_dir, ret);

	if (rc)
		cli_err("%s", *store_why(c->st) ? store_why(c->st) : strerror(-rc));
	return rc;
}

/* ---- first reading ---- */

static void scan_chunk(struct export_call *c, unsigned leg, const struct chunk *k, uint64_t ordinal)
{
	struct export_leg *l = &c->leg[leg];
	struct export_stream *s;
	bool audio = false;

	if (k->stream >= EXPORT_STREAMS) {
		c->beyond += k->npkt;
		return;
	}
	s = &l->stream[k->stream];
	if (!s->used) {
		s->used = true;
		s->format = k->format;
		s->first_chunk = ordinal;
	}
	s->last_chunk = ordinal;
	for (uint32_t i = 0; i < k->npkt; i++) {
		const struct chunk_pkt *p = &k->pkt[i];

		if (!l->packets++ || p->arrival_ns < l->first_ns)
			l->first_ns = p->arrival_ns;
		if (p->arrival_ns > l->last_ns)
			l->last_ns = p->arrival_ns;
		if (p->flags & CHUNK_P_CN)
			continue;
		s->audio_packets++;
		s->bytes += p->len;
		audio = true;
	}
	/* its other chunks may have another format */
	l->helped = l->helped || (audio && decoder_helped(&k->format));
}

/* A stream that begins after its predecessor's end shares its reading, else it takes the next. */
static void plan_rounds(struct export_call *c)
{
	for (unsigned leg = 0; leg < 2; leg++) {
		uint64_t end = 0;
		unsigned round = 0;
		bool first = true;

		for (unsigned i = 0; i < EXPORT_STREAMS; i++) {
			struct export_stream *s = &c->leg[leg].stream[i];

			if (!s->used)
				continue;
			if (!first && s->first_chunk < end)
				round++;
			first = false;
			end = s->last_chunk;
			s->round = round;
			c->leg[leg].audio_packets += s->audio_packets;
			c->leg[leg].bytes += s->bytes;
		}
		if (round + 1 > c->rounds)
			c->rounds = round + 1;
	}
}

/* Spans in which nothing was recorded at all are none of the purpose's. */
static void take_gaps(struct export_call *c, const struct store_reader *r)
{
	size_t n = store_read_gaps(r, c->gap, EXPORT_GAPS);

	c->gaps = 0;
	for (size_t i = 0; i < n && i < EXPORT_GAPS; i++)
		if (c->gap[i].packets[0] || c->gap[i].packets[1])
			c->gap[c->gaps++] = c->gap[i];
}

int export_scan(struct export_call *c)
{
	struct store_reader *r = NULL;
	const struct chunk *k;
	unsigned leg;
	uint64_t ordinal = 0;
	int rc = reader_open(c, &r);

	if (rc)
		return rc;
	take_gaps(c, r);
	while ((rc = store_read_next(r, &leg, &k)) != 0) {
		if (rc == -EBADMSG) {
			if (++c->damaged <= DAMAGE_MAX)
				cli_err("%s; going on after it", store_why(c->st));
			continue;
		}
		if (rc < 0) {
			cli_err("%s", *store_why(c->st) ? store_why(c->st) : strerror(-rc));
			break;
		}
		if (leg < 2)
			scan_chunk(c, leg, k, ordinal++);
	}
	store_read_close(r);
	if (rc)
		return rc;
	if (c->damaged > DAMAGE_MAX)
		cli_err("%" PRIu64 " more damaged chunks", c->damaged - DAMAGE_MAX);
	if (c->beyond)
		cli_err("%" PRIu64 " packets of streams beyond %d in a leg are left out", c->beyond,
			EXPORT_STREAMS);
	plan_rounds(c);
	return 0;
}

/* ---- window ---- */

struct held {
	uint64_t key;
	uint64_t nr; /* order of coming: equal keys keep it */
	struct export_pkt p;
	struct media_format format;
	uint8_t *data;
};

struct window {
	struct held *heap[WINDOW + 1];
	size_t n;
	uint64_t nr, last_key;
	bool any;
	uint32_t stream; /* EXPORT_BY_SEQ: the one being written */
	int (*cb)(void *arg, const struct export_pkt *p);
	void *arg;
};

static bool before(const struct held *a, const struct held *b)
{
	return a->key != b->key ? a->key < b->key : a->nr < b->nr;
}

static void push(struct window *w, struct held *h)
{
	size_t i = w->n++;

	while (i && before(h, w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = h;
}

static struct held *take(struct window *w)
{
	struct held *ret = w->heap[0], *h = w->heap[--w->n];
	size_t i = 0;

	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= w->n)
			break;
		if (c + 1 < w->n && before(w->heap[c + 1], w->heap[c]))
			c++;
		if (!before(w->heap[c], h))
			break;
		w->heap[i] = w->heap[c];
		i = c;
	}
	w->heap[i] = h;
	return ret;
}

static int emit(struct window *w)
{
	struct held *h = take(w);
	int rc;

	if (w->any && h->key < w->last_key) {
		cli_err("packets lie further apart than %d out of order", WINDOW);
		free(h);
		return -EBADMSG;
	}
	w->last_key = h->key;
	w->any = true;
	h->p.format = &h->format;
	h->p.payload = h->data;
	rc = w->cb(w->arg, &h->p);
	free(h);
	return rc < 0 ? rc : 0;
}

static int drain(struct window *w)
{
	int rc = 0;

	while (w->n && !rc)
		rc = emit(w);
	w->any = false;
	return rc;
}

static void window_free(struct window *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++)
		free(w->heap[i]);
	free(w);
}

static int add(struct window *w, uint64_t key, unsigned leg, const struct chunk *k,
	       const struct chunk_pkt *p)
{
	struct held *h = malloc(sizeof(*h) + p->len);

	if (!h) {
		cli_err("out of memory");
		return -ENOMEM;
	}
	*h = (struct held){ .key = key, .nr = w->nr++, .format = k->format };
	h->data = (uint8_t *)(h + 1);
	h->p = (struct export_pkt){ .leg = leg, .stream = k->stream, .ssrc = k->ssrc, .ts = p->ts,
				    .seq = p->seq, .arrival_ns = p->arrival_ns, .pt = p->pt,
				    .flags = p->flags, .len = p->len };
	memcpy(h->data, k->data + p->off, p->len);
	push(w, h);
	return w->n > WINDOW ? emit(w) : 0;
}

/* The store checks chunks; this is the last line before a memcpy. */
static bool sane(const struct chunk *k, const struct chunk_pkt *p)
{
	return p->off <= k->nbytes && p->len <= k->nbytes - p->off;
}

static int add_chunk(struct export_call *c, enum export_order order, struct window *w, unsigned leg,
		     const struct chunk *k)
{
	int rc = 0;

	if (order == EXPORT_BY_SEQ && w->stream != k->stream) {
		rc = drain(w);
		w->stream = k->stream;
	}
	for (uint32_t i = 0; i < k->npkt && !rc; i++) {
		const struct chunk_pkt *p = &k->pkt[i];

		if (!sane(k, p))
			return -EBADMSG;
		/* sequence numbers may be negative: shifted so that they sort unsigned */
		rc = add(w, order == EXPORT_BY_SEQ ? (uint64_t)p->seq ^ 1ULL << 63 : p->arrival_ns, leg,
			 k, p);
		c->done_bytes += p->len;
	}
	cli_progress(c->done_bytes, 1);
	return rc;
}

/* One reading of the call: the streams of `round`, or all by arrival. */
static int reading(struct export_call *c, enum export_order order, unsigned round,
		   struct window *w[2])
{
	struct store_reader *r = NULL;
	const struct chunk *k;
	unsigned leg;
	int rc = reader_open(c, &r), err = 0;

	if (rc)
		return rc;
	while (!err && (rc = store_read_next(r, &leg, &k)) != 0) {
		if (rc == -EBADMSG)
			continue; /* told and counted by export_scan */
		if (rc < 0) {
			cli_err("%s", store_why(c->st));
			err = rc;
		} else if (leg < 2 && k->stream < EXPORT_STREAMS &&
			   (order == EXPORT_BY_ARRIVAL || c->leg[leg].stream[k->stream].round == round)) {
			err = add_chunk(c, order, w[order == EXPORT_BY_SEQ ? leg : 0], leg, k);
		}
	}
	store_read_close(r);
	for (unsigned i = 0; i < 2 && !err; i++)
		err = drain(w[i]);
	return err;
}

int export_packets(struct export_call *c, enum export_order order,
		   int (*cb)(void *arg, const struct export_pkt *p), void *arg)
{
	struct window *w[2] = { calloc(1, sizeof(*w[0])), calloc(1, sizeof(*w[0])) };
	unsigned rounds = order == EXPORT_BY_SEQ ? c->rounds : 1;
	int rc = export_tell(c, c->leg[0].bytes + c->leg[1].bytes);

	if (!rc && (!w[0] || !w[1])) {
		cli_err("out of memory");
		rc = -ENOMEM;
	}
	for (unsigned i = 0; i < 2 && !rc; i++) {
		w[i]->cb = cb;
		w[i]->arg = arg;
	}
	for (unsigned round = 0; round < rounds && !rc; round++)
		rc = reading(c, order, round, w);
	window_free(w[0]);
	window_free(w[1]);
	return rc;
}
