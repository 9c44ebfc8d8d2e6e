/* Tests of leader epochs and of checkpoint files. */
#include "log/checkpoint.h"
#include "log/epochs.h"
#include "os/os_sim.h"
#include "tap.h"

#include "base/bytes.h"

static void
parse(struct epochs *e, const char *text)
{
	struct err err;

	if (epochs_parse(e, text, strlen(text), &err) == -1)
		printf("# %s\n", err.text);
}

static void
is_epochs(const struct epochs *e, const char *want, const char *name)
{
	char got[256] = "";

	for (size_t i = 0; i < e->count; i++) {
		size_t at = strlen(got);
		snprintf(got + at, sizeof(got) - at, "%s%d@%lld", i > 0 ? " " : "",
		    (int)e->entries[i].epoch, (long long)e->entries[i].start_offset);
	}
	is_str(got, want, "%s", name);
}

static void
test_assign(void)
{
	struct epochs e;
	struct err err;

	epochs_init(&e);
	is_int(epochs_latest(&e), EPOCH_NONE, "no epoch at first");
	epochs_assign(&e, 2, 0, &err);
	epochs_assign(&e, 4, 10, &err);
	is_epochs(&e, "2@0 4@10", "epochs are noted");
	e.dirty = false;
	epochs_assign(&e, 4, 20, &err);
	epochs_assign(&e, 3, 20, &err);
	ok(e.count == 2 && !e.dirty, "one that is not newer is ignored");
	epochs_assign(&e, 5, 10, &err);
	is_epochs(&e, "2@0 5@10", "an older one that began at the same offset goes");
	epochs_assign(&e, 7, 30, &err);
	epochs_assign(&e, 9, 5, &err);
	is_epochs(&e, "2@0 9@5", "so do those above it");
	epochs_release(&e);
}

static void
test_ends(void)
{
	struct epochs e;
	struct epoch_entry end;

	epochs_init(&e);
	end = epochs_end_of(&e, 1, 100);
	ok(end.epoch == -1 && end.start_offset == -1, "end of an epoch: undefined without any");
	parse(&e, "0\n3\n2 5\n4 10\n7 30\n");
	end = epochs_end_of(&e, -1, 100);
	ok(end.epoch == -1 && end.start_offset == -1, "of an undefined one: undefined");
	end = epochs_end_of(&e, 7, 100);
	ok(end.epoch == 7 && end.start_offset == 100, "of the newest: the log's end");
	end = epochs_end_of(&e, 8, 100);
	ok(end.epoch == -1 && end.start_offset == -1, "of one above all: undefined");
	end = epochs_end_of(&e, 4, 100);
	ok(end.epoch == 4 && end.start_offset == 30, "of a known one: the next one's start");
	end = epochs_end_of(&e, 5, 100);
	ok(end.epoch == 4 && end.start_offset == 30, "of one between: the one below it");
	end = epochs_end_of(&e, 1, 100);
	ok(end.epoch == 1 && end.start_offset == 5, "of one below all: the first start");
	is_int(epochs_at(&e, 4), EPOCH_NONE, "epoch of an offset: none below the first");
	is_int(epochs_at(&e, 10), 4, "from its start on");
	is_int(epochs_at(&e, 1000), 7, "and the newest above all");
	epochs_release(&e);
}

static void
test_truncate(void)
{
	struct epochs e;

	epochs_init(&e);
	parse(&e, "0\n3\n2 5\n4 10\n7 30\n");
	epochs_truncate_end(&e, 31);
	ok(e.count == 3 && !e.dirty, "truncating above the last start drops none");
	epochs_truncate_end(&e, 30);
	is_epochs(&e, "2@5 4@10", "at an equal end the entry goes (KAFKA-10706)");
	parse(&e, "0\n3\n2 5\n4 10\n7 30\n");
	epochs_truncate_start(&e, 5);
	ok(e.count == 3 && !e.dirty, "moving the start to an epoch's start changes nothing");
	epochs_truncate_start(&e, 12);
	is_epochs(&e, "4@12 7@30", "the epoch that covers the new start begins there");
	epochs_truncate_start(&e, 100);
	is_epochs(&e, "7@100", "also the last one");
	epochs_release(&e);
}

