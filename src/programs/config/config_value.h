// SPDX-License-Identifier: MIT
// Texts of the configuration to numbers and back: counts, sizes and times with units. Private to
// config.
#ifndef WEFT_PROGRAMS_CONFIG_CONFIG_VALUE_H
#define WEFT_PROGRAMS_CONFIG_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "programs/config/config.h"

#define CONFIG_NUMBER_BYTES 32

/// Reads the value of a number, switch or choice. @return false with the reason in `error`.
bool config_value_parse(uint64_t *number_out, const struct config_option *option, const char *text,
                        char *error);
/// Writes it as it would stand in a file. @param text_out CONFIG_NUMBER_BYTES.
void config_value_format(char *text_out, const struct config_option *option, uint64_t number);

#endif
