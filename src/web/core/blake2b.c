// SPDX-License-Identifier: MIT
// BLAKE2b without a key, as RFC 7693 has it, in loops: small rather than quick. The names are
// libsodium's, so that base/hash.c is the same everywhere.
#include <assert.h>
#include <string.h>

#include <sodium/crypto_generichash_blake2b.h>

enum { BLOCK_SIZE = 128, ROUNDS = 12 };

static const uint64_t iv[8] = {
    UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b),
    UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
    UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179),
};

// RFC 7693, 2.7: two indexes a byte, the first in the lower half.
static const uint8_t sigma[10][8] = {
    {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe},
    {0xae, 0x84, 0xf9, 0x6d, 0xc1, 0x20, 0x7b, 0x35},
    {0x8b, 0x0c, 0x25, 0xdf, 0xea, 0x63, 0x17, 0x49},
    {0x97, 0x13, 0xcd, 0xeb, 0x62, 0xa5, 0x04, 0x8f},
    {0x09, 0x75, 0x42, 0xfa, 0x1e, 0xcb, 0x86, 0xd3},
    {0xc2, 0xa6, 0xb0, 0x38, 0xd4, 0x57, 0xef, 0x91},
    {0x5c, 0xf1, 0xde, 0xa4, 0x70, 0x36, 0x29, 0xb8},
    {0xbd, 0xe7, 0x1c, 0x93, 0x05, 0x4f, 0x68, 0xa2},
    {0xf6, 0x9e, 0x3b, 0x80, 0x2c, 0x7d, 0x41, 0x5a},
    {0x2a, 0x48, 0x67, 0x51, 0xbf, 0xe9, 0xc3, 0x0d},
};

static uint64_t rotate(uint64_t value, unsigned right)
{
    return value >> right | value << (64 - right);
}

static void compress(crypto_generichash_blake2b_state *state, uint64_t final)
{
    uint64_t v[16];
    uint64_t m[16];
    memcpy(m, state->block, sizeof m); // little-endian, as WebAssembly is
    memcpy(v, state->h, sizeof state->h);
    memcpy(v + 8, iv, sizeof iv);
    v[12] ^= state->compressed;
    v[14] ^= final;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 8; i++) { // 4 columns, then 4 diagonals
            unsigned turn = i / 4;
            uint64_t *a = &v[i % 4];
            uint64_t *b = &v[4 + (i + turn) % 4];
            uint64_t *c = &v[8 + (i + 2 * turn) % 4];
            uint64_t *d = &v[12 + (i + 3 * turn) % 4];
            uint8_t pair = sigma[round % 10][i];
            *a += *b + m[pair & 15];
            *d = rotate(*d ^ *a, 32);
            *c += *d;
            *b = rotate(*b ^ *c, 24);
            *a += *b + m[pair >> 4];
            *d = rotate(*d ^ *a, 16);
            *c += *d;
            *b = rotate(*b ^ *c, 63);
        }
    }
    for (unsigned i = 0; i < 8; i++)
        state->h[i] ^= v[i] ^ v[i + 8];
}

int crypto_generichash_blake2b_init(crypto_generichash_blake2b_state *state, const uint8_t *key,
                                    size_t key_size, size_t out_size)
{
    (void)key;
    (void)key_size;
    assert(key_size == 0);
    memset(state, 0, sizeof *state);
    memcpy(state->h, iv, sizeof iv);
    state->h[0] ^= 0x01010000 ^ out_size;
    return 0;
}

int crypto_generichash_blake2b_update(crypto_generichash_blake2b_state *state, const uint8_t *bytes,
                                      unsigned long long size)
{
    size_t rest = (size_t)size;
    while (rest > 0) {
        if (state->filled == BLOCK_SIZE) { // the last block waits for the end
            state->compressed += BLOCK_SIZE;
            compress(state, 0);
            state->filled = 0;
        }
        size_t room = BLOCK_SIZE - state->filled;
        size_t more = rest < room ? rest : room;
        memcpy(state->block + state->filled, bytes, more);
        state->filled += more;
        bytes += more;
        rest -= more;
    }
    return 0;
}

int crypto_generichash_blake2b_final(crypto_generichash_blake2b_state *state, uint8_t *out,
                                     size_t out_size)
{
    memset(state->block + state->filled, 0, BLOCK_SIZE - state->filled);
    state->compressed += state->filled;
    compress(state, UINT64_MAX);
    memcpy(out, state->h, out_size);
    return 0;
}
