// SPDX-License-Identifier: MIT
// Any bytes as two version vectors: one size byte, the first, the second.
#include "target.h"

#include <weft/version.h>

static bool count(void *context, uint64_t agent, uint64_t next)
{
    (void)agent;
    REQUIRE(next > 0, "a next of 0");
    ++*(uint64_t *)context;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1)
        return 0;
    size_t first = bytes[0] < size - 1 ? bytes[0] : size - 1;
    const uint8_t *a = bytes + 1;
    const uint8_t *b = bytes + 1 + first;
    size_t b_size = size - 1 - first;
    uint64_t agents = 0;
    bool a_ok = weft_version_visit(a, first, count, &agents) == WEFT_OK;
    bool b_ok = weft_version_visit(b, b_size, count, &agents) == WEFT_OK;
    struct weft_buffer merged;
    weft_buffer_init(&merged, NULL);
    enum weft_order order;
    bool merges = weft_version_merge(&merged, a, first, b, b_size) == WEFT_OK;
    REQUIRE(merges == (a_ok && b_ok), "merge judges otherwise");
    if (merges) { // what covers both is not before either
        REQUIRE(weft_version_compare(&order, merged.data, merged.size, a, first) == WEFT_OK &&
                    (order == WEFT_ORDER_EQUAL || order == WEFT_ORDER_AFTER),
                "merged against the first");
        REQUIRE(weft_version_compare(&order, b, b_size, merged.data, merged.size) == WEFT_OK &&
                    (order == WEFT_ORDER_EQUAL || order == WEFT_ORDER_BEFORE),
                "the second against merged");
    }
    weft_buffer_finish(&merged);
    return 0;
}
