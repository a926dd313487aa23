// SPDX-License-Identifier: MIT
// The worst that can be done to a document, one row each: what must stay logarithmic, and what one
// operation costs in a document of a million pieces.
//
//     bench_worst [SCALE]     everything that many times smaller; default 1
//
// An operation's time is the least over REPEATS equal courses, so that what the machine does
// beside is not counted as an operation's worst.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/doc.h>

#include "programs/trace/random.h"

enum { REPEATS = 3, AUTHOR = 7, OTHER = 3 };

static void must(enum weft_status status, const char *what)
{
    if (status == WEFT_OK)
        return;
    fprintf(stderr, "bench_worst: %s: %s\n", what, weft_status_text(status));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static struct weft_doc *doc_create(uint64_t agent)
{
    struct weft_doc *doc = NULL;
    must(weft_doc_create(&doc, NULL), "create");
    must(weft_doc_set_agent(doc, agent), "agent");
    return doc;
}

static void insert(struct weft_doc *doc, uint64_t index, const char *text, size_t size)
{
    must(weft_doc_insert(doc, WEFT_SCALARS, index, (const uint8_t *)text, size), "insert");
}

static void apply(struct weft_doc *doc, const uint8_t *delta, size_t size)
{
    struct weft_apply_result result;
    must(weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, delta, size), "apply");
    must(result.reason, "a run");
}

// ------------------------------------------------------------------------------------- the course

/// What all operations of a row share, and the times of each.
struct course {
    const char *name;
    uint32_t count;
    struct weft_snapshot start; // empty: an empty document
    struct weft_doc *doc;
    struct random random;
    struct weft_buffer deltas; // for rows that apply
    size_t *ends;
    uint32_t *least_ns;
};

/// Operation `i`, on course->doc.
typedef void operation(struct course *course, uint32_t i);

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void show(struct course *course)
{
    struct weft_doc_stats stats = weft_doc_stats(course->doc);
    uint32_t *times = course->least_ns;
    double sum = 0;
    for (uint32_t i = 0; i < course->count; i++)
        sum += times[i];
    qsort(times, course->count, sizeof *times, compare);
    printf("%-34s %8u %9.3f %9.3f %9.3f %9.3f %9llu %11llu\n", course->name, course->count,
           sum / course->count / 1e3, times[course->count / 2] / 1e3,
           times[course->count - 1 - course->count / 1000] / 1e3, times[course->count - 1] / 1e3,
           (unsigned long long)stats.spans, (unsigned long long)stats.memory);
    fflush(stdout);
}

/// Runs, shows and finishes it; the last document is left in course->doc.
static void run(struct course *course, operation *operate)
{
    course->least_ns = malloc(course->count * sizeof *course->least_ns);
    if (course->least_ns == NULL)
        must(WEFT_NO_MEMORY, course->name);
    memset(course->least_ns, 0xff, course->count * sizeof *course->least_ns);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        weft_doc_destroy(course->doc);
        course->doc = NULL;
        if (course->start.structure_size == 0)
            course->doc = doc_create(AUTHOR);
        else
            must(weft_doc_load(&course->doc, &course->start, NULL), "load");
        must(weft_doc_set_agent(course->doc, AUTHOR), "agent");
        course->random = random_seeded(1);
        for (uint32_t i = 0; i < course->count; i++) {
            uint64_t start = now_ns();
            operate(course, i);
            uint64_t elapsed = now_ns() - start;
            if (elapsed < course->least_ns[i])
                course->least_ns[i] = (uint32_t)elapsed;
        }
    }
    show(course);
    free(course->least_ns);
    course->least_ns = NULL;
}

static void apply_next(struct course *course, uint32_t i)
{
    size_t from = i == 0 ? 0 : course->ends[i - 1];
    apply(course->doc, course->deltas.data + from, course->ends[i] - from);
}

static void finish(struct course *course)
{
    weft_doc_destroy(course->doc);
    weft_buffer_finish(&course->deltas);
    free(course->ends);
}

