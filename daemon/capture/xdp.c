/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp.c - the XDP program: settings, loading, memory of its maps
 *
 * xdp_open goes: check settings, lock and look for pins, size the maps (or take
 * the pinned ones), load, map the memory, attach. Whatever fails takes back all
 * before it, save that adopted pins are left as they were found.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "capture/flow.h"
#include "capture/flow_internal.h"
#include "capture/xdp_internal.h"
#include "optag.skel.h"

const char *const xdp_map_names[XDP_MAPS] = { "flows", "flow_tags",
					      "rings", "signals",    "info",	    "state" };

/* A warning (err 0) joins those before it; an error stands alone. */
int xdp_why(struct xdp *x, int err, const char *fmt, ...)
{
	size_t at = err ? 0 : strnlen(x->why, x->why_n);
	va_list ap;

	if (at && at + 2 < x->why_n) {
		memcpy(x->why + at, "; ", 3);
		at += 2;
	}
	va_start(ap, fmt);
	vsnprintf(x->why + at, x->why_n - at, fmt, ap);
	va_end(ap);
	return err;
}

void xdp_default_settings(struct xdp_settings *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->bpffs = "/sys/fs/bpf";
	ret->flow_lines = 65536; /* 100,000 addresses at load 0.76: 8 MiB, and 256 KiB of tags */
	ret->ring_bytes = 64U << 20; /* 320,000 packets of G.711, 0.2 s at 1.5 million a second */
	ret->rings_total = 1ULL << 30;
	ret->sig_bytes = 16U << 20;
	ret->state_blocks = 2048;
	ret->leg_budget = 200; /* 2,000 packets a second; G.711 in 10 ms packets sends 100 */
	ret->drop_rest = true;
	ret->uid = (uid_t)-1;
	ret->gid = (gid_t)-1;
	ret->sip_ports[0] = 5060;
}

/* ---- settings ---- */

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static int check_settings(struct xdp *x)
{
	const struct xdp_settings *s = &x->set;

	if (!power_of_two(s->flow_lines) || s->flow_lines > 1U << 26)
		return xdp_why(x, -EINVAL, "flow table of %u lines: not a power of two to 2^26",
			       s->flow_lines);
	if (!power_of_two(s->ring_bytes) || s->ring_bytes < OPTAG_RING_MIN ||
	    s->ring_bytes > OPTAG_RING_MAX)
		return xdp_why(x, -EINVAL, "capture ring of %u bytes: not a power of two from %u to %u",
			       s->ring_bytes, OPTAG_RING_MIN, OPTAG_RING_MAX);
	if (!power_of_two(s->sig_bytes) || s->sig_bytes % (uint32_t)getpagesize() ||
	    s->sig_bytes > OPTAG_RING_MAX)
		return xdp_why(x, -EINVAL,
			       "signalling ring of %u bytes: not a power of two in whole pages to %u",
			       s->sig_bytes, OPTAG_RING_MAX);
	if (!s->state_blocks || s->state_blocks > XDP_STATE_MAX)
		return xdp_why(x, -EINVAL, "%u blocks of state: not from 1 to %u", s->state_blocks, XDP_STATE_MAX);
	if (s->leg_budget > 65535)
		return xdp_why(x, -EINVAL, "leg budget %u: more than 65535", s->leg_budget);
	if (!s->ifname)
		return 0;
	if (strlen(s->ifname) >= IF_NAMESIZE || strchr(s->ifname, '/') || s->ifname[0] == '.')
		return xdp_why(x, -EINVAL, "not the name of an interface");
	x->ifindex = (int)if_nametoindex(s->ifname);
	return x->ifindex ? 0 : xdp_why(x, -ENODEV, "%s: no such interface", s->ifname);
}

