/* Lookups: offsets by time, on WORKER_READ. */
#include "log/reader.h"
#include "mqd/replica/logs_impl.h"

/* The epoch of the batch that holds the offset. */
static int32_t
epoch_at(struct reader *rd, int64_t offset)
{
	struct err ignored;
	struct batch b;

	if (reader_seek(rd, offset, &ignored) == -1 || reader_next(rd, &b, &ignored) != 1)
		return -1;
	return b.leader_epoch;
}

static int
find(struct logs *s, struct plog_find *f, struct err *err)
{
	struct reader *rd = reader_open(s->os, f->item.log->impl->dir, f->start_offset, err);
	int64_t timestamp = f->timestamp;
	int ret = 0;

	if (rd == NULL)
		return -1;
	if (timestamp == PLOG_MAX_TIMESTAMP)
		ret = reader_newest_time(rd, &timestamp, err);
	if (ret == 0 && timestamp >= 0)
		ret = reader_offset_for_time(rd, timestamp, &f->offset, &f->found_timestamp, err);
	if (ret == 0 && f->offset >= f->limit_offset)
		f->offset = f->found_timestamp = -1;
	if (ret == 0 && f->offset >= 0)
		f->leader_epoch = epoch_at(rd, f->offset);
	reader_free(rd);
	return ret;
}

static void
find_run(struct os_job *j)
{
	struct plog_find *f = j->ctx;

	if (find(f->item.log->impl->logs, f, &f->err) == -1)
		f->code = logs_read_code(&f->err);
	else
		f->err.code = 0;
}

static void
find_done(struct os_job *j)
{
	struct plog_find *f = j->ctx;
	struct plog_impl *i = f->item.log->impl;
	struct logs *s = i->logs;

	i->reading--;
	s->reading--;
	f->done(f);
	if (i->state == PLOG_GONE)
		plog_pump(i);
	logs_turn(s);
	stop_pump(s);
}

void
find_start(struct plog_impl *i, struct plog_find *f)
{
	static const struct err well;

	if (i->plog->start_offset >= i->plog->end_offset) {
		logs_soon(i->logs, &f->item, &well);
		return;
	}
	f->start_offset = i->plog->start_offset;
	i->reading++;
	i->logs->reading++;
	f->os_job = (struct os_job){.run = find_run, .done = find_done, .ctx = f};
	os_work(i->logs->os, WORKER_READ, &f->os_job);
}

void
plog_find(struct plog *l, struct plog_find *f)
{
	struct plog_impl *i = l->impl;

	f->item = (struct plog_item){.log = l, .kind = ITEM_FIND};
	f->code = 0;
	f->err.code = 0;
	f->offset = f->found_timestamp = -1;
	f->leader_epoch = -1;
	if (l->loaded) {
		find_start(i, f);
		return;
	}
	items_put(&i->readers, &f->item);
	plog_pump(i);
}
