/* SPDX-License-Identifier: BSD-2-Clause */
/* rebuild_find.c - what a day's segments and slots have of calls without a row, see rebuild_internal.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/rebuild_internal.h"
#include "store/rowcopy.h"
#include "store/segment.h"
#include "store/slots.h"

int like_add(struct lost_day *d, const char *rule, const char *policy, const char *zone, uint64_t start_ns)
{
	struct like *v = d->like.v, *l;
	uint32_t day;

	if (day_of(start_ns, zone, &day)) /* no such zone here: then nobody is like it */
		return 0;
	for (size_t i = d->like.n; i-- > 0;)
		if (v[i].start_day == day && !strcmp(v[i].rule, rule) && !strcmp(v[i].policy, policy) && !strcmp(v[i].zone, zone))
			return 0;
	l = list_add(&d->like);
	if (!l)
		return -ENOMEM;
	l->start_day = day;
	snprintf(l->rule, sizeof(l->rule), "%s", rule);
	snprintf(l->policy, sizeof(l->policy), "%s", policy);
	snprintf(l->zone, sizeof(l->zone), "%s", zone);
	return 0;
}

/* ---- segments ---- */

static int take_item(struct rebuild *b, struct lost_day *d, uint32_t segment, const uint8_t *p, const struct segment_item *it)
{
	struct piece *k;

	if ((it->kind != SEGMENT_CHUNK && it->kind != SEGMENT_ROW) || uids_have(&d->known, &it->head.uid) ||
	    uids_have(&b->open, &it->head.uid))
		return 0;
	if (it->kind == SEGMENT_ROW && !rowcopy_sound(p + it->off + ROW_HEAD, it->head.length - ROW_HEAD, &it->head.uid))
		return 0; /* fsck names it */
	k = list_add(&d->pieces);
	if (!k)
		return -ENOMEM;
	*k = (struct piece){ .uid = it->head.uid, .row = it->kind == SEGMENT_ROW,
			     .at = { .segment = segment, .off = it->off, .len = it->head.length },
			     .leg = it->head.leg, .part = it->head.part, .epoch = it->head.epoch, .packets = it->head.packets,
			     .start_ns = it->head.start_ns };
	return 0;
}

static int walk(struct rebuild *b, struct lost_day *d, uint32_t segment, const uint8_t *p, size_t n)
{
	uint64_t off = SEGMENT_HEAD;
	struct segment_item it;
	struct segment_head h;
	int rc = 0;

	if (segment_head_parse(p, n, &h) || memcmp(h.store_id, b->root.id, 16) || h.day != d->day || strcmp(h.controller, d->controller))
		return 0; /* fsck names it */
	while (!rc && segment_next(p, n, &off, &it))
		rc = take_item(b, d, segment, p, &it);
	return rc;
}

