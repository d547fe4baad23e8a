/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_slot.c - keys/CONTROLLER/documentation/hold.slots: the copies that keep calls on hold readable
 *
 * A slot is written and overwritten in place by one pwrite of 256 aligned bytes, as those of a day. It holds the key of
 * one call beside that call's wrap, so it needs nothing else in the store.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "store/bucket.h"
#include "store/hold_internal.h"

static const uint8_t zeros[SLOT_SIZE];

const char *hold_slot_parse(const uint8_t p[SLOT_SIZE], struct hold_slot *ret)
{
	*ret = (struct hold_slot){ .empty = true };
	if (!memcmp(p, zeros, SLOT_SIZE))
		return NULL;
	if (memcmp(p, "OHLD", 4) || p[4] != 1)
		return "neither a slot nor empty";
	if (le32dec(p + 252) != crc32c(0, p, 252))
		return "checksum of the slot differs";
	if (p[5] != STORE_DOCUMENTATION || le16dec(p + 6) != KEYS_WRAP || memcmp(p + 48, zeros, 16) || memcmp(p + 240, zeros, 12))
		return "slot has values it must not have";
	ret->empty = false;
	ret->slot = (struct slot){ .version = 2, .purpose = p[5], .until_ns = le64dec(p + 24) };
	memcpy(ret->slot.uid.b, p + 8, 16);
	memcpy(ret->slot.key_id, p + 32, 8);
	ret->day = le32dec(p + 40);
	ret->index = le32dec(p + 44);
	memcpy(ret->slot.wrap, p + 64, KEYS_WRAP);
	memcpy(ret->key, p + 64 + KEYS_WRAP, 32);
	return NULL;
}

void hold_slot_format(const struct hold_slot *s, uint8_t out[SLOT_SIZE])
{
	memset(out, 0, SLOT_SIZE);
	memcpy(out, "OHLD", 4);
	out[4] = 1;
	out[5] = STORE_DOCUMENTATION;
	le16enc(out + 6, KEYS_WRAP);
	memcpy(out + 8, s->slot.uid.b, 16);
	le64enc(out + 24, s->slot.until_ns);
	memcpy(out + 32, s->slot.key_id, 8);
	le32enc(out + 40, s->day);
	le32enc(out + 44, s->index);
	memcpy(out + 64, s->slot.wrap, KEYS_WRAP);
	memcpy(out + 64 + KEYS_WRAP, s->key, 32);
	le32enc(out + 252, crc32c(0, out, 252));
}

static void head_format(const uint8_t store_id[16], const char *controller, uint8_t out[SLOT_SIZE])
{
	memset(out, 0, SLOT_SIZE);
	memcpy(out, "OPTAGHLD", 8);
	le16enc(out + 8, 1);
	le16enc(out + 10, SLOT_SIZE);
	memcpy(out + 16, store_id, 16);
	memcpy(out + 48, controller, strnlen(controller, 63));
	le32enc(out + 252, crc32c(0, out, 252));
}

/* It has one spelling: what it must be is written again and compared. */
const char *hold_head_parse(const uint8_t *p, size_t n, const uint8_t store_id[16], const char *controller)
{
	uint8_t want[SLOT_SIZE];

	if (n < SLOT_SIZE)
		return "file shorter than its head";
	head_format(store_id, controller, want);
	if (!memcmp(p, want, SLOT_SIZE))
		return NULL;
	return memcmp(p, want, 12) ? "not a file of keys on hold" :
	       le32dec(p + 252) != crc32c(0, p, 252) ? "checksum of the head differs" : "head belongs elsewhere";
}

void hold_slots_path(const char *controller, char out[STORE_PATH_MAX])
{
	snprintf(out, STORE_PATH_MAX, "keys/%s/%s/hold.slots", controller, store_purpose_names[STORE_DOCUMENTATION]);
}

/* Opened, its head checked unless nothing but zeros is to be written. -ENOENT (why is left alone). */
static int open_file(const struct root *r, const char *controller, int flags, bool check, int *ret, struct why *why)
{
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	const char *bad;
	int fd, rc;

	hold_slots_path(controller, path);
	fd = beneath_openat(r->fd, path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : why_errno(why, -errno, path, "cannot open");
	rc = pread_all(fd, raw, sizeof(raw), 0);
	bad = rc ? "file shorter than its head" : hold_head_parse(raw, sizeof(raw), r->id, controller);
	if (bad && check) {
		close(fd);
		return why_set(why, -EBADMSG, "%s: offset 0: %s (rule H-2)", path, bad);
	}
	*ret = fd;
	return 0;
}

static int bad_slot(const char *controller, uint32_t index, const char *bad, struct why *why)
{
	char path[STORE_PATH_MAX];

	hold_slots_path(controller, path);
	return why_set(why, -EBADMSG, "%s: offset %llu: %s (rule H-3)", path, (unsigned long long)index * SLOT_SIZE, bad);
}

int hold_slot_read(const struct root *r, const char *controller, uint32_t index, struct hold_slot *ret, struct why *why)
{
	uint8_t raw[SLOT_SIZE];
	const char *bad;
	int fd = -1, rc = open_file(r, controller, O_RDONLY, true, &fd, why);

	*ret = (struct hold_slot){ .empty = true };
	if (rc)
		return rc;
	rc = pread_all(fd, raw, sizeof(raw), (off_t)index * SLOT_SIZE);
	close(fd);
	if (rc)
		return rc == -ENODATA ? -ENOENT : why_set(why, rc, "hold.slots: cannot read: %s", strerror(-rc));
	bad = hold_slot_parse(raw, ret);
	sodium_memzero(raw, sizeof(raw));
	return bad ? bad_slot(controller, index, bad, why) : 0;
}

static int make_file(const struct root *r, const char *controller, struct why *why)
{
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];

	head_format(r->id, controller, raw);
	hold_slots_path(controller, path);
	return write_new(r, path, raw, sizeof(raw), FILE_MODE(r), why);
}

