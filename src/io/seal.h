// SPDX-License-Identifier: MIT
// The envelope of every message between nodes: authentic and secret when the cluster has a key.
//
//   | magic "wft" 3 | form 1 | sender 16 | number 8 | body ... | tag 16 |
//                     |                               `--------- sealed
//                     `- version << 4 | sealed << 3 | kind
//
// `sender` is random for each seal_begin(), that is for each life of a process, and the key of a
// sender is BLAKE2b(cluster key, sender), so that `number` alone is the nonce of XChaCha20-Poly1305
// and never repeats under one key. The header is authenticated with the body; a reply
// also authenticates the header of its question, so it answers no other one. Without a key the same
// header travels with an open body and no tag, on loopback only.
//
// Opening costs one pass over bytes that are already there (less than 1 ms per MiB) and allocates
// nothing. What it does not give: an authentic message can be sent again by someone who recorded
// it. Numbers only rise on one pipe (seal_opened.number, checked by the bus), replies are bound to
// questions, and everything that nodes say to each other is idempotent.
//
// Threads: a struct sealer belongs to one thread; a struct seal_key may be shared once it is
// filled.
#ifndef WEFT_IO_SEAL_H
#define WEFT_IO_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/status.h>

#include "base/bytes.h"

#define SEAL_HEADER_BYTES 28
#define SEAL_TAG_BYTES 16
#define SEAL_OVERHEAD_BYTES (SEAL_HEADER_BYTES + SEAL_TAG_BYTES)
#define SEAL_SENDER_BYTES 16

/// What a message is for; one kind never opens as another.
enum seal_kind {
    SEAL_BUS,
    SEAL_QUESTION,
    SEAL_REPLY,
};

/// The cluster's key, or none: then messages are not sealed.
struct seal_key {
    bool present;
    uint8_t bytes[32];
};

/// Makes envelopes; one for each direction and thread.
struct sealer {
    uint8_t sender[SEAL_SENDER_BYTES];
    uint64_t number; // of the last message
    struct seal_key sender_key;
};

/// Why an envelope was not opened.
enum seal_verdict {
    SEAL_OPENED,
    SEAL_FOREIGN,   // not a message of weft, or cut short
    SEAL_VERSION,   // of a version that this build does not know
    SEAL_MISPLACED, // of another kind than is expected here
    SEAL_UNSEALED,  // it has no seal, and we have a key
    SEAL_KEYLESS,   // it is sealed, and we have no key
    SEAL_FORGED,    // another key, an altered message, or the reply to another question
    SEAL_REPEATED,  // said by the bus: opened, but its number did not rise on its pipe
};
#define SEAL_VERDICT_COUNT (SEAL_REPEATED + 1)

struct seal_opened {
    uint8_t sender[SEAL_SENDER_BYTES];
    uint64_t number;
    struct span body; // lies in the bytes that were opened
};

/// Reads a cluster key file: 64 hex digits and at most one line end. Refused with one line in
/// `error` when it cannot be read, holds anything else, or when others may read or write it.
/// @return WEFT_OK, WEFT_NOT_FOUND (cannot be read), WEFT_MALFORMED or WEFT_LIMIT (permissions).
WEFT_MUST_USE enum weft_status seal_read_key(struct seal_key *key_out, const char *path,
                                             char *error, size_t error_size);

/// Must be called once before anything else here, and before threads are. @return false: no
/// libsodium.
WEFT_MUST_USE bool seal_start(void);
/// A sealer with a fresh sender. @param key Copied; NULL or not present means open envelopes.
void seal_begin(struct sealer *sealer, const struct seal_key *key);
/// Bytes of an envelope around `body_size`.
size_t seal_size(const struct sealer *sealer, size_t body_size);
/// Fills `envelope`, seal_size() bytes, whose body already stands at SEAL_HEADER_BYTES.
/// @param question For SEAL_REPLY: the envelope it answers, at least its header; else empty.
void seal_close(struct sealer *sealer, enum seal_kind kind, struct span question, uint8_t *envelope,
                size_t body_size);
/// Opens in place. On another verdict than SEAL_OPENED `envelope` may be overwritten and
/// `opened_out` is untouched.
WEFT_MUST_USE enum seal_verdict seal_open(struct seal_opened *opened_out,
                                          const struct seal_key *key, enum seal_kind kind,
                                          struct span question, uint8_t *envelope, size_t size);
/// One English phrase for a log line. Static.
const char *seal_verdict_text(enum seal_verdict verdict);

#endif
