/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.h - what every command of optag shares
 *
 * One option table yields parsing, --help, --version and completion:
 *
 *	static const char *store = CLI_STORE_DIR;
 *	static bool json;
 *	static const struct cli_opt opts[] = {
 *		CLI_OPT_STORE(&store),
 *		CLI_OPT('n', "number", CLI_STR, &number, "N", "calls from or to this number"),
 *		CLI_OPT_JSON(&json),
 *		{ 0 },
 *	};
 *	static const struct cli cli = { .name = "optag find", .summary = "list calls", .opts = opts };
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct cli_args a;
 *		int rc = cli_parse(&cli, argc, argv, &a);
 *		if (rc != CLI_GO_ON)
 *			return rc;
 *		...
 *		return cli_finish(CLI_OK);
 *	}
 *
 * Data goes to stdout, all else to stderr as `optag find: text`. Exit codes are
 * enum cli_exit. One thread.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#define CLI_VERSION    "0.1.0"
#define CLI_STORE_DIR  "/var/lib/optag"
#define CLI_POLICY_DIR "/etc/optag/policy.d"

enum cli_exit { CLI_GO_ON = -1, CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_DAMAGED = 3 };

/* What an option takes, and what its target points at. */
enum cli_type {
	CLI_FLAG,     /* nothing; bool, set to true */
	CLI_STR,      /* const char * */
	CLI_TEXT,     /* const char *, words of a person that are kept: no telephone number (cli_text_ok) */
	CLI_FILE,     /* const char *, completed as a file */
	CLI_DIR,      /* const char *, completed as a directory */
	CLI_UINT,     /* uint64_t, decimal */
	CLI_TIME,     /* uint64_t, ns since 1970: see cli_time */
	CLI_DURATION, /* uint64_t, ns: "90s", "2h", "30d" */
	CLI_UID,      /* struct uid */
	CLI_CHOICE,   /* int, index into choices[] */
};

struct cli_opt {
	char letter; /* short form, 0 none */
	const char *name;
	enum cli_type type;
	void *target;
	const char *arg;  /* what --help calls the argument; NULL for CLI_FLAG */
	const char *help; /* one line, lower case, no full stop */
	bool required;
	const char *const *choices; /* CLI_CHOICE: ends with NULL */
};

/* One entry; CLI_REQUIRED must be given; CLI_PICK takes a word of choices[]. */
#define CLI_OPT(letter, name, type, t, arg, help) { letter, name, type, t, arg, help, false, NULL }
#define CLI_REQUIRED(letter, name, type, t, arg, help) { letter, name, type, t, arg, help, true, NULL }
#define CLI_PICK(letter, name, t, arg, help, req, words) \
	{ letter, name, CLI_CHOICE, t, arg, help, req, words }
#define CLI_OPT_STORE(t) \
	CLI_OPT('s', "store", CLI_DIR, t, "DIR", "the store (default " CLI_STORE_DIR ")")
#define CLI_OPT_POLICY(t) \
	CLI_OPT('p', "policy", CLI_FILE, t, "PATH", "policy file or directory (default " CLI_POLICY_DIR ")")
/* Each by two names. */
#define CLI_OPT_CONTROL(letter, t)                                                                                        \
	CLI_OPT(0, "control", CLI_FILE, t, "PATH", "the daemon's control socket (default " CLI_CTL_PATH ")"),             \
	CLI_OPT(letter, "socket", CLI_FILE, t, "PATH", "the same")
#define CLI_OPT_TIMES(since, until, arg, since_help, until_help)                                                          \
	CLI_OPT(0, "since", CLI_TIME, since, arg, since_help), CLI_OPT(0, "from", CLI_TIME, since, arg, "the same"),      \
	CLI_OPT(0, "until", CLI_TIME, until, arg, until_help), CLI_OPT(0, "to", CLI_TIME, until, arg, "the same")
#define CLI_OPT_JSON(t) CLI_OPT(0, "json", CLI_FLAG, t, NULL, "print one JSON object a line")