int hold_slot_write(const struct root *r, const char *controller, uint32_t index, const struct hold_slot *s, struct why *why)
{
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE] = { 0 };
	int fd = -1, rc = open_file(r, controller, O_RDWR, s != NULL, &fd, why);

	if (rc == -ENOENT && !s)
		return 0;
	if (rc == -ENOENT) {
		rc = make_file(r, controller, why);
		if (!rc)
			rc = open_file(r, controller, O_RDWR, s != NULL, &fd, why);
	}
	if (rc)
		return rc;
	if (s)
		hold_slot_format(s, raw);
	rc = pwrite_all(fd, raw, sizeof(raw), (off_t)index * SLOT_SIZE);
	if (!rc && fdatasync(fd))
		rc = -errno;
	close(fd);
	sodium_memzero(raw, sizeof(raw));
	hold_slots_path(controller, path);
	return rc ? why_errno(why, rc, path, "cannot write") : 0;
}

int hold_slot_copy(const struct root *r, const struct hold *h, struct hold_slot *ret, int *ret_fd, uint64_t *ret_destroy_ns,
		   struct why *why)
{
	struct bucket b;
	int fd, rc;

	*ret = (struct hold_slot){ .day = h->day, .index = h->slot };
	rc = bucket_open(r, h->controller, STORE_DOCUMENTATION, h->day, false, &fd, why);
	if (rc)
		return rc == -ENOENT ? -ESHUTDOWN : rc;
	rc = bucket_lock(fd, r, h->controller, STORE_DOCUMENTATION, h->day, &b, why);
	if (!rc && b.state != BUCKET_LIVE)
		rc = why_set(why, -ESHUTDOWN, "the key of its day is destroyed");
	if (!rc)
		rc = slot_read(r, h->controller, STORE_DOCUMENTATION, h->day, h->slot, &ret->slot, why);
	if (rc == -ENOENT || (!rc && (ret->slot.empty || !uid_equal(&ret->slot.uid, &h->uid))))
		rc = why_set(why, -ESHUTDOWN, "its key is destroyed");
	if (!rc && ret->slot.version != 1)
		slot_key(&ret->slot, b.key, h->day, ret->key);
	if (!rc) {
		*ret_destroy_ns = b.destroy_ns;
		*ret_fd = fd;
	} else {
		close(fd); /* and the lock */
	}
	sodium_memzero(&b, sizeof(b));
	return rc;
}

/* 1 the call's slot, 0 not in this file. */
static int find_in(int fd, const char *controller, const struct uid *uid, struct hold_slot *ret, struct why *why)
{
	uint8_t raw[64 * SLOT_SIZE];
	ssize_t n = SLOT_SIZE;
	int rc = 0;

	for (off_t at = SLOT_SIZE; !rc && n > 0; at += n) {
		n = pread(fd, raw, sizeof(raw), at);
		if (n < 0)
			rc = why_set(why, -errno, "hold.slots: cannot read: %s", strerror(errno));
		n -= n % SLOT_SIZE; /* a torn last one holds no call */
		for (ssize_t i = 0; !rc && i < n; i += SLOT_SIZE) {
			const char *bad = memcmp(raw + i + 8, uid->b, 16) ? NULL : hold_slot_parse(raw + i, ret);

			if (bad)
				rc = bad_slot(controller, (uint32_t)((at + i) / SLOT_SIZE), bad, why);
			else
				rc = !memcmp(raw + i + 8, uid->b, 16) && !ret->empty;
		}
	}
	sodium_memzero(raw, sizeof(raw));
	return rc;
}

int hold_slots_each(const struct root *r, const char *controller, void (*fn)(void *arg, const struct hold_slot *s), void *arg, struct why *why)
{
	uint8_t raw[64 * SLOT_SIZE];
	struct hold_slot s = { .empty = true };
	int fd = -1, rc = open_file(r, controller, O_RDONLY, true, &fd, why);
	ssize_t n = SLOT_SIZE;

	if (rc)
		return rc;
	for (off_t at = SLOT_SIZE; !rc && n > 0; at += n) {
		n = pread(fd, raw, sizeof(raw), at);
		if (n < 0)
			rc = why_set(why, -errno, "hold.slots: cannot read: %s", strerror(errno));
		n -= n % SLOT_SIZE;
		for (ssize_t i = 0; !rc && i < n; i += SLOT_SIZE)
			if (!hold_slot_parse(raw + i, &s) && !s.empty)
				fn(arg, &s);
	}
	close(fd);
	sodium_memzero(raw, sizeof(raw));
	sodium_memzero(&s, sizeof(s));
	return rc;
}

int hold_slot_find(const struct root *r, const char *controller, const struct uid *uid, struct slot *ret,
		   uint8_t ret_key[32], struct why *why)
{
	struct hold_slot s = { .empty = true };
	int fd = -1, rc = open_file(r, controller, O_RDONLY, true, &fd, why);

	if (rc)
		return rc;
	rc = find_in(fd, controller, uid, &s, why);
	close(fd);
	if (rc == 1) {
		*ret = s.slot;
		memcpy(ret_key, s.key, 32);
	}
	sodium_memzero(&s, sizeof(s));
	return rc == 1 ? 0 : rc ? rc : -ENOENT;
}
