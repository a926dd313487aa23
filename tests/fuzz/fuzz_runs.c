// SPDX-License-Identifier: MIT
// Any bytes as runs: 8 bytes each make one, whose numbers are small, so that they fit together.
// Every delta is well-formed; what is in it need not be sound.
#include "target.h"

#include "tests/support/deltas.h"

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
            target_apply(doc, &memory, (bytes[7] & 0x40) != 0 ? WEFT_APPLY_STRICT : WEFT_APPLY_PARK,
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
