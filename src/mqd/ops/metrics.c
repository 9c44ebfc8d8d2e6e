#include "mqd/ops/metrics.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/broker.h"
#include "mqd/net/conn.h"
#include "os/os.h"

struct client {
	struct os_stream stream;
	struct os_send send;
	struct os_timer timer;
	struct metrics *metrics;
	LIST_ENTRY(client) all;
	char head[METRICS_HEAD_MAX];
	size_t len;
	struct buf answer;
	bool answered;
};

struct metrics {
	struct broker *broker;
	struct os_listener listener;
	LIST_HEAD(client_list, client) clients;
	size_t count;
	int64_t started_ms;
	bool ended; /* metrics_free waits for the streams */
};

/* --- answers --------------------------------------------------------------------- */

static void
answer_sent(struct os_send *o, int why)
{
	struct client *c = o->ctx;

	(void)why;
	buf_release(&c->answer);
}

static void
answer(struct client *c, const char *status, const char *type, const struct buf *body, bool head)
{
	buf_printf(&c->answer,
	    "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
	    status, type, body->len);
	if (!head)
		buf_put(&c->answer, body->data, body->len);
	c->answered = true;
	if (c->answer.failed) {
		os_stream_close(c->metrics->broker->os, &c->stream, false);
		return;
	}
	c->send = (struct os_send){.data = c->answer.data, .len = c->answer.len, .fd = -1,
	    .done = answer_sent, .ctx = c};
	os_stream_send(c->metrics->broker->os, &c->stream, &c->send);
	os_stream_close(c->metrics->broker->os, &c->stream, true);
}

static void
answer_text(struct client *c, const char *status, const char *text, bool head)
{
	struct buf body = BUF_INIT;

	buf_printf(&body, "%s\n", text);
	answer(c, status, "text/plain; charset=utf-8", &body, head);
	buf_release(&body);
}

static void
answer_metrics(struct client *c, bool head)
{
	struct buf body = BUF_INIT;

	metrics_print(c->metrics->broker, c->metrics->started_ms, &body);
	if (body.failed)
		answer_text(c, "503 Service Unavailable", "out of memory", head);
	else
		answer(c, "200 OK", "text/plain; version=0.0.4; charset=utf-8", &body, head);
	buf_release(&body);
}

static void
answer_path(struct client *c, const char *path, bool head)
{
	const char *why;

	if (strcmp(path, "/metrics") == 0) {
		answer_metrics(c, head);
	} else if (strcmp(path, "/health") == 0) {
		answer_text(c, "200 OK", "alive", head);
	} else if (strcmp(path, "/ready") == 0) {
		why = metrics_unready(c->metrics->broker);
		answer_text(c, why == NULL ? "200 OK" : "503 Service Unavailable",
		    why == NULL ? "ready" : why, head);
	} else {
		answer_text(c, "404 Not Found", "there are /metrics, /health and /ready", head);
	}
}

/* --- requests ---------------------------------------------------------------------- */

/* "GET /path HTTP/1.1"; the rest of the head means nothing here. */
static void
request(struct client *c)
{
	char method[8], path[128];
	int minor, used = 0;

	c->head[strcspn(c->head, "\r\n")] = '\0';
	if (sscanf(c->head, "%7[A-Z] %127s HTTP/1.%1d%n", method, path, &minor, &used) != 3 ||
	    c->head[used] != '\0' || *path != '/') {
		answer_text(c, "400 Bad Request", "not a request of HTTP/1", false);
		return;
	}
	path[strcspn(path, "?")] = '\0';
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		answer_text(c, "405 Method Not Allowed", "GET, HEAD", false);
	else
		answer_path(c, path, strcmp(method, "HEAD") == 0);
}

static size_t
on_room(struct os_stream *s, void **to)
{
	struct client *c = s->ctx;

	*to = c->head + c->len;
	return c->answered ? 0 : sizeof(c->head) - 1 - c->len;
}

static void
on_bytes(struct os_stream *s, size_t len)
{
	struct client *c = s->ctx;

	c->len += len;
	c->head[c->len] = '\0';
	if (c->answered)
		return;
	if (strlen(c->head) != c->len)
		answer_text(c, "400 Bad Request", "not a request of HTTP/1", false);
	else if (strstr(c->head, "\r\n\r\n") != NULL || strstr(c->head, "\n\n") != NULL)
		request(c);
	else if (c->len == sizeof(c->head) - 1)
		answer_text(c, "431 Request Header Fields Too Large", "too long a request", false);
}

static void
on_closed(struct os_stream *s, int why)
{
	struct client *c = s->ctx;

	(void)why;
	os_timer_stop(c->metrics->broker->os, &c->timer);
	LIST_REMOVE(c, all);
	c->metrics->count--;
	buf_release(&c->answer);
	free(c);
}

/* It has had its time. */
static void
on_timer(struct os_timer *t)
{
	struct client *c = t->ctx;

	os_stream_close(c->metrics->broker->os, &c->stream, false);
}

static struct os_stream *
on_accepted(struct os_listener *l, const char *peer)
{
	struct metrics *m = l->ctx;
	struct client *c;

	(void)peer;
	if (m->count == METRICS_CONNECTIONS || (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->metrics = m;
	c->stream = (struct os_stream){
	    .room = on_room, .bytes = on_bytes, .closed = on_closed, .ctx = c};
	c->timer = (struct os_timer){.fire = on_timer, .ctx = c};
	os_timer_start(m->broker->os, &c->timer, METRICS_SECONDS * 1000);
	LIST_INSERT_HEAD(&m->clients, c, all);
	m->count++;
	return &c->stream;
}

/* --- life -------------------------------------------------------------------------- */

struct metrics *
metrics_new(struct broker *b, const char *address, struct err *err)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		err_nomem(err);
		return NULL;
	}
	m->broker = b;
	m->started_ms = os_wall_ms(b->os);
	LIST_INIT(&m->clients);
	m->listener.accepted = on_accepted;
	m->listener.ctx = m;
	if (os_listen(b->os, &m->listener, address) == 0)
		return m;
	net_listen_fault(err, errno, address);
	err_prefix(err, "metrics.listen");
	free(m);
	return NULL;
}

const char *
metrics_address(const struct metrics *m)
{
	return m->listener.address;
}

void
metrics_free(struct metrics *m)
{
	struct client *c;

	if (m == NULL)
		return;
	os_listen_stop(m->broker->os, &m->listener);
	LIST_FOREACH (c, &m->clients, all)
		os_stream_close(m->broker->os, &c->stream, false);
	/* `closed` comes from the loop, and is the last word of each. */
	while (m->count > 0 && os_turn(m->broker->os, 0) != -1)
		;
	free(m);
}
