// SPDX-License-Identifier: MIT
// Implements the WebSocket side of io/clients on libwebsockets.
//
// The shape of this file follows what Debian's libwebsockets 4.1.6 does well and badly: sockets are
// adopted (its listener spins without descriptors); nothing of its timers is used per connection
// (they are one sorted list); extensions are off (an empty message would abort); CLOSED may come
// without ESTABLISHED; endings are our own close frame and shutdown(), so that no call here can
// re-enter.
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/endian.h"
#include "codec/wire.h"
#include "io/clients_impl.h"

#define RECEIVE_BYTES 1024 // read at once, and kept per connection
#define SEND_BYTES 131072  // handed to the kernel at once
#define HEADER_POOL 1024   // heads being read by lws at once
#define SLOTS_FIRST 64
#define CLOSE_REASON_BYTES_MAX 123 // RFC 6455, 5.5
#define OPCODE_BINARY 0x82
#define OPCODE_CLOSE 0x88

// ------------------------------------------------------------------------------------------- slots

static bool grow_slots(struct clients *clients)
{
    uint32_t count = clients->slot_count == 0 ? SLOTS_FIRST : clients->slot_count * 2;
    if (count > clients->config.connections_max) {
        count = clients->config.connections_max;
    }
    struct client_slot *slots =
        count <= clients->slot_count ? NULL : realloc(clients->slots, count * sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = clients->slot_count; i < count; i++) {
        slots[i] = (struct client_slot){.next_free = i + 1};
    }
    clients->first_free = clients->slot_count;
    clients->slots = slots;
    clients->slot_count = count;
    return true;
}

static bool take_slot(struct clients *clients, struct session *session)
{
    if (clients->first_free == clients->slot_count && !grow_slots(clients)) {
        return false;
    }
    struct client_slot *slot = &clients->slots[clients->first_free];
    session->slot = clients->first_free;
    clients->first_free = slot->next_free;
    slot->session = session;
    slot->generation++;
    return true;
}

static struct client_id id_of(const struct clients *clients, const struct session *session)
{
    return (struct client_id){session->slot, clients->slots[session->slot].generation};
}

static struct session *find(const struct clients *clients, struct client_id id)
{
    if (id.slot >= clients->slot_count) {
        return NULL;
    }
    const struct client_slot *slot = &clients->slots[id.slot];
    return slot->generation == id.generation ? slot->session : NULL;
}

static void tell(struct clients *clients, const struct session *session, enum node_event_kind kind,
                 struct span bytes)
{
    loop_step(
        clients->config.loop,
        &(struct node_event){.kind = kind, .client = id_of(clients, session), .bytes = bytes});
}

// ------------------------------------------------------------------------------------------ ending

static void cut(struct session *session)
{
    shutdown(lws_get_socket_fd(session->wsi), SHUT_RDWR); // lws sees it as the peer's end
}

static void drop_partial(struct clients *clients, struct session *session)
{
    clients->counts.partial_bytes -= session->partial_capacity;
    free(session->partial);
    session->partial = NULL;
    session->partial_size = 0;
    session->partial_capacity = 0;
}

/// Puts a session at the end of the queue of those that are cut when their time is over.
static void begin_ending(struct clients *clients, struct session *session)
{
    session->ending = true;
    session->end_ms = loop_now_ms(clients->config.loop) + CLIENTS_LINGER_MS;
    session->ending_previous = clients->ending_last;
    if (clients->ending_last != NULL) {
        clients->ending_last->ending_next = session;
    } else {
        clients->ending_first = session;
    }
    clients->ending_last = session;
    drop_partial(clients, session);
}

static void leave_ending(struct clients *clients, struct session *session)
{
    if (!session->ending) {
        return;
    }
    if (session->ending_previous != NULL) {
        session->ending_previous->ending_next = session->ending_next;
    } else {
        clients->ending_first = session->ending_next;
    }
    if (session->ending_next != NULL) {
        session->ending_next->ending_previous = session->ending_previous;
    } else {
        clients->ending_last = session->ending_previous;
    }
}

/// Sends a close frame behind what was sent before, and closes our side.
static void hang_up(struct clients *clients, struct session *session, uint16_t code,
                    const char *reason)
{
    uint8_t frame[4 + CLOSE_REASON_BYTES_MAX];
    size_t size = strlen(reason);
    if (session->ending) {
        return;
    }
    begin_ending(clients, session);
    size = size > CLOSE_REASON_BYTES_MAX ? CLOSE_REASON_BYTES_MAX : size;
    frame[0] = OPCODE_CLOSE;
    frame[1] = (uint8_t)(size + 2);
    frame[2] = (uint8_t)(code >> 8);
    frame[3] = (uint8_t)code;
    memcpy(frame + 4, reason, size);
    if (lws_write(session->wsi, frame, size + 4, LWS_WRITE_RAW) < 0) {
        cut(session);
    } else if (!lws_partial_buffered(session->wsi)) {
        session->shut = true;
        shutdown(lws_get_socket_fd(session->wsi), SHUT_WR);
    }
}

