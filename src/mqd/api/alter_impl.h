/*
 * What the files of AlterConfigs and IncrementalAlterConfigs share: alter_configs.c
 * takes a request apart and makes the change, alter_check.c says whether it may be.
 */
#ifndef MQD_API_ALTER_IMPL_H
#define MQD_API_ALTER_IMPL_H

#include "mqd/api/configs.h"
#include "mqd/cluster/cluster.h"
#include "mqd/net/dispatch.h"

enum op { OP_SET, OP_DELETE, OP_APPEND, OP_SUBTRACT };

/* One configuration that shall change. */
struct wish {
	const char *name, *value; /* value NULL: none came */
	int op;
	const char *result; /* NULL: it goes */
};

/* One resource of the request; in the exchange's arena. */
struct resource {
	int8_t type;
	struct wire_str wire_name;
	const char *name;
	const struct alter *alter;
	const struct image *image; /* while it is looked at */
	struct wish *wishes;
	size_t count;
	int code;
	const char *text;
};

struct alter {
	struct cluster_change change;
	struct exchange *x;
	struct resource *resources;
	size_t count;
	bool incremental, validate_only;
};

/* Fills the wishes' results. -1: `code` and `text` say why not. */
int alter_check(struct resource *r, const struct image *im);

/* Refuses a resource; returns -1. */
int alter_refuse(struct resource *r, const struct err *err);
int alter_refuse_as(struct resource *r, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
