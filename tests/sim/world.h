// SPDX-License-Identifier: MIT
// The simulated world: one seed, virtual time, and one heap of what will happen.
//
//        world_at(t, act) ---> heap ordered by (time, tie drawn from the seed) ---> act(context,
//        ...)
//
// All chance comes from the seed and time moves only from one happening to the next, so one seed is
// one history. The trace hash covers everything that crossed a port; two runs of a seed that differ
// in it have found a dependence on something outside of the ports. May include: base/.
#ifndef WEFT_SIM_WORLD_H
#define WEFT_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_LINES_MAX 60 // notes kept as the context of a failure
#define WORLD_LINE_BYTES 240
#define WORLD_FAILURE_BYTES 1000

/// What happens. `owned` is freed by the world after the call.
typedef void world_act(void *context, uint64_t a, uint64_t b, void *owned);

struct happening {
    uint64_t time_us;
    uint64_t tie;
    world_act *act;
    void *context; // outlives the world's run
    uint64_t a;
    uint64_t b;
    void *owned;
};

struct world {
    uint64_t seed;
    uint64_t random_state[4];
    uint64_t now_us;
    struct happening *heap;
    size_t heap_count;
    size_t heap_capacity;
    uint64_t steps;      // happenings so far
    uint64_t trace_hash; // of all that crossed a port
    bool verbose;        // print notes as they come
    bool failed;
    char failure[WORLD_FAILURE_BYTES];
    char (*lines)[WORLD_LINE_BYTES]; // ring of the last notes
    uint64_t line_count;
};

void world_init(struct world *world, uint64_t seed, bool verbose);
/// Frees what is still to happen, without letting it happen.
void world_finish(struct world *world);

/// A number in [0, bound); 0 for a bound of 0.
uint64_t world_random(struct world *world, uint64_t bound);
/// A number in [low, high].
uint64_t world_between(struct world *world, uint64_t low, uint64_t high);
bool world_chance(struct world *world, uint32_t per_mille);

/// Lets `act` happen at a time that is not before now. @param owned Taken; from malloc, or NULL.
void world_at(struct world *world, uint64_t time_us, world_act *act, void *context, uint64_t a,
              uint64_t b, void *owned);
void world_after(struct world *world, uint64_t delay_us, world_act *act, void *context, uint64_t a,
                 uint64_t b, void *owned);

/// Lets the next thing happen. @return false when nothing is left or something failed.
bool world_step(struct world *world);
/// Steps until `time_us`, nothing is left, or something failed.
void world_run_until(struct world *world, uint64_t time_us);

/// Takes bytes that crossed a port into the trace hash.
void world_trace(struct world *world, uint64_t tag, const void *bytes, size_t size);
/// One line of context.
void world_note(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/// Ends the run: a promise was broken. The first failure counts.
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/// Prints the last notes.
void world_print_context(const struct world *world);

/// Memory of the simulator itself: there is no going on without it.
void *world_resize(void *old, size_t size);

/// A stream of randomness of its own, for what must not depend on the order of other draws.
struct random_stream {
    uint64_t state;
};
uint64_t random_next(struct random_stream *stream);

#endif
