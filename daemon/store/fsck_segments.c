/* SPDX-License-Identifier: BSD-2-Clause */
/* fsck_segments.c - checks segments, and what rows say of them, see fsck_internal.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/fsck_internal.h"
#include "store/rowcopy.h"
#include "store/segment.h"
#include "store/writer.h"

struct seg_file {
	const char *controller;
	uint32_t day, number, place;
	bool open;
	char name[STORE_PATH_MAX];
};

static void match_chunk(struct fsck *f, const struct seg_file *s, const struct segment_item *it)
{
	size_t i = fsck_ref_lower(&f->chunks, s->number, it->off);
	struct ref *r = i < f->chunks.n ? &f->chunks.v[i] : NULL;

	f->rep.chunks++;
	if (!r || r->segment != s->number || r->off != it->off) {
		f->rep.orphan_chunks++;
		return;
	}
	r->found = r->len == it->head.length && uid_equal(&f->row_info[r->row].uid, &it->head.uid);
	r->leg = it->head.leg;
	r->number = it->head.number;
	r->epoch = it->head.epoch;
	r->part = it->head.part;
}

static void match_damage(struct fsck *f, const struct seg_file *s, const struct segment_item *it)
{
	size_t i = fsck_ref_lower(&f->chunks, s->number, it->off);

	for (; i < f->chunks.n; i++) {
		struct ref *r = &f->chunks.v[i];

		if (r->segment != s->number || r->off >= it->off + it->len)
			break;
		r->reported = true;
	}
}

/* What is there of calls without a row, which is known when all catalogs are read: a copy of it, or that it was on hold. */
static int note_copy(struct fsck *f, const struct seg_file *s, const struct segment_item *it)
{
	if (it->kind != SEGMENT_ROW && !(it->kind == SEGMENT_CHUNK && s->day == DAY_HOLD))
		return 0;
	return fsck_day_has(f, &it->head.uid) ? 0 : fsck_stray(f, &f->copies, &it->head.uid, s->place, 0);
}

static int walk(struct fsck *f, const struct seg_file *s, const uint8_t *p, size_t n)
{
	uint64_t off = SEGMENT_HEAD, end = n;
	struct segment_item it;
	int rc = 0;

	if (s->open) { /* what follows the last whole chunk is the torn end of a crash */
		end = SEGMENT_HEAD;
		while (segment_next(p, n, &off, &it))
			if (it.kind == SEGMENT_CHUNK || it.kind == SEGMENT_ROW)
				end = it.off + it.len;
		off = SEGMENT_HEAD;
	}
	while (!rc && off < end && segment_next(p, (size_t)end, &off, &it)) {
		if (it.kind == SEGMENT_CHUNK)
			match_chunk(f, s, &it);
		rc = note_copy(f, s, &it);
		if (it.kind == SEGMENT_ROW && !rowcopy_sound(p + it.off + ROW_HEAD, it.head.length - ROW_HEAD, &it.head.uid))
			fsck_found(f, s->name, it.off, "S-9", "copy of a row does not parse");
		if (it.kind != SEGMENT_DAMAGE)
			continue;
		fsck_found(f, s->name, it.off, it.rule, it.text);
		match_damage(f, s, &it);
	}
	return rc;
}

static const char *head_belongs(const struct fsck *f, const struct segment_head *h, const struct seg_file *s)
{
	if (memcmp(h->store_id, f->root.id, 16))
		return "segment of another store";
	if (h->number != s->number || h->day != s->day || strcmp(h->controller, s->controller))
		return "segment of another place";
	return NULL;
}

