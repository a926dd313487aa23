// SPDX-License-Identifier: MIT
// One node of the cluster: a directory, a name, addresses, and, while it is up, a process.
//
//   events   links, store and ticks call sim_node_step(); a NODE_TURN follows soon after, so that
//            several events share a turn as they do in a busy loop
//   life     start -> (stopped for a while) -> crash or drain -> start ...; each life is a `boot`
//   disk     the store outlives the process; a crash loses what was not committed
//
// May include: node/.
#ifndef WEFT_SIM_NODE_H
#define WEFT_SIM_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "node/node.h"

#include "sim_clock.h"
#include "sim_entropy.h"
#include "world.h"

#define SIM_SLOTS_MAX 48 // client connections at once
#define SIM_SEEDS_MAX 3

struct cluster;
struct connection;
struct owed;
struct request;
struct sim_disk;
struct sim_node;

struct sim_links {
    struct links port;
    struct sim_node *node;
};

struct sim_node {
    struct cluster *cluster;
    uint32_t slot;
    char name[16];
    char gossip[32];
    char pull[32];
    uint32_t seeds[SIM_SEEDS_MAX]; // slots
    uint32_t seed_count;
    struct sim_clock clock;
    struct sim_entropy entropy;
    struct sim_links links;
    struct sim_disk *disk;   // the directory
    struct sim_disk *backup; // an older copy of it; NULL while there is none
    uint64_t backup_us;
    struct node *node; // NULL while the process is down
    uint64_t boot;     // lives so far
    uint64_t paused_until_us;
    uint64_t ticks;
    bool stepping; // inside of a call into the node
    bool turn_pending;
    bool draining;
    bool forget_name; // started without a name: it takes the stored one
    uint32_t frame_bytes_max;
    size_t memory_bytes; // allocated by the process
    struct connection *connections[SIM_SLOTS_MAX];
    uint32_t generations[SIM_SLOTS_MAX];
    struct request *requests; // that wait for an answer
    struct owed *owed;        // pull answers that it may give
};

/// A node with an empty directory, not started.
struct sim_node *sim_node_create(struct cluster *cluster, uint32_t slot);
/// Its process must be down.
void sim_node_destroy(struct sim_node *node);

void sim_node_start(struct sim_node *node);
/// kill -9, or power loss: what was not committed is gone.
void sim_node_crash(struct sim_node *node);
/// SIGTERM: drains, then ends; `restart` starts it again a moment later.
void sim_node_drain(struct sim_node *node, bool restart);
/// SIGSTOP until then.
void sim_node_pause(struct sim_node *node, uint64_t until_us);

/// Copies the directory as it is on the disk now; possible while the process runs.
void sim_node_take_backup(struct sim_node *node);
/// While down: the directory becomes what it was when the backup was taken.
void sim_node_restore(struct sim_node *node);
/// While down: an empty directory; the name stays.
void sim_node_empty(struct sim_node *node);
/// Gives `clone`, which never started, a copy of this directory.
void sim_node_copy_directory(struct sim_node *node, struct sim_node *clone);

/// Whether this very life of the process is still there.
bool sim_node_lives(const struct sim_node *node, uint64_t boot);
bool sim_node_is_paused(const struct sim_node *node);
/// While the process is stopped: plans `act` for its awakening and takes `owned`. @return whether
/// so.
bool sim_node_defer(struct sim_node *node, world_act *act, void *context, uint64_t a, uint64_t b,
                    void *owned);
/// One event for the running process.
void sim_node_step(struct sim_node *node, const struct node_event *event);

/// @return NULL when nobody has this address.
struct sim_node *sim_node_at_gossip(struct cluster *cluster, struct span address);
struct sim_node *sim_node_at_pull(struct cluster *cluster, struct span address);

/// Fails the world when a question waits for its answer for too long.
void sim_pull_check(const struct sim_node *node);
void sim_pull_forget(struct sim_node *node);

#endif
