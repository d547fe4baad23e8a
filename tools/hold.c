/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold.c - optag hold: keeps single calls past their deadline, for a proceeding (daemon/store/hold.h)
 *
 * Works beside a running recorder and reaper, on the store's files. Holds no private key and opens no wrap. Who asks is
 * the process's real user: the program may be set-user-id of the store's user, and then takes nothing from its
 * environment and no store but that user's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "hold.h"
#include "store/store.h"

static const char *store_dir = CLI_STORE_DIR, *reason, *reference, *review;
static uint64_t due_days = UINT64_MAX;
static bool json, cancel;
static struct outbox *outbox; /* of who changes something */

/*
 * While the journal is locked nothing is printed: who waits for our output to be read would keep the lock, and others with it. Both are
 * printed by done().
 */
struct later {
	FILE *f; /* NULL: at once */
	char *text;
	size_t n;
};
static struct later said, complaints;

static void later_begin(struct later *l)
{
	l->text = NULL;
	l->n = 0;
	l->f = open_memstream(&l->text, &l->n);
}

__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!complaints.f)
		cli_err("%s", line);
	else
		fprintf(complaints.f, "%s%c", line, 0);
}

static void later_end(struct later *l, bool errors)
{
	if (l->f && fclose(l->f))
		cli_err("out of memory");
	l->f = NULL;
	for (char *p = l->text; p && errors && p < l->text + l->n; p += strlen(p) + 1)
		cli_err("%s", p);
	if (l->text && !errors)
		(void)fwrite(l->text, 1, l->n, stdout);
	(void)fflush(stdout); /* cli_finish tells of errors */
	free(l->text);
	l->text = NULL;
}

/* ---- who, and by what right ---- */

/* Whether the process is of that group by who started it. -1: cannot be told. */
static int persons_group(gid_t gid)
{
	gid_t v[1024];
	int n = getgroups(1024, v);

	for (int i = 0; i < n; i++)
		if (v[i] == gid)
			return 1;
	return n < 0 ? -1 : gid == getgid();
}

/* The store's user's alone to write to, or also a group's that the person is not of. */
static bool is_ours(const struct stat *sb)
{
	return sb->st_uid == geteuid() && !(sb->st_mode & 002) && (!(sb->st_mode & 020) || persons_group(sb->st_gid) == 0);
}

/*
 * Set-user-id: nothing that the person chose may lead the powers of the store's user elsewhere. From here on the store is the directory that
 * was looked at, by its real name: a link that led there may lead elsewhere a moment later.
 */
static int check_powers(void)
{
	static char real[PATH_MAX];
	char self[40];
	struct stat sb;
	int fd, rc = 0;

	if (!getauxval(AT_SECURE))
		return 0;
	(void)clearenv();
	(void)umask(027);
	fd = open(store_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		cli_err("%s: %s: %s", store_dir, rc == -ENOENT || rc == -ENOTDIR ? "no store" : "cannot open the store", strerror(-rc));
		return rc;
	}
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fstat(fd, &sb) || !is_ours(&sb)) {
		cli_err("%s: not a directory of the user whose rights this program has, or one that you may write to", store_dir);
		rc = -EPERM;
	} else if (!realpath(self, real)) {
		rc = -errno;
		cli_err("%s: %s", store_dir, strerror(-rc));
	}
	close(fd);
	store_dir = real;
	return rc;
}

