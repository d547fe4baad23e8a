/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_attach.c - pins, the lock, the link to the interface
 *
 * BPFFS/optag/IFNAME (a dot in it is a colon there) holds one pin a map and `link`. Whoever holds a flock on
 * that directory is the interface's daemon; the lock goes with the process, the
 * pins stay. An interface that was renamed since is known by its index: whoever
 * opens it renames the directory. Everything goes through the directory's descriptor, so that a daemon
 * that has dropped its privileges, and may not walk to it, can still clean up.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/xdp_internal.h"

#define OLD_S 600 /* the most that take-over may be */

static void pin_path(const struct xdp *x, const char *name, char out[320])
{
	snprintf(out, 320, "%s/%s", x->dir, name);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- the lock ---- */

static int open_dir(struct xdp *x, int at, const char *name)
{
	int fd;

	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Refused where ids are not ours to give; then only cleaning up later will fail. */
	if (x->set.uid != (uid_t)-1 || x->set.gid != (gid_t)-1)
		(void)fchown(fd, x->set.uid, x->set.gid);
	return fd;
}

/* The one who held the lock may remove the directory between our open and our lock. */
static bool still_there(int at, const char *name, int fd)
{
	struct stat a, b;

	return !fstat(fd, &a) && !fstatat(at, name, &b, AT_SYMLINK_NOFOLLOW) &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static int lock_dir(struct xdp *x)
{
	for (int i = 0; i < 100; i++) {
		int fd = open_dir(x, x->rootfd, x->pins);

		if (fd < 0)
			return xdp_why(x, fd, "%s: %s", x->dir, strerror(-fd));
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			close(fd);
			return xdp_why(x, -EBUSY, "%s: another daemon captures here", x->set.ifname);
		}
		if (still_there(x->rootfd, x->pins, fd)) {
			x->dirfd = fd;
			return 0;
		}
		close(fd);
	}
	return xdp_why(x, -EBUSY, "%s: the pins come and go", x->set.ifname);
}

static int open_root(struct xdp *x)
{
	struct statfs fs;
	int fd = open(x->set.bpffs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* no name there has a dot, and no interface's a colon */
	snprintf(x->pins, sizeof(x->pins), "%s", x->set.ifname);
	for (char *dot = x->pins; (dot = strchr(dot, '.'));)
		*dot = ':';
	if (fd < 0)
		return xdp_why(x, -errno, "%s: %s", x->set.bpffs, strerror(errno));
	if (fstatfs(fd, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		close(fd);
		return xdp_why(x, -ENOTDIR, "%s: no bpf file system is mounted here", x->set.bpffs);
	}
	x->rootfd = open_dir(x, fd, "optag");
	close(fd);
	if (x->rootfd < 0)
		return xdp_why(x, x->rootfd, "%s/optag: %s", x->set.bpffs, strerror(-x->rootfd));
	if ((size_t)snprintf(x->dir, sizeof(x->dir), "%s/optag/%s", x->set.bpffs, x->pins) >=
	    sizeof(x->dir))
		return xdp_why(x, -ENAMETOOLONG, "path of the bpf file system: too long");
	return lock_dir(x);
}

/* ---- pins of another daemon ---- */

static void remove_pins(struct xdp *x)
{
	(void)unlinkat(x->dirfd, "link", 0); /* ENOENT: was not there */
	for (int i = 0; i < XDP_MAPS; i++)
		(void)unlinkat(x->dirfd, xdp_map_names[i], 0);
}

static void forget_old(struct xdp *x)
{
	for (int i = 0; i < XDP_MAPS; i++)
		close_fd(&x->old[i]);
}

/* Our own, is it attached still? A device that went away leaves a link to nothing. */
static bool link_is_ours(const struct xdp *x, int link)
{
	struct bpf_link_info info;
	uint32_t n = sizeof(info);

	memset(&info, 0, sizeof(info));
	return !bpf_obj_get_info_by_fd(link, &info, &n) && info.type == BPF_LINK_TYPE_XDP &&
	       info.xdp.ifindex == (uint32_t)x->ifindex;
}

/* The index of the interface here that this link captures from; 0 none. Another network namespace's may have the same. */
static uint32_t captured_by(int link)
{
	struct bpf_xdp_query_opts o = { .sz = sizeof(o) };
	struct bpf_link_info info;
	uint32_t n = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (bpf_obj_get_info_by_fd(link, &info, &n) || info.type != BPF_LINK_TYPE_XDP || !info.xdp.ifindex ||
	    bpf_xdp_query((int)info.xdp.ifindex, 0, &o))
		return 0;
	return info.prog_id == o.prog_id || info.prog_id == o.drv_prog_id || info.prog_id == o.skb_prog_id ? info.xdp.ifindex : 0;
}

static bool link_is_somewhere(int link)
{
	struct bpf_link_info info;
	uint32_t n = sizeof(info);

	memset(&info, 0, sizeof(info));
	return !bpf_obj_get_info_by_fd(link, &info, &n) && info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex;
}

static int map_info(int fd, struct bpf_map_info *ret)
{
	uint32_t n = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &n);
}

static bool map_is(int fd, uint32_t entries, uint64_t value)
{
	struct bpf_map_info info;

	return !map_info(fd, &info) && info.max_entries == entries && info.value_size == value;
}

static bool value_is(int fd, uint32_t value)
{
	struct bpf_map_info info;

	return !map_info(fd, &info) && info.type == BPF_MAP_TYPE_ARRAY && info.value_size == value;
}

/* The numbers in the pinned description are believed only as far as the maps have them. */
static bool sizes_fit(const struct xdp *x)
{
	const struct optag_info *o = &x->old_info;

	return o->rings == (uint32_t)libbpf_num_possible_cpus() &&
	       map_is(x->old[XDP_FLOWS], o->flow_lines * 2, sizeof(struct optag_flow)) &&
	       map_is(x->old[XDP_TAGS], OPTAG_TAG_PAIRS(o->flow_lines), sizeof(struct optag_tag_pair)) &&
	       map_is(x->old[XDP_RINGS], o->rings,
		      sizeof(struct optag_ring) + (uint64_t)o->ring_bytes + OPTAG_RING_SLACK) &&
	       map_is(x->old[XDP_SIGNALS], o->sig_bytes, 0) && value_is(x->old[XDP_STATE], OPTAG_STATE_BLOCK);
}

static int open_pinned(struct xdp *x, enum xdp_map m)
{
	char path[320];

	pin_path(x, xdp_map_names[m], path);
	return bpf_obj_get(path);
}

/* Shared maps: what is pinned here must be the very same ones. */
static int try_share(struct xdp *x, const char **ret)
{
	struct bpf_map_info pinned, ours;

	for (int i = 0; i < XDP_MAPS; i++) {
		int fd = open_pinned(x, (enum xdp_map)i);
		bool same = fd >= 0 && !map_info(fd, &pinned) && !map_info(x->old[i], &ours) &&
			    pinned.id == ours.id;

		close_fd(&fd);
		if (!same) {
			*ret = "they are not the first interface's";
			return -ESTALE;
		}
	}
	return 0;
}

/* 0: adopted. Else what does not fit, in *ret. */
static int try_adopt(struct xdp *x, const char **ret)
{
	uint32_t zero = 0;

	if (x->set.share)
		return try_share(x, ret);
	for (int i = 0; i < XDP_MAPS; i++) {
		x->old[i] = open_pinned(x, (enum xdp_map)i);
		if (x->old[i] < 0) {
			*ret = "a map is missing";
			return -ESTALE;
		}
	}
	if (!map_is(x->old[XDP_INFO], 1, sizeof(x->old_info)) ||
	    bpf_map_lookup_elem(x->old[XDP_INFO], &zero, &x->old_info) ||
	    x->old_info.abi != OPTAG_ABI) {
		*ret = "they are of another version";
		return -ESTALE;
	}
	if (!sizes_fit(x)) {
		*ret = "sizes or number of CPUs differ";
		return -ESTALE;
	}
	return 0;
}

/* ---- interfaces that have another name than when they were pinned ---- */

/* What is pinned in the directory `name` becomes what is pinned for x. */
static bool take_dir(struct xdp *x, const char *name)
{
	int fd = openat(x->rootfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && still_there(x->rootfd, name, fd)) {
		remove_pins(x); /* of nobody's */
		if (renameat(x->rootfd, name, x->rootfd, x->pins) == 0) {
			close(x->dirfd);
			x->dirfd = fd;
			return true;
		}
	}
	close(fd);
	return false;
}

/* The link of this interface that is pinned under another name and nobody's now, if there is one: its pins get our name. -1 there is
 * none. */
static int take_renamed(struct xdp *x)
{
	int fd = openat(x->rootfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), link = -1;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	char path[600], name[NAME_MAX + 1];

	if (!d)
		close_fd(&fd);
	while (d && link < 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, x->pins) ||
		    (size_t)snprintf(path, sizeof(path), "%s/optag/%s/link", x->set.bpffs, e->d_name) >= sizeof(path))
			continue;
		link = bpf_obj_get(path);
		snprintf(name, sizeof(name), "%s", e->d_name);
		if (link >= 0 && (captured_by(link) != (uint32_t)x->ifindex || !take_dir(x, name)))
			close_fd(&link);
	}
	if (d)
		closedir(d);
	if (link >= 0)
		xdp_why(x, 0, "%s: what was left for it under the name %s is its own now", x->set.ifname, name);
	return link;
}

