/* Record batches, one line each. */
#include <stdio.h>
#include <string.h>

#include "cli/dump_damage.h"
#include "log/segment.h"

static void
batch_put(struct dump *d, const struct batch *b, int64_t position)
{
	struct line *l = dump_line(d, "batch", false);
	bool producer = b->producer_id >= 0, sequenced = b->base_sequence >= 0;
	char names[96];

	line_range(l, d->json ? "offset" : "=offset", "last", b->base_offset,
	    batch_last_offset(b));
	line_int(l, "n", b->record_count);
	line_int(l, "pos", position);
	line_int(l, "size", b->size);
	if (d->json)
		line_int(l, "magic", b->magic);
	else
		line_text(l, " v2");
	line_word(l, "codec", codec_name(batch_codec(b)));
	if (d->json)
		line_hex32(l, "crc", b->crc);
	else
		line_word(l, "crc", "ok");
	line_time(l, "ts", b->max_timestamp);
	line_opt(l, "epoch", b->leader_epoch >= 0, b->leader_epoch);
	line_opt(l, "pid", producer, b->producer_id);
	if (d->json)
		line_opt(l, "pid_epoch", producer, b->producer_epoch);
	else if (producer)
		buf_printf(l->out, ":%d", b->producer_epoch);
	if (!sequenced)
		line_opt(l, "seq", false, 0);
	else
		line_range(l, "seq", "last_seq", b->base_sequence, batch_last_sequence(b));
	line_flag(l, "txn", batch_is_transactional(b));
	line_word(l, "ctl", dump_control_names(d, b, names, sizeof(names)));
	if (batch_is_append_time(b))
		line_word(l, "tstype", "logappend");
	if ((b->attributes & BATCH_DELETE_HORIZON) != 0)
		line_time(l, "horizon", b->base_timestamp);
	dump_line_end(d, false);
}

/* Prints a good batch and, if asked, its records, which may be bad although the
 * checksum is right. */
static int
batch_show(struct dump *d, struct damage *at, const struct batch *b, struct err *err)
{
	int64_t position = at->scan.position - b->size;

	d->batches++;
	d->record_count += b->record_count;
	if (!dump_wants_batch(d, b))
		return 0;
	if (!d->verify)
		batch_put(d, b, position);
	if ((d->records || d->verify) && dump_records(d, b, err) == -1)
		return damage_of_records(at, b, position, err);
	return 0;
}

int
dump_log(struct dump *d, int fd, struct err *err)
{
	struct damage at;
	struct batch b;
	int rc;

	if (damage_begin(&at, d, fd, err) == -1)
		return -1;
	while ((rc = scan_next(&at.scan, &b, err)) != 0 && !dump_stopped(d)) {
		if (rc == 1) {
			if (b.base_offset >= d->to && !d->verify)
				break;
			damage_in_order(&at, &b);
			rc = batch_show(d, &at, &b, err);
		} else if (err->code == ERR_CORRUPT) {
			rc = damage_of_batch(&at, err);
		}
		if (rc == -1 || at.ended)
			break;
	}
	damage_end(&at);
	if (rc == -1)
		return err_prefix(err, "%s", d->path);
	return 0;
}
