// SPDX-License-Identifier: MIT
// Implements io/clock_system.h.
#include "io/clock_system.h"

#include <time.h>

static uint64_t read_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t now_ms(struct clock *self)
{
    (void)self;
    return read_ms(CLOCK_MONOTONIC);
}

static uint64_t wall_ms(struct clock *self)
{
    (void)self;
    return read_ms(CLOCK_REALTIME);
}

struct clock *clock_system(void)
{
    static struct clock port = {.now_ms = now_ms, .wall_ms = wall_ms};
    return &port;
}
