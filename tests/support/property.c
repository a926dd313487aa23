// SPDX-License-Identifier: MIT
#include "tests/support/property.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define PROPERTY_SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define PROPERTY_SANITIZED true
#endif
#ifndef PROPERTY_SANITIZED
#define PROPERTY_SANITIZED false
#endif

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/// A number from the environment, or `otherwise`.
static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

bool property_is_sanitized(void)
{
    return PROPERTY_SANITIZED;
}

struct property property_start(const char *name, uint64_t rounds)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct random fresh = random_seeded((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30);
    uint64_t usual = property_is_sanitized() ? (rounds + 9) / 10 : rounds;
    struct property property = {
        .name = name,
        .first_seed = number_from("WEFT_SEED", random_next(&fresh) >> 16),
        .rounds = number_from("WEFT_ROUNDS", usual),
        .deadline_s = now_s() + (property_is_sanitized() ? PROPERTY_SECONDS_MAX_SANITIZED
                                                         : PROPERTY_SECONDS_MAX),
    };
    fprintf(stderr, "# %s: WEFT_SEED=%" PRIu64 ", %" PRIu64 " rounds\n", name, property.first_seed,
            property.rounds);
    return property;
}

bool property_next(struct property *property)
{
    if (property->round == property->rounds)
        return false;
    if (property->round > 0 && now_s() > property->deadline_s && getenv("WEFT_ROUNDS") == NULL) {
        fprintf(stderr, "# %s: out of time after %" PRIu64 " rounds\n", property->name,
                property->round);
        return false;
    }
    // The first round has the seed itself, so that a later one can be had alone by its own seed.
    struct random mix = random_seeded(property->first_seed + property->round);
    property->seed = property->round == 0 ? property->first_seed : random_next(&mix) >> 16;
    property->random = random_seeded(property->seed);
    property->round++;
    return true;
}

void property_fail(const struct property *property, const char *file, int line,
                   const char *condition, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    // Criterion drops messages under --quiet; the line is for the log of the test runner.
    fprintf(stderr, "# %s:%d: %s: WEFT_SEED=%" PRIu64 " WEFT_ROUNDS=1: %s: %s\n", file, line,
            property->name, property->seed, condition, message);
    cr_assert_fail("%s:%d: %s: WEFT_SEED=%" PRIu64 " WEFT_ROUNDS=1: %s: %s", file, line,
                   property->name, property->seed, condition, message);
    abort();
}
