/*
 * The bytes of a simulated file. Copies share blocks until one of them writes,
 * so that a sync or a crash image costs a table of pointers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/os_sim_impl.h"

static void
block_unref(struct sim_block *b)
{
	if (b != NULL && --b->refs == 0)
		free(b);
}

void
content_release(struct sim_content *c)
{
	for (size_t i = 0; i < c->count; i++)
		block_unref(c->blocks[i]);
	free(c->blocks);
	*c = (struct sim_content){.size = 0};
}

int
content_clone(struct sim_content *to, const struct sim_content *from)
{
	struct sim_block **blocks = NULL;

	if (from->count > 0) {
		blocks = malloc(from->count * sizeof(struct sim_block *));
		if (blocks == NULL) {
			errno = ENOMEM;
			return -1;
		}
	}
	for (size_t i = 0; i < from->count; i++) {
		blocks[i] = from->blocks[i];
		if (blocks[i] != NULL)
			blocks[i]->refs++;
	}
	content_release(to);
	*to = (struct sim_content){from->size, blocks, from->count, from->count};
	return 0;
}

size_t
content_read(const struct sim_content *c, void *data, size_t len, int64_t offset)
{
	uint8_t *to = data;

	if (offset >= c->size)
		return 0;
	if ((int64_t)len > c->size - offset)
		len = (size_t)(c->size - offset);
	for (size_t done = 0; done < len;) {
		size_t block = (size_t)(offset + (int64_t)done) / SIM_BLOCK;
		size_t at = (size_t)(offset + (int64_t)done) % SIM_BLOCK;
		size_t n = SIM_BLOCK - at < len - done ? SIM_BLOCK - at : len - done;
		if (c->blocks[block] != NULL)
			memcpy(to + done, c->blocks[block]->data + at, n);
		else
			memset(to + done, 0, n);
		done += n;
	}
	return len;
}

/* A block that is this content's alone. */
static struct sim_block *
block_own(struct sim_content *c, size_t index)
{
	struct sim_block *old = c->blocks[index], *b;

	if (old != NULL && old->refs == 1)
		return old;
	b = malloc(sizeof(*b));
	if (b == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	b->refs = 1;
	if (old != NULL)
		memcpy(b->data, old->data, SIM_BLOCK);
	else
		memset(b->data, 0, SIM_BLOCK);
	block_unref(old);
	c->blocks[index] = b;
	return b;
}

/* Makes the table long enough for `size` bytes. */
static int
table_grow(struct sim_content *c, int64_t size)
{
	size_t count = (size_t)((size + SIM_BLOCK - 1) / SIM_BLOCK);

	if (count <= c->count)
		return 0;
	if (count > c->cap) {
		size_t cap = count < 2 * c->cap ? 2 * c->cap : count;
		struct sim_block **blocks = realloc(c->blocks, cap * sizeof(struct sim_block *));
		if (blocks == NULL) {
			errno = ENOMEM;
			return -1;
		}
		c->blocks = blocks;
		c->cap = cap;
	}
	memset(c->blocks + c->count, 0, (count - c->count) * sizeof(struct sim_block *));
	c->count = count;
	return 0;
}

int
content_write(struct sim_content *c, const void *data, size_t len, int64_t offset)
{
	const uint8_t *from = data;

	if (len == 0)
		return 0;
	if (table_grow(c, offset + (int64_t)len) == -1)
		return -1;
	for (size_t done = 0; done < len;) {
		size_t at = (size_t)(offset + (int64_t)done) % SIM_BLOCK;
		size_t n = SIM_BLOCK - at < len - done ? SIM_BLOCK - at : len - done;
		struct sim_block *b = block_own(c, (size_t)(offset + (int64_t)done) / SIM_BLOCK);
		if (b == NULL)
			return -1;
		memcpy(b->data + at, from + done, n);
		done += n;
		if (offset + (int64_t)done > c->size)
			c->size = offset + (int64_t)done;
	}
	return 0;
}

int
content_resize(struct sim_content *c, int64_t size)
{
	size_t keep = (size_t)((size + SIM_BLOCK - 1) / SIM_BLOCK);

	if (size >= c->size) {
		if (table_grow(c, size) == -1)
			return -1;
		c->size = size;
		return 0;
	}
	if (size % SIM_BLOCK != 0 && c->blocks[keep - 1] != NULL) {
		struct sim_block *b = block_own(c, keep - 1);
		if (b == NULL)
			return -1;
		memset(b->data + size % SIM_BLOCK, 0, SIM_BLOCK - (size_t)(size % SIM_BLOCK));
	}
	for (size_t i = keep; i < c->count; i++)
		block_unref(c->blocks[i]);
	c->count = keep < c->count ? keep : c->count;
	c->size = size;
	return 0;
}
