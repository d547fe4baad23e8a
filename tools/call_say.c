/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_say.c - optag call EVENT CALL: what a telephone system says about a call (daemon/calls_say.h)
 *
 * `optag call -` passes JSON lines on over one connection, so that a telephone system needs no process an event. What
 * is there is sent ahead of the answers, WAITING_MAX lines at most: the daemon answers in turns, 10 ms apart. When the
 * daemon has closed the connection (a restart, ten minutes of silence) it opens another; a request that may have been
 * heard is never sent twice.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "cli_ctl.h"

#define LINE_SIZE   65536 /* the daemon's limit of a request */
#define WAITING_MAX 64

static const char *control = CLI_CTL_PATH, *sip_id, *grounds, *notice;
static int purpose = -1, actor = -1;
static uint64_t start_ns = UINT64_MAX, end_ns = UINT64_MAX;
static bool json, ended;
static const char *const purposes[] = { "documentation", "training", NULL };
static const char *const actors[] = { "agent", "system", NULL };

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
	if (!json_object_get(o, "documentation")) { /* of a message, not of the call */
		printf("%s: noted\n", cli_ctl_str(o, "call"));
		json_decref(o);
		return CLI_OK;
	}
	printf("%s: documentation %s, training %s%s\n", cli_ctl_str(o, "call"), cli_ctl_str(o, "documentation"), cli_ctl_str(o, "training"),
	       json_is_true(json_object_get(o, "paused")) ? ", paused" : "");
	if (json_is_true(json_object_get(o, "binds_later")))
		puts("Nothing of this part of the call is for training; what comes of it will not be either.");
	if (json_is_false(json_object_get(o, "grounds_kept")))
		puts("That there are grounds is recorded, the words are not: write them down where the objection is dealt with.");
	if (json_is_true(json_object_get(o, "grounds_kept")))
		puts("The grounds are kept with the call, sealed: optag export --format grounds shows them to who has its private key.");
	json_decref(o);
	return CLI_OK;
}

/* An option that says nothing of the event was meant for another one. */
static const char *not_of(const char *event)
{
	bool is_sms = !strncmp(event, "sms-", 4), is_notice = !strcmp(event, "notice"), pauses = !strcmp(event, "pause") || !strcmp(event, "resume");

	if (grounds && strcmp(event, "object") != 0)
		return "--grounds is of object alone";
	if (purpose >= 0 && is_sms)
		return "--purpose: a message is of both purposes";
	if (purpose >= 0 && (is_notice || pauses))
		return is_notice ? "--purpose: a notice is of both purposes" : "--purpose: a pause is of both purposes";
	if (!is_notice && (notice || ended || start_ns != UINT64_MAX || end_ns != UINT64_MAX))
		return "--notice, --start, --end and --ended are of notice alone";
	return NULL;
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
		CLI_OPT_CONTROL(0, &control),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	struct cli cli = { .summary = "say what happens in a call in progress", .opts = opts, .operands = "[CALL]", .max_operands = 1,
			   .notes = "CALL is an identifier as call list or find prints it; one of an earlier part of the call does, too.\n"
				    "Exit status: 0 done, 1 refused, and why; 2 an option that the event does not take.\n" };
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
	if (not_of(event))
		return cli_usage("%s", not_of(event));
	rc = cli_ctl_open(control, &c) || cli_ctl_ask(c, request(event, a.n ? a.v[0] : NULL), &o) ? CLI_FAILED : CLI_OK;
	cli_ctl_close(c);
	return cli_finish(rc ? rc : print_answer(o));
}

/* ---- many ---- */

struct batch {
	struct cli_ctl *c; /* NULL: not connected */
	json_t *id[WAITING_MAX]; /* of the requests under way, oldest first; NULL none */
	unsigned waiting;
	char buf[LINE_SIZE]; /* of standard input */
	size_t n;
	bool eof, skip; /* skip: what comes up to the next newline was refused */
	bool refused, failed;
};

static void print_line(struct batch *b, json_t *o)
{
	if (!json_is_true(json_object_get(o, "ok")))
		b->refused = true;
	if (cli_json_line(stdout, o) || fflush(stdout))
		b->failed = true;
}

