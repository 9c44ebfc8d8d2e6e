/* DescribeGroups, ListGroups. */
#include <string.h>
#include <strings.h>

#include "mqd/groups/groups_impl.h"

static int
describe_members(const struct cgroup *g, struct arena *a, struct describe_groups_response_group *out)
{
	size_t count = cgroup_size(g), i = 0;
	struct describe_groups_response_member *list = arena_array(a, count, sizeof(*list));

	if (list == NULL)
		return -1;
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL; i++) {
		const struct cmember *m = e->value;

		list[i].member_id = m->id;
		list[i].group_instance_id = m->instance_id;
		list[i].client_id = m->client_id;
		list[i].client_host = m->client_host;
		list[i].member_assignment = m->assignment;
		if (g->state == CGROUP_STABLE)
			list[i].member_metadata = cmember_metadata(m, g->protocol);
	}
	out->members.items = list;
	out->members.count = (int32_t)count;
	return 0;
}

/* Before version 6 a group that is not there was Dead, and no error. */
static int
describe_nothing(struct arena *a, int version, struct describe_groups_response_group *out)
{
	char *text;

	out->group_state = wire_str_of(cgroup_state_name(CGROUP_DEAD));
	if (version < 6)
		return 0;
	text = arena_alloc(a, (size_t)out->group_id.len + 32);
	if (text == NULL)
		return -1;
	memcpy(text, "Group ", 6);
	memcpy(text + 6, out->group_id.data, (size_t)out->group_id.len);
	strcpy(text + 6 + out->group_id.len, " not found.");
	out->error_code = ERR_GROUP_ID_NOT_FOUND;
	out->error_message = wire_str_of_mem(text, (size_t)out->group_id.len + 17);
	return 0;
}

int
groups_describe(struct groups *gs, struct arena *a, int version, struct wire_str group,
    struct describe_groups_response_group *out)
{
	int code;
	struct shard *s = shard_of(gs, group, &code);
	const struct cgroup *g = s != NULL ? shard_group(s, group) : NULL;

	memset(out, 0, sizeof(*out));
	out->group_id = group;
	out->error_message = STR_NULL;
	out->authorized_operations = INT32_MIN;
	if (s == NULL) {
		out->error_code = (int16_t)code;
		return 0;
	}
	if (g == NULL)
		return describe_nothing(a, version, out);
	out->group_state = wire_str_of(cgroup_state_name(g->state));
	if (g->protocol_type.len > 0)
		out->protocol_type = g->protocol_type;
	if (g->state == CGROUP_STABLE && g->protocol.len > 0)
		out->protocol_data = g->protocol;
	return describe_members(g, a, out);
}

/* --- ListGroups -------------------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_word(struct wire_str s, const char *word)
{
	while (s.len > 0 && is_blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s.len == (int32_t)strlen(word) && strncasecmp(s.data, word, (size_t)s.len) == 0;
}

static bool
passes(const struct wire_strs *filter, const char *word)
{
	for (int32_t i = 0; i < filter->count; i++)
		if (is_word(filter->items[i], word))
			return true;
	return filter->count <= 0;
}

static void
list_group(const struct cgroup *g, struct list_groups_response_group *out)
{
	out->group_id = g->id;
	if (g->protocol_type.len > 0)
		out->protocol_type = g->protocol_type;
	out->group_state = wire_str_of(cgroup_state_name(g->state));
	out->group_type = wire_str_of("classic");
}

int
groups_list(struct groups *gs, struct arena *a, const struct list_groups_request *r,
    struct list_groups_response *out)
{
	size_t count = 0, n = 0;
	bool wanted[CGROUP_STATES];

	wire_init(&wire_list_groups_response, out);
	/* Once, however many groups and filters there are. */
	for (int i = 0; i < CGROUP_STATES; i++)
		wanted[i] = passes(&r->states_filter, cgroup_state_name((enum cgroup_state)i));
	for (int32_t i = 0; i < gs->topic_count && i < gs->count; i++) {
		if (gs->shards[i]->state == SHARD_LOADING) {
			out->error_code = ERR_COORDINATOR_LOAD_IN_PROGRESS;
			return 0;
		}
		count += gs->shards[i]->all.count;
	}
	if (!passes(&r->types_filter, "classic"))
		return 0;
	out->groups.items = arena_array(a, count, sizeof(*out->groups.items));
	if (out->groups.items == NULL)
		return -1;
	for (int32_t i = 0; i < gs->topic_count && i < gs->count; i++)
		for (struct map_entry *e = NULL; (e = map_next(&gs->shards[i]->all, e)) != NULL;) {
			const struct cgroup *g = e->value;

			if (wanted[g->state])
				list_group(g, &out->groups.items[n++]);
		}
	out->groups.count = (int32_t)n;
	return 0;
}
