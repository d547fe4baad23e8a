/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_veth.c - capture on a real interface: attach, lock, take over, leave nothing
 *
 * In network and mount namespaces of its own: a veth pair, frames sent on one end,
 * captured on the other by native XDP, generic XDP and libpcap; each must give what
 * classify_packet gives for the same frames. Then the life of pins and link.
 * Needs root; says so and skips (77) without.
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "capture/live.h"
#include "xdp_common.h"

#define BPFFS_MAX 64
static char bpffs[BPFFS_MAX];

/* ---- namespaces ---- */

/* False when the machine does not let us. */
static bool own_world(void)
{
	snprintf(bpffs, sizeof(bpffs), "/tmp/optag-bpffs-%d", (int)getpid());
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	if (mkdir(bpffs, 0700) || mount("none", bpffs, "bpf", 0, NULL))
		return false;
	return true;
}

/* IPv6 of the kernel's own would add packets to what is counted. */
static bool veth_pair(void)
{
	return !system("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null;"
		       "ip link add tx0 type veth peer name rx0 && ip link set tx0 up && ip link set rx0 up");
}

static void x_settings_veth(struct xdp_settings *s)
{
	x_settings(s);
	s->ifname = "rx0";
	s->bpffs = bpffs;
}

/* ---- frames on the wire ---- */

static int open_sender(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("tx0") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

struct got {
	uint64_t media, sig;
	uint64_t digest; /* sum over records: order between CPUs does not matter */
	uint64_t early;
};

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ULL;
	return h;
}

static uint64_t started;

static void got_media(void *arg, const struct optag_rec *rec, const uint8_t *p)
{
	struct got *g = arg;
	struct optag_rec r = *rec;

	g->early += r.ts_ns && r.ts_ns + NS_PER_S < started;
	r.ts_ns = 0;
	r.gen = 0;
	g->media++;
	g->digest += mix(mix(1, &r, sizeof(r)), p, r.len);
}

static void got_sig(void *arg, const struct optag_sig *sig, const uint8_t *p)
{
	struct got *g = arg;
	struct optag_sig s = *sig;

	g->early += s.ts_ns && s.ts_ns + NS_PER_S < started;
	s.ts_ns = 0;
	s.ifindex = 0;
	g->sig++;
	g->digest += mix(mix(2, &s, sizeof(s)), p, s.len);
}

struct wire {
	int fd;
	struct classify *c;
	uint64_t sent;
	unsigned every, at; /* of the frames, every n-th */
	void (*drain)(struct wire *w);
	struct xdp *x;
	struct live *l;
	struct classify_sink sink;
};

static void wire_frame(void *arg, const struct frame *f, const struct f_want *w)
{
	struct wire *wire = arg;
	const uint8_t *p = f->buf + f->start;
	size_t n = f_len(f);

	(void)w;
	if (wire->at++ % wire->every)
		return;
	if (send(wire->fd, p, n, 0) != (ssize_t)n) {
		CHECK(0, "send: %s", strerror(errno));
		return;
	}
	wire->sent++;
	classify_packet(wire->c, CLASSIFY_ETHERNET, 0, p, n, n, 0, 0);
	if (wire->sent % 32 == 0)
		wire->drain(wire);
}

static void drain_xdp(struct wire *w)
{
	xdp_drain(w->x, &w->sink, 1000);
	xdp_signals(w->x, &w->sink, 1000);
}

static void drain_live(struct wire *w)
{
	int n;

	while ((n = live_drain(w->l, 1000)) > 0)
		;
	CHECK_EQ((unsigned)n, 0);
}

static uint64_t seen(const struct wire *w)
{
	return w->x ? x_count(w->x, OPTAG_C_SEEN) : live_counts(w->l)[OPTAG_C_SEEN];
}

