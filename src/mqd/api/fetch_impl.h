/*
 * fetch_impl: what the files of Fetch share. Not for others.
 *
 *	fetch.c         the request, and its course: try, then answer or wait
 *	fetch_read.c    one partition is looked at, and read
 *	fetch_wait.c    waiting for what is not there yet
 *	fetch_answer.c  the answer
 */
#ifndef MQD_API_FETCH_IMPL_H
#define MQD_API_FETCH_IMPL_H

#include "mqd/api/api.h"
#include "mqd/api/fetch_sessions.h"
#include "mqd/broker.h"
#include "mqd/config.h"
#include "mqd/replica/partition.h"
#include "wire_gen.h"

struct fetch_part {
	struct fetch *fetch;
	struct fetch_entry *entry;
	struct partition *partition; /* NULL: none, `code` says why */
	struct partition_waiter waiter;
	int64_t bytes_seen; /* of its log, when it was looked at */
	int64_t end_seen;   /* what could be read then ended here */
	bool unread_seen;   /* more was there, that could not be read yet */
	int code;
	int64_t high_watermark, stable_end, start_offset;
	struct fetch_response_epoch_end diverging;
	struct fetch_response_leader leader; /* told with some errors */
	struct plog_job epoch_job; /* where the epoch ends that the client fetched last */
	struct epoch_entry epoch_end;
	int32_t leader_epoch;
	bool epoch_known; /* epoch_end is what the log says */
	bool unknown;     /* there is no such partition */
	struct fetch_read *read; /* NULL: nothing was read */
};

/* What was read lives until it was sent, longer than the request. */
struct fetch_read {
	struct plog_read read;
	struct fetch *fetch; /* NULL: the request is answered */
	struct fetch_part *part;
};

struct fetch {
	struct exchange *x;
	const struct fetch_request *in;
	struct fetch_context context;
	struct fetch_part *parts;
	size_t part_count;
	size_t at; /* the part that is being read */
	struct plog_job load;
	struct os_timer timer;
	size_t bytes, memory; /* read so far */
	size_t bytes_max;
	bool under_way; /* a read or load is */
	bool last;      /* whatever there is is the answer */
};

/* --- fetch.c --------------------------------------------------------------------------- */

/* From the first partition on, with nothing read. */
void fetch_begin(struct fetch *f);

/* Goes on with f->at, and after the last one answers or waits. */
void fetch_step(struct fetch *f);

/* Of what was read, and of waiting. */
void fetch_let_go(struct fetch *f);

/* --- fetch_read.c ---------------------------------------------------------------------- */

/* One part; f->at goes on when it is done. False: that is later, and fetch_step is
 * called then. */
bool fetch_try_part(struct fetch *f, struct fetch_part *p);

void fetch_read_free(struct fetch_read *r);

/* --- fetch_wait.c ---------------------------------------------------------------------- */

/* Until enough may be there, something is to be told, or the time is up. */
void fetch_wait(struct fetch *f);

/* --- fetch_answer.c -------------------------------------------------------------------- */

/* With what was read. */
void fetch_reply(struct fetch *f);
void fetch_reply_error(struct exchange *x, int code);

#endif
