// SPDX-License-Identifier: MIT
// The bus: one nng BUS socket, its pipes, its dialers, and the window in which messages leave.
//
// A body of the bus is a row of broadcasts, each with its size (u32, little-endian) before it.
#ifndef WEFT_IO_PEERS_BUS_H
#define WEFT_IO_PEERS_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <nng/nng.h>
#include <uv.h>

#include "io/peers_base.h"

struct bus_pipe;

/// An address that is dialed until it is hung up. Loop's thread.
struct bus_dialing {
    struct peers_address address;
    uint16_t gate; // of the relay, to there; 0: none yet
    nng_dialer dialer;
    bool dialed;       // `dialer` is valid
    uint32_t live;     // pipes of this dialer that are up
    uint64_t since_ms; // the dialer was made, or its last pipe went down
};

/// Broadcasts that wait, each with its size before it. Loop's thread.
struct bus_waiting {
    uint8_t *bytes;
    size_t size, capacity;
    uint32_t count;
};

struct peers_bus {
    struct peers_base *base;
    nng_socket socket;
    bool opened;
    nng_aio *receive;
    nng_aio *send;
    pthread_mutex_t lock; // of the next five, which nng's threads share
    struct bus_pipe *pipes[PEERS_PIPES_MAX];
    uint32_t pipe_count;
    bool paused;            // nothing is received until the mailbox has drained
    bool closing;           // no pipe is let in any more
    pthread_cond_t emptied; // the last pipe went while closing
    // The rest belongs to the loop's thread.
    struct mail sent;
    bool sending; // `send` is under way
    struct bus_waiting waiting;
    uint32_t tokens; // nng messages that may leave now
    uint64_t refilled_ms;
    uv_timer_t pace;
    uint32_t dialing_count;
    struct bus_dialing dialings[PEERS_ADDRESSES_MAX];
};

/// Listens. @param address In: where to listen; out: with the port that was bound.
/// @return 0 or an error of nng; peers_bus_close() is due in both cases.
int peers_bus_open(struct peers_bus *bus, struct peers_base *base, struct peers_address *address);
/// Ends all that nng does here. `pace` stays to be closed by the caller.
void peers_bus_close(struct peers_bus *bus);
/// Frees what is left once the mailbox was emptied.
void peers_bus_finish(struct peers_bus *bus);
/// Every PEERS_TICK_MS: makes dialers anew that brought nothing up.
void peers_bus_tick(struct peers_bus *bus);
bool peers_bus_flushed(const struct peers_bus *bus);

void peers_bus_broadcast(struct peers_bus *bus, struct span message);
void peers_bus_dial(struct peers_bus *bus, struct span address);
void peers_bus_hang_up(struct peers_bus *bus, struct span address);
void peers_bus_drop(struct peers_bus *bus, struct pipe_id pipe);

#endif
