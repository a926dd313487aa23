// SPDX-License-Identifier: MIT
// Implements serve.h.
#include "serve.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STORM_SECONDS_MAX = 120, SETTLE_SECONDS_MAX = 10 };

static const uint64_t second_ns = 1000000000U;

/// What a process has used; zeroes when it cannot be told.
struct usage {
    double cpu_us;
    double resident_bytes;
};

static struct usage usage_of(uint64_t pid)
{
    struct usage usage = {0};
    char line[1024] = "";
    unsigned long user = 0;
    unsigned long system = 0;
    long pages = 0;
    snprintf(line, sizeof(line), "/proc/%llu/stat", (unsigned long long)pid);
    FILE *file = pid > 0 ? fopen(line, "r") : NULL;
    if (file == NULL)
        return usage;
    // Behind the name, which may hold anything: state, 10 numbers, utime, stime, 8 more, rss.
    const char *at = fgets(line, sizeof(line), file) != NULL ? strrchr(line, ')') : NULL;
    if (at != NULL && sscanf(at + 1,
                             " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d "
                             "%*d %*d %*u %*u %ld",
                             &user, &system, &pages) == 3) {
        usage.cpu_us = (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
        usage.resident_bytes = (double)pages * (double)sysconf(_SC_PAGESIZE);
    }
    fclose(file);
    return usage;
}

static double quantile_ms(const struct latencies *latencies, double share)
{
    return (double)latencies_quantile(latencies, share) / 1e6;
}

static const char *storm(struct serve_bench_result *result, struct swarm *swarm, uint64_t pid)
{
    struct usage before = usage_of(pid);
    uint64_t began = swarm_now_ns();
    const char *error = swarm_storm(swarm, began + STORM_SECONDS_MAX * second_ns);
    result->storm_s = (double)(swarm_now_ns() - began) / 1e9;
    struct usage after = usage_of(pid);
    result->joined = swarm->joined;
    if (swarm->joined > 0) {
        result->storm_cpu_us = (after.cpu_us - before.cpu_us) / swarm->joined;
        result->connection_bytes = (after.resident_bytes - before.resident_bytes) / swarm->joined;
    }
    result->join_p50 = quantile_ms(&swarm->joining, 0.5);
    result->join_p99 = quantile_ms(&swarm->joining, 0.99);
    result->join_max = (double)swarm->joining.max_ns / 1e6;
    return error;
}

static const char *type(struct serve_bench_result *result, struct swarm *swarm,
                        const struct serve_bench *bench, void (*progress)(const char *line))
{
    struct usage before = usage_of(bench->pid);
    uint64_t began = swarm_now_ns();
    uint64_t end = began + bench->seconds * second_ns;
    uint64_t told = began;
    swarm_start_typing(swarm, bench->rate > 0 ? (uint64_t)(1e9 / bench->rate) : 0);
    for (uint64_t now = began; now < end; now = swarm_now_ns()) {
        if (!swarm_type(swarm))
            return "out of memory";
        swarm_listen(swarm, 1);
        if (progress != NULL && now - told >= second_ns) {
            char line[128];
            snprintf(line, sizeof(line), "%llu edits, %llu deliveries",
                     (unsigned long long)swarm->edits, (unsigned long long)swarm->delivering.count);
            progress(line);
            told = now;
        }
    }
    // What is under way at the end comes too, and counts.
    while (swarm->idle_count < bench->swarm.documents &&
           swarm_now_ns() < end + SETTLE_SECONDS_MAX * second_ns && swarm->failed == 0)
        swarm_listen(swarm, 1);
    result->typing_s = (double)(swarm_now_ns() - began) / 1e9;
    result->edits = swarm->edits;
    result->deliveries = swarm->delivering.count;
    if (swarm->delivering.count > 0)
        result->typing_cpu_us =
            (usage_of(bench->pid).cpu_us - before.cpu_us) / (double)swarm->delivering.count;
    return NULL;
}

static void take_latencies(struct serve_bench_result *result, const struct swarm *swarm)
{
    result->delivery_p50 = quantile_ms(&swarm->delivering, 0.5);
    result->delivery_p99 = quantile_ms(&swarm->delivering, 0.99);
    result->delivery_max = (double)swarm->delivering.max_ns / 1e6;
    result->ack_p50 = quantile_ms(&swarm->acking, 0.5);
    result->ack_p99 = quantile_ms(&swarm->acking, 0.99);
    result->ack_max = (double)swarm->acking.max_ns / 1e6;
    result->failed = swarm->failed;
    memcpy(result->error, swarm->error, sizeof(result->error));
}

const char *bench_serve(struct serve_bench_result *result_out, const struct serve_bench *bench,
                        void (*progress)(const char *line))
{
    static struct swarm swarm; // its tables of latencies are too large for a stack
    *result_out = (struct serve_bench_result){0};
    const char *error = swarm_init(&swarm, &bench->swarm);
    if (error == NULL)
        error = storm(result_out, &swarm, bench->pid);
    if (error == NULL && progress != NULL) {
        char line[128];
        snprintf(line, sizeof(line), "%u joined, %u failed, after %.2f s", swarm.joined,
                 swarm.failed, result_out->storm_s);
        progress(line);
    }
    if (error == NULL)
        error = type(result_out, &swarm, bench, progress);
    take_latencies(result_out, &swarm);
    swarm_finish(&swarm);
    return error;
}
