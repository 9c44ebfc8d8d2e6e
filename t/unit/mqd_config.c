/* What a broker is told: the table, Java's properties, listeners, reload. */
#include <stdlib.h>

#include "base/array.h"
#include "mqd/config.h"
#include "os/os_sim.h"
#include "tap.h"

static struct err err;
static struct os *os;

/* A configuration from a text; with listeners and the like if it is good. */
static int
load(struct broker_config *c, const char *text)
{
	broker_config_init(c);
	if (broker_config_parse(c, "mqd.conf", text, strlen(text), &err) == -1)
		return -1;
	return broker_config_finish(c, os, "/store", &err);
}

/* A text is refused, and the line says why. */
static void
refused(int code, const char *text, const char *why)
{
	struct broker_config c;
	int r = load(&c, text);

	if (!ok(r == -1 && err.code == code && strstr(err.text, why) != NULL, "refused: %s", text))
		printf("# %d %d: %s\n", r, err.code, r == -1 ? err.text : "");
	broker_config_release(&c);
}

static bool
warned(const struct broker_config *c, const char *what)
{
	for (size_t i = 0; i < c->warning_count; i++)
		if (strstr(c->warnings[i], what) != NULL)
			return true;
	return false;
}

static void
test_table(void)
{
	char out[200];
	size_t bad = 0;

	for (const struct broker_key *k = broker_keys; k->name != NULL; k++) {
		bad += k[1].name != NULL && strcmp(k->name, k[1].name) >= 0;
		if (k->default_text == NULL)
			continue;
		bad += broker_key_check(k->name, k->default_text, out, sizeof(out), &err) == -1 ||
		    strcmp(out, k->default_text) != 0;
	}
	is_int((int)bad, 0, "the table is sorted, and takes its own defaults");
	ok(broker_key_check("socket.request.max.bytes", "64M", out, sizeof(out), &err) == 0 &&
	        strcmp(out, "67108864") == 0, "a size may have a suffix");
	ok(broker_key_check("connections.max.idle.ms", "10m", out, sizeof(out), &err) == 0 &&
	        strcmp(out, "600000") == 0, "so may a time");
	ok(broker_key_check("group.max.size", "1k", out, sizeof(out), &err) == -1,
	    "what counts members may not");
	ok(broker_key_check("log.retention.ms", "7d", out, sizeof(out), &err) == 0 &&
	        strcmp(out, "604800000") == 0, "a topic's default is checked as the topic's is");
	ok(broker_key_is_foreign("num.io.threads") && broker_key_is_foreign("ssl.keystore.location") &&
	        !broker_key_is_foreign("io.threads") && !broker_key_is_foreign(""),
	    "Kafka's other keys are known by their whole names");
}

static void
test_defaults(void)
{
	struct broker_config c;

	is_int(load(&c, ""), 0, "nothing need be said");
	is_int(c.node_id, 1, "a new directory is node 1's");
	is_str(c.dir, "/store", "the directory is the caller's");
	ok(c.listener_count == 2 && strcmp(c.listeners[0].address, "127.0.0.1:9092") == 0 &&
	        strcmp(c.listeners[1].address, "unix:/store/mqd.sock") == 0,
	    "it listens on loopback and on its socket");
	ok(c.listeners[0].host == NULL && c.rack == NULL && c.metrics_listen == NULL, "and no more");
	ok(c.auto_create_topics && c.delete_topics && c.num_partitions == 1 &&
	        c.request_bytes_max == 104857600 && c.idle_ms == 600000 &&
	        c.fetch_bytes_max == 57671680 && c.fetch_sessions_max == 1000 &&
	        c.offsets_partitions == 50 && c.group_initial_delay_ms == 3000 &&
	        c.group_max_size == INT32_MAX && c.connections_max == INT32_MAX,
	    "Kafka's defaults hold");
	ok(c.offsets_retention_ms == 7LL * 86400000, "minutes become milliseconds");
	ok(c.warning_count == 0 && c.ignored.count == 0, "nothing is worth telling");
	broker_config_release(&c);
}

