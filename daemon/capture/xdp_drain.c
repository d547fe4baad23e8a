/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_drain.c - what the XDP program left in its rings
 *
 * A media ring has one writer (the program on its CPU) and one reader (here):
 * head is loaded with acquire before the records, tail stored with release after
 * them. Payload is read where it lies; the header is spread out into a struct
 * optag_rec, and its time set. tail is stored once a batch: the program looks at it only when the ring
 * seems full, and each look moves a cache line.
 *
 * With records in more than one ring, the one with the oldest goes first, until it comes to one that is newer than
 * what waits in another by more than SLACK_NS: a stream that moved to another CPU stays in order.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/flow_internal.h"
#include "capture/xdp_internal.h"

#define BATCH_BYTES (256U << 10) /* of room given back at once */
#define AHEAD	    16		 /* misses that a core can have under way at once, about */
#define SLACK_NS    NS_PER_MS	 /* xdp.h: so much newer a record may be than one of another ring that waits */

static uint64_t mono_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Some records ahead of the one that is delivered, so that the sink can have its memory fetched. */
struct ahead {
	struct optag_rec rec[AHEAD];
	const uint8_t *payload[AHEAD];
	unsigned n;
	uint64_t bytes; /* they take in the ring */
	bool damaged;	/* behind them */
	bool later;	/* behind them is one for another time */
};

/* The header is read once, then checked: the ring is memory that another could write. Returns
 * the record's space, 0 when it makes no sense or `have` bytes do not hold it. */
static uint32_t read_record(const struct optag_raw *raw, uint64_t have, struct optag_rec *ret,
			    const uint8_t **ret_payload)
{
	uint32_t head, space;

	if (have < OPTAG_RAW_HEAD4)
		return 0;
	head = optag_read_raw(raw, ret);
	space = OPTAG_RAW_SPACE(head, ret->len);
	*ret_payload = (const uint8_t *)raw + head;
	return ret->len <= OPTAG_MAX_PAYLOAD && space <= have ? space : 0;
}

static void look_ahead(const struct xdp *x, struct optag_ring *r, uint64_t tail, uint64_t have,
		       unsigned max, uint64_t until_ns, struct ahead *a)
{
	a->n = 0;
	a->bytes = 0;
	a->damaged = have > x->ring_bytes;
	a->later = false;
	while (!a->damaged && a->bytes < have && a->n < max && a->n < AHEAD) {
		uint64_t at = (tail + a->bytes) & (x->ring_bytes - 1);
		uint32_t space = read_record((const void *)(r->data + at), have - a->bytes,
					     &a->rec[a->n], &a->payload[a->n]);

		a->damaged = !space;
		a->later = space && a->rec[a->n].ts_ns > until_ns;
		if (a->later)
			break;
		a->bytes += space;
		a->n += space > 0;
	}
}

static void deliver(struct ahead *a, const struct classify_sink *sink, uint64_t offset)
{
	if (sink->soon)
		sink->soon(sink->arg, a->rec, a->n);
	for (unsigned i = 0; i < a->n; i++) {
		a->rec[i].ts_ns += offset;
		sink->media(sink->arg, &a->rec[i], a->payload[i]);
	}
}

/* Gives room back. taken is the daemon's own: whoever comes after it reads on from there. */
static void give_back(struct optag_ring *r, uint64_t tail, uint64_t taken)
{
	__atomic_store_n(&r->taken, taken, __ATOMIC_RELAXED);
	__atomic_store_n(&r->tail, tail, __ATOMIC_RELEASE);
}

/* What lies before head and is of until_ns or older, in order; what is damaged counts as one. */
static unsigned drain_ring(struct xdp *x, struct optag_ring *r, const struct classify_sink *sink, unsigned budget,
			   uint64_t head, uint64_t until_ns, uint64_t offset)
{
	uint64_t tail = r->tail, given = tail, taken = r->taken;
	struct ahead a = { .later = false };
	unsigned n = 0;

	while (tail != head && n < budget && !a.later) {
		look_ahead(x, r, tail, head - tail, budget - n, until_ns, &a);
		deliver(&a, sink, offset);
		tail += a.bytes;
		n += a.n;
		if (a.damaged) {
			x->damaged++;
			tail = head;
		}
		if (tail - given >= BATCH_BYTES) {
			give_back(r, tail, taken + n);
			given = tail;
		}
	}
	give_back(r, tail, taken + n);
	return n;
}

