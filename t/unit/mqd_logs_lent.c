/* Reads that lend the file that they have verified, instead of a copy of it. */
#include "logs_test.h"
#include "mqd/replica/logs_impl.h"

enum { BATCHES = 400, VALUE = 1000 };

static struct node n;
static struct plog *l;

static void
begin(void)
{
	node_init(&n, 5);
	node_start(&n);
	l = node_plog(&n, "t");
	for (int i = 0; i < BATCHES; i++)
		append_one(&n, l, (struct make){.value = VALUE, .timestamp = T0 + i}, NULL);
}

/* How many good batches, from `offset` on and nothing else, lie where the read says; -1. */
static int
lent_batches(const struct plog_read *r, int64_t offset)
{
	uint8_t *bytes = malloc(r->len);
	struct batch b;
	int count = 0;
	bool good = os_read_at(n.os, r->fd, bytes, r->len, r->position) == (ssize_t)r->len;

	for (size_t at = 0; good && at < r->len; at += (size_t)b.size, count++)
		good = batch_view(bytes + at, r->len - at, &b) == BATCH_OK &&
		    batch_check(&b) == BATCH_OK && b.base_offset == offset + count;
	free(bytes);
	return good ? count : -1;
}

static void
test_lent(void)
{
	struct one_read o = {0};
	struct batch b;

	begin();
	is_int(read_one(&n, l, &o, 0, 200000), 0, "a large read");
	ok(o.r.fd != -1 && o.r.data == NULL, "is of a file");
	ok(o.r.len > 150000 && o.r.len <= 200000, "as much as was asked for (%zu)", o.r.len);
	int next = lent_batches(&o.r, 0);
	ok(next > 150, "whole batches, in order (%d)", next);
	plog_read_release(&o.r);
	is_int(read_one(&n, l, &o, next, 100000), 0, "the next");
	ok(lent_batches(&o.r, next) > 75, "goes on where it ended");
	plog_read_release(&o.r);
	o.r.limit_offset = 150;
	is_int(read_one(&n, l, &o, 100, 200000), 0, "one that ends at a limit, after fifty batches");
	ok(o.r.fd == -1 && o.r.data != NULL, "is small: it is in memory");
	batch_view(o.r.data, o.r.len, &b);
	is_int(b.base_offset, 100, "from its beginning on");
	plog_read_release(&o.r);
	o.r.limit_offset = 0;
	is_int(read_one(&n, l, &o, 0, 20000), 0, "also one of which little was asked");
	is_int(o.r.fd, -1, "is in memory");
	plog_read_release(&o.r);
	ok(node_stop(&n, &l, 1), "a clean stop");
	node_end(&n);
}

/* The topic goes while an answer is on its way. */
static void
test_deleted(void)
{
	struct one_read o = {0};

	begin();
	read_one(&n, l, &o, 0, 200000);
	plog_delete(l);
	node_settle(&n);
	ok(o.r.fd != -1 && lent_batches(&o.r, 0) > 100, "what is lent outlives its name");
	plog_read_release(&o.r);
	node_settle(&n);
	ok(node_stop(&n, NULL, 0), "a clean stop");
	node_end(&n);
}

static void
test_shared(void)
{
	static struct one_read o[LOGS_LENT_MAX + 2];
	int lent = 0;

	begin();
	for (int i = 0; i < LOGS_LENT_MAX + 2; i++) {
		read_one(&n, l, &o[i], i % 9, 100000);
		lent += o[i].r.fd != -1 && lent_batches(&o[i].r, i % 9) > 50;
	}
	node_settle(&n);
	ok(lent == LOGS_LENT_MAX + 2 && n.s->lent_files == 1,
	    "many answers out of one segment have one file (%d, %u)", lent, n.s->lent_files);
	for (int i = 1; i < LOGS_LENT_MAX + 2; i++)
		plog_read_release(&o[i].r);
	node_settle(&n);
	ok(lent_batches(&o[0].r, 0) > 50, "until the last is sent");
	plog_read_release(&o[0].r);
	is_int(n.s->lent_files, 0, "then it is closed");
	ok(node_stop(&n, &l, 1), "a clean stop");
	node_end(&n);
}

static void
test_many(void)
{
	static struct one_read o[LOGS_LENT_MAX + 2];
	static struct plog *logs[LOGS_LENT_MAX + 2];
	int lent = 0, held = 0;

	node_init(&n, 5);
	node_start(&n);
	for (int i = 0; i < LOGS_LENT_MAX + 2; i++) {
		char topic[16];

		snprintf(topic, sizeof(topic), "t%d", i);
		logs[i] = node_plog(&n, topic);
		append_one(&n, logs[i], (struct make){.value = 70000, .timestamp = T0}, NULL);
		read_one(&n, logs[i], &o[i], 0, 100000);
		lent += o[i].r.fd != -1;
		held += o[i].r.data != NULL;
	}
	ok(lent == LOGS_LENT_MAX && held == 2, "no more than %d files are lent at once (%d, %d)",
	    LOGS_LENT_MAX, lent, held);
	for (int i = 0; i < LOGS_LENT_MAX + 2; i++)
		plog_read_release(&o[i].r);
	is_int(n.s->lent_files, 0, "then none is");
	ok(node_stop(&n, logs, LOGS_LENT_MAX + 2), "a clean stop");
	node_end(&n);
}

/* The process's end comes before that of the answer. */
static void
test_killed(void)
{
	struct one_read o = {0};

	begin();
	read_one(&n, l, &o, 0, 200000);
	node_kill(&n);
	plog_read_release(&o.r);
	ok(o.r.fd == -1 && o.r.len == 0, "a file that is lent may be let go of after the logs");
	node_end(&n);
}

int
main(void)
{
	test_lent();
	test_deleted();
	test_shared();
	test_many();
	test_killed();
	return tap_done();
}