static int check_segment(struct fsck *f, struct seg_file *s)
{
	int fd = beneath_openat(f->root.fd, s->name, O_RDONLY | O_CLOEXEC, 0), rc = 0;
	struct segment_head h;
	const char *bad;
	uint8_t *p = NULL;
	struct stat sb;
	size_t n;

	if (fd < 0 && errno == ENOENT && s->open) { /* finished meanwhile */
		segment_path(s->controller, s->day, s->number, "seg", s->name);
		s->open = false;
		fd = beneath_openat(f->root.fd, s->name, O_RDONLY | O_CLOEXEC, 0);
	}
	if (fd < 0 || fstat(fd, &sb)) {
		rc = fsck_unreadable(f, s->name, -errno, "S-1");
		goto out;
	}
	n = (size_t)sb.st_size;
	if ((uint64_t)sb.st_size > SEGMENT_MAX) {
		fsck_found(f, s->name, 0, "S-2", "longer than a segment may be");
		goto out;
	}
	p = malloc(n + 1);
	rc = p ? pread_all(fd, p, n, 0) : -ENOMEM;
	if (rc) {
		rc = fsck_unreadable(f, s->name, rc, "S-1");
		goto out;
	}
	f->rep.segments++;
	if (!s->open && n % SEGMENT_ALIGN)
		fsck_found(f, s->name, n, "S-2", "length is not a multiple of 16");
	bad = segment_head_parse(p, n, &h);
	if (!bad)
		bad = head_belongs(f, &h, s);
	if (bad && !s->open)
		fsck_found(f, s->name, 0, "S-1", bad);
	rc = walk(f, s, p, n);
out:
	free(p);
	if (fd >= 0)
		close(fd);
	return rc;
}

static bool digits(const char *s, size_t n)
{
	return strspn(s, "0123456789") == n;
}

int fsck_segment_day(struct fsck *f, const char *controller, uint32_t day)
{
	struct seg_file s = { .controller = controller, .day = day };
	char dir[STORE_PATH_MAX + 300], text[16];
	struct names files;
	int rc;

	day_text(day, text);
	snprintf(dir, sizeof(dir), "segments/%s/%s", controller, text);
	rc = names_read(&f->root, dir, &files);
	if (rc)
		return fsck_unreadable(f, dir, rc, "S-1");
	rc = fsck_place(f, controller, -1, s.day, &s.place);
	for (size_t i = 0; !rc && i < files.n; i++) {
		const char *name = files.v[i];

		if (!digits(name, 8) || (strcmp(name + 8, ".seg") && strcmp(name + 8, ".open")))
			continue;
		s.open = name[9] == 'o';
		s.number = (uint32_t)strtoul(name, NULL, 10);
		segment_path(controller, s.day, s.number, s.open ? "open" : "seg", s.name);
		rc = check_segment(f, &s);
	}
	names_free(&files);
	return rc;
}

/* The part is one of the row's, and not one of before the leg's last. */
static bool part_fits(const struct fsck *f, const struct ref *e, uint32_t last[2])
{
	const struct row_info *t = &f->row_info[e->row];
	bool fits = e->part >= last[e->leg] && e->part < (t->n ? t->n : 1) && (!t->n || e->epoch >= f->epoch[t->at + e->part]);

	last[e->leg] = e->part;
	return fits;
}

static int ref_row_cmp(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Rows whose chunks were nowhere, and chunk numbers that do not go up by one. */
void fsck_chunk_refs(struct fsck *f, const char *controller, uint32_t day)
{
	struct refs *r = &f->chunks;
	char name[STORE_PATH_MAX], text[160], uid[UID_TEXT];
	struct chunk_order order = { { 0 }, { 0 } };
	uint32_t part[2] = { 0, 0 };
	bool lost = false;

	if (r->n)
		qsort(r->v, r->n, sizeof(*r->v), ref_row_cmp);
	for (size_t i = 0; i < r->n; i++) {
		const struct ref *e = &r->v[i];
		const char *bad = NULL, *rule = "C-3";

		if (!e->order) {
			order = (struct chunk_order){ { 0 }, { 0 } };
			part[0] = part[1] = 0;
			lost = false;
		}
		if (!e->found && !e->reported) {
			bad = "this chunk is not there or not its own";
		} else if (e->found) {
			struct chunk_head h = { .leg = e->leg, .number = e->number, .epoch = e->epoch };

			if (!chunk_follows(&order, &h) && !lost)
				bad = "a chunk before this one is missing";
			if (!part_fits(f, e, part)) {
				bad = "chunk of a part that the row does not know, or of one before";
				rule = "C-4";
			}
		} else { /* damaged and reported; whose number it had is not known */
			lost = true;
		}
		if (!bad)
			continue;
		uid_format(&f->row_info[e->row].uid, uid);
		segment_path(controller, day, e->segment, "seg", name);
		snprintf(text, sizeof(text), "row of call %s: %s", uid, bad);
		fsck_found(f, name, e->off, rule, text);
	}
}
