/* Making a new store, byte for byte as Kafka's format and first leader do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/snapshot.h"
#include "store/store_impl.h"

#define META_PROPERTIES_MAX 65536
/* Where the single voter would listen as a controller; whoever starts a daemon
 * on the store tells the log where it does. */
#define CONTROLLER_LISTENER "CONTROLLER"
#define CONTROLLER_HOST "localhost"
#define CONTROLLER_PORT 9093

const struct uuid metadata_topic_id = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

/* What Kafka 4.3 finalizes at format, in its order. */
static const struct {
	const char *name;
	int16_t level;
} features[] = {
    {"metadata.version", 30},
    {"eligible.leader.replicas.version", 1},
    {"group.version", 1},
    {"share.version", 1},
    {"streams.version", 1},
    {"transaction.version", 2},
};

void
format_metadata_config(struct mlog_config *c)
{
	mlog_config_default(c);
	/* Never rolled by a clock: tools look at its size to see whether it has grown. */
	c->segment_ms = INT64_MAX;
	c->max_message_bytes = METADATA_BATCH_MAX;
	c->cleanup_delete = false;
}

/* --- meta.properties ----------------------------------------------------------- */

/* The value of `key`, copied and trimmed into `out`. Java's properties as Kafka
 * writes them: KEY=VALUE lines, comments with # or !. */
static bool
property(const char *text, const char *key, char *out, size_t out_size)
{
	while (*text != '\0') {
		size_t line = strcspn(text, "\r\n"), n = strcspn(text, "=:\r\n");
		size_t name = n;

		while (name > 0 && (text[name - 1] == ' ' || text[name - 1] == '\t'))
			name--;
		if (n < line && name == strlen(key) && memcmp(text, key, name) == 0) {
			const char *value = text + n + 1;
			size_t len = line - n - 1;

			while (len > 0 && (*value == ' ' || *value == '\t')) {
				value++;
				len--;
			}
			while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
				len--;
			if (len >= out_size)
				return false;
			memcpy(out, value, len);
			out[len] = '\0';
			return true;
		}
		text += line;
		text += strspn(text, "\r\n");
	}
	return false;
}

static int
parse_meta(const char *text, const char *path, struct meta_properties *m, struct err *err)
{
	char value[256];
	int64_t node;

	memset(m, 0, sizeof(*m));
	if (!property(text, "version", value, sizeof(value)) || strcmp(value, "1") != 0)
		return err_set(err, ERR_CORRUPT, "%s: no version=1", path);
	if (!property(text, "node.id", value, sizeof(value)) ||
	    text_int(value, 0, INT32_MAX, &node) == -1)
		return err_set(err, ERR_CORRUPT, "%s: no node.id", path);
	m->node_id = (int32_t)node;
	if (!property(text, "cluster.id", value, sizeof(value)))
		return err_set(err, ERR_CORRUPT, "%s: no cluster.id", path);
	snprintf(m->cluster_id_text, sizeof(m->cluster_id_text), "%s", value);
	/* Kafka takes any text for a cluster id; only a uuid's can be shown as one. */
	if (uuid_parse(&m->cluster_id, value, strlen(value)) == -1)
		m->cluster_id = uuid_zero;
	if (property(text, "directory.id", value, sizeof(value)) &&
	    uuid_parse(&m->directory_id, value, strlen(value)) == -1)
		return err_set(err, ERR_CORRUPT, "%s: bad directory.id %s", path, value);
	return 0;
}

int
meta_properties_read(struct os *os, const char *dir, struct meta_properties *out, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct buf text = BUF_INIT;
	int ret;

	if (snprintf(path, sizeof(path), "%s/meta.properties", dir) >= (int)sizeof(path))
		return err_set(err, ERR_INVALID, "%s: the path is too long", dir);
	ret = os_read_file(os, path, META_PROPERTIES_MAX, &text, err);
	if (ret == 0) {
		const char *content = buf_cstr(&text);

		ret = text.failed ? err_nomem(err) : parse_meta(content, path, out, err);
	}
	buf_release(&text);
	return ret;
}

