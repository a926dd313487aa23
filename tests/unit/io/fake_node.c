// SPDX-License-Identifier: MIT
#include "fake_node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/memory.h>

#include "codec/pack.h"
#include "io/admin.h"
#include "io/clients.h"
#include "io/http_api.h"
#include "io/loop.h"
#include "node/frame.h"
#include "node/node.h"

#define FLOOD_CLIENTS 64
#define WATCHERS 64

struct watcher {
    struct request_id request;
    uint32_t left; // pieces
    bool blocked;
};

struct fake_node {
    struct loop loop;
    struct clients *clients;
    struct http_api *api;
    struct admin *admin;
    uv_async_t order;
    pthread_t thread;
    pthread_mutex_t lock;
    bool drain;
    bool stop;
    uint16_t port;
    uint16_t admin_port;
    struct fake_node_counts counts;
    struct fake_node_counts shown; // under the lock
    struct {
        struct client_id client;
        uint32_t left;
    } floods[FLOOD_CLIENTS];
    struct watcher watchers[WATCHERS];
    struct request_id late; // answered with the next tick
    struct node_metrics metrics;
};

#define FLOOD_BYTES 60000

static void fail(const char *what)
{
    fprintf(stderr, "fake node: %s\n", what);
    abort();
}

// ------------------------------------------------------------------------------------- the "node"

static struct frame *frame_of(const void *bytes, size_t size)
{
    struct weft_allocator allocator = weft_allocator_libc();
    struct frame *frame = frame_create(&allocator, (uint32_t)size);
    memcpy(frame_payload(frame), bytes, size);
    return frame;
}

static bool send_bytes(struct fake_node *fake, struct client_id client, const void *bytes,
                       size_t size)
{
    struct frame *frame = frame_of(bytes, size);
    bool room = clients_send(fake->clients, client, frame);
    frame_release(frame);
    return room;
}

static void flood_on(struct fake_node *fake, unsigned index)
{
    static char block[FLOOD_BYTES];
    while (fake->floods[index].left > 0) {
        memset(block, 'a' + (int)(fake->floods[index].left % 26), sizeof(block));
        fake->floods[index].left--;
        if (!send_bytes(fake, fake->floods[index].client, block, sizeof(block))) {
            return;
        }
    }
}

static unsigned flood_of(const struct fake_node *fake, struct client_id client)
{
    unsigned i = 0;
    while (i < FLOOD_CLIENTS && (fake->floods[i].client.slot != client.slot ||
                                 fake->floods[i].client.generation != client.generation)) {
        i++;
    }
    return i;
}

/// "close CODE REASON" closes, "flood N" sends N large frames, anything else is echoed.
static void take_frame(struct fake_node *fake, struct client_id client, struct span bytes)
{
    char text[64] = "";
    unsigned number = 0;
    memcpy(text, bytes.data, bytes.size < sizeof(text) - 1 ? bytes.size : sizeof(text) - 1);
    if (sscanf(text, "close %u", &number) == 1) {
        clients_hang_up(fake->clients, client, (uint16_t)number, "as ordered");
    } else if (sscanf(text, "flood %u", &number) == 1) {
        unsigned index = flood_of(fake, (struct client_id){0, 0});
        fake->floods[index].client = client;
        fake->floods[index].left = number;
        flood_on(fake, index);
    } else {
        char *echo = malloc(bytes.size + 5);
        memcpy(echo, "echo:", 5);
        memcpy(echo + 5, bytes.data, bytes.size);
        send_bytes(fake, client, echo, bytes.size + 5);
        free(echo);
    }
}

static void respond(struct fake_node *fake, struct request_id id,
                    const struct node_response *response)
{
    if (admin_owns(id)) {
        admin_respond(fake->admin, id, response);
    } else {
        http_api_respond(fake->api, id, response);
    }
}

static const char *verb_name(enum node_verb verb)
{
    static const char *const names[] = {
        [NODE_ASK_LIST] = "list",       [NODE_ASK_TEXT] = "text",
        [NODE_ASK_DELTA] = "delta",     [NODE_ASK_DIGEST] = "digest",
        [NODE_ASK_PUT] = "put",         [NODE_ASK_PATCH] = "patch",
        [NODE_ASK_CREATE] = "create",   [NODE_ASK_DELETE] = "delete",
        [NODE_ASK_WATCH] = "watch",     [NODE_ASK_RECOVERY_LIST] = "recovery_list",
        [NODE_ASK_MEMBERS] = "members", [NODE_ASK_RECOVERY_TEXT] = "recovery_text",
        [NODE_ASK_LEAVE] = "leave",     [NODE_ASK_FORGET] = "forget",
    };
    return names[verb];
}

