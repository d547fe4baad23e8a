/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * optag.c - the front: `optag find ...` runs the program optag-find
 *
 * Programs are looked for beside this one, then in ../libexec/optag, then in
 * PATH. Separate programs because they hold different powers; the front holds
 * none and links no store. What help lists is what was found.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* The commands of this product. One that is not installed is known all the same, for its message. */
static const struct {
	const char *name;
	const char *help;
} commands[] = {
	{ "init", "make an empty store and its key pairs" },
	{ "replay", "run captures through the whole pipeline into a store" },
	{ "policy", "read, check, explain and apply recording policies" },
	{ "announcement", "model texts of what callers are to hear" },
	{ "find", "list calls, kept and denied" },
	{ "why", "say what was decided about a call, and why" },
	{ "export", "write one call's audio: wav, payload or pcap" },
	{ "hold", "keep a call past its time for a proceeding" },
	{ "case", "group calls for a proceeding" },
	{ "withdraw", "destroy what a consent allowed that was taken back" },
	{ "erase", "destroy one call" },
	{ "reap", "destroy what is due" },
	{ "audit", "verify and read the evidence log" },
	{ "fsck", "check the files of a store" },
	{ "report", "reports for regulator, complaint, inventory" },
	{ "status", "live figures of the daemon" },
	{ "top", "terminal dashboard" },
	{ "call", "look at calls in progress, and say what happens in them" },
	{ "capture", "check that this installation decides as the guidance says" },
	{ "set", "change the sets of a running policy" },
	{ "rule", "stop a rule at once, and start it again" },
	{ "use", "note that a recording was used" },
	{ "doctor", "what this machine can do" },
	{ "keys", "key pairs and their custody" },
};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

/*
 * The script asks the programs themselves, so it never goes stale. Words that
 * are commands of a command (`optag policy check`) are asked for one level down.
 */
