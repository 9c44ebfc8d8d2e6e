/*
 * tool: what tools begin and end with.
 */
#ifndef CLI_TOOL_H
#define CLI_TOOL_H

#include "cli/options.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/tools.h"
#include "os/os.h"

#define MQ_VERSION "0.1"

/* Names the tool, makes sure that descriptors 0 to 2 are open, sets signals,
 * parses argv, answers -h, -V, --dump-options and --complete-words, applies -q
 * and -v.
 * Returns -1: go on; else the exit status to end with. Release `o` after
 * either. */
int tool_start(struct options *o, const struct tool_spec *tool, int argc, char **argv);

/* Runs a tool that works on files, with an os whose notes are reported. Returns
 * what `run` does: the exit status. */
int tool_run(const struct options *o, int (*run)(struct os *os, const struct options *o));

/* True if colour is wanted on `fd`: --color, else a terminal, without NO_COLOR,
 * and TERM not "dumb". */
bool tool_color(const struct options *o, int fd);

#endif