static int open_holds(enum holds_mode mode, struct store **ret_st, struct holds **ret)
{
	uint64_t lost = 0;
	char why[512] = "";
	int rc = check_powers();

	if (rc)
		return rc;
	cli_no_dump(); /* a bucket's key, and those of the calls on hold */
	rc = store_open(store_dir, STORE_RO, ret_st, why, sizeof(why));
	if (rc) {
		cli_err("%s", *why ? why : strerror(-rc));
		return rc;
	}
	if (mode == HOLDS_WRITE) {
		later_begin(&said);
		later_begin(&complaints);
	}
	rc = store_holds(*ret_st, mode, ret, &lost);
	if (*store_why(*ret_st))
		complain("%s", store_why(*ret_st));
	if (lost)
		complain("%s on hold cannot be read: the key is gone (optag fsck)", cli_n(lost, "call"));
	if (rc || mode == HOLDS_READ)
		return rc;
	rc = hold_tell_open(store_dir, &outbox);
	if (!rc) {
		rc = holds_untold(*ret, hold_tell_event, outbox);
		if (rc && rc != -EACCES) /* that: who may read the log, as the reaper each minute */
			complain("the event of the last change of a hold is missing in the evidence log, and cannot be left now: %s", strerror(-rc));
	}
	return rc == -EACCES ? 0 : rc;
}

/* Both may be NULL. The lock is given back, then it is said what was done. */
static void let_go(struct store *st, struct holds *h)
{
	outbox_close(outbox);
	outbox = NULL;
	holds_close(h);
	store_close(st);
	later_end(&said, false);
	later_end(&complaints, true);
}

static int done(int rc, struct store *st, struct holds *h)
{
	let_go(st, h);
	return cli_finish(rc);
}

/* ---- add ---- */

/*
 * Then others have their turn, and it is said what was done. Opening looks at all holds, so with many of them it is as long as that took, without
 * the wait for the lock; no longer than the reaper waits for it.
 */
#define AT_ONCE_NS	(50 * NS_PER_MS)
#define AT_ONCE_MOST_NS (2 * NS_PER_S)

static uint64_t clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t at_once(uint64_t opening_ns)
{
	return opening_ns < AT_ONCE_NS ? AT_ONCE_NS : opening_ns > AT_ONCE_MOST_NS ? AT_ONCE_MOST_NS : opening_ns;
}

/* *ret_untold: it is done, and the log does not hear of it before the next run; nothing more may be done before that. */
static int add_one(struct store *st, struct holds *h, const char *call, const struct hold_why *w, const struct hold_person *who,
		   bool *ret_untold)
{
	struct uid uid;
	bool fresh;
	int rc;

	if (uid_parse(call, &uid)) {
		complain("'%.64s' is no identifier of a call (see optag find)", call);
		return CLI_FAILED;
	}
	rc = store_hold_add(st, h, &uid, w, who, clock_now_ns(), &fresh);
	if (rc) {
		complain("%.26s: %s", call, store_why(st));
		return cli_exit_code(rc);
	}
	if (hold_tell_set(outbox, hold_is(h, &uid), who)) {
		*ret_untold = true;
		return CLI_FAILED;
	}
	holds_told(h);
	fprintf(said.f ? said.f : stdout, "%.26s: %s, to be reviewed by %s\n", call, fresh ? "on hold" : "was on hold; said anew", review);
	return CLI_OK;
}

static int cmd_add(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_REQUIRED(0, "reason", CLI_TEXT, &reason, "TEXT", "why these calls are needed longer"),
		CLI_REQUIRED(0, "reference", CLI_TEXT, &reference, "REF", "the proceeding: a file number"),
		CLI_REQUIRED(0, "review", CLI_STR, &review, "DATE", "by then it is looked at again, YYYY-MM-DD, within 6 months"),
		CLI_OPT_STORE(&store_dir),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag hold add",
		.summary = "keep calls past their deadline, or say anew why they are kept",
		.opts = opts,
		.operands = "CALL...",
		.min_operands = 1,
		.max_operands = -1,
		.notes = "For documentation only: what training may have ends at its time.\n",
	};
	struct hold_person who = cli_person();
	struct clock_date d;
	struct hold_why w;
	struct store *st = NULL;
	struct holds *h = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a), worst = CLI_OK;
	bool untold = false;

	if (rc != CLI_GO_ON)
		return rc;
	if (clock_date_parse(review, strlen(review), &d))
		return cli_usage("--review: '%.32s' is no date (YYYY-MM-DD)", review);
	w = (struct hold_why){ reason, reference, (uint32_t)(d.year * 10000 + d.month * 100 + d.day) };
	rc = 0;
	for (int i = 0; !rc && !untold && i < a.n;) {
		uint64_t start, most = clock_of(CLOCK_PROCESS_CPUTIME_ID);

		rc = open_holds(HOLDS_WRITE, &st, &h);
		most = at_once(clock_of(CLOCK_PROCESS_CPUTIME_ID) - most);
		start = clock_of(CLOCK_MONOTONIC);
		do {
			int one = rc ? CLI_OK : add_one(st, h, a.v[i++], &w, &who, &untold);

			worst = one > worst ? one : worst;
		} while (!rc && !untold && i < a.n && clock_of(CLOCK_MONOTONIC) - start < most);
		let_go(st, h);
		st = NULL;
		h = NULL;
	}
	return cli_finish(rc ? cli_exit_code(rc) : worst);
}

