/* SPDX-License-Identifier: BSD-2-Clause */
/* catalog_name.c - how partitions of the catalog are named, and walking over them, see catalog.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "store/catalog.h"

void catalog_path(const char *controller, uint32_t day, unsigned part, char out[STORE_PATH_MAX])
{
	char text[16];

	day_text(day, text);
	if (part > 1)
		snprintf(out, STORE_PATH_MAX, "catalog/%s/%s.%u.db", controller, text, part);
	else
		snprintf(out, STORE_PATH_MAX, "catalog/%s/%s.db", controller, text);
}

/* "" is 1, ".2" and so on; -EINVAL. */
static int part_parse(const char *s, size_t n, unsigned *ret)
{
	unsigned v = 0;

	*ret = 1;
	if (!n)
		return 0;
	if (n < 2 || n > 5 || s[0] != '.' || s[1] < '1' || s[1] > '9')
		return -EINVAL;
	for (size_t i = 1; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	*ret = v;
	return v < 2 || v > CATALOG_PARTS ? -EINVAL : 0;
}

int catalog_parse(const char *name, uint32_t *ret_day, unsigned *ret_part)
{
	size_t n = strlen(name), day = strcspn(name, ".");
	int rc;

	if (n < day + 3 || strcmp(name + n - 3, ".db"))
		return -EINVAL;
	rc = day_parse(name, day, ret_day);
	return rc ? rc : part_parse(name + day, n - 3 - day, ret_part);
}

struct found {
	uint32_t day;
	unsigned part;
};

static int found_cmp(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return x->part < y->part ? -1 : x->part > y->part;
}

int catalog_each_of(const struct root *r, const char *controller, uint32_t day,
		    int (*fn)(void *arg, const char *controller, uint32_t day, unsigned part), void *arg)
{
	char dir[STORE_PATH_MAX];
	struct names names;
	struct found *v;
	size_t n = 0;
	int rc;

	snprintf(dir, sizeof(dir), "catalog/%s", controller);
	rc = names_read(r, dir, &names);
	if (rc)
		return rc == -ENOTDIR ? 0 : rc; /* none of ours */
	v = calloc(names.n + 1, sizeof(*v));
	for (size_t i = 0; v && i < names.n; i++)
		if (!catalog_parse(names.v[i], &v[n].day, &v[n].part) && (!day || v[n].day == day))
			n++;
	names_free(&names);
	if (!v)
		return -ENOMEM;
	qsort(v, n, sizeof(*v), found_cmp);
	for (size_t i = 0; !rc && i < n; i++)
		rc = fn(arg, controller, v[i].day, v[i].part);
	free(v);
	return rc;
}

int catalog_each(const struct root *r, int (*fn)(void *arg, const char *controller, uint32_t day, unsigned part), void *arg)
{
	struct names owners;
	int rc = names_read(r, "catalog", &owners);

	for (size_t i = 0; !rc && i < owners.n; i++)
		if (!name_check(owners.v[i]))
			rc = catalog_each_of(r, owners.v[i], 0, fn, arg);
	names_free(&owners);
	return rc;
}

bool catalog_sealed(const struct root *r, const char *controller, uint32_t day, unsigned part)
{
	char rel[STORE_PATH_MAX];
	struct stat sb;

	catalog_path(controller, day, part, rel);
	return !beneath_statat(r->fd, rel, &sb) && !(sb.st_mode & 0222);
}

void store_uri(const struct root *r, const char *rel, bool immutable, struct buf *out)
{
	buf_printf(out, "file:");
	for (int part = 0; part < 2; part++) {
		for (const char *s = part ? rel : r->path; *s; s++) {
			if (strchr("%?#", *s))
				buf_printf(out, "%%%02x", (unsigned char)*s);
			else
				buf_put8(out, (uint8_t)*s);
		}
		if (!part)
			buf_put8(out, '/');
	}
	buf_printf(out, immutable ? "?immutable=1" : "?mode=ro");
	buf_put8(out, 0);
}
