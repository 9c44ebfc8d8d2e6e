/*
 * hash: checksums and the hashes that place keys. All are fixed by Kafka or by
 * its clients; vectors are in t/unit/base.c.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* CRC32C (Castagnoli). Start with 0; feed the result back in to go on. Uses
 * SSE4.2 or ARMv8 instructions where the processor has them. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* The same by table, whatever the processor; for tests and other machines. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

/* Kafka's murmur2 (seed 0x9747b28c), the Java clients' key hash. */
int32_t murmur2(const void *data, size_t len);

/* FNV-1a, 32 bits (sarama's key hash). */
uint32_t fnv1a(const void *data, size_t len);

/* Java's String.hashCode of UTF-8 text: over UTF-16 code units, so that a group
 * lands in the offsets partition where Kafka looks. Malformed bytes count as
 * U+FFFD. */
int32_t java_hash(const char *utf8, size_t len);

/* abs(java_hash) mod count, where abs of the smallest number is 0: the
 * partition of a group in __consumer_offsets. */
int32_t group_partition(const char *group, int32_t partition_count);

#endif
