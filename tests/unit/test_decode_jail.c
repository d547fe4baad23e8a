/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_decode_jail.c - what optag-decode can still do: each case in a child process, because nothing of it can be undone
 *
 * A child in the cage reads its standard input, writes its standard output,
 * uses memory within bounds; each forbidden thing kills it with SIGSYS, or is
 * answered no.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "decode_av.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#define FINE 42 /* what a child says that went through all of its case */

/* The child's standard input has "in"; what it writes comes back in `out`. Its wait status. */
static int child(int (*what)(void), char out[64])
{
	int in[2], from[2], status = 0, extra;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(from), 0);
	extra = open("/dev/null", O_RDONLY);
	assert_true(extra > 2);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		char why[128] = "";

		(void)dup2(in[0], 0);
		(void)dup2(from[1], 1);
		if (decode_jail(why, sizeof(why)))
			_exit(1);
		_exit(what());
	}
	(void)close(in[0]);
	(void)close(from[1]);
	(void)close(extra);
	assert_int_equal(write(in[1], "in", 2), 2);
	(void)close(in[1]);
	n = read(from[0], out, 63);
	out[n > 0 ? n : 0] = 0;
	(void)close(from[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int works(void)
{
	char b[8];
	char *p = malloc(64 << 20), *q;

	if (!p || read(0, b, sizeof(b)) != 2 || memcmp(b, "in", 2))
		return 1;
	memset(p, 1, 64 << 20);
	q = realloc(p, 96 << 20);
	if (!q || write(1, "out", 3) != 3)
		return 2;
	free(q);
	return read(0, b, sizeof(b)) == 0 ? FINE : 3;
}

/* What libraries ask for and do without. */
static int refused(void)
{
	struct stat sb;

	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 1;
	if (stat("/etc/passwd", &sb) == 0 || access("/", R_OK) == 0)
		return 2;
	return FINE;
}

static int too_much(void)
{
	/* not all at once, and not in small pieces */
	if (malloc(1UL << 30))
		return 1;
	for (int i = 0; i < 1024; i++)
		if (!malloc(1 << 20))
			return FINE;
	return 2;
}

static void test_works(void **state)
{
	char out[64];

	(void)state;
#ifdef SANITIZED
	skip();
#endif
	assert_int_equal(child(works, out), FINE << 8);
	assert_string_equal(out, "out");
	assert_int_equal(child(refused, out), FINE << 8);
	assert_int_equal(child(too_much, out), FINE << 8);
}

static int other_file_read(void)
{
	char b[1];

	return (int)read(3, b, 1); /* not only closed: forbidden */
}
static int other_file_write(void)
{
	return (int)write(2, "x", 1);
}
static int a_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}
static int a_program(void)
{
	char *argv[] = { NULL };

	return execve("/bin/true", argv, argv);
}
static int a_process(void)
{
	return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static int a_signal(void)
{
	return kill(getppid(), 0);
}
static int code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}
static int code_later(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static int a_limit(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static int others_memory(void)
{
	return (int)syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}
static int a_name(void)
{
	return unlink("/nonexistent");
}

static void test_forbidden(void **state)
{
	static int (*const what[])(void) = { other_file_read, other_file_write, a_socket, a_program, a_process, a_signal, code,
					     code_later, a_limit, others_memory, a_name };
	char out[64];

	(void)state;
#ifdef SANITIZED
	skip();
#endif
	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		int status = child(what[i], out);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("forbidden thing %zu: status %#x", i, (unsigned)status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_works), cmocka_unit_test(test_forbidden) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
