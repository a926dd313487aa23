// SPDX-License-Identifier: MIT
// The cluster side of a node's links: the bus and the pull port, on nng.
//
//   nng threads                     | the loop's thread
//   bus socket --- open seal --+    |
//   pipe notices --------------+--> mailbox --uv_async--> config.event(NODE_PEER_*, NODE_PULL_*)
//   REP contexts, REQ replies -+    |
//
// All of it talks to the network through io/peers_relay.h, which has a thread of its own.
//
// One BUS socket with one listener and a dialer per dialed address, one REP socket on the pull
// port, one REQ socket per pull address in use. Every message is sealed (io/seal.h). nng's threads
// open seals and hand over; all else happens on the loop's thread. Without a key, all addresses
// must be loopback ones.
//
// Bus messages of one moment travel together: at most PEERS_BURST nng messages leave at once, then
// one per PEERS_PACE_MS, because a pipe holds 16 and drops the rest without a word. What waits is
// bounded by PEERS_WAITING_BYTES_MAX; past that it is dropped and counted, and pull repairs it.
//
// A process that opened peers must not fork() without exec() afterwards (nng panics).
// May include: node/, io/seal.h, libuv.
#ifndef WEFT_IO_PEERS_H
#define WEFT_IO_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <weft/status.h>

#include "base/bytes.h"
#include "io/seal.h"
#include "node/node.h"
#include "node/ports.h"

#define PEERS_MESSAGE_BYTES_MAX (1U << 20)  // one broadcast()
#define PEERS_QUESTION_BYTES_MAX (2U << 20) // one pull(): a version vector of 100,000 agents fits
#define PEERS_REPLY_BYTES_MAX (8U << 20)    // one answer(): what is more comes in pages
#define PEERS_PIPES_MAX 256                 // of the bus, both ways
#define PEERS_ADDRESSES_MAX 256             // dialed at once
#define PEERS_PULLS_MAX 64                  // under way at once
#define PEERS_ANSWERS_MAX 8                 // questions of peers answered at once
#define PEERS_BURST 12                      // bus messages at once; a pipe of nng holds 16
#define PEERS_PACE_MS 2                     // one more bus message each
#define PEERS_WAITING_BYTES_MAX (4U << 20)  // bus messages that wait for their turn
#define PEERS_PULL_TIMEOUT_MS 5000

struct peers;

struct peers_config {
    uv_loop_t *loop;            // borrowed; outlives the peers
    const char *gossip_address; // tcp://HOST:PORT to listen on; port 0 takes a free one
    const char *pull_address;   // the same; NULL: the gossip address with its port + 2 (or 0)
    const struct seal_key *key; // copied; NULL: no key, loopback only
    uint32_t pull_timeout_ms;   // 0: PEERS_PULL_TIMEOUT_MS
    uint32_t bus_loss_permille; // for tests only: this share of incoming bus messages is dropped
    /// Told each event on the loop's thread, never from inside of a peers_*() call. Kinds:
    /// NODE_PEER_UP, _MESSAGE, _DOWN, NODE_PULL_ASKED, NODE_PULL_REPLY. Bytes are borrowed.
    void (*event)(void *context, const struct node_event *event);
    /// As node_config.log; may be NULL.
    void (*log)(void *context, int level, const char *event, const char *details);
    void *context;
};

struct peers_counts {
    uint64_t bus_sent;      // nng messages handed to the bus
    uint64_t bus_received;  // authentic ones
    uint64_t bus_coalesced; // broadcasts that travelled in the nng message of another
    uint64_t bus_dropped;   // broadcasts dropped here because too much waited
    uint64_t bus_lost;      // dropped by bus_loss_permille
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t refused;     // messages that were not authentic; each closed its pipe
    uint64_t pulls_asked; // by us
    uint64_t pulls_failed;
    uint64_t pulls_answered; // for others
    uint64_t redials;        // dialers made anew because nothing came up in time
    uint32_t pipes;          // of the bus, now
};

/// Whether peers_open() may listen on these addresses, as it would say itself.
/// @return WEFT_OK, WEFT_LIMIT or WEFT_MALFORMED.
WEFT_MUST_USE enum weft_status peers_check(const char *gossip, const char *pull, bool keyed,
                                           char *error, size_t error_size);
/// Listens on both addresses. @param error Receives one line that says what failed, when it fails.
/// @return WEFT_OK; WEFT_LIMIT (an address that only a cluster with a key may use), WEFT_MALFORMED
/// (not tcp://HOST:PORT), WEFT_CONFLICT (in use), WEFT_NOT_FOUND (not an address of this machine),
/// WEFT_NO_MEMORY, WEFT_STORAGE (anything else the system refused).
WEFT_MUST_USE enum weft_status peers_open(struct peers **peers_out,
                                          const struct peers_config *config, char *error,
                                          size_t error_size);
/// Closes everything; no event follows. Takes NULL. The memory goes when the loop has run the close
/// callbacks of its handles, so run the loop once more before uv_loop_close().
void peers_close(struct peers *peers);

/// The addresses as others reach them, with the port that was really bound. Live as long as
/// `peers`.
const char *peers_gossip_address(const struct peers *peers);
const char *peers_pull_address(const struct peers *peers);
struct peers_counts peers_count(const struct peers *peers);
/// Whether no bus message waits for its turn; a node that drains waits for this.
bool peers_flushed(const struct peers *peers);

// The peers' part of struct links, see node/ports.h.
void peers_broadcast(struct peers *peers, struct span message);
void peers_dial(struct peers *peers, struct span address);
void peers_hang_up(struct peers *peers, struct span address);
void peers_drop(struct peers *peers, struct pipe_id pipe);
/// NODE_PULL_REPLY has status WEFT_OK, WEFT_NOT_FOUND (nobody answered in time, or the address
/// cannot be used), WEFT_MALFORMED (what came was not authentic), WEFT_LIMIT (too many or too
/// large) or WEFT_NO_MEMORY.
void peers_pull(struct peers *peers, uint64_t ticket, struct span address, struct span question);
void peers_answer(struct peers *peers, struct answer_id answer, struct span reply);

#endif
