/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot.c - files of slots: parsing, reading, overwriting many
 *
 * A slot is written once by one pwrite of 256 aligned bytes and erased by another, so erasing needs no space and cannot
 * move the bytes elsewhere on a file system that writes in place.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/le.h"
#include "store/slot.h"

static const uint8_t zeros[SLOT_SIZE];

void slots_head_format(const struct slots_head *h, uint8_t out[SLOT_SIZE])
{
	memset(out, 0, SLOT_SIZE);
	memcpy(out, "OPTAGSLT", 8);
	le16enc(out + 8, 1);
	le16enc(out + 10, SLOT_SIZE);
	out[12] = h->purpose;
	memcpy(out + 16, h->store_id, 16);
	le32enc(out + 32, h->day);
	memcpy(out + 48, h->controller, strnlen(h->controller, 63));
	le32enc(out + 252, crc32c(0, out, 252));
}

const char *slots_head_parse(const uint8_t *p, size_t n, struct slots_head *ret)
{
	if (n < SLOT_SIZE)
		return "file shorter than its head";
	if (memcmp(p, "OPTAGSLT", 8) || le16dec(p + 8) != 1 || le16dec(p + 10) != SLOT_SIZE)
		return "not a slots file";
	if (le32dec(p + 252) != crc32c(0, p, 252))
		return "checksum of the head differs";
	if (p[12] >= STORE_PURPOSES || memcmp(p + 13, zeros, 3) || memcmp(p + 36, zeros, 12) || p[111] ||
	    memcmp(p + 112, zeros, 140))
		return "head has values it must not have";
	ret->purpose = p[12];
	memcpy(ret->store_id, p + 16, 16);
	ret->day = le32dec(p + 32);
	memcpy(ret->controller, p + 48, 64);
	return NULL;
}

void slot_format(const struct slot *s, uint8_t out[SLOT_SIZE])
{
	memset(out, 0, SLOT_SIZE);
	memcpy(out, "OSLT", 4);
	out[4] = s->version;
	out[5] = s->purpose;
	le16enc(out + 6, (uint16_t)slot_wrap_size(s));
	memcpy(out + 8, s->uid.b, 16);
	le64enc(out + 24, s->until_ns);
	memcpy(out + 32, s->key_id, 8);
	memcpy(out + 64, s->wrap, slot_wrap_size(s));
	le32enc(out + 252, crc32c(0, out, 252));
}

const char *slot_parse(const uint8_t p[SLOT_SIZE], struct slot *ret)
{
	size_t n;

	*ret = (struct slot){ .empty = true };
	if (!memcmp(p, zeros, SLOT_SIZE))
		return NULL;
	if (memcmp(p, "OSLT", 4) || (p[4] != 1 && p[4] != 2))
		return "neither a slot nor empty";
	if (le32dec(p + 252) != crc32c(0, p, 252))
		return "checksum of the slot differs";
	n = slot_wrap_size(&(struct slot){ .version = p[4] });
	if (p[5] >= STORE_PURPOSES || le16dec(p + 6) != n || memcmp(p + 40, zeros, 24) ||
	    memcmp(p + 64 + n, zeros, 252 - 64 - n))
		return "slot has values it must not have";
	ret->empty = false;
	ret->version = p[4];
	ret->purpose = p[5];
	memcpy(ret->uid.b, p + 8, 16);
	ret->until_ns = le64dec(p + 24);
	memcpy(ret->key_id, p + 32, 8);
	memcpy(ret->wrap, p + 64, n);
	return NULL;
}

void slots_path(const char *controller, unsigned purpose, uint32_t day, const char *ext,
		char out[STORE_PATH_MAX])
{
	char text[16];

	day_text(day, text);
	snprintf(out, STORE_PATH_MAX, "keys/%s/%s/%s.%s", controller, store_purpose_names[purpose], text,
		 ext);
}

