// SPDX-License-Identifier: MIT
// The entropy port: a stream per life of a node, drawn from the seed. May include: node/ports.h.
#ifndef WEFT_SIM_ENTROPY_H
#define WEFT_SIM_ENTROPY_H

#include "node/ports.h"

#include "world.h"

struct sim_entropy {
    struct entropy port;
    struct random_stream stream;
};

void sim_entropy_init(struct sim_entropy *entropy, uint64_t seed);

#endif