static const char bash_completion[] =
	"_optag() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"\tlocal cmd=${COMP_WORDS[0]} table kind words\n"
	"\tlocal -a path\n"
	"\tlocal i=1\n"
	"\ttable=$(\"$cmd\" --complete 2>/dev/null)\n"
	"\twhile ((i < COMP_CWORD)) && grep -q \"^${COMP_WORDS[i]}\tcommand\" <<<\"$table\"; do\n"
	"\t\tpath+=(\"${COMP_WORDS[i]}\")\n"
	"\t\ttable=$(\"$cmd\" \"${path[@]}\" --complete 2>/dev/null)\n"
	"\t\t((i++))\n"
	"\tdone\n"
	"\tkind=\n"
	"\t[[ $prev == --* ]] && kind=$(awk -F'\\t' -v p=\"$prev\" '$1 == p { print $2 }' <<<\"$table\")\n"
	"\tcase $kind in\n"
	"\tdir) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return;;\n"
	"\tfile) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return;;\n"
	"\tvalue) COMPREPLY=(); return;;\n"
	"\twords*) mapfile -t COMPREPLY < <(compgen -W \"${kind#words }\" -- \"$cur\"); return;;\n"
	"\tesac\n"
	"\twords=$(cut -f1 <<<\"$table\")\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	"\t[[ $cur == -* ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <([[ $table == *command* ]] || compgen -f -- \"$cur\")\n"
	"}\n"
	"complete -o filenames -F _optag optag\n";

static char own_dir[PATH_MAX]; /* "" when /proc does not tell */

static void find_own_dir(void)
{
	ssize_t n = readlink("/proc/self/exe", own_dir, sizeof(own_dir) - 1);
	char *slash;

	own_dir[n > 0 ? n : 0] = 0;
	slash = strrchr(own_dir, '/');
	if (slash)
		*slash = 0;
}

/* A command is letters, digits and '-': nothing that leads out of the directories searched. */
static bool is_command_word(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n < 32 && !s[n] && s[0] != '-';
}

static bool runnable(const char *dir, size_t dir_len, const char *sub, const char *cmd, char *ret)
{
	int n = snprintf(ret, PATH_MAX, "%.*s%s/optag-%s", (int)dir_len, dir, sub, cmd);

	return n > 0 && n < PATH_MAX && access(ret, X_OK) == 0;
}

static bool find_program(const char *cmd, char path[PATH_MAX])
{
	const char *env = getenv("PATH");

	if (*own_dir && (runnable(own_dir, strlen(own_dir), "", cmd, path) ||
			 runnable(own_dir, strlen(own_dir), "/../libexec/optag", cmd, path)))
		return true;
	while (env && *env) {
		size_t n = strcspn(env, ":");

		/* an empty entry would mean the current directory: not from there */
		if (n && runnable(env, n, "", cmd, path))
			return true;
		env += n + (env[n] == ':');
	}
	return false;
}

static int print_help(void)
{
	char path[PATH_MAX];

	printf("optag - records the calls that a policy lets us keep\n\n"
	       "Usage: optag COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (find_program(commands[i].name, path))
			printf("  %-12s %s\n", commands[i].name, commands[i].help);
	printf("  %-12s %s\n", "help", "this, or the help of a command");
	printf("\n"
	       "  -h, --help             print this\n"
	       "      --version          print the version\n"
	       "      --completion bash  print a completion script (source it in ~/.bashrc)\n"
	       "\noptag COMMAND --help tells more, optag-COMMAND(1) most.\n");
	return cli_finish(CLI_OK);
}

static int print_complete(void)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < NCOMMANDS; i++)
		if (find_program(commands[i].name, path))
			printf("%s\tcommand\n", commands[i].name);
	printf("help\tcommand\n--help\tflag\n--version\tflag\n--completion\twords bash\n");
	return cli_finish(CLI_OK);
}

static int unknown(const char *cmd)
{
	const char *words[NCOMMANDS + 1], *near;
	char path[PATH_MAX];
	size_t n = 0;

	for (size_t i = 0; i < NCOMMANDS; i++) {
		if (strcmp(commands[i].name, cmd) == 0) {
			cli_err("%s is not in this version", cmd);
			return CLI_FAILED;
		}
		if (find_program(commands[i].name, path))
			words[n++] = commands[i].name;
	}
	words[n++] = "help";
	near = cli_nearest(cmd, words, n);
	if (near)
		return cli_usage("unknown command '%.32s' (did you mean %s?)", cmd, near);
	return cli_usage("unknown command '%.32s', see optag --help", cmd);
}

/* Replaces this program; argv[0] is the command's word. */
static int run(char **argv)
{
	char path[PATH_MAX], name[64];
	const char *cmd = argv[0];

	if (!is_command_word(cmd) || !find_program(cmd, path))
		return unknown(cmd);
	snprintf(name, sizeof(name), "optag-%s", cmd);
	argv[0] = name;
	execv(path, argv);
	cli_err("'%s': %s", path, strerror(errno));
	return CLI_FAILED;
}

static int help_of(int argc, char **argv)
{
	char flag[] = "--help";
	char *args[] = { argc > 2 ? argv[2] : NULL, flag, NULL };

	if (argc > 3)
		return cli_usage("help takes one command");
	return args[0] ? run(args) : print_help();
}

static int completion(const char *shell)
{
	if (!shell || strcmp(shell, "bash") != 0)
		return cli_usage("--completion: expected bash");
	fputs(bash_completion, stdout);
	return cli_finish(CLI_OK);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	cli_start("optag");
	find_own_dir();
	if (!word)
		return cli_usage("COMMAND is missing, see optag --help");
	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		return print_help();
	if (!strcmp(word, "help"))
		return help_of(argc, argv);
	if (!strcmp(word, "--version")) {
		printf("optag %s\n", CLI_VERSION);
		return cli_finish(CLI_OK);
	}
	if (!strcmp(word, "--completion"))
		return completion(argc == 3 ? argv[2] : NULL);
	if (!strcmp(word, "--complete"))
		return print_complete();
	if (word[0] == '-')
		return cli_usage("unknown option '%.32s', see optag --help", word);
	return run(argv + 1);
}
