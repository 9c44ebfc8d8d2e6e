/* Who waits for a partition, and comes and goes while it is told. */
#include "mqd/replica/partition.h"
#include "mqd_broker_test.h"

enum { MANY = 1000 };

struct waiter {
	struct partition_waiter waiter;
	int told;
	bool again;          /* waits anew when it is told */
	struct waiter *takes; /* whom it takes with it */
};

static struct partition *p;
static struct waiter w[MANY];

static void
woken(struct partition_waiter *pw)
{
	struct waiter *me = pw->ctx;

	me->told++;
	if (me->again) {
		partition_wait_end(pw);
		partition_wait(p, pw);
	}
	if (me->takes != NULL)
		partition_wait_end(&me->takes->waiter);
}

static void
begin(void)
{
	memset(w, 0, sizeof(w));
	for (int i = 0; i < MANY; i++) {
		w[i].waiter = (struct partition_waiter){.woken = woken, .ctx = &w[i]};
		partition_wait(p, &w[i].waiter);
	}
}

static void
end(void)
{
	for (int i = 0; i < MANY; i++)
		partition_wait_end(&w[i].waiter);
}

static int
told(int times)
{
	int count = 0;

	for (int i = 0; i < MANY; i++)
		count += w[i].told == times;
	return count;
}

static void
test_all(void)
{
	begin();
	p->log->moved(p->log);
	is_int(told(1), MANY, "everybody is told");
	p->log->moved(p->log);
	is_int(told(2), MANY, "and told again, as who is told stays");
	end();
}

static void
test_again(void)
{
	begin();
	for (int i = 0; i < MANY; i++)
		w[i].again = true;
	p->log->moved(p->log);
	is_int(told(1), MANY, "who waits anew when it is told is not told twice");
	p->log->moved(p->log);
	is_int(told(2), MANY, "but the next time");
	end();
}

/* The last that came is told first. */
static void
test_gone(void)
{
	begin();
	w[MANY - 1].takes = &w[MANY - 2]; /* the next */
	w[500].takes = &w[100];
	w[50].takes = &w[60]; /* was told before */
	w[20].takes = &w[20]; /* itself */
	p->log->moved(p->log);
	is_int(told(0), 2, "who was taken away before its turn is not told");
	is_int(told(1), MANY - 2, "and all others are");
	p->log->moved(p->log);
	is_int(told(2), MANY - 4, "those who are left are told again");
	end();
}

int
main(void)
{
	struct world world;
	int code;

	world_begin(&world, 3, NULL);
	make_topic(&world, "t", 1);
	p = partitions_find(world.broker->partitions, "t", 1, NULL, 0, &code);
	test_all();
	test_again();
	test_gone();
	world_stop(&world);
	world_end(&world);
	return tap_done();
}
