#include "cli/range.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/nearest.h"
#include "cli/times.h"

static const struct point_word {
	const char *word;
	enum point_kind kind;
} point_words[] = {
    {"beginning", POINT_BEGINNING},
    {"start", POINT_BEGINNING},
    {"earliest", POINT_BEGINNING},
    {"end", POINT_END},
    {"latest", POINT_END},
    {"stored", POINT_STORED},
};

#define WORD_COUNT (sizeof(point_words) / sizeof(point_words[0]))

static int
point_unknown(const char *text, struct err *err)
{
	struct nearest n;
	int64_t ms;

	if (time_parse(text, 0, 0, &ms) == 0)
		return err_set(
		    err, ERR_INVALID, "-o: unknown '%s' (a time is written @%s)", text, text);
	nearest_init(&n, text);
	for (size_t i = 0; i < WORD_COUNT; i++)
		nearest_try(&n, point_words[i].word);
	if (n.best != NULL)
		return err_set(
		    err, ERR_INVALID, "-o: unknown '%s' (did you mean %s?)", text, n.best);
	return err_set(err, ERR_INVALID,
	    "-o: '%s' is no point: beginning, end, stored, N, +N, -N or @TIME", text);
}

static int
point_time(struct point *p, const char *text, int64_t now_ms, int64_t base_ms, struct err *err)
{
	p->kind = POINT_TIME;
	if (time_parse(text, now_ms, base_ms, &p->value) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "-o: '%s' is no time: %s", text, TIME_FORMS);
}

/* `before` is the point in front of "..": after a time, times need no @. */
static int
point_read(
    struct point *p, const char *text, const struct point *before, int64_t now_ms, struct err *err)
{
	bool timed = before != NULL && before->kind == POINT_TIME;

	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (strcmp(point_words[i].word, text) != 0)
			continue;
		*p = (struct point){.kind = point_words[i].kind};
		return 0;
	}
	if (*text == '@' || timed)
		return point_time(
		    p, text + (*text == '@'), now_ms, timed ? before->value : TIME_NONE, err);
	p->kind = *text == '+' ? POINT_AFTER : *text == '-' ? POINT_BEFORE : POINT_OFFSET;
	if (text_int(text + (p->kind != POINT_OFFSET), 0, INT64_MAX, &p->value) == -1)
		return point_unknown(text, err);
	return 0;
}

/* kcat's s@MS and e@MS; returns 1 if it is none. */
static int
kcat_read(struct range *r, const char *text, struct err *err)
{
	struct point *p = *text == 's' ? &r->from : &r->to;
	int64_t ms;

	if ((*text != 's' && *text != 'e') || text[1] != '@')
		return 1;
	if (text_int(text + 2, 0, INT64_MAX, &ms) == -1)
		return err_set(err, ERR_INVALID, "-o: '%s': not milliseconds since 1970", text);
	*p = (struct point){.kind = POINT_TIME, .value = ms};
	return 0;
}

/* Backwards in a way that needs no look at the log. */
static bool
is_backwards(const struct range *r)
{
	if (r->from.kind != r->to.kind)
		return r->from.kind == POINT_END && r->to.kind == POINT_BEGINNING;
	switch (r->from.kind) {
	case POINT_OFFSET:
	case POINT_AFTER:
	case POINT_TIME:
		return r->from.value > r->to.value;
	case POINT_BEFORE:
		return r->from.value < r->to.value;
	default:
		return false;
	}
}

static int
range_read(struct range *r, const char *text, size_t from_len, int64_t now_ms, struct err *err)
{
	const char *to = text + from_len + 2;
	char from[64];

	if (from_len >= sizeof(from))
		return err_set(err, ERR_INVALID, "-o: '%.40s...' is no range", text);
	memcpy(from, text, from_len);
	from[from_len] = '\0';
	if (from_len == 0 && *to == '\0')
		return err_set(err, ERR_INVALID, "-o: '..' has no ends");
	if (from_len == 0)
		r->from.kind = POINT_BEGINNING;
	else if (point_read(&r->from, from, NULL, now_ms, err) == -1)
		return -1;
	if (*to == '\0')
		r->to.kind = POINT_END;
	else if (point_read(&r->to, to, &r->from, now_ms, err) == -1)
		return -1;
	if (r->to.kind == POINT_STORED)
		return err_set(err, ERR_INVALID, "-o: a range cannot end at 'stored'");
	if (is_backwards(r))
		return err_set(err, ERR_INVALID, "-o: '%s' ends before it begins", text);
	return 0;
}