/* Under our name: another interface here is called something else now. It looks for this by what it is; the name is no interface's. */
static int set_aside(struct xdp *x, uint32_t ifindex)
{
	char name[16];

	snprintf(name, sizeof(name), "%u" XDP_ASIDE, ifindex);
	if (renameat(x->rootfd, x->pins, x->rootfd, name))
		return 0; /* it goes */
	close_fd(&x->dirfd);
	return lock_dir(x);
}

/* Without a link nothing captures into the maps: leftovers, not a takeover. */
int xdp_pins_open(struct xdp *x)
{
	const char *what = "";
	bool elsewhere;
	uint32_t by = 0;
	char path[320];
	int link, e = open_root(x);

	if (e)
		return e;
	pin_path(x, "link", path);
	link = bpf_obj_get(path);
	if (link >= 0)
		by = captured_by(link);
	elsewhere = link >= 0 && !by && link_is_somewhere(link);
	if (by != (uint32_t)x->ifindex) {
		close_fd(&link);
		e = by ? set_aside(x, by) : 0;
		if (e)
			return e;
		link = take_renamed(x);
	}
	if (link < 0) {
		remove_pins(x);
		return elsewhere ? xdp_why(x, 0, "%s: pins of an interface of another network namespace were replaced", x->set.ifname) : 0;
	}
	if (!try_adopt(x, &what)) {
		x->link = link;
		x->adopted = true;
		return 0;
	}
	if (!x->set.share)
		forget_old(x);
	if (!x->set.replace) {
		close_fd(&link);
		x->adopted = true; /* not ours to remove */
		return xdp_why(x, -ESTALE, "%s: pins of another daemon do not fit: %s", x->set.ifname, what);
	}
	(void)bpf_link_detach(link); /* what fails here fails again, with its reason, on attaching */
	close_fd(&link);
	remove_pins(x);
	return xdp_why(x, 0, "%s: pins of another daemon did not fit and were replaced: %s",
		       x->set.ifname, what);
}

