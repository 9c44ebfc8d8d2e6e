#include "cli/places.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/nearest.h"
#include "cli/report.h"
#include "log/segment.h"

#define TOPIC_MAX 256 /* with NUL */

/* --- lists -------------------------------------------------------------------- */

int
strings_add(struct strings *s, const char *text, struct err *err)
{
	char *copy = strdup(text);

	if (copy != NULL && s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 32;
		char **items = reallocarray(s->items, cap, sizeof(*items));
		if (items == NULL) {
			free(copy);
			copy = NULL;
		} else {
			s->items = items;
			s->cap = cap;
		}
	}
	if (copy == NULL)
		return err_nomem(err);
	s->items[s->count++] = copy;
	return 0;
}

void
strings_release(struct strings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->items[i]);
	free(s->items);
	*s = (struct strings){0};
}

static int
strings_by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* DIR/NAME, in `path`, which the caller releases. */
static const char *
join(struct buf *path, const char *dir, const char *name)
{
	buf_clear(path);
	buf_str(path, dir);
	buf_str(path, "/");
	buf_str(path, name);
	return buf_cstr(path);
}

struct listing {
	struct strings *names;
	struct err *err;
};

static int
take_name(void *ctx, const char *name)
{
	struct listing *l = ctx;

	return strings_add(l->names, name, l->err) == -1 ? 1 : 0;
}

/* All names of a directory, sorted. */
static int
names_read(struct os *os, const char *dir, struct strings *names, struct err *err)
{
	struct listing l = {names, err};
	int rc = os_list(os, dir, take_name, &l);

	if (rc == -1)
		return err_sys(err, errno, "%s", dir);
	if (rc == 1)
		return -1;
	if (names->count > 0)
		qsort(names->items, names->count, sizeof(*names->items), strings_by_name);
	return 0;
}

/* --- partition directories -------------------------------------------------------- */

/* "orders-3"; not what is being deleted, moved or stray. */
static bool
partition_name(const char *name, char topic[TOPIC_MAX], int32_t *partition)
{
	const char *dash = strrchr(name, '-');
	int64_t number;

	if (dash == NULL || dash == name || (size_t)(dash - name) >= TOPIC_MAX ||
	    text_int(dash + 1, 0, INT32_MAX, &number) == -1)
		return false;
	memcpy(topic, name, (size_t)(dash - name));
	topic[dash - name] = '\0';
	*partition = (int32_t)number;
	return true;
}

static bool
is_dir(struct os *os, const char *path)
{
	struct os_stat st;

	return os_stat_path(os, path, &st) == 0 && st.is_dir;
}

static int
place_add(struct places *p, enum place_kind kind, bool by_topic, const char *path, struct err *err)
{
	struct place *items;
	char *copy = strdup(path);

	if (copy != NULL && p->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		items = reallocarray(p->items, cap, sizeof(*items));
		if (items == NULL) {
			free(copy);
			return err_nomem(err);
		}
		p->items = items;
		p->cap = cap;
	}
	if (copy == NULL)
		return err_nomem(err);
	p->items[p->count++] = (struct place){kind, by_topic, false, copy};
	return 0;
}

struct found {
	char topic[TOPIC_MAX];
	int32_t partition;
	const char *name;
};

static int
found_order(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int by_topic = strcmp(x->topic, y->topic);

	return by_topic != 0 ? by_topic : (x->partition > y->partition) - (x->partition < y->partition);
}

/* The partition directories of a store, by topic and number; malloc'd. */
static struct found *
partitions_of(struct os *os, const char *store, const struct strings *names, size_t *count,
    struct err *err)
{
	struct found *all = calloc(names->count + 1, sizeof(*all));
	struct buf path = BUF_INIT;

	*count = 0;
	if (all == NULL) {
		err_nomem(err);
		return NULL;
	}
	for (size_t i = 0; i < names->count; i++) {
		struct found *f = &all[*count];
		if (!partition_name(names->items[i], f->topic, &f->partition))
			continue;
		f->name = names->items[i];
		*count += is_dir(os, join(&path, store, f->name)) ? 1 : 0;
	}
	buf_release(&path);
	if (*count > 0)
		qsort(all, *count, sizeof(*all), found_order);
	return all;
}

/* --- paths ------------------------------------------------------------------------ */

