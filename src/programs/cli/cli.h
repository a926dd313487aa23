// SPDX-License-Identifier: MIT
// The command line as a function.
#ifndef WEFT_PROGRAMS_CLI_CLI_H
#define WEFT_PROGRAMS_CLI_CLI_H

/// @param argv Permuted. @return the exit code.
int cli_run(int argc, char **argv);

#endif
