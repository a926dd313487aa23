// SPDX-License-Identifier: MIT
// weft trace generate: editing histories for those who have none.
#include <string.h>
#include <unistd.h>

#include "programs/cli/arguments.h"
#include "programs/trace/trace.h"

static int run_generate(const struct arguments *arguments)
{
    uint64_t edits = 10000;
    uint64_t authors = 1;
    uint64_t seed = 1;
    const char *path = arguments_word(arguments, 0);
    struct trace trace;
    char error[TRACE_ERROR_SIZE];
    int code = arguments_number(&edits, arguments, "edits", CONFIG_COUNT, 1, TRACE_EDITS_MAX);
    if (code == EXIT_FINE)
        code = arguments_number(&authors, arguments, "authors", CONFIG_COUNT, 1, TRACE_AUTHORS_MAX);
    if (code == EXIT_FINE)
        code = arguments_number(&seed, arguments, "seed", CONFIG_COUNT, 0, UINT64_MAX);
    if (code != EXIT_FINE)
        return code;
    if (path != NULL && strcmp(path, "-") == 0)
        path = NULL;
    if (path == NULL && isatty(STDOUT_FILENO) == 1)
        return complain(EXIT_USAGE, "a trace is compressed: name a FILE, or send stdout somewhere");
    if (trace_generate(&trace, edits, authors, seed, error) != WEFT_OK)
        return complain(EXIT_REFUSED, "%s", error);
    if (trace_write(&trace, path, error) != WEFT_OK)
        code = complain(EXIT_REFUSED, "%s", error);
    trace_finish(&trace);
    return code;
}

static const struct command_option generate_options[] = {
    {"edits", 'e', "N", "how many; default 10000"},
    {"authors", 'a', "M", "who edit at the same time; default 1"},
    {"seed", 's', "S", "the same seed gives the same history; default 1"},
    {.name = NULL},
};

const struct command trace_generate_command = {
    .name = "trace generate",
    .arguments = "[FILE|-]",
    .summary = "Makes up an editing history: typing, slips, moves, pastes, concurrency.",
    .options = generate_options,
    .examples = {"weft trace generate --edits 50000 trace.json.gz",
                 "weft trace generate --authors 3 --seed 7 > three.json.gz"},
    .positional_max = 1,
    .run = run_generate,
};
