/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor_conf.c - the daemon's settings: whether it takes them, and what they ask for */
#include <errno.h>
#include <string.h>

#include "conf.h"
#include "doctor.h"

#define CHECK "settings"

static void wrong(const char *path, const struct policy_diags *d)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->d[i].severity != POLICY_ERROR)
			continue;
		doctor_find(DOCTOR_MISSING, CHECK, path, "optagd does not start.", "optagd -n -c FILE names all that is wrong.", "%s:%d:%d: %s",
			    d->d[i].file, d->d[i].line, d->d[i].col, d->d[i].text);
		return;
	}
}

void doctor_conf(const char *path, struct conf *ret)
{
	struct policy_diags d = { 0 };
	int e = conf_load(path, &d, ret);

	if (!e)
		doctor_find(DOCTOR_OK, CHECK, path, NULL, NULL, "%zu interface%s", ret->ninterface, ret->ninterface == 1 ? "" : "s");
	else if (e == -EACCES || e == -EPERM)
		doctor_find(DOCTOR_UNKNOWN, CHECK, path, NULL, "run optag doctor as root.", "permission denied");
	else if (e == -EINVAL)
		wrong(path, &d);
	else
		doctor_find(DOCTOR_MISSING, CHECK, path, "optagd does not start.", "write it (optagd.conf(5)), or name another with --config.", "%s",
			    strerror(-e));
	policy_diags_free(&d);
	if (e)
		conf_defaults(ret);
}

bool doctor_by_libpcap(const struct conf *c)
{
	return c->ninterface && c->interface[0].xdp == CONF_XDP_NONE;
}