/* One ring for each CPU that can be: the program's number of its CPU is the index. */
static int size_rings(struct xdp *x)
{
	int n = libbpf_num_possible_cpus();

	if (n < 0)
		return xdp_why(x, n, "number of CPUs: %s", strerror(-n));
	x->nrings = (uint32_t)n;
	x->ring_bytes = x->set.ring_bytes;
	while (x->set.rings_total && x->ring_bytes > OPTAG_RING_MIN &&
	       (uint64_t)x->ring_bytes * x->nrings > x->set.rings_total)
		x->ring_bytes /= 2;
	if (x->ring_bytes < x->set.ring_bytes && !x->set.share)
		xdp_why(x, 0, "a CPU's capture ring is %u, not %u bytes as asked for: with %u CPUs they would be more than %llu together",
			x->ring_bytes, x->set.ring_bytes, x->nrings, (unsigned long long)x->set.rings_total);
	x->asked = (struct xdp_sizes){ x->set.flow_lines, x->ring_bytes, x->set.sig_bytes, x->set.state_blocks, x->set.mode };
	return 0;
}

/* What is pinned, or shared, decides the sizes. */
static int size_adopted(struct xdp *x)
{
	struct bpf_map_info info;
	uint32_t n = sizeof(info);
	struct timespec now;

	memset(&info, 0, sizeof(info));
	if (bpf_obj_get_info_by_fd(x->old[XDP_STATE], &info, &n))
		return xdp_why(x, -errno, "size of a map: %s", strerror(errno));
	x->set.state_blocks = info.max_entries;
	if (x->adopted && x->old_info.alive_until_ns) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		x->was_dead = x->old_info.alive_until_ns < (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	}
	x->nrings = x->old_info.rings;
	x->ring_bytes = x->old_info.ring_bytes;
	x->set.flow_lines = x->old_info.flow_lines;
	x->set.sig_bytes = x->old_info.sig_bytes;
	return 0;
}

static size_t ring_stride(uint32_t bytes)
{
	return sizeof(struct optag_ring) + bytes + OPTAG_RING_SLACK;
}

/* ---- loading ---- */

static int config_of(struct xdp *x, struct optag_config *c)
{
	const struct xdp_settings *s = &x->set;

	memset(c, 0, sizeof(*c));
	c->abi = OPTAG_ABI;
	c->flow_mask = s->flow_lines - 1;
	c->leg_budget = s->leg_budget;
	c->drop_rest = s->drop_rest;
	c->full_time = s->full_time;
	c->ring_bytes = x->ring_bytes;
	for (int i = 0; i < 16 && s->sip_ports[i]; i++)
		c->sip_ports[i] = __builtin_bswap16(s->sip_ports[i]);
	if (x->old[XDP_INFO] >= 0)
		c->hash_seed = x->old_info.hash_seed;
	else if (getrandom(&c->hash_seed, sizeof(c->hash_seed), 0) != (ssize_t)sizeof(c->hash_seed))
		return xdp_why(x, -EIO, "no random numbers");
	optag_hash_key(c->hash_seed, &c->hash);
	return 0;
}

static int size_maps(struct xdp *x)
{
	uint32_t lines = x->set.flow_lines;
	int e = bpf_map__set_max_entries(x->map[XDP_FLOWS], lines * 2);

	if (!e)
		e = bpf_map__set_max_entries(x->map[XDP_TAGS], OPTAG_TAG_PAIRS(lines));
	if (!e)
		e = bpf_map__set_max_entries(x->map[XDP_RINGS], x->nrings);
	if (!e)
		e = bpf_map__set_value_size(x->map[XDP_RINGS], (uint32_t)ring_stride(x->ring_bytes));
	if (!e)
		e = bpf_map__set_max_entries(x->map[XDP_SIGNALS], x->set.sig_bytes);
	if (!e)
		e = bpf_map__set_max_entries(x->map[XDP_STATE], x->set.state_blocks);
	if (!e)
		e = bpf_map__set_max_entries(x->skel->maps.scratch, x->nrings);
	return e;
}

static int take_maps(struct xdp *x)
{
	for (int i = 0; i < XDP_MAPS; i++) {
		int e = bpf_map__reuse_fd(x->map[i], x->old[i]);

		if (e)
			return e;
	}
	return bpf_map__set_max_entries(x->skel->maps.scratch, x->nrings);
}

static int load_failed(struct xdp *x, int e)
{
	if (e == -EPERM || e == -EACCES)
		return xdp_why(x, e, "loading the capture program: %s (it needs CAP_BPF and CAP_NET_ADMIN, "
			       "and a kernel from 6.1 on)", strerror(-e));
	return xdp_why(x, e, "loading the capture program: %s", strerror(-e));
}

