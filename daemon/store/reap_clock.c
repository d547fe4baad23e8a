/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_clock.c - the reaper's mark of time
 *
 * The file is one block written in place, so that a full disk does not stop time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/reap_clock.h"

#define CLOCK_FILE "reap.clock"

static void machine(struct reap_mark *m)
{
	struct timespec ts;
	size_t n;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	m->up_ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	if (read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", m->boot, sizeof(m->boot) - 1, &n) || n < 36)
		n = 0;
	m->boot[n ? 36 : 0] = 0;
}

size_t reap_mark_format(const struct reap_mark *m, char raw[REAP_MARK_SIZE])
{
	char text[REAP_MARK_SIZE + 1];
	int n = snprintf(text, sizeof(text), "optag-reap-clock 1\nmark %" PRIu64 "\nuptime %" PRIu64 "\nboot %s\n", m->ns, m->up_ns,
			 *m->boot ? m->boot : "-"); /* about 120 bytes */

	n += snprintf(text + n, sizeof(text) - (size_t)n, "sum %08x\n", crc32c(0, text, (size_t)n));
	memcpy(raw, text, (size_t)n);
	memset(raw + n, '\n', REAP_MARK_SIZE - (size_t)n); /* always the same length, so nothing older shows */
	return REAP_MARK_SIZE;
}

int reap_mark_parse(const char *p, size_t n, struct reap_mark *ret)
{
	char text[REAP_MARK_SIZE + 1], again[REAP_MARK_SIZE];
	struct reap_mark m = { 0 };

	if (n != REAP_MARK_SIZE)
		return -EBADMSG;
	memcpy(text, p, n);
	text[n] = 0;
	/* NOLINTNEXTLINE(cert-err34-c): written again, it must be the same */
	if (sscanf(text, "optag-reap-clock 1\nmark %" SCNu64 "\nuptime %" SCNu64 "\nboot %39s\n", &m.ns, &m.up_ns, m.boot) != 3)
		return -EBADMSG;
	if (!strcmp(m.boot, "-"))
		m.boot[0] = 0;
	reap_mark_format(&m, again);
	if (memcmp(again, p, n) != 0)
		return -EBADMSG;
	*ret = m;
	return 0;
}

/* 1 there is a mark, 0 none, -EBADMSG. */
static int mark_read(const struct root *r, struct reap_mark *m)
{
	char raw[REAP_MARK_SIZE];
	size_t n = 0;
	int rc = read_small(r->fd, CLOCK_FILE, raw, sizeof(raw), &n);

	if (rc == -ENOENT)
		return 0;
	if (rc && rc != -EFBIG)
		return rc;
	return rc || reap_mark_parse(raw, n, m) ? -EBADMSG : 1;
}

/* How long it is since the mark, at least. */
static uint64_t passed(const struct reap_mark *m, const struct reap_mark *now)
{
	if (!*m->boot || !*now->boot)
		return 0; /* nobody knows */
	if (strcmp(m->boot, now->boot))
		return now->up_ns;
	return now->up_ns > m->up_ns ? now->up_ns - m->up_ns : 0;
}

int reap_clock_ran(const struct root *r, uint64_t *ret_up_ns)
{
	struct reap_mark m = { 0 }, now = { 0 };
	int rc = mark_read(r, &m);

	if (rc <= 0)
		return rc;
	machine(&now);
	if (!*m.boot || !*now.boot)
		return -ENODATA;
	if (strcmp(m.boot, now.boot))
		m.up_ns = 0;
	if (m.up_ns > now.up_ns)
		return -EBADMSG;
	*ret_up_ns = m.up_ns;
	return 1;
}

/* What surely is due goes by what is expected, until a person says that the clock is right. */
static void hold_back(struct reap_clock *c, uint64_t expect)
{
	c->ahead_ns = c->now_ns - expect;
	c->held = true;
	c->due_ns = c->mark_ns = expect;
}

/* A time ahead of the machine's own is nobody's to remember. */
static uint64_t confirmed(const struct reap_clock *c)
{
	return c->told && c->machine_ns && c->now_ns > c->machine_ns ? c->machine_ns : c->now_ns;
}

int reap_clock_read(const struct root *r, struct reap_clock *c, struct why *why)
{
	struct reap_mark m = { 0 }, now = { 0 };
	uint64_t expect = 0;
	int rc = mark_read(r, &m);

	if (rc < 0 && rc != -EBADMSG)
		return why_errno(why, rc, CLOCK_FILE, "cannot read");
	machine(&now);
	c->lost = rc == -EBADMSG;
	c->ahead_ns = c->behind_ns = c->floor_ns = 0;
	c->held = false;
	c->due_ns = c->now_ns;
	c->mark_ns = c->told ? 0 : c->now_ns;
	if (c->confirm) {
		c->mark_ns = confirmed(c);
		return 0;
	}
	if (c->told) { /* the mark only stands for what was due already */
		c->due_ns = rc == 1 && c->now_ns < m.ns ? m.ns : c->now_ns;
		return 0;
	}
	if (rc != 1) { /* the floor keeps a clock from hastening, it makes nothing due itself */
		c->floor_ns = reap_floor(r);
		if (c->now_ns > c->floor_ns && c->now_ns - c->floor_ns > c->jump_ns)
			hold_back(c, c->floor_ns);
		return 0;
	}
	expect = m.ns + passed(&m, &now);
	if (c->now_ns < expect) {
		c->behind_ns = expect - c->now_ns;
		c->due_ns = c->mark_ns = expect;
	} else if (c->now_ns - expect > c->jump_ns) {
		hold_back(c, expect);
	}
	return 0;
}

int reap_clock_write(const struct root *r, const struct reap_clock *c, struct why *why)
{
	struct reap_mark now = { 0 };
	char raw[REAP_MARK_SIZE];
	int fd, rc;

	if (!c->mark_ns)
		return 0;
	machine(&now);
	now.ns = c->mark_ns;
	reap_mark_format(&now, raw);
	fd = beneath_openat(r->fd, CLOCK_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT)
		return write_new(r, CLOCK_FILE, raw, sizeof(raw), FILE_MODE(r), why);
	rc = fd < 0 ? -errno : pwrite_all(fd, raw, sizeof(raw), 0);
	if (!rc && fdatasync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc ? why_errno(why, rc, CLOCK_FILE, "cannot write") : 0;
}
