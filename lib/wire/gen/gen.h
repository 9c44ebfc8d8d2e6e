/*
 * gen: turns message schemas into C, at build time.
 *
 *   wire_gen PREFIX OUTDIR SCHEMA...   writes OUTDIR/PREFIX_gen.h and PREFIX_gen.c
 *   wire_gen --dump SCHEMA...          prints every schema and field, one a line
 *
 * A schema is a small text. Levels are two spaces each; # begins a comment,
 * which goes into the C struct (above a field, or after it on its line).
 *
 *   # what the message is for
 *   FAMILY [NUMBER[,NUMBER]] NAME  versions V [flexible V] [on LISTENER,...] [forwarded]
 *   SECTION [versions V] [flexible V]        (key and value, request and response)
 *     FIELD  TYPE [V] [tag N] [default D] [ignorable] [inflexible]
 *
 * FAMILY is one of metadata, control, data (no sections: fields follow at once);
 * group, txn, share (key and value); api (request and response). The message is
 * called NAME plus its section: api 1 Fetch makes FetchRequest and FetchResponse.
 * Only an api has LISTENERs, broker and controller, and may be forwarded.
 * V is "3", "3-5" or "3+"; a field without V is in all versions, a message
 * without "flexible" in none. TYPE is bool int8 int16 uint16 int32 uint32 int64
 * float64 uuid string bytes records, or the name of a struct: one that was
 * used above in this message, or a new one whose fields follow, one level deeper. []TYPE is an
 * array ("[]" alone names the struct after the field), and a ? after it says it
 * may be null ("?4+": from that version on). Default D is a number, true, false
 * or null; without it zero, empty, not null.
 *
 * A mistake ends the run with one line: FILE:LINE: what.
 *
 * Part of the build, not of libmq: it may call libc as it likes and never frees.
 */
#ifndef WIRE_GEN_H
#define WIRE_GEN_H

#include <stdbool.h>
#include <stdio.h>

#define GEN_NAME_MAX 96
#define GEN_DEPTH_MAX 8 /* WIRE_DEPTH_MAX */
#define GEN_VERSION_MAX 32767

/* The listeners that serve an API; LISTENER_* in wire/api.h. */
enum {
	ON_BROKER = 1,
	ON_CONTROLLER = 2,
};

struct range {
	int min, max; /* empty when max < min */
};

enum prim {
	P_BOOL,
	P_INT8,
	P_INT16,
	P_UINT16,
	P_INT32,
	P_UINT32,
	P_INT64,
	P_FLOAT64,
	P_UUID,
	P_STRING,
	P_BYTES,
	P_RECORDS,
	P_STRUCT,
	P_COUNT,
};

/* How the types are called: in schemas, in wire.h, as a C member, as an array. */
struct prim_name {
	const char *schema, *tag, *c, *c_array;
};
extern const struct prim_name prim_names[P_COUNT];

struct field {
	char name[GEN_NAME_MAX];
	enum prim prim;
	bool array;
	bool ignorable, inflexible;
	struct strct *sub; /* P_STRUCT */
	struct range versions, nullable;
	int tag; /* -1 none */
	bool has_default;
	char def[GEN_NAME_MAX];
	const char *doc; /* or NULL */
	int line;
};

struct strct {
	char name[GEN_NAME_MAX];  /* in the schema; "" for a message's body */
	char cname[GEN_NAME_MAX]; /* in C */
	struct field *fields;
	int field_count;
	bool emitted;
	const char *doc;
	struct strct *next; /* in order of definition within the message */
};

struct msg {
	char api[GEN_NAME_MAX];   /* Fetch: the name without its section */
	char name[GEN_NAME_MAX];  /* FetchRequest */
	char cname[GEN_NAME_MAX]; /* fetch_request */
	int family;               /* index into families */
	int keys[4], key_count;
	struct range versions, flexible;
	int listeners; /* of an api; ON_* */
	bool forwarded;
	struct strct *body;
	struct strct *structs, **structs_tail; /* all but the body */
	const char *doc;
	const char *file;
	int line;
	struct msg *next;
};

/* The families, in the order of enum wire_family. */
struct family {
	const char *word, *section, *tag;
};
extern const struct family families[];
extern const int family_count;
enum {
	FAMILY_REQUEST = 9,
	FAMILY_RESPONSE = 10,
};

/* Reads one file and appends its messages. Exits on a mistake. */
void gen_parse(const char *path, struct msg ***tail);

/* Writes the two C files. */
void gen_header(FILE *out, const char *prefix, const struct msg *msgs);
void gen_source(FILE *out, const char *prefix, const struct msg *msgs);

/* Prints what the tables will say, in a form that a test can compare. */
void gen_dump(FILE *out, const struct msg *msgs);

/* TopicRecord to topic_record; KRaftVersionRecord to k_raft_version_record. */
void gen_snake(char out[GEN_NAME_MAX], const char *camel);

/* topic_id to topicId. */
void gen_camel(char out[GEN_NAME_MAX], const char *snake);

bool range_has(struct range r, int v);

#endif
