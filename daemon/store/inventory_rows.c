/* SPDX-License-Identifier: BSD-2-Clause */
/* inventory_rows.c - the catalog's side of the inventory: what is kept, and which keys and extents rows name */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/catalog.h"
#include "store/hold.h"
#include "store/inventory_internal.h"
#include "store/overlay.h"

#define DAY_NS (86400 * NS_PER_S)

static const char query[] = "SELECT " REAP_ROW_COLUMNS ",start_ns,rule,extents,outcome,"
			    "(SELECT max(audio_ms) FROM legs WHERE legs.uid=calls.uid) FROM calls";
enum { COL_START = 9, COL_RULE, COL_EXTENTS, COL_OUTCOME, COL_AUDIO };

struct partition {
	struct inventory *v;
	const char *controller, *file;
	uint32_t day;
};

/* ---- counting ---- */

static unsigned age_of(const struct inventory *v, uint64_t start_ns)
{
	uint64_t days = start_ns < v->set->now_ns ? (v->set->now_ns - start_ns) / DAY_NS : 0;

	return days <= 7 ? 0 : days <= 30 ? 1 : days <= 60 ? 2 : days <= 92 ? 3 : 4;
}

static uint32_t mix(uint32_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return (h ^ 255) * 16777619u;
}

static void count(struct inventory *v, const struct inventory_group *key, uint64_t audio_ms)
{
	uint32_t h = mix(mix(2166136261u, key->controller), key->rule);

	h = (h ^ ((uint32_t)key->purpose << 8 | (uint32_t)key->state << 4 | key->age << 1 | key->held)) * 16777619u;
	for (;; h++) {
		struct inventory_group *g = &v->group[h % INV_GROUPS];

		if (!g->calls && v->ngroup > INV_GROUPS / 2 && strcmp(key->rule, "(others)") != 0) {
			struct inventory_group rest = *key;

			snprintf(rest.rule, sizeof(rest.rule), "(others)");
			count(v, &rest, audio_ms);
			return;
		}
		if (!g->calls) {
			*g = *key;
			v->ngroup++;
		} else if (g->purpose != key->purpose || g->state != key->state || g->age != key->age || g->held != key->held ||
			   strcmp(g->rule, key->rule) != 0 || strcmp(g->controller, key->controller) != 0) {
			continue;
		}
		g->calls++;
		g->audio_ms += audio_ms;
		return;
	}
}

static int outcome_of(sqlite3_stmt *st)
{
	const char *s = (const char *)sqlite3_column_text(st, COL_OUTCOME);

	for (int i = 0; s && i < STORE_O_MAX; i++)
		if (!strcmp(s, store_outcome_names[i]))
			return i;
	return -1;
}

static void count_rule(struct inventory *v, const char *controller, const char *rule, int outcome)
{
	uint32_t h = mix(mix(2166136261u, controller), rule);

	for (;; h++) {
		struct inventory_rule *g = &v->rule[h % INV_GROUPS];

		if (!*g->controller && v->nrule > INV_GROUPS / 2 && strcmp(rule, "(others)") != 0) {
			count_rule(v, controller, "(others)", outcome);
			return;
		}
		if (!*g->controller) {
			snprintf(g->controller, sizeof(g->controller), "%s", controller);
			snprintf(g->rule, sizeof(g->rule), "%s", rule);
			v->nrule++;
		} else if (strcmp(g->rule, rule) != 0 || strcmp(g->controller, controller) != 0) {
			continue;
		}
		g->outcome[outcome]++;
		return;
	}
}

/* ---- a row's keys ---- */

/* As it is now, not as it was when this run began. */
static int state_now(struct inventory *v, const char *controller, const struct reap_row *row, int p, enum store_state *ret)
{
	char reason[LATER_REASON];
	struct overlay *o;
	int rc = overlay_new(&v->root, &o);

	*ret = row->state[p];
	if (rc)
		return why_set(v->why, rc, "out of memory");
	overlay_no_slots(o);
	rc = overlay_state(o, controller, &row->uid, (enum store_purpose)p, row->purpose_day[p], row->slot[p], ret, reason, v->why);
	overlay_free(o);
	return rc < 0 ? rc : 0;
}

