/* Membership in groups of a cluster. */
#include "client/target_broker_impl.h"

struct target_member *
broker_group_join(struct target *t, const char *group, const char *client_id,
    const char *const *topics, size_t topic_count, const struct target_member_events *events,
    struct err *err)
{
	(void)client_id;
	(void)topics;
	(void)topic_count;
	(void)events;
	err_set(err, ERR_REFUSED, "%s: group %s: brokers' groups cannot be joined yet", t->name, group);
	return NULL;
}

void
broker_group_released(struct target_member *m, const char *topic, int32_t partition)
{
	(void)m;
	(void)topic;
	(void)partition;
}

int
broker_group_add_topic(struct target_member *m, const char *topic, struct err *err)
{
	(void)m;
	return err_set(err, ERR_REFUSED, "topic %s: no member", topic);
}

bool
broker_group_settled(const struct target_member *m)
{
	(void)m;
	return true;
}

void
broker_group_leave(struct target_member *m)
{
	(void)m;
}

int32_t
member_generation(const struct target_member *m)
{
	(void)m;
	return -1;
}

const char *
member_id(const struct target_member *m)
{
	(void)m;
	return "";
}
