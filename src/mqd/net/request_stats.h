/*
 * request_stats: of each kind of request how many were answered, how long that took,
 * and what errors the answers held.
 *
 * The time is that from the whole request to its answer, in which a fetch may wait for
 * records. An answer about many partitions may hold many errors; each counts.
 */
#ifndef MQD_NET_REQUEST_STATS_H
#define MQD_NET_REQUEST_STATS_H

#include "wire/api.h"

#define REQUEST_KEYS_MAX 128
#define REQUEST_ERRORS_MAX 160 /* Kafka's codes, from -1 on */
#define REQUEST_BUCKETS 8

/* Upper ends of the buckets, but for the last one's, which has none. */
extern const int64_t request_bucket_us[REQUEST_BUCKETS];

/* Of one API. */
struct api_stats {
	int64_t count, sum_us;
	int64_t buckets[REQUEST_BUCKETS + 1];
	int64_t *errors; /* by code + 1; NULL: none yet */
};

struct request_stats {
	struct api_stats *of[REQUEST_KEYS_MAX]; /* by key; NULL: none came */
};

void request_stats_release(struct request_stats *s);

/* One is done with. What there is no memory for is not counted. */
void request_stats_count(struct request_stats *s, const struct api *api, int64_t took_ns);
void request_stats_errors(struct request_stats *s, const struct api *api, const void *response);

#endif
