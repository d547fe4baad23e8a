/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * withdraw.c - `optag withdraw`: a caller takes his consent back after the call (guidance N-64, N-67; RX-4)
 *
 * What rests on the consent goes, and nothing else: all of a recording that only the consent allowed (S-B, A2), the training of one that
 * is documented on another ground (S-E). The request is durable (daemon/store/reap.h) before the log is told, and the key is destroyed
 * before this ends where the caller of this may do that; else by the reaper within a minute. Has no key.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "base/clock.h"
#include "store/outbox.h"
#include "store/reap.h"

static const char *store_dir = CLI_STORE_DIR, *via;
static int purpose = 2;
static bool json;
static const char *const purposes[] = { "documentation", "training", "both", NULL };

static const struct cli_opt opts[] = {
	CLI_OPT_STORE(&store_dir),
	CLI_PICK('p', "purpose", &purpose, "PURPOSE", "which consent: documentation, training or both (default: both)", false, purposes),
	CLI_OPT(0, "via", CLI_TEXT, &via, "WORD", "how it came, for the evidence log: web, phone, letter ... (a-z 0-9 . _ -)"),
	CLI_OPT_JSON(&json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag withdraw",
	.summary = "destroy what calls were kept for by a consent that was taken back",
	.opts = opts,
	.operands = "CALL...",
	.min_operands = 1,
	.max_operands = -1,
	.notes = "What rests on another ground stays. Documentation of a call on hold waits for the hold's end.\n",
};

struct look {
	bool any;
	enum store_state state[STORE_PURPOSES];
	bool consent[STORE_PURPOSES]; /* the purpose rests on one */
	char scenario[8], controller[STORE_NAME_MAX];
};

/* "A1" ... "G", "A2+B": the ground of documentation, then that of training (policy/lint.c). */
static void grounds(struct look *l)
{
	const char *s = l->scenario, *plus = strchr(s, '+');

	l->consent[STORE_DOCUMENTATION] = !strncmp(s, "A2", 2);
	l->consent[STORE_TRAINING] = !strcmp(s, "B") || !strcmp(s, "E") || (plus && !strcmp(plus, "+B"));
}

static int take(void *arg, const struct store_row *row)
{
	struct look *l = arg;

	l->any = true;
	memcpy(l->state, row->state, sizeof(l->state));
	snprintf(l->scenario, sizeof(l->scenario), "%s", row->scenario ? row->scenario : "");
	snprintf(l->controller, sizeof(l->controller), "%s", row->controller);
	grounds(l);
	return 0;
}

/* The row as it is now. */
static int find(const struct uid *uid, struct look *l)
{
	struct store_filter f = { .state = -1, .uid = uid };
	char why[512] = "";
	struct store *st;
	int rc = store_open(store_dir, STORE_RO, &st, why, sizeof(why));

	*l = (struct look){ .any = false };
	if (rc) {
		cli_err("%s", why);
		return rc;
	}
	rc = store_find(st, &f, take, l);
	if (rc == -EBADMSG && l->any) /* another part of the catalog is damaged */
		rc = 0;
	if (rc)
		cli_err("%s", store_why(st));
	store_close(st);
	return rc;
}

static bool kept(enum store_state s)
{
	return s == STORE_S_GRANTED || s == STORE_S_OBJECTED;
}

static struct evlog_event event(const struct uid *uid, const char *controller, unsigned p)
{
	struct evlog_event e = { .kind = EVLOG_CONSENT_WITHDRAWN, .source = EVLOG_S_OPERATOR, .time_ns = clock_now_ns(), .has_call = true,
				 .call = *uid, .controller = controller, .reason = via,
				 .purpose = p ? EVLOG_P_TRAINING : EVLOG_P_DOCUMENTATION };

	evlog_num_add(&e, EVLOG_N_UID, (uint64_t)getuid());
	return e;
}

/* One event a purpose. What was asked is asked, whatever becomes of this. */
static int tell(const struct uid *uid, const struct look *l, const bool asked[STORE_PURPOSES])
{
	struct outbox *o = NULL;
	char why[512] = "";
	int rc = outbox_open(store_dir, &o, why, sizeof(why));

	for (unsigned p = 0; !rc && p < STORE_PURPOSES; p++) {
		struct evlog_event e = event(uid, l->controller, p);

		if (asked[p])
			rc = outbox_add(o, &e);
	}
	if (!rc)
		rc = outbox_commit(o);
	if (rc)
		cli_err("its key will be destroyed, but the evidence log cannot be told who asked: %s", o ? outbox_why(o) : why);
	outbox_close(o);
	return rc;
}

static void fault(void *arg, const char *text)
{
	(void)arg;
	cli_err("%s", text);
}

/* What was asked for, now: a run of the reaper that finds nothing else to be due. */
static void destroy(void)
{
	struct reap_settings s = { .store = store_dir, .until_ns = 1, .fault = fault };
	struct reap_totals t;
	char why[512] = "";
	int rc = reap_run(&s, &t, why, sizeof(why));

	if (rc && rc != -EBUSY && rc != -ETIME) /* busy: that one, or the next */
		cli_err("%s", *why ? why : strerror(-rc));
}

static void say(const char *text, unsigned p, const struct look *l)
{
	bool gone = !kept(l->state[p]);

	if (json)
		(void)cli_json_line(stdout, json_pack("{s:s, s:s, s:s, s:b}", "call", text, "purpose", store_purpose_names[p], "state",
						      store_state_names[l->state[p]], "destroyed", gone)); /* a failed write is told by cli_finish */
	else if (gone)
		printf("%s: %s is %s: its key is destroyed\n", text, store_purpose_names[p], store_state_names[l->state[p]]);
	else
		printf("%s: %s ends with the next run of the reaper, or the end of its hold\n", text, store_purpose_names[p]);
}

/* Nothing was asked: why. Of a rebuilt row nobody knows the ground, so a person decides; what he did then counts as withdrawn. */
static int nothing(const char *text, const struct look *l)
{
	bool done = false, consent = false, unknown = !*l->scenario, any = false;

	for (unsigned p = 0; p < STORE_PURPOSES; p++) {
		if (purpose != 2 && (unsigned)purpose != p)
			continue;
		any |= kept(l->state[p]);
		consent |= l->consent[p];
		if ((l->consent[p] || unknown) && l->state[p] == STORE_S_WITHDRAWN) {
			done = true;
			say(text, p, l);
		}
	}
	if (unknown && any)
		cli_err("%s: its row was rebuilt, so nobody knows any more whether a consent is what it is kept by: "
			"'optag erase --purpose both --reason withdrawn %s' destroys all of it", text, text);
	else if (!done)
		cli_err("%s: %s", text, unknown || consent ? "nothing is kept of it by a consent" :
			"what is kept of it rests on no consent (optag-erase(1), optag-call(1) object)");
	return done && !(unknown && any) ? CLI_OK : CLI_FAILED;
}

static int withdraw(const char *text)
{
	bool asked[STORE_PURPOSES] = { false }, any = false;
	char why[512] = "";
	struct look l;
	struct uid uid;
	int rc;

	if (uid_parse(text, &uid)) {
		cli_err("%s: not a call (26 characters, as find prints it)", text);
		return CLI_USAGE;
	}
	rc = find(&uid, &l);
	if (rc)
		return cli_exit_code(rc);
	if (!l.any) {
		cli_err("%s: no such call (in one in progress: optag call withdraw)", text);
		return CLI_FAILED;
	}
	for (unsigned p = 0; p < STORE_PURPOSES; p++) {
		if ((purpose != 2 && (unsigned)purpose != p) || !l.consent[p] || !kept(l.state[p]))
			continue;
		rc = reap_request(store_dir, &uid, (enum store_purpose)p, "withdrawn", (uint32_t)getuid(), clock_now_ns(), why, sizeof(why));
		if (rc) {
			cli_err("%s: %s", text, why);
			return CLI_FAILED;
		}
		asked[p] = any = true;
	}
	if (!any)
		return nothing(text, &l);
	rc = tell(&uid, &l, asked);
	destroy();
	if (find(&uid, &l))
		return CLI_FAILED;
	for (unsigned p = 0; p < STORE_PURPOSES; p++)
		if (asked[p])
			say(text, p, &l);
	return rc ? CLI_FAILED : CLI_OK;
}

int main(int argc, char **argv)
{
	struct uid none = { { 0 } };
	struct evlog_event probe;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a), worst = CLI_OK;

	if (rc != CLI_GO_ON)
		return rc;
	cli_no_dump(); /* the reaper's part reads keys */
	probe = event(&none, "none", 0);
	if (evlog_check(&probe))
		return cli_usage("--via is a word of a-z 0-9 . _ - that begins with a letter, without five digits in a row");
	for (int i = 0; i < a.n; i++) {
		rc = withdraw(a.v[i]);
		worst = rc > worst ? rc : worst;
	}
	return cli_finish(worst);
}
