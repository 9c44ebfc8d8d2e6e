#include "store/records.h"

static int
add(struct batch_builder *bb, const struct buf *key, const struct buf *value, int64_t now_ms,
    struct err *err)
{
	struct record r = {
	    .timestamp = now_ms,
	    .key = key != NULL ? key->data : NULL,
	    .key_size = key != NULL ? (int32_t)key->len : -1,
	    .value = value != NULL ? value->data : NULL,
	    .value_size = value != NULL ? (int32_t)value->len : -1,
	};

	return batch_builder_add(bb, &r, err);
}

int
records_add_metadata(struct batch_builder *bb, const struct wire_schema *s, int version,
    const void *msg, int64_t now_ms, struct err *err)
{
	struct buf value = BUF_INIT;
	int ret = metadata_record_encode(s, version, msg, &value, err);

	if (ret == 0)
		ret = add(bb, NULL, &value, now_ms, err);
	buf_release(&value);
	return ret;
}

int
records_add_value(struct batch_builder *bb, const struct buf *value, int64_t now_ms,
    struct err *err)
{
	return add(bb, NULL, value, now_ms, err);
}

int
records_add_control_value(struct batch_builder *bb, int type, const struct buf *value,
    int64_t now_ms, struct err *err)
{
	struct buf key = BUF_INIT;
	int ret;

	control_key_encode(type, &key);
	bb->head.attributes |= BATCH_CONTROL;
	ret = key.failed ? err_nomem(err) : add(bb, &key, value, now_ms, err);
	buf_release(&key);
	return ret;
}

int
records_add_control(struct batch_builder *bb, int type, const struct wire_schema *s,
    const void *msg, int64_t now_ms, struct err *err)
{
	struct buf value = BUF_INIT;
	int ret = control_value_encode(s, 0, msg, &value, err);

	if (ret == 0)
		ret = records_add_control_value(bb, type, &value, now_ms, err);
	buf_release(&value);
	return ret;
}

int
records_add_group(struct batch_builder *bb, const struct wire_schema *key_schema, const void *key,
    const struct wire_schema *value_schema, int version, const void *value, int64_t now_ms,
    struct err *err)
{
	struct buf k = BUF_INIT, v = BUF_INIT;
	int ret = coordinator_key_encode(key_schema, key, &k, err);

	if (ret == 0 && value != NULL)
		ret = coordinator_value_encode(value_schema, version, value, &v, err);
	if (ret == 0)
		ret = add(bb, &k, value != NULL ? &v : NULL, now_ms, err);
	buf_release(&k);
	buf_release(&v);
	return ret;
}
