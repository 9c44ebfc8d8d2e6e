/* The map from a key's hash to its newest offset. */
#include <stdlib.h>
#include <string.h>

#include "log/compact_impl.h"

#define SLOTS_FIRST 1024
#define SLOTS_LEAST 16

/* --- SipHash (Aumasson and Bernstein) ------------------------------------------------ */

struct sip {
	uint64_t v[4];
};

static inline uint64_t
rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(struct sip *s)
{
	uint64_t *v = s->v;

	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static inline uint64_t
little(const uint8_t *p, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

static inline void
sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	sip_round(s);
	s->v[0] ^= word;
}

static uint64_t
sip_result(struct sip *s)
{
	for (int i = 0; i < 4; i++)
		sip_round(s);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

void
siphash(const uint64_t key[2], const void *data, size_t len, uint64_t out[2])
{
	struct sip s = {{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d ^ 0xee,
	    key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573}};
	const uint8_t *p = data;
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8)
		sip_word(&s, little(p, 8));
	sip_word(&s, little(p, left) | (uint64_t)len << 56);
	s.v[2] ^= 0xee;
	out[0] = sip_result(&s);
	s.v[1] ^= 0xdd;
	out[1] = sip_result(&s);
}

/* --- slots ------------------------------------------------------------------------------ */

void
key_map_init(struct key_map *m, struct os *os, size_t memory_bytes)
{
	*m = (struct key_map){.slot_max = memory_bytes / sizeof(struct key_slot)};
	if (m->slot_max < SLOTS_LEAST)
		m->slot_max = SLOTS_LEAST;
	if (m->slot_max > UINT32_MAX)
		m->slot_max = UINT32_MAX;
	os_random(os, m->key, sizeof(m->key));
}

void
key_map_release(struct key_map *m)
{
	free(m->slots);
	m->slots = NULL;
	m->slot_count = m->used = 0;
}

void
key_map_clear(struct key_map *m)
{
	if (m->slots != NULL)
		memset(m->slots, 0, m->slot_count * sizeof(*m->slots));
	m->used = 0;
}

/* The slot of a hash, or the empty one where it would be. */
static struct key_slot *
find(struct key_slot *slots, size_t count, const uint64_t hash[2])
{
	size_t at = (size_t)((hash[0] >> 32) * count >> 32);

	while (slots[at].offset_1 != 0 &&
	    (slots[at].hash[0] != hash[0] || slots[at].hash[1] != hash[1]))
		at = at + 1 < count ? at + 1 : 0;
	return &slots[at];
}

static int
grow(struct key_map *m, struct err *err)
{
	size_t count = m->slot_count > 0 ? m->slot_count * 2 : SLOTS_FIRST;
	struct key_slot *slots;

	if (count > m->slot_max)
		count = m->slot_max;
	slots = calloc(count, sizeof(*slots));
	if (slots == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < m->slot_count; i++) {
		if (m->slots[i].offset_1 != 0)
			*find(slots, count, m->slots[i].hash) = m->slots[i];
	}
	free(m->slots);
	m->slots = slots;
	m->slot_count = count;
	return 0;
}

int
key_map_put(struct key_map *m, const void *key, size_t len, int64_t offset, struct err *err)
{
	struct key_slot *slot;
	uint64_t hash[2];

	/* Probing is short while there is room to grow; the last table may fill
	 * up to Kafka's load factor. */
	if (m->slot_count < m->slot_max && m->used >= m->slot_count / 2 && grow(m, err) == -1)
		return -1;
	siphash(m->key, key, len, hash);
	slot = find(m->slots, m->slot_count, hash);
	if (slot->offset_1 == 0) {
		if (m->used >= m->slot_count / 10 * 9)
			return 0;
		slot->hash[0] = hash[0];
		slot->hash[1] = hash[1];
		m->used++;
	}
	slot->offset_1 = offset + 1;
	return 1;
}

int64_t
key_map_get(const struct key_map *m, const void *key, size_t len)
{
	uint64_t hash[2];

	if (m->used == 0)
		return -1;
	siphash(m->key, key, len, hash);
	return find(m->slots, m->slot_count, hash)->offset_1 - 1;
}
