/* wire_gen's command line; see gen.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"

static void
write_file(const char *dir, const char *prefix, const char *ext, const struct msg *msgs,
    void (*put)(FILE *, const char *, const struct msg *))
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s_gen.%s", dir, prefix, ext);
	out = fopen(path, "w");
	if (out != NULL)
		put(out, prefix, msgs);
	if (out == NULL || ferror(out) || fclose(out) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
}

/* Two messages of one name, or of one number in a family. */
static void
check_unique(const struct msg *msgs)
{
	for (const struct msg *a = msgs; a != NULL; a = a->next)
		for (const struct msg *b = a->next; b != NULL; b = b->next) {
			bool same = strcmp(a->cname, b->cname) == 0;

			for (int i = 0; a->family == b->family && i < a->key_count; i++)
				for (int j = 0; j < b->key_count; j++)
					same = same || a->keys[i] == b->keys[j];
			if (same) {
				fprintf(stderr, "%s:%d: %s has the name or number of %s in %s\n",
				    b->file, b->line, b->name, a->name, a->file);
				exit(1);
			}
		}
}

int
main(int argc, char **argv)
{
	struct msg *msgs = NULL, **tail = &msgs;
	bool dump = argc > 1 && strcmp(argv[1], "--dump") == 0;

	if (argc < (dump ? 3 : 4)) {
		fprintf(stderr, "usage: wire_gen PREFIX OUTDIR SCHEMA...\n"
				"       wire_gen --dump SCHEMA...\n");
		return 64;
	}
	for (int i = dump ? 2 : 3; i < argc; i++)
		gen_parse(argv[i], &tail);
	check_unique(msgs);
	if (dump) {
		gen_dump(stdout, msgs);
		return 0;
	}
	write_file(argv[2], argv[1], "h", msgs, gen_header);
	write_file(argv[2], argv[1], "c", msgs, gen_source);
	return 0;
}
