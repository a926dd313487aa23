// SPDX-License-Identifier: MIT
// The clock port on virtual time. Each node's clock starts elsewhere and runs at a rate of its own;
// its wall clock may jump by years. May include: node/ports.h.
#ifndef WEFT_SIM_CLOCK_H
#define WEFT_SIM_CLOCK_H

#include "node/ports.h"

#include "world.h"

struct sim_clock {
    struct clock port;
    struct world *world;
    uint64_t start_ms;      // what it shows at virtual time 0
    uint32_t rate_ppm;      // of real time; 1,000,000 is exact
    int64_t wall_offset_ms; // from Unix time of 2026-01-01
};

/// @param skewed Whether rate and wall clock are off.
void sim_clock_init(struct sim_clock *clock, struct world *world, bool skewed);
/// Moves the wall clock by up to ten years, either way.
void sim_clock_jump(struct sim_clock *clock);

#endif
