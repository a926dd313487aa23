// SPDX-License-Identifier: MIT
// Any bytes as a delta for an empty document; what came of it goes to a second one.
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct test_allocator memory = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&memory);
    struct weft_doc_options options = {.allocator = &allocator};
    struct weft_doc *docs[2] = {NULL, NULL};
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    for (int i = 0; i < 2; i++)
        REQUIRE(weft_doc_create(&docs[i], &options) == WEFT_OK, "create");
    target_apply(docs[0], &memory, WEFT_APPLY_PARK, bytes, size);
    REQUIRE(weft_doc_delta_since(&delta, docs[0], NULL, 0) == WEFT_OK, "delta_since");
    if (delta.size > 0)
        target_apply(docs[1], &memory, WEFT_APPLY_STRICT, delta.data, delta.size);
    struct weft_digest first = target_digest(docs[0]);
    struct weft_digest second = target_digest(docs[1]);
    REQUIRE(memcmp(&first, &second, sizeof(first)) == 0, "a delta of all does not bring all");
    weft_buffer_finish(&delta);
    weft_doc_destroy(docs[0]);
    weft_doc_destroy(docs[1]);
    REQUIRE(memory.used == 0, "%zu bytes were not given back", memory.used);
    return 0;
}
