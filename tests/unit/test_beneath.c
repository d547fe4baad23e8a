/* SPDX-License-Identifier: BSD-2-Clause */
/* test_beneath.c - names below a directory: no link in any part of them, by openat2 and without it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"

static char base[200];
static int top = -1;

static void shell(const char *what)
{
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "cd '%s' && %s", base, what);
	assert_int_equal(system(cmd), 0); /* NOLINT(cert-env33-c): our own directory */
}

/*
 *	in/dir/file	in/file
 *	in/up -> ../out		in/abs -> /		in/side -> dir		in/link -> file
 *	out/file
 */
static int setup(void **state)
{
	const char *tmp = getenv("TMP");

	(void)state;
	snprintf(base, sizeof(base), "%.150s/optag-beneath-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(base))
		return -1;
	shell("mkdir -p in/dir out && echo inner >in/dir/file && echo top >in/file && echo outer >out/file && cd in && ln -s ../out up && "
	      "ln -s / abs && ln -s dir side && ln -s file link");
	snprintf(base + strlen(base), 4, "/in");
	top = open(base, O_RDONLY | O_DIRECTORY);
	base[strlen(base) - 3] = 0;
	return top < 0;
}

static int teardown(void **state)
{
	(void)state;
	close(top);
	shell("rm -rf in out by-link");
	return rmdir(base);
}

static void test_open(void **state)
{
	static const struct {
		const char *name;
		int flags, err;
	} t[] = {
		{ "file", O_RDONLY, 0 },	  { "dir/file", O_RDWR, 0 },	   { "dir", O_RDONLY | O_DIRECTORY, 0 },
		{ ".", O_RDONLY | O_DIRECTORY, 0 }, { "dir//file", O_RDONLY, 0 },  { "dir/", O_RDONLY, 0 },
		{ "dir/file", O_PATH, 0 },	  { "./dir/./file", O_RDONLY, 0 }, { "up/file", O_RDONLY, ELOOP },
		{ "up", O_RDONLY | O_DIRECTORY, ELOOP }, { "up/new", O_WRONLY | O_CREAT, ELOOP }, { "abs/etc/passwd", O_RDONLY, ELOOP },
		{ "side/file", O_RDONLY, ELOOP }, { "link", O_RDONLY, ELOOP },	   { "link", O_PATH, ELOOP },
		{ "link", O_WRONLY | O_TRUNC, ELOOP }, { "link", O_WRONLY | O_CREAT, ELOOP }, { "../out/file", O_RDONLY, EXDEV },
		{ "dir/../../out/file", O_RDONLY, EXDEV }, { "/etc/passwd", O_RDONLY, EXDEV }, { "none", O_RDONLY, ENOENT },
		{ "none/file", O_RDONLY, ENOENT }, { "file/file", O_RDONLY, ENOTDIR }, { "", O_RDONLY, ENOENT },
		{ "dir/file", O_WRONLY | O_CREAT | O_EXCL, EEXIST }, { "file", O_RDONLY | O_DIRECTORY, ENOTDIR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		for (int walk = 0; walk < 2; walk++) {
			int fd = (walk ? beneath_walk : beneath_openat)(top, t[i].name, t[i].flags | O_NONBLOCK * !(t[i].flags & O_PATH), 0600);
			int e = fd < 0 ? errno : 0;

			if (e != t[i].err)
				fail_msg("%s, flags %o%s: %s, not %s", t[i].name, t[i].flags, walk ? " part by part" : "", strerror(e),
					 strerror(t[i].err));
			if (fd >= 0) {
				assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
				close(fd);
			}
		}
	shell("test \"$(cat out/file in/file)\" = \"outer\ntop\" && test ! -e out/new");
}

/* By a path that is believed, as it may be a link itself; what is below it is not. */
static void test_by_path(void **state)
{
	static const char *const refused[] = { "up/file", "link", "abs/etc/passwd" };
	char path[512];
	int fd;

	(void)state;
	shell("ln -s in by-link");
	for (int linked = 0; linked < 2; linked++) {
		snprintf(path, sizeof(path), "%.200s/%s", base, linked ? "by-link" : "in");
		fd = beneath_open(path, "dir/file", O_RDONLY, 0);
		assert_true(fd >= 0);
		close(fd);
		for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
			assert_true(beneath_open(path, refused[i], O_RDONLY, 0) < 0 && errno == ELOOP);
		assert_true(beneath_open(path, "none", O_RDONLY, 0) < 0 && errno == ENOENT);
		snprintf(path, sizeof(path), "%.200s/%s/file", base, linked ? "by-link" : "in");
		fd = beneath_open_last(path, O_RDONLY, 0);
		assert_true(fd >= 0);
		close(fd);
		snprintf(path, sizeof(path), "%.200s/%s/link", base, linked ? "by-link" : "in");
		assert_true(beneath_open_last(path, O_RDONLY, 0) < 0 && errno == ELOOP);
	}
	assert_true(beneath_open_last("no such file", O_RDONLY, 0) < 0 && errno == ENOENT);
}

static void test_new(void **state)
{
	struct stat sb;
	int fd;

	(void)state;
	for (int walk = 0; walk < 2; walk++) {
		fd = (walk ? beneath_walk : beneath_openat)(top, walk ? "dir/b" : "dir/a", O_WRONLY | O_CREAT | O_EXCL, 0640);
		assert_true(fd >= 0 && !fstat(fd, &sb));
		assert_int_equal(sb.st_mode & 0740, 0640);
		close(fd);
	}
}

/* What takes away, makes and moves goes through no link either; a link itself can be looked at and removed. */
static void test_names(void **state)
{
	struct stat sb;

	(void)state;
	assert_true(beneath_unlinkat(top, "up/file", 0) < 0 && errno == ELOOP);
	assert_true(beneath_unlinkat(top, "../out/file", 0) < 0 && errno == EXDEV);
	assert_true(beneath_unlinkat(top, "dir/..", AT_REMOVEDIR) < 0 && errno == EXDEV);
	assert_true(beneath_mkdirat(top, "up/new", 0700) < 0 && errno == ELOOP);
	assert_true(beneath_renameat(top, "file", "up/file", 0) < 0 && errno == ELOOP);
	assert_true(beneath_renameat(top, "up/file", "stolen", 0) < 0 && errno == ELOOP);
	assert_true(beneath_linkat(top, "file", "up/new") < 0 && errno == ELOOP);
	assert_true(beneath_statat(top, "up/file", &sb) < 0 && errno == ELOOP);
	assert_true(beneath_accessat(top, "side/file") < 0 && errno == ELOOP);
	shell("test \"$(cat out/file in/file)\" = \"outer\ntop\" && test ! -e out/new");
	assert_true(!beneath_statat(top, "link", &sb) && S_ISLNK(sb.st_mode));
	assert_int_equal(beneath_mkdirat(top, "dir/more", 0700), 0);
	assert_int_equal(beneath_renameat(top, "file", "dir/more/file", 0), 0);
	assert_int_equal(beneath_linkat(top, "dir/more/file", "file"), 0);
	assert_int_equal(beneath_accessat(top, "dir/more/file"), 0);
	assert_int_equal(beneath_unlinkat(top, "dir/more/file", 0), 0);
	assert_int_equal(beneath_unlinkat(top, "dir/more", AT_REMOVEDIR), 0);
	assert_int_equal(beneath_unlinkat(top, "link", 0), 0);
	shell("test \"$(cat in/file)\" = top && test ! -e in/link && test ! -e in/dir/more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
