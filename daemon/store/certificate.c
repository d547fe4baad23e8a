/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * certificate.c - the proof that a call was deleted, see certificate.h
 *
 * The log is read from the day before the call on, with its chain and signatures; then the days of the lines that matter once more,
 * for their trees. What was destroyed is believed only behind what it destroys: in the order of the log.
 */
#include "store/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/evlog_internal.h"
#include "store/slots.h"

#define SCAN (1u << 20)

struct found { /* a line in the log */
	int32_t day;
	uint64_t seq; /* 0: none */
};

struct life { /* of the call, by the log */
	struct certificate *c;
	struct uid call;
	bool matched, over, denied;
	char reason[EVLOG_REASON];
	bool held; /* documentation, now */
	struct found committed[STORE_PURPOSES], destroyed[STORE_PURPOSES], ended;
	uint64_t commits, keys; /* seen; as the outcome says */
	int32_t expired_to;
	char findings[256];
};

static int purpose_of(enum evlog_purpose p)
{
	return (int)p - 1; /* -1: of no purpose, so of all */
}

static bool is_proven(const struct life *l, int p)
{
	return l->committed[p].seq && l->destroyed[p].seq;
}

static void on_commit(struct life *l, const struct evlog_line *e, struct found at)
{
	int p = purpose_of(e->e.purpose);
	struct certificate_purpose *c = &l->c->purpose[p];

	l->commits++;
	c->had = true;
	snprintf(c->controller, sizeof(c->controller), "%s", e->controller);
	c->day = evlog_num_get(&e->e, EVLOG_N_DAY, 0);
	l->committed[p] = at;
	l->destroyed[p] = (struct found){ .seq = 0 };
}

static void on_destroy(struct life *l, int p, bool bucket, uint64_t held, struct found at)
{
	if (!l->committed[p].seq || l->destroyed[p].seq)
		return;
	l->destroyed[p] = at;
	l->c->purpose[p].by_bucket = bucket;
	l->c->purpose[p].held = held;
}

static void on_bucket(struct life *l, const struct evlog_event *e, struct found at)
{
	int p = purpose_of(e->purpose);
	const struct certificate_purpose *c = &l->c->purpose[p];

	/* a held call has its key elsewhere: its own event must tell */
	if (c->had && !strcmp(c->controller, e->controller) && c->day == evlog_num_get(e, EVLOG_N_DAY, 0) &&
	    (p != STORE_DOCUMENTATION || !l->held))
		on_destroy(l, p, true, evlog_num_get(e, EVLOG_N_HELD, 0), at);
}

static void on_own(struct life *l, const struct evlog_line *e, struct found at)
{
	switch (e->e.kind) {
	case EVLOG_CALL_MATCH:
		l->matched = true;
		return;
	case EVLOG_CALL_KEPT:
	case EVLOG_CALL_DENIED:
	case EVLOG_CALL_GAP:
		l->over = true;
		l->denied = e->e.kind == EVLOG_CALL_DENIED;
		snprintf(l->reason, sizeof(l->reason), "%s", e->reason);
		l->ended = at;
		l->keys = evlog_num_get(&e->e, EVLOG_N_KEYS, UINT64_MAX);
		l->c->counted = l->keys != UINT64_MAX;
		return;
	case EVLOG_KEY_COMMIT:
		on_commit(l, e, at);
		return;
	case EVLOG_HOLD_SET:
		/* A destroyed call is never put on hold: its bucket went later, and was told earlier. */
		l->held = true;
		l->destroyed[STORE_DOCUMENTATION] = (struct found){ .seq = 0 };
		return;
	case EVLOG_HOLD_RELEASE:
		l->held = false;
		return;
	case EVLOG_KEY_DESTROY:
	case EVLOG_CALL_DESTROY:
		for (int p = 0; p < STORE_PURPOSES; p++)
			if (!e->e.purpose || purpose_of(e->e.purpose) == p)
				on_destroy(l, p, false, 0, at);
		return;
	default:
		return;
	}
}

