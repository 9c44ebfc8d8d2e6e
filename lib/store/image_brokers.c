/* Brokers, and the records that are only kept. */
#include <stdlib.h>
#include <string.h>

#include "store/image_impl.h"

/* What one broker's registration may take, with all that changes it. */
#define BROKER_ARENA_MAX (64u << 20)

/* --- brokers --------------------------------------------------------------------- */

static void
broker_free(struct image_broker *b)
{
	buf_release(&b->bytes);
	arena_release(&b->arena);
	free(b);
}

static void
key_of(uint8_t key[4], int32_t id)
{
	be32_put(key, (uint32_t)id);
}

const struct image_broker *
image_broker(const struct image *im, int32_t id)
{
	uint8_t key[4];

	key_of(key, id);
	return map_get(&im->brokers, key, sizeof(key));
}

void
image_broker_remove(struct image *im, int32_t id)
{
	uint8_t key[4];
	struct image_broker *b;

	key_of(key, id);
	b = map_del(&im->brokers, key, sizeof(key));
	if (b != NULL)
		broker_free(b);
}

int
image_broker_set(struct image *im, struct slice value, struct err *err)
{
	struct image_broker *b = calloc(1, sizeof(*b));
	struct wire_message m;
	uint8_t key[4];

	if (b == NULL)
		return err_nomem(err);
	buf_init(&b->bytes);
	arena_init(&b->arena, BROKER_ARENA_MAX);
	buf_put(&b->bytes, value.data, value.len);
	if (b->bytes.failed) {
		broker_free(b);
		return err_nomem(err);
	}
	if (metadata_record_decode((struct slice){b->bytes.data, b->bytes.len}, &b->arena, &m, err) ==
	    -1) {
		broker_free(b);
		return -1;
	}
	b->record = m.data;
	image_broker_remove(im, b->record->broker_id);
	key_of(key, b->record->broker_id);
	if (map_put(&im->brokers, key, sizeof(key), b, NULL) == -1) {
		broker_free(b);
		return err_nomem(err);
	}
	return image_touched(im, NULL, err);
}

static int
uuids_copy(struct arena *a, struct wire_uuids *to, const struct wire_uuids *from, struct err *err)
{
	struct uuid *copy = arena_array(a, (size_t)from->count, sizeof(*copy));

	if (copy == NULL)
		return err_nomem(err);
	if (from->count > 0)
		memcpy(copy, from->items, (size_t)from->count * sizeof(*copy));
	*to = (struct wire_uuids){.items = copy, .count = from->count};
	return 0;
}

int
image_broker_change(
    struct image *im, const struct broker_registration_change_record *r, struct err *err)
{
	struct image_broker *b = (struct image_broker *)(uintptr_t)image_broker(im, r->broker_id);

	if (b == NULL)
		return err_set(
		    err, ERR_CORRUPT, "a change of broker %d, which never registered", r->broker_id);
	if (r->fenced != 0)
		b->record->fenced = r->fenced > 0;
	if (r->in_controlled_shutdown != 0)
		b->record->in_controlled_shutdown = true;
	if (r->log_dirs.count > 0 &&
	    uuids_copy(&b->arena, &b->record->log_dirs, &r->log_dirs, err) == -1)
		return -1;
	if (r->cordoned_log_dirs.count >= 0 &&
	    uuids_copy(&b->arena, &b->record->cordoned_log_dirs, &r->cordoned_log_dirs, err) == -1)
		return -1;
	return image_touched(im, NULL, err);
}

void
image_broker_fence(struct image *im, int32_t id, bool fenced)
{
	const struct image_broker *b = image_broker(im, id);

	if (b != NULL)
		b->record->fenced = fenced;
}

/* --- others ------------------------------------------------------------------------ */

static void
put_str(struct buf *key, struct wire_str s)
{
	buf_i32(key, s.len);
	if (s.len > 0)
		buf_put(key, s.data, (size_t)s.len);
}

static int
entity_order(const void *a, const void *b)
{
	const struct client_quota_record_entity_data *x = a, *y = b;
	int32_t n = x->entity_type.len < y->entity_type.len ? x->entity_type.len : y->entity_type.len;
	int order = n > 0 ? memcmp(x->entity_type.data, y->entity_type.data, (size_t)n) : 0;

	return order != 0 ? order : x->entity_type.len - y->entity_type.len;
}

