/* listeners, advertised.listeners, and the names that they go by. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "mqd/config.h"

#define NAME_MAX_LEN 100
#define HOST_MAX_LEN 255

/* "NAME://HOST:PORT", "HOST:PORT" or "unix:PATH". */
struct listener {
	char name[NAME_MAX_LEN]; /* "PLAINTEXT" if none was given */
	char host[HOST_MAX_LEN]; /* "" : none was given; without brackets */
	int32_t port;
	const char *path; /* of a Unix socket; in the text */
};

static const char *
list_value(const struct broker_config *c, const char *name)
{
	const char *value = broker_config_value(c, NULL, name, NULL);

	return value != NULL ? value : "";
}

/* The next word of a list with commas; false at the end. */
static bool
list_next(const char **at, char *word, size_t size)
{
	size_t len;

	*at += strspn(*at, ", \t");
	len = strcspn(*at, ",");
	if (len == 0)
		return false;
	snprintf(word, size, "%.*s", (int)len, *at);
	*at += len;
	for (len = strlen(word); len > 0 && strchr(" \t", word[len - 1]) != NULL; len--)
		word[len - 1] = '\0';
	return true;
}

static bool
in_list(const char *list, const char *name)
{
	char word[NAME_MAX_LEN];

	while (list_next(&list, word, sizeof(word)))
		if (strcasecmp(word, name) == 0)
			return true;
	return false;
}

/* "HOST:PORT", "[HOST]:PORT", ":PORT". */
static int
host_parse(struct listener *l, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	int64_t port;

	if (colon == NULL || text_int(colon + 1, 0, 65535, &port) == -1)
		return -1;
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL || memchr(text, '/', len) != NULL) {
		return -1;
	}
	if (len >= sizeof(l->host))
		return -1;
	memcpy(l->host, text, len);
	l->host[len] = '\0';
	l->port = (int32_t)port;
	return 0;
}

static int
listener_parse(struct listener *l, const char *text, const char *key, struct err *err)
{
	const char *slashes = strstr(text, "://");

	memset(l, 0, sizeof(*l));
	snprintf(l->name, sizeof(l->name), "%s", "PLAINTEXT");
	if (strncmp(text, "unix:", 5) == 0 && text[5] != '\0') {
		l->path = text + 5;
		return 0;
	}
	if (slashes != NULL && slashes - text < NAME_MAX_LEN) {
		snprintf(l->name, sizeof(l->name), "%.*s", (int)(slashes - text), text);
		text = slashes + 3;
	}
	if (*l->name == '\0' || host_parse(l, text) == -1)
		return err_set(err, ERR_CONFIG,
		    "%s: '%s' is not NAME://HOST:PORT, HOST:PORT or unix:PATH", key, text);
	return 0;
}

static bool
host_is_local(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       strncmp(host, "127.", 4) == 0;
}

