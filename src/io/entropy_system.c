// SPDX-License-Identifier: MIT
// Implements io/entropy_system.h.
#include "io/entropy_system.h"

#include <sodium.h>

static void fill(struct entropy *self, void *bytes, size_t size)
{
    (void)self;
    randombytes_buf(bytes, size);
}

struct entropy *entropy_system(void)
{
    static struct entropy port = {.fill = fill};
    return &port;
}
