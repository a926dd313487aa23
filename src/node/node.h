// SPDX-License-Identifier: MIT
// One replica of the service as a state machine: sessions, rooms, journal, fan-out, gossip, limits.
//
//   events                node_step()                          ports
//   client frame   -->    session -> room -> doc -> journal    store.put/commit
//   request        -->                                         links.send/respond/broadcast/pull
//   peer message   -->    gossip -> room -> doc -> journal
//   committed      -->    fan-out, acks, deferred reads
//   turn           -->    closes the group of edits that this turn of the loop brought
//   tick           -->    heartbeats, timeouts, merging, eviction
//
// docs/architecture.md follows an edit through it. May include: base/, codec/, weft/, node/ports.h.
#ifndef WEFT_NODE_NODE_H
#define WEFT_NODE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

#include "base/bytes.h"
#include "node/ports.h"

struct node;

/// Bounds, in bytes unless said. 0 means the default of node/limits.h. Announced in the hello.
struct node_limits {
    uint32_t frame_bytes_max; // one WebSocket message, both ways
    uint32_t document_name_bytes_max;
    uint64_t document_bytes_max; // visible text
    uint64_t document_atoms_max;
    uint32_t rooms_per_client_max;
    uint32_t client_gather_bytes_max; // edits of one client that wait for the store
    uint32_t room_ring_bytes_max;     // recent frames kept for slow subscribers
    uint64_t documents_bytes_max;     // memory of all loaded documents
    uint64_t journal_bytes_max;       // unmerged journal
    uint32_t clients_max;
    uint32_t requests_max; // HTTP requests and streams under way
};

struct node_config {
    struct weft_allocator allocator;
    struct clock *clock; // the ports are borrowed and outlive the node
    struct entropy *entropy;
    struct store *store;
    struct links *links;
    struct span name;           // empty: the stored one, or a fresh one that is then stored
    struct span gossip_address; // as others reach it: tcp://HOST:PORT; empty: no cluster
    struct span pull_address;
    struct span client_address; // for members' lists: HOST:PORT
    const struct span *seeds;   // gossip addresses to join
    size_t seed_count;
    struct node_limits limits;
    uint32_t heartbeat_ms; // between peers; default 1,000
    /// Told one line per notable event: level, stable event name, `key=value` details. May be NULL.
    void (*log)(void *context, int level, const char *event, const char *details);
    void *log_context;
};

enum node_log_level {
    NODE_LOG_ERROR,
    NODE_LOG_WARNING,
    NODE_LOG_NOTICE,
    NODE_LOG_INFO,
    NODE_LOG_DEBUG
};

enum node_event_kind {
    NODE_CLIENT_OPENED,    // client
    NODE_CLIENT_FRAME,     // client, bytes: one whole binary message
    NODE_CLIENT_WRITABLE,  // client: there is room again
    NODE_CLIENT_CLOSED,    // client
    NODE_REQUEST,          // request, ask
    NODE_REQUEST_WRITABLE, // request: a stream has room again
    NODE_REQUEST_CLOSED,   // request: the asker is gone
    NODE_PEER_UP,          // pipe
    NODE_PEER_MESSAGE,     // pipe, bytes
    NODE_PEER_DOWN,        // pipe
    NODE_PULL_ASKED,       // answer, bytes
    NODE_PULL_REPLY,       // ticket, status, bytes
    NODE_COMMITTED,        // group, status
    NODE_TURN,             // all events that were ready have been stepped
    NODE_TICK,             // about every 100 ms
};

enum node_verb {
    NODE_ASK_LIST,   // documents; `after`, `prefix`, `limit`
    NODE_ASK_TEXT,   // text/plain
    NODE_ASK_DELTA,  // the whole history as one delta, application/octet-stream
    NODE_ASK_DIGEST, // epoch, version, digest, length as JSON
    NODE_ASK_PUT,    // make the text equal to the body by a minimal difference
    NODE_ASK_PATCH,  // as PUT for text/plain; with json: [[pos, del, "ins"], ...] in scalars
    NODE_ASK_CREATE, // PUT with If-None-Match: *
    NODE_ASK_DELETE, // start the next epoch
    NODE_ASK_LABELS, // the document's labels as JSON
    NODE_ASK_TIMES,  // when its operations arrived, as JSON
    NODE_ASK_LABEL,  // gives the version in the body, or that of now, the name `label`
    NODE_ASK_UNLABEL,
    NODE_ASK_WATCH, // event stream of changes
    NODE_ASK_RECOVERY_LIST,
    NODE_ASK_RECOVERY_TEXT, // one recovery copy; `document`, `after` = epoch in hex
    NODE_ASK_MEMBERS,
    NODE_ASK_LEAVE,  // say goodbye to the cluster, then drain
    NODE_ASK_FORGET, // `document` = node name
};

/// A request; spans are borrowed for the step.
struct node_ask {
    enum node_verb verb;
    struct span document;
    struct span body;
    struct span prefix;
    struct span after;
    struct span label;
    struct span author;   // display name of who edits, or empty
    struct span if_match; // digest in hex the text must still have, or empty
    uint64_t
        agent;    // PUT, PATCH: who makes its operations, 0: the node; WATCH: who is to be told of
    uint64_t seq; // with an agent: of the first operation; who holds that made the edit before
    uint32_t limit;
    uint32_t wait_level; // 1 durable (default), n >= 2: answer after replicated:n
    bool json;           // PATCH: body is a JSON-free msgpack array made by io; see codec/wire.h
};

struct node_event {
    enum node_event_kind kind;
    struct client_id client;
    struct request_id request;
    struct pipe_id pipe;
    struct answer_id answer;
    struct span bytes; // borrowed for the step
    const struct node_ask *ask;
    uint64_t ticket;
    uint64_t group;
    enum weft_status status;
};

/// Opens a node on its store: reads the format record, the feeds and the journal from its low-water
/// mark, and mints an incarnation. @return WEFT_OK, WEFT_UNSUPPORTED (a newer format),
/// WEFT_MALFORMED, WEFT_STORAGE or WEFT_NO_MEMORY. The incarnation is staged and committed before
/// anything is sent.
WEFT_MUST_USE enum weft_status node_create(struct node **node_out,
                                           const struct node_config *config);
/// Takes NULL. Sends nothing; drain first.
void node_destroy(struct node *node);

/// Takes one event. Never fails: what goes wrong concerns a client, a document or a peer and is
/// told to whom it concerns.
void node_step(struct node *node, const struct node_event *event);

/// Begins to drain: not ready, clients told to move, no new edits; node_drained() when all is on
/// disk and was broadcast.
void node_drain(struct node *node);
bool node_drained(const struct node *node);

/// The name that it was given or gave itself. As long as the node.
const char *node_name(const struct node *node);

/// Counters and gauges for metrics; see node/metrics.h.
struct node_metrics;
const struct node_metrics *node_metrics(const struct node *node);

/// Why the node is not ready, as a bit set; 0 is ready.
enum node_unready {
    NODE_UNREADY_STORAGE = 1, // broken
    NODE_UNREADY_SPACE = 2,   // read-only until there is space
    NODE_UNREADY_DRAINING = 4,
    NODE_UNREADY_CATCHING_UP = 8, // joining, comparing documents
};
uint32_t node_unready(const struct node *node);

#endif
