/*
 * json: the hot parts of JSON out, and of envelopes in.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "base/bytes.h"

/* How many bytes at `data` stand for themselves in a JSON string. */
size_t json_plain(const uint8_t *data, size_t len);

/* Appends a JSON string, quotes included; the bytes must be UTF-8. */
void json_string_put(struct buf *out, const void *data, size_t len);

/* The same for any bytes: what is not UTF-8 becomes U+FFFD. */
void json_lossy_put(struct buf *out, const void *data, size_t len);

/* Appends a decimal number. */
void decimal_put(struct buf *out, int64_t v);

#endif
