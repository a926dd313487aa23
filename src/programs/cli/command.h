// SPDX-License-Identifier: MIT
// What a command of the one binary is: its words, its options, its help, the function that runs it.
//
// Rules of all commands: data on stdout, words on stderr; `-` is stdin or stdout; a failure is one
// line that says what and why, and one of the exit codes below.
#ifndef WEFT_PROGRAMS_CLI_COMMAND_H
#define WEFT_PROGRAMS_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum exit_code {
    EXIT_FINE = 0,
    EXIT_DIFFERENT = 1,   // a negative answer: not equal, not there
    EXIT_USAGE = 2,       // the command line cannot be right
    EXIT_UNREACHABLE = 3, // no answer from a node
    EXIT_REFUSED = 4,     // an answer, and it is no; or the system says no
    EXIT_DAMAGED = 5,     // bytes that are not what they should be
};

struct command_option {
    const char *name;  // without dashes
    char letter;       // or '\0'
    const char *value; // what help calls its value; NULL: a switch
    const char *help;
};

struct arguments;

struct command {
    const char *name;                     // one word or two
    const char *arguments;                // as help shows them
    const char *summary;                  // one line
    const char *details;                  // a few lines more, or NULL
    const struct command_option *options; // ends with a NULL name; NULL: none
    const char *examples[2];
    int positional_min;
    int positional_max;
    bool formatted;  // takes -o table|json|ndjson
    bool configures; // takes every option of the configuration
    bool raw;        // takes its words apart itself
    int (*run)(const struct arguments *arguments);
};

/// All of them, in the order of the overview; ends with NULL.
extern const struct command *const commands[];

/// Says on stderr, in one line, what went wrong: "weft COMMAND: ...". @return `code`.
int complain(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/// A line on stderr that is no failure.
void remark(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// The command that complain() names.
void set_command_name(const char *name);
/// Milliseconds of a clock that never jumps.
uint64_t monotonic_ms(void);

// One file each, or two where they belong together.
extern const struct command serve_command;
extern const struct command ls_command;
extern const struct command cat_command;
extern const struct command put_command;
extern const struct command dump_command;
extern const struct command log_command;
extern const struct command show_command;
extern const struct command blame_command;
extern const struct command diff_command;
extern const struct command label_command;
extern const struct command why_command;
extern const struct command watch_command;
extern const struct command verify_command;
extern const struct command replay_command;
extern const struct command check_command;
extern const struct command backup_command;
extern const struct command members_command;
extern const struct command leave_command;
extern const struct command forget_command;
extern const struct command recovery_ls_command;
extern const struct command recovery_cat_command;
extern const struct command config_print_command;
extern const struct command config_check_command;
extern const struct command trace_generate_command;
extern const struct command bench_core_command;
extern const struct command bench_serve_command;

#endif
