/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * publish.c - the last step of loading: what policy.h shows of a rule that lies elsewhere in the tree
 *
 * Only pointers and numbers; nothing is checked here, lint has done that.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <sodium.h>

#include "describe.h"
#include "lint.h"

#define G711_BYTES_A_SECOND 8000

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && strcasecmp(s + n - m, end) == 0;
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* RIFF: bytes a second stand in `fmt `, the length in `data`. 0: not a WAV file, or a broken one. */
static uint32_t wav_ms(FILE *f)
{
	uint8_t h[20];
	uint32_t rate = 0, n;

	if (fread(h, 1, 12, f) != 12 || memcmp(h, "RIFF", 4) != 0 || memcmp(h + 8, "WAVE", 4) != 0)
		return 0;
	while (fread(h, 1, 8, f) == 8) {
		n = le32(h + 4);
		if (memcmp(h, "data", 4) == 0)
			return rate && n < 1u << 30 ? (uint32_t)((uint64_t)n * 1000 / rate) : 0;
		if (memcmp(h, "fmt ", 4) == 0) {
			if (n < 16 || n > 256 || fread(h, 1, 16, f) != 16)
				return 0;
			rate = le32(h + 8);
			n -= 16;
		}
		if (fseek(f, (long)n + (n & 1), SEEK_CUR))
			return 0;
	}
	return 0;
}

/* How long a sound lasts; 0 when that is not known. */
static uint32_t sound_ms(const char *path)
{
	struct stat st;
	uint32_t ms;
	FILE *f;

	if (!ends_in(path, ".wav")) {
		/* .alaw, .ulaw, .pcma, .raw ...: G.711 without a head */
		return stat(path, &st) || st.st_size > 1 << 30 ? 0 : (uint32_t)(st.st_size * 1000 / G711_BYTES_A_SECOND);
	}
	f = fopen(path, "re");
	if (!f)
		return 0;
	ms = wav_ms(f);
	fclose(f);
	return ms;
}

/* Of what cannot be read it is the hash of nothing, which no sound has. `all` is that of several. False: not read to its end. */
static bool hash_file(const char *path, unsigned char hash[POLICY_SOUND_HASH], crypto_generichash_state *all)
{
	crypto_generichash_state st;
	unsigned char b[65536];
	FILE *f = fopen(path, "re");
	bool ok = f;
	size_t k;

	crypto_generichash_init(&st, NULL, 0, POLICY_SOUND_HASH);
	while (f && (k = fread(b, 1, sizeof(b), f)) > 0) {
		crypto_generichash_update(&st, b, k);
		crypto_generichash_update(all, b, k);
	}
	crypto_generichash_final(&st, hash, POLICY_SOUND_HASH);
	if (f) {
		ok = !ferror(f);
		fclose(f);
	}
	return ok;
}

static const unsigned char *put_content(struct policy *p, crypto_generichash_state *st)
{
	unsigned char *content = arena_alloc(&p->arena, POLICY_SOUND_HASH);

	if (content)
		crypto_generichash_final(st, content, POLICY_SOUND_HASH);
	return content;
}

/* Without a sound: what it says, in the policy or in a file. */
static void publish_text(struct policy *p, const struct announcement *a, struct policy_notice *n)
{
	unsigned char hash[POLICY_SOUND_HASH];
	crypto_generichash_state st;
	char *path = NULL;
	bool ok = a->text;

	crypto_generichash_init(&st, NULL, 0, POLICY_SOUND_HASH);
	if (a->text)
		crypto_generichash_update(&st, (const unsigned char *)a->text, strlen(a->text));
	else if (a->text_file && check_file(p, a->text_file, "text", &path) && path)
		ok = hash_file(path, hash, &st);
	free(path);
	if (ok)
		n->content = put_content(p, &st);
}

static void publish_audio(struct policy *p, const struct announcement *a, struct policy_notice *n)
{
	unsigned char(*hash)[POLICY_SOUND_HASH];
	crypto_generichash_state all;
	bool ok = true;
	const struct word *w;
	const char **list;
	size_t i = 0;

	for (w = a->audio_files; w; w = w->next)
		n->naudio++;
	list = arena_alloc(&p->arena, n->naudio * sizeof(*list));
	hash = arena_alloc(&p->arena, n->naudio * sizeof(*hash));
	if (!list || !hash) {
		n->naudio = 0;
		return;
	}
	crypto_generichash_init(&all, NULL, 0, POLICY_SOUND_HASH);
	for (w = a->audio_files; w; w = w->next) {
		char *path = NULL;
		uint32_t ms;

		/* from memory there are no files */
		if (!check_file(p, w, "audio", &path) || !path) {
			ok = false;
			continue;
		}
		ms = sound_ms(path);
		if (ms > n->length_ms)
			n->length_ms = ms;
		ok &= hash_file(path, hash[i], &all);
		list[i] = arena_strndup(&p->arena, path, strlen(path));
		free(path);
		if (list[i])
			i++;
	}
	n->naudio = i;
	n->audio = list;
	n->audio_hash = (const unsigned char(*)[POLICY_SOUND_HASH])hash;
	if (ok && i)
		n->content = put_content(p, &all);
}