/* Monotonic time of the first record before head: UINT64_MAX there is none, 0 it is damaged. */
static uint64_t first_time(const struct xdp *x, struct optag_ring *r, uint64_t head)
{
	uint64_t have = head - r->tail;
	const uint8_t *payload;
	struct optag_rec rec;

	if (!have)
		return UINT64_MAX;
	if (have > x->ring_bytes ||
	    !read_record((const void *)(r->data + (r->tail & (x->ring_bytes - 1))), have, &rec, &payload))
		return 0;
	return rec.ts_ns;
}

/* The ring whose first record is the oldest; *ret_other: the time of the oldest in any other ring. */
static uint32_t oldest_ring(const struct xdp *x, uint64_t *ret_other)
{
	uint32_t at = 0;

	*ret_other = UINT64_MAX;
	for (uint32_t i = 1; i < x->nrings; i++) {
		uint64_t t = x->now[i].first_ns, least = x->now[at].first_ns;

		*ret_other = t < least ? least : t < *ret_other ? t : *ret_other;
		at = t < least ? i : at;
	}
	return at;
}

/* until_ns: of the kernel's clock; younger records stay. */
static unsigned drain(struct xdp *x, const struct classify_sink *sink, unsigned budget, uint64_t until_ns)
{
	uint64_t offset = clock_offset_ns();
	unsigned done = 0;

	for (uint32_t i = 0; i < x->nrings; i++) { /* all at once: what comes later is later in each */
		const struct optag_ring *r = xdp_ring(x, i);
		uint64_t used;

		x->now[i].head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
		used = x->now[i].head - r->tail;
		x->peak[i] = used > x->peak[i] ? used : x->peak[i];
	}
	for (uint32_t i = 0; i < x->nrings; i++)
		x->now[i].first_ns = first_time(x, xdp_ring(x, i), x->now[i].head);
	while (done < budget) {
		uint64_t other, last;
		uint32_t i = oldest_ring(x, &other);
		struct optag_ring *r = xdp_ring(x, i);

		if (r->tail == x->now[i].head || x->now[i].first_ns > until_ns)
			break;
		last = other < UINT64_MAX - SLACK_NS ? other + SLACK_NS : UINT64_MAX;
		done += drain_ring(x, r, sink, budget - done, x->now[i].head, last < until_ns ? last : until_ns, offset);
		x->now[i].first_ns = first_time(x, r, x->now[i].head);
	}
	return done;
}

unsigned xdp_drain(struct xdp *x, const struct classify_sink *sink, unsigned budget)
{
	return drain(x, sink, budget, UINT64_MAX);
}

unsigned xdp_drain_until(struct xdp *x, const struct classify_sink *sink, unsigned budget, uint64_t until_ns)
{
	return drain(x, sink, budget, until_ns - clock_offset_ns());
}

uint64_t xdp_oldest(const struct xdp *x)
{
	uint64_t offset = clock_offset_ns(), oldest = UINT64_MAX;

	for (uint32_t i = 0; i < x->nrings; i++) {
		struct optag_ring *r = xdp_ring(x, i);
		uint64_t t = first_time(x, r, __atomic_load_n(&r->head, __ATOMIC_ACQUIRE));

		if (t && t != UINT64_MAX && t + offset < oldest)
			oldest = t + offset;
	}
	return oldest;
}

/* ---- signalling ---- */

static void note_delay(struct xdp_delay *d, uint64_t from_ns)
{
	uint64_t now = mono_now(), ns = now > from_ns ? now - from_ns : 0;
	unsigned i = 0;

	while (i < XDP_DELAYS - 1 && ns > XDP_DELAY_NS << i)
		i++;
	d->count[i]++;
	d->sum_ns += ns;
	if (ns > d->max_ns)
		d->max_ns = ns;
}

void xdp_delay(const struct xdp *x, struct xdp_delay *ret)
{
	*ret = x->delay;
}

/* Called by libbpf, a record at a time; a negative answer stops it behind this one. */
int xdp_on_signal(void *arg, void *data, size_t size)
{
	struct xdp *x = arg;
	struct optag_sig sig;

	if (size >= sizeof(sig)) {
		memcpy(&sig, data, sizeof(sig));
		if (sig.len <= size - sizeof(sig)) {
			sig.ts_ns += x->sig_offset;
			if (x->before_signal)
				x->before_signal(x->before_arg, sig.ts_ns);
			x->sig_sink->signalling(x->sig_sink->arg, &sig,
						(const uint8_t *)data + sizeof(sig));
			note_delay(&x->delay, sig.ts_ns - x->sig_offset);
			x->sig_done++;
		}
	}
	return --x->sig_left ? 0 : -ECANCELED;
}

