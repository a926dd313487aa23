// SPDX-License-Identifier: MIT
// HTTP requests, as a node sees them: asked once, answered once, or broken off. May include: node/.
#ifndef WEFT_SIM_REQUEST_H
#define WEFT_SIM_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "node/node.h"

struct cluster;
struct sim_node;

/// What the asker got. `status` 0: nobody answered, and whether anything was done is not known.
struct sim_request_result {
    uint32_t slot; // of the node that was asked
    uint16_t status;
    struct span body;
    struct span etag;
    uint32_t level;   // of durability: 0 none said, 1 durable, n replicated:n
    uint64_t sent_us; // when the node answered
};

/// Called once. Spans are borrowed for the call.
typedef void sim_request_done(void *context, uint64_t tag, const struct sim_request_result *result);

/// Asks; what `ask` names is copied.
void sim_request_send(struct sim_node *node, const struct node_ask *ask, sim_request_done *done,
                      void *context, uint64_t tag);

// The node's side.
void sim_request_respond(struct sim_node *node, struct request_id id,
                         const struct node_response *response);
bool sim_request_stream(struct sim_node *node, struct request_id id, struct span piece);
void sim_request_stream_end(struct sim_node *node, struct request_id id);
/// The process is gone: nobody will answer.
void sim_request_crash_all(struct sim_node *node);

#endif