static int open_segment(struct rebuild *b, const struct lost_day *d, uint32_t number)
{
	char rel[STORE_PATH_MAX];
	int fd;

	segment_path(d->controller, d->day, number, "seg", rel);
	fd = beneath_openat(b->root.fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT) { /* its writer died */
		segment_path(d->controller, d->day, number, "open", rel);
		fd = beneath_openat(b->root.fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	}
	return fd < 0 ? why_errno(b->why, -errno, rel, "cannot open") : fd;
}

/* One block that the disk does not give back must not take all calls of the day with it. */
static int walk_file(struct rebuild *b, struct lost_day *d, uint32_t number)
{
	int fd = open_segment(b, d, number), rc = 0;
	char rel[STORE_PATH_MAX];
	uint8_t *p = NULL;
	struct stat sb;
	size_t lost;

	if (fd < 0)
		return fd;
	if (fstat(fd, &sb) || (uint64_t)sb.st_size > SEGMENT_MAX || sb.st_size < SEGMENT_HEAD)
		goto out;
	p = malloc((size_t)sb.st_size);
	if (!p) {
		rc = -ENOMEM;
		goto out;
	}
	lost = pread_pieces(fd, p, (size_t)sb.st_size);
	segment_path(d->controller, d->day, number, "seg", rel);
	if (lost)
		rebuild_say(b, rel, "%zu bytes cannot be read: calls are made anew from the rest", lost);
	rc = walk(b, d, number, p, (size_t)sb.st_size);
out:
	free(p);
	close(fd);
	return rc;
}

static int walk_day(struct rebuild *b, struct lost_day *d)
{
	char dir[STORE_PATH_MAX], text[16];
	struct names files;
	int rc;

	day_text(d->day, text);
	snprintf(dir, sizeof(dir), "segments/%s/%s", d->controller, text);
	rc = names_read(&b->root, dir, &files);
	if (rc)
		return why_errno(b->why, rc, dir, "cannot read directory");
	for (size_t i = 0; !rc && i < files.n; i++) {
		const char *name = files.v[i];

		if (strspn(name, "0123456789") == 8 && (!strcmp(name + 8, ".seg") || !strcmp(name + 8, ".open")))
			rc = walk_file(b, d, (uint32_t)strtoul(name, NULL, 10));
	}
	names_free(&files);
	return rc;
}

int piece_read(struct rebuild *b, const struct lost_day *d, const struct piece *p, struct buf *out)
{
	int fd = open_segment(b, d, p->at.segment), rc;
	uint8_t *to;

	if (fd < 0)
		return fd;
	buf_reset(out);
	to = buf_room(out, p->at.len);
	rc = to ? pread_all(fd, to, p->at.len, (off_t)p->at.off) : -ENOMEM;
	close(fd);
	if (rc)
		return why_set(b->why, rc, "segments/%s: cannot read: %s", d->controller, strerror(-rc));
	out->len = p->at.len;
	return 0;
}

/* ---- by call ---- */

static int piece_cmp(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	int c = memcmp(&x->uid, &y->uid, sizeof(x->uid));

	if (c)
		return c;
	if (x->at.segment != y->at.segment)
		return x->at.segment < y->at.segment ? -1 : 1;
	return x->at.off < y->at.off ? -1 : x->at.off > y->at.off;
}

/* The last copy counts; without one, all chunks. */
static int take_call(struct lost_day *d, size_t first, size_t n)
{
	const struct piece *v = (const struct piece *)d->pieces.v + first;
	struct piece *copy;
	struct bare *bare;

	for (size_t i = n; i-- > 0;) {
		if (!v[i].row)
			continue;
		copy = list_add(&d->copies);
		if (!copy)
			return -ENOMEM;
		*copy = v[i];
		return 0;
	}
	bare = list_add(&d->bares);
	if (!bare)
		return -ENOMEM;
	bare->uid = v->uid;
	bare->first = first;
	bare->n = n;
	return 0;
}

static int take_calls(struct lost_day *d)
{
	const struct piece *v = d->pieces.v;
	int rc = 0;

	if (d->pieces.n)
		qsort(d->pieces.v, d->pieces.n, sizeof(*v), piece_cmp);
	for (size_t i = 0, k; !rc && i < d->pieces.n; i = k) {
		for (k = i + 1; k < d->pieces.n && uid_equal(&v[i].uid, &v[k].uid); k++)
			;
		rc = take_call(d, i, k - i);
	}
	return rc;
}

/* ---- slots of those that have chunks alone ---- */

static int bare_cmp(const void *uid, const void *bare)
{
	return memcmp(uid, &((const struct bare *)bare)->uid, sizeof(struct uid));
}

static void take_slot(struct lost_day *d, unsigned p, uint32_t day, uint32_t index, const struct slot *s)
{
	struct bare *x = bsearch(&s->uid, d->bares.v, d->bares.n, sizeof(*x), bare_cmp);

	if (x)
		x->wrap[p] = (struct wrap){ .day = day, .slot = index, .until_ns = s->until_ns };
}

static int take_slots(struct rebuild *b, struct lost_day *d, unsigned p, uint32_t day)
{
	char rel[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	struct slot s;
	int fd;

	slots_path(d->controller, p, day, "slots", rel);
	fd = beneath_openat(b->root.fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return why_errno(b->why, -errno, rel, "cannot open");
	for (uint32_t i = 1; !pread_all(fd, raw, sizeof(raw), (off_t)i * SLOT_SIZE); i++)
		if (!slot_parse(raw, &s) && !s.empty && s.purpose == p)
			take_slot(d, p, day, i, &s);
	close(fd);
	return 0;
}

static int take_wraps(struct rebuild *b, struct lost_day *d)
{
	int rc = 0;

	for (unsigned p = 0; !rc && d->bares.n && p < STORE_PURPOSES; p++) {
		char dir[STORE_PATH_MAX];
		struct names files;
		struct clock_date date;

		snprintf(dir, sizeof(dir), "keys/%s/%s", d->controller, store_purpose_names[p]);
		rc = names_read(&b->root, dir, &files);
		if (rc)
			return why_errno(b->why, rc, dir, "cannot read directory");
		for (size_t i = 0; !rc && i < files.n; i++)
			if (strlen(files.v[i]) == 16 && !strcmp(files.v[i] + 10, ".slots") && !clock_date_parse(files.v[i], 10, &date))
				rc = take_slots(b, d, p, day_number(&date));
		names_free(&files);
	}
	return rc;
}

int rebuild_find(struct rebuild *b, struct lost_day *d)
{
	int rc = walk_day(b, d);

	if (!rc)
		rc = take_calls(d);
	return rc ? rc : take_wraps(b, d);
}