struct cli {
	const char *name;    /* "optag find": usage line and start of every message */
	const char *summary; /* one line */
	const struct cli_opt *opts; /* ends with { 0 } */
	const char *operands;	    /* "FILE.pcap..." for the usage line, NULL none */
	int min_operands, max_operands; /* max -1: any number */
	const char *notes;		/* text --help ends with, NULL none */
};

struct cli_args {
	int n; /* operands; they may stand between options, `--` ends the options */
	char **v;
};

/*
 * CLI_GO_ON, or the exit code to return (help or version printed: 0; wrong
 * usage: one line said, 2). Sets the name for messages, ignores SIGPIPE (a
 * closed pipe is then an error of cli_finish). Permutes argv.
 */
int cli_parse(const struct cli *c, int argc, char **argv, struct cli_args *ret);

/* A command with commands of its own (`optag policy check ...`): */
struct cli_cmd {
	const char *name;
	const char *help;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};
/* Runs the one that argv[1] names, or does --help, --version, wrong usage. cmds ends with { 0 }. */
int cli_dispatch(const char *name, const char *summary, const struct cli_cmd *cmds, int argc,
		 char **argv);

/* For a program without cli_parse: sets the name for messages, ignores SIGPIPE. */
void cli_start(const char *name);
/* For programs that hold keys or audio: no core dumps, and no other process of this user looks in. */
void cli_no_dump(void);

/* `name: text` on stderr; the progress line is wiped first. */
void cli_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, and returns CLI_USAGE: for checks beyond the table. */
/* "1 day", "2 days": of a word that takes an s. Good until eight more were asked for. */
const char *cli_n(uint64_t n, const char *one);
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Exit code for an -errno of store or policy: damage (-EBADMSG, -EPROTO) is 3, all else 1. */
int cli_exit_code(int err);
/* Last thing in main: flushes stdout. A write error is told and turns 0 into 1. */
int cli_finish(int rc);

/*
 * A point in time: RFC 3339 ("2026-11-23T20:37:15Z"), a date (its UTC midnight),
 * "now", or how long ago ("2h", "30d ago"). -EINVAL.
 */
int cli_time(const char *s, uint64_t *ret_ns);
/* "90s" "15m" "2h" "30d" "4w", also joined ("1h30m"). -EINVAL, -ERANGE. */
int cli_duration(const char *s, uint64_t *ret_ns);
/* What a person wrote may go into a journal or log: no telephone number is in it (base/phone.h). What: "--reason". CLI_GO_ON or CLI_USAGE, told. */
int cli_text_ok(const char *what, const char *s);
/* Nearest of n words if it is near enough to be meant, else NULL. */
const char *cli_nearest(const char *word, const char *const *words, size_t n);

/*
 * Who runs this program: the real user, also of one that is set-user-id. The name is a word for the evidence log; "person" where the
 * user has none that is one. For programs that link the store.
 */
struct hold_person; /* store/hold.h */
struct hold_person cli_person(void);

/* ---- JSON: fields keep the order in which they are set ---- */

/* Any bytes from the wire: what is not UTF-8 becomes U+FFFD. NULL gives null. */
json_t *cli_json_str(const char *s);
/* RFC 3339 UTC; 0 gives null. */
json_t *cli_json_time(uint64_t ns);
/* One line to f; takes the object. A NULL object is out of memory: told, -ENOMEM. */
int cli_json_line(FILE *f, json_t *obj);

/* ---- text for people ---- */

const char *cli_s(double n); /* "" for one, else "s" */

/*
 * Bytes from the wire for a terminal: control characters and what is not UTF-8
 * become '?', so that no Call-ID moves a cursor. At most `columns` characters,
 * cut with "..", padded with spaces when `pad`. columns 0: no limit.
 */
void cli_text(FILE *f, const char *s, unsigned columns, bool pad);

/*
 * One line on stderr that is rewritten at most five times a second while work
 * goes on: share done, bytes, calls, time left. Does nothing unless stderr is a
 * terminal. total 0: not known, no share and no time left.
 */
void cli_progress_start(const char *what, uint64_t total_bytes);
void cli_progress(uint64_t done_bytes, uint64_t calls); /* cheap: call per packet if you like */
void cli_progress_end(void);				/* wipes the line */

#endif
