/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read.c - one call's audio, for one purpose that is live on it
 *
 * Never writes. The private key is used once, in wrap_open; from then on the
 * reader holds the keys of the purpose's parts in locked memory. Chunks of other
 * parts are gone by: of them only the header is looked at. Extents, headers and
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
#include "store/grounds.h"
#include "store/hold.h"
#include "store/overlay.h"
#include "store/party.h"
#include "store/segment.h"
#include "store/slots.h"
#include "store/store_internal.h"
#include "store/writer.h"

struct store_reader {
	struct store *st;
	struct uid uid;
	char controller[STORE_NAME_MAX];
	uint32_t day;
	unsigned part;
	enum store_purpose purpose;
	/* while the row is looked for */
	struct overlay *overlay;
	bool held;
	bool words; /* no audio: store_read_words */
	/* from the row */
	enum store_state state;
	uint32_t purpose_day, purpose_slot;
	uint8_t *extents, *numbers, *grounds;
	size_t extents_len, numbers_len, grounds_len;
	struct parts parts; /* with the keys of those that the purpose has; n 0: format 1 */
	struct partkey *whole; /* format 1: of everything */
	/* where we are */
	const uint8_t *at;
	size_t left;
	struct extent_state est;
	struct chunk_order order;
	int fd;
	uint32_t fd_segment;
	/* tools and memory */
	struct keypool *pool;
	uint8_t *numbers_key; /* in a cell of the pool */
	struct callkey *key;  /* that cell; the purpose's key until it was used */
	struct sealer *sealer;
	struct codec *codec;
	uint8_t *disk, *plain;
	struct chunk chunk;
	char *caller, *callee;
	uint8_t *facts;
	size_t facts_len;
	char *said; /* the grounds that were asked for last */
	int lost; /* a database that could not be looked at for the row, and why */
	struct why lost_why;
};

static uint8_t *copy(const uint8_t *p, size_t n)
{
	uint8_t *c = malloc(n + 1);

	if (c && n)
		memcpy(c, p, n);
	return c;
}

static int take_row(struct store_reader *r, const char *controller, const struct cursor_row *row)
{
	snprintf(r->controller, sizeof(r->controller), "%s", controller);
	r->day = row->day;
	r->part = row->part;
	r->state = row->row.state[r->purpose];
	r->purpose_day = row->purpose_day[r->purpose];
	r->purpose_slot = row->purpose_slot[r->purpose];
	free(r->extents); /* of an attempt before */
	free(r->numbers);
	free(r->grounds);
	r->extents = copy(row->extents, row->extents_len);
	r->extents_len = row->extents_len;
	r->numbers = copy(row->numbers, row->numbers_len);
	r->numbers_len = row->numbers_len;
	r->grounds = copy(row->grounds, row->grounds_len);
	r->grounds_len = row->grounds_len;
	parts_free(&r->parts);
	r->parts = row->parts;
	r->parts.v = (struct part *)(void *)copy((const uint8_t *)row->parts.v, row->parts.n * sizeof(struct part));
	return r->parts.v && r->extents && r->numbers && r->grounds ? 0 : why_set(&r->st->why, -ENOMEM, "out of memory");
}

/* Looks for the row; 1 when this database has it. */
static int row_in(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct store_reader *r = arg;
	struct store_filter f = { .uid = &r->uid, .state = -1 };
	const struct cursor_row *row;
	struct cursor *c;
	int rc;

	if ((day == DAY_HOLD) != r->held)
		return 0;
	rc = cursor_open(&r->st->root, controller, day, part, &f, NULL, r->overlay, &c, &r->st->why);
	if (!rc) {
		rc = cursor_next(c, &row, &r->st->why);
		if (rc == 1)
			rc = take_row(r, controller, row) ? -ENOMEM : 1;
		cursor_close(c);
	}
	if (rc == -EBADMSG) { /* the call may be in another one */
		r->lost = rc;
		r->lost_why = r->st->why;
	}
	return rc == -ENOENT || rc == -EBADMSG ? 0 : rc;
}

