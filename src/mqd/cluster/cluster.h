/*
 * cluster: the metadata log, who leads it, and what it says.
 *
 * Three parts: quorum.c (KRaft: epoch, vote, high watermark of __cluster_metadata-0,
 * quorum-state, snapshots; here with one voter), controller.c (pure: a wish and the
 * image give records, or Kafka's error), and the image (lib/store/image.h) as of the
 * last committed record.
 *
 * A change is a set of records that are appended as one batch (or one metadata
 * transaction), durable, then applied to the image, then told. Changes are made one
 * after another: each is prepared on the image that all before it have made.
 *
 * Sources: KIP-500, 595, 630, 631, 853; share/doc/format.md.
 */
#ifndef MQD_CLUSTER_CLUSTER_H
#define MQD_CLUSTER_CLUSTER_H

#include "base/arena.h"
#include "base/error.h"
#include "os/os.h"
#include "store/image.h"
#include "wire/wire.h"

struct cluster;
struct topic_wish;

/* Strings are copied. */
struct cluster_options {
	const char *dir;
	int32_t node_id;
	const char *cluster_id; /* cluster.id, which the store's must be; NULL: any */
	const char *host; /* the advertised address, for the registration; NULL: localhost */
	int32_t port;
	const char *rack; /* or NULL */
	int32_t num_partitions; /* of topics that are made on the way */
	const struct map *topic_defaults; /* for the image's `defaults`; lives longer; or NULL */
	int64_t snapshot_bytes; /* metadata.log.max.record.bytes.between.snapshots */
	int64_t lock_wait_ms;   /* longest wait for tools that are in the middle of something */
	bool force_network;     /* although it is on a network file system */
	/* A topic was made, changed (partitions, leaders, configs) or deleted; or `topic`
	 * NULL: anything else (broker configs, features). Called on the loop after the image
	 * has it, before the change is done; and from cluster_announce. Deleted:
	 * image_topic_by_id does not know it any more. */
	void (*changed)(void *ctx, const char *topic, const struct uuid *topic_id);
	/* The metadata log has failed: no change will be made any more, and what has been
	 * told of it is still true. Once; the node should end. */
	void (*failed)(void *ctx, const struct err *err);
	void *ctx;
};

/* --- life -------------------------------------------------------------------------- */

/* Formats the directory if it holds nothing, takes its locks (mqd.starting, .lock),
 * reads the metadata, becomes leader in a new epoch, registers and unfences this
 * broker, gives each partition that needs one its leader. Blocks: at start only. Calls
 * nothing back. Errors: ERR_BUSY (another has it), ERR_REFUSED (other nodes are in it,
 * foreign files, another node's or cluster's, a read-only or network file system),
 * ERR_CORRUPT, ERR_IO, ERR_NO_SPACE. */
struct cluster *cluster_new(struct os *os, const struct cluster_options *o, struct err *err);

/* Tells `changed` of each topic, and once of anything else: when the rest is built. */
void cluster_announce(struct cluster *c);

/* Stop, once the logs have stopped: waits for the change under way (those that are not
 * begun fail with NOT_CONTROLLER), fences this broker, and, if they stopped `clean`,
 * writes the marker (.kafka_cleanshutdown). `done` comes from os_turn; err->code 0: all
 * went well. */
void cluster_stop(struct cluster *c, bool clean, void (*done)(void *ctx, const struct err *err),
    void *ctx);

/* Lets go of everything, the locks last. Not while a change, a snapshot or a stop is
 * under way, unless the os is dead (a simulated crash): no completion may come. */
void cluster_free(struct cluster *c);

const struct image *cluster_image(const struct cluster *c);
const struct uuid *cluster_id(const struct cluster *c);       /* as meta.properties has it */
const char *cluster_id_text(const struct cluster *c);
int32_t cluster_epoch(const struct cluster *c);        /* of the metadata log, ours */
int32_t cluster_epoch_before(const struct cluster *c); /* before this start; -1 none */
bool cluster_was_clean(const struct cluster *c);       /* the last stop */
int64_t cluster_broker_epoch(const struct cluster *c);

/* --- changes ------------------------------------------------------------------------ */

/* Records to be appended, collected by `prepare`. At most METADATA_BATCH_MAX bytes. */
struct cluster_records;
int cluster_add(struct cluster_records *r, const struct wire_schema *schema, int version,
    const void *msg, struct err *err);

/* How many there are; and none again. */
size_t cluster_record_count(const struct cluster_records *r);
void cluster_drop(struct cluster_records *r);

/* `prepare` is called from os_turn, when the image is current: it adds records (none is
 * fine: nothing is written), or returns -1 with err. Then `done`, from os_turn, when they
 * are durable and applied; or with err: prepare's, KAFKA_STORAGE_ERROR (not written),
 * NOT_CONTROLLER (stopping). The struct is the caller's again when `done` is called. */
struct cluster_change {
	int (*prepare)(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
	    struct err *err);
	void (*done)(struct cluster_change *ch);
	void *ctx;
	struct err err;
	struct cluster_change *next;
};
void cluster_change(struct cluster *c, struct cluster_change *ch);

/* Wants a topic, soon, with num.partitions: clients ask for it until it is there. A name
 * that may not be, or that is there, is passed over, as are more than a thousand at once. */
void cluster_auto_create(struct cluster *c, const char *name);

/* A fresh producer id (blocks of 1000, ProducerIdsRecord). -1 with err:
 * COORDINATOR_LOAD_IN_PROGRESS while a block is being allocated. */
int cluster_producer_id(struct cluster *c, int64_t *id, struct err *err);

/* --- controller.c: pure --------------------------------------------------------------- */

/* Kafka's ReplicationControlManager: checks in its order, with its texts. */

struct topic_wish {
	const char *name;
	int32_t partitions; /* -1: num.partitions */
	int16_t replicas;   /* -1: default.replication.factor, which is 1 */
	/* or by hand: partition numbers[i] has the replicas assignment[i]; count 0: not */
	const int32_t *numbers;
	const struct wire_int32s *assignment;
	size_t assignment_count;
	/* Checked by the caller, after controller_check_name. */
	const struct image_config *configs;
	size_t config_count;
};

/* A name that may be given to a new topic. INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS. */
int controller_check_name(const struct image *im, const char *name, struct err *err);

/* Each gives Kafka's code and text in err if it cannot be. Then no
 * record was added. */
int controller_create_topic(const struct image *im, const struct topic_wish *w, int32_t node_id,
    int32_t num_partitions, struct os *os, struct cluster_records *r, struct uuid *id,
    struct err *err);
int controller_delete_topic(const struct image *im, const struct uuid *id, struct cluster_records *r,
    struct err *err);

/* `assignment`: of the new partitions, by hand; count -1: not. */
int controller_add_partitions(const struct image *im, const char *topic, int32_t count,
    const struct wire_int32s *assignment, int32_t assignment_count, int32_t node_id,
    struct cluster_records *r, struct err *err);

/* Sets (value) or takes away (NULL) one config of a resource; checked by the caller. */
int controller_set_config(const struct image *im, int8_t type, const char *resource,
    const char *name, const char *value, struct cluster_records *r, struct err *err);

#endif
