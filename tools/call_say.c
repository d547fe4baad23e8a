/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_say.c - optag call EVENT CALL: what a telephone system says about a call (daemon/calls_say.h)
 *
 * `optag call -` passes JSON lines on over one connection, so that a telephone system needs no process an event.
 * It sends a line when the answer to the one before is there. When the daemon has closed the connection (a restart,
 * ten minutes of silence) it opens another; a request that may have been heard is never sent twice.
 */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "cli_ctl.h"

#define LINE_SIZE 65536 /* the daemon's limit of a request */

static const char *control = CLI_CTL_PATH, *sip_id, *grounds, *notice;
static int purpose = -1, actor = -1;
static uint64_t start_ns = UINT64_MAX, end_ns = UINT64_MAX;
static bool json, ended;
static const char *const purposes[] = { "documentation", "training", NULL };
static const char *const actors[] = { "agent", "system", NULL };

#define OPT_CONTROL CLI_OPT(0, "control", CLI_FILE, &control, "PATH", "the daemon's control socket (default " CLI_CTL_PATH ")")
#define OPT_SOCKET  CLI_OPT(0, "socket", CLI_FILE, &control, "PATH", "the same")

/* ---- one event ---- */

static int set_ms(json_t *rq, const char *name, uint64_t ns)
{
	return ns == UINT64_MAX ? 0 : json_object_set_new(rq, name, json_integer((json_int_t)(ns / 1000000)));
}

static json_t *request(const char *event, const char *uid)
{
	json_t *rq = json_pack("{s:s, s:s}", "do", "call-event", "event", event);
	int bad = 0;

	bad |= uid ? json_object_set_new(rq, "call", cli_json_str(uid)) : json_object_set_new(rq, "sip_call_id", cli_json_str(sip_id));
	if (purpose >= 0)
		bad |= json_object_set_new(rq, "purpose", json_string(purposes[purpose]));
	if (actor >= 0)
		bad |= json_object_set_new(rq, "actor", json_string(actors[actor]));
	if (grounds)
		bad |= json_object_set_new(rq, "grounds", cli_json_str(grounds));
	if (notice)
		bad |= json_object_set_new(rq, "notice", cli_json_str(notice));
	bad |= set_ms(rq, "start_ms", start_ns) | set_ms(rq, "end_ms", end_ns);
	if (ended)
		bad |= json_object_set_new(rq, "ended", json_true());
	if (!bad)
		return rq;
	json_decref(rq);
	return NULL;
}

static int print_answer(json_t *o)
{
	(void)json_object_del(o, "ok");
	if (json)
		return cli_json_line(stdout, o) ? CLI_FAILED : CLI_OK;
	printf("%s: documentation %s, training %s%s\n", cli_ctl_str(o, "call"), cli_ctl_str(o, "documentation"), cli_ctl_str(o, "training"),
	       json_is_true(json_object_get(o, "paused")) ? ", paused" : "");
	json_decref(o);
	return CLI_OK;
}

int call_cmd_say(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT(0, "sip-call-id", CLI_STR, &sip_id, "ID", "the call with this SIP Call-ID, instead of CALL"),
		CLI_PICK(0, "purpose", &purpose, "PURPOSE", "documentation or training, when the call has both", false, purposes),
		CLI_PICK(0, "actor", &actor, "WHO", "agent or system: whose word it is (default: agent; of a notice system)", false, actors),
		CLI_OPT(0, "grounds", CLI_STR, &grounds, "TEXT", "object: what grounds were given"),
		CLI_OPT(0, "notice", CLI_STR, &notice, "NAME", "notice: which announcement"),
		CLI_OPT(0, "start", CLI_DURATION, &start_ns, "SPAN", "notice: it began so long after the answer (default: now)"),
		CLI_OPT(0, "end", CLI_DURATION, &end_ns, "SPAN", "notice: it ended so long after the answer (default: it goes on)"),
		CLI_OPT(0, "ended", CLI_FLAG, &ended, NULL, "notice: it ends now"),
		OPT_CONTROL,
		OPT_SOCKET,
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	struct cli cli = { .summary = "say what happens in a call in progress", .opts = opts, .operands = "[CALL]", .max_operands = 1,
			   .notes = "CALL is an identifier as call list prints it.\nExit status: 0 done, 1 refused, and why.\n" };
	const char *event = argv[0];
	struct cli_ctl *c = NULL;
	struct cli_args a;
	json_t *o = NULL;
	char name[64];
	int rc;

	snprintf(name, sizeof(name), "optag call %s", event);
	cli.name = name;
	rc = cli_parse(&cli, argc, argv, &a);
	if (rc != CLI_GO_ON)
		return rc;
	if (!sip_id == !a.n)
		return cli_usage("either CALL or --sip-call-id");
	rc = cli_ctl_open(control, &c) || cli_ctl_ask(c, request(event, a.n ? a.v[0] : NULL), &o) ? CLI_FAILED : CLI_OK;
	cli_ctl_close(c);
	return cli_finish(rc ? rc : print_answer(o));
}

