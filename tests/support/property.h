// SPDX-License-Identifier: MIT
// A law that is tried in many random rounds.
//
//   for (struct property p = property_start("merging is commutative", 200); property_next(&p);)
//       ... CHECK(&p, condition, "what went wrong: %d", n);
//
// WEFT_SEED=N starts from that seed, otherwise a fresh one is taken; it is printed. WEFT_ROUNDS=N
// sets how many rounds are run. A failure names the seed of its round: WEFT_SEED=<it> WEFT_ROUNDS=1
// runs just that again. Under a sanitizer there are a tenth of the rounds. A law ends after
// PROPERTY_SECONDS_MAX anyway, and says so.
#ifndef WEFT_TESTS_PROPERTY_H
#define WEFT_TESTS_PROPERTY_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/status.h>

#include "programs/trace/random.h"

enum { PROPERTY_SECONDS_MAX = 12, PROPERTY_SECONDS_MAX_SANITIZED = 30 };

struct property {
    const char *name;
    struct random random; // of this round
    uint64_t first_seed;
    uint64_t seed; // of this round
    uint64_t round;
    uint64_t rounds;
    double deadline_s;
};

struct property property_start(const char *name, uint64_t rounds);
/// Begins the next round. @return false after the last.
bool property_next(struct property *property);

/// True when this build has a sanitizer, which makes it some five times slower.
bool property_is_sanitized(void);

/// Fails the test. Names the seed, the place and what was expected.
__attribute__((noreturn, format(printf, 5, 6))) void property_fail(const struct property *property,
                                                                   const char *file, int line,
                                                                   const char *condition,
                                                                   const char *format, ...);

/// Fails the test unless `condition` holds. The rest is a message as of printf.
#define CHECK(property, condition, ...)                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            property_fail(property, __FILE__, __LINE__, #condition, __VA_ARGS__);                  \
    } while (0)

/// Fails the test unless a call answers WEFT_OK.
#define CHECK_OK(property, call)                                                                   \
    do {                                                                                           \
        enum weft_status check_status = (call);                                                    \
        if (check_status != WEFT_OK)                                                               \
            property_fail(property, __FILE__, __LINE__, #call, "%s",                               \
                          weft_status_text(check_status));                                         \
    } while (0)

#endif
