/*
 * connect: where the data is, as options, environment and configuration say,
 * and the target for it. What every tool but mq-dump-log begins with.
 *
 * cli stands above client: it may use targets; client knows nothing of cli.
 */
#ifndef CLI_CONNECT_H
#define CLI_CONNECT_H

#include "cli/config.h"
#include "cli/options.h"
#include "client/target.h"
#include "os/os_real.h"

enum connect_mode {
	CONNECT_READ,  /* never makes a store */
	CONNECT_WRITE, /* makes a missing one */
};

struct connection {
	struct os *os;
	struct target *target; /* NULL until connection_open */
	struct config config;
	struct where where;
	enum connect_mode mode;
	int64_t timeout_ms; /* -m; -1: not given */
	bool is_patient; /* set before connection_open: brokers that go are waited for without -m */
};

/* Makes the os, reads -b -d -F -X -m, the environment and the configuration file.
 * With `take_properties` false, -X is the caller's (mq-topics create). Returns
 * -1: go on; else an exit status, after having said why. Release in any case. */
int connection_init(struct connection *c, const struct options *o, enum connect_mode mode,
    bool take_properties);

/* Opens the target; brokers are connected to when something is asked of them. Returns
 * 0, or -1 with err. */
int connection_open(struct connection *c, struct err *err);

/* Waits for a call that was started. Returns 0, or -1 with the call's error. */
int connection_wait(struct connection *c, struct call *call, struct err *err);

/* Does an admin call and waits for it; what it finds lies in `arena`. */
int connection_admin(struct connection *c, struct admin_call *call, struct arena *arena,
    struct err *err);

void connection_release(struct connection *c);

#endif
