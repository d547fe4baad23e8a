/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * create.c - making a store and its key pairs
 *
 * Everything made is noted and removed again, last first, when a later step
 * fails. optag.store is written last: a directory with it is a whole store.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/keys.h"

struct made {
	char *path[32];
	int n;
	bool shared; /* the store's directory is its group's (struct root) */
	struct why why;
};

static int note(struct made *m, const char *path)
{
	if (m->n == 32)
		return -E2BIG;
	m->path[m->n] = strdup(path);
	return m->path[m->n] ? (m->n++, 0) : -ENOMEM;
}

static void undo(struct made *m)
{
	while (m->n)
		(void)remove(m->path[--m->n]), free(m->path[m->n]); /* best effort, on the way out */
}

static void forget(struct made *m)
{
	while (m->n)
		free(m->path[--m->n]);
}

/* Makes one directory (parents must exist); fine when it is there. */
static int make_dir(struct made *m, const char *path)
{
	if (!mkdir(path, 0700))
		return note(m, path);
	if (errno != EEXIST)
		return why_errno(&m->why, -errno, path, "cannot make directory");
	return 0;
}

/* One of the store's. */
static int make_sub(struct made *m, const char *path)
{
	int rc = make_dir(m, path);
	struct stat sb;

	/* as make_dirs; the group and its bit are those of the directory above */
	if (!rc && m->shared && (stat(path, &sb) || chmod(path, (sb.st_mode & 07777) | 0070)))
		rc = why_errno(&m->why, -errno, path, "cannot give the group access");
	return rc;
}

static int make_file(struct made *m, const char *path, const void *p, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode), rc;

	if (fd < 0)
		return why_errno(&m->why, -errno, path, "cannot create");
	rc = note(m, path);
	if (!rc)
		rc = pwrite_all(fd, p, n, 0);
	if (!rc && m->shared && mode == 0644 && fchmod(fd, 0640)) /* whatever the umask */
		rc = -errno;
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc ? why_errno(&m->why, rc, path, "cannot write") : 0;
}

static int sync_path(struct made *m, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd))
		rc = why_errno(&m->why, -errno, dir, "cannot sync");
	if (fd >= 0)
		close(fd);
	return rc;
}

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool empty = d;

	while (empty && (e = readdir(d)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	return empty;
}

/* Private keys beside the data they open would make them worthless (and `init` would mix names). */
static bool inside(const char *dir, const char *keys_dir)
{
	char *a = realpath(dir, NULL), *b = realpath(keys_dir, NULL), *parent = NULL, *slash;
	bool in = false;

	if (!b) { /* not there yet: where it would be */
		parent = strdup(keys_dir);
		slash = parent ? strrchr(parent, '/') : NULL;
		if (slash)
			slash[slash == parent] = 0;
		b = parent ? realpath(slash ? parent : ".", NULL) : NULL;
	}
	if (a && b) {
		size_t n = strlen(a);

		in = !strncmp(a, b, n) && (b[n] == '/' || !b[n]);
	}
	free(a);
	free(b);
	free(parent);
	return in;
}

static int put_pair(struct made *m, const char *pub_path, const char *secret_path, const char *owner,
		    enum store_purpose p)
{
	char pub[512], secret[512];
	int rc;

	keypair_make(p, owner, pub, secret);
	rc = make_file(m, secret_path, secret, strlen(secret), 0600);
	sodium_memzero(secret, sizeof(secret));
	return rc ? rc : make_file(m, pub_path, pub, strlen(pub), 0644);
}

static int copy_public(struct made *m, const char *pub_path, const char *public_dir, const char *name)
{
	char path[4096], text[4097];
	struct pubkey key;
	size_t n;
	int rc;

	snprintf(path, sizeof(path), "%s/%s.pub", public_dir, name);
	rc = read_small(AT_FDCWD, path, text, sizeof(text) - 1, &n);
	if (rc)
		return why_errno(&m->why, rc, path, "cannot read public key");
	text[n] = 0;
	if (pubkey_parse(text, n, &key))
		return why_set(&m->why, -EBADMSG, "%s: not a public key of optag (rule T-2)", path);
	return make_file(m, pub_path, text, n, 0644);
}

static int make_keys(struct made *m, const char *dir, const char *keys_dir, const char *public_dir,
		     const char *controller)
{
	const char *owner = controller ? controller : "default";
	char pub_dir[4096], priv_dir[4096], pub[4200], priv[4200];
	int rc;

	snprintf(pub_dir, sizeof(pub_dir), "%s/public/%s", dir, owner);
	rc = make_sub(m, pub_dir);
	if (!rc && !public_dir) {
		snprintf(priv_dir, sizeof(priv_dir), "%s", keys_dir);
		rc = make_dir(m, priv_dir);
		if (!rc && inside(dir, priv_dir))
			rc = why_set(&m->why, -EINVAL, "%s: private keys must not lie in the store", keys_dir);
		if (!rc && controller) {
			snprintf(priv_dir, sizeof(priv_dir), "%s/%s", keys_dir, controller);
			rc = make_dir(m, priv_dir);
		}
	}
	for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
		snprintf(pub, sizeof(pub), "%s/%s.pub", pub_dir, store_purpose_names[p]);
		snprintf(priv, sizeof(priv), "%s/%s.key", priv_dir, store_purpose_names[p]);
		rc = public_dir ? copy_public(m, pub, public_dir, store_purpose_names[p]) :
				  put_pair(m, pub, priv, owner, (enum store_purpose)p);
	}
	if (!rc && !public_dir)
		rc = sync_path(m, priv_dir);
	return rc ? rc : sync_path(m, pub_dir);
}

