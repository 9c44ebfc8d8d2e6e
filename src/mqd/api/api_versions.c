/* ApiVersions: what this broker speaks (KIP-35, 511, 584). */
#include <string.h>

#include "base/array.h"
#include "mqd/api/api.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "wire_gen.h"

/* The software's name and version: [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? */
static bool
is_software(struct wire_str s)
{
	for (int32_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9');

		if (!plain && (i == 0 || i == s.len - 1 || (c != '-' && c != '.')))
			return false;
	}
	return s.len > 0;
}

/* What of Kafka's features there is here. Others that a store may have finalized (it
 * was Kafka's) are not told, so that no client uses them. */
static const struct feature {
	const char *name;
	int16_t min, max;
} features[] = {
    {"kraft.version", 0, 1},
    {"metadata.version", 7, 30},
};

static int16_t
feature_level(const struct image *im, const char *name)
{
	if (strcmp(name, "kraft.version") == 0)
		return im->voter_count > 0 ? 1 : 0; /* the voters are in the log from 1 on */
	return (int16_t)image_feature(im, name);
}

static int
add_features(struct exchange *x, struct api_versions_response *out)
{
	const struct image *im = cluster_image(x->broker->cluster);
	int32_t supported = 0, finalized = 0;

	out->supported_features.items =
	    exchange_array(x, COUNT(features), sizeof(*out->supported_features.items));
	out->finalized_features.items =
	    exchange_array(x, COUNT(features), sizeof(*out->finalized_features.items));
	if (out->supported_features.items == NULL || out->finalized_features.items == NULL)
		return -1;
	for (size_t i = 0; i < COUNT(features); i++) {
		const struct feature *f = &features[i];
		int16_t level = feature_level(im, f->name);
		struct wire_str name = wire_str_of(f->name);

		/* KAFKA-17011: a minimum of 0 upsets clients that ask below version 4. */
		if (x->request.version >= 4 || f->min > 0)
			out->supported_features.items[supported++] =
			    (struct api_versions_response_supported_feature){
				.name = name, .min_version = f->min, .max_version = f->max};
		if (level > 0)
			out->finalized_features.items[finalized++] =
			    (struct api_versions_response_finalized_feature){.name = name,
				.max_version_level = level, .min_version_level = level};
	}
	out->supported_features.count = supported;
	out->finalized_features.count = finalized;
	out->finalized_features_epoch = im->end_offset - 1;
	return 0;
}

static int
add_ranges(struct exchange *x, struct api_versions_response *out)
{
	int32_t count = 0;

	for (const struct api *a = api_next(NULL); a != NULL; a = api_next(a))
		count += dispatch_serves(a->key);
	out->api_keys.items = exchange_array(x, (size_t)count, sizeof(*out->api_keys.items));
	if (out->api_keys.items == NULL)
		return -1;
	for (const struct api *a = api_next(NULL); a != NULL; a = api_next(a)) {
		if (!dispatch_serves(a->key))
			continue;
		out->api_keys.items[out->api_keys.count++] = (struct api_versions_response_range){
		    .api_key = a->key, .min_version = (int16_t)api_advertised_min(a),
		    .max_version = a->request->versions.max};
	}
	return 0;
}

void
api_api_versions(struct exchange *x)
{
	const struct api_versions_request *in = x->body;
	struct api_versions_response *out = dispatch_response(x);

	if (out == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	if (x->request.version >= 3 && (!is_software(in->client_software_name) ||
					   !is_software(in->client_software_version))) {
		out->error_code = ERR_INVALID_REQUEST;
	} else if (add_ranges(x, out) == -1 || add_features(x, out) == -1) {
		dispatch_close(x, "out of memory");
		return;
	}
	dispatch_reply(x, out);
}

void
api_versions_unsupported(struct exchange *x)
{
	struct api_versions_response *out = dispatch_response(x);
	struct api_versions_response_range own;

	if (out == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	own = (struct api_versions_response_range){.api_key = x->request.api->key,
	    .min_version = (int16_t)api_advertised_min(x->request.api),
	    .max_version = x->request.api->request->versions.max};
	out->error_code = ERR_UNSUPPORTED_VERSION;
	out->api_keys.items = &own;
	out->api_keys.count = 1;
	dispatch_reply(x, out);
}
