/*
 * fuzz_request: requests that mean something, out of bytes that mean nothing.
 *
 * A request is made field by field along its schema. Each field takes a byte, which
 * picks its value from a list for fields of that name: what is good comes first, so
 * that no bytes at all make a request that a broker has an answer to; then what is
 * wrong in ways that handlers look for; then extremes. Names, ids and epochs that a
 * broker gave out are in fuzz_facts.
 */
#ifndef LIB_FUZZ_REQUEST_H
#define LIB_FUZZ_REQUEST_H

#include "base/arena.h"
#include "lib/fuzz.h"
#include "wire/api.h"

/* What a broker said, or what is there. */
struct fuzz_facts {
	struct uuid topics[3];
	char member[128];
	int32_t generation;
	int64_t producer_id;
	int32_t producer_epoch, sequence;
	int32_t session;
};

/* Waits longer than this make no request of a well-behaved client. */
#define FUZZ_WAIT_MS 30000

/* The struct of api->request, in the arena, out of `c`. Always fit to be encoded.
 * `waits` is set if it may ask for more time than FUZZ_WAIT_MS. */
void *fuzz_request(struct cursor *c, const struct fuzz_facts *facts, const struct api *api,
    int version, struct arena *a, bool *waits);

#endif
