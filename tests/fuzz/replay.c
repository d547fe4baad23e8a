/* SPDX-License-Identifier: BSD-2-Clause */
/* replay.c - runs a fuzz target over the files of its corpus, so `make test` repeats every finding */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p, *exact;
	size_t n;

	if (!f) {
		perror(path);
		return -1;
	}
	p = malloc(1 << 22);
	if (!p)
		abort();
	n = fread(p, 1, 1 << 22, f);
	fclose(f);
	exact = malloc(n ? n : 1); /* exactly as long as the file: ASan sees one byte too far */
	if (!exact)
		abort();
	memcpy(exact, p, n);
	free(p);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned files = 0;
	struct dirent *e;
	DIR *d;

	if (argc != 2) {
		fprintf(stderr, "usage: replay_X CORPUS-DIRECTORY\n");
		return 2;
	}
	d = opendir(argv[1]);
	if (!d) {
		perror(argv[1]);
		return 1;
	}
	while ((e = readdir(d))) {
		char path[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		if (run_file(path))
			return 1;
		files++;
	}
	closedir(d);
	printf("%u files\n", files);
	return files ? 0 : 1; /* an empty corpus tests nothing */
}
