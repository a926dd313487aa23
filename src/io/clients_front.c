// SPDX-License-Identifier: MIT
// Implements the front of io/clients: looks at the head of a connection's first request.
//
// The bytes are peeked at (MSG_PEEK), so that whoever gets the connection reads all of it. Mostly
// the head is there when the connection is (TCP_DEFER_ACCEPT). A connection with a part of a head
// waits with SO_RCVLOWAT one past what was seen: it is readable again when there is more.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "codec/wire.h"
#include "io/clients_impl.h"

enum verdict { VERDICT_WAIT, VERDICT_HTTP, VERDICT_WEBSOCKET, VERDICT_GONE };

#define WEBSOCKET_KEY_DIGITS 24 // base64 of 16 bytes

static bool is(struct span text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

/// Whether lws is to have it. All else, wrong upgrades too, is answered by HTTP.
static bool is_welcome(const struct clients *clients, const struct http_head *head)
{
    const struct http_origins *origins = &clients->config.origins;
    return head->websocket && head->method == HTTP_GET && !clients->draining &&
           head->content_length == 0 && !head->chunked &&
           head->fields[HTTP_WEBSOCKET_KEY].size == WEBSOCKET_KEY_DIGITS &&
           is(head->fields[HTTP_WEBSOCKET_VERSION], "13") &&
           http_field_has(head->fields[HTTP_WEBSOCKET_PROTOCOL], WIRE_SUBPROTOCOL) &&
           http_host_allowed(origins, head) && http_origin_allowed(origins, head);
}

/// @param seen Bytes that were there at the last look; updated.
static enum verdict look(const struct clients *clients, int fd, int *seen)
{
    uint8_t bytes[HTTP_HEAD_BYTES_MAX];
    struct http_head head;
    ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    if (size < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? VERDICT_WAIT
                                                                         : VERDICT_GONE;
    }
    if (size == 0) {
        return VERDICT_GONE;
    }
    int verdict = http_head_parse(&head, (struct span){bytes, (size_t)size});
    if (verdict == HTTP_HEAD_PARTIAL) {
        bool more = size > *seen;
        *seen = (int)size;
        return more ? VERDICT_WAIT : VERDICT_GONE; // readable without more: its end
    }
    return verdict == HTTP_HEAD_WHOLE && is_welcome(clients, &head) ? VERDICT_WEBSOCKET
                                                                    : VERDICT_HTTP;
}

static void hand_over(struct clients *clients, int fd, enum verdict verdict)
{
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
    switch (verdict) {
    case VERDICT_WEBSOCKET:
        clients_socket_adopt(clients, fd);
        break;
    case VERDICT_HTTP:
        http_api_adopt(clients->config.http, fd);
        break;
    default:
        close(fd);
        break;
    }
}

// ----------------------------------------------------------------------------------------- waiting

static void visitor_closed(uv_handle_t *handle)
{
    struct visitor *visitor = handle->data;
    struct clients *clients = visitor->clients;
    free(visitor);
    clients_handle_closed(clients);
}

/// Ends the wait; the socket is handed over.
static void dismiss(struct visitor *visitor, enum verdict verdict)
{
    struct clients *clients = visitor->clients;
    if (visitor->previous != NULL) {
        visitor->previous->next = visitor->next;
    } else {
        clients->visitor_first = visitor->next;
    }
    if (visitor->next != NULL) {
        visitor->next->previous = visitor->previous;
    } else {
        clients->visitor_last = visitor->previous;
    }
    clients->counts.visitors--;
    uv_poll_stop(&visitor->poll);
    hand_over(clients, visitor->fd, verdict);
    uv_close((uv_handle_t *)&visitor->poll, visitor_closed);
}

static void wait_for_more(struct visitor *visitor)
{
    int low_water = visitor->seen + 1;
    setsockopt(visitor->fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof(low_water));
}

static void become_readable(uv_poll_t *poll, int status, int events)
{
    struct visitor *visitor = poll->data;
    (void)events;
    enum verdict verdict =
        status < 0 ? VERDICT_GONE : look(visitor->clients, visitor->fd, &visitor->seen);
    if (verdict == VERDICT_WAIT) {
        wait_for_more(visitor);
    } else {
        dismiss(visitor, verdict);
    }
}

void clients_front_accept(struct clients *clients, int fd)
{
    int seen = 0;
    enum verdict verdict = look(clients, fd, &seen);
    struct visitor *visitor = NULL;
    if (verdict == VERDICT_WAIT) {
        visitor = calloc(1, sizeof(*visitor));
        if (visitor == NULL || uv_poll_init(&clients->config.loop->uv, &visitor->poll, fd) != 0) {
            free(visitor);
            visitor = NULL;
            verdict = VERDICT_GONE;
        }
    }
    if (visitor == NULL) {
        hand_over(clients, fd, verdict);
        return;
    }
    visitor->clients = clients;
    visitor->fd = fd;
    visitor->seen = seen;
    visitor->end_ms = loop_now_ms(clients->config.loop) + CLIENTS_PEEK_MS;
    visitor->poll.data = visitor;
    visitor->previous = clients->visitor_last;
    if (clients->visitor_last != NULL) {
        clients->visitor_last->next = visitor;
    } else {
        clients->visitor_first = visitor;
    }
    clients->visitor_last = visitor;
    clients->counts.visitors++;
    clients->handles++;
    wait_for_more(visitor);
    uv_poll_start(&visitor->poll, UV_READABLE, become_readable);
}

void clients_front_scan(struct clients *clients, uint64_t now_ms)
{
    while (clients->visitor_first != NULL && now_ms >= clients->visitor_first->end_ms) {
        dismiss(clients->visitor_first, VERDICT_GONE);
    }
}

void clients_front_close(struct clients *clients)
{
    while (clients->visitor_first != NULL) {
        dismiss(clients->visitor_first, VERDICT_GONE);
    }
}
