// SPDX-License-Identifier: MIT
// The benchmark of libweft: editing traces, replayed in all ways that documents know.
#ifndef WEFT_BENCH_CORE_H
#define WEFT_BENCH_CORE_H

/// `argv[0]` is the name to be shown. Prints a table, or one JSON object per line and trace.
/// @return the exit code: 0; 1 when a text was not what it must be or a call failed; 2 for wrong
/// usage.
int bench_core(int argc, char **argv);

#endif
