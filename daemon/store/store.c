/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.c - opening a store and writing calls to it
 *
 * Invariants: a row is added only when its chunks were accepted and its wraps
 * written; rows are committed only after segments and slots are durable; a
 * call's data key exists in memory from begin to end, nowhere else in clear.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/le.h"
#include "store/catalog.h"
#include "store/codec.h"
#include "store/segment.h"
#include "store/slots.h"
#include "store/store_internal.h"
#include "store/writer.h"

#define PENDING_MAX  1000	/* rows; bounds what the last commit needs on a full disk */
#define RESERVE_SIZE (4u << 20) /* covers PENDING_MAX rows in the WAL, twice */

const char *const store_purpose_names[STORE_PURPOSES] = { "documentation", "training" };
const char *const store_state_names[STORE_S_MAX] = { "NONE",	  "PENDING",   "GRANTED",  "DENIED",
						     "WITHDRAWN", "OPTED_OUT", "OBJECTED", "EXPIRED" };
const char *const store_outcome_names[STORE_O_MAX] = { "kept", "denied", "gap" };

struct store_call {
	struct store *st;
	struct store_call *next, **prev;
	struct store_call_meta meta; /* strings are copies in `strings` */
	char *strings;
	struct callkey *key;
	uint32_t day;
	uint32_t purpose_day[STORE_PURPOSES];
	uint32_t slot[STORE_PURPOSES]; /* 0: no wrap */
	uint8_t hash[2][NUMBER_HASH];
	bool has_hash[2];
	struct buf numbers;
	struct buf extents;
	struct extent_state at;
	uint32_t chunks[2]; /* next number of each leg */
	uint64_t stored;
};

const char *store_why(const struct store *st)
{
	return st->why.text;
}

void store_figures(const struct store *st, struct store_figures *ret)
{
	*ret = st->figures;
	ret->segments = st->writer ? writer_segments(st->writer) : 0;
}

/* ---- opening ---- */

