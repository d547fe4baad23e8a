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
#define CLOCK_SIZE 256

struct clock_mark {
	uint64_t ns, up_ns; /* time, and how long the machine was up then */
	char boot[40];	    /* which start of it */
};

static void machine(struct clock_mark *m)
{
	struct timespec ts;
	size_t n;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	m->up_ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	if (read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", m->boot, sizeof(m->boot) - 1, &n) || n < 36)
		n = 0;
	m->boot[n ? 36 : 0] = 0;
}

/* 1 there is a mark, 0 none yet, -EBADMSG. */
static int mark_read(const struct root *r, struct clock_mark *m)
{
	char raw[CLOCK_SIZE + 1];
	unsigned sum = 0;
	int rc, end = 0;
	size_t n = 0;

	rc = read_small(r->fd, CLOCK_FILE, raw, CLOCK_SIZE, &n);
	if (rc == -ENOENT)
		return 0;
	if (rc && rc != -EFBIG)
		return rc;
	raw[n] = 0;
	*m = (struct clock_mark){ 0 };
	/* NOLINTNEXTLINE(cert-err34-c): the checksum stands for the numbers */
	if (rc || sscanf(raw, "optag-reap-clock 1\nmark %" SCNu64 "\nuptime %" SCNu64 "\nboot %39s\n%nsum %8x\n", &m->ns, &m->up_ns,
			 m->boot, &end, &sum) != 4 ||
	    crc32c(0, raw, (size_t)end) != sum)
		return -EBADMSG;
	if (!strcmp(m->boot, "-"))
		m->boot[0] = 0;
	return 1;
}

/* How long it is since the mark, at least. */
static uint64_t passed(const struct clock_mark *m, const struct clock_mark *now)
{
	if (!*m->boot || !*now->boot)
		return 0; /* nobody knows */
	if (strcmp(m->boot, now->boot))
		return now->up_ns;
	return now->up_ns > m->up_ns ? now->up_ns - m->up_ns : 0;
}

int reap_clock_read(const struct root *r, struct reap_clock *c, struct why *why)
{
	struct clock_mark m = { 0 }, now = { 0 };
	uint64_t expect = 0;
	int rc = mark_read(r, &m);

	if (rc < 0 && rc != -EBADMSG)
		return why_errno(why, rc, CLOCK_FILE, "cannot read");
	machine(&now);
	c->lost = rc == -EBADMSG;
	c->ahead_ns = c->behind_ns = 0;
	c->held = false;
	c->due_ns = c->mark_ns = c->now_ns;
	if (rc != 1 || c->confirm)
		return 0;
	expect = m.ns + passed(&m, &now);
	if (c->told) { /* the mark only stands for what was due already */
		c->due_ns = c->now_ns > m.ns ? c->now_ns : m.ns;
		c->mark_ns = 0;
	} else if (c->now_ns < expect) {
		c->behind_ns = expect - c->now_ns;
		c->due_ns = c->mark_ns = expect;
	} else if (c->now_ns - expect > c->jump_ns) {
		c->ahead_ns = c->now_ns - expect;
		c->held = true;
		c->due_ns = c->mark_ns = expect;
	}
	return 0;
}

int reap_clock_write(const struct root *r, const struct reap_clock *c, struct why *why)
{
	struct clock_mark now = { 0 };
	char raw[CLOCK_SIZE] = "";
	int fd, n, rc;

	if (!c->mark_ns)
		return 0;
	machine(&now);
	n = snprintf(raw, sizeof(raw), "optag-reap-clock 1\nmark %" PRIu64 "\nuptime %" PRIu64 "\nboot %s\n", c->mark_ns, now.up_ns,
		     *now.boot ? now.boot : "-");
	snprintf(raw + n, sizeof(raw) - (size_t)n, "sum %08x\n", crc32c(0, raw, (size_t)n));
	memset(raw + strlen(raw), '\n', sizeof(raw) - strlen(raw)); /* always the same length, so nothing older shows */
	fd = openat(r->fd, CLOCK_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return write_new(r, CLOCK_FILE, raw, sizeof(raw), FILE_MODE(r), why);
	rc = fd < 0 ? -errno : pwrite_all(fd, raw, sizeof(raw), 0);
	if (!rc && fdatasync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc ? why_errno(why, rc, CLOCK_FILE, "cannot write") : 0;
}
