/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_sounds.c - `optag policy check`: can the announcements be recognised by the sounds that the policy names?
 *
 * The recorder asks the same when it takes a policy (notices.h), and refuses one whose announcements cannot be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "media/fingerprint.h"
#include "media/soundfile.h"
#include "policy.h"
#include "policy/policy.h"

/* "" it can be. */
static void try_sound(const char *path, char *why, size_t size)
{
	uint8_t *bytes = malloc(SOUND_FILE_MAX + 1);
	FILE *f = fopen(path, "re");
	struct fp_ref *ref = NULL;
	int16_t *x = NULL;
	size_t n = 0, len = 0;
	int e;

	*why = 0;
	if (!f || !bytes)
		snprintf(why, size, "%s", f ? "out of memory" : strerror(errno));
	else
		n = fread(bytes, 1, SOUND_FILE_MAX + 1, f);
	if (!*why && !sound_read(path, bytes, n, &x, &len, why, size)) {
		e = fp_ref_new(x, len, &ref);
		if (e)
			snprintf(why, size, "%s",
				 e == -EINVAL ? "there is too little in it, or too much: 3 s to 10 min of speech" : strerror(-e));
	}
	fp_ref_free(ref);
	free(x);
	free(bytes);
	if (f)
		fclose(f);
}

static bool seen_before(const struct policy *p, size_t rule, const char *name)
{
	for (size_t i = 0; i < rule; i++) {
		const struct policy_rule *r = policy_rule(p, i);

		for (size_t k = 0; r->proof == POLICY_PROOF_FINGERPRINT && k < r->nnotice; k++)
			if (strcmp(r->notice[k].name, name) == 0)
				return true;
	}
	return false;
}

size_t policy_tool_sounds(const struct policy *p, void (*bad)(const struct policy_diag *d))
{
	char why[192], text[8192];
	size_t errors = 0;

	for (size_t i = 0; i < policy_rules(p); i++) {
		const struct policy_rule *r = policy_rule(p, i);

		for (size_t k = 0; r->proof == POLICY_PROOF_FINGERPRINT && k < r->nnotice; k++) {
			const struct policy_notice *n = &r->notice[k];

			for (size_t a = 0; a < n->naudio && !seen_before(p, i, n->name); a++) {
				struct policy_diag d = { .file = (char *)(uintptr_t)r->file, .line = r->line, .col = 1, .width = 1, .severity = POLICY_ERROR,
							 .code = "L-85", .text = text,
							 .why = (char *)(uintptr_t)"R-31: the notice is proven by its own sound.",
							 .fix = (char *)(uintptr_t)"a .wav of 8 kHz, one channel, 16 bits or G.711; or G.711 as .alaw or .ulaw." };

				try_sound(n->audio[a], why, sizeof(why));
				if (!*why)
					continue;
				snprintf(text, sizeof(text), "the announcement '%s' cannot be recognised by %s: %s.", n->name, n->audio[a], why);
				bad(&d);
				errors++;
			}
		}
	}
	return errors;
}
