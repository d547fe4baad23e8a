/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_ctl.c - any line as a request of the control socket: one line of JSON comes back, or nothing yet */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "ctl.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int echo(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	(void)arg;
	(void)p;
	(void)why;
	(void)n;
	return json_object_set_new(answer, "echo", json_deep_copy(rq)) ? -ENOMEM : 0;
}

static int fails(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	(void)echo(arg, p, rq, answer, why, n);
	why[0] = '"';
	why[1] = 0;
	return -ERANGE;
}

static int later(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	(void)echo(arg, p, rq, answer, why, n);
	return CTL_LATER;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ctl_handler h[] = {
		{ "echo", 0, echo }, { "fail", 0, fails }, { "later", 0, later }, { "owner", CTL_OWNER, echo }, { 0 },
	};
	static const struct ctl_peer peer = { .uid = 1000 };
	struct buf out = { 0 };
	json_t *id = NULL, *o;
	int rc = ctl_request(h, NULL, &peer, (const char *)data, size, &out, &id);

	if (rc == CTL_LATER) {
		MUST(out.len == 0);
	} else {
		MUST(rc == 0 && !id && out.len > 1 && out.p[out.len - 1] == '\n' && !memchr(out.p, '\n', out.len - 1));
		o = json_loadb((char *)out.p, out.len - 1, 0, NULL);
		MUST(json_is_object(o) && json_is_boolean(json_object_get(o, "ok")));
		MUST(json_is_true(json_object_get(o, "ok")) != json_is_string(json_object_get(o, "error")));
		json_decref(o);
	}
	json_decref(id);
	buf_free(&out);
	return 0;
}
