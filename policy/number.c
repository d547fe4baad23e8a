/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * number.c - E.164 patterns and sets of them
 *
 * A number is the key length << 56 | digits. An exact number or a range is one
 * interval of keys, a prefix one interval for each length it can grow to (at
 * most 12). A set is a sorted list of disjoint intervals: 100,000 numbers are
 * 1.6 MB and one search is 17 steps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const uint64_t pow10_tab[NUMBER_DIGITS_MAX + 1] = {
	1,
	10,
	100,
	1000,
	10000,
	100000,
	1000000,
	10000000,
	100000000,
	1000000000,
	10000000000,
	100000000000,
	1000000000000,
	10000000000000,
	100000000000000,
	1000000000000000,
};

static int digits(const char **s, const char *end, uint64_t *ret)
{
	uint64_t v = 0;
	int n = 0;

	while (*s < end && **s >= '0' && **s <= '9') {
		if (++n > NUMBER_DIGITS_MAX)
			return -1;
		v = v * 10 + (uint64_t)(*(*s)++ - '0');
	}
	*ret = v;
	return n;
}

int pattern_parse(const char *s, size_t n, struct pattern *ret, const char **ret_why)
{
	const char *end = s + n;
	uint64_t v;
	int len;

	*ret_why = "a number starts with + and its country code";
	if (n == 0 || *s++ != '+')
		return -EINVAL;
	*ret_why = "no country code starts with 0";
	if (s < end && *s == '0')
		return -EINVAL;
	len = digits(&s, end, &ret->lo);
	*ret_why = "an E.164 number has at most 15 digits";
	if (len < 0)
		return -EINVAL;
	*ret_why = "after + at least 4 digits are needed, so that no rule catches a whole country";
	if (len < 4)
		return -EINVAL;
	ret->len = (uint8_t)len;
	ret->hi = ret->lo;
	ret->kind = PAT_EXACT;
	if (s < end && *s == '*') {
		s++;
		ret->kind = PAT_PREFIX;
		*ret_why = "a prefix with * must leave room for at least one digit";
		if (len >= NUMBER_DIGITS_MAX)
			return -EINVAL;
	} else if (s < end && *s == '-') {
		s++;
		ret->kind = PAT_RANGE;
		if (s < end && *s == '+')
			s++;
		len = digits(&s, end, &v);
		*ret_why = "the end of a range has no more digits than its start";
		if (len < 1 || len > ret->len)
			return -EINVAL;
		ret->hi = ret->lo - ret->lo % pow10_tab[len] + v;
		*ret_why = "the end of a range lies after its start";
		if (ret->hi <= ret->lo)
			return -EINVAL;
	}
	*ret_why = "only digits, blanks between groups, a * at the end or one - for a range may "
		   "follow";
	return s == end ? 0 : -EINVAL;
}

/* By hand: a set of 100,000 numbers is printed for each hash. */
static char *put_digits(char *end, uint64_t v, int len)
{
	for (int i = 0; i < len; i++, v /= 10)
		*--end = (char)('0' + v % 10);
	return end;
}

void pattern_print(FILE *f, const struct pattern *p)
{
	char buf[2 * NUMBER_DIGITS_MAX + 8], *end = buf + sizeof(buf), *s = end;

	if (p->kind == PAT_PREFIX) {
		*--s = '*';
	} else if (p->kind == PAT_RANGE) {
		s = put_digits(s, p->hi, p->len);
		*--s = '-';
	}
	s = put_digits(s, p->lo, p->len);
	*--s = '+';
	fwrite_unlocked(s, 1, (size_t)(end - s), f);
}

/* Both sorted, a before b. */
static int merge(struct keyed *v, size_t a, size_t n)
{
	size_t b = n - a;
	struct keyed *tmp = malloc(b * sizeof(*v));

	if (!tmp)
		return -ENOMEM;
	memcpy(tmp, v + a, b * sizeof(*v));
	while (b)
		if (a && v[a - 1].key > tmp[b - 1].key) {
			v[a + b - 1] = v[a - 1];
			a--;
		} else {
			v[a + b - 1] = tmp[b - 1];
			b--;
		}
	free(tmp);
	return 0;
}

