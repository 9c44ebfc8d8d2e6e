#include "cli/connect.h"

#include "cli/report.h"
#include "cli/signals.h"
#include "cli/tool.h"
#include "store/store.h"

/* The longest wait for a lock, without -m. */
#define LOCK_WAIT_MS 60000

int
connection_init(struct connection *c, const struct options *o, enum connect_mode mode,
    bool take_properties)
{
	struct err err;
	int got;

	*c = (struct connection){.mode = mode, .timeout_ms = -1};
	config_init(&c->config);
	c->os = os_real_new(&err);
	if (c->os == NULL)
		return report_fail(&err);
	signals_wake(c->os);
	os_real_set_note(c->os, report_note, NULL);
	if (options_seconds(o, 'm', 0, INT64_MAX / 1000000, &c->timeout_ms, &err) == -1)
		return report_usage(&err);
	got = config_load(&c->config, o, take_properties, &err);
	if (got == 1)
		return EXIT_OK;
	if (got == -1 || where_choose(&c->where, o, &c->config, &err) == -1)
		return err.code == ERR_INVALID ? report_usage(&err) : report_fail(&err);
	if (c->where.brokers != NULL && target_broker_check(c->where.brokers, &err) == -1) {
		err_prefix(&err, "%s", c->where.reason);
		return report_usage(&err);
	}
	if (c->where.brokers != NULL)
		report_info("brokers %s (%s)", c->where.brokers, c->where.reason);
	else
		report_info("store %s (%s)", c->where.path, c->where.reason);
	return -1;
}

static struct broker_options
broker_options(const struct connection *c)
{
	return (struct broker_options){.servers = c->where.brokers,
	    .client_id = config_text(&c->config, PROP_CLIENT_ID),
	    .version = MQ_VERSION,
	    .timeout_ms = c->timeout_ms,
	    .auto_create_topics = config_number(&c->config, PROP_AUTO_CREATE_TOPICS) != 0,
	    .patient = c->is_patient && c->timeout_ms < 0,
	    .assignors = config_text(&c->config, PROP_ASSIGNORS),
	    .session_timeout_ms = config_number(&c->config, PROP_SESSION_TIMEOUT)};
}

static struct target *
open_store(struct connection *c, struct err *err)
{
	struct broker_options bo = broker_options(c);
	struct store_options so;

	store_options_default(&so);
	so.create = c->mode == CONNECT_WRITE;
	so.lock_wait_ms = c->timeout_ms >= 0 ? c->timeout_ms : LOCK_WAIT_MS;
	so.auto_create_topics = config_number(&c->config, PROP_AUTO_CREATE_TOPICS) != 0;
	return target_switch_new(c->os, c->where.path, &so, &bo, err);
}

int
connection_open(struct connection *c, struct err *err)
{
	struct broker_options bo = broker_options(c);

	c->target = c->where.brokers != NULL ? target_broker_new(c->os, &bo, err) : open_store(c, err);
	return c->target == NULL ? -1 : 0;
}

int
connection_wait(struct connection *c, struct call *call, struct err *err)
{
	if (target_wait(c->target, call) == 0)
		return 0;
	*err = call->err;
	return -1;
}

int
connection_admin(struct connection *c, struct admin_call *call, struct arena *arena,
    struct err *err)
{
	call->arena = arena;
	target_admin(c->target, call);
	return connection_wait(c, &call->call, err);
}

void
connection_release(struct connection *c)
{
	target_free(c->target);
	where_release(&c->where);
	config_release(&c->config);
	signals_wake(NULL);
	if (c->os != NULL)
		os_free(c->os);
}
