// SPDX-License-Identifier: MIT
// Implements swarm.h.
#include "swarm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <netinet/tcp.h>

#include "codec/wire.h"

enum {
    SOURCE_PORTS = 20000, // of one loopback address
    FRAME_HEAD_MAX = 14,
    READ_BYTES = 256 << 10,
    EVENTS = 1024,
};

enum state { CONNECTING, UPGRADING, JOINING, JOINED, CLOSED };

// ------------------------------------------------------------------------------------------- times

uint64_t swarm_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void latencies_add(struct latencies *latencies, uint64_t ns)
{
    uint64_t value = ns < 32 ? 32 : ns;
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    unsigned fraction = (unsigned)(value >> (power - 5)) & 31;
    latencies->buckets[power * 32 + fraction]++;
    latencies->count++;
    if (ns > latencies->max_ns)
        latencies->max_ns = ns;
}

uint64_t latencies_quantile(const struct latencies *latencies, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)latencies->count);
    uint64_t count = 0;
    for (unsigned i = 0; i < 64 * 32; i++) {
        count += latencies->buckets[i];
        if (count > wanted)
            return (uint64_t)(32 + i % 32) << (i / 32 - 5);
    }
    return latencies->max_ns;
}

// ------------------------------------------------------------------------------------ connections

/// What an edit waited for came: is all there?
static void edit_went_on(struct swarm *swarm, uint32_t index)
{
    struct swarm_document *document = &swarm->documents[index];
    uint32_t count = swarm->options.documents;
    if (document->missing > 0 || !document->durable)
        return;
    swarm->idle[(swarm->idle_first + swarm->idle_count) % count] = index;
    swarm->idle_count++;
}

static void close_connection(struct swarm *swarm, struct swarm_connection *connection,
                             const char *why)
{
    if (connection->state == CLOSED)
        return;
    if (swarm->failed++ == 0)
        snprintf(swarm->error, sizeof(swarm->error), "%s", why);
    swarm->joined -= connection->state == JOINED;
    connection->state = CLOSED;
    close(connection->fd);
    connection->fd = -1;
    struct swarm_document *document = &swarm->documents[connection->document];
    if (connection->seen < document->edits && document->missing > 0) {
        connection->seen = document->edits;
        document->missing--; // nobody waits for it; a writer that is gone ends its document
        edit_went_on(swarm, connection->document);
    }
}

