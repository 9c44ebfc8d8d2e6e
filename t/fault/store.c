/*
 * Deaths, power cuts and storage errors at every write-class call of a store's
 * life: format, create, append, roll, sync, commit, alter, trim, delete. After
 * each, a new process opens the store, finds everything that was acknowledged,
 * and goes on.
 */
#include <errno.h>
#include <stdlib.h>

#include "os/os_fault.h"
#include "os/os_sim.h"
#include "store/groups.h"
#include "tap.h"

/* Power cuts drawn for each death; the first few seeds keep or lose all. */
#define CRASH_SEEDS 4

/* What was acknowledged, step by step. */
enum step {
	OPEN,
	CREATE_T,
	APPEND_A,  /* t-0: a */
	APPEND_BC, /* t-0: b, t-1: c, one sync */
	COMMIT_1,
	CREATE_U,
	APPEND_D, /* u-0: d */
	GROW_T,
	CONFIG_T,
	DELETE_U,
	APPEND_E, /* t-2: e */
	TRIM_T,   /* t-0 begins at 1 */
	COMMIT_2,
	CREATE_R, /* small segments */
	APPEND_R, /* r-0: 0 to 5, a sync each */
	RECREATE_U,
	APPEND_F, /* u-0: f */
	STEPS,
};

static const char *const step_names[STEPS] = {"open", "create", "append", "append two", "commit",
    "create another", "append to it", "add a partition", "alter", "delete", "append to a new one",
    "trim", "commit again", "create with small segments", "roll", "create anew", "append anew"};

struct progress {
	bool done[STEPS];
	int tried;  /* the step that was under way when it ended */
	int rolled; /* records of APPEND_R that were acknowledged */
};

static struct store_options options;

static int
append(struct store *s, const char *topic, int32_t partition, const char *text, struct err *err)
{
	struct record r = {.timestamp = 1700000000000,
	    .key_size = -1,
	    .value = (const uint8_t *)text,
	    .value_size = (int32_t)strlen(text)};
	struct mlog_appended out;
	struct batch_builder bb;
	struct batch b;
	int ret;

	batch_builder_init(&bb, CODEC_NONE, 0);
	ret = batch_builder_add(&bb, &r, err);
	if (ret == 0)
		ret = batch_builder_finish(&bb, &b, err);
	if (ret == 0)
		ret = store_append(
		    s, topic, partition, (uint8_t *)(uintptr_t)b.bytes, (size_t)b.size, &out, err);
	batch_builder_release(&bb);
	return ret;
}

static int
create(struct store *s, const char *topic, int32_t partitions, const char *segment_bytes,
    struct err *err)
{
	static char name[] = "internal.segment.bytes";
	struct image_config small = {name, (char *)(uintptr_t)segment_bytes};
	struct store_topic_spec spec = {.name = topic,
	    .partitions = partitions,
	    .configs = &small,
	    .config_count = segment_bytes != NULL};

	return store_create_topic(s, &spec, err);
}

static int
commit(struct store *s, int64_t offset, struct err *err)
{
	struct group_offset o = {.topic = (char *)(uintptr_t) "t", .offset = offset, .leader_epoch = -1};

	return group_commit(s, "g", &o, 1, err);
}

static int
alter(struct store *s, struct err *err)
{
	static char name[] = "retention.ms", value[] = "-1";
	struct image_config c = {name, value};

	return store_alter_configs(s, "t", &c, 1, err);
}

static int
roll(struct store *s, struct progress *p, struct err *err)
{
	char text[8];

	for (int i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "%d", i);
		if (append(s, "r", 0, text, err) == -1 || store_sync(s, err) == -1)
			return -1;
		p->rolled = i + 1;
	}
	return 0;
}

static int
take_step(struct store *s, enum step step, struct progress *p, struct err *err)
{
	int64_t start;

	switch (step) {
	case CREATE_T:
		return create(s, "t", 2, NULL, err);
	case APPEND_A:
		return append(s, "t", 0, "a", err) == -1 ? -1 : store_sync(s, err);
	case APPEND_BC:
		if (append(s, "t", 0, "b", err) == -1 || append(s, "t", 1, "c", err) == -1)
			return -1;
		return store_sync(s, err);
	case COMMIT_1:
		return commit(s, 1, err);
	case COMMIT_2:
		return commit(s, 2, err);
	case CREATE_U:
	case RECREATE_U:
		return create(s, "u", 1, NULL, err);
	case APPEND_D:
		return append(s, "u", 0, "d", err) == -1 ? -1 : store_sync(s, err);
	case APPEND_F:
		return append(s, "u", 0, "f", err) == -1 ? -1 : store_sync(s, err);
	case GROW_T:
		return store_add_partitions(s, "t", 3, err);
	case CONFIG_T:
		return alter(s, err);
	case DELETE_U:
		return store_delete_topic(s, "u", err);
	case APPEND_E:
		return append(s, "t", 2, "e", err) == -1 ? -1 : store_sync(s, err);
	case TRIM_T:
		return store_trim(s, "t", 0, 1, &start, err);
	case CREATE_R:
		return create(s, "r", 1, "160", err);
	case APPEND_R:
		return roll(s, p, err);
	case OPEN:
	case STEPS:
		break;
	}
	return 0;
}

