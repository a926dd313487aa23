// SPDX-License-Identifier: MIT
// What a durable group costs: latency and throughput of commits of 1 to 1,000 journal entries.
//
//   bench_store [DIR] [-o table|json]      DIR: on the disk to measure; default a directory in /tmp
//
// One row per group size and mode: `alone` commits a group when the one before it is told, as a
// quiet node does; `pipelined` keeps STORE_GROUPS_MAX under way, as a busy one does.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/store_lmdb.h"

enum { EDIT_BYTES = 60, GROUPS_MAX = 2000 };

struct row {
    const char *mode;
    unsigned edits; // per group
    unsigned groups;
    uint64_t p50_ns; // from commit() to told
    uint64_t p99_ns;
    double edits_per_second;
    double stage_ns; // loop thread, per edit
    double file_bytes_per_edit;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_store: %s\n", what);
    exit(1);
}

static void stage(struct store *port, uint64_t *number, unsigned edits)
{
    static uint8_t value[EDIT_BYTES];
    for (unsigned i = 0; i < edits; i++) {
        uint8_t key[8];
        ++*number;
        for (unsigned j = 0; j < 8; j++)
            key[j] = (uint8_t)(*number >> (56 - 8 * j));
        memcpy(value, key, 8);
        if (port->put(port, STORE_JOURNAL, (struct span){key, 8},
                      (struct span){value, EDIT_BYTES}) != WEFT_OK)
            fail("out of memory");
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static struct row measure(struct store_lmdb *store, unsigned edits, unsigned under_way)
{
    static uint64_t began[GROUPS_MAX];
    static uint64_t took[GROUPS_MAX];
    static uint64_t number;
    struct store *port = store_lmdb_port(store);
    unsigned groups = edits >= 1000 ? GROUPS_MAX / 4 : GROUPS_MAX;
    unsigned told = 0;
    uint64_t staging_ns = 0;
    uint64_t used = port->space(port).used_bytes;
    uint64_t start = now_ns();
    for (unsigned i = 0; i < groups; i++) {
        uint64_t before = now_ns();
        stage(port, &number, edits);
        began[i] = now_ns();
        staging_ns += began[i] - before;
        port->commit(port);
        while (i + 1 - told >= under_way || (i + 1 == groups && told < groups)) {
            uint64_t group;
            enum weft_status status;
            store_lmdb_wait(store, 60000);
            if (!store_lmdb_next(store, &group, &status) || status != WEFT_OK)
                fail("a group failed");
            took[told] = now_ns() - began[told];
            told++;
        }
    }
    double seconds = (double)(now_ns() - start) / 1e9;
    struct store_lmdb_stats stats;
    store_lmdb_stats(store, &stats);
    qsort(took, groups, sizeof(took[0]), compare_u64);
    double total = (double)edits * groups;
    return (struct row){
        .mode = under_way == 1 ? "alone" : "pipelined",
        .edits = edits,
        .groups = groups,
        .p50_ns = took[groups / 2],
        .p99_ns = took[groups - 1 - groups / 100],
        .edits_per_second = total / seconds,
        .stage_ns = (double)staging_ns / total,
        .file_bytes_per_edit = ((double)stats.used_bytes - (double)used) / total,
    };
}

static void print(const struct row *row, bool json)
{
    if (json)
        printf("{\"bench\":\"store\",\"mode\":\"%s\",\"edits\":%u,\"groups\":%u,\"p50_ns\":%" PRIu64
               ",\"p99_ns\":%" PRIu64 ",\"edits_per_second\":%.0f,\"stage_ns\":%.1f,"
               "\"file_bytes_per_edit\":%.1f}\n",
               row->mode, row->edits, row->groups, row->p50_ns, row->p99_ns, row->edits_per_second,
               row->stage_ns, row->file_bytes_per_edit);
    else
        printf("%-10s %6u %8.2f %8.2f %12.0f %9.0f %10.0f\n", row->mode, row->edits,
               (double)row->p50_ns / 1e6, (double)row->p99_ns / 1e6, row->edits_per_second,
               row->stage_ns, row->file_bytes_per_edit);
}

int main(int argc, char **argv)
{
    char directory[256] = "/tmp/weft-bench-XXXXXX";
    bool json =
        argc >= 3 && strcmp(argv[argc - 2], "-o") == 0 && strcmp(argv[argc - 1], "json") == 0;
    if (argc > 1 && argv[1][0] != '-')
        snprintf(directory, sizeof(directory), "%.200s/weft-bench-XXXXXX", argv[1]);
    char error[STORE_LMDB_ERROR_BYTES];
    struct store_lmdb *store;
    if (mkdtemp(directory) == NULL)
        fail("cannot create a directory");
    struct store_lmdb_options options = {.path = directory};
    if (store_lmdb_open(&store, &options, error) != WEFT_OK)
        fail(error);
    if (!json)
        printf("%-10s %6s %8s %8s %12s %9s %10s\n", "mode", "edits", "p50 ms", "p99 ms", "edits/s",
               "stage ns", "bytes/edit");
    static const unsigned sizes[] = {1, 10, 100, 1000};
    for (unsigned under_way = 1; under_way <= STORE_GROUPS_MAX; under_way++) {
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct row row = measure(store, sizes[i], under_way);
            print(&row, json);
        }
    }
    store_lmdb_close(store);
    static const char *const names[] = {"data.mdb", "lock.mdb", "weft.lock"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[300];
        snprintf(name, sizeof(name), "%s/%s", directory, names[i]);
        unlink(name);
    }
    rmdir(directory);
    return 0;
}
