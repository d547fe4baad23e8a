/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inventory_files.c - the files' side of the inventory: every name is one of FORMAT.md's, and segments are as long as rows say
 *
 * Walked after the rows: audio is written before its row, so what a row names is there already.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/catalog.h"
#include "store/evlog_internal.h"
#include "store/inventory_internal.h"
#include "store/outbox_internal.h"
#include "store/segment.h"
#include "store/writer.h"

#define NUMBER_MAX 1000000 /* segments of a day: a petabyte */
#define PATH_ROOM  (STORE_PATH_MAX + 300)

/* ---- what rows say ---- */

static struct inv_day *day_get(struct inventory *v, const char *controller, uint32_t day, bool make)
{
	struct inv_day **more = v->day, *d;

	for (size_t i = v->nday; i-- > 0;)
		if (more[i]->day == day && !strcmp(more[i]->controller, controller))
			return more[i];
	if (!make)
		return NULL;
	if (!(v->nday & (v->nday - 1)))
		more = realloc(more, (v->nday ? 2 * v->nday : 1) * sizeof(*more));
	d = more ? calloc(1, sizeof(*d)) : NULL;
	v->day = more ? more : v->day;
	if (!d)
		return NULL;
	snprintf(d->controller, sizeof(d->controller), "%s", controller);
	d->day = day;
	return v->day[v->nday++] = d;
}

static struct inv_segment *segment_get(struct inv_day *d, uint32_t number)
{
	if (number >= d->n) {
		uint32_t n = number < 8 ? 16 : 2 * number;
		struct inv_segment *more = realloc(d->segment, n * sizeof(*more));

		if (!more)
			return NULL;
		memset(more + d->n, 0, (n - d->n) * sizeof(*more));
		d->segment = more;
		d->n = n;
	}
	return &d->segment[number];
}

int inv_extents(struct inventory *v, const char *controller, const struct reap_row *row, const uint8_t *p, size_t n, bool readable)
{
	struct extent_state st = { 0 };
	struct inv_segment *s;
	char file[STORE_PATH_MAX], uid[UID_TEXT];
	struct inv_day *d = NULL;
	struct extent e;
	int got;

	while ((got = extent_get(&p, &n, &st, &e)) == 1 && e.segment < NUMBER_MAX) {
		d = d ? d : day_get(v, controller, row->day, true);
		s = d ? segment_get(d, e.segment) : NULL;
		if (!s)
			return why_set(v->why, -ENOMEM, "out of memory");
		*(readable ? &s->named : &s->unreadable) += segment_round(e.len);
		if (readable && e.off + segment_round(e.len) > s->end)
			s->end = e.off + segment_round(e.len);
	}
	if (got) {
		uid_format(&row->uid, uid);
		catalog_path(controller, row->day, 1, file);
		inv_problem(v, file, "row of call %s: its list of chunks does not parse (rule C-2)", uid);
	}
	return 0;
}

/* ---- walking ---- */

struct place {
	struct inventory *v;
	char dir[PATH_ROOM], controller[STORE_NAME_MAX];
	int purpose; /* in keys/ */
	struct inv_day *day; /* in segments/; NULL: no row of it */
	uint32_t number;     /* of the day, as number */
	bool uncounted;	     /* not of calls; and not everybody's to look at */
};

/* Of an entry: a file or a directory of ours, or neither. */
enum kind { STRAY, FILE_OURS, DIR_OURS };
typedef enum kind look(struct place *p, const char *name, const struct stat *sb);

static void path_of(const struct place *p, const char *name, char out[2 * PATH_ROOM])
{
	bool top = !strcmp(p->dir, ".");

	snprintf(out, 2 * PATH_ROOM, "%s%s%s", top ? "" : p->dir, top ? "" : "/", name);
}

