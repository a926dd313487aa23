// SPDX-License-Identifier: MIT
// The configuration of a node: one table of options, each with one name in three spellings.
//
//   --max-frame-bytes 64KiB      WEFT_MAX_FRAME_BYTES=64KiB      max_frame_bytes = 64KiB
//          flag           >            environment         >          file         >   default
//
// What is not in the table is an error that names the nearest option: a typo in a limit must not go
// by in silence. Sizes and times have units. A list that is given at a higher place replaces the
// whole list of a lower one.
// May include: programs/serve/serve.h, inih.
#ifndef WEFT_PROGRAMS_CONFIG_CONFIG_H
#define WEFT_PROGRAMS_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "programs/serve/serve.h"

/// Suffices for every error text of this module.
#define CONFIG_ERROR_BYTES 512
/// Values of one list option.
#define CONFIG_LIST_MAX 64

enum config_source {
    CONFIG_DEFAULT,
    CONFIG_FILE,
    CONFIG_ENVIRONMENT,
    CONFIG_FLAG,
    CONFIG_SOURCES,
};

enum config_kind {
    CONFIG_TEXT,
    CONFIG_LIST,     // texts; in the environment separated by spaces or commas
    CONFIG_SWITCH,   // true or false; as a flag without a value
    CONFIG_COUNT,    // 1000
    CONFIG_SIZE,     // 64KiB
    CONFIG_TIME,     // 10s, 500ms; the field holds milliseconds
    CONFIG_FRACTION, // 0.5; the field holds thousandths
    CONFIG_CHOICE,   // one of `choices`; the field holds its index
};

/// One row of the table.
struct config_option {
    const char *name; // with underscores
    enum config_kind kind;
    size_t offset;       // of the field in struct serve_options
    size_t count_offset; // of a list's length
    size_t width;        // bytes of a number's field
    uint64_t minimum;    // of a number
    uint64_t maximum;
    uint64_t number;     // default of a number
    const char *text;    // default of a text; NULL: none
    const char *choices; // separated by |
    const char *value;   // what --help calls it
    const char *help;
    bool hidden;      // a switch meant for tests: not in --help
    bool secret_file; // names a file that holds a secret: WEFT_<NAME>_FILE is understood as well
};

/// The table, in the order in which it is printed.
const struct config_option *config_table(size_t *count_out);
/// By its name in any of the three spellings (the flag without its dashes). NULL: not in the table.
const struct config_option *config_find(const char *name);

struct config;

/// Nothing set. NULL when out of memory. The caller owns it: config_destroy().
struct config *config_create(void);
/// Takes NULL. What config_options() gave out points into it.
void config_destroy(struct config *config);

/// Sets one option at one place; a list grows by one.
/// @param where Says where for humans ("weft.conf:3"); copied. @param error CONFIG_ERROR_BYTES.
/// @return false with one line in `error`.
bool config_set(struct config *config, const struct config_option *option,
                enum config_source source, const char *value, const char *where, char *error);
/// Takes all variables that begin with WEFT_. @param environment As environ; borrowed.
bool config_read_environment(struct config *config, char *const *environment, char *error);
/// Reads `key = value` lines; # and ; begin comments.
bool config_read_file(struct config *config, const char *path, char *error);
/// The file that the environment names, or NULL.
const char *config_file_of_environment(char *const *environment);

/// What counts, as serve_run() takes it. Borrows from `config`.
struct serve_options config_options(const struct config *config);

/// What counts, one option at a time: `value` as it would stand in a file ("" when there is none).
void config_visit(const struct config *config,
                  void (*visit)(void *context, const struct config_option *option,
                                const char *value, enum config_source source, const char *where),
                  void *context);

/// Of `count` names the one nearest to `name` by edit distance; NULL when none is near.
const char *config_nearest(const char *name, const char *const *names, size_t count);

#endif
