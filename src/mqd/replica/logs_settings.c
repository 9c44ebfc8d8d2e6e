/* What the metadata says of a topic's logs. */
#include <string.h>

#include "base/text.h"
#include "mqd/replica/logs.h"
#include "store/topic_config.h"

static int64_t
number(const struct image *im, const char *topic, const char *name, int64_t otherwise)
{
	int64_t n = otherwise;

	if (text_int(topic_config_value(im, topic, name, NULL), INT64_MIN, INT64_MAX, &n) == -1)
		return otherwise;
	return n;
}

static bool
is_set(const struct image *im, const char *topic, const char *name)
{
	enum config_source source;

	(void)topic_config_value(im, topic, name, &source);
	return source != CONFIG_DEFAULT;
}

/* Unlike Kafka each append is synced, unless somebody asked for less. */
static void
set_flush(const struct image *im, const char *topic, struct plog_settings *out)
{
	out->flush_ms = number(im, topic, "flush.ms", INT64_MAX);
	if (out->flush_ms == INT64_MAX)
		out->flush_ms = -1;
	out->flush_messages = out->flush_ms == -1 ? 1 : INT64_MAX;
	if (is_set(im, topic, "flush.messages"))
		out->flush_messages = number(im, topic, "flush.messages", 1);
}

static void
set_codec(const struct image *im, const char *topic, struct plog_settings *out)
{
	const char *name = topic_config_value(im, topic, "compression.type", NULL);
	enum codec codec;

	out->compression = PLOG_AS_PRODUCED;
	out->compression_level = CODEC_LEVEL_DEFAULT;
	if (strcmp(name, "uncompressed") == 0)
		name = "none";
	if (codec_parse(name, strlen(name), &codec) == -1)
		return; /* "producer" */
	out->compression = (int)codec;
	if (codec == CODEC_GZIP)
		out->compression_level = (int)number(im, topic, "compression.gzip.level", -1);
	if (codec == CODEC_LZ4)
		out->compression_level = (int)number(im, topic, "compression.lz4.level", 9);
	if (codec == CODEC_ZSTD)
		out->compression_level = (int)number(im, topic, "compression.zstd.level", 3);
}

void
plog_settings_resolve(const struct image *im, const char *topic, struct plog_settings *out)
{
	topic_config_resolve(im, topic, &out->log);
	set_flush(im, topic, out);
	out->before_max_ms = number(im, topic, "message.timestamp.before.max.ms", INT64_MAX);
	out->after_max_ms = number(im, topic, "message.timestamp.after.max.ms", INT64_MAX);
	set_codec(im, topic, out);
}