static int gone_add(struct inventory *v, const char *controller, const struct reap_row *row, int p)
{
	struct reap_row *more = v->gone;

	if (!(v->ngone & (v->ngone - 1)))
		more = realloc(more, (v->ngone ? 2 * v->ngone : 1) * sizeof(*more));
	if (!more)
		return why_set(v->why, -ENOMEM, "out of memory");
	v->gone = more;
	more[v->ngone] = *row;
	more[v->ngone].part = (unsigned)p;
	snprintf(more[v->ngone++].controller, STORE_NAME_MAX, "%s", controller);
	return 0;
}

static const char *uid_text(const struct uid *u, char out[UID_TEXT])
{
	uid_format(u, out);
	return out;
}

/* *state: as it is now. */
static int row_key(const struct partition *at, const struct reap_row *row, int p, enum store_state *state)
{
	struct inventory *v = at->v;
	bool twice = at->day == DAY_HOLD; /* the day's own row may be there still */
	char uid[UID_TEXT], reason[LATER_REASON];
	int rc, got;

	*state = row->state[p];
	if (!state_holds(*state))
		return 0;
	rc = overlay_state(v->overlay, at->controller, &row->uid, (enum store_purpose)p, row->purpose_day[p], row->slot[p], state,
			   reason, v->why);
	if (rc < 0)
		return rc;
	if (!row->slot[p]) {
		if (state_holds(*state))
			inv_problem(v, at->file, "row of call %s: %s is %s, and it names no key", uid_text(&row->uid, uid),
				    store_purpose_names[p], store_state_names[*state]);
		return 0;
	}
	got = inv_keys_name(v, at->controller, (unsigned)p, row->purpose_day[p], row->slot[p], &row->uid, at->file, twice);
	if (got < 0)
		return got;
	if (!state_holds(*state))
		return got ? gone_add(v, at->controller, row, p) : 0;
	if (got || (p == STORE_DOCUMENTATION && inv_uid_in(v->held_key, v->nheld_key, &row->uid)))
		return 0;
	/* made, destroyed or put on hold since the slots were read? */
	if (inv_key_lives(v, at->controller, (unsigned)p, row->purpose_day[p], row->slot[p], &row->uid))
		return 0;
	rc = state_now(v, at->controller, row, p, state);
	if (!rc && state_holds(*state))
		inv_problem(v, at->file, "row of call %s: its key for %s is not there", uid_text(&row->uid, uid), store_purpose_names[p]);
	return rc;
}

static int row_of(void *arg, const char *controller, uint32_t day, unsigned part)
{
	const struct partition *at = ((void **)arg)[0];
	const struct reap_row *row = ((void **)arg)[1];
	struct why why = { "" };
	struct reap_row other;
	sqlite3 *sql;
	int rc = reap_db_open(&at->v->root, controller, day, part, &sql, &why);

	if (rc)
		return 0;
	rc = reap_row_in(sql, &row->uid, &other, &why);
	sqlite3_close(sql);
	return rc == 1;
}

/* A call on hold whose day is not taken away yet: counted there. */
static bool counted(const struct partition *at, const struct reap_row *row)
{
	uint32_t day = row->purpose_day[0] > row->purpose_day[1] ? row->purpose_day[0] : row->purpose_day[1];
	struct partition copy = *at;
	struct reap_row r = *row;

	return at->day == DAY_HOLD && day && catalog_each_of(&at->v->root, at->controller, day, row_of, (void *[]){ &copy, &r }) == 1;
}

