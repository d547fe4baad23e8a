/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults.h - system calls that fail on purpose
 *
 * Linked with WRAP_FAULTS (see the Makefile). After fail_nth the nth call of a kind from then on, and with `ever` every later
 * one, fails with an error of its kind's; fail_none ends that, and `happened` says whether it came to it. Any thread. Included
 * by one test program each, which may define a kind of its own (from F_OWN on, by fails) and, before, what a failing pwrite
 * leaves behind (FAULT_PWRITE(fd, p, n, off), which sets errno) or when else ftruncate fails (FAULT_TRUNCATE).
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

enum fault {
	F_NONE,
	F_MALLOC,
	F_OPEN,
	F_FALLOCATE,
	F_FSYNC, /* and fdatasync */
	F_PWRITE,
	F_RENAME,
	F_TRUNCATE,
	F_URING, /* a write by io_uring: its completion carries an error */
	F_SUBMIT, /* the kernel does not take it at all, this time */
	F_OWN,
};

static atomic_int fault, countdown, fail_errno;
static atomic_bool forever, happened;

static atomic_int kill_at; /* the process is killed at its nth call from then on that is not for memory; 0: never */

static void killing_call(void)
{
	if (kill_at > 0 && atomic_fetch_sub(&kill_at, 1) == 1)
		kill(getpid(), SIGKILL);
}

static bool fails(int f)
{
	if (f != F_MALLOC)
		killing_call();
	if (f != fault)
		return false;
	if (happened ? !forever : atomic_fetch_sub(&countdown, 1) > 1)
		return false;
	happened = true;
	errno = fail_errno;
	return true;
}

static inline void fail_nth(int f, int n, int err, bool ever)
{
	happened = false;
	countdown = n;
	fail_errno = err;
	forever = ever;
	fault = f;
}

static inline void fail_none(void)
{
	fault = F_NONE;
}

#ifndef FAULT_PWRITE
#define FAULT_PWRITE(fd, p, n, off) (-1)
#endif
#ifndef FAULT_TRUNCATE
#define FAULT_TRUNCATE false
#endif

void *__real_malloc(size_t n);
void *__real_calloc(size_t a, size_t b);
void *__real_realloc(void *p, size_t n);
int __real_fallocate(int fd, int mode, off_t off, off_t len);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_renameat(int a, const char *b, int c, const char *d);
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t off);
int __real_ftruncate(int fd, off_t n);
int __real_beneath_openat(int fd, const char *p, int flags, mode_t mode);
int __real_io_uring_submit(struct io_uring *ring);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t a, size_t b);
void *__wrap_realloc(void *p, size_t n);
int __wrap_fallocate(int fd, int mode, off_t off, off_t len);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_renameat(int a, const char *b, int c, const char *d);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t off);
int __wrap_ftruncate(int fd, off_t n);
int __wrap_beneath_openat(int fd, const char *p, int flags, mode_t mode);
int __wrap_io_uring_submit(struct io_uring *ring);

void *__wrap_malloc(size_t n)
{
	return fails(F_MALLOC) ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t a, size_t b)
{
	return fails(F_MALLOC) ? NULL : __real_calloc(a, b);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails(F_MALLOC) ? NULL : __real_realloc(p, n);
}

int __wrap_fallocate(int fd, int mode, off_t off, off_t len)
{
	return fails(F_FALLOCATE) ? -1 : __real_fallocate(fd, mode, off, len);
}

int __wrap_fdatasync(int fd)
{
	return fails(F_FSYNC) ? -1 : __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
	return fails(F_FSYNC) ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int a, const char *b, int c, const char *d)
{
	return fails(F_RENAME) ? -1 : __real_renameat(a, b, c, d);
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t off)
{
	return fails(F_PWRITE) ? FAULT_PWRITE(fd, p, n, off) : __real_pwrite(fd, p, n, off);
}

int __wrap_ftruncate(int fd, off_t n)
{
	return fails(F_TRUNCATE) || FAULT_TRUNCATE ? -1 : __real_ftruncate(fd, n);
}

int __wrap_beneath_openat(int fd, const char *p, int flags, mode_t mode)
{
	return fails(F_OPEN) ? -1 : __real_beneath_openat(fd, p, flags, mode);
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	if (fails(F_SUBMIT))
		return -fail_errno;
	if (fails(F_URING))
		ring->sq.sqes[(ring->sq.sqe_tail - 1) & *ring->sq.kring_mask].fd = -1;
	return __real_io_uring_submit(ring);
}

#endif
