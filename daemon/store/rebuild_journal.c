/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebuild_journal.c - a journal of holds that is damaged or gone is made anew, see rebuild_internal.h
 *
 * Lines that are whole stay. A key on hold that none of them is about becomes a hold again, whose reason is lost: what was on
 * hold stays so until two persons end it. A call whose slot is of version 1 has no key of its own: where there are such, and lines
 * are lost, nobody can tell who was on hold, and the journal is left as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/evlog.h"
#include "store/hold_internal.h"
#include "store/hold_log.h"
#include "store/journal.h"
#include "store/rebuild_internal.h"

#define REVIEW_NS (30 * 86400 * NS_PER_S)

struct journal {
	struct rebuild *b;
	struct holds *holds;
	struct buf out;
	uint64_t kept, lost, made;
};

/* 0 also when it may not stand here. */
static int put(struct journal *j, const struct hold_line *l, bool *ret_put)
{
	char line[HOLD_LINE_MAX];
	int rc = holds_apply(j->holds, l);

	*ret_put = !rc;
	if (rc)
		return rc == -EBADMSG ? 0 : rc;
	buf_put(&j->out, line, hold_line_format(l, line));
	return j->out.failed ? -ENOMEM : 0;
}

static int take_lines(struct journal *j, const char *s, size_t n)
{
	uint64_t bytes;
	size_t at = holds_head(s, n, &bytes);
	struct hold_line l;
	bool ok;
	int rc = 0;

	while (!rc && at < n) {
		const char *nl = memchr(s + at, '\n', n - at);
		size_t end = nl ? (size_t)(nl - s) : n;

		ok = nl && !hold_line_parse(s + at, end - at, &l);
		if (ok)
			rc = put(j, &l, &ok);
		j->kept += ok;
		j->lost += !ok;
		at = end + 1;
	}
	return rc;
}

static int take_keys(struct journal *j, const char *controller, uint64_t now)
{
	struct hold_line l = { .what = HOLD_SET, .at_ns = now, .by = { .uid = (uint32_t)getuid(), .name = "fsck" },
			       .reason = "reason lost: the journal of holds was damaged", .reference = "fsck --rebuild" };
	struct why none;
	int rc = day_of(now + REVIEW_NS, "UTC", &l.review);

	snprintf(l.controller, sizeof(l.controller), "%s", controller);
	for (uint32_t i = 1; !rc && i < HOLD_SLOT_COUNT; i++) {
		struct hold_slot s;
		bool ok;
		int got = hold_slot_read(&j->b->root, controller, i, &s, &none);

		if (got == -ENOENT)
			break;
		if (got && got != -EBADMSG) { /* a damaged one is fsck's to name; one that cannot be read is not left out */
			rc = why_set(j->b->why, got, "%s", none.text);
			break;
		}
		if (!got && !s.empty && !hold_is(j->holds, &s.slot.uid)) {
			l.uid = s.slot.uid;
			l.day = s.day;
			l.slot = s.index;
			l.index = i;
			l.until_ns = s.slot.until_ns;
			rc = put(j, &l, &ok);
			j->made += ok;
		}
		sodium_memzero(&s, sizeof(s));
	}
	return rc;
}