static void
test_epoch_file(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct buf text = BUF_INIT;
	struct epochs e;
	struct err err;

	epochs_init(&e);
	os_mkdir(os, "t-0");
	ok(epochs_read(&e, os, "t-0", &err) == 0 && e.count == 0, "no file: no epochs");
	epochs_assign(&e, 0, 0, &err);
	epochs_assign(&e, 3, 17, &err);
	ok(epochs_write(&e, os, "t-0", &err) == 0 && !e.dirty, "the file is written");
	sim_read(disk, "t-0/leader-epoch-checkpoint", &text);
	is_str(buf_cstr(&text), "0\n2\n0 0\n3 17\n", "as Kafka writes it");
	ok(epochs_read(&e, os, "t-0", &err) == 0, "and read");
	is_epochs(&e, "0@0 3@17", "the same");
	buf_release(&text);
	epochs_release(&e);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_bad_text(void)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
	    {"1\n0\n", "line 1"}, {"x", "line 1"}, {"0\n", "line 2"}, {"0\n-1\n", "line 2"},
	    {"0\n1\n", "line 3"}, {"0\n1\n1 2\n3 4\n", "line 4"}, {"0\n1\n1\n", "line 3"},
	    {"0\n1\n1 2 3\n", "line 3"}, {"0\n1\n1 x\n", "line 3"},
	    {"0\n2\n3 1\n3 5\n", "line 4"}, {"0\n2\n3 5\n4 5\n", "line 4"},
	    {"0\n1\n99999999999 5\n", "line 3"}, {"0\n1\n1 -5\n", "line 3"}};
	struct epochs e;
	struct err err;

	epochs_init(&e);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r = epochs_parse(&e, bad[i].text, strlen(bad[i].text), &err);
		ok(r == -1 && err.code == ERR_CORRUPT && strstr(err.text, bad[i].want) != NULL,
		    "bad text %zu is an error with its line", i);
	}
	ok(epochs_parse(&e, "", 0, &err) == 0 && e.count == 0, "an empty file has no entries");
	epochs_release(&e);
}

static void
test_checkpoint(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct buf text = BUF_INIT;
	struct checkpoint c;
	struct err err;

	checkpoint_init(&c);
	ok(checkpoint_read(&c, os, "c", &err) == -1 && err.code == ERR_NOT_FOUND,
	    "a checkpoint that is not there is not found");
	checkpoint_set(&c, "orders", 10, 5, &err);
	checkpoint_set(&c, "orders", 2, 6, &err);
	checkpoint_set(&c, "a", 0, 7, &err);
	checkpoint_set(&c, "orders", 2, 8, &err);
	checkpoint_set(&c, "b", 0, 9, &err);
	checkpoint_del(&c, "b", 0);
	checkpoint_del(&c, "never", 0);
	ok(checkpoint_write(&c, os, "c", &err) == 0, "it is written");
	sim_read(disk, "c", &text);
	is_str(buf_cstr(&text), "0\n3\na 0 7\norders 2 8\norders 10 5\n", "as Kafka reads it");
	checkpoint_release(&c);
	ok(checkpoint_read(&c, os, "c", &err) == 0, "and read");
	is_int(checkpoint_get(&c, "orders", 2), 8, "an offset");
	is_int(checkpoint_get(&c, "orders", 3), -1, "or none");
	checkpoint_release(&c);
	sim_write(disk, "c", "0\n1\norders 1\n", 13);
	ok(checkpoint_read(&c, os, "c", &err) == -1 && err.code == ERR_CORRUPT,
	    "a bad one: %s", err.text);
	checkpoint_release(&c);
	buf_release(&text);
	os_free(os);
	sim_disk_free(disk);
}

/* Sorted one by one they would take minutes. */
static void
test_checkpoint_order(void)
{
	struct buf text = BUF_INIT;
	struct checkpoint c;
	struct err err;
	int many = 200000;

	buf_printf(&text, "0\n%d\n", many + 2);
	for (int i = many; i > 0; i--)
		buf_printf(&text, "t%06d 0 %d\n", i, i);
	buf_printf(&text, "t000007 0 1\nt000007 0 2\n");
	checkpoint_init(&c);
	is_int(checkpoint_parse(&c, buf_cstr(&text), text.len, &err), 0,
	    "many entries in the worst order are read");
	is_int((intmax_t)c.count, many, "each once");
	ok(checkpoint_get(&c, "t000001", 0) == 1 && checkpoint_get(&c, "t200000", 0) == many &&
	    checkpoint_get(&c, "t123456", 0) == 123456, "and found");
	is_int(checkpoint_get(&c, "t000007", 0), 2, "of several for one partition the last holds");
	checkpoint_release(&c);
	buf_release(&text);
}

int
main(void)
{
	test_assign();
	test_ends();
	test_truncate();
	test_epoch_file();
	test_bad_text();
	test_checkpoint();
	test_checkpoint_order();
	return tap_done();
}
