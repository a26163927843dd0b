/*
 * standalone.c - drives a fuzz target over files, where there is no libFuzzer.
 *
 * Each argument is a file, or a folder of files.  A target that finds a fault
 * aborts; the name of the file has been printed by then.
 */
#include "config.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Large enough for any seed; a larger file is cut off. */
#define SEED_MAX (1024 * 1024)

static int
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	size_t n;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	data = malloc(SEED_MAX);
	n = data != NULL ? fread(data, 1, SEED_MAX, f) : 0;
	fclose(f);
	printf("%s\n", path);
	fflush(stdout);
	/* a copy of the exact size, so that a sanitizer sees its end */
	if (data != NULL && n != 0)
		data = realloc(data, n);
	if (data != NULL)
		LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

static int
run_folder(DIR *dir, const char *path)
{
	char file[4096];
	struct dirent *entry;
	int status = 0;

	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		status |= run_file(file);
	}
	return status;
}

int
main(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		if (dir != NULL) {
			status |= run_folder(dir, argv[i]);
			closedir(dir);
		} else {
			status |= run_file(argv[i]);
		}
	}
	return status;
}