/* Debug only: the verifier's words are for developers, and a load that fails is logged by the caller. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

static int load(struct xdp *x)
{
	struct optag_config c;
	int e = config_of(x, &c);

	if (e)
		return e;
	libbpf_set_print(print_libbpf);
	x->skel = optag_bpf__open();
	if (!x->skel)
		return load_failed(x, -errno);
	for (int i = 0; i < XDP_MAPS; i++)
		x->map[i] = bpf_object__find_map_by_name(x->skel->obj, xdp_map_names[i]);
	memcpy(&x->skel->rodata->config, &c, sizeof(c));
	e = x->old[XDP_INFO] >= 0 ? take_maps(x) : size_maps(x);
	if (!e)
		e = optag_bpf__load(x->skel);
	if (e)
		return load_failed(x, e);
	x->prog = bpf_program__fd(x->skel->progs.optag_xdp);
	return 0;
}

/* ---- memory ---- */

static void *map_memory(const struct xdp *x, enum xdp_map m, size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_SHARED, bpf_map__fd(x->map[m]), 0);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap(void *p, size_t n)
{
	if (p)
		munmap(p, n);
}

static int map_all(struct xdp *x)
{
	uint32_t lines = x->set.flow_lines;
	int rw = PROT_READ | PROT_WRITE;

	if (x->set.share)
		return 0;
	x->ring_stride = ring_stride(x->ring_bytes);
	x->flows = map_memory(x, XDP_FLOWS, (size_t)lines * 2 * sizeof(*x->flows), rw);
	x->tags = map_memory(x, XDP_TAGS, OPTAG_TAG_PAIRS(lines) * sizeof(*x->tags), rw);
	x->info = map_memory(x, XDP_INFO, sizeof(*x->info), rw);
	x->rings = map_memory(x, XDP_RINGS, x->nrings * x->ring_stride, rw);
	x->peak = calloc(x->nrings, sizeof(*x->peak));
	x->now = calloc(x->nrings, sizeof(*x->now));
	if (!x->peak || !x->now)
		return xdp_why(x, -ENOMEM, "out of memory");
	x->state = map_memory(x, XDP_STATE, (size_t)x->set.state_blocks * OPTAG_STATE_BLOCK, rw);
	x->sig_pos = map_memory(x, XDP_SIGNALS, 2 * (size_t)getpagesize(), PROT_READ);
	if (!x->state || !x->flows || !x->tags || !x->info || !x->rings || !x->sig_pos)
		return xdp_why(x, -errno, "mapping the kernel's memory: %s", strerror(errno));
	x->signals = ring_buffer__new(bpf_map__fd(x->map[XDP_SIGNALS]), xdp_on_signal, x, NULL);
	if (!x->signals)
		return xdp_why(x, -errno, "signalling ring: %s", strerror(errno));
	return 0;
}

static void write_info(struct xdp *x)
{
	if (x->adopted || x->set.share)
		return;
	x->info->flow_lines = x->set.flow_lines;
	x->info->hash_seed = x->skel->rodata->config.hash_seed;
	x->info->ring_bytes = x->ring_bytes;
	x->info->rings = x->nrings;
	x->info->sig_bytes = x->set.sig_bytes;
	__atomic_store_n(&x->info->abi, OPTAG_ABI, __ATOMIC_RELEASE);
}

static void release(struct xdp *x)
{
	ring_buffer__free(x->signals);
	unmap(x->flows, (size_t)x->set.flow_lines * 2 * sizeof(*x->flows));
	unmap(x->tags, OPTAG_TAG_PAIRS(x->set.flow_lines) * sizeof(*x->tags));
	unmap(x->info, sizeof(*x->info));
	unmap(x->rings, x->nrings * x->ring_stride);
	unmap(x->state, (size_t)x->set.state_blocks * OPTAG_STATE_BLOCK);
	unmap((void *)(uintptr_t)x->sig_pos, 2 * (size_t)getpagesize());
	optag_bpf__destroy(x->skel);
	free(x->peak);
	free(x->now);
	free((void *)(uintptr_t)x->set.ifname);
	free(x);
}

/* ---- life ---- */

