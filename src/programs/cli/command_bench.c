// SPDX-License-Identifier: MIT
// weft bench: the benchmarks that need nothing but this binary.
#include <string.h>

#include "bench/core.h"
#include "programs/cli/arguments.h"

static int run_core(const struct arguments *arguments)
{
    const char *first = arguments->raw_count > 1 ? arguments->raw[1] : "";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        arguments_help(arguments->command);
        return EXIT_FINE;
    }
    return bench_core(arguments->raw_count, arguments->raw);
}

const struct command bench_core_command = {
    .name = "bench core",
    .arguments = "[-o table|ndjson] [--seconds S] [TRACE...]",
    .summary = "Measures libweft on editing histories: time, bytes and memory.",
    .details =
        "TRACE is a file, or a part of the name of a trace in $WEFT_TRACES or in\n"
        "../shared/traces beside the source tree; without one: all there are, else made-up ones.\n"
        "Each figure is repeated for S seconds, default 1.",
    .examples = {"weft bench core", "weft bench core -o ndjson --seconds 3 trace.json.gz"},
    .raw = true,
    .run = run_core,
};
