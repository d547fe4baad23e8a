/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read.c - one call's audio, for one purpose that is live on it
 *
 * Never writes. The private key is used once, in wrap_open; from then on the
 * reader holds the call's data key in locked memory. Extents, headers and
 * contents are checked before they are believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/catalog.h"
#include "store/codec.h"
#include "store/segment.h"
#include "store/slots.h"
#include "store/store_internal.h"
#include "store/writer.h"

struct store_reader {
	struct store *st;
	struct uid uid;
	char controller[STORE_NAME_MAX];
	uint32_t day;
	enum store_purpose purpose;
	/* from the row */
	enum store_state state;
	uint32_t purpose_day, purpose_slot;
	uint8_t *extents, *numbers;
	size_t extents_len, numbers_len;
	/* where we are */
	const uint8_t *at;
	size_t left;
	struct extent_state est;
	struct chunk_order order;
	int fd;
	uint32_t fd_segment;
	/* tools and memory */
	struct keypool *pool;
	struct callkey *key;
	struct sealer *sealer;
	struct codec *codec;
	uint8_t *disk, *plain;
	struct chunk chunk;
	char *caller, *callee;
};

static uint8_t *copy(const uint8_t *p, size_t n)
{
	uint8_t *c = malloc(n + 1);

	if (c && n)
		memcpy(c, p, n);
	return c;
}

/* Looks for the row; 1 when this database has it. */
static int row_in(void *arg, const char *controller, uint32_t day)
{
	struct store_reader *r = arg;
	struct store_filter f = { .uid = &r->uid, .state = -1 };
	const struct cursor_row *row;
	struct cursor *c;
	int rc = cursor_open(&r->st->root, controller, day, &f, NULL, &c, &r->st->why);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = cursor_next(c, &row, &r->st->why);
	if (rc == 1) {
		snprintf(r->controller, sizeof(r->controller), "%s", controller);
		r->day = day;
		r->state = row->row.state[r->purpose];
		r->purpose_day = row->purpose_day[r->purpose];
		r->purpose_slot = row->purpose_slot[r->purpose];
		free(r->extents); /* of an attempt before */
		free(r->numbers);
		r->extents = copy(row->extents, row->extents_len);
		r->extents_len = row->extents_len;
		r->numbers = copy(row->numbers, row->numbers_len);
		r->numbers_len = row->numbers_len;
		if (!r->extents || !r->numbers)
			rc = why_set(&r->st->why, -ENOMEM, "out of memory");
	}
	cursor_close(c);
	return rc;
}

static int find_row(struct store_reader *r)
{
	char text[UID_TEXT];
	int rc = -EAGAIN;

	for (int try = 0; rc == -EAGAIN && try < 4; try++)
		rc = catalog_each(&r->st->root, row_in, r);
	if (rc)
		return rc < 0 ? rc : 0;
	uid_format(&r->uid, text);
	return why_set(&r->st->why, -ENOENT, "%s: no such call", text);
}

static int unlock(struct store_reader *r, const char *keys_dir)
{
	const char *name = store_purpose_names[r->purpose];
	struct why *why = &r->st->why;
	struct bucket b;
	struct slot s;
	char text[UID_TEXT];
	int rc;

	uid_format(&r->uid, text);
	if (r->state != STORE_S_GRANTED)
		return why_set(why, -EACCES, "%s: %s is %s on this call, not GRANTED", text, name,
			       store_state_names[r->state]);
	if (!r->purpose_slot)
		return why_set(why, -ESHUTDOWN, "%s: no key for %s is kept", text, name);
	rc = slot_read(&r->st->root, r->controller, r->purpose, r->purpose_day, r->purpose_slot, &s, why);
	if (rc)
		return rc;
	if (s.empty || !uid_equal(&s.uid, &r->uid))
		return why_set(why, -ESHUTDOWN, "%s: the key for %s was destroyed", text, name);
	rc = bucket_read(&r->st->root, r->controller, r->purpose, r->purpose_day, &b, why);
	if (!rc && b.state != BUCKET_LIVE)
		rc = -ENOENT;
	if (rc == -ENOENT)
		return why_set(why, -ESHUTDOWN, "%s: the day's key for %s was destroyed", text, name);
	if (!rc)
		rc = wrap_open(keys_dir, r->controller, r->purpose, r->purpose_day, &r->uid, s.key_id, b.key,
			       s.wrap, r->key->data, why);
	sodium_memzero(&b, sizeof(b));
	if (!rc)
		callkey_derive(r->key);
	return rc;
}

