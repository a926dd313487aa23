// SPDX-License-Identifier: MIT
// Implements io/listener.h.
#include "io/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFER_SECONDS 5 // after which a silent connection is handed over all the same

struct listener {
    struct listener_config config;
    struct address address;
    int fd;
    int handles; // still to be closed
    uv_poll_t poll;
    uv_timer_t retry;
};

// ------------------------------------------------------------------------------------- accepting

static void become_readable(uv_poll_t *poll, int status, int events);

static void try_again(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    uv_poll_start(&listener->poll, UV_READABLE, become_readable);
}

static void pause_accepting(struct listener *listener)
{
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->retry, try_again, LISTENER_RETRY_MS, 0);
}

/// What accept4() says of the system rather than of one connection.
static bool is_exhausted(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void listener_complain(struct listener *listener, int error)
{
    char details[ADDRESS_TEXT_BYTES + 128];
    char address[ADDRESS_TEXT_BYTES];
    if (listener->config.log == NULL) {
        return;
    }
    address_format(address, &listener->address);
    snprintf(details, sizeof(details), "listen=%s why=%s", address,
             error == 0 ? "as many connections as this process may hold" : strerror(error));
    listener->config.log(listener->config.log_context, NODE_LOG_WARNING, "accept_paused", details);
}

static void become_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < LISTENER_BITE; i++) {
        if (listener->config.admit != NULL && !listener->config.admit(listener->config.context)) {
            listener_complain(listener, 0);
            pause_accepting(listener);
            return;
        }
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->config.accepted(listener->config.context, fd);
        } else if (is_exhausted(errno)) {
            listener_complain(listener, errno);
            pause_accepting(listener);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } // else: that one connection failed before it was accepted
    }
}

void listener_start(struct listener *listener)
{
    uv_poll_start(&listener->poll, UV_READABLE, become_readable);
}

// --------------------------------------------------------------------------------------- opening

static enum weft_status listener_status(int error)
{
    switch (error) {
    case EADDRINUSE:
        return WEFT_CONFLICT;
    case EADDRNOTAVAIL:
        return WEFT_NOT_FOUND;
    case ENOMEM:
        return WEFT_NO_MEMORY;
    default:
        return WEFT_STORAGE;
    }
}

static const char *listener_explain(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "in use by another process";
    case EADDRNOTAVAIL:
        return "not an address of this machine";
    default:
        return strerror(error);
    }
}

/// A listening socket on one resolved address, or -1 with errno.
static int listen_on(const struct addrinfo *info, bool defer)
{
    int one = 1;
    int defer_seconds = DEFER_SECONDS;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); // inherited by what is accepted
    if (defer) {
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_seconds, sizeof(defer_seconds));
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, LISTENER_BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static enum weft_status open_socket(int *fd_out, const struct listener_config *config, char *error,
                                    size_t error_size)
{
    struct address address;
    struct span text = {(const uint8_t *)config->listen, strlen(config->listen)};
    if (!address_parse(&address, text, -1)) {
        snprintf(error, error_size, "listen address %s: must be HOST:PORT", config->listen);
        return WEFT_MALFORMED;
    }
    char port[8];
    snprintf(port, sizeof(port), "%u", address.port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_ADDRCONFIG};
    if (address_is_numeric(&address)) {
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST;
    }
    struct addrinfo *found;
    int failed = getaddrinfo(address.host, port, &hints, &found);
    if (failed != 0) {
        snprintf(error, error_size, "listen address %s: %s", config->listen,
                 failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
        return WEFT_NOT_FOUND;
    }
    int fd = listen_on(found, config->defer);
    int system_error = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        snprintf(error, error_size, "listen address %s: %s", config->listen,
                 listener_explain(system_error));
        return listener_status(system_error);
    }
    *fd_out = fd;
    return WEFT_OK;
}

enum weft_status listener_open(struct listener **listener_out, const struct listener_config *config,
                               char *error, size_t error_size)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        snprintf(error, error_size, "out of memory");
        return WEFT_NO_MEMORY;
    }
    listener->config = *config;
    enum weft_status status = open_socket(&listener->fd, config, error, error_size);
    if (status != WEFT_OK) {
        free(listener);
        return status;
    }
    if (!address_of_socket(&listener->address, listener->fd) ||
        uv_poll_init(&config->loop->uv, &listener->poll, listener->fd) != 0) {
        snprintf(error, error_size, "listen address %s: cannot be watched", config->listen);
        close(listener->fd);
        free(listener);
        return WEFT_STORAGE;
    }
    uv_timer_init(&config->loop->uv, &listener->retry);
    listener->handles = 2;
    listener->poll.data = listener;
    listener->retry.data = listener;
    *listener_out = listener;
    return WEFT_OK;
}

static void handle_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    if (--listener->handles == 0) {
        free(listener);
    }
}

void listener_close(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    uv_poll_stop(&listener->poll);
    close(listener->fd);
    uv_close((uv_handle_t *)&listener->poll, handle_closed);
    uv_close((uv_handle_t *)&listener->retry, handle_closed);
}

const struct address *listener_address(const struct listener *listener)
{
    return &listener->address;
}
