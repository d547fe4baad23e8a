/* SPDX-License-Identifier: BSD-2-Clause */
/* polhist.c - see polhist.h */
#include "polhist.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/beneath.h"
#include "base/files.h"
#include "policies_kept.h"

#define FILE_MAX_BYTES (64u << 20)

struct polhist {
	int fd;
	uint64_t n; /* of the last line */
	off_t end;
};

static const char *const whats[POLHIST_WHATS] = { "load", "confirm", "propose", "approve", "stop", "start", "stage", "cancel" };
static const char *const hows[POLHIST_HOWS] = { "", "start", "signal", "apply", "rollback", "revert", "effective" };

const char *polhist_what_name(enum polhist_what w)
{
	return whats[w];
}

const char *polhist_how_name(enum polhist_how h)
{
	return hows[h];
}

/* ---- a line ---- */

bool polhist_text_ok(const char *s, size_t size)
{
	size_t n = strlen(s);

	if (!n || n >= size || strspn(s, " \t") == n)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

static bool hash_ok(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

/* Of one kind each what must be there. */
static bool whole(const struct polhist_line *l)
{
	bool of_rule = l->what == POLHIST_STOP || l->what == POLHIST_START;

	if (!l->n || !l->at_ns || l->at_ns > INT64_MAX || l->until_ns > INT64_MAX || l->uid < -1 || l->uid > UINT32_MAX)
		return false;
	if (!hash_ok(l->policy) || (*l->was && !hash_ok(l->was)) || (*l->files && !hash_ok(l->files)))
		return false;
	if (*l->approver && !approval_name_ok(l->approver))
		return false;
	if (l->what == POLHIST_APPROVE && !*l->approver)
		return false;
	if ((l->what == POLHIST_LOAD) != (l->how != POLHIST_H_NONE) || (of_rule && !*l->rule))
		return false;
	if ((l->what == POLHIST_PROPOSE || l->what == POLHIST_STAGE) && !l->until_ns)
		return false;
	if (l->what == POLHIST_LOAD && l->until_ns && !*l->was)
		return false;
	return (!*l->reason || polhist_text_ok(l->reason, sizeof(l->reason))) &&
	       (!*l->ticket || polhist_text_ok(l->ticket, sizeof(l->ticket))) &&
	       (!*l->rule || polhist_text_ok(l->rule, sizeof(l->rule))) && (!*l->set || polhist_text_ok(l->set, sizeof(l->set)));
}

static void put_text(json_t *o, const char *name, const char *s, bool *bad)
{
	if (*s)
		*bad |= json_object_set_new(o, name, json_string(s)) != 0;
}

static void put_int(json_t *o, const char *name, uint64_t v, bool *bad)
{
	if (v)
		*bad |= json_object_set_new(o, name, json_integer((json_int_t)v)) != 0;
}

size_t polhist_format(const struct polhist_line *l, char out[POLHIST_LINE_MAX])
{
	json_t *o = whole(l) ? json_object() : NULL;
	bool bad = !o;
	size_t n = 0;

	if (bad)
		return 0;
	put_int(o, "n", l->n, &bad);
	put_int(o, "at", l->at_ns, &bad);
	put_text(o, "what", whats[l->what], &bad);
	put_text(o, "how", hows[l->how], &bad);
	put_text(o, "policy", l->policy, &bad);
	put_text(o, "was", l->was, &bad);
	put_text(o, "files", l->files, &bad);
	if (l->uid >= 0)
		bad |= json_object_set_new(o, "uid", json_integer(l->uid)) != 0;
	put_int(o, "until", l->until_ns, &bad);
	put_int(o, "tighten", l->change[POLICY_TIGHTEN], &bad);
	put_int(o, "shorten", l->change[POLICY_SHORTEN], &bad);
	put_int(o, "loosen", l->change[POLICY_LOOSEN], &bad);
	put_int(o, "neutral", l->change[POLICY_NEUTRAL], &bad);
	put_text(o, "rule", l->rule, &bad);
	put_text(o, "set", l->set, &bad);
	put_text(o, "approver", l->approver, &bad);
	put_text(o, "reason", l->reason, &bad);
	put_text(o, "ticket", l->ticket, &bad);
	if (!bad)
		n = json_dumpb(o, out, POLHIST_LINE_MAX - 1, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(o);
	if (!n || n >= POLHIST_LINE_MAX - 1)
		return 0;
	out[n] = '\n';
	return n + 1;
}

static bool get_text(json_t *o, const char *name, char *out, size_t size)
{
	json_t *v = json_object_get(o, name);
	bool ok = !v || (json_is_string(v) && json_string_length(v) > 0 && json_string_length(v) < size &&
			 strlen(json_string_value(v)) == json_string_length(v));

	if (v && ok)
		strcpy(out, json_string_value(v));
	(void)json_object_del(o, name); /* what is left at the end is not known */
	return ok;
}

static bool get_int(json_t *o, const char *name, uint64_t max, uint64_t *ret)
{
	json_t *v = json_object_get(o, name);
	bool ok = !v || (json_is_integer(v) && json_integer_value(v) >= 0 && (uint64_t)json_integer_value(v) <= max);

	*ret = v && ok ? (uint64_t)json_integer_value(v) : 0;
	(void)json_object_del(o, name);
	return ok;
}

static int get_word(json_t *o, const char *name, const char *const *list, int n)
{
	char w[16] = "";
	int i = 0;

	if (!get_text(o, name, w, sizeof(w)))
		return -1;
	while (i < n && strcmp(list[i], w))
		i++;
	return i < n ? i : -1;
}

static bool get_counts(json_t *o, struct polhist_line *l)
{
	uint64_t v[POLICY_CHANGES];
	bool ok = get_int(o, "tighten", UINT32_MAX, &v[POLICY_TIGHTEN]) && get_int(o, "shorten", UINT32_MAX, &v[POLICY_SHORTEN]) &&
		  get_int(o, "loosen", UINT32_MAX, &v[POLICY_LOOSEN]) && get_int(o, "neutral", UINT32_MAX, &v[POLICY_NEUTRAL]);

	for (int i = 0; ok && i < POLICY_CHANGES; i++)
		l->change[i] = (unsigned)v[i];
	return ok;
}

static bool take(json_t *o, struct polhist_line *l)
{
	bool someone = json_object_get(o, "uid");
	int what = get_word(o, "what", whats, POLHIST_WHATS), how = get_word(o, "how", hows, POLHIST_HOWS);
	uint64_t uid;

	if (what < 0 || how < 0)
		return false;
	l->what = (enum polhist_what)what;
	l->how = (enum polhist_how)how;
	if (!get_int(o, "n", INT64_MAX, &l->n) || !get_int(o, "at", INT64_MAX, &l->at_ns) || !get_int(o, "uid", UINT32_MAX, &uid) ||
	    !get_int(o, "until", INT64_MAX, &l->until_ns) || !get_counts(o, l))
		return false;
	l->uid = someone ? (int64_t)uid : -1;
	return get_text(o, "policy", l->policy, sizeof(l->policy)) && get_text(o, "was", l->was, sizeof(l->was)) &&
	       get_text(o, "files", l->files, sizeof(l->files)) && get_text(o, "rule", l->rule, sizeof(l->rule)) &&
	       get_text(o, "set", l->set, sizeof(l->set)) &&
	       get_text(o, "approver", l->approver, sizeof(l->approver)) && get_text(o, "reason", l->reason, sizeof(l->reason)) &&
	       get_text(o, "ticket", l->ticket, sizeof(l->ticket)) && json_object_size(o) == 0;
}

int polhist_parse(const char *p, size_t n, struct polhist_line *ret)
{
	json_t *o = n < POLHIST_LINE_MAX ? json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	struct polhist_line l = { 0 };
	bool ok = json_is_object(o) && take(o, &l) && whole(&l);

	json_decref(o);
	if (!ok)
		return -EBADMSG;
	*ret = l;
	return 0;
}

/* ---- the state ---- */

static void forget_stop(struct polhist_state *s, const char *rule)
{
	for (size_t i = 0; i < s->nstop; i++)
		if (!strcmp(s->stop[i].rule, rule)) {
			memmove(&s->stop[i], &s->stop[i + 1], (s->nstop - i - 1) * sizeof(s->stop[0]));
			s->nstop--;
			return;
		}
}

static void add_proposal(struct polhist_state *s, const struct polhist_line *l)
{
	if (s->nproposal == POLHIST_PROPOSALS) {
		memmove(&s->proposal[0], &s->proposal[1], (POLHIST_PROPOSALS - 1) * sizeof(s->proposal[0]));
		s->nproposal--;
	}
	s->proposal[s->nproposal++] = *l;
}

int polhist_apply(struct polhist_state *s, const struct polhist_line *l)
{
	switch (l->what) {
	case POLHIST_LOAD:
		s->now = *l;
		s->confirmed = !l->until_ns;
		s->stage.n = 0;
		break;
	case POLHIST_CONFIRM:
		s->confirmed = true;
		break;
	case POLHIST_PROPOSE:
		add_proposal(s, l);
		break;
	case POLHIST_STOP:
		forget_stop(s, l->rule); /* it may have been counted before it was written */
		if (s->nstop == POLHIST_STOPS)
			return -ENOSPC;
		s->stop[s->nstop++] = *l;
		break;
	case POLHIST_START:
		forget_stop(s, l->rule);
		break;
	case POLHIST_STAGE:
		s->stage = *l;
		break;
	case POLHIST_CANCEL:
		s->stage.n = 0;
		memcpy(s->now.files, l->policy, sizeof(s->now.files)); /* a restart does not bring it either */
		break;
	case POLHIST_APPROVE: /* the approval is a file of its own; here it is for who looks */
		for (size_t i = s->nproposal; i > 0; i--) {
			if (strcmp(s->proposal[i - 1].policy, l->policy) != 0)
				continue;
			memcpy(s->proposal[i - 1].approver, l->approver, sizeof(l->approver));
			break;
		}
		break;
	default:
		break;
	}
	s->n = l->n;
	return 0;
}

const struct polhist_line *polhist_stop(const struct polhist_state *s, const char *rule)
{
	for (size_t i = 0; i < s->nstop; i++)
		if (!strcmp(s->stop[i].rule, rule))
			return &s->stop[i];
	return NULL;
}

const struct polhist_line *polhist_proposal(const struct polhist_state *s, const char *policy)
{
	for (size_t i = s->nproposal; i > 0; i--)
		if (!strcmp(s->proposal[i - 1].policy, policy))
			return &s->proposal[i - 1];
	return NULL;
}

/* ---- the file ---- */

/* Each whole line in turn; *ret_end where the last one ends. *ret_line: which one it was when it fails. */
static int each_line(const char *s, size_t n, int (*cb)(void *arg, const struct polhist_line *l), void *arg, size_t *ret_end,
		     uint64_t *ret_line)
{
	struct polhist_line l;
	uint64_t line = 0;
	size_t at = 0;
	int e = 0;

	while (at < n && !e) {
		const char *nl = memchr(s + at, '\n', n - at);

		if (!nl)
			break;
		*ret_line = ++line;
		e = polhist_parse(s + at, (size_t)(nl - s) - at, &l);
		if (!e && l.n != line)
			e = -EBADMSG;
		if (!e)
			e = cb(arg, &l);
		at = (size_t)(nl - s) + 1;
	}
	*ret_end = at;
	return e;
}

static int apply_line(void *arg, const struct polhist_line *l)
{
	return polhist_apply(arg, l) ? -EBADMSG : 0;
}

static int open_file(const char *store, int *ret)
{
	int dir, fd, e = policies_dir(store, &dir);

	if (e)
		return e;
	fd = openat(dir, "history", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0 || fsync(dir))
		e = -errno;
	close(dir);
	if (e && fd >= 0)
		close(fd);
	*ret = fd;
	return e;
}

int polhist_open(const char *store, struct polhist **ret, struct polhist_state *state, char *why, size_t n)
{
	struct polhist *h = calloc(1, sizeof(*h));
	char *s = NULL;
	size_t len = 0, end = 0;
	uint64_t line = 0;
	int e = h ? 0 : -ENOMEM;

	memset(state, 0, sizeof(*state));
	state->confirmed = true;
	if (h) {
		h->fd = -1;
		e = open_file(store, &h->fd);
	}
	if (!e)
		e = files_read(h->fd, FILE_MAX_BYTES, &s, &len);
	if (!e)
		e = each_line(s, len, apply_line, state, &end, &line);
	if (!e && end < len && ftruncate(h->fd, (off_t)end)) /* torn: it was never confirmed */
		e = -errno;
	free(s);
	if (e) {
		if (e == -EBADMSG)
			snprintf(why, n, "%s/policies/history: line %llu is damaged: what was in force is not known", store,
				 (unsigned long long)line);
		else
			snprintf(why, n, "%s/policies/history: %s", store, strerror(-e));
		polhist_close(h);
		return e;
	}
	h->n = line;
	h->end = (off_t)end;
	*ret = h;
	return 0;
}

int polhist_append(struct polhist *h, struct polhist_line *l, uint8_t ret_hash[32])
{
	char text[POLHIST_LINE_MAX];
	size_t n;
	int e;

	l->n = h->n + 1;
	n = polhist_format(l, text);
	if (!n)
		return -EINVAL;
	e = files_append(h->fd, h->end, text, n, NULL); /* torn: the next line is written over what is there */
	if (e)
		return e;
	h->end += (off_t)n;
	h->n = l->n;
	(void)crypto_generichash(ret_hash, 32, (const unsigned char *)text, n - 1, NULL, 0);
	return 0;
}

void polhist_close(struct polhist *h)
{
	if (!h)
		return;
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

/* ---- looking ---- */

static const char *line_before(const char *s, const char *end)
{
	const char *p = memrchr(s, '\n', (size_t)(end - s));

	return p ? p + 1 : s;
}

int polhist_page(const char *store, uint64_t before, size_t max, int (*cb)(void *arg, const struct polhist_line *l), void *arg)
{
	struct polhist_line l;
	const char *end, *p;
	char *s = NULL;
	size_t len = 0;
	int fd = beneath_open(store, "policies/history", O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0), e;

	if (fd < 0)
		return -errno;
	e = files_read(fd, FILE_MAX_BYTES, &s, &len);
	close(fd);
	if (e)
		return e;
	end = !s ? NULL : memrchr(s, '\n', len); /* a line that is being written is none yet */
	while (!e && end && max) {
		p = line_before(s, end);
		e = polhist_parse(p, (size_t)(end - p), &l);
		if (!e && (!before || l.n < before)) {
			e = cb(arg, &l);
			max--;
		}
		end = p > s ? p - 1 : NULL;
	}
	free(s);
	return e;
}
