#include "lib/bounds.h"

#include "log/reader.h"

int
partition_bounds(struct store *s, const char *topic, int32_t partition, int64_t *start,
    int64_t *end, struct err *err)
{
	struct reader *r = store_reader(s, topic, partition, err);
	int ret;

	*start = *end = 0;
	if (r == NULL)
		return err->code == 0 ? 0 : -1;
	ret = reader_bounds(r, start, end, err);
	reader_free(r);
	return ret;
}
