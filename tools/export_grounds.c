/* SPDX-License-Identifier: BSD-2-Clause */
/* export_grounds.c - what callers gave as grounds of their objections, a line each; see export.h */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "export.h"

static const char *const names[] = { "documentation: ", "training: " };

/* As they will be written, without their names. */
static uint64_t size_of(struct store_reader *r)
{
	enum store_purpose p;
	const char *text;
	uint64_t bytes = 0;

	for (unsigned n = 0; !store_read_grounds(r, n, &p, &text); n++)
		bytes += strlen(text);
	return bytes;
}

static int write_all(struct store_reader *r, struct out *o)
{
	enum store_purpose p;
	const char *text;
	unsigned n = 0;
	int rc;

	while (!(rc = store_read_grounds(r, n, &p, &text))) {
		if (out_write(o, names[p], strlen(names[p])) || out_write(o, text, strlen(text)) || out_write(o, "\n", 1))
			return -EIO; /* told */
		n++;
	}
	return n && rc == -ENODATA ? 0 : rc;
}

int export_grounds(struct export_call *c, const char *out, bool force, struct export_result *r)
{
	struct store_reader *reader;
	enum store_purpose p;
	const char *text;
	int rc = store_read_words(c->st, &c->uid, c->purpose, c->keys_dir, &reader);

	if (!rc) { /* before there is a file */
		rc = store_read_grounds(reader, 0, &p, &text);
		if (rc)
			cli_err("%s", store_why(c->st));
	} else {
		cli_err("%s", store_why(c->st));
		return rc;
	}
	if (!rc)
		rc = out_open(out, force, &r->file[0]);
	if (!rc) {
		r->leg[0] = -1;
		r->n = 1;
		rc = export_tell(c, size_of(reader));
		if (!rc)
			rc = write_all(reader, r->file[0]);
		if (rc == -EBADMSG)
			cli_err("%s", store_why(c->st));
	}
	store_read_close(reader);
	return rc;
}