static void add_span(char *text, size_t size, const char *name, struct span span)
{
    size_t used = strlen(text);
    if (span.size > 0) {
        snprintf(text + used, size - used, " %s=%.*s", name, span.size > 200 ? 200 : (int)span.size,
                 (const char *)span.data);
    }
}

static void describe(char *text, size_t size, const struct node_ask *ask)
{
    snprintf(text, size, "%s", verb_name(ask->verb));
    add_span(text, size, "document", ask->document);
    add_span(text, size, "prefix", ask->prefix);
    add_span(text, size, "after", ask->after);
    add_span(text, size, "if_match", ask->if_match);
    size_t used = strlen(text);
    if (ask->agent > 0) {
        snprintf(text + used, size - used, " id=%llx.%llu", (unsigned long long)ask->agent,
                 (unsigned long long)ask->seq);
        used = strlen(text);
    }
    snprintf(text + used, size - used, " limit=%u wait=%u body=%zu", ask->limit, ask->wait_level,
             ask->body.size);
    if (ask->json) {
        struct pack_reader reader = pack_reader_of(ask->body);
        uint32_t count = pack_read_array(&reader);
        used = strlen(text);
        snprintf(text + used, size - used, " changes=%u", count);
    } else {
        add_span(text, size, "text", ask->body);
    }
}

static void watch_on(struct fake_node *fake, struct watcher *watcher)
{
    char piece[64];
    snprintf(piece, sizeof(piece), "id: %u\ndata: piece\n\n", watcher->left);
    watcher->left--;
    watcher->blocked = !http_api_stream(fake->api, watcher->request,
                                        (struct span){(const uint8_t *)piece, strlen(piece)});
    if (watcher->left == 0) {
        http_api_stream_end(fake->api, watcher->request);
        watcher->request.value = 0;
    }
}

static void take_request(struct fake_node *fake, struct request_id id, const struct node_ask *ask)
{
    char text[1024];
    struct node_response response = {.status = 200, .content_type = "text/plain; charset=utf-8"};
    describe(text, sizeof(text), ask);
    response.body = (struct span){(const uint8_t *)text, strlen(text)};
    if (ask->document.size == 4 && memcmp(ask->document.data, "gone", 4) == 0) {
        response = (struct node_response){.status = 404};
    } else if (ask->document.size == 4 && memcmp(ask->document.data, "late", 4) == 0) {
        fake->late = id;
        return;
    } else if (ask->document.size == 4 && memcmp(ask->document.data, "huge", 4) == 0) {
        static uint8_t huge[20 << 20];
        memset(huge, 'h', sizeof(huge));
        response.body = (struct span){huge, sizeof(huge)};
    } else if (ask->verb == NODE_ASK_WATCH) {
        unsigned i = 0;
        while (fake->watchers[i].request.value != 0) {
            i++;
        }
        fake->watchers[i] = (struct watcher){.request = id, .left = 3};
        response.content_type = "text/event-stream";
        response.stream = true;
    } else if (ask->verb == NODE_ASK_TEXT || ask->verb == NODE_ASK_PUT) {
        response.etag = (struct span){(const uint8_t *)"00112233445566778899aabbccddeeff", 32};
        response.durability = "durable";
    } else if (ask->verb == NODE_ASK_DELTA) {
        response.epoch =
            (struct span){(const uint8_t *)"000000000000000100112233445566778899aabbccddeeff", 48};
    }
    respond(fake, id, &response);
}

static void take_tick(struct fake_node *fake)
{
    fake->counts.ticks++;
    for (unsigned i = 0; i < WATCHERS; i++) {
        if (fake->watchers[i].request.value != 0 && !fake->watchers[i].blocked) {
            watch_on(fake, &fake->watchers[i]);
        }
    }
    if (fake->late.value != 0) {
        respond(fake, fake->late,
                &(struct node_response){.status = 200,
                                        .content_type = "text/plain",
                                        .body = {(const uint8_t *)"late", 4}});
        fake->late.value = 0;
    }
}

static void take_close(struct fake_node *fake, const struct node_event *event)
{
    fake->counts.requests_closed++;
    for (unsigned i = 0; i < WATCHERS; i++) {
        if (fake->watchers[i].request.value == event->request.value) {
            fake->watchers[i].request.value = 0;
        }
    }
    if (fake->late.value == event->request.value) {
        fake->late.value = 0;
    }
}

