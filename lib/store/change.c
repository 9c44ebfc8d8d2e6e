/* A change of the metadata: one durable batch in the metadata log. */
#include <string.h>

#include "store/store_impl.h"

/* Reads up to what was just appended. The reader may stand in a segment that is
 * gone, where a snapshot was ahead of its log: then it looks again. */
static int
read_own(struct store *s, int64_t end, struct err *err)
{
	struct reader *r = s->metadata;
	int64_t first, last;

	if (store_read_metadata(s, err) == -1)
		return -1;
	if (s->image.end_offset != end &&
	    (reader_bounds(r, &first, &last, err) == -1 ||
	        reader_seek(r, s->image.end_offset, err) == -1 ||
	        store_read_metadata(s, err) == -1))
		return -1;
	if (s->image.end_offset == end)
		return 0;
	return err_set(err, ERR_CORRUPT, "%s/" METADATA_TOPIC "-0: written up to offset %lld, read up "
	    "to %lld", s->dir, (long long)end, (long long)s->image.end_offset);
}

/* Appends what the builder holds, makes it durable and applies it. */
static int
commit_batch(struct change *c, struct batch_builder *bb, int32_t epoch, struct err *err)
{
	struct store *s = c->s;
	struct mlog *log = &c->metadata->log;
	struct mlog_appended out;
	struct batch b;
	uint8_t *bytes;

	if (batch_builder_finish(bb, &b, err) == -1)
		return -1;
	bytes = (uint8_t *)(uintptr_t)b.bytes; /* the builder's, which we may stamp */
	if (mlog_append(log, bytes, (size_t)b.size, epoch, c->now_ms, &out, err) == -1)
		return -1;
	if (mlog_sync(log, err) == -1)
		return -1;
	if (read_own(s, mlog_end(log), err) == -1)
		return -1;
	s->metadata_durable = s->image.end_offset;
	return 0;
}

/* A transaction that a writer left open would swallow what is appended; it is
 * ended as Kafka's next controller ends it. */
static int
abort_transaction(struct change *c, struct err *err)
{
	struct abort_transaction_record r;
	struct batch_builder bb;
	int ret;

	wire_init(&wire_abort_transaction_record, &r);
	r.reason = wire_str_of("its writer is gone");
	batch_builder_init(&bb, CODEC_NONE, 0);
	ret = records_add_metadata(&bb, &wire_abort_transaction_record, 0, &r, c->now_ms, err);
	if (ret == 0)
		ret = commit_batch(c, &bb, c->s->image.epoch, err);
	batch_builder_release(&bb);
	return ret;
}

/* The first records of a log, where nobody has written them yet; a death between
 * the two batches leaves the second to do. */
static int
begin_log(struct change *c, struct err *err)
{
	struct batch_builder bb;
	int ret = 0;

	batch_builder_init(&bb, CODEC_NONE, 0);
	if (c->s->image.end_offset == 0) {
		struct meta_properties m = {
		    .node_id = c->s->node_id, .directory_id = c->s->directory_id};

		ret = format_leader_batch(&bb, &m, c->now_ms, err);
		if (ret == 0)
			ret = commit_batch(c, &bb, 1, err);
		batch_builder_release(&bb);
		batch_builder_init(&bb, CODEC_NONE, 0);
	}
	if (ret == 0 && image_feature(&c->s->image, "metadata.version") == 0) {
		ret = format_feature_batch(&bb, c->now_ms, err);
		if (ret == 0)
			ret = commit_batch(c, &bb, c->s->image.epoch, err);
	}
	batch_builder_release(&bb);
	return ret;
}

/* Reads all there is, and checks that it is ours to change. */
static int
look_at_all(struct change *c, struct err *err)
{
	struct store *s = c->s;

	if (store_read_metadata(s, err) == -1 || store_remove_marker(s, err) == -1)
		return -1;
	if (s->image.end_offset != mlog_end(&c->metadata->log))
		return err_set(err, ERR_CORRUPT,
		    "%s: the log ends at offset %lld, but %lld could be read", c->metadata->dir,
		    (long long)mlog_end(&c->metadata->log), (long long)s->image.end_offset);
	if (image_is_sole(&s->image, s->node_id, err) == -1)
		return -1;
	if (s->image.in_transaction && abort_transaction(c, err) == -1)
		return -1;
	return begin_log(c, err);
}

int
change_begin(struct change *c, struct store *s, struct err *err)
{
	memset(c, 0, sizeof(*c));
	c->s = s;
	c->now_ms = os_wall_ms(s->os);
	if (store_lock(s, err) == -1)
		return -1;
	c->metadata = partition_metadata(s, err);
	if (c->metadata == NULL || partition_enter(s, c->metadata, err) == -1) {
		store_unlock(s);
		return -1;
	}
	batch_builder_init(&c->bb, CODEC_NONE, 0);
	if (look_at_all(c, err) == 0)
		return 0;
	change_end(c);
	return -1;
}

int
change_commit(struct change *c, struct err *err)
{
	return commit_batch(c, &c->bb, c->s->image.epoch, err);
}

void
change_end(struct change *c)
{
	partition_leave(c->s, c->metadata);
	store_unlock(c->s);
	batch_builder_release(&c->bb);
}
