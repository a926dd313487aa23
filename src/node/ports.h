// SPDX-License-Identifier: MIT
// The four ports through which a node reaches the world: clock, entropy, store, links.
//
// Each is a table of functions that takes itself first. Each has a real implementation in io/ and a
// simulated one in tests/sim; tests/contract runs one suite on both. Nothing in node/ knows the
// world in any other way, so a whole cluster runs in one process from one seed.
//
// All calls come from the one thread that owns the node, never from inside of another port call,
// and never call back into the node: what happens in the world arrives as an event (node/node.h).
#ifndef WEFT_NODE_PORTS_H
#define WEFT_NODE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/status.h>

#include "base/bytes.h"

// ------------------------------------------------------------------------------------------- clock

struct clock {
    /// Monotonic milliseconds; starts anywhere. All timeouts use this one.
    uint64_t (*now_ms)(struct clock *self);
    /// Unix time in milliseconds, for display only, never for ordering.
    uint64_t (*wall_ms)(struct clock *self);
};

// ----------------------------------------------------------------------------------------- entropy

struct entropy {
    /// Fills `bytes`; the only source of randomness of a node. Cannot fail.
    void (*fill)(struct entropy *self, void *bytes, size_t size);
};

// ------------------------------------------------------------------------------------------- store

/// The ordered key-value tables of a node's environment. Keys compare as bytes, at most 511 of
/// them. codec/record.h lays out keys and values; the store adds and checks a checksum on every
/// value.
enum store_table {
    STORE_META,      // few small facts: names, counters
    STORE_JOURNAL,   // admitted entries in arrival order; keys only ever grow (append)
    STORE_DOCUMENTS, // document -> what is known without loading it
    STORE_SNAPSHOTS, // document -> structure and tombstone text
    STORE_TEXTS,     // document -> visible text, so that reading needs no decoding
    STORE_EPOCHS,    // document -> its epoch, for ever
    STORE_FEEDS,     // incarnation -> prefix that was applied; who continued whom
    STORE_CHANGES,   // (last change, document), left behind by merging
    STORE_RECOVERY,  // (document, epoch, part) -> edits that lost their epoch
    STORE_TABLE_COUNT
};

/// Why a store takes no more writes.
enum store_health {
    STORE_WRITABLE,
    STORE_FULL,   // the disk or the map's upper bound; becomes writable again when there is space
    STORE_BROKEN, // EIO or a failed sync: this environment is never written again by this process
};

/// Suffices for what a store says of itself, its terminating NUL included.
#define STORE_PROBLEM_BYTES 512

struct store_space {
    uint64_t used_bytes;  // pages in use
    uint64_t map_bytes;   // size of the map now
    uint64_t limit_bytes; // size that the map may grow to
};

/// A durable, transactional store.
///
/// Writes are staged in an open group; commit() closes the group and hands it to the store's own
/// thread, which makes all of it durable or none, synced to the disk, and then reports with a
/// NODE_COMMITTED event that names the group. Groups commit in order; after one failed, all that
/// were submitted behind it fail too (each with its event), and staging starts afresh. At most
/// STORE_GROUPS_MAX groups are under way. Reads see what was committed when the view was taken,
/// never what is staged.
struct store {
    /// Stages; bytes are copied before it returns. @return WEFT_OK, or WEFT_NO_MEMORY (the whole
    /// open group is then lost and commit() will report that).
    enum weft_status (*put)(struct store *self, enum store_table table, struct span key,
                            struct span value);
    /// Stages; removing what is not there is no error.
    enum weft_status (*remove)(struct store *self, enum store_table table, struct span key);
    /// Gives the open group up, staged whole or not: commit() will report it as WEFT_NO_MEMORY.
    void (*doom)(struct store *self);
    /// Bytes staged in the open group.
    size_t (*staged)(struct store *self);
    /// Closes the open group and begins to make it durable. @return its number, counting from 1.
    uint64_t (*commit)(struct store *self);