static int
write_meta(struct os *os, const char *dir, const struct meta_properties *m, struct err *err)
{
	char path[STORE_PATH_MAX], text[256], cluster[UUID_TEXT_SIZE], directory[UUID_TEXT_SIZE];
	int len;

	uuid_format(&m->cluster_id, cluster);
	uuid_format(&m->directory_id, directory);
	snprintf(path, sizeof(path), "%s/meta.properties", dir);
	len = snprintf(text, sizeof(text), "version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n",
	    cluster, m->node_id, directory);
	return os_replace_file(os, path, text, (size_t)len, err);
}

/* --- records --------------------------------------------------------------------- */

static int
add_voters(struct batch_builder *bb, const struct meta_properties *m, int64_t now, struct err *err)
{
	struct k_raft_version_record version;
	struct voters_record_endpoint endpoint = {.name = wire_str_of(CONTROLLER_LISTENER),
	    .host = wire_str_of(CONTROLLER_HOST),
	    .port = CONTROLLER_PORT};
	struct voters_record_voter voter = {.voter_id = m->node_id,
	    .voter_directory_id = m->directory_id,
	    .k_raft_version_feature = {.min_supported_version = 0, .max_supported_version = 1}};
	struct voters_record voters;

	wire_init(&wire_k_raft_version_record, &version);
	version.k_raft_version = 1;
	voter.endpoints.items = &endpoint;
	voter.endpoints.count = 1;
	wire_init(&wire_voters_record, &voters);
	voters.voters.items = &voter;
	voters.voters.count = 1;
	if (records_add_control(
	        bb, CONTROL_KRAFT_VERSION, &wire_k_raft_version_record, &version, now, err) == -1)
		return -1;
	return records_add_control(bb, CONTROL_KRAFT_VOTERS, &wire_voters_record, &voters, now, err);
}

static int
add_features(struct batch_builder *bb, int64_t now, struct err *err)
{
	struct feature_level_record r;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		wire_init(&wire_feature_level_record, &r);
		r.name = wire_str_of(features[i].name);
		r.feature_level = features[i].level;
		if (records_add_metadata(bb, &wire_feature_level_record, 0, &r, now, err) == -1)
			return -1;
	}
	return 0;
}

int
format_leader_change(struct batch_builder *bb, int32_t node_id, int64_t now, struct err *err)
{
	struct leader_change_message_voter self = {.voter_id = node_id};
	struct leader_change_message r;

	wire_init(&wire_leader_change_message, &r);
	r.leader_id = node_id;
	r.voters.items = r.granting_voters.items = &self;
	r.voters.count = r.granting_voters.count = 1;
	return records_add_control(
	    bb, CONTROL_LEADER_CHANGE, &wire_leader_change_message, &r, now, err);
}

int
format_leader_batch(
    struct batch_builder *bb, const struct meta_properties *m, int64_t now, struct err *err)
{
	if (format_leader_change(bb, m->node_id, now, err) == -1)
		return -1;
	return add_voters(bb, m, now, err);
}

int
format_feature_batch(struct batch_builder *bb, int64_t now, struct err *err)
{
	struct begin_transaction_record begin;
	struct end_transaction_record end;
	struct config_record config;

	wire_init(&wire_begin_transaction_record, &begin);
	begin.name = wire_str_of("Bootstrap records");
	if (records_add_metadata(bb, &wire_begin_transaction_record, 0, &begin, now, err) == -1 ||
	    add_features(bb, now, err) == -1)
		return -1;
	/* Eligible leader replicas want it said once for the whole cluster. */
	wire_init(&wire_config_record, &config);
	config.resource_type = 4;
	config.resource_name = wire_str_of("");
	config.name = wire_str_of("min.insync.replicas");
	config.value = wire_str_of("1");
	wire_init(&wire_end_transaction_record, &end);
	if (records_add_metadata(bb, &wire_config_record, 0, &config, now, err) == -1)
		return -1;
	return records_add_metadata(bb, &wire_end_transaction_record, 0, &end, now, err);
}

