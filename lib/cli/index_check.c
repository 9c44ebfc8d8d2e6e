#include <stdio.h>
#include <string.h>

#include "cli/indexes.h"
#include "log/verify.h"

const struct column index_check_columns[5] = {
    {"grade", false}, {"file", false}, {"pos", true}, {"problem", false}, {"detail", false}};

struct check {
	const char *dir;
	struct print *out;
	struct err *err;
	bool only_differ; /* what is bad in one of them has been told */
	int64_t damaged;
	bool failed; /* a row could not be made */
};

static void
finding_put(void *ctx, const struct verify_finding *f)
{
	struct check *c = ctx;
	struct buf path = BUF_INIT;

	if (c->failed || (c->only_differ && f->check != VERIFY_DIFFER))
		return;
	c->damaged += f->damage ? 1 : 0;
	buf_printf(&path, "%s/%s", c->dir, f->file);
	print_text(c->out, f->damage ? "bad" : "note");
	print_text(c->out, buf_cstr(&path));
	if (f->position >= 0)
		print_int(c->out, f->position);
	else
		print_nothing(c->out);
	print_text(c->out, verify_check_name(f->check));
	print_text(c->out, f->text);
	c->failed = print_row(c->out, c->err) == -1;
	buf_release(&path);
}

/* True if a later segment lies beside it. */
static int
is_last(const struct segments *s, bool *last, struct err *err)
{
	struct segment_names names = {0};
	int rc = segment_names_read(&names, s->os, s->dir, err);

	*last = true;
	for (size_t i = 0; i < names.count; i++)
		if (names.names[i].kind == SEGMENT_LOG && names.names[i].base > s->only)
			*last = false;
	segment_names_release(&names);
	return rc;
}

int
index_check(const struct segments *s, struct print *out, int64_t *damaged, struct err *err)
{
	struct check c = {.dir = s->dir, .out = out, .err = err};
	struct verify_args args = {.recovery_point = partition_recovery_point(s->os, s->dir),
	    .found = finding_put, .ctx = &c};
	struct verify_totals totals = {0};
	bool last;
	int rc;

	if (s->only == -1)
		rc = verify_dir(s->os, s->dir, &args, &totals, err);
	else if ((rc = is_last(s, &last, err)) == 0)
		rc = verify_segment(s->os, s->dir, s->only, last, &args, &totals, err);
	*damaged += c.damaged;
	return c.failed ? -1 : rc;
}

int
index_compare(struct os *os, const char *dir_a, const char *dir_b, bool compacted,
    struct print *out, int64_t *damaged, struct err *err)
{
	struct check c = {.dir = dir_a, .out = out, .err = err, .only_differ = true};
	struct verify_args args = {
	    .recovery_point = -1, .compacted = compacted, .found = finding_put, .ctx = &c};
	struct verify_totals totals = {0};
	int rc = verify_replicas(os, dir_a, dir_b, &args, &totals, err);

	*damaged += c.damaged;
	return c.failed ? -1 : rc;
}
