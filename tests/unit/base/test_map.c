// SPDX-License-Identifier: MIT
// base/map.h and base/ordmap.h beside a plain array that holds the same.
#include <stdlib.h>

#include <criterion/criterion.h>

#include "base/map.h"
#include "base/ordmap.h"
#include "tests/support/allocator.h"

enum { KEYS = 512 };

/// A small generator: the same walk in each run.
static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

Test(map, finds_what_was_set_and_not_removed_whatever_collides)
{
    // Keys that differ in their high bits only, so that many share a start of probing.
    static const unsigned shifts[] = {0, 20, 40, 55};
    for (size_t s = 0; s < sizeof shifts / sizeof *shifts; s++) {
        struct map map;
        uint32_t values[KEYS];
        uint32_t count = 0;
        uint64_t state = 1 + s;
        struct weft_allocator allocator = weft_allocator_libc();
        map_init(&map, &allocator);
        for (int k = 0; k < KEYS; k++)
            values[k] = MAP_NONE;
        for (uint32_t step = 0; step < 20000; step++) {
            uint32_t k = next(&state) % KEYS;
            bool removes = next(&state) % 5 < 2;
            count += removes ? 0 : values[k] == MAP_NONE;
            count -= removes && values[k] != MAP_NONE;
            values[k] = removes ? MAP_NONE : step;
            cr_assert(map_reserve(&map, 1));
            if (removes)
                map_remove(&map, (uint64_t)k << shifts[s]);
            else
                map_set(&map, (uint64_t)k << shifts[s], step);
            cr_assert_eq(map.count, count);
            uint32_t other = next(&state) % KEYS;
            cr_assert_eq(map_find(&map, (uint64_t)other << shifts[s]), values[other]);
        }
        for (uint64_t k = 0; k < KEYS; k++)
            cr_assert_eq(map_find(&map, k << shifts[s]), values[k]);
        map_clear(&map);
        cr_assert_eq(map_find(&map, 0), MAP_NONE);
        map_finish(&map);
    }
}

Test(map, one_that_was_large_once_costs_no_more_when_little_is_in_it)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct map map;
    map_init(&map, &allocator);
    cr_assert(map_reserve(&map, 100000));
    for (uint64_t key = 0; key < 100000; key++)
        map_set(&map, key, 1);
    size_t large = counted.used;
    map_clear(&map); // it may be as large again
    cr_assert_eq(counted.used, large);
    cr_assert(map_reserve(&map, 2));
    map_set(&map, 5, 1);
    map_clear(&map);
    cr_assert_lt(counted.used, large / 1000);
    cr_assert_eq(map_find(&map, 5), MAP_NONE);
    cr_assert(map_reserve(&map, 2));
    uint64_t calls = counted.calls;
    for (int i = 0; i < 100; i++) { // and what is always little needs no memory each time
        cr_assert(map_reserve(&map, 2));
        map_set(&map, 7, 1);
        map_clear(&map);
    }
    cr_assert_eq(counted.calls, calls);
    map_finish(&map);
    cr_assert_eq(counted.used, 0);
}

Test(map, a_reservation_without_memory_leaves_all_as_it_was)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct map map;
    map_init(&map, &allocator);
    cr_assert_eq(counted.calls, 0);
    cr_assert(map_reserve(&map, 4));
    map_set(&map, 7, 70);
    counted.fail_from = counted.calls;
    cr_assert_not(map_reserve(&map, 1000));
    cr_assert_eq(map_find(&map, 7), 70);
    cr_assert_eq(map.count, 1);
    map_finish(&map);
    cr_assert_eq(counted.used, 0);
}

static int ascending(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a;
    uint64_t other = *(const uint64_t *)b;
    return one < other ? -1 : one > other;
}

