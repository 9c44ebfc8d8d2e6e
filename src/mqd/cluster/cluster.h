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
struct logs;

struct cluster_options {
	const char *dir;
	int32_t node_id;
	const char *host; /* the advertised address, for the registration */
	int32_t port;
	const char *rack; /* or NULL */
	int64_t snapshot_bytes; /* metadata.log.max.record.bytes.between.snapshots */
	/* A topic was made, changed (partitions, leaders, configs) or deleted; or `topic`
	 * NULL: anything else (broker configs, features). Called on the loop after the image
	 * has it, before the change is done; for each topic once at the start. Deleted:
	 * image_topic_by_id does not know it any more. */
	void (*changed)(void *ctx, const char *topic, const struct uuid *topic_id);
	void *ctx;
};

/* --- life -------------------------------------------------------------------------- */

/* Formats the directory if it holds nothing, takes its locks (.lock, mqd.starting),
 * reads the metadata, becomes leader in a new epoch, registers and unfences this
 * broker, gives each partition without leader its leader again. Blocks: at start
 * only. Errors: ERR_BUSY (another has it), ERR_REFUSED (other nodes are in it, foreign
 * files), ERR_CORRUPT, ERR_IO. */
struct cluster *cluster_new(struct os *os, const struct cluster_options *o, struct err *err);

/* Clean stop: writes the marker (.kafka_cleanshutdown) once the logs have stopped. */
int cluster_stop(struct cluster *c, struct err *err);
void cluster_free(struct cluster *c);

const struct image *cluster_image(const struct cluster *c);
const struct uuid *cluster_id(const struct cluster *c);       /* as meta.properties has it */
const char *cluster_id_text(const struct cluster *c);
int32_t cluster_epoch(const struct cluster *c);        /* of the metadata log, ours */
int32_t cluster_epoch_before(const struct cluster *c); /* before this start; -1 none */
bool cluster_was_clean(const struct cluster *c);       /* the last stop */
int64_t cluster_broker_epoch(const struct cluster *c);

/* --- changes ------------------------------------------------------------------------ */

/* Records to be appended, collected by `prepare`. */
struct cluster_records;
int cluster_add(struct cluster_records *r, const struct wire_schema *schema, int version,
    const void *msg, struct err *err);

/* `prepare` is called, perhaps at once, when the image is current: it adds records (none
 * is fine: nothing is written), or returns -1 with err. Then `done`, from os_turn, when
 * they are durable and applied; or with err. */
struct cluster_change {
	int (*prepare)(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
	    struct err *err);
	void (*done)(struct cluster_change *ch);
	void *ctx;
	struct err err;
	struct cluster_change *next;
};
void cluster_change(struct cluster *c, struct cluster_change *ch);

/* A fresh producer id (blocks of 1000, ProducerIdsRecord). -1 with err:
 * COORDINATOR_LOAD_IN_PROGRESS while a block is being allocated. */
int cluster_producer_id(struct cluster *c, int64_t *id, struct err *err);

/* --- controller.c: pure --------------------------------------------------------------- */

struct topic_wish {
	const char *name;
	int32_t partitions; /* -1: num.partitions */
	int16_t replicas;   /* -1: default.replication.factor */
	/* or by hand: partition i has replicas[i]; NULL: not */
	const struct wire_int32s *assignment;
	size_t assignment_count;
	const struct image_config *configs;
	size_t config_count;
};

/* Each gives Kafka's code and text in err if it cannot be. */
int controller_create_topic(const struct image *im, const struct topic_wish *w, int32_t node_id,
    int32_t num_partitions, struct os *os, struct cluster_records *r, struct uuid *id,
    struct err *err);
int controller_delete_topic(const struct image *im, const struct uuid *id, struct cluster_records *r,
    struct err *err);
int controller_add_partitions(const struct image *im, const char *topic, int32_t count,
    int32_t node_id, struct os *os, struct cluster_records *r, struct err *err);

/* Sets (value) or takes away (NULL) one config of a resource; checked by the caller. */
int controller_set_config(int8_t type, const char *resource, const char *name, const char *value,
    struct cluster_records *r, struct err *err);

#endif
