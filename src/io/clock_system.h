// SPDX-License-Identifier: MIT
// The clock port on the system's clocks. May include: node/ports.h, POSIX.
#ifndef WEFT_IO_CLOCK_SYSTEM_H
#define WEFT_IO_CLOCK_SYSTEM_H

#include "node/ports.h"

/// The port. Static; any thread.
struct clock *clock_system(void);

#endif