/* --- checkpoint files --------------------------------------------------------------- */

/* bootstrap.checkpoint: header; features; footer. */
static int
bootstrap_bytes(struct buf *file, struct batch_builder *bb, int64_t now, struct err *err)
{
	int64_t offset = 0;

	if (snapshot_add_header(bb, 0, now, err) == -1 || snapshot_put_batch(file, bb, &offset, 0, err) == -1 ||
	    add_features(bb, now, err) == -1 || snapshot_put_batch(file, bb, &offset, 0, err) == -1)
		return -1;
	return snapshot_put_footer(file, bb, &offset, 0, now, err);
}

/* 0-0.checkpoint: header, kraft.version, voters; footer. */
static int
voters_bytes(struct buf *file, struct batch_builder *bb, const struct meta_properties *m,
    int64_t now, struct err *err)
{
	int64_t offset = 0;

	if (snapshot_add_header(bb, now, now, err) == -1 || add_voters(bb, m, now, err) == -1 ||
	    snapshot_put_batch(file, bb, &offset, 0, err) == -1)
		return -1;
	return snapshot_put_footer(file, bb, &offset, 0, now, err);
}

static int
write_checkpoints(struct os *os, const char *dir, const struct meta_properties *m, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct batch_builder bb;
	struct buf file = BUF_INIT;
	int64_t now = os_wall_ms(os);
	int ret;

	batch_builder_init(&bb, CODEC_NONE, 0);
	snprintf(path, sizeof(path), "%s/" METADATA_TOPIC "-0/%020d-%010d.checkpoint", dir, 0, 0);
	ret = voters_bytes(&file, &bb, m, now, err);
	if (ret == 0)
		ret = os_replace_file(os, path, file.data, file.len, err);
	buf_clear(&file);
	snprintf(path, sizeof(path), "%s/bootstrap.checkpoint", dir);
	if (ret == 0)
		ret = bootstrap_bytes(&file, &bb, now, err);
	if (ret == 0)
		ret = os_replace_file(os, path, file.data, file.len, err);
	buf_release(&file);
	batch_builder_release(&bb);
	return ret;
}

/* --- the directory --------------------------------------------------------------------- */

/* That `path` could not be made, with errno: refused, if that is for good. */
static int
cannot_make(const char *path, struct err *err)
{
	bool refused = errno == EROFS || errno == EACCES || errno == EPERM;

	err_sys(err, errno, "%s: cannot be made", path);
	if (refused)
		err->code = ERR_REFUSED;
	return -1;
}

/* Makes a directory and those above it; the names are durable. Of those above, one
 * that could not be made is told of only if the next one then has no parent. */
static int
make_directories(struct os *os, const char *dir, struct err *err)
{
	char path[STORE_PATH_MAX], parent[STORE_PATH_MAX];
	size_t len = strlen(dir), failed = 0;
	int why = 0;

	for (size_t i = 1; i <= len; i++) {
		if (i < len && dir[i] != '/')
			continue;
		memcpy(path, dir, i);
		path[i] = '\0';
		if (os_mkdir(os, path) == -1) {
			if (errno == EEXIST) {
				failed = 0;
				continue;
			}
			if (failed == 0 || (i == len && errno != ENOENT)) {
				failed = i;
				why = errno;
			}
			if (i < len)
				continue;
			path[failed] = '\0';
			errno = why;
			return cannot_make(path, err);
		}
		failed = 0;
		snprintf(parent, sizeof(parent), "%s", path);
		*(strrchr(parent, '/') != NULL ? strrchr(parent, '/') : parent) = '\0';
		if (os_sync_dir(os, parent[0] != '\0' ? parent : path[0] == '/' ? "/" : ".") == -1)
			return err_sys(err, errno, "%s: sync of its directory", path);
	}
	return 0;
}

