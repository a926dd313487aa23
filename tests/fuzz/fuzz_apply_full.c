// SPDX-License-Identifier: MIT
// Any bytes as two deltas for a document with a history: agents 1 and 2, inserts on both sides,
// deletes both ways, characters of all sizes.
#include "target.h"

static void edit(struct weft_doc *doc, uint64_t agent)
{
    REQUIRE(weft_doc_set_agent(doc, agent) == WEFT_OK, "agent");
    for (uint64_t i = 0; i < 8; i++) {
        static const uint8_t text[] = "a\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80z";
        uint64_t length = weft_doc_length(doc, WEFT_SCALARS);
        REQUIRE(weft_doc_insert(doc, WEFT_SCALARS, length * (i % 3) / 2, text, 11) == WEFT_OK,
                "insert");
        REQUIRE(weft_doc_delete(doc, WEFT_SCALARS, length / 2, 1 + i % 3) == WEFT_OK, "delete");
        REQUIRE(weft_doc_delete(doc, WEFT_SCALARS, length / 3, 1) == WEFT_OK, "delete");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct test_allocator memory = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&memory);
    struct weft_doc_options options = {.allocator = &allocator};
    struct weft_doc *doc = NULL;
    if (size < 2)
        return 0;
    REQUIRE(weft_doc_create(&doc, &options) == WEFT_OK, "create");
    edit(doc, 1);
    edit(doc, 2);
    enum weft_apply_mode mode = (bytes[0] & 1) != 0 ? WEFT_APPLY_PARK : WEFT_APPLY_STRICT;
    size_t first = (size - 2) * bytes[1] / 255;
    target_apply(doc, &memory, mode, bytes + 2, first);
    target_apply(doc, &memory, mode, bytes + 2 + first, size - 2 - first);
    weft_doc_destroy(doc);
    REQUIRE(memory.used == 0, "%zu bytes were not given back", memory.used);
    return 0;
}
