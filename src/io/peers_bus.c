// SPDX-License-Identifier: MIT
// Implements io/peers_bus.h.
#include "io/peers_bus.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nng/protocol/bus0/bus.h>
#include <sodium.h>

#include "base/endian.h"

#define SIZE_BYTES 4                                          // before each broadcast
#define BODY_BYTES_MAX (PEERS_MESSAGE_BYTES_MAX + SIZE_BYTES) // of one nng message
#define MAILBOX_BYTES_MAX (16U << 20)   // received, not yet delivered: above, receiving pauses
#define WAITING_BYTES_KEPT (256U << 10) // capacity that is kept between bursts

/// One connection. Made and unlinked by nng's notices, freed when its last mail was delivered.
struct bus_pipe {
    struct peers_bus *bus;
    nng_pipe pipe;
    struct pipe_id id;
    int dialer;  // nng's number of the dialer that made it; -1: it was accepted
    bool up;     // the first mail was posted; under bus->lock, as the next one
    bool ending; // its dialer ends with it
    bool heard;  // `sender` is known; nng's receiving thread only, as the next two
    uint8_t sender[SEAL_SENDER_BYTES];
    uint64_t number;
    bool dropped; // the loop's thread only
    struct mail up_mail, down_mail;
};

/// One nng message on its way to the loop.
struct bus_message {
    struct mail mail;
    struct bus_pipe *pipe; // outlives this: its down_mail comes later
    nng_msg *message;
    struct span body;
};

static atomic_uint_fast64_t last_pipe_id; // never reused within a process

// ---------------------------------------------------------------------- pipes, told by nng's
// threads

static struct bus_dialing *find_dialing(struct peers_bus *bus, int dialer)
{
    for (uint32_t i = 0; i < bus->dialing_count; i++) {
        if (bus->dialings[i].dialed && nng_dialer_id(bus->dialings[i].dialer) == dialer) {
            return &bus->dialings[i];
        }
    }
    return NULL;
}

static void tell(struct bus_pipe *pipe, enum node_event_kind kind, struct span bytes)
{
    const struct peers_config *config = &pipe->bus->base->config;
    config->event(config->context,
                  &(struct node_event){.kind = kind, .pipe = pipe->id, .bytes = bytes});
}

static void deliver_up(struct mail *mail, bool live)
{
    struct bus_pipe *pipe = (struct bus_pipe *)((char *)mail - offsetof(struct bus_pipe, up_mail));
    if (!live) {
        return;
    }
    struct bus_dialing *dialing = find_dialing(pipe->bus, pipe->dialer);
    if (dialing != NULL) {
        dialing->live++;
    }
    tell(pipe, NODE_PEER_UP, (struct span){NULL, 0});
}

static void deliver_down(struct mail *mail, bool live)
{
    struct bus_pipe *pipe =
        (struct bus_pipe *)((char *)mail - offsetof(struct bus_pipe, down_mail));
    struct peers_bus *bus = pipe->bus;
    if (live && pipe->up) {
        struct bus_dialing *dialing = find_dialing(bus, pipe->dialer);
        if (dialing != NULL && dialing->live > 0) {
            dialing->live--;
            dialing->since_ms = uv_now(bus->base->config.loop);
        }
        tell(pipe, NODE_PEER_DOWN, (struct span){NULL, 0});
    }
    free(pipe);
}

/// Under the lock.
static struct bus_pipe *find_pipe(struct peers_bus *bus, nng_pipe pipe)
{
    for (uint32_t i = 0; i < bus->pipe_count; i++) {
        if (nng_pipe_id(bus->pipes[i]->pipe) == nng_pipe_id(pipe)) {
            return bus->pipes[i];
        }
    }
    return NULL;
}

/// Under the lock. The first message of a pipe may come before nng's own notice that it is there.
static void raise_up(struct bus_pipe *pipe)
{
    if (!pipe->up) {
        pipe->up = true;
        mailbox_post(&pipe->bus->base->mailbox, &pipe->up_mail);
    }
}

static void pipe_begins(nng_pipe nng, nng_pipe_ev event, void *context)
{
    (void)event;
    struct peers_bus *bus = context;
    struct bus_pipe *pipe = calloc(1, sizeof *pipe);
    bool brought = peers_relay_brought(bus->base->relay, nng);
    pthread_mutex_lock(&bus->lock);
    bool room = brought && pipe != NULL && bus->pipe_count < PEERS_PIPES_MAX && !bus->closing;
    if (room) {
        pipe->bus = bus;
        pipe->pipe = nng;
        pipe->id.value = ++last_pipe_id;
        pipe->dialer = nng_dialer_id(nng_pipe_dialer(nng));
        pipe->up_mail.deliver = deliver_up;
        pipe->down_mail.deliver = deliver_down;
        bus->pipes[bus->pipe_count++] = pipe;
        bus->base->tally.pipes = bus->pipe_count;
    }
    pthread_mutex_unlock(&bus->lock);
    if (!room) {
        free(pipe);
        nng_pipe_close(nng); // harmless so early: it does not read yet
    }
}