/* Without the daemon: what it would say, so that who reads the answers has one for each line. */
static void refuse(struct batch *b, json_t *id, const char *name, const char *text)
{
	json_t *o = json_pack("{s:b, s:s, s:s}", "ok", 0, "errno", name, "error", text);

	if (id)
		json_object_set(o, "id", id);
	print_line(b, o);
}

/* The answer to the oldest request under way; when the connection is gone, of all of them. */
static void take_answer(struct batch *b)
{
	json_t *o = NULL;
	bool gone = cli_ctl_receive(b->c, &o) != 0;
	unsigned n = gone ? b->waiting : 1;

	for (unsigned i = 0; i < n; i++) {
		if (gone)
			refuse(b, b->id[i], "EPIPE", "the daemon went away: whether it heard this is not known");
		else
			print_line(b, o);
		json_decref(b->id[i]);
	}
	b->waiting -= n;
	memmove(b->id, b->id + n, b->waiting * sizeof(b->id[0]));
	if (gone) {
		cli_ctl_close(b->c);
		b->c = NULL;
	}
}

static void take_all(struct batch *b)
{
	while (b->waiting)
		take_answer(b);
}

static int connected(struct batch *b)
{
	if (b->c && (b->waiting || !cli_ctl_stale(b->c)))
		return 0;
	cli_ctl_close(b->c);
	b->c = NULL;
	return cli_ctl_open(control, &b->c);
}

/* One line of input; its answer is printed after those of the lines before. */
static void pass_on(struct batch *b, const char *line, size_t n)
{
	json_t *rq, *id;

	if (strspn(line, " \t\r") == n)
		return;
	if (b->waiting == WAITING_MAX)
		take_answer(b);
	rq = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	id = json_incref(json_object_get(rq, "id"));
	if (!json_is_object(rq) || json_object_get(rq, "do")) {
		take_all(b);
		refuse(b, id, "EINVAL", json_is_object(rq) ? "only call events are taken here: leave \"do\" out" :
							     "a request is one JSON object on one line");
	} else if (connected(b)) {
		refuse(b, id, "ECONNREFUSED", "no daemon answers");
	} else {
		json_object_set_new(rq, "do", json_string("call-event"));
		(void)cli_ctl_send(b->c, json_incref(rq)); /* what went wrong is seen when the answer is read */
		b->id[b->waiting++] = json_incref(id);
	}
	json_decref(id);
	json_decref(rq);
}

/* More of standard input; answers are printed while none is there. */
static void read_more(struct batch *b)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	ssize_t n;

	if (b->waiting && poll(&in, 1, 0) == 0) {
		take_answer(b);
		return;
	}
	if (b->n == sizeof(b->buf) - 1) {
		take_all(b);
		if (!b->skip)
			refuse(b, NULL, "EMSGSIZE", "the request is too long");
		b->skip = true;
		b->n = 0;
	}
	n = read(STDIN_FILENO, b->buf + b->n, sizeof(b->buf) - 1 - b->n);
	if (n < 0 && errno == EINTR)
		return;
	b->eof = n <= 0;
	b->n += n > 0 ? (size_t)n : 0;
	if (b->eof && b->n) /* a last line without newline is one */
		b->buf[b->n++] = '\n';
}

static int batch(struct batch *b)
{
	while (!b->failed) {
		char *nl = memchr(b->buf, '\n', b->n);
		size_t n = nl ? (size_t)(nl - b->buf) : 0;

		if (!nl && b->eof)
			break;
		if (!nl) {
			read_more(b);
			continue;
		}
		*nl = 0;
		if (!b->skip)
			pass_on(b, b->buf, n);
		b->skip = false;
		b->n -= n + 1;
		memmove(b->buf, nl + 1, b->n);
	}
	take_all(b);
	return b->failed || b->refused ? CLI_FAILED : CLI_OK;
}

int call_cmd_batch(int argc, char **argv)
{
	static const struct cli_opt opts[] = { CLI_OPT_CONTROL(0, &control), { 0 } };
	static const struct cli cli = {
		.name = "optag call -",
		.summary = "read events as JSON lines, and print an answer a line",
		.opts = opts,
		.notes = "{\"event\":\"consent\",\"sip_call_id\":\"...\",\"purpose\":\"training\",\"id\":7}\n"
			 "Exit status: 0 all were taken, 1 some were refused.\n",
	};
	static struct batch b;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = batch(&b);
	cli_ctl_close(b.c);
	return cli_finish(rc);
}
