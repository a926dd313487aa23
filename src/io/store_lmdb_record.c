// SPDX-License-Identifier: MIT
// What a record looks like in the file; see store_lmdb_record.h.
#include "io/store_lmdb_record.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "io/store_lmdb.h"

const struct store_lmdb_table store_lmdb_tables[STORE_TABLE_COUNT] = {
    [STORE_META] = {"meta", 1, false},           [STORE_JOURNAL] = {"journal", 2, true},
    [STORE_DOCUMENTS] = {"documents", 3, false}, [STORE_SNAPSHOTS] = {"snapshots", 4, false},
    [STORE_TEXTS] = {"texts", 5, false},         [STORE_EPOCHS] = {"epochs", 6, false},
    [STORE_FEEDS] = {"feeds", 7, false},         [STORE_CHANGES] = {"changes", 8, true},
    [STORE_RECOVERY] = {"recovery", 9, false},
};

const char *store_lmdb_table_name(enum store_table table)
{
    assert(table < STORE_TABLE_COUNT);
    return store_lmdb_tables[table].name;
}

uint64_t store_lmdb_checksum(uint32_t number, struct span key, struct span value)
{
    // Bytes may be absent when there are none; the hash wants an address all the same.
    static const uint8_t nothing[1];
    const void *key_bytes = key.size > 0 ? key.data : nothing;
    const void *value_bytes = value.size > 0 ? value.data : nothing;
    uint64_t seed = XXH3_64bits_withSeed(key_bytes, key.size, number);
    return XXH3_64bits_withSeed(value_bytes, value.size, seed);
}

void store_lmdb_frame(uint8_t *frame, uint32_t number, struct span key, struct span value)
{
    uint64_t checksum = store_lmdb_checksum(number, key, value);
    for (unsigned i = 0; i < STORE_LMDB_CHECKSUM_BYTES; i++)
        frame[i] = (uint8_t)(checksum >> (8 * i));
}

bool store_lmdb_unframe(struct span *value_out, uint32_t number, struct span key,
                        struct span framed)
{
    if (framed.size < STORE_LMDB_CHECKSUM_BYTES)
        return false;
    uint64_t stored = 0;
    for (unsigned i = 0; i < STORE_LMDB_CHECKSUM_BYTES; i++)
        stored |= (uint64_t)framed.data[i] << (8 * i);
    struct span value = {framed.data + STORE_LMDB_CHECKSUM_BYTES,
                         framed.size - STORE_LMDB_CHECKSUM_BYTES};
    if (store_lmdb_checksum(number, key, value) != stored)
        return false;
    *value_out = value;
    return true;
}