static int find_row(struct store_reader *r)
{
	char text[UID_TEXT];
	int rc = overlay_new(&r->st->root, &r->overlay) ? why_set(&r->st->why, -ENOMEM, "out of memory") : -EAGAIN;

	/* A held call that is in its day's catalog too has its audio where it is held. */
	for (int try = 0; rc == -EAGAIN && try < 4; try++) {
		r->held = true;
		rc = catalog_each(&r->st->root, row_in, r);
		r->held = false;
		if (!rc)
			rc = catalog_each(&r->st->root, row_in, r);
	}
	if (r->overlay && !r->st->damage)
		r->st->damage = overlay_damage(r->overlay, &r->st->damage_why);
	overlay_free(r->overlay);
	r->overlay = NULL;
	if (rc)
		return rc < 0 ? rc : 0;
	if (r->lost) {
		r->st->why = r->lost_why;
		return r->lost;
	}
	uid_format(&r->uid, text);
	return why_set(&r->st->why, -ENOENT, "%s: no such call", text);
}

static int part_key(struct store_reader *r, uint32_t n, const uint8_t purpose[32])
{
	struct part *k = &r->parts.v[n];
	int rc;

	if (k->way[r->purpose].how == PART_NONE)
		return 0;
	k->key = partkey_new(r->pool);
	if (!k->key)
		return -ENOMEM;
	rc = part_open(purpose, &r->uid, r->purpose, n, k->epoch, &k->way[r->purpose], k->key->data);
	partkey_derive(k->key);
	return rc;
}

/* From the key in the wrap to those of the purpose's parts and of the numbers. */
static int open_parts(struct store_reader *r)
{
	uint8_t *purpose = r->key->purpose[r->purpose];
	int rc = 0;

	r->numbers_key = r->key->numbers;
	if (!r->parts.n) {
		r->whole = partkey_new(r->pool);
		if (!r->whole)
			return -ENOMEM;
		memcpy(r->whole->data, purpose, 32);
		partkey_derive(r->whole);
		crypto_kdf_derive_from_key(r->numbers_key, 32, KEYS_SUB_NUMBERS, "optagcal", purpose);
	} else if ((r->numbers_len || r->grounds_len) && part_open(purpose, &r->uid, r->purpose, PART_NUMBERS, 0, &r->parts.numbers[r->purpose], r->numbers_key)) {
		rc = -EBADMSG;
	}
	for (uint32_t n = 0; !rc && !r->words && n < r->parts.n; n++)
		rc = part_key(r, n, purpose);
	sodium_memzero(purpose, 32);
	return rc;
}

/* The wrap in the day's slots, and the key that it was made under. -ESHUTDOWN one of them was destroyed. */
static int wrap_of_day(struct store_reader *r, struct slot *ret, uint8_t ret_key[32])
{
	const char *name = store_purpose_names[r->purpose];
	struct why *why = &r->st->why;
	struct bucket b;
	char text[UID_TEXT];
	int rc;

	uid_format(&r->uid, text);
	rc = slot_read(&r->st->root, r->controller, r->purpose, r->purpose_day, r->purpose_slot, ret, why);
	if (rc)
		return rc;
	if (ret->empty || !uid_equal(&ret->uid, &r->uid))
		return why_set(why, -ESHUTDOWN, "%s: the key for %s was destroyed", text, name);
	rc = bucket_read(&r->st->root, r->controller, r->purpose, r->purpose_day, &b, why);
	if (!rc && b.state != BUCKET_LIVE)
		rc = -ENOENT;
	if (rc == -ENOENT)
		rc = why_set(why, -ESHUTDOWN, "%s: the day's key for %s was destroyed", text, name);
	if (!rc)
		slot_key(ret, b.key, r->purpose_day, ret_key);
	sodium_memzero(&b, sizeof(b));
	return rc;
}

