// SPDX-License-Identifier: MIT
// Virtual time as one node sees it.
#include "sim_clock.h"

#define UNIX_START_MS UINT64_C(1767225600000) // 2026-01-01
#define TEN_YEARS_MS (UINT64_C(10) * 365 * 24 * 3600 * 1000)

static uint64_t now_ms(struct clock *self)
{
    struct sim_clock *clock = (struct sim_clock *)self;
    return clock->start_ms + clock->world->now_us * clock->rate_ppm / 1000000 / 1000;
}

static uint64_t wall_ms(struct clock *self)
{
    struct sim_clock *clock = (struct sim_clock *)self;
    uint64_t exact = UNIX_START_MS + clock->world->now_us / 1000;
    return (uint64_t)((int64_t)exact + clock->wall_offset_ms);
}

void sim_clock_init(struct sim_clock *clock, struct world *world, bool skewed)
{
    *clock = (struct sim_clock){
        .port = {.now_ms = now_ms, .wall_ms = wall_ms}, .world = world, .rate_ppm = 1000000};
    clock->start_ms = world_random(world, 1000000000);
    if (skewed) {
        clock->rate_ppm = (uint32_t)world_between(world, 900000, 1100000);
        sim_clock_jump(clock);
    }
}

void sim_clock_jump(struct sim_clock *clock)
{
    uint64_t draw = world_random(clock->world, 2 * TEN_YEARS_MS);
    clock->wall_offset_ms = (int64_t)draw - (int64_t)TEN_YEARS_MS;
}
