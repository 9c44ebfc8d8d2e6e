/* What clients are told of brokers and partitions. */
#include "mqd/api/view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "mqd/net/conn.h"

bool
view_is_internal(const char *name, size_t len)
{
	static const char *const internal[] = {
	    "__consumer_offsets", "__transaction_state", "__share_group_state"};

	for (size_t i = 0; i < COUNT(internal); i++)
		if (strlen(internal[i]) == len && memcmp(internal[i], name, len) == 0)
			return true;
	return false;
}

const struct image_topic *
view_topic(const struct image *im, struct wire_str name)
{
	return name.len > 0 ? map_get(&im->topics, name.data, (size_t)name.len) : NULL;
}

bool
view_is_alive(const struct image *im, int32_t id)
{
	const struct image_broker *b = image_broker(im, id);

	return b != NULL && !b->record->fenced;
}

void
view_address(const struct exchange *x, struct wire_str *host, int32_t *port)
{
	const struct net_listener *l = x->conn != NULL ? conn_listener(x->conn) : NULL;

	*host = wire_str_of(l != NULL ? l->host : "");
	*port = l != NULL ? l->port : 0;
}

int
view_leader(const struct image *im, const struct image_partition *p, int32_t *leader)
{
	*leader = -1;
	if (p->leader == -1)
		return ERR_LEADER_NOT_AVAILABLE;
	if (!view_is_alive(im, p->leader))
		return ERR_LISTENER_NOT_FOUND;
	*leader = p->leader;
	return 0;
}

struct wire_int32s
view_ids(const int32_t *ids, size_t count)
{
	return (struct wire_int32s){(int32_t *)(uintptr_t)ids, (int32_t)count};
}

struct wire_int32s
view_offline(struct exchange *x, const struct image *im, const struct image_partition *p)
{
	struct wire_int32s offline = {NULL, 0};

	for (size_t i = 0; i < p->replica_count; i++) {
		if (view_is_alive(im, p->replicas[i]))
			continue;
		if (offline.items == NULL)
			offline.items = exchange_array(x, p->replica_count, sizeof(*offline.items));
		if (offline.items == NULL)
			return (struct wire_int32s){NULL, -1};
		offline.items[offline.count++] = p->replicas[i];
	}
	return offline;
}

struct wire_str
view_text(struct exchange *x, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return wire_str_of(arena_strdup(&x->arena, text));
}

void
view_make_room(struct exchange *x, size_t bytes)
{
	if (x->arena.limit != 0)
		x->arena.limit += bytes;
}
