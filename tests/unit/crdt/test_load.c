// SPDX-License-Identifier: MIT
// crdt/rga.h, loading: what a kept sequence may not say of its slots.
#include <criterion/criterion.h>

#include "crdt/rga.h"
#include "tests/support/allocator.h"

/// Loads "abcdef", one run, in two slots that begin at elements `first` and `second`.
static enum weft_status load(uint32_t first, uint32_t second)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct rga rga;
    struct rga_load load;
    rga_init(&rga, NULL, &allocator);
    struct rga_need need = {.runs = 1, .elements = 6, .bytes = 6, .agents = 1, .stretches = 1};
    cr_assert(rga_load_init(&load, &rga, &need));
    struct weft_run run = {
        .kind = WEFT_RUN_INSERT,
        .agent = 7,
        .lamport = 1,
        .length = 6,
        .target = WEFT_ID_ROOT,
    };
    cr_assert_eq(rga_load_run(&load, &run), WEFT_OK);
    struct rga_load_slot slots[] = {{.iv = first, .length = 3}, {.iv = second, .length = 3}};
    slots[1].text = 3;
    struct span text = {(const uint8_t *)"abcdef", 6};
    enum weft_status status = rga_load_slots(&load, slots, 2, text, (struct span){NULL, 0});
    rga_load_finish(&load);
    rga_finish(&rga);
    cr_expect_eq(counted.used, 0);
    return status;
}

Test(load, the_elements_of_a_run_ascend_in_document_order)
{
    cr_expect_eq(load(0, 3), WEFT_OK);
    cr_expect_eq(load(3, 0), WEFT_MALFORMED);
}
