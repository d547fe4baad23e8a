/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_classify_bpf.c - the classifier as BPF and as C give the same
 *
 * Loads classify_test.bpf.o (beside this program) and feeds every frame of
 * frames.h, whole and cut, to both: BPF_PROG_TEST_RUN here, classify_packet
 * there, on a flow table each (here the mmap of the BPF array) that were filled alike.
 * Decision, record header and offset must be equal, and in the end all of both tables.
 * Needs root and bpf(2); says so and skips (77) without.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/classify.h"
#include "capture/flow_internal.h"
#include "classify_test.h"
#include "tests/frames.h"

_Static_assert(CLASSIFY_TEST_LINES == F_LINES, "both sides have the same table");

struct both {
	struct bpf_object *obj;
	int prog, results;
	struct flow_table *t, *kernel_t;
	struct classify *c;
	struct classify_result want; /* user space's, for the frame at hand */
	const uint8_t *frame;
	unsigned long runs, fails;
};

/* The verifier's reasons stand at the end of its log: nothing is cut. */
static int print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static void on_media(void *arg, const struct optag_rec *rec, const uint8_t *payload)
{
	struct both *b = arg;

	b->want.rec = *rec;
	b->want.offset = (uint32_t)(payload - b->frame);
}

static void on_signalling(void *arg, const struct optag_sig *sig, const uint8_t *packet)
{
	struct both *b = arg;

	b->want.sig = *sig;
	b->want.offset = (uint32_t)(packet - b->frame);
}

static enum optag_count user_side(struct both *b, const uint8_t *frame, size_t n)
{
	uint64_t before[OPTAG_C_MAX];

	memcpy(before, classify_counts(b->c), sizeof(before));
	memset(&b->want, 0, sizeof(b->want));
	b->frame = frame;
	classify_packet(b->c, CLASSIFY_ETHERNET, 0, frame, n, n, 0, 0);
	for (int i = OPTAG_C_SEEN + 1; i < OPTAG_C_MAX; i++)
		if (classify_counts(b->c)[i] != before[i])
			return (enum optag_count)i;
	return OPTAG_C_SEEN;
}

static int kernel_side(struct both *b, const uint8_t *frame, size_t n, struct classify_result *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)n,
		    .repeat = 1);
	struct classify_result none = { .count = 0 };
	uint32_t zero = 0;
	int r = bpf_map_update_elem(b->results, &zero, &none, BPF_ANY);

	if (!r)
		r = bpf_prog_test_run_opts(b->prog, &o);
	return r ? r : bpf_map_lookup_elem(b->results, &zero, ret);
}

static void compare(struct both *b, const uint8_t *frame, size_t n, const struct f_want *w)
{
	struct classify_result got = { .count = 0 };
	int r = kernel_side(b, frame, n, &got);

	b->want.count = user_side(b, frame, n);
	b->runs++;
	if (!r && !memcmp(&got, &b->want, sizeof(got)))
		return;
	if (++b->fails <= 20)
		fprintf(stderr, "%s, IPv%d, %s, %zu bytes: BPF %u at %u, C %u at %u (run: %d)\n",
			w->encap, w->family, w->content, n, got.count, got.offset, b->want.count,
			b->want.offset, r);
}

static void visit(void *arg, const struct frame *f, const struct f_want *w)
{
	struct both *b = arg;
	const uint8_t *p = f->buf + f->start;
	size_t n = f_len(f);

	compare(b, p, n, w);
	/* XDP sees no frame under an Ethernet header; a prime step meets every header somewhere */
	for (size_t cut = 14 + b->runs % 13; cut < n; cut += 13)
		compare(b, p, cut, w);
}

static int skip(const char *why, int err)
{
	printf("SKIP: %s: %s\n", why, strerror(err));
	return 77;
}

static struct bpf_map *map_ending(struct bpf_object *obj, const char *suffix)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, obj) {
		const char *name = bpf_map__name(m);

		if (strlen(name) >= strlen(suffix) &&
		    !strcmp(name + strlen(name) - strlen(suffix), suffix))
			return m;
	}
	return NULL;
}

static int load(struct both *b)
{
	char exe[PATH_MAX] = "", path[PATH_MAX + 32];
	struct optag_config cfg;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/classify_test.bpf.o", dirname(exe));
	libbpf_set_print(print);
	b->obj = bpf_object__open_file(path, NULL);
	if (!b->obj) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -ENOENT;
	}
	f_config(&cfg);
	optag_hash_key(cfg.hash_seed, &cfg.hash);
	if (bpf_map__set_initial_value(map_ending(b->obj, ".rodata"), &cfg, sizeof(cfg)))
		return -EINVAL;
	return bpf_object__load(b->obj);
}

static void *map_memory(struct both *b, const char *name, size_t n)
{
	int fd = bpf_object__find_map_fd_by_name(b->obj, name);
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int prepare(struct both *b)
{
	struct classify_sink sink = { .arg = b, .media = on_media, .signalling = on_signalling };
	struct optag_flow *flows = map_memory(b, "flows", F_LINES * 2 * sizeof(*flows));
	struct optag_tag_pair *tags = map_memory(b, "flow_tags", OPTAG_TAG_PAIRS(F_LINES) * sizeof(*tags));
	struct optag_config cfg;
	int r;

	if (!flows || !tags)
		return -errno;
	b->prog = bpf_program__fd(bpf_object__find_program_by_name(b->obj, "classify_test"));
	b->results = bpf_object__find_map_fd_by_name(b->obj, "results");
	f_config(&cfg);
	r = flow_new(F_LINES, F_SEED, flows, tags, &b->kernel_t);
	if (!r)
		r = f_set_flows(b->kernel_t);
	if (!r)
		r = flow_new(F_LINES, F_SEED, NULL, NULL, &b->t);
	if (!r)
		r = f_set_flows(b->t);
	return r ? r : classify_new(&cfg, b->t, &sink, &b->c);
}

/* Whatever moved a flow's counters in C moved them in BPF. */
static void compare_flow_counters(struct both *b)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < F_LINES * 2; i++) {
		const struct optag_flow *k = &flow_entries(b->kernel_t)[i], *u = &flow_entries(b->t)[i];

		sum += k->counts[OPTAG_F_PASSED] + k->counts[OPTAG_F_EVENTS] + k->counts[OPTAG_F_BLOCKED];
		if (memcmp(k, u, sizeof(*k))) {
			fprintf(stderr, "flow %zu: counters differ\n", i);
			b->fails++;
		}
	}
	if (!sum) {
		fprintf(stderr, "no flow counted anything\n");
		b->fails++;
	}
}

int main(void)
{
	struct both b = { .obj = NULL };
	int r;

	if (geteuid())
		return skip("loading BPF", EPERM);
	r = load(&b);
	if (r == -EPERM || r == -ENOSYS)
		return skip("loading BPF", -r);
	if (!r)
		r = prepare(&b);
	if (r) {
		fprintf(stderr, "loading: %s\n", strerror(-r));
		return 1;
	}
	frames_each(visit, &b);
	compare_flow_counters(&b);
	printf("%lu frames to both, %lu differ\n", b.runs, b.fails);
	classify_free(b.c);
	flow_free(b.t);
	flow_free(b.kernel_t);
	bpf_object__close(b.obj);
	return b.fails || !b.runs;
}
