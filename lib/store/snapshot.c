/* Snapshots of the metadata: their names, reading, writing. */
#include "store/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/records.h"
#include "store/store_impl.h"

/* The largest batch of a snapshot that is read. */
#define SNAPSHOT_BATCH_MAX BATCH_SIZE_MAX

/* What goes into one batch of those that are written: so many records (Kafka's
 * BatchFileWriter), but no more bytes than a reader takes. */
#define BATCH_RECORDS 1024
#define BATCH_BYTES (1 << 20)

/* --- names ------------------------------------------------------------------------- */

void
snapshot_name(const struct snapshot *s, char name[SNAPSHOT_NAME_SIZE])
{
	snprintf(name, SNAPSHOT_NAME_SIZE, "%020lld-%010d.checkpoint", (long long)s->end_offset,
	    s->epoch);
}

/* %020d-%010d.checkpoint */
static bool
parse_name(const char *name, struct snapshot *out)
{
	char number[21];
	int64_t end, epoch;

	if (strlen(name) != SNAPSHOT_NAME_SIZE - 1 || name[20] != '-' ||
	    strcmp(name + 31, ".checkpoint") != 0)
		return false;
	snprintf(number, sizeof(number), "%.20s", name);
	if (strspn(number, "0123456789") != 20)
		return false;
	end = strtoll(number, NULL, 10);
	snprintf(number, sizeof(number), "%.10s", name + 21);
	if (strspn(number, "0123456789") != 10)
		return false;
	epoch = strtoll(number, NULL, 10);
	*out = (struct snapshot){.end_offset = end, .epoch = (int32_t)epoch};
	return epoch <= INT32_MAX;
}

struct snapshots {
	struct snapshot *list;
	size_t count;
	bool nomem;
};

static int
take_name(void *ctx, const char *name)
{
	struct snapshots *all = ctx;
	struct snapshot one, *grown;

	if (!parse_name(name, &one))
		return 0;
	grown = realloc(all->list, (all->count + 1) * sizeof(*grown));
	if (grown == NULL) {
		all->nomem = true;
		return 1;
	}
	all->list = grown;
	all->list[all->count++] = one;
	return 0;
}

static int
newest_first(const void *a, const void *b)
{
	const struct snapshot *x = a, *y = b;

	if (x->end_offset != y->end_offset)
		return x->end_offset < y->end_offset ? 1 : -1;
	return (x->epoch < y->epoch) - (x->epoch > y->epoch);
}

int
snapshot_list(
    struct os *os, const char *dir, struct snapshot **list, size_t *count, struct err *err)
{
	struct snapshots all = {0};
	int ret = os_list(os, dir, take_name, &all);

	if (ret == -1)
		ret = err_sys(err, errno, "%s: list", dir);
	else if (all.nomem)
		ret = err_nomem(err);
	if (ret == -1) {
		free(all.list);
		return -1;
	}
	if (all.count > 0)
		qsort(all.list, all.count, sizeof(*all.list), newest_first);
	*list = all.list;
	*count = all.count;
	return 0;
}

static int
path_of(char path[STORE_PATH_MAX], const char *dir, const char *name, struct err *err)
{
	if (snprintf(path, STORE_PATH_MAX, "%s/%s", dir, name) >= STORE_PATH_MAX)
		return err_set(err, ERR_INVALID, "%s/%s: the path is too long", dir, name);
	return 0;
}

/* --- reading ------------------------------------------------------------------------ */

/* Applies the batches of an open snapshot; `ended` tells that its footer came. */
static int
read_batches(
    struct os *os, int fd, struct buf *bytes, struct image *im, bool *ended, struct err *err)
{
	uint8_t head[BATCH_HEADER];
	int64_t at = 0;
	struct batch b;
	ssize_t n;

