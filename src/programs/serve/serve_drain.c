// SPDX-License-Identifier: MIT
// The way out: a signal, or leaving the cluster, drains; a second signal or SERVE_DRAIN_MS ends.
#include "programs/serve/serve_impl.h"

#include <signal.h>
#include <stdio.h>

static void drain(struct serve *serve, const char *why)
{
    char details[64];
    serve->draining = true;
    serve->drain_end_ms = loop_now_ms(&serve->loop) + SERVE_DRAIN_MS;
    snprintf(details, sizeof(details), "why=%s limit_ms=%d", why, SERVE_DRAIN_MS);
    log_write(serve->log, NODE_LOG_NOTICE, "draining", details);
    node_drain(serve->node);
    clients_drain(serve->clients);
    http_api_drain(serve->http);
}

static void signalled(uv_signal_t *handle, int number)
{
    struct serve *serve = handle->data;
    if (serve->draining) {
        log_write(serve->log, NODE_LOG_WARNING, "ended_before_drained", "why=second_signal");
        loop_stop(&serve->loop);
        return;
    }
    drain(serve, number == SIGINT ? "SIGINT" : "SIGTERM");
}

void serve_watch_signals(struct serve *serve)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_start(&serve->signals[i], signalled, numbers[i]);
    }
}

void serve_drain_tick(struct serve *serve)
{
    if (!serve->draining) {
        if ((node_unready(serve->node) & NODE_UNREADY_DRAINING) != 0) {
            drain(serve, "left_the_cluster");
        }
        return;
    }
    bool quiet = node_drained(serve->node) && peers_flushed(serve->peers) &&
                 clients_count(serve->clients).clients == 0 &&
                 http_api_count(serve->http).connections == 0;
    if (quiet) {
        log_write(serve->log, NODE_LOG_NOTICE, "drained", NULL);
        loop_stop(&serve->loop);
    } else if (loop_now_ms(&serve->loop) >= serve->drain_end_ms) {
        log_write(serve->log, NODE_LOG_WARNING, "ended_before_drained", "why=time_is_up");
        loop_stop(&serve->loop);
    }
}