/// Checks an ordered map against its keys, ascending, whose values are the low bits of the keys.
static void check_order(const struct ordmap *map, const uint64_t *keys, size_t count)
{
    struct ordmap_at at = ordmap_first(map);
    for (size_t i = 0; i < count; i++) {
        cr_assert_neq(at.node, ORDMAP_NONE);
        cr_assert_eq(ordmap_key(map, at), keys[i]);
        cr_assert_eq(ordmap_value(map, at), (uint32_t)keys[i] & 0xffff);
        cr_assert_eq(ordmap_find(map, keys[i]), (uint32_t)keys[i] & 0xffff);
        struct ordmap_at seek = ordmap_seek(map, keys[i] + 1);
        cr_assert_eq(ordmap_key(map, seek),
                     i + 1 < count && keys[i + 1] == keys[i] + 1 ? keys[i] + 1 : keys[i]);
        at = ordmap_next(map, at);
    }
    cr_assert_eq(at.node, ORDMAP_NONE);
}

Test(ordmap, ascends_whatever_the_order_of_putting)
{
    enum { COUNT = 5000 };
    static uint64_t keys[COUNT];
    for (int order = 0; order < 3; order++) {
        struct ordmap map;
        uint64_t state = 99;
        struct weft_allocator allocator = weft_allocator_libc();
        ordmap_init(&map, &allocator);
        cr_assert_eq(ordmap_first(&map).node, ORDMAP_NONE);
        cr_assert_eq(ordmap_seek(&map, UINT64_MAX).node, ORDMAP_NONE);
        for (uint64_t i = 0; i < COUNT; i++)
            keys[i] = order == 0   ? i * 3
                      : order == 1 ? (COUNT - i) * 3
                                   : ((uint64_t)next(&state) << 32 | (i * 2 + 1));
        for (size_t i = 0; i < COUNT; i++) {
            cr_assert(ordmap_reserve(&map, 1));
            ordmap_put(&map, keys[i], (uint32_t)keys[i] & 0xffff);
        }
        ordmap_put(&map, keys[17], (uint32_t)keys[17] & 0xffff); // overwrites, needs no room
        qsort(keys, COUNT, sizeof *keys, ascending);
        check_order(&map, keys, COUNT);
        cr_assert_eq(ordmap_find(&map, keys[0] + 1), ORDMAP_NONE);
        if (keys[0] > 0)
            cr_assert_eq(ordmap_seek(&map, keys[0] - 1).node, ORDMAP_NONE);
        ordmap_trim(&map);
        check_order(&map, keys, COUNT);
        ordmap_finish(&map);
    }
}

Test(ordmap, takes_all_entries_at_once_and_goes_on_from_there)
{
    enum { MORE = 100, COUNT_MAX = 40000 };
    static const uint32_t counts[] = {0, 1, 31, 32, 33, 1024, 1025, 32768, 32769};
    static uint64_t keys[COUNT_MAX];
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct test_allocator counted = test_allocator_make();
        struct weft_allocator allocator = test_allocator_use(&counted);
        struct ordmap map;
        uint32_t count = counts[c];
        ordmap_init(&map, &allocator);
        cr_assert(ordmap_load(&map, count));
        for (uint32_t i = count; i-- > 0;) {
            keys[i] = (uint64_t)i * 5 + 2;
            ordmap_load_entry(&map, i, keys[i], (uint32_t)keys[i] & 0xffff);
        }
        ordmap_load_finish(&map);
        check_order(&map, keys, count);
        for (uint32_t i = 0; i < MORE; i++, count++) {
            keys[count] = i % 2 == 0 ? (uint64_t)i * 7 * 5 : ((uint64_t)count * 5 + 3);
            cr_assert(ordmap_reserve(&map, 1));
            ordmap_put(&map, keys[count], (uint32_t)keys[count] & 0xffff);
        }
        qsort(keys, count, sizeof *keys, ascending);
        check_order(&map, keys, count);
        ordmap_finish(&map);
        cr_assert_eq(counted.used, 0);
    }
}

Test(ordmap, what_was_reserved_needs_no_memory_to_put)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct ordmap map;
    uint64_t state = 5;
    ordmap_init(&map, &allocator);
    for (int round = 0; round < 20; round++) {
        counted.fail_from = UINT64_MAX;
        cr_assert(ordmap_reserve(&map, 300));
        counted.fail_from = 0;
        for (int i = 0; i < 300; i++)
            ordmap_put(&map, round % 2 ? next(&state) : (uint64_t)round << 40 | (unsigned)i, 1);
    }
    cr_assert_not(ordmap_reserve(&map, 1U << 20));
    ordmap_finish(&map);
    cr_assert_eq(counted.used, 0);
}