	while ((n = os_read_at(os, fd, head, sizeof(head), at)) == BATCH_HEADER) {
		uint8_t *to;

		if (batch_view_header(head, sizeof(head), &b) != BATCH_OK ||
		    b.size > SNAPSHOT_BATCH_MAX)
			return err_set(err, ERR_CORRUPT, "byte %lld: no batch", (long long)at);
		buf_clear(bytes);
		to = buf_extend(bytes, (size_t)b.size);
		if (to == NULL)
			return err_nomem(err);
		if (os_read_at(os, fd, to, (size_t)b.size, at) != b.size ||
		    batch_view(to, (size_t)b.size, &b) != BATCH_OK || batch_check(&b) != BATCH_OK)
			return err_set(err, ERR_CORRUPT, "byte %lld: bad batch", (long long)at);
		if (image_apply(im, &b, err) == -1)
			return -1;
		*ended = batch_is_control(&b) && b.record_count == 1 && at > 0;
		at += b.size;
	}
	if (n != 0)
		return err_set(err, ERR_CORRUPT, "byte %lld: no whole batch", (long long)at);
	return 0;
}

static void
begin_anew(struct image *im)
{
	struct image_watcher watcher = im->watcher;
	const struct map *defaults = im->defaults;

	image_release(im);
	image_init(im);
	im->watcher = watcher;
	im->defaults = defaults;
}

static int
load(struct os *os, const char *dir, const struct snapshot *s, struct image *im, struct err *err)
{
	char name[SNAPSHOT_NAME_SIZE], path[STORE_PATH_MAX];
	struct buf bytes = BUF_INIT;
	bool ended = false;
	int fd, ret;

	snapshot_name(s, name);
	if (path_of(path, dir, name, err) == -1)
		return -1;
	begin_anew(im);
	fd = os_open(os, path, OS_READ);
	if (fd == -1)
		return err_sys(err, errno, "%s: open", path);
	ret = read_batches(os, fd, &bytes, im, &ended, err);
	os_close(os, fd);
	buf_release(&bytes);
	if (ret == 0 && !ended)
		ret = err_set(err, ERR_CORRUPT, "no footer");
	if (ret == -1)
		return err_prefix(err, "%s", path);
	/* Its records have offsets of their own. */
	im->end_offset = s->end_offset;
	im->epoch = s->epoch;
	return 0;
}

int
snapshot_load_newest(struct os *os, const char *dir, struct image *im, struct err *err)
{
	struct snapshot *list = NULL;
	size_t count = 0;
	int ret = snapshot_list(os, dir, &list, &count, err);

	for (size_t i = 0; ret == 0 && i < count; i++) {
		if (load(os, dir, &list[i], im, err) == 0)
			break;
		if (err->code != ERR_CORRUPT)
			ret = -1;
		else
			os_note(os, OS_WARN, "%s: passed over", err->text);
		begin_anew(im);
	}
	free(list);
	return ret;
}

/* --- writing ------------------------------------------------------------------------ */

int
snapshot_add_header(struct batch_builder *bb, int64_t last_ms, int64_t now_ms, struct err *err)
{
	struct snapshot_header_record r;

	wire_init(&wire_snapshot_header_record, &r);
	r.last_contained_log_timestamp = last_ms;
	return records_add_control(
	    bb, CONTROL_SNAPSHOT_HEADER, &wire_snapshot_header_record, &r, now_ms, err);
}

int
snapshot_put_batch(struct buf *file, struct batch_builder *bb, int64_t *offset, int32_t epoch,
    struct err *err)
{
	struct batch b;

	if (batch_builder_finish(bb, &b, err) == -1)
		return -1;
	buf_put(file, b.bytes, (size_t)b.size);
	if (file->failed)
		return err_nomem(err);
	batch_set_base_offset(file->data + file->len - (size_t)b.size, *offset);
	batch_set_leader_epoch(file->data + file->len - (size_t)b.size, epoch);
	*offset += b.last_offset_delta + 1;
	batch_builder_reset(bb);
	bb->head.attributes = 0;
	return 0;
}

int
snapshot_put_footer(struct buf *file, struct batch_builder *bb, int64_t *offset, int32_t epoch,
    int64_t now_ms, struct err *err)
{
	struct snapshot_footer_record r;

	wire_init(&wire_snapshot_footer_record, &r);
	if (records_add_control(
	        bb, CONTROL_SNAPSHOT_FOOTER, &wire_snapshot_footer_record, &r, now_ms, err) == -1)
		return -1;
	return snapshot_put_batch(file, bb, offset, epoch, err);
}

/* One that is being written. */
struct writing {
	struct os *os;
	const struct image *im;
	int fd;
	int64_t position, offset, now_ms;
	struct batch_builder bb;
	int count; /* records in it */
	struct buf out;
};

