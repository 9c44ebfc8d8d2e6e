/*
 * config: what a broker is told: mqd.conf (server.properties' names), options, and
 * the defaults, as one table, each key written once.
 *
 * Usage, mqd.conf(5), share/mqd.conf, --check and DescribeConfigs come from the
 * table. Values that can be changed while running (dynamic configs of a broker, in
 * the metadata log) are looked up there first: broker_config_value.
 *
 * Knows text and the table of topic configurations (store/topic_config.h).
 */
#ifndef MQD_CONFIG_H
#define MQD_CONFIG_H

#include "base/error.h"
#include "store/image.h"
#include "store/topic_config.h"

/* What the code reads; every field is a key of the table. */
struct broker_config {
	int32_t node_id;
	char *dir;              /* log.dirs, of which one is supported */
	char **listeners;       /* addresses for os_listen: "127.0.0.1:9092", "unix:…" */
	size_t listener_count;
	char *advertised_host;  /* advertised.listeners; NULL: that of the listener */
	int32_t advertised_port;
	char *rack;
	bool auto_create_topics;           /* auto.create.topics.enable */
	bool delete_topics;                /* delete.topic.enable */
	int32_t num_partitions;
	int64_t request_bytes_max;         /* socket.request.max.bytes */
	int64_t queued_bytes_max;          /* queued.max.request.bytes: all requests' memory */
	int32_t connections_max;           /* max.connections */
	int64_t idle_ms;                   /* connections.max.idle.ms */
	int64_t fetch_bytes_max;           /* fetch.max.bytes */
	int32_t fetch_sessions_max;        /* max.incremental.fetch.session.cache.slots */
	int64_t disk_min_free;             /* disk.min.free */
	int64_t retention_check_ms;        /* log.retention.check.interval.ms */
	int64_t cleaner_backoff_ms;        /* log.cleaner.backoff.ms */
	int64_t cleaner_memory;            /* log.cleaner.dedupe.buffer.size */
	int64_t checkpoint_ms;             /* log.flush.offset.checkpoint.interval.ms */
	int64_t metadata_snapshot_bytes;   /* metadata.log.max.record.bytes.between.snapshots */
	int32_t offsets_partitions;        /* offsets.topic.num.partitions */
	int64_t offsets_retention_ms;      /* offsets.retention.minutes */
	int64_t offsets_retention_check_ms;
	int64_t offsets_segment_bytes;
	int32_t offset_metadata_max;       /* offset.metadata.max.bytes */
	int32_t group_min_session_ms, group_max_session_ms;
	int32_t group_initial_delay_ms;    /* group.initial.rebalance.delay.ms */
	int32_t group_max_size;
	int64_t producer_expire_ms;        /* producer.id.expiration.ms */
	/* the rest of it: what the key was set to, for DescribeConfigs */
	struct map set; /* key -> char *, owned */
};

#endif
