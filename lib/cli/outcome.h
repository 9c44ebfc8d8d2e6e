/*
 * outcome: the exit status of a command over several things, some of which may
 * fail: each failure is told when it happens, and the others are still done.
 */
#ifndef CLI_OUTCOME_H
#define CLI_OUTCOME_H

#include "base/error.h"
#include "cli/report.h"

struct outcome {
	size_t done, failed;
	int status; /* of the first failure */
};

/* One more was done. */
static inline void
outcome_done(struct outcome *o)
{
	o->done++;
}

/* One more has failed: prints the error. */
static inline void
outcome_fail(struct outcome *o, const struct err *err)
{
	int status = report_fail(err);

	if (o->failed++ == 0)
		o->status = status;
}

/* EXIT_OK; if nothing was done, the status of the first failure; else
 * EXIT_PARTLY. */
static inline int
outcome_status(const struct outcome *o)
{
	if (o->failed == 0)
		return EXIT_OK;
	return o->done == 0 ? o->status : EXIT_PARTLY;
}

#endif
