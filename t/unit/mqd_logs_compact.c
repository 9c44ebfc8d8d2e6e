/* mqd's logs, compacted beside appends, killed and crashed meanwhile. */
#include "logs_test.h"

#define KEYS 5
#define BEFORE 60
#define MEANWHILE 20

static const char *const keys[KEYS] = {"a", "b", "c", "d", "e"};

struct one_compact {
	struct plog_compact c;
	bool done;
};

static void
one_compact_done(struct plog_compact *c)
{
	((struct one_compact *)c->ctx)->done = true;
}

struct one_trim {
	struct plog_trim t;
	bool done;
};

static void
one_trim_done(struct plog_trim *t)
{
	((struct one_trim *)t->ctx)->done = true;
}

static void
settings(struct node *n)
{
	n->settings.log.segment_bytes = 1500;
	n->settings.log.index_interval_bytes = 300;
	n->settings.log.cleanup_compact = true;
	n->settings.log.cleanup_delete = false;
}

/* Record `i` of the log has key i % KEYS, and so has its offset. */
static int
put(struct node *n, struct plog *l, int i)
{
	return append_one(n, l, (struct make){.value = (size_t)(50 + i % 7 * 20),
	    .key = keys[i % KEYS], .codec = i % 4 == 0 ? CODEC_LZ4 : CODEC_NONE}, NULL);
}

/* Fills, compacts, and goes on filling meanwhile. The synced end that was told. */
static int64_t
work(struct node *n, struct one_compact *o, bool *whole)
{
	struct plog *l = node_plog(n, "t");
	int64_t synced = 0;
	int i;

	*whole = false;
	for (i = 0; i < BEFORE; i++)
		if (put(n, l, i) != 0)
			break;
	wait_synced(n, l);
	*o = (struct one_compact){.c = {.limit_offset = l->synced_offset, .always = true,
	    .done = one_compact_done, .ctx = o}};
	if (fault_is_dead(n->os))
		return l->synced_offset;
	plog_compact(l, &o->c);
	for (; i < BEFORE + MEANWHILE && !fault_is_dead(n->os); i++) {
		if (put(n, l, i) != 0)
			break;
		synced = l->synced_offset;
	}
	if (!fault_is_dead(n->os) && node_turn(n, &o->done) && wait_synced(n, l))
		*whole = i == BEFORE + MEANWHILE;
	return l->synced_offset > synced ? l->synced_offset : synced;
}

/* The newest record of each key is there, and nothing that never was. */
static const char *
check(struct node *n, int64_t synced, int *records)
{
	struct record_reader rr = {0};
	int64_t newest[KEYS] = {-1, -1, -1, -1, -1}, offset;
	struct one_read o = {0};
	struct plog *l;
	struct record r;
	struct batch b;

	if (!node_start(n))
		return "no start";
	l = node_plog(n, "t");
	if (load_one(n, l) != 0)
		return "cannot be loaded";
	if (l->end_offset < synced)
		return "synced records are gone";
	*records = 0;
	for (offset = l->start_offset; offset < l->end_offset; plog_read_release(&o.r)) {
		if (read_one(n, l, &o, offset, 2000) != 0 || (o.r.len == 0 && offset < synced))
			return "cannot be read";
		if (o.r.len == 0)
			break; /* what was never told synced is gone */
		for (size_t at = 0; at < o.r.len; at += (size_t)b.size) {
			if (batch_view((const uint8_t *)o.r.data + at, o.r.len - at, &b) != BATCH_OK)
				return "bad bytes";
			record_reader_open(&rr, &b, &n->err);
			while (record_reader_next(&rr, &r, &n->err) == 1) {
				if (r.key_size != 1 || r.key[0] != *keys[r.offset % KEYS])
					return "another record than was written";
				newest[r.offset % KEYS] = r.offset;
				*records += 1;
			}
			offset = batch_next_offset(&b);
		}
	}
	record_reader_release(&rr);
	for (int k = 0; k < KEYS && synced >= BEFORE; k++)
		if (newest[k] < synced - KEYS)
			return "a key's newest record is gone";
	if (put(n, l, (int)l->end_offset) != 0 || !wait_synced(n, l))
		return "it does not go on";
	return NULL;
}

static void
end_process(struct node *n)
{
	node_kill(n);
}

static void
test_whole(void)
{
	struct one_compact o;
	int records = 0;
	const char *why;
	struct node n;
	bool whole;

	node_init(&n, 1);
	settings(&n);
	node_start(&n);
	is_int(work(&n, &o, &whole), BEFORE + MEANWHILE, "a log is compacted, and appended to meanwhile");
	ok(whole && o.c.err.code == 0 && o.c.ran, "all goes well");
	ok(o.c.result.bytes_out < o.c.result.bytes_in / 2, "segments become smaller");
	ok(sim_size(n.disk, "d/cleaner-offset-checkpoint") > 0, "how far is noted");
	end_process(&n);
	why = check(&n, BEFORE + MEANWHILE, &records);
	ok(why == NULL, "each key's newest record is there");
	ok(records < BEFORE, "the others are not");
	if (why != NULL)
		printf("# %s: %s\n# %s", why, n.err.text, n.notes);
	node_end(&n);
}

