/* The table of requests. */
#include "wire/api.h"

#include "wire_gen.h"

const struct api *
api_find(int key)
{
	if (key < 0 || key >= wire_api_count || wire_apis[key].request == NULL)
		return NULL;
	return &wire_apis[key];
}

const struct api *
api_next(const struct api *api)
{
	for (int key = api ? api->key + 1 : 0; key < wire_api_count; key++)
		if (wire_apis[key].request != NULL)
			return &wire_apis[key];
	return NULL;
}

bool
api_has_version(const struct api *api, int version)
{
	return wire_range_has(api->request->versions, version);
}

int
api_advertised_min(const struct api *api)
{
	return api->key == API_PRODUCE ? 0 : api->request->versions.min;
}

/* Flexible versions have no end, unlike those that we have. */
static bool
is_flexible(const struct api *api, int version)
{
	return wire_range_has(api->request->flexible, version);
}

int
api_request_header(const struct api *api, int version)
{
	return is_flexible(api, version) ? 2 : 1;
}

int
api_response_header(const struct api *api, int version)
{
	return is_flexible(api, version) && api->key != API_API_VERSIONS ? 1 : 0;
}
