/*
 * line: one line of a dump, made of named fields: as text for people and grep,
 *
 *   batch 0..9 n=10 pos=0 size=251 v2 codec=none ...
 *
 * or, with -J, the same fields as one JSON object:
 *
 *   {"type":"batch","file":"...","offset":0,"last":9,"n":10,"pos":0,...}
 *
 * Text: the kind of line, padded to five characters, then NAME=VALUE; "-" stands
 * for nothing; times are ISO, UTC; strings from files are quoted and escaped,
 * null is a bare null. JSON: nothing is null, times are milliseconds, bytes that
 * are not UTF-8 become NAME_b64. So each line is written down once, not twice.
 */
#ifndef CLI_LINE_H
#define CLI_LINE_H

#include "base/bytes.h"

struct line {
	struct buf *out;
	bool json;
	bool color;       /* damage in red; text only */
	const char *file; /* JSON's "file"; not owned */
};

/* Begins a line; ends it with a newline. `loud` lines tell of damage. */
void line_begin(struct line *l, const char *type, bool loud);
void line_end(struct line *l, bool loud);

/* Fields. A key that begins with '=' is printed in text without its name. */
void line_int(struct line *l, const char *key, int64_t value);
/* Nothing unless `has`. */
void line_opt(struct line *l, const char *key, bool has, int64_t value);
/* Hex of 8 digits; in JSON a string. */
void line_hex32(struct line *l, const char *key, uint32_t value);
/* A plain word of ours; NULL: nothing. */
void line_word(struct line *l, const char *key, const char *word);
/* "yes" or nothing; in JSON true or false. */
void line_flag(struct line *l, const char *key, bool value);
/* Milliseconds since 1970; -1: nothing. */
void line_time(struct line *l, const char *key, int64_t ms);
/* "A..B"; in JSON two fields, the second named `key_last`. */
void line_range(struct line *l, const char *key, const char *key_last, int64_t first,
    int64_t last);
/* Bytes of a file; size -1: null. */
void line_bytes(struct line *l, const char *key, const void *data, int64_t size);
/* A path, topic or property: bare if it is a plain word. */
void line_name(struct line *l, const char *key, const char *name, size_t len);
/* line_bytes without a key: text alone. */
void line_plain_bytes(struct line *l, const void *data, int64_t size);
/* Only in text, or only in JSON: what has another form in the other. */
void line_text(struct line *l, const char *text);
void line_json_key(struct line *l, const char *key);

#endif