static void pipe_is_up(nng_pipe nng, nng_pipe_ev event, void *context)
{
    (void)event;
    struct peers_bus *bus = context;
    pthread_mutex_lock(&bus->lock);
    struct bus_pipe *pipe = find_pipe(bus, nng);
    if (pipe != NULL) {
        raise_up(pipe);
    }
    pthread_mutex_unlock(&bus->lock);
}

static void pipe_is_gone(nng_pipe nng, nng_pipe_ev event, void *context)
{
    (void)event;
    struct peers_bus *bus = context;
    bool ending = false;
    pthread_mutex_lock(&bus->lock);
    for (uint32_t i = 0; i < bus->pipe_count; i++) {
        struct bus_pipe *pipe = bus->pipes[i];
        if (nng_pipe_id(pipe->pipe) == nng_pipe_id(nng)) {
            ending = pipe->ending;
            bus->pipes[i] = bus->pipes[--bus->pipe_count];
            bus->base->tally.pipes = bus->pipe_count;
            mailbox_post(&bus->base->mailbox, &pipe->down_mail);
            break;
        }
    }
    if (bus->pipe_count == 0) {
        pthread_cond_signal(&bus->emptied);
    }
    pthread_mutex_unlock(&bus->lock);
    if (ending) {
        nng_dialer_close(nng_pipe_dialer(nng)); // before nng would dial again
    }
}

/// Cuts the pipes that `chosen` says, and marks them as ending first when asked to. @return how
/// many.
static uint32_t cut_pipes(struct peers_bus *bus, bool ending,
                          bool (*chosen)(const struct bus_pipe *pipe, uint64_t what), uint64_t what)
{
    nng_pipe cut[PEERS_PIPES_MAX];
    uint32_t count = 0;
    pthread_mutex_lock(&bus->lock);
    for (uint32_t i = 0; i < bus->pipe_count; i++) {
        if (chosen(bus->pipes[i], what)) {
            bus->pipes[i]->ending = bus->pipes[i]->ending || ending;
            bus->pipes[i]->dropped = true;
            cut[count++] = bus->pipes[i]->pipe;
        }
    }
    pthread_mutex_unlock(&bus->lock);
    for (uint32_t i = 0; i < count; i++) {
        peers_relay_cut(bus->base->relay, cut[i]);
    }
    return count;
}

static bool is_any(const struct bus_pipe *pipe, uint64_t what)
{
    (void)pipe;
    (void)what;
    return true;
}

static bool is_numbered(const struct bus_pipe *pipe, uint64_t id)
{
    return pipe->id.value == id;
}

static bool is_dialed_by(const struct bus_pipe *pipe, uint64_t dialer)
{
    return pipe->dialer == (int)dialer;
}

// --------------------------------------------------------------------------------------- receiving

static void resume(struct peers_bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    bool again = bus->paused && mailbox_bytes(&bus->base->mailbox) < MAILBOX_BYTES_MAX / 2;
    if (again) {
        bus->paused = false;
    }
    pthread_mutex_unlock(&bus->lock);
    if (again) {
        nng_recv_aio(bus->socket, bus->receive);
    }
}

static void deliver_message(struct mail *mail, bool live)
{
    struct bus_message *message = (struct bus_message *)mail;
    struct peers_bus *bus = message->pipe->bus;
    struct span rest = message->body;
    while (live && !message->pipe->dropped && rest.size >= SIZE_BYTES) {
        uint32_t size = endian_get_u32(rest.data);
        if (size > rest.size - SIZE_BYTES) {
            break;
        }
        tell(message->pipe, NODE_PEER_MESSAGE, (struct span){rest.data + SIZE_BYTES, size});
        rest.data += SIZE_BYTES + size;
        rest.size -= SIZE_BYTES + size;
    }
    nng_msg_free(message->message);
    free(message);
    if (live) {
        resume(bus);
    }
}

