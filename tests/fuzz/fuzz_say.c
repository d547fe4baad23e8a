/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_say.c - any JSON as an event of a call: refused with a sentence, or read to what may be acted on */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "calls_say.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *o = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct calls_say s;
	char why[256] = "";
	int e;

	if (!json_is_object(o)) {
		json_decref(o);
		return 0;
	}
	e = calls_say_read(o, &s, why, sizeof(why));
	if (e) {
		MUST(e == -EINVAL && *why && !strchr(why, '\n'));
	} else {
		const char *grounds = json_string_value(json_object_get(o, "grounds"));

		MUST(!(s.is_notice && s.is_sms) && (s.is_notice || s.is_sms ? s.cmd == CALL_COMMANDS : s.cmd < CALL_COMMANDS));
		MUST(!s.delivered || s.is_sms);
		MUST(s.purpose >= -1 && s.purpose < POLICY_PURPOSES);
		MUST(!strcmp(s.actor, "agent") || !strcmp(s.actor, "system"));
		MUST(s.is_notice || !s.notice);
		MUST(s.start_ms >= -1 && s.start_ms <= CALLS_SAY_MS_MAX && s.end_ms >= -1 && s.end_ms <= CALLS_SAY_MS_MAX);
		MUST(s.start_ms < 0 || s.end_ms < 0 || s.end_ms >= s.start_ms);
		MUST(!grounds == (s.cmd != CALL_C_OBJECT_GROUNDS) && (!grounds || strlen(grounds) <= CALLS_SAY_GROUNDS) && s.grounds == grounds);
	}
	json_decref(o);
	return 0;
}
