/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor.h - between doctor.c (findings out) and the parts that look
 *
 * Everything is probed, nothing is concluded from a version but the oldest
 * kernel that is tested. Nothing is changed on the machine, besides a file of
 * one block (with `measure`, 64 MiB) that the disk's probe makes and removes. One thread.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>

struct conf;

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_UNKNOWN, /* could not be looked at: not root */
	DOCTOR_COSTS,	/* works, with the cost told */
	DOCTOR_MISSING, /* optagd would not record */
};

/*
 * check: short name, "kernel"; about: which one ("eth1"), "" none. cost and fix:
 * NULL where there is nothing to say. Texts are copied out at once.
 */
void doctor_find(enum doctor_level level, const char *check, const char *about, const char *cost, const char *fix,
		 const char *found_fmt, ...) __attribute__((format(printf, 6, 7)));

void doctor_conf(const char *path, struct conf *ret); /* settings; *ret: the defaults, no interface, where they cannot be had */
bool doctor_by_libpcap(const struct conf *c);	      /* xdp none */

/* c: what the settings ask for */
void doctor_kernel(const struct conf *c); /* kernel, bpf, jit, btf, bpffs, memlock, huge pages, io_uring, clock, user */
void doctor_machine(void);		  /* processor, swap, cgroup */
/* name NULL: those of the settings, without them all that are not virtual */
void doctor_nic(const char *name, const char *policy, const struct conf *c);
/* disk, store, public and private keys; keys NULL: the usual places; measure: disk rate, by writing 64 MiB */
void doctor_store(const char *dir, const char *keys, bool measure);

void doctor_fs(const char *at); /* whether keys are overwritten where they lie; at: the store's directory, or what is there of its path */

/* First line of a file, without newline; false: cannot be read. */
bool doctor_line(const char *path, char *out, unsigned size);

#endif
