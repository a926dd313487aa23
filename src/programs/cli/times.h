// SPDX-License-Identifier: MIT
// Moments as words: ISO 8601 (RFC 3339), in UTC when written. May include: nothing.
#ifndef WEFT_PROGRAMS_CLI_TIMES_H
#define WEFT_PROGRAMS_CLI_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#define TIME_BYTES 32 // a written time and a NUL

/// 2026-11-25T00:46:22.123Z; "-" for 0, which is no known time.
void time_format(char text_out[TIME_BYTES], uint64_t wall_ms);

/// Reads 2026-11-25, 2026-11-25T00:46, ...:22, ...:22.123, each with Z, +HH:MM, -HH:MM or nothing
/// behind it, which is UTC; a space may stand for the T. @param ms_out The last millisecond that is
/// meant: a day, a minute or a second ends with its last. @return whether it is a time.
bool time_parse(uint64_t *ms_out, const char *text);

#endif
