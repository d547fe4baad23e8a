/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_kernel.c - kernel, BPF, memory, io_uring, clock, user
 *
 * BPF is asked by loading the smallest XDP program and making the maps that the
 * classifier needs; nothing is attached. Raw system calls: libbpf and liburing
 * are not this program's.
 */
#include <errno.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "conf.h"
#include "doctor.h"

#define OLDEST_MAJOR 6
#define OLDEST_MINOR 1
#define BPFFS_MAGIC  0xcafe4a11

static void kernel(void)
{
	struct utsname u;
	char *end;
	long major, minor = 0;

	if (uname(&u))
		return;
	major = strtol(u.release, &end, 10);
	if (*end == '.')
		minor = strtol(end + 1, NULL, 10);
	if (major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR))
		doctor_find(DOCTOR_OK, "kernel", "", NULL, NULL, "%s %s, %s, %ld CPUs", u.sysname, u.release, u.machine,
			    sysconf(_SC_NPROCESSORS_ONLN));
	else
		doctor_find(DOCTOR_MISSING, "kernel", "", "the classifier is not tested on it and may not load.",
			    "use Linux 6.1 (Debian 12) or later.", "%s %s", u.sysname, u.release);
}

static int bpf_call(int cmd, union bpf_attr *a)
{
	int fd = (int)syscall(SYS_bpf, cmd, a, sizeof(*a));

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int load_xdp(void)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr a = { .prog_type = BPF_PROG_TYPE_XDP };

	a.insn_cnt = 2;
	a.insns = (uint64_t)(uintptr_t)pass;
	a.license = (uint64_t)(uintptr_t)"BSD";
	return bpf_call(BPF_PROG_LOAD, &a);
}

static int make_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.map_type = type;
	a.key_size = key;
	a.value_size = value;
	a.max_entries = entries;
	a.map_flags = flags;
	return bpf_call(BPF_MAP_CREATE, &a);
}

/* Without XDP optagd starts only where the settings say so: with libpcap, audio that may not be kept is in its memory for a moment. */
static void bpf(bool by_libpcap)
{
	static const char cost[] = "no XDP: optagd does not start.", or[] =
		" Or set xdp none: every packet of the port then goes through libpcap to user space, also those nobody may keep.";
	char fix[320];
	int prog = load_xdp(), map = make_map(BPF_MAP_TYPE_ARRAY, 4, 64, 1024, BPF_F_MMAPABLE),
	    ring = make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 65536, 0);
	char line[16] = "";

	if (by_libpcap && (prog || map || ring)) {
		doctor_find(DOCTOR_OK, "bpf", "", NULL, NULL, "not to be had here, and not needed (xdp none)");
	} else if (prog == -EPERM || map == -EPERM || ring == -EPERM) {
		snprintf(fix, sizeof(fix), "give it CAP_BPF and CAP_NET_ADMIN (in a container, too).%s", or);
		doctor_find(geteuid() ? DOCTOR_UNKNOWN : DOCTOR_MISSING, "bpf", "", geteuid() ? NULL : cost,
			    geteuid() ? "run optag doctor as root." : fix, "not allowed to load a program");
	} else if (prog || map || ring) {
		snprintf(fix, sizeof(fix), "use a kernel with CONFIG_BPF_SYSCALL, mmapable arrays and ring buffers.%s", or);
		doctor_find(DOCTOR_MISSING, "bpf", "", cost, fix, "program: %s; mmapable array: %s; ring buffer: %s", strerror(-prog),
			    strerror(-map), strerror(-ring));
	} else {
		doctor_find(DOCTOR_OK, "bpf", "", NULL, NULL, "XDP program, mmapable array and ring buffer can be made");
	}
	if (doctor_line("/proc/sys/net/core/bpf_jit_enable", line, sizeof(line)) && strcmp(line, "0") == 0)
		doctor_find(DOCTOR_COSTS, "jit", "", "the classifier is interpreted, several times slower.",
			    "sysctl net.core.bpf_jit_enable=1", "off");
	else if (*line)
		doctor_find(DOCTOR_OK, "jit", "", NULL, NULL, "on");
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		doctor_find(DOCTOR_OK, "btf", "", NULL, NULL, "/sys/kernel/btf/vmlinux");
	else
		doctor_find(DOCTOR_COSTS, "btf", "", "none for recording; bpftool shows maps without their fields.",
			    "use a kernel with CONFIG_DEBUG_INFO_BTF.", "the kernel has no type information");
}

static void bpffs(bool by_libpcap)
{
	struct statfs s;

	if (statfs("/sys/fs/bpf", &s) == 0 && (uint32_t)s.f_type == BPFFS_MAGIC)
		doctor_find(DOCTOR_OK, "bpffs", "", NULL, NULL, "mounted at /sys/fs/bpf");
	else if (by_libpcap)
		doctor_find(DOCTOR_OK, "bpffs", "", NULL, NULL, "not mounted, and not needed (xdp none)");
	else
		doctor_find(DOCTOR_MISSING, "bpffs", "", "optagd does not start: what another one takes over is pinned there.",
			    "mount -t bpf bpf /sys/fs/bpf", "not mounted");
}

