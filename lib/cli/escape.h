/*
 * escape: byte strings as people type them: \n \t \r \0 \a \b \e \f \v \\ \"
 * \' \% and \xNN; all other bytes stand for themselves.
 */
#ifndef CLI_ESCAPE_H
#define CLI_ESCAPE_H

#include "base/bytes.h"
#include "base/error.h"

/* Reads one escape; `s` stands behind the backslash. Returns the first
 * character behind the escape, or NULL if there is no such escape. */
const char *escape_next(const char *s, uint8_t *byte);

/* Appends the bytes that `s` stands for. Returns 0, or -1: ERR_INVALID. */
int escape_parse(const char *s, struct buf *out, struct err *err);

/* Appends bytes so that escape_parse gives them back: printable ASCII and valid
 * UTF-8 as they are, else escapes; `quote` is escaped too (0: none). */
void escape_put(struct buf *out, const void *data, size_t len, char quote);

#endif
