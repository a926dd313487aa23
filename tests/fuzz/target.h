// SPDX-License-Identifier: MIT
// What the libFuzzer targets share. A broken law aborts, which the fuzzer reports with its input.
#ifndef WEFT_TESTS_FUZZ_TARGET_H
#define WEFT_TESTS_FUZZ_TARGET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/doc.h>

#include "tests/support/allocator.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define REQUIRE(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum {
    TARGET_MEMORY_FACTOR = 160, // bytes allocated per byte of input, see test_hostile.c
    TARGET_MEMORY_SLACK = 400 * 1024,
};

static inline struct weft_digest target_digest(struct weft_doc *doc)
{
    struct weft_digest digest;
    enum weft_status status = weft_doc_digest(&digest, doc);
    REQUIRE(status == WEFT_OK, "digest");
    return digest;
}

/// Applies bytes to a document and checks what holds whatever they are.
static inline void target_apply(struct weft_doc *doc, struct test_allocator *memory,
                                enum weft_apply_mode mode, const uint8_t *bytes, size_t size)
{
    struct weft_digest before = target_digest(doc);
    test_allocator_reset_peak(memory);
    size_t used = memory->used;
    struct weft_apply_result result = {.atoms_applied = 0};
    enum weft_status status = weft_doc_apply(&result, doc, mode, bytes, size);
    REQUIRE(memory->peak - used <= TARGET_MEMORY_FACTOR * size + TARGET_MEMORY_SLACK,
            "%zu bytes allocated for %zu", memory->peak - used, size);
    REQUIRE(status == WEFT_OK || status == WEFT_MALFORMED || status == WEFT_UNSUPPORTED ||
                status == WEFT_LIMIT,
            "status %d", (int)status);
    const char *broken = weft_doc_check(doc);
    REQUIRE(broken == NULL, "%s", broken);
    struct weft_digest after = target_digest(doc);
    REQUIRE(result.atoms_applied > 0 || memcmp(&before, &after, sizeof(before)) == 0,
            "nothing was applied, and the digest changed");
}

#endif