/* All frames, every so many of frames.h; what came must equal what should. */
static void through_wire(struct wire *w, struct flow_table *t)
{
	const uint64_t *want_n;
	uint64_t got_n[OPTAG_C_MAX];
	struct got want = { .media = 0 }, *got = w->sink.arg;
	struct classify_sink user = { .arg = &want, .media = got_media, .signalling = got_sig };
	struct optag_config cfg;
	struct flow_table *ut;

	started = clock_now_ns();
	f_config(&cfg);
	CHECK(!flow_new(F_LINES, F_SEED, NULL, NULL, &ut) && !f_set_flows(ut) && !f_set_flows(t), "flows");
	CHECK(!classify_new(&cfg, ut, &user, &w->c), "classify");
	w->fd = open_sender();
	CHECK(w->fd >= 0, "%s", strerror(errno));
	frames_each(wire_frame, w);
	for (int i = 0; i < 3000 && seen(w) < w->sent; i++) {
		usleep(10000);
		w->drain(w);
	}
	w->drain(w);
	CHECK(w->sent > 100, "%llu sent", (unsigned long long)w->sent);
	if (w->x)
		xdp_counts(w->x, got_n);
	else
		memcpy(got_n, live_counts(w->l), sizeof(got_n));
	want_n = classify_counts(w->c);
	for (int i = 0; i < OPTAG_C_MAX; i++)
		CHECK(got_n[i] == want_n[i], "counter %d: %llu, expected %llu", i,
		      (unsigned long long)got_n[i], (unsigned long long)want_n[i]);
	CHECK_EQ(got->media, want.media);
	CHECK_EQ(got->sig, want.sig);
	CHECK(got->digest == want.digest, "records differ");
	CHECK_EQ(got->early, 0);
	classify_free(w->c);
	flow_free(ut);
	close(w->fd);
}

/* ---- what is left ---- */

struct left {
	uint32_t map[16], prog, link;
	int maps;
};

static uint32_t pinned_map_id(const char *name)
{
	struct bpf_map_info info;
	uint32_t n = sizeof(info);
	char path[128];
	int fd;

	memset(&info, 0, sizeof(info));
	snprintf(path, sizeof(path), "%s/optag/rx0/%s", bpffs, name);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &n))
		info.id = 0;
	if (fd >= 0)
		close(fd);
	return info.id;
}

static void note_left(const struct xdp *x, struct left *ret)
{
	static const char *const names[] = { "flows", "flow_tags", "rings", "signals", "info", "state" };
	struct bpf_prog_info prog;
	struct bpf_link_info link;
	uint32_t n = sizeof(prog), ids[16];
	char path[128];
	int fd;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK(pinned_map_id(names[i]), "%s is pinned", names[i]);
	memset(&prog, 0, sizeof(prog));
	prog.nr_map_ids = 16;
	prog.map_ids = (uintptr_t)ids;
	CHECK(!bpf_obj_get_info_by_fd(xdp_program_fd(x), &prog, &n), "program");
	ret->prog = prog.id;
	ret->maps = (int)prog.nr_map_ids;
	memcpy(ret->map, ids, sizeof(ids));
	ret->map[ret->maps++] = pinned_map_id("state"); /* the program does not use it */
	snprintf(path, sizeof(path), "%s/optag/rx0/link", bpffs);
	fd = bpf_obj_get(path);
	n = sizeof(link);
	memset(&link, 0, sizeof(link));
	CHECK(fd >= 0 && !bpf_obj_get_info_by_fd(fd, &link, &n), "link");
	ret->link = link.id;
	close(fd);
}

static bool gone(int (*get)(__u32), uint32_t id)
{
	/* the kernel frees after a grace period */
	for (int i = 0; i < 3000; i++) {
		int fd = get(id);

		if (fd < 0 && errno == ENOENT)
			return true;
		if (fd >= 0)
			close(fd);
		usleep(10000);
	}
	return false;
}