/* ---- many ---- */

static int answer_line(json_t *o)
{
	int e = cli_json_line(stdout, o);

	return fflush(stdout) ? -1 : e;
}

/* Without the daemon: what it would say, so that who reads the answers has one for each line. */
static json_t *refusal(json_t *id, const char *name, const char *text)
{
	json_t *o = json_pack("{s:b, s:s, s:s}", "ok", 0, "errno", name, "error", text);

	if (id)
		json_object_set(o, "id", id);
	return o;
}

static int connected(struct cli_ctl **c)
{
	if (*c && !cli_ctl_stale(*c))
		return 0;
	cli_ctl_close(*c);
	*c = NULL;
	return cli_ctl_open(control, c);
}

/* One line of input to one answer. */
static json_t *pass_on(struct cli_ctl **c, const char *line, size_t n)
{
	json_t *rq = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL), *o = NULL, *id;

	if (!json_is_object(rq)) {
		json_decref(rq);
		return refusal(NULL, "EINVAL", "a request is one JSON object on one line");
	}
	id = json_object_get(rq, "id");
	if (json_object_get(rq, "do")) {
		o = refusal(id, "EINVAL", "only call events are taken here: leave \"do\" out");
		json_decref(rq);
		return o;
	}
	json_object_set_new(rq, "do", json_string("call-event"));
	json_incref(id);
	if (connected(c)) {
		json_decref(rq);
		o = refusal(id, "ECONNREFUSED", "no daemon answers");
	} else if (cli_ctl_pass(*c, rq, &o)) {
		cli_ctl_close(*c);
		*c = NULL;
		o = refusal(id, "EPIPE", "the daemon went away: whether it heard this is not known");
	}
	json_decref(id);
	return o;
}

static int batch(struct cli_ctl **c)
{
	static char line[LINE_SIZE];
	int rc = CLI_OK, e = 0, ch;

	while (!e && fgets(line, sizeof(line), stdin)) {
		size_t n = strlen(line);
		json_t *o;

		if (n && line[n - 1] != '\n' && !feof(stdin)) {
			while ((ch = getchar()) != EOF && ch != '\n')
				;
			o = refusal(NULL, "EMSGSIZE", "the request is too long");
		} else if (strspn(line, " \t\r\n") == n) {
			continue;
		} else {
			o = pass_on(c, line, n);
		}
		if (!json_is_true(json_object_get(o, "ok")))
			rc = CLI_FAILED;
		e = answer_line(o);
	}
	return e ? CLI_FAILED : rc;
}

int call_cmd_batch(int argc, char **argv)
{
	static const struct cli_opt opts[] = { OPT_CONTROL, OPT_SOCKET, { 0 } };
	static const struct cli cli = {
		.name = "optag call -",
		.summary = "read events as JSON lines, and print an answer a line",
		.opts = opts,
		.notes = "{\"event\":\"consent\",\"sip_call_id\":\"...\",\"purpose\":\"training\",\"id\":7}\n"
			 "Exit status: 0 all were taken, 1 some were refused.\n",
	};
	struct cli_ctl *c = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = batch(&c);
	cli_ctl_close(c);
	return cli_finish(rc);
}
