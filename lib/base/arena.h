/*
 * arena: memory that lives and dies together, such as one request's.
 *
 * Nothing in it is freed alone. It grows by chunks up to a limit; over the
 * limit, or when malloc fails, an allocation gives NULL and the arena stays
 * as it was.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t used, limit;         /* bytes handed out; 0 = no limit */
};

void arena_init(struct arena *a, size_t limit);
void arena_release(struct arena *a); /* frees all, leaves an empty arena */

/* Forgets what was allocated, keeps one chunk for the next round, unless
 * all are outsized. */
void arena_reset(struct arena *a);

/* `size` bytes, zeroed, aligned for any object; NULL if it cannot be. Size 0
 * gives a pointer that is not NULL. */
void *arena_alloc(struct arena *a, size_t size);

/* As arena_alloc for `count` objects; NULL on overflow of the product. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* Copies, NUL-terminated. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_memdup(struct arena *a, const void *data, size_t len);

#endif