static int on_line(void *arg, const char *file, uint64_t n, const struct evlog_line *e)
{
	struct life *l = arg;
	struct found at = { .seq = e->seq };
	char day[11];

	(void)n;
	snprintf(day, sizeof(day), "%.10s", file + sizeof(EVLOG_DIR));
	(void)evlog_day_parse(day, &at.day); /* it is the name of a day's file */
	if (e->e.has_call && uid_equal(&e->e.call, &l->call))
		on_own(l, e, at);
	else if (e->e.kind == EVLOG_BUCKET_DESTROY)
		on_bucket(l, &e->e, at);
	return 0;
}

static void on_finding(void *arg, const char *file, uint64_t line, const char *rule, const char *text)
{
	struct life *l = arg;

	if (!*l->findings)
		snprintf(l->findings, sizeof(l->findings), "%s:%" PRIu64 ": %s: %s", file, line, rule, text);
}

static int read_life(const char *dir, struct life *l, struct why *why)
{
	struct evlog_look how = { .arg = l, .line = on_line, .finding = on_finding };
	struct evlog_report rep;
	char text[512] = "";
	int rc;

	/* the clock of who began the call, and of the log: a day apart at most, or nothing is found */
	how.from_day = evlog_day(uid_time_ms(&l->call) * NS_PER_MS) - 1;
	if (how.from_day < 1)
		how.from_day = 1;
	rc = evlog_look(dir, &how, &rep, text, sizeof(text));
	if (rc)
		return why_set(why, rc, "%s", text);
	l->expired_to = rep.expired_to;
	return rep.damaged ? why_set(why, -EBADMSG, "%s", l->findings) : 0;
}

/* ---- trees ---- */

/* Reads the day once more: the line, and its way to the root. */
static int prove(const struct root *r, const struct evlog_pub *pub, struct found at, struct certificate_line *ret, struct why *why)
{
	struct merkle_path path = { .n = 0 };
	struct evlog_root root;
	struct evlog_file f;
	uint8_t hash[32], tree[32];
	char name[64];
	const char *p;
	size_t n;
	int rc = evlog_root_load(r, at.day, pub, &root, hash, why);

	if (rc)
		return rc;
	if (root.version < 2 || at.seq < root.first || at.seq > root.last)
		return -ENODATA;
	path.index = ret->index = at.seq - root.first;
	ret->day = at.day;
	evlog_day_name(at.day, "log", name);
	rc = evlog_file_open(r, name, &f);
	if (rc)
		return why_errno(why, rc, name, "cannot read");
	while ((rc = evlog_file_next(&f, &p, &n)) == 1) {
		if (path.m.n == path.index && n < sizeof(ret->line)) {
			memcpy(ret->line, p, n);
			ret->line[n] = 0;
		}
		merkle_path_add(&path, p, n);
	}
	evlog_file_close(&f);
	if (rc < 0)
		return why_errno(why, rc, name, "cannot read");
	if (rc || !merkle_path_end(&path, tree) || memcmp(tree, root.merkle, 32) != 0)
		return why_set(why, -EBADMSG, "%s: not the lines that its root was signed for (rule E-12)", name);
	ret->hashes = path.n;
	memcpy(ret->hash, path.hash, sizeof(path.hash[0]) * path.n);
	return 0;
}

static char *read_text(const struct root *r, const char *name, int *ret_rc)
{
	char text[EVLOG_TEXT];
	size_t n;
	char *p = NULL;

	*ret_rc = read_small(r->fd, name, text, sizeof(text) - 1, &n);
	if (!*ret_rc) {
		text[n] = 0;
		p = strdup(text);
		*ret_rc = p ? 0 : -ENOMEM;
	}
	return p;
}

/* The roots from a day on, in order; which of them is each line's. */
static int take_roots(const struct root *r, struct certificate *c, int32_t from, struct why *why)
{
	char name[64];
	int32_t last = evlog_day(c->made_ns) + 1; /* nothing is signed for later days */
	int rc = 0;

	for (int p = 0; p < STORE_PURPOSES; p++)
		if (c->purpose[p].had && c->purpose[p].destroyed.day > last)
			last = c->purpose[p].destroyed.day; /* but by a clock that was set back */
	last = c->ended.day > last ? c->ended.day : last;
	c->root = calloc((size_t)(last - from) + 1, sizeof(*c->root));
	if (!c->root)
		return why_set(why, -ENOMEM, "out of memory");
	for (int32_t day = from; day <= last; day++) {
		evlog_day_name(day, "root", name);
		c->root[c->roots] = read_text(r, name, &rc);
		if (rc == -ENOENT)
			continue;
		if (rc)
			return why_errno(why, rc, name, "cannot read");
		for (int p = 0; p < STORE_PURPOSES; p++) {
			if (c->purpose[p].committed.day == day)
				c->purpose[p].committed.root = c->roots;
			if (c->purpose[p].destroyed.day == day)
				c->purpose[p].destroyed.root = c->roots;
		}
		if (c->ended.day == day)
			c->ended.root = c->roots;
		c->roots++;
	}
	return 0;
}

