/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_sms.c - `optag audit sms`: calls whose message with the rest of the announcement has not arrived (N-36)
 *
 * The log alone says it: `notice.sms` "awaited" with a deadline, then "delivered", "failed" or "timeout". Who was told of a failure
 * after his call is for compliance to see to. No number is known here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/clock.h"
#include "base/hash.h"

static const char *store_dir;
static uint64_t from_ns, to_ns;
static bool json, all;

struct message {
	struct hnode node;
	struct message *next; /* in the order of the log */
	struct uid call;
	uint64_t time_ns, until_ns, told_ns;
	char controller[EVLOG_NAME], rule[EVLOG_NAME], state[EVLOG_REASON];
};

struct messages {
	struct htab by_call;
	struct message *first, **last;
};

static struct message *find(const struct messages *m, const struct uid *u)
{
	struct hnode *n = htab_first(&m->by_call, hash_bytes(u->b, sizeof(u->b)));

	for (; n; n = htab_next(n))
		if (uid_equal(&container_of(n, struct message, node)->call, u))
			return container_of(n, struct message, node);
	return NULL;
}

static int on_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	struct messages *m = arg;
	struct message *x;

	(void)file, (void)n;
	if (l->e.kind != EVLOG_NOTICE_SMS)
		return 0;
	x = find(m, &l->e.call);
	if (!x) {
		x = calloc(1, sizeof(*x));
		if (!x)
			return -ENOMEM;
		x->call = l->e.call;
		x->time_ns = l->e.time_ns;
		snprintf(x->controller, sizeof(x->controller), "%s", l->controller);
		snprintf(x->rule, sizeof(x->rule), "%s", l->rule);
		htab_add(&m->by_call, &x->node, hash_bytes(x->call.b, sizeof(x->call.b)));
		*m->last = x;
		m->last = &x->next;
	}
	if (!strcmp(l->reason, "awaited"))
		x->until_ns = evlog_num_get(&l->e, EVLOG_N_UNTIL_S, 0) * NS_PER_S;
	else
		x->told_ns = l->e.time_ns;
	snprintf(x->state, sizeof(x->state), "%s", l->reason);
	return 0;
}

static bool wanted(const struct message *x, uint64_t now)
{
	if (x->time_ns < from_ns || (to_ns && x->time_ns >= to_ns))
		return false;
	return all || !strcmp(x->state, "failed") || !strcmp(x->state, "timeout") ||
	       (!strcmp(x->state, "awaited") && now >= x->until_ns); /* nobody was there to say so */
}

static void print(const struct message *x)
{
	char call[UID_TEXT], t[40];

	uid_format(&x->call, call);
	clock_format(x->time_ns, t);
	if (json) {
		/* a failed write is told once, by cli_finish */
		(void)cli_json_line(stdout, json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "call", call, "controller", cli_json_str(x->controller),
						      "rule", cli_json_str(x->rule), "state", x->state, "answered", cli_json_time(x->time_ns),
						      "until", cli_json_time(x->until_ns), "told",
						      x->told_ns ? cli_json_time(x->told_ns) : json_null()));
		return;
	}
	printf("%s  %.19s  %-9s  ", call, t, x->state);
	cli_text(stdout, x->rule, 0, false);
	printf("\n");
}

int audit_sms(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT_STORE(&store_dir),
		CLI_OPT(0, "all", CLI_FLAG, &all, NULL, "those that arrived, and that there is time for, too"),
		CLI_OPT_TIMES(&from_ns, &to_ns, "T", "of calls answered from this time on", "before this time"),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli c = {
		.name = "optag audit sms",
		.summary = "list calls whose message with the rest of the announcement did not arrive",
		.opts = opts,
		.operands = "[STORE]",
		.max_operands = 1,
		.notes = "Exit status: 0 none, 1 there are some (or the log cannot be read), 3 the log is damaged.\n",
	};
	struct messages m = { .last = &m.first };
	struct evlog_look how = { .arg = &m, .line = on_line };
	uint64_t now = clock_now_ns();
	unsigned listed = 0;
	struct cli_args a;
	int rc = cli_parse(&c, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (htab_init(&m.by_call, 1024))
		return cli_finish(CLI_FAILED);
	if (from_ns)
		how.from_day = evlog_day(from_ns); /* an event never lies in the file of an earlier day */
	rc = audit_look(audit_store(&a, store_dir), &how);
	while (m.first) {
		struct message *x = m.first;

		m.first = x->next;
		if (wanted(x, now)) {
			print(x);
			listed++;
		}
		free(x);
	}
	htab_free(&m.by_call);
	return cli_finish(rc ? rc : listed && !all ? CLI_FAILED : CLI_OK);
}
