#include "mqd/net/request_stats.h"

#include <stdlib.h>

const int64_t request_bucket_us[REQUEST_BUCKETS] = {
    250, 1000, 4000, 16000, 64000, 256000, 1024000, 4096000};

void
request_stats_release(struct request_stats *s)
{
	for (int i = 0; i < REQUEST_KEYS_MAX; i++) {
		if (s->of[i] != NULL)
			free(s->of[i]->errors);
		free(s->of[i]);
		s->of[i] = NULL;
	}
}

static struct api_stats *
stats_of(struct request_stats *s, const struct api *api)
{
	if (api->key >= REQUEST_KEYS_MAX)
		return NULL;
	if (s->of[api->key] == NULL)
		s->of[api->key] = calloc(1, sizeof(*s->of[api->key]));
	return s->of[api->key];
}

void
request_stats_count(struct request_stats *s, const struct api *api, int64_t took_ns)
{
	struct api_stats *a = stats_of(s, api);
	int64_t us = took_ns / 1000;
	int i = 0;

	if (a == NULL)
		return;
	while (i < REQUEST_BUCKETS && us > request_bucket_us[i])
		i++;
	a->buckets[i]++;
	a->count++;
	a->sum_us += us;
}

static void
count_error(void *ctx, int16_t code)
{
	struct api_stats *a = ctx;

	if (a->errors == NULL)
		a->errors = calloc(REQUEST_ERRORS_MAX, sizeof(*a->errors));
	if (a->errors != NULL && code >= -1 && code + 1 < REQUEST_ERRORS_MAX)
		a->errors[code + 1]++;
}

void
request_stats_errors(struct request_stats *s, const struct api *api, const void *response)
{
	struct api_stats *a = stats_of(s, api);

	if (a != NULL)
		wire_each_error(api->response, response, count_error, a);
}
