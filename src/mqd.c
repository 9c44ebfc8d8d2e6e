/* mqd: serves a data directory to Kafka clients. */
#include "mqd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/tool.h"
#include "mqd/broker.h"
#include "mqd/ops/metrics.h"
#include "os/os_real.h"
#include "programs.h"

/* How often a command of --run is looked at where its end cannot be waited for. */
#define LOOK_MS 100

static bool
has(const struct daemon *d, int option)
{
	return options_has(d->options, option);
}

/* --- start ------------------------------------------------------------------------------- */

static int
usage_check(const struct daemon *d, struct err *err)
{
	const struct options *o = d->options;

	if (o->operand_count > 0 && !has(d, OPT_RUN))
		return err_set(err, ERR_INVALID, "'%s': mqd takes no operand without --run (use -d DIR)",
		    o->operands[0]);
	if (has(d, OPT_EPHEMERAL) && has(d, 'd'))
		return err_set(err, ERR_INVALID, "--ephemeral and -d exclude each other");
	/* Their directory is there only while they run. */
	if (has(d, OPT_CHECK) && (has(d, OPT_EPHEMERAL) || has(d, OPT_RUN)))
		return err_set(err, ERR_INVALID, "--check starts nothing, neither --ephemeral nor --run");
	return 0;
}

static bool
is_temporary(const struct daemon *d)
{
	return has(d, OPT_EPHEMERAL) || (has(d, OPT_RUN) && !has(d, 'd'));
}

/* Beside a command only what is wrong is worth a line. */
static void
log_start(const struct daemon *d)
{
	enum os_level level = has(d, OPT_EPHEMERAL) || has(d, OPT_RUN) ? OS_WARN : OS_INFO;

	if (has(d, 'q'))
		level = OS_ERROR;
	if (has(d, 'v'))
		level = options_count(d->options, 'v') > 1 || level == OS_INFO ? OS_DEBUG : OS_INFO;
	daemon_log_init(level);
	os_real_set_note(d->os, daemon_log, NULL);
}

static void
watchdog_fire(struct os_timer *t)
{
	struct daemon *d = t->ctx;

	daemon_notify("WATCHDOG=1");
	os_timer_start(d->os, t, d->watchdog_ms);
}

static void
ready(struct daemon *d)
{
	os_note(d->os, OS_INFO, "ready");
	daemon_notify("READY=1");
	d->watchdog_ms = daemon_watchdog_ms();
	d->watchdog = (struct os_timer){.fire = watchdog_fire, .ctx = d};
	if (d->watchdog_ms > 0)
		os_timer_start(d->os, &d->watchdog, d->watchdog_ms);
}

/* --- running ------------------------------------------------------------------------------ */

static void
on_stopped(void *ctx)
{
	struct daemon *d = ctx;

	d->stopped = true;
}

static void
stop(struct daemon *d, const char *why)
{
	if (d->stopping)
		return;
	d->stopping = true;
	os_note(d->os, OS_INFO, "stopping: %s", why);
	daemon_notify("STOPPING=1");
	broker_stop(d->broker, on_stopped, d);
}

static void
reload(struct daemon *d)
{
	struct broker_config fresh;
	struct err err;

	daemon_notify("RELOADING=1");
	broker_config_init(&fresh);
	if (daemon_config_load(d, &fresh, &err) == -1 ||
	    broker_config_reload(&d->config, &fresh, &err) == -1) {
		os_note(d->os, OS_ERROR, "not reloaded: %s", err.text);
	} else {
		daemon_config_tell(d, &fresh);
		broker_reloaded(d->broker);
		os_note(d->os, OS_INFO, "reloaded");
	}
	broker_config_release(&fresh);
	daemon_notify("READY=1");
}

/* A command of --run is told first, and ends first. */
static void
signal_obey(struct daemon *d, int signo)
{
	static int told;

	if (d->child == -1)
		stop(d, strsignal(signo));
	else if (told++ == 0 && signo != SIGINT)
		kill(d->child, signo);
}

/* True at the end of standard input; what comes before is not looked at. */
static bool
input_ended(void)
{
	char skipped[4096];
	ssize_t n = read(STDIN_FILENO, skipped, sizeof(skipped));

	return n == 0 || (n == -1 && errno != EINTR && errno != EAGAIN);
}

