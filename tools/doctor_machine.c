/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor_machine.c - the processor's instructions, swap, and the memory this process's group may take */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define MEMORY_LOW (2ULL << 30)

/* A word of the flags of the first processor (x86: "flags", ARM: "Features"). */
static bool has_flag(const char *flags, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = flags; (p = strstr(p, word)); p += n)
		if ((p == flags || isspace((unsigned char)p[-1])) && (!p[n] || isspace((unsigned char)p[n])))
			return true;
	return false;
}

static void processor(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[8192];
	bool known = false, aes = false, wide = false;

	while (f && !known && fgets(line, sizeof(line), f)) {
		known = strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0;
		aes = has_flag(line, "aes");
		wide = has_flag(line, "avx2") || has_flag(line, "asimd");
	}
	if (f)
		fclose(f);
	if (!known)
		doctor_find(DOCTOR_UNKNOWN, "processor", "", NULL, NULL, "/proc/cpuinfo does not tell its instructions");
	else if (!aes || !wide)
		doctor_find(DOCTOR_COSTS, "processor", "", "compressing and encrypting take several times as long.",
			    "let the virtual machine have the host's processor model.", "%s%s%s", aes ? "" : "no AES instructions",
			    aes || wide ? "" : ", ", wide ? "" : "no vector instructions (AVX2, NEON)");
	else
		doctor_find(DOCTOR_OK, "processor", "", NULL, NULL, "AES and vector instructions");
}

/* /proc/swaps: a line of titles, then "NAME TYPE SIZE USED PRIORITY". zram stays in memory, but who knows its backing. */
static void swap(void)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[512], name[256];
	unsigned n = 0;

	if (!f) {
		doctor_find(DOCTOR_OK, "swap", "", NULL, NULL, "the kernel has none");
		return;
	}
	*name = 0;
	if (fgets(line, sizeof(line), f))
		while (fgets(line, sizeof(line), f))
			if (!n++)
				(void)sscanf(line, "%255s", name);
	fclose(f);
	if (n)
		doctor_find(DOCTOR_COSTS, "swap", "",
			    "what optagd cannot lock in memory (see memlock), and listening programs, may leave audio on that disk.",
			    "swapoff -a, or encrypt it with a key that is new at each boot (crypttab: swap,/dev/urandom).", "%u, such as '%s'",
			    n, name);
	else
		doctor_find(DOCTOR_OK, "swap", "", NULL, NULL, "none");
}

static bool limit_in(const char *path, unsigned long long *ret)
{
	char line[64], *end;
	unsigned long long v;

	if (!doctor_line(path, line, sizeof(line)) || !isdigit((unsigned char)*line))
		return false; /* "max" */
	v = strtoull(line, &end, 10);
	if (*end || v >= *ret)
		return false;
	*ret = v;
	return true;
}

/* The least memory.max from this process's group up to the root (cgroup v2). */
static void group_memory(void)
{
	char line[512] = "", path[600], *group = NULL, *slash;
	unsigned long long least = ~0ULL;
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f && !group && fgets(line, sizeof(line), f))
		if (strncmp(line, "0::/", 4) == 0)
			group = line + 3;
	if (f)
		fclose(f);
	if (group)
		group[strcspn(group, "\n")] = 0;
	while (group && *group) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group);
		(void)limit_in(path, &least);
		slash = strrchr(group, '/');
		if (!slash)
			break;
		*slash = 0;
	}
	(void)limit_in("/sys/fs/cgroup/memory.max", &least);
	if (least == ~0ULL)
		doctor_find(DOCTOR_OK, "cgroup", "", NULL, NULL, "no limit of memory");
	else if (least < MEMORY_LOW)
		doctor_find(DOCTOR_COSTS, "cgroup", "", "optagd is killed when its calls and rings need more: some 45 KiB a call, and ring of each CPU.",
			    "raise MemoryMax= of the unit or the container's limit, or lower calls, ring and call-memory.",
			    "at most %.1f GiB of memory", (double)least / (1 << 30));
	else
		doctor_find(DOCTOR_OK, "cgroup", "", NULL, NULL, "at most %.1f GiB of memory", (double)least / (1 << 30));
}

void doctor_machine(void)
{
	processor();
	swap();
	group_memory();
}
