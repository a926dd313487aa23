// SPDX-License-Identifier: MIT
// Implements io/peers.h: puts the bus and the pull ports together.
#include "io/peers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/peers_base.h"
#include "io/peers_bus.h"
#include "io/pull_answer.h"
#include "io/pull_ask.h"

struct peers {
    struct peers_base base;
    struct peers_bus bus;
    struct pull_ask ask;
    struct pull_answer answer;
    struct peers_address gossip_address;
    struct peers_address pull_address;
    uv_timer_t tick;
    int handles; // of the loop, still to be closed
};

static void peers_ticked(uv_timer_t *timer)
{
    struct peers *peers = timer->data;
    peers_bus_tick(&peers->bus);
    pull_ask_tick(&peers->ask);
    pull_answer_tick(&peers->answer);
    peers_base_tell_refusals(&peers->base);
}

// ----------------------------------------------------------------------------------------- opening

static enum weft_status peers_status(int failed)
{
    switch (failed) {
    case 0:
        return WEFT_OK;
    case NNG_ENOMEM:
        return WEFT_NO_MEMORY;
    case NNG_EADDRINUSE:
        return WEFT_CONFLICT;
    case NNG_EADDRINVAL:
        return WEFT_NOT_FOUND;
    default:
        return WEFT_STORAGE;
    }
}

static enum weft_status peers_complain(enum weft_status status, char *error, size_t error_size,
                                       const char *what, const char *address, const char *why)
{
    snprintf(error, error_size, "%s address %s: %s", what, address, why);
    return status;
}

/// Checks an address to listen on.
static enum weft_status check_address(struct peers_address *address_out, const char *text,
                                      bool keyed, const char *what, char *error, size_t error_size)
{
    struct span span = {(const uint8_t *)text, strlen(text)};
    struct peers_address address;
    if (!peers_address_parse(&address, span)) {
        return peers_complain(WEFT_MALFORMED, error, error_size, what, text,
                              "must be tcp://HOST:PORT");
    }
    if (peers_address_is_wildcard(&address)) {
        return peers_complain(
            WEFT_MALFORMED, error, error_size, what, text,
            "peers must be able to dial it, so it needs a name or address of this "
            "machine");
    }
    if (!keyed && !peers_address_is_loopback(&address)) {
        return peers_complain(WEFT_LIMIT, error, error_size, what, text,
                              "a cluster beyond this machine needs a cluster key");
    }
    *address_out = address;
    return WEFT_OK;
}

/// What to listen on, for the two ports.
static enum weft_status check_addresses(struct peers_address *gossip_out,
                                        struct peers_address *pull_out, const char *gossip,
                                        const char *pull, bool keyed, char *error,
                                        size_t error_size)
{
    enum weft_status status = check_address(gossip_out, gossip, keyed, "gossip", error, error_size);
    if (status != WEFT_OK) {
        return status;
    }
    if (pull != NULL) {
        return check_address(pull_out, pull, keyed, "pull", error, error_size);
    }
    uint16_t port = gossip_out->port;
    if (port > UINT16_MAX - 2) {
        return peers_complain(WEFT_MALFORMED, error, error_size, "gossip", gossip,
                              "there is no port + 2 for pull, say which one to use");
    }
    *pull_out = peers_address_with_port(gossip_out, port == 0 ? 0 : (uint16_t)(port + 2));
    return WEFT_OK;
}

enum weft_status peers_check(const char *gossip, const char *pull, bool keyed, char *error,
                             size_t error_size)
{
    struct peers_address addresses[2];
    return check_addresses(&addresses[0], &addresses[1], gossip, pull, keyed, error, error_size);
}

static const char *peers_explain(int failed)
{
    switch (failed) {
    case NNG_EADDRINUSE:
        return "in use by another process";
    case NNG_EADDRINVAL:
        return "not an address of this machine";
    default:
        return nng_strerror(failed);
    }
}

/// A reason that fits what nng answered, with the address that it was about.
static enum weft_status listen_on_both(struct peers *peers, char *error, size_t error_size)
{
    struct peers_address asked = peers->gossip_address;
    int failed = peers_bus_open(&peers->bus, &peers->base, &peers->gossip_address);
    if (failed != 0) {
        return peers_complain(peers_status(failed), error, error_size, "gossip", asked.text,
                              peers_explain(failed));
    }
    asked = peers->pull_address;
    failed = pull_answer_open(&peers->answer, &peers->base, &peers->pull_address);
    if (failed != 0) {
        return peers_complain(peers_status(failed), error, error_size, "pull", asked.text,
                              peers_explain(failed));
    }
    return WEFT_OK;
}

