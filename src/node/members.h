// SPDX-License-Identifier: MIT
// Members: the other nodes, the links to them, and who is gone for good. Private to node/.
//
// A member is one life of a node's process, named by its incarnation. The next life at the same
// address, or one that continues it, takes its place. The node with the smaller incarnation dials;
// when a pair has two links, the one with the greater incarnation hangs up the one that it dialed.
// May include: node/state.h.
#ifndef WEFT_NODE_MEMBERS_H
#define WEFT_NODE_MEMBERS_H

#include "node/state.h"

/// NULL when it is not known.
struct member *members_find(const struct node *node, uint64_t incarnation);
/// Remembers the last life's members, and dials them and the given seeds.
WEFT_MUST_USE enum weft_status members_start(struct node *node, const struct node_config *config);
void members_finish(struct node *node);

void members_pipe_up(struct node *node, struct pipe_id pipe);
void members_pipe_down(struct node *node, struct pipe_id pipe);
/// A message of `incarnation` came through a pipe.
void members_pipe_heard(struct node *node, struct pipe_id pipe, uint64_t incarnation);
/// A heartbeat: learns its sender and whom that knows. @return The sender; NULL: it is not counted.
struct member *members_heartbeat(struct node *node, const struct peer_message *message);
/// Drops silent pipes, dials whom nobody reaches, stores who is here. Every tick.
void members_tick(struct node *node);
/// Marks members of that name as gone for good. @param up_out Set to true when one of them was
/// heard just now. @return NULL, or why there is none. Static.
const char *members_forget(struct node *node, struct span name, bool *up_out);
/// As heartbeats and the store name it.
void members_put(struct pack_writer *writer, const struct member *member);
/// Whether messages can reach anyone.
static inline bool members_any(const struct node *node)
{
    return node->pipe_count > 0;
}
/// Other members that are here.
uint32_t members_count(const struct node *node);

#endif