static void step(void *context, const struct node_event *event)
{
    struct fake_node *fake = context;
    switch (event->kind) {
    case NODE_CLIENT_OPENED:
        fake->counts.opened++;
        break;
    case NODE_CLIENT_CLOSED:
        fake->counts.closed++;
        break;
    case NODE_CLIENT_FRAME:
        fake->counts.frames++;
        take_frame(fake, event->client, event->bytes);
        break;
    case NODE_CLIENT_WRITABLE:
        fake->counts.writable++;
        if (flood_of(fake, event->client) < FLOOD_CLIENTS) {
            flood_on(fake, flood_of(fake, event->client));
        }
        break;
    case NODE_REQUEST:
        fake->counts.requests++;
        take_request(fake, event->request, event->ask);
        break;
    case NODE_REQUEST_CLOSED:
        take_close(fake, event);
        break;
    case NODE_REQUEST_WRITABLE:
        fake->counts.requests_writable++;
        break;
    case NODE_TICK:
        take_tick(fake);
        break;
    case NODE_TURN:
        fake->counts.turns++;
        pthread_mutex_lock(&fake->lock);
        fake->shown = fake->counts;
        pthread_mutex_unlock(&fake->lock);
        break;
    default:
        break;
    }
}

// ------------------------------------------------------------------------------------- the thread

static void sample(void *context, struct admin_sample *sample_out)
{
    struct fake_node *fake = context;
    memset(sample_out, 0, sizeof(*sample_out));
    sample_out->node = &fake->metrics;
    sample_out->unready = fake->drain ? NODE_UNREADY_DRAINING : 0;
    sample_out->clients = clients_count(fake->clients);
    sample_out->http = http_api_count(fake->api);
    sample_out->version = "test";
}

static enum weft_status backup(void *context, const char *path, char *error)
{
    struct fake_node *fake = context;
    if (strcmp(path, "/taken") == 0) {
        snprintf(error, ADMIN_ERROR_BYTES, "%s: is \"taken\"", path);
        return WEFT_CONFLICT;
    }
    uv_async_send(&fake->order);
    return WEFT_OK;
}

static void ordered(uv_async_t *async)
{
    struct fake_node *fake = async->data;
    pthread_mutex_lock(&fake->lock);
    bool drain = fake->drain;
    bool stop = fake->stop;
    pthread_mutex_unlock(&fake->lock);
    admin_backup_done(fake->admin, WEFT_OK, "");
    if (drain) {
        clients_drain(fake->clients);
        http_api_drain(fake->api);
    }
    if (stop) {
        loop_stop(&fake->loop);
    }
}

static void *run(void *argument)
{
    struct fake_node *fake = argument;
    clients_start(fake->clients);
    admin_start(fake->admin);
    loop_run(&fake->loop);
    clients_close(fake->clients);
    http_api_destroy(fake->api);
    admin_close(fake->admin);
    uv_close((uv_handle_t *)&fake->order, NULL);
    loop_finish(&fake->loop);
    return NULL;
}

struct fake_node *fake_node_start(void)
{
    char error[512];
    struct fake_node *fake = calloc(1, sizeof(*fake));
    if (!loop_init(&fake->loop, step, fake)) {
        fail("no loop");
    }
    struct http_api_config api = {.loop = &fake->loop,
                                  .origins = {.loopback = true},
                                  .page = {(const uint8_t *)"<!doctype html>page", 19},
                                  .connections_max = 128,
                                  .name_bytes_max = 256,
                                  .body_bytes_max = 1 << 20,
                                  .held_bytes_max = 64 << 20};
    if (http_api_create(&fake->api, &api) != WEFT_OK) {
        fail("no API");
    }
    struct clients_config clients = {.loop = &fake->loop,
                                     .listen = "127.0.0.1:0",
                                     .http = fake->api,
                                     .connections_max = 19000,
                                     .frame_bytes_max = 64 << 10};
    if (clients_open(&fake->clients, &clients, error, sizeof(error)) != WEFT_OK) {
        fail(error);
    }
    struct admin_config admin = {.loop = &fake->loop,
                                 .listen = "127.0.0.1:0",
                                 .sample = sample,
                                 .backup = backup,
                                 .context = fake};
    if (admin_open(&fake->admin, &admin, error, sizeof(error)) != WEFT_OK) {
        fail(error);
    }
    fake->port = clients_address(fake->clients)->port;
    fake->admin_port = admin_address(fake->admin)->port;
    fake->order.data = fake;
    uv_async_init(&fake->loop.uv, &fake->order, ordered);
    pthread_mutex_init(&fake->lock, NULL);
    if (pthread_create(&fake->thread, NULL, run, fake) != 0) {
        fail("no thread");
    }
    return fake;
}

uint16_t fake_node_port(const struct fake_node *fake)
{
    return fake->port;
}

uint16_t fake_node_admin_port(const struct fake_node *fake)
{
    return fake->admin_port;
}

