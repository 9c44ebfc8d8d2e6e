/* Producer ids: blocks of them are this broker's once a record says so. */
#include "mqd/cluster/cluster_impl.h"

int
producer_ids_add(struct cluster *c, struct cluster_records *r, struct err *err)
{
	struct producer_ids_record ids;

	c->ids.wanted = c->image.next_producer_id;
	wire_init(&wire_producer_ids_record, &ids);
	ids.broker_id = c->options.node_id;
	ids.broker_epoch = c->broker_epoch;
	ids.next_producer_id = c->ids.wanted + PRODUCER_IDS;
	return cluster_add(r, &wire_producer_ids_record, 0, &ids, err);
}

/* What was wanted is durable. */
void
producer_ids_take(struct cluster *c)
{
	struct producer_ids *p = &c->ids;

	if (p->next < p->end) {
		p->reserve = p->wanted;
		return;
	}
	p->next = p->wanted;
	p->end = p->wanted + PRODUCER_IDS;
}

static int
ask_prepare(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
    struct err *err)
{
	(void)im;
	return producer_ids_add(ch->ctx, r, err);
}

static void
ask_done(struct cluster_change *ch)
{
	struct cluster *c = ch->ctx;

	c->ids.asked = false;
	if (ch->err.code == 0)
		producer_ids_take(c);
}

int
cluster_producer_id(struct cluster *c, int64_t *id, struct err *err)
{
	struct producer_ids *p = &c->ids;

	if (p->next == p->end && p->reserve != -1) {
		p->next = p->reserve;
		p->end = p->reserve + PRODUCER_IDS;
		p->reserve = -1;
	}
	if (!p->asked && p->reserve == -1 && p->end - p->next <= PRODUCER_IDS - PRODUCER_IDS_ASK) {
		p->asked = true;
		p->ask = (struct cluster_change){.prepare = ask_prepare, .done = ask_done, .ctx = c};
		cluster_change(c, &p->ask);
	}
	if (p->next == p->end)
		return err_set(err, ERR_COORDINATOR_LOAD_IN_PROGRESS,
		    "Producer ID block is being allocated, please retry.");
	*id = p->next++;
	return 0;
}