/* The same entity may be told in any order. */
static void
quota_key(struct buf *key, const struct client_quota_record *r)
{
	if (r->entity.count > 1)
		qsort(r->entity.items, (size_t)r->entity.count, sizeof(*r->entity.items), entity_order);
	for (int32_t i = 0; i < r->entity.count; i++) {
		put_str(key, r->entity.items[i].entity_type);
		put_str(key, r->entity.items[i].entity_name);
	}
	put_str(key, r->key);
}

/* What a record is about: the type of the one that is kept, and its key. `gone`: it
 * takes that one back. False: no such record. */
static bool
other_key(const struct wire_message *m, struct buf *key, bool *gone)
{
	*gone = false;
	switch (m->type) {
	case REGISTER_CONTROLLER_RECORD:
		buf_i8(key, REGISTER_CONTROLLER_RECORD);
		buf_i32(key, ((const struct register_controller_record *)m->data)->controller_id);
		return true;
	case ACCESS_CONTROL_ENTRY_RECORD:
	case REMOVE_ACCESS_CONTROL_ENTRY_RECORD:
		*gone = m->type == REMOVE_ACCESS_CONTROL_ENTRY_RECORD;
		buf_i8(key, ACCESS_CONTROL_ENTRY_RECORD);
		buf_put(key,
		    *gone ? ((const struct remove_access_control_entry_record *)m->data)->id.bytes
		          : ((const struct access_control_entry_record *)m->data)->id.bytes,
		    sizeof(struct uuid));
		return true;
	case CLIENT_QUOTA_RECORD:
		*gone = ((const struct client_quota_record *)m->data)->remove;
		buf_i8(key, CLIENT_QUOTA_RECORD);
		quota_key(key, m->data);
		return true;
	case USER_SCRAM_CREDENTIAL_RECORD: {
		const struct user_scram_credential_record *r = m->data;

		buf_i8(key, USER_SCRAM_CREDENTIAL_RECORD);
		buf_i8(key, r->mechanism);
		put_str(key, r->name);
		return true;
	}
	case REMOVE_USER_SCRAM_CREDENTIAL_RECORD: {
		const struct remove_user_scram_credential_record *r = m->data;

		*gone = true;
		buf_i8(key, USER_SCRAM_CREDENTIAL_RECORD);
		buf_i8(key, r->mechanism);
		put_str(key, r->name);
		return true;
	}
	case DELEGATION_TOKEN_RECORD:
		buf_i8(key, DELEGATION_TOKEN_RECORD);
		put_str(key, ((const struct delegation_token_record *)m->data)->token_id);
		return true;
	case REMOVE_DELEGATION_TOKEN_RECORD:
		*gone = true;
		buf_i8(key, DELEGATION_TOKEN_RECORD);
		put_str(key, ((const struct remove_delegation_token_record *)m->data)->token_id);
		return true;
	default:
		return false;
	}
}

static void
other_free(struct buf *kept)
{
	if (kept == NULL)
		return;
	buf_release(kept);
	free(kept);
}

static int
other_keep(struct image *im, const struct buf *key, struct slice value, struct err *err)
{
	struct buf *kept = calloc(1, sizeof(*kept));
	void *old = NULL;

	if (kept == NULL)
		return err_nomem(err);
	buf_put(kept, value.data, value.len);
	if (kept->failed || map_put(&im->others, key->data, key->len, kept, &old) == -1) {
		other_free(kept);
		return err_nomem(err);
	}
	other_free(old);
	return image_touched(im, NULL, err);
}

bool
image_other_apply(
    struct image *im, const struct wire_message *m, struct slice value, int *ret, struct err *err)
{
	struct buf key = BUF_INIT;
	bool gone, is_other = other_key(m, &key, &gone);

	*ret = 0;
	if (is_other && key.failed)
		*ret = err_nomem(err);
	else if (is_other && gone)
		other_free(map_del(&im->others, key.data, key.len));
	else if (is_other)
		*ret = other_keep(im, &key, value, err);
	buf_release(&key);
	return is_other;
}

void
image_brokers_release(struct image *im)
{
	for (struct map_entry *e = NULL; (e = map_next(&im->brokers, e)) != NULL;)
		broker_free(e->value);
	for (struct map_entry *e = NULL; (e = map_next(&im->others, e)) != NULL;)
		other_free(e->value);
	map_release(&im->brokers);
	map_release(&im->others);
}
