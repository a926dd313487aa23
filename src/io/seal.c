// SPDX-License-Identifier: MIT
// Implements io/seal.h on libsodium.
#include "io/seal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#define VERSION 0
#define FORM_SEALED 0x08
#define FORM_KIND 0x07
#define FORM_AT 3
#define SENDER_AT 4
#define NUMBER_AT 20
#define KEY_DIGITS 64
#define ASSOCIATED_BYTES_MAX (2 * SEAL_HEADER_BYTES)

static_assert(NUMBER_AT + 8 == SEAL_HEADER_BYTES, "the header ends with the number");
static_assert(SEAL_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag of the AEAD");
static_assert(sizeof(((struct seal_key *)0)->bytes) == crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
              "key of the AEAD");

static const uint8_t magic[FORM_AT] = {'w', 'f', 't'};

bool seal_start(void)
{
    return sodium_init() >= 0;
}

// ------------------------------------------------------------------------------------ the key file

/// Reads at most `capacity` bytes of a key file that only its owner and group can reach.
static enum weft_status read_guarded(char *text, size_t capacity, size_t *size_out,
                                     const char *path, char *error, size_t error_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        snprintf(error, error_size, "cluster key %s: %s", path, strerror(errno));
        return WEFT_NOT_FOUND;
    }
    struct stat status;
    enum weft_status result = WEFT_OK;
    if (fstat(fd, &status) != 0) {
        snprintf(error, error_size, "cluster key %s: %s", path, strerror(errno));
        result = WEFT_NOT_FOUND;
    } else if (S_ISREG(status.st_mode) && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        snprintf(error, error_size, "cluster key %s: everyone may %s it; chmod o-rw it", path,
                 (status.st_mode & S_IROTH) != 0 ? "read" : "write");
        result = WEFT_LIMIT;
    } else {
        ssize_t got = read(fd, text, capacity);
        if (got < 0) {
            snprintf(error, error_size, "cluster key %s: %s", path, strerror(errno));
            result = WEFT_NOT_FOUND;
        } else {
            *size_out = (size_t)got;
        }
    }
    close(fd);
    return result;
}

enum weft_status seal_read_key(struct seal_key *key_out, const char *path, char *error,
                               size_t error_size)
{
    char text[KEY_DIGITS + 3]; // a line end of two bytes, and one more to see that there is more
    size_t size = 0;
    enum weft_status status = read_guarded(text, sizeof text, &size, path, error, error_size);
    if (status != WEFT_OK) {
        return status;
    }
    if (size > 0 && size < sizeof text && text[size - 1] == '\n') {
        size--;
        if (size > 0 && text[size - 1] == '\r') {
            size--;
        }
    }
    struct seal_key key = {.present = true};
    size_t bytes = 0;
    bool decoded =
        size == KEY_DIGITS &&
        sodium_hex2bin(key.bytes, sizeof key.bytes, text, size, NULL, &bytes, NULL) == 0 &&
        bytes == sizeof key.bytes;
    sodium_memzero(text, sizeof text);
    if (decoded) {
        *key_out = key;
    } else {
        snprintf(error, error_size, "cluster key %s: must hold exactly %d hex digits", path,
                 KEY_DIGITS);
    }
    sodium_memzero(&key, sizeof key);
    return decoded ? WEFT_OK : WEFT_MALFORMED;
}

// --------------------------------------------------------------------------------------- envelopes

/// The key that one sender uses during one life of its process.
static void derive(uint8_t derived[32], const struct seal_key *key, const uint8_t *sender)
{
    static const uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES] = "weft seal v0";
    int failed = crypto_generichash_blake2b_salt_personal(
        derived, 32, sender, SEAL_SENDER_BYTES, key->bytes, sizeof key->bytes, NULL, personal);
    assert(failed == 0);
    (void)failed;
}

static void put_number(uint8_t *bytes, uint64_t number)
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint64_t get_number(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) {
        number |= (uint64_t)bytes[i] << (8 * i);
    }
    return number;
}

/// What is authenticated without being hidden: the header, and for a reply its question's header.
static size_t associate(uint8_t associated[ASSOCIATED_BYTES_MAX], const uint8_t *header,
                        enum seal_kind kind, struct span question)
{
    memcpy(associated, header, SEAL_HEADER_BYTES);
    if (kind != SEAL_REPLY) {
        return SEAL_HEADER_BYTES;
    }
    assert(question.size >= SEAL_HEADER_BYTES);
    memcpy(associated + SEAL_HEADER_BYTES, question.data, SEAL_HEADER_BYTES);
    return ASSOCIATED_BYTES_MAX;
}

