// SPDX-License-Identifier: MIT
// BLAKE2b by libsodium, whose functions cannot fail with these sizes.
#include "base/hash.h"

#include "base/endian.h"

void hash_init(struct hash *hash, size_t size)
{
    crypto_generichash_blake2b_init(&hash->state, NULL, 0, size);
}

void hash_update(struct hash *hash, const void *bytes, size_t size)
{
    if (size > 0)
        crypto_generichash_blake2b_update(&hash->state, bytes, size);
}

void hash_update_u64(struct hash *hash, uint64_t value)
{
    uint8_t bytes[8];
    endian_put_u64(bytes, value);
    hash_update(hash, bytes, sizeof bytes);
}

void hash_finish(struct hash *hash, uint8_t *out, size_t size)
{
    crypto_generichash_blake2b_final(&hash->state, out, size);
}
