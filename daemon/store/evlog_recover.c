/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_recover.c - where the log goes on when it is opened for writing
 *
 * Every root is read with its signature, and every line of the newest day. What may be cut is only
 * what a kill or power cut leaves: half a line at the end, or zeros and whatever follows (blocks
 * that never reached the disk, before others that did), none of it durable by the head.
 * Anything else is damage: nobody goes on writing behind it. Changes nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "store/evlog_internal.h"

static int on_given_up(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	int32_t *told = arg, day;

	(void)file;
	(void)n;
	if (l->e.kind == EVLOG_EVIDENCE_EXPIRE && evlog_day_of_number(evlog_num_get(&l->e, EVLOG_N_DAY, 0), &day) && day > *told)
		*told = day;
	return 0;
}

/* Whether a day's log may be gone: for its age, or since a program of before kept logs for a shorter time and the log says so. */
static bool may_be_gone(const struct root *r, const struct evlog_days *days, size_t i, int32_t *told)
{
	struct evlog_look how = { .arg = told, .line = on_given_up };
	struct evlog_report rep;
	char why[512];

	if (days->v[i].day < evlog_expire_day(days->v[days->n - 1].day, EVLOG_EXPIRE_MONTHS))
		return true;
	if (*told == INT32_MIN && evlog_look(r->path, &how, &rep, why, sizeof(why))) /* all of it, which is rare */
		return false;
	return days->v[i].day < *told;
}

/* All roots but the newest day's, which may be missing. Sets prev to what the newest day's first line follows. */
static int check_roots(const struct root *r, const struct evlog_pub *pub, const struct evlog_days *days,
		       struct evlog_state *s, struct why *why)
{
	struct evlog_root root;
	int32_t told = INT32_MIN;
	uint8_t hash[32];
	int rc = 0;

	memcpy(s->prev, pub->hash, 32);
	s->seq = 0;
	for (size_t i = 0; !rc && i + 1 < days->n; i++) {
		char name[64];

		evlog_day_name(days->v[i].day, "root", name);
		/* logs go with their age, oldest first: there is none before one that is missing, and the newest is far behind it */
		if (days->v[i].expired && ((i && !days->v[i - 1].expired) || !may_be_gone(r, days, i, &told)))
			return why_set(why, -EBADMSG, "%s: its log is missing (rule E-6)", name);
		rc = evlog_root_load(r, days->v[i].day, pub, &root, hash, why);
		if (rc == -ENOENT)
			rc = -EBADMSG;
		if (!rc && memcmp(root.prev, s->prev, 32) != 0)
			rc = why_set(why, -EBADMSG, "%s: does not follow from the day before it (rule E-8)", name);
		if (!rc && root.first != s->seq + 1)
			rc = why_set(why, -EBADMSG, "%s: events are missing before this day (rule E-4)", name);
		if (rc)
			return rc;
		memcpy(s->prev, hash, 32);
		s->seq = root.last;
	}
	memcpy(s->link, s->prev, 32);
	return 0;
}

/* Takes a line that is the next one; false: it is not, with the reason. */
static bool take(struct evlog_state *s, const char *p, size_t n, const char **ret_what, const char **ret_rule)
{
	struct evlog_line l;

	*ret_rule = "E-2";
	if (evlog_line_parse(p, n, &l, ret_what))
		return false;
	*ret_rule = "E-4";
	*ret_what = "not the next sequence number";
	if (l.seq != s->seq + 1)
		return false;
	*ret_rule = "E-3";
	*ret_what = "does not follow from the line before";
	if (memcmp(l.prev, s->link, 32) != 0)
		return false;
	*ret_rule = "E-5";
	*ret_what = "of a later day than its file";
	if (evlog_day(l.e.time_ns) > s->day)
		return false;
	evlog_link(p, n, s->link);
	merkle_add(&s->tree, p, n);
	s->seq = l.seq;
	return true;
}

static int read_lines(const char *name, struct evlog_file *f, const struct evlog_head *head, struct evlog_state *s,
		      struct why *why)
{
	const char *p, *what = "", *rule = "";
	bool linked = head->seq <= s->seq, torn;
	uint64_t good = 0, bad;
	size_t n;
	int rc;

