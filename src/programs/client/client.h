// SPDX-License-Identifier: MIT
// One document of a cluster, followed and edited over the wire: a replica that stays in step with
// whichever node can be reached.
//
//   caller: edits client_doc(), client_flush()      client_wait()
//                        |                               |
//                        v                               v
//   connecting -> joining -> joined: what the node lacks -> DELTA 1, 2, 3 ... (a bounded window)
//        ^                     |     what the caller lacks <- DELTA, POINT, ACK
//        |  back-off, next URL |
//        '---- lost, moved ----'     ended: a permanent error, or another epoch
//
// On every connect all that the node lacks is sent, whatever was acked before
// (docs/wire-protocol.md). Errors that pass are handled inside; those that do not end the client
// and say why. One thread; the event loop is inside of client_wait(). May include: weft/,
// codec/wire.h, lws.
#ifndef WEFT_PROGRAMS_CLIENT_CLIENT_H
#define WEFT_PROGRAMS_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/doc.h>

#include "base/bytes.h"

#define CLIENT_URLS_MAX 64
#define CLIENT_SILENCE_MS 6000     // nothing heard for so long, asked or not: the node is gone
#define CLIENT_BACKOFF_MS 100      // before the next try; doubles
#define CLIENT_BACKOFF_MAX_MS 5000 // up to this, and is jittered by half
#define CLIENT_WINDOW_BYTES (128U << 10)  // of deltas that are not durable yet
#define CLIENT_WINDOW_COUNT 1024          // deltas whose acks are awaited
#define CLIENT_FRAME_BYTES_MAX (4U << 20) // of one message, whatever a node announces
#define CLIENT_ERROR_BYTES 256

struct client;

enum client_state {
    CLIENT_CONNECTING,
    CLIENT_JOINING,
    CLIENT_JOINED,
    CLIENT_ENDED, // client_error() says why
};

enum client_notice_kind {
    CLIENT_NOTICE_JOINED,  // text: the URL
    CLIENT_NOTICE_LOST,    // text: why the connection ended; another try follows
    CLIENT_NOTICE_CHANGED, // the document was changed by others
    CLIENT_NOTICE_ACKED,   // level, number
    CLIENT_NOTICE_POINT,   // client_synced() may have changed
    CLIENT_NOTICE_EPOCH,   // the document begins anew: client_doc() is another one now
};

struct client_notice {
    enum client_notice_kind kind;
    const char *text; // borrowed for the call
    uint32_t level;
    uint32_t number;
};

struct client_options {
    const char *const *urls; // http://HOST[:PORT]; copied; taken in turn
    size_t url_count;        // 1 to CLIENT_URLS_MAX
    struct span document;    // copied
    const char *program;     // names the caller in the nodes' logs; borrowed
    uint64_t agent;          // set on the document for edits of one's own; 0: there will be none
    uint32_t replicas;       // n >= 2 asks for replicated:n acks
    uint32_t window_bytes; // 0: CLIENT_WINDOW_BYTES; never more than half of what a node announces
    uint32_t silence_ms;   // 0: CLIENT_SILENCE_MS
    enum weft_policy policy;
    bool follow_epochs; // go on with an empty replica when the document was deleted or rebuilt
    void (*notice)(void *context, const struct client_notice *notice); // may be NULL
    void *context;
};

/// Begins to connect at the first client_wait().
/// @param error CLIENT_ERROR_BYTES; on failure one line. @return WEFT_OK, WEFT_INVALID (a URL
/// cannot be one) or WEFT_NO_MEMORY. The caller owns the client.
WEFT_MUST_USE enum weft_status client_create(struct client **client_out,
                                             const struct client_options *options, char *error);
/// Takes NULL. What was not acked is lost, unless the caller kept it.
void client_destroy(struct client *client);

/// The replica; the client's, editable. A new pointer after CLIENT_NOTICE_EPOCH.
struct weft_doc *client_doc(struct client *client);

/// Runs the loop until something happened, at most `timeout_ms` (0: only what is ready).
enum client_state client_wait(struct client *client, uint32_t timeout_ms);

/// Says that the agent's edits went into the document. They leave as the window allows.
void client_flush(struct client *client);
/// Likewise for operations of whatever agents that were applied to the document.
void client_flush_all(struct client *client);

/// Leaves this node and goes to the next one.
void client_move(struct client *client);
/// Bytes that were flushed and are not durable are at most one window and what this says waits.
bool client_sending(const struct client *client);

/// Whether the node last heard of had the same digest, and no edit here is less than durable.
bool client_synced(struct client *client);
/// Own atoms below this seq are acked at `level` (1 durable, n >= 2 replicated:n).
uint64_t client_acked_seq(const struct client *client, uint32_t level);

/// Why the client ended: a code of docs/wire-protocol.md (0: none), and a line.
uint32_t client_error_code(const struct client *client);
const char *client_error(const struct client *client);
/// The URL that is, or was last, connected to.
const char *client_url(const struct client *client);

struct client_stats {
    uint64_t connections; // joins that succeeded
    uint64_t deltas_sent; // DELTA messages
    uint64_t bytes_sent;  // in them
    uint64_t deltas_received;
    uint64_t bytes_received;   // in them
    uint64_t acked_durable;    // of deltas_sent
    uint64_t acked_replicated; // at the level that was asked for
    uint64_t resent;           // deltas_sent that a lost connection left without an ack
    uint64_t ack_us_p50;       // from sent to durable
    uint64_t ack_us_p99;
    uint64_t ack_us_max;
};
struct client_stats client_stats(const struct client *client);

#endif