int slot_read(const struct root *r, const char *controller, unsigned purpose, uint32_t day,
	      uint32_t index, struct slot *ret, struct why *why)
{
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	const char *bad;
	int fd, rc;

	slots_path(controller, purpose, day, "slots", path);
	fd = beneath_openat(r->fd, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return why_errno(why, -errno, path, "cannot open");
	rc = pread_all(fd, raw, sizeof(raw), (off_t)index * SLOT_SIZE);
	close(fd);
	if (rc == -ENODATA)
		return why_set(why, -ENOENT, "%s: offset %llu: no such slot (rule K-5)", path,
			       (unsigned long long)index * SLOT_SIZE);
	if (rc)
		return why_errno(why, rc, path, "cannot read");
	bad = slot_parse(raw, ret);
	if (!bad && !ret->empty && ret->purpose != purpose)
		bad = "slot of the other purpose";
	return bad ? why_set(why, -EBADMSG, "%s: offset %llu: %s (rule K-3)", path,
			     (unsigned long long)index * SLOT_SIZE, bad) :
		     0;
}

void slot_key(const struct slot *s, const uint8_t bucket[32], uint32_t day, uint8_t ret[32])
{
	uint8_t in[8 + 16 + 1 + 4] = "optagslt";

	if (s->version == 1) {
		memcpy(ret, bucket, 32);
		return;
	}
	memcpy(in + 8, s->uid.b, 16);
	in[24] = s->purpose;
	le32enc(in + 25, day);
	crypto_generichash(ret, 32, in, sizeof(in), bucket, 32);
}

/* ---- erasing many ---- */

static int place_cmp(const struct slot_erase *x, const struct slot_erase *y)
{
	int c = strcmp(x->controller, y->controller);

	if (!c)
		c = x->purpose < y->purpose ? -1 : x->purpose > y->purpose;
	return c ? c : x->day < y->day ? -1 : x->day > y->day;
}

static int erase_cmp(const void *a, const void *b)
{
	const struct slot_erase *x = a, *y = b;
	int c = place_cmp(x, y);

	return c ? c : x->index < y->index ? -1 : x->index > y->index;
}

static int erase_one(int fd, const struct slot_erase *e)
{
	uint8_t raw[SLOT_SIZE];
	struct slot s;
	int rc = pread_all(fd, raw, sizeof(raw), (off_t)e->index * SLOT_SIZE);

	if (rc || !e->index)
		return !e->index || rc == -ENODATA ? -ENOENT : rc;
	if (slot_parse(raw, &s)) /* damaged: the wrap may be whole all the same */
		memcpy(s.uid.b, raw + 8, 16);
	else if (s.empty)
		return 1;
	if (!uid_equal(&s.uid, &e->uid))
		return -ESTALE;
	return pwrite_all(fd, zeros, SLOT_SIZE, (off_t)e->index * SLOT_SIZE);
}

static int uid_cmp(const void *a, const void *b)
{
	const struct slot_erase *const *x = a, *const *y = b;

	return memcmp(&(*x)->uid, &(*y)->uid, sizeof(struct uid));
}

static int overwrite_named(int fd, const uint8_t *raw, off_t at, struct slot_erase *const *v, size_t n)
{
	struct slot_erase key, *const look = &key, *const *x;
	int rc;

	memcpy(key.uid.b, raw + 8, 16);
	x = bsearch(&look, v, n, sizeof(*v), uid_cmp);
	if (!x)
		return 0;
	rc = pwrite_all(fd, zeros, SLOT_SIZE, at);
	(*x)->result = rc;
	return rc;
}

/* Damage that has another uid, where no slot of the file has this one: it is this call's, and the uid is what is damaged. */
static int erase_damaged(int fd, struct slot_erase *e)
{
	uint8_t raw[SLOT_SIZE];
	struct slot s;
	int rc = pread_all(fd, raw, sizeof(raw), (off_t)e->index * SLOT_SIZE);

	if (!rc && slot_parse(raw, &s)) {
		rc = pwrite_all(fd, zeros, SLOT_SIZE, (off_t)e->index * SLOT_SIZE);
		e->result = rc;
	}
	return rc;
}

/*
 * Who named a place that is not the call's may have been damaged, and its key lies elsewhere in the file: once through all
 * of it, for all calls whose slot was not found.
 */
static int erase_strays(int fd, struct slot_erase *e, size_t n)
{
	struct slot_erase **v = malloc((n + 1) * sizeof(*v));
	uint8_t raw[64 * SLOT_SIZE];
	size_t m = 0;
	ssize_t got = 1;
	int rc = v ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < n; i++)
		if (e[i].result == 1 || e[i].result == -ESTALE || e[i].result == -ENOENT)
			v[m++] = &e[i];
	if (m)
		qsort(v, m, sizeof(*v), uid_cmp);
	for (off_t at = SLOT_SIZE; m && !rc && got > 0; at += got) {
		got = pread(fd, raw, sizeof(raw), at);
		if (got < 0)
			rc = -errno;
		got -= got % SLOT_SIZE;
		for (ssize_t i = 0; !rc && i < got; i += SLOT_SIZE)
			rc = overwrite_named(fd, raw + i, at + i, v, m);
	}
	for (size_t i = 0; !rc && i < m; i++)
		if (v[i]->result == -ESTALE)
			rc = erase_damaged(fd, v[i]);
	for (size_t i = 0; rc && i < m; i++)
		v[i]->result = rc;
	free(v);
	return rc;
}

