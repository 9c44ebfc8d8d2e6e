#include "base/hash.h"
#include "client/producer.h"

#include <zlib.h>

int32_t
partition_for_key(enum partitioner p, const void *key, int32_t key_size, int32_t count)
{
	if (key_size < 0)
		return -1;
	switch (p) {
	case PARTITION_MURMUR2:
		return (murmur2(key, (size_t)key_size) & 0x7fffffff) % count;
	case PARTITION_CRC32:
		if (key_size == 0)
			return -1;
		return (int32_t)(crc32(0, key, (uInt)key_size) % (uint32_t)count);
	case PARTITION_FNV1A: {
		/* As sarama: the remainder of the signed hash, made positive. */
		int32_t h = (int32_t)fnv1a(key, (size_t)key_size) % count;

		return h < 0 ? -h : h;
	}
	case PARTITION_RR:
	case PARTITION_RANDOM:
		break;
	}
	return -1;
}