static bool
store_file(const char *name)
{
	static const char *const files[] = {"meta.properties", "bootstrap.checkpoint",
	    "recovery-point-offset-checkpoint", "log-start-offset-checkpoint",
	    "replication-offset-checkpoint", "cleaner-offset-checkpoint", ".kafka_cleanshutdown"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strcmp(name, files[i]) == 0)
			return true;
	return false;
}

static bool
partition_file(const char *name)
{
	struct segment_name n;
	size_t len = strlen(name);

	return segment_name_parse(name, &n) == 0 || strcmp(name, "leader-epoch-checkpoint") == 0 ||
	    strcmp(name, "partition.metadata") == 0 || strcmp(name, "quorum-state") == 0 ||
	    (len > 32 && name[20] == '-' && strcmp(name + len - 11, ".checkpoint") == 0);
}

static int
take_partition_file(void *ctx, const char *name)
{
	(void)ctx;
	return partition_file(name);
}

/* A directory with a name like a partition's need not be one (/etc/dbus-1). A
 * store is told by its own files, a copied part of one by a partition with files. */
static bool
is_store(struct os *os, const char *dir, const struct strings *names, const struct found *all,
    size_t count)
{
	struct buf path = BUF_INIT;
	bool is = false;

	for (size_t i = 0; i < names->count && !is; i++)
		is = store_file(names->items[i]);
	for (size_t i = 0; i < count && !is; i++)
		is = os_list(os, join(&path, dir, all[i].name), take_partition_file, NULL) == 1;
	buf_release(&path);
	return is;
}

static int
add_store(struct places *p, const char *dir, const struct strings *names, struct err *err)
{
	size_t count, before = p->count;
	struct found *all = partitions_of(p->os, dir, names, &count, err);
	bool whole = p->wanted.any || p->wanted.count == 0;
	struct buf path = BUF_INIT;
	int rc = all == NULL ? -1 : 0;

	if (rc == 0 && !is_store(p->os, dir, names, all, count))
		rc = err_set(err, ERR_NOT_FOUND, "%s: neither a partition nor a store: "
		    "no file of a log is in it", dir);
	for (size_t i = 0; i < names->count && rc == 0 && whole; i++)
		if (store_file(names->items[i]) &&
		    (rc = place_add(p, PLACE_FILE, false, join(&path, dir, names->items[i]), err)) == 0)
			p->items[p->count - 1].by_store = true;
	for (size_t i = 0; i < count && rc == 0; i++)
		if (partition_set_has(&p->wanted, all[i].partition))
			rc = place_add(p, PLACE_PARTITION, false, join(&path, dir, all[i].name), err);
	free(all);
	buf_release(&path);
	if (rc == 0 && p->count == before)
		return err_set(err, ERR_NOT_FOUND, "%s: -p: no such partition", dir);
	return rc;
}

static int
add_dir(struct places *p, const char *dir, struct err *err)
{
	struct strings names = {0};
	bool partition = false;
	int rc = names_read(p->os, dir, &names, err);

	for (size_t i = 0; i < names.count; i++)
		partition = partition || partition_file(names.items[i]);
	if (rc == 0)
		rc = partition ? place_add(p, PLACE_PARTITION, false, dir, err)
			       : add_store(p, dir, &names, err);
	strings_release(&names);
	return rc;
}

static int
add_path(struct places *p, const char *path, bool dir, struct err *err)
{
	size_t len = strlen(path);
	char *bare;
	int rc;

	if (!dir)
		return place_add(p, PLACE_FILE, false, path, err);
	while (len > 1 && path[len - 1] == '/')
		len--;
	bare = strndup(path, len);
	rc = bare != NULL ? add_dir(p, bare, err) : err_nomem(err);
	free(bare);
	return rc;
}

/* --- topics ------------------------------------------------------------------------ */

static int
no_such(const struct places *p, const char *topic, const char *parts, const struct found *all,
    size_t count, struct err *err)
{
	struct nearest near;
	int32_t last = -1;
	int64_t number;

	nearest_init(&near, topic);
	for (size_t i = 0; i < count; i++) {
		nearest_try(&near, all[i].topic);
		if (text_glob(topic, all[i].topic) && all[i].partition > last)
			last = all[i].partition;
	}
	if (last >= 0 && parts != NULL && text_int(parts, 0, last, &number) == 0)
		return err_set(err, ERR_NOT_FOUND, "%s:%s: no file of it in %s yet", topic, parts,
		    p->store.path);
	if (last >= 0 && parts == NULL)
		return err_set(err, ERR_NOT_FOUND, "%s: -p: no such partition in %s (the highest is %d)",
		    topic, p->store.path, (int)last);
	if (last >= 0)
		return err_set(err, ERR_NOT_FOUND, "%s:%s: no such partition in %s (the highest is %d)",
		    topic, parts, p->store.path, (int)last);
	if (near.best != NULL)
		return err_set(err, ERR_NOT_FOUND, "%s: no such file, and no such topic in %s "
		    "(did you mean %s?)", topic, p->store.path, near.best);
	return err_set(err, ERR_NOT_FOUND, "%s: no such file, and no such topic in %s", topic,
	    p->store.path);
}

