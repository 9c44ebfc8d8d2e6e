/* ListConfigResources: what has, or could have, settings of its own (KIP-714, 1142). */
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "mqd/api/api.h"
#include "mqd/api/configs.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "wire_gen.h"

static const int8_t types[] = {
    RESOURCE_GROUP, RESOURCE_METRICS, RESOURCE_LOGGER, RESOURCE_BROKER, RESOURCE_TOPIC};

struct list {
	struct exchange *x;
	struct list_config_resources_response *out;
	size_t room;
};

static void
add(struct list *l, int8_t type, const char *name, size_t len)
{
	char *copy = arena_memdup(&l->x->arena, name, len);

	if (copy == NULL || (size_t)l->out->config_resources.count == l->room)
		return;
	l->out->config_resources.items[l->out->config_resources.count++] =
	    (struct list_config_resources_response_resource){
	        .resource_type = type, .resource_name = wire_str_of_mem(copy, len)};
}

static void
add_all(struct list *l, const struct image *im, int8_t type)
{
	char node[16];

	snprintf(node, sizeof(node), "%d", l->x->broker->config->node_id);
	if (type == RESOURCE_BROKER || type == RESOURCE_LOGGER) {
		add(l, type, node, strlen(node));
	} else if (type == RESOURCE_TOPIC) {
		for (struct map_entry *e = NULL; (e = map_next(&im->topics, e)) != NULL;)
			add(l, type, (const char *)e->key, e->key_len);
	} else {
		for (struct map_entry *e = NULL; (e = map_next(&im->configs, e)) != NULL;) {
			const struct image_configs *set = e->value;

			if ((int8_t)e->key[0] == type && set->count > 0)
				add(l, type, (const char *)e->key + 1, e->key_len - 1);
		}
	}
}

static bool
is_asked_for(const struct list_config_resources_request *in, int version, int8_t type)
{
	if (version == 0)
		return type == RESOURCE_METRICS;
	if (in->resource_types.count <= 0)
		return true;
	return memchr(in->resource_types.items, type, (size_t)in->resource_types.count) != NULL;
}

static bool
all_known(const struct list_config_resources_request *in)
{
	for (int32_t i = 0; i < in->resource_types.count; i++)
		if (memchr(types, in->resource_types.items[i], sizeof(types)) == NULL)
			return false;
	return true;
}

void
api_list_config_resources(struct exchange *x)
{
	const struct list_config_resources_request *in = x->body;
	const struct image *im = cluster_image(x->broker->cluster);
	struct list l = {.x = x, .out = dispatch_response(x),
	    .room = im->topics.count + im->configs.count + 2};

	if (l.out != NULL)
		l.out->config_resources.items =
		    exchange_array(x, l.room, sizeof(*l.out->config_resources.items));
	if (l.out == NULL || l.out->config_resources.items == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	if (!all_known(in))
		l.out->error_code = ERR_UNSUPPORTED_VERSION;
	for (size_t i = 0; l.out->error_code == 0 && i < COUNT(types); i++)
		if (is_asked_for(in, x->request.version, types[i]))
			add_all(&l, im, types[i]);
	dispatch_reply(x, l.out);
}
