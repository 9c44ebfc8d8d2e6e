#include "cli/ends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 256

struct known_end {
	int64_t start, end;         /* end -1: not known yet */
	int64_t offset, timestamp;  /* the last answer of ends_time; offset -1: none */
	struct fetch_part part;     /* its topic is a part of this */
	bool open;
	char topic[];
};

void
ends_init(struct ends *e)
{
	*e = (struct ends){.open_count = 0};
	map_init(&e->known);
}

void
ends_release(struct ends *e, struct target *t)
{
	for (struct map_entry *m = NULL; (m = map_next(&e->known, m)) != NULL;) {
		struct known_end *k = m->value;

		if (k->open)
			target_forget(t, &k->part);
		free(k);
	}
	map_release(&e->known);
}

static struct known_end *
known(struct ends *e, const struct position *at, struct err *err)
{
	char key[512];
	size_t len = strlen(at->topic);
	int key_len = snprintf(key, sizeof(key), "%s-%d", at->topic, at->partition);
	struct known_end *k = map_get(&e->known, key, (size_t)key_len);

	if (k != NULL)
		return k;
	k = calloc(1, sizeof(*k) + len + 1);
	if (k == NULL || key_len >= (int)sizeof(key) ||
	    map_put(&e->known, key, (size_t)key_len, k, NULL) == -1) {
		free(k);
		err_nomem(err);
		return NULL;
	}
	memcpy(k->topic, at->topic, len + 1);
	k->end = k->offset = -1;
	k->part = (struct fetch_part){.topic = k->topic, .partition = at->partition};
	return k;
}

/* Asks for those that are not known. */
static int
ask(struct ends *e, struct target *t, const struct positions *p, struct err *err)
{
	static const struct point end = {.kind = POINT_END};
	struct positions some = {.count = 0};
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < p->count; i++) {
		const struct position *at = &p->list[i];
		struct known_end *k = at->about != NULL ? known(e, at, err) : NULL;
		struct position *new;

		if (k == NULL) {
			ret = at->about != NULL ? -1 : 0;
			continue;
		}
		if (k->end >= 0 && k->end >= at->seen)
			continue;
		new = positions_add(&some, k->topic, at->partition, err);
		if (new == NULL) {
			ret = -1;
			continue;
		}
		new->about = at->about;
		new->ctx = k;
	}
	if (ret == 0 && some.count > 0)
		ret = positions_resolve(&some, t, end, err);
	for (size_t i = 0; ret == 0 && i < some.count; i++) {
		struct known_end *k = (struct known_end *)(uintptr_t)some.list[i].ctx;

		k->start = some.list[i].start;
		k->end = some.list[i].end;
	}
	positions_release(&some);
	return ret;
}

int
ends_resolve(struct ends *e, struct target *t, struct positions *p, struct err *err)
{
	if (ask(e, t, p, err) == -1)
		return -1;
	for (size_t i = 0; i < p->count; i++) {
		struct position *at = &p->list[i];
		struct known_end *k = at->about != NULL ? known(e, at, err) : NULL;

		if (at->about == NULL)
			continue;
		if (k == NULL)
			return -1;
		at->start = k->start;
		at->end = at->at = k->end;
	}
	return 0;
}

int
ends_time(struct ends *e, struct target *t, const struct position *at, int64_t offset,
    int64_t *timestamp, struct err *err)
{
	struct known_end *k = known(e, at, err);
	int ret;

	if (k == NULL)
		return -1;
	if (k->offset == offset) {
		*timestamp = k->timestamp;
		return 0;
	}
	ret = part_time(t, &k->part, offset, timestamp, err);
	if (!k->open && e->open_count < OPEN_MAX) {
		k->open = true;
		e->open_count++;
	} else if (!k->open) {
		target_forget(t, &k->part);
	}
	k->offset = ret == 0 ? offset : -1;
	k->timestamp = *timestamp;
	return ret;
}
