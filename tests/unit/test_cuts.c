/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cuts.c - every file of a store cut at every byte, with a wrong byte, and missing
 *
 * After each: fsck ends, with damage or without, and names the file when what it had is live; calls that had nothing in the
 * damaged bytes are found and heard as before; evidence is found damaged when it is, and only then; a recorder and a
 * reaper that come next give back no key that was destroyed, and the reaper destroys what is due and nothing else.
 *
 * A sample; OPTAG_FULL=1: all. Processes work on copies of their own; one that dies fails its case.
 */
#include "cuts_util.h"

#include <sys/mman.h>
#include <time.h>

#define WORKERS 2

enum what { CUT, FLIP, MISSING };
static const char *const what_names[] = { "cut at", "wrong byte at", "missing" };

struct victim {
	char file[300]; /* in the store */
	uint8_t *p;
	size_t n;
};
struct trial {
	unsigned victim;
	enum what what;
	size_t at;
};

static struct victim victims[128];
static unsigned nvictims;
static struct trial *trials;
static size_t ntrials;
static struct views before, after; /* of the sound store; when the reaper went over it */
static struct evlog_report proof;
static uint8_t due_key[32]; /* of the bucket that is due */
static char due_bucket[300], due_slots[300];

/* What the workers share with who waits for them. */
static struct shared {
	size_t now[WORKERS];
	unsigned long failures, unread, unnamed, quiet, reaped, faults, refused_writers;
} *shared;
static int worker;

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

static int remove_it(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	(void)sb, (void)type, (void)ftw;
	return remove(path);
}

static void write_victim(const struct victim *v, const uint8_t *p, size_t n)
{
	char path[700], from[700];
	struct stat sb;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", store_dir, v->file);
	snprintf(from, sizeof(from), "%s/%s", gold_dir, v->file);
	if (stat(from, &sb))
		abort();
	(void)unlink(path); /* it may be none to write to */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n || fchmod(fd, sb.st_mode & 07777))
		abort();
	close(fd);
}

/* The store as it was made, but for the damage. NULL: none. */
static void fresh_copy(const struct trial *t)
{
	(void)nftw(store_dir, remove_it, 16, FTW_DEPTH | FTW_PHYS);
	if (nftw(gold_dir, make_dir, 16, FTW_PHYS))
		abort();
	for (unsigned i = 0; i < nvictims; i++) {
		struct victim *v = &victims[i];

		if (!t || t->victim != i) {
			write_victim(v, v->p, v->n);
		} else if (t->what == CUT) {
			write_victim(v, v->p, t->at);
		} else if (t->what == FLIP) {
			v->p[t->at] ^= 0x10;
			write_victim(v, v->p, v->n);
			v->p[t->at] ^= 0x10;
		}
	}
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
static void compare(const struct trial *t, const struct harm *h, const char *when, const struct views *was)
{
	struct views is;
	int rc = look_at(&is, (int)(t->at % CALLS));

	if (rc) {
		if (!h->everything)
			complain(t, "%s: the store does not open: %d", when, rc);
		return;
	}
	if (is.rc && is.rc != -EBADMSG)
		complain(t, "%s: find: %d", when, is.rc);
	for (int i = 0; i < CALLS; i++) {
		const struct view *a = &is.v[i], *b = &was->v[i];

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

	count(&shared->reaped);
	if (rc || r.faults)
		count(&shared->faults);
	if (h->everything)
		return;
	key_there = false;
	(void)nftw(store_dir, seek_key, 16, FTW_PHYS);
	if (key_there && !((rc || r.faults) && says_when(file)))
		complain(t, "reap: %d, %u faults: the key that is due is there", rc, (unsigned)r.faults);
	if (!look_at(&is, (int)(t->at % CALLS)))
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
		compare(t, h, "reap", &allowed);
		return;
	}
	compare(t, h, "reap", &after);
}

static void check_writer(const struct trial *t, const struct harm *h)
{
	struct store *st = NULL;
	char why[512] = "";
	uint64_t n;
	int rc;

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
	check_writer(t, &h);
	fresh_copy(t);
	check_reaper(t, &h);
	alarm(0);
}

/* ---- which ---- */

static void plan(unsigned victim, enum what what, size_t at)
{
	if (!(ntrials & (ntrials - 1)))
		trials = realloc(trials, (ntrials ? 2 * ntrials : 1) * sizeof(*trials));
	assert_non_null(trials);
	trials[ntrials++] = (struct trial){ victim, what, at };
}

static void plan_file(unsigned v, bool full)
{
	size_t n = victims[v].n;
	bool db = strstr(victims[v].file, ".db");
	size_t cut = full ? 1 : n / 2 + 1, flip = full ? db ? 61 : 3 : n / 2 + 1;

	plan(v, MISSING, 0);
	for (size_t at = 0; at < n; at++) {
		bool edge = db && (at % 512 == 0 || at % 512 == 1 || at % 512 == 511);

		if (db && full ? edge : at % cut == 0 || at == n - 1)
			plan(v, CUT, at);
		if (at % flip == flip / 2)
			plan(v, FLIP, at);
	}
}

static void work(int w)
{
	worker = w;
	snprintf(store_dir, sizeof(store_dir), "%s/work%d", base_dir, w);
	while (shared->now[w] < ntrials) {
		try(&trials[shared->now[w]]);
		shared->now[w] += WORKERS;
	}
	fresh_copy(NULL);
	_exit(0);
}

static void run_all(void)
{
	pid_t pid[WORKERS] = { 0 };
	unsigned left = WORKERS;

	for (int w = 0; w < WORKERS; w++) {
		shared->now[w] = (size_t)w;
		if (!(pid[w] = fork()))
			work(w);
	}
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
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	clock_gettime(CLOCK_MONOTONIC, &a);
	run_all();
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("%u files, %zu trials, %ld s: %lu failures; %lu times a call or purpose was lost with its bytes, %lu times fsck found nothing,"
		      " %lu of %lu runs of the reaper had faults, %lu recorders refused\n",
		      nvictims, ntrials, (long)(b.tv_sec - a.tv_sec), shared->failures, shared->unread, shared->quiet, shared->faults,
		      shared->reaped, shared->refused_writers);
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
