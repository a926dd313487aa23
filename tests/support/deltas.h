// SPDX-License-Identifier: MIT
// Deltas written run by run, so that tests can say what no document would: an encoder of its own,
// after docs/delta-format.md.
#ifndef WEFT_TESTS_DELTAS_H
#define WEFT_TESTS_DELTAS_H

#include <weft/doc.h>

enum { DELTA_RUNS_MAX = 64 }; // of one delta made here

/// Appends a delta of these runs, in this order, whatever they say.
void delta_of_runs(struct weft_buffer *out, const struct weft_run *runs, size_t count);

#endif
