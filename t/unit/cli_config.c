/* config: files, profiles, -X, where the data is. */
#include "tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/config.h"
#include "cli/report.h"
#include "cli/tools.h"

static char home[] = "/tmp/cli_config.XXXXXX";

static int
load(struct config *c, const char *a, const char *b, struct err *err)
{
	char name[] = "mq-consume";
	char *argv[] = {name, (char *)(uintptr_t)a, (char *)(uintptr_t)b};
	struct options o;
	int rc;

	err->text[0] = '\0';
	config_init(c);
	rc = options_parse(&o, &tool_consume, a == NULL ? 1 : b == NULL ? 2 : 3, argv, err);
	if (rc == 0)
		rc = config_load(c, &o, true, err);
	options_release(&o);
	return rc;
}

static void
file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void
parsing(void)
{
	static const char text[] = "# comment\n! another\n\n  acks = 1  \r\ncompression.codec=lz4\n"
				   "log.dir: /a=b\nssl.ca.location=/x\ntopic.partitioner=fnv1a\n"
				   "partitioner.class=org.apache.kafka.clients.producer."
				   "RoundRobinPartitioner\nlinger.ms=2s";
	struct config c;
	struct err err = {.text = ""};

	config_init(&c);
	is_int(
	    config_parse(&c, "f", text, sizeof(text) - 1, &err), 0, "a file is read %s", err.text);
	is_str(config_text(&c, PROP_ACKS), "1", "key = value");
	is_str(config_text(&c, PROP_COMPRESSION_TYPE), "lz4", "librdkafka's name");
	is_str(config_text(&c, PROP_LOG_DIRS), "/a=b", "a colon, as in Java's files");
	is_str(config_text(&c, PROP_PARTITIONER), "rr", "Java's class name");
	is_int(config_number(&c, PROP_LINGER_MS), 2000, "a time with a unit");
	is_int(config_number(&c, PROP_MESSAGE_BYTES_MAX), 1048588, "a built-in value");
	is_str(c.settings[PROP_ACKS].source, "f:4", "where it stands");
	ok(!config_is_set(&c, PROP_CLIENT_ID), "what is not set is not set");
	config_release(&c);
}

