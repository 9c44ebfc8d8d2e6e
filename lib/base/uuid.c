#include "base/uuid.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const struct uuid uuid_zero;

bool
uuid_is_zero(const struct uuid *u)
{
	return uuid_equal(u, &uuid_zero);
}

bool
uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool
uuid_from_random(struct uuid *u, const uint8_t random[16])
{
	memcpy(u->bytes, random, sizeof(u->bytes));
	u->bytes[6] = (u->bytes[6] & 0x0f) | 0x40;
	u->bytes[8] = (u->bytes[8] & 0x3f) | 0x80;
	/* The reserved ids, 0 to 99, are no version 4 ids: only '-' is left. */
	return alphabet[u->bytes[0] >> 2] != '-';
}

void
uuid_format(const struct uuid *u, char text[UUID_TEXT_SIZE])
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(u->bytes); i++) {
		bits = bits << 8 | u->bytes[i];
		for (have += 8; have >= 6; have -= 6)
			text[n++] = alphabet[bits >> (have - 6) & 63];
	}
	text[n++] = alphabet[bits << (6 - have) & 63];
	text[n] = '\0';
}

static int
digit_of(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

int
uuid_parse(struct uuid *u, const char *text, size_t len)
{
	struct uuid out;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (len != UUID_TEXT_SIZE - 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int digit = digit_of(text[i]);

		if (digit == -1)
			return -1;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have >= 8 && n < sizeof(out.bytes)) {
			have -= 8;
			out.bytes[n++] = (uint8_t)(bits >> have);
		}
	}
	*u = out;
	return 0;
}