/* config/server.properties of Apache Kafka 4.3, less its comments. */
static const char kafkas[] =
    "process.roles=broker,controller\nnode.id=1\n"
    "controller.quorum.bootstrap.servers=localhost:9093\n"
    "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
    "inter.broker.listener.name=PLAINTEXT\nadvertised.listeners=PLAINTEXT://localhost:9092\n"
    "controller.listener.names=CONTROLLER\n"
    "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n"
    "num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n"
    "socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\n"
    "log.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\n"
    "num.recovery.threads.per.data.dir=1\noffsets.topic.replication.factor=1\n"
    "share.coordinator.state.topic.replication.factor=1\n"
    "transaction.state.log.replication.factor=1\nlog.retention.hours=168\n"
    "log.segment.bytes=1073741824\nlog.retention.check.interval.ms=300000\n";

static void
test_server_properties(void)
{
	struct broker_config c;

	if (!is_int(load(&c, kafkas), 0, "Kafka's own server.properties is taken"))
		printf("# %s\n", err.text);
	is_str(c.dir, "/tmp/kraft-combined-logs", "log.dirs is the directory");
	ok(c.listener_count == 2 && strcmp(c.listeners[0].address, "127.0.0.1:9092") == 0,
	    "a listener without host is on loopback, the controllers' is not opened");
	ok(warned(&c, "names no host") && warned(&c, "CONTROLLER"), "both are told");
	ok(c.listeners[0].host != NULL && strcmp(c.listeners[0].host, "localhost") == 0 &&
	        c.listeners[0].port == 9092, "clients are told what is advertised");
	is_int((int)c.ignored.count, 8, "what means nothing is collected");
	ok(map_get(&c.ignored, "num.io.threads", 14) != NULL, "by its name");
	is_str(map_get(&c.topic_defaults, "retention.ms", 12), "604800000",
	    "hours become the topics' default in milliseconds");
	broker_config_release(&c);
}

static void
test_listeners(void)
{
	struct broker_config c;

	refused(ERR_CONFIG, "listeners=PLAINTEXT://0.0.0.0:9092", "allow.anonymous.network");
	refused(ERR_CONFIG, "listeners=example.org:9092", "beyond this machine");
	refused(ERR_CONFIG, "listeners=[fe80::1]:9092", "beyond this machine");
	refused(ERR_CONFIG, "metrics.listen=10.0.0.1:9100", "beyond this machine");
	refused(ERR_CONFIG, "metrics.listen=nonsense", "want HOST:PORT or unix:PATH");
	refused(ERR_CONFIG, "metrics.listen=127.0.0.1:65536", "want HOST:PORT or unix:PATH");
	refused(ERR_CONFIG, "listeners=SSL://localhost:9092", "PLAINTEXT is all");
	refused(ERR_CONFIG, "listeners=INSIDE://localhost:9092", "no protocol");
	refused(ERR_CONFIG, "listeners=localhost", "is not NAME://HOST:PORT");
	refused(ERR_CONFIG, "listeners=localhost:65536", "is not NAME://HOST:PORT");
	refused(ERR_CONFIG, "advertised.listeners=OTHER://a:1", "not among listeners");
	refused(ERR_CONFIG, "advertised.listeners=PLAINTEXT://0.0.0.0:1", "nobody can connect");
	refused(ERR_CONFIG, "allow.anonymous.network=yes\nlisteners=0.0.0.0:9092",
	    "set advertised.listeners");

	is_int(load(&c, "listeners = [::1]:9092, localhost:0 ,unix:/run/mqd.sock\nbroker.rack=r1"), 0,
	    "several addresses, with spaces");
	ok(c.listener_count == 4 && strcmp(c.listeners[0].address, "[::1]:9092") == 0 &&
	        strcmp(c.listeners[1].address, "localhost:0") == 0 &&
	        strcmp(c.listeners[2].address, "unix:/run/mqd.sock") == 0 &&
	        strcmp(c.listeners[3].address, "unix:/store/mqd.sock") == 0, "each is there");
	is_str(c.rack, "r1", "so is the rack");
	broker_config_release(&c);

	is_int(load(&c, "allow.anonymous.network=yes\nlisteners=PLAINTEXT://:9092\n"
	                "advertised.listeners=PLAINTEXT://kafka.example.org:9092"), 0,
	    "it listens to the world if told so");
	is_str(c.listeners[0].address, ":9092", "on every address where no host is named");
	broker_config_release(&c);

	is_int(load(&c, "listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT,BACK:PLAINTEXT\n"
	                "allow.anonymous.network=yes\ninter.broker.listener.name=OUT\n"
	                "listeners=IN://localhost:9092,OUT://0.0.0.0:9093,BACK://127.0.0.1:9094\n"
	                "advertised.listeners=OUT://kafka.example.org:443,IN://inside:19092"), 0,
	    "listeners with names");
	ok(strcmp(c.listeners[0].host, "inside") == 0 && c.listeners[0].port == 19092 &&
	        strcmp(c.listeners[1].host, "kafka.example.org") == 0 && c.listeners[1].port == 443,
	    "each is told under the address of its name");
	ok(c.listeners[2].host == NULL && c.listeners[3].host == NULL,
	    "and where there is none under its own");
	is_int((int)c.registered, 1, "the cluster is told that of inter.broker.listener.name");
	broker_config_release(&c);
	refused(ERR_CONFIG, "inter.broker.listener.name=OTHER", "not among listeners");
	is_int(load(&c, "metrics.listen=127.0.0.2:1"), 0, "loopback is this machine's");
	broker_config_release(&c);
	is_int(load(&c, "metrics.listen=unix:/x"), 0, "and so is a socket");
	broker_config_release(&c);
}

