/*
 * The controller's decisions: a wish and the image give records, or Kafka's error. Pure.
 *
 * What can be refused is refused before the first record is added.
 */
#include <stdlib.h>
#include <string.h>

#include "mqd/cluster/cluster_impl.h"

/* --- names --------------------------------------------------------------------------- */

int
controller_check_name(const struct image *im, const char *name, struct err *err)
{
	const struct image_topic *other;
	const char *why = NULL;

	if (name[0] == '\0')
		why = "the empty string is not allowed";
	else if (strcmp(name, ".") == 0)
		why = "'.' is not allowed";
	else if (strcmp(name, "..") == 0)
		why = "'..' is not allowed";
	if (why != NULL)
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION, "Topic name is invalid: %s", why);
	if (strlen(name) > TOPIC_NAME_MAX)
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION,
		    "Topic name is invalid: the length of '%.300s' is longer than the max allowed "
		    "length %d", name, TOPIC_NAME_MAX);
	if (!topic_name_ok(name))
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION,
		    "Topic name is invalid: '%s' contains one or more characters other than ASCII "
		    "alphanumerics, '.', '_' and '-'", name);
	if (image_topic(im, name) != NULL)
		return err_set(err, ERR_TOPIC_ALREADY_EXISTS, "Topic '%s' already exists.", name);
	other = topic_collision(im, name);
	if (other != NULL)
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION,
		    "Topic '%s' collides with existing topic: %s", name, other->name);
	return 0;
}

/* --- replicas ------------------------------------------------------------------------- */

static bool
is_active(const struct image *im, int32_t id)
{
	const struct image_broker *b = image_broker(im, id);

	return b != NULL && !b->record->fenced && !b->record->in_controlled_shutdown;
}

/* `before`: how many replicas the partitions before it have, 0: there are none. */
static int
check_replicas(
    const struct image *im, const struct wire_int32s *replicas, int32_t before, struct err *err)
{
	if (replicas->count <= 0)
		return err_set(err, ERR_INVALID_REPLICA_ASSIGNMENT,
		    "The manual partition assignment includes an empty replica list.");
	for (int32_t i = 0; i < replicas->count; i++) {
		if (image_broker(im, replicas->items[i]) == NULL)
			return err_set(err, ERR_INVALID_REPLICA_ASSIGNMENT,
			    "The manual partition assignment includes broker %d, but no such broker is "
			    "registered.", replicas->items[i]);
		for (int32_t j = 0; j < i; j++)
			if (replicas->items[j] == replicas->items[i])
				return err_set(err, ERR_INVALID_REPLICA_ASSIGNMENT,
				    "The manual partition assignment includes the broker %d more than once.",
				    replicas->items[i]);
	}
	if (before > 0 && replicas->count != before)
		return err_set(err, ERR_INVALID_REPLICA_ASSIGNMENT,
		    "The manual partition assignment includes a partition with %d replica(s), but "
		    "this is not consistent with previous partitions, which have %d replica(s).",
		    replicas->count, before);
	return 0;
}

static int
check_active(
    const struct image *im, const struct wire_int32s *replicas, int32_t number, struct err *err)
{
	for (int32_t i = 0; i < replicas->count; i++)
		if (is_active(im, replicas->items[i]))
			return 0;
	return err_set(err, ERR_INVALID_REPLICA_ASSIGNMENT,
	    "All brokers specified in the manual partition assignment for partition %d are fenced "
	    "or in controlled shutdown.", number);
}

/* With one node there is one place. */
static int
check_factor(const struct image *im, int32_t factor, int32_t node_id, struct err *err)
{
	int usable = 0;

	for (struct map_entry *e = NULL; (e = map_next(&im->brokers, e)) != NULL;)
		usable += is_active(im, ((struct image_broker *)e->value)->record->broker_id);
	if (usable == 0 || !is_active(im, node_id))
		return err_set(err, ERR_INVALID_REPLICATION_FACTOR,
		    "Unable to replicate the partition %d time(s): All brokers are currently fenced or "
		    "in controlled shutdown.", factor);
	if (factor > 1)
		return err_set(err, ERR_INVALID_REPLICATION_FACTOR,
		    "Unable to replicate the partition %d time(s): The target replication factor of %d "
		    "cannot be reached because only %zu broker(s) are registered or some brokers have "
		    "all their log directories cordoned.", factor, factor,
		    im->brokers.count);
	return 0;
}