/// Whether an opened message continues what this pipe said before.
static bool continues(struct bus_pipe *pipe, const struct seal_opened *opened)
{
    if (pipe->heard && (memcmp(pipe->sender, opened->sender, SEAL_SENDER_BYTES) != 0 ||
                        opened->number <= pipe->number)) {
        return false;
    }
    pipe->heard = true;
    memcpy(pipe->sender, opened->sender, SEAL_SENDER_BYTES);
    pipe->number = opened->number;
    return true;
}

/// Opens a message and posts it. @return whether the message was taken.
static bool take_message(struct peers_bus *bus, nng_msg *message)
{
    struct peers_base *base = bus->base;
    nng_pipe from = nng_msg_get_pipe(message);
    struct seal_opened opened;
    enum seal_verdict verdict = seal_open(&opened, &base->key, SEAL_BUS, (struct span){NULL, 0},
                                          nng_msg_body(message), nng_msg_len(message));
    if (verdict != SEAL_OPENED) {
        peers_base_refuse(base, from, verdict);
        return false;
    }
    if (base->config.bus_loss_permille > 0 &&
        randombytes_uniform(1000) < base->config.bus_loss_permille) {
        base->tally.bus_lost++;
        return false;
    }
    struct bus_message *carried = calloc(1, sizeof *carried);
    pthread_mutex_lock(&bus->lock);
    struct bus_pipe *pipe = find_pipe(bus, from);
    bool fresh = carried != NULL && pipe != NULL && continues(pipe, &opened);
    if (fresh) {
        raise_up(pipe);
        carried->mail.bytes = nng_msg_len(message) + sizeof *carried;
        carried->mail.deliver = deliver_message;
        carried->pipe = pipe;
        carried->message = message;
        carried->body = opened.body;
        base->tally.bus_received++;
        base->tally.bytes_received += nng_msg_len(message);
        mailbox_post(&base->mailbox, &carried->mail);
    }
    pthread_mutex_unlock(&bus->lock);
    if (!fresh) {
        free(carried);
        if (carried != NULL && pipe != NULL) {
            peers_base_refuse(base, from, SEAL_REPEATED);
        }
    }
    return fresh;
}

static void received(void *context)
{
    struct peers_bus *bus = context;
    int result = nng_aio_result(bus->receive);
    if (result == NNG_ECLOSED || result == NNG_ECANCELED) {
        return;
    }
    if (result == 0) {
        nng_msg *message = nng_aio_get_msg(bus->receive);
        nng_aio_set_msg(bus->receive, NULL);
        if (!take_message(bus, message)) {
            nng_msg_free(message);
        }
    }
    pthread_mutex_lock(&bus->lock);
    bus->paused = mailbox_bytes(&bus->base->mailbox) >= MAILBOX_BYTES_MAX;
    bool paused = bus->paused;
    pthread_mutex_unlock(&bus->lock);
    if (!paused) {
        nng_recv_aio(bus->socket, bus->receive);
    }
}

// ----------------------------------------------------------------------------------------- sending

static void refill(struct peers_bus *bus)
{
    uint64_t now = uv_now(bus->base->config.loop);
    uint64_t earned = (now - bus->refilled_ms) / PEERS_PACE_MS;
    bus->refilled_ms += earned * PEERS_PACE_MS;
    bus->tokens = earned + bus->tokens > PEERS_BURST ? PEERS_BURST : bus->tokens + (uint32_t)earned;
}

/// How many of the waiting bytes fit into one nng message, as whole broadcasts.
static size_t measure(const struct bus_waiting *waiting, uint32_t *count_out)
{
    size_t size = 0;
    uint32_t count = 0;
    while (size < waiting->size) {
        uint32_t next = endian_get_u32(waiting->bytes + size);
        if (size + SIZE_BYTES + next > BODY_BYTES_MAX) {
            break;
        }
        size += SIZE_BYTES + next;
        count++;
    }
    *count_out = count;
    return size;
}

static void remove_front(struct bus_waiting *waiting, size_t size, uint32_t count)
{
    waiting->size -= size;
    waiting->count -= count;
    memmove(waiting->bytes, waiting->bytes + size, waiting->size);
    if (waiting->size == 0 && waiting->capacity > WAITING_BYTES_KEPT) {
        free(waiting->bytes);
        *waiting = (struct bus_waiting){0};
    }
}

static void paced(uv_timer_t *timer);