static void
test_refused(void)
{
	refused(ERR_CONFIG, "num.partitions=none", "mqd.conf:1: num.partitions=none: want a number");
	refused(ERR_CONFIG, "\n\nlog.retention.ms=x", "mqd.conf:3: log.retention.ms");
	refused(ERR_CONFIG, "log.dirs=/a,/b", "one directory");
	refused(ERR_CONFIG, "process.roles=broker", "both broker and controller");
	refused(ERR_CONFIG, "process.roles=worker", "want broker|controller");
	refused(ERR_CONFIG, "controller.quorum.voters=2@localhost:9093", "must be this node");
	refused(ERR_CONFIG, "controller.quorum.voters=1@a:1,2@b:1", "a cluster of one node");
	refused(ERR_CONFIG, "controller.quorum.voters=localhost:1", "want ID@HOST:PORT");
	refused(ERR_CONFIG, "authorizer.class.name=org.example.Authorizer", "no authorizer");
	refused(ERR_CONFIG, "queued.max.request.bytes=2M", "is below socket.request.max.bytes");
	refused(ERR_CONFIG, "auto.create.topics.enable=perhaps", "true or false");
}

static void
test_unknown(void)
{
	struct broker_config c;

	is_int(load(&c, "num.partition=3\nlog.retension.ms=4\nlog.rol.hours=1\nxyzzy=1\nssl.protocol=TLSv1.3"), 0,
	    "an unknown key is no error");
	ok(warned(&c, "mqd.conf:1: unknown key 'num.partition' (did you mean num.partitions?)"),
	    "the nearest name is told");
	ok(warned(&c, "did you mean log.retention.ms?"), "also of topics' defaults");
	ok(warned(&c, "did you mean log.roll.hours?"), "in each of their spellings");
	ok(warned(&c, "unknown key 'xyzzy'"), "or none");
	is_int((int)c.ignored.count, 1, "Kafka's other keys are not unknown");
	broker_config_release(&c);
}

/* --- properties ------------------------------------------------------------------------ */

static char seen[400];

static int
each(void *ctx, int line, const char *key, const char *value)
{
	size_t len = strlen(seen);

	(void)ctx;
	snprintf(seen + len, sizeof(seen) - len, "%d:%s=%s|", line, key, value);
	return 0;
}

static void
reads(const char *text, const char *want, const char *name)
{
	seen[0] = '\0';
	properties_parse(text, strlen(text), each, NULL, &err);
	is_str(seen, want, "%s", name);
}

