// SPDX-License-Identifier: MIT
// SIGINT and SIGTERM end a command that follows something, after it has said what it has.
#ifndef WEFT_PROGRAMS_CLI_INTERRUPT_H
#define WEFT_PROGRAMS_CLI_INTERRUPT_H

#include <stdbool.h>

void interrupt_watch(void);
bool interrupted(void);

#endif
