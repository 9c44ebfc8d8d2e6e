/*
 * api: the handlers, one for each request that a broker answers, in files by family.
 *
 * A handler reads x->body (the struct of x->request.api->request), and answers once,
 * at once or later, with dispatch_reply and its kin. It is the only code that knows
 * the request's fields and Kafka's rules about them; what it asks for is in the parts
 * of struct broker. The table of handlers is in net/dispatch.c.
 *
 * An error that belongs to the whole request goes where its response has room for
 * one, as Kafka's handlers do (KafkaApis).
 */
#ifndef MQD_API_API_H
#define MQD_API_API_H

#include "mqd/net/dispatch.h"

void api_produce(struct exchange *x);
void api_fetch(struct exchange *x);
void api_api_versions(struct exchange *x);

/* The answer to an ApiVersions of a version that we do not have: x->request.version
 * is 0, there is no body. */
void api_versions_unsupported(struct exchange *x);

#endif