void seal_begin(struct sealer *sealer, const struct seal_key *key)
{
    memset(sealer, 0, sizeof *sealer);
    randombytes_buf(sealer->sender, sizeof sealer->sender);
    if (key != NULL && key->present) {
        sealer->sender_key.present = true;
        derive(sealer->sender_key.bytes, key, sealer->sender);
    }
}

size_t seal_size(const struct sealer *sealer, size_t body_size)
{
    return SEAL_HEADER_BYTES + body_size + (sealer->sender_key.present ? SEAL_TAG_BYTES : 0);
}

void seal_close(struct sealer *sealer, enum seal_kind kind, struct span question, uint8_t *envelope,
                size_t body_size)
{
    sealer->number++;
    memcpy(envelope, magic, sizeof magic);
    envelope[FORM_AT] =
        (uint8_t)(VERSION << 4 | (sealer->sender_key.present ? FORM_SEALED : 0) | (int)kind);
    memcpy(envelope + SENDER_AT, sealer->sender, SEAL_SENDER_BYTES);
    put_number(envelope + NUMBER_AT, sealer->number);
    if (!sealer->sender_key.present) {
        return;
    }
    uint8_t associated[ASSOCIATED_BYTES_MAX];
    size_t associated_size = associate(associated, envelope, kind, question);
    uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES] = {0};
    put_number(nonce, sealer->number);
    uint8_t *body = envelope + SEAL_HEADER_BYTES;
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(body, body + body_size, NULL, body,
                                                        body_size, associated, associated_size,
                                                        NULL, nonce, sealer->sender_key.bytes);
}

/// Reads the header. @return SEAL_OPENED when the envelope is of the expected kind and form.
static enum seal_verdict inspect(const struct seal_key *key, enum seal_kind kind,
                                 const uint8_t *envelope, size_t size)
{
    if (size < SEAL_HEADER_BYTES || memcmp(envelope, magic, sizeof magic) != 0) {
        return SEAL_FOREIGN;
    }
    uint8_t form = envelope[FORM_AT];
    if (form >> 4 != VERSION) {
        return SEAL_VERSION;
    }
    bool sealed = (form & FORM_SEALED) != 0;
    bool keyed = key != NULL && key->present;
    if (sealed != keyed) {
        return sealed ? SEAL_KEYLESS : SEAL_UNSEALED;
    }
    if ((form & FORM_KIND) != (int)kind) {
        return SEAL_MISPLACED;
    }
    return sealed && size < SEAL_OVERHEAD_BYTES ? SEAL_FOREIGN : SEAL_OPENED;
}

enum seal_verdict seal_open(struct seal_opened *opened_out, const struct seal_key *key,
                            enum seal_kind kind, struct span question, uint8_t *envelope,
                            size_t size)
{
    enum seal_verdict verdict = inspect(key, kind, envelope, size);
    if (verdict != SEAL_OPENED) {
        return verdict;
    }
    uint8_t *body = envelope + SEAL_HEADER_BYTES;
    size_t body_size = size - SEAL_HEADER_BYTES;
    if (key != NULL && key->present) {
        body_size -= SEAL_TAG_BYTES;
        uint8_t derived[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
        derive(derived, key, envelope + SENDER_AT);
        uint8_t associated[ASSOCIATED_BYTES_MAX];
        size_t associated_size = associate(associated, envelope, kind, question);
        uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES] = {0};
        memcpy(nonce, envelope + NUMBER_AT, 8);
        int failed = crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
            body, NULL, body, body_size, body + body_size, associated, associated_size, nonce,
            derived);
        sodium_memzero(derived, sizeof derived);
        if (failed != 0) {
            return SEAL_FORGED;
        }
    }
    memcpy(opened_out->sender, envelope + SENDER_AT, SEAL_SENDER_BYTES);
    opened_out->number = get_number(envelope + NUMBER_AT);
    opened_out->body = (struct span){body, body_size};
    return SEAL_OPENED;
}

const char *seal_verdict_text(enum seal_verdict verdict)
{
    switch (verdict) {
    case SEAL_OPENED:
        return "opened";
    case SEAL_FOREIGN:
        return "not a message of weft";
    case SEAL_VERSION:
        return "envelope version of a newer weft";
    case SEAL_MISPLACED:
        return "message of another kind";
    case SEAL_UNSEALED:
        return "peer has no cluster key, this node has one";
    case SEAL_KEYLESS:
        return "peer has a cluster key, this node has none";
    case SEAL_FORGED:
        return "another cluster key, or an altered message";
    case SEAL_REPEATED:
        return "a message that was sent before";
    }
    return "unknown";
}
