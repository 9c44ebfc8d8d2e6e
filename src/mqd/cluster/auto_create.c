/*
 * Topics that are made because somebody asked for them. Nobody waits: who asked was told
 * that there is none, and asks again. All that are wanted at a time are one change.
 */
#include <string.h>

#include "mqd/cluster/cluster_impl.h"

/* Names that wait; more are forgotten, to be asked for again. */
#define WANTED_MAX 1000

/* Records of one change; what is left over is in the next. */
#define RECORDS_MAX 10000

/* One that cannot be made, because another of that name came first or its name collides,
 * is as if nobody had asked. */
static int
make(struct cluster *c, const struct image *im, const char *name, struct cluster_records *r,
    struct err *err)
{
	struct topic_wish wish = {.name = name, .partitions = -1, .replicas = -1};
	struct uuid id;

	if (controller_create_topic(im, &wish, c->options.node_id, c->options.num_partitions, c->os, r,
	        &id, err) == 0)
		return 0;
	if (err->code != ERR_TOPIC_ALREADY_EXISTS)
		os_note(c->os, OS_WARN, "topic %.300s is not made: %s", name, err->text);
	return err->code == ERR_NOMEM ? -1 : 0;
}

static int
prepare(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
    struct err *err)
{
	struct cluster *c = ch->ctx;

	for (struct map_entry *e = NULL; (e = map_next(&c->wanted, e)) != NULL;) {
		if (cluster_record_count(r) > 0 &&
		    cluster_record_count(r) + (size_t)c->options.num_partitions >= RECORDS_MAX)
			break;
		if (make(c, im, (const char *)e->key, r, err) == -1)
			return -1;
		(void)map_del(&c->wanted, e->key, e->key_len);
	}
	return 0;
}

static void ask(struct cluster *c);

static void
done(struct cluster_change *ch)
{
	struct cluster *c = ch->ctx;

	c->wanted_asked = false;
	if (ch->err.code != 0) {
		map_release(&c->wanted);
		map_init(&c->wanted);
	} else if (c->wanted.count > 0) {
		ask(c);
	}
}

static void
ask(struct cluster *c)
{
	c->wanted_asked = true;
	c->wanted_change = (struct cluster_change){.prepare = prepare, .done = done, .ctx = c};
	cluster_change(c, &c->wanted_change);
}

void
cluster_auto_create(struct cluster *c, const char *name)
{
	if (c->wanted.count >= WANTED_MAX || map_put(&c->wanted, name, strlen(name), c, NULL) == -1)
		return;
	if (!c->wanted_asked)
		ask(c);
}