/* Every address: nobody can connect to that. */
static bool
host_is_any(const char *host)
{
	return *host == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

int
broker_address_check(const struct broker_config *c, const char *key, const char *address,
    struct err *err)
{
	struct listener l;

	if (strncmp(address, "unix:", 5) == 0 && address[5] != '\0')
		return 0;
	if (host_parse(&l, address) == -1)
		return err_set(err, ERR_CONFIG, "%s=%s: want HOST:PORT or unix:PATH", key, address);
	if (!host_is_local(l.host) && !c->allow_network)
		return err_set(err, ERR_CONFIG,
		    "%s=%s is beyond this machine; allow.anonymous.network=true allows it", key,
		    address);
	return 0;
}

/* The protocol that a listener's name stands for. */
static int
protocol_check(const struct broker_config *c, const struct listener *l, struct err *err)
{
	const char *map = list_value(c, "listener.security.protocol.map");
	size_t len = strlen(l->name);
	char word[NAME_MAX_LEN * 2];

	while (list_next(&map, word, sizeof(word))) {
		if (strncasecmp(word, l->name, len) != 0 || word[len] != ':')
			continue;
		if (strcasecmp(word + len + 1, "PLAINTEXT") == 0)
			return 0;
		return err_set(err, ERR_CONFIG,
		    "listeners: %s is %s, but PLAINTEXT is all that this mqd speaks", l->name,
		    word + len + 1);
	}
	return err_set(err, ERR_CONFIG,
	    "listeners: %s has no protocol in listener.security.protocol.map", l->name);
}

/* The one of that address, made if there is none yet. */
static struct broker_listener *
address_add(struct broker_config *c, const char *address, struct err *err)
{
	struct broker_listener *l = &c->listeners[c->listener_count];

	for (size_t i = 0; i < c->listener_count; i++) {
		assert(c->listeners[i].address != NULL);
		if (strcmp(c->listeners[i].address, address) == 0)
			return &c->listeners[i];
	}
	if (c->listener_count == BROKER_LISTENERS_MAX) {
		err_set(err, ERR_CONFIG, "listeners: more than %d", BROKER_LISTENERS_MAX);
		return NULL;
	}
	if ((l->address = strdup(address)) == NULL) {
		err_nomem(err);
		return NULL;
	}
	c->listener_count++;
	return l;
}

/* No host means every address where that is allowed, else this machine's own. */
static int
network_check(struct broker_config *c, struct listener *l, struct err *err)
{
	if (*l->host == '\0' && !c->allow_network) {
		if (broker_config_warn(c, err,
		        "listeners: %s://:%d names no host, so this machine alone can connect "
		        "(allow.anonymous.network=true: everybody can)", l->name, l->port) == -1)
			return -1;
		snprintf(l->host, sizeof(l->host), "127.0.0.1");
	}
	if (!host_is_local(l->host) && !c->allow_network)
		return err_set(err, ERR_CONFIG,
		    "listeners: %s:%d is beyond this machine, and nobody would have to say who they "
		    "are; allow.anonymous.network=true allows it", l->host, l->port);
	return 0;
}

/* "unix:PATH", and the one in the data directory: the tools look there. */
static int
socket_add(struct broker_config *c, const char *path, const char *name, struct err *err)
{
	char address[OS_ADDRESS_MAX];

	if (snprintf(address, sizeof(address), "unix:%s%s%s", path, *name != '\0' ? "/" : "", name) >=
	    (int)sizeof(address))
		return err_set(err, ERR_CONFIG, "%s: too long a path for a socket", path);
	return address_add(c, address, err) == NULL ? -1 : 0;
}

/* --- what clients are told ---------------------------------------------------------- */

/* The entry of advertised.listeners for a name. 0; 1: there is none. */
static int
advertised_find(const struct broker_config *c, const char *name, struct listener *out,
    struct err *err)
{
	const char *list = list_value(c, "advertised.listeners");
	char word[HOST_MAX_LEN + NAME_MAX_LEN + 16];

	while (list_next(&list, word, sizeof(word))) {
		if (listener_parse(out, word, "advertised.listeners", err) == -1)
			return -1;
		out->path = NULL; /* it would point into `word`, and has no host anyway */
		if (*out->host == '\0')
			return err_set(err, ERR_CONFIG, "advertised.listeners: '%s' names no host", word);
		if (host_is_any(out->host))
			return err_set(err, ERR_CONFIG,
			    "advertised.listeners: nobody can connect to %s", out->host);
		if (strcasecmp(out->name, name) == 0)
			return 0;
	}
	return 1;
}

static int
advertised_check(const struct broker_config *c, const char *names, struct err *err)
{
	const char *list = list_value(c, "advertised.listeners");
	char word[HOST_MAX_LEN + NAME_MAX_LEN + 16];
	struct listener l;

	while (list_next(&list, word, sizeof(word))) {
		if (listener_parse(&l, word, "advertised.listeners", err) == -1)
			return -1;
		if (!in_list(names, l.name) && !in_list(list_value(c, "controller.listener.names"), l.name))
			return err_set(err, ERR_CONFIG,
			    "advertised.listeners: %s is not among listeners", l.name);
	}
	return 0;
}

/* What those who come by a listener are told: the entry of its name, else its own
 * address. */
static int
advertised_set(struct broker_config *c, const struct listener *l, struct broker_listener *out,
    struct err *err)
{
	struct listener told;
	int r = advertised_find(c, l->name, &told, err);

	if (r == -1)
		return -1;
	if (r == 1 && host_is_any(l->host))
		return err_set(err, ERR_CONFIG,
		    "listeners: clients cannot be told to connect to %s:%d (set advertised.listeners)",
		    l->host, l->port);
	if (r == 1)
		return 0;
	if (!host_is_local(told.host) && host_is_local(l->host) &&
	    broker_config_warn(c, err,
	        "advertised.listeners: clients are told %s, but it is listened on %s alone",
	        told.host, l->host) == -1)
		return -1;
	free(out->host);
	out->port = told.port;
	return (out->host = strdup(told.host)) == NULL ? err_nomem(err) : 0;
}

/* --- all of it ------------------------------------------------------------------------- */

/* The names of those that are opened, a comma behind each. */
struct names {
	char list[NAME_MAX_LEN * BROKER_LISTENERS_MAX];
};

static int
network_add(struct broker_config *c, struct listener *l, struct names *names, struct err *err)
{
	struct broker_listener *added;
	char address[OS_ADDRESS_MAX];
	size_t len = strlen(names->list);

	if (protocol_check(c, l, err) == -1 || network_check(c, l, err) == -1)
		return -1;
	snprintf(address, sizeof(address), strchr(l->host, ':') != NULL ? "[%s]:%d" : "%s:%d",
	    l->host, l->port);
	added = address_add(c, address, err);
	if (added == NULL || advertised_set(c, l, added, err) == -1)
		return -1;
	if (len == 0 || strcasecmp(l->name, list_value(c, "inter.broker.listener.name")) == 0)
		c->registered = (size_t)(added - c->listeners);
	snprintf(names->list + len, sizeof(names->list) - len, "%s,", l->name);
	return 0;
}

static int
listener_add(struct broker_config *c, const char *word, struct names *names, struct err *err)
{
	struct listener l;

	if (listener_parse(&l, word, "listeners", err) == -1)
		return -1;
	if (l.path != NULL)
		return socket_add(c, l.path, "", err);
	if (in_list(list_value(c, "controller.listener.names"), l.name))
		return broker_config_warn(c, err,
		    "listeners: %s is for controllers; a single node needs none, and it is not opened",
		    l.name);
	return network_add(c, &l, names, err);
}

static int
registered_check(const struct broker_config *c, const char *names, struct err *err)
{
	const char *chosen = list_value(c, "inter.broker.listener.name");

	if (*chosen == '\0' || in_list(names, chosen))
		return 0;
	return err_set(err, ERR_CONFIG, "inter.broker.listener.name=%s is not among listeners", chosen);
}

int
broker_config_listeners(struct broker_config *c, struct err *err)
{
	const char *list = list_value(c, "listeners");
	struct names names = {""};
	char word[OS_ADDRESS_MAX];

	/* One more than may be, so that there is always a next one. */
	c->listeners = calloc(BROKER_LISTENERS_MAX + 1, sizeof(*c->listeners));
	if (c->listeners == NULL)
		return err_nomem(err);
	while (list_next(&list, word, sizeof(word)))
		if (listener_add(c, word, &names, err) == -1)
			return -1;
	if (socket_add(c, c->dir, "mqd.sock", err) == -1 ||
	    advertised_check(c, names.list, err) == -1)
		return -1;
	return registered_check(c, names.list, err);
}
