// SPDX-License-Identifier: MIT
// The store port in memory: a disk that keeps what was synced and forgets the rest.
//
//   put/remove -> open group --commit()--> under way --sim_store_sync()--> durable
//                                             |              `--sim_store_next()--> the node is
//                                             told
//                        sim_store_crash(): gone
//
// Nothing happens by itself: the simulator decides when a group reaches the disk and when the node
// hears of it. Same calls, same content, whatever the machine. One thread. tests/contract runs one
// suite on this and on io/store_lmdb. May include: node/ports.h, base/, weft/.
#ifndef WEFT_SIM_STORE_H
#define WEFT_SIM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

#include "base/bytes.h"
#include "node/ports.h"

struct sim_store;

struct sim_store_options {
    /// commit() was called: a group is under way, to be synced some time. May be NULL. Must not
    /// call the store.
    void (*committed)(void *context, uint64_t group);
    void *context;
    const struct weft_allocator *allocator; // copied; NULL means libc's
};

/// An empty disk. @param store_out Owned: sim_store_destroy(). @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status sim_store_create(struct sim_store **store_out,
                                                const struct sim_store_options *options);

/// A disk with what is durable on another: a copied directory, a backup. Groups under way and
/// faults are not copied. Records are shared and counted, so this costs a pointer for each.
/// @param options `allocator` is ignored: it is that of `source`. Both belong to one thread.
WEFT_MUST_USE enum weft_status sim_store_clone(struct sim_store **store_out,
                                               const struct sim_store *source,
                                               const struct sim_store_options *options);

/// Takes NULL.
void sim_store_destroy(struct sim_store *store);

/// The port. Borrowed; as long as the store.
struct store *sim_store_port(struct sim_store *store);

/// Groups under way that did not reach the disk yet.
unsigned sim_store_pending(const struct sim_store *store);

/// The oldest group under way reaches the disk, or fails. Reads see it from the next view on.
/// @return false if there is none.
bool sim_store_sync(struct sim_store *store);

/// Takes the oldest outcome that the node was not told yet; to be handed to it as NODE_COMMITTED at
/// once. @return false if there is none.
bool sim_store_next(struct sim_store *store, uint64_t *group_out, enum weft_status *status_out);

/// The process died: staged edits, groups under way, untold outcomes and the view are gone, and so
/// is a broken health. The store is as a new process finds it; groups are counted from 1 again.
void sim_store_crash(struct sim_store *store);

// ------------------------------------------------------------------------------------------ faults

/// The next group that is synced fails, and those committed behind it. WEFT_STORAGE breaks the
/// store until sim_store_crash(); WEFT_LIMIT and WEFT_NO_MEMORY leave it as it is.
void sim_store_fail_next(struct sim_store *store, enum weft_status status);

/// There is no space: from the next group that is synced on, groups fail with WEFT_LIMIT and the
/// store's health is STORE_FULL. With false there is space again, and it is writable at once.
void sim_store_set_full(struct sim_store *store, bool full);

/// The checksum of a record does not match any more. @return whether there is such a record.
bool sim_store_damage(struct sim_store *store, enum store_table table, struct span key);

/// Bytes of all durable keys and values.
uint64_t sim_store_bytes(const struct sim_store *store);

/// Durable records of a table.
size_t sim_store_count(const struct sim_store *store, enum store_table table);

#endif
