/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_conf.c - any bytes as optagd.conf: refused with a place, or printed and read back to the same */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void places(const struct policy_diags *d)
{
	for (size_t i = 0; i < d->n; i++)
		MUST(d->d[i].line > 0 && d->d[i].col > 0 && d->d[i].text && d->d[i].file);
}

static void back(const struct conf *c)
{
	struct policy_diags d = { 0 };
	struct conf again;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	MUST(f);
	MUST(conf_print(f, c) == 0);
	fclose(f);
	MUST(conf_read("printed", text, n, &d, &again) == 0);
	MUST(memcmp(c, &again, sizeof(again)) == 0);
	policy_diags_free(&d);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_diags d = { 0 };
	struct conf c;
	int rc = conf_read("f", (const char *)data, size, &d, &c);

	MUST(rc == 0 || rc == -EINVAL);
	MUST(rc == 0 ? d.errors == 0 : d.errors > 0);
	places(&d);
	if (rc == 0)
		back(&c);
	policy_diags_free(&d);
	return 0;
}
