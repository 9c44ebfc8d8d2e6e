/*
 * metrics: what a broker tells a monitor, over HTTP on an address of its own.
 *
 *	GET /metrics   Prometheus' text format; names as Kafka's beans have them, in the
 *	               spelling that its usual exporters give them
 *	GET /health    200 while the loop turns
 *	GET /ready     200 while requests are served; 503 while it stops, or once the data
 *	               directory has failed
 *
 * A connection brings one request and is closed after the answer. Bounds: CONNECTIONS
 * at a time, HEAD_MAX bytes of request, SECONDS for all of it, ANSWER_MAX bytes of
 * answer (what does not fit of partitions' lines is left out, and counted).
 *
 * Knows streams and the broker's parts, and changes none of them.
 */
#ifndef MQD_OPS_METRICS_H
#define MQD_OPS_METRICS_H

#include "base/bytes.h"
#include "base/error.h"

#define METRICS_CONNECTIONS 16
#define METRICS_HEAD_MAX 4096
#define METRICS_SECONDS 10
#define METRICS_ANSWER_MAX ((size_t)16 << 20)

struct broker;
struct metrics;

/* Listens on `address`. NULL with err: ERR_BUSY (the port is taken), ERR_CONFIG,
 * ERR_NOMEM. Free it before the broker. */
struct metrics *metrics_new(struct broker *b, const char *address, struct err *err);
void metrics_free(struct metrics *m);

/* Where it listens, with the real port. */
const char *metrics_address(const struct metrics *m);

/* metrics_text.c: the page. `started_ms` is when the broker started, wall clock. */
void metrics_print(struct broker *b, int64_t started_ms, struct buf *out);

/* 0 if requests are served, else why not. */
const char *metrics_unready(struct broker *b);

#endif
