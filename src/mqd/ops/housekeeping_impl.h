/* housekeeping_impl: what housekeeping.c (life, retention) and cleaner.c share. */
#ifndef MQD_OPS_HOUSEKEEPING_IMPL_H
#define MQD_OPS_HOUSEKEEPING_IMPL_H

#include "mqd/broker.h"
#include "mqd/config.h"
#include "mqd/ops/housekeeping.h"
#include "mqd/replica/partition.h"

#define HOUSEKEEPING_FIRST_MS 30000 /* retention's first round, at the latest */
#define HOUSEKEEPING_SPREAD_MS 1000 /* at most, between two partitions of one */
#define CLEANER_LEAST_MS 100        /* at least, between two rounds without work */
#define CLEANER_RETRY_MS 60000      /* after an error that may pass */

/* Partitions that one round goes through; all are held. */
struct round {
	struct partition **all;
	size_t count, cap, at;
	bool running;
};

struct housekeeping {
	struct broker *b;
	bool stopping;
	/* Retention. */
	struct os_timer retain_timer, retain_next;
	struct round retain;
	struct plog_look retain_look;
	unsigned retain_version;
	struct plog_job retain_load;
	struct plog_retain retain_run;
	bool doubted; /* and that was said */
	/* Compaction. */
	struct os_timer clean_timer;
	struct round clean;
	struct partition *cleaning;
	struct plog_look clean_look;
	unsigned clean_version;
	struct plog_job clean_load;
	struct plog_compact clean_run;
};

static inline int64_t
housekeeping_mono_ms(const struct housekeeping *h)
{
	return os_mono_ns(h->b->os) / 1000000;
}

/* Begins a round with the partitions for which `wanted` is true. */
void round_begin(struct housekeeping *h, struct round *r,
    bool (*wanted)(const struct housekeeping *h, const struct partition *p));
void round_end(struct round *r);

/* Is there still something to be done with it? */
static inline bool
housekeeping_has(const struct housekeeping *h, const struct partition *p)
{
	return !h->stopping && !p->deleted && !p->log->failed;
}

/* cleaner.c */
void cleaner_init(struct housekeeping *h);

#endif