/* A name, a glob or ^REGEX, as everywhere; patterns pass over Kafka's own topics
 * unless they begin with '_'. */
struct topic_word {
	const char *text;
	regex_t regex; /* if `text` begins with '^' */
};

static int
topic_word_init(struct topic_word *w, const char *text, struct err *err)
{
	char why[128];
	int rc;

	w->text = text;
	if (text[0] != '^' || (rc = regcomp(&w->regex, text, REG_EXTENDED | REG_NOSUB)) == 0)
		return 0;
	regerror(rc, &w->regex, why, sizeof(why));
	return err_set(err, ERR_INVALID, "'%s' is no regular expression: %s", text, why);
}

static void
topic_word_release(struct topic_word *w)
{
	if (w->text[0] == '^')
		regfree(&w->regex);
}

static bool
topic_word_has(const struct topic_word *w, const char *topic)
{
	bool own = strncmp(topic, "__", 2) == 0;

	if (strcmp(w->text, topic) == 0)
		return true;
	if (w->text[0] == '^')
		return (!own || w->text[1] == '_') && regexec(&w->regex, topic, 0, NULL, 0) == 0;
	return (!own || w->text[0] == '_') && text_glob(w->text, topic);
}

static int
add_matching(struct places *p, const struct topic_word *word, const char *parts,
    const struct partition_set *wanted, const struct strings *names, struct err *err)
{
	size_t count, before = p->count;
	struct found *all = partitions_of(p->os, p->store.path, names, &count, err);
	struct buf path = BUF_INIT;
	int rc = all == NULL ? -1 : 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		if (topic_word_has(word, all[i].topic) && partition_set_has(wanted, all[i].partition))
			rc = place_add(p, PLACE_PARTITION, true,
			    join(&path, p->store.path, all[i].name), err);
	buf_release(&path);
	if (rc == 0 && p->count == before)
		rc = no_such(p, word->text, parts, all, count, err);
	free(all);
	return rc;
}

static int
choose_store(struct places *p, struct err *err)
{
	if (p->store.path != NULL)
		return 0;
	if (where_choose_store(&p->store, p->options, &p->config, err) == -1)
		return -1;
	report_info("store %s (%s)", p->store.path, p->store.reason);
	return 0;
}

/* The partitions of one word that are in `wanted`; `parts` is how
 * the word said that, or NULL: -p did. */
static int
add_word(struct places *p, const char *word, const char *parts, const struct partition_set *wanted,
    struct err *err)
{
	struct strings names = {0};
	struct topic_word w;
	int rc;

	if (choose_store(p, err) == -1)
		return -1;
	if (!is_dir(p->os, p->store.path))
		return err_set(err, ERR_NOT_FOUND, "%s: no such file, and no store in %s (-d)", word,
		    p->store.path);
	if (topic_word_init(&w, word, err) == -1)
		return -1;
	rc = names_read(p->os, p->store.path, &names, err);
	if (rc == 0)
		rc = add_matching(p, &w, parts, wanted, &names, err);
	topic_word_release(&w);
	strings_release(&names);
	return rc;
}

/* TOPIC[:PARTS]; an expression may hold colons, so it takes only -p. */
static int
add_topic(struct places *p, const char *topic, struct err *err)
{
	const char *colon = topic[0] != '^' ? strchr(topic, ':') : NULL;
	struct partition_set own = PARTITION_SET_INIT;
	char *word;
	int rc;

	if (colon == NULL)
		return add_word(p, topic, NULL, &p->wanted, err);
	word = strndup(topic, (size_t)(colon - topic));
	if (word == NULL)
		return err_nomem(err);
	rc = partition_set_parse(&own, colon + 1, err);
	if (rc == -1)
		err_set(err, ERR_INVALID, "%s: '%s' names no partitions, as 0,2-5 does", topic,
		    colon + 1);
	else
		rc = add_word(p, word, colon + 1, &own, err);
	partition_set_release(&own);
	free(word);
	return rc;
}