int xdp_signals(struct xdp *x, const struct classify_sink *sink, unsigned budget)
{
	int r;

	if (!budget)
		return 0;
	x->sig_sink = sink;
	x->sig_offset = clock_offset_ns();
	x->sig_left = budget;
	x->sig_done = 0;
	r = ring_buffer__consume(x->signals);
	return r < 0 && r != -ECANCELED ? r : (int)x->sig_done;
}

void xdp_before_signal(struct xdp *x, void (*before)(void *arg, uint64_t ts_ns), void *arg)
{
	x->before_signal = before;
	x->before_arg = arg;
}

int xdp_signal_fd(const struct xdp *x)
{
	return ring_buffer__epoll_fd(x->signals);
}

/* ---- the dead-man's switch ---- */

void xdp_alive(struct xdp *x, uint64_t until_mono_ns)
{
	__atomic_store_n(&xdp_ring(x, 0)->said_ns, mono_now(), __ATOMIC_RELAXED);
	__atomic_store_n(&x->info->alive_until_ns, until_mono_ns, __ATOMIC_RELAXED);
}

void xdp_alive_as_before(struct xdp *x)
{
	__atomic_store_n(&xdp_ring(x, 0)->said_ns, x->before_said_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&x->info->alive_until_ns, x->old_info.alive_until_ns, __ATOMIC_RELAXED);
}

/* What the daemon before left; called once, before this one takes or says anything. */
void xdp_read_before(struct xdp *x)
{
	x->before_said_ns = xdp_ring(x, 0)->said_ns;
	for (uint32_t i = 0; i < x->nrings; i++)
		x->before_taken += xdp_ring(x, i)->taken;
}

uint64_t xdp_taken_before(const struct xdp *x)
{
	return x->before_taken;
}

uint64_t xdp_alone_ns(const struct xdp *x)
{
	uint64_t now = mono_now();

	return x->before_said_ns && x->before_said_ns < now ? now - x->before_said_ns : 0;
}

/* ---- figures ---- */

static uint64_t page_word(const uint8_t *page)
{
	return __atomic_load_n((const uint64_t *)(const void *)page, __ATOMIC_ACQUIRE);
}

uint32_t xdp_rings(const struct xdp *x)
{
	return x->nrings;
}

void xdp_ring_fill(const struct xdp *x, uint32_t cpu, struct xdp_ring_fill *ret)
{
	const struct optag_ring *r = xdp_ring(x, cpu);
	uint64_t tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);

	ret->bytes = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) - tail;
	ret->of = x->ring_bytes;
	ret->peak = x->peak[cpu];
	ret->lost = __atomic_load_n(&r->counts[OPTAG_C_MEDIA_LOST], __ATOMIC_RELAXED);
}

void xdp_fill(const struct xdp *x, struct xdp_fill *ret)
{
	struct xdp_fill f = { .of = x->ring_bytes, .damaged = x->damaged };

	for (uint32_t i = 0; i < x->nrings; i++) {
		const struct optag_ring *r = xdp_ring(x, i);
		uint64_t tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
		uint64_t n = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) - tail;

		if (n > f.bytes)
			f.bytes = n;
	}
	f.sig_of = x->set.sig_bytes;
	f.sig_bytes = page_word(x->sig_pos + getpagesize()) - page_word(x->sig_pos);
	*ret = f;
}

uint64_t xdp_lost_signals(const struct xdp *x)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < x->nrings; i++)
		n += __atomic_load_n(&xdp_ring(x, i)->counts[OPTAG_C_SIG_LOST], __ATOMIC_RELAXED);
	return n;
}

uint64_t xdp_lost_done(const struct xdp *x)
{
	return xdp_ring(x, 0)->sig_lost;
}

void xdp_set_lost_done(struct xdp *x, uint64_t lost)
{
	xdp_ring(x, 0)->sig_lost = lost;
}

void xdp_counts(const struct xdp *x, uint64_t ret[OPTAG_C_MAX])
{
	memset(ret, 0, OPTAG_C_MAX * sizeof(ret[0]));
	for (uint32_t i = 0; i < x->nrings; i++)
		for (int c = 0; c < OPTAG_C_MAX; c++)
			ret[c] += __atomic_load_n(&xdp_ring(x, i)->counts[c], __ATOMIC_RELAXED);
}
