/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_punch.c - holes where the chunks of erased calls lay
 *
 * Hygiene only: nobody can read them, and their day takes all of it away. A segment gets no more than HOLES_MAX, since what is full
 * of holes takes long to unlink (41 to 59 s for 100,000). A hole is whole chunks, so that a segment still parses; what of it is not
 * whole blocks is zeroed by the file system. Only finished segments: in others the recorder writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "store/catalog.h"
#include "store/reap_db.h"
#include "store/reap_internal.h"
#include "store/reap_ring.h"
#include "store/segment.h"
#include "store/writer.h"

#define HOLES_MAX 1024
#define BLOCK	  4096u

struct hole {
	uint32_t segment;
	uint64_t off, len;
};

static int order(const void *a, const void *b)
{
	const struct hole *x = a, *y = b;

	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

/* The call's chunks, those that touch each other as one. */
static int holes_of(const uint8_t *p, size_t n, struct hole **ret, size_t *ret_n)
{
	struct extent_state st = { 0 };
	struct hole *v = NULL;
	struct extent e;
	size_t m = 0;
	int rc;

	while ((rc = extent_get(&p, &n, &st, &e)) == 1) {
		if (!(m & (m - 1))) {
			struct hole *more = realloc(v, (m ? 2 * m : 1) * sizeof(*v));

			if (!more) {
				rc = -ENOMEM;
				break;
			}
			v = more;
		}
		v[m++] = (struct hole){ e.segment, e.off, segment_round(e.len) };
	}
	if (rc < 0) {
		free(v);
		return rc;
	}
	if (m)
		qsort(v, m, sizeof(*v), order);
	*ret_n = 0;
	for (size_t i = 0; i < m; i++) {
		struct hole *last = *ret_n ? &v[*ret_n - 1] : NULL;

		if (last && last->segment == v[i].segment && last->off + last->len == v[i].off)
			last->len += v[i].len;
		else
			v[(*ret_n)++] = v[i];
	}
	*ret = v;
	return 0;
}

/* How many pieces the file is in. A file system that cannot say is not one that keeps lists of them. */
static unsigned pieces(int fd)
{
	struct fiemap m = { .fm_length = FIEMAP_MAX_OFFSET };

	return ioctl(fd, FS_IOC_FIEMAP, &m) ? 0 : m.fm_mapped_extents;
}

/* A hole that frees no block is not worth its place. */
static bool frees(const struct hole *h)
{
	uint64_t from = (h->off + BLOCK - 1) / BLOCK, to = (h->off + h->len) / BLOCK;

	return to > from;
}

/* There are whole chunks of the call there, and nothing else: a list that is damaged must not take another call's audio. */
static bool is_calls(int fd, const struct hole *h, const struct uid *uid)
{
	uint8_t raw[CHUNK_HEAD];
	struct chunk_head head;
	uint64_t at = h->off, end = h->off + h->len;

	while (at < end && !pread_all(fd, raw, sizeof(raw), (off_t)at) && !chunk_head_parse(raw, sizeof(raw), &head) &&
	       uid_equal(&head.uid, uid))
		at += segment_round(head.length);
	return at == end;
}

static void punch_call(struct reap *r, struct reap_ring *ring, const struct reap_row *row)
{
	char path[STORE_PATH_MAX];
	struct why why = { "" };
	struct hole *v = NULL;
	uint8_t *p = NULL;
	sqlite3 *sql = NULL;
	size_t n = 0, m = 0;
	unsigned have = 0;
	int fd = -1, rc = reap_db_open(&r->root, row->controller, row->day, row->part, &sql, &why);

	if (!rc)
		rc = reap_row_extents(sql, &row->uid, &p, &n, &why);
	sqlite3_close(sql);
	if (!rc)
		rc = holes_of(p, n, &v, &m);
	for (size_t i = 0; !rc && i < m; i++) {
		if (!i || v[i].segment != v[i - 1].segment) {
			rc = reap_ring_wait(ring);
			if (fd >= 0)
				close(fd);
			segment_path(row->controller, row->day, v[i].segment, "seg", path);
			fd = beneath_openat(r->root.fd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
			have = fd < 0 ? HOLES_MAX : pieces(fd); /* still open, or gone */
		}
		if (rc || have >= HOLES_MAX || !frees(&v[i]) || !is_calls(fd, &v[i], &row->uid))
			continue;
		reap_ring_punch(ring, fd, v[i].off, v[i].len);
		have++;
		r->t.bytes += v[i].len / BLOCK * BLOCK;
	}
	n = (size_t)reap_ring_wait(ring);
	rc = rc ? rc : (int)n;
	if (fd >= 0)
		close(fd);
	if (rc && rc != -ENOENT)
		reap_fault(r, rc, *why.text ? why.text : "segments: a hole cannot be made");
	free(v);
	free(p);
}

static int row_cmp(const void *a, const void *b)
{
	const struct reap_row *x = a, *y = b;
	int c = strcmp(x->controller, y->controller);

	return c ? c : memcmp(x->uid.b, y->uid.b, sizeof(x->uid.b));
}

void reap_punch(struct reap *r, struct reap_ring *ring)
{
	if (r->npunch)
		qsort(r->punch, r->npunch, sizeof(*r->punch), row_cmp);
	for (size_t i = 0; i < r->npunch; i++) {
		if (!i || row_cmp(&r->punch[i], &r->punch[i - 1])) /* asked for by both purposes, it is there twice */
			punch_call(r, ring, &r->punch[i]);
		reap_again(r, false);
	}
}