/// Sends what waits, as far as the window allows.
static void flush(struct peers_bus *bus)
{
    if (bus->sending || bus->waiting.size == 0) {
        return;
    }
    refill(bus);
    if (bus->tokens == 0) {
        if (!uv_is_active((uv_handle_t *)&bus->pace)) {
            uv_timer_start(&bus->pace, paced, PEERS_PACE_MS, 0);
        }
        return;
    }
    uint32_t count;
    size_t size = measure(&bus->waiting, &count);
    struct peers_tally *tally = &bus->base->tally;
    nng_msg *message = peers_base_seal(bus->base, SEAL_BUS, (struct span){NULL, 0},
                                       (struct span){bus->waiting.bytes, size});
    remove_front(&bus->waiting, size, count);
    if (message == NULL) {
        tally->bus_dropped += count;
        return;
    }
    bus->tokens--;
    bus->sending = true;
    tally->bus_sent++;
    tally->bus_coalesced += count - 1;
    tally->bytes_sent += nng_msg_len(message);
    nng_aio_set_msg(bus->send, message);
    nng_send_aio(bus->socket, bus->send);
}

static void paced(uv_timer_t *timer)
{
    flush(timer->data);
}

/// nng took the message (or is closing).
static void sent(void *context)
{
    struct peers_bus *bus = context;
    if (nng_aio_result(bus->send) != 0) {
        nng_msg_free(nng_aio_get_msg(bus->send));
        nng_aio_set_msg(bus->send, NULL);
    }
    mailbox_post(&bus->base->mailbox, &bus->sent);
}

static void deliver_sent(struct mail *mail, bool live)
{
    struct peers_bus *bus = (struct peers_bus *)((char *)mail - offsetof(struct peers_bus, sent));
    bus->sending = false;
    if (live) {
        flush(bus);
    }
}

static bool reserve(struct bus_waiting *waiting, size_t extra)
{
    size_t capacity = waiting->capacity > 0 ? waiting->capacity : 4096;
    while (capacity < waiting->size + extra) {
        capacity *= 2;
    }
    if (capacity == waiting->capacity) {
        return true;
    }
    uint8_t *bytes = realloc(waiting->bytes, capacity);
    if (bytes == NULL) {
        return false;
    }
    waiting->bytes = bytes;
    waiting->capacity = capacity;
    return true;
}

void peers_bus_broadcast(struct peers_bus *bus, struct span message)
{
    struct bus_waiting *waiting = &bus->waiting;
    size_t needed = SIZE_BYTES + message.size;
    if (message.size > PEERS_MESSAGE_BYTES_MAX ||
        waiting->size + needed > PEERS_WAITING_BYTES_MAX || !reserve(waiting, needed)) {
        if (bus->base->tally.bus_dropped++ == 0) {
            peers_base_log(bus->base, NODE_LOG_NOTICE, "bus-dropped",
                           "bytes=%zu waiting=%zu reason=\"peers will pull it\"", message.size,
                           waiting->size);
        }
        return;
    }
    uint8_t *at = waiting->bytes + waiting->size;
    for (int i = 0; i < SIZE_BYTES; i++) {
        at[i] = (uint8_t)(message.size >> (8 * i));
    }
    if (message.size > 0) {
        memcpy(at + SIZE_BYTES, message.data, message.size);
    }
    waiting->size += needed;
    waiting->count++;
    flush(bus);
}

bool peers_bus_flushed(const struct peers_bus *bus)
{
    return bus->waiting.size == 0 && !bus->sending;
}

// ----------------------------------------------------------------------------------------- dialing

static struct bus_dialing *find_address(struct peers_bus *bus, struct span text)
{
    for (uint32_t i = 0; i < bus->dialing_count; i++) {
        const char *known = bus->dialings[i].address.text;
        if (strlen(known) == text.size && memcmp(known, text.data, text.size) == 0) {
            return &bus->dialings[i];
        }
    }
    return NULL;
}

static void start_dialing(struct peers_bus *bus, struct bus_dialing *dialing)
{
    dialing->dialed = peers_base_dial(bus->base, &dialing->dialer, &dialing->gate, bus->socket,
                                      &dialing->address);
    dialing->live = 0;
    dialing->since_ms = uv_now(bus->base->config.loop);
}

/// Ends a dialer: with its pipe when it has one, else at once.
static void end_dialing(struct peers_bus *bus, struct bus_dialing *dialing)
{
    if (dialing->dialed &&
        cut_pipes(bus, true, is_dialed_by, (uint64_t)nng_dialer_id(dialing->dialer)) == 0) {
        nng_dialer_close(dialing->dialer);
    }
    dialing->dialed = false;
}