static int walk(struct place *p, look *fn)
{
	struct inventory *v = p->v;
	char path[2 * PATH_ROOM];
	int fd = beneath_openat(v->root.fd, p->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct dirent *e;
	struct stat sb;
	DIR *d;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || (errno == EACCES && p->uncounted) ? 0 : why_errno(v->why, -errno, p->dir, "cannot read");
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return why_set(v->why, -ENOMEM, "out of memory");
	}
	while ((e = readdir(d))) {
		enum kind want;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || beneath_statat(dirfd(d), e->d_name, &sb))
			continue;
		v->t.files += S_ISREG(sb.st_mode) && !p->uncounted;
		v->t.disk_bytes += S_ISREG(sb.st_mode) && !p->uncounted ? (uint64_t)sb.st_blocks * 512 : 0;
		want = fn(p, e->d_name, &sb);
		if ((want == FILE_OURS && S_ISREG(sb.st_mode)) || (want == DIR_OURS && S_ISDIR(sb.st_mode)))
			continue;
		path_of(p, e->d_name, path);
		inv_problem(v, path, "is none of the store's files (FORMAT.md)");
	}
	closedir(d);
	return 0;
}

/* Each directory in a directory, in turn. */
static int each_dir(struct inventory *v, const char *dir, int (*fn)(struct inventory *v, const char *dir, const char *name))
{
	struct names names;
	int rc = names_read(&v->root, dir, &names);

	for (size_t i = 0; !rc && i < names.n; i++)
		rc = fn(v, dir, names.v[i]);
	names_free(&names);
	return rc == -ENOTDIR ? 0 : rc;
}

static enum kind controllers(struct place *p, const char *name, const struct stat *sb)
{
	(void)p, (void)sb;
	return name_check(name) ? STRAY : DIR_OURS;
}

/* ---- keys ---- */

static enum kind purposes(struct place *p, const char *name, const struct stat *sb)
{
	(void)p, (void)sb;
	return !strcmp(name, store_purpose_names[0]) || !strcmp(name, store_purpose_names[1]) ? DIR_OURS : STRAY;
}

/* A file that becomes another one as soon as it is written. */
static enum kind in_the_making(struct place *p, const char *name, const struct stat *sb, const char *rule, bool beside)
{
	char path[2 * PATH_ROOM];
	const char *bad;

	path_of(p, name, path);
	bad = S_ISREG(sb->st_mode) ? left_behind(&p->v->root, path, beside) : NULL;
	if (bad)
		inv_problem(p->v, path, "%s%s%s", rule, *rule ? ": " : "", bad);
	return FILE_OURS;
}

static enum kind key_file(struct place *p, const char *name, const struct stat *sb)
{
	char path[2 * PATH_ROOM];
	struct stat other;
	uint32_t day;

	if (!strcmp(name, "hold.slots"))
		return p->purpose == STORE_DOCUMENTATION ? FILE_OURS : STRAY;
	if (!strcmp(name, "hold.slots.tmp"))
		return p->purpose == STORE_DOCUMENTATION ? in_the_making(p, name, sb, "H-2", true) : STRAY;
	if (strlen(name) < 11 || day_parse(name, 10, &day) || day == DAY_HOLD)
		return STRAY;
	if (!strcmp(name + 10, ".bucket.tmp") || !strcmp(name + 10, ".slots.tmp"))
		return in_the_making(p, name, sb, "K-7", true);
	if (!strcmp(name + 10, ".bucket"))
		return FILE_OURS;
	if (strcmp(name + 10, ".slots") != 0)
		return STRAY;
	snprintf(path, sizeof(path), "%s/%.10s.bucket", p->dir, name);
	if (beneath_statat(p->v->root.fd, path, &other) && errno == ENOENT)
		inv_problem(p->v, path, "K-6: bucket key is missing beside its slots");
	return FILE_OURS;
}

static int keys_of(struct inventory *v, const char *dir, const char *name)
{
	struct place p = { .v = v };
	int rc;

	snprintf(p.dir, sizeof(p.dir), "%.255s/%.255s", dir, name);
	rc = walk(&p, purposes);
	for (p.purpose = 0; !rc && p.purpose < STORE_PURPOSES; p.purpose++) {
		snprintf(p.dir, sizeof(p.dir), "%.200s/%.255s/%s", dir, name, store_purpose_names[p.purpose]);
		rc = walk(&p, key_file);
	}
	return rc;
}

