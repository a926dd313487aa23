// SPDX-License-Identifier: MIT
// Whether a run says of atoms that are here what the log says of them. May include: base, crdt.
#ifndef WEFT_CRDT_RGA_SAME_H
#define WEFT_CRDT_RGA_SAME_H

#include "crdt/rga.h"

/// How many atoms of a run, from its first on, are not here yet or are here with the same content.
/// Cost: O(rows that the run is in + its text).
uint32_t rga_same(struct rga *rga, const struct weft_run *run);

#endif
