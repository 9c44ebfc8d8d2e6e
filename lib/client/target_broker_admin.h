/* What the files of a broker target's admin share; for nobody else. */
#ifndef CLIENT_TARGET_BROKER_ADMIN_H
#define CLIENT_TARGET_BROKER_ADMIN_H

#include "client/target_broker_impl.h"

struct admin_work {
	struct op op;
	struct admin_call *call;
	struct ask ask;
	struct ask settle; /* waits until brokers tell of the change */
	/* Of ADMIN_LIST_GROUPS: one to each broker. */
	struct ask *each;
	size_t each_count, each_left;
	const char **names;
	size_t name_count, name_cap;
	struct err err;
};

/* How an operation is asked for. */
struct admin_spec {
	int api;
	enum route to;
	int version_max; /* 0: none */
	int (*fill)(struct ask *a, int version, void *msg, struct err *err);
	int (*answer)(struct ask *a, int version, const void *msg, struct err *err);
	bool settles; /* a change of topics, which brokers hear of a little later */
};

static inline struct admin_call *
admin_call_of(struct ask *a)
{
	return ((struct admin_work *)a->ctx)->call;
}

/* target_broker_groups.c */
extern const struct admin_spec admin_describe_group, admin_delete_group, admin_delete_offsets;
void admin_list_groups(struct admin_work *o);

#endif
