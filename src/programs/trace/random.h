// SPDX-License-Identifier: MIT
// Deterministic random numbers: xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64. The
// same seed gives the same numbers on every machine. Not for secrets. Includes nothing of weft.
#ifndef WEFT_TRACE_RANDOM_H
#define WEFT_TRACE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

static inline struct random random_seeded(uint64_t seed)
{
    struct random random;
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9E3779B97F4A7C15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        random.state[i] = z ^ (z >> 31);
    }
    return random;
}

static inline uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t five = s[1] * 5;
    uint64_t result = (five << 7 | five >> 57) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

/// One of 0 .. bound - 1; 0 for a bound of 0. The bias, below 2^-32 for the bounds in use, is no
/// matter.
static inline uint64_t random_below(struct random *random, uint64_t bound)
{
    return bound == 0 ? 0 : random_next(random) % bound;
}

/// One of first .. last.
static inline uint64_t random_between(struct random *random, uint64_t first, uint64_t last)
{
    return first + random_below(random, last - first + 1);
}

/// True so many times in a thousand.
static inline bool random_permille(struct random *random, uint32_t permille)
{
    return random_below(random, 1000) < permille;
}

#endif