/* ---- leftovers ---- */

/* Whose pins these are: the interface's name, or as it is what was set aside. The directory of that is this one again. */
static void interface_of(const char *dir, char ret[NAME_MAX + 1])
{
	size_t digits = strspn(dir, "0123456789");

	snprintf(ret, NAME_MAX + 1, "%s", dir);
	if (digits && !strcmp(dir + digits, XDP_ASIDE))
		return;
	for (char *colon = ret; (colon = strchr(colon, ':'));)
		*colon = '.';
}

/* Nothing was pinned or removed there for longer than any daemon waits for its next one. */
static bool is_old(const char *dir)
{
	struct stat st;

	return !lstat(dir, &st) && st.st_mtim.tv_sec < time(NULL) - OLD_S;
}

/*
 * Of a daemon that is gone for longer than it had said. Another version's description may have another form, and this version
 * takes nothing over from it: what is old goes. (A daemon that runs has the lock.)
 */
static bool is_abandoned(const char *dir)
{
	struct optag_info info;
	struct timespec now;
	uint32_t zero = 0;
	char path[320];
	bool there, ours;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, xdp_map_names[XDP_INFO]) >= sizeof(path))
		return false;
	fd = bpf_obj_get(path);
	there = fd >= 0;
	ours = there && map_is(fd, 1, sizeof(info)) && !bpf_map_lookup_elem(fd, &zero, &info) && info.abi == OPTAG_ABI;
	close_fd(&fd);
	if (there && !ours)
		return is_old(dir);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return ours && info.alive_until_ns && info.alive_until_ns < (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

int xdp_pins_release(struct xdp *x, bool abandoned)
{
	char path[320];
	int e, had;

	e = open_root(x);
	if (e)
		return e;
	if (abandoned && !is_abandoned(x->dir))
		return 0;
	pin_path(x, "link", path);
	x->link = bpf_obj_get(path);
	if (!abandoned && x->ifindex && (x->link < 0 || captured_by(x->link) != (uint32_t)x->ifindex)) {
		int link = take_renamed(x);

		if (link >= 0) {
			close_fd(&x->link);
			x->link = link;
		}
	}
	had = x->link >= 0 || !faccessat(x->dirfd, xdp_map_names[0], F_OK, AT_SYMLINK_NOFOLLOW);
	if (x->link >= 0 && x->ifindex && captured_by(x->link) != (uint32_t)x->ifindex)
		close_fd(&x->link); /* of an interface that had this name */
	xdp_pins_close(x, false);
	if ((size_t)snprintf(path, sizeof(path), "%s/optag", x->set.bpffs) < sizeof(path))
		(void)rmdir(path); /* not empty: another interface's pins */
	return had;
}

/* Whether what is pinned under this name are the maps of x. */
static bool shares_maps(const struct xdp *x, const char *ifname)
{
	struct bpf_map_info theirs, ours;
	char path[600];
	int fd;
	bool same;

	if ((size_t)snprintf(path, sizeof(path), "%s/optag/%s/%s", x->set.bpffs, ifname, xdp_map_names[XDP_INFO]) >= sizeof(path))
		return false;
	fd = bpf_obj_get(path);
	same = fd >= 0 && !map_info(fd, &theirs) && !map_info(bpf_map__fd(x->map[XDP_INFO]), &ours) && theirs.id == ours.id;
	close_fd(&fd);
	return same;
}

static bool is_one_of(struct xdp *const x[], size_t n, const char *ifname)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(x[i]->pins, ifname))
			return true;
	return false;
}

