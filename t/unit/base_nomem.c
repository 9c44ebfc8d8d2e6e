/* base: what is left when memory fails. The modules are compiled in here, with
 * an allocator that fails at a given call, once or from then on. */
#include <stdbool.h>
#include <stdlib.h>

static int calls_until_failure; /* 0: never */
static bool failure_lasts;

static bool
fails_now(void)
{
	if (calls_until_failure == 0 || --calls_until_failure > 0)
		return false;
	calls_until_failure = failure_lasts;
	return true;
}

static void *
test_malloc(size_t size)
{
	return fails_now() ? NULL : malloc(size);
}

static void *
test_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : calloc(count, size);
}

static void *
test_realloc(void *p, size_t size)
{
	return fails_now() ? NULL : realloc(p, size);
}

static void *
test_reallocarray(void *p, size_t count, size_t size)
{
	return fails_now() ? NULL : reallocarray(p, count, size);
}

#define malloc test_malloc
#define calloc test_calloc
#define realloc test_realloc
#define reallocarray test_reallocarray
/* NOLINTBEGIN(bugprone-suspicious-include): on purpose */
#include "base/arena.c"
#include "base/bytes.c"
#include "base/map.c"
/* NOLINTEND(bugprone-suspicious-include) */

#include "tap.h"

static void
fail_at(int call, bool lasts)
{
	calls_until_failure = call;
	failure_lasts = lasts;
}

/* True if the map holds the keys 0 to count - 1, in order, and no others. */
static bool
map_is(const struct map *m, uint32_t count)
{
	uint32_t n = 0;

	for (struct map_entry *e = NULL; (e = map_next(m, e)) != NULL; n++)
		if (e->key_len != sizeof(n) || memcmp(e->key, &n, sizeof(n)) != 0)
			return false;
	for (n = 0; n < count; n++)
		if (map_get(m, &n, sizeof(n)) != m)
			return false;
	return m->count == count && map_get(m, &count, sizeof(count)) == NULL;
}

static void
test_map(void)
{
	struct map m;
	bool unchanged = true, recovers = true;
	int failures = 0;

	map_init(&m);
	for (uint32_t n = 0; n < 200; n++) {
		/* Until the put no longer gets to the call that fails. */
		for (int call = 1;; call++) {
			void *old = &failures;

			fail_at(call, false);
			if (map_put(&m, &n, sizeof(n), &m, &old) == 0)
				break;
			failures++;
			unchanged = unchanged && old == &failures && map_is(&m, n);
		}
		fail_at(0, false);
		recovers = recovers && map_is(&m, n + 1);
	}
	ok(failures > 200 && unchanged, "a put that fails leaves the map as it was");
	ok(recovers, "and succeeds once there is memory");
	fail_at(1, true);
	ok(map_put(&m, &(uint32_t){7}, 4, &m, NULL) == 0, "a value is replaced without memory");
	ok(map_del(&m, &(uint32_t){199}, 4) == &m && map_is(&m, 199), "so is a key removed");
	fail_at(0, false);
	map_release(&m);
}

static void
test_buf(void)
{
	struct buf b;

	buf_init(&b);
	fail_at(1, true);
	is_str(buf_cstr(&b), "", "an empty buf without memory is an empty string");
	ok(b.failed, "and failed");
	fail_at(0, false);
	buf_clear(&b);
	buf_str(&b, "0123456789");
	fail_at(1, true);
	ok(buf_extend(&b, 1000) == NULL && b.failed, "a buf that cannot grow fails");
	is_mem(b.data, "0123456789", 10, "and keeps what it has");
	buf_clear(&b);
	buf_printf(&b, "%0200d", 1);
	ok(b.failed && b.len == 0, "printing into it leaves nothing");
	fail_at(0, false);
	buf_i8(&b, 1);
	ok(b.failed && b.len == 0, "it takes no more, though there is memory again");
	buf_release(&b);
}

static void
test_arena(void)
{
	struct arena a;
	char *kept;

	arena_init(&a, 0);
	fail_at(1, true);
	ok(arena_alloc(&a, 1) == NULL && a.used == 0, "an arena without memory gives NULL");
	fail_at(0, false);
	kept = arena_strdup(&a, "kept");
	fail_at(1, true);
	ok(arena_alloc(&a, 1 << 20) == NULL, "nor can it add a chunk");
	is_str(kept, "kept", "what it gave stays");
	ok(arena_alloc(&a, 100) != NULL, "and what is left of its chunk can be had");
	fail_at(0, false);
	arena_release(&a);
}

int
main(void)
{
	test_map();
	test_buf();
	test_arena();
	return tap_done();
}