static int
wait_for(struct daemon *d)
{
	bool child = d->child != -1, input = has(d, OPT_EPHEMERAL) && !has(d, OPT_RUN);
	int fd = child ? d->child_fd : input ? STDIN_FILENO : -1, r;

	if (d->stopping || fd == -1)
		return os_turn(d->os, child ? LOOK_MS : -1);
	r = os_real_turn_fd(d->os, fd, POLLIN, -1);
	if (r == 1 && input && input_ended())
		stop(d, "end of input");
	return r;
}

static int
serve(struct daemon *d)
{
	while (!d->stopped) {
		if (signals_caught() != 0)
			signal_obey(d, signals_caught());
		if (signals_hup() && !d->stopping)
			reload(d);
		if (wait_for(d) == -1) {
			report_error("cannot wait: %s", strerror(errno));
			return EXIT_IO;
		}
		if (daemon_run_ended(d))
			stop(d, "the command has ended");
	}
	signals_forget();
	os_note(d->os, OS_INFO, "stopped");
	if (has(d, OPT_RUN))
		return d->child_status;
	return d->broker->failed ? EXIT_IO : EXIT_OK;
}

/* What a script waits for: one line with the addresses. */
static int
begin(struct daemon *d)
{
	char *brokers;

	if (has(d, OPT_RUN))
		return daemon_run(d);
	if (!has(d, OPT_EPHEMERAL))
		return -1;
	if ((brokers = daemon_addresses(d)) != NULL)
		printf("BROKERS=%s\n", brokers);
	free(brokers);
	return report_finish(EXIT_OK) == EXIT_OK ? -1 : EXIT_IO;
}

static int
broker_run(struct daemon *d)
{
	struct err err;
	int status;

	os_note(d->os, OS_INFO, "mqd %s: %s (%s)", MQ_VERSION, d->config.dir, d->dir_reason);
	daemon_config_tell(d, &d->config);
	d->broker = broker_new(d->os, &d->config, &err);
	if (d->broker == NULL)
		return report_fail(&err);
	d->broker->trace = options_count(d->options, 'v') > 1;
	if (d->config.metrics_listen != NULL) {
		d->metrics = metrics_new(d->broker, d->config.metrics_listen, &err);
		if (d->metrics == NULL) {
			status = report_fail(&err);
			stop(d, "no metrics");
			serve(d);
			return status;
		}
		os_note(d->os, OS_INFO, "metrics on %s", metrics_address(d->metrics));
	}
	ready(d);
	/* A command that cannot run, or a closed stdout: there is nothing to wait for. */
	if ((status = begin(d)) == -1)
		return serve(d);
	stop(d, "nothing to do");
	serve(d);
	return status;
}

/* --- all of it ------------------------------------------------------------------------------ */

static int
configured(struct daemon *d)
{
	struct err err;

	if (usage_check(d, &err) == -1)
		return report_usage(&err);
	if (is_temporary(d) && daemon_temporary(d, &err) == -1)
		return report_fail(&err);
	if (daemon_config_load(d, &d->config, &err) == -1)
		return report_usage(&err);
	if (!has(d, OPT_CHECK))
		return broker_run(d);
	for (size_t i = 0; i < d->config.warning_count; i++)
		report_warn("%s", d->config.warnings[i]);
	daemon_config_print(&d->config);
	return EXIT_OK;
}

static bool
wants_list(const struct options *o)
{
	const char *text = options_value(o, 'X');

	return text != NULL && strcmp(text, "list") == 0;
}

int
mqd(const struct options *o)
{
	struct daemon d = {.options = o, .child = -1, .child_fd = -1};
	struct err err;
	int status;

	if (wants_list(o)) {
		daemon_keys_print();
		return EXIT_OK;
	}
	if ((d.os = os_real_new(&err)) == NULL)
		return report_fail(&err);
	signals_keep_hup();
	signals_wake(d.os);
	log_start(&d);
	broker_config_init(&d.config);
	status = configured(&d);
	/* The loop has failed, and workers may be in the middle of something: the process
	 * ends as if it was killed. */
	if (d.broker != NULL && !d.stopped)
		return status;
	if (d.metrics != NULL)
		metrics_free(d.metrics);
	broker_free(d.broker);
	broker_config_release(&d.config);
	signals_wake(NULL);
	os_free(d.os);
	daemon_temporary_remove(&d);
	return status;
}
