// SPDX-License-Identifier: MIT
// Any bytes as runs: 8 bytes each make one, whose numbers are small, so that they fit together.
// Every delta is well-formed; what is in it need not be sound.
#include "target.h"

#include "tests/support/deltas.h"

#define HASH "0123456789abcdef0123456789ABCDEF"
/// Texts with gaps: of 200, 128 and 9 elements, and one that does not fit.
static const uint8_t *const gapped[] = {
    (const uint8_t *)"ab\xfe\x01" HASH "\xff\xc5\x01z",
    (const uint8_t *)"\xfe\x00" HASH "\xff\x40\xc3\xa9\xff\x3f",
    (const uint8_t *)"\xfe\x01" HASH "\xff\x04"
                     "abcde",
    (const uint8_t *)"\xff\x05"
                     "ab",
};
static const size_t gapped_sizes[] = {2 + 34 + 3 + 1, 34 + 2 + 2 + 2, 34 + 2 + 5, 4};

static struct weft_run make_run(const uint8_t bytes[8])
{
    static const uint8_t text[] = "abcdefghijklmnop";
    struct weft_run run = {
        .kind = (uint8_t)((bytes[0] & 0x0F) < 14 ? (bytes[0] & 0x0F) % 3 : bytes[0] >> 4),
        .length = 1 + (bytes[1] & 7),
        .agent = 1 + (bytes[2] & 3),
        .seq = bytes[3] & 31,
        .lamport = bytes[4],
        .target = {1 + (bytes[5] & 3), bytes[6] & 31},
        .text = text,
    };
    if (run.kind == WEFT_RUN_INSERT) {
        run.text_size = run.length;
        run.left = (bytes[7] & 1) != 0;
        if ((bytes[7] & 6) == 6) {
            run.left = false;
            run.target = WEFT_ID_ROOT;
        }
        if ((bytes[7] & 24) == 24) { // of which some was collected
            size_t which = bytes[7] >> 5 & 3;
            run.kind = WEFT_RUN_COLLECTED;
            run.length = which == 3 ? run.length : (uint32_t[]){200, 128, 9}[which];
            run.text = gapped[which];
            run.text_size = gapped_sizes[which];
        }
    } else if (run.kind == WEFT_RUN_UNDELETE) {
        run.text_size = run.length;
    } else if (run.kind == WEFT_RUN_DELETE) {
        run.backward = (bytes[7] & 1) != 0;
    }
    return run;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct test_allocator memory = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&memory);
    struct weft_doc_options options = {.allocator = &allocator};
    struct weft_doc *doc = NULL;
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    REQUIRE(weft_doc_create(&doc, &options) == WEFT_OK, "create");
    struct weft_run runs[DELTA_RUNS_MAX];
    size_t count = 0;
    struct target_moment moment = target_moment(doc);
    size_t half = size / 2;
    for (; size >= 8 && count < DELTA_RUNS_MAX; bytes += 8, size -= 8) {
        runs[count++] = make_run(bytes);
        if ((bytes[7] & 0x80) != 0 || size < 16 || count == DELTA_RUNS_MAX) {
            delta.size = 0;
            delta_of_runs(&delta, runs, count);
            target_apply(doc, &memory,
                         (bytes[6] & 0xE0) == 0xE0 ? WEFT_APPLY_DOUBT
                         : (bytes[7] & 0x40) != 0  ? WEFT_APPLY_STRICT
                                                   : WEFT_APPLY_PARK,
                         delta.data, delta.size);
            count = 0;
            if (size > half) {
                target_past(doc, &moment, false);
                moment = target_moment(doc);
            }
        }
    }
    target_past(doc, &moment, true);
    weft_buffer_finish(&delta);
    weft_doc_destroy(doc);
    REQUIRE(memory.used == 0, "%zu bytes were not given back", memory.used);
    return 0;
}