/// Sends what fits a socket that nothing waits in; clients that say little never fill one.
static bool send_all(struct swarm *swarm, struct swarm_connection *connection, const void *bytes,
                     size_t size)
{
    if (send(connection->fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size)
        return true;
    close_connection(swarm, connection, "the node does not read");
    return false;
}

/// A binary frame under the mask 0, which leaves the bytes as they are (RFC 6455, 5.2).
static bool send_message(struct swarm *swarm, struct swarm_connection *connection,
                         const struct wire_message *message)
{
    static const uint8_t head[FRAME_HEAD_MAX];
    struct weft_buffer frame;
    bool sent = false;
    weft_buffer_init(&frame, NULL);
    if (weft_buffer_append(&frame, head, 8) == WEFT_OK && wire_encode(&frame, message) == WEFT_OK) {
        size_t size = frame.size - 8;
        uint8_t *at = frame.data;
        if (size < 126) {
            at += 2; // the head is shorter
            at[1] = (uint8_t)(0x80 | size);
        } else {
            at[1] = 0x80 | 126;
            at[2] = (uint8_t)(size >> 8);
            at[3] = (uint8_t)size;
        }
        at[0] = 0x82;
        sent = size <= UINT16_MAX &&
               send_all(swarm, connection, at, (size_t)(frame.data + frame.size - at));
    }
    weft_buffer_finish(&frame);
    return sent;
}

static uint64_t agent_of(const struct swarm *swarm, uint32_t document)
{
    return swarm->options.name + document;
}

static void document_name(char name_out[64], const struct swarm *swarm, uint32_t document)
{
    snprintf(name_out, 64, "bench-%016llx-%u", (unsigned long long)swarm->options.name, document);
}

static void say_hello(struct swarm *swarm, struct swarm_connection *connection)
{
    char name[64];
    document_name(name, swarm, connection->document);
    struct wire_message hello = {.type = WIRE_HELLO, .name = span_of_text("weft bench")};
    struct wire_message join = {.type = WIRE_JOIN, .ref = 1, .name = span_of_text(name)};
    connection->state = JOINING;
    if (send_message(swarm, connection, &hello))
        send_message(swarm, connection, &join);
}

static void upgrade(struct swarm *swarm, struct swarm_connection *connection)
{
    char request[512];
    int size = snprintf(request, sizeof(request),
                        "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: d2VmdCBiZW5jaCBzd2FybQ==\r\n"
                        "Sec-WebSocket-Protocol: " WIRE_SUBPROTOCOL "\r\n\r\n",
                        swarm->options.host);
    connection->state = UPGRADING;
    send_all(swarm, connection, request, (size_t)size);
}

// --------------------------------------------------------------------------------------- receiving

static void on_deltas(struct swarm *swarm, struct swarm_connection *connection)
{
    struct swarm_document *document = &swarm->documents[connection->document];
    if (connection->seen == document->edits)
        return; // a bench that ran before had this name
    connection->seen = document->edits;
    latencies_add(&swarm->delivering, swarm_now_ns() - document->due_ns);
    document->missing--;
    edit_went_on(swarm, connection->document);
}

static void on_ack(struct swarm *swarm, struct swarm_connection *connection, uint32_t number)
{
    struct swarm_document *document = &swarm->documents[connection->document];
    if (number != (uint32_t)document->edits || document->durable)
        return;
    document->durable = true;
    latencies_add(&swarm->acking, swarm_now_ns() - document->due_ns);
    edit_went_on(swarm, connection->document);
}

static void on_message(struct swarm *swarm, struct swarm_connection *connection, struct span bytes)
{
    static struct wire_message message;
    char why[SWARM_ERROR_BYTES];
    enum weft_status status = wire_decode(&message, bytes);
    if (status != WEFT_OK) {
        close_connection(swarm, connection, "a message that is none");
        return;
    }
    switch (message.type) {
    case WIRE_NODE_HELLO:
        swarm->heartbeat_ms = message.heartbeat_ms;
        break;
    case WIRE_JOINED:
        connection->room = message.room;
        connection->state = JOINED;
        swarm->joined++;
        latencies_add(&swarm->joining, swarm_now_ns() - connection->began_ns);
        break;
    case WIRE_NODE_DELTA:
        on_deltas(swarm, connection);
        break;
    case WIRE_ACK:
        if (message.level == 1)
            on_ack(swarm, connection, message.number);
        break;
    case WIRE_ERROR:
        snprintf(why, sizeof(why), "error %u %.*s", message.code, (int)message.reason.size,
                 (const char *)message.reason.data);
        close_connection(swarm, connection, why);
        break;
    default:
        break;
    }
}

/// Takes one frame. @return its size; 0 when it is not whole.
static size_t take_frame(struct swarm *swarm, struct swarm_connection *connection,
                         const uint8_t *at, size_t size)
{
    size_t head = 2;
    uint64_t payload = size > 1 ? at[1] & 127 : 0;
    if (payload == 126)
        head = 4;
    else if (payload == 127)
        head = 10;
    if (size < head)
        return 0;
    if (head > 2) {
        payload = 0;
        for (size_t i = 2; i < head; i++)
            payload = payload << 8 | at[i];
    }
    if (payload > size - head)
        return 0;
    switch (at[0]) {
    case 0x82:
        on_message(swarm, connection, (struct span){at + head, (size_t)payload});
        break;
    case 0x88: {
        char why[SWARM_ERROR_BYTES];
        unsigned code = payload >= 2 ? (unsigned)at[head] << 8 | at[head + 1] : 1005;
        snprintf(why, sizeof(why), "closed with %u", code);
        close_connection(swarm, connection, why);
        break;
    }
    default: // pings: what this client says itself keeps the connection
        break;
    }
    return head + (size_t)payload;
}

/// Takes what is whole of what came. @return the bytes taken.
static size_t take(struct swarm *swarm, struct swarm_connection *connection, const uint8_t *bytes,
                   size_t size)
{
    size_t taken = 0;
    if (connection->state == UPGRADING) {
        const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
        if (end == NULL)
            return 0;
        if (memcmp(bytes, "HTTP/1.1 101", 12) != 0) {
            char why[SWARM_ERROR_BYTES];
            snprintf(why, sizeof(why), "no upgrade: %.*s", (int)(size < 40 ? size : 40),
                     (const char *)bytes);
            why[strcspn(why, "\r\n")] = '\0';
            close_connection(swarm, connection, why);
            return size;
        }
        taken = (size_t)(end + 4 - bytes);
        say_hello(swarm, connection);
    }
    while (taken < size && connection->state != CLOSED) {
        size_t frame = take_frame(swarm, connection, bytes + taken, size - taken);
        if (frame == 0)
            break;
        taken += frame;
    }
    return taken;
}

static void keep_rest(struct swarm *swarm, struct swarm_connection *connection,
                      const uint8_t *bytes, size_t size)
{
    uint8_t *rest = size == 0 ? NULL : malloc(size);
    if (size > 0 && rest == NULL) {
        close_connection(swarm, connection, "out of memory");
        return;
    }
    if (size > 0)
        memcpy(rest, bytes, size);
    free(connection->rest);
    connection->rest = rest;
    connection->rest_size = (uint32_t)size;
}

static void receive(struct swarm *swarm, struct swarm_connection *connection)
{
    static uint8_t bytes[READ_BYTES];
    size_t size = connection->rest_size;
    if (size > 0)
        memcpy(bytes, connection->rest, size);
    ssize_t got = recv(connection->fd, bytes + size, sizeof(bytes) - size, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        close_connection(swarm, connection, got == 0 ? "the node hung up" : strerror(errno));
        return;
    }
    size += (size_t)got;
    size_t taken = take(swarm, connection, bytes, size);
    if (connection->state == CLOSED)
        return;
    if (taken == 0 && size == sizeof(bytes))
        close_connection(swarm, connection, "a frame that is too large");
    else if (connection->rest_size > 0 || taken < size)
        keep_rest(swarm, connection, bytes + taken, size - taken);
}

static void on_event(struct swarm *swarm, const struct epoll_event *event)
{
    struct swarm_connection *connection = &swarm->connections[event->data.u32];
    if (connection->state == CLOSED)
        return;
    if (connection->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof(error);
        getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            close_connection(swarm, connection, strerror(error));
            return;
        }
        struct epoll_event reads = {.events = EPOLLIN, .data.u32 = event->data.u32};
        epoll_ctl(swarm->epoll, EPOLL_CTL_MOD, connection->fd, &reads);
        upgrade(swarm, connection);
        return;
    }
    receive(swarm, connection);
}