/* Those of one file. Returns the first error of the disk. */
static int erase_file(const struct root *r, struct slot_erase *v, size_t n, struct why *why)
{
	char path[STORE_PATH_MAX];
	bool sync = false;
	int fd, rc = 0, err;

	slots_path(v->controller, v->purpose, v->day, "slots", path);
	fd = beneath_openat(r->fd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
	err = fd < 0 ? -errno : 0;
	for (size_t i = 0; i < n; i++) {
		v[i].result = err ? err : erase_one(fd, &v[i]);
		if (v[i].result < 0 && v[i].result != -ENOENT && v[i].result != -ESTALE && !rc)
			rc = why_errno(why, v[i].result, path, "cannot erase slots");
	}
	err = err ? 0 : erase_strays(fd, v, n);
	if (err && !rc)
		rc = why_errno(why, err, path, "cannot erase slots");
	for (size_t i = 0; i < n; i++)
		sync |= v[i].result >= 0;
	if (sync && fdatasync(fd)) {
		err = -errno;
		for (size_t i = 0; i < n; i++)
			v[i].result = v[i].result >= 0 ? err : v[i].result;
		if (!rc)
			rc = why_errno(why, err, path, "cannot erase slots");
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int slots_erase_many(const struct root *r, struct slot_erase *v, size_t n, struct why *why)
{
	int rc = 0;

	if (n)
		qsort(v, n, sizeof(*v), erase_cmp);
	for (size_t i = 0, k; i < n; i = k) {
		struct why w;
		int err;

		for (k = i + 1; k < n && !place_cmp(&v[i], &v[k]); k++)
			;
		err = erase_file(r, v + i, k - i, &w);
		if (err && !rc) {
			rc = err;
			*why = w;
		}
	}
	return rc;
}

/* ---- all files ---- */

static int purpose_files(const struct root *r, const char *controller, unsigned p,
			 int (*fn)(void *arg, const char *controller, unsigned purpose, uint32_t day, uint32_t end), void *arg, struct why *why)
{
	char dir[STORE_PATH_MAX], path[STORE_PATH_MAX];
	struct clock_date d;
	struct names files;
	struct stat sb;
	int rc;

	snprintf(dir, sizeof(dir), "keys/%s/%s", controller, store_purpose_names[p]);
	rc = names_read(r, dir, &files);
	if (rc)
		return rc == -ENOTDIR ? 0 : why_errno(why, rc, dir, "cannot read directory");
	for (size_t i = 0; !rc && i < files.n; i++) {
		const char *name = files.v[i];

		if (strlen(name) != 16 || strcmp(name + 10, ".slots") || clock_date_parse(name, 10, &d))
			continue;
		slots_path(controller, p, day_number(&d), "slots", path);
		if (beneath_statat(r->fd, path, &sb) || sb.st_size / SLOT_SIZE > UINT32_MAX)
			continue;
		rc = fn(arg, controller, p, day_number(&d), (uint32_t)(sb.st_size / SLOT_SIZE));
	}
	names_free(&files);
	return rc;
}

int slots_files(const struct root *r, int (*fn)(void *arg, const char *controller, unsigned purpose, uint32_t day, uint32_t end),
		void *arg, struct why *why)
{
	struct names owners;
	int rc = names_read(r, "keys", &owners);

	if (rc)
		return why_errno(why, rc, "keys", "cannot read directory");
	for (size_t i = 0; !rc && i < owners.n; i++)
		for (unsigned p = 0; !rc && p < STORE_PURPOSES && !name_check(owners.v[i]); p++)
			rc = purpose_files(r, owners.v[i], p, fn, arg, why);
	names_free(&owners);
	return rc;
}
