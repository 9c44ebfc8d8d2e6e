/*
 * api: the requests there are, as one table: key, name, versions, listeners, and
 * how request and response look. It is made from schema/api (gen/), and a test
 * holds it against Kafka's own.
 *
 * Versions and flexible versions are the request schema's; a response has the
 * same. Versions that Kafka calls unstable are not there.
 *
 * Knows messages; knows no frame, connection or handler.
 */
#ifndef WIRE_API_H
#define WIRE_API_H

#include "wire/wire.h"

/* What kind of listener serves an API. Bits. */
enum {
	LISTENER_BROKER = 1,
	LISTENER_CONTROLLER = 2,
};

struct api {
	const char *name; /* Kafka's: "Fetch" */
	int16_t key;
	uint8_t listeners; /* LISTENER_* */
	bool forwarded;    /* a broker hands it to the active controller */
	const struct wire_schema *request, *response;
};

/* The API with that key, or NULL. */
const struct api *api_find(int key);

/* The one with the next larger key, or NULL; after NULL, the first. */
const struct api *api_next(const struct api *api);

/* The version is one we read and write. */
bool api_has_version(const struct api *api, int version);

/* The least version that ApiVersions tells of. Below the least that is served
 * for one API only: librdkafka looks for Produce 0 to decide whether it may
 * compress (KAFKA-18659), though the versions 0 to 2 are refused. */
int api_advertised_min(const struct api *api);

/* The header's version before a request or response of that version. It follows
 * from API and version alone, and there is one for versions that we do not
 * have, too. ApiVersions' response always has 0: who reads it does not know yet
 * what the other side speaks. */
int api_request_header(const struct api *api, int version);
int api_response_header(const struct api *api, int version);

#endif
