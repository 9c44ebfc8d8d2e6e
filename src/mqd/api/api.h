/*
 * api: the handlers, one for each request that a broker answers, in files by family.
 *
 * A handler reads x->body (the struct of x->request.api->request), and answers once,
 * at once or later, with dispatch_reply and its kin. It is the only code that knows
 * the request's fields and Kafka's rules about them; what it asks for is in the parts
 * of struct broker. The table of handlers is in net/dispatch.c.
 *
 * An error that belongs to the whole request goes where its response has room for
 * one, as Kafka's handlers do (KafkaApis).
 */
#ifndef MQD_API_API_H
#define MQD_API_API_H

#include "mqd/net/dispatch.h"

/* An answer that is made of parts, which come one after another. */
struct gather {
	struct exchange *x;
	const void *response; /* answered with it when the last part is there */
	size_t left;
	bool short_of_memory; /* then the connection is closed instead */
};

/* One part is due; one is there. Begins with one due, for whoever walks the parts. */
static inline void
gather_begin(struct gather *g, struct exchange *x, const void *response)
{
	*g = (struct gather){.x = x, .response = response, .left = 1};
}

static inline void
gather_add(struct gather *g)
{
	g->left++;
}

static inline void
gather_one(struct gather *g)
{
	if (--g->left > 0)
		return;
	if (g->short_of_memory)
		dispatch_close(g->x, "out of memory");
	else
		dispatch_reply(g->x, g->response);
}

void api_produce(struct exchange *x);
void api_fetch(struct exchange *x);
void api_list_offsets(struct exchange *x);
void api_metadata(struct exchange *x);
void api_offset_commit(struct exchange *x);
void api_offset_fetch(struct exchange *x);
void api_find_coordinator(struct exchange *x);
void api_join_group(struct exchange *x);
void api_heartbeat(struct exchange *x);
void api_leave_group(struct exchange *x);
void api_sync_group(struct exchange *x);
void api_describe_groups(struct exchange *x);
void api_list_groups(struct exchange *x);
void api_api_versions(struct exchange *x);
void api_create_topics(struct exchange *x);
void api_delete_topics(struct exchange *x);
void api_delete_records(struct exchange *x);
void api_init_producer_id(struct exchange *x);
void api_offset_for_leader_epoch(struct exchange *x);
void api_describe_configs(struct exchange *x);
void api_alter_configs(struct exchange *x);
void api_describe_log_dirs(struct exchange *x);
void api_create_partitions(struct exchange *x);
void api_delete_groups(struct exchange *x);
void api_elect_leaders(struct exchange *x);
void api_incremental_alter_configs(struct exchange *x);
void api_offset_delete(struct exchange *x);
void api_describe_cluster(struct exchange *x);
void api_describe_producers(struct exchange *x);
void api_list_config_resources(struct exchange *x);
void api_describe_topic_partitions(struct exchange *x);

/* The answer to an ApiVersions of a version that we do not have: x->request.version
 * is 0, there is no body. */
void api_versions_unsupported(struct exchange *x);

#endif
