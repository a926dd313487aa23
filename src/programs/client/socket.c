// SPDX-License-Identifier: MIT
#include "programs/client/socket.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libwebsockets.h>

#include "codec/wire.h"

#define RECEIVE_BYTES (32U << 10) // of what lws reads at once
#define SEND_BYTES (128U << 10)   // of one write: a whole message
#define FDS_MAX 32                // a context for one connection needs no table of all descriptors

struct socket {
    struct lws_context *context;
    struct lws *wsi; // NULL: nothing is open
    struct socket_handlers handlers;
    void *owner;
    struct weft_buffer incoming; // of a message in part
    struct weft_buffer outgoing; // LWS_PRE bytes of room, then the message
    uint32_t message_max;
    lws_sorted_usec_list_t timer;
    bool expired;
    bool used;       // the context has had a connection
    bool happened;   // a handler was called
    bool connecting; // inside of socket_connect(): no handler may be called
    bool failed;     // connecting failed at once: closed() is due
    uint16_t close_code;
    char close_reason[SOCKET_REASON_BYTES];
};

static void set_reason(struct socket *socket, const char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < size && used + 1 < sizeof(socket->close_reason); i++) {
        unsigned char byte = (unsigned char)text[i];
        socket->close_reason[used++] = byte >= 32 && byte < 127 ? (char)byte : '?';
    }
    socket->close_reason[used] = '\0';
}

static void tell_closed(struct socket *socket)
{
    if (socket->connecting) {
        socket->failed = true;
        return;
    }
    socket->wsi = NULL;
    socket->happened = true;
    socket->handlers.closed(socket->owner, socket->close_code, socket->close_reason);
}

/// Collects fragments. @return false: the message is not acceptable.
static bool receive(struct socket *socket, struct lws *wsi, const void *bytes, size_t size)
{
    if (!lws_frame_is_binary(wsi) || socket->incoming.size + size > socket->message_max)
        return false;
    if (weft_buffer_append(&socket->incoming, bytes, size) != WEFT_OK)
        return false;
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
        return true;
    struct span message = {socket->incoming.data, socket->incoming.size};
    socket->happened = true;
    socket->handlers.message(socket->owner, message);
    socket->incoming.size = 0;
    return true;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size)
{
    struct lws_context *context = lws_get_context(wsi);
    struct socket *socket = context != NULL ? lws_context_user(context) : NULL;
    (void)user;
    if (socket == NULL || (!socket->connecting && (socket->wsi == NULL || wsi != socket->wsi)))
        return 0; // of a connection that was let go of
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        socket->happened = true;
        socket->handlers.opened(socket->owner);
        break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        if (in != NULL)
            set_reason(socket, in, size);
        tell_closed(socket);
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        if (!receive(socket, wsi, in, size)) {
            set_reason(socket, "a message that is too large or not binary", 41);
            return -1;
        }
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        socket->happened = true;
        socket->handlers.writable(socket->owner);
        break;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (size >= 2) {
            const unsigned char *bytes = in;
            socket->close_code = (uint16_t)(bytes[0] << 8 | bytes[1]);
            set_reason(socket, (const char *)bytes + 2, size - 2);
        }
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
        tell_closed(socket);
        break;
    default:
        break;
    }
    return !socket->connecting && wsi != socket->wsi ? -1 : 0; // a handler let go of it
}

static const struct lws_protocols protocols[] = {
    {.name = WIRE_SUBPROTOCOL,
     .callback = on_event,
     .rx_buffer_size = RECEIVE_BYTES,
     .tx_packet_size = SEND_BYTES},
    {.name = NULL},
};

static bool open_context(struct socket *socket)
{
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof(info));
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    info.user = socket;
    info.timeout_secs = 5;
    info.fd_limit_per_thread = FDS_MAX;
    info.pt_serv_buf_size = RECEIVE_BYTES;
    lws_set_log_level(0, NULL);
    socket->context = lws_create_context(&info);
    socket->used = false;
    return socket->context != NULL;
}