/* ---- the disk ---- */

/* Whether 16 bytes that are the call's uid are anywhere in a file, whatever its version. */
static int names_call(const struct root *r, const char *name, const struct uid *uid, bool *ret, struct why *why)
{
	char *buf = malloc(SCAN);
	size_t have = 0;
	ssize_t got = 1;
	int fd, rc = 0;

	*ret = false;
	if (!buf)
		return why_set(why, -ENOMEM, "out of memory");
	fd = beneath_openat(r->fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
	if (fd < 0) {
		rc = errno == ENOENT ? 0 : why_errno(why, -errno, name, "cannot read");
		free(buf);
		return rc;
	}
	while (!*ret && (got = read(fd, buf + have, SCAN - have)) > 0) {
		have += (size_t)got;
		*ret = memmem(buf, have, uid->b, sizeof(uid->b)) != NULL;
		if (have >= sizeof(uid->b)) {
			memmove(buf, buf + have - (sizeof(uid->b) - 1), sizeof(uid->b) - 1);
			have = sizeof(uid->b) - 1;
		}
	}
	if (got < 0)
		rc = why_errno(why, -errno, name, "cannot read");
	close(fd);
	free(buf);
	return rc;
}

static int look_at_disk(const struct root *r, const struct uid *uid, unsigned p, struct certificate_purpose *c, struct why *why)
{
	char path[STORE_PATH_MAX];
	struct bucket b;
	int rc = bucket_read(r, c->controller, p, (uint32_t)c->day, &b, why);

	if (rc && rc != -ENOENT)
		return rc;
	c->bucket = rc ? CERTIFICATE_GONE : b.state == BUCKET_DESTROYED ? CERTIFICATE_DESTROYED : CERTIFICATE_LIVE;
	memset(&b, 0, sizeof(b));
	slots_path(c->controller, p, (uint32_t)c->day, "slots", path);
	rc = names_call(r, path, uid, &c->slot, why);
	if (rc)
		return rc;
	strcpy(strrchr(path, '/'), "/hold.slots");
	return names_call(r, path, uid, &c->hold, why);
}

/* ---- all of it ---- */

static const char *const purposes[STORE_PURPOSES] = { "documentation", "training" };

static int is(struct certificate *c, enum certificate_state s, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int is(struct certificate *c, enum certificate_state s, const char *fmt, ...)
{
	va_list ap;

	c->state = s;
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
	return 1;
}

/* What the log says alone. 1: no certificate. */
static int by_log(struct certificate *c, const struct life *l)
{
	bool any = false;
	uint64_t named = 0;

	for (int p = 0; p < STORE_PURPOSES; p++)
		any |= c->purpose[p].had;
	if (!l->matched && l->expired_to >= evlog_day(uid_time_ms(&l->call) * NS_PER_MS))
		return is(c, CERTIFICATE_UNPROVEN, "the events of its day are gone with their age");
	if (!any && !l->matched && !l->over)
		return is(c, CERTIFICATE_UNKNOWN, "the evidence log has no such call");
	if (!l->over)
		return is(c, CERTIFICATE_ALIVE, "the call is in progress, or its outcome is not in the log yet");
	if (!any && l->denied)
		return is(c, CERTIFICATE_NEVER, "nothing of it was ever kept: %s", l->reason);
	if (!any)
		return is(c, CERTIFICATE_UNPROVEN, "the log does not say where a key of it was stored");
	if (l->held)
		return is(c, CERTIFICATE_ALIVE, "not deleted: it is on hold");
	for (int p = 0; p < STORE_PURPOSES; p++) {
		if (c->purpose[p].had && !c->purpose[p].day)
			return is(c, CERTIFICATE_UNPROVEN, "the log does not say which day's bucket had the key for %s", purposes[p]);
		if (c->purpose[p].had && !is_proven(l, p))
			return is(c, CERTIFICATE_ALIVE, "not deleted: no event says that its key for %s was destroyed", purposes[p]);
		named += c->purpose[p].had;
	}
	if (c->counted && (l->keys != named || l->commits != named))
		return is(c, CERTIFICATE_UNPROVEN, "the log counts other keys of it than it names");
	return 0;
}

static int by_disk(const struct root *r, const struct uid *uid, struct certificate *c, struct why *why)
{
	for (unsigned p = 0; p < STORE_PURPOSES; p++) {
		struct certificate_purpose *x = &c->purpose[p];
		int rc = x->had ? look_at_disk(r, uid, p, x, why) : 0;

		if (rc)
			return rc;
		if (x->had && ((x->slot && x->bucket == CERTIFICATE_LIVE) || x->hold))
			return is(c, CERTIFICATE_ALIVE, "the log says that its key for %s was destroyed, and %s has one",
				  purposes[p], x->hold ? "the file of held calls" : "its bucket");
	}
	return 0;
}

/* A line's way to its root. 1: no certificate. */
static int by_tree(const struct root *r, const struct evlog_pub *pub, struct found at, struct certificate_line *line,
		   struct certificate *c, struct why *why)
{
	int rc = prove(r, pub, at, line, why);
	char day[16];

	evlog_day_text(at.day, day);
	if (rc == -ENOENT)
		return is(c, CERTIFICATE_UNSIGNED, "deleted (event %" PRIu64 "); not provable before the root of %s "
			  "is signed, after the end of that day (UTC)", at.seq, day);
	if (rc == -ENODATA)
		return is(c, CERTIFICATE_UNPROVEN, "deleted; the root of %s is of an older version, without a tree", day);
	return rc;
}

static int by_trees(const struct root *r, const struct evlog_pub *pub, const struct life *l, struct certificate *c, struct why *why)
{
	int32_t first = l->ended.day;
	int rc = by_tree(r, pub, l->ended, &c->ended, c, why);

	for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
		struct certificate_purpose *x = &c->purpose[p];

		if (!x->had)
			continue;
		rc = by_tree(r, pub, l->committed[p], &x->committed, c, why);
		if (!rc)
			rc = by_tree(r, pub, l->destroyed[p], &x->destroyed, c, why);
		first = l->committed[p].day < first ? l->committed[p].day : first; /* before it was destroyed */
	}
	return rc ? rc : take_roots(r, c, first, why);
}

static int make(const char *dir, struct life *l, struct why *why)
{
	struct root root = { .fd = -1 };
	struct certificate *c = l->c;
	struct evlog_pub pub;
	int rc = read_life(dir, l, why);

	if (!rc)
		rc = root_open(dir, &root, why);
	if (!rc)
		rc = evlog_pub_load(&root, NULL, &pub, why);
	if (!rc)
		rc = by_log(c, l);
	if (!rc)
		rc = by_disk(&root, &l->call, c, why);
	if (!rc)
		rc = by_trees(&root, &pub, l, c, why);
	if (!rc) {
		memcpy(c->store, root.id, 16);
		c->public_key = read_text(&root, EVLOG_PUB, &rc);
		(void)is(c, CERTIFICATE_PROVEN, "deleted");
	}
	root_close(&root);
	return rc < 0 ? rc : 0;
}

int certificate_make(const char *store_dir, const struct uid *call, struct certificate **ret, char *text, size_t n)
{
	struct certificate *c = calloc(1, sizeof(*c));
	struct life l = { .c = c, .call = *call };
	struct why why = { "" };
	int rc = -ENOMEM;

	if (c) {
		c->made_ns = clock_now_ns();
		rc = make(store_dir, &l, &why);
	}
	if (!rc) {
		*ret = c;
		return 0;
	}
	if (text && n)
		snprintf(text, n, "%s", why.text[0] ? why.text : strerror(-rc));
	certificate_free(c);
	return rc;
}

void certificate_free(struct certificate *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->roots; i++)
		free(c->root[i]);
	free(c->root);
	free(c->public_key);
	free(c);
}