static bool is_aside_of(struct xdp *const x[], size_t n, const char *name)
{
	char of[sizeof(XDP_ASIDE) + 10];

	for (size_t i = 0; i < n; i++) {
		snprintf(of, sizeof(of), "%u" XDP_ASIDE, (unsigned)x[i]->ifindex);
		if (!strcmp(of, name))
			return true;
	}
	return false;
}

void xdp_release_others(struct xdp *const x[], size_t n, void (*said)(const char *ifname, int rc))
{
	int fd = openat(x[0]->rootfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	char name[NAME_MAX + 1], why[512];

	if (!d)
		close_fd(&fd);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || is_one_of(x, n, e->d_name) || (!shares_maps(x[0], e->d_name) && !is_aside_of(x, n, e->d_name)))
			continue;
		interface_of(e->d_name, name);
		said(name, xdp_release(name, x[0]->set.bpffs, why, sizeof(why)));
	}
	if (d)
		closedir(d);
}

/* Looked at before the lock is taken, too: a daemon that starts is not to find that held for nothing. */
int xdp_release_abandoned(const char *bpffs, void (*said)(const char *ifname, int rc))
{
	char dir[256], one[256 + NAME_MAX + 2], name[NAME_MAX + 1], why[512];
	const struct dirent *e;
	DIR *d;
	int rc;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/optag", bpffs ? bpffs : "/sys/fs/bpf") >= sizeof(dir))
		return -ENAMETOOLONG;
	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		snprintf(one, sizeof(one), "%s/%s", dir, e->d_name);
		if (e->d_name[0] == '.' || !is_abandoned(one))
			continue;
		interface_of(e->d_name, name);
		rc = xdp_release_pins(name, bpffs, true, why, sizeof(why));
		if (rc && rc != -EBUSY) /* one that hangs still captures */
			said(name, rc);
	}
	closedir(d);
	return 0;
}

/* ---- the link ---- */

static int create_link(struct xdp *x, uint32_t flags)
{
	struct bpf_link_create_opts o = { .sz = sizeof(o), .flags = flags };
	int fd = bpf_link_create(x->prog, x->ifindex, BPF_XDP, &o);

	return fd < 0 ? -errno : fd;
}

static enum xdp_mode mode_of(const struct xdp *x)
{
	struct bpf_xdp_query_opts o = { .sz = sizeof(o) };

