/*
 * format: records out, by kcat's format strings and more (mq-format(7)).
 *
 *   %s %v payload   %S %V its size (-1: null)   %R its size as be32
 *   %k key   %K its size   %h headers   %T timestamp in ms
 *   %t topic   %p partition   %o offset   %e leader epoch
 *   %x %y producer id and epoch   %i running number
 *   %a{codec|txn|control|tstype}   %% a percent sign
 *   text    {hex} {base64} {json} {quoted} {unpack[PACK]}
 *   number  {be32} {le32} {varint} {hex}
 *   time    {iso} {s} {us} {strftime[FMT]}, and those of numbers
 *   headers %h{%k=%v,}: for each; what stands behind the last token separates
 *           %h[name]: the value of the last header of that name
 *
 * A format is compiled once into a short program, and run for each record.
 */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include "cli/envelope.h"
#include "cli/options.h"

struct format;

/* Compiles `text`; `option` ("-f") begins the messages. `null_text` is printed
 * for null (NULL: nothing). Returns NULL with err: ERR_INVALID, ERR_NOMEM. */
struct format *format_new(const char *option, const char *text, const char *null_text,
    struct err *err);

/* What mq-consume's -f -J -D -0 -K -O -Z ask for. */
struct format *format_from_options(const struct options *o, struct err *err);

void format_free(struct format *f);

/* Appends one record. Returns 0, or -1 and appends nothing: ERR_INVALID, the
 * record does not go with the format (unpack, be32); ERR_CORRUPT, malformed
 * headers; ERR_NOMEM. */
int format_run(const struct format *f, const struct record *rec, const struct place *at,
    struct buf *out, struct err *err);

#endif