    /// @param value_out Borrowed until release(). @return WEFT_OK, WEFT_NOT_FOUND, WEFT_MALFORMED
    /// (its checksum does not match: this record only is bad) or WEFT_STORAGE.
    enum weft_status (*get)(struct store *self, struct span *value_out, enum store_table table,
                            struct span key);
    /// Visits records with key >= `from`, ascending, until `visit` returns false. A record whose
    /// checksum does not match is visited with `value.data` NULL. Spans are borrowed for the call.
    enum weft_status (*scan)(struct store *self, enum store_table table, struct span from,
                             bool (*visit)(void *context, struct span key, struct span value),
                             void *context);
    /// The greatest key. @return WEFT_OK, WEFT_NOT_FOUND or WEFT_STORAGE. Borrowed until release().
    enum weft_status (*last)(struct store *self, struct span *key_out, enum store_table table);
    /// Ends the read view that get/scan/last took; the node calls it at the end of each turn.
    void (*release)(struct store *self);

    enum store_health (*health)(struct store *self);
    /// Why it is not writable: what, where, and what to do, as one line; empty while it is.
    void (*problem)(struct store *self, char text_out[STORE_PROBLEM_BYTES]);
    struct store_space (*space)(struct store *self);
};

#define STORE_GROUPS_MAX 2

// ------------------------------------------------------------------------------------------- links

/// A client's connection. The generation tells a late event for a closed one.
struct client_id {
    uint32_t slot;
    uint32_t generation;
};

/// One HTTP request (or event stream) that waits for its answer.
struct request_id {
    uint64_t value;
};

/// One pipe of the bus, to one peer. Never reused.
struct pipe_id {
    uint64_t value;
};

/// One pull request of a peer that waits for our answer.
struct answer_id {
    uint64_t value;
};

/// Bytes for many receivers: encoded once, shared, counted. `frame.h` makes them.
struct frame;

/// What becomes of a request, in the terms of HTTP.
struct node_response {
    uint16_t status;          // 200, 404, ...
    const char *content_type; // static storage
    struct span body;         // borrowed for the call
    struct span etag;         // digest in hex without quotes, or empty
    struct span epoch;        // of the document, 24 bytes in hex, or empty
    const char *durability;   // "durable", "replicated:2", or NULL; static or borrowed for the call
    bool stream;              // the body is the beginning: stream() pieces follow until finish
};

struct links {
    // Clients. Sending never blocks.
    /// Sends a frame; takes a reference of its own. @return whether there is room for more: after
    /// false the node sends nothing more to this client until NODE_CLIENT_WRITABLE.
    bool (*send)(struct links *self, struct client_id client, struct frame *frame);
    /// Closes with a code and reason of docs/wire-protocol.md after what was sent before.
    /// NODE_CLIENT_CLOSED still follows.
    void (*close)(struct links *self, struct client_id client, uint16_t code, const char *reason);

    // Requests.
    void (*respond)(struct links *self, struct request_id request,
                    const struct node_response *response);
    /// Adds to a streamed body. @return whether there is room for more, as send().
    bool (*stream)(struct links *self, struct request_id request, struct span piece);
    void (*stream_end)(struct links *self, struct request_id request);

    // Peers. The bus is a hint channel: any message may be lost, none is torn.
    /// Sends to every peer with a pipe. Bytes are copied (and sealed).
    void (*broadcast)(struct links *self, struct span message);
    /// Keeps trying to reach a gossip address until hang_up(); NODE_PEER_UP tells when it is there.
    /// Dialing an address twice is one dialing.
    void (*dial)(struct links *self, struct span address);
    void (*hang_up)(struct links *self, struct span address);
    /// Closes a pipe, whoever opened it. A dialed address is dialed again unless it was hung up.
    void (*drop)(struct links *self, struct pipe_id pipe);
    /// Asks the pull port at `address`; NODE_PULL_REPLY with `ticket` follows in any case, at the
    /// latest after its timeout.
    void (*pull)(struct links *self, uint64_t ticket, struct span address, struct span question);
    /// Answers a NODE_PULL_ASKED.
    void (*answer)(struct links *self, struct answer_id answer, struct span reply);
};

#endif
