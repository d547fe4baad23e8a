/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_internal.h - what the files of store/ share
 *
 * `struct why` carries one line of explanation up to store_why(): which file
 * and what about it. `struct root` is the store's directory; all names below
 * it are relative, opened with base/beneath.h. Nothing here ever prints.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/beneath.h"
#include "base/clock.h"
#include "store/store.h"

#define STORE_PATH_MAX 256 /* relative: "segments/" + controller + day + number fit */

/* CLOCK_MONOTONIC, as the queues' conditions; for how long, never for when. */
static inline uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

struct why {
	char text[512];
};

/* Stores the text and returns err, so that a caller writes `return why_set(...)`. */
int why_set(struct why *w, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "NAME: what: strerror(err)" for a failed system call on a file of the store. */
int why_errno(struct why *w, int err, const char *name, const char *what);

struct root {
	int fd;
	char *path; /* absolute, for SQLite and messages */
	uint8_t id[16];
	unsigned format;
	bool shared; /* its group may write to it: what is made in it is the group's, too */
};

/* Of files of the store that the reaper must reach, which is another user in the group. */
#define FILE_MODE(r) ((r)->shared ? 0660 : 0600)

#define STORE_FORMAT 3 /* what is written; 1 and 2 are read, and become 3 with the first writer */

bool state_holds(enum store_state s); /* audio may be kept for the purpose */

/* A destroy-by day as YYYYMMDD. DAY_HOLD: rows and audio of calls that outlive their day (text: "hold"). */
#define DAY_HOLD 99999999u
uint32_t day_number(const struct clock_date *d);
void day_date(uint32_t day, struct clock_date *ret);
void day_text(uint32_t day, char out[16]);
/* "YYYY-MM-DD" or "hold", n bytes of it. -EINVAL neither. */
int day_parse(const char *s, size_t n, uint32_t *ret_day);
/* Civil day of an instant in a zone. -EINVAL unknown zone. */
int day_of(uint64_t ns, const char *zone, uint32_t *ret_day);

int name_check(const char *s); /* controller names: 0 or -EINVAL */
void hex_format(const uint8_t *p, size_t n, char *out); /* 2n + 1 bytes */
int hex_parse(const char *s, size_t n, uint8_t *out); /* exactly 2n digits */

uint32_t crc32c(uint32_t crc, const void *p, size_t n); /* start with 0 */

/* flock(2), how LOCK_SH or LOCK_EX; -EWOULDBLOCK: somebody else still has it after so long (0: now). */
int lock_within(int fd, int how, unsigned ms);

/* Whole reads and writes: a short result is retried, the end of the file is -ENODATA. */
int pread_all(int fd, void *p, size_t n, off_t off);
/* The first n bytes; blocks that cannot be read, or are not there, become zeros. Returns how many bytes that is. */
size_t pread_pieces(int fd, uint8_t *p, size_t n);
int pwrite_all(int fd, const void *p, size_t n, off_t off);
/* mkdir -p below the root, 0700 each, or 0770 where FILE_MODE is 0660; parents synced. */
int make_dirs(const struct root *r, const char *rel, struct why *why);
/* An empty file of FILE_MODE, unless it is there. */
int make_empty(const struct root *r, const char *rel, struct why *why);
/* Directory of a file name synced, so that a name made or changed is durable. */
int sync_dir_of(const struct root *r, const char *rel, struct why *why);
/* A small file, whole, into buf; *ret_len of at most n. -EFBIG. */
int read_small(int dirfd, const char *rel, void *buf, size_t n, size_t *ret_len);
/*
 * What is wrong with a file that write_new (beside) or write_over makes (NAME.tmp, NAME.open): it lies beside NAME, or nobody finished it for
 * minutes. NULL: nothing, or it is gone.
 */
const char *left_behind(const struct root *r, const char *path, bool beside);
/* name.tmp, fsync, rename, directory synced. -EEXIST when it is there. */
int write_new(const struct root *r, const char *rel, const void *p, size_t n, mode_t mode, struct why *why);

/* The same, over what is there. */
int write_over(const struct root *r, const char *rel, const void *p, size_t n, mode_t mode, struct why *why);

/* Names in a directory of the store, sorted; directories or files as asked for. */
struct names {
	char **v;
	size_t n;
};
int names_read(const struct root *r, const char *rel, struct names *ret); /* ENOENT: empty */
void names_free(struct names *n);

/* optag.store: checks the format and takes the id. */
int root_open(const char *dir, struct root *ret, struct why *why);
/* Durably of today's format, before anything is written by it. The lock is held. */
int root_upgrade(struct root *r, struct why *why);
void root_close(struct root *r);

/* ---- an open store ---- */

struct writer;
struct writer_ring;
struct slots;
struct pipe;
struct drop;
struct catalog;
struct sealing;
struct keypool;
struct opens;
struct left;

struct codec;
struct sealer;

/* What one thread needs to make a chunk into bytes for the disk. */
struct coder {
	struct codec *codec;
	struct sealer *sealer;
	uint8_t *plain, *chunk; /* one chunk on its way */
};
int coder_new(struct coder *ret); /* -ENOMEM; free it all the same */
void coder_free(struct coder *c);

/* How many slots of a file have a row or a record (open.db). */
#define MARKS 64
struct mark {
	char controller[STORE_NAME_MAX];
	unsigned purpose;
	uint32_t day, next;
	bool dirty;
};

struct store {
	struct root root;
	enum store_mode mode;
	struct why why;
	uint8_t number_key[32];
	bool numbers; /* there is one; always for who writes */
	int damage;   /* store_damage */
	struct why damage_why;
	/* STORE_RW only */
	int lock;
	_Atomic int err; /* a write failed: broken for writing */
	bool reserve;
	struct writer_ring *ring; /* of the writer, and of the next one after a repair */
	struct writer *writer;
	struct slots *slots;
	struct catalog *catalog;
	struct sealing *sealing;
	struct coder coder; /* of the caller's thread */
	struct keypool *pool;
	struct opens *opens;
	_Atomic uint32_t epoch;	  /* how often the store was opened for writing, or repaired */
	struct store_call *calls; /* begun and not ended */
	struct left *left;	  /* begun by a writer that died, and not resumed */
	struct store_call *ended; /* with threads: over, and no sync covered their row yet */
	bool settled;		  /* store_settle was done: marks may be set */
	bool settling;		  /* it was asked for */
	_Atomic bool settle_done; /* and is durable */
	struct mark mark[MARKS];
	size_t nmarks;
	struct pipe *pipe;	  /* store_threads; NULL: everything in the caller's thread */
	pthread_mutex_t wraps;	  /* guards slot, purpose_day and gone of calls, drops and dropped */
	struct drop *drops;	  /* slots that were overwritten, and no sync covered that yet (drops.c) */
	uint64_t dropped;	  /* the number of the latest */
	pthread_mutex_t drops_lock; /* of who makes them durable; before `wraps` */
	uint64_t slots_failed;	  /* as slots_failed of the slots was at the sync before */
	struct store_figures figures; /* by figure_add */
};

/* Adds to a figure, from any thread. */
static inline void figure_add(uint64_t *f, uint64_t n)
{
	__atomic_fetch_add(f, n, __ATOMIC_RELAXED);
}

#define PENDING_MAX 1000 /* rows; bounds what the last commit needs on a full disk */

extern _Thread_local struct why *why_here;
struct why *why_of(struct store *st); /* of this thread */
int check_writable(struct store *st);
int sync_here(struct store *st); /* by the thread that has the disk */
int list_partition(void *store, const char *controller, uint32_t day, unsigned part); /* for catalog_told */
uint64_t free_space(const struct store *st);
void reserve_take(struct store *st);
int epoch_next(const struct root *r, _Atomic uint32_t *ret, struct why *why);
void reserve_release(struct store *st); /* when the last commit needs the space */

#endif
