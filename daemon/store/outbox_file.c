/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outbox_file.c - a file of the outbox: any bytes read as one
 *
 * Lines are those of the log, by the same strict reader, so an event that the log would not take is found here.
 * Reads only; any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/outbox_internal.h"

const char *outbox_kind_check(const struct evlog_event *e)
{
	static const enum evlog_kind kinds[] = {
		EVLOG_CALL_DESTROY,	EVLOG_KEY_DESTROY,	 EVLOG_BUCKET_DESTROY,	EVLOG_PURPOSE_EXPIRE,
		EVLOG_HOLD_SET,		EVLOG_HOLD_RELEASE,	 EVLOG_REVIEW_DUE,	EVLOG_REVIEW_DONE,
		EVLOG_ERASURE_OPENED,	EVLOG_ERASURE_DECIDED,	 EVLOG_OBJECTION_OPENED, EVLOG_OBJECTION_DECIDED,
		EVLOG_CONSENT_WITHDRAWN, EVLOG_ACCESS_OPEN,	 EVLOG_ACCESS_EXPORT,	EVLOG_PLAY,
		EVLOG_USE,		EVLOG_REPORT,		 EVLOG_REAPER_RUN,	EVLOG_EVIDENCE_EXPIRE,
		EVLOG_REAPER_TOLD,
	};

	/* what the daemon says itself, nobody says for it */
	if (e->source != EVLOG_S_REAPER && e->source != EVLOG_S_OPERATOR)
		return "not by reaper or operator";
	if (*e->press) /* no tool hears one */
		return "names a key that was pressed";
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (e->kind == kinds[i])
			return NULL;
	return "not an event for the outbox";
}

const char *outbox_check(const struct evlog_event *e)
{
	const char *what = evlog_check(e);

	return what ? what : outbox_kind_check(e);
}

/* ---- names ---- */

bool outbox_name_time(const char *name, uint64_t *ret_ns)
{
	uint8_t b[8];
	char hex[17];
	uint64_t v = 0;

	if (strlen(name) != OUTBOX_NAME || name[16] != '-')
		return false;
	memcpy(hex, name + 17, 17);
	if (strspn(name, "0123456789abcdef") != 16 || strspn(hex, "0123456789abcdef") != 16)
		return false;
	memcpy(hex, name, 16);
	if (hex_parse(hex, 8, b))
		return false;
	for (int i = 0; i < 8; i++)
		v = v << 8 | b[i];
	*ret_ns = v;
	return true;
}

enum outbox_kind outbox_name_kind(const char *file)
{
	char name[OUTBOX_NAME + 1];
	size_t n = strlen(file);
	uint64_t ns;

	if (n > 4 && !strcmp(file + n - 4, ".bad"))
		return OUTBOX_BAD;
	if (n > 6 && !strcmp(file + n - 6, ".jsonl"))
		return OUTBOX_READY;
	if (n != OUTBOX_NAME + 4 || strcmp(file + OUTBOX_NAME, ".tmp") != 0)
		return OUTBOX_NOT_OURS;
	memcpy(name, file, OUTBOX_NAME);
	name[OUTBOX_NAME] = 0;
	return outbox_name_time(name, &ns) ? OUTBOX_OPEN : OUTBOX_NOT_OURS;
}

size_t outbox_head_format(const uint8_t store[16], const char *name, char out[OUTBOX_HEAD_MAX])
{
	char id[33];

	hex_format(store, 16, id);
	return (size_t)snprintf(out, OUTBOX_HEAD_MAX, "{\"optag-outbox\":1,\"store\":\"%s\",\"name\":\"%s\"}\n", id, name);
}

/* ---- bytes ---- */

/* What a kill or power cut leaves at the end of a file that was never committed. */
static bool is_torn(const char *p, size_t n)
{
	return !memchr(p, '\n', n) || memchr(p, 0, n);
}

static int parse(const char *p, size_t n, const char *name, const uint8_t store[16], bool torn,
		 int (*take)(void *arg, const struct evlog_line *l), void *arg, uint64_t *ret_events, size_t *ret_used,
		 const char **ret_what)
{
	char head[OUTBOX_HEAD_MAX];
	size_t at = outbox_head_format(store, name, head), len;
	struct evlog_line l;
	uint8_t link[32];
	const char *lf;
	int rc = 0;

	*ret_events = 0;
	*ret_used = 0;
	*ret_what = "not an outbox file of this store and name";
	if (n < at || memcmp(p, head, at) != 0)
		return torn && is_torn(p, n) ? 0 : -EBADMSG;
	evlog_link(p, at - 1, link);
	for (; !rc && at < n; at += len + 1) {
		lf = memchr(p + at, '\n', n - at);
		len = lf ? (size_t)(lf - (p + at)) : n - at;
		if (!lf) {
			*ret_what = "half a line";
			rc = -EBADMSG;
		} else if (evlog_line_parse(p + at, len, &l, ret_what)) {
			rc = -EBADMSG;
		} else if (l.seq != *ret_events + 1 || memcmp(l.prev, link, 32) != 0) {
			*ret_what = "a line that does not follow from the one before";
			rc = -EBADMSG;
		} else if ((*ret_what = outbox_check(&l.e))) {
			rc = -EBADMSG;
		} else {
			evlog_link(p + at, len, link);
			rc = take ? take(arg, &l) : 0;
			*ret_events += !rc;
		}
		if (rc == -EBADMSG && torn && is_torn(p + at, n - at)) {
			rc = 0;
			break;
		}
	}
	*ret_used = at < n ? at : n;
	return rc;
}

