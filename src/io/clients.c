// SPDX-License-Identifier: MIT
// Implements io/clients.h: opening and closing, and what both kinds of connection share.
#include "io/clients.h"

#include <stdio.h>
#include <stdlib.h>

#include "io/clients_impl.h"

#define SCAN_MS 500
#define FINISH_MS 1 // between looks whether lws has closed its sockets

static bool admit(void *context)
{
    struct clients *clients = context;
    uint32_t now =
        clients->wsis + clients->counts.visitors + http_api_count(clients->config.http).connections;
    return now < clients->config.connections_max;
}

static void client_accepted(void *context, int fd)
{
    struct clients *clients = context;
    clients->counts.accepted++;
    clients_front_accept(clients, fd);
}

static void scan(uv_timer_t *timer)
{
    struct clients *clients = timer->data;
    uint64_t now_ms = loop_now_ms(clients->config.loop);
    clients_front_scan(clients, now_ms);
    clients_socket_scan(clients, now_ms);
}

enum weft_status clients_open(struct clients **clients_out, const struct clients_config *config,
                              char *error, size_t error_size)
{
    struct clients *clients = calloc(1, sizeof(*clients));
    if (clients == NULL) {
        snprintf(error, error_size, "out of memory");
        return WEFT_NO_MEMORY;
    }
    clients->config = *config;
    struct listener_config listener = {.loop = config->loop,
                                       .listen = config->listen,
                                       .defer = true,
                                       .admit = admit,
                                       .accepted = client_accepted,
                                       .log = config->log,
                                       .context = clients,
                                       .log_context = config->log_context};
    enum weft_status status = listener_open(&clients->listener, &listener, error, error_size);
    if (status != WEFT_OK) {
        free(clients);
        return status;
    }
    clients->config.origins.loopback = address_is_loopback(listener_address(clients->listener));
    if (!clients_socket_open(clients)) {
        snprintf(error, error_size,
                 "libwebsockets cannot start; is the package libwebsockets-evlib-uv installed?");
        listener_close(clients->listener);
        free(clients);
        return WEFT_STORAGE;
    }
    uv_timer_init(&config->loop->uv, &clients->scan);
    clients->scan.data = clients;
    clients->handles = 1;
    uv_timer_start(&clients->scan, scan, SCAN_MS, SCAN_MS);
    *clients_out = clients;
    return WEFT_OK;
}

void clients_start(struct clients *clients)
{
    listener_start(clients->listener);
}

void clients_drain(struct clients *clients)
{
    clients->draining = true;
}

void clients_handle_closed(struct clients *clients)
{
    if (--clients->handles == 0) {
        free(clients->slots);
        free(clients);
    }
}

static void scan_closed(uv_handle_t *handle)
{
    clients_handle_closed(handle->data);
}

static void finish(uv_timer_t *timer)
{
    if (clients_socket_finish(timer->data)) {
        uv_close((uv_handle_t *)timer, scan_closed);
    }
}

void clients_close(struct clients *clients)
{
    if (clients == NULL) {
        return;
    }
    clients->closed = true;
    listener_close(clients->listener);
    clients_front_close(clients);
    clients_socket_close(clients);
    uv_timer_start(&clients->scan, finish, FINISH_MS, FINISH_MS);
}

const struct address *clients_address(const struct clients *clients)
{
    return listener_address(clients->listener);
}

struct clients_counts clients_count(const struct clients *clients)
{
    return clients->counts;
}