static int one_row(const struct partition *at, sqlite3_stmt *st)
{
	struct inventory *v = at->v;
	struct inventory_group g = { .purpose = 0 };
	sqlite3_int64 start = sqlite3_column_int64(st, COL_START), audio = sqlite3_column_int64(st, COL_AUDIO);
	const char *rule = (const char *)sqlite3_column_text(st, COL_RULE);
	uint64_t audio_ms = audio > 0 ? (uint64_t)audio : 0, began_ns;
	enum store_state state[STORE_PURPOSES];
	struct reap_row row = { .day = at->day };
	bool readable = false, again;
	const uint8_t *p;
	int rc, outcome = outcome_of(st);

	v->t.rows++;
	if (reap_row_get(st, &row) || start < 0 || outcome < 0) {
		inv_problem(v, at->file, "row %.26s: values of another kind (rule C-2)", (const char *)sqlite3_column_text(st, 0));
		return 0;
	}
	snprintf(g.controller, sizeof(g.controller), "%s", at->controller);
	snprintf(g.rule, sizeof(g.rule), "%s", rule ? rule : "");
	g.age = age_of(v, (uint64_t)start);
	again = counted(at, &row);
	began_ns = uid_time_ms(&row.uid) * NS_PER_MS; /* as the log's lines have it */
	if (v->rule && !again && began_ns >= v->set->from_ns && began_ns < v->set->to_ns)
		count_rule(v, g.controller, g.rule, outcome);
	g.held = v->holds && hold_is(v->holds, &row.uid);
	for (int i = 0; i < STORE_PURPOSES; i++) {
		rc = row_key(at, &row, i, &state[i]);
		if (rc)
			return rc;
		readable |= state_holds(state[i]);
		if (again || state[i] == STORE_S_NONE)
			continue;
		g.purpose = (enum store_purpose)i;
		g.state = state[i];
		count(v, &g, audio_ms);
	}
	if (readable && !again) {
		v->t.kept++;
		v->t.held += g.held;
		v->t.audio_ms += audio_ms;
		if (!v->t.oldest_ns || (uint64_t)start < v->t.oldest_ns) {
			v->t.oldest_ns = (uint64_t)start;
			v->t.oldest = row.uid;
		}
	}
	p = sqlite3_column_blob(st, COL_EXTENTS);
	return inv_extents(v, at->controller, &row, p, p ? (size_t)sqlite3_column_bytes(st, COL_EXTENTS) : 0, readable);
}

/* ---- a partition ---- */

static bool same(const struct root *r, const char *file, const struct stat *before)
{
	struct stat now;

	return !beneath_statat(r->fd, file, &now) &&
	       (now.st_ino != before->st_ino || /* a sealed copy took its name; what was read stays as it was */
		(now.st_size == before->st_size && now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
		 now.st_mtim.tv_nsec == before->st_mtim.tv_nsec));
}

/*
 * All of it is read, page by page in the order of a tree: asked for at once it comes in order. Before SQLite opens the file,
 * whose locks would end with any descriptor of it that is closed.
 */
static void read_ahead(const struct root *r, const char *file)
{
	int fd = beneath_openat(r->fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);

	if (fd < 0)
		return; /* told when it is opened */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED); /* only a help */
	close(fd);
}

static int one_partition(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct inventory *v = arg;
	char file[STORE_PATH_MAX], wal[STORE_PATH_MAX + 8];
	struct partition at = { .v = v, .controller = controller, .file = file, .day = day };
	struct why why = { "" };
	sqlite3_stmt *st = NULL;
	struct stat before, sb;
	sqlite3 *sql;
	bool still;
	int rc, got;

	if (v->set->between)
		v->set->between(v->set->arg);
	catalog_path(controller, day, part, file);
	snprintf(wal, sizeof(wal), "%s-wal", file);
	if (beneath_statat(v->root.fd, file, &before))
		return 0; /* taken away with its day */
	still = beneath_statat(v->root.fd, wal, &sb) || !sb.st_size; /* as reap_db_open opens it */
	read_ahead(&v->root, file);
	rc = reap_db_open(&v->root, controller, day, part, &sql, &why);
	if (rc == -ENOENT)
		return 0;
	if (rc == -ENOMEM || rc == -EACCES)
		return why_set(v->why, rc, "%s", why.text);
	if (rc) {
		inv_problem(v, file, "%s", why.text);
		return 0;
	}
	got = sqlite3_prepare_v2(sql, query, -1, &st, NULL);
	while (got == SQLITE_OK && (got = sqlite3_step(st)) == SQLITE_ROW) {
		rc = one_row(&at, st);
		if (rc)
			break;
		got = SQLITE_OK;
	}
	if (!rc && still && !same(&v->root, file, &before) && !beneath_accessat(v->root.fd, file))
		rc = why_set(v->why, -EAGAIN, "%s: a recorder changed it while it was read", file);
	else if (!rc && got != SQLITE_DONE)
		inv_problem(v, file, "%s (rule C-1)", sqlite3_errmsg(sql));
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return rc;
}

int inv_rows(struct inventory *v)
{
	int rc = catalog_each(&v->root, one_partition, v);

	return rc && !*v->why->text ? why_errno(v->why, rc, "catalog", "cannot read") : rc;
}
