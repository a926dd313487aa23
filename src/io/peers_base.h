// SPDX-License-Identifier: MIT
// What the bus and both sides of the pull port share: configuration, seals, the mailbox, counters.
//
// Threads: `sealer` and `config` belong to the loop's thread, `key` never changes, the rest is made
// for all.
#ifndef WEFT_IO_PEERS_BASE_H
#define WEFT_IO_PEERS_BASE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <nng/nng.h>

#include "io/peers.h"
#include "io/peers_address.h"
#include "io/peers_mailbox.h"
#include "io/peers_relay.h"
#include "io/seal.h"

/// Dialing again after a loss: soon, then less often, never rarer than a healed cut may wait.
#define PEERS_REDIAL_MS_MIN 250
#define PEERS_REDIAL_MS_MAX 4000
/// A dialer that has brought nothing up for this long is made anew: its connect may hang in
/// retransmissions that back off for minutes after a cut.
#define PEERS_PATIENCE_MS 4000
#define PEERS_TICK_MS 500
#define PEERS_CLOSE_SECONDS 1 // at the end, for connections to go

struct peers_tally {
    atomic_uint_fast64_t bus_sent, bus_received, bus_coalesced, bus_dropped, bus_lost;
    atomic_uint_fast64_t bytes_sent, bytes_received, refused;
    atomic_uint_fast64_t pulls_asked, pulls_failed, pulls_answered, redials;
    atomic_uint pipes;
};

/// Messages that were not authentic since the last log line, so that a flood of them is one line.
struct peers_refusals {
    pthread_mutex_t lock;
    uint32_t counts[SEAL_VERDICT_COUNT];
    char from[SEAL_VERDICT_COUNT][64]; // of the last one
};

struct peers_base {
    struct peers_config config; // without its strings
    struct seal_key key;
    struct sealer sealer;
    struct mailbox mailbox;
    struct peers_relay *relay; // owned; what all sockets of nng talk through
    struct peers_tally tally;
    struct peers_refusals refusals;
};

/// Remembers what was not authentic and closes its pipe. Any thread.
void peers_base_refuse(struct peers_base *base, nng_pipe pipe, enum seal_verdict verdict);
/// Logs what was refused since the last time.
void peers_base_tell_refusals(struct peers_base *base);
/// One log line; takes printf's format for the details.
void peers_base_log(struct peers_base *base, int level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/// An address that may be used: well-formed, and a loopback one when there is no key.
bool peers_base_admit(struct peers_base *base, struct peers_address *address_out, struct span text);
/// Lets peers reach a socket. @param address In: where to listen; out: with the port that was
/// bound. @return 0 or an error of nng.
int peers_base_listen(struct peers_base *base, nng_socket socket, struct peers_address *address);
/// A dialer on its way through the relay's gate `*gate` to `address`. The gate is opened when it is
/// 0, and stays for the next dialer to the same address. @return false when the system refuses.
bool peers_base_dial(struct peers_base *base, nng_dialer *dialer_out, uint16_t *gate,
                     nng_socket socket, const struct peers_address *address);
/// A sealed message around `body`; NULL when out of memory.
nng_msg *peers_base_seal(struct peers_base *base, enum seal_kind kind, struct span question,
                         struct span body);

#endif
