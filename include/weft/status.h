// SPDX-License-Identifier: MIT
// What a call can answer. Errors are values; bugs are asserts. weft/status.h includes nothing.
#ifndef WEFT_STATUS_H
#define WEFT_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_STATUS_MAP(X)                                                                         \
    X(OK, 0, "ok")                                                                                 \
    X(NO_MEMORY, 1, "out of memory")                                                               \
    X(MALFORMED, 2, "bytes do not follow the format")                                              \
    X(INVALID, 3, "the operation breaks a rule that every replica checks alike")                   \
    X(LIMIT, 4, "a configured limit was reached")                                                  \
    X(RANGE, 5, "position is outside of the document")                                             \
    X(UNSUPPORTED, 6, "format version is newer than this build understands")                       \
    X(NOT_FOUND, 7, "there is no such thing")                                                      \
    X(CONFLICT, 8, "another epoch, or another content under the same id")                          \
    X(STORAGE, 9, "the store could not complete the operation")                                    \
    X(BEHIND, 10, "the document lacks operations of that version")                                 \
    X(COLLECTED, 11, "text of that version was collected")

/// Result of a fallible call. Results proper go out through the first parameter (`..._out`), which
/// is left untouched on failure.
enum weft_status {
#define WEFT_STATUS_ENUM(name, value, text) WEFT_##name = (value),
    WEFT_STATUS_MAP(WEFT_STATUS_ENUM)
#undef WEFT_STATUS_ENUM
};

#if defined(__GNUC__) || defined(__clang__)
#define WEFT_MUST_USE __attribute__((warn_unused_result))
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_MUST_USE
#define WEFT_API
#endif

/// One English phrase without a full stop. Static storage; never NULL, whatever the value.
WEFT_API const char *weft_status_text(enum weft_status status);

#ifdef __cplusplus
}
#endif

#endif
