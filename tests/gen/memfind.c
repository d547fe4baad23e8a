/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfind.c - how much of a file's contents lies in a process's memory
 *
 *	memfind PID FILE
 *
 * Looks through every readable mapping, shared ones too, for WINDOW bytes in a row
 * that stand anywhere in FILE; dull windows (silence) do not count. Prints the places
 * found and the bytes looked through. Needs the right to read /proc/PID/mem. Built with
 * ASan, as the process then is, it passes over the shadow: 16 TiB that hold nothing of a program's.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW	 32
#define DISTINCT 12 /* different byte values in a window that counts */
#define STEP	 8  /* WINDOW + STEP - 1 bytes in a row are surely found */
#define SLOTS	 (1u << 23)
#define PIECE	 (1u << 20)

static uint8_t *file;
static uint32_t *slot; /* place in the file + 1 */
static size_t file_n;

static uint32_t hash(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return (uint32_t)(x * 0x9e3779b97f4a7c15ULL >> 41);
}

static bool dull(const uint8_t *p)
{
	uint64_t seen[4] = { 0 };
	int n = 0;

	for (int i = 0; i < WINDOW; i++)
		seen[p[i] / 64] |= 1ULL << p[i] % 64;
	for (int i = 0; i < 4; i++)
		n += __builtin_popcountll(seen[i]);
	return n < DISTINCT;
}

static void index_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t kept = 0;

	if (fd < 0 || fstat(fd, &st) || st.st_size < WINDOW || st.st_size > SLOTS / 2)
		errx(1, "%s: not a file of %d to %u bytes", path, WINDOW, SLOTS / 2);
	file_n = (size_t)st.st_size;
	file = malloc(file_n);
	slot = calloc(SLOTS, sizeof(*slot));
	if (!file || !slot || read(fd, file, file_n) != (ssize_t)file_n)
		err(1, "%s", path);
	close(fd);
	for (size_t i = 0; i + WINDOW <= file_n; i++) {
		uint32_t h = hash(file + i);

		if (dull(file + i))
			continue;
		while (slot[h])
			h = (h + 1) % SLOTS;
		slot[h] = (uint32_t)i + 1;
		kept++;
	}
	if (kept < file_n / 4)
		errx(1, "%s: mostly silence", path);
}

static bool known(const uint8_t *p)
{
	for (uint32_t h = hash(p); slot[h]; h = (h + 1) % SLOTS) {
		if (!memcmp(file + slot[h] - 1, p, WINDOW))
			return true;
	}
	return false;
}

/* Pieces overlap by WINDOW; what cannot be read (guard pages) is passed over. */
static void look(int mem, uint64_t from, uint64_t to, uint64_t *found, uint64_t *seen)
{
	static uint8_t b[PIECE + WINDOW];

	for (; from < to; from += PIECE) {
		size_t want = to - from < sizeof(b) ? (size_t)(to - from) : sizeof(b);
		ssize_t n = pread(mem, b, want, (off_t)from);

		if (n < WINDOW)
			continue;
		*seen += (size_t)n < PIECE ? (uint64_t)n : PIECE;
		for (size_t i = 0; i + WINDOW <= (size_t)n && i < PIECE; i += STEP)
			*found += known(b + i);
	}
}

/* The shadow begins at `offset`, the same in every process, and has a byte of 2^scale. */
void __asan_get_shadow_mapping(size_t *scale, size_t *offset) __attribute__((weak));

static bool is_shadow(uint64_t from, uint64_t to)
{
	size_t scale = 0, offset = 0;

	if (!__asan_get_shadow_mapping)
		return false;
	__asan_get_shadow_mapping(&scale, &offset);
	return from >= offset && to <= offset + ((1ULL << 47) >> scale);
}

int main(int argc, char **argv)
{
	uint64_t from, to, found = 0, seen = 0;
	char path[64], line[512], mode[8];
	FILE *maps;
	int mem;

	if (argc != 3) {
		fprintf(stderr, "usage: memfind PID FILE\n");
		return 2;
	}
	index_file(argv[2]);
	snprintf(path, sizeof(path), "/proc/%d/maps", atoi(argv[1]));
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%d/mem", atoi(argv[1]));
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (!maps || mem < 0)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, mode) == 3 && mode[0] == 'r' && !strstr(line, "[vvar") &&
		    !is_shadow(from, to))
			look(mem, from, to, &found, &seen);
	}
	printf("%" PRIu64 " places in %" PRIu64 " bytes\n", found, seen);
	fclose(maps);
	close(mem);
	return 0;
}
