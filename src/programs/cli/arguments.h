// SPDX-License-Identifier: MIT
// A command line, taken apart: options by name, and what remains.
#ifndef WEFT_PROGRAMS_CLI_ARGUMENTS_H
#define WEFT_PROGRAMS_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "programs/cli/command.h"
#include "programs/config/config.h"

#define ARGUMENTS_OPTIONS_MAX 64
#define ARGUMENTS_GIVEN_MAX 256

enum output_format { FORMAT_TABLE, FORMAT_JSON, FORMAT_NDJSON };

struct given_option {
    const char *name;
    const char *value; // "true" of a switch
};

struct arguments {
    const struct command *command;
    struct given_option given[ARGUMENTS_GIVEN_MAX]; // in their order
    size_t given_count;
    const char *const *positionals;
    int positional_count;
    enum output_format format;
    bool format_given;
    bool help;  // --help was asked for
    char **raw; // of a command that takes its words apart itself; raw[0] is the command's last word
    int raw_count;
};

/// Takes a command line apart. @param argv After the command's words; permuted. Borrowed.
/// @return EXIT_FINE, or EXIT_USAGE after saying why.
int arguments_parse(struct arguments *arguments_out, const struct command *command, int argc,
                    char **argv);

/// The last value of an option; NULL when it was not given.
const char *arguments_value(const struct arguments *arguments, const char *name);
bool arguments_has(const struct arguments *arguments, const char *name);
/// A number with units. @return EXIT_FINE (`*number_out` untouched when the option was not given),
/// or EXIT_USAGE after saying why.
int arguments_number(uint64_t *number_out, const struct arguments *arguments, const char *name,
                     enum config_kind kind, uint64_t minimum, uint64_t maximum);
/// The nth word that is no option, or NULL.
const char *arguments_word(const struct arguments *arguments, int index);

/// Prints a command's help on stdout; it fits a screen.
void arguments_help(const struct command *command);

#endif
