/*
 * The table of APIs: what it says about keys, versions and headers.
 *
 *   wire_api --list     prints it, one API a line (for t/interop)
 */
#include "wire/api.h"

#include "tap.h"
#include "wire_gen.h"

static void
test_table(void)
{
	int count = 0, last = -1;
	bool whole = true, alike = true;

	for (const struct api *a = api_next(NULL); a != NULL; a = api_next(a), count++) {
		whole = whole && a->key > last && api_find(a->key) == a && a->listeners != 0 &&
			a->request->key == a->key && a->response->key == a->key &&
			a->request->family == WIRE_REQUEST && a->response->family == WIRE_RESPONSE;
		alike = alike && a->request->versions.min == a->response->versions.min &&
			a->request->versions.max == a->response->versions.max &&
			a->request->flexible.min == a->response->flexible.min;
		last = a->key;
	}
	ok(whole, "every API is found by its key, in order, with a request and a response");
	ok(alike, "both have the same versions");
	ok(count >= 31, "there are %d", count);
	ok(api_find(-1) == NULL && api_find(4) == NULL && api_find(32767) == NULL,
	    "none has another key");
}

static void
test_versions(void)
{
	const struct api *fetch = api_find(API_FETCH), *produce = api_find(API_PRODUCE);

	is_str(fetch->name, "Fetch", "an API has Kafka's name");
	ok(!api_has_version(fetch, 3) && api_has_version(fetch, 4) && api_has_version(fetch, 18) &&
		!api_has_version(fetch, 19),
	    "and its versions");
	is_int(api_advertised_min(fetch), 4, "which it tells");
	ok(!api_has_version(produce, 0) && api_advertised_min(produce) == 0,
	    "but Produce says 0, which it refuses: librdkafka would not compress");
	is_int(api_find(API_INIT_PRODUCER_ID)->request->versions.max, 5,
	    "a version that is not stable is not there");
	ok(fetch->listeners == (LISTENER_BROKER | LISTENER_CONTROLLER) &&
		produce->listeners == LISTENER_BROKER,
	    "listeners");
	ok(api_find(API_CREATE_TOPICS)->forwarded && !fetch->forwarded, "what brokers hand on");
}

static void
test_headers(void)
{
	const struct api *fetch = api_find(API_FETCH), *versions = api_find(API_API_VERSIONS);
	const struct api *never = api_find(API_OFFSET_DELETE);

	ok(api_request_header(fetch, 11) == 1 && api_response_header(fetch, 11) == 0,
	    "a version that is not flexible has the old headers");
	ok(api_request_header(fetch, 12) == 2 && api_response_header(fetch, 12) == 1,
	    "a flexible one the new");
	ok(api_request_header(never, 100) == 1 && api_response_header(never, 100) == 0,
	    "an API that never was flexible has the old ones always");
	ok(api_request_header(versions, 99) == 2, "also versions that nobody knows yet");
	ok(api_response_header(versions, 3) == 0 && api_response_header(versions, 99) == 0,
	    "ApiVersions always answers with the old one");
}

static void
print_list(void)
{
	for (const struct api *a = api_next(NULL); a != NULL; a = api_next(a)) {
		struct wire_range v = a->request->versions;

		printf("%d %s %d-%d%s%s%s headers", a->key, a->name, v.min, v.max,
		    a->listeners & LISTENER_BROKER ? " broker" : "",
		    a->listeners & LISTENER_CONTROLLER ? " controller" : "",
		    a->forwarded ? " forwarded" : "");
		for (int i = 0; i <= v.max + 1; i++)
			printf(" %d/%d", api_request_header(a, i), api_response_header(a, i));
		printf("\n");
	}
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		print_list();
		return 0;
	}
	test_table();
	test_versions();
	test_headers();
	return tap_done();
}