/* A store's life, until something fails. */
static void
live(struct os *os, struct progress *p)
{
	struct err err = {0};
	struct store *s;

	memset(p, 0, sizeof(*p));
	s = store_open(os, "store", &options, &err);
	if (s == NULL)
		return;
	p->done[OPEN] = true;
	for (p->tried = OPEN + 1; p->tried < STEPS; p->tried++) {
		if (take_step(s, (enum step)p->tried, p, &err) == -1)
			break;
		p->done[p->tried] = true;
	}
	store_free(s);
}

/* --- looking ------------------------------------------------------------------------ */

static char why[512];

static bool
bad(const char *what, const char *found)
{
	snprintf(why, sizeof(why), "%s: %.300s", what, found);
	return false;
}

/* The values of a partition, one letter each. */
static const char *
contents(struct store *s, const char *topic, int32_t partition)
{
	static char text[256];
	struct record_reader rr = {0};
	struct err err = {0};
	struct reader *r = store_reader(s, topic, partition, &err);
	struct record rec;
	struct batch b;
	int got;

	text[0] = '\0';
	if (r == NULL)
		return err.code == 0 ? "" : err_name(err.code);
	(void)reader_seek(r, 0, &err);
	while ((got = reader_next(r, &b, &err)) == 1) {
		record_reader_open(&rr, &b, &err);
		while (record_reader_next(&rr, &rec, &err) == 1)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s",
			    (int)rec.value_size, (const char *)rec.value);
	}
	record_reader_release(&rr);
	reader_free(r);
	return got == 0 ? text : err_name(err.code);
}

/* Are the values `all`, of which the first `kept` must be there and the others
 * may? */
static bool
holds(struct store *s, const char *topic, int32_t partition, const char *all, size_t kept)
{
	const char *found = contents(s, topic, partition);

	if (strlen(found) >= kept && strncmp(all, found, strlen(found)) == 0)
		return true;
	return bad(topic, found);
}

static bool
has_topic(struct store *s, const char *name)
{
	return image_topic(store_image(s), name) != NULL;
}

static bool
check_t(struct store *s, const struct progress *p)
{
	const struct image_topic *t = image_topic(store_image(s), "t");
	const char *config;
	bool trimmed = p->tried >= TRIM_T;
	size_t kept = (size_t)p->done[APPEND_A] + p->done[APPEND_BC];

	if (t == NULL)
		return p->done[CREATE_T] ? bad("t", "is not there") : true;
	if (t->partition_count != (p->done[GROW_T] ? 3 : t->partition_count == 3 ? 3 : 2))
		return bad("t", "has not its partitions");
	config = image_config(store_image(s), 2, "t", "retention.ms");
	if (p->done[CONFIG_T] && (config == NULL || strcmp(config, "-1") != 0))
		return bad("t", "has not its config");
	if (trimmed ? !holds(s, "t", 0, "b", 1) && (p->done[TRIM_T] || !holds(s, "t", 0, "ab", 2))
	            : !holds(s, "t", 0, "ab", kept))
		return false;
	if (!holds(s, "t", 1, "c", p->done[APPEND_BC]))
		return false;
	return t->partition_count < 3 || holds(s, "t", 2, "e", p->done[APPEND_E]);
}

static bool
check_u(struct store *s, const struct progress *p)
{
	if (p->done[RECREATE_U])
		return has_topic(s, "u") ? holds(s, "u", 0, "f", p->done[APPEND_F])
		                         : bad("u", "is not there again");
	if (p->done[DELETE_U])
		return !has_topic(s, "u") || p->tried == RECREATE_U ? true : bad("u", "is still there");
	if (p->tried < DELETE_U && p->done[CREATE_U])
		return has_topic(s, "u") ? holds(s, "u", 0, "d", p->done[APPEND_D])
		                         : bad("u", "is not there");
	return true;
}

static bool
check_group(struct store *s, const struct progress *p)
{
	struct group_offsets o;
	struct err err;
	int64_t offset;

	if (group_committed(s, "g", &o, &err) == -1)
		return bad("group", err.text);
	offset = group_offsets_get(&o, "t", 0);
	group_offsets_release(&o);
	if (offset < (p->done[COMMIT_2] ? 2 : p->done[COMMIT_1] ? 1 : -1) || offset > 2)
		return bad("group", "has not its offset");
	return true;
}