/* A call on hold has a copy of both. */
static int wrap_find(struct store_reader *r, struct slot *ret, uint8_t ret_key[32])
{
	int rc = wrap_of_day(r, ret, ret_key), held;
	struct why why;

	if ((rc != -ESHUTDOWN && rc != -ENOENT) || r->purpose != STORE_DOCUMENTATION)
		return rc;
	held = hold_slot_find(&r->st->root, r->controller, &r->uid, ret, ret_key, &why);
	if (held && held != -ENOENT) {
		r->st->why = why;
		return held;
	}
	return held ? rc : 0;
}

static int unlock(struct store_reader *r, const char *keys_dir)
{
	const char *name = store_purpose_names[r->purpose];
	struct why *why = &r->st->why;
	uint8_t key[32];
	struct slot s;
	char text[UID_TEXT];
	int rc;

	uid_format(&r->uid, text);
	if (r->state == STORE_S_EXPIRED)
		return why_set(why, -ESHUTDOWN, "%s: %s is EXPIRED on this call: its key was destroyed", text, name);
	if (r->state != STORE_S_GRANTED && !(r->words && r->state == STORE_S_OBJECTED))
		return why_set(why, -EACCES, "%s: %s is %s on this call, not GRANTED", text, name,
			       store_state_names[r->state]);
	if (!r->purpose_slot)
		return why_set(why, -ESHUTDOWN, "%s: no key for %s is kept", text, name);
	rc = wrap_find(r, &s, key);
	if (!rc)
		rc = wrap_open(keys_dir, r->controller, r->purpose, r->purpose_day, &r->uid, s.key_id, key, s.wrap,
			       slot_wrap_size(&s), r->key->purpose[r->purpose], why);
	sodium_memzero(key, sizeof(key));
	if (rc)
		return rc;
	rc = open_parts(r);
	if (rc == -ENOMEM)
		return why_set(why, rc, "out of memory");
	return rc ? why_set(why, rc, "%s: the table of its parts does not fit the key for %s (rule C-4)", text, name) : 0;
}

static int reader_memory(struct store_reader *r)
{
	if (keypool_new(&r->pool) || sealer_new(&r->sealer) || codec_new(&r->codec))
		return -ENOMEM;
	r->key = callkey_new(r->pool);
	r->disk = malloc(CHUNK_DISK_MAX);
	r->plain = malloc(CHUNK_DISK_MAX);
	r->chunk.pkt = calloc(CHUNK_MAX_PACKETS, sizeof(*r->chunk.pkt));
	r->chunk.data = malloc(CHUNK_MAX_BYTES);
	return r->key && r->disk && r->plain && r->chunk.pkt && r->chunk.data ? 0 : -ENOMEM;
}

/* row NULL: it is looked for. */
static int open_reader(struct store *st, const struct uid *uid, const struct cursor_row *row,
		       enum store_purpose p, bool words, const char *keys_dir, struct store_reader **ret)
{
	struct store_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return why_set(&st->why, -ENOMEM, "out of memory");
	r->st = st;
	r->uid = *uid;
	r->purpose = p;
	r->words = words;
	r->fd = -1;
	rc = reader_memory(r);
	if (rc)
		why_set(&st->why, rc, "out of memory");
	if (!rc)
		rc = row ? take_row(r, row->row.controller, row) : find_row(r);
	if (!rc)
		rc = unlock(r, keys_dir);
	if (rc) {
		store_read_close(r);
		return rc;
	}
	r->at = r->extents;
	r->left = words ? 0 : r->extents_len;
	*ret = r;
	return 0;
}

int store_read_open(struct store *st, const struct uid *uid, enum store_purpose p,
		    const char *keys_dir, struct store_reader **ret)
{
	return open_reader(st, uid, NULL, p, false, keys_dir, ret);
}

int store_read_words(struct store *st, const struct uid *uid, enum store_purpose p, const char *keys_dir, struct store_reader **ret)
{
	return open_reader(st, uid, NULL, p, true, keys_dir, ret);
}

int store_read_row(struct store *st, const struct store_row *row, enum store_purpose p,
		   const char *keys_dir, struct store_reader **ret)
{
	/* store_find hands out the rows of its cursors */
	return open_reader(st, &row->uid, (const struct cursor_row *)(const void *)row, p, false, keys_dir,
			   ret);
}