// --------------------------------------------------------------------------------------- the rows

/// Agents that all insert at the start of an empty document: siblings of one Lamport time, whose
/// ids differ in their lower halves only. They come in no order.
static void siblings(uint32_t count)
{
    struct course course = {.name = "siblings of one Lamport time", .count = count};
    uint32_t *order = malloc(count * sizeof *order);
    course.ends = malloc(count * sizeof *course.ends);
    if (order == NULL || course.ends == NULL)
        must(WEFT_NO_MEMORY, course.name);
    struct random random = random_seeded(2);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t other = random_below(&random, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    weft_buffer_init(&course.deltas, NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t agent = UINT64_C(9) << 32 | order[i];
        struct weft_doc *doc = doc_create(agent);
        insert(doc, 0, "s", 1);
        must(weft_doc_delta_own(&course.deltas, doc, agent, 0), "delta");
        course.ends[i] = course.deltas.size;
        weft_doc_destroy(doc);
    }
    run(&course, apply_next);
    finish(&course);
    free(order);
}

/// Someone else's characters, each a child of any element of a chain of prepends: no two beside
/// each other, each among the right and left children that are there. As one message each.
static void chain_children(uint32_t count)
{
    struct course course = {.name = "children of a chain of prepends", .count = count};
    uint32_t prepended = 3 * count;
    struct weft_doc *chain = doc_create(OTHER);
    struct weft_buffer parts[3];
    for (uint32_t i = 0; i < prepended; i++)
        insert(chain, 0, "c", 1);
    for (int i = 0; i < 3; i++)
        weft_buffer_init(&parts[i], NULL);
    must(weft_doc_snapshot(&parts[0], &parts[1], &parts[2], chain), "snapshot");
    course.start = (struct weft_snapshot){parts[0].data, parts[0].size, parts[1].data,
                                          parts[1].size, parts[2].data, parts[2].size};
    course.ends = malloc(count * sizeof *course.ends);
    if (course.ends == NULL)
        must(WEFT_NO_MEMORY, course.name);
    weft_buffer_init(&course.deltas, NULL);
    struct random random = random_seeded(4);
    must(weft_doc_set_agent(chain, OTHER + 1), "agent");
    for (uint32_t i = 0; i < count; i++) {
        uint64_t seq = weft_doc_next_seq(chain, OTHER + 1);
        insert(chain, random_below(&random, weft_doc_length(chain, WEFT_SCALARS) + 1), "x", 1);
        must(weft_doc_delta_own(&course.deltas, chain, OTHER + 1, seq), "delta");
        course.ends[i] = course.deltas.size;
    }
    weft_doc_destroy(chain);
    run(&course, apply_next);
    finish(&course);
    for (int i = 0; i < 3; i++)
        weft_buffer_finish(&parts[i]);
}

static void prepend(struct course *course, uint32_t i)
{
    insert(course->doc, 0, i & 1 ? "a" : "b", 1);
}

static void delete_other(struct course *course, uint32_t i)
{
    if (i == 0) {
        char *text = malloc(2 * (size_t)course->count);
        if (text == NULL)
            must(WEFT_NO_MEMORY, course->name);
        memset(text, 'p', 2 * (size_t)course->count);
        insert(course->doc, 0, text, 2 * (size_t)course->count);
        free(text);
    }
    must(weft_doc_delete(course->doc, WEFT_SCALARS, i, 1), "delete");
}

static void insert_anywhere(struct course *course, uint32_t i)
{
    (void)i;
    uint64_t length = weft_doc_length(course->doc, WEFT_SCALARS);
    insert(course->doc, random_below(&course->random, length + 1), "r", 1);
}

static void delete_anywhere(struct course *course, uint32_t i)
{
    (void)i;
    uint64_t length = weft_doc_length(course->doc, WEFT_SCALARS);
    must(weft_doc_delete(course->doc, WEFT_SCALARS, random_below(&course->random, length), 1),
         "delete");
}

/// Keystrokes of someone else, each anywhere in a document.
static void hear_anywhere(struct course *course)
{
    course->ends = malloc(course->count * sizeof *course->ends);
    if (course->ends == NULL)
        must(WEFT_NO_MEMORY, course->name);
    weft_buffer_init(&course->deltas, NULL);
    struct weft_doc *doc = NULL;
    must(weft_doc_load(&doc, &course->start, NULL), "load");
    must(weft_doc_set_agent(doc, OTHER), "agent");
    struct random random = random_seeded(3);
    for (uint32_t i = 0; i < course->count; i++) {
        uint64_t seq = weft_doc_next_seq(doc, OTHER);
        uint64_t index = random_below(&random, weft_doc_length(doc, WEFT_SCALARS));
        if (i & 1)
            must(weft_doc_delete(doc, WEFT_SCALARS, index, 1), "delete");
        else
            insert(doc, index, "h", 1);
        must(weft_doc_delta_own(&course->deltas, doc, OTHER, seq), "delta");
        course->ends[i] = course->deltas.size;
    }
    weft_doc_destroy(doc);
    run(course, apply_next);
}

/// The least of REPEATS times, in milliseconds, of making the document anew.
static void make_again(const char *name, const struct weft_snapshot *snapshot,
                       const struct weft_buffer *delta)
{
    uint64_t least = UINT64_MAX;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        struct weft_doc *doc = delta != NULL ? doc_create(AUTHOR) : NULL;
        uint64_t start = now_ns();
        if (delta != NULL)
            apply(doc, delta->data, delta->size);
        else
            must(weft_doc_load(&doc, snapshot, NULL), "load");
        uint64_t elapsed = now_ns() - start;
        least = elapsed < least ? elapsed : least;
        weft_doc_destroy(doc);
    }
    printf("%-34s %8s %9.1f ms\n", name, "", (double)least / 1e6);
    fflush(stdout);
}

