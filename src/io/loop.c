// SPDX-License-Identifier: MIT
// Implements io/loop.h on libuv.
#include "io/loop.h"

#include <assert.h>

static void turn(struct loop *loop)
{
    if (!loop->stepped) {
        return;
    }
    loop_step(loop, &(struct node_event){.kind = NODE_TURN});
    loop->stepped = false;
}

static void prepared(uv_prepare_t *prepare)
{
    turn(prepare->data);
}

static void checked(uv_check_t *check)
{
    turn(check->data);
}

static void loop_ticked(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    uint64_t now_ns = uv_hrtime();
    uint64_t passed_ns = now_ns - loop->ticked_ns;
    uint64_t expected_ns = LOOP_TICK_MS * UINT64_C(1000000);
    loop->lag_ns = passed_ns > expected_ns ? passed_ns - expected_ns : 0;
    if (loop->lag_ns > loop->lag_max_ns) {
        loop->lag_max_ns = loop->lag_ns;
    }
    loop->ticked_ns = now_ns;
    loop_step(loop, &(struct node_event){.kind = NODE_TICK});
}

bool loop_init(struct loop *loop, loop_receiver *receiver, void *context)
{
    *loop = (struct loop){.receiver = receiver, .context = context};
    if (uv_loop_init(&loop->uv) != 0) {
        return false;
    }
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_timer_init(&loop->uv, &loop->tick);
    loop->prepare.data = loop;
    loop->check.data = loop;
    loop->tick.data = loop;
    return true;
}

void loop_run(struct loop *loop)
{
    uv_prepare_start(&loop->prepare, prepared);
    uv_check_start(&loop->check, checked);
    uv_timer_start(&loop->tick, loop_ticked, LOOP_TICK_MS, LOOP_TICK_MS);
    loop->ticked_ns = uv_hrtime();
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_prepare_stop(&loop->prepare);
    uv_check_stop(&loop->check);
    uv_timer_stop(&loop->tick);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_finish(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int failed = uv_loop_close(&loop->uv);
    assert(failed == 0); // somebody left a handle open
    (void)failed;
}

void loop_step(struct loop *loop, const struct node_event *event)
{
    assert(!loop->stepping); // ports never call back into the node
    loop->stepping = true;
    loop->stepped = true;
    loop->receiver(loop->context, event);
    loop->stepping = false;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

uint64_t loop_lag_max_ns(struct loop *loop)
{
    uint64_t lag_ns = loop->lag_max_ns;
    loop->lag_max_ns = loop->lag_ns;
    return lag_ns;
}
