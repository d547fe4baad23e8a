/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_expire.c - decision records go with their age, their roots stay (evlog.h, FORMAT.md section 10)
 *
 * Oldest first, so that what is left after a kill is again a log whose first days are gone. The thread that holds the log.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/evlog_keep.h"
#include "store/evlog_writer.h"

#define SAMPLES_STAY 3

struct evlog_event evlog_expire_event(int32_t before, uint64_t now_ns)
{
	struct evlog_event e = { .kind = EVLOG_EVIDENCE_EXPIRE, .source = EVLOG_S_REAPER, .time_ns = now_ns };
	unsigned y, m, d;
	char text[16];

	evlog_day_text(before, text);
	if (sscanf(text, "%u-%u-%u", &y, &m, &d) == 3) /* NOLINT(cert-err34-c): as it was written */
		evlog_num_add(&e, EVLOG_N_DAY, y * 10000ULL + m * 100 + d);
	return e;
}

int32_t evlog_expire_day(int32_t day, unsigned months)
{
	unsigned y, m, d;
	int32_t ret = 0; /* before there was a log */
	char text[16];

	evlog_day_text(day, text);
	if (day <= 0 || sscanf(text, "%u-%u-%u", &y, &m, &d) != 3) /* NOLINT(cert-err34-c): as it was written */
		return 0;
	m += 12 * y - 1;
	if (m < months + 12 * 1970)
		return 0;
	m -= months;
	(void)evlog_day_of_number(m / 12 * 10000ULL + (m % 12 + 1) * 100ULL + (d > 28 ? 28 : d), &ret); /* every month has that day */
	return ret;
}

int evlog_expire_due(const char *store_dir, uint64_t now_ns, unsigned months, int32_t *ret_before, uint64_t *ret_days)
{
	struct why why = { "" };
	struct evlog_days days;
	struct root root;
	struct evlog_keep keep;
	int32_t before = 0;
	int rc = root_open(store_dir, &root, &why);

	if (rc)
		return rc;
	rc = evlog_keep_read(root.fd, &keep);
	if (!rc)
		before = evlog_keep_before(&keep, evlog_day(now_ns), months);
	if (!rc)
		rc = evlog_days_read(&root, &days, NULL, NULL);
	root_close(&root);
	if (rc)
		return rc;
	*ret_before = before;
	*ret_days = 0;
	for (size_t i = 0; i + 1 < days.n; i++) /* never the newest */
		*ret_days += !days.v[i].expired && days.v[i].day < before;
	rc = days.n ? 0 : -ENOENT;
	evlog_days_free(&days);
	return rc;
}

static int drop(struct evlog *l, const char *name, bool *ret_gone)
{
	int rc = beneath_unlinkat(l->root.fd, name, 0) ? -errno : 0;

	*ret_gone |= !rc;
	if (!rc || rc == -ENOENT)
		return 0;
	pthread_mutex_lock(&l->lock);
	(void)why_errno(&l->why, rc, name, "cannot remove");
	pthread_mutex_unlock(&l->lock);
	return rc;
}

/* Sampling records: by the names of their files, also of days without a log. */
static int drop_samples(struct evlog *l, int32_t before)
{
	struct names names;
	char day[11], path[STORE_PATH_MAX];
	bool gone = false;
	size_t newest = 0; /* files that stay: they say where numbers and links go on */
	int32_t d;
	int rc = names_read(&l->root, "sampling", &names);

	for (size_t i = names.n; !rc && i--;) { /* sorted: newest first */
		if (strlen(names.v[i]) != 16 || strcmp(names.v[i] + 10, ".jsonl") != 0 || newest++ < SAMPLES_STAY)
			continue;
		snprintf(day, sizeof(day), "%.10s", names.v[i]);
		snprintf(path, sizeof(path), "sampling/%s", names.v[i]);
		if (!evlog_day_parse(day, &d) && d < before)
			rc = drop(l, path, &gone);
	}
	names_free(&names);
	return rc;
}

int evlog_expire(struct evlog *l, int32_t before, uint64_t *ret_days)
{
	struct why why = { "" };
	struct evlog_days days;
	char name[64];
	bool gone;
	int rc = evlog_days_read(&l->root, &days, NULL, NULL);

	*ret_days = 0;
	if (rc)
		return rc;
	/* samples first: draws without their events would look like lies, events without their draws are of days that go now */
	rc = drop_samples(l, before);
	for (size_t i = 0; !rc && i + 1 < days.n && days.v[i].day < before; i++) {
		if (days.v[i].expired)
			continue;
		evlog_day_name(days.v[i].day, "root", name);
		if (beneath_accessat(l->root.fd, name))
			break; /* not signed: nothing would be left of it */
		gone = false;
		evlog_day_name(days.v[i].day, "log", name);
		rc = drop(l, name, &gone);
		*ret_days += gone;
	}
	if (!rc && *ret_days)
		rc = sync_dir_of(&l->root, name, &why);
	evlog_days_free(&days);
	return rc;
}

/* The last day, of those without their log any more or of all; 0 none, or it cannot be told. */
static int32_t last_day(const char *store_dir, bool expired)
{
	struct why why = { "" };
	struct evlog_days days;
	struct root root;
	int32_t day = 0;

	if (root_open(store_dir, &root, &why))
		return 0;
	if (!evlog_days_read(&root, &days, NULL, NULL)) {
		for (size_t i = 0; i < days.n; i++)
			day = !expired || days.v[i].expired ? days.v[i].day : day;
		evlog_days_free(&days);
	}
	root_close(&root);
	return day;
}

int32_t evlog_expired_to(const char *store_dir)
{
	return last_day(store_dir, true);
}

int32_t evlog_newest_day(const char *store_dir)
{
	return last_day(store_dir, false);
}
