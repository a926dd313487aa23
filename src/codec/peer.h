// SPDX-License-Identifier: MIT
// Messages between nodes: hints on the bus, questions and answers on the pull port.
// docs/wire-protocol.md is normative.
//
// Decoding is total and allocates nothing; lists are checked whole when a message is decoded and
// then walked with the peer_next_*() functions. May include: base/, weft/, codec/pack.h,
// codec/record.h.
#ifndef WEFT_CODEC_PEER_H
#define WEFT_CODEC_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/doc.h>

#include "base/bytes.h"
#include "codec/pack.h"

#define PEER_VERSION 0
#define PEER_NAME_BYTES_MAX 255 // of a node, and of an address
#define PEER_MEMBERS_MAX 256    // in one heartbeat
#define PEER_FEEDS_MAX 16384    // in one list

/// A feed as one node sees it: a life of some node's process, and how far its entries are held.
struct peer_feed {
    uint64_t incarnation;  // never 0
    uint64_t prefix;       // entries 1..prefix are held
    uint64_t continues;    // the life before it at that node; 0: none
    uint64_t continued_to; // how far that one was held when this one began
};

enum peer_member_state {
    PEER_MEMBER_HERE = 0,
    PEER_MEMBER_LEFT = 1,      // said goodbye
    PEER_MEMBER_FORGOTTEN = 2, // an operator said that it will not come back
};

struct peer_member {
    uint64_t incarnation;
    enum peer_member_state state;
    struct span name;
    struct span gossip_address;
};

/// The digest of a document that has been quiet for a moment.
struct peer_digest {
    struct span document;
    struct weft_epoch epoch;
    struct weft_digest digest;
};

/// The chain over the first `next` atoms of an agent.
struct peer_chain {
    uint64_t agent;
    uint64_t next;
    uint8_t chain[32];
};

/// A list inside of a decoded message.
struct peer_list {
    struct pack_reader reader;
    uint32_t count; // left
};

bool peer_next_feed(struct peer_feed *feed_out, struct peer_list *list);
bool peer_next_member(struct peer_member *member_out, struct peer_list *list);
bool peer_next_digest(struct peer_digest *digest_out, struct peer_list *list);
bool peer_next_chain(struct peer_chain *chain_out, struct peer_list *list);
bool peer_next_bytes(struct span *bytes_out, struct peer_list *list);

enum peer_type {
    PEER_FRESH = 1,
    PEER_HEARTBEAT = 2,
    PEER_SYNCED = 3,
    PEER_PULL_RANGE = 16,
    PEER_PULL_CHANGED = 17,
    PEER_PULL_DOCUMENT = 18,
    PEER_PULL_CHAINS = 19,
    PEER_RANGE = 32,
    PEER_CHANGED = 33,
    PEER_DOCUMENT = 34,
    PEER_CHAINS = 35,
};

enum peer_heartbeat_flag {
    PEER_DRAINING = 1,    // goes away soon
    PEER_CATCHING_UP = 2, // does not hold everything yet
    PEER_READ_ONLY = 4,
    PEER_LEAVING = 8, // for good: neither dialed nor counted any more
};

enum peer_answer {
    PEER_ANSWER_OK = 0,
    PEER_ANSWER_GONE = 1, // RANGE: entries before the journal's start are needed: compare documents
    PEER_ANSWER_LATER = 2, // not now: too busy, or the document cannot be read here
};

/// One message; which fields count depends on `type` as in the tables of docs/wire-protocol.md.
struct peer_message {
    enum peer_type type;
    struct peer_feed self; // FRESH, HEARTBEAT: the sender's own feed; all questions: incarnation
    bool wants_synced;     // FRESH
    uint32_t flags;        // HEARTBEAT
    struct span name;      // HEARTBEAT
    struct span gossip_address;      // HEARTBEAT
    struct span pull_address;        // HEARTBEAT
    struct span client_address;      // HEARTBEAT
    struct peer_list members;        // HEARTBEAT
    struct peer_list feeds;          // HEARTBEAT, SYNCED, PULL_RANGE, RANGE, CHANGED
    struct peer_list digests;        // HEARTBEAT, CHANGED
    struct peer_list entries;        // FRESH, RANGE: journal values; DOCUMENT: deltas
    struct peer_list chains;         // CHAINS
    struct span times;               // DOCUMENT: when its operations arrived (times.h), or empty
    uint32_t bytes_max;              // PULL_RANGE, PULL_DOCUMENT
    uint32_t count_max;              // PULL_CHANGED
    uint64_t checkpoint_incarnation; // PULL_CHANGED, CHANGED
    uint64_t checkpoint;     // PULL_CHANGED, CHANGED: a journal number of the one who answers
    struct span cursor;      // PULL_CHANGED; CHANGED: of the next page, nil at the end
    struct span document;    // PULL_DOCUMENT, PULL_CHAINS
    struct weft_epoch epoch; // PULL_DOCUMENT, DOCUMENT, PULL_CHAINS, CHAINS
    struct span version;     // PULL_DOCUMENT; PULL_CHAINS: chains up to where
    struct span cuts;        // PULL_CHAINS, CHAINS (weft/fork.h)
    enum peer_answer answer; // RANGE, CHANGED, DOCUMENT, CHAINS
    bool more;               // RANGE, DOCUMENT: ask again
};

/// @return WEFT_OK, WEFT_MALFORMED, or WEFT_UNSUPPORTED for an unknown type or version.
WEFT_MUST_USE enum weft_status peer_decode(struct peer_message *message_out, struct span bytes);

// Encoding. A message is begun, its lists are appended one after the other in the order of the
// table, and it is ended; list elements are written with the functions below. Errors stick until
// pack_writer_end().

/// The array head, the type, and all scalar fields of `message` that come before the first list.
void peer_begin(struct pack_writer *writer, const struct peer_message *message);
void peer_put_feed(struct pack_writer *writer, const struct peer_feed *feed);
void peer_put_member(struct pack_writer *writer, const struct peer_member *member);
void peer_put_chain(struct pack_writer *writer, const struct peer_chain *chain);
void peer_put_digest(struct pack_writer *writer, const struct peer_digest *digest);
// A list's head is pack_array() with its count, entries and deltas are pack_bin().

#endif
