/*
 * view: what clients are told of brokers and partitions, the same in each answer that
 * does. Pure, over an image.
 */
#ifndef MQD_API_VIEW_H
#define MQD_API_VIEW_H

#include "mqd/net/dispatch.h"
#include "store/image.h"

/* Authorized operations as Kafka tells them where nobody is restricted: a bit for each
 * operation that a resource knows (AclEntry.supportedOperations). */
#define OPERATIONS_UNASKED INT32_MIN
#define OPERATIONS_TOPIC 3576   /* read, write, create, delete, alter, describe, both configs */
#define OPERATIONS_CLUSTER 8096 /* create, alter, describe, act, both configs, idempotent write */

/* Topics that are Kafka's own. */
bool view_is_internal(const char *name, size_t len);

/* A topic by the name in a request, or NULL. */
const struct image_topic *view_topic(const struct image *im, struct wire_str name);

/* A broker that is registered and not fenced. */
bool view_is_alive(const struct image *im, int32_t id);

/* Where the client that asks finds this node: by the listener that it came through. */
void view_address(const struct exchange *x, struct wire_str *host, int32_t *port);

/* Who leads; -1 with LEADER_NOT_AVAILABLE, or LISTENER_NOT_FOUND for one who cannot be
 * reached. */
int view_leader(const struct image *im, const struct image_partition *p, int32_t *leader);

/* Broker ids as an answer wants them: the image's own. */
struct wire_int32s view_ids(const int32_t *ids, size_t count);

/* The replicas that are not alive, in the exchange's arena; count -1: no memory. */
struct wire_int32s view_offline(
    struct exchange *x, const struct image *im, const struct image_partition *p);

/* A text in the exchange's arena; null without memory. */
struct wire_str view_text(struct exchange *x, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Lets the exchange's arena take so many bytes more: for an answer whose size is the
 * image's and not the request's. */
void view_make_room(struct exchange *x, size_t bytes);

/* So many partitions of one request have room beyond what its size allows. */
#define ROOM_PARTS ((size_t)20000)

#endif