static int take_lock(struct store *st)
{
	char text[32];
	int n;

	st->lock = openat(st->root.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (st->lock < 0)
		return why_set(&st->why, -errno, "%s/lock: %s", st->root.path, strerror(errno));
	if (flock(st->lock, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ?
			       why_set(&st->why, -EBUSY, "%s: another process is recording into this store",
				       st->root.path) :
			       why_set(&st->why, -errno, "%s/lock: %s", st->root.path, strerror(errno));
	/* For people who wonder who it is; nothing reads it, so failing does not matter. */
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (!ftruncate(st->lock, 0))
		(void)!pwrite(st->lock, text, (size_t)n, 0);
	return 0;
}

static uint64_t free_space(const struct store *st)
{
	struct statvfs v;

	return fstatvfs(st->root.fd, &v) ? UINT64_MAX : (uint64_t)v.f_bavail * v.f_frsize;
}

/* Space for the last commit, kept back while there is plenty. */
static void reserve_take(struct store *st)
{
	uint64_t size = free_space(st) / 8;
	int fd = openat(st->root.fd, "reserve", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (size > RESERVE_SIZE)
		size = RESERVE_SIZE;
	size &= ~4095ULL;
	st->reserve = size && !fallocate(fd, 0, 0, (off_t)size);
	close(fd);
	if (!st->reserve)
		(void)unlinkat(st->root.fd, "reserve", 0); /* goes without */
}

/*
 * Given up when the disk is full, or so nearly that the next commit might not
 * fit (SQLite rolls rows back that it has no space to commit); then nothing
 * more is recorded until the store is opened again, or it would be eaten up.
 */
static void reserve_release(struct store *st)
{
	uint64_t need = 65536 + 2048 * (uint64_t)catalog_pending(st->catalog);

	if (!st->reserve || (!st->err && free_space(st) >= need))
		return;
	if (!st->err)
		st->err = -ENOSPC;
	(void)unlinkat(st->root.fd, "reserve", 0); /* still there: then there is no more space, as before */
	st->reserve = false;
}

static int open_writer(struct store *st)
{
	int rc = take_lock(st);

	if (!rc)
		rc = writer_recover(&st->root, &st->why);
	if (!rc)
		rc = writer_new(&st->root, &st->writer, &st->why);
	if (rc)
		return rc;
	reserve_take(st);
	st->plain = malloc(CODEC_BODY_MAX);
	st->chunk = malloc(CHUNK_DISK_MAX);
	if (!st->plain || !st->chunk || slots_new(&st->root, &st->slots) ||
	    catalog_new(&st->root, &st->catalog) || codec_new(&st->codec) || sealer_new(&st->sealer) ||
	    keypool_new(&st->pool))
		return why_set(&st->why, -ENOMEM, "%s: out of memory", st->root.path);
	return 0;
}

int store_open(const char *dir, enum store_mode mode, struct store **ret, char *why, size_t n)
{
	struct store *st = calloc(1, sizeof(*st));
	size_t len;
	int rc;

	if (!st) {
		if (why && n)
			snprintf(why, n, "out of memory");
		return -ENOMEM;
	}
	st->lock = -1;
	st->mode = mode;
	st->root.fd = -1;
	rc = keys_init();
	if (rc)
		rc = why_set(&st->why, rc, "libsodium does not start");
	else
		rc = root_open(dir, &st->root, &st->why);
	if (!rc) {
		rc = read_small(st->root.fd, "number.key", st->number_key, 32, &len);
		if (rc || len != 32)
			rc = why_set(&st->why, rc ? rc : -EBADMSG, "%s/number.key: %s", dir,
				     rc ? strerror(-rc) : "damaged (rule T-3)");
	}
	if (!rc && mode == STORE_RW)
		rc = open_writer(st);
	if (rc) {
		if (why && n)
			snprintf(why, n, "%s", st->why.text);
		store_close(st);
		return rc;
	}
	*ret = st;
	return 0;
}

void store_close(struct store *st)
{
	if (!st)
		return;
	while (st->calls)
		store_call_abort(st->calls); /* NOLINT(clang-analyzer-unix.Malloc): it takes itself off the list */
	catalog_free(st->catalog);
	slots_free(st->slots);
	writer_free(st->writer);
	codec_free(st->codec);
	sealer_free(st->sealer);
	keypool_free(st->pool);
	if (st->plain)
		sodium_memzero(st->plain, CODEC_BODY_MAX);
	free(st->plain);
	free(st->chunk);
	sodium_memzero(st->number_key, sizeof(st->number_key));
	if (st->lock >= 0)
		close(st->lock);
	root_close(&st->root);
	free(st);
}

/* ---- a call ---- */

static int check_writable(struct store *st)
{
	if (st->mode != STORE_RW)
		return why_set(&st->why, -EROFS, "%s: opened for reading", st->root.path);
	if (st->err)
		return why_set(&st->why, st->err, "%s: broken for writing since an earlier error: %s",
			       st->root.path, strerror(-st->err));
	return 0;
}

/* The latest destroy-by day of the purposes that have a deadline. */
static int call_day(struct store *st, const struct store_call_meta *m, uint32_t *ret_day)
{
	uint32_t day, max = 0;

	if (name_check(m->controller))
		return why_set(&st->why, -EINVAL, "controller name is not a file name of a-z 0-9 . _ -");
	for (int p = 0; p < STORE_PURPOSES; p++) {
		if (!m->until_ns[p]) {
			if (m->commit[p])
				return why_set(&st->why, -EINVAL, "%s has no deadline", store_purpose_names[p]);
			continue;
		}
		if (m->until_ns[p] > INT64_MAX || day_of(m->until_ns[p], m->zone, &day))
			return why_set(&st->why, -EINVAL, "time zone or deadline cannot be used");
		if (day > max)
			max = day;
	}
	if (!max)
		return why_set(&st->why, -EINVAL, "call without a deadline");
	*ret_day = max;
	return 0;
}

static const char *copy_string(char **at, const char *s)
{
	char *to = *at;

	if (!s)
		s = "";
	*at = stpcpy(to, s) + 1;
	return to;
}

/* meta outlives the caller's strings; numbers are not copied, only hashed and sealed. */
static int copy_meta(struct store_call *sc, const struct store_call_meta *m)
{
	const char *src[] = { m->controller, m->zone, m->rule, m->policy_hash, m->scenario,
			      m->sip_call_id, m->agent };
	size_t n = 0;
	char *at;

	for (size_t i = 0; i < sizeof(src) / sizeof(*src); i++)
		n += (src[i] ? strlen(src[i]) : 0) + 1;
	sc->strings = at = malloc(n);
	if (!at)
		return -ENOMEM;
	sc->meta = *m;
	sc->meta.controller = copy_string(&at, m->controller);
	sc->meta.zone = copy_string(&at, m->zone);
	sc->meta.rule = copy_string(&at, m->rule);
	sc->meta.policy_hash = copy_string(&at, m->policy_hash);
	sc->meta.scenario = copy_string(&at, m->scenario);
	sc->meta.sip_call_id = copy_string(&at, m->sip_call_id);
	sc->meta.agent = copy_string(&at, m->agent);
	sc->meta.caller = sc->meta.callee = NULL;
	return 0;
}

static void hash_numbers(struct store *st, const struct store_call_meta *m, uint8_t hash[2][NUMBER_HASH],
			 bool has[2])
{
	const char *number[2] = { m->caller, m->callee };

	for (int i = 0; i < 2; i++) {
		has[i] = number[i] && *number[i];
		if (has[i])
			number_hash(st->number_key, number[i], hash[i]);
	}
}

static int seal_numbers(struct store_call *sc, const struct store_call_meta *m)
{
	const char *number[2] = { m->caller ? m->caller : "", m->callee ? m->callee : "" };
	static const uint8_t nonce[12];
	struct buf plain = { 0 };
	uint8_t *out;
	int rc = -ENOMEM;

	for (int i = 0; i < 2; i++) {
		buf_put_varint(&plain, strlen(number[i]));
		buf_put(&plain, number[i], strlen(number[i]));
	}
	out = buf_room(&sc->numbers, plain.len + CHUNK_TAG);
	if (!plain.failed && out)
		rc = seal(sc->st->sealer, sc->key->numbers, nonce, sc->meta.uid.b, 16, plain.p, plain.len, out);
	if (!rc)
		sc->numbers.len = plain.len + CHUNK_TAG;
	if (plain.p)
		sodium_memzero(plain.p, plain.len);
	buf_free(&plain);
	return rc;
}

static void call_free(struct store_call *sc)
{
	*sc->prev = sc->next;
	if (sc->next)
		sc->next->prev = sc->prev;
	callkey_free(sc->st->pool, sc->key);
	buf_free(&sc->numbers);
	buf_free(&sc->extents);
	free(sc->strings);
	free(sc);
}

static int put_wrap(struct store_call *sc, enum store_purpose p)
{
	struct store *st = sc->st;

	return slots_put(st->slots, sc->meta.controller, p, sc->meta.zone, &sc->meta.uid,
			 sc->meta.until_ns[p], sc->key->data, &sc->purpose_day[p], &sc->slot[p], &st->why);
}

static int drop_wrap(struct store_call *sc, enum store_purpose p, bool durable)
{
	struct store *st = sc->st;
	int rc;

	if (!sc->slot[p])
		return 0;
	rc = slots_erase(st->slots, sc->meta.controller, p, sc->purpose_day[p], sc->slot[p], durable,
			 &st->why);
	if (!rc)
		sc->slot[p] = 0;
	return rc;
}

static int prepare_catalog(struct store *st, const char *controller, uint32_t day)
{
	int rc = catalog_prepare(st->catalog, controller, day, &st->why);

	if (rc == -EAGAIN) { /* every database has an open transaction */
		rc = store_sync(st);
		if (!rc)
			rc = catalog_prepare(st->catalog, controller, day, &st->why);
	}
	return rc;
}

int store_call_begin(struct store *st, const struct store_call_meta *meta, struct store_call **ret)
{
	struct store_call *sc;
	uint32_t day = 0;
	int rc = check_writable(st);

	if (!rc)
		rc = call_day(st, meta, &day);
	if (rc)
		return rc;
	sc = calloc(1, sizeof(*sc));
	if (!sc)
		return why_set(&st->why, -ENOMEM, "out of memory");
	sc->st = st;
	sc->day = day;
	sc->prev = &st->calls;
	sc->next = st->calls;
	if (sc->next)
		sc->next->prev = &sc->next;
	st->calls = sc;
	sc->key = callkey_random(st->pool);
	rc = sc->key ? copy_meta(sc, meta) : -ENOMEM;
	if (!rc)
		rc = seal_numbers(sc, meta);
	if (rc) {
		why_set(&st->why, rc, "cannot begin a call: %s", strerror(-rc));
		goto fail;
	}
	hash_numbers(st, meta, sc->hash, sc->has_hash);
	/* Its database is made now, so that a full disk shows before audio is taken and not at the end. */
	rc = prepare_catalog(st, sc->meta.controller, day);
	for (int p = 0; !rc && p < STORE_PURPOSES; p++)
		if (meta->commit[p])
			rc = put_wrap(sc, (enum store_purpose)p);
	if (rc) {
		if (rc == -ENOSPC || rc == -EIO || rc == -EDQUOT)
			st->err = rc;
		goto fail;
	}
	st->figures.calls++;
	*ret = sc;
	return 0;
fail:
	store_call_abort(sc);
	return rc;
}

int store_call_append(struct store_call *sc, unsigned leg, const struct chunk *c)
{
	struct chunk_head h = { .uid = sc->meta.uid, .leg = (uint8_t)leg };
	struct store *st = sc->st;
	uint8_t nonce[12] = { 0 };
	struct extent e;
	size_t n;
	int rc = check_writable(st);

	if (rc)
		return rc;
	rc = leg > 1 ? -EINVAL : codec_encode(st->codec, c, st->plain, &n, &h);
	if (rc)
		return why_set(&st->why, rc, "chunk cannot be coded: %s", strerror(-rc));
	/* Used up even if this chunk comes to nothing: a number is a nonce (FORMAT.md). */
	h.number = sc->chunks[leg]++;
	h.length = (uint32_t)(CHUNK_HEAD + n + CHUNK_TAG);
	chunk_head_format(&h, st->chunk);
	le32enc(nonce, leg);
	le64enc(nonce + 4, h.number);
	rc = seal(st->sealer, sc->key->leg[leg], nonce, st->chunk, CHUNK_AD, st->plain, n,
		  st->chunk + CHUNK_HEAD);
	if (rc)
		return why_set(&st->why, rc, "libcrypto cannot encrypt");
	chunk_head_seal(st->chunk, h.length);
	rc = writer_append(st->writer, sc->meta.controller, sc->day, st->chunk, h.length, &e, &st->why);
	if (rc) {
		st->err = rc;
		return rc;
	}
	extent_put(&sc->extents, &sc->at, &e);
	if (sc->extents.failed)
		return why_set(&st->why, -ENOMEM, "out of memory");
	st->figures.chunks++;
	st->figures.payload_bytes += h.payload;
	st->figures.stored_bytes += segment_round(h.length);
	return 0;
}

int store_call_commit(struct store_call *sc, enum store_purpose p)
{
	if (!sc->meta.until_ns[p])
		return why_set(&sc->st->why, -EINVAL, "%s has no deadline", store_purpose_names[p]);
	return sc->slot[p] ? 0 : put_wrap(sc, p);
}

int store_call_drop(struct store_call *sc, enum store_purpose p)
{
	return drop_wrap(sc, p, true);
}

void store_call_abort(struct store_call *sc)
{
	/* The wrap that cannot be erased dies with its bucket; a disk like that takes no more calls. */
	for (int p = 0; p < STORE_PURPOSES; p++) {
		int rc = drop_wrap(sc, (enum store_purpose)p, false);

		if (rc && !sc->st->err)
			sc->st->err = rc;
	}
	call_free(sc);
}

static int add_row(struct store *st, const struct catalog_row *row)
{
	int rc;

	reserve_release(st);
	if (catalog_pending(st->catalog) >= PENDING_MAX) {
		rc = store_sync(st);
		if (rc)
			return rc;
	}
	rc = catalog_add(st->catalog, row, &st->why);
	if (rc == -EAGAIN) { /* every database has an open transaction */
		rc = store_sync(st);
		if (!rc)
			rc = catalog_add(st->catalog, row, &st->why);
	}
	if (rc && rc != -EEXIST && rc != -EINVAL)
		st->err = rc;
	return rc;
}

static bool holds(const struct store_call_result *r, int p)
{
	return r->state[p] == STORE_S_GRANTED || r->state[p] == STORE_S_OBJECTED;
}

int store_call_end(struct store_call *sc, const struct store_call_result *r)
{
	struct store *st = sc->st;
	struct catalog_row row = { .meta = &sc->meta, .result = r, .day = sc->day,
				   .extents = sc->extents.p, .extents_len = sc->extents.len };
	int rc = 0;

	for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
		if (!holds(r, p))
			rc = drop_wrap(sc, (enum store_purpose)p, true);
		else if (!sc->slot[p])
			rc = why_set(&st->why, -EINVAL, "%s is granted but was never committed",
				     store_purpose_names[p]);
		row.purpose_day[p] = sc->slot[p] ? sc->purpose_day[p] : 0;
		row.purpose_slot[p] = sc->slot[p];
		row.kept = row.kept || sc->slot[p];
		row.hash[p] = sc->has_hash[p] ? sc->hash[p] : NULL; /* two parties, two purposes */
	}
	if (row.kept) {
		row.numbers = sc->numbers.p;
		row.numbers_len = sc->numbers.len;
	}
	if (!rc)
		rc = add_row(st, &row);
	if (rc)
		store_call_abort(sc);
	else
		call_free(sc);
	return rc;
}

int store_call_denied(struct store *st, const struct store_call_meta *meta,
		      const struct store_call_result *r)
{
	struct catalog_row row = { .meta = meta, .result = r };
	uint8_t hash[2][NUMBER_HASH];
	bool has[2];
	int rc = check_writable(st);

	if (!rc)
		rc = call_day(st, meta, &row.day);
	for (int p = 0; !rc && p < STORE_PURPOSES; p++)
		if (holds(r, p))
			rc = why_set(&st->why, -EINVAL, "a denied call cannot have %s granted",
				     store_purpose_names[p]);
	if (rc)
		return rc;
	hash_numbers(st, meta, hash, has);
	for (int i = 0; i < 2; i++)
		row.hash[i] = has[i] ? hash[i] : NULL;
	return add_row(st, &row);
}

int store_call_known(struct store *st, const struct uid *uid, const char *controller)
{
	if (st->mode != STORE_RW)
		return why_set(&st->why, -EROFS, "%s: opened for reading", st->root.path);
	if (name_check(controller))
		return why_set(&st->why, -EINVAL, "controller name is not a file name of a-z 0-9 . _ -");
	for (int try = 0;; try++) {
		int rc = catalog_known(st->catalog, controller, uid, &st->why);

		if (rc != -EAGAIN || try)
			return rc;
		rc = store_sync(st);
		if (rc)
			return rc;
	}
}

int store_sync(struct store *st)
{
	int rc;

	if (st->mode != STORE_RW)
		return why_set(&st->why, -EROFS, "%s: opened for reading", st->root.path);
	reserve_release(st);
	rc = writer_sync(st->writer, &st->why);
	if (!rc)
		rc = slots_sync(st->slots, &st->why);
	if (!rc)
		rc = catalog_sync(st->catalog, &st->why);
	if (rc)
		st->err = rc;
	return rc;
}
