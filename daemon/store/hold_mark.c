/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_mark.c - reap.holds: how much of the journal of holds a reaper went by, and its checksum (FORMAT.md section 13)
 *
 * The journal only grows. A copy of it from before is whole, and knows nothing of the holds that were set or ended since: by it a call on hold
 * would be destroyed, or one that was released stay. So who opens a journal that does not begin with what a reaper had sees damage.
 * The heads of two journals differ though the lines are the same, so bytes and checksum are of the lines alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/hold_internal.h"

#define MARK_FILE "reap.holds"
#define MARK_MAX  128

static size_t format(const struct hold_mark *m, char out[MARK_MAX])
{
	size_t n = (size_t)snprintf(out, MARK_MAX, "optag-reap-holds 1\nbytes %010" PRIu64 "\ncrc %08" PRIx32 "\n", m->bytes, m->crc);

	return n + (size_t)snprintf(out + n, MARK_MAX - n, "sum %08" PRIx32 "\n", crc32c(0, out, n));
}

void hold_mark_read(const struct root *r, struct hold_mark *ret)
{
	char text[MARK_MAX + 1], again[MARK_MAX];
	struct hold_mark m;
	size_t n = 0;

	*ret = (struct hold_mark){ 0 };
	if (read_small(r->fd, MARK_FILE, text, MARK_MAX, &n))
		return;
	text[n] = 0;
	/* NOLINTNEXTLINE(cert-err34-c): written again, it must be the same */
	if (sscanf(text, "optag-reap-holds 1\nbytes %" SCNu64 "\ncrc %" SCNx32, &m.bytes, &m.crc) != 2)
		return;
	if (format(&m, again) == n && !memcmp(again, text, n))
		*ret = m;
}

int hold_mark_write(const struct root *r, const struct hold_mark *m, struct why *why)
{
	struct hold_mark is;
	char text[MARK_MAX];
	size_t n = format(m, text);
	int fd, rc;

	hold_mark_read(r, &is);
	if (is.bytes == m->bytes && is.crc == m->crc)
		return 0;
	/* In place, as reap.clock: in a directory with the sticky bit nobody replaces another user's file. */
	rc = make_empty(r, MARK_FILE, why);
	if (rc)
		return rc;
	fd = beneath_openat(r->fd, MARK_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	rc = fd < 0 ? -errno : pwrite_all(fd, text, n, 0);
	if (!rc && (ftruncate(fd, (off_t)n) || fdatasync(fd)))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc ? why_errno(why, rc, MARK_FILE, "cannot write") : 0;
}

int holds_marked(struct holds *h, const struct hold_mark *m, const char *s, size_t head, struct why *why)
{
	uint64_t n = h->end > head ? h->end - head : 0;

	if (m->bytes > n || (m->bytes && crc32c(0, s + head, m->bytes) != m->crc))
		return why_set(why, -EBADMSG, HOLDS_FILE ": does not begin with the lines that a reaper went by: it is an older one, or another (rule H-1)");
	h->mark = (struct hold_mark){ n, n ? crc32c(m->crc, s + head + m->bytes, n - m->bytes) : 0 };
	return 0;
}

int holds_mark(const struct holds *h, struct why *why)
{
	/* one of before, which others make anew yet, may have a line that is not durable */
	return h->bytes ? hold_mark_write(h->root, &h->mark, why) : 0;
}
