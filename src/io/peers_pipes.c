// SPDX-License-Identifier: MIT
// Implements io/peers_pipes.h.
#include "io/peers_pipes.h"

#include <time.h>

#include "io/peers_base.h"

static void counted_pipe_begins(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    (void)event;
    struct peers_pipes *pipes = context;
    bool brought = peers_relay_brought(pipes->relay, pipe);
    pthread_mutex_lock(&pipes->lock);
    bool room = brought && pipes->count < PEERS_PIPES_MAX && !pipes->closing;
    if (room) {
        pipes->pipes[pipes->count].pipe = pipe;
        pipes->pipes[pipes->count].ending = false;
        pipes->count++;
    }
    pthread_mutex_unlock(&pipes->lock);
    if (!room) {
        nng_pipe_close(pipe); // harmless so early: it does not read yet
    }
}

static void counted_pipe_is_gone(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    (void)event;
    struct peers_pipes *pipes = context;
    bool ending = false;
    pthread_mutex_lock(&pipes->lock);
    for (uint32_t i = 0; i < pipes->count; i++) {
        if (nng_pipe_id(pipes->pipes[i].pipe) == nng_pipe_id(pipe)) {
            ending = pipes->pipes[i].ending;
            pipes->pipes[i] = pipes->pipes[--pipes->count];
            break;
        }
    }
    if (pipes->count == 0) {
        pthread_cond_signal(&pipes->emptied);
    }
    pthread_mutex_unlock(&pipes->lock);
    if (ending) {
        nng_dialer_close(nng_pipe_dialer(pipe)); // before nng would dial again
    }
}

void peers_pipes_init(struct peers_pipes *pipes, struct peers_relay *relay)
{
    pipes->relay = relay;
    pthread_mutex_init(&pipes->lock, NULL);
    pthread_cond_init(&pipes->emptied, NULL);
    pipes->count = 0;
    pipes->closing = false;
}

void peers_pipes_watch(struct peers_pipes *pipes, nng_socket socket)
{
    nng_pipe_notify(socket, NNG_PIPE_EV_ADD_PRE, counted_pipe_begins, pipes);
    nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, counted_pipe_is_gone, pipes);
}

uint32_t peers_pipes_cut(struct peers_pipes *pipes, bool ending)
{
    nng_pipe cut[PEERS_PIPES_MAX];
    pthread_mutex_lock(&pipes->lock);
    uint32_t count = pipes->count;
    for (uint32_t i = 0; i < count; i++) {
        pipes->pipes[i].ending = pipes->pipes[i].ending || ending;
        cut[i] = pipes->pipes[i].pipe;
    }
    pthread_mutex_unlock(&pipes->lock);
    for (uint32_t i = 0; i < count; i++) {
        peers_relay_cut(pipes->relay, cut[i]);
    }
    return count;
}

void peers_pipes_empty(struct peers_pipes *pipes)
{
    struct timespec until;
    pthread_mutex_lock(&pipes->lock);
    pipes->closing = true;
    pthread_mutex_unlock(&pipes->lock);
    peers_pipes_cut(pipes, true);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PEERS_CLOSE_SECONDS;
    pthread_mutex_lock(&pipes->lock);
    int expired = 0;
    while (pipes->count > 0 && expired == 0) {
        expired = pthread_cond_timedwait(&pipes->emptied, &pipes->lock, &until);
    }
    pthread_mutex_unlock(&pipes->lock);
}

void peers_pipes_finish(struct peers_pipes *pipes)
{
    pthread_cond_destroy(&pipes->emptied);
    pthread_mutex_destroy(&pipes->lock);
}
