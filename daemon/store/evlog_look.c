/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_look.c - reading the evidence log: chain, signatures, sums; nothing is changed
 *
 * Works beside a running writer: the head is read first, then a day's root, then its lines, each of
 * which only grows in the order in which the writer makes them durable. After a finding the next
 * line that can be read is taken as the new start, so one change is one finding. One thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "store/evlog_internal.h"
#include "store/evlog_report.h"
#include "store/keys.h"
#include "store/outbox.h"

/* What began so long before may have its beginning in a log that expired: calls (E-10), seeds (E-11). */
#define BORDER_NS (4 * EVLOG_DAY_S * NS_PER_S)

struct look {
	const struct evlog_look *how;
	struct evlog_report *r;
	struct root root;
	struct evlog_pub pub;
	struct evlog_head head;
	struct evlog_sums *sums;
	struct evlog_lates *late; /* NULL: not asked for */
	struct evlog_reports reports;
	bool partial;	   /* the first days are not read */
	bool head_seen;	   /* its line was */
	bool anchor_seen;
	bool synced;	   /* link is what the next line must follow */
	uint8_t link[32];
	uint64_t seq, time_ns;
	struct merkle tree; /* of the day at hand */
	int32_t given_up;  /* the log says that those of days before it were */
	uint64_t border_ns; /* end of the last day without its log; 0 none */
	uint64_t outbox;   /* so many lines came by the outbox, later than they happened */
	char name[64];	   /* the file at hand */
	uint64_t at;	   /* its line */
	bool newest;
};

