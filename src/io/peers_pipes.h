// SPDX-License-Identifier: MIT
// The pipes of one REQ or REP socket: counted, bounded, and ended without harm (io/peers_relay.h).
#ifndef WEFT_IO_PEERS_PIPES_H
#define WEFT_IO_PEERS_PIPES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <nng/nng.h>

#include "io/peers.h"
#include "io/peers_relay.h"

struct peers_pipes {
    pthread_mutex_t lock; // of all that follows; nng's threads come here
    pthread_cond_t emptied;
    uint32_t count;
    bool closing; // no pipe is let in any more
    struct peers_relay *relay;
    struct {
        nng_pipe pipe;
        bool ending; // its dialer ends with it
    } pipes[PEERS_PIPES_MAX];
};

/// @param relay Borrowed: no pipe is let in that did not come through it.
void peers_pipes_init(struct peers_pipes *pipes, struct peers_relay *relay);
/// Follows the pipes of a socket that has no listener or dialer yet.
void peers_pipes_watch(struct peers_pipes *pipes, nng_socket socket);
/// Cuts all. @param ending Their dialers end with them, else dial again. @return how many there
/// were.
uint32_t peers_pipes_cut(struct peers_pipes *pipes, bool ending);
/// Lets no pipe in any more, cuts all, and waits a moment until nng has let go of them; then the
/// socket can be closed.
void peers_pipes_empty(struct peers_pipes *pipes);
/// After the socket was closed.
void peers_pipes_finish(struct peers_pipes *pipes);

#endif
