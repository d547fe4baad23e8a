/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slowdisk.c - for one program alone, the disk is slow: preloaded, before the C library's
 *
 * The file named by SLOWDISK holds three numbers, 8 bytes each as the machine has them: milliseconds that each fsync and fdatasync
 * takes longer; how many the program's first thread asked for; how many all of its threads did.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile uint64_t *shared;

__attribute__((constructor)) static void map(void)
{
	const char *path = getenv("SLOWDISK");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 3 * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p != MAP_FAILED)
		shared = p;
	if (fd >= 0)
		close(fd);
}

static void slow(void)
{
	struct timespec t = { 0 };

	if (!shared)
		return;
	__atomic_fetch_add(&shared[2], 1, __ATOMIC_RELAXED);
	if (syscall(SYS_gettid) == getpid())
		__atomic_fetch_add(&shared[1], 1, __ATOMIC_RELAXED);
	t.tv_sec = (time_t)(shared[0] / 1000);
	t.tv_nsec = (long)(shared[0] % 1000 * 1000000);
	if (shared[0])
		nanosleep(&t, NULL);
}

int fsync(int fd)
{
	slow();
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	slow();
	return (int)syscall(SYS_fdatasync, fd);
}
