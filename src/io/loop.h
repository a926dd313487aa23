// SPDX-License-Identifier: MIT
// The one loop thread: what is ready is stepped into the node, then one NODE_TURN closes the turn.
//
//   timers, closing handles -> loop_step()...  prepare: NODE_TURN if anything was stepped
//   wait for what is ready
//   sockets, store, peers   -> loop_step()...  check:   NODE_TURN if anything was stepped
//
// Every event of the node goes through loop_step(), so that a turn is exactly one iteration of the
// loop. NODE_TICK comes every LOOP_TICK_MS; how late it comes is the loop's lag.
// May include: node/, libuv.
#ifndef WEFT_IO_LOOP_H
#define WEFT_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <weft/status.h>

#include "node/node.h"

#define LOOP_TICK_MS 100

/// Takes one event: node_step() of a node.
typedef void loop_receiver(void *context, const struct node_event *event);

/// In place; must not move between init and finish.
struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t tick;
    loop_receiver *receiver;
    void *context;
    bool stepped;  // since the last NODE_TURN
    bool stepping; // inside of the receiver
    uint64_t ticked_ns;
    uint64_t lag_ns;     // of the last tick
    uint64_t lag_max_ns; // since loop_lag_max_ns()
};

/// @return false when the system refuses a loop.
WEFT_MUST_USE bool loop_init(struct loop *loop, loop_receiver *receiver, void *context);
/// Runs until loop_stop(). NODE_TICK and NODE_TURN come only while it runs.
void loop_run(struct loop *loop);
/// Lets loop_run() return after this iteration.
void loop_stop(struct loop *loop);
/// Closes the loop's own handles, and runs until those that others closed are gone too.
void loop_finish(struct loop *loop);

/// Steps one event. Never from inside of a port call.
void loop_step(struct loop *loop, const struct node_event *event);

/// Monotonic milliseconds as of this iteration: cheap, and good enough for deadlines of seconds.
uint64_t loop_now_ms(const struct loop *loop);
/// The greatest lag since this was asked last.
uint64_t loop_lag_max_ns(struct loop *loop);

#endif
