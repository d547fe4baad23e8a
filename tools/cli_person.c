/* SPDX-License-Identifier: BSD-2-Clause */
/* cli_person.c - who runs this program, as the evidence log may say it; see cli.h */
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "store/hold.h"

struct hold_person cli_person(void)
{
	struct hold_person p = { .uid = getuid(), .name = "person" };
	const struct passwd *pw = getpwuid(getuid());

	if (pw && hold_name_ok(pw->pw_name))
		snprintf(p.name, sizeof(p.name), "%.32s", pw->pw_name);
	return p;
}