/* ---- list ---- */

struct listing {
	uint32_t last; /* review by this day; 0: all */
	uint64_t now;
	size_t n;
};

static void date_text(uint32_t day, char out[16])
{
	struct clock_date d = { (int)(day / 10000), (int)(day / 100 % 100), (int)(day % 100) };

	clock_date_format(&d, out);
}

static int list_json(const struct hold *x, const struct listing *l)
{
	char uid[UID_TEXT], day[16];
	json_t *o = json_object();

	uid_format(&x->uid, uid);
	date_text(x->review, day);
	(void)json_object_set_new(o, "call", json_string(uid));
	(void)json_object_set_new(o, "controller", cli_json_str(x->controller));
	(void)json_object_set_new(o, "since", cli_json_time(x->at_ns));
	(void)json_object_set_new(o, "by", cli_json_str(x->by.name));
	(void)json_object_set_new(o, "uid", json_integer(x->by.uid));
	(void)json_object_set_new(o, "reason", cli_json_str(x->reason));
	(void)json_object_set_new(o, "reference", cli_json_str(x->reference));
	(void)json_object_set_new(o, "review", json_string(day));
	(void)json_object_set_new(o, "until", cli_json_time(x->until_ns));
	(void)json_object_set_new(o, "overdue", json_boolean(x->until_ns <= l->now));
	(void)json_object_set_new(o, "release_asked", cli_json_time(x->asked_ns));
	(void)json_object_set_new(o, "release_by", x->asked_ns ? cli_json_str(x->asker.name) : json_null());
	(void)json_object_set_new(o, "release_uid", x->asked_ns ? json_integer(x->asker.uid) : json_null());
	(void)json_object_set_new(o, "release_reason", x->asked_ns ? cli_json_str(x->asked_reason) : json_null());
	return cli_json_line(stdout, o);
}

static void list_text(const struct hold *x, const struct listing *l)
{
	char uid[UID_TEXT], day[16], since[40];

	if (!l->n)
		printf("%-26s  %-10s  %-10s  %-16s  %-16s  %s\n", "CALL", "REVIEW", "SINCE", "BY", "REFERENCE", "REASON");
	uid_format(&x->uid, uid);
	date_text(x->review, day);
	clock_format(x->at_ns, since);
	printf("%s  %s  %.10s  ", uid, day, since);
	cli_text(stdout, x->by.name, 16, true);
	printf("  ");
	cli_text(stdout, x->reference, 16, true);
	printf("  ");
	cli_text(stdout, x->reason, 0, false);
	if (x->until_ns <= l->now)
		printf("; past its deadline");
	if (x->asked_ns) {
		printf("; release asked for by %s (uid %u): ", x->asker.name, x->asker.uid);
		cli_text(stdout, x->asked_reason, 0, false);
	}
	printf("\n");
}

static int list_one(void *arg, const struct hold *x)
{
	struct listing *l = arg;

	if (l->last && x->review > l->last)
		return 0;
	if (json && list_json(x, l))
		return -ENOMEM;
	if (!json)
		list_text(x, l);
	l->n++;
	return ferror(stdout) ? -EIO : 0;
}

