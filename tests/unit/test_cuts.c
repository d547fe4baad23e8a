/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cuts.c - every file of a store cut at every byte, with a wrong byte, and missing
 *
 * After each: fsck ends, with damage or without, and names the file when what it had is live; calls that had nothing in the
 * damaged bytes are found and heard as before; evidence is found damaged when it is, and only then; a recorder and a
 * reaper that come next give back no key that was destroyed, and the reaper destroys what is due and nothing else.
 *
 * A sample. OPTAG_FULL=1 (make cuts): every byte, in an order in which any part of it is a sample of all; CUTS_SECONDS ends
 * it before, CUTS_FILE=TEXT takes files with that in their names. Three things are left out, and told apart in the sum:
 * - of zeros within a page of a database one cut in 61: SQLite reads zeros where a page is cut;
 * - of `reserve`, which nobody reads, all but 64;
 * - recorder and reaper after seven of eight cases in segments, databases and evidence (CUTS_DEEP=1: after all).
 * Wrong bytes: a bit of each byte in files of up to 1 KiB, of every 7th in others.
 * Processes work on copies of their own; one that dies fails its case.
 */
#include "cuts_util.h"

#include <malloc.h>
#include <sys/mman.h>
#include <time.h>

#include "pool.h"

#define WORKERS 2

enum what { CUT, FLIP, MISSING };
static const char *const what_names[] = { "cut at", "wrong byte at", "missing" };

struct victim {
	char file[300]; /* in the store */
	uint8_t *p;
	size_t n;
	mode_t mode;
};
/* A file of a worker's copy as that wrote it: what differs was written to since. */
struct written {
	ino_t ino;
	struct timespec at;
	off_t size;
	mode_t mode;
};
struct trial {
	unsigned victim;
	enum what what;
	size_t at;
	bool deep; /* a recorder and a reaper come next */
};

static struct victim victims[128];
static struct written written[128];
static unsigned nvictims;
static struct trial *trials;
static size_t ntrials, left_out;
static struct views before, after; /* of the sound store; when the reaper went over it */
static struct evlog_report proof;
static uint8_t due_key[32]; /* of the bucket that is due */
static char due_bucket[300], due_slots[300];

/* What the workers share with who waits for them. */
static struct shared {
	size_t now[WORKERS];
	bool ends; /* its time is over */
	unsigned long done[3], failures, unread, quiet, deep, faults, refused_writers;
} *shared;

/* ---- files ---- */

static int take_file(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	struct victim *v = &victims[nvictims];
	FILE *f;

	(void)ftw;
	if (type != FTW_F)
		return 0;
	assert_true(nvictims < 128);
	snprintf(v->file, sizeof(v->file), "%s", path + strlen(gold_dir) + 1);
	v->n = (size_t)sb->st_size;
	v->mode = sb->st_mode;
	v->p = malloc(v->n + 1);
	f = fopen(path, "rb");
	assert_true(f && v->p && fread(v->p, 1, v->n, f) == v->n);
	fclose(f);
	nvictims++;
	return 0;
}

static int make_dir(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	char to[700];

	(void)ftw;
	if (type == FTW_D) {
		snprintf(to, sizeof(to), "%s%s", store_dir, path + strlen(gold_dir));
		if (mkdir(to, sb->st_mode & 07777) && errno != EEXIST)
			abort();
	}
	return 0;
}

static int victim_of(const char *file)
{
	for (unsigned i = 0; i < nvictims; i++)
		if (!strcmp(victims[i].file, file))
			return (int)i;
	return -1;
}

/* What is not of the store as it was made. */
static int remove_strange(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	char from[700];
	struct stat gold;

	(void)sb, (void)ftw;
	if (type == FTW_DP) {
		snprintf(from, sizeof(from), "%s%s", gold_dir, path + strlen(store_dir));
		return stat(from, &gold) ? remove(path) : 0;
	}
	return victim_of(path + strlen(store_dir) + 1) < 0 ? remove(path) : 0;
}

static void victim_path(unsigned i, char path[700])
{
	snprintf(path, 700, "%s/%s", store_dir, victims[i].file);
}