static void freed(const struct left *l)
{
	CHECK(l->maps >= 7, "%d maps", l->maps);
	for (int i = 0; i < l->maps; i++)
		CHECK(gone(bpf_map_get_fd_by_id, l->map[i]), "map %u is still there", l->map[i]);
	CHECK(gone(bpf_prog_get_fd_by_id, l->prog), "the program is still there");
	CHECK(gone(bpf_link_get_fd_by_id, l->link), "the link is still there");
}

static void nothing_left(const struct left *l)
{
	char path[128];

	freed(l);
	snprintf(path, sizeof(path), "%s/optag/rx0", bpffs);
	CHECK(access(path, F_OK) && errno == ENOENT, "%s is still there", path);
}

/* ---- tests ---- */

static void test_capture(bool native)
{
	struct got g = { .media = 0 };
	struct wire w = { .every = 3, .drain = drain_xdp, .sink = { .arg = &g, .media = got_media, .signalling = got_sig } };
	struct xdp_settings s;
	struct flow_table *t;
	struct left left;

	x_settings_veth(&s);
	s.mode = native ? XDP_UNATTACHED : XDP_GENERIC;
	w.x = x_open(&s, &t);
	CHECK(xdp_mode(w.x) == (native ? XDP_NATIVE : XDP_GENERIC), "mode %d", xdp_mode(w.x));
	through_wire(&w, t);
	x_balance(w.x);
	note_left(w.x, &left);
	x_close(w.x, t);
	nothing_left(&left);
}

static void test_libpcap(void)
{
	struct got g = { .media = 0 };
	struct wire w = { .every = 3, .drain = drain_live, .sink = { .arg = &g, .media = got_media, .signalling = got_sig } };
	struct live_settings s;
	struct optag_config cfg;
	struct flow_table *t;
	struct live_losses lost;
	char why[256];
	int r;

	live_default_settings(&s);
	s.ifname = "rx0";
	f_config(&cfg);
	CHECK(!flow_new(F_LINES, F_SEED, NULL, NULL, &t), "flows");
	r = live_open(&s, &cfg, t, &w.sink, &w.l, why, sizeof(why));
	CHECK(!r, "%s", why);
	if (r)
		return;
	CHECK(live_fd(w.l) >= 0, "descriptor");
	through_wire(&w, t);
	live_losses(w.l, &lost);
	CHECK_EQ(lost.kernel, 0);
	live_close(w.l);
	flow_free(t);
	s.ifname = "no-such-if";
	CHECK_EQ((unsigned)-live_open(&s, &cfg, t, &w.sink, &w.l, why, sizeof(why)), ENODEV);
}

/* The descriptor wakes for signalling and for nothing else. */
static void test_wakeup(void)
{
	struct got g = { .media = 0 };
	struct classify_sink sink = { .arg = &g, .media = got_media, .signalling = got_sig };
	struct xdp_settings s;
	struct flow_table *t;
	struct pollfd pfd;
	struct frame f;
	struct xdp *x;
	int fd;

	x_settings_veth(&s);
	x = x_open(&s, &t);
	f_set_flows(t);
	fd = open_sender();
	pfd = (struct pollfd){ xdp_signal_fd(x), POLLIN, 0 };
	x_rtp(&f, F_DST4, F_P_RECORD, 8, 172, 1);
	CHECK(send(fd, f.buf + f.start, f_len(&f), 0) > 0, "send");
	for (int i = 0; i < 3000 && !x_count(x, OPTAG_C_AUDIO); i++)
		usleep(10000);
	CHECK_EQ((unsigned)poll(&pfd, 1, 0), 0);
	x_sip(&f, 172);
	CHECK(send(fd, f.buf + f.start, f_len(&f), 0) > 0, "send");
	CHECK_EQ((unsigned)poll(&pfd, 1, 60000), 1);
	CHECK_EQ((unsigned)xdp_signals(x, &sink, 10), 1);
	CHECK_EQ((unsigned)poll(&pfd, 1, 0), 0);
	CHECK_EQ(xdp_drain(x, &sink, 10), 1);
	close(fd);
	x_close(x, t);
}

