/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_certificate.c - `optag audit certificate`: the proof that a call was deleted, as one JSON object
 *
 * Its form is FORMAT.md section 10.1. No key and no number is in it: what the log has, hashes, and what the disk holds.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "base/clock.h"
#include "store/certificate.h"

static const char *store_dir, *out_file;

/* Part of every certificate, so that nobody takes it for more. */
static const char *const not_proven[] = {
	"copies of the store or of its keys made before (backups, snapshots, exports)",
	"what the medium itself keeps of a key that was overwritten in place (flash translation, copy-on-write file systems)",
	"that no other log was kept beside this one by who has the signing key: compare the roots with those noted elsewhere",
	/* of a call whose outcome does not count them */
	"that these are all keys of the call: lines about another could have been left out, which the log itself would show",
};

static json_t *hex_json(const uint8_t *p, size_t n)
{
	char hex[129];

	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	return json_string(n ? hex : "");
}

static json_t *line_json(const struct certificate_line *l)
{
	json_t *path = json_array();

	for (unsigned i = 0; i < l->hashes; i++)
		json_array_append_new(path, hex_json(l->hash[i], 32));
	return json_pack("{s:I, s:I, s:o, s:o}", "root", (json_int_t)l->root, "index", (json_int_t)l->index, "line",
			 cli_json_str(l->line), "path", path);
}

static const char *disk_word(enum certificate_disk d)
{
	return d == CERTIFICATE_GONE ? "gone" : d == CERTIFICATE_DESTROYED ? "destroyed" : "live";
}

static json_t *purpose_json(unsigned p, const struct certificate_purpose *c)
{
	json_t *o = json_pack("{s:s, s:s, s:I, s:o, s:o}", "purpose", p ? "training" : "documentation", "controller", c->controller,
			      "day", (json_int_t)c->day, "committed", line_json(&c->committed), "destroyed",
			      line_json(&c->destroyed));

	json_object_set_new(o, "on_disk",
			    json_pack("{s:s, s:s, s:s}", "bucket", disk_word(c->bucket), "slot", c->slot ? "unreadable" : "none",
				      "held", c->hold ? "yes" : "none"));
	return o;
}

static json_t *certificate_json(const struct certificate *c, const struct uid *call)
{
	char uid[UID_TEXT], made[32];
	json_t *o, *roots = json_array(), *purposes = json_array(), *limits = json_array();

	uid_format(call, uid);
	clock_format(c->made_ns, made);
	for (size_t i = 0; i < c->roots; i++)
		json_array_append_new(roots, cli_json_str(c->root[i]));
	for (unsigned p = 0; p < STORE_PURPOSES; p++)
		if (c->purpose[p].had)
			json_array_append_new(purposes, purpose_json(p, &c->purpose[p]));
	for (size_t i = 0; i < sizeof(not_proven) / sizeof(*not_proven) - c->counted; i++)
		json_array_append_new(limits, json_string(not_proven[i]));
	o = json_pack("{s:i, s:s, s:o, s:s, s:o}", "optag-certificate", 2, "call", uid, "store", hex_json(c->store, 16), "made", made,
		      "public_key", cli_json_str(c->public_key));
	json_object_set_new(o, "roots", roots);
	json_object_set_new(o, "ended", line_json(&c->ended));
	json_object_set_new(o, "purposes", purposes);
	json_object_set_new(o, "not_proven", limits);
	return o;
}

/* The object, and as its last member the hash of all before: what was damaged on its way is noticed. */
static int print(const struct certificate *c, const struct uid *call, FILE *f)
{
	json_t *o = certificate_json(c, call);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL, hex[65];
	uint8_t hash[32];
	int rc = -1;

	if (text) {
		evlog_link(text, strlen(text), hash);
		for (size_t i = 0; i < 32; i++)
			snprintf(hex + 2 * i, 3, "%02x", hash[i]);
		text[strlen(text) - 1] = 0;
		rc = fprintf(f, "%s,\"hash\":\"%s\"}\n", text, hex) < 0 ? -1 : 0;
	} else {
		cli_err("out of memory");
	}
	free(text);
	json_decref(o);
	return rc;
}

static int write_file(const struct certificate *c, const struct uid *call)
{
	FILE *f = fopen(out_file, "we");
	struct stat st;
	bool file;
	int rc;

	if (!f) {
		cli_err("%s: %m", out_file);
		return CLI_FAILED;
	}
	file = !fstat(fileno(f), &st) && S_ISREG(st.st_mode);
	rc = print(c, call, f);
	if (fclose(f) || rc) {
		cli_err("%s: %m", out_file);
		if (file)
			(void)unlink(out_file); /* half a certificate is none */
		return CLI_FAILED;
	}
	return CLI_OK;
}

static void tell(const struct certificate *c)
{
	char day[16];

	for (unsigned p = 0; p < STORE_PURPOSES; p++) {
		const struct certificate_purpose *x = &c->purpose[p];

		if (!x->had)
			continue;
		evlog_day_text(x->destroyed.day, day);
		cli_err("%s: the key was destroyed on %s%s", p ? "training" : "documentation", day,
			x->by_bucket ? ", with all of its day's" : "");
		if (x->held)
			cli_err("%s of that day on hold kept another key; that this is none of them is not proven",
				cli_n(x->held, "call"));
	}
}

int audit_certificate(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT_STORE(&store_dir),
		CLI_OPT('o', "output", CLI_FILE, &out_file, "FILE", "write it there, not to stdout"),
		{ 0 },
	};
	static const struct cli c = {
		.name = "optag audit certificate",
		.summary = "prove to others that a call was deleted",
		.opts = opts,
		.operands = "CALL",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "One JSON object, to be checked without the store (optag-audit(1)).\n"
			 "Exit status: 1 it is not deleted, or not provable (yet); 3 the log is damaged.",
	};
	struct certificate *cert;
	struct cli_args a;
	struct uid call;
	char why[512] = "";
	int rc = cli_parse(&c, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (uid_parse(a.v[0], &call))
		return cli_usage("'%.40s' is no call", a.v[0]);
	cli_no_dump(); /* bucket files are read */
	rc = certificate_make(store_dir ? store_dir : CLI_STORE_DIR, &call, &cert, why, sizeof(why));
	if (rc) {
		cli_err("%s", *why ? why : strerror(-rc));
		return cli_finish(cli_exit_code(rc));
	}
	if (cert->state != CERTIFICATE_PROVEN) {
		cli_err("%s", cert->text);
		rc = CLI_FAILED;
	} else if (out_file) {
		rc = write_file(cert, &call);
	} else {
		rc = print(cert, &call, stdout) ? CLI_FAILED : CLI_OK;
	}
	if (!rc)
		tell(cert);
	certificate_free(cert);
	return cli_finish(rc);
}
