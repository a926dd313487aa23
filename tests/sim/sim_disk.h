// SPDX-License-Identifier: MIT
// A node's directory and its store thread in virtual time: how long commits take, and when they
// fail.
//
//   commit() -> under way for a while -> on the disk -> a moment -> NODE_COMMITTED
//                     |                     |
//                     crash: gone           crash: there, though nobody was told
//
// The store itself is sim_store.h's. May include: node/ports.h.
#ifndef WEFT_SIM_DISK_H
#define WEFT_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "node/ports.h"

struct sim_disk;
struct sim_node;
struct sim_store;

/// An empty directory.
struct sim_disk *sim_disk_create(struct sim_node *node);
/// A directory with what is durable in this one, for `node`.
struct sim_disk *sim_disk_copy(const struct sim_disk *disk, struct sim_node *node);
/// A store of its own with what is durable here. Owned: sim_store_destroy().
struct sim_store *sim_disk_copy_store(const struct sim_disk *disk);
/// Takes NULL.
void sim_disk_destroy(struct sim_disk *disk);

struct store *sim_disk_port(struct sim_disk *disk);
/// The process is gone; with it all that did not reach the disk. What was being written may have.
void sim_disk_crash(struct sim_disk *disk);

/// The next commit fails, and so does every other one until the process is started anew.
void sim_disk_break(struct sim_disk *disk);
/// The checksum of a durable record does not match any more. @return whether there is such a
/// record.
bool sim_disk_damage(struct sim_disk *disk, enum store_table table, struct span key);
/// There is no space, or there is again.
void sim_disk_set_full(struct sim_disk *disk, bool full);
/// How long commits take at most.
void sim_disk_set_latency(struct sim_disk *disk, uint64_t latency_us_max);

#endif
