// SPDX-License-Identifier: MIT
// What is kept aside can be asked for: which runs, since when, why, and until what comes.
#include <criterion/criterion.h>
#include <string.h>

#include <weft/doc.h>

#include "tests/support/allocator.h"
#include "tests/support/deltas.h"

enum { SEEN_MAX = 8 };

struct seen {
    struct weft_parked items[SEEN_MAX];
    size_t count;
    size_t stop_after;
};

static bool see(void *context, const struct weft_parked *parked)
{
    struct seen *seen = context;
    cr_assert_lt(seen->count, SEEN_MAX);
    seen->items[seen->count++] = *parked;
    return seen->count != seen->stop_after;
}

static struct seen parked_of(const struct weft_doc *doc)
{
    struct seen seen = {.count = 0};
    weft_doc_visit_parked(doc, see, &seen);
    cr_assert_eq(seen.count, weft_doc_parked(doc));
    return seen;
}

static void apply(struct weft_doc *doc, const struct weft_run *runs, size_t count)
{
    struct weft_buffer delta;
    struct weft_apply_result result;
    weft_buffer_init(&delta, NULL);
    delta_of_runs(&delta, runs, count);
    cr_assert_eq(weft_doc_apply(&result, doc, WEFT_APPLY_PARK, delta.data, delta.size), WEFT_OK);
    cr_assert_eq(result.runs_invalid, 0);
    weft_buffer_finish(&delta);
}

static struct weft_run run_of(uint64_t agent, uint64_t seq, struct weft_id parent, const char *text)
{
    return (struct weft_run){.length = (uint32_t)strlen(text),
                             .agent = agent,
                             .seq = seq,
                             .lamport = 1 + seq + 10 * agent,
                             .target = parent,
                             .text = (const uint8_t *)text,
                             .text_size = strlen(text)};
}

/// The one that is of an agent.
static const struct weft_parked *of(const struct seen *seen, uint64_t agent)
{
    for (size_t i = 0; i < seen->count; i++)
        if (seen->items[i].run.agent == agent)
            return &seen->items[i];
    cr_assert_fail("nothing is parked of agent %llu", (unsigned long long)agent);
    return NULL;
}

Test(parked, says_which_runs_wait_since_when_and_why)
{
    struct weft_doc *doc = NULL;
    cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
    cr_assert_eq(parked_of(doc).count, 0);
    struct weft_run first = run_of(1, 0, WEFT_ID_ROOT, "abc");
    struct weft_run later = run_of(2, 5, WEFT_ID_ROOT, "late"); // five atoms of its own are missing
    struct weft_run child = run_of(3, 0, (struct weft_id){1, 2}, "child");
    struct weft_run next = run_of(3, 5, (struct weft_id){4, 0}, "next"); // its own come first
    weft_doc_set_time(doc, 1000);
    apply(doc, &later, 1);
    weft_doc_set_time(doc, 2000);
    apply(doc, &child, 1);
    apply(doc, &next, 1);
    struct seen seen = parked_of(doc);
    cr_assert_eq(seen.count, 3);
    const struct weft_parked *waits = of(&seen, 2);
    cr_assert(waits->reason == WEFT_PARKED_EARLIER && waits->since_ms == 1000);
    cr_assert(waits->missing.agent == 2 && waits->missing.seq < 5);
    cr_assert(waits->run.length == 4 && memcmp(waits->run.text, "late", 4) == 0);
    size_t named = 0;
    for (size_t i = 0; i < seen.count; i++) {
        waits = &seen.items[i];
        if (waits->run.agent != 3)
            continue;
        cr_assert_eq(waits->since_ms, 2000);
        named += waits->reason == WEFT_PARKED_NAMED;
        if (waits->run.seq == 0)
            cr_assert(waits->missing.agent == 1 && waits->missing.seq == 2);
        else
            cr_assert(waits->missing.agent == 3 && waits->reason == WEFT_PARKED_EARLIER);
    }
    cr_assert_eq(named, 1);
    struct seen one = {.stop_after = 1};
    weft_doc_visit_parked(doc, see, &one);
    cr_assert_eq(one.count, 1);
    weft_doc_set_time(doc, 3000);
    apply(doc, &first,
          1); // the child is in; what goes on with it waits for another, as long as ever
    seen = parked_of(doc);
    cr_assert_eq(seen.count, 2);
    waits = of(&seen, 3);
    cr_assert(waits->reason == WEFT_PARKED_NAMED && waits->missing.agent == 4);
    cr_assert_eq(waits->since_ms, 2000);
    weft_doc_destroy(doc);
}

Test(parked, what_lacks_nothing_but_memory_says_so_and_comes_with_the_next_delta)
{
    static char text[20000];
    memset(text, 'p', sizeof(text) - 1);
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct weft_doc *doc = NULL;
    struct weft_doc_options options = {.allocator = &allocator};
    cr_assert_eq(weft_doc_create(&doc, &options), WEFT_OK);
    struct weft_run first = run_of(1, 0, WEFT_ID_ROOT, "a");
    struct weft_run second = run_of(1, 1, (struct weft_id){1, 0}, "b");
    struct weft_run large = run_of(2, 0, (struct weft_id){1, 0}, text);
    apply(doc, &large, 1);
    counted.used_max = counted.used + 4000; // room for a character, not for a page of text
    apply(doc, &first, 1);
    struct seen seen = parked_of(doc);
    cr_assert_eq(seen.count, 1);
    cr_assert_eq(seen.items[0].reason, WEFT_PARKED_MEMORY);
    cr_assert(seen.items[0].missing.agent == 0 && seen.items[0].missing.seq == 0);
    counted.used_max = SIZE_MAX;
    apply(doc, &second, 1);
    cr_assert_eq(parked_of(doc).count, 0);
    cr_assert_eq(weft_doc_length(doc, WEFT_SCALARS), sizeof(text) - 1 + 2);
    weft_doc_destroy(doc);
    cr_assert_eq(counted.used, 0);
}
