// SPDX-License-Identifier: MIT
// Looks at what is really on a disk at the moment of an ack: a copy of it is opened by a process of
// its own, alone in an empty world, and asked for the text. May include: node/.
#ifndef WEFT_SIM_PROBE_H
#define WEFT_SIM_PROBE_H

#include "base/bytes.h"

struct sim_client;
struct sim_node;

/// `node` is about to send this frame to `client`. When it is an ack of `durable` or more, one of
/// some dozens is looked into: what it covers must be in the document that a new process would
/// read.
void probe_frame(struct sim_node *node, struct sim_client *client, struct span frame);

#endif