static int reader_memory(struct store_reader *r)
{
	if (keypool_new(&r->pool) || sealer_new(&r->sealer) || codec_new(&r->codec))
		return -ENOMEM;
	r->key = callkey_blank(r->pool);
	r->disk = malloc(CHUNK_DISK_MAX);
	r->plain = malloc(CHUNK_DISK_MAX);
	r->chunk.pkt = calloc(CHUNK_MAX_PACKETS, sizeof(*r->chunk.pkt));
	r->chunk.data = malloc(CHUNK_MAX_BYTES);
	return r->key && r->disk && r->plain && r->chunk.pkt && r->chunk.data ? 0 : -ENOMEM;
}

int store_read_open(struct store *st, const struct uid *uid, enum store_purpose p,
		    const char *keys_dir, struct store_reader **ret)
{
	struct store_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return why_set(&st->why, -ENOMEM, "out of memory");
	r->st = st;
	r->uid = *uid;
	r->purpose = p;
	r->fd = -1;
	rc = reader_memory(r);
	if (rc)
		why_set(&st->why, rc, "out of memory");
	if (!rc)
		rc = find_row(r);
	if (!rc)
		rc = unlock(r, keys_dir);
	if (rc) {
		store_read_close(r);
		return rc;
	}
	r->at = r->extents;
	r->left = r->extents_len;
	*ret = r;
	return 0;
}

void store_read_close(struct store_reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	callkey_free(r->pool, r->key);
	keypool_free(r->pool);
	sealer_free(r->sealer);
	codec_free(r->codec);
	free(r->disk);
	if (r->plain)
		sodium_memzero(r->plain, CHUNK_DISK_MAX);
	free(r->plain);
	free(r->chunk.pkt);
	if (r->chunk.data)
		sodium_memzero(r->chunk.data, CHUNK_MAX_BYTES);
	free(r->chunk.data);
	free(r->extents);
	free(r->numbers);
	if (r->caller)
		sodium_memzero(r->caller, strlen(r->caller));
	if (r->callee)
		sodium_memzero(r->callee, strlen(r->callee));
	free(r->caller);
	free(r->callee);
	free(r);
}

/* A segment keeps its number when it is finished; only the end of its name changes. */
static int open_segment(struct store_reader *r, uint32_t number, char name[STORE_PATH_MAX])
{
	static const char *const ext[3] = { "seg", "open", "seg" }; /* renamed in between: look again */

	if (r->fd >= 0 && r->fd_segment == number) {
		segment_path(r->controller, r->day, number, "seg", name);
		return 0;
	}
	if (r->fd >= 0)
		close(r->fd);
	for (int i = 0; i < 3; i++) {
		segment_path(r->controller, r->day, number, ext[i], name);
		r->fd = openat(r->st->root.fd, name, O_RDONLY | O_CLOEXEC);
		if (r->fd >= 0 || errno != ENOENT)
			break;
	}
	r->fd_segment = number;
	return r->fd < 0 ? -errno : 0;
}

