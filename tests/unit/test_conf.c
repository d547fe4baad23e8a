/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_conf.c - optagd.conf: every file of tests/golden/conf gives the text
 * beside it (canonical form, or errors with their places); GOLDEN=1 writes it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"

#define DIR_GOLDEN "tests/golden/conf"

static void in_source_tree(void)
{
	const char *src = getenv("SRC");

	if (src && chdir(src))
		fail_msg("SRC");
}

static char *printed(const struct conf *c)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(conf_print(f, c), 0);
	fclose(f);
	return text;
}

/* What one file gives: diagnostics, then the canonical form. */
static char *outcome(const char *path, int *ret)
{
	struct policy_diags d = { 0 };
	struct conf c;
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	*ret = conf_load(path, &d, &c);
	for (size_t i = 0; i < d.n; i++)
		policy_diag_print(f, &d.d[i]);
	if (d.dropped)
		fprintf(f, "... and %zu more\n", d.dropped);
	if (*ret == 0)
		conf_print(f, &c);
	assert_true(*ret == 0 ? d.errors == 0 : d.errors > 0);
	policy_diags_free(&d);
	fclose(f);
	return text;
}

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *p = calloc(1, 65536);

	assert_non_null(p);
	if (f) {
		p[fread(p, 1, 65535, f)] = 0;
		fclose(f);
	}
	return p;
}

static void one_golden(const char *name)
{
	char in[300], ok[300], *got, *want;
	int rc;

	snprintf(in, sizeof(in), DIR_GOLDEN "/%s", name);
	snprintf(ok, sizeof(ok), DIR_GOLDEN "/%.*s.ok", (int)(strlen(name) - 5), name);
	got = outcome(in, &rc);
	if (getenv("GOLDEN") && *getenv("GOLDEN")) {
		FILE *f = fopen(ok, "w");

		assert_non_null(f);
		fputs(got, f);
		fclose(f);
	}
	want = file_text(ok);
	if (strcmp(got, want) != 0)
		fail_msg("%s gives:\n%s", in, got);
	free(got);
	free(want);
}

static void test_golden(void **state)
{
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	(void)state;
	in_source_tree();
	d = opendir(DIR_GOLDEN);
	assert_non_null(d);
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name);

		if (len > 5 && strcmp(e->d_name + len - 5, ".conf") == 0) {
			one_golden(e->d_name);
			n++;
		}
	}
	closedir(d);
	assert_true(n >= 10);
}

static void read_ok(const char *text, struct conf *ret)
{
	struct policy_diags d = { 0 };

	if (conf_read("t", text, strlen(text), &d, ret))
		fail_msg("%s", d.n ? d.d[0].text : "no diagnostic");
	policy_diags_free(&d);
}

static void test_values(void **state)
{
	struct conf c, again;
	char *text, *full;

	(void)state;
	in_source_tree();
	full = file_text(DIR_GOLDEN "/full.conf");
	read_ok(full, &c);
	free(full);
	assert_int_equal(c.ninterface, 2);
	assert_string_equal(c.interface[0].name, "enp3s0f1");
	assert_string_equal(c.interface[1].name, "tap;0\\\"");
	assert_true(c.interface[0].mirror && !c.interface[1].mirror);
	assert_int_equal(c.interface[0].xdp, CONF_XDP_NATIVE);
	assert_int_equal(c.interface[1].xdp, CONF_XDP_NONE);
	assert_int_equal(c.interface[0].queues, 4);
	assert_int_equal(c.interface[0].budget, 40);
	assert_int_equal(c.sip_ports[2], 5080);
	assert_int_equal(c.sip_ports[3], 0);
	assert_int_equal(c.ring_bytes, 64 << 20);
	assert_int_equal(c.hold_timeout_ns, 7200ULL * 1000000000);
	assert_int_equal(c.sync_ns, 500000000);
	assert_int_equal(c.write_memory, 512 << 20);
	assert_int_equal(c.reaper_ns, 300ULL * 1000000000);
	assert_string_equal(c.store, "/srv/rec ord");
	assert_int_equal(c.metrics.port, 9464);
	assert_false(c.seccomp);
	assert_int_equal(c.log_level, LOG_L_DEBUG);
	assert_true(conf_cpu(&c, 0) && !conf_cpu(&c, 1) && conf_cpu(&c, 5) && conf_cpu(&c, 7) && !conf_cpu(&c, 8));
	assert_string_equal(c.control_group, "staff");
	assert_string_equal(c.calls_group, "cti");
	assert_string_equal(c.use_group, "");
	text = printed(&c);
	read_ok(text, &again);
	free(text);
	assert_null(conf_first_change(&c, &again));
	assert_memory_equal(&c, &again, sizeof(c));
}

static void test_change(void **state)
{
	static const struct {
		const char *text, *change;
	} t[] = {
		{ "interface a", NULL },
		{ "interface a { xdp auto }; sync 500 ms; log-level debug", NULL },
		{ "interface b", "interface" },
		{ "interface a; interface b", "interface" },
		{ "interface a { mirror no }", "mirror" },
		{ "interface a; ring 32 MiB", "ring" },
		{ "interface a; cpus 1", "cpus" },
		{ "interface a; control { group x }", "control" },
		{ "interface a; metrics 127.0.0.1:1", "metrics" },
	};
	struct conf a, b;

	(void)state;
	read_ok("interface a", &a);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *got;

		read_ok(t[i].text, &b);
		got = conf_first_change(&a, &b);
		if (!got != !t[i].change || (got && strcmp(got, t[i].change) != 0))
			fail_msg("%s: %s", t[i].text, got ? got : "no change");
	}
}

/* The result is untouched by a file with an error, and by one that is not there. */
static void test_untouched(void **state)
{
	struct policy_diags d = { 0 };
	struct conf c, before;

	(void)state;
	memset(&c, 0x5a, sizeof(c));
	before = c;
	assert_int_equal(conf_read("t", "interface a; calls x", 20, &d, &c), -EINVAL);
	assert_int_equal(conf_load("/nonexistent/optagd.conf", &d, &c), -ENOENT);
	assert_int_equal(conf_load("/", &d, &c), -EISDIR);
	assert_memory_equal(&c, &before, sizeof(c));
	assert_int_equal(d.errors, 3);
	assert_string_equal(d.d[1].code, "C-07");
	policy_diags_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
