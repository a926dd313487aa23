// SPDX-License-Identifier: MIT
// crdt/rga.h, loading: what a kept sequence may not say of its rows and slots.
#include <criterion/criterion.h>

#include "crdt/rga.h"
#include "tests/support/allocator.h"

/// Loads agent 7's "abcdef" in slots, and rows after it.
static enum weft_status load(const struct rga_load_row *rows, uint32_t row_count,
                             const struct rga_load_slot *slots, uint32_t slot_count)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct rga rga;
    struct rga_load load;
    rga_init(&rga, NULL, &allocator);
    struct rga_need need = {.runs = 1 + row_count, .elements = 6, .bytes = 6, .agents = 1};
    cr_assert(agents_load(&rga.agents, 1));
    agents_load_id(&rga.agents, 0, 7);
    agents_load_finish(&rga.agents);
    cr_assert(rga_load_init(&load, &rga, &need));
    struct rga_load_row row = {
        .kind = WEFT_RUN_INSERT,
        .lamport = 1,
        .length = 6,
        .target = OP_NONE,
    };
    cr_assert_eq(rga_load_rows(&load, &row, 1), WEFT_OK);
    enum weft_status status = rga_load_rows(&load, rows, row_count);
    if (status == WEFT_OK)
        status = rga_load_rows_end(&load);
    struct span text = {(const uint8_t *)"abcdef", 6};
    if (status == WEFT_OK)
        status = rga_load_slots_begin(&load, slot_count, text, (struct span){NULL, 0});
    if (status == WEFT_OK)
        status = rga_load_slots(&load, slots, slot_count);
    if (status == WEFT_OK)
        status = rga_load_slots_end(&load);
    rga_load_finish(&load);
    if (status == WEFT_OK)
        cr_expect_null(rga_check(&rga));
    rga_finish(&rga);
    cr_expect_eq(counted.used, 0);
    return status;
}

static const struct rga_load_slot whole = {.row = 0};

Test(load, slots_are_all_elements_and_each_once)
{
    const struct rga_load_slot none_of_that_row[] = {{.row = 1}};
    const struct rga_load_slot less[] = {{.row = 0, .length = 5}};
    const struct rga_load_slot more[] = {{.row = 0, .length = 7}};
    const struct rga_load_slot twice[] = {{.row = 0}, {.row = 0}};
    cr_expect_eq(load(NULL, 0, &whole, 1), WEFT_OK);
    cr_expect_eq(load(NULL, 0, none_of_that_row, 1), WEFT_MALFORMED);
    cr_expect_eq(load(NULL, 0, less, 1), WEFT_MALFORMED);
    cr_expect_eq(load(NULL, 0, more, 1), WEFT_MALFORMED);
    cr_expect_eq(load(NULL, 0, twice, 2), WEFT_MALFORMED);
}

Test(load, slots_of_one_row_and_state_that_touch_are_one)
{
    const struct rga_load_slot touching[] = {{.row = 0, .length = 3}, {.row = 0}};
    cr_expect_eq(load(NULL, 0, touching, 2), WEFT_MALFORMED);
}

Test(load, a_slot_is_in_the_state_that_the_deletes_left_it_in)
{
    const struct rga_load_slot deleted[] = {{.row = 0, .deleted = true}};
    const struct rga_load_row row = {
        .kind = WEFT_RUN_DELETE, .lamport = 7, .length = 2, .target = 0, .from = 1};
    const struct rga_load_slot parts[] = {
        {.row = 0, .length = 1}, {.row = 0, .length = 2, .deleted = true}, {.row = 0}};
    cr_expect_eq(load(NULL, 0, deleted, 1), WEFT_MALFORMED);
    cr_expect_eq(load(&row, 1, &whole, 1), WEFT_MALFORMED);
    // All is well but the text, which is said to be visible.
    cr_expect_eq(load(&row, 1, parts, 3), WEFT_MALFORMED);
}

/// A row after "abcdef" that is of no use: what becomes of it.
static enum weft_status load_row(struct rga_load_row row)
{
    return load(&row, 1, &whole, 1);
}

Test(load, rows_keep_the_rules_of_runs)
{
    const struct rga_load_row nothing = {
        .kind = WEFT_RUN_NOP, .lamport = 7, .length = 1, .target = OP_NONE};
    struct rga_load_row row = nothing;
    cr_expect_eq(load_row(row), WEFT_OK);
    row.lamport = 6;
    cr_expect_eq(load_row(row), WEFT_MALFORMED, "times rise");
    row = nothing;
    row.payload = (struct span){(const uint8_t *)"x", 1};
    cr_expect_eq(load_row(row), WEFT_MALFORMED, "nothing has no payload");
    row = (struct rga_load_row){.kind = WEFT_RUN_DELETE, .lamport = 7, .length = 1, .target = 1};
    cr_expect_eq(load_row(row), WEFT_MALFORMED, "a row names no later one");
    row.target = OP_NONE;
    cr_expect_eq(load_row(row), WEFT_MALFORMED, "nor the root, when it deletes");
    row = (struct rga_load_row){.kind = WEFT_RUN_DELETE, .lamport = 7, .length = 1, .from = 6};
    cr_expect_eq(load_row(row), WEFT_MALFORMED, "nor what is not in the row");
    row = (struct rga_load_row){.kind = WEFT_RUN_DELETE, .lamport = 7, .length = 7};
    cr_expect_eq(load_row(row), WEFT_MALFORMED, "nor what is not there at all");
    row = (struct rga_load_row){.kind = WEFT_RUN_UNDELETE, .lamport = 7, .length = 1};
    cr_expect_eq(load_row(row), WEFT_MALFORMED, "elements are not undeleted");
    row = (struct rga_load_row){.kind = WEFT_RUN_INSERT, .lamport = 7, .length = 1};
    cr_expect_eq(load_row(row), WEFT_MALFORMED, "there is no text for it");
}
