/* Strings and bytes that groups keep. */
#include <stdlib.h>
#include <string.h>

#include "mqd/groups/groups_impl.h"

void
str_release(struct wire_str *s)
{
	free((void *)(uintptr_t)s->data);
	*s = STR_NULL;
}

int
str_set(struct wire_str *to, struct wire_str from)
{
	char *copy = NULL;

	if (from.len >= 0) {
		copy = malloc((size_t)from.len + 1);
		if (copy == NULL)
			return -1;
		if (from.len > 0)
			memcpy(copy, from.data, (size_t)from.len);
		copy[from.len] = '\0';
	}
	str_release(to);
	*to = (struct wire_str){copy, from.len};
	return 0;
}

bool
str_equal(struct wire_str a, struct wire_str b)
{
	return a.len == b.len && (a.len <= 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

void
bytes_release(struct wire_bytes *b)
{
	free((void *)(uintptr_t)b->data);
	*b = (struct wire_bytes){NULL, 0};
}

int
bytes_set(struct wire_bytes *to, struct wire_bytes from)
{
	uint8_t *copy = NULL;

	if (from.len > 0) {
		copy = malloc((size_t)from.len);
		if (copy == NULL)
			return -1;
		memcpy(copy, from.data, (size_t)from.len);
	}
	bytes_release(to);
	*to = (struct wire_bytes){copy, from.len > 0 ? from.len : 0};
	return 0;
}
