/* What the files of cluster share; for nobody else. */
#ifndef CLIENT_CLUSTER_IMPL_H
#define CLIENT_CLUSTER_IMPL_H

#include "client/cluster.h"

struct node;

/* One of a node's connections. */
struct node_link {
	struct node *node;
	struct link *link; /* NULL until it is needed */
	int failures;	   /* in a row */
	int64_t retry_ns;  /* not to be opened before */
	int64_t tried_ns;  /* when it was opened last */
};

/* A broker, or an address of the list that is not known as one yet. */
struct node {
	struct cluster *cluster;
	int32_t id;		 /* -1: an address of the list */
	bool is_listed, is_gone; /* in the list; not in the last metadata */
	char address[OS_ADDRESS_MAX];
	struct node_link links[KIND_COUNT];
	int64_t since_ns; /* when it was first tried; 0: never */
	bool ever_up;
	bool is_missed; /* it was told that it is away */
	bool is_definite; /* the last failure was a clear no */
	struct err err;	  /* why it cannot be reached */
	struct node *next;
};

struct coordinator {
	int32_t node; /* -1: being looked up */
	struct ask *find;
};

struct cluster {
	struct os *os;
	struct cluster_config config;
	struct cluster_events events;
	struct node *nodes; /* those of the list, then those found */
	struct node *turn;  /* the one of TO_ANY to try next */
	int32_t controller; /* -1 */
	bool has_metadata;
	struct ask *first, *last_ask;
	bool asks_changed;
	struct os_timer wake;
	bool wake_soon;
	size_t links_live;
	struct map topics;	 /* name -> struct cluster_topic */
	struct map coordinators; /* group -> struct coordinator */
	struct ask refresh;
	bool refresh_wanted;
	int refresh_failures;
	struct err refresh_err; /* of the last one */
	int64_t refresh_not_before_ns;
	bool is_freeing;
};

/* cluster_nodes.c */
int nodes_from_list(struct cluster *c, struct err *err);
void nodes_close(struct cluster *c);
void nodes_free(struct cluster *c);
struct node *node_find(struct cluster *c, int32_t id);
int nodes_take(struct cluster *c, int32_t id, const char *host, int32_t host_len, int32_t port,
    struct err *err);

/* The link of a kind if it is up; else begins to open it when that is due and tells
 * in *when_ns at what time to look again (INT64_MAX: an event will come). */
struct link *node_link(struct node *n, enum link_kind kind, int64_t *when_ns);

/* A broker of TO_ANY, likewise; NULL: none is up. */
struct link *nodes_any(struct cluster *c, int64_t *when_ns, struct node **which);

/* True if the broker was never reached and there is no sense in waiting for it. */
bool node_is_hopeless(struct node *n);
bool nodes_are_hopeless(struct cluster *c, const struct err **why);

/* cluster.c: sends what can be sent, in the next turn of the loop. */
void cluster_wake(struct cluster *c);

/* cluster_metadata.c */
void metadata_init(struct cluster *c);
void metadata_free(struct cluster *c);
void metadata_pump(struct cluster *c, int64_t *when_ns);

/* The group's coordinator; -1: it is being looked up, or (with err->code) was and
 * cannot be found. */
int32_t coordinator_node(struct cluster *c, const char *group, struct err *err);

static inline void
soonest(int64_t *when_ns, int64_t at_ns)
{
	if (at_ns < *when_ns)
		*when_ns = at_ns;
}

#endif
