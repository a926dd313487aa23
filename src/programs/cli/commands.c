// SPDX-License-Identifier: MIT
// The table of commands.
#include <stdio.h>

#include <weft/weft.h>

#include "codec/wire.h"
#include "programs/cli/arguments.h"
#include "programs/cli/command.h"

static int run_version(const struct arguments *arguments)
{
    (void)arguments;
    printf("weft %d.%d.%d (wire protocol %d)\n", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR,
           WEFT_VERSION_PATCH, WIRE_VERSION);
    return EXIT_FINE;
}

static const struct command version_command = {
    .name = "version",
    .arguments = "",
    .summary = "Prints the version.",
    .examples = {"weft version", "weft --version"},
    .run = run_version,
};

const struct command *const commands[] = {
    &serve_command,
    // documents
    &ls_command,
    &cat_command,
    &put_command,
    &dump_command,
    &log_command,
    &show_command,
    &blame_command,
    &diff_command,
    &label_command,
    &why_command,
    &watch_command,
    &verify_command,
    &replay_command,
    // nodes and their directories
    &check_command,
    &backup_command,
    &members_command,
    &leave_command,
    &forget_command,
    &recovery_ls_command,
    &recovery_cat_command,
    &config_print_command,
    &config_check_command,
    // measuring
    &trace_generate_command,
    &bench_core_command,
    &bench_serve_command,
    &version_command,
    NULL,
};
