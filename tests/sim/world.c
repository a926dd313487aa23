// SPDX-License-Identifier: MIT
// The heap, the randomness (xoshiro256**, Blackman and Vigna 2018, seeded by splitmix64), the
// notes.
#include "world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

void *world_resize(void *old, size_t size)
{
    void *memory = realloc(old, size);
    if (memory == NULL && size > 0) {
        fprintf(stderr, "sim: out of memory\n");
        abort();
    }
    return memory;
}

uint64_t random_next(struct random_stream *stream)
{
    uint64_t z = (stream->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void world_init(struct world *world, uint64_t seed, bool verbose)
{
    *world = (struct world){.seed = seed, .verbose = verbose};
    struct random_stream stream = {seed};
    for (int i = 0; i < 4; i++)
        world->random_state[i] = random_next(&stream);
    world->lines = world_resize(NULL, sizeof(*world->lines) * WORLD_LINES_MAX);
}

void world_finish(struct world *world)
{
    for (size_t i = 0; i < world->heap_count; i++)
        free(world->heap[i].owned);
    free(world->heap);
    free(world->lines);
    world->heap = NULL;
    world->lines = NULL;
    world->heap_count = 0;
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static uint64_t draw(struct world *world)
{
    uint64_t *s = world->random_state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t world_random(struct world *world, uint64_t bound)
{
    return bound == 0 ? 0 : draw(world) % bound;
}

uint64_t world_between(struct world *world, uint64_t low, uint64_t high)
{
    assert(low <= high);
    return low + world_random(world, high - low + 1);
}

bool world_chance(struct world *world, uint32_t per_mille)
{
    return world_random(world, 1000) < per_mille;
}

// ------------------------------------------------------------------------------------------- heap

static bool is_before(const struct happening *a, const struct happening *b)
{
    return a->time_us != b->time_us ? a->time_us < b->time_us : a->tie < b->tie;
}

void world_at(struct world *world, uint64_t time_us, world_act *act, void *context, uint64_t a,
              uint64_t b, void *owned)
{
    assert(time_us >= world->now_us);
    if (world->heap_count == world->heap_capacity) {
        world->heap_capacity = world->heap_capacity == 0 ? 256 : world->heap_capacity * 2;
        world->heap = world_resize(world->heap, world->heap_capacity * sizeof(*world->heap));
    }
    struct happening new = {time_us, draw(world), act, context, a, b, owned};
    size_t at = world->heap_count++;
    while (at > 0 && is_before(&new, &world->heap[(at - 1) / 2])) {
        world->heap[at] = world->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->heap[at] = new;
}

void world_after(struct world *world, uint64_t delay_us, world_act *act, void *context, uint64_t a,
                 uint64_t b, void *owned)
{
    world_at(world, world->now_us + delay_us, act, context, a, b, owned);
}

static struct happening take_first(struct world *world)
{
    struct happening first = world->heap[0];
    struct happening moved = world->heap[--world->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= world->heap_count)
            break;
        if (child + 1 < world->heap_count &&
            is_before(&world->heap[child + 1], &world->heap[child]))
            child++;
        if (!is_before(&world->heap[child], &moved))
            break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = moved;
    return first;
}

bool world_step(struct world *world)
{
    if (world->heap_count == 0 || world->failed)
        return false;
    struct happening next = take_first(world);
    world->now_us = next.time_us;
    world->steps++;
    next.act(next.context, next.a, next.b, next.owned);
    free(next.owned);
    return !world->failed;
}

void world_run_until(struct world *world, uint64_t time_us)
{
    while (world->heap_count > 0 && world->heap[0].time_us <= time_us) {
        if (!world_step(world))
            return;
    }
    if (world->now_us < time_us)
        world->now_us = time_us;
}

// ------------------------------------------------------------------------------------------ notes

void world_trace(struct world *world, uint64_t tag, const void *bytes, size_t size)
{
    uint64_t head[3] = {world->trace_hash, world->now_us, tag};
    uint64_t hash = XXH3_64bits(head, sizeof(head));
    world->trace_hash = size == 0 ? hash : XXH3_64bits_withSeed(bytes, size, hash);
}

void world_note(struct world *world, const char *format, ...)
{
    char *line = world->lines[world->line_count++ % WORLD_LINES_MAX];
    int at = snprintf(line, WORLD_LINE_BYTES, "%10.6f  ", (double)world->now_us / 1e6);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + at, WORLD_LINE_BYTES - (size_t)at, format, arguments);
    va_end(arguments);
    if (world->verbose)
        puts(line);
}

void world_fail(struct world *world, const char *format, ...)
{
    if (world->failed)
        return;
    world->failed = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->failure, sizeof(world->failure), format, arguments);
    va_end(arguments);
}

void world_print_context(const struct world *world)
{
    uint64_t first = world->line_count > WORLD_LINES_MAX ? world->line_count - WORLD_LINES_MAX : 0;
    for (uint64_t i = first; i < world->line_count; i++)
        printf("    %s\n", world->lines[i % WORLD_LINES_MAX]);
}
