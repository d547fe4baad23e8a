/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_outbox.c - any bytes as a file of the outbox
 *
 * The first byte says whether the file was committed, the rest follows a good head in half of the cases. What is
 * accepted are events that the outbox may have; a file that is refused gives no event after the bad line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "store/outbox_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_event(void *arg, const struct evlog_event *e)
{
	++*(uint64_t *)arg;
	MUST(!outbox_check(e));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char name[] = "0000000000000001-00000000000000ff";
	static const uint8_t store[16] = { 1 };
	uint64_t events = 0, given = 0, ns;
	const char *what = NULL;
	char *p, file[64];
	size_t n = 0;
	int rc;

	if (!size || size > 65536)
		return 0;
	p = malloc(size + OUTBOX_HEAD_MAX);
	MUST(p);
	if (data[0] & 2)
		n = outbox_head_format(store, name, p);
	memcpy(p + n, data + 1, size - 1);
	n += size - 1;
	rc = outbox_parse(p, n, name, store, data[0] & 1, on_event, &given, &events, &what);
	MUST(rc == 0 || (rc == -EBADMSG && what));
	MUST(given == events);
	free(p);
	n = size < sizeof(file) ? size : sizeof(file) - 1;
	memcpy(file, data, n);
	file[n] = 0;
	(void)outbox_name_time(file, &ns);
	MUST((unsigned)outbox_name_kind(file) <= OUTBOX_BAD);
	return 0;
}
