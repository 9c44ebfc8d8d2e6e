/* cluster_nodes: the brokers of a cluster, and the connections to them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/cluster_impl.h"

#define DEFAULT_PORT 9092

/* The pause before connecting anew, at most: it doubles up to the second. */
#define CONNECT_BACKOFF_MS 50
#define CONNECT_BACKOFF_MAX_MS 1000

/* How long one address is waited for before the next one is tried too. */
#define NEXT_ADDRESS_NS 500000000LL

/* Without a time-out of the user's: how long the first contact is tried for where
 * nobody answers, and where the answer is a clear no. */
#define PATIENCE_MS 10000
#define PATIENCE_REFUSED_MS 1200

/* A broker that was there is said to be away after so many vain tries. */
#define TELL_FAILURES 3

/* A broker list longer than this is a mistake. */
#define LIST_MAX 64
#define NODES_MAX 10000

/* --- the list ---------------------------------------------------------------- */

static struct node *
node_add(struct cluster *c, int32_t id, const char *address, struct err *err)
{
	struct node *n = calloc(1, sizeof(*n)), **at = &c->nodes;
	size_t count = 0;

	for (; *at != NULL; at = &(*at)->next)
		count++;
	if (n == NULL || count >= NODES_MAX) {
		free(n);
		err_nomem(err);
		return NULL;
	}
	n->cluster = c;
	n->id = id;
	snprintf(n->address, sizeof(n->address), "%s", address);
	for (int k = 0; k < KIND_COUNT; k++)
		n->links[k].node = n;
	*at = n;
	return n;
}

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT or unix:PATH; and librdkafka's PLAINTEXT://
 * before it. */
static int
address_complete(const char *text, size_t len, char out[OS_ADDRESS_MAX], struct err *err)
{
	static const char scheme[] = "PLAINTEXT://";
	const char *colon, *bracket;
	int64_t port;

	if (len > sizeof(scheme) - 1 && strncasecmp(text, scheme, sizeof(scheme) - 1) == 0) {
		text += sizeof(scheme) - 1;
		len -= sizeof(scheme) - 1;
	}
	if (len == 0 || len + sizeof(":65535") > OS_ADDRESS_MAX)
		return err_set(err, ERR_INVALID, "'%.*s' is no HOST[:PORT]", (int)len, text);
	snprintf(out, OS_ADDRESS_MAX, "%.*s", (int)len, text);
	if (strncmp(out, "unix:", 5) == 0 && len > 5)
		return 0;
	bracket = out[0] == '[' ? strchr(out, ']') : NULL;
	colon = strchr(bracket != NULL ? bracket : out, ':');
	if (colon == NULL)
		snprintf(out + len, OS_ADDRESS_MAX - len, ":%d", DEFAULT_PORT);
	else if (bracket == NULL && strchr(colon + 1, ':') != NULL)
		return err_set(err, ERR_INVALID, "'%s': write [IPV6]:PORT", out);
	else if (colon == out || text_int(colon + 1, 1, UINT16_MAX, &port) == -1)
		return err_set(err, ERR_INVALID, "'%s' is no HOST[:PORT]", out);
	return 0;
}

/* The next address of a list: 1; 0: that was all; -1. */
static int
next_address(const char **list, size_t *count, char out[OS_ADDRESS_MAX], struct err *err)
{
	size_t skip = strspn(*list, ", \t"), len = strcspn(*list + skip, ", \t");
	const char *at = *list + skip;

	*list = at + len;
	if (len == 0)
		return *count > 0 ? 0 : err_set(err, ERR_INVALID, "an empty list of brokers");
	if (++*count > LIST_MAX)
		return err_set(err, ERR_INVALID, "more than %d brokers", LIST_MAX);
	return address_complete(at, len, out, err) == -1 ? -1 : 1;
}

int
cluster_check_servers(const char *servers, struct err *err)
{
	char address[OS_ADDRESS_MAX];
	size_t count = 0;
	int got;

	while ((got = next_address(&servers, &count, address, err)) == 1)
		;
	return got;
}

int
nodes_from_list(struct cluster *c, struct err *err)
{
	const char *at = c->config.servers;
	char address[OS_ADDRESS_MAX];
	size_t count = 0;
	int got;

	while ((got = next_address(&at, &count, address, err)) == 1) {
		struct node *n = node_add(c, -1, address, err);

		if (n == NULL)
			return -1;
		n->is_listed = true;
	}
	return got;
}

