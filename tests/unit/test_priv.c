/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_priv.c - what is left after priv.c: in child processes, because nothing of it can be undone
 *
 * The child with the filter writes a call into a store, answers on the control
 * socket and the metrics page; then each forbidden thing kills it with SIGSYS.
 * What the filter does not see, requests of the store's io_uring, the kernel
 * refuses by itself.
 */
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rtlink.h"
#include "ctl.h"
#include "metrics.h"
#include "priv.h"
#include "status.h"
#include "store/writer.h"
#include "store_util.h"

#define MUST(x)                                                                  \
	do {                                                                     \
		if (!(x)) {                                                      \
			dprintf(2, "line %d: %s (%s)\n", __LINE__, #x, strerror(errno)); \
			_exit(1);                                                \
		}                                                                \
	} while (0)

static char dir[64];

/* root becomes nobody; others stay who they are. */
static struct priv_user user(void)
{
	struct priv_user u = { .uid = getuid(), .gid = getgid() };
	char why[256];

	if (getuid() == 0)
		MUST(priv_find_user("nobody", NULL, &u, why, sizeof(why)) == 0);
	return u;
}

static int child(void (*run)(void *arg), void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &core);
		run(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void c_start(void *arg)
{
	struct rlimit r;
	char why[256];

	(void)arg;
	MUST(priv_start(why, sizeof(why)) == 0);
	MUST(prctl(PR_GET_DUMPABLE) == 0);
	MUST(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max == 0);
	MUST(umask(0) == 007);
}

static void test_start(void **state)
{
	(void)state;
	assert_int_equal(child(c_start, NULL), 0);
}

static uint64_t permitted(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	MUST(syscall(SYS_capget, &h, d) == 0);
	return d[0].permitted | (uint64_t)d[1].permitted << 32;
}

static void c_drop(void *arg)
{
	struct priv_user u = user();
	uint64_t want = 1ULL << CAP_NET_ADMIN | 1ULL << CAP_IPC_LOCK;
	bool root = getuid() == 0;
	char why[256] = "";

	(void)arg;
	if (priv_drop(&u, PRIV_KEEP_NET_ADMIN | PRIV_KEEP_IPC_LOCK, why, sizeof(why))) {
		dprintf(2, "%s\n", why);
		_exit(1);
	}
	MUST(getuid() == u.uid && geteuid() == u.uid && getgid() == u.gid);
	MUST(permitted() == (root ? want : 0));
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	MUST(prctl(PR_GET_DUMPABLE) == 0);
	MUST(!root || prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0);
	MUST(!root || (setuid(0) != 0 && access("/etc/shadow", R_OK) != 0));
	MUST(getgroups(0, NULL) == 0 || !root);
	MUST(priv_drop_caps(why, sizeof(why)) == 0 && permitted() == 0);
}

static void c_unknown(void *arg)
{
	struct priv_user u;
	char why[256] = "";

	(void)arg;
	MUST(priv_find_user("no-such-user-here", NULL, &u, why, sizeof(why)) == -ENOENT && strstr(why, "no-such-user-here"));
	MUST(priv_find_user("root", "no-such-group-here", &u, why, sizeof(why)) == -ENOENT && strstr(why, "group"));
}

static void test_drop(void **state)
{
	(void)state;
	assert_int_equal(child(c_drop, NULL), 0);
	assert_int_equal(child(c_unknown, NULL), 0);
}

/* ---- the filter ---- */

static void *thread(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static int h_ping(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	(void)arg;
	(void)p;
	(void)rq;
	(void)why;
	(void)n;
	return json_object_set_new(answer, "pong", json_true());
}

static int link_fd; /* of before the filter */

static void page(void *arg, struct buf *out)
{
	static struct status s;
	struct rtlink l;

	(void)arg;
	strcpy(s.store_dir, dir);
	s.ninterface = 1;
	strcpy(s.interface[0].name, "lo");
	status_read_interface(&s.interface[0], 0, link_fd);
	MUST(rtlink_ask(link_fd, "lo", &l) == 0);
	status_read_disk(&s);
	status_metrics(&s, out);
}

/* The store: a call with audio, durable. */
static void one_call(struct store *st)
{
	write_call(st, 1, 2);
	MUST(store_sync(st) == 0);
	store_close(st);
}

/* The store's ring, as somebody would have it who is in the process. */
static struct io_uring *ring;
int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *r, struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *r, struct io_uring_params *p);

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *r, struct io_uring_params *p)
{
	ring = r;
	return __real_io_uring_queue_init_params(entries, r, p);
}

static int ring_does(struct io_uring_sqe *sqe)
{
	struct io_uring_cqe *cqe;
	int res;

	MUST(io_uring_submit(ring) == 1 && io_uring_wait_cqe(ring, &cqe) == 0);
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	(void)sqe;
	return res;
}

/* It writes to what is open, and has none of the calls that the filter forbids, nor others. */
static void ring_is_tame(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	int p[2];
	char c;

	MUST(pipe2(p, O_CLOEXEC) == 0);
	io_uring_prep_write(sqe, p[1], "x", 1, 0);
	MUST(ring_does(sqe) == 1 && read(p[0], &c, 1) == 1 && c == 'x');
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_socket(sqe, AF_INET, SOCK_STREAM, 0, 0);
	MUST(ring_does(sqe) == -EACCES);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_connect(sqe, p[0], (struct sockaddr *)&in, sizeof(in));
	MUST(ring_does(sqe) == -EACCES);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	MUST(ring_does(sqe) == -EACCES);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_read(sqe, p[0], &c, 1, 0);
	MUST(ring_does(sqe) == -EACCES);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_write(sqe, p[1], "x", 1, 0);
	sqe->flags |= IOSQE_ASYNC;
	MUST(ring_does(sqe) == -EACCES);
	MUST(close(p[0]) == 0 && close(p[1]) == 0);
}

/* A store that is repaired has another writer in the same ring: nothing is made for it that the filter forbids. */
static void two_writers(const struct root *root, struct writer_ring *r)
{
	static const uint8_t bytes[3 << 20];
	struct writer *w;
	struct extent e;
	struct why why;

	for (int i = 0; i < 2; i++) {
		MUST(writer_new(root, r, &w, &why) == 0);
		for (unsigned k = 0; k < 3; k++)
			MUST(writer_append(w, "acme", 20270228 + k, bytes, sizeof(bytes), &e, &why) == 0);
		MUST(writer_sync(w, &why) == 0);
		writer_free(w);
		MUST(writer_ring_works(r));
	}
}

struct job {
	const char *store; /* a store, and work in it; else NULL */
	void (*forbidden)(void);
	unsigned what; /* enum priv_syscalls, besides PRIV_S_INET */
};

static void filtered(void *arg)
{
	static const struct ctl_handler handlers[] = { { "ping", 0, h_ping }, { 0 } };
	const struct job *j = arg;
	struct endpoint at = { .port = 0 };
	struct priv_user u = user();
	struct root root = { .fd = -1 };
	struct writer_ring *r = NULL;
	struct store *st = NULL;
	struct store_figures f;
	struct metrics *m;
	struct ctl *ctl;
	struct why w;
	char path[128], why[512] = "", line[64] = "";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int client = socket(AF_UNIX, SOCK_STREAM, 0), web = socket(AF_INET, SOCK_STREAM, 0), ran = 0, fd;
	pthread_t t;

	snprintf(path, sizeof(path), "%s/ctl%d", dir, (int)getpid());
	MUST(ctl_new(path, (gid_t)-1, handlers, NULL, &ctl, why, sizeof(why)) == 0);
	MUST(ipaddr_parse("127.0.0.1", 9, &at.addr) == 0);
	MUST(metrics_new(&at, page, NULL, &m, why, sizeof(why)) == 0);
	strcpy(a.sun_path, path);
	MUST(connect(client, (struct sockaddr *)&a, sizeof(a)) == 0); /* before: the filter forbids connect */
	{
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)metrics_port(m)),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		MUST(connect(web, (struct sockaddr *)&in, sizeof(in)) == 0);
	}
	MUST(priv_start(why, sizeof(why)) == 0 && priv_drop(&u, 0, why, sizeof(why)) == 0);
	if (j->store) { /* before: rings are made then */
		MUST(root_open(j->store, &root, &w) == 0 && writer_ring_new(&r) == 0);
		if (store_open(j->store, STORE_RW, &st, why, sizeof(why))) {
			dprintf(2, "%s\n", why);
			_exit(1);
		}
		store_figures(st, &f);
		MUST(f.ring == writer_ring_works(r));
	}
	if (priv_seccomp(PRIV_S_INET | j->what, why, sizeof(why))) {
		dprintf(2, "%s\n", why);
		_exit(1);
	}

	/* What the daemon does. */
	MUST(pthread_create(&t, NULL, thread, &ran) == 0 && pthread_join(t, NULL) == 0 && ran);
	MUST(clock_zone_exists("Europe/Copenhagen"));
	if (j->store) {
		if (f.ring) {
			ring_is_tame();
			two_writers(&root, r);
		}
		one_call(st);
		writer_ring_free(r);
		root_close(&root);
	}
	MUST(write(client, "{\"do\":\"ping\"}\n", 14) == 14);
	for (int i = 0; i < 5; i++)
		ctl_run(ctl);
	MUST(read(client, line, sizeof(line) - 1) > 0 && strstr(line, "pong"));
	MUST(write(web, "GET /metrics HTTP/1.0\r\n\r\n", 25) == 25);
	for (struct pollfd p = { .fd = web, .events = POLLIN }; poll(&p, 1, 10) == 0;)
		metrics_run(m);
	MUST(read(web, line, 12) == 12 && strncmp(line, "HTTP/1.", 7) == 0);
	fd = open("/proc/self/status", O_RDONLY);
	MUST(fd >= 0 && read(fd, line, 10) == 10 && close(fd) == 0);
	metrics_free(m);
	ctl_free(ctl);
	MUST(priv_drop_caps(why, sizeof(why)) == 0);

	if (j->forbidden)
		j->forbidden();
}