/* Rules share announcements: a sound is read once. */
static const struct policy_notice *publish_announcement(struct policy *p, struct announcement *a)
{
	if (a->published)
		return &a->pub;
	a->pub = (struct policy_notice){ .name = a->o.name, .language = a->language, .version = a->version, .from = a->from, .until = a->until,
					.keys_after_s = a->keys_after_s };
	if (a->audio_files)
		publish_audio(p, a, &a->pub);
	else
		publish_text(p, a, &a->pub);
	a->published = true;
	return &a->pub;
}

static void publish_notices(struct policy *p, struct rule *r)
{
	struct policy_notice *list;
	const struct word *w;
	size_t n = 0;

	for (w = r->notice; w; w = w->next)
		n++;
	list = arena_alloc(&p->arena, n * sizeof(*list));
	if (!list)
		return;
	for (w = r->notice, n = 0; w; w = w->next) {
		if (w->obj)
			list[n++] = *publish_announcement(p, w->obj);
	}
	r->pub.notice = list;
	r->pub.nnotice = n;
}

static const unsigned char *assessment_content(struct policy *p, struct assessment *a)
{
	struct policy_assessment said;
	unsigned char *hash;

	if (a->content)
		return a->content;
	hash = arena_alloc(&p->arena, sizeof(said.hash));
	if (!hash || policy_assessment(p, a->o.name, &said))
		p->oom = true;
	else
		a->content = memcpy(hash, said.hash, sizeof(said.hash));
	return a->content;
}

static void publish_block(struct policy *p, struct block *b)
{
	struct policy_block *pub = b->pub;

	if (!b->pos.line)
		return;
	if (b->assessment && b->assessment->obj)
		pub->assessment_content = assessment_content(p, b->assessment->obj);
	pub->consent_api = b->consent_api;
	pub->consent_header = b->consent_header;
	pub->consent_value = b->consent_value;
	pub->optout_header = b->optout_header;
	pub->optout_value = b->optout_value;
	pub->not_needed_api = b->not_needed_api;
	memcpy(pub->not_needed_key, b->not_needed_key, sizeof(pub->not_needed_key));
}

unsigned policy_alarms(const struct rule *r)
{
	static const char *const name[] = { "gap", "utilisation", "overdue", "quota", "notice-missing" };
	unsigned n = r->alarm ? 0 : POLICY_ALARM_ALL;

	for (const struct word *w = r->alarm; w; w = w->next) {
		if (!strcmp(w->s, "on"))
			n = POLICY_ALARM_ALL;
		for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
			n |= strcmp(w->s, name[i]) ? 0 : 1u << i;
	}
	if (r->pub.purpose[POLICY_DOCUMENTATION].basis == POLICY_B_OBLIGATION)
		n |= POLICY_ALARM_GAP | POLICY_ALARM_NOTICE;
	return n;
}

static unsigned months_of(const struct policy_span *s)
{
	static const unsigned hours[] = { 3600, 60, 1 };

	switch (s->unit) {
	case POLICY_U_YEARS:
		return 12 * (unsigned)s->n;
	case POLICY_U_MONTHS:
		return (unsigned)s->n;
	case POLICY_U_DAYS:
		return (unsigned)s->n / 28 + 1; /* no month is shorter */
	default:
		return (unsigned)s->n / hours[s->unit] / 24 / 28 + 1;
	}
}

unsigned policy_record_months(const struct policy *p)
{
	unsigned most = 0;

	for (const struct obj *o = p->rules.first; o; o = o->next) {
		unsigned n = months_of(&((const struct rule *)o)->decision_record);

		most = n > most ? n : most;
	}
	return most;
}

void publish_policy(struct policy *p)
{
	struct obj *o;

	for (o = p->rules.first; o; o = o->next) {
		struct rule *r = (struct rule *)o;

		r->pub.concurrent = r->max_concurrent;
		r->pub.alarms = policy_alarms(r);
		r->pub.pause_stop = r->pause_stop;
		r->pub.pause_api = r->pause_api;
		r->pub.pause_header = r->pause_header;
		r->pub.pause_value = r->pause_value;
		r->pub.sms = r->sms;
		r->pub.sms_timeout = r->sms_timeout.n ? r->sms_timeout : (struct policy_span){ 10, POLICY_U_MIN };
		for (int i = 0; i < POLICY_PURPOSES; i++)
			publish_block(p, &r->block[i]);
		publish_notices(p, r);
	}
}

/* ---- headers that tell what happened ---- */

static size_t add_name(const char *name, const char *ret_names[], size_t n, size_t max)
{
	size_t i;

	for (i = 0; name && i < n; i++)
		if (strcasecmp(ret_names[i], name) == 0)
			return n;
	if (!name || n >= max)
		return n;
	ret_names[n] = name;
	return n + 1;
}

size_t policy_event_headers(const struct policy *p, const char *ret_names[], size_t max)
{
	const struct obj *o;
	size_t n = 0;

	for (o = p->trunks.first; o; o = o->next)
		n = add_name(((const struct trunk *)o)->correlate_header, ret_names, n, max);
	for (o = p->rules.first; o; o = o->next) {
		const struct policy_rule *r = &((const struct rule *)o)->pub;

		if (r->proof == POLICY_PROOF_HEADER)
			n = add_name(r->proof_header, ret_names, n, max);
		n = add_name(r->pause_header, ret_names, n, max);
		for (int i = 0; i < POLICY_PURPOSES; i++) {
			n = add_name(r->purpose[i].consent_header, ret_names, n, max);
			n = add_name(r->purpose[i].optout_header, ret_names, n, max);
		}
	}
	return n;
}
