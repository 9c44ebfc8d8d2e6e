/* Whose a partition's directory is: what deleted topics leave, and logs that bear
 * nobody's id. */
#include "store/store.h"

#include "store_test.h"

struct world {
	struct sim_disk *disk;
	struct os *os;
	struct store *s;
	struct err err;
};

static void
world_init(struct world *w)
{
	w->disk = sim_disk_new();
	w->os = sim_os_new(w->disk, 1);
	w->s = open_store(w->os);
}

static void
world_release(struct world *w)
{
	store_free(w->s);
	os_free(w->os);
	sim_disk_free(w->disk);
}

/* As another process that begins now. */
static void
open_again(struct world *w)
{
	store_free(w->s);
	w->s = open_store(w->os);
}

struct search {
	const char *start, *end;
	int count;
};

static int
look_at(void *ctx, const char *path, bool is_dir, int64_t size)
{
	struct search *search = ctx;
	size_t len = strlen(path), end = strlen(search->end);

	(void)size;
	if (is_dir && strncmp(path, search->start, strlen(search->start)) == 0 && len >= end &&
	    strcmp(path + len - end, search->end) == 0)
		search->count++;
	return 0;
}

/* How many directories have such names. */
static int
directories(struct world *w, const char *start, const char *end)
{
	struct search search = {start, end, 0};

	sim_list(w->disk, look_at, &search);
	return search.count;
}

/* Deletes a topic of two partitions with records; the directory of the second
 * stays, for another process holds its lock. */
static void
delete_but_one(struct world *w)
{
	struct os *other = sim_os_new(w->disk, 2);
	int fd;

	create(w->s, "t", 2, &w->err);
	append(w->s, "t", 0, "old", &w->err);
	append(w->s, "t", 1, "old", &w->err);
	fd = os_open(other, "store/t-1/mq.lock", OS_WRITE);
	is_int(os_lock(other, fd, OS_LOCK_EXCLUSIVE), 0, "a partition is held");
	is_int(store_delete_topic(w->s, "t", &w->err), 0, "its topic is deleted even so");
	is_int(directories(w, "store/t-", ""), 1, "and one directory is left");
	os_close(other, fd);
	os_free(other);
}

static void
test_left_over(void)
{
	struct world w;

	world_init(&w);
	delete_but_one(&w);
	create(w.s, "t", 1, &w.err);
	is_int(directories(&w, "store/t-", ""), 0,
	    "a topic made again removes what lies beyond its partitions");
	is_int(append(w.s, "t", 0, "new", &w.err), 0, "and is written");
	world_release(&w);

	world_init(&w);
	delete_but_one(&w);
	create(w.s, "t", 2, &w.err);
	is_str(contents(w.s, "t", 1), "", "an old partition of a new topic reads as empty");
	is_int(append(w.s, "t", 1, "new", &w.err), 0, "who writes there begins at 0");
	is_str(contents(w.s, "t", 1), "new,", "and the old is gone");
	world_release(&w);
}

/* More than we understand is left alone. */
static void
test_living_id(void)
{
	struct world w;
	struct store_partition odd = {.topic = (char[]){"t"}, .dir = (char[]){"store/t-7"}};

	world_init(&w);
	create(w.s, "t", 1, &w.err);
	odd.topic_id = image_topic(store_image(w.s), "t")->id;
	is_int(partition_make_directory(w.s->os, w.s->dir, odd.dir, &w.err), 0,
	    "a directory that no record tells of");
	is_int(partition_id_write(w.s->os, odd.dir, &odd.topic_id, &w.err), 0, "with a living topic's id");
	create(w.s, "u", 1, &w.err);
	is_int(directories(&w, "store/t-7", ""), 1, "stays");
	world_release(&w);
}

/* As Kafka 4.3.1 ("The topicId does not exist in ..., treat it as a stray log"). */
static void
test_no_id(void)
{
	struct world w;

	world_init(&w);
	create(w.s, "t", 1, &w.err);
	append(w.s, "t", 0, "one", &w.err);
	open_again(&w);
	is_int(os_remove(w.os, "store/t-0/partition.metadata"), 0, "a partition loses its id");
	is_str(contents(w.s, "t", 0), "", "its log is nobody's: it reads as empty");
	is_int(append(w.s, "t", 0, "new", &w.err), 0, "a writer begins at 0 too");
	is_str(contents(w.s, "t", 0), "new,", "in a log of its own");
	is_int(directories(&w, "store/t-0.", "-stray"), 1, "and what was there is kept as stray");
	is_int(append(w.s, "t", 0, "more", &w.err), 1, "the log goes on");
	open_again(&w);
	is_str(contents(w.s, "t", 0), "new,more,", "also for those that come later");

	create(w.s, "u", 1, &w.err);
	is_int(os_mkdir(w.os, "store/u-0"), 0, "a directory is made by one that dies then");
	is_int(append(w.s, "u", 0, "one", &w.err), 0, "the next one takes it");
	is_int(directories(&w, "store/u-0.", "-stray"), 0, "as it is");

	open_again(&w);
	is_int(os_remove(w.os, "store/__cluster_metadata-0/partition.metadata"), 0,
	    "the metadata log loses its id");
	is_int(create(w.s, "v", 1, &w.err), 0, "it is the metadata log all the same");
	is_int(append(w.s, "t", 0, "last", &w.err), 2, "and nothing that it knows is lost");
	world_release(&w);
}

int
main(void)
{
	store_options_default(&options);
	options.create = true;
	options.lock_wait_ms = 100;
	test_left_over();
	test_living_id();
	test_no_id();
	return tap_done();
}