void clients_socket_scan(struct clients *clients, uint64_t now_ms)
{
    struct session *session = clients->ending_first;
    for (; session != NULL && now_ms >= session->end_ms; session = session->ending_next) {
        cut(session); // it leaves the queue when lws has closed it
    }
}

// --------------------------------------------------------------------------------------- receiving

static void refuse_message(struct clients *clients, struct session *session, enum wire_code code)
{
    clients->counts.refused_messages++;
    hang_up(clients, session, (uint16_t)code, wire_code_reason(code));
}

/// Keeps a part of a message. @return false: there is no room for it.
static bool keep_partial(struct clients *clients, struct session *session, const void *bytes,
                         size_t size)
{
    size_t needed = session->partial_size + size;
    if (needed > session->partial_capacity) {
        size_t capacity =
            session->partial_capacity == 0 ? RECEIVE_BYTES * 2 : session->partial_capacity;
        while (capacity < needed) {
            capacity *= 2;
        }
        size_t extra = capacity - session->partial_capacity;
        uint8_t *partial = clients->counts.partial_bytes + extra > CLIENTS_PARTIAL_BYTES_MAX
                               ? NULL
                               : realloc(session->partial, capacity);
        if (partial == NULL) {
            return false;
        }
        clients->counts.partial_bytes += extra;
        session->partial = partial;
        session->partial_capacity = (uint32_t)capacity;
    }
    memcpy(session->partial + session->partial_size, bytes, size);
    session->partial_size = (uint32_t)needed;
    return true;
}

static void receive(struct clients *clients, struct session *session, const uint8_t *bytes,
                    size_t size)
{
    struct lws *wsi = session->wsi;
    uint64_t due = (uint64_t)session->partial_size + size + lws_remaining_packet_payload(wsi);
    if (session->ending || session->slot == CLIENTS_NO_SLOT) {
        return;
    }
    if (!lws_frame_is_binary(wsi)) {
        refuse_message(clients, session, WIRE_BAD_REQUEST);
    } else if (due > clients->config.frame_bytes_max) {
        refuse_message(clients, session, WIRE_TOO_LARGE);
    } else if (session->partial_size == 0 && lws_is_final_fragment(wsi)) {
        tell(clients, session, NODE_CLIENT_FRAME, (struct span){bytes, size});
    } else if (!keep_partial(clients, session, bytes, size)) {
        refuse_message(clients, session, WIRE_TOO_MANY);
    } else if (lws_is_final_fragment(wsi)) {
        uint8_t *partial = session->partial;
        struct span message = {partial, session->partial_size};
        clients->counts.partial_bytes -= session->partial_capacity;
        session->partial = NULL;
        session->partial_size = 0;
        session->partial_capacity = 0;
        tell(clients, session, NODE_CLIENT_FRAME, message);
        free(partial);
    }
}

// ----------------------------------------------------------------------------------------
// callbacks

static void established(struct clients *clients, struct session *session, struct lws *wsi)
{
    session->wsi = wsi;
    session->open = true;
    session->slot = CLIENTS_NO_SLOT;
    if (!take_slot(clients, session)) {
        hang_up(clients, session, WIRE_TOO_MANY, wire_code_reason(WIRE_TOO_MANY));
        return;
    }
    clients->counts.clients++;
    tell(clients, session, NODE_CLIENT_OPENED, (struct span){NULL, 0});
}

static void closed(struct clients *clients, struct session *session)
{
    if (!session->open) {
        return; // the handshake failed late
    }
    session->open = false;
    leave_ending(clients, session);
    drop_partial(clients, session);
    if (session->slot == CLIENTS_NO_SLOT) {
        return;
    }
    struct client_slot *slot = &clients->slots[session->slot];
    slot->session = NULL;
    clients->counts.clients--;
    if (!clients->closed) {
        tell(clients, session, NODE_CLIENT_CLOSED, (struct span){NULL, 0});
    }
    slot->next_free = clients->first_free;
    clients->first_free = session->slot;
}

