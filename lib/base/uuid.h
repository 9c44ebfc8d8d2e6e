/*
 * uuid: 16 bytes, written as URL-safe base64 without padding (22 characters),
 * as Kafka writes topic, cluster and directory ids.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 23 /* 22 characters and NUL */

struct uuid {
	uint8_t bytes[16];
};

extern const struct uuid uuid_zero;

bool uuid_is_zero(const struct uuid *u);
bool uuid_equal(const struct uuid *a, const struct uuid *b);

/* Makes a version 4 id out of 16 random bytes, which the caller drew. Kafka
 * never gives out ids whose text begins with '-', nor its 100 reserved ones;
 * returns false for those: draw again. */
bool uuid_from_random(struct uuid *u, const uint8_t random[16]);

/* Writes 22 characters and NUL. */
void uuid_format(const struct uuid *u, char text[UUID_TEXT_SIZE]);

/* Returns 0, or -1 if `text` is not exactly 22 characters of the alphabet.
 * The four stray bits of the last character are ignored, as Java ignores them. */
int uuid_parse(struct uuid *u, const char *text, size_t len);

#endif