static int cmd_list(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT(0, "due", CLI_UINT, &due_days, "DAYS", "those to be reviewed within so many days"),
		CLI_OPT_STORE(&store_dir),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = { .name = "optag hold list", .summary = "list calls on hold", .opts = opts };
	struct listing l = { .now = clock_now_ns() };
	struct store *st = NULL;
	struct holds *h = NULL;
	struct clock_date d;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (due_days != UINT64_MAX) {
		if (due_days > 36500 || clock_civil(l.now + due_days * 86400 * NS_PER_S, "UTC", &d, NULL, NULL))
			return cli_usage("--due: too many days");
		l.last = (uint32_t)(d.year * 10000 + d.month * 100 + d.day);
	}
	rc = open_holds(HOLDS_READ, &st, &h);
	if (!rc)
		rc = holds_each(h, list_one, &l);
	return done(rc ? cli_exit_code(rc) : CLI_OK, st, h);
}

/* ---- release ---- */

static int release_one(struct store *st, struct holds *h, const struct uid *uid, const struct hold_person *who)
{
	const struct hold *x = hold_is(h, uid);
	struct hold was = x ? *x : (struct hold){ .held = false };
	enum hold_end end;
	int rc = store_hold_release(st, h, uid, reason, who, clock_now_ns(), &end);
	char id[UID_TEXT];

	uid_format(uid, id);
	if (rc) {
		complain("%s: %s", id, store_why(st));
		return cli_exit_code(rc);
	}
	if (end != HOLD_ASKED && hold_tell_release(outbox, &was, who, end == HOLD_ERASED))
		return CLI_FAILED;
	if (end != HOLD_ASKED)
		holds_told(h);
	fprintf(said.f ? said.f : stdout, "%s: %s\n", id,
	       end == HOLD_ASKED  ? "release asked for; another person confirms it by the same command" :
	       end == HOLD_ERASED ? "released, and past its deadline: its key is destroyed" :
				    "released; it is kept until its deadline");
	return CLI_OK;
}

static int cancel_one(struct store *st, struct holds *h, const struct uid *uid, const struct hold_person *who)
{
	int rc = store_hold_cancel(st, h, uid, who, clock_now_ns());
	char id[UID_TEXT];

	uid_format(uid, id);
	if (rc)
		complain("%s: %s", id, store_why(st));
	else
		fprintf(said.f ? said.f : stdout, "%s: taken back; it stays on hold\n", id);
	return rc ? cli_exit_code(rc) : CLI_OK;
}

static int cmd_release(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT(0, "reason", CLI_TEXT, &reason, "TEXT", "why it is not needed any longer"),
		CLI_OPT(0, "cancel", CLI_FLAG, &cancel, NULL, "take back what was asked for"),
		CLI_OPT_STORE(&store_dir),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag hold release",
		.summary = "end a hold: one person asks for it, another confirms",
		.opts = opts,
		.operands = "CALL",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "A call that is past its deadline is destroyed when its hold ends.\n",
	};
	struct hold_person who = cli_person();
	struct store *st = NULL;
	struct holds *h = NULL;
	struct cli_args a;
	struct uid uid;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (cancel == (reason != NULL))
		return cli_usage("give --reason, or --cancel");
	if (uid_parse(a.v[0], &uid))
		return cli_usage("'%.64s' is no identifier of a call (see optag hold list)", a.v[0]);
	rc = open_holds(HOLDS_WRITE, &st, &h);
	if (rc)
		return done(cli_exit_code(rc), st, h);
	rc = cancel ? cancel_one(st, h, &uid, &who) : release_one(st, h, &uid, &who);
	return done(rc, st, h);
}

int main(int argc, char **argv)
{
	static const struct cli_cmd cmds[] = {
		{ "add", "keep calls past their deadline", cmd_add },
		{ "list", "list calls on hold", cmd_list },
		{ "release", "end a hold, by two persons", cmd_release },
		{ 0 },
	};

	return cli_dispatch("optag hold", "keep a call past its time for a proceeding", cmds, argc, argv);
}
