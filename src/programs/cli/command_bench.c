// SPDX-License-Identifier: MIT
// weft bench: the benchmarks that need nothing but this binary.
#include "bench/core.h"
#include "programs/cli/arguments.h"

static int run_core(const struct arguments *arguments)
{
    return bench_core(arguments->raw_count, arguments->raw);
}

const struct command bench_core_command = {
    .name = "bench core",
    .arguments = "[OPTIONS] [TRACE...]",
    .summary = "Measures libweft on editing histories: time, bytes and memory.",
    .examples = {"weft bench core", "weft bench core --help"},
    .raw = true,
    .run = run_core,
};
