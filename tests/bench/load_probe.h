/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load_probe.h - of optag-load.c: how long a call's addresses take to get into the flow table
 *
 * A thread looks at the pinned table that the XDP program reads, from the moment the
 * message that opens media has left until both addresses are open (RECORD or GATE).
 * One call at a time, those in between are not measured. It looks every LOOK_NS, which
 * is how far it may be late.
 */
#ifndef LOAD_PROBE_H
#define LOAD_PROBE_H

#include <pthread.h>
#include <sys/prctl.h>

#include "capture/flow_internal.h"
#include "load_call.h"

#define LOOK_NS	   20000
#define PROBE_MAX  65536
#define PROBE_GIVE 2000000000ULL /* not open after this time: never */

struct probe {
	pthread_t thread;
	struct flow_memory memory; /* mapped as long as the program runs */
	struct optag_hash hash;
	uint32_t mask;
	/* The sender's while !busy, then the thread's. */
	struct optag_key key[2];
	uint64_t sent_ns;
	int busy;
	int stop;
	/* The thread's until it is joined. */
	uint32_t us[PROBE_MAX];
	unsigned n, never;
};

static bool probe_open(struct probe *p, const struct optag_key *k)
{
	struct optag_hit hit;

	return optag_flow_find(&p->memory, &p->hash, p->mask, k, &hit) &&
	       (hit.verdict == OPTAG_V_RECORD || hit.verdict == OPTAG_V_GATE);
}

static void *probe_run(void *arg)
{
	struct timespec nap = { 0, LOOK_NS };
	struct probe *p = arg;

	(void)prctl(PR_SET_TIMERSLACK, 1); /* else it looks every 70 us */
	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		uint64_t now;

		nanosleep(&nap, NULL);
		if (!__atomic_load_n(&p->busy, __ATOMIC_ACQUIRE))
			continue;
		now = mono_ns();
		if (probe_open(p, &p->key[0]) && probe_open(p, &p->key[1])) {
			if (p->n < PROBE_MAX)
				p->us[p->n++] = (uint32_t)((now - p->sent_ns) / 1000);
		} else if (now - p->sent_ns < PROBE_GIVE) {
			continue;
		} else {
			p->never++;
		}
		__atomic_store_n(&p->busy, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void *pinned(const char *dir, const char *name)
{
	struct bpf_map_info info = { 0 };
	uint32_t n = sizeof(info);
	char path[4200];
	void *m;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &n))
		err(1, "%s", path);
	m = mmap(NULL, ((size_t)info.max_entries * ((info.value_size + 7) & ~7u) + 4095) & ~(size_t)4095, PROT_READ,
		 MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	return m;
}

/* dir: where optagd pinned its maps, /sys/fs/bpf/optag/IFNAME. */
static struct probe *probe_start(const char *dir)
{
	struct probe *p = calloc(1, sizeof(*p));
	const struct optag_info *info;

	if (!p)
		err(1, NULL);
	info = pinned(dir, "info");
	if (info->abi != OPTAG_ABI)
		errx(1, "%s: of another version", dir);
	optag_hash_key(info->hash_seed, &p->hash);
	p->mask = info->flow_lines - 1;
	p->memory.flows = pinned(dir, "flows");
	p->memory.tags = pinned(dir, "flow_tags");
	errno = pthread_create(&p->thread, NULL, probe_run, p);
	if (errno)
		err(1, "thread");
	return p;
}

static void probe_call(struct probe *p, const struct load_stream s[2])
{
	if (__atomic_load_n(&p->busy, __ATOMIC_ACQUIRE))
		return;
	for (int i = 0; i < 2; i++) {
		p->key[i].addr[0] = 0;
		memcpy(&p->key[i].addr[1], "\0\0\xff\xff", 4);
		memcpy((uint8_t *)&p->key[i].addr[1] + 4, &s[i].dst, 4);
		p->key[i].port = s[i].dport;
		p->key[i].proto = IPPROTO_UDP;
	}
	p->sent_ns = mono_ns();
	__atomic_store_n(&p->busy, 1, __ATOMIC_RELEASE);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void probe_end(struct probe *p)
{
	__atomic_store_n(&p->stop, 1, __ATOMIC_RELEASE);
	pthread_join(p->thread, NULL);
	qsort(p->us, p->n, sizeof(*p->us), by_value);
	printf(",\"flow_entry\":{\"calls\":%u,\"never\":%u", p->n, p->never);
	if (p->n)
		printf(",\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u", p->us[p->n / 2], p->us[p->n * 99 / 100], p->us[p->n - 1]);
	printf("}");
	free(p);
}

#endif
