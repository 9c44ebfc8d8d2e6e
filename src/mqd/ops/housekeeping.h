/*
 * housekeeping: what a broker does with its partitions' logs when nobody asks.
 *
 * Retention, each log.retention.check.interval.ms: segments go by age, by size, or
 * because the log starts behind them. Compaction, log.cleaner.backoff.ms after there was
 * nothing to do: one log after another, the one with the largest dirty part first.
 *
 * Invariants
 *  1. One partition at a time for either; what takes long is done beside appends.
 *  2. A log is opened only if something of it can go. Whether it can is seen from the
 *     names in its directory, and remembered with the partition; so an idle one is not
 *     even looked at.
 *  3. Nothing goes by its age while the clock is in doubt (logs_clock_is_sound).
 *  4. A log that cannot be compacted because of what is in it is left alone until the
 *     next start, as in Kafka; the others go on.
 *
 * Idle producers and rests of deleted logs are logs' own (replica/logs.h).
 *
 * Sources: Kafka's LogManager.cleanupLogs, LogCleaner, LogCleanerManager; KIP-354.
 */
#ifndef MQD_OPS_HOUSEKEEPING_H
#define MQD_OPS_HOUSEKEEPING_H

struct broker;
struct housekeeping;

/* NULL: no memory. Nothing is begun at once. */
struct housekeeping *housekeeping_new(struct broker *b);

/* Begins nothing more; what is under way ends by itself. */
void housekeeping_stop(struct housekeeping *h);

/* When nothing is under way, or the os is dead; before the partitions. */
void housekeeping_free(struct housekeeping *h);

#endif
