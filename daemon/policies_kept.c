/* SPDX-License-Identifier: BSD-2-Clause */
/* policies_kept.c - the policies that were in force, see policies_kept.h */
#include "policies_kept.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/beneath.h"
#include "store/evlog.h"
#include "store/evlog_keep.h"

#define KEPT_MAX (256 << 20)

int policy_text(const struct policy *p, char **ret_text, size_t *ret_len)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);
	int e = f ? policy_print(f, p) : -ENOMEM;

	if (f && fclose(f) && !e)
		e = -ENOMEM;
	if (e) {
		free(s);
		return e;
	}
	*ret_text = s;
	*ret_len = n;
	return 0;
}

/* ---- writing ---- */

/* name: below the store. */
static FILE *open_file(const char *store, const char *name)
{
	int fd = beneath_open(store, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	int err = errno;

	if (fd >= 0 && !f)
		close(fd);
	errno = err;
	return f;
}

static bool holds(const char *store, const char *name, const char *text, size_t len)
{
	FILE *f = open_file(store, name);
	char b[4096];
	size_t at = 0, n;
	bool same = f != NULL;

	while (same && (n = fread(b, 1, sizeof(b), f)) > 0) {
		same = n <= len - at && memcmp(b, text + at, n) == 0;
		at += n;
	}
	if (f)
		fclose(f);
	return same && at == len;
}

static int write_durable(int fd, const char *text, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = write(fd, text + at, len - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) ? -errno : 0;
}

static int keep_in(int dir, const char *name, const char *text, size_t len)
{
	char tmp[96];
	int fd, e;

	snprintf(tmp, sizeof(tmp), "%s.open", name);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	e = write_durable(fd, text, len);
	close(fd);
	if (!e && renameat(dir, tmp, dir, name))
		e = -errno;
	if (!e && fsync(dir))
		e = -errno;
	if (e)
		(void)unlinkat(dir, tmp, 0); /* what is left over is written anew the next time */
	return e;
}

int policies_dir(const char *store, int *ret)
{
	int at = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1, e = 0;

	if (at < 0)
		return -errno;
	if (beneath_mkdirat(at, "policies", 0750) && errno != EEXIST)
		e = -errno;
	if (!e)
		fd = beneath_openat(at, "policies", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (!e && fd < 0)
		e = -errno;
	close(at);
	*ret = fd;
	return e;
}

int policy_write_file(const char *store, const char *name, const char *text, size_t len)
{
	int fd = -1, e = policies_dir(store, &fd);

	if (e)
		return e;
	e = keep_in(fd, name, text, len);
	close(fd);
	return e;
}

static int keep_file(const char *store, const char *name, bool once, const char *text, size_t len, char *why, size_t n)
{
	char rel[128];
	int fd = -1, there, e;

	snprintf(rel, sizeof(rel), "policies/%.100s", name);
	if (holds(store, rel, text, len))
		return 0;
	there = once ? beneath_open(store, rel, O_PATH | O_CLOEXEC, 0) : -1;
	if (there >= 0) {
		close(there);
		return -EEXIST;
	}
	e = policies_dir(store, &fd);
	if (!e)
		e = keep_in(fd, name, text, len);
	if (fd >= 0)
		close(fd);
	if (e)
		snprintf(why, n, "%s/%s: cannot be kept: %s", store, rel, strerror(-e));
	return e;
}

static int write_records(const char *store, const struct evlog_keep *k)
{
	char text[EVLOG_KEEP_TEXT];
	size_t n = evlog_keep_text(k, text);
	int fd = -1, e;

	if (n)
		return policy_write_file(store, strchr(EVLOG_KEEP_FILE, '/') + 1, text, n);
	e = policies_dir(store, &fd);
	if (!e && unlinkat(fd, strchr(EVLOG_KEEP_FILE, '/') + 1, 0) && errno != ENOENT)
		e = -errno;
	if (fd >= 0)
		close(fd);
	return e;
}

static int read_records(const char *store, struct evlog_keep *ret)
{
	int fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC), e = fd < 0 ? -errno : evlog_keep_read(fd, ret);

	if (fd >= 0)
		close(fd);
	return e;
}

/* What the reaper, which reads no policy, keeps the evidence by. Until when the policy is in force who runs it says (policy_records). */
static int keep_records(const char *store, unsigned months, char *why, size_t n)
{
	struct evlog_keep k;
	int e = read_records(store, &k);

	if (!e && evlog_keep_add(&k, months, EVLOG_KEEP_EVER))
		e = write_records(store, &k);
	if (e)
		snprintf(why, n, "%s/%s: cannot be kept: %s", store, EVLOG_KEEP_FILE, strerror(-e));
	return e;
}

int policy_records(const char *store, const unsigned *months, size_t nmonths, int32_t today, int32_t newest, char *why, size_t n)
{
	int32_t upto = (newest > today ? newest : today) + POLICY_RECORDS_DAYS;
	struct evlog_keep k;
	bool changed;
	int e = read_records(store, &k);

	if (e) {
		snprintf(why, n, "%s/%s: cannot be read: %s", store, EVLOG_KEEP_FILE, strerror(-e));
		return e;
	}
	changed = evlog_keep_close(&k, upto, today);
	/* renewed when half of it is over: a day's failures to write, or a week without a daemon, shorten nothing */
	for (size_t i = 0; i < nmonths; i++) {
		struct evlog_keep had = k;

		if (evlog_keep_add(&had, months[i], upto - POLICY_RECORDS_DAYS / 2))
			changed |= evlog_keep_add(&k, months[i], upto);
	}
	e = changed ? write_records(store, &k) : 0;
	if (e)
		snprintf(why, n, "%s/%s: cannot be kept: %s", store, EVLOG_KEEP_FILE, strerror(-e));
	return e;
}

int policy_keep(const char *store, const struct policy *p, const char *text, size_t len, char *why, size_t n)
{
	char name[80];
	int e;

	if (!store)
		return 0;
	e = keep_records(store, policy_record_months(p), why, n);
	if (e)
		return e;
	snprintf(name, sizeof(name), "%s.policy", policy_hash(p));
	return keep_file(store, name, false, text, len, why, n);
}

int policies_keep_once(const char *store, const char *name, const char *text, size_t len, char *why, size_t n)
{
	return keep_file(store, name, true, text, len, why, n);
}

/* ---- reading ---- */

static int read_file(const char *store, const char *name, size_t max, char **ret, size_t *ret_len, int64_t *ret_time)
{
	FILE *f = open_file(store, name);
	struct stat st;
	char *s;
	int e = 0;

	if (!f)
		return -errno;
	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode) || (size_t)st.st_size > max)
		e = -EBADMSG;
	s = e ? NULL : malloc((size_t)st.st_size + 1);
	if (!e && !s)
		e = -ENOMEM;
	if (!e && fread(s, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
		e = -EIO;
	fclose(f);
	if (e) {
		free(s);
		return e;
	}
	*ret = s;
	*ret_len = (size_t)st.st_size;
	*ret_time = st.st_mtime;
	return 0;
}

static int read_kept(const char *store, const char *hash, char **ret, size_t *ret_len,
		     int64_t *ret_time)
{
	char name[128];

	if (!store)
		return -ENOENT;
	snprintf(name, sizeof(name), "policies/%.100s.policy", hash);
	return read_file(store, name, KEPT_MAX, ret, ret_len, ret_time);
}

int policies_kept(const char *store, const char *hash, struct policy **ret, int64_t *ret_since)
{
	struct policy_diags d = {0};
	struct policy *p = NULL;
	char *text = NULL;
	size_t len = 0;
	int64_t then = 0;
	int e;

	if (strlen(hash) != 64 || strspn(hash, "0123456789abcdef") != 64)
		return -EINVAL;
	e = read_kept(store, hash, &text, &len, &then);
	if (!e)
		e = policy_load_kept("kept", text, len, then, &d, &p);
	policy_diags_free(&d);
	free(text);
	if (!e && strcmp(policy_hash(p), hash) != 0)
		e = -EBADMSG;
	if (e) {
		policy_free(p);
		return e == -EINVAL ? -EBADMSG : e;
	}
	*ret = p;
	if (ret_since)
		*ret_since = then;
	return 0;
}

/* ---- other files of the directory ---- */

int policy_read_file(const char *store, const char *name, size_t max, char **ret, size_t *ret_len)
{
	char rel[128];
	int64_t then;

	if ((size_t)snprintf(rel, sizeof(rel), "policies/%s", name) >= sizeof(rel))
		return -ENAMETOOLONG;
	return read_file(store, rel, max, ret, ret_len, &then);
}

int policy_from_store(const char *store, const char *hash, bool as_then, struct policy_diags *d, struct policy **ret)
{
	char name[128], *text = NULL;
	struct policy *p = NULL;
	int64_t then = 0;
	size_t len = 0;
	int e;

	if (!store)
		return -ENOENT;
	snprintf(name, sizeof(name), "policies/%.100s.policy", hash);
	e = read_file(store, name, KEPT_MAX, &text, &len, &then);
	if (!e)
		e = as_then ? policy_load_kept("kept", text, len, then, d, &p) : policy_load_mem("kept", text, len, (int64_t)time(NULL), d, &p);
	free(text);
	if (!e && strcmp(policy_hash(p), hash) != 0) {
		policy_free(p);
		return -EBADMSG;
	}
	if (!e)
		*ret = p;
	return e;
}
