/* Whether a batch may be appended, by what is known of its producer. */
#include "log/producers.h"

static int32_t
first_sequence(const struct producer_batch *b)
{
	int64_t first = (int64_t)b->last_sequence - b->offset_delta;

	return (int32_t)(first >= 0 ? first : first + INT32_MAX + 1);
}

/* Was this very batch appended before, lately? */
static const struct producer_batch *
find_same(const struct producer_entry *one, const struct batch *b)
{
	if (one->epoch != b->producer_epoch)
		return NULL;
	for (int i = 0; i < one->batch_count; i++) {
		const struct producer_batch *known = &one->batches[i];

		if (first_sequence(known) == b->base_sequence &&
		    known->last_sequence == batch_last_sequence(b))
			return known;
	}
	return NULL;
}

static int
check_sequence(const struct producer_entry *one, const struct batch *b, struct err *err)
{
	int32_t last = NO_SEQUENCE, want;

	if (one->epoch == b->producer_epoch && one->batch_count > 0)
		last = one->batches[one->batch_count - 1].last_sequence;
	want = last == NO_SEQUENCE ? 0 : sequence_add(last, 1);
	if (b->base_sequence == want)
		return 0;
	return err_set(err, ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
	    "producer %lld, epoch %d: want sequence %d, got %d", (long long)b->producer_id,
	    b->producer_epoch, want, b->base_sequence);
}

int
producers_check(const struct producers *p, const struct batch *b, bool sequences,
    struct producer_batch *same, struct err *err)
{
	const struct producer_entry *one = producers_find(p, b->producer_id);
	const struct producer_batch *found;

	if (one == NULL)
		return 0;
	found = sequences ? find_same(one, b) : NULL;
	if (found != NULL) {
		*same = *found;
		return 1;
	}
	if (b->producer_epoch < one->epoch)
		return err_set(err, ERR_INVALID_PRODUCER_EPOCH,
		    "producer %lld: epoch %d, but %d was seen", (long long)b->producer_id,
		    b->producer_epoch, one->epoch);
	if (sequences && check_sequence(one, b, err) == -1)
		return -1;
	if (!batch_is_control(b) && !batch_is_transactional(b) && one->txn_first_offset != -1)
		return err_set(err, ERR_INVALID_TXN_STATE,
		    "producer %lld: a batch outside of its open transaction",
		    (long long)b->producer_id);
	return 0;
}