static void forget_said(struct store_reader *r)
{
	if (r->said)
		sodium_memzero(r->said, strlen(r->said));
	free(r->said);
	r->said = NULL;
}

void store_read_close(struct store_reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	callkey_free(r->pool, r->key);
	parts_free(&r->parts); /* the keys with the pool */
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
	free(r->grounds);
	forget_said(r);
	if (r->caller)
		sodium_memzero(r->caller, strlen(r->caller));
	if (r->callee)
		sodium_memzero(r->callee, strlen(r->callee));
	free(r->caller);
	free(r->callee);
	if (r->facts)
		sodium_memzero(r->facts, r->facts_len);
	free(r->facts);
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
		r->fd = beneath_openat(r->st->root.fd, name, O_RDONLY | O_CLOEXEC, 0);
		if (r->fd >= 0 || errno != ENOENT)
			break;
	}
	r->fd_segment = number;
	return r->fd < 0 ? -errno : 0;
}

/* The key of a chunk's part, NULL: it is not the purpose's. */
static const struct partkey *key_of(const struct store_reader *r, const struct chunk_head *h)
{
	return r->parts.n ? r->parts.v[h->part].key : r->whole;
}

/*
 * The chunk at e into plain; *ret_len, 0 when it is of a part that the purpose does not have. Returns what is broken,
 * with its rule.
 */
static const char *read_chunk(struct store_reader *r, const struct extent *e, struct chunk_head *h,
			      size_t *ret_len, const char **ret_rule)
{
	const struct partkey *key;
	uint8_t nonce[12];
	const char *bad;

	*ret_len = 0;
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
	*ret_rule = "C-4";
	if (h->part >= (r->parts.n ? r->parts.n : 1) || (r->parts.n && h->epoch < r->parts.v[h->part].epoch))
		return "chunk of a part that the row does not know";
	key = key_of(r, h);
	if (!key) {
		*ret_rule = "C-3";
		return chunk_follows(&r->order, h) ? NULL : "a chunk of this leg is missing before this one";
	}
	*ret_rule = "S-5";
	if (crc32c(0, r->disk + CHUNK_HEAD, h->length - CHUNK_HEAD) != h->body_crc)
		return "checksum of the chunk's content differs";
	chunk_nonce(h, nonce);
	*ret_len = h->length - CHUNK_HEAD - CHUNK_TAG;
	*ret_rule = "S-7";
	if (unseal(r->sealer, key->leg[h->leg], nonce, r->disk, CHUNK_AD, r->disk + CHUNK_HEAD, *ret_len,
		   r->plain))
		return "chunk is not authentic";
	*ret_rule = "C-3";
	return chunk_follows(&r->order, h) ? NULL : "a chunk of this leg is missing before this one";
}

/* As store_read_next; *ret_len 0: a chunk that was gone by. */
static int next(struct store_reader *r, struct chunk_head *h, size_t *ret_len)
{
	char name[STORE_PATH_MAX];
	struct why *why = &r->st->why;
	const char *bad, *rule;
	struct extent e;
	int rc = extent_get(&r->at, &r->left, &r->est, &e);

	if (rc == 0)
		return 0;
	if (rc < 0) {
		r->left = 0; /* nothing after it can be found */
		catalog_path(r->controller, r->day, r->part, name);
		return why_set(why, -EBADMSG, "%s: the call's list of chunks is damaged (rule C-2)", name);
	}
	rc = open_segment(r, e.segment, name);
	if (rc)
		return why_set(why, -EBADMSG, "%s: offset %llu: %s (rule C-3)", name,
			       (unsigned long long)e.off, strerror(-rc));
	bad = read_chunk(r, &e, h, ret_len, &rule);
	if (!bad && *ret_len) {
		rule = "S-8";
		bad = codec_decode(r->codec, h, r->plain, *ret_len, &r->chunk);
	}
	if (bad)
		return why_set(why, -EBADMSG, "%s: offset %llu: %s (rule %s)", name,
			       (unsigned long long)e.off, bad, rule);
	return 1;
}