static void
mistakes(void)
{
	static const struct {
		const char *text, *want;
	} table[] = {
	    {"acks", "f:1: 'acks' is not key = value"},
	    {"\n=x", "f:2: '=x' is not key = value"},
	    {"acks=2", "f:1: acks: '2' is not one of all|-1|1|0"},
	    {"linger.ms=soon", "f:1: linger.ms: 'soon' is not a time from 0 to 900000"},
	    {"auto.create.topics.enable=maybe",
		"f:1: auto.create.topics.enable: 'maybe' is not true or false"},
	    {"[topic x]", "f:1: '[topic x]' is not [profile NAME]"},
	    {"[", "f:1: '[' is not [profile NAME]"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct config c;
		struct err err = {.text = ""};

		config_init(&c);
		is_int(config_parse(&c, "f", table[i].text, strlen(table[i].text), &err), -1,
		    "mistake %zu is refused", i);
		is_str(err.text, table[i].want, "with its message");
		is_int(err.code, ERR_CONFIG, "as configuration");
		config_release(&c);
	}
}

static void
tables(void)
{
	static const char *const foreign[] = {"ssl.ca.location", "sasl.mechanism", "retries",
	    "enable.idempotence", "key.serializer", "topic.metadata.refresh.interval.ms"};

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		ok(property_is_foreign(foreign[i]), "%s is passed over", foreign[i]);
	ok(!property_is_foreign("retrie"), "part of a name is no name");
	ok(!property_is_foreign(""), "nothing is no name");
	for (size_t i = 0; i < PROP_COUNT; i++) {
		const struct property_spec *spec = &property_specs[i];
		struct config c;
		struct err err = {.text = ""};

		config_init(&c);
		ok(*spec->default_value == '\0' ||
			config_set(&c, spec->name, spec->default_value, "built in", &err) == 0,
		    "%s: its default is valid", spec->name);
		config_release(&c);
	}
}

static void
profiles(void)
{
	static const char text[] = "acks=0\n[profile a]\nacks=1\n[profile b]\nacks=all\n";
	struct config c;
	struct err err;

	file_write("mq.conf", text);
	is_int(load(&c, "-Fmq.conf", NULL, &err), 0, "without a profile %s", err.text);
	is_str(config_text(&c, PROP_ACKS), "0", "what stands above all sections holds");
	config_release(&c);
	is_int(load(&c, "-Fmq.conf", "-Xprofile=a", &err), 0, "-X profile=a");
	is_str(config_text(&c, PROP_ACKS), "1", "takes section a");
	config_release(&c);
	setenv("MQ_PROFILE", "b", 1);
	is_int(load(&c, "-Fmq.conf", NULL, &err), 0, "MQ_PROFILE=b");
	is_str(config_text(&c, PROP_ACKS), "all", "takes section b");
	config_release(&c);
	is_int(load(&c, "-Fmq.conf", "-Xprofile=a", &err), 0, "both");
	is_str(config_text(&c, PROP_ACKS), "1", "-X is nearer");
	config_release(&c);
	unsetenv("MQ_PROFILE");
	is_int(load(&c, "-Fmq.conf", "-Xprofile=c", &err), -1, "a profile that is not there");
	is_str(err.text, "-X: no [profile c] in any file", "is named");
	config_release(&c);
}

static void
search(void)
{
	struct config c;
	struct err err;

	mkdir("cfg", 0700);
	mkdir("cfg/mq", 0700);
	file_write("cfg/mq/mq.conf", "client.id=user\nacks=1\n");
	file_write("other.conf", "client.id=other\n");
	setenv("XDG_CONFIG_HOME", "/nowhere", 1);
	is_int(load(&c, NULL, NULL, &err), 0, "no file is fine");
	ok(!config_is_set(&c, PROP_CLIENT_ID), "and sets nothing");
	config_release(&c);
	{
		char dir[256];

		snprintf(dir, sizeof(dir), "%s/cfg", home);
		setenv("XDG_CONFIG_HOME", dir, 1);
	}
	load(&c, NULL, NULL, &err);
	is_str(config_text(&c, PROP_CLIENT_ID), "user", "the user's file");
	config_release(&c);
	load(&c, "-Xacks=0", NULL, &err);
	is_str(config_text(&c, PROP_ACKS), "0", "-X is nearer than a file");
	is_str(c.settings[PROP_ACKS].source, "-X", "and says so");
	config_release(&c);
	setenv("MQ_CONFIG", "other.conf", 1);
	load(&c, NULL, NULL, &err);
	is_str(config_text(&c, PROP_CLIENT_ID), "other", "MQ_CONFIG replaces the search");
	ok(!config_is_set(&c, PROP_ACKS), "altogether");
	config_release(&c);
	load(&c, "-F", "none", &err);
	ok(!config_is_set(&c, PROP_CLIENT_ID), "-F none reads nothing");
	config_release(&c);
	unsetenv("MQ_CONFIG");
	is_int(load(&c, "-F", "missing.conf", &err), -1, "-F of a missing file");
	is_int(err.code, ERR_NOT_FOUND, "is not found");
	config_release(&c);
	is_int(load(&c, "-X", "acks", &err), -1, "-X without =");
	is_int(err.code, ERR_INVALID, "is a usage error");
	config_release(&c);
	is_int(load(&c, "-Xsasl.password=x", NULL, &err), -1, "a secret on the command line");
	is_str(err.text, "-X: sasl.password: secrets are never taken from a command line",
	    "is refused");
	config_release(&c);
}

static void
choose(struct where *d, const char *option, const char *config, struct err *err, int want,
    const char *what)
{
	char name[] = "mq-consume";
	char *argv[] = {name, (char *)(uintptr_t)option};
	struct options o;
	struct config c;

	err->text[0] = '\0';
	config_init(&c);
	config_parse(&c, "f", config, strlen(config), err);
	options_parse(&o, &tool_consume, option != NULL ? 2 : 1, argv, err);
	is_int(where_choose(d, &o, &c, err), want, "%s", what);
	options_release(&o);
	config_release(&c);
}

/* Brokers in a file, `name` by -X. */
static void
choose_given(struct where *d, const char *name, const char *value, struct err *err, int want,
    const char *what)
{
	static char tool[] = "mq-consume";
	static const char file[] = "bootstrap.servers=h:1";
	char *argv[] = {tool};
	struct options o;
	struct config c;

	config_init(&c);
	config_parse(&c, "f", file, sizeof(file) - 1, err);
	config_set(&c, name, value, "-X", err);
	options_parse(&o, &tool_consume, 1, argv, err);
	is_int(where_choose(d, &o, &c, err), want, "%s", what);
	options_release(&o);
	config_release(&c);
}

static void
places(void)
{
	struct where d;
	struct err err;
	char want[256];

	unsetenv("XDG_DATA_HOME");
	choose(&d, NULL, "", &err, 0, "nothing named");
	snprintf(want, sizeof(want), "%s/.local/share/mq", home);
	is_str(d.path, want, "the user's own store");
	is_str(d.reason, "default", "by default");
	where_release(&d);
	setenv("XDG_DATA_HOME", "/data", 1);
	choose(&d, NULL, "", &err, 0, "XDG_DATA_HOME");
	is_str(d.path, "/data/mq", "is where it lies");
	where_release(&d);
	choose(&d, NULL, "log.dirs=~/x", &err, 0, "configuration");
	snprintf(want, sizeof(want), "%s/x", home);
	is_str(d.path, want, "names it, ~ included");
	is_str(d.reason, "log.dirs in f:1", "and the reason says where");
	where_release(&d);
	setenv("MQ_DIR", "/env", 1);
	choose(&d, NULL, "log.dirs=/x", &err, 0, "MQ_DIR");
	is_str(d.path, "/env", "is nearer");
	where_release(&d);
	setenv("MQ_BROKERS", "h:1", 1);
	choose(&d, NULL, "", &err, -1, "MQ_DIR and MQ_BROKERS");
	is_int(err.code, ERR_INVALID, "are a usage error");
	choose(&d, "-d/opt", "", &err, 0, "but -d decides");
	is_str(d.path, "/opt", "over both");
	is_str(d.reason, "-d", "for that reason");
	where_release(&d);
	unsetenv("MQ_DIR");
	choose(&d, NULL, "", &err, 0, "brokers alone");
	is_str(d.brokers, "h:1", "are chosen");
	is_str(d.reason, "MQ_BROKERS", "for that reason");
	where_release(&d);
	choose(&d, "-dx", "", &err, 0, "-d");
	is_str(d.path, "x", "is nearer than they");
	where_release(&d);
	choose(&d, "-bh:2", "", &err, 0, "-b");
	is_str(d.brokers, "h:2", "too");
	where_release(&d);
	choose_given(&d, "bootstrap.servers", "h:3", &err, 0, "-X bootstrap.servers");
	is_str(d.brokers, "h:3", "is nearer than the environment");
	is_str(d.reason, "bootstrap.servers in -X", "for that reason");
	where_release(&d);
	choose_given(&d, "log.dirs", "/given", &err, 0, "-X log.dirs");
	is_str(d.path, "/given", "is, too, and than brokers in a file");
	where_release(&d);
	unsetenv("MQ_BROKERS");
	choose(&d, NULL, "bootstrap.servers=h:1", &err, 0, "brokers in a file");
	is_str(d.brokers, "h:1", "are chosen");
	is_str(d.reason, "bootstrap.servers in f:1", "and the file is named");
	where_release(&d);
	choose(&d, NULL, "bootstrap.servers=h:1\nlog.dirs=/x", &err, -1, "both in a file");
	is_int(err.code, ERR_CONFIG, "are a bad configuration");
}

int
main(void)
{
	report_set_level(OS_ERROR);
	if (mkdtemp(home) == NULL || chdir(home) == -1)
		return 1;
	setenv("HOME", home, 1);
	unsetenv("MQ_CONFIG");
	unsetenv("MQ_DIR");
	unsetenv("MQ_BROKERS");
	unsetenv("MQ_PROFILE");
	parsing();
	mistakes();
	tables();
	profiles();
	search();
	places();
	unlink("mq.conf");
	unlink("other.conf");
	unlink("cfg/mq/mq.conf");
	rmdir("cfg/mq");
	rmdir("cfg");
	rmdir(home);
	return tap_done();
}