static bool
has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* What a format that died may have left: then it is begun again. */
static int
is_foreign(void *ctx, const char *name)
{
	char *foreign = ctx;

	if (strcmp(name, ".lock") == 0 || strcmp(name, "mqd.starting") == 0 || strcmp(name, "lost+found") == 0 ||
	    strcmp(name, METADATA_TOPIC "-0") == 0 || strcmp(name, "bootstrap.checkpoint") == 0 ||
	    strcmp(name, "bootstrap.checkpoint.tmp") == 0 ||
	    strcmp(name, "meta.properties.tmp") == 0)
		return 0;
	snprintf(foreign, 256, "%s", name);
	return 1;
}

static int
is_foreign_metadata(void *ctx, const char *name)
{
	char *foreign = ctx;

	if (has_suffix(name, ".checkpoint") || has_suffix(name, ".checkpoint.tmp"))
		return 0;
	snprintf(foreign, 256, METADATA_TOPIC "-0/%.200s", name);
	return 1;
}

static int
check_empty(struct os *os, const char *dir, struct err *err)
{
	char path[STORE_PATH_MAX], foreign[256];
	int ret = os_list(os, dir, is_foreign, foreign);

	snprintf(path, sizeof(path), "%s/" METADATA_TOPIC "-0", dir);
	if (ret == 0) {
		ret = os_list(os, path, is_foreign_metadata, foreign);
		if (ret == -1 && errno == ENOENT)
			ret = 0;
	}
	if (ret == -1)
		return err_sys(err, errno, "%s: list", dir);
	if (ret == 1)
		return err_set(err, ERR_NOT_FOUND,
		    "%s: no store (no meta.properties), and not empty: there is %s", dir, foreign);
	return 0;
}

static void
draw(struct os *os, struct uuid *id)
{
	uint8_t random[16];

	do
		os_random(os, random, sizeof(random));
	while (!uuid_from_random(id, random));
}

/* With the lock held. meta.properties comes last: with it there is a store. */
static int
format_locked(struct os *os, const char *dir, int32_t node_id, const struct uuid *cluster_id,
    struct err *err)
{
	char path[STORE_PATH_MAX];
	struct meta_properties m;

	if (meta_properties_read(os, dir, &m, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND || check_empty(os, dir, err) == -1)
		return -1;
	snprintf(path, sizeof(path), "%s/" METADATA_TOPIC "-0", dir);
	if (os_mkdir(os, path) == -1 && errno != EEXIST)
		return cannot_make(path, err);
	if (cluster_id != NULL)
		m.cluster_id = *cluster_id;
	else
		draw(os, &m.cluster_id);
	draw(os, &m.directory_id);
	m.node_id = node_id;
	if (write_checkpoints(os, dir, &m, err) == -1)
		return -1;
	return write_meta(os, dir, &m, err);
}

int
store_format(struct os *os, const char *dir, int32_t node_id, const struct uuid *cluster_id,
    struct err *err)
{
	char path[STORE_PATH_MAX];
	struct meta_properties m;
	struct err no_meta;
	int fd, ret, tries = 0;

	/* The longest path that is made in a store is far below this. */
	if (strlen(dir) > STORE_PATH_MAX - 1024)
		return err_set(err, ERR_INVALID, "%s: the path is too long", dir);
	if (make_directories(os, dir, err) == -1)
		return -1;
	/* Not even a lock file goes to a directory of others. If it filled since we
	 * were sent here, somebody else was quicker. */
	if (check_empty(os, dir, err) == -1)
		return meta_properties_read(os, dir, &m, &no_meta);
	snprintf(path, sizeof(path), "%s/.lock", dir);
	fd = os_open(os, path, OS_WRITE | OS_CREATE);
	if (fd == -1)
		return cannot_make(path, err);
	while ((ret = os_lock(os, fd, OS_LOCK_EXCLUSIVE)) == -1 && errno == EAGAIN && tries++ < 5000)
		os_sleep_ms(os, 2);
	ret = ret == 0 ? format_locked(os, dir, node_id, cluster_id, err) : err_sys(err, errno, "%s: lock", path);
	os_close(os, fd);
	return ret;
}
