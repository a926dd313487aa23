// SPDX-License-Identifier: MIT
// What a record looks like in the file: the tables' names and numbers, and the frame of a value.
//
//   value in the file = checksum, 8 bytes little-endian | value as the node gave it
//   checksum = XXH3-64(value, seed = XXH3-64(key, seed = table's number))
//
// Normative: docs/storage-format.md. May include: node/ports.h, base/.
#ifndef WEFT_IO_STORE_LMDB_RECORD_H
#define WEFT_IO_STORE_LMDB_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "node/ports.h"

/// The container's format, as this build writes it. Version 0 until it is frozen.
#define STORE_LMDB_FORMAT 0

/// The table and the key of the format record; its value is the number, 4 bytes little-endian.
#define STORE_LMDB_FORMAT_TABLE "weft"
#define STORE_LMDB_FORMAT_TABLE_NUMBER 0
#define STORE_LMDB_FORMAT_KEY "format"

#define STORE_LMDB_CHECKSUM_BYTES 8
/// LMDB's own limit, compiled into Debian's build.
#define STORE_LMDB_KEY_BYTES_MAX 511

struct store_lmdb_table {
    const char *name; // of the LMDB database
    uint32_t number;  // part of each checksum; never reused
    bool grows;       // keys come in ascending order, as a rule: append first
};

extern const struct store_lmdb_table store_lmdb_tables[STORE_TABLE_COUNT];

uint64_t store_lmdb_checksum(uint32_t number, struct span key, struct span value);

/// Writes the checksum of `value` in front of it: `frame` has STORE_LMDB_CHECKSUM_BYTES of room.
void store_lmdb_frame(uint8_t *frame, uint32_t number, struct span key, struct span value);

/// @param value_out The part of `framed` behind the checksum, untouched on failure.
/// @return whether the checksum matches.
bool store_lmdb_unframe(struct span *value_out, uint32_t number, struct span key,
                        struct span framed);

#endif
