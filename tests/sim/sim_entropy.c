// SPDX-License-Identifier: MIT
// Randomness that a seed repeats.
#include "sim_entropy.h"

#include <string.h>

static void fill(struct entropy *self, void *bytes, size_t size)
{
    struct sim_entropy *entropy = (struct sim_entropy *)self;
    uint8_t *out = bytes;
    while (size > 0) {
        uint64_t draw = random_next(&entropy->stream);
        size_t piece = size < sizeof(draw) ? size : sizeof(draw);
        memcpy(out, &draw, piece);
        out += piece;
        size -= piece;
    }
}

void sim_entropy_init(struct sim_entropy *entropy, uint64_t seed)
{
    *entropy = (struct sim_entropy){.port = {.fill = fill}, .stream = {seed}};
}