/* ---- catalog, evidence, outbox ---- */

/* By --rebuild, with what lay beside it: ".damaged", ".damaged.2", each with "-wal", "-shm" or "-journal". */
static bool set_aside(const char *s)
{
	if (strncmp(s, ".damaged", 8) != 0)
		return false;
	s += 8;
	if (*s == '.' && s[1] >= '0' && s[1] <= '9')
		s += 1 + strspn(s + 1, "0123456789");
	return !*s || !strcmp(s, "-wal") || !strcmp(s, "-shm") || !strcmp(s, "-journal");
}

static enum kind catalog_file(struct place *p, const char *name, const struct stat *sb)
{
	/* SQLite's own, a copy on its way, what the reaper takes away */
	static const char *const more[] = { "", "-wal", "-shm", "-journal", ".seal", ".seal-journal", ".gone", ".new", ".new-journal" };
	const char *db = strstr(name, ".db");
	char base[64];
	uint32_t day;
	unsigned part;

	(void)p, (void)sb;
	if (!db || (size_t)(db - name) + 4 > sizeof(base))
		return STRAY;
	snprintf(base, sizeof(base), "%.*s", (int)(db - name) + 3, name);
	if (!strcmp(base, "later.db"))
		return !db[3] || !strcmp(db + 3, "-journal") || set_aside(db + 3) ? FILE_OURS : STRAY;
	if (catalog_parse(base, &day, &part))
		return STRAY;
	for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++)
		if (!strcmp(db + 3, more[i]))
			return FILE_OURS;
	return set_aside(db + 3) ? FILE_OURS : STRAY;
}

static int catalog_of(struct inventory *v, const char *dir, const char *name)
{
	struct place p = { .v = v };

	snprintf(p.dir, sizeof(p.dir), "%.255s/%.255s", dir, name);
	return walk(&p, catalog_file);
}

static enum kind evidence_file(struct place *p, const char *name, const struct stat *sb)
{
	int32_t day;

	(void)p, (void)sb;
	return evlog_name_kind(name, &day) < 0 ? STRAY : FILE_OURS;
}

static enum kind outbox_file(struct place *p, const char *name, const struct stat *sb)
{
	(void)p, (void)sb;
	return outbox_name_kind(name) == OUTBOX_NOT_OURS ? STRAY : FILE_OURS;
}

/* ---- segments ---- */

/* Its head, of which all else follows. */
static const char *head_look(struct place *p, const char *path, uint32_t number)
{
	uint8_t raw[SEGMENT_HEAD];
	struct segment_head h;
	int fd = beneath_openat(p->v->root.fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0), rc;
	const char *bad;

	if (fd < 0)
		return errno == ENOENT ? NULL : strerror(errno);
	rc = pread_all(fd, raw, sizeof(raw), 0);
	close(fd);
	if (rc)
		return "shorter than its head";
	bad = segment_head_parse(raw, sizeof(raw), &h);
	if (!bad && (memcmp(h.store_id, p->v->root.id, 16) != 0 || h.number != number || h.day != p->number ||
		     strcmp(h.controller, p->controller) != 0))
		bad = "segment of another place";
	return bad;
}

static enum kind segment_file(struct place *p, const char *name, const struct stat *sb)
{
	uint64_t size = (uint64_t)sb->st_size, said;
	struct inventory *v = p->v;
	struct inv_segment *s = NULL;
	char path[2 * PATH_ROOM];
	const char *bad = NULL;
	uint32_t number;
	bool open;

