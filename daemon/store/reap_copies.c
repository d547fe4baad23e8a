/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_copies.c - DAY.bucket.tmp and DAY.slots.tmp of days that have begun: a copy of a key dies with the key
 *
 * A writer makes a key under such a name and renames it at once, also on its day. What lies beside the key itself, or is older than minutes, was left
 * by one that was killed, or put there.
 * It is overwritten, told, and unlinked. A file with another name (a hard link) is only unlinked: it may be the key of another day.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/bucket.h"
#include "store/hold.h"
#include "store/reap_internal.h"
#include "store/slot.h"

#define ZEROS 4096u

/* The one that it may be a copy of: the last one of a call on hold, while there is no other. */
static bool may_be_all(const struct reap *r, const char *controller, unsigned purpose, uint32_t day)
{
	char path[STORE_PATH_MAX];

	slots_path(controller, purpose, day, "bucket", path);
	return purpose == STORE_DOCUMENTATION && beneath_accessat(r->root.fd, path) &&
	       (!r->holds || hold_keeps_bucket(r->holds, controller, day));
}

static int overwrite(int fd, off_t size)
{
	static const uint8_t zeros[ZEROS];
	int rc = 0;

	for (off_t at = 0; !rc && at < size; at += ZEROS)
		rc = pwrite_all(fd, zeros, size - at < (off_t)ZEROS ? (size_t)(size - at) : ZEROS, at);
	return !rc && fdatasync(fd) ? -errno : rc;
}

static void destroy(struct reap *r, const char *path)
{
	int fd = beneath_openat(r->root.fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0), rc;
	const char *done = "is overwritten";
	char text[STORE_PATH_MAX + 160];
	struct stat sb = { 0 };

	if (fd < 0 && errno == ENOENT)
		return;
	rc = fd < 0 || fstat(fd, &sb) ? -errno : S_ISREG(sb.st_mode) ? 0 : -EINVAL;
	if (!rc && sb.st_nlink > 1)
		done = "has another name: this one is taken away";
	else if (!rc)
		rc = overwrite(fd, sb.st_size);
	if (fd >= 0)
		close(fd);
	if (!rc && beneath_unlinkat(r->root.fd, path, 0))
		rc = -errno;
	if (rc)
		snprintf(text, sizeof(text), "%.250s: a copy of a key whose day has begun cannot be destroyed: %s (rule K-7)", path, strerror(-rc));
	else
		snprintf(text, sizeof(text), "%.250s: a copy of a key whose day has begun: it %s (rule K-7)", path, done);
	reap_fault(r, rc ? rc : -EBADMSG, text);
}

static void look(struct reap *r, const char *controller, unsigned purpose, const char *name)
{
	char path[STORE_PATH_MAX];
	struct clock_date d;
	uint32_t day;

	if (strlen(name) < 11 || (strcmp(name + 10, ".bucket.tmp") && strcmp(name + 10, ".slots.tmp")) || clock_date_parse(name, 10, &d))
		return;
	day = day_number(&d);
	slots_path(controller, purpose, day, name + 11, path);
	if (!left_behind(&r->root, path, true)) /* of a call whose deadline is today a writer may just make it */
		return;
	if (reap_copy_due(r, controller, purpose, day, path) && !may_be_all(r, controller, purpose, day) && !r->set->dry)
		destroy(r, path);
}

void reap_copies(struct reap *r)
{
	struct names owners, files;
	int rc = names_read(&r->root, "keys", &owners);

	for (size_t i = 0; !rc && i < owners.n; i++)
		for (unsigned p = 0; !name_check(owners.v[i]) && p < STORE_PURPOSES; p++) {
			char dir[STORE_PATH_MAX];

			snprintf(dir, sizeof(dir), "keys/%.63s/%s", owners.v[i], store_purpose_names[p]);
			if (!names_read(&r->root, dir, &files)) /* the plan has read it, or said why not */
				for (size_t k = 0; k < files.n; k++)
					look(r, owners.v[i], p, files.v[k]);
			names_free(&files);
		}
	names_free(&owners);
}