static void close_context(struct socket *socket)
{
    socket->wsi = NULL;
    if (socket->context != NULL)
        lws_context_destroy(socket->context);
    socket->context = NULL;
}

struct socket *socket_create(const struct socket_handlers *handlers, void *context)
{
    struct socket *socket = calloc(1, sizeof(*socket));
    if (socket == NULL)
        return NULL;
    socket->handlers = *handlers;
    socket->owner = context;
    weft_buffer_init(&socket->incoming, NULL);
    weft_buffer_init(&socket->outgoing, NULL);
    if (!open_context(socket)) {
        free(socket);
        return NULL;
    }
    return socket;
}

void socket_destroy(struct socket *socket)
{
    if (socket == NULL)
        return;
    close_context(socket);
    weft_buffer_finish(&socket->incoming);
    weft_buffer_finish(&socket->outgoing);
    free(socket);
}

void socket_connect(struct socket *socket, const char *host, uint16_t port, uint32_t message_max)
{
    char authority[300];
    struct lws_client_connect_info info;
    // A context lives for one connection: lws 4.1.6 was seen to follow a pointer to an earlier one.
    if (socket->used)
        close_context(socket);
    if (socket->context == NULL && !open_context(socket)) {
        socket->close_code = 1006;
        set_reason(socket, "out of memory", 13);
        socket->failed = true;
        return;
    }
    socket->used = true;
    memset(&info, 0, sizeof(info));
    snprintf(authority, sizeof(authority), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
             port);
    socket->message_max = message_max;
    socket->incoming.size = 0;
    socket->close_code = 1006;
    set_reason(socket, "no connection", 13);
    info.context = socket->context;
    info.address = host;
    info.port = port;
    info.path = "/";
    info.host = authority;
    info.protocol = WIRE_SUBPROTOCOL;
    info.local_protocol_name = WIRE_SUBPROTOCOL;
    info.pwsi = &socket->wsi;
    socket->failed = false;
    socket->connecting = true;
    if (lws_client_connect_via_info(&info) == NULL || socket->failed) {
        socket->failed = true;
        socket->wsi = NULL;
    }
    socket->connecting = false;
}

void socket_close(struct socket *socket)
{
    socket->failed = false;
    socket->wsi = NULL;
}

void socket_ask_write(struct socket *socket)
{
    if (socket->wsi != NULL)
        lws_callback_on_writable(socket->wsi);
}

struct weft_buffer *socket_outgoing(struct socket *socket)
{
    static const uint8_t room[LWS_PRE];
    socket->outgoing.size = 0;
    if (weft_buffer_append(&socket->outgoing, room, sizeof(room)) != WEFT_OK)
        return NULL;
    return &socket->outgoing;
}

bool socket_send(struct socket *socket)
{
    size_t size = socket->outgoing.size - LWS_PRE;
    int sent = lws_write(socket->wsi, socket->outgoing.data + LWS_PRE, size, LWS_WRITE_BINARY);
    return sent >= 0 && (size_t)sent >= size;
}

static void on_timer(lws_sorted_usec_list_t *timer)
{
    struct socket *socket = lws_container_of(timer, struct socket, timer);
    socket->expired = true;
    // lws runs timers before it polls, and would poll until the next one.
    lws_cancel_service(socket->context);
}

void socket_wait(struct socket *socket, uint32_t timeout_ms)
{
    socket->happened = false;
    if (socket->failed) {
        socket->failed = false;
        tell_closed(socket);
        return;
    }
    if (socket->context == NULL) { // no memory for one: nothing can happen
        poll(NULL, 0, (int)timeout_ms);
        return;
    }
    if (timeout_ms == 0) {
        lws_service(socket->context, -1);
        return;
    }
    socket->expired = false;
    lws_sul_schedule(socket->context, 0, &socket->timer, on_timer,
                     (lws_usec_t)timeout_ms * LWS_US_PER_MS);
    while (!socket->happened && !socket->expired && lws_service(socket->context, 0) >= 0)
        continue;
    lws_sul_schedule(socket->context, 0, &socket->timer, NULL, LWS_SET_TIMER_USEC_CANCEL);
}
