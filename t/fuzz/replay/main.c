/*
 * replay: runs a fuzz harness over files, without a fuzzer.
 *
 * usage: HARNESS FILE|DIR...
 *
 * Every file (and every file of a directory, in the order of names) is one TAP
 * test: it passes if LLVMFuzzerTestOneInput returns. What it must not do - read
 * out of bounds, overflow, abort - ends the program, which its runner counts.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay_file(const char *path)
{
	struct stat st;
	uint8_t *data;
	FILE *file = fopen(path, "rb");

	if (file == NULL || fstat(fileno(file), &st) == -1)
		err(1, "%s", path);

	/* The exact size, so that a read past the end is seen. */
	data = malloc((size_t)st.st_size);
	if (data == NULL && st.st_size > 0)
		err(1, "%s", path);
	if (fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		err(1, "%s", path);
	fclose(file);

	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	free(data);
	ok(true, "%s", path);
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void
replay(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_visible, alphasort);

	if (n == -1 && errno != ENOTDIR)
		err(1, "%s", path);
	if (n == -1)
		replay_file(path);
	for (int i = 0; i < n; i++) {
		char *file;

		if (asprintf(&file, "%s/%s", path, entries[i]->d_name) == -1)
			err(1, NULL);
		replay(file);
		free(file);
		free(entries[i]);
	}
	if (n != -1)
		free(entries);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	return tap_done();
}
