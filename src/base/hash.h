// SPDX-License-Identifier: MIT
// BLAKE2b (RFC 7693) without a key, whole or piece by piece. The one place in libweft that knows
// libsodium.
#ifndef WEFT_BASE_HASH_H
#define WEFT_BASE_HASH_H

#include "base/bytes.h"

#include <sodium/crypto_generichash_blake2b.h>

enum { HASH_SIZE = 32 };

struct hash {
    crypto_generichash_blake2b_state state;
};

/// @param size Of the result in bytes, 16 to 64.
void hash_init(struct hash *hash, size_t size);
void hash_update(struct hash *hash, const void *bytes, size_t size);
void hash_update_u64(struct hash *hash, uint64_t value); // as 8 bytes, little-endian
/// Writes the `size` bytes that hash_init() was told.
void hash_finish(struct hash *hash, uint8_t *out, size_t size);

#endif