/* --- partitions ------------------------------------------------------------------------ */

static struct topic_records
records_of(const struct image *im, struct cluster_records *r)
{
	return (struct topic_records){.im = im, .bb = &r->bb, .now_ms = r->now_ms};
}

/* The directory that a broker's new replicas go to. */
static struct uuid
directory_of(const struct image *im, int32_t id)
{
	const struct image_broker *b = image_broker(im, id);

	return b != NULL && b->record->log_dirs.count > 0 ? b->record->log_dirs.items[0] : uuid_zero;
}

static int
add_partition(const struct image *im, const struct uuid *id, int32_t number,
    const struct wire_int32s *replicas, struct cluster_records *r, struct err *err)
{
	struct topic_records to = records_of(im, r);
	size_t count = (size_t)replicas->count;
	struct uuid *directories = malloc(count * sizeof(*directories));
	int ret;

	if (directories == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++)
		directories[i] = directory_of(im, replicas->items[i]);
	ret = topic_add_partition(&to, id, number, replicas->items, directories, count, err);
	free(directories);
	r->count += ret == 0;
	return ret;
}

/* --- making topics ----------------------------------------------------------------------- */

/* Marks a number as seen; 0, or 1: it was. */
static int
see(struct map *seen, int32_t number, struct err *err)
{
	if (map_get(seen, &number, sizeof(number)) != NULL)
		return 1;
	return map_put(seen, &number, sizeof(number), seen, NULL) == -1 ? err_nomem(err) : 0;
}

static int
check_each(const struct image *im, const struct topic_wish *w, struct map *seen, struct err *err)
{
	for (size_t i = 0; i < w->assignment_count; i++) {
		int ret = see(seen, w->numbers[i], err);

		if (ret == 1)
			return err_set(err, ERR_INVALID_REPLICA_ASSIGNMENT,
			    "Found multiple manual partition assignments for partition %d",
			    w->numbers[i]);
		if (ret == -1 ||
		    check_replicas(
		        im, &w->assignment[i], i > 0 ? w->assignment[i - 1].count : 0, err) == -1 ||
		    check_active(im, &w->assignment[i], w->numbers[i], err) == -1)
			return -1;
	}
	for (int32_t i = 0; (size_t)i < w->assignment_count; i++)
		if (map_get(seen, &i, sizeof(i)) == NULL)
			return err_set(err, ERR_INVALID_REPLICA_ASSIGNMENT,
			    "partitions should be a consecutive 0-based integer sequence");
	return 0;
}

static int
check_assignment(const struct image *im, const struct topic_wish *w, struct err *err)
{
	struct map seen;
	int ret;

	if (w->replicas != -1)
		return err_set(err, ERR_INVALID_REQUEST, "A manual partition assignment was specified, "
		    "but replication factor was not set to -1.");
	if (w->partitions != -1)
		return err_set(err, ERR_INVALID_REQUEST, "A manual partition assignment was specified, "
		    "but numPartitions was not set to -1.");
	map_init(&seen);
	ret = check_each(im, w, &seen, err);
	map_release(&seen);
	return ret;
}

static int
check_wish(const struct image *im, const struct topic_wish *w, int32_t node_id, struct err *err)
{
	if (controller_check_name(im, w->name, err) == -1)
		return -1;
	if (w->assignment_count > 0)
		return check_assignment(im, w, err);
	if (w->replicas < -1 || w->replicas == 0)
		return err_set(err, ERR_INVALID_REPLICATION_FACTOR,
		    "Replication factor must be larger than 0, or -1 to use the default value.");
	if (w->partitions < -1 || w->partitions == 0)
		return err_set(err, ERR_INVALID_PARTITIONS,
		    "Number of partitions was set to an invalid non-positive value.");
	return check_factor(im, w->replicas == -1 ? 1 : w->replicas, node_id, err);
}