static struct xdp *new_xdp(const struct xdp_settings *s, char *why, size_t n)
{
	struct xdp *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->set = *s;
	x->why = why;
	x->why_n = n;
	x->rootfd = x->dirfd = x->link = x->prog = -1;
	for (int i = 0; i < XDP_MAPS; i++)
		x->old[i] = -1;
	if (s->ifname) {
		x->set.ifname = strdup(s->ifname);
		if (!x->set.ifname) {
			free(x);
			return NULL;
		}
	}
	return x;
}

/* As if they had been found pinned. */
static int share_maps(struct xdp *x)
{
	x->old_info = *x->set.share->info;
	for (int i = 0; i < XDP_MAPS; i++) {
		x->old[i] = fcntl(bpf_map__fd(x->set.share->map[i]), F_DUPFD_CLOEXEC, 0);
		if (x->old[i] < 0)
			return xdp_why(x, -errno, "sharing a map: %s", strerror(errno));
	}
	return 0;
}

int xdp_open(const struct xdp_settings *s, struct xdp **ret, char *why, size_t n)
{
	struct xdp *x = new_xdp(s, why, n);
	int e;

	if (n)
		why[0] = '\0';
	if (!x)
		return -ENOMEM;
	e = check_settings(x);
	if (!e && s->share)
		e = share_maps(x);
	if (!e && x->ifindex)
		e = xdp_pins_open(x);
	if (!e)
		e = size_rings(x);
	if (!e && x->old[XDP_INFO] >= 0)
		e = size_adopted(x);
	if (!e)
		e = load(x);
	if (!e)
		e = map_all(x);
	if (!e) {
		if (x->adopted && !s->share)
			xdp_read_before(x);
		write_info(x);
		e = x->ifindex ? xdp_attach(x) : 0;
	}
	if (e) {
		xdp_pins_close(x, x->adopted);
		release(x);
		return e;
	}
	x->why = NULL;
	x->why_n = 0;
	*ret = x;
	return 0;
}

int xdp_release_pins(const char *ifname, const char *bpffs, bool abandoned, char *why, size_t n)
{
	struct xdp_settings s;
	struct xdp *x;
	int e;

	xdp_default_settings(&s);
	s.ifname = ifname;
	if (bpffs)
		s.bpffs = bpffs;
	why[0] = '\0';
	x = new_xdp(&s, why, n);
	if (!x)
		return -ENOMEM;
	/* 0: it is gone, its pins may not be; or they were set aside (the kernel would look for what is before the colon) */
	x->ifindex = strchr(ifname, ':') ? 0 : (int)if_nametoindex(ifname);
	e = xdp_pins_release(x, abandoned);
	if (e <= 0)
		xdp_pins_close(x, true);
	release(x);
	return e;
}

int xdp_release(const char *ifname, const char *bpffs, char *why, size_t n)
{
	return xdp_release_pins(ifname, bpffs, false, why, n);
}

void xdp_close(struct xdp *x, bool keep)
{
	if (!x)
		return;
	xdp_pins_close(x, keep);
	release(x);
}

int xdp_flow_new(struct xdp *x, struct flow_table **ret)
{
	int e = flow_new(x->set.flow_lines, x->info->hash_seed, x->flows, x->tags, ret);

	if (!e)
		flow_keep_gen(*ret, &x->info->gen);
	return e;
}

void *xdp_state(struct xdp *x, size_t *ret_bytes)
{
	*ret_bytes = (size_t)x->set.state_blocks * OPTAG_STATE_BLOCK;
	return x->state;
}

enum xdp_mode xdp_mode(const struct xdp *x)
{
	return x->mode;
}

bool xdp_was_dead(const struct xdp *x)
{
	return x->was_dead;
}

bool xdp_adopted(const struct xdp *x)
{
	return x->adopted;
}

uint32_t xdp_ring_bytes(const struct xdp *x)
{
	return x->ring_bytes;
}

void xdp_sizes(const struct xdp *x, struct xdp_sizes *ret_has, struct xdp_sizes *ret_asked)
{
	*ret_has = (struct xdp_sizes){ x->set.flow_lines, x->ring_bytes, x->set.sig_bytes, x->set.state_blocks, x->mode };
	*ret_asked = x->asked;
}

int xdp_program_fd(const struct xdp *x)
{
	return x->prog;
}