int
range_parse(struct range *r, const char *text, int64_t now_ms, struct err *err)
{
	const char *dots = strstr(text, "..");
	struct range read = RANGE_INIT;
	int rc = kcat_read(r, text, err);

	if (rc != 1)
		return rc;
	if (dots != NULL)
		rc = range_read(&read, text, (size_t)(dots - text), now_ms, err);
	else
		rc = point_read(&read.from, text, NULL, now_ms, err);
	if (rc == 0)
		*r = read;
	return rc;
}

int
point_parse(struct point *p, const char *text, int64_t now_ms, struct err *err)
{
	struct point read = {POINT_NONE, 0};

	if (strstr(text, "..") != NULL)
		return err_set(err, ERR_INVALID, "-o: '%s' is a range; one point is wanted", text);
	if (point_read(&read, text, NULL, now_ms, err) == -1)
		return -1;
	if (read.kind == POINT_STORED)
		return err_set(err, ERR_INVALID, "-o: 'stored' means nothing here");
	*p = read;
	return 0;
}

/* --- partitions ------------------------------------------------------------ */

static int
span_compare(const void *a, const void *b)
{
	const struct partition_span *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorts, and joins spans that touch. */
static void
spans_settle(struct partition_set *set)
{
	size_t kept = 0;

	qsort(set->spans, set->count, sizeof(set->spans[0]), span_compare);
	for (size_t i = 1; i < set->count; i++) {
		struct partition_span *last = &set->spans[kept], *next = &set->spans[i];

		if ((int64_t)next->first > (int64_t)last->last + 1)
			set->spans[++kept] = *next;
		else if (next->last > last->last)
			last->last = next->last;
	}
	if (set->count > 0)
		set->count = kept + 1;
}

static int
span_add(struct partition_set *set, int32_t first, int32_t last, struct err *err)
{
	struct partition_span *spans =
	    reallocarray(set->spans, set->count + 1, sizeof(set->spans[0]));

	if (spans == NULL)
		return err_nomem(err);
	set->spans = spans;
	spans[set->count++] = (struct partition_span){.first = first, .last = last};
	return 0;
}

/* "3" or "2-5", `len` characters. */
static int
span_parse(struct partition_set *set, const char *s, size_t len, struct err *err)
{
	char text[32], *dash;
	int64_t first, last;

	if (len >= sizeof(text))
		return err_set(err, ERR_INVALID, "-p: '%.20s...' is no partition", s);
	memcpy(text, s, len);
	text[len] = '\0';
	dash = len > 0 ? strchr(text + 1, '-') : NULL;
	if (dash != NULL)
		*dash++ = '\0';
	if (text_int(text, 0, INT32_MAX, &first) == -1 ||
	    text_int(dash != NULL ? dash : text, 0, INT32_MAX, &last) == -1)
		return err_set(
		    err, ERR_INVALID, "-p: '%.*s' is no partition (0,2-5; -1: any)", (int)len, s);
	if (first > last)
		return err_set(err, ERR_INVALID, "-p: '%.*s' ends before it begins", (int)len, s);
	return span_add(set, (int32_t)first, (int32_t)last, err);
}

int
partition_set_parse(struct partition_set *set, const char *text, struct err *err)
{
	if (strcmp(text, "-1") == 0) {
		set->any = true;
		return 0;
	}
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");

		if (span_parse(set, at, len, err) == -1)
			return -1;
		at += len;
		if (*at == '\0')
			break;
	}
	spans_settle(set);
	return 0;
}

bool
partition_set_has(const struct partition_set *set, int32_t partition)
{
	if (set->any || set->count == 0)
		return true;
	for (size_t i = 0; i < set->count; i++)
		if (partition >= set->spans[i].first && partition <= set->spans[i].last)
			return true;
	return false;
}

int32_t
partition_set_beyond(const struct partition_set *set, int32_t partition_count)
{
	if (set->any)
		return -1;
	for (size_t i = 0; i < set->count; i++) {
		if (set->spans[i].first >= partition_count)
			return set->spans[i].first;
		if (set->spans[i].last >= partition_count)
			return partition_count;
	}
	return -1;
}

void
partition_set_release(struct partition_set *set)
{
	free(set->spans);
	*set = (struct partition_set)PARTITION_SET_INIT;
}