static int
flush_out(struct writing *w, struct err *err)
{
	if (os_write_at(w->os, w->fd, w->out.data, w->out.len, w->position) == -1)
		return err_sys(err, errno, "write");
	w->position += (int64_t)w->out.len;
	buf_clear(&w->out);
	return 0;
}

static int
put(struct writing *w, struct err *err)
{
	if (w->count == 0)
		return 0;
	w->count = 0;
	if (snapshot_put_batch(&w->out, &w->bb, &w->offset, w->im->epoch, err) == -1)
		return -1;
	return flush_out(w, err);
}

static int
add_record(void *ctx, const struct buf *value, struct err *err)
{
	struct writing *w = ctx;

	if ((w->count == BATCH_RECORDS || batch_builder_size(&w->bb) > BATCH_BYTES) &&
	    put(w, err) == -1)
		return -1;
	w->count++;
	return records_add_value(&w->bb, value, w->now_ms, err);
}

/* Under kraft.version 0 the voters are in no snapshot. */
static int
put_header(struct writing *w, struct err *err)
{
	struct k_raft_version_record version;

	if (snapshot_add_header(&w->bb, w->im->last_timestamp, w->now_ms, err) == -1)
		return -1;
	w->count = 1;
	wire_init(&wire_k_raft_version_record, &version);
	version.k_raft_version = (int16_t)image_feature(w->im, "kraft.version");
	if (version.k_raft_version > 0 &&
	    (records_add_control(&w->bb, CONTROL_KRAFT_VERSION, &wire_k_raft_version_record, &version,
	         w->now_ms, err) == -1 ||
	        records_add_control_value(
	            &w->bb, CONTROL_KRAFT_VOTERS, &w->im->voters_value, w->now_ms, err) == -1))
		return -1;
	return put(w, err);
}

static int
write_open(struct writing *w, struct err *err)
{
	if (put_header(w, err) == -1 || image_write(w->im, add_record, w, err) == -1 ||
	    put(w, err) == -1 ||
	    snapshot_put_footer(&w->out, &w->bb, &w->offset, w->im->epoch, w->now_ms, err) == -1 ||
	    flush_out(w, err) == -1)
		return -1;
	if (os_sync(w->os, w->fd) == -1)
		return err_sys(err, errno, "sync");
	return 0;
}

static int
write_part(struct os *os, const char *path, const struct image *im, struct err *err)
{
	struct writing w = {.os = os, .im = im, .now_ms = os_wall_ms(os)};
	int ret;

	w.fd = os_open(os, path, OS_WRITE | OS_CREATE | OS_TRUNC);
	if (w.fd == -1)
		return err_sys(err, errno, "%s: open", path);
	batch_builder_init(&w.bb, CODEC_NONE, 0);
	ret = write_open(&w, err);
	if (os_close(os, w.fd) == -1 && ret == 0)
		ret = err_sys(err, errno, "close");
	batch_builder_release(&w.bb);
	buf_release(&w.out);
	return ret == -1 ? err_prefix(err, "%s", path) : 0;
}

int
snapshot_write(struct os *os, const char *dir, const struct image *im, struct err *err)
{
	struct snapshot id = {.end_offset = im->end_offset, .epoch = im->epoch};
	char name[SNAPSHOT_NAME_SIZE], path[STORE_PATH_MAX], part[STORE_PATH_MAX];
	int ret;

	snapshot_name(&id, name);
	if (path_of(path, dir, name, err) == -1)
		return -1;
	/* Kafka removes what has such a name when it starts. */
	if (snprintf(part, sizeof(part), "%s/%.31s-0.checkpoint.part", dir, name) >=
	    (int)sizeof(part))
		return err_set(err, ERR_INVALID, "%s: the path is too long", dir);
	ret = write_part(os, part, im, err);
	if (ret == 0 && os_rename(os, part, path) == -1)
		ret = err_sys(err, errno, "%s: rename", path);
	if (ret == -1) {
		(void)os_remove(os, part);
		return -1;
	}
	if (os_sync_dir(os, dir) == -1)
		return err_sys(err, errno, "%s: sync", dir);
	return 0;
}
