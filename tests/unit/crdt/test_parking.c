// SPDX-License-Identifier: MIT
// crdt/parking.h: who wakes when, what the limits refuse, and that text is copied and given back.
#include <string.h>

#include <criterion/criterion.h>

#include "crdt/parking.h"
#include "tests/support/allocator.h"

static struct weft_run run_of(uint64_t agent, uint64_t seq, const char *text)
{
    return (struct weft_run){.kind = WEFT_RUN_INSERT,
                             .agent = agent,
                             .seq = seq,
                             .lamport = seq + 1,
                             .length = (uint32_t)strlen(text),
                             .target = WEFT_ID_ROOT,
                             .text = (const uint8_t *)text,
                             .text_size = strlen(text)};
}

/// Takes and frees all that is ready. @return how many.
static uint32_t drain(struct parking *parking)
{
    uint32_t count = 0;
    for (uint32_t i; (i = parking_take(parking)) != PARKED_NONE; count++)
        parking_free(parking, i);
    return count;
}

Test(parking, a_run_wakes_when_its_atom_comes_and_not_before)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct parking parking;
    parking_init(&parking, &allocator, 1000, 1000);
    // Waiting for atoms 0, 7, 14, ... of agent 5, put in a mixed order; one for another agent.
    for (uint64_t i = 0; i < 100; i++) {
        struct weft_run run = run_of(9, i, "x");
        cr_assert_eq(parking_add(&parking, &run, (struct weft_id){5, i * 37 % 100 * 7}), WEFT_OK);
    }
    struct weft_run other = run_of(9, 100, "y");
    cr_assert_eq(parking_add(&parking, &other, (struct weft_id){6, 0}), WEFT_OK);
    uint32_t woken = 0;
    for (uint64_t next = 0; next <= 700; next++) {
        parking_wake(&parking, 5, next);
        woken += drain(&parking);
        cr_assert_eq(woken, (next + 6) / 7, "%u at %u", woken, (unsigned)next);
    }
    cr_assert_eq(parking.count, 1);
    parking_wake(&parking, 6, 1);
    cr_assert_eq(drain(&parking), 1);
    cr_assert_eq(parking.bytes, 0);
    parking_finish(&parking);
    cr_assert_eq(counted.used, 0);
}

Test(parking, text_is_a_copy_and_a_run_is_kept_once)
{
    struct weft_allocator allocator = weft_allocator_libc();
    struct parking parking;
    char text[] = "words";
    struct weft_run run = run_of(1, 3, text);
    parking_init(&parking, &allocator, 4, 100);
    cr_assert_eq(parking_add(&parking, &run, (struct weft_id){2, 0}), WEFT_OK);
    cr_assert_eq(parking_add(&parking, &run, (struct weft_id){2, 0}), WEFT_OK);
    cr_assert_eq(parking.count, 1);
    memset(text, '?', 5);
    parking_wake(&parking, 2, 1);
    uint32_t index = parking_take(&parking);
    struct weft_run kept = parking_run(&parking, index);
    cr_assert_eq(memcmp(kept.text, "words", 5), 0);
    parking_wait(&parking, index, (struct weft_id){3, 4}); // another cause is missing
    cr_assert_eq(parking_take(&parking), PARKED_NONE);
    parking_wake(&parking, 3, 5);
    index = parking_take(&parking);
    parking_retry(&parking, index);
    cr_assert_eq(drain(&parking), 1);
    parking_finish(&parking);
}

Test(parking, limits_on_number_and_bytes_are_kept)
{
    struct weft_allocator allocator = weft_allocator_libc();
    struct parking parking;
    parking_init(&parking, &allocator, 3, 10);
    struct weft_run large = run_of(1, 0, "eleven byte");
    struct weft_run some = run_of(1, 20, "12345678");
    struct weft_run more = run_of(1, 40, "abc");
    cr_assert_eq(parking_add(&parking, &large, (struct weft_id){2, 0}), WEFT_LIMIT);
    cr_assert_eq(parking_add(&parking, &some, (struct weft_id){2, 0}), WEFT_OK);
    cr_assert_eq(parking_add(&parking, &more, (struct weft_id){2, 0}), WEFT_LIMIT);
    for (uint64_t i = 0; i < 3; i++) {
        struct weft_run small = run_of(4, i, "");
        enum weft_status wanted = i < 2 ? WEFT_OK : WEFT_LIMIT;
        cr_assert_eq(parking_add(&parking, &small, (struct weft_id){2, i}), wanted);
    }
    cr_assert_eq(parking.count, 3);
    parking_wake(&parking, 2, 1); // lets two go, so that there is room again
    cr_assert_eq(drain(&parking), 2);
    cr_assert_eq(parking_add(&parking, &more, (struct weft_id){2, 9}), WEFT_OK);
    parking_finish(&parking);
}

Test(parking, without_memory_nothing_is_kept_and_nothing_lost)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct parking parking;
    parking_init(&parking, &allocator, 1000, 100000);
    uint32_t kept = 0;
    for (uint64_t i = 0; i < 200; i++) {
        struct weft_run run = run_of(1, i * 10, "text");
        counted.fail_from = counted.calls + i % 4;
        enum weft_status status = parking_add(&parking, &run, (struct weft_id){2, i});
        cr_assert(status == WEFT_OK || status == WEFT_NO_MEMORY);
        kept += status == WEFT_OK;
        cr_assert_eq(parking.count, kept);
    }
    cr_assert(kept > 20 && kept < 200, "%u", kept);
    counted.fail_from = 0; // waking needs none
    parking_wake(&parking, 2, 200);
    cr_assert_eq(drain(&parking), kept);
    parking_finish(&parking);
    cr_assert_eq(counted.used, 0);
}
