/* SPDX-License-Identifier: BSD-2-Clause */
/* evlog_keep.c - how long decision records are kept beyond 24 months, see evlog_keep.h */
#include "store/evlog_keep.h"

#include <errno.h>
#include <string.h>

#include "store/evlog_writer.h"

static bool take(struct evlog_keep *k, const char *at, const char *lf)
{
	struct evlog_keep_line *l = &k->line[k->n];
	char day[11];
	unsigned months = 0;

	if (k->n == EVLOG_KEEP_LINES || at == lf || *at == '0')
		return false;
	for (; at < lf && *at >= '0' && *at <= '9'; at++) {
		months = months * 10 + (unsigned)(*at - '0');
		if (months > EVLOG_KEEP_MAX)
			return false;
	}
	*l = (struct evlog_keep_line){ months, EVLOG_KEEP_EVER };
	if (!months || (k->n && months <= l[-1].months))
		return false;
	k->n++;
	if (at == lf)
		return true;
	if (lf - at != 11 || *at != ' ')
		return false;
	memcpy(day, at + 1, 10);
	day[10] = 0;
	return !evlog_day_parse(day, &l->upto);
}

int evlog_keep_read(int root_fd, struct evlog_keep *ret)
{
	char text[EVLOG_KEEP_TEXT + 1], *at = text, *lf;
	size_t n;
	int rc = read_small(root_fd, EVLOG_KEEP_FILE, text, sizeof(text) - 1, &n);

	memset(ret, 0, sizeof(*ret));
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	while (at < text + n) {
		lf = memchr(at, '\n', (size_t)(text + n - at));
		if (!lf || !take(ret, at, lf))
			return -EBADMSG;
		at = lf + 1;
	}
	return n ? 0 : -EBADMSG;
}

size_t evlog_keep_text(const struct evlog_keep *k, char *text)
{
	size_t at = 0;
	char day[16];

	text[0] = 0;
	for (size_t i = 0; i < k->n; i++) {
		bool ever = k->line[i].upto == EVLOG_KEEP_EVER;

		if (!ever)
			evlog_day_text(k->line[i].upto, day);
		at += (size_t)snprintf(text + at, EVLOG_KEEP_TEXT - at, "%u%s%.10s\n", k->line[i].months, ever ? "" : " ", ever ? "" : day);
	}
	return at;
}

int32_t evlog_keep_before(const struct evlog_keep *k, int32_t day, unsigned months)
{
	int32_t before = evlog_expire_day(day, months > EVLOG_EXPIRE_MONTHS ? months : EVLOG_EXPIRE_MONTHS);

	for (size_t i = 0; i < k->n; i++) {
		int32_t first = evlog_expire_day(day, k->line[i].months);

		if (first <= k->line[i].upto && first < before)
			before = first;
	}
	return before;
}

bool evlog_keep_add(struct evlog_keep *k, unsigned months, int32_t upto)
{
	size_t i = 0;

	if (months <= EVLOG_EXPIRE_MONTHS)
		return false;
	if (months > EVLOG_KEEP_MAX)
		months = EVLOG_KEEP_MAX;
	while (i < k->n && k->line[i].months < months)
		i++;
	if (k->n == EVLOG_KEEP_LINES && (i == k->n || k->line[i].months != months)) {
		/* no room: the longest is longer, or covers more days */
		i = k->n - 1;
		if (k->line[i].months < months)
			k->line[i].months = months;
	} else if (i == k->n || k->line[i].months != months) {
		memmove(&k->line[i + 1], &k->line[i], (k->n - i) * sizeof(k->line[0]));
		k->line[i] = (struct evlog_keep_line){ months, upto };
		k->n++;
		return true;
	}
	if (k->line[i].upto >= upto)
		return false;
	k->line[i].upto = upto;
	return true;
}

bool evlog_keep_close(struct evlog_keep *k, int32_t upto, int32_t day)
{
	bool changed = false;
	size_t left = 0;

	for (size_t i = 0; i < k->n; i++) {
		struct evlog_keep_line l = k->line[i];

		if (l.upto == EVLOG_KEEP_EVER) {
			l.upto = upto;
			changed = true;
		}
		if (evlog_expire_day(day, l.months) > l.upto)
			changed = true;
		else
			k->line[left++] = l;
	}
	k->n = left;
	return changed;
}