static void
on_freed(void *ctx)
{
	struct cluster *c = ctx;

	c->links_live--;
}

static void
close_links(struct node *n)
{
	for (int k = 0; k < KIND_COUNT; k++) {
		struct node_link *nl = &n->links[k];

		if (nl->link != NULL)
			link_free(nl->link, on_freed, n->cluster);
		nl->link = NULL;
		nl->failures = 0;
		nl->retry_ns = 0;
	}
}

void
nodes_close(struct cluster *c)
{
	for (struct node *n = c->nodes; n != NULL; n = n->next)
		close_links(n);
}

void
nodes_free(struct cluster *c)
{
	while (c->links_live > 0 && os_turn(c->os, -1) != -1)
		;
	while (c->nodes != NULL) {
		struct node *n = c->nodes;

		c->nodes = n->next;
		free(n);
	}
}

/* --- what metadata says of them ------------------------------------------------ */

struct node *
node_find(struct cluster *c, int32_t id)
{
	struct node *n = c->nodes;

	while (n != NULL && n->id != id)
		n = n->next;
	return n;
}

/* A broker is at this address. One of the list that is there is it. */
int
nodes_take(struct cluster *c, int32_t id, const char *host, int32_t host_len, int32_t port,
    struct err *err)
{
	char address[OS_ADDRESS_MAX];
	struct node *n = node_find(c, id);
	int len;

	if (id < 0)
		return 0;
	if (host_len > 5 && memcmp(host, "unix:", 5) == 0)
		len = snprintf(address, sizeof(address), "%.*s", host_len, host);
	else if (host_len > 0 && memchr(host, ':', (size_t)host_len) != NULL)
		len = snprintf(address, sizeof(address), "[%.*s]:%d", host_len, host, port);
	else
		len = snprintf(address, sizeof(address), "%.*s:%d", host_len, host, port);
	if (len < 0 || (size_t)len >= sizeof(address))
		return 0; /* it cannot be connected to */
	if (n == NULL)
		for (n = c->nodes; n != NULL; n = n->next)
			if (n->id == -1 && strcmp(n->address, address) == 0)
				break;
	if (n == NULL && (n = node_add(c, id, address, err)) == NULL)
		return -1;
	n->id = id;
	n->is_gone = false;
	if (strcmp(n->address, address) != 0) {
		close_links(n);
		snprintf(n->address, sizeof(n->address), "%s", address);
		n->since_ns = 0;
		n->ever_up = false;
	}
	return 0;
}

/* --- connections --------------------------------------------------------------- */

static void
on_up(struct link *l, void *ctx)
{
	struct node_link *nl = ctx;
	struct node *n = nl->node;

	(void)l;
	os_note(n->cluster->os, n->is_missed ? OS_WARN : OS_DEBUG, "%s: connected%s", n->address,
	    n->is_missed ? " again" : "");
	nl->failures = 0;
	n->is_missed = false;
	n->ever_up = true;
	n->err.code = 0;
	cluster_wake(n->cluster);
}

static int64_t
jitter_ms(struct os *os, int64_t most)
{
	uint32_t r;

	os_random(os, &r, sizeof(r));
	return (int64_t)(r % (uint64_t)(most + 1));
}

int64_t
cluster_backoff_ms(struct os *os, int tries)
{
	int64_t most = CONNECT_BACKOFF_MS << (tries < 5 ? tries : 5);

	return jitter_ms(os, most < CONNECT_BACKOFF_MAX_MS ? most : CONNECT_BACKOFF_MAX_MS) + 1;
}

static void
on_down(struct link *l, void *ctx, const struct err *why)
{
	struct node_link *nl = ctx;
	struct node *n = nl->node;
	struct cluster *c = n->cluster;
	bool tells;

	(void)l;
	n->err = *why;
	n->is_definite = why->sys_errno == ECONNREFUSED || why->sys_errno == EHOSTUNREACH ||
			 why->sys_errno == ENOENT || why->sys_errno == EACCES ||
			 why->sys_errno == 0;
	nl->failures++;
	nl->retry_ns =
	    os_mono_ns(c->os) + cluster_backoff_ms(c->os, nl->failures) * INT64_C(1000000);
	/* Whoever wants to hear of each loss says himself what is to be said. */
	tells = n->ever_up && !n->is_missed && nl->failures >= TELL_FAILURES &&
	    c->events.lost == NULL;
	os_note(c->os, tells ? OS_WARN : OS_DEBUG, "%s%s", why->text,
	    n->ever_up ? "; trying on" : "");
	n->is_missed = n->is_missed || tells;
	if (c->turn == n)
		c->turn = n->next;
	cluster_wake(c);
	if (c->events.lost != NULL)
		c->events.lost(c->events.ctx, why);
}

