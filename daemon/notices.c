/* SPDX-License-Identifier: BSD-2-Clause */
/* notices.c - see notices.h */
#include "notices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/beneath.h"
#include "media/soundfile.h"
#include "policies_kept.h"
#include "policy/policy.h"

#define SOUNDS_MAX 4096 /* of a policy */
#define HASH_HEX   (2 * POLICY_SOUND_HASH + 1)

struct sound {
	const char *name, *path; /* of the announcement; of the file. Of the policy, or of notices.text */
	unsigned char hash[POLICY_SOUND_HASH];
	struct fp_ref *ref; /* NULL: not to be had */
	bool shared;	    /* ref is another sound's */
};

struct listener {
	const struct policy_rule *rule;
	struct fp_set set;
};

struct notices {
	struct sound *sound;
	size_t nsound;
	struct listener *rule;
	size_t nrule;
	char *text; /* of HASH.sounds */
};

/* ---- one sound ---- */

/* fd: as open returned it; closed here. */
static int read_fd(int fd, uint8_t **ret, size_t *ret_n)
{
	int e = 0;
	struct stat st;
	uint8_t *p = NULL;
	size_t at = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		e = -errno;
	else if (!S_ISREG(st.st_mode))
		e = -EINVAL;
	else if (st.st_size > SOUND_FILE_MAX)
		e = -EFBIG;
	p = e ? NULL : malloc((size_t)st.st_size + 1);
	if (!e && !p)
		e = -ENOMEM;
	while (!e && at < (size_t)st.st_size) {
		ssize_t n = read(fd, p + at, (size_t)st.st_size - at);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			e = -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (e) {
		free(p);
		return e;
	}
	*ret = p;
	*ret_n = at;
	return 0;
}

/* What the file holds, if it is what was checked. */
static int hear(struct sound *s, char *why, size_t size)
{
	unsigned char hash[POLICY_SOUND_HASH];
	uint8_t *bytes = NULL;
	int16_t *x = NULL;
	char text[128] = "";
	size_t n = 0, len = 0;
	int e = read_fd(open(s->path, O_RDONLY | O_CLOEXEC), &bytes, &n);

	if (e) {
		snprintf(why, size, "%s: %s", s->path, strerror(-e));
		return e;
	}
	crypto_generichash(hash, sizeof(hash), bytes, n, NULL, 0);
	if (memcmp(hash, s->hash, sizeof(hash)) != 0) {
		e = -ESTALE;
		snprintf(text, sizeof(text), "it is not the sound that was checked with the policy");
	}
	if (!e)
		e = sound_read(s->path, bytes, n, &x, &len, text, sizeof(text));
	if (!e) {
		e = fp_ref_new(x, len, &s->ref);
		if (e == -EINVAL)
			snprintf(text, sizeof(text), "there is too little in it to be recognised by (%d s at least, 10 min at most)",
				 FP_MIN_MS / 1000);
		else if (e)
			snprintf(text, sizeof(text), "%s", strerror(-e));
	}
	if (e)
		snprintf(why, size, "the announcement '%s' cannot be recognised by %s: %s", s->name, s->path, text);
	free(bytes);
	free(x);
	return e;
}

static int hear_all(struct notices *ns, bool all, char *why, size_t size)
{
	for (size_t i = 0; i < ns->nsound; i++) {
		struct sound *s = &ns->sound[i];
		size_t k = 0;
		int e;

		while (k < i && (memcmp(ns->sound[k].hash, s->hash, sizeof(s->hash)) != 0 || strcmp(ns->sound[k].path, s->path) != 0))
			k++;
		if (k < i) {
			s->ref = ns->sound[k].ref;
			s->shared = true;
			continue;
		}
		e = hear(s, why, size);
		if (e && (all || e == -ENOMEM))
			return e;
	}
	return 0;
}

/* ---- of a policy ---- */

static bool listens(const struct policy_rule *r)
{
	return r->proof == POLICY_PROOF_FINGERPRINT && r->nnotice;
}

static int add_sound(struct notices *ns, const char *name, const char *path, const unsigned char *hash)
{
	struct sound *p;

	for (size_t i = 0; i < ns->nsound; i++)
		if (strcmp(ns->sound[i].name, name) == 0 && strcmp(ns->sound[i].path, path) == 0)
			return 0;
	if (ns->nsound == SOUNDS_MAX)
		return -ENOSPC;
	p = reallocarray(ns->sound, ns->nsound + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	ns->sound = p;
	p += ns->nsound++;
	*p = (struct sound){ .name = name, .path = path };
	memcpy(p->hash, hash, sizeof(p->hash));
	return 0;
}

static int from_policy(struct notices *ns, const struct policy *p)
{
	int e = 0;

	for (size_t i = 0; i < policy_rules(p) && !e; i++) {
		const struct policy_rule *r = policy_rule(p, i);

		for (size_t k = 0; listens(r) && k < r->nnotice; k++)
			for (size_t a = 0; a < r->notice[k].naudio && !e; a++)
				e = add_sound(ns, r->notice[k].name, r->notice[k].audio[a], r->notice[k].audio_hash[a]);
	}
	return e;
}

static int add_listener(struct notices *ns, const struct policy_rule *r)
{
	struct listener *p = reallocarray(ns->rule, ns->nrule + 1, sizeof(*p));
	int e = 0;

	if (!p)
		return -ENOMEM;
	ns->rule = p;
	p += ns->nrule++;
	*p = (struct listener){ .rule = r };
	for (size_t k = 0; k < r->nnotice && k < 255; k++)
		for (size_t i = 0; i < ns->nsound && !e; i++)
			if (ns->sound[i].ref && strcmp(ns->sound[i].name, r->notice[k].name) == 0)
				e = fp_set_add(&p->set, ns->sound[i].ref, (uint8_t)k);
	return e;
}

static int add_listeners(struct notices *ns, const struct policy *p, char *why, size_t size)
{
	int e = 0;

	for (size_t i = 0; i < policy_rules(p) && !e; i++) {
		const struct policy_rule *r = policy_rule(p, i);

		if (!listens(r))
			continue;
		e = add_listener(ns, r);
		if (e == -ENOSPC)
			snprintf(why, size, "the rule '%s' has more than %d sounds of announcements", r->name, FP_REFS_MAX);
	}
	return e;
}

/* ---- HASH.sounds ---- */

/* A line a sound: hash, announcement, path, with tabs between them. */
static int text_of(const struct notices *ns, char **ret, size_t *ret_n)
{
	FILE *f = open_memstream(ret, ret_n);
	char hex[HASH_HEX];

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < ns->nsound; i++)
		fprintf(f, "%s\t%s\t%s\n", sodium_bin2hex(hex, sizeof(hex), ns->sound[i].hash, POLICY_SOUND_HASH), ns->sound[i].name,
			ns->sound[i].path);
	return fclose(f) ? -ENOMEM : 0;
}

static int keep(const struct notices *ns, const struct policy *p, const char *store, char *why, size_t size)
{
	char name[80], *text = NULL;
	size_t n = 0;
	int e = text_of(ns, &text, &n);

	snprintf(name, sizeof(name), "%s.sounds", policy_hash(p));
	if (!e)
		e = policies_keep_once(store, name, text, n, why, size);
	if (e == -EEXIST) {
		e = -ESTALE;
		snprintf(why, size,
			 "policy %.12s was in force with other sounds of its announcements (%s/policies/%s): a new recording is a new "
			 "announcement, or another version of it",
			 policy_hash(p), store, name);
	}
	free(text);
	return e;
}

/* Its lines, as sounds; what is no line ends it. */
static int from_text(struct notices *ns)
{
	unsigned char hash[POLICY_SOUND_HASH];
	char *line, *name, *path, *at = ns->text;
	size_t n;
	int e = 0;

	while (!e && at && (line = strsep(&at, "\n")) && *line) {
		name = strchr(line, '\t');
		path = name ? strchr(name + 1, '\t') : NULL;
		if (!path)
			return -EBADMSG;
		*name++ = 0;
		*path++ = 0;
		if (sodium_hex2bin(hash, sizeof(hash), line, strlen(line), NULL, &n, NULL) || n != sizeof(hash))
			return -EBADMSG;
		e = add_sound(ns, name, path, hash);
	}
	return e;
}

/* ---- life ---- */

int notices_load(const struct policy *p, const char *store, struct notices **ret, char *why, size_t size)
{
	struct notices *ns = calloc(1, sizeof(*ns));
	int e = ns ? 0 : -ENOMEM;

	*why = 0;
	if (!e)
		e = from_policy(ns, p);
	if (!e)
		e = hear_all(ns, true, why, size);
	if (!e)
		e = add_listeners(ns, p, why, size);
	if (!e && store && ns->nsound)
		e = keep(ns, p, store, why, size);
	if (e && !*why)
		snprintf(why, size, "the sounds of announcements: %s", strerror(-e));
	if (e) {
		notices_free(ns);
		return e;
	}
	*ret = ns;
	return 0;
}

int notices_resume(const struct policy *p, const char *store, struct notices **ret)
{
	struct notices *ns = calloc(1, sizeof(*ns));
	char name[128], why[512];
	uint8_t *text = NULL;
	size_t n = 0;
	int e = ns ? 0 : -ENOMEM;

	if (!e) {
		snprintf(name, sizeof(name), "policies/%.100s.sounds", policy_hash(p));
		e = store ? read_fd(beneath_open(store, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0), &text, &n) : -ENOENT;
	}
	if (!e && text) {
		text[n] = 0; /* there is room for it */
		ns->text = (char *)text;
		e = from_text(ns);
	}
	if (!e)
		e = hear_all(ns, false, why, sizeof(why));
	if (!e)
		e = add_listeners(ns, p, why, sizeof(why));
	if (e) {
		notices_free(ns);
		return e;
	}
	*ret = ns;
	return 0;
}

const struct fp_set *notices_set(const struct notices *ns, const struct policy_rule *r)
{
	for (size_t i = 0; ns && i < ns->nrule; i++)
		if (ns->rule[i].rule == r)
			return ns->rule[i].set.n ? &ns->rule[i].set : NULL;
	return NULL;
}

size_t notices_count(const struct notices *ns)
{
	return ns ? ns->nsound : 0;
}

void notices_free(struct notices *ns)
{
	if (!ns)
		return;
	for (size_t i = 0; i < ns->nsound; i++)
		if (!ns->sound[i].shared)
			fp_ref_free(ns->sound[i].ref);
	free(ns->sound);
	free(ns->rule);
	free(ns->text);
	free(ns);
}
