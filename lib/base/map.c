#include "base/map.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MIN 8
#define SLOTS_MIN 16 /* a power of two */

void
map_init(struct map *m)
{
	*m = (struct map){0};
}

void
map_release(struct map *m)
{
	for (size_t i = 0; i < m->used; i++)
		free(m->entries[i].key);
	free(m->entries);
	free(m->slots);
	map_init(m);
}

static bool
entry_is(const struct map_entry *e, uint32_t hash, const void *key, size_t len)
{
	return e->hash == hash && e->key_len == len && (len == 0 || memcmp(e->key, key, len) == 0);
}

/* The slot that holds the key, or the empty one where it belongs. There is
 * always an empty one; the table is not empty. */
static size_t
slot_find(const struct map *m, uint32_t hash, const void *key, size_t len)
{
	size_t mask = m->slot_count - 1, s = hash & mask;

	while (m->slots[s] != 0 && !entry_is(&m->entries[m->slots[s] - 1], hash, key, len))
		s = (s + 1) & mask;
	return s;
}

/* Fills `slots`, which are empty, from the entries. */
static void
slots_fill(struct map *m, uint32_t *slots, size_t slot_count)
{
	size_t mask = slot_count - 1;

	for (size_t i = 0; i < m->used; i++) {
		size_t s = m->entries[i].hash & mask;

		if (m->entries[i].key == NULL)
			continue;
		while (slots[s] != 0)
			s = (s + 1) & mask;
		slots[s] = (uint32_t)(i + 1);
	}
}

/* Keeps at least a third of the slots empty. */
static int
slots_reserve(struct map *m)
{
	size_t slot_count = m->slot_count != 0 ? m->slot_count * 2 : SLOTS_MIN;
	uint32_t *slots;

	if (m->count + 1 <= m->slot_count / 3 * 2)
		return 0;
	if ((slots = calloc(slot_count, sizeof(*slots))) == NULL)
		return -1;
	slots_fill(m, slots, slot_count);
	free(m->slots);
	m->slots = slots;
	m->slot_count = slot_count;
	return 0;
}

/* Closes the holes; needs no memory. */
static void
entries_pack(struct map *m)
{
	size_t to = 0;

	for (size_t i = 0; i < m->used; i++)
		if (m->entries[i].key != NULL)
			m->entries[to++] = m->entries[i];
	m->used = to;
	memset(m->slots, 0, m->slot_count * sizeof(*m->slots));
	slots_fill(m, m->slots, m->slot_count);
}

static int
entries_reserve(struct map *m)
{
	size_t cap = m->cap != 0 ? m->cap * 2 : ENTRIES_MIN;
	struct map_entry *entries;

	if (m->used < m->cap)
		return 0;
	if (m->count < m->used - m->used / 4) {
		entries_pack(m);
		return 0;
	}
	if (cap >= UINT32_MAX)
		return -1;
	if ((entries = reallocarray(m->entries, cap, sizeof(*entries))) == NULL)
		return -1;
	m->entries = entries;
	m->cap = cap;
	return 0;
}

void *
map_get(const struct map *m, const void *key, size_t len)
{
	size_t s;

	if (m->count == 0)
		return NULL;
	s = slot_find(m, (uint32_t)murmur2(key, len), key, len);
	return m->slots[s] != 0 ? m->entries[m->slots[s] - 1].value : NULL;
}

/* Adds a key that is not there. */
static int
map_add(struct map *m, const void *key, size_t len, uint32_t hash, void *value)
{
	uint8_t *copy;
	size_t s;

	if (slots_reserve(m) == -1 || entries_reserve(m) == -1)
		return -1;
	if (len == SIZE_MAX || (copy = malloc(len + 1)) == NULL)
		return -1;
	if (len != 0)
		memcpy(copy, key, len);
	copy[len] = '\0';
	s = slot_find(m, hash, key, len);
	m->entries[m->used] =
	    (struct map_entry){.key = copy, .key_len = len, .value = value, .hash = hash};
	m->slots[s] = (uint32_t)++m->used;
	m->count++;
	return 0;
}

int
map_put(struct map *m, const void *key, size_t len, void *value, void **old)
{
	uint32_t hash = (uint32_t)murmur2(key, len);
	struct map_entry *e = NULL;

	assert(value != NULL);
	if (m->count != 0) {
		size_t s = slot_find(m, hash, key, len);

		if (m->slots[s] != 0)
			e = &m->entries[m->slots[s] - 1];
	}
	if (e == NULL && map_add(m, key, len, hash, value) == -1)
		return -1;
	if (old != NULL)
		*old = e != NULL ? e->value : NULL;
	if (e != NULL)
		e->value = value;
	return 0;
}

/* Empties a slot, and moves up those behind it that a search would otherwise
 * no longer reach: no markers of deleted keys pile up. */
static void
slot_empty(struct map *m, size_t s)
{
	size_t mask = m->slot_count - 1;

	for (size_t next = (s + 1) & mask; m->slots[next] != 0; next = (next + 1) & mask) {
		size_t home = m->entries[m->slots[next] - 1].hash & mask;

		if (((next - home) & mask) < ((next - s) & mask))
			continue;
		m->slots[s] = m->slots[next];
		s = next;
	}
	m->slots[s] = 0;
}

void *
map_del(struct map *m, const void *key, size_t len)
{
	struct map_entry *e;
	void *value;
	uint8_t *copy;
	size_t s;

	if (m->count == 0)
		return NULL;
	s = slot_find(m, (uint32_t)murmur2(key, len), key, len);
	if (m->slots[s] == 0)
		return NULL;
	e = &m->entries[m->slots[s] - 1];
	value = e->value;
	slot_empty(m, s);
	copy = e->key; /* `key` may be this very copy: freed last */
	*e = (struct map_entry){0};
	free(copy);
	if (--m->count == 0)
		m->used = 0;
	return value;
}

struct map_entry *
map_next(const struct map *m, struct map_entry *e)
{
	size_t i = e != NULL ? (size_t)(e - m->entries) + 1 : 0;

	while (i < m->used && m->entries[i].key == NULL)
		i++;
	return i < m->used ? &m->entries[i] : NULL;
}