/* The second daemon is another process: refused while the first lives, adopts when it is gone. */
static int in_child(void (*f)(void))
{
	int status;
	pid_t p;

	fflush(NULL);
	p = fork();
	if (!p) {
		fails = 0;
		f();
		fflush(NULL);
		_exit(fails ? 1 : 0);
	}
	return p > 0 && waitpid(p, &status, 0) == p && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void second_daemon(void)
{
	struct xdp_settings s;
	char why[256];
	struct xdp *x;

	x_settings_veth(&s);
	CHECK_EQ((unsigned)-xdp_open(&s, &x, why, sizeof(why)), EBUSY);
	CHECK(strstr(why, "another daemon"), "%s", why);
	s.replace = true; /* no way around the lock */
	CHECK_EQ((unsigned)-xdp_open(&s, &x, why, sizeof(why)), EBUSY);
}

static void test_lock(void)
{
	struct xdp_settings s;
	struct flow_table *t;
	struct left left;
	struct xdp *x;

	x_settings_veth(&s);
	x = x_open(&s, &t);
	CHECK_EQ((unsigned)in_child(second_daemon), 0);
	CHECK(xdp_mode(x) == XDP_NATIVE, "untouched");
	note_left(x, &left);
	x_close(x, t);
	nothing_left(&left);
}

static void send_one(uint16_t port, uint32_t seed)
{
	struct frame f;
	int fd = open_sender();

	x_rtp(&f, F_DST4, port, 8, 172, seed);
	CHECK(send(fd, f.buf + f.start, f_len(&f), 0) > 0, "send");
	close(fd);
}

/* Dies without closing anything, as kill -9 would have it. */
static void dying_daemon(void)
{
	struct xdp_settings s;
	struct flow_table *t;
	struct endpoint at;
	struct xdp *x;

	x_settings_veth(&s);
	x = x_open(&s, &t);
	CHECK(!xdp_adopted(x), "nothing to adopt");
	f_set_flows(t);
	f_endpoint(0, F_P_BLOCK, &at);
	flow_clear(t, &at, IPPROTO_UDP, 0x1003);
	send_one(F_P_RECORD, 1);
	_exit(fails ? 1 : 0);
}

struct seeds {
	uint64_t sum, n;
	uint32_t ring, max_gen;
};

static void seed_media(void *arg, const struct optag_rec *rec, const uint8_t *p)
{
	struct seeds *s = arg;

	s->sum += be32dec(p + 4);
	s->n++;
	s->ring = rec->ring;
	s->max_gen = rec->gen > s->max_gen ? rec->gen : s->max_gen;
}

/* Between two daemons the program records on; the next one has every packet, each once. */
static void test_takeover(void)
{
	struct seeds got = { .n = 0 };
	struct classify_sink sink = { .arg = &got, .media = seed_media };
	struct flow_rule rule = { .verdict = OPTAG_V_RECORD, .te = { OPTAG_NO_PT, OPTAG_NO_PT },
				  .proto = IPPROTO_UDP, .ring = 9 };
	struct xdp_settings s;
	struct flow_table *t;
	struct endpoint at;
	struct left left;
	struct xdp *x;
	uint32_t gen;

	CHECK_EQ((unsigned)in_child(dying_daemon), 0);
	send_one(F_P_RECORD, 10);
	x_settings_veth(&s);
	s.flow_lines = 2 * F_LINES; /* what is pinned decides */
	s.ring_bytes = 4 << 20;
	x = x_open(&s, &t);
	CHECK(xdp_adopted(x), "adopted");
	CHECK(xdp_mode(x) == XDP_NATIVE, "mode %d", xdp_mode(x));
	CHECK_EQ(xdp_ring_bytes(x), 1 << 20);
	send_one(F_P_RECORD, 100);
	for (int i = 0; i < 3000 && x_count(x, OPTAG_C_AUDIO) < 3; i++)
		usleep(10000);
	xdp_drain(x, &sink, 100);
	CHECK_EQ(got.n, 3);
	CHECK_EQ(got.sum, 111);
	CHECK_EQ(got.ring, 0x1001);
	CHECK_EQ(flow_count(t), 11); /* twelve set, one cleared */
	/* generations go on behind those given, cleared ones included */
	f_endpoint(0, F_P_NONE, &at);
	CHECK(!flow_set(t, &at, &rule, &gen), "set");
	CHECK_EQ(gen, 13);
	x_balance(x);
	note_left(x, &left);
	/* once more, by closing with keep */
	flow_free(t);
	xdp_close(x, true);
	x = x_open(&s, &t);
	CHECK(xdp_adopted(x), "adopted again");
	x_close(x, t);
	nothing_left(&left);
	x = x_open(&s, &t);
	CHECK(!xdp_adopted(x), "nothing was left to adopt");
	x_close(x, t);
}

/* Pins of another version are refused in words, and replaced when that is asked for. */
static void test_misfit(void)
{
	struct xdp_settings s;
	struct optag_info info;
	struct flow_table *t;
	struct left left, left2;
	char path[128], why[256];
	struct xdp *x;
	uint32_t zero = 0;
	int fd;

	x_settings_veth(&s);
	x = x_open(&s, &t);
	note_left(x, &left);
	flow_free(t);
	xdp_close(x, true);
	snprintf(path, sizeof(path), "%s/optag/rx0/info", bpffs);
	fd = bpf_obj_get(path);
	CHECK(fd >= 0 && !bpf_map_lookup_elem(fd, &zero, &info), "info");
	info.abi++;
	CHECK(!bpf_map_update_elem(fd, &zero, &info, BPF_ANY), "info");
	CHECK_EQ((unsigned)-xdp_open(&s, &x, why, sizeof(why)), ESTALE);
	CHECK(strstr(why, "another version"), "%s", why);
	/* a description that promises more than the maps have is no way out of bounds */
	info.abi--;
	info.ring_bytes *= 4;
	bpf_map_update_elem(fd, &zero, &info, BPF_ANY);
	CHECK_EQ((unsigned)-xdp_open(&s, &x, why, sizeof(why)), ESTALE);
	close(fd);
	s.replace = true;
	CHECK(!xdp_open(&s, &x, why, sizeof(why)), "%s", why);
	CHECK(strstr(why, "replaced"), "%s", why);
	CHECK(!xdp_adopted(x) && xdp_mode(x) == XDP_NATIVE, "anew");
	note_left(x, &left2);
	freed(&left);
	xdp_close(x, false);
	nothing_left(&left2);
}

static char said_of[64];
static int said_rc;

static void on_said(const char *ifname, int rc)
{
	snprintf(said_of, sizeof(said_of), "%s", ifname);
	said_rc = rc;
}

static void look_for_abandoned(const char *dir, time_t age, bool goes)
{
	struct timespec then[2] = { { .tv_sec = time(NULL) - age }, { .tv_sec = time(NULL) - age } };

	*said_of = 0;
	CHECK(!utimensat(AT_FDCWD, dir, then, 0), "utimensat");
	CHECK_EQ((unsigned)xdp_release_abandoned(bpffs, on_said), 0);
	CHECK(goes ? !strcmp(said_of, "rx0") && said_rc == 1 : !*said_of, "after %ld s: %s, %d", (long)age, said_of, said_rc);
}

/* What a daemon of another version left is nobody's when it is old. */
static void test_abandoned_stranger(void)
{
	struct xdp_settings s;
	struct flow_table *t;
	struct optag_info info;
	struct left left;
	struct xdp *x;
	char path[128], dir[96];
	uint32_t zero = 0;
	int fd;

	x_settings_veth(&s);
	x = x_open(&s, &t);
	note_left(x, &left);
	snprintf(dir, sizeof(dir), "%s/optag/rx0", bpffs);
	snprintf(path, sizeof(path), "%s/info", dir);
	fd = bpf_obj_get(path);
	CHECK(fd >= 0 && !bpf_map_lookup_elem(fd, &zero, &info), "info");
	info.abi++;
	CHECK(!bpf_map_update_elem(fd, &zero, &info, BPF_ANY), "info");
	close(fd);
	look_for_abandoned(dir, 6000, false); /* it runs */
	flow_free(t);
	xdp_close(x, true);
	look_for_abandoned(dir, 590, false);
	look_for_abandoned(dir, 610, true);
	nothing_left(&left);
}

/* An XDP program of somebody else is left alone. */
static void test_foreign(void)
{
	struct xdp_settings s;
	struct flow_table *t;
	struct xdp *first, *x;
	char why[256];
	struct bpf_link_info info;
	uint32_t n = sizeof(info);
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = 1U << 2 /* XDP_FLAGS_DRV_MODE */);
	int fd;

	x_settings(&s);
	first = x_open(&s, &t); /* loaded, not attached: we attach it by hand */
	fd = bpf_link_create(xdp_program_fd(first), (int)if_nametoindex("rx0"), BPF_XDP, &o);
	CHECK(fd >= 0, "attach");
	x_settings_veth(&s);
	CHECK_EQ((unsigned)-xdp_open(&s, &x, why, sizeof(why)), EBUSY);
	CHECK(strstr(why, "another XDP program"), "%s", why);
	memset(&info, 0, sizeof(info));
	CHECK(!bpf_obj_get_info_by_fd(fd, &info, &n) && info.xdp.ifindex == if_nametoindex("rx0"),
	      "the other's link");
	close(fd);
	x_close(first, t);
}

