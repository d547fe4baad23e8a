/* SPDX-License-Identifier: BSD-2-Clause */
/* setfile.c - the members of dynamic sets on disk, see setfile.h */
#include "setfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/beneath.h"
#include "base/files.h"

#define HEAD	   "{\"optag-sets\":1}\n"
#define FILE_LIMIT (1u << 30)
#define DEAD_MIN   256	 /* lines that say nothing any more before writing anew is worth it */
#define EXPIRED_S  86400 /* kept this long, so that calls in progress are still judged by it */

struct setfile {
	char *path;
	int fd;
	size_t lines, live; /* live: members the file holds */
};

static int fail(char *why, size_t n, const char *path, const char *what, int err)
{
	snprintf(why, n, "%s: %s: %s", path, what, strerror(-err));
	return err;
}

/* ---- lines ---- */

static int take_add(struct policy_members *m, const char *set, const json_t *o)
{
	struct policy_member x = { .until = json_integer_value(json_object_get(o, "until")),
				   .added = json_integer_value(json_object_get(o, "added")),
				   .uid = (uid_t)json_integer_value(json_object_get(o, "uid")) };
	const char *number = json_string_value(json_object_get(o, "number"));
	int e;

	if (!number || strlen(number) >= sizeof(x.number))
		return -EBADMSG;
	strcpy(x.number, number);
	x.note = json_string_value(json_object_get(o, "note"));
	e = policy_members_add(m, set, &x);
	return e == -EINVAL ? -EBADMSG : e < 0 ? e : 0;
}

static int take_line(struct policy_members *m, const char *line, size_t n)
{
	json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	const char *add = json_string_value(json_object_get(o, "add")), *del = json_string_value(json_object_get(o, "del"));
	const char *number = json_string_value(json_object_get(o, "number"));
	int e = -EBADMSG;

	if (add && !del)
		e = take_add(m, add, o);
	if (del && !add && number) {
		(void)policy_members_del(m, del, number); /* it may have been over, and left out when the file was written anew */
		e = 0;
	}
	json_decref(o);
	return e;
}

/* Lines into m; *ret_len gets where the last whole one ends. */
static int take_text(struct policy_members *m, const char *s, size_t n, size_t *ret_len, size_t *ret_lines)
{
	size_t at = sizeof(HEAD) - 1, line = 1;
	int e = 0;

	if (n < at || memcmp(s, HEAD, at) != 0)
		return -EBADMSG;
	while (at < n && !e) {
		const char *nl = memchr(s + at, '\n', n - at);

		if (!nl) /* torn: it was never confirmed */
			break;
		line++;
		e = take_line(m, s + at, (size_t)(nl - s) - at);
		at = (size_t)(nl - s) + 1;
	}
	*ret_len = at;
	*ret_lines = line;
	return e;
}

char *setfile_line(const char *set, const char *number, const struct policy_member *x)
{
	json_t *o = x ? json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "add", set, "number", number, "until", (json_int_t)x->until,
				  "added", (json_int_t)x->added, "uid", (json_int_t)x->uid, "note", x->note ? x->note : "") :
			json_pack("{s:s, s:s}", "del", set, "number", number);
	char *s = o ? json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	char *line = NULL;

	json_decref(o);
	if (s && asprintf(&line, "%s\n", s) < 0)
		line = NULL;
	free(s);
	return line;
}

/* ---- writing anew ---- */

static int put_members(FILE *out, const struct policy_members *m, size_t *ret_n)
{
	struct policy_member x;
	const char *set;
	int e = fputs(HEAD, out) < 0 ? -EIO : 0;

	*ret_n = 0;
	for (size_t i = 0; !e && (set = policy_members_set(m, i)); i++)
		for (uint64_t at = 0; !e && policy_members_next(m, set, &at, &x); ++*ret_n) {
			char *line = setfile_line(set, x.number, &x);

			e = !line ? -ENOMEM : fputs(line, out) < 0 ? -EIO : 0;
			free(line);
		}
	return e;
}

