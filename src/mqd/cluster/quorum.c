/*
 * The state of the vote: quorum-state, beside the metadata log, as Kafka's
 * FileQuorumStateStore writes it. It is durable before anything is done in an epoch,
 * so that no epoch is led twice.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "mqd/cluster/cluster_impl.h"

#define QUORUM_STATE "quorum-state"
#define QUORUM_STATE_MAX 65536

/* What Kafka writes where nobody was voted for. */
#define NOBODY (-1)

static int
parse(const char *text, const char *path, int32_t *epoch, struct err *err)
{
	json_error_t why;
	json_t *state = json_loads(text, 0, &why);
	const json_t *version, *number;
	int ret = 0;

	if (state == NULL)
		return err_set(err, ERR_CORRUPT, "%s: no JSON: %s", path, why.text);
	version = json_object_get(state, "data_version");
	number = json_object_get(state, "leaderEpoch");
	if (!json_is_integer(version) || !json_is_integer(number) ||
	    json_integer_value(number) < 0 || json_integer_value(number) >= INT32_MAX)
		ret = err_set(err, ERR_CORRUPT, "%s: no data_version, or no leaderEpoch", path);
	else if (json_integer_value(version) < 0 || json_integer_value(version) > 1)
		ret = err_set(err, ERR_REFUSED, "%s: data_version %lld, of a newer Kafka", path,
		    (long long)json_integer_value(version));
	else
		*epoch = (int32_t)json_integer_value(number);
	json_decref(state);
	return ret;
}

int
quorum_read(struct cluster *c, int32_t *epoch, struct err *err)
{
	char path[CLUSTER_PATH_MAX];
	struct buf text = BUF_INIT;
	int ret;

	*epoch = 0;
	if (cluster_metadata_path(c, path, QUORUM_STATE, err) == -1)
		return -1;
	ret = os_read_file(c->os, path, QUORUM_STATE_MAX, &text, err);
	if (ret == 0) {
		const char *content = buf_cstr(&text);

		ret = text.failed ? err_nomem(err) : parse(content, path, epoch, err);
	} else if (err->code == ERR_NOT_FOUND) {
		ret = 0;
	}
	buf_release(&text);
	return ret;
}

int
quorum_write(struct cluster *c, int32_t epoch, struct err *err)
{
	char path[CLUSTER_PATH_MAX], text[256], nobody[UUID_TEXT_SIZE];
	int len;

	if (cluster_metadata_path(c, path, QUORUM_STATE, err) == -1)
		return -1;
	uuid_format(&uuid_zero, nobody);
	if (image_feature(&c->image, "kraft.version") > 0)
		len = snprintf(text, sizeof(text),
		    "{\"leaderId\":%d,\"leaderEpoch\":%d,\"votedId\":%d,"
		    "\"votedDirectoryId\":\"%s\",\"data_version\":1}",
		    c->options.node_id, epoch, NOBODY, nobody);
	else
		len = snprintf(text, sizeof(text),
		    "{\"clusterId\":\"\",\"leaderId\":%d,\"leaderEpoch\":%d,\"votedId\":%d,"
		    "\"appliedOffset\":0,\"currentVoters\":[{\"voterId\":%d}],\"data_version\":0}",
		    c->options.node_id, epoch, NOBODY, c->options.node_id);
	return os_replace_file(c->os, path, text, (size_t)len, err);
}