struct fake_node_counts fake_node_count(struct fake_node *fake)
{
    pthread_mutex_lock(&fake->lock);
    struct fake_node_counts counts = fake->shown;
    pthread_mutex_unlock(&fake->lock);
    return counts;
}

static void order(struct fake_node *fake, bool *what)
{
    pthread_mutex_lock(&fake->lock);
    *what = true;
    pthread_mutex_unlock(&fake->lock);
    uv_async_send(&fake->order);
}

void fake_node_drain(struct fake_node *fake)
{
    order(fake, &fake->drain);
}

void fake_node_stop(struct fake_node *fake)
{
    order(fake, &fake->stop);
    pthread_join(fake->thread, NULL);
    pthread_mutex_destroy(&fake->lock);
    free(fake);
}

// ------------------------------------------------------------------------------- a blocking client

int fake_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = 10};
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fail("cannot connect");
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

void fake_send(int fd, const void *bytes, uint64_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; // the peer has had enough; what it says is read later
        }
        at += sent;
        size -= (uint64_t)sent;
    }
}

void fake_send_text(int fd, const char *text)
{
    fake_send(fd, text, strlen(text));
}

uint64_t fake_read_until(int fd, char *out, uint64_t capacity, const char *until)
{
    uint64_t size = 0;
    out[0] = '\0';
    while (size + 1 < capacity && strstr(out, until) == NULL) {
        ssize_t got = recv(fd, out + size, 1, 0);
        if (got <= 0) {
            break;
        }
        size += (uint64_t)got;
        out[size] = '\0';
    }
    return size;
}

uint64_t fake_read_all(int fd, char *out, uint64_t capacity, bool *ended_out)
{
    uint64_t size = 0;
    ssize_t got = 1;
    while (size + 1 < capacity && (got = recv(fd, out + size, capacity - size - 1, 0)) > 0) {
        size += (uint64_t)got;
    }
    out[size] = '\0';
    *ended_out = got == 0;
    return size;
}

bool fake_ends(int fd)
{
    char bytes[4096];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
    }
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

int fake_websocket(uint16_t port)
{
    char head[1024];
    int fd = fake_connect(port);
    fake_send_text(fd, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                       "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Protocol: other, weft.v1\r\n\r\n");
    fake_read_until(fd, head, sizeof(head), "\r\n\r\n");
    if (strstr(head, "101 Switching Protocols") == NULL ||
        strstr(head, "Sec-WebSocket-Protocol: weft.v1") == NULL ||
        strstr(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == NULL) {
        fail(head);
    }
    return fd;
}

void fake_websocket_send(int fd, uint8_t first, const void *bytes, uint64_t size)
{
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t *frame = malloc(size + 14);
    uint64_t at = 2;
    frame[0] = first;
    if (size < 126) {
        frame[1] = (uint8_t)(0x80 | size);
    } else if (size < 65536) {
        frame[1] = 0x80 | 126;
        frame[at++] = (uint8_t)(size >> 8);
        frame[at++] = (uint8_t)size;
    } else {
        frame[1] = 0x80 | 127;
        for (int i = 7; i >= 0; i--) {
            frame[at++] = (uint8_t)(size >> (8 * i));
        }
    }
    memcpy(frame + at, mask, 4);
    at += 4;
    for (uint64_t i = 0; i < size; i++) {
        frame[at++] = ((const uint8_t *)bytes)[i] ^ mask[i & 3];
    }
    fake_send(fd, frame, at);
    free(frame);
}

static bool read_exactly(int fd, void *out, uint64_t size)
{
    return size == 0 || recv(fd, out, size, MSG_WAITALL) == (ssize_t)size;
}

int fake_websocket_read(int fd, char *out, uint64_t capacity, uint64_t *size_out)
{
    uint8_t head[10];
    if (!read_exactly(fd, head, 2)) {
        return -1;
    }
    uint64_t size = head[1] & 0x7f;
    unsigned extra = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (!read_exactly(fd, head + 2, extra)) {
        return -1;
    }
    if (extra > 0) {
        size = 0;
    }
    for (unsigned i = 0; i < extra; i++) {
        size = size << 8 | head[2 + i];
    }
    if (size > capacity) {
        fail("a frame is larger than the test expects");
    }
    if (!read_exactly(fd, out, size)) {
        return -1;
    }
    *size_out = size;
    return head[0];
}

int fake_websocket_close_code(int fd)
{
    static char bytes[1 << 20];
    uint64_t size;
    int first;
    while ((first = fake_websocket_read(fd, bytes, sizeof(bytes), &size)) >= 0) {
        if (first == 0x88 && size >= 2) {
            return (uint8_t)bytes[0] << 8 | (uint8_t)bytes[1];
        }
    }
    return 0;
}
