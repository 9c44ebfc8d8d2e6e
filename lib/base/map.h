/*
 * map: an open-addressing hash table from bytes to a pointer-sized value.
 *
 * Keys are copied in. Iteration order is by insertion (deletions leave holes
 * that iteration skips), so runs are deterministic.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
	uint8_t *key; /* owned, a NUL behind it; NULL once deleted */
	size_t key_len;
	void *value;
	uint32_t hash;
};

struct map {
	struct map_entry *entries; /* in order of insertion */
	size_t used;               /* entries in use, holes included */
	size_t cap;
	uint32_t *slots; /* 1 + index into entries, 0 empty */
	size_t slot_count;
	size_t count; /* live keys */
};

void map_init(struct map *m);
void map_release(struct map *m); /* frees keys, not values */

/* The value, or NULL. */
void *map_get(const struct map *m, const void *key, size_t len);

/* Sets (or replaces) a value, not NULL. Returns 0, or -1 when memory failed
 * and the map is unchanged. `old` may be NULL; receives what was replaced. */
int map_put(struct map *m, const void *key, size_t len, void *value, void **old);

/* Removes a key and returns its value, or NULL. */
void *map_del(struct map *m, const void *key, size_t len);

/* for (struct map_entry *e = NULL; (e = map_next(m, e)) != NULL; ) ...
 * Entries may be deleted meanwhile; a put ends the iteration. */
struct map_entry *map_next(const struct map *m, struct map_entry *e);

#endif