struct give {
	int (*event)(void *arg, const struct evlog_event *e);
	void *arg;
};

static int give_event(void *arg, const struct evlog_line *l)
{
	struct give *g = arg;

	return g->event ? g->event(g->arg, &l->e) : 0;
}

int outbox_parse(const char *p, size_t n, const char *name, const uint8_t store[16], bool torn,
		 int (*event)(void *arg, const struct evlog_event *e), void *arg, uint64_t *ret_events, const char **ret_what)
{
	struct give g = { event, arg };
	size_t used;

	return parse(p, n, name, store, torn, give_event, &g, ret_events, &used, ret_what);
}

/* ---- files ---- */

void outbox_file_free(struct outbox_file *f)
{
	free(f->line);
	*f = (struct outbox_file){ .n = 0 };
}

static int keep_line(void *arg, const struct evlog_line *l)
{
	struct outbox_file *f = arg;

	/* there is room for as many as there are LF */
	f->line[f->n] = *l;
	evlog_line_moved(&f->line[f->n++]);
	if (l->e.time_ns > f->newest_ns)
		f->newest_ns = l->e.time_ns;
	return 0;
}

/* All bytes. The file may be a strange one: nothing is waited for. */
static int slurp(int fd, const char **ret_what, char **ret, size_t *ret_n)
{
	struct stat st;
	char *p;
	int rc;

	if (fstat(fd, &st))
		return -errno;
	*ret_what = "not a file";
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	*ret_what = "too long";
	if (st.st_size > (off_t)OUTBOX_FILE_MAX)
		return -EBADMSG;
	p = malloc((size_t)st.st_size + 1);
	if (!p)
		return -ENOMEM;
	rc = pread_all(fd, p, (size_t)st.st_size, 0);
	if (rc) {
		free(p);
		return rc == -ENODATA ? -EAGAIN : rc;
	}
	*ret = p;
	*ret_n = (size_t)st.st_size;
	return 0;
}

/* Whether the writer of a file that was never committed is gone. */
static bool writer_gone(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_nlink && time(NULL) - st.st_mtime >= OUTBOX_GONE_S && !flock(fd, LOCK_SH | LOCK_NB);
}

static int parse_into(const struct root *r, const char *p, size_t n, bool torn, struct outbox_file *f, const char **ret_what)
{
	size_t lines = 1, used = 0;
	uint64_t events;
	int rc;

	for (const char *q = p; (q = memchr(q, '\n', (size_t)(p + n - q))); q++)
		lines++;
	f->room = lines;
	f->line = calloc(lines, sizeof(*f->line));
	if (!f->line)
		return -ENOMEM;
	rc = parse(p, n, f->name, r->id, torn, keep_line, f, &events, &used, ret_what);
	evlog_link(p, used, f->hash);
	return rc;
}

int outbox_file_read(const struct root *r, const char *file, struct outbox_file *ret, const char **ret_what)
{
	bool open = outbox_name_kind(file) == OUTBOX_OPEN;
	struct outbox_file f = { .n = 0 };
	char path[sizeof(OUTBOX_DIR) + NAME_MAX + 1], *p = NULL;
	size_t n = 0;
	uint64_t ns;
	int fd, rc;

	snprintf(path, sizeof(path), OUTBOX_DIR "/%s", file);
	fd = beneath_openat(r->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
	*ret_what = "not a file";
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
	snprintf(f.name, sizeof(f.name), "%.*s", OUTBOX_NAME, file);
	if (open && !writer_gone(fd)) {
		close(fd);
		return -EAGAIN;
	}
	rc = slurp(fd, ret_what, &p, &n);
	if (!rc && (strlen(file) != OUTBOX_NAME + (open ? 4 : 6) || !outbox_name_time(f.name, &ns))) {
		*ret_what = "a name that is none";
		rc = -EBADMSG;
	}
	if (p && !rc)
		rc = parse_into(r, p, n, open, &f, ret_what);
	close(fd);
	f.bytes = n;
	free(p);
	if (rc)
		outbox_file_free(&f);
	else
		*ret = f;
	return rc;
}

int outbox_lines(const struct root *r, void (*fn)(void *arg, const struct evlog_line *l), void *arg)
{
	struct names names;
	int rc = names_read(r, OUTBOX_DIR, &names);

	for (size_t i = 0; !rc && i < names.n; i++) {
		enum outbox_kind kind = outbox_name_kind(names.v[i]);
		char path[sizeof(OUTBOX_DIR) + 256];
		struct evlog_file f;
		struct evlog_line l;
		const char *p, *what;
		size_t n;

		if (kind != OUTBOX_READY && kind != OUTBOX_OPEN)
			continue;
		snprintf(path, sizeof(path), OUTBOX_DIR "/%.255s", names.v[i]);
		rc = evlog_file_open(r, path, &f);
		if (rc) {
			rc = rc == -ENOENT ? 0 : rc; /* it went into the log */
			continue;
		}
		while (evlog_file_next(&f, &p, &n) == 1)
			if (!evlog_line_parse(p, n, &l, &what))
				fn(arg, &l);
		evlog_file_close(&f);
	}
	names_free(&names);
	return rc == -ENOENT ? 0 : rc;
}
