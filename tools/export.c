/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export.c - `optag export`: one call's audio for its rightful reader
 *
 * Opens the store read-only. Needs the private key of the purpose, and the
 * purpose must be live on the call. The call is read through once before any
 * file is made, so that a wrong key or damage is known first. Then who gets it
 * goes to the evidence log, by the outbox (export_tell), and only when that is
 * durable its format writes temporaries; all are renamed at the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/uid.h"
#include "cli.h"
#include "export.h"

static const char *store_dir = CLI_STORE_DIR;
static const char *keys_dir, *out, *reason;
static int purpose, format;
static struct uid uid;
static bool json, force;

static const char *const purposes[] = { "documentation", "training", NULL };
static const char *const formats[] = { "wav", "payload", "pcap", "grounds", NULL };
enum { F_WAV, F_PAYLOAD, F_PCAP, F_GROUNDS };

static const struct cli_opt opts[] = {
	CLI_OPT_STORE(&store_dir),
	CLI_REQUIRED('k', "keys", CLI_DIR, &keys_dir, "DIR", "private keys (PURPOSE.key, mode 0600)"),
	CLI_PICK('p', "purpose", &purpose, "P", "what the recording is used for", true, purposes),
	CLI_REQUIRED('c', "call", CLI_UID, &uid, "UID", "the call, as optag find prints it"),
	CLI_PICK('f', "format", &format, "F", "how (default wav)", false, formats),
	CLI_OPT('r', "reason", CLI_TEXT, &reason, "WORD", "why, for the evidence log: complaint, training, d-2201 ... (a-z 0-9 . _ -)"),
	CLI_REQUIRED('o', "output", CLI_FILE, &out, "OUT", "file to write"),
	CLI_OPT(0, "force", CLI_FLAG, &force, NULL, "replace files that exist"),
	CLI_OPT_JSON(&json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag export",
	.summary = "write one call's audio",
	.opts = opts,
	.notes = "wav      stereo, caller left, callee right, aligned in time\n"
		 "payload  RTP payloads as received, to OUT.caller and OUT.callee\n"
		 "pcap     the RTP packets, with made-up addresses\n"
		 "grounds  no audio: what the caller gave as grounds of an objection",
};

static struct export_call call; /* 200 KiB of streams: not on the stack */
static struct export_result result;

/* Codec of the leg's stream with the most packets. */
static const char *leg_codec(unsigned leg)
{
	const struct export_stream *best = NULL;

	for (unsigned i = 0; i < EXPORT_STREAMS; i++) {
		const struct export_stream *s = &call.leg[leg].stream[i];

		if (s->used && (!best || s->audio_packets > best->audio_packets))
			best = s;
	}
	return best && *best->format.name ? best->format.name : NULL;
}

static json_t *leg_json(unsigned leg)
{
	const struct export_leg *l = &call.leg[leg];

	return json_pack("{s:s, s:o, s:I, s:I}", "leg", export_legs[leg], "codec",
			 cli_json_str(leg_codec(leg)), "packets", (json_int_t)l->audio_packets, "bytes",
			 (json_int_t)l->bytes);
}

/* Arrival of the first packet: sample 0 of a WAV. */
static uint64_t first_ns(void)
{
	uint64_t a = call.leg[0].first_ns, b = call.leg[1].first_ns;

	return !a || (b && b < a) ? b : a;
}

static json_t *gaps_json(void)
{
	json_t *gaps = json_array();

	for (size_t i = 0; i < call.gaps; i++) {
		const struct store_gap *g = &call.gap[i];

		(void)json_array_append_new(gaps, json_pack("{s:o, s:o, s:I, s:I}", "from", cli_json_time(g->from_ns), "to",
							    cli_json_time(g->to_ns), "caller", (json_int_t)g->packets[0],
							    "callee", (json_int_t)g->packets[1]));
	}
	return gaps;
}

static void report_gaps(void)
{
	char from[32], to[32];

	for (size_t i = 0; i < call.gaps; i++) {
		const struct store_gap *g = &call.gap[i];

		clock_format(g->from_ns, from);
		clock_format(g->to_ns, to);
		printf("not recorded for %s: %s to %s (caller %" PRIu64 ", callee %" PRIu64 " packets)\n", purposes[purpose], from,
		       g->to_ns ? to : "the end", g->packets[0], g->packets[1]);
	}
}

static int report_json(void)
{
	char id[UID_TEXT];
	json_t *files = json_array(), *legs = json_array();

	uid_format(&uid, id);
	for (unsigned i = 0; i < result.n; i++) {
		int leg = result.leg[i];

		(void)json_array_append_new(
			files, json_pack("{s:o, s:o, s:I}", "file", cli_json_str(out_path(result.file[i])),
					 "leg", cli_json_str(leg < 0 ? NULL : export_legs[leg]), "bytes",
					 (json_int_t)out_size(result.file[i])));
	}
	for (unsigned i = 0; i < 2; i++)
		(void)json_array_append_new(legs, leg_json(i));
	return cli_json_line(
		stdout, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "call", id, "purpose",
				  purposes[purpose], "format", formats[format], "files", files, "legs",
				  legs, "rate", result.rate ? json_integer(result.rate) : json_null(),
				  "bad_frames", (json_int_t)call.bad_frames, "damaged_chunks",
				  (json_int_t)call.damaged, "start", cli_json_time(first_ns()), "gaps", gaps_json()));
}

