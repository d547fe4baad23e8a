/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_payload.c - per leg the audio payloads in sequence order, as received
 *
 * Only bytes that were in RTP payloads of the audio format; comfort noise is
 * left out, gaps are not filled. A leg without audio gets no file.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "cli.h"
#include "export.h"

struct payload {
	struct out *leg[2];
};

static int put(void *arg, const struct export_pkt *p)
{
	struct payload *y = arg;

	if (p->flags & CHUNK_P_CN || !y->leg[p->leg])
		return 0;
	return out_write(y->leg[p->leg], p->payload, p->len);
}

int export_payload(struct export_call *c, const char *out, bool force, unsigned which,
		   struct export_result *r)
{
	struct payload y = { { NULL } };
	char path[PATH_MAX];

	for (unsigned leg = 0; leg < 2; leg++) {
		int rc;

		if (!(which >> leg & 1))
			continue;
		if (!c->leg[leg].audio_packets) {
			cli_err("no audio of the %s: no file for it", export_legs[leg]);
			continue;
		}
		rc = snprintf(path, sizeof(path), "%s.%s", out, export_legs[leg]);
		if (rc < 0 || rc >= PATH_MAX) {
			cli_err("-o: name too long");
			return -ENAMETOOLONG;
		}
		rc = out_open(path, force, &y.leg[leg]);
		if (rc)
			return rc;
		r->leg[r->n] = (int)leg;
		r->file[r->n++] = y.leg[leg];
	}
	return export_packets(c, EXPORT_BY_SEQ, put, &y);
}
