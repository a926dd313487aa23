// SPDX-License-Identifier: MIT
// The benchmark of a running node: a storm of connections, then typing that all of them hear.
#ifndef WEFT_BENCH_SERVE_H
#define WEFT_BENCH_SERVE_H

#include <stdint.h>

#include "swarm.h"

struct serve_bench {
    struct swarm_options swarm;
    double rate;      // edits a second and document; 0: each when all have the last one
    uint64_t seconds; // of typing
    uint64_t pid;     // of the node, when it runs on this machine; 0: not known
};

struct serve_bench_result {
    uint32_t joined;
    uint32_t failed;
    double storm_s; // from the first connect() to the last JOINED
    double typing_s;
    uint64_t edits;
    uint64_t deliveries;
    // milliseconds
    double join_p50, join_p99, join_max;
    double delivery_p50, delivery_p99, delivery_max;
    double ack_p50, ack_p99, ack_max;
    // of the node, when its pid is known
    double storm_cpu_us;           // a connection
    double typing_cpu_us;          // a delivery
    double connection_bytes;       // resident memory, a connection
    char error[SWARM_ERROR_BYTES]; // of the first connection that failed
};

/// @param progress Called with what is done, about once a second; may be NULL.
/// @return NULL, or what went wrong.
const char *bench_serve(struct serve_bench_result *result_out, const struct serve_bench *bench,
                        void (*progress)(const char *line));

#endif
