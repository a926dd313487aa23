// SPDX-License-Identifier: MIT
// What the libFuzzer targets share. A broken law aborts, which the fuzzer reports with its input.
#ifndef WEFT_TESTS_FUZZ_TARGET_H
#define WEFT_TESTS_FUZZ_TARGET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/history.h>

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
    TARGET_BYTE_NS = 20000,          // time of the processor for each byte of input
    TARGET_SLACK_NS = 100 * 1000000, // and whatever the input; one such call is not felt
#if defined(__SANITIZE_ADDRESS__)
    TARGET_SLOWER = 10,
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    TARGET_SLOWER = 10, // so much does what sees errors cost
#else
    TARGET_SLOWER = 1,
#endif
#else
    TARGET_SLOWER = 1,
#endif
};

/// What this thread has had of the processor.
static inline int64_t target_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/// A call began at `start_ns` on so many bytes: fails when it took longer than is due.
static inline void target_in_time(int64_t start_ns, size_t size)
{
    int64_t took = target_ns() - start_ns;
    int64_t due = ((int64_t)size * TARGET_BYTE_NS + TARGET_SLACK_NS) * TARGET_SLOWER;
    REQUIRE(took <= due, "%lld ns for %zu bytes", (long long)took, size);
}

static inline struct weft_digest target_digest(struct weft_doc *doc)
{
    struct weft_digest digest;
    enum weft_status status = weft_doc_digest(&digest, doc);
    REQUIRE(status == WEFT_OK, "digest");
    return digest;
}

/// What a document shows at its version.
struct target_moment {
    struct weft_buffer version;
    struct weft_buffer text;
};

static inline struct target_moment target_moment(const struct weft_doc *doc)
{
    struct target_moment moment;
    weft_buffer_init(&moment.version, NULL);
    weft_buffer_init(&moment.text, NULL);
    REQUIRE(weft_doc_version(&moment.version, doc) == WEFT_OK, "version");
    REQUIRE(weft_doc_text(&moment.text, doc) == WEFT_OK, "text");
    return moment;
}

static inline bool target_same(const struct weft_buffer *a, const struct weft_buffer *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/// Checks that the past is what it was, and frees the moment. @param restore Goes back to it, too.
static inline void target_past(struct weft_doc *doc, struct target_moment *moment, bool restore)
{
    struct weft_buffer text;
    const struct weft_buffer *version = &moment->version;
    weft_buffer_init(&text, NULL);
    enum weft_status status = weft_doc_text_at(&text, doc, version->data, version->size);
    bool gone = status == WEFT_COLLECTED && weft_doc_stats(doc).collected > 0;
    REQUIRE(gone || status == WEFT_OK, "text at");
    REQUIRE(gone || target_same(&text, &moment->text), "the past has changed");
    REQUIRE(!restore || weft_doc_set_agent(doc, 0x5EED) == WEFT_OK, "agent");
    if (restore && weft_doc_restore(doc, version->data, version->size) == WEFT_OK) {
        text.size = 0; // else it is near the end of time
        REQUIRE(weft_doc_text(&text, doc) == WEFT_OK, "text");
        REQUIRE(target_same(&text, &moment->text), "restored to another text");
        const char *broken = weft_doc_check(doc);
        REQUIRE(broken == NULL, "restored: %s", broken);
    }
    weft_buffer_finish(&text);
    weft_buffer_finish(&moment->version);
    weft_buffer_finish(&moment->text);
}

/// Applies bytes to a document and checks what holds whatever they are.
static inline void target_apply(struct weft_doc *doc, struct test_allocator *memory,
                                enum weft_apply_mode mode, const uint8_t *bytes, size_t size)
{
    struct weft_digest before = target_digest(doc);
    struct target_moment moment = target_moment(doc);
    test_allocator_reset_peak(memory);
    size_t used = memory->used;
    int64_t start_ns = target_ns();
    struct weft_apply_result result = {.atoms_applied = 0};
    enum weft_status status = weft_doc_apply(&result, doc, mode, bytes, size);
    target_in_time(start_ns, size);
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
    target_past(doc, &moment, false);
}

#endif