/* The interface goes away while pins are there; the next of its name starts anew. */
static void test_gone_interface(void)
{
	struct xdp_settings s;
	struct flow_table *t;
	struct xdp *x;

	x_settings_veth(&s);
	x = x_open(&s, &t);
	flow_free(t);
	xdp_close(x, true);
	CHECK(!system("ip link del tx0") && veth_pair(), "new pair");
	x = x_open(&s, &t);
	CHECK(!xdp_adopted(x), "a link to nothing is not adopted");
	CHECK(xdp_mode(x) == XDP_NATIVE, "attached");
	x_close(x, t);
}

/* No native XDP on a bridge: generic with the reason, or refused when that is not allowed. */
static void test_fallback(void)
{
	struct xdp_settings s;
	char why[256];
	struct xdp *x;

	CHECK(!system("ip link del tx0 2>/dev/null; ip link add rx0 type bridge"), "bridge");
	x_settings_veth(&s);
	s.mode = XDP_NATIVE;
	CHECK(xdp_open(&s, &x, why, sizeof(why)) < 0, "native on a bridge");
	s.mode = XDP_UNATTACHED;
	CHECK(!xdp_open(&s, &x, why, sizeof(why)), "%s", why);
	CHECK(strstr(why, "generic"), "%s", why);
	CHECK(xdp_mode(x) == XDP_GENERIC, "mode %d", xdp_mode(x));
	xdp_close(x, false);
	CHECK(!system("ip link del rx0"), "bridge");
}

int main(void)
{
	if (geteuid())
		return skip("network namespaces", EPERM);
	if (!own_world())
		return skip("network namespaces", errno);
	if (!veth_pair()) {
		printf("SKIP: no veth\n");
		rmdir(bpffs);
		return 77;
	}
	test_capture(true);
	test_capture(false);
	test_libpcap();
	test_wakeup();
	test_lock();
	test_takeover();
	test_misfit();
	test_abandoned_stranger();
	test_foreign();
	test_gone_interface();
	test_fallback();
	umount(bpffs);
	rmdir(bpffs);
	printf("%lu checks, %lu failed\n", checks, fails);
	return fails || !checks;
}