static void memory(void)
{
	unsigned long long total = 0, unused = 0, size = 0, v;
	struct rlimit r;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	if (getrlimit(RLIMIT_MEMLOCK, &r) == 0 && r.rlim_max == RLIM_INFINITY)
		doctor_find(DOCTOR_OK, "memlock", "", NULL, NULL, "no limit");
	else if (geteuid() == 0)
		doctor_find(DOCTOR_OK, "memlock", "", NULL, NULL, "limit %llu KiB, which root raises",
			    (unsigned long long)r.rlim_max / 1024);
	else
		doctor_find(DOCTOR_COSTS, "memlock", "", "this user cannot lock the memory of keys and voices: optagd does not start as this user.",
			    "start optagd by its unit (LimitMEMLOCK=infinity).", "limit %llu KiB",
			    (unsigned long long)r.rlim_max / 1024);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "HugePages_Total: %llu", &v) == 1) /* NOLINT(cert-err34-c): the kernel's own text */
			total = v;
		else if (sscanf(line, "HugePages_Free: %llu", &v) == 1) /* NOLINT(cert-err34-c) */
			unused = v;
		else if (sscanf(line, "Hugepagesize: %llu", &v) == 1) /* NOLINT(cert-err34-c) */
			size = v;
	}
	if (f)
		fclose(f);
	if (unused)
		doctor_find(DOCTOR_OK, "huge pages", "", NULL, NULL, "%llu of %llu free, %llu KiB each", unused, total, size);
	else
		doctor_find(DOCTOR_COSTS, "huge pages", "", "with thousands of calls, their rings miss the TLB more often.",
			    "sysctl vm.nr_hugepages=512 (1 GiB), early after boot.", "%llu reserved, none free", total);
}

/* As the recorder makes its ring (store/writer_ring.c): one that can do writes and nothing else. */
static const char *restricted_ring(struct io_uring_params *p)
{
	struct io_uring_restriction only = { .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE };
	int fd = (int)syscall(SYS_io_uring_setup, 4, p), e;

	if (fd < 0)
		return strerror(errno);
	e = syscall(SYS_io_uring_register, fd, IORING_REGISTER_RESTRICTIONS, &only, 1) ||
			    syscall(SYS_io_uring_register, fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) ?
		    errno : 0;
	close(fd);
	return e ? "it cannot be restricted to writes" : NULL;
}

static void uring(void)
{
	struct io_uring_params p = { .flags = IORING_SETUP_R_DISABLED };
	const char *why = restricted_ring(&p);
	char line[16] = "";

	if (!why) {
		doctor_find(DOCTOR_OK, "io_uring", "", NULL, NULL, "features 0x%x", p.features);
		return;
	}
	(void)doctor_line("/proc/sys/kernel/io_uring_disabled", line, sizeof(line));
	doctor_find(DOCTOR_COSTS, "io_uring", "", "the store is written by plain writes, which wait for the disk one by one: it bears fewer calls.",
		    *line && *line != '0' ? "sysctl kernel.io_uring_disabled=0" : "use a kernel with CONFIG_IO_URING, and allow it in the container.",
		    "%s%s%s", why, *line ? ", kernel.io_uring_disabled=" : "", line);
}

static void clock_sync(void)
{
	struct timex t = { .modes = 0 };
	int state = adjtimex(&t);

	if (state < 0)
		doctor_find(DOCTOR_UNKNOWN, "clock", "", NULL, NULL, "%s", strerror(errno));
	else if (state == TIME_ERROR || t.status & STA_UNSYNC)
		doctor_find(DOCTOR_COSTS, "clock", "",
			    "start times, retention deadlines and evidence are only as right as this clock. One that is set while calls "
			    "go on is taken when none is in progress (optag status, clock).",
			    "install chrony, or enable systemd-timesyncd.", "not synchronised");
	else
		doctor_find(DOCTOR_OK, "clock", "", NULL, NULL, "synchronised, error at most %.1f ms", (double)t.maxerror / 1000);
}

/* Who the daemon becomes. */
static void user(const struct conf *c)
{
	static const char cost[] = "optagd does not start.";
	char fix[128];

	if (!getpwnam(c->user)) {
		snprintf(fix, sizeof(fix), "useradd --system --no-create-home --shell /usr/sbin/nologin %s", c->user);
		doctor_find(DOCTOR_MISSING, "user", c->user, cost, fix, "does not exist");
	} else if (*c->group && !getgrnam(c->group)) {
		snprintf(fix, sizeof(fix), "groupadd --system %s", c->group);
		doctor_find(DOCTOR_MISSING, "user", c->user, cost, fix, "group '%s' does not exist", c->group);
	} else {
		doctor_find(DOCTOR_OK, "user", c->user, NULL, NULL, "exists");
	}
}

void doctor_kernel(const struct conf *c)
{
	kernel();
	bpf(doctor_by_libpcap(c));
	bpffs(doctor_by_libpcap(c));
	memory();
	uring();
	clock_sync();
	user(c);
}
