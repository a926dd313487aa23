// SPDX-License-Identifier: MIT
// The part of libsodium's BLAKE2b that base/hash.c uses, for the WebAssembly module: Debian has no
// libsodium for it, and libsodium's source, unrolled, is a tenth of the module. blake2b.c has it.
#ifndef WEFT_WEB_CORE_BLAKE2B_H
#define WEFT_WEB_CORE_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

typedef struct crypto_generichash_blake2b_state {
    uint64_t h[8];
    uint64_t compressed; // bytes
    size_t filled;       // bytes of the block
    uint8_t block[128];
} crypto_generichash_blake2b_state;

/// @param key Must be NULL.
int crypto_generichash_blake2b_init(crypto_generichash_blake2b_state *state, const uint8_t *key,
                                    size_t key_size, size_t out_size);
int crypto_generichash_blake2b_update(crypto_generichash_blake2b_state *state, const uint8_t *bytes,
                                      unsigned long long size);
int crypto_generichash_blake2b_final(crypto_generichash_blake2b_state *state, uint8_t *out,
                                     size_t out_size);

#endif