static void million(uint32_t count, uint32_t operations)
{
    struct course made = {.name = "inserts at random places", .count = count};
    run(&made, insert_anywhere);
    struct weft_buffer parts[4];
    for (int i = 0; i < 4; i++)
        weft_buffer_init(&parts[i], NULL);
    must(weft_doc_snapshot(&parts[0], &parts[1], &parts[2], made.doc), "snapshot");
    must(weft_doc_delta_since(&parts[3], made.doc, NULL, 0), "delta");
    finish(&made);
    struct weft_snapshot snapshot = {parts[0].data, parts[0].size, parts[1].data,
                                     parts[1].size, parts[2].data, parts[2].size};
    make_again("  loaded", &snapshot, NULL);
    make_again("  as one delta", NULL, &parts[3]);
    struct course then[] = {
        {.name = "  inserts there", .count = operations, .start = snapshot},
        {.name = "  deletes there", .count = operations, .start = snapshot},
        {.name = "  messages there", .count = operations, .start = snapshot},
    };
    run(&then[0], insert_anywhere);
    run(&then[1], delete_anywhere);
    hear_anywhere(&then[2]);
    for (int i = 0; i < 3; i++)
        finish(&then[i]);
    for (int i = 0; i < 4; i++)
        weft_buffer_finish(&parts[i]);
}

int main(int argc, char **argv)
{
    long scale = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    if (argc > 2 || scale < 1 || scale > 1000) {
        fputs("usage: bench_worst [SCALE]\n", stderr);
        return 2;
    }
    uint32_t by = (uint32_t)scale;
    printf("%-34s %8s %9s %9s %9s %9s %9s %11s\n", "microseconds", "count", "mean", "median",
           "p99.9", "worst", "pieces", "bytes");
    siblings(40000 / by);
    struct course course = {.name = "prepends", .count = 300000 / by};
    run(&course, prepend);
    finish(&course);
    chain_children(100000 / by);
    course = (struct course){.name = "a paste, every other deleted", .count = 500000 / by};
    run(&course, delete_other);
    finish(&course);
    million(1000000 / by, 50000 / by);
    return 0;
}
