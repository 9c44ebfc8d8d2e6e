#include "cli/dump_damage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/places.h"

#define UNKNOWN (-1) /* also partition_recovery_point's */

/* --- the file's surroundings ---------------------------------------------------- */

static int
look_around(struct damage *at, struct err *err)
{
	char *whole = realpath(at->d->path, NULL);
	struct segment_names names = {0};
	int rc;

	if (whole == NULL)
		return err_sys(err, errno, "%s", at->d->path);
	*strrchr(whole, '/') = '\0';
	rc = segment_names_read(&names, at->d->os, whole[0] != '\0' ? whole : "/", err);
	for (size_t i = 0; i < names.count && rc == 0; i++) {
		if (names.names[i].kind != SEGMENT_LOG || names.names[i].state != SEGMENT_PLAIN ||
		    names.names[i].base <= at->base)
			continue;
		at->last_segment = false;
		if (names.names[i].base < at->limit)
			at->limit = names.names[i].base;
	}
	segment_names_release(&names);
	at->recovery_point = partition_recovery_point(at->d->os, whole);
	free(whole);
	return rc;
}

int
damage_begin(struct damage *at, struct dump *d, int fd, struct err *err)
{
	*at = (struct damage){.d = d, .base = UNKNOWN, .limit = INT64_MAX, .last_segment = true,
	    .recovery_point = UNKNOWN, .floor_epoch = INT32_MIN};
	scan_init(&at->scan);
	scan_start(&at->scan, d->os, fd, 0);
	if (d->kind == DUMP_SNAPSHOT)
		at->base = 0;
	if (d->kind != DUMP_LOG)
		return 0;
	at->base = at->floor = dump_base_of(d->path);
	at->limit = at->base > INT64_MAX - INT32_MAX ? INT64_MAX : at->base + INT32_MAX + 1LL;
	return look_around(at, err);
}

void
damage_end(struct damage *at)
{
	scan_release(&at->scan);
}

static int64_t
expected(const struct damage *at)
{
	return at->seen ? batch_next_offset(&at->before) : at->floor;
}

/* --- lines --------------------------------------------------------------------- */

struct finding {
	int64_t position;
	const char *why, *what;
	bool compared, hex;
	int64_t want, got;
	int64_t next_good;             /* a byte; -1: none */
	int64_t lost_first, lost_last; /* offsets; last below first: nothing; UNKNOWN */
};

static void
lost_put(struct line *l, const struct finding *f)
{
	if (l->json && f->lost_last == UNKNOWN) {
		line_int(l, "lost", f->lost_first);
		line_opt(l, "lost_last", false, 0);
	} else if (f->lost_last == UNKNOWN) {
		line_int(l, "lost", f->lost_first);
		line_text(l, "..?");
	} else if (f->lost_last < f->lost_first) {
		line_opt(l, "lost", false, 0);
	} else {
		line_range(l, "lost", "lost_last", f->lost_first, f->lost_last);
	}
}

static void
finding_put(struct dump *d, const struct finding *f)
{
	int64_t last = f->lost_last == UNKNOWN ? INT64_MAX : f->lost_last;
	struct line *l;

	if (dump_has_range(d) && !dump_wants_offsets(d, f->lost_first, last))
		return;
	l = dump_line(d, "bad", true);
	line_int(l, "pos", f->position);
	line_word(l, "why", f->why);
	if (f->compared && f->hex) {
		line_hex32(l, "want", (uint32_t)f->want);
		line_hex32(l, "got", (uint32_t)f->got);
	} else if (f->compared) {
		line_int(l, "want", f->want);
		line_int(l, "got", f->got);
	}
	if (f->what != NULL)
		line_bytes(l, "what", f->what, (int64_t)strlen(f->what));
	line_opt(l, d->json ? "next_good" : "next-good", f->next_good >= 0, f->next_good);
	lost_put(l, f);
	dump_line_end(d, true);
	d->damaged++;
}

/* --- order ----------------------------------------------------------------------- */

static void
take(struct damage *at, const struct batch *b, int64_t position)
{
	at->floor = expected(at);
	if (at->seen)
		at->floor_epoch = at->before.leader_epoch;
	at->before = *b;
	at->before_at = position;
	at->seen = true;
}

/* The batch before is the wrong one if it left a gap before it, and this one would
 * fit without it. */
static void
offset_wrong(struct damage *at, const struct batch *b, int64_t position)
{
	bool before = at->seen && b->base_offset < expected(at) && b->base_offset >= at->floor &&
	    at->before.base_offset > at->floor;
	const struct batch *bad = before ? &at->before : b;
	int64_t want = before ? at->floor : expected(at);
	struct finding f = {.position = before ? at->before_at : position, .why = "offset",
	    .compared = true, .want = want, .got = bad->base_offset, .lost_first = want,
	    .lost_last = want + bad->last_offset_delta};

	f.next_good = f.position + bad->size;
	finding_put(at->d, &f);
	if (before) {
		at->before = *b;
		at->before_at = position;
	}
}