/* The store must take more of everything. */
static bool
goes_on(struct store *s)
{
	struct err err;

	if (create(s, "after", 1, NULL, &err) == -1 || append(s, "after", 0, "z", &err) == -1)
		return bad("going on", err.text);
	if (!has_topic(s, "t") && create(s, "t", 2, NULL, &err) == -1)
		return bad("going on with t", err.text);
	if (append(s, "t", 0, "z", &err) == -1 || append(s, "t", 1, "z", &err) == -1)
		return bad("going on with t", err.text);
	if (has_topic(s, "r") && append(s, "r", 0, "z", &err) == -1)
		return bad("going on with r", err.text);
	if (has_topic(s, "u") && append(s, "u", 0, "z", &err) == -1)
		return bad("going on with u", err.text);
	if (commit(s, 2, &err) == -1 || store_sync(s, &err) == -1)
		return bad("going on", err.text);
	if (strchr(contents(s, "t", 1), 'z') == NULL || strcmp(contents(s, "after", 0), "z") != 0)
		return bad("what was appended afterwards", "is not there");
	return true;
}

/* What a new process finds on the disk. */
static bool
check(struct sim_disk *disk, const struct progress *p)
{
	struct os *os = sim_os_new(disk, 99);
	struct err err;
	struct store *s = store_open(os, "store", &options, &err);
	bool good;

	if (s == NULL) {
		os_free(os);
		return bad("open", err.text);
	}
	good = check_t(s, p) && check_u(s, p) && check_group(s, p);
	if (good && p->done[CREATE_R])
		good = has_topic(s, "r") ? holds(s, "r", 0, "012345", (size_t)p->rolled)
		                         : bad("r", "is not there");
	good = good && goes_on(s);
	store_free(s);
	os_free(os);
	return good;
}

/* --- the loops ------------------------------------------------------------------------ */

static bool
check_crashes(struct sim_disk *disk, const struct progress *p, uint64_t n)
{
	for (uint64_t seed = 0; seed < CRASH_SEEDS; seed++) {
		struct sim_disk *image = sim_crash(disk, n * CRASH_SEEDS + seed);
		bool good = check(image, p);

		sim_disk_free(image);
		if (!good) {
			snprintf(why + strlen(why), sizeof(why) - strlen(why), " (power cut, seed %d)",
			    (int)(n * CRASH_SEEDS + seed));
			return false;
		}
	}
	return true;
}

/* One life with a fault at call `n`. False when there is no such call. */
static bool
one_life(const struct fault_plan *plan, bool cut, int *failures, const char *name)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = fault_new(sim_os_new(disk, 1));
	struct progress p;
	char where[32];
	bool fired;

	fault_plan(os, plan);
	live(os, &p);
	fired = fault_fired(os) > 0;
	snprintf(where, sizeof(where), "%s", fault_where(os));
	os_free(os);
	if (fired && ((cut && !check_crashes(disk, &p, plan->at)) || !check(disk, &p))) {
		if (++*failures <= 10)
			printf("# %s at call %d (%s, in step %s): %s\n", name, (int)plan->at, where,
			    p.tried < STEPS ? step_names[p.tried] : "none", why);
	}
	sim_disk_free(disk);
	return fired;
}

static void
every_call(enum fault_kind kind, unsigned calls, bool sticky, int error, bool cut, const char *name)
{
	struct fault_plan plan = {.calls = calls, .kind = kind, .sticky = sticky, .error = error};
	int failures = 0;

	for (plan.at = 1; one_life(&plan, cut, &failures, name); plan.at++)
		;
	is_int(failures, 0, "%s at each of %d calls loses nothing acknowledged", name,
	    (int)plan.at - 1);
}

/* --- two at a time ---------------------------------------------------------------------- */

/* What the other process does in the middle of one of our calls. It never waits,
 * so it may find the store busy; nothing else may go wrong. */
struct other {
	struct sim_disk *disk;
	int appended;
	bool acted, created, deleted, committed, wrong;
};

static bool
went_well(struct other *o, int ret, const struct err *err)
{
	if (ret == -1 && err->code != ERR_BUSY) {
		o->wrong = true;
		snprintf(why, sizeof(why), "the other: %s %.300s", err_name(err->code), err->text);
	}
	return ret == 0;
}

