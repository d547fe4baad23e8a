/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sd.h - talking to systemd: sd_notify(3) without its library
 *
 * Messages are datagrams to the socket in NOTIFY_SOCKET; without it every call
 * does nothing and returns 0, so that the daemon runs by hand as well. sd_init
 * reads the environment once and removes what children must not inherit. One
 * thread, after sd_init any (a message is one sendmsg).
 */
#ifndef SD_H
#define SD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SD_FDS_MAX 64

/* -EINVAL: NOTIFY_SOCKET names no socket address; -errno of socket(2). Also without systemd: 0. */
int sd_init(void);
void sd_close(void);
bool sd_under_systemd(void);

int sd_ready(void);
int sd_stopping(void);
/* Type=notify-reload and plain notify both: RELOADING with the monotonic time; sd_ready ends it. */
int sd_reloading(void);
int sd_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How often sd_watchdog must be called at least, half of what the unit allows; 0: no watchdog. */
uint64_t sd_watchdog_ns(void);
int sd_watchdog(void);

/*
 * Descriptors that outlive the process (FDSTORE, FileDescriptorStoreMax= in the
 * unit): kept by systemd under a name, given back at the next start. A name is
 * letters, digits, '-' and '_' (-EINVAL).
 */
int sd_fd_store(const char *name, int fd);
int sd_fd_remove(const char *name);
/* The kept descriptor of this name, or -1. It is the caller's from then on (close-on-exec). */
int sd_fd_take(const char *name);
/* Closes those nobody took. */
void sd_fd_drop_rest(void);

#endif
