/*
 * format_ops: the program that a format string becomes; format_parse.c makes
 * it, format_run.c runs it. Nobody else looks inside.
 */
#ifndef CLI_FORMAT_OPS_H
#define CLI_FORMAT_OPS_H

#include "cli/format.h"

enum format_kind {
	FORMAT_LITERAL,
	FORMAT_TEXT,
	FORMAT_NUMBER,
	FORMAT_HEADERS,
	FORMAT_ATTRIBUTE,
	FORMAT_ENVELOPE,
};

enum format_source {
	/* of text */
	SOURCE_VALUE,
	SOURCE_KEY,
	SOURCE_TOPIC,
	SOURCE_HEADER,       /* the named one */
	SOURCE_HEADER_NAME,  /* the one that is being printed */
	SOURCE_HEADER_VALUE,
	/* of numbers */
	SOURCE_VALUE_SIZE,
	SOURCE_KEY_SIZE,
	SOURCE_PARTITION,
	SOURCE_OFFSET,
	SOURCE_TIMESTAMP,
	SOURCE_LEADER_EPOCH,
	SOURCE_PRODUCER_ID,
	SOURCE_PRODUCER_EPOCH,
	SOURCE_RUNNING,
	/* of attributes */
	SOURCE_CODEC,
	SOURCE_TXN,
	SOURCE_CONTROL,
	SOURCE_TSTYPE,
};

enum format_style {
	STYLE_PLAIN,
	STYLE_HEX,
	STYLE_BASE64,
	STYLE_JSON,
	STYLE_QUOTED,
	STYLE_UNPACK,
	STYLE_BE32,
	STYLE_LE32,
	STYLE_VARINT,
	STYLE_ISO,
	STYLE_SECONDS,
	STYLE_MICROSECONDS,
	STYLE_STRFTIME,
};

struct format_op {
	uint8_t kind, source, style;
	char *name;           /* owned: of the header */
	char *text;           /* owned: literal, pack string, strftime's format, separator */
	size_t text_len;
	struct format *inner; /* owned: for each header */
};

struct format {
	struct format_op *ops;
	size_t count;
	char *null_text; /* owned, or NULL */
	size_t null_size;
};

/* Adds an op with a copy of `text` (NULL: none). NULL when memory fails. */
struct format_op *format_add(struct format *f, enum format_kind kind, enum format_source source,
    const char *text, size_t len);

#endif
