/*
 * What the handlers of consumer groups (groups*.c) share.
 */
#ifndef MQD_API_GROUPS_H
#define MQD_API_GROUPS_H

#include "mqd/api/api.h"
#include "mqd/broker.h"
#include "mqd/groups/home.h"
#include "wire_gen.h"

/* What an answer may take that tells of groups, beside what its request's size allows. */
#define GROUPS_ANSWER_MAX ((size_t)64 << 20)

/* A call for the exchange, in its arena, which answers with the struct that it is told;
 * or NULL, and the connection is closed. */
struct groups_call *groups_call_of(struct exchange *x);

/* As the answer of an exchange, for calls that tell the response's struct. */
void groups_reply(struct groups_call *c, const void *response);

/* Ends the exchange for want of memory. */
void groups_no_memory(struct exchange *x);

#endif
