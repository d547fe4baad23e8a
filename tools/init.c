/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init.c - `optag init`: an empty store and its key pairs
 *
 * The recorder needs the public halves only, and they lie in the store. The
 * private halves go to a directory of their own, never inside the store: who
 * holds them can listen, so they belong to the listening station.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "store/store.h"

static const char *store_dir = CLI_STORE_DIR;
static const char *keys_dir, *public_dir, *controller;
static bool json;

static const struct cli_opt opts[] = {
	CLI_OPT_STORE(&store_dir),
	CLI_OPT('k', "keys", CLI_DIR, &keys_dir, "DIR", "where the private keys go (default STORE-keys)"),
	CLI_OPT('P', "public", CLI_DIR, &public_dir, "DIR", "take PURPOSE.pub from here, make no private key"),
	CLI_OPT('c', "controller", CLI_STR, &controller, "NAME", "keys of this controller only; the store may exist"),
	CLI_OPT_JSON(&json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag init",
	.summary = "make an empty store and its key pairs",
	.opts = opts,
	.notes = "Whoever holds the private keys can listen: move them to the listening station.",
};

/* STORE-keys, beside the store and outside it. */
static int default_keys(char *out, size_t n)
{
	size_t len = strlen(store_dir);
	int used;

	while (len > 1 && store_dir[len - 1] == '/')
		len--;
	used = snprintf(out, n, "%.*s-keys", (int)len, store_dir);
	return used > 0 && (size_t)used < n ? 0 : -ENAMETOOLONG;
}

/* Both paths as given: a keys directory inside the store would be copied and backed up with it. */
static bool inside_store(const char *dir)
{
	size_t n = strlen(store_dir);

	while (n > 1 && store_dir[n - 1] == '/')
		n--;
	return strncmp(dir, store_dir, n) == 0 && (dir[n] == '/' || !dir[n]);
}

static int report_json(void)
{
	json_t *made = json_array();

	for (int p = 0; p < STORE_PURPOSES; p++)
		(void)json_array_append_new(made, json_string(store_purpose_names[p]));
	return cli_json_line(stdout, json_pack("{s:o, s:o, s:o, s:o, s:o}", "store",
					       cli_json_str(store_dir), "keys", cli_json_str(keys_dir),
					       "public", cli_json_str(public_dir), "controller",
					       cli_json_str(controller), "purposes", made));
}

static void report(void)
{
	printf("Store:        %s\n", store_dir);
	if (controller)
		printf("Controller:   %s\n", controller);
	for (int p = 0; p < STORE_PURPOSES && keys_dir; p++)
		printf("Private key:  %s/%s%s%s.key\n", keys_dir, controller ? controller : "",
		       controller ? "/" : "", store_purpose_names[p]);
	if (keys_dir)
		printf("\nWho holds the private keys can listen. Move %s to the listening station;\n"
		       "the recorder works without it.\n",
		       keys_dir);
	else
		printf("Public keys:  from %s; no private key was made\n", public_dir);
}

int main(int argc, char **argv)
{
	char why[512] = "", path[PATH_MAX];
	struct cli_args args;
	int rc = cli_parse(&cli, argc, argv, &args);

	if (rc != CLI_GO_ON)
		return rc;
	cli_no_dump();
	if (keys_dir && public_dir)
		return cli_usage("--keys and --public exclude each other");
	if (!keys_dir && !public_dir) {
		if (default_keys(path, sizeof(path)) != 0)
			return cli_usage("--store: name too long");
		keys_dir = path;
	}
	if (keys_dir && inside_store(keys_dir))
		return cli_usage("--keys: private keys must not lie inside the store");
	rc = store_create(store_dir, keys_dir, public_dir, controller, why, sizeof(why));
	if (rc) {
		cli_err("%s", *why ? why : strerror(-rc));
		return cli_exit_code(rc);
	}
	if (json)
		return cli_finish(report_json() ? CLI_FAILED : CLI_OK);
	report();
	return cli_finish(CLI_OK);
}