/* Any documentation slot of version 1. */
static bool old_slots(struct rebuild *b, const char *controller)
{
	char rel[STORE_PATH_MAX + 300];
	struct names files;
	uint8_t raw[SLOT_SIZE];
	bool any = false;

	snprintf(rel, sizeof(rel), "keys/%s/%s", controller, store_purpose_names[STORE_DOCUMENTATION]);
	if (names_read(&b->root, rel, &files))
		return true;
	for (size_t i = 0; !any && i < files.n; i++) {
		const char *dot = strrchr(files.v[i], '.');
		int fd;

		if (!dot || strcmp(dot, ".slots") != 0 || !strcmp(files.v[i], "hold.slots"))
			continue;
		snprintf(rel, sizeof(rel), "keys/%s/%s/%s", controller, store_purpose_names[STORE_DOCUMENTATION], files.v[i]);
		fd = beneath_openat(b->root.fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
		for (off_t k = 1; fd >= 0 && !any && !pread_all(fd, raw, sizeof(raw), k * SLOT_SIZE); k++)
			any = !memcmp(raw, "OSLT", 4) && raw[4] == 1;
		if (fd >= 0)
			close(fd);
	}
	names_free(&files);
	return any;
}

static int each_controller(struct journal *j, uint64_t now, bool *ret_old)
{
	struct names owners;
	int rc = names_read(&j->b->root, "keys", &owners);

	*ret_old = false;
	for (size_t i = 0; !rc && i < owners.n; i++)
		if (!name_check(owners.v[i])) {
			*ret_old |= old_slots(j->b, owners.v[i]);
			rc = take_keys(j, owners.v[i], now);
		}
	names_free(&owners);
	return rc;
}

static int read_file(struct rebuild *b, char **ret, size_t *ret_len)
{
	int fd = beneath_openat(b->root.fd, HOLDS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0), rc;
	struct stat sb = { .st_size = 0 };

	*ret = NULL;
	*ret_len = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = fstat(fd, &sb) ? -errno : sb.st_size > HOLDS_FILE_MAX ? -EFBIG : 0;
	*ret = rc ? NULL : malloc((size_t)sb.st_size + 1);
	if (!rc)
		rc = *ret ? pread_all(fd, *ret, (size_t)sb.st_size, 0) : -ENOMEM;
	close(fd);
	*ret_len = rc ? 0 : (size_t)sb.st_size;
	return rc;
}

static bool is_copy(struct rebuild *b, const char *rel, const char *p, size_t n)
{
	int fd = beneath_openat(b->root.fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	char *had = n ? malloc(n) : NULL;
	struct stat sb;
	bool same = fd >= 0 && (had || !n) && !fstat(fd, &sb) && S_ISREG(sb.st_mode) && sb.st_size == (off_t)n &&
		    (!n || (!pread_all(fd, had, n, 0) && !memcmp(had, p, n)));

	free(had);
	if (fd >= 0)
		close(fd);
	return same;
}

/*
 * The damaged one is copied, not renamed: until the new one takes its place in one step it stands there, so that a run that is
 * killed has lost nothing, and the next begins with the same lines. A copy that such a run left is used.
 */
static int keep_copy(struct rebuild *b, const char *p, size_t n, mode_t mode, const char *what)
{
	char rel[64] = HOLDS_FILE ".damaged";
	int rc = 0, i = 2;

	while (!beneath_accessat(b->root.fd, rel) && !is_copy(b, rel, p, n) && i < 10000)
		snprintf(rel, sizeof(rel), HOLDS_FILE ".damaged.%d", i++);
	if (beneath_accessat(b->root.fd, rel))
		rc = write_new(&b->root, rel, p, n, mode, b->why);
	if (rc)
		return rc;
	b->rep.damaged++;
	rebuild_say(b, HOLDS_FILE, "copied to %s: %s", rel, what);
	return 0;
}

static void say_log(void *arg, const char *rule, const char *text)
{
	struct rebuild *b = arg;

	rebuild_say(b, HOLDS_FILE, "%s (rule %s)", text, rule);
}

/* Calls that were set on hold, or whose hold was ended, since: whether they are on hold is for persons to say again. */
static void ask_log(struct rebuild *b)
{
	struct evlog_look how = { .line = hold_log_line };
	struct hold_log *g = NULL;
	struct evlog_report rep;
	char why[512] = "";

	if (hold_log_new(b->root.path, &g, why, sizeof(why)))
		return; /* audit verify says why */
	how.arg = g;
	if (!evlog_look(b->root.path, &how, &rep, why, sizeof(why)))
		(void)hold_log_check(g, say_log, b, why, sizeof(why));
	hold_log_free(g);
}

int rebuild_journal(struct rebuild *b)
{
	const mode_t mode = b->root.shared ? FILE_MODE(&b->root) : 0640;
	struct journal j = { .b = b };
	struct why bad = { "" };
	char head[JOURNAL_HEAD_MAX], *text = NULL;
	size_t n = 0, n_head;
	bool old = false;
	int rc = holds_open(&b->root, HOLDS_READ, &j.holds, &bad);

	if (!rc)
		rc = holds_whole(j.holds, &bad);
	holds_close(j.holds);
	j.holds = NULL;
	if (rc != -EBADMSG)
		return rc ? why_set(b->why, rc, "%s", bad.text) : 0;
	j.holds = holds_new(&b->root);
	rc = j.holds ? read_file(b, &text, &n) : -ENOMEM;
	n_head = journal_head_format(HOLDS_NAME, 0, head);
	buf_put(&j.out, head, n_head);
	if (!rc)
		rc = take_lines(&j, text, n);
	if (!rc)
		rc = each_controller(&j, clock_now_ns(), &old);
	if (!rc && old) {
		rebuild_say(b, HOLDS_FILE, "not made anew: there are slots of version 1, and who of them was on hold it alone says");
	} else if (!rc) {
		if (!j.out.failed)
			memcpy(j.out.p, head, journal_head_format(HOLDS_NAME, j.out.len, head));
		rc = j.out.failed ? -ENOMEM : text ? keep_copy(b, text, n, mode, bad.text) : 0;
		if (!rc)
			rc = write_over(&b->root, HOLDS_FILE, j.out.p, j.out.len, mode, b->why);
		if (!rc) /* the next reaper goes by this one */
			rc = hold_mark_write(&b->root, &(struct hold_mark){ j.out.len - n_head, crc32c(0, j.out.p + n_head, j.out.len - n_head) },
					     b->why);
		if (!rc)
			rebuild_say(b, HOLDS_FILE, "made anew: %llu lines kept, %llu left out, %llu calls on hold whose reason is lost",
				    (unsigned long long)j.kept, (unsigned long long)j.lost, (unsigned long long)j.made);
		if (!rc)
			ask_log(b);
	}
	holds_close(j.holds);
	buf_free(&j.out);
	free(text);
	return rc == -ENOMEM ? why_set(b->why, rc, "out of memory") : rc && !*b->why->text ? why_errno(b->why, rc, HOLDS_FILE, "cannot make it anew") : rc;
}