/// A connection that is silent for three heartbeats is closed: all ping within one.
static void keep_alive(struct swarm *swarm)
{
    uint64_t now = swarm_now_ns();
    uint64_t count = swarm->options.connections;
    if (swarm->heartbeat_ms == 0)
        return;
    uint64_t due = (now - swarm->pinged_ns) * count / (swarm->heartbeat_ms * 1000000ULL);
    if (due == 0)
        return;
    swarm->pinged_ns = now;
    for (uint64_t i = 0; i < due && i < count; i++) {
        struct swarm_connection *connection = &swarm->connections[swarm->pinged];
        struct wire_message ping = {.type = WIRE_PING, .n = 1};
        swarm->pinged = swarm->pinged + 1 < count ? swarm->pinged + 1 : 0;
        if (connection->state == JOINED)
            send_message(swarm, connection, &ping);
    }
}

void swarm_listen(struct swarm *swarm, int timeout_ms)
{
    static struct epoll_event events[EVENTS];
    int count = epoll_wait(swarm->epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++)
        on_event(swarm, &events[i]);
    keep_alive(swarm);
}

// ------------------------------------------------------------------------------------- connecting

static void raise_descriptors(uint32_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/// One loopback address has too few ports for all: others of 127/8 serve as well.
static bool bind_source(int fd, const struct sockaddr_in *to, uint32_t index)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int on = 1;
    uint32_t number = index / SOURCE_PORTS;
    if (number == 0 || ntohl(to->sin_addr.s_addr) >> 24 != 127)
        return true;
    from.sin_addr.s_addr = htonl((127U << 24) + (77U << 16) + number);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    return bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0;
}