static void f_exec(void) { execl("/bin/true", "true", (char *)NULL); }
static void f_ptrace(void) { ptrace(PTRACE_TRACEME, 0, 0, 0); }
static void f_inet(void) { socket(AF_INET, SOCK_STREAM, 0); }
static void f_unix(void) { socket(AF_UNIX, SOCK_STREAM, 0); }
static void f_netlink(void) { socket(AF_NETLINK, SOCK_RAW, 0); }
static void f_fork(void) { fork(); }
static void f_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static void f_map_code(void) { mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void f_kill(void) { kill(getppid(), 0); }
static void f_bpf(void) { syscall(SYS_bpf, 0, 0, 0); }
static void f_mount(void) { syscall(SYS_umount2, "/nowhere", 0); }
static void f_memory(void) { syscall(SYS_process_vm_readv, getpid(), 0, 0, 0, 0, 0); }
static void f_limits(void)
{
	struct rlimit r = { 0, 0 };

	setrlimit(RLIMIT_NOFILE, &r);
}
static void f_ring(void)
{
	struct io_uring_params p = { 0 };

	syscall(SYS_io_uring_setup, 4, &p);
}
static void f_ring_register(void) { syscall(SYS_io_uring_register, -1, IORING_REGISTER_FILES, NULL, 0); }
static void f_ioctl(void) { syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI: types into a terminal */, "x"); }

