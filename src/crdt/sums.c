// SPDX-License-Identifier: MIT
// Hashes of collected text.
#include "crdt/sums.h"

#include <assert.h>
#include <string.h>

enum { SUMS_PAGE_SHIFT = 5 };

void sums_init(struct sums *sums, const struct weft_allocator *allocator)
{
    ordmap_init(&sums->parts, allocator);
    pool_init(&sums->hashes, allocator, HASH_SIZE, SUMS_PAGE_SHIFT);
}

void sums_finish(struct sums *sums)
{
    pool_finish(&sums->hashes);
    ordmap_finish(&sums->parts);
}

bool sums_reserve(struct sums *sums, uint64_t count)
{
    return count == 0 ||
           (pool_reserve(&sums->hashes, count) && ordmap_reserve(&sums->parts, count));
}

void sums_trim(struct sums *sums)
{
    pool_trim(&sums->hashes);
    ordmap_trim(&sums->parts);
}

static uint64_t part_key(struct sums_part part)
{
    assert(part.first % SUMS_BLOCK_ATOMS == 0);
    return (uint64_t)part.agent << 32 | part.first | part.chunk;
}

const uint8_t *sums_find(const struct sums *sums, struct sums_part part)
{
    if (sums->hashes.count == 0)
        return NULL;
    uint32_t number = ordmap_find(&sums->parts, part_key(part));
    return number != ORDMAP_NONE ? pool_at(&sums->hashes, number) : NULL;
}

void sums_put(struct sums *sums, struct sums_part part, const uint8_t hash[HASH_SIZE])
{
    if (sums_find(sums, part) != NULL)
        return;
    assert(pool_has_room(&sums->hashes, 1));
    uint32_t number = sums->hashes.count++;
    memcpy(pool_at(&sums->hashes, number), hash, HASH_SIZE);
    ordmap_put(&sums->parts, part_key(part), number);
}

void sums_set(struct sums *sums, struct sums_part part, const uint8_t hash[HASH_SIZE])
{
    sums_put(sums, part, hash);
    memcpy(pool_at(&sums->hashes, ordmap_find(&sums->parts, part_key(part))), hash, HASH_SIZE);
}

struct sums_part sums_part_at(const struct sums *sums, struct ordmap_at at)
{
    uint64_t key = ordmap_key(&sums->parts, at);
    return (struct sums_part){
        .agent = (uint32_t)(key >> 32),
        .first = (uint32_t)key & ~(uint32_t)1,
        .chunk = (key & 1) != 0,
    };
}

bool sums_find_part(const struct sums *sums, uint32_t agent, uint32_t seq,
                    struct sums_part *part_out)
{
    struct sums_part chunk = {agent, seq - seq % SUMS_CHUNK_ATOMS, true};
    struct sums_part block = {agent, seq - seq % SUMS_BLOCK_ATOMS, false};
    bool found = sums_find(sums, chunk) != NULL;
    *part_out = found ? chunk : block;
    return found || sums_find(sums, block) != NULL;
}