static void found(struct look *k, uint64_t line, const char *rule, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void found(struct look *k, uint64_t line, const char *rule, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	k->r->damaged++;
	if (!k->how->finding)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	k->how->finding(k->how->arg, k->name, line, rule, text);
}

/* Names the line that was touched: the one before when only its bytes changed, else this one. */
static void chain_broken(struct look *k, const struct evlog_line *l)
{
	if (l->seq == k->seq + 1 && k->at > 1)
		found(k, k->at - 1, "E-3", "changed: event %" PRIu64 " does not follow from it", l->seq);
	else if (l->seq == k->seq + 1)
		found(k, k->at, "E-8", "event %" PRIu64 " does not follow from the root of the day before", l->seq);
	else if (l->seq <= k->seq)
		found(k, k->at, "E-4", "event %" PRIu64 " stands behind event %" PRIu64 ": copied or moved", l->seq, k->seq);
	else if (k->seq + 2 == l->seq)
		found(k, k->at, "E-4", "event %" PRIu64 " is missing before this line", l->seq - 1);
	else
		found(k, k->at, "E-4", "events %" PRIu64 " to %" PRIu64 " are missing before this line", k->seq + 1,
		      l->seq - 1);
}

static void check_place(struct look *k, const struct evlog_line *l, int32_t day)
{
	if (k->synced && (l->seq != k->seq + 1 || memcmp(l->prev, k->link, 32) != 0))
		chain_broken(k, l);
	if (evlog_day(l->e.time_ns) > day)
		found(k, k->at, "E-5", "event of a later day than its file");
	if (l->e.kind == EVLOG_OUTBOX_TAKE) {
		k->outbox = evlog_num_get(&l->e, EVLOG_N_COUNT, 0);
	} else if (k->outbox && !outbox_kind_check(&l->e)) {
		k->outbox--;
		return;
	} else {
		k->outbox = 0;
	}
	/* Each step once: what follows it is of the new time. */
	if (l->e.time_ns + EVLOG_DISORDER_NS < k->time_ns) {
		k->r->backwards++;
		k->time_ns = l->e.time_ns;
	} else if (l->e.time_ns > k->time_ns) {
		k->time_ns = l->e.time_ns;
	}
}

/* A key of a call that has no open match; of one that began before what is read nobody knows. */
static int note_late(struct look *k, const struct evlog_line *l, int32_t day)
{
	struct evlog_late late = { .call = l->e.call, .seq = l->seq, .line = k->at, .day = day };
	uint64_t since = k->how->from_day ? (uint64_t)k->how->from_day * EVLOG_DAY_S * NS_PER_S : 0;

	if (!k->late || l->e.kind != EVLOG_KEY_COMMIT || evlog_sums_is_open(k->sums, &l->e.call) ||
	    uid_time_ms(&l->e.call) * NS_PER_MS < (since > k->border_ns ? since : k->border_ns))
		return 0;
	return evlog_lates_add(k->late, &late);
}

static int take_line(struct look *k, const char *p, size_t n, int32_t day)
{
	const char *what = "", *rule = "E-2";
	struct evlog_line l;
	int32_t before;

	if (evlog_line_parse(p, n, &l, &what)) {
		found(k, k->at, rule, "%s", what);
		k->synced = false;
		return 0;
	}
	check_place(k, &l, day);
	merkle_add(&k->tree, p, n);
	evlog_link(p, n, k->link);
	k->synced = true;
	k->seq = l.seq;
	k->r->first_seq = k->r->lines ? k->r->first_seq : l.seq;
	k->r->last_seq = l.seq;
	k->r->lines++;
	k->r->calls += l.e.kind == EVLOG_CALL_MATCH;
	k->r->recovered += l.e.kind == EVLOG_LOG_RECOVER;
	if (l.seq == k->head.seq) {
		k->head_seen = true;
		if (memcmp(k->link, k->head.link, 32) != 0)
			found(k, k->at, "E-9", "changed since it was written");
	}
	if (l.e.kind == EVLOG_EVIDENCE_EXPIRE && evlog_day_of_number(evlog_num_get(&l.e, EVLOG_N_DAY, 0), &before) &&
	    before > k->given_up)
		k->given_up = before;
	what = evlog_sums_line(k->sums, &l, k->partial || l.e.time_ns < k->border_ns + BORDER_NS,
			       k->partial ? UINT64_MAX : k->border_ns, &rule);
	if (what)
		found(k, k->at, rule, "%s", what);
	what = evlog_reports_line(&k->reports, &l.e, day, k->at, k->partial || k->border_ns);
	if (what)
		found(k, k->at, "E-13", "%s", what);
	if (note_late(k, &l, day))
		return -ENOMEM;
	return k->how->line ? k->how->line(k->how->arg, k->name, k->at, &l) : 0;
}

static int take_lines(struct look *k, int32_t day, bool sealed)
{
	struct evlog_file f;
	const char *p;
	uint64_t good = 0;
	bool torn = false;
	size_t n;
	int rc = evlog_file_open(&k->root, k->name, &f), stop = 0;

	if (rc == -ENOMEM)
		return rc;
	if (rc == -ENOENT && k->newest)
		return 0; /* was empty, and its writer has removed it */
	if (rc) {
		found(k, 0, "E-1", "cannot read: %s", strerror(-rc));
		k->synced = false;
		return 0;
	}
	while (!stop && (rc = evlog_file_next(&f, &p, &n)) > 0) {
		k->at = f.line;
		/* as evlog_recover.c has it: what a kill leaves behind all that was durable */
		torn |= !sealed && k->newest && k->seq >= k->head.seq && (f.nul || (rc == 2 && f.end && n));
		if (torn)
			continue;
		if (rc == 1) {
			stop = take_line(k, p, n, day);
		} else {
			found(k, k->at, "E-2", "not a whole line");
			k->synced = false;
		}
		good = f.off;
	}
	if (torn)
		k->r->torn_bytes = f.off - good;
	if (rc < 0 && !stop)
		found(k, k->at, "E-1", "cannot read: %s", strerror(-rc));
	evlog_file_close(&f);
	return stop;
}

/* The next day goes on from it. */
static void follow_root(struct look *k, const struct evlog_root *root, const uint8_t hash[32])
{
	memcpy(k->link, hash, 32);
	memcpy(k->r->root, hash, 32);
	k->seq = root->last;
	k->synced = true;
	k->anchor_seen |= k->how->anchor && !memcmp(hash, k->how->anchor, 32);
}

/* The root of a day against what was read of it. */
static void check_root(struct look *k, const struct evlog_root *root, const uint8_t hash[32], const uint8_t before[32],
		       bool before_known, uint64_t first, bool whole)
{
	uint8_t tree[32];

	/* what is wrong with a line was told there */
	merkle_root(&k->tree, tree);
	if (whole && root->version > 1 && !memcmp(root->link, k->link, 32) && memcmp(root->merkle, tree, 32) != 0) {
		evlog_day_name(root->day, "root", k->name);
		found(k, 0, "E-12", "its tree is not that of the day's lines");
		evlog_day_name(root->day, "log", k->name);
	}
	if (before_known && memcmp(root->prev, before, 32) != 0)
		found(k, 0, "E-8", "its root does not follow from the day before");
	if (before_known && root->first != first)
		found(k, 0, "E-4", "its root begins with event %" PRIu64 ", not %" PRIu64, root->first, first);
	if (k->synced && k->seq != root->last)
		found(k, k->at, "E-6", "ends with event %" PRIu64 ", its root with %" PRIu64, k->seq, root->last);
	else if (k->synced && memcmp(root->link, k->link, 32) != 0)
		found(k, k->at, "E-6", "changed: not the line that the root was signed for");
	follow_root(k, root, hash);
	k->r->sealed++;
}

static int take_day(struct look *k, int32_t day)
{
	struct evlog_root root;
	struct why why = { "" };
	uint8_t before[32], hash[32];
	bool known = k->synced;
	uint64_t first = k->seq + 1, damaged = k->r->damaged;
	int rc = evlog_root_load(&k->root, day, &k->pub, &root, hash, &why), stop;

	memcpy(before, k->link, 32);
	evlog_day_name(day, "log", k->name);
	k->r->days++;
	k->tree = (struct merkle){ .n = 0 };
	k->at = 0;
	stop = take_lines(k, day, !rc);
	if (stop)
		return stop;
	if (rc && (rc != -ENOENT || !k->newest)) {
		const char *text = strchr(why.text, ' ');
		bool sig = strstr(why.text, "E-7");

		evlog_day_name(day, "root", k->name);
		found(k, 0, sig ? "E-7" : "E-6", "%s", sig ? "the signature is not of this log's key" :
							     rc == -ENOENT ? "missing" :
							     text ? text + 1 : why.text);
		k->synced = false; /* the next day's first link cannot be told */
	} else if (!rc) {
		check_root(k, &root, hash, before, known, first, k->r->damaged == damaged);
	}
	return 0;
}

static void stranger(void *arg, const char *name)
{
	struct look *k = arg;

	(void)name; /* names of other people's files are not repeated */
	snprintf(k->name, sizeof(k->name), EVLOG_DIR);
	found(k, 0, "E-1", "a file that is no part of a log");
}

/* A day of which nothing is left but its root: the chain goes through it. */
static void take_expired(struct look *k, int32_t day)
{
	uint8_t before[32], hash[32];
	struct why why = { "" };
	struct evlog_root root;
	bool known = k->synced;
	int rc = evlog_root_load(&k->root, day, &k->pub, &root, hash, &why);

	k->r->expired++;
	k->r->expired_to = day;
	k->border_ns = (uint64_t)(day + 1) * EVLOG_DAY_S * NS_PER_S;
	evlog_day_name(day, "root", k->name);
	if (rc) {
		found(k, 0, strstr(why.text, "E-7") ? "E-7" : "E-6", "not a root of this log's key");
		k->synced = false;
		return;
	}
	memcpy(before, k->link, 32);
	if (known && memcmp(root.prev, before, 32) != 0)
		found(k, 0, "E-8", "its root does not follow from the day before");
	if (known && root.first != k->seq + 1)
		found(k, 0, "E-4", "its root begins with event %" PRIu64 ", not %" PRIu64, root.first, k->seq + 1);
	follow_root(k, &root, hash);
}

/* Logs that are missing without an event that says so. */
static void check_expired(struct look *k, const struct evlog_days *days)
{
	for (size_t i = 0; i < days->n; i++)
		if (days->v[i].expired && days->v[i].day >= k->given_up) {
			evlog_day_name(days->v[i].day, "log", k->name);
			found(k, 0, "E-6", "missing, and its root is there");
		}
}

static int take_days(struct look *k)
{
	const struct evlog_look *how = k->how;
	struct evlog_days days;
	int rc = evlog_days_read(&k->root, &days, stranger, k);
	bool whole = true;

	for (size_t i = 0; !rc && i < days.n; i++) {
		int32_t day = days.v[i].day;

		if ((how->from_day && day < how->from_day) || (how->to_day && day > how->to_day)) {
			whole = false;
			k->partial |= !k->r->days;
			if (days.v[i].expired)
				k->r->expired_to = day;
			continue;
		}
		k->newest = i + 1 == days.n;
		if (days.v[i].expired)
			take_expired(k, day);
		else
			rc = take_day(k, day);
	}
	if (!rc && whole)
		check_expired(k, &days);
	evlog_days_free(&days);
	if (rc || !whole)
		return rc;
	snprintf(k->name, sizeof(k->name), EVLOG_HEAD);
	if (k->head.seq && !k->head_seen)
		found(k, 0, "E-9", "event %" PRIu64 " was written and is not there", k->head.seq);
	return 0;
}

static void lost_call(void *arg, const char *uid, const char *rule, int32_t day)
{
	struct look *k = arg;

	(void)rule;
	evlog_day_name(day, "log", k->name);
	found(k, 0, "E-10", "call %s: matched on this day, and no outcome two days later", uid);
}

static void more_rows(void *arg, const char *rule, int32_t file, uint64_t line, uint64_t rows, uint64_t calls)
{
	struct look *k = arg;

	evlog_day_name(file, "log", k->name);
	found(k, line, "E-13", "rule %s: the catalog has %" PRIu64 " calls of the day before, the log %" PRIu64, rule, rows, calls);
}

static int begin(struct look *k, const char *dir, struct why *why)
{
	int rc = keys_init();

	if (rc)
		return why_set(why, rc, "libsodium does not start");
	rc = root_open(dir, &k->root, why);
	if (!rc)
		rc = evlog_pub_load(&k->root, k->how->public_key, &k->pub, why);
	if (rc)
		return rc;
	/* the first line follows from the key file itself, whoever's copy of it was read */
	memcpy(k->link, k->pub.hash, 32);
	k->synced = !k->how->from_day;
	rc = evlog_head_load(&k->root, &k->pub, &k->head, why);
	if (rc == -ENOENT || rc == -EBADMSG) {
		snprintf(k->name, sizeof(k->name), EVLOG_HEAD);
		found(k, 0, "E-9", "%s", rc == -ENOENT ? "missing" : "no slot is whole and signed by this log's key");
		rc = 0;
	}
	return rc ? rc : evlog_sums_new(&k->sums);
}

static void tell_late(void *arg, const struct evlog_late *l)
{
	struct look *k = arg;
	char uid[UID_TEXT];

	uid_format(&l->call, uid);
	evlog_day_name(l->day, "log", k->name);
	found(k, l->line, "E-10", "call %s: a key.commit behind the call's outcome, which does not count it", uid);
}

static int look_once(const char *store_dir, const struct evlog_look *how, struct evlog_lates *late, struct evlog_report *ret, char *text, size_t n);

/* The second reading, where the first had a key.commit of a call that was not open. */
static int look_late(struct look *k, const char *store_dir)
{
	struct evlog_look how = { .arg = k->late, .line = evlog_lates_line, .from_day = k->how->from_day, .to_day = k->how->to_day,
				  .public_key = k->how->public_key };
	struct evlog_report rep;
	int rc = look_once(store_dir, &how, NULL, &rep, NULL, 0);

	if (!rc)
		evlog_lates_each(k->late, tell_late, k);
	return rc;
}

static int look_once(const char *store_dir, const struct evlog_look *how, struct evlog_lates *late, struct evlog_report *ret, char *text, size_t n)
{
	struct look k = { .how = how, .r = ret, .late = late, .root = { .fd = -1 } };
	struct why why = { "" };
	int rc;

	*ret = (struct evlog_report){ 0 };
	rc = evlog_reports_init(&k.reports);
	if (!rc)
		rc = begin(&k, store_dir, &why);
	if (!rc)
		rc = take_days(&k);
	ret->inventories = k.reports.whole;
	ret->inventory_day = k.reports.day;
	ret->inventory_past = k.reports.past;
	ret->inventory_errors = k.reports.errors;
	ret->inventory_missed = k.reports.missed;
	if (!rc && !k.partial)
		evlog_reports_end(&k.reports, k.border_ns ? evlog_day(k.border_ns + BORDER_NS) : 0, more_rows, &k);
	if (!rc && k.reports.failed)
		rc = why_set(&why, -ENOMEM, "out of memory");
	evlog_reports_free(&k.reports);
	if (!rc) {
		evlog_sums_end(k.sums, how->sum, how->arg, lost_call, &k, &ret->open);
		snprintf(k.name, sizeof(k.name), EVLOG_DIR);
		if (how->anchor && !k.anchor_seen)
			found(&k, 0, "E-8", "no day has the root that was noted elsewhere");
	}
	if (!rc && late && evlog_lates_any(late))
		rc = look_late(&k, store_dir);
	if (!rc && k.sums && evlog_sums_failed(k.sums))
		rc = why_set(&why, -ENOMEM, "out of memory");
	if (rc < 0 && !why.text[0])
		why_set(&why, rc, "%s: %s", store_dir, strerror(-rc));
	if (rc < 0 && text && n)
		snprintf(text, n, "%s", why.text);
	evlog_sums_free(k.sums);
	root_close(&k.root);
	return rc;
}

int evlog_look(const char *store_dir, const struct evlog_look *how, struct evlog_report *ret, char *text, size_t n)
{
	struct evlog_lates *late = NULL;
	int rc = evlog_lates_new(&late);

	*ret = (struct evlog_report){ 0 };
	if (!rc)
		rc = look_once(store_dir, how, late, ret, text, n);
	else if (text && n)
		snprintf(text, n, "out of memory");
	evlog_lates_free(late);
	return rc;
}