int store_read_next(struct store_reader *r, unsigned *ret_leg, const struct chunk **ret)
{
	struct chunk_head h = { .leg = 0 };
	size_t n = 0;
	int rc;

	do
		rc = next(r, &h, &n);
	while (rc == 1 && !n);
	*ret_leg = h.leg;
	*ret = &r->chunk;
	return rc;
}

size_t store_read_gaps(const struct store_reader *r, struct store_gap *ret, size_t max)
{
	struct store_gap *g = NULL;
	struct store_gap spare = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < r->parts.n; i++) {
		const struct part *k = &r->parts.v[i];

		if (k->way[r->purpose].how != PART_NONE) {
			if (g)
				g->to_ns = k->from_ns;
			g = NULL;
			continue;
		}
		if (!g) {
			g = n < max ? &ret[n] : &spare;
			*g = (struct store_gap){ .from_ns = k->from_ns };
			n++;
		}
		for (int leg = 0; leg < 2; leg++)
			g->packets[leg] += part_set(k) ? k->leg[leg].packets : 0;
	}
	return n;
}

static int take_party(struct store_reader *r, const uint8_t *plain, size_t n)
{
	struct party p;

	if (party_get(plain, n, &p))
		return why_set(&r->st->why, -EBADMSG, "the call's numbers are damaged (rule C-2)");
	r->caller = strndup((const char *)p.number[0], p.number_len[0]);
	r->callee = strndup((const char *)p.number[1], p.number_len[1]);
	if (p.facts) {
		r->facts = copy(p.facts, p.facts_len);
		r->facts_len = p.facts_len;
	}
	if (!r->caller || !r->callee || (p.facts && !r->facts))
		return why_set(&r->st->why, -ENOMEM, "out of memory");
	return 0;
}

static int unseal_party(struct store_reader *r)
{
	static const uint8_t nonce[12];
	uint8_t *plain;
	size_t n = r->numbers_len - CHUNK_TAG;
	int rc;

	if (!r->numbers_len)
		return why_set(&r->st->why, -ENODATA, "the call's numbers were not kept");
	if (r->caller && r->callee)
		return 0;
	plain = r->numbers_len > CHUNK_TAG ? malloc(n) : NULL;
	if (!plain || unseal(r->sealer, r->numbers_key, nonce, r->uid.b, 16, r->numbers, n, plain)) {
		free(plain);
		return why_set(&r->st->why, -EBADMSG, "the call's numbers are damaged (rule C-2)");
	}
	rc = take_party(r, plain, n);
	sodium_memzero(plain, n);
	free(plain);
	return rc;
}

int store_read_numbers(struct store_reader *r, const char **ret_caller, const char **ret_callee)
{
	int rc = unseal_party(r);

	if (rc)
		return rc;
	*ret_caller = r->caller;
	*ret_callee = r->callee;
	return 0;
}

int store_read_grounds(struct store_reader *r, unsigned which, enum store_purpose *ret_purpose, const char **ret_text)
{
	int rc;

	forget_said(r);
	rc = grounds_unseal(r->sealer, r->numbers_key, &r->uid, r->grounds, r->grounds_len, which, ret_purpose, &r->said);
	if (rc == -ENODATA)
		return why_set(&r->st->why, rc, which ? "no more grounds are kept" : "no grounds of an objection are kept with the call");
	if (rc)
		return why_set(&r->st->why, rc, rc == -ENOMEM ? "out of memory" : "the grounds of an objection are damaged (rule C-2)");
	*ret_text = r->said;
	return 0;
}

int store_read_facts(struct store_reader *r, const void **ret, size_t *ret_len)
{
	int rc = unseal_party(r);

	if (!rc && !r->facts)
		rc = why_set(&r->st->why, -ENODATA, "what the policy was asked was not kept");
	if (rc)
		return rc;
	*ret = r->facts;
	*ret_len = r->facts_len;
	return 0;
}
