// SPDX-License-Identifier: MIT
// One document of many agents: what each of them costs, and what an edit costs beside so many.
//
//     bench_crowd [AGENTS ...]     default: 50 and 50000, so that one sees what grows
//
// Each agent hears of all before it, types a few words somewhere and deletes a part of them, as
// sessions of people do who come and go. Times are the least of REPEATS.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/doc.h>
#include <weft/history.h>

#include "programs/trace/random.h"

enum { REPEATS = 5, EDITS = 2000, NEWCOMER = 1 };

static void must(enum weft_status status, const char *what)
{
    if (status == WEFT_OK)
        return;
    fprintf(stderr, "bench_crowd: %s: %s\n", what, weft_status_text(status));
    exit(1);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static void show_us(const char *name, double us)
{
    printf("  %-44s %12.3f us\n", name, us);
}

static void show_size(const char *name, uint64_t bytes)
{
    printf("  %-44s %12llu B\n", name, (unsigned long long)bytes);
}

/// The crowd writes; each agent's edits are a message that a second document hears.
struct crowd {
    struct weft_doc *doc;
    struct weft_doc *hearing;
    double heard_us; // all messages
    struct random random;
    struct weft_buffer delta;
    struct weft_buffer version;
    struct weft_buffer parts[3];
};

static void one_writes(struct crowd *crowd, uint64_t agent)
{
    static const char words[] = "some words of mine";
    uint64_t length = weft_doc_length(crowd->doc, WEFT_SCALARS);
    uint64_t index = random_below(&crowd->random, length + 1);
    must(weft_doc_set_agent(crowd->doc, agent), "agent");
    must(
        weft_doc_insert(crowd->doc, WEFT_SCALARS, index, (const uint8_t *)words, sizeof(words) - 1),
        "insert");
    must(weft_doc_delete(crowd->doc, WEFT_SCALARS, index + 4, 6), "delete");
    crowd->delta.size = 0;
    must(weft_doc_delta_own(&crowd->delta, crowd->doc, agent, 0), "delta");
    struct weft_apply_result result;
    double start = now_us();
    must(weft_doc_apply(&result, crowd->hearing, WEFT_APPLY_STRICT, crowd->delta.data,
                        crowd->delta.size),
         "apply");
    crowd->heard_us += now_us() - start;
}

static void crowd_init(struct crowd *crowd, uint32_t agents)
{
    *crowd = (struct crowd){.random = random_seeded(7)};
    must(weft_doc_create(&crowd->doc, NULL), "create");
    must(weft_doc_create(&crowd->hearing, NULL), "create");
    weft_buffer_init(&crowd->delta, NULL);
    weft_buffer_init(&crowd->version, NULL);
    for (int i = 0; i < 3; i++)
        weft_buffer_init(&crowd->parts[i], NULL);
    for (uint32_t i = 0; i < agents; i++)
        one_writes(crowd, random_next(&crowd->random) >> 1 | 2);
}

static void crowd_finish(struct crowd *crowd)
{
    weft_doc_destroy(crowd->doc);
    weft_doc_destroy(crowd->hearing);
    weft_buffer_finish(&crowd->delta);
    weft_buffer_finish(&crowd->version);
    for (int i = 0; i < 3; i++)
        weft_buffer_finish(&crowd->parts[i]);
}

// ---------------------------------------------------------------------------------- what is timed

static double time_load(struct crowd *crowd)
{
    struct weft_buffer *parts = crowd->parts;
    struct weft_snapshot snapshot = {parts[0].data, parts[0].size, parts[1].data,
                                     parts[1].size, parts[2].data, parts[2].size};
    struct weft_doc *doc = NULL;
    double start = now_us();
    must(weft_doc_load(&doc, &snapshot, NULL), "load");
    double elapsed = now_us() - start;
    weft_doc_destroy(doc);
    return elapsed;
}

static double time_snapshot(struct crowd *crowd)
{
    for (int i = 0; i < 3; i++)
        crowd->parts[i].size = 0;
    double start = now_us();
    must(weft_doc_snapshot(&crowd->parts[0], &crowd->parts[1], &crowd->parts[2], crowd->doc),
         "snapshot");
    return now_us() - start;
}

static double time_encode(struct crowd *crowd)
{
    crowd->delta.size = 0;
    double start = now_us();
    must(weft_doc_delta_since(&crowd->delta, crowd->doc, NULL, 0), "encode");
    return now_us() - start;
}

static double time_whole_delta(struct crowd *crowd)
{
    struct weft_doc *doc = NULL;
    struct weft_apply_result result;
    must(weft_doc_create(&doc, NULL), "create");
    double start = now_us();
    must(weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, crowd->delta.data, crowd->delta.size),
         "apply");
    double elapsed = now_us() - start;
    weft_doc_destroy(doc);
    return elapsed;
}

static double time_version(struct crowd *crowd)
{
    crowd->version.size = 0;
    double start = now_us();
    must(weft_doc_version(&crowd->version, crowd->doc), "version");
    return now_us() - start;
}

static double time_digest(struct crowd *crowd)
{
    struct weft_digest digest;
    double start = now_us();
    must(weft_doc_digest(&digest, crowd->doc), "digest");
    return now_us() - start;
}