static int
open_link(struct node_link *nl, struct err *err)
{
	struct node *n = nl->node;
	struct cluster *c = n->cluster;
	struct link_events events = {.up = on_up, .down = on_down, .ctx = nl};

	if (nl->link == NULL) {
		nl->link = link_new(c->os, &c->config.who, &events, err);
		if (nl->link == NULL)
			return -1;
		c->links_live++;
	}
	nl->tried_ns = os_mono_ns(c->os);
	if (n->since_ns == 0)
		n->since_ns = nl->tried_ns;
	return link_open(nl->link, n->address, err);
}

struct link *
node_link(struct node *n, enum link_kind kind, int64_t *when_ns)
{
	struct node_link *nl = &n->links[kind];

	if (nl->link != NULL && link_state(nl->link) == LINK_UP)
		return nl->link;
	if (nl->link != NULL && link_state(nl->link) != LINK_CLOSED)
		return NULL;
	if (os_mono_ns(n->cluster->os) < nl->retry_ns) {
		soonest(when_ns, nl->retry_ns);
		return NULL;
	}
	if (open_link(nl, &n->err) == -1) {
		n->is_definite = true;
		nl->retry_ns =
		    os_mono_ns(n->cluster->os) + CONNECT_BACKOFF_MAX_MS * INT64_C(1000000);
		soonest(when_ns, nl->retry_ns);
	}
	return NULL;
}

/* Those that a metadata response named are preferred to the list, which is gone back to when
 * none of them can be reached. */
static bool
is_candidate(const struct cluster *c, const struct node *n, bool any_known)
{
	(void)c;
	if (n->is_gone && !n->is_listed)
		return false;
	return !any_known || n->id >= 0;
}

static struct link *
any_up(struct cluster *c, bool any_known, struct node **which)
{
	for (struct node *n = c->nodes; n != NULL; n = n->next) {
		struct link *l = n->links[KIND_MAIN].link;

		if (l != NULL && link_state(l) == LINK_UP && is_candidate(c, n, any_known)) {
			*which = n;
			return l;
		}
	}
	return NULL;
}

struct link *
nodes_any(struct cluster *c, int64_t *when_ns, struct node **which)
{
	int64_t now = os_mono_ns(c->os);
	struct link *l = any_up(c, true, which);
	size_t count = 0;

	if (l == NULL)
		l = any_up(c, false, which);
	if (l != NULL)
		return l;
	for (struct node *n = c->nodes; n != NULL; n = n->next) {
		struct node_link *nl = &n->links[KIND_MAIN];

		count++;
		if (nl->link == NULL || link_state(nl->link) == LINK_CLOSED)
			continue;
		if (now - nl->tried_ns < NEXT_ADDRESS_NS) {
			soonest(when_ns, nl->tried_ns + NEXT_ADDRESS_NS);
			return NULL;
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct node *n = c->turn != NULL ? c->turn : c->nodes;
		struct node_link *nl = &n->links[KIND_MAIN];

		c->turn = n->next;
		if (!is_candidate(c, n, false) ||
		    (nl->link != NULL && link_state(nl->link) != LINK_CLOSED))
			continue;
		node_link(n, KIND_MAIN, when_ns);
		if (nl->link != NULL && link_state(nl->link) != LINK_CLOSED) {
			soonest(when_ns, now + NEXT_ADDRESS_NS);
			return NULL;
		}
	}
	return NULL;
}

/* --- giving up ------------------------------------------------------------------ */

bool
node_is_hopeless(struct node *n)
{
	struct cluster *c = n->cluster;
	int64_t patience_ms = c->config.patience_ms;

	if (n->ever_up || n->since_ns == 0 || n->err.code == 0)
		return false;
	if (patience_ms < 0)
		patience_ms = n->is_definite ? PATIENCE_REFUSED_MS : PATIENCE_MS;
	return os_mono_ns(c->os) - n->since_ns >= patience_ms * 1000000;
}

bool
nodes_are_hopeless(struct cluster *c, const struct err **why)
{
	*why = NULL;
	for (struct node *n = c->nodes; n != NULL; n = n->next) {
		if (!n->is_gone && !node_is_hopeless(n))
			return false;
		if (n->err.code != 0)
			*why = &n->err;
	}
	return *why != NULL;
}