/// Everything that lws held back is gone.
static void writable(struct clients *clients, struct session *session)
{
    if (session->ending) {
        if (!session->shut && !lws_partial_buffered(session->wsi)) {
            session->shut = true;
            shutdown(lws_get_socket_fd(session->wsi), SHUT_WR);
        }
    } else if (session->blocked && !lws_partial_buffered(session->wsi)) {
        session->blocked = false;
        tell(clients, session, NODE_CLIENT_WRITABLE, (struct span){NULL, 0});
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size)
{
    struct clients *clients = lws_context_user(lws_get_context(wsi));
    struct session *session = user;
    switch (reason) {
    case LWS_CALLBACK_WSI_CREATE:
        clients->wsis++;
        clients->handles++;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        clients->wsis--;
        clients_handle_closed(clients);
        return 0;
    case LWS_CALLBACK_ESTABLISHED:
        established(clients, session, wsi);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        receive(clients, session, in, size);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        writable(clients, session);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (session->ending) {
            return -1; // the answer to ours
        }
        begin_ending(clients, session);
        return 0; // lws answers it
    case LWS_CALLBACK_CLOSED:
        if (session != NULL) {
            closed(clients, session);
        }
        return 0;
    case LWS_CALLBACK_HTTP: // the front lets nothing but upgrades through
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_RX:
        return -1;
    default:
        return 0;
    }
}

// ----------------------------------------------------------------------------------- the links
// port

static void write_header(struct frame *frame)
{
    uint8_t *payload = frame_payload(frame);
    if (frame->size < 126) {
        payload[-1] = (uint8_t)frame->size;
        frame->header_size = 2;
    } else if (frame->size <= UINT16_MAX) {
        payload[-3] = 126;
        payload[-2] = (uint8_t)(frame->size >> 8);
        payload[-1] = (uint8_t)frame->size;
        frame->header_size = 4;
    } else {
        payload[-9] = 127;
        endian_put_be64(payload - 8, frame->size);
        frame->header_size = 10;
    }
    payload[-frame->header_size] = OPCODE_BINARY;
}

bool clients_send(struct clients *clients, struct client_id client, struct frame *frame)
{
    struct session *session = find(clients, client);
    if (session == NULL || session->ending) {
        return false; // NODE_CLIENT_CLOSED is on its way
    }
    if (frame->header_size == 0) {
        write_header(frame);
    }
    uint8_t *start = frame_payload(frame) - frame->header_size;
    if (lws_write(session->wsi, start, (size_t)frame->size + frame->header_size, LWS_WRITE_RAW) <
        0) {
        begin_ending(clients, session);
        cut(session);
        return false;
    }
    if (lws_partial_buffered(session->wsi)) {
        session->blocked = true;
        clients->counts.blocked++;
        return false;
    }
    return true;
}

void clients_hang_up(struct clients *clients, struct client_id client, uint16_t code,
                     const char *reason)
{
    struct session *session = find(clients, client);
    if (session != NULL) {
        hang_up(clients, session, code, reason);
    }
}

// ------------------------------------------------------------------------------------------- life

static const struct lws_protocols protocols[] = {
    {.name = WIRE_SUBPROTOCOL,
     .callback = on_event,
     .per_session_data_size = sizeof(struct session),
     .rx_buffer_size = RECEIVE_BYTES,
     .tx_packet_size = SEND_BYTES},
    {.name = NULL},
};

bool clients_socket_open(struct clients *clients)
{
    static const lws_retry_bo_t no_pings = {.secs_since_valid_ping = 0,
                                            .secs_since_valid_hangup = 0};
    void *loops[] = {&clients->config.loop->uv};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .protocols = protocols,
        .user = clients,
        .vhost_name = "clients",
        .retry_and_idle_policy = &no_pings,
        .max_http_header_data = HTTP_HEAD_BYTES_MAX,
        .max_http_header_pool = HEADER_POOL,
        .timeout_secs = CLIENTS_PEEK_MS / 1000,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
    };
    lws_set_log_level(0, NULL); // it logs what strangers send; our own lines say what matters
    clients->context = lws_create_context(&info);
    if (clients->context == NULL) {
        return false;
    }
    clients->vhost = lws_create_vhost(clients->context, &info);
    if (clients->vhost == NULL) {
        lws_context_destroy(clients->context);
        return false;
    }
    return true;
}

void clients_socket_close(struct clients *clients)
{
    lws_context_destroy(clients->context);
}

struct search {
    const void *data;
    bool found;
};

static void compare_data(uv_handle_t *handle, void *context)
{
    struct search *search = context;
    search->found |= handle->data == search->data;
}

bool clients_socket_finish(struct clients *clients)
{
    // With a foreign loop, lws closes its own two handles when the last socket is closed, and never
    // frees the context; a second call does. If it came earlier, the handles' callbacks would use
    // freed memory.
    struct search search = {clients->context, false};
    uv_walk(&clients->config.loop->uv, compare_data, &search);
    if (!search.found) {
        lws_context_destroy(clients->context);
    }
    return !search.found;
}

void clients_socket_adopt(struct clients *clients, int fd)
{
    (void)lws_adopt_socket_vhost(clients->vhost, fd); // closes the socket itself when it fails
}
