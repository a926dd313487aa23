// SPDX-License-Identifier: MIT
// An allocator for tests: counts, limits, and fails on demand. Asserts that old sizes are told
// truly.
#ifndef WEFT_TESTS_ALLOCATOR_H
#define WEFT_TESTS_ALLOCATOR_H

#include <weft/memory.h>

struct test_allocator {
    size_t used;         // bytes allocated now
    size_t peak;         // most of them since test_allocator_reset_peak()
    size_t used_max;     // beyond this, allocation fails
    uint64_t calls;      // that asked for memory
    uint64_t fail_from;  // the call from which on some fail; UINT64_MAX: none
    uint64_t fail_count; // how many of them: UINT64_MAX, all, unless said otherwise
};

/// Counts from zero, never fails.
struct test_allocator test_allocator_make(void);
/// `allocator` must outlive everything allocated.
struct weft_allocator test_allocator_use(struct test_allocator *allocator);
/// Lets the peak start from what is used now.
void test_allocator_reset_peak(struct test_allocator *allocator);

#endif
