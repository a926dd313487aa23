// SPDX-License-Identifier: MIT
// Many clients of one node in one thread, as cheap as they come: what is measured is the node.
//
//   connect() --> upgrade --> HELLO, JOIN --> JOINED --> DELTA, ACK, POINT ...
//        '------------ the last of all joined: swarm_storm() ----'
//
// Sockets and epoll, frames written by hand: a library's clients would cost more than the node
// does. No replicas: deltas are counted, not applied. May include: base/, codec/wire.h, POSIX,
// epoll.
#ifndef WEFT_BENCH_SWARM_H
#define WEFT_BENCH_SWARM_H

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include <weft/doc.h>

#include "base/bytes.h"
#include "io/address.h"

#define SWARM_CONNECTIONS_MAX 1000000
#define SWARM_DOCUMENTS_MAX 1000000
#define SWARM_ERROR_BYTES 256

/// Times in buckets: 32 to a doubling, so within 3 %.
struct latencies {
    uint32_t buckets[64 * 32];
    uint64_t count;
    uint64_t max_ns;
};

void latencies_add(struct latencies *latencies, uint64_t ns);
/// @param share 0 to 1. @return ns; 0 when there are none.
uint64_t latencies_quantile(const struct latencies *latencies, double share);

struct swarm_options {
    struct sockaddr_in address;
    char host[ADDRESS_TEXT_BYTES]; // of the address, as the Host header says it
    uint64_t name;                 // documents are named bench-NAME-0, -1 ...
    uint32_t connections; // connection i joins document i mod documents; the first one edits it
    uint32_t documents;
};

struct swarm_connection {
    int fd; // -1: closed
    uint8_t state;
    uint32_t room;
    uint32_t document;
    uint64_t began_ns; // connect()
    uint64_t seen;     // edits of its document that came
    uint8_t *rest;     // of a frame that is not whole; owned
    uint32_t rest_size;
};

/// One edit of a document is under way at a time: the next waits until all have it and it is
/// durable.
struct swarm_document {
    struct weft_doc *doc; // the writer's
    uint64_t edits;
    uint64_t seq;     // of the writer's next delta
    uint64_t due_ns;  // of the last edit: when it was to be sent, or was
    uint32_t missing; // connections that do not have it yet
    bool durable;
};

struct swarm {
    struct swarm_options options;
    int epoll;
    struct swarm_connection *connections;
    struct swarm_document *documents;
    uint32_t *idle; // documents without an edit under way, a ring
    uint32_t idle_first;
    uint32_t idle_count;
    uint32_t joined;
    uint32_t failed;
    uint32_t heartbeat_ms;
    uint32_t pinged; // the next connection to be kept from being silent
    uint64_t pinged_ns;
    uint64_t interval_ns; // between two edits of a document
    uint64_t edits;
    struct latencies joining;      // from connect() to JOINED
    struct latencies delivering;   // from an edit's being due to another connection's having it
    struct latencies acking;       // from an edit's being due to its durable ack
    char error[SWARM_ERROR_BYTES]; // of the first connection that failed
};

uint64_t swarm_now_ns(void);

/// @return NULL, or what went wrong; finish in either case.
const char *swarm_init(struct swarm *swarm, const struct swarm_options *options);
void swarm_finish(struct swarm *swarm);

/// Calls connect() for all at once, and listens until each has joined or failed, or the deadline.
/// @return NULL, or what went wrong.
const char *swarm_storm(struct swarm *swarm, uint64_t deadline_ns);
/// Begins the typing: `interval_ns` between two edits of a document (the documents take turns
/// within it); 0: each as soon as the last one is done.
void swarm_start_typing(struct swarm *swarm, uint64_t interval_ns);
/// Each document whose next edit is due, and has none under way, gets it: a character at its end.
/// An edit that could not be sent when it was due counts from then. @return whether memory
/// sufficed.
bool swarm_type(struct swarm *swarm);
/// Listens until something came, or for so long.
void swarm_listen(struct swarm *swarm, int timeout_ms);

#endif
