// SPDX-License-Identifier: MIT
// A group of staged edits; see store_lmdb_group.h.
#include "io/store_lmdb_group.h"

#include <assert.h>
#include <string.h>

#include "io/store_lmdb_record.h"

struct edit_header {
    uint64_t value_size;
    uint16_t key_size;
    uint8_t table;
    uint8_t removes;
    uint8_t padding[4];
};

static_assert(sizeof(struct edit_header) == 16, "edits stay aligned to 8 bytes");

static const size_t arena_bytes_first = (size_t)64 << 10;

static size_t edit_size(size_t key_size, size_t value_size)
{
    size_t size = sizeof(struct edit_header) + key_size + STORE_LMDB_CHECKSUM_BYTES + value_size;
    return (size + 7) & ~(size_t)7;
}

void store_lmdb_group_init(struct store_lmdb_group *group, const struct weft_allocator *allocator)
{
    *group = (struct store_lmdb_group){.allocator = *allocator};
}

static void arena_free(struct store_lmdb_group *group)
{
    if (group->bytes != NULL)
        group->allocator.resize(group->allocator.context, group->bytes, group->capacity, 0);
    group->bytes = NULL;
    group->capacity = 0;
}

void store_lmdb_group_finish(struct store_lmdb_group *group)
{
    arena_free(group);
    *group = (struct store_lmdb_group){.allocator = group->allocator};
}

void store_lmdb_group_reset(struct store_lmdb_group *group)
{
    group->number = 0;
    group->size = 0;
    group->payload = 0;
    group->value_greatest = 0;
    group->doomed = WEFT_OK;
    if (group->capacity > STORE_LMDB_ARENA_BYTES_KEPT)
        arena_free(group);
}

static enum weft_status arena_reserve(struct store_lmdb_group *group, size_t extra)
{
    size_t needed = group->size + extra;
    if (needed <= group->capacity)
        return WEFT_OK;
    if (needed > STORE_LMDB_GROUP_BYTES_MAX)
        return WEFT_NO_MEMORY;
    size_t capacity = group->capacity > 0 ? group->capacity : arena_bytes_first;
    while (capacity < needed)
        capacity *= 2;
    void *bytes =
        group->allocator.resize(group->allocator.context, group->bytes, group->capacity, capacity);
    if (bytes == NULL)
        return WEFT_NO_MEMORY;
    group->bytes = bytes;
    group->capacity = capacity;
    return WEFT_OK;
}

enum weft_status store_lmdb_group_add(struct store_lmdb_group *group, enum store_table table,
                                      bool removes, struct span key, struct span value)
{
    assert(table < STORE_TABLE_COUNT);
    assert(key.size > 0 && key.size <= STORE_LMDB_KEY_BYTES_MAX);
    if (removes)
        value = (struct span){NULL, 0};
    if (value.size > STORE_LMDB_GROUP_BYTES_MAX)
        return WEFT_NO_MEMORY;
    size_t size = edit_size(key.size, value.size);
    enum weft_status status = arena_reserve(group, size);
    if (status != WEFT_OK)
        return status;

    uint8_t *at = group->bytes + group->size;
    struct edit_header header = {value.size, (uint16_t)key.size, (uint8_t)table, removes, {0}};
    memcpy(at, &header, sizeof(header));
    at += sizeof(header);
    memcpy(at, key.data, key.size);
    at += key.size + STORE_LMDB_CHECKSUM_BYTES;
    if (value.size > 0)
        memcpy(at, value.data, value.size);
    group->size += size;
    group->payload += key.size + value.size;
    if (value.size > group->value_greatest)
        group->value_greatest = value.size;
    return WEFT_OK;
}

bool store_lmdb_group_next(struct store_lmdb_group *group, size_t *cursor,
                           struct store_lmdb_edit *edit_out)
{
    assert(*cursor <= group->size);
    if (*cursor == group->size)
        return false;
    uint8_t *at = group->bytes + *cursor;
    struct edit_header header;
    memcpy(&header, at, sizeof(header));
    uint8_t *key = at + sizeof(header);
    uint8_t *frame = key + header.key_size;
    *edit_out = (struct store_lmdb_edit){
        .table = (enum store_table)header.table,
        .removes = header.removes != 0,
        .key = {key, header.key_size},
        .frame = frame,
        .value = {frame + STORE_LMDB_CHECKSUM_BYTES, header.value_size},
    };
    *cursor += edit_size(header.key_size, header.value_size);
    return true;
}
