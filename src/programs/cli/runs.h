// SPDX-License-Identifier: MIT
// Operations as rows of an answer: for programs, and for people. May include: programs/cli.
#ifndef WEFT_PROGRAMS_CLI_RUNS_H
#define WEFT_PROGRAMS_CLI_RUNS_H

#include "programs/cli/history.h"
#include "programs/cli/output.h"

#define EXCERPT_WIDTH 60

/// Columns of run_cells() and of atom_cells(), in order; end with NULL.
extern const char *const run_columns[];
extern const char *const atom_columns[];

/// A run whole, as JSON. NULL without memory, as of all of these.
json_t *run_json(const struct history *history, const struct history_run *run);
/// A run in one line: what is in the columns.
json_t *run_cells(const struct history *history, const struct history_run *run);
json_t *atom_json(const struct history_atom *atom);
json_t *atom_cells(const struct history_atom *atom);

#endif