/* Is audio of the leg in this file? A WAV lacks what could not be decoded. */
static bool holds(unsigned file, int leg)
{
	if (result.leg[file] >= 0)
		return result.leg[file] == leg;
	if (format != F_WAV)
		return call.leg[leg].audio_packets > 0;
	for (unsigned i = 0; i < EXPORT_STREAMS; i++) {
		const struct export_stream *s = &call.leg[leg].stream[i];

		if (s->audio_packets && decoder_known(&s->format))
			return true;
	}
	return false;
}

static void report(void)
{
	for (unsigned i = 0; i < result.n; i++) {
		printf("%s: %" PRIu64 " bytes", out_path(result.file[i]), out_size(result.file[i]));
		for (int leg = 0; leg < 2; leg++)
			if (holds(i, leg))
				printf(", %s %" PRIu64 " packets of %s", export_legs[leg],
				       call.leg[leg].audio_packets,
				       leg_codec((unsigned)leg) ? leg_codec((unsigned)leg) : "unnamed codec");
		if (result.leg[i] < 0 && result.rate)
			printf(", %u Hz", result.rate);
		printf("\n");
	}
	report_gaps();
}

static int write_format(void)
{
	switch (format) {
	case F_PAYLOAD:
		return export_payload(&call, out, force, 3, &result);
	case F_PCAP:
		return export_pcap(&call, out, force, &result);
	default:
		return export_wav(&call, out, force, &result);
	}
}

/* All files or none; what --force has replaced already cannot be brought back. */
static int commit(void)
{
	for (unsigned i = 0; i < result.n; i++) {
		int rc = out_commit(result.file[i]);

		if (!rc)
			continue;
		while (!force && i-- > 0)
			(void)unlink(out_path(result.file[i]));
		return rc;
	}
	return 0;
}

static int run(struct store *st)
{
	uint64_t bytes;
	int rc;

	call.st = st;
	if (format == F_GROUNDS) {
		rc = export_grounds(&call, out, force, &result);
		return rc ? rc : commit();
	}
	rc = export_scan(&call);
	if (rc)
		return rc;
	if (!call.leg[0].packets && !call.leg[1].packets) {
		cli_err(call.damaged ? "no audio could be read" :
			call.gaps    ? "the call has no audio for this purpose" :
				       "the call has no audio");
		return call.damaged ? -EBADMSG : -ENODATA;
	}
	bytes = (call.leg[0].bytes + call.leg[1].bytes);
	cli_progress_start("export", bytes);
	rc = write_format();
	cli_progress_end();
	if (!rc && !result.n) {
		cli_err("the call holds comfort noise only: nothing to write");
		rc = -ENODATA;
	}
	return rc ? rc : commit();
}

int main(int argc, char **argv)
{
	struct cli_args args;
	struct store *st = NULL;
	const char *beside;
	char why[512] = "";
	int rc = cli_parse(&cli, argc, argv, &args);

	if (rc != CLI_GO_ON)
		return rc;
	if (!strcmp(out, "-")) /* it is written whole or not at all, which a pipe cannot be */
		return cli_usage("--output: '-' is not standard output here; name a file");
	call.uid = uid;
	call.purpose = (enum store_purpose)purpose;
	call.keys_dir = keys_dir;
	call.store_dir = store_dir;
	call.format = formats[format];
	call.reason = reason;
	if (export_tell_check(&call))
		return cli_usage("--reason: no word for the evidence log (a-z 0-9 . _ -, a letter first, no five digits in a row)");
	cli_no_dump();
	out_signals();
	rc = store_open(store_dir, STORE_RO, &st, why, sizeof(why));
	if (rc) {
		cli_err("%s", *why ? why : strerror(-rc));
		return cli_exit_code(rc);
	}
	rc = run(st);
	if (!rc && json)
		rc = report_json();
	else if (!rc)
		report();
	for (unsigned i = 0; i < result.n; i++)
		out_close(result.file[i]);
	beside = store_damage(st);
	if (!rc && beside)
		cli_err("%s; what happened to calls since is not known, their keys decide", beside);
	rc = !rc && beside ? -EBADMSG : rc;
	store_close(st);
	if (!rc && call.damaged)
		cli_err("%" PRIu64 " damaged chunks are missing in what was written", call.damaged);
	return cli_finish(rc ? cli_exit_code(rc) : call.damaged ? CLI_DAMAGED : CLI_OK);
}
