/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_simulate.c - optag policy simulate: hands over to optag-simulate
 *
 * That program can hold a private key and reads the store; this one has neither power, so it is
 * another program.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "policy.h"

int policy_cmd_simulate(int argc, char **argv)
{
	static const char name[] = "optag-simulate";
	char path[PATH_MAX + sizeof(name)], *slash;
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	(void)argc;
	path[n > 0 ? n : 0] = 0;
	slash = strrchr(path, '/');
	if (slash) {
		memcpy(slash + 1, name, sizeof(name));
		execv(path, argv);
	}
	execvp(name, argv);
	cli_err("%s: %s", name, strerror(errno));
	return CLI_FAILED;
}
