/* SPDX-License-Identifier: BSD-2-Clause */
/* record_hold.c - audio that waits in memory for a decision, see record_hold.h. One mapping a chunk. */
#include "record_hold.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "media/chunker.h"

struct held {
	struct held *next;
	size_t size; /* of this mapping */
	unsigned leg;
	struct chunk c; /* its packets and payload follow */
};

/* The first mapping has the list's end as well, so that an empty list costs nothing. */
struct hold {
	struct held *first, **last;
};

/* `hold` lies in front of the first chunk: both go together. */
struct first {
	struct hold hold;
	struct held held;
};

static size_t size_of(const struct chunk *k, size_t head)
{
	return head + k->npkt * sizeof(*k->pkt) + k->nbytes;
}

static void *map(size_t n, struct chunker_memory *m)
{
	void *p;

	if (m && m->limit && m->used + n > m->limit)
		return NULL;
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* A limit of locked memory is no reason to lose the call: doctor tells of swap. */
	(void)mlock2(p, n, 0);
	(void)madvise(p, n, MADV_DONTDUMP);
	if (m)
		m->used += n;
	return p;
}

static void unmap(void *p, size_t n, struct chunker_memory *m)
{
	explicit_bzero(p, n);
	(void)munmap(p, n); /* unlocks it as well */
	if (m)
		m->used -= n;
}

static void fill(struct held *e, unsigned leg, const struct chunk *k, size_t size)
{
	uint8_t *p = (uint8_t *)(e + 1);

	e->next = NULL;
	e->size = size;
	e->leg = leg;
	e->c = *k;
	e->c.pkt = (struct chunk_pkt *)(void *)p;
	e->c.data = p + k->npkt * sizeof(*k->pkt);
	memcpy(e->c.pkt, k->pkt, k->npkt * sizeof(*k->pkt));
	if (k->nbytes)
		memcpy(e->c.data, k->data, k->nbytes);
}

int hold_add(struct hold **h, unsigned leg, const struct chunk *k, struct chunker_memory *m)
{
	size_t n = size_of(k, *h ? sizeof(struct held) : sizeof(struct first));
	struct held *e;

	if (*h) {
		e = map(n, m);
	} else {
		struct first *f = map(n, m);

		e = f ? &f->held : NULL;
		if (f)
			*h = &f->hold;
		if (f)
			f->hold.last = &f->hold.first;
	}
	if (!e)
		return -ENOBUFS;
	fill(e, leg, k, n);
	*(*h)->last = e;
	(*h)->last = &e->next;
	return 0;
}

int hold_release(struct hold **h, int (*write)(void *arg, unsigned leg, const struct chunk *k), void *arg,
		 struct chunker_memory *m)
{
	int e = 0;

	for (struct held *k = *h ? (*h)->first : NULL; k && !e; k = k->next)
		e = write(arg, k->leg, &k->c);
	hold_wipe(h, m);
	return e;
}

void hold_wipe(struct hold **h, struct chunker_memory *m)
{
	struct held *first, *next;

	if (!*h || !(*h)->first)
		return;
	first = (*h)->first;
	for (struct held *k = first->next; k; k = next) {
		next = k->next;
		unmap(k, k->size, m);
	}
	unmap(*h, first->size, m);
	*h = NULL;
}
