/* base: the map. */
#include "base/map.h"
#include "tap.h"

#include <stdlib.h>

static size_t
key_make(char key[16], uint32_t n)
{
	return (size_t)snprintf(key, 16, "k%u", n);
}

static void *
value_of(uint32_t n)
{
	return (void *)(uintptr_t)(n + 1);
}

static void
test_small(void)
{
	struct map m;
	void *old = &m;

	map_init(&m);
	ok(map_get(&m, "a", 1) == NULL, "an empty map has nothing");
	ok(map_del(&m, "a", 1) == NULL, "and nothing to remove");
	ok(map_next(&m, NULL) == NULL, "and no entry");
	ok(map_put(&m, "a", 1, value_of(1), &old) == 0 && old == NULL,
	    "a new key replaces nothing");
	ok(map_put(&m, "a", 1, value_of(2), &old) == 0 && old == value_of(1), "an old one does");
	ok(map_get(&m, "a", 1) == value_of(2) && m.count == 1, "the new value is there, once");
	ok(map_get(&m, "a\0", 2) == NULL, "length counts");
	ok(map_put(&m, "", 0, value_of(3), NULL) == 0, "an empty key is a key");
	ok(map_get(&m, NULL, 0) == value_of(3), "and is found");
	is_str((char *)map_next(&m, NULL)->key, "a", "keys end with a NUL");
	ok(map_del(&m, "a", 1) == value_of(2) && map_get(&m, "a", 1) == NULL,
	    "a removed key is gone");
	ok(map_get(&m, "", 0) == value_of(3) && m.count == 1, "others stay");
	ok(map_del(&m, map_next(&m, NULL)->key, 0) == value_of(3),
	    "a key may be removed by itself");
	ok(m.count == 0 && map_next(&m, NULL) == NULL, "the map is empty again");
	map_release(&m);
}

/* True if the entries are the keys from `first` in steps of `step`, in order. */
static bool
holds_in_order(const struct map *m, uint32_t first, uint32_t step, uint32_t end)
{
	char key[16];
	uint32_t n = first;

	for (struct map_entry *e = NULL; (e = map_next(m, e)) != NULL; n += step) {
		size_t len = key_make(key, n);

		if (e->key_len != len || memcmp(e->key, key, len) != 0 || e->value != value_of(n))
			return false;
	}
	return n >= end && n < end + step;
}

static void
test_many(void)
{
	enum { COUNT = 1000000 };
	struct map m;
	char key[16];
	bool good = true;

	map_init(&m);
	for (uint32_t n = 0; n < COUNT; n++)
		good = good && map_put(&m, key, key_make(key, n), value_of(n), NULL) == 0;
	ok(good && m.count == COUNT, "a map takes a million keys");
	for (uint32_t n = 0; n < COUNT; n++)
		good = good && map_get(&m, key, key_make(key, n)) == value_of(n);
	ok(good, "and finds each");
	ok(map_get(&m, key, key_make(key, COUNT)) == NULL, "and no other");
	ok(holds_in_order(&m, 0, 1, COUNT), "they come in the order they went in");
	for (uint32_t n = 0; n < COUNT; n += 2)
		good = good && map_del(&m, key, key_make(key, n)) == value_of(n);
	ok(good && m.count == COUNT / 2, "every other one is removed");
	ok(holds_in_order(&m, 1, 2, COUNT), "the rest keep their order");
	for (uint32_t n = 0; n < COUNT; n++)
		good = good && map_get(&m, key, key_make(key, n)) == (n % 2 ? value_of(n) : NULL);
	ok(good, "and only they are found");
	map_release(&m);
}

/* Against an array, the plainest of maps. */
static void
test_churn(void)
{
	enum { KEYS = 300 };
	void *want[KEYS] = {0};
	struct map m;
	char key[16];
	uint32_t seed = 5;
	size_t live = 0;
	bool good = true;

	map_init(&m);
	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t n, len;
		void *old = NULL;

		seed = seed * 1664525 + 1013904223;
		n = seed >> 16 & 0x7fff;
		/* Swings between nearly empty and nearly full. */
		if (n % 8 < (i / 20000 % 2 ? 2u : 6u)) {
			len = (uint32_t)key_make(key, n % KEYS);
			good = good && map_put(&m, key, len, value_of(i), &old) == 0;
			live += want[n % KEYS] == NULL;
			good = good && old == want[n % KEYS];
			want[n % KEYS] = value_of(i);
		} else {
			n = n / 8 % KEYS;
			live -= want[n] != NULL;
			good = good && map_del(&m, key, key_make(key, n)) == want[n];
			want[n] = NULL;
		}
		good = good && m.count == live;
	}
	for (uint32_t n = 0; n < KEYS; n++)
		good = good && map_get(&m, key, key_make(key, n)) == want[n];
	ok(good, "200000 random puts and removals agree with an array");
	ok(m.cap <= 1024 && m.slot_count <= 1024, "holes are used again");
	map_release(&m);
}

static void
test_delete_while_iterating(void)
{
	struct map m;
	char key[16];
	size_t seen = 0;

	map_init(&m);
	for (uint32_t n = 0; n < 1000; n++)
		map_put(&m, key, key_make(key, n), value_of(n), NULL);
	for (struct map_entry *e = NULL; (e = map_next(&m, e)) != NULL; seen++)
		map_del(&m, e->key, e->key_len);
	ok(seen == 1000 && m.count == 0, "an iteration may remove each entry it sees");
	map_release(&m);
}

int
main(void)
{
	test_small();
	test_many();
	test_churn();
	test_delete_while_iterating();
	return tap_done();
}
