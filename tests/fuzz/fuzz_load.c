// SPDX-License-Identifier: MIT
// Any bytes as a snapshot: two sizes (u16 little-endian), structure, text, the rest are tombstones.
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 4)
        return 0;
    size_t structure = bytes[0] | (size_t)bytes[1] << 8;
    size_t text = bytes[2] | (size_t)bytes[3] << 8;
    bytes += 4;
    size -= 4;
    structure = structure < size ? structure : size;
    text = text < size - structure ? text : size - structure;
    struct weft_snapshot snapshot = {.structure = bytes,
                                     .structure_size = structure,
                                     .text = bytes + structure,
                                     .text_size = text,
                                     .tombs = bytes + structure + text,
                                     .tombs_size = size - structure - text};
    struct test_allocator memory = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&memory);
    struct weft_doc_options options = {.allocator = &allocator};
    struct weft_doc *doc = NULL;
    int64_t start_ns = target_ns();
    enum weft_status status = weft_doc_load(&doc, &snapshot, &options);
    target_in_time(start_ns, size);
    REQUIRE(memory.peak <= TARGET_MEMORY_FACTOR * size + TARGET_MEMORY_SLACK,
            "%zu bytes allocated for %zu", memory.peak, size);
    REQUIRE(status == WEFT_OK || status == WEFT_MALFORMED || status == WEFT_UNSUPPORTED ||
                status == WEFT_LIMIT,
            "status %d", (int)status);
    if (status == WEFT_OK) {
        target_digest(doc);
        REQUIRE(weft_doc_set_agent(doc, 77) == WEFT_OK, "agent");
        uint64_t middle = weft_doc_length(doc, WEFT_SCALARS) / 2;
        status = weft_doc_insert(doc, WEFT_SCALARS, middle, (const uint8_t *)"new", 3);
        REQUIRE(status == WEFT_OK || status == WEFT_LIMIT, "insert");
    }
    weft_doc_destroy(doc);
    REQUIRE(memory.used == 0, "%zu bytes were not given back", memory.used);
    return 0;
}