static void victim_write(unsigned i, const uint8_t *p, size_t n)
{
	/* a time that nobody else leaves: what is written to later has another one, however coarse the clock */
	struct timespec mark[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = 123456789 } };
	char path[700];
	struct stat sb;
	int fd;

	victim_path(i, path);
	(void)unlink(path); /* it may be none to write to */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	mark[1].tv_sec = time(NULL);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n || fchmod(fd, victims[i].mode & 07777) || futimens(fd, mark) || fstat(fd, &sb))
		abort();
	close(fd);
	written[i] = (struct written){ sb.st_ino, sb.st_mtim, sb.st_size, sb.st_mode };
}

/* Nobody wrote to it. Of what has no content (reserve) only the size counts. */
static bool victim_whole(unsigned i)
{
	const struct written *w = &written[i];
	char path[700];
	struct stat sb;

	victim_path(i, path);
	if (lstat(path, &sb) || (size_t)sb.st_size != victims[i].n || sb.st_mode != victims[i].mode)
		return false;
	return !strcmp(victims[i].file, "reserve") || (sb.st_ino == w->ino && sb.st_mtim.tv_sec == w->at.tv_sec && sb.st_mtim.tv_nsec == w->at.tv_nsec);
}

static uint8_t bit_at(size_t at)
{
	return (uint8_t)(1u << (at * 2654435761u >> 13 & 7));
}

static bool wrote_to = true; /* a recorder or a reaper was at it */

/* The store as it was made, but for the damage. NULL: none. Files that are as they were made stay. */
static void fresh_copy(const struct trial *t)
{
	static int damaged = -1;
	static unsigned n;

	if (wrote_to || n++ % 16 == 0) {
		if (!access(store_dir, F_OK) && nftw(store_dir, remove_strange, 16, FTW_DEPTH | FTW_PHYS))
			abort();
		if (nftw(gold_dir, make_dir, 16, FTW_PHYS))
			abort();
	}
	wrote_to = false;
	for (unsigned i = 0; i < nvictims; i++) {
		struct victim *v = &victims[i];
		char path[700];

		if (!t || t->victim != i) {
			if ((int)i == damaged || !victim_whole(i))
				victim_write(i, v->p, v->n);
		} else if (t->what == CUT) {
			victim_write(i, v->p, t->at);
		} else if (t->what == FLIP) {
			v->p[t->at] ^= bit_at(t->at);
			victim_write(i, v->p, v->n);
			v->p[t->at] ^= bit_at(t->at);
		} else {
			victim_path(i, path);
			(void)unlink(path);
		}
	}
	damaged = t ? (int)t->victim : -1;
}

/* ---- what may be lost ---- */

struct harm {
	unsigned calls[STORE_PURPOSES], row_calls;
	bool live, everything;
};

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static void harm_of(const struct trial *t, struct harm *h)
{
	const char *file = victims[t->victim].file;
	uint64_t from = t->what == MISSING ? 0 : t->at, to = t->what == FLIP ? t->at + 1 : UINT64_MAX;

	*h = (struct harm){ .everything = !strcmp(file, "optag.store") };
	for (unsigned i = 0; i < nareas; i++) {
		const struct area *a = &areas[i];

		if (strcmp(a->file, file) || a->to <= from || a->from >= to)
			continue;
		h->calls[0] |= a->calls[0];
		h->calls[1] |= a->calls[1];
		h->live |= a->live;
		if (a->rows)
			h->row_calls |= a->calls[0] | a->calls[1];
	}
	if (starts(file, "keys/") && t->what == MISSING) /* then they are shown as expired */
		h->row_calls |= h->calls[0] | h->calls[1];
	if (strstr(file, "later.db")) /* why and when is not known; that their keys were destroyed is, and nothing else is lost */
		h->row_calls = 1u << ERASED | 1u << MOVED | 1u << HELD | 1u << ASKED;
	if (strstr(file, "catalog/") && t->what != FLIP)
		h->live = true;
}

/* ---- a trial ---- */