static void
other_acts(void *ctx)
{
	struct other *o = ctx;
	struct os *os = sim_os_new(o->disk, 7);
	struct err err = {0};
	struct store *s = store_open(os, "store", &options, &err);

	o->acted = true;
	if (s == NULL) {
		(void)went_well(o, -1, &err);
		os_free(os);
		return;
	}
	o->appended += went_well(o, append(s, "t", 0, "B", &err), &err);
	o->created = went_well(o, create(s, "theirs", 1, NULL, &err), &err);
	o->deleted = went_well(o, store_delete_topic(s, "doomed", &err), &err);
	o->committed = went_well(o, commit(s, 5, &err), &err);
	o->appended += went_well(o, append(s, "t", 0, "B", &err), &err);
	store_free(s);
	os_free(os);
}

/* Ours, while the other may act once. */
static bool
both_act(struct os *os, struct other *o)
{
	struct err err = {0};
	struct store *s = store_open(os, "store", &options, &err);
	size_t ours = 0, theirs = 0;
	bool good = true;

	if (s == NULL)
		return bad("open", err.text);
	for (int i = 0; good && i < 3; i++)
		if (append(s, "t", 0, "A", &err) == -1)
			good = bad("append", err.text);
	if (good && append(s, "doomed", 0, "A", &err) == -1 &&
	    (!o->deleted || err.code != ERR_UNKNOWN_TOPIC_OR_PARTITION))
		good = bad("append to what is deleted", err.text);
	if (good && create(s, "mine", 1, NULL, &err) == -1)
		good = bad("create", err.text);
	if (good && append(s, "mine", 0, "A", &err) == -1)
		good = bad("append to ours", err.text);
	if (good && store_sync(s, &err) == -1)
		good = bad("sync", err.text);
	if (good && commit(s, 6, &err) == -1)
		good = bad("commit", err.text);
	fault_plan(os, NULL);
	for (const char *p = contents(s, "t", 0); good && *p != '\0'; p++) {
		ours += *p == 'A';
		theirs += *p == 'B';
	}
	if (good && (ours != 3 || theirs != (size_t)o->appended))
		good = bad("both", contents(s, "t", 0));
	if (good && (store_refresh(s, &err) == -1 || has_topic(s, "theirs") != o->created ||
	                has_topic(s, "doomed") == o->deleted))
		good = bad("topics", "are not as both left them");
	store_free(s);
	return good && !o->wrong;
}

static bool
one_meeting(uint64_t n, int *failures)
{
	struct sim_disk *disk = sim_disk_new();
	struct other other = {.disk = disk};
	struct fault_plan plan = {
	    .calls = FAULT_ALL, .at = n, .kind = FAULT_HOOK, .hook = other_acts, .ctx = &other};
	struct os *os = sim_os_new(disk, 3);
	struct err err = {0};
	struct store *s = store_open(os, "store", &options, &err);
	bool good;

	if (s == NULL || create(s, "t", 1, NULL, &err) == -1 ||
	    create(s, "doomed", 1, NULL, &err) == -1 || commit(s, 1, &err) == -1)
		printf("# %s\n", err.text);
	store_free(s);
	os_free(os);
	os = fault_new(sim_os_new(disk, 4));
	fault_plan(os, &plan);
	good = both_act(os, &other);
	if (other.acted && !good && ++*failures <= 10)
		printf("# another process at call %d: %s\n", (int)n, why);
	os_free(os);
	sim_disk_free(disk);
	return other.acted;
}

static void
meetings(void)
{
	int failures = 0;
	uint64_t n = 1;

	while (one_meeting(n, &failures))
		n++;
	is_int(failures, 0, "another process at each of %d calls does no harm", (int)n - 1);
}

static void
whole_life(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct progress p;
	struct err err = {0};
	int done = 0;

	live(os, &p);
	for (int i = 0; i < STEPS; i++)
		done += p.done[i];
	is_int(done, STEPS, "undisturbed, every step is taken (%s)",
	    p.tried < STEPS ? step_names[p.tried] : err.text);
	ok(check(disk, &p), "and all is there: %s", why);
	os_free(os);
	sim_disk_free(disk);
}

int
main(void)
{
	store_options_default(&options);
	options.create = true;
	options.lock_wait_ms = 0;
	whole_life();
	meetings();
	every_call(FAULT_DIE_BEFORE, FAULT_WRITES, false, 0, true, "death before");
	every_call(FAULT_DIE_DURING, FAULT_WRITES, false, 0, true, "death during");
	every_call(FAULT_DIE_AFTER, FAULT_WRITES, false, 0, true, "death after");
	every_call(FAULT_FAIL, FAULT_WRITES, false, EIO, false, "an I/O error");
	every_call(FAULT_FAIL, FAULT_WRITES, true, EIO, true, "a dead disk");
	every_call(FAULT_SHORT, FAULT_WRITES, false, ENOSPC, false, "a full disk, once");
	every_call(FAULT_SHORT, FAULT_WRITES, true, ENOSPC, false, "a full disk");
	every_call(FAULT_FAIL, FAULT_READS, false, EIO, false, "a read error");
	return tap_done();
}