void peers_bus_dial(struct peers_bus *bus, struct span text)
{
    struct peers_address address;
    if (!peers_base_admit(bus->base, &address, text) || find_address(bus, text) != NULL) {
        return;
    }
    if (bus->dialing_count == PEERS_ADDRESSES_MAX) {
        peers_base_log(bus->base, NODE_LOG_WARNING, "address-refused",
                       "address=%s reason=\"%d addresses are dialed already\"", address.text,
                       PEERS_ADDRESSES_MAX);
        return;
    }
    struct bus_dialing *dialing = &bus->dialings[bus->dialing_count++];
    *dialing = (struct bus_dialing){.address = address};
    start_dialing(bus, dialing);
}

void peers_bus_hang_up(struct peers_bus *bus, struct span text)
{
    struct bus_dialing *dialing = find_address(bus, text);
    if (dialing == NULL) {
        return;
    }
    end_dialing(bus, dialing);
    peers_relay_close_gate(bus->base->relay, dialing->gate);
    *dialing = bus->dialings[--bus->dialing_count];
}

void peers_bus_drop(struct peers_bus *bus, struct pipe_id id)
{
    cut_pipes(bus, false, is_numbered, id.value);
}

void peers_bus_tick(struct peers_bus *bus)
{
    uint64_t now = uv_now(bus->base->config.loop);
    for (uint32_t i = 0; i < bus->dialing_count; i++) {
        struct bus_dialing *dialing = &bus->dialings[i];
        if (dialing->live > 0 || now - dialing->since_ms < PEERS_PATIENCE_MS) {
            continue;
        }
        bus->base->tally.redials++;
        end_dialing(bus, dialing);
        start_dialing(bus, dialing);
    }
}

// -------------------------------------------------------------------------------- opening, closing

int peers_bus_open(struct peers_bus *bus, struct peers_base *base, struct peers_address *address)
{
    bus->base = base;
    bus->sent.deliver = deliver_sent;
    bus->tokens = PEERS_BURST;
    bus->refilled_ms = uv_now(base->config.loop);
    pthread_mutex_init(&bus->lock, NULL);
    pthread_cond_init(&bus->emptied, NULL);
    uv_timer_init(base->config.loop, &bus->pace);
    bus->pace.data = bus;
    int failed = nng_bus0_open(&bus->socket);
    if (failed != 0) {
        return failed;
    }
    bus->opened = true;
    nng_socket_set_size(bus->socket, NNG_OPT_RECVMAXSZ, BODY_BYTES_MAX + SEAL_OVERHEAD_BYTES);
    nng_socket_set_int(bus->socket, NNG_OPT_SENDBUF, 1);
    nng_pipe_notify(bus->socket, NNG_PIPE_EV_ADD_PRE, pipe_begins, bus);
    nng_pipe_notify(bus->socket, NNG_PIPE_EV_ADD_POST, pipe_is_up, bus);
    nng_pipe_notify(bus->socket, NNG_PIPE_EV_REM_POST, pipe_is_gone, bus);
    if ((failed = nng_aio_alloc(&bus->receive, received, bus)) != 0 ||
        (failed = nng_aio_alloc(&bus->send, sent, bus)) != 0 ||
        (failed = peers_base_listen(base, bus->socket, address)) != 0) {
        return failed;
    }
    nng_recv_aio(bus->socket, bus->receive);
    return 0;
}

/// Cuts all pipes and waits a moment until nng has let go of them.
static void empty_pipes(struct peers_bus *bus)
{
    struct timespec until;
    pthread_mutex_lock(&bus->lock);
    bus->closing = true;
    pthread_mutex_unlock(&bus->lock);
    cut_pipes(bus, true, is_any, 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PEERS_CLOSE_SECONDS;
    pthread_mutex_lock(&bus->lock);
    int expired = 0;
    while (bus->pipe_count > 0 && expired == 0) {
        expired = pthread_cond_timedwait(&bus->emptied, &bus->lock, &until);
    }
    pthread_mutex_unlock(&bus->lock);
}

void peers_bus_close(struct peers_bus *bus)
{
    if (bus->opened) {
        empty_pipes(bus);
        // First: a receive that begins anew while the socket closes waits on a queue that is freed,
        // and freeing the aio would cancel it there.
        nng_aio_stop(bus->receive);
        nng_aio_stop(bus->send);
        nng_close(bus->socket);
    }
    nng_aio_free(bus->receive);
    nng_aio_free(bus->send);
}

void peers_bus_finish(struct peers_bus *bus)
{
    assert(bus->pipe_count == 0);
    free(bus->waiting.bytes);
    pthread_cond_destroy(&bus->emptied);
    pthread_mutex_destroy(&bus->lock);
}
