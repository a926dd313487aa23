// SPDX-License-Identifier: MIT
// The entropy port on the system's random source. May include: node/ports.h, libsodium.
#ifndef WEFT_IO_ENTROPY_SYSTEM_H
#define WEFT_IO_ENTROPY_SYSTEM_H

#include "node/ports.h"

/// The port. Static; any thread. seal_start() must have been called.
struct entropy *entropy_system(void);

#endif
