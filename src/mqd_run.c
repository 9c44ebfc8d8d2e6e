/* What lasts as long as one command or one pipe: --ephemeral and --run. */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/report.h"
#include "cli/tools.h"
#include "mqd.h"
#include "mqd/broker.h"
#include "mqd/net/conn.h"

#define EXIT_NOT_RUNNABLE 126
#define EXIT_NO_COMMAND 127

/* --- the directory ---------------------------------------------------------------------- */

int
daemon_temporary(struct daemon *d, struct err *err)
{
	const char *tmp = getenv("TMPDIR");

	if (asprintf(&d->temporary, "%s/mqd.XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp") == -1) {
		d->temporary = NULL;
		return err_nomem(err);
	}
	if (mkdtemp(d->temporary) != NULL)
		return 0;
	err_sys(err, errno, "%s", d->temporary);
	free(d->temporary);
	d->temporary = NULL;
	return -1;
}

static int
each_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void
daemon_temporary_remove(struct daemon *d)
{
	if (d->temporary == NULL)
		return;
	if (nftw(d->temporary, each_remove, 16, FTW_DEPTH | FTW_PHYS) == -1)
		report_error("%s: %s", d->temporary, strerror(errno));
	free(d->temporary);
	d->temporary = NULL;
}

/* --- the command --------------------------------------------------------------------------- */

static void
addresses_put(const struct daemon *d, bool sockets, struct buf *to)
{
	size_t count;
	const struct net_listener *l = net_listeners(d->broker->net, &count);

	for (size_t i = 0; i < count; i++) {
		const char *address = l[i].listener.address;

		if (strncmp(address, "unix:", 5) == 0 && !sockets)
			continue;
		buf_printf(to, "%s%s", to->len > 0 ? "," : "", address);
	}
}

char *
daemon_addresses(const struct daemon *d)
{
	struct buf list = BUF_INIT;
	char *copy;

	addresses_put(d, false, &list);
	if (list.len == 0)
		addresses_put(d, true, &list);
	buf_cstr(&list);
	copy = list.failed ? NULL : strdup(buf_cstr(&list));
	buf_release(&list);
	return copy;
}

/* A word alone is the shell's; one with arguments is run as it is. */
static const char **
command_words(const struct options *o)
{
	const char **argv = calloc(o->operand_count + 4, sizeof(*argv));
	size_t n = 0;

	if (argv == NULL)
		return NULL;
	if (o->operand_count == 0) {
		argv[n++] = "/bin/sh";
		argv[n++] = "-c";
	}
	argv[n++] = options_value(o, OPT_RUN);
	for (size_t i = 0; i < o->operand_count; i++)
		argv[n++] = o->operands[i];
	return argv;
}

/* What is ignored here is not in the command. */
static int
spawn(const char **argv, pid_t *pid)
{
	posix_spawnattr_t attr;
	sigset_t defaults, none;
	int why;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGXFSZ);
	if ((why = posix_spawnattr_init(&attr)) != 0)
		return why;
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	why = posix_spawnp(pid, argv[0], NULL, &attr, (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attr);
	return why;
}

int
daemon_run(struct daemon *d)
{
	const char **argv = command_words(d->options);
	char *brokers = daemon_addresses(d);
	pid_t pid = -1;
	int why = ENOMEM;

	if (argv != NULL && brokers != NULL && setenv("MQ_BROKERS", brokers, 1) == 0) {
		unsetenv("MQ_DIR");
		why = spawn(argv, &pid);
	}
	if (why != 0)
		report_error("--run: %s: %s", options_value(d->options, OPT_RUN), strerror(why));
	free(argv);
	free(brokers);
	if (why != 0)
		return why == ENOENT ? EXIT_NO_COMMAND : EXIT_NOT_RUNNABLE;
	d->child = pid;
	d->child_fd = pidfd_open(pid, 0);
	return -1;
}

bool
daemon_run_ended(struct daemon *d)
{
	int status;

	if (d->child == -1 || waitpid(d->child, &status, WNOHANG) != d->child)
		return false;
	d->child_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	d->child = -1;
	if (d->child_fd != -1)
		close(d->child_fd);
	d->child_fd = -1;
	return true;
}