static void test_filter(void **state)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} t[] = {
		{ "execve", f_exec },	{ "ptrace", f_ptrace },	  { "socket(AF_INET)", f_inet },  { "socket(AF_UNIX)", f_unix },
		{ "socket(AF_NETLINK)", f_netlink }, { "fork", f_fork }, { "mprotect exec", f_code }, { "mmap exec", f_map_code },
		{ "kill", f_kill },	{ "bpf", f_bpf },	  { "umount", f_mount },	  { "process_vm_readv", f_memory },
		{ "setrlimit", f_limits }, { "ioctl", f_ioctl },
		{ "io_uring_setup", f_ring }, { "io_uring_register", f_ring_register },
	};
	char store[96], keys[96], why[512] = "";
	struct job job;
	int status;

	(void)state;
	if (getenv("SAN") && *getenv("SAN")) {
		print_message("SKIP: the sanitizers' run time needs system calls of its own\n");
		return;
	}
	snprintf(store, sizeof(store), "%s/store", dir);
	snprintf(keys, sizeof(keys), "%s/keys", dir);
	if (store_create(store, keys, NULL, NULL, why, sizeof(why)))
		fail_msg("%s", why);
	if (getuid() == 0) {
		char cmd[256];

		snprintf(cmd, sizeof(cmd), "chown -R nobody %s", dir);
		assert_int_equal(system(cmd), 0);
	}
	job = (struct job){ .store = store };
	status = child(filtered, &job);
	if (status)
		fail_msg("with the filter the daemon's work fails: status 0x%x", status);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		job = (struct job){ .forbidden = t[i].run };
		status = child(filtered, &job);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s is not forbidden: status 0x%x", t[i].name, status);
	}
}

/* ---- bpf(2), for a daemon that captures by XDP ---- */

static int bpf_cmd;

static void call_bpf(void)
{
	union bpf_attr a;

	memset(&a, 0xff, sizeof(a)); /* nothing that a command could do */
	(void)syscall(SYS_bpf, bpf_cmd, &a, sizeof(a));
}

/* An interface that comes back is attached to and pinned, and given up at the end; nothing else is loaded, made, read or found. */
static void test_bpf(void **state)
{
	static const int needed[] = { BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_CREATE, BPF_OBJ_PIN, BPF_LINK_DETACH };
	struct job job = { .what = PRIV_S_BPF, .forbidden = call_bpf };

	(void)state;
	if (getenv("SAN") && *getenv("SAN")) {
		print_message("SKIP: the sanitizers' run time needs system calls of its own\n");
		return;
	}
	for (bpf_cmd = 0; bpf_cmd <= BPF_LINK_DETACH + 4; bpf_cmd++) {
		bool want = false;
		int status = child(filtered, &job);

		for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
			want |= needed[i] == bpf_cmd;
		if (want ? status != 0 : !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("command %d of bpf(2): status 0x%x", bpf_cmd, status);
	}
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/optag-priv.XXXXXX");
	link_fd = rtlink_open(0);
	return mkdtemp(dir) && link_fd >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	close(link_fd);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_drop),
		cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bpf, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