static void
epoch_wrong(struct damage *at, const struct batch *b, int64_t position)
{
	bool before = b->leader_epoch >= at->floor_epoch;
	const struct batch *bad = before ? &at->before : b, *good = before ? b : &at->before;
	struct finding f = {.position = before ? at->before_at : position, .why = "epoch",
	    .compared = true, .want = good->leader_epoch, .got = bad->leader_epoch,
	    .lost_first = bad->base_offset, .lost_last = bad->base_offset - 1};

	f.next_good = f.position + bad->size;
	finding_put(at->d, &f);
	take(at, b, position);
	if (before)
		return;
	at->before.leader_epoch = good->leader_epoch;
}

void
damage_in_order(struct damage *at, const struct batch *b)
{
	int64_t position = at->scan.position - b->size;

	if ((at->seen || at->base >= 0) &&
	    (b->base_offset < expected(at) || batch_last_offset(b) >= at->limit))
		offset_wrong(at, b, position);
	else if (at->seen && b->leader_epoch >= 0 && b->leader_epoch < at->before.leader_epoch)
		epoch_wrong(at, b, position);
	else
		take(at, b, position);
}

/* --- bad batches ------------------------------------------------------------------- */

/* What was wanted and found, for the fault that the scan met. */
static void
compare(const struct damage *at, struct finding *f, int64_t left)
{
	const struct batch *bad = &at->scan.bad;

	f->compared = true;
	switch (at->scan.fault) {
	case BATCH_BAD_CRC:
		f->hex = true;
		f->want = scan_wanted_crc(&at->scan);
		f->got = bad->crc;
		break;
	case BATCH_BAD_MAGIC:
		f->want = BATCH_MAGIC;
		f->got = bad->magic;
		break;
	case BATCH_SHORT:
		f->want = bad->size > 0 ? bad->size : BATCH_HEADER;
		f->got = left;
		break;
	case BATCH_BAD_LENGTH:
		f->want = BATCH_HEADER - BATCH_PREFIX;
		f->got = bad->length;
		break;
	default:
		f->compared = false;
		break;
	}
}

/* 1 if the file holds nothing but zeros from `position` on. */
static int
zeros_from(struct damage *at, int64_t position, struct err *err)
{
	uint8_t block[4096];
	ssize_t got;

	while ((got = os_read_at(at->d->os, at->scan.fd, block, sizeof(block), position)) > 0) {
		for (ssize_t i = 0; i < got; i++)
			if (block[i] != 0)
				return 0;
		position += got;
	}
	return got == -1 ? err_sys(err, errno, "byte %lld", (long long)position) : 1;
}

/* Above the recovery point a torn tail is what a crash leaves. Where that point
 * is not known, only what looks torn is believed to be: an unfinished batch, or
 * zeros. */
static bool
is_torn(const struct damage *at, bool zeros)
{
	if (at->d->kind != DUMP_LOG || !at->last_segment || at->scan.gave_up)
		return false;
	if (at->recovery_point != UNKNOWN)
		return expected(at) >= at->recovery_point;
	return zeros || at->scan.fault == BATCH_SHORT;
}

static int
tail(struct damage *at, struct finding *f, int64_t left, struct err *err)
{
	int zeros = zeros_from(at, f->position, err);

	at->ended = true;
	if (zeros == -1)
		return -1;
	if (is_torn(at, zeros == 1)) {
		if (!dump_has_range(at->d) ||
		    dump_wants_offsets(at->d, expected(at), INT64_MAX))
			dump_torn(at->d, f->position, left, zeros == 1 ? "zeros" : f->why);
		return 0;
	}
	if (zeros == 1) {
		f->why = "zeros";
		f->compared = false;
	}
	f->lost_first = expected(at);
	f->lost_last = UNKNOWN;
	finding_put(at->d, f);
	return 0;
}

int
damage_of_batch(struct damage *at, struct err *err)
{
	struct finding f = {.position = at->scan.position,
	    .why = batch_fault_name(at->scan.fault), .next_good = -1};
	struct os_stat st;
	struct batch next;
	int rc;

	if (os_stat(at->d->os, at->scan.fd, &st) == -1)
		return err_sys(err, errno, "stat");
	compare(at, &f, st.size - f.position);
	rc = scan_find(&at->scan, f.position + 1, expected(at),
	    at->base >= 0 ? at->base : FAR_BASE, &next, err);
	if (rc == -1)
		return -1;
	if (rc == 0)
		return tail(at, &f, st.size - f.position, err);
	f.next_good = at->scan.position;
	f.lost_first = expected(at);
	f.lost_last = next.base_offset - 1;
	finding_put(at->d, &f);
	return 0;
}

int
damage_of_records(struct damage *at, const struct batch *b, int64_t position, struct err *err)
{
	bool unknown_codec = (int)batch_codec(b) >= CODEC_COUNT;
	struct finding f = {.position = position, .why = "records", .what = err->text,
	    .next_good = at->scan.position, .lost_first = b->base_offset,
	    .lost_last = batch_last_offset(b)};

	if (err->code != ERR_CORRUPT && !unknown_codec)
		return -1;
	finding_put(at->d, &f);
	return 0;
}