static void
test_properties(void)
{
	reads("a=1\nb = 2\nc: 3\nd 4\n\te\t=\t5\n", "1:a=1|2:b=2|3:c=3|4:d=4|5:e=5|",
	    "a key ends at =, : or space");
	reads("# a=1\n  ! b=2\n\n   \r\nc=3\r\n", "5:c=3|", "comments and empty lines do not count");
	reads("a=1,\\\n   2,\\\n   3\nb=x", "1:a=1,2,3|4:b=x|", "a backslash continues a line");
	reads("a=x\\\\\nb=y", "1:a=x\\|2:b=y|", "an escaped one does not");
	reads("# c \\\na=1", "2:a=1|", "a comment is not continued");
	reads("a\\ b\\=c=\\t\\u00e9\\u20AC!", "1:a b=c=\t\xc3\xa9\xe2\x82\xac!|", "escapes are read");
	reads("a", "1:a=|", "a key alone has an empty value");
	reads("a==b", "1:a==b|", "only the first separator counts");
	reads("a=\\u12", "1:a=u12|", "a short \\u stands for itself");
	reads("a=b\\", "1:a=b|", "a backslash at the end continues nothing");
}

/* --- what holds --------------------------------------------------------------------------- */

static void
test_value(void)
{
	struct broker_config c;
	struct mlog_config mc;
	struct image im;
	enum config_source source;

	load(&c, "log.roll.hours=2\nlog.retention.minutes=5\nlog.retention.hours=9\n"
	         "num.partitions=3\nlog.segment.bytes=2M");
	is_str(broker_config_value(&c, NULL, "num.partitions", &source), "3", "the file's value");
	is_int(source, CONFIG_STATIC_BROKER, "is static");
	is_str(broker_config_value(&c, NULL, "fetch.max.bytes", &source), "57671680", "the default");
	is_int(source, CONFIG_DEFAULT, "is told as such");
	is_str(broker_config_value(&c, NULL, "log.retention.ms", &source), "300000",
	    "minutes count more than hours");
	is_str(broker_config_value(&c, NULL, "log.flush.interval.messages", &source), "1",
	    "each append is synced unless something else is said");
	ok(broker_config_value(&c, NULL, "broker.rack", &source) == NULL, "some keys have no value");

	image_init(&im);
	im.defaults = &c.topic_defaults;
	topic_config_resolve(&im, "t", &mc);
	ok(mc.segment_ms == 7200000 && mc.retention_ms == 300000 && mc.segment_bytes == 2 << 20,
	    "the file's defaults hold for topics");
	is_str(topic_config_value(&im, "t", "segment.bytes", &source), "2097152", "in text too");
	is_str(config_source_name(source), "STATIC_BROKER_CONFIG", "and whose they are");
	image_release(&im);
	broker_config_release(&c);
}

static void
test_reload(void)
{
	struct broker_config c, fresh;

	load(&c, "max.connections=10\nlog.retention.ms=1\nlog.roll.hours=3\nnum.partitions=3");
	load(&fresh, "max.connections=20\nlog.retention.hours=1\nnum.partitions=4");
	is_int(broker_config_reload(&c, &fresh, &err), 0, "a file is read again");
	broker_config_refresh(&c, NULL);
	is_int(c.connections_max, 20, "what can change does");
	is_int(c.num_partitions, 3, "what cannot stays");
	ok(warned(&fresh, "num.partitions: a change takes effect at the next start"), "and is named");
	is_str(map_get(&c.topic_defaults, "retention.ms", 12), "3600000", "topics' defaults change");
	ok(map_get(&c.topic_defaults, "segment.ms", 10) == NULL, "and go");
	broker_config_release(&fresh);
	load(&fresh, "num.partitions=3");
	broker_config_reload(&c, &fresh, &err);
	broker_config_refresh(&c, NULL);
	is_int(c.connections_max, INT32_MAX, "what is not said any more is the default again");
	broker_config_release(&fresh);
	broker_config_release(&c);
}

int
main(void)
{
	struct sim_disk *disk = sim_disk_new();

	os = sim_os_new(disk, 1);
	test_table();
	test_defaults();
	test_server_properties();
	test_listeners();
	test_refused();
	test_unknown();
	test_properties();
	test_value();
	test_reload();
	os_free(os);
	sim_disk_free(disk);
	return tap_done();
}