static int
add_operand(struct places *p, const char *operand, struct err *err)
{
	struct os_stat st;

	if (os_stat_path(p->os, operand, &st) == 0)
		return add_path(p, operand, st.is_dir, err);
	if (errno != ENOENT && errno != ENOTDIR)
		return err_sys(err, errno, "%s", operand);
	if (strchr(operand, '/') != NULL)
		return err_sys(err, ENOENT, "%s", operand);
	return add_topic(p, operand, err);
}

/* --- all of them -------------------------------------------------------------------- */

int
places_init(struct places *p, struct os *os, const struct options *o, bool take_properties)
{
	const char *value;
	struct err err;
	int got;

	*p = (struct places){.os = os, .options = o};
	config_init(&p->config);
	for (size_t at = 0; (value = options_each(o, 'p', &at)) != NULL;)
		if (partition_set_parse(&p->wanted, value, &err) == -1)
			return report_usage(&err);
	got = config_load(&p->config, o, take_properties, &err);
	if (got == 1)
		return EXIT_OK;
	if (got == -1)
		return err.code == ERR_INVALID ? report_usage(&err) : report_fail(&err);
	if (o->operand_count == 0 && !options_has(o, 't')) {
		err_set(&err, ERR_INVALID, "no file, directory or topic is given (-h: help)");
		return report_usage(&err);
	}
	return -1;
}

void
places_release(struct places *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->items[i].path);
	free(p->items);
	p->items = NULL;
	p->count = p->cap = 0;
	partition_set_release(&p->wanted);
	where_release(&p->store);
	config_release(&p->config);
}

/* A word that makes no sense is a mistake on the command line. */
static int
failed(const struct err *err)
{
	return err->code == ERR_INVALID ? report_usage(err) : report_fail(err);
}

int
places_find(struct places *p)
{
	const struct options *o = p->options;
	const char *value;
	int status = EXIT_OK;
	struct err err;

	for (size_t i = 0; i < o->operand_count; i++)
		if (add_operand(p, o->operands[i], &err) == -1)
			status = failed(&err);
	for (size_t at = 0; (value = options_each(o, 't', &at)) != NULL;)
		if (add_topic(p, value, &err) == -1)
			status = failed(&err);
	return status;
}

/* --- files of a partition -------------------------------------------------------------- */

/* A .swap stands in only where the plain file is not there. */
static bool
counts(const struct segment_names *names, size_t i)
{
	const struct segment_name *n = &names->names[i];

	if (n->state == SEGMENT_PLAIN)
		return true;
	if (n->state != SEGMENT_SWAP)
		return false;
	for (size_t j = 0; j < names->count; j++)
		if (names->names[j].base == n->base && names->names[j].kind == n->kind &&
		    names->names[j].state == SEGMENT_PLAIN)
			return false;
	return true;
}

static int
other_files(struct os *os, const char *dir, struct strings *files, struct err *err)
{
	struct strings names = {0};
	struct segment_name n;
	struct buf path = BUF_INIT;
	int rc = names_read(os, dir, &names, err);

	for (size_t i = 0; i < names.count && rc == 0; i++) {
		if (!partition_file(names.items[i]) || segment_name_parse(names.items[i], &n) == 0)
			continue;
		rc = strings_add(files, join(&path, dir, names.items[i]), err);
	}
	buf_release(&path);
	strings_release(&names);
	return rc;
}

int
place_files(struct os *os, const struct place *place, bool segments, struct strings *files,
    struct err *err)
{
	struct segment_names names = {0};
	char path[LOG_PATH_MAX];
	int rc;

	if (place->kind == PLACE_FILE)
		return strings_add(files, place->path, err);
	rc = segment_names_read(&names, os, place->path, err);
	for (size_t i = 0; i < names.count && rc == 0; i++) {
		if (!counts(&names, i) || (segments && names.names[i].kind != SEGMENT_LOG))
			continue;
		segment_name_path(path, place->path, &names.names[i]);
		rc = strings_add(files, path, err);
	}
	segment_names_release(&names);
	if (rc == 0 && !segments)
		rc = other_files(os, place->path, files, err);
	return rc;
}