	if (strspn(name, "0123456789") != 8)
		return STRAY;
	if (!strcmp(name + 8, ".copy"))
		return p->number == DAY_HOLD ? FILE_OURS : STRAY;
	open = !strcmp(name + 8, ".open");
	if ((!open && strcmp(name + 8, ".seg") != 0) || !S_ISREG(sb->st_mode))
		return STRAY;
	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	number = (uint32_t)strtoul(name, NULL, 10);
	if (p->day && number < p->day->n)
		s = &p->day->segment[number];
	said = s ? s->named + s->unreadable : 0;
	if (!open || said) /* a new one has no head yet */
		bad = head_look(p, path, number);
	if (bad)
		inv_problem(v, path, "S-1: %s", bad);
	if (!open && size % SEGMENT_ALIGN)
		inv_problem(v, path, "S-2: length is not a multiple of 16");
	if (s && (s->end > size || (!open && SEGMENT_HEAD + said > size)))
		inv_problem(v, path, "rows name more of it than it has: %llu of %llu bytes",
			    (unsigned long long)(s->end > SEGMENT_HEAD + said ? s->end : SEGMENT_HEAD + said), (unsigned long long)size);
	v->t.segments++;
	v->t.segment_bytes += size;
	v->t.heads += size < SEGMENT_HEAD ? size : SEGMENT_HEAD;
	if (s) {
		v->t.named += s->named;
		v->t.unreadable += s->unreadable;
	}
	v->t.other += size > SEGMENT_HEAD + said ? size - SEGMENT_HEAD - said : 0;
	return FILE_OURS;
}

/* Segments that rows name and that are not there. A day that the reaper takes away loses its rows first. */
static void missing(struct inventory *v, const struct inv_day *d)
{
	char path[STORE_PATH_MAX], db[STORE_PATH_MAX];
	struct stat sb;

	catalog_path(d->controller, d->day, 1, db);
	for (uint32_t i = 0; i < d->n; i++) {
		if (!d->segment[i].named)
			continue;
		segment_path(d->controller, d->day, i, "open", path);
		if (!beneath_statat(v->root.fd, path, &sb))
			continue;
		segment_path(d->controller, d->day, i, "seg", path); /* a writer may just have renamed it */
		if (!beneath_statat(v->root.fd, path, &sb) || beneath_accessat(v->root.fd, db))
			continue;
		inv_problem(v, path, "rows name %llu bytes of it, and it is not there", (unsigned long long)d->segment[i].named);
	}
}

static enum kind segment_days(struct place *p, const char *name, const struct stat *sb)
{
	uint32_t day;

	(void)p, (void)sb;
	return day_parse(name, strlen(name), &day) ? STRAY : DIR_OURS;
}

static int segment_day(struct inventory *v, const char *dir, const char *name)
{
	struct place p = { .v = v };
	int rc;

	if (day_parse(name, strlen(name), &p.number))
		return 0;
	snprintf(p.dir, sizeof(p.dir), "%.255s/%.255s", dir, name);
	snprintf(p.controller, sizeof(p.controller), "%.63s", strchr(dir, '/') + 1);
	p.day = day_get(v, p.controller, p.number, false);
	rc = walk(&p, segment_file);
	return rc;
}

static int segments_of(struct inventory *v, const char *dir, const char *name)
{
	struct place p = { .v = v };
	int rc;

	snprintf(p.dir, sizeof(p.dir), "%.255s/%.255s", dir, name);
	rc = walk(&p, segment_days);
	return rc ? rc : name_check(name) ? 0 : each_dir(v, p.dir, segment_day);
}

/* ---- what is left: of the daemon, of who made the store ---- */

static bool one_of(const char *name, const char *const *v)
{
	while (*v && strcmp(name, *v) != 0)
		v++;
	return *v;
}

/* NAME.tmp or NAME.open, of a name that is written over. */
static bool made_as(const char *name, const char *end, const char *const *v)
{
	size_t n = strlen(name), m = strlen(end);
	char base[PATH_ROOM];

	snprintf(base, sizeof(base), "%.*s", n > m ? (int)(n - m) : 0, name);
	return n > m && !strcmp(name + n - m, end) && one_of(base, v);
}

