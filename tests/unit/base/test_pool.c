// SPDX-License-Identifier: MIT
// base/pool.h: elements stay what they are while the pool grows, shrinks and runs out of memory.
#include <criterion/criterion.h>

#include "base/pool.h"
#include "tests/support/allocator.h"

enum { SHIFT = 4 };

static void add(struct pool *pool, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = pool->count++;
        *(uint32_t *)pool_at(pool, index) = index * 7;
    }
}

static void check(const struct pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++)
        cr_assert_eq(*POOL_AT(pool, uint32_t, SHIFT, i), i * 7, "%u of %u", i, pool->count);
}

Test(pool, elements_stay_through_growing_in_any_steps_and_trimming)
{
    static const uint32_t steps[] = {1, 2, 15, 1, 16, 17, 1000, 1, 4096, 3};
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct pool pool;
    pool_init(&pool, &allocator, sizeof(uint32_t), SHIFT);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        cr_assert(pool_reserve(&pool, steps[i]));
        add(&pool, steps[i]);
        check(&pool);
        cr_assert(pool_reserve(&pool, 50000));
        size_t before = counted.used;
        pool_trim(&pool);
        cr_assert_leq(counted.used, before);
        check(&pool);
    }
    pool_finish(&pool);
    cr_assert_eq(counted.used, 0);
}

Test(pool, without_memory_all_is_as_it_was)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct pool pool;
    pool_init(&pool, &allocator, sizeof(uint32_t), SHIFT);
    for (uint64_t allowed = 0; allowed < 40; allowed++) {
        counted.fail_from = counted.calls + allowed % 3;
        if (pool_reserve(&pool, 20 + pool.capacity / 8))
            add(&pool, 20);
        check(&pool);
    }
    cr_assert_gt(pool.count, 0);
    cr_assert_not(pool_reserve(&pool, UINT64_MAX)); // an index is 32 bits
    check(&pool);
    pool_finish(&pool);
    cr_assert_eq(counted.used, 0);
}