/* Kafka's order: the topic, its configs, its partitions. */
int
controller_create_topic(const struct image *im, const struct topic_wish *w, int32_t node_id,
    int32_t num_partitions, struct os *os, struct cluster_records *r, struct uuid *id,
    struct err *err)
{
	struct topic_records to = records_of(im, r);
	int32_t count = w->partitions == -1 ? num_partitions : w->partitions;
	struct wire_int32s self = {&node_id, 1};

	if (check_wish(im, w, node_id, err) == -1)
		return -1;
	topic_draw_id(os, im, id);
	if (topic_add_topic(&to, w->name, id, err) == -1)
		return -1;
	r->count++;
	for (size_t i = 0; i < w->config_count; i++)
		if (controller_set_config(im, 2, w->name, w->configs[i].name, w->configs[i].value, r,
		        err) == -1)
			return -1;
	for (size_t i = 0; i < w->assignment_count; i++)
		if (add_partition(im, id, w->numbers[i], &w->assignment[i], r, err) == -1)
			return -1;
	for (int32_t i = 0; w->assignment_count == 0 && i < count; i++)
		if (add_partition(im, id, i, &self, r, err) == -1)
			return -1;
	return 0;
}

/* --- changing, deleting ------------------------------------------------------------------- */

int
controller_delete_topic(const struct image *im, const struct uuid *id, struct cluster_records *r,
    struct err *err)
{
	struct topic_records to = records_of(im, r);

	if (image_topic_by_id(im, id) == NULL)
		return err_set(err, ERR_UNKNOWN_TOPIC_ID, "This server does not host this topic ID.");
	if (topic_add_removal(&to, id, err) == -1)
		return -1;
	r->count++;
	return 0;
}

static int
check_added(const struct image *im, const struct image_topic *t, int32_t count,
    const struct wire_int32s *assignment, int32_t assignment_count, int32_t node_id,
    struct err *err)
{
	int64_t more = (int64_t)count - t->partition_count;
	int32_t factor = (int32_t)t->partitions[0].replica_count;

	if (more == 0)
		return err_set(err, ERR_INVALID_PARTITIONS, "Topic already has %d partition(s).",
		    t->partition_count);
	if (more < 0)
		return err_set(err, ERR_INVALID_PARTITIONS,
		    "The topic %s currently has %d partition(s); %d would not be an increase.", t->name,
		    t->partition_count, count);
	if (assignment_count < 0)
		return check_factor(im, factor, node_id, err);
	if (assignment_count != more)
		return err_set(err, ERR_INVALID_REPLICA_ASSIGNMENT,
		    "Attempted to add %lld additional partition(s), but only %d assignment(s) were "
		    "specified.", (long long)more, assignment_count);
	for (int32_t i = 0; i < assignment_count; i++)
		if (check_replicas(im, &assignment[i], factor, err) == -1 ||
		    check_active(im, &assignment[i], t->partition_count + i, err) == -1)
			return -1;
	return 0;
}

int
controller_add_partitions(const struct image *im, const char *topic, int32_t count,
    const struct wire_int32s *assignment, int32_t assignment_count, int32_t node_id,
    struct cluster_records *r, struct err *err)
{
	const struct image_topic *t = image_topic(im, topic);
	struct wire_int32s self = {&node_id, 1};

	if (t == NULL || t->partition_count == 0)
		return err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION, "%s", "");
	if (check_added(im, t, count, assignment, assignment_count, node_id, err) == -1)
		return -1;
	for (int32_t i = t->partition_count; i < count; i++)
		if (add_partition(im, &t->id, i,
		        assignment_count > 0 ? &assignment[i - t->partition_count] : &self, r, err) == -1)
			return -1;
	return 0;
}

int
controller_set_config(const struct image *im, int8_t type, const char *resource,
    const char *name, const char *value, struct cluster_records *r, struct err *err)
{
	struct topic_records to = records_of(im, r);

	if (topic_add_config(&to, type, resource, name, value, err) == -1)
		return -1;
	r->count++;
	return 0;
}
