// SPDX-License-Identifier: MIT
// Parts of rga_check(). May include: crdt/rga.h.
#ifndef WEFT_CRDT_RGA_CHECK_H
#define WEFT_CRDT_RGA_CHECK_H

#include "crdt/rga.h"

/// Walks the tree of elements as docs/crdt.md defines the order, and compares: O1 the order, O2
/// that exactly the elements are hidden that some atom deletes. @return as rga_check().
const char *rga_check_order(struct rga *rga);

#endif
