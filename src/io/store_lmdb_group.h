// SPDX-License-Identifier: MIT
// One group of staged edits: an arena that is filled on the loop thread, read on the store thread
// and then filled again, so that the steady state allocates nothing.
//
//   edit = header | key | room for the checksum | value | padding to 8
//
// The value's frame is contiguous: LMDB is handed the arena's own bytes. Belongs to one thread at a
// time. May include: node/ports.h, base/, weft/.
#ifndef WEFT_IO_STORE_LMDB_GROUP_H
#define WEFT_IO_STORE_LMDB_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

#include "base/bytes.h"
#include "node/ports.h"

/// A group of more bytes is refused as out of memory: no caller means that much in one transaction.
#define STORE_LMDB_GROUP_BYTES_MAX ((size_t)1 << 30)
/// What an arena may keep between groups; a greater one is given back.
#define STORE_LMDB_ARENA_BYTES_KEPT ((size_t)4 << 20)

struct store_lmdb_group {
    uint64_t number;         // given by commit()
    uint8_t *bytes;          // owned; edits one after the other
    size_t size;             // bytes of edits
    size_t capacity;         // bytes allocated
    size_t payload;          // bytes of keys and values
    size_t value_greatest;   // bytes of the greatest value
    enum weft_status doomed; // not WEFT_OK: the group fails with this whatever the disk says
    struct weft_allocator allocator;
};

struct store_lmdb_edit {
    enum store_table table;
    bool removes;
    struct span key;
    uint8_t *frame;    // the value's frame: checksum to be filled in, then the value
    struct span value; // inside of the frame
};

void store_lmdb_group_init(struct store_lmdb_group *group, const struct weft_allocator *allocator);
void store_lmdb_group_finish(struct store_lmdb_group *group);

/// Empties the group for its next use.
void store_lmdb_group_reset(struct store_lmdb_group *group);

/// Copies an edit; `removes` ignores the value. @return WEFT_OK or WEFT_NO_MEMORY, the group as it
/// was.
WEFT_MUST_USE enum weft_status store_lmdb_group_add(struct store_lmdb_group *group,
                                                    enum store_table table, bool removes,
                                                    struct span key, struct span value);

/// Steps through the edits. @param cursor 0 before the first. @return false at the end.
bool store_lmdb_group_next(struct store_lmdb_group *group, size_t *cursor,
                           struct store_lmdb_edit *edit_out);

#endif