static void complain(const struct trial *t, const char *fmt, ...)
{
	char text[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (__atomic_fetch_add(&shared->failures, 1, __ATOMIC_RELAXED) < 2000)
		fprintf(stderr, "%s (%zu bytes) %s %zu: %s\n", victims[t->victim].file, victims[t->victim].n, what_names[t->what], t->at, text);
}

static void count(unsigned long *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static bool same(const struct view *a, const struct view *b, int p)
{
	return a->rc[p] == b->rc[p] && a->chunks[p] == b->chunks[p] && a->bad[p] == b->bad[p] && !memcmp(a->heard[p], b->heard[p], 16);
}

/* No dead key, and all others as they are in a sound store. */
static void judge(const struct trial *t, const struct harm *h, const char *when, const struct views *is, const struct views *was)
{
	if (is->rc && is->rc != -EBADMSG)
		complain(t, "%s: find: %d", when, is->rc);
	for (int i = 0; i < CALLS; i++) {
		const struct view *a = &is->v[i], *b = &was->v[i];

		for (int p = 0; p < STORE_PURPOSES; p++) {
			if (b->rc[p] && !a->rc[p])
				complain(t, "%s: %s comes back for %s", when, kind[i].name, store_purpose_names[p]);
			else if (!(h->calls[p] & 1u << i) && !h->everything && i != BUSY && !b->rc[p] && !same(a, b, p))
				complain(t, "%s: %s is lost for %s: %d, %u chunks, %u damaged", when, kind[i].name, store_purpose_names[p], a->rc[p],
					 a->chunks[p], a->bad[p]);
			else if (!a->rc[p] && !a->bad[p] && a->chunks[p] == b->chunks[p] && memcmp(a->heard[p], b->heard[p], 16))
				complain(t, "%s: %s sounds different for %s", when, kind[i].name, store_purpose_names[p]);
			else if (!b->rc[p] && a->rc[p])
				count(&shared->unread);
		}
		/* whether a key that cannot be read was destroyed is not known */
		if (starts(victims[t->victim].file, "keys/") && a->row)
			continue;
		if (!(h->row_calls & 1u << i) && !h->everything && i != BUSY && (a->row != b->row || (a->row && memcmp(a->row_hash, b->row_hash, 16))))
			complain(t, "%s: the row of %s is %s", when, kind[i].name, a->row ? "another" : "not found");
	}
}

static bool look(const struct trial *t, const struct harm *h, const char *when, struct views *is)
{
	int rc = look_at(is, (unsigned)t->at);

	if (rc && !h->everything)
		complain(t, "%s: the store does not open: %d", when, rc);
	return !rc;
}

static void compare(const struct trial *t, const struct harm *h, const char *when, const struct views *was)
{
	struct views is;

	if (look(t, h, when, &is))
		judge(t, h, when, &is, was);
}

struct named {
	const char *file;
	bool hit, any;
	char first[200];
};

static void on_named(void *arg, const char *file, uint64_t off, const char *rule, const char *text)
{
	struct named *n = arg;

	(void)off;
	if (!n->any)
		snprintf(n->first, sizeof(n->first), "%.80s %s %.80s", file, rule, text);
	n->any = true;
	n->hit |= !strcmp(file, n->file) || (!strcmp(n->file, "holds") && !strcmp(rule, "H-4")) || (starts(n->file, file) && n->file[strlen(file)] == '-');
}

static void check_fsck(const struct trial *t, const struct harm *h)
{
	struct named n = { .file = victims[t->victim].file };
	struct store_fsck_report rep;
	char why[512] = "";
	int rc = store_fsck(store_dir, on_named, &n, &rep, why, sizeof(why));

	if (rc < 0 && !(h->everything && t->what == MISSING && rc == -ENOENT)) /* no store there */
		complain(t, "fsck: %d %s", rc, why);
	else if (h->live && !n.hit)
		complain(t, "fsck does not name it: %s", n.any ? n.first : "clean");
	else if (!n.any)
		count(&shared->quiet);
}

static void nothing(void *arg, const char *file, uint64_t line, const char *rule, const char *text)
{
	(void)arg, (void)file, (void)line, (void)rule, (void)text;
}

static void check_evidence(const struct trial *t)
{
	const char *file = victims[t->victim].file;
	/* one slot of the head is enough */
	bool ours = starts(file, "evidence/") && !strstr(file, "root.key") && !strstr(file, "lock") && (!strstr(file, "head") || t->what != FLIP);
	struct evlog_look how = { .finding = nothing };
	struct evlog_report r = { 0 };
	char why[512] = "";
	int rc = evlog_look(store_dir, &how, &r, why, sizeof(why));
	bool sound = !rc && !r.damaged && !r.torn_bytes && r.lines == proof.lines && r.last_seq == proof.last_seq;

	if (rc && rc != -ENOENT && rc != -EBADMSG && !(victims[t->victim].n && !strcmp(file, "optag.store")))
		complain(t, "verify: %d %s", rc, why);
	if (ours && sound && !(t->what == MISSING && !victims[t->victim].n))
		complain(t, "verify finds nothing");
	if (!ours && !sound && strcmp(file, "optag.store"))
		complain(t, "verify finds damage: %d %u", rc, (unsigned)r.damaged);
}

/* ---- who comes next ---- */

static bool key_there;

static int seek_key(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	uint8_t *p;
	int fd;

	(void)ftw;
	if (type != FTW_F || !sb->st_size || key_there)
		return 0;
	p = malloc((size_t)sb->st_size);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (p && fd >= 0 && read(fd, p, (size_t)sb->st_size) == sb->st_size)
		key_there = memmem(p, (size_t)sb->st_size, due_key, sizeof(due_key)) != NULL;
	if (fd >= 0)
		close(fd);
	free(p);
	return 0;
}

/* Files that say whether and when something is to be destroyed: damaged, the reaper may wait, and says so. */
static bool says_when(const char *file)
{
	return !strcmp(file, due_bucket) || !strcmp(file, "holds") || !strcmp(file, "optag.store") || strstr(file, "hold.slots");
}

static void check_reaper(const struct trial *t, struct harm *h)
{
	struct reap_settings s = { .now_ns = THEN, .told = true };
	const char *file = victims[t->victim].file;
	struct reap_totals r;
	int rc = reap_with(&s, &r);
	struct views is;

	wrote_to = true;
	if (rc || r.faults)
		count(&shared->faults);
	if (h->everything)
		return;
	key_there = false;
	(void)nftw(store_dir, seek_key, 16, FTW_PHYS);
	if (key_there && !((rc || r.faults) && says_when(file)))
		complain(t, "reap: %d, %u faults: the key that is due is there", rc, (unsigned)r.faults);
	if (!look(t, h, "reap", &is))
		return;
	for (int i = 0; i < CALLS; i++)
		if (kind[i].due[0] && !is.v[i].rc[0] && !(rc || r.faults) && strcmp(file, "erase")) /* cut, it was never asked */
			complain(t, "reap: %s is alive and nobody says so", kind[i].name);
	/* a held call's key, and what is known of holds, are its own */
	if (!strcmp(file, "holds") || strstr(file, "hold.slots"))
		h->calls[0] |= 1u << HELD | 1u << MOVED;
	if (!strcmp(file, "holds") || strstr(file, "hold.slots") || !strcmp(file, "erase") || starts(file, "keys/"))
		h->row_calls |= 1u << DUE | 1u << HELD | 1u << MOVED | 1u << ASKED;
	if (!strcmp(file, due_bucket) || !strcmp(file, due_slots) || !strcmp(file, "holds"))
		h->row_calls |= 1u << HELD;
	if (!strcmp(file, "erase") || !strcmp(file, "holds") || !strcmp(file, due_bucket) || !strcmp(file, due_slots)) {
		struct views allowed = after;

		for (int i = 0; i < CALLS; i++) /* told above */
			if (kind[i].due[0])
				allowed.v[i] = is.v[i];
		judge(t, h, "reap", &is, &allowed);
		return;
	}
	judge(t, h, "reap", &is, &after);
}

static void check_writer(const struct trial *t, const struct harm *h)
{
	struct store *st = NULL;
	char why[512] = "";
	uint64_t n;
	int rc;

	wrote_to = true;
	clock_set_ns(FIRST + 3600 * NS_PER_S);
	rc = store_open(store_dir, STORE_RW, &st, why, sizeof(why));
	if (!rc)
		rc = store_settle(st, &n);
	if (!rc)
		rc = store_sync(st);
	store_close(st);
	if (rc)
		count(&shared->refused_writers);
	compare(t, h, "recorder", &before);
}

static void try(const struct trial *t)
{
	struct harm h;

	alarm(60);
	harm_of(t, &h);
	clock_set_ns(FIRST + 3600 * NS_PER_S);
	fresh_copy(t);
	check_fsck(t, &h);
	compare(t, &h, "damaged", &before);
	check_evidence(t);
	if (t->deep) {
		check_writer(t, &h);
		fresh_copy(t);
		check_reaper(t, &h);
		count(&shared->deep);
	}
	alarm(0);
	count(&shared->done[t->what]);
}

/* ---- which ---- */

#define PAGE 4096 /* of a database */

static void plan(unsigned victim, enum what what, size_t at, bool deep)
{
	if (!(ntrials & (ntrials - 1)))
		trials = realloc(trials, (ntrials ? 2 * ntrials : 1) * sizeof(*trials));
	assert_non_null(trials);
	trials[ntrials++] = (struct trial){ victim, what, at, deep };
}

/* At the beginning, in the middle and the last one. */
static void plan_sample(unsigned v)
{
	size_t n = victims[v].n, middle = n / 2;

	if (n)
		plan(v, CUT, 0, true);
	if (n > 16)
		plan(v, CUT, 7, true); /* no whole line of any file */
	if (middle)
		plan(v, CUT, middle, true);
	if (n > middle + 1)
		plan(v, CUT, n - 1, true);
	if (n)
		plan(v, FLIP, middle / 2, true);
	if (middle)
		plan(v, FLIP, n - 1, true);
}

/* Where something begins or ends in it. */
static bool at_edge(const char *file, size_t at)
{
	for (unsigned i = 0; i < nareas; i++)
		if (!strcmp(areas[i].file, file) && (at + 1 - areas[i].from <= 2 || at + 1 - areas[i].to <= 2))
			return true;
	return false;
}

static void plan_full(unsigned v)
{
	const char *file = victims[v].file;
	size_t n = victims[v].n, step = n <= 1024 ? 1 : 7;
	bool db = strstr(file, ".db"), all = getenv("CUTS_DEEP") || !(db || starts(file, "segments/") || starts(file, "evidence/"));

	for (size_t at = 0; at < n; at++) {
		bool deep = all || at % 8 == 0 || at_edge(file, at);
		/* the next one leaves the same to SQLite */
		bool same_db = db && at > 512 && at % PAGE && !victims[v].p[at] && at % 61;

		if (!strcmp(file, "reserve") ? at % (n / 64) == 0 : !same_db)
			plan(v, CUT, at, deep);
		else
			left_out++;
		if (strcmp(file, "reserve") && at % step == step / 2)
			plan(v, FLIP, at, all || (at / step) % 8 == 0);
	}
}

static void plan_file(unsigned v, bool full)
{
	plan(v, MISSING, 0, true);
	if (full)
		plan_full(v);
	else
		plan_sample(v);
}

/* In an order in which the first of them are spread over all. */
static void shuffle(void)
{
	rng_state = 88172645463325252ULL;
	for (size_t i = ntrials; i > 1; i--) {
		size_t k = rnd() % i;
		struct trial t = trials[k];

		trials[k] = trials[i - 1];
		trials[i - 1] = t;
	}
}

static void work(int w)
{
	signal(SIGALRM, SIG_DFL);
	/* the buffers of readers and recorders stay */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	snprintf(store_dir, sizeof(store_dir), "%s/work%d", base_dir, w);
	while (!shared->ends && shared->now[w] < ntrials) {
		try(&trials[shared->now[w]]);
		shared->now[w] += WORKERS;
	}
	_exit(0);
}

static void on_time(int sig)
{
	(void)sig;
	shared->ends = true;
}

static void run_all(void)
{
	pid_t pid[WORKERS] = { 0 };
	unsigned left = WORKERS;
	const char *seconds = getenv("CUTS_SECONDS");
	struct sigaction on = { .sa_handler = on_time, .sa_flags = SA_RESTART };

	for (int w = 0; w < WORKERS; w++) {
		shared->now[w] = (size_t)w;
		if (!(pid[w] = fork()))
			work(w);
	}
	sigaction(SIGALRM, &on, NULL);
	if (seconds)
		alarm((unsigned)atoi(seconds));
	while (left) {
		int status;
		pid_t p = wait(&status);

		for (int w = 0; w < WORKERS; w++) {
			if (pid[w] != p)
				continue;
			if (WIFEXITED(status) && !WEXITSTATUS(status)) {
				left--;
				continue;
			}
			complain(&trials[shared->now[w]], "the process died, status %#x", (unsigned)status);
			shared->now[w] += WORKERS;
			if (!(pid[w] = fork()))
				work(w);
		}
	}
}

/* ---- */

static void map_files(void)
{
	struct root root;
	struct why why = { "" };

	for (unsigned i = 0; i < nvictims; i++) {
		const struct victim *v = &victims[i];

		if (starts(v->file, "segments/"))
			map_segment(v->file, v->p, v->n);
		if (starts(v->file, "keys/") && strstr(v->file, ".slots"))
			map_slots(v->file, v->p, v->n);
	}
	assert_int_equal(root_open(store_dir, &root, &why), 0);
	assert_int_equal(catalog_each(&root, map_catalog, &root), 0);
	root_close(&root);
	area("holds", 0, UINT64_MAX, 0, 0, true, false);
	area("erase", 0, UINT64_MAX, 0, 0, true, false);
	area("number.key", 0, UINT64_MAX, 0, 0, false, false);
}

/* The bucket of DUE and HELD. */
static void find_due(void)
{
	for (unsigned i = 0; i < nareas; i++)
		if (areas[i].calls[0] == (1u << DUE | 1u << HELD) && strstr(areas[i].file, ".bucket"))
			snprintf(due_bucket, sizeof(due_bucket), "%.299s", areas[i].file);
	assert_true(*due_bucket);
	snprintf(due_slots, sizeof(due_slots), "%.*s.slots", (int)(strlen(due_bucket) - 7), due_bucket);
	for (unsigned i = 0; i < nvictims; i++)
		if (!strcmp(victims[i].file, due_bucket))
			memcpy(due_key, victims[i].p + 40, 32);
}

/* What the sound store is: else the rest proves nothing. */
static void check_gold(void)
{
	struct evlog_look how = { .finding = nothing };
	struct reap_totals r;
	char why[512];

	assert_int_equal(look_at(&before, 0), 0);
	assert_int_equal(before.rc, 0);
	for (int i = 0; i < BUSY; i++)
		for (int p = 0; p < STORE_PURPOSES; p++) {
			bool alive = kind[i].until[p] && !kind[i].dead[p] && i != DENIED;

			if (alive != !before.v[i].rc[p])
				fail_msg("%s for %s: %d", kind[i].name, store_purpose_names[p], before.v[i].rc[p]);
		}
	assert_int_equal(evlog_look(store_dir, &how, &proof, why, sizeof(why)), 0);
	assert_true(!proof.damaged && proof.sealed);
	r = reap_at(THEN);
	assert_true(r.calls == 2 && r.held == 1);
	assert_int_equal(look_at(&after, 0), 0);
	for (int i = 0; i < BUSY; i++)
		for (int p = 0; p < STORE_PURPOSES; p++)
			if ((kind[i].due[p] || before.v[i].rc[p]) != (after.v[i].rc[p] != 0))
				fail_msg("%s for %s after the reaper: %d", kind[i].name, store_purpose_names[p], after.v[i].rc[p]);
	key_there = false;
	(void)nftw(store_dir, seek_key, 16, FTW_PHYS);
	assert_false(key_there);
	fsck_clean(NULL);
}

static void test_cuts(void **state)
{
	bool full = getenv("OPTAG_FULL");
	const char *only = getenv("CUTS_FILE"); /* files with this in their names */
	struct timespec a, b;

	(void)state;
	clock_set_ns(T0);
	make_gold();
	snprintf(gold_dir, sizeof(gold_dir), "%s/gold", base_dir);
	shell("mv '%s' '%s'", store_dir, gold_dir);
	assert_int_equal(nftw(gold_dir, take_file, 16, FTW_PHYS), 0);
	fresh_copy(NULL);
	map_files();
	find_due();
	clock_set_ns(FIRST + 3600 * NS_PER_S);
	check_gold();
	for (unsigned i = 0; i < nvictims; i++)
		if (!only || strstr(victims[i].file, only))
			plan_file(i, full);
	if (full)
		shuffle();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	clock_gettime(CLOCK_MONOTONIC, &a);
	run_all();
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("%u files, %zu of %zu cases, %ld s: %lu cut, %lu with a wrong byte, %lu missing; %zu cuts left out; %lu with recorder and reaper;"
		      " %lu failures; %lu times a call or purpose was lost with its bytes, %lu times fsck found nothing, the reaper had faults %lu times,"
		      " %lu recorders refused\n",
		      nvictims, (size_t)(shared->done[CUT] + shared->done[FLIP] + shared->done[MISSING]), ntrials, (long)(b.tv_sec - a.tv_sec),
		      shared->done[CUT], shared->done[FLIP], shared->done[MISSING], left_out, shared->deep, shared->failures, shared->unread,
		      shared->quiet, shared->faults, shared->refused_writers);
	assert_int_equal(shared->failures, 0);
}

static int setup(void **state)
{
	if (!access("/dev/shm", W_OK))
		setenv("TMP", "/dev/shm", 1);
	return make_store(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_cuts, setup, drop_store) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
