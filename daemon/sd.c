/* SPDX-License-Identifier: BSD-2-Clause */
/* sd.c - the notification socket and the descriptors that systemd hands over (sd_notify(3), sd_listen_fds(3)) */
#include "sd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FDS_START 3 /* SD_LISTEN_FDS_START */
#define NAME_LEN  64

static struct {
	int sock; /* -1 no systemd */
	uint64_t watchdog_ns;
	unsigned nfd;
	struct {
		int fd;
		char name[NAME_LEN];
	} fd[SD_FDS_MAX];
} sd = { .sock = -1 };

static bool number_of(const char *name, uint64_t *ret)
{
	const char *s = getenv(name);
	char *end;

	if (!s || *s < '0' || *s > '9')
		return false;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	return !errno && !*end;
}

static int open_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(path);

	/* "@name" is the abstract namespace; anything else but a path cannot be reached (vsock:) */
	if ((path[0] != '/' && path[0] != '@') || n < 2 || n >= sizeof(a.sun_path))
		return -EINVAL;
	memcpy(a.sun_path, path, n);
	if (path[0] == '@')
		a.sun_path[0] = 0;
	sd.sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sd.sock < 0)
		return -errno;
	if (connect(sd.sock, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0)
		return 0;
	n = (size_t)errno;
	close(sd.sock);
	sd.sock = -1;
	return -(int)n;
}

static void take_fds(void)
{
	const char *names = getenv("LISTEN_FDNAMES");
	uint64_t pid, n;

	if (!number_of("LISTEN_PID", &pid) || pid != (uint64_t)getpid() || !number_of("LISTEN_FDS", &n))
		return;
	for (uint64_t i = 0; i < n && i < SD_FDS_MAX; i++) {
		size_t len = names ? strcspn(names, ":") : 0;
		int fd = FDS_START + (int)i;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
			sd.fd[sd.nfd].fd = fd;
			snprintf(sd.fd[sd.nfd++].name, NAME_LEN, "%.*s", (int)(len < NAME_LEN ? len : 0), names ? names : "");
		}
		names = names && names[len] ? names + len + 1 : NULL;
	}
}

int sd_init(void)
{
	static const char *const gone[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS",
					    "LISTEN_FDNAMES" };
	const char *path = getenv("NOTIFY_SOCKET");
	uint64_t usec, pid;
	int e = path && *path ? open_socket(path) : 0;

	if (number_of("WATCHDOG_USEC", &usec) && usec && usec < UINT64_MAX / 1000 &&
	    (!number_of("WATCHDOG_PID", &pid) || pid == (uint64_t)getpid()))
		sd.watchdog_ns = usec * 1000 / 2;
	take_fds();
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		(void)unsetenv(gone[i]); /* fails for a malformed name only */
	return e;
}

void sd_close(void)
{
	sd_fd_drop_rest();
	if (sd.sock >= 0)
		close(sd.sock);
	sd.sock = -1;
	sd.watchdog_ns = 0;
}

bool sd_under_systemd(void)
{
	return sd.sock >= 0;
}

/* One datagram, with a descriptor when fd >= 0. Never waits: systemd's queue may be full for a moment. */
static int send_message(const char *text, int fd)
{
	struct iovec iov;
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	char copy[512];

	if (sd.sock < 0)
		return 0;
	iov.iov_len = strnlen(text, sizeof(copy));
	memcpy(copy, text, iov.iov_len);
	iov.iov_base = copy;
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.room);
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(int));
	}
	return sendmsg(sd.sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int sd_ready(void)
{
	return send_message("READY=1", -1);
}

int sd_stopping(void)
{
	return send_message("STOPPING=1", -1);
}

int sd_watchdog(void)
{
	return send_message("WATCHDOG=1", -1);
}

uint64_t sd_watchdog_ns(void)
{
	return sd.watchdog_ns;
}

int sd_reloading(void)
{
	struct timespec ts;
	char text[96];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
	return send_message(text, -1);
}

int sd_status(const char *fmt, ...)
{
	char text[400];
	size_t n = strlen(strcpy(text, "STATUS="));
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	/* a newline would begin another variable */
	for (char *s = text; *s; s++)
		if (*s == '\n')
			*s = ' ';
	return send_message(text, -1);
}

static bool name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return n > 0 && n < NAME_LEN && !name[n];
}

int sd_fd_store(const char *name, int fd)
{
	char text[32 + NAME_LEN];

	if (!name_ok(name) || fd < 0)
		return -EINVAL;
	/* FDPOLL=0: systemd drops a stored descriptor that reports an error or hang-up otherwise */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	return send_message(text, fd);
}

int sd_fd_remove(const char *name)
{
	char text[32 + NAME_LEN];

	if (!name_ok(name))
		return -EINVAL;
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	return send_message(text, -1);
}

int sd_fd_take(const char *name)
{
	for (unsigned i = 0; i < sd.nfd; i++) {
		int fd = sd.fd[i].fd;

		if (fd < 0 || strcmp(sd.fd[i].name, name) != 0)
			continue;
		sd.fd[i].fd = -1;
		return fd;
	}
	return -1;
}

void sd_fd_drop_rest(void)
{
	for (unsigned i = 0; i < sd.nfd; i++)
		if (sd.fd[i].fd >= 0)
			close(sd.fd[i].fd);
	sd.nfd = 0;
}
