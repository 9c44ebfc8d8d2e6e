/* --verify of a partition: its index files and its epochs, which only mean
 * something beside the batches. What is bad about batches, records and snapshots
 * is told file by file (dump_damage.c, dump_index.c). */
#include <string.h>

#include "cli/dump.h"
#include "log/verify.h"

struct verifying {
	struct dump *d;
	const char *dir;
	struct buf path; /* of the file last told of */
};

/* A file's findings come together; its heading is printed once. */
static void
turn_to(struct verifying *v, const char *file)
{
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%s", v->dir, file);
	/* Without memory both are empty. */
	if (v->path.len != path.len ||
	    (path.len > 0 && memcmp(v->path.data, path.data, path.len) != 0)) {
		buf_release(&v->path);
		v->path = path;
		v->d->headed = false;
	} else {
		buf_release(&path);
	}
	v->d->path = buf_cstr(&v->path);
	v->d->kind = dump_kind_of(v->d->path);
}

static void
finding_put(void *ctx, const struct verify_finding *f)
{
	struct verifying *v = ctx;
	int64_t position = f->position < 0 ? 0 : f->position;

	switch (f->check) {
	case VERIFY_ORDER:
	case VERIFY_BOUNDARY:
	case VERIFY_TIME:
	case VERIFY_SIZE:
	case VERIFY_PADDING:
	case VERIFY_TXN:
	case VERIFY_EPOCHS:
	case VERIFY_MISSING:
	case VERIFY_ORPHAN:
		break;
	default:
		return;
	}
	turn_to(v, f->file);
	if (f->damage)
		dump_bad(v->d, position, verify_check_name(f->check), f->text);
	else
		dump_note(v->d, position, verify_check_name(f->check), f->text);
}

bool
dump_verify_covers(enum dump_kind kind)
{
	return kind == DUMP_INDEX || kind == DUMP_TIME || kind == DUMP_TXN || kind == DUMP_EPOCHS;
}

int
dump_verify_dir(struct dump *d, const char *dir, struct err *err)
{
	struct verifying v = {.d = d, .dir = dir};
	struct verify_args args = {.recovery_point = -1, .found = finding_put, .ctx = &v};
	struct verify_totals totals = {0};
	int rc = verify_dir(d->os, dir, &args, &totals, err);

	dump_flush(d);
	buf_release(&v.path);
	d->path = NULL;
	return rc;
}