static int write_new(const char *path, const struct policy_members *m, int *ret_fd, size_t *ret_n)
{
	char *tmp;
	FILE *out = NULL;
	int fd, e = 0;

	if (asprintf(&tmp, "%s.open", path) < 0)
		return -ENOMEM;
	fd = beneath_open_last(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0)
		out = fdopen(dup(fd), "w");
	if (fd < 0 || !out)
		e = -errno;
	if (!e)
		e = put_members(out, m, ret_n);
	if (out && fclose(out) && !e)
		e = -errno;
	if (!e && (fsync(fd) || rename(tmp, path)))
		e = -errno;
	if (!e)
		e = files_sync_dir(path);
	if (e) {
		if (fd >= 0)
			close(fd);
		(void)unlink(tmp); /* it may never have been made */
	} else {
		*ret_fd = fd;
	}
	free(tmp);
	return e;
}

static int anew(struct setfile *f, struct policy_members *m)
{
	int fd, e;

	policy_members_expire(m, (int64_t)time(NULL) - EXPIRED_S);
	e = write_new(f->path, m, &fd, &f->live);
	if (e)
		return e;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
	f->lines = f->live + 1;
	return 0;
}

/* What the file says, without what it no longer means. */
static int compact(struct setfile *f)
{
	struct policy_members *m;
	size_t n = 0, len, lines;
	char *s = NULL;
	int fd, e = policy_members_new(&m);

	if (e)
		return e;
	fd = beneath_open_last(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	e = fd < 0 ? -errno : files_read(fd, FILE_LIMIT, &s, &n);
	if (fd >= 0)
		close(fd);
	if (!e)
		e = take_text(m, s, n, &len, &lines);
	if (!e)
		e = anew(f, m);
	free(s);
	policy_members_free(m);
	return e;
}

/* ---- in use ---- */

static int read_file(const char *path, struct policy_members *m, char *why, size_t size)
{
	int fd = beneath_open_last(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0), e;
	size_t n = 0, len = 0, lines = 0;
	char *s = NULL;

	if (fd < 0)
		return errno == ENOENT ? 0 : fail(why, size, path, "cannot be read", -errno);
	e = files_read(fd, FILE_LIMIT, &s, &n);
	close(fd);
	if (!e)
		e = take_text(m, s, n, &len, &lines);
	free(s);
	if (e == -EBADMSG) {
		snprintf(why, size, "%s: line %zu is no member of a set: who must not be recorded is not known", path,
			 lines ? lines : 1);
		return e;
	}
	return e ? fail(why, size, path, "cannot be read", e) : 0;
}

int setfile_open(const char *path, struct policy_members *m, struct setfile **ret, char *why, size_t n)
{
	struct setfile *f = calloc(1, sizeof(*f));
	int e;

	if (f) {
		f->fd = -1;
		f->path = strdup(path);
	}
	if (!f || !f->path) {
		setfile_close(f);
		return fail(why, n, path, "cannot be opened", -ENOMEM);
	}
	e = read_file(path, m, why, n);
	if (!e) {
		e = anew(f, m);
		if (e)
			fail(why, n, path, "cannot be written", e);
	}
	if (e) {
		setfile_close(f);
		return e;
	}
	*ret = f;
	return 0;
}

void setfile_close(struct setfile *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f);
}

int setfile_append(struct setfile *f, const char *line, char *why, size_t n)
{
	size_t len = strlen(line);
	off_t end = lseek(f->fd, 0, SEEK_END);
	bool torn = false;
	int e = end < 0 ? -errno : files_append(f->fd, end, line, len, &torn);

	if (e)
		return fail(why, n, f->path, torn ? "holds half a line" : "cannot be written", e);
	f->lines++;
	f->live += strncmp(line, "{\"add\"", 6) == 0;
	f->live -= strncmp(line, "{\"del\"", 6) == 0 && f->live;
	/* What was deleted is somebody's number: it does not stay for long. The change itself is safe by now. */
	if (strncmp(line, "{\"del\"", 6) == 0 ? f->lines > f->live + f->live / 4 + 2 : f->lines > 2 * f->live + DEAD_MIN)
		(void)compact(f);
	return 0;
}