static void
test_killed(void)
{
	static const enum fault_kind kinds[] = {FAULT_DIE_BEFORE, FAULT_DIE_DURING, FAULT_DIE_AFTER};
	int wrong = 0, runs = 0, swapped = 0;
	bool fired = true;

	for (uint64_t at = 1; fired; at++) {
		struct one_compact o = {0};
		struct node n;
		int64_t synced;
		char where[32];
		int records;
		const char *why;
		bool whole;

		node_init(&n, at);
		settings(&n);
		node_start(&n);
		fault_plan(n.os, &(struct fault_plan){.calls = FAULT_WRITES, .at = at,
		    .kind = kinds[at % 3]});
		synced = work(&n, &o, &whole);
		fired = fault_fired(n.os) > 0;
		swapped += strstr(fault_where(n.os), "rename") != NULL;
		snprintf(where, sizeof(where), "%s", fault_where(n.os));
		end_process(&n);
		if (at % 2 == 0) {
			struct sim_disk *image = sim_crash(n.disk, at / 2);

			sim_disk_free(n.disk);
			n.disk = image;
		}
		why = check(&n, synced, &records);
		if (why != NULL && wrong++ < 5)
			printf("# call %d (%s): %s: %s\n# %s", (int)at, where, why, n.err.text, n.notes);
		node_end(&n);
		runs++;
	}
	ok(runs > 200 && swapped > 20, "killed at each of %d calls, %d of them renames", runs, swapped);
	is_int(wrong, 0, "no newest record is lost");
}

/* A stop, a deletion and a retention in the middle of it. */
static void
test_interrupted(void)
{
	int wrong = 0;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct one_compact o;
		struct node n;
		struct plog *l;

		node_init(&n, seed);
		settings(&n);
		node_start(&n);
		l = node_plog(&n, "t");
		for (int i = 0; i < BEFORE; i++)
			put(&n, l, i);
		wait_synced(&n, l);
		o = (struct one_compact){.c = {.limit_offset = l->synced_offset, .always = true,
		    .done = one_compact_done, .ctx = &o}};
		/* Some are in a pause of a day. */
		o.c.bytes_per_second = seed % 3 != 2 && seed % 2 == 0;
		plog_compact(l, &o.c);
		for (uint64_t i = 0; i < seed / 3; i++)
			os_turn(n.os, 0);
		if (seed % 3 == 0) {
			plog_delete(l);
			node_settle(&n);
			wrong += !o.done || sim_size(n.disk, "d/t-0/partition.metadata") != -1;
			wrong += !node_stop(&n, NULL, 0);
		} else if (seed % 3 == 1) {
			wrong += !node_stop(&n, &l, 1) || !o.done || o.c.err.code != 0;
		} else {
			struct one_trim t = {.t = {.offset = BEFORE / 2, .done = one_trim_done, .ctx = &t}};

			plog_trim(l, &t.t);
			node_settle(&n);
			wrong += !o.done || (o.c.err.code != 0 && o.c.err.code != ERR_NOT_FOUND);
			wrong += !t.done || l->start_offset != BEFORE / 2 || !node_stop(&n, &l, 1);
		}
		node_end(&n);
	}
	is_int(wrong, 0, "a stop or a deletion ends it, and a trim goes on beside it");
}

static int64_t
compact_ms(int64_t bytes_per_second)
{
	struct one_compact o;
	struct plog *l;
	struct node n;
	int64_t began_ns, ms;

	node_init(&n, 1);
	settings(&n);
	node_start(&n);
	l = node_plog(&n, "t");
	for (int i = 0; i < BEFORE; i++)
		put(&n, l, i);
	wait_synced(&n, l);
	o = (struct one_compact){.c = {.limit_offset = l->synced_offset, .always = true,
	    .bytes_per_second = bytes_per_second, .done = one_compact_done, .ctx = &o}};
	began_ns = os_mono_ns(n.os);
	plog_compact(l, &o.c);
	node_turn(&n, &o.done);
	ms = (os_mono_ns(n.os) - began_ns) / 1000000;
	ok(o.c.err.code == 0 && o.c.result.bytes_out < o.c.result.bytes_in / 2,
	    "%lld bytes a second: it is compacted", (long long)bytes_per_second);
	node_stop(&n, &l, 1);
	node_end(&n);
	return ms;
}

static void
test_slow(void)
{
	int64_t slow_ms = compact_ms(16 << 10), fast_ms = compact_ms(0);

	ok(fast_ms < 1000 && slow_ms > 5000, "a limit on its bytes makes it slow: %lld ms, not %lld",
	    (long long)slow_ms, (long long)fast_ms);
}

int
main(void)
{
	test_whole();
	test_slow();
	test_killed();
	test_interrupted();
	return tap_done();
}