/* Least significant byte first; bytes that are the same in all keys cost one look. */
int keyed_sort(struct keyed *v, size_t n)
{
	struct keyed *from = v, *to, *tmp, *t;
	uint64_t all = ~0ull, any = 0;
	size_t sorted = 1;

	while (sorted < n && v[sorted - 1].key <= v[sorted].key)
		sorted++;
	if (sorted >= n)
		return 0;
	if (sorted > n / 2) { /* what is sorted already stays */
		int err = keyed_sort(v + sorted, n - sorted);

		return err ? err : merge(v, sorted, n);
	}
	tmp = malloc(n * sizeof(*v));
	if (!tmp)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		all &= v[i].key;
		any |= v[i].key;
	}
	to = tmp;
	for (int shift = 0; shift < 64; shift += 8) {
		size_t at[257] = {0};

		if (!((all ^ any) >> shift & 0xff))
			continue;
		for (size_t i = 0; i < n; i++)
			at[(from[i].key >> shift & 0xff) + 1]++;
		for (int i = 0; i < 256; i++)
			at[i + 1] += at[i];
		for (size_t i = 0; i < n; i++)
			to[at[from[i].key >> shift & 0xff]++] = from[i];
		t = from;
		from = to;
		to = t;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
	free(tmp);
	return 0;
}

static size_t expand(const struct pattern *p, struct keyed *out)
{
	size_t k = 0;

	if (p->kind != PAT_PREFIX) {
		out[0].key = NUMBER_KEY(p->len, p->lo);
		out[0].with = NUMBER_KEY(p->len, p->hi);
		return 1;
	}
	for (unsigned len = p->len; len <= NUMBER_DIGITS_MAX; len++) {
		uint64_t m = pow10_tab[len - p->len];

		out[k].key = NUMBER_KEY(len, p->lo * m);
		out[k++].with = NUMBER_KEY(len, p->lo * m + m - 1);
	}
	return k;
}

int ivals_build(struct arena *a, const struct pattern *p, size_t n, struct ivals *ret)
{
	struct keyed *v;
	size_t total = 0, k = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < n; i++)
		total += p[i].kind == PAT_PREFIX ? NUMBER_DIGITS_MAX + 1u - p[i].len : 1;
	if (total == 0)
		return 0;
	v = malloc(total * sizeof(*v));
	ret->lo = arena_alloc(a, total * sizeof(*ret->lo));
	ret->hi = arena_alloc(a, total * sizeof(*ret->hi));
	if (!v || !ret->lo || !ret->hi) {
		free(v);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		k += expand(&p[i], v + k);
	if (keyed_sort(v, k)) {
		free(v);
		return -ENOMEM;
	}
	for (size_t i = 0; i < k; i++) {
		if (ret->n && v[i].key <= ret->hi[ret->n - 1] + 1) {
			if (v[i].with > ret->hi[ret->n - 1])
				ret->hi[ret->n - 1] = v[i].with;
			continue;
		}
		ret->lo[ret->n] = v[i].key;
		ret->hi[ret->n++] = v[i].with;
	}
	free(v);
	return 0;
}

bool ivals_has(const struct ivals *v, uint64_t key)
{
	size_t lo = 0, hi = v->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (v->hi[mid] < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < v->n && v->lo[lo] <= key;
}

bool ivals_intersect(const struct ivals *a, const struct ivals *b)
{
	size_t i = 0, j = 0;

	while (i < a->n && j < b->n) {
		if (a->hi[i] < b->lo[j])
			i++;
		else if (b->hi[j] < a->lo[i])
			j++;
		else
			return true;
	}
	return false;
}

uint64_t number_key(const char *s)
{
	uint64_t v;
	const char *p = s + 1;
	int n;

	if (*s != '+')
		return 0;
	n = digits(&p, s + strlen(s), &v);
	return n >= 1 && !*p ? NUMBER_KEY(n, v) : 0;
}

bool numbers_has(const struct numbers *c, uint64_t key, int64_t now)
{
	if (key && ivals_has(&c->iv, key))
		return true;
	for (const struct word *w = c->sets; w && key; w = w->next) {
		const struct set *s = w->obj;

		if (s && (ivals_has(&s->numbers.iv, key) || (s->live && member_set_has(s->live, key, now))))
			return true;
	}
	return false;
}

bool numbers_dynamic(const struct numbers *c)
{
	for (const struct word *w = c->sets; w; w = w->next)
		if (w->obj && ((const struct set *)w->obj)->dynamic)
			return true;
	return false;
}
