/*
 * mqd: the parts of the daemon's entry, and what they share.
 *
 * mqd.c starts a broker, turns its loop and stops it; mqd_config.c says what from
 * (file, options, environment) and answers --check; mqd_log.c writes the log;
 * mqd_notify.c talks to the service manager; mqd_run.c has what --ephemeral and --run
 * need. All that a broker does is in src/mqd/, which makes no system call.
 */
#ifndef MQD_H
#define MQD_H

#include "cli/options.h"
#include "mqd/config.h"
#include "os/os.h"

struct broker;
struct metrics;

struct daemon {
	const struct options *options;
	struct os *os;
	struct broker_config config;
	char dir_reason[40]; /* why that directory */
	struct broker *broker;
	struct metrics *metrics; /* NULL: none */
	char *temporary;         /* the directory of --ephemeral and --run; NULL: none */
	struct os_timer watchdog;
	int64_t watchdog_ms;
	int child, child_fd; /* of --run; -1 */
	int child_status;    /* what it ended with */
	bool stopping, stopped;
};

/* --- mqd_config.c --------------------------------------------------------------------- */

/* Fills `c` from -F, the environment and the options. -1 with err: ERR_INVALID (the
 * command line), ERR_CONFIG, ERR_NOT_FOUND (-F)... */
int daemon_config_load(struct daemon *d, struct broker_config *c, struct err *err);

/* Notes what is worth knowing of it. */
void daemon_config_tell(struct daemon *d, const struct broker_config *c);

/* --check: what would hold, to stdout. */
void daemon_config_print(const struct broker_config *c);

/* "-X list": all keys. */
void daemon_keys_print(void);

/* --- mqd_log.c ---------------------------------------------------------------------------- */

/* From which level on lines are written. */
void daemon_log_init(enum os_level level);

/* A line of the log, for os_real_set_note; any thread. */
void daemon_log(void *ctx, enum os_level level, const char *text);

/* --- mqd_notify.c -------------------------------------------------------------------------- */

/* Tells the service manager "READY=1" or the like; nothing if there is none. */
void daemon_notify(const char *state);

/* How often it wants to hear "WATCHDOG=1", in ms; 0: never. */
int64_t daemon_watchdog_ms(void);

/* --- mqd_run.c -------------------------------------------------------------------------------- */

/* Makes the temporary directory. */
int daemon_temporary(struct daemon *d, struct err *err);

/* Removes it and all in it. */
void daemon_temporary_remove(struct daemon *d);

/* Where clients connect: "127.0.0.1:40001,...". Allocated; NULL: no memory. */
char *daemon_addresses(const struct daemon *d);

/* --run: starts the command. The exit status if it cannot be, else -1. */
int daemon_run(struct daemon *d);

/* Takes its status if it has ended. */
bool daemon_run_ended(struct daemon *d);

#endif
