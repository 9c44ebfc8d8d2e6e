/*
 * Topics that are made because somebody asked for them. Nobody waits: who asked was told
 * that there is none, and asks again. All that are wanted at a time are one change.
 */
#include <stdlib.h>
#include <string.h>

#include "mqd/cluster/cluster_impl.h"

/* Names that wait; more are forgotten, to be asked for again. */
#define WANTED_MAX 1000

/* Records of one change; what is left over is in the next. */
#define RECORDS_MAX 10000

struct wanted {
	char *name;
	int32_t partitions;
	struct image_config *configs;
	size_t config_count;
};

static void
wanted_free(struct wanted *w)
{
	for (size_t i = 0; i < w->config_count; i++) {
		free(w->configs[i].name);
		free(w->configs[i].value);
	}
	free(w->configs);
	free(w->name);
	free(w);
}

static struct wanted *
wanted_new(const struct topic_wish *from)
{
	struct wanted *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->partitions = from->partitions;
	w->name = strdup(from->name);
	w->configs = calloc(from->config_count + 1, sizeof(*w->configs));
	if (w->name == NULL || w->configs == NULL) {
		wanted_free(w);
		return NULL;
	}
	for (size_t i = 0; i < from->config_count; i++) {
		struct image_config *one = &w->configs[w->config_count++];

		one->name = strdup(from->configs[i].name);
		one->value = strdup(from->configs[i].value);
		if (one->name == NULL || one->value == NULL) {
			wanted_free(w);
			return NULL;
		}
	}
	return w;
}

static void
forget(struct cluster *c, const char *name)
{
	struct wanted *w = map_del(&c->wanted, name, strlen(name));

	if (w != NULL)
		wanted_free(w);
}

/* One that cannot be made, because another of that name came first or its name collides,
 * is as if nobody had asked. */
static int
make(struct cluster *c, const struct image *im, const struct wanted *w, struct cluster_records *r,
    struct err *err)
{
	struct topic_wish wish = {.name = w->name, .partitions = w->partitions, .replicas = -1,
	    .configs = w->configs, .config_count = w->config_count};
	struct uuid id;

	if (controller_create_topic(im, &wish, c->options.node_id, c->options.num_partitions, c->os, r,
	        &id, err) == 0)
		return 0;
	if (err->code != ERR_TOPIC_ALREADY_EXISTS)
		os_note(c->os, OS_WARN, "topic %.300s is not made: %s", w->name, err->text);
	return err->code == ERR_NOMEM ? -1 : 0;
}

static int
prepare(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
    struct err *err)
{
	struct cluster *c = ch->ctx;

	for (struct map_entry *e = NULL; (e = map_next(&c->wanted, e)) != NULL;) {
		struct wanted *w = e->value;

		if (cluster_record_count(r) + (size_t)w->partitions + w->config_count > RECORDS_MAX &&
		    cluster_record_count(r) > 0)
			break;
		if (make(c, im, w, r, err) == -1)
			return -1;
		forget(c, w->name);
	}
	return 0;
}

static void ask(struct cluster *c);

static void
done(struct cluster_change *ch)
{
	struct cluster *c = ch->ctx;

	c->wanted_asked = false;
	if (ch->err.code != 0)
		cluster_forget_wanted(c);
	else if (c->wanted.count > 0)
		ask(c);
}

static void
ask(struct cluster *c)
{
	c->wanted_asked = true;
	c->wanted_change = (struct cluster_change){.prepare = prepare, .done = done, .ctx = c};
	cluster_change(c, &c->wanted_change);
}

void
cluster_auto_create_as(struct cluster *c, const struct topic_wish *wish)
{
	size_t len = strlen(wish->name);
	struct wanted *w;

	if (c->wanted.count >= WANTED_MAX || map_get(&c->wanted, wish->name, len) != NULL)
		return;
	w = wanted_new(wish);
	if (w == NULL)
		return;
	if (w->partitions == -1)
		w->partitions = c->options.num_partitions;
	if (map_put(&c->wanted, wish->name, len, w, NULL) == -1) {
		wanted_free(w);
		return;
	}
	if (!c->wanted_asked)
		ask(c);
}

void
cluster_auto_create(struct cluster *c, const char *name)
{
	struct topic_wish wish = {.name = name, .partitions = -1};

	cluster_auto_create_as(c, &wish);
}

void
cluster_forget_wanted(struct cluster *c)
{
	for (struct map_entry *e = NULL; (e = map_next(&c->wanted, e)) != NULL;)
		forget(c, ((struct wanted *)e->value)->name);
}