enum weft_status peers_open(struct peers **peers_out, const struct peers_config *config,
                            char *error, size_t error_size)
{
    struct peers *peers = calloc(1, sizeof *peers);
    if (peers == NULL || !seal_start()) {
        free(peers);
        snprintf(error, error_size, "peers: out of memory");
        return WEFT_NO_MEMORY;
    }
    struct peers_base *base = &peers->base;
    base->config = *config;
    base->config.gossip_address = NULL;
    base->config.pull_address = NULL;
    base->config.key = NULL;
    if (base->config.pull_timeout_ms == 0) {
        base->config.pull_timeout_ms = PEERS_PULL_TIMEOUT_MS;
    }
    if (config->key != NULL) {
        base->key = *config->key;
    }
    enum weft_status status =
        check_addresses(&peers->gossip_address, &peers->pull_address, config->gossip_address,
                        config->pull_address, base->key.present, error, error_size);
    if (status != WEFT_OK || (base->relay = peers_relay_create()) == NULL ||
        !mailbox_init(&base->mailbox, config->loop)) {
        peers_relay_destroy(base->relay);
        free(peers);
        return status == WEFT_OK ? WEFT_NO_MEMORY : status;
    }
    pthread_mutex_init(&base->refusals.lock, NULL);
    seal_begin(&base->sealer, &base->key);
    pull_ask_init(&peers->ask, base);
    uv_timer_init(config->loop, &peers->tick);
    peers->tick.data = peers;
    status = listen_on_both(peers, error, error_size);
    if (status != WEFT_OK) {
        peers_close(peers);
        return status;
    }
    uv_timer_start(&peers->tick, peers_ticked, PEERS_TICK_MS, PEERS_TICK_MS);
    *peers_out = peers;
    return WEFT_OK;
}

// ----------------------------------------------------------------------------------------- closing

static void release(struct peers *peers)
{
    if (--peers->handles == 0) {
        mailbox_finish(&peers->base.mailbox);
        pthread_mutex_destroy(&peers->base.refusals.lock);
        free(peers);
    }
}

static void tick_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void pace_closed(uv_handle_t *handle)
{
    struct peers_bus *bus = handle->data;
    release((struct peers *)((char *)bus - offsetof(struct peers, bus)));
}

static void async_closed(uv_handle_t *handle)
{
    struct mailbox *mailbox = handle->data;
    release((struct peers *)((char *)mailbox - offsetof(struct peers, base.mailbox)));
}

void peers_close(struct peers *peers)
{
    if (peers == NULL) {
        return;
    }
    peers_bus_close(&peers->bus);
    if (peers->answer.base != NULL) {
        pull_answer_close(&peers->answer);
    }
    pull_ask_close(&peers->ask);
    peers_relay_destroy(peers->base.relay);
    mailbox_discard(&peers->base.mailbox);
    peers_bus_finish(&peers->bus);
    pull_ask_finish(&peers->ask);
    peers->handles = 3;
    uv_close((uv_handle_t *)&peers->tick, tick_closed);
    uv_close((uv_handle_t *)&peers->bus.pace, pace_closed);
    uv_close((uv_handle_t *)&peers->base.mailbox.async, async_closed);
}

// ------------------------------------------------------------------------------------------- calls

const char *peers_gossip_address(const struct peers *peers)
{
    return peers->gossip_address.text;
}

const char *peers_pull_address(const struct peers *peers)
{
    return peers->pull_address.text;
}

struct peers_counts peers_count(const struct peers *peers)
{
    const struct peers_tally *tally = &peers->base.tally;
    return (struct peers_counts){
        .bus_sent = tally->bus_sent,
        .bus_received = tally->bus_received,
        .bus_coalesced = tally->bus_coalesced,
        .bus_dropped = tally->bus_dropped,
        .bus_lost = tally->bus_lost,
        .bytes_sent = tally->bytes_sent,
        .bytes_received = tally->bytes_received,
        .refused = tally->refused,
        .pulls_asked = tally->pulls_asked,
        .pulls_failed = tally->pulls_failed,
        .pulls_answered = tally->pulls_answered,
        .redials = tally->redials,
        .pipes = tally->pipes,
    };
}

bool peers_flushed(const struct peers *peers)
{
    return peers_bus_flushed(&peers->bus);
}

void peers_broadcast(struct peers *peers, struct span message)
{
    peers_bus_broadcast(&peers->bus, message);
}

void peers_dial(struct peers *peers, struct span address)
{
    peers_bus_dial(&peers->bus, address);
}

void peers_hang_up(struct peers *peers, struct span address)
{
    peers_bus_hang_up(&peers->bus, address);
}

void peers_drop(struct peers *peers, struct pipe_id pipe)
{
    peers_bus_drop(&peers->bus, pipe);
}

void peers_pull(struct peers *peers, uint64_t ticket, struct span address, struct span question)
{
    pull_ask_send(&peers->ask, ticket, address, question);
}

void peers_answer(struct peers *peers, struct answer_id answer, struct span reply)
{
    pull_answer_send(&peers->answer, answer, reply);
}