	if (bpf_xdp_query(x->ifindex, 0, &o))
		return XDP_UNATTACHED;
	return o.attach_mode == XDP_ATTACHED_SKB ? XDP_GENERIC : XDP_NATIVE;
}

static const char *native_reason(int e)
{
	switch (e) {
	case -EOPNOTSUPP:
		return "the driver has none";
	case -EINVAL:
	case -ERANGE:
	case -E2BIG:
		return "the driver refuses it, perhaps for the MTU or LRO";
	case -ENOSPC:
	case -ENOMEM:
		return "the driver lacks queues or memory for it";
	default:
		return strerror(-e);
	}
}

static int attach_new(struct xdp *x)
{
	bool generic = x->set.mode == XDP_GENERIC;
	int e = create_link(x, generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);

	if (e == -EBUSY || e == -EEXIST)
		return xdp_why(x, -EBUSY, "%s: another XDP program is attached", x->set.ifname);
	x->mode = generic ? XDP_GENERIC : XDP_NATIVE;
	if (e < 0 && e != -EPERM && x->set.mode == XDP_UNATTACHED) {
		const char *reason = native_reason(e);

		e = create_link(x, XDP_FLAGS_SKB_MODE);
		x->mode = XDP_GENERIC;
		if (e >= 0)
			xdp_why(x, 0, "%s: generic XDP, several times slower than native: %s", x->set.ifname,
				reason);
	}
	if (e < 0)
		return xdp_why(x, e, "%s: attaching XDP: %s", x->set.ifname, strerror(-e));
	x->link = e;
	return 0;
}

static int pin_all(struct xdp *x)
{
	char path[320];
	int e;

	for (int i = 0; i < XDP_MAPS; i++) {
		pin_path(x, xdp_map_names[i], path);
		e = bpf_obj_pin(bpf_map__fd(x->map[i]), path);
		if (e)
			return xdp_why(x, e, "pinning %s: %s", path, strerror(-e));
	}
	pin_path(x, "link", path);
	e = bpf_obj_pin(x->link, path);
	return e ? xdp_why(x, e, "pinning %s: %s", path, strerror(-e)) : 0;
}

int xdp_attach(struct xdp *x)
{
	int e;

	if (x->adopted) {
		e = bpf_link_update(x->link, x->prog, NULL);
		if (e)
			return xdp_why(x, e, "%s: taking the link over: %s", x->set.ifname, strerror(-e));
		x->mode = mode_of(x);
	} else {
		e = attach_new(x);
		if (!e)
			e = pin_all(x);
	}
	forget_old(x);
	if (e)
		x->mode = XDP_UNATTACHED;
	return e;
}

/* ---- interfaces that come and go ---- */

bool xdp_attached(const struct xdp *x)
{
	return x->link >= 0 && link_is_ours(x, x->link);
}

/* The path may be closed to the daemon's user, the directory is its own: it goes there by its descriptor. */
static int pin_link_again(struct xdp *x)
{
	char path[64];
	int e;

	(void)unlinkat(x->dirfd, "link", 0); /* of the link before; ENOENT: it never was */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/link", x->dirfd);
	e = bpf_obj_pin(x->link, path);
	return e ? xdp_why(x, 0, "%s: the link is not pinned, the next daemon will not take over: %s", x->set.ifname,
			   strerror(-e)) : 0;
}

int xdp_reattach(struct xdp *x, uint32_t ifindex, char *why, size_t n)
{
	int e;

	why[0] = '\0';
	if (!x->set.ifname || x->dirfd < 0)
		return -EINVAL;
	close_fd(&x->link);
	x->ifindex = (int)ifindex;
	x->why = why;
	x->why_n = n;
	e = attach_new(x);
	if (!e)
		e = pin_link_again(x);
	else
		x->mode = XDP_UNATTACHED;
	x->why = NULL;
	x->why_n = 0;
	return e;
}

void xdp_pins_close(struct xdp *x, bool keep)
{
	if (x->dirfd >= 0 && !keep) {
		if (x->link >= 0)
			(void)bpf_link_detach(x->link); /* else closing the last descriptor does */
		remove_pins(x);
		(void)unlinkat(x->rootfd, x->pins, AT_REMOVEDIR);
	}
	close_fd(&x->link);
	forget_old(x);
	close_fd(&x->dirfd);
	close_fd(&x->rootfd);
}
