// SPDX-License-Identifier: MIT
// Messages between client and node, bytes <-> values. docs/wire-protocol.md is normative.
//
// Decoding is total: any bytes give a message or WEFT_MALFORMED, allocate nothing, and borrow from
// the input. Encoding appends to a buffer. May include: base/, weft/, msgpack.
#ifndef WEFT_CODEC_WIRE_H
#define WEFT_CODEC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/doc.h>

#include "base/bytes.h"

struct pack_reader;
struct pack_writer;

#define WIRE_VERSION 0
#define WIRE_SUBPROTOCOL "weft.v1"
#define WIRE_EPOCH_SIZE 24
#define WIRE_DELTAS_MAX 256 // deltas of one DELTA message from the node

enum wire_type {
    WIRE_HELLO = 1,
    WIRE_JOIN = 2,
    WIRE_LEAVE = 3,
    WIRE_DELTA = 4,
    WIRE_PING = 5,
    WIRE_SYNC = 6,
    WIRE_ORPHANS = 7,

    WIRE_NODE_HELLO = 65,
    WIRE_JOINED = 66,
    WIRE_NODE_DELTA = 67,
    WIRE_ACK = 68,
    WIRE_POINT = 69,
    WIRE_NEW_EPOCH = 70,
    WIRE_ERROR = 71,
    WIRE_PONG = 72,
    WIRE_RESYNC = 73,
    WIRE_MOVE = 74,
};

/// Close codes and ERROR codes: 44xx is permanent, 45xx worth a retry.
enum wire_code {
    WIRE_BAD_REQUEST = 4400,
    WIRE_NO_DOCUMENT = 4404,
    WIRE_HELLO_TIMEOUT = 4408,
    WIRE_EPOCH_MISMATCH = 4409,
    WIRE_AGENT_CONFLICT = 4410,
    WIRE_INVALID_EDIT = 4411,
    WIRE_TOO_LARGE = 4413,
    WIRE_UPGRADE_REQUIRED = 4426,
    WIRE_INTERNAL = 4500,
    WIRE_DRAINING = 4503,
    WIRE_BEHIND = 4504,
    WIRE_STORAGE_FULL = 4507,
    WIRE_SLOW_CONSUMER = 4508,
    WIRE_MISSING = 4510,
    WIRE_QUARANTINED = 4511,
    WIRE_TOO_MANY = 4529,
};

/// The stable name of a code ("epoch_mismatch"). Static; "unknown" for what is not in the table.
const char *wire_code_reason(uint32_t code);

#define WIRE_NONE UINT32_MAX // a room, ref or number that is nil

struct wire_limits {
    uint64_t frame_bytes;
    uint64_t document_bytes;
    uint64_t document_atoms;
    uint64_t name_bytes;
    uint64_t rooms;
    uint64_t gather_bytes;
};

/// One message; which fields count depends on `type` as in the tables of docs/wire-protocol.md.
/// Spans borrow from the decoded bytes; a nil span has data NULL.
struct wire_message {
    enum wire_type type;
    uint32_t version;                    // HELLO
    uint32_t replicas;                   // HELLO
    uint32_t ref;                        // JOIN, ORPHANS, JOINED, ERROR
    uint32_t room;                       // all of one room
    uint32_t number;                     // DELTA, ACK, ERROR
    uint32_t level;                      // ACK
    uint32_t code;                       // ERROR
    uint32_t heartbeat_ms;               // NODE_HELLO
    uint32_t retry_after_ms;             // MOVE
    uint64_t n;                          // PING, PONG
    uint64_t incarnation;                // NODE_HELLO
    bool has_epoch;                      // JOIN
    struct weft_epoch epoch;             // JOIN, ORPHANS, JOINED, NEW_EPOCH
    struct weft_digest digest;           // POINT
    struct wire_limits limits;           // NODE_HELLO
    struct span name;                    // HELLO client, NODE_HELLO node, JOIN and ORPHANS document
    struct span vector;                  // JOIN, SYNC, JOINED, POINT: version vector
    struct span token;                   // JOIN, JOINED, POINT
    struct span receipt;                 // POINT
    struct span reason;                  // ERROR
    struct span detail;                  // ERROR
    struct span deltas[WIRE_DELTAS_MAX]; // DELTA and ORPHANS: one; NODE_DELTA: delta_count
    uint32_t delta_count;
};

/// @return WEFT_OK, WEFT_MALFORMED, or WEFT_UNSUPPORTED for an unknown type. `message_out` may be
/// partly written on failure. Cost: O(elements).
WEFT_MUST_USE enum weft_status wire_decode(struct wire_message *message_out, struct span bytes);

/// Appends the message. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status wire_encode(struct weft_buffer *out,
                                           const struct wire_message *message);

/// The 24 bytes of an epoch as they travel: counter big-endian, then random.
void wire_epoch_encode(uint8_t bytes_out[WIRE_EPOCH_SIZE], const struct weft_epoch *epoch);
struct weft_epoch wire_epoch_decode(const uint8_t bytes[WIRE_EPOCH_SIZE]);
/// The same as a msgpack bin; what is not one fails the reader and leaves `epoch_out` alone.
void wire_put_epoch(struct pack_writer *writer, const struct weft_epoch *epoch);
void wire_read_epoch(struct pack_reader *reader, struct weft_epoch *epoch_out);

#endif
