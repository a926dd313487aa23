// SPDX-License-Identifier: MIT
// What the parts of the client share. Private to client.
//
//   client.c          making, waiting, deadlines, moving on
//   client_session.c  messages of the node
//   client_send.c     what is sent, and what became of it
#ifndef WEFT_PROGRAMS_CLIENT_CLIENT_IMPL_H
#define WEFT_PROGRAMS_CLIENT_CLIENT_IMPL_H

#include "codec/wire.h"
#include "programs/client/client.h"
#include "programs/client/socket.h"

#define HOST_BYTES 256
#define JOIN_REF 1
#define ENVELOPE_BYTES 64 // of a DELTA message around its delta, at most
#define LATENCY_BUCKETS 256

struct client_url {
    char *text; // owned
    char host[HOST_BYTES];
    uint16_t port;
};

/// A DELTA on its way.
struct client_sent {
    uint32_t number;
    uint32_t bytes;
    uint64_t own_end; // own atoms below this seq left with it or before
    uint64_t sent_us;
    bool durable;
};

struct client {
    struct client_options options; // texts are replaced by owned ones
    struct client_url urls[CLIENT_URLS_MAX];
    size_t url;
    char *name; // of the document
    struct weft_doc *doc;
    struct socket *socket;
    enum client_state state;
    uint32_t code;
    char error[CLIENT_ERROR_BYTES];

    // The connection.
    uint64_t heard_us; // when anything came, or when connecting began
    uint64_t pinged_us;
    uint64_t retry_us; // not before: connecting, or joining again; 0: at once
    uint32_t backoff_ms;
    bool open;
    bool want_hello, want_join, want_sync, want_ping, want_orphans;
    uint32_t room;
    uint64_t frame_bytes;
    uint32_t window_bytes;

    // Sending.
    struct weft_delta_reader *reader; // of what the node lacks; NULL: only own edits are left
    struct weft_buffer base;          // version vector: the node has, or will have, all below it
    struct weft_buffer node_version;  // as of the last JOINED or POINT
    struct weft_buffer piece;         // the next delta, when it is made but not sent
    uint64_t sent_seq;                // own atoms below this are sent or in `piece`
    uint32_t number;                  // of the last DELTA
    bool flush_own, flush_all;
    bool leaving;       // orphans are handed in; when the node has answered a PING, this ends
    bool waiting_point; // after a refusal: what the node lacks is said by its next POINT
    struct client_sent sent[CLIENT_WINDOW_COUNT]; // ring
    uint32_t sent_first;
    uint32_t sent_count;
    uint64_t in_flight_bytes; // not durable

    // What is known.
    uint64_t acked_seq[2]; // durable, replicated
    bool point_known;
    struct weft_digest point; // of the last POINT on this connection
    struct client_stats stats;
    uint32_t latency[LATENCY_BUCKETS]; // durable acks by time
};

uint64_t client_now_us(void);
void client_notify(struct client *client, enum client_notice_kind kind, const char *text);
/// Ends for good.
void client_end(struct client *client, uint32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/// The connection is of no use; the next URL is tried after the back-off.
void client_lose(struct client *client, const char *why);
/// A new, empty replica in `epoch`. @return WEFT_OK or WEFT_NO_MEMORY.
enum weft_status client_renew(struct client *client, const struct weft_epoch *epoch);

/// The orphans are handed in: ends, or begins anew.
void client_epoch_over(struct client *client);

/// Handles one message of the node.
void client_receive(struct client *client, struct span bytes);

/// Forgets what is on its way: a new connection begins.
void client_send_reset(struct client *client);
/// All that `version`, which the node holds on its disk, lacks is to be sent.
void client_send_lacking(struct client *client, struct span version);
/// Puts the next message into the socket's buffer. @return false: there is none to send now.
bool client_send_next(struct client *client, struct weft_buffer *out);
/// Whether client_send_next() would give something.
bool client_send_ready(const struct client *client);
void client_send_acked(struct client *client, uint32_t level, uint32_t number);
/// A DELTA was refused: what follows from the next POINT on counts.
void client_send_refused(struct client *client);

#endif
