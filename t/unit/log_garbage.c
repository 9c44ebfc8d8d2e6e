/* Whatever bytes lie in a partition directory: reader, verification and recovery
 * end, in bounds, and what recovery leaves is a log. */
#include "log_test.h"

#include "log/verify.h"

static uint64_t state = 88172645463325252u;

static uint64_t
draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

struct names {
	char v[64][96];
	int count;
};

static int
take_name(void *ctx, const char *path, bool is_dir, int64_t size)
{
	struct names *n = ctx;

	if (!is_dir && size > 0 && n->count < 64)
		snprintf(n->v[n->count++], sizeof(n->v[0]), "%s", path);
	return 0;
}

/* Changes one file: bits, a stretch of bytes, its length, or a piece doubled. */
static void
mutate(struct world *w)
{
	struct names names = {.count = 0};
	struct buf b = BUF_INIT;
	const char *path;
	size_t at, len;

	sim_list(w->disk, take_name, &names);
	path = names.v[draw((uint64_t)names.count)];
	sim_read(w->disk, path, &b);
	at = draw(b.len);
	len = draw(b.len - at < 300 ? b.len - at + 1 : 300);
	switch (draw(5)) {
	case 0:
		b.data[at] ^= (uint8_t)(1 << draw(8));
		break;
	case 1:
		memset(b.data + at, (int)draw(3) - 1, len);
		break;
	case 2:
		b.len = at;
		break;
	case 3:
		for (size_t i = 0; i < len; i++)
			b.data[at + i] = (uint8_t)draw(256);
		break;
	default:
		memmove(b.data + draw(b.len - len + 1), b.data + at, len);
		break;
	}
	sim_write(w->disk, path, b.len ? b.data : (const uint8_t *)"", b.len);
	buf_release(&b);
}

/* Reads all, asks all; the counts are not looked at, the ends are. */
static int
ask(struct world *w)
{
	struct verify_args args = {.recovery_point = -1, .records = true};
	struct verify_totals totals = {0};
	struct reader *r = reader_open(w->os, DIR_OF_LOG, 0, &w->err);
	struct aborted_txn *list;
	int64_t a, b, steps = 0;
	struct batch batch;
	size_t count;
	int got;

	if (r == NULL)
		return 1;
	while ((got = reader_next(r, &batch, &w->err)) != 0 && ++steps < 10000) {
		if (got == -1 && w->err.code != ERR_CORRUPT)
			break;
	}
	reader_offset_for_time(r, T0 + (int64_t)draw(40), &a, &b, &w->err);
	reader_seek(r, (int64_t)draw(60), &w->err);
	reader_next(r, &batch, &w->err);
	reader_bounds(r, &a, &b, &w->err);
	if (reader_aborted(r, 0, INT64_MAX, &list, &count, &w->err) == 0)
		free(list);
	reader_free(r);
	verify_dir(w->os, DIR_OF_LOG, &args, &totals, &w->err);
	return steps >= 10000;
}

int
main(void)
{
	int endless = 0, refused = 0, broken = 0;

	for (int i = 0; i < 400; i++) {
		struct world w;
		int64_t next;
		int bad;

		world_init(&w);
		w.config.segment_bytes = 1200;
		w.config.index_interval_bytes = 250;
		world_recover(&w, 0);
		append_many(&w, 8, 200);
		append_made(&w, make_batch((struct make){.records = 2, .timestamp = T0, .value = 9,
		    .producer = 7, .attributes = BATCH_TRANSACTIONAL}), 1);
		append_many(&w, 8, 200);
		mlog_sync(&w.log, &w.err);
		world_close(&w);
		for (uint64_t n = 1 + draw(4); n > 0; n--)
			mutate(&w);
		endless += ask(&w);
		if (world_recover(&w, (int64_t)draw(40)) == -1) {
			refused++;
		} else {
			int64_t end = mlog_end(&w.log);
			broken += append_many(&w, 2, 200) == -1 || mlog_end(&w.log) != end + 4;
			count_batches(&w, end, &next, &bad);
			broken += next != end + 4;
		}
		endless += ask(&w);
		world_close(&w);
		broken += sim_os_open_count(w.os) != 0;
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	is_int(endless, 0, "over 400 garbled directories every reader comes to an end");
	is_int(refused, 0, "recovery takes them all");
	is_int(broken, 0, "and what is appended afterwards is read");
	return tap_done();
}
