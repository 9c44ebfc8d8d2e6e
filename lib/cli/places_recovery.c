/* Where a torn tail ends and damage begins. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/places.h"
#include "log/checkpoint.h"
#include "log/segment.h"

#define UNKNOWN (-1)

static int64_t
point_of(struct os *os, const char *store, const char *topic, const char *number)
{
	struct buf path = BUF_INIT;
	struct checkpoint c;
	struct err err;
	int64_t partition, point = UNKNOWN;

	if (text_int(number, 0, INT32_MAX, &partition) == -1)
		return UNKNOWN;
	checkpoint_init(&c);
	buf_printf(&path, "%s/recovery-point-offset-checkpoint", store);
	if (checkpoint_read(&c, os, buf_cstr(&path), &err) == 0)
		point = checkpoint_get(&c, topic, (int32_t)partition);
	checkpoint_release(&c);
	buf_release(&path);
	return point;
}

static bool
stopped_cleanly(struct os *os, const char *store)
{
	struct buf path = BUF_INIT;
	struct os_stat st;
	bool there;

	buf_printf(&path, "%s/.kafka_cleanshutdown", store);
	there = os_stat_path(os, buf_cstr(&path), &st) == 0;
	buf_release(&path);
	return there;
}

int64_t
partition_recovery_point(struct os *os, const char *dir)
{
	char *store = realpath(dir, NULL), *name = store != NULL ? strrchr(store, '/') : NULL;
	char *dash = name != NULL ? strrchr(name, '-') : NULL;
	int64_t point = UNKNOWN;

	if (dash != NULL) {
		*name++ = *dash++ = '\0';
		point = stopped_cleanly(os, store) ? INT64_MAX : point_of(os, store, name, dash);
	}
	free(store);
	return point;
}