static enum kind top_file(struct place *p, const char *name, const struct stat *sb)
{
	static const char *const dirs[] = { "public", "keys", "segments", "catalog", "policies", "evidence", "outbox", "sampling",
					    "lost+found", NULL };
	static const char *const files[] = { "optag.store", "lock", "number.key", "epoch", "open.db", "open.db-wal", "open.db-shm",
					     "open.db-journal", "reserve", "holds", "holds.telling", "erase", "reap.clock", "reap.lock",
					     "reap.retention", "reap.inventory", "reap.holds", "retention", "callback", "sets", "used", NULL };
	static const char *const over[] = { "optag.store", "epoch", "holds", "holds.telling", "erase", "reap.clock", "reap.inventory", "retention", "callback",
					    NULL };
	static const char *const sets[] = { "sets", NULL };

	if (one_of(name, dirs))
		return DIR_OURS;
	if (made_as(name, ".tmp", over) || made_as(name, ".open", sets))
		return in_the_making(p, name, sb, "", false);
	return one_of(name, files) || (!strncmp(name, "holds.", 6) && set_aside(name + 5)) ? FILE_OURS : STRAY;
}

static enum kind public_file(struct place *p, const char *name, const struct stat *sb)
{
	static const char *const files[] = { "documentation.pub", "training.pub", NULL };

	(void)p, (void)sb;
	return one_of(name, files) ? FILE_OURS : STRAY;
}

static int public_of(struct inventory *v, const char *dir, const char *name)
{
	struct place p = { .v = v, .uncounted = true };

	snprintf(p.dir, sizeof(p.dir), "%.255s/%.255s", dir, name);
	return walk(&p, public_file);
}

static enum kind policy_file(struct place *p, const char *name, const struct stat *sb)
{
	static const char *const kinds[] = { ".policy", ".sounds", ".approval", NULL };
	static const char *const files[] = { "history", "records", NULL };
	bool hash = strspn(name, "0123456789abcdef") == 64;

	if (one_of(name, files) || (hash && one_of(name + 64, kinds)))
		return FILE_OURS;
	return made_as(name, ".open", files) || (hash && made_as(name + 64, ".open", kinds)) ? in_the_making(p, name, sb, "", false) : STRAY;
}

static enum kind sampling_file(struct place *p, const char *name, const struct stat *sb)
{
	static const char *const files[] = { "lock", "state", NULL };
	uint32_t day;

	if (!strcmp(name, "state.tmp"))
		return in_the_making(p, name, sb, "", false);
	return one_of(name, files) || (strlen(name) == 16 && !strcmp(name + 10, ".jsonl") && !day_parse(name, 10, &day)) ? FILE_OURS : STRAY;
}

int inv_files(struct inventory *v)
{
	static const struct {
		const char *dir;
		look *look;
		int (*each)(struct inventory *v, const char *dir, const char *name);
		bool uncounted;
	} top[] = {
		{ "segments", controllers, segments_of, false }, { "catalog", controllers, catalog_of, false },
		{ "keys", controllers, keys_of, false },	 { "evidence", evidence_file, NULL, false },
		{ "outbox", outbox_file, NULL, false },		 { ".", top_file, NULL, true },
		{ "public", controllers, public_of, true },	 { "policies", policy_file, NULL, true },
		{ "sampling", sampling_file, NULL, true },
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(top) / sizeof(*top); i++) {
		struct place p = { .v = v, .uncounted = top[i].uncounted };

		snprintf(p.dir, sizeof(p.dir), "%s", top[i].dir);
		rc = walk(&p, top[i].look);
		if (rc == -EACCES && v->set->no_evidence && top[i].look == evidence_file)
			rc = why_set(v->why, 0, "%s", "");
		if (!rc && top[i].each)
			rc = each_dir(v, top[i].dir, top[i].each);
	}
	for (size_t i = 0; !rc && i < v->nday; i++)
		missing(v, v->day[i]);
	return rc && !*v->why->text ? why_set(v->why, rc, "out of memory") : rc;
}