static const char *begin_connection(struct swarm *swarm, uint32_t index)
{
    const struct sockaddr_in *to = &swarm->options.address;
    struct swarm_connection *connection = &swarm->connections[index];
    struct epoll_event writes = {.events = EPOLLOUT, .data.u32 = index};
    int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return strerror(errno);
    connection->state = CONNECTING;
    connection->began_ns = swarm_now_ns();
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (!bind_source(connection->fd, to, index) ||
        (connect(connection->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
         errno != EINPROGRESS)) {
        close_connection(swarm, connection, strerror(errno));
        return NULL;
    }
    return epoll_ctl(swarm->epoll, EPOLL_CTL_ADD, connection->fd, &writes) == 0 ? NULL
                                                                                : strerror(errno);
}

const char *swarm_storm(struct swarm *swarm, uint64_t deadline_ns)
{
    uint32_t count = swarm->options.connections;
    for (uint32_t i = 0; i < count; i++) {
        const char *error = begin_connection(swarm, i);
        if (error != NULL)
            return error;
        if (i % 64 == 63) // what is ready does not wait for those that come behind
            swarm_listen(swarm, 0);
    }
    while (swarm->joined + swarm->failed < count && swarm_now_ns() < deadline_ns)
        swarm_listen(swarm, 100);
    for (uint32_t i = 0; i < count; i++)
        if (swarm->connections[i].state != JOINED)
            close_connection(swarm, &swarm->connections[i], "not joined in time");
    return NULL;
}

// ---------------------------------------------------------------------------------------- editing

static bool is_writer(const struct swarm *swarm, uint32_t connection)
{
    return connection < swarm->options.documents;
}

/// The connections behind the writer that are to get an edit.
static uint32_t readers(struct swarm *swarm, uint32_t document)
{
    uint32_t count = 0;
    for (uint32_t i = document; i < swarm->options.connections; i += swarm->options.documents)
        count += !is_writer(swarm, i) && swarm->connections[i].state == JOINED;
    return count;
}

static bool send_edit(struct swarm *swarm, uint32_t index)
{
    struct swarm_document *document = &swarm->documents[index];
    struct swarm_connection *writer = &swarm->connections[index];
    uint64_t agent = agent_of(swarm, index);
    uint64_t length = weft_doc_length(document->doc, WEFT_SCALARS);
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    bool made =
        weft_doc_insert(document->doc, WEFT_SCALARS, length, (const uint8_t *)"x", 1) == WEFT_OK &&
        weft_doc_delta_own(&delta, document->doc, agent, document->seq) == WEFT_OK;
    if (made) {
        document->seq = weft_doc_next_seq(document->doc, agent);
        writer->seen = ++document->edits;
        document->missing = readers(swarm, index);
        document->durable = false;
        swarm->edits++;
        struct wire_message message = {.type = WIRE_DELTA,
                                       .room = writer->room,
                                       .number = (uint32_t)document->edits,
                                       .deltas = {{delta.data, delta.size}},
                                       .delta_count = 1};
        made = send_message(swarm, writer, &message) || writer->state == CLOSED;
    }
    weft_buffer_finish(&delta);
    return made;
}

void swarm_start_typing(struct swarm *swarm, uint64_t interval_ns)
{
    uint64_t now = swarm_now_ns();
    swarm->interval_ns = interval_ns;
    for (uint32_t i = 0; i < swarm->options.documents; i++)
        swarm->documents[i].due_ns = now - interval_ns + interval_ns * i / swarm->options.documents;
}

bool swarm_type(struct swarm *swarm)
{
    uint64_t now = swarm_now_ns();
    for (uint32_t left = swarm->idle_count; left > 0; left--) {
        uint32_t index = swarm->idle[swarm->idle_first];
        struct swarm_document *document = &swarm->documents[index];
        uint64_t due_ns = document->due_ns + swarm->interval_ns;
        if (due_ns > now)
            return true; // those behind it are due later still
        swarm->idle_first = (swarm->idle_first + 1) % swarm->options.documents;
        swarm->idle_count--;
        document->due_ns = swarm->interval_ns > 0 ? due_ns : swarm_now_ns();
        if (swarm->connections[index].state == JOINED && !send_edit(swarm, index))
            return false;
    }
    return true;
}

// ---------------------------------------------------------------------------------------- lifetime

static const char *begin_document(struct swarm *swarm, uint32_t index)
{
    char name[64];
    struct weft_doc_options options = {0};
    struct weft_doc *doc = NULL;
    document_name(name, swarm, index);
    options.name = (const uint8_t *)name;
    options.name_size = strlen(name);
    if (weft_doc_create(&doc, &options) != WEFT_OK)
        return "out of memory";
    swarm->documents[index] = (struct swarm_document){.doc = doc, .durable = true};
    swarm->idle[swarm->idle_count++] = index;
    return weft_doc_set_agent(doc, agent_of(swarm, index)) == WEFT_OK ? NULL : "out of memory";
}

const char *swarm_init(struct swarm *swarm, const struct swarm_options *options)
{
    *swarm = (struct swarm){.options = *options, .pinged_ns = swarm_now_ns()};
    raise_descriptors(options->connections + 64);
    swarm->epoll = epoll_create1(EPOLL_CLOEXEC);
    swarm->connections = calloc(options->connections, sizeof(*swarm->connections));
    swarm->documents = calloc(options->documents, sizeof(*swarm->documents));
    swarm->idle = calloc(options->documents, sizeof(*swarm->idle));
    if (swarm->epoll < 0)
        return strerror(errno);
    if (swarm->connections == NULL || swarm->documents == NULL || swarm->idle == NULL)
        return "out of memory";
    for (uint32_t i = 0; i < options->connections; i++) {
        swarm->connections[i].fd = -1;
        swarm->connections[i].document = i % options->documents;
    }
    const char *error = NULL;
    for (uint32_t i = 0; error == NULL && i < options->documents; i++)
        error = begin_document(swarm, i);
    return error;
}

void swarm_finish(struct swarm *swarm)
{
    for (uint32_t i = 0; swarm->connections != NULL && i < swarm->options.connections; i++) {
        if (swarm->connections[i].fd >= 0)
            close(swarm->connections[i].fd);
        free(swarm->connections[i].rest);
    }
    for (uint32_t i = 0; swarm->documents != NULL && i < swarm->options.documents; i++)
        weft_doc_destroy(swarm->documents[i].doc);
    free(swarm->connections);
    free(swarm->documents);
    free(swarm->idle);
    if (swarm->epoll >= 0)
        close(swarm->epoll);
}