static int make_tree(struct made *m, const char *dir)
{
	static const char *const sub[] = { "public", "keys", "segments", "catalog" };
	uint8_t key[32];
	char path[4200];
	int rc = make_dir(m, dir);

	for (size_t i = 0; !rc && i < sizeof(sub) / sizeof(*sub); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, sub[i]);
		rc = make_sub(m, path);
	}
	if (rc)
		return rc;
	randombytes_buf(key, sizeof(key));
	snprintf(path, sizeof(path), "%s/number.key", dir);
	rc = make_file(m, path, key, sizeof(key), 0600);
	sodium_memzero(key, sizeof(key));
	return rc;
}

static int make_head(struct made *m, const char *dir)
{
	char path[4200], text[256], hex[33], when[32];
	uint8_t id[16];
	int rc;

	randombytes_buf(id, sizeof(id));
	hex_format(id, sizeof(id), hex);
	clock_format(clock_now_ns(), when);
	snprintf(text, sizeof(text), "optag-store %d\nid %s\ncreated %s\n", STORE_FORMAT, hex, when);
	snprintf(path, sizeof(path), "%s/optag.store", dir);
	rc = make_file(m, path, text, strlen(text), 0644);
	return rc ? rc : sync_path(m, dir);
}

int store_create(const char *dir, const char *keys_dir, const char *public_dir, const char *controller,
		 char *why, size_t n)
{
	struct made m = { .n = 0 };
	struct stat sb;
	char head[4096];
	bool exists;
	int rc = keys_init();

	if (rc)
		why_set(&m.why, rc, "libsodium does not start");
	else if (controller && (name_check(controller) || !strcmp(controller, "default")))
		rc = why_set(&m.why, -EINVAL, "controller name is not a file name of a-z 0-9 . _ -");
	else if (!keys_dir && !public_dir)
		rc = why_set(&m.why, -EINVAL, "neither a directory for private keys nor public keys given");
	else if (strlen(dir) > 3000 || (keys_dir && strlen(keys_dir) > 3000) ||
		 (public_dir && strlen(public_dir) > 3000))
		rc = why_set(&m.why, -ENAMETOOLONG, "directory name is too long");
	if (rc)
		goto out;
	snprintf(head, sizeof(head), "%s/optag.store", dir);
	m.shared = !stat(dir, &sb) && sb.st_mode & S_IWGRP;
	exists = !access(head, F_OK);
	if (exists && !controller)
		rc = why_set(&m.why, -EEXIST, "%s: there is a store already", dir);
	else if (!exists && !access(dir, F_OK) && !is_empty(dir))
		rc = why_set(&m.why, -ENOTEMPTY, "%s: not an empty directory", dir);
	if (!rc && !exists)
		rc = make_tree(&m, dir);
	if (!rc)
		rc = make_keys(&m, dir, keys_dir, public_dir, controller);
	if (!rc && !exists)
		rc = make_head(&m, dir);
out:
	if (rc && !m.why.text[0])
		why_set(&m.why, rc, "%s: %s", dir, strerror(-rc));
	if (rc)
		undo(&m);
	else
		forget(&m);
	if (rc && why && n)
		snprintf(why, n, "%s", m.why.text);
	return rc;
}