/* The chunk at e into plain; *ret_len. Returns what is broken, with its rule. */
static const char *read_chunk(struct store_reader *r, const struct extent *e, struct chunk_head *h,
			      size_t *ret_len, const char **ret_rule)
{
	uint8_t nonce[12];
	const char *bad;

	*ret_rule = "C-3";
	if (pread_all(r->fd, r->disk, e->len, (off_t)e->off))
		return "chunk cannot be read";
	bad = chunk_head_parse(r->disk, e->len, h);
	*ret_rule = "S-3";
	if (bad)
		return bad;
	*ret_rule = "C-3";
	if (h->length != e->len || !uid_equal(&h->uid, &r->uid))
		return "another chunk than the row says";
	*ret_rule = "S-5";
	if (crc32c(0, r->disk + CHUNK_HEAD, h->length - CHUNK_HEAD) != h->body_crc)
		return "checksum of the chunk's content differs";
	chunk_nonce(h, nonce);
	*ret_len = h->length - CHUNK_HEAD - CHUNK_TAG;
	*ret_rule = "S-7";
	if (unseal(r->sealer, r->key->leg[h->leg], nonce, r->disk, CHUNK_AD, r->disk + CHUNK_HEAD, *ret_len,
		   r->plain))
		return "chunk is not authentic";
	*ret_rule = "C-3";
	return chunk_follows(&r->order, h) ? NULL : "a chunk of this leg is missing before this one";
}

int store_read_next(struct store_reader *r, unsigned *ret_leg, const struct chunk **ret)
{
	char name[STORE_PATH_MAX];
	struct why *why = &r->st->why;
	struct chunk_head h;
	const char *bad, *rule;
	struct extent e;
	size_t n;
	int rc = extent_get(&r->at, &r->left, &r->est, &e);

	if (rc == 0)
		return 0;
	if (rc < 0) {
		r->left = 0; /* nothing after it can be found */
		catalog_path(r->controller, r->day, name);
		return why_set(why, -EBADMSG, "%s: the call's list of chunks is damaged (rule C-2)", name);
	}
	rc = open_segment(r, e.segment, name);
	if (rc)
		return why_set(why, -EBADMSG, "%s: offset %llu: %s (rule C-3)", name,
			       (unsigned long long)e.off, strerror(-rc));
	bad = read_chunk(r, &e, &h, &n, &rule);
	if (!bad) {
		rule = "S-8";
		bad = codec_decode(r->codec, &h, r->plain, n, &r->chunk);
	}
	if (bad)
		return why_set(why, -EBADMSG, "%s: offset %llu: %s (rule %s)", name,
			       (unsigned long long)e.off, bad, rule);
	*ret_leg = h.leg;
	*ret = &r->chunk;
	return 1;
}

static char *take_number(struct rd *rd)
{
	uint64_t n = rd_varint(rd);
	const uint8_t *p = n <= rd->left ? rd_bytes(rd, (size_t)n) : NULL;

	return p && !rd->bad ? strndup((const char *)p, (size_t)n) : NULL;
}

int store_read_numbers(struct store_reader *r, const char **ret_caller, const char **ret_callee)
{
	static const uint8_t nonce[12];
	struct rd rd;
	uint8_t *plain;
	size_t n = r->numbers_len - CHUNK_TAG;

	if (!r->numbers_len)
		return why_set(&r->st->why, -ENODATA, "the call's numbers were not kept");
	if (!r->caller) {
		plain = r->numbers_len > CHUNK_TAG ? malloc(n) : NULL;
		if (!plain || unseal(r->sealer, r->key->numbers, nonce, r->uid.b, 16, r->numbers, n, plain)) {
			free(plain);
			return why_set(&r->st->why, -EBADMSG, "the call's numbers are damaged (rule C-2)");
		}
		rd = (struct rd){ .p = plain, .left = n };
		r->caller = take_number(&rd);
		r->callee = take_number(&rd);
		sodium_memzero(plain, n);
		free(plain);
	}
	if (!r->caller || !r->callee)
		return why_set(&r->st->why, -EBADMSG, "the call's numbers are damaged (rule C-2)");
	*ret_caller = r->caller;
	*ret_callee = r->callee;
	return 0;
}