	while ((rc = evlog_file_next(f, &p, &n)) == 1 && take(s, p, n, &what, &rule)) {
		good = f->off;
		if (s->seq == head->seq) {
			if (memcmp(s->link, head->link, 32) != 0)
				return why_set(why, -EBADMSG, "%s:%" PRIu64 ": changed since it was written (rule E-9)", name,
					       f->line);
			linked = true;
		}
	}
	s->size = good;
	if (rc < 0)
		return why_errno(why, rc, name, "cannot read");
	if (rc == 0)
		return linked ? 0 : why_set(why, -EBADMSG, "%s:%" PRIu64 ": lines are missing at the end (rule E-9)", name,
					    f->line + 1);
	bad = f->line;
	/* half a line at the very end, or blocks that never reached the disk; what has its LF was written whole */
	torn = f->nul || (rc == 2 && f->end && n);
	if (rc == 2) {
		what = "not a whole line";
		rule = "E-2";
	}
	while (torn && (rc = evlog_file_next(f, &p, &n)) > 0)
		;
	if (torn && rc < 0)
		return why_errno(why, rc, name, "cannot read");
	if (!torn || !linked)
		return why_set(why, -EBADMSG, "%s:%" PRIu64 ": %s (rule %s)", name, bad, what, rule);
	s->cut_bytes = f->off - good;
	s->cut_lines = f->line - bad + 1;
	return 0;
}

/* A newest day that has its root is over; the root must be of its lines. */
static int check_closed(const struct root *r, const struct evlog_pub *pub, struct evlog_state *s, struct why *why)
{
	struct evlog_root root;
	uint8_t hash[32], tree[32];
	char name[64];
	int rc = evlog_root_load(r, s->day, pub, &root, hash, why);

	if (rc == -ENOENT)
		return 0;
	if (rc)
		return rc;
	evlog_day_name(s->day, "log", name);
	if (s->cut_bytes || root.last != s->seq || root.first != s->first || memcmp(root.link, s->link, 32) != 0 ||
	    memcmp(root.prev, s->prev, 32) != 0)
		return why_set(why, -EBADMSG, "%s: not what its root was signed for (rule E-6)", name);
	merkle_root(&s->tree, tree);
	if (root.version > 1 && memcmp(root.merkle, tree, 32) != 0)
		return why_set(why, -EBADMSG, "%s: its root has the tree of other lines (rule E-12)", name);
	memcpy(s->link, hash, 32);
	s->closed = true;
	return 0;
}

int evlog_state_read(const struct root *r, const struct evlog_pub *pub, struct evlog_state *ret, struct why *why)
{
	struct evlog_state s = { 0 };
	struct evlog_head head;
	struct evlog_days days;
	struct evlog_file f;
	char name[64];
	int rc = evlog_head_load(r, pub, &head, why);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	rc = evlog_days_read(r, &days, NULL, NULL);
	if (rc)
		return why_errno(why, rc, EVLOG_DIR, "cannot read");
	rc = check_roots(r, pub, &days, &s, why);
	if (!rc && !days.n && head.seq)
		rc = why_set(why, -EBADMSG, "%s: all days are missing (rule E-9)", EVLOG_DIR);
	if (!rc && days.n) {
		s.any = true;
		s.day = days.v[days.n - 1].day;
		s.first = s.seq + 1;
		s.has_before = days.n > 1;
		s.before = s.has_before ? days.v[days.n - 2].day : 0;
		evlog_day_name(s.day, "log", name);
		rc = evlog_file_open(r, name, &f);
		if (rc == -ENOENT) {
			rc = why_set(why, -EBADMSG, "%s: missing, and its root is there (rule E-6)", name);
		} else if (rc) {
			rc = why_errno(why, rc, name, "cannot read");
		} else {
			rc = read_lines(name, &f, &head, &s, why);
			evlog_file_close(&f);
		}
		if (!rc)
			rc = check_closed(r, pub, &s, why);
	}
	evlog_days_free(&days);
	if (!rc)
		*ret = s;
	return rc;
}