/// Someone types one more character at the end.
static void type(struct crowd *crowd)
{
    must(weft_doc_set_agent(crowd->doc, NEWCOMER), "agent");
    must(weft_doc_insert(crowd->doc, WEFT_SCALARS, weft_doc_length(crowd->doc, WEFT_SCALARS),
                         (const uint8_t *)"k", 1),
         "insert");
}

static double time_digest_after_a_key(struct crowd *crowd)
{
    type(crowd);
    return time_digest(crowd);
}

static double time_delta_since(struct crowd *crowd)
{
    time_version(crowd);
    type(crowd);
    crowd->delta.size = 0;
    double start = now_us();
    must(weft_doc_delta_since(&crowd->delta, crowd->doc, crowd->version.data, crowd->version.size),
         "delta");
    return now_us() - start;
}

static double time_text_at(struct crowd *crowd)
{
    crowd->parts[0].size = 0;
    double start = now_us();
    must(weft_doc_text_at(&crowd->parts[0], crowd->doc, crowd->version.data, crowd->version.size),
         "text at");
    return now_us() - start;
}

/// What the crowd did that the hearing document has not heard of.
static void catch_up(struct crowd *crowd)
{
    struct weft_apply_result result;
    crowd->version.size = 0;
    crowd->delta.size = 0;
    must(weft_doc_version(&crowd->version, crowd->hearing), "version");
    must(weft_doc_delta_since(&crowd->delta, crowd->doc, crowd->version.data, crowd->version.size),
         "delta");
    must(weft_doc_apply(&result, crowd->hearing, WEFT_APPLY_STRICT, crowd->delta.data,
                        crowd->delta.size),
         "apply");
}

/// The mean of many edits and messages, each elsewhere.
static void show_edits(struct crowd *crowd)
{
    catch_up(crowd);
    double local = 0;
    double tell = 0;
    double hear = 0;
    uint64_t bytes = 0;
    must(weft_doc_set_agent(crowd->doc, NEWCOMER), "agent");
    for (int i = 0; i < EDITS; i++) {
        uint64_t length = weft_doc_length(crowd->doc, WEFT_SCALARS);
        uint64_t index = random_below(&crowd->random, length + 1);
        uint64_t seq = weft_doc_next_seq(crowd->doc, NEWCOMER);
        double start = now_us();
        must(weft_doc_insert(crowd->doc, WEFT_SCALARS, index, (const uint8_t *)"e", 1), "insert");
        double made = now_us();
        crowd->delta.size = 0;
        must(weft_doc_delta_own(&crowd->delta, crowd->doc, NEWCOMER, seq), "delta");
        double told = now_us();
        struct weft_apply_result result;
        must(weft_doc_apply(&result, crowd->hearing, WEFT_APPLY_STRICT, crowd->delta.data,
                            crowd->delta.size),
             "apply");
        hear += now_us() - told;
        must(result.atoms_applied == 1 ? WEFT_OK : WEFT_INVALID, "a message");
        tell += told - made;
        local += made - start;
        bytes += crowd->delta.size;
    }
    show_us("an edit anywhere", local / EDITS);
    show_us("  its message made", tell / EDITS);
    show_us("  its message applied", hear / EDITS);
    show_size("  its message", bytes / EDITS);
}

static void show_least(const char *name, struct crowd *crowd, double (*run)(struct crowd *crowd))
{
    double least = run(crowd);
    for (int i = 1; i < REPEATS; i++) {
        double us = run(crowd);
        least = us < least ? us : least;
    }
    show_us(name, least);
}

static void measure(uint32_t agents)
{
    struct crowd crowd;
    crowd_init(&crowd, agents);
    struct weft_doc_stats stats = weft_doc_stats(crowd.hearing);
    printf("%u agents, %llu rows of the log, %llu pieces\n", agents, (unsigned long long)stats.runs,
           (unsigned long long)stats.spans);
    show_us("an agent's message applied", crowd.heard_us / agents);
    show_size("memory", stats.memory);
    show_size("  for each agent", stats.memory / agents);
    show_us("digest, the first time", time_digest(&crowd));
    show_least("digest, after a key", &crowd, time_digest_after_a_key);
    show_size("memory, with chains", weft_doc_stats(crowd.doc).memory);
    show_least("version", &crowd, time_version);
    show_size("version", crowd.version.size);
    show_least("encode all", &crowd, time_encode);
    show_size("the whole history", crowd.delta.size);
    show_least("the whole history applied", &crowd, time_whole_delta);
    show_least("snapshot", &crowd, time_snapshot);
    show_size("snapshot", crowd.parts[0].size + crowd.parts[1].size + crowd.parts[2].size);
    show_least("load", &crowd, time_load);
    show_edits(&crowd);
    show_least("delta since a version, of one key", &crowd, time_delta_since);
    show_size("  that delta", crowd.delta.size);
    show_least("text at a version", &crowd, time_text_at);
    crowd_finish(&crowd);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        measure(50);
        measure(50000);
    }
    for (int i = 1; i < argc; i++) {
        long agents = strtol(argv[i], NULL, 10);
        if (agents < 1 || agents > 1000000) {
            fputs("usage: bench_crowd [AGENTS ...]\n", stderr);
            return 2;
        }
        measure((uint32_t)agents);
    }
    return 0;
}
