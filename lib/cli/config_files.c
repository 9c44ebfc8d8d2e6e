#include "cli/config_files.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

#define CONFIG_BYTES_MAX (1 << 20)

static const char *
home_find(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (home != NULL && *home == '/')
		return home;
	/* cppcheck-suppress getpwuidCalled ; a tool sets out with one thread */
	pw = getpwuid(getuid());
	return pw != NULL ? pw->pw_dir : NULL;
}

char *
config_home_path(const char *variable, const char *fallback)
{
	const char *base = getenv(variable), *home;
	char *path = NULL;

	/* The XDG rules: what is not absolute does not count. */
	if (base != NULL && *base == '/')
		return asprintf(&path, "%s/mq", base) == -1 ? NULL : path;
	if ((home = home_find()) == NULL)
		return NULL;
	return asprintf(&path, "%s/%s/mq", home, fallback) == -1 ? NULL : path;
}

static int
stream_read(FILE *f, const char *path, struct buf *text, struct err *err)
{
	uint8_t *to;
	size_t n;

	do {
		if ((to = buf_extend(text, 4096)) == NULL)
			return err_nomem(err);
		n = fread(to, 1, 4096, f);
		text->len -= 4096 - n;
		if (text->len > CONFIG_BYTES_MAX)
			return err_set(err, ERR_CONFIG, "%s: larger than any configuration", path);
	} while (n > 0);
	return ferror(f) != 0 ? err_sys(err, errno, "%s", path) : 0;
}

static int
file_read(struct config *c, const char *path, bool must_exist, struct err *err)
{
	struct buf text = BUF_INIT;
	FILE *f = fopen(path, "re");
	int rc;

	if (f == NULL && !must_exist && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (f == NULL)
		return err_sys(err, errno, "%s", path);
	rc = stream_read(f, path, &text, err);
	fclose(f);
	if (rc == 0)
		rc = config_parse(c, path, (const char *)text.data, text.len, err);
	buf_release(&text);
	return rc;
}

static int
user_file_read(struct config *c, struct err *err)
{
	char *dir = config_home_path("XDG_CONFIG_HOME", ".config"), *path = NULL;
	int rc = 0;

	if (dir != NULL && asprintf(&path, "%s/mq.conf", dir) != -1) {
		rc = file_read(c, path, false, err);
		free(path);
	}
	free(dir);
	return rc;
}

int
config_files_read(struct config *c, const char *option, struct err *err)
{
	const char *env = getenv("MQ_CONFIG");
	const char *only = option != NULL ? option : env != NULL && *env != '\0' ? env : NULL;

	if (only != NULL)
		return strcmp(only, "none") == 0 ? 0 : file_read(c, only, true, err);
	if (file_read(c, "/etc/mq/mq.conf", false, err) == -1)
		return -1;
	return user_file_read(c, err);
}

/* --- where the data is -------------------------------------------------------- */

static int
dir_set(struct where *w, const char *path, const char *reason, struct err *err)
{
	if (strncmp(path, "~/", 2) == 0 && home_find() != NULL) {
		if (asprintf(&w->path, "%s%s", home_find(), path + 1) == -1)
			w->path = NULL;
	} else {
		w->path = strdup(path);
	}
	snprintf(w->reason, sizeof(w->reason), "%s", reason);
	return w->path != NULL ? 0 : err_nomem(err);
}

static int
brokers_set(struct where *w, const char *brokers, const char *reason, struct err *err)
{
	w->brokers = strdup(brokers);
	snprintf(w->reason, sizeof(w->reason), "%s", reason);
	return w->brokers != NULL ? 0 : err_nomem(err);
}

/* By -X, which is nearer than the environment and files. */
static bool
is_given(const struct setting *s)
{
	return s->value != NULL && strcmp(s->source, "-X") == 0;
}

static int
where_from_config(struct where *w, const struct config *c, struct err *err)
{
	const struct setting *dirs = &c->settings[PROP_LOG_DIRS];
	const struct setting *brokers = &c->settings[PROP_BROKERS];
	char reason[200];

	if (dirs->value != NULL && brokers->value != NULL && is_given(dirs) == is_given(brokers))
		return err_set(err, ERR_CONFIG,
		    "both log.dirs (%s) and bootstrap.servers (%s) are set", dirs->source,
		    brokers->source);
	if (dirs->value != NULL && !is_given(brokers)) {
		snprintf(reason, sizeof(reason), "log.dirs in %s", dirs->source);
		return dir_set(w, dirs->value, reason, err);
	}
	snprintf(reason, sizeof(reason), "bootstrap.servers in %s", brokers->source);
	return brokers_set(w, brokers->value, reason, err);
}

/* What the command line says: 1, 0: nothing, -1. */
static int
where_from_options(struct where *w, const struct options *o, struct err *err)
{
	const char *dir = options_value(o, 'd'), *brokers = options_value(o, 'b');

	if (dir != NULL && brokers != NULL)
		return err_set(err, ERR_INVALID, "-b and -d exclude each other");
	if (dir != NULL && *dir == '\0')
		return err_set(err, ERR_INVALID, "-d: an empty name");
	if (brokers != NULL && *brokers == '\0')
		return err_set(err, ERR_INVALID, "-b: an empty list");
	if (dir != NULL)
		return dir_set(w, dir, "-d", err) == 0 ? 1 : -1;
	if (brokers != NULL)
		return brokers_set(w, brokers, "-b", err) == 0 ? 1 : -1;
	return 0;
}

int
where_choose(struct where *w, const struct options *o, const struct config *c, struct err *err)
{
	const char *dir = getenv("MQ_DIR"), *brokers = getenv("MQ_BROKERS");
	bool has_dir = dir != NULL && *dir != '\0',
	     has_brokers = brokers != NULL && *brokers != '\0';
	int got;

	*w = (struct where){.path = NULL};
	got = where_from_options(w, o, err);
	if (got != 0)
		return got == 1 ? 0 : -1;
	if (is_given(&c->settings[PROP_LOG_DIRS]) || is_given(&c->settings[PROP_BROKERS]))
		return where_from_config(w, c, err);
	if (has_dir && has_brokers)
		return err_set(err, ERR_INVALID, "MQ_DIR and MQ_BROKERS are both set");
	if (has_dir)
		return dir_set(w, dir, "MQ_DIR", err);
	if (has_brokers)
		return brokers_set(w, brokers, "MQ_BROKERS", err);
	if (config_is_set(c, PROP_LOG_DIRS) || config_is_set(c, PROP_BROKERS))
		return where_from_config(w, c, err);
	if ((w->path = config_home_path("XDG_DATA_HOME", ".local/share")) == NULL)
		return err_set(
		    err, ERR_CONFIG, "no home directory, so no default store (use -d DIR)");
	snprintf(w->reason, sizeof(w->reason), "default");
	return 0;
}

int
where_choose_store(struct where *w, const struct options *o, const struct config *c, struct err *err)
{
	if (where_choose(w, o, c, err) == -1)
		return -1;
	if (w->brokers == NULL)
		return 0;
	where_release(w);
	return err_set(err, ERR_REFUSED,
	    "brokers are named (%s), but %s reads files (use -d DIR, or name them)", w->reason,
	    o->tool->name);
}

void
where_release(struct where *w)
{
	free(w->path);
	free(w->brokers);
	w->path = w->brokers = NULL;
}
