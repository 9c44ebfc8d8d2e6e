/* What a monitor gets, and what it must not get: memory without bound. */
#include "mqd/ops/metrics.h"
#include "mqd_broker_test.h"

#define METRICS_ADDRESS "127.0.0.1:9404"

struct visitor {
	struct os_stream stream; /* first */
	struct os_send send;
	char got[65536];
	size_t len;
	bool closed;
};

static size_t
visitor_room(struct os_stream *s, void **to)
{
	struct visitor *v = (struct visitor *)(void *)s;

	*to = v->got + v->len;
	return sizeof(v->got) - 1 - v->len;
}

static void
visitor_bytes(struct os_stream *s, size_t len)
{
	struct visitor *v = (struct visitor *)(void *)s;

	v->len += len;
	v->got[v->len] = '\0';
}

static void
visitor_closed(struct os_stream *s, int why)
{
	(void)why;
	((struct visitor *)(void *)s)->closed = true;
}

static struct visitor *
visitor_new(struct os *os)
{
	struct visitor *v = calloc(1, sizeof(*v));

	v->stream = (struct os_stream){
	    .room = visitor_room, .bytes = visitor_bytes, .closed = visitor_closed};
	if (os_connect(os, &v->stream, METRICS_ADDRESS) == -1)
		v->closed = true;
	return v;
}

static void
visitor_say(struct os *os, struct visitor *v, const char *text, size_t len)
{
	v->send = (struct os_send){.data = text, .len = len, .fd = -1};
	if (!v->closed)
		os_stream_send(os, &v->stream, &v->send);
}

/* Until it is closed; false if it is not, within a minute. */
static bool
visitor_wait(struct os *os, struct visitor *v)
{
	int64_t until = os_mono_ns(os) + 60000000000LL;

	while (!v->closed && os_mono_ns(os) < until)
		os_turn(os, 1000);
	return v->closed;
}

static void
asks(struct os *os, const char *request, size_t len, const char *status, const char *holds)
{
	struct visitor *v = visitor_new(os);

	visitor_say(os, v, request, len);
	if (!ok(visitor_wait(os, v) && strncmp(v->got, status, strlen(status)) == 0 &&
	            strstr(v->got, holds) != NULL, "%s %.20s", status, request))
		printf("# %.300s\n", v->got);
	free(v);
}

#define ASK(os, request, status, holds) \
	asks(os, request, strlen(request), "HTTP/1.1 " status, holds)

static void
test_requests(struct world *w)
{
	static char long_head[5000];

	ASK(w->os, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "200", "\r\n\r\nalive\n");
	ASK(w->os, "GET /ready HTTP/1.0\r\n\r\n", "200", "ready\n");
	ASK(w->os, "HEAD /health HTTP/1.1\r\n\r\n", "200", "Content-Length: 6\r\n");
	ASK(w->os, "GET /metrics?x=y HTTP/1.1\r\n\r\n", "200",
	    "\nkafka_server_brokertopicmetrics_messagesin_total 3\n");
	ASK(w->os, "GET /metrics HTTP/1.1\n\n", "200",
	    "\nkafka_log_log_logendoffset{topic=\"t\",partition=\"0\"} 3\n");
	ASK(w->os, "GET /metrics HTTP/1.1\n\n", "200",
	    "\nkafka_network_requestmetrics_requests_total{request=\"Produce\"} 2\n");
	ASK(w->os, "GET /metrics HTTP/1.1\n\n", "200",
	    "\nkafka_network_requestmetrics_errors_total{request=\"Produce\","
	    "error=\"UNKNOWN_TOPIC_OR_PARTITION\"} 1\n");
	ASK(w->os, "GET /metrics HTTP/1.1\n\n", "200",
	    "\nkafka_network_requestmetrics_totaltimems_bucket{request=\"Produce\",le=\"+Inf\"} 2\n");
	ASK(w->os, "GET / HTTP/1.1\r\n\r\n", "404", "/metrics");
	ASK(w->os, "POST /metrics HTTP/1.1\r\n\r\n", "405", "GET");
	ASK(w->os, "GET /metrics\r\n\r\n", "400", "HTTP/1");
	ASK(w->os, "GET metrics HTTP/1.1\r\n\r\n", "400", "HTTP/1");
	ASK(w->os, "GET /metrics HTTP/1.1x\r\n\r\n", "400", "HTTP/1");
	asks(w->os, "GET /a\0b HTTP/1.1\r\n\r\n", 22, "HTTP/1.1 400", "HTTP/1");
	memset(long_head, 'a', sizeof(long_head));
	asks(w->os, long_head, sizeof(long_head), "HTTP/1.1 431", "too long");
}

static void
test_silent(struct world *w)
{
	struct visitor *v = visitor_new(w->os);
	int64_t began = os_mono_ns(w->os);

	visitor_say(w->os, v, "GET /", 5);
	ok(visitor_wait(w->os, v) && v->len == 0, "who does not go on is cut off");
	ok(os_mono_ns(w->os) - began < 15000000000LL, "soon");
	free(v);
}

static void
test_many(struct world *w)
{
	struct visitor *v[METRICS_CONNECTIONS + 4];
	size_t turned_away = 0;

	for (size_t i = 0; i < METRICS_CONNECTIONS + 4; i++)
		v[i] = visitor_new(w->os);
	for (int i = 0; i < 200; i++)
		os_turn(w->os, 10);
	for (size_t i = 0; i < METRICS_CONNECTIONS + 4; i++)
		turned_away += v[i]->closed;
	is_int((int)turned_away, 4, "a few more than allowed are turned away");
	for (size_t i = 0; i < METRICS_CONNECTIONS + 4; i++) {
		visitor_wait(w->os, v[i]);
		free(v[i]);
	}
	ASK(w->os, "GET /health HTTP/1.1\r\n\r\n", "200", "alive");
}

int
main(void)
{
	struct world w;
	struct metrics *m, *second;
	struct client *c;
	struct err err;

	if (!ok(world_begin(&w, 1, NULL), "a broker starts"))
		return tap_done();
	make_topic(&w, "t", 1);
	c = client_new(w.os, BROKER_ADDRESS);
	produce_one(c, "t", 0, -1, 3, "value");
	produce_one(c, "t", 7, -1, 3, "value");
	client_free(c);
	m = metrics_new(w.broker, METRICS_ADDRESS, &err);
	is_str(metrics_address(m), METRICS_ADDRESS, "metrics have an address of their own");
	second = metrics_new(w.broker, METRICS_ADDRESS, &err);
	ok(second == NULL && err.code == ERR_BUSY, "a port that is taken is told as such");
	test_requests(&w);
	test_silent(&w);
	test_many(&w);
	w.broker->failed = true;
	ASK(w.os, "GET /ready HTTP/1.1\r\n\r\n", "503", "data directory");
	w.broker->failed = false;
	metrics_free(m);
	world_stop(&w);
	world_end(&w);
	return tap_done();
}
