#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Chunks double from the smallest to the largest; what is larger than that
 * gets a chunk of its own. */
#define CHUNK_MIN ((size_t)4 << 10)
#define CHUNK_MAX ((size_t)256 << 10)
#define ALIGN alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk *next; /* older */
	size_t fill, cap;
	alignas(max_align_t) unsigned char data[];
};

void
arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){.chunks = NULL, .used = 0, .limit = limit};
}

static void
chunks_free(struct arena_chunk *c)
{
	while (c != NULL) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void
arena_release(struct arena *a)
{
	chunks_free(a->chunks);
	a->chunks = NULL;
	a->used = 0;
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL, **at, **keep_at = NULL;

	/* An outsized chunk is not kept: one large request would hold its
	 * memory for good. */
	for (at = &a->chunks; *at != NULL; at = &(*at)->next)
		if ((*at)->cap <= CHUNK_MAX && (keep_at == NULL || (*at)->cap > (*keep_at)->cap))
			keep_at = at;
	if (keep_at != NULL) {
		keep = *keep_at;
		*keep_at = keep->next;
		keep->next = NULL;
		keep->fill = 0;
	}
	chunks_free(a->chunks);
	a->chunks = keep;
	a->used = 0;
}

/* A fresh chunk with room for `size`. It goes first, unless the chunk that is
 * first has more room left than the fresh one will have. */
static struct arena_chunk *
chunk_add(struct arena *a, size_t size)
{
	struct arena_chunk *c, *first = a->chunks;
	size_t cap = CHUNK_MIN;

	if (first != NULL)
		cap = first->cap < CHUNK_MAX / 2 ? first->cap * 2 : CHUNK_MAX;
	if (cap < size)
		cap = size;
	if (cap > SIZE_MAX - sizeof(*c) || (c = malloc(sizeof(*c) + cap)) == NULL)
		return NULL;
	c->fill = 0;
	c->cap = cap;
	if (first != NULL && first->cap - first->fill > cap - size) {
		c->next = first->next;
		first->next = c;
	} else {
		c->next = first;
		a->chunks = c;
	}
	return c;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->chunks;
	void *p;

	if (size == 0)
		size = 1;
	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGN - 1) & ~(ALIGN - 1);
	if (a->limit != 0 && size > a->limit - a->used)
		return NULL;
	if ((c == NULL || size > c->cap - c->fill) && (c = chunk_add(a, size)) == NULL)
		return NULL;
	p = c->data + c->fill;
	c->fill += size;
	a->used += size;
	return memset(p, 0, size);
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return arena_alloc(a, total);
}

char *
arena_memdup(struct arena *a, const void *data, size_t len)
{
	char *p;

	if (len == SIZE_MAX || (p = arena_alloc(a, len + 1)) == NULL)
		return NULL;
	if (len != 0)
		memcpy(p, data, len);
	return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_memdup(a, s, strlen(s));
}
