/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_policy.c - a policy of 1,000 rules, without large sets and with two of 100,000 numbers: `optag policy check` as a
 * process, its parts, and the decision about a call
 *
 * A rule in four matches by a set of 100,000 and a queue, the others by numbers of their own, so that
 * every check between rules and sets has its worst case. Some rules name what others name, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/policy.h"

#define RULES	1000
#define MEMBERS 100000
#define TODAY	1796000000 /* 2026-11-30 */
#define ROUNDS	15
#define EVALS	2000000

static const char head[] =
	"trunk pbx { address 192.0.2.0/24 country +45 national-digits 8 queue-header X-Queue agent-header X-Agent }\n"
	"set own numbers { +45 70*, +45 88* }\nset no-record dynamic numbers\n"
	"controller c { name \"C\" cvr 12345678 timezone Europe/Copenhagen languages da numbers @own roles legal coach }\n"
	"announcement n { language da link https://c.example/telefon elements rec doc train link object access optout then "
	"optout-key:9 text \"x\" }\n"
	"assessment d { kind documentation scope @own, @lines date 2026-06-01 review 2027-09-01 author A outcome ok no-other-way \"n\" factor 1 relied-on \"a\"\n"
	"factor 2 relied-on \"a\"\nfactor 3 relied-on \"a\"\nfactor 4 relied-on \"a\"\nfactor 5 relied-on \"a\"\n"
	"factor 6 relied-on \"a\"\n}\n"
	"assessment a { kind training-amount scope @own, @lines date 2026-06-01 review 2027-09-01 author A outcome ok without-consent \"w\" }\n"
	"never \"list\" { calling @no-record }\nnever \"partners\" { calling @others queue = none }\n";

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void put_set(FILE *f, const char *name, int block, int members, unsigned *seed)
{
	fprintf(f, "set %s numbers {\n", name);
	for (int i = 0; i < members; i++)
		fprintf(f, "\t+45%d%06u\n", block, (unsigned)(i * 10 + rand_r(seed) % 10) * 7919u % 1000000);
	fputs("}\n", f);
}

static void put_rule(FILE *f, int i)
{
	int a = i / 100 % 100, b = i % 100;

	fprintf(f, "rule \"rule %d\" { controller c side called ", i);
	if (i % 4 == 0)
		fprintf(f, "called @lines queue = q%d", i);
	else if (i % 4 == 1)
		fprintf(f, "called +45 70%02d %02d*, +45 88%02d %02d*", a, b, a, b);
	else if (i % 4 == 2)
		fprintf(f, "called @lines calling @others header X-Line = l%d", i);
	else
		fprintf(f, "called +45 88%02d %02d* agent = a%d", a, b, i);
	fputs(" owner \"O\" review 2027-06-01 notice n notice-proof api\n"
	      "\tdocumentation { basis interest assessment d retention 3 months }\n"
	      "\ttraining { basis interest assessment a opt-out key 9 opt-out agent key *7 sample 2% cap 40 per day "
	      "cap 6 per agent per month }\n\troles documentation legal roles training coach }\n",
	      f);
}

static char *make_text(int members, size_t *ret_n)
{
	unsigned seed = 1;
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_n);

	if (!f)
		exit(1);
	put_set(f, "lines", 70, members, &seed);
	put_set(f, "others", 31, members, &seed);
	fputs(head, f);
	for (int i = 0; i < RULES; i++)
		put_rule(f, i);
	fclose(f);
	return text;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void tell(const char *what, double v[ROUNDS])
{
	qsort(v, ROUNDS, sizeof(*v), by_size);
	printf("%-34s best %6.1f ms, median %6.1f ms\n", what, v[0], v[ROUNDS / 2]);
}

static void process(const char *file, const char *what)
{
	double v[ROUNDS], cpu[ROUNDS];
	struct rusage u;
	char tool[512], self[400];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return;
	self[n] = '\0';
	/* BUILD/tests/bench/bench_policy */
	for (int i = 0; i < 3; i++)
		*strrchr(self, '/') = '\0';
	snprintf(tool, sizeof(tool), "%s/bin/optag-policy", self);
	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ms();
		pid_t pid = fork();
		int status = -1;

		if (pid == 0) {
			execl(tool, tool, "check", "--today", "2026-11-30", file, (char *)NULL);
			_exit(127);
		}
		if (pid < 0 || wait4(pid, &status, 0, &u) != pid || status) {
			printf("optag policy check: not clean (status %d)\n", status);
			return;
		}
		v[i] = now_ms() - start;
		cpu[i] = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
	}
	printf("%s: ", what);
	tell("optag policy check, whole process", v);
	printf("%s: ", what);
	tell("processor time of it", cpu);
}

static void decide(const struct policy *p)
{
	struct policy_input in = {.time = TODAY};
	struct policy_decision d;
	unsigned matched = 0, seed = 2;
	char called[16];
	double start = now_ms();

	for (int i = 0; i < EVALS; i++) {
		in.called.n = (size_t)snprintf(called, sizeof(called), "+45%d%06u", i & 1 ? 70 : 88, rand_r(&seed) % 1000000);
		in.called.p = called;
		policy_eval(p, &in, &d);
		matched += d.verdict == POLICY_MATCH;
	}
	printf("%-34s %.0f ns a call (its number made included), %.0f%% matched\n", "policy_eval",
	       (now_ms() - start) * 1e6 / EVALS, 100.0 * matched / EVALS);
}

static bool check(const char *text, size_t n, const char *what)
{
	char name[] = "/tmp/optag-bench-policy.XXXXXX";
	int fd = mkstemp(name);
	bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n;

	if (fd >= 0)
		close(fd);
	if (ok)
		process(name, what);
	if (fd >= 0)
		unlink(name);
	return ok;
}

int main(void)
{
	double v[ROUNDS];
	struct policy *p = NULL;
	size_t n;
	char *text = make_text(10, &n);

	if (!check(text, n, "small sets"))
		return 1;
	free(text);
	text = make_text(MEMBERS, &n);
	printf("%d rules, 2 sets of %d numbers, %.1f MB\n", RULES, MEMBERS, (double)n / 1e6);
	if (!check(text, n, "large sets"))
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		struct policy_diags d = {0};
		double start;

		policy_free(p);
		p = NULL;
		start = now_ms();
		if (policy_load_mem("bench", text, n, TODAY, &d, &p) || d.warnings) {
			for (size_t k = 0; k < d.n && k < 3; k++)
				policy_diag_print(stderr, &d.d[k]);
			return 1;
		}
		v[i] = now_ms() - start;
		policy_diags_free(&d);
	}
	tell("policy_load_mem", v);
	decide(p);
	policy_free(p);
	free(text);
	return 0;
}
